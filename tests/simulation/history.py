"""Histories at random: a world that does what it is told, step by step, and the case of it, whole
or with parts taken away.
"""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import strategies as st

from popkit.drill.proofs import GENESIS, Proof, sign_proof
from popkit.drill.world import Ticket, World

BUILDS = [("strict", "A"), ("strict_v2", "B"), ("relaxed", "D"), ("head", "D")]
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
        proof = self.world.worker.issue(
            self.handle.address, self.world.address(wallet), expected=expected
        )
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
            proof = sign_proof(
                world.key("stranger"),
                handle.address,
                world.address(mallory),
                0,
                head,
                GENESIS,
                "ab" * 32,
                world.now,
            )
        assert world.claim(handle, proof, mallory).err is not None
        world.tick(2)


steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), min_size=0, max_size=9)


def play(
    build: tuple[str, str], told: list[tuple[str, int]], wait: int, storage: bool = False
) -> tuple[History, dict[str, Any]]:
    """A history and the case of it, with the worker's bucket or its storage."""
    history = History(*build)
    for name, number in told:
        history.step(name, number)
    history.world.tick(wait)
    return history, history.world.collect(bucket=not storage, storage=storage)


def leave_out(files: dict[str, Any], part: str, chance: random.Random) -> dict[str, Any]:
    """The same case with less evidence."""
    left = dict(files)
    transactions, signatures = "rpc/transactions.jsonl", "rpc/signatures.jsonl"
    if part == "the worker":
        return {name: content for name, content in files.items() if not name.startswith("worker/")}
    if part == "PopState":
        left["rpc/accounts.jsonl"] = [
            r
            for r in files["rpc/accounts.jsonl"]
            if r["account"] is None or r["account"]["space"] != 122
        ]
    elif part == "half the bucket":
        left["worker/r2.jsonl"] = [row for row in files["worker/r2.jsonl"] if chance.random() < 0.5]
    elif part == "a transaction, in silence":
        gone = chance.choice(files[transactions])["signature"]
        left |= {
            name: [row for row in files[name] if row["signature"] != gone]
            for name in (transactions, signatures)
        }
    elif part == "a transaction that is listed":
        gone = chance.choice(files[transactions])["signature"]
        left[transactions] = [
            {**row, "result": None} if row["signature"] == gone else row
            for row in files[transactions]
        ]
    elif part == "the status pages":
        left = {
            name: content
            for name, content in files.items()
            if not (name.startswith("worker/") and name.endswith(".json"))
        }
    else:
        del left[part]
    return left


PARTS = (
    "the worker", "PopState", "half the bucket", "a transaction, in silence", "a transaction that "
                                                                              "is listed", "the status pages",
    "worker/r2.jsonl", "worker/audit-logs.json", "rpc/accounts.jsonl", "rpc/signatures.jsonl", "rpc/transactions.jsonl",
)  # fmt: skip
