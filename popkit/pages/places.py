"""Where a finding stands in the case: file, line and the file's digest, looked up when a write-up
shows it.

findings.json names keys alone, so that it does not depend on how a file was ordered; a person wants
the line.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from popkit.evidence.lines import Place
from popkit.pages.text import short
from popkit.text import shown

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.rules.model import Finding


class Places:
    """The places of a case's keys."""

    def __init__(self, case: Case) -> None:
        self.facts = case.facts

    @cached_property
    def _by_key(self) -> dict[str, list[Place]]:
        """Every key that a finding may name: signatures, accounts, audit entries, objects, keys of
        the storage, receipts.

        One key may stand in several files: a ticket receipt has the hash of its audit entry.
        """
        evidence = self.facts.evidence
        found: dict[str, list[Place]] = defaultdict(list)
        if evidence.transactions is not None:
            table = evidence.transactions
            for number, signature in enumerate(table.signature):
                found[signature].append(table.place(number))
        for rows in (evidence.accounts, evidence.bucket, evidence.storage):
            for key, row in (rows or {}).items():
                found[key].append(row.place)
        for entry in self.facts.audit.entries.values():
            found[entry.hash].append(entry.place)
        for check in self.facts.receipt_checks:
            found[check.receipt_id].append(check.place)
        for report in evidence.reports or ():
            found[report.wallet].append(report.place)
        return found

    def place(self, key: str, file: str = "") -> Place | None:
        """Where a key stands, or None when it stands nowhere in the case, or not in that file (that
        it is missing may be the finding).

        `file` is a file of the case or the beginning of its name; "" means any.
        """
        found = [*self._by_key.get(key, ()), *self._issued(key)]
        return next((place for place in found if place.file.startswith(file)), None)

    def _issued(self, entry: str) -> list[Place]:
        """The places of a proof: its transactions', and its anchor's audit entry."""
        for grant in self.facts.header.grants:
            proof = self.facts.line(grant).proofs.get(entry)
            if proof is None:
                continue
            keys = [
                attempt.signature
                for attempt in (proof.accepted, *proof.refused)
                if attempt is not None
            ]
            keys += [proof.anchor.anchor_hash] if proof.anchor is not None else []
            return [place for key in keys for place in self._by_key.get(key, ())]
        return []

    def of(self, finding: Finding) -> str:
        """A finding's place in words: `rpc/transactions.jsonl:12 (4Btj8hWM)`; without a line where
        the file does not hold the key.
        """
        file, key = finding.where
        place = self.place(key, file)
        return shown(Place(place.file, place.line) if place is not None else file) + (
            f" ({short(key)})" if key else ""
        )

    def spot(self, key: str) -> str | None:
        """Where a key stands, as `file:line`; None when it stands nowhere in the case."""
        place = self.place(key)
        return shown(Place(place.file, place.line)) if place is not None else None
