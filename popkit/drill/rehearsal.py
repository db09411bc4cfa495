"""An incident played, its evidence collected, and popkit's answer held against what was done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popkit.drill.case import write_case
from popkit.drill.incidents import INCIDENTS
from popkit.drill.stage import Stage, Truth

NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer of popkit's beside the truth: what differs, field by field, as (was done, answered)."""

    incident: str
    era: str
    seed: int
    differs: dict[str, tuple[Any, Any]]

    @property
    def is_right(self) -> bool:
        return not self.differs


def sealed(truth: Truth, nonce: str) -> tuple[str, bytes]:
    """The digest of an answer and the bytes that it is of: a drill prints the one at its start and shows the other at `reveal`."""
    body = json.dumps({"answer": truth.as_json(), "nonce": nonce}, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(body).hexdigest(), body


def compared(stage: Stage, case: Path, incident: str) -> Compared:
    """Diagnose a case of a stage's grant, and hold the answer against the truth."""
    import popkit

    found = popkit.open_case(case).diagnose()
    row = found.grant(stage.grant.address).as_json()
    return Compared(incident, stage.era, stage.seed, differences(stage.truth(), row, found.exit_code))


def differences(truth: Truth, row: dict[str, Any], exit_code: int) -> dict[str, tuple[Any, Any]]:
    """Where a grant's answer differs from what was done; what the truth leaves unsaid is not held against anything."""
    bad = row["first_bad"]
    answered = {
        "verdict": row["verdict"],
        "causes": sorted(row["causes"]),
        "exit_code": exit_code,
        "last_good": row["last_good"] and row["last_good"]["signature"],
        "first_bad": bad and (bad["signature"] or bad["entry_hash"]),
        "affected": row["affected_claimers"],
    }
    wanted: dict[str, Any] = {name: truth.as_json()[name] for name in answered}
    if truth.affected is None:
        del wanted["affected"]
    found = {name: (value, answered[name]) for name, value in wanted.items() if value != answered[name]}
    began = (row["began"] or {}).get("lost_proof_issued")
    if truth.began is not None and not _fits(truth.began, began):
        found["began"] = (truth.began, began)
    return found


def _fits(truth: int, moment: dict[str, Any] | None) -> bool:
    """Whether a moment says the second that was, as sure as it says it is."""
    if moment is None:
        return False
    said, certainty = int(moment["time"]), moment["certainty"]
    if certainty == "exact":
        return said == truth
    return truth <= said if certainty == "at_latest" else said <= truth


def in_process(incident: str, era: str, seed: int, folder: Path) -> Compared:
    """Play an incident and compare, without a network: the case is written as a collector would write it."""
    stage = INCIDENTS[incident].play(era, seed)
    return compared(stage, write_case(folder, stage.world.collect(reports=True)), incident)
