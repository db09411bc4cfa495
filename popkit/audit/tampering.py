"""What was edited or removed in the worker's audit chain, and what the bucket says of it.

Absence is judged only inside what a source covers: the list shows the newest fifty rows, the
storage everything since its first, and an export reaches as far as its listing went.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from posixpath import normpath

from popkit.audit.absence import Absence
from popkit.audit.entries import BUCKET, LIST, AuditRecords
from popkit.audit.extents import ENTRY_FOLDER, STREAM_FOLDER, Cut
from popkit.audit.sinks import bucket_key, keys_of, sink_keys

__all__ = ["Tampering", "bucket_key", "find_tampering"]

WHOLE_SHARE = 0.5
"""An export is held to be otherwise whole when at least this share of the objects that sinks name
is in it.
"""


@dataclass(slots=True)
class Tampering:
    """Ascending lists, as findings.json names them.

    `half_copies` are storage rows with one of their two copies, `unshown` entries that a full
    list's rows name and that nothing holds, `cuts` the places where the bucket's export stops,
    begins late or lacks a page, `unexported` folders of it that are not there at all.
    """

    edited: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unshown: list[str] = field(default_factory=list)
    edited_objects: list[str] = field(default_factory=list)
    missing_objects: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    half_copies: list[str] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    unexported: list[str] = field(default_factory=list)
    export_is_partial: bool = False


def find_tampering(
    records: AuditRecords,
    named_on_chain: Iterable[str],
    named_sinks: Iterable[tuple[str, str]] = (),
    recorded: dict[str, int] | None = None,
) -> Tampering:
    """Hold the sources of the audit chain against each other.

    `named_on_chain` are audit hashes of validly signed on-chain proofs; `named_sinks` (object key,
    ts) that ticket receipts name; `recorded` anchors (hash → unix milliseconds) that the worker's
    own history of proofs names.
    """
    found = Tampering()
    found.edited = sorted({entry for source in records.sources.values() for entry in source.edited})
    found.edited_objects = sorted(records.edited_objects)
    on_chain = _rested_on_by_proofs(records, named_on_chain)
    vouched = _vouched(records) | on_chain
    absences = [Absence(source, records) for source in records.sources.values()]
    found.removed = sorted(
        {entry for absence in absences for entry in absence.removed(vouched, recorded or {})}
    )
    shown = records.sources.get(LIST)
    if shown is not None and not shown.stated:
        found.removed = sorted(
            {*found.removed, *on_chain}
        )  # an empty list covers all that was there before it
    found.unshown = sorted(
        {entry for absence in absences for entry in absence.unshown()} - set(found.removed)
    )
    found.half_copies = sorted(
        {entry for source in records.sources.values() for entry in source.half}
    )
    if records.bucket_keys is not None:
        found.orphans = sorted(
            entry for entry in records.entries if records.is_orphan(entry) and entry not in vouched
        )
        _find_missing_objects(found, records, {key for key, _ in named_sinks})
    return found


def _vouched(records: AuditRecords) -> set[str]:
    """Entries that certainly belong to the chain by the worker's own records: a later entry names
    them, or a list or storage row is one.
    """
    vouched = {entry for entry, origins in records.origins.items() if origins != {BUCKET}}
    return vouched | {entry for entry in records.entries if entry in records.named}


def _rested_on_by_proofs(records: AuditRecords, named_on_chain: Iterable[str]) -> set[str]:
    """Entries that on-chain proofs name, and all that those rest on."""
    found: set[str] = set()
    for named in named_on_chain:
        cursor = named
        while cursor in records.entries and cursor not in found:
            found.add(cursor)
            cursor = records.entries[cursor].prev_hash
    return found


def _find_missing_objects(found: Tampering, records: AuditRecords, named: set[str]) -> None:
    """Objects that sinks name and that an otherwise whole export lacks; and where the export is
    only a part.

    An export may end before the newest entries and begin after the oldest, and need not hold both
    folders: what lies outside it by links, or beyond where its listing went, is not missing. An
    entry of which one object is missing inside lacks the other as well.
    """
    sinks = {
        entry.hash: {*sink_keys(entry), *(named & set(keys_of(entry)))}
        for entry in records.entries.values()
    }
    expected = {key for keys in sinks.values() for key in keys}
    if expected and not records.objects:
        found.export_is_partial = True
        return
    inside, missing = set[str](), set[str]()
    for folder in (ENTRY_FOLDER, STREAM_FOLDER):
        there = {
            entry
            for entry, keys in (records.bucket_keys or {}).items()
            if any(key.startswith(folder) for key in keys)
        }
        inside |= {
            key
            for entry in records.between(there) | _beside(records, there)
            for key in sinks[entry]
            if key.startswith(folder)
        }
    absent = {
        key for key in inside if key not in records.objects and normpath(key) not in records.objects
    }
    for keys in sinks.values():
        if any(key in absent and records.bucket_extent.covers(key) for key in keys):
            missing |= {key for key in keys if key in absent}
    found.cuts = records.bucket_extent.cuts(missing)
    lost = records.bucket_extent.lost_page(missing)
    if lost is not None:
        found.cuts = [*found.cuts, lost]
    elif len(missing) <= WHOLE_SHARE * len(inside) and BUCKET not in records.damaged:
        found.missing_objects = sorted(missing)
    found.unexported = records.bucket_extent.unexported() if not found.cuts else []
    found.export_is_partial = bool(found.cuts) or len(missing) > len(found.missing_objects)


def _beside(records: AuditRecords, there: set[str]) -> set[str]:
    """Rows of a list or a storage that branch off the bucket's entries where the same source goes
    on with the bucket's: no append does.
    """
    found = set()
    for source in records.sources.values():
        rested_on = {known.hash for row in source.stated for known in records.walk_back(row)}
        for row in source.stated:
            known = records.entries.get(row)
            siblings = (
                records.children.get(known.prev_hash, ())
                if known is not None and known.prev_hash in there
                else ()
            )
            if any(other != row and other in there and other in rested_on for other in siblings):
                found.add(row)
    return found
