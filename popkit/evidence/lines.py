"""JSON lines, streamed, plain or compressed; every line remembers where it stood."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import zstandard

from popkit.errors import changed
from popkit.evidence.layout import BUCKET
from popkit.protocol.canonical import absurdity

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A line longer than this is not read: no answer of a node or a worker comes near it."""
MAX_PROBLEMS = 1000
"""Lines of one file that are noted for one reason: a file of a hundred million bad lines must not
fill the memory.
"""
UNFOLDED_FREELY, UNFOLDED_PER_BYTE = 16 << 20, 100
"""A compressed file may unfold into so many bytes, and so many more for each of its own; JSON of
distinct rows is far below that.
"""
_PIECE = 1 << 20
_MAX_ZSTD_WINDOW = 1 << 27
_ZSTD_FEED = 1 << 14  # small, so that a file of endless zeros cannot fill the memory in one step
SUFFIXES = (".zst", ".gz")
"""How the name of a compressed file may end."""


def logical_name(file: str) -> str:
    """A file's name without its compression: no finding depends on how a case was packed."""
    for suffix in SUFFIXES:
        file = file.removesuffix(suffix)
    return file


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a fact stands in a case: the file's path inside it, the 1-based line (or a key), the
    file's SHA-256.
    """

    file: str
    line: int | None = None
    key: str | None = None
    sha256: str | None = None

    @property
    def part(self) -> str:
        """The part of the case that the file is: the same however it is compressed, and for a
        bucket in one file as in many.
        """
        if self.file.startswith(BUCKET):
            return BUCKET
        return self.file.removesuffix(".gz").removesuffix(".zst")

    def __str__(self) -> str:
        spot = f":{self.line}" if self.line else f" [{self.key}]" if self.key else ""
        return f"{self.file}{spot}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the evidence that could not be used: `code` is stable, `detail` is for people,
    `place` says where.
    """

    code: str
    detail: str
    place: Place

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


@dataclass(slots=True)
class Lines:
    """The lines of one file of a case, whatever its compression.

    Iterating gives (line number, bytes without the line feed). What cannot be read is appended to
    `problems`: never raised, never skipped silently. `ends_cut` is True when the last line has no
    line end.
    """

    path: Path
    name: str
    sha256: str | None
    problems: list[Problem] = field(default_factory=list)
    ends_cut: bool = False
    noted: dict[str, int] = field(default_factory=dict)

    def place(self, line: int) -> Place:
        return Place(self.name, line, None, self.sha256)

    def problem(self, code: str, detail: str, line: int) -> None:
        """Note that a line could not be used; a cut last line says so."""
        if self.ends_cut and code == "unreadable_line":
            code, detail = "truncated_line", f"the last line is cut short: {detail}"
        count = self.noted[code] = self.noted.get(code, 0) + 1
        if count < MAX_PROBLEMS:
            self.problems.append(Problem(code, detail, self.place(line)))
        elif count == MAX_PROBLEMS:
            self.problems.append(
                Problem(
                    code, f"{detail}; those after it are not noted one by one", self.place(line)
                )
            )

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        rest, number, skipping = b"", 0, False
        for piece in self._pieces():
            parts = (rest + piece).split(b"\n")
            rest = parts.pop()
            for part in parts:
                number += 1
                if skipping:
                    skipping = False
                elif part and not part.isspace() and self._is_sane(part, number):
                    yield number, part
            if len(rest) > MAX_LINE_BYTES:
                if not skipping:
                    self.problem(
                        "line_too_long",
                        f"the line is longer than {MAX_LINE_BYTES} bytes and was not read",
                        number + 1,
                    )
                rest, skipping = b"", True
        if rest.strip() and not skipping:
            self.ends_cut = True
            if self._is_sane(rest, number + 1):
                yield number + 1, rest

    def _is_sane(self, text: bytes, number: int) -> bool:
        """Whether a line can be given to a reader of JSON; one that cannot is noted."""
        absurd = absurdity(text)
        if absurd:
            self.problem("unreadable_line", absurd, number)
        return not absurd

    def _pieces(self) -> Iterator[bytes]:
        """The decompressed bytes in pieces; a damaged stream ends with a problem, what came before
        it is kept.

        Raises ManifestMismatch when the bytes are not those that the manifest was held against: the
        file changed since.
        """
        with self.path.open("rb") as file:
            raw = Held(file)
            try:
                yield from self._unfolded(raw)
            except (zstandard.ZstdError, OSError, EOFError, zlib.error) as error:
                place = Place(self.name, None, None, self.sha256)
                self.problems.append(
                    Problem(
                        "damaged_compression", f"cannot be decompressed to its end: {error}", place
                    )
                )
            raw.check(self.name, self.sha256)

    def _unfolded(self, raw: Held) -> Iterator[bytes]:
        """The content, up to what a file of its size may unfold into."""
        if self.name.endswith(".zst"):
            pieces = _zstd_pieces(raw)
        else:
            source = (
                cast("IO[bytes]", gzip.GzipFile(fileobj=cast("IO[bytes]", raw)))
                if self.name.endswith(".gz")
                else raw
            )
            pieces = iter(lambda: source.read(_PIECE), b"")
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > UNFOLDED_FREELY + UNFOLDED_PER_BYTE * raw.size:
                told = f"unfolds into more than {size} bytes from {raw.size}; what comes after them was not read"
                self.problems.append(
                    Problem("document_too_large", told, Place(self.name, None, None, self.sha256))
                )
                return
            yield piece


class Held:
    """A file of a case that is digested while it is read, so that what was read is what the
    manifest was held against.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha256, self.size = file, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._sha256.update(piece)
        self.size += len(piece)
        return piece

    def check(self, name: str, sha256: str | None) -> None:
        """Read what is left. Raises ManifestMismatch when the whole is not what `sha256` says
        (None: the case has no manifest).
        """
        while sha256 is not None and self.read(_PIECE):
            pass
        found = self._sha256.hexdigest()
        if sha256 is not None and found != sha256:
            raise changed(name, sha256, found)


def read_held(path: Path, name: str, sha256: str | None) -> bytes:
    """The bytes of a whole file of a case. Raises ManifestMismatch when it changed after the
    manifest was held against it.
    """
    with path.open("rb") as file:
        held = Held(file)
        data = held.read()
        held.check(name, sha256)
        return data


def _zstd_pieces(raw: Held) -> Iterator[bytes]:
    """The content of all frames of a zstd file. Raises EOFError when the last frame is cut (a
    stream reader would not say).
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    started = False
    while piece := raw.read(_ZSTD_FEED):
        while piece:
            started = True
            yield frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame, started = decompressor.decompressobj(), bool(piece)
    if started:
        raise EOFError("the compressed stream ends inside a frame")
