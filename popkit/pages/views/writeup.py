"""What goes into the incident's record: the timeline and the statement, each fact with its place
(runbook Step 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.diagnosis.timeline import (
    FIRST_ACCEPTED,
    FIRST_BAD,
    FIRST_REPORT,
    LAST_ACCEPTED,
    NEVER_ACCEPTED,
    Event,
)
from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Table
from popkit.pages.naming import case_mark, grant_title
from popkit.pages.places import Places
from popkit.pages.text import NOT_KNOWN, count, short, utc
from popkit.pages.views.choice import examined

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.extent import ClaimCounts
    from popkit.diagnosis.result import Diagnosis, GrantDiagnosis

EVENT_WORDS = {
    FIRST_ACCEPTED: "first claim accepted",
    NEVER_ACCEPTED: "proof issued that was never accepted",
    "create_grant": "grant created",
    "fund_grant": "grant funded",
    "upsert_pop_config": "signer set in pop-config",
    "set_paused": "pause changed",
    "set_allowlist_root": "allowlist changed",
    "close_grant": "grant closed",
    "update_grant": "terms changed",
}
MAX_EVENTS = 40


def statement(case: Case, grant: str = "") -> Block:
    """The answer in sentences that can be quoted, one block a grant."""
    diagnosis = case.diagnose()
    blocks: list[Block] = [
        Facts(
            f"Case {case.name}",
            {
                "verdict": case_mark(diagnosis),
                "as of": utc(diagnosis.as_of),
                "exit code": diagnosis.exit_code,
            },
        ),
    ]
    blocks += [_statement(diagnosis, g) for g in examined(case, grant)]
    return Group(blocks)


def _statement(diagnosis: Diagnosis, g: GrantDiagnosis) -> Block:
    nothing_bad = NOT_KNOWN if g.is_undecided else None
    rows: dict[str, Cell] = {
        "grant": Code(g.grant),
        "verdict": f"{g.verdict}: {g.judgement.because}",
        "claims": _claims(g.counts),
        "cause": "; ".join(f"{cause.name}: {cause.because}" for cause in g.causes) or g.no_cause,
        "last good": Code(g.last_good["signature"])
        if g.last_good
        else diagnosis.without_last_good(g),
        "first bad": Code(
            g.first_bad["signature"] or g.first_bad["entry_hash"] or g.first_bad["source"]
        )
        if g.first_bad
        else nothing_bad,
        "people affected": NOT_KNOWN
        if g.affected_claimers is None
        else f"{count(len(g.affected_claimers), 'wallet')} without a claim of this grant",
        **(
            {"cut over": Lines(tuple(line for one in g.declared for line in one.lines))}
            if g.declared
            else {}
        ),
        "replaced by": Code(g.superseded_by) if g.superseded_by else None,
        "rules": ", ".join(g.eras) or (NOT_KNOWN if g.counts.accepted is None else None),
    }
    return Facts(f"Grant {grant_title(g)}", rows)


def _claims(counts: ClaimCounts) -> str:
    return (
        NOT_KNOWN
        if counts.accepted is None
        else f"{counts.accepted} accepted, {counts.refused} refused"
    )


def timeline(case: Case, grant: str = "") -> Block:
    """What happened in which order: administrators' steps, first and last claims, the lost proof,
    the first refusal; with places.
    """
    places, diagnosis = Places(case), case.diagnose()
    events: set[Event] = set()
    shown = examined(case, grant)
    for g in shown:
        events |= {
            *g.timeline,
            *(diagnosis.grant(g.superseded_by).timeline if g.superseded_by else ()),
        }
    ordered = sorted(
        events,
        key=lambda event: (
            event.time is None,
            event.time or 0,
            short(event.grant),
            _what(event),
            event.key,
        ),
    )
    rows: list[list[Cell]] = []
    for event in ordered[:MAX_EVENTS]:
        rows.append(
            [
                utc(event.time),
                Code(short(event.grant)),
                _what(event),
                Code(short(event.key)),
                places.spot(event.key),
            ]
        )
    note = (
        f"{count(len(ordered) - MAX_EVENTS, 'more event')} left out."
        if len(ordered) > MAX_EVENTS
        else ""
    )
    empty = (
        "not known: the evidence names no event"
        if any(g.is_undecided for g in shown)
        else "nothing happened"
    )
    return Table(
        "Timeline, UTC", ("when", "grant", "what", "key", "where"), rows, empty=empty, note=note
    )


def _what(event: Event) -> str:
    """An event in words; where its block has no time, that it was no earlier."""
    return _words(event) + ("" if event.is_exact else " (then or later)")


def _words(event: Event) -> str:
    if event.what == LAST_ACCEPTED:
        return f"last claim accepted (of {event.number})"
    if event.what == FIRST_BAD:
        return f"first bad claim: {event.detail or 'refused, error not known'}"
    if event.what == FIRST_REPORT:
        return f"first wallet report: {event.detail or 'refused, error not known'}"
    return EVENT_WORDS.get(event.what, event.what.replace("_", " "))
