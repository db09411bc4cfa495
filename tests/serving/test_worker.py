"""The worker's part of a served case: recorded bytes, recorded statuses, and plain words for what
is not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from popkit.evidence.bundle import Evidence
from popkit.evidence.layout import BY_PATH, NEVER_KEPT
from popkit.serving.worker import Reply, WorkerReplay
from tests.conftest import CASES, NAMES, Copy

TRANSFERS = "/api/master/transfers"


def worker_of(name: str, token: str | None = None) -> WorkerReplay:
    return WorkerReplay(Evidence(CASES / name), token)


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_answers_are_given_byte_for_byte(name: str) -> None:
    worker, folder = worker_of(name), CASES / name / "worker"
    for path, endpoint in BY_PATH.items():
        reply, source = worker.get(path, {}), CASES / name / endpoint.file
        if not folder.is_dir():
            assert (reply.status, "no worker" in body(reply)["error"]) == (404, True)
        elif not source.is_file() or path == "/api/admin/transfers":
            assert (reply.status, "does not hold" in body(reply)["error"]) == (503, True)
        else:
            assert reply.status == json.loads(source.read_bytes())["status"]
            assert reply.body in source.read_bytes()
            assert body(reply) == json.loads(source.read_bytes())["body"]


def test_a_refusal_is_replayed_with_its_status(copy_of: Callable[[str], Copy]) -> None:
    copy = copy_of("intact")
    (copy.path / "worker/audit-integrity.json").write_text(
        '{"status": 409, "body": {"ok" : false}}'
    )
    (copy.path / "worker/transfers.json").write_text(
        '{"status": 500, "body": {"error":"server configuration error"}}'
    )
    worker = WorkerReplay(Evidence(copy.seal().path))
    assert worker.get("/api/master/audit-integrity", {"limit": "5"}) == Reply(
        409, b'{"ok" : false}'
    )
    for path in (TRANSFERS, "/api/admin/transfers"):
        assert worker.get(path, {"limit": "5"}) == Reply(
            500, b'{"error":"server configuration error"}'
        )


def test_one_event_is_taken_from_the_list() -> None:
    worker = worker_of("cutover")
    for item in body(worker.get("/v1/school/events", {}))["items"]:
        reply = worker.get(f"/v1/school/events/{item['id']}", {})
        assert (reply.status, body(reply)) == (200, item)
    reply = worker.get("/v1/school/events/evt-none", {})
    assert reply == Reply(
        404,
        '{"success":false,"error":{"code":"not_found","message":"イベントが見つかりません"}}'.encode(),
    )


def test_transfers_are_narrowed_to_an_event_and_to_the_newest() -> None:
    worker = worker_of("cutover")
    whole = body(worker.get(TRANSFERS, {}))
    for event in {item["eventId"] for item in whole["items"]}:
        told = body(worker.get(TRANSFERS, {"eventId": event}))
        assert told == {
            **whole,
            "eventId": event,
            "items": [item for item in whole["items"] if item["eventId"] == event],
        }
        assert 0 < len(told["items"]) < len(whole["items"])
    assert body(worker.get(TRANSFERS, {"limit": "2"})) == {
        **whole,
        "limit": 2,
        "items": whole["items"][:2],
    }
    assert body(worker.get(TRANSFERS, {"eventId": "evt-none"}))["items"] == []
    for limit in ("200", "1000", "x", "٣", ""):
        assert worker.get(TRANSFERS, {"limit": limit}) == worker.get(TRANSFERS, {})


def test_transfers_recorded_of_one_event_say_nothing_of_another(
    copy_of: Callable[[str], Copy],
) -> None:
    copy = copy_of("intact")
    recorded = {"roleView": "admin", "limit": 200, "eventId": "evt-a", "items": []}
    (copy.path / "worker/transfers.json").write_text(json.dumps({"status": 200, "body": recorded}))
    worker = WorkerReplay(Evidence(copy.seal().path))
    assert body(worker.get("/api/admin/transfers", {"eventId": "evt-a"})) == recorded
    assert worker.get("/api/admin/transfers", {"eventId": "evt-b"}).status == 503
    assert worker.get("/api/admin/transfers", {}).status == 503
    assert worker.get(TRANSFERS, {"eventId": "evt-a"}).status == 503


def test_a_token_guards_what_only_an_operator_may_see() -> None:
    guarded, open_to_all = worker_of("cutover", "s3cret"), worker_of("cutover")
    for path in (*BY_PATH, *NEVER_KEPT):
        expected = open_to_all.get(path, {})
        assert guarded.get(path, {}, "Bearer s3cret") == expected
        for given in (
            None,
            "",
            "Bearer",
            "Bearer other",
            "s3cret",
            "bearer s3cret",
            "Bearer ü\udcff",
        ):
            assert guarded.get(path, {}, given) == (
                Reply(401, b'{"error":"Unauthorized"}') if path.startswith("/api/") else expected
            )
    assert guarded.get("/v1/school/events", {"scope": "mine"}).status == 401
    assert guarded.get("/v1/school/events", {"scope": "mine"}, "Bearer s3cret").status == 503


def test_paths_that_the_worker_has_not_are_not_found() -> None:
    for path in ("/v1/", "/api/x", "/v1/school/pop-proof", "/api/master/audit-logs/"):
        reply = worker_of("cutover").get(path, {})
        assert (reply.status, reply.body.startswith(b'{"error":"popkit serve: ')) == (404, True)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"status":"200","body":1}',
        '{"status":99,"body":1}',
        '{"body":1}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_damaged_answer_is_not_held(copy_of: Callable[[str], Copy], text: str) -> None:
    copy = copy_of("intact")
    (copy.path / "worker/events.json").write_text(text, errors="surrogateescape")
    worker = WorkerReplay(Evidence(copy.seal().path))
    assert worker.get("/v1/school/events", {}).status == 503
    assert worker.get("/v1/school/events/evt-001", {}).status == 503
    assert [problem.code for problem in worker.problems] == ["unreadable_document"]


@pytest.mark.parametrize("odd", [None, 5, [], {"items": 5}, {"items": [1, "x"]}])
def test_a_body_of_another_shape_is_given_as_it_is(
    copy_of: Callable[[str], Copy], odd: Any
) -> None:
    copy = copy_of("intact")
    for file in ("events", "transfers"):
        (copy.path / f"worker/{file}.json").write_text(json.dumps({"status": 200, "body": odd}))
    worker = WorkerReplay(Evidence(copy.seal().path))
    assert body(worker.get(TRANSFERS, {"limit": "1"})) == odd
    assert body(worker.get("/v1/school/events", {})) == odd
    assert worker.get("/v1/school/events/evt-001", {}).status == 404
