"""popkit against every row of the attack table, and the vectors against their generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.drill.case import write_case
from popkit.errors import ManifestMismatch
from popkit.evidence.bundle import Evidence
from popkit.evidence.layout import MANIFEST
from popkit.rules.registry import RULES
from popkit.verification.attacks import (
    ATTACKERS,
    ATTACKS,
    CANNOT_BE_FOUND,
    CANNOT_TELL,
    FOUND,
    OUTCOMES,
    UNREADABLE,
    Attack,
    attack_table,
    outcome_counts,
)
from popkit.verification.verify import verify
from tests.attacks.build import RECIPES, VECTORS, dumps, write_mutant
from tests.conftest import popkit as run
from tests.japanese import whole_in_japanese
from tests.simulation.expect import codes

VECTORS_READ: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))["vectors"]
BY_NAME = {attack.name: attack for attack in ATTACKS}
SEALED_ALIKE = {"file-changed-seal-kept", "foreign-proof-kept"}
"""The mutants whose manifest is the untouched case's: one forgets it, one leaves no trace at all.
"""
WHOLE_AND_STILL_OPEN = {"proof-on-another-s-ticket"}
"""No evidence is missing and no rule of the system is broken, so that a diagnosis and a
verification warn.
"""
MARKED = [
    pytest.param(
        v,
        id=v["name"],
        marks=[pytest.mark.xfail(strict=True, reason=why)]
        if (why := BY_NAME[v["name"]].pending)
        else [],
    )
    for v in VECTORS_READ
]


def test_the_table_is_whole() -> None:
    assert [attack.name for attack in ATTACKS] == [vector["name"] for vector in VECTORS_READ]
    assert {attack.name for attack in ATTACKS} == set(RECIPES)
    assert (
        len({(attack.attacker, attack.tampering) for attack in ATTACKS})
        == len(attack_table())
        == len(RECIPES)
    )
    assert {attack.attacker for attack in ATTACKS} == set(ATTACKERS)
    assert {attack.outcome for attack in ATTACKS} == set(OUTCOMES)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_row_says_what_finds_it_or_what_would(attack: Attack) -> None:
    assert bool(attack.by) == (attack.outcome == FOUND)
    assert bool(attack.would_need) == (attack.outcome != FOUND)
    assert list(attack.finding_codes) == sorted(set(attack.finding_codes))
    severities = {RULES[code].severity for code in attack.finding_codes}
    if attack.outcome == FOUND:
        assert severities == ({"critical"} if attack.verdict != UNREADABLE else set())
    else:
        assert severities == ({"warning"} if attack.outcome == CANNOT_TELL else set())


@pytest.mark.parametrize("vector", MARKED)
def test_popkit_says_what_the_table_says(vector: dict[str, Any], tmp_path: Path) -> None:
    mutant = write_mutant(vector["name"], tmp_path / "mutant")
    untouched = write_case(tmp_path / "untouched", RECIPES[vector["name"]].untouched())
    sealed_alike = (mutant / MANIFEST).read_bytes() == (untouched / MANIFEST).read_bytes()
    assert sealed_alike == (vector["name"] in SEALED_ALIKE)
    if vector["verdict"] == UNREADABLE:
        with pytest.raises(ManifestMismatch) as refused:
            popkit.open_case(mutant)
        assert (
            refused.value.exit_code
            == vector["exit_code"]
            == run("diagnose", mutant).returncode
            == 3
        )
        return
    before, after = (popkit.open_case(path).diagnose() for path in (untouched, mutant))
    assert codes(before, "critical") <= {"chain_broken"}, (
        "the untouched case must be free of what the mutant is to show"
    )
    critical, warnings = (
        codes(after, "critical"),
        codes(after, "warning") - codes(before, "warning"),
    )
    assert critical == (set(vector["finding_codes"]) if vector["outcome"] == FOUND else set())
    assert (after.verdict, after.exit_code) == (vector["verdict"], vector["exit_code"])
    whole_in_japanese(after)
    if vector["outcome"] == CANNOT_TELL:
        assert warnings == set(vector["finding_codes"])
        assert not after.coverage.complete or vector["name"] in WHOLE_AND_STILL_OPEN
    if vector["outcome"] == CANNOT_BE_FOUND:
        assert (after.verdict, after.exit_code, warnings) == (
            before.verdict,
            before.exit_code,
            set(),
        )
    if (
        vector["outcome"] != FOUND
    ):  # of what is found, tests/rules/test_claims.py holds the lines to the findings
        assert verify(Evidence(mutant)).exit_code == after.exit_code


def test_the_exit_code_is_the_process_s_own(tmp_path: Path) -> None:
    for name, exit_code in (
        ("equivocation", 1),
        ("transaction-omitted-middle", 3),
        ("everything-rehashed-after-the-last-proof", 0),
    ):
        assert run("diagnose", write_mutant(name, tmp_path / name)).returncode == exit_code


def test_regenerating_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert VECTORS.read_text("utf-8") == dumps(tmp_path), (
        "the table or the generator changed: python -m tests.attacks.build"
    )
    counts = outcome_counts()
    assert sum(counts.values()) == len(ATTACKS)
    with capsys.disabled():
        print(
            f"\nattacks: {len(ATTACKS)} vectors, "
            + ", ".join(f"{number} {name}" for name, number in counts.items())
        )
