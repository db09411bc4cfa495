"""The proofs of a grant as pages show them: one row a proof, with who issued it and what became of
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.worker.fate import LANDED, Fates
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof

ACCEPTED, REFUSED = "accepted", "refused"


@dataclass(frozen=True, slots=True)
class KnownProof:
    """One issued proof.

    `entry` and `parent` are 64 hex digits, `claimer` is base58, `issued_at` unix seconds.
    `is_exact` is False where the entry hash rests on an assumed issued_at. `issuer` is
    'this_worker', 'foreign' or 'unknown'. `fate` is 'accepted' (by a transaction in the case),
    'refused' (every transaction that carries it failed), else what `popkit.worker.fate` answers:
    'landed', 'can land', 'lost' or 'not known'. `error` names the first refusal's error; None where
    none is known.
    """

    entry: str
    parent: str
    claimer: str
    period: int
    issued_at: int
    is_exact: bool
    issuer: str
    fate: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Awaited:
    """An entry that a strict chain waits for; `proof` and `age` (seconds from its issue to the end
    of collecting) None if not known.
    """

    entry: str
    proof: KnownProof | None
    age: int | None


@dataclass(frozen=True, slots=True)
class BadClaim:
    """What is known of the first bad claim beside findings.json: its proof, and when its
    transaction landed (unix seconds).
    """

    proof: KnownProof | None
    has_landed: bool
    landed_at: int | None


def known_proofs(line: WorkerLine, fates: Fates) -> dict[str, KnownProof]:
    """Every known proof of a grant by its entry hash, in the order of the line's links."""
    return {entry: _row(proof, fates) for entry, proof in line.proofs.items()}


def _row(proof: Proof, fates: Fates) -> KnownProof:
    return KnownProof(
        entry=proof.entry_hash,
        parent=proof.prev_hash,
        claimer=proof.claimer,
        period=proof.period_index,
        issued_at=proof.issued_at,
        is_exact=proof.confirmed,
        issuer=proof.issuer,
        fate=_fate(proof, fates),
        error=next((attempt.error for attempt in proof.refused if attempt.error), None),
    )


def _fate(proof: Proof, fates: Fates) -> str:
    """What became of a proof. One that PopState names as accepted did land, though a transaction of
    it failed as well.
    """
    if proof.accepted is not None:
        return ACCEPTED
    return REFUSED if proof.refused and not proof.landed else fates.of(proof)


def awaited(entries: list[str], proofs: dict[str, KnownProof], as_of: int) -> list[Awaited]:
    """The missing entries of a grant, each with what is known of its proof."""
    found = [(entry, proofs.get(entry)) for entry in entries]
    return [
        Awaited(entry, proof, None if proof is None else as_of - proof.issued_at)
        for entry, proof in found
    ]


def bad_claim(
    bad: dict[str, str | None], line: WorkerLine, proofs: dict[str, KnownProof]
) -> BadClaim:
    """What is known of the claim that findings.json names as the first bad one."""
    landed = next(
        (
            a
            for a in line.chain.attributed
            if a.signature == bad["signature"] and a.entry_hash == bad["entry_hash"]
        ),
        None,
    )
    proof = proofs.get(bad["entry_hash"] or "")
    return BadClaim(proof, landed is not None, landed.block_time if landed is not None else None)


__all__ = [
    "ACCEPTED",
    "LANDED",
    "REFUSED",
    "Awaited",
    "BadClaim",
    "KnownProof",
    "awaited",
    "bad_claim",
    "known_proofs",
]
