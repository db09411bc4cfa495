"""Numbered checks: every recorded case's exit code, one claim by each of its names, and what a changed byte violates."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from popkit.errors import UsageError
from popkit.evidence.bundle import Evidence
from popkit.verification.verify import Verification, verify
from tests.conftest import CASES, NAMES, Copy, popkit

Make = Callable[[str], Copy]
VIOLATED = {
    "audit-tampered": ("audit", {"rows that do not hash to what they say", "entries gone from where they must stand"}),
    "foreign-issuer": ("claim", {"the worker's records hold the proof"}),
    "receipts-tampered": ("audit", {"ticket receipts that do not say what their entry says"}),
    "unbacked-records": ("records", {"records of claims that are not on chain"}),
}
CANNOT_TELL = ("abandoned-no-worker", "no-bucket", "rpc-gap", "rpc-tail-gap")


def violated(verification: Verification, subject: str) -> set[str]:
    """The titles of violated checks of one kind of section."""
    return {c.title for s in verification.sections if s.subject == subject for c in s.checks if c.status == "violated"}


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_a_recorded_case(name: str) -> None:
    verification = verify(Evidence(CASES / name))
    assert verification.exit_code == (1 if name in VIOLATED else 3 if name in CANNOT_TELL else 0)
    for subject in ("case", "chain", "claim", "audit", "records"):
        wanted = VIOLATED[name][1] if name in VIOLATED and VIOLATED[name][0] == subject else set()
        found = violated(verification, subject)
        assert found - {"the ticket receipt says what its audit entry says"} == wanted, subject


def test_a_claim_is_found_by_signature_receipt_entry_and_confirmation_code() -> None:
    evidence = Evidence(CASES / "cutover")
    record = json.loads((CASES / "cutover" / "worker" / "transfers.json").read_text())["body"]["items"][0]
    receipts = [json.loads(line) for line in (CASES / "cutover" / "worker" / "ticket-receipts.jsonl").read_text().splitlines()]
    code = next(r["confirmationCode"] for r in receipts if r["receiptId"] == record["entryHash"])
    signature = record["transfer"]["txSignature"]
    by_signature = verify(evidence, [signature]).sections[1]
    assert by_signature.name == signature
    assert by_signature.status == "holds"
    assert len(by_signature.checks) >= 18
    for name in (record["transfer"]["receiptPubkey"], code, record["entryHash"]):
        assert verify(evidence, [name]).sections[1:] == [by_signature]
    entry = next(c.observed for c in by_signature.checks if c.title == "its entry hash is that of its fields")
    assert verify(evidence, [entry]).sections[1:] == [by_signature]


def test_a_name_that_nothing_has() -> None:
    with pytest.raises(UsageError, match="nobody"):
        verify(Evidence(CASES / "cutover"), ["nobody"])
    ran = popkit("verify", CASES / "cutover", "nobody")
    assert ran.returncode == 2
    assert ran.stdout == b""


def test_a_refused_claim_is_said_to_be_refused() -> None:
    refused = "3iJiCZrpcFHUQNrFRfJBepYARREBdSR5iH6c6AEpYFw55FF3LQLQsHxkM1LNYAHWTgfq7Bu4HiKeJqmkfSByvDmK"
    verification = verify(Evidence(CASES / "abandoned-proof"), [refused])
    assert verification.exit_code == 1
    assert violated(verification, "claim") == {
        "the transaction was accepted",
        "its global link names the chain's head",
        "its stream link names the chain's head",
    }


def test_checks_of_an_allowlisted_grant_follow_the_merkle_proof() -> None:
    verification = verify(Evidence(CASES / "allowlist"))
    checks = [c for s in verification.sections for c in s.checks if c.title == "the claimer is under the grant's allowlist root"]
    assert {c.status for c in checks} == {"holds"}
    outside = json.loads((CASES / "allowlist" / "client" / "errors.jsonl").read_text())["signature"]
    refused = verify(Evidence(CASES / "allowlist"), [outside])
    assert "the claimer is under the grant's allowlist root" in violated(refused, "claim")


def test_terms_and_signers_are_those_of_the_slot() -> None:
    rewritten = verify(Evidence(CASES / "terms-rewritten"))
    amounts = {c.expected for s in rewritten.sections for c in s.checks if c.title == "one period's amount reached the claimer"}
    assert amounts == {"1", "3"}
    assert rewritten.exit_code == 0
    rotated = verify(Evidence(CASES / "signer-mismatch"))
    assert rotated.exit_code == 0, "claims accepted before the rotation hold by the signer of their slot"


@pytest.mark.parametrize("says", [True, False])
def test_where_the_server_says_otherwise_it_is_said_which_is_right(says: bool, copy_of: Make) -> None:
    case = copy_of("intact" if not says else "audit-tampered")
    path = case.path / "worker" / "audit-integrity.json"
    answer = json.loads(path.read_text())
    answer["body"]["ok"] = says
    path.write_text(json.dumps(answer))
    case.seal()
    checks = [c for s in verify(Evidence(case.path)).sections for c in s.checks if c.title == "the server's own check says the same"]
    assert [c.status for c in checks] == ["cannot tell"]
    assert "the recomputed result counts" in checks[0].observed


def test_json_through_the_command_line_is_the_same() -> None:
    ran = popkit("verify", CASES / "foreign-issuer", "--json", "-")
    assert ran.returncode == 1
    assert ran.stdout.decode() == verify(Evidence(CASES / "foreign-issuer")).dumps()
    found = json.loads(ran.stdout)
    assert found["schema"] == "popkit.verification/1"
    assert found["exit_code"] == 1
    assert [c["number"] for c in found["sections"][1]["checks"]] == list(range(1, len(found["sections"][1]["checks"]) + 1))


def test_text_names_what_was_expected_and_observed() -> None:
    ran = popkit("verify", CASES / "foreign-issuer")
    text = ran.stdout.decode()
    assert ran.returncode == 1
    assert "✗ claim 4ha3XpWD" in text
    assert "expected a record of audit_hash" in text
    assert "rule: reference §3.2; invariants X1, X2" in text


def test_a_relaxed_claim_left_out_cannot_be_told_and_is_not_called_false(copy_of: Make) -> None:
    case = copy_of("relaxed-race")
    rows = sorted(case.rows("rpc/transactions.jsonl"), key=lambda row: row["result"]["slot"])
    case.write("rpc/transactions.jsonl", [*rows[:7], *rows[8:]])
    case.seal()
    assert verify(Evidence(case.path)).exit_code == 3


def test_contradictory_answers_are_violated_and_the_signed_one_is_kept(copy_of: Make) -> None:
    case = copy_of("intact")
    rows = case.rows("rpc/transactions.jsonl")
    false = json.loads(json.dumps(rows[-1]))
    wire = false["result"]["transaction"][0]
    false["result"]["transaction"][0] = wire[:400] + ("A" if wire[400] != "A" else "B") + wire[401:]
    for order in ([*rows, false], [false, *rows]):
        case.write("rpc/transactions.jsonl", order)
        diagnosis = case.diagnose()
        assert diagnosis.grants[0].forged_transactions == []
        assert (diagnosis.verdict, diagnosis.exit_code) == ("intact", 1)
        assert violated(verify(Evidence(case.path)), "case") == {"no two answers contradict each other"}
