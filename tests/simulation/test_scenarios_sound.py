"""Sound chains of every shape, and look-alikes of every fault: nothing may be raised."""

from __future__ import annotations

import copy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from popkit.drill import addresses as pda
from popkit.drill.bank import Landed
from popkit.drill.calls import grant_call
from popkit.drill.proofs import GENESIS, Proof, sign_proof
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.protocol.keys import ATA_PROGRAM
from tests.simulation.expect import ANY, bad, codes, diagnose, expect


@pytest.mark.parametrize(
    ("build", "model"), [("strict", "A"), ("strict_v2", "B"), ("relaxed", "D"), ("head", "D")]
)
@pytest.mark.parametrize(
    "shape", [{}, {"budget": True}, {"v0": True}, {"lookup": True}, {"cpi": True}]
)
def test_sound_claims_of_every_shape(
    tmp_path: Path, build: str, model: str, shape: dict[str, Any]
) -> None:
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
    terms = {
        "grant_id": 1,
        "amount_per_period": 3,
        "period_seconds": 86400,
        "start_ts": old.start_ts,
        "expires_at": 0,
    }
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
    world.switch(
        handle,
        "update_grant",
        {"amount_per_period": 5, "period_seconds": 86400 * 30, "expires_at": 0},
    )
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
    object.__setattr__(
        bad_entry, "signature", bytes(world.worker.key.sign_message(bytes(broken_message)))
    )
    for_ann = sign_proof(
        world.worker.key, handle.address, world.address("ann"), 0, head, head, audit, now
    )
    for_other = sign_proof(
        world.worker.key, other.address, mallory, 0, GENESIS, GENESIS, audit, now
    )
    seen = [
        world.claim(handle, p, "mallory").error for p in (theirs, bad_entry, for_ann, for_other)
    ]
    assert seen == [6018, 6025, 6022, 6021]
    [last] = world.tickets(handle, "cat")
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    expect(found, other, "unused")
    assert found.exit_code == 0
    assert "noise" in codes(found)


def test_an_allowlist_that_lets_its_members_in(tmp_path: Path) -> None:
    from popkit.protocol.allowlist import leaf

    world, handle, _ = sound()
    leaves = [bytes.fromhex(leaf(world.address(w))) for w in ("cat", "dan")]
    root = sha256(min(leaves) + max(leaves)).hexdigest()
    world.switch(handle, "set_allowlist_root", {"merkle_root": root})
    [last] = world.tickets(handle, "cat", list_proof=[leaves[1]])
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0


def two_grants_in_one_transaction(
    world: World, one: GrantHandle, two: GrantHandle, wallet: str
) -> tuple[Landed, list[Proof]]:
    """A wallet claims from both grants at once."""
    proofs = [world.worker.issue(h.address, world.address(wallet)) for h in (one, two)]
    calls = [*world.claim_calls(one, proofs[0], wallet), *world.claim_calls(two, proofs[1], wallet)]
    once = [c for i, c in enumerate(calls) if c.program != ATA_PROGRAM or c not in calls[:i]]
    return world.send(once, wallet), proofs


def test_two_claims_in_one_transaction(tmp_path: Path) -> None:
    world, one, _ = sound()
    two = world.grant(2)
    world.tickets(two, "ann")
    landed, proofs = two_grants_in_one_transaction(world, one, two, "cat")
    assert landed.err is None
    found = diagnose(tmp_path, world.collect())
    for handle, proof in zip((one, two), proofs, strict=True):
        expect(found, handle, "intact", last_good=Ticket(proof, landed))
    assert found.exit_code == 0


def test_a_claim_undone_by_another_claim_of_its_transaction_was_not_refused_itself(
    tmp_path: Path,
) -> None:
    world, one, done = sound()
    two = world.grant(2)
    [there] = world.tickets(two, "ann")
    lost = world.worker.issue(two.address, world.address("bob"))
    world.tick(5)
    landed, proofs = two_grants_in_one_transaction(world, one, two, "cat")
    assert landed.err == {"InstructionError": [4, {"Custom": 6026}]}
    retried = Ticket(proofs[0], world.claim(one, proofs[0], "cat"))
    assert retried.landed.err is None
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, one, "intact", last_good=retried)
    expect(
        found,
        two,
        "broken",
        causes={"abandoned_proof"},
        last_good=there,
        first_bad=bad(Ticket(proofs[1], landed), "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address("bob"), world.address("cat")},
    )
    assert found.exit_code == 1
    assert done[-1].entry == retried.proof.prev


def test_a_proof_whose_own_signature_is_wrong_is_noise(tmp_path: Path) -> None:
    world, handle, done = sound()
    proof = sign_proof(
        world.key("stranger"),
        handle.address,
        world.address("mallory"),
        0,
        world.head(handle),
        GENESIS,
        "ab" * 32,
        world.now,
    )
    object.__setattr__(proof, "signer", world.worker.signer)
    assert world.claim(handle, proof, "mallory").err["InstructionError"][1] == {"Custom": 2}
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0


def test_a_first_proof_lost_before_the_grant_had_state_is_no_reset(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    lost = world.worker.issue(handle.address, world.address("ann"))
    world.worker.heads.clear()
    world.tick(5)
    done = world.tickets(handle, "bob", "cat")
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", causes=ANY, last_good=done[-1], forks=ANY)
    assert "worker_head_reset" not in row["causes"]
    assert found.reconciliation.abandoned_proofs == [lost.entry]
    assert found.exit_code == 0


def test_a_head_put_back_onto_the_chains_head_goes_on(tmp_path: Path) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.worker.heads[handle.address] = [done[-1].entry, done[-1].entry]
    world.tick(5)
    [last] = world.tickets(handle, "dan")
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes=ANY, last_good=last, forks=ANY)
    assert found.reconciliation.abandoned_proofs == [lost.entry]
    assert found.exit_code == 0


def test_a_grant_closed_and_created_again_keeps_its_chain(tmp_path: Path) -> None:
    world, handle, _ = sound()
    terms = world.ledger.grants[handle.address]
    world.switch(handle, "close_grant", {})
    world.tick(60)
    args = {
        "grant_id": 1,
        "amount_per_period": 1,
        "period_seconds": terms.period_seconds,
        "start_ts": terms.start_ts,
        "expires_at": 0,
    }
    ata = pda.associated_token_address(handle.authority, handle.mint)
    where = {"grant": handle.address, "mint": handle.mint, "vault": handle.vault, "from_ata": ata}
    where |= {"funder": handle.authority, "authority": handle.authority}
    world.send(
        [world.create_call(handle, args), grant_call("fund_grant", {"amount": 10}, where)], "school"
    )
    world.tick(5)
    [last] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last, closed=False)
    assert found.exit_code == 0


@pytest.mark.parametrize("behind", [True, False], ids=["confirmed by the next", "assumed"])
@pytest.mark.parametrize("model", ["A", "B"])
def test_a_lost_proof_is_rebuilt_from_an_anchor_seconds_later(
    tmp_path: Path, model: str, behind: bool
) -> None:
    world, handle, done = sound("strict" if model == "A" else "strict_v2", model)
    if model == "B":
        world.worker.claim_record(handle.address, world.address("cat"), None, None)
    world.worker.lag_ms = 3400 if behind else 0
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.worker.lag_ms = 0
    affected, next_one = {world.address("cat")}, None
    if behind:
        next_one = world.worker.issue(handle.address, world.address("dan"))
        affected.add(world.address("dan"))
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(next_one, None) if next_one else None,
        missing=[lost.entry],
        affected=affected,
    )
    assert found.exit_code == 1


def test_reports_of_landed_refusals_change_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    refused = world.ticket(handle, "dan")
    world.report(
        handle,
        "dan",
        refused.landed.err,
        refused.landed.result["meta"]["logMessages"],
        refused.landed,
    )
    world.tick(900)
    with_reports = diagnose(tmp_path / "with", world.collect(reports=True)).grants[0].as_json()
    world.reports.clear()
    assert diagnose(tmp_path / "without", world.collect()).grants[0].as_json() == with_reports
    assert with_reports["verdict"] == "broken"
    assert with_reports["first_bad"]["signature"] == refused.signature


@pytest.mark.parametrize("records", ["bucket", "storage"])
def test_a_foreign_issuer_shows_in_either_of_the_workers_records(
    tmp_path: Path, records: str
) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    foreign = world.ticket(handle, "cat", worker=clone)
    refused = world.ticket(handle, "dan")
    found = diagnose(
        tmp_path, world.collect(bucket=records == "bucket", storage=records == "storage")
    )
    expect(
        found,
        handle,
        "broken",
        causes={"foreign_issuer"},
        last_good=foreign,
        first_bad=bad(refused, "PopHashChainBroken"),
        foreign=[foreign.entry],
        forks=[foreign.proof.prev],
        affected={world.address("dan")},
    )
    assert found.exit_code == 1


def test_a_second_proof_on_an_old_parent_that_never_landed_equivocates_for_nobody(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [first] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    # An anchor is not a signed message: nobody can show the second one.
    expect(found, handle, "broken", causes={"worker_head_rollback"}, last_good=first, first_bad=ANY)
    assert found.exit_code == 1


@pytest.mark.parametrize("landed", [True, False])
def test_a_worker_that_follows_the_chain_is_not_wedged_under_strict_rules(
    tmp_path: Path, landed: bool
) -> None:
    world = World("strict_v2", "D", start=1772700000)
    handle = world.grant()
    done = world.tickets(handle, "ann", "bob", from_chain=True)
    head = world.head(handle)
    first, second = (
        world.worker.issue(handle.address, world.address(w), expected=head) for w in ("cat", "dan")
    )
    last = Ticket(first, world.claim(handle, first, "cat"))
    world.tick(2)
    refused = Ticket(second, world.claim(handle, second, "dan"))
    assert refused.landed.error == 6026
    if landed:
        [last] = world.tickets(handle, "dan", from_chain=True)
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    row = expect(
        found,
        handle,
        ANY,
        causes=ANY,
        last_good=last,
        first_bad=bad(refused, "PopHashChainBroken"),
        forks=[head],
        affected=set() if landed else None,
    )
    assert row["verdict"] == ("recovered" if landed else "inconclusive"), (
        "recovered needs a claim after the refusals"
    )
    assert not {"abandoned_proof", "worker_head_rollback", "foreign_issuer"} & set(row["causes"])
    assert found.exit_code == (0 if landed else 3)
    assert done[-1].entry == head


def test_a_listed_transaction_that_the_node_does_not_give(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    row = next(r for r in files["rpc/transactions.jsonl"] if r["signature"] == done[1].signature)
    row["result"] = None
    found = diagnose(tmp_path, files)
    expect(found, handle, "inconclusive", last_good=done[-1], unseen=[done[1].entry])
    assert found.exit_code == 3
    assert "transaction_missing" in codes(found)


@pytest.mark.parametrize(
    ("build", "model"), [("strict", "A"), ("strict_v2", "B"), ("relaxed", "D")]
)
def test_the_same_wallets_in_every_period(tmp_path: Path, build: str, model: str) -> None:
    world = World(build, model)
    handle = world.grant(period_seconds=3600, start_ago=0)
    last = None
    for period in range(3):
        [_, last] = world.tickets(handle, "ann", "bob", period=period, from_chain=model == "D")
        world.tick(end_of_period(world, handle, period) - world.now)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0


def end_of_period(world: World, handle: GrantHandle, period: int) -> int:
    """The first second after a period."""
    terms = world.ledger.grants[handle.address]
    return terms.start_ts + (period + 1) * terms.period_seconds


@pytest.mark.parametrize("model", ["A", "B"])
def test_a_wallet_s_second_proof_on_its_own_lost_first_under_relaxed_rules(
    model: str, tmp_path: Path
) -> None:
    """The receipt of the first's claimer and period is the second's: the first never landed, and is
    not unseen.
    """
    world, handle, _ = sound("relaxed", model)
    first = world.worker.issue(handle.address, world.address("cat"))
    world.tick(60)
    last = world.ticket(handle, "cat")
    assert (last.proof.prev, last.landed.err) == (first.entry, None)
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last)
    assert (found.exit_code, found.reconciliation.abandoned_proofs) == (0, [first.entry])
