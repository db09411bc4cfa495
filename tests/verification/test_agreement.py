"""popkit and the stand-alone checker, which share no code, agree: on every attack vector and on
histories at random.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from popkit import open_case
from popkit.drill.case import write_case
from popkit.errors import ManifestMismatch
from popkit.verification.attacks import ATTACKS, UNREADABLE, Attack
from tests.attacks.build import write_mutant
from tests.held import held_to_its_words
from tests.simulation.history import BUILDS, PARTS, leave_out, play, steps
from tests.verification.standalone import CHECK, numbers, outcome

SEEN_AS = {
    "forged_transaction": 2,
    "outcome_contradictory": 2,
    "receipt_contradicts_claim": 6,
    "period_claimed_twice": 6,
    "order_contradicts_links": 7,
    "state_contradicts_claims": 8,
}
"""What popkit finds of the chain's own evidence, and the check that must say it too. The other
findings are of the worker's side, or of balances, at which the checker does not look.
"""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_on_every_vector(
    attack: Attack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = write_mutant(attack.name, tmp_path / "mutant")
    if attack.verdict == UNREADABLE:
        with pytest.raises(ManifestMismatch):
            open_case(case)
        code, lines = outcome(case, None, capsys)
        assert (code, numbers(lines)) == (1, {1})
        return
    diagnosis = held_to_its_words(case)
    code, lines = outcome(case, json.loads(diagnosis.dumps()), capsys)
    violated, found = numbers(lines), {finding.code for finding in diagnosis.findings}
    assert 10 not in violated | numbers(lines, "cannot tell"), lines
    expected = {SEEN_AS[name] for name in found if name in SEEN_AS}
    assert expected <= violated
    assert bool(expected) == bool(violated)
    gap = "entry_unseen" in found or any(row.heads["on_chain"] is None for row in diagnosis.grants)
    assert (9 in numbers(lines, "cannot tell")) == gap
    assert code == (1 if violated else 3 if gap else 0)


@given(
    st.sampled_from(BUILDS),
    steps,
    st.sampled_from(["nothing", *PARTS]),
    st.randoms(use_true_random=False),
)
@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_on_histories_at_random(
    build: tuple[str, str], told: list[tuple[str, int]], part: str, chance: random.Random
) -> None:
    history, files = play(build, told, 60)
    with tempfile.TemporaryDirectory() as path:
        case = write_case(
            Path(path), files if part == "nothing" else leave_out(files, part, chance)
        )
        diagnosis, read = held_to_its_words(case), CHECK.Case(case)
        told_apart = list(CHECK.check_findings(read, json.loads(diagnosis.dumps())))
        assert [line for line in told_apart if line[1] != "cannot tell"] == []
        if not read.unread:  # that the rules are relaxed may show in the worker's records alone, at which the checker does not look
            assert all(
                history.relaxed and text.startswith("unseen_entries ") for _, _, text in told_apart
            )
