"""`popkit cutover status`: where a run stands."""

from __future__ import annotations

from popkit.command_line.grammar import Verb
from popkit.commands.cutover import run_argument, shown
from popkit.texts import Language, Text

SUMMARY = Text(
    "where we are, what is next, what is outstanding, what waiting costs",
    "現在地、次の手順、未決着、待つことの代償を表示",
)


def run(run: str, language: Language) -> int:
    """Print where the run stands."""
    from popkit.cutover.run import open_run

    with open_run(run, language=language) as opened:
        return shown(opened.status(), language)


VERB = Verb("status", run, [run_argument()], order=30, summary=SUMMARY)
