"""The command line: parse, call, exit. It holds no logic; the verbs stand in `popkit.commands`.

Exit codes, in every command: 0 nothing is wrong now, 1 something is, 2 wrong usage, 3 cannot tell,
70 a fault inside popkit.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from popkit import __version__
from popkit.command_line.grammar import Chosen, Option, Verbs
from popkit.command_line.help import Example
from popkit.command_line.usage import misuse
from popkit.commands.completion import VARIABLE
from popkit.errors import (
    EXIT_CANNOT_TELL,
    EXIT_FINE,
    EXIT_INTERNAL,
    EXIT_USAGE,
    MissingLibrary,
    PopkitError,
)
from popkit.output import drop_stdout, say, tell
from popkit.texts import Language, Text, chosen_language

EXIT_INTERRUPTED = 130
_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Failures that only an output can have: a full disk, a quota, a place that is read-only."""

ABOUT = Text(
    "From the evidence of a PoP chain incident to an answer that can be defended.",
    "PoP チェーンの障害の証拠から、根拠を示せる答えを出します。",
)
EXIT_CODES = Text(
    "Exit codes: 0 nothing is wrong now, 1 something is, 2 wrong usage, 3 cannot tell, 70 a fault "
    "inside popkit.",
    "終了コード: 0 いま異常なし、1 異常あり、2 使い方の誤り、3 判断できない、70 popkit 内部の障害。",
)
VERSION = Text("print the version and stop", "版を表示して終了します")
COMMAND_HELP = Text("what a command takes, with an example", "コマンドの引数と例を表示します")
EXAMPLES = (
    Example(
        "popkit diagnose data/cases/cutover",
        Text("the answer to a recorded incident", "記録済みの障害に答えます"),
    ),
    Example("popkit diagnose --help", COMMAND_HELP),
)
NO_READING = Text("{file}: cannot be read: {why}", "{file}: 読めません: {why}")
NO_WRITING = Text("{file}: cannot be written: {why}", "{file}: 書けません: {why}")
A_FILE = Text("a file", "ファイル")
INTERRUPTED = Text("interrupted", "中断しました")
FAULT = Text(
    "a fault inside popkit: {what} (POPKIT_TRACEBACK=1 shows where)",
    "popkit 内部の障害です: {what}（POPKIT_TRACEBACK=1 で場所を表示します）",
)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        say([f"popkit {__version__}"])
        ctx.exit(EXIT_FINE)


cli = Verbs(
    "popkit.commands",
    about=ABOUT,
    examples=EXAMPLES,
    epilogue=lambda language: ["", EXIT_CODES.in_language(language)],
    params=[
        Option(
            "-V",
            "--version",
            words=VERSION,
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
        ),
    ],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Errors go to standard error, without a traceback."""
    args = list(sys.argv[1:] if argv is None else argv)
    language = chosen_language(typed_language(args), os.environ)
    try:
        return _run(args, language)
    except click.UsageError as error:
        for line in misuse(error, language):
            tell(line)
        return EXIT_USAGE
    except PopkitError as error:
        tell(f"popkit: {error.in_language(language)}")
        for line in error.lines_in(language):
            tell(line)
        return error.exit_code
    except ModuleNotFoundError as error:
        if os.environ.get("POPKIT_TRACEBACK"):
            raise
        return _missing(error, args, language)
    except BrokenPipeError:
        drop_stdout()  # whoever read us has gone
        return EXIT_INTERNAL
    except OSError as error:
        is_output = error.errno in _OF_WRITING
        sentence = (NO_WRITING if is_output else NO_READING)(
            file=error.filename or A_FILE, why=error.strerror or error
        )
        tell(f"popkit: {sentence.in_language(language)}")
        return EXIT_USAGE if is_output else EXIT_CANNOT_TELL
    except KeyboardInterrupt:
        tell(f"popkit: {INTERRUPTED.in_language(language)}")
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("POPKIT_TRACEBACK"):
            raise
        tell(
            f"popkit: {FAULT(what=f'{type(error).__name__}: {str(error)[:1000]}').in_language(language)}"
        )
        return EXIT_INTERNAL


def _missing(error: ModuleNotFoundError, args: Sequence[str], language: Language) -> int:
    """Say which library is not there: verbs import theirs when they run, so that any of them can
    meet it.
    """
    verb = next((word for word in args if word in cli.names), "")
    missing = MissingLibrary(f"popkit {verb}".rstrip(), error)
    tell(f"popkit: {missing.in_language(language)}")
    return missing.exit_code


def _run(args: list[str], language: Language) -> int:
    """Run a command with click's own errors let through: its `main` ends a broken pipe with 1,
    which is an answer here.
    """
    if os.environ.get(VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "popkit", VARIABLE, os.environ[VARIABLE])
    try:
        with cli.make_context("popkit", args, obj=Chosen(language)) as ctx:
            return int(cli.invoke(ctx))
    except click.exceptions.Exit as ended:
        return ended.exit_code


def typed_language(args: Sequence[str]) -> str | None:
    """What `--lang` says, wherever it stands: help and errors, which come before anything is
    parsed, are in that language too.
    """
    found = None
    for index, word in enumerate(args):
        if word == "--":
            break
        if word == "--lang":
            found = args[index + 1] if index + 1 < len(args) else None
        elif word.startswith("--lang="):
            found = word.removeprefix("--lang=")
    return found


if __name__ == "__main__":
    sys.exit(main())
