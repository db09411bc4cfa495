"""Audit entries from every source, merged and recomputed, and the chain that their links make.

An entry is known by its hash. Rows come from the worker's newest-50 list, from its storage (two copies) and from the immutable
bucket (two copies); the bucket is a superset: an append that failed half-way leaves an object that no later entry names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from popkit.evidence.lines import Place
from popkit.protocol import canonical

GENESIS = "GENESIS"
"""The audit chain's first prev_hash; the PoP chain writes 64 zeros instead."""
LIST, STORAGE, BUCKET = "list", "storage", "bucket"
APPEND_SECONDS = 5
"""How long after a proof's issued_at its anchor may be appended; a chain that ends sooner does not show that there is none."""
LIST_WINDOW = 50
"""How many rows GET /api/master/audit-logs shows: the newest fifty, in every version."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An audit entry whose hash holds. `ts_ms` is unix milliseconds; `immutable` is known from list and storage rows alone."""

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
        """The order in which the worker stores and lists rows: by time, then by hash. Not the chain's order."""
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
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("ts", "event", "eventId", "prev_hash", "entry_hash"))


@dataclass
class Source:
    """The rows of one source by the hash they state; `edited` are those whose own hash does not hold."""

    name: str
    stated: dict[str, str] = field(default_factory=dict)  # stated hash → ts as the row (in the storage: its key) gives it
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

    `entries` by hash (only those whose hash holds), `sources` for list and storage, `bucket_keys` hash → object keys,
    `edited_objects` object keys that are not the canonical payload of an entry under their key.
    """

    def __init__(self) -> None:
        self.entries: dict[str, AuditEntry] = {}
        self.sources: dict[str, Source] = {}
        self.origins: dict[str, set[str]] = defaultdict(set)
        self.bucket_keys: dict[str, set[str]] | None = None
        self.edited_objects: set[str] = set()
        self.objects: set[str] = set()
        self.damaged: set[str] = set()  # sources of which something could not be read
        self.rows_checked = 0

    @property
    def is_known(self) -> bool:
        """Whether any audit entry is in the case."""
        return bool(self.entries)

    def add(self, entry: AuditEntry, origin: str) -> None:
        """Merge an entry: the same hash is the same entry; a copy that carries sinks is kept over one that does not."""
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
        return {prev: [e.hash for e in sorted(entries, key=lambda e: e.key)] for prev, entries in found.items()}

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
    def ordered(self) -> list[AuditEntry]:
        """All entries in the order they were appended: by time, equal milliseconds by link and not by hash."""
        return sorted(self.entries.values(), key=lambda e: (e.ts_ms, self.depth[e.hash], e.hash))

    def is_orphan(self, entry: str) -> bool:
        """Whether an entry stands in the bucket alone and nothing names it: the trace of an append that failed."""
        if self.origins[entry] != {BUCKET} or entry in self.children or entry in self.named_elsewhere:
            return False
        siblings = [other for other in self.children[self.entries[entry].prev_hash] if other != entry and self._is_whole(other)]
        return bool(siblings) or not self._is_whole(entry) or self.ordered[-1].hash != entry

    @cached_property
    def doubtful(self) -> list[AuditEntry]:
        """Entries of the bucket alone that follow one entry, all whole and the newest: one append failed, and which is not known."""
        rivals = [self.entries[entry] for entry in self.entries if self.is_orphan(entry) and self._is_whole(entry)]
        return [e for e in rivals if all(self.is_orphan(other) for other in self.children[e.prev_hash])]

    def _is_whole(self, entry: str) -> bool:
        """Whether the bucket holds both objects of an entry, or the one of the folder that was exported."""
        return len((self.bucket_keys or {}).get(entry, ())) >= self._copies

    @cached_property
    def _copies(self) -> int:
        """How many objects the export holds of a whole entry: two, or one where one of the two folders was exported."""
        return max(1, len({key.split("/")[2] for key in self.objects if key.count("/") > 2} & {"entry", "stream"}))

    named_elsewhere: frozenset[str] = frozenset()
    """Entries that an on-chain proof names; set by who knows the chain."""

    @cached_property
    def named(self) -> set[str]:
        """Every hash that some entry names as its predecessor, globally or in its stream."""
        return {link for e in self.entries.values() for link in (e.prev_hash, e.stream_prev_hash) if link and link != GENESIS}

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """Unbroken stretches of the chain as (first ts_ms, last ts_ms), one for each tip that is no orphan."""
        found = []
        for tip in self.entries.values():
            if tip.hash in self.children or self.is_orphan(tip.hash):
                continue
            found.append((self.walk_back(tip.hash)[-1].ts_ms, tip.ts_ms))
        return sorted(found)

    def walk_back(self, entry: str) -> list[AuditEntry]:
        """The unbroken line of entries from `entry` back to the last one that is known."""
        line, cursor = [], entry
        while cursor in self.entries:
            line.append(self.entries[cursor])
            cursor = self.entries[cursor].prev_hash
        return line

    def covers(self, moment: int) -> bool:
        """Whether the chain is complete over a unix second: an unbroken stretch begins before it and ends after it."""
        return any(first <= moment * 1000 + 999 and moment * 1000 <= last for first, last in self.segments)

    def covers_issue(self, issued_at: int, landed_at: int | None = None) -> bool:
        """Whether the chain would hold the anchor of a proof issued at a unix second: one stretch spans the time of its append.

        The worker appends before it answers, so that the anchor is no younger than the claim (`landed_at`, unix seconds).
        """
        until = issued_at + APPEND_SECONDS
        until = until if landed_at is None else max(issued_at + 1, min(until, landed_at))
        return any(first <= issued_at * 1000 and until * 1000 <= last for first, last in self.segments)

    @cached_property
    def newest(self) -> AuditEntry | None:
        """The newest entry that is no orphan."""
        return next((e for e in reversed(self.ordered) if not self.is_orphan(e.hash)), None)

    @cached_property
    def line(self) -> list[AuditEntry]:
        """The chain from its newest entry back as far as it is unbroken."""
        return self.walk_back(self.newest.hash) if self.newest else []

    @cached_property
    def reaches_genesis(self) -> bool:
        """Whether the newest entry links back to GENESIS without a gap."""
        return bool(self.line) and self.line[-1].prev_hash == GENESIS
