"""What copying tools do to texts: one finding, and the entries count. Where only some texts differ,
or a hash fails, nothing is excused.
"""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from popkit.audit.copies import WAYS
from popkit.audit.receipts import altered_receipts, check_receipts
from popkit.audit.tampering import find_tampering
from popkit.evidence.worker import BucketObject, StoredRow
from popkit.protocol import canonical
from tests.conftest import Copy
from tests.diagnosis.audit_rows import GENESIS, PLACE, hashes, objects, records_of, row, stored
from tests.exported import read_exports

Tool = Callable[[str], str]
BANNER = "\n ⛅️ wrangler 4.22.0\n───────────────────\n"


def chain() -> list[dict[str, Any]]:
    """Rows of which some hold slashes, letters beyond ASCII, composed and decomposed alike, and
    dates with trailing zeros.
    """
    rows: list[dict[str, Any]] = []
    titles = (
        "plain",
        "caf\u00e9 / \u304c",
        'a<b> & "c"',
        "\U0001f600 z",
        "plain / too",
        "\u00e9t\u00e9",
        "x < y / z",
    )
    for n, title in enumerate(titles):
        prev = rows[-1]["entry_hash"] if rows else GENESIS
        rows.append(
            row(
                n * 1000 + 120,
                prev,
                prev,
                data={"title": title, "at": "2026-02-23T05:00:00.100Z", "number": 1.5},
            )
        )
    return rows


def values(text: str, change: Callable[[str], str]) -> str:
    """A JSON text with every string value in it changed."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return change(value) if isinstance(value, str) else value

    return json.dumps(walk(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def ms_digits(text: str) -> str:
    return text[:-1] + "0000Z" if text.endswith("Z") and text[10:11] == "T" else text


def trimmed(text: str) -> str:
    return (
        text[:-1].rstrip("0").rstrip(".") + "Z"
        if text.endswith("Z") and text[10:11] == "T"
        else text
    )


def in_tokyo(text: str) -> str:
    from datetime import datetime, timedelta, timezone

    if not (text.endswith("Z") and text[10:11] == "T"):
        return text
    return (
        datetime.fromisoformat(text)
        .astimezone(timezone(timedelta(hours=9)))
        .isoformat(timespec="milliseconds")
    )


TOOLS: dict[str, tuple[Tool, set[str]]] = {
    "wrangler": (lambda text: BANNER + text, {"banner"}),
    "wrangler into a file": (lambda text: BANNER + text + "\n", {"banner"}),
    "a line end": (lambda text: text + "\n", {"line end"}),
    "a line end of Windows": (lambda text: text + "\r\n", {"line end"}),
    "a byte order mark": (lambda text: "\ufeff" + text, {"bom"}),
    "UTF-16": (lambda text: text.encode("utf-16").decode("utf-8", "surrogateescape"), {"utf-16"}),
    "pretty": (lambda text: json.dumps(json.loads(text), indent=2, ensure_ascii=False), {"layout"}),
    "other order": (
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), ensure_ascii=False),
        {"layout"},
    ),
    "slashes": (lambda text: text.replace("/", "\\/"), {"slashes"}),
    "ASCII": (
        lambda text: json.dumps(json.loads(text), ensure_ascii=True, separators=(",", ":")),
        {"escapes"},
    ),
    "Go": (
        lambda text: text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        {"escapes"},
    ),
    "HTML": (html.escape, {"html"}),
    "latin": (lambda text: text.encode().decode("latin-1"), {"encoding"}),
    "NFD": (lambda text: unicodedata.normalize("NFD", text), {"NFD"}),
    "PowerShell 7": (lambda text: values(text, ms_digits), {"dates"}),
    "PowerShell 7, trimmed": (lambda text: values(text, trimmed), {"trimmed dates"}),
    "PowerShell, local": (
        lambda text: json.dumps(json.loads(values(text, in_tokyo)), indent=2),
        {"dates", "layout"},
    ),
}


def treated(
    rows: list[dict[str, Any]], tool: Tool, which: Callable[[str], bool] = lambda key: True
) -> dict[str, BucketObject]:
    found = {}
    for key, item in objects(rows).items():
        found[key] = BucketObject(key, tool(item.text) if which(key) else item.text, item.place)
    return found


@pytest.mark.parametrize("name", TOOLS)
def test_every_text_changed_in_one_way(name: str) -> None:
    tool, ways = TOOLS[name]
    rows = chain()
    records = records_of(None, None, treated(rows, tool))
    assert records.edited_objects == set()
    assert hashes(entry.raw for entry in records.ordered) == hashes(rows)
    assert {way for done in records.altered.values() for way in done.ways} == ways
    assert len(records.altered) == 2, "each folder was copied"
    assert ways <= set(WAYS)
    assert all(done.texts >= 2 for done in records.altered.values())


@pytest.mark.parametrize("name", TOOLS)
def test_one_folder_alone_was_copied_with_a_tool(name: str) -> None:
    records = records_of(
        None, None, treated(chain(), TOOLS[name][0], lambda key: "/stream/" in key)
    )
    assert (records.edited_objects, list(records.altered)) == (
        set(),
        ["worker/r2/audit/immutable/stream/"],
    )


@pytest.mark.parametrize("name", [name for name in TOOLS if name not in ("Go", "latin", "NFD")])
def test_where_only_some_texts_differ_somebody_changed_them(name: str) -> None:
    rows = chain()
    bucket = objects(rows)
    some = {key for key in list(bucket)[:6] if TOOLS[name][0](bucket[key].text) != bucket[key].text}
    records = records_of(None, None, treated(rows, TOOLS[name][0], lambda key: key in some))
    assert (records.edited_objects, records.altered) == (some, {})


@pytest.mark.parametrize("name", TOOLS)
def test_a_text_that_was_edited_beneath_is_edited(name: str) -> None:
    rows = chain()
    bucket = treated(rows, TOOLS[name][0])
    key = canonical.object_keys(rows[4])[0]
    forged = objects(rows)[key].text.replace("plain", "plaim")
    bucket[key] = BucketObject(key, TOOLS[name][0](forged), PLACE)
    records = records_of(None, None, bucket)
    assert records.edited_objects == {key}
    assert len(records.altered) == 2


def test_what_a_hash_does_not_cover_is_no_tool_s_doing() -> None:
    for old, new in (
        ('"version":1', '"version":2'),
        ("school-store", "another"),
        ('"version":1', '"version":1,"more":1'),
    ):
        bucket = treated(chain(), lambda text, old=old, new=new: text.replace(old, new))  # type: ignore[misc]
        assert records_of(None, None, bucket).edited_objects == set(bucket)


def test_texts_as_the_worker_wrote_them_show_no_tool() -> None:
    rows = chain()
    records = records_of(rows, stored(rows), objects(rows))
    assert (records.altered, records.edited_objects, find_tampering(records, ()).edited) == (
        {},
        set(),
        [],
    )


@pytest.mark.parametrize(
    ("change", "way"), [(ms_digits, "dates"), (trimmed, "trimmed dates"), (in_tokyo, "dates")]
)
@pytest.mark.parametrize("source", ["list", "storage"])
def test_rows_whose_dates_a_shell_wrote_anew(
    change: Callable[[str], str], way: str, source: str
) -> None:
    rows = chain()
    told = [
        json.loads(values(json.dumps({**item, "immutable": None}), change))
        | {"immutable": sinks(item, change)}
        for item in rows
    ]
    if source == "list":
        records = records_of(told)
    else:
        original = stored(rows)
        changed = [item for item in told for _ in range(2)]
        records = records_of(
            None,
            {k: StoredRow(k, value, PLACE) for k, value in zip(original, changed, strict=True)},
        )
    assert find_tampering(records, ()).edited == []
    assert [done.ways for done in records.altered.values()] == [(way,)]
    assert hashes(entry.raw for entry in records.ordered) == hashes(rows)
    spoilt = [*told[:2], {**told[2], "event": "ELSE"}, *told[3:]]
    assert find_tampering(records_of(spoilt), ()).edited == [rows[2]["entry_hash"]]
    some = [*told[:2], *rows[2:]]
    assert find_tampering(records_of(some), ()).edited == sorted(hashes(rows[:2]))


def sinks(told: dict[str, Any], change: Callable[[str], str]) -> Any:
    immutable = json.loads(json.dumps(told["immutable"]))
    for sink in immutable["sinks"]:
        sink["at"] = change(sink["at"])
    return immutable


def test_ticket_receipts_whose_dates_a_shell_wrote_anew(copy_of: Callable[[str], Copy]) -> None:
    case = copy_of("strict-v2-intact")
    rows = case.rows("worker/ticket-receipts.jsonl")
    changed = [_dated(item) for item in rows]
    case.write("worker/ticket-receipts.jsonl", changed)
    found = case.diagnose()
    assert found.audit.bad_receipts == []
    assert "export_altered_by_tool" in {finding.code for finding in found.findings}
    case.write("worker/ticket-receipts.jsonl", [changed[0], *rows[1:]])
    assert case.diagnose().audit.bad_receipts == [rows[0]["receiptId"]]
    assert altered_receipts([(item, PLACE) for item in rows]) == {}
    assert check_receipts([], records_of([])) == []


def _dated(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dated(item) for item in value]
    return ms_digits(value) if isinstance(value, str) else value


def test_objects_with_a_banner_are_collected_by_their_names_alone(tmp_path: Path) -> None:
    rows = chain()
    for key, item in treated(rows, TOOLS["wrangler"][0]).items():
        if "/entry/" in key:
            (tmp_path / key.rpartition("/")[2]).write_text(item.text)
    lines = [json.loads(line) for line in read_exports([tmp_path]).rows["worker/r2.jsonl"]]
    assert {line["key"] for line in lines} == {canonical.object_keys(told)[0] for told in rows}
    assert all(line["text"].startswith(BANNER) for line in lines), "as the bytes came"
