"""The worker's audit chain: what was edited or removed is named, what merely looks like it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import popkit as package
from popkit.audit.reading import read_audit
from popkit.evidence.bundle import Evidence
from popkit.protocol import canonical
from tests.conftest import CASES, Copy, popkit

Make = Callable[[str], Copy]


def logs_of(case: Copy) -> list[dict[str, Any]]:
    return json.loads((case.path / "worker" / "audit-logs.json").read_text())["body"]["logs"]


def write_logs(case: Copy, logs: list[dict[str, Any]]) -> None:
    (case.path / "worker" / "audit-logs.json").write_text(
        json.dumps({"status": 200, "body": {"logs": logs}}, ensure_ascii=False)
    )


def in_chain_order(case: Copy) -> list[str]:
    case.seal()
    return [entry.hash for entry in read_audit(Evidence(case.path)).ordered]


@pytest.mark.parametrize("source", ["list", "bucket and list"])
def test_a_row_removed_from_the_middle_of_the_list_is_named(source: str, copy_of: Make) -> None:
    case = copy_of("receipts-tampered")
    case.drop("worker/ticket-receipts.jsonl")
    logs = sorted(logs_of(case), key=lambda row: (row["ts"], row["entry_hash"]))
    gone = logs.pop(len(logs) // 2)
    write_logs(case, logs[::-1])
    if source == "list":
        case.drop("worker/r2.jsonl")
    diagnosis = case.diagnose()
    assert diagnosis.audit.removed == [gone["entry_hash"]]
    assert diagnosis.exit_code == 1


def test_the_window_of_fifty_is_no_removal() -> None:
    diagnosis = package.open_case(CASES / "no-bucket").diagnose()
    assert (
        len(
            json.loads((CASES / "no-bucket" / "worker" / "audit-logs.json").read_text())["body"][
                "logs"
            ]
        )
        == 50
    )
    assert diagnosis.audit.removed == []
    assert diagnosis.exit_code == 0


def test_an_edited_row_is_named_by_the_hash_it_states_and_its_neighbours_are_not(
    copy_of: Make,
) -> None:
    case = copy_of("receipts-tampered")
    case.drop("worker/ticket-receipts.jsonl")
    logs = logs_of(case)
    logs[10]["actor"]["id"] = "somebody else"
    write_logs(case, logs)
    diagnosis = case.diagnose()
    assert diagnosis.audit.edited == [logs[10]["entry_hash"]]
    assert diagnosis.audit.removed == []
    assert diagnosis.exit_code == 1


def bucket(case: Copy) -> list[dict[str, str]]:
    return case.rows("worker/r2.jsonl")


def test_an_edited_bucket_object_is_named_by_its_key(copy_of: Make) -> None:
    case = copy_of("strict-v2-intact")
    rows = bucket(case)
    rows[3]["text"] = rows[3]["text"].replace('"version":1', '"version":1 ', 1)
    case.write("worker/r2.jsonl", rows)
    diagnosis = case.diagnose()
    assert diagnosis.audit.edited_objects == [rows[3]["key"]]
    assert (diagnosis.verdict, diagnosis.exit_code) == ("intact", 1)


def test_an_object_under_another_entrys_key_is_edited(copy_of: Make) -> None:
    case = copy_of("strict-v2-intact")
    rows = bucket(case)
    entries = [row for row in rows if "/entry/" in row["key"]]
    entries[0]["text"], entries[1]["text"] = entries[1]["text"], entries[0]["text"]
    case.write("worker/r2.jsonl", rows)
    assert case.diagnose().audit.edited_objects == sorted([entries[0]["key"], entries[1]["key"]])


def test_a_missing_bucket_object_that_sinks_name_is_named(copy_of: Make) -> None:
    case = copy_of("receipts-tampered")
    case.drop("worker/ticket-receipts.jsonl")
    middle = in_chain_order(case)[15]
    rows = [row for row in bucket(case) if row["key"] != f"audit/immutable/entry/{middle}.json"]
    case.write("worker/r2.jsonl", rows)
    diagnosis = case.diagnose()
    assert diagnosis.audit.missing_objects == [f"audit/immutable/entry/{middle}.json"]
    assert diagnosis.exit_code == 1


def test_half_an_export_is_a_partial_export_and_no_tampering(copy_of: Make) -> None:
    case = copy_of("receipts-tampered")
    case.drop("worker/ticket-receipts.jsonl")
    order = in_chain_order(case)
    keep = {order[0], order[-1], *order[1:-1:5]}
    case.write(
        "worker/r2.jsonl",
        [row for row in bucket(case) if any(entry in row["key"] for entry in keep)],
    )
    diagnosis = case.diagnose()
    assert diagnosis.audit.missing_objects == []
    assert "bucket_export_partial" in {f.code for f in diagnosis.findings}
    assert diagnosis.exit_code in (0, 3)


def test_an_export_of_one_folder_alone_is_not_missing_the_other(copy_of: Make) -> None:
    case = copy_of("receipts-tampered")
    case.drop("worker/ticket-receipts.jsonl")
    case.write("worker/r2.jsonl", [row for row in bucket(case) if "/entry/" in row["key"]])
    diagnosis = case.diagnose()
    assert diagnosis.audit.missing_objects == []
    assert diagnosis.exit_code == 0


def test_equal_milliseconds_are_ordered_by_link(copy_of: Make) -> None:
    """Rows of one millisecond, whose key order is not the chain's, are neither removed nor out of
    order.
    """
    case = copy_of("no-bucket")
    entries, prev = [], "GENESIS"
    for i in range(60):
        entry = {
            "ts": f"2026-02-23T05:00:00.{i // 4:03d}Z", "event": "API_GET_V1_SCHOOL_EVENTS", "eventId": "system",
            "actor": {"type": "school", "id": "public-api"}, "data": {"n": i}, "prev_hash": prev, "stream_prev_hash": prev,
        }  # fmt: skip
        entry["entry_hash"] = prev = canonical.entry_hash(entry)
        entries.append(entry)
    shown = sorted(entries, key=lambda row: (row["ts"], row["entry_hash"]), reverse=True)[:50]
    write_logs(case, shown)
    case.seal()
    records = read_audit(Evidence(case.path))
    assert [entry.data["n"] for entry in records.ordered] == sorted(
        row["data"]["n"] for row in shown
    )
    assert case.diagnose().audit.removed == []


def test_the_servers_own_verdict_is_not_believed(copy_of: Make) -> None:
    case = copy_of("intact")
    answer = case.path / "worker" / "audit-integrity.json"
    told = json.loads(answer.read_text())
    told["status"], told["body"]["ok"], told["body"]["issues"] = (
        409,
        False,
        [{"code": "global_chain_break"}],
    )
    answer.write_text(json.dumps(told))
    case.seal()
    ran = popkit("diagnose", case.path, "--json", "-")
    found = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert found["audit"]["verdict"] == "holds"
    assert "server_verdict_differs" in {f["code"] for f in found["findings"]}


RECEIPT_FIELDS = (
    "receiptHash",
    "issuedAt",
    "confirmationCode",
    "subjectCommitment",
    "verifyEndpoint",
    "receiptId",
)
AUDIT_FIELDS = (
    "event",
    "eventId",
    "entryHash",
    "prevHash",
    "streamPrevHash",
    "immutableMode",
    "immutablePayloadHash",
)


@pytest.mark.parametrize("rehash", [False, True], ids=["plain", "rehashed"])
@pytest.mark.parametrize(
    "field", [*RECEIPT_FIELDS, *(f"audit.{name}" for name in AUDIT_FIELDS), "sink at", "sink ref"]
)
def test_every_field_of_a_ticket_receipt_is_held_against_its_entry(
    field: str, rehash: bool, copy_of: Make
) -> None:
    case = copy_of("strict-v2-intact")
    rows = case.rows("worker/ticket-receipts.jsonl")
    receipt = rows[-1]
    if field.startswith("sink"):
        sink = receipt["audit"]["immutableSinks"][0]
        sink[field[5:]] = (
            "2020-01-01T00:00:00.000Z"
            if field.endswith("at")
            else "audit/immutable/entry/other.json"
        )
    elif field.startswith("audit."):
        receipt["audit"][field[6:]] = "x" + str(receipt["audit"][field[6:]])[1:]
    else:
        receipt[field] = "x" + str(receipt[field])[1:]
    if rehash and field != "receiptHash":
        receipt["receiptHash"] = canonical.receipt_hash(receipt)
    case.write("worker/ticket-receipts.jsonl", rows)
    diagnosis = case.diagnose()
    assert diagnosis.audit.bad_receipts == [receipt["receiptId"]]
    assert diagnosis.exit_code == 1
    passes_server = rehash and field in (
        "issuedAt",
        "subjectCommitment",
        "verifyEndpoint",
        "audit.event",
        "sink at",
    )
    assert diagnosis.audit.server_accepts == ([receipt["receiptId"]] if passes_server else [])
