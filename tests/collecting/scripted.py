"""A peer that sends exactly the bytes that a test tells it to: broken answers that no HTTP library
would send.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from popkit.collecting.address import Address
from popkit.collecting.peer import Conduct, Peer
from popkit.collecting.workspace import Workspace


@dataclass(slots=True)
class Request:
    """One request as it arrived; `calls` are its JSON-RPC calls, a lone one too."""

    head: str
    body: bytes

    @property
    def calls(self) -> list[dict[str, Any]]:
        value = json.loads(self.body)
        return value if isinstance(value, list) else [value]


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Scripted:
    """`url` of the peer, what it was asked, and how many connections it took."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def scripted(
    answer: Answer, tls: ssl.SSLContext | None = None, waits: bool = True
) -> AsyncIterator[Scripted]:
    """A peer on a free port of this machine; `answer` writes what it likes, and the connection is
    closed unless the writer `stays`.

    With `waits` False it answers the first byte that it sees.
    """
    host = "127.0.0.1"
    peer = Scripted()
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer.connections += 1
        try:
            while True:
                if not waits:
                    await reader.readexactly(1)
                    await answer(Request("", b""), writer)
                    break
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                sizes = [
                    line.partition(":")[2]
                    for line in head.splitlines()
                    if line.lower().startswith("content-length:")
                ]
                request = Request(head, await reader.readexactly(int(sizes[0]) if sizes else 0))
                peer.requests.append(request)
                await answer(request, writer)
                await writer.drain()
                if not getattr(writer, "stays", False):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    peer.url = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def http(
    body: bytes | str,
    *headers: str,
    status: str = "200 OK",
    kind: str | None = "application/json",
    length: int | None = None,
) -> bytes:
    """An HTTP answer; `length` is the one that it states, where that is not the true one."""
    data = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(data) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + data


def always(*data: bytes) -> Answer:
    """Give the n-th request the n-th of these, and every later one the last."""
    count = iter(range(1 << 30))

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data[min(next(count), len(data) - 1)])

    return answer


def spoken(reply: Callable[[dict[str, Any]], Any]) -> Answer:
    """A node that gives `reply(call)` as the result of each call."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        is_batch = request.body.startswith(b"[")
        found = [
            {"jsonrpc": "2.0", "id": call["id"], "result": reply(call)} for call in request.calls
        ]
        writer.write(http(json.dumps(found if is_batch else found[0], separators=(",", ":"))))

    return answer


@asynccontextmanager
async def peer_at(
    url: str, work: Workspace, headers: Iterable[tuple[str, str]] = (), **conduct: Any
) -> AsyncIterator[Peer]:
    """The collector's end: a Peer called "rpc" that asks `url`."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Peer(
            "rpc",
            Address(url, tuple(headers)),
            session,
            work,
            Conduct(**{"timeout": 5.0, **conduct}),
        )
