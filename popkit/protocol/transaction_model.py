"""The one shape of a transaction, whatever it was read from, and what has to add up in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from popkit.protocol.keys import b58decode, is_pubkey, key_bytes, verify_strict
from popkit.protocol.wire import TransactionError

Version = Literal["legacy", 0, 1]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `data` is None where jsonParsed shows only the parsed form."""

    program: str
    accounts: tuple[str, ...]
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction.

    `account_keys` are the static keys, then the loaded writable, then the loaded readonly ones.
    `message_bytes` are the signed bytes; None when they cannot be rebuilt (jsonParsed, v1 as JSON,
    a member missing). `blockhash` is the recent blockhash (v1: the lifetime), base58; None when the
    document leaves it out.
    """

    version: Version
    signatures: tuple[str, ...]
    account_keys: tuple[str, ...]
    static_keys: int
    num_required_signatures: int
    num_readonly_signed: int
    num_readonly_unsigned: int
    num_loaded_writable: int
    instructions: tuple[Instruction, ...]
    message_bytes: bytes | None
    blockhash: str | None = None

    def is_signer(self, index: int) -> bool:
        """Whether the account at this place in `account_keys` had to sign."""
        return 0 <= index < self.num_required_signatures

    def is_writable(self, index: int) -> bool:
        """Whether the message asks for write access to the account at this place in `account_keys`."""
        if index >= self.static_keys:
            return index < self.static_keys + self.num_loaded_writable
        if index < self.num_required_signatures:
            return index < self.num_required_signatures - self.num_readonly_signed
        return index < self.static_keys - self.num_readonly_unsigned


@dataclass(frozen=True, slots=True)
class Header:
    """The three counts of a message's header."""

    required: int
    readonly_signed: int
    readonly_unsigned: int


def assemble(
    version: Version,
    signatures: tuple[str, ...],
    keys: tuple[str, ...],
    static: int,
    header: Header,
    loaded_writable: int,
    compiled: Sequence[tuple[int, bytes, bytes]],
    message_bytes: bytes | None,
    blockhash: str | None,
) -> Transaction:
    """A transaction from its compiled instructions (program index, account indices, data)."""
    instructions = []
    for at, (program, accounts, data) in enumerate(compiled):
        # The fee payer cannot be a program, and programs are never loaded from tables.
        if not 0 < program < static:
            raise TransactionError(
                f"program of instruction {at} must be from 1 to {static - 1}, got {program}"
            )
        if accounts and max(accounts) >= len(keys):
            raise TransactionError(
                f"instruction {at} names account {max(accounts)}, there are {len(keys)}"
            )
        instructions.append(
            Instruction(keys[program], tuple([keys[index] for index in accounts]), bytes(data))
        )
    return Transaction(
        version=version,
        signatures=signatures,
        account_keys=keys,
        static_keys=static,
        num_required_signatures=header.required,
        num_readonly_signed=header.readonly_signed,
        num_readonly_unsigned=header.readonly_unsigned,
        num_loaded_writable=loaded_writable,
        instructions=tuple(instructions),
        message_bytes=message_bytes,
        blockhash=blockhash,
    )


def signatures_hold(tx: Transaction) -> bool | None:
    """Whether every required signature verifies over the signed bytes; None when those are not
    known.
    """
    if tx.message_bytes is None:
        return None
    if len(tx.signatures) != tx.num_required_signatures:
        return False
    signers = tx.account_keys[: tx.num_required_signatures]
    try:
        return all(
            verify_strict(key_bytes(key), tx.message_bytes, b58decode(signature))
            for key, signature in zip(signers, tx.signatures, strict=True)
        )
    except ValueError:
        return False


def check_header(header: Header, static: int, signatures: int) -> None:
    """Refuse counts that no validator would sanitise."""
    if header.required < 1 or header.required != signatures:
        raise TransactionError(f"{header.required} required signatures, got {signatures}")
    if header.readonly_signed >= header.required:
        raise TransactionError(
            f"{header.readonly_signed} of {header.required} signers are readonly: none can pay"
        )
    if header.required + header.readonly_unsigned > static:
        raise TransactionError(
            f"{header.required} signers and {header.readonly_unsigned} readonly of {static} "
            f"accounts"
        )


def loaded_addresses(meta: Mapping[str, Any] | None) -> tuple[list[str], list[str]]:
    """The addresses that tables gave a v0 transaction (writable, readonly), from its `meta`."""
    try:
        loaded = (meta or {}).get("loadedAddresses") or {}
        lists = (list(loaded.get("writable") or ()), list(loaded.get("readonly") or ()))
    except (AttributeError, TypeError) as problem:
        raise TransactionError(f"loadedAddresses are not two lists of keys: {problem}") from problem
    if not all(is_pubkey(key) for keys in lists for key in keys):
        raise TransactionError("loadedAddresses hold something that is not a public key")
    return lists
