"""Anchors, and the proofs rebuilt from them."""

from __future__ import annotations

from typing import Any

import pytest

from popkit.audit.anchors import (
    MAX_ISSUE_LAG,
    Anchor,
    acknowledged,
    anchors_of,
    as_anchor,
    read_head,
)
from popkit.protocol.message import GENESIS_HASH
from tests.diagnosis.audit_rows import GRANT, SECOND, WALLET, entry_of, objects, records_of, row


def anchor_row(**data: Any) -> dict[str, Any]:
    told = {
        "eventId": "evt",
        "grant": GRANT,
        "claimer": WALLET,
        "periodIndex": "3",
        "prevHash": "GENESIS",
        "streamPrevHash": "ab" * 32,
    }
    return row(2345, event="POP_CLAIM_PROOF_ANCHOR", eventId="pop:evt", data=told | data)


GATED = {"receiptHash": "cd" * 32, "receiptId": "ef" * 32}


def anchor(**data: Any) -> Anchor | None:
    return as_anchor(entry_of(anchor_row(**data)))


def test_an_anchor_whole() -> None:
    told = anchor_row()
    assert as_anchor(entry_of(told)) == Anchor(
        told["entry_hash"],
        SECOND * 1000 + 2345,
        GRANT,
        WALLET,
        3,
        GENESIS_HASH,
        "ab" * 32,
        told["entry_hash"],
        "A",
        False,
        True,
        None,
    )


@pytest.mark.parametrize(
    ("more", "model", "follows", "moved"),
    [
        ({}, "B", False, True),
        ({"hashSource": "storage"}, "C", False, True),
        ({"hashSource": "client_onchain"}, "C", True, True),
        ({"hashSource": "client_onchain", "popChainAdvanced": False}, "D", True, False),
        ({"hashSource": "storage", "popChainAdvanced": True}, "D", False, True),
    ],
)
def test_the_worker_s_model_by_its_anchors(
    more: dict[str, Any], model: str, follows: bool, moved: bool
) -> None:
    found = anchor(**GATED, **more)
    assert found is not None
    assert (found.model, found.follows_chain, found.moved_heads) == (model, follows, moved)
    assert (found.audit_hash, found.receipt_id) == ("cd" * 32, "ef" * 32)


@pytest.mark.parametrize("receipt", [None, 7, "short", "xy" * 32])
def test_a_receipt_hash_that_is_none_leaves_model_a(receipt: Any) -> None:
    found = anchor(receiptHash=receipt, receiptId="ef" * 32)
    assert found is not None
    assert (found.model, found.receipt_id) == ("A", None)
    gated = anchor(receiptHash="cd" * 32, receiptId=receipt)
    assert gated is not None
    assert (gated.model, gated.receipt_id) == ("B", None)


@pytest.mark.parametrize(
    "data",
    [
        {"grant": "x"}, {"claimer": "x"}, {"grant": None, "claimer": None}, {"prevHash": "x"}, {"streamPrevHash": 7}, {"periodIndex": "x"},
        {"periodIndex": "-1"}, {"periodIndex": str(1 << 64)}, {"periodIndex": None},
    ],
)  # fmt: skip
def test_what_the_worker_never_writes_is_no_anchor(data: dict[str, Any]) -> None:
    assert anchor(**data) is None
    assert as_anchor(entry_of(row(0, event="WALLET_CLAIM", data=anchor_row()["data"]))) is None


def test_the_widest_period() -> None:
    widest, narrowest = anchor(periodIndex=str((1 << 64) - 1)), anchor(periodIndex=0)
    assert widest is not None
    assert narrowest is not None
    assert (widest.period_index, narrowest.period_index) == ((1 << 64) - 1, 0)


@pytest.mark.parametrize(
    ("value", "head"),
    [
        (None, GENESIS_HASH), ("GENESIS", GENESIS_HASH), ("AB" * 32, "ab" * 32), ("0f" * 32, "0f" * 32), ("genesis", None),
        ("ab" * 31, None), ("X" * 64, None), (7, None), (["a"] * 64, None),
    ],
)  # fmt: skip
def test_a_stored_head(value: Any, head: str | None) -> None:
    assert read_head(value) == head


def test_a_proof_is_rebuilt_by_a_hash_known_from_elsewhere() -> None:
    found = anchor()
    assert found is not None
    latest = SECOND + 2
    for lag in (0, 1, MAX_ISSUE_LAG):
        known = found.entry_hash_at(latest - lag)
        assert found.rebuild({known}) == (known, latest - lag, True)
    for out in (latest + 1, latest - MAX_ISSUE_LAG - 1):
        assert found.rebuild({found.entry_hash_at(out)}) == (
            found.entry_hash_at(latest),
            latest,
            False,
        )


def test_an_orphan_is_no_anchor_and_others_are_in_order() -> None:
    rows = [anchor_row(), row(3000, anchor_row()["entry_hash"], "x")]
    failed = row(
        2400, rows[0]["entry_hash"], "y", event="POP_CLAIM_PROOF_ANCHOR", data=anchor_row()["data"]
    )
    records = records_of(
        None, None, objects([*rows, failed, row(4000, rows[1]["entry_hash"], "z")])
    )
    assert [a.anchor_hash for a in anchors_of(records)] == [rows[0]["entry_hash"]]


# -- what the worker's own trail of API calls acknowledges --

REQUEST = {"eventId": "evt", "grant": GRANT, "claimer": WALLET, "periodIndex": "3"}


def trail(*steps: tuple[str, dict[str, Any]]) -> tuple[list[str], set[str]]:
    """(hashes of the anchors in order, those acknowledged) of a chain of anchors and of rows of the
    request.
    """
    rows: list[dict[str, Any]] = []
    for number, (kind, change) in enumerate(steps):
        prev = rows[-1]["entry_hash"] if rows else "GENESIS"
        if kind == "anchor":
            fields: dict[str, Any] = {"event": "POP_CLAIM_PROOF_ANCHOR", "eventId": "pop:evt"}
            data = REQUEST | {"prevHash": "GENESIS", "streamPrevHash": "GENESIS"} | change
        else:
            fields = {
                "event": change.pop("event", "API_POST_V1_SCHOOL_POP_PROOF"),
                "eventId": change.pop("stream", "evt"),
            }
            data = {
                "status": change.pop("status", 200),
                "requestBody": change.pop("body", REQUEST | change),
            }
        rows.append(row(number * 10, prev, None, data=data, **fields))
    found = acknowledged(records_of(rows))
    return [told["entry_hash"] for told in rows if told["event"] == "POP_CLAIM_PROOF_ANCHOR"], found


def test_the_row_of_its_request_acknowledges_an_anchor() -> None:
    [anchor_hash], found = trail(("anchor", {}), ("row", {}))
    assert found == {anchor_hash}


@pytest.mark.parametrize(
    "change",
    [
        {"status": 503},
        {"status": 400},
        {"stream": "another event"},
        {"event": "API_POST_V1_SCHOOL_CLAIMS"},
        {"grant": WALLET},
        {"claimer": GRANT},
        {"periodIndex": "4"},
        {"body": None},
        {"body": "text"},
    ],
)
def test_a_row_of_another_request_acknowledges_nothing(change: dict[str, Any]) -> None:
    assert trail(("anchor", {}), ("row", dict(change)))[1] == set()


def test_a_row_comes_after_its_anchor() -> None:
    assert trail(("row", {}), ("anchor", {}))[1] == set()


def test_one_row_stands_for_one_anchor_the_newest_before_it() -> None:
    (first, second), found = trail(("anchor", {}), ("anchor", {}), ("row", {}))
    assert found == {second}
    (first, second), found = trail(("anchor", {}), ("row", {}), ("anchor", {}), ("row", {}))
    assert found == {first, second}
    (first, second), found = trail(("anchor", {}), ("anchor", {}), ("row", {}), ("row", {}))
    assert found == {first, second}
    (other, _mine), found = trail(
        ("anchor", {"claimer": GRANT}), ("anchor", {}), ("row", {"claimer": GRANT})
    )
    assert found == {other}
