"""What a first claim must be, checked by us: its proof before it is sent, its transaction, accounts
and ticket receipt afterwards.

Nothing in here believes the worker's or the node's word for what can be computed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from popkit.audit.anchors import ANCHOR_EVENT
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.transactions import GrantPlace
from popkit.protocol import canonical
from popkit.protocol.accounts import AccountError, decode_pop_state, decode_receipt
from popkit.protocol.ed25519 import ProofDataError, read_proof
from popkit.protocol.keys import ED25519_PROGRAM, b58decode, is_pubkey, key_bytes, verify_strict
from popkit.protocol.message import (
    GENESIS_HASH,
    SKEW_SECONDS,
    MessageError,
    PopMessage,
    decode_message,
)
from popkit.protocol.pda import receipt_address
from popkit.protocol.transaction import Transaction, TransactionError, decode_result


@dataclass(frozen=True, slots=True)
class Terms:
    """The new grant as the plan has it. `signer` is whom pop-config names; `start_ts`,
    `period_seconds` in seconds, `amount` in base units.

    `model` is the worker's (A to E): A gives no confirmation code, C to E take the chain's heads.
    `is_strict`: the program wants an unbroken chain, so that a proof that never lands is the end of
    the grant.
    """

    place: GrantPlace
    amount: int
    period_seconds: int
    start_ts: int
    signer: str
    model: str
    is_strict: bool

    @property
    def gives_codes(self) -> bool:
        return self.model != "A"

    @property
    def takes_heads(self) -> bool:
        return self.model in ("C", "D", "E")

    def period_at(self, now: int) -> int:
        """The period index at a unix second of the cluster's clock; negative before the start."""
        return (now - self.start_ts) // self.period_seconds

    def left_at(self, now: int) -> int:
        """Seconds until the present period ends."""
        return self.period_seconds - (now - self.start_ts) % self.period_seconds


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold: True, False, or None where it could not be checked, with what was
    expected and found.
    """

    name: str
    holds: bool | None
    expected: Any = None
    found: Any = None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "holds": self.holds,
            "expected": self.expected,
            "found": self.found,
        }


def equal(name: str, expected: Any, found: Any) -> Check:
    """A check that two values are the same."""
    return Check(name, expected == found, expected, found)


@dataclass(frozen=True, slots=True)
class Proof:
    """A worker's proof as it came: the signed message, its signature, and the key that signed. It
    is no secret.
    """

    signer: str
    message: bytes
    signature: bytes

    @classmethod
    def read(cls, body: Any) -> Self | None:
        """The proof of an answer to pop-proof, or of a journal's entry; None where it is none that
        could be sent.
        """
        try:
            given = [
                base64.b64decode(body[name], validate=True)
                for name in ("messageBase64", "signatureBase64")
            ]
            decode_message(given[0])
            signer = body["signerPubkey"]
        except (KeyError, TypeError, ValueError, binascii.Error, MessageError):
            return None
        return (
            cls(signer, given[0], given[1]) if is_pubkey(signer) and len(given[1]) == 64 else None
        )

    def as_json(self) -> dict[str, str]:
        """As the worker writes it."""
        encoded = [base64.b64encode(value).decode() for value in (self.message, self.signature)]
        return {
            "signerPubkey": self.signer,
            "messageBase64": encoded[0],
            "signatureBase64": encoded[1],
        }

    @property
    def said(self) -> PopMessage:
        return decode_message(self.message)


def proof_checks(
    proof: Proof, terms: Terms, claimer: str, period: int, now: int, receipt_hash: str | None
) -> tuple[Check, ...]:
    """What the first proof of a new grant must say. `now` is the cluster's clock, `receipt_hash`
    the canary's own ticket receipt's.
    """
    said = proof.said
    checks = [
        equal("proof_signer", terms.signer, proof.signer),
        Check(
            "proof_signature",
            verify_strict(key_bytes(proof.signer), proof.message, proof.signature),
        ),
        equal("proof_version", 2, said.version),
        equal("proof_grant", terms.place.grant, said.grant),
        equal("proof_claimer", claimer, said.claimer),
        equal("proof_period", period, said.period_index),
        equal("proof_entry_hash", said.recomputed_entry_hash(), said.entry_hash),
        equal("proof_prev_hash", GENESIS_HASH, said.prev_hash),
        equal("proof_stream_prev_hash", GENESIS_HASH, said.stream_prev_hash),
        Check(
            "proof_in_time",
            abs(now - said.issued_at) <= SKEW_SECONDS,
            f"within {SKEW_SECONDS} s of {now}",
            said.issued_at,
        ),
    ]
    if terms.gives_codes:
        checks.append(equal("proof_ticket_receipt", receipt_hash, said.audit_hash))
    return tuple(checks)


def claim_checks(
    result: Mapping[str, Any] | None,
    signature: str,
    accounts: Mapping[str, Held | None],
    proof: Proof,
    terms: Terms,
) -> tuple[Check, ...]:
    """What the landed claim must be: `result` is getTransaction's, `accounts` hold its receipt and
    the grant's PopState, after it.

    The head of PopState must be this claim's entry; None where a younger claim has moved it since.
    """
    said = proof.said
    checks = list(_transaction(result, signature, proof, terms))
    block_time = result.get("blockTime") if result is not None else None
    try:
        receipt = _data(accounts, receipt_of(proof, terms), terms, decode_receipt)
        state = _data(accounts, terms.place.pop_state, terms, decode_pop_state)
    except AccountError as problem:
        return (*checks, Check("accounts", False, "a receipt and a PopState", str(problem)))
    named = None if receipt is None else [receipt.grant, receipt.claimer, receipt.period_index]
    checks.append(equal("receipt", [said.grant, said.claimer, said.period_index], named))
    if receipt is not None:
        is_in_time = abs(receipt.claimed_at - said.issued_at) <= SKEW_SECONDS
        checks.append(
            Check(
                "receipt_in_time",
                is_in_time,
                f"within {SKEW_SECONDS} s of {said.issued_at}",
                receipt.claimed_at,
            )
        )
        if isinstance(block_time, int):
            checks.append(
                equal("receipt_period", said.period_index, terms.period_at(receipt.claimed_at))
            )
    heads = None if state is None else [state.grant, state.last_global_hash, state.last_stream_hash]
    at_head = equal("pop_state", [said.grant, said.entry_hash, said.entry_hash], heads)
    moved_on = (
        state is not None and state.grant == said.grant and state.last_issued_at > said.issued_at
    )
    checks.append(replace(at_head, holds=None) if moved_on and not at_head.holds else at_head)
    return tuple(checks)


def receipt_of(proof: Proof, terms: Terms) -> str:
    """The address of the receipt that a proof's claim makes."""
    return receipt_address(
        proof.said.grant, proof.said.claimer, proof.said.period_index, terms.place.program
    )


def _data(accounts: Mapping[str, Held | None], key: str, terms: Terms, decode: Any) -> Any:
    held = accounts.get(key)
    if held is None:
        return None
    if held.owner != terms.place.program:
        raise AccountError("AccountDiscriminatorMismatch", f"{key} is owned by {held.owner}")
    return decode(held.data)


def _transaction(
    result: Mapping[str, Any] | None, signature: str, proof: Proof, terms: Terms
) -> tuple[Check, ...]:
    if result is None:
        return (Check("transaction", None, signature, None),)
    try:
        read = decode_result(result)
    except (TransactionError, KeyError, TypeError, ValueError) as problem:
        return (Check("transaction", False, signature, str(problem)),)
    meta = result.get("meta") or {}
    same = _holds_proof(read, proof)
    return (
        equal("transaction", signature, read.signatures[0] if read.signatures else None),
        Check(
            "transaction_signature",
            _is_signed_by(read, proof.said.claimer),
            proof.said.claimer,
            read.account_keys[0],
        ),
        Check("transaction_accepted", "err" in meta and meta["err"] is None, None, meta.get("err")),
        Check("transaction_proof", same, "the proof that was issued", None),
        equal("amount", str(terms.amount), _received(meta, proof.said.claimer, terms.place.mint)),
    )


def carries(result: Mapping[str, Any] | None, proof: Proof) -> bool:
    """Whether a transaction, as getTransaction gives it, holds this very proof."""
    try:
        return result is not None and _holds_proof(decode_result(result), proof)
    except (TransactionError, KeyError, TypeError, ValueError):
        return False


def _holds_proof(read: Transaction, proof: Proof) -> bool:
    for instruction in read.instructions:
        if instruction.program == ED25519_PROGRAM and instruction.data is not None:
            try:
                found = read_proof(instruction.data)
            except ProofDataError:
                continue
            if found.message == proof.message and found.public_key == key_bytes(proof.signer):
                return True
    return False


def _is_signed_by(read: Transaction, claimer: str) -> bool | None:
    """Whether the claimer's signature holds over the transaction's own bytes; None where the answer
    does not carry them.
    """
    if read.message_bytes is None or claimer not in read.account_keys[: len(read.signatures)]:
        return None if read.message_bytes is None else False
    signature = read.signatures[read.account_keys.index(claimer)]
    return verify_strict(key_bytes(claimer), read.message_bytes, b58decode(signature))


def _received(meta: Mapping[str, Any], owner: str, mint: str) -> str | None:
    """By how much an owner's tokens of a mint grew, in base units, as text; None where the answer
    does not say.
    """
    sums = []
    for name in ("preTokenBalances", "postTokenBalances"):
        rows = meta.get(name)
        if not isinstance(rows, list):
            return None
        sums.append(
            sum(
                int(row["uiTokenAmount"]["amount"])
                for row in rows
                if (row.get("owner"), row.get("mint")) == (owner, mint)
            )
        )
    return str(sums[1] - sums[0])


def ticket_checks(
    ticket: Mapping[str, Any] | None, event: str, wallet: str, code: str
) -> tuple[Check, ...]:
    """What the canary's ticket receipt must say; the worker's own check is blind to whose it is."""
    if ticket is None:
        return (Check("ticket_receipt", None, "a ticket receipt", None),)
    audit = ticket.get("audit")
    stated = audit if isinstance(audit, Mapping) else {}
    return (
        equal("ticket_receipt", canonical.receipt_hash(dict(ticket)), ticket.get("receiptHash")),
        equal("ticket_event", event, stated.get("eventId")),
        equal("ticket_code", code, ticket.get("confirmationCode")),
        equal(
            "ticket_subject",
            canonical.subject_commitment(event, wallet),
            ticket.get("subjectCommitment"),
        ),
    )


def anchor_check(
    rows: Sequence[Mapping[str, Any]], proof: Proof, ticket: Mapping[str, Any] | None
) -> Check:
    """Whether the worker's audit list holds the anchor of the proof; None where the list does not
    show it (any more).
    """
    said = proof.said
    for row in rows:
        data = row.get("data")
        if row.get("event") != ANCHOR_EVENT or not isinstance(data, Mapping):
            continue
        if (data.get("grant"), data.get("claimer"), str(data.get("periodIndex"))) != (
            said.grant,
            said.claimer,
            str(said.period_index),
        ):
            continue
        committed = (
            data.get("receiptHash")
            if ticket is not None and "receiptHash" in data
            else row.get("entry_hash")
        )
        if committed == said.audit_hash:
            return Check(
                "anchor",
                canonical.entry_hash(dict(row)) == row.get("entry_hash"),
                row.get("entry_hash"),
                row.get("entry_hash"),
            )
    return Check("anchor", None, "an anchor with the proof's audit hash", None)
