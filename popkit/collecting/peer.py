"""One peer over HTTP: every request is limited, bounded, written down, and ends in a named outcome."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from popkit.collecting.address import Address
from popkit.collecting.exchange import LONGEST_PAUSE, Answer, exchange
from popkit.collecting.limits import Limit, Rate, backoff
from popkit.collecting.outcomes import Outcome
from popkit.collecting.workspace import Workspace

MAX_BODY = 256 * 1024 * 1024
TIMEOUT = 60.0
REQUESTS = Rate(8, 1)
EVERY_METHOD = Rate(40, 10)
"""What public nodes allow one caller: forty calls of a method in ten seconds."""


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
    """How a peer is to be treated: requests in any window, calls of each method in any window,
    patience, bounds.
    """

    requests: Rate = REQUESTS
    methods: Mapping[str, Rate] = field(default_factory=dict)
    every_method: Rate = EVERY_METHOD
    attempts: int = 8
    timeout: float = TIMEOUT
    max_body: int = MAX_BODY

    def rate_of(self, method: str) -> Rate:
        return self.methods.get(method, self.every_method)


class Peer:
    """A Solana node or the worker. `name` is what the custody record calls it; secrets stay inside
    `address`.
    """

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
        """Ask nothing: every request ends as if there were no connection, and is not recorded, as
        it was not sent.
        """
        self._count_earlier_run()

    def _count_earlier_run(self) -> None:
        """What a run that was interrupted just now has asked still counts at the peer, and so does
        a pause that it was asked for.
        """
        now, conduct = self.work.clock(), self.conduct
        longest = max(
            rate.seconds
            for rate in (conduct.requests, conduct.every_method, *conduct.methods.values())
        )
        asked = {
            r["n"]: r
            for r in self.work.custody.records
            if r.get("kind") == "ask" and r.get("peer") == self.name
        }
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

    async def send(
        self, calls: Mapping[str, int], body: bytes | None, path: str = "", **what: Any
    ) -> Answer:
        """Send one request when the limits allow it; `calls` are the methods that it calls, each
        with how often.

        `body` None is a GET of `path` below the peer's URL. Never raises for what a peer does.
        `what` goes into the custody record.
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
                **(
                    {"request": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}}
                    if body is not None
                    else {}
                ),
            )
            answer = await exchange(
                self._session,
                self.address,
                body,
                path,
                timeout=self.conduct.timeout,
                max_body=self.conduct.max_body,
            )
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
        """What the custody record says of an answer; the caller writes it down together with the
        lines that it keeps.
        """
        self.tally.outcomes[outcome] += 1
        return {
            "kind": "answer",
            "to": answer.number,
            "outcome": outcome,
            "response": {
                "status": answer.status,
                "bytes": answer.size,
                "sha256": answer.sha256,
                "date": answer.date,
            },
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
            for limit, count in [
                *((self._limit(method), count) for method, count in sorted(calls.items())),
                (self._requests, 1),
            ]:
                await limit.take(count)
                taken.append((limit, count))
            while (pause := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(pause)
        except BaseException:
            for limit, count in taken:
                limit.unused(count)
            raise
