"""Reads the worker's answers: which of the known ends a request had, from status and body together.

Nothing is taken for done unless the body has the shape that the worker gives when it did it, and
nothing for refused unless the body says so: a 404 of another server, a page of HTML or a 503 in
between leave the outcome unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from popkit.collecting.outcomes import RULES, Outcome
from popkit.cutover.desk.client import Exchange
from popkit.cutover.desk.meanings import LOOK, MEANINGS, Kind
from popkit.texts import Listed, Sentence, names_in

_LINKED = re.compile(r"on-chain grant config already linked to event: (\S{1,200})")
_MOST_WORDS = 200
_UNREAD = frozenset(
    {
        Outcome.TIMEOUT, Outcome.NO_CONNECTION, Outcome.TLS_FAILED, Outcome.REDIRECTED, Outcome.BLOCKED, Outcome.HTML_PAGE,
        Outcome.WRONG_ENCODING, Outcome.WRONG_CONTENT_TYPE, Outcome.BODY_CUT, Outcome.BODY_ENDLESS,
    }
)  # fmt: skip
"""Ends after which no body may be read as the worker's."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How one request to the worker ended.

    `why` names the end more closely than `kind` (a key of `MEANINGS`, for code); `sentence` says
    what it means, `advice` what to do. `exchange` is what was sent and received, to be kept as
    evidence; None where nothing was sent, as a look had shown the event already.
    """

    kind: Kind
    why: str
    sentence: Sentence
    advice: Sentence
    exchange: Exchange | None
    event: str | None = None
    """The id of the event that was made, or that the grant is linked to already."""
    signals: tuple[str, ...] = ()
    """Why the worker warned."""
    retry_after: float | None = None
    """Seconds to wait, as the worker says; None where it says nothing."""

    @property
    def is_done(self) -> bool:
        return self.kind in ("created", "done")

    @property
    def status(self) -> int | None:
        return None if self.exchange is None else self.exchange.status

    @property
    def body(self) -> Any:
        """The body as JSON; None where it is none."""
        return None if self.exchange is None else self.exchange.json

    def as_json(self) -> dict[str, Any]:
        """What a journal holds of it: {kind, why, status, event, signals, retry_after, sha256 of
        the body}.
        """
        return {
            "kind": self.kind,
            "why": self.why,
            "status": self.status,
            "event": self.event,
            "signals": list(self.signals),
            "retry_after": self.retry_after,
            "sha256": None if self.exchange is None else self.exchange.sha256,
        }


def end(why: str, exchange: Exchange | None, look: str = "reading", **values: Any) -> Answered:
    """An answer by the name of its end; `values` are `event`, `signals`, `seconds`, `words`, `how`
    as its sentence names them.
    """
    meaning = MEANINGS[why]
    signals, seconds = tuple(values.pop("signals", ())), values.pop("seconds", None)
    known = {
        "signals": Listed(signals),
        "seconds": "?" if seconds is None else f"{seconds:g}",
        "status": None if exchange is None else exchange.status,
        "look": LOOK[look],
        **values,
    }
    sentence = meaning.sentence(**{name: known[name] for name in names_in(meaning.sentence)})
    advice = meaning.advice(**{name: known[name] for name in names_in(meaning.advice)})
    return Answered(
        meaning.kind, why, sentence, advice, exchange, values.get("event"), signals, seconds
    )


def read_created(exchange: Exchange) -> Answered:
    """The answer to POST /v1/school/events: only 201 with an event that has an id is an event made."""
    body = exchange.json
    if (
        exchange.status == 201
        and _is_read(exchange)
        and isinstance(body, dict)
        and isinstance(body.get("id"), str)
        and body["id"]
    ):
        return end("created", exchange, event=body["id"])
    return refusal(exchange, "event")


def read_done(exchange: Exchange, look: str, *fields: str) -> Answered:
    """The answer to any other request: 200 with an object that holds `fields` is done, whatever
    they say.
    """
    body = exchange.json
    if (
        exchange.status == 200
        and _is_read(exchange)
        and isinstance(body, dict)
        and all(name in body for name in fields)
    ):
        return end("done", exchange)
    return refusal(exchange, look)


def read_participation(exchange: Exchange, look: str) -> Answered:
    """The answer to POST /v1/school/claims, which refuses with HTTP 200 too: only `success` true
    with a code is done.
    """
    body = exchange.json
    if (
        exchange.status == 200
        and _is_read(exchange)
        and isinstance(body, dict)
        and body.get("success") is False
    ):
        return end("bad_request", exchange, look, words=_words(body))
    if isinstance(body, dict) and body.get("success") is True:
        return read_done(exchange, look, "confirmationCode")
    return refusal(exchange, look)


def refusal(exchange: Exchange, look: str) -> Answered:
    """What an answer means that does not say that the request was done; `look` names the request,
    for what to do when nobody knows.
    """
    body, status = exchange.json, exchange.status
    if (
        exchange.outcome is Outcome.REFUSED
        and status == 404
        and exchange.body.strip() == b"Not Found"
    ):
        return end("no_route", exchange, look)
    if _is_read(exchange) and status in (
        413,
        429,
    ):  # whoever answers these, a worker or a server before it, has done nothing
        given = body if isinstance(body, dict) else {}
        is_of_day = given.get("code") == "event_issue_limit_exceeded"
        why = "too_large" if status == 413 else "day_limit" if is_of_day else "too_many"
        return end(why, exchange, look, seconds=_seconds(exchange, given))
    if not _is_read(exchange) or not isinstance(body, dict) or status is None or status < 400:
        return _unknown(exchange, look)
    if status == 409:
        return _conflict(exchange, body, look)
    if status == 423:
        return end(
            "frozen" if body.get("code") == "account_frozen" else "conflict",
            exchange,
            look,
            words=_words(body),
        )
    if status == 503 and "not operational" in str(body.get("error")):
        return end("sink_down", exchange, look)
    if status >= 500:
        return _unknown(exchange, look)
    named = {401: "unauthorized", 403: "unauthorized", 404: "not_found"}
    return end(named.get(status, "bad_request"), exchange, look, words=_words(body))


def _conflict(exchange: Exchange, body: dict[str, Any], look: str) -> Answered:
    """Both meanings of 409 for an event, and that of a registration without its code."""
    if body.get("code") == "security_warning":
        warning = body.get("warning")
        given = warning.get("signals") if isinstance(warning, dict) else None
        signals = [str(signal)[:60] for signal in given][:10] if isinstance(given, list) else []
        return end("warned", exchange, look, signals=signals or ["security_warning"])
    linked = _LINKED.fullmatch(str(body.get("error")))
    if linked is not None:
        return end("already_linked", exchange, look, event=linked[1])
    error = body.get("error")
    if isinstance(error, dict) and error.get("code") == "retryable":
        return end("wants_code", exchange, look)
    return end("conflict", exchange, look, words=_words(body))


def _unknown(exchange: Exchange, look: str) -> Answered:
    if exchange.outcome is Outcome.SERVER_ERROR:
        return end("failed", exchange, look)
    outcome = Outcome.WRONG_ANSWER if exchange.outcome is Outcome.OK else exchange.outcome
    if exchange.outcome is Outcome.REFUSED or exchange.outcome in (
        Outcome.UNAUTHORIZED,
        Outcome.RATE_LIMITED,
        Outcome.TOO_LARGE,
    ):
        outcome = Outcome.NOT_JSON
    return end("unreadable", exchange, look, how=RULES[outcome].meaning)


def _is_read(exchange: Exchange) -> bool:
    return exchange.outcome not in _UNREAD


def _words(body: dict[str, Any]) -> str:
    """The worker's own words, short: of `error`, `message` or what stands inside them."""
    error = body.get("error", body.get("message"))
    text = error.get("message", error.get("code")) if isinstance(error, dict) else error
    return str(text)[:_MOST_WORDS] if text else "?"


def _seconds(exchange: Exchange, body: dict[str, Any]) -> float | None:
    given = body.get("retryAfterSec")
    if isinstance(given, int | float) and not isinstance(given, bool) and given >= 0:
        return float(given)
    return exchange.retry_after
