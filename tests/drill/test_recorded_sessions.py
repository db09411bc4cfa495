"""The drill's node and program against recorded cutovers: every request of a client put to it in
order, from the recorded start.
"""

from __future__ import annotations

import pytest

from tests.drill.sessions import differences

ERAS = ("strict", "strict_v2", "relaxed", "head")


@pytest.mark.parametrize("session", ["cutover", "refused", "sending"])
@pytest.mark.parametrize("era", ERAS)
def test_a_recorded_session_comes_out_as_recorded(era: str, session: str) -> None:
    assert list(differences(era, session)) == []


def test_another_build_of_the_program_is_seen() -> None:
    wrong = "\n".join(differences("strict", "refused", build="relaxed"))
    assert "first claim on the new grant, by the second proof" in wrong
    assert "6028" in wrong
