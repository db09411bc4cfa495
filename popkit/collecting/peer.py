"""One peer over HTTP: every request is limited, bounded, written down, and ends in a named outcome."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from popkit.collecting.address import Address
from popkit.collecting.limits import Limit, Rate, backoff
from popkit.collecting.outcomes import Outcome, outcome_of_status
from popkit.collecting.workspace import TOOL, Workspace

MAX_BODY = 256 * 1024 * 1024
TIMEOUT = 60.0
REQUESTS = Rate(8, 1)
EVERY_METHOD = Rate(40, 10)
"""What public nodes allow one caller: forty calls of a method in ten seconds."""
_SECONDS = re.compile(r"^[0-9]+(\.[0-9]+)?$")
_NO_DECODER = re.compile(r"Can not decode content-encoding: [a-z]+ \((br|zstd)\)")
_DECODED = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
"""Compressions that are undone before a body is looked at: the last two only where a library for them is installed."""
LONGEST_PAUSE = 600.0
"""Seconds: a peer that asks for a longer pause is asked again after this."""


@dataclass(slots=True)
class Answer:
    """What came back: the outcome by HTTP alone, the body as received (b"" where none is used), and what it says of time.

    `date` is the peer's own clock (unix seconds, from the Date header), `number` the request's number in the custody record.
    """

    outcome: Outcome
    body: bytes = b""
    status: int | None = None
    retry_after: float | None = None
    date: float | None = None
    detail: str = ""
    number: int = 0
    sha256: str = ""
    size: int = 0
    secrets_replaced: int = 0
    """How often a secret that was sent stood in the body and was replaced; `sha256` and `size` are of the body as it came."""


@dataclass(slots=True)
class Tally:
    """What a peer was asked so far, for the progress line and the summary."""

    requests: int = 0
    calls: int = 0
    waiting: float = 0.0
    """Seconds during which at least one request waited for its turn."""
    waiters: int = 0
    since: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """The time in this block is waiting; blocks at once count once."""
        if not self.waiters:
            self.since = time.monotonic()
        self.waiters += 1
        try:
            yield
        finally:
            self.waiters -= 1
            if not self.waiters:
                self.waiting += time.monotonic() - self.since


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a peer is to be treated: requests in any window, calls of each method in any window, patience, bounds."""

    requests: Rate = REQUESTS
    methods: Mapping[str, Rate] = field(default_factory=dict)
    every_method: Rate = EVERY_METHOD
    attempts: int = 8
    timeout: float = TIMEOUT
    max_body: int = MAX_BODY

    def rate_of(self, method: str) -> Rate:
        return self.methods.get(method, self.every_method)


class _SendOnce:
    """Keeps one request one request: aiohttp sends a GET whose connection was lost again by itself, past every limit and the record."""

    def __init__(self) -> None:
        self.is_sent = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self.is_sent:
            raise aiohttp.ServerDisconnectedError
        self.is_sent = True
        return await handler(request)


class Peer:
    """A Solana node or the worker. `name` is what the custody record calls it; secrets stay inside `address`."""

    def __init__(
        self,
        name: str,
        address: Address,
        session: aiohttp.ClientSession,
        work: Workspace,
        conduct: Conduct,
        chance: random.Random | None = None,
    ) -> None:
        self.name, self.address, self.conduct, self.work = name, address, conduct, work
        self.tally = Tally()
        self.chance = chance or random.Random()
        self._session = session
        self._requests = Limit(conduct.requests)
        self._methods: dict[str, Limit] = {}
        self._not_before = 0.0
        self.silent = False
        """Ask nothing: every request ends as if there were no connection, and is not recorded, as it was not sent."""
        self._count_earlier_run()

    def _count_earlier_run(self) -> None:
        """What a run that was interrupted just now has asked still counts at the peer, and so does a pause that it was asked for."""
        now, conduct = self.work.clock(), self.conduct
        longest = max(rate.seconds for rate in (conduct.requests, conduct.every_method, *conduct.methods.values()))
        asked = {r["n"]: r for r in self.work.custody.records if r.get("kind") == "ask" and r.get("peer") == self.name}
        for record in asked.values():
            if now - record["at"] > longest:
                continue
            self._requests.used(1)
            for method, count in record["calls"].items():
                self._limit(method).used(count)
        for record in self.work.custody.records:
            if record.get("to") in asked and (pause := record.get("retry_after")) is not None:
                left = min(record["at"] + pause - now, LONGEST_PAUSE)
                self._not_before = max(self._not_before, time.monotonic() + left)

    def _limit(self, method: str) -> Limit:
        return self._methods.setdefault(method, Limit(self.conduct.rate_of(method)))

    async def send(self, calls: Mapping[str, int], body: bytes | None, path: str = "", **what: Any) -> Answer:
        """Send one request when the limits allow it; `calls` are the methods that it calls, each with how often.

        `body` None is a GET of `path` below the peer's URL. Never raises for what a peer does. `what` goes into the custody record.
        """
        if self.silent:
            return Answer(Outcome.NO_CONNECTION, detail="not asked")
        with self.tally.waits():
            await self._may(calls)
        try:
            number = self.work.asks(
                peer=self.name,
                at_peer=self.address.shown,
                calls=dict(calls),
                **what,
                **({"request": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}} if body is not None else {}),
            )
            answer = await self._exchange(body, path)
            answer.detail = self.address.without_secrets(answer.detail)
            answer.number = number
            answer.sha256 = hashlib.sha256(answer.body).hexdigest()
            answer.size = len(answer.body)
            answer.body, answer.secrets_replaced = self.address.replaced_in(answer.body)
        finally:
            self._requests.give()
            for method, count in calls.items():
                self._limit(method).give(count)
        self.tally.requests += 1
        self.tally.calls += sum(calls.values())
        if answer.retry_after is not None:
            self._not_before = max(self._not_before, time.monotonic() + answer.retry_after)
        return answer

    def received(self, answer: Answer, outcome: Outcome, **what: Any) -> dict[str, Any]:
        """What the custody record says of an answer; the caller writes it down together with the lines that it keeps."""
        self.tally.outcomes[outcome] += 1
        return {
            "kind": "answer",
            "to": answer.number,
            "outcome": outcome,
            "response": {"status": answer.status, "bytes": answer.size, "sha256": answer.sha256, "date": answer.date},
            **({"secrets_replaced": answer.secrets_replaced} if answer.secrets_replaced else {}),
            **({"detail": answer.detail} if answer.detail else {}),
            **({"retry_after": answer.retry_after} if answer.retry_after is not None else {}),
            **what,
        }

    async def rests(self, failures: int, answer: Answer) -> None:
        """Wait after a failure, as long as jitter and the peer ask for."""
        with self.tally.waits():
            await asyncio.sleep(backoff(failures, answer.retry_after, self.chance))

    async def _may(self, calls: Mapping[str, int]) -> None:
        """Wait for a place in every window, and for the end of a pause that the peer asked for."""
        taken: list[tuple[Limit, int]] = []
        try:
            for limit, count in [*((self._limit(method), count) for method, count in sorted(calls.items())), (self._requests, 1)]:
                await limit.take(count)
                taken.append((limit, count))
            while (pause := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(pause)
        except BaseException:
            for limit, count in taken:
                limit.unused(count)
            raise

    async def _exchange(self, body: bytes | None, path: str) -> Answer:
        headers = {"User-Agent": TOOL.replace(" ", "/"), "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        headers |= dict(self.address.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                "POST" if body is not None else "GET",
                self.address.below(path),
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.conduct.timeout),
                middlewares=(_SendOnce(),),
            ) as response:
                return await self._read(response)
        except TimeoutError:
            return Answer(Outcome.TIMEOUT, detail=f"nothing whole within {self.conduct.timeout:g} s")
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return Answer(Outcome.TLS_FAILED, detail=type(error).__name__)
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
            if (way := _unasked_encoding(str(error))) is not None:
                return Answer(Outcome.WRONG_ENCODING, detail=f"{way}, where gzip or none was asked for")
            if isinstance(error, aiohttp.ClientResponseError):
                return Answer(Outcome.NO_CONNECTION, detail=type(error).__name__)
            return Answer(Outcome.BODY_CUT, detail="the connection ended inside the body")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # their texts may hold the URL: the class alone is written down
            return Answer(Outcome.NO_CONNECTION, detail=type(error).__name__)

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        answer = Answer(outcome_of_status(response.status), status=response.status)
        answer.retry_after = _seconds(response.headers.get("Retry-After"), response.headers.get("Date"))
        answer.date = _date(response.headers.get("Date"))
        if answer.outcome is Outcome.REDIRECTED:
            answer.detail = f"to {_host(response.headers.get('Location', ''))}"
            return answer
        if (response.content_length or 0) > self.conduct.max_body:
            answer.outcome, answer.detail = Outcome.BODY_ENDLESS, f"announced {response.content_length} bytes"
            return answer
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > self.conduct.max_body:
                response.close()
                answer.outcome, answer.detail = Outcome.BODY_ENDLESS, f"cut off after {size} bytes"
                return answer
        answer.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        said = response.content_type
        is_page = said == "text/html" or answer.body[:64].lstrip()[:1] == b"<"
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if is_page and answer.outcome is Outcome.UNAUTHORIZED:
            answer.outcome = Outcome.BLOCKED
        if answer.outcome is Outcome.OK:
            if encoding not in _DECODED:
                answer.outcome, answer.detail = Outcome.WRONG_ENCODING, f"{encoding[:60]}, where gzip or none was asked for"
            elif is_page:
                answer.outcome = Outcome.HTML_PAGE
            elif not (said == "application/json" or said.endswith("+json")):
                is_json = answer.body.lstrip()[:1] in (b"{", b"[")
                answer.outcome, answer.detail = Outcome.WRONG_CONTENT_TYPE, f"JSON called {said[:60]}" if is_json else said[:60]
        return answer


def _unasked_encoding(text: str) -> str | None:
    """The compression that aiohttp has no library for, from its error's text; None when the error is another."""
    found = _NO_DECODER.search(text)
    return found[1] if found else None


def _host(location: str) -> str:
    """The host of a Location header, and no more of it: the rest may carry the key back."""
    try:
        parts = urlsplit(location)
        return Address(location).shown[:100] if parts.hostname else "another path of the same host"
    except ValueError:
        return "an unreadable address"


def _date(text: str | None) -> float | None:
    """A Date header as unix seconds."""
    try:
        if not text:
            return None
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None, date: str | None) -> float | None:
    """A Retry-After header, in seconds or as a date, as seconds from now; at most ten minutes, as a longer pause is an end."""
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.match(text):
        return min(float(text), LONGEST_PAUSE)
    until, now = _date(text), _date(date)
    if until is None:
        return None
    return min(max(until - (now if now is not None else datetime.now().timestamp()), 0.0), LONGEST_PAUSE)
