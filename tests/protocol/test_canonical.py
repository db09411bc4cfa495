"""The worker's canonical JSON. Expected texts are what JSON.stringify of the key-sorted copy gives
in node.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from popkit.protocol import canonical
from popkit.protocol.canonical import (
    MAX_DEPTH,
    UNDEFINED,
    CanonicalError,
    dump_bytes,
    dumps,
    dumps_by_rule,
    parse,
)
from tests.protocol import support as ref

# JSON text → canonical text.
VECTORS = [
    ('{"10":1,"9":2,"a":3,"01":4}', '{"9":2,"10":1,"01":4,"a":3}'),
    ('{"4294967295":1,"4294967294":2,"-1":3,"1.5":4,"0":5,"00":6}',
     '{"0":5,"4294967294":2,"-1":3,"00":6,"1.5":4,"4294967295":1}'),
    ('{"b":1,"__proto__":{"x":1},"a":{"__proto__":null,"c":[]}}', '{"a":{"c":[]},"b":1}'),
    ('{"\ue000":1,"😀":2,"z":3,"é":4}', '{"z":3,"é":4,"😀":2,"\ue000":1}'),
    ('{"a":null,"b":[null]}', '{"a":null,"b":[null]}'),
    ('"\\u2028\\u2029\\u007f\\u00e9\\/"', '"\u2028\u2029\x7fé/"'),
    ('"\\u0000\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u001f\\"\\\\"',
     '"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\"\\\\"'),
    ('["\\ud83d","\\uDE00","\\ude00\\ud83d","\\ud83d\\ude00"]', '["\\ud83d","\\ude00","\\ude00\\ud83d","😀"]'),
    ("[1.0,-0,-0.0,0.0,1e2,1E+2,100e-2]", "[1,0,0,0,100,100,1]"),
    ("[1e21,1e20,123456789012345680000,1e-6,1e-7,0.000001234]",
     "[1e+21,100000000000000000000,123456789012345680000,0.000001,1e-7,0.000001234]"),
    ("[9007199254740991,9007199254740992,9007199254740993,-9007199254740993,9007199254740995]",
     "[9007199254740991,9007199254740992,9007199254740992,-9007199254740992,9007199254740996]"),
    ("[5e-324,1.7976931348623157e308,1e999,-1e999,0.1,1.5e300]",
     "[5e-324,1.7976931348623157e+308,null,null,0.1,1.5e+300]"),
    (' { "a" : [ 1 , { } ] , "a" : [ true , false ] } ', '{"a":[true,false]}'),
    ("[]", "[]"),
    ('{"":0," ":1}', '{"":0," ":1}'),
]  # fmt: skip

NOT_JSON: list[str | bytes] = [
    "", "NaN", "[Infinity]", "-Infinity", "{} x", "[1,]", "{'a':1}", "01", "+1", "1.", ".5", "undefined",
    '"\t"', '"\\x"', '"\\u12"', "\ufeff{}", '{"a"}', '"a', "tru", b"\xff", b'"\xed\xa0\xbd"', b"\xc0\x80", b"\xef\xbb\xbf{}",
]  # fmt: skip

keys = st.one_of(
    st.text(max_size=4),
    st.integers(0, 2**33).map(str),
    st.sampled_from(["__proto__", "01", "4294967294", "4294967295", "\ue000", "😀", "\ud83d", "é"]),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**54), 2**54),
    st.floats(),
    st.text(st.characters(codec=None), max_size=6),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize(("text", "expected"), VECTORS)
def test_vectors(text: str, expected: str) -> None:
    value = parse(text)
    assert dumps(value) == expected
    assert dumps_by_rule(value) == expected
    assert dump_bytes(value) == expected.encode()
    if "\\ud" not in text:
        assert parse(text.encode()) == value


@pytest.mark.parametrize("text", NOT_JSON)
def test_what_is_not_json(text: str | bytes) -> None:
    with pytest.raises(CanonicalError):
        parse(text)


def test_undefined() -> None:
    assert (
        dumps({"a": UNDEFINED, "b": [UNDEFINED, 1], "c": {"d": UNDEFINED}})
        == '{"b":[null,1],"c":{}}'
    )
    with pytest.raises(CanonicalError, match="undefined has no canonical form"):
        dumps(UNDEFINED)


def test_not_a_number_and_large_integers() -> None:
    assert dumps([float("nan"), float("inf"), 10**400, 2**53 + 1, -(10**21)]) == (
        "[null,null,null,9007199254740992,-1e+21]"
    )


@pytest.mark.parametrize("value", [b"x", {1: 2}, {"a": {1}}, object(), 1j])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(CanonicalError):
        dumps(value)


@given(values)
@example({"\ud83d": "\ude00", "\ud83d\ude00": 1})
def test_the_quick_way_agrees_with_the_rules(value: Any) -> None:
    assert dumps(value) == dumps_by_rule(value)


@given(values)
def test_canonical_text_is_canonical(value: Any) -> None:
    text = dumps(value)
    assert text.encode().decode() == text
    assert dumps(parse(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(value: float) -> None:
    assert float(canonical.number_text(value)) == value
    assert float(dumps(value)) == value


@given(values)
def test_quick_way_is_taken_only_where_python_agrees(value: Any) -> None:
    if canonical._is_plain(value, 32):
        ordinary = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert dumps_by_rule(value) == ordinary


def test_depth_is_bounded_and_says_so() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert dumps(parse(deep)) == deep
    objects = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert dumps(parse(objects)) == objects
    for bad in ("[" + deep + "]", "[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(CanonicalError, match=f"deeper than {MAX_DEPTH} levels"):
            parse(bad)
    value: object = 1
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(CanonicalError, match=f"deeper than {MAX_DEPTH} levels"):
        dumps(value)


def test_brackets_in_texts_are_no_depth() -> None:
    text = json.dumps(["[" * 1000, '\\"{' * 1000])
    assert dumps(parse(text)) == text.replace(", ", ",")


ENTRY = {
    "ts": "2026-02-23T07:01:34.805Z",
    "event": "X",
    "eventId": "e",
    "actor": {"type": "school", "id": "public-api"},
    "data": {},
    "prev_hash": "GENESIS",
    "stream_prev_hash": "GENESIS",
}


def test_entry_hash_leaves_out_what_is_not_hashed() -> None:
    stated = canonical.entry_hash(ENTRY)
    assert canonical.entry_hash(dict(reversed(ENTRY.items()))) == stated
    assert canonical.entry_hash(ENTRY | {"entry_hash": "x", "immutable": {}, "more": 1}) == stated
    assert canonical.entry_hash(ENTRY | {"data": None}) == stated
    assert (
        canonical.entry_hash({key: value for key, value in ENTRY.items() if key != "data"})
        == stated
    )
    for key, value in (
        ("data", {"a": 1}),
        ("ts", "2026"),
        ("prev_hash", "0" * 64),
        ("stream_prev_hash", ""),
    ):
        assert canonical.entry_hash(ENTRY | {key: value}) != stated


def test_entries_of_before_have_six_keys() -> None:
    old = {key: value for key, value in ENTRY.items() if key != "stream_prev_hash"}
    assert canonical.entry_hash(old) == canonical.entry_hash(ENTRY | {"stream_prev_hash": None})
    assert canonical.entry_hash(old) == canonical._digest(old)


def test_object_keys() -> None:
    entry = ENTRY | {"entry_hash": "ab", "eventId": "pop:a b/é~!*'()"}
    assert canonical.object_keys(entry) == (
        "audit/immutable/entry/ab.json",
        "audit/immutable/stream/pop%3Aa%20b%2F%C3%A9~!*'()/2026-02-23T07-01-34-805Z_ab.json",
    )
    with pytest.raises(CanonicalError, match="lone surrogate"):
        canonical.object_keys(entry | {"eventId": "a\ud83d"})
    with pytest.raises(CanonicalError, match="must be text"):
        canonical.object_keys(ENTRY)


def test_recorded_entries_objects_and_receipts() -> None:
    objects = 0
    for _, row in ref.case_lines("worker/r2.jsonl*"):
        document = parse(row["text"])
        assert isinstance(document, dict)
        entry = document["entry"]
        assert canonical.payload(entry).decode() == row["text"]
        assert canonical.entry_hash(entry) == entry["entry_hash"]
        assert row["key"] in canonical.object_keys(entry)
        assert dumps_by_rule(document) == row["text"]
        objects += 1
    assert objects > 1000
    altered = set()
    for path, receipt in ref.case_lines("worker/ticket-receipts.jsonl*"):
        if canonical.receipt_hash(receipt) != receipt["receiptHash"]:
            altered.add(path.parts[-3])
    assert altered == {"receipts-tampered"}


def test_subject_commitment_of_a_recorded_receipt() -> None:
    case = ref.DATA / "cases" / "strict-v2-intact" / "worker"
    [path] = case.glob("ticket-receipts.jsonl*")
    committed = {receipt["subjectCommitment"] for receipt in ref.json_lines(path)}
    texts = [row["text"] for row in ref.json_lines(next(case.glob("r2.jsonl*")))]
    entries = [json.loads(text)["entry"] for text in texts]
    subjects = {
        (entry["eventId"], subject)
        for entry in entries
        for subject in texts_within(entry["data"])
        if subject
    }
    computed = {canonical.subject_commitment(event, subject) for event, subject in subjects}
    assert committed
    assert committed <= computed


def texts_within(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inside for text in texts_within(item)]
