"""The proofs of one grant, whatever told of them, and the worker's line: where its next proof will point, and how it got there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from popkit.audit.anchors import Anchor, read_head
from popkit.audit.entries import GENESIS, LIST, STORAGE, AuditRecords
from popkit.audit.extents import Exported
from popkit.chain.attempts import Attempt
from popkit.chain.links import GrantChain, parents_first
from popkit.evidence.worker import StoredRow
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.storage_history import HISTORY_KEY, HistoryRow

HEAD_KEY = "pop_chain:lastHash:global:"
STREAM_KEY = "pop_chain:lastHash:stream:"
USUAL_LATENCY = 30
"""Seconds from the issue of a proof to its landing that the quickest wallets keep within."""
PARENTS_FROM_CLIENTS = 1772496000
"""2026-03-03 00:00 UTC: the day from which a worker may take a proof's parents from the client (commit de86af4)."""


@dataclass(slots=True)
class Proof:
    """One issued proof. `confirmed` is False when its entry hash rests on an assumed issued_at.

    `follows_chain` is whether the worker took its parents from the chain.
    `issuer` is 'this_worker', 'foreign' or 'unknown' (the worker's records do not cover its time). `landed` is whether the chain accepted
    it: by a transaction in the case (`accepted`), or because PopState or an accepted claim names it. `attested` is whether more than an
    anchor tells of it: anyone with the audit-log token can write an anchor.
    """

    entry_hash: str
    prev_hash: str
    stream_prev_hash: str
    claimer: str
    period_index: int
    issued_at: int
    audit_hash: str | None
    confirmed: bool = True
    anchor: Anchor | None = None
    in_history: bool = False
    accepted: Attempt | None = None
    refused: list[Attempt] = field(default_factory=list)
    issuer: str = "unknown"
    landed: bool = False
    follows_chain: bool = False
    attested: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether its anchor says that a ticket receipt was shown for it (models B to E)."""
        return self.anchor is not None and self.anchor.model != "A"

    @property
    def from_worker(self) -> bool:
        """Whether the worker's own records tell of the proof."""
        return self.anchor is not None or self.in_history


class WorkerLine:
    """The proofs of one grant and the worker's head.

    `head` is the worker's head or None where nothing tells; `head_source` is 'storage', 'anchors', 'refused claims' or None;
    `follows_chain` is True when the worker takes its parents from the chain (its newest anchor says so), `parents_from_clients` when its
    model can. `acknowledged` are the anchors whose request the worker's trail of API calls shows.

    Proofs stand in the order of their links and of the audit chain; no clock orders them.
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
        self.chain, self.records, self.storage, self.created_at = chain, records, storage, created_at
        self._acknowledged = acknowledged
        self.anchors = [a for a in anchors if a.grant == chain.grant]
        self.history = [h for h in history if h.grant == chain.grant]
        self.proofs: dict[str, Proof] = {}
        self._anchored: list[Proof] = []
        self._gather()

    def _known_hashes(self) -> set[str]:
        known = {GENESIS_HASH}
        for attempt in [*self.chain.linked, *self.chain.attributed]:
            known |= {str(attempt.entry_hash), str(attempt.prev_hash)}
        for anchor in self.anchors:
            known.add(anchor.prev_hash)
        known |= {h.entry_hash for h in self.history if h.holds}
        known |= {h for h in (self.chain.state.head, self.stored_head, self.stored_stream_head) if h}
        return known - {GENESIS_HASH}

    def _gather(self) -> None:
        """Merge what the chain, the anchors and the storage's history tell of each proof."""
        known = self._known_hashes()
        for attempt in [*self.chain.linked, *self.chain.attributed]:
            proof = self._proof(str(attempt.entry_hash), attempt)
            if attempt.accepted:
                proof.accepted = proof.accepted or attempt
            else:
                proof.refused.append(attempt)
        for row in self.history:
            if row.holds:
                proof = self._proof(row.entry_hash, row)
                proof.in_history, proof.follows_chain = True, row.follows_chain
        taken: dict[str, int] = {}
        for anchor in self.anchors:
            entry, issued_at, confirmed = anchor.rebuild(known, taken)
            taken.setdefault(entry, anchor.ts_ms // 1000)
            existing = self.proofs.get(entry)
            if existing is None:
                existing = self.proofs[entry] = Proof(
                    entry, anchor.prev_hash, anchor.stream_prev_hash, anchor.claimer, anchor.period_index, issued_at,
                    anchor.audit_hash, confirmed,
                )  # fmt: skip
            existing.anchor = existing.anchor or anchor
            existing.follows_chain = existing.anchor.follows_chain
            self._anchored.append(existing)
        unseen = set(self.chain.unseen)
        for proof in self.proofs.values():
            proof.issuer = self._issuer(proof)
            proof.landed = proof.accepted is not None or proof.entry_hash == self.chain.head or proof.entry_hash in unseen
        self._attest()
        below: set[str] = set()
        for entry in self.chain.strict_ground:
            cursor = self.proofs.get(entry)
            while cursor is not None and cursor.entry_hash not in below:
                below.add(cursor.entry_hash)
                cursor.landed = True
                cursor = self.proofs.get(cursor.prev_hash)

    def _attest(self) -> None:
        """Mark the proofs that more than an anchor tells of: a signed message, the storage, the API's trail, an attested child."""
        stored = {self.stored_head, self.stored_stream_head}
        for proof in self.proofs.values():
            anchor = proof.anchor
            trail = anchor is not None and anchor.anchor_hash in self._acknowledged
            signed = proof.accepted is not None or bool(proof.refused) or proof.landed
            if not (trail or signed or proof.in_history or proof.entry_hash in stored):
                continue
            cursor: Proof | None = proof
            while cursor is not None and not cursor.attested:
                cursor.attested = True
                cursor = self.proofs.get(cursor.prev_hash)

    @property
    def unattested(self) -> list[Proof]:
        """Proofs that an anchor alone tells of, by entry hash: made up, or honest ones whose request ended before its row was written."""
        return sorted((p for p in self.proofs.values() if not p.attested), key=lambda p: p.entry_hash)

    def _proof(self, entry: str, told: Attempt | HistoryRow) -> Proof:
        if entry not in self.proofs:
            assert told.prev_hash is not None
            assert told.stream_prev_hash is not None
            assert told.issued_at is not None
            said = told.message_period_index if isinstance(told, Attempt) else None
            period = told.period_index if said is None else said
            self.proofs[entry] = Proof(entry, told.prev_hash, told.stream_prev_hash, told.claimer, period, told.issued_at, told.audit_hash)
        return self.proofs[entry]

    def _issuer(self, proof: Proof) -> str:
        """Who issued a proof: this worker if its records say so, foreign if they are complete over that time and do not."""
        if proof.from_worker:
            return "this_worker"
        if not self.records.is_known:
            return "unknown"
        entry = self.records.entries.get(proof.audit_hash or "")
        if entry is None and proof.audit_hash in self.records.named:
            return "this_worker"  # an entry that is gone, but that later ones name
        landed = [a.block_time for a in [proof.accepted, *proof.refused] if a is not None and a.block_time is not None]
        return "foreign" if self.records.covers_issue(proof.issued_at, min(landed, default=None), self._clock_ahead) else "unknown"

    @cached_property
    def _clock_ahead(self) -> int | None:
        """How many seconds the worker's clock may be ahead of the cluster's, by its own proofs on chain; None without any.

        A proof lands after it is issued, mostly within half a minute: what is dated later than that is the clock's.
        """
        ahead = [
            attempt.issued_at - attempt.block_time
            for attempt in [*self.chain.linked, *self.chain.attributed]
            if attempt.block_time is not None and attempt.issued_at is not None and self.proofs[str(attempt.entry_hash)].from_worker
        ]
        return max(0, max(ahead) + USUAL_LATENCY) if ahead else None

    @cached_property
    def stored_head(self) -> str | None:
        """The worker's head in its storage; GENESIS where its other records of this grant are there and the head is not."""
        return self._stored(HEAD_KEY)

    @cached_property
    def stored_stream_head(self) -> str | None:
        return self._stored(STREAM_KEY)

    @property
    def stored_heads_differ(self) -> bool:
        """Whether the storage that tells the worker's head holds another one for the stream: no program accepts what it issues next."""
        if self.head_source != "storage" or self.stored_stream_head is None:
            return False
        return self.stored_stream_head != (self.chain.stream_head if self.head == self.chain.head else self.head)

    def _stored(self, prefix: str) -> str | None:
        """A stored head of this grant; GENESIS where the storage never held one; None where the export does not tell.

        A row that was not exported is not a head that was reset: an absent row says something only inside what the export covers, where
        its twin is absent too, and where the storage holds nothing else of this grant, or was emptied and begun anew.
        """
        if self.storage is None:
            return None
        row = self.storage.get(prefix + self.chain.grant)
        if row is not None:
            return read_head(row.value)
        if STORAGE in self.records.damaged:
            return None  # the line of the head may be one that could not be read
        if self._storage_begins_anew:
            return GENESIS_HASH
        if not self._covers_heads:
            return None
        has_records = any(key.startswith("pop_chain:") for key in self.storage)
        return GENESIS_HASH if not self._moved_heads and (has_records or self.records_since_creation) else None

    @property
    def _covers_heads(self) -> bool:
        """Whether the storage export reaches over both heads of the grant and holds neither, so that their absence says something."""
        extent = self.records.storage_extent
        heads = HEAD_KEY + self.chain.grant, STREAM_KEY + self.chain.grant
        return extent is not None and all(extent.of(key) == Exported.ABSENT for key in heads)

    @property
    def storage_lacks_heads(self) -> bool:
        """Whether the export reaches over both heads, holds neither, and the worker's records show that heads were moved."""
        if self.storage is None or STORAGE in self.records.damaged or not self._covers_heads or self._storage_begins_anew:
            return False
        return self._moved_heads

    @property
    def _moved_heads(self) -> bool:
        """Whether the worker's records tell of a proof of this grant that moved its stored heads."""
        return any(row.moved_heads for row in self.history) or any(anchor.moved_heads for anchor in self.anchors)

    @property
    def _storage_begins_anew(self) -> bool:
        """Whether the storage's own rows go back to GENESIS without a gap and hold no anchor of the grant: it was emptied."""
        rows = self.records.sources.get(STORAGE)
        if rows is None or self.storage is None or "audit:lastHash:global" not in self.storage:
            return False
        if any(anchor.anchor_hash in rows.stated for anchor in self.anchors):
            return False
        line = self.records.walk_back(self._storage_tip or "")
        return bool(line) and line[-1].prev_hash == GENESIS and all(entry.hash in rows.stated for entry in line)

    @cached_property
    def _storage_tip(self) -> str | None:
        """The storage's newest audit row: the last in the chain's order of those that it holds."""
        return self.records.newest_row(STORAGE)

    @cached_property
    def records_since_creation(self) -> bool:
        """Whether the audit chain is unbroken from its newest entry back to before the grant was created."""
        line = self.records.line
        if not line:
            return False
        begun = line[-1].ts_ms
        if self.created_at is not None and begun <= self.created_at * 1000:
            return True
        older = [a.issued_at * 1000 + 999 for a in [*self.chain.linked, *self.chain.attributed] if a.issued_at is not None]
        return self.records.reaches_genesis and begun <= min([*older, *(a.ts_ms for a in self.anchors)], default=begun)

    @cached_property
    def _newest_issue(self) -> Anchor | HistoryRow | None:
        """The worker's newest proof, by the audit chain's order; by the storage's history where that names one which the chain lacks."""
        anchored = {anchor.anchor_hash for anchor in self.anchors}
        later = [row for row in self.history if row.anchor_hash not in anchored]
        last = max(later, key=lambda row: row.issued_at, default=None)
        if last is not None and (not self.anchors or last.issued_at > self.anchors[-1].ts_ms // 1000):
            return last
        return self.anchors[-1] if self.anchors else None

    @cached_property
    def follows_chain(self) -> bool:
        """Whether the worker's newest proof took its parent from the chain (models C to E with heads from the client)."""
        return self._newest_issue is not None and self._newest_issue.follows_chain

    @cached_property
    def parents_from_clients(self) -> bool:
        """Whether the worker's model takes parents from clients that give them (C to E), by its newest proof.

        Without any record of the worker, the time of the newest signed proof tells which models there were.
        """
        if self._newest_issue is not None:
            return self._newest_issue.takes_parents
        signed = [a.issued_at for a in [*self.chain.linked, *self.chain.attributed] if a.issued_at is not None]
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
        refused = [p for p in self.proofs.values() if not p.landed and p.refused and (source is None or self._is_past_the_records(p))]
        if not refused or (source is None and self.parents_from_clients):
            return head, source  # a parent that a client gave says nothing of the worker's head
        return self._tip_above(max(refused, key=lambda p: (p.refused[-1].slot, p.issued_at, p.entry_hash)).entry_hash), "refused claims"

    def _is_past_the_records(self, proof: Proof) -> bool:
        """Whether a proof is younger than all that the worker's records tell of: then the chain alone tells where its head went."""
        if proof.issuer != "unknown":
            return False
        newest = self.newest_record
        return proof.entry_hash in self._above_the_recorded_head or (newest is not None and proof.issued_at * 1000 + 999 > newest)

    @cached_property
    def _above_the_recorded_head(self) -> set[str]:
        """Proofs that stand on the head of the worker's records, no claim that landed in between."""
        return self._above(self._recorded_head[0], through_landed=False)

    def _above(self, entry: str | None, through_landed: bool = True) -> set[str]:
        """The proofs that stand on an entry, by the links of known proofs; `through_landed`: also where claims landed in between."""
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
        if self.stored_head is not None and not self.storage_is_older and not self.storage_is_behind:
            return self.stored_head, "storage"
        moved = [p for p, a in zip(self._anchored, self.anchors, strict=True) if a.moved_heads]
        if self.storage_is_behind and not (moved and moved[-1].anchor is not None and moved[-1].anchor.anchor_hash in self._line_hashes):
            return None, None  # a head may have moved in the gap between the storage and the list
        if moved:
            return self._extended(moved[-1].entry_hash), "anchors"
        if self.records_since_creation and not self.anchors:
            return GENESIS_HASH, "anchors"
        return None, None

    @cached_property
    def storage_is_older(self) -> bool:
        """Whether the storage export ends before an anchor of this grant that moved the head and rests on the export's newest row."""
        rows = self.records.sources.get(STORAGE)
        last = next((a for a in reversed(self.anchors) if a.moved_heads), None)
        if self.storage is None or rows is None or last is None or last.anchor_hash in rows.stated:
            return False
        return self._storage_tip in {entry.hash for entry in self.records.walk_back(last.anchor_hash)}

    @cached_property
    def storage_is_behind(self) -> bool:
        """Whether the worker's list holds rows younger than the storage's newest, which do not link back to it: the export is older."""
        rows, shown = self.records.sources.get(STORAGE), self.records.sources.get(LIST)
        if self.storage is None or rows is None or shown is None or not shown.keys or not rows.keys:
            return False
        return shown.keys[-1][0] > rows.keys[-1][0] and self._storage_tip not in self._line_hashes

    @cached_property
    def unknown_parents(self) -> dict[str, int]:
        """Parents that this worker's refused claims, or its line, name and that nothing carries, to the issue of their oldest child."""
        known = self.chain.accepted_entries.keys() | self.proofs.keys() | set(self.chain.unseen) | {GENESIS_HASH, self.chain.head}
        found: dict[str, int] = {}
        last = self.chain.linked[-1].slot if self.chain.linked else 0
        children = [p for p in self.proofs.values() if p.refused and p.issuer != "foreign" and not p.landed and not p.follows_chain]
        waiting = [p for p in children if p.refused[-1].slot >= last]  # what was refused before a claim landed is over
        for proof in [*waiting, *self.path[:1]]:
            if proof.prev_hash not in known:
                found[proof.prev_hash] = min(proof.issued_at, found.get(proof.prev_hash, proof.issued_at))
        return found

    def in_issue_order(self) -> list[Proof]:
        """This worker's proofs in the order of issue: that of their anchors on the audit chain.

        Those that only the storage's history tells of stand by their second among the others, each after its parent.
        """
        own = [p for p in self.proofs.values() if p.from_worker]
        if all(p.anchor is not None for p in own):
            spot = {anchor.anchor_hash: number for number, anchor in enumerate(self.anchors)}
            return sorted(own, key=lambda p: (spot[p.anchor.anchor_hash] if p.anchor else -1, p.entry_hash))
        by_second: dict[int, list[Proof]] = defaultdict(list)
        for proof in sorted(own, key=lambda p: (p.anchor.ts_ms if p.anchor else p.issued_at * 1000, p.entry_hash)):
            by_second[proof.issued_at].append(proof)
        return parents_first([proof for second in sorted(by_second) for proof in parents_first(by_second[second])])

    def _tip_above(self, entry: str) -> str:
        """The youngest known proof that descends from an entry without a fork (same-second issues are told apart by links)."""
        children: dict[str, list[Proof]] = {}
        for proof in self.proofs.values():
            children.setdefault(proof.prev_hash, []).append(proof)
        while len(children.get(entry, ())) == 1:
            entry = children[entry][0].entry_hash
        return entry

    def _extended(self, entry: str) -> str:
        """The worker's head, carried on over proofs on chain that follow it and that the worker's records do not reach."""
        if self.records.newest is None:
            return entry
        children = {p.prev_hash: p for p in self.proofs.values() if not p.from_worker and p.issuer == "unknown"}
        seen = {entry}
        while entry in children and children[entry].entry_hash not in seen:
            entry = children[entry].entry_hash
            seen.add(entry)
        return entry

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether the head rests on a refused claim while a younger claim, not on its line, was accepted: two lines, one key."""
        if self.head_source != "refused claims" or self.head is None:
            return False
        proof = self.proofs[self.head]
        younger = [a for a in self.chain.linked if a.issued_at is not None and a.issued_at > proof.issued_at]
        ground = self._below(proof)
        return any(a.entry_hash not in ground for a in younger)

    @cached_property
    def path(self) -> list[Proof]:
        """The worker's never-accepted proofs, oldest first, from where its line leaves accepted ground up to its head."""
        path: list[Proof] = []
        cursor, seen = self.head, set()
        while cursor is not None and cursor in self.proofs and not self.proofs[cursor].landed and cursor not in seen:
            seen.add(cursor)
            path.append(self.proofs[cursor])
            cursor = self.proofs[cursor].prev_hash
        return path[::-1]

    @cached_property
    def repeated(self) -> dict[str, str]:
        """Proofs of `path` for a claimer and period that an older one of it is for, each with that one, whose receipt bars the way."""
        first: dict[tuple[str, int], str] = {}
        pairs = [(p.entry_hash, first.setdefault((p.claimer, p.period_index), p.entry_hash)) for p in self.path]
        return {entry: earlier for entry, earlier in pairs if entry != earlier}

    @cached_property
    def root(self) -> str | None:
        """What the worker's line stands on: the parent of the oldest proof of `path`, or the head itself where there is none."""
        return self.path[0].prev_hash if self.path else self.head

    def reaches(self, entry: str) -> bool:
        """Whether the records are unbroken from the newest back to an entry's anchor (for GENESIS: to before the grant was created).

        Records that end before the entry was issued do not reach it, however far back they go. An entry of another issuer has no anchor
        here: its time, inside the unbroken stretch, stands for it.
        """
        if self.stored_head is not None and not self.storage_is_behind:
            return True
        if entry == GENESIS_HASH:
            return self.records_since_creation
        proof = self.proofs.get(entry)
        if proof is None:
            return False
        if proof.anchor is None:
            return proof.issuer == "foreign" and bool(self.records.line) and self.records.line[-1].ts_ms <= proof.issued_at * 1000
        return proof.anchor.anchor_hash in self._line_hashes

    @cached_property
    def _line_hashes(self) -> frozenset[str]:
        return frozenset(entry.hash for entry in self.records.line)

    @cached_property
    def newest_record(self) -> int | None:
        """Unix milliseconds of the newest thing that the worker's records tell of; None without records."""
        newest = [h.issued_at * 1000 for h in self.history]
        if self.records.newest is not None:
            newest.append(self.records.newest.ts_ms)
        return max(newest, default=None)

    @cached_property
    def unrecorded(self) -> list[Proof]:
        """Accepted proofs that the worker's storage anchors and whose history record it lacks, though it holds those of others.

        The worker writes the record before it answers: an anchor without one was not written by issuing a proof, or the record is gone.
        """
        return [p for p in self._without_record if p.anchor is not None and self._covers_record(p, p.anchor)]

    @cached_property
    def unrecorded_beyond(self) -> list[Proof]:
        """The same where the export may have ended before their record: one that was not exported, or an anchor written by hand."""
        return [p for p in self._without_record if p.anchor is not None and not self._covers_record(p, p.anchor)]

    @cached_property
    def _without_record(self) -> list[Proof]:
        rows = self.records.sources.get(STORAGE)
        if rows is None or not self.history or not all(row.holds for row in self.history) or STORAGE in self.records.damaged:
            return []
        accepted = [p for p in self.proofs.values() if p.accepted is not None and p.anchor is not None and not p.in_history]
        return [p for p in accepted if p.anchor is not None and p.anchor.anchor_hash in rows.stated]

    def _covers_record(self, proof: Proof, anchor: Anchor) -> bool:
        """Whether the storage export reaches past where the history record of a proof would stand: its key begins with its time."""
        extent, entry = self.records.storage_extent, self.records.entries[anchor.anchor_hash]
        return extent is not None and extent.of(f"{HISTORY_KEY}{entry.ts}:{proof.entry_hash}") == Exported.ABSENT

    @cached_property
    def is_stale(self) -> bool:
        """Whether the chain went on past the worker's records: an accepted claim that they do not hold follows one that they do.

        Where no link tells, the clock does: an accepted claim is younger than the newest record.
        """
        if self.head_source not in ("storage", "anchors"):
            return False
        last = self.chain.state.last_issued_at
        if last is not None and self.chain.head not in self.proofs and (self.newest_record is None or last * 1000 > self.newest_record):
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
        """Proofs that stand on the worker's newest, where only the storage's history tells of that one."""
        newest = self._newest_issue
        return self._above(newest.entry_hash) if isinstance(newest, HistoryRow) else set()

    @cached_property
    def _recorded(self) -> set[str]:
        return {proof.entry_hash for proof in self.proofs.values() if proof.from_worker}
