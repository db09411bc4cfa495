"""The naive checkers alarm nobody without reason, find something, and each misses what popkit
finds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from popkit.drill.case import write_case
from popkit.verification.attacks import ATTACKS, FOUND, UNREADABLE
from tests.attacks.build import RECIPES, Stage, write_mutant
from tests.attacks.naive import CHECKERS, goes_on

FINDABLE = {
    a.name: set(a.finding_codes)
    for a in ATTACKS
    if a.outcome == FOUND and a.verdict != UNREADABLE and not a.pending
}

MISSED = {
    "links only": {
        "message-byte",
        "proof-rehashed-without-key",
        "proof-re-signed-after-the-fact",
        "foreign-proof-accepted",
        "equivocation",
    },
    "signatures only": {
        "order-changed",
        "foreign-proof-accepted",
        "receipt-account-denied",
        "balances-changed",
    },
    "stops at first": {
        "balances-changed",
        "claim-record-invented",
        "ticket-receipt-rehashed",
        "bucket-object-edited",
    },
    "trusts the server": {
        "ticket-receipt-rehashed",
        "ticket-receipt-re-anchored",
        "everything-rehashed-before-a-proof",
        "bucket-object-edited",
    },
}
"""What popkit finds and these do not: the vectors bite."""
CUT_SHORT = ("proof-rehashed-without-key", "proof-re-signed-after-the-fact", "equivocation")


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mutants")
    return {name: write_mutant(name, folder / name) for name in FINDABLE}


@pytest.mark.parametrize("name", CHECKERS)
def test_an_untouched_case_alarms_no_naive_checker(name: str, tmp_path: Path) -> None:
    case = write_case(tmp_path, Stage(evidence={"receipts": True}).collect())
    assert CHECKERS[name](case) == set()
    assert len(RECIPES) > len(FINDABLE)


@pytest.mark.parametrize(("name", "missed"), MISSED.items(), ids=list(MISSED))
def test_a_naive_checker_finds_some_faults_and_misses_others(
    name: str, missed: set[str], mutants: dict[str, Path]
) -> None:
    found = {mutant for mutant, path in mutants.items() if CHECKERS[name](path)}
    assert found, "a checker that finds nothing shows nothing"
    assert not found & missed
    assert missed < set(mutants)


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_checker_that_stops_at_the_first_fault_leaves_the_graver_one_unsaid(
    name: str, mutants: dict[str, Path]
) -> None:
    said = CHECKERS["stops at first"](mutants[name])
    assert len(said) == 1
    assert said < FINDABLE[name] <= goes_on(mutants[name])


def test_each_naive_checker_misses_something(
    mutants: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = []
    for name, check in CHECKERS.items():
        whole = [mutant for mutant, path in mutants.items() if FINDABLE[mutant] <= check(path)]
        assert len(whole) < len(mutants)
        lines.append(f"{name} says all of {len(whole)}")
    with capsys.disabled():
        print(f"\nnaive checkers, of {len(mutants)} vectors that popkit finds: {', '.join(lines)}")
