"""Who asked for proofs of the new grant: looks that overlap, looks that do not, and what a stranger
leaves in the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from popkit.collecting.address import Address
from popkit.cutover.desk.anchors import Look, follows, judged, watch
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.errors import Silent
from popkit.drill.live import Drill
from popkit.drill.rehearsal import background
from popkit.drill.stage import MODELS
from popkit.drill.world import GrantHandle, World, sound
from tests.cutover.scripted import TOKEN, Reply, scripted

ERAS = ("strict", "strict_v2", "relaxed", "head")


@contextmanager
def living(era: str) -> Iterator[tuple[Drill, WorkerDesk, GrantHandle]]:
    """A running world, and the address of a grant that nobody made yet."""
    world, handle, _ = sound(era, MODELS[era], "ann", "bob")
    world.live(50)
    drill = Drill(world, TOKEN)
    with (
        background(drill) as listening,
        WorkerDesk(Address(listening.worker, (("Authorization", f"Bearer {TOKEN}"),))) as desk,
    ):
        yield drill, desk, world.handle(handle.authority, handle.mint, 77)


def ask(desk: WorkerDesk, drill: Drill, new: GrantHandle, wallet: str) -> Any:
    """Somebody takes part in the old event, and asks for a proof of the new grant with the code."""
    event = next(iter(drill.worker.events))
    code = None
    if drill.worker.model != "A":
        code = desk.participate(event, wallet).body["confirmationCode"]
    heads = ("0" * 64, "0" * 64) if drill.worker.model in ("D", "E") else None
    return desk.pop_proof(event, new.address, wallet, 0, code, heads)


@pytest.mark.parametrize("era", ERAS)
def test_a_stranger_who_asks_for_a_proof_is_seen(era: str) -> None:
    with living(era) as (drill, desk, new):
        first = watch(desk, [new.address])
        assert first.is_untouched() is True
        stranger = drill.world.address("eve")
        assert ask(desk, drill, new, stranger).is_done
        second = watch(desk, [new.address], first.looks)
        assert second.is_untouched() is False
        assert {sighting.claimer for sighting in second.sightings} == {stranger}
        assert [sighting.event for sighting in second.sightings] == [
            "POP_CLAIM_PROOF_ANCHOR",
            "API_POST_V1_SCHOOL_POP_PROOF",
        ]
        assert second.is_untouched(stranger) is True, "the canary's own proof is no stranger's"
        assert "somebody else" in second.sentence()
        assert "give this grant up" in second.advice()


def test_the_old_grant_and_a_refused_request_do_not_count() -> None:
    with living("strict_v2") as (drill, desk, new):
        old = next(iter(drill.world.grants.values()))
        assert ask(desk, drill, old, drill.world.address("fay")).is_done
        event = next(iter(drill.worker.events))
        assert (
            desk.pop_proof(event, new.address, drill.world.address("eve"), 0, "WRONG2").kind
            == "refused"
        )
        found = watch(desk, [new.address])
        assert [(sighting.moved, sighting.event) for sighting in found.sightings] == [
            (False, "API_POST_V1_SCHOOL_POP_PROOF")
        ]
        assert found.is_untouched() is True


def test_more_than_fifty_entries_between_two_looks_are_not_known() -> None:
    """A stranger's anchor went by among them: what the two lists show has no trace of it."""
    with living("strict") as (drill, desk, new):
        first = watch(desk, [new.address])
        assert ask(desk, drill, new, drill.world.address("eve")).is_done
        traffic(drill.world, 60)
        second = watch(desk, [new.address], first.looks)
        assert second.sightings == ()
        assert second.is_untouched() is None
        assert len(second.gaps) == 1
        assert "not known" in second.sentence()
        third = watch(desk, [new.address], second.looks)
        assert third.is_untouched() is None, "what went by once does not come back"


def traffic(world: World, entries: int) -> None:
    for number in range(entries):
        world.worker.append(
            "API_GET_X", "system", {"type": "school", "id": "public-api"}, {"n": number}
        )
        world.tick(1)


def test_looks_that_overlap_by_one_link_are_enough_and_one_entry_more_is_not() -> None:
    world, _, _ = sound("strict", "A", "ann")
    first = Look.of(world.worker.entries[-50:], 1.0, [])
    known = len(world.worker.entries)
    traffic(world, 60)
    rows = world.worker.entries
    assert follows(first, Look.of(rows[known : known + 50], 2.0, []))
    assert not follows(first, Look.of(rows[known + 1 : known + 51], 2.0, []))


def test_a_case_is_the_look_that_others_go_on_from() -> None:
    world, _, _ = sound("strict", "A", "ann")
    case = Look.of(list(world.worker.entries), 1.0, [], is_list=False)
    traffic(world, 10)
    assert follows(case, Look.of(world.worker.entries[-50:], 2.0, []))
    elsewhere = World("strict", "A", "elsewhere")
    traffic(elsewhere, 60)
    assert not follows(case, Look.of(elsewhere.worker.entries[-50:], 2.0, []))


def test_an_entry_that_was_edited_breaks_the_line_and_still_shows_its_anchor() -> None:
    world, handle, _ = sound("strict", "A", "ann")
    rows = world.worker.entries[-50:]
    at = max(n for n, row in enumerate(rows) if row["event"] == "POP_CLAIM_PROOF_ANCHOR")
    edited = [*rows[:at], rows[at] | {"actor": {"type": "wallet", "id": "x"}}, *rows[at + 1 :]]
    found = judged(
        [Look.of(rows[:at], 1.0, [handle.address]), Look.of(edited, 2.0, [handle.address])],
        [handle.address],
    )
    assert [
        sighting.is_whole
        for sighting in found.sightings
        if sighting.entry == rows[at]["entry_hash"]
    ] == [False]
    assert len(found.gaps) == 1


def test_looks_go_through_a_journal_unchanged() -> None:
    world, handle, _ = sound("head", "E", "ann")
    look = Look.of(world.worker.entries, 7.5, [handle.address])
    assert Look.from_json(json.loads(json.dumps(look.as_json()))) == look
    assert look.sightings


def test_an_empty_worker_and_one_that_begins_now() -> None:
    world = World("strict")
    nothing = Look.of([], 1.0, [])
    traffic(world, 3)
    assert follows(nothing, Look.of(world.worker.entries, 2.0, []))
    assert follows(nothing, nothing)
    assert not follows(Look.of(world.worker.entries, 2.0, []), nothing), "a list that was emptied"


def test_a_list_that_cannot_be_read_is_no_look() -> None:
    with (
        scripted([Reply(200, b'{"logs": "none"}')]) as (url, _),
        WorkerDesk(Address(url)) as desk,
        pytest.raises(Silent),
    ):
        watch(desk, ["g"])
