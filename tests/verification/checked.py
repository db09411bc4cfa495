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


class Checked:
    """The verification and the diagnosis of one case."""

    def __init__(self, path: Path, files: dict[str, Any], *names: str, era: str | None = None) -> None:
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
        """The titles of the checks of one status, of one kind of section or of all."""
        sections = [s for s in self.verified.sections if subject in (None, s.subject)]
        return {str(check.title) for section in sections for check in section.checks if check.status == status}

    @property
    def outcome(self) -> tuple[int, set[str]]:
        """The exit code, and the titles of violated checks."""
        return self.verified.exit_code, self.titles("violated")
