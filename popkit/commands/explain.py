"""`popkit explain`: what a word means, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from popkit.command_line.grammar import Argument, Verb, completed
from popkit.command_line.help import Example
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SUMMARY = Text(
    "what a verdict, cause, finding code, error, term or cited rule means, and what to do",
    "判定、原因、所見コード、エラー、用語、引用された規則の意味と対処",
)
WORD = Text("the word; without one, the list of all", "調べる語。なければ全部の一覧")
EXAMPLES = (
    Example(
        "popkit explain PopHashChainBroken",
        Text("an error of the program", "プログラムのエラーの意味を表示します"),
    ),
    Example("popkit explain 6026", Text("the same by its number", "番号でも調べられます")),
    Example(
        "popkit explain invariant X1",
        Text("a rule that a finding cites", "所見が引用する規則の意味を表示します"),
    ),
)


def run(word: tuple[str, ...], language: Language) -> int:
    """Explain a word (or a term or citation of several), or list them all."""
    from popkit.explain import explain, vocabulary_lines

    say(str(explain(" ".join(word), language)).split("\n") if word else vocabulary_lines(language))
    return EXIT_FINE


def _known(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from popkit.explain import vocabulary

    return completed(vocabulary(), incomplete)


VERB = Verb(
    "explain",
    run,
    [Argument("word", WORD, nargs=-1, shell_complete=_known)],
    order=60,
    summary=SUMMARY,
    examples=EXAMPLES,
)
