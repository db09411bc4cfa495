"""RUN/cutover.json, made from the plan and the journal; what it holds is
`popkit.evidence.cutover`'s.

It is written anew after every step ("so far"); its digest, and the journal's head in it, are what a
second person keeps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from popkit.cutover.run import DONE
from popkit.evidence.cutover import (
    SCHEMA,
    Adjudicated,
    Canary,
    Claim,
    Digests,
    FirstBad,
    Heads,
    New,
    Old,
    OpenPoint,
    Record,
    Sent,
    Verified,
    canonical,
    json_schema,
    read_record,
)
from popkit.evidence.layout import CUTOVER
from popkit.protocol.message import GENESIS_HASH
from popkit.rules.registry import RULES

if TYPE_CHECKING:
    from popkit.cutover.journals.journal import Entry
    from popkit.cutover.plan import Plan
    from popkit.cutover.run import Run

__all__ = [
    "SCHEMA",
    "Record",
    "canonical",
    "json_schema",
    "read_record",
    "record_of",
    "write_record",
]

P = TypeVar("P", bound=msgspec.Struct)


def record_of(run: Run) -> Record:
    """The record as of now, from the plan and the journal. Raises ValidationError where either
    holds what no record may hold.
    """
    plan, journal = run.plan, run.journal
    states = {step.id: run.state(step.id) for step in plan.steps if not step.optional}
    open_points = [
        OpenPoint(step=step, state=state) for step, state in states.items() if state != "done"
    ]
    verified = run.result("4")
    made = Record(
        made_at=int(journal.entries[-1].at.wall),
        cluster=plan.cluster.name if plan.cluster is not None else "unknown",
        genesis_hash=plan.cluster.genesis_hash if plan.cluster is not None else None,
        program_id=plan.program.program_id,
        remedy=plan.remedy,
        reason=plan.reason,
        overridden=plan.overridden,
        old=_old(plan, closed=run.result("2.0") is not None),
        new=_new(plan, run.result("2.4")),
        signer=plan.signer.planned if plan.signer is not None else None,
        transactions=_sent(run),
        canary=_part(run.result("2.5"), Canary),
        verified=_part(
            verified,
            Verified,
            claims=list(verified.facts.get("claims") or []) if verified is not None else [],
        ),
        adjudicates=_adjudicated(plan),
        digests=Digests(
            plan=run.digest,
            case=plan.case.manifest_sha256,
            findings=plan.case.findings_sha256,
            journal=journal.digest(),
            journal_head=journal.head,
            journal_entries=len(journal.entries),
        ),
        given_up=run.is_given_up,
        given_up_before=plan.given_up,
        open_points=open_points,
        so_far=plan.draft or bool(open_points),
    )
    return msgspec.convert(msgspec.to_builtins(made), Record)


def _old(plan: Plan, *, closed: bool) -> Old:
    broken, events = plan.broken, plan.event
    return Old(
        grant=plan.old_grant.address,
        authority=plan.old_grant.authority,
        mint=plan.old_grant.mint,
        last_good=_of(broken.last_good, Claim),
        first_bad=_of(broken.first_bad, FirstBad),
        heads=Heads(**{name: broken.heads.get(name) for name in Heads.__struct_fields__}),
        causes=broken.causes,
        missing_entries=broken.missing_entries,
        events=[]
        if events is None
        else [event for event in (events.old_id, *events.others_on_old_grant) if event],
        closed=closed,
    )


def _new(plan: Plan, event: Entry | None) -> New | None:
    """The new grant; it has the old one's authority and mint, as its address is derived from them."""
    new = plan.new_grant
    if new is None:
        return None
    return New(
        grant=new.address,
        authority=plan.old_grant.authority,
        mint=plan.old_grant.mint,
        grant_id=new.grant_id,
        genesis=GENESIS_HASH,
        signer=plan.signer.planned if plan.signer is not None else None,
        event=str(event.facts["event"]) if event is not None else None,
        amount_per_period=new.terms.amount_per_period,
        period_seconds=new.terms.period_seconds,
        start_ts=new.terms.start_ts,
        expires_at=new.terms.expires_at,
    )


def _sent(run: Run) -> list[Sent]:
    """The transactions of the steps that are done, in the order in which they were."""
    signed = {step.id for step in run.plan.steps if step.instructions}
    return [
        Sent(
            step=str(entry.step),
            signature=entry.facts.get("signature"),
            slot=entry.facts.get("slot"),
            block_time=entry.facts.get("block_time"),
            done_by="us" if entry.facts.get("done_by") == "us" else "others",
        )
        for entry in run.journal.entries
        if entry.kind == DONE and entry.step in signed
    ]


def _adjudicated(plan: Plan) -> list[Adjudicated]:
    """The findings of the plan's case that this cutover answers, by the keys under which
    findings.json has them.
    """
    broken, found = plan.broken, list[Adjudicated]()
    if broken.verdict == "broken":
        found.append(
            Adjudicated(
                code="chain_broken",
                key=(broken.last_good or {}).get("signature") or plan.old_grant.address,
            )
        )
        found += [Adjudicated(code="proof_lost", key=entry) for entry in broken.missing_entries]
    return found + [Adjudicated(code=cause, key=None) for cause in broken.causes if cause in RULES]


def _of(found: Mapping[str, Any] | None, kind: type[P]) -> P | None:
    """A part of the record from a part of findings.json."""
    return None if found is None else msgspec.convert(dict(found), kind)


def _part(entry: Entry | None, kind: type[P], **more: Any) -> P | None:
    """A part of the record from the facts of a step that is done; a fact that the step did not give
    is null.
    """
    if entry is None:
        return None
    return kind(**{name: entry.facts.get(name) for name in kind.__struct_fields__} | more)


def write_record(run: Run) -> Path:
    """Write RUN/cutover.json as of now, at once and whole."""
    place, beside = run.root / CUTOVER, run.root / f".{CUTOVER}.new"
    with beside.open("wb") as file:
        file.write(canonical(record_of(run)))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(place)
    return place
