"""The worker's part of a plan: whether it is the case's worker, and the event that the new grant is
to be linked to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from popkit.cutover.desk.anchors import Look
from popkit.cutover.desk.continuation import is_continuation
from popkit.cutover.desk.worker import WorkerDesk, can_close, words_that_warn
from popkit.cutover.errors import Silent
from popkit.cutover.plan import Event, NewGrant, Words, WorkerSeen
from popkit.cutover.planning.announcing import words as both
from popkit.cutover.reasons import stop
from popkit.diagnosis.result import GrantDiagnosis
from popkit.facts import Facts
from popkit.protocol.accounts import Grant
from popkit.texts import Listed, Moment, Text
from popkit.worker.event_links import event_link

APART = Text(
    "whether the worker is the case's: its audit list and the case's do not meet (collect again "
    "shortly before planning)",
    "worker がケースのものかどうか。監査一覧とケースがつながりません（計画の直前に収集し直してください）",
)
PENDING = Text(
    "security warnings that are pending: {count}; whatever is made while one is would freeze the "
    "operator",
    "保留中のセキュリティ警告: {count} 件。保留中に操作を続けると担当者が凍結されます",
)
ROTATES = Text(
    "the worker's key changes by the calendar at {when}: pop-config must name the next key then, "
    "or every claim is refused",
    "worker の鍵は {when} に暦に従って替わります。その時に pop-config へ次の鍵を登録しないと、すべての claim が拒否されます",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the new event is to be otherwise than the old one's; None where nothing is."""

    title: str | None = None
    date: str | None = None
    host: str | None = None


AGAIN = "(再開)"
"""What the new event's title bears after the old one's, where none is given: the app's users read
Japanese.
"""


def worker_seen(desk: WorkerDesk, facts: Facts) -> WorkerSeen:
    """The worker as it answers now. Raises Stopped where it is another one, or one that cannot be
    worked with (`refuse_unready`).
    """
    refuse_unready(desk)
    with answering():
        status, logs = desk.status(), desk.audit_logs()
    continues = is_continuation(
        [entry.raw for entry in facts.audit.ordered if "r2" not in entry.place.file], logs
    )
    if continues.is_same is False:
        raise stop("another_worker", why=continues.sentence)
    signer = status.get("signerPubkey")
    return WorkerSeen(
        signer=signer if isinstance(signer, str) else None,
        model=model_of(facts),
        newest_entry=Look.of(logs, 0.0, []).newest,
        continues_case=continues.is_same,
        can_close_events=_can_close(desk, model_of(facts)),
        rotates_at=_rotates_at(status),
    )


def refuse_unready(desk: WorkerDesk) -> None:
    """Refuse a worker that does not answer, cannot write its audit chain, or has frozen, warned or
    limited this operator.
    """
    with answering():
        runtime, frozen = desk.runtime(), desk.freeze_status()
    if runtime.get("ready") is not True:
        issues = runtime.get("blockingIssues")
        raise stop(
            "worker_not_ready",
            why=Listed(tuple(map(str, issues)))
            if isinstance(issues, list) and issues
            else "ready: false",
        )
    if frozen.is_frozen:
        raise stop("worker_frozen")
    if frozen.warnings:
        raise stop("worker_limited", why=PENDING(count=frozen.warnings))


@contextmanager
def answering() -> Iterator[None]:
    """What the worker is asked in the block must be answered. Raises Stopped, which says whether it
    is silent or limits this operator.
    """
    try:
        yield
    except Silent as silent:
        raise stop(
            "worker_limited" if silent.kind == "limited" else "worker_unreachable",
            why=silent.reason,
        ) from None


def _rotates_at(status: Mapping[str, Any]) -> int | None:
    """The unix second at which the worker's key changes by the calendar; None where it does not, or
    does not say so.
    """
    rotation = status.get("signerRotation")
    when = (
        rotation.get("nextRotateAtUnix")
        if isinstance(rotation, dict) and rotation.get("enabled") is True
        else None
    )
    return when if type(when) is int else None


def not_known(worker: WorkerSeen) -> list[Words]:
    """What could not be told of the worker, and when its key is going to change by itself; nothing
    where all is well.
    """
    apart = [] if worker.continues_case is not None else [both(APART())]
    return apart + (
        [] if worker.rotates_at is None else [both(ROTATES(when=Moment(worker.rotates_at)))]
    )


def model_of(facts: Facts) -> str | None:
    """The model of the worker that wrote the newest anchor of the case; None where there is none."""
    newest = max(facts.anchors, key=lambda anchor: anchor.ts_ms, default=None)
    return newest.model if newest is not None else None


def _can_close(desk: WorkerDesk, model: str | None) -> bool | None:
    known = can_close(model)
    return known if known is not None else desk.can_close()


def refuse_poisoned(desk: WorkerDesk, grant: str, facts: Facts) -> None:
    """Refuse where the case or the newest audit entries name a proof for the new grant."""
    now = time.time()
    with answering():
        logs = desk.audit_logs()
    looks = [
        Look.of(
            [entry.raw for entry in facts.audit.ordered],
            facts.header.collected_at,
            [grant],
            is_list=False,
        ),
        Look.of(logs, now, [grant]),
    ]
    named = [sighting for look in looks for sighting in look.sightings if sighting.moved]
    if named:
        raise stop("address_poisoned", grant=grant, count=len(named))


def linked_grants(desk: WorkerDesk, program: str) -> dict[str, list[str]]:
    """The grants that the worker has events for, with the ids of those, oldest first."""
    with answering():
        rows = desk.events()
    found: dict[str, list[str]] = {}
    for row in rows:
        link = event_link(row, program)
        if link is not None:
            found.setdefault(link[1], []).append(str(row["id"]))
    return {grant: sorted(events, key=_made) for grant, events in found.items()}


def _made(event: str) -> tuple[int, str]:
    """Events in the order in which they were made: an id is the worker's clock in base 36, which
    grows by a digit at times.
    """
    return len(event), event


def refuse_linked(links: Mapping[str, Sequence[str]], grant: str) -> None:
    """Refuse where an event is linked to the new grant already: no worker links a second one, or
    lets go of the first.
    """
    if grant in links:
        raise stop("already_linked", event=Listed(tuple(links[grant])))


def event_of(desk: WorkerDesk, facts: Facts, grant: GrantDiagnosis, new: NewGrant, account: Grant, links: Mapping[str, Sequence[str]],
    wanted: Wanted) -> Event:  # fmt: skip
    """The event to be made, from the newest event of the old grant and what was asked for instead.

    Raises Stopped where the worker would warn of its words, or where a text is missing that the
    worker asks for: after the switch it would be too late to find out.
    """
    ours = links.get(grant.grant, ())
    with answering():
        old = desk.event(ours[-1]) if ours else {}
    named = str(old.get("title") or next(iter(grant.titles), "")).strip()
    chosen = (
        wanted.title.strip() if wanted.title is not None else f"{named}{AGAIN}" if named else ""
    )
    host = (wanted.host or str(old.get("host") or "")).strip()
    when = (wanted.date or str(old.get("datetime") or "")).strip()
    missing = [
        name for name, value in (("title", chosen), ("datetime", when), ("host", host)) if not value
    ]
    if missing:
        raise stop("event_incomplete", missing=Listed(tuple(missing)))
    words = words_that_warn(chosen, host)
    if words and model_of(facts) not in ("A", "B"):
        raise stop("worker_warns", words=Listed(words))
    most = old.get("maxClaimsPerInterval")
    return Event(
        old_id=ours[-1] if ours else None,
        title=chosen,
        datetime=when,
        host=host,
        ticket_token_amount=int(old.get("ticketTokenAmount") or account.amount_per_period),
        claim_interval_days=int(
            old.get("claimIntervalDays") or max(account.period_seconds // 86_400, 1)
        ),
        max_claims_per_interval=most if isinstance(most, int) else None,
        solana_mint=account.mint,
        solana_authority=account.authority,
        solana_grant_id=new.grant_id,
        others_on_old_grant=list(ours[:-1]),
        warning_words=list(words),
    )


def fields_of(event: Event) -> dict[str, Any]:
    """The event as the worker is asked to make it; the grant's id is a string, as a number would be
    dropped without a word.
    """
    return {
        "title": event.title,
        "datetime": event.datetime,
        "host": event.host,
        "ticketTokenAmount": event.ticket_token_amount,
        "claimIntervalDays": event.claim_interval_days,
        "maxClaimsPerInterval": event.max_claims_per_interval,
        "solanaMint": event.solana_mint,
        "solanaAuthority": event.solana_authority,
        "solanaGrantId": event.solana_grant_id,
    }
