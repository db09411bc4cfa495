"""The worker's claim records: audit entries, transfers and storage rows that say who claimed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from popkit.audit.entries import AuditRecords, milliseconds
from popkit.evidence.bundle import Evidence
from popkit.protocol.keys import is_pubkey
from popkit.worker.event_links import EventLink

CLAIM_EVENTS = ("WALLET_CLAIM", "USER_CLAIM")


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """One claim as the worker recorded it: nobody checked what its caller said.

    `wallets` are every wallet it may be of, `file` the part of the case that tells it, however that
    is packed, and `ts_ms` when it was recorded, in unix milliseconds (None: it does not say).
    """

    event_id: str
    wallets: tuple[str, ...]
    tx_signature: str | None
    receipt: str | None
    key: str
    file: str
    code: str | None = None
    ts_ms: int | None = None


def read_claim_records(evidence: Evidence, audit: AuditRecords) -> list[ClaimRecord]:
    """Every claim record: audit entries whose hash holds, transfers they do not cover, and storage
    rows; ascending.
    """
    found = []
    for entry in audit.ordered:
        if entry.event in CLAIM_EVENTS and not audit.is_orphan(entry.hash):
            found.append(
                _record(entry.data, entry.event_id, entry.hash, entry.place.part, entry.ts_ms)
            )
    transfers = evidence.answers.get("transfers")
    items = transfers.body.get("items") if transfers is not None and transfers.is_ok else None
    for item in items if isinstance(items, list) else ():
        if (
            isinstance(item, dict)
            and item.get("event") in CLAIM_EVENTS
            and str(item.get("entryHash")) not in audit.entries
        ):
            ts_ms = milliseconds(str(item.get("ts")))
            found.append(
                _record(
                    item,
                    str(item.get("eventId")),
                    str(item.get("entryHash")),
                    "worker/transfers.json",
                    ts_ms,
                )
            )
    for key in evidence.storage or {}:
        if key.startswith("claim:"):
            _, event, subject = [*key.split(":", 2), "", ""][:3]
            if is_pubkey(subject):
                found.append(
                    ClaimRecord(event, (subject,), None, None, key, "worker/storage.jsonl")
                )
    return sorted(found, key=lambda r: (r.event_id, r.key, r.file))


def _record(
    data: dict[str, Any],
    event_id: str,
    key: str,
    file: str,
    ts_ms: int | None,
) -> ClaimRecord:
    transfer = data.get("transfer") if isinstance(data.get("transfer"), dict) else {}
    assert isinstance(transfer, dict)
    recipient, pii = transfer.get("recipient"), data.get("pii")
    candidates = [
        side.get(name)
        for side, name in ((recipient, "id"), (pii, "walletAddress"))
        if isinstance(side, dict)
    ]
    wallets = tuple(dict.fromkeys(str(value) for value in candidates if is_pubkey(value)))
    signature, receipt = transfer.get("txSignature"), transfer.get("receiptPubkey")
    onchain = transfer.get("mode") == "onchain"
    event = data.get("eventId") if isinstance(data.get("eventId"), str) else event_id
    return ClaimRecord(
        str(event),
        wallets,
        signature
        if onchain and isinstance(signature, str) and signature
        else None,  # the worker takes whatever looks like one
        str(receipt) if is_pubkey(receipt) else None,
        key,
        file,
        str(data["confirmationCode"]) if isinstance(data.get("confirmationCode"), str) else None,
        ts_ms,
    )


def recorded_unseen(
    records: Iterable[ClaimRecord],
    links: Iterable[EventLink],
    given: Container[str],
) -> dict[str, frozenset[str]]:
    """By grant, the wallets for whom the worker recorded an on-chain claim whose transaction is not
    among those given.
    """
    grants: dict[str, set[str]] = defaultdict(set)
    for link in links:
        grants[link.event].add(link.grant)
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.tx_signature is not None and record.tx_signature not in given:
            for grant in grants[record.event_id]:
                found[grant] |= set(record.wallets)
    return {grant: frozenset(wallets) for grant, wallets in found.items()}
