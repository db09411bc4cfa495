"""The places that verbs take: a case to read, which may be misnamed in many ways, and files to
write.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from popkit.command_line.grammar import Argument, OneOf, Option, Place, completed
from popkit.errors import CannotWrite, UsageError
from popkit.evidence.layout import HEADER
from popkit.protocol.error_table import ERAS
from popkit.texts import Language, Sentence, Text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

LISTED = 40
"""How many cases of a directory are listed; the rest are counted."""
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z")

NO_SUCH = Text(
    "{path}: no such case directory", "{path}: そのようなケースのディレクトリはありません"
)
NEAR = Text(
    "{path}: no such case directory; did you mean {near}?",
    "{path}: そのようなケースのディレクトリはありません。{near} ではありませんか",
)
UNFINISHED = Text(
    "{path}: no such case directory: {partial} is a collection that was interrupted; the popkit "
    "collect command that made it goes on, "
    "and with --seal-now it seals what is there",
    "{path}: そのようなケースのディレクトリはありません。{partial} は中断した収集です。同じ `popkit collect` コマンドで続きから再開でき、"
    "--seal-now を付けると今ある分で封をします",
)
OF_A_CASE = Text(
    "{path}: is a part of a case; name the case: {command}",
    "{path}: ケースの一部です。ケースのディレクトリを指定してください: {command}",
)
ARCHIVE = Text(
    "{path}: is an archive; make a case of it: {command}",
    "{path}: アーカイブです。まずケースにしてください: {command}",
)
A_FILE = Text(
    "{path}: is a file, and a case is a directory that holds case.json; exports become a case by: "
    "{command}",
    "{path}: ファイルです。ケースは case.json を含むディレクトリです。エクスポートは次のコマンドでケースにできます: {command}",
)
REPORT = Text(
    "{path}: is a report of popkit and no case; name the case that it was made from",
    "{path}: popkit の報告であり、ケースではありません。元になったケースを指定してください",
)
CASES_INSIDE = Text(
    "{path}: is no case (it holds no case.json); {count} of its directories are cases. Type one of:",
    "{path}: ケースではありません（case.json がありません）。中のディレクトリのうち {count} 件がケースです。"
    "次のいずれかを入力してください:",
)
AND_MORE = Text("and {count} more", "ほか {count} 件")

CASE = Text("a case directory", "ケースのディレクトリ")
ERA = Text(
    "the program version to assume where nothing in the evidence decides ({eras})",
    "証拠から決まらない場合に仮定するプログラムの版（{eras}）",
)


class SeveralCases(UsageError):
    """A directory that holds cases and is none; `lines` are the commands to choose from."""

    def __init__(self, problem: Sentence, lines: Sequence[str], more: Sentence | None) -> None:
        super().__init__(problem)
        self.lines, self.more = list(lines), more

    def lines_in(self, language: Language) -> list[str]:
        return [
            f"  {line}"
            for line in [*self.lines, *([self.more.in_language(language)] if self.more else [])]
        ]


def case_argument() -> Argument:
    """CASE."""
    return Argument("case", CASE, type=Place("dir"))


def era_option() -> Option:
    """`--era`."""
    return Option("--era", words=ERA(eras=", ".join(ERAS)), type=OneOf(ERAS), metavar="ERA")


def grant_option(words: Text | Sentence) -> Option:
    """`--grant`, whose completion reads the grants of the case that was typed before it."""
    return Option("--grant", words=words, metavar="KEY", shell_complete=_grants_of_the_case)


def _grants_of_the_case(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    case = ctx.params.get("case") or next(
        iter(ctx.args), ""
    )  # an option without its value keeps click from sorting the words
    with suppress(OSError, ValueError, TypeError, KeyError):
        grants = json.loads(Path(case, HEADER).read_bytes())["grants"]
        return completed(map(str, grants), incomplete)
    return []


def case_directory(path: str, command: str) -> Path:
    """The case that was named, for popkit `command`. Raises UsageError for a place that is no case,
    saying what it is and what to type.

    A directory in which nothing speaks of a case is left to the evidence's own error.
    """
    place = Path(path)
    if place.is_dir():
        if not (place / HEADER).exists():
            _look_around(place, command)
        return place
    if not place.exists():
        raise UsageError(_missing(place))
    for parent in [*place.parents][:4]:
        if (parent / HEADER).is_file():
            raise UsageError(OF_A_CASE(path=place, command=_typed(command, parent)))
    archive = place.name.lower().endswith(_ARCHIVES)
    collect = f"popkit collect --from {shlex.quote(str(place))} --out CASE"
    raise UsageError((ARCHIVE if archive else A_FILE)(path=place, command=collect))


def _typed(command: str, case: Path) -> str:
    return f"popkit {command} {shlex.quote(str(case))}"


def _missing(place: Path) -> Sentence:
    """What stands where a case was looked for: an unfinished collection, or something of a name
    that is near.
    """
    partial = place.with_name(f"{place.name}.collecting") if place.name else place
    if partial.is_dir():
        return UNFINISHED(path=place, partial=partial)
    with suppress(OSError):
        beside = {
            other.name: other for other in place.parent.iterdir() if (other / HEADER).is_file()
        }
        near = get_close_matches(place.name, beside, 1, 0.75)
        if near:
            return NEAR(path=place, near=beside[near[0]])
    return NO_SUCH(path=place)


def _look_around(place: Path, command: str) -> None:
    """Raise UsageError for a directory that is no case where something near it tells what was
    meant.
    """
    with suppress(OSError):
        inside = sorted(other for other in place.iterdir() if (other / HEADER).is_file())
        if inside:
            more = AND_MORE(count=len(inside) - LISTED) if len(inside) > LISTED else None
            lines = [_typed(command, case) for case in inside[:LISTED]]
            raise SeveralCases(CASES_INSIDE(path=place, count=len(inside)), lines, more)
        for up in ("..", "../.."):
            if (place / up / HEADER).is_file():
                raise UsageError(
                    OF_A_CASE(
                        path=place, command=_typed(command, Path(os.path.normpath(place / up)))
                    )
                )
        if (place / "findings.json").is_file() and (place / "report.html").is_file():
            raise UsageError(REPORT(path=place))


def write_file(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises CannotWrite when the place cannot be written.

    What is there and is no file (a pipe, a terminal, a device) is written to as it is, and not
    replaced by a file.
    """
    data = text.encode("utf-8", "replace")
    partial = path.parent / f".{path.name}.partial"
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CannotWrite(str(path), error) from None
