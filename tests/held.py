"""What holds for every diagnosis of whatever case: it says why, fills what its codes promise, and names places that the case holds."""

from __future__ import annotations

from pathlib import Path

import popkit
from popkit.diagnosis.codes import CODES
from popkit.diagnosis.result import Diagnosis, Finding
from popkit.reporting.places import Places

OF_WHAT_IS_NOT_THERE = (
    "proof_lost",
    "entry_unseen",
    "audit_entry_removed",
    "transaction_missing",
    "bucket_object_missing",
    "evidence_unreadable",
    "fork",
    "race",
)
"""Codes whose findings may be about what no file of the case holds."""


def held_to_its_words(path: Path) -> Diagnosis:
    """The diagnosis of the case in a folder, held to what every diagnosis must say."""
    case = popkit.open_case(path)
    found = case.diagnose()
    for judgement in (grant.judgement for grant in found.grants):
        said = [judgement.because, *judgement.missing_evidence]
        assert all(isinstance(text, str) and text for text in said), said
        assert bool(judgement.missing_evidence) == (judgement.verdict == "inconclusive")
    places = Places(case)
    raw = {str(file.relative_to(path)): file.read_text("utf-8", "replace") for file in path.rglob("*") if file.is_file()}
    transactions = case.facts.claims.transactions
    slots = dict(zip(transactions.signature, transactions.slot, strict=True))
    for finding in found.findings:
        told = {name for name in ("expected", "observed", "not_checked") if getattr(finding, name)}
        assert told == set(CODES[finding.code].context), finding
        assert all(isinstance(text, str | None) for text in (finding.expected, finding.observed, finding.not_checked)), finding
        assert finding.expected is None or finding.expected != finding.observed, finding
        assert finding.grant is None or finding.grant in case.facts.header.grants, finding
        if finding.slot is not None and finding.code != "outcome_contradictory":  # there two answers tell two slots
            assert finding.slot == slots.get(finding.where[1], finding.slot), finding
        assert finding.code in OF_WHAT_IS_NOT_THERE or _is_there(finding, places, raw), finding
    return found


def _is_there(finding: Finding, places: Places, raw: dict[str, str]) -> bool:
    """Whether a finding's key stands in its file; a grant's own and an empty key name the file as a whole."""
    file, key = finding.where
    if key in ("", finding.grant) or places.place(key, file) is not None:
        return True
    return any(key in text for name, text in raw.items() if name.startswith(file))
