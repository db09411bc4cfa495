"""Which event is linked to which grant, as the worker's own records say: its events, and its EVENT_CREATE entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from popkit.protocol.canonical import CanonicalError, parse
from popkit.protocol.keys import is_pubkey
from popkit.protocol.pda import grant_address

Link = tuple[str, str]


def event_links(
    *,
    events: Any = None,
    audit_logs: Any = None,
    storage: Mapping[str, Any] | None = None,
    objects: Iterable[str] = (),
    others: Iterable[object] = (),
    program: str,
) -> list[Link]:
    """Every (event, grant) that the worker's records tell of, ascending.

    `events` and `audit_logs` are bodies of those answers, `storage` parsed values by key, `objects` the texts of bucket objects, `others`
    single events. The grant is the address derived from the event's authority, mint and grant id; an event without all three has none.
    """
    found = set()
    for row in (
        *_list(events, "items"),
        *map(_created, _list(audit_logs, "logs")),
        *_rows_of_storage(storage or {}),
        *_rows_of_objects(objects),
        *others,
    ):
        link = event_link(row, program)
        if link is not None:
            found.add(link)
    return sorted(found)


def event_link(row: object, program: str) -> Link | None:
    """The link that one event, or the data of one EVENT_CREATE entry, states; None when it states none."""
    if not isinstance(row, dict):
        return None
    event, authority, mint = row.get("id") or row.get("eventId"), row.get("solanaAuthority"), row.get("solanaMint")
    if not isinstance(event, str) or not (is_pubkey(authority) and is_pubkey(mint)):
        return None
    text = str(row.get("solanaGrantId"))
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        return None
    number = int(text)
    return (event, grant_address(str(authority), str(mint), number, program)) if number < 1 << 64 else None


def _list(body: Any, name: str) -> list[Any]:
    rows = body.get(name) if isinstance(body, dict) else None
    return rows if isinstance(rows, list) else []


def _rows_of_storage(storage: Mapping[str, Any]) -> Iterator[object]:
    for key, value in storage.items():
        if key.startswith("event:"):
            yield value
        elif key.startswith(("audit_history:", "audit_entry:")):
            yield _created(value)


def _rows_of_objects(objects: Iterable[str]) -> Iterator[object]:
    for text in objects:
        if "EVENT_CREATE" not in text:
            continue
        try:
            value = parse(text)
        except CanonicalError:
            continue
        yield _created(value.get("entry") if isinstance(value, dict) else None)


def _created(entry: Any) -> object:
    """The data of an EVENT_CREATE entry, with its stream where the data does not name the event; None for another entry."""
    if not isinstance(entry, dict) or entry.get("event") != "EVENT_CREATE" or not isinstance(entry.get("data"), dict):
        return None
    return {"eventId": entry.get("eventId"), **entry["data"]}
