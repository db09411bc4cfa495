"""`popkit drill claim`: let new wallets claim in the running drill."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Argument, Number, Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text

SUMMARY = Text(
    "let new wallets claim on the newest event, as the app does",
    "新しいウォレットに、アプリと同じように claim させる",
)
COUNT = Text("how many", "人数")


def run(count: int, folder: str, language: Language) -> int:
    """Let wallets claim, and print how it ended for how many."""
    from popkit.drill import running

    found = running.ask(Path(folder), "claim", count=count)
    rows = (f"  {number:>4}  {outcome}" for outcome, number in found["outcomes"].items())
    say([f"{found['event']}  {found['grant']}", *rows])
    return EXIT_FINE


VERB = Verb(
    "claim",
    run,
    [Argument("count", words=COUNT, type=Number()), folder_option()],
    order=40,
    summary=SUMMARY,
)
