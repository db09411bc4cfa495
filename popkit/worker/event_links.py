"""Which event is linked to which grant, as the worker's own records show it: its events, and its
EVENT_CREATE entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from popkit.audit.entries import AuditRecords
from popkit.evidence.bundle import Evidence
from popkit.protocol.canonical import CanonicalError, parse
from popkit.protocol.keys import is_pubkey
from popkit.protocol.pda import grant_address

Link = tuple[str, str]

_CREATED = "EVENT_CREATE"


@dataclass(frozen=True, slots=True)
class EventLink:
    """An event and the grant it is linked to, and who says so: case.json, events, EVENT_CREATE or
    storage.
    """

    event: str
    grant: str
    source: str


def links_of_case(evidence: Evidence, audit: AuditRecords) -> list[EventLink]:
    """Every link of an event to a grant of the case, ascending by grant, event and source.

    An EVENT_CREATE entry of an append that failed (an orphan of the bucket) links nothing.
    """
    header, answer = evidence.header, evidence.answers.get("events")
    rows = [
        (row, "events")
        for row in (_list(answer.body, "items") if answer is not None and answer.is_ok else [])
    ]
    for entry in audit.ordered:
        if not audit.is_orphan(entry.hash):
            rows.append((_created(entry.event, entry.event_id, entry.data), _CREATED))
    rows += [
        (row.value, "storage") for key, row in (evidence.storage or {}).items() if _is_event(key)
    ]
    found = {EventLink(event, grant, "case.json") for event, grant in header.events}
    for row, source in rows:
        link = event_link(row, header.program_id)
        if link is not None:
            found.add(EventLink(*link, source))
    listed = [link for link in found if link.grant in header.grants]
    return sorted(listed, key=lambda link: (link.grant, link.event, link.source))


def event_links(
    *,
    events: Any = None,
    audit_logs: Any = None,
    storage: Mapping[str, Any] | None = None,
    objects: Iterable[str] = (),
    others: Iterable[object] = (),
    program: str,
) -> list[Link]:
    """Every (event, grant) of records that are no case yet, ascending.

    `events` and `audit_logs` are bodies of those answers, `storage` parsed values by key, `objects`
    the texts of bucket objects, `others` single events. The grant is the address derived from the
    event's authority, mint and grant id; an event without all three has none.
    """
    found = set()
    for row in (
        *_list(events, "items"),
        *map(_created_by, _list(audit_logs, "logs")),
        *_rows_of_storage(storage or {}),
        *_rows_of_objects(objects),
        *others,
    ):
        link = event_link(row, program)
        if link is not None:
            found.add(link)
    return sorted(found)


def event_link(row: object, program: str) -> Link | None:
    """The link that one event, or the data of one EVENT_CREATE entry, states; None where it states
    none.
    """
    named = named_grant(row)
    if named is None or not isinstance(row, dict):
        return None
    event = row.get("id") or row.get("eventId")
    return (event, grant_address(*named, program)) if isinstance(event, str) else None


def named_grant(row: object) -> tuple[str, str, int] | None:
    """(authority, mint, grant id) of the grant that an event names; None where it names none.

    The id is a u64, as a number or as its decimal digits. Spaces around the three, and zeros before
    the id, change nothing: whoever reads the event takes them away, and so meets the same grant.
    """
    if not isinstance(row, dict):
        return None
    authority, mint, number = (
        str(row.get(name)).strip() for name in ("solanaAuthority", "solanaMint", "solanaGrantId")
    )
    digits = number.lstrip("0") or number[-1:]
    if not (is_pubkey(authority) and is_pubkey(mint)):
        return None
    if not (number.isascii() and number.isdecimal()) or len(digits) > 20 or int(digits) >= 1 << 64:
        return None
    return authority, mint, int(digits)


def _list(body: Any, name: str) -> list[Any]:
    rows = body.get(name) if isinstance(body, dict) else None
    return rows if isinstance(rows, list) else []


def _is_event(key: str) -> bool:
    """Whether a row of the worker's storage is an event."""
    return key.startswith("event:")


def _rows_of_storage(storage: Mapping[str, Any]) -> Iterator[object]:
    for key, value in storage.items():
        if _is_event(key):
            yield value
        elif key.startswith(("audit_history:", "audit_entry:")):
            yield _created_by(value)


def _rows_of_objects(objects: Iterable[str]) -> Iterator[object]:
    for text in objects:
        if _CREATED not in text:
            continue
        try:
            value = parse(text)
        except CanonicalError:
            continue
        yield _created_by(value.get("entry") if isinstance(value, dict) else None)


def _created_by(entry: Any) -> object:
    """As `_created`, of an entry as the worker wrote it."""
    if not isinstance(entry, dict):
        return None
    return _created(entry.get("event"), entry.get("eventId"), entry.get("data"))


def _created(event: object, stream: object, data: object) -> object:
    """The event that an EVENT_CREATE entry made, named by the entry's stream where its data names
    none; else None.
    """
    if event != _CREATED or not isinstance(data, dict):
        return None
    return {"eventId": stream, **data}
