"""Who was hit by a break: one row a claimer whose claim was refused or whose proof is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from popkit.chain.attempts import Attempt
from popkit.verdict.incident import Incident
from popkit.worker.fate import LOST
from popkit.worker.proofs import Proof


@dataclass(slots=True)
class Hit:
    """What one claimer met: the attributed claims that were refused, and the proofs of theirs that
    are lost.

    `is_served` is whether every period they asked for has an accepted claim of theirs, whenever it
    landed.
    """

    claimer: str
    refused: list[Attempt] = field(default_factory=list)
    lost: list[Proof] = field(default_factory=list)
    is_served: bool = False

    @property
    def first(self) -> int:
        """When the first of it was issued, in unix seconds: a refusal without a block time counts
        from its proof.
        """
        refused = [
            a.block_time if a.block_time is not None else a.issued_at or 0 for a in self.refused
        ]
        return min([*refused, *(proof.issued_at for proof in self.lost)])


def people_hit(incident: Incident) -> list[Hit]:
    """Every claimer that a grant's refusals and lost proofs hit, by the time of the first; nobody
    while all can still land.

    Of an inconclusive grant only the refusals are told: which proofs are lost is not known.
    """
    judgement, line = incident.judgement, incident.judgement.line
    found: dict[str, Hit] = {}
    for attempt in line.chain.attributed:
        found.setdefault(attempt.claimer, Hit(attempt.claimer)).refused.append(attempt)
    if judgement.verdict not in ("in_flight", "inconclusive"):
        for proof in line.proofs.values():
            if proof.issuer != "foreign" and proof.attested and incident.fates.of(proof) == LOST:
                found.setdefault(proof.claimer, Hit(proof.claimer)).lost.append(proof)
    for hit in found.values():
        periods = {
            a.period_index if a.message_period_index is None else a.message_period_index
            for a in hit.refused
        }
        periods |= {proof.period_index for proof in hit.lost}
        hit.is_served = all(incident.fates.is_claimed(hit.claimer, period) for period in periods)
    return sorted(found.values(), key=lambda hit: (hit.first, hit.claimer))
