"""The command line as a process that Ctrl-C reaches, however the tests themselves were started."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def started(
    *args: str | Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run popkit beside the block; whatever happens in it, no process is left when the block ends.

    Under nohup, or behind a shell's `&`, SIGINT is ignored, and a child of one that ignores it
    ignores it too. One that handles it hands nothing on: a new program starts with the system's
    default.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = [sys.executable, "-m", "popkit.cli", *map(str, args)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
