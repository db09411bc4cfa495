"""The real worker's answers, in four eras: what is kept, what is not, what is said of it, and what
asking leaves behind.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from popkit.collecting.address import bearer, read_address
from popkit.collecting.collect import Collected, collect
from popkit.collecting.options import Options
from popkit.collecting.peer import Peer
from popkit.collecting.progress import Progress
from popkit.collecting.worker import Passage, Said, Worker, WorkerSeen, passage
from popkit.collecting.workspace import Workspace
from popkit.evidence.bundle import Evidence
from popkit.evidence.custody import read_custody
from popkit.evidence.layout import ASKED, AUDIT_LOGS, ENDPOINTS, VERIFY_CODE
from popkit.pages.terminal_collection import summary
from popkit.protocol.keys import PROGRAM_ID
from tests.collecting.collected import QUICK, header_of

DATA = Path(__file__).parent / "data"
ERAS = ("strict", "strict_v2", "relaxed", "head")


def session(era: str) -> list[dict[str, Any]]:
    """A recorded session with the worker of an era."""
    return [json.loads(line) for line in (DATA / f"exchanges-{era}.jsonl").read_text().splitlines()]


NOT_FOUND = (404, {"error": "not found"})


class WorkerOfAnEra:
    """Answers a GET as the recorded worker did, by path, with or without authority; counts what was
    asked.
    """

    def __init__(self, era: str, changed: dict[str, tuple[int, Any]] | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.tokens: set[str | None] = set()
        self.codes: dict[str, tuple[int, Any]] = {}
        self.answers: dict[tuple[str, bool], tuple[int, Any]] = {}
        for row in session(era):
            if row["request"]["path"] == VERIFY_CODE:
                self.codes[row["request"]["body"]["confirmationCode"]] = (
                    row["response"]["status"],
                    row["response"]["body"],
                )
            if row["request"]["method"] == "GET":
                key = (row["request"]["path"].partition("?")[0], row["authorized"])
                self.answers.setdefault(key, (row["response"]["status"], row["response"]["body"]))
        self.changed = changed or {}

    async def answer(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        self.tokens.add(request.headers.get("Authorization"))
        authorized = request.headers.get("Authorization") == "Bearer the-operators-token"
        if request.path == VERIFY_CODE:
            status, body = self.codes.get(
                (await request.json())["confirmationCode"],
                (404, {"error": "ticket receipt not found"}),
            )
            return web.Response(
                status=status,
                text=json.dumps(body, ensure_ascii=False),
                content_type="application/json",
            )
        status, body = (
            self.changed.get(request.path)
            or self.answers.get((request.path, authorized))
            or NOT_FOUND
        )
        return web.Response(
            status=status,
            text=json.dumps(body, ensure_ascii=False),
            content_type="application/json",
        )


@contextmanager
def listening(worker: WorkerOfAnEra) -> Iterator[str]:
    """The worker on a port of this machine, in a thread of its own."""
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", worker.answer)
    runner = web.AppRunner(app)
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        return int(site._server.sockets[0].getsockname()[1])

    port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def ask(url: str, out: Path, token: bool, monkeypatch: pytest.MonkeyPatch) -> Collected:
    monkeypatch.setenv("POPKIT_TEST_TOKEN", "the-operators-token")
    address = read_address(url)
    worker = bearer(address, "POPKIT_TEST_TOKEN") if token else address
    grant = header_of("intact")["grants"][0]
    return collect(
        Options(
            out=out,
            name="era",
            program_id=PROGRAM_ID,
            worker=worker,
            has_token=token,
            grants=(grant,),
            worker_conduct=QUICK,
        )
    )


@pytest.mark.parametrize("era", ERAS)
def test_every_endpoint_is_asked_once_and_its_body_kept_as_it_came(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerOfAnEra(era)
    with listening(worker) as url:
        result = ask(url, tmp_path / "case", True, monkeypatch)
    assert set(worker.asked.values()) == {1}
    assert len(worker.asked) == len(ENDPOINTS)
    evidence = Evidence(result.case)
    for endpoint in ENDPOINTS:
        status, body = worker.answers.get((endpoint.path, True)) or NOT_FOUND
        kept = evidence.answers.get(endpoint.name)
        if status in endpoint.good:
            assert kept is not None
            assert (kept.status, json.loads((result.case / endpoint.file).read_text())["body"]) == (
                status,
                body,
            )
        else:
            assert kept is None
    assert "the-operators-token" not in "".join(
        path.read_text() for path in result.case.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("era", ERAS)
def test_requests_that_append_to_the_audit_chain_are_counted(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerOfAnEra(era)
    with listening(worker) as url:
        result = ask(url, tmp_path / "case", True, monkeypatch)
    recorded = [
        record
        for _, _, record in read_custody(result.case / "custody.jsonl")
        if record.get("appends_audit_entry")
    ]
    assert (
        len(recorded)
        == worker.asked.total()
        == json.loads((result.case / "case.json").read_text())["sources"]["appended_audit_entries"]
    )


@pytest.mark.parametrize("era", ["relaxed", "head"])
def test_what_is_redacted_for_the_public_is_said(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerOfAnEra(era)
    with listening(worker) as url:
        public = ask(url, tmp_path / "public", False, monkeypatch)
        operator = ask(url, tmp_path / "operator", True, monkeypatch)
    assert worker.tokens == {None, "Bearer the-operators-token"}
    assert any(text.startswith("pop-status: details are redacted") for text in public.left_out)
    assert not any(text.startswith("pop-status") for text in operator.left_out)


def test_full_windows_are_said_to_be_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = {"logs": [{"entry_hash": f"{number:064x}"} for number in range(50)]}
    transfers = {
        "roleView": "admin",
        "strictLevel": "admin_transfer_visible_no_pii",
        "items": [{}] * 200,
    }
    changed = {"/api/master/audit-logs": (200, logs), "/api/master/transfers": (200, transfers)}
    with listening(WorkerOfAnEra("strict", changed)) as url:
        result = ask(url, tmp_path / "case", True, monkeypatch)
    said = " ".join(result.left_out)
    assert "audit-logs: the newest 50 entries alone" in said
    assert "transfers: the newest 200 alone" in said
    assert "transfers: redacted (admin_transfer_visible_no_pii)" in said
    changed["/api/master/audit-logs"] = (200, {"logs": logs["logs"][:49]})
    with listening(WorkerOfAnEra("strict", changed)) as url:
        fewer = ask(url, tmp_path / "fewer", True, monkeypatch)
    assert not any(text.startswith("audit-logs") for text in fewer.left_out)


@pytest.mark.parametrize(
    ("status", "asked", "why"),
    [(401, 1, "unauthorized"), (500, 8, "server_error"), (200, 8, "wrong_answer")],
)
def test_an_endpoint_that_gives_no_evidence_is_named_and_not_kept(
    status: int, asked: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: Any = (
        ["not", "an", "object"] if status == 200 else {"error": "the-operators-token was wrong"}
    )
    worker = WorkerOfAnEra("strict", {"/api/master/audit-logs": (status, body)})
    with listening(worker) as url:
        result = ask(url, tmp_path / "case", True, monkeypatch)
    assert not result.complete
    assert [
        text.split(":")[1].strip() for text in result.missing if text.startswith("audit-logs")
    ] == [why]
    assert worker.asked["/api/master/audit-logs"] == min(asked, 3)
    assert not (result.case / "worker/audit-logs.json").exists()


def test_an_integrity_report_that_finds_fault_is_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [
        row["response"] for row in session("strict") if "audit-integrity" in row["request"]["path"]
    ]
    fault = next(report for report in reports if report["status"] == 409)
    worker = WorkerOfAnEra("strict", {"/api/master/audit-integrity": (409, fault["body"])})
    with listening(worker) as url:
        result = ask(url, tmp_path / "case", True, monkeypatch)
    kept = Evidence(result.case).answers["audit-integrity"]
    assert kept.status == 409
    assert kept.body["issues"]


def test_ticket_receipts_are_asked_for_by_code_only_when_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        row["response"]["body"] for row in session("strict_v2") if row["response"]["status"] == 201
    ]
    worker = WorkerOfAnEra("strict_v2", {"/v1/school/events": (200, {"items": made})})
    event = next(
        row["response"]["body"]["eventId"]
        for row in session("strict_v2")
        if row["request"]["path"] == VERIFY_CODE
    )
    listed = worker.answers[(f"/v1/school/events/{event}/claimants", True)][1]["items"]
    monkeypatch.setenv("POPKIT_TEST_TOKEN", "the-operators-token")
    with listening(worker) as url:
        address = bearer(read_address(url), "POPKIT_TEST_TOKEN")
        options = Options(
            out=tmp_path / "case",
            name="era",
            program_id=PROGRAM_ID,
            worker=address,
            has_token=True,
            events=(event,),
            worker_conduct=QUICK,
        )
        without = collect(options)
        assert not worker.asked[VERIFY_CODE]
        result = collect(replace(options, out=tmp_path / "tickets", tickets=True))
    codes = {item["confirmationCode"] for item in listed}
    assert worker.asked[VERIFY_CODE] == len(codes)
    kept = [row.receipt["confirmationCode"] for row in Evidence(result.case).receipts or []]
    assert kept == [code for code in sorted(codes) if worker.codes.get(code, (404, None))[0] == 200]
    sources = json.loads((result.case / "case.json").read_text())["sources"]
    assert {code for _, code in sources["without_ticket_receipt"]} == codes - set(kept)
    before = json.loads((without.case / "case.json").read_text())["sources"][
        "appended_audit_entries"
    ]
    assert before + sources["appended_audit_entries"] == worker.asked.total()
    assert Evidence(without.case).receipts is None


class BusyWorker(WorkerOfAnEra):
    """A worker while claims go on: every request below /api/ and /v1/school/ appends a row, and so
    do claims; its list holds fifty.
    """

    def __init__(self, claims_between: int) -> None:
        super().__init__("strict")
        self.claims_between, self.rows = claims_between, 60

    async def answer(self, request: web.Request) -> web.Response:
        if request.path.startswith(("/api/", "/v1/school/")):
            self.rows += 1 + self.claims_between
        if request.path == AUDIT_LOGS.path:
            logs = [
                {"entry_hash": f"{number:064x}", "event": "POP_CLAIM_PROOF_ANCHOR"}
                for number in range(self.rows, self.rows - 50, -1)
            ]
            self.changed = {AUDIT_LOGS.path: (200, {"logs": logs})}
        return await super().answer(request)


async def _rounds(url: str, out: Path, pauses: list[float]) -> list[Said]:
    """Ask the worker as a collection does while claims keep landing: once a round, with so many
    seconds before each.
    """
    now = [1_772_000_000.0]
    work = Workspace(out, {"grants": []}, lambda: now[0])
    try:
        async with aiohttp.ClientSession() as session:
            peer = Peer("worker", read_address(url), session, work, QUICK)
            asked = Worker(peer, work, Progress(None), True)
            seen: WorkerSeen | None = None
            for number, pause in enumerate(pauses):
                now[0] += pause
                seen = await asked.all(f"moment/{number}", 120.0, seen)
        lines = (work.root / ASKED).read_bytes().splitlines()
        return [
            said
            for said in (msgspec.json.decode(line, type=Said) for line in lines)
            if said.name == AUDIT_LOGS.name
        ]
    finally:
        work.close()


def test_under_steady_claims_the_worker_is_asked_as_seldom_as_one_moment_allows(
    tmp_path: Path,
) -> None:
    """Each ask pushes a row out of the list: what asking costs the evidence stays below a tenth of
    it, whatever the rounds.
    """
    worker = BusyWorker(claims_between=2)
    with listening(worker) as url:
        lists = asyncio.run(_rounds(url, tmp_path / "quick", [0, 5, 5, 5]))
    assert worker.asked.total() == len(ENDPOINTS), "one moment: nothing is asked twice"
    assert next(iter(worker.asked)) == AUDIT_LOGS.path, "the list comes first"
    assert passage(lists, 7) == Passage(lists=1, rows=0, own=7, meets=True)
    slow = BusyWorker(claims_between=2)
    with listening(slow) as url:
        lists = asyncio.run(_rounds(url, tmp_path / "slow", [0, 60, 60]))
    assert slow.asked.total() == len(ENDPOINTS) + 2, (
        "when a moment has passed, the list alone is asked for"
    )
    gone_by = passage(lists, 9)
    assert gone_by == Passage(lists=3, rows=(len(ENDPOINTS) + 1) * 3, own=9, meets=True)
    assert (
        f"{gone_by.rows} newer rows were seen meanwhile; popkit's own requests appended up to 9"
        in gone_by.says
    )
    union = {row["entry_hash"] for said in lists for row in json.loads(bytes(said.body))["logs"]}
    assert len(union) == 50 + gone_by.rows, "no row was lost between the lists"


def test_rows_that_went_by_unseen_are_said(tmp_path: Path) -> None:
    worker = BusyWorker(claims_between=20)
    with listening(worker) as url:
        lists = asyncio.run(_rounds(url, tmp_path / "case", [0, 60]))
    found = passage(lists, 8)
    assert not found.meets
    assert "those between were not seen" in found.says


def test_without_a_token_a_collection_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(WorkerOfAnEra("strict")) as url:
        public = ask(url, tmp_path / "public", False, monkeypatch)
        operator = ask(url, tmp_path / "operator", True, monkeypatch)
    assert not public.complete
    assert operator.complete
    text = summary(public)
    assert text.startswith("? incomplete")
    assert "--worker-token-env NAME" in text
    assert {row.partition(":")[0] for row in public.not_asked} == {
        endpoint.name for endpoint in ENDPOINTS if endpoint.needs_token
    }
    assert operator.not_asked == []
