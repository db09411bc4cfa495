"""What a diagnosis reads, each by the smallest evidence that tells it: event links, the signer, receipts, when accounts were read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.attempts import Attribution
from popkit.audit.receipts import ReceiptCheck
from popkit.diagnosis.facts import EventLink, Facts, _link
from popkit.evidence.lines import Place
from popkit.evidence.worker import StoredRow
from popkit.protocol import canonical
from popkit.protocol.pda import grant_address
from tests.diagnosis.audit_rows import PLACE, SECOND, line, objects, records_of, stored
from tests.simulation.world import World

WORLD = World()
SCHOOL, MINT = WORLD.address("school"), WORLD.address("mint")
GRANT, OTHER = grant_address(SCHOOL, MINT, 7), grant_address(SCHOOL, MINT, 8)
EVENT = {"id": "evt", "solanaAuthority": SCHOOL, "solanaMint": MINT, "solanaGrantId": "7"}


def ask(name: str, **fields: Any) -> Any:
    """A fact of which only these fields of the evidence are known."""
    return vars(Facts)[name].func(SimpleNamespace(**fields))


def answer(body: Any, is_ok: bool = True) -> SimpleNamespace:
    return SimpleNamespace(is_ok=is_ok, body=body)


# -- events and grants --


@pytest.mark.parametrize(
    "change", [{}, {"solanaGrantId": 7}, {"id": None, "eventId": "evt"}, {"id": "", "eventId": "evt"}, {"title": "whatever else"}]
)
def test_a_row_that_links_an_event(change: dict[str, Any]) -> None:
    assert _link({**EVENT, **change}, "events") == EventLink("evt", GRANT, "events")


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
        {**EVENT, "solanaGrantId": 1 << 64},
    ],
)
def test_a_row_that_links_none(row: Any) -> None:
    assert _link(row, "events") is None


def test_the_widest_grant_id() -> None:
    link = _link({**EVENT, "solanaGrantId": str((1 << 64) - 1)}, "events")
    assert link is not None
    assert link.grant == grant_address(SCHOOL, MINT, (1 << 64) - 1)
    assert _link({**EVENT, "solanaGrantId": 0}, "events") is not None


def links(**change: Any) -> list[tuple[str, str, str]]:
    entries = change.get("entries", [])
    fields = {
        "header": SimpleNamespace(events=change.get("events", []), grants=[GRANT, OTHER]),
        "evidence": SimpleNamespace(answers=change.get("answers", {}), storage=change.get("storage")),
        "audit": SimpleNamespace(ordered=entries, is_orphan=lambda entry: entry == "orphan"),
    }
    return [(link.event, link.grant, link.source) for link in ask("event_links", **fields)]


def test_event_links_by_every_source() -> None:
    assert links(events=[("a", GRANT), ("b", "another case's")]) == [("a", GRANT, "case.json")]
    told = answer({"items": [EVENT, {**EVENT, "solanaGrantId": 9}, 7]})
    assert links(answers={"events": told}) == [("evt", GRANT, "events")], "a grant of the case alone"
    assert links(answers={"events": answer({"items": [EVENT]}, is_ok=False)}) == []
    assert links(answers={"events": answer({"items": EVENT})}) == []
    both = links(answers={"events": told}, entries=[SimpleNamespace(event="EVENT_CREATE", data={**EVENT, "id": "made"}, hash="entry")])
    assert both == [("evt", GRANT, "events"), ("made", GRANT, "EVENT_CREATE")]
    created = SimpleNamespace(event="EVENT_CREATE", data=EVENT, hash="entry")
    assert links(entries=[created]) == [("evt", GRANT, "EVENT_CREATE")]
    assert links(entries=[SimpleNamespace(event="EVENT_CREATE", data=EVENT, hash="orphan")]) == []
    assert links(entries=[SimpleNamespace(event="EVENT_UPDATE", data=EVENT, hash="entry")]) == []
    rows = {key: SimpleNamespace(value={**EVENT, "id": key}) for key in ("event:evt", "claim:evt")}
    assert links(storage=rows) == [("event:evt", GRANT, "storage")]


def test_event_links_are_in_the_order_of_grants_and_events() -> None:
    told = [("b", GRANT), ("a", OTHER), ("a", GRANT), ("b", GRANT)]
    found = links(events=told, answers={"events": answer({"items": [{**EVENT, "id": "a"}]})})
    assert found == sorted(
        [(e, g, "case.json") for e, g in set(told)] + [("a", GRANT, "events")], key=lambda link: (link[1], link[0], link[2])
    )


# -- the worker's signer --


def test_the_signer_that_the_worker_s_status_names() -> None:
    def signer(**answers: Any) -> Any:
        named = {name.replace("_", "-"): told for name, told in answers.items()}
        return ask("signer_now", evidence=SimpleNamespace(answers=named))

    status, runtime = answer({"signerPubkey": SCHOOL}), answer({"checks": {"popSignerPubkey": MINT}})
    assert signer(pop_status=status) == SCHOOL
    assert signer(runtime_status=runtime) == MINT
    assert signer(pop_status=status, runtime_status=runtime) == SCHOOL
    assert signer(pop_status=answer({"signerPubkey": None}), runtime_status=runtime) == MINT
    assert signer(pop_status=answer({"signerPubkey": SCHOOL}, is_ok=False)) is None
    assert signer(pop_status=answer({"signerPubkey": "redacted"})) is None
    assert signer(runtime_status=answer({"checks": "text"})) is None
    assert signer() is None


@pytest.mark.parametrize(
    ("taken", "named_at", "older"),
    [
        ("2026-02-23T07:00:00.000Z", 1771830000, False),
        ("2026-02-23T06:59:59.999Z", 1771830000, True),
        ("2026-02-23T07:00:00.000Z", None, False),
        ("yesterday", 1771830000, False),
        (7, 1771830000, False),
        (None, 1771830000, False),
    ],
)
def test_a_status_from_before_pop_config_was_last_changed(taken: Any, named_at: int | None, older: bool) -> None:
    def is_older(answers: dict[str, Any]) -> bool:
        told: Any = SimpleNamespace(
            evidence=SimpleNamespace(answers=answers),
            history=SimpleNamespace(signer_named_at=lambda authority: named_at if authority == SCHOOL else None),
        )
        return Facts.status_is_older(told, SCHOOL)

    body = {} if taken is None else {"checkedAt": taken}
    assert is_older({"runtime-status": answer(body)}) is older
    assert not is_older({"runtime-status": answer(body, is_ok=False)})
    assert not is_older({})


# -- accounts --


@pytest.mark.parametrize(("slot", "since"), [(9, False), (10, True), (11, True), (None, True)])
def test_an_account_shows_what_was_written_by_the_slot_in_which_it_was_read(slot: int | None, since: bool) -> None:
    told: Any = SimpleNamespace(accounts={"account": SimpleNamespace(slot=slot)})
    assert Facts.is_collected_since(told, "account", 10) is since
    assert not Facts.is_collected_since(told, "another", 10)


# -- ticket receipts --


def test_receipts_are_those_given_and_those_in_the_storage() -> None:
    place = Place("worker/storage.jsonl", 3, None, "digest")
    kept = {key: StoredRow(key, {"receiptId": key}, place) for key in ("ticket_receipt:a", "ticket_receipt_subject:b", "ticket:c")}
    kept["ticket_receipt:d"] = StoredRow("ticket_receipt:d", "text", place)
    given = SimpleNamespace(receipt={"receiptId": "given"}, place=PLACE)
    rows = ask("receipt_rows", evidence=SimpleNamespace(receipts=[given], storage=kept))
    assert [receipt["receiptId"] for receipt, _ in rows] == ["given", "ticket_receipt:a", "ticket_receipt_subject:b"]
    assert [where for _, where in rows][:2] == [PLACE, Place("worker/storage.jsonl", 3, "ticket_receipt:a", "digest")]
    assert ask("receipt_rows", evidence=SimpleNamespace(receipts=None, storage=None)) == []


@pytest.mark.parametrize(
    ("wrong", "unknown", "counts"),
    [((), (), True), (("receiptHash",), (), False), ((), ("entry",), False), ((), ("subjectCommitment",), True)],
)
def test_a_receipt_that_holds_tells_of_the_objects_of_its_entry(wrong: tuple[str, ...], unknown: tuple[str, ...], counts: bool) -> None:
    rows = line(4)
    bare = [{name: value for name, value in told.items() if name != "immutable"} for told in rows]
    bucket = objects(rows)
    gone = canonical.object_keys(rows[1])[0]
    del bucket[gone]
    sinks = [{"sink": "r2_entry", "ref": key, "at": told["ts"]} for told in rows for key in [canonical.object_keys(told)[0]]]
    receipt = {"receiptId": "r", "issuedAt": rows[1]["ts"], "audit": {"immutableSinks": sinks}}
    check = ReceiptCheck("r", wrong, unknown, None, PLACE)

    def missing(told: dict[str, Any]) -> list[str]:
        fields = {
            "audit": records_of(bare, None, bucket),
            "receipt_checks": [check],
            "storage_history": [],
            "receipt_rows": [(told, PLACE)],
        }
        found: list[str] = ask("tampering", **fields).missing_objects
        return found

    assert missing(receipt) == ([gone] if counts else [])
    assert missing({**receipt, "receiptId": "another"}) == []
    assert missing({**receipt, "issuedAt": None}) == []
    assert missing({**receipt, "audit": None}) == missing({**receipt, "audit": {"immutableSinks": "text"}}) == []


# -- whose proofs and reports count --


@pytest.mark.parametrize(
    ("holds", "grant", "signer", "counts"),
    [(True, "grant", "key", True), (False, "grant", "key", False), (True, "other", "key", False), (True, "grant", "another", False)],
)
def test_an_audit_hash_counts_where_the_grant_s_issuer_signed_it(holds: bool, grant: str, signer: str, counts: bool) -> None:
    claims = SimpleNamespace(key_text={"grant": [grant], "signer": [signer]}, proof_signature_holds=[holds])
    told: Any = SimpleNamespace(attribution=Attribution({"grant": {"key"}}), claims=claims)
    assert Facts._is_signed_for(told, 0) is counts


def test_reports_are_of_every_grant_of_their_event() -> None:
    def report(event: str, *logs: str, message: str = "") -> Any:
        return SimpleNamespace(event_id=event, logs=list(logs), message=message)

    simulated = "Transaction simulation failed: Error processing Instruction 1: custom program error: 0x178a"
    told = [report("a", message=simulated), report("b", message=simulated), report("a", message="the network is down"), report("c")]
    linked = [EventLink("a", OTHER, "x"), EventLink("a", GRANT, "x"), EventLink("b", GRANT, "x"), EventLink("c", GRANT, "x")]
    found = ask("reported", event_links=linked, evidence=SimpleNamespace(reports=told))
    pairs = [(told.index(r.report), r.grant) for r in found]
    assert pairs == [*((0, grant) for grant in sorted([GRANT, OTHER])), (1, GRANT)]
    assert {r.failure.code for r in found} == {0x178A}
    assert ask("reported", event_links=linked, evidence=SimpleNamespace(reports=None)) == []


def test_anchors_that_a_true_history_record_names_are_missed() -> None:
    rows = line(4)
    kept = rows[:1] + rows[2:]
    gone = rows[1]["entry_hash"]

    def removed(holds: bool, anchor: str | None) -> list[str]:
        row = SimpleNamespace(holds=holds, anchor_hash=anchor, issued_at=SECOND + 1)
        fields = {
            "audit": records_of(None, stored(kept)),
            "receipt_checks": [],
            "storage_history": [row],
            "receipt_rows": [],
        }
        found: list[str] = ask("tampering", **fields).removed
        return found

    unnamed = "ab" * 32
    assert unnamed in removed(True, unnamed)
    assert unnamed not in removed(False, unnamed)
    assert gone in removed(False, None), "the entry after it names it"
