"""Commands of popkit, each in a process of its own with a bound on its memory and on the work it
may do.

The bounds are the kernel's: address space (RLIMIT_AS), and seconds of processor time (RLIMIT_CPU),
which other work on the machine does not use up. One warm process forks for every command, so that
hundreds cost no start-up.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import print_exc

CPU_SECONDS = 15
"""A case of some hundred kilobytes takes a tenth of a second; what reads the largest damage of it
in quadratic time takes minutes.
"""
MEMORY = 1 << 29
"""Bytes of address space beyond what the imports take."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code (negative: the signal that ended it), its two outputs, CPU
    seconds and peak bytes.
    """

    args: tuple[str, ...]
    code: int
    out: str
    err: str
    cpu: float
    peak: int


class Bounded:
    """A warm process that runs popkit's commands under the bounds; used as a context manager's
    value (`bounded`).

    `most_cpu` (seconds) and `most_memory` (bytes) are the greatest that a command took.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self.most_cpu, self.most_memory = 0.0, 0

    def run(self, *args: str | Path) -> Ran:
        """Run `popkit ARGS…` and give how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = tuple(map(str, args))
        self._process.stdin.write(json.dumps([str(self._folder), words]) + "\n")
        self._process.stdin.flush()
        code, cpu, peak = json.loads(self._process.stdout.readline())
        self.most_cpu, self.most_memory = max(self.most_cpu, cpu), max(self.most_memory, peak)
        out, err = (
            (self._folder / name).read_text("utf-8", "surrogateescape") for name in ("out", "err")
        )
        return Ran(words, code, out, err, cpu, peak)


@contextlib.contextmanager
def bounded(warm: Path) -> Iterator[Bounded]:
    """The warm process, which has diagnosed and verified the case `warm` once; it ends with the
    block.
    """
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.absurd.bounded", str(warm)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Bounded(process, Path(folder))
            assert process.stdin is not None
            process.stdin.close()


def serve(warm: str) -> None:
    """Answer each line of standard input, [folder, arguments], by [code, CPU seconds, peak bytes]."""
    import popkit.collecting.collect  # noqa: F401  (loaded once, and not in every fork)
    from popkit.cli import main

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for verb in ("diagnose", "verify"):
        main([verb, warm])
    for line in sys.stdin:
        folder, args = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_limited(Path(folder), args))
        _, status, used = os.wait4(child, 0)
        answer = [
            os.waitstatus_to_exitcode(status),
            used.ru_utime + used.ru_stime,
            used.ru_maxrss * 1024,
        ]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _limited(folder: Path, args: list[str]) -> int:
    """Run a command in this process, its outputs in two files; anything but an exit code ends in a
    traceback and 70.
    """
    from popkit.cli import main

    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (space + MEMORY, space + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    try:
        return main(args)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 70
    except BaseException:
        print_exc()
        return 70
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
