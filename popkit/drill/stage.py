"""What an incident is played on: a world with one grant, its people, and a ledger of what was done,
from which the truth follows.

The truth is never asked of popkit. It is what the design says of what was done: which proof was
lost first, who was refused, what was accepted last.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from popkit.drill import addresses
from popkit.drill.bank import Landed
from popkit.drill.calls import grant_call
from popkit.drill.proofs import Proof
from popkit.drill.runtime import Outcome
from popkit.drill.store import LATER
from popkit.drill.worker import Worker
from popkit.drill.world import START, GrantHandle, Ticket, World

MODELS = {"pre_pop": "A", "strict": "A", "strict_v2": "B", "relaxed": "D", "head": "E"}
FIRST_OF_MODEL = {"D": 1772550060}
"""The unix second from which a worker is published that keeps its head where a client names the
chain's (74fcdd0).
"""
ERAS = tuple(MODELS)
STRICT = ("strict", "strict_v2")
CHAIN_RULE = (6026, 6027, 6028)
WORDS = {
    6005: "wrong_period", 6007: "paused", 6008: "grant_expired", 6001: "vault_empty", 6013: "not_in_allowlist",
    6018: "signer_mismatch", 6024: "proof_expired", 0: "duplicate_claim",
}  # fmt: skip
"""The cause that an error of a burnt proof stands for."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done, in the words of findings.json. `first_bad` is a signature, or an entry where
    nothing landed; None says none.

    `began` is the unix second in which the lost or burnt proof was issued. `affected` None is not
    said.
    """

    verdict: str
    causes: tuple[str, ...]
    exit_code: int
    last_good: str | None
    first_bad: str | None
    affected: tuple[str, ...] | None
    began: int | None
    remedy: str

    def as_json(self) -> dict[str, Any]:
        """The truth as it is sealed."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self._fields()
        }

    def _fields(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__slots__]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A claim that landed and was refused: whether its proof stood on the chain's head, and whether
    a lost proof wedged the grant then.
    """

    landed: Landed
    proof: Proof
    on_head: bool
    strict: bool


@dataclass(slots=True)
class Stage:
    """A world and what is done in it. `terms` are those of the grant, which is made when it is
    first asked for.

    `era` is the program that the world begins with, `model` the worker where it is another than the
    one published with that program.
    """

    era: str
    seed: int = 0
    terms: dict[str, Any] = field(default_factory=dict)
    name: str = "drill"
    model: str | None = None
    world: World = field(init=False)
    chance: random.Random = field(init=False)
    accepted: list[tuple[Landed, Proof | None]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    behind: list[Proof] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    affected: set[str] = field(default_factory=set)
    began: int | None = None
    wedged: bool = False
    in_flight: bool = False
    critical: bool = False
    unsaid: bool = False
    remedy: str | None = None
    _handle: GrantHandle | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.name}/{self.era}/{self.seed}")
        model = self.model or MODELS[self.era]
        start = max(START[self.era], FIRST_OF_MODEL.get(model, 0)) + self.chance.randrange(86400)
        self.world = World(self.era, model, f"{self.name}-{self.seed}", start)

    @property
    def is_strict(self) -> bool:
        """Whether a lost proof wedges the grant: the program asks for the chain's order, and the
        worker keeps a head of its own.
        """
        return self.world.build in STRICT and self.worker.model not in LATER

    @property
    def grant(self) -> GrantHandle:
        """The grant; made, funded and linked when it is first asked for."""
        if self._handle is None:
            self._handle = self.world.grant(**self.terms)
        return self._handle

    @property
    def worker(self) -> Worker:
        return self.world.worker

    # people

    def wallet(self) -> str:
        """The role of somebody new."""
        self._count += 1
        return f"wallet {self._count}"

    def address(self, wallet: str) -> str:
        return self.world.address(wallet)

    def wait(self, least: float, most: float | None = None) -> None:
        """Let time pass, some seconds between two bounds."""
        self.world.tick(least if most is None else self.chance.uniform(least, most))

    def proof(self, wallet: str, worker: Worker | None = None, period: int = 0) -> Proof:
        """A wallet asks a worker for a proof, with the chain's head where its worker takes it."""
        grant, worker = self.grant, worker or self.worker
        expected = self.world.head(grant) if worker.model in LATER else None
        proof = worker.issue(grant.address, self.address(wallet), period, expected=expected)
        self.wait(1, 5)
        return proof

    def send(self, wallet: str, proof: Proof | None, period: int = 0, **shape: Any) -> Landed:
        """A wallet sends its claim without simulating it; noted as accepted or refused."""
        shape = {**self._shape(), **shape}
        on_head = proof is not None and proof.prev == self.world.head(self.grant)
        landed = self.world.claim(self.grant, proof, wallet, period, **shape)
        self.wait(1, 4)
        if landed.err is None:
            self.accepted.append((landed, proof))
            self.affected.discard(self.address(wallet))
        elif proof is not None:
            self.refused.append(Refusal(landed, proof, on_head, self.is_strict))
            self.affected.add(self.address(wallet))
        return landed

    def _shape(self) -> dict[str, Any]:
        return {"budget": self.chance.random() < 0.3, "v0": self.chance.random() < 0.3}

    def simulate(self, wallet: str, proof: Proof, **shape: Any) -> Outcome:
        """A wallet simulates its claim, is refused, and sends nothing; it reports what it met."""
        return self.world.simulate(self.grant, proof, wallet, **shape)

    def tell(self, wallet: str, landed: Landed, period: int = 0) -> None:
        """The wallet tells the worker of its accepted claim."""
        receipt = addresses.receipt_address(self.grant.address, self.address(wallet), period)
        self.worker.claim_record(
            self.grant.address, self.address(wallet), landed.signature, receipt
        )

    def claims(self, least: int = 2, most: int = 5) -> list[Ticket]:
        """Ordinary claims by new wallets, each accepted, some of them never told to the worker."""
        found = []
        for _ in range(self.chance.randint(least, most)):
            wallet = self.wallet()
            proof = None if self.world.build == "pre_pop" else self.proof(wallet)
            landed = self.send(wallet, proof)
            assert landed.err is None, landed.err
            if self.chance.random() < 0.8:
                self.tell(wallet, landed)
            if proof is not None:
                found.append(Ticket(proof, landed))
            self.wait(5, 60)
        return found

    def switch(self, name: str, args: dict[str, Any]) -> Landed:
        """set_paused, set_allowlist_root, update_grant or close_grant by the authority."""
        return self.world.switch(self.grant, name, args)

    def name_signer(self, signer: str) -> None:
        """upsert_pop_config."""
        where = {"pop_config": self.grant.config, "authority": self.grant.authority}
        self.world.send(
            [grant_call("upsert_pop_config", {"signer_pubkey": signer}, where)], "school"
        )
        self.wait(2)

    def upgrade(self, build: str, with_worker: bool = True) -> None:
        """Another build of the program is deployed, and with it the worker that was published with
        it, or not.

        What broke under the old rules is over where the new ones let every proof land. Who was
        refused is still affected; a proof that was never sent no longer stands between the chain's
        head and the worker's, so that nobody waits behind it.
        """
        self.world.upgrade(build)
        if with_worker:
            self.worker.model = MODELS[build]
        self.wait(5, 60)
        if self.wedged and not self.is_strict:
            self.wedged, self.behind = False, []
            self.affected &= {refusal.proof.claimer for refusal in self.refused}

    # what follows from it

    def lost(self, proof: Proof, *reasons: str) -> None:
        """Note that a proof of the worker's will never be accepted; the first one wedges a strict
        grant.
        """
        claimer = proof.claimer
        self.affected.add(claimer)
        if not self.is_strict:
            self.causes.update(reasons)
            self.unsaid = self.unsaid or not reasons
            self.began = self.began or (proof.issued_at if reasons else None)
            return
        if self.wedged:
            self.behind.append(proof)
            return
        self.wedged, self.began = True, proof.issued_at
        self.causes.update({"abandoned_proof", *reasons})
        if not self.accepted:
            self.causes.add("genesis_mismatch")

    def first_bad(self) -> str | None:
        """The first landed refusal that counts, else the entry of the first proof behind the lost
        one.

        A refusal by another rule than the chain's counts where the proof was burnt: it stood on the
        chain's head (or rules are relaxed) and its claimer got nothing else.
        """
        served = {
            name
            for _, proof in self.accepted
            if proof is not None
            for name in (proof.entry, proof.claimer)
        }
        for refusal in self.refused:
            is_served = (refusal.proof.entry if refusal.strict else refusal.proof.claimer) in served
            if refusal.landed.error in CHAIN_RULE or (
                not is_served and (refusal.on_head or not refusal.strict)
            ):
                return refusal.landed.signature
        return self.behind[0].entry if self.behind else None

    def truth(self) -> Truth:
        """What was done, said as the design says it."""
        verdict = (
            "broken"
            if self.wedged
            else "in_flight"
            if self.in_flight
            else "intact"
            if self.accepted
            else "unused"
        )
        if verdict == "intact" and any(
            refusal.landed.error in CHAIN_RULE for refusal in self.refused
        ):
            verdict = "recovered"
        remedy = self.remedy or ("switch" if self.wedged else "wait" if self.in_flight else "none")
        return Truth(
            verdict=verdict,
            causes=tuple(sorted(self.causes)),
            exit_code=1 if self.wedged or self.critical else 0,
            last_good=self.accepted[-1][0].signature if self.accepted else None,
            first_bad=self.first_bad(),
            affected=None
            if self.unsaid
            else ()
            if self.in_flight and not self.wedged
            else tuple(sorted(self.affected)),
            began=self.began,
            remedy=remedy,
        )
