"""`popkit drill list`: the incidents that can be rehearsed."""

from __future__ import annotations

from popkit.command_line.grammar import Option, Verb
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text, speak

ALL = Text("the mixtures of two as well", "二つの組み合わせも表示します")


def run(everything: bool, language: Language) -> int:
    """Print the incidents, a line each."""
    from popkit.drill.incidents import INCIDENTS

    held = [one for one in INCIDENTS.values() if everything or len(one.acts) == 1]
    say(f"{one.name:<24} {speak(one.told, language)}  ({', '.join(one.eras)})" for one in held)
    return EXIT_FINE


VERB = Verb(
    "list",
    run,
    [Option("--all", "everything", words=ALL, is_flag=True)],
    order=10,
    summary=Text("show every incident, each in a sentence", "演習を一文ずつ一覧表示"),
)
