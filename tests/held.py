"""What holds for every diagnosis of whatever case: it says why, fills what its codes promise, and names places that the case holds."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

import popkit
from popkit.diagnosis.codes import CODES
from popkit.diagnosis.result import Diagnosis, Finding
from popkit.reporting.places import Places
from tests.conftest import ROOT

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


OF_THE_CASE = (
    *("audit_", "bucket_", "storage_", "server_", "outcome_", "transaction_missing", "evidence_"),
    *("ticket_receipt_bad", "ticket_receipt_server", "ticket_receipt_unchecked"),
)
"""How the codes begin of which no finding is of one grant."""
OF_EITHER = ("evidence_contradictory", "history_record_false")
SCHEMA = json.loads((ROOT / "popkit" / "diagnosis" / "findings.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def held_to_its_words(path: Path) -> Diagnosis:
    """The diagnosis of the case in a folder, held to what every diagnosis must say."""
    case = popkit.open_case(path)
    found = case.diagnose()
    for judgement in (grant.judgement for grant in found.grants):
        said = [judgement.because, *judgement.missing_evidence]
        assert all(isinstance(text, str) and text for text in said), said
        assert bool(judgement.missing_evidence) == (judgement.verdict == "inconclusive")
        assert (judgement.heals_until is not None) == (judgement.verdict == "in_flight")
    said = json.loads(found.dumps())
    assert list(VALIDATOR.iter_errors(said)) == []
    assert (said["verdict"], said["exit_code"], said["case"]) == (found.verdict, found.exit_code, case.name)
    assert [row["code"] for row in said["findings"]] == [finding.code for finding in found.findings]
    places = Places(case)
    raw = {str(file.relative_to(path)): file.read_text("utf-8", "replace") for file in path.rglob("*") if file.is_file()}
    transactions = case.facts.claims.transactions
    slots = dict(zip(transactions.signature, transactions.slot, strict=True))
    for finding in found.findings:
        told = {name for name in ("expected", "observed", "not_checked") if getattr(finding, name)}
        assert told == set(CODES[finding.code].context), finding
        assert all(isinstance(text, str | None) for text in (finding.expected, finding.observed, finding.not_checked)), finding
        assert finding.expected is None or finding.expected != finding.observed, finding
        if finding.code not in OF_EITHER:
            assert (finding.grant is None) == finding.code.startswith(OF_THE_CASE), finding
        assert finding.grant is None or finding.grant in case.facts.header.grants, finding
        if finding.where[1] in slots and finding.code != "outcome_contradictory":  # there two answers tell two slots
            assert finding.slot == slots[finding.where[1]], finding
        assert finding.code in OF_WHAT_IS_NOT_THERE or _is_there(finding, places, raw), finding
    return found


def _is_there(finding: Finding, places: Places, raw: dict[str, str]) -> bool:
    """Whether a finding's key stands in its file; a grant's own and an empty key name the file as a whole."""
    file, key = finding.where
    if key in ("", finding.grant) or places.place(key, file) is not None:
        return True
    return any(key in text for name, text in raw.items() if name.startswith(file))
