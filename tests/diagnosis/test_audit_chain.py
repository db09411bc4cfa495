"""The audit chain's order, stretches, orphans and ends, from rows made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.ends import beginnings, older_than_parent, wrong_ends, wrong_stream_links
from popkit.audit.entries import GENESIS
from popkit.audit.server import server_verdict
from popkit.audit.tampering import find_tampering
from popkit.evidence.worker import StoredRow
from tests.diagnosis.audit_rows import SECOND, hashes, line, objects, records_of, row, stored


def test_equal_milliseconds_are_ordered_by_link_over_any_number_of_rows() -> None:
    rows = line(12, step=0)
    records = records_of(rows[::-1])
    assert [e.data["n"] for e in records.ordered] == list(range(12))
    assert [records.depth[told["entry_hash"]] for told in rows] == list(range(12))
    assert [e.data["n"] for e in records.line] == list(range(11, -1, -1))


def test_an_unlinked_row_of_the_same_millisecond_is_ordered_by_hash() -> None:
    rows = [row(0, "gone", data={"n": n}) for n in range(4)]
    assert [e.hash for e in records_of(rows).ordered] == sorted(hashes(rows))


def test_children_and_named() -> None:
    first, second = line(2)
    fork = row(500, first["entry_hash"], "elsewhere")
    records = records_of([first, second, fork])
    assert records.children == {
        GENESIS: [first["entry_hash"]],
        first["entry_hash"]: [fork["entry_hash"], second["entry_hash"]],
    }
    assert records.named == {first["entry_hash"], "elsewhere"}
    assert records_of([row(0, "p", stream=None)]).named == {"p"}


def test_a_stretch_begins_at_its_first_second_and_ends_at_its_last() -> None:
    rows = [row(400, "gone"), None, row(9000, "gone too")]
    rows[1] = row(3600, rows[0]["entry_hash"], rows[0]["entry_hash"])  # type: ignore[index]
    records = records_of(rows)
    ends = sorted(
        (stretch.begins - SECOND * 1000, stretch.ends - SECOND * 1000)
        for stretch in records.stretches
    )
    assert ends == [(400, 3600), (9000, 9000)]
    covered = [second for second in range(-2, 12) if records.covers(SECOND + second)]
    assert covered == [0, 1, 2, 3, 9], (
        "an entry of 3.6 s ends a stretch in which second 3 began; 400 ms begin one within second 0"
    )
    exact = records_of([row(1000, "gone")])
    assert [second for second in range(4) if exact.covers(SECOND + second)] == [1]
    edge = records_of([row(1999, "gone")])
    assert [second for second in range(4) if edge.covers(SECOND + second)] == [1], (
        "its stretch begins within that second and ends after its start"
    )
    assert records_of([]).stretches == []


def test_an_orphan_stands_in_the_bucket_alone_and_nothing_names_it() -> None:
    rows = line(3)
    failed = row(1500, rows[1]["entry_hash"], "x")
    records = records_of(None, None, objects([*rows, failed]))
    assert {e for e in records.entries if records.is_orphan(e)} == {
        failed["entry_hash"],
        rows[2]["entry_hash"],
    }, "siblings: which failed?"
    assert records.is_orphan(failed["entry_hash"]), "it has a sibling"
    assert not records.is_orphan(rows[1]["entry_hash"]), "others name it"
    with_list = records_of([rows[2]], None, objects([*rows, failed]))
    assert not with_list.is_orphan(rows[2]["entry_hash"]), "a list row is no orphan"
    named = records_of(None, None, objects([*rows, failed]), named=[failed["entry_hash"]])
    assert not named.is_orphan(failed["entry_hash"]), "a proof on chain names it"


def test_the_newest_whole_object_is_no_orphan_and_half_an_append_is_one() -> None:
    rows = line(3)
    whole = records_of(None, None, objects(rows))
    assert not any(whole.is_orphan(entry) for entry in whole.entries)
    assert whole.newest is not None
    assert whole.newest.hash == rows[2]["entry_hash"]
    half = records_of(None, None, {**objects(rows[:2]), **objects(rows[2:], "entry")})
    assert half.is_orphan(rows[2]["entry_hash"])
    assert half.newest is not None
    assert half.newest.hash == rows[1]["entry_hash"]
    gap = records_of(None, None, objects([rows[0], row(500, "gone", "gone"), rows[1]]))
    loose = next(e for e in gap.entries.values() if e.prev_hash == "gone")
    assert gap.is_orphan(loose.hash), "whole, without a sibling, and not the newest"
    assert [tip.hash for tip in gap.tips] == [rows[1]["entry_hash"]], (
        "an orphan is the tip of no stretch"
    )


def test_beginnings_and_falling_times() -> None:
    rows = line(2)
    old = [
        row(-9000, stream=None, sinks=False),
        row(-8000, stream=None, sinks=False, eventId="other"),
    ]
    assert [e.hash for e in beginnings(records_of([*old, *rows]))] == [rows[0]["entry_hash"]]
    again = row(9000)
    assert [e.hash for e in beginnings(records_of([*rows, again]))] == [
        rows[0]["entry_hash"],
        again["entry_hash"],
    ]
    falling = row(999, rows[1]["entry_hash"], rows[1]["entry_hash"])
    assert [e.hash for e in older_than_parent(records_of([*rows, falling]))] == [
        falling["entry_hash"]
    ]
    assert older_than_parent(records_of([row(0, "gone"), *line(3, step=0)])) == []


def test_stored_heads_are_their_rows_newest() -> None:
    rows = line(3)
    other = row(
        500, rows[2]["entry_hash"], GENESIS, eventId="evt"
    )  # appended last, though its clock was set back
    storage = stored(
        [*rows, other],
        **{
            "audit:lastHash:global": other["entry_hash"],
            "audit:lastHash:system": rows[2]["entry_hash"],
        },
    )
    place = storage["audit:lastHash:global"].place
    storage["audit:lastHash:evt"] = StoredRow("audit:lastHash:evt", other["entry_hash"], place)
    assert wrong_ends(storage, records_of(None, storage)) == []
    storage["audit:lastHash:evt"] = StoredRow("audit:lastHash:evt", "gone", place)
    storage["audit:lastHash:none"] = StoredRow("audit:lastHash:none", "gone", place)
    found = [
        (end.file, end.key, end.expected, end.observed)
        for end in wrong_ends(storage, records_of(None, storage))
    ]
    assert found == [
        ("worker/storage.jsonl", "audit:lastHash:evt", other["entry_hash"], "gone"),
        ("worker/storage.jsonl", "audit:lastHash:none", None, "gone"),
    ]
    assert wrong_ends(None, records_of(rows)) == []
    [empty] = wrong_ends(None, records_of([], None, objects(rows)))
    assert (empty.file, empty.key, empty.expected, empty.observed) == (
        "worker/audit-logs.json",
        "logs",
        rows[2]["entry_hash"],
        None,
    )
    assert wrong_ends(None, records_of([])) == []


def test_a_stream_s_newest_row_by_its_own_links() -> None:
    first = row(5000)
    other = row(5001, first["entry_hash"], GENESIS, eventId="evt")
    last = row(100, other["entry_hash"], first["entry_hash"])  # its clock was set back
    heads = {
        "audit:lastHash:system": last["entry_hash"],
        "audit:lastHash:global": last["entry_hash"],
    }
    storage = stored([first, other, last], **heads)
    assert wrong_ends(storage, records_of(None, storage)) == []
    headless = stored(
        [first, other, last],
        **{"audit:lastHash:evt": other["entry_hash"], "audit:lastHash:system": last["entry_hash"]},
    )
    told = [
        (end.key, end.expected, end.observed)
        for end in wrong_ends(headless, records_of(None, headless))
    ]
    assert told == [("audit:lastHash:global", last["entry_hash"], None)]
    unlisted = stored([first, other, last])
    assert wrong_ends(unlisted, records_of(None, unlisted)) == [], (
        "no head was exported, of no stream"
    )


def test_a_chain_shows_an_anchor_s_absence_only_over_the_whole_time_of_its_append() -> None:
    rows = [row(0, GENESIS), None]
    rows[1] = row(9000, rows[0]["entry_hash"], "s")  # type: ignore[index]
    records = records_of(rows)
    assert [second for second in range(-1, 9) if records.covers_issue(SECOND + second)] == [
        0,
        1,
        2,
        3,
        4,
    ], "five seconds for the append"
    landed = [
        second for second in range(10) if records.covers_issue(SECOND + second, SECOND + second + 2)
    ]
    assert landed == [0, 1, 2, 3, 4, 5, 6, 7], "it was appended before the claim landed"
    same = [
        second for second in range(10) if records.covers_issue(SECOND + second, SECOND + second)
    ]
    assert same == [0, 1, 2, 3, 4, 5, 6, 7, 8], "a second is seen whole"
    assert [
        second
        for second in range(10)
        if records.covers_issue(SECOND + second, SECOND + second + 60)
    ] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("issues", [None, 5, "text", [7]])
def test_issues_of_the_server_that_are_none(issues: Any) -> None:
    rows = line(3)
    records = records_of(rows)
    answer = SimpleNamespace(body={"ok": False, "checked": 3, "limit": 3, "issues": issues})
    evidence: Any = SimpleNamespace(answers={"audit-integrity": answer})
    found = server_verdict(evidence, records, find_tampering(records, ()), True)
    assert found is not None
    assert found.why == ("recomputing finds none of the issues that the worker names: none named",)


# -- stream links --


def streams(*told: tuple[str, str | None]) -> list[dict[str, Any]]:
    """Rows of (stream, its link: the number of a row, a hash or GENESIS; None for the first form),
    linked globally one by one.
    """
    rows: list[dict[str, Any]] = []
    for n, (stream, link) in enumerate(told):
        at = rows[int(link)]["entry_hash"] if link is not None and link.isdigit() else link
        rows.append(
            row(
                n * 1000,
                rows[-1]["entry_hash"] if rows else GENESIS,
                at,
                eventId=stream,
                data={"n": n},
            )
        )
    return rows


def wrong_links(rows: list[dict[str, Any]]) -> list[tuple[int, str, bool]]:
    return [
        (wrong.entry.data["n"], wrong.expected, wrong.can_be_a_crash)
        for wrong in wrong_stream_links(records_of(rows))
    ]


def test_stream_links_that_name_the_newest_row_before_them() -> None:
    rows = streams(("a", GENESIS), ("b", GENESIS), ("a", "0"), ("b", "1"), ("a", "2"))
    assert wrong_links(rows) == []
    assert wrong_links(rows[1:]) == [], "the first of a stream may name one before the window"


def test_a_stream_link_past_its_newest_row() -> None:
    rows = streams(
        ("a", GENESIS), ("a", "0"), ("b", GENESIS), ("a", "0"), ("a", "2"), ("a", "3"), ("a", "5")
    )
    hashed = hashes(rows)
    assert wrong_links(rows) == [(3, hashed[1], True), (4, hashed[3], False), (5, hashed[4], True)]


def test_a_stream_s_first_link_must_not_name_another_stream_s_row() -> None:
    rows = streams(("a", GENESIS), ("b", "0"), ("c", "somewhere"))
    assert wrong_links(rows) == [(1, GENESIS, False)]
    later = streams(("x", GENESIS), ("a", GENESIS), ("b", "1"), ("b", "2"))[1:]
    assert wrong_links(later) == [(2, "an entry of the same stream", False)]


def test_a_row_of_the_first_form_or_of_a_stream_called_global_says_nothing_of_its_stream() -> None:
    rows = streams(("a", None), ("global", "gone"), ("a", GENESIS), ("b", GENESIS), ("b", GENESIS))
    assert wrong_links(rows) == [(4, hashes(rows)[3], False)]
