"""Rows of the claims table made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from popkit.claims.table import PROOF_PLACES

WHOLE: dict[str, Any] = {
    "grant": 1, "claimer": 2, "signer": 3, "receipt": 4, "signature": "sig", "slot": 10, "position": 5, "block_time": 1000, "index": 1,
    "accepted": False, "period_index": 7, "message_period_index": 7, "place": "preceding", "has_message": True, "message_version": 2,
    "prev": 20, "stream": 21, "audit": 22, "entry": 23, "issued_at": 990, "holds": True, "failure": None, "own_failure": False,
    "account_count": 12, "message_grant": 1, "message_claimer": 2, "proof_signature_holds": True, "entry_hash_holds": True,
    "claimer_signed": True,
}  # fmt: skip
"""A refused claim of twelve accounts whose proof is the grant's issuer's: keys and hashes are small
numbers.
"""


class Table(SimpleNamespace):
    """As much of a claims table as attempts are read from."""

    def __len__(self) -> int:
        return len(self.signature)


def block(numbers: list[int]) -> np.ndarray[Any, Any]:
    """(n, 32) uint8, each row one number again and again."""
    return np.array([[number] * 32 for number in numbers], np.uint8).reshape(-1, 32)


def table(*changes: dict[str, Any]) -> Any:
    rows = [WHOLE | change for change in changes]

    def column(name: str) -> list[Any]:
        return [row[name] for row in rows]

    def text(name: str) -> list[str]:
        return [f"{name} {row[name]}" for row in rows]

    names = {
        "prev_hash": "prev",
        "stream_prev_hash": "stream",
        "audit_hash": "audit",
        "entry_hash": "entry",
    }
    hashes = {long: block(column(short)) for long, short in names.items()}
    hashes |= {name: block(column(name)) for name in ("message_grant", "message_claimer")}
    plain = (
        "signature",
        "slot",
        "index",
        "period_index",
        "message_period_index",
        "has_message",
        "message_version",
        "issued_at",
        "failure",
    )
    masks = ("accepted", "proof_signature_holds", "entry_hash_holds")
    return Table(
        **{
            name: column(name)
            for name in (*plain, "own_failure", "account_count", "claimer_signed")
        },
        **{name: np.array(column(name), bool) for name in masks},
        key_text={name: text(name) for name in ("grant", "claimer", "signer", "receipt")},
        hash_text={long: text(short) for long, short in names.items()},
        keys={name: block(column(name)) for name in ("grant", "claimer")},
        hashes=hashes,
        proof_place=[PROOF_PLACES.index(row["place"]) for row in rows],
        transaction_signatures_hold=column("holds"),
        transaction=list(range(len(rows))),
        transactions=SimpleNamespace(position=column("position"), block_time=column("block_time")),
    )
