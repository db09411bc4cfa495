"""Recorded cases with less of the worker, and with accounts of earlier moments: true or weaker; a
share of `tests.worlds.recorded`.
"""

from __future__ import annotations

import pytest

from tests.conftest import ANSWERS, CASES
from tests.worlds.recorded import Recording, cuts, wrong
from tests.worlds.run import answer

NAMES = ("quiet-tail", "in-flight", "abandoned-proof", "out-of-order", "storage-only")


@pytest.mark.parametrize("name", NAMES)
def test_less_of_a_recording_is_true_or_weaker(name: str) -> None:
    recording = Recording(CASES / name, ANSWERS / f"{name}.answer.json")
    asked, found = 0, []
    for what, files, now in cuts(recording, every=20):
        asked += 1
        found += [
            f"{what}: {kind}: {text}" for kind, text in wrong(recording, files, answer(files), now)
        ]
    assert asked > 4
    assert found == []
