"""Ticket receipts against their entries, field by field."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from popkit.audit.entries import GENESIS
from popkit.audit.receipts import (
    ReceiptCheck,
    check_receipt,
    check_receipts,
    receipts_made_by,
    subjects_of,
)
from popkit.protocol import canonical
from tests.diagnosis.audit_rows import (
    CODE,
    PLACE,
    WALLET,
    entry_of,
    hashes,
    objects,
    records_of,
    row,
    ts,
)


def claim_row(**fields: Any) -> dict[str, Any]:
    transfer = {"recipient": {"type": "wallet", "id": WALLET}}
    data = {"confirmationCode": CODE, "transfer": transfer}
    return row(
        100, "aa", "bb", **({"event": "WALLET_CLAIM", "eventId": "evt", "data": data} | fields)
    )


def receipt_of(told: dict[str, Any]) -> dict[str, Any]:
    [made] = receipts_made_by(entry_of(told))
    return copy.deepcopy(made)


def rehashed(receipt: dict[str, Any]) -> dict[str, Any]:
    return {**receipt, "receiptHash": canonical.receipt_hash(receipt)}


def checked(receipt: dict[str, Any], *rows: dict[str, Any], bucket: bool = False) -> ReceiptCheck:
    records = records_of(None, None, objects(rows)) if bucket else records_of(list(rows))
    return check_receipt(receipt, records, PLACE)


def test_a_true_receipt() -> None:
    before = [row(0, data={"n": 1}), row(50, data={"n": 2}, eventId="evt")]
    told = row(100, *hashes(before), event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    receipt = receipt_of(told)
    assert checked(receipt, *before, told) == ReceiptCheck(
        receipt["receiptId"], (), (), True, PLACE
    )
    assert checked(receipt, *before, told).observed == "the receipt says the same"
    assert checked(receipt, *before, told, bucket=True) == ReceiptCheck(
        receipt["receiptId"], (), ("audit.immutableSinks.at",), True, PLACE
    )
    assert checked(receipt, told).server_accepts is True, (
        "its predecessors may stand in the server's storage"
    )


def test_a_receipt_of_the_first_entry_of_all() -> None:
    told = row(100, GENESIS, GENESIS, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    assert checked(receipt_of(told), told).server_accepts is True


SAME = ("issuedAt", "confirmationCode", "subjectCommitment", "verifyEndpoint")
IN_AUDIT = (
    "event",
    "eventId",
    "prevHash",
    "streamPrevHash",
    "immutableMode",
    "immutablePayloadHash",
    "immutableSinks",
)
WRONG = {name: name for name in (*SAME, *(f"audit.{name}" for name in IN_AUDIT))} | {
    "version": "type",
    "type": "type",
}


@pytest.mark.parametrize("field", WRONG)
@pytest.mark.parametrize("value", ["other", 7, None])
def test_each_field_that_differs_is_named(field: str, value: Any) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    held = receipt["audit"] if field.startswith("audit.") else receipt
    held[field.removeprefix("audit.")] = value
    check = checked(rehashed(receipt), told)
    assert check.wrong == (WRONG[field],)
    assert check.observed == f"the receipt differs in {WRONG[field]}"
    assert check.is_bad
    assert check.place == PLACE


def test_a_receipt_hash_or_id_that_differs_is_named() -> None:
    told = claim_row()
    assert checked({**receipt_of(told), "receiptHash": "other"}, told).wrong == ("receiptHash",)
    assert checked(rehashed({**receipt_of(told), "receiptId": "other"}), told).wrong == (
        "receiptId",
    )
    assert checked(rehashed({**receipt_of(told), "receiptId": 7}), told) == ReceiptCheck(
        "", ("receiptId",), (), False, PLACE
    )
    bare = {k: v for k, v in receipt_of(told).items() if k != "receiptId"}
    assert checked(rehashed(bare), told).receipt_id == ""


@pytest.mark.parametrize("named", ["seat", "audit.seat", "audit.prevHashes"])
def test_a_field_that_no_receipt_has_is_named_and_the_server_passes_it(named: str) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    held = receipt["audit"] if named.startswith("audit.") else receipt
    held[named.removeprefix("audit.")] = "front row"
    assert checked(rehashed(receipt), told) == ReceiptCheck(
        told["entry_hash"], (named,), (), True, PLACE
    )
    assert checked(rehashed(receipt)) == ReceiptCheck(
        told["entry_hash"], (named,), ("entry",), False, PLACE
    )


@pytest.mark.parametrize("audit", [None, 7, []])
def test_a_receipt_without_its_audit_part(audit: Any) -> None:
    told = claim_row()
    check = checked(rehashed({**receipt_of(told), "audit": audit}), told)
    assert check.wrong[:1] == ("receiptId",)
    assert check.is_bad


def test_a_receipt_whose_entry_is_not_there() -> None:
    told = claim_row()
    unknown = ReceiptCheck(told["entry_hash"], (), ("entry",), None, PLACE)
    assert checked(receipt_of(told)) == unknown
    around = [row(0, data={"n": 1}), None, row(5000, data={"n": 3})]
    around[1] = row(4000, around[0]["entry_hash"], "s")  # type: ignore[index]
    absent = checked(receipt_of(told), around[0], around[1])  # type: ignore[arg-type]
    assert absent == ReceiptCheck(told["entry_hash"], ("entry",), (), False, PLACE)
    assert "the receipt is false, or the chain was rewritten" in absent.observed
    assert checked(receipt_of(told), around[2]) == unknown, "the chain does not cover its time"  # type: ignore[arg-type]
    child = row(200, told["entry_hash"], "x")
    assert checked(receipt_of(told), child) == unknown, (
        "gone, but named: the receipt is not shown to be false"
    )
    late = rehashed({**receipt_of(told), "issuedAt": ts(1999)})
    after = [row(2000, "gone"), None]
    after[1] = row(9000, after[0]["entry_hash"], "s")  # type: ignore[index]
    assert checked(late, *after).unknown == ("entry",), "a stretch that begins a millisecond later"  # type: ignore[arg-type]
    timeless = rehashed({**receipt_of(told), "issuedAt": "yesterday"})
    assert checked(timeless, around[0], around[1]).unknown == ("entry",)  # type: ignore[arg-type]
    edited = {**receipt_of(told), "receiptHash": "other"}
    assert checked(edited) == ReceiptCheck(
        told["entry_hash"], ("receiptHash",), ("entry",), False, PLACE
    )


def test_a_receipt_of_a_worker_without_an_immutable_sink() -> None:
    told = row(
        100, "aa", "bb", sinks=False, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"]
    )
    receipt = receipt_of(claim_row())
    off = {
        **receipt["audit"],
        "immutableMode": "off",
        "immutablePayloadHash": None,
        "immutableSinks": [],
    }
    check = checked(rehashed({**receipt, "audit": off}), told)
    assert (check.wrong, check.unknown) == ((), ("audit.immutableSinks.at",))
    for name, value in (("immutableMode", "required"), ("immutablePayloadHash", "ab" * 32)):
        assert checked(rehashed({**receipt, "audit": {**off, name: value}}), told).wrong == (
            "audit.immutablePayloadHash",
        )
    with_sinks = claim_row()
    assert checked(rehashed({**receipt, "audit": off}), with_sinks).wrong[:1] == (
        "audit.immutablePayloadHash",
    )
    assert receipts_made_by(entry_of(told)) == [], "which sinks and when, nothing tells"


@pytest.mark.parametrize(
    ("sink", "wrong"),
    [
        ({"sink": "kv_index", "ref": "audit:immutable:{}", "at": ts(100)}, ()),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": ts(900)}, ()),
        (
            {"sink": "kv_index", "ref": "audit:immutable:other", "at": ts(100)},
            ("audit.immutableSinks",),
        ),
        (
            {"sink": "r2_entry", "ref": "audit/immutable/entry/other.json", "at": ts(100)},
            ("audit.immutableSinks",),
        ),
        (
            {"sink": "r2_stream", "ref": "audit/immutable/entry/other.json", "at": ts(100)},
            ("audit.immutableSinks",),
        ),
        (
            {"sink": "immutable_ingest", "ref": "http:200", "at": ts(99)},
            ("audit.immutableSinks.at",),
        ),
        ({"sink": "immutable_ingest", "ref": "http:200", "at": 7}, ("audit.immutableSinks.at",)),
        (
            {"sink": "immutable_ingest", "ref": "http:200", "at": ts(900), "by": "hand"},
            ("audit.immutableSinks",),
        ),
        ({"sink": "immutable_ingest", "ref": "http:200"}, ("audit.immutableSinks",)),
        ("no sink", ("audit.immutableSinks",)),
    ],
)
def test_sinks_where_the_entry_s_own_row_is_not_there(sink: Any, wrong: tuple[str, ...]) -> None:
    told = claim_row()
    receipt = receipt_of(told)
    if isinstance(sink, dict):
        sink = {**sink, "ref": sink["ref"].format(told["entry_hash"])}
    receipt["audit"]["immutableSinks"].append(sink)
    check = checked(rehashed(receipt), told, bucket=True)
    assert check.wrong == wrong
    assert check.unknown == (() if wrong else ("audit.immutableSinks.at",))


def test_what_the_server_passes_of_sinks() -> None:
    told = row(100, GENESIS, GENESIS, event="WALLET_CLAIM", eventId="evt", data=claim_row()["data"])
    for change, passes in (
        ({"at": "2020"}, True),
        ({"ref": "other"}, False),
        ({"sink": "other"}, False),
    ):
        receipt = receipt_of(told)
        receipt["audit"]["immutableSinks"][0] |= change
        check = checked(rehashed(receipt), told)
        assert (check.wrong, check.server_accepts) == (("audit.immutableSinks",), passes), change
    receipt = receipt_of(told)
    receipt["audit"]["immutableSinks"] = "none"
    assert checked(rehashed(receipt), told).server_accepts is False


def test_whose_a_claim_is() -> None:
    def subjects(event: str = "USER_CLAIM", kind: str = "user", **data: Any) -> list[str]:
        return subjects_of(
            entry_of(claim_row(event=event, actor={"type": kind, "id": "actor"}, data=data))
        )

    wallet = {"recipient": {"type": "wallet", "id": WALLET}}
    assert subjects(transfer=wallet, pii={"userId": "actor", "walletAddress": WALLET}) == ["actor"]
    assert subjects(transfer=wallet) == ["actor"]
    assert subjects(kind="wallet", transfer=wallet, pii={"userId": "ann7"}) == ["ann7"]
    assert subjects(kind="wallet", transfer=wallet, userId="ann7") == ["ann7"]
    assert subjects("WALLET_CLAIM", "wallet", transfer=wallet, pii={"walletAddress": WALLET}) == [
        WALLET
    ]
    assert subjects(
        "WALLET_CLAIM",
        "wallet",
        transfer={"recipient": {"type": "join_token", "id": "token"}},
        pii="?",
    ) == ["token"]
    for nothing in (
        {},
        {"transfer": 7},
        {"transfer": {"recipient": 7}},
        {"transfer": {"recipient": {"id": 7}}},
    ):
        assert subjects("WALLET_CLAIM", "wallet", **nothing) == []


def test_a_receipt_of_a_claim_that_names_nobody_is_checked_but_for_its_subject() -> None:
    told = claim_row(data={"confirmationCode": CODE})
    receipt = receipt_of(claim_row())
    immutable = told["immutable"]
    audit = {
        **receipt["audit"],
        "entryHash": told["entry_hash"],
        "immutablePayloadHash": immutable["payload_hash"],
    }
    audit["immutableSinks"] = immutable["sinks"]
    check = checked(rehashed({**receipt, "receiptId": told["entry_hash"], "audit": audit}), told)
    assert (check.wrong, check.unknown) == ((), ("subjectCommitment",))
    alone = checked(
        rehashed({**receipt, "receiptId": told["entry_hash"], "audit": audit}), told, bucket=True
    )
    assert alone.unknown == ("subjectCommitment", "audit.immutableSinks.at")


def test_checks_are_in_the_order_of_receipts() -> None:
    one, two = claim_row(), claim_row(eventId="other")
    rows = [(receipt_of(told), PLACE) for told in (one, two)]
    bad = [({**receipt_of(one), "receiptHash": "x"}, PLACE)]
    found = check_receipts([*bad, *rows], records_of([one, two]))
    ids = [c.receipt_id for c in found]
    assert ids == sorted(ids)
    assert [c.wrong for c in found if c.receipt_id == one["entry_hash"]] == [(), ("receiptHash",)]
    assert {c.place for c in found} == {PLACE}


def test_a_receipt_is_absent_strictly_inside_a_stretch_alone() -> None:
    told = claim_row()
    rows = [row(0, data={"n": 1}), None]
    rows[1] = row(4000, rows[0]["entry_hash"], "s")  # type: ignore[index]
    for at, bad in ((0, False), (1, True), (3999, True), (4000, False)):
        receipt = rehashed({**receipt_of(told), "issuedAt": ts(at)})
        assert checked(receipt, *rows).is_bad == bad, at  # type: ignore[arg-type]
    named = row(5000, told["entry_hash"], "t")
    receipt = rehashed({**receipt_of(told), "issuedAt": ts(2000)})
    assert not checked(receipt, *rows, named).is_bad, "gone, but named"  # type: ignore[arg-type]
    other = rehashed({**receipt, "audit": {**receipt["audit"], "entryHash": "None"}})
    assert checked(other, *rows, named).is_bad  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"version": True}, ("type",)),
        ({"version": False}, ("type",)),
        ({"audit.immutableMode": "sometimes"}, ("audit.immutableMode",)),
        ({"audit.immutableMode": "off"}, ("audit.immutableMode",)),
        ({"audit.immutableMode": "best_effort"}, ()),
        ({"audit.immutableSinks": []}, ("audit.immutableSinks",)),
        ({"audit.immutableSinks": "twice"}, ("audit.immutableSinks",)),
        (
            {
                "audit.immutableMode": "off",
                "audit.immutablePayloadHash": None,
                "audit.immutableSinks": [],
            },
            ("audit.immutablePayloadHash",),
        ),
    ],
)
def test_what_the_bucket_alone_tells_of_a_receipt(
    change: dict[str, Any], wrong: tuple[str, ...]
) -> None:
    """An object that is there was written: the mode was not off, and the receipt names it, once."""
    told = claim_row()
    receipt = receipt_of(told)
    for name, value in change.items():
        held = receipt["audit"] if name.startswith("audit.") else receipt
        sinks = receipt["audit"]["immutableSinks"]
        held[name.removeprefix("audit.")] = [*sinks, sinks[0]] if value == "twice" else value
    check = checked(rehashed(receipt), told, bucket=True)
    assert check.wrong[:1] == wrong
    assert checked(receipt_of(told), told, bucket=True).wrong == ()
