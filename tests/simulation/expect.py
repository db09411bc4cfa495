"""What a scenario expects of a diagnosis.

Whatever it does not name must be empty, so that every scenario is a near miss for the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from popkit.diagnosis.result import Diagnosis
from popkit.drill.case import write_case
from popkit.drill.proofs import Proof
from popkit.drill.world import GrantHandle, Ticket
from tests.held import held_to_its_words

ANY = object()
"""Not expected: the design does not decide it."""
UNSAID = object()
"""What a scenario does not name: nothing, as far as the verdict lets that be known."""


def diagnose(path: Path, files: dict[str, Any]) -> Diagnosis:
    """Write a case and ask popkit."""
    return held_to_its_words(write_case(path, files))


def bad(what: Ticket | Proof, error: str | None) -> dict[str, Any]:
    """The first_bad of a landed refusal, or of a proof that never landed."""
    proof = what.proof if isinstance(what, Ticket) else what
    signature = what.signature if isinstance(what, Ticket) else None
    return {
        "signature": signature,
        "entry_hash": proof.entry,
        "prev_hash": proof.prev,
        "error": error,
    }


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
    affected: Any = UNSAID,
    **others: Any,
) -> dict[str, Any]:
    """Hold one grant to all that is expected of it: `last_good` a Ticket, lists of entries, forks
    by their parents.
    """
    row = found.grant(handle.address).as_json()
    wanted: dict[str, Any] = {
        "verdict": verdict,
        "causes": _ascending(causes),
        "missing_entries": _ascending(missing),
        "unseen_entries": _ascending(unseen),
        "foreign_entries": _ascending(foreign),
        "forged_transactions": _ascending(forged),
        "affected_claimers": _people(verdict, affected),
        "heals_until": heals_until,
        "forks": _ascending(forks),
        "last_good": last_good,
        "first_bad": first_bad,
        "equivocations": equivocations
        if equivocations is ANY
        else sorted(sorted(pair) for pair in equivocations),
        **others,
    }
    if isinstance(last_good, Ticket):
        wanted["last_good"] = [
            last_good.signature,
            last_good.entry,
            last_good.landed.slot,
            last_good.landed.time,
        ]
    got = {key: row[key] for key in wanted}
    got["causes"] = sorted(row["causes"])
    got["forks"] = sorted(fork["parent"] for fork in row["forks"])
    if row["last_good"] is not None:
        got["last_good"] = [
            row["last_good"][key] for key in ("signature", "entry_hash", "slot", "block_time")
        ]
    if row["first_bad"] is not None:
        got["first_bad"] = {
            key: row["first_bad"][key] for key in ("signature", "entry_hash", "prev_hash", "error")
        }
        assert row["first_bad"]["source"]
    for key in [key for key, value in wanted.items() if value is ANY]:
        del wanted[key], got[key]
    assert got == wanted, {
        key: (got[key], value) for key, value in wanted.items() if got[key] != value
    }
    return row


def _people(verdict: str, affected: Any) -> Any:
    """Whom a scenario expects to be affected: nobody unless it says so, and of an inconclusive
    grant it is not known.
    """
    if affected is UNSAID:
        return None if verdict == "inconclusive" else []
    return affected if affected is None else _ascending(affected)


def _ascending(values: Any) -> Any:
    return values if values is ANY else sorted(values)


def codes(found: Diagnosis, severity: str | None = None) -> set[str]:
    """The codes of a diagnosis's findings, of one severity or of all."""
    return {f.code for f in found.findings if severity is None or f.severity == severity}
