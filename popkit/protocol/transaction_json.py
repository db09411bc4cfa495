"""Transactions in the JSON encodings of an RPC node: json, from which the signed bytes can be
written again, and jsonParsed.

Clients write the same document in their own words: web3.js names `staticAccountKeys`,
`compiledInstructions` and `accountKeyIndexes` and shows bytes as Buffers; @solana/kit turns numbers
into text. All are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pybase64 import b64decode

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

TextEncoding = Literal["base58", "base64", "hex"]


def decode_json(
    tx: Mapping[str, Any],
    meta: Mapping[str, Any] | None = None,
    version: object = None,
    encoding: TextEncoding = "base58",
) -> Transaction:
    """Read the `transaction` of getTransaction in encoding json or jsonParsed, as it stands.

    `meta` gives the loaded addresses of a v0 transaction; `version` is the answer's own, where it
    has one; `encoding` is how instruction data is written where it is text (nodes write base58).
    Raises TransactionError when the document is not one.
    """
    try:
        message = tx["message"]
        signatures = tuple(_text(signature) for signature in tx["signatures"])
        if is_parsed(message):
            return _decode_parsed(message, signatures, version, encoding)
        return _decode_plain(message, signatures, meta, version, encoding)
    except (KeyError, TypeError, IndexError, AttributeError) as problem:
        raise TransactionError(
            f"not a transaction in JSON: {type(problem).__name__} {problem}"
        ) from problem


def account_keys(message: Mapping[str, Any]) -> Sequence[Any]:
    """The keys that a message lists, by the node's name for them or web3.js's. Raises KeyError
    without either.
    """
    keys = message["staticAccountKeys" if "staticAccountKeys" in message else "accountKeys"]
    if not isinstance(keys, list):
        raise TransactionError(f"account keys in a list expected, got {type(keys).__name__}")
    return keys


def is_parsed(message: Mapping[str, Any]) -> bool:
    """Whether a message is in encoding jsonParsed, where every account says itself what it is."""
    keys = account_keys(message)
    return bool(keys) and isinstance(keys[0], Mapping)


def inner_instructions(
    meta: Mapping[str, Any] | None, tx: Transaction
) -> list[tuple[int, int, Instruction]]:
    """The instructions that programs called: (top-level index, position in its list, instruction).

    Raises TransactionError when one of them cannot be read.
    """
    found, why = readable_inner_instructions(meta, tx)
    if why is not None:
        raise TransactionError(f"not a list of inner instructions: {why}")
    return found


def readable_inner_instructions(
    meta: Mapping[str, Any] | None, tx: Transaction
) -> tuple[list[tuple[int, int, Instruction]], str | None]:
    """Those inner instructions that can be read, and why others cannot (None when all can).

    Archives garble them while the signed message stays whole, so that what can be read is not lost
    with the rest.
    """
    found: list[tuple[int, int, Instruction]] = []
    why: str | None = None
    groups = (meta or {}).get("innerInstructions") or ()
    if not isinstance(groups, list | tuple):
        return found, f"a list expected, got {type(groups).__name__}"
    for group in groups:
        try:
            outer, listed = _count(group["index"]), list(group["instructions"])
        except (KeyError, TypeError, TransactionError) as problem:
            why = why or f"{type(problem).__name__} {problem}"
            continue
        for position, item in enumerate(listed):
            try:
                found.append((outer, position, _json_instruction(item, tx.account_keys, "base58")))
            except (KeyError, TypeError, AttributeError, ValueError) as problem:
                why = why or f"{type(problem).__name__} {problem}"
    return found, why


def _decode_plain(
    message: Mapping[str, Any],
    signatures: tuple[str, ...],
    meta: Mapping[str, Any] | None,
    version: object,
    encoding: TextEncoding,
) -> Transaction:
    """Encoding json: indices and instruction data, from which the signed bytes can be written
    again.
    """
    static = tuple(_text(key) for key in account_keys(message))
    counts = message["header"]
    header = Header(
        _count(counts["numRequiredSignatures"]),
        _count(counts["numReadonlySignedAccounts"]),
        _count(counts["numReadonlyUnsignedAccounts"]),
    )
    check_header(header, len(static), len(signatures))
    lookups = message.get("addressTableLookups")
    known = json_version(version, lookups is not None)
    writable, readonly = loaded_addresses(meta)
    if known == 0 and lookups and (writable or readonly):
        wanted, given = table_counts(lookups), (len(writable), len(readonly))
        if wanted != given:
            raise TransactionError(
                f"{wanted} loaded addresses (writable, readonly) expected, got {given}"
            )
    compiled = [
        (_count(item["programIdIndex"]), _indices(_accounts(item)), _data(item["data"], encoding))
        for item in _instructions(message)
    ]
    blockhash = message.get("recentBlockhash")
    # Addresses were loaded from tables that the document does not list, or the blockhash is left out: the signed bytes are not all there.
    is_whole = blockhash is not None and not ((writable or readonly) and not lookups)
    signed = None
    if known != 1 and is_whole:
        signed = _message_bytes(known, header, static, _text(blockhash), compiled, lookups or ())
    keys = (*static, *writable, *readonly)
    return assemble(
        known, signatures, keys, len(static), header, len(writable), compiled, signed, blockhash
    )


def table_counts(lookups: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many addresses (writable, readonly) the address tables of a message load."""
    return (
        sum(len(_indices(item["writableIndexes"])) for item in lookups),
        sum(len(_indices(item["readonlyIndexes"])) for item in lookups),
    )


def _decode_parsed(
    message: Mapping[str, Any], signatures: tuple[str, ...], version: object, encoding: TextEncoding
) -> Transaction:
    """Encoding jsonParsed: every account says itself what it is; instructions may show only their
    parsed form.
    """
    listed = account_keys(message)
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
        version=json_version(version, message.get("addressTableLookups") is not None),
        signatures=signatures,
        account_keys=keys,
        static_keys=len(static),
        num_required_signatures=required,
        num_readonly_signed=header.readonly_signed,
        num_readonly_unsigned=header.readonly_unsigned,
        num_loaded_writable=loaded_writable,
        instructions=tuple(
            _json_instruction(item, keys, encoding) for item in _instructions(message)
        ),
        message_bytes=None,
        blockhash=message.get("recentBlockhash"),
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
        parts += [
            compact_bytes(len(static)),
            *(key_bytes(key) for key in static),
            key_bytes(blockhash),
        ]
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
                writable, readonly = (
                    _indices(item["writableIndexes"]),
                    _indices(item["readonlyIndexes"]),
                )
                parts += [key_bytes(item["accountKey"]), compact_bytes(len(writable)), writable]
                parts += [compact_bytes(len(readonly)), readonly]
    except ValueError as problem:
        raise TransactionError(f"the message cannot be written again: {problem}") from problem
    return b"".join(parts)


def _instructions(message: Mapping[str, Any]) -> Sequence[Any]:
    found: Sequence[Any] = message[
        "compiledInstructions" if "compiledInstructions" in message else "instructions"
    ]
    return found


def _accounts(item: Mapping[str, Any]) -> Any:
    return item["accountKeyIndexes" if "accountKeyIndexes" in item else "accounts"]


def _json_instruction(
    item: Mapping[str, Any], keys: Sequence[str], encoding: TextEncoding
) -> Instruction:
    """An instruction in any of the three JSON shapes: compiled, partially decoded, parsed."""
    if "programIdIndex" in item:
        program, accounts = _count(item["programIdIndex"]), list(_indices(_accounts(item)))
        if max(program, *accounts, 0) >= len(keys):
            raise TransactionError(
                f"an instruction names account {max(program, *accounts, 0)}, there are {len(keys)}"
            )
        return Instruction(
            keys[program], tuple([keys[at] for at in accounts]), _data(item["data"], encoding)
        )
    if "parsed" in item:
        return Instruction(_text(item["programId"]), (), None)
    accounts_of = tuple(_text(key) for key in item["accounts"])
    return Instruction(_text(item["programId"]), accounts_of, _data(item["data"], encoding))


def json_version(version: object, has_tables: bool) -> Version:
    """The version that an answer states; where it states none, that of a message with or without
    address tables.

    Raises TransactionError for a version that popkit does not know.
    """
    if version is None:
        return 0 if has_tables else "legacy"
    if version == "legacy":
        return "legacy"
    if type(version) in (int, str) and str(version) in ("0", "1"):
        return 0 if str(version) == "0" else 1
    raise TransactionError(f"transaction version legacy, 0 or 1 expected, got {version!r}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TransactionError(f"text expected, got {type(value).__name__}")
    return value


def _count(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 3:
        value = int(value)
    if type(value) is not int or not 0 <= value <= 255:
        raise TransactionError(f"a number from 0 to 255 expected, got {value!r}")
    return value


def _indices(value: object) -> bytes:
    """Account indices: a list of numbers, or bytes as JavaScript writes them."""
    if isinstance(value, list):
        return bytes(_count(at) for at in value)
    return _javascript_bytes(value)


def _javascript_bytes(value: object) -> bytes:
    """Bytes as JSON.stringify writes a Buffer ({type, data}) or a Uint8Array ({"0": …, "1": …})."""
    if isinstance(value, Mapping):
        if value.get("type") == "Buffer" and isinstance(value.get("data"), list):
            return bytes(_count(byte) for byte in value["data"])
        if all(str(at) in value for at in range(len(value))):
            return bytes(_count(value[str(at)]) for at in range(len(value)))
    raise TransactionError(f"bytes expected, got {type(value).__name__}")


def _data(value: object, encoding: TextEncoding = "base58") -> bytes:
    """Instruction data: text in the encoding that is asked for, [text, encoding], a list of bytes,
    or a JavaScript Buffer.
    """
    if (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and value[1] in ("base58", "base64")
    ):
        value, encoding = value
    if isinstance(value, list | Mapping):
        return _indices(value)
    text = _text(value)
    try:
        if encoding == "base58":
            return b58decode(text)
        return (
            b64decode(text, validate=True)
            if encoding == "base64"
            else bytes.fromhex(text.removeprefix("0x"))
        )
    except ValueError as problem:
        raise TransactionError(f"instruction data: {problem}") from problem


__all__ = [
    "TextEncoding",
    "account_keys",
    "decode_json",
    "inner_instructions",
    "is_parsed",
    "json_version",
    "readable_inner_instructions",
    "table_counts",
]
