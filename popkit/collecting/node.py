"""A Solana node spoken to in JSON-RPC: batches whose answers are held to their ids, and that shrink
when the node asks for less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec

from popkit.collecting.exchange import Answer
from popkit.collecting.outcomes import RULES, Outcome, outcome_of_error
from popkit.collecting.peer import Peer

GROW_AFTER = 20
"""So many whole batches in a row and the size doubles again, up to what was set."""


class Call(NamedTuple):
    """One method with its parameters."""

    method: str
    params: list[Any]


class _Error(msgspec.Struct):
    code: int
    message: str = ""


_MISSING = msgspec.Raw(b"")
_MAY_MEAN_THE_BATCH = frozenset(
    {
        *(Outcome.REFUSED, Outcome.METHOD_MISSING, Outcome.RPC_ERROR, Outcome.UNAUTHORIZED),
        *(Outcome.BLOCKED, Outcome.HTML_PAGE, Outcome.SERVER_ERROR),
    }
)
"""What a node, or a plan, that takes no batches answers to one; its calls are asked one at a time,
and then it means what it says.
"""
_WITH_A_REASON = frozenset(
    {Outcome.REFUSED, Outcome.UNAUTHORIZED, Outcome.SERVER_ERROR, Outcome.RATE_LIMITED}
)
"""HTTP failures whose body may hold a JSON-RPC error that says why."""


class _Envelope(msgspec.Struct, gc=False):
    id: int | str | None = None
    result: msgspec.Raw = _MISSING
    error: _Error | None = None


_ONE = msgspec.json.Decoder(_Envelope)
_MANY = msgspec.json.Decoder(list[_Envelope])
_REQUEST = msgspec.json.Encoder()


@dataclass(slots=True)
class Reply:
    """What one call came to: the result's bytes as received where the outcome is OK, else the
    node's error.
    """

    outcome: Outcome
    result: bytes = b""
    code: int | None = None
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def says(self) -> str:
        """The outcome in words, with the node's own error where it gave one."""
        told = (
            f" ({self.code}: {self.message[:120]})"
            if self.code is not None
            else f" ({self.message[:120]})"
            if self.message
            else ""
        )
        return f"{self.outcome}: {RULES[self.outcome].meaning}{told}"


Check = Callable[[Reply], Reply]


def _any(reply: Reply) -> Reply:
    return reply


class Node:
    """A Solana node. `batch` is the number of calls in one request; it shrinks when the node asks
    for less and grows back slowly.
    """

    def __init__(self, peer: Peer, batch: int) -> None:
        self.peer = peer
        self.most = max(1, batch)
        self._size = self.most
        self._good = 0
        self._refused = 0
        self.slot = 0
        """The greatest finalized slot that this node answered for."""
        self.date: float | None = None
        """The node's own clock at its newest answer, unix seconds; this machine's at that moment is
        `date_at`.
        """
        self.date_at: float | None = None

    def size_for(self, method: str) -> int:
        """How many calls of a method go into the next batch."""
        return min(self._size, self.peer.conduct.rate_of(method).count)

    async def ask(
        self, method: str, params: list[Any], check: Check = _any, **what: Any
    ) -> tuple[Reply, dict[str, Any]]:
        """One call, asked again until it is answered or patience ends; its reply, and what the
        custody record is to say of it.

        `check` looks at an answer and returns it, or the reply that it is instead (of another
        thing, of an older slot, …).
        """
        failures = 0
        while True:
            replies, answer, note = await self.once([Call(method, params)], params=params, **what)
            reply = check(replies[0]) if replies[0].ok else replies[0]
            note["outcome"] = reply.outcome
            if failures + 1 >= self._patience(reply):
                return reply, note
            self.peer.work.keeps({}, **note)
            failures += 1
            await self.peer.rests(failures, answer)

    def _patience(self, reply: Reply) -> int:
        """How often to ask: what a node says it does not have may be there on a second look (its
        storage was out of reach).
        """
        if reply.outcome is Outcome.UNAVAILABLE:
            return min(3, self.peer.conduct.attempts)
        return self.peer.conduct.attempts if RULES[reply.outcome].again else 1

    async def once(
        self, calls: Sequence[Call], **what: Any
    ) -> tuple[list[Reply], Answer, dict[str, Any]]:
        """Send the calls in one request, once; a reply a call in their order, and what the custody
        record is to say.
        """
        body = _REQUEST.encode(_bodies(calls) if len(calls) > 1 else _bodies(calls)[0])
        counts: dict[str, int] = {}
        for call in calls:
            counts[call.method] = counts.get(call.method, 0) + 1
        answer = await self.peer.send(counts, body, **what)
        if answer.outcome is Outcome.OK and answer.date is not None:
            self.date, self.date_at = answer.date, time.time()
        outcome, replies = read_replies(answer, len(calls))
        for reply in replies:
            reply.message = self.peer.address.without_secrets(reply.message)
        if len(calls) > 1 and outcome in _MAY_MEAN_THE_BATCH:
            self._batch_refused(outcome)
            outcome, replies = (
                Outcome.TOO_LARGE,
                [replace(reply, outcome=Outcome.TOO_LARGE) for reply in replies],
            )
        else:
            limited = any(reply.outcome is Outcome.RATE_LIMITED for reply in replies)
            self._adapt(Outcome.RATE_LIMITED if limited else outcome, len(calls))
        return replies, answer, self.peer.received(answer, outcome)

    def shrink_to(self, size: int) -> None:
        """Ask for at most so much in one request from now on, until whole batches have earned more."""
        self._size, self._good = max(1, min(self._size, size)), 0

    def _batch_refused(self, outcome: Outcome) -> None:
        """Ask one call at a time; from then on where the node refuses batches, and where it has
        failed at two of them.
        """
        self.shrink_to(1)
        self._refused += 1
        if outcome is not Outcome.SERVER_ERROR or self._refused > 1:
            self.most = 1

    def _adapt(self, outcome: Outcome, size: int) -> None:
        if RULES[outcome].shrink and size == 1:
            self._good = 0  # a single call that fails says nothing about how many may go together
        elif RULES[outcome].shrink:
            self._size, self._good = max(1, min(self._size, size) // 2), 0
        elif outcome is Outcome.OK and size >= self._size:
            self._good += 1
            if self._good >= GROW_AFTER:
                self._size, self._good = min(self.most, self._size * 2), 0


def _bodies(calls: Sequence[Call]) -> list[dict[str, Any]]:
    return [
        {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
        for number, call in enumerate(calls)
    ]


def read_replies(answer: Answer, count: int) -> tuple[Outcome, list[Reply]]:
    """The outcome of a whole request and a reply a call. A request that failed as a whole gives
    every call its outcome.
    """
    if answer.outcome is not Outcome.OK:
        outcome = answer.outcome
        error = _lone_error(answer.body) if outcome in _WITH_A_REASON else None
        if error is None:
            return outcome, [Reply(outcome, message=answer.detail)] * count
        if outcome is Outcome.REFUSED or error.outcome is Outcome.RATE_LIMITED:
            return error.outcome, [error] * count
        return outcome, [replace(error, outcome=outcome)] * count
    try:
        if answer.body.lstrip()[:1] == b"[":
            envelopes = _MANY.decode(answer.body)
        else:
            envelopes = [_ONE.decode(answer.body)]
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return Outcome.NOT_JSON_RPC, [Reply(Outcome.NOT_JSON_RPC)] * count
    except msgspec.DecodeError:
        return Outcome.NOT_JSON, [Reply(Outcome.NOT_JSON)] * count
    if (
        len(envelopes) == 1
        and envelopes[0].error is not None
        and (count > 1 or envelopes[0].id is None)
    ):
        whole = _reply(envelopes[0])
        return whole.outcome, [whole] * count
    return _matched(envelopes, count)


def _matched(envelopes: list[_Envelope], count: int) -> tuple[Outcome, list[Reply]]:
    """Answers by id, whatever their order. Ids that are missing, strange or doubled spoil the whole
    batch: none can be trusted.
    """
    replies: list[Reply | None] = [None] * count
    for envelope in envelopes:
        number = envelope.id
        if not isinstance(number, int) or not 0 <= number < count:
            return Outcome.WRONG_IDS, [Reply(Outcome.WRONG_IDS)] * count
        if replies[number] is not None:
            return Outcome.DUPLICATE_IDS, [Reply(Outcome.DUPLICATE_IDS)] * count
        replies[number] = _reply(envelope)
    found = [reply for reply in replies if reply is not None]
    if len(found) < count:
        return Outcome.WRONG_IDS, [
            Reply(Outcome.WRONG_IDS, message=f"{count - len(found)} of {count} not answered")
        ] * count
    return (found[0].outcome if count == 1 else Outcome.OK), found


def _reply(envelope: _Envelope) -> Reply:
    if envelope.error is not None:
        return Reply(
            outcome_of_error(envelope.error.code, envelope.error.message),
            code=envelope.error.code,
            message=envelope.error.message,
        )
    result = bytes(envelope.result)
    return (
        Reply(Outcome.OK, result)
        if result
        else Reply(Outcome.NOT_JSON_RPC, message="neither result nor error")
    )


def _lone_error(body: bytes) -> Reply | None:
    """A JSON-RPC error that came with an HTTP status of its own (some providers answer 400 or 404
    so).
    """
    try:
        envelope = _ONE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _reply(envelope) if envelope.error is not None else None
