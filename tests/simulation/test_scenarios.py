"""Incidents that were never recorded, made in the simulation: what popkit must say of each follows from the design alone."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.protocol import pda
from tests.simulation.expect import ANY, bad, codes, diagnose, expect
from tests.simulation.program import GENESIS
from tests.simulation.world import GrantHandle, Ticket, World
from tests.simulation.worker import Worker, sign_proof


def sound(build: str = "strict", model: str = "A", *wallets: str, **terms: Any) -> tuple[World, GrantHandle, list[Ticket]]:
    """A world with one grant and ordinary tickets on it."""
    world = World(build, model)
    handle = world.grant(**terms)
    return world, handle, world.tickets(handle, *(wallets or ("ann", "bob")))


# -- sound chains: nothing may be raised -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("build", "model"), [("strict", "A"), ("strict_v2", "B"), ("relaxed", "D"), ("head", "D")])
@pytest.mark.parametrize("shape", [{}, {"budget": True}, {"v0": True}, {"lookup": True}, {"cpi": True}])
def test_sound_claims_of_every_shape(tmp_path: Path, build: str, model: str, shape: dict[str, Any]) -> None:
    world = World(build, model)
    handle = world.grant()
    done = world.tickets(handle, "ann", "bob", "cat", from_chain=model == "D", **shape)
    found = diagnose(tmp_path, world.collect(storage=True, receipts=True, reports=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    assert codes(found, "critical") == codes(found, "warning") == set()
    assert found.coverage.complete


def test_rows_of_one_millisecond(tmp_path: Path) -> None:
    world = World()
    world.worker.step_ms = 0
    handle = world.grant()
    done = world.tickets(handle, "ann", "bob", "cat")
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    assert found.audit.verdict == "holds"


def test_claims_of_one_slot_are_ordered_by_their_links(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proofs = [world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan", "eve")]
    landed = [world.claim(handle, p, w) for p, w in zip(proofs, ("cat", "dan", "eve"), strict=True)]
    assert len({t.slot for t in landed}) == 1
    assert [t.err for t in landed] == [None] * 3
    files = world.collect()
    files["rpc/transactions.jsonl"].reverse()
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=Ticket(proofs[-1], landed[-1]))
    assert found.exit_code == 0


def test_one_proof_sent_twice_burns_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    first, second = world.claim(handle, proof, "cat"), world.claim(handle, proof, "cat")
    assert (first.error, second.error) == (None, 0)
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=Ticket(proof, first))
    assert found.exit_code == 0


def test_a_proof_refused_by_another_rule_and_accepted_later_burns_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    assert world.claim(handle, proof, "cat", misplaced=True).error == 6016
    world.tick(30)
    done = world.claim(handle, proof, "cat")
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=Ticket(proof, done))
    assert found.exit_code == 0


def test_a_proof_of_six_hundred_seconds_is_accepted(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.ms = (proof.issued_at + 600) * 1000
    done = world.claim(handle, proof, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=Ticket(proof, done))
    assert found.exit_code == 0


def test_terms_rewritten_on_a_running_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    old = world.ledger.grants[handle.address]
    terms = {"grant_id": 1, "amount_per_period": 3, "period_seconds": 86400, "start_ts": old.start_ts, "expires_at": 0}
    world.send([world.create_call(handle, terms)], "school")
    world.tick(5)
    [last] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0
    assert "terms_rewritten" in codes(found)
    assert "amount_differs" not in codes(found)


def test_terms_updated_by_the_newest_program(tmp_path: Path) -> None:
    world = World("head", "D")
    handle = world.grant()
    world.tickets(handle, "ann", from_chain=True)
    world.switch(handle, "update_grant", {"amount_per_period": 5, "period_seconds": 86400 * 30, "expires_at": 0})
    [last] = world.tickets(handle, "bob", from_chain=True)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0
    assert not {"amount_differs", "period_differs"} & codes(found)


def test_a_closed_grant_is_a_finding_and_no_break(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.switch(handle, "close_grant", {})
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=done[-1], closed=True)
    assert found.exit_code == 0
    assert "grant_closed" in codes(found)


def test_a_paused_grant_is_a_finding_and_no_break(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.switch(handle, "set_paused", {"paused": True})
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=done[-1], paused=True)
    assert found.exit_code == 0
    assert "grant_paused" in codes(found)


def test_an_expired_grant_and_an_empty_vault_are_no_breaks(tmp_path: Path) -> None:
    world = World()
    over, empty = world.grant(1, expires_in=200), world.grant(2, fund=1)
    [a], [b] = world.tickets(over, "ann"), world.tickets(empty, "bob")
    world.tick(1000)
    found = diagnose(tmp_path, world.collect())
    expect(found, over, "intact", last_good=a)
    expect(found, empty, "intact", last_good=b)
    assert found.exit_code == 0
    assert {"grant_over", "vault_low"} <= codes(found)


def test_nine_account_claims_and_then_proofs(tmp_path: Path) -> None:
    world = World("pre_pop")
    handle = world.grant()
    for wallet in ("ann", "bob"):
        assert world.claim(handle, None, wallet).err is None
        world.tick(30)
    world.tick(86400 * 4)
    world.build = "strict"
    world.name_signer(handle, world.worker.signer)
    done = world.tickets(handle, "cat", "dan")
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    assert {"pre_pop", "strict"} <= set(row["eras"])


def test_nine_account_claims_alone(tmp_path: Path) -> None:
    world = World("pre_pop")
    handle = world.grant()
    done = [world.claim(handle, None, wallet) for wallet in ("ann", "bob")]
    found = diagnose(tmp_path, world.collect())
    last = [done[-1].signature, None, done[-1].slot, done[-1].time]
    row = expect(found, handle, "intact", last_good=ANY)
    # Both landed in one slot and no link orders them.
    assert row["last_good"]["signature"] in {t.signature for t in done}
    assert [row["last_good"][k] for k in ("entry_hash", "slot")] == last[1:3]
    assert found.exit_code == 0


def test_a_signer_rotated_in_step_with_pop_config(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.key = world.key("second signer")
    world.name_signer(handle, world.worker.signer)
    [last] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0


def test_strangers_failing_claims_are_noise(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    mallory, stranger = world.address("mallory"), world.key("stranger")
    head, now, audit = world.head(handle), world.now, "ab" * 32
    theirs = sign_proof(stranger, handle.address, mallory, 0, head, head, audit, now)
    forged_entry = sign_proof(world.worker.key, handle.address, mallory, 0, head, head, audit, now)
    broken_message = bytearray(forged_entry.message)
    broken_message[170] ^= 1
    bad_entry = copy.copy(forged_entry)
    object.__setattr__(bad_entry, "message", bytes(broken_message))
    object.__setattr__(bad_entry, "signature", bytes(world.worker.key.sign_message(bytes(broken_message))))
    for_ann = sign_proof(world.worker.key, handle.address, world.address("ann"), 0, head, head, audit, now)
    for_other = sign_proof(world.worker.key, other.address, mallory, 0, GENESIS, GENESIS, audit, now)
    seen = [world.claim(handle, p, "mallory").error for p in (theirs, bad_entry, for_ann, for_other)]
    assert seen == [6018, 6025, 6022, 6021]
    [last] = world.tickets(handle, "cat")
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    expect(found, other, "unused")
    assert found.exit_code == 0
    assert "noise" in codes(found)


# -- lost and burnt proofs ---------------------------------------------------------------------------------------------------------


def lost_then(world: World, handle: GrantHandle, wallet: str, error: int, period: int = 0, **shape: Any) -> Ticket:
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
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done[-1], first_bad=bad(refused[0], "PopHashChainBroken"),
        missing=[lost.entry], affected={world.address(w) for w in ("cat", "dan", "eve")},
    )  # fmt: skip
    assert found.exit_code == 1
    assert found.reconciliation.abandoned_proofs == sorted([lost.entry, *(t.entry for t in refused)])


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
        found, handle, "broken", causes={"abandoned_proof", cause}, last_good=done[-1], first_bad=bad(burnt, name), missing=[burnt.entry],
        affected={world.address("cat")},
    )  # fmt: skip
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
    expect(found, handle, "in_flight", last_good=done[-1], first_bad=ANY, missing=[proof.entry], heals_until=proof.issued_at + 600)
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
        found, handle, "broken", causes={"abandoned_proof", "genesis_mismatch", "wrong_period"}, first_bad=bad(burnt, "InvalidPeriodIndex"),
        missing=[proof.entry], affected={world.address("ann")},
    )  # fmt: skip
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("name", "number", "shape"),
    [("AllowlistRequired", 6011, {}), ("InvalidPopSignatureProgram", 6016, {"misplaced": True}), ("AllowlistNotEnabled", 6012, {"list_proof": []})],
)
def test_burnt_by_a_rule_without_a_cause_of_its_own(tmp_path: Path, name: str, number: int, shape: dict[str, Any]) -> None:
    world, handle, done = sound()
    if number == 6011:
        world.switch(handle, "set_allowlist_root", {"merkle_root": "77" * 32})
    burnt = lost_then(world, handle, "cat", number, **shape)
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done[-1], first_bad=bad(burnt, name), missing=[burnt.entry],
        affected={world.address("cat")},
    )  # fmt: skip
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
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done[-1], first_bad=bad(burnt, "AccountNotInitialized"),
        missing=[proof.entry], affected={world.address("cat")}, closed=True,
    )  # fmt: skip
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
        found, handle, "broken", causes={"abandoned_proof", cause}, last_good=done[-1], first_bad=first_bad, missing=[lost.entry],
        affected=affected, paused=cause == "paused" and not after,
    )  # fmt: skip
    assert found.exit_code == 1


def test_a_stranger_telling_tales_is_no_cause(tmp_path: Path) -> None:
    # The report is of somebody who holds no proof: it explains nothing of the proof that was lost.
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    theirs = sign_proof(world.key("stranger"), handle.address, world.address("mallory"), 0, GENESIS, GENESIS, "ab" * 32, world.now)
    world.simulate(handle, theirs, "mallory")
    world.switch(handle, "set_paused", {"paused": False})
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done[-1], missing=[lost.entry], affected={world.address("cat")},
    )  # fmt: skip
    assert found.exit_code == 1


def test_a_second_proof_for_a_claimed_period_is_burnt(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [cat] = world.tickets(handle, "cat")
    again = lost_then(world, handle, "cat", 0)
    found = diagnose(tmp_path, world.collect())
    # Even before 600 s: the receipt of another proof stands in its way.
    expect(
        found, handle, "broken", causes={"abandoned_proof", "duplicate_claim"}, last_good=cat, first_bad=bad(again, "Custom(0)"), missing=[again.entry],
    )  # fmt: skip
    assert found.exit_code == 1


def test_a_second_proof_for_a_claimed_period_that_was_never_sent(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [cat] = world.tickets(handle, "cat")
    again = world.worker.issue(handle.address, world.address("cat"))
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "broken", causes={"abandoned_proof"}, last_good=cat, missing=[again.entry])
    assert found.exit_code == 1


# -- in flight ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "verdict"), [(30, "in_flight"), (600, "in_flight"), (601, "broken")])
def test_proofs_on_their_way(tmp_path: Path, age: int, verdict: str) -> None:
    world, handle, done = sound()
    proofs = []
    for wallet in ("cat", "dan", "eve"):
        proofs.append(world.worker.issue(handle.address, world.address(wallet)))
        world.tick(5)
    files = world.collect()
    files["case.json"]["collected_at"] = proofs[0].issued_at + age
    found = diagnose(tmp_path, files)
    if verdict == "in_flight":
        expect(found, handle, "in_flight", last_good=done[-1], missing=[proofs[0].entry], heals_until=proofs[0].issued_at + 600)
    else:
        expect(
            found, handle, "broken", causes={"abandoned_proof"}, last_good=done[-1], missing=[proofs[0].entry],
            first_bad=bad(proofs[1], None), affected={world.address(w) for w in ("cat", "dan", "eve")},
        )  # fmt: skip
    assert found.exit_code == (0 if verdict == "in_flight" else 1)


def test_a_later_proof_that_cannot_land_ends_the_hope_of_an_earlier_one(tmp_path: Path) -> None:
    # cat's proof could land; ann's, on top of it, cannot: her period is claimed. The worker's head is ann's.
    world, handle, done = sound()
    first = world.worker.issue(handle.address, world.address("cat"))
    second = world.worker.issue(handle.address, world.address("ann"))
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes=ANY, last_good=done[-1], missing=[first.entry], first_bad=ANY, affected=ANY,
    )  # fmt: skip
    assert second.prev == first.entry
    assert found.exit_code == 1


# -- order, races, two incidents ---------------------------------------------------------------------------------------------------


def test_the_later_proof_arrives_first_and_never_comes_back(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    early = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(2)
    done = Ticket(first, world.claim(handle, first, "cat"))
    assert (early.landed.error, done.landed.error) == (6026, None)
    world.tick(30)
    files = world.collect()
    found = diagnose(tmp_path / "soon", files)
    expect(
        found, handle, "in_flight", last_good=done, first_bad=bad(early, "PopHashChainBroken"), missing=[second.entry],
        heals_until=second.issued_at + 600,
    )  # fmt: skip
    assert found.exit_code == 0
    world.tick(600)
    found = diagnose(tmp_path / "late", world.collect())
    expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done, first_bad=bad(early, "PopHashChainBroken"), missing=[second.entry],
        affected={world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == 1


def out_of_order(world: World, handle: GrantHandle) -> tuple[Ticket, Ticket]:
    """dan's proof stands on cat's and arrives first; it is sent again after hers: (the refusal, the landing)."""
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    refused = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(2)
    world.claim(handle, first, "cat")
    world.tick(2)
    landed = Ticket(second, world.claim(handle, second, "dan"))
    assert (refused.landed.error, landed.landed.error) == (6026, None)
    world.tick(30)
    return refused, landed


def test_two_incidents_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    refused, landed = out_of_order(world, handle)
    lost = world.worker.issue(handle.address, world.address("eve"))
    world.tick(20)
    world.ticket(handle, "fay")
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"out_of_order", "abandoned_proof"}, last_good=landed, first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry], affected={world.address("eve"), world.address("fay")},
    )  # fmt: skip
    assert found.exit_code == 1


def test_two_incidents_that_healed(tmp_path: Path) -> None:
    world, handle, _ = sound()
    refused, landed = out_of_order(world, handle)
    burnt_then_landed = world.worker.issue(handle.address, world.address("eve"))
    world.switch(handle, "set_paused", {"paused": True})
    world.claim(handle, burnt_then_landed, "eve")
    world.switch(handle, "set_paused", {"paused": False})
    last = Ticket(burnt_then_landed, world.claim(handle, burnt_then_landed, "eve"))
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "recovered", causes={"out_of_order"}, last_good=last, first_bad=bad(refused, "PopHashChainBroken"))
    assert found.exit_code == 0
    assert landed.landed.err is None


def test_racing_wallets_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    head = world.head(handle)
    proofs = [world.worker.issue(handle.address, world.address(w), expected=head) for w in ("cat", "dan")]
    world.tick(3)
    # The older proof lands last: PopState keeps the newer one's head.
    tied = proofs[0].issued_at == proofs[1].issued_at
    later, earlier = Ticket(proofs[1], world.claim(handle, proofs[1], "dan")), Ticket(proofs[0], world.claim(handle, proofs[0], "cat"))
    world.tick(3)
    assert later.landed.err is None
    assert earlier.landed.err is None
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", last_good=ANY, forks=[head])
    assert row["forks"][0]["kind"] == "race"
    assert row["heads"]["on_chain"] == (proofs[0] if tied else proofs[1]).entry
    assert found.exit_code == 0
    assert done[-1].entry == head


def test_an_older_proof_lands_last_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    head = world.head(handle)
    old = world.worker.issue(handle.address, world.address("cat"), expected=head)
    world.tick(40)
    new = world.worker.issue(handle.address, world.address("dan"), expected=head)
    world.claim(handle, new, "dan")
    world.tick(5)
    last = Ticket(old, world.claim(handle, old, "cat"))
    world.tick(5)
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", last_good=last, forks=[head])
    assert row["heads"] == {"on_chain": new.entry, "worker": row["heads"]["worker"], "last_accepted": old.entry}
    assert found.exit_code == 0


def test_a_proof_never_sent_under_relaxed_rules_is_listed_and_no_cause(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    lost = world.worker.issue(handle.address, world.address("cat"), expected=world.head(handle))
    [last] = world.tickets(handle, "dan", from_chain=True)
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last, affected=ANY)
    assert found.reconciliation.abandoned_proofs == [lost.entry]
    assert found.exit_code == 0


def test_a_later_program_heals_a_strict_break(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(30)
    refused = world.ticket(handle, "dan")
    world.tick(86400 * 20)
    world.build, world.worker.model = "relaxed", "D"
    head = world.head(handle)
    proofs = [world.worker.issue(handle.address, world.address(w), expected=head) for w in ("eve", "fay")]
    landed = [world.claim(handle, p, w) for p, w in zip(proofs, ("eve", "fay"), strict=True)]
    assert [t.err for t in landed] == [None, None]
    world.tick(30)
    [last] = world.tickets(handle, "gus", from_chain=True)
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    row = expect(
        found, handle, "recovered", causes=ANY, last_good=last, first_bad=bad(refused, "PopHashChainBroken"), forks=ANY, affected=ANY,
    )  # fmt: skip
    assert {"strict", "relaxed"} <= set(row["eras"])
    assert world.address("dan") in row["affected_claimers"]
    assert found.exit_code == 0


# -- heads that went wrong ---------------------------------------------------------------------------------------------------------


def test_head_rolled_back(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    refused = [world.ticket(handle, w) for w in ("dan", "eve")]
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"worker_head_rollback"}, last_good=cat, first_bad=bad(refused[0], "PopHashChainBroken"),
        forks=[done[-1].entry], affected={world.address("dan"), world.address("eve")},
    )  # fmt: skip
    assert found.exit_code == 1


@pytest.mark.parametrize("storage", [False, True])
def test_head_rolled_back_quietly(tmp_path: Path, storage: bool) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    quiet = world.worker.issue(handle.address, world.address("dan"))
    assert world.simulate(handle, quiet, "dan").error == 6026
    world.tick(900)
    found = diagnose(tmp_path, world.collect(storage=storage, bucket=not storage, reports=True))
    expect(found, handle, "broken", causes={"worker_head_rollback"}, last_good=cat, first_bad=ANY, affected={world.address("dan")})
    assert found.exit_code == 1


def test_head_rolled_back_and_nothing_issued_since(tmp_path: Path) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes=ANY, last_good=cat)
    assert found.exit_code == 1


def test_whole_backup_restored_leaves_a_side_branch(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup)
    refused = world.ticket(handle, "dan")
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(
        found, handle, "broken", causes={"worker_head_rollback"}, last_good=cat, first_bad=bad(refused, "PopHashChainBroken"),
        forks=[done[-1].entry], affected={world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == 1
    # cat's anchor is in the bucket and named by her proof on chain; the storage, which covers its time, lacks it.
    assert cat.proof.anchor in found.audit.removed


def test_heads_reset_quietly(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads.clear()
    quiet = world.worker.issue(handle.address, world.address("cat"))
    assert quiet.prev == GENESIS
    world.simulate(handle, quiet, "cat")
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(found, handle, "broken", causes={"worker_head_reset"}, last_good=done[-1], first_bad=ANY, affected={world.address("cat")})
    assert found.exit_code == 1


def test_heads_reset_and_nothing_issued_since(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [GENESIS, GENESIS]
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes=ANY, last_good=done[-1])
    assert found.exit_code == 1


def test_stream_head_diverged(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    refused = [world.ticket(handle, w) for w in ("cat", "dan")]
    assert [t.landed.error for t in refused] == [6027, 6026]
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"stream_divergence"}, last_good=done[-1], first_bad=bad(refused[0], "PopStreamChainBroken"),
        affected={world.address("cat"), world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == 1


@pytest.mark.parametrize("source", ["bucket", "storage"])
def test_stream_head_diverged_quietly(tmp_path: Path, source: str) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    quiet = world.worker.issue(handle.address, world.address("cat"))
    assert world.simulate(handle, quiet, "cat", tell=False).error == 6027
    world.tick(900)
    found = diagnose(tmp_path, world.collect(bucket=source == "bucket", storage=source == "storage"))
    expect(found, handle, "broken", causes={"stream_divergence"}, last_good=done[-1], first_bad=ANY, affected={world.address("cat")})
    assert found.exit_code == 1


def test_stream_head_diverged_in_storage_alone(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes={"stream_divergence"}, last_good=done[-1])
    assert found.exit_code == 1


# -- signers and issuers -----------------------------------------------------------------------------------------------------------


def test_signer_rotated_and_no_proof_issued_since(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.key = world.key("second signer")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes={"signer_mismatch"}, last_good=done[-1])
    assert found.exit_code == 1
    assert "signer_mismatch" in codes(found, "critical")


def test_signer_rotated_quietly(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.key = world.key("second signer")
    quiet = world.worker.issue(handle.address, world.address("cat"))
    assert world.simulate(handle, quiet, "cat").error == 6018
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(
        found, handle, "broken", causes={"abandoned_proof", "signer_mismatch"}, last_good=done[-1], missing=[quiet.entry],
        affected={world.address("cat")},
    )  # fmt: skip
    assert found.exit_code == 1


def test_foreign_issuer_whose_proof_was_refused(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    refused = world.ticket(handle, "dan", worker=clone)
    [last] = world.tickets(handle, "eve")
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "recovered", causes={"foreign_issuer"}, last_good=last, first_bad=bad(refused, "PopHashChainBroken"),
        forks=[done[-1].entry], affected={world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == 1
    assert "foreign_issuer" in codes(found, "critical")


def test_foreign_issuer_cannot_be_told_where_the_records_have_a_gap(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    [cat] = world.tickets(handle, "cat")
    refused = world.ticket(handle, "dan", worker=clone)
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    found = diagnose(tmp_path, world.collect(bucket=False))
    # The newest fifty rows hold no anchor: from the chain alone the newest refused proof is the worker's head, and why is not told.
    expect(
        found, handle, "broken", causes={"unexplained"}, last_good=cat, first_bad=bad(refused, "PopHashChainBroken"), forks=[done[-1].entry],
        affected={world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == 1
    assert "foreign_issuer" not in codes(found)


def test_foreign_issuer_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    clone = world.worker.clone()
    foreign = world.ticket(handle, "cat", worker=clone, from_chain=True)
    assert foreign.landed.err is None
    [last] = world.tickets(handle, "dan", from_chain=True)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes={"foreign_issuer"}, last_good=last, foreign=[foreign.entry])
    assert found.exit_code == 1


def test_foreign_issuer_ahead_of_an_idle_worker(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    foreign = world.ticket(handle, "cat", worker=clone)
    assert foreign.landed.err is None
    found = diagnose(tmp_path, world.collect())
    # The worker's head stays on bob's: its next proof will be refused.
    expect(found, handle, "broken", causes={"foreign_issuer"}, last_good=foreign, foreign=[foreign.entry])
    assert found.exit_code == 1
    assert foreign.proof.prev == done[-1].entry


def test_equivocation_of_two_issuers(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    [ours] = world.tickets(handle, "cat")
    theirs = world.ticket(handle, "cat", worker=clone)
    assert theirs.landed.error == 0
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "intact", causes={"foreign_issuer"}, last_good=ours, forks=[done[-1].entry], equivocations=[(ours.entry, theirs.entry)],
    )  # fmt: skip
    assert found.exit_code == 1
    assert "equivocation" in codes(found, "critical")


def test_equivocation_of_one_worker_rolled_back(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    [first] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    second = world.ticket(handle, "cat")
    assert second.landed.error == 0
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(
        found, handle, "broken", causes={"worker_head_rollback"}, last_good=first, first_bad=ANY, forks=[done[-1].entry],
        equivocations=[(first.entry, second.entry)],
    )  # fmt: skip
    assert found.exit_code == 1
    assert "equivocation" in codes(found, "critical")


@pytest.mark.parametrize("build", ["relaxed", "strict_v2"])
def test_a_repeat_of_a_worker_that_follows_the_chain_is_no_equivocation(tmp_path: Path, build: str) -> None:
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    if build == "strict_v2":
        world = World("strict_v2", "D", start=1772700000)
        handle = world.grant()
        done = world.tickets(handle, "ann", "bob", from_chain=True)
    head = world.head(handle)
    first, second = (world.worker.issue(handle.address, world.address("cat"), expected=head) for _ in range(2))
    assert first.entry != second.entry or world.worker.model == "D"
    last = Ticket(first, world.claim(handle, first, "cat"))
    world.tick(2)
    assert world.claim(handle, second, "cat").error == 0
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last, forks=ANY)
    assert found.exit_code == 0
    assert "equivocation" not in codes(found)
    assert done[-1].entry == head


def test_grants_of_one_worker_with_verdicts_of_their_own(tmp_path: Path) -> None:
    world = World()
    well, lost, fresh, flying = (world.grant(n) for n in (1, 2, 3, 4))
    [a], [b], [d] = world.tickets(well, "ann"), world.tickets(lost, "ann"), world.tickets(flying, "ann")
    gone = world.worker.issue(lost.address, world.address("bob"))
    world.tick(700)
    hope = world.worker.issue(flying.address, world.address("bob"))
    world.tick(20)
    found = diagnose(tmp_path, world.collect())
    expect(found, well, "intact", last_good=a)
    expect(found, lost, "broken", causes={"abandoned_proof"}, last_good=b, missing=[gone.entry], affected={world.address("bob")}, superseded_by=None)
    expect(found, fresh, "unused")
    expect(found, flying, "in_flight", last_good=d, missing=[hope.entry], heals_until=hope.issued_at + 600)
    assert (found.verdict, found.exit_code) == ("broken", 1)


@pytest.mark.parametrize("mint", ["mint", "another mint"])
def test_cut_over_to_a_new_grant(tmp_path: Path, mint: str) -> None:
    world, old, done = sound()
    lost = world.worker.issue(old.address, world.address("cat"))
    world.tick(900)
    new = world.grant(2, mint=mint)
    [fresh] = world.tickets(new, "cat")
    found = diagnose(tmp_path, world.collect())
    same = mint == "mint"
    expect(
        found, old, "broken", causes={"abandoned_proof"}, last_good=done[-1], missing=[lost.entry], affected={world.address("cat")},
        superseded_by=new.address if same else None, cutover_of=None,
    )  # fmt: skip
    expect(found, new, "intact", last_good=fresh, cutover_of=old.address if same else None, superseded_by=None)
    assert found.exit_code == 1


# -- evidence that is missing, partial or false ------------------------------------------------------------------------------------


def without(files: dict[str, Any], signature: str) -> dict[str, Any]:
    """The case of a node that leaves one transaction out."""
    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        files[name] = [row for row in files[name] if row["signature"] != signature]
    return files


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("listed", [True, False])
def test_a_transaction_the_node_leaves_out(tmp_path: Path, which: int, listed: bool) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    if listed:
        files["rpc/transactions.jsonl"] = [row for row in files["rpc/transactions.jsonl"] if row["signature"] != done[which].signature]
    else:
        without(files, done[which].signature)
    found = diagnose(tmp_path, files)
    expect(found, handle, "inconclusive", last_good=done[1] if which == 2 else done[2], unseen=[done[which].entry])
    assert found.exit_code == 3


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("where", ["message", "signature"])
def test_a_transaction_forged_by_one_byte(tmp_path: Path, which: int, where: str) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    row = next(r for r in files["rpc/transactions.jsonl"] if r["signature"] == done[which].signature)
    row["result"] = copy.deepcopy(row["result"])
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    at = bytes(wire).index(done[which].proof.message) + 150 if where == "message" else 10
    wire[at] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    found = diagnose(tmp_path, files)
    expect(
        found, handle, "inconclusive", last_good=done[1] if which == 2 else done[2], unseen=[done[which].entry], forged=[done[which].signature],
    )  # fmt: skip
    assert found.exit_code == 1


def test_an_unseen_entry_does_not_hide_a_break(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    lost = world.worker.issue(handle.address, world.address("dan"))
    refused = world.ticket(handle, "eve")
    world.tick(900)
    found = diagnose(tmp_path, without(world.collect(), done[1].signature))
    expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=done[2], first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry], unseen=[done[1].entry], affected={world.address("dan"), world.address("eve")},
    )  # fmt: skip
    assert found.exit_code == 1


def test_pop_state_not_collected(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    refused = world.ticket(handle, "dan")
    world.tick(900)
    files = world.collect()
    files["rpc/accounts.jsonl"] = [row for row in files["rpc/accounts.jsonl"] if row["pubkey"] != handle.state]
    found = diagnose(tmp_path, files)
    row = expect(
        found, handle, "broken", causes={"abandoned_proof"}, last_good=ANY, first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry], affected={world.address("cat"), world.address("dan")},
    )  # fmt: skip
    assert row["heads"]["on_chain"] is None
    assert found.exit_code == 1


@pytest.mark.parametrize("left_out", ["PopState", "every account"])
def test_a_sound_chain_without_accounts_is_not_called_broken(tmp_path: Path, left_out: str) -> None:
    world, handle, done = sound()
    files = world.collect()
    if left_out == "PopState":
        files["rpc/accounts.jsonl"] = [row for row in files["rpc/accounts.jsonl"] if row["pubkey"] != handle.state]
    else:
        del files["rpc/accounts.jsonl"]
    found = diagnose(tmp_path, files)
    row = found.grant(handle.address).as_json()
    assert row["verdict"] in ("intact", "inconclusive")
    assert found.exit_code == {"intact": 0, "inconclusive": 3}[row["verdict"]]
    assert row["last_good"]["signature"] == done[-1].signature
    assert not found.coverage.complete


def test_a_sound_chain_without_the_worker(tmp_path: Path) -> None:
    world, handle, done = sound()
    found = diagnose(tmp_path, world.collect(worker=False))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


@pytest.mark.parametrize("worker", [True, False])
def test_nobody_has_claimed(tmp_path: Path, worker: bool) -> None:
    world = World()
    handle = world.grant()
    found = diagnose(tmp_path, world.collect(worker=worker))
    expect(found, handle, "unused" if worker else "inconclusive")
    assert found.exit_code == (0 if worker else 3)


def test_nobody_has_claimed_but_somebody_holds_a_proof(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    proof = world.worker.issue(handle.address, world.address("ann"))
    found = diagnose(tmp_path / "soon", world.collect())
    expect(found, handle, "in_flight", missing=[proof.entry], heals_until=proof.issued_at + 600)
    assert found.exit_code == 0
    world.tick(700)
    found = diagnose(tmp_path / "late", world.collect())
    expect(found, handle, "broken", causes={"abandoned_proof", "genesis_mismatch"}, missing=[proof.entry], affected={world.address("ann")})
    assert found.exit_code == 1


@pytest.mark.parametrize(("age", "verdict", "exit_code"), [(600, "inconclusive", 3), (601, "broken", 1)])
def test_from_the_chain_alone_a_parent_is_lost_when_its_child_is_old(tmp_path: Path, age: int, verdict: str, exit_code: int) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    refused = world.ticket(handle, "dan")
    files = world.collect(worker=False)
    files["case.json"]["collected_at"] = refused.proof.issued_at + age
    found = diagnose(tmp_path, files)
    broken = verdict == "broken"
    expect(
        found, handle, verdict, causes={"abandoned_proof"} if broken else ANY, last_good=done[-1], first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry], affected={world.address("dan")},
    )  # fmt: skip
    assert found.exit_code == exit_code


@pytest.mark.parametrize(("wait", "verdict", "exit_code"), [(900, "broken", 1), (60, "inconclusive", 3)])
def test_wallets_reports_alone(tmp_path: Path, wait: int, verdict: str, exit_code: int) -> None:
    world, handle, done = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    for wallet in ("dan", "eve"):
        world.simulate(handle, world.worker.issue(handle.address, world.address(wallet)), wallet)
        world.tick(5)
    world.tick(wait)
    found = diagnose(tmp_path, world.collect(worker=False, reports=True))
    expect(found, handle, verdict, causes=ANY, last_good=done[-1], first_bad=ANY, affected=ANY)
    assert found.exit_code == exit_code


def test_reports_that_mean_nothing_prove_nothing(tmp_path: Path) -> None:
    world, handle, done = sound()
    for text in ("User rejected the request.", "Network request failed"):
        row = {"at": world.now, "eventId": world.worker.event_of(handle.address), "wallet": world.address("cat"), "landed": False}
        world.reports.append({**row, "signature": None, "message": text, "logs": []})
    world.tick(900)
    found = diagnose(tmp_path / "with", world.collect(reports=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    found = diagnose(tmp_path / "alone", world.collect(worker=False, reports=True))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


def test_a_report_before_the_last_good_claim_proves_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    world.simulate(handle, second, "dan")
    world.tick(5)
    world.claim(handle, first, "cat")
    world.tick(5)
    last = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0
    found = diagnose(tmp_path / "alone", world.collect(worker=False, reports=True))
    expect(found, handle, "inconclusive", last_good=last)
    assert found.exit_code == 3


def test_storage_older_than_the_chain(tmp_path: Path) -> None:
    world, handle, _ = sound()
    old = world.worker.storage_rows()
    done = world.tickets(handle, "cat", "dan")
    files = world.collect(worker=False)
    files["worker/storage.jsonl"] = old
    found = diagnose(tmp_path, files)
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


@pytest.mark.parametrize(("calls", "verdict", "exit_code"), [(20, "intact", 0), (60, "inconclusive", 3)])
def test_newest_fifty_rows(tmp_path: Path, calls: int, verdict: str, exit_code: int) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ivy")
    for _ in range(calls):
        world.worker.api("GET", "/v1/school/events")
        world.tick(1)
    found = diagnose(tmp_path, world.collect(bucket=False))
    expect(found, handle, verdict, last_good=done[-1])
    assert found.exit_code == exit_code


@pytest.mark.parametrize("half", ["newer", "every second"])
def test_bucket_half_exported(tmp_path: Path, half: str) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan")
    files = world.collect()
    rows = sorted(files["worker/r2.jsonl"], key=lambda row: (json.loads(row["text"])["entry"]["ts"], row["key"]))
    files["worker/r2.jsonl"] = rows[len(rows) // 2 :] if half == "newer" else rows[::2]
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    assert found.audit.missing_objects == []


def test_entry_removed_from_the_list_and_kept_by_the_bucket(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    logs = files["worker/audit-logs.json"]["body"]["logs"]
    gone = next(e for e in logs if e["event"] == "WALLET_CLAIM")
    logs.remove(gone)
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.removed == [gone["entry_hash"]]
    assert found.audit.edited == found.audit.missing_objects == []
    assert found.exit_code == 1


def test_entry_edited_in_the_list(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    logs = files["worker/audit-logs.json"]["body"]["logs"]
    at = next(i for i, e in enumerate(logs) if e["event"] == "WALLET_CLAIM")
    logs[at] = {**copy.deepcopy(logs[at]), "actor": {"type": "wallet", "id": "somebody else"}}
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.edited == [logs[at]["entry_hash"]]
    assert found.audit.removed == found.audit.edited_objects == []
    assert found.exit_code == 1


def test_bucket_object_edited(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    row = next(r for r in files["worker/r2.jsonl"] if "WALLET_CLAIM" in r["text"])
    row["text"] = row["text"].replace("created", "forgery")
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.edited_objects == [row["key"]]
    assert found.audit.missing_objects == found.audit.edited == found.audit.removed == []
    assert found.exit_code == 1


def test_bucket_object_missing(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    row = next(r for r in files["worker/r2.jsonl"] if "WALLET_CLAIM" in r["text"])
    files["worker/r2.jsonl"].remove(row)
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.missing_objects == [row["key"]]
    assert found.audit.edited_objects == found.audit.edited == []
    assert found.exit_code == 1


def test_trace_of_a_failed_append(tmp_path: Path) -> None:
    world, handle, done = sound()
    worker = world.worker
    last, entries = dict(worker.last), list(worker.entries)
    worker.append("WALLET_CLAIM", worker.event_of(handle.address), {"type": "wallet", "id": "x"}, {"eventId": "e"})
    orphan = worker.entries[-1]["entry_hash"]
    worker.last, worker.entries = last, entries
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.verdict == "holds"
    assert "bucket_orphan" in codes(found, "info")
    assert orphan not in found.audit.removed
    assert found.exit_code == 0


def cut_tail(worker: Worker, rows: int) -> list[str]:
    """Remove the newest audit rows from storage and let its last hashes fit again; returns the hashes that went."""
    gone = [e["entry_hash"] for e in worker.entries[-rows:]]
    worker.entries = worker.entries[:-rows]
    worker.last = {}
    for entry in worker.entries:
        worker.last["global"] = worker.last[entry["eventId"]] = entry["entry_hash"]
    return gone


@pytest.mark.parametrize("bucket", [True, False])
def test_tail_of_the_storage_removed(tmp_path: Path, bucket: bool) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    gone = cut_tail(world.worker, 4)
    anchor = done[-1].proof.anchor
    assert anchor in gone
    files = world.collect(storage=True, bucket=bucket)
    found = diagnose(tmp_path, files)
    # The worker's own history names the proof: the entry is gone, the issuer is not foreign.
    expect(found, handle, "intact", last_good=done[-1])
    assert anchor in found.audit.removed
    assert found.exit_code == 1


@pytest.mark.parametrize("told", ["plainly", "with a new hash"])
def test_ticket_receipt_altered(tmp_path: Path, told: str) -> None:
    from tests.simulation.worker import digest

    world, handle, done = sound()
    files = world.collect(receipts=True)
    receipt = copy.deepcopy(files["worker/ticket-receipts.jsonl"][0])
    receipt["subjectCommitment"] = "11" * 32
    if told == "with a new hash":
        receipt["receiptHash"] = digest({k: v for k, v in receipt.items() if k != "receiptHash"})
    files["worker/ticket-receipts.jsonl"][0] = receipt
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.bad_receipts == [receipt["receiptId"]]
    assert found.audit.server_accepts == ([receipt["receiptId"]] if told == "with a new hash" else [])
    assert found.exit_code == 1


def test_records_against_the_chain(tmp_path: Path) -> None:
    world, handle, done = sound()
    quiet = world.ticket(handle, "cat", tell=False)
    claimer = world.address("liar")
    made_up = str(world.key("liar").sign_message(b"no transaction"))
    world.worker.claim_record(handle.address, claimer, made_up, pda.receipt_address(handle.address, claimer, 0))
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=quiet)
    assert found.reconciliation.unbacked_records == [made_up]
    assert found.reconciliation.unsynced_claims == [quiet.signature]
    assert found.exit_code == 1
    assert done[0].signature not in found.reconciliation.unsynced_claims


def test_two_events_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.open_event(handle, "Again")
    [last] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes={"grant_reuse"}, last_good=last)
    assert found.exit_code == 0


def test_one_event_on_each_of_two_grants_is_no_reuse(tmp_path: Path) -> None:
    world, handle, done = sound()
    other = world.grant(2)
    [there] = world.tickets(other, "ann")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=done[-1])
    expect(found, other, "intact", last_good=there)
    assert found.exit_code == 0
