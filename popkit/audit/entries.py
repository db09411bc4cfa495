"""Audit entries from every source, merged and recomputed, and the chain that their links make.

An entry is known by its hash. Rows come from the worker's newest-50 list, from its storage (two
copies) and from the immutable bucket (two copies); the bucket is a superset: an append that failed
half-way leaves an object that no later entry names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from posixpath import normpath
from typing import Any

from popkit.audit.copies import Alteration
from popkit.audit.extents import BucketExtent, StorageExtent
from popkit.audit.sinks import keys_of, sink_keys
from popkit.audit.times import Times
from popkit.evidence.lines import Place
from popkit.protocol import canonical
from popkit.protocol.message import SKEW_SECONDS

GENESIS = "GENESIS"
"""The audit chain's first prev_hash; the PoP chain writes 64 zeros instead."""
LIST, STORAGE, BUCKET = "list", "storage", "bucket"
ALLOWED_AHEAD = 60
"""Seconds that a worker's clock may seem ahead before its records are taken to end earlier than
they say.
"""
APPEND_SECONDS = 5
"""How long after a proof's issued_at its anchor may be appended; a chain that ends sooner does not
show that there is none.
"""
LIST_WINDOW = 50
"""How many rows GET /api/master/audit-logs shows: the newest fifty, in every version."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An audit entry whose hash holds. `ts_ms` is unix milliseconds; `immutable` is known from list
    and storage rows alone.
    """

    hash: str
    event: str
    event_id: str
    ts: str
    ts_ms: int
    data: dict[str, Any]
    actor: dict[str, Any]
    prev_hash: str
    stream_prev_hash: str | None
    immutable: dict[str, Any] | None
    place: Place
    raw: dict[str, Any] = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """The order in which the worker stores and lists rows: by time, then by hash. Not the
        chain's order.
        """
        return (self.ts, self.hash)


def milliseconds(ts: str) -> int | None:
    """Unix milliseconds of the worker's ISO time, or None when it is none."""
    try:
        moment = datetime.fromisoformat(ts)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def as_entry(row: Any, place: Place) -> AuditEntry | None:
    """A row as an entry when it has an entry's shape and its hash holds; else None."""
    if not has_shape(row) or canonical.entry_hash(row) != row["entry_hash"]:
        return None
    ts_ms = milliseconds(row["ts"])
    if ts_ms is None:
        return None
    stream = row.get("stream_prev_hash")
    immutable = row.get("immutable")
    return AuditEntry(
        hash=row["entry_hash"],
        event=row["event"],
        event_id=row["eventId"],
        ts=row["ts"],
        ts_ms=ts_ms,
        data=row["data"] if isinstance(row.get("data"), dict) else {},
        actor=row["actor"] if isinstance(row.get("actor"), dict) else {},
        prev_hash=row["prev_hash"],
        stream_prev_hash=stream if isinstance(stream, str) else None,
        immutable=immutable if isinstance(immutable, dict) else None,
        place=place,
        raw=row,
    )


def has_shape(row: Any) -> bool:
    """Whether a row has the string fields that every audit entry has."""
    return isinstance(row, dict) and all(
        isinstance(row.get(name), str)
        for name in ("ts", "event", "eventId", "prev_hash", "entry_hash")
    )


@dataclass
class Source:
    """The rows of one source by the hash they state; `edited` are those whose own hash does not
    hold.
    """

    name: str
    stated: dict[str, str] = field(
        default_factory=dict
    )  # stated hash → ts as the row (in the storage: its key) gives it
    rows: int = 0
    nameless: int = 0  # rows that state no hash
    edited: set[str] = field(default_factory=set)
    half: list[str] = field(default_factory=list)  # storage rows with one of their two copies

    @cached_property
    def keys(self) -> list[tuple[str, str]]:
        """(ts, hash) of every row, ascending."""
        return sorted((ts, entry) for entry, ts in self.stated.items())


class AuditRecords:
    """What is known of a worker's audit chain.

    `entries` by hash (only those whose hash holds), `sources` for list and storage, `bucket_keys`
    hash → object keys, `edited_objects` object keys that are not the canonical payload of an entry
    under their key.
    """

    def __init__(self) -> None:
        self.entries: dict[str, AuditEntry] = {}
        self.sources: dict[str, Source] = {}
        self.origins: dict[str, set[str]] = defaultdict(set)
        self.bucket_keys: dict[str, set[str]] | None = None
        self.edited_objects: set[str] = set()
        self.objects: set[str] = set()
        self.altered: dict[str, Alteration] = {}  # by file: what a tool did to every text of it
        self.storage_extent: StorageExtent | None = None
        self.damaged: set[str] = set()  # sources of which something could not be read
        self.rows_checked = 0

    @property
    def is_known(self) -> bool:
        """Whether any audit entry is in the case."""
        return bool(self.entries)

    def add(self, entry: AuditEntry, origin: str) -> None:
        """Merge an entry: the same hash is the same entry; a copy that carries sinks is kept over
        one that does not.
        """
        known = self.entries.get(entry.hash)
        if known is None or (known.immutable is None and entry.immutable is not None):
            self.entries[entry.hash] = entry
        self.origins[entry.hash].add(origin)

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """prev_hash → the entries that name it, ascending by key."""
        found: dict[str, list[AuditEntry]] = defaultdict(list)
        for entry in self.entries.values():
            found[entry.prev_hash].append(entry)
        return {
            prev: [e.hash for e in sorted(entries, key=lambda e: e.key)]
            for prev, entries in found.items()
        }

    @cached_property
    def depth(self) -> dict[str, int]:
        """Distance of each entry from the first entry that its links reach."""
        depth: dict[str, int] = {}
        for start in self.entries:
            walk = []
            cursor = start
            while cursor in self.entries and cursor not in depth:
                walk.append(cursor)
                cursor = self.entries[cursor].prev_hash  # no loop: that would break SHA-256
            base = depth.get(cursor, -1)
            for offset, entry in enumerate(reversed(walk)):
                depth[entry] = base + 1 + offset
        return depth

    @cached_property
    def _not_after(self) -> dict[str, int]:
        """The least time of each entry and of all that follow it: however its clock stood, it was
        appended by then (unix ms).
        """
        found: dict[str, int] = {}
        for entry in sorted(self.entries.values(), key=lambda e: -self.depth[e.hash]):
            found[entry.hash] = min(
                [entry.ts_ms, *(found[child] for child in self.children.get(entry.hash, ()))]
            )
        return found

    @cached_property
    def ordered(self) -> list[AuditEntry]:
        """All entries in the order they were appended: by link; those that no links order by when
        they were appended at the latest.
        """
        return sorted(
            self.entries.values(),
            key=lambda e: (self._not_after[e.hash], self.depth[e.hash], e.hash),
        )

    def is_orphan(self, entry: str) -> bool:
        """Whether an entry stands in the bucket alone and nothing names it: the trace of an append
        that failed.

        An entry that nothing follows in an export that ends early may have been followed by one
        that was not exported.
        """
        if self.origins[entry] != {BUCKET} or entry in self.named or entry in self.named_elsewhere:
            return False
        siblings = [
            other
            for other in self.children[self.entries[entry].prev_hash]
            if other != entry and self._is_whole(other)
        ]
        if siblings or not self._is_whole(entry):
            return True
        return self.bucket_extent.is_whole and self.ordered[-1].hash != entry

    @cached_property
    def doubtful(self) -> list[AuditEntry]:
        """Entries of the bucket alone that follow one entry, all whole and the newest: one append
        failed, and which is not known.
        """
        rivals = [
            self.entries[entry]
            for entry in self.entries
            if self.is_orphan(entry) and self._is_whole(entry)
        ]
        return [
            e for e in rivals if all(self.is_orphan(other) for other in self.children[e.prev_hash])
        ]

    def _is_whole(self, entry: str) -> bool:
        """Whether the bucket holds both objects of an entry, or lacks none that its export reaches."""
        there = (self.bucket_keys or {}).get(entry, set())
        return all(
            key in there or not self.bucket_extent.covers(key)
            for key in keys_of(self.entries[entry])
        )

    @cached_property
    def bucket_extent(self) -> BucketExtent:
        """How far the export of the bucket reaches, by what it must hold of entries that are not
        younger than it nor older.

        That is what their sinks name, and both objects of every entry that a later one names.
        """
        expected = set()
        for entry in self.between(self.bucket_keys or {}):
            expected.update(sink_keys(self.entries[entry]))
            if entry in self.named and entry in (self.bucket_keys or {}):
                expected.update(keys_of(self.entries[entry]))
        return BucketExtent(
            self.objects, {key for key in expected if normpath(key) not in self.objects}
        )

    def between(self, there: Collection[str]) -> set[str]:
        """The entries `there`, and those that by their links stand after one and before another of
        them.
        """
        above, below = set[str](), set[str]()
        by_depth = sorted(self.entries.values(), key=lambda entry: self.depth[entry.hash])
        for entry in by_depth:
            if entry.prev_hash in there or entry.prev_hash in above:
                above.add(entry.hash)
        for entry in reversed(by_depth):
            if entry.hash in there or entry.hash in below:
                below.add(entry.prev_hash)
        return set(there) | (above & below)

    named_elsewhere: frozenset[str] = frozenset()
    """Entries that an on-chain proof names; set by who knows the chain."""

    @cached_property
    def named(self) -> set[str]:
        """Every hash that some entry names as its predecessor, globally or in its stream."""
        return {
            link
            for e in self.entries.values()
            for link in (e.prev_hash, e.stream_prev_hash)
            if link and link != GENESIS
        }

    @cached_property
    def tips(self) -> list[AuditEntry]:
        """The last entries of unbroken stretches, those of failed appends left out, in their order."""
        return [
            e for e in self.ordered if e.hash not in self.children and not self.is_orphan(e.hash)
        ]

    @cached_property
    def stretches(self) -> list[Times]:
        """The times of every unbroken stretch of the chain, one for each tip."""
        found = []
        for tip in self.tips:
            line = self.walk_back(tip.hash)[::-1]
            found.append(Times([entry.ts_ms for entry in line], line[0].prev_hash == GENESIS))
        return found

    def walk_back(self, entry: str) -> list[AuditEntry]:
        """The unbroken line of entries from `entry` back to the last one that is known."""
        line, cursor = [], entry
        while cursor in self.entries:
            line.append(self.entries[cursor])
            cursor = self.entries[cursor].prev_hash
        return line

    def spans(self, first: int, last: int) -> bool:
        """Whether one unbroken stretch begins by `first` and ends at `last` or later (unix ms), and
        no clock stepped back across them.
        """
        return any(stretch.span(first, last) for stretch in self.stretches)

    def covers(self, moment: int) -> bool:
        """Whether the chain is complete over a unix second: an unbroken stretch begins before it
        and ends after it.
        """
        return self.spans(moment * 1000 + 999, moment * 1000)

    def covers_issue(
        self, issued_at: int, landed_at: int | None = None, ahead: int | None = None
    ) -> bool:
        """Whether the chain would hold the anchor of a proof issued at a unix second: one stretch
        spans the time of its append.

        The worker appends before it answers, so that the anchor is no younger than the claim
        (`landed_at`, unix seconds). A proof that is dated ahead of its landing was issued at some
        moment before that: the stretch must span the ten minutes in which a proof lands, or begin
        with the chain itself. `ahead` is how many seconds this worker's own clock may be ahead of
        the cluster's (None: not known, and then such a proof may be its own).
        """
        if landed_at is not None and issued_at > landed_at:
            if ahead is None:
                return False
            landed_at += ahead
            first, last = landed_at * 1000, (landed_at + APPEND_SECONDS) * 1000
            return self.spans(first - SKEW_SECONDS * 1000, last) or any(
                s.is_from_genesis and s.span(first, last) for s in self.stretches
            )
        until = issued_at + APPEND_SECONDS
        until = until if landed_at is None else max(issued_at + 1, min(until, landed_at))
        return self.spans(issued_at * 1000, (until + max(0, (ahead or 0) - ALLOWED_AHEAD)) * 1000)

    @cached_property
    def newest(self) -> AuditEntry | None:
        """The newest entry that is no orphan, as far as links and times tell."""
        return next((e for e in reversed(self.ordered) if not self.is_orphan(e.hash)), None)

    @cached_property
    def newest_is_certain(self) -> bool:
        """Whether no stretch that is not linked to the newest entry's may have come after it.

        Rows of the first form begin one chain an event, and end before the second form begins.
        """
        if self.newest is None:
            return False
        mine = {entry.hash: entry for entry in self.walk_back(self.newest.hash)}
        above = {entry.prev_hash: entry for entry in mine.values()}
        oldest = list(mine.values())[-1]
        for tip in self.tips:
            if tip.hash in mine or (tip.stream_prev_hash is None) != (
                self.newest.stream_prev_hash is None
            ):
                continue
            joint = next((e.hash for e in self.walk_back(tip.hash) if e.hash in mine), None)
            begins = oldest if joint is None else above[joint]
            if tip.stream_prev_hash is not None and tip.ts_ms >= begins.ts_ms:
                return False
        return True

    @cached_property
    def line(self) -> list[AuditEntry]:
        """The chain from its newest entry back as far as it is unbroken; [] where it cannot be told
        which entry is the newest.
        """
        return self.walk_back(self.newest.hash) if self.newest and self.newest_is_certain else []

    def newest_row(self, source: str, stream: str = "global") -> str | None:
        """The newest row of a source by its links, of one stream or of all ('global'); None without
        rows.
        """
        rows = self.sources[source].stated if source in self.sources else {}
        mine = [e for e in self.ordered if e.hash in rows and stream in ("global", e.event_id)]
        named = {e.prev_hash if stream == "global" else e.stream_prev_hash for e in mine}
        tips = [e.hash for e in mine if e.hash not in named]
        return tips[-1] if tips else None

    @cached_property
    def reaches_genesis(self) -> bool:
        """Whether the newest entry links back to GENESIS without a gap."""
        return bool(self.line) and self.line[-1].prev_hash == GENESIS
