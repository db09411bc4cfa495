"""A record of a cutover beside the case that it is held against: what several of its points ask."""

from __future__ import annotations

from functools import cached_property

from popkit.chain.links import GrantChain
from popkit.evidence.cutover import Record
from popkit.facts import Facts
from popkit.protocol.pda import pop_config_address
from popkit.rules.cutover.points import (
    CANNOT_TELL,
    NOT_COMPLETE,
    REFUSED,
    VIOLATED,
    Point,
    Words,
)
from popkit.texts import Text

FREEZE, CLOSE_OLD, SIGNER = "0", "2.0", "2.3"
"""Steps whose transactions touch no new grant: pause and close the old one, change the signer."""

NO_SLOT = Text("the record names no slot for it", "記録にスロットがありません")
NOT_ON_CHAIN = Text("not on the chain", "チェーンにありません")
NOT_A_CLAIM = Text(
    "no accepted claim on that grant", "その grant で受理された claim ではありません"
)


def is_after(slot: int | None, other: int | None) -> bool:
    """Whether a slot is known to be past another one."""
    return slot is not None and other is not None and slot > other


class RecordSide:
    """A record and the facts of the case, as the points of the record ask about them."""

    def __init__(self, facts: Facts, record: Record) -> None:
        self.facts, self.record = facts, record
        self.old, self.new = record.old, record.new
        self.pop_config = pop_config_address(record.old.authority, record.program_id)

    @cached_property
    def cut(self) -> int | None:
        """The slot of the switch; None where it is not known.

        That of the first transaction past the freeze, or of the new grant's creation.
        """
        aside = (FREEZE, CLOSE_OLD)
        slots = [
            sent.slot
            for sent in self.record.transactions
            if sent.slot is not None and sent.step not in aside
        ]
        new = self.new
        created = self.facts.history.created_slot(new.grant) if new is not None else None
        return min(slots, default=created)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The rows of the case's transactions by signature."""
        signatures = self.facts.claims.transactions.signature
        return {signature: row for row, signature in enumerate(signatures)}

    def chain(self, grant: str) -> GrantChain | None:
        """The chain of a grant; None where the case was not collected for it."""
        return self.facts.chain(grant) if grant in self.facts.header.grants else None

    def is_complete(self, address: str, slot: int | None) -> bool:
        """Whether the case holds every accepted transaction of an address, read after a slot.

        An account that was read within the slot may lack what landed later in it.
        """
        facts = self.facts
        return (
            slot is not None
            and facts.is_listed_whole(address, accepted_alone=True)
            and facts.is_collected_since(address, slot + 1)
        )

    def absent(self, key: str, what: Words, stated: Words, slot: int | None, address: str) -> Point:
        """A transaction that the case does not hold.

        It is not on the chain where the case holds all transactions of its address.
        """
        if self.is_complete(address, slot):
            return Point(key, what, VIOLATED, stated, NOT_ON_CHAIN(), slot)
        lacking = NOT_COMPLETE() if slot is not None else NO_SLOT()
        return Point(key, what, CANNOT_TELL, stated, lacking, slot)

    def not_accepted(
        self, key: str, what: Words, signature: str, slot: int | None, grant: str
    ) -> Point:
        """A stated claim that is not among the accepted ones of its grant."""
        row = self.row_of.get(signature)
        if row is None:
            return self.absent(key, what, signature, slot, grant)
        err = self.facts.claims.transactions.meta[row].err
        return Point(
            key, what, VIOLATED, signature, NOT_A_CLAIM() if err is None else REFUSED(), slot
        )
