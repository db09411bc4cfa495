"""The verdict of a grant, branch by branch, each on the smallest world that takes it; what a
verdict rests on is named, not spelled.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.drill.case import collect_at
from popkit.drill.machine import WRAPPER_PROGRAM
from popkit.drill.proofs import GENESIS
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.protocol.keys import PROGRAM_ID
from popkit.verdict.judge import Judge
from popkit.verdict.judgement import Judgement, burnt
from tests.diagnosis.judged import (
    ACCOUNTS,
    BUCKET,
    LOGS,
    SIGNATURES,
    STORAGE,
    TRANSACTIONS,
    account,
    facts_of,
    forget,
    hide,
    judged,
    read_earlier,
    receipt,
    stated_whole,
)


def undecided(judgement: Judgement, *named: str) -> None:
    """The judgement cannot tell, says what would decide it, and names what it is about."""
    assert (judgement.verdict, judgement.heals_until) == ("inconclusive", None)
    assert judgement.missing_evidence
    for text in named:
        assert text in judgement.because


def broken(judgement: Judgement, *named: str) -> None:
    assert (judgement.verdict, judgement.missing_evidence, judgement.heals_until) == (
        "broken",
        [],
        None,
    )
    for text in named:
        assert text in judgement.because


# -- the chain's own evidence --


def test_a_pop_state_that_is_none(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    account(files, handle.state)["account"]["data"][0] = base64.b64encode(b"\x07" * 122).decode()
    undecided(judged(tmp_path, files, handle), "PopState")


def test_a_pop_state_of_another_program(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    account(files, handle.state)["account"]["owner"] = WRAPPER_PROGRAM
    undecided(judged(tmp_path, files, handle), WRAPPER_PROGRAM)


def test_entries_that_the_chain_names_and_nothing_carries(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan")
    files = hide(world.collect(), done[0].signature, done[2].signature)
    undecided(judged(tmp_path, files, handle), done[0].entry[:8], done[2].entry[:8])


@pytest.mark.parametrize(("build", "model"), [("strict", "A"), ("relaxed", "D")])
def test_a_pop_state_that_says_less_than_the_claims(build: str, model: str, tmp_path: Path) -> None:
    world, handle, done = sound(build, model, "ann", "bob")
    files = world.collect()
    older = copy.deepcopy(account(files, handle.state))
    data = bytearray(base64.b64decode(older["account"]["data"][0]))
    data[40:72] = data[72:104] = bytes.fromhex(done[0].entry)
    older["account"]["data"][0] = base64.b64encode(bytes(data)).decode()
    files[ACCOUNTS] = [older if row["pubkey"] == handle.state else row for row in files[ACCOUNTS]]
    undecided(judged(tmp_path, files, handle), "PopState")


def test_two_contents_of_pop_state_for_one_slot(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    other = copy.deepcopy(account(files, handle.state))
    data = bytearray(base64.b64decode(other["account"]["data"][0]))
    data[40:72] = data[72:104] = bytes.fromhex(done[0].entry)
    other["account"]["data"][0] = base64.b64encode(bytes(data)).decode()
    files[ACCOUNTS].append(other)
    undecided(judged(tmp_path, files, handle), "PopState")


def test_a_break_that_is_proved_without_pop_state_stays_one_beside_a_pop_state_that_contradicts(
    tmp_path: Path,
) -> None:
    """A worker whose head was rolled back behind two claims is wedged whatever PopState says."""
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    files = world.collect(storage=True)
    assert judged(tmp_path / "as read", copy.deepcopy(files), handle).verdict == "broken"
    row = account(files, handle.state)
    data = bytearray(base64.b64decode(row["account"]["data"][0]))
    data[40:72] = data[72:104] = bytes.fromhex(done[1].entry)
    row["account"] = {**row["account"], "data": [base64.b64encode(bytes(data)).decode(), "base64"]}
    broken(judged(tmp_path / "contradicting", files, handle))


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
    undecided(judged(tmp_path, files, handle))


def test_a_forged_transaction_beside_a_sound_chain(tmp_path: Path) -> None:
    world, handle, done = sound()
    twin = world.claim(handle, done[-1].proof, "bob", budget=True)
    files = json.loads(json.dumps(world.collect()))
    row = next(row for row in files[TRANSACTIONS] if row["signature"] == twin.signature)
    row["result"]["meta"]["err"] = None
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    wire[-1] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    undecided(judged(tmp_path, files, handle))


def test_nothing_of_a_grant(tmp_path: Path) -> None:
    world, handle, done = sound()
    there = world.grant(2)
    files = world.collect()
    addresses = (there.address, there.state, there.vault)
    created = world.landed[-1].signature
    undecided(
        judged(
            tmp_path / "nothing", hide(forget(copy.deepcopy(files), *addresses), created), there
        ),
        "neither an account nor a transaction",
    )
    for name, left in {
        "its creation": forget(copy.deepcopy(files), *addresses),
        "an absent PopState": hide(copy.deepcopy(files), created),
    }.items():
        assert (
            "neither an account nor a transaction"
            not in judged(tmp_path / name, left, there).because
        ), name
    alone = hide(
        forget(copy.deepcopy(files), handle.address, handle.state),
        *(t.signature for t in world.landed if t is not done[1].landed),
    )
    assert (
        "neither an account nor a transaction"
        not in judged(tmp_path / "a claim", alone, handle).because
    )


def test_a_refused_claim_is_something_of_a_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    refused = world.ticket(handle, "dan")
    files = world.collect(worker=False)
    hide(
        forget(files, handle.address, handle.state),
        *(t.signature for t in world.landed if t is not refused.landed),
    )
    assert "neither an account nor a transaction" not in judged(tmp_path, files, handle).because


def test_a_break_is_a_break_though_the_chain_s_evidence_does_not_add_up(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    world.worker.issue(handle.address, world.address("dan"))
    undecided(
        judged(tmp_path / "soon", hide(world.collect(), done[0].signature), handle)
    )  # in flight is no answer beside a gap
    world.tick(700)
    broken(judged(tmp_path / "late", hide(world.collect(), done[0].signature), handle))


@pytest.mark.parametrize("moment", [0, 1, 1771000000, 4000000000])
def test_a_time_of_collection_that_cannot_be(moment: int, tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = world.collect()
    files["case.json"]["collected_at"] = moment
    undecided(judged(tmp_path, files, handle), str(moment))


# -- doubt that weakens an answer and never turns it --


def made_up_anchor(world: World, handle: GrantHandle) -> dict[str, Any]:
    """What whoever holds the audit-log token can post: an anchor on the chain's head, without its
    proof.
    """
    head = world.head(handle)
    data = {
        "eventId": world.worker.event_of(handle.address),
        "grant": handle.address,
        "claimer": world.address("nobody"),
    }
    data |= {"periodIndex": "0", "prevHash": head, "streamPrevHash": head}
    return world.worker.append(
        "POP_CLAIM_PROOF_ANCHOR",
        f"pop:{data['eventId']}",
        {"type": "wallet", "id": "nobo...body"},
        data,
    )


@pytest.mark.parametrize("wait", [20, 900])
def test_an_anchor_that_nothing_attests_decides_nothing(wait: int, tmp_path: Path) -> None:
    world, handle, _ = sound()
    made_up_anchor(world, handle)
    world.tick(wait)
    undecided(judged(tmp_path / "bucket", world.collect(), handle), "anchor")
    told = judged(tmp_path / "storage", world.collect(storage=True), handle)
    assert told.verdict == "intact", (
        "the storage's head did not move, and tells where the next proof will point"
    )


@pytest.mark.parametrize(
    ("answered", "attested_by", "verdict"),
    [
        (200, "its request", "broken"),
        (503, "nothing", "inconclusive"),
        (503, "the storage", "broken"),
        (503, "a signed child", "broken"),
        (503, "a child that was asked for", "broken"),
    ],
)
def test_an_anchor_is_attested_by_its_request_by_the_storage_or_by_what_follows_it(
    answered: int, attested_by: str, verdict: str, tmp_path: Path
) -> None:
    """An honest anchor lacks its row where a sink failed after the head had moved: the client was
    answered 503.
    """
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"), answered=answered)
    if attested_by == "a child that was asked for":
        world.worker.issue(handle.address, world.address("dan"))
    if attested_by == "a signed child":
        child = world.worker.issue(handle.address, world.address("dan"), answered=503)
        assert world.claim(handle, child, "dan").error == 6026
    world.tick(900)
    told = judged(tmp_path, world.collect(storage=attested_by == "the storage"), handle)
    (broken if verdict == "broken" else undecided)(told, lost.entry[:8])


def test_an_anchor_that_changes_nothing_leaves_a_break_as_it_is(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    made_up_anchor(world, handle)
    world.tick(900)
    broken(judged(tmp_path, world.collect(), handle))


def bare_storage(world: World) -> dict[str, Any]:
    """A case of the chain and the storage's heads and history: no audit rows, so that no anchor
    shows the worker's model.
    """
    files = {
        n: part
        for n, part in world.collect(storage=True).items()
        if not n.startswith("worker/") or n == STORAGE
    }
    files[STORAGE] = [row for row in files[STORAGE] if not row["key"].startswith("audit")]
    return files


def test_rules_that_only_a_date_decides_break_nothing(tmp_path: Path) -> None:
    """A strict program that runs on after the relaxed one's source exists: a lost proof wedges it,
    if it is the strict one.
    """
    world = World("strict_v2", "B", start=1773600000)
    handle = world.grant()
    world.tickets(handle, "ann", "bob")
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    undecided(judged(tmp_path / "quiet", bare_storage(world), handle), "date")
    assert world.ticket(handle, "dan").landed.error == 6026  # strict rules, shown
    world.tick(900)
    broken(judged(tmp_path / "shown", bare_storage(world), handle))


# -- the worker's line --


def test_two_stored_heads_that_differ(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    broken(judged(tmp_path / "storage", world.collect(storage=True), handle))
    assert judged(tmp_path / "bucket", world.collect(), handle).verdict == "intact", (
        "anchors alone tell of no stored stream head"
    )


def test_a_stored_stream_head_is_held_against_pop_state_s_own(tmp_path: Path) -> None:
    """PopState's two heads are always one; where a program were to keep them apart, the stream head
    counts.
    """
    world, handle, done = sound()
    state = world.ledger.states[handle.state]
    world.ledger.states[handle.state] = replace(state, last_stream_hash=done[0].entry)
    world.worker.heads[handle.address][1] = done[0].entry
    assert judged(tmp_path / "both", world.collect(storage=True), handle).verdict == "intact"
    world.worker.heads[handle.address][1] = done[1].entry
    broken(judged(tmp_path / "one", world.collect(storage=True), handle))


def test_a_proof_that_follows_another_by_one_link(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first = world.worker.issue(handle.address, world.address("cat"))
    assert judged(tmp_path / "one", world.collect(), handle).verdict == "in_flight"
    world.worker.heads[handle.address][1] = GENESIS
    second = world.worker.issue(handle.address, world.address("dan"))
    broken(judged(tmp_path / "two", world.collect(), handle), first.entry[:8], second.entry[:8])


def test_whose_line_a_refused_claim_beside_a_younger_one_stands_on(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    world.ticket(handle, "dan", worker=clone)
    world.tickets(handle, "eve")
    world.tick(900)
    undecided(judged(tmp_path, world.collect(worker=False), handle))


def test_proofs_on_their_way_are_counted_and_the_oldest_tells_until_when(tmp_path: Path) -> None:
    world, handle, _ = sound()
    issued = []
    for wallet in ("cat", "dan"):
        issued.append(world.worker.issue(handle.address, world.address(wallet)))
        world.tick(9)
    judgement = judged(tmp_path, world.collect(), handle)
    assert (judgement.verdict, judgement.missing_evidence) == ("in_flight", [])
    assert judgement.because.startswith("2 issued proofs")
    assert judgement.heals_until == issued[0].issued_at + 600


@pytest.mark.parametrize("ends", ["its age", "the period", "the grant"])
def test_what_ends_first_heals_first(ends: str, tmp_path: Path) -> None:
    world = World()
    handle = world.grant(
        start_ago=0, period_seconds=3600, expires_in=3500 if ends == "the grant" else 0
    )
    start = world.ledger.grants[handle.address].start_ts
    world.ms = (start + (3400 if ends != "its age" else 100)) * 1000
    issued = world.worker.issue(handle.address, world.address("ann"))
    judgement = judged(tmp_path, world.collect(), handle)
    wanted = {
        "its age": issued.issued_at + 600,
        "the period": start + 3599,
        "the grant": start + 3500,
    }[ends]
    assert (judgement.verdict, judgement.heals_until) == ("in_flight", wanted)


def test_two_proofs_of_one_claimer_and_period_cannot_both_land(tmp_path: Path) -> None:
    world = World()
    handle = world.grant(period_seconds=3600, start_ago=3300)
    world.worker.issue(handle.address, world.address("cat"))
    world.worker.issue(handle.address, world.address("cat"), 1)
    assert judged(tmp_path / "two periods", world.collect(), handle).verdict == "in_flight"
    again = world.worker.issue(handle.address, world.address("cat"))
    broken(judged(tmp_path / "one period", world.collect(), handle), again.entry[:8])


def test_the_first_proof_that_cannot_land_is_named(tmp_path: Path) -> None:
    world, handle, _ = sound()
    fresh = world.worker.issue(handle.address, world.address("cat"))
    dead = world.worker.issue(handle.address, world.address("ann"))  # her period is claimed
    world.worker.issue(handle.address, world.address("dan"))
    judgement = judged(tmp_path, world.collect(), handle)
    broken(judgement, dead.entry[:8])
    assert fresh.entry[:8] not in judgement.because


def test_pop_state_read_before_a_proof_could_land_no_more_does_not_break_a_grant(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    issued = world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    then = world.collect()
    now = collect_at(world, issued.issued_at + 2000)
    broken(judged(tmp_path / "now", copy.deepcopy(now), handle), issued.entry[:8])
    undecided(judged(tmp_path / "then", read_earlier(now, then, handle.state), handle))


def test_a_pop_state_without_a_slot_breaks_nothing_and_calls_nothing_sound(tmp_path: Path) -> None:
    world, handle, _ = sound()
    whole = world.collect()
    account(whole, handle.state)["slot"] = None
    undecided(judged(tmp_path / "sound", whole, handle))
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(2000)
    files = world.collect()
    account(files, handle.state)["slot"] = None
    undecided(judged(tmp_path / "lost", files, handle))


def test_records_that_go_on_past_what_could_land_say_that_the_chain_was_read_early(
    tmp_path: Path,
) -> None:
    """The accounts and `collected_at` are of one moment, the worker's records of one that is 900 s
    younger.
    """
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    chain = {name: part for name, part in world.collect().items() if not name.startswith("worker/")}
    world.tick(900)
    later = {name: part for name, part in world.collect().items() if name.startswith("worker/")}
    undecided(judged(tmp_path, chain | later, handle))


def test_nothing_is_lost_without_pop_state_unless_the_list_says_that_it_is_whole(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(2000)
    files = forget(world.collect(), handle.state)
    undecided(judged(tmp_path / "quiet", files, handle))
    broken(judged(tmp_path / "stated", stated_whole(files, handle), handle))


@pytest.mark.parametrize(("wait", "verdict"), [(20, "in_flight"), (2000, "broken")])
@pytest.mark.parametrize("gone", ["the accounts", "PopState", "the age of PopState"])
def test_a_claim_that_a_node_left_out_is_neither_on_its_way_nor_lost(
    gone: str, wait: int, verdict: str, tmp_path: Path
) -> None:
    """The last claim landed and its wallet said nothing to the worker; the list lacks it, and goes
    on with others' transactions.
    """
    world, handle, _ = sound()
    other = world.grant(2)
    then = world.collect()
    last = world.ticket(handle, "cat", tell=False)
    world.tick(wait)
    world.tickets(other, "dan")
    files = hide(world.collect(), last.signature)
    forget(files, receipt(world, handle, "cat"))
    if gone == "the accounts":
        del files[ACCOUNTS]
    elif gone == "PopState":
        forget(files, handle.state)
    else:
        read_earlier(files, then, handle.state)
        account(files, handle.state)["slot"] = None
    told = judged(tmp_path / "left out", files, handle)
    undecided(told)
    found = popkit.open_case(tmp_path / "left out").diagnose().as_json()
    [row] = [row for row in found["grants"] if row["grant"] == handle.address]
    assert (row["missing_entries"], row["affected_claimers"], found["exit_code"]) == ([], None, 3)
    if gone == "PopState":
        # the same evidence of a proof that was never sent, with what shows that nothing landed
        assert judged(tmp_path / "stated", stated_whole(files, handle), handle).verdict == verdict


def lost_and_maybe_landed(
    world: World, handle: GrantHandle, tell: bool = True
) -> tuple[Ticket, dict[str, Any]]:
    """A claim that landed, in the case of a node that gave neither it nor PopState; the list is
    stated to be whole.
    """
    last = world.ticket(handle, "cat", tell=tell)
    world.tick(900)
    return last, stated_whole(forget(world.collect(), handle.state), handle)


def test_whether_a_proof_landed_is_not_known_without_pop_state_and_with_transactions_missing(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    last, files = lost_and_maybe_landed(world, handle)
    undecided(
        judged(tmp_path, hide(files, last.signature, listed=True), handle),
        "PopState was not collected",
    )


@pytest.mark.parametrize(
    "by", ["receipt", "record", "no accepted claim carries the proof, and it can land no more"]
)
def test_a_receipt_or_a_record_tells_of_a_landed_proof(tmp_path: Path, by: str) -> None:
    world, handle, _ = sound()
    last, files = lost_and_maybe_landed(world, handle, tell=by == "record")
    hide(files, last.signature)
    if by != "receipt":
        forget(files, receipt(world, handle, "cat"))
    told = judged(tmp_path, files, handle)
    (broken if by == "no accepted claim carries the proof, and it can land no more" else undecided)(
        told
    )


def test_pop_state_outweighs_a_record_of_a_landed_proof(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    made_up = str(world.key("liar").sign_message(b"no transaction"))
    world.worker.claim_record(
        handle.address, world.address("cat"), made_up, receipt(world, handle, "cat")
    )
    world.tick(900)
    broken(judged(tmp_path / "with", world.collect(), handle))
    undecided(judged(tmp_path / "without", forget(world.collect(), handle.state), handle))


@pytest.mark.parametrize("more", [[], ["dan"]])
def test_records_of_two_unseen_claims_are_both_kept(tmp_path: Path, more: list[str]) -> None:
    world, handle, _ = sound()
    landed = [world.ticket(handle, wallet).signature for wallet in ("cat", *more)]
    world.tick(900)
    files = hide(
        forget(world.collect(), handle.state, *(receipt(world, handle, w) for w in ("cat", "dan"))),
        *landed,
    )
    facts = facts_of(tmp_path, files)
    assert facts.recorded_unseen(handle.address) == {world.address(w) for w in ("cat", *more)}
    undecided(Judge(facts).judge(handle.address))


def test_a_receipt_of_an_earlier_claim_does_not_say_that_a_second_proof_landed(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("bob"))
    world.tick(900)
    broken(judged(tmp_path, forget(world.collect(), handle.state), handle))


@pytest.mark.parametrize(
    ("wait", "verdict"),
    [(0, "inconclusive"), (596, "inconclusive"), (597, "broken"), (700, "broken")],
)
def test_a_refusal_by_a_chain_rule_proves_a_loss_once_the_parent_could_land_no_more(
    wait: int, verdict: str, tmp_path: Path
) -> None:
    """Before that the parent may have landed later, in a transaction that the node did not give."""
    world, handle, done = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(wait)
    refused = world.ticket(handle, "dan")
    assert refused.landed.error == 6026
    world.tick(900)
    files = hide(forget(world.collect(), handle.state), done[0].signature, listed=True)
    assert judged(tmp_path, files, handle).verdict == verdict


# -- how far the worker's records reach --


def test_records_that_end_before_the_chain_does(tmp_path: Path) -> None:
    world, handle, _ = sound()
    old = world.worker.storage_rows()
    world.tickets(handle, "cat", "dan")
    files = world.collect(worker=False)
    files[STORAGE] = old
    undecided(judged(tmp_path, files, handle))


@pytest.mark.parametrize(("gap", "verdict"), [(50, "intact"), (70, "inconclusive")])
def test_records_must_reach_the_accounts_moment(gap: int, verdict: str, tmp_path: Path) -> None:
    world, handle, _ = sound()
    worker = {name: part for name, part in world.collect().items() if name.startswith("worker/")}
    world.tick(gap)
    files = {
        name: part for name, part in world.collect().items() if not name.startswith("worker/")
    } | worker
    assert judged(tmp_path, files, handle).verdict == verdict


@pytest.mark.parametrize("state", ["unused", "in flight"])
def test_what_is_unused_or_on_its_way_needs_records_up_to_then_as_well(
    state: str, tmp_path: Path
) -> None:
    world = World()
    handle = world.grant()
    if state == "in flight":
        world.worker.issue(handle.address, world.address("ann"))
    worker = {name: part for name, part in world.collect().items() if name.startswith("worker/")}
    now = world.collect()
    assert judged(tmp_path / "reaching", now, handle).verdict == state.replace(" ", "_")
    world.tick(200)
    files = {
        name: part for name, part in world.collect().items() if not name.startswith("worker/")
    } | worker
    undecided(judged(tmp_path / "short", files, handle))


@pytest.mark.parametrize(("gap", "verdict"), [(30, "intact"), (200, "inconclusive")])
def test_a_storage_export_without_audit_rows_is_as_old_as_its_newest_history_row(
    gap: int, verdict: str, tmp_path: Path
) -> None:
    world, handle, _ = sound()
    world.tick(gap - 27)  # the last proof was issued 27 s ago
    files = bare_storage(world)
    assert judged(tmp_path, files, handle).verdict == verdict


def stored_heads(world: World, handle: GrantHandle, head: str) -> dict[str, Any]:
    """A case whose storage holds one head for both keys."""
    world.worker.heads[handle.address] = [head, head]
    return world.collect(storage=True)


def test_a_stored_head_behind_the_chain_s(tmp_path: Path) -> None:
    world, handle, done = sound()
    broken(
        judged(tmp_path / "older", stored_heads(world, handle, done[0].entry), handle),
        done[0].entry[:8],
        done[1].entry[:8],
    )
    broken(
        judged(tmp_path / "genesis", stored_heads(world, handle, GENESIS), handle),
        "GENESIS",
        done[1].entry[:8],
    )


@pytest.mark.parametrize("records", ["whole", "none over that time", "no certain head"])
def test_a_stored_head_that_nothing_else_names(tmp_path: Path, records: str) -> None:
    world, handle, _ = sound()
    world.tick(900)
    files = stored_heads(world, handle, "ab" * 32)
    if records == "none over that time":
        files = {name: rows for name, rows in files.items() if name not in (BUCKET, LOGS)}
        files[STORAGE] = [r for r in files[STORAGE] if not r["key"].startswith("audit_")]
    if records == "no certain head":
        del forget(files, handle.state)[SIGNATURES]
    (broken if records == "whole" else undecided)(judged(tmp_path, files, handle))


@pytest.mark.parametrize(("gap", "verdict"), [(590, "broken"), (900, "inconclusive")])
def test_records_that_do_not_reach_back_six_hundred_seconds_leave_a_stored_head_open(
    gap: int, verdict: str, tmp_path: Path
) -> None:
    """It may have been issued since the records ended, and land still."""
    world, handle, _ = sound()
    world.tick(900)
    worker = {
        name: part
        for name, part in stored_heads(world, handle, "ab" * 32).items()
        if name.startswith("worker/")
    }
    world.tick(gap)
    files = {
        name: part for name, part in world.collect().items() if not name.startswith("worker/")
    } | worker
    assert judged(tmp_path, files, handle).verdict == verdict


@pytest.mark.parametrize("waiting", [False, True])
def test_a_storage_that_lacks_the_heads_that_were_moved_tells_no_head(
    waiting: bool, tmp_path: Path
) -> None:
    """The export goes on past where both heads would stand: they are gone, and whether the worker
    begins from GENESIS is not known.
    """
    world = World()
    handle, other = sorted((world.grant(1), world.grant(2)), key=lambda h: h.address)
    world.tickets(other, "ann")
    world.tickets(handle, "ann")
    if waiting:
        world.worker.issue(handle.address, world.address("bob"))
    del world.worker.heads[handle.address]
    undecided(judged(tmp_path, world.collect(storage=True), handle))


def test_a_worker_that_takes_its_parents_from_the_chain_follows_a_foreign_head_as_well(
    tmp_path: Path,
) -> None:
    """Its own head does not matter, and no program is wedged by it: sound, with a critical finding
    of its own.
    """
    world = World("relaxed", "D")
    handle = world.grant()
    world.tickets(handle, "ann", from_chain=True)
    world.ticket(handle, "bob", worker=world.worker.clone(), from_chain=True, tell=False)
    told = judged(tmp_path, world.collect(storage=True), handle)
    assert (told.verdict, told.line.follows_chain) == ("intact", True)


def test_a_line_that_stands_on_an_older_claim_or_on_genesis(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [done[0].entry, done[0].entry]
    world.worker.issue(handle.address, world.address("cat"))
    broken(
        judged(tmp_path / "older", world.collect(), handle), done[0].entry[:8], done[1].entry[:8]
    )
    world.worker.heads[handle.address] = [GENESIS, GENESIS]
    world.worker.issue(handle.address, world.address("dan"))
    broken(judged(tmp_path / "genesis", world.collect(), handle), "GENESIS", done[1].entry[:8])


def test_a_line_that_stands_on_an_unseen_claim_that_others_followed(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    world.worker.heads[handle.address] = [done[1].entry, done[1].entry]
    world.worker.issue(handle.address, world.address("dan"))
    broken(judged(tmp_path, hide(world.collect(), done[1].signature), handle), done[1].entry[:8])


def test_a_line_that_follows_the_head_by_one_link_alone(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    world.worker.issue(handle.address, world.address("cat"))
    broken(judged(tmp_path, world.collect(), handle))


@pytest.mark.parametrize(("age", "verdict"), [(600, "inconclusive"), (601, "broken")])
def test_a_line_that_stands_on_a_proof_nobody_knows(tmp_path: Path, age: int, verdict: str) -> None:
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    refused = world.ticket(handle, "dan")
    told = judged(tmp_path, collect_at(world, refused.proof.issued_at + age, worker=False), handle)
    (broken if verdict == "broken" else undecided)(told, lost.entry[:8])


# -- wallets' reports: unsigned, they prove nothing alone --


def told_by_wallets(world: World, handle: GrantHandle, number: int = 6026) -> dict[str, Any]:
    """A lost proof, two wallets refused behind it, and a case without the worker."""
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    for wallet in ("dan", "eve"):
        assert (
            world.simulate(
                handle, world.worker.issue(handle.address, world.address(wallet)), wallet
            ).error
            == number
        )
        world.tick(5)
    world.tick(900)
    return world.collect(worker=False, reports=True)


@pytest.mark.parametrize("number", [6026, 6028])
def test_wallets_that_were_refused_and_nobody_accepted_since(number: int, tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    if number == 6026:
        world.tickets(handle, "ann", "bob")
    told = judged(tmp_path, told_by_wallets(world, handle, number), handle)
    undecided(told)
    assert [(r.report.wallet, r.error) for r in told.reports] == [
        (world.address(w), {6026: "PopHashChainBroken", 6028: "PopGenesisMismatch"}[number])
        for w in ("dan", "eve")
    ]


def test_reports_of_another_grant_another_rule_or_another_program_prove_nothing(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    files = told_by_wallets(world, handle)
    assert judged(tmp_path / "other grant", copy.deepcopy(files), other).reports == []
    for name, (old, new) in {
        "another rule": ("0x178a", "0x1787"),
        "another program": (PROGRAM_ID, WRAPPER_PROGRAM),
    }.items():
        left = json.loads(json.dumps(files))
        for row in left["client/errors.jsonl"]:
            row["message"], row["logs"] = (
                row["message"].replace(old, new),
                [line.replace(old, new) for line in row["logs"]],
            )
            if name == "another rule":
                row["logs"] = []
        assert judged(tmp_path / name, left, handle).reports == [], name


def test_a_report_of_the_moment_of_the_last_claim_is_not_later(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = told_by_wallets(world, handle)
    last = done[-1].landed.time
    for late, count in ((0, 0), (1, 2)):
        left = json.loads(json.dumps(files))
        for row in left["client/errors.jsonl"]:
            row["at"] = last + late
        assert len(judged(tmp_path / str(late), left, handle).reports) == count


def test_whole_records_outweigh_what_wallets_report(tmp_path: Path) -> None:
    """A report that nothing bears out does not make a sound chain doubtful."""
    world, handle, _ = sound()
    files = world.collect(reports=True)
    files["client/errors.jsonl"] = [
        {"at": world.now, "eventId": world.worker.event_of(handle.address), "wallet": world.address("liar"), "landed": False,
         "signature": None, "message": "Error processing Instruction 1: custom program error: "
                                       "0x178a", "logs": []}
    ]  # fmt: skip
    assert judged(tmp_path, files, handle).verdict == "intact"


# -- sound --


def test_what_sound_is_called(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    files = world.collect()
    for name, grant, verdict in (("used", handle, "intact"), ("unused", other, "unused")):
        told = judged(tmp_path / name, files, grant)
        assert (told.verdict, told.missing_evidence, told.is_sound, bool(told.because)) == (
            verdict,
            [],
            True,
            True,
        )


def test_recovered_needs_a_claim_accepted_after_the_refusals(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    assert world.claim(handle, second, "dan").error == 6026
    world.tick(2)
    assert judged(tmp_path / "refused", world.collect(), handle).verdict == "in_flight"
    for proof, wallet in ((first, "cat"), (second, "dan")):
        assert world.claim(handle, proof, wallet).err is None
        world.tick(2)
    told = judged(tmp_path / "over", world.collect(), handle)
    assert (told.verdict, told.is_sound) == ("recovered", True)


def test_a_proof_that_somebody_holds_is_use_under_relaxed_rules(tmp_path: Path) -> None:
    world = World("relaxed", "D")
    handle = world.grant()
    assert judged(tmp_path / "before", world.collect(storage=True), handle).verdict == "unused"
    world.worker.issue(handle.address, world.address("ann"), expected=GENESIS)
    assert judged(tmp_path / "anchor", world.collect(), handle).verdict == "intact"
    assert judged(tmp_path / "history", bare_storage(world), handle).verdict != "unused"


def test_behaviour_that_shows_relaxed_rules_needs_no_records_of_the_worker(tmp_path: Path) -> None:
    """Two claims accepted on one parent: nothing can be wedged, whatever the worker issued."""
    world, handle, _ = sound("relaxed", "D")
    parent = world.head(handle)
    early, late = (
        world.worker.issue(handle.address, world.address(w), expected=parent)
        for w in ("cat", "dan")
    )
    for proof, wallet in ((early, "cat"), (late, "dan")):
        assert world.claim(handle, proof, wallet).err is None
        world.tick(5)
    told = judged(tmp_path / "shown", world.collect(worker=False), handle)
    assert (told.verdict, told.is_strict) == ("intact", False)
    world, handle, _ = sound("relaxed", "D")
    undecided(judged(tmp_path / "by date", world.collect(worker=False), handle))


@pytest.mark.parametrize("held", [False, True])
def test_unused_needs_the_worker_s_records_under_relaxed_rules_as_well(
    held: bool, tmp_path: Path
) -> None:
    """Only they tell whether somebody holds a proof of the grant; another grant's claims show that
    the rules are relaxed.
    """
    world, shown, _ = sound("relaxed", "D")
    parent = world.head(shown)
    for wallet in ("cat", "dan"):
        proof = world.worker.issue(shown.address, world.address(wallet), expected=parent)
        world.tick(2)
        assert world.claim(shown, proof, wallet).err is None
        world.tick(5)
    quiet = world.grant(2)
    if held:
        world.worker.issue(quiet.address, world.address("eve"), expected=GENESIS)
        world.tick(5)
    undecided(
        judged(tmp_path / "chain alone", world.collect(worker=False), quiet), "nobody has claimed"
    )
    assert (
        judged(tmp_path / "chain alone too", world.collect(worker=False), shown).verdict == "intact"
    )
    assert judged(tmp_path / "with records", world.collect(), quiet).verdict == (
        "intact" if held else "unused"
    )


@pytest.mark.parametrize(
    "what", ["the case holds no records of the worker", "not to the anchor", "not to the creation"]
)
def test_what_of_the_worker_s_records_is_missing(tmp_path: Path, what: str) -> None:
    world, handle, done = sound() if what != "not to the creation" else (World(), None, [])
    handle = handle or world.grant()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    told = judged(
        tmp_path,
        world.collect(worker=what != "the case holds no records of the worker", bucket=False),
        handle,
    )
    undecided(told, *(t.entry[:8] for t in done[-1:]))
    assert not told.is_sound


# -- burnt --


def burnt_of(path: Path, files: dict[str, Any], handle: GrantHandle) -> dict[str, bool]:
    """Whether each attributed refused claim is burnt, by its signature."""
    told = judged(path, files, handle)
    return {a.signature: burnt(told, a) for a in told.line.chain.attributed}


def test_what_is_burnt(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    paused = world.claim(handle, proof, "cat")
    world.switch(handle, "set_paused", {"paused": False})
    behind = world.ticket(handle, "dan")
    soon = burnt_of(tmp_path / "soon", world.collect(), handle)
    assert soon == {paused.signature: False, behind.signature: False}, "it can still land"
    world.tick(700)
    assert burnt_of(tmp_path / "late", world.collect(), handle) == {
        paused.signature: True,
        behind.signature: False,
    }


def test_under_strict_rules_nothing_burns_off_the_head(tmp_path: Path) -> None:
    world, handle, _ = sound()
    _, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    world.switch(handle, "set_paused", {"paused": True})
    refused = world.claim(handle, second, "dan")
    world.tick(700)
    told = burnt_of(tmp_path, world.collect(), handle)
    assert told == {refused.signature: False}, "dan's stood on cat's, which never landed"


@pytest.mark.parametrize("again", [False, True])
def test_under_relaxed_rules_what_left_its_claimer_without_is_burnt(
    again: bool, tmp_path: Path
) -> None:
    world, handle, _ = sound("relaxed", "D", "ann")
    proof = world.worker.issue(handle.address, world.address("cat"), expected=world.head(handle))
    world.switch(handle, "set_paused", {"paused": True})
    refused = world.claim(handle, proof, "cat")
    world.switch(handle, "set_paused", {"paused": False})
    if again:
        world.tickets(handle, "cat", from_chain=True)
    world.tick(700)
    assert burnt_of(tmp_path, world.collect(), handle) == {refused.signature: not again}
