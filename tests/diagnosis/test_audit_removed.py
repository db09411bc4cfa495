"""What was edited or removed in the audit chain, each rule by the smallest evidence that it can be
told from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from popkit.audit.entries import GENESIS, LIST, AuditRecords
from popkit.audit.tampering import bucket_key, find_tampering
from popkit.protocol import canonical
from tests.diagnosis.audit_rows import SECOND, hashes, line, objects, records_of, row, stored, ts


def removed(
    records: AuditRecords, named: Iterable[str] = (), recorded: dict[str, int] | None = None
) -> list[str]:
    return find_tampering(records, named, (), recorded).removed


@pytest.mark.parametrize("gone", range(6))
def test_a_row_that_a_list_lacks(gone: int) -> None:
    rows = line(6)
    shown = [told for n, told in enumerate(rows) if n != gone]
    wanted = [rows[gone]["entry_hash"]]
    assert removed(records_of(shown)) == ([] if gone == 5 else wanted), (
        "a short list shows everything; nothing names the newest"
    )
    assert removed(records_of(shown, None, objects(rows))) == ([] if gone == 5 else wanted)
    in_storage = wanted if 0 < gone < 5 else []
    assert removed(records_of(None, stored(shown), objects(rows))) == in_storage, (
        "a storage begins with its oldest row"
    )
    assert removed(records_of(None, stored(shown))) == in_storage, (
        "a row between two of its own is inside, known or not"
    )


def test_a_list_of_fifty_is_a_window() -> None:
    rows = line(60)
    assert removed(records_of(rows[10:], None, objects(rows))) == []
    assert removed(records_of(rows[11:], None, objects(rows))) == sorted(hashes(rows[:11])), (
        "forty-nine are all there were"
    )
    cut = [*rows[9:30], *rows[31:]]
    assert removed(records_of(cut, None, objects(rows))) == [rows[30]["entry_hash"]]
    assert removed(records_of(cut)) == [], (
        "a window is by time: a row whose clock stood wrong once is outside, and nothing tells"
    )
    assert find_tampering(records_of(cut), ()).unshown == [rows[30]["entry_hash"]]
    edge = records_of([rows[9], *rows[11:]])
    assert (removed(edge), find_tampering(edge, ()).unshown) == ([], []), (
        "its oldest row alone before the gap: a window may end there"
    )


def test_a_gap_at_the_window_s_edge_is_no_removal() -> None:
    rows = line(51)
    same = line(51, step=0)
    for told in (rows, same):
        assert removed(records_of(told[1:])) == []


def test_rows_younger_than_a_list_are_not_gone_from_it() -> None:
    rows = line(4)
    assert removed(records_of(rows[:2], None, objects(rows))) == []
    equal = [*line(2), None]
    equal[2] = row(1000, equal[1]["entry_hash"], equal[1]["entry_hash"])  # type: ignore[index]
    assert removed(records_of(equal[:2], None, objects(equal))) == [], (
        "of that very millisecond, and younger"
    )  # type: ignore[arg-type]
    last = [equal[0], equal[2]]
    assert removed(records_of(last, None, objects(equal))) == [equal[1]["entry_hash"]], (
        "the shown row rests on it"
    )  # type: ignore[arg-type,index]


def test_an_anchor_that_a_proof_names_and_all_below_it_were_there() -> None:
    rows = line(5)
    storage = stored([rows[0], rows[4]])
    assert removed(records_of(None, storage, objects(rows))) == sorted(hashes(rows[1:4]))
    side = row(1500, rows[1]["entry_hash"], "x")
    records = records_of(None, stored(rows), objects([*rows, side]))
    assert removed(records) == []
    assert removed(records, [side["entry_hash"]]) == [side["entry_hash"]]
    assert removed(records, ["unknown"]) == []


def test_an_anchor_that_the_history_names_is_gone_inside_what_the_storage_covers() -> None:
    rows = line(8)
    records = records_of(None, stored(rows))
    at = {
        name: SECOND * 1000 + ms
        for name, ms in {"before": 0, "inside": 1, "late": 1999, "end": 2000, "young": 6999}.items()
    }
    assert removed(records, recorded=at) == ["inside", "late"], "an append takes up to five seconds"
    assert removed(records, recorded={rows[1]["entry_hash"]: at["inside"]}) == []
    stepped = rows[:2]
    for ms in (20_000, 500, 30_000):
        stepped.append(row(ms, stepped[-1]["entry_hash"], stepped[-1]["entry_hash"]))
    assert removed(records_of(None, stored(stepped)), recorded={"inside": at["late"]}) == [], (
        "its clock stepped back across that time"
    )
    elsewhere = records_of(None, stored([rows[0], *rows[2:]]), objects(rows[1:2]))
    assert rows[1]["entry_hash"] in removed(
        elsewhere, recorded={rows[1]["entry_hash"]: at["inside"]}
    )


def test_an_empty_list_lacks_what_proofs_rest_on() -> None:
    rows = line(4)
    records = records_of([], None, objects(rows))
    assert removed(records) == []
    assert removed(records, [rows[1]["entry_hash"]]) == sorted(hashes(rows[:2]))
    assert removed(records_of(None, None, objects(rows)), [rows[1]["entry_hash"]]) == [], (
        "no list was collected"
    )


def test_objects_that_sinks_name() -> None:
    rows = line(6)
    bucket = objects(rows)
    gone = canonical.object_keys(rows[2])[1]
    found = find_tampering(
        records_of(rows, None, {k: v for k, v in bucket.items() if k != gone}), ()
    )
    assert (found.missing_objects, found.export_is_partial) == ([gone], False)
    for n in (0, 5):
        edge = canonical.object_keys(rows[n])[0]
        found = find_tampering(
            records_of(rows, None, {k: v for k, v in bucket.items() if k != edge}), ()
        )
        assert found.missing_objects == [], "an export may begin later and end earlier"
    alone = find_tampering(records_of(rows, None, objects(rows, "stream")), ())
    assert (alone.missing_objects, alone.export_is_partial) == ([], False), (
        "one folder alone is not missing the other"
    )


@pytest.mark.parametrize(
    ("kept", "partial"),
    [((0, 1, 2, 3, 4), False), ((0, 1, 4, 5), False), ((0, 5), True), ((0, 3, 5), False)],
)
def test_an_export_that_lacks_more_than_half_is_a_part(
    kept: tuple[int, ...], partial: bool
) -> None:
    rows = line(6)
    found = find_tampering(records_of(rows, None, objects(rows[n] for n in kept)), ())
    assert found.export_is_partial is partial
    inside = range(kept[0], kept[-1] + 1)
    lost = {key for n in inside if n not in kept for key in canonical.object_keys(rows[n])}
    assert found.missing_objects == ([] if partial else sorted(lost))


def test_the_newest_entry_may_be_younger_than_the_export_whatever_its_time() -> None:
    rows = line(4, step=0)
    gone = set(canonical.object_keys(rows[3]))
    found = find_tampering(
        records_of(rows, None, {k: v for k, v in objects(rows).items() if k not in gone}), ()
    )
    assert (found.missing_objects, found.export_is_partial) == ([], False)


def test_an_object_that_a_ticket_receipt_names() -> None:
    rows = line(6)
    bare = [{name: value for name, value in told.items() if name != "immutable"} for told in rows]
    gone, younger = canonical.object_keys(rows[2])[1], canonical.object_keys(rows[5])[1]
    named = [
        (gone, ts(2000)),
        (younger, ts(5000)),
        ("elsewhere", ts(1500)),
        *((key, "") for key in canonical.object_keys(rows[3])),
    ]
    bucket = {key: item for key, item in objects(rows).items() if key not in (gone, younger)}
    assert find_tampering(records_of(bare, None, bucket), ()).missing_objects == [], (
        "nothing but the receipt names it"
    )
    assert find_tampering(records_of(bare, None, bucket), (), named).missing_objects == [gone]


@pytest.mark.parametrize(
    ("sink", "key"),
    [
        ({"sink": "r2_entry", "ref": "a"}, "a"),
        ({"sink": "r2_stream", "ref": "b"}, "b"),
        ({"sink": "kv_index", "ref": "c"}, None),
        ({"sink": "immutable_ingest", "ref": "d"}, None),
        ({"sink": "r2_entry", "ref": 7}, None),
        ({"sink": "r2_entry"}, None),
        ("r2_entry", None),
        (None, None),
    ],
)
def test_the_key_that_a_sink_names(sink: Any, key: str | None) -> None:
    assert bucket_key(sink) == key


def test_an_edited_row_is_edited_and_not_gone_though_the_history_names_it() -> None:
    rows = line(3)
    spoilt = {**rows[1], "event": "ELSE"}
    records = records_of(None, stored([rows[0], spoilt, rows[2]]))
    found = find_tampering(records, (), (), {rows[1]["entry_hash"]: SECOND * 1000 + 1000})
    assert (found.edited, found.removed) == ([rows[1]["entry_hash"]], [])
    assert find_tampering(records_of([rows[0], spoilt, rows[2]]), ()).removed == []


def test_rows_of_one_millisecond_that_a_shown_one_rests_on_are_gone_however_deep() -> None:
    rows = line(5, step=0)
    assert removed(records_of([rows[0], rows[4]], None, objects(rows))) == sorted(hashes(rows[1:4]))


def test_a_bucket_that_is_whole_has_no_orphan() -> None:
    assert find_tampering(records_of(None, None, objects(line(3))), ()).orphans == []
    rows = line(3)
    failed = row(1500, rows[1]["entry_hash"], "x")
    assert find_tampering(records_of(rows, None, objects([*rows, failed])), ()).orphans == [
        failed["entry_hash"]
    ]


def test_the_second_folder_is_looked_at_where_the_first_was_not_exported() -> None:
    rows = line(6)
    bucket = objects(rows, "stream")
    gone = canonical.object_keys(rows[2])[1]
    del bucket[gone]
    assert find_tampering(records_of(rows, None, bucket), ()).missing_objects == [gone]


def test_more_than_half_is_counted_to_the_object() -> None:
    rows = line(5)
    kept = objects([rows[0], rows[4]], "entry")
    assert find_tampering(records_of(rows, None, kept), ()).export_is_partial, "three of five"


def test_a_row_without_a_time_stands_at_the_beginning_and_covers_nothing_later() -> None:
    rows = line(4)
    nameless = {"entry_hash": "ab" * 32}
    records = records_of([*rows[:2], nameless], None, objects(rows))
    assert records.sources[LIST].stated["ab" * 32] == ""
    assert removed(records) == []


def test_a_gap_among_rows_of_the_first_form_shows_by_an_older_row_of_their_event() -> None:
    first = row(0, GENESIS, stream=None, eventId="evt")
    gone = row(100, first["entry_hash"], stream=None, eventId="evt")
    last = row(200, gone["entry_hash"], stream=None, eventId="evt")
    other = row(50, GENESIS, stream=None, eventId="other")
    assert removed(records_of(None, stored([first, other, last]))) == [gone["entry_hash"]]
    assert removed(records_of(None, stored([other, last]))) == [], (
        "its event's rows may begin with it"
    )
    assert removed(records_of([first, other, last])) == [gone["entry_hash"]]
    later = row(300, GENESIS, stream=None, eventId="evt")
    assert removed(records_of(None, stored([last, later]))) == []


def test_a_gap_in_a_stream_shows_by_an_older_row_of_the_first_form() -> None:
    """Where the second form begins, a row follows its stream's last of the first form by the
    stream's link alone.
    """
    first = row(0, GENESIS, stream=None, eventId="evt")
    gone = row(100, first["entry_hash"], stream=None, eventId="evt")
    last = row(200, GENESIS, gone["entry_hash"], eventId="evt")
    other = row(50, GENESIS, stream=None, eventId="other")
    assert removed(records_of(None, stored([first, other, last]))) == [gone["entry_hash"]]
    assert removed(records_of([first, other, last])) == [gone["entry_hash"]]
    assert removed(records_of(None, stored([first, gone, last]))) == []
    assert removed(records_of(None, stored([other, last]))) == [], (
        "its event's rows may begin with it"
    )
    assert removed(records_of(None, stored([first, last]), objects([gone]))) == [
        gone["entry_hash"]
    ], "it is known from the bucket"
    begins = row(300, GENESIS, GENESIS, eventId="evt")
    assert removed(records_of(None, stored([first, begins]))) == []
    shared = [
        row(0, GENESIS, stream=None, eventId="global"),
        row(200, GENESIS, "gone", eventId="global"),
    ]
    assert removed(records_of(None, stored(shared))) == [], (
        "that stream shares the key of the global head"
    )
