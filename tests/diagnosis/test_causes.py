"""The causes of a grant with the evidence each names, forks and repeats, who is affected, and the
proofs they rest on.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.causes.model import Cause
from popkit.causes.registry import CAUSES, causes_of
from popkit.causes.signer_mismatch import signer_mismatch
from popkit.causes.worker_head import worker_head_reset, worker_head_rollback
from popkit.chain.attempts import Attempt
from popkit.diagnosis.impact import (
    affected_claimers,
    first_bad,
    last_good,
    missing_entries,
)
from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.proofs import GENESIS
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.evidence.lines import Place
from popkit.evidence.worker import StoredRow
from popkit.protocol.message import GENESIS_HASH, entry_hash
from popkit.verdict.incident import Incident
from popkit.verdict.judge import Judge
from popkit.worker.storage_history import HistoryRow, read_history
from tests.diagnosis.judged import without_times

CLIENT_PARENTS_DAY = 1772600000
"""2026-03-04: the first day of workers that take parents from clients and keep their own heads
where they were.
"""
TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)


def incident_of(path: Path, files: dict[str, Any], handle: GrantHandle) -> Incident:
    """One grant's incident, put together as a diagnosis does it."""
    facts = popkit.open_case(write_case(path, files)).facts
    judgement = Judge(facts).judge(handle.address)
    return Incident(facts, judgement)


def pairs(incident: Incident) -> tuple[list[list[str]], list[list[str]]]:
    """(equivocations, repeats)."""
    return incident.equivocations, incident.repeats


def found_in(incident: Incident) -> dict[str, Cause]:
    return {cause.name: cause for cause in causes_of(incident)}


def burnt_alone(incident: Incident, attempt: Attempt) -> Incident:
    """The same incident with this one burnt attempt."""
    other = Incident(incident.facts, incident.judgement)
    other.burnt = [attempt]
    return other


def hide(files: dict[str, Any], *signatures: str) -> dict[str, Any]:
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] not in signatures]
    return files


def send(
    world: World, handle: GrantHandle, wallet: str, proof: Any, wait: int = 3, **shape: Any
) -> Ticket:
    ticket = Ticket(proof, world.claim(handle, proof, wallet, **shape))
    world.tick(wait)
    return ticket


# -- abandoned --


def test_abandoned_and_what_came_behind(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    world.ticket(handle, "dan")
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert found_in(incident) == {
        "abandoned_proof": Cause(
            "abandoned_proof",
            "1 proof past the chain's head can land no more; the evidence shows no attempt to send "
            "what was lost",
            (lost.entry,),
        )
    }
    assert incident.on_head[0].entry_hash == lost.entry
    assert incident.unknown_parents == []


def test_abandoned_and_known_by_its_children_alone(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    world.ticket(handle, "dan")
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(worker=False), handle)
    assert incident.unknown_parents == [lost.entry]
    assert (
        found_in(incident)["abandoned_proof"].because
        == "refused claims wait for a proof that never landed"
    )
    assert found_in(incident)["abandoned_proof"].entries == (lost.entry,)
    assert missing_entries(incident) == [lost.entry]
    assert lost.entry in incident.lost_proofs


def test_reports_alone_name_no_cause(tmp_path: Path) -> None:
    """Nobody signs them: what they tell of stands in the verdict's reasoning, and no proof is
    called abandoned by it.
    """
    world = World()
    handle = world.grant()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    world.simulate(handle, world.worker.issue(handle.address, world.address("dan")), "dan")
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(worker=False, reports=True), handle)
    assert (incident.judgement.verdict, found_in(incident)) == ("inconclusive", {})
    assert [r.error for r in incident.judgement.reports] == ["PopGenesisMismatch"]


def test_the_first_of_all_that_was_refused(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    proof = world.worker.issue(handle.address, world.address("ann"))
    world.switch(handle, "set_paused", {"paused": True})
    ticket = send(world, handle, "ann", proof)
    world.tick(900)
    found = found_in(incident_of(tmp_path, world.collect(), handle))
    assert (
        found["abandoned_proof"].because
        == "1 proof past the chain's head can land no more after a refusal by the program"
    )
    assert found["genesis_mismatch"] == Cause(
        "genesis_mismatch",
        "no proof of the grant was ever accepted: the lost proof was its first",
        (proof.entry,),
    )
    assert found["paused"] == Cause(
        "paused",
        "the program refused a proof with Paused and never accepted it",
        (proof.entry,),
        (ticket.signature,),
    )


def test_a_sound_grant_has_no_cause(tmp_path: Path) -> None:
    world, handle, _ = sound()
    assert causes_of(incident_of(tmp_path, world.collect(storage=True), handle)) == []


# -- order --


def test_out_of_order_names_the_refused(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    refused = send(world, handle, "dan", second)
    send(world, handle, "cat", first)
    send(world, handle, "dan", second)
    found = found_in(incident_of(tmp_path, world.collect(), handle))
    assert found == {
        "out_of_order": Cause(
            "out_of_order",
            "the program refused 1 claim that landed before the claim to follow; the proofs of "
            "both landed later",
            (second.entry,),
            (refused.signature,),
        )
    }


# -- issuers, signers --


def test_a_foreign_issuer_names_what_landed_and_what_was_refused(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    refused = world.ticket(handle, "dan", worker=clone)
    world.tickets(handle, "eve")
    incident = incident_of(tmp_path, world.collect(), handle)
    assert found_in(incident)["foreign_issuer"] == Cause(
        "foreign_issuer",
        "the worker's audit chain, complete over that time, holds no entry of 1 validly signed "
        "proof",
        (refused.entry,),
        (refused.signature,),
    )
    assert incident.own(incident.chain_refused) == []
    assert refused.entry not in incident.lost_proofs


def test_a_foreign_proof_that_was_accepted_is_named_with_its_transaction(tmp_path: Path) -> None:
    world, handle, _ = sound()
    accepted = world.ticket(handle, "dan", worker=world.worker.clone())
    world.worker.api("GET", "/v1/school/events")
    found = found_in(incident_of(tmp_path, world.collect(), handle))
    assert (found["foreign_issuer"].entries, found["foreign_issuer"].signatures) == (
        (accepted.entry,),
        (accepted.signature,),
    )


def test_a_foreign_proof_on_the_head_is_not_this_worker_s(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    world.switch(handle, "set_paused", {"paused": True})
    foreign = world.ticket(handle, "dan", worker=clone)
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert incident.judgement.line.proofs[foreign.entry].issuer == "foreign"
    assert incident.on_head == []
    assert foreign.proof.prev == done[-1].entry


def test_a_wrong_signer_by_claim_by_report_and_by_configuration(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.key = world.key("second signer")
    incident = incident_of(tmp_path / "now", world.collect(), handle)
    named, now = incident.facts.history.signer_now(handle.authority), world.worker.signer
    assert signer_mismatch(incident) == Cause(
        "signer_mismatch", f"the worker signs with {now}, while pop-config names {named}"
    )
    proof = world.worker.issue(handle.address, world.address("cat"))
    assert world.simulate(handle, proof, "cat").error == 6018
    told = signer_mismatch(
        incident_of(tmp_path / "on its way", world.collect(reports=True), handle)
    )
    assert told is not None
    assert told.entries == (), "in flight: the status says it, and no report does"
    seen = "proofs were signed by a key that pop-config did not name at that slot"
    refused = send(world, handle, "cat", proof)
    landed = signer_mismatch(incident_of(tmp_path / "landed", world.collect(), handle))
    assert landed == Cause("signer_mismatch", seen, (proof.entry,), (refused.signature,))
    world.tick(700)
    lost = hide(world.collect(reports=True), refused.signature)
    told = signer_mismatch(incident_of(tmp_path / "told", lost, handle))
    reported = (
        "a wallet reports that the program refused its proof, which is lost, for a wrong signer"
    )
    assert told == Cause("signer_mismatch", reported, (proof.entry,)), (
        "of a lost proof on the head, its wallet's report names the rule"
    )
    world.switch(handle, "close_grant", {})
    files = hide(world.collect(), refused.signature)
    assert signer_mismatch(incident_of(tmp_path / "closed", files, handle)) is None, (
        "nothing is claimed from a closed grant any more"
    )


def test_a_status_from_before_a_rotation_is_no_mismatch(tmp_path: Path) -> None:
    world, handle, _ = sound()
    before = {name: rows for name, rows in world.collect().items() if name.startswith("worker/")}
    world.tick(60)
    world.name_signer(handle, world.address("second signer"))
    assert (
        signer_mismatch(incident_of(tmp_path / "before", {**world.collect(), **before}, handle))
        is None
    )
    assert signer_mismatch(incident_of(tmp_path / "after", world.collect(), handle)) is not None


def test_nobody_s_signer_is_no_mismatch(tmp_path: Path) -> None:
    world, handle, _ = sound()
    assert signer_mismatch(incident_of(tmp_path, world.collect(worker=False), handle)) is None


# -- heads --


@pytest.mark.parametrize("later", [0, 1])
def test_one_worker_that_issues_twice_from_genesis_forgot_its_head(
    tmp_path: Path, later: int
) -> None:
    """By the order of its audit chain the second had a head to follow, whether the first had landed
    by then or not.
    """
    world = World()
    handle = world.grant()
    first = world.worker.issue(handle.address, world.address("ann"))
    world.tick(5)
    world.worker.heads.clear()
    if not later:
        world.worker.issue(handle.address, world.address("bob"))
        world.tick(5)
    send(world, handle, "ann", first, wait=0)
    if later:
        world.worker.issue(handle.address, world.address("bob"))
    world.tick(900)
    reset = worker_head_reset(incident_of(tmp_path, world.collect(), handle))
    assert reset is not None
    assert len(reset.entries) == 1
    assert first.entry not in reset.entries, "the grant's first rightly stands on GENESIS"


def test_a_second_issuer_s_first_proof_is_no_reset_while_the_grant_has_no_state(
    tmp_path: Path,
) -> None:
    world = World()
    handle = world.grant()
    clone = world.worker.clone()
    first = clone.issue(handle.address, world.address("ann"))
    world.tick(5)
    quiet = world.worker.issue(handle.address, world.address("bob"))
    world.tick(5)
    send(world, handle, "ann", first)
    world.tick(900)
    files = world.collect()
    assert worker_head_reset(incident_of(tmp_path / "before", files, handle)) is None
    assert quiet.prev == GENESIS
    world.worker.heads.clear()
    late = world.worker.issue(handle.address, world.address("cat"))
    reset = worker_head_reset(incident_of(tmp_path / "after", world.collect(), handle))
    assert reset is not None
    assert late.entry in reset.entries


def test_a_reset_head_shows_by_the_audit_chain_where_no_time_is_known(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.heads.clear()
    refused = world.ticket(handle, "cat")
    world.tick(900)
    files = without_times(copy.deepcopy(world.collect()))
    reset = worker_head_reset(incident_of(tmp_path / "refused", files, handle))
    assert reset is not None
    assert reset.entries == (refused.entry,)
    unsent = worker_head_reset(
        incident_of(tmp_path / "unsent", hide(files, refused.signature), handle)
    )
    assert unsent is not None
    assert unsent.entries == (refused.entry,)


@pytest.mark.parametrize("issuer", ["the worker itself", "a copy of the key"])
def test_who_issued_from_genesis_shows_in_the_worker_s_records_alone(
    issuer: str, tmp_path: Path
) -> None:
    """A second worker with the same key and an empty storage leaves the same two claims on chain as
    one that forgot its head.
    """
    world = World()
    handle = world.grant()
    empty = world.worker.clone()
    world.tickets(handle, "ann", "bob")
    if issuer == "the worker itself":
        world.worker.heads.clear()
        refused = world.ticket(handle, "cat")
    else:
        refused = send(world, handle, "cat", empty.issue(handle.address, world.address("cat")))
    assert (refused.proof.prev, refused.landed.error) == (GENESIS, 6026)
    world.tick(900)
    assert (
        worker_head_reset(incident_of(tmp_path / "chain", world.collect(worker=False), handle))
        is None
    )
    names = set(found_in(incident_of(tmp_path / "records", world.collect(), handle)))
    assert ("worker_head_reset" in names, "foreign_issuer" in names) == (
        issuer == "the worker itself",
        issuer != "the worker itself",
    )


@pytest.mark.parametrize("ahead", [0, 300])
@pytest.mark.parametrize("times", [True, False])
def test_two_clients_that_gave_genesis_at_once_are_no_reset(
    times: bool, ahead: int, tmp_path: Path
) -> None:
    """A worker that takes parents from clients gave both GENESIS; the second is refused, and its
    clock may stand ahead of the chain's.
    """
    world = World("strict_v2", "D", start=CLIENT_PARENTS_DAY)
    world.worker.offset_ms = 1000 * ahead
    handle = world.grant()
    proofs = [
        world.worker.issue(handle.address, world.address(w), expected=GENESIS)
        for w in ("ann", "bob")
    ]
    landed = [
        world.claim(handle, proof, wallet)
        for proof, wallet in zip(proofs, ("ann", "bob"), strict=True)
    ]
    assert [ticket.err is None for ticket in landed] == [True, False]
    world.tick(30)
    for part in ("records", "chain"):
        files = world.collect(worker=part == "records")
        incident = incident_of(tmp_path / part, files if times else without_times(files), handle)
        assert worker_head_reset(incident) is None


@pytest.mark.parametrize(("older", "found"), [(-1, True), (0, False), (1, False)])
def test_a_reset_head_where_pop_state_alone_tells_of_state(
    tmp_path: Path, older: int, found: bool
) -> None:
    world, handle, done = sound("strict", "A", "ann")
    world.worker.heads.clear()
    quiet = world.worker.issue(handle.address, world.address("cat"))
    world.ledger.states[handle.state] = replace(
        world.ledger.states[handle.state], last_issued_at=quiet.issued_at + older
    )
    files = hide(world.collect(), done[0].signature)
    assert (worker_head_reset(incident_of(tmp_path, files, handle)) is not None) is found


def test_a_stored_head_that_is_gone_or_older(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [GENESIS, GENESIS]
    found = found_in(incident_of(tmp_path / "gone", world.collect(storage=True), handle))
    assert found == {
        "worker_head_reset": Cause(
            "worker_head_reset", "the worker's storage holds no head for a grant that has state"
        )
    }
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    found = found_in(incident_of(tmp_path / "older", world.collect(storage=True), handle))
    seen = "the worker's stored head is older than its newest proof"
    assert found == {"worker_head_rollback": Cause("worker_head_rollback", seen, (done[0].entry,))}


def test_a_rollback_names_each_proof_from_an_older_head(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    wrong = world.ticket(handle, "cat")
    behind = world.ticket(handle, "dan")
    world.tick(900)
    rolled = worker_head_rollback(incident_of(tmp_path, world.collect(), handle))
    seen = "the worker issued 1 proof from an entry older than its newest one"
    assert rolled == Cause("worker_head_rollback", seen, (wrong.entry,))
    assert behind.proof.prev == wrong.entry


def test_heads_from_the_chain_are_neither_rolled_back_nor_reset(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    for expected in (done[0].entry, GENESIS):
        world.worker.issue(handle.address, world.address("cat"), expected=expected)
        world.tick(3)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert worker_head_rollback(incident) is None
    assert worker_head_reset(incident) is None


def test_a_stream_that_diverged(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    stored = found_in(incident_of(tmp_path / "stored", world.collect(storage=True), handle))
    assert stored == {
        "stream_divergence": Cause(
            "stream_divergence", "the worker's two stored heads differ", (done[0].entry,)
        )
    }
    quiet = world.worker.issue(handle.address, world.address("cat"))
    world.simulate(handle, quiet, "cat")
    issued = found_in(incident_of(tmp_path / "issued", world.collect(), handle))
    seen = "proofs follow the chain by their global link and another entry by their stream link"
    assert issued["stream_divergence"] == Cause("stream_divergence", seen, (quiet.entry,))
    world.tick(900)
    told = found_in(
        incident_of(tmp_path / "told", world.collect(worker=False, reports=True), handle)
    )
    assert told == {}, "reports alone name no cause"


# -- burnt --


@pytest.mark.parametrize(
    "name",
    ["vault_empty", "grant_expired", "wrong_period", "proof_expired", "not_in_allowlist", "paused"],
)
def test_a_burnt_proof_by_its_rule_and_no_other(tmp_path: Path, name: str) -> None:
    terms = {
        "vault_empty": {"fund": 2},
        "grant_expired": {"expires_in": 300},
        "wrong_period": {"period_seconds": 600, "start_ago": 200},
    }
    world, handle, _ = sound("strict", "A", "ann", "bob", **terms.get(name, {}))
    shape: dict[str, Any] = {}
    proof = world.worker.issue(handle.address, world.address("cat"))
    if name == "paused":
        world.switch(handle, "set_paused", {"paused": True})
    elif name == "not_in_allowlist":
        world.switch(handle, "set_allowlist_root", {"merkle_root": "77" * 32})
        shape = {"list_proof": [b"\1" * 32]}
    world.tick({"grant_expired": 420, "wrong_period": 420, "proof_expired": 620}.get(name, 5))
    ticket = send(world, handle, "cat", proof, **shape)
    world.tick(700)
    incident = incident_of(tmp_path, world.collect(), handle)
    found = found_in(incident)
    assert set(found) == {"abandoned_proof", name}
    assert (found[name].entries, found[name].signatures) == ((proof.entry,), (ticket.signature,))
    assert incident.burnt[0].failure is not None
    assert (
        f"refused a proof with {incident.burnt[0].error}" in found[name].because
        or name == "wrong_period"
    )
    others = {
        "another claim's failure in that transaction": incident.burnt[0]._replace(
            own_failure=False
        ),
        "another program's error of that name": incident.burnt[0]._replace(
            failure=replace(incident.burnt[0].failure, layer="anchor")
        ),
        "no failure is known": incident.burnt[0]._replace(failure=None),
    }
    for why, attempt in others.items():
        assert CAUSES[name].look(burnt_alone(incident, attempt)) is None, why


def test_a_duplicate_by_claim_and_by_report(tmp_path: Path) -> None:
    world, handle, _ = sound()
    again = world.worker.issue(handle.address, world.address("bob"))
    world.simulate(handle, again, "bob")
    world.tick(5)
    told = found_in(incident_of(tmp_path / "told", world.collect(reports=True), handle))
    seen = "a proof was issued for a period whose receipt already existed"
    assert told["duplicate_claim"] == Cause("duplicate_claim", seen, (again.entry,))
    ticket = send(world, handle, "bob", again)
    incident = incident_of(tmp_path / "landed", world.collect(), handle)
    assert found_in(incident)["duplicate_claim"] == Cause(
        "duplicate_claim", seen, (again.entry,), (ticket.signature,)
    )
    look = CAUSES["duplicate_claim"].look
    assert incident.burnt[0].failure is not None
    for change in ({"layer": "program"}, {"code": 1}):
        attempt = incident.burnt[0]._replace(failure=replace(incident.burnt[0].failure, **change))
        assert look(burnt_alone(incident, attempt)) is None
    unclaimed = incident.burnt[0]._replace(claimer=world.address("nobody"))
    assert look(burnt_alone(incident, unclaimed)) is None, "its receipt was somebody else's"
    assert look(burnt_alone(incident, incident.burnt[0]._replace(own_failure=False))) is None


def test_two_events_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = world.worker.event_of(handle.address), world.worker.open_event(handle, "Again")
    found = found_in(incident_of(tmp_path, world.collect(), handle))
    assert found == {
        "grant_reuse": Cause(
            "grant_reuse",
            f"the grant is linked to the events {' and '.join(sorted((first, second)))}",
        )
    }


def test_in_flight_has_no_cause_but_what_is_wrong_anyway(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.open_event(handle, "Again")
    world.worker.issue(handle.address, world.address("cat"))
    world.worker.key = world.key("second signer")
    assert set(found_in(incident_of(tmp_path, world.collect(), handle))) == {
        "signer_mismatch",
        "grant_reuse",
    }


def test_a_break_that_nothing_explains_says_what_was_looked_for(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.tick(900)
    world.worker.heads[handle.address] = ["ab" * 32, "ab" * 32]
    found = found_in(incident_of(tmp_path, world.collect(storage=True), handle))
    assert set(found) == {"unexplained"}
    *known, last = CAUSES
    assert last == "unexplained"
    assert (
        found["unexplained"].because
        == f"the evidence shows none of the known causes: {', '.join(known)}"
    )


# -- reports --


@pytest.mark.parametrize(("late", "told"), [(0, True), (900, True), (901, False), (-1, False)])
def test_a_report_is_of_a_proof_that_its_wallet_held_then(
    tmp_path: Path, late: int, told: bool
) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    world.simulate(handle, lost, "cat")
    world.reports[0]["at"] = lost.issued_at + late
    world.tick(1000)
    incident = incident_of(tmp_path, world.collect(reports=True), handle)
    assert set(incident.reported) == ({lost.entry} if told else set())


def test_of_two_proofs_a_report_is_of_the_newer_and_the_first_report_counts(tmp_path: Path) -> None:
    world, handle, _ = sound()
    older = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    newer = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    world.simulate(handle, newer, "cat")
    world.tick(10)
    world.switch(handle, "set_paused", {"paused": False})
    world.simulate(handle, newer, "cat")
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(reports=True), handle)
    assert {entry: r.error for entry, r in incident.reported.items()} == {newer.entry: "Paused"}
    assert older.entry not in incident.reported


# -- forks, repeats --


def test_a_fork_is_a_fork_where_only_the_date_tells_the_program(tmp_path: Path) -> None:
    """No refusal shows the strict program here; its date does, and two proofs of one worker on one
    parent are then no race.
    """
    world, handle, done = sound()
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    send(world, handle, "cat", proof)
    world.tick(700)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert incident.forks == [
        {"parent": done[0].entry, "children": sorted([done[1].entry, proof.entry]), "kind": "fork"}
    ]


def twins(world: World, handle: GrantHandle, worker: Any = None) -> list[str]:
    """Two proofs for one wallet on one parent; the first is accepted, the second refused."""
    head = world.head(handle)
    expected = head if world.worker.model == "D" else None
    proofs = []
    for issuer in (world.worker, worker or world.worker):
        if expected is None and not proofs:
            backup = copy.deepcopy(world.worker.heads)
        elif expected is None and worker is None:
            world.worker.heads = backup
        proofs.append(issuer.issue(handle.address, world.address("cat"), expected=expected))
        world.tick(2)
    for proof in proofs:
        send(world, handle, "cat", proof)
    return sorted(p.entry for p in proofs)


def test_one_worker_that_was_asked_twice_repeats_itself(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    pair = twins(world, handle)
    incident = incident_of(tmp_path / "anchors", world.collect(), handle)
    assert pairs(incident) == ([], [pair])
    alone = incident_of(tmp_path / "alone", world.collect(worker=False), handle)
    assert pairs(alone) == ([], [pair]), "relaxed rules, and nobody shown to be another"


@pytest.mark.parametrize("records", [True, False])
def test_one_worker_that_keeps_its_own_head_equivocates(tmp_path: Path, records: bool) -> None:
    world, handle, _ = sound()
    pair = twins(world, handle)
    incident = incident_of(tmp_path, world.collect(worker=records), handle)
    assert pairs(incident) == ([pair], [])


def test_two_issuers_equivocate_under_any_rules(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    pair = twins(world, handle, world.worker.clone())
    incident = incident_of(tmp_path, world.collect(), handle)
    assert pairs(incident) == ([pair], [])
    assert [fork["kind"] for fork in incident.forks] == ["fork"]


@pytest.mark.parametrize("follow", [(True, True), (True, False), (False, True), (False, False)])
def test_a_repeat_is_of_two_proofs_of_which_one_took_the_chain_s_head(
    tmp_path: Path, follow: tuple[bool, bool]
) -> None:
    """A head that the first did not move, or that the second did not ask for, was not forgotten by
    the worker that keeps it.
    """
    world, handle, done = sound("relaxed", "D", "ann")
    proofs = []
    for follows in follow:
        world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
        proofs.append(
            world.worker.issue(
                handle.address, world.address("cat"), expected=done[0].entry if follows else None
            )
        )
        world.tick(2)
    for proof in proofs:
        send(world, handle, "cat", proof)
    pair = sorted(p.entry for p in proofs)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert pairs(incident) == (([], [pair]) if any(follow) else ([pair], []))


def test_a_repeat_of_which_one_is_not_in_the_records_is_judged_by_the_rules(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    head = world.head(handle)
    before = world.worker.issue(handle.address, world.address("cat"), expected=head)
    parts = world.collect()
    world.tick(2)
    after = world.worker.issue(handle.address, world.address("cat"), expected=head)
    for proof in (before, after):
        send(world, handle, "cat", proof)
    files = {
        **world.collect(worker=False),
        **{name: rows for name, rows in parts.items() if name.startswith("worker/")},
    }
    assert pairs(incident_of(tmp_path, files, handle)) == (
        [],
        [sorted((before.entry, after.entry))],
    )


# -- first and last, who is affected, cutovers --


def test_the_first_bad_by_its_source(tmp_path: Path) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    behind = world.worker.issue(handle.address, world.address("dan"))
    world.simulate(handle, behind, "dan")
    world.tick(5)
    world.simulate(handle, behind, "dan")
    world.reports[1]["logs"] = [
        line.replace("PopHashChainBroken", "Paused").replace("6026", "6007")
        for line in world.reports[1]["logs"]
    ]
    world.tick(900)
    by_worker = incident_of(tmp_path / "worker", world.collect(reports=True), handle)
    told = {
        "signature": None,
        "entry_hash": behind.entry,
        "prev_hash": lost.entry,
        "error": "PopHashChainBroken",
        "source": "worker",
    }
    assert first_bad(by_worker) == told
    by_client = incident_of(tmp_path / "client", world.collect(worker=False, reports=True), handle)
    assert first_bad(by_client) is None, "reports alone break nothing"
    landed = send(world, handle, "dan", world.worker.issue(handle.address, world.address("dan")))
    by_chain = first_bad(incident_of(tmp_path / "chain", world.collect(), handle))
    wanted = (landed.signature, landed.entry, landed.proof.prev, "PopHashChainBroken", "chain")
    assert by_chain is not None
    assert tuple(by_chain.values()) == wanted
    last = done[-1].landed
    assert last_good(by_worker.judgement.line.chain) == {
        "signature": last.signature,
        "receipt": pda.receipt_address(handle.address, world.address("bob"), 0),
        "entry_hash": done[-1].entry,
        "slot": last.slot,
        "block_time": last.time,
    }


def test_the_refused_and_the_lost_are_affected_alike(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    clone = world.worker.clone()
    world.ticket(handle, "dan")
    world.ticket(handle, "eve", worker=clone)
    world.tick(900)
    incident = incident_of(tmp_path, world.collect(), handle)
    assert affected_claimers(incident) == sorted(world.address(w) for w in ("cat", "dan", "eve"))


def cutovers(path: Path, files: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """(superseded_by, cutover_of) of every grant."""
    found = popkit.open_case(write_case(path, files)).diagnose()
    return {g.grant: (g.superseded_by, g.cutover_of) for g in found.grants}


def broken_grant(world: World, number: int, **terms: Any) -> GrantHandle:
    """A grant with one good claim and a lost proof."""
    handle = world.grant(number, **terms)
    world.tickets(handle, "ann")
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(700)
    return handle


def test_a_cutover_is_to_the_next_grant_of_the_same_authority_and_mint(tmp_path: Path) -> None:
    world = World()
    earlier = world.grant(7)
    old = broken_grant(world, 1)
    other_mint, other_school = (
        world.grant(2, mint="other mint"),
        world.grant(3, authority="other school"),
    )
    new, later = world.grant(4), world.grant(5)
    world.tick(5)
    found = cutovers(tmp_path, world.collect())
    assert found[old.address] == (new.address, None)
    assert found[new.address] == (None, old.address)
    assert {found[h.address] for h in (earlier, other_mint, other_school, later)} == {(None, None)}


def test_every_lost_or_undecided_grant_is_looked_at(tmp_path: Path) -> None:
    """Sound grants, and those of which nothing is known, stop nobody's search."""
    world = World()
    old = [broken_grant(world, n, mint=f"mint {n}") for n in (1, 2, 3)]
    new = [world.grant(n + 10, mint=f"mint {n}") for n in (1, 2, 3)]
    files = world.collect(worker=False)
    unknown = world.address("no grant at all")
    files["case.json"]["grants"] = sorted([*files["case.json"]["grants"], unknown])
    found = cutovers(tmp_path, files)
    assert {h.address: found[h.address][0] for h in old} == {
        o.address: n.address for o, n in zip(old, new, strict=True)
    }
    assert found[unknown] == (None, None)


def test_a_grant_that_nobody_claimed_from_is_left_behind_from_its_creation_on(
    tmp_path: Path,
) -> None:
    world = World()
    old = world.grant(1)
    world.worker.issue(old.address, world.address("ann"))
    world.tick(700)
    new = world.grant(2)
    world.tick(5)
    assert cutovers(tmp_path, world.collect())[old.address] == (new.address, None)


# -- the worker's history and line --

GRANT, WALLET = World().grant().address, World().address("ann")


def history_row(**fields: Any) -> dict[str, Any]:
    told = {
        "grant": GRANT,
        "claimer": WALLET,
        "periodIndex": "3",
        "prevHash": "GENESIS",
        "streamPrevHash": "ab" * 32,
    }
    told |= {"auditHash": "cd" * 32, "issuedAt": 1771830000, **fields}
    if "entryHash" not in told:
        told["entryHash"] = entry_hash(
            2, GENESIS_HASH, "ab" * 32, "cd" * 32, GRANT, WALLET, 3, 1771830000
        )
    return told


def history_of(*values: Any, key: str = "pop_chain:history:x") -> list[HistoryRow]:
    place = Place("worker/storage.jsonl")
    return read_history(
        {f"{key}{n}": StoredRow(f"{key}{n}", value, place) for n, value in enumerate(values)}
    )


def test_a_history_record_whole() -> None:
    told = history_row()
    [found] = history_of(told)
    wanted = HistoryRow(
        "pop_chain:history:x0",
        GRANT,
        WALLET,
        3,
        GENESIS_HASH,
        "ab" * 32,
        "cd" * 32,
        told["entryHash"],
        1771830000,
        True,
        "cd" * 32,
    )
    assert found == wanted, "in model A the audit hash is the anchor's"
    assert [h.holds for h in history_of(history_row(entryHash="ef" * 32))] == [False]
    assert [h.anchor_hash for h in history_of(history_row(receiptHash="cd" * 32))] == [None]
    sources = ("client_onchain", "storage", None)
    assert [
        h.follows_chain for h in history_of(*(history_row(hashSource=source) for source in sources))
    ] == [True, False, False]
    assert [
        h.anchor_hash
        for h in history_of(history_row(receiptHash="cd" * 32, anchorEntryHash="12" * 32))
    ] == ["12" * 32]


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {name: "x"}
            for name in (
                "grant",
                "claimer",
                "prevHash",
                "streamPrevHash",
                "auditHash",
                "entryHash",
                "issuedAt",
                "periodIndex",
            )
        ),
        {"periodIndex": "-1"},
        {"periodIndex": str(1 << 64)},
    ],
)
def test_what_is_no_history_record(fields: dict[str, Any]) -> None:
    assert history_of(history_row(**fields)) == []
    assert history_of(7, None) == []
    assert history_of(history_row(), key="other:") == []
    assert read_history(None) == []


def test_the_widest_period_of_a_history_record() -> None:
    assert [
        h.period_index
        for h in history_of(history_row(periodIndex=str((1 << 64) - 1)), history_row(periodIndex=0))
    ] == [
        (1 << 64) - 1,
        0,
    ]


def joined(world: World, worker_parts: dict[str, Any]) -> dict[str, Any]:
    """The worker's files of one moment with the chain's of another."""
    return {
        **world.collect(worker=False),
        **{name: rows for name, rows in worker_parts.items() if name.startswith("worker/")},
    }


def test_claims_younger_than_the_worker_s_records_carry_its_head_on(tmp_path: Path) -> None:
    world, handle, done = sound()
    parts = world.collect()
    world.tick(2)
    later = world.tickets(handle, "cat", "dan")
    line = incident_of(tmp_path / "later", joined(world, parts), handle).judgement.line
    assert (line.head, line.head_source) == (later[-1].entry, "anchors")
    assert (line.path, line.root) == ([], later[-1].entry)
    world.worker.issue(handle.address, world.address("eve"))
    now = incident_of(tmp_path / "now", world.collect(), handle).judgement.line
    assert now.root == later[-1].entry
    assert len(now.path) == 1
    assert done


def test_records_are_stale_when_an_accepted_claim_is_younger(tmp_path: Path) -> None:
    world, handle, _ = sound()
    parts = world.collect()
    assert not incident_of(tmp_path / "now", joined(world, parts), handle).judgement.line.is_stale
    world.tick(2)
    world.tickets(handle, "cat")
    assert incident_of(tmp_path / "later", joined(world, parts), handle).judgement.line.is_stale
    alone = incident_of(tmp_path / "alone", world.collect(worker=False), handle).judgement.line
    assert not alone.is_stale, "there are none"


def test_a_head_is_not_carried_on_over_what_the_records_could_have_held(tmp_path: Path) -> None:
    """A second worker's claim, older than the newest record, is not this worker's."""
    world, handle, done = sound()
    clone = world.worker.clone()
    world.ticket(handle, "cat", worker=clone, tell=False)
    world.tick(2)
    line = incident_of(tmp_path, world.collect(), handle).judgement.line
    assert line.head == done[-1].entry


def test_a_line_without_records_or_claims(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    line = incident_of(tmp_path, world.collect(worker=False), handle).judgement.line
    assert (line.head, line.head_source, line.root, line.path, line.newest_record) == (
        None,
        None,
        None,
        [],
        None,
    )
    assert not line.is_stale
    assert not line.is_ambiguous


def test_a_claim_of_the_same_second_is_not_younger(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    accepted = world.worker.issue(handle.address, world.address("cat"))
    refused = clone.issue(handle.address, world.address("dan"))
    send(world, handle, "cat", accepted)
    send(world, handle, "dan", refused)
    assert accepted.issued_at == refused.issued_at
    world.tick(900)
    assert not incident_of(
        tmp_path, world.collect(worker=False), handle
    ).judgement.line.is_ambiguous


def test_from_refused_claims_alone_the_head_is_the_tip_above_the_newest(tmp_path: Path) -> None:
    """Three proofs of one second: time does not order them, their links do."""
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("lost"))
    proofs = [world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan", "eve")]
    for proof, wallet in zip(proofs, ("cat", "dan", "eve"), strict=True):
        send(world, handle, wallet, proof)
    world.tick(900)
    line = incident_of(tmp_path, world.collect(worker=False), handle).judgement.line
    assert len({p.issued_at for p in proofs}) == 1
    assert (line.head, line.head_source) == (proofs[-1].entry, "refused claims")
    assert [p.entry_hash for p in line.path] == [p.entry for p in proofs]
    assert line.root == proofs[0].prev
