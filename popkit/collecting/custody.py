"""The custody record of a collection in progress; `popkit.evidence.custody` reads it back and says
what it proves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from popkit.errors import CaseUnreadable
from popkit.evidence.custody import FIRST, breaks_of_line, digest_of_line, read_custody
from popkit.evidence.layout import CUSTODY


class Custody:
    """The custody record of a collection in progress, open for appending.

    Opening cuts off a last line that was being written when the process was killed; every whole
    line stays. Raises CaseUnreadable when a whole line does not follow the one before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = FIRST
        self.count = 0
        self.records: list[dict[str, Any]] = []
        self._file = self._open()

    def _open(self) -> IO[bytes]:
        whole = 0
        if self.path.is_file():
            for number, line, record in read_custody(self.path):
                if breaks := breaks_of_line(number, record, self.head):
                    raise CaseUnreadable(
                        f"expected {breaks[0].expected}, observed {breaks[0].observed}",
                        file=CUSTODY,
                        line=number,
                        advice="the unfinished collection was altered; start again with another "
                        "--out",
                    )
                self.records.append(record)
                self.head, self.count, whole = digest_of_line(line), number, whole + len(line) + 1
        file = self.path.open("ab")
        file.truncate(whole)
        return file

    def append(self, record: dict[str, Any], through: bool = True) -> int:
        """Write one record down; returns its number (1-based). `through`: onto the disk, not only
        into the system's memory.
        """
        line = msgspec.json.encode({"n": self.count + 1, **record, "prev": self.head})
        self._file.write(line + b"\n")
        if through:
            durable(self._file)
        else:
            self._file.flush()
        self.head, self.count = digest_of_line(line), self.count + 1
        return self.count

    def written(self) -> Iterator[dict[str, Any]]:
        """Every record written so far, of earlier runs too."""
        return (record for _, _, record in read_custody(self.path))

    def close(self) -> None:
        self._file.close()


def durable(file: IO[bytes]) -> None:
    """Have the operating system write a file out before anything that refers to it is written."""
    file.flush()
    os.fsync(file.fileno())
