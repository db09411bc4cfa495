"""A drill that runs: the world's clock follows the machine's, two nodes and the worker listen on
loopback.

Wallets of the world claim on request, as the app does: they ask the worker and the chain in this
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from popkit.drill.chain import Chain
from popkit.drill.desk import Desk
from popkit.drill.faults import split
from popkit.drill.node import LiveNode
from popkit.drill.worker import Worker
from popkit.drill.world import World
from popkit.serving.faults import Faults
from popkit.serving.hindered import Hindered
from popkit.serving.limits import MAX_BODY, Limits
from popkit.serving.server import Server
from popkit.serving.trace import Trace

HOST = "127.0.0.1"
POLL_SECONDS = 0.05
BAD_GATEWAY = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
WEBSOCKET_SECONDS = 90.0
WORKER_BODY = 1 << 20
"""How much is read of a body to the worker, whose own limit is lower."""


@dataclass(slots=True)
class Clock:
    """Turns a world's clock with the machine's, from where the world stood; `skip` lets time pass
    at once.
    """

    world: World
    monotonic: Callable[[], float] = time.monotonic
    _from_ms: int = 0
    _from: float = 0.0

    def __post_init__(self) -> None:
        self._from_ms, self._from = self.world.ms, self.monotonic()

    def turn(self) -> None:
        """Bring the world to now; it never goes back."""
        self.world.ms = max(
            self.world.ms, self._from_ms + int(1000 * (self.monotonic() - self._from))
        )

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._from_ms += int(1000 * seconds)
        self.turn()


@dataclass(slots=True)
class Drill:
    """A world that runs, with everything that listens. `faults` are those of the first node,
    `second_faults` of the other.
    """

    world: World
    token: str
    faults: tuple[str, ...] = ()
    second_faults: tuple[str, ...] = ()
    worker_faults: tuple[str, ...] = ()
    seed: int = 0
    behind: int = 0
    clock: Clock = field(init=False)
    chain: Chain = field(init=False)
    desk: Desk = field(init=False)
    nodes: list[LiveServer] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.clock, self.chain = Clock(self.world), Chain(self.world)
        self.desk = Desk(self.world.worker, self.token)

    @property
    def worker(self) -> Worker:
        return self.desk.worker

    @property
    def genesis(self) -> str:
        """The genesis hash of this drill, which no cluster has."""
        return LiveNode(self.chain).genesis

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Addresses]:
        """Listen on three free ports of loopback: two nodes over one chain, and the worker."""
        async with AsyncExitStack() as stack:
            urls = []
            for number, specs in enumerate((self.faults, self.second_faults)):
                faults, living = split(specs, self.seed + number)
                node = LiveNode(
                    self.chain, f"node {number + 1}", self.behind if number else 0, living
                )
                server = LiveServer(self, node, faults)
                self.nodes.append(server)
                urls.append(await stack.enter_async_context(server.listening(HOST, 0)))
            node = LiveNode(self.chain, "worker")
            worker = LiveServer(self, node, Faults(), Faults(self.seed, self.worker_faults))
            urls.append(await stack.enter_async_context(worker.listening(HOST, 0)))
            yield Addresses(*urls)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a drill listens."""

    rpc: str
    second_rpc: str
    worker: str


class LiveServer(Server):
    """One node over HTTP and WebSocket, and the worker; the same shell as a replay's, over a world
    that moves.
    """

    def __init__(
        self, drill: Drill, node: LiveNode, faults: Faults, worker_faults: Faults | None = None
    ) -> None:
        limits = Limits(max_body=MAX_BODY if worker_faults is None else WORKER_BODY)
        super().__init__(
            Hindered(node, faults), None, worker_faults or Faults(), Trace(None), limits
        )
        self.drill, self.live = drill, node

    @asynccontextmanager
    async def listening(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[str]:
        """Listen on a port and on the one above it: web3.js looks for the WebSocket there unless it
        is told another place.
        """
        port = port or _free_pair(host)
        async with super().listening(host, port, tls) as url:
            assert self._runner is not None
            await web.TCPSite(self._runner, host, port + 1).start()
            yield url

    async def _respond(self, request: web.Request, seen: Any) -> web.StreamResponse:
        self.drill.clock.turn()
        if request.headers.get("Upgrade", "").lower() == "websocket" and self._is_for_us(request):
            return await self._subscriptions(request)
        response = await super()._respond(request, seen)
        if (
            seen.calls["sendTransaction"]
            and self.live.living.strikes("lost-answer", seen.number)
            and request.transport is not None
        ):
            seen.faults.add("drop")  # what was sent has been taken; only its answer is lost
            request.transport.abort()
        held = (
            self.live.living.strikes("held-answer", seen.number)
            if seen.calls["sendTransaction"]
            else None
        )
        if held is not None:
            await asyncio.sleep(float(held.value))
        return response

    def suffer(self, faults: Faults, living: Faults) -> None:
        """From now on the node has these faults, and none of those before."""
        self.node.faults, self.live.living, self.live.began = faults, living, self.drill.chain.slot

    async def _from_worker(self, request: web.Request) -> web.Response:
        desk = self.drill.desk
        status, answer = desk.answer(
            request.method, request.path, request.query, request.headers, await request.read()
        )
        fate, _, seconds = (
            desk.fates.pop(0) if desk.fates and request.method != "GET" else ""
        ).partition(":")
        if fate == "502":
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        if fate == "late":
            await asyncio.sleep(float(seconds))
        if fate == "lost" and request.transport is not None:
            request.transport.abort()
        if isinstance(answer, str):
            return web.Response(status=status, text=answer)
        headers = {"Retry-After": str(answer["retryAfterSec"])} if status == 429 else {}
        return web.Response(
            status=status,
            body=msgspec.json.encode(answer),
            content_type="application/json",
            headers=headers,
        )

    async def _subscriptions(self, request: web.Request) -> web.WebSocketResponse:
        """signatureSubscribe and signatureUnsubscribe: one notification a subscription, at the
        commitment that it asked for.
        """
        socket = web.WebSocketResponse(heartbeat=20.0)
        await socket.prepare(request)
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                answer, task = self._subscribed(socket, message.data, len(tasks) + 1)
                await socket.send_str(answer)
                if task is not None:
                    tasks[len(tasks) + 1] = asyncio.create_task(task)
        finally:
            for running in tasks.values():
                running.cancel()
        return socket

    def _subscribed(self, socket: web.WebSocketResponse, text: str, number: int) -> tuple[str, Any]:
        try:
            asked = msgspec.json.decode(text)
            method, given, name = asked["method"], asked.get("params") or [], asked.get("id")
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return (
                '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}',
                None,
            )
        result: Any = True
        task = None
        if method == "signatureSubscribe" and given and isinstance(given[0], str):
            commitment = (
                (given[1] or {}).get("commitment", "finalized") if len(given) > 1 else "finalized"
            )
            result, task = number, self._notified(socket, number, given[0], commitment)
        elif method not in ("signatureUnsubscribe", "ping"):
            error = {"code": -32601, "message": "Method not found"}
            return msgspec.json.encode(
                {"jsonrpc": "2.0", "error": error, "id": name}
            ).decode(), None
        return msgspec.json.encode({"jsonrpc": "2.0", "result": result, "id": name}).decode(), task

    async def _notified(
        self, socket: web.WebSocketResponse, number: int, signature: str, commitment: str
    ) -> None:
        until = time.monotonic() + WEBSOCKET_SECONDS
        while time.monotonic() < until and not socket.closed:
            self.drill.clock.turn()
            self.drill.chain.advance()
            view = self.live.view(commitment)
            landed = view.transaction(signature)
            if landed is not None:
                value = {
                    "context": {"slot": view.slot},
                    "value": {"err": msgspec.json.decode(landed.err)},
                }
                body = {
                    "jsonrpc": "2.0",
                    "method": "signatureNotification",
                    "params": {"result": value, "subscription": number},
                }
                await socket.send_str(msgspec.json.encode(body).decode())
                return
            await asyncio.sleep(POLL_SECONDS)


def _free_pair(host: str) -> int:
    """A free port whose next one is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((host, 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind((host, port + 1))
                return port
