"""What must hold of every history: sound or forged, in any order of lines, and against a slow reading of the design."""

from __future__ import annotations

import base64
import copy
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
from tests.simulation import slow
from tests.simulation.expect import codes, diagnose, expect
from tests.simulation.program import GENESIS
from tests.simulation.worker import Proof, sign_proof
from tests.simulation.world import GrantHandle, Ticket, World

BUILDS = [("strict", "A"), ("strict_v2", "B"), ("relaxed", "D"), ("head", "D")]
bounded = settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
thorough = settings(bounded, max_examples=400)


def ask(files: dict[str, Any]) -> Diagnosis:
    """The diagnosis of a case that lives for one question."""
    with tempfile.TemporaryDirectory() as path:
        return diagnose(Path(path), files)


@given(st.sampled_from(BUILDS), st.integers(1, 25), st.integers(0, 700), st.booleans())
@bounded
def test_an_intact_chain_of_any_length_has_no_finding(build: tuple[str, str], length: int, wait: int, storage: bool) -> None:
    world = World(*build)
    handle = world.grant()
    done = world.tickets(handle, *(f"wallet {n}" for n in range(length)), from_chain=build[1] == "D")
    world.tick(wait)
    found = ask(world.collect(storage=storage))
    expect(found, handle, "intact", last_good=done[-1])
    assert codes(found, "critical") == codes(found, "warning") == set()
    assert found.exit_code == 0


def forge(world: World, files: dict[str, Any], ticket: Ticket, wallet: str, offset: int, bit: int, resign: bool) -> str:
    """Change one bit of a message; with `resign` the wallet, which has no proof key, signs anew. The signature to find."""
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
def test_one_changed_byte_is_found_at_exactly_that_claim(which: int, offset: int, bit: int, resign: bool) -> None:
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
    world.worker.claim_record(handle.address, world.address("liar"), str(world.key("liar").sign_message(b"")), world.address("nowhere"))


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
def test_later_good_claims_never_remove_an_earlier_finding(build: tuple[str, str], incident: Any, later: int) -> None:
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

STEPS = (
    "ticket",
    "lose",
    "quiet",
    "swap",
    "swap for good",
    "paused",
    "paused, then sent",
    "again",
    "resent",
    "stranger",
    "wait",
    "roll back",
    "reset",
    "clone",
    "stream",
    "signer",
    "elsewhere",
)


class History:
    """A world that does what it is told, step by step, and keeps every proof of its wallets."""

    def __init__(self, build: str, model: str) -> None:
        self.world = World(build, model)
        self.handle = self.world.grant()
        self.relaxed = model == "D"
        self.accepted: list[tuple[str, Ticket]] = []
        self.other = self.world.grant(2)
        self.backups = [copy.deepcopy(self.world.worker.heads)]
        self.count = 0

    def wallet(self) -> str:
        self.count += 1
        return f"wallet {self.count}"

    def issue(self, wallet: str) -> Proof:
        expected = self.world.head(self.handle) if self.relaxed else None
        proof = self.world.worker.issue(self.handle.address, self.world.address(wallet), expected=expected)
        self.world.tick(2)
        return proof

    def send(self, wallet: str, proof: Proof, **shape: Any) -> None:
        ticket = Ticket(proof, self.world.claim(self.handle, proof, wallet, **shape))
        if ticket.landed.err is None:
            self.accepted.append((wallet, ticket))
        self.world.tick(2)

    def step(self, name: str, number: int) -> None:
        """One step; `number` chooses within it."""
        world, handle = self.world, self.handle
        if name == "ticket":
            wallet = self.wallet()
            self.send(wallet, self.issue(wallet), budget=number % 2 == 0, v0=number % 3 == 0)
        elif name in ("lose", "quiet"):
            wallet = self.wallet()
            proof = self.issue(wallet)
            if name == "quiet" and world.simulate(handle, proof, wallet, tell=False).err is None:
                self.send(wallet, proof)
        elif name.startswith("swap"):
            one, two = self.wallet(), self.wallet()
            first, second = self.issue(one), self.issue(two)
            self.send(two, second)
            self.send(one, first)
            if name == "swap" and not any(t.proof is second for _, t in self.accepted):
                self.send(two, second)
        elif name.startswith("paused"):
            wallet = self.wallet()
            proof = self.issue(wallet)
            world.switch(handle, "set_paused", {"paused": True})
            self.send(wallet, proof)
            world.switch(handle, "set_paused", {"paused": False})
            if name != "paused":
                self.send(wallet, proof)
        elif name in ("again", "resent") and self.accepted:
            wallet, ticket = self.accepted[number % len(self.accepted)]
            self.send(wallet, self.issue(wallet) if name == "again" else ticket.proof)
        elif name == "stranger":
            self.noise(number)
        elif name == "wait":
            world.tick(number * 60)
        elif name == "roll back":
            world.worker.heads = copy.deepcopy(self.backups[number % len(self.backups)])
        elif name == "reset" and number % 3 == 0:
            world.worker.heads.clear()
        elif name == "clone":
            wallet, clone = self.wallet(), world.worker.clone(f"clone {self.count}")
            expected = world.head(handle) if self.relaxed else None
            self.send(wallet, clone.issue(handle.address, world.address(wallet), expected=expected))
        elif name == "stream" and handle.address in world.worker.heads and number % 2:
            world.worker.heads[handle.address][1] = GENESIS
        elif name == "signer" and number % 3 == 0:
            world.worker.key = world.key(f"signer {number}")
            if number:
                world.name_signer(handle, world.worker.signer)
        elif name == "elsewhere":
            world.ticket(self.other, self.wallet(), from_chain=self.relaxed)
        self.backups.append(copy.deepcopy(world.worker.heads))

    def noise(self, number: int) -> None:
        """A stranger's failing claim: his own key, or somebody else's proof."""
        world, handle, mallory = self.world, self.handle, "mallory"
        head = world.head(handle)
        if number % 2 and self.accepted:
            proof = self.accepted[number % len(self.accepted)][1].proof
        else:
            proof = sign_proof(world.key("stranger"), handle.address, world.address(mallory), 0, head, GENESIS, "ab" * 32, world.now)
        assert world.claim(handle, proof, mallory).err is not None
        world.tick(2)


steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), min_size=0, max_size=9)


def play(build: tuple[str, str], told: list[tuple[str, int]], wait: int, storage: bool = False) -> tuple[History, dict[str, Any]]:
    """A history and the case of it, with the worker's bucket or its storage."""
    history = History(*build)
    for name, number in told:
        history.step(name, number)
    history.world.tick(wait)
    return history, history.world.collect(bucket=not storage, storage=storage)


@given(st.sampled_from(BUILDS[:3]), steps, st.sampled_from([0, 300, 700]), st.integers(0, 20), st.booleans())
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
def test_later_refusals_never_change_what_was_first(build: tuple[str, str], told: list[tuple[str, int]]) -> None:
    # One more lost proof and one more refusal behind it: last_good and first_bad of a broken grant stay where they were.
    history, files = play(build, told, 700)
    before = ask(files).grant(history.handle.address)
    if before.verdict != "broken" or before.first_bad is None or before.first_bad["signature"] is None:
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


def leave_out(files: dict[str, Any], part: str, chance: random.Random) -> dict[str, Any]:
    """The same case with less evidence."""
    left = dict(files)
    transactions, signatures = "rpc/transactions.jsonl", "rpc/signatures.jsonl"
    if part == "the worker":
        return {name: content for name, content in files.items() if not name.startswith("worker/")}
    if part == "PopState":
        left["rpc/accounts.jsonl"] = [r for r in files["rpc/accounts.jsonl"] if r["account"] is None or r["account"]["space"] != 122]
    elif part == "half the bucket":
        left["worker/r2.jsonl"] = [row for row in files["worker/r2.jsonl"] if chance.random() < 0.5]
    elif part == "a transaction, in silence":
        gone = chance.choice(files[transactions])["signature"]
        left |= {name: [row for row in files[name] if row["signature"] != gone] for name in (transactions, signatures)}
    elif part == "a transaction that is listed":
        gone = chance.choice(files[transactions])["signature"]
        left[transactions] = [{**row, "result": None} if row["signature"] == gone else row for row in files[transactions]]
    elif part == "the status pages":
        left = {name: content for name, content in files.items() if not (name.startswith("worker/") and name.endswith(".json"))}
    else:
        del left[part]
    return left


PARTS = (
    "the worker", "PopState", "half the bucket", "a transaction, in silence", "a transaction that is listed", "the status pages",
    "worker/r2.jsonl", "worker/audit-logs.json", "rpc/accounts.jsonl", "rpc/signatures.jsonl", "rpc/transactions.jsonl",
)  # fmt: skip


@given(st.sampled_from(BUILDS[:3]), steps, st.sampled_from([0, 300, 700]), st.sampled_from(PARTS), st.randoms(use_true_random=False))
@settings(bounded, max_examples=80)
def test_less_evidence_decides_less_and_never_otherwise(
    build: tuple[str, str], told: list[tuple[str, int]], wait: int, part: str, chance: random.Random
) -> None:
    # A second issuer is left out: from the chain alone its refused proofs are taken for the worker's.
    history, _ = play(build, [step for step in told if step[0] != "clone"], wait)
    files, address = history.world.collect(storage=True), history.handle.address
    whole, less = ask(files).grant(address).verdict, ask(leave_out(files, part, chance)).grant(address).verdict
    allowed = {whole, "inconclusive"} | ({"intact"} if whole == "recovered" else set()) | ({"in_flight"} if part == "the worker" else set())
    assert less in allowed
