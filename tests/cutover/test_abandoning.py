"""A stranger asks for a proof of the new grant before anybody was told of it: noticed, never
announced, given up, and planned anew.
"""

from __future__ import annotations

from popkit.cutover.abandoning import abandon
from popkit.cutover.planning.survey import token_account
from popkit.cutover.resolving import resolve
from popkit.cutover.run import Run
from popkit.drill.cutover import Rehearsal, carried_out, confirmed, rehearsing
from popkit.protocol.pda import associated_token_address
from tests.cutover.killing import Kill, run_child
from tests.cutover.nights import code_of, hands, landed, reopened, time_for_children


def given_up(run: Run) -> int:
    """Give a run's new grant up as a person does; the exit code."""
    asked = abandon(run, None)
    assert asked.exit_code == 0
    assert run.plan.new_grant is not None
    token = run.step("0").confirmations.outstanding("abandon")
    assert token is not None
    return abandon(run, f"{token.token}:{run.plan.new_grant.address[-6:]}").exit_code


def tokens_of_school(held: Rehearsal, run: Run) -> int:
    old = run.plan.old_grant
    place = associated_token_address(old.authority, old.mint)
    held_tokens = token_account(run.pair().first.accounts([place])[place])
    assert held_tokens is not None
    return held_tokens.amount


def new_of(run: Run) -> str:
    assert run.plan.new_grant is not None
    return run.plan.new_grant.address


def test_a_poisoned_grant_is_noticed_given_up_and_a_new_plan_is_verified() -> None:
    with rehearsing("abandoned-proof", "strict") as held:
        with held.plan() as run:
            before = tokens_of_school(held, run)
            for step in ("0", "1", "2"):
                confirmed(run, step)
            assert tokens_of_school(held, run) < before
            hands(held).upset({"upset": "asked-early", "value": new_of(run)})
            assert code_of(lambda: confirmed(run, "2.4")) == "address_poisoned"
            assert given_up(run) == 0
            assert tokens_of_school(held, run) == before, "closing gives the tokens back"
            assert run.pair().second.accounts([new_of(run)])[new_of(run)] is None
            assert code_of(lambda: confirmed(run, "2.4")) == "given_up"
            assert (run.root / "cutover.json").is_file()
            given = new_of(run)
        held.collect_again()
        assert code_of(lambda: held.plan(name="same")) in ("address_taken", "address_poisoned"), (
            "the old address is never used again"
        )
        with held.plan(name="anew", given_up=(given,)) as anew:
            assert new_of(anew) != given
            assert carried_out(anew)[-1] == "4"


def test_a_stranger_right_before_the_canary_and_one_before_the_plan() -> None:
    with rehearsing("abandoned-proof", "strict") as held:
        with held.plan() as run:
            for step in ("0", "1", "2", "2.4"):
                confirmed(run, step)
            hands(held).upset({"upset": "asked-early", "value": new_of(run)})
            assert code_of(lambda: confirmed(run, "2.5")) == "address_poisoned"
            assert landed(held, run.plan)["claim_grant"] == 0
            assert "2.5" in str(run.status().text("en"))
            root, given = run.root, new_of(run)
            value = given[-6:]
            abandon(run, None)
            token = run.step("0").confirmations.outstanding("abandon")
            assert token is not None
        with time_for_children(held):
            kill = Kill(1, "after", ("popkit.cutover.sending.sending:_Course._post",))
            assert run_child(closing, (root, f"{token.token}:{value}"), kill, timeout=120)
        with reopened(root, held.sleep) as again:
            assert not again.is_given_up
            assert given_up(again) == 0
            closed = again.journal.last("given_up")
            assert closed is not None
            assert closed.facts["signature"] is not None, (
                "the closing that landed before the kill is named"
            )
            assert landed(held, again.plan)["close_grant"] == 1
            assert resolve(again, "2.5").exit_code == 0


def closing(root: object, confirm: str) -> None:
    """A child's whole work: give the grant up."""
    with reopened(root) as run:  # type: ignore[arg-type]
        abandon(run, confirm)


def test_an_address_that_was_asked_about_before_the_plan_is_refused() -> None:
    with rehearsing("abandoned-proof", "head") as held:
        with held.plan(reason="a look at the address") as run:
            address = new_of(run)
        hands(held).upset({"upset": "asked-early", "value": address})
        assert (
            code_of(lambda: held.plan(name="late", reason="a look at the address"))
            == "address_poisoned"
        )
