"""An outcome that is not known: looked at again, settled where it can be proven, else a person's
choice with the risk of each answer.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from popkit.cutover.errors import Stopped
from popkit.cutover.pages.pages import STATES
from popkit.cutover.pages.screen import Screen
from popkit.cutover.pages.words import STEPS
from popkit.cutover.reasons import stop
from popkit.cutover.run import ACTING, EXPIRED
from popkit.cutover.sending.attempts import Attempt, of_step, outcome_of
from popkit.cutover.sending.sending import resume
from popkit.cutover.steps.canary import Canary
from popkit.cutover.steps.event import CloseEvent, LinkEvent
from popkit.cutover.steps.switch import Switch
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.cutover.run import Run

RESULT, CHOICES = Text("result", "結果"), Text("you can", "選択肢")
NOTHING = Text("nothing of this step is outstanding", "この手順に未決着のものはありません")
NEVER_SENT = Text(
    "nothing was sent: the step can be run again",
    "何も送信されていません。手順をもう一度実行できます",
)
SETTLED = Text("settled: {state}", "決着しました: {state}")
CHOICE = (
    Text(
        "wait, and run this again: nothing can go wrong by it; claimers wait meanwhile",
        "待ってから、もう一度これを実行する: 害はありませんが、参加者を待たせます",
    ),
    Text(
        "name other nodes (--rpc, --second-rpc) and run this again: a node that has forgotten the "
        "transaction proves nothing",
        "別のノード（--rpc、--second-rpc）で、もう一度これを実行する: 取引を忘れたノードは何の証明にもなりません",
    ),
    Text(
        "do not send another transaction: if the first one lands too, it is paid twice",
        "別の取引を送らない: 最初の取引も取り込まれると、二重払いになります",
    ),
    Text(
        "give the new grant up ('popkit cutover abandon') and plan anew: what was paid in comes "
        "back when it is closed",
        "新しい grant を放棄して計画し直す（`popkit cutover abandon`）: 入金した分は閉じるときに戻ります",
    ),
)
SAME, PROPOSAL = (
    Text(
        "the proposal is what the plan asks for, and no more",
        "提案は計画どおりで、余分なものはありません",
    ),
    Text("proposal", "提案"),
)


def resolve(run: Run, step: str) -> Screen:
    """Settle a step's outcome, or say what a person can do; its exit code is 0 where it is settled
    well, 1 badly, 3 not at all.
    """
    from popkit.cutover.records.record import write_record

    chosen = run.step(step)
    screen = Screen(STEPS[step].heading)
    if run.state(step) != "unknown":
        screen.add(RESULT(), NOTHING, tone="good")
        return screen.in_language(run.language)
    with run.journal.held():
        if isinstance(chosen, (LinkEvent, CloseEvent, Canary)):
            chosen.resolve()
        elif isinstance(chosen, Switch):
            _settle(run, chosen, screen)
        entry = run.result(step)
        if entry is not None:
            chosen.finish(entry)
        write_record(run)
    state = run.state(step)
    if state == "unknown":
        screen.add(RESULT(), STATES["unknown"], tone="stop")
        screen.add(CHOICES(), *CHOICE, tone="note")
        screen.commands = [f"popkit cutover resolve {shlex.quote(str(run.root))} {step}"]
        screen.exit_code = EXIT_CANNOT_TELL
    else:
        is_bad = state == "failed"
        screen.add(RESULT(), SETTLED(state=STATES[state]()), tone="stop" if is_bad else "good")
        screen.exit_code = EXIT_WRONG if is_bad else EXIT_FINE
    return screen.in_language(run.language)


def _settle(run: Run, chosen: Switch, screen: Screen) -> None:
    """Find out how the newest attempt of a step ended, and write it down: it only looks, and sends
    nothing again.

    An attempt that was never written down was never sent.
    """
    attempt = newest_attempt(run, chosen.id)
    if attempt is None:
        run.journal.write(EXPIRED, chosen.id, why="no attempt was written, so none was sent")
        screen.add(RESULT(), NEVER_SENT, tone="good")
        return
    pair = run.pair()
    known = outcome_of(attempt)
    if known is None:
        known = resume(
            attempt.file,
            pair.first,
            pair.second,
            run.journal,
            chosen.id,
            beat=run.beat,
            sleep=run.sleep,
        )
    try:
        entry = chosen.settle(known)
    except Stopped as stopped:  # the journal holds how it ended
        screen.add(RESULT(), stopped.reason, tone="stop")
    else:
        chosen.result_rows(screen, entry)


def newest_attempt(run: Run, step: str) -> Attempt | None:
    """The attempt that was signed since the step's last 'acting' entry; None where nothing was."""
    acting = run.journal.last(ACTING, step)
    attempts = of_step(run.attempts, step)
    before = acting.facts["attempts_before"] if acting is not None else 0
    return attempts[-1] if len(attempts) > before else None


def read_proposal(run: Run, step: str, address: str) -> Screen:
    """What lies in a multisig's proposal against the plan's calls. Exit code 1 where it is anything
    else.
    """
    from popkit.cutover.planning.stepping import call_of
    from popkit.cutover.sending.multisig import readback

    planned = run.plan.step(step)
    held = run.pair().second.accounts([address])[address]
    if held is None:
        raise stop("drift", field=address, was="account", now="null")
    apart = readback(
        held.data, [call_of(one) for one in planned.instructions], owner=held.owner, address=address
    )
    run.journal.write("readback", step, address=address, differences=[str(row) for row in apart])
    screen = Screen(STEPS[step].heading)
    if apart:
        screen.add(PROPOSAL(), *apart, tone="stop")
        screen.exit_code = EXIT_WRONG
    else:
        screen.add(PROPOSAL(), SAME, tone="good")
    return screen.in_language(run.language)
