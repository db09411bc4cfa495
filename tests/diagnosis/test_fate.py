"""What became of a proof: landed, can land, lost or not known, and by what evidence each is
decided.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.drill.case import collect_at
from popkit.drill.proofs import Proof as Issued
from popkit.drill.world import GrantHandle, World, sound
from popkit.worker.fate import CAN_LAND, LANDED, LOST, NOT_KNOWN, Fates
from tests.bench_diagnose import write_case
from tests.diagnosis.judged import (
    ACCOUNTS,
    SIGNATURES,
    TRANSACTIONS,
    account,
    fates_of,
    forget,
    hide,
    read_earlier,
    receipt,
    stated_whole,
)


def fate(fates: Fates, issued: Issued) -> str:
    return fates.of(fates.line.proofs[issued.entry])


# -- the moments at which a proof can land no more --


@pytest.mark.parametrize(("age", "wanted"), [(10, CAN_LAND), (600, CAN_LAND), (601, LOST)])
def test_a_proof_can_land_for_six_hundred_seconds(tmp_path: Path, age: int, wanted: str) -> None:
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    fates = fates_of(tmp_path, collect_at(world, issued.issued_at + age), handle)
    assert fate(fates, issued) == wanted
    assert fates.last_second(fates.line.proofs[issued.entry]) == issued.issued_at + 600


@pytest.mark.parametrize(("late", "wanted"), [(0, CAN_LAND), (1, LOST)])
@pytest.mark.parametrize("ends", ["the period", "the grant"])
def test_a_proof_lands_no_more_when_its_period_or_its_grant_is_over(
    tmp_path: Path, ends: str, late: int, wanted: str
) -> None:
    world = World()
    # a period of an hour ends with its last second; a grant takes claims in the second of its expiry
    terms: dict[str, Any] = (
        {"period_seconds": 3600} if ends == "the period" else {"expires_in": 3600}
    )
    handle = world.grant(start_ago=0, **terms)
    last = world.ledger.grants[handle.address].start_ts + (3599 if ends == "the period" else 3600)
    world.ms = (last - 100) * 1000
    issued = world.worker.issue(handle.address, world.address("ann"))
    fates = fates_of(tmp_path, collect_at(world, last + late), handle)
    assert fates.last_second(fates.line.proofs[issued.entry]) == last
    assert fate(fates, issued) == wanted


@pytest.mark.parametrize(("period", "wanted"), [(0, LOST), (1, CAN_LAND), (2, LOST)])
def test_a_proof_for_a_period_that_is_over_or_begins_too_late(
    tmp_path: Path, period: int, wanted: str
) -> None:
    """Issued in period 0 for a period that begins before the proof is 600 s old, it can still land."""
    world = World()
    handle = world.grant(period_seconds=3600, start_ago=3599 if period == 0 else 3300)
    world.tick(5 if period == 0 else 0)
    issued = world.worker.issue(handle.address, world.address("ann"), period)
    world.tick(30)
    assert fate(fates_of(tmp_path, world.collect(), handle), issued) == wanted


@pytest.mark.parametrize("lifted", ["paused", "signer", "empty"])
def test_what_can_be_lifted_in_time_ends_no_proof(tmp_path: Path, lifted: str) -> None:
    world = World()
    handle = world.grant(fund=0 if lifted == "empty" else 500)
    issued = world.worker.issue(handle.address, world.address("ann"))
    if lifted == "paused":
        world.switch(handle, "set_paused", {"paused": True})
    if lifted == "signer":
        world.name_signer(handle, str(world.key("another").pubkey()))
    assert world.claim(handle, issued, "ann").err is not None
    world.tick(30)
    assert fate(fates_of(tmp_path, world.collect(), handle), issued) == CAN_LAND


# -- a proof is lost only by a chain that was read after it could land no more --


@pytest.mark.parametrize(("age", "wanted"), [(600, NOT_KNOWN), (5000, LOST)])
def test_pop_state_read_before_a_proof_could_land_no_more_does_not_lose_it(
    tmp_path: Path, age: int, wanted: str
) -> None:
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    then = collect_at(world, issued.issued_at + age)
    now = collect_at(world, issued.issued_at + 6000)
    assert fate(fates_of(tmp_path, read_earlier(now, then, handle.state), handle), issued) == wanted


def test_a_pop_state_without_a_slot_has_no_age(tmp_path: Path) -> None:
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    files = collect_at(world, issued.issued_at + 2000)
    account(files, handle.state)["slot"] = None
    fates = fates_of(tmp_path, files, handle)
    assert fate(fates, issued) == NOT_KNOWN
    assert fates.read_at is not None
    assert fates.read_at < issued.issued_at, (
        "it is only known to have been read after the claim that it names"
    )


@pytest.mark.parametrize(("wait", "wanted"), [(20, CAN_LAND), (2000, LOST)])
def test_without_pop_state_only_a_list_that_is_stated_to_be_whole_tells(
    wait: int, wanted: str, tmp_path: Path
) -> None:
    """Rows of others that are younger show nothing: a node can leave one claim out and list what
    came after it.
    """
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    world.tick(wait)
    world.tickets(world.grant(2), "dan")
    files = forget(world.collect(), handle.state)
    assert fate(fates_of(tmp_path / "quiet", files, handle), issued) == NOT_KNOWN
    assert (
        fate(fates_of(tmp_path / "stated", stated_whole(dict(files), handle), handle), issued)
        == wanted
    )
    partly = stated_whole(dict(files), handle, complete=False, because=["a page is missing"])
    assert fate(fates_of(tmp_path / "not whole", partly, handle), issued) == NOT_KNOWN
    other = stated_whole(dict(files), handle, address=handle.config)
    assert fate(fates_of(tmp_path / "another list", other, handle), issued) == NOT_KNOWN


@pytest.mark.parametrize(("wait", "wanted"), [(596, NOT_KNOWN), (597, LOST)])
def test_a_refusal_of_a_child_loses_a_proof_once_it_could_land_no_more(
    wait: int, wanted: str, tmp_path: Path
) -> None:
    """Before that the parent may have landed later, in a transaction that the node did not give."""
    world, handle, done = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    world.tick(wait)
    assert world.ticket(handle, "dan").landed.error == 6026
    world.tick(900)
    files = hide(forget(world.collect(), handle.state), done[0].signature, listed=True)
    assert fate(fates_of(tmp_path, files, handle), issued) == wanted


# -- what landed, and what a receipt tells of --


def test_what_landed_and_whose_period_is_claimed(tmp_path: Path) -> None:
    world, handle, done = sound()
    again = world.worker.issue(handle.address, world.address("bob"))
    fates = fates_of(tmp_path, world.collect(), handle)
    assert (fate(fates, done[-1].proof), fate(fates, again)) == (LANDED, LOST)


@pytest.mark.parametrize("told_by", ["transaction", "receipt", "PopState", "nothing"])
def test_a_claimed_period_shows_by_transaction_by_receipt_and_by_pop_state(
    tmp_path: Path, told_by: str
) -> None:
    world, handle, done = sound()
    files = world.collect()
    if told_by != "transaction":
        hide(files, done[-1].signature)
    if told_by != "receipt":
        forget(files, receipt(world, handle, "bob"))
    if told_by != "PopState":
        forget(files, handle.state)
    fates = fates_of(tmp_path, files, handle)
    assert fates.is_claimed(world.address("bob"), 0) is (told_by != "nothing")
    assert not fates.is_claimed(world.address("bob"), 1)
    assert not fates.is_claimed(world.address("cat"), 0)


def test_a_receipt_that_is_said_not_to_exist_claims_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    world.simulate(handle, issued, "cat", tell=False)
    files = world.collect()
    assert account(files, receipt(world, handle, "cat"))["account"] is None
    assert not fates_of(tmp_path, files, handle).is_claimed(world.address("cat"), 0)


def test_periods_of_one_grant_are_not_those_of_another(tmp_path: Path) -> None:
    world, one, _ = sound()
    two = world.grant(2)
    files = forget(world.collect(), receipt(world, one, "ann"))
    assert fates_of(tmp_path / "one", files, one).is_claimed(world.address("ann"), 0)
    assert not fates_of(tmp_path / "two", files, two).is_claimed(world.address("ann"), 0)


def test_a_claim_from_before_proofs_claims_its_period(tmp_path: Path) -> None:
    world = World("pre_pop")
    handle = world.grant()
    world.claim(handle, None, "ann")
    files = forget(world.collect(), receipt(world, handle, "ann"))
    assert fates_of(tmp_path, files, handle).is_claimed(world.address("ann"), 0)


def landed_and_hidden(
    world: World, handle: GrantHandle, tell: bool = False
) -> tuple[Issued, dict[str, Any], dict[str, Any]]:
    """A claim that landed after PopState was read and that the node did not give: (its proof, the
    case then, the case now).
    """
    then = world.collect()
    world.tick(5)
    last = world.ticket(handle, "cat", tell=tell)
    world.tick(900)
    return last.proof, then, hide(world.collect(), last.signature)


def test_a_receipt_younger_than_pop_state_may_be_that_of_a_proof_on_the_way(tmp_path: Path) -> None:
    world, handle, _ = sound()
    issued, then, now = landed_and_hidden(world, handle)
    read_earlier(now, then, handle.state)
    assert fate(fates_of(tmp_path, now, handle), issued) == NOT_KNOWN


@pytest.mark.parametrize(("build", "wanted"), [("strict", LOST), ("relaxed", NOT_KNOWN)])
def test_a_receipt_as_old_as_pop_state_is_another_s_where_rules_are_strict(
    build: str, wanted: str, tmp_path: Path
) -> None:
    """Strict rules would have made the proof the head; relaxed ones move no head for one that was
    issued earlier.
    """
    world, handle, done = sound(build, "A" if build == "strict" else "D", "ann", "bob", "cat")
    twin = world.worker.issue(
        handle.address, world.address("cat")
    )  # cat's receipt is that of the first proof
    world.tick(30)
    files = hide(world.collect(), done[-1].signature)
    assert account(files, receipt(world, handle, "cat"))["account"] is not None
    fates = fates_of(tmp_path, files, handle)
    assert fates.of(fates.line.proofs[twin.entry]) == LOST, (
        "PopState names the first proof, so that it landed"
    )
    hidden = hide(copy.deepcopy(files), done[1].signature)
    if build == "strict":
        assert fate(fates_of(tmp_path / "below", hidden, handle), done[1].proof) == LANDED, (
            "what an accepted claim rests on landed"
        )
    else:
        assert fate(fates_of(tmp_path / "below", hidden, handle), done[1].proof) == NOT_KNOWN


@pytest.mark.parametrize(
    "by", ["receipt", "record", "no accepted claim carries the proof, and it can land no more"]
)
def test_without_pop_state_a_receipt_or_a_record_may_be_of_the_proof(
    tmp_path: Path, by: str
) -> None:
    world, handle, _ = sound()
    issued, _, files = landed_and_hidden(world, handle, tell=by == "record")
    world.ticket(handle, "fay")
    forget(files, handle.state)
    if by != "receipt":
        forget(files, receipt(world, handle, "cat"))
    fates = fates_of(tmp_path, files, handle)
    assert fates.may_have_landed(fates.line.proofs[issued.entry]) is (
        by != "no accepted claim carries the proof, and it can land no more"
    )
    assert fate(fates, issued) == NOT_KNOWN


def test_a_record_of_another_grant_or_of_an_off_chain_claim_tells_of_no_landing(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    elsewhere = world.ticket(other, "cat")
    world.worker.claim_record(handle.address, world.address("cat"), None, None)
    issued = world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    fates = fates_of(
        tmp_path, hide(forget(world.collect(), handle.state), elsewhere.signature), handle
    )
    assert not fates.may_have_landed(fates.line.proofs[issued.entry])


# -- whether the head is known --


def certain(path: Path, files: dict[str, Any], handle: GrantHandle) -> bool:
    return fates_of(path, files, handle).head_is_certain


def test_the_head_is_certain_by_pop_state_or_by_a_list_that_is_whole(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    bare = forget(copy.deepcopy(files), handle.state)
    assert certain(
        tmp_path / "PopState", hide(copy.deepcopy(files), done[-1].signature, listed=True), handle
    )
    assert not certain(tmp_path / "a list", copy.deepcopy(bare), handle), (
        "what a node leaves out of it shows nowhere"
    )
    stated_whole(bare, handle)
    assert certain(tmp_path / "a list that is whole", bare, handle)
    assert not certain(
        tmp_path / "a listed claim is missing",
        hide(copy.deepcopy(bare), done[-1].signature, listed=True),
        handle,
    )
    unlisted = {
        **bare,
        SIGNATURES: [row for row in bare[SIGNATURES] if row["address"] != handle.address],
    }
    assert not certain(tmp_path / "the grant was not listed", unlisted, handle)
    for name in (SIGNATURES, TRANSACTIONS):
        left = {key: rows for key, rows in bare.items() if key != name}
        assert not certain(tmp_path / f"no {Path(name).stem}", left, handle)


def test_what_failed_or_touches_another_grant_does_not_move_a_head(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    [elsewhere] = world.tickets(other, "ann")
    refused = world.claim(handle, world.worker.issue(handle.address, world.address("bob")), "bob")
    bare = forget(world.collect(), handle.state, other.state)
    bare[SIGNATURES] = [
        row for row in bare[SIGNATURES] if row["address"] in (handle.address, other.address)
    ]
    stated_whole(bare, handle)
    for name, missing in {"failed": refused.signature, "elsewhere": elsewhere.signature}.items():
        assert certain(tmp_path / name, hide(copy.deepcopy(bare), missing, listed=True), handle), (
            name
        )
    assert certain(tmp_path / "given", stated_whole(dict(bare), other), other)
    theirs = hide(stated_whole(copy.deepcopy(bare), other), elsewhere.signature, listed=True)
    assert not certain(tmp_path / "theirs", theirs, other)


def test_a_pop_state_older_than_the_claims_is_not_the_head(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    account(files, handle.state)["slot"] = 1
    assert not certain(tmp_path / "older", copy.deepcopy(files), handle)
    stated_whole(files, handle)
    assert certain(tmp_path / "listed", files, handle)
    assert not certain(
        tmp_path / "not listed", {k: v for k, v in files.items() if k != SIGNATURES}, handle
    )
    assert ACCOUNTS in files


def test_the_work_on_a_long_line_grows_with_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    last_second = Fates.last_second
    monkeypatch.setattr(
        Fates,
        "last_second",
        lambda self, proof: asked.append(proof.entry_hash) or last_second(self, proof),
    )
    counts = []
    for count in (20, 40):
        write_case(tmp_path / str(count), count, "lost")
        asked.clear()
        facts = popkit.open_case(tmp_path / str(count)).facts
        fates = Fates(facts, facts.line(facts.header.grants[0]))
        found = {fates.of(proof) for proof in fates.line.proofs.values()}
        assert LANDED in found
        assert CAN_LAND not in found
        counts.append(len(asked))
    assert counts[1] <= 2 * counts[0] + 10
