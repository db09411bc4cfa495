"""Evidence that is true and looks odd, or is not all there: nothing is violated, and what is
missing cannot be told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from popkit.drill import addresses as pda
from popkit.drill.calls import grant_call, proof_call
from popkit.drill.world import MONTH, World, sound
from tests.attacks.build import account, row_of
from tests.verification.checked import Checked
from tests.verification.test_false_evidence import relaxed_world, whole

ACCOUNTS, SIGNATURES, TRANSACTIONS = (
    "rpc/accounts.jsonl",
    "rpc/signatures.jsonl",
    "rpc/transactions.jsonl",
)
VAULT = "funding less claims is the vault's balance"


def without_account(files: dict[str, Any], address: str) -> None:
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != address]


def test_a_first_claim_on_a_lost_proof_under_relaxed_rules(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    world.worker.issue(handle.address, world.address("zed"))
    world.tick(60)
    world.tickets(handle, "ann")
    world.tickets(handle, "bob", "cat", from_chain=True)
    case = Checked(tmp_path, whole(world), era="relaxed")
    assert (case.outcome, case.found.verdict) == ((0, set()), "intact")


@pytest.mark.parametrize("build", ["relaxed", "pre_pop"])
def test_a_listed_claim_that_the_node_did_not_give(build: str, tmp_path: Path) -> None:
    world = World(build, "D" if build == "relaxed" else "A")
    handle = world.grant()
    wallets = ("ann", "bob", "cat")
    if build == "relaxed":
        landed = [ticket.landed for ticket in world.tickets(handle, *wallets, from_chain=True)]
    else:
        landed = [world.claim(handle, None, wallet) for wallet in wallets]
    files = whole(world)
    assert VAULT in Checked(tmp_path / "all", files).titles("holds")
    row_of(files, landed[1].signature)["result"] = None
    without_account(files, pda.receipt_address(handle.address, world.address("bob"), 0))
    case = Checked(tmp_path / "gap", files)
    assert case.outcome == (3, set())
    assert {VAULT, "no accepted claim is missing between the ends"} <= case.titles(
        "cannot tell", "chain"
    )


def test_a_closed_grant_and_one_that_is_made_again(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.switch(handle, "close_grant", {})
    world.tick(20)
    closed = Checked(
        tmp_path / "closed", json.loads(json.dumps(world.collect(storage=True, receipts=True)))
    )
    assert closed.outcome == (0, set())
    terms = {
        "grant_id": 1,
        "amount_per_period": 2,
        "period_seconds": MONTH,
        "start_ts": world.now - 60,
        "expires_at": 0,
    }
    token_account = pda.associated_token_address(handle.authority, handle.mint)
    where = {
        "grant": handle.address,
        "mint": handle.mint,
        "vault": handle.vault,
        "from_ata": token_account,
    }
    fund = grant_call(
        "fund_grant",
        {"amount": 100},
        {**where, "funder": handle.authority, "authority": handle.authority},
    )
    world.send([world.create_call(handle, terms), fund], "school")
    world.tick(5)
    world.tickets(handle, "cat", "dan")
    again = Checked(tmp_path / "again", whole(world))
    assert again.outcome == (0, set())
    assert VAULT in again.titles("holds")


def test_two_claims_in_one_transaction(tmp_path: Path) -> None:
    world = World()
    first, second = world.grant(1), world.grant(2)
    ann = world.address("ann")
    proofs = [world.worker.issue(handle.address, ann) for handle in (first, second)]
    world.tick(3)
    landed = world.send(
        [
            *world.claim_calls(first, proofs[0], "ann"),
            proof_call(proofs[1]),
            world.claim_call(second, "ann"),
        ],
        "ann",
    )
    assert landed.err is None
    for handle in (first, second):
        world.worker.claim_record(handle.address, ann, landed.signature, None)
    case = Checked(tmp_path, whole(world))
    assert case.outcome == (3, set())
    assert case.titles("cannot tell") == {"one period's amount reached the claimer"}, (
        "each vault's loss is its own claim's"
    )


def test_accounts_that_were_read_too_early(tmp_path: Path) -> None:
    world, handle, tickets = sound()
    files = whole(world)
    receipt = account(files, pda.receipt_address(handle.address, world.address("bob"), 0))
    receipt |= {"account": None, "slot": tickets[1].landed.slot - 5}
    case = Checked(tmp_path / "receipt", files)
    assert case.outcome == (3, set())
    files, early = whole(world), account(files, handle.vault)
    token_account = pda.associated_token_address(handle.authority, handle.mint)
    where = {
        "grant": handle.address,
        "mint": handle.mint,
        "vault": handle.vault,
        "from_ata": token_account,
    }
    world.send(
        [
            grant_call(
                "fund_grant",
                {"amount": 50},
                {**where, "funder": handle.authority, "authority": handle.authority},
            )
        ],
        "school",
    )
    files = whole(world)
    account(files, handle.vault).update(early)
    assert Checked(tmp_path / "vault", files).outcome == (0, set()), (
        "what was funded later is not looked for in it"
    )


def test_an_address_to_which_lamports_were_merely_sent_is_no_account(tmp_path: Path) -> None:
    """Anybody can send lamports to the receipt of a wallet that never claimed, or to a PopState
    that is not there yet.
    """
    world, handle, _ = sound()
    files = whole(world)
    empty = {
        "lamports": 1,
        "owner": "1" * 32,
        "executable": False,
        "data": ["", "base64"],
        "space": 0,
    }
    receipt = pda.receipt_address(handle.address, world.address("zed"), 0)
    slot = account(files, handle.state)["slot"]
    files[ACCOUNTS].append({"pubkey": receipt, "slot": slot, "account": empty})
    case = Checked(tmp_path / "receipt", files)
    assert (case.outcome, case.found.exit_code) == ((0, set()), 0)
    unused = World()
    other = unused.grant()
    files = whole(unused)
    account(files, other.state)["account"] = empty
    assert Checked(tmp_path / "state", files).found.verdict == "unused"


def test_a_record_whose_claim_may_be_missing_is_not_unbacked(tmp_path: Path) -> None:
    world, handle = relaxed_world()
    ticket = world.ticket(handle, "fay", from_chain=True, tell=False)
    world.worker.claim_record(handle.address, world.address("fay"), ticket.signature, None)
    world.tickets(handle, "gus", from_chain=True)
    files = whole(world)
    del files[SIGNATURES], files[ACCOUNTS]
    files[TRANSACTIONS] = [
        row for row in files[TRANSACTIONS] if row["signature"] != ticket.signature
    ]
    case = Checked(tmp_path, files)
    assert case.found.reconciliation.unbacked_records == []
    assert case.outcome == (3, set())


@pytest.mark.parametrize("why", ["the receipt was not collected", "the chain was read before"])
def test_a_record_that_cannot_be_told_does_not_hold(tmp_path: Path, why: str) -> None:
    world, handle, _ = sound()
    receipt, earlier = pda.receipt_address(handle.address, world.address("liar"), 0), whole(world)
    world.tick(30)
    invented = str(world.key("liar").sign_message(b""))
    world.worker.claim_record(handle.address, world.address("liar"), invented, receipt)
    files = whole(world)
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != receipt]
    if why == "the chain was read before":
        files |= {name: earlier[name] for name in (SIGNATURES, TRANSACTIONS, ACCOUNTS, "case.json")}
    title = "the claim of every claim record is on chain"
    case = Checked(tmp_path / "all", files)
    assert case.outcome == (3, set())
    assert title in case.titles("cannot tell", "records")
    named = Checked(tmp_path / "named", files, invented)
    assert named.outcome == (3, set())
    collected = Checked(tmp_path / "told", whole(world))
    assert collected.outcome == (1, {title})


def test_strict_links_up_to_pop_state_do_for_a_list(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.claim_record(
        handle.address, world.address("liar"), str(world.key("liar").sign_message(b"")), None
    )
    files = whole(world)
    del files[SIGNATURES]
    case = Checked(tmp_path, files)
    assert case.found.reconciliation.unbacked_records == [str(world.key("liar").sign_message(b""))]


def test_nothing_holds_of_what_is_not_there(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = whole(world)
    bare = Checked(tmp_path / "bare", {"case.json": files["case.json"]})
    assert bare.verified.exit_code == 3
    assert bare.titles("holds", "chain") | bare.titles("holds", "records") == set()
    chain = Checked(
        tmp_path / "chain",
        {name: rows for name, rows in files.items() if not name.startswith("worker/")},
    )
    assert chain.titles("holds", "records") | chain.titles("holds", "audit") == set()
    assert chain.titles("holds", "chain")


def test_a_claim_s_links_are_held_against_the_heads_before_it(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob")
    again = world.claim(handle, done[1].proof, "bob", budget=True)
    assert again.error == 0
    files = whole(world)
    titles = (
        "the proof's global link names the chain's head",
        "the proof's stream link names the chain's head",
    )

    def links(signature: str) -> set[tuple[str, str, str]]:
        [section] = Checked(tmp_path / signature[:8], files, signature).verified.sections[1:]
        return {
            (check.status, str(check.expected), str(check.observed))
            for check in section.checks
            if str(check.title) in titles
        }

    assert links(done[1].signature) == {("holds", done[0].entry, done[0].entry)}
    assert {expected for _, expected, _ in links(again.signature)} == {done[1].entry}, (
        "sent again, it meets itself as the head"
    )


# -- names --


def test_every_name_of_a_receipt_gated_claim_whose_wallet_told_nothing(tmp_path: Path) -> None:
    world = World("strict_v2", "B")
    handle = world.grant()
    [ticket] = world.tickets(handle, "ann", tell=False)
    event = world.worker.event_of(handle.address)
    code = world.worker.claims[event, world.address("ann")]
    receipt = world.worker.receipts[event, code]
    files = whole(world)
    names = (
        ticket.signature,
        ticket.entry,
        code,
        receipt["receiptId"],
        receipt["receiptHash"],
        ticket.proof.anchor,
    )
    for number, name in enumerate(names):
        case = Checked(tmp_path / str(number), files, name)
        assert [(s.subject, s.name) for s in case.verified.sections[1:]] == [
            ("claim", ticket.signature)
        ], name
        assert case.outcome == (0, set())


def test_a_record_that_the_chain_does_not_hold_is_violated_by_each_of_its_names(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    invented = str(world.key("liar").sign_message(b""))
    world.worker.claim_record(handle.address, world.address("liar"), invented, None)
    record = next(
        e
        for e in world.worker.entries
        if e["data"].get("transfer", {}).get("txSignature") == invented
    )
    files = whole(world)
    for number, name in enumerate(
        (invented, record["entry_hash"], record["data"]["confirmationCode"])
    ):
        case = Checked(tmp_path / str(number), files, name)
        assert case.outcome == (1, {"the chain holds what the record says"})
        assert [s.subject for s in case.verified.sections] == ["case", "record"]


def test_a_claim_off_chain_is_the_worker_s_word_alone(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.claim_record(handle.address, world.address("zed"), None, None)
    record = next(e for e in reversed(world.worker.entries) if e["event"] == "WALLET_CLAIM")
    case = Checked(tmp_path, whole(world), record["data"]["confirmationCode"])
    assert case.outcome == (3, set())
    assert "the ticket receipt says what its audit entry says" in case.titles("holds", "record")
