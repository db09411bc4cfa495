"""Evidence that was not taken at one moment, or of which a part is gone: what still decides, and
what does not any more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from popkit.drill import addresses as pda
from popkit.drill.case import collect_at
from popkit.drill.proofs import Proof
from popkit.drill.world import GrantHandle, Ticket, World, sound
from tests.diagnosis.judged import stated_whole
from tests.simulation.expect import ANY, bad, codes, diagnose, expect

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
LOGS, STORAGE = "worker/audit-logs.json", "worker/storage.jsonl"


def without(files: dict[str, Any], *signatures: str) -> dict[str, Any]:
    return {
        **files,
        **{
            name: [row for row in files[name] if row["signature"] not in signatures]
            for name in (TRANSACTIONS, SIGNATURES)
        },
    }


def worker_of(files: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """A case whose worker's files were taken earlier than the rest."""
    kept = {name: part for name, part in files.items() if not name.startswith("worker/")}
    return kept | {name: part for name, part in earlier.items() if name.startswith("worker/")}


# -- the worker's records end before the chain does --


@pytest.mark.parametrize("storage", [False, True])
def test_records_that_end_before_an_incident_do_not_call_it_over(
    storage: bool, tmp_path: Path
) -> None:
    world, handle, done = sound()
    earlier = world.collect(storage=storage)
    world.tick(60)
    lost = world.worker.issue(handle.address, world.address("eve"))
    world.tick(20)
    refused = [world.ticket(handle, wallet) for wallet in ("fay", "gus")]
    world.tick(900)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(refused[0], "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address("fay"), world.address("gus")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize("storage", [False, True])
def test_records_that_end_before_the_last_claims_do_not_call_a_chain_sound(
    storage: bool, tmp_path: Path
) -> None:
    """They go back to before the grant was made, and still do not show what was issued after the
    last claim.
    """
    world, handle, _ = sound()
    earlier = world.collect(storage=storage)
    world.tick(60)
    done = world.tickets(handle, "cat", "dan")
    world.tick(900)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert (found.exit_code, "worker_records_stale" in codes(found)) == (3, True)


def test_a_proof_that_was_burnt_after_the_records_end(tmp_path: Path) -> None:
    world, handle, done = sound()
    earlier = world.collect(storage=True)
    world.tick(60)
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    burnt = Ticket(proof, world.claim(handle, proof, "cat"))
    world.tick(900)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    causes, affected = {"abandoned_proof", "paused"}, {world.address("cat")}
    first = bad(burnt, "Paused")
    expect(
        found,
        handle,
        "broken",
        causes=causes,
        last_good=done[-1],
        first_bad=first,
        missing=[proof.entry],
        affected=affected,
    )


def test_records_that_end_before_a_refusal_that_the_chain_went_past(tmp_path: Path) -> None:
    world, handle, _ = sound()
    earlier = world.collect()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    for wallet, proof in (("dan", second), ("cat", first), ("dan", second)):
        landed = Ticket(proof, world.claim(handle, proof, wallet))
        world.tick(3)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    expect(found, handle, "inconclusive", causes={"out_of_order"}, last_good=landed, first_bad=ANY)


def test_a_head_whose_anchor_is_gone_tells_nothing_of_the_worker_s(tmp_path: Path) -> None:
    for model, build in (("A", "strict"), ("B", "strict_v2")):
        for number, wanted in ((1, "intact"), (2, "inconclusive")):
            world, handle, done = sound(build, model, "ann", "bob", "cat")
            files = world.collect(bucket=False)
            body = files[LOGS]["body"]
            body["logs"] = [
                row for row in body["logs"] if row["entry_hash"] != done[number].proof.anchor
            ]
            found = diagnose(tmp_path / f"{model}{number}", files)
            expect(found, handle, wanted, last_good=done[2])
            assert (found.audit.removed, found.exit_code) == ([done[number].proof.anchor], 1)


def test_records_that_end_with_a_lost_proof_that_was_healed_since(tmp_path: Path) -> None:
    """The heads were put back after the records were taken; where the worker's line stands now,
    they do not tell.
    """
    world, handle, _ = sound()
    backup = world.worker.backup()
    world.worker.issue(handle.address, world.address("lost"))
    earlier = world.collect()
    world.worker.restore(backup, only_heads=True)
    done = world.tickets(handle, "cat", "dan")
    world.tick(900)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


def test_records_that_end_in_the_second_of_the_last_issue(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.ms = world.ms // 1000 * 1000 + 100
    earlier = world.collect()
    world.ms -= 1000
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.tick(4)
    last = Ticket(proof, world.claim(handle, proof, "cat"))
    world.tick(5)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    expect(found, handle, "inconclusive", last_good=last)
    assert found.exit_code == 3


@pytest.mark.parametrize("logs", [True, False])
def test_a_storage_export_that_is_older_than_the_rest(logs: bool, tmp_path: Path) -> None:
    world, handle, _ = sound()
    earlier = world.collect(storage=True)[STORAGE]
    world.tick(60)
    done = world.tickets(handle, "cat", "dan")
    files = {**world.collect(), STORAGE: earlier}
    if not logs:
        del files[LOGS]  # a storage that was put back would look the same
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact" if logs else "inconclusive", last_good=done[-1])
    assert found.exit_code == (0 if logs else 3)


@pytest.mark.parametrize("bucket", [True, False])
def test_an_audit_chain_that_began_anew_does_not_reach_back(bucket: bool, tmp_path: Path) -> None:
    world, handle, done = sound()
    worker = world.worker
    worker.heads.clear()
    worker.entries, worker.last, worker.history, worker.claims, worker.receipts = [], {}, {}, {}, {}
    for _ in range(3):
        worker.api("GET", "/v1/school/events")
    world.tick(700)
    found = diagnose(tmp_path, world.collect(bucket=bucket))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == (1 if bucket else 3), (
        "the chain names entries that the list, which is whole, does not hold"
    )
    assert ("audit_chain_restarted" in codes(found)) == bucket


# -- accounts that were read earlier than the transactions --


@pytest.mark.parametrize(
    ("wait", "stated", "verdict"),
    [
        (0, False, "intact"),
        (20, False, "inconclusive"),
        (20, True, "in_flight"),
        (900, False, "inconclusive"),
    ],
)
def test_a_pop_state_that_was_read_before_the_last_claim(
    wait: int, stated: bool, verdict: str, tmp_path: Path
) -> None:
    """It is not the head then, and loses no proof that was issued after it; whether one landed
    shows in a list that is whole alone.
    """
    world, handle, _ = sound()
    early = world.collect()[ACCOUNTS]
    world.tick(5)
    [cat] = world.tickets(handle, "cat")
    proof = world.worker.issue(handle.address, world.address("dan")) if wait else None
    world.tick(wait)
    files = {**world.collect(storage=True), ACCOUNTS: early}
    found = diagnose(tmp_path, stated_whole(files, handle) if stated else files)
    wanted = {
        "intact": {},
        "in_flight": {
            "missing": [proof and proof.entry],
            "heals_until": (proof.issued_at if proof else 0) + 600,
        },
        "inconclusive": {},
    }[verdict]
    expect(found, handle, verdict, last_good=cat, **wanted)


def test_an_early_null_receipt_does_not_show_the_relaxed_program(tmp_path: Path) -> None:
    world, handle, _ = sound()
    cat = world.address("cat")
    proof = world.worker.issue(handle.address, cat)
    world.attempted.add((handle.address, cat, 0))
    early = world.collect()[ACCOUNTS]
    world.tick(4)
    hidden = world.claim(handle, proof, "cat")
    world.tick(20)
    [dan] = world.tickets(handle, "dan")
    world.tick(900)
    files = without(world.collect(), hidden.signature)
    receipt = pda.receipt_address(handle.address, cat, 0)
    files[ACCOUNTS] = [r for r in files[ACCOUNTS] if r["pubkey"] != receipt] + [
        r for r in early if r["pubkey"] == receipt
    ]
    found = diagnose(tmp_path, files)
    row = expect(found, handle, "inconclusive", last_good=dan, unseen=[proof.entry])
    assert (row["eras"], found.exit_code) == (["strict"], 3)


def test_a_receipt_that_was_read_after_pop_state(tmp_path: Path) -> None:
    """The proof on the way landed between the two reads, and its transaction was not given: it is
    not lost.
    """
    world, handle, _ = sound()
    early = {row["pubkey"]: row for row in world.collect()[ACCOUNTS]}
    last = world.tickets(handle, "cat")[-1]
    world.tick(900)
    files = without(world.collect(), last.signature)
    files[ACCOUNTS] = [
        early[row["pubkey"]] if row["pubkey"] == handle.state else row for row in files[ACCOUNTS]
    ]
    found = diagnose(tmp_path, files)
    assert (found.verdict, found.exit_code, found.reconciliation.abandoned_proofs) == (
        "inconclusive",
        3,
        [],
    )


def test_a_pop_config_that_was_read_before_its_last_upsert(tmp_path: Path) -> None:
    world, handle, _ = sound()
    early = {row["pubkey"]: row for row in world.collect()[ACCOUNTS]}
    world.tick(5)
    world.worker.key = world.key("second")
    world.name_signer(handle, world.worker.signer)
    last = world.tickets(handle, "cat")[-1]
    files = world.collect()
    files[ACCOUNTS] = [
        early[row["pubkey"]] if row["pubkey"] == handle.config else row for row in files[ACCOUNTS]
    ]
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0


def test_a_storage_that_ends_before_the_list_begins(tmp_path: Path) -> None:
    """Sixty rows of traffic lie between the two, and a proof may be among them."""
    world, handle, _ = sound()
    earlier = world.collect(storage=True)[STORAGE]
    world.worker.issue(handle.address, world.address("cat"))
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    world.tick(900)
    files = {**world.collect(bucket=False), STORAGE: earlier}
    found = diagnose(tmp_path, files)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)


def test_a_list_that_holds_the_head_needs_no_storage_that_ends_before_it(tmp_path: Path) -> None:
    world, handle, _ = sound()
    earlier = world.collect(storage=True)[STORAGE]
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    done = world.tickets(handle, "cat", "dan")
    world.tick(900)
    found = diagnose(tmp_path, {**world.collect(bucket=False), STORAGE: earlier})
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0


def test_an_emptied_storage_tells_that_its_head_is_gone(tmp_path: Path) -> None:
    world, handle, done = sound()
    worker = world.worker
    worker.heads.clear()
    worker.entries, worker.last, worker.history, worker.claims, worker.receipts = [], {}, {}, {}, {}
    worker.api("GET", "/v1/school/events")
    world.tick(700)
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes={"worker_head_reset"}, last_good=done[-1])


def test_a_storage_alone_tells_whose_parents_came_from_the_chain(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    done = world.tickets(handle, "ann", "bob", from_chain=True)
    head = world.head(handle)
    late = world.worker.issue(handle.address, world.address("cat"), expected=head)
    world.tick(2)
    done += world.tickets(handle, "dan", from_chain=True)
    last = Ticket(late, world.claim(handle, late, "cat"))
    world.tick(900)
    files = {
        name: part
        for name, part in world.collect(storage=True).items()
        if not name.startswith("worker/") or name == STORAGE
    }
    files[STORAGE] = [row for row in files[STORAGE] if not row["key"].startswith("audit")]
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=last, forks=[head])


# -- the chain alone --


def test_an_old_loss_does_not_decide_a_new_episode(tmp_path: Path) -> None:
    """The heads were put back and the chain went on; what is refused now waits for a proof that may
    still land.
    """
    world, handle, _ = sound()
    backup = world.worker.backup()
    world.worker.issue(handle.address, world.address("bob 2"))
    world.tick(10)
    assert world.ticket(handle, "cat").landed.error == 6026
    world.worker.restore(backup, only_heads=True)
    world.tick(700)
    world.tickets(handle, "dan", "eve")
    young = world.worker.issue(handle.address, world.address("fay"))
    world.tick(5)
    refused = world.ticket(handle, "gus")
    assert refused.landed.error == 6026
    found = diagnose(tmp_path, world.collect(worker=False))
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    assert found.grants[0].missing_entries == [young.entry]


def test_without_any_head_of_the_chain_nothing_is_called_broken(tmp_path: Path) -> None:
    world, handle, _ = sound()
    for _ in range(50):
        world.worker.api("GET", "/v1/school/events")
    world.tickets(handle, "cat", "dan")
    world.tick(900)
    files = world.collect(bucket=False)
    found = diagnose(
        tmp_path, {name: part for name, part in files.items() if not name.startswith("rpc/")}
    )
    expect(found, handle, "inconclusive")
    assert found.exit_code == 3


def test_refused_claims_without_pop_state_and_without_a_list(tmp_path: Path) -> None:
    """What they follow may have landed: neither PopState nor a list that was given whole says that
    it did not.
    """
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(5)
    refused = world.ticket(handle, "dan")
    world.tick(900)
    files = world.collect(worker=False)
    del files[SIGNATURES]
    wanted = {
        "last_good": done[-1],
        "first_bad": bad(refused, "PopHashChainBroken"),
        "affected": {world.address("dan")},
    }
    with_state = diagnose(tmp_path / "state", files)
    expect(with_state, handle, "broken", causes={"abandoned_proof"}, missing=[lost.entry], **wanted)
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.state]
    found = diagnose(tmp_path / "neither", files)
    expect(found, handle, "inconclusive", **{**wanted, "affected": None})
    assert (with_state.exit_code, found.exit_code) == (1, 3)
    assert found.reconciliation.abandoned_proofs == []


def test_what_an_unseen_head_rests_on_landed_too(tmp_path: Path) -> None:
    """Three claims were not given, PopState names the last: under strict rules the worker's proofs
    below it landed as well.
    """
    world, handle, done = sound()
    hidden = world.tickets(handle, "cat", "dan", "eve")
    world.worker.issue(handle.address, world.address("fay"))
    world.tick(900)
    found = diagnose(tmp_path, without(world.collect(), *(ticket.signature for ticket in hidden)))
    wanted = {
        "unseen": [hidden[-1].entry],
        "missing": ANY,
        "causes": {"abandoned_proof"},
        "affected": {world.address("fay")},
    }
    expect(found, handle, "broken", last_good=done[-1], **wanted)
    lost = {entry for grant in found.grants for cause in grant.causes for entry in cause.entries}
    assert lost == set(found.reconciliation.abandoned_proofs)
    assert not lost & {ticket.entry for ticket in hidden}


def test_proofs_that_may_have_landed_are_neither_missing_nor_anybody_s_loss(tmp_path: Path) -> None:
    """The worker's records tell of two that the chain, of which the end was not given, may have
    accepted.
    """
    world, handle, _ = sound()
    done = world.tickets(handle, "cat", "dan")
    world.tick(900)
    files = without(world.collect(), *(ticket.signature for ticket in done))
    expect(
        diagnose(tmp_path / "state", files),
        handle,
        "inconclusive",
        last_good=ANY,
        unseen=[done[-1].entry],
    )
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.state]
    del files[SIGNATURES]
    found = diagnose(tmp_path / "neither", files)
    expect(found, handle, "inconclusive", last_good=ANY)
    assert (found.exit_code, found.reconciliation.abandoned_proofs) == (3, [])


def test_records_that_end_in_the_second_of_a_burnt_proof(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.ms = world.ms // 1000 * 1000 + 100
    earlier = world.collect()
    world.ms = world.ms // 1000 * 1000
    proof = world.worker.issue(handle.address, world.address("ann"))
    world.tick(3)
    burnt = Ticket(proof, world.claim(handle, proof, "ann"))
    assert burnt.landed.error == 0
    world.tick(900)
    found = diagnose(tmp_path, worker_of(world.collect(), earlier))
    causes = {"abandoned_proof", "duplicate_claim"}
    expect(
        found,
        handle,
        "broken",
        causes=causes,
        last_good=done[-1],
        first_bad=bad(burnt, "Custom(0)"),
        missing=[proof.entry],
    )


def test_a_worker_that_issued_nothing_was_not_reset(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    foreign = world.ticket(handle, "ann", worker=world.worker.clone(), tell=False)
    world.tick(900)
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(
        found,
        handle,
        "broken",
        causes={"foreign_issuer"},
        last_good=foreign,
        foreign=[foreign.entry],
    )


def test_a_foreign_head_and_a_list_that_does_not_reach_the_worker_s_own(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
        world.tick(1)
    foreign = world.ticket(handle, "ann", worker=world.worker.clone(), tell=False)
    world.tick(30)
    found = diagnose(tmp_path, world.collect(bucket=False))
    expect(
        found,
        handle,
        "inconclusive",
        causes={"foreign_issuer"},
        last_good=foreign,
        foreign=[foreign.entry],
    )


@pytest.mark.parametrize("age", [650, 900])
def test_a_quiet_proof_between_two_refusals(age: int, tmp_path: Path) -> None:
    """The older refusal tells how long its parent has been lost, however young the newest is."""
    in_order = set()
    for number in range(9):  # whichever of the two hashes is the lesser
        world = World(name=f"world {number}")
        handle = world.grant()
        done = world.tickets(handle, "ann", "bob")
        lost = world.worker.issue(handle.address, world.address("cat"))
        world.tick(10)
        first = world.ticket(handle, "dan")
        quiet = world.worker.issue(handle.address, world.address("eve"))
        in_order.add(lost.entry < quiet.entry)
        world.tick(250)
        quiet_between(tmp_path / str(number), age, world, handle, done, lost, first)
    assert in_order == {True, False}


def quiet_between(
    path: Path,
    age: int,
    world: World,
    handle: GrantHandle,
    done: list[Ticket],
    lost: Proof,
    first: Ticket,
) -> None:
    second = world.ticket(handle, "fay")
    found = diagnose(path, collect_at(world, first.proof.issued_at + age, worker=False))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=bad(first, "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address("dan"), world.address("fay")},
    )
    assert second.landed.error == 6026


def test_claims_that_were_not_given_are_not_called_lost(tmp_path: Path) -> None:
    def case(*gone: int) -> tuple[World, GrantHandle, list[Ticket], dict[str, Any]]:
        world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan")
        world.tick(900)
        return world, handle, done, without(world.collect(), *(done[i].signature for i in gone))

    _, handle, done, files = case(1, 2)
    found = diagnose(tmp_path / "middle", files)
    expect(found, handle, "inconclusive", last_good=done[3], unseen=[done[2].entry])
    assert found.reconciliation.abandoned_proofs == []
    _, handle, done, files = case(2, 3)
    found = diagnose(tmp_path / "newest", files)
    expect(found, handle, "inconclusive", last_good=done[1], unseen=[done[3].entry])
    assert found.reconciliation.abandoned_proofs == []
    _, handle, done, files = case()
    found = diagnose(
        tmp_path / "accounts",
        {name: part for name, part in files.items() if name not in (TRANSACTIONS, SIGNATURES)},
    )
    expect(found, handle, "inconclusive", unseen=[done[3].entry])
    assert found.reconciliation.abandoned_proofs == []
    found = diagnose(
        tmp_path / "worker",
        {name: part for name, part in files.items() if not name.startswith("rpc/")},
    )
    expect(found, handle, "inconclusive")
    assert found.reconciliation.abandoned_proofs == []


def test_a_claim_that_was_not_given_and_whose_receipt_exists_where_a_date_calls_the_rules_relaxed(
    tmp_path: Path,
) -> None:
    """Nothing but the date decides: under strict rules the parent of the last claim must have
    landed, and is not in the evidence.
    """
    world, handle, _ = sound("relaxed", "D")
    more = world.tickets(handle, "cat", "dan", from_chain=True)
    world.tick(900)
    found = diagnose(tmp_path, without(world.collect(), more[0].signature))
    expect(found, handle, "inconclusive", last_good=more[1], unseen=[more[0].entry])
    assert (
        found.reconciliation.abandoned_proofs,
        codes(found) & {"proof_lost", "claim_unseen"},
    ) == ([], {"claim_unseen"})
    assert not found.coverage.complete


# -- signers of which the history is not there --


@pytest.mark.parametrize("hide_all", [True, False])
def test_a_rotation_whose_upsert_was_not_given(hide_all: bool, tmp_path: Path) -> None:
    world, handle, _ = sound()
    first = {landed.signature for landed in world.landed if handle.address not in landed.keys}
    world.worker.key = world.key("second")
    second = world.name_signer(handle, world.worker.signer).signature
    [cat] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, without(world.collect(), second, *(first if hide_all else ())))
    expect(found, handle, "intact", last_good=cat)
    assert found.exit_code == 0


def test_a_rotation_of_which_neither_the_upsert_nor_the_account_was_given(tmp_path: Path) -> None:
    """The list names what was not given: what the first upsert said is no word on the present, nor
    on the slot of a claim.
    """
    world, handle, _ = sound()
    world.worker.key = world.key("second")
    second = world.name_signer(handle, world.worker.signer)
    [cat] = world.tickets(handle, "cat")
    files = world.collect()
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.config]
    assert diagnose(tmp_path / "given", files).exit_code == 0
    files[TRANSACTIONS] = [
        row for row in files[TRANSACTIONS] if row["signature"] != second.signature
    ]
    found = diagnose(tmp_path / "listed", files)
    expect(found, handle, "intact", last_good=cat)
    assert (found.exit_code, codes(found, "critical")) == (0, set())


def test_an_unpause_that_was_listed_and_not_given(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.switch(handle, "set_paused", {"paused": True})
    lifted = world.switch(handle, "set_paused", {"paused": False})
    [cat] = world.tickets(handle, "cat")
    files = world.collect()
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    files[TRANSACTIONS] = [
        row for row in files[TRANSACTIONS] if row["signature"] != lifted.signature
    ]
    found = diagnose(tmp_path / "listed", files)
    expect(found, handle, "intact", last_good=cat)
    assert (found.exit_code, codes(found, "critical")) == (0, set())
    files[SIGNATURES] = [row for row in files[SIGNATURES] if row["signature"] != lifted.signature]
    assert codes(diagnose(tmp_path / "hidden", files), "critical") == set(), (
        "nothing confirms that no step is missing"
    )


def test_a_refusal_for_the_signer_is_proof_by_itself(tmp_path: Path) -> None:
    world, handle, done = sound()
    first = {landed.signature for landed in world.landed if handle.address not in landed.keys}
    world.worker.key = world.key("second")
    refused = world.ticket(handle, "cat")
    world.tick(700)
    second = world.name_signer(handle, world.worker.signer).signature
    world.tick(100)
    found = diagnose(tmp_path, without(world.collect(), second, *first))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", "signer_mismatch"},
        last_good=done[-1],
        first_bad=bad(refused, "InvalidPopSigner"),
        missing=[refused.entry],
        affected={world.address("cat")},
    )
    accused = {f.where[1] for f in found.findings if f.code == "signer_mismatch"}
    assert accused == {refused.signature}


# -- moments --


def test_proofs_of_one_millisecond_are_ordered_by_their_links(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.step_ms = 0
    proofs = [
        world.worker.issue(handle.address, world.address(wallet))
        for wallet in ("cat", "dan", "eve")
    ]
    world.worker.step_ms = 7
    for proof, wallet in zip(proofs, ("cat", "dan", "eve"), strict=True):
        world.tick(2)
        last = Ticket(proof, world.claim(handle, proof, wallet))
    world.tick(30)
    files = world.collect(storage=True)
    expect(diagnose(tmp_path / "all", files), handle, "intact", last_good=last)
    bare = {name: part for name, part in files.items() if not name.startswith("worker/")}
    bare[STORAGE] = [row for row in files[STORAGE] if not row["key"].startswith("audit")]
    expect(diagnose(tmp_path / "bare", bare), handle, "intact", last_good=last)


def test_a_rollback_to_a_claim_whose_anchor_is_outside_the_list(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    for _ in range(25):
        world.worker.api("GET", "/x")
    [cat] = world.tickets(handle, "cat")
    for _ in range(25):
        world.worker.api("GET", "/x")
    world.worker.restore(backup, only_heads=True)
    refused = [world.ticket(handle, wallet) for wallet in ("dan", "eve")]
    world.tick(900)
    found = diagnose(tmp_path, world.collect(bucket=False))
    expect(
        found,
        handle,
        "broken",
        causes={"worker_head_rollback"},
        last_good=cat,
        first_bad=bad(refused[0], "PopHashChainBroken"),
        forks=[done[-1].entry],
        affected={world.address("dan"), world.address("eve")},
    )


def test_refusal_parent_and_retry_in_one_slot(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    world.ms = world.ms // 400 * 400 + 400
    landed = [
        Ticket(p, world.claim(handle, p, w))
        for w, p in (("dan", second), ("cat", first), ("dan", second))
    ]
    assert len({ticket.landed.slot for ticket in landed}) == 1
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    row = expect(
        found,
        handle,
        "recovered",
        causes={"out_of_order"},
        last_good=ANY,
        first_bad=bad(landed[0], "PopHashChainBroken"),
    )
    assert row["last_good"]["entry_hash"] == second.entry


def test_the_same_proof_twice_in_one_slot_is_noise(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.ms = world.ms // 400 * 400 + 400
    last = Ticket(proof, world.claim(handle, proof, "cat"))
    again = world.claim(handle, proof, "cat", budget=True)
    assert (again.error, again.slot) == (0, last.landed.slot)
    world.tick(30)
    expect(diagnose(tmp_path, world.collect()), handle, "intact", last_good=last)


@pytest.mark.parametrize("model", ["A", "D"])
def test_a_reset_worker_s_first_proof_lands_under_relaxed_rules(model: str, tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", model)
    world.worker.heads.clear()
    last = world.tickets(handle, "cat")[-1]
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes={"worker_head_reset"}, last_good=last, forks=ANY)


def test_a_head_that_never_moved_is_not_reset(tmp_path: Path) -> None:
    """Model D leaves the stored head at GENESIS as long as clients give theirs; the first that does
    not starts from there.
    """
    world = World("relaxed", "D")
    handle = world.grant()
    world.tickets(handle, "ann", "bob", from_chain=True)
    last = world.tickets(handle, "cat")[-1]
    world.tick(900)
    expect(diagnose(tmp_path, world.collect()), handle, "intact", last_good=last, forks=ANY)


# -- fields --


def test_what_landed_behind_a_lost_proof_says_why_it_was_refused(tmp_path: Path) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(700)
    world.switch(handle, "set_paused", {"paused": True})
    refused = world.ticket(handle, "dan")
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    first = {**bad(refused, "Paused"), "signature": None}
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[-1],
        first_bad=first,
        missing=[lost.entry],
        affected={world.address("cat"), world.address("dan")},
    )


@pytest.mark.parametrize(("wait", "verdict"), [(30, "in_flight"), (900, "broken")])
def test_a_proof_is_for_the_period_that_it_names(wait: int, verdict: str, tmp_path: Path) -> None:
    """Sent in a claim of a period that is claimed already, it is refused, and may still land in its
    own.
    """
    world = World()
    handle = world.grant(period_seconds=3600, start_ago=0)
    done = world.tickets(handle, "ann", "bob")
    world.tick(3600)
    proof = world.worker.issue(handle.address, world.address("bob"), 1)
    world.tick(3)
    refused = Ticket(proof, world.claim(handle, proof, "bob", 0))
    world.tick(wait)
    found = diagnose(tmp_path, world.collect())
    wanted: dict[str, Any] = {"missing": [proof.entry], "last_good": done[-1]}
    if verdict == "in_flight":
        expect(found, handle, verdict, heals_until=proof.issued_at + 600, **wanted)
    else:
        wanted |= {
            "causes": {"abandoned_proof", "duplicate_claim"},
            "first_bad": bad(refused, "Custom(0)"),
        }
        expect(found, handle, verdict, affected={world.address("bob")}, **wanted)


def test_a_claim_that_landed_after_the_chain_was_read_is_no_false_record(tmp_path: Path) -> None:
    world, handle, done = sound()
    chain = {name: rows for name, rows in world.collect().items() if not name.startswith("worker/")}
    world.tick(30)
    world.tickets(handle, "cat")
    found = diagnose(tmp_path, {**world.collect(), **chain})
    assert (found.reconciliation.unbacked_records, "record_unbacked" in codes(found)) == ([], False)
    [row] = [row for row in found.coverage.not_checked if row.part == "claim_records"]
    assert (
        row.detail
        == "1 claim record without a transaction: the record was made after the chain was read"
    )
    [told] = found.grants
    assert told.last_good is not None
    assert (told.last_good["signature"], told.verdict, found.exit_code) == (
        done[-1].signature,
        "in_flight",
        0,
    )
