"""The worker's own check of its newest audit rows, with what it looks at and what it leaves out
(reference, section 3.10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from popkit.drill.proofs import canonical, digest, iso
from popkit.drill.worker import Worker


def integrity(worker: Worker, query: Mapping[str, str]) -> dict[str, Any]:
    """The body of audit-integrity: the newest rows alone, never compared with the stored head."""
    limit = min(max(int(query.get("limit", "50")), 1), 200)
    immutable = query.get("verifyImmutable", "true") not in ("false", "0")
    window = sorted(
        worker.entries, key=lambda entry: (entry["ts"], entry["entry_hash"]), reverse=True
    )[:limit]
    issues = [
        issue for entry in window for issue in _of_entry(worker, entry, immutable)
    ] + _of_links(window)
    return {
        "ok": not issues,
        "mode": "required",
        "checked": len(window),
        "limit": limit,
        "globalHead": window[0]["entry_hash"] if window else None,
        "oldestInWindow": window[-1]["entry_hash"] if window else None,
        "verifyImmutable": immutable,
        "issues": issues,
        "warnings": [],
        "inspectedAt": iso(worker.clock),
    }


def _of_entry(worker: Worker, entry: dict[str, Any], immutable: bool) -> list[dict[str, Any]]:
    where = {"entryHash": entry["entry_hash"], "eventId": entry["eventId"]}
    found = []
    preimage = {
        name: value for name, value in entry.items() if name not in ("entry_hash", "immutable")
    }
    if digest(preimage) != entry["entry_hash"]:
        found.append({"code": "entry_hash_mismatch", "message": "entry hash mismatch", **where})
    if not immutable:
        return found
    whole = {name: value for name, value in entry.items() if name != "immutable"}
    text = canonical({"version": 1, "source": "school-store", "entry": whole})
    if sha256(text.encode()).hexdigest() != entry["immutable"]["payload_hash"]:
        found.append(
            {
                "code": "immutable_payload_hash_mismatch",
                "message": "immutable payload hash mismatch",
                **where,
            }
        )
    ref = next(
        (sink["ref"] for sink in entry["immutable"]["sinks"] if sink["sink"] == "r2_entry"), None
    )
    held = worker.bucket.get(ref or "")
    if held is None:
        found.append(
            {
                "code": "immutable_r2_object_missing",
                "message": "immutable R2 object missing",
                **where,
                "ref": ref,
            }
        )
    elif held != text:
        found.append(
            {
                "code": "immutable_r2_object_mismatch",
                "message": "immutable R2 object content mismatch",
                **where,
                "ref": ref,
            }
        )
    return found


def _of_links(window: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hashes = {entry["entry_hash"] for entry in window}
    children = Counter(entry["prev_hash"] for entry in window)
    outside = [entry for entry in window if entry["prev_hash"] not in hashes]
    if (
        len(hashes) < len(window)
        or any(count > 1 for count in children.values())
        or len(outside) > 1
    ):
        return [{"code": "global_chain_break", "message": "global chain continuity is broken"}]
    return []
