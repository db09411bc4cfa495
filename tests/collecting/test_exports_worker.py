"""Saved answers of the worker, exchanges with it, ticket receipts and wallets' reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.exports import Exports
from popkit.evidence.bundle import Evidence
from popkit.evidence.layout import NAMED
from tests.collecting.taking_apart import (
    DATA,
    diagnosed_again,
    diagnosis,
    put_together,
    reasons,
    rows_of,
    write,
)
from tests.conftest import CASES
from tests.exported import grants_in, links_in, read_exports

CASE = "cutover"
NAMES = [name for name, endpoint in NAMED.items() if (CASES / CASE / endpoint.file).is_file()]
SESSIONS = sorted(path.name for path in DATA.glob("exchanges-*.jsonl"))


def _session(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def _body(exports: Exports, name: str) -> Any:
    return json.loads(exports.answers[name])["body"]


def _answer(name: str) -> dict[str, Any]:
    return json.loads((CASES / CASE / "worker" / f"{name}.json").read_text())


def _with_status(name: str) -> str:
    return json.dumps(_answer(name))


def _bare(name: str) -> str:
    return json.dumps(_answer(name)["body"], indent=3)


def _curl(name: str) -> str:
    """As a script saves it that keeps more than it should."""
    answer = _answer(name)
    return json.dumps(
        {
            "url": "https://u:s3cret@api.example",
            "headers": {"Authorization": "s3cret"},
            **answer,
            "body": json.dumps(answer["body"]),
        }
    )


@pytest.mark.parametrize("form", [_with_status, _bare, _curl])
def test_answers_are_known_by_their_shape(form: Any, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        write(tmp_path / "saved" / f"{number}.txt", form(name))
    exports, whole = read_exports([tmp_path]), read_exports([CASES / CASE])
    assert sorted(exports.answers) == sorted(NAMES)
    assert {name: json.loads(text) for name, text in exports.answers.items()} == {
        name: _answer(name) for name in NAMES
    }
    whole.answers = exports.answers
    assert diagnosed_again(whole, CASE, tmp_path / "again") == diagnosis(CASES / CASE)
    assert "s3cret" not in repr(exports)


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_gives_the_best_answer_of_each_page_and_keeps_the_others(
    session: str, tmp_path: Path
) -> None:
    write(tmp_path / "session.jsonl", (DATA / session).read_bytes())
    exports = read_exports([tmp_path])
    assert sorted(exports.answers) == sorted(NAMES)
    assert all(json.loads(text)["status"] in (200, 409) for text in exports.answers.values())
    assert _body(exports, "pop-status").get("detailsRedacted") is not True
    assert _body(exports, "transfers")["roleView"] == "master"
    asked = {
        row["response"]["status"]
        for row in _session(session)
        if row["request"]["path"].startswith("/api/master/audit-logs")
    }
    assert asked == {200, 401}
    refused = [item for item in exports.earlier_answers if item.name == "audit-logs"]
    assert [json.loads(item.document)["status"] for item in refused] == [401]
    case = put_together(exports, CASES / CASE / "case.json", tmp_path / "case")
    assert [str(problem) for problem in Evidence(case).read_all().problems] == []


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_gives_receipts_events_and_grants_and_no_request(
    session: str, tmp_path: Path
) -> None:
    write(tmp_path / "session.jsonl", (DATA / session).read_bytes())
    exports = read_exports([tmp_path])
    rows = _session(session)
    given = {
        json.dumps(receipt, sort_keys=True)
        for row in rows
        if isinstance(row["response"]["body"], dict)
        for receipt in (
            row["response"]["body"].get("ticketReceipt"),
            row["response"]["body"].get("receipt"),
        )
        if receipt
    }
    found = [
        json.dumps(json.loads(line), sort_keys=True)
        for line in exports.rows["worker/ticket-receipts.jsonl"]
    ]
    assert sorted(found) == sorted(given)
    created = {
        row["response"]["body"]["id"]
        for row in rows
        if row["response"]["status"] == 201 and "solanaGrantId" in row["response"]["body"]
    }
    assert created >= {event for event, _ in links_in(exports)}
    assert links_in(exports)
    assert set(grants_in(exports)) == {grant for _, grant in links_in(exports)}
    assert exports.newest == int(
        max(
            row["at"]
            for row in rows
            if row["request"]["path"].split("?")[0] in _PAGES and row["request"]["method"] == "GET"
        )
    )
    assert exports.used[0].what == "exchanges with the worker"
    assert "POST /v1/school/pop-proof: nothing that a case keeps" in exports.used[0].note


_PAGES = {
    "/v1/school/pop-status",
    "/v1/school/runtime-status",
    "/v1/school/audit-status",
    "/v1/school/events",
    "/api/master/transfers",
} | {
    "/api/admin/transfers",
    "/api/master/audit-logs",
    "/api/master/audit-integrity",
}


def _exchange(
    path: str, body: Any, at: float, authorized: bool = True, status: int = 200
) -> dict[str, Any]:
    return {
        "at": at,
        "authorized": authorized,
        "request": {"method": "GET", "path": path, "headers": {"authorization": "Bearer s3cret"}},
        "response": {"status": status, "body": body},
    }


def _pop_status(signer: str, **more: Any) -> dict[str, Any]:
    return {
        "enforceOnchainPop": True,
        "signerConfigured": True,
        "signerPubkey": signer,
        "error": None,
        **more,
    }


def _kept(tmp_path: Path, *rows: dict[str, Any]) -> Exports:
    write(tmp_path / "s.jsonl", "\n".join(map(json.dumps, rows)))
    exports = read_exports([tmp_path])
    write(tmp_path / "s.jsonl", "\n".join(map(json.dumps, reversed(rows))))
    again = read_exports([tmp_path])
    assert (again.answers, again.earlier_answers) == (exports.answers, exports.earlier_answers)
    assert "s3cret" not in repr(exports)
    return exports


def test_what_was_received_in_full_comes_before_what_is_newer(tmp_path: Path) -> None:
    path = "/v1/school/pop-status"
    exports = _kept(
        tmp_path,
        _exchange(path, _pop_status("old"), 1_771_700_000.5),
        _exchange(path, _pop_status("new"), 1_771_700_100),
        _exchange(
            path, _pop_status("redacted", detailsRedacted=True), 1_771_700_200, authorized=False
        ),
        _exchange(path, {"error": "Unauthorized"}, 1_771_700_300, status=401),
    )
    assert _body(exports, "pop-status")["signerPubkey"] == "new"
    assert [item.at for item in exports.earlier_answers] == [
        1_771_700_000.5,
        1_771_700_200,
        1_771_700_300,
    ]
    assert exports.newest == 1_771_700_300


def test_a_full_answer_of_another_day_does_not_stand_for_a_redacted_one_of_today(
    tmp_path: Path,
) -> None:
    path = "/v1/school/pop-status"
    exports = _kept(
        tmp_path,
        _exchange(path, _pop_status("before the rotation"), 1_771_600_000),
        _exchange(path, _pop_status("now", detailsRedacted=True), 1_771_700_000, authorized=False),
    )
    assert _body(exports, "pop-status")["signerPubkey"] == "now"


def test_filtered_and_administrators_views_come_behind(tmp_path: Path) -> None:
    def view(role: str, event: str | None, at: float) -> dict[str, Any]:
        query = f"?eventId={event}" if event else ""
        body = {"roleView": role, "strictLevel": "x", "limit": 50, "eventId": event, "items": []}
        return _exchange(f"/api/{role}/transfers{query}", body, at)

    exports = _kept(
        tmp_path,
        view("master", None, 1_771_700_000),
        view("admin", None, 1_771_700_001),
        view("master", "evt-1", 1_771_700_002),
    )
    assert _body(exports, "transfers") == {
        "roleView": "master",
        "strictLevel": "x",
        "limit": 50,
        "eventId": None,
        "items": [],
    }
    mine = [{"id": "evt-1", "title": "t", "state": "published"}]
    path = "/v1/school/events"
    exports = _kept(
        tmp_path,
        _exchange(path, [], 1, status=503),
        _exchange(f"{path}?scope=mine", {"items": mine}, 1_771_700_002),
        _exchange(path, {"items": []}, 1_771_700_001),
    )
    assert _body(exports, "events") == {"items": []}


def test_a_refusal_alone_is_kept_as_what_was_answered(tmp_path: Path) -> None:
    exports = _kept(
        tmp_path,
        _exchange("/api/master/audit-logs", {"error": "Unauthorized"}, 1_771_700_000, status=401),
    )
    assert json.loads(exports.answers["audit-logs"]) == {
        "status": 401,
        "body": {"error": "Unauthorized"},
    }


def test_a_failed_integrity_check_is_a_full_answer(tmp_path: Path) -> None:
    body = {**_answer("audit-integrity")["body"], "ok": False}
    write(tmp_path / "check.json", json.dumps(body))
    assert json.loads(read_exports([tmp_path]).answers["audit-integrity"]) == {
        "status": 409,
        "body": body,
    }


def test_an_empty_list_is_named_by_its_file(tmp_path: Path) -> None:
    write(tmp_path / "events.json", '{"items":[]}')
    write(tmp_path / "audit-logs.json", '{"logs":[]}')
    write(tmp_path / "list.json", '{"items":[]}')
    exports = read_exports([tmp_path])
    assert sorted(exports.answers) == ["audit-logs", "events"]
    assert list(reasons(exports)) == ["list.json"]


def test_an_answer_with_operators_codes_is_never_taken(tmp_path: Path) -> None:
    body = {
        "checkedAt": "2026-02-22T00:00:00Z",
        "strictLevel": "master_full",
        "admins": [{"adminId": "a", "code": "s3cret"}],
    }
    write(tmp_path / "disclosures.json", json.dumps(body))
    write(tmp_path / "saved.json", json.dumps({"status": 200, "body": body}))
    write(tmp_path / "errors.jsonl", "")
    exports = read_exports([tmp_path])
    assert set(reasons(exports).values()) == {
        "holds operators' codes, which are credentials: never taken into a case"
    }
    assert "s3cret" not in repr(exports)


def _receipt() -> dict[str, Any]:
    return next(dict(row) for row in rows_of(CASE, "worker/ticket-receipts.jsonl"))


CARRIERS = {
    "alone": lambda receipt: receipt,
    "claim": lambda receipt: {
        "success": True,
        "confirmationCode": "ABC234",
        "ticketReceipt": receipt,
    },
    "verify-code": lambda receipt: {"ok": True, "receipt": receipt, "verification": {"ok": True}},
    "saved answer": lambda receipt: {"status": 409, "body": {"ok": False, "receipt": receipt}},
    "array": lambda receipt: [receipt, receipt],
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_receipts_are_found_in_what_carries_them(carrier: str, tmp_path: Path) -> None:
    write(
        tmp_path / "kept.json",
        json.dumps(CARRIERS[carrier](_receipt()), ensure_ascii=False, indent=2),
    )
    exports = read_exports([tmp_path])
    assert [json.loads(line) for line in exports.rows["worker/ticket-receipts.jsonl"]] == [
        _receipt()
    ]


def test_a_forged_receipt_stands_beside_the_true_one(tmp_path: Path) -> None:
    write(
        tmp_path / "receipts.jsonl",
        json.dumps(_receipt()) + "\n" + json.dumps({**_receipt(), "confirmationCode": "FORGED"}),
    )
    assert len(read_exports([tmp_path]).rows["worker/ticket-receipts.jsonl"]) == 2


def test_a_receipt_in_a_request_is_not_evidence(tmp_path: Path) -> None:
    row = _exchange("/v1/school/pop-status", _pop_status("x"), 1_771_700_000)
    row["request"]["body"] = {"receipt": _receipt()}
    write(tmp_path / "s.jsonl", json.dumps(row))
    assert "worker/ticket-receipts.jsonl" not in read_exports([tmp_path]).rows


def test_reports_lose_what_a_case_does_not_keep(tmp_path: Path) -> None:
    report = rows_of(CASE, "client/errors.jsonl")[0]
    write(
        tmp_path / "phone.json", json.dumps([{**report, "deviceToken": "s3cret"}, report], indent=1)
    )
    exports = read_exports([tmp_path])
    assert [json.loads(line) for line in exports.rows["client/errors.jsonl"]] == [report]
    assert "s3cret" not in repr(exports)


def test_links_come_from_audit_entries_too(tmp_path: Path) -> None:
    logs = _answer("audit-logs")
    case_links = [
        (row["event"], row["grant"])
        for row in json.loads((CASES / CASE / "case.json").read_text())["events"]
    ]
    write(tmp_path / "audit-logs.json", json.dumps(logs))
    assert set(links_in(read_exports([tmp_path]))) <= set(case_links)
    write(tmp_path / "worker" / "r2.jsonl", (CASES / CASE / "worker" / "r2.jsonl").read_bytes())
    assert links_in(read_exports([tmp_path])) == case_links


LOOK_ALIKES = {
    "package.json": {"name": "x", "version": "1", "dependencies": {"a": "1"}},
    "analysis.ipynb": {
        "cells": [{"cell_type": "code", "source": ["audit/immutable/entry/x"]}],
        "nbformat": 4,
    },
    "status.json": {"status": 200, "body": "OK"},
    "todo.json": {"items": [{"id": 1, "title": "x"}]},
    "log.json": {"logs": ["a", "b"]},
    "claimants.json": {"eventId": "evt-1", "eventTitle": "x", "items": []},
    "openapi.json": {"request": {"method": "GET"}, "response": {"status": 200}},
    "mode.json": {"mode": "dark", "sinks": []},
    "report.json": {"at": "now", "eventId": "e", "wallet": "w", "message": "m"},
    "finding.json": {"schema": "popkit.findings/1", "case": "x", "grants": []},
}


def test_look_alikes_are_not_taken(tmp_path: Path) -> None:
    for name, value in LOOK_ALIKES.items():
        write(tmp_path / name, json.dumps(value))
    write(tmp_path / "errors.jsonl", "")
    exports = read_exports([tmp_path])
    assert sorted(reasons(exports)) == sorted(LOOK_ALIKES)
    assert [item.path for item in exports.used] == ["errors.jsonl"]
