"""Findings and verdicts as they are counted on pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from popkit.rules.model import SEVERITIES, Finding


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """The findings of one code about one grant (None: about the case), in the order of
    findings.json.
    """

    code: str
    grant: str | None
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> str:
        return self.findings[0].severity


def grouped(findings: Iterable[Finding]) -> list[FindingGroup]:
    """Findings by code and grant, gravest first."""
    groups: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in sorted(findings, key=lambda found: -SEVERITIES.index(found.severity)):
        groups.setdefault((finding.code, finding.grant), []).append(finding)
    return [FindingGroup(code, grant, tuple(found)) for (code, grant), found in groups.items()]


def counted_by_code(findings: Iterable[Finding], severity: str) -> dict[str, int]:
    """How many findings of a severity each code has, codes ascending."""
    return dict(
        sorted(
            Counter(finding.code for finding in findings if finding.severity == severity).items()
        )
    )
