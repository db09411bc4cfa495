"""The worker's desk: against the living worker of each era, and every recorded refusal read for
what it means.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from popkit import __version__
from popkit.collecting.address import Address
from popkit.collecting.outcomes import outcome_of_status
from popkit.cutover.desk.answers import read_created, read_done, read_participation
from popkit.cutover.desk.client import Exchange
from popkit.cutover.desk.continuation import is_continuation
from popkit.cutover.desk.meanings import LOOK, MEANINGS
from popkit.cutover.desk.worker import WorkerDesk, can_close, compared, words_that_warn
from popkit.cutover.errors import Silent, Stopped
from popkit.cutover.first_claim import words as canary_words
from popkit.cutover.planning.linking import refuse_unready
from popkit.drill.live import Drill
from popkit.drill.rehearsal import background
from popkit.drill.stage import MODELS
from popkit.drill.world import GrantHandle, World, sound
from tests.conftest import ROOT
from tests.cutover.scripted import TOKEN, Asked, Reply, scripted
from tests.drill.recorded import rows_of
from tests.japanese import left_in_english

ERAS = ("strict", "strict_v2", "relaxed", "head")
HEADERS = (("Authorization", f"Bearer {TOKEN}"),)
NO_EVENTS = Reply(body=b'{"items": []}')


def of(handle: GrantHandle, number: str = "77", **other: Any) -> dict[str, Any]:
    """An event's fields for a grant id beside a world's grant."""
    told = {
        "title": "Clean-up, again",
        "datetime": "2026/03/01 10:00-12:00",
        "host": "生徒会",
        "ticketTokenAmount": 1,
    }
    link = {"solanaMint": handle.mint, "solanaAuthority": handle.authority, "solanaGrantId": number}
    return told | {"claimIntervalDays": 30, "maxClaimsPerInterval": 1} | link | other


@contextmanager
def living(era: str) -> Iterator[tuple[Drill, WorkerDesk, GrantHandle]]:
    world, handle, _ = sound(era, MODELS[era], "ann", "bob")
    world.live(50)
    drill = Drill(world, TOKEN)
    with background(drill) as listening, WorkerDesk(Address(listening.worker, HEADERS)) as desk:
        yield drill, desk, handle


@contextmanager
def told(*replies: Reply, **how: Any) -> Iterator[tuple[WorkerDesk, list[Asked]]]:
    with (
        scripted(replies) as (url, asked),
        WorkerDesk(Address(url, HEADERS), timeout=5, **how) as desk,
    ):
        yield desk, asked


@pytest.fixture(scope="module")
def handle() -> GrantHandle:
    return World("strict").grant()


@pytest.mark.parametrize("era", ERAS)
def test_an_event_is_made_once_compared_and_found_again(era: str) -> None:
    with living(era) as (drill, desk, handle):
        planned = of(handle)
        before = desk.find_event(handle.authority, handle.mint, "77")
        made = desk.create_event(planned)
        again = desk.create_event(planned)
        assert (before.is_linked, made.kind, again.kind) == (False, "created", "already_linked")
        assert (again.exchange, again.event) == (None, made.event)
        assert made.event is not None
        assert compared(made, planned) == compared(desk.event(made.event), planned) == ()
        assert desk.find_event(handle.authority, handle.mint, "77").events == (made.event,)
        assert sum(row.get("solanaGrantId") == "77" for row in drill.worker.events.values()) == 1


@pytest.mark.parametrize("era", ERAS)
def test_an_event_is_closed_where_the_worker_can(era: str) -> None:
    with living(era) as (drill, desk, handle):
        event = drill.worker.event_of(handle.address)
        assert desk.can_close() is (era in ("relaxed", "head"))
        closed = [desk.close_event(event).kind for _ in range(2)]
        is_open = desk.event(event)["state"] == "published"
        assert (closed, is_open) == (
            (["done"] * 2, False) if era in ("relaxed", "head") else (["no_route"] * 2, True)
        )


def test_what_the_worker_shows_is_read(handle: GrantHandle) -> None:
    with living("head") as (_, desk, _):
        assert desk.status()["signerConfigured"] is True
        assert desk.runtime()["ready"] is True
        assert desk.integrity()["ok"] is True
        assert len(desk.transfers()["items"]) >= 2
        assert len(desk.audit_logs()) > 10
        assert desk.freeze_status().is_frozen is False


def test_a_frozen_operator_is_shown_as_frozen_and_nothing_is_made() -> None:
    with living("head") as (drill, desk, handle):
        drill.desk.security.frozen = {
            "frozenAt": "2026-05-02T05:07:23.475Z",
            "reason": "r",
            "warningId": "w",
        }
        assert desk.freeze_status().is_frozen is True
        assert desk.create_event(of(handle)).kind == "frozen"
        assert desk.close_event(drill.worker.event_of(handle.address)).kind == "frozen"
        assert desk.can_close() is True


def test_the_third_attempt_in_a_minute_is_not_sent() -> None:
    """Two go through; the third says how long to wait, and after waiting it is made. The worker
    never warned.
    """
    slept: list[float] = []
    with living("head") as (drill, desk, handle):
        now = [1000.0]
        desk._clock = lambda: now[0]
        desk._sleep = lambda seconds: (
            slept.append(seconds),
            now.__setitem__(0, now[0] + seconds),
            drill.clock.skip(seconds),
        )[0]
        assert [desk.create_event(of(handle, str(n))).kind for n in (71, 72)] == ["created"] * 2
        with pytest.raises(Stopped, match="third") as stopped:
            desk.create_event(of(handle, "73"))
        assert stopped.value.code == "paced"
        assert "61 seconds" in stopped.value.advice
        assert desk.create_event(of(handle, "73"), wait=True).kind == "created"
        assert slept == [61.0]
        assert drill.desk.security.warned_until == 0.0


def test_attempts_of_an_earlier_process_count(handle: GrantHandle) -> None:
    with told(NO_EVENTS, attempted=(940.0, 990.0), clock=lambda: 1000.0) as (desk, asked):
        assert desk.seconds_to_wait() == 1.0
        with pytest.raises(Stopped):
            desk.create_event(of(handle))
        assert asked == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>login</html>", "text/html"),
        Reply(201, b"<html>made</html>", "text/html"),
        Reply(201, b'{"ok": true}'),
        Reply(200, b'{"id": "evt-1"}'),
        Reply(201, b"[]"),
        Reply(302, b"", headers={"Location": "https://elsewhere.example/"}),
        Reply(401, b"<html>firewall</html>", "text/html"),
        Reply(404, b"<html>no such site</html>", "text/html"),
        Reply(404, b"Not Found <br>", "text/html"),
        Reply(500, b'{"error": "boom"}'),
        Reply(502, b"<html>bad gateway</html>", "text/html"),
        Reply(503, b"upstream unavailable", "text/plain"),
        Reply(503, b'{"error": "audit log persistence failed", "detail": "r2"}'),
        Reply(201, b'{"id": "evt-1", "ti', length=500),
        Reply(201, None),
    ],
)
def test_what_cannot_be_read_is_not_known_and_is_sent_once(
    reply: Reply, handle: GrantHandle
) -> None:
    with told(NO_EVENTS, reply) as (desk, asked):
        answered = desk.create_event(of(handle))
        assert answered.kind == "not_known", answered.sentence
        assert "Do not send it again" in answered.advice
        assert [(one.method, one.path) for one in asked] == [
            ("GET", "/v1/school/events"),
            ("POST", "/v1/school/events"),
        ]


def test_after_an_end_that_is_not_known_a_look_comes_before_another_attempt(
    handle: GrantHandle,
) -> None:
    row = {"id": "evt-late", "title": "t"} | of(handle)
    listed, one = (
        Reply(body=json.dumps({"items": [row]}).encode()),
        Reply(body=json.dumps(row).encode()),
    )
    with told(NO_EVENTS, Reply(201, None), listed, one) as (desk, asked):
        assert desk.create_event(of(handle)).kind == "not_known"
        found = desk.create_event(of(handle))
        assert (found.kind, found.event) == ("already_linked", "evt-late")
        assert [one.method for one in asked] == ["GET", "POST", "GET", "GET"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, b"no"),
        Reply(200, b'{"items": [{}]}'),
        Reply(200, b'{"items": [], "nextCursor": "x"}'),
    ],
)
def test_nothing_is_made_where_the_look_shows_nothing(reply: Reply, handle: GrantHandle) -> None:
    with told(reply) as (desk, asked):
        assert desk.find_event(handle.authority, handle.mint, "77").is_linked is None
        with pytest.raises(Silent):
            desk.create_event(of(handle))
        assert {one.method for one in asked} == {"GET"}


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"solanaGrantId": 77}, "solanaGrantId"),
        ({"solanaGrantId": "077"}, "solanaGrantId"),
        ({"solanaGrantId": " 77"}, "solanaGrantId"),
        ({"solanaGrantId": "-1"}, "solanaGrantId"),
        ({"solanaGrantId": "７７"}, "solanaGrantId"),
        ({"solanaGrantId": str(1 << 64)}, "solanaGrantId"),
        ({"solanaMint": "nonsense"}, "solanaMint"),
        ({"solanaAuthority": None}, "solanaAuthority"),
        ({"title": "again "}, "title"),
        ({"host": ""}, "host"),
        ({"ticketTokenAmount": "1"}, "ticketTokenAmount"),
        ({"claimIntervalDays": True}, "claimIntervalDays"),
        ({"ticketTokenAmount": 1 << 53}, "ticketTokenAmount"),
        ({"other": 1}, "other"),
    ],
)
def test_malformed_fields_are_refused_before_anything_is_sent(
    wrong: dict[str, Any], name: str, handle: GrantHandle
) -> None:
    with told(NO_EVENTS) as (desk, asked):
        with pytest.raises(ValueError, match=name):
            desk.create_event(of(handle) | wrong)
        assert asked == []


def test_what_goes_over_the_wire(handle: GrantHandle) -> None:
    """A plain user agent, no header that overrides a warning, the grant id as a string; wallets'
    requests carry no token.
    """
    with told(NO_EVENTS, Reply(201, b'{"id": "evt-1"}'), Reply()) as (desk, asked):
        desk.create_event(of(handle))
        desk.participate("evt-1", handle.authority)
        desk.pop_proof("evt-1", handle.address, handle.authority, 3, "ABCDEF", ("0" * 64, "1" * 64))
    post, part, proof = asked[1:]
    assert post.headers["Authorization"] == f"Bearer {TOKEN}"
    assert {one.headers["User-Agent"] for one in asked} == {f"popkit/{__version__}"}
    assert not [name for one in asked for name in one.headers if "override" in name.lower()]
    assert b'"solanaGrantId":"77"' in post.body
    assert "Authorization" not in part.headers | proof.headers
    assert json.loads(proof.body) == {
        "eventId": "evt-1", "grant": handle.address, "claimer": handle.authority, "periodIndex": "3", "confirmationCode": "ABCDEF",
        "expectedPrevHash": "0" * 64, "expectedStreamPrevHash": "1" * 64,
    }  # fmt: skip


def test_the_token_is_in_nothing_that_is_kept_or_logged(
    handle: GrantHandle, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[Exchange] = []
    echo = Reply(
        401,
        json.dumps({"error": f"Bearer {TOKEN} is unknown"}).encode(),
        headers={"Location": f"/{TOKEN}"},
    )
    with caplog.at_level(logging.DEBUG), told(NO_EVENTS, echo, keep=kept.append) as (desk, _):
        answered = desk.create_event(of(handle))
        shown = [
            repr(desk.client),
            repr(answered),
            answered.sentence,
            json.dumps([one.as_json() for one in kept]),
            caplog.text,
        ]
    assert answered.why == "unauthorized"
    assert [one.authorized for one in kept] == [True, True]
    assert kept[1].secrets_replaced == 1
    assert not [text for text in shown if TOKEN in text]


def test_the_desk_answers_inside_a_running_loop() -> None:
    """As in a notebook, where a loop runs already."""

    async def cell() -> int:
        with told(NO_EVENTS) as (desk, _):
            return len(desk.events())

    assert asyncio.run(cell()) == 0


def recorded(era: str, kind: str) -> list[dict[str, Any]]:
    return [
        row
        for row in rows_of(ROOT / "data" / "sessions" / f"{era}-{kind}.jsonl")
        if row["to"] == "worker"
    ]


def exchange_of(row: dict[str, Any]) -> Exchange:
    """A recorded row as the client would have had it."""
    status, body = row["response"]["status"], row["response"]["body"]
    sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    asked = row["request"]
    outcome = outcome_of_status(status)
    request = asked.get("body")
    return Exchange(
        row["at"],
        asked["method"],
        asked["path"],
        request,
        row["authorized"],
        outcome,
        status,
        sent,
        "",
        "",
        None,
        None,
    )


ENDS = {
    "event POST: no token": "unauthorized",
    "event POST: wrong token": "unauthorized",
    "event POST: not JSON": "bad_request",
    "event POST: an array": "bad_request",
    "event POST: no title": "bad_request",
    "event POST: amount 0": "bad_request",
    "event POST: interval 0": "bad_request",
    "event POST: a good one": "created",
    "event POST: the same again": "already_linked",
    "event POST: the same again, other title": "already_linked",
    "event POST: grant id with spaces": "already_linked",
    "event POST: the old grant, its event still open": "already_linked",
    "event POST: the old grant, after its event ended": "already_linked",
    "event POST: user agent of a Python client": "warned",
    "event POST: the word auto in the title": "warned",
    "event POST: override": "frozen",
    "event POST: while frozen": "frozen",
    "event POST: a day later": "frozen",
    "event POST: a duplicate beyond the limit": "already_linked",
}
"""What each recorded attempt to make an event ended with, by what was being done."""


@pytest.mark.parametrize("era", ["strict", "head"])
def test_every_recorded_attempt_is_read_for_what_it_was(era: str) -> None:
    rows = [
        row
        for row in recorded(era, "refused")
        if (row["request"]["method"], row["request"]["path"]) == ("POST", "/v1/school/events")
    ]
    read = [(row["step"], read_created(exchange_of(row))) for row in rows]
    wrong = [
        (step, answered.why)
        for step, answered in read
        if answered.why != ENDS.get(step, answered.why)
    ]
    assert wrong == []
    statuses = {
        (row["response"]["status"], answered.kind)
        for row, (_, answered) in zip(rows, read, strict=True)
    }
    expected = {(201, "created"), (400, "refused"), (401, "refused"), (409, "already_linked")}
    assert statuses == (
        expected
        | ({(409, "warned"), (423, "frozen"), (429, "limited")} if era == "head" else set())
    )
    if era == "head":
        signals = {answered.signals for _, answered in read if answered.kind == "warned"}
        assert signals == {
            ("bot_like_user_agent",),
            ("suspicious_keyword",),
            ("rapid_issue_attempts",),
        }
        assert [answered.retry_after for _, answered in read if answered.kind == "limited"] == [
            84565.0
        ]


@pytest.mark.parametrize("era", ["strict", "head"])
def test_a_link_that_the_worker_dropped_is_seen(era: str) -> None:
    """A number for a grant id, recorded: 201, and no link."""
    row = next(
        row for row in recorded(era, "refused") if row["step"] == "event POST: grant id as a number"
    )
    answered = read_created(exchange_of(row))
    planned = row["request"]["body"] | {
        "solanaGrantId": str(row["request"]["body"]["solanaGrantId"])
    }
    assert answered.kind == "created"
    assert [(differs.field, differs.found) for differs in compared(answered, planned)] == [
        ("solanaGrantId", None)
    ]


@pytest.mark.parametrize("era", ["strict", "head"])
def test_every_other_recorded_answer_is_read(era: str) -> None:
    """Participation, proofs and receipts of both sessions: nothing refused is taken for done,
    nothing done for refused.
    """
    ends = set()
    for row in recorded(era, "refused") + recorded(era, "cutover"):
        exchange, path = exchange_of(row), row["request"]["path"]
        if path == "/v1/school/claims":
            answered = read_participation(exchange, "participation")
            assert answered.is_done is (row["response"]["body"]["success"] is True)
        elif path == "/v1/school/pop-proof":
            answered = read_done(
                exchange, "proof", "signerPubkey", "messageBase64", "signatureBase64"
            )
            assert answered.is_done is (row["response"]["status"] == 200)
        elif path.endswith("/close"):
            answered = read_done(exchange, "close", "id", "state")
            assert answered.is_done is (row["response"]["status"] == 200)
        else:
            continue
        assert answered.kind != "not_known"
        ends.add((row["response"]["status"], answered.why))
    expected = {(200, "done"), (200, "bad_request"), (400, "bad_request"), (404, "not_found")}
    later = {(401, "unauthorized"), (409, "wants_code"), (423, "frozen")}
    assert ends == expected | (later if era == "head" else {(404, "no_route")})


def test_a_failed_proof_says_that_the_head_may_have_moved() -> None:
    with told(Reply(503, b'{"error": "audit log persistence failed"}')) as (desk, _):
        answered = desk.pop_proof("evt-1", "g", "c", 0)
        assert (answered.kind, answered.why) == ("not_known", "failed")
        assert "head may have moved" in answered.advice


def test_a_sink_that_is_down_beforehand_and_too_many_reads_are_refusals() -> None:
    down = Reply(503, b'{"error": "audit immutable sink is not operational"}')
    with told(down, Reply(429, b"slow", headers={"Retry-After": "7"}), Reply(413)) as (desk, _):
        found = [desk.participate("evt-1", "w") for _ in range(3)]
        assert [(one.why, one.retry_after) for one in found] == [
            ("sink_down", None),
            ("too_many", 7.0),
            ("too_large", None),
        ]


def test_a_worker_that_cannot_be_worked_with_is_refused_in_both_languages() -> None:
    """A worker that limits this operator is not one that is away: the one passes by itself."""
    ready, limited = (
        Reply(body=b'{"ready": true}'),
        Reply(429, b"slow", headers={"Retry-After": "7"}),
    )
    blocked = Reply(body=b'{"ready": false, "blockingIssues": ["sink", "key"]}')
    free = b'{"frozenCount": 0, "items": [], "pendingWarnings": [%s]}'
    warned = Reply(body=free % b'{"id": "warn-1"}, {"id": "warn-2"}')
    cases = {
        "worker_limited": [(limited, ready), (ready, limited), (ready, warned)],
        "worker_unreachable": [(Reply(503, b"no"), ready), (ready, Reply(201, None))],
        "worker_not_ready": [(blocked, Reply(body=free % b""))],
    }
    for code, pairs in cases.items():
        for replies in pairs:
            with told(*replies) as (desk, _), pytest.raises(Stopped) as stopped:
                refuse_unready(desk)
            assert stopped.value.code == code
            assert left_in_english(stopped.value.reason.in_language("ja"), ["sink", "key"]) == []
    with told(ready, Reply(body=free % b"")) as (desk, asked):
        refuse_unready(desk)
        assert len(asked) == 2


def test_every_meaning_is_whole_in_japanese() -> None:
    texts = [
        text for meaning in MEANINGS.values() for text in (meaning.sentence, meaning.advice)
    ] + list(LOOK.values())
    of_canary = [
        *canary_words.OUTCOMES.values(),
        *(words for words in vars(canary_words).values() if isinstance(words, canary_words.Words)),
    ]
    texts += [text for words in of_canary for text in words]
    for text in (*texts, canary_words.COUNTDOWN, canary_words.RESUME):
        assert left_in_english(re.sub(r"\{\w+\}", " ", text.in_language("ja"))) == [], text


def test_a_timeout_is_not_known(handle: GrantHandle) -> None:
    with told(NO_EVENTS, Reply(201, b'{"id": "evt-1"}', seconds=0.5)) as (desk, asked):
        desk.client.timeout = 0.2
        answered = desk.create_event(of(handle))
        assert answered.kind == "not_known"
        assert answered.exchange is not None
        assert answered.exchange.outcome == "timeout"
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("title", "host", "words"),
    [
        ("Auto draw", "生徒会", ("auto",)),
        ("自動bot会", "SPAM club", ("bot", "spam")),
        ("Automatic massage", "Robotics", ()),
        ("script_kiddies", "mass-start", ("mass",)),
        ("地域清掃", "生徒会", ()),
    ],
)
def test_words_that_warn(title: str, host: str, words: tuple[str, ...]) -> None:
    assert words_that_warn(title, host) == words


def test_what_a_model_of_worker_can_close() -> None:
    assert [can_close(model) for model in ("A", "B", "C", "D", "E", None)] == [
        False,
        None,
        True,
        True,
        True,
        None,
    ]


def test_the_same_worker_goes_on_and_another_does_not() -> None:
    with living("strict") as (_, desk, _):
        case = list(desk.audit_logs())
        desk.status()
        later = list(desk.audit_logs())
        assert is_continuation(case, later).is_same is True
        other = World("strict", "A", "elsewhere").worker
        other.append("EVENT_CREATE", "evt-9", {"type": "master", "id": "master"}, {})
        found = is_continuation(case, other.entries)
        assert (found.is_same, len(found.missing)) == (False, len(case))
        put_back = is_continuation(case, later[len(later) // 2 :])
        assert put_back.is_same is False
        assert is_continuation([], later).is_same is None


def test_lists_that_do_not_meet_tell_nothing() -> None:
    world, _, _ = sound("strict", "A", "ann")
    case = list(world.worker.entries)
    for number in range(60):
        world.worker.append(
            "API_GET_X", "system", {"type": "school", "id": "public-api"}, {"n": number}
        )
        world.tick(1)
    newest = world.worker.entries[-50:]
    assert is_continuation(case, newest).is_same is None
    assert is_continuation(case + world.worker.entries[:-50], newest).is_same is True, (
        "the oldest row follows the newest of the case"
    )
    edited = [*newest[:-1], newest[-1] | {"data": {"n": "edited"}}]
    assert is_continuation(case + world.worker.entries[:-50], edited).is_same is None
