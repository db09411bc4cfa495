"""Several renditions of one transaction, and the one that they make together.

An old node and a new one, two encodings, an archive without times: they differ in what they know,
not in what they say. What one knows fills in what another leaves out. They contradict each other in
five things alone: the slot, the outcome, the signed message, the addresses that tables loaded, an
amount. The order of lines decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from popkit.evidence.rpc import LoadedAddresses, Meta, Result, TokenBalance
from popkit.protocol.transaction import (
    Transaction,
    decode_wire,
    read_json,
    readable_inner_instructions,
    signatures_hold,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rendition:
    """One line's account of a transaction: its result, the meta of it, the wire bytes where it
    holds them, its line.
    """

    result: Result
    meta: Meta
    wire: bytes | None
    line: int


@dataclass(frozen=True, slots=True)
class _Read:
    """A rendition decoded: `tx` is None where its message cannot be read, `holds` whether it is
    signed as it says.

    `loaded` are the addresses from tables that it was read with.
    """

    rendition: Rendition
    tx: Transaction | None
    holds: bool | None
    loaded: LoadedAddresses | None
    rank: bytes


def is_repetition(first: Rendition, second: Rendition) -> bool:
    """Whether two lines say the same in every member that is read."""
    ranks = _rank(first), _rank(second)
    return ranks[0] == ranks[1] or bool(
        msgspec.json.decode(ranks[0]) == msgspec.json.decode(ranks[1])
    )


def merged(signature: str, renditions: Iterable[Rendition]) -> tuple[Rendition, list[str]]:
    """One rendition that knows what all of them know, and in what they contradict each other ([]
    when in nothing).

    The message is that of the best one: signed as it says, then uncheckable, then false, then
    unreadable. Where they contradict each other, its word is kept.
    """
    listed = sorted(renditions, key=_rank)
    loaded = [given for given in (r.meta.loaded_addresses for r in listed) if _loads(given)]
    reads = sorted((_read(signature, rendition, loaded) for rendition in listed), key=_preference)
    best = _checked(reads)
    contradictions = [name for name, differ in _CONTRADICTIONS if differ(best, reads)]
    rendition = best.rendition
    metas = [rendition.meta, *(read.rendition.meta for read in reads)]
    meta = replace(
        rendition.meta,
        log_messages=max(
            (m.log_messages for m in metas), key=lambda raw: (_length(raw), bytes(raw))
        ),
        inner_instructions=_fullest_inner(best, reads),
        pre_token_balances=_balances(m.pre_token_balances for m in metas),
        post_token_balances=_balances(m.post_token_balances for m in metas),
        loaded_addresses=best.loaded,
    )
    result = replace(
        rendition.result,
        block_time=_agreed(read.rendition.result.block_time for read in reads),
        transaction_index=_agreed(read.rendition.result.transaction_index for read in reads),
        version=next(
            (
                v
                for v in (rendition.result.version, *(r.rendition.result.version for r in reads))
                if v is not None
            ),
            None,
        ),
    )
    lines = [read.rendition.line for read in reads if read.rank == best.rank]
    return Rendition(result, meta, rendition.wire, min(lines)), contradictions


def _rank(rendition: Rendition) -> bytes:
    """An order of renditions that does not depend on the order of lines."""
    return msgspec.json.encode(rendition.result, order="deterministic")


def _preference(read: _Read) -> tuple[int, bool, int, bytes]:
    standing = 3 if read.tx is None else (True, None, False).index(read.holds)
    without_data = sum(item.data is None for item in read.tx.instructions) if read.tx else 0
    return standing, read.rendition.wire is None, without_data, read.rank


def _checked(reads: list[_Read]) -> _Read:
    """The best rendition; where it cannot be checked and another of the same message can, that one:
    it was found false.
    """
    best = reads[0]
    if best.tx is None or best.holds is not None:
        return best
    return next(
        (read for read in reads if read.holds is False and read.tx and _is_one(best.tx, read.tx)),
        best,
    )


def _read(signature: str, rendition: Rendition, others: Sequence[LoadedAddresses | None]) -> _Read:
    """Decode a rendition with the loaded addresses that it gives, else with those that another one
    gives.
    """
    own = rendition.meta.loaded_addresses
    for loaded in (own, *others):
        try:
            tx = _decoded(rendition, loaded or LoadedAddresses())
        except ValueError:
            continue
        holds = signatures_hold(tx) if tx.signatures[:1] == (signature,) else False
        return _Read(rendition, tx, holds, loaded, _rank(rendition))
    return _Read(rendition, None, None, own, _rank(rendition))


def _decoded(rendition: Rendition, loaded: LoadedAddresses) -> Transaction:
    if rendition.wire is None:
        assert isinstance(rendition.result.transaction, dict)
        meta = {"loadedAddresses": {"writable": loaded.writable, "readonly": loaded.readonly}}
        return read_json(rendition.result.transaction, meta, rendition.result.version)
    return decode_wire(rendition.wire, tuple(loaded.writable), tuple(loaded.readonly))


def _is_one(first: Transaction, second: Transaction) -> bool:
    """Whether two readings are of one signed message; what one of them leaves out is no difference."""
    if first.message_bytes is not None and second.message_bytes is not None:
        return first.signatures == second.signatures and first.message_bytes == second.message_bytes
    hashes = {first.blockhash, second.blockhash} - {None}
    static = first.account_keys[: first.static_keys], second.account_keys[: second.static_keys]
    if first.signatures != second.signatures or static[0] != static[1] or len(hashes) > 1:
        return False
    return len(first.instructions) == len(second.instructions) and all(
        map(_may_be_one, first.instructions, second.instructions)
    )


def _may_be_one(first: Any, second: Any) -> bool:
    """Whether two instructions may be the same one: jsonParsed shows those of well-known programs
    without accounts and data.
    """
    if first.program != second.program:
        return False
    return None in (first.data, second.data) or (first.accounts, first.data) == (
        second.accounts,
        second.data,
    )


def _differ_in_message(best: _Read, reads: list[_Read]) -> bool:
    return any(best.tx and read.tx and not _is_one(best.tx, read.tx) for read in reads)


def _differ_in_slot(best: _Read, reads: list[_Read]) -> bool:
    return any(read.rendition.result.slot != best.rendition.result.slot for read in reads)


def _differ_in_outcome(best: _Read, reads: list[_Read]) -> bool:
    return any(read.rendition.meta.err != best.rendition.meta.err for read in reads)


def _differ_in_loaded(best: _Read, reads: list[_Read]) -> bool:
    given = {
        msgspec.json.encode(read.rendition.meta.loaded_addresses)
        for read in reads
        if _loads(read.rendition.meta.loaded_addresses)
    }
    return len(given) > 1


def _differ_in_amount(best: _Read, reads: list[_Read]) -> bool:
    """Whether two token balances of one account, before or after, are of another mint or amount."""
    for side in ("pre_token_balances", "post_token_balances"):
        known: dict[int, tuple[str, str]] = {}
        for read in reads:
            for balance in getattr(read.rendition.meta, side) or ():
                held = (balance.mint, balance.ui_token_amount.amount)
                if known.setdefault(balance.account_index, held) != held:
                    return True
    return False


_CONTRADICTIONS: tuple[tuple[str, Callable[[_Read, list[_Read]], bool]], ...] = (
    ("slot", _differ_in_slot),
    ("outcome", _differ_in_outcome),
    ("signed message", _differ_in_message),
    ("list of loaded addresses", _differ_in_loaded),
    ("token amount", _differ_in_amount),
)


def _agreed(values: Iterable[T | None]) -> T | None:
    """The one value that is known; None when none is, or when two differ: neither is then known."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def _loads(loaded: LoadedAddresses | None) -> bool:
    return loaded is not None and bool(loaded.writable or loaded.readonly)


def _length(raw: msgspec.Raw) -> int:
    """How many lines a log has; -1 when it is none. A node that cuts logs short gives fewer."""
    try:
        return len(msgspec.json.decode(raw, type=list[str]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return -1


def _fullest_inner(best: _Read, reads: list[_Read]) -> msgspec.Raw:
    """The inner instructions of the rendition that shows most of them; a whole list is better than
    a garbled one.
    """

    def fullness(read: _Read) -> tuple[bool, int, int, bytes]:
        if best.tx is None:
            return False, 0, 0, b""
        found, why = readable_inner_instructions(
            {"innerInstructions": read.rendition.meta.inner()}, best.tx
        )
        with_data = sum(item.data is not None for _, _, item in found)
        return why is None, len(found), with_data, bytes(read.rendition.meta.inner_instructions)

    return max(reads, key=fullness).rendition.meta.inner_instructions


def _balances(sides: Iterable[list[TokenBalance] | None]) -> list[TokenBalance] | None:
    """One side's balances of all renditions together; of one account the first known."""
    known: dict[int, TokenBalance] = {}
    is_given = False
    for side in sides:
        is_given = is_given or side is not None
        for balance in side or ():
            known.setdefault(balance.account_index, balance)
    return [known[at] for at in sorted(known)] if is_given else None


__all__ = ["Rendition", "is_repetition", "merged"]
