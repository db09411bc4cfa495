"""Transactions in the shapes that operators have at hand, beside the answers of getTransaction.

Blocks, notifications and a gateway's pages hold the same members in another wrapping. What is taken
out of them is the very text that stood there. A block does not say its own slot: it is that of its
request, or of a list of signatures that is collected with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from popkit.collecting.exports.found import Document, Found, InBlock, Row, seconds
from popkit.collecting.exports.raw import elements, load, member, one_line
from popkit.evidence.layout import TRANSACTIONS
from popkit.protocol.keys import is_signature
from popkit.protocol.transaction import TransactionError, decode_result

WHAT = "answers of a node"
BLOCKS = "transactions of blocks"
NOTIFICATIONS = "notifications of a node"
_NOTIFICATION = frozenset({"transactionNotification", "blockNotification", "transactionSubscribe"})


def is_transaction(value: Any) -> bool:
    """Whether a value is a result of getTransaction; @solana/kit writes its slot as text."""
    return (
        isinstance(value, dict)
        and number_of(value.get("slot")) is not None
        and {"transaction", "meta"} <= set(value)
    )


def number_of(value: Any) -> int | None:
    """A slot or a time: a number, or its digits as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value)
    return value if type(value) is int else None


def is_block(value: Any) -> bool:
    """Whether a value is a result of getBlock with its transactions."""
    return (
        isinstance(value, dict)
        and "blockhash" in value
        and isinstance(value.get("transactions"), list)
    )


def page_of(document: Document) -> Document | None:
    """The list inside a gateway's page ({data: […], paginationToken}), or None when the value is no
    page.
    """
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("data"), list) or "owner" in value:
        return None
    items = value["data"]
    return (
        document.at(member(document.raw, "data"), items)
        if items and all(isinstance(item, dict) for item in items)
        else None
    )


def parts_of(document: Document) -> Iterator[Document]:
    """The elements of an array."""
    for raw in elements(document.raw):
        yield document.at(raw, load(raw))


def notification(document: Document) -> Found | None:
    """A notification of a subscription that carries whole transactions; None when the value is
    none.
    """
    value = document.value
    if (
        not isinstance(value, dict)
        or value.get("method") not in _NOTIFICATION
        or not isinstance(value.get("params"), dict)
    ):
        return None
    params = document.at(member(document.raw, "params"), value["params"])
    result = params.value.get("result")
    if not isinstance(result, dict):
        return Found(NOTIFICATIONS, left=["a notification without a result"])
    inside = document.at(member(params.raw, "result"), result)
    if isinstance(result.get("value"), dict) and is_block(result["value"].get("block")):
        held = inside.at(member(inside.raw, "value"), result["value"])
        return block(
            held.at(member(held.raw, "block"), held.value["block"]),
            number_of(held.value.get("slot")),
        )
    shown, slot, signature = (
        result.get("transaction"),
        number_of(result.get("slot")),
        result.get("signature"),
    )
    if not (
        isinstance(shown, dict)
        and {"transaction", "meta"} <= set(shown)
        and slot is not None
        and is_signature(signature)
    ):
        return Found(
            NOTIFICATIONS, left=["a notification without slot, signature, transaction or meta"]
        )
    members = _members(one_line(member(inside.raw, "transaction")))
    return Found(NOTIFICATIONS, [_row(str(signature), slot, None, members)])


def block(document: Document, slot: int | None) -> Found:
    """The transactions of a block. `slot` is that of the request, where it is known."""
    value = document.value
    time = number_of(value.get("blockTime"))
    found = Found(BLOCKS)
    for part in parts_of(document.at(member(document.raw, "transactions"), value["transactions"])):
        if not isinstance(part.value, dict) or not {"transaction", "meta"} <= set(part.value):
            found.left.append(
                "a transaction of a block without its message or meta; ask for it with "
                "transactionDetails: full"
            )
            continue
        try:
            tx = decode_result(part.value)
        except (TransactionError, ValueError):
            found.left.append("a transaction of a block that cannot be read")
            continue
        found.in_blocks.append(
            InBlock(
                tx.signatures[0],
                _members(one_line(part.raw)),
                time,
                slot,
                frozenset(tx.account_keys),
            )
        )
    return found


def settled(
    waiting: list[InBlock],
    slots: Mapping[str, int],
    programs: Set[str],
    left: Callable[[str], None],
) -> Iterator[Row]:
    """Rows of transactions from blocks whose slot is known, by the request or by a list of
    signatures; the others are said.

    A block holds thousands that are nobody's here: those that a list names are taken, and those
    that name one of the programs.
    """
    for item in waiting:
        slot = slots.get(item.signature, item.slot)
        if item.signature not in slots and programs.isdisjoint(item.account_keys):
            left("another program's transaction of a block")
        elif slot is None:
            left(
                "a transaction of a block whose slot is not known; save the request with the "
                "answer, or getSignaturesForAddress beside it"
            )
        else:
            yield _row(item.signature, slot, item.block_time, item.members)


def _members(text: bytes) -> bytes:
    """The text between an object's braces."""
    return text.strip()[1:-1].strip()


def _row(signature: str, slot: int, time: int | None, members: bytes) -> Row:
    when = b'"blockTime":%d,' % time if time is not None else b""
    line = b'{"signature":"%s","result":{"slot":%d,%s%s}}' % (
        signature.encode(),
        slot,
        when,
        members,
    )
    return Row(TRANSACTIONS, (0, signature), line, seconds(time))


__all__ = [
    "block",
    "is_block",
    "is_transaction",
    "notification",
    "number_of",
    "page_of",
    "parts_of",
    "settled",
]
