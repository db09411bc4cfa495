"""The schema of findings.json, with the words that popkit's definitions give it.

`python -m popkit.diagnosis.schema` prints it whole, for validators that know nothing of popkit.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from popkit.causes.registry import CAUSES
from popkit.output import write
from popkit.rules.model import SEVERITIES
from popkit.verdict.judgement import VERDICTS


def findings_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of findings.json: every field, verdict, cause and severity.

    The fields stand in findings.schema.json; the words come from where each of them is defined, so
    that a new cause is in the schema as soon as its file is there.
    """
    schema: dict[str, Any] = json.loads(
        files(__package__).joinpath("findings.schema.json").read_text("utf-8")
    )
    for name, words in (("verdict", VERDICTS), ("cause", CAUSES), ("severity", SEVERITIES)):
        schema["$defs"][name]["enum"] = list(words)
    return schema


if __name__ == "__main__":
    write(json.dumps(findings_schema(), indent=1, ensure_ascii=False) + "\n")
