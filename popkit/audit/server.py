"""The worker's own audit-integrity against what was recomputed: where the two differ, which is right, and why.

It reads at most 200 of the newest rows, by time and then by hash; it compares with no stored head, no list, no ticket receipt, no second
copy and nothing on chain; and of the bucket it reads one of two objects, when it reads it at all (reference §3.10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.audit.ends import older_than_parent
from popkit.audit.entries import AuditEntry, AuditRecords
from popkit.audit.tampering import Tampering
from popkit.evidence.bundle import Evidence

CHAIN_BREAKS = frozenset({"global_chain_break", "stream_chain_break"})


@dataclass(frozen=True, slots=True)
class ServerVerdict:
    """What the worker says of its audit chain, and what was recomputed; `why` is empty where the two agree."""

    says: bool
    recomputed: bool
    why: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return self.says == self.recomputed

    @property
    def text(self) -> str:
        """In words: `ok true: the recomputed result counts: …`."""
        told = f"ok {str(self.says).lower()}"
        return f"{told}; both say the same" if self.agrees else f"{told}; the recomputed result counts: {'; '.join(self.why)}"


def server_verdict(
    evidence: Evidence, records: AuditRecords, tampering: Tampering, receipts_hold: bool, ends_hold: bool = True
) -> ServerVerdict | None:
    """The worker's audit-integrity in a case, or None where it was not collected or is none.

    `ends_hold` is whether stored heads, beginnings and stream links are as they must be.
    """
    answer = evidence.answers.get("audit-integrity")
    body = answer.body if answer is not None else None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return None
    chain_holds = not (tampering.edited or tampering.removed or tampering.edited_objects or tampering.missing_objects)
    holds = chain_holds and receipts_hold and ends_hold
    if body["ok"] == holds:
        return ServerVerdict(body["ok"], holds, ())
    why = _misses(body, records, tampering, receipts_hold, ends_hold) if body["ok"] else _false_alarms(body, records)
    return ServerVerdict(body["ok"], holds, tuple(why))


def _misses(body: dict[str, Any], records: AuditRecords, tampering: Tampering, receipts_hold: bool, ends_hold: bool) -> list[str]:
    """Why the worker sees nothing wrong where something is."""
    why = []
    if body.get("checked") == 0:
        why.append("it checked no row at all, and finds nothing wrong with none")
    window = _window(body, records)
    first = min((entry.ts for entry in window), default="")
    if any(_time(records, entry) < first for entry in [*tampering.edited, *tampering.removed]):
        why.append(f"it reads the newest {body.get('limit')} rows alone: what is older it never checks")
    if tampering.removed:
        why.append("it compares with no stored head and no other source: rows gone from the ends, or a tail written anew, do not show")
    if (tampering.edited_objects or tampering.missing_objects) and body.get("verifyImmutable") is not True:
        why.append("it did not read the bucket")
    if any("/stream/" in key for key in [*tampering.edited_objects, *tampering.missing_objects]):
        why.append("of the bucket's two objects of an entry it reads one: r2_entry, not r2_stream")
    if tampering.edited and not why:
        why.append("of the storage's two copies of a row it reads one: audit_history, not audit_entry; and no sink's time")
    if not receipts_hold:
        why.append("it looks at no ticket receipt")
    if not ends_hold:
        why.append("it looks at no stored head and at no beginning, and at links inside its window alone")
    return why or ["what was found may be younger than its answer"]


def _false_alarms(body: dict[str, Any], records: AuditRecords) -> list[str]:
    """Why the worker raises an alarm where nothing is wrong."""
    told = body.get("issues")
    issues = [issue for issue in told if isinstance(issue, dict)] if isinstance(told, list) else []
    codes = {str(issue.get("code")) for issue in issues}
    window = _window(body, records)
    why = []
    cut = _cut_millisecond(window, records)
    if cut is not None and codes & CHAIN_BREAKS:
        why.append(f"its window cuts through the rows of one millisecond, {cut}, which it orders by hash and not by link")
    if any(older.hash in {entry.hash for entry in window} for older in older_than_parent(records)) and codes & CHAIN_BREAKS:
        why.append("its window is by time, and the worker's clock was set back: rows that belong into it by link lie outside")
    if any(issue.get("code") == "stream_chain_break" and issue.get("eventId") == "global" for issue in issues):
        why.append("a stream named 'global' shares the key of the global head: anybody's request with that eventId does it")
    if any(entry.stream_prev_hash is None for entry in window) and codes & CHAIN_BREAKS:
        why.append("rows of the first form, without stream_prev_hash, follow their event's last row and not the global one")
    if "immutable_receipt_missing" in codes and any(entry.immutable is None for entry in window):
        why.append("rows that were written while no immutable sink was on have no receipt of one")
    return why or [f"nothing of it is found again: {', '.join(sorted(codes)) or 'it names no issue'}"]


def _window(body: dict[str, Any], records: AuditRecords) -> list[AuditEntry]:
    """The rows that the worker read, oldest first: as many as it checked, back from the head it names where that is known."""
    checked, head = body.get("checked"), body.get("globalHead")
    rows = sorted(records.entries.values(), key=lambda entry: entry.key)
    last = records.entries.get(str(head))
    if last is not None:
        rows = [entry for entry in rows if entry.ts <= last.ts]
    return rows[-checked:] if isinstance(checked, int) and checked > 0 else []


def _cut_millisecond(window: list[AuditEntry], records: AuditRecords) -> str | None:
    """The time of the window's oldest row, when a row outside has the same."""
    if not window:
        return None
    first, inside = window[0].ts, {entry.hash for entry in window}
    return first if any(entry.ts == first and entry.hash not in inside for entry in records.entries.values()) else None


def _time(records: AuditRecords, entry: str) -> str:
    """The time of a row, by its entry or as the row itself states it; '~' (after every time) where nothing tells."""
    known = records.entries.get(entry)
    if known is not None:
        return known.ts
    return next((source.stated[entry] for source in records.sources.values() if entry in source.stated), "~")
