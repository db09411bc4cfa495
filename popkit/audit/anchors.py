"""Anchors: the audit entries that the worker appends when it issues a proof, and the proofs rebuilt
from them.

An anchor holds everything of its proof but `issued_at`, which is the anchor's time in whole seconds
or a few seconds less; a hash that is known from elsewhere (a message on chain, the next anchor's
prevHash, a stored head) tells which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from popkit.audit.entries import AuditEntry, AuditRecords
from popkit.protocol.keys import is_pubkey
from popkit.protocol.message import GENESIS_HASH, entry_hash

ANCHOR_EVENT = "POP_CLAIM_PROOF_ANCHOR"
API_EVENT = "API_POST_V1_SCHOOL_POP_PROOF"
MAX_ISSUE_LAG = 60
"""Seconds an anchor's append may lag behind the proof's issued_at (the worker takes the time first,
then waits for its audit lock).
"""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One issued proof as the worker recorded it.

    `model` is the worker's: 'A' (audit_hash is the anchor's hash), 'B' (the ticket receipt's), 'C'
    (parents from the client), 'D' (and stored heads stay). `moved_heads` tells whether the worker's
    stored heads went to this proof; `receipt_id` is the audit entry of the ticket receipt that was
    shown for it (None in model A).
    """

    anchor_hash: str
    ts_ms: int
    grant: str
    claimer: str
    period_index: int
    prev_hash: str
    stream_prev_hash: str
    audit_hash: str
    model: str
    follows_chain: bool
    moved_heads: bool
    receipt_id: str | None = None

    @property
    def takes_parents(self) -> bool:
        """Whether a worker of this model takes the parents that a client gives (C to E)."""
        return self.model in ("C", "D")

    def entry_hash_at(self, issued_at: int) -> str:
        """The entry hash of the proof, had it been issued at this unix second."""
        return entry_hash(
            2,
            self.prev_hash,
            self.stream_prev_hash,
            self.audit_hash,
            self.grant,
            self.claimer,
            self.period_index,
            issued_at,
        )

    def rebuild(
        self, known: Container[str], taken: Mapping[str, int] | None = None
    ) -> tuple[str, int, bool]:
        """(entry hash, issued_at, confirmed): the candidate that `known` holds, else floor(ts), not
        confirmed.

        `taken` are the entries of earlier anchors with their second: another second's anchor is of
        another proof.
        """
        latest = self.ts_ms // 1000
        for issued_at in range(latest, latest - MAX_ISSUE_LAG - 1, -1):
            candidate = self.entry_hash_at(issued_at)
            if candidate in known and (taken or {}).get(candidate, latest) == latest:
                return candidate, issued_at, True
        return self.entry_hash_at(latest), latest, False


def _hash_or_genesis(value: object) -> str | None:
    """A stored head as 64 hex digits; the worker writes both 'GENESIS' and zeros for the beginning."""
    if value is None or value == "GENESIS":
        return GENESIS_HASH
    if isinstance(value, str) and len(value) == 64:
        text = value.lower()
        if all(c in "0123456789abcdef" for c in text):
            return text
    return None


read_head = _hash_or_genesis


def _hash_or_none(value: object) -> str | None:
    return _hash_or_genesis(value) if isinstance(value, str) else None


def as_anchor(entry: AuditEntry) -> Anchor | None:
    """An audit entry as an anchor, or None when it is none (another event, or fields that the
    worker never writes).
    """
    data = entry.data
    if entry.event != ANCHOR_EVENT:
        return None
    grant, claimer, period = data.get("grant"), data.get("claimer"), data.get("periodIndex")
    prev, stream = (
        _hash_or_genesis(data.get("prevHash")),
        _hash_or_genesis(data.get("streamPrevHash")),
    )
    if not (is_pubkey(grant) and is_pubkey(claimer)) or prev is None or stream is None:
        return None
    assert isinstance(grant, str)
    assert isinstance(claimer, str)
    try:
        period_index = int(str(period))
    except ValueError:
        return None
    if not 0 <= period_index < 1 << 64:
        return None
    receipt_hash = data.get("receiptHash")
    gated = isinstance(receipt_hash, str) and _hash_or_genesis(receipt_hash) is not None
    source = (
        data.get("hashSource") if gated else None
    )  # no worker without receipts has parents from the client
    model = (
        "A"
        if not gated
        else "D"
        if "popChainAdvanced" in data
        else "C"
        if source is not None
        else "B"
    )
    return Anchor(
        anchor_hash=entry.hash,
        ts_ms=entry.ts_ms,
        grant=grant,
        claimer=claimer,
        period_index=period_index,
        prev_hash=prev,
        stream_prev_hash=stream,
        audit_hash=str(receipt_hash) if gated else entry.hash,
        model=model,
        follows_chain=source == "client_onchain",
        moved_heads=not (model == "D" and data.get("popChainAdvanced") is False),
        receipt_id=_hash_or_none(data.get("receiptId")) if gated else None,
    )


def anchors_of(records: AuditRecords) -> list[Anchor]:
    """Every anchor in the order of issue; an object left by a failed append is no anchor (no proof
    was issued).
    """
    found = []
    for entry in records.ordered:
        if entry.event == ANCHOR_EVENT and not records.is_orphan(entry.hash):
            anchor = as_anchor(entry)
            if anchor is not None:
                found.append(anchor)
    return found


def acknowledged(records: AuditRecords) -> set[str]:
    """Hashes of the anchors whose request the worker's own trail of API calls shows as answered
    with a proof.

    Whoever holds the audit-log token can write an anchor without issuing a proof. A proof that was
    asked for leaves, after its anchor and in the stream of its event, the row of the request:
    status 200, with the same grant, claimer and period. One row stands for one anchor, the newest
    before it that it fits.
    """
    waiting: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    found = set()
    for entry in records.ordered:
        if entry.event == ANCHOR_EVENT:
            waiting[_request(str(entry.data.get("eventId")), entry.data)].append(entry.hash)
        elif entry.event == API_EVENT and entry.data.get("status") == 200:
            body = entry.data.get("requestBody")
            fitting = (
                waiting.get(_request(entry.event_id, body)) if isinstance(body, dict) else None
            )
            if fitting:
                found.add(fitting.pop())
    return found


def _request(event: str, fields: dict[str, Any]) -> tuple[str, str, str, str]:
    return (
        event,
        str(fields.get("grant")),
        str(fields.get("claimer")),
        str(fields.get("periodIndex")),
    )
