"""Four checkers that somebody in a hurry would write. Each must fail on some vector, or the vectors
would not bite.

They read the case's files themselves and return the codes of what they would report, in popkit's
words.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from popkit.drill.proofs import GENESIS, digest
from popkit.protocol.accounts import ClaimReceipt, PopState, decode_account
from popkit.protocol.keys import ED25519_PROGRAM, PROGRAM_ID

Checker = Callable[[Path], set[str]]
NOT_HASHED = ("entry_hash", "immutable")
WINDOW = 50
"""Rows that the worker's own audit-integrity looks at when it is not told otherwise."""


def rows(case: Path, name: str) -> list[dict[str, Any]]:
    """The lines of one file; none where it was not collected."""
    path = case / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def accounts(case: Path) -> dict[str, Any]:
    """The program's accounts by address; None where one does not exist."""
    found: dict[str, Any] = {}
    for row in rows(case, "rpc/accounts.jsonl"):
        if row["account"] is None:
            found[row["pubkey"]] = None
        elif row["account"]["owner"] == PROGRAM_ID:
            found[row["pubkey"]] = decode_account(base64.b64decode(row["account"]["data"][0]))
    return found


def claims(case: Path) -> Iterator[tuple[str, VersionedTransaction, bytes, str]]:
    """(signature, transaction, the proof's instruction data, receipt address) of accepted claims by
    slot.
    """
    for row in sorted(rows(case, "rpc/transactions.jsonl"), key=lambda row: row["result"]["slot"]):
        if row["result"]["meta"]["err"] is not None:
            continue
        transaction = VersionedTransaction.from_bytes(
            base64.b64decode(row["result"]["transaction"][0])
        )
        keys = [str(key) for key in transaction.message.account_keys]
        proofs = [
            bytes(i.data)
            for i in transaction.message.instructions
            if keys[i.program_id_index] == ED25519_PROGRAM
        ]
        if proofs:
            yield (
                row["signature"],
                transaction,
                proofs[0],
                keys[transaction.message.instructions[-1].accounts[5]],
            )


def part(data: bytes, what: str) -> bytes:
    """The key, signature or message of a proof's instruction data."""
    at = int.from_bytes(data[{"key": 6, "signature": 2, "message": 10}[what] :][:2], "little")
    return data[at : at + {"key": 32, "signature": 64, "message": 209}[what]]


def links_only(case: Path) -> set[str]:
    """Each claim names the one before it, and PopState the last: what could be wrong?"""
    head = GENESIS
    for _, _, data, _ in claims(case):
        message = part(data, "message")
        if message[73:105].hex() != head:
            return {"entry_unseen"}
        head = message[169:201].hex()
    states = [
        held.last_global_hash for held in accounts(case).values() if isinstance(held, PopState)
    ]
    return {"state_contradicts_claims"} if states and states[0] != head else set()


def signatures_only(case: Path) -> set[str]:
    """Every signature holds: what could be wrong?"""
    for signature, transaction, data, _ in claims(case):
        wallet = str(transaction.signatures[0]) == signature and all(
            transaction.verify_with_results()
        )
        proof = Signature(part(data, "signature")).verify(
            Pubkey(part(data, "key")), part(data, "message")
        )
        if not (wallet and proof):
            return {"forged_transaction"}
    return set()


def _receipt_faults(case: Path) -> set[str]:
    held = accounts(case)
    wrong = [
        receipt for *_, receipt in claims(case) if not isinstance(held.get(receipt), ClaimReceipt)
    ]
    return {"receipt_contradicts_claim"} if wrong else set()


def _audit_rows(case: Path) -> list[dict[str, Any]]:
    path = case / "worker/audit-logs.json"
    found: list[dict[str, Any]] = (
        json.loads(path.read_text())["body"]["logs"] if path.is_file() else []
    )
    return found


def _edited_rows(case: Path) -> set[str]:
    edited = [
        r
        for r in _audit_rows(case)
        if digest({k: v for k, v in r.items() if k not in NOT_HASHED}) != r["entry_hash"]
    ]
    return {"audit_entry_edited"} if edited else set()


def _false_receipts(case: Path) -> set[str]:
    told = rows(case, "worker/ticket-receipts.jsonl")
    return (
        {"ticket_receipt_bad"}
        if any(
            digest({k: v for k, v in r.items() if k != "receiptHash"}) != r["receiptHash"]
            for r in told
        )
        else set()
    )


def _messages(case: Path) -> Iterator[bytes]:
    """Every proof's message, accepted or not."""
    for row in rows(case, "rpc/transactions.jsonl"):
        transaction = VersionedTransaction.from_bytes(
            base64.b64decode(row["result"]["transaction"][0])
        )
        for instruction in transaction.message.instructions:
            if (
                str(transaction.message.account_keys[instruction.program_id_index])
                == ED25519_PROGRAM
            ):
                yield part(bytes(instruction.data), "message")


def _repeats(case: Path) -> set[str]:
    """Two different messages for one grant, wallet and period on one parent."""
    seen: dict[bytes, bytes] = {}
    twice = [m for m in _messages(case) if seen.setdefault(m[1:105], m) != m]
    return {"equivocation"} if twice else set()


def _strangers(case: Path) -> set[str]:
    """Proofs that commit to no record of the storage."""
    storage = {row["key"]: row["value"] for row in rows(case, "worker/storage.jsonl")}
    known = {key.removeprefix("audit_entry:") for key in storage if key.startswith("audit_entry:")}
    known |= {
        value["receiptHash"] for key, value in storage.items() if key.startswith("ticket_receipt:")
    }
    return (
        {"foreign_issuer"} if any(m[137:169].hex() not in known for m in _messages(case)) else set()
    )


def _two_heads(case: Path) -> set[str]:
    """The worker's stored head against PopState."""
    stored = {
        row["value"]
        for row in rows(case, "worker/storage.jsonl")
        if row["key"].startswith("pop_chain:lastHash:")
    }
    on_chain = {
        held.last_global_hash for held in accounts(case).values() if isinstance(held, PopState)
    }
    return {"chain_broken"} if stored and stored != on_chain else set()


MANY = (
    signatures_only,
    links_only,
    _receipt_faults,
    _edited_rows,
    _repeats,
    _strangers,
    _two_heads,
    _false_receipts,
)


def goes_on(case: Path) -> set[str]:
    """All of these checks: what stopping at the first of them leaves unsaid."""
    return set[str]().union(*(check(case) for check in MANY))


def stops_at_first(case: Path) -> set[str]:
    """Many checks, and the first that fails is the answer: what else could be wrong?"""
    return next((found for check in MANY if (found := check(case))), set())


def trusts_the_server(case: Path) -> set[str]:
    """What the worker's audit-integrity and receipts/verify would answer, by the reference §3.6 and
    §3.10.
    """
    newest = sorted(_audit_rows(case), key=lambda row: (row["ts"], row["entry_hash"]))[-WINDOW:]
    here = {row["entry_hash"] for row in newest}
    outside = {row["prev_hash"] for row in newest} - here
    bucket = {row["key"] for row in rows(case, "worker/r2.jsonl")}
    exported = (case / "worker/r2.jsonl").is_file()
    refs = {
        sink["ref"]
        for row in newest
        for sink in row["immutable"]["sinks"]
        if sink["sink"] == "r2_entry"
    }
    found = _edited_rows(case)
    found |= {"audit_entry_removed"} if len(outside) > 1 else set()
    found |= {"bucket_object_missing"} if exported and refs - bucket else set()
    stored = {
        row["value"]["entry_hash"]: row["value"]
        for row in rows(case, "worker/storage.jsonl")
        if row["key"].startswith("audit_entry:")
    }
    for receipt in rows(case, "worker/ticket-receipts.jsonl"):
        entry = stored.get(receipt["audit"]["entryHash"])
        same = entry is not None and all(
            (
                receipt["confirmationCode"] == entry["data"]["confirmationCode"],
                receipt["audit"]["prevHash"] == entry["prev_hash"],
                receipt["audit"]["streamPrevHash"] == entry["stream_prev_hash"],
                receipt["audit"]["immutablePayloadHash"] == entry["immutable"]["payload_hash"],
            )
        )
        found |= set() if same else {"ticket_receipt_bad"}
    return found | _false_receipts(case)


CHECKERS: dict[str, Checker] = {
    "links only": links_only,
    "signatures only": signatures_only,
    "stops at first": stops_at_first,
    "trusts the server": trusts_the_server,
}
