"""Which program was deployed when: what decides, in which order, and what a date may not do."""

from __future__ import annotations

import pytest

from popkit.eras import EARLIEST, EraTimeline, Shown, only, since

FEB_22, MAR_01, APR_01 = 1771718400, 1772323200, 1775001600


def test_behaviour_decides_over_model_and_date() -> None:
    eras = EraTimeline([Shown(10, only("strict"), "seen")], [(APR_01, "D")], None)
    assert (eras.at(10, APR_01).era, eras.at(10, APR_01).decided_by) == ("strict", "behaviour")


def test_the_workers_model_decides_over_the_date() -> None:
    eras = EraTimeline([], [(FEB_22, "A")])
    assert (eras.at(5, APR_01).era, eras.at(5, APR_01).decided_by) == ("strict", "worker model")


@pytest.mark.parametrize(
    ("moment", "era"), [(EARLIEST["strict"] - 1, "pre_pop"), (FEB_22, "strict"), (MAR_01, "strict_v2"), (APR_01, "relaxed")]
)
def test_the_date_is_the_earliest_day_an_era_can_begin(moment: int, era: str) -> None:
    found = EraTimeline([]).at(5, moment)
    assert (found.era, found.decided_by) == (era, "date")


def test_an_option_decides_only_where_nothing_else_does() -> None:
    assert EraTimeline([], option="strict").at(5, APR_01).decided_by == "option"
    assert EraTimeline([Shown(9, only("relaxed"), "seen")], option="strict").at(9, APR_01).era == "relaxed"
    assert EraTimeline([], [(FEB_22, "B")], "relaxed").at(5, APR_01).era == "strict_v2"
    assert EraTimeline([], option="relaxed").at(5, FEB_22).era == "strict", "not before its program existed"


def test_a_program_stays_until_another_is_shown() -> None:
    eras = EraTimeline([Shown(10, only("strict"), "seen")])
    assert (eras.at(99, APR_01).era, eras.at(99, APR_01).decided_by) == ("strict", "behaviour")
    later = EraTimeline([Shown(10, only("strict"), "seen"), Shown(50, only("relaxed"), "seen")])
    assert [later.at(slot, APR_01).era for slot in (10, 50, 99)] == ["strict", "relaxed", "relaxed"]


def test_what_is_shown_later_bounds_what_was_before() -> None:
    eras = EraTimeline([Shown(50, only("pre_pop"), "nine accounts")])
    assert eras.at(3, APR_01).era == "pre_pop"


def test_an_older_program_after_a_newer_one_is_contradictory() -> None:
    assert EraTimeline([Shown(1, only("relaxed"), "a"), Shown(2, only("strict"), "b")]).is_contradictory
    assert not EraTimeline([Shown(1, only("strict"), "a"), Shown(2, since("strict"), "b")]).is_contradictory
