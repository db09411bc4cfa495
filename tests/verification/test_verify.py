"""Numbered checks: every recorded case's exit code, one claim by each of its names, and what a
changed byte violates.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

import popkit as package
from popkit.chain.links import GrantChain
from popkit.diagnosis.diagnose import diagnose_inquiry
from popkit.errors import UsageError
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.rules.inquiry import Inquiry
from popkit.rules.registry import rules_of
from popkit.verification.model import Verification
from popkit.verification.verify import verify
from tests.conftest import CASES, NAMES, Copy, answer_of, popkit, seal

Make = Callable[[str], Copy]
VIOLATED = {
    "audit-tampered": (
        "audit",
        {
            "every row of the audit chain hashes to what it says",
            "no entry is gone from where it must stand",
        },
    ),
    "foreign-issuer": ("claim", {"the worker's records hold the proof"}),
    "receipts-tampered": (
        "audit",
        {
            "every ticket receipt says what its entry says",
            "the worker's own check refuses every false ticket receipt",
        },
    ),
    "unbacked-records": ("records", {"the claim of every claim record is on chain"}),
}


def violated(verification: Verification, subject: str) -> set[str]:
    """The titles of checks of one kind of section that show something wrong."""
    return {
        str(c.title)
        for s in verification.sections
        if s.subject == subject
        for c in s.checks
        if c.is_wrong
    }


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_a_recorded_case(name: str) -> None:
    verification = verify(Evidence(CASES / name))
    assert verification.exit_code == answer_of(name)["exit_code"]
    for subject in ("case", "claim", "audit", "records"):
        wanted = VIOLATED[name][1] if name in VIOLATED and VIOLATED[name][0] == subject else set()
        found = violated(verification, subject)
        assert found - {"the ticket receipt says what its audit entry says"} == wanted, subject
    holds_its_chains_to_what_diagnose_finds(verification, Inquiry(Facts(Evidence(CASES / name))))


def holds_its_chains_to_what_diagnose_finds(verification: Verification, inquiry: Inquiry) -> None:
    """One statement for both: each finding of a rule of grants is a violated line of its chain, and
    each such line a finding.
    """
    about_grants = {rule.code for rule in rules_of("grant")}
    found = {
        (f.code, f.severity, *f.where)
        for f in diagnose_inquiry(inquiry).findings
        if f.code in about_grants
    }
    chains = [section for section in verification.sections if section.subject == "chain"]
    lines = [check for section in chains for check in section.checks if check.status == "violated"]
    assert {(check.code, check.severity, *check.where) for check in lines} == found
    statuses = {"broken": {"violated"}, "inconclusive": {"cannot tell", "violated"}}
    for section in chains:
        verdict = inquiry.side.grant(str(section.name)).judgement.verdict
        assert section.status in statuses.get(verdict, {"holds", "cannot tell", "violated"})


def test_a_claim_is_found_by_signature_receipt_entry_and_confirmation_code() -> None:
    evidence = Evidence(CASES / "cutover")
    record = json.loads((CASES / "cutover" / "worker" / "transfers.json").read_text())["body"][
        "items"
    ][0]
    receipts = [
        json.loads(line)
        for line in (CASES / "cutover" / "worker" / "ticket-receipts.jsonl")
        .read_text()
        .splitlines()
    ]
    code = next(r["confirmationCode"] for r in receipts if r["receiptId"] == record["entryHash"])
    signature = record["transfer"]["txSignature"]
    by_signature = verify(evidence, [signature]).sections[1]
    assert by_signature.name == signature
    assert by_signature.status == "holds"
    assert len(by_signature.checks) >= 18
    for name in (record["transfer"]["receiptPubkey"], code, record["entryHash"]):
        assert verify(evidence, [name]).sections[1:] == [by_signature]
    entry = next(
        c.observed
        for c in by_signature.checks
        if str(c.title) == "the proof's entry hash is that of its fields"
    )
    assert verify(evidence, [entry]).sections[1:] == [by_signature]


def test_a_name_that_nothing_has() -> None:
    with pytest.raises(UsageError, match="nobody"):
        verify(Evidence(CASES / "cutover"), ["nobody"])
    ran = popkit("verify", CASES / "cutover", "nobody")
    assert ran.returncode == 2
    assert ran.stdout == b""


def chain_of(name: str) -> GrantChain:
    opened = package.open_case(CASES / name)
    return opened.facts.chain(opened.grants[0])


def test_a_grant_stands_for_its_chain_and_its_claims() -> None:
    chain = chain_of("intact")
    found = verify(Evidence(CASES / "intact"), [chain.grant[:8]])
    assert found.names == (chain.grant,)
    assert [(s.subject, s.name) for s in found.sections[1:]] == [
        ("chain", chain.grant), *(("claim", attempt.signature) for attempt in chain.accepted),
    ]  # fmt: skip


def test_a_wallet_stands_for_its_claims_and_for_the_refused_ones_that_nothing_replaced() -> None:
    accepted = chain_of("intact").accepted[3]
    found = verify(Evidence(CASES / "intact"), [accepted.claimer])
    assert [s.name for s in found.sections[1:]] == [accepted.signature]
    chain = chain_of("out-of-order")
    healed = next(
        a
        for a in chain.refused
        if any((b.claimer, b.period_index) == (a.claimer, a.period_index) for b in chain.accepted)
    )
    names = [
        s.name for s in verify(Evidence(CASES / "out-of-order"), [healed.claimer]).sections[1:]
    ]
    assert healed.signature not in names
    assert set(names) <= {attempt.signature for attempt in chain.accepted}
    refused = next(a for a in chain_of("abandoned-proof").refused)
    named = verify(Evidence(CASES / "abandoned-proof"), [refused.claimer])
    assert refused.signature in [s.name for s in named.sections]
    assert named.exit_code == 1


def test_a_beginning_stands_for_the_one_name_that_begins_so() -> None:
    attempt = chain_of("intact").accepted[0]
    whole = verify(Evidence(CASES / "intact"), [attempt.signature])
    begun = verify(Evidence(CASES / "intact"), [attempt.signature[:12]])
    assert (begun.names, begun.dumps()) == ((attempt.signature,), whole.dumps())


def test_a_beginning_of_several_names_lists_them_alone() -> None:
    chain = chain_of("intact")
    signatures = sorted(attempt.signature for attempt in chain.accepted)
    first = next(a[0] for a, b in pairwise(signatures) if a[0] == b[0])
    with pytest.raises(UsageError, match=f"^{first} is the beginning of ") as raised:
        verify(Evidence(CASES / "intact"), [first])
    text = str(raised.value)
    assert raised.value.exit_code == 2
    listed = re.findall(r"[0-9A-Za-z]{20,}", text)
    assert listed
    assert all(name.startswith(first) for name in listed)
    assert "(signature)" in text
    assert "で始まる名前が" in raised.value.args[0].in_language("ja")


def test_a_slip_of_the_hand_names_what_is_near_and_nonsense_the_kinds() -> None:
    signature = chain_of("intact").accepted[0].signature
    slip = signature[:20] + ("2" if signature[20] != "2" else "3") + signature[21:]
    with pytest.raises(UsageError, match="near it: ") as raised:
        verify(Evidence(CASES / "intact"), [slip])
    assert f"{signature} (signature)" in str(raised.value)
    for nonsense in ("nobody", "", "\x1b[2J"):
        with pytest.raises(
            UsageError, match=r"one of these: signature, receipt account, .*wallet and grant$"
        ) as raised:
            verify(Evidence(CASES / "intact"), [nonsense])
        assert "\x1b" not in str(raised.value)


def test_a_custody_record_that_was_packed_or_left_out_is_not_held_to_hold(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "unused", case)
    header = json.loads((case / "case.json").read_text())
    header["sources"]["custody"] = {"lines": 1, "head": "0" * 64}
    (case / "case.json").write_text(json.dumps(header))
    for name in ("", "custody.jsonl.zst"):
        if name:
            (case / name).write_bytes(zstandard.compress(b"{}\n"))
        seal(case)
        found = verify(Evidence(case))
        [check] = [
            c
            for s in found.sections
            for c in s.checks
            if str(c.title) == "the custody record holds"
        ]
        assert (check.status, found.sections[0].status) == ("cannot tell", "cannot tell")
        assert f"unpack {name or 'custody.jsonl'}" in str(check.observed)


def test_a_refused_claim_is_said_to_be_refused() -> None:
    refused = (
        "3iJiCZrpcFHUQNrFRfJBepYARREBdSR5iH6c6AEpYFw55FF3LQLQsHxkM1LNYAHWTgfq7Bu4HiKeJqmkfSByvDmK"
    )
    verification = verify(Evidence(CASES / "abandoned-proof"), [refused])
    assert verification.exit_code == 1
    assert violated(verification, "claim") == {
        "the transaction was accepted",
        "the proof's global link names the chain's head",
        "the proof's stream link names the chain's head",
    }


def test_checks_of_an_allowlisted_grant_follow_the_merkle_proof() -> None:
    verification = verify(Evidence(CASES / "allowlist"))
    checks = [
        c
        for s in verification.sections
        for c in s.checks
        if str(c.title) == "the claimer is under the grant's allowlist root"
    ]
    assert {c.status for c in checks} == {"holds"}
    outside = json.loads((CASES / "allowlist" / "client" / "errors.jsonl").read_text())["signature"]
    refused = verify(Evidence(CASES / "allowlist"), [outside])
    assert "the claimer is under the grant's allowlist root" in violated(refused, "claim")


def test_terms_and_signers_are_those_of_the_slot() -> None:
    rewritten = verify(Evidence(CASES / "terms-rewritten"))
    amounts = {
        str(c.expected)
        for s in rewritten.sections
        for c in s.checks
        if str(c.title) == "one period's amount reached the claimer"
    }
    assert amounts == {"1", "3"}
    assert rewritten.exit_code == 0
    rotated = verify(Evidence(CASES / "signer-mismatch"))
    assert violated(rotated, "claim") == set(), (
        "claims accepted before the rotation hold by the signer of their slot"
    )
    assert rotated.counts("claim")["holds"] > 0


@pytest.mark.parametrize("says", [True, False])
def test_where_the_server_says_otherwise_it_is_said_which_is_right(
    says: bool, copy_of: Make
) -> None:
    case = copy_of("intact" if not says else "audit-tampered")
    path = case.path / "worker" / "audit-integrity.json"
    answer = json.loads(path.read_text())
    answer["body"]["ok"] = says
    path.write_text(json.dumps(answer))
    case.seal()
    checks = [
        c
        for s in verify(Evidence(case.path)).sections
        for c in s.checks
        if str(c.title) == "the server's own check says the same"
    ]
    assert [(c.status, c.is_wrong) for c in checks] == [("violated", False)]
    assert "the recomputed result counts" in str(checks[0].observed)


def test_json_through_the_command_line_is_the_same() -> None:
    ran = popkit("verify", CASES / "foreign-issuer", "--json", "-")
    assert ran.returncode == 1
    assert ran.stdout.decode() == verify(Evidence(CASES / "foreign-issuer")).dumps()
    found = json.loads(ran.stdout)
    assert found["schema"] == "popkit.verification/2"
    assert found["exit_code"] == 1
    assert [c["number"] for c in found["sections"][1]["checks"]] == list(
        range(1, len(found["sections"][1]["checks"]) + 1)
    )


def test_text_names_what_was_expected_and_observed() -> None:
    ran = popkit("verify", CASES / "foreign-issuer")
    text = ran.stdout.decode()
    assert ran.returncode == 1
    assert "✗ claim 4ha3XpWD" in text
    assert "expected: a record of audit_hash" in text
    assert (
        "observed: the worker's audit chain, which is complete over that time, does not hold it"
        in text
    )
    assert "rule: reference §3.2; invariants X1, X2" in text


def test_a_relaxed_claim_left_out_cannot_be_told_and_is_not_called_false(copy_of: Make) -> None:
    case = copy_of("relaxed-race")
    rows = sorted(case.rows("rpc/transactions.jsonl"), key=lambda row: row["result"]["slot"])
    case.write("rpc/transactions.jsonl", [*rows[:7], *rows[8:]])
    case.seal()
    [grant] = package.open_case(case.path).grants
    found = verify(Evidence(case.path), [grant])
    assert (found.exit_code, violated(found, "chain")) == (3, set())


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
        assert violated(verify(Evidence(case.path)), "case") == {
            "no two answers contradict each other"
        }
