"""Findings about single claims, each by the smallest accounts, steps and claims that show it, word for word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from popkit.chain.attempts import Attempt
from popkit.chain.history import AdminStep
from popkit.facts import Facts
from popkit.protocol.accounts import ClaimReceipt
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM, b58decode
from popkit.rules.claim_findings import claim_findings, shares_account
from popkit.rules.model import Finding
from tests.diagnosis.admin_steps import (
    FIRST,
    GRANT,
    NOW,
    OTHER,
    SECOND,
    WORLD,
    account,
    created,
    history,
    named,
    step,
)
from tests.diagnosis.small_chains import GrantChain, chain, claim

ANN, BOB, RECEIPT = (WORLD.address(role) for role in ("ann", "bob", "receipt"))
TRANSACTIONS, ACCOUNTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl"
ISSUED = 1061
"""Within period 1 of the grant's terms: it starts at second 1000, and a period is a minute."""
TERMS_TEXT = "amount 2, period 60 s, start 1000, expires 5000"


def of_ann(slot: int = 20, **fields: Any) -> Attempt:
    """Ann's accepted claim of period 1, signed by the first signer."""
    told = {"claimer": ANN, "receipt": RECEIPT, "period_index": 1, "signer": FIRST, "issued_at": ISSUED}
    return claim("ann", slot=slot, **(told | fields))


def written(slot: int | None = 100, **fields: Any) -> SimpleNamespace:
    """Her receipt as collected."""
    told = {"grant": GRANT, "claimer": ANN, "period_index": 1, "claimed_at": ISSUED}
    return account(ClaimReceipt(**(told | fields)), slot)


def facts_of(
    *attempts: Attempt,
    accounts: dict[str, Any] | None = None,
    steps: tuple[AdminStep, ...] = (),
    moved: int | None = 2,
    now: int = 4000,
    **more: Any,
) -> tuple[Facts, GrantChain]:
    """Facts of these claims, accounts and steps alone."""
    facts: Any = object.__new__(Facts)
    facts.accounts, facts.now = accounts or {}, now
    facts.header = SimpleNamespace(program_id=PROGRAM_ID)
    facts.history = history(*steps, accounts=facts.accounts)
    facts.claims = SimpleNamespace(
        receipt_matches=more.get("matches", [True] * 9),
        receipt_expected=np.frombuffer(b58decode(OTHER) * 9, np.uint8).reshape(9, 32),
        amount_moved=[moved] * 9,
        transaction=np.array(more.get("transaction", range(9))),
        decode=lambda row: SimpleNamespace(instructions=[SimpleNamespace(program=p) for p in more.get("programs", {}).get(row, ())]),
    )
    made = chain(*attempts)
    made.grant = GRANT
    facts._lines = {GRANT: SimpleNamespace(chain=made)}
    return facts, made


def of_claims(*attempts: Attempt, **more: Any) -> list[Finding]:
    return list(claim_findings(*facts_of(*attempts, **more)))


BEGUN = (named(9, FIRST), created(10))
WHERE = (TRANSACTIONS, "signature of ann")


def test_a_claim_that_is_what_it_must_be() -> None:
    assert of_claims(of_ann(), accounts={RECEIPT: written()}, steps=BEGUN) == []
    assert of_claims(of_ann(), accounts={RECEIPT: written(None)}, steps=BEGUN) == []
    assert of_claims(of_ann(), steps=BEGUN) == [], "a receipt that was not collected contradicts nothing"
    assert of_claims(steps=BEGUN) == []


# -- receipts --


def test_a_receipt_at_another_address() -> None:
    attempts = (of_ann(row=0), claim("bob", "ann", 30, row=1, receipt="their receipt", signer=None, issued_at=ISSUED))
    found = of_claims(*attempts, steps=BEGUN, matches=[True, False])
    assert found == [Finding("receipt_address_wrong", GRANT, (TRANSACTIONS, "signature of bob"), OTHER, "their receipt", slot=30)]


WANTED = f"grant {GRANT}, claimer {ANN}, period 1"


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        (account(None), "no account exists at the receipt's address"),
        (account(NOW), "the account at the receipt's address is no receipt"),
        (written(grant=OTHER), f"grant {OTHER}, claimer {ANN}, period 1"),
        (written(claimer=BOB), f"grant {GRANT}, claimer {BOB}, period 1"),
        (written(period_index=2), f"grant {GRANT}, claimer {ANN}, period 2"),
    ],
)
@pytest.mark.parametrize("slot", [19, 20, 21, None])
def test_a_receipt_that_says_something_else(held: Any, seen: str, slot: int | None) -> None:
    held.slot = slot
    found = of_claims(of_ann(), accounts={RECEIPT: held})
    told = [f for f in found if f.code == "receipt_contradicts_claim"]
    wanted = [Finding("receipt_contradicts_claim", GRANT, (ACCOUNTS, RECEIPT), WANTED, seen, slot=20)]
    early = slot == 19 or (slot is None and not held.exists)
    assert told == ([] if early else wanted), "one that may have been read before the claim says nothing of it"


@pytest.mark.parametrize(("claimed_at", "wrong"), [(461, False), (1661, False), (460, True), (1662, True)])
def test_a_receipt_of_another_time(claimed_at: int, wrong: bool) -> None:
    found = of_claims(of_ann(), accounts={RECEIPT: written(claimed_at=claimed_at)})
    told = [f for f in found if f.code == "receipt_contradicts_claim"]
    expected, seen = f"claimed_at within 600 s of issued_at {ISSUED}", f"claimed_at is {claimed_at}"
    assert told == ([Finding("receipt_contradicts_claim", GRANT, (ACCOUNTS, RECEIPT), expected, seen, slot=20)] if wrong else [])


def test_a_claim_without_a_proof_has_no_time_of_issue() -> None:
    found = of_claims(of_ann(issued_at=None, entry_hash=None), accounts={RECEIPT: written(claimed_at=9999)})
    assert "receipt_contradicts_claim" not in {f.code for f in found}


# -- signers --


def test_a_signer_that_pop_config_did_not_name_at_that_slot() -> None:
    steps = (named(9, FIRST), created(10), named(20, SECOND))
    assert of_claims(of_ann(20), steps=steps) == []
    assert of_claims(of_ann(21), steps=steps) == [
        Finding("signer_mismatch", GRANT, (TRANSACTIONS, "signature of ann"), SECOND, FIRST, slot=21)
    ]
    either = " or ".join(sorted([FIRST, SECOND]))
    assert of_claims(of_ann(20, signer=OTHER), steps=steps) == [Finding("signer_mismatch", GRANT, WHERE, either, OTHER, slot=20)]


def test_a_signer_of_which_nothing_can_be_told() -> None:
    assert of_claims(of_ann(signer=None), steps=BEGUN) == [], "the claim carries no proof"
    assert of_claims(of_ann(signer=SECOND), steps=(created(10),)) == [], "no upsert is known"
    alone = of_claims(of_ann(signer=SECOND), steps=(named(9, FIRST),))
    assert alone == [], "whose grant it is is not known"


# -- terms --


def test_another_amount_than_the_terms_of_its_slot() -> None:
    steps = (*BEGUN, step("update_grant", 20, amount_per_period=3, period_seconds=60, expires_at=0))
    assert [of_claims(of_ann(slot), steps=steps, moved=3) for slot in (20, 21)] == [[], []]
    assert [of_claims(of_ann(slot), steps=steps, moved=2) for slot in (19, 20)] == [[], []]
    assert of_claims(of_ann(21), steps=steps, moved=2) == [Finding("amount_differs", GRANT, WHERE, "3", "2", slot=21)]
    assert of_claims(of_ann(20), steps=steps, moved=4) == [Finding("amount_differs", GRANT, WHERE, "2 or 3", "4", slot=20)]
    assert of_claims(of_ann(21), steps=steps, moved=None) == [], "what moved is not known"


@pytest.mark.parametrize(
    ("more", "shared"),
    [
        ({"transaction": [0, 1, 1, 2, 3]}, True),
        ({"transaction": [0, 0, 1, 2, 3]}, False),
        ({"transaction": [0, 1, 2, 3, 3]}, False),
        ({"transaction": [1, 1, 1, 2]}, True),
        ({"transaction": [1, 0, 1, 2]}, False),
        ({"transaction": [0, 1, 2], "programs": {2: [SYSTEM_PROGRAM, TOKEN_PROGRAM]}}, True),
        ({"transaction": [0, 1, 2], "programs": {2: [SYSTEM_PROGRAM], 1: [TOKEN_PROGRAM]}}, False),
    ],
)
def test_a_transaction_that_does_more_than_one_claim_says_nothing_of_its_amount(more: dict[str, Any], shared: bool) -> None:
    attempt = of_ann(row=2)
    assert shares_account(facts_of(attempt, **more)[0], attempt) is shared
    assert [f.code for f in of_claims(attempt, steps=BEGUN, moved=4, **more)] == ([] if shared else ["amount_differs"])


def test_the_first_row_shares_with_the_next_alone() -> None:
    attempt = of_ann(row=0)
    for rows, shared in (([0, 0, 1], True), ([0, 1, 0], False), ([0], False)):
        assert shares_account(facts_of(attempt, transaction=rows)[0], attempt) is shared, rows


def test_another_period_than_the_clock_that_the_program_read() -> None:
    steps = (*BEGUN, step("update_grant", 20, amount_per_period=2, period_seconds=30, expires_at=0))
    late = {RECEIPT: written(claimed_at=1121)}  # period 2 of 60 s, period 4 of 30 s
    assert of_claims(of_ann(19), accounts=late, steps=steps) == [Finding("period_differs", GRANT, WHERE, "period 2", "period 1", slot=19)]
    assert of_claims(of_ann(20), accounts=late, steps=steps) == [
        Finding("period_differs", GRANT, WHERE, "period 2 or 4", "period 1", slot=20)
    ]
    for period in (2, 4):
        there = {RECEIPT: written(claimed_at=1121, period_index=period)}
        assert of_claims(of_ann(20, period_index=period), accounts=there, steps=steps) == []
    assert of_claims(of_ann(20, period_index=9), steps=steps) == [], "no receipt tells the clock"


@pytest.mark.parametrize(
    ("claimed_at", "rule"), [(5000, None), (5001, "GrantExpired"), (999, "GrantNotStarted"), (1000, None), (None, None)]
)
def test_a_claim_that_the_terms_refuse(claimed_at: int | None, rule: str | None) -> None:
    period = 0 if claimed_at is None else (claimed_at - 1000) // 60
    fields: dict[str, Any] = {"claimed_at": claimed_at, "period_index": period}
    accounts = {} if claimed_at is None else {RECEIPT: written(**fields)}
    claims = (of_ann(period_index=period, issued_at=claimed_at),)
    assert of_claims(*claims, accounts=accounts, steps=BEGUN) == [], "a change of terms may be missing: nothing confirms them"
    found = of_claims(*claims, accounts=accounts | {GRANT: account(None)}, steps=(*BEGUN, step("close_grant", 90)))
    assert found == (
        []
        if rule is None
        else [Finding("claim_not_allowed", GRANT, WHERE, f"the program refuses the claim with {rule}", "the claim is accepted", slot=20)]
    )


def test_a_claim_while_the_grant_was_paused() -> None:
    steps = (*BEGUN, step("set_paused", 20, paused=True), step("set_paused", 22, paused=False))
    assert [of_claims(of_ann(slot), steps=steps) for slot in (19, 20, 22, 23)] == [[], [], [], []]
    assert of_claims(of_ann(21), steps=steps) == [], "nothing confirms that no step is missing"
    closed = {"steps": (*steps, step("close_grant", 90)), "accounts": {GRANT: account(None)}}
    assert of_claims(of_ann(21), **closed) == [
        Finding("claim_not_allowed", GRANT, WHERE, "the program refuses the claim with Paused", "the claim is accepted", slot=21)
    ]
