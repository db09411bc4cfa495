"""What was edited or removed in the worker's audit chain, and what the bucket says of it.

Absence is judged only inside what a source covers: the list shows the newest fifty rows, the storage everything since its first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any

from popkit.audit.entries import BUCKET, GENESIS, LIST, LIST_WINDOW, STORAGE, AuditEntry, AuditRecords, Source, milliseconds

WHOLE_SHARE = 0.5
"""An export is held to be otherwise whole when at least this share of the objects that sinks name is in it."""


@dataclass(slots=True)
class Tampering:
    """Ascending lists, as findings.json names them; `half_copies` are storage rows with one of their two copies."""

    edited: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    edited_objects: list[str] = field(default_factory=list)
    missing_objects: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    half_copies: list[str] = field(default_factory=list)
    export_is_partial: bool = False


def find_tampering(
    records: AuditRecords,
    named_on_chain: Iterable[str],
    named_sinks: Iterable[tuple[str, str]] = (),
    recorded: dict[str, int] | None = None,
) -> Tampering:
    """Hold the sources of the audit chain against each other.

    `named_on_chain` are audit hashes of validly signed on-chain proofs; `named_sinks` (object key, ts) that ticket receipts name;
    `recorded` anchors (hash → unix milliseconds) that the worker's own history of proofs names.
    """
    found = Tampering()
    found.edited = sorted({entry for source in records.sources.values() for entry in source.edited})
    found.edited_objects = sorted(records.edited_objects)
    on_chain = _rested_on_by_proofs(records, named_on_chain)
    vouched = _vouched(records) | on_chain
    found.removed = sorted(
        {entry for source in records.sources.values() for entry in _removed_from(source, records, vouched, recorded or {})}
    )
    shown = records.sources.get(LIST)
    if shown is not None and not shown.stated:
        found.removed = sorted({*found.removed, *on_chain})  # an empty list covers all that was there before it
    found.half_copies = sorted({entry for source in records.sources.values() for entry in source.half})
    if records.bucket_keys is not None:
        found.orphans = sorted(entry for entry in records.entries if records.is_orphan(entry) and entry not in vouched)
        expected = {*_sinks(records), *named_sinks}
        found.missing_objects, found.export_is_partial = _missing_objects(records, expected)
    return found


def _vouched(records: AuditRecords) -> set[str]:
    """Entries that certainly belong to the chain by the worker's own records: a later entry names them, or a list or storage row is one."""
    vouched = {entry for entry, origins in records.origins.items() if origins != {BUCKET}}
    return vouched | {entry for entry in records.entries if entry in records.children or entry in records.named}


def _rested_on_by_proofs(records: AuditRecords, named_on_chain: Iterable[str]) -> set[str]:
    """Entries that on-chain proofs name, and all that those rest on."""
    found: set[str] = set()
    for named in named_on_chain:
        cursor = named
        while cursor in records.entries and cursor not in found:
            found.add(cursor)
            cursor = records.entries[cursor].prev_hash
    return found


def _removed_from(source: Source, records: AuditRecords, vouched: set[str], recorded: dict[str, int]) -> Iterator[str]:
    """Entries absent from a source inside what it covers.

    Below, a window ends at its oldest key; above, at its newest time: a row of that very millisecond may be younger than the source,
    unless a row of the source rests on it. `recorded` are anchors that the worker's own history names, with their unix milliseconds.
    """
    if not source.keys or source.name in records.damaged:
        return
    oldest, newest = source.keys[0], source.keys[-1]
    is_window = source.name == LIST and source.rows >= LIST_WINDOW
    rested_on = _ancestors(source.stated, records)
    for entry in vouched:
        known = records.entries[entry]
        begun = known.ts < newest[0] or entry in rested_on
        # What is older than the oldest row is outside: a storage that was emptied, or whose export was cut, begins where it begins.
        inside = known.key > oldest or (source.name == LIST and not is_window)
        if begun and inside and entry not in source.stated:
            yield entry
    for stated in source.stated:
        row = records.entries.get(stated)
        if row is not None and _names_a_gap(row, source, records, is_window):
            yield row.prev_hash
        if row is not None and _names_a_gap_in_its_stream(row, source, records):
            yield str(row.stream_prev_hash)
    first, last = milliseconds(oldest[0]), milliseconds(newest[0])
    for anchor, at in recorded.items():
        absent = anchor not in source.stated and anchor not in records.entries
        if absent and first is not None and last is not None and first < at < last:
            yield anchor


def _ancestors(rows: Iterable[str], records: AuditRecords) -> set[str]:
    """Every entry that some row rests on by its global links."""
    found: set[str] = set()
    for row in rows:
        cursor = records.entries[row].prev_hash if row in records.entries else None
        while cursor in records.entries and cursor not in found:
            found.add(cursor)
            cursor = records.entries[cursor].prev_hash
    return found


def _names_a_gap(row: AuditEntry, source: Source, records: AuditRecords, is_window: bool) -> bool:
    """Whether a row's predecessor, known by its hash alone, must have stood inside the source.

    Times never fall along the chain, so a row that is older than this one but does not follow from it stands before the missing one.
    """
    parent = row.prev_hash
    if parent == GENESIS or parent in source.stated or parent in records.entries:
        return False
    if row.stream_prev_hash is None:  # the first form: it follows its event's last, which may stand far before, or in another store
        return not is_window and _has_older_first_form(row, source, records)
    if source.name == LIST and not is_window:
        return True
    spot = bisect_left(source.keys, (row.ts, ""))
    return spot > 0 and (source.name == STORAGE or source.keys[spot - 1][0] > source.keys[0][0])


def _names_a_gap_in_its_stream(row: AuditEntry, source: Source, records: AuditRecords) -> bool:
    """Whether a row's predecessor in its stream, known by its hash alone, stood inside the source: an older row of the stream does.

    Only rows of the first form are named by a stream's link alone; every other is named by the global link of the next as well.
    """
    link = row.stream_prev_hash
    if link in (None, GENESIS) or link in source.stated or link in records.entries or row.event_id == "global":
        return False
    return _has_older_first_form(row, source, records)


def _has_older_first_form(row: AuditEntry, source: Source, records: AuditRecords) -> bool:
    """Whether a source holds an older row of the first form of the same stream."""
    return any(
        entry.event_id == row.event_id and entry.stream_prev_hash is None and entry.key < row.key and stated in source.stated
        for stated, entry in records.entries.items()
    )


def _sinks(records: AuditRecords) -> Iterator[tuple[str, str]]:
    """(object key, ts) of every bucket object that an entry's own sinks name."""
    for entry in records.entries.values():
        sinks = (entry.immutable or {}).get("sinks")
        for sink in sinks if isinstance(sinks, list) else ():
            key = bucket_key(sink)
            if key is not None:
                yield key, entry.ts


def bucket_key(sink: Any) -> str | None:
    """The bucket key that a sink names, or None for another kind of sink."""
    if isinstance(sink, dict) and sink.get("sink") in ("r2_entry", "r2_stream") and isinstance(sink.get("ref"), str):
        return str(sink["ref"])
    return None


def _missing_objects(records: AuditRecords, expected: set[tuple[str, str]]) -> tuple[list[str], bool]:
    """Objects that sinks name and an otherwise whole export lacks; and whether the export is only a part.

    An export may end before the newest entries and need not hold both folders: what lies outside it is not missing.
    """
    missing, wanted = [], 0
    if expected and not records.objects:
        return [], True
    for folder in ("audit/immutable/entry/", "audit/immutable/stream/"):
        times = sorted(
            records.entries[entry].ts for entry, keys in (records.bucket_keys or {}).items() for key in keys if key.startswith(folder)
        )
        if not times:
            continue
        inside = [key for key, ts in expected if key.startswith(folder) and times[0] <= ts <= times[-1]]
        wanted += len(inside)
        missing += [key for key in inside if key not in records.objects and normpath(key) not in records.objects]
    if (wanted and len(missing) > WHOLE_SHARE * wanted) or (missing and BUCKET in records.damaged):
        return [], True
    return sorted(set(missing)), False
