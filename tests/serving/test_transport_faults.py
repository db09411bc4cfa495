"""Faults that show on the wire, each by itself, and only where they were asked for."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import CASES
from tests.serving.harness import requests_of, served
from tests.serving.test_server import call, send

CASE = CASES / "unused"
SLOT = call("getSlot")
BOMB = gzip.compress(b" " * 20_000_000)


def test_answers_in_place_of_the_right_one() -> None:
    for spec, status, kind, header in (
        ("429:1", 429, "application/json", ("Retry-After", "1")),
        ("429:1:0", 429, "application/json", ("Retry-After", "0")),
        ("server-error:1", 500, "text/plain; charset=utf-8", None),
        ("html:1", 200, "text/html; charset=utf-8", None),
        ("html-502:1", 502, "text/html; charset=utf-8", None),
        ("redirect:1", 302, None, ("Location", "http://elsewhere.invalid/")),
        (
            "redirect:1:https://other.invalid:81/x",
            302,
            None,
            ("Location", "https://other.invalid:81/x"),
        ),
    ):
        with served(CASE, "--fault", spec) as url:
            for verb, path, body in (("POST", "/", SLOT), ("GET", "/v1/school/events", None)):
                answer, _ = send(url, verb, path, body)
                assert (answer.status, answer.headers["Content-Type"]) == (status, kind), spec
                if header:
                    assert answer.headers[header[0]] == header[1]


def test_a_dropped_connection(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with served(CASE, "--fault", "drop:1", "--trace", trace) as url:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            send(url, "POST", "/", SLOT)
        url.stop()
        assert url.errors() == ""
    assert [(row["status"], row["faults"], row["calls"]) for row in requests_of(trace)] == [
        (None, ["drop"], {"getSlot": 1})
    ]


def test_a_body_cut_in_half() -> None:
    whole = {"jsonrpc": "2.0", "result": 0, "id": 1}
    with served(CASE) as url:
        whole = send(url, "POST", "/", SLOT)[1]
    with served(CASE, "--fault", "cut:1") as url:
        with pytest.raises(http.client.IncompleteRead) as caught:
            send(url, "POST", "/", SLOT)
        assert caught.value.partial == whole[: len(whole) // 2]
        assert caught.value.expected == len(whole) - len(whole) // 2
        url.stop()
        assert url.errors() == ""


def test_a_body_that_never_ends() -> None:
    with served(CASE, "--fault", "endless:1") as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request("POST", "/", json.dumps(SLOT), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] is None
        assert len(answer.read(3_000_000)) == 3_000_000
        connection.close()
        url.stop()
        assert url.errors() == ""


def test_a_late_answer() -> None:
    with served(CASE, "--fault", "slow:0.4") as url:
        started = time.monotonic()
        assert send(url, "POST", "/", SLOT)[0].status == 200
        assert 0.4 <= time.monotonic() - started < 5


def test_json_called_text() -> None:
    with served(CASE, "--fault", "wrong-type:1") as url:
        answer, body = send(url, "POST", "/", SLOT)
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert json.loads(body)["id"] == 1


def test_batches_above_a_size_are_too_large() -> None:
    with served(CASE, "--fault", "too-large:3") as url:
        for count, status in ((1, 200), (3, 200), (4, 413)):
            assert send(url, "POST", "/", [SLOT] * count)[0].status == status
        assert send(url, "POST", "/", SLOT)[0].status == 200


def test_faults_of_one_peer_leave_the_other_alone() -> None:
    for peer, node, worker in (("rpc", 500, 200), ("worker", 200, 500), ("all", 500, 500)):
        with served(CASE, "--fault", "server-error:1", "--fault-on", peer) as url:
            assert send(url, "POST", "/", SLOT)[0].status == node
            assert send(url, "GET", "/v1/school/pop-status")[0].status == worker


def test_the_same_seed_and_order_give_the_same_answers(tmp_path: Path) -> None:
    def run(seed: int, name: str) -> list[tuple[object, object]]:
        flags = [
            "--fault",
            "429",
            "--fault",
            "slow:0.01:0.3",
            "--fault",
            "wrong-type",
            "--fault",
            "slot-back",
        ]
        with served(CASE, *flags, "--seed", str(seed), "--trace", tmp_path / name) as url:
            for _ in range(30):
                send(url, "POST", "/", SLOT)
        return [(row["status"], tuple(row["faults"])) for row in requests_of(tmp_path / name)]

    first = run(1, "a")
    assert first == run(1, "b")
    assert first != run(2, "c")
    assert {fault for _, faults in first for fault in faults} == {
        "429",
        "slow",
        "wrong-type",
        "slot-back",
    }


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 400),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB, 413),
    ],
    ids=["no-http", "long-path", "long-header", "negative-length", "bad-chunk", "bad-gzip", "bomb"],
)
def test_what_is_no_request_is_told_so_in_silence(sent: bytes, status: int) -> None:
    with served(CASE) as url:
        with socket.create_connection(
            (urlsplit(url).hostname, urlsplit(url).port), timeout=10
        ) as connection:
            connection.sendall(sent)
            assert connection.recv(12) in (b"HTTP/1.0 %d" % status, b"HTTP/1.1 %d" % status)
        assert send(url, "POST", "/", SLOT)[0].status == 200
        url.stop()
        assert url.errors() == ""


def test_a_client_that_leaves_does_no_harm() -> None:
    with served(CASE, "--fault", "slow:0.2:0.5", "--fault", "cut:0.5") as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        text = json.dumps(SLOT).encode()
        for _ in range(10):
            with socket.create_connection((host, port)) as gone:
                head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                gone.sendall(head.encode() + text)
        time.sleep(0.5)
        with socket.create_connection((host, port)) as half:
            half.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
        time.sleep(0.1)
        url.stop()
        assert url.errors() == ""
