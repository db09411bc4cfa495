"""The worker's endpoints that evidence needs: in the order that disturbs the evidence least,
counted, and read for what they leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from popkit.collecting.exchange import Answer
from popkit.collecting.outcomes import RULES, Outcome
from popkit.collecting.peer import Peer
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import (
    ASKED,
    AUDIT_INTEGRITY,
    AUDIT_LOGS,
    CHECKED,
    ENDPOINTS,
    MOST_TRANSFERS,
    NEWEST,
    TRANSFERS,
    Endpoint,
    appends_entry,
)

NO_TOKEN = "not asked for: it needs the operator's token; put it into an environment variable and give --worker-token-env NAME"
_PATIENCE = 3  # every ask may append an entry to the audit chain, so none is repeated often


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the worker: a GET of a path with its query, or a POST of `body`.

    `name` is that of the answer; `good` are the statuses under which the answer is evidence.
    """

    name: str
    address: str
    good: tuple[int, ...] = (200,)
    body: bytes | None = None

    @property
    def appends(self) -> bool:
        """Whether asking appends an entry to the audit chain."""
        return appends_entry(self.address)

    @property
    def route(self) -> str:
        """The path as limits count it: without the query."""
        return self.address.partition("?")[0]


def request_of(endpoint: Endpoint) -> Request:
    """The request for an endpoint's answer."""
    return Request(endpoint.name, endpoint.address, endpoint.good)


ONE_MOMENT = 45.0
"""Seconds for which answers count as of one moment with what is read next; a minute is what a
diagnosis allows (design §5).
"""


class Said(msgspec.Struct):
    """One answer of the worker as it was kept: a line of `worker/answers.jsonl`. `body` is JSON as
    received.
    """

    name: str
    path: str
    at: float
    status: int
    body: msgspec.Raw


@dataclass(slots=True)
class WorkerSeen:
    """The worker's newest answer by name, and why others are not there; `newest` is the worker's
    own clock (unix seconds).
    """

    said: dict[str, Said] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


Also = Callable[[Said], Mapping[str, list[bytes]]]


def _nothing(said: Said) -> Mapping[str, list[bytes]]:
    return {}


class Worker:
    """Asks the worker; `has_token` says whether requests carry the operator's token."""

    def __init__(self, peer: Peer, work: Workspace, progress: Progress, has_token: bool) -> None:
        self.peer, self.work, self.progress, self.has_token = peer, work, progress, has_token

    async def all(
        self, tag: str, max_age: float | None, before: WorkerSeen | None = None
    ) -> WorkerSeen:
        """Every endpoint that the token allows, each once; of what was asked `before`, the list of
        entries alone is asked anew.

        Every ask appends an entry to the audit chain, and the list holds fifty: asking again pushes
        evidence out of it. Where the answers before are of this moment still, nothing is asked.
        """
        seen = (
            WorkerSeen() if before is None else WorkerSeen(dict(before.said), dict(before.missing))
        )
        asked_before = {*seen.said, *seen.missing} - {AUDIT_LOGS.name}
        now = self.work.clock()
        for endpoint in ENDPOINTS:
            old = seen.said.get(endpoint.name)
            is_of_this_moment = old is not None and 0 <= now - old.at <= ONE_MOMENT
            if is_of_this_moment or endpoint.name in asked_before:
                continue
            if endpoint.needs_token and not self.has_token:
                seen.missing[endpoint.name] = NO_TOKEN
                continue
            said = await self.one(request_of(endpoint), tag, max_age)
            if isinstance(said, Said):
                seen.said[endpoint.name] = said
                seen.missing.pop(endpoint.name, None)
            elif old is None:
                seen.missing[endpoint.name] = said
            self.progress.step()
        return seen

    async def first_list(self) -> WorkerSeen:
        """The list of entries before anything else is asked of anyone: while a long history is
        read, claims push it out of the window.
        """
        said = await self.one(request_of(AUDIT_LOGS), "first", None) if self.has_token else NO_TOKEN
        return WorkerSeen({AUDIT_LOGS.name: said}) if isinstance(said, Said) else WorkerSeen()

    async def one(
        self, request: Request, tag: str, max_age: float | None, also: Also = _nothing
    ) -> Said | str:
        """One answer as kept, or why there is none. `also` makes further lines of the case from a
        good answer's body.
        """
        step = f"worker/{tag}/{request.name}"
        record = self.work.remembered(step, max_age)
        failures = 0
        while record is None:
            answer = await self.peer.send(
                {request.route: 1},
                request.body,
                request.address,
                to=request.address,
                appends_audit_entry=request.appends,
            )
            outcome = _outcome(answer, request)
            note = self.peer.received(answer, outcome)
            if outcome is Outcome.OK and answer.status is not None:
                said = Said(
                    request.name,
                    request.address,
                    self.work.clock(),
                    answer.status,
                    msgspec.Raw(answer.body.replace(b"\n", b" ")),
                )
                record = self.work.keeps(
                    {ASKED: [msgspec.json.encode(said)], **also(said)}, **note, step=step
                )
                break
            self.work.keeps({}, **note)
            failures += 1
            if not RULES[outcome].again or failures >= _PATIENCE:
                return _why(outcome, answer)
            await self.peer.rests(failures, answer)
        return msgspec.json.decode(self.work.lines(record)[0], type=Said)


def _outcome(answer: Answer, request: Request) -> Outcome:
    """Whether an answer is evidence: a status under which it was asked for, and a JSON object."""
    if answer.outcome is not Outcome.OK and answer.status not in request.good:
        return answer.outcome
    if answer.outcome in (Outcome.HTML_PAGE, Outcome.WRONG_CONTENT_TYPE):
        return answer.outcome
    try:
        msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return Outcome.WRONG_ANSWER
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Outcome.NOT_JSON
    return Outcome.OK


def _why(outcome: Outcome, answer: Answer) -> str:
    """Why an endpoint gave no evidence; the body is never quoted, as it may echo what was sent."""
    return f"{outcome}: {RULES[outcome].meaning}" + (
        f" (HTTP {answer.status})" if answer.status is not None else ""
    )


def left_out(said: dict[str, Said]) -> list[str]:
    """What the worker's answers say, or are known, to leave out: rows past a limit, redacted
    details.
    """
    found = []
    for name, answer in sorted(said.items()):
        body = _body(answer)
        if name == AUDIT_LOGS.name and len(_list(body, "logs")) >= NEWEST:
            found.append(f"{name}: the newest {NEWEST} entries alone; it gives no more")
        if name == TRANSFERS.name:
            if len(_list(body, "items")) >= MOST_TRANSFERS:
                found.append(f"{name}: the newest {MOST_TRANSFERS} alone; it gives no more")
            if body.get("strictLevel") != "master_full":
                found.append(f"{name}: redacted ({str(body.get('strictLevel'))[:40]})")
        if (
            name == AUDIT_INTEGRITY.name
            and isinstance(body.get("checked"), int)
            and body["checked"] >= CHECKED
        ):
            found.append(f"{name}: the server looked at the newest {CHECKED} entries alone")
        if body.get("detailsRedacted") is True:
            found.append(f"{name}: details are redacted for callers without the operator's token")
    return found


@dataclass(frozen=True, slots=True)
class Passage:
    """What went by in the worker's list while it was asked: lists read, rows newer than the first
    list, and whether lists meet.

    `own` are the entries that the collection's own requests may have appended; `meets` is False
    where between two lists rows may have come and gone unseen.
    """

    lists: int
    rows: int
    own: int
    meets: bool

    @property
    def says(self) -> str:
        seen = (
            f"read {self.lists} times, {self.rows} newer rows were seen meanwhile"
            if self.lists > 1
            else "read once"
        )
        gap = (
            ""
            if self.meets
            else f"; two lists have no row in common: more than {NEWEST} rows went by, and those "
            f"between were not seen"
        )
        return f"the worker's list of entries: {seen}; popkit's own requests appended up to {self.own}{gap}"


def passage(lists: Sequence[Said], own: int) -> Passage:
    """What went by between the lists, oldest first."""
    known: set[str] = set()
    rows, meets = 0, True
    for number, said in enumerate(lists):
        hashes = {
            str(row["entry_hash"])
            for row in _list(_body(said), "logs")
            if isinstance(row, dict) and row.get("entry_hash")
        }
        if number:
            rows += len(hashes - known)
            meets = meets and not (known and hashes and known.isdisjoint(hashes))
        known |= hashes
    return Passage(len(lists), rows, own, meets)


def _body(said: Said) -> dict[str, Any]:
    try:
        return msgspec.json.decode(said.body, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _list(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name)
    return found if isinstance(found, list) else []


def document(said: Said) -> bytes:
    """`worker/<name>.json`: {status, body}, the body as it was received."""
    return b'{"status":%d,"body":%s}\n' % (said.status, bytes(said.body))
