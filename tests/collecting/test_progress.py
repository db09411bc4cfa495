"""The one line that tells how a collection goes."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from popkit.collecting import progress as module
from popkit.collecting.collect import Collection
from popkit.collecting.progress import Progress
from tests.collecting.collected import options_for
from tests.conftest import CASES
from tests.serving.harness import served


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wide(columns: int) -> os.terminal_size:
    return os.terminal_size((columns, 24))


def test_the_line_tells_phase_pages_rate_waiting_and_time_left() -> None:
    clock = Clock()
    progress = Progress(None, clock)
    progress.requests = lambda: (30, 4.4)
    progress.enter("fetching transactions", 100, 20)
    clock.now += 10
    progress.step(20, pages=2)
    assert (
        progress.line()
        == "fetching transactions · 40/100 · pages 2 · 3.0 requests/s, waited 4 s · about 30 s left"
    )


def test_time_left_is_not_guessed_where_it_cannot_be_known() -> None:
    clock = Clock()
    progress = Progress(None, clock)
    progress.enter("listing signatures")
    clock.now += 5
    progress.step(7, pages=1)
    assert progress.line() == "listing signatures · 7 · pages 1 · 0.0 requests/s, waited 0 s"
    progress.enter("fetching transactions", 50, 50)
    assert "left" not in progress.line()
    progress.enter("reading accounts", 50)
    assert "left" not in progress.line(), "nothing is done yet"
    clock.now += 1
    progress.step(50)
    assert "left" not in progress.line(), "everything is"


def test_what_an_earlier_run_had_done_does_not_count_as_speed() -> None:
    clock = Clock()
    progress = Progress(None, clock)
    progress.enter("fetching transactions", 1000, 900)
    clock.now += 10
    progress.step(10)
    assert progress.line().endswith(
        "910/1000 · pages 0 · 0.0 requests/s, waited 0 s · about 90 s left"
    )


def test_a_terminal_has_one_line_rewritten_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "get_terminal_size", lambda: wide(60))
    clock, stream = Clock(), Terminal()
    progress = Progress(stream, clock)
    progress.enter("fetching transactions", 1000)
    for _ in range(100):
        clock.now += 0.1
        progress.step(1, pages=1)
    shown = stream.getvalue().split("\r\033[K")
    assert shown[0] == ""
    assert "\n" not in stream.getvalue()
    assert all(0 < len(line) < 60 for line in shown[1:]), (
        "a line that wraps would leave its head behind"
    )
    assert 30 < len(shown) < 60, "some times a second, not at every step"
    progress.end()
    assert stream.getvalue().endswith("\r\033[K")


def test_elsewhere_a_line_a_phase() -> None:
    stream = io.StringIO()
    progress = Progress(stream, Clock())
    progress.enter("listing signatures")
    progress.step(5, pages=1)
    progress.enter("fetching transactions", 42)
    for _ in range(42):
        progress.step()
    progress.end()
    assert stream.getvalue() == "listing signatures\nfetching transactions (42)\n"


def test_without_a_stream_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress(None)
    progress.enter("listing signatures", 3)
    progress.step(3)
    progress.end()
    assert capfd.readouterr() == ("", "")


def test_a_collection_shows_its_phases_and_leaves_a_clean_line(tmp_path: Path) -> None:
    stream, terminal = io.StringIO(), Terminal()
    with served(CASES / "unused") as url:
        for number, target in enumerate((stream, terminal)):
            progress = Progress(target)
            result = asyncio.run(
                Collection(options_for("unused", url, tmp_path / str(number)), progress).run()
            )
            assert result.complete
            requests, waited = progress.requests()
            assert requests == sum(row["requests"] for row in result.requests.values())
            assert waited >= 0
    phases = stream.getvalue().splitlines()
    assert phases[0] == "asking the node who it is"
    assert phases[-1] == "sealing"
    for phase in (
        "listing signatures",
        "fetching transactions",
        "asking the worker",
        "reading accounts",
        "looking for newer signatures",
    ):
        assert any(line.partition(" (")[0] == phase for line in phases)
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")
