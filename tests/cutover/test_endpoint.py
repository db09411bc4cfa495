"""A node asked by a cutover: finalized, never back in time, patient, and silent about its address."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from popkit.collecting.address import Address
from popkit.cutover.errors import Silent
from popkit.cutover.sending.endpoint import Endpoint, NodeRefused, Unanswered
from popkit.drill.live import Drill
from popkit.drill.rehearsal import background
from popkit.drill.world import GrantHandle, sound

SECRET = "k3y4of5this6node7that8nobody9sees"


@contextmanager
def node(
    *faults: str, pauses: list[float] | None = None
) -> Iterator[tuple[Drill, GrantHandle, Endpoint]]:
    """A drill's first node with faults, asked by an endpoint whose pauses take no time."""
    world, handle, _ = sound("strict", "A", "ann", "bob")
    world.live(50)
    drill = Drill(world, "the drill's own", faults=faults)
    spent = [] if pauses is None else pauses
    with (
        background(drill) as listening,
        Endpoint("first", Address(listening.rpc), sleep=spent.append) as endpoint,
    ):
        yield drill, handle, endpoint


def test_what_a_node_holds_is_read_at_finalized() -> None:
    with node() as (drill, handle, endpoint):
        nobody = drill.world.address("nobody")
        found = endpoint.accounts([handle.address, nobody, handle.address])
        grant = drill.world.ledger.accounts[handle.address]
        held = found[handle.address]
        assert held is not None
        assert (held.data, held.lamports, held.owner, found[nobody]) == (
            grant.data,
            grant.lamports,
            grant.owner,
            None,
        )
        assert list(found) == [handle.address, nobody]
        assert found.slot <= drill.chain.slot_at("finalized")
        assert endpoint.newest_slot == found.slot
        clock = endpoint.clock()
        assert clock.block_time == drill.world.time_of(clock.slot)
        assert endpoint.height() <= clock.slot
        assert endpoint.rent(178) == (178 + 128) * 6960
        newest = endpoint.blockhash()
        assert newest.last_valid_height == newest.slot - drill.world.first_slot + 150
        rows = endpoint.signatures(handle.address)
        assert endpoint.signatures(handle.address, until=rows[1]["signature"]) == rows[:1]
        landed = endpoint.transaction(rows[0]["signature"])
        assert landed is not None
        assert landed["slot"] == rows[0]["slot"]
        status = endpoint.status(rows[0]["signature"])
        assert status is not None
        assert status["err"] is None
        assert endpoint.transaction("1" * 64) is None
        assert endpoint.status("1" * 64) is None


def test_the_seconds_of_a_slot_are_measured() -> None:
    with node() as (drill, _, endpoint):
        drill.clock.skip(400)
        assert endpoint.slot_seconds() == pytest.approx(drill.world.slot_ms / 1000, rel=0.1)


def test_more_accounts_than_a_node_gives_at_once() -> None:
    with node() as (drill, handle, endpoint):
        many = [drill.world.address(f"wallet {number}") for number in range(150)]
        found = endpoint.accounts([*many, handle.address])
        assert len(found) == 151
        assert [key for key in found if found[key] is not None] == [handle.address]


def test_a_node_that_goes_back_in_time_is_not_believed() -> None:
    pauses: list[float] = []
    with node("slot-back:1", pauses=pauses) as (drill, handle, endpoint):
        endpoint.newest_slot = drill.chain.slot_at("finalized")
        with pytest.raises((NodeRefused, Silent)) as caught:
            endpoint.accounts([handle.address])
        assert len(pauses) == endpoint.attempts - 1
        assert isinstance(caught.value, NodeRefused)
        assert caught.value.number == -32016


def test_a_balancer_that_ignores_the_slot_asked_for_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with node() as (_, handle, endpoint):
        found = endpoint.accounts([handle.address])
        answer = {"context": {"slot": found.slot - 40}, "value": [None]}
        monkeypatch.setattr(endpoint, "post", lambda method, params: answer)
        with pytest.raises(Unanswered, match=f"at {found.slot} before"):
            endpoint.accounts([handle.address])


@pytest.mark.parametrize(
    "fault", ["429:0.5", "server-error:0.5", "html-502:0.5", "drop:0.5", "cut:0.5"]
)
def test_reads_are_tried_again(fault: str) -> None:
    with node(fault) as (_, handle, endpoint):
        endpoint.attempts = 40
        for _ in range(4):
            assert endpoint.accounts([handle.address])[handle.address] is not None


def test_the_pause_that_a_node_asks_for_is_kept() -> None:
    pauses: list[float] = []
    with (
        node("429:1:7", pauses=pauses) as (_, _, endpoint),
        pytest.raises(Unanswered, match="HTTP 429"),
    ):
        endpoint.height()
    assert len(pauses) == endpoint.attempts - 1
    assert min(pauses) >= 7


@pytest.mark.parametrize("fault", ["html:1", "redirect:1", "drop:1", "wrong-type:1"])
def test_what_is_no_answer_is_silence(fault: str) -> None:
    with node(fault) as (_, handle, endpoint):
        if fault == "wrong-type:1":  # JSON under another name is JSON
            assert endpoint.height() > 0
            return
        with pytest.raises(Silent) as caught:
            endpoint.accounts([handle.address])
        assert caught.value.exit_code == 1
        assert caught.value.code == "no_answer"


def test_a_refusal_has_the_node_s_number_and_words() -> None:
    with node() as (_, _, endpoint):
        with pytest.raises(NodeRefused, match="Method not found") as caught:
            endpoint.ask("getNothing")
        assert caught.value.number == -32601


@pytest.mark.parametrize(
    "answer",
    [None, 5, [], {"value": []}, {"context": {"slot": "5"}, "value": [None]}, {"context": {"slot": 5}, "value": []},
     {"context": {"slot": 5}, "value": [{"data": ["=", "base64"], "lamports": 1, "owner": "1" * 32, "executable": False}]},
     {"context": {"slot": 5}, "value": [{"data": ["", "base58"], "lamports": 1, "owner": "1" * 32, "executable": False}]},
     {"context": {"slot": 5}, "value": [{"data": ["", "base64"], "lamports": 1.5, "owner": "1" * 32, "executable": False}]}],
)  # fmt: skip
def test_an_answer_of_another_shape_is_not_guessed_at(
    answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint("first", Address("http://127.0.0.1:9"), sleep=lambda _: None)
    monkeypatch.setattr(endpoint, "post", lambda method, params: answer)
    with pytest.raises(Silent):
        endpoint.accounts(["1" * 32])


def test_it_works_where_a_loop_runs_already() -> None:
    async def cell(endpoint: Endpoint) -> int:
        return endpoint.height()

    with node() as (_, _, endpoint):
        assert asyncio.run(cell(endpoint)) > 0
        endpoint.close()
        assert endpoint.height() > 0  # and again, after it was closed


def test_no_error_shows_more_than_the_host(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    address = Address(f"http://127.0.0.1:9/v2/{SECRET}?api-key={SECRET}", (("x-token", SECRET),))
    with Endpoint("first", address, attempts=2, sleep=lambda _: None) as endpoint:
        try:
            endpoint.height()
        except Silent as problem:
            shown = "".join(traceback.format_exception(problem))
            chain = [problem, problem.__cause__, problem.__context__]
        assert SECRET not in shown + repr(endpoint) + repr(chain)
        assert "http://127.0.0.1:9" in shown
