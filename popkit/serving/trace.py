"""What was asked of the server, one JSON line a request: the proof of how fast a client asked."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from popkit.errors import UsageError


@dataclass(slots=True)
class Seen:
    """One request while it is answered: when it came, what it asked, and which faults it met.

    `ns` is the monotonic clock in nanoseconds, `at` unix seconds, `calls` the number of calls by
    JSON-RPC method.
    """

    number: int
    verb: str
    path: str
    ns: int = field(default_factory=time.monotonic_ns)
    at: float = field(default_factory=time.time)
    calls: Counter[str] = field(default_factory=Counter)
    faults: set[str] = field(default_factory=set)


class Trace:
    """Appends a line for every request to a file; without a file it does nothing. Lines stand in
    the order of answers.

    Raises UsageError when the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise UsageError(f"{path}: cannot be written: {error.strerror}") from None

    def write(self, seen: Seen, status: int | None) -> None:
        """Note a request with the HTTP status that it was given; None where it was given no whole
        answer.
        """
        if self._file is None:
            return
        row = {
            "n": seen.number,
            "ns": seen.ns,
            "time": seen.at,
            "method": seen.verb,
            "path": seen.path,
            "calls": dict(sorted(seen.calls.items())),
            "status": status,
            "faults": sorted(seen.faults),
        }
        self._file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
