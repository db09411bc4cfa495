"""The worker's line of every grant of a case, and the eras of its cluster, which rest on each
other.

Which rules were in force tells where a chain's head is; and a claim that was accepted on a proof of
the worker's which never landed tells that the rules were relaxed. So the eras are decided in two
steps, and no further: the second step only ever adds what accepted claims show, and a line made
anew by it is not asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from popkit.audit.anchors import Anchor
from popkit.audit.entries import AuditRecords
from popkit.chain.accounts import CollectedAccounts
from popkit.chain.attempts import Attempt, shown_by_claims
from popkit.chain.clock import SlotClock
from popkit.chain.eras import EARLIEST, EraTimeline, Shown, only
from popkit.chain.history import History
from popkit.chain.links import GrantChain
from popkit.chain.state import UNREAD, read_state
from popkit.evidence.worker import StoredRow
from popkit.protocol.pda import receipt_address
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof
from popkit.worker.storage_history import HistoryRow


@dataclass(frozen=True, slots=True)
class LineSources:
    """What the lines of a case are made of: attempts by grant, the chain's accounts and history,
    the worker's records.

    `acknowledged` are the anchors whose request the worker's own trail of API calls shows.
    """

    attempts: Mapping[str, list[Attempt]]
    collected: CollectedAccounts
    history: History
    clock: SlotClock
    audit: AuditRecords
    anchors: list[Anchor]
    acknowledged: Collection[str]
    stored_history: list[HistoryRow]
    storage: dict[str, StoredRow] | None

    def line(
        self,
        grant: str,
        eras: EraTimeline,
        *,
        without_state: bool = False,
        without: Collection[str] = (),
    ) -> WorkerLine:
        """The worker's line of one grant under the rules of `eras`.

        `without_state` leaves PopState out, as if it had not been collected; `without` are hashes
        of anchors to leave out.
        """
        state = (
            UNREAD
            if without_state
            else read_state(grant, self.collected.rows, self.collected.program)
        )
        read_at = self.clock.earliest(state.slot) if state.slot is not None else None
        chain = GrantChain(grant, self.attempts[grant], state, eras, read_at)
        steps = self.history.of_grant(grant)
        created = next((step.block_time for step in steps if step.name == "create_grant"), None)
        anchors = [anchor for anchor in self.anchors if anchor.anchor_hash not in without]
        return WorkerLine(
            chain,
            self.audit,
            anchors,
            self.stored_history,
            self.storage,
            created,
            self.acknowledged,
        )


def decide_eras(
    sources: LineSources, option: str | None
) -> tuple[EraTimeline, dict[str, WorkerLine]]:
    """The eras of the cluster and the line of each grant under them; `option` is the era an
    operator insists on.

    1. Behaviour of claims and administrators, and the models of the worker's acknowledged anchors,
       decide.
    2. Where a line shows a claim accepted on a proof that never landed, they decide again with
       that.
    """
    shown = shown_by_claims(sources.history.claims, sources.history)
    eras, lines = _decided(sources, shown, option)
    more = [
        item for line in lines.values() for item in shown_by_lost_parents(line, sources.collected)
    ]
    return _decided(sources, [*shown, *more], option) if more else (eras, lines)


def _decided(
    sources: LineSources,
    shown: list[Shown],
    option: str | None,
) -> tuple[EraTimeline, dict[str, WorkerLine]]:
    """The eras by what was shown, and the lines under them."""
    known = [anchor for anchor in sources.anchors if anchor.anchor_hash in sources.acknowledged]
    models = [(anchor.ts_ms // 1000, anchor.model) for anchor in known]
    eras = EraTimeline(shown, models, option, sources.clock)
    return eras, {grant: sources.line(grant, eras) for grant in sources.attempts}


def shown_by_lost_parents(line: WorkerLine, collected: CollectedAccounts) -> Iterator[Shown]:
    """The relaxed program, once for each claim that was accepted on a parent which certainly never
    landed.

    Certain is: the parent is one of the worker's own proofs, its period's receipt was stated not to
    exist since or is another claim's, and that program exists by then.
    """
    claimed = {(attempt.claimer, attempt.period_index) for attempt in line.chain.accepted}
    for attempt in line.chain.linked:
        parent = line.proofs.get(str(attempt.prev_hash))
        if (
            parent is None
            or parent.accepted is not None
            or not (parent.from_worker and parent.confirmed)
        ):
            continue
        if (attempt.block_time or attempt.issued_at or 0) < EARLIEST["relaxed"]:
            continue
        is_claimed = (parent.claimer, parent.period_index) in claimed
        if is_claimed or _has_no_receipt(parent, line.chain.grant, attempt.slot, collected):
            yield Shown(
                attempt.slot, only("relaxed"), "a claim was accepted on a proof that never landed"
            )


def _has_no_receipt(proof: Proof, grant: str, slot: int, collected: CollectedAccounts) -> bool:
    """Whether the receipt of a proof's claimer and period was stated, at a slot or later, not to
    exist.
    """
    receipt = receipt_address(grant, proof.claimer, proof.period_index, collected.program)
    return collected.is_collected_since(receipt, slot) and not collected.rows[receipt].exists
