"""Proofs that were never sent, burnt, or are still on their way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from popkit.drill.case import collect_at
from popkit.drill.proofs import GENESIS, sign_proof
from popkit.drill.world import GrantHandle, Ticket, World, sound
from tests.simulation.expect import ANY, bad, diagnose, expect


def lost_then(
    world: World, handle: GrantHandle, wallet: str, error: int, period: int = 0, **shape: Any
) -> Ticket:
    """A proof that lands refused by `error` now."""
    proof = world.worker.issue(handle.address, world.address(wallet), period)
    world.tick(3)
    ticket = Ticket(proof, world.claim(handle, proof, wallet, period, **shape))
    assert ticket.landed.error == error
    world.tick(20)
    return ticket


def test_abandoned_proof_landed_refusals(tmp_path: Path) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(30)
    refused = [world.ticket(handle, w) for w in ("dan", "eve")]
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(refused[0], "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address(w) for w in ("cat", "dan", "eve")},
    )
    assert found.exit_code == 1
    assert found.reconciliation.abandoned_proofs == sorted(
        [lost.entry, *(t.entry for t in refused)]
    )


BURNT = {
    "grant_expired": ("GrantExpired", 6008, {"expires_in": 300}),
    "vault_empty": ("InsufficientFunds", 6001, {"fund": 2}),
    "wrong_period": ("InvalidPeriodIndex", 6005, {"period_seconds": 600, "start_ago": 200}),
    "paused": ("Paused", 6007, {}),
    "proof_expired": ("PopProofExpired", 6024, {}),
}


@pytest.mark.parametrize("cause", BURNT)
def test_burnt_by_a_rule_that_is_not_the_chains(tmp_path: Path, cause: str) -> None:
    name, number, terms = BURNT[cause]
    world, handle, done = sound("strict", "A", "ann", "bob", **terms)
    proof = world.worker.issue(handle.address, world.address("cat"))
    if cause == "paused":
        world.switch(handle, "set_paused", {"paused": True})
    elif cause == "proof_expired":
        world.ms = (proof.issued_at + 601) * 1000
    elif cause != "vault_empty":
        world.tick(420)
    burnt = Ticket(proof, world.claim(handle, proof, "cat"))
    assert burnt.landed.error == number
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", cause},
        last_good=done[-1],
        first_bad=bad(burnt, name),
        missing=[burnt.entry],
        affected={world.address("cat")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize("cause", ["vault_empty", "paused"])
def test_a_burnt_proof_that_can_still_land_is_in_flight(tmp_path: Path, cause: str) -> None:
    _, number, terms = BURNT[cause]
    world, handle, done = sound("strict", "A", "ann", "bob", **terms)
    proof = world.worker.issue(handle.address, world.address("cat"))
    if cause == "paused":
        world.switch(handle, "set_paused", {"paused": True})
    assert world.claim(handle, proof, "cat").error == number
    world.tick(60)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "in_flight",
        last_good=done[-1],
        first_bad=ANY,
        missing=[proof.entry],
        heals_until=proof.issued_at + 600,
    )
    assert found.exit_code == 0


def test_the_first_proof_burnt_by_its_period(tmp_path: Path) -> None:
    world = World()
    handle = world.grant(period_seconds=600, start_ago=200)
    proof = world.worker.issue(handle.address, world.address("ann"))
    world.tick(420)
    burnt = Ticket(proof, world.claim(handle, proof, "ann"))
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", "genesis_mismatch", "wrong_period"},
        first_bad=bad(burnt, "InvalidPeriodIndex"),
        missing=[proof.entry],
        affected={world.address("ann")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("name", "number", "shape"),
    [
        ("AllowlistRequired", 6011, {}),
        ("InvalidPopSignatureProgram", 6016, {"misplaced": True}),
        ("AllowlistNotEnabled", 6012, {"list_proof": []}),
    ],
)
def test_burnt_by_a_rule_without_a_cause_of_its_own(
    tmp_path: Path, name: str, number: int, shape: dict[str, Any]
) -> None:
    world, handle, done = sound()
    if number == 6011:
        world.switch(handle, "set_allowlist_root", {"merkle_root": "77" * 32})
    burnt = lost_then(world, handle, "cat", number, **shape)
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(burnt, name),
        missing=[burnt.entry],
        affected={world.address("cat")},
    )
    assert found.exit_code == 1


def test_burnt_after_the_grant_was_closed(tmp_path: Path) -> None:
    world, handle, done = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "close_grant", {})
    burnt = Ticket(proof, world.claim(handle, proof, "cat"))
    assert burnt.landed.error == 3012
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(burnt, "AccountNotInitialized"),
        missing=[proof.entry],
        affected={world.address("cat")},
        closed=True,
    )
    assert found.exit_code == 1


@pytest.mark.parametrize("after", [False, True], ids=["nobody came after", "somebody came after"])
@pytest.mark.parametrize("cause", ["not_in_allowlist", "paused"])
def test_burnt_quietly_and_told_by_the_wallet(tmp_path: Path, cause: str, after: bool) -> None:
    world, handle, done = sound()
    shape: dict[str, Any] = {}
    lost = world.worker.issue(handle.address, world.address("cat"))
    if cause == "paused":
        world.switch(handle, "set_paused", {"paused": True})
    else:
        world.switch(handle, "set_allowlist_root", {"merkle_root": "77" * 32})
        shape = {"list_proof": [b"\1" * 32]}
    assert world.simulate(handle, lost, "cat", **shape).error in (6007, 6013)
    world.tick(30)
    first_bad, affected = None, {world.address("cat")}
    if after:
        if cause == "paused":
            world.switch(handle, "set_paused", {"paused": False})
        else:
            world.switch(handle, "set_allowlist_root", {"merkle_root": GENESIS})
        behind = world.worker.issue(handle.address, world.address("dan"))
        assert world.simulate(handle, behind, "dan").error == 6026
        first_bad, affected = bad(behind, "PopHashChainBroken"), affected | {world.address("dan")}
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", cause},
        last_good=done[-1],
        first_bad=first_bad,
        missing=[lost.entry],
        affected=affected,
        paused=cause == "paused" and not after,
    )
    assert found.exit_code == 1


def test_a_stranger_telling_tales_is_no_cause(tmp_path: Path) -> None:
    # The report is of somebody who holds no proof: it explains nothing of the proof that was lost.
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    theirs = sign_proof(
        world.key("stranger"),
        handle.address,
        world.address("mallory"),
        0,
        GENESIS,
        GENESIS,
        "ab" * 32,
        world.now,
    )
    world.simulate(handle, theirs, "mallory")
    world.switch(handle, "set_paused", {"paused": False})
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        missing=[lost.entry],
        affected={world.address("cat")},
    )
    assert found.exit_code == 1


def test_a_second_proof_for_a_claimed_period_is_burnt(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [cat] = world.tickets(handle, "cat")
    again = lost_then(world, handle, "cat", 0)
    found = diagnose(tmp_path, world.collect())
    # Even before 600 s: the receipt of another proof stands in its way.
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", "duplicate_claim"},
        last_good=cat,
        first_bad=bad(again, "Custom(0)"),
        missing=[again.entry],
    )
    assert found.exit_code == 1


def test_a_second_proof_for_a_claimed_period_that_was_never_sent(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [cat] = world.tickets(handle, "cat")
    again = world.worker.issue(handle.address, world.address("cat"))
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=cat, missing=[again.entry]
    )
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("age", "verdict"), [(30, "in_flight"), (600, "in_flight"), (601, "broken")]
)
def test_proofs_on_their_way(tmp_path: Path, age: int, verdict: str) -> None:
    world, handle, done = sound()
    proofs = []
    for wallet in ("cat", "dan", "eve"):
        proofs.append(world.worker.issue(handle.address, world.address(wallet)))
        world.tick(5)
    found = diagnose(tmp_path, collect_at(world, proofs[0].issued_at + age))
    if verdict == "in_flight":
        expect(
            found,
            handle,
            "in_flight",
            last_good=done[-1],
            missing=[proofs[0].entry],
            heals_until=proofs[0].issued_at + 600,
        )
    else:
        expect(
            found,
            handle,
            "broken",
            causes={"abandoned_proof"},
            last_good=done[-1],
            missing=[proofs[0].entry],
            first_bad=bad(proofs[1], None),
            affected={world.address(w) for w in ("cat", "dan", "eve")},
        )
    assert found.exit_code == (0 if verdict == "in_flight" else 1)


@pytest.mark.parametrize("period", [0, 1])
def test_a_wallet_that_asks_twice_while_its_first_proof_is_on_its_way(
    tmp_path: Path, period: int
) -> None:
    """Each could land alone, and both cannot; one for a period that begins only when it is too old
    cannot either.
    """
    world, handle, done = sound()
    first, between = (
        world.worker.issue(handle.address, world.address(wallet)) for wallet in ("cat", "dan")
    )
    again = world.worker.issue(handle.address, world.address("cat"), period)
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    affected = {world.address("cat"), world.address("dan")}
    first_bad = bad(between, None)
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        missing=[first.entry],
        first_bad=first_bad,
        affected=affected,
    )
    told = [
        (f.where[1], f.observed, f.severity) for f in found.findings if f.code == "proof_repeated"
    ]
    assert told == (
        [(again.entry, f"the proof {first.entry} as well", "warning")] if period == 0 else []
    )
    assert {cause.entries for cause in found.grants[0].causes} == {(again.entry,)}
    assert (found.exit_code, again.prev) == (1, between.entry)


def test_a_later_proof_that_cannot_land_ends_the_hope_of_an_earlier_one(tmp_path: Path) -> None:
    # cat's proof could land; ann's, on top of it, cannot: her period is claimed. The worker's head is ann's.
    world, handle, done = sound()
    first = world.worker.issue(handle.address, world.address("cat"))
    second = world.worker.issue(handle.address, world.address("ann"))
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        missing=[first.entry],
        first_bad=bad(second, None),
        affected={world.address("cat")},
    )
    assert second.prev == first.entry
    assert [cause.entries for cause in found.grants[0].causes] == [(second.entry,)]
    assert found.exit_code == 1


TOLD = {
    "grant_expired": (6008, {"expires_in": 300}),
    "vault_empty": (6001, {"fund": 2}),
    "wrong_period": (6005, {"period_seconds": 600, "start_ago": 200}),
    "proof_expired": (6024, {}),
    "duplicate_claim": (0, {}),
    "signer_mismatch": (6018, {}),
}


@pytest.mark.parametrize("cause", TOLD)
def test_burnt_quietly_by_every_rule_and_told_by_the_wallet(tmp_path: Path, cause: str) -> None:
    number, terms = TOLD[cause]
    world, handle, done = sound("strict", "A", "ann", "bob", **terms)
    if cause == "signer_mismatch":
        world.worker.key = world.key("second signer")
    wallet = "bob" if cause == "duplicate_claim" else "cat"
    lost = world.worker.issue(handle.address, world.address(wallet))
    world.tick({"grant_expired": 420, "wrong_period": 420, "proof_expired": 620}.get(cause, 5))
    assert world.simulate(handle, lost, wallet).error == number
    if cause == "signer_mismatch":
        world.name_signer(handle, world.worker.signer)
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    affected = set() if wallet == "bob" else {world.address(wallet)}
    causes = {"abandoned_proof", cause}
    expect(
        found,
        handle,
        "broken",
        causes=causes,
        last_good=done[-1],
        missing=[lost.entry],
        affected=affected,
    )
    assert found.exit_code == 1
    named = {told.name: told.entries for told in found.grants[0].causes}
    assert named[cause] == (lost.entry,)


def test_a_wrong_signer_breaks_every_grant_of_its_authority(tmp_path: Path) -> None:
    world = World()
    grants = [world.grant(n) for n in (1, 2)]
    for handle in grants:
        world.tickets(handle, "ann")
    world.worker.key = world.key("second signer")
    refused = [world.ticket(handle, "bob") for handle in grants]
    assert [t.landed.error for t in refused] == [6018, 6018]
    world.name_signer(grants[0], world.worker.signer)
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    for handle, ticket in zip(grants, refused, strict=True):
        expect(
            found,
            handle,
            "broken",
            causes={"abandoned_proof", "signer_mismatch"},
            last_good=ANY,
            first_bad=bad(ticket, "InvalidPopSigner"),
            missing=[ticket.entry],
            affected={world.address("bob")},
        )
    assert found.exit_code == 1
