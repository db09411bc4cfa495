"""Where a finding stands in the case: file, line and the file's digest, looked up when a write-up shows it.

findings.json names keys alone, so that it does not depend on how a file was ordered; a person wants the line.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from popkit.evidence.lines import Place
from popkit.reporting.text import clean, short

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import Finding


class Places:
    """The places of a case's keys."""

    def __init__(self, case: Case) -> None:
        self.facts = case.facts

    @cached_property
    def _by_key(self) -> dict[str, Place]:
        """Every key that a finding may name: signatures, accounts, audit entries, objects, keys of the storage, receipts."""
        evidence = self.facts.evidence
        found: dict[str, Place] = {}
        if evidence.transactions is not None:
            table = evidence.transactions
            found |= {signature: table.place(row) for row, signature in enumerate(table.signature)}
        for rows in (evidence.accounts, evidence.bucket, evidence.storage):
            for key, row in (rows or {}).items():
                found.setdefault(key, row.place)
        for entry in self.facts.audit.entries.values():
            found.setdefault(entry.hash, entry.place)
        for check in self.facts.receipt_checks:
            found.setdefault(check.receipt_id, check.place)
        for report in evidence.reports or ():
            found.setdefault(report.wallet, report.place)
        return found

    def place(self, key: str) -> Place | None:
        """Where a key stands, or None when it stands nowhere in the case (that it is missing may be the finding)."""
        return self._by_key.get(key) or self._issued(key)

    def _issued(self, entry: str) -> Place | None:
        """The place of a proof: its transaction's, or its anchor's audit entry."""
        for grant in self.facts.header.grants:
            proof = self.facts.line(grant).proofs.get(entry)
            if proof is None:
                continue
            for attempt in ([proof.accepted] if proof.accepted else []) + proof.refused:
                return self._by_key.get(attempt.signature)
            return self._by_key.get(proof.anchor.anchor_hash) if proof.anchor is not None else None
        return None

    def of(self, finding: Finding) -> str:
        """A finding's place in words: `rpc/transactions.jsonl:12 (4Btj8hWM)`."""
        file, key = finding.where
        return (self.spot(key) or clean(file)) + (f" ({short(key)})" if key else "")

    def spot(self, key: str) -> str | None:
        """Where a key stands, as `file:line`; None when it stands nowhere in the case."""
        place = self.place(key)
        return clean(Place(place.file, place.line)) if place is not None else None
