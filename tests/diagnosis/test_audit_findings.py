"""What the audit chain, the bucket and ticket receipts came to, in findings: each word for word,
from one thing that is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.audit.receipts import ReceiptCheck
from popkit.audit.tampering import Tampering, find_tampering
from popkit.diagnosis.audit import diagnose_audit
from popkit.diagnosis.result import AuditDiagnosis
from popkit.evidence.lines import Place
from popkit.evidence.worker import StoredRow
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import Finding
from popkit.worker.storage_history import HistoryRow
from tests.diagnosis.admin_steps import GRANT, OTHER
from tests.diagnosis.audit_rows import GENESIS, hashes, line, objects, records_of, row, stored

AUDIT_LOGS, STORAGE, BUCKET, RECEIPTS = (
    "worker/audit-logs.json",
    "worker/storage.jsonl",
    "worker/r2",
    "worker/ticket-receipts.jsonl",
)
PLACE = Place(RECEIPTS, 3, None, None)


def audit(records: Any = None, tampering: Tampering | None = None, **more: Any) -> AuditDiagnosis:
    """The audit diagnosis of these records; what is wrong with them is told, or found."""
    records = records_of() if records is None else records
    facts: Any = SimpleNamespace(
        audit=records,
        tampering=Tampering() if tampering is None else tampering,
        receipt_rows=[],
        receipt_checks=more.get("checks", []),
        storage_history=more.get("history", []),
        header=SimpleNamespace(grants=[GRANT] if "history" in more else []),
        evidence=SimpleNamespace(storage=more.get("storage"), answers=more.get("answers", {})),
    )
    return diagnose_audit(Inquiry(facts))


def check(
    receipt: str = "receipt",
    *wrong: str,
    unknown: tuple[str, ...] = (),
    accepts: bool | None = False,
) -> ReceiptCheck:
    return ReceiptCheck(receipt, wrong, unknown, accepts, PLACE)


# -- nothing is wrong --


def test_nothing_was_collected() -> None:
    found = audit()
    assert replace(found, unknown=frozenset()) == AuditDiagnosis(
        "cannot tell", 0, [], [], [], [], [], [], []
    )
    lists = {
        "edited",
        "removed",
        "edited_objects",
        "missing_objects",
        "bad_receipts",
        "server_accepts",
    }
    assert found.unknown == lists
    assert all(found.as_json()[name] is None for name in lists)


def test_records_that_hold() -> None:
    found = audit(
        records_of(line(3)), checks=[check("good", accepts=True), check("another", accepts=None)]
    )
    assert replace(found, unknown=frozenset()) == AuditDiagnosis(
        "holds", 5, [], [], [], [], [], [], []
    )
    assert found.as_json()["edited"] == [], "the list was looked at"
    assert found.as_json()["missing_objects"] is None, "no bucket was"


# -- rows --


def test_an_edited_row_of_the_list_or_of_the_storage() -> None:
    rows = line(3)
    edited = {**rows[1], "data": {"n": 9}}
    entry = rows[1]["entry_hash"]
    wanted, seen = "a row that hashes to its entry_hash", "the row hashes to another value"
    for file, records in (
        (AUDIT_LOGS, records_of([rows[0], edited, rows[2]])),
        (STORAGE, records_of(None, stored([rows[0], edited, rows[2]]))),
        (STORAGE, records_of(rows, stored([rows[0], edited, rows[2]]))),
        (AUDIT_LOGS, records_of([rows[0], edited, rows[2]], stored(rows))),
        (AUDIT_LOGS, records_of([rows[0], edited, rows[2]], stored([rows[0], edited, rows[2]]))),
    ):
        found = audit(records, find_tampering(records, ()))
        assert (found.verdict, found.edited) == ("violated", [entry]), file
        edits = [f for f in found.findings if f.code == "audit_entry_edited"]
        assert edits == [Finding("audit_entry_edited", None, (file, entry), wanted, seen)], file


def test_a_removed_entry_and_the_source_that_lacks_it() -> None:
    rows = line(3)
    entry = rows[1]["entry_hash"]
    some = [rows[0], rows[2]]
    for file, records in (
        (AUDIT_LOGS, records_of(some)),
        (AUDIT_LOGS, records_of(some, stored(rows))),
        (AUDIT_LOGS, records_of(some, stored(some))),
        (STORAGE, records_of(rows, stored(some))),
        (STORAGE, records_of(None, stored(some))),
    ):
        found = audit(records, Tampering(removed=[entry]))
        assert (found.verdict, found.removed, found.edited) == ("violated", [entry], []), file
        wanted = Finding(
            "audit_entry_removed",
            None,
            (file, entry),
            "the audit entry that later evidence names",
            "the audit entry that later evidence names is missing from the worker's records here",
        )
        assert found.findings == [wanted], file


# -- the bucket and the storage's copies --


@pytest.mark.parametrize(
    ("tampering", "finding", "verdict"),
    [
        (
            {"edited_objects": ["key"]},
            Finding(
                "bucket_object_edited",
                None,
                (BUCKET, "key"),
                "the canonical payload of the entry under its key",
                "the object holds another text than its entry",
            ),
            "violated",
        ),
        (
            {"missing_objects": ["key"]},
            Finding(
                "bucket_object_missing",
                None,
                (BUCKET, "key"),
                "the object that the entry's sinks name",
                "the export lacks the object that the entry names",
            ),
            "violated",
        ),
        (
            {"orphans": ["entry"]},
            Finding(
                "bucket_orphan", None, (BUCKET, "entry"), observed="no later entry names the object"
            ),
            "holds",
        ),
        (
            {"half_copies": ["entry"]},
            Finding(
                "storage_copy_missing",
                None,
                (STORAGE, "entry"),
                "both copies of the entry, audit_history and audit_entry",
                "the storage holds one of the two copies",
            ),
            "holds",
        ),
        (
            {"export_is_partial": True},
            Finding(
                "bucket_export_partial",
                None,
                (BUCKET, ""),
                "every object that other evidence names",
                "the export lacks most of those objects",
            ),
            "holds",
        ),
    ],
)
def test_what_is_wrong_beside_the_rows(
    tampering: dict[str, Any], finding: Finding, verdict: str
) -> None:
    rows = line(2)
    found = audit(
        records_of(
            rows, stored(rows, **{"audit:lastHash:global": rows[1]["entry_hash"]}), objects(rows)
        ),
        Tampering(**tampering),
    )
    assert found.findings == [finding]
    assert found.verdict == verdict
    assert (found.edited_objects, found.missing_objects) == (
        tampering.get("edited_objects", []),
        tampering.get("missing_objects", []),
    )


def history_row(grant: str, holds: bool) -> HistoryRow:
    return HistoryRow(
        "history key", grant, "claimer", 0, GENESIS, GENESIS, "audit", "entry", 7, holds, None
    )


def test_a_history_record_that_does_not_hash_to_what_it_says() -> None:
    for grant, of in ((GRANT, GRANT), (OTHER, None)):
        found = audit(
            records_of(line(2)), history=[history_row(grant, True), history_row(grant, False)]
        )
        assert found.findings == [
            Finding(
                "history_record_false",
                of,
                (STORAGE, "history key"),
                "an entry hash that is the hash of the record's fields",
                "entry",
            )
        ]
        assert found.verdict == "violated", "its finding is critical"


# -- ticket receipts --


def test_bad_ticket_receipts_and_what_the_worker_says_of_them() -> None:
    checks = [
        check("b", "event", "issuedAt"),
        check("a", "subject", accepts=True),
        check("c", accepts=True),
        check("d", "x", accepts=None),
    ]
    found = audit(records_of(line(2)), checks=[*checks, *checks])
    assert (found.verdict, found.bad_receipts, found.server_accepts, found.checked) == (
        "violated",
        ["a", "b", "d"],
        ["a"],
        10,
    )
    wanted = "what the receipt's audit entry says"
    seen = {
        "a": "the receipt differs in subject",
        "b": "the receipt differs in event, issuedAt",
        "d": "the receipt differs in x",
    }
    bad = [
        Finding("ticket_receipt_bad", None, (RECEIPTS, name), wanted, text)
        for name, text in seen.items()
    ]
    passes = Finding(
        "ticket_receipt_server_accepts",
        None,
        (RECEIPTS, "a"),
        "the worker's check refuses the receipt",
        "the worker's check passes the receipt",
    )
    assert found.findings == [*bad, passes]


def test_a_bad_ticket_receipt_of_the_storage_is_found_there() -> None:
    place = Place(STORAGE, 3, "ticket_receipt:evt:CODE", None)
    [found] = audit(
        records_of(line(2)), checks=[ReceiptCheck("a", ("event",), (), False, place)]
    ).findings
    assert found.where == (place.part, "a")


def test_ticket_receipts_of_which_the_entry_is_not_there() -> None:
    one = audit(
        records_of(line(2)), checks=[check("a", unknown=("entry",)), check("b", unknown=("sinks",))]
    )
    text = "1 ticket receipt whose audit entry is not in the evidence"
    assert one.findings == [
        Finding("ticket_receipt_unchecked", None, (RECEIPTS, ""), not_checked=text)
    ]
    assert (one.verdict, one.bad_receipts) == ("holds", [])
    [two] = audit(
        checks=[check("a", unknown=("sinks", "entry")), check("b", unknown=("entry",))]
    ).findings
    assert two.not_checked == "2 ticket receipts whose audit entry is not in the evidence"


# -- ends, beginnings, stream links --


def test_a_stored_head_that_is_not_the_newest_row() -> None:
    rows = [row(0)]
    rows.append(row(1000, rows[0]["entry_hash"], GENESIS, eventId="evt"))
    newest = rows[1]["entry_hash"]
    others = {"audit:lastHash:evt": newest, "audit:lastHash:system": rows[0]["entry_hash"]}
    for head, seen in (("gone", "gone"), (None, "no entry")):
        more = others | ({} if head is None else {"audit:lastHash:global": head})
        storage = stored(rows, **more)
        found = audit(records_of(None, storage), storage=storage)
        assert found.findings == [
            Finding("audit_end_differs", None, (STORAGE, "audit:lastHash:global"), newest, seen)
        ]
        assert found.verdict == "holds", "a crash does as much"
    storage = stored(rows, **{"audit:lastHash:global": newest})
    storage["audit:lastHash:none"] = StoredRow("audit:lastHash:none", "gone", PLACE)
    [other] = audit(records_of(None, storage), storage=storage).findings
    assert (other.expected, other.observed) == ("no entry", "gone")


def test_a_chain_that_begins_again() -> None:
    rows = [*line(2), row(9000, eventId="again", data={"n": 7})]
    found = audit(records_of(rows))
    where = (AUDIT_LOGS, rows[2]["entry_hash"])
    assert found.findings == [
        Finding(
            "audit_chain_restarted",
            None,
            where,
            "one entry that begins the audit chain",
            "this entry begins the audit chain once more",
        )
    ]
    assert found.verdict == "holds"


def test_a_stream_link_that_is_wrong() -> None:
    rows = line(3)
    first, second, _ = hashes(rows)
    for link, severity, verdict in ((first, "warning", "holds"), ("gone", "critical", "violated")):
        last = row(2000, second, link, data={"n": 2})
        found = audit(records_of([*rows[:2], last]))
        where = (AUDIT_LOGS, last["entry_hash"])
        assert found.findings == [
            Finding("audit_stream_link_wrong", None, where, second, link, severity=severity)
        ]
        assert found.verdict == verdict


# -- the worker's own word --


def said(ok: bool) -> dict[str, Any]:
    return {
        "audit-integrity": SimpleNamespace(body={"ok": ok, "checked": 2, "limit": 50, "issues": []})
    }


def differs(ok: str, text: str) -> Finding:
    return Finding(
        "server_verdict_differs", None, ("worker/audit-integrity.json", "ok"), f"ok {ok}", text
    )


def test_what_the_worker_says_of_itself() -> None:
    records = records_of(line(2))
    assert audit(records, answers=said(True)).findings == []
    false = "ok false; the recomputed result counts: recomputing finds none of the issues that the worker names: none named"
    assert audit(records, answers=said(False)).findings == [differs("true", false)]
    bad = audit(records, answers=said(True), checks=[check("a", "event")])
    told = "ok true; the recomputed result counts: the worker looks at no ticket receipt"
    assert [f for f in bad.findings if f.code == "server_verdict_differs"] == [
        differs("false", told)
    ]
    assert [
        f.code for f in audit(records, answers=said(False), checks=[check("a", "event")]).findings
    ] == ["ticket_receipt_bad"]


@pytest.mark.parametrize("what", ["end", "beginning", "link"])
def test_what_the_worker_does_not_look_at(what: str) -> None:
    rows = line(2)
    storage = stored(rows, **{"audit:lastHash:global": "gone"}) if what == "end" else None
    if what == "beginning":
        rows.append(row(9000, eventId="again", data={"n": 7}))
    if what == "link":
        rows.append(row(2000, rows[1]["entry_hash"], "gone", data={"n": 2}))
    found = audit(records_of(rows, storage, objects(rows)), answers=said(True), storage=storage)
    told = [f for f in found.findings if f.code == "server_verdict_differs"]
    why = "the worker looks at no stored head and at no beginning, and at links inside its window alone"
    assert told == [differs("false", f"ok true; the recomputed result counts: {why}")]
