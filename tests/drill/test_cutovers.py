"""Incidents cut over to a verified new grant, unattended, as an operator does who knows the answer;
and those that need none, refused.
"""

from __future__ import annotations

import pytest

from popkit.drill.cutover import EXPECTED, VERIFIED, rehearsing, to_the_end

WHOLE = (
    ("abandoned-quiet", "strict", False),
    ("genesis-abandoned", "strict_v2", True),
    ("foreign-issuer", "strict", True),
    ("grant-expired", "strict", False),
    ("signer-mismatch", "relaxed", False),
    ("signer-mismatch", "head", False),
    ("foreign-issuer-relaxed", "head", False),
)
REFUSED = (
    ("in-flight", "strict"),
    ("out-of-order", "strict_v2"),
    ("abandoned-proof", "relaxed"),
    ("relaxed-race", "head"),
)


@pytest.mark.parametrize(("incident", "era", "by_roles"), WHOLE)
def test_from_the_incident_to_a_verified_grant_and_a_record_that_holds(
    incident: str, era: str, by_roles: bool
) -> None:
    with rehearsing(incident, era, 4) as held:
        assert EXPECTED[held.stage.truth().remedy] == VERIFIED
        assert to_the_end(held, by_roles=by_roles) == VERIFIED


@pytest.mark.parametrize(("incident", "era"), REFUSED)
def test_what_needs_no_cutover_is_refused_one(incident: str, era: str) -> None:
    with rehearsing(incident, era, 4) as held:
        assert to_the_end(held) == EXPECTED[held.stage.truth().remedy]
        assert not (held.folder / "run").exists()
