"""What became of a proof: landed, can land, lost, or not known. One answer for the verdict, the
checks, the tables and the pictures.

1. A proof landed when a transaction, PopState or an accepted claim that rests on it says so.
2. It is lost when it can land no more and the chain, read after that moment, does not hold it.
3. It can land while the program would still take it by the clock of the case, and the chain's head
   is known.
4. Anything else is not known: the chain was read too early, or nothing shows its head, or a receipt
   tells of a claim that no transaction in the case is.

A node can leave transactions out of its list without a word, the newest above all. So a list alone
does not show the chain's head: PopState does, or whoever collected the list and states, with
reasons, that it is whole.

A pause, another signer in pop-config and an empty vault can be lifted in time: they do not end a
proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from popkit.chain.history import Terms
from popkit.evidence.collection import stated_addresses
from popkit.protocol.message import SKEW_SECONDS
from popkit.worker.case_index import ChainIndex
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof

LANDED, CAN_LAND, LOST, NOT_KNOWN = "landed", "can land", "lost", "not known"


class Fates:
    """The fates of one grant's proofs, by the evidence of one case."""

    def __init__(self, facts: ChainIndex, line: WorkerLine) -> None:
        self.facts, self.line, self.chain = facts, line, line.chain
        self.grant = line.chain.grant

    def of(self, proof: Proof) -> str:
        """LANDED, CAN_LAND, LOST or NOT_KNOWN."""
        if proof.landed:
            return LANDED
        if (proof.claimer, proof.period_index) in self.accepted_periods:
            return LOST  # the receipt of another proof stands in its way for ever
        if self.may_have_landed(proof):
            return LOST if self._receipt_is_of_another(proof) else NOT_KNOWN
        if self._is_over(proof, self.read_at) or self._was_refused_too_late(proof):
            return LOST
        if (
            self._is_over(proof, self.facts.now)
            or not self.head_is_certain
            or self.state_has_no_age
        ):
            return NOT_KNOWN
        return CAN_LAND

    def are(self, proofs: Iterable[Proof], fate: str) -> bool:
        """Whether every one of some proofs has a fate."""
        return all(self.of(proof) == fate for proof in proofs)

    def last_second(self, proof: Proof) -> int:
        """The last unix second at which the program would take a proof: its age, the end of its
        period, the grant's expiry.
        """
        ends = [proof.issued_at + SKEW_SECONDS]
        if self.terms is not None:
            ends.append(
                self.terms.start_ts + (proof.period_index + 1) * self.terms.period_seconds - 1
            )
            if self.terms.expires_at > 0:
                ends.append(self.terms.expires_at)
        return min(ends)

    def _is_over(self, proof: Proof, moment: int | None) -> bool:
        """Whether a proof could land no more at a unix second (None: nothing is over then)."""
        if moment is None:
            return False
        return moment > self.last_second(proof) or self._begins_too_late(proof)

    def _begins_too_late(self, proof: Proof) -> bool:
        """Whether the proof's period begins only after the proof has grown too old."""
        return (
            self.terms is not None
            and self.terms.period_at(proof.issued_at + SKEW_SECONDS) < proof.period_index
        )

    def _was_refused_too_late(self, proof: Proof) -> bool:
        """Whether a refusal of the proof, or of one that rests on it, landed after its last second:
        the chain did not hold it then.
        """
        return proof.entry_hash in self._refused_too_late

    @cached_property
    def _refused_too_late(self) -> frozenset[str]:
        found: set[str] = set()
        refused: list[tuple[int, Proof]] = []
        for top in self.line.proofs.values():
            times = [
                a.block_time for a in top.refused if a.block_time is not None and a.broke_chain_rule
            ]
            if times and not top.landed:
                refused.append((max(times), top))
        reached: set[str] = set()
        for time, top in sorted(
            refused, key=lambda pair: -pair[0]
        ):  # the latest first: who comes to a place again, comes earlier
            cursor = self.line.proofs.get(top.prev_hash)
            while cursor is not None and not cursor.landed and cursor.entry_hash not in reached:
                reached.add(cursor.entry_hash)
                if time > self.last_second(cursor):
                    found.add(cursor.entry_hash)
                cursor = self.line.proofs.get(cursor.prev_hash)
        return frozenset(found)

    @cached_property
    def terms(self) -> Terms | None:
        """The terms in force last; None where they are not known."""
        return self.facts.history.terms_now(self.grant)

    @cached_property
    def head_is_certain(self) -> bool:
        """Whether the chain's head is known: PopState tells it, or the node's list does, and its
        collector states that it is whole.
        """
        return self.chain.state_counts or self._list_is_whole

    @property
    def state_has_no_age(self) -> bool:
        """Whether PopState tells the head as of an unknown moment: what it does not hold may have
        landed since.
        """
        return self.chain.state_counts and self.chain.state.slot is None

    @cached_property
    def _list_is_whole(self) -> bool:
        """Whether the collector states that the grant's list is whole, and the case holds every
        transaction of it that did not fail.
        """
        stated = any(
            row.address == self.grant and row.complete
            for row in stated_addresses(self.facts.header)
        )
        return stated and self.facts.is_listed_whole(self.grant, accepted_alone=True)

    @cached_property
    def read_at(self) -> int | None:
        """The unix second up to which the chain is known: when PopState was read, or a list that is
        whole was collected; None: not known.

        A PopState without a slot is only known to have been read after the claim that it names.
        """
        if not self.head_is_certain:
            return None
        if not self.chain.state_counts:
            return None if self.facts.clock_is_impossible else self.facts.now
        if self.chain.state.slot is not None:
            return self.facts.clock.earliest(self.chain.state.slot)
        return self.facts.clock.earliest(self.chain.linked[-1].slot) if self.chain.linked else None

    @cached_property
    def accepted_periods(self) -> frozenset[tuple[str, int]]:
        """(claimer, period) of every claim that landed, as far as the evidence names them."""
        accepted = {(a.claimer, a.period_index) for a in self.chain.accepted}
        return frozenset(
            accepted | {(p.claimer, p.period_index) for p in self.line.proofs.values() if p.landed}
        )

    def is_claimed(self, claimer: str, period_index: int) -> bool:
        """Whether (claimer, period) has an accepted claim, by a transaction or by its receipt."""
        return (claimer, period_index) in self.accepted_periods or self.facts.receipt_exists(
            self.grant, claimer, period_index
        ) is True

    def may_have_landed(self, proof: Proof) -> bool:
        """Whether a receipt, or the worker's record, tells of a claim that no transaction in the
        evidence is: it may be this proof's.
        """
        if (proof.claimer, proof.period_index) in self.accepted_periods:
            return False
        if self.facts.receipt_exists(self.grant, proof.claimer, proof.period_index) is True:
            return True
        return not self.chain.state_counts and proof.claimer in self.facts.recorded_unseen(
            self.grant
        )

    def _receipt_is_of_another(self, proof: Proof) -> bool:
        """Whether a receipt is not this proof's: it was there when PopState, under strict rules,
        did not lead to the proof.
        """
        row, state = (
            self.facts.receipt_row(self.grant, proof.claimer, proof.period_index),
            self.chain.state,
        )
        if (
            row is None
            or not row.exists
            or not self.chain.state_counts
            or row.slot is None
            or state.slot is None
        ):
            return False
        if self.chain.unseen:
            return False  # what it is may be among the claims that are not in the evidence
        era = self.chain.eras.at(state.slot, self.chain.now)
        return row.slot <= state.slot and not era.may_be_relaxed
