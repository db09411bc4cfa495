"""The transactions that a record of a cutover states, held against the chain."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.evidence.cutover import Sent
from popkit.rules.cutover.points import HOLDS, LANDED, REFUSED, VIOLATED, Point
from popkit.rules.cutover.side import CLOSE_OLD, FREEZE, SIGNER, RecordSide
from popkit.texts import Text

TRANSACTION = Text("the transaction of step {step}", "手順 {step} のトランザクション")


def transaction_points(side: RecordSide) -> Iterator[Point]:
    """Every stated transaction landed, was accepted, and stands in the stated slot."""
    for sent in side.record.transactions:
        if sent.signature is not None:
            yield _transaction(side, sent, sent.signature)


def _transaction(side: RecordSide, sent: Sent, signature: str) -> Point:
    """It landed, was accepted, and stands in the stated slot, at the stated time."""
    key, what, table = (
        f"transactions.{signature}",
        TRANSACTION(step=sent.step),
        side.facts.claims.transactions,
    )
    row, listed = side.row_of.get(signature), (side.facts.evidence.signatures or {}).get(signature)
    stated = LANDED(slot=sent.slot if sent.slot is not None else "?")
    if row is None and listed is None:
        return side.absent(key, what, stated, sent.slot, _address_of(side, sent))
    if row is not None:
        slot, block_time, err = table.slot[row], table.block_time[row], table.meta[row].err
    else:
        assert listed is not None
        slot, block_time, err = listed.slot, listed.block_time, listed.err
    if err is not None:
        return Point(key, what, VIOLATED, stated, REFUSED(), slot)
    if sent.slot not in (None, slot):
        return Point(key, what, VIOLATED, stated, LANDED(slot=slot), slot)
    if None not in (sent.block_time, block_time) and sent.block_time != block_time:
        return Point(key, what, VIOLATED, str(sent.block_time), str(block_time), slot)
    return Point(key, what, HOLDS, stated, LANDED(slot=slot), slot)


def _address_of(side: RecordSide, sent: Sent) -> str:
    """An address that lists the transaction of a step."""
    if sent.step in (FREEZE, CLOSE_OLD):
        return side.old.grant
    return side.pop_config if sent.step == SIGNER or side.new is None else side.new.grant
