"""Rates that are never exceeded, and how long to wait after a failure."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from dataclasses import dataclass

from popkit.errors import UsageError

_RATE = re.compile(r"^(\d+)(?:/(\d+(?:\.\d+)?))?$")
_TIMER_SLACK = 0.002  # seconds that a timer may fire early, or two clocks differ over one window
BACKOFF_FIRST = 0.5
BACKOFF_MOST = 30.0


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any window of `seconds`."""

    count: int
    seconds: float = 1.0

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds:g}"


def read_rate(text: str) -> Rate:
    """`N` (a second) or `N/SECONDS`. Raises UsageError for anything else, and for none at all."""
    match = _RATE.match(text)
    if match is None or int(match[1]) < 1 or float(match[2] or 1) <= 0:
        raise UsageError(f"{text!r} is not a rate; expected N or N/SECONDS, such as 4 or 40/10")
    return Rate(int(match[1]), float(match[2] or 1))


class Limit:
    """Lets at most `rate.count` calls reach a peer in any window of `rate.seconds`, wherever that
    window begins.

    A place is taken before a request is sent and comes back `seconds` after its answer arrived, not
    after it was sent: the request reached the peer before it was answered, so however long it
    travelled, the peer never counts more than the rate.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._free = rate.count
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, places: int = 1) -> None:
        """Wait for `places`, first come, first served. Raises ValueError for more than there ever
        are.
        """
        if places > self.rate.count:
            raise ValueError(f"{places} places asked for where the rate is {self.rate}")
        if not self._queue and self._free >= places:
            self._free -= places
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((places, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(places, turn)
            raise

    def _leave(self, places: int, turn: asyncio.Future[None]) -> None:
        """Give up a turn: out of the queue, or back with the places that were just handed over, if
        they were.
        """
        if (places, turn) in self._queue:
            self._queue.remove((places, turn))
        elif not turn.cancelled():
            self._free += places
        self._serve()

    def give(self, places: int = 1) -> None:
        """The request was answered, or given up: its places come back when the window has passed."""
        asyncio.get_running_loop().call_later(self.rate.seconds + _TIMER_SLACK, self._back, places)

    def used(self, places: int) -> None:
        """Count calls that reached the peer before this limit began: their places come back as if
        they were answered now.
        """
        places = min(places, self._free)
        self._free -= places
        self.give(places)

    def unused(self, places: int = 1) -> None:
        """Places that were taken for a request that was never sent are free at once."""
        self._back(places)

    def _back(self, places: int) -> None:
        self._free += places
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._free >= self._queue[0][0]:
            places, turn = self._queue.popleft()
            if not turn.done():
                self._free -= places
                turn.set_result(None)


def backoff(failures: int, retry_after: float | None, chance: random.Random) -> float:
    """Seconds to wait after the n-th failure in a row (from 1): doubling with full jitter, never
    less than the peer asked for.
    """
    most = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** (failures - 1))
    return max(retry_after or 0.0, chance.uniform(most / 2, most))
