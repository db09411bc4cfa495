"""The claims table as a pandas DataFrame: its columns, their dtypes and what they mean, in one
place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from popkit.claims.table import PROOF_PLACES, ClaimTable
from popkit.text import shown

if TYPE_CHECKING:
    import pandas as pd


class Column(NamedTuple):
    """A column of the claims table: its name, its Arrow-backed dtype (all are nullable) and its
    meaning with units.
    """

    name: str
    dtype: str
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("signature", "string", "the transaction's first signature, base58"),
    Column("slot", "uint64", "slot in which the transaction landed"),
    Column(
        "position",
        "uint64",
        "index of the transaction in its block; null where the node did not tell",
    ),
    Column("block_time", "int64", "the slot's time, unix seconds"),
    Column(
        "instruction_index",
        "uint64",
        "index of the claim, or of the call that made it, among top-level instructions",
    ),
    Column(
        "inner_index",
        "uint64",
        "index among inner instructions when another program made the claim; else null",
    ),
    Column("instruction", "string", "claim_grant or claim_grant_with_proof"),
    Column("accounts", "uint64", "number of accounts given: 12 since PoP, 9 before"),
    Column("transaction_version", "string", "legacy, 0 or 1"),
    Column("accepted", "bool", "whether the transaction was accepted"),
    Column(
        "error",
        "string",
        "name of the program's or Anchor's error, else Custom(n); null when accepted or unknown",
    ),
    Column("error_code", "uint64", "the error's number; null when it has none"),
    Column(
        "error_layer",
        "string",
        "program, anchor, system, token, associated_token, precompile, other_program, runtime or "
        "unknown",
    ),
    Column("error_instruction", "uint64", "index of the instruction that failed"),
    Column("error_here", "bool", "whether the transaction failed at this very claim"),
    Column("grant", "string", "the grant's public key"),
    Column("mint", "string", "the ticket's mint"),
    Column("claimer", "string", "the claiming wallet"),
    Column("claimer_signed", "bool", "whether the claimer signed the transaction"),
    Column("period_index", "uint64", "the period claimed"),
    Column("receipt", "string", "the receipt account given"),
    Column(
        "receipt_expected", "string", "the receipt address that grant, claimer and period derive"
    ),
    Column("receipt_matches", "bool", "whether the two are one"),
    Column(
        "claimed_at",
        "int64",
        "the receipt account's time, unix seconds: the clock that the program compared",
    ),
    Column(
        "amount_moved",
        "decimal",
        "base units that the claimer's token account gained: a whole number, exact up to u64",
    ),
    Column(
        "proof_place",
        "string",
        "preceding (as the program reads it), elsewhere in the transaction, or null",
    ),
    Column("message_version", "uint64", "1 or 2; null without a readable message"),
    Column("message_grant", "string", "the grant that the message names"),
    Column("message_claimer", "string", "the claimer that the message names"),
    Column("message_period_index", "uint64", "the period that the message names"),
    Column(
        "prev_hash",
        "string",
        "entry hash of the proof that this one follows, hex; 64 zeros is GENESIS",
    ),
    Column("stream_prev_hash", "string", "the same for the stream link"),
    Column(
        "audit_hash",
        "string",
        "the worker's audit entry or ticket receipt that the message commits to; null in version 1",
    ),
    Column("entry_hash", "string", "the message's own hash, hex"),
    Column("entry_hash_recomputed", "string", "SHA-256 of the message's other fields, hex"),
    Column("entry_hash_holds", "bool", "whether the two are one"),
    Column("issued_at", "int64", "when the worker issued the proof, unix seconds"),
    Column("signer", "string", "the key that signed the message"),
    Column(
        "signature_holds",
        "bool",
        "whether that signature verifies, strictly, as the precompile does",
    ),
    Column(
        "transaction_holds",
        "bool",
        "whether the transaction's own signatures hold; null for jsonParsed answers",
    ),
    Column("era", "string", "the program in force at the slot"),
    Column("era_decided_by", "string", "behaviour, worker model, date or option"),
    Column("file", "string", "where the row stands: file in the case"),
    Column("line", "uint64", "line in that file, from 1"),
    Column("sha256", "string", "digest of that file; null without a manifest"),
)


def claims_frame(
    claims: ClaimTable,
    eras: Callable[[int, int | None], Any],
    claimed_at: Callable[[str], int | None],
) -> pd.DataFrame:
    """The claims table as a DataFrame: one row a claim attempt, columns as in `COLUMNS`, ascending
    by slot and signature.

    `eras(slot, block_time)` gives the era, `claimed_at(receipt)` a receipt's time.
    """
    import pandas as pd
    import pyarrow as pa

    from popkit.claims.table import hex_strings, key_strings

    tx = claims.transactions
    rows = claims.transaction.tolist()
    has, v2 = claims.has_message.tolist(), (claims.message_version == 2).tolist()
    proof = claims.proof_place.tolist()
    keys, hashes, failure = claims.key_text, claims.hash_text, claims.failure

    def only_if(mask: list[bool], values: list[Any]) -> list[Any]:
        return [value if keep else None for keep, value in zip(mask, values, strict=True)]

    at = [
        eras(int(slot), tx.block_time[row])
        for slot, row in zip(claims.slot.tolist(), rows, strict=True)
    ]
    is_proof = [place > 0 for place in proof]
    data: dict[str, list[Any]] = {
        "signature": claims.signature,
        "slot": claims.slot.tolist(),
        "position": [tx.position[row] for row in rows],
        "block_time": [tx.block_time[row] for row in rows],
        "instruction_index": claims.index.tolist(),
        "inner_index": [None if inner < 0 else inner for inner in claims.inner.tolist()],
        "instruction": [
            "claim_grant_with_proof" if proved else "claim_grant"
            for proved in claims.with_proof.tolist()
        ],
        "accounts": claims.account_count.tolist(),
        "transaction_version": [
            None if tx.version[row] is None else shown(tx.version[row]) for row in rows
        ],
        "accepted": claims.accepted.tolist(),
        "error": [_error(f) for f in failure],
        "error_code": [f.code if f and f.code is not None else None for f in failure],
        "error_layer": [f.layer if f else None for f in failure],
        "error_instruction": [f.instruction_index if f else None for f in failure],
        "error_here": [
            None if f is None else here
            for f, here in zip(failure, claims.own_failure.tolist(), strict=True)
        ],
        **{name: keys[name] for name in ("grant", "mint", "claimer")},
        "claimer_signed": claims.claimer_signed.tolist(),
        "period_index": claims.period_index.tolist(),
        "receipt": keys["receipt"],
        "receipt_expected": key_strings(claims.receipt_expected),
        "receipt_matches": claims.receipt_matches.tolist(),
        "claimed_at": [
            claimed_at(receipt) if ok else None
            for receipt, ok in zip(keys["receipt"], claims.accepted.tolist(), strict=True)
        ],
        "amount_moved": claims.amount_moved,
        "proof_place": [PROOF_PLACES[place] for place in proof],
        "message_version": only_if(has, claims.message_version.tolist()),
        **{name: only_if(has, hashes[name]) for name in ("message_grant", "message_claimer")},
        "message_period_index": only_if(has, claims.message_period_index.tolist()),
        **{name: only_if(has, hashes[name]) for name in ("prev_hash", "stream_prev_hash")},
        "audit_hash": only_if(v2, hashes["audit_hash"]),
        "entry_hash": only_if(has, hashes["entry_hash"]),
        "entry_hash_recomputed": only_if(has, hex_strings(claims.entry_hash_recomputed)),
        "entry_hash_holds": only_if(has, claims.entry_hash_holds.tolist()),
        "issued_at": only_if(has, claims.issued_at.tolist()),
        "signer": only_if(is_proof, keys["signer"]),
        "signature_holds": only_if(is_proof, claims.proof_signature_holds.tolist()),
        "transaction_holds": claims.transaction_signatures_hold,
        "era": [era.era for era in at],
        "era_decided_by": [era.decided_by for era in at],
        "file": [tx.file] * len(claims),
        "line": [tx.line[row] for row in rows],
        "sha256": [tx.sha256] * len(claims),
    }
    arrow = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "int64": pa.int64(),
        "uint64": pa.uint64(),
        "decimal": pa.decimal128(20, 0),
    }
    return pd.DataFrame(
        {
            column.name: pd.Series(
                pa.array(data[column.name], arrow[column.dtype]),
                dtype=pd.ArrowDtype(arrow[column.dtype]),
            )
            for column in COLUMNS
        }
    )


def _error(failure: Any) -> str | None:
    if failure is None:
        return None
    name = failure.error or (f"Custom({failure.code})" if failure.code is not None else None)
    return shown(name) if name is not None else None
