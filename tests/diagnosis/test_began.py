"""Since when: the lost proof was issued, a wallet reported, a refusal landed. Three moments, each
with how sure it is.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.began import AT_LATEST, EXACT, Began, Moment
from popkit.diagnosis.result import GrantDiagnosis
from popkit.drill.proofs import Proof
from popkit.drill.world import GrantHandle, Ticket, World, sound
from tests.diagnosis.judged import SIGNATURES, STORAGE, hide
from tests.simulation.expect import diagnose


def asked(path: Path, files: dict[str, Any], handle: GrantHandle) -> GrantDiagnosis:
    return diagnose(path, files).grant(handle.address)


def wedged(world: World, handle: GrantHandle) -> tuple[Proof, int, Ticket]:
    """A lost proof, a wallet that is refused in its simulation 20 s later, and one that sends all
    the same 100 s later.
    """
    lost = world.worker.issue(handle.address, world.address("lost"))
    world.tick(20)
    first = world.now
    world.simulate(handle, world.worker.issue(handle.address, world.address("quiet")), "quiet")
    world.tick(100)
    refused = world.ticket(handle, "late")
    assert refused.landed.error == 6026
    world.tick(900)
    return lost, first, refused


def test_the_three_moments_of_a_break_are_kept_apart(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost, reported, refused = wedged(world, handle)
    began = asked(tmp_path, world.collect(reports=True), handle).began
    assert began is not None
    assert began.lost_proof_issued == Moment(lost.issued_at, None, "worker", EXACT), (
        "a later anchor names its hash"
    )
    assert began.first_wallet_refused == Moment(reported, None, "client", AT_LATEST)
    assert began.first_refusal_landed == Moment(
        refused.landed.time, refused.landed.slot, "chain", EXACT
    )


def test_a_signed_or_recorded_time_of_issue_is_exact_and_an_assumed_one_is_not(
    tmp_path: Path,
) -> None:
    """The anchor tells the second of its append; the history and a child that names the entry hash
    confirm the signed one.
    """
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("lost"))
    world.tick(900)
    assumed = asked(tmp_path / "anchor", world.collect(), handle).began
    exact = asked(tmp_path / "history", world.collect(storage=True), handle).began
    assert assumed == (began_of(lost, AT_LATEST))
    assert exact == began_of(lost, EXACT)


def began_of(lost: Proof, certainty: str) -> Began:
    return Began(Moment(lost.issued_at, None, "worker", certainty), None, None)


def test_of_a_proof_that_nobody_knows_the_oldest_child_tells_at_latest(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("lost"))
    world.tick(20)
    child, second = world.ticket(handle, "dan"), world.ticket(handle, "eve")
    world.tick(900)
    began = asked(tmp_path, world.collect(worker=False), handle).began
    assert began is not None
    assert began.lost_proof_issued == Moment(child.proof.issued_at, None, "chain", AT_LATEST)
    assert began.first_refusal_landed == Moment(
        child.landed.time, child.landed.slot, "chain", EXACT
    )
    assert lost.issued_at < child.proof.issued_at < second.proof.issued_at


def test_an_earlier_refusal_may_be_missing_where_the_list_is_not_whole(tmp_path: Path) -> None:
    world, handle, done = sound()
    _, _, refused = wedged(world, handle)
    whole = world.collect()
    for name, files in {
        "no list": {key: rows for key, rows in whole.items() if key != SIGNATURES},
        "one was not given": hide(copy.deepcopy(whole), done[0].signature, listed=True),
    }.items():
        began = asked(tmp_path / name, files, handle).began
        assert began is not None, name
        assert began.first_refusal_landed == Moment(
            refused.landed.time, refused.landed.slot, "chain", AT_LATEST
        ), name


def test_a_burnt_proof_is_the_beginning(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    burnt = world.claim(handle, proof, "cat")
    world.tick(900)
    began = asked(tmp_path, world.collect(storage=True), handle).began
    assert began is not None
    assert began.lost_proof_issued == Moment(proof.issued_at, None, "worker", EXACT)
    assert began.first_refusal_landed == Moment(burnt.time, burnt.slot, "chain", EXACT)
    assert began.first_wallet_refused is None


def test_reports_from_before_the_loss_and_of_other_rules_are_not_its_beginning(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    liar = {
        "eventId": world.worker.event_of(handle.address),
        "wallet": world.address("liar"),
        "landed": False,
        "signature": None,
    }
    early = {
        **liar,
        "at": world.now,
        "message": "Error processing Instruction 1: custom program error: 0x178a",
        "logs": [],
    }
    world.tick(50)
    lost = world.worker.issue(handle.address, world.address("lost"))
    world.tick(20)
    paused = {
        **liar,
        "at": world.now,
        "message": "Error processing Instruction 1: custom program error: 0x1777",
        "logs": [],
    }
    landed = {**early, "at": world.now, "landed": True}
    world.tick(20)
    real = {**early, "at": world.now}
    world.tick(900)
    files = world.collect(reports=True)
    files["client/errors.jsonl"] = [early, paused, landed, real]
    began = asked(tmp_path, files, handle).began
    assert began is not None
    assert began.first_wallet_refused == Moment(real["at"], None, "client", AT_LATEST)
    assert began.first_wallet_refused.time > lost.issued_at


def test_where_nothing_broke_nothing_began(tmp_path: Path) -> None:
    world, handle, _ = sound()
    unused = world.grant(2)
    files = world.collect(reports=True)
    assert asked(tmp_path / "intact", files, handle).began is None
    assert asked(tmp_path / "unused", files, unused).began is None
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(5)
    assert asked(tmp_path / "in flight", world.collect(reports=True), handle).began is None


def test_of_a_grant_that_recovered_the_break_that_was(tmp_path: Path) -> None:
    """The operator put the heads back: the chain went on, and the proof that the refused claims
    waited for is named.
    """
    world, handle, _ = sound()
    backup = world.worker.backup()
    lost = world.worker.issue(handle.address, world.address("lost"))
    world.tick(700)
    refused = world.ticket(handle, "dan")
    world.worker.restore(backup, only_heads=True)
    world.tickets(handle, "eve", "fay")
    world.tick(30)
    found = asked(tmp_path, world.collect(), handle)
    assert found.verdict == "recovered"
    assert "abandoned_proof" in {cause.name for cause in found.causes}
    assert found.began is not None
    assert found.began.lost_proof_issued == Moment(lost.issued_at, None, "worker", EXACT)
    assert found.began.first_refusal_landed == Moment(
        refused.landed.time, refused.landed.slot, "chain", EXACT
    )


def test_under_relaxed_rules_the_first_burnt_claim(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    assert asked(tmp_path / "before", world.collect(), handle).began is None
    proof = world.worker.issue(handle.address, world.address("cat"), expected=world.head(handle))
    world.tick(5)
    world.switch(handle, "set_paused", {"paused": True})
    burnt = world.claim(handle, proof, "cat")
    world.tick(900)
    files = world.collect(storage=True)
    assert STORAGE in files
    began = asked(tmp_path / "burnt", files, handle).began
    assert began is not None
    assert began.lost_proof_issued == Moment(proof.issued_at, None, "worker", EXACT)
    assert began.first_refusal_landed == Moment(burnt.time, burnt.slot, "chain", EXACT)


@pytest.mark.parametrize("known", [True, False])
def test_a_moment_in_json(known: bool) -> None:
    slot = 7 if known else None
    assert Moment(5, slot, "chain", EXACT).as_json() == {
        "time": 5,
        "slot": slot,
        "source": "chain",
        "certainty": "exact",
    }
