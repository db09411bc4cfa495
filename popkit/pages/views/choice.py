"""Which grants a notebook looks at, and how it names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.pages.blocks import Mark
from popkit.pages.pictures.series import grant_title
from popkit.pages.text import count
from popkit.verdict.judgement import VERDICTS

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

SOUND = ("intact", "unused")
MAX_GRANTS = 12
"""Grants looked at in one run at most, worst first; naming one in GRANT shows any other."""


def examined(case: Case, grant: str = "") -> list[GrantDiagnosis]:
    """The grant that is named; else every grant that is not plainly sound, worst first; else all. At most `MAX_GRANTS`.

    Raises UsageError for a name that is no grant of the case, or the beginning of several.
    """
    diagnosis = case.diagnose()
    if grant:
        return [diagnosis.grant(case.chain(grant).grant)]
    wrong = [g for g in diagnosis.grants if g.verdict not in SOUND or g.forks or g.equivocations or g.foreign_entries]
    return sorted(wrong or diagnosis.grants, key=lambda g: (VERDICTS.index(g.verdict), g.grant))[:MAX_GRANTS]


def named(case: Case, diagnosis: GrantDiagnosis) -> str:
    return f"Grant {grant_title(case, diagnosis.grant)}"


def grant_mark(case: Case, diagnosis: GrantDiagnosis) -> Mark:
    """A grant's verdict; a sound one with critical findings says so."""
    critical = sum(f.severity == "critical" and f.grant == diagnosis.grant for f in case.diagnose().findings)
    return Mark(diagnosis.verdict, count(critical, "critical finding") if critical and diagnosis.verdict != "broken" else "")


def case_mark(case: Case) -> Mark:
    """The case's verdict; one that is not broken and has critical findings says so."""
    diagnosis = case.diagnose()
    critical = diagnosis.count("critical")
    return Mark(diagnosis.verdict, count(critical, "critical finding") if critical and diagnosis.verdict != "broken" else "")
