"""Every rule has its words, a source and a severity, and some case that violates it: recorded,
attacked, or a small world of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from popkit.case import open_case
from popkit.diagnosis.diagnose import diagnose, diagnose_inquiry
from popkit.drill import addresses as pda
from popkit.drill.case import account_json, write_case
from popkit.drill.ledger import Account
from popkit.drill.world import GrantHandle, Ticket, World, sound
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.protocol.accounts import ClaimReceipt, Grant, PopState, TokenAccount, encode_account
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import SEVERITIES, Finding, Subject, sorted_findings
from popkit.rules.registry import RULES, rules_of
from popkit.texts import LANGUAGES, Text
from tests.attacks.build import VECTORS, account, rewrite_account
from tests.conftest import CASES
from tests.cutover.records import CUTOVER, NEW, OLD, stated, written
from tests.verification.test_false_evidence import show_as_accepted

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
STORAGE, LOGS, RECEIPTS = (
    "worker/storage.jsonl",
    "worker/audit-logs.json",
    "worker/ticket-receipts.jsonl",
)
BUCKET, REPORTS = "worker/r2.jsonl", "client/errors.jsonl"
Files = dict[str, Any]


@pytest.mark.parametrize("code", RULES)
def test_every_rule_has_words_a_source_and_a_severity(code: str) -> None:
    rule = RULES[code]
    assert rule.code == code
    assert rule.severity in SEVERITIES
    assert rule.source
    assert set(rule.context) <= {"expected", "observed", "not_checked"}
    for text in (rule.meaning, rule.advice):
        assert isinstance(text, Text)
        assert text.endswith(".")
        assert text.ja.endswith("。")


@pytest.mark.parametrize("code", RULES)
def test_every_rule_says_what_holds_and_is_asked_of_something(code: str) -> None:
    rule = RULES[code]
    assert rule.subject in get_args(Subject)
    assert rule in rules_of(rule.subject)
    assert rule.questions, "nothing would ever violate it"
    assert all(rule.holds.in_language(language) for language in LANGUAGES)
    assert not rule.holds.endswith("."), "it is a title, in lists of what holds"


# -- what violates each --

RECORDED = {
    "abandoned-no-worker": ("claims_refused", "issuer_unknown", "proof_lost", "signer_unknown"),
    "abandoned-quiet": ("era_assumed", "head_assumed", "wallets_report_break"),
    "bucket-orphan": ("bucket_orphan",),
    "cutover": ("grant_paused", "superseded"),
    "era-upgrade": ("claim_unsynced",),
    "expired-proof": ("proof_burnt",),
    "foreign-issuer": ("fork",),
    "grant-reuse": ("grant_reuse",),
    "receipts-tampered": ("server_verdict_differs",),
    "relaxed-race": ("race",),
    "terms-rewritten": ("terms_rewritten",),
}
"""What the recorded cases raise and no attack does."""


def collected(world: World, **parts: bool) -> Files:
    """The world's case a quarter of an hour later, apart from the world."""
    world.tick(900)
    files: Files = json.loads(
        json.dumps(world.collect(**{"storage": True, "receipts": True, **parts}))
    )
    return files


def without(files: Files, *names: str) -> Files:
    return {name: rows for name, rows in files.items() if name not in names}


def over_and_strangers() -> Files:
    world = World()
    handle = world.grant(expires_in=100, fund=2)
    world.tickets(handle, "ann", "bob")
    world.tick(200)
    assert world.claim(handle, None, "mallory").err is not None
    return collected(world)


def closed() -> Files:
    world, handle, _ = sound()
    world.switch(handle, "close_grant", {})
    return collected(world)


def proofs_on_the_way() -> Files:
    world = World()
    handle = world.grant(period_seconds=700, start_ago=400)
    for period in (0, 0, 2):
        world.worker.issue(handle.address, world.address("cat"), period)
        world.tick(2)
    return json.loads(json.dumps(world.collect()))  # type: ignore[no-any-return]


def asked_twice() -> Files:
    world, handle, _ = sound("relaxed", "D")
    head = world.head(handle)
    for _ in range(2):
        proof = world.worker.issue(handle.address, world.address("cat"), expected=head)
        world.tick(2)
        world.claim(handle, proof, "cat")
    return collected(world)


def an_empty_vault() -> Files:
    world, handle, _ = sound()
    files = collected(world)
    rewrite_account(files, handle.vault, TokenAccount, amount=0)
    return files


def an_older_program_after_a_newer() -> Files:
    world, handle, done = sound("relaxed", "D")
    for wallet in ("cat", "dan", "eve"):
        proof = world.worker.issue(handle.address, world.address(wallet), expected=done[0].entry)
        world.build = "strict" if wallet == "eve" else "relaxed"
        world.claim(handle, proof, wallet)
        world.tick(2)
    return collected(world)


def accounts_that_cannot_be() -> Files:
    world, handle, done = sound()
    files = collected(world)
    rewrite_account(files, handle.state, PopState, last_issued_at=5, last_stream_hash="ab" * 32)
    rewrite_account(files, handle.vault, TokenAccount, amount=3, owner=SYSTEM_PROGRAM)
    files[SIGNATURES].append({**files[SIGNATURES][0], "slot": files[SIGNATURES][0]["slot"] + 1})
    gone = next(row for row in files[TRANSACTIONS] if row["signature"] == done[0].signature)
    files[TRANSACTIONS].remove(gone)
    return files


def terms_in_another_period() -> Files:
    world = World()
    handle = world.grant(period_seconds=60)
    landed = world.ticket(handle, "ann", period=2).landed
    assert landed.err is None
    files = collected(world)
    receipt = ClaimReceipt(handle.address, world.address("ann"), 2, landed.time + 300)
    row = account(files, pda.receipt_address(handle.address, world.address("ann"), 2))
    row["account"] = account_json(Account(1503360, PROGRAM_ID, encode_account(receipt)))
    return files


def a_claim_of_a_paused_grant() -> Files:
    world = World()
    handle = world.grant()
    world.tickets(handle, "ann")
    world.switch(handle, "set_paused", {"paused": True})
    world.tick(5)
    proof = world.worker.issue(handle.address, world.address("bob"))
    landed = world.claim(handle, proof, "bob")
    files = collected(world)
    show_as_accepted(files, handle, landed, proof.claimer, landed.time)
    return files


def heads_that_differ() -> Files:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    return collected(world)


def nothing_of_the_grant() -> Files:
    world, handle, _ = sound()
    files = collected(world)
    created = next(landed.signature for landed in world.landed if handle.address in landed.keys)
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != created]
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    return files


def storage_without(found: Callable[[World, GrantHandle, list[Ticket]], tuple[str, ...]]) -> Files:
    """A storage that lacks the rows whose keys end so."""
    world, handle, done = sound("strict", "A", "ann", "bob", "cat")
    files = collected(world)
    ends = found(world, handle, done)
    files[STORAGE] = [row for row in files[STORAGE] if not row["key"].endswith(ends)]
    return files


def an_anchor_by_hand() -> Files:
    world, handle, _ = sound()
    kept = dict(world.worker.history)
    heads = json.loads(json.dumps(world.worker.heads))
    world.worker.issue(handle.address, world.address("cat"))
    world.worker.history, world.worker.heads = kept, heads
    files = collected(world, bucket=False)
    request = next(
        row["entry_hash"]
        for row in files[LOGS]["body"]["logs"]
        if row["event"] == "API_POST_V1_SCHOOL_POP_PROOF"
    )
    files[LOGS]["body"]["logs"] = [
        row for row in files[LOGS]["body"]["logs"] if row["entry_hash"] != request
    ]
    files[STORAGE] = [row for row in files[STORAGE] if request not in row["key"]]
    return files


def a_chain_that_begins_again() -> Files:
    world, _, _ = sound()
    world.worker.last["global"] = "GENESIS"
    world.worker.api("GET", "/v1/school/events")
    files = collected(world)
    head = next(row for row in files[STORAGE] if row["key"] == "audit:lastHash:global")
    head["value"] = "cd" * 32
    return files


def a_stream_link_to_nothing() -> Files:
    world, handle, _ = sound()
    event = world.worker.event_of(handle.address)
    world.worker.last[event] = "ab" * 32
    world.worker.api("GET", "/v1/school/events/x", event)
    world.tickets(handle, "cat")
    return collected(world)


def a_list_with_a_gap() -> Files:
    """A list of fifty rows that lacks one in the middle and goes back one further."""
    world, _, _ = sound()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    oldest = collected(world)[LOGS]["body"]["logs"][-1]
    world.worker.api("GET", "/v1/school/events")
    files = without(collected(world, bucket=False), STORAGE, RECEIPTS)
    logs = files[LOGS]["body"]["logs"]
    files[LOGS]["body"]["logs"] = [*logs[:20], *logs[21:], oldest]
    return files


def exports_in_part() -> Files:
    world, _, _ = sound()
    files = collected(world)
    files[BUCKET] = [row for row in files[BUCKET] if "/entry/" in row["key"]]
    row = next(row for row in files[STORAGE] if row["key"].startswith("audit_entry:"))
    files[STORAGE].remove(row)
    return files


def a_bucket_in_part() -> Files:
    world, _, _ = sound()
    files = collected(world)
    return {**files, BUCKET: files[BUCKET][::4]}


def lines_of_other_forms() -> Files:
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    world.switch(handle, "set_paused", {"paused": True})
    world.simulate(handle, proof, "cat")
    files = collected(world, reports=True)
    files[REPORTS] = [{**row, "at": row["at"] * 1000} for row in files[REPORTS]]
    files[ACCOUNTS].append({"pubkey": 7})
    return files


def dates_that_a_tool_wrote_anew() -> Files:
    world, _, _ = sound()
    files = collected(world)
    files[RECEIPTS] = json.loads(
        re.sub(r"(:\d\d\.\d{3})Z", r"\g<1>0000Z", json.dumps(files[RECEIPTS]))
    )
    return files


def receipts_without_their_entries() -> Files:
    world, _, _ = sound("strict_v2", "B")
    return without(collected(world), LOGS, BUCKET, STORAGE)


def entries_without_their_receipts() -> Files:
    world, _, _ = sound("strict_v2", "B")
    return without(collected(world), LOGS, STORAGE, RECEIPTS)


def a_receipt_elsewhere() -> Files:
    """A wallet names a receipt of another period, which the program refuses; the node shows the
    claim as accepted.
    """
    world, handle, _ = sound()
    proof = world.worker.issue(handle.address, world.address("cat"))
    calls = world.claim_calls(handle, proof, "cat")
    other = world.claim_call(handle, "cat", period=1)
    calls[-1] = replace(other, data=calls[-1].data)
    landed = world.send(calls, "cat")
    assert landed.err is not None
    files = collected(world)
    show_as_accepted(files, handle, landed, proof.claimer)
    return files


def a_grant_of_another_authority() -> Files:
    world, handle, _ = sound()
    files = collected(world)
    rewrite_account(files, handle.address, Grant, authority=world.address("somebody"))
    return files


def a_record_of_another_receipt() -> Files:
    world = World()
    handle = world.grant()
    ticket, _ = world.tickets(handle, "ann", "bob", tell=False)
    receipt = pda.receipt_address(handle.address, world.address("bob"), 0)
    world.worker.claim_record(handle.address, world.address("ann"), ticket.signature, receipt)
    return collected(world)


WORLDS: dict[str, tuple[Callable[[], Files], tuple[str, ...]]] = {
    "over_and_strangers": (over_and_strangers, ("grant_over", "noise", "vault_low")),
    "closed": (closed, ("grant_closed",)),
    "proofs_on_the_way": (proofs_on_the_way, ("proof_out_of_period", "proof_repeated")),
    "asked_twice": (asked_twice, ("repeat_proof",)),
    "an_older_program_after_a_newer": (an_older_program_after_a_newer, ("era_contradictory",)),
    "accounts_that_cannot_be": (
        accounts_that_cannot_be,
        (
            "state_contradicts_its_head",
            "state_heads_differ",
            "vault_not_the_grants",
            "evidence_contradictory",
            "transaction_missing",
        ),
    ),
    "an_empty_vault": (an_empty_vault, ("vault_balance_wrong",)),
    "terms_in_another_period": (terms_in_another_period, ("period_differs",)),
    "a_claim_of_a_paused_grant": (a_claim_of_a_paused_grant, ("claim_not_allowed",)),
    "heads_that_differ": (heads_that_differ, ("stream_divergence",)),
    "nothing_of_the_grant": (nothing_of_the_grant, ("terms_unknown",)),
    "no_history_record": (
        lambda: storage_without(lambda world, handle, done: (done[1].entry,)),
        ("history_record_missing",),
    ),
    "an_anchor_by_hand": (an_anchor_by_hand, ("anchor_unattested",)),
    "a_chain_that_begins_again": (
        a_chain_that_begins_again,
        ("audit_chain_restarted", "audit_end_differs"),
    ),
    "a_stream_link_to_nothing": (a_stream_link_to_nothing, ("audit_stream_link_wrong",)),
    "a_list_with_a_gap": (a_list_with_a_gap, ("audit_list_gap",)),
    "exports_in_part": (exports_in_part, ("bucket_folder_not_exported", "storage_copy_missing")),
    "a_bucket_in_part": (a_bucket_in_part, ("bucket_export_partial",)),
    "lines_of_other_forms": (lines_of_other_forms, ("evidence_unreadable", "time_in_milliseconds")),
    "dates_that_a_tool_wrote_anew": (dates_that_a_tool_wrote_anew, ("export_altered_by_tool",)),
    "receipts_without_their_entries": (
        receipts_without_their_entries,
        ("ticket_receipt_unchecked",),
    ),
    "entries_without_their_receipts": (entries_without_their_receipts, ("ticket_receipt_unseen",)),
    "a_receipt_elsewhere": (a_receipt_elsewhere, ("receipt_address_wrong",)),
    "a_grant_of_another_authority": (a_grant_of_another_authority, ("config_address_wrong",)),
    "a_record_of_another_receipt": (a_record_of_another_receipt, ("claim_record_differs",)),
    "a_custody_record_without_its_beginning": (
        lambda: {**collected(sound()[0]), "custody.jsonl": [{"n": 2, "prev": "0" * 64}]},
        ("custody_broken",),
    ),
}
"""What neither a recorded case nor an attack raises."""


def codes_of(path: Path) -> set[str]:
    return {finding.code for finding in diagnose(Evidence(path)).findings}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_case_violates_it(name: str) -> None:
    assert set(RECORDED[name]) <= codes_of(CASES / name)


@pytest.mark.parametrize("name", WORLDS)
def test_a_small_world_violates_it(name: str, tmp_path: Path) -> None:
    make, codes = WORLDS[name]
    found = codes_of(write_case(tmp_path, make()))
    assert set(codes) <= found, sorted(found)


DECLARED = ("cutover_contradicted", "cutover_declared")
"""What a record of a cutover beside a case raises."""


def test_a_false_record_of_a_cutover_violates_its_rules(tmp_path: Path) -> None:
    values = stated(open_case(CUTOVER), OLD, NEW, new__start_ts=7)
    found = open_case(CUTOVER, cutover=written(tmp_path / "record.json", values)).diagnose()
    assert set(DECLARED) <= {finding.code for finding in found.findings}


BY_CLAIMS = ("claim_not_accepted", "claim_outside_allowlist")
"""What `test_claims` shows: the one of a claim that is named, the other of a recorded case that a
node changes.
"""


BY_GRANTS = ("claim_without_receipt",)
"""What `test_grants` shows: a line of a grant, of which the claim has the finding."""


NEVER_VIOLATED = ("audit_chain_partial", "audit_clock_set_back", "case_unsealed")
"""What holds or cannot be told: what is missing, or a clock, shows nothing false."""


def test_what_is_missing_cannot_be_told_and_is_no_finding(tmp_path: Path) -> None:
    world, _, _ = sound()
    for step in (0, -5000):
        world.ms += step
        world.worker.api("GET", "/v1/school/events")
    path = write_case(tmp_path, world.collect())
    (path / "manifest-sha256.txt").unlink()
    inquiry = Inquiry(Facts(Evidence(path)))
    answers = [*inquiry.case, *inquiry.audit]
    assert {"audit_clock_set_back", "case_unsealed"} <= {
        a.rule.code for a in answers if a.status == "cannot tell"
    }
    assert not {finding.code for finding in diagnose_inquiry(inquiry).findings} & set(
        NEVER_VIOLATED
    )


def test_no_rule_is_without_a_case_that_violates_it() -> None:
    by_attack = {
        code
        for vector in json.loads(VECTORS.read_text("utf-8"))["vectors"]
        for code in vector["finding_codes"]
    }
    shown = by_attack.union(
        DECLARED, BY_CLAIMS, BY_GRANTS, *RECORDED.values(), *(codes for _, codes in WORLDS.values())
    )
    assert sorted(set(RULES) - shown - set(NEVER_VIOLATED)) == []
    assert shown <= set(RULES)


# -- findings --


def test_findings_are_ordered_by_grant_slot_code_and_place() -> None:
    findings = [
        Finding("noise", "B", ("f", "k"), slot=1),
        Finding("race", "A", ("f", "k"), slot=2),
        Finding("noise", "A", ("f", "z"), slot=2),
        Finding("noise", "A", ("f", "a"), slot=2),
        Finding("noise", "A", ("f", "a"), slot=2),
        Finding("grant_paused", None, ("f", "k")),
    ]
    ordered = sorted_findings(findings)
    assert [(f.grant, f.slot, f.code, f.where[1]) for f in ordered] == [
        (None, None, "grant_paused", "k"),
        ("A", 2, "noise", "a"),
        ("A", 2, "noise", "z"),
        ("A", 2, "race", "k"),
        ("B", 1, "noise", "k"),
    ]


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Finding("no_such_code", None, ("f", "k"))
