"""What the worker and wallets said, as people save it: answers of its API, exchanges with their
requests, ticket receipts, error reports.

Of an exchange only the answer's status and body are taken, and of the request its method and path:
headers, addresses of servers and what was sent never reach a case.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from popkit.collecting.exports.found import Document, Found, Row, WorkerAnswer, seconds
from popkit.collecting.exports.raw import NotJson, load, member, members, one_line
from popkit.evidence.layout import (
    AUDIT_INTEGRITY,
    AUDIT_LOGS,
    BY_PATH,
    ENDPOINTS,
    NAMED,
    RECEIPTS,
    REPORTS,
    TRANSFERS,
)

_REPORT = ("at", "eventId", "wallet", "landed", "signature", "message", "logs")


def read(document: Document) -> Found | None:
    """What a value says as something of the worker's or a wallet's, or None when it is nothing of
    theirs.
    """
    value = document.value
    if not isinstance(value, dict):
        return None
    if is_receipt(value):
        return Found("ticket receipts", [_receipt_row(document.raw, value)])
    if is_report(value):
        return Found("wallets' error reports", [_report_row(document.raw, value)], files=(REPORTS,))
    if "request" in value and "response" in value:
        return _exchange(document)
    if (
        isinstance(value.get("status"), int)
        and not isinstance(value["status"], bool)
        and "body" in value
    ):
        return _saved_answer(document)
    return _bare_answer(document)


def is_receipt(value: Any) -> bool:
    """Whether a value is a ticket receipt, true or forged."""
    return (
        isinstance(value, dict)
        and value.get("type") == "participation_audit_receipt"
        and isinstance(value.get("receiptId"), str)
    )


def _receipt_row(raw: str, value: dict[str, Any]) -> Row:
    return Row(RECEIPTS, (0, value["receiptId"]), one_line(raw), seconds(value.get("issuedAt")))


def is_report(value: Any) -> bool:
    """Whether a value is a wallet's report of an attempt."""
    at = value.get("at")
    named = (
        isinstance(value.get("eventId"), str)
        and isinstance(value.get("wallet"), str)
        and ("message" in value or "logs" in value)
    )
    return named and isinstance(at, int | float) and not isinstance(at, bool)


def _report_row(raw: str, value: dict[str, Any]) -> Row:
    if not set(value) <= set(_REPORT):
        taken = ", ".join(f'"{name}":{text}' for name, text in members(raw) if name in _REPORT)
        raw = f"{{{taken}}}"
    return Row(
        REPORTS,
        (0, value["at"], value["wallet"], value["eventId"]),
        one_line(raw),
        seconds(value["at"]),
    )


def _exchange(document: Document) -> Found | None:
    """One exchange with the worker: GETs give answers, any answer may carry ticket receipts."""
    request, response = document.value["request"], document.value["response"]
    if not (
        isinstance(request, dict)
        and isinstance(response, dict)
        and isinstance(response.get("status"), int)
        and "body" in response
    ):
        return None
    path, method = request.get("path", request.get("url")), request.get("method")
    if not isinstance(path, str) or not isinstance(method, str):
        return None
    part = document.at(member(document.raw, "response"), response)
    body = _body(part)
    found = Found("exchanges with the worker")
    if body is None:
        found.left.append("an answer whose body is no JSON")
        return found
    _take_carried(body, found)
    at = seconds(document.value.get("at"))
    try:
        address = urlsplit(path)
    except ValueError:
        return found
    asked = BY_PATH.get(address.path.rstrip("/")) if method.upper() == "GET" else None
    name = asked.name if asked is not None else None
    authorized = document.value.get("authorized") is True
    if name is not None and (
        not _is_good(name, response["status"]) or name_of(body.value, name) == name
    ):
        filtered = bool({"eventId", "scope"} & set(parse_qs(address.query)))
        found.answers.append(_answer(name, response["status"], body, authorized, filtered, at))
        if at is not None:
            found.times.append(at)
    elif found.is_empty:
        found.left.append(
            f"{method.upper()[:8]} {_template(address.path)}: nothing that a case keeps"
        )
    return found


def _body(part: Document) -> Document | None:
    """The body of a saved response, given as JSON or as text that is JSON."""
    body = part.value["body"]
    try:
        return (
            part.at(body, load(body))
            if isinstance(body, str)
            else part.at(member(part.raw, "body"), body)
        )
    except NotJson:
        return None


def _template(path: str) -> str:
    """A path for a report: ids taken out, cut short."""
    return "/".join(
        "…" if any(letter.isdigit() for letter in step[2:]) else step for step in path.split("/")
    )[:60]


def _is_good(name: str, status: int) -> bool:
    return status in NAMED[name].good


def _saved_answer(document: Document) -> Found | None:
    """{status, body}: named by its body, or by its file's name where the worker refused."""
    body = _body(document)
    if body is None:
        return None
    status, hint = document.value["status"], _hint(document)
    name = name_of(body.value, hint)
    if name is None and hint is not None and not _is_good(hint, status):
        name = hint
    if name is None:
        return _carrier(body)
    return Found(
        "answer of the worker",
        answers=[_answer(name, status, body, True, False, None)],
        times=_times(name, body.value),
    )


def _bare_answer(document: Document) -> Found | None:
    """A body alone: the status it came with is what the worker gives with such a body."""
    name = name_of(document.value, _hint(document))
    if name is None:
        return _carrier(document)
    status = 409 if name == AUDIT_INTEGRITY.name and document.value.get("ok") is False else 200
    return Found(
        "answer of the worker",
        answers=[_answer(name, status, document, True, False, None)],
        times=_times(name, document.value),
    )


def _hint(document: Document) -> str | None:
    stem = document.name.removesuffix(".json")
    return stem if stem in NAMED else None


def _carrier(body: Document) -> Found | None:
    """An answer that is none of those a case keeps: the ticket receipts and the event it carries;
    None when it carries none.
    """
    found = Found("answer of the worker with a ticket receipt")
    _take_carried(body, found)
    if found.event_rows:
        found.what = "an event as the worker describes it"
    if (
        isinstance(body.value, dict)
        and isinstance(body.value.get("admins"), list)
        and "strictLevel" in body.value
    ):
        return Found(
            "", left=["holds operators' codes, which are credentials: never taken into a case"]
        )
    return None if found.is_empty else found


def _take_carried(body: Document, found: Found) -> None:
    value = body.value
    if not isinstance(value, dict):
        return
    if is_receipt(value):
        found.rows.append(_receipt_row(body.raw, value))
    for name in ("ticketReceipt", "receipt"):
        if is_receipt(value.get(name)):
            found.rows.append(_receipt_row(member(body.raw, name), value[name]))
    if isinstance(value.get("id"), str) and {
        "solanaAuthority",
        "solanaMint",
        "solanaGrantId",
        "title",
    } <= set(value):
        found.event_rows.append(value)


def name_of(body: Any, hint: str | None) -> str | None:
    """Which answer of the worker a body is; `hint` (from a path or a file's name) decides between
    lists that are empty.
    """
    if not isinstance(body, dict):
        return None
    for endpoint in ENDPOINTS:
        if endpoint.shape.members <= set(body):
            return (
                endpoint.name
                if endpoint.shape.fits(body, may_be_empty=hint == endpoint.name)
                else None
            )
    return None


def _answer(
    name: str, status: int, body: Document, authorized: bool, filtered: bool, at: float | None
) -> WorkerAnswer:
    text = f'{{"status":{status},"body":'.encode() + one_line(body.raw) + b"}"
    value = body.value if isinstance(body.value, dict) else {}
    redacted = value.get("detailsRedacted") is True or any(
        "redacted" in str(item) for item in _list(value.get("warnings"))
    )
    partial = (
        value.get("roleView") == "admin"
        or isinstance(value.get("eventId"), str)
        or value.get("verifyImmutable") is False
    )
    at = at or max(_times(name, value), default=None)
    return WorkerAnswer(
        name,
        text,
        (_is_good(name, status), not partial and not filtered),
        (not redacted, authorized),
        at,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _times(name: str, body: Any) -> list[float]:
    """The times that an answer states of itself, or of its newest row."""
    if not isinstance(body, dict):
        return []
    stated = [body.get("checkedAt"), body.get("inspectedAt")]
    for rows in ("logs", "items"):
        if name in (AUDIT_LOGS.name, TRANSFERS.name):
            stated += [row.get("ts") for row in _list(body.get(rows)) if isinstance(row, dict)]
    return [time for time in map(seconds, stated) if time is not None]
