"""What a scenario expects of a diagnosis.

Whatever it does not name must be empty, so that every scenario is a near miss for the rest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import popkit
from popkit.diagnosis.codes import CODES
from popkit.diagnosis.result import Diagnosis
from popkit.reporting.places import Places
from tests.simulation.case import write_case
from tests.simulation.worker import Proof
from tests.simulation.world import GrantHandle, Ticket

OF_WHAT_IS_NOT_THERE = ("proof_lost", "entry_unseen", "audit_entry_removed", "transaction_missing", "bucket_object_missing", "fork", "race")
"""Codes whose findings are about what no file of the case holds."""
ANY = object()
"""Not expected: the design does not decide it."""


def diagnose(path: Path, files: dict[str, Any]) -> Diagnosis:
    """Write a case and ask popkit, which says why it judges as it does, and what is missing where it cannot."""
    case = popkit.open_case(write_case(path, files))
    found = case.diagnose()
    for judgement in (grant.judgement for grant in found.grants):
        said = [judgement.because, *judgement.missing_evidence]
        assert all(isinstance(text, str) and text for text in said), said
        assert bool(judgement.missing_evidence) == (judgement.verdict == "inconclusive")
    hold_findings(found, files, Places(case))
    return found


def hold_findings(found: Diagnosis, files: dict[str, Any], places: Places) -> None:
    """Every finding says what its code promises, of a place that the case holds, at the slot of that place."""
    slots = {row["signature"]: row["result"]["slot"] for row in files.get("rpc/transactions.jsonl", []) if row["result"] is not None}
    for finding in found.findings:
        told = {name for name in ("expected", "observed", "not_checked") if getattr(finding, name)}
        assert told == set(CODES[finding.code].context), finding
        assert all(isinstance(text, str | None) for text in (finding.expected, finding.observed, finding.not_checked)), finding
        assert finding.expected is None or finding.expected != finding.observed, finding
        assert finding.grant is None or finding.grant in files["case.json"]["grants"], finding
        file, key = finding.where
        if finding.slot is not None:
            assert finding.slot == slots.get(key, finding.slot), finding
            assert finding.slot in slots.values(), finding
        if finding.code not in OF_WHAT_IS_NOT_THERE and key not in ("", finding.grant):
            raw = [json.dumps(files[name]) for name in files if name.startswith(file)]
            assert places.place(key, file) is not None or any(key in text for text in raw), finding


def bad(what: Ticket | Proof, error: str | None) -> dict[str, Any]:
    """The first_bad of a landed refusal, or of a proof that never landed."""
    proof = what.proof if isinstance(what, Ticket) else what
    signature = what.signature if isinstance(what, Ticket) else None
    return {"signature": signature, "entry_hash": proof.entry, "prev_hash": proof.prev, "error": error}


def expect(
    found: Diagnosis,
    handle: GrantHandle,
    verdict: str,
    *,
    causes: Any = (),
    last_good: Any = None,
    first_bad: Any = None,
    missing: Any = (),
    unseen: Any = (),
    foreign: Any = (),
    forged: Any = (),
    forks: Any = (),
    equivocations: Any = (),
    heals_until: int | None = None,
    affected: Any = (),
    **others: Any,
) -> dict[str, Any]:
    """Hold one grant to all that is expected of it: `last_good` a Ticket, lists of entries, forks by their parents."""
    row = found.grant(handle.address).as_json()
    wanted: dict[str, Any] = {
        "verdict": verdict,
        "causes": _ascending(causes),
        "missing_entries": _ascending(missing),
        "unseen_entries": _ascending(unseen),
        "foreign_entries": _ascending(foreign),
        "forged_transactions": _ascending(forged),
        "affected_claimers": _ascending(affected),
        "heals_until": heals_until,
        "forks": _ascending(forks),
        "last_good": last_good,
        "first_bad": first_bad,
        "equivocations": equivocations if equivocations is ANY else sorted(sorted(pair) for pair in equivocations),
        **others,
    }
    if isinstance(last_good, Ticket):
        wanted["last_good"] = [last_good.signature, last_good.entry, last_good.landed.slot, last_good.landed.time]
    got = {key: row[key] for key in wanted}
    got["causes"] = sorted(row["causes"])
    got["forks"] = sorted(fork["parent"] for fork in row["forks"])
    if row["last_good"] is not None:
        got["last_good"] = [row["last_good"][key] for key in ("signature", "entry_hash", "slot", "block_time")]
    if row["first_bad"] is not None:
        got["first_bad"] = {key: row["first_bad"][key] for key in ("signature", "entry_hash", "prev_hash", "error")}
        assert row["first_bad"]["source"]
    for key in [key for key, value in wanted.items() if value is ANY]:
        del wanted[key], got[key]
    assert got == wanted
    return row


def _ascending(values: Any) -> Any:
    return values if values is ANY else sorted(values)


def codes(found: Diagnosis, severity: str | None = None) -> set[str]:
    """The codes of a diagnosis's findings, of one severity or of all."""
    return {f.code for f in found.findings if severity is None or f.severity == severity}
