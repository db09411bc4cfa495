"""Every recorded answer, exactly, through the command line; and the same bytes whatever the order
and repetition of lines.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from popkit.diagnosis.schema import findings_schema
from tests.conftest import CASES, NAMES, Copy, answer_of, popkit
from tests.held import held_to_its_words

VALIDATOR = jsonschema.Draft202012Validator(findings_schema())
TAMPERING = ("edited", "removed", "edited_objects", "missing_objects", "bad_receipts")


def _known(wanted: Any, seen: Any) -> Any:
    """What was found, as a recorded answer writes it: an answer lists nothing where findings.json
    says that nothing is known.
    """
    return [] if seen is None and wanted == [] else seen


def differences(answer: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What findings say otherwise than an answer; only what the answer states is compared."""
    wrong = []

    def check(name: str, wanted: Any, seen: Any) -> None:
        if wanted != seen:
            wrong.append(f"{name}: expected {wanted}, found {seen}")

    check("verdict", answer["verdict"], found["verdict"])
    grants = {grant["grant"]: grant for grant in found["grants"]}
    for wanted in answer["grants"]:
        grant = grants[wanted["grant"]]
        for key, value in wanted.items():
            seen = grant.get("eras" if key == "eras_include" else key)
            if key == "causes" and wanted["verdict"] == "in_flight":
                continue
            if key in ("last_good", "first_bad") and value is not None:
                check(key, value, {name: (seen or {}).get(name) for name in value})
            elif key == "forks":
                check(key, value, sorted(fork["parent"] for fork in seen))
            elif key == "eras_include":
                check(key, True, set(value) <= set(seen))
            else:
                check(key, sorted(value) if isinstance(value, list) else value, _known(value, seen))
    for part in ("audit", "reconciliation"):
        for key, value in answer[part].items():
            check(f"{part}.{key}", sorted(value), _known(value, found[part][key]))
    if not answer["audit"]:
        for key in TAMPERING:
            check(f"audit.{key}", [], _known([], found["audit"][key]))
    return wrong


@pytest.mark.parametrize("name", NAMES)
def test_answer_is_met_through_the_command_line(name: str) -> None:
    answer = answer_of(name)
    ran = popkit("diagnose", CASES / name, "--json", "-")
    found = json.loads(ran.stdout)
    assert differences(answer, found) == []
    assert ran.returncode == answer["exit_code"] == found["exit_code"]
    assert ran.stderr == b""
    assert list(VALIDATOR.iter_errors(found)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_diagnosis_says_why_and_where(name: str) -> None:
    assert held_to_its_words(CASES / name).verdict == answer_of(name)["verdict"]


def shuffled(case: Copy, seed: int) -> Copy:
    """Every jsonl file of a case with its lines in another order and some of them twice."""
    rng = random.Random(seed)
    for file in sorted(case.path.rglob("*.jsonl*")):
        name = file.relative_to(case.path).as_posix().removesuffix(".zst")
        lines = case.lines(name)
        lines += rng.sample(lines, len(lines) // 3)
        rng.shuffle(lines)
        case.write(name, lines)
    return case


@pytest.mark.parametrize("name", NAMES)
def test_order_and_repetition_of_lines_change_no_byte(
    name: str, copy_of: Callable[[str], Copy]
) -> None:
    original = popkit("diagnose", CASES / name, "--json", "-")
    case = shuffled(copy_of(name), seed=len(name)).seal()
    again = popkit("diagnose", case.path, "--json", "-")
    assert again.stdout == original.stdout
    assert again.returncode == original.returncode


def test_a_wrong_answer_would_be_noticed() -> None:
    answer = answer_of("abandoned-proof")
    found = json.loads(popkit("diagnose", CASES / "abandoned-quiet", "--json", "-").stdout)
    found["grants"][0]["grant"] = answer["grants"][0]["grant"]
    assert differences(answer, found)
