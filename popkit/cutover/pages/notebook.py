"""What `50_cutover.ipynb` calls: the screens of a run, a cell each. Every fault is a screen as
well, and no cell shows a traceback.

run = notebook.open_run("RUN", language="ja", confirm=CONFIRM) run.status()
# where we are run.step("2").show()                   # one screen run.step("2").dry()
# looks and simulates; changes nothing run.step("2").act(confirm=CONFIRM)     # acts where CONFIRM
names this step, and only there run.what_stops()                       # last: what was done, what
stops, and the exit code of an unattended run

CONFIRM is a text, "STEP TOKEN:VALUE" ("STEP" alone for a step that changes nothing), or a mapping
of step to "TOKEN:VALUE". Left empty, everything is a dry run and runs to its end: a step that would
stop, or that waits for another, says so on its screen.

An action that is stopped shows its screen and then fails its cell with the error's own name
(Stopped, NotConfirmed, OutcomeUnknown, UsageError), so that JupyterLab's "run all" and papermill
end there. papermill exits 1 and raises PapermillExecutionError, whose `ename` is that name; the
notebook that it writes holds the screen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from popkit.cutover.errors import OutcomeUnknown
from popkit.cutover.pages.screen import Screen, Words
from popkit.cutover.pages.words import STEPS
from popkit.cutover.plan import FILE, StepPlan
from popkit.cutover.planning.stepping import ORDER
from popkit.cutover.run import LOOKED, Run
from popkit.cutover.run import open_run as open_
from popkit.errors import (
    EXIT_CANNOT_TELL,
    EXIT_FINE,
    EXIT_INTERNAL,
    EXIT_USAGE,
    EXIT_WRONG,
    PopkitError,
    UsageError,
)
from popkit.texts import Language, Listed, Text, chosen_language

if TYPE_CHECKING:
    from popkit.cutover.steps import Step

TOO_EARLY = "too_early"
T = TypeVar("T")
Confirm = str | Mapping[str, str]

REASON, ADVICE = Text("reason", "理由"), Text("what to do", "対応")
STOPPED = Text("Stopped: {code}", "中止: {code}")
LEFT_OUT = Text(
    "not in this plan, which has the steps {steps}", "この計画にない手順です（計画の手順: {steps}）"
)
NOT_A_STEP = Text(
    "{step}: no such step; the steps are {steps}",
    "{step}: そのような手順はありません。手順は {steps} です",
)
NOT_NAMED = Text(
    "nothing was done: CONFIRM does not name step {step}",
    "何も実行していません。CONFIRM に手順 {step} の指定がありません",
)
NOT_PLANNED = Text(
    "CONFIRM names step {step}, which is not in this plan; nothing was done. The plan's steps are "
    "{steps}",
    "CONFIRM の手順 {step} はこの計画にありません。何も実行していません。計画の手順は {steps} です",
)
FORM = Text(
    "CONFIRM must name a step: “STEP TOKEN:VALUE”, or “STEP” for one that changes nothing",
    "CONFIRM には手順が必要です。「手順 TOKEN:VALUE」、または変更のない手順なら「手順」だけを指定してください",
)
TO_BE_DONE = Text(
    "CONFIRM names this step: the next cell looks again, then acts. A dry run here would replace "
    "its token.",
    "CONFIRM がこの手順を指定しています。次のセルが再確認のうえ実行します。ここで予行するとトークンが置き換わるため、行いません。",
)
FROZEN = Text(
    "done already; the next cell shows its result", "実施済み。結果は次のセルに表示します"
)
ACT, DRY = Text("act", "実行"), Text("dry run", "予行")
FAULT = Text(
    "a fault inside popkit ({what}); what was done so far stands in journal.jsonl alone",
    "popkit 内部の障害です（{what}）。ここまでに実行したことはjournal.jsonl だけが示します",
)
INTERRUPTED = Text(
    "interrupted; what was done so far stands in journal.jsonl alone",
    "中断しました。ここまでに実行したことは journal.jsonl だけが示します",
)
LOOK_AT_STATUS = Text(
    "do nothing by hand; look at run.status(), then try the same step with 'popkit cutover step'",
    "手作業では何もせず、run.status() を確認してから、`popkit cutover step` で同じ手順を試してください",
)
WHAT_STOPS = Text("What was done, and what stops", "実施したことと、止まる理由")
CLEAN = Text("dry run clean", "予行は支障なし")
WAITS, NOT_LOOKED = (
    Text("waits for an earlier step", "前の手順を待っています"),
    Text("not looked at here", "ここでは未確認"),
)
DONE, ACTED = Text("❄ done before", "❄ 以前に実施済み"), Text("done now", "今回実施")
STEP, EXIT_CODE = Text("step {id}", "手順 {id}"), Text("exit code", "終了コード")
EXIT_MEANS = Text(
    "{code}: as of 'popkit cutover' (0 done or clean, 1 stopped, 2 wrong usage, 3 not known)",
    "{code}（`popkit cutover` と同じ。0 完了または支障なし、1 中止、2 使い方の誤り、3 結果不明）",
)


class Fault(PopkitError):
    """Something in popkit failed that is nobody's mistake, or a person stopped it; where is not
    shown, as a page may be handed on.
    """

    code = "fault"
    exit_code = EXIT_INTERNAL

    def lines_in(self, language: Language) -> list[str]:
        return [LOOK_AT_STATUS.in_language(language)]


@dataclass(frozen=True, slots=True)
class Found:
    """How a step's newest dry run ended here: `code` names what stopped it (None: nothing did),
    with words.
    """

    code: str | None
    words: tuple[Words, ...]
    exit_code: int


def find_run(path: str) -> Path:
    """A run's folder, as `find` finds it."""
    return find(path, FILE)


def find(path: str, file: str) -> Path:
    """A folder that holds a file: as given, else the same path from a directory further up, so that
    a notebook finds it from its own.
    """
    wanted = Path(path)
    if not wanted.is_absolute() and not (wanted / file).is_file():
        for parent in Path.cwd().parents:
            if (parent / wanted / file).is_file():
                return Path(os.path.relpath(parent / wanted))
    return wanted


def open_run(path: str, *, language: str = "", confirm: Confirm = "") -> Checklist:
    """Open a run as a checklist. Shows a screen and raises UsageError where there is none, or where
    `confirm` names no step of it.
    """
    spoken = chosen_language(language or None, os.environ)
    return guarded(lambda: Checklist(open_(find_run(path), language=spoken), confirm), spoken)


class Checklist:
    """A run as the runbook's checklist. `named` is what CONFIRM confirms, by step."""

    def __init__(self, run: Run, confirm: Confirm = "") -> None:
        self.run, self.named = run, named(confirm)
        self.found: dict[str, Found] = {}
        self.acted: list[str] = []
        for step in self.named:
            if step not in self.steps:
                raise UsageError(NOT_PLANNED(step=step, steps=Listed(tuple(self.steps))))

    @property
    def steps(self) -> dict[str, StepPlan]:
        """The plan's steps by id, in order."""
        return {step.id: step for step in self.run.plan.steps}

    def status(self) -> Screen:
        """Where we are, what is next, what is outstanding, and what happens if nothing is done."""
        return guarded(self.run.status, self.run.language)

    def show(self) -> Screen:
        """The plan on one screen."""
        return guarded(self.run.show, self.run.language)

    def step(self, name: str) -> Cells:
        """A step's cells; one that the plan leaves out says so. Shows a screen and raises
        UsageError for a number that is no step's.
        """
        if name not in ORDER:
            failed(UsageError(NOT_A_STEP(step=name, steps=Listed(ORDER))), self.run.language)
        return Cells(self, name)

    def what_stops(self) -> Screen:
        """What was done, what each dry run of this page found, and the exit code that the whole of
        it comes to.
        """
        screen = Screen(WHAT_STOPS(), language=self.run.language)
        codes = [EXIT_FINE]
        for name in self.steps:
            codes.append(self._row(screen, name))
        worst = next(
            code
            for code in (EXIT_CANNOT_TELL, EXIT_INTERNAL, EXIT_WRONG, EXIT_USAGE, EXIT_FINE)
            if code in codes
        )
        screen.exit_code = worst
        screen.add(EXIT_CODE(), EXIT_MEANS(code=worst), tone="stop" if worst else "good")
        return screen

    def _row(self, screen: Screen, name: str) -> int:
        """Add how a step stands; its exit code."""
        label, found = STEP(id=name), self.found.get(name)
        if self.run.state(name) == "done":
            screen.add(label, ACTED if name in self.acted else DONE, tone="good")
        elif found is None:
            screen.add(label, NOT_LOOKED)
        elif found.code is None:
            screen.add(label, CLEAN, tone="good")
        elif found.code == TOO_EARLY:
            screen.add(label, WAITS)
        else:
            screen.add(label, *found.words, tone="stop")
            return found.exit_code
        return EXIT_FINE


class Cells:
    """The three cells of a step. Where the plan leaves the step out, the first says so and the
    others show nothing.
    """

    def __init__(self, checklist: Checklist, name: str) -> None:
        self.checklist, self.name, self.run = checklist, name, checklist.run

    @property
    def is_planned(self) -> bool:
        return self.name in self.checklist.steps

    @property
    def _step(self) -> Step:
        return self.run.step(self.name)

    def show(self) -> Screen:
        """The step on one screen; nothing is asked of anybody."""
        if not self.is_planned:
            screen = Screen("", language=self.run.language)
            screen.add(STEP(id=self.name), LEFT_OUT(steps=Listed(tuple(self.checklist.steps))))
            return screen
        screen = guarded(self._step.show, self.run.language)
        screen.commands = []
        return screen

    def dry(self) -> Screen | None:
        """Look and simulate. Never fails: what stops the step, or keeps it from being looked at,
        stands on the screen.
        """
        if not self.is_planned:
            return None
        if self.run.result(self.name) is not None:
            return self._short(DRY(), FROZEN())
        if self.name in self.checklist.named:
            return self._short(DRY(), TO_BE_DONE())
        try:
            screen = _unfaulted(self._step.dry)
        except PopkitError as error:
            screen = error_screen(error, self.run.language, STEPS[self.name].heading)
            self._note(_code(error), screen.exit_code, *screen.rows[0].lines)
            return screen
        entry = self.run.journal.last(LOOKED, self.name)
        code = entry.facts["stopped"] if entry is not None else None
        self._note(code, screen.exit_code, *(screen.rows[-1].lines if code else ()))
        screen.commands = [] if code else self._to_type()
        if (
            code == TOO_EARLY
        ):  # expected of a dry run of everything: no cross, which is for what goes wrong
            screen.rows = [
                replace(row, tone="note") if row.tone == "stop" else row for row in screen.rows
            ]
        return screen

    def act(self, confirm: Confirm = "") -> Screen | None:
        """Look, act and look again, where `confirm` names this step ("TOKEN:VALUE" alone is for
        this step); else say that nothing was done.

        A step that was done shows its result. Where it is stopped: shows the reason as a screen,
        then raises Stopped, NotConfirmed or OutcomeUnknown.
        """
        if not self.is_planned:
            return None
        given = guarded(lambda: _for_step(confirm, self.name), self.run.language)
        if given is None and self.run.result(self.name) is None:
            return self._short(ACT(), NOT_NAMED(step=self.name))
        is_new = self.run.result(self.name) is None
        screen = guarded(
            lambda: self._step.act(given or None), self.run.language, STEPS[self.name].heading
        )
        if is_new:
            self.checklist.acted.append(self.name)
            screen.commands = []
        return screen

    def _short(self, label: Words, words: Words) -> Screen:
        screen = Screen("", language=self.run.language)
        screen.add(label, words)
        return screen

    def _note(self, code: str | None, exit_code: int, *words: Words) -> None:
        self.checklist.found[self.name] = Found(code, words, exit_code)

    def _to_type(self) -> list[str]:
        """What confirms the step: in a cell, and as the parameter of an unattended run."""
        typed = "TOKEN:VALUE" if self.checklist.steps[self.name].value else self.name
        parameter = f"{self.name} {typed}" if typed != self.name else self.name
        return [
            f'run.step("{self.name}").act(confirm="{typed}")',
            f'# papermill … -p CONFIRM "{parameter}"',
        ]


def named(confirm: Confirm) -> dict[str, str]:
    """What CONFIRM confirms: "TOKEN:VALUE", or nothing for a step that changes nothing, by step.
    Raises UsageError for any other form.
    """
    if isinstance(confirm, str):
        step, _, typed = confirm.strip().partition(" ")
        confirm = {step: typed} if step else {}
    for step in confirm:
        if step not in ORDER:
            raise UsageError(FORM())
    return {step: str(typed).strip() for step, typed in confirm.items()}


def _for_step(confirm: Confirm, step: str) -> str | None:
    """What is typed for a step; None where it is not named."""
    if isinstance(confirm, str) and ":" in confirm and " " not in confirm.strip():
        return confirm.strip()
    return named(confirm).get(step)


def error_screen(error: PopkitError, language: Language, heading: Words | None = None) -> Screen:
    """An error as a screen: its code, the reason, and what to do."""
    screen = Screen(
        heading or STOPPED(code=_code(error)), language=language, exit_code=error.exit_code
    )
    screen.add(REASON(), error.in_language(language), tone="stop")
    screen.add(ADVICE(), *error.lines_in(language))
    return screen


def guarded(ask: Callable[[], T], language: Language, heading: Words | None = None) -> T:
    """What `ask` gives. A PopkitError is shown as a screen and raised again, with one line in place
    of its traceback.
    """
    try:
        return _unfaulted(ask)
    except PopkitError as error:
        failed(error, language, heading)


def failed(error: PopkitError, language: Language, heading: Words | None = None) -> NoReturn:
    """Show an error as a screen, and raise it."""
    from IPython.display import display

    display(error_screen(error, language, heading))  # type: ignore[no-untyped-call]
    error.language = language
    raise error from None


def _unfaulted(ask: Callable[[], T]) -> T:
    """What `ask` gives; an interrupt, or an error that is not popkit's own, is raised as Fault,
    without what it quotes and where it stood."""
    try:
        return ask()
    except PopkitError:
        raise
    except KeyboardInterrupt:
        raise Fault(INTERRUPTED()) from None
    except Exception as error:
        raise Fault(FAULT(what=type(error).__name__)) from None


def _code(error: PopkitError) -> str:
    return "unknown_outcome" if isinstance(error, OutcomeUnknown) else error.code
