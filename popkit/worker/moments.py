"""Up to which moment the worker's records speak, by the worker's own clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from popkit.audit.entries import AuditRecords, milliseconds
from popkit.evidence.bundle import Evidence
from popkit.worker.storage_history import HistoryRow


class AskedList(NamedTuple):
    """A list of the newest audit entries that a collector asked for: when, by the worker's clock,
    and their hashes.
    """

    at: float
    hashes: frozenset[str]


def records_until(
    evidence: Evidence,
    audit: AuditRecords,
    history: Iterable[HistoryRow],
) -> int | None:
    """The unix second up to which the worker's records show what it did; None without records.

    The newest entry of its audit chain or of its history; or, later, a moment at which the worker
    itself was asked and its chain still ended there: audit-integrity names the head and the time,
    and a list that a collector asked for holds the newest row.
    """
    newest = [row.issued_at for row in history]
    tip = audit.newest
    if tip is not None:
        newest.append(tip.ts_ms // 1000)
        inspected = _inspected_at(evidence, tip.hash)
        if inspected is not None:
            newest.append(inspected)
        newest += [int(asked.at) for asked in lists_asked_for(evidence) if tip.hash in asked.hashes]
    return max(newest, default=None)


def _inspected_at(evidence: Evidence, head: str) -> int | None:
    """The unix second at which audit-integrity found the chain to end in `head`; None where it did
    not.
    """
    answer = evidence.answers.get("audit-integrity")
    body = answer.body if answer is not None and isinstance(answer.body, dict) else {}
    at = body.get("inspectedAt")
    if body.get("globalHead") != head or not isinstance(at, str):
        return None
    return (milliseconds(at) or 0) // 1000


def clock_ahead(evidence: Evidence) -> float:
    """Seconds that the worker's clock is ahead of the collector's, by its newest runtime-status;
    0.0 without one.

    The machine that collects may have a clock that is wrong by hours; what it noted must not make
    the records look younger.
    """
    for answer in reversed(evidence.asked.get("runtime-status", [])):
        stated = (
            answer.body.get("checkedAt") if answer.is_ok and isinstance(answer.body, dict) else None
        )
        at_ms = milliseconds(stated) if isinstance(stated, str) else None
        if at_ms is not None and answer.asked_at is not None:
            return at_ms / 1000 - answer.asked_at
    return 0.0


def lists_asked_for(evidence: Evidence) -> list[AskedList]:
    """Every list of audit entries that a collector asked for over HTTP, in the order of asking."""
    found, ahead = [], clock_ahead(evidence)
    for answer in evidence.earlier_lists:
        rows = answer.body.get("logs") if answer.is_ok else None
        if answer.asked_at is not None and isinstance(rows, list):
            hashes = frozenset(str(row.get("entry_hash")) for row in rows if isinstance(row, dict))
            found.append(AskedList(answer.asked_at + ahead, hashes))
    return found
