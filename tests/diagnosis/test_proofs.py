"""What the worker's records tell of its line of proofs, from rows made by hand: where they end, what they lack, where they begin anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.entries import LIST, STORAGE
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof
from tests.diagnosis.audit_rows import hashes, line, objects, records_of, row, stored

HEAD = "audit:lastHash:global"


def proof(entry: str, prev: str = "p", issued_at: int = 100, **fields: Any) -> Proof:
    return Proof(entry, prev, prev, "claimer", 0, issued_at, "audit", **fields)


def anchored(entry: str, moved: bool = True) -> SimpleNamespace:
    """An anchor of which its hash, and whether it moved the heads, matter."""
    return SimpleNamespace(anchor_hash=entry, moved_heads=moved)


def ask(name: str, **fields: Any) -> Any:
    """A question of a worker's line, of which only these fields are known."""
    made = object.__new__(WorkerLine)
    vars(made).update(fields)
    return getattr(made, name)


# -- a storage that begins anew --


def test_a_storage_that_goes_back_to_genesis_without_an_anchor_of_the_grant_was_emptied() -> None:
    rows = line(3)
    emptied = stored(rows, **{HEAD: hashes(rows)[-1]})

    def begins_anew(storage: Any, anchors: Any = (), **more: Any) -> bool:
        return bool(ask("_storage_begins_anew", records=records_of(None, storage, **more), storage=storage, anchors=list(anchors)))

    assert begins_anew(emptied)
    assert begins_anew(emptied, [anchored("elsewhere")]), "the anchor stands in the bucket alone"
    assert not begins_anew(emptied, [anchored(hashes(rows)[1])])
    assert not begins_anew(stored(rows)), "the head of the audit chain is not there either: it may be a part of a storage"
    assert not begins_anew({}), "no row tells anything"
    later = stored(rows[1:], **{HEAD: hashes(rows)[-1]})
    assert not begins_anew(later), "its oldest row is not the first"
    assert not begins_anew(later, bucket=objects(rows)), "the first stands in the bucket alone"
    broken = [rows[0], row(5000, "gone", "gone")]
    assert not begins_anew(stored(broken, **{HEAD: hashes(broken)[-1]})), "its newest row does not reach back to the first"


def test_without_a_storage_nothing_was_emptied() -> None:
    records = records_of(None, stored(line(2)))
    assert not ask("_storage_begins_anew", records=records, storage=None, anchors=[])


# -- an export older than the rest --


def test_a_storage_that_an_anchor_rests_on_is_older_than_it() -> None:
    rows = line(4)
    first, second, third, last = hashes(rows)

    def is_older(count: int, *anchors: Any, **more: Any) -> bool:
        fields = {"storage": stored(rows[:count]), "anchors": list(anchors), "records": records_of(rows, stored(rows[:count]))} | more
        return bool(ask("storage_is_older", **fields))

    assert is_older(2, anchored(last))
    assert not is_older(4, anchored(last)), "the storage holds it"
    assert not is_older(3, anchored(third))
    assert not is_older(2), "no anchor"
    assert not is_older(2, anchored(last, moved=False)), "no head moved"
    assert is_older(2, anchored(third), anchored(last, moved=False))
    assert not is_older(2, anchored(second), anchored(last, moved=False))
    assert not is_older(2, anchored("elsewhere")), "it does not rest on the storage's newest row"
    assert not is_older(2, anchored(last), storage=None)
    assert not is_older(2, anchored(last), records=records_of(rows))
    aside = [rows[0], row(500, "elsewhere", "elsewhere")]
    assert not is_older(2, anchored(last), records=records_of(rows, stored(aside))), "another chain's row is its newest"
    assert first in records_of(rows, stored(aside)).sources[STORAGE].stated


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
def test_a_storage_that_ends_before_the_list_begins_is_behind(shown: slice, kept: slice, behind: bool) -> None:
    rows = line(6)
    records = records_of(rows[shown], stored(rows[kept]))
    fields = {"storage": stored(rows[kept]), "records": records, "_line_hashes": frozenset(entry.hash for entry in records.line)}
    assert ask("storage_is_behind", **fields) is behind
    assert not ask("storage_is_behind", **{**fields, "storage": None})
    for name in (LIST, STORAGE):
        known = {source: told for source, told in records.sources.items() if source != name}
        assert not ask("storage_is_behind", **{**fields, "records": SimpleNamespace(sources=known)})


def is_behind(shown: list[dict[str, Any]], kept: list[dict[str, Any]]) -> bool:
    records = records_of(shown, stored(kept))
    line_hashes = frozenset(entry.hash for entry in records.line)
    return bool(ask("storage_is_behind", storage=stored(kept), records=records, _line_hashes=line_hashes))


def test_a_storage_is_behind_by_the_newest_rows_alone() -> None:
    rows = line(6)
    aside = row(9000, "elsewhere", "elsewhere")
    assert is_behind([row(100, "x", "x"), row(200, "x", "x"), aside], rows[:3]), "older rows of the list lie before the storage's newest"
    assert not is_behind(rows[4:], [rows[0], rows[1], rows[3]]), "the list links back to the storage's newest, whatever lies below it"
    same = row(2000, "elsewhere", "elsewhere")
    assert not is_behind([same], rows[:3]), "a row of that very time need not be younger"


# -- proofs past the records --


@pytest.mark.parametrize(
    ("issuer", "newest", "past"),
    [
        ("unknown", 100_998, True),
        ("unknown", 100_999, False),
        ("unknown", 99_000, True),
        ("unknown", 101_000, False),
        ("unknown", None, False),
        ("this_worker", 0, False),
        ("foreign", 0, False),
    ],
)
def test_a_proof_is_past_the_records_by_the_last_millisecond_of_its_second(issuer: str, newest: int | None, past: bool) -> None:
    ask_of = ask("_is_past_the_records", newest_record=newest, proofs={}, _recorded_head=("head", "anchors"))
    assert ask_of(proof("e", issuer=issuer)) is past


# -- parents that nothing carries --


def parents(*proofs: Proof, path: list[Proof] | None = None, **chain: Any) -> dict[str, int]:
    for one in proofs:
        told: Any = SimpleNamespace(slot=one.issued_at + 5)
        one.refused.append(told)
    known = {"accepted_entries": {}, "unseen": [], "head": "head", "linked": []} | chain
    found = ask("unknown_parents", chain=SimpleNamespace(**known), proofs={one.entry_hash: one for one in proofs}, path=path or [])
    assert isinstance(found, dict)
    return found


def test_an_unknown_parent_is_as_old_as_its_oldest_child() -> None:
    children = [proof("c", "lost", 30), proof("a", "lost", 10), proof("b", "lost", 20), proof("d", "other", 40)]
    assert parents(*children) == {"lost": 10, "other": 40}
    assert parents(*children[::-1]) == {"lost": 10, "other": 40}


def test_a_parent_that_something_carries_is_known() -> None:
    child = [proof("c", "parent", 30)]
    assert parents(*child, head="parent") == {}
    assert parents(*child, unseen=["parent"]) == {}
    assert parents(*child, accepted_entries={"parent": None}) == {}
    assert parents(*child, proof("parent", "head", 20)) == {}
    assert parents(proof("c", "0" * 64, 30)) == {}


def test_whose_parents_count() -> None:
    assert parents(proof("c", "lost", 30, issuer="foreign")) == {}
    assert parents(proof("c", "lost", 30, issuer="unknown")) == {"lost": 30}
    assert parents(proof("c", "lost", 30, issuer="this_worker")) == {"lost": 30}
    assert parents(proof("c", "lost", 30, landed=True)) == {}
    accepted = [SimpleNamespace(slot=slot) for slot in (20, 35)]
    assert parents(proof("c", "lost", 30), linked=accepted) == {"lost": 30}, "refused in the slot of the newest accepted one"
    assert parents(proof("c", "lost", 29), linked=accepted) == {}, "an episode that is over"
    assert parents(proof("c", "lost", 30, follows_chain=True)) == {}, "a parent that a client gave"


def test_the_line_s_own_oldest_proof_names_a_parent_though_it_was_never_sent() -> None:
    quiet = [proof("a", "lost", 10), proof("b", "c", 20)]
    assert parents(path=quiet) == {"lost": 10}
    assert parents(proof("r", "lost", 15), path=quiet) == {"lost": 10}
    assert parents(path=[]) == {}


# -- accepted proofs of which the history lacks a record --


def test_an_anchor_in_the_storage_without_its_history_record_is_told() -> None:
    rows = line(2)
    accepted: Any = SimpleNamespace()
    later = {"pop_chain:history:2099": {}}  # the export reaches past where its record would stand
    anchor: Any = anchored(hashes(rows)[0])
    told = proof("e", accepted=accepted, anchor=anchor)
    good, false = SimpleNamespace(holds=True), SimpleNamespace(holds=False)
    records = records_of(None, stored(rows, **later))

    def unrecorded(history: Any = (good,), where: Any = records, **change: Any) -> list[str]:
        one = proof("e", **({"accepted": accepted, "anchor": anchor} | change))
        return [p.entry_hash for p in ask("unrecorded", records=where, history=list(history), proofs={"e": one})]

    assert unrecorded() == [told.entry_hash]
    assert unrecorded(in_history=True) == []
    assert unrecorded(accepted=None) == []
    assert unrecorded(anchor=None) == []
    assert unrecorded(anchor=anchored("in the bucket alone")) == []
    assert unrecorded(()) == [], "a model that keeps no history"
    assert unrecorded((good, false)) == [], "a record of which somebody wrote another hash may be this one's"
    assert unrecorded(where=records_of(rows)) == [], "no storage"
    assert unrecorded(where=records_of(None, stored(rows))) == [], "the export ends before the history"
    assert unrecorded(where=records_of(None, stored(rows, **later), damaged="worker/storage.jsonl")) == []


# -- where its head is, and how far the records reach --


def head_of(**change: Any) -> Any:
    """The recorded head of a line with two anchors that moved it, no storage, and records that reach the creation."""
    anchors = [anchored("first"), anchored("second")]
    made = [proof(name, anchor=told) for name, told in zip(("p1", "p2"), anchors, strict=True)]
    fields = {
        "stored_head": None,
        "storage_is_older": False,
        "storage_is_behind": False,
        "anchors": anchors,
        "_anchored": made,
        "_line_hashes": frozenset({"first", "second"}),
        "records_since_creation": True,
        "_extended": lambda entry: f"{entry} and on",
    }
    return ask("_recorded_head", **(fields | change))


def test_the_head_is_the_stored_one_while_the_storage_is_not_older_than_the_rest() -> None:
    assert head_of(stored_head="s") == ("s", "storage")
    assert head_of(stored_head="s", storage_is_older=True) == ("p2 and on", "anchors")
    assert head_of(stored_head="s", storage_is_behind=True) == ("p2 and on", "anchors")


def test_the_head_is_the_last_anchor_that_moved_it() -> None:
    assert head_of() == ("p2 and on", "anchors")
    assert head_of(_line_hashes=frozenset()) == ("p2 and on", "anchors"), "a gap before it does not matter"
    still = [anchored("first"), anchored("second", moved=False)]
    proofs = [proof("p1", anchor=still[0]), proof("p2", anchor=still[1])]  # type: ignore[arg-type]
    assert head_of(anchors=still, _anchored=proofs) == ("p1 and on", "anchors")


def test_between_a_storage_and_a_later_list_a_head_may_have_moved() -> None:
    assert head_of(storage_is_behind=True, _line_hashes=frozenset({"second"})) == ("p2 and on", "anchors")
    assert head_of(storage_is_behind=True, _line_hashes=frozenset({"first"})) == (None, None)
    assert head_of(storage_is_behind=True, anchors=[], _anchored=[]) == (None, None)


def test_a_head_that_no_anchor_moved_is_known_where_the_records_reach_the_creation() -> None:
    none: dict[str, Any] = {"anchors": [], "_anchored": []}
    assert head_of(**none) == ("0" * 64, "anchors")
    assert head_of(**none, records_since_creation=False) == (None, None)
    still = anchored("first", moved=False)
    assert head_of(anchors=[still], _anchored=[proof("p1")]) == (None, None), "where it took its parent from, its storage alone tells"


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
    told = {
        "history": [SimpleNamespace(issued_at=at, follows_chain=yes, anchor_hash=f"of {at}") for at, yes in history],
        "anchors": [SimpleNamespace(ts_ms=ms, follows_chain=yes, anchor_hash=f"anchor {ms}") for ms, yes in anchors],
    }
    assert ask("follows_chain", **told) is follows


def reach(entry: str, one: Proof | None = None, begun: tuple[int, ...] = (), **change: Any) -> bool:
    lines = SimpleNamespace(line=[SimpleNamespace(ts_ms=ms) for ms in begun])
    known = {} if one is None else {one.entry_hash: one}
    fields = {"stored_head": None, "storage_is_behind": False, "records_since_creation": False, "proofs": known, "records": lines}
    told: Any = SimpleNamespace(**{**fields, "_line_hashes": frozenset({"anchor"}), **change})
    return WorkerLine.reaches(told, entry)


def test_how_far_the_records_reach() -> None:
    held: Any = anchored("anchor")
    other: Any = anchored("other")
    assert reach("e", stored_head="s")
    assert not reach("e", stored_head="s", storage_is_behind=True)
    assert reach("0" * 64, records_since_creation=True)
    assert not reach("0" * 64)
    assert not reach("e", records_since_creation=True), "nothing tells of the proof"
    assert reach("e", proof("e", anchor=held))
    assert not reach("e", proof("e", anchor=other))


@pytest.mark.parametrize(
    ("issuer", "begun", "reached"),
    [
        ("foreign", (200_000, 100_000), True),
        ("foreign", (300_000, 100_001, 99_000), True),
        ("foreign", (100_000, 100_001), False),
        ("foreign", (99_000, 100_050, 100_100), False),
        ("foreign", (), False),
        ("unknown", (200_000, 100_000), False),
        ("this_worker", (200_000, 100_000), False),
    ],
)
def test_another_issuer_s_proof_is_reached_by_its_time(issuer: str, begun: tuple[int, ...], reached: bool) -> None:
    assert reach("e", proof("e", issued_at=100, issuer=issuer), begun) is reached


@pytest.mark.parametrize(
    ("begun", "created", "issued", "anchors", "genesis", "since"),
    [
        ((900_000, 100_000), 100, (), (), False, True),
        ((900_000, 100_001), 100, (), (), False, False),
        ((99_000, 100_001), 100, (), (), False, False),
        ((900_000, 100_999), None, (100, 200), (), True, True),
        ((900_000, 101_000), None, (100, 200), (), True, False),
        ((900_000, 100_999), None, (100, 200), (), False, False),
        ((900_000, 100_000), None, (None, 200), (), True, True),
        ((900_000, 100_000), None, (None,), (99_999,), True, False),
        ((900_000, 100_000), None, (), (100_000,), True, True),
        ((900_000, 100_000), None, (), (), True, True),
        ((), 100, (), (), True, False),
    ],
)
def test_records_since_the_creation(
    begun: tuple[int, ...], created: int | None, issued: tuple[int | None, ...], anchors: tuple[int, ...], genesis: bool, since: bool
) -> None:
    attempts = [SimpleNamespace(issued_at=at) for at in issued]
    told = {
        "records": SimpleNamespace(line=[SimpleNamespace(ts_ms=ms) for ms in begun], reaches_genesis=genesis),
        "created_at": created,
        "chain": SimpleNamespace(linked=attempts[:1], attributed=attempts[1:]),
        "anchors": [SimpleNamespace(ts_ms=ms) for ms in anchors],
    }
    assert ask("records_since_creation", **told) is since


# -- whose a proof is --


def issuer_of(one: Proof, **change: Any) -> str:
    asked: list[tuple[int, int | None]] = []

    def covers(issued_at: int, landed_at: int | None = None, ahead: int | None = None) -> bool:
        asked.append((issued_at, landed_at))
        return bool(change.get("complete", True))

    fields = {"is_known": True, "entries": {}, "named": set(), "covers_issue": covers} | change
    told: Any = SimpleNamespace(records=SimpleNamespace(**fields), _clock_ahead=None)
    issuer = WorkerLine._issuer(told, one)
    assert asked in ([], [(one.issued_at, change.get("landed"))])
    return issuer


def test_whose_a_proof_is() -> None:
    anchor: Any = anchored("anchor")
    assert issuer_of(proof("e", anchor=anchor)) == "this_worker"
    assert issuer_of(proof("e", in_history=True), is_known=False) == "this_worker"
    assert issuer_of(proof("e"), is_known=False) == "unknown"
    assert issuer_of(proof("e")) == "foreign"
    assert issuer_of(proof("e"), complete=False) == "unknown"
    assert issuer_of(proof("e"), named={"audit"}) == "this_worker", "the entry is gone, and a later one names it"
    assert issuer_of(proof("e"), named={"audit"}, entries={"audit": "an entry of another kind"}) == "foreign"
    assert issuer_of(proof("e"), named={"another"}) == "foreign"


def test_a_proof_landed_when_it_was_first_seen() -> None:
    def at(time: int | None) -> Any:
        return SimpleNamespace(block_time=time)

    assert issuer_of(proof("e", accepted=at(105), refused=[at(103), at(None), at(107)]), landed=103) == "foreign"
    assert issuer_of(proof("e", accepted=at(105)), landed=105) == "foreign"
    assert issuer_of(proof("e", refused=[at(None)]), landed=None) == "foreign"


# -- the stored head --


def stored_head(storage: Any, **change: Any) -> str | None:
    fields = {
        "chain": SimpleNamespace(grant="grant"),
        "records": SimpleNamespace(damaged=set()),
        "_storage_begins_anew": False,
        "history": [],
        "anchors": [],
        "records_since_creation": True,
        "_covers_heads": True,
    }
    fields |= {"_moved_heads": any(getattr(told, "moved_heads", True) for name in ("history", "anchors") for told in change.get(name, ()))}
    told: Any = SimpleNamespace(storage=storage, **(fields | change))
    return WorkerLine._stored(told, "head:")


def test_a_stored_head_is_the_row_of_its_grant() -> None:
    kept = {"head:grant": SimpleNamespace(value="ab" * 32), "head:other": SimpleNamespace(value="cd" * 32)}
    assert stored_head(kept) == "ab" * 32
    assert stored_head(None) is None


def test_a_head_that_is_not_stored_is_at_genesis_where_the_rest_is_there() -> None:
    genesis, damaged = "0" * 64, SimpleNamespace(damaged={STORAGE})
    others = {"pop_chain:lastHash:global:other": None}
    assert stored_head(others, records_since_creation=False) == genesis
    assert stored_head(others, history=["a record"]) is None, "proofs moved it: its row is gone, which is not a head at GENESIS"
    assert stored_head(others, records=damaged) is None, "its line may be the one that could not be read"
    assert stored_head({}, _storage_begins_anew=True, anchors=["an anchor"]) == genesis
    assert stored_head({}) == genesis, "no proof was issued since the creation"
    assert stored_head({}, records_since_creation=False) is None
    for issued in ({"history": ["a record"]}, {"anchors": ["an anchor"]}):
        assert stored_head({}, **issued) is None, "proofs were issued, and the storage's rows of them are not in the export"
        assert stored_head({}, **issued, records_since_creation=False) is None
