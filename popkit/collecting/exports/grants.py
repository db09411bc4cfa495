"""The grants that exports speak of, and the events linked to them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import pybase64

from popkit.collecting.exports.raw import NotJson, decode, load
from popkit.collecting.exports.result import Exports
from popkit.evidence.layout import ACCOUNTS, BUCKET_LINES, HEADER, STORAGE
from popkit.protocol.accounts import AccountError, Grant, decode_account
from popkit.protocol.keys import is_pubkey
from popkit.worker.event_links import Link, event_links

_HEADS = ("pop_chain:lastHash:global:", "pop_chain:lastHash:stream:")


def links_in(exports: Exports, program: str) -> list[Link]:
    """Every (event, grant) that the exports state, by a case's header or by the worker's records;
    ascending.
    """
    found = {link for header in exports.headers for link in header.events}
    answers = [
        *exports.answers.items(),
        *((item.name, item.document) for item in exports.earlier_answers),
    ]
    for name, document in answers:
        if name == "events":
            found.update(event_links(events=_body(document), program=program))
        elif name == "audit-logs":
            found.update(event_links(audit_logs=_body(document), program=program))
    found.update(
        event_links(
            storage=_storage(exports),
            objects=_texts(exports),
            others=exports.event_rows,
            program=program,
        )
    )
    return sorted(found)


def grants_in(exports: Exports, program: str) -> dict[str, tuple[str, ...]]:
    """Grants by public key, ascending, each with who speaks of it, ascending.

    `case.json`: a case that was given lists it · `event`: the worker links an event to it ·
    `account`: it is a Grant account of the program · `head`: the worker keeps a head for it. A head
    alone is weak: whoever asks for a proof names the grant.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for header in exports.headers:
        for grant in header.grants:
            found[grant].add(HEADER)
    for _, grant in links_in(exports, program):
        found[grant].add("event")
    for key in _storage(exports):
        for prefix in _HEADS:
            if key.startswith(prefix) and is_pubkey(key[len(prefix) :]):
                found[key[len(prefix) :]].add("head")
    for line in exports.rows.get(ACCOUNTS, ()):
        pubkey = _grant_account(line, program)
        if pubkey is not None:
            found[pubkey].add("account")
    return {grant: tuple(sorted(sources)) for grant, sources in sorted(found.items())}


def _body(document: bytes) -> Any:
    try:
        value = load(decode(document))
    except NotJson:
        return None
    return value.get("body") if isinstance(value, dict) else None


def _storage(exports: Exports) -> dict[str, Any]:
    rows = (msgspec.json.decode(line) for line in exports.rows.get(STORAGE, ()))
    return {row["key"]: row["value"] for row in rows}


def _texts(exports: Exports) -> list[str]:
    texts = []
    for line in exports.rows.get(BUCKET_LINES, ()):
        try:
            row = load(line.decode())
        except NotJson:
            continue
        if isinstance(row, dict) and isinstance(row.get("text"), str):
            texts.append(row["text"])
    return texts


def _grant_account(line: bytes, program: str) -> str | None:
    """The address in an account row when the account is a Grant of the program."""
    try:
        row = load(line.decode())
        account = row["account"]
        if account["owner"] != program or not isinstance(
            decode_account(pybase64.b64decode(account["data"][0])), Grant
        ):
            return None
    except (NotJson, TypeError, KeyError, IndexError, ValueError, AccountError):
        return None
    return str(row["pubkey"])
