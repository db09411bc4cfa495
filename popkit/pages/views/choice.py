"""Which grants a notebook looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.verdict.judgement import VERDICTS

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

SOUND = ("intact", "unused")
MAX_GRANTS = 12
"""Grants looked at in one run at most, worst first; naming one in GRANT shows any other."""


def examined(case: Case, grant: str = "") -> list[GrantDiagnosis]:
    """The grant that is named; else every grant that is not plainly sound, worst first; else all.
    At most `MAX_GRANTS`.

    Raises UsageError for a name that is no grant of the case, or the beginning of several.
    """
    diagnosis = case.diagnose()
    if grant:
        return [diagnosis.grant(grant)]
    wrong = [
        g
        for g in diagnosis.grants
        if g.verdict not in SOUND or g.forks or g.equivocations or g.foreign_entries
    ]
    return sorted(wrong or diagnosis.grants, key=lambda g: (VERDICTS.index(g.verdict), g.grant))[
        :MAX_GRANTS
    ]
