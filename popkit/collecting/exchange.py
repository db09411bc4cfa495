"""One request over HTTP: sent once, bounded in size and time, and ended by a named outcome,
whatever the peer does.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from popkit.collecting.address import Address
from popkit.collecting.outcomes import Outcome, outcome_of_status
from popkit.collecting.workspace import TOOL

_SECONDS = re.compile(r"^[0-9]+(\.[0-9]+)?$")
_NO_DECODER = re.compile(r"Can not decode content-encoding: [a-z]+ \((br|zstd)\)")
_DECODED = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
"""Compressions that are undone before a body is looked at: the last two only where a library for
them is installed.
"""
LONGEST_PAUSE = 600.0
"""Seconds: a peer that asks for a longer pause is asked again after this."""
HEADERS: Mapping[str, str] = {
    "User-Agent": TOOL.replace(" ", "/"),
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(slots=True)
class Answer:
    """What came back: the outcome by HTTP alone, the body as received (b"" where none is used), and
    what it says of time.

    `date` is the peer's own clock (unix seconds, from the Date header), `number` the request's
    number in the custody record.
    """

    outcome: Outcome
    body: bytes = b""
    status: int | None = None
    retry_after: float | None = None
    date: float | None = None
    detail: str = ""
    number: int = 0
    sha256: str = ""
    size: int = 0
    secrets_replaced: int = 0
    """How often a secret that was sent stood in the body and was replaced; `sha256` and `size` are
    of the body as it came.
    """


class _SendOnce:
    """Keeps one request one request: aiohttp sends a GET whose connection was lost again by itself,
    past every limit and the record.
    """

    def __init__(self) -> None:
        self.is_sent = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self.is_sent:
            raise aiohttp.ServerDisconnectedError
        self.is_sent = True
        return await handler(request)


async def exchange(
    session: aiohttp.ClientSession,
    address: Address,
    body: bytes | None,
    path: str,
    *,
    timeout: float,
    max_body: int,
) -> Answer:
    """Send one request and say how it ended; never raises for what a peer does. `body` None is a
    GET of `path` below the address.

    Nothing in the answer's `detail` quotes an error's text; the body is as it came, so that whoever
    keeps it must take secrets out.
    """
    headers = dict(HEADERS) | dict(address.headers)
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        async with session.request(
            "POST" if body is not None else "GET",
            address.below(path),
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
            middlewares=(_SendOnce(),),
        ) as response:
            return await _read(response, max_body)
    except TimeoutError:
        return Answer(Outcome.TIMEOUT, detail=f"nothing whole within {timeout:g} s")
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        return Answer(Outcome.TLS_FAILED, detail=type(error).__name__)
    except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
        if (way := _unasked_encoding(str(error))) is not None:
            return Answer(Outcome.WRONG_ENCODING, detail=f"{way}, where gzip or none was asked for")
        if isinstance(error, aiohttp.ClientResponseError):
            return Answer(Outcome.NO_CONNECTION, detail=type(error).__name__)
        return Answer(Outcome.BODY_CUT, detail="the connection ended inside the body")
    except (
        aiohttp.ClientError,
        OSError,
        ValueError,
    ) as error:  # their texts may hold the URL: the class alone is written down
        return Answer(Outcome.NO_CONNECTION, detail=type(error).__name__)


async def _read(response: aiohttp.ClientResponse, max_body: int) -> Answer:
    answer = Answer(outcome_of_status(response.status), status=response.status)
    answer.retry_after = _seconds(response.headers.get("Retry-After"), response.headers.get("Date"))
    answer.date = _date(response.headers.get("Date"))
    if answer.outcome is Outcome.REDIRECTED:
        answer.detail = f"to {_host(response.headers.get('Location', ''))}"
        return answer
    if (response.content_length or 0) > max_body:
        answer.outcome, answer.detail = (
            Outcome.BODY_ENDLESS,
            f"announced {response.content_length} bytes",
        )
        return answer
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > max_body:
            response.close()
            answer.outcome, answer.detail = Outcome.BODY_ENDLESS, f"cut off after {size} bytes"
            return answer
    answer.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    said = response.content_type
    is_page = said == "text/html" or answer.body[:64].lstrip()[:1] == b"<"
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if is_page and answer.outcome is Outcome.UNAUTHORIZED:
        answer.outcome = Outcome.BLOCKED
    if answer.outcome is Outcome.OK:
        if encoding not in _DECODED:
            answer.outcome, answer.detail = (
                Outcome.WRONG_ENCODING,
                f"{encoding[:60]}, where gzip or none was asked for",
            )
        elif is_page:
            answer.outcome = Outcome.HTML_PAGE
        elif not (said == "application/json" or said.endswith("+json")):
            is_json = answer.body.lstrip()[:1] in (b"{", b"[")
            answer.outcome, answer.detail = (
                Outcome.WRONG_CONTENT_TYPE,
                f"JSON called {said[:60]}" if is_json else said[:60],
            )
    return answer


def _unasked_encoding(text: str) -> str | None:
    """The compression that aiohttp has no library for, from its error's text; None when the error
    is another.
    """
    found = _NO_DECODER.search(text)
    return found[1] if found else None


def _host(location: str) -> str:
    """The host of a Location header, and no more of it: the rest may carry the key back."""
    try:
        parts = urlsplit(location)
        return Address(location).shown[:100] if parts.hostname else "another path of the same host"
    except ValueError:
        return "an unreadable address"


def _date(text: str | None) -> float | None:
    """A Date header as unix seconds."""
    try:
        if not text:
            return None
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None, date: str | None) -> float | None:
    """A Retry-After header, in seconds or as a date, as seconds from now; at most ten minutes, as a
    longer pause is an end.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.match(text):
        return min(float(text), LONGEST_PAUSE)
    until, now = _date(text), _date(date)
    if until is None:
        return None
    return min(
        max(until - (now if now is not None else datetime.now().timestamp()), 0.0), LONGEST_PAUSE
    )
