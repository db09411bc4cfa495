"""The two ways out to a terminal: standard output and standard error. No other module writes to them.

Every line goes through `popkit.text`. A standard output that cannot be written to (a full disk) is an error of its own: it says nothing
about the case.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from popkit.errors import CannotWrite
from popkit.text import Line, for_terminal, page


def write(text: str) -> None:
    """Write text that is already in the form of its medium to standard output. Raises CannotWrite, BrokenPipeError."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise CannotWrite("standard output", error) from None


def say(lines: Iterable[str | Line]) -> None:
    """Write lines to standard output. Raises CannotWrite, BrokenPipeError."""
    write(page(lines))


def tell(line: str) -> None:
    """Write a line to standard error; where nobody can be told, nothing is."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{for_terminal(line)}\n")
        sys.stderr.flush()


def drop_stdout() -> None:
    """Let what is still buffered for standard output go nowhere, so that Python does not complain at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Arguments(argparse.ArgumentParser):
    """An argument parser whose errors quote what was typed in visible form."""

    def error(self, message: str) -> NoReturn:
        super().error(for_terminal(message))
