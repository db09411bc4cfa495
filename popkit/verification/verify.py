"""Verify a case: everything, or what names name: claims, wallets, grants, the worker's claim records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from popkit.attempts import Attempt
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.records import ClaimRecord
from popkit.diagnosis.tickets import Tickets
from popkit.evidence.bundle import Evidence
from popkit.evidence.grants import grant_named
from popkit.texts import Text
from popkit.verification.claim import Claim, proof_checks
from popkit.verification.effects import effect_checks
from popkit.verification.model import Section, Verification
from popkit.verification.names import Named, Names
from popkit.verification.records import audit_checks, named_record_checks, record_checks
from popkit.verification.whole import case_checks, chain_checks

AUDIT = Text("audit chain and ticket receipts", "監査チェーンと参加券レシート")
RECORDS = Text("the worker's claim records against the chain", "worker の claim 記録とチェーンの照合")


def verify(evidence: Evidence, names: Sequence[str] = (), era: str | None = None, grant: str | None = None) -> Verification:
    """Verify a case, or what `names` name (see `names`): whole, or by a beginning that one name alone has.

    `grant`, a public key or an unambiguous beginning of one, leaves out the chains and claims of the others; what all grants share
    (the case, the audit chain, the records) is verified all the same. Raises UsageError for a name that nothing in the case has, and
    for a beginning that several have (its first argument is a Sentence); UnknownGrant for a grant that it does not have.
    """
    facts = Facts(evidence, era)
    grants = facts.header.grants
    verifier = _Verifier(facts, grants if grant is None else [grant_named(grant, grants)])
    sections = [Section("case", verifier.facts.header.case, list(case_checks(verifier.facts)))]
    known = Names(verifier.facts, verifier.lines, verifier.facts.claim_records)
    found = dict(known.find(name) for name in names)
    for name, one in found.items():
        sections += verifier.of_name(name, one)
    if not names:
        sections += verifier.of_everything()
    return Verification(verifier.facts.header.case, sections, tuple(found))


class _Verifier:
    """Makes the sections of one case."""

    def __init__(self, facts: Facts, grants: Sequence[str]) -> None:
        self.facts, self.tickets = facts, Tickets(facts)
        self.lines = {grant: facts.line(grant) for grant in grants}
        self.records: dict[str, list[ClaimRecord]] = defaultdict(list)
        for record in facts.claim_records:
            self.records[record.tx_signature or ""].append(record)

    def of_everything(self) -> Iterator[Section]:
        """Each grant's chain and claims, then what the worker keeps."""
        for line in self.lines.values():
            yield from self._grant(line)
        yield Section("audit", AUDIT, list(audit_checks(self.facts)))
        yield Section("records", RECORDS, list(record_checks(self.facts, self.tickets)))

    def of_name(self, name: str, named: Named) -> Iterator[Section]:
        """What one name stands for; claim records whose transactions are not among that have a section of their own."""
        if named.grant is not None:
            yield from self._grant(self.lines[named.grant])
            return
        yield from (self._claim(line, attempt) for line, attempt in named.attempts.values())
        reached = {attempt.signature for _, attempt in named.attempts.values()}
        if not named.attempts or any(record.tx_signature not in (None, *reached) for record in named.records):
            yield Section("record", name, list(named_record_checks(self.facts, named.records, reached)))

    def _grant(self, line: WorkerLine) -> Iterator[Section]:
        yield Section("chain", line.chain.grant, list(chain_checks(self.facts, line)))
        yield from (self._claim(line, attempt) for attempt in [*line.chain.accepted, *line.chain.forged])

    def _claim(self, line: WorkerLine, attempt: Attempt) -> Section:
        claim = Claim(self.facts, line, attempt, self.records, self.tickets)
        return Section("claim", attempt.signature, [*proof_checks(claim), *effect_checks(claim)])
