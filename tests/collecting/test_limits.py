"""A rate holds in every window, wherever it begins, as the peer counts it; pauses that a peer asks
for are kept.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popkit.collecting import limits
from popkit.collecting.address import read_address
from popkit.collecting.limits import Limit, Rate, backoff, read_rate
from popkit.collecting.peer import Conduct
from popkit.errors import UsageError
from tests.collecting.collected import collected
from tests.conftest import CASES
from tests.serving.harness import requests_of, served


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        scheduled = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if not self._ready and scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, min(scheduled))
        super()._run_once()  # type: ignore[misc]


def run_virtually(main: Any) -> Any:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


def busiest(arrivals: list[tuple[float, int]], seconds: float) -> int:
    """The most that arrived in any half-open window of so many seconds, looked at from each arrival
    on.
    """
    return max(
        (sum(n for at, n in arrivals if begin <= at < begin + seconds) for begin, _ in arrivals),
        default=0,
    )


REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 3, allow_nan=False),  # asked for at
        st.integers(1, 5),  # places
        st.floats(0, 0.7, allow_nan=False),  # on the way there
        st.floats(0, 0.7, allow_nan=False),  # until it is answered
        st.one_of(st.none(), st.floats(0, 2, allow_nan=False)),  # given up after
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(requests=REQUESTS, count=st.integers(5, 8), seconds=st.sampled_from([0.1, 0.5, 1.0]))
def test_no_window_at_the_peer_holds_more_than_the_rate(
    requests: list[Any], count: int, seconds: float
) -> None:
    arrivals: list[tuple[float, int]] = []

    async def main() -> Limit:
        limit, loop = Limit(Rate(count, seconds)), asyncio.get_running_loop()

        async def one(
            at: float, places: int, there: float, back: float, patience: float | None
        ) -> None:
            await asyncio.sleep(at)
            await limit.take(places)
            try:
                await asyncio.sleep(there)
                arrivals.append((loop.time(), places))
                await asyncio.sleep(back)
            finally:
                limit.give(places)

        async def patient(request: Any) -> None:
            task = asyncio.ensure_future(one(*request))
            if request[4] is not None:
                loop.call_later(request[4], task.cancel)
            await asyncio.gather(task, return_exceptions=True)

        await asyncio.gather(*map(patient, requests))
        await asyncio.sleep(seconds * 2)
        return limit

    limit = run_virtually(main())
    assert busiest(arrivals, seconds) <= count
    assert limit._free == count, "every place comes back exactly once"


def test_first_come_first_served_though_a_later_one_would_fit() -> None:
    order: list[str] = []

    async def main() -> None:
        limit = Limit(Rate(4, 1))
        await limit.take(3)

        async def one(name: str, places: int) -> None:
            await limit.take(places)
            order.append(name)
            limit.give(places)

        waiting = [
            asyncio.ensure_future(one(name, places))
            for name, places in (("large", 3), ("small", 1), ("smaller", 1))
        ]
        await asyncio.sleep(5)
        assert order == []
        limit.give(3)
        await asyncio.gather(*waiting)

    run_virtually(main())
    assert order == ["large", "small", "smaller"]


def test_places_come_back_a_window_after_the_answer_not_after_the_question() -> None:
    async def main() -> float:
        limit, loop = Limit(Rate(1, 1)), asyncio.get_running_loop()
        await limit.take()
        await asyncio.sleep(10)
        limit.give()
        await limit.take()
        return loop.time()

    assert run_virtually(main()) >= 11


def test_more_places_than_there_ever_are_is_a_fault_and_not_a_wait_for_ever() -> None:
    with pytest.raises(ValueError, match="9 places asked for where the rate is 8/1"):
        run_virtually(Limit(Rate(8)).take(9))


def test_one_who_leaves_the_queue_takes_nothing_along() -> None:
    async def main() -> None:
        limit = Limit(Rate(3, 1))
        await limit.take(3)
        gone = asyncio.ensure_future(limit.take(3))
        behind = asyncio.ensure_future(limit.take(1))
        await asyncio.sleep(0)
        gone.cancel()
        limit.unused(3)  # in the same turn: the place that opens must go to the one behind, once
        await asyncio.gather(gone, return_exceptions=True)
        await behind
        assert limit._free == 2
        handed = asyncio.ensure_future(limit.take(3))
        await asyncio.sleep(0)
        limit.unused(1)
        handed.cancel()  # its places were handed over already
        await asyncio.gather(handed, return_exceptions=True)
        assert limit._free == 3

    run_virtually(main())


def test_calls_of_an_earlier_run_count_for_one_window_more() -> None:
    async def main() -> list[float]:
        limit, loop = Limit(Rate(3, 2)), asyncio.get_running_loop()
        limit.used(2)
        limit.used(9)  # never more than there are
        times = []
        for _ in range(4):
            await limit.take()
            limit.give()
            times.append(loop.time())
        return times

    times = run_virtually(main())
    assert times[0] >= 2
    assert times[3] >= 4


@pytest.mark.parametrize(
    ("text", "rate"),
    [("4", Rate(4, 1)), ("40/10", Rate(40, 10)), ("1/0.5", Rate(1, 0.5)), ("7/60", Rate(7, 60))],
)
def test_rates_read(text: str, rate: Rate) -> None:
    assert read_rate(text) == rate
    assert read_rate(str(rate)) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "4/0",
        "4/",
        "/4",
        "4/-1",
        "four",
        "4/1/1",
        "1e3",
        "4 /1",
        "4/inf",
        "4/nan",
        "0/5",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a rate; expected N or N/SECONDS"):
        read_rate(text)


@given(
    failures=st.integers(1, 60), asked=st.one_of(st.none(), st.floats(0, 600)), seed=st.integers()
)
def test_a_rest_is_never_shorter_than_the_peer_asks_for_nor_longer_than_the_most(
    failures: int, asked: float | None, seed: int
) -> None:
    seconds = backoff(failures, asked, random.Random(seed))
    assert seconds >= (asked or 0)
    assert seconds <= max(asked or 0, limits.BACKOFF_MOST)
    assert seconds >= min(limits.BACKOFF_MOST, limits.BACKOFF_FIRST * 2 ** (failures - 1)) / 2


TIGHT = Conduct(
    requests=Rate(10, 0.5),
    every_method=Rate(30, 0.5),
    methods={"getTransaction": Rate(15, 0.5)},
    timeout=10.0,
    attempts=30,
)
OF_WORKER = replace(TIGHT, requests=Rate(3, 0.5))


def held(trace: Path, conduct: Conduct, to_worker: bool = False) -> dict[str, int]:
    """Assert that the rates hold in every window of a trace; how much was asked in all, by method."""
    rows = [row for row in requests_of(trace) if (row["method"] == "GET") is to_worker]
    arrivals = [(row["ns"] / 1e9, 1) for row in rows]
    assert busiest(arrivals, conduct.requests.seconds) <= conduct.requests.count
    totals: dict[str, int] = {"requests": len(rows)}
    for method in {method for row in rows for method in row["calls"]}:
        calls = [(row["ns"] / 1e9, row["calls"][method]) for row in rows if method in row["calls"]]
        rate = conduct.rate_of(method)
        assert busiest(calls, rate.seconds) <= rate.count, method
        totals[method] = sum(count for _, count in calls)
    return totals


@pytest.mark.parametrize(
    "faults",
    [
        ["429:0.2:0.2", "drop:0.2", "slow:0.1:0.3"],
        ["server-error:0.2", "cut:0.3"],
        ["reorder:1"],
    ],
    ids=["429-drop-slow", "5xx-cut", "reorder"],
)
def test_a_measured_trace_is_never_over_the_limit(faults: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    flags = [part for fault in faults for part in ("--fault", fault)]
    with served(CASES / "out-of-order", *flags, "--fault-on", "rpc", "--trace", trace) as url:
        result = collected(
            "out-of-order",
            url,
            tmp_path / "again",
            conduct=TIGHT,
            worker_conduct=replace(TIGHT, requests=Rate(3, 0.5)),
            batch=8,
        )
    assert result.complete
    totals = held(trace, TIGHT)
    assert totals["getTransaction"] > 15, "enough to be held back"
    assert held(trace, OF_WORKER, to_worker=True)["requests"] == 7
    assert {fault for row in requests_of(trace) for fault in row["faults"]} >= {
        fault.split(":")[0] for fault in faults
    }
    assert totals["requests"] == result.requests["rpc"]["requests"], (
        "what was counted is what arrived"
    )


def test_each_of_two_nodes_has_its_own_limits(tmp_path: Path) -> None:
    conduct = replace(TIGHT, requests=Rate(6, 0.5), methods={"getTransaction": Rate(40, 0.5)})
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        served(CASES / "out-of-order", "--fault", "gap:0.2", "--trace", first) as one,
        served(CASES / "out-of-order", "--fault", "429:0.2:0.1", "--trace", second) as other,
    ):
        result = collected(
            "out-of-order",
            one,
            tmp_path / "again",
            worker=None,
            second=read_address(other),
            conduct=conduct,
            page=10,
        )
    assert held(first, conduct)["requests"] == result.requests["rpc"]["requests"]
    assert held(second, conduct)["requests"] == result.requests["second-rpc"]["requests"]
    assert held(second, conduct)["getTransaction"] > 0, (
        "what the first left out was fetched from the second"
    )


def test_between_a_pause_asked_for_and_its_end_nothing_is_asked(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with served(
        CASES / "intact", "--fault", "429:0.25:0.4", "--seed", "3", "--trace", trace
    ) as url:
        result = collected("intact", url, tmp_path / "again", worker=None, parallel=1, batch=4)
    assert result.complete
    rows = requests_of(trace)
    paused = [row["ns"] for row in rows if row["status"] == 429]
    assert len(paused) >= 3
    for begin in paused:
        assert [row for row in rows if begin < row["ns"] < begin + 400_000_000] == []
