"""The worker's own records of the proofs it issued, as an export of its storage holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.audit.anchors import read_head
from popkit.evidence.worker import StoredRow
from popkit.protocol.keys import is_pubkey
from popkit.protocol.message import entry_hash

HISTORY_KEY = "pop_chain:history:"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One `pop_chain:history:` record of the worker's storage; `holds` is whether its entry hash is
    that of its fields.

    `follows_chain` is whether the client gave the parents, `takes_parents` whether the worker's
    model takes them (C to E), `moved_heads` whether the worker's stored heads went to the proof.
    `anchor_hash` is the proof's audit entry: the audit hash itself in model A, named beside it
    where that is a ticket receipt's.
    """

    key: str
    grant: str
    claimer: str
    period_index: int
    prev_hash: str
    stream_prev_hash: str
    audit_hash: str
    entry_hash: str
    issued_at: int
    holds: bool
    anchor_hash: str | None
    follows_chain: bool = False
    takes_parents: bool = False
    moved_heads: bool = True


def read_history(storage: dict[str, StoredRow] | None) -> list[HistoryRow]:
    """The worker's history records, ascending by key; records without a history record's fields are
    left to the caller's count.
    """
    found = []
    for key, row in (storage or {}).items():
        if not key.startswith(HISTORY_KEY) or not isinstance(row.value, dict):
            continue
        record = _history_row(key, row.value)
        if record is not None:
            found.append(record)
    return found


def _history_row(key: str, value: dict[str, Any]) -> HistoryRow | None:
    grant, claimer, issued = value.get("grant"), value.get("claimer"), value.get("issuedAt")
    prev, stream = read_head(value.get("prevHash")), read_head(value.get("streamPrevHash"))
    audit, entry = read_head(value.get("auditHash")), read_head(value.get("entryHash"))
    hashes = (prev, stream, audit, entry)
    if not (is_pubkey(grant) and is_pubkey(claimer) and isinstance(issued, int)) or None in hashes:
        return None
    try:
        period = int(str(value.get("periodIndex")))
    except ValueError:
        return None
    if not 0 <= period < 1 << 64:
        return None
    if "anchorEntryHash" in value:
        anchor = read_head(value["anchorEntryHash"])
    else:
        anchor = None if "receiptHash" in value else str(audit)
    fields = (str(prev), str(stream), str(audit), str(grant), str(claimer), period, issued)
    return HistoryRow(
        key,
        str(grant),
        str(claimer),
        period,
        *fields[:3],
        str(entry),
        issued,
        entry_hash(2, *fields) == entry,
        anchor,
        value.get("hashSource") == "client_onchain",
        "hashSource" in value,
        value.get("popChainAdvanced") is not False,
    )


def anchors_named(rows: list[HistoryRow]) -> dict[str, int]:
    """The anchors' audit entries that true history records name, each with unix milliseconds."""
    named = [row for row in rows if row.holds and row.anchor_hash is not None]
    return {str(row.anchor_hash): row.issued_at * 1000 for row in named}
