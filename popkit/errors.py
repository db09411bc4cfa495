"""What can go wrong, as two families: *the evidence is wrong* and *popkit was asked wrongly*.

A class says what the world is like when it is raised. Exit codes are those of every command:
0 nothing is wrong now, 1 something is, 2 wrong usage, 3 cannot tell, 70 a fault inside popkit.
"""

from __future__ import annotations

import shlex
import sys

from popkit.text import for_terminal
from popkit.texts import Language, speak

EXIT_FINE = 0
EXIT_WRONG = 1
EXIT_USAGE = 2
EXIT_CANNOT_TELL = 3
EXIT_INTERNAL = 70


class PopkitError(Exception):
    """Something a person can act on; the message says what was seen and what to do next."""

    code = "popkit_error"
    exit_code = EXIT_INTERNAL
    language: Language = "en"
    """The language in which a notebook shows it."""

    def __str__(self) -> str:
        """The message as one visible line: it may quote a file's name, or what somebody typed."""
        return self.in_language("en")

    def in_language(self, language: Language) -> str:
        """The message in a language, as one visible line; English where it was raised with words of
        that language alone.
        """
        return for_terminal(
            speak(self.args[0], language) if len(self.args) == 1 else super().__str__()
        )

    def lines_in(self, language: Language) -> list[str]:
        """Lines to show below the message: what there is to choose from, where the error knows."""
        return []

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback, which names this machine's files and can
        quote what a page must not hold.
        """
        return [
            f"{type(self).__name__}: {self.in_language(self.language)}",
            *self.lines_in(self.language),
        ]


class CaseUnreadable(PopkitError):
    """A case cannot be judged as it is: a file it needs is missing, altered or not what its name
    says.

    `file` is the path inside the case, `line` the 1-based line where that is known, `advice` what
    to do next.
    """

    code = "case_unreadable"
    exit_code = EXIT_CANNOT_TELL

    def __init__(
        self, problem: str, *, file: str | None = None, line: int | None = None, advice: str = ""
    ) -> None:
        self.problem, self.file, self.line, self.advice = problem, file, line, advice
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{problem}" + (f" ({advice})" if advice else ""))


class ManifestMismatch(CaseUnreadable):
    """A file differs from what the case's manifest says it was when the case was sealed."""

    code = "manifest_mismatch"


def changed(file: str, expected: str, found: str) -> ManifestMismatch:
    """A file that was as the manifest says when the case was opened, and is not any more."""
    advice = "something writes into the case: copy it to a place of its own and judge the copy"
    return ManifestMismatch(
        f"changed while it was read: expected sha256 {expected}, found {found}",
        file=file,
        advice=advice,
    )


class UsageError(PopkitError):
    """popkit was asked for something that does not exist, or asked in a way it does not understand."""

    code = "usage"
    exit_code = EXIT_USAGE


class CannotWrite(PopkitError):
    """An output could not be written: a full disk, a place that is read-only. It says nothing about
    the case.
    """

    code = "cannot_write"
    exit_code = EXIT_USAGE

    def __init__(self, where: str, error: OSError) -> None:
        super().__init__(f"{where}: cannot be written: {error.strerror or error}")


class MissingLibrary(PopkitError):
    """A library that every installation of popkit has is not there: the environment is older than
    this popkit, or half made.

    The pip line names the clone and never a distribution: whoever owns that name on a package index
    could be a stranger.
    """

    code = "missing_library"
    exit_code = EXIT_USAGE

    def __init__(self, what: str, error: ModuleNotFoundError) -> None:
        pip = f"{shlex.quote(sys.executable)} -m pip install -e ."
        super().__init__(
            f"{what} needs {error.name}, which this Python does not have; install popkit again, in "
            f"its clone: {pip}"
        )
