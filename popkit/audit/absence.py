"""Entries that a source lacks although it must hold them: by their links to the rows that it does
hold, never by a clock.

The list shows the newest fifty rows by time and hash, so that a row whose clock stood wrong may be
outside it while older ones are inside. The storage holds everything since its first row, as far as
its export reaches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

from popkit.audit.entries import (
    APPEND_SECONDS,
    GENESIS,
    LIST,
    LIST_WINDOW,
    AuditEntry,
    AuditRecords,
    Source,
    milliseconds,
)
from popkit.audit.extents import Exported, StorageExtent
from popkit.audit.reading import COPIES_SINCE
from popkit.audit.times import Times

COPY, HISTORY = "audit_entry:", "audit_history:"


class Absence:
    """What one source (list or storage) lacks."""

    def __init__(self, source: Source, records: AuditRecords) -> None:
        self.source, self.records = source, records
        self.is_list = source.name == LIST
        self.is_window = self.is_list and source.rows >= LIST_WINDOW
        self._extent = records.storage_extent or StorageExtent(())
        self._roots: dict[str, AuditEntry] = {}
        self._held = [records.entries[entry] for entry in source.stated if entry in records.entries]
        self._rested_on = self._below()
        self._grounded = self._above()

    def removed(self, vouched: Iterable[str], recorded: dict[str, int]) -> Iterator[str]:
        """The entries that are gone: `vouched` ones that are known, those that a row names, and
        `recorded` anchors (unix ms).
        """
        if not self.source.keys or self.source.name in self.records.damaged:
            return
        for entry in vouched:
            if (
                entry not in self.source.stated
                and self._reaches(self.records.entries[entry])
                and self._was_there(entry)
            ):
                yield entry
        for row in self._held:
            if self._names_a_gap(row):
                yield row.prev_hash
            if self._names_a_gap_in_its_stream(row):
                yield str(row.stream_prev_hash)
        for anchor, at in recorded.items():
            if (
                anchor not in self.source.stated
                and anchor not in self.records.entries
                and self._was_there_at(anchor, at)
            ):
                yield anchor

    def unshown(self) -> Iterator[str]:
        """Entries that a full list's rows name, that nothing in the evidence holds, and that a
        sound clock would have put inside it.
        """
        if self.is_window and self.source.name not in self.records.damaged:
            oldest = self.source.keys[0][0]
            for row in self._held:
                is_unknown = row.stream_prev_hash is not None and self._is_unknown(row.prev_hash)
                if is_unknown and any(oldest < ts < row.ts for ts, _ in self.source.keys):
                    yield row.prev_hash

    def _is_unknown(self, link: str) -> bool:
        return (
            link != GENESIS and link not in self.source.stated and link not in self.records.entries
        )

    def _below(self) -> set[str]:
        """Every entry that some row of the source rests on, by the global links and those of its
        stream.
        """
        found: set[str] = set()
        todo = list(self._held)
        while todo:
            row = todo.pop()
            for link in (row.prev_hash, row.stream_prev_hash):
                if link in self.records.entries and link not in found:
                    found.add(link)
                    todo.append(self.records.entries[link])
        return found

    def _above(self) -> set[str]:
        """Every entry that rests on some row of the source."""
        found: set[str] = set()
        for entry in sorted(
            self.records.entries.values(), key=lambda e: self.records.depth[e.hash]
        ):
            for link in (entry.prev_hash, entry.stream_prev_hash):
                if link in self.source.stated or link in found:
                    found.add(entry.hash)
        return found

    def _reaches(self, entry: AuditEntry) -> bool:
        """Whether the source would show an entry of that key: the list's window by time and hash,
        the storage's export by its keys.
        """
        if self.is_list:
            return not self.is_window or entry.key > self.source.keys[0]
        if (
            self._has_all_copies
            or self._extent.of(f"{HISTORY}{entry.ts}:{entry.hash}") == Exported.ABSENT
        ):
            return True
        return (
            entry.ts >= COPIES_SINCE and self._extent.of(f"{COPY}{entry.hash}") == Exported.ABSENT
        )

    def _was_there(self, entry: str) -> bool:
        """Whether an entry stood in the source before its newest row: a row rests on it, or the
        rows went on elsewhere from where it stood.

        A storage that was emptied begins where it begins: there, a row must stand before the entry.
        """
        if entry in self._rested_on:
            return (
                self.is_list
                or entry in self._grounded
                or self._a_row_stands_before(self._root_of(entry), self._followers(entry))
            )
        return self._went_on_elsewhere(entry) or (
            self.is_list and not self.is_window and self._is_of_an_older_chain(entry)
        )

    def _is_of_an_older_chain(self, entry: str) -> bool:
        """Whether all that an entry is linked to is older than every row of the source, and none of
        those is linked to it.
        """
        last = self._last_times.get(self._root_of(entry).hash)
        return last is not None and last < min((row.ts_ms for row in self._held), default=0)

    @cached_property
    def _last_times(self) -> dict[str, int]:
        """The greatest time of all entries that are linked to one oldest entry, by that."""
        found: dict[str, int] = {}
        for entry in self.records.entries.values():
            root = self._root_of(entry.hash).hash
            found[root] = max(entry.ts_ms, found.get(root, entry.ts_ms))
        return found

    def _went_on_elsewhere(self, entry: str) -> bool:
        """Whether the source follows another branch than an entry's from the newest of its rows
        that the entry rests on.
        """
        cursor = self.records.entries[entry]
        while (
            cursor.prev_hash in self.records.entries and cursor.prev_hash not in self.source.stated
        ):
            cursor = self.records.entries[cursor.prev_hash]
        branches = [
            other
            for other in self.records.children.get(cursor.prev_hash, ())
            if other != cursor.hash
        ]
        return cursor.prev_hash in self.source.stated and any(
            b in self.source.stated or b in self._rested_on for b in branches
        )

    def _names_a_gap(self, row: AuditEntry) -> bool:
        """Whether a row's predecessor, known by its hash alone, must stand in the source.

        A full list is a window by time: a predecessor whose clock stood wrong lies outside it, and
        nothing tells.
        """
        if not self._is_unknown(row.prev_hash):
            return False
        if (
            row.stream_prev_hash is None
        ):  # the first form: it follows its event's last, which may stand far before, or in another store
            return not self.is_window and self._has_older_first_form(row)
        if self.is_list:
            return not self.is_window
        followers = self._followers(row.hash) | {row.hash}
        if self._extent.has_family(COPY):
            is_covered = (
                self._has_all_copies or self._extent.of(f"{COPY}{row.prev_hash}") == Exported.ABSENT
            )
            return is_covered and self._a_row_stands_before(None, followers)
        return self._a_row_stands_before(None, followers, by_time=True)

    @cached_property
    def _has_all_copies(self) -> bool:
        """Whether every row has both of its copies: then both listings of them, which sort
        differently, went to their end.
        """
        keys = [
            key
            for row in self._held
            for key in (f"{HISTORY}{row.ts}:{row.hash}", f"{COPY}{row.hash}")
        ]
        return bool(keys) and all(self._extent.of(key) == Exported.PRESENT for key in keys)

    def _names_a_gap_in_its_stream(self, row: AuditEntry) -> bool:
        """Whether a row's predecessor in its stream, known by its hash alone, stood inside the
        source: an older row of the stream does.

        Only rows of the first form are named by a stream's link alone; every other is named by the
        global link of the next as well.
        """
        link = row.stream_prev_hash
        return (
            link is not None
            and row.event_id != "global"
            and self._is_unknown(link)
            and self._has_older_first_form(row)
        )

    def _has_older_first_form(self, row: AuditEntry) -> bool:
        """Whether the source holds an older row of the first form of the same stream, which does
        not follow from this one.
        """
        mine = [
            e
            for e in self._held
            if e.event_id == row.event_id and e.stream_prev_hash is None and e.key < row.key
        ]
        return bool(mine) and not {e.hash for e in mine} <= self._followers(row.hash)

    def _a_row_stands_before(
        self, root: AuditEntry | None, followers: set[str], by_time: bool = False
    ) -> bool:
        """Whether some row of the source surely stands before an entry of which the rows below
        `followers` are the descendants.

        `root` is the oldest entry that it is linked to, None where it is known by its hash alone. A
        row that is linked to GENESIS does, where the chain has begun once; any other does when all
        of its stretch is older than the descendants. `by_time`: that in any case.
        """
        after = min((e.ts_ms for e in self._held if e.hash in followers), default=None)
        others: dict[str, list[AuditEntry]] = defaultdict(list)
        for row in self._held:
            if (
                row.hash not in followers
                and row.stream_prev_hash is not None
                and self._root_of(row.hash) is not root
            ):
                others[self._root_of(row.hash).hash].append(row)
        if after is None:
            return False
        begun = [
            e.hash
            for e in self.records.entries.values()
            if e.prev_hash == GENESIS and e.stream_prev_hash is not None
        ]
        older = [root for root, rows in others.items() if max(row.ts_ms for row in rows) <= after]
        if (
            len(begun) == 1
            and begun[0] in others
            and not self.records.is_orphan(begun[0])
            and not by_time
        ):
            return True
        return bool(older)

    def _root_of(self, entry: str) -> AuditEntry:
        """The oldest entry that an entry is linked to."""
        if entry not in self._roots:
            for known in self.records.walk_back(entry)[::-1]:
                self._roots[known.hash] = self._roots.get(known.prev_hash, known)
        return self._roots[entry]

    def _followers(self, entry: str) -> set[str]:
        """Every known entry that follows from one by global links."""
        found: set[str] = set()
        todo = [entry]
        while todo:
            for child in self.records.children.get(todo.pop(), ()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found

    def _was_there_at(self, anchor: str, at: int) -> bool:
        """Whether an anchor that the worker's history dates stood inside the source, by a clock
        that did not step back across that time.
        """
        if not (
            self.is_list
            or self._has_all_copies
            or self._extent.of(f"{COPY}{anchor}") == Exported.ABSENT
        ):
            return False
        first, last = milliseconds(self.source.keys[0][0]), milliseconds(self.source.keys[-1][0])
        if first is None or last is None or not first < at < last - APPEND_SECONDS * 1000:
            return False
        order = [entry.ts_ms for entry in self.records.ordered if entry.hash in self.source.stated]
        return bool(order) and Times(order).is_clear(at, at + APPEND_SECONDS * 1000)
