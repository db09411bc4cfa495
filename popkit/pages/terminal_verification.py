"""A verification as text for a terminal.

Totals first, then what is violated, warnings, remarks, what could not be checked and why, and what
the evidence does not cover. Warnings and remarks are violated checks that are not critical: they
have marks of their own and decide no exit code.

Of a case with hundreds of claims nobody reads a line a check. Whoever names a claim gets all of its
checks; `--all` gives those of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.text import Line, page, shown
from popkit.texts import Counted, Language, Listed, Noun, Text, speak
from popkit.verification.model import Check, Section, Verification

WARNING, REMARK = "warning", "info"
MARKS = {HOLDS: "✓", VIOLATED: "✗", WARNING: "!", REMARK: "i", CANNOT_TELL: "?"}
"""By the outcome of a check: see `outcome`."""
_COLOURS = {HOLDS: "32", VIOLATED: "31", CANNOT_TELL: "33"}
IN_FULL = 6
"""Sections that a name stands for of which every check is shown; of more (a grant's claims) only
what does not hold.
"""
SECTIONS_SHOWN = 20
NAMES_SHOWN, REASONS_SHOWN = 3, 5
"""How many sections are shown, how many names in a row, and how many reasons of one check; `--all`
shows everything.
"""
BEGINNING = 12
"""Characters of a name in a row of names; `verify` takes such a beginning for the name."""

CHECKS = Noun("check", "checks", "{n} 件の検査")
REASONS = Noun("other reason", "other reasons", "{n} 件の他の理由")
COUNTED = {
    "chain": Noun("grant", "grants", "{n} 件の grant"),
    "claim": Noun("claim", "claims", "{n} 件の claim"),
    "record": Noun("record", "records", "{n} 件の記録"),
}

NOTHING_CRITICAL = Text("NOTHING CRITICAL IS VIOLATED", "critical の違反なし")
"""The headline where all that is violated are warnings and remarks."""
HEADLINES = {
    HOLDS: Text("EVERY CHECK HOLDS", "検査はすべて成立"),
    VIOLATED: Text("VIOLATED", "違反あり"),
    CANNOT_TELL: Text("CANNOT TELL", "判定不能"),
}
ABOUT = Text("case {case}, exit code {code}", "ケース {case}、終了コード {code}")
VERIFIED = Text("Verified:", "検証した対象:")
SUBJECTS = {
    "case": Text("the case itself", "ケース自体"),
    "chain": Text("chains of grants", "grant のチェーン"),
    "claim": Text("claims", "claim"),
    "record": Text("the worker's claim records", "worker の claim 記録"),
    "audit": Text("the audit chain and ticket receipts", "監査チェーンと参加券レシート"),
    "records": Text(
        "the worker's claim records against the chain", "worker の claim 記録とチェーンの照合"
    ),
    "coverage": Text("what the evidence covers", "証拠の範囲"),
    "verdict": Text("the verdict", "判定"),
}
ONE = {
    "case": Text("case {name}", "ケース {name}"),
    "chain": Text("the chain of grant {name}", "grant {name} のチェーン"),
    "claim": Text("claim {name}", "claim {name}"),
    "record": Text("the worker's record {name}", "worker の記録 {name}"),
    "audit": Text("{name}", "{name}"),
    "records": Text("{name}", "{name}"),
    "coverage": Text("{name}", "{name}"),
    "verdict": Text("{name}", "{name}"),
}
STATUSES = {
    HOLDS: Text("holds", "成立"),
    VIOLATED: Text("violated", "違反"),
    CANNOT_TELL: Text("cannot tell", "判定不能"),
}
EACH = {HOLDS: Text("all of {count} hold", "{count} 件すべて成立"), VIOLATED: Text("all of {count} are "
                                                                             "violated", "{count} 件すべて違反"),
        CANNOT_TELL: Text("none of {count} can be told", "{count} 件すべて判定不能")}  # fmt: skip
OF_ALL = Text("of {count}, {parts}", "{count} 件のうち、{parts}")
TOTALS = {
    HOLDS: Noun("holds", "hold", "{n} 件が成立"),
    VIOLATED: Noun("is violated", "are violated", "{n} 件が違反"),
    WARNING: Noun("is a warning", "are warnings", "{n} 件が警告"),
    REMARK: Noun("is a remark", "are remarks", "{n} 件が注記"),
    CANNOT_TELL: Noun("cannot tell", "cannot tell", "{n} 件が判定不能"),
}
ALL_CHECKS = Text("single checks", "個々の検査")
GROUPS = {
    WARNING: Text(
        "Warnings: these do not hold. Look at each; none of them shows false evidence.",
        "警告: 次の項目は成立していません。それぞれ確認してください（証拠の偽りを示すものではありません）。",
    ),
    REMARK: Text(
        "Remarks: these do not hold, and that may be as it should be.",
        "注記: 次の項目は成立していませんが、問題とは限りません。",
    ),
    CANNOT_TELL: Text("Checks that could not be made, and why:", "行えなかった検査とその理由:"),
}
OF_GRANT = Text("{what} (grant {grant})", "{what}（grant {grant}）")
NOT_COVERED = Text("What the evidence does not cover:", "証拠で確認できないこと:")
REASON = Text("{why}: {where}", "{why}: {where}")
REPEATED = Text("{why}: {where}, {times} in all", "{why}: {where}、計 {times}")
OCCURRENCES = Noun("time", "times", "{n} 件")
SUCH_AS = Text("{count}, such as {names}", "{count}（{names} など）")
PROVES_NOTHING = Text(
    "{title} (optional: it proves nothing either way)",
    "{title}（任意の検査: どちらの証明にもなりません）",
)
AND_MORE = Text("and {count}", "ほか{count}")
ONLY_VIOLATED = Text("What is violated:", "違反の項目:")
SECTION = Text("{what}: {status}, {checks}", "{what}: {status}、{checks}")
EXPECTED, OBSERVED = Text("expected", "期待"), Text("observed", "実際")
AT, RULE = Text("at", "場所"), Text("rule", "根拠")
MORE_SECTIONS = Text("{count} more; --all shows them", "ほか {count} 件（--all で表示）")
WHAT_TO_DO = Text(
    "`popkit diagnose CASE` says why, for whom, and what to do now.",
    "理由、影響を受けた人、今すべきことは `popkit diagnose CASE` で確認できます。",
)
HOW_TO_SEE_MORE = Text(
    "`popkit verify CASE NAME` shows every check of one claim, wallet or grant; --all shows every "
    "check of everything.",
    "`popkit verify CASE NAME` で特定の claim、ウォレット、grant のすべての検査を、--all で全対象のすべての検査を表示します。",
)


def verification_text(
    verification: Verification, every: bool = False, language: Language = "en", colour: bool = False
) -> str:
    """A verification as text, ending with a line end.

    Totals; then, `every`: every numbered check. Else every check of what was named, where that is
    not more than IN_FULL sections, and of everything else what is violated, and in groups what
    cannot tell.
    """
    status = verification.status
    about = ABOUT(case=shown(verification.case), code=verification.exit_code).in_language(language)
    is_noted = any(
        outcome(check) in (WARNING, REMARK)
        for section in verification.sections
        for check in section.checks
    )
    headline = NOTHING_CRITICAL if status == HOLDS and is_noted else HEADLINES[status]
    mark = f"{MARKS[status]} {headline.in_language(language)}"
    lines: list[str | Line] = [Line(mark, f"   {about}", f"1;{_COLOURS[status]}" if colour else "")]
    lines += ["", *_totals(verification, language)]
    named = (
        [section for section in verification.sections if section.subject != "case"]
        if verification.names
        else []
    )
    if every or 0 < len(named) <= IN_FULL:
        sections = (
            verification.sections
            if every
            else [s for s in verification.sections if s in named or s.status != HOLDS]
        )
        for section in sections:
            lines += ["", *_section(section, section.checks, language)]
        return page(lines)
    lines += _violated(verification.sections, language)
    for kind in GROUPS:
        lines += _group(verification.sections, kind, language)
    lines += _not_covered(verification.sections, language)
    return page(
        [*lines, "", WHAT_TO_DO.in_language(language), HOW_TO_SEE_MORE.in_language(language)]
    )


def outcome(check: Check) -> str:
    """What a check came to: its status; of one that is violated and not critical, 'warning' or
    'info'.
    """
    return check.severity if check.status == VIOLATED and not check.is_wrong else check.status


def _totals(verification: Verification, language: Language) -> Iterator[str]:
    """How many of each kind of thing were verified, and what came of them; of the single checks as
    well.
    """
    yield VERIFIED.in_language(language)
    for subject, text in SUBJECTS.items():
        counts, is_counted = verification.counts(subject), subject in COUNTED
        if (
            subject == "coverage"
        ):  # each part of the evidence counts: none of them is wrong or right
            sections = (s for s in verification.sections if s.subject == subject)
            counts, is_counted = Counter(c.status for s in sections for c in s.checks), True
        if counts:
            tally = _tally(counts, language, is_counted)
            yield f"  {MARKS[_worst(counts)]} {text.in_language(language)}: {tally}"
    single = Counter(
        outcome(check) for section in verification.sections for check in section.checks
    )
    yield f"    {ALL_CHECKS.in_language(language)}: {_tally(single, language)}"


def _tally(counts: Counter[str], language: Language, counted: bool = True) -> str:
    """'of 12, 10 hold and 2 cannot tell'; of one thing alone, or the one of its kind (not
    `counted`), its status.
    """
    worst = _worst(counts)
    if not counted or (counts.total() == 1 and counts[worst]):
        return STATUSES[worst].in_language(language)
    if counts[worst] == counts.total():
        return EACH[worst](count=counts.total()).in_language(language)
    parts = tuple(Counted(counts[status], TOTALS[status]) for status in MARKS if counts[status])
    return OF_ALL(count=counts.total(), parts=Listed(parts)).in_language(language)


def _worst(counts: Counter[str]) -> str:
    return next((status for status in (VIOLATED, CANNOT_TELL) if counts[status]), HOLDS)


def _group(sections: list[Section], kind: str, language: Language) -> Iterator[str]:
    """The checks of one outcome, by what they ask and what was observed (why they cannot tell);
    each with where.
    """
    groups: dict[Check, dict[str, list[Section]]] = {}
    firsts: dict[object, Check] = {}
    for section in sections:
        for check in section.checks:
            if outcome(check) == kind and section.subject != "coverage":
                first = firsts.setdefault(check.title, check)
                groups.setdefault(first, {}).setdefault(speak(check.observed, language), []).append(
                    section
                )
    if groups:
        yield ""
        yield GROUPS[kind].in_language(language)
    for check, reasons in groups.items():
        title = PROVES_NOTHING(title=check.title) if check.is_optional else check.title
        yield f"  {MARKS[kind]} {title.in_language(language)}"
        for why, places in list(reasons.items())[:REASONS_SHOWN]:
            where, times = _few(places, language), OCCURRENCES(len(places))
            is_repeated = len(places) > len({id(section) for section in places})
            line = (
                REPEATED(why=why, where=where, times=times)
                if is_repeated
                else REASON(why=why, where=where)
            )
            yield f"      {line.in_language(language)}"
        if len(reasons) > REASONS_SHOWN:
            yield f"      {AND_MORE(count=Counted(len(reasons) - REASONS_SHOWN, REASONS)).in_language(language)}"


def _not_covered(sections: list[Section], language: Language) -> Iterator[str]:
    """What the evidence does not cover, a line each."""
    checks = [
        check for section in sections if section.subject == "coverage" for check in section.checks
    ]
    missing = [check for check in checks if check.status == CANNOT_TELL]
    if missing:
        yield ""
        yield NOT_COVERED.in_language(language)
    for check in missing:
        grant = check.where[1]
        what = OF_GRANT(what=check.observed, grant=shown(grant)) if grant else check.observed
        yield f"  {MARKS[CANNOT_TELL]} {speak(what, language)}"


def _few(sections: list[Section], language: Language) -> Listed:
    """Some sections by the beginnings of their names, and how many there are of each kind."""
    parts: list[object] = []
    for subject in dict.fromkeys(section.subject for section in sections):
        names = list(
            dict.fromkeys(
                _name(section, language) for section in sections if section.subject == subject
            )
        )
        if subject not in COUNTED:
            parts.append(SUBJECTS[subject])
        elif len(names) == 1:
            parts.append(ONE[subject](name=names[0]))
        else:
            some = Listed(tuple(f"{name[:BEGINNING]}…" for name in names[:NAMES_SHOWN]))
            parts.append(SUCH_AS(count=Counted(len(names), COUNTED[subject]), names=some))
    return Listed(tuple(parts))


def _violated(sections: list[Section], language: Language) -> Iterator[str]:
    """Every violated check of the sections that are violated, as many as SECTIONS_SHOWN."""
    wrong = [section for section in sections if section.status == VIOLATED]
    if wrong:
        yield ""
        yield ONLY_VIOLATED.in_language(language)
    for section in wrong[:SECTIONS_SHOWN]:
        yield from _section(
            section, [check for check in section.checks if check.is_wrong], language
        )
    if len(wrong) > SECTIONS_SHOWN:
        yield f"  {MORE_SECTIONS(count=len(wrong) - SECTIONS_SHOWN).in_language(language)}"


def _section(section: Section, checks: list[Check], language: Language) -> Iterator[str]:
    """A section's line, then some of its checks under the numbers that they have in it."""
    what = ONE[section.subject](name=_name(section, language))
    line = SECTION(
        what=what, status=STATUSES[section.status], checks=Counted(len(section.checks), CHECKS)
    )
    yield f"{MARKS[section.status]} {line.in_language(language)}"
    numbers = {id(check): number for number, check in enumerate(section.checks, 1)}
    for check in checks:
        yield f"  {numbers[id(check)]:>2}. {MARKS[outcome(check)]} {check.title.in_language(language)}"
        for name, value in ((EXPECTED, check.expected), (OBSERVED, check.observed)):
            if value is not None:
                yield f"        {name.in_language(language)}: {speak(value, language)}"
        place = " ".join(part for part in check.where if part)
        yield f"        {AT.in_language(language)}: {place}; {RULE.in_language(language)}: {speak(check.rule, language)}"


def _name(section: Section, language: Language) -> str:
    return speak(section.name, language) if isinstance(section.name, Text) else shown(section.name)
