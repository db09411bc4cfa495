"""The command line called in this process: what a user would get from it, without the start of
another interpreter.
"""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from popkit.cli import main


def called(*args: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Exit code, standard output and standard error of a command; neither stream is a terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    words = [str(arg) for arg in args]
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    assert isinstance(out.buffer, io.BytesIO)
    assert isinstance(err.buffer, io.BytesIO)
    return subprocess.CompletedProcess(words, code, out.buffer.getvalue(), err.buffer.getvalue())
