"""Audit entries read from every source of a case: the worker's list, its storage and the immutable
bucket, each held to its own place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from posixpath import normpath
from typing import Any

from popkit.audit.copies import Reading, reading_of_row, reading_of_text, restored
from popkit.audit.entries import (
    BUCKET,
    LIST,
    STORAGE,
    AuditEntry,
    AuditRecords,
    Source,
    as_entry,
    has_shape,
)
from popkit.audit.extents import Exported, StorageExtent, folder_of
from popkit.audit.sinks import keys_of
from popkit.evidence import layout
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Place
from popkit.evidence.worker import BucketObject
from popkit.protocol import canonical

COPIES_SINCE = "2026-02-22T05:58:00.000Z"
"""From when on the storage may hold two copies of a row (commit 7b6e5d0)."""


def read_audit(evidence: Evidence, named_elsewhere: Iterable[str] = ()) -> AuditRecords:
    """Merge the audit entries of a case from every source it has.

    `named_elsewhere` are hashes that on-chain proofs name (an entry they name is no orphan).
    """
    records = AuditRecords()
    records.named_elsewhere = frozenset(named_elsewhere)
    files = {LIST: "worker/audit-logs", STORAGE: "worker/storage", BUCKET: "worker/r2"}
    records.damaged = {source for source, file in files.items() if evidence.is_damaged(file)}
    logs = evidence.answers.get(layout.AUDIT_LOGS.name)
    if logs is not None and logs.is_ok and isinstance(logs.body.get("logs"), list):
        source = records.sources[LIST] = Source(LIST)
        for row in _as_written(records, logs.place.part, logs.body["logs"]):
            _take_row(records, source, row, logs.place)
    _take_earlier_lists(records, evidence)
    if evidence.storage is not None:
        source = records.sources[STORAGE] = Source(STORAGE)
        copies: dict[str, set[str]] = defaultdict(set)
        held = {
            key: row
            for key, row in evidence.storage.items()
            if key.startswith(("audit_history:", "audit_entry:"))
        }
        values = _as_written(records, layout.STORAGE, [row.value for row in held.values()])
        for (key, stored), value in zip(held.items(), values, strict=True):
            place = Place(stored.place.file, stored.place.line, key, stored.place.sha256)
            kind, _, rest = key.partition(":")
            ts, _, named = rest.rpartition(":")
            copies[named].add(kind)
            _take_row(records, source, value, place, named, ts if kind == "audit_history" else None)
        records.storage_extent = StorageExtent(evidence.storage)
        source.half = sorted(
            e
            for e, kinds in copies.items()
            if len(kinds) == 1 and _lacks_a_copy(records, source, e, kinds)
        )
        if not source.stated:
            del records.sources[STORAGE]
    if evidence.bucket is not None:
        _take_bucket(records, evidence)
    return records


def _take_earlier_lists(records: AuditRecords, evidence: Evidence) -> None:
    """Rows of older audit-logs answers. They are no source of their own: what an older list covers,
    the newest need not hold any more.
    """
    newest = records.sources.get(LIST)
    known = set(newest.stated) if newest is not None else set()
    earlier = Source(LIST)
    for answer in evidence.earlier_lists:
        rows = answer.body.get("logs") if answer.is_ok else None
        for row in _as_written(records, answer.place.part, rows if isinstance(rows, list) else []):
            stated = row.get("entry_hash") if isinstance(row, dict) else None
            if isinstance(stated, str) and stated not in known:
                known.add(stated)
                _take_row(records, earlier, row, answer.place)
    if newest is not None:
        newest.edited |= earlier.edited


def _as_written(records: AuditRecords, file: str, rows: list[Any]) -> list[Any]:
    """The rows of a source as the worker wrote them: as they came, unless a tool changed all of
    them in one way that can be undone.
    """
    readings = [reading_of_row(row, _holds) for row in rows]
    done = restored(readings)
    if done is None:
        return rows
    records.altered[file] = done
    return [
        row if reading is None else reading.value
        for row, reading in zip(rows, readings, strict=True)
    ]


def _holds(row: Any) -> bool:
    return has_shape(row) and canonical.entry_hash(row) == row["entry_hash"]


def _lacks_a_copy(records: AuditRecords, source: Source, entry: str, kinds: set[str]) -> bool:
    """Whether the other copy of a storage row is missing from what the export reaches.

    A history row from before the worker kept `audit_entry:` copies stands alone rightly.
    """
    assert records.storage_extent is not None
    ts = source.stated[entry]
    if kinds == {"audit_history"}:
        return (
            ts >= COPIES_SINCE
            and records.storage_extent.of(f"audit_entry:{entry}") == Exported.ABSENT
        )
    return records.storage_extent.of(f"audit_history:{ts}:{entry}") == Exported.ABSENT


def _take_row(
    records: AuditRecords,
    source: Source,
    row: Any,
    place: Place,
    named: str | None = None,
    at: str | None = None,
) -> None:
    """Take one row. In the storage its key names its hash (`named`), and in its history the time
    (`at`): the row must say the same.
    """
    records.rows_checked += 1
    source.rows += 1
    stated = named or (row.get("entry_hash") if isinstance(row, dict) else None)
    if not isinstance(stated, str):
        source.nameless += 1
        return
    place = place if place.key else Place(place.file, place.line, stated, place.sha256)
    entry = as_entry(row, place)
    fits = entry is not None and entry.hash == stated and at in (None, entry.ts)
    ts = (
        at
        if at is not None
        else entry.ts
        if entry is not None and fits
        else str(row.get("ts", ""))
        if named is None
        else ""
    )
    source.stated[stated] = source.stated.get(stated) or ts
    if entry is None or not fits or not _sinks_fit(entry, records.entries.get(stated)):
        source.edited.add(stated)
    if entry is not None and fits:
        records.add(entry, source.name)


def _sinks_fit(entry: AuditEntry, copy: AuditEntry | None) -> bool:
    """Whether a row's immutable part, which its hash does not cover, fits the entry and every other
    copy of the row.
    """
    if entry.immutable is None:
        return entry.raw.get("immutable") is None
    sinks = entry.immutable.get("sinks")
    if entry.immutable.get("payload_hash") != canonical.payload_hash(entry.raw) or not isinstance(
        sinks, list
    ):
        return False
    if not all(isinstance(sink, dict) and is_sink_of(entry, sink) for sink in sinks):
        return False
    return copy is None or copy.immutable in (None, entry.immutable)


def is_sink_of(entry: AuditEntry, sink: dict[str, Any]) -> bool:
    """Whether a sink names what the worker wrote of an entry: the place follows from the kind; what
    an ingest answered may be anything.
    """
    kinds = ("r2_entry", "r2_stream", "kv_index")
    if sink.get("sink") not in kinds:
        return True
    try:
        refs = (*canonical.object_keys(entry.raw), f"audit:immutable:{entry.hash}")
    except ValueError:
        return False
    return bool(sink.get("ref") == refs[kinds.index(str(sink["sink"]))])


def _take_bucket(records: AuditRecords, evidence: Evidence) -> None:
    """Recompute every object below audit/immutable/: its text must be the canonical payload of the
    entry that its key names.

    Texts that a tool changed on the way, all of a folder in one way, are read as they were.
    """
    records.bucket_keys = defaultdict(set)
    readings: dict[str, Reading | None] = {}
    by_folder: dict[str, dict[str, Reading | None]] = defaultdict(dict)
    for key, stored in (evidence.bucket or {}).items():
        if key.startswith("audit/immutable/"):
            if stored.text not in readings:
                readings[stored.text] = reading_of_text(stored.text, is_payload)
            by_folder[folder_of(key)][key] = readings[stored.text]
    for folder, texts in by_folder.items():
        done = restored(texts.values())
        if done is not None:
            records.altered[f"{layout.BUCKET_FOLDER}{folder}"] = done
        for key, reading in texts.items():
            _take_object(records, (evidence.bucket or {})[key], reading, done is not None)


def _take_object(
    records: AuditRecords, stored: BucketObject, reading: Reading | None, is_altered: bool
) -> None:
    records.rows_checked += 1
    records.objects.add(stored.key)
    entry = None
    if reading is not None and (is_altered or not reading.ways):
        entry = as_entry(
            reading.value["entry"],
            Place(stored.place.file, stored.place.line, stored.key, stored.place.sha256),
        )
    keys = keys_of(entry) if entry is not None else ()
    keys = (
        keys if stored.key in keys else tuple(map(normpath, keys))
    )  # exported as files: an event called ".." goes up a folder
    if entry is None or stored.key not in keys:
        records.edited_objects.add(stored.key)
    else:
        records.bucket_keys = records.bucket_keys or defaultdict(set)
        records.bucket_keys[entry.hash].add(stored.key)
        records.add(entry, BUCKET)


def is_payload(value: Any) -> bool:
    """Whether a value is what the worker stores of an entry whose hash holds. That hash does not
    cover the wrapping: no tool changes it.
    """
    if (
        not isinstance(value, dict)
        or set(value) != {"version", "source", "entry"}
        or value["version"] is True
    ):
        return False
    entry = (
        as_entry(value["entry"], Place(""))
        if value["version"] == 1 and value["source"] == "school-store"
        else None
    )
    return entry is not None and "immutable" not in entry.raw
