"""Evidence that is false, by somebody who could make it so: each is violated by the check that is
about it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.drill import addresses as pda
from popkit.drill.bank import Landed
from popkit.drill.case import account_json
from popkit.drill.ledger import Account
from popkit.drill.world import GrantHandle, World, sound
from popkit.protocol import canonical
from popkit.protocol.accounts import ClaimReceipt, PopState, TokenAccount, encode_account
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM
from tests.attacks.build import account, leave_out, rewrite_account, row_of
from tests.verification.checked import Checked

ACCOUNTS, STORAGE, RECEIPTS, LOGS = (
    "rpc/accounts.jsonl",
    "worker/storage.jsonl",
    "worker/ticket-receipts.jsonl",
    "worker/audit-logs.json",
)
INTEGRITY, SIGNATURES = "worker/audit-integrity.json", "rpc/signatures.jsonl"


def whole(world: World, **parts: bool) -> dict[str, Any]:
    """Everything that can be collected a quarter of an hour later, apart from the world."""
    world.tick(900)
    files: dict[str, Any] = json.loads(
        json.dumps(world.collect(**{"storage": True, "receipts": True, **parts}))
    )
    return files


def show_as_accepted(
    files: dict[str, Any],
    handle: GrantHandle,
    landed: Landed,
    claimer: str,
    time: int | None = None,
) -> None:
    """A lying node: a refused claim is shown as accepted, with its token, its vault and (where
    there was none) its receipt.
    """
    row = row_of(files, landed.signature)["result"]["meta"]
    row["err"] = None
    for listed in files[SIGNATURES]:
        if listed["signature"] == landed.signature:
            listed["err"] = None
    sides = ((pda.associated_token_address(claimer, handle.mint), 1), (handle.vault, -1))
    for address, change in sides:
        index = landed.keys.index(address)
        held = next((b for b in row["postTokenBalances"] if b["accountIndex"] == index), None)
        if held is None:
            held = {"accountIndex": index, "mint": handle.mint, "uiTokenAmount": {"amount": "0"}}
            row["postTokenBalances"].append(held)
        held["uiTokenAmount"]["amount"] = str(int(held["uiTokenAmount"]["amount"]) + change)
    held = account(files, handle.vault)
    rewrite_account(files, handle.vault, TokenAccount, amount=int(vault_amount(held)) - 1)
    if time is not None:
        receipt = account(files, pda.receipt_address(handle.address, claimer, 0))
        receipt["account"] = account_json(
            Account(
                1503360, PROGRAM_ID, encode_account(ClaimReceipt(handle.address, claimer, 0, time))
            )
        )


def vault_amount(row: dict[str, Any]) -> int:
    return int.from_bytes(base64.b64decode(row["account"]["data"][0])[64:72], "little")


# -- the chain --


def relaxed_world() -> tuple[World, GrantHandle]:
    """Two siblings show the relaxed rules."""
    world = World("relaxed", "D")
    handle = world.grant()
    world.tickets(handle, "ann", "bob", from_chain=True)
    proofs = {
        w: world.worker.issue(handle.address, world.address(w), expected=world.head(handle))
        for w in ("dan", "eve")
    }
    world.tick(3)
    for wallet, proof in proofs.items():
        landed = world.claim(handle, proof, wallet)
        world.tick(2)
        world.worker.claim_record(
            handle.address,
            proof.claimer,
            landed.signature,
            pda.receipt_address(handle.address, proof.claimer, 0),
        )
    world.tick(30)
    return world, handle


def test_a_refused_repeat_that_is_shown_as_accepted_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle = relaxed_world()
    proof = world.worker.issue(handle.address, world.address("ann"), expected=world.head(handle))
    world.tick(3)
    landed = world.claim(handle, proof, "ann")
    assert landed.err is not None
    files = whole(world)
    show_as_accepted(files, handle, landed, proof.claimer)
    fit = {
        "last_global_hash": proof.entry,
        "last_stream_hash": proof.entry,
        "last_issued_at": proof.issued_at,
    }
    rewrite_account(files, handle.state, PopState, **fit)
    case = Checked(tmp_path, files)
    titles = {
        "there are as many receipts as accepted claims",
        "no two accepted claims are for one claimer and period",
    }
    assert case.outcome == (1, titles)
    assert case.codes() == {"period_claimed_twice"}


def test_a_claim_without_a_proof_after_claims_with_proofs(tmp_path: Path) -> None:
    world, handle, _ = sound()
    landed = world.claim(handle, None, "cat")
    assert landed.err is not None
    world.tick(30)
    world.tickets(handle, "dan")
    files = whole(world)
    show_as_accepted(files, handle, landed, world.address("cat"), landed.time)
    case = Checked(tmp_path, files)
    assert case.outcome == (0, set()), "a program that was put back does the same"
    assert "era_contradictory" in case.codes("warning")
    lines = [
        c
        for s in case.verified.sections
        for c in s.checks
        if str(c.title) == "no proof had been accepted before it"
    ]
    assert [(c.status, c.code, c.severity) for c in lines] == [
        ("violated", "era_contradictory", "warning")
    ]


@pytest.mark.parametrize(
    ("fields", "title", "code"),
    [
        (
            {"last_issued_at": 5},
            "PopState's period and time are those of its head",
            "state_contradicts_its_head",
        ),
        (
            {"last_period_index": 77},
            "PopState's period and time are those of its head",
            "state_contradicts_its_head",
        ),
        ({"last_stream_hash": "ab" * 32}, "PopState's two heads are one", "state_heads_differ"),
    ],
)
def test_pop_state_is_looked_at_whole(
    fields: dict[str, Any], title: str, code: str, tmp_path: Path
) -> None:
    world, handle, _ = sound()
    files = whole(world)
    assert Checked(tmp_path / "untouched", files).outcome == (0, set())
    rewrite_account(files, handle.state, PopState, **fields)
    case = Checked(tmp_path / "altered", files)
    assert title in case.outcome[1]
    assert code in case.codes()
    assert case.verified.exit_code == 1
    checks = [c for s in case.verified.sections for c in s.checks if str(c.title) == title]
    assert [c.where for c in checks] == [(ACCOUNTS, handle.state)]


def test_a_pop_state_of_another_grant_tells_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = whole(world)
    rewrite_account(files, handle.state, PopState, grant=SYSTEM_PROGRAM)
    case = Checked(tmp_path, files)
    assert (case.outcome, case.found.exit_code) == ((3, set()), 3)
    assert "PopState is where the claims lead" in case.titles("cannot tell", "chain")


@pytest.mark.parametrize("whose", ["receipt", "vault"])
def test_an_account_of_another_program_is_not_the_program_s(whose: str, tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = whole(world)
    address = (
        pda.receipt_address(handle.address, world.address("ann"), 0)
        if whose == "receipt"
        else getattr(handle, whose)
    )
    account(files, address)["account"]["owner"] = SYSTEM_PROGRAM
    titles = {
        "receipt": {
            "there are as many receipts as accepted claims",
            "the receipt exists and says the same",
        },
        "vault": {"the vault is the grant's"},
    }
    assert Checked(tmp_path, files).outcome == (1, titles[whose])


def test_a_pop_state_of_another_program_tells_nothing_and_is_a_finding(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = whole(world)
    account(files, handle.state)["account"]["owner"] = SYSTEM_PROGRAM
    case = Checked(tmp_path, files)
    assert "PopState is where the claims lead" in case.titles("cannot tell", "chain")
    assert (case.codes(), case.verified.exit_code) == ({"evidence_contradictory"}, 1)


@pytest.mark.parametrize("field", ["mint", "owner"])
def test_a_vault_that_is_not_the_grant_s(field: str, tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = whole(world)
    rewrite_account(files, handle.vault, TokenAccount, **{field: world.address("somebody")})
    assert Checked(tmp_path, files).outcome == (1, {"the vault is the grant's"})


def test_a_vault_that_paid_nothing(tmp_path: Path) -> None:
    world, handle, (ticket, _) = sound()
    files = whole(world)
    meta = row_of(files, ticket.signature)["result"]["meta"]
    index = ticket.landed.keys.index(handle.vault)
    before = next(b for b in meta["preTokenBalances"] if b["accountIndex"] == index)
    meta["postTokenBalances"] = [
        b if b["accountIndex"] != index else before for b in meta["postTokenBalances"]
    ]
    assert "one period's amount left the vault" in Checked(tmp_path, files).outcome[1]


@pytest.mark.parametrize("why", ["paused", "over"])
def test_a_claim_that_was_accepted_when_none_could_be(why: str, tmp_path: Path) -> None:
    world = World()
    handle = world.grant(expires_in=100 if why == "over" else 0)
    world.tickets(handle, "ann")
    world.tick(200)
    if why == "paused":
        world.switch(handle, "set_paused", {"paused": True})
        world.tick(5)
    proof = world.worker.issue(handle.address, world.address("bob"))
    world.tick(3)
    landed = world.claim(handle, proof, "bob")
    assert landed.err is not None
    files = whole(world)
    show_as_accepted(files, handle, landed, proof.claimer, landed.time)
    rewrite_account(
        files,
        handle.state,
        PopState,
        last_global_hash=proof.entry,
        last_stream_hash=proof.entry,
        last_issued_at=proof.issued_at,
    )
    case = Checked(tmp_path, files)
    assert case.outcome == (1, {"the grant took claims at that time"})
    assert case.codes() == {"claim_not_allowed"}


# -- the audit chain --

LINKS = "every stream link names its stream's newest entry"


@pytest.mark.parametrize(
    ("names", "severity"),
    [
        ("nothing", "critical"),
        ("GENESIS", "critical"),
        ("another stream", "critical"),
        ("an older one", "warning"),
    ],
)
def test_a_stream_link_that_skips_its_predecessor(
    names: str, severity: str, tmp_path: Path
) -> None:
    world, handle, _ = sound()
    event = world.worker.event_of(handle.address)
    older = next(e["entry_hash"] for e in world.worker.entries if e["eventId"] == event)
    told = {
        "nothing": "ab" * 32,
        "GENESIS": "GENESIS",
        "another stream": world.worker.last["system"],
        "an older one": older,
    }
    world.worker.last[event] = told[names]
    world.worker.api("GET", "/v1/school/events/x", event)
    false = world.worker.entries[-1]["entry_hash"]
    world.tickets(handle, "cat")
    files = whole(world)
    case = Checked(tmp_path, files)
    assert case.outcome == ((1, {LINKS}) if severity == "critical" else (0, set())), (
        "a crash leaves as much"
    )
    [finding] = [f for f in case.found.findings if f.code == "audit_stream_link_wrong"]
    [line] = [
        c
        for s in case.verified.sections
        for c in s.checks
        if str(c.title) == LINKS and c.status == "violated"
    ]
    assert (line.where, line.severity) == (finding.where, severity)
    assert (finding.where[1], finding.severity, case.found.exit_code) == (
        false,
        severity,
        1 if severity == "critical" else 0,
    )


def first_form(world: World, stream: str) -> dict[str, Any]:
    """A row of the first form: its predecessor is its event's, and it has no stream_prev_hash."""
    from popkit.drill.proofs import digest, iso

    row = {
        "ts": iso(world.ms),
        "event": "EVENT_X",
        "eventId": stream,
        "actor": {"type": "s", "id": "x"},
        "data": {},
    }
    row["prev_hash"] = world.worker.last.get(stream, "GENESIS")
    row["entry_hash"] = digest(row)
    world.worker.entries.append(row)
    world.worker.last[stream] = row["entry_hash"]
    world.ms += 5
    return row


def test_a_row_of_the_first_form_that_only_a_stream_link_names(tmp_path: Path) -> None:
    world = World()
    _, gone = first_form(world, "evt-a"), first_form(world, "evt-a")
    world.grant()
    world.worker.api("GET", "/v1/x", "evt-a")
    whole_case = whole(world)
    assert Checked(tmp_path / "whole", whole_case).titles("violated", "audit") == set()
    files = json.loads(json.dumps(whole_case))
    files[STORAGE] = [row for row in files[STORAGE] if gone["entry_hash"] not in row["key"]]
    files[LOGS]["body"]["logs"] = [
        row for row in files[LOGS]["body"]["logs"] if row["entry_hash"] != gone["entry_hash"]
    ]
    case = Checked(tmp_path / "gone", files)
    assert case.titles("violated", "audit") == {"no entry is gone from where it must stand"}
    assert case.found.audit.removed == [gone["entry_hash"]]


@pytest.mark.parametrize("how", ["the ref of another entry", "no list of sinks", "text"])
def test_a_row_s_sinks_are_those_of_its_entry(how: str, tmp_path: Path) -> None:
    world, _, _ = sound()
    files = whole(world, bucket=False, storage=False)
    row = files[LOGS]["body"]["logs"][2]
    if how == "text":
        row["immutable"] = "required"
    elif how == "no list of sinks":
        row["immutable"]["sinks"] = {}
    else:
        row["immutable"]["sinks"][0]["ref"] = files[LOGS]["body"]["logs"][3]["immutable"]["sinks"][
            0
        ]["ref"]
    case = Checked(tmp_path, files)
    assert "every row of the audit chain hashes to what it says" in case.titles("violated", "audit")
    assert case.found.audit.edited == [row["entry_hash"]]


def test_an_anchor_that_no_history_record_stands_beside(tmp_path: Path) -> None:
    """A key thief who can write to /v1/audit/log: claim, anchor and request stand in the audit
    chain, and the storage knows no proof.
    """
    world, handle = relaxed_world()
    kept = dict(world.worker.history)
    proof = world.worker.issue(handle.address, world.address("mal"), expected=world.head(handle))
    world.worker.history = kept
    world.tick(3)
    landed = world.claim(handle, proof, "mal")
    assert landed.err is None
    newest = Checked(tmp_path / "newest", whole(world))
    assert newest.outcome == (3, set()), (
        "a listing may have ended before the record of the newest proof"
    )
    world.tick(30)
    world.tickets(handle, "fay", from_chain=True)
    case = Checked(tmp_path / "storage", whole(world))
    of_the_chain = (
        "the worker's storage holds a history record of every accepted proof that it anchors"
    )
    assert case.outcome == (
        1,
        {"the worker's storage holds the proof's history record", of_the_chain},
    )
    assert case.codes() == {"history_record_missing"}
    without = Checked(tmp_path / "bucket", whole(world, storage=False))
    assert without.codes() == set(), "the table of attacks says so"


def test_a_proof_that_was_never_accepted_may_lack_its_record(tmp_path: Path) -> None:
    world, handle, _ = sound()
    kept = dict(world.worker.history)
    world.worker.issue(handle.address, world.address("cat"))
    world.worker.history = kept
    assert "history_record_missing" not in Checked(tmp_path, whole(world)).codes()


# -- ticket receipts --


def test_a_false_ticket_receipt_beside_the_true_one_of_a_receipt_gated_claim(
    tmp_path: Path,
) -> None:
    world, handle, tickets = sound("strict_v2", "B")
    files = whole(world)
    at = next(
        i for i, r in enumerate(files[RECEIPTS]) if r["receiptHash"] == tickets[1].proof.audit
    )
    receipt = files[RECEIPTS][at]
    receipt["subjectCommitment"] = canonical.subject_commitment(
        receipt["audit"]["eventId"], "Mallory"
    )
    receipt["receiptHash"] = canonical.receipt_hash(receipt)
    code = world.worker.claims[world.worker.event_of(handle.address), world.address("bob")]
    for number, name in enumerate((tickets[1].signature, code)):
        case = Checked(tmp_path / str(number), files, name)
        assert case.outcome == (1, {"the ticket receipt says what its audit entry says"})


# -- the worker's records --


def test_every_record_of_a_transaction_is_looked_at(tmp_path: Path) -> None:
    for number in range(6):  # the order of records is that of their hashes
        world = World(name=f"world {number}")
        handle = world.grant()
        [ticket] = world.tickets(handle, "ann")
        world.worker.claim_record(handle.address, world.address("mal"), ticket.signature, None)
        case = Checked(tmp_path / str(number), whole(world), ticket.signature)
        assert case.outcome == (1, {"the worker's record says the same"})


def test_a_record_that_names_another_receipt(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    tickets = world.tickets(handle, "ann", "bob", tell=False)
    for ticket, wallet in zip(tickets, ("ann", "bob"), strict=True):
        receipt = pda.receipt_address(handle.address, world.address("bob"), 0)
        world.worker.claim_record(handle.address, world.address(wallet), ticket.signature, receipt)
    files = whole(world)
    ann = Checked(tmp_path / "ann", files, tickets[0].signature)
    assert (ann.outcome, ann.codes()) == ((0, set()), set()), (
        "the worker checks no client's report: nothing of the chain is false"
    )
    assert "claim_record_differs" in ann.codes("warning")
    assert Checked(tmp_path / "bob", files, tickets[1].signature).outcome == (0, set())


def test_the_server_misses_what_is_wrong_at_the_ends(tmp_path: Path) -> None:
    world, _, _ = sound()
    world.worker.last["global"] = "GENESIS"
    world.worker.api("GET", "/v1/school/events")
    files = whole(world)
    body = {
        "ok": True,
        "mode": "required",
        "checked": 1,
        "limit": 1,
        "verifyImmutable": True,
        "issues": [],
        "warnings": [],
    }
    files[INTEGRITY] = {"status": 200, "body": body}
    sections = Checked(tmp_path, files).verified.sections
    checks = [c for s in sections for c in s.checks if c.code == "server_verdict_differs"]
    assert [(c.status, c.severity) for c in checks] == [("violated", "info")]
    assert "the worker looks at no stored head and at no beginning" in str(checks[0].observed)


def test_the_newest_claim_left_out_is_not_all_fine(tmp_path: Path) -> None:
    world, _, tickets = sound()
    files = whole(world)
    leave_out(files, tickets[-1].signature)
    assert Checked(tmp_path, files).verified.exit_code == 3
