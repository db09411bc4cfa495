"""Which transaction a JSON document shows: every lawful reading of it, until one is signed as it
says.

Copying is not forging. Nodes, archives and client libraries write one transaction in many ways:
they leave `version` out, write `addressTableLookups` as null, put loaded addresses among the
account keys, or write instruction data in base64. The signatures say which reading is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from popkit.protocol.transaction_json import (
    TextEncoding,
    account_keys,
    decode_json,
    is_parsed,
    json_version,
    table_counts,
)
from popkit.protocol.transaction_model import (
    Transaction,
    Version,
    loaded_addresses,
    signatures_hold,
)
from popkit.protocol.wire import TransactionError

_ENCODINGS: tuple[TextEncoding, ...] = ("base58", "base64", "hex")


class _Reading(NamedTuple):
    """One way to read a document. `is_standard`: the way of a node, so that signatures that do not
    hold mean something.
    """

    document: Mapping[str, Any]
    meta: Mapping[str, Any] | None
    version: Version
    encoding: TextEncoding
    is_standard: bool


def read_json(
    document: Mapping[str, Any], meta: Mapping[str, Any] | None = None, version: object = None
) -> Transaction:
    """The transaction of a document in encoding json or jsonParsed: the reading whose signatures
    hold, else the stated one.

    Its `message_bytes` are None when no reading holds and none is both complete and as a node
    writes it: such a transaction is neither sound nor forged. Raises TransactionError when the
    document can be read in no way.
    """
    first: Transaction | None = None
    problem: TransactionError | None = None
    for reading in _readings(document, meta, version):
        try:
            tx = decode_json(reading.document, reading.meta, reading.version, reading.encoding)
        except TransactionError as error:
            problem = problem or error
            continue
        holds = signatures_hold(tx)
        if holds:
            return tx
        if first is None or (
            first.message_bytes is None and holds is False and reading.is_standard
        ):
            first = tx if reading.is_standard else replace(tx, message_bytes=None)
        if holds is None and reading.is_standard:
            break  # what is missing is missing in every reading
    if first is None:
        raise problem or TransactionError("not a transaction in JSON")
    return first


def _readings(
    document: Mapping[str, Any], meta: Mapping[str, Any] | None, version: object
) -> Iterator[_Reading]:
    """Every lawful reading, the stated one first."""
    message = document.get("message")
    if not isinstance(message, Mapping):
        raise TransactionError(
            f"not a transaction in JSON: a message expected, got {type(message).__name__}"
        )
    try:
        parsed = is_parsed(message)
        placed = [(document, meta, True)] if parsed else list(_with_loaded(document, message, meta))
    except (KeyError, TypeError, AttributeError) as problem:
        raise TransactionError(
            f"not a transaction in JSON: {type(problem).__name__} {problem}"
        ) from problem
    versions, is_known = _versions(version, message)
    for encoding in _ENCODINGS:
        for at in versions:
            for shown, told, as_a_node in placed:
                yield _Reading(
                    shown, told, at, encoding, encoding == "base58" and as_a_node and is_known
                )


def _versions(version: object, message: Mapping[str, Any]) -> tuple[tuple[Version, ...], bool]:
    """The versions to read a message by, the stated one first, and whether the answer states one
    that is known (or none).
    """
    lookups = message.get("addressTableLookups")
    try:
        stated, is_known = json_version(version, lookups is not None), True
    except TransactionError:
        stated, is_known = json_version(None, lookups is not None), False
    if stated == 1:
        return (1,), is_known
    return (stated, "legacy" if stated == 0 else 0), is_known


def _with_loaded(
    document: Mapping[str, Any], message: Mapping[str, Any], meta: Mapping[str, Any] | None
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any] | None, bool]]:
    """The document as it stands, and with the end of its account keys taken for the addresses that
    tables loaded.
    """
    keys, lookups = account_keys(message), message.get("addressTableLookups") or ()
    writable, readonly = loaded_addresses(meta)
    counts = table_counts(lookups) if lookups else (len(writable), len(readonly))
    given, total = [*writable, *readonly], sum(counts)
    at_end = keys[len(keys) - total :] if 0 < total < len(keys) else []
    name = "staticAccountKeys" if "staticAccountKeys" in message else "accountKeys"
    cut = {**document, "message": {**message, name: keys[: len(keys) - total]}}
    if at_end and given == at_end:
        yield cut, meta, True  # no key stands twice in a message
        return
    yield document, meta, True
    if at_end and not given and all(isinstance(key, str) for key in at_end):
        yield (
            cut,
            {"loadedAddresses": {"writable": at_end[: counts[0]], "readonly": at_end[counts[0] :]}},
            False,
        )


__all__ = ["read_json"]
