"""Transactions as a node gives them: base64, base58, json and jsonParsed, made from the recorded
answer.

Where what was asked for is what was recorded, the recorded bytes are the answer.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from popkit.protocol.keys import b58decode, b58encode
from popkit.protocol.transaction import TransactionError, decode_json, decode_result
from popkit.protocol.wire import compact_bytes
from popkit.serving.instructions import instruction_parsed
from popkit.serving.params import INTERNAL_ERROR, UNSUPPORTED_VERSION, RpcError

ENCODINGS = ("binary", "base58", "base64", "json", "jsonParsed")


def rendered(result: bytes, encoding: str, newest_version: int | None) -> msgspec.Raw:
    """The `result` of getTransaction for a recorded one.

    `newest_version` is the call's maxSupportedTransactionVersion: without it a node serves legacy
    transactions alone, and leaves `version` out. Raises RpcError -32015 for a newer transaction,
    -32603 where the case has not the bytes that an encoding needs.
    """
    value = msgspec.json.decode(result, type=dict[str, msgspec.Raw])
    version = _version(result, value)
    if version != "legacy" and not (
        isinstance(version, int) and newest_version is not None and version <= newest_version
    ):
        raise RpcError(
            UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please "
            f"try the request again with "
            f'the following configuration parameter: "maxSupportedTransactionVersion": {version}',
        )
    wanted: dict[str, msgspec.Raw] = dict(value)
    wanted.pop("version", None)
    if newest_version is not None:
        wanted["version"] = msgspec.Raw(msgspec.json.encode(version))
    if _encoding(value) != encoding:
        wanted |= _encoded(result, encoding)
    return msgspec.Raw(result if _same(wanted, value) else msgspec.json.encode(wanted))


def _same(wanted: dict[str, msgspec.Raw], value: dict[str, msgspec.Raw]) -> bool:
    return wanted.keys() == value.keys() and all(
        bytes(wanted[name]) == bytes(value[name]) for name in value
    )


def _version(result: bytes, value: dict[str, msgspec.Raw]) -> Any:
    """`legacy` or a number; read from the transaction itself where the answer does not say."""
    said = msgspec.json.decode(value["version"]) if "version" in value else None
    if said is not None:
        return said
    try:
        return decode_result(msgspec.json.decode(result)).version
    except TransactionError:
        return "legacy"


def _encoding(value: dict[str, msgspec.Raw]) -> str:
    """The encoding that a transaction was recorded in."""
    document = msgspec.json.decode(value["transaction"])
    if isinstance(document, str):
        return "binary"
    if isinstance(document, list):
        return str(document[-1]) if document else ""
    keys = document.get("message", {}).get("accountKeys") or []
    return "jsonParsed" if keys and isinstance(keys[0], dict) else "json"


def _encoded(result: bytes, encoding: str) -> dict[str, msgspec.Raw]:
    """The members of the answer that another encoding changes."""
    answer = msgspec.json.decode(result)
    try:
        wire = _wire(answer)
        in_json = encoding in ("json", "jsonParsed")
        changed = (
            _in_json(wire, answer["meta"], encoding)
            if in_json
            else {"transaction": _in_bytes(wire, encoding)}
        )
    except (TransactionError, ValueError, TypeError, KeyError, IndexError) as error:
        text = f"popkit serve: the case's record of this transaction cannot be given as {encoding}: {error}"
        raise RpcError(INTERNAL_ERROR, text) from None
    return {name: msgspec.Raw(msgspec.json.encode(part)) for name, part in changed.items()}


def _wire(answer: dict[str, Any]) -> bytes:
    """The bytes of a recorded transaction. Raises TransactionError where the record does not hold
    them (jsonParsed).
    """
    document = answer["transaction"]
    if isinstance(document, dict):
        tx = decode_json(document, answer.get("meta"), answer.get("version"))
        if tx.message_bytes is None:
            raise TransactionError(
                "it was recorded as jsonParsed, which does not keep the signed bytes"
            )
        return (
            compact_bytes(len(tx.signatures))
            + b"".join(b58decode(text) for text in tx.signatures)
            + tx.message_bytes
        )
    decode_result(answer)  # says what is wrong with it, in words
    text, encoding = (document, "base58") if isinstance(document, str) else document
    return pybase64.b64decode(text, validate=True) if encoding == "base64" else b58decode(text)


def _in_bytes(wire: bytes, encoding: str) -> Any:
    if encoding == "base64":
        return [pybase64.b64encode(wire).decode(), "base64"]
    return b58encode(wire) if encoding == "binary" else [b58encode(wire), "base58"]


def _in_json(wire: bytes, meta: dict[str, Any] | None, encoding: str) -> dict[str, Any]:
    """`transaction` and, for jsonParsed, `meta` as a node writes them from the wire bytes."""
    tx = VersionedTransaction.from_bytes(wire)
    message = tx.message
    static = [str(key) for key in message.account_keys]
    loaded = (meta or {}).get("loadedAddresses") or {"writable": [], "readonly": []}
    keys = [*static, *loaded["writable"], *loaded["readonly"]]
    compiled = [
        {
            "programIdIndex": item.program_id_index,
            "accounts": list(item.accounts),
            "data": b58encode(bytes(item.data)),
            "stackHeight": 1,
        }
        for item in message.instructions
    ]
    written: dict[str, Any] = {"recentBlockhash": str(message.recent_blockhash)}
    if isinstance(message, MessageV0):
        written["addressTableLookups"] = [
            {
                "accountKey": str(table.account_key),
                "writableIndexes": list(table.writable_indexes),
                "readonlyIndexes": list(table.readonly_indexes),
            }
            for table in message.address_table_lookups
        ]
    header = {
        "numRequiredSignatures": message.header.num_required_signatures,
        "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
        "numReadonlyUnsignedAccounts": message.header.num_readonly_unsigned_accounts,
    }
    signatures = [str(signature) for signature in tx.signatures]
    if encoding == "json":
        written |= {"header": header, "accountKeys": static, "instructions": compiled}
        return {"transaction": {"signatures": signatures, "message": written}}
    written["accountKeys"] = _keys_parsed(static, loaded, header)
    written["instructions"] = [instruction_parsed(item, keys) for item in compiled]
    return {
        "transaction": {"signatures": signatures, "message": written},
        "meta": _meta_parsed(meta, keys),
    }


def _keys_parsed(
    static: list[str], loaded: dict[str, list[str]], header: dict[str, int]
) -> list[dict[str, Any]]:
    """The accounts of a message with what it may do to each."""
    signers = header["numRequiredSignatures"]
    readonly = [
        *range(signers - header["numReadonlySignedAccounts"], signers),
        *range(len(static) - header["numReadonlyUnsignedAccounts"], len(static)),
    ]
    rows = [
        {
            "pubkey": key,
            "signer": at < signers,
            "source": "transaction",
            "writable": at not in readonly,
        }
        for at, key in enumerate(static)
    ]
    for kind in ("writable", "readonly"):
        rows += [
            {
                "pubkey": key,
                "signer": False,
                "source": "lookupTable",
                "writable": kind == "writable",
            }
            for key in loaded[kind]
        ]
    return rows


def _meta_parsed(meta: dict[str, Any] | None, keys: list[str]) -> dict[str, Any] | None:
    """The meta of jsonParsed: inner instructions parsed, loaded addresses left out, as they stand
    among the accounts.
    """
    if meta is None:
        return None
    parsed = {name: part for name, part in meta.items() if name != "loadedAddresses"}
    if meta.get("innerInstructions"):
        parsed["innerInstructions"] = [
            {
                **group,
                "instructions": [instruction_parsed(item, keys) for item in group["instructions"]],
            }
            for group in meta["innerInstructions"]
        ]
    return parsed
