"""When a slot was: bounds from the block times around it, a stated time that is believed or left out, and times that cannot be."""

from __future__ import annotations

import pytest

from popkit.moments import SLACK, SlotClock, is_impossible

T = 1771830000


def test_nothing_tells_the_time_of_a_slot() -> None:
    for clock in (SlotClock([]), SlotClock([(100, T)])):
        assert clock.earliest(None) is clock.latest(None) is None
    assert SlotClock([]).earliest(100) is SlotClock([]).latest(100) is None


def test_a_known_block_time_bounds_its_own_slot() -> None:
    clock = SlotClock([(100, T)])
    assert (clock.earliest(100), clock.latest(100)) == (T, T)


def test_of_two_block_times_of_one_slot_the_later_counts() -> None:
    assert SlotClock([(100, T + 3), (100, T)]).latest(100) == SlotClock([(100, T), (100, T + 3)]).latest(100) == T + 3


def test_slots_take_time_and_not_more_than_they_are_believed_to() -> None:
    """A thousand slots mean 400 s; what is said stays on the safe side of that, and within the neighbours."""
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
    """A cluster that runs at half the pace is believed after three thousand slots, and not after three hundred."""
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
    alone = SlotClock([], (2000, T))
    assert (alone.earliest(2000), alone.latest(2000), alone.latest(1999)) == (T, T, T)
    earlier = alone.earliest(1000)
    assert earlier is not None
    assert earlier <= T - 400


def test_a_stated_time_that_runs_ahead_of_the_slots_is_left_out() -> None:
    """The accounts were read two hundred seconds after the last block: a clock that says three hours is of another moment."""
    clock = SlotClock([(1000, T)], (1500, T + 10800))
    assert clock.disagrees
    assert clock.stated == (1500, T + 10800)
    low, high = clock.earliest(1500), clock.latest(1500)
    assert low is not None
    assert high is not None
    assert T <= low <= high <= T + 250 + SLACK


@pytest.mark.parametrize(("late", "disagrees"), [(0, False), (250, False), (250 + SLACK, False), (251 + SLACK, True)])
def test_how_far_ahead_a_stated_time_may_be(late: int, disagrees: bool) -> None:
    assert SlotClock([(1000, T)], (1500, T + late)).disagrees is disagrees


def test_a_stated_time_without_a_block_before_it_is_taken_as_it_is() -> None:
    assert not SlotClock([(3000, T)], (2000, T + 9000)).disagrees


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
def test_a_time_of_collection_that_cannot_be(collected_at: int, evidence: list[int], wanted: bool) -> None:
    assert is_impossible(collected_at, evidence, []) is wanted


def test_the_worker_s_clock_may_be_hours_ahead_of_a_collection() -> None:
    assert not is_impossible(T, [], [T + 86400])
    assert is_impossible(T, [], [T + 86401])
    assert is_impossible(T + 366 * 86400 + 1, [], [T])
