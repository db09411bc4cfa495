"""The ticket receipts that a case holds, and what they name: entries, and objects of the bucket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from popkit.audit.receipts import ReceiptCheck
from popkit.audit.sinks import bucket_key
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Place

ReceiptRow = tuple[dict[str, Any], Place]
"""A receipt as it stands in the case, and where."""

_STORED = ("ticket_receipt:", "ticket_receipt_subject:")


def receipt_rows(evidence: Evidence) -> list[ReceiptRow]:
    """Every ticket receipt of a case: first those that were given, then those in the worker's
    storage.
    """
    rows = [(row.receipt, row.place) for row in evidence.receipts or []]
    for key, row in (evidence.storage or {}).items():
        if key.startswith(_STORED) and isinstance(row.value, dict):
            rows.append((row.value, Place(row.place.file, row.place.line, key, row.place.sha256)))
    return rows


def receipts_by_entry(rows: Iterable[ReceiptRow]) -> dict[str, list[ReceiptRow]]:
    """Receipts by each audit entry that they name, as their id or as their audit entry."""
    found: dict[str, list[ReceiptRow]] = defaultdict(list)
    for receipt, place in rows:
        audit = receipt.get("audit")
        entry = audit.get("entryHash") if isinstance(audit, dict) else None
        for name in {str(receipt.get("receiptId")), str(entry)}:
            found[name].append((receipt, place))
    return found


def sinks_of_receipts(
    rows: Iterable[ReceiptRow],
    checks: Iterable[ReceiptCheck],
) -> set[tuple[str, str]]:
    """(object key, time of issue) of every bucket object that a receipt names.

    Only receipts that hold, and whose entry is known, count: anyone can write down another.
    """
    held = {
        check.receipt_id for check in checks if not check.is_bad and "entry" not in check.unknown
    }
    found = set()
    for receipt, _ in rows:
        audit, issued_at = receipt.get("audit"), receipt.get("issuedAt")
        if (
            not isinstance(audit, dict)
            or not isinstance(issued_at, str)
            or receipt.get("receiptId") not in held
        ):
            continue
        sinks = audit.get("immutableSinks")
        keys = [bucket_key(sink) for sink in (sinks if isinstance(sinks, list) else ())]
        found |= {(key, issued_at) for key in keys if key is not None}
    return found
