"""Each step under each fault of the drill: done, stopped with a reason, or not known until
`resolve`; never a wrong "done", nothing twice.

POPKIT_EVERY=1 tries every fault of sending at every step that sends.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from popkit.cutover.errors import OutcomeUnknown, Stopped
from popkit.cutover.resolving import CHOICE, resolve
from popkit.cutover.run import Run
from popkit.cutover.sending.attempts import Outcome, of_step
from popkit.cutover.sending.sending import send
from popkit.cutover.steps import switch
from popkit.drill.cutover import FUNDER, WALLET, Rehearsal, confirmed, rehearsing
from popkit.texts import LANGUAGES
from tests.cutover.nights import EVERY, assert_whole, code_of, events_of, hands, landed, reopened

SENDING = ["lost-answer:1", "late:40:1", "dropped-first:1:1", "dropped:1", "null-status:1", "stale-blockhash:3", "429:0.3", "never-seen:1",
    "html-502:0.3", "cut:0.3", "null:1"]  # fmt: skip
"""Faults of the first node under which a step may act."""
NIGHTS = [
    {"0": SENDING[0], "2": SENDING[1], "2.5": SENDING[6]},
    {"0": SENDING[3], "2": SENDING[7], "2.5": SENDING[2]},
]
if EVERY:
    NIGHTS += [dict.fromkeys(("0", "2", "2.5"), fault) for fault in SENDING]
LOOKING = {
    "other-genesis": {"endpoints_disagree"},
    "forked": {"endpoints_disagree", "drift"},
    "surfnet": {"forked_node"},
    "clock:7200": {"clock_off", "stale_plan"},
    "server-error:1": {"no_answer"},
    "redirect:1": {"no_answer"},
    "html:1": {"no_answer"},
    "forgets": {"history_missing"},
}
"""Faults of a node under which no step may act, and for which reasons it may stop."""


def suffer(held: Rehearsal, fault: str, node: str = "node") -> None:
    hands(held).upset({"upset": node, "value": fault})


def outcome(run: Run, step: str) -> str:
    """How a step ends under a fault; nothing but these."""
    try:
        confirmed(run, step)
    except Stopped as stopped:
        ends = stopped
    else:
        return "done"
    assert ends.exit_code == (3 if isinstance(ends, OutcomeUnknown) else 1)
    assert str(ends.reason)
    assert str(ends.advice)
    return "unknown" if isinstance(ends, OutcomeUnknown) else "stopped"


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: " ".join(dict.fromkeys(night.values())))
def test_a_night_of_faults_of_sending(night: dict[str, str]) -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        for step in (one.id for one in run.plan.steps):
            suffer(held, night.get(step, "well"))
            ends = outcome(run, step)
            assert (run.state(step) == "done") == (ends == "done")
            suffer(held, "well")
            if ends == "unknown":
                assert run.state(step) == "unknown"
                assert code_of(lambda step=step: confirmed(run, step)) == "unknown_outcome"  # type: ignore[misc]
                assert resolve(run, step).exit_code == 0
            if run.state(step) != "done":
                confirmed(run, step)
        assert_whole(run.root)
        assert {
            name: n for name, n in landed(held, run.plan).items() if name != "upsert_pop_config"
        } == {
            "set_paused": 1,
            "create_grant": 1,
            "fund_grant": 1,
            "claim_grant": 1,
        }


def test_what_nobody_knows_is_a_choice_with_its_risks_until_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One node hides what landed, the other lags: nothing is sent again or called failed, and a
    person sees what can be done.
    """
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        for step in ("0", "1"):
            confirmed(run, step)

        def hidden(*args: Any, **named: Any) -> Any:
            suffer(held, "never-seen:1")
            hands(held).upset({"upset": "second-behind", "value": "5000"})
            return send(*args, **named)

        monkeypatch.setattr(switch, "send", hidden)
        assert outcome(run, "2") == "unknown"
        shown = resolve(run, "2")
        assert shown.exit_code == 3
        assert all(str(choice()) in shown.text("en") for choice in CHOICE)
        assert run.status().exit_code == 3
        suffer(held, "well")
        hands(held).upset({"upset": "second-behind", "value": "0"})
        assert resolve(run, "2").exit_code == 0
        assert run.state("2") == "done"
        assert landed(held, run.plan)["fund_grant"] == 1


@pytest.mark.parametrize("node", ["node", "second-node"])
def test_a_node_that_is_not_to_be_trusted_stops_every_step(node: str) -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        for step in ("0", "1"):
            confirmed(run, step)
        before = landed(held, run.plan)
        for fault, codes in LOOKING.items():
            if node == "second-node" and fault.startswith("clock"):
                continue  # the first one's clock counts, which the machine's own vouches for
            suffer(held, fault, node)
            held.sleep(30)
            assert code_of(lambda: confirmed(run, "2")) in codes, fault
            suffer(held, "well", node)
        assert landed(held, run.plan) == before
        suffer(held, "stands-still", node)
        held.sleep(120)
        assert code_of(lambda: confirmed(run, "2")) == (
            "clock_off" if node == "node" else "endpoints_disagree"
        )
        assert run.state("2") == "open"
        assert run.status().exit_code == 0, "nothing is outstanding"
        assert of_step(run.attempts, "2") == []
        assert landed(held, run.plan) == before
        suffer(held, "well", node)
        confirmed(run, "2")
        assert [attempt.number for attempt in of_step(run.attempts, "2")] == [1]
        assert landed(held, run.plan) - before == {"create_grant": 1, "fund_grant": 1}


def test_what_a_node_refused_or_did_not_show_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a refusal after the bytes expired, and a node that lagged after the landing: in
    both languages, and at each look.
    """
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        assert isinstance(run.step("0"), switch.Switch)
        for kind, code, state, error in (
            ("expired", "expired", "open", 1),
            ("unknown", "unknown_outcome", "unknown", 3),
        ):
            with pytest.raises(Stopped) as refused:
                run.step("0").settle(Outcome(kind, "5" * 64, error="GrantPaused"))  # type: ignore[attr-defined,arg-type]
            assert (refused.value.code, refused.value.exit_code, run.state("0")) == (
                code,
                error,
                state,
            )
            assert all(
                "GrantPaused" in refused.value.reason.in_language(language)
                for language in LANGUAGES
            )
        assert resolve(run, "0").exit_code == 0
        confirmed(run, "0")
        confirmed(run, "1")

        def unshown(*args: Any, **named: Any) -> Any:
            hands(held).upset({"upset": "second-behind", "value": "5000"})
            return send(*args, **named)

        monkeypatch.setattr(switch, "send", unshown)
        chosen = run.step("2")
        assert chosen.dry().exit_code == 0
        done = chosen.act(f"{chosen.token()}:{chosen.plan.value}")
        assert done.exit_code == 0
        for shown in (done, chosen.act()):
            assert "did not give the accounts after the landing" in shown.text("en")
            assert "取り込み後のアカウントを返しませんでした" in shown.text("ja")


def test_a_second_node_that_lags_never_makes_a_wrong_done() -> None:
    with (
        rehearsing("abandoned-proof", "head", behind=60) as held,
        held.plan(reason="a lagging node") as run,
    ):
        for step in ("0", "1", "2"):
            for _ in range(3):
                if run.state(step) == "unknown":
                    resolve(run, step)
                if run.state(step) != "done" and outcome(run, step) != "done":
                    held.sleep(60)
            assert run.state(step) == "done"
        found = landed(held, run.plan)
        assert (found["set_paused"], found["create_grant"], found["fund_grant"]) == (1, 1, 1)


def test_a_worker_that_is_down_freezes_warns_or_limits() -> None:
    """One evening at the event's step: each is a stop with advice, until an answer is lost after
    the worker did it.
    """
    with (
        rehearsing("abandoned-proof", "head") as held,
        held.plan(reason="a worker's evening") as run,
    ):
        for step in ("0", "1", "2"):
            confirmed(run, step)
        do = hands(held).upset
        for upset, back, codes in (
            ("worker-down", "worker-up", {"no_answer", "worker_not_ready", "worker_unreachable"}),
            ("frozen", "thawed", {"worker_frozen"}),
        ):
            do({"upset": upset})
            assert code_of(lambda: confirmed(run, "2.4")) in codes, upset
            do({"upset": back})
        do({"upset": "limited"})
        assert outcome(run, "2.4") == "stopped"
        held.sleep(130)
        do({"upset": "warned"})
        assert outcome(run, "2.4") == "stopped", "a warning is not overridden"
        assert not events_of(held, run.plan)
        held.sleep(130)
        do({"upset": "answer-502"})
        assert outcome(run, "2.4") == "unknown"
        assert code_of(lambda: confirmed(run, "2.4")) == "unknown_outcome"
        assert resolve(run, "2.4").exit_code == 0
        assert run.state("2.4") == "done"
        assert len(events_of(held, run.plan)) == 1


@pytest.mark.parametrize("upset", ["answer-502", "answer-lost", "sink-missing"])
def test_a_worker_that_fails_at_the_canary(upset: str) -> None:
    """What was asked and never answered is settled and asked again: one claim, whatever the worker
    lost.
    """
    with rehearsing("abandoned-proof", "head") as held, held.plan(reason="a canary") as run:
        for step in ("0", "1", "2", "2.4"):
            confirmed(run, step)
        _fails(held, run, upset)
        confirmed(run, "2.5")
        assert landed(held, run.plan)["claim_grant"] == 1


def test_another_wallet_takes_the_canary_where_the_worker_lost_the_first_ones_participation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker whose sink failed knows of the participation and has no receipt of it: no proof is
    ever issued to that wallet.
    """
    with rehearsing("abandoned-proof", "head") as held, held.plan(reason="a canary") as run:
        for step in ("0", "1", "2", "2.4"):
            confirmed(run, step)
        _fails(held, run, "sink-fails")
        assert outcome(run, "2.5") == "stopped"
        held.stage.world.ledger.fund(held.stage.world.address(FUNDER), 10**9)
        monkeypatch.setenv(held.names[WALLET], os.environ[held.names[FUNDER]])
        with reopened(run.root, held.sleep) as other:
            confirmed(other, "2.5")
            assert landed(held, run.plan)["claim_grant"] == 1
            monkeypatch.undo()
        with reopened(run.root, held.sleep) as again:
            assert again.step("2.5").act().exit_code == 0, "it was done, by whichever wallet"


def _fails(held: Rehearsal, run: Run, upset: str) -> None:
    """The canary under an upset of the worker, settled where its end is not known."""
    hands(held).upset({"upset": upset})
    ends = outcome(run, "2.5")
    assert ends in ("unknown", "stopped")
    assert run.state("2.5") == ("unknown" if ends == "unknown" else "open")
    hands(held).upset({"upset": "sink-works"})
    if ends == "unknown":
        assert resolve(run, "2.5").exit_code == 0


def test_a_grant_that_another_event_holds() -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        for step in ("0", "1", "2"):
            confirmed(run, step)
        assert run.plan.new_grant is not None
        hands(held).upset({"upset": "linked", "value": run.plan.new_grant.grant_id})
        assert code_of(lambda: confirmed(run, "2.4")) == "already_linked"
        assert run.state("2.4") == "open"
