"""When a slot was: bounds from the block times around it, a stated time that is believed or left
out, and times that cannot be.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from popkit.chain.clock import SLACK, SlotClock, is_impossible
from popkit.drill.world import World
from tests.diagnosis.judged import judged, without_times

T = 1771830000


def test_nothing_tells_the_time_of_a_slot() -> None:
    for clock in (SlotClock([]), SlotClock([(100, T)])):
        assert clock.earliest(None) is clock.latest(None) is None
    assert SlotClock([]).earliest(100) is SlotClock([]).latest(100) is None


def test_a_known_block_time_bounds_its_own_slot() -> None:
    clock = SlotClock([(100, T)])
    assert (clock.earliest(100), clock.latest(100)) == (T, T)


def test_of_two_block_times_of_one_slot_the_later_counts() -> None:
    assert (
        SlotClock([(100, T + 3), (100, T)]).latest(100)
        == SlotClock([(100, T), (100, T + 3)]).latest(100)
        == T + 3
    )


def test_slots_take_time_and_not_more_than_they_are_believed_to() -> None:
    """A thousand slots mean 400 s; what is said stays on the safe side of that, and within the
    neighbours.
    """
    clock = SlotClock([(1000, T)])
    after = clock.earliest(2000), clock.latest(2000)
    assert after[0] is not None
    assert after[1] is not None
    assert T < after[0] < T + 400 < T + 500 <= after[1] <= T + 500 + SLACK
    assert clock.latest(0) == T, "no slot before it was later"
    before = clock.earliest(0)
    assert before is not None
    assert T - 600 < before < T - 400
    between = SlotClock([(1000, T), (2000, T + 400)])
    for slot in (1000, 1001, 1500, 1999, 2000):
        low, high = between.earliest(slot), between.latest(slot)
        assert low is not None
        assert high is not None
        assert T <= low <= T + (slot - 1000) * 0.4 <= high <= T + 400


def test_the_cluster_s_own_pace_counts_where_the_known_times_span_enough() -> None:
    """A cluster that runs at half the pace is believed after three thousand slots, and not after
    three hundred.
    """
    far = SlotClock([(0, T), (30000, T + 24000)]).latest(31000)
    near = SlotClock([(0, T), (300, T + 240)]).latest(1300)
    assert far is not None
    assert near is not None
    assert far >= T + 24000 + 800
    assert near < T + 240 + 800


def test_a_stated_time_is_that_of_its_slot_and_bounds_those_before_it() -> None:
    clock = SlotClock([(1000, T)], (2000, T + 420))
    assert not clock.disagrees
    assert (clock.earliest(2000), clock.latest(2000)) == (T + 420, T + 420)
    assert clock.earliest(2500) == T + 420, "a later slot was no earlier"
    between = clock.latest(1500)
    assert between is not None
    assert T + 200 <= between <= T + 420
    earlier = clock.earliest(500)
    assert earlier is not None
    assert earlier <= T - 200


def test_a_stated_time_alone_says_when_a_slot_was_at_the_latest(tmp_path: Path) -> None:
    """Whoever puts parts of different days together may state the newest; without a block time
    nothing shows whose time it is.
    """
    alone = SlotClock([], (2000, T))
    assert (alone.latest(2000), alone.latest(1999), alone.latest(2001)) == (T, T, None)
    assert alone.earliest(1999) is alone.earliest(2000) is alone.earliest(2001) is None
    world = World()
    handle = world.grant()
    then = without_times(world.collect())
    world.tickets(handle, "ann")
    world.tick(900)
    now = without_times(world.collect())
    # the worker's part and collected_at are new, the chain's part is old: the claim landed since
    mixed = now | {name: part for name, part in then.items() if name.startswith("rpc/")}
    assert judged(tmp_path / "mixed", mixed, handle).verdict == "inconclusive"
    lost = World()
    handle = lost.grant()
    lost.worker.issue(handle.address, lost.address("ann"))
    lost.tick(900)
    assert judged(tmp_path / "times", lost.collect(), handle).verdict == "broken"


def test_a_stated_time_that_runs_ahead_of_the_slots_is_left_out() -> None:
    """The accounts were read two hundred seconds after the last block: a clock that says three
    hours is of another moment.
    """
    clock = SlotClock([(1000, T)], (1500, T + 10800))
    assert clock.disagrees
    assert clock.stated == (1500, T + 10800)
    low, high = clock.earliest(1500), clock.latest(1500)
    assert low is not None
    assert high is not None
    assert T <= low <= high <= T + 250 + SLACK


@pytest.mark.parametrize(
    ("late", "disagrees"), [(0, False), (250, False), (250 + SLACK, False), (251 + SLACK, True)]
)
def test_how_far_ahead_a_stated_time_may_be(late: int, disagrees: bool) -> None:
    assert SlotClock([(1000, T)], (1500, T + late)).disagrees is disagrees


@pytest.mark.parametrize(
    ("late", "disagrees"), [(-9000, False), (0, False), (SLACK, False), (SLACK + 1, True)]
)
def test_a_slot_s_stated_time_is_not_after_the_block_of_a_later_slot(
    late: int, disagrees: bool
) -> None:
    clock = SlotClock([(3000, T)], (2000, T + late))
    assert clock.disagrees is disagrees
    assert clock.latest(2000) == (T if disagrees else min(T, T + late))


@pytest.mark.parametrize(
    ("collected_at", "evidence", "wanted"),
    [
        (T, [], False),
        (T, [T], False),
        (T, [T - 1000, T + 10**7], False),  # exports may have been added later
        (T - SLACK, [T], False),
        (T - SLACK - 1, [T], True),
        (T + 366 * 86400, [T], False),
        (T + 366 * 86400 + 1, [T], True),
        (0, [], True),
        (-5, [], True),
        (1 << 33, [], True),
    ],
)
def test_a_time_of_collection_that_cannot_be(
    collected_at: int, evidence: list[int], wanted: bool
) -> None:
    assert is_impossible(collected_at, evidence, []) is wanted


def test_the_worker_s_clock_may_be_hours_ahead_of_a_collection() -> None:
    assert not is_impossible(T, [], [T + 86400])
    assert is_impossible(T, [], [T + 86401])
    assert is_impossible(T + 366 * 86400 + 1, [], [T])
