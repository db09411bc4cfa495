"""`popkit cutover resolve`: settle an outcome that is not known."""

from __future__ import annotations

from popkit.command_line.grammar import Verb
from popkit.commands.cutover import peer_options, run_argument, shown, step_argument
from popkit.texts import Language, Text

SUMMARY = Text(
    "an outcome that is not known: look again, and what a person can decide",
    "結果不明の手順を再確認し、選択肢を表示",
)


def run(run: str, step: str, language: Language, **peers: str | None) -> int:
    """Settle an outcome that is not known, or say what a person can decide."""
    from popkit.cutover.resolving import resolve
    from popkit.cutover.run import open_run

    with open_run(run, language=language, **peers) as opened:
        return shown(resolve(opened, step), language)


VERB = Verb(
    "resolve", run, [run_argument(), step_argument(), *peer_options()], order=50, summary=SUMMARY
)
