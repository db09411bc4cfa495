"""Claim attempts and the worker's records of them, each rule by the smallest row that it can be
told from.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import popkit
from popkit.chain.attempts import Attempt, _came_after
from popkit.drill.case import write_case
from popkit.drill.world import World, sound
from popkit.evidence.lines import Place
from popkit.protocol.errors import Layer, TransactionFailure
from popkit.worker.claim_records import ClaimRecord, read_claim_records
from popkit.worker.reports import ReportedFailure
from tests.diagnosis.small_chains import REFUSED

WORLD = World()
ANN, BOB, MINT, RECEIPT = (WORLD.address(role) for role in ("ann", "bob", "mint", "receipt"))


def failure_of(error: str | None, layer: Layer, code: int | None = None) -> TransactionFailure:
    return TransactionFailure(error, layer, code, 1, None, frozenset(), "log")


IN_USE = failure_of("Custom(0)", "system", 0)


def attempt(failure: TransactionFailure | None, own: bool = True) -> Attempt:
    """A claim attempt of which nothing but its end matters."""
    values: dict[str, Any] = dict.fromkeys(Attempt._fields)
    return Attempt(**{**values, "failure": failure, "own_failure": own})


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (None, None),
        (REFUSED, "PopHashChainBroken"),
        (IN_USE, "Custom(0)"),
        (failure_of(None, "precompile", 2), "Custom(2)"),
        (failure_of(None, "precompile", 0), "Custom(0)"),
        (failure_of(None, "unknown"), None),
    ],
)
def test_the_name_of_an_error_or_its_number(
    failure: TransactionFailure | None, error: str | None
) -> None:
    assert attempt(failure).error == error
    if failure is not None:
        report: Any = None
        assert ReportedFailure(report, "grant", failure).error == error


def test_what_a_refusal_was_by() -> None:
    for failure, own, found, chain in (
        (IN_USE, True, True, False),
        (IN_USE, False, False, False),
        (failure_of("Custom(1)", "system", 1), True, False, False),
        (failure_of("Custom(0)", "token", 0), True, False, False),
        (REFUSED, True, False, True),
        (REFUSED, False, False, False),
        (failure_of("PopHashChainBroken", "unknown", 6026), True, False, False),
        (failure_of("Paused", "program", 6000), True, False, False),
        (None, True, False, False),
    ):
        told = attempt(failure, own)
        assert (told.found_a_receipt, told.broke_chain_rule) == (found, chain), failure


@pytest.mark.parametrize(
    ("accepted", "failure", "own", "after"),
    [
        (None, IN_USE, True, False),
        (11, IN_USE, True, False),
        (9, REFUSED, True, True),
        (10, REFUSED, True, False),
        (10, REFUSED, False, True),
        (10, IN_USE, True, True),
        (10, None, True, True),
    ],
)
def test_an_entry_that_was_sent_again_after_it_was_accepted(
    accepted: int | None, failure: TransactionFailure | None, own: bool, after: bool
) -> None:
    claims: Any = SimpleNamespace(slot=[10], failure=[failure], own_failure=[own])
    assert _came_after(claims, 0, accepted) is after


# -- the worker's records --


def recorded(
    data: Any, event: str = "WALLET_CLAIM", stream: str = "evt", **more: Any
) -> list[ClaimRecord]:
    """The claim records of one audit entry, or of what else the worker answered."""
    place = Place(more.get("file", "worker/r2.jsonl"))
    entry = SimpleNamespace(
        event=event, event_id=stream, hash="entry", data=data, place=place, ts_ms=1771830000123
    )
    rows = [] if data is None else [entry]
    audit = SimpleNamespace(
        ordered=rows,
        is_orphan=lambda name: more.get("orphan", False),
        entries={row.hash: row for row in rows},
    )
    evidence = SimpleNamespace(answers=more.get("answers", {}), storage=more.get("storage"))
    return read_claim_records(evidence, audit)  # type: ignore[arg-type]


def claim(**transfer: Any) -> dict[str, Any]:
    told = {
        "mode": "onchain",
        "txSignature": "sig",
        "receiptPubkey": RECEIPT,
        "recipient": {"type": "wallet", "id": ANN},
    }
    return {
        "eventId": "evt",
        "confirmationCode": "ABC234",
        "transfer": told | transfer,
        "pii": {"walletAddress": ANN},
    }


WHOLE = ClaimRecord("evt", (ANN,), "sig", RECEIPT, "entry", "worker/r2", "ABC234", 1771830000123)


def test_a_record_whole() -> None:
    assert recorded(claim()) == [WHOLE]
    assert recorded(claim(), "USER_CLAIM") == [WHOLE]
    assert recorded(claim(), "EVENT_CREATE") == []
    for file in ("worker/r2.jsonl.zst", "worker/r2/audit/immutable/entry/entry.json"):
        assert recorded(claim(), file=file) == [WHOLE], "however the bucket is packed"
    assert recorded(claim(), orphan=True) == []


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"mode": "offchain"}, "tx_signature", None),
        ({"txSignature": ""}, "tx_signature", None),
        ({"txSignature": 7}, "tx_signature", None),
        ({"receiptPubkey": "no key"}, "receipt", None),
        ({"receiptPubkey": None}, "receipt", None),
        ({"recipient": {"id": BOB}}, "wallets", (BOB, ANN)),
        ({"recipient": {"id": "user-1"}}, "wallets", (ANN,)),
        ({"recipient": "text"}, "wallets", (ANN,)),
    ],
)
def test_a_field_of_a_transfer(change: dict[str, Any], field: str, value: Any) -> None:
    [record] = recorded(claim(**change))
    expected = {name: getattr(WHOLE, name) for name in ClaimRecord.__slots__} | {field: value}
    assert record == ClaimRecord(**expected)


def test_a_record_of_which_parts_are_missing() -> None:
    assert recorded({"transfer": "text", "pii": 7, "confirmationCode": 7}, stream="stream") == [
        ClaimRecord("stream", (), None, None, "entry", "worker/r2", None, 1771830000123)
    ]
    assert recorded({"eventId": 7}, stream="stream")[0].event_id == "stream"
    assert recorded({"eventId": "told"}, stream="stream")[0].event_id == "told"
    assert recorded({**claim(), "pii": {"walletAddress": BOB}})[0].wallets == (ANN, BOB)


def test_transfers_and_storage_rows_tell_of_claims_too() -> None:
    item = {
        **claim(),
        "event": "WALLET_CLAIM",
        "entryHash": "other",
        "ts": "2026-02-23T07:00:00.007Z",
    }
    told = {
        "transfers": SimpleNamespace(
            is_ok=True,
            body={"items": [item, {**item, "entryHash": "entry"}, {**item, "event": "API"}, 7]},
        )
    }
    from_transfers = ClaimRecord(
        "evt", (ANN,), "sig", RECEIPT, "other", "worker/transfers.json", "ABC234", 1771830000007
    )
    assert recorded(claim(), answers=told) == [WHOLE, from_transfers]
    told["transfers"].body = {"items": [{**item, "eventId": 7, "ts": None}]}
    assert [(r.event_id, r.ts_ms) for r in recorded(None, answers=told)] == [("7", None)], (
        "no text, and yet its name"
    )
    told["transfers"].is_ok = False
    assert recorded(claim(), answers=told) == [WHOLE]
    told["transfers"].is_ok, told["transfers"].body = True, {"items": "text"}
    assert recorded(claim(), answers=told) == [WHOLE]
    others = (
        "claim:evt:user-1",
        "claim:evt",
        "claim:",
        f"event:evt:{BOB}",
        f"claim:evt:{BOB}:x",
        f"claim:evt:x:{BOB}",
    )
    storage = dict.fromkeys([f"claim:evt:{BOB}", *others], 1)
    assert recorded(None, storage=storage) == [
        ClaimRecord("evt", (BOB,), None, None, f"claim:evt:{BOB}", "worker/storage.jsonl")
    ]


def test_records_are_in_the_order_of_events_and_keys() -> None:
    storage = {f"claim:{event}:{wallet}": 1 for event in ("b", "a") for wallet in (ANN, BOB)}
    found = recorded(claim(), storage=storage)
    assert [(r.event_id, r.key) for r in found] == sorted((r.event_id, r.key) for r in found)
    assert {r.event_id for r in found} == {"a", "b", "evt"}


def test_ticket_receipts_by_each_entry_that_they_name(tmp_path: Path) -> None:
    world, _, _ = sound("strict_v2", "B")
    files = world.collect(receipts=True)
    first, second = files["worker/ticket-receipts.jsonl"][:2]
    names = first["receiptId"], second["receiptId"]
    crossed = {**first, "audit": {**first["audit"], "entryHash": names[1]}}
    bare = {**second, "audit": None}
    files["worker/ticket-receipts.jsonl"] = [first, crossed]
    files["worker/storage.jsonl"] = [{"key": "ticket_receipt:evt:CODE", "value": bare}]
    found = popkit.open_case(write_case(tmp_path, files)).facts.receipts_by_entry
    rows = [first, crossed, bare]
    told = {
        name: sorted(rows.index(receipt) for receipt, _ in pairs) for name, pairs in found.items()
    }
    assert told == {names[0]: [0, 1], names[1]: [1, 2], "None": [2]}
    assert {place.file for _, place in found[names[0]]} == {"worker/ticket-receipts.jsonl"}
