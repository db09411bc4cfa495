"""Entries, anchors, ticket receipts and tampering from rows made by hand: each rule by the smallest evidence that it can be told from."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.anchors import MAX_ISSUE_LAG, Anchor, anchors_of, as_anchor, read_head
from popkit.audit.ends import beginnings, older_than_parent, wrong_ends
from popkit.audit.entries import BUCKET, GENESIS, LIST, STORAGE, AuditEntry, AuditRecords, as_entry, has_shape, milliseconds
from popkit.audit.reading import read_audit
from popkit.audit.receipts import ReceiptCheck, check_receipt, check_receipts, receipts_made_by, subjects_of
from popkit.audit.server import server_verdict
from popkit.audit.tampering import bucket_key, find_tampering
from popkit.evidence.lines import Place
from popkit.evidence.worker import BucketObject, StoredRow
from popkit.protocol import canonical
from popkit.protocol.message import GENESIS_HASH
from tests.simulation.world import World

PLACE = Place("worker/somewhere.jsonl", 7, None, "digest")
WALLET, GRANT = World().address("ann"), World().grant().address
SECOND = 1771830000
CODE = "ABC234"


def ts(ms: int) -> str:
    """A time of the worker, so many milliseconds after a fixed second."""
    from tests.simulation.worker import iso

    return iso(SECOND * 1000 + ms)


def row(ms: int, prev: str = GENESIS, stream: str | None = GENESIS, sinks: bool = True, **fields: Any) -> dict[str, Any]:
    """One audit row with its hash, and with the immutable part that a worker adds."""
    told = {"ts": ts(ms), "event": "API", "eventId": "system", "actor": {"type": "school", "id": "api"}, "data": {}, "prev_hash": prev}
    told |= ({} if stream is None else {"stream_prev_hash": stream}) | fields
    told["entry_hash"] = canonical.entry_hash(told)
    if sinks:
        named = zip(("r2_entry", "r2_stream"), canonical.object_keys(told), strict=True)
        at = [{"sink": sink, "ref": ref, "at": told["ts"]} for sink, ref in named]
        told["immutable"] = {"mode": "required", "payload_hash": canonical.payload_hash(told), "sinks": at}
    return told


def line(count: int, step: int = 1000) -> list[dict[str, Any]]:
    """Rows that follow one another, one stream."""
    rows: list[dict[str, Any]] = []
    for n in range(count):
        prev = rows[-1]["entry_hash"] if rows else GENESIS
        rows.append(row(n * step, prev, prev, data={"n": n}))
    return rows


def objects(rows: Iterable[dict[str, Any]], *folders: str) -> dict[str, BucketObject]:
    """The bucket of some rows."""
    found = {}
    for told in rows:
        text = canonical.payload(told).decode("utf-8", "surrogatepass")
        for key in canonical.object_keys(told):
            if not folders or key.split("/")[2] in folders:
                found[key] = BucketObject(key, text, Place("worker/r2.jsonl", len(found) + 1, None, "bucket"))
    return found


def stored(rows: Iterable[dict[str, Any]], **more: Any) -> dict[str, StoredRow]:
    """The storage of some rows: two copies of each, and whatever else."""
    values: dict[str, Any] = {}
    for told in rows:
        values[f"audit_history:{told['ts']}:{told['entry_hash']}"] = values[f"audit_entry:{told['entry_hash']}"] = told
    place = Place("worker/storage.jsonl", 1, None, "storage")
    return {key: StoredRow(key, value, place) for key, value in (values | more).items()}


def records_of(
    shown: list[Any] | None = None, storage: dict[str, StoredRow] | None = None, bucket: Any = None, named: Iterable[str] = ()
) -> AuditRecords:
    """The records of a list, a storage and a bucket."""
    answers = {}
    if shown is not None:
        answers["audit-logs"] = SimpleNamespace(is_ok=True, body={"logs": shown}, place=Place("worker/audit-logs.json", None, None, "list"))
    evidence: Any = SimpleNamespace(earlier_lists=[], answers=answers, storage=storage, bucket=bucket, is_damaged=lambda prefix: False)
    return read_audit(evidence, named)


def hashes(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [told["entry_hash"] for told in rows]


def entry_of(told: dict[str, Any]) -> AuditEntry:
    entry = as_entry(told, PLACE)
    assert entry is not None
    return entry


# -- one row --


def test_a_time_is_in_milliseconds_and_in_utc_where_it_names_no_zone() -> None:
    assert milliseconds("2026-02-23T05:00:00.123Z") == 1771822800123
    assert milliseconds("2026-02-23T05:00:00.123") == 1771822800123
    assert milliseconds("2026-02-23T06:00:00.123+01:00") == 1771822800123
    assert milliseconds("yesterday") is None


def test_a_row_becomes_an_entry_whole() -> None:
    told = row(5, "aa", "bb", event="WALLET_CLAIM", eventId="evt-1", data={"x": 1}, actor={"type": "wallet", "id": "w"})
    assert entry_of(told) == AuditEntry(
        told["entry_hash"], "WALLET_CLAIM", "evt-1", ts(5), SECOND * 1000 + 5, {"x": 1}, {"type": "wallet", "id": "w"}, "aa", "bb",
        told["immutable"], PLACE, told,
    )  # fmt: skip
    assert entry_of(told).key == (ts(5), told["entry_hash"])


def test_what_is_no_object_is_left_out_of_an_entry() -> None:
    told = row(0, data=[1], actor="somebody", stream_prev_hash=7, sinks=False) | {"immutable": "yes"}
    told["entry_hash"] = canonical.entry_hash(told)
    entry = entry_of(told)
    assert (entry.data, entry.actor, entry.stream_prev_hash, entry.immutable) == ({}, {}, None, None)
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


# -- sources --


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
    assert places[1] == Place("worker/storage.jsonl", 1, f"audit_history:{ts(1000)}:{rows[1]['entry_hash']}", "storage")
    assert places[2] == Place("worker/audit-logs.json", None, rows[2]["entry_hash"], "list")
    assert records.sources[LIST].keys == [(ts(n * 1000), rows[n]["entry_hash"]) for n in (2, 3)]


def test_a_copy_that_names_its_sinks_is_kept_over_one_that_does_not() -> None:
    [told] = line(1)
    bare = {k: v for k, v in told.items() if k != "immutable"}
    for shown, held in ((bare, told), (told, bare)):
        assert records_of([shown], stored([held])).entries[told["entry_hash"]].immutable == told["immutable"]
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
    bucket = {"audit/other/x.json": BucketObject("audit/other/x.json", "{}", PLACE), **objects(rows)}
    records = records_of(None, None, bucket)
    assert set(records.objects) == set(objects(rows))
    assert records.edited_objects == set()
    assert records.rows_checked == 4
    assert records.bucket_keys == {told["entry_hash"]: set(canonical.object_keys(told)) for told in rows}


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
    assert records_of(None, None, {other: BucketObject(other, text, PLACE)}).edited_objects == {other}


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
    assert find_tampering(records, ()).edited == ([] if what == "nothing" else [rows[1]["entry_hash"]])


# -- the chain --


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
    assert records.children == {GENESIS: [first["entry_hash"]], first["entry_hash"]: [fork["entry_hash"], second["entry_hash"]]}
    assert records.named == {first["entry_hash"], "elsewhere"}
    assert records_of([row(0, "p", stream=None)]).named == {"p"}


def test_a_stretch_begins_at_its_first_second_and_ends_at_its_last() -> None:
    rows = [row(400, "gone"), None, row(9000, "gone too")]
    rows[1] = row(3600, rows[0]["entry_hash"], rows[0]["entry_hash"])  # type: ignore[index]
    records = records_of(rows)
    assert records.segments == [(SECOND * 1000 + 400, SECOND * 1000 + 3600), (SECOND * 1000 + 9000, SECOND * 1000 + 9000)]
    covered = [second for second in range(-2, 12) if records.covers(SECOND + second)]
    assert covered == [0, 1, 2, 3, 9], "an entry of 3.6 s ends a stretch in which second 3 began; 400 ms begin one within second 0"
    exact = records_of([row(1000, "gone")])
    assert [second for second in range(4) if exact.covers(SECOND + second)] == [1]
    edge = records_of([row(1999, "gone")])
    assert [second for second in range(4) if edge.covers(SECOND + second)] == [1], (
        "its stretch begins within that second and ends after its start"
    )
    assert records_of([]).segments == []


def test_an_orphan_stands_in_the_bucket_alone_and_nothing_names_it() -> None:
    rows = line(3)
    failed = row(1500, rows[1]["entry_hash"], "x")
    records = records_of(None, None, objects([*rows, failed]))
    assert {e for e in records.entries if records.is_orphan(e)} == {failed["entry_hash"], rows[2]["entry_hash"]}, "siblings: which failed?"
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
    assert gap.segments == [(SECOND * 1000, SECOND * 1000 + 1000)], "an orphan is the tip of no stretch"


# -- ends --


def test_beginnings_and_falling_times() -> None:
    rows = line(2)
    old = [row(-9000, stream=None, sinks=False), row(-8000, stream=None, sinks=False, eventId="other")]
    assert [e.hash for e in beginnings(records_of([*old, *rows]))] == [rows[0]["entry_hash"]]
    again = row(9000)
    assert [e.hash for e in beginnings(records_of([*rows, again]))] == [rows[0]["entry_hash"], again["entry_hash"]]
    falling = row(999, rows[1]["entry_hash"], rows[1]["entry_hash"])
    assert [e.hash for e in older_than_parent(records_of([*rows, falling]))] == [falling["entry_hash"]]
    assert older_than_parent(records_of([row(0, "gone"), *line(3, step=0)])) == []


def test_stored_heads_are_their_rows_newest() -> None:
    rows = line(3)
    other = row(500, rows[2]["entry_hash"], GENESIS, eventId="evt")  # appended last, though its clock was set back
    storage = stored([*rows, other], **{"audit:lastHash:global": other["entry_hash"], "audit:lastHash:system": rows[2]["entry_hash"]})
    place = storage["audit:lastHash:global"].place
    storage["audit:lastHash:evt"] = StoredRow("audit:lastHash:evt", other["entry_hash"], place)
    assert wrong_ends(storage, records_of(None, storage)) == []
    storage["audit:lastHash:evt"] = StoredRow("audit:lastHash:evt", "gone", place)
    storage["audit:lastHash:none"] = StoredRow("audit:lastHash:none", "gone", place)
    found = [(end.file, end.key, end.expected, end.observed) for end in wrong_ends(storage, records_of(None, storage))]
    assert found == [
        ("worker/storage.jsonl", "audit:lastHash:evt", other["entry_hash"], "gone"),
        ("worker/storage.jsonl", "audit:lastHash:none", None, "gone"),
    ]
    assert wrong_ends(None, records_of(rows)) == []
    [empty] = wrong_ends(None, records_of([], None, objects(rows)))
    assert (empty.file, empty.key, empty.expected, empty.observed) == ("worker/audit-logs.json", "logs", rows[2]["entry_hash"], None)
    assert wrong_ends(None, records_of([])) == []


# -- what was removed --


def removed(records: AuditRecords, named: Iterable[str] = (), recorded: dict[str, int] | None = None) -> list[str]:
    return find_tampering(records, named, (), recorded).removed


@pytest.mark.parametrize("gone", range(6))
def test_a_row_that_a_list_lacks(gone: int) -> None:
    rows = line(6)
    shown = [told for n, told in enumerate(rows) if n != gone]
    wanted = [rows[gone]["entry_hash"]]
    assert removed(records_of(shown)) == ([] if gone == 5 else wanted), "a short list shows everything; nothing names the newest"
    assert removed(records_of(shown, None, objects(rows))) == ([] if gone == 5 else wanted)
    in_storage = wanted if 0 < gone < 5 else []
    assert removed(records_of(None, stored(shown), objects(rows))) == in_storage, "a storage begins with its oldest row"
    assert removed(records_of(None, stored(shown))) == in_storage, "a row between two of its own is inside, known or not"


def test_a_list_of_fifty_is_a_window() -> None:
    rows = line(60)
    assert removed(records_of(rows[10:], None, objects(rows))) == []
    assert removed(records_of(rows[11:], None, objects(rows))) == sorted(hashes(rows[:11])), "forty-nine are all there were"
    cut = [*rows[9:30], *rows[31:]]
    assert removed(records_of(cut, None, objects(rows))) == [rows[30]["entry_hash"]]
    assert removed(records_of(cut)) == [rows[30]["entry_hash"]], "the next row names it, and rows before it are shown"
    assert removed(records_of([rows[9], *rows[11:]])) == [], "its oldest row alone before the gap: a window may end there"


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
    assert removed(records_of(equal[:2], None, objects(equal))) == [], "of that very millisecond, and younger"  # type: ignore[arg-type]
    last = [equal[0], equal[2]]
    assert removed(records_of(last, None, objects(equal))) == [equal[1]["entry_hash"]], "the shown row rests on it"  # type: ignore[arg-type,index]


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
    rows = line(3)
    records = records_of(None, stored(rows))
    at = {name: SECOND * 1000 + ms for name, ms in {"before": 0, "inside": 1, "late": 1999, "end": 2000}.items()}
    assert removed(records, recorded=at) == ["inside", "late"]
    assert removed(records, recorded={rows[1]["entry_hash"]: at["inside"]}) == []
    elsewhere = records_of(None, stored([rows[0], rows[2]]), objects(rows[1:2]))
    assert rows[1]["entry_hash"] in removed(elsewhere, recorded={rows[1]["entry_hash"]: at["inside"]})


def test_an_empty_list_lacks_what_proofs_rest_on() -> None:
    rows = line(4)
    records = records_of([], None, objects(rows))
    assert removed(records) == []
    assert removed(records, [rows[1]["entry_hash"]]) == sorted(hashes(rows[:2]))
    assert removed(records_of(None, None, objects(rows)), [rows[1]["entry_hash"]]) == [], "no list was collected"


# -- the bucket --


def test_objects_that_sinks_name() -> None:
    rows = line(6)
    bucket = objects(rows)
    gone = canonical.object_keys(rows[2])[1]
    found = find_tampering(records_of(rows, None, {k: v for k, v in bucket.items() if k != gone}), ())
    assert (found.missing_objects, found.export_is_partial) == ([gone], False)
    for n in (0, 5):
        edge = canonical.object_keys(rows[n])[0]
        found = find_tampering(records_of(rows, None, {k: v for k, v in bucket.items() if k != edge}), ())
        assert found.missing_objects == [], "an export may begin later and end earlier"
    alone = find_tampering(records_of(rows, None, objects(rows, "stream")), ())
    assert (alone.missing_objects, alone.export_is_partial) == ([], False), "one folder alone is not missing the other"


@pytest.mark.parametrize(("kept", "partial"), [((0, 1, 2, 3, 4), False), ((0, 1, 4, 5), False), ((0, 5), True), ((0, 3, 5), False)])
def test_an_export_that_lacks_more_than_half_is_a_part(kept: tuple[int, ...], partial: bool) -> None:
    rows = line(6)
    found = find_tampering(records_of(rows, None, objects(rows[n] for n in kept)), ())
    assert found.export_is_partial is partial
    inside = range(kept[0], kept[-1] + 1)
    lost = {key for n in inside if n not in kept for key in canonical.object_keys(rows[n])}
    assert found.missing_objects == ([] if partial else sorted(lost))


def test_a_row_of_the_same_time_as_an_export_s_edge_lies_inside_it() -> None:
    rows = line(4, step=0)
    gone = set(canonical.object_keys(rows[3]))
    found = find_tampering(records_of(rows, None, {k: v for k, v in objects(rows).items() if k not in gone}), ())
    assert found.missing_objects == sorted(gone)


def test_an_object_that_a_ticket_receipt_names() -> None:
    rows = line(4)
    named = [("audit/immutable/entry/ab.json", ts(1500)), ("audit/immutable/entry/cd.json", ts(9000)), ("elsewhere", ts(1500))]
    found = find_tampering(records_of(rows, None, objects(rows)), (), named)
    assert found.missing_objects == ["audit/immutable/entry/ab.json"]


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


# -- anchors --


def anchor_row(**data: Any) -> dict[str, Any]:
    told = {"eventId": "evt", "grant": GRANT, "claimer": WALLET, "periodIndex": "3", "prevHash": "GENESIS", "streamPrevHash": "ab" * 32}
    return row(2345, event="POP_CLAIM_PROOF_ANCHOR", eventId="pop:evt", data=told | data)


GATED = {"receiptHash": "cd" * 32, "receiptId": "ef" * 32}


def anchor(**data: Any) -> Anchor | None:
    return as_anchor(entry_of(anchor_row(**data)))


def test_an_anchor_whole() -> None:
    told = anchor_row()
    assert as_anchor(entry_of(told)) == Anchor(
        told["entry_hash"], SECOND * 1000 + 2345, GRANT, WALLET, 3, GENESIS_HASH, "ab" * 32, told["entry_hash"], "A", False, True, None
    )


@pytest.mark.parametrize(
    ("more", "model", "follows", "moved"),
    [
        ({}, "B", False, True),
        ({"hashSource": "storage"}, "C", False, True),
        ({"hashSource": "client_onchain"}, "C", True, True),
        ({"hashSource": "client_onchain", "popChainAdvanced": False}, "D", True, False),
        ({"hashSource": "storage", "popChainAdvanced": True}, "D", False, True),
    ],
)
def test_the_worker_s_model_by_its_anchors(more: dict[str, Any], model: str, follows: bool, moved: bool) -> None:
    found = anchor(**GATED, **more)
    assert found is not None
    assert (found.model, found.follows_chain, found.moved_heads) == (model, follows, moved)
    assert (found.audit_hash, found.receipt_id) == ("cd" * 32, "ef" * 32)


@pytest.mark.parametrize("receipt", [None, 7, "short", "xy" * 32])
def test_a_receipt_hash_that_is_none_leaves_model_a(receipt: Any) -> None:
    found = anchor(receiptHash=receipt, receiptId="ef" * 32)
    assert found is not None
    assert (found.model, found.receipt_id) == ("A", None)
    gated = anchor(receiptHash="cd" * 32, receiptId=receipt)
    assert gated is not None
    assert (gated.model, gated.receipt_id) == ("B", None)


@pytest.mark.parametrize(
    "data",
    [
        {"grant": "x"}, {"claimer": "x"}, {"grant": None, "claimer": None}, {"prevHash": "x"}, {"streamPrevHash": 7}, {"periodIndex": "x"},
        {"periodIndex": "-1"}, {"periodIndex": str(1 << 64)}, {"periodIndex": None},
    ],
)  # fmt: skip
def test_what_the_worker_never_writes_is_no_anchor(data: dict[str, Any]) -> None:
    assert anchor(**data) is None
    assert as_anchor(entry_of(row(0, event="WALLET_CLAIM", data=anchor_row()["data"]))) is None


def test_the_widest_period() -> None:
    widest, narrowest = anchor(periodIndex=str((1 << 64) - 1)), anchor(periodIndex=0)
    assert widest is not None
    assert narrowest is not None
    assert (widest.period_index, narrowest.period_index) == ((1 << 64) - 1, 0)


@pytest.mark.parametrize(
    ("value", "head"),
    [
        (None, GENESIS_HASH), ("GENESIS", GENESIS_HASH), ("AB" * 32, "ab" * 32), ("0f" * 32, "0f" * 32), ("genesis", None),
        ("ab" * 31, None), ("X" * 64, None), (7, None), (["a"] * 64, None),
    ],
)  # fmt: skip
def test_a_stored_head(value: Any, head: str | None) -> None:
    assert read_head(value) == head


def test_a_proof_is_rebuilt_by_a_hash_known_from_elsewhere() -> None:
    found = anchor()
    assert found is not None
    latest = SECOND + 2
    for lag in (0, 1, MAX_ISSUE_LAG):
        known = found.entry_hash_at(latest - lag)
        assert found.rebuild({known}) == (known, latest - lag, True)
    for out in (latest + 1, latest - MAX_ISSUE_LAG - 1):
        assert found.rebuild({found.entry_hash_at(out)}) == (found.entry_hash_at(latest), latest, False)


def test_an_orphan_is_no_anchor_and_others_are_in_order() -> None:
    rows = [anchor_row(), row(3000, anchor_row()["entry_hash"], "x")]
    failed = row(2400, rows[0]["entry_hash"], "y", event="POP_CLAIM_PROOF_ANCHOR", data=anchor_row()["data"])
    records = records_of(None, None, objects([*rows, failed, row(4000, rows[1]["entry_hash"], "z")]))
    assert [a.anchor_hash for a in anchors_of(records)] == [rows[0]["entry_hash"]]


# -- ticket receipts --


def claim_row(**fields: Any) -> dict[str, Any]:
    transfer = {"recipient": {"type": "wallet", "id": WALLET}}
    data = {"confirmationCode": CODE, "transfer": transfer}
    return row(100, "aa", "bb", **({"event": "WALLET_CLAIM", "eventId": "evt", "data": data} | fields))


def receipt_of(told: dict[str, Any]) -> dict[str, Any]:
    [made] = receipts_made_by(entry_of(told))
    return copy.deepcopy(made)


def rehashed(receipt: dict[str, Any]) -> dict[str, Any]:
    return {**receipt, "receiptHash": canonical.receipt_hash(receipt)}


def checked(receipt: dict[str, Any], *rows: dict[str, Any], bucket: bool = False) -> ReceiptCheck:
    records = records_of(None, None, objects(rows)) if bucket else records_of(list(rows))
    return check_receipt(receipt, records, PLACE)


def test_a_true_receipt() -> None:
    before = [row(0, data={"n": 1}), row(50, data={"n": 2}, eventId="evt")]
    told = row(100, *hashes(before), event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    receipt = receipt_of(told)
    assert checked(receipt, *before, told) == ReceiptCheck(receipt["receiptId"], (), (), True, PLACE)
    assert checked(receipt, *before, told).observed == "the same"
    assert checked(receipt, *before, told, bucket=True) == ReceiptCheck(receipt["receiptId"], (), ("audit.immutableSinks.at",), True, PLACE)
    assert checked(receipt, told).server_accepts is True, "its predecessors may stand in the server's storage"


def test_a_receipt_of_the_first_entry_of_all() -> None:
    told = row(100, GENESIS, GENESIS, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    assert checked(receipt_of(told), told).server_accepts is True


SAME = ("issuedAt", "confirmationCode", "subjectCommitment", "verifyEndpoint")
IN_AUDIT = ("event", "eventId", "prevHash", "streamPrevHash", "immutableMode", "immutablePayloadHash", "immutableSinks")
WRONG = {name: name for name in (*SAME, *(f"audit.{name}" for name in IN_AUDIT))} | {"version": "type", "type": "type"}
"""Each field of a ticket receipt, and what it is called by when it differs."""


@pytest.mark.parametrize("field", WRONG)
@pytest.mark.parametrize("value", ["other", 7, None])
def test_each_field_that_differs_is_named(field: str, value: Any) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    held = receipt["audit"] if field.startswith("audit.") else receipt
    held[field.removeprefix("audit.")] = value
    check = checked(rehashed(receipt), told)
    assert check.wrong == (WRONG[field],)
    assert check.observed == f"differs in {WRONG[field]}"
    assert check.is_bad
    assert check.place == PLACE


def test_a_receipt_hash_or_id_that_differs_is_named() -> None:
    told = claim_row()
    assert checked({**receipt_of(told), "receiptHash": "other"}, told).wrong == ("receiptHash",)
    assert checked(rehashed({**receipt_of(told), "receiptId": "other"}), told).wrong == ("receiptId",)
    assert checked(rehashed({**receipt_of(told), "receiptId": 7}), told) == ReceiptCheck("", ("receiptId",), (), False, PLACE)
    bare = {k: v for k, v in receipt_of(told).items() if k != "receiptId"}
    assert checked(rehashed(bare), told).receipt_id == ""


@pytest.mark.parametrize("named", ["seat", "audit.seat", "audit.prevHashes"])
def test_a_field_that_no_receipt_has_is_named_and_the_server_passes_it(named: str) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    held = receipt["audit"] if named.startswith("audit.") else receipt
    held[named.removeprefix("audit.")] = "front row"
    assert checked(rehashed(receipt), told) == ReceiptCheck(told["entry_hash"], (named,), (), True, PLACE)
    assert checked(rehashed(receipt)) == ReceiptCheck(told["entry_hash"], (named,), ("entry",), False, PLACE)


@pytest.mark.parametrize("audit", [None, 7, []])
def test_a_receipt_without_its_audit_part(audit: Any) -> None:
    told = claim_row()
    check = checked(rehashed({**receipt_of(told), "audit": audit}), told)
    assert check.wrong[:1] == ("receiptId",)
    assert check.is_bad


def test_a_receipt_whose_entry_is_not_there() -> None:
    told = claim_row()
    unknown = ReceiptCheck(told["entry_hash"], (), ("entry",), None, PLACE)
    assert checked(receipt_of(told)) == unknown
    around = [row(0, data={"n": 1}), None, row(5000, data={"n": 3})]
    around[1] = row(4000, around[0]["entry_hash"], "s")  # type: ignore[index]
    absent = checked(receipt_of(told), around[0], around[1])  # type: ignore[arg-type]
    assert absent == ReceiptCheck(told["entry_hash"], ("entry",), (), False, PLACE)
    assert "the receipt is false, or the chain was rewritten" in absent.observed
    assert checked(receipt_of(told), around[2]) == unknown, "the chain does not cover its time"  # type: ignore[arg-type]
    child = row(200, told["entry_hash"], "x")
    assert checked(receipt_of(told), child) == unknown, "gone, but named: the receipt is not shown to be false"
    late = rehashed({**receipt_of(told), "issuedAt": ts(1999)})
    after = [row(2000, "gone"), None]
    after[1] = row(9000, after[0]["entry_hash"], "s")  # type: ignore[index]
    assert checked(late, *after).unknown == ("entry",), "a stretch that begins a millisecond later"  # type: ignore[arg-type]
    timeless = rehashed({**receipt_of(told), "issuedAt": "yesterday"})
    assert checked(timeless, around[0], around[1]).unknown == ("entry",)  # type: ignore[arg-type]
    edited = {**receipt_of(told), "receiptHash": "other"}
    assert checked(edited) == ReceiptCheck(told["entry_hash"], ("receiptHash",), ("entry",), False, PLACE)


def test_a_receipt_of_a_worker_without_an_immutable_sink() -> None:
    told = row(100, "aa", "bb", sinks=False, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    receipt = receipt_of(claim_row())
    off = {**receipt["audit"], "immutableMode": "off", "immutablePayloadHash": None, "immutableSinks": []}
    check = checked(rehashed({**receipt, "audit": off}), told)
    assert (check.wrong, check.unknown) == ((), ("audit.immutableSinks.at",))
    for name, value in (("immutableMode", "required"), ("immutablePayloadHash", "ab" * 32)):
        assert checked(rehashed({**receipt, "audit": {**off, name: value}}), told).wrong == ("audit.immutablePayloadHash",)
    with_sinks = claim_row()
    assert checked(rehashed({**receipt, "audit": off}), with_sinks).wrong[:1] == ("audit.immutablePayloadHash",)
    assert receipts_made_by(entry_of(told)) == [], "which sinks and when, nothing tells"


@pytest.mark.parametrize(
    ("sink", "wrong"),
    [
        ({"sink": "kv_index", "ref": "audit:immutable:{}", "at": ts(100)}, ()),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": ts(900)}, ()),
        ({"sink": "kv_index", "ref": "audit:immutable:other", "at": ts(100)}, ("audit.immutableSinks",)),
        ({"sink": "r2_entry", "ref": "audit/immutable/entry/other.json", "at": ts(100)}, ("audit.immutableSinks",)),
        ({"sink": "r2_stream", "ref": "audit/immutable/entry/other.json", "at": ts(100)}, ("audit.immutableSinks",)),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": ts(99)}, ("audit.immutableSinks.at",)),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": 7}, ("audit.immutableSinks.at",)),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": ts(900), "by": "hand"}, ("audit.immutableSinks",)),
        ({"sink": "immutable_ingest", "ref": "http:200"}, ("audit.immutableSinks",)),
        ("no sink", ("audit.immutableSinks",)),
    ],
)
def test_sinks_where_the_entry_s_own_row_is_not_there(sink: Any, wrong: tuple[str, ...]) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    if isinstance(sink, dict):
        sink = {**sink, "ref": sink["ref"].format(told["entry_hash"])}
    receipt["audit"]["immutableSinks"].append(sink)
    check = checked(rehashed(receipt), told, bucket=True)
    assert check.wrong == wrong
    assert check.unknown == (() if wrong else ("audit.immutableSinks.at",))


def test_what_the_server_passes_of_sinks() -> None:
    told = row(100, GENESIS, GENESIS, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    for change, passes in (({"at": "2020"}, True), ({"ref": "other"}, False), ({"sink": "other"}, False)):
        receipt = receipt_of(told)
        receipt["audit"]["immutableSinks"][0] |= change
        check = checked(rehashed(receipt), told)
        assert (check.wrong, check.server_accepts) == (("audit.immutableSinks",), passes), change
    receipt = receipt_of(told)
    receipt["audit"]["immutableSinks"] = "none"
    assert checked(rehashed(receipt), told).server_accepts is False


def test_whose_a_claim_is() -> None:
    def subjects(event: str = "USER_CLAIM", kind: str = "user", **data: Any) -> list[str]:
        return subjects_of(entry_of(claim_row(event=event, actor={"type": kind, "id": "actor"}, data=data)))

    wallet = {"recipient": {"type": "wallet", "id": WALLET}}
    assert subjects(transfer=wallet, pii={"userId": "actor", "walletAddress": WALLET}) == ["actor"]
    assert subjects(transfer=wallet) == ["actor"]
    assert subjects(kind="wallet", transfer=wallet, pii={"userId": "ann7"}) == ["ann7"]
    assert subjects(kind="wallet", transfer=wallet, userId="ann7") == ["ann7"]
    assert subjects("WALLET_CLAIM", "wallet", transfer=wallet, pii={"walletAddress": WALLET}) == [WALLET]
    assert subjects("WALLET_CLAIM", "wallet", transfer={"recipient": {"type": "join_token", "id": "token"}}, pii="?") == ["token"]
    for nothing in ({}, {"transfer": 7}, {"transfer": {"recipient": 7}}, {"transfer": {"recipient": {"id": 7}}}):
        assert subjects("WALLET_CLAIM", "wallet", **nothing) == []


def test_a_receipt_of_a_claim_that_names_nobody_is_checked_but_for_its_subject() -> None:
    told = claim_row(data={"confirmationCode": CODE})
    receipt = receipt_of(claim_row())
    immutable = told["immutable"]
    audit = {**receipt["audit"], "entryHash": told["entry_hash"], "immutablePayloadHash": immutable["payload_hash"]}
    audit["immutableSinks"] = immutable["sinks"]
    check = checked(rehashed({**receipt, "receiptId": told["entry_hash"], "audit": audit}), told)
    assert (check.wrong, check.unknown) == ((), ("subjectCommitment",))
    alone = checked(rehashed({**receipt, "receiptId": told["entry_hash"], "audit": audit}), told, bucket=True)
    assert alone.unknown == ("subjectCommitment", "audit.immutableSinks.at")


def test_checks_are_in_the_order_of_receipts() -> None:
    one, two = claim_row(), claim_row(eventId="other")
    rows = [(receipt_of(told), PLACE) for told in (one, two)]
    bad = [({**receipt_of(one), "receiptHash": "x"}, PLACE)]
    found = check_receipts([*bad, *rows], records_of([one, two]))
    ids = [c.receipt_id for c in found]
    assert ids == sorted(ids)
    assert [c.wrong for c in found if c.receipt_id == one["entry_hash"]] == [(), ("receiptHash",)]


# -- rows beside edited ones, and small windows --


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
    assert find_tampering(records_of(rows, None, objects([*rows, failed])), ()).orphans == [failed["entry_hash"]]


def test_the_second_folder_is_looked_at_where_the_first_was_not_exported() -> None:
    rows = line(6)
    bucket = objects(rows, "stream")
    gone = canonical.object_keys(rows[2])[1]
    del bucket[gone]
    assert find_tampering(records_of(rows, None, bucket), ()).missing_objects == [gone]


def test_a_stream_s_newest_row_by_its_own_links() -> None:
    first = row(5000)
    other = row(5001, first["entry_hash"], GENESIS, eventId="evt")
    last = row(100, other["entry_hash"], first["entry_hash"])  # its clock was set back
    heads = {"audit:lastHash:system": last["entry_hash"], "audit:lastHash:global": last["entry_hash"]}
    storage = stored([first, other, last], **heads)
    assert wrong_ends(storage, records_of(None, storage)) == []
    headless = stored([first, other, last])
    told = [(end.key, end.expected, end.observed) for end in wrong_ends(headless, records_of(None, headless))]
    assert told == [("audit:lastHash:global", last["entry_hash"], None)]


def test_a_place_keeps_the_line_of_its_list() -> None:
    [told] = line(1)
    answers = {"audit-logs": SimpleNamespace(is_ok=True, body={"logs": [told]}, place=Place("worker/audit-logs.json", 4, None, "list"))}
    evidence: Any = SimpleNamespace(earlier_lists=[], answers=answers, storage=None, bucket=None, is_damaged=lambda prefix: False)
    assert read_audit(evidence).entries[told["entry_hash"]].place.line == 4
    [check] = check_receipts([(receipt_of(claim_row()), PLACE)], records_of([]))
    assert check.place == PLACE


def test_a_text_with_a_raw_lone_surrogate_is_no_payload() -> None:
    [told] = line(1)
    key = canonical.object_keys(told)[0]
    text = objects([told])[key].text.replace("API", "\ud83d")
    assert records_of(None, None, {key: BucketObject(key, text, PLACE)}).edited_objects == {key}


def test_more_than_half_is_counted_to_the_object() -> None:
    rows = line(5)
    kept = objects([rows[0], rows[4]], "entry")
    assert find_tampering(records_of(rows, None, kept), ()).export_is_partial, "three of five"


def test_a_time_without_a_zone_is_utc_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert milliseconds("2026-02-23T05:00:00.123") == 1771822800123
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_row_without_a_time_stands_at_the_beginning_and_covers_nothing_later() -> None:
    rows = line(4)
    nameless = {"entry_hash": "ab" * 32}
    records = records_of([*rows[:2], nameless], None, objects(rows))
    assert records.sources[LIST].stated["ab" * 32] == ""
    assert removed(records) == []


# -- what a chain shows to be absent --


def test_a_chain_shows_an_anchor_s_absence_only_over_the_whole_time_of_its_append() -> None:
    rows = [row(0, GENESIS), None]
    rows[1] = row(9000, rows[0]["entry_hash"], "s")  # type: ignore[index]
    records = records_of(rows)
    assert records.segments == [(SECOND * 1000, SECOND * 1000 + 9000)]
    assert [second for second in range(-1, 9) if records.covers_issue(SECOND + second)] == [0, 1, 2, 3, 4], "five seconds for the append"
    landed = [second for second in range(10) if records.covers_issue(SECOND + second, SECOND + second + 2)]
    assert landed == [0, 1, 2, 3, 4, 5, 6, 7], "it was appended before the claim landed"
    same = [second for second in range(10) if records.covers_issue(SECOND + second, SECOND + second)]
    assert same == [0, 1, 2, 3, 4, 5, 6, 7, 8], "a second is seen whole"
    assert [second for second in range(10) if records.covers_issue(SECOND + second, SECOND + second + 60)] == [0, 1, 2, 3, 4]


def test_a_receipt_is_absent_strictly_inside_a_stretch_alone() -> None:
    told = claim_row()
    rows = [row(0, data={"n": 1}), None]
    rows[1] = row(4000, rows[0]["entry_hash"], "s")  # type: ignore[index]
    for at, bad in ((0, False), (1, True), (3999, True), (4000, False)):
        receipt = rehashed({**receipt_of(told), "issuedAt": ts(at)})
        assert checked(receipt, *rows).is_bad == bad, at  # type: ignore[arg-type]
    named = row(5000, told["entry_hash"], "t")
    receipt = rehashed({**receipt_of(told), "issuedAt": ts(2000)})
    assert not checked(receipt, *rows, named).is_bad, "gone, but named"  # type: ignore[arg-type]
    other = rehashed({**receipt, "audit": {**receipt["audit"], "entryHash": "None"}})
    assert checked(other, *rows, named).is_bad  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"version": True}, ("type",)),
        ({"version": False}, ("type",)),
        ({"audit.immutableMode": "sometimes"}, ("audit.immutableMode",)),
        ({"audit.immutableMode": "off"}, ("audit.immutableMode",)),
        ({"audit.immutableMode": "best_effort"}, ()),
        ({"audit.immutableSinks": []}, ("audit.immutableSinks",)),
        ({"audit.immutableSinks": "twice"}, ("audit.immutableSinks",)),
        ({"audit.immutableMode": "off", "audit.immutablePayloadHash": None, "audit.immutableSinks": []}, ("audit.immutablePayloadHash",)),
    ],
)
def test_what_the_bucket_alone_tells_of_a_receipt(change: dict[str, Any], wrong: tuple[str, ...]) -> None:
    """An object that is there was written: the mode was not off, and the receipt names it, once."""
    told = claim_row()
    receipt = receipt_of(told)
    for name, value in change.items():
        held = receipt["audit"] if name.startswith("audit.") else receipt
        sinks = receipt["audit"]["immutableSinks"]
        held[name.removeprefix("audit.")] = [*sinks, sinks[0]] if value == "twice" else value
    check = checked(rehashed(receipt), told, bucket=True)
    assert check.wrong[:1] == wrong
    assert checked(receipt_of(told), told, bucket=True).wrong == ()


def test_a_row_from_before_the_second_copy_stands_alone_rightly() -> None:
    early, late = row(0, ts="2026-02-22T05:57:59.999Z"), row(0, ts="2026-02-22T05:58:00.000Z")
    for told, half in ((early, []), (late, [late["entry_hash"]])):
        storage = {key: value for key, value in stored([told]).items() if key.startswith("audit_history:")}
        assert records_of(None, storage).sources["storage"].half == half
    without_history = {key: value for key, value in stored([early]).items() if key.startswith("audit_entry:")}
    assert records_of(None, without_history).sources["storage"].half == [early["entry_hash"]]


def test_a_gap_among_rows_of_the_first_form_shows_by_an_older_row_of_their_event() -> None:
    first = row(0, GENESIS, stream=None, eventId="evt")
    gone = row(100, first["entry_hash"], stream=None, eventId="evt")
    last = row(200, gone["entry_hash"], stream=None, eventId="evt")
    other = row(50, GENESIS, stream=None, eventId="other")
    assert removed(records_of(None, stored([first, other, last]))) == [gone["entry_hash"]]
    assert removed(records_of(None, stored([other, last]))) == [], "its event's rows may begin with it"
    assert removed(records_of([first, other, last])) == [gone["entry_hash"]]
    later = row(300, GENESIS, stream=None, eventId="evt")
    assert removed(records_of(None, stored([last, later]))) == []


@pytest.mark.parametrize("issues", [None, 5, "text", [7]])
def test_issues_of_the_server_that_are_none(issues: Any) -> None:
    rows = line(3)
    records = records_of(rows)
    answer = SimpleNamespace(body={"ok": False, "checked": 3, "limit": 3, "issues": issues})
    evidence: Any = SimpleNamespace(answers={"audit-integrity": answer})
    found = server_verdict(evidence, records, find_tampering(records, ()), True)
    assert found is not None
    assert found.why == ("nothing of it is found again: it names no issue",)
