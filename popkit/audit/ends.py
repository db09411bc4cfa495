"""Both ends of the audit chain, and its clock: what the worker's own check looks at in no version (reference §3.10)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from popkit.audit.entries import GENESIS, LIST, STORAGE, AuditEntry, AuditRecords
from popkit.evidence.worker import StoredRow

HEAD_KEY = "audit:lastHash:"


@dataclass(frozen=True, slots=True)
class WrongEnd:
    """An end that does not fit: `expected` the newest entry of the rows there are (None: there is none), `observed` what is said of it."""

    file: str
    key: str
    expected: str | None
    observed: str | None


def beginnings(records: AuditRecords) -> list[AuditEntry]:
    """Entries that begin a chain, oldest first; one in a sound store.

    Rows of the first form (no stream_prev_hash) begin one chain an event, and the first row of the second form begins the global one.
    """
    return [e for e in records.ordered if e.prev_hash == GENESIS and e.stream_prev_hash is not None and not records.is_orphan(e.hash)]


def older_than_parent(records: AuditRecords) -> list[AuditEntry]:
    """Entries whose time is before that of the entry they follow: a clock that was set back, or a time that was made up."""
    return [e for e in records.ordered if e.prev_hash in records.entries and e.ts_ms < records.entries[e.prev_hash].ts_ms]


@dataclass(frozen=True, slots=True)
class WrongStreamLink:
    """An entry whose stream link is not its stream's newest entry before it; `can_be_a_crash` when it names an older one of the stream."""

    entry: AuditEntry
    expected: str
    can_be_a_crash: bool


def wrong_stream_links(records: AuditRecords) -> list[WrongStreamLink]:
    """Entries of the unbroken chain whose stream link does not name the entry before them in their stream; in the chain's order.

    The first of a stream may name an entry before the window, or one of the first form. A stream called 'global' shares the key of the
    global head, and says nothing. A worker that stops between two writes leaves a stream's head where it was.
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
            expected = GENESIS if whole else "an entry of the same stream"
        else:
            is_wrong = link != expected
        if is_wrong:
            found.append(WrongStreamLink(entry, expected, link in before[stream]))
        newest[stream] = entry.hash
        before[stream].add(entry.hash)
    return found


def wrong_ends(storage: dict[str, StoredRow] | None, records: AuditRecords) -> list[WrongEnd]:
    """Stored heads that are not their rows' newest entry, and a list without a row where entries are known; ascending by key.

    A crash between two writes leaves the same trace as a deletion that forgot the heads.
    """
    found = []
    for key, row in sorted((storage or {}).items()):
        if key.startswith(HEAD_KEY):
            newest = _newest(records, key.removeprefix(HEAD_KEY))
            if row.value != newest:
                found.append(WrongEnd("worker/storage.jsonl", key, newest, str(row.value)))
    if storage and STORAGE in records.sources and HEAD_KEY + "global" not in storage and STORAGE not in records.damaged:
        newest = _newest(records, "global")
        if newest is not None:
            found.append(WrongEnd("worker/storage.jsonl", HEAD_KEY + "global", newest, None))
    shown = records.sources.get(LIST)
    if shown is not None and not shown.stated and records.newest is not None:
        found.append(WrongEnd("worker/audit-logs.json", "logs", records.newest.hash, None))
    return found


def _newest(records: AuditRecords, stream: str) -> str | None:
    """The newest storage row of a stream, or of all for 'global'; a stream that is called so shares the key."""
    rows = records.sources[STORAGE].stated if STORAGE in records.sources else {}
    mine = [e for e in records.ordered if e.hash in rows and stream in ("global", e.event_id)]
    named = {e.prev_hash if stream == "global" else e.stream_prev_hash for e in mine}
    tips = [e.hash for e in mine if e.hash not in named]
    return tips[-1] if tips else None
