"""A grant's proofs and the worker's line of them: where its records end, what they lack, where they
begin anew.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.entries import AuditRecords
from popkit.chain.attempts import Attempt
from popkit.chain.state import PopStateReading
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.grant_storage import HEAD_KEY, STREAM_KEY, GrantStorage
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof, issuer_of
from popkit.worker.storage_history import HistoryRow
from tests.diagnosis.audit_rows import SECOND, hashes, line, objects, records_of, row, stored
from tests.diagnosis.small_chains import UNKNOWN, chain, claim, refusal, seen

AUDIT_HEAD = "audit:lastHash:global"
AROUND = {"audit:first": None, "pop_chain:zz": None}
"""Keys of a storage before and after a grant's two heads: an export that holds them reaches past
the heads.
"""
STORED = "ab" * 32


def proof(entry: str, prev: str = "p", issued_at: int = 100, **fields: Any) -> Proof:
    return Proof(entry, prev, prev, "claimer", 0, issued_at, "audit", **fields)


def anchored(
    anchor_hash: str, entry: str = "e", prev: str = "p", ms: int = 0, **fields: Any
) -> Any:
    """An anchor of a proof by name; its time is in milliseconds of the audit rows' clock."""
    made = {
        "moved_heads": True,
        "follows_chain": False,
        "takes_parents": False,
        "model": "A",
        **fields,
    }
    at = SECOND + ms // 1000
    return SimpleNamespace(
        anchor_hash=anchor_hash, grant="grant", prev_hash=prev, stream_prev_hash=prev, claimer=f"wallet of {entry}", period_index=0,
        audit_hash=anchor_hash, ts_ms=SECOND * 1000 + ms, rebuild=lambda known, taken: (entry, at, True), **made,
    )  # fmt: skip


def recorded(entry: str, at: int = 0, **fields: Any) -> HistoryRow:
    """A history record of the storage, of a proof that was issued so many seconds after the audit
    rows' first.
    """
    made = {"holds": True, "anchor_hash": f"anchor of {entry}", **fields}
    return HistoryRow(
        f"key of {entry}",
        "grant",
        f"wallet of {entry}",
        0,
        "p",
        "p",
        "audit",
        entry,
        SECOND + at,
        **made,
    )


def line_of(
    *attempts: Attempt,
    anchors: list[Any] | None = None,
    history: list[HistoryRow] | None = None,
    records: AuditRecords | None = None,
    storage: Any = None,
    created_at: int | None = None,
    state: PopStateReading = UNKNOWN,
) -> WorkerLine:
    """The line of a grant; the records are those of the storage where no others are given."""
    records = records or records_of(None, storage)
    return WorkerLine(
        chain(*attempts, state=state), records, anchors or [], history or [], storage, created_at
    )


def storage_of(
    storage: Any,
    records: AuditRecords,
    anchors: tuple[Any, ...] = (),
    history: tuple[HistoryRow, ...] = (),
) -> GrantStorage:
    return GrantStorage("grant", storage, records, list(anchors), list(history))


# -- a storage that begins anew --


def test_a_storage_that_goes_back_to_genesis_without_an_anchor_of_the_grant_was_emptied() -> None:
    rows = line(3)
    emptied = stored(rows, **{AUDIT_HEAD: hashes(rows)[-1]})

    def begins_anew(storage: Any, *anchors: Any, **more: Any) -> bool:
        return storage_of(storage, records_of(None, storage, **more), anchors).begins_anew

    assert begins_anew(emptied)
    assert begins_anew(emptied, anchored("elsewhere")), "the anchor stands in the bucket alone"
    assert not begins_anew(emptied, anchored(hashes(rows)[1]))
    assert not begins_anew(stored(rows)), (
        "the head of the audit chain is not there either: it may be a part of a storage"
    )
    assert not begins_anew({}), "no row shows anything"
    later = stored(rows[1:], **{AUDIT_HEAD: hashes(rows)[-1]})
    assert not begins_anew(later), "its oldest row is not the first"
    assert not begins_anew(later, bucket=objects(rows)), "the first stands in the bucket alone"
    broken = [rows[0], row(5000, "gone", "gone")]
    assert not begins_anew(stored(broken, **{AUDIT_HEAD: hashes(broken)[-1]})), (
        "its newest row does not reach back to the first"
    )
    assert not storage_of(None, records_of(None, emptied)).begins_anew, "no storage was given"


# -- an export older than the rest --


def test_a_storage_that_an_anchor_rests_on_is_older_than_it() -> None:
    rows = line(4)
    _, second, third, last = hashes(rows)
    still = anchored(last, moved_heads=False)

    def is_older(count: int, *anchors: Any) -> bool:
        kept = stored(rows[:count])
        return storage_of(kept, records_of(rows, kept), anchors).is_older

    assert is_older(2, anchored(last))
    assert not is_older(4, anchored(last)), "the storage holds it"
    assert not is_older(3, anchored(third))
    assert not is_older(2), "no anchor"
    assert not is_older(2, still), "no head moved"
    assert is_older(2, anchored(third), still)
    assert not is_older(2, anchored(second), still)
    assert not is_older(2, anchored("elsewhere")), "it does not rest on the storage's newest row"
    assert not storage_of(None, records_of(rows, stored(rows[:2])), (anchored(last),)).is_older
    assert not storage_of(stored(rows[:2]), records_of(rows), (anchored(last),)).is_older
    aside = stored([rows[0], row(500, "elsewhere", "elsewhere")])
    assert not storage_of(aside, records_of(rows, aside), (anchored(last),)).is_older, (
        "another chain's row is its newest"
    )


def is_behind(shown: list[dict[str, Any]] | None, kept: list[dict[str, Any]]) -> bool:
    return storage_of(stored(kept), records_of(shown, stored(kept))).is_behind


@pytest.mark.parametrize(
    ("shown", "kept", "behind"),
    [
        (slice(3, 6), slice(0, 2), True),  # a gap between them
        (slice(2, 6), slice(0, 2), False),  # the list links back to the storage's newest
        (slice(0, 6), slice(0, 6), False),
        (slice(0, 3), slice(0, 6), False),  # the list is the older one
        (slice(6, 6), slice(0, 6), False),
    ],
)
def test_a_storage_that_ends_before_the_list_begins_is_behind(
    shown: slice, kept: slice, behind: bool
) -> None:
    rows = line(6)
    assert is_behind(rows[shown], rows[kept]) is behind
    assert not is_behind(None, rows[kept]), "no list was given"
    assert not is_behind(rows[shown], []), "the storage holds no row"
    assert not storage_of(None, records_of(rows[shown], stored(rows[kept]))).is_behind


def test_a_storage_is_behind_by_the_newest_rows_alone() -> None:
    rows = line(6)
    aside = row(9000, "elsewhere", "elsewhere")
    assert is_behind([row(100, "x", "x"), row(200, "x", "x"), aside], rows[:3]), (
        "older rows of the list lie before the storage's newest"
    )
    assert not is_behind(rows[4:], [rows[0], rows[1], rows[3]]), (
        "the list links back to the storage's newest, whatever lies below it"
    )
    same = row(2000, "elsewhere", "elsewhere")
    assert not is_behind([same], rows[:3]), "a row of that very time need not be younger"


# -- proofs past the records --


@pytest.mark.parametrize(("newest", "past"), [(2998, True), (2999, False), (3000, False)])
def test_a_proof_is_past_the_records_by_the_last_millisecond_of_its_second(
    newest: int, past: bool
) -> None:
    """A refused claim on another parent shows where the head went once it is younger than every
    record.
    """
    first = row(0)
    rows = [first, row(newest, first["entry_hash"], first["entry_hash"])]
    refused = refusal("r", "elsewhere", 10, issued_at=SECOND + 2)
    found = line_of(refused, anchors=[anchored(hashes(rows)[0], "a")], records=records_of(rows))
    assert found.proofs["r"].issuer == "unknown"
    assert (found.head, found.head_source) == (
        ("r", "refused claims") if past else ("a", "anchors")
    )


def test_a_refused_proof_of_the_worker_s_own_is_not_past_its_records() -> None:
    rows = line(2)
    anchors = [anchored(hashes(rows)[0], "a"), anchored(hashes(rows)[1], "r", moved_heads=False)]
    found = line_of(
        refusal("r", "elsewhere", 10, issued_at=SECOND + 9),
        anchors=anchors,
        records=records_of(rows),
    )
    assert (found.head, found.head_source) == ("a", "anchors")


# -- parents that nothing carries --


def parents(*attempts: Attempt, **more: Any) -> dict[str, int]:
    """The unknown parents of a line whose stored head is elsewhere."""
    return line_of(
        *attempts, **{"storage": stored([], **{HEAD_KEY + "grant": STORED}), **more}
    ).unknown_parents


def test_an_unknown_parent_is_as_old_as_its_oldest_child() -> None:
    children = [
        refusal("c", "lost", 30),
        refusal("a", "lost", 10),
        refusal("b", "lost", 20),
        refusal("d", "other", 40),
    ]
    assert parents(*children) == {"lost": 10, "other": 40}
    assert parents(*children[::-1]) == {"lost": 10, "other": 40}


def test_a_parent_that_something_carries_is_known() -> None:
    child = refusal("c", "parent", 30)
    assert parents(child) == {"parent": 30}
    assert parents(child, state=seen("parent")) == {}, "PopState names it"
    assert parents(child, claim("parent")) == {}
    assert parents(child, claim("next", "parent", 30)) == {}, "an accepted claim rests on it"
    assert parents(child, refusal("parent", GENESIS_HASH, 20)) == {}
    assert parents(refusal("c", GENESIS_HASH, 30)) == {}


def test_whose_parents_count() -> None:
    refused = refusal("c", "lost", 30)
    assert parents(refused) == {"lost": 30}
    assert parents(refused, history=[recorded("c")]) == {"lost": 30}, "the worker's own"
    assert parents(refused, history=[recorded("c", follows_chain=True)]) == {}, (
        "a parent that a client gave"
    )
    assert parents(refused, state=seen("c")) == {}, "it landed"
    complete = stored(line(20), **{HEAD_KEY + "grant": STORED})
    foreign = refusal("c", "lost", 30, issued_at=SECOND + 2, audit_hash="elsewhere")
    assert parents(foreign, storage=complete) == {}, "another issuer's"
    accepted = [claim("a", slot=20), claim("b", "a", 35)]
    assert parents(refusal("c", "lost", 35), *accepted) == {"lost": 35}, (
        "refused in the slot of the newest accepted one"
    )
    assert parents(refusal("c", "lost", 34), *accepted) == {}, "an episode that is over"


def test_the_line_s_own_oldest_proof_names_a_parent_though_it_was_never_sent() -> None:
    rows = line(2)
    quiet = [anchored(hashes(rows)[0], "a", "lost"), anchored(hashes(rows)[1], "b", "a", 1000)]
    found = line_of(anchors=quiet, records=records_of(rows))
    assert [one.entry_hash for one in found.path] == ["a", "b"]
    assert found.unknown_parents == {"lost": SECOND}


# -- accepted proofs of which the history lacks a record --


def test_an_anchor_in_the_storage_without_its_history_record_is_named() -> None:
    rows = line(2)
    reaching = stored(
        rows, **{"pop_chain:history:2099": {}}
    )  # the export reaches past where its record would stand
    other = recorded("another")

    def unrecorded(
        *history: HistoryRow,
        storage: Any = reaching,
        accepted: bool = True,
        anchor: str | None = None,
        **more: Any,
    ) -> list[str]:
        attempt = claim("e") if accepted else refusal("e", "p", 10)
        anchors = [anchored(anchor or hashes(rows)[0], "e")]
        records = records_of(more.get("shown"), storage, damaged=more.get("damaged"))
        found = line_of(
            attempt, anchors=anchors, history=list(history), records=records, storage=storage
        )
        return [one.entry_hash for one in found.unrecorded]

    assert unrecorded(other) == ["e"]
    assert unrecorded(other, recorded("e")) == []
    assert unrecorded(other, accepted=False) == []
    assert unrecorded(other, anchor="in the bucket alone") == []
    assert unrecorded() == [], "a model that keeps no history"
    assert unrecorded(other, recorded("e", holds=False)) == [], (
        "a record of which somebody wrote another hash may be this one's"
    )
    assert unrecorded(other, storage=None, shown=rows) == [], "no storage"
    assert unrecorded(other, storage=stored(rows)) == [], "the export ends before the history"
    assert unrecorded(other, damaged="worker/storage.jsonl") == []


# -- where its head is, and how far the records reach --

ROWS = line(6)
HASHES = hashes(ROWS)


def head_of(
    kept: slice | None = None, *anchors: Any, shown: slice | None = slice(0, 6), **more: Any
) -> tuple[str | None, str | None]:
    """The head by a list, and by a storage that holds a head and the rows `kept`."""
    storage = None if kept is None else stored(ROWS[kept], **{HEAD_KEY + "grant": STORED})
    records = records_of(ROWS[shown] if shown is not None else None, storage)
    found = line_of(anchors=list(anchors), storage=storage, records=records, **more)
    return found.head, found.head_source


def test_the_head_is_the_stored_one_while_the_storage_is_not_older_than_the_rest() -> None:
    last = anchored(HASHES[4], "a")
    assert head_of(slice(0, 6), last) == (STORED, "storage")
    assert head_of(slice(0, 2), last) == ("a", "anchors"), "the storage is older"
    assert head_of(slice(0, 1), last, shown=slice(3, 6)) == ("a", "anchors"), (
        "the storage is behind"
    )


def test_the_head_is_the_last_anchor_that_moved_it() -> None:
    first, second = anchored(HASHES[1], "a"), anchored(HASHES[2], "b", "a")
    assert head_of(None, first, second) == ("b", "anchors")
    assert head_of(None, anchored("elsewhere", "a"), second) == ("b", "anchors"), (
        "a gap before it does not matter"
    )
    assert head_of(None, first, anchored(HASHES[2], "b", "a", moved_heads=False)) == (
        "a",
        "anchors",
    )


def test_between_a_storage_and_a_later_list_a_head_may_have_moved() -> None:
    gap = {"shown": slice(3, 6)}
    assert head_of(slice(0, 1), anchored(HASHES[4], "a"), **gap) == ("a", "anchors")
    assert head_of(slice(0, 1), anchored(HASHES[0], "a"), **gap) == (None, None)
    assert head_of(slice(0, 1), **gap) == (None, None)


def test_a_head_that_no_anchor_moved_is_known_where_the_records_reach_the_creation() -> None:
    assert head_of(created_at=SECOND) == (GENESIS_HASH, "anchors")
    assert head_of(shown=slice(1, 6), created_at=SECOND) == (None, None)
    still = anchored(HASHES[1], "a", moved_heads=False)
    assert head_of(None, still, created_at=SECOND) == (None, None), (
        "where it took its parent from, its storage alone shows"
    )


@pytest.mark.parametrize(
    ("history", "anchors", "follows"),
    [
        ([], [], False),
        ([], [(5000, True)], True),
        ([], [(5000, True), (6000, False)], False),
        ([(5, True)], [], True),
        ([(4, False), (5, True)], [], True),
        ([(4, True), (5, False), (6, True), (7, False)], [], False),
        ([(7, True)], [(5000, False)], True),
        ([(5, True)], [(5000, False)], False),
        ([(5, True)], [(5999, False)], False),
        ([(5, True)], [(4000, True), (4999, False)], True),
        ([(5, True)], [(4000, False), (9000, False), (9500, False)], False),
    ],
)
def test_whether_the_newest_proof_took_its_parent_from_the_chain(
    history: list[tuple[int, bool]], anchors: list[tuple[int, bool]], follows: bool
) -> None:
    kept = [recorded(f"at {at}", at, follows_chain=yes) for at, yes in history]
    shown = [
        anchored(f"of {ms}", f"entry at {ms}", ms=ms, follows_chain=yes) for ms, yes in anchors
    ]
    assert line_of(history=kept, anchors=shown).follows_chain is follows


def test_how_far_the_records_reach() -> None:
    held, beyond = anchored(HASHES[4], "held"), anchored("elsewhere", "beyond")
    found = line_of(anchors=[held, beyond], records=records_of(ROWS[1:]), created_at=SECOND)
    assert [found.reaches(entry) for entry in ("held", "beyond", "unknown", GENESIS_HASH)] == [
        True,
        False,
        False,
        False,
    ]
    assert line_of(records=records_of(ROWS), created_at=SECOND).reaches(GENESIS_HASH)
    head = {HEAD_KEY + "grant": STORED}
    assert line_of(storage=stored(ROWS, **head)).reaches("unknown"), "its storage tells the head"
    behind = stored(ROWS[:1], **head)
    assert not line_of(storage=behind, records=records_of(ROWS[3:], behind)).reaches("unknown")


def test_another_issuer_s_proof_is_reached_by_its_time() -> None:
    rows = line(20)
    inside, before = (
        claim(name, slot=10, issued_at=SECOND + at, audit_hash="x")
        for name, at in (("in", 2), ("before", -1))
    )
    found = line_of(inside, before, records=records_of(rows))
    assert [(found.proofs[name].issuer, found.reaches(name)) for name in ("in", "before")] == [
        ("foreign", True),
        ("unknown", False),
    ]


@pytest.mark.parametrize(
    ("begun", "genesis", "created", "issued", "anchors", "since"),
    [
        (0, False, 0, (), (), True),
        (1, False, 0, (), (), False),
        (999, True, None, (0, 100), (), True),
        (1000, True, None, (0, 100), (), False),
        (999, False, None, (0, 100), (), False),
        (0, True, None, (), (-1,), False),
        (0, True, None, (), (0,), True),
        (0, True, None, (), (), True),
        (None, True, 0, (), (), False),
    ],
)
def test_records_since_the_creation(
    begun: int | None,
    genesis: bool,
    created: int | None,
    issued: tuple[int, ...],
    anchors: tuple[int, ...],
    since: bool,
) -> None:
    first = [] if begun is None else [row(begun, *([] if genesis else ["gone", "gone"]))]
    rows = [*first, *(row(900_000, one["entry_hash"], one["entry_hash"]) for one in first)]
    attempts = [
        claim(f"at {at}", slot=10 + n, issued_at=SECOND + at) for n, at in enumerate(issued)
    ]
    shown = [anchored(f"of {ms}", f"entry {ms}", ms=ms) for ms in anchors]
    created_at = None if created is None else SECOND + created
    found = line_of(*attempts, anchors=shown, records=records_of(rows), created_at=created_at)
    assert found.records_since_creation is since


# -- whose a proof is --


def who_issued(one: Proof, **change: Any) -> str:
    asked: list[tuple[int, int | None]] = []

    def covers(issued_at: int, landed_at: int | None = None, ahead: int | None = None) -> bool:
        asked.append((issued_at, landed_at))
        return bool(change.get("complete", True))

    fields = {"is_known": True, "entries": {}, "named": set(), "covers_issue": covers} | change
    records: Any = SimpleNamespace(**fields)
    issuer = issuer_of(one, records, None)
    assert asked in ([], [(one.issued_at, change.get("landed"))])
    return issuer


def test_whose_a_proof_is() -> None:
    anchor: Any = anchored("anchor")
    assert who_issued(proof("e", anchor=anchor)) == "this_worker"
    assert who_issued(proof("e", in_history=True), is_known=False) == "this_worker"
    assert who_issued(proof("e"), is_known=False) == "unknown"
    assert who_issued(proof("e")) == "foreign"
    assert who_issued(proof("e"), complete=False) == "unknown"
    assert who_issued(proof("e"), named={"audit"}) == "this_worker", (
        "the entry is missing, and a later one names it"
    )
    assert (
        who_issued(proof("e"), named={"audit"}, entries={"audit": "an entry of another kind"})
        == "foreign"
    )
    assert who_issued(proof("e"), named={"another"}) == "foreign"


def test_a_proof_landed_when_it_was_first_seen() -> None:
    def at(time: int | None) -> Any:
        return SimpleNamespace(block_time=time)

    assert (
        who_issued(proof("e", accepted=at(105), refused=[at(103), at(None), at(107)]), landed=103)
        == "foreign"
    )
    assert who_issued(proof("e", accepted=at(105)), landed=105) == "foreign"
    assert who_issued(proof("e", refused=[at(None)]), landed=None) == "foreign"


# -- the stored head --


def stored_head(
    rows: dict[str, Any] | None,
    *anchors: Any,
    audit: Any = (),
    history: tuple[HistoryRow, ...] = (),
    damaged: str | None = None,
) -> str | None:
    """The head in a storage of these values, and of rows of the audit chain."""
    storage = None if rows is None else stored(audit, **rows)
    return storage_of(storage, records_of(None, storage, damaged=damaged), anchors, history).head


def test_a_stored_head_is_the_row_of_its_grant() -> None:
    assert stored_head({HEAD_KEY + "grant": "ab" * 32, HEAD_KEY + "other": "cd" * 32}) == "ab" * 32
    assert stored_head(None) is None


def test_a_head_that_is_not_stored_is_at_genesis_where_the_rest_is_there() -> None:
    assert stored_head(AROUND) == GENESIS_HASH
    assert stored_head({HEAD_KEY + "other": "cd" * 32}) is None, (
        "the export may have ended before its row"
    )
    assert stored_head({**AROUND, STREAM_KEY + "grant": "cd" * 32}) is None, "its twin is there"
    still = recorded("e", moved_heads=False)
    assert stored_head(AROUND, history=(still,)) == GENESIS_HASH, "a proof that moved no head"
    assert stored_head(AROUND, history=(still, recorded("f"))) is None, (
        "its row is missing, which is not a head at GENESIS"
    )
    assert stored_head(AROUND, anchored("elsewhere")) is None, "the same, by an anchor"
    assert stored_head(AROUND, damaged="worker/storage.jsonl") is None, (
        "its line may be the one that could not be read"
    )
    assert (
        stored_head({AUDIT_HEAD: HASHES[-1]}, anchored("elsewhere"), audit=ROWS) == GENESIS_HASH
    ), "it was emptied"
