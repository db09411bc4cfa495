"""What happened, what to do now, what was checked: the first page (runbook Step 0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.diagnosis.began import since
from popkit.diagnosis.result import ascending
from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Mark, Steps, Table
from popkit.pages.naming import YES_NO, case_mark, grant_mark, known, named
from popkit.pages.places import Places
from popkit.pages.text import NOT_KNOWN, count, short, utc
from popkit.pages.views.choice import examined
from popkit.rules.model import SEVERITIES
from popkit.rules.registry import RULES
from popkit.verdict.judgement import VERDICTS
from popkit.verdict.words import VERDICT_WORDS

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.collection import Collection
    from popkit.diagnosis.result import Diagnosis, GrantDiagnosis
    from popkit.diagnosis.tallies import FindingGroup

EXIT_MEANINGS = {
    0: "0: nothing is wrong now",
    1: "1: something is wrong",
    3: "3: the evidence does not decide",
}
MAX_FINDINGS = 60
"""Kinds of findings shown, gravest first; findings.json has them all."""
SHOWN_PLACES = 3
"""Places shown of the findings of one kind."""
MAX_BREAKS = 20
"""Places shown at which a custody record does not hold."""


def overview(case: Case) -> Block:
    """The case's verdict and one row a grant, worst first."""
    diagnosis = case.diagnose()
    head = Facts(
        f"Case {case.name}",
        {
            "verdict": case_mark(diagnosis),
            "exit code": EXIT_MEANINGS[diagnosis.exit_code],
            "evidence taken": utc(diagnosis.as_of),
            "cluster": diagnosis.collection.cluster,
            "claim attempts": known(diagnosis.collection.claim_attempts),
            "findings": ", ".join(f"{diagnosis.severities[s]} {s}" for s in reversed(SEVERITIES)),
            "audit chain and receipts": Mark(diagnosis.audit.verdict),
            "parts not collected": ", ".join(diagnosis.collection.missing_parts) or "none",
        },
    )
    worst_first = sorted(diagnosis.grants, key=lambda g: (VERDICTS.index(g.verdict), g.grant))
    rows = [_grant_row(diagnosis, g) for g in worst_first]
    columns = ("grant", "event", "verdict", "accepted", "refused", "people affected", "causes")
    return Group([head, Table("Grants, worst first", columns, rows)])


def _grant_row(diagnosis: Diagnosis, g: GrantDiagnosis) -> list[Cell]:
    return [
        Code(g.grant),
        Lines(tuple(g.titles)) if g.titles else NOT_KNOWN,
        grant_mark(diagnosis, g),
        known(g.counts.accepted),
        known(g.counts.refused),
        NOT_KNOWN if g.affected_claimers is None else len(g.affected_claimers),
        Lines(tuple(cause.name for cause in g.causes)) if g.causes else g.no_cause,
    ]


def verdict_cards(case: Case, grant: str = "") -> Block:
    """Why each grant has its verdict: one card a grant that needs looking at."""
    return Group([_card(case.diagnose(), g) for g in examined(case, grant)])


def _card(diagnosis: Diagnosis, g: GrantDiagnosis) -> Facts:
    rows: dict[str, Cell] = {
        "verdict": grant_mark(diagnosis, g),
        "which means": VERDICT_WORDS[g.verdict].meaning,
        "because": g.judgement.because,
        "grant": Code(g.grant),
        "event": Lines(tuple(g.events)) if g.events else NOT_KNOWN,
        "rules in force": g.judgement.era_now,
        "paused": YES_NO[g.paused],
    }
    if g.began is not None:
        rows["since"] = Lines(tuple(since(g.began)))
    if g.judgement.heals_until is not None:
        rows["can heal until"] = f"{utc(g.judgement.heals_until)}, that second included"
    if g.judgement.missing_evidence:
        rows["missing to decide"] = Lines(tuple(g.judgement.missing_evidence))
    if g.declared:
        rows["cut over"] = Lines(tuple(line for one in g.declared for line in one.lines))
    if g.superseded_by:
        rows["replaced by"] = Code(g.superseded_by)
    if g.cutover_of:
        rows["replaces"] = Code(g.cutover_of)
    return Facts(named(g), rows)


def what_to_do_now(case: Case, grant: str = "") -> Block:
    """The runbook's steps for each verdict; critical findings first, because they stand whatever
    the verdict.
    """
    blocks: list[Block] = []
    urgent = sorted(
        {
            f.code
            for f in case.diagnose().findings
            if f.severity == "critical" and f.code != "chain_broken"
        }
    )
    if urgent:
        advice = [f"{RULES[code].meaning} {RULES[code].advice}" for code in urgent]
        blocks.append(Steps("First, because a critical finding stands", advice))
    for g in examined(case, grant):
        if g.superseded_by and g.verdict == "broken":
            steps = [
                f"Step 2 is done: grant {short(g.superseded_by)} took over. See who still lacks a "
                f"claim (Step 2.2).",
                "Step 3: leave this chain as it is, as evidence; see that every QR code leads to "
                "the new grant.",
                "Step 4: verify the new grant without trusting the server; record audit-integrity "
                "and receipt checks.",
            ]
        else:
            steps = [step.strip() for step in g.steps]
        blocks.append(Steps(f"{named(g)} — {g.verdict}", steps))
    return Group(blocks)


def coverage(case: Case) -> Block:
    """What was checked, and what could not be and would change the answer."""
    rows = case.diagnose().coverage
    checked = Table("Checked", ("what",), [[row.text] for row in ascending(rows.checked)])
    missing = Table(
        "Not checked",
        ("what",),
        [[row.text] for row in ascending(rows.not_checked)],
        empty="nothing was left unchecked",
    )
    return Group([missing, checked, *_collection(case.diagnose().collection)])


def _collection(collection: Collection) -> list[Block]:
    """How the case was collected: what its collector states, and whether the custody record holds.
    [] where it says nothing.
    """
    blocks: list[Block] = []
    rows: list[list[Cell]] = []
    for stated in collection.stated:
        reasons = [f"because {why}" for why in stated.because] + [
            f"cannot tell {why}" for why in stated.unsure
        ]
        complete, why = (
            Mark("complete" if stated.complete else "incomplete"),
            Lines(tuple(reasons)) if reasons else "—",
        )
        rows.append(
            [
                stated.role,
                Code(short(stated.address)),
                known(stated.signatures),
                complete,
                stated.held,
                why,
            ]
        )
    if rows:
        columns = (
            "role",
            "address",
            "signatures",
            "is it all there",
            "checks that hold",
            "why not, and what cannot be told",
        )
        blocks.append(
            Table("How complete the collection is, as its collector states", columns, rows)
        )
    if collection.custody is not None:
        record: list[list[Cell]] = [
            [Mark(collection.custody.outcome), line]
            for line in collection.custody.lines[:MAX_BREAKS]
        ]
        blocks.append(
            Table("The custody record (custody.jsonl)", ("outcome", "what that says"), record)
        )
    return blocks


def findings(case: Case, grant: str = "") -> Block:
    """Every finding, gravest first: what was expected, what was seen, where it stands, and what it
    means.
    """
    wanted = {None, *(g.grant for g in examined(case, grant))} if grant else None
    groups = [
        group for group in case.diagnose().finding_groups if wanted is None or group.grant in wanted
    ]
    places = Places(case)
    table = [_finding_row(group, places) for group in groups[:MAX_FINDINGS]]
    columns = ("severity", "what", "grant", "expected", "observed", "where")
    left = len(groups) - len(table)
    note = f"{count(left, 'more kind')} in findings.json." if left > 0 else ""
    return Table("Findings, gravest first", columns, table, empty="none", note=note)


def _finding_row(group: FindingGroup, places: Places) -> list[Cell]:
    """One row for the findings of one code and grant: the first of them, and how many there are."""
    first = group.findings[0]
    code = first.code if len(group.findings) == 1 else f"{first.code} (×{len(group.findings)})"
    seen = first.observed or (f"not checked: {first.not_checked}" if first.not_checked else None)
    where = [places.of(finding) for finding in group.findings[:SHOWN_PLACES]]
    more = (
        [f"and {len(group.findings) - SHOWN_PLACES} more"]
        if len(group.findings) > SHOWN_PLACES
        else []
    )
    what = Lines((Code(code), RULES[first.code].meaning))
    grant = Code(short(first.grant)) if first.grant else None
    return [Mark(first.severity), what, grant, first.expected, seen, Lines((*where, *more))]
