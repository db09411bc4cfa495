"""One moment of everything that changes: the worker's answers, accounts at one slot, the lists'
newest rows.

A diagnosis compares the worker's head with the chain's; read an hour apart they differ without a
fault. The worker is asked before the chain: a proof issued in between then shows as newer than the
worker's answer, while the other order would show proofs as not landed that had. All is asked again
while claims keep landing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from popkit.collecting.completeness import Seen
from popkit.collecting.listing import Lister, Listing
from popkit.collecting.names import names_of
from popkit.collecting.node import Node
from popkit.collecting.progress import Progress
from popkit.collecting.state import State
from popkit.collecting.worker import Worker, WorkerSeen
from popkit.evidence.layout import ENDPOINTS
from popkit.facts import Facts

LATE = 120.0
"""Seconds that a node's newest finalized block may be behind the node's own clock; finality takes
about fifteen.
"""
_AHEAD = 10_000  # slots that may pass between two requests of one moment, over an hour


@dataclass(slots=True)
class Moment:
    """When a collection's changing parts were read: `now` in unix seconds, whose clock that is,
    what was missing.
    """

    now: float
    clock: str = "this machine's clock"
    worker: WorkerSeen = field(default_factory=WorkerSeen)
    missing: list[str] = field(default_factory=list)


class MomentTaker:
    """Reads the changing parts. `facts` gives the facts of what was collected by now; answers up to
    `fresh` seconds old count as now.
    """

    def __init__(
        self,
        seen: Seen,
        progress: Progress,
        fresh: float,
        clock: Callable[[], float],
        facts: Callable[[], Facts],
    ) -> None:
        self.seen, self.progress, self.fresh, self.clock, self.facts = (
            seen,
            progress,
            fresh,
            clock,
            facts,
        )
        self.moment = Moment(clock())

    async def worker(self, worker: Worker | None, tag: str) -> None:
        """Ask the worker, if there is one: everything once, and from then on its list alone, when a
        moment has passed.
        """
        if worker is not None:
            self.progress.enter("asking the worker", len(ENDPOINTS))
            self.moment.worker = await worker.all(tag, self.fresh, self.moment.worker)

    async def accounts(self, state: State, node: Node, grants: list[str], tag: str) -> None:
        """Core accounts at one slot, every receipt, and what time it was then."""
        names = names_of(self.facts())
        missing = self.moment.missing = []
        self.progress.enter("reading accounts", len(names.core) + len(names.receipts))
        before = await state.one(
            f"{tag}/slot", "getSlot", [{"commitment": "finalized"}], self.fresh
        )
        said = msgspec.json.decode(before.result) if before.ok else None
        core = self.seen.core = await state.accounts(names.core, f"{tag}/core", self.fresh)
        for grant in grants:
            self.seen.receipts[grant] = await state.receipts(
                grant, f"{tag}/receipts/{grant}", self.fresh
            )
        listed = {address for seen in self.seen.receipts.values() for address in seen.accounts}
        others = await state.accounts(sorted(names.receipts - listed), f"{tag}/others", self.fresh)
        missing += [
            f"{what}: {seen.why}"
            for what, seen in (("accounts", core), ("receipts", others))
            if seen.why
        ]
        if len(core.slots) > 1:
            missing.append(
                f"accounts: too many for one request; they are of slots {min(core.slots)} to "
                f"{max(core.slots)}"
            )
        await self._time(
            state, node, min(core.slots, default=said if isinstance(said, int) else 0), said, tag
        )

    async def _time(self, state: State, node: Node, slot: int, said: Any, tag: str) -> None:
        """`collected_at`: the cluster's clock at the slot of the accounts, which is the clock that
        proofs expire by.

        This machine's clock may be wrong, and a node that lags shows an old chain, whose age must
        be judged by that chain's own time.
        """
        self.moment.now, self.moment.clock, self.seen.behind = (
            self.clock(),
            "this machine's clock",
            "",
        )
        if node.date is not None:
            self.moment.now, self.moment.clock = node.date, "the node's Date header"
        clock = self.moment.now
        reply = await state.one(f"{tag}/time/{slot}", "getBlockTime", [slot], self.fresh)
        block_time = msgspec.json.decode(reply.result) if reply.ok else None
        if not isinstance(block_time, int):
            return
        if clock - block_time > LATE:
            self.seen.behind = (
                f"its newest finalized block is {clock - block_time:.0f} s older than its own clock"
            )
        elif isinstance(said, int) and not 0 <= slot - said <= _AHEAD:
            self.seen.behind = (
                f"accounts are of slot {slot}, though it had just given slot {said} as its newest"
            )
        self.moment.now, self.moment.clock = float(block_time), f"the block time of slot {slot}"

    async def newer(self, lister: Lister, tag: str) -> dict[str, int]:
        """What landed since the lists were read: slots by signature."""
        self.progress.enter("looking for newer signatures")
        wanted: dict[str, int] = {}
        for address, lists in sorted(self.seen.lists.items()):
            if not lists[0].ended:
                continue
            known = Listing(address, [row for listing in reversed(lists) for row in listing.rows])
            newer = await lister.of(address, known, tag, self.fresh)
            lists.append(newer)
            wanted |= {row.signature: row.slot for row in newer.rows}
        return wanted
