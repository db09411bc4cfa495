"""The table of finding codes against the code that raises them and the words that explain them."""

from __future__ import annotations

import ast

import jsonschema
import pytest

from popkit.causes.registry import CAUSES
from popkit.diagnosis.schema import findings_schema
from popkit.rules.model import SEVERITIES, Finding, sorted_findings
from popkit.rules.registry import RULES
from popkit.verdict.judgement import VERDICTS
from tests.conftest import ROOT

PACKAGE = ROOT / "popkit" / "diagnosis"


def raised() -> set[str]:
    """Every code that some line of the package makes a finding of."""
    found = {"fork", "race"}  # made from a fork's kind
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding" and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
    return found


def test_every_code_is_raised_and_every_raised_code_is_in_the_table() -> None:
    assert raised() == set(RULES)


@pytest.mark.parametrize("code", RULES)
def test_every_code_is_documented(code: str) -> None:
    row = RULES[code]
    assert row.code == code
    assert row.severity in SEVERITIES
    assert row.meaning.endswith(".")
    assert row.advice
    assert row.source
    assert set(row.context) <= {"expected", "observed", "not_checked"}


def test_the_schema_knows_the_same_words() -> None:
    """Made from the definitions: a validator takes each of their words in its place, and no other."""
    schema = findings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    words = {"verdict": VERDICTS, "cause": CAUSES, "severity": SEVERITIES}
    for name, known in words.items():
        asked = jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{name}", "type": "string"})
        assert all(asked.is_valid(word) for word in known)
        assert not asked.is_valid("unheard_of")


def test_findings_are_ordered_by_grant_slot_code_and_place() -> None:
    findings = [
        Finding("noise", "B", ("f", "k"), slot=1),
        Finding("race", "A", ("f", "k"), slot=2),
        Finding("noise", "A", ("f", "z"), slot=2),
        Finding("noise", "A", ("f", "a"), slot=2),
        Finding("noise", "A", ("f", "a"), slot=2),
        Finding("grant_paused", None, ("f", "k")),
    ]
    ordered = sorted_findings(findings)
    assert [(f.grant, f.slot, f.code, f.where[1]) for f in ordered] == [
        (None, None, "grant_paused", "k"),
        ("A", 2, "noise", "a"),
        ("A", 2, "noise", "z"),
        ("A", 2, "race", "k"),
        ("B", 1, "noise", "k"),
    ]


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Finding("no_such_code", None, ("f", "k"))
