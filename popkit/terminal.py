"""A diagnosis as text for a terminal: verdict first, then what an engineer at night asks next."""

from __future__ import annotations

from collections import Counter

from popkit.diagnosis.began import since
from popkit.diagnosis.result import Diagnosis, GrantDiagnosis, ascending
from popkit.text import Line, page, shown
from popkit.texts import Language
from popkit.wording import counted, utc

SYMBOLS = {"broken": "✗", "inconclusive": "?", "in_flight": "…", "recovered": "✓", "intact": "✓", "unused": "-"}
_COLOURS = {"broken": "31", "inconclusive": "33", "in_flight": "33", "recovered": "32", "intact": "32", "unused": "2"}
SHOWN = 6
"""How many of a list a terminal shows; --json has them all."""
MOST_FINDINGS = 20


def diagnosis_text(diagnosis: Diagnosis, colour: bool = False, language: Language = "en") -> str:
    """The whole answer as text, ending with a line end."""
    critical = diagnosis.count("critical")
    guarded = diagnosis.verdict != "broken" and critical > 0
    about = f"   case {shown(diagnosis.case)}, as of {utc(diagnosis.as_of)}, exit code {diagnosis.exit_code}"
    lines: list[str | Line] = [_headline(diagnosis.verdict, about, colour, counted(critical, "critical finding") if guarded else "")]
    marked = {f.grant for f in diagnosis.findings if f.severity == "critical"}
    for grant in sorted(diagnosis.grants, key=lambda g: (list(SYMBOLS).index(g.verdict), g.grant)):
        lines += ["", *_grant_lines(diagnosis, grant, colour, grant.grant in marked)]
    lines += ["", *_audit_lines(diagnosis), *_finding_lines(diagnosis), *_coverage_lines(diagnosis)]
    return page(lines)


def _headline(verdict: str, about: str, colour: bool, but: str = "") -> Line:
    """A verdict with its symbol; one with critical findings wears neither the symbol nor the colour of success."""
    mark = f"! {verdict.upper()}, BUT {but}" if but else f"{SYMBOLS[verdict]} {verdict.upper()}"
    return Line(mark, about, f"1;{'31' if but else _COLOURS[verdict]}" if colour else "")


def _some(items: list[str], width: int = 0) -> str:
    shown = [item[:width] if width else item for item in items[:SHOWN]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"


def _grant_lines(diagnosis: Diagnosis, g: GrantDiagnosis, colour: bool, marked: bool) -> list[str | Line]:
    but = "critical findings" if marked and g.verdict != "broken" else ""
    title = ", ".join(shown(title) for title in g.titles)
    about = f"  grant {g.grant}" + (f"  ({title})" if title else "")
    lines: list[str | Line] = [_headline(g.verdict, about, colour, but)]
    lines.append(_row("because", g.judgement.because))
    lines += _began_lines(g)
    if g.last_good is None:
        lines.append(_row("last good", diagnosis.without_last_good(g)))
    else:
        lines.append(_row("last good", f"{g.last_good['signature']}"))
        lines.append(_row("", f"slot {g.last_good['slot']}, {utc(g.last_good['block_time'])}, receipt {g.last_good['receipt']}"))
    if g.first_bad is not None:
        bad = g.first_bad
        lines.append(_row("first bad", bad["signature"] or f"not on chain; known from the {bad['source']}'s records"))
        waits = f", follows {bad['prev_hash'][:16]}" if bad["prev_hash"] else ""
        entry = f", entry {bad['entry_hash'][:16]}" if bad["entry_hash"] else ""
        lines.append(_row("", f"{bad['error'] or 'refusal not on record'}{entry}{waits}"))
    if g.missing_entries:
        lines.append(_row("waits for", _some(g.missing_entries, 16)))
    if g.unseen_entries:
        lines.append(_row("not seen", _some(g.unseen_entries, 16)))
    for cause in g.causes:
        lines.append(_row("cause", f"{cause.name}: {cause.seen}"))
    lines.append(_row("can heal", _healing(g)))
    lines += _people_lines(g)
    if g.superseded_by:
        lines.append(_row("replaced by", g.superseded_by))
    if g.cutover_of:
        lines.append(_row("replaces", g.cutover_of))
    steps = g.steps
    if g.superseded_by and g.verdict == "broken":
        steps = ["Already cut over: keep this chain read-only as evidence and verify the new grant (Steps 3 and 4)."]
    lines += [_row("do now" if i == 0 else "", step) for i, step in enumerate(steps)]
    return lines


def _people_lines(g: GrantDiagnosis) -> list[str]:
    if g.affected_claimers is None:
        return [_row("affected", "not known")]
    if not g.affected_claimers:
        return [_row("affected", "nobody")]
    lines = [_row("affected", counted(len(g.affected_claimers), "claimer"))]
    lines += [_row("", claimer) for claimer in g.affected_claimers[:SHOWN]]
    if len(g.affected_claimers) > SHOWN:
        lines.append(_row("", f"and {len(g.affected_claimers) - SHOWN} more"))
    return lines


def _began_lines(g: GrantDiagnosis) -> list[str]:
    """Since when: the three moments of the break that are known, oldest first."""
    if g.began is None:
        return []
    return [_row("since" if i == 0 else "", text) for i, text in enumerate(since(g.began))]


def _healing(g: GrantDiagnosis) -> str:
    if g.verdict == "broken":
        return "no: nothing that the worker issues now can be accepted"
    if g.verdict == "in_flight":
        return f"yes, until {utc(g.judgement.heals_until)}, that second included"
    return "cannot tell" if g.verdict == "inconclusive" else "nothing to heal"


def _audit_lines(diagnosis: Diagnosis) -> list[str]:
    audit, records = diagnosis.audit, diagnosis.reconciliation
    lines = [f"Audit chain and ticket receipts: {audit.verdict} ({audit.checked} recomputed)"]
    rows = {
        "edited": audit.edited,
        "removed": audit.removed,
        "bucket edited": audit.edited_objects,
        "bucket missing": audit.missing_objects,
        "bad receipts": audit.bad_receipts,
        "server accepts": audit.server_accepts,
        "unbacked": records.unbacked_records,
        "unsynced": records.unsynced_claims,
    }
    for name, items in rows.items():
        if items:
            lines.append(f"  {name:<14} {len(items)}: {_some([shown(item) for item in items])}")
    return lines


def _finding_lines(diagnosis: Diagnosis) -> list[str]:
    lines = [
        "",
        f"Findings: {diagnosis.count('critical')} critical, {diagnosis.count('warning')} warning, {diagnosis.count('info')} info",
    ]
    for finding in [f for f in diagnosis.findings if f.severity == "critical"][:MOST_FINDINGS]:
        lines.append(f"  critical {finding.code}: {finding.observed or finding.not_checked or ''}")
        lines.append(f"           at {' '.join(part for part in finding.where if part)}")
    if diagnosis.count("critical") > MOST_FINDINGS:
        lines.append(f"  and {diagnosis.count('critical') - MOST_FINDINGS} more critical ones in findings.json")
    warnings = Counter(f.code for f in diagnosis.findings if f.severity == "warning")
    lines += [f"  warning  {code}" + (f" × {count}" if count > 1 else "") for code, count in sorted(warnings.items())]
    return lines + (["  popkit explain CODE says what each means."] if diagnosis.findings else [])


def _coverage_lines(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.coverage.complete:
        return ["", "Coverage: everything in the case was checked."]
    return ["", "Coverage: not checked:", *(f"  - {row.text}" for row in ascending(diagnosis.coverage.not_checked))]
