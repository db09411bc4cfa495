"""What the later workers refuse before anything else, and in which order they refuse the making of
an event.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from popkit.drill.desk import Desk
from popkit.drill.limits import MAX_BODY
from popkit.drill.world import GrantHandle, World, sound

TOKEN = "the operator's"
PLAIN = {"User-Agent": "popkit/0.1.0"}
EVENTS = "/v1/school/events"


@pytest.fixture(params=["D", "E"])
def desk(request: pytest.FixtureRequest) -> Desk:
    world, _, _ = sound("relaxed", request.param)
    return Desk(world.worker, TOKEN)


def post(desk: Desk, body: Any, path: str = EVENTS, **headers: str) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return desk.answer(
        "POST", path, {}, {"Authorization": f"Bearer {TOKEN}", **PLAIN, **headers}, raw
    )


def event(handle: GrantHandle, number: int | None = None, **more: Any) -> dict[str, Any]:
    links = {
        "solanaMint": handle.mint,
        "solanaAuthority": handle.authority,
        "solanaGrantId": str(number or handle.number),
    }
    return {
        "title": "地域清掃",
        "datetime": "2026/03/20",
        "host": "生徒会",
        "ticketTokenAmount": 1,
        **links,
        **more,
    }


def grant_of(desk: Desk) -> GrantHandle:
    return next(iter(desk.worker.world.grants.values()))


def test_a_body_over_the_limit_is_refused_and_leaves_no_row(desk: Desk) -> None:
    before = len(desk.worker.entries)
    at_most = b" " * MAX_BODY
    assert post(desk, at_most + b" ") == (
        413,
        {"error": "payload too large", "code": "payload_too_large", "maxBytes": 65536},
    )
    assert len(desk.worker.entries) == before
    assert post(desk, at_most)[0] == 400
    assert len(desk.worker.entries) == before + 1
    older = Desk(sound("strict", "A")[0].worker, TOKEN)
    assert post(older, at_most + b" ")[0] == 400, "the older worker reads whatever comes"


def test_who_asks_too_often_waits_and_then_twice_as_long(desk: Desk) -> None:
    def read(address):
        return desk.answer("GET", f"{EVENTS}/evt-001", {}, {"CF-Connecting-IP": address}, b"")

    desk.worker.step_ms = 0  # all within one minute
    assert [read("192.0.2.1")[0] for _ in range(300)] == [200] * 300
    rows = len(desk.worker.entries)
    status, body = read("192.0.2.1")
    assert (status, body) == (
        429,
        {
            "error": "too many requests",
            "code": "rate_limited",
            "bucket": "read",
            "retryAfterSec": 120,
        },
    )
    assert len(desk.worker.entries) == rows
    assert read("192.0.2.2")[0] == 200
    desk.worker.world.tick(119)
    assert read("192.0.2.1")[1]["retryAfterSec"] == 1
    desk.worker.world.tick(2)
    assert [read("192.0.2.1")[0] for _ in range(300)] == [200] * 300
    assert read("192.0.2.1")[1]["retryAfterSec"] == 240


def test_the_order_in_which_an_event_is_refused(desk: Desk) -> None:
    handle, world = grant_of(desk), desk.worker.world
    twice = event(handle)
    bot = {"User-Agent": "python-httpx/0.28"}
    assert desk.answer("POST", EVENTS, {}, bot, b"{")[0] == 401
    assert post(desk, b"{", **bot)[0] == 400
    status, body = post(desk, twice, **bot)
    assert (status, body["code"], body["warning"]["signals"]) == (
        409,
        "security_warning",
        ["bot_like_user_agent"],
    )
    world.tick(200)
    assert post(desk, twice)[1] == {
        "error": f"on-chain grant config already linked to event: "
        f"{desk.worker.event_of(handle.address)}"
    }
    for number in range(30):
        world.tick(61)
        assert post(desk, event(handle, 5000 + number))[0] == 201
    world.tick(61)
    assert post(desk, twice)[0] == 409, "a duplicate beyond the day's limit is still a duplicate"
    world.tick(61)
    status, body = post(desk, event(handle, 6000))
    assert (status, body["code"], body["limitPerWindow"]) == (429, "event_issue_limit_exceeded", 30)
    assert 80_000 < body["retryAfterSec"] < 86_400
    world.tick(body["retryAfterSec"])
    assert post(desk, event(handle, 6000))[0] == 201


def test_whoever_goes_on_after_a_warning_is_frozen_until_unlocked(desk: Desk) -> None:
    handle, world = grant_of(desk), desk.worker.world
    override = {"X-Admin-Security-Override": "continue"}
    made = post(desk, event(handle, 7000), **override)
    assert made[0] == 201, "without a warning the header changes nothing"
    world.tick(61)
    assert post(desk, event(handle, 7001, title="Auto"))[0] == 409
    assert post(desk, event(handle, 7001), **override)[1]["code"] == "account_frozen"
    world.tick(86_400)
    assert (
        post(desk, event(handle, 7001))[0]
        == post(desk, None, f"{EVENTS}/{made[1]['id']}/close")[0]
        == 423
    )
    assert (
        post(
            desk,
            {"eventId": made[1]["id"], "walletAddress": world.address("cat")},
            "/v1/school/claims",
        )[1]["success"]
        is True
    )
    assert post(desk, {"targetActorId": "master"}, "/v1/school/admin/security/unlock")[0] == 200
    assert post(desk, event(handle, 7001))[0] == 201
    assert post(desk, None, f"{EVENTS}/{made[1]['id']}/close")[1]["state"] == "ended"


def test_a_worker_without_its_sink_changes_nothing(desk: Desk) -> None:
    handle, rows = grant_of(desk), len(desk.worker.entries)
    desk.sinkless = True
    status, body = post(desk, event(handle, 8000))
    assert (status, body["error"]) == (503, "audit immutable sink is not operational")
    assert body["audit"]["operationalReady"] is False
    assert len(desk.worker.entries) == rows
    assert post(desk, {"password": TOKEN}, "/api/admin/login")[0] == 200
    page = desk.answer("GET", "/v1/school/runtime-status", {}, {}, b"")[1]
    assert (page["ready"], len(page["blockingIssues"])) == (False, 1)


def test_the_older_workers_have_no_guard() -> None:
    world: World = sound("strict", "A")[0]
    desk = Desk(world.worker, TOKEN)
    handle = grant_of(desk)
    assert [
        post(desk, event(handle, 9000 + number), **{"User-Agent": "curl/8"})[0]
        for number in range(35)
    ] == [201] * 35
    assert post(desk, None, f"{EVENTS}/{world.worker.event_of(handle.address)}/close") == (
        404,
        "Not Found",
    )
