"""Transactions as an RPC node gives them: wire bytes (legacy, v0, v1) or JSON, into one shape.

Only what is well-formed is read; what a validator would refuse to sanitise is a TransactionError.
"""

from __future__ import annotations

import struct
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from typing import Any

from pybase64 import b64decode

from popkit.protocol.keys import b58decode, b58encode
from popkit.protocol.readings import read_json
from popkit.protocol.transaction_json import (
    decode_json,
    inner_instructions,
    readable_inner_instructions,
)
from popkit.protocol.transaction_model import (
    Header,
    Instruction,
    Transaction,
    Version,
    assemble,
    check_header,
    loaded_addresses,
    signatures_hold,
)
from popkit.protocol.wire import Reader, TransactionError

__all__ = [
    "Instruction",
    "Transaction",
    "TransactionError",
    "decode_json",
    "decode_result",
    "decode_wire",
    "has_signer",
    "inner_instructions",
    "read_json",
    "readable_inner_instructions",
    "signatures_hold",
]

_V1_PREFIX = 0x81
# SIMD-0385: bits 0 and 1 are the halves of the priority fee, 2 to 4 the other settings; there are no others.
_V1_KNOWN_MASK = 0b11111
_V1_FEE_MASK = 0b11


def decode_wire(
    data: bytes, loaded_writable: Sequence[str] = (), loaded_readonly: Sequence[str] = ()
) -> Transaction:
    """Read a transaction's bytes; loaded addresses are those of `meta.loadedAddresses` (v0 only).

    Raises TransactionError on truncation, bytes too many, counts that do not add up and indices out
    of range.
    """
    if data[:1] == bytes([_V1_PREFIX]):
        if loaded_writable or loaded_readonly:
            raise TransactionError(
                "a v1 transaction has no address tables, but loaded addresses were given"
            )
        return _decode_v1(data)
    reader = Reader(data)
    count = reader.compact("the number of signatures")
    signatures = _signatures(reader, count)
    message_bytes = bytes(data[reader.position :])
    first = reader.data[reader.position : reader.position + 1]
    version: Version = "legacy"
    if first and first[0] & 0x80:
        if reader.number(1, "the version") != 0x80:
            raise TransactionError(
                f"message version legacy or 0 expected after the signatures, got {first[0] & 0x7F}"
            )
        version = 0
    header = Header(*reader.take(3, "the header"))
    static = reader.keys(reader.compact("the number of accounts"), "the accounts")
    check_header(header, len(static), count)
    blockhash = b58encode(reader.take(32, "the recent blockhash"))
    compiled = [_compiled(reader, at) for at in range(reader.compact("the number of instructions"))]
    wanted = _lookups(reader) if version == 0 else (0, 0)
    if reader.left:
        raise TransactionError(
            f"the message ends at byte {reader.position}, the transaction at {len(data)}"
        )
    if wanted != (len(loaded_writable), len(loaded_readonly)):
        given = (len(loaded_writable), len(loaded_readonly))
        raise TransactionError(
            f"{wanted} loaded addresses (writable, readonly) expected, got {given}"
        )
    keys = (*static, *loaded_writable, *loaded_readonly)
    return assemble(
        version,
        signatures,
        keys,
        len(static),
        header,
        len(loaded_writable),
        compiled,
        message_bytes,
        blockhash,
    )


def decode_result(result: Mapping[str, Any]) -> Transaction:
    """Read a whole answer of getTransaction, in whichever encoding it was asked for."""
    document, meta = result.get("transaction"), result.get("meta")
    if isinstance(document, Mapping):
        return read_json(document, meta, result.get("version"))
    pair = (document, "base58") if isinstance(document, str) else document
    text, encoding = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
    if encoding not in ("base64", "base58") or not isinstance(text, str):
        raise TransactionError(
            f"a transaction in base64, base58 or JSON expected, got encoding {encoding!r}"
        )
    try:
        data = b64decode(text, validate=True) if encoding == "base64" else b58decode(text)
    except (ValueError, Base64Error) as problem:
        raise TransactionError(f"the transaction is not {encoding}: {problem}") from problem
    writable, readonly = loaded_addresses(meta)
    return decode_wire(data, writable, readonly)


def has_signer(tx: Transaction, key: str) -> bool:
    """Whether `key` had to sign this transaction."""
    return key in tx.account_keys[: tx.num_required_signatures]


def _decode_v1(data: bytes) -> Transaction:
    """SIMD-0385: counts and keys first, then the config, the instructions and, last, the
    signatures.
    """
    reader = Reader(data, 1)
    header = Header(*reader.take(3, "the header"))
    mask = reader.number(4, "the config mask")
    if mask & ~_V1_KNOWN_MASK or mask & _V1_FEE_MASK not in (0, _V1_FEE_MASK):
        raise TransactionError(
            f"a config mask of bits 0 to 4, 0 and 1 together, expected, got {mask:#x}"
        )
    lifetime = b58encode(reader.take(32, "the lifetime"))
    instruction_count = reader.number(1, "the number of instructions")
    static = reader.keys(reader.number(1, "the number of accounts"), "the accounts")
    check_header(header, len(static), header.required)
    reader.take(4 * mask.bit_count(), "the config")
    shapes = [
        struct.unpack("<BBH", reader.take(4, f"header of instruction {at}"))
        for at in range(instruction_count)
    ]
    compiled = [
        (
            program,
            reader.take(accounts, f"accounts of instruction {at}"),
            reader.take(size, f"data of instruction {at}"),
        )
        for at, (program, accounts, size) in enumerate(shapes)
    ]
    message_bytes = bytes(data[: reader.position])
    signatures = _signatures(reader, header.required)
    if reader.left:
        raise TransactionError(
            f"the signatures end at byte {reader.position}, the transaction at {len(data)}"
        )
    return assemble(
        1, signatures, static, len(static), header, 0, compiled, message_bytes, lifetime
    )


def _signatures(reader: Reader, count: int) -> tuple[str, ...]:
    raw = reader.take(64 * count, "the signatures")
    return tuple(b58encode(raw[at : at + 64]) for at in range(0, len(raw), 64))


def _compiled(reader: Reader, at: int) -> tuple[int, bytes, bytes]:
    program = reader.number(1, f"program of instruction {at}")
    accounts = reader.take(
        reader.compact(f"account count of instruction {at}"), f"accounts of instruction {at}"
    )
    data = reader.take(
        reader.compact(f"data length of instruction {at}"), f"data of instruction {at}"
    )
    return program, accounts, data


def _lookups(reader: Reader) -> tuple[int, int]:
    """How many writable and readonly addresses the tables of a v0 message load."""
    writable = readonly = 0
    for at in range(reader.compact("the number of address tables")):
        reader.take(32, f"address table {at}")
        writable += len(
            reader.take(
                reader.compact(f"writable count of table {at}"), f"writable indices of table {at}"
            )
        )
        readonly += len(
            reader.take(
                reader.compact(f"readonly count of table {at}"), f"readonly indices of table {at}"
            )
        )
    return writable, readonly
