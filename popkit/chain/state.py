"""A grant's PopState, the account in which the program keeps its chain's heads, as it was
collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from popkit.evidence.lines import Place
from popkit.evidence.rpc import AccountRow
from popkit.protocol import accounts as layouts
from popkit.protocol.pda import pop_state_address


@dataclass(slots=True)
class PopStateReading:
    """What one reading of a grant's PopState says: `known` False when none was collected; `head`
    None when it does not exist.

    `slot` is None where the node gave none: the reading's age is not known then. `others` are
    further readings of the same account; `is_contradicted` says that the evidence holds two
    contents for this very slot, `foreign_owner` that another program owns it.
    """

    known: bool
    slot: int | None = None
    head: str | None = None
    stream_head: str | None = None
    last_period_index: int | None = None
    last_issued_at: int | None = None
    place: Place | None = None
    unreadable: bool = False
    is_contradicted: bool = False
    foreign_owner: str | None = None
    others: tuple[PopStateReading, ...] = ()


UNREAD = PopStateReading(known=False)
"""No PopState: as if none had been collected."""


def read_state(grant: str, accounts: Mapping[str, AccountRow], program: str) -> PopStateReading:
    """The PopState of a program's grant as collected: the newest reading, with the others behind
    it.
    """
    row = accounts.get(pop_state_address(grant, program))
    if row is None:
        return UNREAD
    state = _reading(grant, row)
    state.others = tuple(_reading(grant, other) for other in row.others)
    return state


def _reading(grant: str, row: AccountRow) -> PopStateReading:
    reading = PopStateReading(
        known=True, slot=row.slot, place=row.place, is_contradicted=row.is_contradicted
    )
    if not row.exists:
        return reading
    value = row.decoded(layouts.PopState)
    if value is None or value.grant != grant:
        reading.unreadable = True
        reading.foreign_owner = row.owner if row.owner != row.program else None
    elif value.initialized:
        reading.head, reading.stream_head = value.last_global_hash, value.last_stream_hash
        reading.last_period_index, reading.last_issued_at = (
            value.last_period_index,
            value.last_issued_at,
        )
    return reading
