"""The worker's own audit-integrity, written from the reference (§3.7, §3.10): what it looks at, and
nothing that it leaves out.

Rows come newest first by key, that is by time and then by hash, and at most `limit` of them. Only
links between rows of that window count.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

from popkit.drill.proofs import canonical, digest
from popkit.drill.worker import Worker

LINKS = {"global_chain_break": "prev_hash", "stream_chain_break": "stream_prev_hash"}


def audit_integrity(
    worker: Worker, limit: int = 50, immutable: bool = True, mode: str = "required"
) -> dict[str, Any]:
    """The answer of GET /api/master/audit-integrity, as a case holds it."""
    rows = sorted(worker.entries, key=lambda e: (e["ts"], e["entry_hash"]), reverse=True)[:limit]
    immutable = immutable and mode != "off"
    issues = [issue for row in rows for issue in _of_row(row, worker.bucket if immutable else None)]
    issues += _of_chain(rows, "global_chain_break", None)
    for event in dict.fromkeys(row["eventId"] for row in rows):
        issues += _of_chain(
            [row for row in rows if row["eventId"] == event], "stream_chain_break", event
        )
    named = {row["prev_hash"] for row in rows}
    heads = [row["entry_hash"] for row in rows if row["entry_hash"] not in named]
    body = {
        "ok": not issues,
        "mode": mode,
        "checked": len(rows),
        "limit": limit,
        "globalHead": heads[0] if heads else None,
        "verifyImmutable": immutable,
        "issues": issues,
        "warnings": [],
    }
    return {"status": 200 if body["ok"] else 409, "body": body}


def _issue(code: str, row: dict[str, Any] | None, event: str | None = None) -> dict[str, Any]:
    return {
        "code": code,
        "message": code,
        "entryHash": row and row["entry_hash"],
        "eventId": row["eventId"] if row else event,
    }


def _of_row(row: dict[str, Any], bucket: dict[str, str] | None) -> list[dict[str, Any]]:
    """One row's own hash, and what its immutable part says against the r2_entry object; the
    r2_stream object is not read.
    """
    entry = {k: v for k, v in row.items() if k != "immutable"}
    codes = []
    if digest({k: v for k, v in entry.items() if k != "entry_hash"}) != row["entry_hash"]:
        codes.append("entry_hash_mismatch")
    if bucket is None:
        return [_issue(code, row) for code in codes]
    if "immutable" not in row:
        return [_issue(code, row) for code in (*codes, "immutable_receipt_missing")]
    payload = canonical({"version": 1, "source": "school-store", "entry": entry})
    if row["immutable"]["payload_hash"] != sha256(payload.encode()).hexdigest():
        codes.append("immutable_payload_hash_mismatch")
    refs = [sink["ref"] for sink in row["immutable"]["sinks"] if sink["sink"] == "r2_entry"]
    if not refs:
        codes.append("immutable_primary_sink_missing")
    for ref in refs:
        if ref not in bucket:
            codes.append("immutable_r2_object_missing")
        elif bucket[ref] != payload:
            codes.append("immutable_r2_object_mismatch")
    return [_issue(code, row) for code in codes]


def _of_chain(rows: list[dict[str, Any]], code: str, event: str | None) -> list[dict[str, Any]]:
    """The links between a window's rows: no two children, at most one row that names what is
    outside, one head, everything below it.
    """
    link = LINKS[code]
    by_hash = {row["entry_hash"]: row for row in rows}
    told = [row.get(link, "GENESIS") for row in rows]
    children = Counter(prev for prev in told if prev in by_hash)
    outside = [prev for prev in told if prev != "GENESIS" and prev not in by_hash]
    heads = [row for row in rows if row["entry_hash"] not in children]
    broken = (
        any(count > 1 for count in children.values())
        or len(outside) > 1
        or len(by_hash) < len(rows)
    )
    broken = broken or (bool(rows) and len(heads) != 1)
    if len(heads) == 1 and not broken:
        cursor, reached = heads[0], 1
        while cursor.get(link, "GENESIS") in by_hash:
            cursor, reached = by_hash[cursor[link]], reached + 1
        broken = reached != len(rows)
    return [_issue(code, None, event)] if broken else []
