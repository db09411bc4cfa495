"""Verify a case: everything, or the claims that signatures, receipts, entries or confirmation codes name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from popkit.attempts import Attempt
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.records import ClaimRecord
from popkit.diagnosis.tickets import Tickets
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG, UsageError
from popkit.evidence.bundle import Evidence
from popkit.evidence.grants import grant_named
from popkit.text import for_json
from popkit.verification.checks import CANNOT_TELL, HOLDS, VIOLATED, Check, ClaimChecks, Records
from popkit.verification.whole import audit_checks, case_checks, chain_checks, named_record_checks, record_checks

SCHEMA = "popkit.verification/1"
OPTIONAL = frozenset(
    {
        "the worker's record says the same",
        "the server's own check says the same",
        "its sinks' times are the entry's",
        "no entry is older than the one it follows",
    }
)
"""Checks of what proves nothing either way: that they cannot tell leaves a claim verified."""


@dataclass(slots=True)
class Section:
    """The numbered checks of one thing: `subject` is 'case', 'chain', 'claim', 'record', 'records' or 'audit'; `name` is its own."""

    subject: str
    name: str
    checks: list[Check] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The worst of the checks; what proves nothing either way does not count when it cannot tell."""
        found = {check.status for check in self.checks if check.status != CANNOT_TELL or check.title not in OPTIONAL}
        return VIOLATED if VIOLATED in found else CANNOT_TELL if CANNOT_TELL in found else HOLDS


@dataclass(slots=True)
class Verification:
    """What a verification came to: its sections, and `exit_code` 1 (violated), 3 (cannot tell) or 0 (all hold)."""

    case: str
    sections: list[Section]

    @property
    def exit_code(self) -> int:
        found = {section.status for section in self.sections}
        return EXIT_WRONG if VIOLATED in found else EXIT_CANNOT_TELL if CANNOT_TELL in found else EXIT_FINE

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "case": self.case,
            "exit_code": self.exit_code,
            "sections": [
                {
                    "subject": section.subject,
                    "name": section.name,
                    "status": section.status,
                    "checks": [{"number": number, **check.as_json()} for number, check in enumerate(section.checks, 1)],
                }
                for section in self.sections
            ],
        }

    def dumps(self) -> str:
        """The verification as JSON text, keys ascending, a line end last."""
        return for_json(self.as_json())


def verify(evidence: Evidence, names: Sequence[str] = (), era: str | None = None, grant: str | None = None) -> Verification:
    """Verify a case, or what `names` name: signatures, receipt accounts, entry hashes, audit entries, confirmation codes.

    `grant`, a public key or an unambiguous beginning of one, leaves out the chains and claims of the others; what all grants share
    (the case, the audit chain, the records) is verified all the same. Raises UsageError for a name that no attempt and no claim
    record in the case has, UnknownGrant for a grant that it does not have.
    """
    facts = Facts(evidence, era)
    records, tickets = facts.claim_records, Tickets(facts)
    wanted = facts.header.grants if grant is None else [grant_named(grant, facts.header.grants)]
    lines = {name: facts.line(name) for name in wanted}
    by_signature: dict[str, list[ClaimRecord]] = defaultdict(list)
    for record in records:
        by_signature[record.tx_signature or ""].append(record)
    sections = [Section("case", facts.header.case, list(case_checks(facts)))]
    for name in names:
        found = _named(facts, name, lines, records)
        told = [record for record in records if name in (record.code, record.key, record.tx_signature)]
        if not (found or told):
            raise UsageError(f"{name!r} is no signature, receipt, entry hash or confirmation code of an attempt or a record in the case")
        sections += [_claim(facts, line, attempt, by_signature, tickets) for line, attempt in found]
        reached = {attempt.signature for _, attempt in found}
        if not found or any(record.tx_signature not in (None, *reached) for record in told):
            sections.append(Section("record", name, list(named_record_checks(facts, told, reached))))
    if names:
        return Verification(facts.header.case, sections)
    for name, line in lines.items():
        sections.append(Section("chain", name, list(chain_checks(facts, line))))
        sections += [_claim(facts, line, attempt, by_signature, tickets) for attempt in [*line.chain.accepted, *line.chain.forged]]
    sections.append(Section("audit", "audit chain and ticket receipts", list(audit_checks(facts))))
    sections.append(Section("records", "the worker's claim records against the chain", list(record_checks(facts, tickets))))
    return Verification(facts.header.case, sections)


def _claim(facts: Facts, line: WorkerLine, attempt: Attempt, records: Records, tickets: Tickets) -> Section:
    return Section("claim", attempt.signature, list(ClaimChecks(facts, line, attempt, records, tickets)))


def _named(facts: Facts, name: str, lines: dict[str, WorkerLine], records: list[ClaimRecord]) -> list[tuple[WorkerLine, Attempt]]:
    """The attempts that a signature, receipt account, entry hash, audit hash, audit entry or confirmation code names."""
    told = {record.tx_signature for record in records if name in (record.code, record.key)} - {None}
    return [
        (line, attempt)
        for line in lines.values()
        for attempt in [*line.chain.accepted, *line.chain.refused, *line.chain.forged]
        if attempt.signature in told or name in _names_of(facts, line, attempt)
    ]


def _names_of(facts: Facts, line: WorkerLine, attempt: Attempt) -> set[str | None]:
    """What an attempt is called by: its own names, and those of the anchor and the ticket receipt behind its proof."""
    names = {attempt.signature, attempt.entry_hash, attempt.audit_hash, attempt.receipt if attempt.accepted else None}
    proof = line.proofs.get(attempt.entry_hash or "")
    anchor = proof.anchor if proof is not None else None
    if anchor is not None:
        code = facts.audit.entries[anchor.anchor_hash].data.get("confirmationCode")
        names |= {anchor.anchor_hash, anchor.receipt_id, code if isinstance(code, str) else None}
    return names
