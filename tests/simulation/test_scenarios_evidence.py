"""Evidence that is missing, partial, older than the chain, or false."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from popkit.drill import addresses as pda
from popkit.drill.case import collect_at
from popkit.drill.worker import Worker
from popkit.drill.world import Ticket, World, sound
from tests.simulation.expect import ANY, bad, codes, diagnose, expect


def without(files: dict[str, Any], signature: str) -> dict[str, Any]:
    """The case of a node that leaves one transaction out."""
    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        files[name] = [row for row in files[name] if row["signature"] != signature]
    return files


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("listed", [True, False])
def test_a_transaction_the_node_leaves_out(tmp_path: Path, which: int, listed: bool) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    if listed:
        files["rpc/transactions.jsonl"] = [
            row
            for row in files["rpc/transactions.jsonl"]
            if row["signature"] != done[which].signature
        ]
    else:
        without(files, done[which].signature)
    found = diagnose(tmp_path, files)
    expect(
        found,
        handle,
        "inconclusive",
        last_good=done[1] if which == 2 else done[2],
        unseen=[done[which].entry],
    )
    assert found.exit_code == 3


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("where", ["message", "signature"])
def test_a_transaction_forged_by_one_byte(tmp_path: Path, which: int, where: str) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    row = next(
        r for r in files["rpc/transactions.jsonl"] if r["signature"] == done[which].signature
    )
    row["result"] = copy.deepcopy(row["result"])
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    at = bytes(wire).index(done[which].proof.message) + 150 if where == "message" else 10
    wire[at] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    found = diagnose(tmp_path, files)
    expect(
        found,
        handle,
        "inconclusive",
        last_good=done[1] if which == 2 else done[2],
        unseen=[done[which].entry],
        forged=[done[which].signature],
    )
    assert found.exit_code == 1


def test_an_unseen_entry_does_not_hide_a_break(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    lost = world.worker.issue(handle.address, world.address("dan"))
    refused = world.ticket(handle, "eve")
    world.tick(900)
    found = diagnose(tmp_path, without(world.collect(), done[1].signature))
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done[2],
        first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry],
        unseen=[done[1].entry],
        affected={world.address("dan"), world.address("eve")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize(("wait", "broken"), [(10, False), (650, True)])
def test_pop_state_not_collected(tmp_path: Path, wait: int, broken: bool) -> None:
    """Without it a proof is lost by a refusal that landed after the proof could land no more, and
    by no younger one.
    """
    world, handle, _ = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(wait)
    refused = world.ticket(handle, "dan")
    world.tick(900)
    files = world.collect()
    files["rpc/accounts.jsonl"] = [
        row for row in files["rpc/accounts.jsonl"] if row["pubkey"] != handle.state
    ]
    found = diagnose(tmp_path, files)
    row = expect(
        found,
        handle,
        "broken" if broken else "inconclusive",
        causes={"abandoned_proof"} if broken else (),
        last_good=ANY,
        first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry] if broken else [],
        affected={world.address("cat"), world.address("dan")} if broken else None,
    )
    assert row["heads"]["on_chain"] is None
    assert found.exit_code == (1 if broken else 3)


@pytest.mark.parametrize("left_out", ["PopState", "every account"])
def test_a_sound_chain_without_accounts_is_not_called_broken(tmp_path: Path, left_out: str) -> None:
    world, handle, done = sound()
    files = world.collect()
    if left_out == "PopState":
        files["rpc/accounts.jsonl"] = [
            row for row in files["rpc/accounts.jsonl"] if row["pubkey"] != handle.state
        ]
    else:
        del files["rpc/accounts.jsonl"]
    found = diagnose(tmp_path, files)
    row = found.grant(handle.address).as_json()
    assert row["verdict"] in ("intact", "inconclusive")
    assert found.exit_code == {"intact": 0, "inconclusive": 3}[row["verdict"]]
    assert row["last_good"]["signature"] == done[-1].signature
    assert not found.coverage.complete


def test_a_sound_chain_without_the_worker(tmp_path: Path) -> None:
    world, handle, done = sound()
    found = diagnose(tmp_path, world.collect(worker=False))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


@pytest.mark.parametrize("worker", [True, False])
def test_nobody_has_claimed(tmp_path: Path, worker: bool) -> None:
    world = World()
    handle = world.grant()
    found = diagnose(tmp_path, world.collect(worker=worker))
    expect(found, handle, "unused" if worker else "inconclusive")
    assert found.exit_code == (0 if worker else 3)


def test_nobody_has_claimed_but_somebody_holds_a_proof(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    proof = world.worker.issue(handle.address, world.address("ann"))
    found = diagnose(tmp_path / "soon", world.collect())
    expect(found, handle, "in_flight", missing=[proof.entry], heals_until=proof.issued_at + 600)
    assert found.exit_code == 0
    world.tick(700)
    found = diagnose(tmp_path / "late", world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof", "genesis_mismatch"},
        missing=[proof.entry],
        affected={world.address("ann")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("age", "verdict", "exit_code"), [(600, "inconclusive", 3), (601, "broken", 1)]
)
def test_from_the_chain_alone_a_parent_is_lost_when_its_child_is_old(
    tmp_path: Path, age: int, verdict: str, exit_code: int
) -> None:
    world, handle, done = sound()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    refused = world.ticket(handle, "dan")
    found = diagnose(tmp_path, collect_at(world, refused.proof.issued_at + age, worker=False))
    broken = verdict == "broken"
    expect(
        found,
        handle,
        verdict,
        causes={"abandoned_proof"} if broken else ANY,
        last_good=done[-1],
        first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address("dan")} if broken else None,
    )
    assert found.exit_code == exit_code


@pytest.mark.parametrize("wait", [60, 900])
def test_wallets_reports_alone(tmp_path: Path, wait: int) -> None:
    """Nobody signs a report: however many and however old, they make a sound look inconclusive, and
    no more.
    """
    world, handle, done = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(20)
    for wallet in ("dan", "eve"):
        world.simulate(handle, world.worker.issue(handle.address, world.address(wallet)), wallet)
        world.tick(5)
    world.tick(wait)
    found = diagnose(tmp_path, world.collect(worker=False, reports=True))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert (found.exit_code, "wallets_report_break" in codes(found)) == (3, True)


def test_reports_that_mean_nothing_prove_nothing(tmp_path: Path) -> None:
    world, handle, done = sound()
    for text in ("User rejected the request.", "Network request failed"):
        row = {
            "at": world.now,
            "eventId": world.worker.event_of(handle.address),
            "wallet": world.address("cat"),
            "landed": False,
        }
        world.reports.append({**row, "signature": None, "message": text, "logs": []})
    world.tick(900)
    found = diagnose(tmp_path / "with", world.collect(reports=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    found = diagnose(tmp_path / "alone", world.collect(worker=False, reports=True))
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


def test_a_report_before_the_last_good_claim_proves_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    world.simulate(handle, second, "dan")
    world.tick(5)
    world.claim(handle, first, "cat")
    world.tick(5)
    last = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(found, handle, "intact", last_good=last)
    assert found.exit_code == 0
    found = diagnose(tmp_path / "alone", world.collect(worker=False, reports=True))
    expect(found, handle, "inconclusive", last_good=last)
    assert found.exit_code == 3


def test_storage_older_than_the_chain(tmp_path: Path) -> None:
    world, handle, _ = sound()
    old = world.worker.storage_rows()
    done = world.tickets(handle, "cat", "dan")
    files = world.collect(worker=False)
    files["worker/storage.jsonl"] = old
    found = diagnose(tmp_path, files)
    expect(found, handle, "inconclusive", last_good=done[-1])
    assert found.exit_code == 3


@pytest.mark.parametrize(
    ("calls", "verdict", "exit_code"), [(20, "intact", 0), (60, "inconclusive", 3)]
)
def test_newest_fifty_rows(tmp_path: Path, calls: int, verdict: str, exit_code: int) -> None:
    world, handle, done = sound(
        "strict", "A", "ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ivy"
    )
    for _ in range(calls):
        world.worker.api("GET", "/v1/school/events")
        world.tick(1)
    found = diagnose(tmp_path, world.collect(bucket=False))
    expect(found, handle, verdict, last_good=done[-1])
    assert found.exit_code == exit_code


@pytest.mark.parametrize("half", ["newer", "every second"])
def test_bucket_half_exported(tmp_path: Path, half: str) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat", "dan")
    files = world.collect()
    rows = sorted(
        files["worker/r2.jsonl"],
        key=lambda row: (json.loads(row["text"])["entry"]["ts"], row["key"]),
    )
    files["worker/r2.jsonl"] = rows[len(rows) // 2 :] if half == "newer" else rows[::2]
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.exit_code == 0
    assert found.audit.missing_objects == []


def test_entry_removed_from_the_list_and_kept_by_the_bucket(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    logs = files["worker/audit-logs.json"]["body"]["logs"]
    gone = next(e for e in logs if e["event"] == "WALLET_CLAIM")
    logs.remove(gone)
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.removed == [gone["entry_hash"]]
    assert found.audit.edited == found.audit.missing_objects == []
    assert found.exit_code == 1


def test_entry_edited_in_the_list(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    logs = files["worker/audit-logs.json"]["body"]["logs"]
    at = next(i for i, e in enumerate(logs) if e["event"] == "WALLET_CLAIM")
    logs[at] = {**copy.deepcopy(logs[at]), "actor": {"type": "wallet", "id": "somebody else"}}
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.edited == [logs[at]["entry_hash"]]
    assert found.audit.removed == found.audit.edited_objects == []
    assert found.exit_code == 1


def test_bucket_object_edited(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    row = next(r for r in files["worker/r2.jsonl"] if "WALLET_CLAIM" in r["text"])
    row["text"] = row["text"].replace("created", "forgery")
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.edited_objects == [row["key"]]
    assert found.audit.missing_objects == found.audit.edited == found.audit.removed == []
    assert found.exit_code == 1


def test_bucket_object_missing(tmp_path: Path) -> None:
    world, handle, done = sound()
    files = world.collect()
    row = next(r for r in files["worker/r2.jsonl"] if "WALLET_CLAIM" in r["text"])
    files["worker/r2.jsonl"].remove(row)
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.missing_objects == [row["key"]]
    assert found.audit.edited_objects == found.audit.edited == []
    assert found.exit_code == 1


def test_trace_of_a_failed_append(tmp_path: Path) -> None:
    world, handle, done = sound()
    worker = world.worker
    last, entries = dict(worker.last), list(worker.entries)
    worker.append(
        "WALLET_CLAIM",
        worker.event_of(handle.address),
        {"type": "wallet", "id": "x"},
        {"eventId": "e"},
    )
    orphan = worker.entries[-1]["entry_hash"]
    worker.last, worker.entries = last, entries
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.verdict == "holds"
    assert "bucket_orphan" in codes(found, "info")
    assert orphan not in found.audit.removed
    assert found.exit_code == 0


def cut_tail(worker: Worker, rows: int) -> list[str]:
    """Remove the newest audit rows from storage and let its last hashes fit again; returns the
    hashes that went.
    """
    gone = [e["entry_hash"] for e in worker.entries[-rows:]]
    worker.entries = worker.entries[:-rows]
    worker.last = {}
    for entry in worker.entries:
        worker.last["global"] = worker.last[entry["eventId"]] = entry["entry_hash"]
    return gone


@pytest.mark.parametrize("bucket", [True, False])
def test_tail_of_the_storage_removed(tmp_path: Path, bucket: bool) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    gone = cut_tail(world.worker, 4)
    anchor = done[-1].proof.anchor
    assert anchor in gone
    files = world.collect(storage=True, bucket=bucket)
    found = diagnose(tmp_path, files)
    # The worker's own history names the proof: the entry is gone, the issuer is not foreign.
    expect(found, handle, "intact", last_good=done[-1])
    assert anchor in found.audit.removed
    assert found.exit_code == 1


@pytest.mark.parametrize("told", ["plainly", "with a new hash"])
def test_ticket_receipt_altered(tmp_path: Path, told: str) -> None:
    from popkit.drill.proofs import digest

    world, handle, done = sound()
    files = world.collect(receipts=True)
    receipt = copy.deepcopy(files["worker/ticket-receipts.jsonl"][0])
    receipt["subjectCommitment"] = "11" * 32
    if told == "with a new hash":
        receipt["receiptHash"] = digest({k: v for k, v in receipt.items() if k != "receiptHash"})
    files["worker/ticket-receipts.jsonl"][0] = receipt
    found = diagnose(tmp_path, files)
    expect(found, handle, "intact", last_good=done[-1])
    assert found.audit.bad_receipts == [receipt["receiptId"]]
    assert found.audit.server_accepts == (
        [receipt["receiptId"]] if told == "with a new hash" else []
    )
    assert found.exit_code == 1


def test_records_against_the_chain(tmp_path: Path) -> None:
    world, handle, done = sound()
    quiet = world.ticket(handle, "cat", tell=False)
    claimer = world.address("liar")
    made_up = str(world.key("liar").sign_message(b"no transaction"))
    world.worker.claim_record(
        handle.address, claimer, made_up, pda.receipt_address(handle.address, claimer, 0)
    )
    world.tick(700)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=quiet)
    assert found.reconciliation.unbacked_records == [made_up]
    assert found.reconciliation.unsynced_claims == [quiet.signature]
    assert found.exit_code == 1
    assert done[0].signature not in found.reconciliation.unsynced_claims


def test_two_events_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.open_event(handle, "Again")
    [last] = world.tickets(handle, "cat")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", causes={"grant_reuse"}, last_good=last)
    assert found.exit_code == 0


def test_one_event_on_each_of_two_grants_is_no_reuse(tmp_path: Path) -> None:
    world, handle, done = sound()
    other = world.grant(2)
    [there] = world.tickets(other, "ann")
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=done[-1])
    expect(found, other, "intact", last_good=there)
    assert found.exit_code == 0


@pytest.mark.parametrize(("build", "model"), [("strict", "A"), ("relaxed", "D")])
def test_pop_state_that_says_less_than_the_claims(tmp_path: Path, build: str, model: str) -> None:
    world = World(build, model)
    handle = world.grant()
    done = world.tickets(handle, "ann", "bob", "cat", from_chain=model == "D")
    state = world.ledger.states[handle.state]
    world.ledger.states[handle.state] = replace(
        state, last_global_hash=done[1].entry, last_stream_hash=done[1].entry
    )
    found = diagnose(tmp_path, world.collect())
    row = found.grant(handle.address).as_json()
    assert row["verdict"] == "inconclusive" or (build == "strict" and row["verdict"] == "broken")
    assert "state_contradicts_claims" in codes(found, "critical")
    assert found.exit_code == 1


@pytest.mark.parametrize("accounts", [True, False])
def test_whether_the_last_claim_landed_is_not_known(tmp_path: Path, accounts: bool) -> None:
    # The node lists a transaction and does not give it; PopState was not collected: the worker's newest proof may be on chain.
    world, handle, done = sound()
    last = world.ticket(handle, "cat", tell=False)
    world.tick(900)
    files = world.collect()
    files["rpc/transactions.jsonl"] = [
        row for row in files["rpc/transactions.jsonl"] if row["signature"] != last.signature
    ]
    files["rpc/accounts.jsonl"] = [
        row for row in files["rpc/accounts.jsonl"] if accounts and row["pubkey"] != handle.state
    ]
    found = diagnose(tmp_path, files)
    expect(found, handle, "inconclusive", last_good=done[1], missing=ANY, affected=ANY)
    assert found.exit_code == 3


def test_a_refusal_beside_younger_good_claims_is_not_called_sound_from_the_chain_alone(
    tmp_path: Path,
) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    refused = world.ticket(handle, "dan", worker=clone)
    [last] = world.tickets(handle, "eve")
    world.tick(900)
    found = diagnose(tmp_path, world.collect(worker=False))
    row = expect(
        found,
        handle,
        ANY,
        causes=ANY,
        last_good=last,
        first_bad=bad(refused, "PopHashChainBroken"),
        forks=[done[-1].entry],
        affected=None,
    )
    assert row["verdict"] == "inconclusive"
    assert "foreign_issuer" not in row["causes"]
    assert found.exit_code == 3
