"""A world that remembers every moment of itself: what the chain held, what the worker held, who had
tried what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.drill.bank import Landed
from popkit.drill.ledger import Ledger
from popkit.drill.proofs import Proof
from popkit.drill.worker import Worker
from popkit.drill.world import GrantHandle, World
from popkit.protocol.accounts import Grant

STRICT = ("strict", "strict_v2")


@dataclass(frozen=True)
class Moment:
    """The world from `ms` on until the next moment; counts tell how much of each list was there."""

    ms: int
    slot: int
    build: str
    ledger: Ledger
    landed: int
    reports: int
    issued: int
    tried: int
    heads: dict[str, tuple[str, str]]
    entries: tuple[dict[str, Any], ...]
    last: dict[str, str]
    bucket: dict[str, str]
    history: dict[str, dict[str, Any]]
    events: dict[str, dict[str, Any]]
    receipts: dict[tuple[str, str], dict[str, Any]]
    signer: str
    clock: int

    @property
    def now(self) -> int:
        """Unix seconds."""
        return self.ms // 1000


@dataclass(frozen=True)
class Issued:
    """A proof and who issued it."""

    proof: Proof
    issuer: str


@dataclass(frozen=True)
class Tried:
    """A claim that landed. `ours`: its proof is validly signed by a key of the school's; `head` is
    what the chain's head was.
    """

    proof: Proof
    landed: Landed
    wallet: str
    period: int
    build: str
    head: str
    ours: bool

    @property
    def accepted(self) -> bool:
        return self.landed.err is None

    @property
    def code(self) -> int | None:
        return (
            None
            if self.landed.err is None
            else int(self.landed.err["InstructionError"][1]["Custom"])
        )


class TimedWorld(World):
    """A world whose moments can be gone back to."""

    def __init__(self, build: str = "strict", model: str = "A", start: int | None = None) -> None:
        self.moments: list[Moment] = []
        self.issued: list[Issued] = []
        self.tried: list[Tried] = []
        self.happened: list[tuple[int, str]] = []
        super().__init__(build, model, start=start)

    def tick(self, seconds: float) -> None:
        """Let time pass; the moment before is remembered."""
        self.remember()
        super().tick(seconds)

    def remember(self) -> Moment:
        """Keep what is so now."""
        worker = self.worker
        moment = Moment(
            self.ms,
            self.slot,
            self.build,
            self.ledger,
            len(self.landed),
            len(self.reports),
            len(self.issued),
            len(self.tried),
            {grant: (head[0], head[1]) for grant, head in worker.heads.items()},
            tuple(worker.entries),
            dict(worker.last),
            dict(worker.bucket),
            dict(worker.history),
            dict(worker.events),
            dict(worker.receipts),
            worker.signer,
            worker.clock,
        )
        self.moments.append(moment)
        return moment

    @property
    def grants_terms(self) -> dict[str, Grant]:
        """The terms of every grant, of closed ones as they were."""
        found: dict[str, Grant] = {}
        for moment in reversed(self.moments):
            for address, grant in moment.ledger.grants.items():
                found.setdefault(address, grant)
        return {**found, **self.ledger.grants}

    def happens(self, what: str) -> None:
        """Note that something happened."""
        self.happened.append((self.ms, what))

    def issue(
        self,
        handle: GrantHandle,
        wallet: str,
        period: int = 0,
        worker: Worker | None = None,
        expected: str | None = None,
    ) -> Proof:
        """A proof of a worker's, noted."""
        worker = worker or self.worker
        proof = worker.issue(handle.address, self.address(wallet), period, expected=expected)
        self.issued.append(Issued(proof, worker.name))
        return proof

    def claim(
        self,
        handle: GrantHandle,
        proof: Proof | None,
        wallet: str,
        period: int = 0,
        ours: bool = True,
        **shape: Any,
    ) -> Landed:
        """A wallet's claim, noted."""
        head, build = self.head(handle), self.build
        landed = super().claim(handle, proof, wallet, period, **shape)
        assert proof is not None
        self.tried.append(Tried(proof, landed, self.address(wallet), period, build, head, ours))
        return landed

    def at(self, ms: int) -> Moment:
        """The newest moment that is not after `ms`, else the first."""
        return max(
            (m for m in self.moments if m.ms <= ms), key=lambda m: m.ms, default=self.moments[0]
        )
