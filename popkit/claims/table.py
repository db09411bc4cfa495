"""The claims table: one row a claim attempt, in columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey
from solders.signature import Signature

from popkit.claims.scalar import ScalarClaim, decode_row, scalar_claims, unreadable_calls
from popkit.claims.wire import (
    ACCOUNT_COLUMNS,
    MESSAGE_HASHES,
    Bytes,
    Ints,
    Mask,
    calls_unknown_programs,
    find_claims,
    lay_out,
    other_calls,
    read_messages,
    walk_instructions,
)
from popkit.evidence.lines import Problem
from popkit.evidence.rpc import TokenBalance, Transactions
from popkit.protocol.errors import TransactionFailure, read_failure
from popkit.protocol.keys import b58decode, verify_strict
from popkit.protocol.pda import receipt_address_bytes
from popkit.protocol.transaction import Transaction, TransactionError, signatures_hold

PROOF_PLACES = (None, "preceding", "elsewhere")


def hex_strings(block: Bytes) -> list[str]:
    """Rows of bytes as hexadecimal strings."""
    width = block.shape[1] * 2
    text = block.tobytes().hex()
    return [text[i : i + width] for i in range(0, len(text), width)]


def key_strings(block: Bytes) -> list[str]:
    """Rows of 32 bytes as base58 public keys; each distinct key is encoded once."""
    raw = block.tobytes()
    known: dict[bytes, str] = {}
    out = []
    for i in range(0, len(raw), 32):
        key = raw[i : i + 32]
        text = known.get(key)
        if text is None:
            text = known[key] = str(Pubkey(key))
        out.append(text)
    return out


@dataclass(slots=True)
class _Columns:
    """The decoded columns before they are joined and sorted."""

    transaction: list[Ints] = field(default_factory=list)
    index: list[Ints] = field(default_factory=list)
    inner: list[Ints] = field(default_factory=list)
    with_proof: list[Mask] = field(default_factory=list)
    account_count: list[Ints] = field(default_factory=list)
    token_account_index: list[Ints] = field(default_factory=list)
    vault_index: list[Ints] = field(default_factory=list)
    keys: dict[str, list[Bytes]] = field(
        default_factory=lambda: {name: [] for name in ACCOUNT_COLUMNS}
    )
    period_index: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    claimer_signed: list[Mask] = field(default_factory=list)
    proof_place: list[Ints] = field(default_factory=list)
    signer: list[Bytes] = field(default_factory=list)
    proof_signature: list[Bytes] = field(default_factory=list)
    message: list[Ints] = field(default_factory=list)
    message_length: list[Ints] = field(default_factory=list)


class ClaimTable:
    """Every claim attempt of a case, ascending by (slot, signature, instruction, inner
    instruction).

    Columns are numpy arrays of length n: `slot` int64, `period_index` uint64, `issued_at` int64
    (unix seconds), keys and hashes (n, 32) uint8 (their text forms are the properties of the same
    names ending in `_text`), masks bool. Costly columns (signatures, receipt addresses) are
    computed when first asked for. `popkit.claims.frame.claims_frame` gives the documented
    DataFrame.
    """

    def __init__(
        self,
        transactions: Transactions,
        columns: _Columns,
        buffer: Bytes,
        decoded: dict[int, Transaction],
        program_id: str,
    ) -> None:
        self.transactions, self.program_id = transactions, program_id
        self._decoded = decoded
        self.other_rows: list[int] = []  # transactions with calls of the program that are no claims
        self.unread_calls: list[
            int
        ] = []  # transactions in which other programs may have called it, unreadably
        self.problems: list[
            Problem
        ] = []  # of transactions whose bytes, or whose inner calls, cannot be read
        slots = np.array(transactions.slot, np.int64)
        transaction = _joined(columns.transaction, np.int64)
        index, inner = _joined(columns.index, np.int64), _joined(columns.inner, np.int64)
        order = np.lexsort(
            (inner, index, transaction, slots[transaction] if len(transaction) else transaction)
        )
        self.buffer = buffer
        self.transaction, self.index, self.inner = transaction[order], index[order], inner[order]
        self.slot = slots[self.transaction] if len(order) else np.zeros(0, np.int64)
        self.with_proof = _joined(columns.with_proof, np.bool_)[order]
        self.account_count = _joined(columns.account_count, np.int64)[order]
        self.token_account_index = _joined(columns.token_account_index, np.int64)[order]
        self.vault_index = _joined(columns.vault_index, np.int64)[order]
        self.keys = {name: _stacked(parts, 32)[order] for name, parts in columns.keys.items()}
        self.period_index = _joined(columns.period_index, np.uint64)[order]
        self.claimer_signed = _joined(columns.claimer_signed, np.bool_)[order]
        self.proof_place = _joined(columns.proof_place, np.int64)[order]
        self.signer = _stacked(columns.signer, 32)[order]
        self.proof_signature = _stacked(columns.proof_signature, 64)[order]
        self._message = _joined(columns.message, np.int64)[order]
        self._message_length = _joined(columns.message_length, np.int64)[order]
        messages = read_messages(buffer, self._message, self._message_length)
        self.message_version = np.where(self.proof_place > 0, messages.version, 0)
        self.hashes = messages.hashes
        self.message_period_index = messages.period_index
        self.issued_at = messages.issued_at
        self._preimage, self._preimage_length = messages.preimage, messages.preimage_length
        errs = transactions.meta
        self.accepted = np.fromiter(
            (errs[row].err is None for row in self.transaction.tolist()), np.bool_, len(order)
        )

    def __len__(self) -> int:
        return len(self.transaction)

    @cached_property
    def signature(self) -> list[str]:
        """The transaction's first signature, base58."""
        return [self.transactions.signature[row] for row in self.transaction.tolist()]

    @cached_property
    def has_message(self) -> Mask:
        """Whether a PoP message of a known version and length stands in the attempt."""
        return self.message_version > 0

    @cached_property
    def key_text(self) -> dict[str, list[str]]:
        """Account columns and the proof's signer as base58 strings."""
        names = {**self.keys, "signer": self.signer}
        return {name: key_strings(block) for name, block in names.items()}

    @cached_property
    def hash_text(self) -> dict[str, list[str]]:
        """Message fields: hashes as hex, `message_grant` and `message_claimer` as base58."""
        as_keys = {"message_grant", "message_claimer"}
        return {
            name: (key_strings if name in as_keys else hex_strings)(block)
            for name, block in self.hashes.items()
        }

    @cached_property
    def entry_hash_recomputed(self) -> Bytes:
        """SHA-256 of each message's preimage (program commit 456358a): (n, 32) uint8."""
        raw, width = self._preimage.tobytes(), self._preimage.shape[1]
        sha256 = hashlib.sha256
        ends = self._preimage_length.tolist()
        digests = b"".join(
            [sha256(raw[i * width : i * width + end]).digest() for i, end in enumerate(ends)]
        )
        return np.frombuffer(digests, np.uint8).reshape(-1, 32)

    @cached_property
    def entry_hash_holds(self) -> Mask:
        """Whether the message's entry hash is the hash of its other fields."""
        holds: Mask = self.has_message & (
            self.entry_hash_recomputed == self.hashes["entry_hash"]
        ).all(axis=1)
        return holds

    def message_bytes(self, row: int) -> bytes:
        """The signed bytes of a row's proof."""
        start = int(self._message[row])
        return self.buffer[start : start + int(self._message_length[row])].tobytes()

    @cached_property
    def proof_signature_holds(self) -> Mask:
        """Whether the proof's ed25519 signature verifies, strictly, as the precompile does."""
        return np.fromiter(
            (
                self.proof_place[row] > 0
                and verify_strict(
                    self.signer[row].tobytes(),
                    self.message_bytes(row),
                    self.proof_signature[row].tobytes(),
                )
                for row in range(len(self))
            ),
            np.bool_,
            len(self),
        )

    @cached_property
    def transaction_signatures_hold(self) -> list[bool | None]:
        """Whether the transaction's own signatures hold and its first one is the one it is known
        by; None where that cannot be known.
        """
        known: dict[int, bool | None] = {}
        out = []
        for row in self.transaction.tolist():
            if row not in known:
                known[row] = is_authentic(self.transactions, row, self._decoded.get(row))
            out.append(known[row])
        return out

    @cached_property
    def receipt_expected(self) -> Bytes:
        """The receipt address that (grant, claimer, period) derives: (n, 32) uint8."""
        program = b58decode(self.program_id)
        grants, claimers = self.keys["grant"].tobytes(), self.keys["claimer"].tobytes()
        periods = self.period_index.tolist()
        known: dict[tuple[bytes, bytes, int], bytes] = {}
        out = []
        for i, period in enumerate(periods):
            key = (grants[32 * i : 32 * i + 32], claimers[32 * i : 32 * i + 32], period)
            if key not in known:
                known[key] = receipt_address_bytes(*key, program)
            out.append(known[key])
        return np.frombuffer(b"".join(out), np.uint8).reshape(-1, 32)

    @cached_property
    def receipt_matches(self) -> Mask:
        """Whether the receipt account of the attempt is the derived one."""
        matches: Mask = (self.receipt_expected == self.keys["receipt"]).all(axis=1)
        return matches

    @cached_property
    def failure(self) -> list[TransactionFailure | None]:
        """Why each refused attempt's transaction was refused; None for accepted ones."""
        out: list[TransactionFailure | None] = []
        known: dict[int, TransactionFailure | None] = {}
        for row, accepted in zip(self.transaction.tolist(), self.accepted.tolist(), strict=True):
            if not accepted and row not in known:
                meta = self.transactions.meta[row]
                programs = [instruction.program for instruction in self.decode(row).instructions]
                known[row] = read_failure(meta.err, meta.logs(), programs, program=self.program_id)
            out.append(None if accepted else known[row])
        return out

    @cached_property
    def own_failure(self) -> Mask:
        """Whether the transaction failed at this very claim (not before it, not after it)."""
        return np.array(
            [
                f is not None and f.instruction_index == index
                for f, index in zip(self.failure, self.index.tolist(), strict=True)
            ],
            np.bool_,
        )

    @cached_property
    def amount_moved(self) -> list[int | None]:
        """Base units the claimer's token account gained in the transaction; None where the node
        gave no balances or it failed.
        """
        return self._gains(self.token_account_index)

    @cached_property
    def amount_taken(self) -> list[int | None]:
        """Base units the vault lost in the transaction; None where the node gave no balances or it
        failed.
        """
        return [None if gain is None else -gain for gain in self._gains(self.vault_index)]

    def _gains(self, accounts: Ints) -> list[int | None]:
        out: list[int | None] = []
        for row, account, accepted in zip(
            self.transaction.tolist(), accounts.tolist(), self.accepted.tolist(), strict=True
        ):
            meta = self.transactions.meta[row]
            out.append(
                _gain(meta.pre_token_balances, meta.post_token_balances, account)
                if accepted
                else None
            )
        return out

    def decode(self, row: int) -> Transaction:
        """The whole transaction of a row of `transactions`."""
        if row not in self._decoded:
            self._decoded[row] = decode_row(self.transactions, row)
        return self._decoded[row]


_U64_DIGITS = 20


def _gain(
    before: list[TokenBalance] | None, after: list[TokenBalance] | None, account: int
) -> int | None:
    if before is None or after is None:
        return None
    # An account may be made in the transaction, and no claim closes one: absent before is nothing, absent after is not known.
    amounts = [_amount(side, account, none) for side, none in ((before, 0), (after, None))]
    return None if amounts[0] is None or amounts[1] is None else amounts[1] - amounts[0]


def _amount(side: list[TokenBalance], account: int, none: int | None) -> int | None:
    """The base units of a token account on one side of a transaction; `none` where it is not named,
    None where it is no u64.
    """
    text = next((b.ui_token_amount.amount for b in side if b.account_index == account), None)
    if text is None:
        return none
    is_number = (
        text.isascii() and text.isdecimal() and len(text) <= _U64_DIGITS and int(text) < 1 << 64
    )
    return int(text) if is_number else None


def is_authentic(
    transactions: Transactions, row: int, tx: Transaction | None = None
) -> bool | None:
    """Whether a transaction is signed by those it names and known by its own first signature; None
    where it cannot be known.
    """
    wire = transactions.wire[row]
    if wire is not None and tx is None:
        quick = _plain_wire_holds(wire, transactions.signature[row])
        if quick is not None:
            return quick
    try:
        tx = tx or decode_row(transactions, row)
    except (TransactionError, ValueError):
        return None
    if not tx.signatures or tx.signatures[0] != transactions.signature[row]:
        return False
    return signatures_hold(tx)


def _plain_wire_holds(wire: bytes, signature: str) -> bool | None:
    """The same question for a legacy or v0 wire without decoding its instructions; None for any
    other shape.
    """
    count = wire[0] if wire else 0
    header = 1 + 64 * count
    if not 0 < count < 0x80 or len(wire) < header + 5:
        return None
    versioned = wire[header] >= 0x80
    if versioned and wire[header] != 0x80:
        return None
    keys = header + versioned + 4
    if wire[keys - 4] != count or wire[keys - 1] >= 0x80 or len(wire) < keys + 32 * count:
        return None
    if str(Signature(wire[1:65])) != signature:
        return False
    message = wire[header:]
    return all(
        verify_strict(
            wire[keys + 32 * i : keys + 32 * i + 32], message, wire[1 + 64 * i : 65 + 64 * i]
        )
        for i in range(count)
    )


def _joined(parts: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _stacked(parts: Sequence[Bytes], width: int) -> Bytes:
    whole = [part for part in parts if part.shape[1] == width]
    return np.concatenate(whole) if whole else np.zeros((0, width), np.uint8)


def read_claims(transactions: Transactions | None, program_id: str) -> ClaimTable:
    """The claims table of a case's transactions; those that cannot be read stand in its `problems`."""
    problems: list[Problem] = []
    table = transactions or Transactions()
    decoded: dict[int, Transaction] = {}
    columns = _Columns()
    rows = [row for row, wire in enumerate(table.wire) if wire is not None]
    layout = lay_out([wire for wire in table.wire if wire is not None])
    instructions = walk_instructions(layout)
    program = b58decode(program_id)
    block = find_claims(layout, instructions, program)
    again = {row for row, wire in enumerate(table.wire) if wire is None}
    again |= {rows[i] for i in np.flatnonzero(~layout.plain).tolist()}
    again |= {rows[i] for i in block.transaction[block.odd].tolist()}
    again |= {rows[i] for i in calls_unknown_programs(layout, instructions, program).tolist()}
    row_of = np.array(rows, np.int64)
    keep = (
        ~np.isin(row_of[block.transaction], np.array(sorted(again), np.int64))
        if len(block.transaction)
        else np.zeros(0, bool)
    )
    columns.transaction.append(row_of[block.transaction[keep]] if rows else np.zeros(0, np.int64))
    columns.index.append(block.index[keep])
    columns.inner.append(np.full(int(keep.sum()), -1))
    columns.with_proof.append(block.with_proof[keep])
    columns.account_count.append(block.account_count[keep])
    columns.token_account_index.append(block.token_account_index[keep])
    columns.vault_index.append(block.vault_index[keep])
    for name, keys in block.keys.items():
        columns.keys[name].append(keys[keep])
    columns.period_index.append(block.period_index[keep])
    columns.claimer_signed.append(block.claimer_signed[keep])
    columns.proof_place.append(np.where(block.has_proof & (block.account_count >= 12), 1, 0)[keep])
    columns.signer.append(block.signer[keep])
    columns.proof_signature.append(block.proof_signature[keep])
    columns.message.append(block.message[keep])
    columns.message_length.append(block.message_length[keep])
    claims: list[ScalarClaim] = []
    unread_calls: list[int] = []
    suspects = {rows[i] for i in np.unique(other_calls(layout, instructions, program)).tolist()}
    for row in sorted(again | suspects):
        try:
            decoded[row] = decode_row(table, row)
            found = scalar_claims(table, row, decoded[row], program_id)
        except ValueError as error:
            problems.append(
                Problem(
                    "unreadable_transaction", f"{table.signature[row]}: {error}", table.place(row)
                )
            )
            continue
        hidden = unreadable_calls(table, row, decoded[row], program_id)
        if hidden is not None:
            unread_calls.append(row)
            detail = f"{table.signature[row]}: the calls that programs made in it: {hidden}"
            problems.append(Problem("unreadable_inner_instructions", detail, table.place(row)))
        claims.extend(found if row in again else [])
    buffer = _append_scalar(columns, layout.buffer, claims)
    whole = ClaimTable(table, columns, buffer, decoded, program_id)
    whole.other_rows = sorted((suspects | again) & decoded.keys())
    whole.unread_calls, whole.problems = unread_calls, problems
    return whole


def _append_scalar(columns: _Columns, buffer: Bytes, claims: list[ScalarClaim]) -> Bytes:
    """Add claims read one at a time to the columns; their messages go to the end of the buffer,
    which is returned.
    """
    if not claims:
        return buffer
    offset, extra = len(buffer), []
    starts, lengths = [], []
    for claim in claims:
        message = claim.proof.message if claim.proof else b""
        starts.append(offset)
        lengths.append(len(message))
        extra.append(message)
        offset += len(message)

    def keys(values: list[bytes], width: int = 32) -> Bytes:
        return np.frombuffer(b"".join(values), np.uint8).reshape(-1, width)

    columns.transaction.append(np.array([claim.transaction for claim in claims]))
    columns.index.append(np.array([claim.index for claim in claims]))
    columns.inner.append(
        np.array([-1 if claim.inner_index is None else claim.inner_index for claim in claims])
    )
    columns.with_proof.append(
        np.array([claim.instruction.name == "claim_grant_with_proof" for claim in claims])
    )
    columns.account_count.append(np.array([claim.account_count for claim in claims]))
    columns.token_account_index.append(np.array([claim.token_account_index for claim in claims]))
    columns.vault_index.append(np.array([claim.vault_index for claim in claims]))
    names = {"token_account": "claimer_ata"}
    for name in ACCOUNT_COLUMNS:
        wanted = names.get(name, name)
        texts = [claim.instruction.accounts.get(wanted) for claim in claims]
        columns.keys[name].append(keys([b58decode(text) if text else bytes(32) for text in texts]))
    columns.period_index.append(
        np.array([claim.instruction.args["period_index"] for claim in claims], np.uint64)
    )
    columns.claimer_signed.append(np.array([claim.claimer_signed for claim in claims]))
    columns.proof_place.append(
        np.array([PROOF_PLACES.index(claim.proof_place) for claim in claims])
    )
    columns.signer.append(
        keys([claim.proof.public_key if claim.proof else bytes(32) for claim in claims])
    )
    columns.proof_signature.append(
        keys([claim.proof.signature if claim.proof else bytes(64) for claim in claims], 64)
    )
    columns.message.append(np.array(starts))
    columns.message_length.append(np.array(lengths))
    return np.concatenate([buffer, np.frombuffer(b"".join(extra), np.uint8)])


__all__ = [
    "MESSAGE_HASHES",
    "PROOF_PLACES",
    "ClaimTable",
    "hex_strings",
    "is_authentic",
    "key_strings",
    "read_claims",
]
