"""The chain of one grant: accepted claims in order, links, heads, forks and what the links say is
missing, under each slot's rules.

Says what is; guesses no causes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from popkit.chain.attempts import Attempt
from popkit.chain.eras import EraAt, EraTimeline
from popkit.chain.order import by_position, in_landing_order
from popkit.chain.state import PopStateReading
from popkit.protocol.message import GENESIS_HASH


@dataclass(frozen=True, slots=True)
class Fork:
    """A parent (global link) with two or more different entries, attributed or accepted."""

    parent: str
    children: tuple[str, ...]


class GrantChain:
    """The chain of one grant.

    `now` is when PopState was read, in unix seconds.
    Attributes: `accepted` and `refused` (attributed or not) attempts in landing order, `forged`
    ones apart; `state` is the newest reading of PopState.
    """

    def __init__(
        self,
        grant: str,
        attempts: list[Attempt],
        state: PopStateReading,
        eras: EraTimeline,
        now: int | None = None,
    ) -> None:
        self.grant, self.state, self.eras, self.now = grant, state, eras, now
        self.forged = [a for a in attempts if a.noise == "forged"]
        sound = [a for a in attempts if a.noise != "forged"]
        self.accepted = in_landing_order(a for a in sound if a.accepted)
        self.refused = sorted((a for a in sound if not a.accepted), key=by_position)

    def __len__(self) -> int:
        return len(self.accepted) + len(self.refused)

    @cached_property
    def attributed(self) -> list[Attempt]:
        """Refused attempts that are the grant's issuer's, in landing order."""
        return [a for a in self.refused if a.noise is None]

    @cached_property
    def linked(self) -> list[Attempt]:
        """Accepted claims that carry a proof, in landing order."""
        return [a for a in self.accepted if a.entry_hash is not None]

    @cached_property
    def accepted_entries(self) -> dict[str, Attempt]:
        """Accepted claims by entry hash (the first landing, should one entry have landed twice)."""
        found: dict[str, Attempt] = {}
        for attempt in self.linked:
            found.setdefault(str(attempt.entry_hash), attempt)
        return found

    @property
    def receipts(self) -> set[str]:
        """The receipt accounts that the grant's accepted and forged claims made."""
        return {attempt.receipt for attempt in [*self.accepted, *self.forged]}

    def era_at(self, attempt: Attempt) -> str:
        """The era that an attempt was judged by."""
        return self._era(attempt).era

    def _era(self, attempt: Attempt) -> EraAt:
        return self.eras.at(attempt.slot, attempt.block_time)

    @cached_property
    def heads(self) -> list[str]:
        """The chain's head after each of `linked`, by the era's rule: strict moves always, relaxed
        when issued_at is not older.
        """
        heads, head, newest = [], GENESIS_HASH, None
        for attempt in self.linked:
            assert attempt.entry_hash is not None
            assert attempt.issued_at is not None
            relaxed = self.era_at(attempt) == "relaxed"
            if not relaxed or newest is None or attempt.issued_at >= newest:
                head, newest = attempt.entry_hash, attempt.issued_at
            heads.append(head)
        return heads

    @cached_property
    def links_head(self) -> str:
        """Where the accepted claims lead: the head after the last of them, or GENESIS (64 zeros)."""
        return self.heads[-1] if self.heads else GENESIS_HASH

    @cached_property
    def state_is_stale(self) -> bool:
        """Whether PopState was read before the last accepted claim landed: by its slot, or where it
        has none, by the head it names.
        """
        if not self.linked or not self.state.known:
            return False
        if self.state.slot is not None:
            return self.state.slot < self.linked[-1].slot
        return self.state.head is None or (
            self.state.head in self.accepted_entries and self.state.head != self.links_head
        )

    @cached_property
    def state_counts(self) -> bool:
        """Whether PopState tells the chain's head: it was collected, can be read, and was not read
        before the last accepted claim.
        """
        return self.state.known and not self.state.unreadable and not self.state_is_stale

    @cached_property
    def head(self) -> str:
        """The chain's head: PopState's where it was collected (and is not older than the claims),
        else the end of the links.
        """
        return (self.state.head or GENESIS_HASH) if self.state_counts else self.links_head

    @cached_property
    def stream_head(self) -> str:
        """The head by the stream's link: PopState's own where `head` is PopState's; else the two
        are one.
        """
        return (
            self.state.stream_head
            if self.state_counts and self.state.stream_head is not None
            else self.head
        )

    def heads_during(self, slot: int) -> set[str]:
        """Every entry that may have been the chain's head while a slot ran, GENESIS included where
        nothing had landed.

        An unseen claim shows as the parent of an accepted one of that slot or of the next, or as
        PopState's head: it counts as well.
        """
        first = after = bisect_left(self._slots, slot)
        found = {self.heads[first - 1] if first else GENESIS_HASH}
        while after < len(self.linked) and self.linked[after].slot == slot:
            found.add(self.heads[after])
            after += 1
        for attempt in self.linked[max(first - 1, 0) : after]:
            era = self._era(attempt)
            if era.may_be_strict and era.may_be_relaxed:
                found.add(
                    str(attempt.entry_hash)
                )  # whether it moved the head depends on rules that are not known
        named = {str(a.prev_hash) for a in self.linked[first : after + 1]}
        if after == len(self.linked) and not self.state_is_stale:
            named.add(str(self.state.head))
        return found | (named & self._unseen)

    @cached_property
    def _slots(self) -> list[int]:
        return [a.slot for a in self.linked]

    @property
    def unseen(self) -> list[str]:
        """Entries that PopState, or under strict rules an accepted claim, names and no transaction
        in the case carries; ascending.
        """
        return sorted(self._unseen)

    @cached_property
    def _unseen(self) -> frozenset[str]:
        found = set()
        for attempt in self.linked:
            parent = attempt.prev_hash
            if (
                parent == GENESIS_HASH
                or parent in self.accepted_entries
                or not self._era(attempt).may_be_strict
            ):
                continue
            found.add(str(parent))
        if (
            self.state.head is not None
            and self.state.head != GENESIS_HASH
            and self.state.head not in self.accepted_entries
        ):
            found.add(self.state.head)
        return frozenset(found)

    @cached_property
    def strict_ground(self) -> list[str]:
        """Unseen entries that were accepted under strict rules, by an accepted child or PopState:
        so was all that they rest on.
        """
        found = [str(a.prev_hash) for a in self.linked if self.is_strict_at(a)]
        state = self.state
        if state.head is not None and state.slot is not None:
            era = self.eras.at(state.slot, self.now)
            if era.may_be_strict and not era.may_be_relaxed:
                found.append(state.head)
        return [entry for entry in found if entry in self._unseen]

    def is_strict_at(self, attempt: Attempt) -> bool:
        """Whether an attempt was judged by strict rules, and not by a date alone."""
        era = self._era(attempt)
        return era.may_be_strict and not era.may_be_relaxed

    def is_surely_strict(self, attempt: Attempt) -> bool:
        """Whether strict rules were in force whatever else is true: behaviour leaves no relaxed
        program there, or it did not exist yet.

        That the program shown last stays is what verdicts go by; it proves nothing of a slot after
        which a newer program shows, or none.
        """
        if not self.is_strict_at(attempt):
            return False
        return "relaxed" not in self._era(attempt).possible or self.eras.precedes(
            attempt.slot, attempt.block_time, "relaxed"
        )

    @cached_property
    def is_closed_by_state(self) -> bool:
        """Whether strict links lead from GENESIS to a PopState read after them, so that no accepted
        proof can be missing.
        """
        if not self.state_counts or self.state_disagrees or self.unseen:
            return False
        return all(self.is_strict_at(a) for a in self.accepted)

    @property
    def state_disagrees(self) -> bool:
        """Whether some reading of PopState cannot be true beside the accepted claims: see
        `contradicting_states`.
        """
        return bool(self.contradicting_states)

    @cached_property
    def contradicting_states(self) -> list[PopStateReading]:
        """Readings of PopState that cannot be true beside the accepted claims or beside another
        reading, ascending by slot.

        A reading of a slot names the head that the claims had led to by then: not an older one, not
        one that landed later, and not nothing where a claim had landed. An unseen head is a gap,
        not a contradiction; a reading without a slot has no age to be wrong for.
        """
        readings = [
            reading
            for reading in [*self.state.others, self.state]
            if reading.known and not reading.unreadable
        ]
        backwards = [
            later
            for before, later in pairwise(s for s in readings if s.slot is not None)
            if self._goes_back(before, later)
        ]
        return [
            reading
            for reading in readings
            if reading.is_contradicted or self._contradicts(reading) or reading in backwards
        ]

    def _goes_back(self, before: PopStateReading, later: PopStateReading) -> bool:
        """Whether a later reading tells of an older state than one before it: nothing where there
        was a head, or an older claim's.
        """
        if before.head is None or before.head == later.head:
            return False
        if later.head is None:
            return True
        older, newer = self.accepted_entries.get(later.head), self.accepted_entries.get(before.head)
        if older is None or newer is None or older.issued_at is None or newer.issued_at is None:
            return False
        return (
            self.linked.index(older) < self.linked.index(newer)
            and older.issued_at < newer.issued_at
        )

    def _contradicts(self, reading: PopStateReading) -> bool:
        if not reading.known or reading.unreadable or reading.slot is None:
            return False
        if reading.head is None:
            return bool(self.linked) and self.linked[0].slot < reading.slot
        landed = self.accepted_entries.get(reading.head)
        if landed is None or reading.head in self.heads_during(reading.slot):
            return False
        if landed.slot > reading.slot:
            return True
        spot = self.linked.index(landed)
        after = [a for a in self.linked[spot + 1 :] if a.slot <= reading.slot]
        return any(self._moves_past(a, landed) for a in after) and not self._gap_after(reading.head)

    def _moves_past(self, later: Attempt, landed: Attempt) -> bool:
        """Whether a claim that landed after another one certainly took the head from it.

        Strict rules always do; relaxed ones where it was not issued before. Of equal times the
        later moves the head; a slot has no order.
        """
        assert later.issued_at is not None
        assert landed.issued_at is not None
        if self.is_surely_strict(later):
            return True
        tied = later.issued_at == landed.issued_at and later.slot == landed.slot
        return later.issued_at >= landed.issued_at and not tied

    @cached_property
    def misordered(self) -> list[Attempt]:
        """Accepted strict claims whose parent landed later, or in another place than right before
        them: the evidence cannot be true.

        A second child of one parent is not among them: that is how the relaxed program shows.
        """
        return [
            a
            for a in self.linked
            if self.is_surely_strict(a)
            and a.prev_hash in self.accepted_entries
            and a.prev_hash not in self.heads_during(a.slot)
        ]

    @cached_property
    def doubled(self) -> list[Attempt]:
        """Accepted claims of a period that another accepted claim holds already; the receipt allows
        one.
        """
        first: dict[tuple[str, int], Attempt] = {}
        return [
            a for a in self.accepted if first.setdefault((a.claimer, a.period_index), a) is not a
        ]

    def _gap_after(self, entry: str) -> bool:
        """Whether claims after an entry hang on an unseen one, so that their order against it is
        not known.
        """
        landed = self.accepted_entries[entry].slot
        return any(a.prev_hash in self._unseen for a in self.linked if a.slot >= landed)

    @cached_property
    def forks(self) -> list[Fork]:
        """Parents with two or more different entries, ascending by parent."""
        children: dict[str, set[str]] = defaultdict(set)
        for attempt in [*self.linked, *self.attributed]:
            children[str(attempt.prev_hash)].add(str(attempt.entry_hash))
        return [
            Fork(parent, tuple(sorted(entries)))
            for parent, entries in sorted(children.items())
            if len(entries) > 1
        ]

    @cached_property
    def eras_found(self) -> list[str]:
        """The eras of the grant's attempts, ascending."""
        return sorted({self.era_at(a) for a in [*self.accepted, *self.refused]})

    def links(self) -> list[dict[str, Any]]:
        """One row an accepted claim with a proof: entry, parent, whether the parent was the head,
        the head after it.
        """
        rows, before = [], GENESIS_HASH
        for attempt, head in zip(self.linked, self.heads, strict=True):
            rows.append(
                {
                    "signature": attempt.signature,
                    "slot": attempt.slot,
                    "entry_hash": attempt.entry_hash,
                    "prev_hash": attempt.prev_hash,
                    "stream_prev_hash": attempt.stream_prev_hash,
                    "follows_head": attempt.prev_hash == before,
                    "head_after": head,
                    "era": self.era_at(attempt),
                }
            )
            before = head
        return rows
