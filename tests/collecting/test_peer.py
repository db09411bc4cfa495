"""Peers that misbehave: each way has a bounded end with a name, and the custody record says it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import ssl
import tracemalloc
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting import peer as peers
from popkit.collecting.fetching import Fetched, Fetcher
from popkit.collecting.limits import Rate
from popkit.collecting.node import GROW_AFTER, Call, Node, Reply
from popkit.collecting.outcomes import (
    RULES,
    UNAVAILABLE_CODES,
    Outcome,
    outcome_of_error,
    outcome_of_status,
)
from popkit.collecting.progress import Progress
from popkit.collecting.state import State
from popkit.collecting.workspace import Workspace
from popkit.evidence.custody import check_custody
from tests.collecting.scripted import Answer, Request, always, http, peer_at, scripted, spoken
from tests.conftest import CASES
from tests.serving.certificate import write_certificate

KEY = "k3y-of-the-tests-0123456789"
SLOT = '{"jsonrpc":"2.0","id":0,"result":7}'
HTML = "<!DOCTYPE html><html><body>Just a moment...</body></html>"
EIGHT = (
    "".join(
        f"{'[' if n == 0 else ','}{json.dumps({'jsonrpc': '2.0', 'id': n, 'result': n})}"
        for n in range(8)
    )
    + "]"
)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    work = Workspace(tmp_path / "case", {"grants": []})
    yield work
    work.close()
    assert check_custody(work.root) == []


def custody(work: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work.root / "custody.jsonl").read_text().splitlines()]


async def _once(
    answer: Answer, work: Workspace, calls: int, path: str, **conduct: Any
) -> tuple[list[Reply], dict[str, Any]]:
    async with scripted(answer) as peer, peer_at(peer.url + path, work, **conduct) as asked:
        node = Node(asked, 8)
        replies, _, note = await node.once([Call("getSlot", [])] * calls)
        work.keeps({}, **note)
        return replies, note


def once(
    answer: Answer | bytes, work: Workspace, calls: int = 1, path: str = "", **conduct: Any
) -> tuple[list[Reply], dict[str, Any]]:
    """Ask once; the replies, and what the custody record says of the request as a whole."""
    script = always(answer) if isinstance(answer, bytes) else answer
    return asyncio.run(_once(script, work, calls, path, **conduct))


def test_every_outcome_has_a_rule_and_every_rule_a_meaning() -> None:
    assert set(RULES) == set(Outcome)
    assert len({rule.meaning for rule in RULES.values()}) == len(RULES)
    assert not RULES[Outcome.OK].again
    assert all(rule.again for rule in RULES.values() if rule.shrink), (
        "asking for less means asking again"
    )


WHOLE: dict[str, tuple[bytes, Outcome]] = {
    "wrong content type": (http(SLOT, kind="text/plain"), Outcome.WRONG_CONTENT_TYPE),
    "no content type": (http(SLOT, kind=None), Outcome.WRONG_CONTENT_TYPE),
    "html with 200": (http(HTML, kind="text/html; charset=utf-8"), Outcome.HTML_PAGE),
    "html that says it is json": (http("\n " + HTML), Outcome.HTML_PAGE),
    "429": (http("{}", status="429 Too Many Requests"), Outcome.RATE_LIMITED),
    "413": (http("too large", status="413 Payload Too Large"), Outcome.TOO_LARGE),
    "408": (http("", status="408 Request Timeout"), Outcome.TIMEOUT),
    "504": (http(HTML, status="504 Gateway Timeout", kind="text/html"), Outcome.TIMEOUT),
    "500": (http("oh", status="500 Internal Server Error"), Outcome.SERVER_ERROR),
    "502 of a proxy": (
        http(HTML, status="502 Bad Gateway", kind="text/html"),
        Outcome.SERVER_ERROR,
    ),
    "599": (http("", status="599 x"), Outcome.SERVER_ERROR),
    "401": (http("{}", status="401 Unauthorized"), Outcome.UNAUTHORIZED),
    "403": (http("{}", status="403 Forbidden"), Outcome.UNAUTHORIZED),
    "404": (http("{}", status="404 Not Found"), Outcome.REFUSED),
    "400 with an error of its own": (
        http(
            '{"error":{"code":-32601,"message":"no such method"},"id":null}',
            status="400 Bad Request",
        ),
        Outcome.METHOD_MISSING,
    ),
    "400 with too deep a body": (
        http('{"error":' + "[" * 100_000, status="400 Bad Request"),
        Outcome.REFUSED,
    ),
    "half of a body": (http(SLOT, length=len(SLOT) * 2), Outcome.BODY_CUT),
    "a chunk without its end": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n"
        + SLOT.encode(),
        Outcome.BODY_CUT,
    ),
    "a body that is not the gzip it says": (http(SLOT, "Content-Encoding: gzip"), Outcome.BODY_CUT),
    "an announced body above the bound": (http("", length=1 << 40), Outcome.BODY_ENDLESS),
    "closed without a word": (b"", Outcome.NO_CONNECTION),
    "no http": (b"SSH-2.0-OpenSSH_9.6\r\n", Outcome.NO_CONNECTION),
    "headers without end": (
        b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 100_000,
        Outcome.NO_CONNECTION,
    ),
    "one endless header": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000, Outcome.NO_CONNECTION),
    "empty": (http(""), Outcome.NOT_JSON),
    "cut json": (http(SLOT[:-4]), Outcome.NOT_JSON),
    "not utf-8": (
        http(b'{"id":0,"result":"\xff"}'),
        Outcome.OK,
    ),  # what a result holds is looked into by whoever asked for it
    "words": (http("service unavailable"), Outcome.NOT_JSON),
    "two answers": (http(SLOT + SLOT), Outcome.NOT_JSON),
    "a number": (http("7"), Outcome.NOT_JSON_RPC),
    "a string": (http('"ok"'), Outcome.NOT_JSON_RPC),
    "an object of another kind": (http('{"id":0,"status":"ok"}'), Outcome.NOT_JSON_RPC),
    "a list of numbers": (http("[1,2]"), Outcome.NOT_JSON_RPC),
    "an error that is a text": (http('{"id":0,"error":"no"}'), Outcome.NOT_JSON_RPC),
    "an error code that is a text": (
        http('{"id":0,"error":{"code":"no","message":""}}'),
        Outcome.NOT_JSON_RPC,
    ),
    "an id that is a list": (http('{"id":[0],"result":7}'), Outcome.NOT_JSON_RPC),
    "json nested too deep": (
        http('{"id":0,"result":' + "[" * 100_000 + "]" * 100_000 + "}"),
        Outcome.NOT_JSON_RPC,
    ),
    "no answers at all": (http("[]"), Outcome.WRONG_IDS),
    "another id": (http('{"id":1,"result":7}'), Outcome.WRONG_IDS),
    "a negative id": (http('{"id":-1,"result":7}'), Outcome.WRONG_IDS),
    "the id as a text": (http('{"id":"0","result":7}'), Outcome.WRONG_IDS),
    "no id": (http('{"result":7}'), Outcome.WRONG_IDS),
    "an answer to one call twice": (http(f"[{SLOT},{SLOT}]"), Outcome.DUPLICATE_IDS),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_is_none_has_a_name(name: str, work: Workspace) -> None:
    sent, outcome = WHOLE[name]
    (reply,), note = once(sent, work)
    assert (reply.outcome, note["outcome"]) == (outcome, outcome)
    assert reply.ok is (outcome is Outcome.OK)
    assert reply.ok or reply.result == b""
    ask, answer = custody(work)[-2:]
    assert (ask["kind"], ask["calls"], ask["peer"]) == ("ask", {"getSlot": 1}, "rpc")
    assert (
        ask["request"]["sha256"]
        == hashlib.sha256(b'{"jsonrpc":"2.0","id":0,"method":"getSlot","params":[]}').hexdigest()
    )
    assert (answer["kind"], answer["to"], answer["outcome"], answer["kept"]) == (
        "answer",
        ask["n"],
        outcome,
        [],
    )
    head, _, body = sent.partition(b"\r\n\r\n")
    if outcome not in (Outcome.NO_CONNECTION, Outcome.BODY_CUT, Outcome.BODY_ENDLESS):
        assert answer["response"]["status"] == int(head.split()[1])
        assert answer["response"]["sha256"] == hashlib.sha256(body).hexdigest()


BATCHES: dict[str, tuple[str, Outcome]] = {
    "one is missing": (json.dumps(json.loads(EIGHT)[:7]), Outcome.WRONG_IDS),
    "one twice and one missing": (
        json.dumps([*json.loads(EIGHT)[:7], json.loads(EIGHT)[0]]),
        Outcome.DUPLICATE_IDS,
    ),
    "all twice": (json.dumps(json.loads(EIGHT) * 2), Outcome.DUPLICATE_IDS),
    "one that nobody asked for": (
        json.dumps([*json.loads(EIGHT), {"id": 8, "result": 8}]),
        Outcome.WRONG_IDS,
    ),
    "ids as texts": (
        json.dumps([{**row, "id": str(row["id"])} for row in json.loads(EIGHT)]),
        Outcome.WRONG_IDS,
    ),
    "null ids": (json.dumps([{**row, "id": None} for row in json.loads(EIGHT)]), Outcome.WRONG_IDS),
    "one answer to all": (SLOT, Outcome.WRONG_IDS),
    "busy, for all": (
        '{"id":null,"error":{"code":429,"message":"slow down"}}',
        Outcome.RATE_LIMITED,
    ),
    "behind, for all": (
        '[{"id":null,"error":{"code":-32005,"message":"behind by 9 slots"}}]',
        Outcome.NODE_BEHIND,
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_whose_answers_cannot_be_told_apart_is_no_answer(
    name: str, work: Workspace
) -> None:
    sent, outcome = BATCHES[name]
    replies, note = once(http(sent), work, calls=8)
    assert note["outcome"] == outcome
    assert [reply.outcome for reply in replies] == [outcome] * 8
    assert custody(work)[-1]["outcome"] == outcome


def test_answers_of_a_batch_are_matched_by_id_in_any_order(work: Workspace) -> None:
    replies, note = once(http(json.dumps(json.loads(EIGHT)[::-1])), work, calls=8)
    assert note["outcome"] is Outcome.OK
    assert [reply.result for reply in replies] == [str(n).encode() for n in range(8)]


def test_an_error_within_a_batch_is_of_its_call_alone(work: Workspace) -> None:
    rows = json.loads(EIGHT)
    rows[3] = {"id": 3, "error": {"code": -32009, "message": "skipped"}}
    rows[5] = {"id": 5, "result": None}
    replies, note = once(http(json.dumps(rows)), work, calls=8)
    assert note["outcome"] is Outcome.OK
    assert [reply.outcome for reply in replies] == [Outcome.OK] * 3 + [Outcome.UNAVAILABLE] + [
        Outcome.OK
    ] * 4
    assert (replies[3].code, replies[5].result) == (-32009, b"null")


@pytest.mark.parametrize(
    "code", [*sorted(UNAVAILABLE_CODES), -32005, -32014, -32016, -32601, -32010, 429, -32603]
)
def test_each_error_code_has_its_meaning(code: int, work: Workspace) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": "said"}})
    (reply,), note = once(http(body), work)
    expected = Outcome.UNAVAILABLE if code in UNAVAILABLE_CODES else outcome_of_error(code)
    assert (reply.outcome, reply.code, note["outcome"]) == (expected, code, expected)
    assert f"({code}: said)" in reply.says
    assert not reply.ok


def test_every_status_has_an_outcome() -> None:
    assert {outcome_of_status(status) for status in range(200, 300)} == {Outcome.OK}
    assert {outcome_of_status(status) for status in range(300, 400)} == {Outcome.REDIRECTED}
    for status in range(400, 600):
        assert outcome_of_status(status) not in (Outcome.OK, Outcome.REDIRECTED)


@pytest.mark.parametrize("code", UNAVAILABLE_CODES)
def test_what_is_unavailable_is_asked_for_three_times_and_is_never_nothing(
    code: int, work: Workspace
) -> None:
    async def run() -> tuple[Reply, int]:
        answer = always(http(json.dumps({"id": 0, "error": {"code": code, "message": ""}})))
        async with scripted(answer) as peer, peer_at(peer.url, work) as asked:
            reply, note = await Node(asked, 1).ask("getTransaction", ["x"])
            work.keeps({}, **note)
            return reply, len(peer.requests)

    reply, count = asyncio.run(run())
    assert (reply.outcome, reply.result, count) == (Outcome.UNAVAILABLE, b"", 3)


@pytest.mark.parametrize(
    "name",
    ["500", "429", "cut json", "html with 200", "closed without a word", "401", "another id"],
)
def test_a_peer_is_asked_again_so_often_and_no_oftener(name: str, work: Workspace) -> None:
    sent, outcome = WHOLE[name]

    async def run() -> tuple[Reply, int]:
        async with scripted(always(sent)) as peer, peer_at(peer.url, work, attempts=4) as asked:
            reply, note = await Node(asked, 1).ask("getSlot", [])
            work.keeps({}, **note)
            return reply, len(peer.requests)

    reply, count = asyncio.run(run())
    assert (reply.outcome, count) == (outcome, 4 if RULES[outcome].again else 1)
    said = [row["outcome"] for row in custody(work) if row["kind"] == "answer"]
    assert said == [outcome] * count, "every failure is on record, not the last alone"


def test_one_good_answer_after_failures_is_the_answer(work: Workspace) -> None:
    async def run() -> Reply:
        sent = [
            WHOLE[name][0]
            for name in ("500", "half of a body", "another id", "closed without a word", "words")
        ]
        async with scripted(always(*sent, http(SLOT))) as peer, peer_at(peer.url, work) as asked:
            reply, note = await Node(asked, 1).ask("getSlot", [])
            work.keeps({}, **note)
            return reply

    assert asyncio.run(run()).result == b"7"
    said = [row["outcome"] for row in custody(work) if row["kind"] == "answer"]
    assert said == ["server_error", "body_cut", "wrong_ids", "no_connection", "not_json", "ok"]


# Retry-After


DATE = 1_771_000_000
NOW = f"Date: {formatdate(DATE, usegmt=True)}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: 0", 0.0),
        ("Retry-After: 1.5", 1.5),
        (f"Retry-After: {formatdate(DATE + 90, usegmt=True)}", 90.0),
        (f"Retry-After: {formatdate(DATE - 90, usegmt=True)}", 0.0),
        (f"Retry-After: {formatdate(DATE + 1e6, usegmt=True)}", peers.LONGEST_PAUSE),
        ("Retry-After: 99999999999999999999", peers.LONGEST_PAUSE),
        ("Retry-After: " + "9" * 5000, peers.LONGEST_PAUSE),
        ("Retry-After: -5", None),
        ("Retry-After: soon", None),
        ("Retry-After: ²", None),
        ("Retry-After: Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("X-Other: 7", None),
    ],
)
def test_how_long_a_peer_asks_to_wait(header: str, seconds: float | None, work: Workspace) -> None:
    async def run() -> float | None:
        answer = always(http("{}", header, NOW, status="429 Too Many Requests"))
        async with scripted(answer) as peer, peer_at(peer.url, work) as asked:
            said = await asked.send({"getSlot": 1}, b"{}")
            assert said.outcome is Outcome.RATE_LIMITED
            assert said.date == DATE
            assert (
                work.keeps({}, **asked.received(said, said.outcome)).get("retry_after")
                == said.retry_after
            )
            return said.retry_after

    assert asyncio.run(run()) == seconds


def test_a_pause_outlives_the_run_that_was_asked_for_it(tmp_path: Path) -> None:
    async def run(answer: Answer, expected: Outcome) -> list[float]:
        arrived: list[float] = []

        async def timed(request: Request, writer: asyncio.StreamWriter) -> None:
            arrived.append(asyncio.get_running_loop().time())
            await answer(request, writer)

        work = Workspace(tmp_path / "case", {})
        try:
            async with (
                scripted(timed) as peer,
                peer_at(peer.url, work, requests=Rate(1, 0.3)) as asked,
            ):
                said = await asked.send({"getSlot": 1}, b"{}")
                assert said.outcome is expected
                work.keeps({}, **asked.received(said, said.outcome))
        finally:
            work.close()
        return arrived

    answered = asyncio.run(
        run(always(http("{}", "Retry-After: 1", status="429 x")), Outcome.RATE_LIMITED)
    )
    again = asyncio.run(run(always(http(SLOT)), Outcome.OK))
    assert again[0] - answered[0] >= 0.99
    third = asyncio.run(run(always(http(SLOT)), Outcome.OK))
    assert third[0] - again[0] >= 0.3, "the rate holds from one run to the next"


# Redirects, TLS, connections


@pytest.mark.parametrize("status", ["301 x", "302 x", "307 x", "308 x", "300 x"])
def test_a_redirect_is_never_followed(status: str, work: Workspace) -> None:
    async def run() -> None:
        async with scripted(always(http(SLOT))) as elsewhere:
            location = f"Location: {elsewhere.url}/{KEY}?api-key={KEY}#{KEY}"
            async with (
                scripted(always(http("", location, status=status))) as peer,
                peer_at(f"{peer.url}/{KEY}", work) as asked,
            ):
                reply, note = await Node(asked, 1).ask("getSlot", [])
                work.keeps({}, **note)
                assert reply.outcome is Outcome.REDIRECTED
                assert reply.message == f"to {elsewhere.url}"
                assert len(peer.requests) == 1
            assert elsewhere.connections == 0

    asyncio.run(run())
    assert KEY not in (work.root / "custody.jsonl").read_text()


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (None, "another path of the same host"),
        ("/login?key=SECRET", "another path of the same host"),
        ("//SECRET@other.example/SECRET", "://other.example"),
        ("https://SECRET:SECRET@other.example:444/SECRET", "https://other.example:444"),
        ("https://other.example:SECRET/", "an unreadable address"),
        ("https://[::1/SECRET", "an unreadable address"),
        ("https://s3cret-0123456789abcdef0.other.example/", "https://….other.example"),
    ],
)
def test_where_a_redirect_leads_is_said_without_its_secrets(
    location: str | None, shown: str, work: Workspace
) -> None:
    headers = [f"Location: {location}"] if location else []
    (reply,), note = once(http("", *headers, status="302 Found"), work)
    assert (reply.outcome, note["detail"]) == (Outcome.REDIRECTED, f"to {shown}")


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, work: Workspace) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write_certificate(tmp_path))

    async def run() -> None:
        async with scripted(always(http(SLOT)), tls=context) as peer:
            async with peer_at(f"{peer.url}/{KEY}", work) as asked:
                reply, note = await Node(asked, 1).ask("getSlot", [])
                work.keeps({}, **note)
                assert reply.outcome is Outcome.TLS_FAILED
                assert note["response"]["status"] is None
            assert peer.requests == [], "nothing is sent to a peer that did not prove who it is"
            async with peer_at(peer.url.replace("https", "http"), work, attempts=2) as plain:
                reply, note = await Node(plain, 1).ask("getSlot", [])
                work.keeps({}, **note)
                assert reply.outcome is Outcome.NO_CONNECTION
        async with (
            scripted(always(b"HTTP/1.1 400 Bad Request\r\n\r\n"), waits=False) as peer,
            peer_at("https" + peer.url[4:], work) as asked,
        ):
            reply, note = await Node(asked, 1).ask("getSlot", [])
            work.keeps({}, **note)
            assert reply.outcome is Outcome.TLS_FAILED

    asyncio.run(run())
    assert KEY not in (work.root / "custody.jsonl").read_text()


def test_nobody_listens(work: Workspace) -> None:
    async def run() -> Reply:
        async with scripted(always(b"")) as peer:
            pass
        async with peer_at(f"{peer.url}/{KEY}", work, attempts=3) as asked:
            reply, note = await Node(asked, 1).ask("getSlot", [])
            work.keeps({}, **note)
            return reply

    assert asyncio.run(run()).outcome is Outcome.NO_CONNECTION
    rows = [row for row in custody(work) if row["kind"] == "answer"]
    assert [row["detail"] for row in rows] == ["ClientConnectorError"] * 3, (
        "a class alone: the text would hold the address"
    )


def test_a_connection_reset_in_the_middle(work: Workspace) -> None:
    async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        )
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    (reply,), _ = once(reset, work)
    assert reply.outcome is Outcome.BODY_CUT


def test_a_lost_get_is_not_sent_again_behind_the_back_of_limits_and_record(work: Workspace) -> None:
    """Each GET of the worker may append an entry to its audit chain: what the record does not count
    did not happen.
    """

    async def stays_then_drops(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) == 1:
            writer.stays = True  # type: ignore[attr-defined]
            writer.write(http("{}").replace(b"Connection: close\r\n", b""))
        else:
            writer.transport.abort()

    async def run() -> list[Outcome]:
        nonlocal seen
        async with scripted(stays_then_drops) as seen, peer_at(seen.url, work) as asked:
            return [(await asked.send({"/x": 1}, None, "/x")).outcome for _ in range(2)]

    seen: Any = None
    assert asyncio.run(run()) == [Outcome.OK, Outcome.NO_CONNECTION]
    assert [request.head.split()[:2] for request in seen.requests] == [["GET", "/x"]] * 2
    assert [row["kind"] for row in custody(work)].count("ask") == 2


# Bounds


def flood(piece: bytes, *headers: bytes) -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"\r\n".join(
                [b"HTTP/1.1 200 OK", b"Content-Type: application/json", *headers, b"", b""]
            )
        )
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    "sent",
    [
        flood(b" " * 65536),
        flood(b"10000\r\n" + b" " * 65536 + b"\r\n", b"Transfer-Encoding: chunked"),
        flood(b" " * 65536, b"Content-Length: 999999"),
        http(gzip.compress(b" " * 60_000_000), "Content-Encoding: gzip"),
    ],
    ids=["until-closed", "chunks", "announced", "gzip-bomb"],
)
def test_a_body_without_end_is_cut_off_and_does_not_fill_the_memory(
    sent: Answer | bytes, work: Workspace
) -> None:
    tracemalloc.start()
    try:
        (reply,), note = once(sent, work, max_body=500_000)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (reply.outcome, note["outcome"]) == (Outcome.BODY_ENDLESS, Outcome.BODY_ENDLESS)
    assert note["response"]["bytes"] == 0, "what was cut off is no answer"
    assert most < 30_000_000


@pytest.mark.parametrize(
    "begin",
    [b"", b"HTTP/1.1 200 OK\r\n", http(SLOT, length=900)],
    ids=["nothing", "half-a-head", "half-a-body"],
)
def test_an_answer_that_does_not_come_in_time(begin: bytes, work: Workspace) -> None:
    async def late(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await writer.drain()
        await asyncio.sleep(30)

    (reply,), note = once(late, work, timeout=0.2)
    assert (reply.outcome, note["detail"]) == (Outcome.TIMEOUT, "nothing whole within 0.2 s")


def test_a_trickle_is_bounded_by_the_time_of_the_whole_answer(work: Workspace) -> None:
    async def trickle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http("", length=100_000))
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    (reply,), _ = once(trickle, work, timeout=0.3)
    assert reply.outcome is Outcome.TIMEOUT


# Batches that shrink


def sizes(answer: Callable[[int], bytes], work: Workspace, rounds: int) -> list[int]:
    """How many calls go into each of so many requests, to a peer that answers a request of n calls
    with `answer(n)`.
    """

    async def reply(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(len(request.calls)))

    async def run() -> list[int]:
        found = []
        async with (
            scripted(reply) as peer,
            peer_at(peer.url, work, every_method=Rate(9999), requests=Rate(9999)) as asked,
        ):
            node = Node(asked, 16)
            for _ in range(rounds):
                found.append(node.size_for("getTransaction"))
                await node.once([Call("getTransaction", [])] * found[-1])
        return found

    return asyncio.run(run())


def whole(count: int) -> bytes:
    rows = [{"id": n, "result": n} for n in range(count)]
    return http(json.dumps(rows if count > 1 else rows[0]))


@pytest.mark.parametrize(
    "name",
    ["429", "413", "408", "half of a body", "another id", "an announced body above the bound"],
)
def test_batches_halve_until_they_are_answered(name: str, work: Workspace) -> None:
    sent, outcome = WHOLE[name]
    assert RULES[outcome].shrink
    assert sizes(lambda count: sent if count > 3 else whole(count), work, 5) == [16, 8, 4, 2, 2]


def test_batches_grow_back_slowly_and_not_above_what_was_set(work: Workspace) -> None:
    refused = iter([True] + [False] * 999)
    found = sizes(
        lambda count: WHOLE["413"][0] if next(refused) else whole(count), work, 2 + 2 * GROW_AFTER
    )
    assert found == [16, *[8] * GROW_AFTER, *[16] * (GROW_AFTER + 1)]


@pytest.mark.parametrize(
    "sent",
    [
        http('{"id":null,"error":{"code":-32600,"message":"batches are not supported"}}'),
        http(
            '{"id":null,"error":{"code":-32601,"message":"batches are not supported"}}',
            status="400 Bad Request",
        ),
        http("no batches", status="400 Bad Request", kind="text/plain"),
    ],
    ids=["error", "error-400", "400"],
)
def test_a_node_that_takes_no_batches_is_asked_one_call_at_a_time(
    sent: bytes, work: Workspace
) -> None:
    assert sizes(lambda count: sent if count > 1 else whole(count), work, 3) == [16, 1, 1]
    replies, note = once(sent, work, calls=8)
    assert {reply.outcome for reply in replies} == {Outcome.TOO_LARGE}, (
        "it is not said of the calls that they are missing"
    )
    assert note["outcome"] is Outcome.TOO_LARGE


def test_a_lone_call_that_fails_leaves_the_batches_alone(work: Workspace) -> None:
    async def run() -> int:
        sent = [WHOLE[name][0] for name in ("429", "408", "half of a body")]
        async with scripted(always(*sent, http(SLOT))) as peer, peer_at(peer.url, work) as asked:
            node = Node(asked, 16)
            _, note = await node.ask("getSignaturesForAddress", [])
            work.keeps({}, **note)
            return node.size_for("getTransaction")

    assert asyncio.run(run()) == 16


def test_a_batch_is_never_larger_than_the_rate_of_its_method(work: Workspace) -> None:
    async def run() -> None:
        async with peer_at(
            "http://127.0.0.1:1", work, methods={"getTransaction": Rate(5, 10)}
        ) as asked:
            assert Node(asked, 40).size_for("getTransaction") == 5
            assert Node(asked, 3).size_for("getTransaction") == 3

    asyncio.run(run())


def test_a_request_that_is_given_up_while_it_waits_is_not_sent_and_its_places_are_free_at_once(
    work: Workspace,
) -> None:
    async def run() -> list[int]:
        async with (
            scripted(always(http(SLOT))) as peer,
            peer_at(peer.url, work, requests=Rate(1, 60), methods={"a": Rate(2, 60)}) as asked,
        ):
            assert (await asked.send({"a": 1}, b"{}")).outcome is Outcome.OK
            for _ in range(3):
                waiting = asyncio.ensure_future(asked.send({"a": 1}, b"{}"))
                await asyncio.sleep(0.01)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            return [
                len(peer.requests),
                asked._limit("a")._free,
                asked._requests._free,
                asked.tally.requests,
            ]

    assert asyncio.run(run()) == [1, 1, 0, 1]
    assert [row["kind"] for row in custody(work)] == ["begin", "ask"]


# Answers about something else

PUBKEY = "SysvarC1ock11111111111111111111111111111111"
ACCOUNT = {
    "data": ["", "base64"],
    "executable": False,
    "lamports": 1,
    "owner": PUBKEY,
    "rentEpoch": 0,
    "space": 0,
}


def at(slot: Any, value: Any) -> dict[str, Any]:
    return {"context": {"slot": slot}, "value": value}


async def _state(
    work: Workspace, reply: Callable[[dict[str, Any]], Any], use: Callable[[State], Any]
) -> Any:
    async with scripted(spoken(reply)) as peer, peer_at(peer.url, work, attempts=2) as asked:
        return await use(State(Node(asked, 1), work, Progress(None), PUBKEY))


@pytest.mark.parametrize(
    "result",
    [
        None,
        7,
        [],
        {"value": [ACCOUNT]},
        at("9", [ACCOUNT]),
        at(9, ACCOUNT),
        at(9, []),
        at(9, [ACCOUNT, ACCOUNT]),
        at(9, [7]),
        at(9, ["text"]),
        at(9, [[ACCOUNT]]),
        at(9, [True]),
    ],
)
def test_accounts_of_another_shape_are_no_accounts(result: Any, work: Workspace) -> None:
    seen = asyncio.run(
        _state(work, lambda call: result, lambda state: state.accounts([PUBKEY], "step"))
    )
    assert seen.accounts == {}
    assert seen.why.startswith("wrong_answer: ")
    assert [row["outcome"] for row in custody(work) if row["kind"] == "answer"] == [
        "wrong_answer"
    ] * 2
    assert not (work.root / "rpc/accounts.jsonl").exists()


@pytest.mark.parametrize(
    "rows",
    [
        7,
        [7],
        [{"pubkey": PUBKEY}],
        [{"pubkey": PUBKEY, "account": 7}],
        [{"pubkey": 'x","slot":1,"account":null}\n{', "account": ACCOUNT}],
    ],
)
def test_receipts_of_another_shape_are_no_receipts(rows: Any, work: Workspace) -> None:
    seen = asyncio.run(
        _state(work, lambda call: at(9, rows), lambda state: state.receipts(PUBKEY, "step"))
    )
    assert (seen.accounts, seen.why[:13]) == ({}, "wrong_answer:")
    assert not (work.root / "rpc/accounts.jsonl").exists()


def test_a_slot_that_goes_back_is_noticed_and_the_node_is_told_what_it_must_know(
    work: Workspace,
) -> None:
    slots = iter([900, 899, 850, 900])
    asked: list[Any] = []

    def reply(call: dict[str, Any]) -> Any:
        asked.append(call["params"][1].get("minContextSlot"))
        return at(next(slots), [ACCOUNT])

    async def use(state: State) -> list[Any]:
        return [await state.accounts([PUBKEY], f"step/{n}") for n in range(3)]

    first, second, third = asyncio.run(_state(work, reply, use))
    assert (first.slots, first.why) == ({900}, "")
    assert second.why.startswith("slot_went_back: ")
    assert "slot 850 after slot 900" in second.why
    assert second.accounts == {}
    assert (third.slots, third.why) == ({900}, "")
    assert asked == [None, 900, 900, 900]
    assert [row["outcome"] for row in custody(work) if row["kind"] == "answer"] == [
        "ok",
        "slot_went_back",
        "slot_went_back",
        "ok",
    ]


def test_an_answer_over_many_lines_is_kept_on_one(work: Workspace) -> None:
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 0, "result": {"solana-core": "2", "feature-set": 1}}, indent=2
    ).replace("\n", "\r\n")

    async def run() -> None:
        async with scripted(always(http(body))) as peer, peer_at(peer.url, work) as asked:
            state = State(Node(asked, 1), work, Progress(None), PUBKEY)
            said = await state.one("version", "getVersion", [])
            again = await state.one("version", "getVersion", [])
            assert said.result == again.result
            assert json.loads(said.result) == {"solana-core": "2", "feature-set": 1}
            assert len(peer.requests) == 1

    asyncio.run(run())
    assert (work.root / "rpc/node.jsonl").read_bytes().count(b"\n") == 1


def test_a_node_that_quotes_the_key_in_its_errors(work: Workspace) -> None:
    error = {
        "code": -32401,
        "message": f"the key {KEY} is not valid for /v2/{KEY}, nor is t0ken-in-header",
    }

    async def run() -> Reply:
        answer = always(http(json.dumps({"id": 0, "error": error})))
        async with (
            scripted(answer) as peer,
            peer_at(f"{peer.url}/v2/{KEY}", work, [("X", "t0ken-in-header")], attempts=1) as asked,
        ):
            return await State(Node(asked, 1), work, Progress(None), PUBKEY).one(
                "version", "getVersion", []
            )

    reply = asyncio.run(run())
    assert reply.message == "the key … is not valid for /v2/…, nor is …"
    for path in work.root.rglob("*.jsonl"):
        assert KEY not in path.read_text()
        assert "t0ken" not in path.read_text()


@pytest.mark.parametrize("kind", ["another", "garbage", "json", "not-an-object"])
def test_a_transaction_of_another_signature_is_not_kept_under_the_one_asked_for(
    kind: str, work: Workspace
) -> None:
    rows = [
        json.loads(line)
        for line in (CASES / "unused/rpc/transactions.jsonl").read_text().splitlines()
    ][:3]
    results = {row["signature"]: row["result"] for row in rows}
    first, second, third = results
    lie = {
        "another": results[second],
        "garbage": {**results[first], "transaction": ["!!!", "base64"]},
        "json": {**results[first], "transaction": {"message": {}, "signatures": [first]}},
        "not-an-object": [7],
    }[kind]

    def reply(call: dict[str, Any]) -> Any:
        return lie if call["params"][0] == first else results[call["params"][0]]

    async def run() -> Fetched:
        async with scripted(spoken(reply)) as peer, peer_at(peer.url, work, attempts=2) as asked:
            return await Fetcher(Node(asked, 3), work, Progress(None)).fetch([first, second, third])

    fetched = asyncio.run(run())
    assert fetched.kept == {second, third}
    assert {signature: reply.outcome for signature, reply in fetched.missing.items()} == {
        first: Outcome.WRONG_ANSWER
    }
    kept = [
        json.loads(line) for line in (work.root / "rpc/transactions.jsonl").read_text().splitlines()
    ]
    assert {row["signature"]: row["result"] for row in kept} == {
        second: results[second],
        third: results[third],
    }
    assert "wrong_answer" in [row["outcome"] for row in custody(work) if row["kind"] == "answer"]
