"""What a case holds and how it came to be: its parts, its collector's statements, its custody
record, its files' digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from popkit.errors import CaseUnreadable
from popkit.evidence.bundle import Evidence
from popkit.evidence.collection import Stated, stated_addresses
from popkit.evidence.custody import PROVES, check_custody
from popkit.evidence.layout import CUSTODY
from popkit.facts import Facts


@dataclass(frozen=True, slots=True)
class Custody:
    """What holding the custody record against the case gave: 'holds', 'violated' or 'cannot tell',
    and what that says, a line each.
    """

    outcome: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """What a case holds.

    `claim_attempts` counts the claims that its transactions carry, None where no transactions were
    collected. `missing_parts` names the parts of the case format that it lacks. `stated` is what
    the collector states of each address. `custody` is None where the case has no custody record;
    `digests` (file to sha256) where it has no manifest.
    """

    cluster: str
    program: str
    claim_attempts: int | None
    missing_parts: tuple[str, ...]
    stated: tuple[Stated, ...]
    custody: Custody | None
    digests: Mapping[str, str] | None


def collection_of(facts: Facts) -> Collection:
    """What a case holds. Reads the files that the custody record speaks of."""
    evidence = facts.evidence
    return Collection(
        cluster=facts.header.cluster,
        program=facts.header.program_id,
        claim_attempts=len(facts.claims) if evidence.transactions is not None else None,
        missing_parts=tuple(missing_parts(evidence)),
        stated=tuple(stated_addresses(facts.header)),
        custody=_custody(evidence) if CUSTODY in evidence.files else None,
        digests=evidence.digests,
    )


def missing_parts(evidence: Evidence) -> list[str]:
    """The parts of the case format that a case does not have."""
    parts = {
        "transactions": evidence.transactions,
        "signatures": evidence.signatures,
        "accounts": evidence.accounts,
        "bucket": evidence.bucket,
        "storage": evidence.storage,
        "ticket receipts": evidence.receipts,
        "wallets' reports": evidence.reports,
    }
    return [name for name, rows in parts.items() if rows is None]


def _custody(evidence: Evidence) -> Custody:
    try:
        breaks = check_custody(evidence.root)
    except CaseUnreadable as unreadable:
        return Custody("cannot tell", (str(unreadable),))
    return Custody("violated", tuple(map(str, breaks))) if breaks else Custody("holds", (PROVES,))
