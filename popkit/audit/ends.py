"""Both ends of the audit chain, and its clock: what the worker's own check looks at in no version
(reference §3.10).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from popkit.audit.entries import GENESIS, LIST, STORAGE, AuditEntry, AuditRecords
from popkit.audit.extents import Exported, StorageExtent
from popkit.evidence import layout
from popkit.evidence.worker import StoredRow
from popkit.texts import sentence

HEAD_KEY = "audit:lastHash:"


@dataclass(frozen=True, slots=True)
class WrongEnd:
    """An end that does not fit: `expected` the newest entry of the rows there are (None: there is
    none), `observed` what is said of it.
    """

    file: str
    key: str
    expected: str | None
    observed: str | None


def beginnings(records: AuditRecords) -> list[AuditEntry]:
    """Entries that begin a chain, oldest first; one in a sound store.

    Rows of the first form (no stream_prev_hash) begin one chain an event, and the first row of the
    second form begins the global one.
    """
    return [
        e
        for e in records.ordered
        if e.prev_hash == GENESIS
        and e.stream_prev_hash is not None
        and not records.is_orphan(e.hash)
    ]


def older_than_parent(records: AuditRecords) -> list[AuditEntry]:
    """Entries whose time is before that of the entry they follow: a clock that was set back, or a
    time that was made up.
    """
    return [
        e
        for e in records.ordered
        if e.prev_hash in records.entries and e.ts_ms < records.entries[e.prev_hash].ts_ms
    ]


@dataclass(frozen=True, slots=True)
class WrongStreamLink:
    """An entry whose stream link is not its stream's newest entry before it; `can_be_a_crash` when
    it names an older one of the stream.
    """

    entry: AuditEntry
    expected: str
    can_be_a_crash: bool


def wrong_stream_links(records: AuditRecords) -> list[WrongStreamLink]:
    """Entries of the unbroken chain whose stream link does not name the entry before them in their
    stream; in the chain's order.

    The first of a stream may name an entry before the window, or one of the first form. A stream
    called 'global' shares the key of the global head, and says nothing. A worker that stops between
    two writes leaves a stream's head where it was.
    """
    found = []
    newest: dict[str, str] = {}
    before: dict[str, set[str]] = defaultdict(set)
    whole = records.reaches_genesis
    for entry in reversed(records.line):
        stream, link = entry.event_id, entry.stream_prev_hash
        if link is None or stream == "global":
            continue
        expected = newest.get(stream)
        if expected is None:
            other = records.entries.get(link)
            is_wrong = other is not None and other.event_id != stream
            expected = (
                GENESIS
                if whole
                else sentence("an entry of the same stream", "同じ stream のエントリ")
            )
        else:
            is_wrong = link != expected
        if is_wrong:
            found.append(WrongStreamLink(entry, expected, link in before[stream]))
        newest[stream] = entry.hash
        before[stream].add(entry.hash)
    return found


def wrong_ends(storage: dict[str, StoredRow] | None, records: AuditRecords) -> list[WrongEnd]:
    """Stored heads that are not their rows' newest entry, and a list without a row where entries
    are known; ascending by key.

    A crash between two writes leaves the same trace as a deletion that forgot the heads. An export
    that ends before its last audit rows, or begins after the heads, says nothing of either.
    """
    found = []
    extent = records.storage_extent or StorageExtent(())
    for key, row in sorted((storage or {}).items()):
        if key.startswith(HEAD_KEY) and not _ends_early(records, extent):
            newest = records.newest_row(STORAGE, key.removeprefix(HEAD_KEY))
            if row.value != newest:
                found.append(WrongEnd(layout.STORAGE, key, newest, str(row.value)))
    global_head = HEAD_KEY + "global"
    if (
        STORAGE in records.sources
        and extent.of(global_head) == Exported.ABSENT
        and STORAGE not in records.damaged
    ):
        newest = records.newest_row(STORAGE)
        if newest is not None:
            found.append(WrongEnd(layout.STORAGE, global_head, newest, None))
    shown = records.sources.get(LIST)
    if shown is not None and not shown.stated and records.newest is not None:
        found.append(WrongEnd(layout.AUDIT_LOGS.file, "logs", records.newest.hash, None))
    return found


def _ends_early(records: AuditRecords, extent: StorageExtent) -> bool:
    """Whether the storage's audit rows were not exported to their end: one copy is there and the
    other lies beyond, or nothing is there.
    """
    rows = records.sources[STORAGE].stated if STORAGE in records.sources else {}
    known = [records.entries[entry] for entry in rows if entry in records.entries]
    keys = [f"audit_history:{entry.ts}:{entry.hash}" for entry in known]
    return (
        not extent.goes_past("audit_history:")
        if not rows
        else not all(extent.covers(key) for key in keys)
    )
