"""The words of the schema of findings.json against the definitions."""

from __future__ import annotations

import json

from popkit.diagnosis.causes import CAUSES
from popkit.verdict.judgement import VERDICTS
from tests.conftest import ROOT

PACKAGE = ROOT / "popkit" / "diagnosis"
SCHEMA = json.loads((PACKAGE / "findings.schema.json").read_text())


def test_the_schema_knows_the_same_words() -> None:
    grant = SCHEMA["$defs"]["grant"]["properties"]
    assert set(grant["causes"]["items"]["enum"]) == {*CAUSES, "unexplained"}
    assert set(SCHEMA["$defs"]["verdict"]["enum"]) == set(VERDICTS)
