"""What goes into the incident's record: the timeline and the statement, each fact with its place (runbook Step 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Table
from popkit.pages.pictures.series import grant_title, timed
from popkit.pages.places import Places
from popkit.pages.text import count, short, utc
from popkit.pages.views.choice import case_mark, examined

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

STEP_WORDS = {
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
        Facts(f"Case {case.name}", {"verdict": case_mark(case), "as of": utc(case.collected_at), "exit code": diagnosis.exit_code}),
    ]
    blocks += [_statement(case, g) for g in examined(case, grant)]
    return Group(blocks)


def _statement(case: Case, g: GrantDiagnosis) -> Block:
    chain = case.facts.chain(g.grant)
    rows: dict[str, Cell] = {
        "grant": Code(g.grant),
        "verdict": f"{g.verdict}: {g.judgement.because}",
        "claims": f"{len(chain.accepted)} accepted, {len(chain.attributed)} refused",
        "cause": "; ".join(f"{cause.name}: {cause.because}" for cause in g.causes) or "none",
        "last good": Code(g.last_good["signature"]) if g.last_good else None,
        "first bad": Code(g.first_bad["signature"] or g.first_bad["entry_hash"] or g.first_bad["source"]) if g.first_bad else None,
        "people affected": "not known"
        if g.affected_claimers is None
        else f"{count(len(g.affected_claimers), 'wallet')} without a claim of this grant",
        **({"cut over": Lines(tuple(line for one in g.declared for line in one.lines))} if g.declared else {}),
        "replaced by": Code(g.superseded_by) if g.superseded_by else None,
        "rules": ", ".join(chain.eras_found) or None,
    }
    return Facts(f"Grant {grant_title(case, g.grant)}", rows)


def timeline(case: Case, grant: str = "") -> Block:
    """What happened in which order: administrators' steps, first and last claims, the lost proof, the first refusal; with places."""
    places = Places(case)
    events: list[tuple[int, str, str, str]] = []
    for g in examined(case, grant):
        for one in [g, *([case.diagnose().grant(g.superseded_by)] if g.superseded_by else [])]:
            events += _events(case, one)
    ordered = sorted(set(events))
    rows: list[list[Cell]] = []
    for when, who, what, key in ordered[:MAX_EVENTS]:
        rows.append([utc(when), Code(who), what, Code(short(key)), places.spot(key)])
    note = f"{count(len(ordered) - MAX_EVENTS, 'more event')} left out." if len(ordered) > MAX_EVENTS else ""
    return Table("Timeline, UTC", ("when", "grant", "what", "key", "where"), rows, empty="nothing happened", note=note)


def _events(case: Case, g: GrantDiagnosis) -> list[tuple[int, str, str, str]]:
    """(time, grant, what, key) of what a reader has to know of one grant."""
    line, who = case.facts.line(g.grant), short(g.grant)
    found = [
        (step.block_time, who, STEP_WORDS.get(step.name, step.name.replace("_", " ")), step.signature)
        for step in case.facts.history.of_grant(g.grant)
        if step.block_time is not None
    ]
    landed = timed(line.chain.accepted)
    if landed:
        found.append((landed[0][0], who, "first claim accepted", landed[0][1].signature))
        found.append((landed[-1][0], who, f"last claim accepted (of {len(landed)})", landed[-1][1].signature))
    for entry in g.missing_entries:
        proof = line.proofs.get(entry)
        if proof is not None:
            found.append((proof.issued_at, who, "proof issued that was never accepted", entry))
    bad = g.first_bad
    if bad is not None and bad["signature"]:
        found += [
            (when, who, f"first bad claim: {bad['error'] or 'refused'}", a.signature)
            for when, a in timed(line.chain.attributed)
            if a.signature == bad["signature"]
        ]
    reports = [r for r in case.facts.reported if r.grant == g.grant and not r.report.landed]
    if reports:
        found.append((reports[0].report.at, who, f"first wallet report: {reports[0].error or 'refused'}", reports[0].report.wallet))
    return found
