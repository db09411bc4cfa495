"""What must hold of every history: sound or forged, in any order of lines, and against a slow
reading of the design.
"""

from __future__ import annotations

import base64
import copy
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.message import Message
from solders.transaction import VersionedTransaction

from popkit.diagnosis.result import Diagnosis
from popkit.drill.world import GrantHandle, Ticket, World
from tests.simulation import slow
from tests.simulation.expect import codes, diagnose, expect
from tests.simulation.history import BUILDS, PARTS, leave_out, play, steps

bounded = settings(
    derandomize=True, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck)
)
thorough = settings(bounded, max_examples=int(os.environ.get("POPKIT_EXAMPLES", "120")))


def ask(files: dict[str, Any]) -> Diagnosis:
    """The diagnosis of a case that lives for one question."""
    with tempfile.TemporaryDirectory() as path:
        return diagnose(Path(path), files)


@given(st.sampled_from(BUILDS), st.integers(1, 25), st.integers(0, 700), st.booleans())
@bounded
def test_an_intact_chain_of_any_length_has_no_finding(
    build: tuple[str, str], length: int, wait: int, storage: bool
) -> None:
    world = World(*build)
    handle = world.grant()
    done = world.tickets(
        handle, *(f"wallet {n}" for n in range(length)), from_chain=build[1] == "D"
    )
    world.tick(wait)
    found = ask(world.collect(storage=storage))
    expect(found, handle, "intact", last_good=done[-1])
    assert codes(found, "critical") == codes(found, "warning") == set()
    assert found.exit_code == 0


def forge(
    world: World,
    files: dict[str, Any],
    ticket: Ticket,
    wallet: str,
    offset: int,
    bit: int,
    resign: bool,
) -> str:
    """Change one bit of a message; with `resign` the wallet, which has no proof key, signs anew.
    The signature to find.
    """
    row = next(r for r in files["rpc/transactions.jsonl"] if r["signature"] == ticket.signature)
    row["result"] = copy.deepcopy(row["result"])
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    wire[bytes(wire).index(ticket.proof.message) + offset] ^= 1 << bit
    if resign:
        message = VersionedTransaction.from_bytes(bytes(wire)).message
        assert isinstance(message, Message)
        signed = VersionedTransaction(message, [world.key(wallet)])
        wire, new = bytearray(bytes(signed)), str(signed.signatures[0])
        for rows in (files["rpc/transactions.jsonl"], files["rpc/signatures.jsonl"]):
            for entry in rows:
                if entry["signature"] == ticket.signature:
                    entry["signature"] = new
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    return str(row["signature"])


@given(st.integers(0, 4), st.integers(0, 208), st.integers(0, 7), st.booleans())
@settings(bounded, max_examples=60)
def test_one_changed_byte_is_found_at_exactly_that_claim(
    which: int, offset: int, bit: int, resign: bool
) -> None:
    world = World()
    handle = world.grant()
    wallets = [f"wallet {n}" for n in range(5)]
    done = world.tickets(handle, *wallets, tell=False)
    files = world.collect()
    signature = forge(world, files, done[which], wallets[which], offset, bit, resign)
    found = ask(files)
    row = expect(
        found,
        handle,
        "inconclusive",
        last_good=done[3] if which == 4 else done[4],
        unseen=[done[which].entry],
        forged=[signature],
    )
    assert {f.where[1] for f in found.findings if f.code == "forged_transaction"} == {signature}
    assert found.exit_code == 1
    assert row["verdict"] != "intact"


# -- later claims and earlier findings --


def foreign(world: World, handle: GrantHandle) -> None:
    clone = world.worker.clone()
    world.tickets(handle, "cat", from_chain=world.worker.model == "D")
    world.ticket(handle, "dan", worker=clone, from_chain=world.worker.model == "D")


def twice(world: World, handle: GrantHandle) -> None:
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    world.ticket(handle, "cat", worker=clone)


def swapped(world: World, handle: GrantHandle) -> None:
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    for proof, wallet in ((second, "dan"), (first, "cat"), (second, "dan")):
        world.claim(handle, proof, wallet)
        world.tick(2)


def made_up_record(world: World, handle: GrantHandle) -> None:
    world.worker.claim_record(
        handle.address,
        world.address("liar"),
        str(world.key("liar").sign_message(b"")),
        world.address("nowhere"),
    )


@pytest.mark.parametrize(
    ("build", "incident"),
    [
        (("strict", "A"), foreign),
        (("relaxed", "D"), foreign),
        (("strict", "A"), twice),
        (("strict", "A"), swapped),
        (("strict", "A"), made_up_record),
    ],
)
@pytest.mark.parametrize("later", [1, 6])
def test_later_good_claims_never_remove_an_earlier_finding(
    build: tuple[str, str], incident: Any, later: int
) -> None:
    world = World(*build)
    handle = world.grant()
    world.tickets(handle, "ann", "bob", from_chain=build[1] == "D")
    incident(world, handle)
    world.tick(5)
    before = ask(world.collect())
    world.tickets(handle, *(f"late {n}" for n in range(later)), from_chain=build[1] == "D")
    after = ask(world.collect())
    grave = {(f.code, f.where[1], f.severity) for f in before.findings if f.severity != "info"}
    assert grave
    assert grave <= {(f.code, f.where[1], f.severity) for f in after.findings}
    assert after.exit_code == before.exit_code
    assert set(before.grants[0].as_json()["causes"]) == set(after.grants[0].as_json()["causes"])
    assert before.grants[0].first_bad == after.grants[0].first_bad


# -- histories at random --


@given(
    st.sampled_from(BUILDS[:3]),
    steps,
    st.sampled_from([0, 300, 700]),
    st.integers(0, 20),
    st.booleans(),
)
@thorough
def test_agrees_with_the_slow_reading_of_the_design(
    build: tuple[str, str], told: list[tuple[str, int]], wait: int, gap: int, storage: bool
) -> None:
    history, files = play(build, told, wait, storage)
    if gap < len(history.accepted):
        hidden = history.accepted[gap][1].signature
        for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
            files[name] = [row for row in files[name] if row["signature"] != hidden]
    address = history.handle.address
    wanted = slow.check(files, address, history.relaxed)
    found = ask(files)
    row = found.grant(address).as_json()
    got = {key: row[key] for key in wanted}
    got["last_good"] = None if row["last_good"] is None else row["last_good"]["signature"]
    got["first_bad"] = None if row["first_bad"] is None else row["first_bad"]["signature"]
    got["forks"] = sorted(fork["parent"] for fork in row["forks"])
    assert got == wanted
    if wanted["verdict"] == "broken":
        assert found.exit_code == 1
    elif not codes(found, "critical"):
        assert found.exit_code == (3 if wanted["verdict"] == "inconclusive" else 0)


@given(st.sampled_from(BUILDS), steps, st.randoms(use_true_random=False))
@bounded
def test_the_answer_depends_on_no_order_and_on_no_repetition(
    build: tuple[str, str], told: list[tuple[str, int]], chance: random.Random
) -> None:
    history, _ = play(build, told, 60)
    files = history.world.collect(storage=True, reports=True, receipts=True)
    first = ask(files).dumps()
    for name in [name for name in files if name.endswith(".jsonl")]:
        rows = list(files[name])
        rows += chance.sample(rows, k=len(rows) // 2)
        chance.shuffle(rows)
        files[name] = rows
    assert ask(files).dumps() == first


@given(st.sampled_from(BUILDS[:2]), steps)
@bounded
def test_later_refusals_never_change_what_was_first(
    build: tuple[str, str], told: list[tuple[str, int]]
) -> None:
    # One more lost proof and one more refusal behind it: last_good and first_bad of a broken grant stay where they were.
    history, files = play(build, told, 700)
    before = ask(files).grant(history.handle.address)
    if (
        before.verdict != "broken"
        or before.first_bad is None
        or before.first_bad["signature"] is None
    ):
        return
    for name in ("lose", "ticket"):
        history.step(name, 1)
    history.world.tick(700)
    after = ask(history.world.collect()).grant(history.handle.address)
    assert after.verdict == "broken"
    assert after.last_good == before.last_good
    assert after.first_bad == before.first_bad
    if not {name for name, _ in told} & {"roll back", "reset", "stream"}:
        # A head that is put back takes the worker's line, and with it whose proofs are lost, elsewhere.
        assert set(before.affected_claimers) <= set(after.affected_claimers)


@given(
    st.sampled_from(BUILDS[:3]),
    steps,
    st.sampled_from([0, 300, 700]),
    st.sampled_from(PARTS),
    st.randoms(use_true_random=False),
)
@settings(bounded, max_examples=40)
def test_less_evidence_decides_less_and_never_otherwise(
    build: tuple[str, str], told: list[tuple[str, int]], wait: int, part: str, chance: random.Random
) -> None:
    # A second issuer is left out: from the chain alone its refused proofs are taken for the worker's.
    history, _ = play(build, [step for step in told if step[0] != "clone"], wait)
    files, address = history.world.collect(storage=True), history.handle.address
    whole, less = (
        ask(files).grant(address).verdict,
        ask(leave_out(files, part, chance)).grant(address).verdict,
    )
    allowed = {whole, "inconclusive"} | ({"intact"} if whole == "recovered" else set())
    assert less in allowed
