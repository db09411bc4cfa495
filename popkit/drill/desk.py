"""The living worker over HTTP: its routes, status pages and events as the recorded exchanges have
them, each request with its audit row.

What proofs, claims and receipts are asked for is in `counter`, the status pages in `status`; the
worker itself (heads, audit chain, storage, bucket) in `worker`.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from popkit.drill import counter, status
from popkit.drill.integrity import integrity
from popkit.drill.limits import Limits
from popkit.drill.proofs import iso, mask
from popkit.drill.security import Security
from popkit.drill.store import SinkFailed
from popkit.drill.worker import Worker
from popkit.evidence import layout

LATER = ("D", "E")
SEEDS = (
    ("evt-001", "地域清掃ボランティア", "2026/02/02 09:00-10:30", "生徒会"),
    ("evt-002", "進路説明会", "2026/02/10 15:00-16:00", "進路指導室"),
)
UNAUTHORIZED = (401, {"error": "Unauthorized"})
UNAUDITED = ("/api/admin/login", "/api/admin/invite", "/api/admin/rename", "/api/admin/revoke")
"""What an operator may do without a row."""
NOT_FOUND = (
    404,
    {"success": False, "error": {"code": "not_found", "message": "イベントが見つかりません"}},
)
EVENTS_A_DAY, DAY = 30, 86400
_REDACTED = ("password", "pin", "token", "authorization", "secret", "private")
_EVENT = re.compile(r"/v1/school/events/([^/]+)(/claimants|/close)?")
Answer = tuple[int, Any]


@dataclass(slots=True)
class Asked:
    """One request: what was asked, and whether the operator's token came with it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    is_readable: bool
    authorized: bool
    has_token: bool
    agent: str
    override: bool
    origin: str = ""


@dataclass(slots=True)
class Desk:
    """The worker's HTTP face. `token` is the operator's; `down` answers nothing but 503, `sinkless`
    changes nothing, as a worker whose immutable sink is not configured. `fates` are what becomes of
    the next answers to changes that were made, on their way (`live`). `created` are the events of
    the day that the first of them began.
    """

    worker: Worker
    token: str
    down: bool = False
    signer_error: str | None = None
    security: Security = field(init=False)
    limits: Limits = field(default_factory=Limits)
    sinkless: bool = False
    fates: list[str] = field(default_factory=list)
    created: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worker.has_index = True
        self.security = Security(self.worker)

    @property
    def now(self) -> float:
        return self.worker.clock / 1000

    @property
    def is_later(self) -> bool:
        return self.worker.model in LATER

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """The status and body of one request; a text body is text. Every request to the school's
        routes leaves its row.
        """
        if self.down:
            return 503, "upstream unavailable"
        given = headers.get("Authorization", "")
        authorized = hmac.compare_digest(
            given.encode("utf-8", "replace"), f"Bearer {self.token}".encode()
        )
        parsed, readable = _parsed(body)
        override = headers.get("X-Admin-Security-Override", "").strip().lower() == "continue"
        agent = headers.get("User-Agent", "").lower()
        asked = Asked(
            method, path, query, parsed, readable, authorized, bool(given), agent, override
        )
        if path in ("/", "/health"):
            return 200, {"status": "ok", "service": "instant-grant-core"}
        if (method, path) == ("POST", "/v1/audit/log"):
            return self._log(asked)
        refused = (
            self.limits.refuses(method, path, headers, len(body), self.now)
            if self.is_later
            else None
        )
        if refused is not None:
            return refused
        if self.sinkless and method != "GET" and path not in UNAUDITED:
            why = "AUDIT_IMMUTABLE_MODE=required but no immutable sink is configured"
            return 503, {
                "error": "audit immutable sink is not operational",
                "detail": why,
                "audit": status.audit_status(self, asked)[1],
            }
        started = self.worker.clock
        try:
            code, answer = self._routed(asked)
            self._trail(asked, code, self.worker.clock - started + 1)
        except SinkFailed as failure:
            if method == "GET":
                return self._routed(asked)  # a page is shown all the same, and leaves no row
            return 503, {"error": "audit log persistence failed", "detail": str(failure)}
        return code, answer

    def _routed(self, asked: Asked) -> Answer:
        found = _ROUTES.get((asked.method, asked.path))
        if found is not None:
            return found(self, asked)
        event = _EVENT.fullmatch(asked.path)
        if event is not None and (asked.method, event[2]) == ("GET", None):
            held = self._event(event[1])
            return NOT_FOUND if held is None else (200, held)
        if event is not None and (asked.method, event[2]) == ("GET", "/claimants"):
            return counter.claimants(self, asked, event[1])
        if event is not None and (asked.method, event[2]) == ("POST", "/close") and self.is_later:
            return self._close(asked, event[1])
        return 404, "Not Found"

    def _trail(self, asked: Asked, status: int, took: int) -> None:
        """The audit row of a request. A sink that fails turns a mutating request into 503 (counter
        raises it); a GET goes through.
        """
        event = _EVENT.fullmatch(asked.path)
        body_event = asked.body.get("eventId") if isinstance(asked.body, dict) else None
        stream = (
            event[1]
            if event
            else body_event
            if isinstance(body_event, str) and body_event
            else "system"
        )
        is_known = event is not None and (event[2] != "/close" or self.is_later)
        route = (
            "/v1/school/events/:eventId" + (event[2] or "")
            if event is not None and is_known
            else asked.path
        )
        data: dict[str, Any] = {
            "route": route,
            "method": asked.method,
            "status": status,
            "statusClass": f"{status // 100}xx",
            "durationMs": took,
            "hasAuthorization": asked.has_token,
            "origin": asked.origin,
        }
        if asked.method == "POST" and asked.body is not None:
            data["requestBody"] = _sanitized(asked.body)
        if asked.query:
            data["query"] = _sanitized(dict(asked.query))
        name = f"API_{asked.method}_" + route.strip("/").upper().replace("/", "_").replace(
            "-", "_"
        ).replace(":", "")
        self.worker.append(name, stream, self._actor(asked), data)

    def _actor(self, asked: Asked) -> dict[str, str]:
        event = _EVENT.fullmatch(asked.path)
        of_event = event is not None and (
            event[2] == "/claimants" or (event[2] == "/close" and self.is_later)
        )
        of_operators = layout.needs_token(asked.path)
        if of_operators or of_event or (asked.method, asked.path) == ("POST", layout.EVENTS.path):
            return {"type": "operator", "id": "authenticated" if asked.authorized else "anonymous"}
        if asked.path.startswith("/api/audit/"):
            return {"type": "auditor", "id": "public"}
        wallet = (
            asked.body.get("walletAddress") or asked.body.get("joinToken")
            if isinstance(asked.body, dict)
            else None
        )
        if asked.path == "/v1/school/claims" and isinstance(wallet, str):
            return {"type": "wallet", "id": mask(wallet)}
        return {"type": "school", "id": "public-api"}

    # events

    def _event(self, name: str) -> dict[str, Any] | None:
        return next((row for row in self._all_events() if row["id"] == name), None)

    def _all_events(self) -> list[dict[str, Any]]:
        plain = {"state": "published", "claimIntervalDays": 30, "maxClaimsPerInterval": 1}
        seeds = [
            {"id": at[0], "title": at[1], "datetime": at[2], "host": at[3], **plain} for at in SEEDS
        ]
        rows = [*seeds, *(self._without_nothing(row) for row in self.worker.events.values())]
        return [
            {**row, "claimedCount": sum(1 for event, _ in self.worker.claims if event == row["id"])}
            for row in rows
        ]

    @staticmethod
    def _without_nothing(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if value is not None}

    def _events(self, asked: Asked) -> Answer:
        if asked.query.get("scope") == "mine" and not asked.authorized:
            return UNAUTHORIZED
        return 200, {"items": self._all_events()}

    def _create(self, asked: Asked) -> Answer:
        if not asked.authorized:
            return UNAUTHORIZED
        body = asked.body if isinstance(asked.body, dict) else {}
        if not asked.is_readable:
            return 400, {"error": "invalid body"}
        title, moment, host = (_trimmed(body.get(name)) for name in ("title", "datetime", "host"))
        if not (title and moment and host):
            return 400, {"error": "title, datetime, host are required"}
        amount = (
            _positive(body["ticketTokenAmount"])
            if body.get("ticketTokenAmount") is not None
            else None
        )
        if body.get("ticketTokenAmount") is not None and amount is None:
            return 400, {"error": "ticketTokenAmount must be a positive integer"}
        if (
            body.get("claimIntervalDays") is not None
            and _positive(body["claimIntervalDays"]) is None
        ):
            return 400, {"error": "claimIntervalDays must be a positive integer"}
        guarded = (
            self.security.refuses(asked.agent, f"{title} {host}", asked.override)
            if self.is_later
            else None
        )
        if guarded is not None:
            return guarded
        links = {
            name: _trimmed(body.get(name))
            for name in ("solanaMint", "solanaAuthority", "solanaGrantId")
        }
        same = next(
            (
                row["id"]
                for row in self.worker.events.values()
                if all(links.values()) and links.items() <= row.items()
            ),
            None,
        )
        if same is not None:
            return 409, {"error": f"on-chain grant config already linked to event: {same}"}
        if self.created and not 0 <= self.now - self.created[0] < DAY:
            self.created = []
        if self.is_later and len(self.created) >= EVENTS_A_DAY:
            limit = {
                "limitPerWindow": EVENTS_A_DAY,
                "retryAfterSec": ceil(DAY - (self.now - self.created[0])),
            }
            return 429, {
                "error": "event issuance limit exceeded",
                "code": "event_issue_limit_exceeded",
                **limit,
            }
        self.created.append(self.now)
        row = {
            "title": title,
            "datetime": moment,
            "host": host,
            "state": "published",
            **links,
            "ticketTokenAmount": amount,
        }
        row |= {"riskProfile": "school_internal"} if self.is_later else {}
        days = _positive(body.get("claimIntervalDays")) or 30
        row |= {
            "claimIntervalDays": days,
            "maxClaimsPerInterval": body.get("maxClaimsPerInterval", 1),
        }
        return 201, self._without_nothing(self.worker.create_event(row))

    def _unlock(self, asked: Asked) -> Answer:
        if not self.is_later:
            return 404, "Not Found"
        return self.security.unlock(asked.body) if asked.authorized else UNAUTHORIZED

    def _freeze_status(self, asked: Asked) -> Answer:
        if not self.is_later:
            return 404, "Not Found"
        return (200, self.security.status()) if asked.authorized else UNAUTHORIZED

    def _close(self, asked: Asked, name: str) -> Answer:
        if not asked.authorized:
            return UNAUTHORIZED
        if self.security.frozen is not None:
            return 423, self.security.frozen_body()
        row = self.worker.events.get(name)
        if row is None:
            return 404, {"error": "event not found"}
        by = {
            "closedByAdminId": "master",
            "closedByAdminName": "Master Operator",
            "closedBySource": "master",
        }
        data = {"eventId": name, "previousState": row["state"], "nextState": "ended", **by}
        row["state"] = "ended"
        self.worker.append("EVENT_CLOSE", name, {"type": "master", "id": "master"}, data)
        return 200, self._event(name)

    # the operator's pages

    def _logs(self, asked: Asked) -> Answer:
        if not asked.authorized:
            return UNAUTHORIZED
        newest = sorted(
            self.worker.entries, key=lambda entry: (entry["ts"], entry["entry_hash"]), reverse=True
        )[:50]
        return 200, {"logs": newest}

    def _integrity(self, asked: Asked) -> Answer:
        if not asked.authorized:
            return UNAUTHORIZED
        body = integrity(self.worker, asked.query)
        return (200 if body["ok"] else 409), body

    def _disclosures(self, asked: Asked) -> Answer:
        if not asked.authorized:
            return UNAUTHORIZED
        limit = int(asked.query.get("transferLimit", "500"))
        head = {
            "checkedAt": iso(self.worker.clock),
            "strictLevel": "master_full",
            "includeRevoked": True,
            "transferLimit": limit,
        }
        if asked.path.endswith("admin-disclosures"):
            return 200, head | {"admins": []}
        found = {
            "limit": int(asked.query.get("limit", "100")),
            "total": 0,
            "indexBuiltAt": iso(self.worker.clock),
            "items": [],
        }
        return 200, head | {"query": asked.query.get("q", "")} | found

    def _login(self, asked: Asked) -> Answer:
        """POST admin/login: the token is the password."""
        given = asked.body.get("password") if isinstance(asked.body, dict) else None
        if not isinstance(given, str) or not hmac.compare_digest(
            given.encode(), self.token.encode()
        ):
            return 401, {"error": "invalid password"}
        return 200, {"ok": True, "role": "master"}

    def _log(self, asked: Asked) -> Answer:
        """POST /v1/audit/log: whoever holds the token may append any event, without a row of its
        own.
        """
        if not asked.authorized:
            return UNAUTHORIZED
        body = asked.body
        if not isinstance(body, dict) or not all(
            isinstance(body.get(name), str) for name in ("event", "eventId")
        ):
            return 400, {"error": "invalid body"}
        entry = self.worker.append(
            body["event"], body["eventId"], body.get("actor") or {}, body.get("data") or {}
        )
        return 200, {"ok": True, "entry_hash": entry["entry_hash"], "immutable": entry["immutable"]}


def _parsed(body: bytes) -> tuple[Any, bool]:
    if not body:
        return None, False
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def _trimmed(value: Any) -> str | None:
    """Text without spaces around it; None for what is no text: the worker drops a number in
    silence.
    """
    return value.strip() or None if isinstance(value, str) else None


def _positive(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _sanitized(value: Any, depth: int = 0) -> Any:
    """A request's body as the audit row shows it: secrets redacted, long texts and lists cut."""
    if depth > 4:
        return "[TRUNCATED_DEPTH]"
    if isinstance(value, dict):
        rows = list(value.items())[:50]
        return {
            name: "[REDACTED]" if _is_secret(name) else _sanitized(item, depth + 1)
            for name, item in rows
        }
    if isinstance(value, list):
        return [_sanitized(item, depth + 1) for item in value[:20]]
    return f"{value[:160]}..." if isinstance(value, str) and len(value) > 160 else value


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in _REDACTED) or lower == "code" or lower.endswith("_code")


_ROUTES: dict[tuple[str, str], Callable[[Desk, Asked], Answer]] = {
    ("GET", layout.POP_STATUS.path): status.pop_status,
    ("GET", layout.RUNTIME_STATUS.path): status.runtime_status,
    ("GET", layout.AUDIT_STATUS.path): status.audit_status,
    ("GET", layout.EVENTS.path): Desk._events,
    ("POST", layout.EVENTS.path): Desk._create,
    ("POST", "/v1/school/pop-proof"): counter.pop_proof,
    ("POST", "/v1/school/claims"): counter.claim,
    ("POST", "/v1/school/admin/security/unlock"): Desk._unlock,
    ("GET", "/v1/school/admin/security/freeze-status"): Desk._freeze_status,
    ("POST", "/api/admin/login"): Desk._login,
    ("POST", "/api/audit/receipts/verify"): counter.verify,
    ("POST", layout.VERIFY_CODE): counter.verify_code,
    ("GET", layout.AUDIT_LOGS.path): Desk._logs,
    ("GET", layout.AUDIT_INTEGRITY.path): Desk._integrity,
    **{("GET", path): counter.transfers for path in layout.TRANSFERS.paths},
    ("GET", "/api/master/admin-disclosures"): Desk._disclosures,
    ("GET", "/api/master/search"): Desk._disclosures,
}
