"""What a step refuses and how the command line says so; and the freeze: what it waits for, and what
it counts after the pause.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from pathlib import Path

import popkit
from popkit.cutover import run as runs
from popkit.cutover.errors import Stopped
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.run import Run, create_run
from popkit.cutover.steps.event import READY, worker_ready
from popkit.cutover.steps.freeze import Freeze
from popkit.drill.cutover import Rehearsal, confirmed, rehearsing
from tests.calling import called
from tests.cutover.killing import killed_everywhere
from tests.cutover.nights import EVERY, code_of, hands, landed, reopened


def exit_code(*words: object) -> int:
    """The exit code of a verb of `popkit cutover`; whatever is wrong is said on standard error or
    on the screen.
    """
    done = called("cutover", *map(str, words))
    assert done.stderr or done.stdout
    assert b"Traceback" not in done.stderr
    return done.returncode


def asked(root: Path, step: str) -> str:
    """The token that a dry run gives."""
    assert exit_code("step", root, step) == 0
    with reopened(root) as run:
        return run.step(step).token()


def value(run: Run, step: str) -> str:
    return run.plan.step(step).value


def test_what_a_step_refuses_has_its_exit_code_and_changes_nothing() -> None:
    """0 done or a clean dry run, 1 stopped, 2 wrong usage or confirmation; by the command line, in
    the order of a nervous night.
    """
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        root = run.root
        held.drill.desk.down = True
        assert code_of(lambda: worker_ready(run.step("2.4"))) == "worker_unreachable", (
            "as when it was planned"
        )
        held.drill.desk.down = False
        assert worker_ready(run.step("2.4")) == READY()
        assert exit_code("status", root) == 0
        assert exit_code("step", root, "2") == 1, "step 2 waits for step 0"
        assert exit_code("step", root, "9") == 2, "no such step"
        assert exit_code("step", root, "0", "--confirm", "ABCDEF:123456") == 2, (
            "no token was asked for"
        )
        assert exit_code("step", root, "0", "--act") == 2, (
            "it changes something, and needs more than --act"
        )
        token = asked(root, "0")
        assert exit_code("step", root, "0", "--confirm", f"{token}:wrong1") == 2
        assert exit_code("step", root, "0", "--confirm", token) == 2
        assert exit_code("step", root, "0", "--confirm", f"{token}:") == 2, "there is no default"
        newer = asked(root, "0")
        assert exit_code("step", root, "0", "--confirm", f"{token}:{value(run, '0')}") == 2, (
            "a newer one was asked for"
        )
        assert not landed(held, run.plan)
        assert exit_code("resolve", root, "0") == 0, "nothing is outstanding"
        with reopened(root, held.sleep) as again:
            again.step("0").act(f"{newer}:{value(run, '0')}")
        assert exit_code("step", root, "0", "--confirm", f"{newer}:{value(run, '0')}") == 0, (
            "done: its result is shown again"
        )
        assert exit_code("step", root, "1", "--act") == 0
        switch, event = asked(root, "2"), "2.4"
        assert exit_code("step", root, event, "--confirm", f"{switch}:{value(run, event)}") == 2, (
            "the token of another step"
        )
        with reopened(root) as later:
            later.journal._now = lambda: time.time() + 601
            assert (
                code_of(lambda: later.step("2").act(f"{switch}:{value(run, '2')}"))
                == "confirmation_too_old"
            )
        assert landed(held, run.plan)["set_paused"] == 1
        assert landed(held, run.plan)["create_grant"] == 0
        held.sleep(run.plan.limits.plan_seconds + 60)
        assert exit_code("step", root, "2") == 1, "the plan is stale: it can be read, and not run"
        assert exit_code("show", root) == 0
        assert exit_code("abandon", root) == 0
        with reopened(root) as last:
            token = last.step("0").confirmations.outstanding("abandon")
            assert token is not None
            assert last.plan.new_grant is not None
            assert (
                exit_code(
                    "abandon",
                    root,
                    "--confirm",
                    f"{token.token}:{last.plan.new_grant.address[-6:]}",
                )
                == 0
            )
        assert exit_code("step", root, "2") == 1, "given up"
        assert exit_code("status", root) == 0
        assert json.loads((root / "cutover.json").read_bytes())["given_up"] is True


def test_a_draft_is_read_and_never_run(tmp_path: Path) -> None:
    with rehearsing("abandoned-proof", "strict") as held:
        plan = make_plan(Request(case=popkit.open_case(held.case), grant=held.stage.grant.address))
        run = create_run(tmp_path / "draft", plan, held.local())
        assert exit_code("show", run.root) == 0
        assert exit_code("step", run.root, "0") == 1


def test_a_proof_on_its_way_is_waited_for_once_and_then_the_answer_is_another() -> None:
    """A grant that works is left for a reason that a person gave; a wallet has asked for a proof
    and never sends it: it is broken then.
    """
    with rehearsing("intact", "strict") as held, held.plan(reason="the school moves house") as run:
        _proof(held)
        before = held.stage.world.now
        freeze = run.step("0")
        dry = freeze.dry()
        assert dry.exit_code == 0, "the wait is named, and comes after the confirmation"
        assert "waits for them first" in dry.text("en")
        assert code_of(lambda: freeze.act(f"{freeze.token()}:wrong")) == "confirmation_value"
        assert held.stage.world.now - before < 120, "nothing is waited for without a confirmation"
        confirmation = f"{freeze.token()}:{freeze.plan.value}"
        with suppress(
            Stopped
        ):  # the answer is another then; a case that only knows less is a note, and the person's reason stands
            freeze.act(confirmation)
        looked = run.journal.last("looked", "0")
        assert looked is not None
        assert looked.facts["stopped"] == "other_answer" or any(
            row["result"] == "note" for row in looked.facts["checks"]
        )
        waited = run.journal.last("waited")
        assert waited is not None
        assert 0 < waited.facts["seconds"] <= 600
        assert held.stage.world.now - before >= waited.facts["seconds"]
        assert bool(landed(held, run.plan)) == (looked.facts["stopped"] is None)


def test_one_wait_is_all_and_then_a_person_freezes_all_the_same() -> None:
    """Proofs never stop: after the one wait a person decides, and says so with --wait-over."""
    with rehearsing("intact", "head") as held, held.plan(reason="the school moves house") as run:
        _proof(held)

        def sleep_and_ask(seconds: float) -> None:
            held.sleep(seconds)
            _proof(held)

        run.sleep = sleep_and_ask
        first = run.step("0")
        assert first.dry().exit_code == 0
        assert (
            code_of(lambda: first.act(f"{first.token()}:{first.plan.value}")) == "still_in_flight"
        )
        run.sleep = held.sleep
        assert run.step("0").dry().exit_code == 1, "nobody waits twice"
        assert len([entry for entry in run.journal.entries if entry.kind == "waited"]) == 1
        freeze = run.step("0")
        assert isinstance(freeze, Freeze)
        freeze.wait_over = True
        shown = freeze.dry()
        assert shown.exit_code == 0, shown.text("en")
        freeze.act(f"{freeze.token()}:{freeze.plan.value}")
        assert landed(held, run.plan)["set_paused"] == 1


def test_what_arrives_after_the_pause_is_counted_also_by_whoever_comes_later() -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        confirmed(run, "0")
        watched = run.journal.last("watched", "0")
        assert watched is not None
        assert watched.facts["arrived"] == 0
        stage = held.stage
        late = stage.world.worker.issue(stage.grant.address, stage.world.address("latecomer"))
        refused = stage.world.claim(stage.grant, late, "latecomer")
        assert refused.err is not None
        held.sleep(30)
        for step in ("1", "2", "2.4", "2.5", "3"):
            confirmed(run, step)
        watched = run.journal.last("watched", "0")
        assert watched is not None
        assert watched.facts == {"arrived": 1, "accepted": 0, "slots": [refused.slot]}


def _proof(held: Rehearsal) -> None:
    """A wallet asks for a proof of the old grant and does not send it yet."""
    stage, hand = held.stage, hands(held)
    wallet = stage.world.address(hand.somebody(f"slow {stage.world.ms}"))
    expected = stage.world.head(stage.grant) if stage.era == "head" else None
    stage.world.worker.issue(stage.grant.address, wallet, expected=expected)
    held.sleep(30)  # its issue is final in what is collected then


def planned(root: Path, made: Path) -> None:
    """A child's whole work: write a run for a plan that is there."""
    from popkit.cutover.plan import read_plan

    create_run(root, read_plan(made), runs.places.read_local(made))


def test_a_kill_while_a_run_is_written_leaves_a_run_or_none(tmp_path: Path) -> None:
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as run:
        shutil.copytree(run.root, tmp_path / "made")
        number = iter(range(1000))
        where = ("before", "after") if EVERY else ("before",)
        for killed in killed_everywhere(
            planned, lambda: (tmp_path / f"run-{next(number)}", tmp_path / "made"), where=where
        ):
            root = killed.args[0]
            code = exit_code("status", root)
            assert code in (0, 2), killed.kill
            assert (code == 0) == (root / "journal.jsonl").is_file()
