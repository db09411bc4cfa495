"""The manifest of a case: which bytes the case was sealed with.

`manifest-sha256.txt` has one line a file, `<sha256>  <path>`, as sha256sum writes it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

from popkit.errors import CaseUnreadable, ManifestMismatch
from popkit.evidence.layout import MANIFEST
from popkit.evidence.leftovers import is_leftover

_LINE = re.compile(r"^(\\?)([0-9a-f]{64}) [ *](.+)$", re.DOTALL)
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
"""How sha256sum writes a name that holds a backslash or a line end; such a line begins with a
backslash.
"""
_BUCKET_STREAMS = "worker/r2/audit/immutable/stream/"
_RESEAL = (
    "collect the case again, or find out who changed it; popkit does not judge an altered case"
)


def case_files(root: Path, others: list[str] | None = None) -> dict[str, Path]:
    """Every regular file of a case by its path inside it ('/' separated), ascending.

    Hidden files are left out, and so is what operating systems and editors leave behind and a
    second copy beside its original. Below the bucket's streams a hidden folder is an event's, whose
    id anybody may choose. `others` takes the paths of what is there and is no file: links that lead
    nowhere or to themselves, links to folders, pipes. Raises CaseUnreadable for a link that leads
    out of the case.
    """
    found: dict[str, Path] = {}
    inside = os.path.realpath(root)
    for folder, folders, names in os.walk(root):
        of_bucket = f"{Path(folder).relative_to(root).as_posix()}/".startswith(_BUCKET_STREAMS)
        folders[:] = sorted(name for name in folders if of_bucket or not name.startswith("."))
        if others is not None:  # os.walk enters no linked folder
            others += [
                Path(folder, name).relative_to(root).as_posix()
                for name in folders
                if Path(folder, name).is_symlink()
            ]
        listed = {Path(folder, name).relative_to(root).as_posix(): name for name in sorted(names)}
        for relative, name in listed.items():
            if name.startswith(".") or is_leftover(relative, listed):
                continue
            path = Path(folder, name)
            if not Path(os.path.realpath(path)).is_relative_to(inside):
                raise CaseUnreadable(
                    "is a link that leads out of the case",
                    file=relative,
                    advice="put the file itself there",
                )
            if path.is_file():
                found[relative] = path
            elif others is not None:
                others.append(relative)
    return found


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits; read in pieces, so that size does not matter."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """The manifest's digests by path. Raises CaseUnreadable for a line that is not one, or a path
    that leaves the case.
    """
    digests: dict[str, str] = {}
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CaseUnreadable(
            f"is not UTF-8 at byte {error.start}", file=MANIFEST, advice=_RESEAL
        ) from None
    for number, row in enumerate(text.split("\n"), 1):  # a name may hold any other line end
        line = row.removesuffix("\r")
        if not line.strip():
            continue
        match = _LINE.match(line)
        if match is None:
            raise CaseUnreadable(
                "is not '<sha256>  <path>'", file=MANIFEST, line=number, advice=_RESEAL
            )
        escaped, digest, name = match.groups()
        name = re.sub(r"\\\\|\\n|\\r", lambda found: _ESCAPES[found[0]], name) if escaped else name
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise CaseUnreadable(
                f"names a path outside the case: {name}", file=MANIFEST, line=number, advice=_RESEAL
            )
        if digests.get(pure.as_posix(), digest) != digest:
            raise CaseUnreadable(
                f"names {name} twice, with different digests",
                file=MANIFEST,
                line=number,
                advice=_RESEAL,
            )
        digests[pure.as_posix()] = digest
    return digests


def check_manifest(root: Path, files: dict[str, Path]) -> dict[str, str] | None:
    """Hold every file of a case against its manifest; the digests by path, or None where the case
    has no manifest.

    `files` are those of `case_files`. What a manifest lists must be there as it was sealed,
    whatever its name. Raises ManifestMismatch at the first file (ascending) that is missing,
    altered or not listed.
    """
    if MANIFEST not in files:
        return None
    wanted = read_manifest(files[MANIFEST])
    for name in sorted({*wanted, *files} - {MANIFEST}):
        path = files.get(name, root / name)
        if not path.is_file():
            raise ManifestMismatch(
                "is in the manifest but not in the case", file=name, advice=_RESEAL
            )
        if name not in wanted:
            raise ManifestMismatch(
                "is in the case but not in the manifest", file=name, advice=_RESEAL
            )
        seen = sha256_of(path)
        if seen != wanted[name]:
            raise ManifestMismatch(
                f"does not match the manifest: expected sha256 {wanted[name]}, found {seen}",
                file=name,
                advice=_RESEAL,
            )
    return wanted
