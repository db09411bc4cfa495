"""Streams that are unpacked while they are read, counted, and digested; and for tar, watched for
their end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from typing import IO, cast

import zstandard

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FEED = 1 << 10  # small, so that a frame of endless zeros cannot fill the memory in one step
_MAX_WINDOW = 1 << 27
_LAYERS = 3
_BLOCK = 512


class Metered(io.RawIOBase):
    """A stream whose bytes are counted as they are read: `count(bytes now, bytes since
    begin_member)` may raise.
    """

    def __init__(self, source: IO[bytes], count: Callable[[int, int], None]) -> None:
        self._source, self._count, self._part = source, count, 0

    def readable(self) -> bool:
        return True

    def begin_member(self) -> None:
        self._part = 0

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]  # a BufferedReader asks with a memoryview
        piece = self._source.read(len(into))
        self._part += len(piece)
        self._count(len(piece), self._part)
        into[: len(piece)] = piece
        return len(piece)


class Digested:
    """A file that is digested while it is read; `finish` reads what is left of it and gives the
    SHA-256.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha256, self.size = file, hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._sha256.update(piece)
        self.size += len(piece)
        return piece

    def finish(self) -> str:
        while self.read(1 << 20):
            pass
        return self._sha256.hexdigest()


class _Frames:
    """The content of all frames of a zstd stream. Raises EOFError when the last one is cut, which
    the library's reader does not say.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._ready, self._left = source, bytearray(), b""
        self._library = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._frame, self._is_inside = self._library.decompressobj(), False

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and self._feed():
            pass
        piece = bytes(self._ready[:size])
        del self._ready[:size]
        return piece

    def _feed(self) -> bool:
        piece = self._left or self._source.read(_FEED)
        if not piece:
            if self._is_inside:
                raise EOFError("the compressed stream ends inside a frame")
            return False
        self._is_inside = True
        self._ready += self._frame.decompress(piece)
        self._left = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._is_inside = self._library.decompressobj(), False
        return True


def unpacked(
    file: Digested, count_layer: Callable[[int], None], count: Callable[[int, int], None]
) -> tuple[io.BufferedReader, Metered]:
    """A file without its gzip or zstd layers, and the meter through which its content is read."""
    source = io.BufferedReader(Metered(cast("IO[bytes]", file), lambda size, part: None))
    for _ in range(_LAYERS):
        head = source.peek(4)[:4]
        if head.startswith(GZIP):
            inner = cast("IO[bytes]", gzip.GzipFile(fileobj=source))
        elif head == ZSTD:
            inner = cast("IO[bytes]", _Frames(source))
        else:
            break
        source = io.BufferedReader(Metered(inner, lambda size, part: count_layer(size)))
    meter = Metered(source, count)
    return io.BufferedReader(meter), meter


class TarBlocks:
    """The blocks that tarfile reads, so that an archive that was cut short between two members is
    told from a whole one.
    """

    def __init__(self, source: io.BufferedReader) -> None:
        self._source, self._last = source, b""

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        self._last = piece or self._last
        return piece

    def check_end(self) -> None:
        """Raises tarfile.ReadError when the last block read does not end an archive, or when
        something but padding follows it.
        """
        whole = len(self._last) == _BLOCK and not any(self._last)
        while rest := self._source.read(1 << 20):
            whole = whole and not any(rest)
        if not whole:
            raise tarfile.ReadError(
                "the archive ends before its end mark; its members up to there were read"
            )
