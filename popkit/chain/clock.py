"""When each part of the evidence was taken: an account's slot, a list's newest row, the worker's
newest record.

Parts of different moments are normal. What is said of a part is said as of its moment: a proof is
lost only by a PopState that was read after it could land no more, and a head is sound only up to
where the records of both sides reach.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from popkit.chain.accounts import CollectedAccounts
from popkit.claims.table import ClaimTable
from popkit.evidence.rpc import SignatureRow

SLOT_SECONDS = 0.4
"""Seconds a slot takes, as Solana means it to; clusters keep it within a quarter over hours."""
SLOWEST, FASTEST = 1.25, 0.35
"""How much longer, and shorter, than it should a slot may be on average before a stated time is not
believed.
"""
SLACK = 60
"""Seconds that two clocks may differ (block times are estimates of the validators; the worker's
clock is its own).
"""
MEASURED_SLOTS = 3000
"""How many slots the known times must span before the cluster's own pace is taken from them."""
DAY = 86400
YEAR = 366 * DAY


class SlotClock:
    """Unix seconds of slots, from the block times in the case and from `collected_at`, the stated
    clock at the newest account's slot.

    `stated` is that (slot, second), or None where the accounts carry no slot. It counts only where
    it fits the block times: a time that runs ahead of what the slots allow is of another moment
    than the accounts, and is left out (`disagrees`). Without any block time it says when the slot
    was at the latest, and not at the earliest: a case put together from parts of different days may
    state the newest.
    """

    def __init__(
        self,
        times: Iterable[tuple[int, int]],
        stated: tuple[int, int] | None = None,
    ) -> None:
        known: dict[int, int] = {}
        for slot, second in times:
            known[slot] = max(second, known.get(slot, second))
        self._slots = sorted(known)
        self._seconds = [known[slot] for slot in self._slots]
        self.stated = stated
        self.disagrees = False
        if stated is not None:
            bounds = [self._latest_from_below(stated[0]), self._first_from_above(stated[0])]
            self.disagrees = any(
                latest is not None and stated[1] > latest + SLACK for latest in bounds
            )
        self._stated = None if self.disagrees else stated
        self._fitting = self._stated if self._slots else None

    @property
    def _pace(self) -> float:
        """The longest that a slot is believed to take on average, in seconds."""
        if self._slots and self._slots[-1] - self._slots[0] >= MEASURED_SLOTS:
            measured = (self._seconds[-1] - self._seconds[0]) / (self._slots[-1] - self._slots[0])
            return max(measured, 0.0) * 1.05
        return SLOT_SECONDS * SLOWEST

    def _latest_from_below(self, slot: int) -> float | None:
        """The latest second that a slot can have, by the block time before it; None without one."""
        spot = bisect_right(self._slots, slot)
        return (
            self._seconds[spot - 1] + (slot - self._slots[spot - 1]) * self._pace if spot else None
        )

    def _first_from_above(self, slot: int) -> int | None:
        """The first known block time at a slot or after it; None without one."""
        spot = bisect_left(self._slots, slot)
        return self._seconds[spot] if spot < len(self._slots) else None

    def earliest(self, slot: int | None) -> int | None:
        """The earliest unix second at which a slot can have been; None where nothing tells.

        A stated time that fits the block times is taken as it is for its own slot. Elsewhere the
        block times on both sides bound it.
        """
        if slot is None:
            return None
        if self._fitting is not None and slot >= self._fitting[0]:
            return self._fitting[1]
        bounds: list[float] = []
        spot = bisect_right(self._slots, slot)
        if spot:
            bounds.append(
                self._seconds[spot - 1] + (slot - self._slots[spot - 1]) * SLOT_SECONDS * FASTEST
            )
        after = bisect_left(self._slots, slot)
        later = [(self._slots[after], self._seconds[after])] if after < len(self._slots) else []
        for at, second in [*later, *([self._fitting] if self._fitting is not None else [])]:
            bounds.append(second - (at - slot) * self._pace)
        return int(max(bounds)) if bounds else None

    def latest(self, slot: int | None) -> int | None:
        """The latest unix second at which a slot can have been; None where nothing tells."""
        if slot is None:
            return None
        bounds = (
            [float(self._stated[1])] if self._stated is not None and slot <= self._stated[0] else []
        )
        after = self._first_from_above(slot)
        if after is not None:
            bounds.append(after)
        below = self._latest_from_below(slot)
        if below is not None:
            bounds.append(below + SLACK)
        return int(min(bounds)) if bounds else None


def is_impossible(collected_at: int, chain: Iterable[int], worker: Iterable[int]) -> bool:
    """Whether a stated time of collection cannot be: before all that was collected, or more than a
    year after the newest of it.

    All in unix seconds; `chain` are block times, `worker` times by the worker's clock, which may be
    wrong. Parts that are younger than the collection are no contradiction: exports may have been
    added later.
    """
    if not 0 < collected_at < 1 << 33:
        return True
    landed, recorded = list(chain), list(worker)
    oldest = min([*(t - SLACK for t in landed), *(t - DAY for t in recorded)], default=collected_at)
    newest = max([*landed, *recorded], default=collected_at)
    return not oldest <= collected_at <= newest + YEAR


def clock_of(
    claims: ClaimTable,
    listed: Mapping[str, SignatureRow] | None,
    collected: CollectedAccounts,
    collected_at: int | None,
) -> SlotClock:
    """The clock of one case: by the block times of its transactions and of its lists.

    Where a node gave none of either, the receipts of accepted claims tell when they were claimed.
    `collected_at` is the stated second of the newest account; None where it is not to be believed.
    """
    transactions = claims.transactions
    dated = zip(transactions.slot, transactions.block_time, strict=True)
    times = [(slot, second) for slot, second in dated if second is not None]
    times += [
        (row.slot, row.block_time) for row in (listed or {}).values() if row.block_time is not None
    ]
    if not times:
        for row in range(len(claims)):
            receipt = (
                collected.receipt(claims.key_text["receipt"][row]) if claims.accepted[row] else None
            )
            if receipt is not None:
                times.append((int(claims.slot[row]), receipt.claimed_at))
    slots = [row.slot for row in collected.rows.values() if row.slot is not None]
    stated = (max(slots), collected_at) if slots and collected_at is not None else None
    return SlotClock(times, stated)
