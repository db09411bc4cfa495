"""Two operators on one incident, and a hand that did half of it: one does each thing, the other
finds it done, with who did it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from popkit.cutover.run import Run
from popkit.cutover.sending.preparing import Rules, prepare
from popkit.cutover.sending.sending import send
from popkit.cutover.steps import switch
from popkit.drill.cutover import Rehearsal, confirmed, rehearsing
from tests.cutover.nights import code_of, events_of, landed, reopened
from tests.cutover.rehearsed import Notes

ONCE = {"set_paused": 1, "create_grant": 1, "fund_grant": 1}


def elsewhere(held: Rehearsal, run: Run) -> Run:
    """The same plan on another machine: a copy of its folder before anything was done."""
    place = held.folder / "elsewhere"
    shutil.copytree(run.root, place)
    return reopened(place, held.sleep)


def signature_of(run: Run, step: str) -> str:
    entry = run.result(step)
    assert entry is not None
    assert entry.facts["done_by"] == "us"
    return str(entry.facts["signature"])


def found_by(run: Run, step: str) -> dict[str, tuple[str, bool]]:
    """What a step found done by others: {call: (signature, whether it is the plan's own
    instruction)}.
    """
    entry = run.result(step)
    assert entry is not None
    assert entry.facts["done_by"] == "others"
    return {row["call"]: (row["signature"], row["same"]) for row in entry.facts["found"]}


def test_the_second_comes_after_the_first_claim_and_finds_everything_done() -> None:
    """By then the vault holds less than the plan's amount, and nothing on the chain marks that it
    was funded.
    """
    with (
        rehearsing("abandoned-proof", "head") as held,
        held.plan(reason="a test of two") as one,
        elsewhere(held, one) as other,
    ):
        for step in ("0", "1", "2", "2.4", "2.5"):
            confirmed(one, step)
        for step in ("0", "1", "2", "2.4"):
            shown = confirmed(other, step)
            if step == "2":
                assert signature_of(one, "2") in shown.text("en"), "the evidence is on the screen"
        assert found_by(other, "0") == {"set_paused": (signature_of(one, "0"), True)}
        assert set(found_by(other, "2").values()) == {(signature_of(one, "2"), True)}
        assert other.result("2.4").facts["done_by"] == "others"
        assert other.result("2.4").facts["event"] == one.result("2.4").facts["event"]
        assert code_of(lambda: confirmed(other, "2.5")) == "not_first"
        found = landed(held, one.plan)
        assert {name: found[name] for name in ONCE} == ONCE
        assert found["claim_grant"] == 1
        assert len(events_of(held, one.plan)) == 1


@pytest.mark.parametrize("era", ["strict", "head"])
def test_both_send_the_switch_and_the_event_at_once(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with a plan of their own: both meet at one address, one wins, and the other finds out at
    once or at the next look.
    """
    with (
        rehearsing("abandoned-proof", era) as held,
        held.plan(reason="first") as one,
        held.plan(name="other", reason="second") as other,
    ):
        assert one.digest != other.digest
        assert one.plan.new_grant is not None
        assert other.plan.new_grant is not None
        assert one.plan.new_grant.address == other.plan.new_grant.address
        for run in (one, other):
            for step in ("0", "1"):
                confirmed(run, step)

        def overtaken(*args: Any, **named: Any) -> Any:
            monkeypatch.setattr(switch, "send", send)
            confirmed(one, "2")
            return send(*args, **named)

        monkeypatch.setattr(switch, "send", overtaken)
        assert code_of(lambda: confirmed(other, "2")) in ("expired", "landed_failed")
        confirmed(other, "2")
        assert {signature for signature, _ in found_by(other, "2").values()} == {
            signature_of(one, "2")
        }

        desk = other.desk()
        create = desk.create_event

        def later(*args: Any, **named: Any) -> Any:
            confirmed(one, "2.4")
            return create(*args, **named)

        monkeypatch.setattr(desk, "create_event", later)
        confirmed(other, "2.4")
        assert other.result("2.4").facts["done_by"] == "others"
        assert other.result("2.4").facts["event"] == one.result("2.4").facts["event"]
        found = landed(held, one.plan)
        assert {name: found[name] for name in ONCE} == ONCE
        assert len(events_of(held, one.plan)) == 1


def test_another_amount_is_not_paid_on_top() -> None:
    with (
        rehearsing("abandoned-proof", "strict") as held,
        held.plan(reason="first", amount=3) as one,
        held.plan(name="other", reason="second", amount=5) as other,
    ):
        for run, steps in ((one, ("0", "1", "2")), (other, ("0", "1"))):
            for step in steps:
                confirmed(run, step)
        assert code_of(lambda: confirmed(other, "2")) == "drift"
        assert landed(held, one.plan)["fund_grant"] == 1


@pytest.mark.parametrize(
    "by_hand", [("create_grant",), ("create_grant", "fund_grant")], ids="+".join
)
def test_half_by_hand_is_taken_over(by_hand: tuple[str, ...], tmp_path: Path) -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        for step in ("0", "1"):
            confirmed(run, step)
        chosen = run.step("2")
        assert isinstance(chosen, switch.Switch)
        signatures = {}
        for call in chosen.calls():
            if call.name in by_hand:
                pair, key = run.pair(), run.key("authority")
                prepared = prepare(
                    pair.first,
                    [call],
                    chosen.payer,
                    [key],
                    fee_cap_lamports=50_000,
                    rules=Rules(rewrites=True),
                )
                outcome = send(
                    prepared,
                    pair.first,
                    pair.second,
                    tmp_path,
                    Notes(),
                    call.name,
                    sleep=held.sleep,
                )  # type: ignore[arg-type]
                assert outcome.kind == "landed"
                signatures[call.name] = outcome.signature
        confirmed(run, "2")
        entry = run.result("2")
        assert entry is not None
        if "fund_grant" in by_hand:
            assert found_by(run, "2") == {
                name: (signature, True) for name, signature in signatures.items()
            }
        else:
            assert entry.facts["done_by"] == "us"
        confirmed(run, "2.4")
        found = landed(held, run.plan)
        assert {name: found[name] for name in ONCE} == ONCE
