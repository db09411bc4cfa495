"""A case served by a process of its own, for tests that need a peer on the network."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 30


class Served(str):
    """The URL of a served case; `process` is the server, `errors()` what it has said on standard
    error so far.
    """

    process: subprocess.Popen[bytes]
    _errors: Path

    def errors(self) -> str:
        return self._errors.read_text("utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def served(
    case: str | Path, *flags: str | Path, env: dict[str, str] | None = None
) -> Iterator[Served]:
    """Serve a case on a free port of this machine while the block runs; gives the URL.

    Raises AssertionError with what the server said when it does not start, or does not end cleanly.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder, "stderr")
        command = [
            sys.executable,
            "-m",
            "popkit",
            "serve",
            str(case),
            "--port",
            "0",
            *map(str, flags),
        ]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=env)
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            line = process.stdout.readline().decode() if ready else ""
            prefix = "popkit serve: "
            assert line.startswith(prefix), (
                f"the server did not start: {line!r} {errors.read_text()}"
            )
            url = Served(line.removeprefix(prefix).strip())
            url.process, url._errors = process, errors
            yield url
            code = url.stop()
            assert code == 0, f"the server ended with {code}: {errors.read_text()}"
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            process.stdout.close()


def requests_of(trace: str | Path) -> list[dict[str, Any]]:
    """The requests of a trace file in the order in which they came."""
    rows = [json.loads(line) for line in Path(trace).read_text("utf-8").splitlines()]
    return sorted(rows, key=lambda row: row["ns"])
