"""How pages name a grant, mark a verdict, and say that something is not known: shared by views,
pictures and the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from popkit.pages.blocks import Cell, Mark
from popkit.pages.text import NOT_KNOWN, count
from popkit.text import shown

if TYPE_CHECKING:
    from popkit.diagnosis.proof_rows import KnownProof
    from popkit.diagnosis.result import Diagnosis, GrantDiagnosis

ISSUERS = {"this_worker": "this worker", "foreign": "another issuer", "unknown": "issuer not known"}
YES_NO: dict[bool | None, str] = {True: "yes", False: "no", None: NOT_KNOWN}

T = TypeVar("T", bound=Cell)


def known(value: T | None) -> T | str:
    """A value as a cell; 'not known' for None, which is never shown as 0 or as a dash."""
    return NOT_KNOWN if value is None else value


def grant_title(grant: GrantDiagnosis) -> str:
    """A grant as headings name it: the first eight characters of its key, and its events' titles."""
    titles = ", ".join(shown(title, 40) for title in grant.titles)
    return f"{grant.grant[:8]}" + (f" · {titles}" if titles else "")


def named(grant: GrantDiagnosis) -> str:
    """A grant at the beginning of a caption."""
    return f"Grant {grant_title(grant)}"


def grant_mark(diagnosis: Diagnosis, grant: GrantDiagnosis) -> Mark:
    """A grant's verdict; a sound one with critical findings says so."""
    return _mark(grant.verdict, diagnosis.critical_findings.get(grant.grant, 0))


def case_mark(diagnosis: Diagnosis) -> Mark:
    """The case's verdict; one that is not broken and has critical findings says so."""
    return _mark(diagnosis.verdict, diagnosis.severities["critical"])


def _mark(verdict: str, critical: int) -> Mark:
    return Mark(
        verdict, count(critical, "critical finding") if critical and verdict != "broken" else ""
    )


def fate_of(proof: KnownProof) -> str:
    """What became of a proof, in words; a refusal with its error."""
    if proof.fate != "refused":
        return {"lost": "never accepted", "not known": "acceptance not known"}.get(
            proof.fate, proof.fate
        )
    return f"refused: {proof.error}" if proof.error else "refused, error not known"
