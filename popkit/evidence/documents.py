"""Whole JSON documents of a case: case.json and the worker's answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popkit.errors import CaseUnreadable
from popkit.evidence.layout import HEADER, Endpoint
from popkit.evidence.lines import Place, Problem, read_held
from popkit.protocol.canonical import CanonicalError, absurdity, parse
from popkit.protocol.keys import is_pubkey

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
MAX_SECONDS = 1 << 53
"""Times that are numbers to every reader of JSON."""
_FIX = "case.json is written when a case is collected; collect it again"


@dataclass(frozen=True, slots=True)
class CaseHeader:
    """What case.json says: the case's name, the cluster, its grants and events, and when it was
    collected.

    `collected_at` is in unix seconds; `events` are (event id, grant public key) pairs; grants
    ascend and are distinct.
    """

    case: str
    cluster: str
    program_id: str
    grants: tuple[str, ...]
    events: tuple[tuple[str, str], ...]
    collected_at: int
    sources: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the worker as it was received: HTTP status, parsed body (numbers as JavaScript
    reads them), place.

    `asked_at` is when a collector asked for it over HTTP, in unix seconds by the collector's clock;
    None where nothing says so.
    """

    status: int
    body: Any
    place: Place
    asked_at: float | None = None

    @property
    def is_ok(self) -> bool:
        return self.status == 200 and isinstance(self.body, dict)


def read_header(path: Path, sha256: str | None) -> CaseHeader:
    """Read case.json. Raises CaseUnreadable naming the field that is missing or of a wrong type."""
    data = read_held(path, HEADER, sha256) if sha256 is not None else path.read_bytes()
    absurd = absurdity(data)
    if absurd:
        raise CaseUnreadable(absurd, file=HEADER, advice=_FIX)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CaseUnreadable(f"is not JSON: {error}", file=HEADER, advice=_FIX) from None
    if not isinstance(value, dict):
        raise CaseUnreadable("is not an object", file=HEADER, advice=_FIX)

    def field(name: str, kind: type, default: Any = None) -> Any:
        found = value.get(name, default)
        if not isinstance(found, kind) or isinstance(found, bool):
            raise CaseUnreadable(
                f"field {name!r}: expected {kind.__name__}, found {type(found).__name__}",
                file=HEADER,
                advice=_FIX,
            )
        return found

    grants = field("grants", list)
    for key in grants:
        if not is_pubkey(key):
            raise CaseUnreadable(
                f"{str(key)[:100]!r} is not a public key", file=HEADER, advice=_FIX
            )
    events = []
    for link in field("events", list, []):
        if not (
            isinstance(link, dict)
            and isinstance(link.get("event"), str)
            and is_pubkey(link.get("grant"))
        ):
            raise CaseUnreadable(
                f"field 'events': {str(link)[:200]!r} is not {{event, grant}}",
                file=HEADER,
                advice=_FIX,
            )
        events.append((link["event"], link["grant"]))
    collected_at = field("collected_at", int)
    if not 0 <= collected_at <= MAX_SECONDS:
        raise CaseUnreadable(
            f"field 'collected_at': {collected_at} is no unix second", file=HEADER, advice=_FIX
        )
    name, program = field("case", str), field("program_id", str)
    if not is_pubkey(program):
        raise CaseUnreadable(f"{program[:100]!r} is not a public key", file=HEADER, advice=_FIX)
    return CaseHeader(
        case=name,
        cluster=field("cluster", str, "unknown"),
        program_id=program,
        grants=tuple(sorted(set(grants))),
        events=tuple(sorted(set(events))),
        collected_at=collected_at,
        sources=field("sources", dict, {}),
    )


def read_answer(
    path: Path, endpoint: Endpoint, sha256: str | None, problems: list[Problem]
) -> Answer | None:
    """Read one `worker/<name>.json` of {status, body}; None, with a problem noted, when it is not
    that.
    """
    name = endpoint.file
    place = Place(name, None, None, sha256)
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        problems.append(
            Problem(
                "document_too_large",
                f"is larger than {MAX_DOCUMENT_BYTES} bytes and was not read",
                place,
            )
        )
        return None
    try:
        value = parse(read_held(path, name, sha256))
    except CanonicalError as error:
        problems.append(Problem("unreadable_document", f"is not JSON: {error}", place))
        return None
    if not (isinstance(value, dict) and isinstance(value.get("status"), int) and "body" in value):
        problems.append(Problem("unreadable_document", "is not an answer {status, body}", place))
        return None
    if value["status"] != 200 and endpoint.good == (200,):  # else another status is an answer too
        problems.append(
            Problem(
                "worker_refused", f"the worker answered with HTTP status {value['status']}", place
            )
        )
    return Answer(value["status"], value["body"], place)
