"""The transactions of a case: one row a signature, from however many renditions of it the case
holds.

The order and the repetition of lines do not matter: rows are kept by their signature, in ascending
order of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from popkit.evidence.lines import Lines
from popkit.evidence.renditions import Rendition, is_repetition, merged
from popkit.evidence.repairing import PartError, read_part_by_part
from popkit.evidence.rpc import Meta, TransactionLine, Transactions, wire_bytes
from popkit.protocol.keys import is_signature

_NULL = msgspec.Raw(b"null")
_PARTS: dict[str, Callable[[Rendition], object]] = {
    "blockTime": lambda r: r.result.block_time,
    "transactionIndex": lambda r: r.result.transaction_index,
    "preTokenBalances": lambda r: r.meta.pre_token_balances,
    "postTokenBalances": lambda r: r.meta.post_token_balances,
    "loadedAddresses": lambda r: r.meta.loaded_addresses,
}
"""The parts of a transaction that may be garbled while the rest of it is read."""


def read_transactions(lines: Lines, known: Transactions | None = None) -> Transactions:
    """Read `rpc/transactions.jsonl`; lines that cannot be used become problems of `lines`.

    The hot path of a large case: one typed decode a line, no object a row beyond it.
    """
    table = known or Transactions(file=lines.name, sha256=lines.sha256)
    rows: dict[str, Rendition] = {}
    more: dict[str, list[Rendition]] = {}
    without_meta: dict[str, int] = {}
    garbled: dict[str, dict[str, int]] = {}
    for number, row, parts in _transaction_rows(lines):
        if parts:
            garbled.setdefault(row.signature, {}).update(dict.fromkeys(parts, number))
        if not is_signature(row.signature):
            lines.problem(
                "unreadable_line", f"{row.signature[:100]!r} is not a transaction signature", number
            )
            continue
        if row.result is None:
            table.unavailable.add(row.signature)
            continue
        if row.result.slot < 0 or row.result.slot >= 1 << 63:
            lines.problem("unreadable_line", f"slot {row.result.slot} is not a slot", number)
            continue
        if row.result.meta is None:
            without_meta.setdefault(row.signature, number)
            continue
        try:
            wire = wire_bytes(row.result.transaction)
        except ValueError as error:
            lines.problem("unreadable_line", str(error), number)
            continue
        _detach(row.result.meta)
        rendition = Rendition(row.result, row.result.meta, wire, number)
        seen = rows.setdefault(row.signature, rendition)
        if seen is not rendition and not is_repetition(seen, rendition):
            more.setdefault(row.signature, [seen]).append(rendition)
    for signature in sorted(rows):
        rendition = rows[signature]
        if signature in more:
            rendition, contradictions = merged(signature, more[signature])
            if contradictions:
                table.contradicted.add(signature)
                first, *others = sorted(r.line for r in more[signature])
                detail = f"{signature} stands in line {first} too, with another {' and another '.join(contradictions)}"
                lines.problem("contradictory_lines", detail, others[0])
        for part, number in garbled.get(signature, {}).items():
            if _PARTS[part](rendition) is None:  # no other rendition gives it
                lines.problem("garbled_part", f"{signature}: {part}", number)
        _append(table, signature, rendition)
    for signature, number in sorted(without_meta.items()):
        if signature not in rows:  # where another line tells the outcome, nothing is missing
            lines.problem(
                "unreadable_line",
                "the transaction has no meta: whether it was accepted is not known",
                number,
            )
    table.unavailable -= rows.keys()
    return table


def _transaction_rows(lines: Lines) -> Iterator[tuple[int, TransactionLine, list[str]]]:
    """The lines as (number, typed row, parts of it that could not be read); a line that is none is
    noted.
    """
    decode = msgspec.json.Decoder(TransactionLine).decode
    for number, text in lines:
        parts: list[str] = []
        try:
            row = decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            try:
                row, parts = read_part_by_part(text)
            except PartError:
                lines.problem(
                    "unreadable_line",
                    f"is not {{signature, result}} of getTransaction: {error}",
                    number,
                )
                continue
        yield number, row, parts


def _append(table: Transactions, signature: str, rendition: Rendition) -> None:
    result = rendition.result
    table.signature.append(signature)
    table.slot.append(result.slot)
    table.block_time.append(result.block_time)
    table.position.append(result.transaction_index)
    table.version.append(result.version)
    table.wire.append(rendition.wire)
    table.parsed.append(result.transaction if isinstance(result.transaction, dict) else None)
    table.meta.append(rendition.meta)
    table.line.append(rendition.line)


def _detach(meta: Meta) -> None:
    """Let go of the line that a row was read from: keep the logs of refused transactions alone, and
    copies of what is kept.

    Raw values are windows into their line, and would keep the text of the whole file in memory.
    """
    meta.log_messages = _NULL if meta.err is None else meta.log_messages.copy()
    meta.inner_instructions = (
        _NULL
        if bytes(meta.inner_instructions) in (b"null", b"[]")
        else meta.inner_instructions.copy()
    )


__all__ = ["read_transactions"]
