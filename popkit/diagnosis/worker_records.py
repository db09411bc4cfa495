"""What there was to recompute of the worker's audit chain and ticket receipts, and what the worker
says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from popkit.audit.receipts import ReceiptCheck

if TYPE_CHECKING:
    from popkit.facts import Facts


@dataclass(frozen=True, slots=True)
class WorkerRecords:
    """The worker's audit records in a case.

    `entries` counts those whose hash holds, None where no record is in the case. `sources` names
    where they come from. `reaches_first_entry` is whether they link back to the first entry, None
    where that cannot be told. `own_answer` is what the worker's audit-integrity says of itself:
    'ok', 'not ok', 'not collected', or 'not known' where the answer does not say. `receipts` is
    each ticket receipt's check, None where no receipt is in the case; `by_hash_alone` counts those
    of which the audit entry could not be checked.
    """

    entries: int | None
    sources: tuple[str, ...]
    reaches_first_entry: bool | None
    own_answer: str
    receipts: tuple[ReceiptCheck, ...] | None
    bad_receipts: tuple[ReceiptCheck, ...]
    by_hash_alone: int


def worker_records(facts: Facts) -> WorkerRecords:
    """The worker's audit records in a case."""
    records, checks = facts.audit, facts.receipt_checks
    return WorkerRecords(
        entries=len(records.entries) if records.is_known else None,
        sources=(
            *sorted(records.sources),
            *(["bucket"] if records.bucket_keys is not None else []),
        ),
        reaches_first_entry=records.reaches_genesis if records.line else None,
        own_answer=_own_answer(facts),
        receipts=tuple(checks) if checks else None,
        bad_receipts=tuple(check for check in checks if check.is_bad),
        by_hash_alone=sum("entry" in check.unknown for check in checks),
    )


def _own_answer(facts: Facts) -> str:
    answer = facts.evidence.answers.get("audit-integrity")
    if answer is None:
        return "not collected"
    says = answer.body.get("ok") if isinstance(answer.body, dict) else None
    return "ok" if says is True else "not ok" if says is False else "not known"
