"""`popkit drill reveal`: open the sealed answer of the running drill."""

from __future__ import annotations

import hashlib
from pathlib import Path

from popkit.command_line.grammar import Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say
from popkit.texts import Language, Text, speak

HAPPENED = Text("What happened: {what}", "起きたこと: {what}")
TRUE = Text("What was true when the drill began:", "演習開始時点での正しい答え:")
HOLDS = Text(
    "The seal holds: these bytes have the digest that stood at the start.",
    "封印は有効です。開始時に示したダイジェストと一致します。",
)
BROKEN_SEAL = Text(
    "the answer does not have the digest that stood at the start: this is another drill",
    "答えが開始時のダイジェストと一致しません。別の演習です",
)


def run(folder: str, language: Language) -> int:
    """Print the answer, and hold it against the digest of the start."""
    from popkit.drill import running

    state = running.state_of(Path(folder))
    found = running.ask(Path(folder), "reveal")
    lines = [speak(HAPPENED(what=found["told"][language]), language), speak(TRUE(), language)]
    for label, value in found["answer"].items():
        lines.append(f"  {label:<11} {', '.join(value) if isinstance(value, list) else value}")
    say(lines)
    if hashlib.sha256(found["sealed"].encode()).hexdigest() != state["answer_sha256"]:
        raise UsageError(BROKEN_SEAL())
    say([speak(HOLDS(), language)])
    return EXIT_FINE


VERB = Verb(
    "reveal",
    run,
    [folder_option()],
    order=70,
    summary=Text("open the sealed answer", "封印された答えを開く"),
)
