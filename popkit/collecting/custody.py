"""The custody record: who was asked what, when, and what came back, one line an event, each naming the digest of the line before it.

What it proves: lines of a sealed case cannot be altered, dropped or reordered without the manifest noticing, and everything that was
kept can be found again by its digest. It does not prove that a peer told the truth, nor when: the times are those of the machine
that collected, and whoever runs it could have written another record from the start. Give the manifest's own digest to a second
person on the day, and that is excluded from then on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from popkit.errors import CaseUnreadable

CUSTODY = "custody.jsonl"
FIRST = "0" * 64
"""What the first line names as the line before it."""
PROVES = (
    "Each line names the digest of the line before it and the manifest names the whole file, so no line can be altered, dropped or "
    "moved unnoticed once the case is sealed. It does not prove that a peer told the truth; times are those of the collecting machine."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Lines that one answer left in the case: `size` bytes of `file` from byte `offset`, and their SHA-256."""

    file: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the custody record does not hold: the 1-based line, what was expected and what is there."""

    line: int
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"{CUSTODY}:{self.line}: expected {self.expected}, observed {self.observed}"


class Custody:
    """The custody record of a collection in progress, open for appending.

    Opening cuts off a last line that was being written when the process was killed; every whole line stays.
    Raises CaseUnreadable when a whole line does not follow the one before it.
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
                if record.get("prev") != self.head:
                    raise CaseUnreadable(
                        f"names {record.get('prev')} as the line before it, which is {self.head}",
                        file=CUSTODY,
                        line=number,
                        advice="the unfinished collection was altered; start again with another --out",
                    )
                self.records.append(record)
                self.head, self.count, whole = _digest(line), number, whole + len(line) + 1
        file = self.path.open("ab")
        file.truncate(whole)
        return file

    def append(self, record: dict[str, Any]) -> int:
        """Write one record down, durably; returns its number (1-based)."""
        line = msgspec.json.encode({"n": self.count + 1, **record, "prev": self.head})
        self._file.write(line + b"\n")
        durable(self._file)
        self.head, self.count = _digest(line), self.count + 1
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


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def read_custody(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """The whole lines of a custody record as (number, bytes, record); a last line without its line end is left out.

    Raises CaseUnreadable for a whole line that is not a JSON object.
    """
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                record = msgspec.json.decode(text, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise CaseUnreadable(f"is not a custody record: {error}", file=CUSTODY, line=number) from None
            yield number, text[:-1], record


def kept_of(record: dict[str, Any]) -> list[Kept]:
    """What a record says that its answer left in the case."""
    return [msgspec.convert(row, Kept) for row in record.get("kept", ())]


def check_custody(root: Path) -> list[Break]:
    """Hold a case's custody record against itself and against the files it speaks of; the breaks, none when it holds.

    `root` is a sealed case (or an unfinished one). Raises CaseUnreadable when the record cannot be read at all.
    """
    breaks: list[Break] = []
    head = FIRST
    for number, line, record in read_custody(root / CUSTODY):
        if record.get("prev") != head:
            breaks.append(Break(number, f"the line before it to be {head}", str(record.get("prev"))))
        if record.get("n") != number:
            breaks.append(Break(number, f"number {number}", str(record.get("n"))))
        head = _digest(line)
        for kept in kept_of(record):
            seen = digest_of_range(root / kept.file, kept.offset, kept.size)
            if seen != kept.sha256:
                breaks.append(Break(number, f"{kept.file} bytes {kept.offset}+{kept.size} to be {kept.sha256}", seen or "nothing there"))
    return breaks


def digest_of_range(path: Path, offset: int, size: int) -> str | None:
    """The SHA-256 of a range of a file, or None where the file does not reach that far."""
    if not path.is_file() or path.stat().st_size < offset + size:
        return None
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(size)).hexdigest()
