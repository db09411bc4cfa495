"""A made-up case as a verification sees it: which checks did not hold, by section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import popkit
from popkit.diagnosis.result import Diagnosis
from popkit.drill.case import write_case
from popkit.evidence.bundle import Evidence
from popkit.verification.model import Verification
from popkit.verification.verify import verify

SUMMED_UP = ("coverage", "verdict")
"""Sections that repeat what the others came to."""


class Checked:
    """The verification and the diagnosis of one case."""

    def __init__(
        self, path: Path, files: dict[str, Any], *names: str, era: str | None = None
    ) -> None:
        self.path = write_case(path, json.loads(json.dumps(files)))
        self.names, self.era = names, era

    @property
    def verified(self) -> Verification:
        return verify(Evidence(self.path), self.names, self.era)

    @property
    def found(self) -> Diagnosis:
        return popkit.open_case(self.path, self.era).diagnose()

    def codes(self, severity: str = "critical") -> set[str]:
        return {f.code for f in self.found.findings if f.severity == severity}

    def titles(self, status: str, subject: str | None = None) -> set[str]:
        """The titles of the checks of one status, of one kind of section, or of all that looked at
        the evidence itself.

        Violated are those that show something false: warnings and remarks are not.
        """
        sections = [
            s
            for s in self.verified.sections
            if subject == s.subject or (subject is None and s.subject not in SUMMED_UP)
        ]
        checks = [
            check for section in sections for check in section.checks if check.status == status
        ]
        return {str(check.title) for check in checks if check.is_wrong or status != "violated"}

    @property
    def outcome(self) -> tuple[int, set[str]]:
        """The exit code that the sections come to, and the titles of violated checks.

        That of a whole verification is the diagnosis's, for which what cannot be told of single
        claims need not count.
        """
        verified, statuses = (
            self.verified,
            {
                section.status
                for section in self.verified.sections
                if section.subject not in SUMMED_UP
            },
        )
        assert verified.exit_code == self.found.exit_code or self.names
        code = 1 if "violated" in statuses else 3 if "cannot tell" in statuses else 0
        assert verified.exit_code == code or not self.names
        return code, self.titles("violated")
