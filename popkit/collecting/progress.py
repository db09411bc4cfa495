"""One line that tells how a collection goes: what is being asked, pages, rate, waiting, time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from shutil import get_terminal_size
from typing import IO

from popkit.text import for_terminal, page

_EVERY = 0.2


class Progress:
    """Rewrites one line on a terminal; elsewhere it writes a line when the phase changes. Silent
    without a stream.
    """

    def __init__(self, stream: IO[str] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.phase, self.done, self.total, self.pages = "", 0, 0, 0
        self.requests: Callable[[], tuple[int, float]] = lambda: (0, 0.0)
        self._began = self._phase_began = clock()
        self._phase_first = 0
        self._shown = 0.0
        self._live = bool(stream and stream.isatty())

    def enter(self, phase: str, total: int = 0, done: int = 0) -> None:
        """Begin a phase of `total` things, `done` of which were there before (0 of 0 where the
        number is not known).
        """
        self.phase, self.total, self.done, self._phase_first = phase, total, done, done
        self._phase_began = self.clock()
        self._show(always=True)

    def step(self, count: int = 1, pages: int = 0) -> None:
        """So many more things are done, over so many more pages."""
        self.done += count
        self.pages += pages
        self._show()

    def line(self) -> str:
        """The line as it stands."""
        requests, waiting = self.requests()
        spent = max(self.clock() - self._began, 1e-9)
        parts = [
            self.phase,
            f"{self.done}/{self.total}" if self.total else str(self.done),
            f"pages {self.pages}",
        ]
        parts.append(f"{requests / spent:.1f} requests/s, waited {waiting:.0f} s")
        phase_spent, phase_done = self.clock() - self._phase_began, self.done - self._phase_first
        if self.total and phase_done and self.total > self.done:
            parts.append(f"about {phase_spent / phase_done * (self.total - self.done):.0f} s left")
        return " · ".join(parts)

    def _show(self, always: bool = False) -> None:
        if self.stream is None:
            return
        if self._live and (always or self.clock() - self._shown > _EVERY):
            self._shown = self.clock()
            line = for_terminal(self.line())[
                : get_terminal_size().columns - 1
            ]  # a line that wraps cannot be rewritten
            self._write(f"\r\033[K{line}")
        elif always and not self._live:
            self._write(page([f"{self.phase}{f' ({self.total})' if self.total else ''}"]))

    def end(self) -> None:
        """Leave the line."""
        if self._live:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        """Show progress; where nobody can be shown it, the collection goes on."""
        if self.stream is not None:
            with suppress(OSError, ValueError):
                self.stream.write(text)
                self.stream.flush()
