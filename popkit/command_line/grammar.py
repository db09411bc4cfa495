"""What verbs are made of: options and arguments with words in both languages, a verb, and the group
that finds verbs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import click

from popkit.command_line.help import Example, help_lines, usage_line
from popkit.command_line.usage import (
    A_PLACE,
    EXTRA,
    EXTRA_UNQUOTED,
    NEAR_VERB,
    NO_SUCH_VERB,
    NO_VERB,
    NOT_A_NUMBER,
    NOT_ONE_OF,
    NOT_WHOLE,
    Misuse,
    name_of,
)
from popkit.output import say
from popkit.text import shown
from popkit.texts import LANGUAGES, Language, Listed, Sentence, Text, chosen_language

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = Text("show this and stop", "このヘルプを表示して終了します")
LANG = Text(
    "the language of what is printed; else that of POPKIT_LANG, else that of the locale",
    "表示の言語。指定がなければ POPKIT_LANG、それもなければロケールに従います",
)


class Option(click.Option):
    """An option with its words in both languages."""

    def __init__(self, *names: str, words: Text | Sentence, **rest: Any) -> None:
        super().__init__(names, help=str(words), **rest)
        self.words = words


class Argument(click.Argument):
    """A positional argument with its words in both languages."""

    def __init__(self, name: str, words: Text | Sentence, **rest: Any) -> None:
        super().__init__([name], **rest)
        self.words = words


class OneOf(click.ParamType[Any]):
    """One of a few words."""

    name = "choice"

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.choices:
            return str(value)
        raise Misuse(
            NOT_ONE_OF(option=_name(param), value=shown(value), choices=Listed(self.choices)), ctx
        )

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completed(self.choices, incomplete)


class Number(click.ParamType[Any]):
    """A whole number, or any finite one."""

    name = "number"

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        with suppress(ValueError, OverflowError):
            number = int(value) if self.whole else float(value)
            if abs(number) < float("inf"):
                return number
        raise Misuse(
            (NOT_WHOLE if self.whole else NOT_A_NUMBER)(option=_name(param), value=shown(value)),
            ctx,
        )


class Place(click.ParamType[Any]):
    """A path, which the verb looks at itself; a shell completes it as a file, or as a directory."""

    def __init__(self, kind: str = "file") -> None:
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completed([incomplete], incomplete, self.name)


def _name(param: click.Parameter | None) -> str:
    return name_of(param) if param is not None else ""


def completed(words: Iterable[str], incomplete: str, kind: str = "plain") -> list[CompletionItem]:
    """The words that begin with what was typed, for a shell; of `kind` file or dir the shell looks
    for itself.
    """
    from click.shell_completion import CompletionItem

    return [CompletionItem(word, type=kind) for word in words if word.startswith(incomplete)]


def language_of(ctx: click.Context) -> Language:
    """The language that a command speaks: chosen before it was parsed, as its help and its errors
    are in it too.
    """
    spoken = ctx.find_object(Chosen)
    return spoken.language if spoken is not None else chosen_language(None, os.environ)


class Chosen:
    """What a command line carries through its commands: the language it speaks."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language


def lang(is_passed_on: bool = True) -> Option:
    """`--lang`: the language is passed on to a verb that prints."""
    return Option(
        "--lang", "language", words=LANG, type=OneOf(LANGUAGES), metavar="en|ja", expose_value=is_passed_on,
        callback=lambda ctx, param, value: value or language_of(ctx),
    )  # fmt: skip


def help_option() -> Option:
    """`-h`, `--help`."""
    return Option(
        "-h",
        "--help",
        words=HELP,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_help,
    )


def _show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        say(help_lines(ctx.command, ctx, language_of(ctx)))
        ctx.exit(0)


@contextmanager
def _named_in_errors(ctx: click.Context) -> Iterator[None]:
    """Name the command in errors that click's parser raises without it."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


class Verb(click.Command):
    """One verb: `run` takes the parameters by name, and `language` where the verb prints, and
    returns the exit code.

    `order` is its place among the others in help, from low to high. `many` are options of which
    each takes all the words that follow it, up to the next option.
    """

    def __init__(
        self,
        name: str,
        run: Callable[..., int],
        params: Sequence[Option | Argument],
        *,
        order: int,
        summary: Text,
        about: Text | None = None,
        examples: Sequence[Example] = (),
        epilogue: Callable[[Language], list[str]] = lambda language: [],
        many: Sequence[str] = (),
        prints: bool = True,
    ) -> None:
        super().__init__(
            name, callback=run, params=[*params, lang(prints), help_option()], help=str(summary), add_help_option=False,
            context_settings={"allow_extra_args": True},
        )  # fmt: skip
        self.order, self.summary, self.about = order, summary, about
        self.examples, self.epilogue, self.many = examples, epilogue, frozenset(many)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; words that no parameter takes are an error, and are quoted only where the verb
        takes words at all.
        """
        with _named_in_errors(ctx):
            rest = super().parse_args(ctx, self._one_by_one(args))
        if rest and not ctx.resilient_parsing:
            takes = [name_of(param) for param in self.params if isinstance(param, Argument)]
            if takes:
                raise Misuse(
                    EXTRA(
                        words=shown(" ".join(rest)),
                        verb=ctx.command_path,
                        takes=Listed(tuple(takes)),
                    ),
                    ctx,
                )
            raise Misuse(EXTRA_UNQUOTED(verb=ctx.command_path, count=len(rest)), ctx)
        return rest

    def get_usage(self, ctx: click.Context) -> str:
        return usage_line(self, ctx)

    def _one_by_one(self, args: Sequence[str]) -> list[str]:
        """The words after an option that takes many, each with the option before it."""
        given: list[str] = []
        option, is_first = "", False
        for index, word in enumerate(args):
            if word == "--":
                return [*given, *args[index:]]
            if word.startswith("-") and word != "-":
                name, equals, _ = word.partition("=")
                option, is_first = (name if name in self.many else ""), not equals
                given.append(word)
                continue
            given += [option, word] if option and not is_first else [word]
            is_first = False
        return given


class Verbs(click.Group):
    """The verbs of a package: each of its modules holds one as `VERB`, and has the verb's name.

    A module is loaded when its verb is typed, and all of them for help; so each imports what its
    work needs inside of `run`.
    """

    def __init__(
        self,
        package: str,
        *,
        about: Text,
        examples: Sequence[Example] = (),
        epilogue: Callable[[Language], list[str]] = lambda language: [],
        params: Sequence[Option] = (),
    ) -> None:
        super().__init__(
            "popkit", callback=_needs_a_verb, params=[*params, lang(False), help_option()], help=str(about), add_help_option=False,
            invoke_without_command=True,
        )  # fmt: skip
        self.package = package
        self.about, self.examples, self.epilogue = about, examples, epilogue

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _named_in_errors(ctx):
            return super().parse_args(ctx, args)

    @property
    def names(self) -> list[str]:
        """The names of the verbs, ascending; none is loaded for it."""
        return sorted(module.name for module in iter_modules(import_module(self.package).__path__))

    def verb(self, name: str) -> Verb | Family:
        """A verb by its name; its module is loaded."""
        verb = import_module(f"{self.package}.{name}").VERB
        assert isinstance(verb, Verb | Family)
        return verb

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.names, key=lambda name: (self.verb(name).order, name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.verb(cmd_name) if cmd_name in self.names else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in self.names or ctx.resilient_parsing or name.startswith("-"):
            return super().resolve_command(ctx, args)
        near = get_close_matches(name.lower(), self.names, 1, 0.6)
        if near:
            raise Misuse(NEAR_VERB(name=shown(name), near=near[0]), ctx)
        if Path(name).exists():
            raise Misuse(A_PLACE(name=shown(name)), ctx)
        raise Misuse(
            NO_SUCH_VERB(name=repr(shown(name)), verbs=Listed(tuple(self.list_commands(ctx)))), ctx
        )

    def get_usage(self, ctx: click.Context) -> str:
        return usage_line(self, ctx)


class Family(Verbs):
    """A verb that has verbs of its own: a package of `popkit.commands`, with a module a verb."""

    def __init__(
        self,
        package: str,
        *,
        order: int,
        summary: Text,
        about: Text,
        examples: Sequence[Example] = (),
    ) -> None:
        super().__init__(package, about=about, examples=examples)
        self.name, self.help = package.rpartition(".")[2], str(summary)
        self.order, self.summary = order, summary


@click.pass_context
def _needs_a_verb(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        assert isinstance(ctx.command, Verbs)
        raise Misuse(NO_VERB(verbs=Listed(tuple(ctx.command.list_commands(ctx)))), ctx)
