"""Exports of the worker's storage, in the forms that scripts give them, without the rows that hold
credentials.

Evidence needs none of them, and a PIN of four digits is found from its digest in no time: what
never enters a case cannot leak from it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from popkit.collecting.exports.found import Document, Found, Row, seconds
from popkit.collecting.exports.raw import elements, load, member, members, one_line, quoted
from popkit.evidence.layout import STORAGE

WITHHELD = (
    "user:",
    "admin_code:",
    "admin_invite:",
    "admin:",
    "invite:",
    "session:",
    "token:",
    "security_",
)
"""Prefixes of keys that name or hold credentials (PIN digests, operators' codes) or visitors'
addresses.
"""
EVIDENCE = (
    "audit_history:",
    "audit_entry:",
    "audit:lastHash:",
    "pop_chain:",
    "pop_proof:",
    "ticket_receipt:",
    "ticket_receipt_subject:",
    "claim:",
    "event:",
    "event_owner:",
    "confirmation_code_index:",
    "user_id_index:",
    "user_id_chain:",
)
"""Prefixes of the keys that the worker keeps its records under."""
_CREDENTIAL = re.compile(
    r"pin_?(hash|digest)?$|passw|secret|bearer|api_?key|private_?key|admin_?code|(access|refresh|session|auth)_?token",
    re.IGNORECASE,
)
_UNMISTAKABLE = re.compile(
    r"^(audit_history:\d{4}-\d\d-\d\dT[^:]+:|audit_entry:[0-9a-f]{64}$|audit:lastHash:|pop_chain:(lastHash|history):|pop_proof:"
    r"|ticket_receipt(_subject)?:.+:)"
)
_PREFIX = re.compile(r"^[a-z_]{1,40}:")
Pair = tuple[str, str]
"""A key, and the text of its value."""


def read_pairs(document: Document) -> Found | None:
    """A whole document that is a storage export: an object by key, or an array of {key, value} or
    [key, value]; else None.
    """
    value = document.value
    pairs: list[Pair]
    if isinstance(value, dict) and value and is_storage(value):
        pairs = list(members(document.raw))
    elif (
        isinstance(value, list)
        and value
        and all(_is_pair(item) for item in value)
        and is_storage(dict(map(_pair_of, value)))
    ):
        pairs = [_raw_pair(item) for item in elements(document.raw)]
    else:
        return None
    return found_in(pairs)


def is_row(value: Any) -> bool:
    """Whether a value is one row {key, value} of an export; whose, its key and its neighbours tell."""
    return isinstance(value, dict) and isinstance(value.get("key"), str) and "value" in value


def is_storage(rows: dict[str, Any]) -> bool:
    """Whether keys and values are those of the worker's storage: one key that nobody else writes,
    or nothing but known ones.
    """
    if any(_UNMISTAKABLE.match(key) and _holds_record(key, rows[key]) for key in rows):
        return True
    return all(
        key.startswith(EVIDENCE + WITHHELD) and isinstance(value, dict)
        for key, value in rows.items()
    )


def _holds_record(key: str, value: Any) -> bool:
    if "lastHash:" in key:
        return isinstance(value, str) and (
            value == "GENESIS" or re.fullmatch(r"[0-9a-f]{64}", value) is not None
        )
    return isinstance(value, dict)


def _is_pair(item: Any) -> bool:
    return is_row(item) or (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str))


def _pair_of(item: Any) -> tuple[str, Any]:
    return (item["key"], item["value"]) if isinstance(item, dict) else (item[0], item[1])


def _raw_pair(raw: str) -> Pair:
    if raw.lstrip().startswith("["):
        key, value = elements(raw)
    else:
        key, value = member(raw, "key"), member(raw, "value")
    return load(key), value


def raw_row(raw: str) -> Pair:
    """The text of a {key, value} as a pair."""
    return _raw_pair(raw)


def found_in(pairs: Iterable[Pair]) -> Found:
    """The rows of an export but for those that hold credentials."""
    found, withheld = (
        Found("export of the worker's storage", files=(STORAGE,)),
        defaultdict[str, set[str]](set),
    )
    for key, raw in pairs:
        prefix = _withheld_as(key, raw)
        if prefix is not None:
            withheld[prefix].add(key)
            continue
        line = f'{{"key":{quoted(key)},"value":'.encode() + one_line(raw) + b"}"
        found.rows.append(Row(STORAGE, (0, key), line, _time_of(key)))
    found.withheld = dict(sorted(withheld.items()))
    if withheld:
        count = sum(map(len, withheld.values()))
        found.left.append(
            f"{count} rows that hold credentials were withheld ({', '.join(sorted(withheld))})"
        )
    return found


def _withheld_as(key: str, raw: str) -> str | None:
    """The prefix under which a row is withheld; None for a row that is taken."""
    for prefix in WITHHELD:
        if key.startswith(prefix):
            return prefix
    if key.startswith(EVIDENCE) or not _has_credential(load(raw)):
        return None
    found = _PREFIX.match(key)
    return found[0] if found else "(other)"


def _has_credential(value: Any) -> bool:
    if isinstance(value, dict):
        return any(
            _CREDENTIAL.search(name) or _has_credential(item) for name, item in value.items()
        )
    return isinstance(value, list) and any(_has_credential(item) for item in value)


def _time_of(key: str) -> float | None:
    """The time in the key of an audit row or a proof's record."""
    for prefix in ("audit_history:", "pop_chain:history:"):
        if key.startswith(prefix):
            return seconds(key[len(prefix) :].rpartition(":")[0])
    return None
