"""The record of a cutover, `cutover.json`: what was left, what took over, and the evidence for both. Canonical; schema popkit.cutover/1.

It is written anew after every step ("so far"); its digest, and the journal's head in it, are what a second person keeps.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import rfc8785

from popkit.cutover.run import DONE
from popkit.errors import CaseUnreadable

if TYPE_CHECKING:
    from popkit.cutover.run import Run

SCHEMA = "popkit.cutover/1"
FILE = "cutover.json"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a record: every field is always there, and nothing else is."""


class Old(_Part, frozen=True, kw_only=True):
    """The grant that was left: its last good claim, first bad one, and every head that was known."""

    grant: str
    authority: str
    mint: str
    last_good: dict[str, Any] | None
    first_bad: dict[str, Any] | None
    heads: dict[str, str | None]
    causes: list[str]
    missing_entries: list[str]
    events: list[str]
    closed: bool


class New(_Part, frozen=True, kw_only=True):
    """The grant that took over: where it begins, who signs for it, its event."""

    grant: str
    grant_id: str
    genesis: str
    signer: str
    event: str | None
    start_ts: int


class Sent(_Part, frozen=True, kw_only=True):
    """A transaction of the cutover: of which step, where it landed, and by whom (this run, or found done)."""

    step: str
    signature: str | None
    slot: int | None
    block_time: int | None
    done_by: str


class Digests(_Part, frozen=True, kw_only=True):
    """SHA-256 of what the record stands on: the plan, its case and findings, and the journal's newest entry."""

    plan: str
    case: str | None
    findings: str
    journal_head: str


class Record(_Part, frozen=True, kw_only=True):
    """A whole record. `new` is null under the remedy *signer*; `open_points` are steps that are not done."""

    schema: str = SCHEMA
    cluster: str
    genesis_hash: str | None
    program_id: str
    remedy: str
    reason: str | None
    overridden: list[str]
    old: Old
    new: New | None
    signer: str | None
    transactions: list[Sent]
    canary: dict[str, Any] | None
    verified: dict[str, Any] | None
    adjudicates: list[str]
    digests: Digests
    given_up: bool
    open_points: list[str]
    so_far: bool


def record_of(run: Run) -> Record:
    """The record as of now, from the plan and the journal."""
    plan, journal = run.plan, run.journal
    open_points = [step.id for step in plan.steps if not step.optional and run.state(step.id) != "done"]
    event = run.result("2.4")
    canary, verified = run.result("2.5"), run.result("4")
    old_events = [] if plan.event is None else [i for i in (plan.event.old_id, *plan.event.others_on_old_grant) if i]
    sent = [
        Sent(
            step=entry.step or "",
            signature=entry.facts.get("signature"),
            slot=entry.facts.get("slot"),
            block_time=entry.facts.get("block_time"),
            done_by=str(entry.facts.get("done_by")),
        )
        for entry in journal.entries
        if entry.kind == DONE and entry.step in {step.id for step in plan.steps if step.instructions}
    ]
    return Record(
        cluster=plan.cluster.name if plan.cluster is not None else "unknown",
        genesis_hash=plan.cluster.genesis_hash if plan.cluster is not None else None,
        program_id=plan.program.program_id,
        remedy=plan.remedy,
        reason=plan.reason,
        overridden=plan.overridden,
        old=Old(
            grant=plan.old_grant.address,
            authority=plan.old_grant.authority,
            mint=plan.old_grant.mint,
            last_good=plan.broken.last_good,
            first_bad=plan.broken.first_bad,
            heads=plan.broken.heads,
            causes=plan.broken.causes,
            missing_entries=plan.broken.missing_entries,
            events=old_events,
            closed=run.result("2.0") is not None,
        ),
        new=None
        if plan.new_grant is None
        else New(
            grant=plan.new_grant.address,
            grant_id=plan.new_grant.grant_id,
            genesis="0" * 64,
            signer=plan.signer.planned if plan.signer is not None else "",
            event=str(event.facts["event"]) if event is not None else None,
            start_ts=plan.new_grant.terms.start_ts,
        ),
        signer=plan.signer.planned if plan.signer is not None else None,
        transactions=sent,
        canary=dict(canary.facts) if canary is not None else None,
        verified=dict(verified.facts) if verified is not None else None,
        adjudicates=["chain_broken", *(f"cause:{cause}" for cause in plan.broken.causes)],
        digests=Digests(
            plan=run.digest,
            case=plan.case.manifest_sha256,
            findings=plan.case.findings_sha256,
            journal_head=journal.head,
        ),
        given_up=run.is_given_up,
        open_points=open_points,
        so_far=bool(open_points),
    )


def canonical(record: Record) -> bytes:
    """A record's canonical bytes (RFC 8785)."""
    return rfc8785.dumps(msgspec.to_builtins(record))


def write_record(run: Run) -> Path:
    """Write RUN/cutover.json as of now, at once and whole."""
    place, beside = run.root / FILE, run.root / f".{FILE}.new"
    with beside.open("wb") as file:
        file.write(canonical(record_of(run)))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(place)
    return place


def read_record(data: bytes, name: str = FILE) -> Record:
    """A record from its bytes. Raises CaseUnreadable where it is none, or not canonical."""
    try:
        record = msgspec.json.decode(data, type=Record)
    except msgspec.DecodeError as error:
        raise CaseUnreadable(f"is not a record of a cutover: {error}", file=name) from None
    if record.schema != SCHEMA or canonical(record) != data:
        raise CaseUnreadable("is not a canonical record: somebody edited it", file=name)
    return record


def json_schema() -> dict[str, Any]:
    """The JSON Schema of cutover.json, made from the classes above; `cutover.schema.json` is it."""
    schema = msgspec.json.schema(Record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, "title": "The record of a cutover", **schema}
