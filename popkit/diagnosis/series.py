"""What the pictures of a grant draw: the times of its claims and proofs, and how both heads moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from popkit.chain.attempts import Attempt
from popkit.facts import Facts
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.fate import NOT_KNOWN, Fates
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof


@dataclass(frozen=True, slots=True)
class Lane:
    """When things of one kind happened: `times` in unix seconds, and how many more there are whose
    time is not known.
    """

    times: tuple[int, ...]
    untimed: int = 0

    @property
    def count(self) -> int:
        """How many there are, with a time or without."""
        return len(self.times) + self.untimed


@dataclass(frozen=True, slots=True)
class Lanes:
    """A grant's claims and proofs by what became of them; None where no transactions (or no
    wallets' reports) were collected.

    `refused_by_chain_rule` and `refused_by_another_rule` are the issuer's, `not_the_issuers` are
    strangers' attempts. `never_accepted` are proofs that did not land as far as the evidence tells;
    of `undecided` among them it does not. `reported` are refusals that wallets reported.
    """

    accepted: Lane | None
    refused_by_chain_rule: Lane | None
    refused_by_another_rule: Lane | None
    not_the_issuers: Lane | None
    never_accepted: Lane
    undecided: int
    reported: Lane | None


Points = tuple[tuple[int, int], ...]
"""(unix seconds, links above the ground), ascending by time."""


@dataclass(frozen=True, slots=True)
class Depths:
    """How both heads moved: `accepted` links by the time they landed, `issued` ones by the time the
    worker issued them.

    Links are counted from GENESIS; where `is_from_genesis` is False some parent is not in the
    evidence, and what stands on it is counted from there.
    """

    accepted: Points
    issued: Points
    is_from_genesis: bool


def landed_at(attempt: Attempt) -> int | None:
    """When an attempt landed, in unix seconds: its block's time, else the time at which its proof
    was issued.
    """
    return attempt.block_time if attempt.block_time is not None else attempt.issued_at


def times_of(attempts: Iterable[Attempt]) -> tuple[int, ...]:
    """The times of those attempts whose time is known, in the order given."""
    return tuple(when for attempt in attempts if (when := landed_at(attempt)) is not None)


def lanes_of(facts: Facts, line: WorkerLine, fates: Fates) -> Lanes:
    """A grant's claims and proofs by what became of them."""
    chain = line.chain
    has_claims, has_reports = (
        facts.evidence.transactions is not None,
        facts.evidence.reports is not None,
    )
    own, waiting = chain.attributed, _never_accepted(line)
    reports = [
        r.report.at for r in facts.reported if r.grant == chain.grant and not r.report.landed
    ]
    return Lanes(
        accepted=_lane(chain.accepted) if has_claims else None,
        refused_by_chain_rule=_lane(a for a in own if a.broke_chain_rule) if has_claims else None,
        refused_by_another_rule=_lane(a for a in own if not a.broke_chain_rule)
        if has_claims
        else None,
        not_the_issuers=_lane(a for a in chain.refused if a.noise is not None)
        if has_claims
        else None,
        never_accepted=Lane(tuple(proof.issued_at for proof in waiting)),
        undecided=sum(fates.of(proof) == NOT_KNOWN for proof in waiting),
        reported=Lane(tuple(reports)) if has_reports else None,
    )


def _lane(attempts: Iterable[Attempt]) -> Lane:
    found = list(attempts)
    times = times_of(found)
    return Lane(times, len(found) - len(times))


def _never_accepted(line: WorkerLine) -> list[Proof]:
    """This grant's proofs that did not land, as far as the evidence tells, oldest first."""
    return sorted(
        (p for p in line.proofs.values() if not p.landed),
        key=lambda proof: (proof.issued_at, proof.entry_hash),
    )


def depths_of(line: WorkerLine, until: int) -> Depths:
    """How both heads of a grant moved; what the worker dated after `until` (unix seconds) is left
    out.
    """
    depth, is_from_genesis = _depths(line)
    own = [p for p in line.proofs.values() if p.issuer != "foreign" and p.issued_at <= until]
    landed = [
        (when, depth[str(a.entry_hash)])
        for a in line.chain.linked
        if (when := landed_at(a)) is not None
    ]
    return Depths(
        tuple(sorted(landed)),
        tuple(sorted((p.issued_at, depth[p.entry_hash]) for p in own)),
        is_from_genesis,
    )


def _depths(line: WorkerLine) -> tuple[dict[str, int], bool]:
    """How many links each entry stands above its ground, and whether that ground is GENESIS for all
    of them.
    """
    known: dict[str, int] = {GENESIS_HASH: 0}
    is_from_genesis = True
    for entry in line.proofs:
        trail: list[str] = []
        cursor = entry
        while cursor not in known and cursor in line.proofs and len(trail) <= len(line.proofs):
            trail.append(cursor)
            cursor = line.proofs[cursor].prev_hash
        if cursor not in known:
            is_from_genesis = False  # nobody knows the parent: its children are counted from it
        depth = known.get(cursor, 0)
        for step in reversed(trail):
            depth += 1
            known[step] = depth
    return known, is_from_genesis


def broke_at(entries: Iterable[str | None], line: WorkerLine) -> int | None:
    """When the oldest known proof among some entries was issued, in unix seconds; None where none
    of them is known.
    """
    times = [line.proofs[entry].issued_at for entry in entries if entry in line.proofs]
    return min(times, default=None)
