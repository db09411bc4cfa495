"""`popkit cutover show`: the plan, or one of its steps, on one screen."""

from __future__ import annotations

from popkit.command_line.grammar import Verb
from popkit.commands.cutover import run_argument, shown, step_argument
from popkit.texts import Language, Text

SUMMARY = Text("the plan, or one step, on one screen", "計画または一つの手順を一画面で表示")


def run(run: str, step: str | None, language: Language) -> int:
    """Print the plan, or one step."""
    from popkit.cutover.run import open_run

    with open_run(run, language=language) as opened:
        screen = opened.show() if step is None else opened.step(step).show()
        return shown(screen, language)


VERB = Verb("show", run, [run_argument(), step_argument(False)], order=20, summary=SUMMARY)
