"""The rules of a claim: each finding with what stands beside it, and what must not be one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.diagnose import diagnose_inquiry
from popkit.drill import addresses as pda
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.protocol.accounts import ClaimReceipt, Grant, PopState
from popkit.protocol.keys import SYSTEM_PROGRAM
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import VIOLATED
from popkit.verification.attacks import ATTACKS, UNREADABLE
from popkit.verification.verify import verify
from tests.attacks.build import account, anew, rewrite_account, row_of, write_mutant
from tests.conftest import CASES, NAMES
from tests.verification.checked import Checked
from tests.verification.test_false_evidence import show_as_accepted

TRANSACTIONS, ACCOUNTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl"
Files = dict[str, Any]
CRITICAL = "critical"


@cache
def _two_claims() -> tuple[World, GrantHandle, list[Ticket], str]:
    world, handle, tickets = sound()
    return world, handle, tickets, json.dumps(collected(world))


def collected(world: World) -> Files:
    world.tick(900)
    files: Files = json.loads(json.dumps(world.collect(storage=True, receipts=True)))
    return files


def two_claims() -> tuple[World, GrantHandle, Ticket, Files]:
    """A sound grant with claims of ann and bob; ann's ticket, and the case apart from the world."""
    world, handle, tickets, files = _two_claims()
    return world, handle, tickets[0], json.loads(files)


def of_claim(
    case: Checked, signature: str, *codes: str
) -> list[tuple[str, str, str | None, str | None]]:
    """(code, place, expected, observed) of the findings of these codes; the claim's own lines name
    the same.
    """
    found = [f for f in case.found.findings if f.code in codes]
    lines = [c for s in verify(Evidence(case.path), [signature]).sections for c in s.checks]
    assert {f.code for f in found} == {
        c.code for c in lines if c.status == VIOLATED and c.code in codes
    }
    return [(f.code, f.where[1], f.expected, f.observed) for f in found]


def lines_of(case: Checked, signature: str, title: str) -> list[tuple[str, str]]:
    """(status, observed) of a claim's lines of one title."""
    sections = verify(Evidence(case.path), [signature]).sections
    return [
        (c.status, str(c.observed)) for s in sections for c in s.checks if str(c.title) == title
    ]


# -- on every case --


def held_together(case: Path) -> None:
    """A claim's violated critical lines, and the findings of that claim, name the same codes.

    A finding of a claim stands at the claim, its receipt or its record.
    """
    inquiry = Inquiry(Facts(Evidence(case)))
    findings = {
        (f.code, f.where[1]) for f in diagnose_inquiry(inquiry).findings if f.severity == CRITICAL
    }
    for grant in inquiry.facts.header.grants:
        for attempt, answers in inquiry.claims_of(grant):
            wrong = [a for a in answers if a.status == VIOLATED and a.severity == CRITICAL]
            forged = "forged_transaction" in {a.rule.code for a in wrong}
            places = {attempt.signature, *(a.where[1] for a in answers)}
            shown = {"forged_transaction"} if forged else {a.rule.code for a in wrong}
            asked = {a.rule.code for a in answers}
            found = {code for code, key in findings if key in places and code in asked}
            assert shown - {"record_contradicted"} == found - {"record_contradicted"}, (
                attempt.signature
            )
            contradicted = {a.where[1] for a in wrong if a.rule.code == "record_contradicted"}
            assert contradicted <= {key for code, key in findings if code == "record_contradicted"}


@pytest.mark.parametrize("name", NAMES)
def test_lines_and_findings_of_a_recorded_case_s_claims_agree(name: str) -> None:
    held_together(CASES / name)


def test_lines_and_findings_of_every_attack_s_claims_agree(tmp_path: Path) -> None:
    for attack in ATTACKS:
        if attack.verdict != UNREADABLE:
            held_together(write_mutant(attack.name, tmp_path / attack.name))


# -- the receipt --


def test_a_claim_that_is_what_it_must_be(tmp_path: Path) -> None:
    _, _, ticket, files = two_claims()
    case = Checked(tmp_path, files, ticket.signature)
    assert case.outcome == (0, set())
    assert case.found.findings == [f for f in case.found.findings if f.severity == "info"]


@pytest.mark.parametrize(
    ("fields", "observed"),
    [
        ({"grant": SYSTEM_PROGRAM}, "grant {other}, claimer {ann}, period 0"),
        ({"claimer": SYSTEM_PROGRAM}, "grant {grant}, claimer {other}, period 0"),
        ({"period_index": 7}, "grant {grant}, claimer {ann}, period 7"),
        (None, "no account exists at the receipt's address"),
        ("owner", "the account at the receipt's address is no receipt"),
    ],
)
def test_a_receipt_that_says_something_else(fields: Any, observed: str, tmp_path: Path) -> None:
    world, handle, ticket, files = two_claims()
    ann = world.address("ann")
    address = pda.receipt_address(handle.address, ann, 0)
    if isinstance(fields, dict):
        rewrite_account(files, address, ClaimReceipt, **fields)
    elif fields is None:
        account(files, address)["account"] = None
    else:
        account(files, address)["account"]["owner"] = SYSTEM_PROGRAM
    case = Checked(tmp_path, files)
    seen = observed.format(grant=handle.address, ann=ann, other=SYSTEM_PROGRAM)
    wanted = f"grant {handle.address}, claimer {ann}, period 0"
    found = of_claim(case, ticket.signature, "receipt_contradicts_claim")
    assert found == [("receipt_contradicts_claim", address, wanted, seen)]


@pytest.mark.parametrize(
    ("late", "is_wrong"), [(600, False), (601, True), (-600, False), (-601, True)]
)
def test_a_receipt_of_another_time(late: int, is_wrong: bool, tmp_path: Path) -> None:
    world, handle, ticket, files = two_claims()
    issued, address = (
        ticket.proof.issued_at,
        pda.receipt_address(handle.address, world.address("ann"), 0),
    )
    rewrite_account(files, address, ClaimReceipt, claimed_at=issued + late)
    found = of_claim(Checked(tmp_path, files), ticket.signature, "receipt_contradicts_claim")
    wanted = (f"claimed_at within 600 s of issued_at {issued}", f"claimed_at is {issued + late}")
    assert found == ([("receipt_contradicts_claim", address, *wanted)] if is_wrong else [])


def test_a_receipt_that_was_read_before_the_claim_says_nothing_of_it(tmp_path: Path) -> None:
    world, handle, ticket, files = two_claims()
    row = account(files, pda.receipt_address(handle.address, world.address("ann"), 0))
    row |= {"account": None, "slot": ticket.landed.slot - 1}
    case = Checked(tmp_path, files)
    assert of_claim(case, ticket.signature, "receipt_contradicts_claim") == []
    [(status, _)] = lines_of(case, ticket.signature, "the receipt exists and says the same")
    assert status == "cannot tell"


# -- amounts, periods, terms --


@pytest.mark.parametrize(
    ("side", "code"), [("claimer", "amount_differs"), ("vault", "vault_amount_differs")]
)
def test_another_amount_on_one_side(side: str, code: str, tmp_path: Path) -> None:
    world, handle, ticket, files = two_claims()
    address = (
        handle.vault
        if side == "vault"
        else pda.associated_token_address(world.address("ann"), handle.mint)
    )
    index, meta = (
        ticket.landed.keys.index(address),
        row_of(files, ticket.signature)["result"]["meta"],
    )
    held = next(b for b in meta["postTokenBalances"] if b["accountIndex"] == index)
    held["uiTokenAmount"]["amount"] = str(
        int(held["uiTokenAmount"]["amount"]) + (4 if side == "claimer" else -4)
    )
    found = of_claim(
        Checked(tmp_path, files), ticket.signature, "amount_differs", "vault_amount_differs"
    )
    assert found == [(code, ticket.signature, "1", "5")]


def test_another_period_than_the_clock_that_the_program_read(tmp_path: Path) -> None:
    world, handle, tickets = sound("strict", "A", "ann", "bob", period_seconds=300)
    signature, address = (
        tickets[0].signature,
        pda.receipt_address(handle.address, world.address("ann"), 0),
    )
    files = collected(world)
    receipt = account(files, address)
    at = tickets[0].landed.time
    rewrite_account(files, address, ClaimReceipt, claimed_at=at + 300)
    found = of_claim(Checked(tmp_path / "late", files), signature, "period_differs")
    assert found == [("period_differs", signature, "period 1", "period 0")]
    receipt |= {"account": None, "slot": tickets[0].landed.slot - 1}
    case = Checked(tmp_path / "unknown", files)
    assert of_claim(case, signature, "period_differs") == [], "no receipt tells the clock"
    assert (
        lines_of(case, signature, "the period is that of the claim's time")[0][0] == "cannot tell"
    )


def test_a_claim_against_terms_that_nothing_confirms_cannot_be_told(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    world.tickets(handle, "ann")
    world.switch(handle, "set_paused", {"paused": True})
    world.tick(5)
    proof = world.worker.issue(handle.address, world.address("bob"))
    world.tick(3)
    landed = world.claim(handle, proof, "bob")
    files = collected(world)
    show_as_accepted(files, handle, landed, proof.claimer, landed.time)
    title = "the grant took claims at that time"
    whole = Checked(tmp_path / "whole", files)
    wanted = ("the program refuses the claim with Paused", "the claim is accepted")
    found = of_claim(whole, landed.signature, "claim_not_allowed")
    assert found == [("claim_not_allowed", landed.signature, *wanted)]
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    case = Checked(tmp_path / "unconfirmed", files)
    assert of_claim(case, landed.signature, "claim_not_allowed") == []
    [(status, observed)] = lines_of(case, landed.signature, title)
    assert (status, "Paused" in observed, "nothing confirms" in observed) == (
        "cannot tell",
        True,
        True,
    )


# -- signer, pop-config, links, allowlist, records --


def test_a_claim_of_a_signer_that_pop_config_did_not_name_any_more(tmp_path: Path) -> None:
    world, handle, (ticket, _) = sound()
    old = ticket.proof.signer
    new = world.address("another signer")
    world.name_signer(handle, new)
    world.tick(5)
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.tick(3)
    landed = world.claim(handle, proof, "cat")
    assert landed.err is not None
    files = collected(world)
    show_as_accepted(files, handle, landed, proof.claimer, landed.time)
    case = Checked(tmp_path, files)
    found = of_claim(case, landed.signature, "signer_mismatch")
    assert ("signer_mismatch", landed.signature, new, old) in found
    assert lines_of(
        case, ticket.signature, "the proof's signer is the one that pop-config named at that slot"
    ) == [("holds", old)]


def test_a_pop_config_of_another_authority(tmp_path: Path) -> None:
    world, handle, ticket, files = two_claims()
    other = world.address("somebody")
    rewrite_account(files, handle.address, Grant, authority=other)
    found = of_claim(Checked(tmp_path, files), ticket.signature, "config_address_wrong")
    assert (
        "config_address_wrong",
        ticket.signature,
        pda.pop_config_address(other),
        handle.config,
    ) in found


def test_a_stream_link_alone_that_names_no_head(tmp_path: Path) -> None:
    world, handle, tickets = sound()
    proof = anew(
        world.worker.issue(handle.address, world.address("cat")),
        world.worker.key,
        stream=tickets[0].entry,
    )
    world.tick(3)
    landed = world.claim(handle, proof, "cat")
    assert landed.err is not None
    files = collected(world)
    show_as_accepted(files, handle, landed, proof.claimer, landed.time)
    fit = {
        "last_global_hash": proof.entry,
        "last_stream_hash": proof.entry,
        "last_issued_at": proof.issued_at,
    }
    rewrite_account(files, handle.state, PopState, **fit)
    case = Checked(tmp_path, files)
    found = of_claim(case, landed.signature, "order_contradicts_links")
    assert found == [
        ("order_contradicts_links", landed.signature, tickets[1].entry, tickets[0].entry)
    ]
    assert (
        lines_of(case, landed.signature, "the proof's global link names the chain's head")[0][0]
        == "holds"
    )


def test_a_wallet_outside_the_allowlist_that_is_shown_as_accepted(copy_of: Any) -> None:
    case = copy_of("allowlist")
    outside = json.loads((CASES / "allowlist" / "client" / "errors.jsonl").read_text())["signature"]
    assert "claim_outside_allowlist" not in {f.code for f in case.diagnose().findings}

    def accepted(rows: list[Any]) -> list[Any]:
        for row in rows:
            if row["signature"] == outside:
                (row["result"]["meta"] if "result" in row else row)["err"] = None
        return rows

    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        case.change(name, accepted)
    found = [f for f in case.diagnose().findings if f.code == "claim_outside_allowlist"]
    assert [(f.where, f.severity, f.observed) for f in found] == [
        ((TRANSACTIONS, outside), "critical", "the Merkle proof leads to another root")
    ]


def test_a_receipt_at_another_address(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.tick(3)
    right, wrong = (
        pda.receipt_address(handle.address, world.address("cat"), period) for period in (0, 1)
    )
    calls = world.claim_calls(handle, proof, "cat")
    metas = tuple(
        meta._replace(key=wrong) if meta.key == right else meta for meta in calls[-1].metas
    )
    calls[-1] = replace(calls[-1], metas=metas)
    landed = world.send(calls, "cat")
    assert landed.err is not None
    files = collected(world)
    assert "receipt_address_wrong" not in Checked(tmp_path / "refused", files).codes()
    show_as_accepted(files, handle, landed, proof.claimer)
    found = of_claim(
        Checked(tmp_path / "accepted", files), landed.signature, "receipt_address_wrong"
    )
    assert found == [("receipt_address_wrong", landed.signature, right, wrong)]


def test_an_amount_that_the_node_did_not_give_cannot_be_told(tmp_path: Path) -> None:
    _, _, ticket, files = two_claims()
    del row_of(files, ticket.signature)["result"]["meta"]["postTokenBalances"]
    case = Checked(tmp_path, files)
    assert of_claim(case, ticket.signature, "amount_differs", "vault_amount_differs") == []
    for title in ("one period's amount reached the claimer", "one period's amount left the vault"):
        assert lines_of(case, ticket.signature, title) == [
            ("cannot tell", "the evidence does not hold it")
        ]


def test_a_refused_claim_makes_no_finding_and_fails_a_verification_that_names_it(
    copy_of: Any,
) -> None:
    inquiry = Inquiry(Facts(Evidence(CASES / "abandoned-proof")))
    [grant] = inquiry.facts.header.grants
    refused = inquiry.side.grant(grant).chain.refused[0]
    answers = inquiry.claim(grant, refused)
    assert [a for a in answers if a.is_finding] == []
    assert "claim_not_accepted" in {a.rule.code for a in answers if a.status == VIOLATED}
    assert verify(Evidence(CASES / "abandoned-proof"), [refused.signature]).exit_code == 1
