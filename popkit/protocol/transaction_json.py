"""Transactions in the JSON encodings of an RPC node: json, from which the signed bytes can be written again,
and jsonParsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from popkit.protocol.keys import b58decode, key_bytes
from popkit.protocol.transaction_model import (
    Header,
    Instruction,
    Transaction,
    Version,
    assemble,
    check_header,
    loaded_addresses,
)
from popkit.protocol.wire import TransactionError, compact_bytes


def decode_json(tx: Mapping[str, Any], meta: Mapping[str, Any] | None = None, version: object = None) -> Transaction:
    """Read the `transaction` of getTransaction in encoding json or jsonParsed.

    `meta` gives the loaded addresses of a v0 transaction; `version` is the answer's own, where it has one.
    Raises TransactionError when the document is not one.
    """
    try:
        message = tx["message"]
        signatures = tuple(_text(signature) for signature in tx["signatures"])
        keys = message["accountKeys"]
        if keys and isinstance(keys[0], Mapping):
            return _decode_parsed(message, signatures, version)
        return _decode_plain(message, signatures, meta, version)
    except (KeyError, TypeError, IndexError, AttributeError) as problem:
        raise TransactionError(f"not a transaction in JSON: {type(problem).__name__} {problem}") from problem


def inner_instructions(meta: Mapping[str, Any] | None, tx: Transaction) -> list[tuple[int, int, Instruction]]:
    """The instructions that programs called: (top-level index, position in its list, instruction)."""
    found = []
    try:
        for group in (meta or {}).get("innerInstructions") or ():
            for position, item in enumerate(group["instructions"]):
                found.append((int(group["index"]), position, _json_instruction(item, tx.account_keys)))
    except (KeyError, TypeError, AttributeError) as problem:
        raise TransactionError(f"not a list of inner instructions: {type(problem).__name__} {problem}") from problem
    return found


def _decode_plain(message: Mapping[str, Any], signatures: tuple[str, ...], meta: Mapping[str, Any] | None, version: object) -> Transaction:
    """Encoding json: indices and base58 data, from which the signed bytes can be written again."""
    static = tuple(_text(key) for key in message["accountKeys"])
    counts = message["header"]
    header = Header(
        _count(counts["numRequiredSignatures"]),
        _count(counts["numReadonlySignedAccounts"]),
        _count(counts["numReadonlyUnsignedAccounts"]),
    )
    check_header(header, len(static), len(signatures))
    lookups = message.get("addressTableLookups")
    known = _json_version(version, lookups is not None)
    writable, readonly = loaded_addresses(meta)
    if known == 0 and lookups:
        wanted = (
            sum(len(item["writableIndexes"]) for item in lookups),
            sum(len(item["readonlyIndexes"]) for item in lookups),
        )
        if wanted != (len(writable), len(readonly)):
            given = (len(writable), len(readonly))
            raise TransactionError(f"{wanted} loaded addresses (writable, readonly) expected, got {given}")
    compiled = [
        (_count(item["programIdIndex"]), bytes(_count(at) for at in item["accounts"]), _data(item["data"]))
        for item in message["instructions"]
    ]
    signed = None
    if known != 1:
        signed = _message_bytes(known, header, static, _text(message["recentBlockhash"]), compiled, lookups or ())
    keys = (*static, *writable, *readonly)
    return assemble(known, signatures, keys, len(static), header, len(writable), compiled, signed)


def _decode_parsed(message: Mapping[str, Any], signatures: tuple[str, ...], version: object) -> Transaction:
    """Encoding jsonParsed: every account says itself what it is; instructions may show only their parsed
    form.
    """
    listed = message["accountKeys"]
    keys = tuple(_text(item["pubkey"]) for item in listed)
    static = [item for item in listed if item.get("source", "transaction") != "lookupTable"]
    required = sum(bool(item["signer"]) for item in static)
    header = Header(
        required,
        sum(not item["writable"] for item in static[:required]),
        sum(not item["writable"] for item in static[required:]),
    )
    if len(signatures) != required:
        raise TransactionError(f"{required} signatures expected, got {len(signatures)}")
    loaded_writable = sum(bool(item["writable"]) for item in listed[len(static) :])
    return Transaction(
        version=_json_version(version, message.get("addressTableLookups") is not None),
        signatures=signatures,
        account_keys=keys,
        static_keys=len(static),
        num_required_signatures=required,
        num_readonly_signed=header.readonly_signed,
        num_readonly_unsigned=header.readonly_unsigned,
        num_loaded_writable=loaded_writable,
        instructions=tuple(_json_instruction(item, keys) for item in message["instructions"]),
        message_bytes=None,
    )


def _message_bytes(
    version: Version,
    header: Header,
    static: Sequence[str],
    blockhash: str,
    compiled: Sequence[tuple[int, bytes, bytes]],
    lookups: Sequence[Mapping[str, Any]],
) -> bytes:
    """The signed bytes of a legacy or v0 message, written from its JSON."""
    try:
        parts = [
            b"\x80" if version == 0 else b"",
            bytes([header.required, header.readonly_signed, header.readonly_unsigned]),
        ]
        parts += [compact_bytes(len(static)), *(key_bytes(key) for key in static), key_bytes(blockhash)]
        parts.append(compact_bytes(len(compiled)))
        for program, accounts, data in compiled:
            parts += [
                bytes([program]),
                compact_bytes(len(accounts)),
                accounts,
                compact_bytes(len(data)),
                data,
            ]
        if version == 0:
            parts.append(compact_bytes(len(lookups)))
            for item in lookups:
                writable, readonly = bytes(item["writableIndexes"]), bytes(item["readonlyIndexes"])
                parts += [key_bytes(item["accountKey"]), compact_bytes(len(writable)), writable]
                parts += [compact_bytes(len(readonly)), readonly]
    except ValueError as problem:
        raise TransactionError(f"the message cannot be written again: {problem}") from problem
    return b"".join(parts)


def _json_instruction(item: Mapping[str, Any], keys: Sequence[str]) -> Instruction:
    """An instruction in any of the three JSON shapes: compiled, partially decoded, parsed."""
    if "programIdIndex" in item:
        program, accounts = _count(item["programIdIndex"]), [_count(at) for at in item["accounts"]]
        if max(program, *accounts, 0) >= len(keys):
            raise TransactionError(f"an instruction names account {max(program, *accounts, 0)}, there are {len(keys)}")
        return Instruction(keys[program], tuple([keys[at] for at in accounts]), _data(item["data"]))
    if "parsed" in item:
        return Instruction(_text(item["programId"]), (), None)
    accounts_of = tuple(_text(key) for key in item["accounts"])
    return Instruction(_text(item["programId"]), accounts_of, _data(item["data"]))


def _json_version(version: object, has_tables: bool) -> Version:
    if version is None:
        return 0 if has_tables else "legacy"
    if version == "legacy":
        return "legacy"
    if type(version) is int and version in (0, 1):
        return 0 if version == 0 else 1
    raise TransactionError(f"transaction version legacy, 0 or 1 expected, got {version!r}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TransactionError(f"text expected, got {type(value).__name__}")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise TransactionError(f"a number from 0 to 255 expected, got {value!r}")
    return value


def _data(value: object) -> bytes:
    try:
        return b58decode(_text(value))
    except ValueError as problem:
        raise TransactionError(f"instruction data: {problem}") from problem
