"""`popkit drill stop`: end the running drill."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text, speak

STOPPED = Text(
    "The drill has ended; its folder stays: {folder}",
    "演習を終了しました。フォルダーは残ります: {folder}",
)


def run(folder: str, language: Language) -> int:
    """Stop the drill's process."""
    from popkit.drill import running

    running.stop(Path(folder))
    say([speak(STOPPED(folder=folder), language)])
    return EXIT_FINE


VERB = Verb("stop", run, [folder_option()], order=80, summary=Text("end the drill", "演習を終了"))
