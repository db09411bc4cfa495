"""The words of findings.json against the definitions that they come from."""

from __future__ import annotations

import jsonschema

from popkit.causes.registry import CAUSES
from popkit.diagnosis.schema import findings_schema
from popkit.rules.model import SEVERITIES
from popkit.verdict.judgement import VERDICTS


def test_the_schema_knows_the_same_words() -> None:
    """Made from the definitions: a validator takes each of their words in its place, and no other."""
    schema = findings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    words = {"verdict": VERDICTS, "cause": CAUSES, "severity": SEVERITIES}
    for name, known in words.items():
        asked = jsonschema.Draft202012Validator(
            {**schema, "$ref": f"#/$defs/{name}", "type": "string"}
        )
        assert all(asked.is_valid(word) for word in known)
        assert not asked.is_valid("unheard_of")
