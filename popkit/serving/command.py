"""`popkit serve`: serving a case until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import ssl
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from popkit.errors import EXIT_FINE
from popkit.output import say, tell
from popkit.serving.faults import Faults
from popkit.serving.limits import Limits


@dataclass(frozen=True, slots=True)
class Settings:
    """How a case is served; `token` is asked for where the worker asks for one, `trace` is a file to append requests to."""

    host: str
    port: int
    strict: bool
    token: str | None
    limits: Limits
    tls: ssl.SSLContext | None
    faults: Faults
    fault_on: str
    trace: Path | None


def run(case: Path, settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; the first line on standard output is the address. Raises PopkitError."""
    from popkit.evidence.bundle import Evidence
    from popkit.serving.hindered import Hindered
    from popkit.serving.replay import Replay
    from popkit.serving.server import Server
    from popkit.serving.trace import Trace
    from popkit.serving.worker import WorkerReplay

    evidence = Evidence(case)
    replay = Replay(evidence, strict=settings.strict, note=lambda what: _note(f"not in the case: {what}"))
    worker = WorkerReplay(evidence, settings.token)
    for problem in (*evidence.problems, *replay.ledger.problems, *worker.problems):
        _note(f"{problem}")
    trace = Trace(settings.trace)
    try:
        of_node, of_worker = (settings.faults if settings.fault_on in ("all", peer) else Faults() for peer in ("rpc", "worker"))
        server = Server(Hindered(replay, of_node), worker, of_worker, trace, settings.limits)
        asyncio.run(_serve(server.listening(settings.host, settings.port, settings.tls)))
    finally:
        trace.close()
    if replay.not_collected:
        count = len(replay.not_collected)
        _note(f"{'1 thing was' if count == 1 else f'{count} things were'} asked for that the case cannot tell")
    return EXIT_FINE


async def _serve(listening: AbstractAsyncContextManager[str]) -> None:
    """Listen until a signal says stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening as url:
        say([f"popkit serve: {url}"])
        await stop.wait()


def _note(text: str) -> None:
    tell(f"popkit serve: {text}")
