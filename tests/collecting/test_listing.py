"""Lists asked for page by page: the same rows whatever the page size, and gaps between pages are
healed or noticed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting import listing as module
from popkit.collecting.listing import OVERLAP, Lister, Listing, Row
from popkit.collecting.node import Node
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.custody import check_custody
from popkit.evidence.layout import SIGNATURES
from popkit.protocol.keys import b58encode
from tests.collecting.collected import QUICK, collected, header_of
from tests.collecting.scripted import Answer, peer_at, scripted, spoken
from tests.conftest import CASES
from tests.serving.harness import requests_of, served

ADDRESS = "SysvarC1ock11111111111111111111111111111111"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    work = Workspace(tmp_path / "case", {"grants": []})
    yield work
    work.close()
    assert check_custody(work.root) == []


def row(number: int, slot: int | None = None) -> dict[str, Any]:
    """The n-th row ever made; later rows are of later slots."""
    signature = b58encode(number.to_bytes(64, "big"))
    return {
        "signature": signature,
        "slot": number * 10 if slot is None else slot,
        "err": None,
        "memo": None,
        "blockTime": number,
    }


def a_node(
    rows: list[dict[str, Any]],
    skew: Callable[[list[dict[str, Any]], dict[str, Any]], Any] = lambda page, options: page,
) -> Any:
    """A node that lists rows (newest first) as nodes do, and what it asked; `skew` may spoil a
    page.
    """
    asked: list[dict[str, Any]] = []

    def reply(call: dict[str, Any]) -> Any:
        options = call["params"][1]
        asked.append(options)
        signatures = [each["signature"] for each in rows]
        begin = signatures.index(options["before"]) + 1 if "before" in options else 0
        end = signatures.index(options["until"]) if "until" in options else len(rows)
        return skew(rows[begin:end][: options["limit"]], options)

    return spoken(reply), asked


async def _listed(answer: Answer, work: Workspace, page: int, **how: Any) -> Listing:
    async with (
        scripted(answer) as peer,
        peer_at(
            peer.url, work, attempts=2, requests=QUICK.requests, every_method=QUICK.every_method
        ) as asked,
    ):
        return await Lister(Node(asked, 1), work, Progress(None), page).of(ADDRESS, **how)


def listed(answer: Answer, work: Workspace, page: int = 5, **how: Any) -> Listing:
    return asyncio.run(_listed(answer, work, page, **how))


def numbers(listing: Listing) -> list[int]:
    return [found.block_time or 0 for found in listing.rows]


ROWS = [row(number) for number in range(30, 0, -1)]


@pytest.mark.parametrize("page", [4, 5, 7, 13, 29, 30, 31, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 30])
def test_pages_of_any_size_give_every_row_once_in_order(
    page: int, count: int, work: Workspace
) -> None:
    answer, asked = a_node(ROWS[:count])
    found = listed(answer, work, page)
    assert numbers(found) == list(range(30, 30 - count, -1))
    assert (found.ended, found.overlaps, found.ordered, found.why) == (True, True, True, "")
    kept = (work.root / SIGNATURES).read_text().splitlines() if count else []
    assert [json.loads(line) for line in kept] == [
        {"address": ADDRESS, **each} for each in ROWS[:count]
    ]
    assert found.pages == len(asked) <= 2 + count // max(1, page - OVERLAP)
    assert all(
        options["limit"] == page and options["commitment"] == "finalized" for options in asked
    )


def test_pages_of_any_size_of_served_cases_give_the_rows_of_one_page(tmp_path: Path) -> None:
    made = {}
    with served(CASES / "cutover") as url:
        for page in (1000, 4, 11, 50):
            result = collected("cutover", url, tmp_path / str(page), worker=None, page=page)
            assert result.complete
            made[page] = (result.case / SIGNATURES).read_bytes()
    assert len(made[1000].splitlines()) > 40
    assert {data == made[1000] for data in made.values()} == {True}


@pytest.mark.parametrize("seed", range(4))
def test_a_row_lost_between_pages_is_healed_or_noticed(seed: int, tmp_path: Path) -> None:
    with served(CASES / "cutover") as url:
        whole = collected("cutover", url, tmp_path / "whole", worker=None)
    trace = tmp_path / "trace"
    with served(
        CASES / "cutover", "--fault", "page-gap:0.6", "--seed", str(seed), "--trace", trace
    ) as url:
        result = collected("cutover", url, tmp_path / "again", worker=None, page=9)
    assert any("page-gap" in request["faults"] for request in requests_of(trace))
    assert result.complete
    assert (result.case / SIGNATURES).read_bytes() == (whole.case / SIGNATURES).read_bytes()


@pytest.mark.parametrize("lost", [1, 2, 3, 8, 40])
def test_rows_that_are_lost_where_pages_join_are_asked_for_from_further_up(
    lost: int, work: Workspace
) -> None:
    """A node that skips so many rows after `before`, the first time it is asked from there."""
    rows = [row(number) for number in range(200, 0, -1)]
    seen: set[str] = set()

    def skew(page: list[dict[str, Any]], options: dict[str, Any]) -> Any:
        if options.get("before") in seen or "before" not in options:
            return page
        seen.add(options["before"])
        begin = rows.index(page[0]) + lost if page else 0
        return rows[begin : begin + options["limit"]] if page else page

    answer, _ = a_node(rows, skew)
    found = listed(answer, work, 60)
    assert found.ended
    if lost < OVERLAP:
        assert found.overlaps
    if found.overlaps:
        assert numbers(found) == list(range(200, 0, -1))
    else:
        assert len(found.rows) < 200, "it is not said without a reason"


def test_a_list_that_ends_too_early_is_noticed(work: Workspace) -> None:
    answer, _ = a_node(ROWS, lambda page, options: [] if "before" in options else page)
    found = listed(answer, work, 8)
    assert (found.ended, found.overlaps, len(found.rows)) == (True, False, 8)


def test_rows_out_of_order_are_noticed(work: Workspace) -> None:
    rows = [row(9), row(8), row(7, slot=95), row(6)]
    found = listed(a_node(rows)[0], work)
    assert (found.ended, found.ordered, found.overlaps) == (True, False, True)
    assert numbers(found) == [9, 8, 7, 6], "as received"


def test_order_is_looked_at_across_pages(work: Workspace) -> None:
    rows = [*(row(n) for n in range(20, 10, -1)), *(row(n, slot=500) for n in range(10, 0, -1))]
    assert not listed(a_node(rows)[0], work, 10).ordered


def test_rows_of_one_slot_are_in_order(work: Workspace) -> None:
    assert listed(a_node([row(n, slot=7) for n in range(20, 0, -1)])[0], work).ordered


def test_a_node_that_repeats_its_first_page_for_ever_is_bounded_and_not_believed(
    work: Workspace,
) -> None:
    answer, asked = a_node(ROWS, lambda page, options: ROWS[: options["limit"]])
    found = listed(answer, work, 10)
    assert (len(found.rows), found.ended, found.overlaps) == (10, True, False)
    assert len(asked) <= 3


def test_a_node_that_makes_up_rows_for_ever_is_bounded(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 50)
    rows = [row(number) for number in range(10_000, 0, -1)]
    answer, asked = a_node(rows)
    found = listed(answer, work, 20)
    assert (found.ended, found.why) == (False, "stopped after 50 rows")
    assert 50 < len(found.rows) <= 50 + 20
    assert len(asked) <= 4


def test_a_page_with_a_row_twice_keeps_it_once(work: Workspace) -> None:
    answer, _ = a_node(ROWS[:6], lambda page, options: [each for each in page for _ in (0, 1)])
    assert numbers(listed(answer, work, 20)) == [30, 29, 28, 27, 26, 25]


MALFORMED: dict[str, Any] = {
    "null": None,
    "an object": {"rows": []},
    "numbers": [1],
    "no signature": [{"slot": 1}],
    "no slot": [{"signature": ROWS[0]["signature"]}],
    "a short signature": [{**ROWS[0], "signature": "abc"}],
    "not base58": [{**ROWS[0], "signature": "0" * 88}],
    "a slot below zero": [{**ROWS[0], "slot": -1}],
    "a slot as text": [{**ROWS[0], "slot": "1"}],
    "a row of another address": [{**ROWS[0], "address": "11111111111111111111111111111111"}],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_page_of_another_shape_is_no_page(name: str, work: Workspace) -> None:
    found = listed(spoken(lambda call: MALFORMED[name]), work)
    assert (found.rows, found.ended) == ([], False)
    assert found.why.startswith("wrong_answer: ")
    outcomes = [
        json.loads(line).get("outcome")
        for line in (work.root / "custody.jsonl").read_text().splitlines()
    ]
    assert [outcome for outcome in outcomes if outcome] == ["wrong_answer"] * 2
    assert not (work.root / SIGNATURES).exists()


# What is newer


def top_up(
    rows: list[dict[str, Any]], known: int, work: Workspace, page: int = 5, **how: Any
) -> tuple[Listing, list[dict[str, Any]]]:
    answer, asked = a_node(rows, **how)
    old = Listing(
        ADDRESS,
        [Row(each["signature"], each["slot"], each["blockTime"]) for each in ROWS[30 - known :]],
    )
    return listed(answer, work, page, known=old, tag="newer"), asked


@pytest.mark.parametrize("page", [4, 5, 9, 50])
@pytest.mark.parametrize("known", [0, 1, 2, 3, 4, 10, 29, 30])
def test_what_is_newer_is_listed_alone(page: int, known: int, work: Workspace) -> None:
    found, asked = top_up(ROWS, known, work, page)
    assert numbers(found) == list(range(30, known, -1))
    assert (found.ended, found.overlaps, found.ordered) == (True, True, True)
    if known > OVERLAP:
        assert {options["until"] for options in asked} == {ROWS[30 - known + OVERLAP]["signature"]}
        assert len(asked) <= 2 + (30 - known) // (page - OVERLAP), (
            "the old list is not asked for again"
        )


def test_a_top_up_that_does_not_reach_what_is_known_is_noticed(work: Workspace) -> None:
    def skew(page: list[dict[str, Any]], options: dict[str, Any]) -> Any:
        return [
            each for each in page if each["blockTime"] > 12
        ]  # eleven and twelve are lost, and the known ones from ten on

    found, _ = top_up(ROWS, 10, work, 50, skew=skew)
    assert found.ended
    assert not found.overlaps


def test_a_page_asked_anew_makes_those_after_it_stale(tmp_path: Path) -> None:
    """Two pages of a snapshot, the first too old on resumption: the second one is of another list
    by then.
    """
    now = [0.0]

    async def run(rows: list[dict[str, Any]], takes: float) -> Listing:
        work = Workspace(tmp_path / "case", {}, clock=lambda: now[0])
        try:
            original = work.remembered
            answer, _ = a_node(rows)

            def aging(step: str, max_age: float | None = None) -> Any:
                found = original(step, max_age)
                if found is None:
                    now[0] += takes  # each page takes its time
                return found

            work.remembered = aging  # type: ignore[method-assign]
            return await _listed(answer, work, 6, max_age=120.0)
        finally:
            work.close()

    before = ROWS[14:]
    assert numbers(asyncio.run(run(before, 50))) == list(range(16, 0, -1))
    now[0] = 50 + 121  # the first page has just become too old, the later ones have not
    again = asyncio.run(run(ROWS, 0))
    assert numbers(again) == list(range(30, 0, -1))
    assert again.overlaps
    assert again.ordered


def test_an_interrupted_list_goes_on_where_it_was(tmp_path: Path) -> None:
    asked_in_all: list[list[dict[str, Any]]] = []

    def once(fails_after: int | None) -> Listing:
        work = Workspace(tmp_path / "case", {})
        try:

            def skew(page: list[dict[str, Any]], options: dict[str, Any]) -> Any:
                return 7 if fails_after is not None and len(asked) > fails_after else page

            answer, asked = a_node(ROWS, skew)
            asked_in_all.append(asked)
            return listed(answer, work, 10)
        finally:
            work.close()

    first = once(2)
    assert (first.ended, len(first.rows)) == (False, 18)
    second = once(None)
    assert numbers(second) == list(range(30, 0, -1))
    assert (second.ended, second.overlaps) == (True, True)
    assert "before" in asked_in_all[1][0]
    assert len(asked_in_all[1]) == 3
    kept = (tmp_path / "case.collecting" / SIGNATURES).read_text().splitlines()
    assert [json.loads(line)["blockTime"] for line in kept] == list(range(30, 0, -1))


def test_a_program_is_listed_like_any_address(tmp_path: Path) -> None:
    with served(CASES / "cutover") as url:
        result = collected("cutover", url, tmp_path / "again", worker=None, page=6)
    roles = {statement.role: statement for statement in result.statements}
    assert roles["program"].address == header_of("cutover")["program_id"]
    for statement in result.statements:
        checks = {check.name: check.outcome for check in statement.checks}
        assert {
            checks[name] for name in ("listed_to_the_end", "pages_overlap", "newest_first")
        } == {"holds"}
