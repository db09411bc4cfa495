"""The worker as the cutover uses it: what it shows, and the few things that are asked of it.

Nothing about making an event is idempotent at the worker, so that the desk holds to three rules: it
looks before it makes one, it sends a POST once, and it makes at most two attempts in any minute, as
the third within 60 s counts as misuse. The header that overrides the worker's warnings is never
sent: it freezes the operator.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from popkit.collecting.address import Address
from popkit.collecting.limits import Rate
from popkit.cutover.desk.answers import Answered, end, read_created, read_done, read_participation
from popkit.cutover.desk.client import TIMEOUT, Client, Exchange
from popkit.cutover.desk.events import Link, compared, linked_to, read_fields
from popkit.cutover.desk.meanings import LOOK
from popkit.cutover.errors import Silent, Stopped
from popkit.evidence import layout
from popkit.texts import sentence

__all__ = ["Answered", "Frozen", "Link", "WorkerDesk", "can_close", "compared", "words_that_warn"]
ATTEMPTS = Rate(2, 61)
"""Attempts to make an event: the worker warns at the third within 60 s, refused ones included; a
second more, as two clocks differ.
"""
LOOK_SECONDS = 30.0
"""For how long a look that found no event allows to make one."""
_NO_SUCH_EVENT = "evt-popkit-asks-whether-there-is-a-route"
_WORDS = re.compile(r"\b(bot|auto|script|spam|mass)\b", re.ASCII)


def words_that_warn(title: str, host: str) -> tuple[str, ...]:
    """The words of an event's title or host for which a later worker warns, in their order, each
    once.

    It looks for bot, auto, script, spam and mass as whole words in any case, where only ASCII
    letters, digits and '_' make a word: "Auto draw" and "自動bot会" warn, "Automatic" and "massage" do
    not.
    """
    return tuple(dict.fromkeys(_WORDS.findall(f"{title} {host}".lower())))


def can_close(model: str | None) -> bool | None:
    """Whether a worker of a model (A to E) can close events: A cannot, C and later can.

    None for B, whose later builds can, and where the model is not known: then
    `WorkerDesk.can_close` asks the worker.
    """
    return {"A": False, "C": True, "D": True, "E": True}.get(model or "")


@dataclass(frozen=True, slots=True)
class Frozen:
    """Whether this operator's account is frozen, and how many warnings are pending; None where this
    worker knows no freezes.
    """

    is_frozen: bool | None
    warnings: int
    exchange: Exchange


class WorkerDesk:
    """Asks the worker at `address` (with `bearer` for what only the operator may).

    `keep` is given every exchange as soon as it ended, to be kept as evidence; it never holds the
    token. `attempted` are the times (unix seconds) of earlier attempts to make an event, from the
    journal, so that a new process keeps to the pace. `sleep` waits.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = TIMEOUT,
        keep: Callable[[Exchange], None] | None = None,
        attempted: Iterable[float] = (),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = Client(address, timeout=timeout, keep=keep, clock=clock)
        self._attempts = list(attempted)
        self._clock, self._sleep = clock, sleep
        self._looked: dict[tuple[str, str, str], float] = {}

    @property
    def shown(self) -> str:
        """Scheme, host and port: what of the address may be written down."""
        return self.client.address.shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    # What the worker shows. Every request appends an entry to its audit list, which shows the newest fifty: none is made without need.

    def status(self) -> dict[str, Any]:
        """The body of pop-status: enforceOnchainPop, signerConfigured, signerPubkey, …. Raises
        Silent where it cannot be read.
        """
        return self._read(layout.POP_STATUS.path, "signerConfigured")

    def runtime(self) -> dict[str, Any]:
        """The body of runtime-status: ready, checks, blockingIssues, warnings. Raises Silent."""
        return self._read(layout.RUNTIME_STATUS.path, "ready")

    def audit_logs(self) -> tuple[dict[str, Any], ...]:
        """The newest fifty audit entries as the worker lists them, newest first by time, which is
        not the chain's order. Raises Silent.
        """
        rows = self._read(layout.AUDIT_LOGS.path, "logs")["logs"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _silent(layout.AUDIT_LOGS.path)
        return tuple(rows)

    def integrity(self, limit: int = 200) -> dict[str, Any]:
        """The worker's own check of its newest entries: {ok, checked, issues, …}; its 409 is an
        answer too. Raises Silent.
        """
        path = f"{layout.AUDIT_INTEGRITY.path}?limit={limit}"
        exchange = self.client.get(path)
        body = exchange.json
        if (
            exchange.status not in (200, 409)
            or not isinstance(body, dict)
            or not isinstance(body.get("ok"), bool)
        ):
            raise _silent(path, read_done(exchange, "reading"))
        return body

    def transfers(self, event: str | None = None, limit: int = 200) -> dict[str, Any]:
        """The newest claims as transfers, {items, …}: the worker scans only its newest entries, so
        that they may be incomplete. Silent.
        """
        of_event = "" if event is None else f"&eventId={quote(event, safe='')}"
        return self._read(f"{layout.TRANSFERS.path}?limit={limit}{of_event}", "items")

    def freeze_status(self) -> Frozen:
        """Whether somebody's account is frozen, and how many warnings are pending. Raises Silent,
        but not for a worker without freezes.
        """
        answered = read_done(
            exchange := self.client.get("/v1/school/admin/security/freeze-status"),
            "reading",
            "frozenCount",
        )
        if answered.kind == "no_route":
            return Frozen(None, 0, exchange)
        if not answered.is_done:
            raise _silent("/v1/school/admin/security/freeze-status", answered)
        body = answered.body
        viewer, items, pending = body.get("viewer"), body.get("items"), body.get("pendingWarnings")
        frozen = (
            {item.get("actorId") for item in items if isinstance(item, dict)}
            if isinstance(items, list)
            else set()
        )
        is_frozen = (
            viewer["actorId"] in frozen
            if isinstance(viewer, dict) and "actorId" in viewer
            else bool(body["frozenCount"])
        )
        return Frozen(is_frozen, len(pending) if isinstance(pending, list) else 0, exchange)

    def events(self) -> tuple[dict[str, Any], ...]:
        """Every event, of every state. Raises Silent where the list cannot be read, or says that
        there is more of it.
        """
        body = self._read(layout.EVENTS.path, "items")
        items = body["items"]
        if (
            not isinstance(items, list)
            or body.get("nextCursor")
            or not all(isinstance(row, dict) and row.get("id") for row in items)
        ):
            raise _silent(layout.EVENTS.path)
        return tuple(items)

    def event(self, event: str) -> dict[str, Any]:
        """One event. Raises Silent where it cannot be read, or the worker does not know it."""
        return self._read(layout.event_path(quote(event, safe="")), "id", "title")

    def find_event(self, authority: str, mint: str, grant_id: str) -> Link:
        """The events that are linked to a grant: found, not there, or "cannot tell" with the
        reason; a found one was read by its id too.
        """
        try:
            found = linked_to(self.events(), authority, mint, grant_id)
            read = tuple(str(self.event(row["id"])["id"]) for row in found)
        except Silent as silent:
            return Link(None, (), silent.reason)
        if not read:
            self._looked[authority, mint, grant_id] = self._clock()
        return Link.of(read)

    # What is asked of it.

    def create_event(self, given: Mapping[str, Any], *, wait: bool = False) -> Answered:
        """Make the event of a new grant, at most once; where one is linked to the grant already,
        nothing is sent (`exchange` None).

        `given`: title, datetime, host, solanaMint, solanaAuthority, solanaGrantId (a string of
        digits), and where wanted ticketTokenAmount, claimIntervalDays, maxClaimsPerInterval (whole
        numbers; the last may be None). Raises ValueError for anything else; Silent when the look
        before it shows nothing; Stopped("paced") with the seconds to wait when two attempts were
        made within the last minute, unless `wait`. An end that is not known stands until
        `find_event` has looked.
        """
        fields = read_fields(given)
        self._pace(wait)
        if self._clock() - self._looked.get(fields.link, -math.inf) > LOOK_SECONDS:
            link = self.find_event(*fields.link)
            if link.is_linked is None:
                raise Silent(link.reason, LOOK["reading"])
            if link.is_linked:
                return end("already_linked", None, "event", event=link.events[0])
        self._looked.pop(fields.link, None)
        self._attempts.append(self._clock())
        return read_created(self.client.post(layout.EVENTS.path, fields.body))

    def close_event(self, event: str) -> Answered:
        """Close an event; nothing opens it again. Closing a closed one is `done` too; `no_route`
        where this worker cannot.
        """
        return self._closed(event)

    def can_close(self) -> bool | None:
        """Whether this worker can close events, by asking it to close one that nobody has; None
        where the answer tells nothing.
        """
        answered = self._closed(_NO_SUCH_EVENT)
        return (
            False
            if answered.kind == "no_route"
            else True
            if answered.why in ("not_found", "frozen")
            else None
        )

    def participate(self, event: str, wallet: str) -> Answered:
        """Take part as the app does, without the operator's token; for a wallet that took part
        already, its code again.
        """
        return self._claims({"eventId": event, "walletAddress": wallet}, "participation")

    def register(
        self, event: str, wallet: str, signature: str, receipt: str, code: str | None
    ) -> Answered:
        """Tell the worker of a claim that landed, with the confirmation code where the era has
        given one; repeating it does no harm.
        """
        told = {
            "eventId": event,
            "walletAddress": wallet,
            "txSignature": signature,
            "receiptPubkey": receipt,
        }
        return self._claims(
            told | ({} if code is None else {"confirmationCode": code}), "registration"
        )

    def pop_proof(
        self,
        event: str,
        grant: str,
        claimer: str,
        period: int,
        code: str | None = None,
        heads: tuple[str, str] | None = None,
    ) -> Answered:
        """Ask for a proof. Whatever comes back, the worker's head may have moved; `heads` are those
        on the chain (later workers).
        """
        body = {"eventId": event, "grant": grant, "claimer": claimer, "periodIndex": str(period)}
        body |= {} if code is None else {"confirmationCode": code}
        body |= (
            {}
            if heads is None
            else {"expectedPrevHash": heads[0], "expectedStreamPrevHash": heads[1]}
        )
        exchange = self.client.post("/v1/school/pop-proof", body, authorized=False)
        return read_done(exchange, "proof", "signerPubkey", "messageBase64", "signatureBase64")

    def verify_receipt(self, receipt: Mapping[str, Any]) -> Answered:
        """The worker's own check of a ticket receipt: `done` where it accepts it; 409 is a refusal
        with its issues in the body.
        """
        exchange = self.client.post(
            "/api/audit/receipts/verify", {"receipt": receipt}, authorized=False
        )
        return read_done(exchange, "reading", "ok", "checks")

    def verify_code(self, event: str, code: str) -> Answered:
        """The receipt of a confirmation code, and the worker's own check of it."""
        told = {"eventId": event, "confirmationCode": code}
        exchange = self.client.post(layout.VERIFY_CODE, told, authorized=False)
        return read_done(exchange, "reading", "ok", "receipt")

    def seconds_to_wait(self) -> float:
        """How long until another attempt to make an event is allowed; 0.0 where it is now."""
        recent = sorted(at for at in self._attempts if at > self._clock() - ATTEMPTS.seconds)
        return (
            0.0
            if len(recent) < ATTEMPTS.count
            else max(0.0, recent[-ATTEMPTS.count] + ATTEMPTS.seconds - self._clock())
        )

    def _pace(self, wait: bool) -> None:
        seconds = self.seconds_to_wait()
        if seconds <= 0:
            return
        if not wait:
            reason = sentence(
                "Two attempts to make an event were made within the last minute; the worker would "
                "count a third as misuse.",
                "この 1 分間にイベントの作成を 2 回試しています。3 回目は worker に不正と見なされます。",
            )
            advice = sentence(
                "Wait {n} seconds, then try again.",
                "{n} 秒待ってから、もう一度試してください。",
                n=math.ceil(seconds),
            )
            raise Stopped("paced", reason, advice)
        self._sleep(seconds)

    def _claims(self, body: dict[str, Any], look: str) -> Answered:
        return read_participation(
            self.client.post("/v1/school/claims", body, authorized=False), look
        )

    def _closed(self, event: str) -> Answered:
        exchange = self.client.post(f"{layout.event_path(quote(event, safe=''))}/close", {})
        answered = read_done(exchange, "close", "id", "state")
        if answered.is_done and (answered.body["id"] != event or answered.body["state"] != "ended"):
            return end(
                "unreadable",
                exchange,
                "close",
                how=sentence("the event is still open", "イベントは終了していません"),
            )
        return answered

    def _read(self, path: str, *fields: str) -> dict[str, Any]:
        answered = read_done(self.client.get(path), "reading", *fields)
        if not answered.is_done:
            raise _silent(path, answered)
        body: dict[str, Any] = answered.body
        return body


def _silent(path: str, answered: Answered | None = None) -> Silent:
    where = path.partition("?")[0]
    if answered is None:
        reason = sentence(
            "The worker's answer to {path} has not the form that a worker gives it.",
            "{path} への worker の応答が、worker の返す形ではありません。",
            path=where,
        )
        return Silent(reason, LOOK["reading"])
    reason = sentence(
        "Nothing is known from {path}. {why}",
        "{path} からは何も分かりません。{why}",
        path=where,
        why=answered.sentence,
    )
    silent = Silent(reason, answered.advice)
    silent.kind = answered.kind
    return silent
