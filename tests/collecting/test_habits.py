"""Providers' habits, as their own pages and other projects' bug reports describe them: named for
what they are, and got along with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.fetching import Fetched, Fetcher
from popkit.collecting.node import Call, Node, Reply
from popkit.collecting.outcomes import RULES, Outcome, outcome_of_error
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.custody import check_custody
from tests.collecting.scripted import Answer, Request, http, peer_at, scripted
from tests.conftest import CASES

FREE_PLAN = {
    "jsonrpc": "2.0",
    "error": {"code": -32403, "message": "Batch requests are only available for paid plans."},
}
PAST_LIMIT = "15/second request limit reached - reduce calls per second or upgrade your account"
PAGE = "<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>"
ROWS = {
    row["signature"]: row["result"]
    for row in map(json.loads, (CASES / "intact/rpc/transactions.jsonl").read_text().splitlines())
}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    work = Workspace(tmp_path / "case", {"grants": []})
    yield work
    work.close()
    assert check_custody(work.root) == []


def given(call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": ROWS[call["params"][0]]}


def singly(refusal: bytes) -> Answer:
    """A provider that answers single calls and refuses every batch in its own way."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            refusal if request.body.startswith(b"[") else http(json.dumps(given(request.calls[0])))
        )

    return answer


def limited(calls_at_once: int) -> Answer:
    """A provider that counts the calls of a batch one by one: those past its limit come back inside
    the batch as an error of their own.
    """

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        good = request.calls[:calls_at_once]
        late = [
            {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32007, "message": PAST_LIMIT}}
            for call in request.calls[calls_at_once:]
        ]
        answers = [*map(given, good), *late]
        writer.write(http(json.dumps(answers if request.body.startswith(b"[") else answers[0])))

    return answer


async def _fetched(answer: Answer, work: Workspace, batch: int) -> tuple[Fetched, list[int]]:
    async with scripted(answer) as peer, peer_at(peer.url, work) as asked:
        found = await Fetcher(Node(asked, batch), work, Progress(None), 1).fetch(sorted(ROWS))
        return found, [len(request.calls) for request in peer.requests]


def fetched(
    answer: Answer, work: Workspace, monkeypatch: pytest.MonkeyPatch, batch: int = 8
) -> tuple[Fetched, list[int]]:
    """Every transaction of a case, and how many calls each request held; rests are not waited for."""

    async def at_once(self: object, failures: int, answer: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("popkit.collecting.peer.Peer.rests", at_once)
    return asyncio.run(_fetched(answer, work, batch))


REFUSALS = {
    "free plan, 403": http(json.dumps(FREE_PLAN), status="403 Forbidden"),
    "a firewall's page, 403": http(PAGE, status="403 Forbidden", kind="text/html"),
    "401": http("{}", status="401 Unauthorized"),
    "400": http("no batches", status="400 Bad Request", kind="text/plain"),
    "500": http("Internal Server Error", status="500 Internal Server Error", kind="text/plain"),
    "501": http(json.dumps(FREE_PLAN), status="501 Not Implemented"),
    "a page with 200": http(PAGE, kind="text/html"),
    "one error with 200": http(json.dumps(FREE_PLAN)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_provider_that_refuses_batches_is_asked_one_call_at_a_time(
    name: str, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, sizes = fetched(singly(REFUSALS[name]), work, monkeypatch)
    assert (found.kept, found.missing) == (set(ROWS), {})
    assert sum(size > 1 for size in sizes) <= 2, "it does not go on asking for batches"


def test_a_provider_that_refuses_single_calls_too_is_taken_at_its_word(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            http('{"error":{"code":-32401,"message":"invalid api key"}}', status="401 Unauthorized")
        )

    found, _ = fetched(answer, work, monkeypatch)
    assert found.kept == set()
    assert {reply.says for reply in found.missing.values()} == {
        f"unauthorized: {RULES[Outcome.UNAUTHORIZED].meaning} (-32401: invalid api key)"
    }, "the reason for every transaction that is not given"


@pytest.mark.parametrize("calls_at_once", [1, 3])
def test_a_rate_limit_inside_a_batch_means_wait(
    calls_at_once: int, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, sizes = fetched(limited(calls_at_once), work, monkeypatch)
    assert (found.kept, found.missing) == (set(ROWS), {})
    assert sizes[-1] < sizes[0], "the batch shrinks"


@pytest.mark.parametrize(
    ("code", "message", "wanted"),
    [
        (-32007, PAST_LIMIT, Outcome.RATE_LIMITED),
        (
            -32007,
            "Slot 5 was skipped, or missing due to ledger jump to recent snapshot",
            Outcome.UNAVAILABLE,
        ),
        (-32009, "Slot 5 was skipped, or missing in long-term storage", Outcome.UNAVAILABLE),
        (-32005, "Node is behind by 42 slots", Outcome.NODE_BEHIND),
        (-32005, "daily request count exceeded, request rate limited", Outcome.RATE_LIMITED),
        (-32000, "Too many requests", Outcome.RATE_LIMITED),
        (-32601, "Method not found", Outcome.METHOD_MISSING),
    ],
)
def test_an_errors_words_come_before_its_code(code: int, message: str, wanted: Outcome) -> None:
    assert outcome_of_error(code, message) is wanted


async def _asked(data: bytes, work: Workspace) -> tuple[Reply, str]:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    async with scripted(answer) as peer, peer_at(peer.url, work) as asked:
        replies, _, note = await Node(asked, 1).once([Call("getSlot", [])])
        work.keeps({}, **note)
        return replies[0], peer.requests[0].head


@pytest.mark.parametrize(
    ("data", "outcome", "says"),
    [
        (http(b"\x0b\x05\x80{}", "Content-Encoding: br"), Outcome.WRONG_ENCODING, "br"),
        (http(b"\x28\xb5\x2f\xfd", "Content-Encoding: zstd"), Outcome.WRONG_ENCODING, "zstd"),
        (http("{}", "Content-Encoding: snappy"), Outcome.WRONG_ENCODING, "snappy"),
        (
            http('{"jsonrpc":"2.0","id":0,"result":7}', kind="text/plain"),
            Outcome.WRONG_CONTENT_TYPE,
            "JSON called text/plain",
        ),
        (http("good morning", kind="text/plain"), Outcome.WRONG_CONTENT_TYPE, "text/plain"),
        (
            http(PAGE, status="403 Forbidden", kind="text/html"),
            Outcome.BLOCKED,
            "a firewall's page",
        ),
        (http("{}", status="403 Forbidden"), Outcome.UNAUTHORIZED, "another authorisation"),
    ],
)
def test_a_body_is_named_for_what_it_is(
    data: bytes, outcome: Outcome, says: str, work: Workspace
) -> None:
    reply, head = asyncio.run(_asked(data, work))
    assert reply.outcome is outcome
    assert says in reply.says
    assert "accept-encoding: gzip, deflate\r\n" in head.lower()
    assert outcome is not Outcome.BLOCKED or not RULES[outcome].again, (
        "a firewall is not asked again and again"
    )
