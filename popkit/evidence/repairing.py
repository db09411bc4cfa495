"""One line of transactions, part by part: what a tool wrote in its own way is read, and what is
garbled costs that part alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from popkit.evidence.rpc import (
    LoadedAddresses,
    Meta,
    Result,
    TokenBalance,
    TransactionLine,
    numbers_of,
)

_NULL = msgspec.Raw(b"null")
_U64_DIGITS = 20


class PartError(ValueError):
    """A part of a line is not what getTransaction gives there; the message says which, and what was
    expected.
    """


def read_part_by_part(text: bytes) -> tuple[TransactionLine, list[str]]:
    """A line as a typed row, and which of its parts could not be read (they are None in it).

    Numbers may be text (@solana/kit's bigints). Raises PartError when it is no row at all:
    signature, slot and transaction are needed.
    """
    try:
        line = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PartError(str(error)) from None
    if not isinstance(line, dict) or not isinstance(line.get("signature"), str):
        raise PartError("an object with a signature expected")
    result = line.get("result")
    if result is None:
        return TransactionLine(line["signature"], None), []
    if not isinstance(result, dict):
        raise PartError(f"result: an object expected, got {type(result).__name__}")
    slot = _number(result.get("slot"))
    if slot is None:
        raise PartError(f"slot: a number expected, got {type(result.get('slot')).__name__}")
    transaction = result.get("transaction")
    if not isinstance(transaction, str | dict) and not (
        isinstance(transaction, list) and all(isinstance(t, str) for t in transaction)
    ):
        raise PartError(
            f"transaction: text, [text, encoding] or an object expected, got "
            f"{type(transaction).__name__}"
        )
    garbled: list[str] = []
    version = result.get("version")
    read = Result(
        slot=slot,
        transaction=transaction,
        meta=_meta(result.get("meta"), garbled),
        block_time=_optional(result, "blockTime", garbled),
        version=version
        if isinstance(version, str | int) and not isinstance(version, bool)
        else None,
        transaction_index=_optional(result, "transactionIndex", garbled),
    )
    return TransactionLine(line["signature"], read), garbled


def _meta(meta: Any, garbled: list[str]) -> Meta | None:
    """The meta, or None where it does not tell whether the transaction was accepted; old nodes told
    it in `status`.
    """
    if not isinstance(meta, dict):
        return None
    status = meta.get("status")
    if "err" in meta:
        err = meta["err"]
    elif isinstance(status, dict) and ("Ok" in status or "Err" in status):
        err = status.get("Err")
    else:
        return None
    return Meta(
        err=numbers_of(err),
        log_messages=_raw(meta.get("logMessages")),
        inner_instructions=_raw(meta.get("innerInstructions")),
        pre_token_balances=_balances(meta, "preTokenBalances", garbled),
        post_token_balances=_balances(meta, "postTokenBalances", garbled),
        loaded_addresses=_loaded(meta, garbled),
    )


def _raw(part: Any) -> msgspec.Raw:
    return _NULL if part is None else msgspec.Raw(msgspec.json.encode(part))


def _optional(result: dict[str, Any], name: str, garbled: list[str]) -> int | None:
    number = _number(result.get(name))
    if number is None and result.get(name) is not None:
        garbled.append(name)
    return number


def _number(value: Any) -> int | None:
    """A number below 2^63, also as text or as a float without a fraction; None when it is none."""
    is_digits = (
        isinstance(value, str)
        and value.isascii()
        and value.isdecimal()
        and len(value) <= _U64_DIGITS
    )
    if is_digits or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def _balances(meta: dict[str, Any], name: str, garbled: list[str]) -> list[TokenBalance] | None:
    """The token balances of one side; None when the node gave none, or one of them cannot be read."""
    listed = meta.get(name)
    if listed is None:
        return None
    try:
        return [_balance(item) for item in listed]
    except (TypeError, KeyError, ValueError):
        garbled.append(name)
        return None


def _balance(item: dict[str, Any]) -> TokenBalance:
    amount = item["uiTokenAmount"]["amount"]
    # Base units are a decimal string, as u64 is wider than a JavaScript number; a float would not be exact.
    text = str(amount) if type(amount) is int else amount
    index, amounts = _number(item["accountIndex"]), {"amount": text}
    found = {
        "accountIndex": index,
        "mint": item["mint"],
        "uiTokenAmount": amounts,
        "owner": item.get("owner"),
    }
    try:
        return msgspec.convert(found, TokenBalance)
    except msgspec.ValidationError as error:
        raise PartError(str(error)) from None


def _loaded(meta: dict[str, Any], garbled: list[str]) -> LoadedAddresses | None:
    loaded = meta.get("loadedAddresses")
    if loaded is None:
        return None
    try:
        return LoadedAddresses(
            *(
                msgspec.convert(loaded.get(kind) or [], list[str])
                for kind in ("writable", "readonly")
            )
        )
    except (AttributeError, msgspec.ValidationError):
        garbled.append("loadedAddresses")
        return None
