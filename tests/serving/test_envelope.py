"""JSON-RPC 2.0: single calls, batches, notifications, and everything that is none of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from popkit.serving import envelope
from popkit.serving.params import RpcError


def answer(method: str, given: Any) -> msgspec.Raw:
    """A node that knows one method."""
    if method == "fault":
        raise ZeroDivisionError("inside")
    if method != "echo":
        raise RpcError(-32601, "Method not found")
    return msgspec.Raw(msgspec.json.encode(given))


def told(body: bytes) -> Any:
    request = envelope.read(body)
    text = envelope.written(request, envelope.answers(request, answer))
    return json.loads(text) if text else None


def call(name: Any, method: Any = "echo", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "method": method, "params": [name], **more}


def error(code: int, message: str, name: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": name}


@pytest.mark.parametrize("name", [1, "a", None, 0, "", 2**63])
def test_the_id_comes_back_as_it_was(name: Any) -> None:
    assert told(json.dumps(call(name)).encode()) == {"jsonrpc": "2.0", "result": [name], "id": name}


def test_a_batch_is_answered_in_its_order() -> None:
    found = told(json.dumps([call(3), call("x", "other"), call(1), 5, call(7, "fault")]).encode())
    assert found == [
        {"jsonrpc": "2.0", "result": [3], "id": 3},
        error(-32601, "Method not found", "x"),
        {"jsonrpc": "2.0", "result": [1], "id": 1},
        error(-32600, "Invalid request"),
        error(-32603, "Internal error: ZeroDivisionError: inside", 7),
    ]


def test_notifications_get_no_answer() -> None:
    quiet = {"jsonrpc": "2.0", "method": "echo", "params": [1]}
    assert told(json.dumps(quiet).encode()) is None
    assert told(json.dumps([quiet, quiet]).encode()) is None
    assert told(json.dumps([quiet, call(2)]).encode()) == [
        {"jsonrpc": "2.0", "result": [2], "id": 2}
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1,",
        b"\xff\xfe",
        b'{"a":1}x',
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    assert told(body) == error(-32700, "Parse error")


@pytest.mark.parametrize(
    "body",
    [
        b"5",
        b'"x"',
        b"null",
        b"{}",
        b'{"jsonrpc":"2.0","id":1.5,"method":"echo"}',
        b'{"id":{},"method":"echo"}',
    ],
)
def test_what_is_no_request(body: bytes) -> None:
    assert told(body) == error(-32600, "Invalid request")


def test_an_empty_batch_is_an_error_and_no_list() -> None:
    assert told(b"[]") == error(-32600, "Invalid request")
    assert told(b"[[]]") == [error(-32600, "Invalid request")]


def test_a_malformed_call_keeps_its_id() -> None:
    assert told(json.dumps(call(9, method=5)).encode()) == error(-32600, "Invalid request", 9)
    assert told(json.dumps(call(9, params="x")).encode()) == error(-32600, "Invalid request", 9)
    assert told(json.dumps(call(9, jsonrpc="1.0")).encode()) == error(
        -32600, "Unsupported JSON-RPC protocol version", 9
    )
    assert told(b'{"id":9,"method":"echo"}') == error(
        -32600, "Unsupported JSON-RPC protocol version", 9
    )
