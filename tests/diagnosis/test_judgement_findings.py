"""The findings of a grant's judgement word for word: one small world for each, and its look-alike
where none may stand.
"""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.result import Diagnosis
from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.proofs import Proof
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.rules.model import Finding
from popkit.wording import utc
from tests.held import held_to_its_words

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
AUDIT_LOGS, STORAGE, OBJECTS, REPORTS = (
    "worker/audit-logs.json",
    "worker/storage.jsonl",
    "worker/r2",
    "client/errors.jsonl",
)


def diagnosed(path: Path, files: dict[str, Any]) -> Diagnosis:
    return held_to_its_words(write_case(path, files))


def told(found: Diagnosis, *codes: str, grant: GrantHandle | None = None) -> list[Finding]:
    """The findings of some codes, of one grant or of all."""
    return [
        f for f in found.findings if f.code in codes and (grant is None or f.grant == grant.address)
    ]


def issued(world: World, handle: GrantHandle, *wallets: str) -> list[Proof]:
    """Proofs that nobody sends, two seconds apart."""
    found = []
    for wallet in wallets:
        found.append(world.worker.issue(handle.address, world.address(wallet)))
        world.tick(2)
    return found


def at(ticket: Ticket) -> tuple[str, str]:
    return TRANSACTIONS, ticket.signature


# -- a break, what was lost, what was refused --


def test_a_break_and_what_was_lost(tmp_path: Path) -> None:
    world, handle, done = sound()
    [lost] = issued(world, handle, "cat")
    world.tick(30)
    refused = [world.ticket(handle, wallet) for wallet in ("dan", "eve")]
    world.tick(900)
    found = diagnosed(tmp_path, world.collect())
    grant, last = handle.address, done[-1]
    wanted = "a worker's head that can become the chain's head"
    because = found.grants[0].judgement.because
    assert told(found, "chain_broken") == [
        Finding("chain_broken", grant, at(last), wanted, because, slot=last.landed.slot)
    ]
    places = [(TRANSACTIONS, t.entry) for t in refused] + [(AUDIT_LOGS, lost.entry)]
    wanted = "an accepted claim, or an age of at most 600 s"
    assert told(found, "proof_lost") == [
        Finding(
            "proof_lost",
            grant,
            where,
            wanted,
            "no accepted claim carries the proof, and it can land no more",
        )
        for where in sorted(places)
    ]
    first = refused[0]
    seen, where = (
        f"2 refused attempts, the first with PopHashChainBroken on the parent {lost.entry[:16]}",
        "claims on the chain's head",
    )
    assert told(found, "claims_refused") == [
        Finding("claims_refused", grant, at(first), where, seen, slot=first.landed.slot)
    ]
    assert not told(
        found,
        "proof_burnt",
        "proof_repeated",
        "entry_unseen",
        "noise",
        "worker_records_missing",
        "signer_unknown",
    )


def test_a_break_before_anybody_was_accepted_stands_at_the_grant(tmp_path: Path) -> None:
    world = World()
    handle = world.grant()
    [lost] = issued(world, handle, "ann")
    world.tick(900)
    found = diagnosed(tmp_path, world.collect())
    [broken] = told(found, "chain_broken")
    assert (broken.where, broken.slot) == ((TRANSACTIONS, handle.address), None)
    assert [f.where for f in told(found, "proof_lost")] == [(AUDIT_LOGS, lost.entry)]


def test_a_loss_under_relaxed_rules_is_worth_a_word_alone(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D")
    issued(world, handle, "cat")
    world.tick(900)
    found = diagnosed(tmp_path, world.collect())
    assert [(f.severity, f.observed) for f in told(found, "proof_lost")] == [
        ("info", "no accepted claim carries the proof, and it can land no more")
    ]
    assert not told(found, "chain_broken", "claims_refused")


def test_a_lost_proof_is_told_by_the_bucket_the_list_or_the_storage(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [lost] = issued(world, handle, "cat")
    world.tick(900)
    for file, parts in {
        AUDIT_LOGS: {"bucket": False},
        OBJECTS: {"logs": False},
        STORAGE: {"logs": False, "bucket": False, "storage": True},
    }.items():
        [found] = told(
            diagnosed(tmp_path / file.replace("/", " "), world.collect(**parts)), "proof_lost"
        )
        assert found.where == (file, lost.entry)
    history = world.collect(storage=True)
    history["worker/storage.jsonl"] = [
        row for row in history["worker/storage.jsonl"] if not row["key"].startswith("audit")
    ]
    [found] = told(
        diagnosed(
            tmp_path / "history alone",
            {k: v for k, v in history.items() if "audit" not in k and "r2" not in k},
        ),
        "proof_lost",
    )
    assert found.where == (STORAGE, lost.entry)


def test_a_proof_burnt_by_another_rule(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [proof] = issued(world, handle, "cat")
    world.switch(handle, "set_paused", {"paused": True})
    burnt = Ticket(proof, world.claim(handle, proof, "cat"))
    world.tick(900)
    found = diagnosed(tmp_path, world.collect())
    assert told(found, "proof_burnt") == [
        Finding(
            "proof_burnt",
            handle.address,
            at(burnt),
            "the program accepts the claim",
            "the program refused the claim with Paused",
            slot=burnt.landed.slot,
        )
    ]
    assert not told(found, "claims_refused")


def test_two_proofs_on_the_way_for_one_claimer(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, _, second = issued(world, handle, "cat", "dan", "cat")
    found = diagnosed(tmp_path, world.collect())
    wanted = f"one proof on the way for {world.address('cat')}, period 0"
    where = (AUDIT_LOGS, second.entry)
    assert told(found, "proof_repeated") == [
        Finding("proof_repeated", handle.address, where, wanted, f"the proof {first.entry} as well")
    ]
    assert (found.verdict, found.exit_code) == ("broken", 1), "not both can land"
    world.tick(900)
    assert told(diagnosed(tmp_path / "later", world.collect()), "proof_repeated") == told(
        found, "proof_repeated"
    )


@pytest.mark.parametrize(
    ("period", "wait", "wanted", "verdict"),
    [
        (0, 100, None, "in_flight"),
        (0, 300, None, "broken"),  # its period ended meanwhile: issued rightly, and never sent
        (1, 100, None, "in_flight"),  # it begins soon enough
        (2, 100, "0-1", "broken"),  # it begins when the proof is too old
        (1, 300, None, "in_flight"),
    ],
)
def test_a_proof_on_the_way_that_its_period_does_not_let_land(
    tmp_path: Path, period: int, wait: int, wanted: str | None, verdict: str
) -> None:
    world, handle, _ = sound("strict", "A", "ann", period_seconds=700, start_ago=400)
    proof = world.worker.issue(handle.address, world.address("cat"), period)
    world.tick(wait)
    found = diagnosed(tmp_path, world.collect())
    where, text = (
        (AUDIT_LOGS, proof.entry),
        f"a proof for period {wanted}, in which the proof can land",
    )
    told_of = [
        Finding(
            "proof_out_of_period", handle.address, where, text, f"the proof is for period {period}"
        )
    ]
    assert found.verdict == verdict
    assert told(found, "proof_out_of_period") == ([] if wanted is None else told_of)


def test_a_proof_on_the_way_of_which_the_terms_are_not_known(tmp_path: Path) -> None:
    world, handle, _ = sound("strict", "A", "ann", period_seconds=700, start_ago=400)
    world.worker.issue(handle.address, world.address("cat"), 5)
    files = world.collect()
    created = world.landed[1].signature
    assert handle.address in world.landed[1].keys
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != created]
    found = diagnosed(tmp_path / "account", files)
    assert (found.verdict, len(told(found, "proof_out_of_period"))) == ("broken", 1), (
        "the grant's account states them"
    )
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    found = diagnosed(
        tmp_path / "no accepted claim carries the proof, and it can land no more", files
    )
    assert (found.verdict, told(found, "proof_out_of_period")) == ("in_flight", [])


# -- what the chain's own evidence lacks or contradicts --


def test_an_entry_that_the_chain_names_and_nothing_carries(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect()
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != done[1].signature]
    where, wanted, seen = (
        (TRANSACTIONS, done[1].entry),
        "the claim's transaction in the evidence",
        "the node did not return the transaction",
    )
    assert told(diagnosed(tmp_path, files), "entry_unseen") == [
        Finding("entry_unseen", handle.address, where, wanted, seen)
    ]


def of_state(files: dict[str, Any], handle: GrantHandle, head: str | None) -> dict[str, Any]:
    """The case with another head in PopState, or with no PopState on chain."""
    files = copy.deepcopy(files)
    row = next(row for row in files[ACCOUNTS] if row["pubkey"] == handle.state)
    if head is None:
        row["account"] = None
    else:
        data = bytearray(base64.b64decode(row["account"]["data"][0]))
        data[40:72] = data[72:104] = bytes.fromhex(head)
        row["account"]["data"][0] = base64.b64encode(bytes(data)).decode()
    return files


def test_a_pop_state_that_the_claims_do_not_lead_to(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D")
    files = world.collect()
    for name, head, seen in (
        ("older", done[0].entry, done[0].entry),
        ("none", None, "the grant has no PopState"),
    ):
        found = diagnosed(tmp_path / name, of_state(files, handle, head))
        [finding] = told(found, "state_contradicts_claims")
        assert (finding.where, finding.observed, finding.severity) == (
            (ACCOUNTS, handle.state),
            seen,
            "critical",
        ), name
        assert (found.verdict, found.exit_code) == ("inconclusive", 1), name


def edited(files: dict[str, Any], signature: str, **change: Any) -> dict[str, Any]:
    """The case of a node that says another slot or outcome of a transaction."""
    files = json.loads(json.dumps(files))
    for rows in (files[TRANSACTIONS], files[SIGNATURES]):
        for row in rows:
            if row["signature"] == signature:
                held = row.get("result", row)
                held["slot"] = change.get("slot", held["slot"])
                if "err" in change:
                    held.get("meta", held)["err"] = change["err"]
    return files


def test_claims_in_an_order_that_their_links_deny(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    late = done[1].landed.slot + 1
    found = diagnosed(tmp_path, edited(world.collect(), done[0].signature, slot=late))
    wrong = {f.where[1]: f for f in told(found, "order_contradicts_links")}
    assert set(wrong) == {done[1].signature, done[2].signature}, (
        "the first one's parent is nobody's claim"
    )
    parent = f"the claim's parent {done[1].proof.prev} is the head at that slot"
    where, slot = at(done[1]), done[1].landed.slot
    assert wrong[done[1].signature] == Finding(
        "order_contradicts_links",
        handle.address,
        where,
        parent,
        "another entry is the head at that slot",
        slot=slot,
    )


def test_two_accepted_claims_of_one_period(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob")
    twin = world.claim(handle, done[1].proof, "bob", budget=True)
    assert twin.error == 0
    found = diagnosed(tmp_path, edited(world.collect(), twin.signature, err=None))
    seen = f"another accepted claim of {world.address('bob')} for period 0"
    where = (TRANSACTIONS, twin.signature)
    wanted = Finding(
        "period_claimed_twice",
        handle.address,
        where,
        "one accepted claim for a claimer and period",
        seen,
        slot=twin.slot,
    )
    assert told(found, "period_claimed_twice") == [wanted]


def test_a_transaction_that_cannot_be_what_was_executed(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob")
    refused = world.claim(handle, done[1].proof, "cat")  # bob's proof for cat's claim
    assert refused.error == 6022
    wanted = "the transaction that was signed and executed"
    found = diagnosed(tmp_path / "proof", edited(world.collect(), refused.signature, err=None))
    seen = "the transaction's proof is not one that the program accepts"
    where = (TRANSACTIONS, refused.signature)
    assert told(found, "forged_transaction") == [
        Finding("forged_transaction", handle.address, where, wanted, seen, slot=refused.slot)
    ]
    files = json.loads(json.dumps(world.collect()))
    row = next(row for row in files[TRANSACTIONS] if row["signature"] == done[0].signature)
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    wire[-1] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    found = diagnosed(tmp_path / "signature", files)
    first, seen = done[0].landed, "the transaction's own signatures do not verify"
    assert told(found, "forged_transaction") == [
        Finding("forged_transaction", handle.address, at(done[0]), wanted, seen, slot=first.slot)
    ]


# -- forks, equivocations, issuers --


def test_a_fork_of_two_issuers_and_what_it_is_beside(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    [ours] = world.tickets(handle, "cat")
    theirs = world.ticket(handle, "cat", worker=clone)
    assert theirs.landed.error == 0
    found = diagnosed(tmp_path, world.collect())
    fork = Finding(
        "fork",
        handle.address,
        (TRANSACTIONS, done[-1].entry),
        "one proof on this parent",
        "2 proofs on this parent",
    )
    low, high = sorted((ours.entry, theirs.entry))
    both = Finding(
        "equivocation",
        handle.address,
        (TRANSACTIONS, low),
        "one proof for a claimer and period on one parent",
        f"the proof {high} as well",
    )
    assert told(found, "fork", "race", "equivocation", "repeat_proof") == [both, fork]
    wanted, seen = (
        "an anchor in the worker's audit chain, which is complete over that time",
        f"the audit chain holds no entry for the proof's audit_hash {theirs.proof.audit}",
    )
    foreign = Finding(
        "foreign_issuer", handle.address, at(theirs), wanted, seen, slot=theirs.landed.slot
    )
    assert told(found, "foreign_issuer", "issuer_unknown") == [foreign]


def test_a_race_and_a_repeat(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D")
    head = world.head(handle)
    proofs = [world.worker.issue(handle.address, world.address("cat"), expected=head)]
    world.tick(2)
    proofs.append(world.worker.issue(handle.address, world.address("cat"), expected=head))
    world.claim(handle, proofs[0], "cat")
    world.tick(2)
    assert world.claim(handle, proofs[1], "cat").error == 0
    low, high = sorted(p.entry for p in proofs)
    assert told(
        diagnosed(tmp_path, world.collect()), "fork", "race", "equivocation", "repeat_proof"
    ) == [
        Finding(
            "race",
            handle.address,
            (TRANSACTIONS, head),
            "one proof on this parent",
            "2 proofs on this parent",
        ),
        Finding(
            "repeat_proof",
            handle.address,
            (TRANSACTIONS, low),
            "one proof for a claimer and period on one parent",
            f"the proof {high} as well",
        ),
    ]


def test_whose_proofs_are_cannot_be_told_without_the_worker_s_records(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann")
    text = "who issued {}: the worker's records do not cover their time"
    first = done[0]
    one = Finding(
        "issuer_unknown",
        handle.address,
        at(first),
        not_checked=text.format("1 proof"),
        slot=first.landed.slot,
    )
    assert told(
        diagnosed(tmp_path / "one", world.collect(worker=False)), "issuer_unknown", "foreign_issuer"
    ) == [one]
    done += world.tickets(handle, "bob")
    [two] = told(diagnosed(tmp_path / "two", world.collect(worker=False)), "issuer_unknown")
    assert two.not_checked == text.format("2 proofs")
    entries = {t.entry: t for t in done}
    assert (two.where, two.slot) == (
        at(entries[min(entries)]),
        entries[min(entries)].landed.slot,
    ), "the first by its hash"


def test_an_anchor_that_no_history_record_bears_out(tmp_path: Path) -> None:
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = world.collect(storage=True)
    files[STORAGE] = [row for row in files[STORAGE] if not row["key"].endswith(done[1].entry)]
    wanted = f"a record of {done[1].entry} under pop_chain:history:"
    slot = done[1].landed.slot
    found = Finding(
        "history_record_missing",
        handle.address,
        at(done[1]),
        wanted,
        "the storage holds the proof's anchor and no record of it",
        slot=slot,
    )
    assert told(diagnosed(tmp_path, files), "history_record_missing") == [found]


# -- causes that are findings --


def test_a_signer_that_pop_config_does_not_name(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.key = world.key("second signer")
    configured = diagnosed(tmp_path / "configured", world.collect())
    wanted = "the signer in pop-config"
    seen = next(c.because for c in configured.grants[0].causes if c.name == "signer_mismatch")
    assert told(configured, "signer_mismatch") == [
        Finding("signer_mismatch", handle.address, (ACCOUNTS, handle.address), wanted, seen)
    ]
    refused = world.ticket(handle, "cat")
    assert refused.landed.error == 6018
    world.ticket(handle, "dan")
    world.tick(900)
    found = diagnosed(tmp_path / "refused", world.collect())
    seen = next(c.because for c in found.grants[0].causes if c.name == "signer_mismatch")
    slot = refused.landed.slot
    assert told(found, "signer_mismatch") == [
        Finding("signer_mismatch", handle.address, at(refused), wanted, seen, slot=slot)
    ]


@pytest.mark.parametrize("rotated", ["the worker", "pop-config"])
def test_a_status_that_is_older_than_a_rotation_is_no_mismatch(
    tmp_path: Path, rotated: str
) -> None:
    world, handle, _ = sound()
    if rotated == "the worker":
        world.worker.key = world.key("second signer")
    before = {name: rows for name, rows in world.collect().items() if name.startswith("worker/")}
    world.tick(30)
    if rotated == "pop-config":
        world.worker.key = world.key("second signer")
        world.name_signer(handle, world.worker.signer)
    found = diagnosed(tmp_path / "older", {**world.collect(), **before})
    text = "the worker's present signer: its status may have been taken before pop-config was last changed"
    unknown = [
        Finding(
            "signer_unknown",
            handle.address,
            ("worker/pop-status.json", handle.address),
            not_checked=text,
        )
    ]
    if rotated == "the worker":
        assert [f.code for f in told(found, "signer_unknown", "signer_mismatch")] == [
            "signer_mismatch"
        ], "nothing was named since"
        assert found.exit_code == 1
        return
    assert told(found, "signer_unknown", "signer_mismatch") == unknown
    assert f"{handle.address}: {text}" in [row.text for row in found.coverage.not_checked]
    assert found.exit_code == 0
    assert (
        told(diagnosed(tmp_path / "now", world.collect()), "signer_unknown", "signer_mismatch")
        == []
    )


def test_a_stream_that_diverged_and_where_it_shows(tmp_path: Path) -> None:
    world, handle, done = sound()
    grant = handle.address
    world.worker.heads[grant][1] = done[0].entry
    stored = diagnosed(tmp_path / "stored", world.collect(storage=True))
    seen = next(c.because for c in stored.grants[0].causes if c.name == "stream_divergence")
    where = (STORAGE, f"pop_chain:lastHash:stream:{grant}")
    assert told(stored, "stream_divergence") == [
        Finding("stream_divergence", grant, where, "both links name one entry", seen)
    ]
    [quiet] = issued(world, handle, "cat")
    issue = diagnosed(tmp_path / "issued", world.collect())
    assert [f.where for f in told(issue, "stream_divergence")] == [(AUDIT_LOGS, quiet.entry)]
    world.simulate(handle, quiet, "cat")
    world.tick(900)
    files = world.collect(bucket=False, logs=False, reports=True)
    alone = diagnosed(tmp_path / "reported", files)
    assert told(alone, "stream_divergence") == [], "reports alone name no cause"
    assert [f.where[0] for f in told(alone, "wallets_report_break")] == [REPORTS]


def test_a_proof_that_diverged_is_cited_though_the_stored_heads_differ_too(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    [quiet] = issued(world, handle, "cat")
    world.worker.heads[handle.address][1] = done[0].entry
    [found] = told(diagnosed(tmp_path, world.collect(storage=True)), "stream_divergence")
    assert found.where == (AUDIT_LOGS, quiet.entry)


def test_a_stream_head_that_was_not_exported_is_no_divergence(tmp_path: Path) -> None:
    """The worker writes its two heads one after the other and removes neither: one alone is a row
    that was lost on the way.
    """
    world, handle, _ = sound()
    files = world.collect(storage=True)
    key = f"pop_chain:lastHash:stream:{handle.address}"
    files[STORAGE] = [row for row in files[STORAGE] if row["key"] != key]
    found = diagnosed(tmp_path, files)
    assert (told(found, "stream_divergence"), found.verdict) == ([], "intact")


def test_two_events_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.open_event(handle, "Again")
    found = diagnosed(tmp_path, world.collect())
    seen = next(c.because for c in found.grants[0].causes if c.name == "grant_reuse")
    where = ("worker/events.json", handle.address)
    assert told(found, "grant_reuse") == [
        Finding("grant_reuse", handle.address, where, "one event", seen)
    ]


# -- noise --


def test_attempts_that_are_nobody_s_of_the_grant(tmp_path: Path) -> None:
    world, handle, done = sound()
    again = world.claim(handle, done[-1].proof, "bob", budget=True)
    one = diagnosed(tmp_path / "one", world.collect())
    wanted = Finding(
        "noise",
        handle.address,
        (TRANSACTIONS, again.signature),
        observed="1 refused attempt: the proof was already accepted",
        slot=again.slot,
    )
    assert told(one, "noise") == [wanted]
    world.tick(5)
    world.claim(handle, done[-1].proof, "mallory")
    world.tick(5)
    world.claim(handle, None, "mallory")
    [two] = told(diagnosed(tmp_path / "two", world.collect()), "noise")
    assert two.where[1] == again.signature
    assert (
        two.observed
        == "3 refused attempts: the claim carries no proof, the proof names another claimer, the "
        "proof was already accepted"
    )


# -- the worker --


def test_what_is_missing_of_the_worker_s_records(tmp_path: Path) -> None:
    world, handle, _ = sound()
    grant = handle.address
    assert not told(
        diagnosed(tmp_path / "whole", world.collect()),
        "worker_records_missing",
        "worker_records_stale",
        "signer_unknown",
    )
    found = diagnosed(tmp_path / "none", world.collect(worker=False))
    where, wanted, unchecked = (
        (AUDIT_LOGS, grant),
        "records of the worker back to the chain's head",
        "proofs that were issued and never sent",
    )
    assert told(found, "worker_records_missing") == [
        Finding(
            "worker_records_missing",
            grant,
            where,
            wanted,
            "the case holds no records of the worker",
            unchecked,
        ),
    ]
    signer = Finding(
        "signer_unknown",
        grant,
        ("worker/pop-status.json", grant),
        not_checked="the worker's present signer against pop-config",
    )
    assert told(found, "signer_unknown") == [signer]
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    window = diagnosed(tmp_path / "window", world.collect(bucket=False))
    seen = "the worker's records do not reach the chain's head"
    assert told(window, "worker_records_missing") == [
        Finding("worker_records_missing", grant, where, wanted, seen, unchecked)
    ]


def test_records_that_end_before_the_last_claim(tmp_path: Path) -> None:
    world, handle, _ = sound()
    older = {
        k: copy.deepcopy(v)
        for k, v in world.collect(bucket=False).items()
        if k.startswith("worker/")
    }
    newest = max(e["ts"] for e in older["worker/audit-logs.json"]["body"]["logs"])
    entry = next(
        e["entry_hash"]
        for e in older["worker/audit-logs.json"]["body"]["logs"]
        if e["ts"] == newest
    )
    world.tick(60)
    world.tickets(handle, "cat")
    found = diagnosed(tmp_path, {**world.collect(worker=False), **older})
    wanted = Finding(
        "worker_records_stale",
        handle.address,
        (AUDIT_LOGS, entry),
        "records of the worker up to the chain's moment",
        "the worker's records end before that moment",
    )
    assert told(found, "worker_records_stale") == [wanted]


def test_stored_heads_alone_that_end_before_the_last_claim(tmp_path: Path) -> None:
    world, handle, _ = sound()
    older = [
        row
        for row in world.collect(storage=True)[STORAGE]
        if row["key"].startswith("pop_chain:lastHash:")
    ]
    world.tick(60)
    world.tickets(handle, "cat")
    found = diagnosed(tmp_path, {**world.collect(worker=False), STORAGE: older})
    wanted = Finding(
        "worker_records_stale",
        handle.address,
        (STORAGE, handle.address),
        "records of the worker up to the chain's moment",
        "the worker's records end before that moment",
    )
    assert told(found, "worker_records_stale") == [wanted]


def test_refusals_that_wallets_alone_tell_of(tmp_path: Path) -> None:
    world, handle, _ = sound()
    issued(world, handle, "cat")
    world.tick(10)
    moments = []
    for wallet in ("dan", "eve"):
        proof = world.worker.issue(handle.address, world.address(wallet))
        world.tick(2)
        assert world.simulate(handle, proof, wallet).error == 6026
        moments.append(world.now)
        world.tick(30)
    one = world.collect(reports=True)
    one[REPORTS] = one[REPORTS][:1]
    world.tick(900)
    seen = f"2 reports of PopHashChainBroken, the first at {utc(moments[0])}"
    wanted = Finding(
        "wallets_report_break",
        handle.address,
        (REPORTS, world.address("dan")),
        "wallets report no refusal",
        seen,
    )
    assert told(
        diagnosed(tmp_path / "two", world.collect(reports=True)), "wallets_report_break"
    ) == [wanted]
    [told_once] = told(diagnosed(tmp_path / "one", one), "wallets_report_break")
    assert told_once.observed == f"1 report of PopHashChainBroken, the first at {utc(moments[0])}"


def test_refusals_that_landed_or_were_by_another_rule_are_no_report_of_a_break(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    issued(world, handle, "cat")
    world.tick(10)
    refused = world.ticket(handle, "dan")
    world.report(
        handle,
        "dan",
        refused.landed.err,
        refused.landed.result["meta"]["logMessages"],
        refused.landed,
    )
    world.switch(handle, "set_paused", {"paused": True})
    assert world.simulate(handle, refused.proof, "dan").error == 6007
    assert len(world.reports) == 2
    world.tick(900)
    found = diagnosed(tmp_path, world.collect(reports=True))
    assert (found.verdict, told(found, "wallets_report_break")) == ("broken", [])


def test_refusals_of_a_chain_that_is_sound_are_no_report_of_a_break(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.simulate(handle, done[0].proof, "ann")
    proof = world.worker.issue(handle.address, world.address("dan"), expected=None)
    wrong = world.worker.clone()
    wrong.heads[handle.address] = [done[0].entry, done[0].entry]
    stray = wrong.issue(handle.address, world.address("dan"))
    assert world.simulate(handle, stray, "dan").error == 6026
    assert world.claim(handle, proof, "dan").err is None
    world.tick(900)
    found = diagnosed(tmp_path, world.collect(reports=True))
    assert found.grants[0].judgement.is_sound
    assert told(found, "wallets_report_break") == []


def test_a_proof_of_which_the_second_of_issue_is_not_certain(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [lost] = issued(world, handle, "cat")
    found = diagnosed(tmp_path / "list", world.collect())
    seen = (
        f"the proof's second of issue is assumed: {utc(lost.issued_at)}, the anchor's whole second"
    )
    wanted = "a record that confirms the second of issue"
    assert told(found, "head_assumed") == [
        Finding("head_assumed", handle.address, (AUDIT_LOGS, lost.entry), wanted, seen)
    ]
    assert not told(diagnosed(tmp_path / "storage", world.collect(storage=True)), "head_assumed")


def test_records_younger_than_the_last_moment_at_which_proofs_could_land(tmp_path: Path) -> None:
    world, handle, _ = sound()
    [young] = issued(world, handle, "cat")
    until = young.issued_at + 600
    chain = world.collect()

    def asked_at(ms: int) -> Diagnosis:
        world.ms = ms
        worker = {
            name: part for name, part in world.collect().items() if name.startswith("worker/")
        }
        return diagnosed(tmp_path / str(ms), chain | worker)

    assert told(asked_at(until * 1000 + 500), "chain_read_early") == []
    found = asked_at((until + 1) * 1000)
    wanted, seen = f"no record after {utc(until)}", f"a record of {utc(until + 1)}"
    early = Finding("chain_read_early", handle.address, ("case.json", "collected_at"), wanted, seen)
    assert told(found, "chain_read_early", "evidence_contradictory") == [early]
    assert (early.severity, found.verdict, found.exit_code) == ("warning", "in_flight", 0)
    late = asked_at((until + 62) * 1000)
    assert (late.verdict, late.exit_code, len(told(late, "chain_read_early"))) == (
        "inconclusive",
        3,
        1,
    )


@pytest.mark.parametrize(("late", "contradicts"), [(0, False), (1, True)])
def test_a_transaction_younger_than_the_last_moment_at_which_proofs_could_land(
    tmp_path: Path, late: int, contradicts: bool
) -> None:
    world, handle, _ = sound()
    [young] = issued(world, handle, "cat")
    world.tick(5)
    files = json.loads(json.dumps(world.collect()))
    until = young.issued_at + 600
    created = next(
        row for row in files[TRANSACTIONS] if row["signature"] == world.landed[1].signature
    )
    created["result"]["blockTime"] = until + late
    found = told(diagnosed(tmp_path, files), "chain_read_early")
    assert [f.observed for f in found] == (
        [f"a record of {utc(until + late)}"] if contradicts else []
    )


def test_a_foreign_proof_beside_proofs_that_nobody_sent(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    theirs = world.ticket(handle, "mal", worker=clone)
    quiet = issued(world, handle, *(f"wallet {number}" for number in range(6)))
    assert min(proof.entry for proof in quiet) < theirs.entry, (
        "one stands before it in the order of hashes"
    )
    world.tick(60)
    assert [f.where for f in told(diagnosed(tmp_path, world.collect()), "foreign_issuer")] == [
        at(theirs)
    ]


# -- the program's era --


def test_an_era_that_nothing_shows(tmp_path: Path) -> None:
    world, handle, done = sound()
    found = diagnosed(tmp_path, world.collect())
    eras = {"strict", "strict_v2"}
    [assumed] = told(found, "era_assumed")
    assert (assumed.grant, assumed.where, assumed.slot) == (
        handle.address,
        at(done[0]),
        done[0].landed.slot,
    )
    assert assumed.observed is not None
    assert assumed.observed.split(" is assumed, by ")[0] in eras


def test_an_era_that_behaviour_shows_is_not_assumed(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D", "ann")
    head = world.head(handle)
    for wallet in ("bob", "cat"):
        proof = world.worker.issue(handle.address, world.address(wallet), expected=head)
        assert world.claim(handle, proof, wallet).err is None
        world.tick(2)
    assumed = told(diagnosed(tmp_path, world.collect()), "era_assumed")
    assert [f.where for f in assumed] == [at(done[0])], "before it was shown, and not since"


def test_an_older_program_after_a_newer_one(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D")
    for wallet in (
        "cat",
        "dan",
        "eve",
    ):  # three children of one parent, of which a strict program accepts one
        proof = world.worker.issue(handle.address, world.address(wallet), expected=done[0].entry)
        world.tick(2)
        if wallet == "eve":
            assert not told(diagnosed(tmp_path / "relaxed", world.collect()), "era_contradictory")
            world.build = "strict"
        assert world.claim(handle, proof, wallet).error == (6026 if wallet == "eve" else None)
        world.tick(2)
    found = diagnosed(tmp_path / "strict again", world.collect())
    wanted, seen = (
        "each program is replaced by a newer one",
        "an older program's behaviour after a newer one's",
    )
    where = (TRANSACTIONS, handle.address)
    assert told(found, "era_contradictory") == [
        Finding("era_contradictory", handle.address, where, wanted, seen)
    ]


# -- several grants, and records against the chain --


def test_a_grant_that_was_left_for_another(tmp_path: Path) -> None:
    world, old, _ = sound()
    issued(world, old, "cat")
    world.tick(900)
    new = world.grant(2)
    world.tickets(new, "cat")
    found = diagnosed(tmp_path, world.collect())
    assert told(found, "superseded") == [
        Finding("superseded", old.address, (ACCOUNTS, new.address), observed=new.address)
    ]
    assert [
        (g.grant, g.titles, g.events)
        for g in sorted(found.grants, key=lambda g: g.grant != old.address)
    ] == [
        (old.address, ["Clean-up"], [world.worker.event_of(old.address)]),
        (new.address, ["Clean-up"], [world.worker.event_of(new.address)]),
    ]


def test_records_that_the_chain_does_not_hold_and_claims_that_nobody_told_of(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    quiet = world.ticket(handle, "cat", tell=False)
    liar = world.address("liar")
    made_up = str(world.key("liar").sign_message(b"no transaction"))
    world.worker.claim_record(
        handle.address, liar, made_up, pda.receipt_address(handle.address, liar, 0)
    )
    told_in = next(e for e in reversed(world.worker.entries) if e["event"] == "WALLET_CLAIM")[
        "entry_hash"
    ]
    early = diagnosed(tmp_path / "early", world.collect())
    assert told(early, "record_unbacked") == [], "its transaction may still land"
    assert early.reconciliation.unbacked_records == []
    world.tick(700)
    found = diagnosed(tmp_path / "late", world.collect())
    wanted, seen = (
        f"the transaction {made_up}",
        "the chain holds neither the transaction nor a receipt",
    )
    assert told(found, "record_unbacked") == [
        Finding("record_unbacked", handle.address, (AUDIT_LOGS, told_in), wanted, seen)
    ]
    unsynced = Finding(
        "claim_unsynced",
        handle.address,
        at(quiet),
        "a claim record of the claimer",
        "the worker holds no record of the claim",
        slot=quiet.landed.slot,
    )
    assert told(found, "claim_unsynced") == [unsynced]
    assert found.reconciliation.unbacked_records == [made_up]
    assert found.reconciliation.unsynced_claims == [quiet.signature]
    assert not told(found, "record_unchecked")


def test_a_record_that_the_chain_as_it_was_read_can_neither_back_nor_deny(tmp_path: Path) -> None:
    world, handle, _ = sound()
    liar, made_up = world.address("liar"), str(world.key("liar").sign_message(b"no transaction"))
    receipt = pda.receipt_address(handle.address, liar, 0)
    world.worker.claim_record(handle.address, liar, made_up, receipt)
    entry = next(e for e in reversed(world.worker.entries) if e["event"] == "WALLET_CLAIM")[
        "entry_hash"
    ]
    world.tick(700)
    files = world.collect()
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != receipt]
    found = diagnosed(tmp_path, files)
    why = "the receipt account that the record names was not collected"
    wanted = Finding(
        "record_unchecked", handle.address, (AUDIT_LOGS, entry), f"the transaction {made_up}", why
    )
    assert told(found, "record_unchecked") == [wanted]
    assert (found.reconciliation.unbacked_records, found.exit_code) == ([], 0)
    assert f"1 claim record without a transaction: {why}" in [
        row.text for row in found.coverage.not_checked
    ]
