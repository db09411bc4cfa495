"""Incidents played, collected and diagnosed: popkit's answer is what was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from popkit.drill.incidents import ACTS, INCIDENTS
from popkit.drill.machine import PROGRAM_DATA
from popkit.drill.rehearsal import differences, in_process, over_http
from popkit.drill.stage import ERAS
from popkit.texts import LANGUAGES, speak

SINGLE = [
    (name, era)
    for name, incident in INCIDENTS.items()
    if len(incident.acts) == 1
    for era in incident.eras
]
MIXED = [
    (name, incident.eras[len(name) % len(incident.eras)])
    for name, incident in INCIDENTS.items()
    if len(incident.acts) == 2
]
OVER_HTTP = [*SINGLE[::5], ("in-flight", "strict"), ("in-flight", "strict_v2")]


@pytest.mark.parametrize(("name", "era"), SINGLE)
def test_every_incident_in_every_era(name: str, era: str, tmp_path: Path) -> None:
    found = in_process(name, era, 11, tmp_path / "case")
    assert found.differs == {}


@pytest.mark.parametrize(("name", "era"), MIXED[::2])
def test_mixtures_of_two(name: str, era: str, tmp_path: Path) -> None:
    found = in_process(name, era, 12, tmp_path / "case")
    assert found.differs == {}


@pytest.mark.parametrize(("name", "era"), OVER_HTTP)
def test_collected_over_http(name: str, era: str, tmp_path: Path) -> None:
    found = over_http(name, era, 13, tmp_path / "case")
    assert found.differs == {}


def test_every_era_and_every_kind_of_answer_is_rehearsed() -> None:
    truths = [INCIDENTS[name].play(era, 1).truth() for name, era in SINGLE]
    assert {truth.verdict for truth in truths} == {
        "intact",
        "recovered",
        "in_flight",
        "broken",
        "unused",
    }
    assert {cause for truth in truths for cause in truth.causes} >= {
        "abandoned_proof", "genesis_mismatch", "out_of_order", "foreign_issuer", "worker_head_reset", "worker_head_rollback",
        "stream_divergence", "signer_mismatch", "proof_expired", "duplicate_claim", "not_in_allowlist", "paused", "grant_expired",
        "vault_empty", "wrong_period",
    }  # fmt: skip
    assert {era for _, era in SINGLE} == set(ERAS)
    assert {truth.remedy for truth in truths} == {"none", "wait", "switch", "signer", "key"}


def test_a_wrong_answer_is_seen() -> None:
    stage = INCIDENTS["abandoned-proof"].play("strict", 2)
    truth = stage.truth()
    row = {
        "verdict": "intact", "causes": ["abandoned_proof"], "last_good": {"signature": truth.last_good}, "first_bad": None,
        "affected_claimers": list(truth.affected or ()), "began": {"lost_proof_issued": {"time": 1, "certainty": "exact"}},
    }  # fmt: skip
    assert set(differences(truth, row, 0)) == {"verdict", "first_bad", "exit_code", "began"}


def test_an_incident_is_the_same_again_with_the_same_seed() -> None:
    first, again, other = (INCIDENTS["abandoned-proof"].play("strict", seed) for seed in (5, 5, 6))
    assert first.world.collect() == again.world.collect()
    assert first.truth() == again.truth() != other.truth()
    with pytest.raises(ValueError, match="cannot happen in relaxed"):
        INCIDENTS["genesis-abandoned"].play("relaxed")


def test_every_sentence_stands_in_both_languages() -> None:
    for act in ACTS.values():
        assert len({speak(act.told(), language) for language in LANGUAGES}) == len(LANGUAGES)


def test_an_upgrade_stands_in_the_chain_of_before_and_after() -> None:
    stage = INCIDENTS["upgrade-heals-nothing"].play("strict", 4)
    world = stage.world
    first, last = (
        ledger.accounts[PROGRAM_DATA].data for _, ledger in (world.ledgers[0], world.ledgers[-1])
    )
    assert (b"build strict\0" in first, b"build strict_v2\0" in last) == (True, True)
    deployed = int.from_bytes(last[4:12], "little")
    assert world.first_slot < deployed < world.slot
    refused = [refusal.landed for refusal in stage.refused if refusal.landed.error == 6026]
    assert {landed.slot > deployed for landed in refused} == {True, False}, (
        "refused before and after"
    )
