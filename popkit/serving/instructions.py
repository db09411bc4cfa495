"""Instructions as jsonParsed shows them: those of the system and token programs in words, every
other one partially decoded.

A node does the same with programs it knows no parser for. Of the known programs only what ticket
transactions use is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from popkit.protocol.keys import (
    ATA_PROGRAM,
    RENT_SYSVAR,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58decode,
    b58encode,
)

Parsed = tuple[str, dict[str, Any]]


def instruction_parsed(item: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A compiled instruction {programIdIndex, accounts, data, stackHeight} with its accounts named,
    parsed where that is possible.
    """
    program = keys[item["programIdIndex"]]
    accounts = [keys[at] for at in item["accounts"]]
    name, parser = _PARSERS.get(program, ("", None))
    try:
        found = parser(b58decode(item["data"]), accounts) if parser else None
    except (
        struct.error,
        IndexError,
        ValueError,
    ):  # a parser of a node refuses as well, and the instruction is shown as it is
        found = None
    height = item.get("stackHeight")
    if found is None:
        return {
            "programId": program,
            "accounts": accounts,
            "data": item["data"],
            "stackHeight": height,
        }
    kind, info = found
    return {
        "program": name,
        "programId": program,
        "parsed": {"type": kind, "info": info},
        "stackHeight": height,
    }


def _system(data: bytes, accounts: Sequence[str]) -> Parsed | None:
    (kind,) = struct.unpack_from("<I", data)
    if kind == 0:
        lamports, space = struct.unpack_from("<QQ", data, 4)
        owner = b58encode(data[20:52])
        return "createAccount", {
            "source": accounts[0],
            "newAccount": accounts[1],
            "lamports": lamports,
            "space": space,
            "owner": owner,
        }
    if kind == 1:
        return "assign", {"account": accounts[0], "owner": b58encode(data[4:36])}
    if kind == 2:
        return "transfer", {
            "source": accounts[0],
            "destination": accounts[1],
            "lamports": struct.unpack_from("<Q", data, 4)[0],
        }
    if kind == 8:
        return "allocate", {"account": accounts[0], "space": struct.unpack_from("<Q", data, 4)[0]}
    return None


def _associated(data: bytes, accounts: Sequence[str]) -> Parsed | None:
    kind = {b"": "create", b"\0": "create", b"\1": "createIdempotent"}.get(data)
    if kind is None:
        return None
    names = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
    return kind, {name: accounts[at] for at, name in enumerate(names)}


def _token(data: bytes, accounts: Sequence[str]) -> Parsed | None:
    kind = data[0]
    if kind in (0, 20):
        info: dict[str, Any] = {
            "mint": accounts[0],
            "decimals": data[1],
            "mintAuthority": b58encode(data[2:34]),
        }
        if kind == 0:
            info["rentSysvar"] = RENT_SYSVAR
        if data[34]:
            info["freezeAuthority"] = b58encode(data[35:67])
        return ("initializeMint" if kind == 0 else "initializeMint2"), info
    if kind in (3, 7, 8, 12) and len(accounts) > (4 if kind == 12 else 3):
        return None  # signed by a multisig, which has more words to it
    if kind == 12:
        amount, decimals = struct.unpack_from("<QB", data, 1)
        source, mint, destination, authority = accounts
        return "transferChecked", {
            "source": source,
            "mint": mint,
            "destination": destination,
            "tokenAmount": _token_amount(amount, decimals),
            "authority": authority,
        }
    if kind in _TOKEN_AMOUNTS:
        name, first, second, third = _TOKEN_AMOUNTS[kind]
        amount = str(struct.unpack_from("<Q", data, 1)[0])
        return name, {first: accounts[0], second: accounts[1], "amount": amount, third: accounts[2]}
    if kind == 9 and len(accounts) == 3:
        return "closeAccount", {
            "account": accounts[0],
            "destination": accounts[1],
            "owner": accounts[2],
        }
    if kind == 18:
        return "initializeAccount3", {
            "account": accounts[0],
            "mint": accounts[1],
            "owner": b58encode(data[1:33]),
        }
    if kind == 21:
        return "getAccountDataSize", {"mint": accounts[0]}
    if kind == 22:
        return "initializeImmutableOwner", {"account": accounts[0]}
    return None


_TOKEN_AMOUNTS = {
    3: ("transfer", "source", "destination", "authority"),
    7: ("mintTo", "mint", "account", "mintAuthority"),
    8: ("burn", "account", "mint", "authority"),
}


def _token_amount(amount: int, decimals: int) -> dict[str, Any]:
    whole, part = divmod(amount, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {
        "uiAmount": float(text),
        "decimals": decimals,
        "amount": str(amount),
        "uiAmountString": text,
    }


_PARSERS: dict[str, tuple[str, Callable[[bytes, Sequence[str]], Parsed | None]]] = {
    SYSTEM_PROGRAM: ("system", _system),
    TOKEN_PROGRAM: ("spl-token", _token),
    ATA_PROGRAM: ("spl-associated-token-account", _associated),
}
