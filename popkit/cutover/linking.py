"""The worker's part of a plan: whether it is the case's worker, and the event that the new grant is to be linked to."""

from __future__ import annotations

import time
from typing import Any

from popkit.audit.event_links import event_link
from popkit.cutover.anchors import Look
from popkit.cutover.continuation import is_continuation
from popkit.cutover.errors import Silent
from popkit.cutover.plan import Event, NewGrant, WorkerSeen
from popkit.cutover.reasons import stop
from popkit.cutover.worker import WorkerDesk, can_close, words_that_warn
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.result import GrantDiagnosis
from popkit.protocol.accounts import Grant
from popkit.texts import Listed

AGAIN = "(再開)"
"""What the new event's title bears after the old one's, where none is given: the app's users read Japanese."""


def worker_seen(desk: WorkerDesk, facts: Facts) -> WorkerSeen:
    """The worker as it answers now. Raises Stopped where it is another one, frozen, or not able to write its audit chain."""
    try:
        runtime, status, logs, frozen = desk.runtime(), desk.status(), desk.audit_logs(), desk.freeze_status()
    except Silent as silent:
        raise stop("worker_unreachable", why=silent.reason) from None
    if runtime.get("ready") is not True:
        issues = runtime.get("blockingIssues")
        raise stop("worker_not_ready", why=Listed(tuple(map(str, issues))) if isinstance(issues, list) and issues else "ready: false")
    if frozen.is_frozen:
        raise stop("worker_frozen")
    continues = is_continuation([entry.raw for entry in facts.audit.ordered if "r2" not in entry.place.file], logs)
    if continues.is_same is False:
        raise stop("another_worker", why=continues.sentence)
    signer = status.get("signerPubkey")
    return WorkerSeen(
        signer=signer if isinstance(signer, str) else None,
        model=model_of(facts),
        newest_entry=Look.of(logs, 0.0, []).newest,
        continues_case=continues.is_same,
        can_close_events=_can_close(desk, model_of(facts)),
    )


def model_of(facts: Facts) -> str | None:
    """The model of the worker that wrote the newest anchor of the case; None where there is none."""
    newest = max(facts.anchors, key=lambda anchor: anchor.ts_ms, default=None)
    return newest.model if newest is not None else None


def _can_close(desk: WorkerDesk, model: str | None) -> bool | None:
    known = can_close(model)
    return known if known is not None else desk.can_close()


def refuse_poisoned(desk: WorkerDesk, grant: str, facts: Facts) -> list[Look]:
    """Refuse where the case or the newest audit entries name a proof for the new grant; the looks, for those to come to overlap with."""
    now = time.time()
    looks = [
        Look.of([entry.raw for entry in facts.audit.ordered], facts.header.collected_at, [grant], is_list=False),
        Look.of(desk.audit_logs(), now, [grant]),
    ]
    named = [sighting for look in looks for sighting in look.sightings if sighting.moved]
    if named:
        raise stop("address_poisoned", grant=grant, count=len(named))
    return looks


def linked_grants(desk: WorkerDesk, program: str) -> set[str]:
    """The grants that the worker has an event for."""
    return {link[1] for row in desk.events() if (link := event_link(row, program)) is not None}


def event_of(desk: WorkerDesk, facts: Facts, grant: GrantDiagnosis, new: NewGrant, account: Grant, title: str | None) -> Event:
    """The event to be made, from the newest event of the old grant. Raises Stopped where the worker would warn of its words."""
    ours = [row for row in desk.events() if (event_link(row, facts.header.program_id) or ("", ""))[1] == grant.grant]
    old = desk.event(ours[-1]["id"]) if ours else {}
    named = str(old.get("title") or next(iter(grant.titles), ""))
    chosen = title if title is not None else f"{named}{AGAIN}"
    host = str(old.get("host") or "")
    words = words_that_warn(chosen, host)
    if words and model_of(facts) not in ("A", "B"):
        raise stop("worker_warns", words=Listed(words))
    most = old.get("maxClaimsPerInterval")
    return Event(
        old_id=ours[-1]["id"] if ours else None,
        title=chosen,
        datetime=str(old.get("datetime") or ""),
        host=host,
        ticket_token_amount=int(old.get("ticketTokenAmount") or account.amount_per_period),
        claim_interval_days=int(old.get("claimIntervalDays") or max(account.period_seconds // 86_400, 1)),
        max_claims_per_interval=most if isinstance(most, int) else None,
        solana_mint=account.mint,
        solana_authority=account.authority,
        solana_grant_id=new.grant_id,
        others_on_old_grant=[row["id"] for row in ours[:-1]],
        warning_words=list(words),
    )


def fields_of(event: Event) -> dict[str, Any]:
    """The event as the worker is asked to make it; the grant's id is a string, as a number would be dropped without a word."""
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
