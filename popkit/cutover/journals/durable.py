"""Writing that is on the disk when it returns, so that a kill or a power cut leaves the whole of it
or nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from popkit.errors import CannotWrite


def write_through(file: int, data: bytes) -> None:
    """Write all of the bytes into an open file, and wait for the disk. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there with all its bytes or not at all, its name on the disk as well.
    Raises CannotWrite.

    A file of that name is replaced. A kill can leave `<name>.part`, which the next writing takes
    over.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        file = os.open(
            part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
        )
        try:
            write_through(file, data)
        finally:
            os.close(file)
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise CannotWrite(path.name, error) from None


def synced(*places: Path) -> None:
    """Wait until files, or the names in folders, are on the disk. Raises CannotWrite."""
    for place in places:
        try:
            file = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise CannotWrite(place.name, error) from None
