"""What a receipt-gated worker's proofs commit to: the ticket receipt found or made again, whose it
is, and how often it was used.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.audit.receipts import receipts_made_by
from popkit.diagnosis.result import Diagnosis
from popkit.drill.case import write_case
from popkit.drill.proofs import digest, sign_proof
from popkit.drill.world import MONTH, GrantHandle, Ticket, World, sound
from popkit.evidence.bundle import Evidence
from popkit.verification.model import Verification
from popkit.verification.verify import verify
from popkit.worker.tickets import Answer, Tickets
from tests.conftest import CASES, NAMES
from tests.simulation.expect import codes

TRANSACTIONS, RECEIPTS, LOGS = (
    "rpc/transactions.jsonl",
    "worker/ticket-receipts.jsonl",
    "worker/audit-logs.json",
)
VERIFIES, OWNER, SHARED = (
    "the proof's audit hash is a ticket receipt that verifies",
    "the ticket is the claimer's",
    "no ticket receipt stands behind claims of several wallets",
)
NEW = {
    "ticket_receipt_contradicts_proof",
    "ticket_receipt_of_another",
    "ticket_receipt_reused",
    "ticket_receipt_unseen",
}


def asked(
    path: Path, files: dict[str, Any]
) -> tuple[Diagnosis, Verification, dict[str, tuple[Answer, Answer]]]:
    """A case's diagnosis, its verification, and for each gated claim by signature what backs it and
    whose its ticket is.
    """
    case = popkit.open_case(write_case(path, files))
    tickets = Tickets(case.facts)
    answers = {
        a.signature: (tickets.backing(p), tickets.holder(p, g))
        for g, a, p in tickets.gated_claims()
    }
    return case.diagnose(), verify(Evidence(path)), answers


def statuses(verification: Verification, title: str) -> list[str]:
    return [c.status for s in verification.sections for c in s.checks if str(c.title) == title]


def finding(found: Diagnosis, code: str) -> Any:
    [only] = [f for f in found.findings if f.code == code]
    return only


def land(world: World, handle: GrantHandle, wallet: str, **asked_for: Any) -> Ticket:
    """A wallet's claim on whatever ticket it shows, accepted and never told to the worker."""
    proof = world.worker.issue(handle.address, world.address(wallet), **asked_for)
    landed = world.claim(handle, proof, wallet, asked_for.get("period", 0))
    assert landed.err is None
    world.tick(20)
    return Ticket(proof, landed)


# -- what must not fire --


@pytest.mark.parametrize(("build", "model"), [("strict_v2", "B"), ("relaxed", "D")])
@pytest.mark.parametrize(
    "parts", [{"receipts": True}, {"storage": True}, {"receipts": True, "logs": False}, {}]
)
def test_sound_claims_rest_on_their_claimers_tickets(
    tmp_path: Path, build: str, model: str, parts: dict[str, bool]
) -> None:
    world, _, done = sound(build, model, "ann", "bob")
    found, verified, answers = asked(tmp_path, world.collect(**parts))
    assert not NEW & codes(found)
    assert set(answers) == {t.signature for t in done}
    seen = "a receipt that verifies" if parts else "the receipt that its audit entry makes"
    assert set(answers.values()) == {(Answer(True, seen), Answer(True, "the claimer's ticket"))}
    assert statuses(verified, VERIFIES) == statuses(verified, OWNER) == ["holds"] * 2
    assert statuses(verified, SHARED) == ["holds"]
    assert verified.exit_code == 0


def test_a_worker_that_commits_to_anchors_is_asked_nothing(tmp_path: Path) -> None:
    world, _, _ = sound()
    found, verified, answers = asked(tmp_path, world.collect(receipts=True))
    assert answers == {}
    assert not NEW & codes(found)
    assert statuses(verified, VERIFIES) == statuses(verified, OWNER) == []


@pytest.mark.parametrize("name", NAMES)
def test_recorded_cases_raise_none_of_it(name: str) -> None:
    case = popkit.open_case(CASES / name)
    assert not NEW & codes(case.diagnose())
    anchors = [a for a in case.facts.anchors if a.model != "A"]
    for anchor in anchors:
        entry = case.facts.audit.entries.get(str(anchor.receipt_id))
        if entry is not None and entry.immutable is not None:
            made = [receipt["receiptHash"] for receipt in receipts_made_by(entry)]
            assert made == [anchor.audit_hash], (
                "the receipt that a recorded worker made, made again from its entry"
            )


def test_a_proof_sent_twice_or_issued_again_is_one_use_of_a_ticket(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    proof = world.worker.issue(handle.address, world.address("bob"), expected=world.head(handle))
    world.switch(handle, "set_paused", {"paused": True})
    assert world.claim(handle, proof, "bob").error == 6007
    world.switch(handle, "set_paused", {"paused": False})
    again = land(world, handle, "bob", expected=world.head(handle))
    assert world.claim(handle, again.proof, "bob", budget=True).error == 0
    found, _, _ = asked(tmp_path, world.collect())
    assert not NEW & codes(found)


def test_a_stored_copy_that_was_edited_is_bad_and_the_entry_makes_the_true_one(
    tmp_path: Path,
) -> None:
    world, _, done = sound("strict_v2", "B", "ann", "bob")
    files = json.loads(json.dumps(world.collect(receipts=True)))
    edited = next(r for r in files[RECEIPTS] if r["receiptHash"] == done[0].proof.audit)
    edited["issuedAt"] = "2026-02-28T00:00:00.000Z"
    found, _, answers = asked(tmp_path, files)
    assert codes(found, "critical") == {"ticket_receipt_bad"}
    assert answers[done[0].signature][0] == Answer(True, "the receipt that its audit entry makes")


# -- what cannot be told --


def test_no_receipt_and_no_row_with_sinks_cannot_be_told(tmp_path: Path) -> None:
    world, handle, done = sound("strict_v2", "B", "ann", "bob")
    found, verified, answers = asked(tmp_path, world.collect(logs=False))
    unseen = finding(found, "ticket_receipt_unseen")
    assert (unseen.grant, unseen.where[1], unseen.severity) == (
        handle.address,
        done[0].signature,
        "info",
    )
    assert unseen.slot == done[0].landed.slot
    assert unseen.not_checked == "the ticket receipts behind 2 accepted claims"
    assert set(answers.values()) == {
        (
            Answer(None, "neither the receipt nor its entry's own row is in the evidence"),
            Answer(None, "the receipt is not in the evidence"),
        )
    }
    assert statuses(verified, VERIFIES) == statuses(verified, OWNER) == ["cannot tell"] * 2
    assert verified.exit_code == found.exit_code == 0, "what a whole case ends with is the verdict"


def test_a_receipt_whose_entry_is_not_there_cannot_be_told(tmp_path: Path) -> None:
    """The chain alone and the participants' receipts: a receipt of that hash shows the worker to be
    receipt-gated.
    """
    world, _, done = sound("strict_v2", "B", "ann", "bob")
    files = {
        name: rows
        for name, rows in world.collect(receipts=True).items()
        if name == RECEIPTS or not name.startswith("worker/")
    }
    _, verified, answers = asked(tmp_path, files)
    assert answers[done[0].signature] == (
        Answer(None, "not in the evidence: entry"),
        Answer(True, "the claimer's ticket"),
    )
    assert statuses(verified, VERIFIES) == ["cannot tell"] * 2


# -- what contradicts a proof --


@pytest.mark.parametrize("receipts", [True, False])
def test_an_entry_written_anew_makes_another_receipt_than_the_chain_commits_to(
    tmp_path: Path, receipts: bool
) -> None:
    from tests.attacks.build import amount_of, rehash_from

    world, handle, done = sound("strict_v2", "B", "ann", "bob")
    kept = json.loads(json.dumps(list(world.worker.receipts.values())))
    at = next(
        i
        for i, e in enumerate(world.worker.entries)
        if e["event"] == "WALLET_CLAIM" and e["actor"]["id"] == done[1].proof.claimer
    )
    rehash_from(world.worker, at, amount_of(world.worker.entries[at], 7), bucket=True)
    files = world.collect()
    if receipts:
        files[RECEIPTS] = kept
    found, verified, answers = asked(tmp_path, files)
    told = finding(found, "ticket_receipt_contradicts_proof")
    assert (told.grant, told.where, told.slot) == (
        handle.address,
        ("rpc/transactions.jsonl", done[1].signature),
        done[1].landed.slot,
    )
    assert (
        told.expected
        == f"a ticket receipt of hash {done[1].proof.audit} that says what its entry says"
    )
    if receipts:
        old = next(r for r in kept if r["receiptHash"] == done[1].proof.audit)
        assert told.observed.startswith(
            f"receipt {old['receiptId']}: the receipt's entry is not in the audit chain, which is "
            f"whole over that time"
        )
    else:
        assert told.observed.endswith(
            "makes a receipt of another hash: the entry, or its sinks, were written anew after the "
            "proof"
        )
    assert answers[done[0].signature][0].holds is True, "nothing before it is touched"
    assert statuses(verified, VERIFIES) == ["holds", "violated"]
    assert found.exit_code == verified.exit_code == 1


def test_an_entry_that_the_anchor_names_and_a_whole_chain_does_not_hold(tmp_path: Path) -> None:
    world, _, done = sound("strict_v2", "B", "ann")
    files = json.loads(json.dumps(world.collect(logs=False)))
    anchor = done[0].proof.anchor
    worker = world.worker
    at = next(i for i, e in enumerate(worker.entries) if e["entry_hash"] == anchor)
    from tests.attacks.build import rehash_from

    entry = worker.entries[at]
    rehash_from(
        worker, at, {**entry, "data": {**entry["data"], "receiptId": "ab" * 32}}, bucket=True
    )
    files["worker/r2.jsonl"] = worker.bucket_rows()
    _, _, answers = asked(tmp_path / "whole", copy.deepcopy(files))
    assert answers[done[0].signature][0] == Answer(
        False,
        f"the entry {'ab' * 32}, which the anchor names, is not in the audit chain, which is whole "
        f"before the proof",
    )
    first = worker.entries[0]["entry_hash"]
    files["worker/r2.jsonl"] = [row for row in files["worker/r2.jsonl"] if first not in row["key"]]
    _, _, answers = asked(tmp_path / "not whole", files)
    assert answers[done[0].signature][0].holds is None, (
        "it may stand in the part that was not exported"
    )


# -- whose ticket it is --


def test_another_wallet_s_ticket_is_said_and_called_no_forgery(tmp_path: Path) -> None:
    world, handle, done = sound("strict_v2", "B", "ann", "bob")
    code = world.worker.claims[world.worker.event_of(handle.address), world.address("bob")]
    taken = land(world, handle, "eve", code=code)
    found, verified, answers = asked(tmp_path, world.collect())
    told = finding(found, "ticket_receipt_of_another")
    assert (told.grant, told.where[1], told.severity) == (
        handle.address,
        taken.signature,
        "warning",
    )
    assert told.slot == taken.landed.slot
    assert told.expected == f"a ticket of {world.address('eve')}"
    assert told.observed == f"a ticket of somebody whose records name {world.address('bob')}"
    assert answers[done[1].signature][1].holds is True, "bob's own claim is his"
    reused = finding(found, "ticket_receipt_reused")
    assert (reused.grant, reused.where, reused.severity) == (
        handle.address,
        (TRANSACTIONS, done[1].signature),
        "warning",
    )
    assert (
        reused.observed
        == f"2 claims of {' and '.join(sorted(world.address(w) for w in ('bob', 'eve')))}"
    )
    assert codes(found, "critical") == set()
    assert verified.exit_code == found.exit_code == 0, "a fact to look into, and no forgery"
    assert statuses(verified, OWNER) == ["holds", "holds", "violated"]
    assert statuses(verified, SHARED) == ["violated"]


@pytest.mark.parametrize(("told", "holds", "seen"), [
    ("at once", True, "a ticket of somebody who used that wallet"),
    ("later", True, "a ticket of somebody who used that wallet"),
    ("never", None, "a ticket of a subject whose wallets are not in the evidence"),
    ("another", False, "a ticket of somebody whose records name"),
])  # fmt: skip
def test_a_user_s_ticket_is_of_the_wallets_that_the_user_used(
    tmp_path: Path, told: str, holds: bool | None, seen: str
) -> None:
    world, handle, _ = sound("strict_v2", "B", "ann")
    worker, cat = world.worker, world.address("cat")
    first = {"at once": cat, "another": world.address("dan")}.get(told, "")
    worker.claim_record(handle.address, first, None, None, user="cat7")
    ticket = land(world, handle, "cat", code=worker.claims[worker.event_of(handle.address), "cat7"])
    if told == "later":
        worker.claim_record(handle.address, cat, ticket.signature, None, user="cat7")
    found, verified, answers = asked(tmp_path, world.collect(receipts=True))
    backing, holder = answers[ticket.signature]
    assert backing == Answer(True, "a receipt that verifies"), (
        "a user's receipt commits to the user, whatever wallet its entry names"
    )
    assert holder.holds is holds
    assert holder.seen.startswith(seen)
    assert ("ticket_receipt_of_another" in codes(found)) is (holds is False)
    assert found.audit.bad_receipts == []
    assert verified.exit_code == found.exit_code == 0


def test_every_wallet_that_a_user_named_is_the_user_s(tmp_path: Path) -> None:
    world, handle, _ = sound("strict_v2", "B", "ann")
    worker, wallets = world.worker, [world.address(w) for w in ("cat", "dan")]
    worker.claim_record(handle.address, wallets[0], None, None, user="cat7")
    worker.claim_record(
        handle.address, wallets[1], str(world.key("x").sign_message(b"")), None, user="cat7"
    )
    code = worker.claims[worker.event_of(handle.address), "cat7"]
    landed = [land(world, handle, w, code=code) for w in ("cat", "dan")]
    _, _, answers = asked(tmp_path, world.collect(receipts=True))
    assert [answers[t.signature][1].holds for t in landed] == [True, True]


def test_a_foreign_proof_s_receipt_is_nobody_s_to_check(tmp_path: Path) -> None:
    """A thief's proof with a true audit hash is foreign; that it names a receipt makes it no proof
    of the worker.
    """
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    head, audit = world.head(handle), done[0].proof.audit
    proof = sign_proof(
        world.worker.key, handle.address, world.address("eve"), 0, head, head, audit, world.now
    )
    landed = world.claim(handle, proof, "eve")
    world.tick(20)
    world.worker.api("GET", "/v1/school/events")
    found, _, answers = asked(tmp_path, world.collect(receipts=True))
    assert landed.err is None
    assert landed.signature not in answers
    assert "foreign_issuer" in codes(found, "critical")


def test_a_receipt_that_is_none_and_has_the_hash_all_the_same(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    audit = digest({"audit": 7})
    proof = sign_proof(
        world.worker.key,
        handle.address,
        world.address("eve"),
        0,
        "00" * 32,
        "00" * 32,
        audit,
        world.now,
    )
    landed = world.claim(handle, proof, "eve")
    files = {
        **world.collect(worker=False),
        RECEIPTS: [{"audit": 7, "receiptId": "x", "receiptHash": audit}],
    }
    _, _, answers = asked(tmp_path, files)
    assert landed.err is None
    assert answers.get(landed.signature, (None, Answer(None, "")))[1].holds is None


def test_a_ticket_of_an_event_of_another_grant(tmp_path: Path) -> None:
    world, handle, _ = sound("strict_v2", "B", "ann")
    other = world.grant(2)
    ticket = land(world, handle, "bob", event=world.worker.event_of(other.address))
    found, _, answers = asked(tmp_path, world.collect())
    event = world.worker.event_of(other.address)
    assert answers[ticket.signature][1] == Answer(
        False, f"a ticket of the event {event}, which is not linked to the grant"
    )
    assert finding(found, "ticket_receipt_of_another").where[1] == ticket.signature


def test_an_event_is_held_against_nothing_where_no_link_is_known(tmp_path: Path) -> None:
    world, _, done = sound("strict_v2", "B", "ann")
    files = world.collect(receipts=True)
    files = {
        name: rows
        for name, rows in files.items()
        if name == RECEIPTS or not name.startswith("worker/")
    }
    files["case.json"]["events"] = []
    _, _, answers = asked(tmp_path, files)
    assert answers[done[0].signature][1] == Answer(True, "the claimer's ticket")


# -- how often it was used --


def test_one_ticket_in_two_periods_of_its_own_wallet_is_told_and_no_warning(tmp_path: Path) -> None:
    world, handle, done = sound("strict_v2", "B", "ann")
    world.tick(MONTH)
    again = land(world, handle, "ann", period=1)
    assert again.proof.audit == done[0].proof.audit
    found, verified, _ = asked(tmp_path, world.collect())
    told = finding(found, "ticket_receipt_reused")
    assert (told.severity, told.slot, told.where) == (
        "info",
        done[0].landed.slot,
        (TRANSACTIONS, done[0].signature),
    )
    assert told.expected == f"one claim by the receipt of hash {done[0].proof.audit}"
    assert told.observed == f"2 claims of {world.address('ann')}"
    assert "ticket_receipt_of_another" not in codes(found)
    assert statuses(verified, SHARED) == ["holds"]
    assert verified.exit_code == 0


def test_a_made_up_receipt_behind_no_proof_changes_nothing(tmp_path: Path) -> None:
    world, _, _ = sound("strict_v2", "B", "ann")
    files = json.loads(json.dumps(world.collect(receipts=True)))
    made_up = {**files[RECEIPTS][0], "confirmationCode": "AAAAAA"}
    del made_up["receiptHash"]
    files[RECEIPTS].append({**made_up, "receiptHash": digest(made_up)})
    found, _, _ = asked(tmp_path, files)
    assert not NEW & codes(found)
    assert len(found.audit.bad_receipts) == 1
