"""The worker's line: where its next proof will point, and how it got there.

Proofs stand in the order of their links and of the audit chain; no clock orders them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from functools import cached_property

from popkit.audit.anchors import Anchor
from popkit.audit.entries import AuditRecords
from popkit.chain.links import GrantChain
from popkit.chain.order import parents_first
from popkit.evidence.worker import StoredRow
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.grant_storage import GrantStorage
from popkit.worker.proofs import Proof, gather_proofs
from popkit.worker.storage_history import HistoryRow

PARENTS_FROM_CLIENTS = 1772496000
"""2026-03-03 00:00 UTC: the day from which a worker may take a proof's parents from the client
(commit de86af4).
"""


class WorkerLine:
    """The worker's head of one grant, and the line of its own proofs that leads there.

    `created_at` is when the grant was created, in unix seconds (None: not known); `acknowledged`
    are the anchors whose request the worker's trail of API calls shows.

    `proofs` are the grant's by entry hash. `head` is the worker's head or None where nothing tells;
    `head_source` is 'storage', 'anchors', 'refused claims' or None.
    """

    def __init__(
        self,
        chain: GrantChain,
        records: AuditRecords,
        anchors: Iterable[Anchor],
        history: Iterable[HistoryRow],
        storage: dict[str, StoredRow] | None,
        created_at: int | None,
        acknowledged: Container[str] = frozenset(),
    ) -> None:
        self.chain, self.records, self.created_at = chain, records, created_at
        self.anchors = [anchor for anchor in anchors if anchor.grant == chain.grant]
        self.history = [row for row in history if row.grant == chain.grant]
        self.storage = GrantStorage(chain.grant, storage, records, self.anchors, self.history)
        stored = {head for head in (self.storage.head, self.storage.stream_head) if head}
        gathered = gather_proofs(chain, self.anchors, self.history, records, stored, acknowledged)
        self.proofs: dict[str, Proof] = gathered.proofs
        self._anchored = gathered.anchored

    @property
    def unattested(self) -> list[Proof]:
        """Proofs that an anchor alone shows, by entry hash: made up, or honest ones whose request's
        row was not written.
        """
        return sorted(
            (p for p in self.proofs.values() if not p.attested), key=lambda p: p.entry_hash
        )

    @property
    def unattested_anchors(self) -> frozenset[str]:
        """The anchors of `unattested`, by hash."""
        return frozenset(
            proof.anchor.anchor_hash for proof in self.unattested if proof.anchor is not None
        )

    @property
    def stored_head(self) -> str | None:
        """The worker's head in its storage; GENESIS where its storage never held one; None where
        nothing tells.
        """
        return self.storage.head

    @property
    def stored_stream_head(self) -> str | None:
        """The stream's head in the worker's storage, as `stored_head`."""
        return self.storage.stream_head

    @property
    def stored_heads_differ(self) -> bool:
        """Whether the storage holds another head for the stream: no program accepts what the worker
        issues next.
        """
        if self.head_source != "storage" or self.stored_stream_head is None:
            return False
        return self.stored_stream_head != (
            self.chain.stream_head if self.head == self.chain.head else self.head
        )

    @cached_property
    def records_since_creation(self) -> bool:
        """Whether the audit chain is unbroken from its newest entry back to before the grant was
        created.
        """
        line = self.records.line
        if not line:
            return False
        begun = line[-1].ts_ms
        if self.created_at is not None and begun <= self.created_at * 1000:
            return True
        older = [
            a.issued_at * 1000 + 999
            for a in [*self.chain.linked, *self.chain.attributed]
            if a.issued_at is not None
        ]
        return self.records.reaches_genesis and begun <= min(
            [*older, *(a.ts_ms for a in self.anchors)], default=begun
        )

    @cached_property
    def _newest_issue(self) -> Anchor | HistoryRow | None:
        """The worker's newest proof, by the audit chain's order; by the storage's history where
        that names one which the chain lacks.
        """
        anchored = {anchor.anchor_hash for anchor in self.anchors}
        later = [row for row in self.history if row.anchor_hash not in anchored]
        last = max(later, key=lambda row: row.issued_at, default=None)
        if last is not None and (
            not self.anchors or last.issued_at > self.anchors[-1].ts_ms // 1000
        ):
            return last
        return self.anchors[-1] if self.anchors else None

    @cached_property
    def follows_chain(self) -> bool:
        """Whether the worker's newest proof took its parent from the chain (models C to E with
        heads from the client).
        """
        return self._newest_issue is not None and self._newest_issue.follows_chain

    @cached_property
    def parents_from_clients(self) -> bool:
        """Whether the worker's model takes parents from clients that give them (C to E), by its
        newest proof.

        Without any record of the worker, the time of the newest signed proof tells which models
        there were.
        """
        if self._newest_issue is not None:
            return self._newest_issue.takes_parents
        signed = [
            a.issued_at
            for a in [*self.chain.linked, *self.chain.attributed]
            if a.issued_at is not None
        ]
        return max(signed, default=0) >= PARENTS_FROM_CLIENTS

    @cached_property
    def head_source(self) -> str | None:
        return self._head[1]

    @cached_property
    def head(self) -> str | None:
        """The worker's head."""
        return self._head[0]

    @cached_property
    def _head(self) -> tuple[str | None, str | None]:
        head, source = self._recorded_head
        refused = [
            p
            for p in self.proofs.values()
            if not p.landed and p.refused and (source is None or self._is_past_the_records(p))
        ]
        if not refused or (source is None and self.parents_from_clients):
            return head, source  # a parent that a client gave says nothing of the worker's head
        return self._tip_above(
            max(refused, key=lambda p: (p.refused[-1].slot, p.issued_at, p.entry_hash)).entry_hash
        ), "refused claims"

    def _is_past_the_records(self, proof: Proof) -> bool:
        """Whether a proof is younger than every record of the worker: then the chain alone shows
        where its head went.
        """
        if proof.issuer != "unknown":
            return False
        newest = self.newest_record
        return proof.entry_hash in self._above_the_recorded_head or (
            newest is not None and proof.issued_at * 1000 + 999 > newest
        )

    @cached_property
    def _above_the_recorded_head(self) -> set[str]:
        """Proofs that stand on the head of the worker's records, no claim that landed in between."""
        return self._above(self._recorded_head[0], through_landed=False)

    def _above(self, entry: str | None, through_landed: bool = True) -> set[str]:
        """The proofs that stand on an entry, by the links of known proofs; `through_landed`: also
        where claims landed in between.
        """
        children: dict[str, list[Proof]] = defaultdict(list)
        for proof in self.proofs.values():
            children[proof.prev_hash].append(proof)
        found: set[str] = set()
        todo = [] if entry is None else children.pop(entry, [])
        while todo:
            proof = todo.pop()
            found.add(proof.entry_hash)
            if through_landed or not proof.landed:
                todo += children.pop(proof.entry_hash, [])
        return found

    def _below(self, proof: Proof) -> set[str]:
        """The entries that a proof stands on, by the links of known proofs."""
        found: set[str] = set()
        cursor: Proof | None = proof
        while cursor is not None and cursor.prev_hash not in found:
            found.add(cursor.prev_hash)
            cursor = self.proofs.get(cursor.prev_hash)
        return found

    @cached_property
    def _recorded_head(self) -> tuple[str | None, str | None]:
        if (
            self.stored_head is not None
            and not self.storage.is_older
            and not self.storage.is_behind
        ):
            return self.stored_head, "storage"
        moved = [p for p, a in zip(self._anchored, self.anchors, strict=True) if a.moved_heads]
        if self.storage.is_behind and not (
            moved
            and moved[-1].anchor is not None
            and moved[-1].anchor.anchor_hash in self._line_hashes
        ):
            return None, None  # a head may have moved in the gap between the storage and the list
        if moved:
            return self._extended(moved[-1].entry_hash), "anchors"
        if self.records_since_creation and not self.anchors:
            return GENESIS_HASH, "anchors"
        return None, None

    @cached_property
    def unknown_parents(self) -> dict[str, int]:
        """Parents that this worker's refused claims, or its line, name and that nothing carries, to
        the issue of their oldest child.
        """
        known = (
            self.chain.accepted_entries.keys()
            | self.proofs.keys()
            | set(self.chain.unseen)
            | {GENESIS_HASH, self.chain.head}
        )
        found: dict[str, int] = {}
        last = self.chain.linked[-1].slot if self.chain.linked else 0
        children = [
            p
            for p in self.proofs.values()
            if p.refused and p.issuer != "foreign" and not p.landed and not p.follows_chain
        ]
        waiting = [
            p for p in children if p.refused[-1].slot >= last
        ]  # what was refused before a claim landed is over
        for proof in [*waiting, *self.path[:1]]:
            if proof.prev_hash not in known:
                found[proof.prev_hash] = min(
                    proof.issued_at, found.get(proof.prev_hash, proof.issued_at)
                )
        return found

    def in_issue_order(self) -> list[Proof]:
        """This worker's proofs in the order of issue: that of their anchors on the audit chain.

        Those that only the storage's history names stand by their second among the others, each
        after its parent.
        """
        own = [p for p in self.proofs.values() if p.from_worker]
        if all(p.anchor is not None for p in own):
            spot = {anchor.anchor_hash: number for number, anchor in enumerate(self.anchors)}
            return sorted(
                own, key=lambda p: (spot[p.anchor.anchor_hash] if p.anchor else -1, p.entry_hash)
            )
        by_second: dict[int, list[Proof]] = defaultdict(list)
        for proof in sorted(
            own, key=lambda p: (p.anchor.ts_ms if p.anchor else p.issued_at * 1000, p.entry_hash)
        ):
            by_second[proof.issued_at].append(proof)
        return parents_first(
            [proof for second in sorted(by_second) for proof in parents_first(by_second[second])]
        )

    def _tip_above(self, entry: str) -> str:
        """The youngest known proof that descends from an entry without a fork (same-second issues
        are kept apart by links).
        """
        children: dict[str, list[Proof]] = {}
        for proof in self.proofs.values():
            children.setdefault(proof.prev_hash, []).append(proof)
        while len(children.get(entry, ())) == 1:
            entry = children[entry][0].entry_hash
        return entry

    def _extended(self, entry: str) -> str:
        """The worker's head, carried on over proofs on chain that follow it and that the worker's
        records do not reach.
        """
        if self.records.newest is None:
            return entry
        children = {
            p.prev_hash: p
            for p in self.proofs.values()
            if not p.from_worker and p.issuer == "unknown"
        }
        visited = {entry}
        while entry in children and children[entry].entry_hash not in visited:
            entry = children[entry].entry_hash
            visited.add(entry)
        return entry

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether the head rests on a refused claim while a younger claim, not on its line, was
        accepted: two lines, one key.
        """
        if self.head_source != "refused claims" or self.head is None:
            return False
        proof = self.proofs[self.head]
        younger = [
            a
            for a in self.chain.linked
            if a.issued_at is not None and a.issued_at > proof.issued_at
        ]
        ground = self._below(proof)
        return any(a.entry_hash not in ground for a in younger)

    @cached_property
    def path(self) -> list[Proof]:
        """The worker's never-accepted proofs, oldest first, from where its line leaves accepted
        ground up to its head.
        """
        path: list[Proof] = []
        cursor, visited = self.head, set()
        while (
            cursor is not None
            and cursor in self.proofs
            and not self.proofs[cursor].landed
            and cursor not in visited
        ):
            visited.add(cursor)
            path.append(self.proofs[cursor])
            cursor = self.proofs[cursor].prev_hash
        return path[::-1]

    @cached_property
    def repeated(self) -> dict[str, str]:
        """Proofs of `path` for a claimer and period that an older one of it is for, each with that
        one, whose receipt bars the way.
        """
        first: dict[tuple[str, int], str] = {}
        pairs = [
            (p.entry_hash, first.setdefault((p.claimer, p.period_index), p.entry_hash))
            for p in self.path
        ]
        return {entry: earlier for entry, earlier in pairs if entry != earlier}

    @cached_property
    def root(self) -> str | None:
        """What the worker's line stands on: the parent of the oldest proof of `path`, or the head
        itself where there is none.
        """
        return self.path[0].prev_hash if self.path else self.head

    def reaches(self, entry: str) -> bool:
        """Whether the records are unbroken from the newest back to an entry's anchor (for GENESIS:
        to before the grant was created).

        Records that end before the entry was issued do not reach it, however far back they go. An
        entry of another issuer has no anchor here: its time, inside the unbroken stretch, stands
        for it.
        """
        if self.stored_head is not None and not self.storage.is_behind:
            return True
        if entry == GENESIS_HASH:
            return self.records_since_creation
        proof = self.proofs.get(entry)
        if proof is None:
            return False
        if proof.anchor is None:
            return (
                proof.issuer == "foreign"
                and bool(self.records.line)
                and self.records.line[-1].ts_ms <= proof.issued_at * 1000
            )
        return proof.anchor.anchor_hash in self._line_hashes

    @cached_property
    def _line_hashes(self) -> frozenset[str]:
        return frozenset(entry.hash for entry in self.records.line)

    @cached_property
    def newest_record(self) -> int | None:
        """Unix milliseconds of the worker's newest record; None without
        records.
        """
        newest = [h.issued_at * 1000 for h in self.history]
        if self.records.newest is not None:
            newest.append(self.records.newest.ts_ms)
        return max(newest, default=None)

    @cached_property
    def unrecorded(self) -> list[Proof]:
        """Accepted proofs that the storage anchors and whose history record it lacks, though it
        holds others'.
        """
        return [proof for proof in self._without_record if self.storage.covers_record(proof)]

    @cached_property
    def unrecorded_beyond(self) -> list[Proof]:
        """The same where the export may have ended before their record: not exported, or an anchor
        made by hand.
        """
        return [proof for proof in self._without_record if not self.storage.covers_record(proof)]

    @cached_property
    def _without_record(self) -> list[Proof]:
        return self.storage.without_record(self.proofs.values())

    @cached_property
    def is_stale(self) -> bool:
        """Whether the chain went on past the worker's records: an accepted claim that they do not
        hold follows one that they do.

        Where no link decides, the clock does: an accepted claim is younger than the newest record.
        """
        if self.head_source not in ("storage", "anchors"):
            return False
        last = self.chain.state.last_issued_at
        if (
            last is not None
            and self.chain.head not in self.proofs
            and (self.newest_record is None or last * 1000 > self.newest_record)
        ):
            return True
        for attempt in reversed(self.chain.linked):
            proof = self.proofs[str(attempt.entry_hash)]
            if proof.from_worker:
                return False  # the newest claim that is known to be this worker's is in its records
            if proof.issuer == "unknown" and self._is_past_the_newest(proof):
                return True
        return False

    def _is_past_the_newest(self, proof: Proof) -> bool:
        if proof.entry_hash in self._above_the_newest_history or proof.prev_hash in self._recorded:
            return True
        return self.newest_record is None or proof.issued_at * 1000 > self.newest_record

    @cached_property
    def _above_the_newest_history(self) -> set[str]:
        """Proofs that stand on the worker's newest, where only the storage's history names that
        one.
        """
        newest = self._newest_issue
        return self._above(newest.entry_hash) if isinstance(newest, HistoryRow) else set()

    @cached_property
    def _recorded(self) -> set[str]:
        return {proof.entry_hash for proof in self.proofs.values() if proof.from_worker}
