"""Administrators' steps as they are read from transactions: which count, and in which order."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.chain.history import AdminStep
from popkit.drill.bank import Landed
from popkit.drill.calls import grant_call, wrapped
from popkit.drill.case import write_case
from popkit.drill.runtime import Instruction, Meta, Outcome
from popkit.drill.world import GrantHandle, World, sound
from popkit.protocol.keys import PROGRAM_ID, b58encode

TRANSACTIONS, SIGNATURES = "rpc/transactions.jsonl", "rpc/signatures.jsonl"


def steps(path: Path, files: dict[str, Any]) -> list[AdminStep]:
    return popkit.open_case(write_case(path, files)).facts.history.steps


def pausing(handle: GrantHandle, paused: bool) -> Instruction:
    where = {"grant": handle.address, "mint": handle.mint, "authority": handle.authority}
    return grant_call("set_paused", {"paused": paused}, where)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that accepts whatever it is sent, and does nothing."""
    monkeypatch.setattr(
        "popkit.drill.bank.execute",
        lambda ledger, signed, moment: Outcome(None, (), ledger, (), 5000, 0, charged=True),
    )


def test_every_step_with_its_transaction(tmp_path: Path) -> None:
    world, handle, _ = sound()
    paused = world.switch(handle, "set_paused", {"paused": True})
    found = steps(tmp_path, world.collect())
    named, made = world.landed[0], world.landed[1]
    assert [(s.name, s.signature, s.slot, s.block_time, s.index) for s in found] == [
        ("upsert_pop_config", named.signature, named.slot, named.time, 0),
        ("create_grant", made.signature, made.slot, made.time, 0),
        ("fund_grant", made.signature, made.slot, made.time, 1),
        ("set_paused", paused.signature, paused.slot, paused.time, 0),
    ]
    assert found[3].args == {"paused": True}
    assert found[3].accounts["grant"] == handle.address


def test_steps_that_were_refused_or_are_not_signed_do_not_count(tmp_path: Path) -> None:
    world = World("head", "D")
    handle = world.grant()
    terms = {
        "grant_id": 1,
        "amount_per_period": 9,
        "period_seconds": 60,
        "start_ts": 1,
        "expires_at": 0,
    }
    refused = world.send([world.create_call(handle, terms)], "school")
    assert refused.error == 0
    world.tick(5)
    forged = world.switch(handle, "set_paused", {"paused": True})
    world.switch(handle, "set_paused", {"paused": False})
    files = copy.deepcopy(world.collect())
    row = next(row for row in files[TRANSACTIONS] if row["signature"] == forged.signature)
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    wire[-1] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    told = [(s.name, s.args.get("paused")) for s in steps(tmp_path, files)]
    assert told == [
        ("upsert_pop_config", None),
        ("create_grant", None),
        ("fund_grant", None),
        ("set_paused", False),
    ]


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_step_hides_none_beside_it(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    unknown = Instruction(PROGRAM_ID, b"\xff" * 16, (Meta(handle.address, False, True),))
    claim = world.claim_call(handle, "ann")
    world.send([unknown, pausing(handle, True), pausing(handle, False)], "school")
    world.tick(5)
    world.send([claim, pausing(handle, True)], "school", ("ann",))
    found = [
        (s.name, s.index)
        for s in steps(tmp_path, world.collect())
        if s.name.startswith(("set", "claim"))
    ]
    assert found == [("set_paused", 1), ("set_paused", 2), ("set_paused", 1)]


def test_a_transaction_whose_inner_instructions_cannot_be_read_hides_none_after_it(
    tmp_path: Path,
) -> None:
    world = World()
    handle = world.grant()
    landed = []
    for _ in range(4):
        landed.append(
            world.send([pausing(handle, False), wrapped(pausing(handle, True))], "school").signature
        )
        world.tick(5)
    files = copy.deepcopy(world.collect())
    assert [
        s.args["paused"] for s in steps(tmp_path / "whole", files) if s.name == "set_paused"
    ] == [False, True] * 4
    for signature in landed:  # whichever of them is read last
        damaged = copy.deepcopy(files)
        row = next(row for row in damaged[TRANSACTIONS] if row["signature"] == signature)
        row["result"]["meta"]["innerInstructions"][0]["instructions"][0]["programIdIndex"] = 99
        found = [
            s.signature for s in steps(tmp_path / signature, damaged) if s.name == "set_paused"
        ]
        assert found == [
            other for other in landed for _ in range(1 if other == signature else 2)
        ], "its own instruction is read"


def of_one_slot(
    world: World, files: dict[str, Any], positions: dict[str, int | None]
) -> dict[str, Any]:
    """The case of a node that gives some transactions one slot, and tells where in its block each
    stands.
    """
    files = copy.deepcopy(files)
    slot = max(t.slot for t in world.landed if t.signature in positions)
    for row in [*files[TRANSACTIONS], *files[SIGNATURES]]:
        if row["signature"] in positions:
            held = row.get("result", row)
            held["slot"] = slot
            if "result" in row and positions[row["signature"]] is not None:
                held["transactionIndex"] = positions[row["signature"]]
    return files


def test_steps_of_one_slot_stand_as_in_their_block(tmp_path: Path) -> None:
    world, handle, _ = sound()
    landed: list[Landed] = []
    for paused in (True, False, True, False):
        landed.append(world.switch(handle, "set_paused", {"paused": paused}))

    def order(name: str, *positions: int | None) -> list[int]:
        files = of_one_slot(
            world,
            world.collect(),
            {t.signature: at for t, at in zip(landed, positions, strict=True)},
        )
        found = [s.signature for s in steps(tmp_path / name, files) if s.name == "set_paused"]
        return [
            next(n for n, t in enumerate(landed) if t.signature == signature) for signature in found
        ]

    assert order("backwards", 9, 7, 5, 3) == [3, 2, 1, 0]
    assert order("from nought", 2, 1, 0, 3) == [2, 1, 0, 3]
    by_signature = sorted(range(4), key=lambda n: landed[n].signature)
    assert order("not told", None, None, None, None) == by_signature
    assert order("one not told", 0, 1, None, 2) == [2, 0, 1, 3], "what is not told stands first"


def test_steps_within_one_call_stand_as_they_were_called(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    inside = world.send([wrapped(pausing(handle, True)), pausing(handle, True)], "school")
    files = copy.deepcopy(world.collect())
    row = next(row for row in files[TRANSACTIONS] if row["signature"] == inside.signature)
    [inner] = row["result"]["meta"]["innerInstructions"]
    inner["instructions"].append(
        {**inner["instructions"][0], "data": b58encode(pausing(handle, False).data)}
    )
    found = [(s.index, s.args["paused"]) for s in steps(tmp_path, files) if s.name == "set_paused"]
    assert found == [(0, True), (0, False), (1, True)]
