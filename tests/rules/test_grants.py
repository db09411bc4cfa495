"""How a grant stands, its vault and its receipts: each finding with what stands beside it, and what
must not be one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.result import Diagnosis
from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.world import World, sound
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.protocol.accounts import TokenAccount
from popkit.protocol.keys import SYSTEM_PROGRAM
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import CANNOT_TELL, VIOLATED, Answer, Finding
from popkit.rules.registry import rules_of
from tests.attacks.build import account, rewrite_account
from tests.held import held_to_its_words
from tests.verification.checked import Checked

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
Files = dict[str, Any]


def collected(world: World) -> Files:
    """The world's case, apart from the world."""
    files: Files = json.loads(json.dumps(world.collect()))
    return files


def found_in(path: Path, files: Files) -> Diagnosis:
    return held_to_its_words(write_case(path, files))


def of(found: Diagnosis, *codes: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.code in codes]


STANDING = (
    "grant_paused",
    "grant_closed",
    "grant_over",
    "vault_low",
    "terms_rewritten",
    "terms_unknown",
    "claim_unseen",
    "superseded",
)
VAULT = ("vault_not_the_grants", "vault_balance_wrong")


def test_a_grant_of_which_nothing_is_to_say(tmp_path: Path) -> None:
    world, _, _ = sound()
    assert (
        of(found_in(tmp_path, collected(world)), *STANDING, *VAULT, "claim_without_receipt") == []
    )


def test_a_paused_and_then_closed_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    where = (ACCOUNTS, handle.address)
    world.switch(handle, "set_paused", {"paused": True})
    paused = Finding("grant_paused", handle.address, where, observed="the grant is paused")
    assert of(found_in(tmp_path / "paused", collected(world)), *STANDING) == [paused]
    world.switch(handle, "set_paused", {"paused": False})
    world.switch(handle, "close_grant", {})
    closed = Finding("grant_closed", handle.address, where, observed="the grant is closed")
    assert of(found_in(tmp_path / "closed", collected(world)), *STANDING, *VAULT) == [closed]


def test_a_grant_whose_expiry_has_passed(tmp_path: Path) -> None:
    world = World()
    handle = world.grant(expires_in=100)
    over_at = world.now + 93  # the grant was made seven seconds ago
    world.tickets(handle, "ann")
    assert of(found_in(tmp_path / "before", collected(world)), *STANDING) == []
    world.tick(200)
    over = Finding(
        "grant_over",
        handle.address,
        (ACCOUNTS, handle.address),
        observed=f"the grant expired at unix second {over_at}",
    )
    assert of(found_in(tmp_path / "after", collected(world)), *STANDING) == [over]


@pytest.mark.parametrize(("fund", "is_low"), [(4, False), (3, True)])
def test_a_vault_that_holds_less_than_one_claim_takes(
    tmp_path: Path, fund: int, is_low: bool
) -> None:
    world = World()
    handle = world.grant(amount=2, fund=fund)
    world.tickets(handle, "ann")
    low = Finding(
        "vault_low", handle.address, (ACCOUNTS, handle.vault), "at least 2", str(fund - 2)
    )
    assert of(found_in(tmp_path, collected(world)), *STANDING, *VAULT) == ([low] if is_low else [])


def test_a_receipt_whose_claim_nobody_gave(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D")
    files = collected(world)
    receipt = pda.receipt_address(handle.address, world.address("bob"), 0)
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != done[1].signature]
    made, missing = (
        "the claim that made the receipt",
        "the node did not return that claim's transaction",
    )
    assert of(found_in(tmp_path, files), "claim_unseen") == [
        Finding("claim_unseen", handle.address, (ACCOUNTS, receipt), made, missing)
    ]


def test_terms_that_were_written_anew_on_a_running_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    terms = {
        "grant_id": 1,
        "amount_per_period": 3,
        "period_seconds": 60,
        "start_ts": world.now - 60,
        "expires_at": 0,
    }
    again = world.send([world.create_call(handle, terms)], "school")
    assert again.err is None
    [finding] = of(found_in(tmp_path / "running", collected(world)), "terms_rewritten")
    assert (finding.where, finding.slot) == ((TRANSACTIONS, again.signature), again.slot)
    assert finding.observed == f"amount 3, period 60 s, start {terms['start_ts']}, expires 0"
    other, closed, _ = sound()
    other.switch(closed, "close_grant", {})
    other.tick(5)
    assert other.send([other.create_call(closed, terms)], "school").err is None
    assert of(found_in(tmp_path / "closed between", collected(other)), "terms_rewritten") == []


def test_terms_that_nothing_tells(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = collected(world)
    created = next(landed.signature for landed in world.landed if handle.address in landed.keys)
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != created]
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    wanted = Finding(
        "terms_unknown",
        handle.address,
        (TRANSACTIONS, handle.address),
        not_checked="amount and period of 2 accepted claims",
    )
    assert of(found_in(tmp_path, files), "terms_unknown") == [wanted]


# -- what only false evidence shows --


@pytest.mark.parametrize("amount", [-1, +1])
def test_the_vault_s_arithmetic(tmp_path: Path, amount: int) -> None:
    """Only claims and close_grant take tokens out; anybody can send some in."""
    world, handle, _ = sound()
    files = collected(world)
    rewrite_account(files, handle.vault, TokenAccount, amount=498 + amount)
    case = Checked(tmp_path, files)
    wrong = Finding("vault_balance_wrong", handle.address, (ACCOUNTS, handle.vault), "498", "497")
    assert of(case.found, *VAULT) == ([wrong] if amount < 0 else [])
    assert (
        "funding less claims is the vault's balance" in case.titles("cannot tell", "chain")
    ) == (amount > 0)


def test_a_vault_that_is_gone(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = collected(world)
    account(files, handle.vault)["account"] = None
    case = Checked(tmp_path / "gone", files)
    wanted, observed = "the vault of a grant that was created", "the account does not exist"
    assert of(case.found, *VAULT) == [
        Finding("vault_balance_wrong", handle.address, (ACCOUNTS, handle.vault), wanted, observed)
    ]
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    unsure = Checked(tmp_path / "of a grant that may be closed", files)
    assert of(unsure.found, *VAULT) == []
    assert "funding less claims is the vault's balance" in unsure.titles("cannot tell", "chain")


@pytest.mark.parametrize("change", [{"mint": SYSTEM_PROGRAM}, {"owner": SYSTEM_PROGRAM}])
def test_a_vault_of_somebody_else(tmp_path: Path, change: dict[str, Any]) -> None:
    world, handle, _ = sound()
    files = collected(world)
    rewrite_account(files, handle.vault, TokenAccount, **change)
    [finding] = of(found_in(tmp_path, files), *VAULT)
    assert (finding.code, finding.severity, finding.where) == (
        "vault_not_the_grants",
        "critical",
        (ACCOUNTS, handle.vault),
    )
    assert SYSTEM_PROGRAM in str(finding.observed)
    assert SYSTEM_PROGRAM not in str(finding.expected)


def test_a_claim_whose_receipt_is_not_there(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = collected(world)
    receipt = account(files, pda.receipt_address(handle.address, world.address("bob"), 0))
    receipt["account"] = None
    path = write_case(tmp_path / "denied", files)
    line = receipts_line(path, handle.address)
    assert (line.status, str(line.expected)) == (VIOLATED, "one receipt for each claim")
    assert str(line.observed) == "the evidence holds 1 receipt and 2 accepted claims"
    found = held_to_its_words(path)
    assert of(found, "claim_without_receipt") == [], "the claim has a finding of its own"
    assert [f.where[1] for f in of(found, "receipt_contradicts_claim")] == [receipt["pubkey"]]
    receipt["slot"] = done[1].landed.slot - 1
    assert (
        receipts_line(write_case(tmp_path / "early", files), handle.address).status == CANNOT_TELL
    )


def receipts_line(path: Path, grant: str) -> Answer:
    """What a grant's rules answer of the number of its receipts."""
    answers = Inquiry(Facts(Evidence(path))).grant(grant)
    [line] = [answer for answer in answers if answer.rule.code == "claim_without_receipt"]
    return line


def test_of_an_empty_case_no_rule_of_a_grant_holds(tmp_path: Path) -> None:
    world, _, _ = sound()
    bare = Checked(tmp_path, {"case.json": collected(world)["case.json"]})
    assert bare.titles("holds", "chain") == set()
    assert str(
        next(rule.holds for rule in rules_of("grant") if rule.code == "chain_broken")
    ) in bare.titles("cannot tell", "chain")
