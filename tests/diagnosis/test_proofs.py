"""What the worker's records tell of its line of proofs, from rows made by hand: where they end, what they lack, where they begin anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.entries import LIST, STORAGE
from popkit.diagnosis.proofs import Proof, WorkerLine
from tests.diagnosis.audit_rows import hashes, line, objects, records_of, row, stored

HEAD = "audit:lastHash:global"


def proof(entry: str, prev: str = "p", issued_at: int = 100, **fields: Any) -> Proof:
    return Proof(entry, prev, prev, "claimer", 0, issued_at, "audit", **fields)


def anchored(entry: str, moved: bool = True) -> SimpleNamespace:
    """An anchor of which its hash, and whether it moved the heads, matter."""
    return SimpleNamespace(anchor_hash=entry, moved_heads=moved)


def ask(name: str, **fields: Any) -> Any:
    """A question of a worker's line, of which only these fields are known."""
    question: Any = vars(WorkerLine)[name]
    return (getattr(question, "fget", None) or question.func)(SimpleNamespace(**fields))


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
    told: Any = SimpleNamespace(newest_record=newest)
    assert WorkerLine._is_past_the_records(told, proof("e", issuer=issuer)) is past


# -- parents that nothing carries --


def parents(*proofs: Proof, path: list[Proof] | None = None, **chain: Any) -> dict[str, int]:
    told: Any = ("refused",)
    for one in proofs:
        one.refused.extend(told)
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
    accepted = [SimpleNamespace(issued_at=at) for at in (20, None, 30)]
    assert parents(proof("c", "lost", 30), linked=accepted) == {"lost": 30}, "issued with the newest accepted one"
    assert parents(proof("c", "lost", 29), linked=accepted) == {}, "an episode that is over"


def test_the_line_s_own_oldest_proof_names_a_parent_though_it_was_never_sent() -> None:
    quiet = [proof("a", "lost", 10), proof("b", "c", 20)]
    assert parents(path=quiet) == {"lost": 10}
    assert parents(proof("r", "lost", 15), path=quiet) == {"lost": 10}
    assert parents(path=[]) == {}


# -- accepted proofs of which the history lacks a record --


def test_an_anchor_in_the_storage_without_its_history_record_is_told() -> None:
    rows = line(2)
    accepted: Any = SimpleNamespace()
    anchor: Any = anchored(hashes(rows)[0])
    told = proof("e", accepted=accepted, anchor=anchor)
    good, false = SimpleNamespace(holds=True), SimpleNamespace(holds=False)
    records = records_of(None, stored(rows))

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
    assert unrecorded(where=records_of(None, stored(rows), damaged="worker/storage.jsonl")) == []
