"""Faults that only a living node can show, and what is left behind after each."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import msgspec
import pybase64
import pytest

from popkit.command_line.grammar import Option
from popkit.commands.drill.start import VERB as START
from popkit.drill.chain import Chain
from popkit.drill.desk import Desk
from popkit.drill.faults import LIVING, split
from popkit.drill.live import Drill
from popkit.drill.node import LiveNode
from popkit.drill.people import UPSETS, Hands
from popkit.drill.rehearsal import background
from popkit.drill.world import GrantHandle, World, sound
from popkit.errors import UsageError
from popkit.serving.params import RpcError


def node(*specs: str, **more: Any) -> tuple[LiveNode, World, GrantHandle]:
    world, handle, _ = sound("strict", "A", "ann", "bob")
    world.tick(60)
    return LiveNode(Chain(world), living=split(specs, 1)[1], **more), world, handle


def ask(of: LiveNode, method: str, *given: Any) -> Any:
    return msgspec.json.decode(of.answer(method, list(given)))


def send(of: LiveNode, world: World, handle: GrantHandle, wallet: str = "cat") -> str:
    """A claim sent to a node without preflight."""
    proof = world.worker.issue(handle.address, world.address(wallet))
    wire = bytes(world.sign(world.claim_calls(handle, proof, wallet), wallet))
    return ask(
        of,
        "sendTransaction",
        pybase64.b64encode(wire).decode(),
        {"encoding": "base64", "skipPreflight": True},
    )


def status(of: LiveNode, signature: str) -> Any:
    return ask(of, "getSignatureStatuses", [signature], {"searchTransactionHistory": True})[
        "value"
    ][0]


def test_a_dropped_transaction_never_lands() -> None:
    of, world, handle = node("dropped:1")
    signature, before = send(of, world, handle), world.head(handle)
    world.tick(300)
    assert status(of, signature) is None
    assert world.head(handle) == before


def test_a_late_one_lands_once_its_slots_have_passed_and_not_when_its_blockhash_has_died() -> None:
    of, world, handle = node("late:40:1")
    signature = send(of, world, handle)
    assert status(of, signature) is None
    world.tick(17)
    assert status(of, signature)["err"] is None
    of, world, handle = node("late:160:1")
    signature = send(of, world, handle)
    world.tick(120)
    assert status(of, signature) is None


def test_a_null_that_is_none() -> None:
    of, world, handle = node("null-status:1")
    signature = send(of, world, handle)
    assert status(of, signature) is None
    assert status(of, signature)["confirmationStatus"] == "processed"
    world.tick(20)
    assert status(of, signature)["confirmationStatus"] == "finalized"


def test_nodes_that_contradict_each_other() -> None:
    of, world, handle = node()
    still, forgets = (
        LiveNode(of.chain, living=split([spec], 1)[1]) for spec in ("stands-still", "forgets")
    )
    other, wrong = (
        LiveNode(of.chain, living=split([spec], 1)[1]) for spec in ("other-genesis", "clock:60")
    )
    behind = LiveNode(of.chain, behind=100)
    world.tick(2)
    signature = send(of, world, handle)
    world.tick(20)
    assert status(of, signature)["err"] is None
    assert status(still, signature) is None
    assert status(behind, signature) is None
    assert ask(behind, "getSlot") == ask(of, "getSlot") - 100
    assert len(ask(forgets, "getSignaturesForAddress", handle.address)) == 1
    assert ask(other, "getGenesisHash") != ask(of, "getGenesisHash") == ask(still, "getGenesisHash")
    slot = ask(of, "getSlot")
    assert ask(wrong, "getBlockTime", slot) == ask(of, "getBlockTime", slot) + 60


def test_the_same_bytes_sent_again_get_through() -> None:
    of, world, handle = node("dropped-first:2:1")
    proof = world.worker.issue(handle.address, world.address("cat"))
    wire = pybase64.b64encode(
        bytes(world.sign(world.claim_calls(handle, proof, "cat"), "cat"))
    ).decode()
    config = {"encoding": "base64", "preflightCommitment": "processed", "maxRetries": 0}
    world.ledgers[-1][1].fund(world.address("cat"), 1)
    for _ in range(2):
        signature = ask(of, "sendTransaction", wire, config)
        world.tick(3)
        assert status(of, signature) is None
    assert ask(of, "sendTransaction", wire, config) == signature
    assert status(of, signature)["err"] is None
    with pytest.raises(RpcError, match="already been processed"):
        of.answer("sendTransaction", [wire, config])


def test_what_landed_is_hidden_or_contradicted_by_a_node_and_not_by_the_other() -> None:
    of, world, handle = node()
    blind, liar = (
        LiveNode(of.chain, living=split([spec], 1)[1]) for spec in ("never-seen:1", "contradicts:1")
    )
    signature = send(of, world, handle)
    world.tick(20)
    assert status(of, signature)["err"] is None
    assert (
        status(blind, signature),
        ask(blind, "getTransaction", signature, {"encoding": "base64"}),
    ) == (None, None)
    assert signature not in {
        row["signature"] for row in ask(blind, "getSignaturesForAddress", handle.address)
    }
    state = [
        ask(each, "getAccountInfo", handle.state, {"encoding": "base64"})["value"]
        for each in (blind, of)
    ]
    assert state[0] == state[1] is not None
    assert status(liar, signature)["status"] == {"Err": {"InstructionError": [0, {"Custom": 1}]}}


def test_a_fork_a_local_copy_and_a_blockhash_that_dies_at_once() -> None:
    of, world, _ = node()
    forked, copy, stale = (
        LiveNode(of.chain, living=split([spec], 1)[1])
        for spec in ("forked", "surfnet", "stale-blockhash:5")
    )
    world.tick(60)
    old, new = world.first_slot + 1, ask(of, "getSlot")
    config = {"transactionDetails": "none", "rewards": False}
    same = [
        ask(forked, "getBlock", slot, config)["blockhash"]
        == ask(of, "getBlock", slot, config)["blockhash"]
        for slot in (old, new)
    ]
    assert same == [True, False]
    assert ask(forked, "getGenesisHash") == ask(of, "getGenesisHash")
    assert (
        "surfnet-version" in ask(copy, "getVersion"),
        "surfnet-version" in ask(of, "getVersion"),
    ) == (True, False)
    given = ask(stale, "getLatestBlockhash", {"commitment": "processed"})["value"]
    assert (
        given["lastValidBlockHeight"] - ask(of, "getBlockHeight", {"commitment": "processed"}) == 5
    )

    def valid():
        return ask(of, "isBlockhashValid", given["blockhash"], {"commitment": "processed"})["value"]

    assert valid() is True
    world.tick(2.5)
    assert valid() is False


@contextmanager
def running(**faults: Any) -> Iterator[tuple[Drill, Any]]:
    world, _, _ = sound("strict", "A", "ann", "bob")
    world.live(50)
    held = Drill(world, "token", **faults)
    with background(held) as listening:
        yield held, listening


def test_an_answer_is_lost_after_the_transaction_landed() -> None:
    asyncio.run(_an_answer_is_lost())


async def _an_answer_is_lost() -> None:
    with running(faults=("lost-answer:1",)) as (held, listening):
        world, handle = held.world, next(iter(held.world.grants.values()))
        proof = world.worker.issue(handle.address, world.address("cat"))
        wire = bytes(world.sign(world.claim_calls(handle, proof, "cat"), "cat"))
        given = [pybase64.b64encode(wire).decode(), {"encoding": "base64", "skipPreflight": True}]
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(
                    listening.rpc,
                    json={"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": given},
                )
            assert world.head(handle) == proof.entry
            async with session.post(
                listening.rpc, json={"jsonrpc": "2.0", "id": 2, "method": "getSlot"}
            ) as answer:
                assert (await answer.json())["id"] == 2


def test_an_answer_is_held_until_the_client_has_gone() -> None:
    with running(faults=("held-answer:5:1",)) as (held, listening):
        world, handle = held.world, next(iter(held.world.grants.values()))
        proof = world.worker.issue(handle.address, world.address("cat"))
        wire = pybase64.b64encode(
            bytes(world.sign(world.claim_calls(handle, proof, "cat"), "cat"))
        ).decode()
        asked = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "sendTransaction",
            "params": [wire, {"encoding": "base64", "skipPreflight": True}],
        }
        request = urllib.request.Request(
            listening.rpc, msgspec.json.encode(asked), {"Content-Type": "application/json"}
        )
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(request, timeout=0.3)
        assert world.head(handle) == proof.entry


def test_what_is_no_fault_is_refused() -> None:
    for spec in (
        "lost",
        "late:x",
        "late:-1",
        "late:1:2:3",
        "dropped:0",
        "stale-blockhash:-5",
        "forked:1",
    ):
        with pytest.raises(UsageError):
            split([spec], 0)
    served, living = split(["slow:1", "late"], 0)
    assert (set(served.faults), set(living.faults)) == ({"slow"}, {"late"})
    assert all(kind.effect for kind in LIVING.values())


def test_preflight_refuses_in_a_node_s_own_shape() -> None:
    of, world, handle = node()
    world.tick(20)
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    world.tick(20)
    wire = pybase64.b64encode(
        bytes(world.sign(world.claim_calls(handle, proof, "cat"), "cat"))
    ).decode()
    world.ledgers[-1][1].fund(world.address("cat"), 1)
    with pytest.raises(RpcError) as refused:
        of.answer(
            "sendTransaction", [wire, {"encoding": "base64", "preflightCommitment": "processed"}]
        )
    assert refused.value.code == -32002
    assert (
        refused.value.message
        == "Transaction simulation failed: Error processing Instruction 2: custom program error: "
        "0x1777"
    )
    assert refused.value.data["err"] == {"InstructionError": [2, {"Custom": 6007}]}
    assert set(refused.value.data) == {
        "err",
        "logs",
        "accounts",
        "unitsConsumed",
        "returnData",
        "innerInstructions",
    }
    after = {"encoding": "base64", "addresses": [handle.state]}
    value = ask(
        of,
        "simulateTransaction",
        wire,
        {"encoding": "base64", "accounts": after, "commitment": "processed"},
    )["value"]
    assert value["err"] == refused.value.data["err"]
    with pytest.raises(RpcError, match="unexpected end of file"):
        of.answer("sendTransaction", ["", {"encoding": "base64"}])
    with pytest.raises(RpcError, match="too large: 1300 bytes"):
        of.answer(
            "sendTransaction", [pybase64.b64encode(bytes(1300)).decode(), {"encoding": "base64"}]
        )


def test_a_worker_that_is_upset() -> None:
    world, handle, _ = sound("strict", "A", "ann", "bob")
    drill = Drill(world, "token")
    hands, desk = Hands(drill, "nothing", "{}", ""), drill.desk
    body = msgspec.json.encode({"eventId": world.worker.event_of(handle.address), "grant": handle.address, "claimer": world.address("cat"),
                                "periodIndex": "0"})  # fmt: skip
    ask_proof = lambda: desk.answer("POST", "/v1/school/pop-proof", {}, {}, body)  # noqa: E731
    hands.answer("upset", {"upset": "backup"})
    hands.answer("upset", {"upset": "worker-down"})
    assert ask_proof()[0] == 503
    hands.answer("upset", {"upset": "worker-up"})
    hands.answer("upset", {"upset": "sink-fails"})
    before = dict(world.worker.heads)
    assert ask_proof()[0] == 503
    assert world.worker.heads == before, "the anchor is written before the heads move"
    hands.answer("upset", {"upset": "sink-works"})
    status, first = ask_proof()
    assert status == 200
    hands.answer("upset", {"upset": "restore"})
    assert ask_proof()[1]["prevHash"] == first["prevHash"], (
        "the worker has forgotten what it issued"
    )
    hands.answer("upset", {"upset": "key-rotated"})
    assert ask_proof()[1]["signerPubkey"] != first["signerPubkey"]
    assert hands.answer("claim", {"count": 2})["outcomes"] == {
        "simulation refused: InvalidPopSigner": 2
    }
    with pytest.raises(ValueError, match="expected one of"):
        hands.answer("upset", {"upset": "everything"})
    assert set(UPSETS) >= {"doubled", "clock"}
    assert Desk(world.worker, "token").answer("GET", "/v1/school/nothing", {}, {}, b"") == (
        404,
        "Not Found",
    )


def test_the_help_names_every_fault_of_a_living_node() -> None:
    option = next(param for param in START.params if param.name == "faults")
    assert isinstance(option, Option)
    for words in (str(option.words), option.words.ja):
        assert set(LIVING) <= set(re.findall(r"[a-z][a-z-]+", words))
