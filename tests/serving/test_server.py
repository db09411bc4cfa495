"""The server as a process: HTTP manners, bounds, signals, exit codes, trace and TLS."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from popkit.evidence.bundle import Evidence
from popkit.serving.faults import KINDS, Faults
from popkit.serving.hindered import Hindered
from popkit.serving.limits import Limits
from popkit.serving.replay import Replay
from popkit.serving.server import Server
from popkit.serving.trace import Trace
from popkit.serving.worker import WorkerReplay
from tests.conftest import CASES, Copy
from tests.serving.certificate import write_certificate
from tests.serving.harness import Served, requests_of, served

DATE = "Sun, 22 Feb 2026 00:47:21 GMT"
JSON = {"Content-Type": "application/json"}


def send(
    url: str, verb: str = "POST", path: str = "/", body: Any = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on a connection of its own; a body that is no bytes is sent as JSON."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    given = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    sent = {
        **(JSON if given is not None else {}),
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    try:
        connection.request(verb, path, given, sent)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def call(method: str, *given: Any, name: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "method": method, "params": list(given)}


def command(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends by itself."""
    env = {**os.environ, **environment}
    run = [sys.executable, "-m", "popkit", "serve", *map(str, args)]
    return subprocess.run(run, capture_output=True, text=True, timeout=30, env=env, check=False)


@pytest.fixture(scope="module")
def cutover() -> Iterator[Served]:
    with served(CASES / "cutover") as url:
        yield url


def test_the_clock_of_every_answer_stands_at_the_collection(cutover: Served) -> None:
    for verb, path, body in (
        ("POST", "/", call("getSlot")),
        ("POST", "/rpc", b"{"),
        ("GET", "/health", None),
        ("GET", "/", None),
        ("GET", "/v1/school/events", None),
        ("POST", "/v1/school/events", {}),
        ("GET", "/api/nothing", None),
    ):
        answer, _ = send(cutover, verb, path, body)
        assert (answer.headers.get_all("Date"), answer.headers["Server"]) == (
            [DATE],
            "popkit-serve",
        )


def test_the_node_is_asked_by_post_in_json(cutover: Served) -> None:
    for path in ("/", "/rpc", "/any/where"):
        answer, body = send(
            cutover, "POST", path, call("getHealth"), Content_Type="application/json; charset=utf-8"
        )
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert json.loads(body) == {"jsonrpc": "2.0", "result": "ok", "id": 1}
    assert send(cutover, "POST", "/", [call("getSlot"), call("getHealth", name=2)])[0].status == 200
    assert (send(cutover, "GET", "/health")[0].status, send(cutover, "GET", "/health")[1]) == (
        200,
        b"ok",
    )
    for verb in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer, _ = send(cutover, verb, "/")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert send(cutover, "POST", "/", call("getSlot"), Content_Type=kind)[0].status == 415
    answer, body = send(cutover, "POST", "/", b"{")
    assert (answer.status, json.loads(body)["error"]["code"]) == (200, -32700)
    answer, body = send(cutover, "POST", "/", {"jsonrpc": "2.0", "method": "getSlot"})
    assert (answer.status, body) == (200, b"")


def test_the_worker_is_read_and_never_written(cutover: Served) -> None:
    answer, body = send(cutover, "GET", "/v1/school/pop-status")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert body in (CASES / "cutover" / "worker" / "pop-status.json").read_bytes()
    answer, body = send(cutover, "GET", "/api/master/transfers?limit=1")
    assert len(json.loads(body)["items"]) == 1
    for verb in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/v1/school/pop-proof", "/v1/school/events", "/api/master/transfers"):
            answer, body = send(cutover, verb, path, {})
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
            assert json.loads(body) == {"error": "popkit serve: a replay accepts no writes"}
    assert send(cutover, "HEAD", "/v1/school/pop-status")[1] == b""
    with served(CASES / "abandoned-no-worker") as url:
        assert send(url, "GET", "/v1/school/pop-status")[0].status == 404


def test_a_body_above_the_limit_is_refused(cutover: Served) -> None:
    for size, status in ((51200, 200), (51201, 413), (5_000_000, 413)):
        text = json.dumps(call("getHealth")).encode()
        assert send(cutover, "POST", "/", text + b" " * (size - len(text)))[0].status == status
    with served(CASES / "cutover", "--max-body", "100") as url:
        assert send(url, "POST", "/", b" " * 101)[0].status == 413
    # Without a length the size shows only as the body comes.
    chunks = iter([b" " * 30_000] * 5)
    connection = http.client.HTTPConnection(urlsplit(cutover).netloc, timeout=20)
    connection.request(
        "POST", "/", chunks, {**JSON, "Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_connections_are_bounded() -> None:
    with served(CASES / "unused", "--max-connections", "2") as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        idle = [socket.create_connection((host, port)) for _ in range(2)]
        time.sleep(0.1)
        assert send(url, "POST", "/", call("getSlot"))[0].status == 503
        for connection in idle:
            connection.close()
        time.sleep(0.1)
        assert send(url, "POST", "/", call("getSlot"))[0].status == 200


def test_the_token_is_asked_for_only_where_the_worker_does() -> None:
    env = {**os.environ, "POPKIT_TEST_TOKEN": "s3cret"}
    with served(CASES / "cutover", "--token-env", "POPKIT_TEST_TOKEN", env=env) as url:
        answer, body = send(url, "GET", "/api/master/audit-logs")
        assert (answer.status, body) == (401, b'{"error":"Unauthorized"}')
        assert (
            send(url, "GET", "/api/master/audit-logs", Authorization="Bearer s3cret")[0].status
            == 200
        )
        assert send(url, "GET", "/v1/school/pop-status")[0].status == 200
        assert send(url, "POST", "/", call("getSlot"))[0].status == 200
        assert "s3cret" not in url.errors()


def test_what_is_not_in_the_case_is_said_once(tmp_path: Path) -> None:
    key = "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM"
    with served(CASES / "cutover") as url:
        for _ in range(3):
            assert (
                json.loads(send(url, "POST", "/", call("getAccountInfo", key))[1])["result"][
                    "value"
                ]
                is None
            )
        url.stop()
        lines = url.errors().splitlines()
    assert [key in line for line in lines] == [True, False]
    assert lines[1].startswith("popkit serve: 1 thing was asked for")
    with served(CASES / "cutover", "--strict") as url:
        assert (
            json.loads(send(url, "POST", "/", call("getAccountInfo", key))[1])["error"]["code"]
            == -32603
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_even_amid_an_endless_answer(number: signal.Signals) -> None:
    with served(CASES / "unused", "--fault", "endless:1") as url:
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as hanging:
            hanging.sendall(b"GET /v1/school/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert hanging.recv(100).startswith(b"HTTP/1.1 200")
            assert url.stop(number) == 0
        assert url.errors() == ""


def test_the_trace_says_when_and_what_was_asked(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"ns": 0, "earlier": true}\n')
    batch = [call("getTransaction", "x", name=name) for name in range(10)] + [call("getSlot"), 5]
    started = time.monotonic_ns()
    with served(CASES / "cutover", "--trace", trace, "--fault", "429:0.5", "--seed", "3") as url:
        for _ in range(6):
            send(url, "POST", "/rpc", batch)
        send(url, "GET", "/v1/school/events?scope=x", Authorization="Bearer s3cret")
        send(url, "GET", "/")
    earlier, *rows = requests_of(trace)
    assert earlier == {"ns": 0, "earlier": True}
    assert [row["n"] for row in rows] == list(range(8))
    assert all(started < row["ns"] < time.monotonic_ns() for row in rows)
    assert all(
        row["calls"] == {"(invalid)": 1, "getSlot": 1, "getTransaction": 10} for row in rows[:6]
    )
    assert {(row["status"], tuple(row["faults"])) for row in rows[:6]} == {
        (200, ()),
        (429, ("429",)),
    }
    assert (rows[6]["path"], rows[6]["method"], rows[6]["calls"]) == (
        "/v1/school/events",
        "GET",
        {},
    )
    assert rows[7]["status"] == 405
    assert "s3cret" not in trace.read_text()


def test_tls(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    with served(CASES / "unused", "--tls-cert", cert, "--tls-key", key) as url:
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection(urlsplit(url).netloc, context=trusting, timeout=20)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b"ok"
        connection.close()
        distrusting = http.client.HTTPSConnection(
            urlsplit(url).netloc, context=ssl.create_default_context(), timeout=20
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            distrusting.request("GET", "/health")
        distrusting.close()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--port", "70000"], "--port 70000: expected a number from 0 to 65535"),
        (
            ["--port", "0", "--host", "no.such.host.invalid"],
            "cannot listen on no.such.host.invalid",
        ),
        (["--port", "0", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--port", "0", "--host", "x" * 70], "cannot listen on xxxx"),
        (["--host", ""], "--host: expected an address"),
        (["--fault", "x"], "--fault x: no such fault"),
        (["--fault", "gap", "--fault", "gap"], "give it once"),
        (["--max-body", "0"], "--max-body 0: expected a number from 1"),
        (["--max-connections", "0"], "--max-connections 0: expected a number from 1"),
        (["--token-env", "POPKIT_NO_SUCH_VARIABLE"], "no such variable is set"),
        (["--tls-cert", "x"], "--tls-cert and --tls-key go together"),
        (
            ["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"],
            "not a certificate and its key",
        ),
        (["--trace", "/nonexistent/trace"], "cannot be written"),
        (["--trace", str(CASES / "cutover" / "trace")], "lies inside the case"),
        (["--seed", "x"], "--seed x: expected a whole number"),
        (["--fault-on", "x"], "--fault-on x: expected one of all, rpc and worker"),
    ],
)
def test_wrong_usage_ends_with_2(args: list[str], said: str) -> None:
    done = command(CASES / "cutover", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (CASES / "cutover" / "trace").exists()


def test_help_names_every_fault() -> None:
    done = command("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(kind in done.stdout for kind in KINDS)


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def wait() -> bytes:
        evidence = Evidence(CASES / "unused")
        node, limits = Hindered(Replay(evidence), Faults()), Limits(read_seconds=0.2)
        async with Server(node, WorkerReplay(evidence), Faults(), Trace(None), limits).listening(
            "127.0.0.1", 0
        ) as url:
            reader, writer = await asyncio.open_connection(
                urlsplit(url).hostname, urlsplit(url).port
            )
            writer.write(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            told = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
            await writer.wait_closed()
            return told

    assert asyncio.run(wait()).startswith(b"HTTP/1.1 408")


def test_a_port_in_use_is_wrong_usage(cutover: Served) -> None:
    done = command(CASES / "cutover", "--port", str(urlsplit(cutover).port))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot listen on 127.0.0.1 port {urlsplit(cutover).port}" in done.stderr


def test_a_case_that_cannot_be_trusted_is_not_served(
    copy_of: Callable[[str], Copy], tmp_path: Path
) -> None:
    copy = copy_of("cutover")
    copy.change("rpc/accounts.jsonl", lambda rows: rows[1:])
    done = command(copy.path, "--port", "0")
    assert (done.returncode, done.stdout) == (3, "")
    assert "rpc/accounts.jsonl: does not match the manifest" in done.stderr
    assert command(tmp_path / "none", "--port", "0").returncode == 2
    assert command("--port", "0").returncode == 2


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:5", 200),
        ("[::1]:8899", 200),
        ("192.168.1.7", 200),
        ("popkit:8899", 200),
        ("evil.example", 421),
        ("evil.example:8899", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("[", 421),
    ],
)
def test_a_name_of_others_does_not_reach_the_case(host: str, status: int) -> None:
    """DNS rebinding: a page in the operator's browser may have its own name point at this machine."""
    with served(CASES / "unused") as url:
        for path in ("/health", "/v1/school/events"):
            request = urllib.request.Request(url + path, headers={"Host": host})
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    got = answer.status
            except urllib.error.HTTPError as error:
                got = error.code
            assert (got == 421) == (status == 421)


def test_a_batch_of_hundreds_of_get_program_accounts_keeps_nobody_waiting() -> None:
    """Each call read every account anew, and the loop with it: others wait no longer than a turn
    now, and the batch is answered whole.
    """
    program = json.loads((CASES / "term" / "case.json").read_text())["program_id"]
    calls = [
        {
            "jsonrpc": "2.0",
            "id": n,
            "method": "getProgramAccounts",
            "params": [program, {"encoding": "base64"}],
        }
        for n in range(330)
    ]
    body = json.dumps(calls, separators=(",", ":")).encode()

    async def asked(url: str) -> tuple[int, list[float]]:
        waits: list[float] = []
        async with aiohttp.ClientSession() as session:
            batch = asyncio.create_task(session.post(url, data=body, headers=JSON))
            while not batch.done():
                before = time.monotonic()
                async with session.get(f"{url}/health") as health:
                    assert health.status == 200
                waits.append(time.monotonic() - before)
                await asyncio.sleep(0.01)
            async with batch.result() as answer:
                return len(await answer.json()), waits

    with served(CASES / "term") as url:
        count, waits = asyncio.run(asked(url))
    assert count == len(calls)
    assert len(waits) >= 2, "others are answered while the batch is worked at"
