"""What every step does: show itself, look without changing anything, act once on a confirmation.

The journal decides what was done. A step that was done shows its earlier result; one whose end is
not known does nothing but say so.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from popkit.cutover.errors import NotConfirmed, OutcomeUnknown, Stopped
from popkit.cutover.journals.confirmation import Confirmations
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import (
    CLUSTER,
    PLAN,
    PROGRAM,
    Looks,
    Result,
    age_of_plan,
    same_cluster,
    same_program,
)
from popkit.cutover.pages.pages import step_screen
from popkit.cutover.pages.screen import Screen, Tone
from popkit.cutover.pages.words import STEPS
from popkit.cutover.reasons import REASONS, stop
from popkit.cutover.run import ACTING, DONE, FAILED, LOOKED, UNKNOWN
from popkit.errors import EXIT_FINE, EXIT_WRONG
from popkit.texts import Moment, Sentence, Text, sentence

if TYPE_CHECKING:
    from popkit.cutover.plan import StepPlan
    from popkit.cutover.run import Run

ORDER = Text("order", "順序")
TOKEN, RESULT, NOT_CHECKED, DRY = (
    Text("token", "トークン"),
    Text("result", "結果"),
    Text("not checked", "未確認"),
    Text("dry run", "予行"),
)
CLEAN = Text(
    "nothing stands in the way; nothing was changed", "支障はありません。何も変更していません"
)
STOPS = Text("the step would stop: {reason}", "この手順は中止されます: {reason}")
IN_ORDER = Text("every step before it is done", "前の手順はすべて実施済みです")
CONFIRM = Text(
    "with the token, a colon, and the value looked up", "トークン、コロン、確認した値を続けて入力"
)
AGAIN = Text(
    "done already at {when}; shown as it was", "{when} に実施済み。当時の結果を表示しています"
)
NO_TOKEN = Text("no token counts for step {step} now", "手順 {step} に有効なトークンがありません")
DRY_FIRST = Text(
    "run step {step} dry first: it prints one",
    "先に手順 {step} を予行してください。トークンが表示されます",
)
FROZEN = "❄"


class Step:
    """One step of a run. `plan` is what the plan says of it."""

    def __init__(self, run: Run, plan: StepPlan) -> None:
        self.run, self.plan = run, plan
        self._stopped: Stopped | None = None

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def confirmations(self) -> Confirmations:
        """Tokens of this run, which live in its journal."""
        return Confirmations(self.run.journal, self.run.plan.limits.confirmation_seconds)

    # for a person

    def show(self) -> Screen:
        """The step on one screen; nothing is asked of anybody."""
        return step_screen(self.run, self.plan).in_language(self.run.language)

    def dry(self) -> Screen:
        """Look and simulate: every check, what could not be checked, and, where nothing stops, the
        token that confirms the step.
        """
        done = self.run.result(self.id)
        if done is not None:
            return self._frozen(done)
        self._refuse_unknown()
        self.forget()
        looks = self.look()
        screen = Screen(STEPS[self.id].heading)
        _show(screen, looks)
        self.simulated(screen, looks)
        self._stopped = stopped = looks.stopped
        self.run.journal.write(
            LOOKED,
            self.id,
            dry=True,
            checks=_rows(looks),
            stopped=stopped.code if stopped is not None else None,
        )
        if stopped is not None:
            screen.add(DRY(), STOPS(reason=stopped.reason), stopped.advice, tone="stop")
            screen.exit_code = EXIT_WRONG
            return screen.in_language(self.run.language)
        screen.add(DRY(), CLEAN, tone="good")
        name = shlex.quote(str(self.run.root))
        if self.plan.value:
            token = self.confirmations.ask(self.id, self.plan.value)
            screen.add(TOKEN(), token.token, CONFIRM)
            screen.commands = [
                *self.before_confirming(),
                f"popkit cutover step {name} {self.id} --confirm TOKEN:VALUE",
            ]
        else:
            screen.commands = [f"popkit cutover step {name} {self.id} --act"]
        screen.exit_code = EXIT_FINE
        return screen.in_language(self.run.language)

    def act(self, confirm: str | None = None) -> Screen:
        """Look, act, look again. A step that changes something needs `confirm`, "TOKEN:VALUE"; one
        that was done shows its result.

        Raises NotConfirmed, Stopped, or OutcomeUnknown; the journal says how far it came.
        """
        with self.run.journal.held():  # what another process did meanwhile is read first
            done = self.run.result(self.id)
            if done is not None:
                self.finish(done)
                return self._frozen(done)
            self._refuse_unknown()
            if self.plan.value:
                self.confirmations.check(confirm or "", self.id, self.plan.value)
            self.forget()
            self.wait_first()
            looks = self.look()
            self.run.journal.write(
                LOOKED,
                self.id,
                dry=False,
                checks=_rows(looks),
                stopped=looks.stopped.code if looks.stopped else None,
            )
            looks.refuse()
            entry = self.carry_out(looks)
            self.finish(entry)
        return self._result(entry)

    def finish(self, entry: Entry) -> None:
        """What follows a step that is done: what it still looks at, and the record. A process that
        was killed before makes up for it.
        """
        from popkit.cutover.records.record import write_record

        self.look_after(entry)
        write_record(self.run)

    def before_confirming(self) -> list[str]:
        """Commands that come before the confirmation, where there are any."""
        return []

    def token(self) -> str:
        """The token that counts for this step now. Raises NotConfirmed where none was asked for, or
        it is too old.
        """
        asked = self.confirmations.outstanding(self.id)
        if asked is None:
            raise NotConfirmed("no_token", NO_TOKEN(step=self.id), DRY_FIRST(step=self.id))
        return asked.token

    def why_not(self) -> Stopped:
        """Why the newest look at this step stopped it. Raises LookupError where it did not."""
        if self._stopped is None:
            raise LookupError(f"step {self.id} was not stopped")
        return self._stopped

    # for each kind of step to say

    def look(self) -> Looks:
        """The checks before the step: those of every step, then its own."""
        looks = Looks()
        looks.add(ORDER, self._in_order)
        self.look_around(looks)
        if looks.stopped is None:
            self.look_closer(looks)
        return looks

    def look_around(self, looks: Looks) -> None:
        """What every step of a cutover looks at: the plan's age, the cluster, the program."""
        run = self.run
        looks.add(PLAN, lambda: age_of_plan(run.plan, run.pair().first.clock().block_time))
        if looks.stopped is None:
            looks.add(CLUSTER, lambda: same_cluster(run.plan, run.pair(), run.wall()))
            looks.add(PROGRAM, lambda: same_program(run.plan, run.pair()))

    def look_closer(self, looks: Looks) -> None:
        """The step's own checks."""

    def forget(self) -> None:
        """Let go of what an earlier look collected: each look is its own."""

    def wait_first(self) -> None:
        """What is waited for between the confirmation and the look."""

    def look_after(self, entry: Entry) -> None:
        """What is looked at once after the step was done. It changes nothing and raises nothing:
        the step stays done.
        """

    def simulated(self, screen: Screen, looks: Looks) -> None:
        """What a dry run shows besides its checks."""

    def carry_out(self, looks: Looks) -> Entry:
        """Do it, and write the journal's entry that says that it is done. Raises Stopped."""
        raise NotImplementedError

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        """What is shown of a step that was done."""
        for name, value in entry.facts.items():
            if isinstance(value, (str, int)):
                screen.add(name, str(value))

    # what they share

    def done(self, *, by: str, **facts: Any) -> Entry:
        """Write that the step is done, by 'us' or by 'others'."""
        return self.run.journal.write(DONE, self.id, by=self.plan.role, done_by=by, **facts)

    def acting(self, **facts: Any) -> Entry:
        """Write that something is about to be sent: until its end is written, it is not known."""
        return self.run.journal.write(ACTING, self.id, by=self.plan.role, **facts)

    def failed(self, why: Stopped, **facts: Any) -> NoReturn:
        """Write that an attempt ended badly, and raise why."""
        self.run.journal.write(FAILED, self.id, by=self.plan.role, code=why.code, **facts)
        raise why

    def not_known(self, **facts: Any) -> NoReturn:
        """Write that nobody knows how an attempt ended, and raise it."""
        self.run.journal.write(UNKNOWN, self.id, by=self.plan.role, **facts)
        raise unknown(self.id)

    def _refuse_unknown(self) -> None:
        if self.run.state(self.id) == "unknown":
            raise unknown(self.id)

    def _in_order(self) -> Sentence:
        if self.run.is_given_up:
            raise stop("given_up")
        before = self.run.before(self.id)
        if before is not None:
            raise stop("too_early", step=self.id, before=before)
        return IN_ORDER()

    def _frozen(self, entry: Entry) -> Screen:
        screen = Screen(
            sentence(
                "{mark} {heading}",
                "{mark} {heading}",
                mark=FROZEN,
                heading=STEPS[self.id].heading(),
            )
        )
        screen.add(RESULT(), AGAIN(when=Moment(int(entry.at.wall))), tone="good")
        self.result_rows(screen, entry)
        return screen.in_language(self.run.language)

    def _result(self, entry: Entry) -> Screen:
        from popkit.cutover.pages.pages import status_screen

        screen = Screen(STEPS[self.id].heading)
        self.result_rows(screen, entry)
        screen.commands = status_screen(self.run).commands
        return screen.in_language(self.run.language)


def unknown(step: str) -> OutcomeUnknown:
    """That nobody knows how an attempt of a step ended."""
    reason = REASONS["unknown_outcome"].stop(step=step)
    return OutcomeUnknown(reason.code, reason.reason, reason.advice)


_TONES: dict[Result, Tone] = {"holds": "good", "note": "note", "stop": "stop"}


def _show(screen: Screen, looks: Looks) -> None:
    for check in looks.checks:
        screen.add(check.what(), check.words, tone=_TONES[check.result])


def _rows(looks: Looks) -> list[dict[str, str]]:
    return [
        {"what": str(check.what), "result": check.result, "words": str(check.words)}
        for check in looks.checks
    ]
