"""Verify a case: everything, or the claims that signatures, receipts, entries or confirmation codes name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from popkit.attempts import Attempt
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.records import ClaimRecord, claim_records
from popkit.diagnosis.tickets import Tickets
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG, UsageError
from popkit.evidence.bundle import Evidence
from popkit.verification.checks import CANNOT_TELL, HOLDS, VIOLATED, Check, ClaimChecks
from popkit.verification.whole import audit_checks, case_checks, chain_checks, record_checks

SCHEMA = "popkit.verification/1"
OPTIONAL = frozenset({"the worker's record says the same", "the server's own check says the same", "its sinks' times are the entry's"})
"""Checks of what proves nothing either way: that they cannot tell leaves a claim verified."""


@dataclass(slots=True)
class Section:
    """The numbered checks of one thing: `subject` is 'case', 'chain', 'claim' or 'audit', `name` what it is called by."""

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
        return json.dumps(self.as_json(), ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def verify(evidence: Evidence, names: Sequence[str] = (), era: str | None = None) -> Verification:
    """Verify a case, or what `names` name: signatures, receipt accounts, entry hashes, confirmation codes.

    Raises UsageError for a name that no attempt in the case has.
    """
    facts = Facts(evidence, era)
    records, tickets = claim_records(facts), Tickets(facts)
    lines = {grant: facts.line(grant) for grant in facts.header.grants}
    sections = [Section("case", facts.header.case, list(case_checks(facts)))]
    for name in names:
        found = _named(name, lines, records)
        if not found:
            raise UsageError(f"{name!r} is no signature, receipt, entry hash or confirmation code of an attempt in the case")
        sections += [_claim(facts, line, attempt, records, tickets) for line, attempt in found]
    if names:
        return Verification(facts.header.case, sections)
    for grant, line in lines.items():
        sections.append(Section("chain", grant, list(chain_checks(facts, line))))
        sections += [_claim(facts, line, attempt, records, tickets) for attempt in [*line.chain.accepted, *line.chain.forged]]
    sections.append(Section("audit", "audit chain and ticket receipts", list(audit_checks(facts))))
    sections.append(Section("records", "the worker's claim records against the chain", list(record_checks(facts, tickets))))
    return Verification(facts.header.case, sections)


def _claim(facts: Facts, line: WorkerLine, attempt: Attempt, records: list[ClaimRecord], tickets: Tickets) -> Section:
    return Section("claim", attempt.signature, list(ClaimChecks(facts, line, attempt, records, tickets)))


def _named(name: str, lines: dict[str, WorkerLine], records: list[ClaimRecord]) -> list[tuple[WorkerLine, Attempt]]:
    """The attempts that a signature, receipt account, entry hash or confirmation code names."""
    told = {record.tx_signature for record in records if name in (record.code, record.key)} - {None}
    return [
        (line, attempt)
        for line in lines.values()
        for attempt in [*line.chain.accepted, *line.chain.refused, *line.chain.forged]
        if name in (attempt.signature, attempt.entry_hash) or attempt.signature in told or (attempt.receipt == name and attempt.accepted)
    ]
