"""What a diagnosis reads, each by the smallest evidence that tells it: event links, the signer,
receipts, when accounts were read.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import popkit
from popkit.audit.receipt_rows import receipt_rows, sinks_of_receipts
from popkit.audit.receipts import ReceiptCheck
from popkit.audit.tampering import find_tampering
from popkit.chain.accounts import CollectedAccounts
from popkit.chain.attribution import Attribution, attribution_of, signed_audit_hashes
from popkit.chain.eras import EARLIEST, only
from popkit.chain.listing import Listing
from popkit.drill.addresses import grant_address, receipt_address
from popkit.drill.case import write_case
from popkit.drill.world import World, sound
from popkit.evidence.lines import Place
from popkit.evidence.worker import StoredRow
from popkit.facts import Facts
from popkit.protocol import canonical
from popkit.protocol.keys import PROGRAM_ID
from popkit.worker.event_links import EventLink, event_link, links_of_case
from popkit.worker.lines import shown_by_lost_parents
from popkit.worker.moments import clock_ahead, lists_asked_for
from popkit.worker.proofs import Proof
from popkit.worker.reports import reported_failures
from popkit.worker.storage_history import anchors_named
from tests.diagnosis.audit_rows import PLACE, SECOND, hashes, line, objects, records_of, stored
from tests.diagnosis.claim_rows import table
from tests.diagnosis.small_chains import claim

WORLD = World()
SCHOOL, MINT = WORLD.address("school"), WORLD.address("mint")
GRANT, OTHER = grant_address(SCHOOL, MINT, 7), grant_address(SCHOOL, MINT, 8)
EVENT = {"id": "evt", "solanaAuthority": SCHOOL, "solanaMint": MINT, "solanaGrantId": "7"}


def answer(body: Any, is_ok: bool = True) -> SimpleNamespace:
    return SimpleNamespace(is_ok=is_ok, body=body)


# -- events and grants --


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"solanaGrantId": 7},
        {"id": None, "eventId": "evt"},
        {"id": "", "eventId": "evt"},
        {"title": "whatever else"},
        {"solanaGrantId": " 007 "},
        {"solanaMint": f" {MINT} "},
    ],
)
def test_a_row_that_links_an_event(change: dict[str, Any]) -> None:
    assert event_link({**EVENT, **change}, PROGRAM_ID) == ("evt", GRANT)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "text",
        {**EVENT, "id": 7},
        {**EVENT, "id": None},
        {**EVENT, "solanaAuthority": None},
        {**EVENT, "solanaAuthority": "no key"},
        {**EVENT, "solanaMint": "no key"},
        {name: value for name, value in EVENT.items() if name != "solanaMint"},
        {**EVENT, "solanaGrantId": "seven"},
        {**EVENT, "solanaGrantId": None},
        {**EVENT, "solanaGrantId": -1},
        {**EVENT, "solanaGrantId": "7 7"},
        {**EVENT, "solanaGrantId": "７"},
        {**EVENT, "solanaGrantId": "7.0"},
        {**EVENT, "solanaGrantId": ""},
        {**EVENT, "solanaGrantId": 1 << 64},
    ],
)
def test_a_row_that_links_none(row: Any) -> None:
    assert event_link(row, PROGRAM_ID) is None


def test_the_widest_grant_id() -> None:
    link = event_link({**EVENT, "solanaGrantId": str((1 << 64) - 1)}, PROGRAM_ID)
    assert link is not None
    assert link[1] == grant_address(SCHOOL, MINT, (1 << 64) - 1)
    assert event_link({**EVENT, "solanaGrantId": 0}, PROGRAM_ID) is not None


def links(**change: Any) -> list[tuple[str, str, str]]:
    entries = change.get("entries", [])
    header = SimpleNamespace(
        events=change.get("events", []), grants=[GRANT, OTHER], program_id=PROGRAM_ID
    )
    evidence: Any = SimpleNamespace(
        header=header, answers=change.get("answers", {}), storage=change.get("storage")
    )
    audit: Any = SimpleNamespace(ordered=entries, is_orphan=lambda entry: entry == "orphan")
    return [(link.event, link.grant, link.source) for link in links_of_case(evidence, audit)]


def entry(data: Any, name: str = "EVENT_CREATE", entry_hash: str = "entry") -> SimpleNamespace:
    """An audit entry on the stream of another event than EVENT names."""
    return SimpleNamespace(event=name, event_id="stream", data=data, hash=entry_hash)


def test_event_links_by_every_source() -> None:
    assert links(events=[("a", GRANT), ("b", "another case's")]) == [("a", GRANT, "case.json")]
    told = answer({"items": [EVENT, {**EVENT, "solanaGrantId": 9}, 7]})
    assert links(answers={"events": told}) == [("evt", GRANT, "events")], (
        "a grant of the case alone"
    )
    assert links(answers={"events": answer({"items": [EVENT]}, is_ok=False)}) == []
    assert links(answers={"events": answer({"items": EVENT})}) == []
    both = links(answers={"events": told}, entries=[entry({**EVENT, "id": "made"})])
    assert both == [("evt", GRANT, "events"), ("made", GRANT, "EVENT_CREATE")]
    assert links(entries=[entry(EVENT)]) == [("evt", GRANT, "EVENT_CREATE")]
    nameless = {name: value for name, value in EVENT.items() if name != "id"}
    assert links(entries=[entry(nameless)]) == [("stream", GRANT, "EVENT_CREATE")], (
        "the entry's stream is the event's"
    )
    assert links(entries=[entry(EVENT, entry_hash="orphan")]) == []
    assert links(entries=[entry(EVENT, "EVENT_UPDATE")]) == []
    rows = {key: SimpleNamespace(value={**EVENT, "id": key}) for key in ("event:evt", "claim:evt")}
    assert links(storage=rows) == [("event:evt", GRANT, "storage")]


def test_event_links_are_in_the_order_of_grants_and_events() -> None:
    told = [("b", GRANT), ("a", OTHER), ("a", GRANT), ("b", GRANT)]
    found = links(events=told, answers={"events": answer({"items": [{**EVENT, "id": "a"}]})})
    assert found == sorted(
        [(e, g, "case.json") for e, g in set(told)] + [("a", GRANT, "events")],
        key=lambda link: (link[1], link[0], link[2]),
    )


# -- accounts --


@pytest.mark.parametrize(("slot", "since"), [(9, False), (10, True), (11, True), (None, True)])
def test_an_account_shows_what_was_written_by_the_slot_in_which_it_was_read(
    slot: int | None, since: bool
) -> None:
    def collected(exists: bool) -> CollectedAccounts:
        row: Any = SimpleNamespace(slot=slot, exists=exists)
        return CollectedAccounts({"account": row}, PROGRAM_ID)

    assert collected(True).is_collected_since("account", 10) is since
    assert collected(False).is_collected_since("account", 10) is (since and slot is not None), (
        "of an unknown age, nothing says nothing"
    )
    assert not collected(True).is_collected_since("another", 10)


@pytest.mark.parametrize(
    ("slot", "exists", "wanted"),
    [(9, True, True), (9, False, False), (None, True, True), (None, False, None)],
)
def test_whether_a_receipt_exists(slot: int | None, exists: bool, wanted: bool | None) -> None:
    row: Any = SimpleNamespace(slot=slot, exists=exists)
    collected = CollectedAccounts({receipt_address(GRANT, SCHOOL, 1): row}, PROGRAM_ID)
    assert collected.receipt_exists(GRANT, SCHOOL, 1) is wanted
    assert collected.receipt_exists(GRANT, SCHOOL, 2) is None, "another period's was not collected"
    elsewhere = CollectedAccounts(collected.rows, SCHOOL)
    assert elsewhere.receipt_exists(GRANT, SCHOOL, 1) is None, (
        "another program's receipt has another address"
    )


# -- ticket receipts --


def test_receipts_are_those_given_and_those_in_the_storage() -> None:
    place = Place("worker/storage.jsonl", 3, None, "digest")
    kept = {
        key: StoredRow(key, {"receiptId": key}, place)
        for key in ("ticket_receipt:a", "ticket_receipt_subject:b", "ticket:c")
    }
    kept["ticket_receipt:d"] = StoredRow("ticket_receipt:d", "text", place)
    given = SimpleNamespace(receipt={"receiptId": "given"}, place=PLACE)
    evidence: Any = SimpleNamespace(receipts=[given], storage=kept)
    rows = receipt_rows(evidence)
    assert [receipt["receiptId"] for receipt, _ in rows] == [
        "given",
        "ticket_receipt:a",
        "ticket_receipt_subject:b",
    ]
    assert [where for _, where in rows][:2] == [
        PLACE,
        Place("worker/storage.jsonl", 3, "ticket_receipt:a", "digest"),
    ]
    nothing: Any = SimpleNamespace(receipts=None, storage=None)
    assert receipt_rows(nothing) == []


@pytest.mark.parametrize(
    ("wrong", "unknown", "counts"),
    [
        ((), (), True),
        (("receiptHash",), (), False),
        ((), ("entry",), False),
        ((), ("subjectCommitment",), True),
    ],
)
def test_a_receipt_that_holds_tells_of_the_objects_of_its_entry(
    wrong: tuple[str, ...], unknown: tuple[str, ...], counts: bool
) -> None:
    rows = line(4)
    bare = [{name: value for name, value in told.items() if name != "immutable"} for told in rows]
    bucket = objects(rows)
    gone = canonical.object_keys(rows[1])[0]
    del bucket[gone]
    sinks = [
        {"sink": "r2_entry", "ref": key, "at": told["ts"]}
        for told in rows
        for key in [canonical.object_keys(told)[0]]
    ]
    receipt = {"receiptId": "r", "issuedAt": rows[1]["ts"], "audit": {"immutableSinks": sinks}}
    check = ReceiptCheck("r", wrong, unknown, None, PLACE)

    def missing(told: dict[str, Any]) -> list[str]:
        sinks = sinks_of_receipts([(told, PLACE)], [check])
        return find_tampering(records_of(bare, None, bucket), (), sinks).missing_objects

    assert missing(receipt) == ([gone] if counts else [])
    assert missing({**receipt, "receiptId": "another"}) == []
    assert missing({**receipt, "issuedAt": None}) == []
    assert (
        missing({**receipt, "audit": None})
        == missing({**receipt, "audit": {"immutableSinks": "text"}})
        == []
    )
    assert missing({**receipt, "audit": {"immutableSinks": None}}) == []


def test_a_receipt_that_tells_nothing_hides_none_after_it() -> None:
    rows = line(4)
    bucket = objects(rows)
    gone = canonical.object_keys(rows[1])[0]
    del bucket[gone]
    sinks = [
        {"sink": "r2_entry", "ref": canonical.object_keys(row)[0], "at": row["ts"]} for row in rows
    ]
    told = [
        {"receiptId": "bare"},
        {"receiptId": "r", "issuedAt": rows[1]["ts"], "audit": {"immutableSinks": sinks}},
    ]
    bare = [{name: value for name, value in row.items() if name != "immutable"} for row in rows]
    checks = [ReceiptCheck(name, (), (), None, PLACE) for name in ("bare", "r")]
    named = sinks_of_receipts([(receipt, PLACE) for receipt in told], checks)
    assert find_tampering(records_of(bare, None, bucket), (), named).missing_objects == [gone]


# -- whose proofs and reports count --


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"proof_signature_holds": False}, False),
        ({"grant": 9}, False),
        ({"signer": 4}, False),
        ({"message_version": 1}, False),
        ({"message_version": 0}, False),
    ],
)
def test_an_audit_hash_counts_where_the_grant_s_issuer_signed_it(
    change: dict[str, Any], counts: bool
) -> None:
    keys = Attribution({"grant 1": {"signer 3"}})
    assert signed_audit_hashes(table(change), keys) == ({"audit 22"} if counts else set())
    assert signed_audit_hashes(table(change, {"audit": 5}), keys) == {"audit 5"} | (
        {"audit 22"} if counts else set()
    )


def test_reports_are_of_every_grant_of_their_event() -> None:
    def report(event: str, *logs: str, message: str = "") -> Any:
        return SimpleNamespace(event_id=event, logs=list(logs), message=message)

    simulated = "Transaction simulation failed: Error processing Instruction 1: custom program error: 0x178a"
    told = [
        report("a", message=simulated),
        report("b", message=simulated),
        report("a", message="the network is down"),
        report("c"),
    ]
    linked = [
        EventLink("a", OTHER, "x"),
        EventLink("a", GRANT, "x"),
        EventLink("b", GRANT, "x"),
        EventLink("c", GRANT, "x"),
    ]
    found = reported_failures(told, linked, PROGRAM_ID)
    pairs = [(told.index(r.report), r.grant) for r in found]
    assert pairs == [*((0, grant) for grant in sorted([GRANT, OTHER])), (1, GRANT)]
    assert {r.failure.code for r in found} == {0x178A}
    assert {r.failure.program for r in reported_failures(told, linked, SCHOOL)} == {SCHOOL}, (
        "of the program that is named"
    )
    assert reported_failures([], linked, PROGRAM_ID) == []


def test_anchors_that_a_true_history_record_names_are_missed() -> None:
    rows = line(4, 20_000)
    kept = rows[:1] + rows[2:]
    gone = rows[1]["entry_hash"]

    def removed(holds: bool, anchor: str | None) -> list[str]:
        row: Any = SimpleNamespace(holds=holds, anchor_hash=anchor, issued_at=SECOND + 15)
        return find_tampering(records_of(None, stored(kept)), (), (), anchors_named([row])).removed

    unnamed = min(hashes(kept))[:-4] + "ffff"  # inside what the export covers
    assert unnamed in removed(True, unnamed)
    assert unnamed not in removed(False, unnamed)
    assert gone in removed(False, None), "the entry after it names it"


def attributed(*rows: dict[str, Any], signer_now: str | None = None) -> dict[str, set[str]]:
    """The keys that may sign for grants 1 and 2, of which pop-config is known to have named one key
    each.
    """
    told: Any = SimpleNamespace(
        authority_of=lambda grant: f"owner of {grant}",
        signers_ever=lambda owner: {f"named by {owner}"},
    )
    return attribution_of(table(*rows), told, ["grant 1", "grant 2"], signer_now).keys


NAMED = {"grant 1": {"named by owner of grant 1"}, "grant 2": {"named by owner of grant 2"}}


def test_keys_are_those_that_pop_config_or_the_worker_names() -> None:
    assert attributed() == NAMED
    assert attributed(signer_now="now") == {grant: keys | {"now"} for grant, keys in NAMED.items()}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, True),
        ({"accepted": False}, False),
        ({"place": None}, False),
        ({"place": "elsewhere"}, False),
        ({"holds": False}, False),
        ({"holds": None}, False),
        ({"grant": 9}, False),
    ],
)
def test_an_accepted_claim_shows_its_signer(change: dict[str, Any], shown: bool) -> None:
    accepted = {"accepted": True, "signer": 3, **change}
    assert attributed({"signer": 4}, accepted) == (
        NAMED if not shown else {**NAMED, "grant 1": NAMED["grant 1"] | {"signer 3"}}
    )


# -- which program, by all that the case holds --


def test_the_worker_s_model_counts_by_anchors_whose_request_its_trail_shows(tmp_path: Path) -> None:
    """An anchor that anyone can post, in the form of a later model, says nothing of the program."""
    world, handle, _ = sound()
    head = world.head(handle)
    event = world.worker.event_of(handle.address)
    data = {
        "eventId": event,
        "grant": handle.address,
        "claimer": SCHOOL,
        "periodIndex": "0",
        "prevHash": head,
        "streamPrevHash": head,
    }
    data |= {"receiptHash": "cd" * 32, "hashSource": "storage", "popChainAdvanced": True}
    world.worker.append(
        "POP_CLAIM_PROOF_ANCHOR", f"pop:{event}", {"type": "wallet", "id": "x"}, data
    )
    made_up = popkit.open_case(write_case(tmp_path / "made up", world.collect())).facts.era_now
    assert (made_up.era, made_up.decided_by) == ("strict", "worker model")
    body = {name: data[name] for name in ("eventId", "grant", "claimer", "periodIndex")}
    world.worker.api("POST", "/v1/school/pop-proof", event, body=body)
    shown = popkit.open_case(write_case(tmp_path / "asked for", world.collect())).facts.era_now
    assert shown.era != "strict", "model D was never published with the strict program"


def test_an_option_decides_where_nothing_else_does(tmp_path: Path) -> None:
    world, _, _ = sound("relaxed", "D")
    case = popkit.open_case(write_case(tmp_path, world.collect(worker=False)))
    assert case.facts.era_now.decided_by == "date"
    assert Facts(case.evidence, "strict_v2").era_now.era == "strict_v2"


def test_a_time_that_cannot_be_decides_no_era(tmp_path: Path) -> None:
    world, _, _ = sound("relaxed", "D")
    files = world.collect(worker=False)
    files["case.json"]["collected_at"] = 1
    now = popkit.open_case(write_case(tmp_path, files)).facts.era_now
    assert now.may_be_strict
    assert now.may_be_relaxed


def test_a_claim_on_a_parent_that_never_landed_shows_the_relaxed_program_to_every_grant(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound("relaxed", "D")
    other = world.grant(2)
    world.worker.heads[handle.address] = [world.head(handle)] * 2
    world.worker.issue(handle.address, world.address("quiet"))
    world.attempted.add((handle.address, world.address("quiet"), 0))
    assert world.ticket(handle, "dan").landed.err is None, "its parent is the quiet wallet's proof"
    world.tick(30)
    facts = popkit.open_case(write_case(tmp_path, world.collect())).facts
    assert facts.era_now.decided_by == "behaviour", (
        "whoever asks for the eras first gets the final ones"
    )
    for grant in (other.address, handle.address):
        now = facts.line(grant).chain.eras.at(1 << 40, world.now)
        assert (now.era, now.decided_by, now.may_be_strict) == ("relaxed", "behaviour", False)


# -- the relaxed program by a parent that never landed --

DAY = EARLIEST["relaxed"]


def shown_by_parents(
    *claims: Any, parent: dict[str, Any] | None = None, receipt: Any = None
) -> list[tuple[int, frozenset[str]]]:
    """What accepted claims on a proof of the school's, for period 1, show; its receipt was
    collected as given.
    """
    known = {"confirmed": True, "anchor": "anchor", "accepted": None} | (parent or {})
    proof = Proof("parent", "g", "g", SCHOOL, 1, DAY, "audit", **known)
    chain = SimpleNamespace(grant=GRANT, accepted=list(claims), linked=list(claims))
    line: Any = SimpleNamespace(chain=chain, proofs={"parent": proof})
    rows = {} if receipt is None else {receipt_address(GRANT, SCHOOL, 1): receipt}
    return [
        (shown.slot, shown.allowed)
        for shown in shown_by_lost_parents(line, CollectedAccounts(rows, PROGRAM_ID))
    ]


GONE = SimpleNamespace(exists=False, slot=99)
CHILD = claim("child", "parent", 20, block_time=DAY)
RELAXED = [(20, only("relaxed"))]


def test_a_claim_accepted_on_a_proof_that_never_landed_shows_the_relaxed_program() -> None:
    assert shown_by_parents(CHILD, receipt=GONE) == RELAXED
    other = claim("other", "another parent", 10, block_time=DAY)
    assert shown_by_parents(other, CHILD, receipt=GONE) == RELAXED, (
        "one that shows nothing hides none after it"
    )
    early = claim("early", "parent", 10, block_time=DAY - 1)
    assert shown_by_parents(early, CHILD, receipt=GONE) == RELAXED
    claimed = claim("theirs", "another parent", 10, claimer=SCHOOL, period_index=1)
    assert shown_by_parents(CHILD, claimed) == RELAXED, "its period is another claim's"
    assert shown_by_parents(CHILD, claim("theirs", "x", 10, claimer=SCHOOL, period_index=2)) == []


@pytest.mark.parametrize(
    "parent",
    [
        {"accepted": CHILD},
        {"anchor": None},
        {"confirmed": False},
        {"anchor": None, "confirmed": False},
    ],
)
def test_a_parent_that_may_have_landed_or_is_not_the_worker_s_shows_nothing(
    parent: dict[str, Any],
) -> None:
    assert shown_by_parents(CHILD, parent=parent, receipt=GONE) == []
    assert (
        shown_by_parents(CHILD, parent={"anchor": None, "in_history": True}, receipt=GONE)
        == RELAXED
    )


@pytest.mark.parametrize(
    ("receipt", "shows"),
    [
        (SimpleNamespace(exists=False, slot=20), True),
        (SimpleNamespace(exists=False, slot=19), False),
        (SimpleNamespace(exists=True, slot=99), False),
        (None, False),
    ],
)
def test_a_parent_s_receipt_must_be_said_not_to_exist_since(receipt: Any, shows: bool) -> None:
    assert shown_by_parents(CHILD, receipt=receipt) == (RELAXED if shows else [])


@pytest.mark.parametrize(
    ("block_time", "issued_at", "shows"),
    [
        (DAY, 0, True),
        (DAY - 1, DAY, False),
        (None, DAY, True),
        (None, DAY - 1, False),
        (None, None, False),
        (DAY, None, True),
    ],
)
def test_a_claim_of_before_the_relaxed_program_s_first_day_shows_nothing(
    block_time: int | None, issued_at: int | None, shows: bool
) -> None:
    child = claim("child", "parent", 20, block_time=block_time, issued_at=issued_at)
    assert shown_by_parents(child, receipt=GONE) == (RELAXED if shows else [])


# -- what was listed and what was given --


def listing(rows: Any, given: list[str], **more: Any) -> Listing:
    claims: Any = SimpleNamespace(transactions=SimpleNamespace(signature=given), unread_calls=[])
    return Listing(None if rows is None else {row.signature: row for row in rows}, claims, **more)


def row(signature: str, err: Any, *addresses: str) -> Any:
    return SimpleNamespace(signature=signature, err=err, addresses=frozenset(addresses))


def test_addresses_of_which_a_transaction_was_listed_and_not_given() -> None:
    rows = [
        row("given", None, "a", "b"),
        row("refused", {"x": 1}, "c"),
        row("missing", None, "b", "d"),
        row("given too", {"x": 1}, "e"),
    ]
    found = listing(rows, ["given", "given too"])
    assert (found.addresses, found.unread) == ({"a", "b", "c", "d", "e"}, {"b", "d"})
    nothing = listing(None, ["given"])
    assert (nothing.addresses, nothing.unread) == (None, set())


def test_a_list_is_whole_where_every_transaction_of_it_was_given() -> None:
    rows = [row("given", None, "a"), row("refused", {"x": 1}, "a"), row("missing", None, "b")]
    assert not listing(rows, ["given"]).is_whole("a")
    assert listing(rows, ["given"]).is_whole("a", accepted_alone=True)
    assert listing(rows, ["given", "refused"]).is_whole("a")
    assert not listing(rows, ["given", "refused"]).is_whole("b", accepted_alone=True)
    assert not listing(rows, ["given", "refused", "missing"]).is_whole("c"), "it was never listed"
    assert not listing(None, ["given"]).is_whole("a")
    assert not listing(rows, [], has_transactions=False).is_whole("a", accepted_alone=True)


def test_what_cannot_be_decoded_is_a_problem_of_the_evidence(tmp_path: Path) -> None:
    world, _, done = sound()
    files = json.loads(json.dumps(world.collect()))
    row = next(
        row for row in files["rpc/transactions.jsonl"] if row["signature"] == done[0].signature
    )
    row["result"]["transaction"][0] = "AAAA"
    facts = popkit.open_case(write_case(tmp_path, files)).facts
    assert [problem.place.file for problem in facts.problems] == ["rpc/transactions.jsonl"]
    assert (facts.now, facts.accounts == facts.evidence.accounts) == (
        files["case.json"]["collected_at"],
        True,
    )


@pytest.mark.parametrize("ahead", [0, 7200, -7200])
def test_a_list_asked_for_is_dated_by_the_clock_of_the_worker(ahead: int) -> None:
    """A collector's clock may be hours wrong: what the worker said of the time, when it was asked,
    sets its notes right.
    """
    asked = 1_790_000_000
    status = SimpleNamespace(
        is_ok=True, body={"checkedAt": "2026-09-21T14:13:20.000Z"}, asked_at=asked - ahead
    )
    shown = SimpleNamespace(
        is_ok=True, body={"logs": [{"entry_hash": "ab"}]}, asked_at=asked + 30 - ahead
    )
    evidence: Any = SimpleNamespace(asked={"runtime-status": [status]}, earlier_lists=[shown])
    assert clock_ahead(evidence) == ahead
    assert lists_asked_for(evidence) == [(asked + 30, {"ab"})]
