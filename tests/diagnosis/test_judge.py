"""What a verdict rests on, in words: every sentence of the judge by the facts it names, and its questions one by one."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.diagnosis.judge import Judge, Judgement, burnt
from popkit.diagnosis.proofs import Proof
from popkit.protocol.keys import PROGRAM_ID
from popkit.wording import utc
from tests import addresses as pda
from tests.simulation.case import write_case
from tests.simulation.program import GENESIS, WRAPPER_PROGRAM
from tests.simulation.worker import Proof as Issued
from tests.simulation.world import GrantHandle, Ticket, World, sound

TRANSACTIONS, SIGNATURES, ACCOUNTS = "rpc/transactions.jsonl", "rpc/signatures.jsonl", "rpc/accounts.jsonl"


def judge_of(path: Path, files: dict[str, Any]) -> Judge:
    return Judge(popkit.open_case(write_case(path, files)).facts)


def judged(path: Path, files: dict[str, Any], handle: GrantHandle) -> Judgement:
    """The judgement of a grant, asked of a judge of its own."""
    return judge_of(path, files).judge(handle.address)


def hide(files: dict[str, Any], *signatures: str, listed: bool = False) -> dict[str, Any]:
    """The case of a node that leaves transactions out."""
    for name in (TRANSACTIONS,) if listed else (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] not in signatures]
    return files


def forget(files: dict[str, Any], *addresses: str) -> dict[str, Any]:
    """The case without some accounts."""
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] not in addresses]
    return files


def receipt(world: World, handle: GrantHandle, wallet: str) -> str:
    return pda.receipt_address(handle.address, world.address(wallet), 0)


# -- the chain's own evidence --


def says(judgement: Judgement, text: str) -> None:
    assert (judgement.verdict, judgement.because, judgement.missing_evidence) == ("inconclusive", text, [text])


def test_a_pop_state_that_is_none(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    row = next(row for row in files[ACCOUNTS] if row["pubkey"] == handle.state)
    row["account"]["data"][0] = base64.b64encode(b"\x07" * 122).decode()
    says(judged(tmp_path, files, handle), "the PopState account cannot be read as one")


def test_entries_that_the_chain_names_and_nothing_carries(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan")
    files = hide(world.collect(), done[0].signature, done[2].signature)
    named = sorted(t.entry for t in (done[0], done[2]))
    says(judged(tmp_path, files, handle), f"the chain names accepted claims that are not in the evidence: {named[0][:8]}, {named[1][:8]}")


def test_a_pop_state_that_says_less_than_the_claims_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    files = world.collect()
    older = copy.deepcopy(next(row for row in files[ACCOUNTS] if row["pubkey"] == handle.state))
    data = bytearray(base64.b64decode(older["account"]["data"][0]))
    data[40:72] = data[72:104] = bytes.fromhex(done[0].entry)
    older["account"]["data"][0] = base64.b64encode(bytes(data)).decode()
    files[ACCOUNTS] = [older if row["pubkey"] == handle.state else row for row in files[ACCOUNTS]]
    says(judged(tmp_path, files, handle), "PopState and the accepted claims name different heads")


@pytest.mark.parametrize("what", ["order", "period"])
def test_accepted_claims_that_contradict_each_other(tmp_path: Path, what: str) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    if what == "period":
        again = world.claim(handle, done[-1].proof, "cat", budget=True)
        assert again.error == 0
    files = json.loads(json.dumps(world.collect()))
    for rows in (files[TRANSACTIONS], files[SIGNATURES]):
        for row in rows:
            held = row.get("result", row)
            if what == "order" and row["signature"] == done[0].signature:
                held["slot"] = done[1].landed.slot + 1
            if what == "period" and row["signature"] == again.signature:
                held.get("meta", held)["err"] = None
    text = "accepted claims contradict each other: their order, or two of one claimer and period"
    says(judged(tmp_path, files, handle), text)


def test_a_forged_transaction_beside_a_sound_chain(tmp_path: Path) -> None:
    world, handle, done = sound()
    twin = world.claim(handle, done[-1].proof, "bob", budget=True)
    files = json.loads(json.dumps(world.collect()))
    row = next(row for row in files[TRANSACTIONS] if row["signature"] == twin.signature)
    row["result"]["meta"]["err"] = None
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    wire[-1] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    says(judged(tmp_path, files, handle), "transactions of the grant are not signed by those they name")


def test_nothing_of_a_grant(tmp_path: Path) -> None:
    world, handle, done = sound()
    there = world.grant(2)
    files = world.collect(worker=False)
    addresses = (there.address, there.state, there.vault)
    created = world.landed[-1].signature
    nothing = hide(forget(copy.deepcopy(files), *addresses), created)
    says(judged(tmp_path / "nothing", nothing, there), "nothing of the grant is in the evidence: neither accounts nor transactions")
    for name, left in {
        "its creation": forget(copy.deepcopy(files), *addresses),
        "an absent PopState": hide(copy.deepcopy(files), created),
    }.items():
        told = judged(tmp_path / name, left, there)
        assert told.because.startswith("nothing was claimed, but the worker's records are not in the case"), name
    alone = hide(
        forget(copy.deepcopy(files), handle.address, handle.state), *(t.signature for t in world.landed if t is not done[1].landed)
    )
    assert "nothing of the grant" not in judged(tmp_path / "a claim", alone, handle).because


def test_a_refused_claim_is_something_of_a_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    refused = world.ticket(handle, "dan")
    files = world.collect(worker=False)
    hide(forget(files, handle.address, handle.state), *(t.signature for t in world.landed if t is not refused.landed))
    assert "nothing of the grant" not in judged(tmp_path, files, handle).because


def test_a_break_is_a_break_though_the_chain_s_evidence_does_not_add_up(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    world.worker.issue(handle.address, world.address("dan"))
    files = hide(world.collect(), done[0].signature)
    soon = judged(tmp_path / "soon", copy.deepcopy(files), handle)
    assert (soon.verdict, soon.heals_until) == ("inconclusive", None), "in flight is no answer on a chain with a gap"
    files["case.json"]["collected_at"] += 700
    assert judged(tmp_path / "late", files, handle).verdict == "broken"


# -- what can still land --


def the_proof(judge: Judge, handle: GrantHandle, told: Issued) -> Proof:
    return judge.facts.line(handle.address).proofs[told.entry]


@pytest.mark.parametrize(("age", "lands"), [(0, True), (600, True), (601, False)])
def test_a_proof_can_land_for_six_hundred_seconds(tmp_path: Path, age: int, lands: bool) -> None:
    world, handle, _ = sound()
    told = world.worker.issue(handle.address, world.address("cat"))
    files = world.collect()
    files["case.json"]["collected_at"] = told.issued_at + age
    judge = judge_of(tmp_path, files)
    assert judge.can_land(the_proof(judge, handle, told), handle.address) is lands


def test_what_landed_or_whose_period_is_claimed_lands_no_more(tmp_path: Path) -> None:
    world, handle, done = sound()
    told = {wallet: world.worker.issue(handle.address, world.address(wallet)) for wallet in ("bob", "cat")}
    judge = judge_of(tmp_path / "all", world.collect())
    assert not judge.can_land(the_proof(judge, handle, done[-1].proof), handle.address), "landed"
    assert not judge.can_land(the_proof(judge, handle, told["bob"]), handle.address), "its period is claimed"
    assert judge.can_land(the_proof(judge, handle, told["cat"]), handle.address)
    assert judge.is_claimed(handle.address, world.address("bob"), 0)
    assert not judge.is_claimed(handle.address, world.address("bob"), 1)
    assert not judge.is_claimed(handle.address, world.address("cat"), 0)


@pytest.mark.parametrize("told_by", ["transaction", "receipt", "PopState", "nothing"])
def test_a_claimed_period_shows_by_transaction_by_receipt_and_by_pop_state(tmp_path: Path, told_by: str) -> None:
    world, handle, done = sound()
    files = world.collect()
    if told_by != "transaction":
        hide(files, done[-1].signature)
    if told_by != "receipt":
        forget(files, receipt(world, handle, "bob"))
    if told_by != "PopState":
        forget(files, handle.state)
    judge = judge_of(tmp_path, files)
    assert judge.is_claimed(handle.address, world.address("bob"), 0) is (told_by != "nothing")


def test_a_receipt_that_is_said_not_to_exist_claims_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.simulate(handle, lost, "cat", tell=False)
    files = world.collect()
    assert next(row for row in files[ACCOUNTS] if row["pubkey"] == receipt(world, handle, "cat"))["account"] is None
    assert not judge_of(tmp_path, files).is_claimed(handle.address, world.address("cat"), 0)


def test_periods_of_one_grant_are_not_those_of_another(tmp_path: Path) -> None:
    world, one, _ = sound()
    two = world.grant(2)
    judge = judge_of(tmp_path, forget(world.collect(), receipt(world, one, "ann")))
    for _ in range(2):
        assert judge.is_claimed(one.address, world.address("ann"), 0)
        assert not judge.is_claimed(two.address, world.address("ann"), 0)


def test_a_claim_from_before_proofs_claims_its_period(tmp_path: Path) -> None:
    world = World("pre_pop")
    handle = world.grant()
    world.claim(handle, None, "ann")
    judge = judge_of(tmp_path, forget(world.collect(), receipt(world, handle, "ann")))
    assert judge.is_claimed(handle.address, world.address("ann"), 0)


# -- whether the head is known --


def certain(path: Path, files: dict[str, Any], handle: GrantHandle) -> bool:
    judge = judge_of(path, files)
    return judge.head_is_certain(judge.facts.line(handle.address))


def test_the_head_is_certain_by_pop_state_or_by_a_list_that_was_given_whole(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    bare = forget(copy.deepcopy(files), handle.state)
    assert certain(tmp_path / "PopState", hide(copy.deepcopy(files), done[-1].signature, listed=True), handle)
    assert certain(tmp_path / "the list", bare, handle)
    assert not certain(tmp_path / "a listed claim is missing", hide(copy.deepcopy(bare), done[-1].signature, listed=True), handle)
    for name in (SIGNATURES, TRANSACTIONS):
        left = {key: rows for key, rows in bare.items() if key != name}
        assert not certain(tmp_path / f"no {Path(name).stem}", left, handle)


def test_what_failed_or_touches_another_grant_does_not_move_a_head(tmp_path: Path) -> None:
    world, handle, done = sound()
    other = world.grant(2)
    [elsewhere] = world.tickets(other, "ann")
    again = world.worker.issue(handle.address, world.address("bob"))
    refused = world.claim(handle, again, "bob")
    bare = forget(world.collect(), handle.state, other.state)
    for rows in [bare[SIGNATURES]]:
        bare[SIGNATURES] = [row for row in rows if row["address"] in (handle.address, other.address)]
    for name, missing in {"failed": refused.signature, "elsewhere": elsewhere.signature}.items():
        assert certain(tmp_path / name, hide(copy.deepcopy(bare), missing, listed=True), handle), name
    assert not certain(tmp_path / "theirs", hide(copy.deepcopy(bare), elsewhere.signature, listed=True), other)
    assert done


def test_a_pop_state_older_than_the_claims_is_not_the_head(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    next(row for row in files[ACCOUNTS] if row["pubkey"] == handle.state)["slot"] = 1
    assert certain(tmp_path / "listed", files, handle)
    assert not certain(tmp_path / "not listed", {k: v for k, v in files.items() if k != SIGNATURES}, handle)


# -- the worker's line --


def test_two_stored_heads_that_differ(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    told = judged(tmp_path / "storage", world.collect(storage=True), handle)
    assert told.verdict == "broken"
    assert told.because == "the worker's two stored heads differ: its next proof cannot hold both links"
    assert judged(tmp_path / "bucket", world.collect(), handle).verdict == "intact", "anchors alone tell of no stored stream head"


def test_a_stored_stream_head_is_held_against_pop_state_s_own(tmp_path: Path) -> None:
    """PopState's two heads are always one; where a program were to keep them apart, the stream head counts."""
    world, handle, done = sound()
    state = world.ledger.states[handle.state]
    object.__setattr__(state, "last_stream_hash", done[0].entry)
    world.worker.heads[handle.address][1] = done[0].entry
    assert judged(tmp_path / "both", world.collect(storage=True), handle).verdict == "intact"
    world.worker.heads[handle.address][1] = done[1].entry
    assert judged(tmp_path / "one", world.collect(storage=True), handle).verdict == "broken"


def test_whose_line_a_refused_claim_beside_a_younger_one_stands_on(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    world.ticket(handle, "dan", worker=clone)
    world.tickets(handle, "eve")
    world.tick(900)
    told = judged(tmp_path, world.collect(worker=False), handle)
    assert told.verdict == "inconclusive"
    assert told.because.startswith("a refused claim and a younger accepted one stand on different lines")
    assert told.missing_evidence == ["the worker's audit records or storage"]


def test_proofs_on_their_way_are_counted_and_the_oldest_tells_until_when(tmp_path: Path) -> None:
    world, handle, _ = sound()
    told = []
    for wallet in ("cat", "dan"):
        told.append(world.worker.issue(handle.address, world.address(wallet)))
        world.tick(9)
    judgement = judged(tmp_path, world.collect(), handle)
    assert judgement.because == "2 issued proofs on the chain's head can still land"
    assert judgement.heals_until == told[0].issued_at + 600
    assert judgement.missing_evidence == []


def test_the_first_proof_that_cannot_land_is_named(tmp_path: Path) -> None:
    world, handle, _ = sound()
    fresh = world.worker.issue(handle.address, world.address("cat"))
    dead = world.worker.issue(handle.address, world.address("ann"))  # her period is claimed
    world.worker.issue(handle.address, world.address("dan"))
    told = judged(tmp_path, world.collect(), handle)
    assert told.verdict == "broken"
    assert told.because == f"the worker's head is 3 proofs ahead of the chain's; {dead.entry[:8]} was never accepted and can land no more"
    assert told.heals_until is None
    assert fresh.entry[:8] not in told.because


def lost_and_maybe_landed(world: World, handle: GrantHandle, tell: bool = True) -> tuple[Ticket, dict[str, Any]]:
    """A claim that landed, in the case of a node that gave neither it nor PopState."""
    last = world.ticket(handle, "cat", tell=tell)
    world.tick(900)
    return last, forget(world.collect(), handle.state)


def test_whether_a_proof_landed_is_not_known_without_pop_state_and_with_transactions_missing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    last, files = lost_and_maybe_landed(world, handle)
    told = judged(tmp_path / "listed", hide(files, last.signature, listed=True), handle)
    assert told.verdict == "inconclusive"
    assert "whether they landed is not known: no PopState, and transactions are missing" in told.because
    assert told.missing_evidence == ["the PopState account of the grant"]


@pytest.mark.parametrize("by", ["receipt", "record", "neither"])
def test_a_receipt_or_a_record_tells_of_a_landed_proof(tmp_path: Path, by: str) -> None:
    world, handle, _ = sound()
    last, files = lost_and_maybe_landed(world, handle, tell=by == "record")
    hide(files, last.signature)
    if by != "receipt":
        forget(files, receipt(world, handle, "cat"))
    told = judged(tmp_path, files, handle)
    if by == "neither":
        assert told.verdict == "broken", "the list is whole and nobody tells of a landing"
        return
    assert told.verdict == "inconclusive"
    assert told.because == "a receipt or a record tells of a landed proof whose transaction is not in the evidence"
    assert told.missing_evidence == ["the PopState account of the grant"]


def test_pop_state_outweighs_a_record_of_a_landed_proof(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    made_up = str(world.key("liar").sign_message(b"no transaction"))
    world.worker.claim_record(handle.address, world.address("cat"), made_up, receipt(world, handle, "cat"))
    world.tick(900)
    assert judged(tmp_path / "with", world.collect(), handle).verdict == "broken"
    assert judged(tmp_path / "without", forget(world.collect(), handle.state), handle).verdict == "inconclusive"


@pytest.mark.parametrize("more", [[], ["dan"]])
def test_records_of_two_unseen_claims_are_both_kept(tmp_path: Path, more: list[str]) -> None:
    world, handle, _ = sound()
    landed = [world.ticket(handle, wallet).signature for wallet in ("cat", *more)]
    world.tick(900)
    files = hide(forget(world.collect(), handle.state, *(receipt(world, handle, w) for w in ("cat", "dan"))), *landed)
    judge = judge_of(tmp_path, files)
    assert judge._recorded_unseen(handle.address) == {world.address(w) for w in ("cat", *more)}
    assert judge.judge(handle.address).verdict == "inconclusive"


def test_a_record_of_an_off_chain_claim_tells_of_no_landing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.worker.claim_record(handle.address, world.address("cat"), None, None)
    world.tick(900)
    assert judged(tmp_path, forget(world.collect(), handle.state), handle).verdict == "broken"


def test_a_record_of_another_grant_s_claim_says_nothing_of_this_one(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    elsewhere = world.ticket(other, "cat")
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    files = hide(forget(world.collect(), handle.state), elsewhere.signature)
    assert judged(tmp_path, files, handle).verdict == "broken"


def test_a_receipt_of_an_earlier_claim_does_not_say_that_a_second_proof_landed(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("bob"))
    world.tick(900)
    told = judged(tmp_path, forget(world.collect(), handle.state), handle)
    assert told.verdict == "broken"


@pytest.mark.parametrize(("wait", "verdict"), [(0, "inconclusive"), (596, "inconclusive"), (597, "broken"), (700, "broken")])
def test_a_refusal_by_a_chain_rule_proves_a_loss_once_the_parent_could_land_no_more(wait: int, verdict: str, tmp_path: Path) -> None:
    """Before that the parent may have landed later, in a transaction that the node did not give."""
    world, handle, done = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(wait)
    refused = world.ticket(handle, "dan")
    assert refused.landed.error == 6026
    world.tick(900)
    files = hide(forget(world.collect(), handle.state), done[0].signature, listed=True)
    files[TRANSACTIONS] = [row for row in files[TRANSACTIONS] if row["signature"] != done[0].signature]
    assert judged(tmp_path, files, handle).verdict == verdict


def test_records_that_end_before_the_chain_does(tmp_path: Path) -> None:
    world, handle, _ = sound()
    old = world.worker.storage_rows()
    world.tickets(handle, "cat", "dan")
    files = world.collect(worker=False)
    files["worker/storage.jsonl"] = old
    told = judged(tmp_path, files, handle)
    assert (told.verdict, told.because) == ("inconclusive", "the worker's records end before the chain does")
    assert told.missing_evidence == ["the worker's records up to the time of the chain's evidence"]


def stored_heads(world: World, handle: GrantHandle, head: str) -> dict[str, Any]:
    """A case whose storage holds one head for both keys."""
    world.worker.heads[handle.address] = [head, head]
    return world.collect(storage=True)


def test_a_stored_head_behind_the_chain_s(tmp_path: Path) -> None:
    world, handle, done = sound()
    told = judged(tmp_path / "older", stored_heads(world, handle, done[0].entry), handle)
    wanted = f"the chain's head is {done[1].entry[:8]}: the next proof will be refused"
    assert (told.verdict, told.because) == ("broken", f"the worker's head is {done[0].entry[:8]}, {wanted}")
    told = judged(tmp_path / "genesis", stored_heads(world, handle, GENESIS), handle)
    assert (told.verdict, told.because) == ("broken", f"the worker's head is GENESIS, {wanted}")


@pytest.mark.parametrize("records", ["whole", "none over that time", "no certain head"])
def test_a_stored_head_that_nothing_else_names(tmp_path: Path, records: str) -> None:
    world, handle, _ = sound()
    world.tick(900)
    files = stored_heads(world, handle, "ab" * 32)
    if records == "none over that time":
        files = {name: rows for name, rows in files.items() if name not in ("worker/r2.jsonl", "worker/audit-logs.json")}
        files["worker/storage.jsonl"] = [r for r in files["worker/storage.jsonl"] if not r["key"].startswith("audit_")]
    if records == "no certain head":
        del forget(files, handle.state)[SIGNATURES]
    told = judged(tmp_path, files, handle)
    verdict, because, missing = {
        "whole": ("broken", "the worker's head is abababab, the chain's head is", []),
        "none over that time": (
            "inconclusive",
            "the worker's stored head is a proof of unknown age that may still land",
            ["the worker's audit records or history"],
        ),
        "no certain head": (
            "inconclusive",
            "the worker's head is an entry that nothing else in the evidence names",
            ["the worker's audit records"],
        ),
    }[records]
    assert (told.verdict, told.missing_evidence) == (verdict, missing)
    assert told.because.startswith(because)


def test_records_that_do_not_reach_back_six_hundred_seconds_leave_a_stored_head_open(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.tick(900)
    files = stored_heads(world, handle, "ab" * 32)
    newest = files["case.json"]["collected_at"]
    files["case.json"]["collected_at"] = newest + 590
    assert judged(tmp_path / "covered", copy.deepcopy(files), handle).verdict == "broken"
    files["case.json"]["collected_at"] = newest + 700
    assert judged(tmp_path / "not covered", files, handle).verdict == "inconclusive", "it may have been issued since the records ended"


def test_a_line_that_stands_on_an_older_claim_or_on_genesis(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    world.worker.issue(handle.address, world.address("cat"))
    told = judged(tmp_path / "older", world.collect(), handle)
    wanted = f"which is not the chain's head {done[1].entry[:8]}, and never will be again"
    assert (told.verdict, told.because) == ("broken", f"the worker's line stands on the claim {done[0].entry[:8]}, {wanted}")
    world.worker.heads[handle.address] = [GENESIS, GENESIS]
    world.worker.issue(handle.address, world.address("dan"))
    told = judged(tmp_path / "genesis", world.collect(), handle)
    assert (told.verdict, told.because) == ("broken", f"the worker's line stands on GENESIS, {wanted}")


def test_a_line_that_stands_on_an_unseen_claim_that_others_followed(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    world.worker.heads[handle.address] = [done[1].entry, done[1].entry]
    world.worker.issue(handle.address, world.address("dan"))
    told = judged(tmp_path, hide(world.collect(), done[1].signature), handle)
    assert (told.verdict, told.because.startswith(f"the worker's line stands on the claim {done[1].entry[:8]}")) == ("broken", True)


def test_a_line_that_follows_the_head_by_one_link_alone(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    world.worker.issue(handle.address, world.address("cat"))
    told = judged(tmp_path, world.collect(), handle)
    assert told.verdict == "broken"
    assert told.because == "the worker's next proof follows the chain's head by one link and not by the other"


@pytest.mark.parametrize(("age", "verdict"), [(600, "inconclusive"), (601, "broken")])
def test_a_line_that_stands_on_a_proof_nobody_knows(tmp_path: Path, age: int, verdict: str) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    refused = world.ticket(handle, "dan")
    files = world.collect(worker=False)
    files["case.json"]["collected_at"] = refused.proof.issued_at + age
    told = judged(tmp_path, files, handle)
    assert told.verdict == verdict
    if verdict == "broken":
        assert told.because.startswith(f"the proof {lost.entry[:8]} never landed; its oldest known child was issued 601 s before")
        assert told.because.endswith("so it can land no more")
        assert told.missing_evidence == []
    else:
        assert told.because == f"the proof {lost.entry[:8]} is not in the evidence and may still land"
        assert told.missing_evidence == ["the worker's records of that proof, or evidence taken after it is 600 s old"]


# -- wallets' reports --


def told_by_wallets(world: World, handle: GrantHandle, wait: int = 900, number: int = 6026) -> tuple[int, dict[str, Any]]:
    """A lost proof, two wallets refused behind it, and a case without the worker: (the first report's second, the case)."""
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    first = world.now
    for wallet in ("dan", "eve"):
        assert world.simulate(handle, world.worker.issue(handle.address, world.address(wallet)), wallet).error == number
        world.tick(5)
    world.tick(wait)
    return first, world.collect(worker=False, reports=True)


def test_wallets_that_were_refused_and_nobody_accepted_since(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, files = told_by_wallets(world, handle)
    told = judged(tmp_path, files, handle)
    assert told.verdict == "broken"
    assert told.because.startswith(f"wallets were refused with PopHashChainBroken from {utc(first)} on")
    assert told.because.endswith("nothing was accepted since, and what they waited for can land no more")
    assert [r.report.wallet for r in told.reports] == [world.address("dan"), world.address("eve")]


@pytest.mark.parametrize(("age", "verdict"), [(600, "inconclusive"), (601, "broken")])
def test_the_first_report_s_age_decides(tmp_path: Path, age: int, verdict: str) -> None:
    world, handle, _ = sound()
    first, files = told_by_wallets(world, handle)
    files["case.json"]["collected_at"] = first + age
    told = judged(tmp_path, files, handle)
    assert told.verdict == verdict
    assert len(told.reports) == 2, "they are kept, whatever they prove"


def test_reports_of_another_grant_another_rule_or_another_program_prove_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    _, files = told_by_wallets(world, handle)
    assert judged(tmp_path / "other grant", copy.deepcopy(files), other).reports == []
    for name, (old, new) in {"another rule": ("0x178a", "0x1787"), "another program": (PROGRAM_ID, WRAPPER_PROGRAM)}.items():
        left = json.loads(json.dumps(files))
        for row in left["client/errors.jsonl"]:
            row["message"], row["logs"] = row["message"].replace(old, new), [line.replace(old, new) for line in row["logs"]]
            if name == "another rule":
                row["logs"] = []
        assert judged(tmp_path / name, left, handle).reports == [], name


def test_a_report_of_the_moment_of_the_last_claim_is_not_later(tmp_path: Path) -> None:
    world, handle, done = sound()
    _, files = told_by_wallets(world, handle)
    last = done[-1].landed.time
    for late, count in ((0, 0), (1, 2)):
        left = json.loads(json.dumps(files))
        for row in left["client/errors.jsonl"]:
            row["at"] = last + late
        assert len(judged(tmp_path / str(late), left, handle).reports) == count


def test_wallets_that_were_refused_before_anybody_was_accepted(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    _, files = told_by_wallets(world, handle, number=6028)
    told = judged(tmp_path, files, handle)
    assert (told.verdict, [r.error for r in told.reports]) == ("broken", ["PopGenesisMismatch"] * 2)


def test_reports_prove_nothing_where_the_head_is_not_certain(tmp_path: Path) -> None:
    world, handle, _ = sound()
    _, files = told_by_wallets(world, handle)
    del forget(files, handle.state)[SIGNATURES]
    told = judged(tmp_path, files, handle)
    assert (told.verdict, told.reports) == ("inconclusive", [])


# -- sound --


def test_what_sound_rests_on(tmp_path: Path) -> None:
    world, handle, _ = sound()
    told = judged(tmp_path / "intact", world.collect(), handle)
    wanted = "every accepted claim follows an accepted one, and the worker's head is the chain's"
    assert (told.verdict, told.because, told.missing_evidence) == ("intact", wanted, [])
    assert told.is_sound
    other = world.grant(2)
    told = judged(tmp_path / "unused", world.collect(), other)
    assert (told.verdict, told.because) == ("unused", "nobody has claimed from the grant and nobody holds a proof for it")
    assert told.is_sound


def test_what_recovered_rests_on(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    for proof, wallet in ((second, "dan"), (first, "cat"), (second, "dan")):
        world.claim(handle, proof, wallet)
        world.tick(2)
    told = judged(tmp_path, world.collect(), handle)
    assert (told.verdict, told.because) == ("recovered", "claims were refused by a chain rule and the chain went on past them")
    assert told.is_sound


def test_under_relaxed_rules_it_is_said_where_parents_come_from(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    told = judged(tmp_path / "used", world.collect(), handle)
    assert told.because.startswith("every accepted claim follows an accepted one")
    assert told.because.endswith("; under the relaxed rules the worker takes its parent from the chain")
    assert not told.is_strict
    other = world.grant(2)
    assert "relaxed" not in judged(tmp_path / "unused", world.collect(), other).because


def test_a_proof_that_somebody_holds_is_use_under_relaxed_rules(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    assert judged(tmp_path / "before", world.collect(storage=True), handle).verdict == "unused"
    world.worker.issue(handle.address, world.address("ann"), expected=GENESIS)
    assert judged(tmp_path / "anchor", world.collect(), handle).verdict == "intact"
    files = world.collect(storage=True, bucket=False, logs=False)
    files["worker/storage.jsonl"] = [r for r in files["worker/storage.jsonl"] if not r["key"].startswith("audit_")]
    told = judged(tmp_path / "history", files, handle)
    assert "nobody holds a proof" not in told.because


def test_a_refused_claim_is_use(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    proof = world.worker.issue(handle.address, world.address("ann"), expected=GENESIS)
    world.switch(handle, "set_paused", {"paused": True})
    assert world.claim(handle, proof, "ann").error == 6007
    told = judged(tmp_path, world.collect(worker=False), handle)
    assert told.because.startswith(f"sound on chain up to {GENESIS[:8]}, but")


@pytest.mark.parametrize("what", ["no records", "not to the anchor", "not to the creation"])
def test_what_of_the_worker_s_records_is_missing(tmp_path: Path, what: str) -> None:
    world, handle, done = sound() if what != "not to the creation" else (World(), None, [])
    handle = handle or world.grant()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    told = judged(tmp_path, world.collect(worker=what != "no records", bucket=False), handle)
    where = f"sound on chain up to {done[-1].entry[:8]}" if done else "nothing was claimed"
    missing = {
        "no records": "the worker's records are not in the case: a proof that was issued and never sent would not show on chain",
        "not to the anchor": "the worker's records do not reach back to the anchor of the chain's head without a gap",
        "not to the creation": "the worker's records do not reach back to the grant's creation without a gap",
    }[what]
    assert (told.verdict, told.because, told.missing_evidence) == ("inconclusive", f"{where}, but {missing}", [missing])
    assert not told.is_sound


# -- burnt --


def test_what_is_burnt(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    paused = world.claim(handle, proof, "cat")
    world.switch(handle, "set_paused", {"paused": False})
    behind = world.ticket(handle, "dan")
    world.tick(700)
    files = world.collect()
    judge = judge_of(tmp_path / "late", copy.deepcopy(files))
    line = judge.facts.line(handle.address)
    assert {a.signature: burnt(judge, line, a) for a in line.chain.attributed} == {paused.signature: True, behind.signature: False}
    files["case.json"]["collected_at"] -= 500
    soon = judge_of(tmp_path / "soon", files)
    line = soon.facts.line(handle.address)
    assert not any(burnt(soon, line, a) for a in line.chain.attributed), "it can still land"


def test_nothing_burns_off_the_head_nor_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    world.switch(handle, "set_paused", {"paused": True})
    world.claim(handle, second, "dan")
    world.tick(700)
    judge = judge_of(tmp_path / "behind", world.collect())
    line = judge.facts.line(handle.address)
    assert not any(burnt(judge, line, a) for a in line.chain.attributed), "dan's stood on cat's, which never landed"
    world, handle, _ = sound("relaxed", "D", "ann")
    proof = world.worker.issue(handle.address, world.address("cat"), expected=world.head(handle))
    world.switch(handle, "set_paused", {"paused": True})
    world.claim(handle, proof, "cat")
    world.tick(700)
    judge = judge_of(tmp_path / "relaxed", world.collect())
    line = judge.facts.line(handle.address)
    assert not any(burnt(judge, line, a) for a in line.chain.attributed)
    assert first.entry != second.entry
