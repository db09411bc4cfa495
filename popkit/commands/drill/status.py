"""`popkit drill status`: where the running drill stands."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text

SUMMARY = Text(
    "show where the drill stands, the answer sealed",
    "演習の状態を表示（答えは封印のまま）",
)


def run(folder: str, language: Language) -> int:
    """Print the drill's state, a line a value."""
    from popkit.drill import running

    rows = running.ask(Path(folder), "status").items()
    say([f"{label:<14} {value}" for label, value in rows])
    return EXIT_FINE


VERB = Verb("status", run, [folder_option()], order=60, summary=SUMMARY)
