"""Audit rows read from list, storage and bucket: what makes one an entry, and what speaks against
it.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.entries import (
    BUCKET,
    LIST,
    STORAGE,
    AuditEntry,
    as_entry,
    has_shape,
    milliseconds,
)
from popkit.audit.reading import read_audit
from popkit.audit.tampering import find_tampering
from popkit.evidence.lines import Place
from popkit.evidence.worker import BucketObject, StoredRow
from popkit.protocol import canonical
from tests.diagnosis.audit_rows import (
    PLACE,
    SECOND,
    answer,
    entry_of,
    hashes,
    line,
    objects,
    records_of,
    row,
    stored,
    ts,
)


def test_a_time_is_in_milliseconds_and_in_utc_where_it_names_no_zone() -> None:
    assert milliseconds("2026-02-23T05:00:00.123Z") == 1771822800123
    assert milliseconds("2026-02-23T05:00:00.123") == 1771822800123
    assert milliseconds("2026-02-23T06:00:00.123+01:00") == 1771822800123
    assert milliseconds("yesterday") is None


def test_a_row_becomes_an_entry_whole() -> None:
    told = row(
        5,
        "aa",
        "bb",
        event="WALLET_CLAIM",
        eventId="evt-1",
        data={"x": 1},
        actor={"type": "wallet", "id": "w"},
    )
    assert entry_of(told) == AuditEntry(
        told["entry_hash"], "WALLET_CLAIM", "evt-1", ts(5), SECOND * 1000 + 5, {"x": 1}, {"type": "wallet", "id": "w"}, "aa", "bb",
        told["immutable"], PLACE, told,
    )  # fmt: skip
    assert entry_of(told).key == (ts(5), told["entry_hash"])


def test_what_is_no_object_is_left_out_of_an_entry() -> None:
    told = row(0, data=[1], actor="somebody", stream_prev_hash=7, sinks=False) | {
        "immutable": "yes"
    }
    told["entry_hash"] = canonical.entry_hash(told)
    entry = entry_of(told)
    assert (entry.data, entry.actor, entry.stream_prev_hash, entry.immutable) == (
        {},
        {},
        None,
        None,
    )
    assert entry_of(row(0, stream=None, sinks=False)).stream_prev_hash is None


@pytest.mark.parametrize("name", ["ts", "event", "eventId", "prev_hash", "entry_hash"])
def test_a_row_without_its_fields_is_no_entry(name: str) -> None:
    told = row(0)
    assert has_shape(told)
    assert not has_shape({**told, name: 7})
    assert not has_shape({k: v for k, v in told.items() if k != name})
    assert as_entry({**told, name: 7}, PLACE) is None


@pytest.mark.parametrize("told", [None, [], "row", 7, {}])
def test_a_row_that_is_no_object(told: Any) -> None:
    assert not has_shape(told)
    records = records_of([told])
    assert records.entries == {}
    assert records.sources[LIST].stated == {}
    assert records.rows_checked == 1


def test_a_time_that_is_none_makes_no_entry() -> None:
    told = row(0, sinks=False)
    told["ts"] = "yesterday"
    told["entry_hash"] = canonical.entry_hash(told)
    assert as_entry(told, PLACE) is None


def test_rows_are_known_by_source_with_their_places() -> None:
    rows = line(4)
    records = records_of(rows[2:], stored(rows[1:3]), objects(rows[:2]))
    assert {entry: sorted(origins) for entry, origins in records.origins.items()} == {
        rows[0]["entry_hash"]: [BUCKET],
        rows[1]["entry_hash"]: [BUCKET, STORAGE],
        rows[2]["entry_hash"]: [LIST, STORAGE],
        rows[3]["entry_hash"]: [LIST],
    }
    assert records.rows_checked == 2 + 4 + 4
    places = {told["data"]["n"]: records.entries[told["entry_hash"]].place for told in rows}
    first = canonical.object_keys(rows[0])[0]
    assert places[0] == Place("worker/r2.jsonl", 1, first, "bucket")
    assert places[1] == Place(
        "worker/storage.jsonl", 1, f"audit_history:{ts(1000)}:{rows[1]['entry_hash']}", "storage"
    )
    assert places[2] == Place("worker/audit-logs.json", None, rows[2]["entry_hash"], "answer")
    assert records.sources[LIST].keys == [(ts(n * 1000), rows[n]["entry_hash"]) for n in (2, 3)]


def test_a_copy_that_names_its_sinks_is_kept_over_one_that_does_not() -> None:
    [told] = line(1)
    bare = {k: v for k, v in told.items() if k != "immutable"}
    for shown, held in ((bare, told), (told, bare)):
        assert (
            records_of([shown], stored([held])).entries[told["entry_hash"]].immutable
            == told["immutable"]
        )
    first = records_of([told], None, objects([told])).entries[told["entry_hash"]]
    assert first.place.file == "worker/audit-logs.json", "of two that are alike the first"
    twice = records_of([bare], stored([bare])).entries[told["entry_hash"]]
    assert twice.place.file == "worker/audit-logs.json"


def test_storage_rows_of_another_kind_are_no_audit_rows() -> None:
    records = records_of(None, stored([], other=1))
    assert STORAGE not in records.sources
    assert records.rows_checked == 0


def test_one_copy_of_two_in_the_storage() -> None:
    rows = line(3)
    storage = stored(rows)
    del storage[f"audit_entry:{rows[1]['entry_hash']}"]
    assert find_tampering(records_of(None, storage), ()).half_copies == [rows[1]["entry_hash"]]


def test_what_is_beside_the_immutable_folder_is_no_object_of_the_audit_chain() -> None:
    rows = line(2)
    bucket = {
        "audit/other/x.json": BucketObject("audit/other/x.json", "{}", PLACE),
        **objects(rows),
    }
    records = records_of(None, None, bucket)
    assert set(records.objects) == set(objects(rows))
    assert records.edited_objects == set()
    assert records.rows_checked == 4
    assert records.bucket_keys == {
        told["entry_hash"]: set(canonical.object_keys(told)) for told in rows
    }


def test_a_bucket_text_that_is_not_the_canonical_payload() -> None:
    [told] = line(1)
    key = canonical.object_keys(told)[0]
    text = objects([told])[key].text
    for spoilt in (
        "",
        "7",
        "[]",
        "null",
        '{"entry":7}',
        text + " ",
        text.replace("API", "AIP"),
        text.replace('"version":1', '"version":2'),
    ):
        records = records_of(None, None, {key: BucketObject(key, spoilt, PLACE)})
        assert (records.edited_objects, records.entries) == ({key}, {}), spoilt
    other = key.replace("entry/", "entry/0")
    assert records_of(None, None, {other: BucketObject(other, text, PLACE)}).edited_objects == {
        other
    }


def test_a_payload_with_a_lone_surrogate_is_read_as_javascript_wrote_it() -> None:
    told = row(0, data={"title": "\ud83d cut"})
    records = records_of(None, None, objects([told]))
    assert list(records.entries) == [told["entry_hash"]]
    assert records.edited_objects == set()


@pytest.mark.parametrize("what", ["payload hash", "copy", "nothing"])
def test_a_row_s_immutable_part_must_fit_the_entry_and_every_copy(what: str) -> None:
    rows = line(2)
    shown = copy.deepcopy(rows[1])
    if what == "payload hash":
        shown["immutable"]["payload_hash"] = "ab" * 32
    elif what == "copy":
        shown["immutable"]["sinks"][0]["at"] = ts(9)
    records = records_of([rows[0], shown], stored(rows))
    assert find_tampering(records, ()).edited == (
        [] if what == "nothing" else [rows[1]["entry_hash"]]
    )


def test_a_place_keeps_the_line_of_its_list() -> None:
    [told] = line(1)
    answers = {
        "audit-logs": SimpleNamespace(
            is_ok=True,
            body={"logs": [told]},
            place=Place("worker/audit-logs.json", 4, None, "list"),
        )
    }
    evidence: Any = SimpleNamespace(
        earlier_lists=[],
        answers=answers,
        storage=None,
        bucket=None,
        is_damaged=lambda prefix: False,
    )
    assert read_audit(evidence).entries[told["entry_hash"]].place.line == 4


def test_a_text_with_a_raw_lone_surrogate_is_no_payload() -> None:
    [told] = line(1)
    key = canonical.object_keys(told)[0]
    text = objects([told])[key].text.replace("API", "\ud83d")
    assert records_of(None, None, {key: BucketObject(key, text, PLACE)}).edited_objects == {key}


def test_a_time_without_a_zone_is_utc_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert milliseconds("2026-02-23T05:00:00.123") == 1771822800123
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_row_from_before_the_second_copy_stands_alone_rightly() -> None:
    early, late = row(0, ts="2026-02-22T05:57:59.999Z"), row(0, ts="2026-02-22T05:58:00.000Z")
    around = stored(line(30))
    for told, half in ((early, []), (late, [late["entry_hash"]])):
        storage = {
            key: value for key, value in stored([told]).items() if key.startswith("audit_history:")
        }
        assert records_of(None, storage | around).sources["storage"].half == half
        assert records_of(None, storage).sources["storage"].half == [], (
            "that no copy was exported is no loss of one"
        )
    without_history = {
        key: value for key, value in stored([early]).items() if key.startswith("audit_entry:")
    }
    before = stored([row(0, ts="2026-02-22T05:57:00.000Z")])
    assert records_of(None, without_history | around | before).sources["storage"].half == [
        early["entry_hash"]
    ]


# -- older answers of the list --


def test_rows_of_earlier_lists_are_entries_and_no_source() -> None:
    rows = line(53)
    records = records_of(
        rows[3:],
        earlier=[
            answer({"logs": rows[1:4]}),
            answer({"logs": rows[:2]}),
            answer({"logs": rows[:2]}),
        ],
    )
    assert sorted(records.entries) == sorted(hashes(rows))
    assert records.rows_checked == 53, "each once"
    assert set(records.sources[LIST].stated) == set(hashes(rows[3:]))
    assert {records.entries[entry].place.file for entry in hashes(rows[:3])} == {
        "worker/answers.jsonl"
    }
    assert records.origins[rows[0]["entry_hash"]] == {LIST}
    assert find_tampering(records, ()).removed == [], (
        "what an older list covers, the newest need not hold any more"
    )


def test_earlier_lists_without_a_newest_one() -> None:
    rows = line(2)
    records = records_of(None, earlier=[answer({"logs": rows})])
    assert (sorted(records.entries), records.sources) == (sorted(hashes(rows)), {})


@pytest.mark.parametrize(
    "told",
    [
        answer({"logs": line(2)}, is_ok=False),
        answer({}),
        answer({"logs": 7}),
        answer({"logs": [7, {}, {"entry_hash": 7}]}),
    ],
)
def test_an_earlier_answer_that_is_no_list(told: Any) -> None:
    records = records_of(line(2)[1:], earlier=[told])
    assert (len(records.entries), records.rows_checked, records.sources[LIST].edited) == (
        1,
        1,
        set(),
    )


def test_an_edited_row_of_an_earlier_list_is_edited() -> None:
    rows = line(3)
    spoilt = {**rows[0], "event": "ELSE"}
    records = records_of(rows[1:], earlier=[answer({"logs": [spoilt, rows[1]]})])
    assert find_tampering(records, ()).edited == [rows[0]["entry_hash"]]
    assert rows[0]["entry_hash"] not in records.entries


# -- what a row's place says --


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("worker/audit-logs.json", LIST),
        ("worker/storage.jsonl", STORAGE),
        ("worker/r2.jsonl", BUCKET),
    ],
)
def test_a_file_that_could_not_be_read_whole_is_a_damaged_source(file: str, source: str) -> None:
    assert records_of(line(1), damaged=file).damaged == {source}


def test_a_storage_row_under_another_time_or_hash_is_edited() -> None:
    first, second = line(2)
    [history, copied] = stored([first])
    late = history.replace(first["ts"], second["ts"])
    moved = {late: StoredRow(late, first, PLACE), copied: StoredRow(copied, first, PLACE)}
    records = records_of(None, moved)
    assert records.sources[STORAGE].edited == {first["entry_hash"]}
    assert records.sources[STORAGE].stated == {first["entry_hash"]: second["ts"]}, (
        "its key places it"
    )
    other = copied.replace(first["entry_hash"], second["entry_hash"])
    records = records_of(None, {other: StoredRow(other, first, PLACE)})
    assert (records.sources[STORAGE].edited, records.entries) == ({second["entry_hash"]}, {})
    assert records.sources[STORAGE].stated == {second["entry_hash"]: ""}, (
        "the key names no time, and the row is another's"
    )


def test_an_edited_list_row_stands_where_it_says() -> None:
    rows = line(2)
    spoilt = {**rows[0], "event": "ELSE"}
    records = records_of([spoilt, rows[1], {"no": "hash"}, 7])
    source = records.sources[LIST]
    assert source.stated == {told["entry_hash"]: told["ts"] for told in rows}
    assert (source.rows, source.nameless, source.edited) == (4, 2, {rows[0]["entry_hash"]})


@pytest.mark.parametrize(
    ("immutable", "fits"),
    [
        (None, True),
        ("yes", False),
        ({"sinks": None}, False),
        ({"sinks": [7]}, False),
        ({"sinks": []}, True),
        ({"sinks": [{"sink": "kv_index", "ref": "kv"}]}, True),
        ({"sinks": [{"sink": "kv_index", "ref": "audit:immutable:else"}]}, False),
        ({"sinks": [{"sink": "r2_entry", "ref": "stream"}]}, False),
        ({"sinks": [{"sink": "r2_stream", "ref": "entry"}]}, False),
        (
            {
                "sinks": [
                    {"sink": "r2_entry", "ref": "entry"},
                    {"sink": "r2_stream", "ref": "stream"},
                ]
            },
            True,
        ),
        (
            {"sinks": [{"sink": "r2_entry", "ref": "entry"}, {"sink": "r2_stream", "ref": "else"}]},
            False,
        ),
        ({"sinks": [{"sink": "immutable_ingest", "ref": "whatever it answered"}]}, True),
    ],
)
def test_sinks_follow_from_the_entry(immutable: Any, fits: bool) -> None:
    told = row(0, sinks=False)
    entry, stream = canonical.object_keys(told)
    places = {"entry": entry, "stream": stream, "kv": f"audit:immutable:{told['entry_hash']}"}
    if isinstance(immutable, dict):
        immutable = {"mode": "required", "payload_hash": canonical.payload_hash(told), **immutable}
        for sink in immutable["sinks"] or ():
            if isinstance(sink, dict):
                sink["ref"] = places.get(sink["ref"], sink["ref"])
    shown = told if immutable is None else {**told, "immutable": immutable}
    assert find_tampering(records_of([shown]), ()).edited == ([] if fits else [told["entry_hash"]])


def test_an_entry_that_no_object_key_can_name_has_no_sink() -> None:
    told = row(0, eventId="\ud83d", sinks=False)
    payload = canonical.payload_hash(told)
    for kind, fits in (("r2_entry", False), ("kv_index", False), ("immutable_ingest", True)):
        sinks = [{"sink": kind, "ref": f"audit/immutable/entry/{told['entry_hash']}.json"}]
        shown = {**told, "immutable": {"mode": "required", "payload_hash": payload, "sinks": sinks}}
        assert find_tampering(records_of([shown]), ()).edited == (
            [] if fits else [told["entry_hash"]]
        )
