"""The worker's records: what contradicts the chain, what may only be missing, what was edited under
its own key, what cannot be read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.diagnosis.result import Diagnosis
from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.world import GrantHandle, World, sound
from popkit.errors import PopkitError
from popkit.evidence.bundle import Evidence
from popkit.protocol import canonical
from popkit.verification.verify import verify
from tests.attacks.build import account, hashed, leave_out
from tests.conftest import seal
from tests.simulation.expect import codes, diagnose
from tests.spoil import spoilt

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
LOGS, STORAGE, BUCKET, RECEIPTS = (
    "worker/audit-logs.json",
    "worker/storage.jsonl",
    "worker/r2.jsonl",
    "worker/ticket-receipts.jsonl",
)


def collected(world: World, **parts: bool) -> dict[str, Any]:
    world.tick(900)
    files: dict[str, Any] = json.loads(
        json.dumps(world.collect(**{"storage": True, "receipts": True, **parts}))
    )
    return files


def outcome(found: Diagnosis) -> tuple[str, int, set[str]]:
    return found.verdict, found.exit_code, codes(found, "critical")


# -- records against the chain --


@pytest.mark.parametrize("signature", ["5" * 64, "5" * 87, "5" * 100, "not base58 at all"])
def test_a_made_up_signature_is_unbacked_whatever_it_looks_like(
    signature: str, tmp_path: Path
) -> None:
    world, handle, _ = sound()
    world.worker.claim_record(handle.address, world.address("mal"), signature, None)
    found = diagnose(tmp_path, collected(world))
    assert outcome(found) == ("intact", 1, {"record_unbacked"})
    assert found.reconciliation.unbacked_records == [signature]


def test_records_of_what_is_no_claim_of_their_grant(tmp_path: Path) -> None:
    world, handle, tickets = sound()
    other = world.grant(2)
    created = next(landed for landed in world.landed if handle.vault in landed.keys)
    for number, (grant, signature) in enumerate(
        ((handle.address, created.signature), (other.address, tickets[0].signature))
    ):
        before = len(world.worker.entries)
        world.worker.claim_record(grant, world.address(f"mal {number}"), signature, None)
        record = next(
            e["entry_hash"] for e in world.worker.entries[before:] if e["event"] == "WALLET_CLAIM"
        )
        found = diagnose(tmp_path / str(number), collected(world))
        assert outcome(found)[1:] == (1, {"record_contradicted"})
        assert record in {f.where[1] for f in found.findings if f.code == "record_contradicted"}


def test_a_record_of_a_refused_transaction_that_names_no_wallet(tmp_path: Path) -> None:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    refused = world.claim(handle, proof, "cat")
    world.worker.claim_record(handle.address, world.address("cat"), refused.signature, None)
    files = collected(world, bucket=False, storage=False)
    logs = files[LOGS]["body"]["logs"]
    at = next(
        i
        for i, row in enumerate(logs)
        if row["data"].get("transfer", {}).get("txSignature") == refused.signature
    )
    logs[at]["data"] |= {
        "pii": {},
        "transfer": {
            **logs[at]["data"]["transfer"],
            "recipient": {"type": "user", "id": "somebody"},
        },
    }
    logs[at] = hashed(logs[at])
    assert "record_contradicted" in codes(diagnose(tmp_path, files), "critical")


def true_record_without_receipt(build: str, model: str) -> tuple[World, GrantHandle, Any]:
    world = World(build, model)
    handle = world.grant()
    from_chain = model == "D"
    world.tickets(handle, "ann", from_chain=from_chain)
    ticket = world.ticket(handle, "bob", tell=False, from_chain=from_chain)
    world.worker.claim_record(handle.address, world.address("bob"), ticket.signature, None)
    world.tickets(handle, "cat", from_chain=from_chain)
    return world, handle, ticket


@pytest.mark.parametrize(
    "how", ["creation not listed", "head not known", "unreadable", "receipt without claim"]
)
def test_a_true_record_is_not_unbacked_where_its_claim_may_be_missing(
    how: str, tmp_path: Path
) -> None:
    world, handle, ticket = true_record_without_receipt("relaxed", "D")
    files = collected(world)
    leave_out(files, ticket.signature)
    receipt = pda.receipt_address(handle.address, world.address("bob"), 0)
    if how != "receipt without claim":
        files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != receipt]
    if how == "creation not listed":
        leave_out(
            files, next(landed for landed in world.landed if handle.vault in landed.keys).signature
        )
    if how == "head not known":
        files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.state]
    if how == "unreadable":
        files[TRANSACTIONS].append({"signature": ticket.signature, "result": {"slot": "?"}})
    found = diagnose(tmp_path, files)
    assert found.reconciliation.unbacked_records == []
    assert not found.coverage.complete


def test_a_claim_hidden_everywhere_leaves_its_record_unbacked(tmp_path: Path) -> None:
    """Nothing that was collected is incomplete by its own word: either the record is false or the
    node lies.
    """
    world, handle, ticket = true_record_without_receipt("relaxed", "D")
    files = collected(world)
    leave_out(files, ticket.signature)
    account(files, pda.receipt_address(handle.address, world.address("bob"), 0))["account"] = None
    assert diagnose(tmp_path, files).reconciliation.unbacked_records == [ticket.signature]


# -- rows of the storage and their keys --


def test_a_row_that_is_not_what_its_key_says_is_edited(tmp_path: Path) -> None:
    world, _, _ = sound()
    newest = world.worker.entries[-1]["entry_hash"]

    def change(
        edit: Callable[[dict[str, Any]], Any], prefixes: tuple[str, ...], name: str
    ) -> Diagnosis:
        files = json.loads(json.dumps(whole))
        for row in files[STORAGE]:
            if row["key"].startswith(prefixes) and row["key"].endswith(newest):
                row["value"] = edit(row["value"])
        return diagnose(tmp_path / name, files)

    whole = collected(world, bucket=False, logs=False)
    newest = [
        row["key"].rsplit(":", 1)[1]
        for row in whole[STORAGE]
        if row["key"].startswith("audit_history:")
    ][-1]
    both = ("audit_history:", "audit_entry:")
    nameless = change(
        lambda row: {k: v for k, v in row.items() if k != "entry_hash"}, both, "nameless"
    )
    rewritten = change(lambda row: hashed({**row, "data": {"amount": 500}}), both, "rewritten")
    one_copy = change(
        lambda row: hashed({**row, "data": {"amount": 500}}), ("audit_entry:",), "one copy"
    )
    other_time = change(
        lambda row: hashed({**row, "ts": "2026-02-23T00:00:00.000Z"}),
        ("audit_history:",),
        "other time",
    )
    for found in (nameless, rewritten, one_copy, other_time):
        assert found.audit.edited == [newest]
        assert (found.audit.verdict, found.exit_code) == ("violated", 1)


def test_rows_without_a_hash_are_said_to_be_unchecked(tmp_path: Path) -> None:
    world, _, _ = sound()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    files = collected(world, storage=False)
    assert len(files[LOGS]["body"]["logs"]) == 50
    gone = files[LOGS]["body"]["logs"][20].pop("entry_hash")
    found = diagnose(tmp_path, files)
    assert found.audit.removed == [gone], (
        "a list of fifty rows is a window, though one of them names no hash"
    )
    assert ("audit_entries", "unreadable") in {
        (row.part, row.why) for row in found.coverage.not_checked
    }


# -- the bucket --


def test_an_empty_or_partial_bucket_is_not_called_checked(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = collected(world)
    for name, objects in (("empty", []), ("partial", files[BUCKET][::4])):
        found = diagnose(tmp_path / name, {**files, BUCKET: objects})
        assert "bucket_export_partial" in codes(found, "warning")
        assert not found.coverage.complete


def quiet_anchor(world: World, handle: GrantHandle) -> str:
    """A proof whose request row was lost to an outage: its anchor is the newest entry."""
    api, world.worker.api = world.worker.api, lambda *args, **kwargs: None  # type: ignore[method-assign]
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.worker.api = api  # type: ignore[method-assign]
    return proof.anchor


@pytest.mark.parametrize("folders", [("entry",), ("stream",), ("entry", "stream")])
def test_the_newest_anchor_is_an_anchor_in_one_folder_as_in_two(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    world, handle, _ = sound()
    bucket = dict(world.worker.bucket)
    quiet_anchor(world, handle)
    files = {
        name: part
        for name, part in collected(world, storage=False, logs=False).items()
        if name != BUCKET
    }
    objects = [
        {"key": key, "text": text}
        for key, text in (bucket | world.worker.bucket).items()
        if key.split("/")[2] in folders
    ]
    newest = max(
        row["text"] for row in objects if '"event":"POP_CLAIM_PROOF_ANCHOR"' in row["text"]
    )
    assert newest
    found = diagnose(
        tmp_path, {**files, BUCKET: [row for row in objects if "API_GET" not in row["text"]]}
    )
    assert found.verdict == "inconclusive", "nothing else attests it"
    assert "anchor_unattested" in codes(found)
    assert "bucket_orphan" not in codes(found)


def test_an_orphan_beside_the_newest_anchor_does_not_hide_it(tmp_path: Path) -> None:
    world, handle, _ = sound()
    last = dict(world.worker.last)
    failed = world.worker.append(
        "API_POST_V1_SCHOOL_CLAIMS", "system", {"type": "school", "id": "public-api"}, {}
    )
    world.worker.entries.pop()
    world.worker.last = last
    del world.worker.bucket[failed["immutable"]["sinks"][1]["ref"]]
    quiet_anchor(world, handle)
    objects = [{"key": key, "text": text} for key, text in world.worker.bucket.items()]
    files = {**collected(world, storage=False, logs=False), BUCKET: objects}
    half = diagnose(tmp_path / "half", files)
    assert (half.verdict, "anchor_unattested" in codes(half)) == ("inconclusive", True), (
        "it is an anchor, which nothing else attests"
    )
    files[BUCKET] = [
        *objects,
        {"key": failed["immutable"]["sinks"][1]["ref"], "text": text_of(failed)},
    ]
    found = diagnose(tmp_path / "whole", files)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3), (
        "both appends reached the bucket whole; one of them failed after that"
    )


def text_of(entry: dict[str, Any]) -> str:
    from tests.attacks.build import objects

    return next(iter(objects(entry).values()))


def test_an_event_called_dot_dot_in_a_bucket_exported_as_files(tmp_path: Path) -> None:
    world, _, _ = sound()
    world.worker.api("GET", "/v1/school/events/x", "..")
    files = collected(world)
    rows = files.pop(BUCKET)
    case = write_case(tmp_path, files)
    for row in rows:
        target = case / "worker" / "r2" / row["key"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(row["text"])
    seal(case)
    assert outcome(popkit.open_case(case).diagnose()) == ("intact", 0, set())


# -- what could not be read --


def with_line_lost(
    files: dict[str, Any], name: str, wanted: Callable[[dict[str, Any]], bool], path: Path
) -> Diagnosis:
    """A case in which the lines of some rows cannot be read."""
    case = write_case(path, files)
    lines = [json.dumps(row)[: -9 if wanted(row) else None] for row in files[name]]
    (case / name).write_text("\n".join(lines) + "\n")
    seal(case)
    return popkit.open_case(case).diagnose()


def test_an_unreadable_line_is_not_read_as_absence(tmp_path: Path) -> None:
    world, handle, _ = sound()
    files = collected(world)
    heads = (
        "pop_chain:lastHash:global",
        "pop_chain:lastHash:stream",
        "pop_chain:history",
        "audit_history",
    )
    for number, prefix in enumerate(heads):
        found = with_line_lost(
            files,
            STORAGE,
            lambda row, prefix=prefix: row["key"].startswith(prefix),
            tmp_path / str(number),
        )  # type: ignore[misc]
        assert (found.exit_code, codes(found, "critical")) in ((0, set()), (3, set())), prefix
        assert not found.coverage.complete
    found = with_line_lost(
        files, BUCKET, lambda row: row["key"] == files[BUCKET][5]["key"], tmp_path / "object"
    )
    assert (found.verdict, codes(found, "critical")) == ("intact", set())
    assert handle


def test_an_unreadable_tail_of_the_only_records_is_not_their_end(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    files = {name: part for name, part in collected(world, storage=False).items() if name != LOGS}
    assert diagnose(tmp_path / "whole", files).verdict == "broken"
    spare = json.loads(json.dumps(files))
    anchor = next(
        e for e in reversed(world.worker.entries) if e["event"] == "POP_CLAIM_PROOF_ANCHOR"
    )
    late = {e["entry_hash"] for e in world.worker.entries if e["ts"] >= anchor["ts"]}
    found = with_line_lost(
        spare, BUCKET, lambda row: any(entry in row["key"] for entry in late), tmp_path / "cut"
    )
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_others_write_ends_in_a_fault(seed: int, tmp_path: Path) -> None:
    """Answers, storage, bucket, receipts and reports with a value of another kind: an answer comes,
    and it can be written.
    """
    world, handle, _ = sound("strict_v2" if seed % 2 else "strict", "B" if seed % 2 else "A")
    world.worker.claim_record(handle.address, world.address("mal"), "5" * 87, None)
    files, chance = collected(world), random.Random(seed)
    names = [name for name in files if name.startswith("worker/")] * 3 + ["case.json"]
    case = write_case(tmp_path, files)
    answered = 0
    for _ in range(60):
        name = chance.choice(names)
        whole = (case / name).read_bytes()
        changed = spoilt(files[name], chance)
        rows = changed if isinstance(changed, list) else [changed]
        (case / name).write_text(
            "\n".join(json.dumps(row) for row in rows)
            if name.endswith("l")
            else json.dumps(changed)
        )
        seal(case)
        try:
            assert json.loads(popkit.open_case(case).diagnose().dumps().encode())["schema"]
            assert verify(Evidence(case)).dumps().encode()
            answered += 1
        except PopkitError:
            assert name == "case.json", "a header that is none is refused"
        (case / name).write_bytes(whole)
    assert answered > 50


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = collected(world)
    files[RECEIPTS][0]["receiptId"] = "\ud800"
    case = write_case(tmp_path, files | {RECEIPTS: []})
    (case / RECEIPTS).write_text("".join(json.dumps(row) + "\n" for row in files[RECEIPTS]))
    seal(case)
    text = popkit.open_case(case).diagnose().dumps()
    assert "\\ud800" in text.encode().decode()
    assert json.loads(text)["audit"]["bad_receipts"] == ["\ud800"]


# -- small things --


def test_links_to_grants_that_the_case_does_not_list(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.claim_record(handle.address, world.address("mal"), "5" * 87, None)
    files = collected(world)
    files["case.json"]["events"].append(
        {"event": world.worker.event_of(handle.address), "grant": world.address("elsewhere")}
    )
    assert outcome(diagnose(tmp_path, files)) == ("intact", 1, {"record_unbacked"})


def test_a_failed_event_creation_links_nothing(tmp_path: Path) -> None:
    world, handle, _ = sound()
    worker = world.worker
    last, entries, events = dict(worker.last), list(worker.entries), dict(worker.events)
    worker.open_event(handle)
    for sink in worker.entries[-1]["immutable"]["sinks"]:  # the request got no row: it failed
        del worker.bucket[sink["ref"]]
    worker.entries, worker.last, worker.events = entries, last, events
    worker.api("GET", "/v1/school/events")
    found = diagnose(tmp_path, collected(world, storage=False))
    assert "grant_reuse" not in codes(found)
    assert found.grants[0].causes == []


def test_an_account_that_was_read_before_the_last_step(tmp_path: Path) -> None:
    world, handle, _ = sound()
    early = account(world.collect(), handle.address)
    for number, (name, args) in enumerate((("set_paused", {"paused": True}), ("close_grant", {}))):
        world.tick(5)
        world.switch(handle, name, args)
        files = collected(world)
        files[ACCOUNTS] = [
            row if row["pubkey"] != handle.address else early for row in files[ACCOUNTS]
        ]
        row = diagnose(tmp_path / str(number), files).grants[0]
        assert (row.paused, row.closed) == ((True, False) if name == "set_paused" else (None, True))


def test_a_proof_asked_for_twice_within_a_minute(tmp_path: Path) -> None:
    """The second is another proof than the first, though the first would fit its anchor's time as
    well.
    """
    world, handle, _ = sound("relaxed", "D")
    head, cat = world.head(handle), world.address("cat")
    first = world.worker.issue(handle.address, cat, expected=head)
    world.tick(20)
    second = world.worker.issue(handle.address, cat, expected=head)
    assert world.claim(handle, first, "cat").err is None
    found = diagnose(tmp_path, collected(world, storage=False))
    assert found.reconciliation.abandoned_proofs == [second.entry]


def test_a_true_receipt_of_the_second_in_which_the_records_end(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = collected(world, storage=False)
    receipt = files[RECEIPTS][-1]
    keep = [row for row in files[LOGS]["body"]["logs"] if row["ts"] < receipt["issuedAt"]]
    earlier = {row["entry_hash"] for row in keep}
    files[LOGS]["body"]["logs"] = keep
    files[BUCKET] = [row for row in files[BUCKET] if any(entry in row["key"] for entry in earlier)]
    assert canonical.receipt_hash(receipt) == receipt["receiptHash"]
    assert diagnose(tmp_path, files).audit.bad_receipts == []
