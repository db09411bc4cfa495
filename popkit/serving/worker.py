"""A case as the worker: its GETs with the recorded status and body, byte for byte. It accepts no
writes.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from popkit.evidence.bundle import Evidence
from popkit.evidence.documents import MAX_DOCUMENT_BYTES
from popkit.evidence.layout import (
    BY_PATH,
    ENDPOINTS,
    EVENTS,
    MOST_TRANSFERS,
    NEVER_KEPT,
    TRANSFERS,
    event_path,
    needs_token,
)
from popkit.evidence.lines import Place, Problem

_EVENT = event_path("")


class _Recorded(msgspec.Struct):
    status: int
    body: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the worker: HTTP status and a body of JSON."""

    status: int
    body: bytes


def is_worker_path(path: str) -> bool:
    """Whether a path is the worker's rather than the node's."""
    return path.startswith(("/v1/", "/api/"))


class WorkerReplay:
    """The worker over one case; with a `token`, what only its operator may see needs
    `Authorization: Bearer <token>`.
    """

    def __init__(self, evidence: Evidence, token: str | None = None) -> None:
        self._token = token
        self.problems: list[Problem] = []
        self.answers: dict[str, _Recorded] = {}
        self.is_collected = any(name.startswith("worker/") for name in evidence.files)
        decode = msgspec.json.Decoder(_Recorded).decode
        for endpoint in ENDPOINTS:
            path = evidence.files.get(endpoint.file)
            if path is None:
                continue
            try:
                if path.stat().st_size > MAX_DOCUMENT_BYTES:
                    raise msgspec.DecodeError(f"is larger than {MAX_DOCUMENT_BYTES} bytes")
                found = decode(path.read_bytes())
                if not 200 <= found.status <= 599:
                    raise msgspec.DecodeError(f"status {found.status} is not that of an answer")
                self.answers[endpoint.name] = found
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                detail = f"is not an answer {{status, body}}: {error}"
                self.problems.append(Problem("unreadable_document", detail, Place(endpoint.file)))

    def get(self, path: str, query: Mapping[str, str], authorization: str | None = None) -> Reply:
        """What the worker answers to a GET. `authorization` is that header's value."""
        if not self.is_collected:
            return _said(404, "this case has no worker: nothing was collected from one")
        needs_operator = needs_token(path) or (path == EVENTS.path and query.get("scope") == "mine")
        if needs_operator and not self._is_operator(authorization):
            return Reply(401, b'{"error":"Unauthorized"}')
        if path.startswith(_EVENT):
            return self._event(path[len(_EVENT) :])
        endpoint = BY_PATH.get(path)
        if endpoint is None:
            is_known = path in NEVER_KEPT
            return (
                _not_held(path)
                if is_known
                else _said(404, f"the worker is not known to have {path}")
            )
        recorded = self.answers.get(endpoint.name)
        if recorded is None or (endpoint == EVENTS and "scope" in query):
            return _not_held(path)
        if endpoint == TRANSFERS:
            return _transfers(path, query, recorded)
        return Reply(recorded.status, bytes(recorded.body))

    def _is_operator(self, authorization: str | None) -> bool:
        if self._token is None:
            return True
        # Compared in constant time, as the real one's password may have been given.
        return hmac.compare_digest(
            (authorization or "").encode("utf-8", "replace"), f"Bearer {self._token}".encode()
        )

    def _event(self, name: str) -> Reply:
        """One event, from the recorded list."""
        recorded = self.answers.get(EVENTS.name)
        if recorded is None or recorded.status != 200:
            return _not_held(_EVENT + name)
        for item in _items(recorded.body) or []:
            if msgspec.json.decode(item).get("id") == name:
                return Reply(200, bytes(item))
        return Reply(
            404,
            '{"success":false,"error":{"code":"not_found","message":"イベントが見つかりません"}}'.encode(),
        )


def _transfers(path: str, query: Mapping[str, str], recorded: _Recorded) -> Reply:
    """The recorded list of transfers, narrowed to an event and to the newest `limit`.

    The master's and an admin's view differ in what they show of people: only the one that was
    recorded is given.
    """
    whole = Reply(recorded.status, bytes(recorded.body))
    items = _items(recorded.body)
    if recorded.status != 200 or items is None:
        return whole
    body = msgspec.json.decode(recorded.body, type=dict[str, msgspec.Raw])
    told = msgspec.json.decode(recorded.body)
    role, event, most = told.get("roleView"), told.get("eventId"), told.get("limit")
    if role in ("master", "admin") and not path.startswith(f"/api/{role}/"):
        return _said(503, f"the case does not hold {path}, only the view of role {role}")
    wanted = query.get("eventId") or None
    if event is not None and wanted != event:
        return _said(503, f"the case holds the transfers of event {event} alone")
    kept = [
        item
        for item in items
        if wanted is None or msgspec.json.decode(item).get("eventId") == wanted
    ]
    limit = _limit(query.get("limit"))
    if limit is not None and (not isinstance(most, int) or limit < most):
        kept, body["limit"] = kept[:limit], msgspec.Raw(str(limit).encode())
    elif wanted == event:
        return whole
    return Reply(200, msgspec.json.encode({**body, "eventId": wanted, "items": kept}))


def _limit(text: str | None) -> int | None:
    """The limit asked for, within what the worker allows; None for none, or for what is no number."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(max(int(text[:9]), 1), MOST_TRANSFERS)


def _items(body: msgspec.Raw) -> list[msgspec.Raw] | None:
    """The `items` of a body, as recorded; None when it is not a list of objects."""
    try:
        items = msgspec.json.decode(
            msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("items", b"null"),
            type=list[msgspec.Raw],
        )
        msgspec.json.decode(msgspec.json.encode(items), type=list[dict[str, object]])
    except msgspec.DecodeError:
        return None
    return items


def _not_held(path: str) -> Reply:
    return _said(503, f"the case does not hold the worker's answer to {path}")


def _said(status: int, why: str) -> Reply:
    """An answer of the replay itself, not of the worker: it says so."""
    return Reply(status, msgspec.json.encode({"error": f"popkit serve: {why}"}))
