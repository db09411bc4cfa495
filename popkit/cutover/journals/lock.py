"""One process acts at a time: a lock file that names the process that holds it, by its number and
the moment it started.

The system's own lock on that file (flock) decides, as it ends with the process however that ends;
it also keeps two openings within one process apart, such as a notebook in which a run was opened
twice. What the file *says* tells whoever is refused which process that is, and whoever takes over
that the one before it was killed at work. A process number alone is no proof: numbers are given out
again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popkit.cutover.errors import Stopped
from popkit.errors import CannotWrite
from popkit.texts import Text

IN_USE = Text(
    "another process (number {pid}) works with this run",
    "別のプロセス（番号 {pid}）がこの RUN を使用中です",
)
IN_USE_BY_SOMEONE = Text(
    "another process works with this run", "別のプロセスがこの RUN を使用中です"
)
IN_USE_HERE = Text(
    "the run is already at work in this process", "この RUN はこのプロセスの中ですでに使用中です"
)
WAIT_FOR_IT = Text(
    "wait until it ends, or end it yourself where it hangs; then run this again: what it did "
    "stands in the journal",
    "終わるまで待つか、止まっている場合はご自身で終了させてから、もう一度実行してください。行われたことはジャーナルに残ります",
)
NO_LOCKS = Text(
    "the disk that holds the run cannot lock files",
    "RUN を置いたディスクはファイルのロックに対応していません",
)
MOVE_IT = Text(
    "move the run's folder onto a local disk and run this again",
    "RUN のフォルダーをローカルディスクに移してから、もう一度実行してください",
)
LOST = Text(
    "the lock file of this run was removed or replaced while it was held",
    "この RUN のロックファイルが、保持中に削除または置き換えられました",
)
LOOK_WHO = Text(
    "end every popkit that works with this run, remove nothing beside its journal, and run this "
    "again",
    "この RUN を使うすべての popkit を終了し、ジャーナルの隣のファイルは消さずに、もう一度実行してください",
)
_TOLERANCE = 2.0
"""Seconds by which one start may be given differently: the system works it out from a clock that is
corrected at times.
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a lock file names: process number, its start and when it took the lock, both in unix
    seconds.
    """

    pid: int
    started: float
    since: int


class Lock:
    """The lock of one run, not held until `take` is called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def take(self) -> Holder | None:
        """Hold the lock; returns who held it and was killed, or None. The file keeps naming that
        one until `sign`.

        Raises Stopped (`journal_in_use`, `journal_no_locks`) and CannotWrite.
        """
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise CannotWrite(self.path.name, error) from None
        try:
            self._lock(fd)
            left = _holder(_content(fd))
            if left is not None and left.pid != os.getpid() and _is_alive(left):
                raise in_use(left.pid)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return left

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                holder = _holder(_content(fd))
                raise in_use(holder.pid if holder else None) from None
            raise Stopped("journal_no_locks", NO_LOCKS(), MOVE_IT()) from None
        if not _is_same(
            fd, self.path
        ):  # whoever held it removed the file: another one can be locked under its name by now
            raise in_use(None)

    def sign(self, now: int) -> None:
        """Name this process as the holder."""
        assert self._fd is not None
        text = json.dumps(
            {"pid": os.getpid(), "started": _started(os.getpid()), "since": now}
        ).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def check(self) -> None:
        """Raise Stopped (`journal_lock_lost`) unless the lock still keeps others out."""
        if self._fd is None or not _is_same(self._fd, self.path):
            raise Stopped("journal_lock_lost", LOST(), LOOK_WHO())

    def release(self) -> None:
        """Let go. The file stays: removing it would let two others lock two files of one name."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def in_use(pid: int | None) -> Stopped:
    """Why a run cannot be worked with now: the process of this number holds it (None: one that has
    not named itself).
    """
    reason = (
        IN_USE_HERE()
        if pid == os.getpid()
        else IN_USE(pid=pid)
        if pid is not None
        else IN_USE_BY_SOMEONE()
    )
    return Stopped("journal_in_use", reason, WAIT_FOR_IT())


def _content(fd: int) -> bytes:
    return os.pread(fd, 4096, 0)


def _holder(content: bytes) -> Holder | None:
    """Who a lock file names; None where it is empty or holds anything else: one killed while it
    signed had done nothing yet.
    """
    try:
        value: Any = json.loads(content)
        return Holder(int(value["pid"]), float(value["started"]), int(value["since"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_alive(holder: Holder) -> bool:
    started = _started(holder.pid)
    return started is not None and abs(started - holder.started) <= _TOLERANCE


def _started(pid: int) -> float | None:
    """When a process started, in unix seconds; None where none of that number runs: one that ended
    and waits for its parent does not.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def _is_same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
