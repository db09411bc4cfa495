"""`popkit cutover step`: a dry run of a step, or with a confirmation the step itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.command_line.grammar import Option, Verb
from popkit.commands.cutover import CONFIRM, peer_options, run_argument, shown, step_argument
from popkit.errors import UsageError
from popkit.texts import Language, Text

if TYPE_CHECKING:
    from popkit.cutover.steps import Step

SUMMARY = Text(
    "dry: look, simulate, list what was not checked; with --confirm: act",
    "予行（確認・シミュレーション・未確認の一覧）。--confirm で実行",
)
CARRY_OUT = Text(
    "carry it out: the token, a colon, the value looked up",
    "実行する: トークン、コロン、確認した値",
)
TICK = Text(
    "step 3: an item of its list was changed, and to what",
    "手順 3: 一覧の項目を差し替えたことと、その値",
)
ACT = Text("carry out a step that changes nothing", "何も変更しない手順を実行")
WAIT_OVER = Text(
    "step 0: freeze although proofs can still land",
    "手順 0: proof がまだ取り込まれうる状態でも停止",
)
ONLY_STEP_3 = Text("--tick is for step 3", "--tick は手順 3 のためのものです")
NEEDS_CONFIRM = Text(
    "step {step} changes something: it needs --confirm TOKEN:VALUE, not --act",
    "手順 {step} は変更を伴います。--act でなく --confirm TOKEN:VALUE が必要です",
)


def run(
    run: str,
    step: str,
    confirm: str | None,
    tick: tuple[str, ...],
    act: bool,
    wait_over: bool,
    language: Language,
    **peers: str | None,
) -> int:
    """Show a dry run of a step, or with a confirmation carry the step out."""
    from popkit.cutover.run import open_run
    from popkit.cutover.steps.freeze import Freeze

    with open_run(run, language=language, **peers) as opened:
        chosen = opened.step(step)
        if isinstance(chosen, Freeze):
            chosen.wait_over = wait_over
        if tick:
            return _ticked(chosen, tick, language)
        if act and chosen.plan.value and confirm is None:
            raise UsageError(NEEDS_CONFIRM(step=step))
        screen = chosen.act(confirm) if confirm is not None or act else chosen.dry()
        return shown(screen, language)


def _ticked(chosen: Step, ticks: tuple[str, ...], language: Language) -> int:
    """Write down what was changed of step 3's list.

    Raises UsageError for another step, or for what is no item.
    """
    from popkit.cutover.steps.history import ForkHandling

    if not isinstance(chosen, ForkHandling):
        raise UsageError(ONLY_STEP_3())
    screen = None
    for text in ticks:
        number, _, value = text.partition("=")
        screen = chosen.tick(int(number) if number.isdecimal() else 0, value)
    assert screen is not None
    return shown(screen, language)


VERB = Verb(
    "step",
    run,
    [
        run_argument(),
        step_argument(),
        Option("--confirm", words=CARRY_OUT, metavar=CONFIRM),
        Option("--tick", words=TICK, multiple=True, metavar="N=VALUE"),
        Option("--act", words=ACT, is_flag=True),
        Option("--wait-over", words=WAIT_OVER, is_flag=True),
        *peer_options(),
    ],
    order=40,
    summary=SUMMARY,
)
