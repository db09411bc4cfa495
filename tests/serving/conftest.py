"""Every recorded case served by one thread, for tests that compare rather than measure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from popkit.evidence.bundle import Evidence
from popkit.serving.faults import Faults
from popkit.serving.hindered import Hindered
from popkit.serving.replay import Replay
from popkit.serving.server import Server
from popkit.serving.trace import Trace
from popkit.serving.worker import WorkerReplay
from tests.conftest import CASES, NAMES


def server_of(name: str) -> Server:
    """A server of a recorded case, not yet listening."""
    evidence = Evidence(CASES / name)
    return Server(
        Hindered(Replay(evidence), Faults()), WorkerReplay(evidence), Faults(), Trace(None)
    )


@pytest.fixture(scope="session")
def urls() -> Iterator[dict[str, str]]:
    """The addresses of all recorded cases by name."""
    found: dict[str, str] = {}
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for name in NAMES:
                found[name] = await stack.enter_async_context(
                    server_of(name).listening("127.0.0.1", 0)
                )
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(60), "the servers did not start"
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()
