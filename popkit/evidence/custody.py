"""The custody record: who was asked what, when, and what came back, one line an event, each naming
the digest of the line before it.

What it proves: lines of a sealed case cannot be altered, dropped or reordered without the manifest
noticing, and everything that was kept can be found again by its digest. It does not prove that a
peer told the truth, nor when: the times are those of the machine that collected, and whoever runs
it could have written another record from the start. Give the manifest's own digest to a second
person on the day, and that is excluded from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from popkit.errors import CaseUnreadable
from popkit.evidence.layout import CUSTODY, HEADER, MANIFEST
from popkit.evidence.manifest import case_files, sha256_of

FIRST = "0" * 64
"""What the first line names as the line before it."""
PROVES = (
    "Each line names the digest of the line before it and the manifest names the whole file, so no "
    "line can be altered, dropped or "
    "moved unnoticed once the case is sealed. It does not prove that a peer told the truth; times "
    "are those of the collecting machine."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Lines that one answer left in the case: `size` bytes of `file` from byte `offset`, and their
    SHA-256.
    """

    file: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the custody record does not hold: the 1-based line, what was expected and what
    is there.
    """

    line: int
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"{CUSTODY}:{self.line}: expected {self.expected}, observed {self.observed}"


def digest_of_line(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def read_custody(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """The whole lines of a custody record as (number, bytes, record); a last line without its line
    end is left out.

    Raises CaseUnreadable for a whole line that is not a JSON object.
    """
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                record = msgspec.json.decode(text, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise CaseUnreadable(
                    f"is not a custody record: {error}", file=CUSTODY, line=number
                ) from None
            yield number, text[:-1], record


def kept_of(record: dict[str, Any]) -> list[Kept]:
    """What a record says that its answer left in the case. Raises CaseUnreadable when it says so in
    another form.
    """
    try:
        return msgspec.convert(record.get("kept", []), list[Kept])
    except msgspec.ValidationError as error:
        raise CaseUnreadable(
            f"is not a custody record: kept: {error}", file=CUSTODY, line=record.get("n")
        ) from None


def check_custody(root: Path) -> list[Break]:
    """Hold a case's custody record against itself and against the files it speaks of; the breaks,
    none when it holds.

    `root` is a sealed case (or an unfinished one). The end of the record is held against what
    case.json names as its last line, so that lines cut off at the end show too; an unfinished
    collection names none. Raises CaseUnreadable when the record cannot be read at all.
    """
    breaks: list[Break] = []
    head, count, record = FIRST, 0, dict[str, Any]()
    there = case_files(root)
    for number, line, record in read_custody(root / CUSTODY):
        breaks += breaks_of_line(number, record, head)
        head, count = digest_of_line(line), number
        for kept in kept_of(record):
            seen = (
                digest_of_range(there[kept.file], kept.offset, kept.size)
                if kept.file in there
                else None
            )
            if seen != kept.sha256:
                breaks.append(
                    Break(
                        number,
                        f"{kept.file} bytes {kept.offset}+{kept.size} to be {kept.sha256}",
                        seen or "nothing there",
                    )
                )
    if record.get("kind") == "sealed":
        breaks += _breaks_of_files(there, count, record.get("files"))
    anchor = _anchor(root)
    if anchor is not None:
        seen_end = {"lines": count, "head": head}
        if anchor != seen_end:
            breaks.append(
                Break(count, f"the record to end as case.json says, with {anchor}", str(seen_end))
            )
        if not (root / CUSTODY).read_bytes().endswith(b"\n"):
            breaks.append(Break(count + 1, "nothing after the last line", "a line without an end"))
    return breaks


def files_named(root: Path) -> set[str]:
    """The files of which a case's custody record says that something was kept in them, or that they
    were sealed.

    Raises CaseUnreadable when the record cannot be read.
    """
    named: set[str] = set()
    for _, _, record in read_custody(root / CUSTODY):
        named |= {kept.file for kept in kept_of(record)}
        sealed = record.get("files")
        named |= set(sealed) if isinstance(sealed, dict) else set()
    return named


def breaks_of_line(number: int, record: dict[str, Any], head: str) -> list[Break]:
    """A line against the one before it, whose digest is `head`."""
    breaks = []
    if record.get("prev") != head:
        breaks.append(
            Break(number, f"the line before it to be {head}", str(record.get("prev"))[:80])
        )
    if record.get("n") != number:
        breaks.append(Break(number, f"number {number}", str(record.get("n"))[:80]))
    return breaks


def _breaks_of_files(files: dict[str, Path], number: int, sealed: object) -> list[Break]:
    """The files that the last line says were sealed, against those that are there."""
    there = {name: path for name, path in files.items() if name not in (CUSTODY, MANIFEST, HEADER)}
    said = sealed if isinstance(sealed, dict) else {}
    found = []
    for name in sorted({*said, *there}):
        seen = sha256_of(there[name]) if name in there else "nothing there"
        if seen != said.get(name):
            found.append(
                Break(number, f"{name} to be {said.get(name, 'no file of the case')}", seen)
            )
    return found


def _anchor(root: Path) -> object:
    """What case.json says of the record's end; None where it says nothing, as while collecting."""
    try:
        return msgspec.json.decode((root / HEADER).read_bytes())["sources"]["custody"]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None


def digest_of_range(path: Path, offset: int, size: int) -> str | None:
    """The SHA-256 of a range of a file, or None where the file does not reach that far."""
    if offset < 0 or size < 0 or not path.is_file() or path.stat().st_size < offset + size:
        return None
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(size)).hexdigest()
