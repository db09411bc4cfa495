"""A grant's verdict with what it rests on, and the questions that other rooms ask of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from popkit.chain.attempts import Attempt
from popkit.chain.eras import STRICT_ERAS, EraAt
from popkit.texts import Sentence
from popkit.verdict.words import VERDICT_WORDS
from popkit.worker.fate import LOST, Fates
from popkit.worker.line import WorkerLine
from popkit.worker.reports import ReportedFailure

VERDICTS = tuple(VERDICT_WORDS)
"""Worst first: a case's verdict is the worst of its grants."""


@dataclass(slots=True)
class Judgement:
    """A grant's verdict with what it rests on.

    `because` is the reasoning in words; `missing_evidence` what would decide an inconclusive grant;
    `fates` answers for each proof what became of it; `chain_is_doubted` is whether the chain's own
    evidence contradicts itself, so that what it lacks is not known; `could_land_until` is the last
    second of the proofs on the way, where there are some; `records_end_early` whether the worker's
    records end before the chain was read; `reports` are wallets' reports of a break that nothing
    else shows.
    """

    grant: str
    verdict: str
    because: Sentence
    line: WorkerLine
    era: EraAt
    fates: Fates
    missing_evidence: list[Sentence] = field(default_factory=list)
    heals_until: int | None = None
    chain_is_doubted: bool = False
    could_land_until: int | None = None
    records_end_early: bool = False
    reports: list[ReportedFailure] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return self.verdict in ("intact", "recovered", "unused")

    @property
    def era_now(self) -> str:
        """The era in force when the case was collected."""
        return self.era.era

    @property
    def is_strict(self) -> bool:
        """Whether the rules now in force wait for one parent."""
        return self.era_now in STRICT_ERAS

    def cannot_tell(self, because: Sentence, *missing: Sentence) -> str:
        """Make the grant inconclusive, with what would decide it; 'inconclusive'."""
        self.verdict, self.because, self.heals_until = "inconclusive", because, None
        self.missing_evidence += missing
        return self.verdict


def burnt(judgement: Judgement, attempt: Attempt) -> bool:
    """Whether an attributed refused claim is burnt: refused by a rule other than the chain's, never
    accepted, and it can land no more.

    Under strict rules one that stood on the chain's head; under relaxed rules any whose claimer got
    nothing else for that period.
    """
    line, chain = judgement.line, judgement.line.chain
    if attempt.broke_chain_rule:
        return False
    proof = line.proofs[str(attempt.entry_hash)]
    if judgement.fates.of(proof) != LOST:
        return False
    if chain.era_at(attempt) in STRICT_ERAS:
        return attempt.prev_hash in chain.heads_during(attempt.slot)
    return not judgement.fates.is_claimed(proof.claimer, proof.period_index)
