"""The HTTP shell over a replay: bounded, on one loop, with the transport's faults. It decides
nothing about evidence.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from popkit.errors import UsageError
from popkit.serving import envelope
from popkit.serving.faults import Faults
from popkit.serving.hindered import Hindered, jumbled
from popkit.serving.limits import KEEPALIVE_SECONDS, Limits
from popkit.serving.trace import Seen, Trace
from popkit.serving.transport import after_answer, before_answer
from popkit.serving.worker import WorkerReplay, is_worker_path

_BUSY = 503
_JSON_TYPES = ("application/json",)
_TURN = 0.05
"""Seconds for which one request may be worked at before others have their turn."""


class Server:
    """Node and worker behind one address. Every Date header says the clock of the chain, which in a
    replay stands still.
    """

    def __init__(
        self,
        node: Hindered,
        worker: WorkerReplay | None,
        worker_faults: Faults,
        trace: Trace,
        limits: Limits | None = None,
    ) -> None:
        self.node, self.worker, self.worker_faults, self.trace = node, worker, worker_faults, trace
        self.limits = limits or Limits()
        self._number = 0
        self._runner: web.AppRunner | None = None
        self._host = "localhost"

    def application(self) -> web.Application:
        """The application; one handler, as what is asked decides more than where."""
        app = web.Application(client_max_size=self.limits.max_body)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_response_prepare.append(self._dated)
        return app

    async def _dated(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(self.node.replay.clock, usegmt=True)
        response.headers["Server"] = "popkit-serve"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(self._number, request.method, request.path)
        self._number += 1
        status: int | None = None
        try:
            response = await self._respond(request, seen)
            # A connection that a fault closed has given no whole answer.
            status = None if seen.faults & {"drop", "cut", "endless"} else response.status
            return response
        except (
            ConnectionError,
            web.RequestPayloadError,
        ):  # the client left in the middle, or its body cannot be read
            return _text(400, "", close=True)
        finally:
            self.trace.write(seen, status)

    async def _respond(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        if not self._is_for_us(request):
            # A page in the operator's browser may point a name of its own at this machine (DNS rebinding) and read the case through it.
            return _text(
                421, "This server answers to its own address and to localhost\n", close=True
            )
        if self._is_full():
            return _text(_BUSY, "too many connections", close=True)
        to_worker = is_worker_path(request.path)
        # Read before any fault shows, so that a trace counts the calls of refused requests too.
        asked = None if to_worker else await self._asked(request, seen)
        if isinstance(asked, web.Response):
            return asked
        faults = self.worker_faults if to_worker else self.node.faults
        early = await before_answer(request, faults, seen)
        if early is not None:
            return early
        response = (
            await self._from_worker(request)
            if asked is None
            else await self._from_node(asked, seen)
        )
        return await after_answer(request, response, faults, seen)

    def _is_for_us(self, request: web.Request) -> bool:
        """Whether the Host header is an IP address, the name that was given to listen on, or a name
        without a dot (localhost, or a container's), which no stranger's domain is.
        """
        try:
            host = (
                urlsplit(f"//{request.headers.get('Host', 'localhost')}").hostname or ""
            ).rstrip(".")
        except ValueError:
            return False
        return (
            (bool(host) and "." not in host and ":" not in host)
            or host == self._host
            or _is_ip_address(host)
        )

    def _is_full(self) -> bool:
        server = self._runner.server if self._runner else None
        return server is not None and len(server.connections) > self.limits.max_connections

    async def _from_worker(self, request: web.Request) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            body = b'{"error":"popkit serve: a replay accepts no writes"}'
            return web.Response(
                status=405,
                body=body,
                content_type="application/json",
                headers={"Allow": "GET, HEAD"},
            )
        assert self.worker is not None, (
            "a server without a replayed worker answers in a way of its own"
        )
        reply = self.worker.get(request.path, request.query, request.headers.get("Authorization"))
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")

    async def _asked(self, request: web.Request, seen: Seen) -> envelope.Request | web.Response:
        """What a client asks of the node, or how it is turned away."""
        if request.method == "GET" and request.path == "/health":
            return _text(200, "ok")
        if request.method != "POST":
            return _text(
                405, "Used HTTP Method is not allowed. POST or OPTIONS is required\n", Allow="POST"
            )
        if request.content_type not in _JSON_TYPES:
            return _text(
                415,
                "Supplied content type is not allowed. Content-Type: application/json is required\n",
            )
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                asked = envelope.read(await request.read())
        except web.HTTPRequestEntityTooLarge:
            return _text(
                413, f"The request is larger than {self.limits.max_body} bytes\n", close=True
            )
        except TimeoutError:
            return _text(408, "The request did not arrive in time\n", close=True)
        seen.calls.update(call.method or "(invalid)" for call in asked.calls)
        return asked

    async def _from_node(self, asked: envelope.Request, seen: Seen) -> web.Response:
        node, faults = self.node, self.node.faults
        limit = faults.strikes("too-large", seen.number)
        if limit is not None and len(asked.calls) > int(limit.value):
            seen.faults.add("too-large")
            return _text(413, f"A batch of more than {limit.value} calls is not allowed\n")
        found = []
        since = time.monotonic()
        for told in envelope.one_by_one(
            asked, lambda method, given: node.answer(method, given, seen.number, seen.faults)
        ):
            found += [told] if told is not None else []
            if (
                time.monotonic() - since > _TURN
            ):  # a long batch must not keep every other client waiting
                await asyncio.sleep(0)
                since = time.monotonic()
        found = jumbled(found, faults, seen.number, asked.is_batch, seen.faults)
        return web.Response(body=envelope.written(asked, found), content_type="application/json")

    @asynccontextmanager
    async def listening(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[str]:
        """Listen, and give the address as a URL. Raises UsageError when that is not possible."""
        runner = web.AppRunner(
            self.application(),
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            handle_signals=False,
            shutdown_timeout=1.0,
        )
        server_logger.addFilter(_is_our_fault)
        await runner.setup()
        self._runner, self._host = runner, host.lower()
        try:
            site = web.TCPSite(
                runner, host, port, ssl_context=tls, backlog=self.limits.max_connections
            )
            try:
                await site.start()
            except (
                OSError,
                UnicodeError,
            ) as error:  # a name that cannot be a host's at all is the latter
                reason = getattr(error, "strerror", None) or str(error)
                raise UsageError(
                    f"cannot listen on {host} port {port}: {reason}; choose another with --host "
                    f"and --port"
                ) from None
            name, bound = runner.addresses[0][:2]
            shown = f"[{name}]" if ":" in str(name) else str(name)
            yield f"{'https' if tls else 'http'}://{shown}:{bound}"
        finally:
            await runner.cleanup()


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp's log is worth reading: not when a client sent what is no HTTP,
    which it was told.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


def _text(status: int, text: str, *, close: bool = False, **headers: str) -> web.Response:
    response = web.Response(status=status, text=text, headers=headers)
    if close:
        response.force_close()
    return response
