"""Renditions of one recorded transaction, as nodes, archives and client libraries of different age
write them.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import msgspec

from popkit.protocol.keys import b58decode
from popkit.serving.transactions import rendered

ENCODINGS = (
    "base64",
    "base58",
    "binary",
    "json",
    "jsonParsed",
    "web3.js",
    "kit",
    "json without version",
)
CHECKABLE = tuple(name for name in ENCODINGS if name != "jsonParsed")
"""Encodings that keep the signed bytes."""
KNOWLEDGE = (
    "blockTime",
    "transactionIndex",
    "logMessages",
    "innerInstructions",
    "preTokenBalances",
    "postTokenBalances",
)
"""What a rendition may leave out while another gives it."""
IRRELEVANT = ("rewards", "computeUnitsConsumed", "fee", "preBalances", "postBalances", "status")


def encoded(row: dict[str, Any], encoding: str) -> dict[str, Any]:
    """A base64 row in another encoding. What jsonParsed shows in the message is left out of its
    meta, as nodes do.
    """
    source = {"web3.js": "json", "kit": "json", "json without version": "json"}.get(
        encoding, encoding
    )
    result = json.loads(bytes(rendered(msgspec.json.encode(row["result"]), source, 0)))
    if encoding == "web3.js":
        _as_web3js(result)
    if encoding == "kit":
        result = _numbers_as_text(result)
    if encoding == "json without version":
        del result["version"]
        if not result["transaction"]["message"].get("addressTableLookups"):
            result["transaction"]["message"]["addressTableLookups"] = None
    return {"signature": row["signature"], "result": result}


def _as_web3js(result: dict[str, Any]) -> None:
    """JSON.stringify of web3.js's VersionedTransactionResponse: a MessageV0 has its own names, and
    Buffers.
    """
    message = result["transaction"]["message"]
    if result["version"] != 0:
        message["indexToProgramIds"] = {}
        return
    message["staticAccountKeys"] = message.pop("accountKeys")
    message["compiledInstructions"] = [
        {
            "programIdIndex": item["programIdIndex"],
            "accountKeyIndexes": item["accounts"],
            "data": {"type": "Buffer", "data": list(b58decode(item["data"]))},
        }
        for item in message.pop("instructions")
    ]


def _numbers_as_text(value: Any) -> Any:
    """Every integer as text, as JSON.stringify writes @solana/kit's bigints with the usual
    replacer.
    """
    if isinstance(value, dict):
        return {name: _numbers_as_text(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_numbers_as_text(part) for part in value]
    return str(value) if type(value) is int else value


def mixture(
    row: dict[str, Any], chance: random.Random, encodings: tuple[str, ...] = ENCODINGS
) -> list[dict[str, Any]]:
    """One to three renditions of a base64 row; each piece of knowledge is left out of some, and
    given by one at least.
    """
    told = [
        encoded(copy.deepcopy(row), chance.choice(encodings)) for _ in range(chance.randint(1, 3))
    ]
    for name in (*KNOWLEDGE, *IRRELEVANT):
        keeps = chance.randrange(len(told))
        for at, rendition in enumerate(told):
            if (at != keeps or name in IRRELEVANT) and chance.random() < 0.5:
                result = rendition["result"]
                place = result if name in result else result["meta"]
                place.pop(name, None)
                if chance.random() < 0.5:
                    place[name] = None
    return told


def mixed(
    rows: list[dict[str, Any]], chance: random.Random, encodings: tuple[str, ...] = ENCODINGS
) -> list[dict[str, Any]]:
    """A file of transactions with a mixture of renditions in place of each, in any order; nulls
    stay.
    """
    lines = [
        line
        for row in rows
        for line in (mixture(row, chance, encodings) if row["result"] else [row])
    ]
    chance.shuffle(lines)
    return lines
