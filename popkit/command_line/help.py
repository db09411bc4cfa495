"""Help pages as lines: usage, what the verb is for, what it takes, an example; in either language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from popkit.texts import Language, Text

if TYPE_CHECKING:
    from popkit.command_line.grammar import Argument, Option

WIDEST = 30
"""Columns of the longest label that has its words beside it; those of a longer one stand below it.
"""

USAGE = Text("usage:", "使い方:")
COMMANDS = Text("Commands", "コマンド")
ARGUMENTS = Text("Arguments", "引数")
OPTIONS = Text("Options", "オプション")
EXAMPLES = Text("Examples", "例")


@dataclass(frozen=True, slots=True)
class Example:
    """A command as it is typed, and what it does."""

    command: str
    words: Text


def usage_line(command: click.Command, ctx: click.Context) -> str:
    """How a command is typed: what it must have first, options last."""
    if isinstance(command, click.Group):
        return f"{ctx.command_path} COMMAND …"
    must = [
        f"{max(p.opts, key=len)} {p.make_metavar(ctx)}"
        for p in command.params
        if isinstance(p, click.Option) and p.required
    ]
    places = [
        param.make_metavar(ctx) for param in command.params if isinstance(param, click.Argument)
    ]
    return " ".join([ctx.command_path, *places, *must, "[OPTIONS]"])


def help_lines(command: click.Command, ctx: click.Context, language: Language) -> list[str]:
    """The help of a command or of the whole command line."""
    from popkit.command_line.grammar import Argument, Family, Option, Verb, Verbs

    assert isinstance(command, Verb | Verbs)
    lines = [f"{USAGE.in_language(language)} {usage_line(command, ctx)}", ""]
    if isinstance(command, Verb):
        lines.append(command.summary.in_language(language))
    if command.about is not None:
        lines += command.about.in_language(language).split("\n")
    if isinstance(command, Verbs):
        verbs = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
        rows = [
            (name, verb.summary.in_language(language))
            for name, verb in verbs
            if isinstance(verb, Verb | Family)
        ]
        lines += _section(COMMANDS.in_language(language), rows)
    arguments = [param for param in command.params if isinstance(param, Argument)]
    options = [param for param in command.params if isinstance(param, Option) and not param.hidden]
    lines += _section(
        ARGUMENTS.in_language(language), [_row(param, ctx, language) for param in arguments]
    )
    lines += _section(
        OPTIONS.in_language(language), [_row(param, ctx, language) for param in options]
    )
    lines += command.epilogue(language)
    if command.examples:
        lines += ["", EXAMPLES.in_language(language)]
        for example in command.examples:
            lines += [f"  $ {example.command}", f"      {example.words.in_language(language)}"]
    return lines


def _row(param: Option | Argument, ctx: click.Context, language: Language) -> tuple[str, str]:
    if isinstance(param, click.Argument):
        return param.make_metavar(ctx), param.words.in_language(language)
    metavar = "" if param.is_flag else f" {param.make_metavar(ctx)}"
    return ", ".join(sorted(param.opts, key=len)) + metavar, param.words.in_language(language)


def _section(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    """A titled list with the words of each label in one column."""
    if not rows:
        return []
    width = max((len(label) for label, _ in rows if len(label) <= WIDEST), default=WIDEST)
    lines = ["", title]
    for label, words in rows:
        if len(label) > WIDEST:
            lines += [f"  {label}", f"  {'':<{width}}  {words}"]
        else:
            lines.append(f"  {label:<{width}}  {words}")
    return lines
