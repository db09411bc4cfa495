"""The two ways out to a terminal: standard output and standard error. No other module writes to
them.

Every line goes through `popkit.text`. On a terminal a line is laid out to its width
(`popkit.wrapping`); a pipe, a file and TERM=dumb get whole lines without colour, and NO_COLOR takes
the colours from a terminal. A standard output that cannot be written to (a full disk) is an error
of its own: it says nothing about the case.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from popkit.errors import CannotWrite
from popkit.text import Line, for_terminal, page


def write(text: str) -> None:
    """Write text that is already in the form of its medium to standard output. Raises CannotWrite,
    BrokenPipeError.
    """
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise CannotWrite("standard output", error) from None


def show(text: str) -> None:
    """Write a finished page to standard output, laid out where a person looks. Raises CannotWrite,
    BrokenPipeError.
    """
    write(_for_stream(text, sys.stdout))


def say(lines: Iterable[str | Line]) -> None:
    """Write lines to standard output. Raises CannotWrite, BrokenPipeError."""
    show(page(lines))


def tell(line: str) -> None:
    """Write a line to standard error; where nobody can be told, nothing is."""
    with suppress(OSError, ValueError):
        sys.stderr.write(_for_stream(f"{for_terminal(line)}\n", sys.stderr))
        sys.stderr.flush()


def has_colour() -> bool:
    """Whether standard output is a terminal that shows colours, and nobody asked for none
    (no-color.org).
    """
    return _is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def drop_stdout() -> None:
    """Let what is still buffered for standard output go nowhere, so that Python does not complain
    at exit.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_terminal(stream: TextIO) -> bool:
    """Whether a person sees the stream on a terminal that can do more than print characters."""
    try:
        return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    except ValueError:  # closed
        return False


def _for_stream(text: str, stream: TextIO) -> str:
    if not _is_terminal(stream):
        return text
    from popkit.wrapping import laid_out

    return laid_out(text, _width(stream))


def _width(stream: TextIO) -> int:
    """The columns of a stream's terminal: what COLUMNS says, else the terminal itself, else 80."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80
