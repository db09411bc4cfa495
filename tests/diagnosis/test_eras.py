"""Which program was deployed when: what decides, in which order, and what a date may not do."""

from __future__ import annotations

import pytest

from popkit.chain.clock import SlotClock
from popkit.chain.eras import EARLIEST, EraTimeline, Shown, only, since

FEB_22, MAR_01, APR_01 = 1771718400, 1772323200, 1775001600


def test_behaviour_decides_over_model_and_date() -> None:
    eras = EraTimeline([Shown(10, only("strict"), "seen")], [(APR_01, "D")], None)
    assert (eras.at(10, APR_01).era, eras.at(10, APR_01).decided_by) == ("strict", "behaviour")


def test_the_workers_model_decides_over_the_date() -> None:
    eras = EraTimeline([], [(FEB_22, "A")])
    assert (eras.at(5, APR_01).era, eras.at(5, APR_01).decided_by) == ("strict", "worker model")


@pytest.mark.parametrize(
    ("moment", "era"),
    [
        (EARLIEST["strict"] - 1, "pre_pop"),
        (EARLIEST["strict"], "strict"),
        (FEB_22, "strict"),
        (MAR_01, "strict_v2"),
        (APR_01, "relaxed"),
    ],
)
def test_the_date_is_the_earliest_day_an_era_can_begin(moment: int, era: str) -> None:
    found = EraTimeline([]).at(5, moment)
    assert (found.era, found.decided_by) == (era, "date")


def test_an_option_decides_only_where_nothing_else_does() -> None:
    assert EraTimeline([], option="strict").at(5, APR_01).decided_by == "option"
    assert (
        EraTimeline([Shown(9, only("relaxed"), "seen")], option="strict").at(9, APR_01).era
        == "relaxed"
    )
    assert EraTimeline([], [(FEB_22, "B")], "relaxed").at(5, APR_01).era == "strict_v2"
    assert EraTimeline([], option="relaxed").at(5, FEB_22).era == "strict", (
        "not before its program existed"
    )


def test_a_program_stays_until_another_is_shown() -> None:
    eras = EraTimeline([Shown(10, only("strict"), "seen")])
    assert (eras.at(99, APR_01).era, eras.at(99, APR_01).decided_by) == ("strict", "behaviour")
    later = EraTimeline([Shown(10, only("strict"), "seen"), Shown(50, only("relaxed"), "seen")])
    assert [later.at(slot, APR_01).era for slot in (10, 50, 99)] == ["strict", "relaxed", "relaxed"]


def test_what_is_shown_later_bounds_what_was_before() -> None:
    eras = EraTimeline([Shown(50, only("pre_pop"), "nine accounts")])
    assert eras.at(3, APR_01).era == "pre_pop"


def test_an_older_program_after_a_newer_one_is_contradictory() -> None:
    assert EraTimeline(
        [Shown(1, only("relaxed"), "a"), Shown(2, only("strict"), "b")]
    ).is_contradictory
    assert not EraTimeline(
        [Shown(1, only("strict"), "a"), Shown(2, since("strict"), "b")]
    ).is_contradictory


def test_what_was_shown_before_and_after_is_named() -> None:
    raised, capped = (
        Shown(10, since("strict"), "twelve accounts"),
        Shown(30, only("strict"), "version 1"),
    )
    at = EraTimeline([capped, raised]).at(20, APR_01)
    assert (at.era, at.decided_by, at.basis, at.possible) == (
        "strict",
        "behaviour",
        "twelve accounts; version 1",
        ("strict",),
    )
    assert EraTimeline([raised, capped]).at(10, APR_01).basis == "twelve accounts; version 1", (
        "what its own slot shows counts"
    )
    assert EraTimeline([raised, capped]).at(30, APR_01).basis == "twelve accounts; version 1"
    same = EraTimeline([Shown(10, only("strict"), "version 1"), capped])
    assert same.at(20, APR_01).basis == "version 1", "said once"
    pinned = EraTimeline(
        [
            Shown(10, only("strict"), "early"),
            Shown(40, only("strict_v2"), "between"),
            Shown(70, only("relaxed"), "late"),
        ]
    )
    assert (pinned.at(40, None).era, pinned.at(40, None).basis) == ("strict_v2", "between")
    assert (pinned.at(9, FEB_22).era, pinned.at(5, FEB_22).decided_by) == ("strict", "date"), (
        "before it, an older one may have run"
    )
    assert pinned.at(5, EARLIEST["strict"] - 1).era == "pre_pop"


def test_what_one_slot_shows_is_named_in_one_order() -> None:
    told = [
        Shown(10, only("strict"), "b"),
        Shown(10, only("strict"), "a"),
        Shown(10, since("strict"), "z"),
    ]
    for shown in (told, told[::-1]):
        eras = EraTimeline(shown)
        assert [s.basis for s in eras.shown] == ["z", "a", "b"]
        assert eras.at(10, None).basis == "z; a"
    assert len(EraTimeline([*told, *told]).shown) == 3


def test_a_model_counts_from_its_first_anchor_on_and_backwards_for_what_was_before() -> None:
    eras = EraTimeline([], [(MAR_01, "B"), (FEB_22, "A")])
    assert [
        eras.at(5, moment).era for moment in (FEB_22 - 9, FEB_22, MAR_01 - 1, MAR_01, APR_01)
    ] == [*["strict"] * 3, *["strict_v2"] * 2]
    at = eras.at(5, FEB_22)
    assert at.decided_by == "worker model"
    assert "form published with this program" in at.basis
    assert at.possible == ("pre_pop", "strict", "strict_v2", "relaxed")
    assert eras.at(5, None).decided_by == "date", (
        "a model is dated; without a time it tells nothing"
    )
    both = EraTimeline([], [(FEB_22, "A"), (FEB_22, "C")])
    assert both.at(5, FEB_22).era == "strict_v2", "of one second, the newer model"


def test_a_model_of_two_programs_leaves_the_choice_to_the_date() -> None:
    eras = EraTimeline([], [(MAR_01, "D")])
    assert [
        (eras.at(5, moment).era, eras.at(5, moment).decided_by) for moment in (MAR_01, APR_01)
    ] == [
        ("strict_v2", "date"),
        ("relaxed", "date"),
    ]
    assert eras.at(5, FEB_22).era == "strict_v2", "the oldest that is left, where none had begun"


def test_a_model_that_behaviour_rules_out_does_not_count() -> None:
    eras = EraTimeline([Shown(10, since("strict_v2"), "seen")], [(FEB_22, "A")])
    assert (eras.at(20, APR_01).era, eras.at(20, APR_01).decided_by) == ("relaxed", "date")
    assert eras.at(20, APR_01).possible == ("strict_v2", "relaxed")


def test_a_program_stays_and_the_worker_may_have_gone_on() -> None:
    """What was last shown decides, unless the worker's model says that another program has come."""
    shown = [Shown(10, only("strict"), "seen")]
    stayed = EraTimeline(shown).at(99, APR_01)
    assert stayed.basis == "shown earlier, and nothing since shows another program"
    assert stayed.possible == ("strict", "strict_v2", "relaxed")
    assert EraTimeline(shown, [(FEB_22, "A")]).at(99, APR_01).decided_by == "worker model"
    assert EraTimeline(shown, [(FEB_22, "D")]).at(99, APR_01).era == "relaxed", (
        "model D was never published with the strict program"
    )
    newer = EraTimeline([Shown(10, only("strict_v2"), "seen")], [(FEB_22, "D")]).at(99, APR_01)
    assert (newer.era, newer.decided_by) == ("strict_v2", "behaviour"), (
        "model D ran on both: the program stays until another is shown"
    )
    two = EraTimeline([Shown(10, frozenset({"strict", "strict_v2"}), "a refusal")])
    assert [two.at(99, moment).era for moment in (FEB_22, APR_01)] == ["strict", "strict_v2"], (
        "the relaxed one was not what was shown"
    )
    assert two.at(10, APR_01).era == "strict_v2"
    assert two.at(9, APR_01).possible == ("pre_pop", "strict", "strict_v2")


def test_without_a_time_the_newest_that_is_left() -> None:
    at = EraTimeline([]).at(5, None)
    assert (at.era, at.decided_by, at.basis) == (
        "relaxed",
        "date",
        "the newest program that can have been deployed by then",
    )
    assert EraTimeline([], option="strict").at(5, None).era == "strict"


def test_an_option_is_not_taken_where_nothing_is_left_to_choose() -> None:
    at = EraTimeline([], option="strict").at(5, APR_01)
    assert (at.era, at.basis) == (
        "strict",
        "chosen by the operator; nothing in the evidence decides",
    )
    assert at.possible == ("pre_pop", "strict", "strict_v2", "relaxed")
    of_two = EraTimeline([Shown(10, since("strict_v2"), "x")], option="strict_v2").at(10, APR_01)
    assert (of_two.era, of_two.decided_by) == ("strict_v2", "option")
    assert EraTimeline([], option="pre_pop").at(5, EARLIEST["strict"] - 1).decided_by == "date"
    assert (
        EraTimeline([Shown(10, since("strict_v2"), "x")], option="strict").at(10, APR_01).decided_by
        == "date"
    )


def test_a_program_that_comes_back_is_followed() -> None:
    """Somebody put the older program back: from its first behaviour on it decides, and the newest
    behaviour of all decides now.
    """
    eras = EraTimeline([Shown(10, only("relaxed"), "a"), Shown(20, only("strict"), "b")])
    assert eras.is_contradictory
    assert [eras.at(slot, APR_01).era for slot in (10, 20, 30, 99)] == [
        "relaxed",
        "strict",
        "strict",
        "strict",
    ]
    assert {eras.at(slot, APR_01).decided_by for slot in (10, 20, 30)} == {"behaviour"}
    again = EraTimeline([*eras.shown, Shown(40, only("relaxed"), "c")])
    assert [again.at(slot, APR_01).era for slot in (20, 40, 50)] == ["strict", "relaxed", "relaxed"]
    assert not EraTimeline([]).is_contradictory


def test_between_two_programs_either_may_have_been_in_force() -> None:
    eras = EraTimeline([Shown(10, only("relaxed"), "a"), Shown(20, only("strict"), "b")])
    between = eras.at(15, APR_01)
    assert {"strict", "relaxed"} <= set(between.possible)
    up = EraTimeline([Shown(10, only("strict"), "a"), Shown(20, only("relaxed"), "b")]).at(
        15, APR_01
    )
    assert {"strict", "relaxed"} <= set(up.possible)


def test_what_an_older_spell_showed_does_not_bound_a_later_one() -> None:
    """The relaxed program was put back to a strict one: what comes after the strict one was shown
    need not be relaxed.
    """
    shown = [
        Shown(10, only("relaxed"), "a"),
        Shown(20, only("strict"), "b"),
        Shown(30, since("strict"), "c"),
    ]
    at = EraTimeline(shown).at(30, APR_01)
    assert (at.possible, at.may_be_strict) == (("strict", "strict_v2", "relaxed"), True)


@pytest.mark.parametrize(
    ("moment", "strict", "relaxed"),
    [(FEB_22, True, False), (MAR_01, True, False), (APR_01, True, True), (None, True, True)],
)
def test_a_date_alone_leaves_open_what_it_does_not_exclude(
    moment: int | None, strict: bool, relaxed: bool
) -> None:
    at = EraTimeline([]).at(5, moment)
    assert (at.decided_by, at.may_be_strict, at.may_be_relaxed) == ("date", strict, relaxed)


@pytest.mark.parametrize(
    ("eras", "strict", "relaxed"),
    [
        (EraTimeline([Shown(5, only("relaxed"), "seen")]), False, True),
        (EraTimeline([Shown(5, only("strict_v2"), "seen")]), True, False),
        (EraTimeline([], [(FEB_22, "B")]), True, False),
        (EraTimeline([], option="relaxed"), False, True),
        (EraTimeline([Shown(5, since("strict_v2"), "seen")]), True, True),
    ],
)
def test_what_decides_closes_the_question(eras: EraTimeline, strict: bool, relaxed: bool) -> None:
    at = eras.at(5, APR_01)
    assert (at.may_be_strict, at.may_be_relaxed) == (strict, relaxed)


def test_an_unknown_time_is_before_the_later_ones_that_are_known() -> None:
    """The node gave no time for slot 5; a block of February stands after it, so that no program of
    March ran then.
    """
    before = EraTimeline([], clock=SlotClock([(50, FEB_22)])).at(5, None)
    assert (before.era, before.may_be_relaxed) == ("strict", False)
    nothing = EraTimeline([], clock=SlotClock([(50, APR_01)])).at(5, None)
    assert nothing.may_be_strict
    assert nothing.may_be_relaxed


def test_an_era_and_those_after_it() -> None:
    assert since("strict_v2") == {"strict_v2", "relaxed"}
    assert since("pre_pop") == {"pre_pop", "strict", "strict_v2", "relaxed"}
