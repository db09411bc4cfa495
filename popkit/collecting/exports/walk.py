"""Folders and archives as a stream of files: nothing is written to disk, no link is followed, and
what is read is bounded.

An archive is known by its first bytes, not by its name. Members are read in the order in which they
stand; a member that is an archive is opened in turn, up to a few levels.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

import zstandard

from popkit.collecting.exports.result import ExportTooLarge, Limits
from popkit.collecting.exports.streams import GZIP, ZSTD, Digested, Metered, TarBlocks, unpacked
from popkit.errors import UsageError
from popkit.evidence.leftovers import copied_from, is_of_system
from popkit.evidence.lines import UNFOLDED_FREELY, UNFOLDED_PER_BYTE
from popkit.evidence.manifest import sha256_of

_NEVER_ENTERED = {"node_modules", "__pycache__"}
_DRIVE = re.compile(r"^[A-Za-z]:")
_IN_STREAMS = re.compile(r"(^|/)audit/immutable/stream/[^/]+$")
"""A folder of the bucket's, named by an event id: anybody may choose one that begins with a dot."""
_SUFFIX = re.compile(r"\.(gz|zst)$")
_TAR_BLOCK = 512


class UnfoldsTooFar(OSError):
    """A compressed file unfolds into far more than exports do: it is made to fill the memory, or of
    nothing but one repeated line.
    """


DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    zstandard.ZstdError,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file: where it lay, the SHA-256 of its bytes there, and its content unpacked.

    `name` is `path` without .gz or .zst, and without what a browser adds to a second download.
    """

    path: str
    sha256: str
    content: bytes

    @property
    def name(self) -> str:
        path = _SUFFIX.sub("", self.path)
        return copied_from(path) or path


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read to its end."""

    path: str
    sha256: str
    kind: str
    members: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was not read, and why."""

    path: str
    sha256: str
    why: str


Item = Member | Archive | Refused


class Budget:
    """What may still be read. Raises ExportTooLarge, with what to do, when a limit is passed."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.members, self.bytes, self.layer_bytes = limits, 0, 0, 0

    def count_member(self, path: str) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise ExportTooLarge(
                f"{path}: more than {self.limits.members} files; give popkit a smaller part of the "
                f"export"
            )

    def count_layer(self, path: str, size: int) -> None:
        """`size` bytes more came out of one compression, which may hold another."""
        self.layer_bytes += size
        if self.layer_bytes > 2 * self.limits.total_bytes:
            raise ExportTooLarge(
                f"{path}: unpacks to more than {2 * self.limits.total_bytes} bytes; look at where "
                f"it is from"
            )

    def count_bytes(self, path: str, size: int, of_member: int) -> None:
        """`size` bytes more were unpacked, `of_member` of the same member so far."""
        self.bytes += size
        if of_member > self.limits.member_bytes:
            raise ExportTooLarge(
                f"{path}: expected at most {self.limits.member_bytes} bytes in one file, it "
                f"unpacks to more; "
                "no export of a worker or a node has such a file: look at where it is from"
            )
        if self.bytes > self.limits.total_bytes:
            raise ExportTooLarge(
                f"{path}: expected at most {self.limits.total_bytes} bytes in all; give popkit a "
                f"smaller part of the export"
            )


def walk(paths: Sequence[Path], limits: Limits) -> Iterator[Item]:
    """Every file below the given folders, files and archives. Raises UsageError for a path that is
    not there, ExportTooLarge.
    """
    budget = Budget(limits)
    for path, label in _labelled(paths):
        if path.is_dir():
            yield from _folder(path, label, budget)
        elif path.is_file():
            yield from _file(path, f"{label}{path.name}", budget)
        else:
            raise UsageError(
                f"{path}: no such file or folder; --from names what operators exported"
            )


def _labelled(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each path once, with what its files' paths begin with: nothing for a single one, the folder's
    name where there are several.
    """
    distinct = list({Path(os.path.abspath(path)): None for path in paths})
    if len(distinct) == 1:
        return [(distinct[0], "")]
    taken: set[str] = set()
    labelled = []
    for path in sorted(distinct):
        label, number = path.name or "root", 1
        while label in taken:
            number += 1
            label = f"{path.name}({number})"
        taken.add(label)
        labelled.append((path, f"{label}/" if path.is_dir() or number > 1 else ""))
    return labelled


def shown(path: str) -> str:
    """A path that can be printed: bytes that are no UTF-8 as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _folder(folder: Path, prefix: str, budget: Budget) -> Iterator[Item]:
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        yield Refused(
            prefix or "./",
            "",
            f"cannot be listed: {error.strerror}; make it readable and collect again",
        )
        return
    for entry in entries:
        path = shown(f"{prefix}{entry.name}")
        budget.count_member(path)
        if entry.is_symlink():
            yield Refused(
                path, "", "is a link; links are not followed: give popkit what it points to"
            )
        elif entry.is_dir(follow_symlinks=False):
            is_hidden = entry.name.startswith(".") and not _IN_STREAMS.search(path)
            if (is_hidden and not is_of_system(f"{path}/")) or entry.name in _NEVER_ENTERED:
                yield Refused(
                    f"{path}/",
                    "",
                    "was not entered: hidden and tool-made folders hold no exports; name it with "
                    "--from if this one does",
                )
            else:
                yield from _folder(Path(entry.path), f"{path}/", budget)
        elif entry.is_file(follow_symlinks=False):
            yield from _file(Path(entry.path), path, budget)
        else:
            yield Refused(path, "", "is neither a file nor a folder")


def _file(path: Path, name: str, budget: Budget) -> Iterator[Item]:
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_BLOCK)
            file.seek(0)
            if _archive_kind(head) == "zip":
                yield from _zip(file, name, sha256_of(path), budget, 0)
            elif _is_plain(head) and path.stat().st_size > budget.limits.member_bytes:
                yield Refused(
                    name,
                    sha256_of(path),
                    f"is larger than {budget.limits.member_bytes} bytes and was not read",
                )
            else:
                yield from _stream(file, name, budget, 0)
    except OSError as error:
        yield Refused(
            name,
            "",
            f"cannot be read: {error.strerror or error}; make it readable and collect again",
        )


def _archive_kind(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if head[257:262] == b"ustar" else None


def _is_plain(head: bytes) -> bool:
    return _archive_kind(head) is None and not head.startswith((GZIP, ZSTD))


def _stream(file: IO[bytes], name: str, budget: Budget, depth: int) -> Iterator[Item]:
    """A file, possibly compressed, as the members of the archive it holds or as itself."""
    digest, unfolded = Digested(file), 0
    try:
        content = b""

        def metered(size: int, of_member: int) -> None:
            nonlocal unfolded
            unfolded += size
            if unfolded > UNFOLDED_FREELY + UNFOLDED_PER_BYTE * digest.size:
                raise UnfoldsTooFar(
                    f"it unfolds into more than {unfolded} bytes from {digest.size}"
                )
            budget.count_bytes(name, size, of_member)

        source, meter = unpacked(digest, partial(budget.count_layer, name), metered)
        kind = _archive_kind(source.peek(_TAR_BLOCK)[:_TAR_BLOCK])
        if kind == "tar":
            count = 0
            for item in _tar(source, name, meter, budget, depth):
                count += not isinstance(item, Refused)
                yield item
        else:
            content = source.read()
    except DAMAGE as error:
        yield Refused(
            name, digest.finish(), f"is damaged, and not read beyond that: {error}; export it again"
        )
        return
    sha256 = digest.finish()
    if kind == "tar":
        yield Archive(name, sha256, "tar archive", count)
    elif kind == "zip":
        yield from _zip(io.BytesIO(content), name, sha256, budget, depth)
    else:
        yield Member(name, sha256, content)


def _inner(data: bytes, name: str, budget: Budget, depth: int) -> Iterator[Item]:
    """A member of an archive: a file, or an archive in turn."""
    if _is_plain(data[:_TAR_BLOCK]):
        yield Member(name, hashlib.sha256(data).hexdigest(), data)
    elif depth >= budget.limits.nesting:
        yield Refused(
            name,
            hashlib.sha256(data).hexdigest(),
            f"lies {depth} archives deep; unpack the outer ones and collect again",
        )
    elif _archive_kind(data[:_TAR_BLOCK]) == "zip":
        yield from _zip(io.BytesIO(data), name, hashlib.sha256(data).hexdigest(), budget, depth)
    else:
        yield from _stream(io.BytesIO(data), name, budget, depth)


def _tar(
    source: io.BufferedReader, name: str, meter: Metered, budget: Budget, depth: int
) -> Iterator[Item]:
    blocks = TarBlocks(source)
    with tarfile.open(fileobj=cast("IO[bytes]", blocks), mode="r|", bufsize=_TAR_BLOCK) as tar:
        for info in tar:
            budget.count_member(name)
            meter.begin_member()
            path, fault = _member_path(name, info.name)
            if info.isdir():
                continue
            if fault is None and not info.isfile():
                fault = (
                    "is a link; links in archives are not followed"
                    if info.issym() or info.islnk()
                    else "is neither a file nor a folder"
                )
            if fault is not None:
                yield Refused(path, "", fault)
                continue
            budget.count_bytes(path, 0, info.size)
            file = tar.extractfile(info)
            data = file.read() if file is not None else b""
            yield from _inner(data, path, budget, depth + 1)
    blocks.check_end()


def _zip(file: IO[bytes], name: str, sha256: str, budget: Budget, depth: int) -> Iterator[Item]:
    count = 0
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                budget.count_member(name)
                path, fault = _member_path(name, info.filename)
                if info.is_dir():
                    continue
                if (info.external_attr >> 16) & 0o170000 == 0o120000:
                    fault = "is a link; links in archives are not followed"
                elif info.flag_bits & 1:
                    fault = "is encrypted; give popkit the archive without a password"
                if fault is not None:
                    yield Refused(path, "", fault)
                    continue
                budget.count_bytes(path, 0, info.file_size)
                yield from _inner(
                    _zip_member(archive, info, path, budget.count_bytes), path, budget, depth + 1
                )
                count += 1
    except DAMAGE as error:
        yield Refused(
            name, sha256, f"is damaged, and not read beyond that: {error}; export it again"
        )
        return
    yield Archive(name, sha256, "zip archive", count)


def _zip_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    path: str,
    count: Callable[[str, int, int], None],
) -> bytes:
    with archive.open(info) as member:
        return io.BufferedReader(Metered(member, partial(count, path))).read()


def _member_path(archive: str, name: str) -> tuple[str, str | None]:
    """How a member is named in a report, and why it is refused if it is."""
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    path = shown(f"{archive}!/{name}")
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return (
            path,
            "has a path that leads out of its archive; no export tool writes one: look at where "
            "the archive is from",
        )
    return path, None
