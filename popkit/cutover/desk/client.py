"""Requests to the worker for callers that are not asynchronous: each is sent once, and every answer
can be kept as evidence.

The event loop runs in a daemon thread of its own, so that a notebook, which runs a loop already,
can ask as well.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import msgspec

from popkit.collecting.address import Address
from popkit.collecting.exchange import Answer, exchange
from popkit.collecting.outcomes import Outcome

TIMEOUT = 30.0
"""Seconds for one whole exchange with the worker."""
MAX_BODY = 32 * 1024 * 1024
_GRACE = 5.0
"""Seconds beyond its own limit for which a request's thread is waited for."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back. `at` is when it was sent (unix seconds, this machine's
    clock).

    `body` is the answer's body as received, but for secrets that it echoed: those are replaced,
    `secrets_replaced` times; `sha256` is of the body as it came. `request` is the JSON that was
    sent (None for a GET). `authorized` says whether the operator's token went along; the token
    itself is nowhere in here. `date` is the worker's own clock by the answer's Date header (unix
    seconds).
    """

    at: float
    method: str
    path: str
    request: Any
    authorized: bool
    outcome: Outcome
    status: int | None
    body: bytes = field(repr=False)
    sha256: str
    detail: str
    retry_after: float | None
    date: float | None
    secrets_replaced: int = 0

    @property
    def json(self) -> Any:
        """The body read as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def as_json(self) -> dict[str, Any]:
        """What is kept as evidence: {at, method, path, authorized, request, outcome, status, date,
        body | body_base64, sha256, detail}.
        """
        try:
            body = {"body": self.body.decode()}
        except UnicodeDecodeError:
            body = {"body_base64": base64.b64encode(self.body).decode()}
        names = (
            "at",
            "method",
            "path",
            "authorized",
            "request",
            "status",
            "date",
            "sha256",
            "detail",
            "secrets_replaced",
        )
        return {name: getattr(self, name) for name in names} | {"outcome": str(self.outcome)} | body


class Client:
    """Asks one peer. `keep` is called with every exchange right after it ended, before anybody
    judges it.

    Never raises for what the peer does. A POST is sent exactly once: no library sends it again
    after an error.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = TIMEOUT,
        max_body: int = MAX_BODY,
        keep: Callable[[Exchange], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address, self.timeout, self.max_body = address, timeout, max_body
        self._bare = Address(address.url)
        self._keep, self._clock = keep, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Client({self.address.shown})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, *, authorized: bool = True) -> Exchange:
        """GET a path below the address, with the operator's token where `authorized`."""
        return self._ask("GET", path, None, authorized)

    def post(self, path: str, body: Any, *, authorized: bool = True) -> Exchange:
        """POST JSON to a path below the address, once."""
        return self._ask("POST", path, body, authorized)

    def _ask(self, method: str, path: str, request: Any, authorized: bool) -> Exchange:
        address = self.address if authorized else self._bare
        sent = msgspec.json.encode(request) if method == "POST" else None
        at = self._clock()
        answer = self._run(self._exchange(address, sent, path))
        digest = hashlib.sha256(answer.body).hexdigest()
        body, replaced = self.address.replaced_in(answer.body)
        done = Exchange(
            at=at,
            method=method,
            path=path,
            request=request,
            authorized=authorized and bool(address.headers),
            outcome=answer.outcome,
            status=answer.status,
            body=body,
            sha256=digest,
            detail=self.address.without_secrets(answer.detail),
            retry_after=answer.retry_after,
            date=answer.date,
            secrets_replaced=replaced,
        )
        if self._keep is not None:
            self._keep(done)
        return done

    async def _exchange(self, address: Address, body: bytes | None, path: str) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return await exchange(
            self._session, address, body, path, timeout=self.timeout, max_body=self.max_body
        )

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result(self.timeout + _GRACE)
        except TimeoutError:
            future.cancel()
            return Answer(
                Outcome.TIMEOUT, detail=f"nothing whole within {self.timeout + _GRACE:g} s"
            )
        except BaseException:
            future.cancel()  # Ctrl-C: what was sent may have arrived, and the caller's journal says that it was sent
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="popkit-worker", daemon=True
            )
            self._thread.start()
        return self._loop

    def close(self) -> None:
        """End the connection and its thread; asking again opens another."""
        loop, thread, session = self._loop, self._thread, self._session
        self._loop = self._thread = self._session = None
        if loop is None or thread is None:
            return
        if session is not None:
            asyncio.run_coroutine_threadsafe(session.close(), loop).result(_GRACE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_GRACE)
        loop.close()
