"""A case of another program id: the same findings but for the keys, for no address is derived for a
default program.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

import popkit
from popkit.protocol.keys import PROGRAM_ID, b58encode
from popkit.verification.verify import verify
from tests.diagnosis.another_program import WORLDS

ROOT = Path(__file__).resolve().parents[2]
ANOTHER = b58encode(bytes(range(1, 33)))
# Signatures, addresses and hashes, whole or as the eight or sixteen digits that sentences show.
_KEY = re.compile(
    r"\b(?:[1-9A-HJ-NP-Za-km-z]{86,88}|[1-9A-HJ-NP-Za-km-z]{32,44}|[0-9a-f]{64}|[0-9a-f]{16}|[0-9a-f]{8})\b"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of two programs, with the same worlds in them."""
    folder = tmp_path_factory.mktemp("programs")
    for program in (PROGRAM_ID, ANOTHER):
        command = [
            sys.executable,
            "-m",
            "tests.diagnosis.another_program",
            str(folder / program),
            program,
        ]
        subprocess.run(command, cwd=ROOT, check=True)
    return folder


def without_keys(value: Any) -> Any:
    """A JSON value with every key and hash taken for the same one; lists in an order that does not
    rest on keys, so that the numbers of lines go.
    """
    if isinstance(value, dict):
        parts = ((name, part) for name, part in value.items() if name != "number")
        return {_KEY.sub("KEY", name): without_keys(part) for name, part in parts}
    if isinstance(value, list):
        return sorted(
            (without_keys(part) for part in value),
            key=lambda part: json.dumps(part, sort_keys=True),
        )
    return _KEY.sub("KEY", value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", WORLDS)
def test_a_case_of_another_program_has_the_same_findings_but_for_the_keys(
    made: Path, name: str
) -> None:
    one, other = (popkit.open_case(made / program / name) for program in (PROGRAM_ID, ANOTHER))
    assert other.facts.header.program_id == ANOTHER
    assert not set(one.grants) & set(other.grants), "every address is another one"
    first, second = (json.loads(case.diagnose().dumps()) for case in (one, other))
    assert without_keys(second) == without_keys(first)
    assert PROGRAM_ID not in json.dumps(second)
    refused = [failure for failure in other.facts.claims.failure if failure is not None]
    assert {failure.program for failure in refused} == {ANOTHER}, (
        "an error is read as one of the program that is named"
    )


def test_verify_answers_alike(made: Path) -> None:
    one, other = (
        verify(popkit.open_case(made / program / "broken").evidence)
        for program in (PROGRAM_ID, ANOTHER)
    )
    assert without_keys(json.loads(other.dumps())) == without_keys(json.loads(one.dumps()))


def test_a_case_that_names_the_wrong_program_is_not_judged_by_it(
    made: Path, tmp_path: Path
) -> None:
    """What tells the two apart is the id alone: under the wrong one nothing of the grant is read as
    its own.
    """
    target = tmp_path / "wrong"
    copytree(made / ANOTHER / "broken", target, ignore=ignore_patterns("manifest-sha256.txt"))
    header = json.loads((target / "case.json").read_text())
    (target / "case.json").write_text(json.dumps({**header, "program_id": PROGRAM_ID}))
    found = popkit.open_case(target).diagnose()
    assert (found.verdict, found.exit_code) == ("inconclusive", 1)
    assert "evidence_contradictory" in {
        finding.code for finding in found.findings if finding.severity == "critical"
    }
    assert f"another program, {ANOTHER}" in str(found.grants[0].judgement.because)
