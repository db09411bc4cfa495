"""The new grant's terms beside the old one's: its start, its id, its allowlist; and a grant that
was paused before.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popkit.chain.history import ZERO_ROOT, Terms
from popkit.cutover.errors import Stopped
from popkit.cutover.planning.deciding import ID_BITS, Gate, given_up_for, new_grant_id, start_of
from popkit.cutover.planning.survey import is_on_curve
from popkit.drill.incidents.lost import abandoned
from popkit.drill.stage import Stage
from popkit.protocol.accounts import decode_grant
from tests.cutover.planned import night, scene

OLD, OTHER = (
    "ASPFL4K8fZDeZoqdieK3e9rL39UGeYvhT4ZNXnFSJQCg",
    "BfUdtGxi5y5JPpxFxndxCt1XF5Yds4hEyTxWd25NVhMw",
)
MOST = (1 << 63) - 1


def terms(start: int, period: int) -> Terms:
    return Terms(
        authority=OLD, mint=OTHER, grant_id=1, amount_per_period=1, period_seconds=period, start_ts=start, expires_at=0,
        merkle_root=ZERO_ROOT, paused=False,
    )  # fmt: skip


@given(st.integers(0, 1 << 40), st.integers(1, 1 << 40), st.integers(0, 1 << 42))
def test_the_start_is_the_latest_boundary_that_is_not_after_now(
    start: int, period: int, later: int
) -> None:
    now = start + later
    found = start_of(terms(start, period), now, None, Gate(None))
    assert found <= now < found + period
    assert (found - start) % period == 0


def test_the_start_at_a_boundary_and_a_second_to_either_side() -> None:
    for now, wanted in ((999, 900), (1000, 1000), (1001, 1000), (1099, 1000), (1100, 1100)):
        assert start_of(terms(0, 100), now, None, Gate(None)) == wanted
    assert start_of(terms(-50, MOST), 1000, None, Gate(None)) == -50


def test_a_grant_that_has_not_begun_gives_no_start_that_is_to_come() -> None:
    for given_start in (None, 2000, 1001):
        with pytest.raises(Stopped) as stopped:
            start_of(terms(2000, 100), 1000, given_start, Gate("a reason overrides nothing here"))
        assert stopped.value.code == "future_start"
    assert start_of(terms(2000, 100), 1000, 1000, Gate(None)) == 1000  # on its calendar, and typed
    assert start_of(terms(2000, 100), 2000, None, Gate(None)) == 2000


def test_a_start_beside_the_calendar_takes_a_reason() -> None:
    with pytest.raises(Stopped) as stopped:
        start_of(terms(0, 100), 1000, 950, Gate(None))
    assert stopped.value.code == "start_off_calendar"
    gate = Gate("the school moved to Mondays")
    assert (start_of(terms(0, 100), 1000, 950, gate), gate.overridden) == (
        950,
        ["start_off_calendar"],
    )


def test_two_operators_meet_at_one_id_and_a_given_up_one_is_never_met_again() -> None:
    ids = [
        new_grant_id(OLD, "entry", ()),
        new_grant_id(OLD, None, ()),
        new_grant_id(OTHER, "entry", ()),
        new_grant_id(OLD, "entry", (OLD,)),
        new_grant_id(OLD, "entry", (OLD, OTHER)),
    ]
    assert len(set(ids)) == len(ids)
    assert new_grant_id(OLD, "entry", (OTHER, OLD, OTHER)) == ids[-1]
    assert all(0 <= each < 1 << ID_BITS for each in ids)


def test_only_new_grants_of_this_old_one_can_have_been_given_up() -> None:
    first, strange = new_grant_id(OLD, "entry", ()), str(new_grant_id(OTHER, "entry", ()))
    second = new_grant_id(OLD, "entry", (str(first),))
    for named, ours in (
        ((), ()),
        ((strange,), ()),
        ((str(first),), (first,)),
        ((str(second), strange, str(first)), (first, second)),
        ((str(second),), ()),  # nobody comes to the second without giving up the first
    ):
        assert given_up_for(OLD, "entry", named, str) == {str(each) for each in ours}


def test_an_allowlist_is_carried_over_in_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(stage: Stage) -> None:
        abandoned(stage)
        stage.switch("set_allowlist_root", {"merkle_root": "77" * 32})
        stage.switch("set_paused", {"paused": True})

    with night(scene(monkeypatch, play, eras=("strict",)), "strict") as found:
        plan = found.plan()
        assert plan.new_grant is not None
        assert plan.new_grant.terms.merkle_root == "77" * 32
        assert not plan.new_grant.terms.paused
        calls = plan.step("2").instructions
        assert [one.name for one in calls] == [
            "marker",
            "create_grant",
            "set_allowlist_root",
            "fund_grant",
        ]
        assert calls[2].args["merkle_root"] == "77" * 32
        assert plan.old_grant.terms.paused
        assert plan.step("0").instructions == []  # it is paused already: nothing is signed for it
        roles = found.plan(by_roles=True)
        assert [one.name for one in roles.step("2.1").instructions] == [
            "create_grant",
            "set_allowlist_root",
        ]
        assert [one.name for one in roles.step("2.2").instructions] == ["marker", "fund_grant"]


def test_every_term_but_the_start_is_the_old_ones_and_a_period_may_be_as_long_as_there_are_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def play(stage: Stage) -> None:
        abandoned(stage)

    with night(
        scene(monkeypatch, play, eras=("strict",), terms={"period_seconds": MOST, "amount": 3}),
        "strict",
    ) as found:
        plan = found.plan()
        assert plan.new_grant is not None
        assert plan.new_grant.terms == plan.old_grant.terms
        held = decode_grant(found.stage.world.ledger.accounts[found.stage.grant.address].data)
        assert (plan.new_grant.terms.period_seconds, plan.new_grant.terms.amount_per_period) == (
            held.period_seconds,
            "3",
        )


def test_an_authority_off_the_curve_is_planned_for_without_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with night("abandoned-proof", "strict") as found:
        assert is_on_curve(found.stage.grant.authority)
        assert not is_on_curve(found.stage.grant.vault)
        monkeypatch.setattr("popkit.cutover.planning.survey.is_on_curve", lambda key: False)
        assert found.code() == "multisig_authority"
        plan = found.plan(authority_key=None)
        assert plan.roles.is_multisig
        assert plan.money is not None
        assert (plan.money.fees, [step.id for step in plan.steps if step.instructions]) == (
            0,
            ["0", "2"],
        )
        costs = plan.money.payer_lamports - plan.money.payer_after
        with found.lamports(
            plan.money.payer, costs
        ):  # the vault pays rent, and whoever executes the proposal pays the fee
            assert found.plan(authority_key=None).roles.is_multisig
        with found.lamports(plan.money.payer, costs + 1):
            assert found.code(authority_key=None) == "poor_payer"
