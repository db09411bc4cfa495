"""The envelope of JSON-RPC 2.0: one request or a batch in, one answer or a batch out. No network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from popkit.serving.params import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, RpcError

Answer = Callable[[str, Any], msgspec.Raw]
_NULL = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read: its calls in order, whether they came as a batch; `error` where it
    is none at all.
    """

    calls: tuple[Call, ...]
    is_batch: bool
    error: RpcError | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `id` as the client wrote it, None for a notification; `error` where it is
    malformed.
    """

    method: str
    params: Any
    id: msgspec.Raw | None
    error: RpcError | None = None


def read(body: bytes) -> Request:
    """Read a request's body; what is wrong with it is said in the request, or in the call that is
    wrong.
    """
    try:
        document = msgspec.json.decode(body, type=msgspec.Raw)
        msgspec.json.decode(body)  # Raw alone does not look inside
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Request((), False, RpcError(PARSE_ERROR, "Parse error"))
    if not bytes(document).lstrip().startswith(b"["):
        return Request((_call(document),), False)
    parts = msgspec.json.decode(body, type=list[msgspec.Raw])
    if not parts:
        return Request((), True, RpcError(INVALID_REQUEST, "Invalid request"))
    return Request(tuple(_call(part) for part in parts), True)


def _call(document: msgspec.Raw) -> Call:
    invalid = RpcError(INVALID_REQUEST, "Invalid request")
    if not bytes(document).lstrip().startswith(b"{"):
        return Call("", None, _NULL, invalid)
    part = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    name = part.get("id")
    if name is not None and not isinstance(msgspec.json.decode(name), str | int | None):
        return Call("", None, _NULL, invalid)
    method = msgspec.json.decode(part.get("method", _NULL))
    given = msgspec.json.decode(part.get("params", _NULL))
    if not isinstance(method, str) or not isinstance(given, list | dict | None):
        return Call("", None, name or _NULL, invalid)
    if msgspec.json.decode(part.get("jsonrpc", _NULL)) != "2.0":
        return Call(
            method,
            given,
            name or _NULL,
            RpcError(INVALID_REQUEST, "Unsupported JSON-RPC protocol version"),
        )
    return Call(method, given, name)


def answers(request: Request, answer: Answer) -> list[dict[str, Any]]:
    """The answers to a request in its order; notifications are carried out and get none."""
    return [told for told in one_by_one(request, answer) if told is not None]


def one_by_one(request: Request, answer: Answer) -> Iterator[dict[str, Any] | None]:
    """The answer to each call in turn, None for a notification: a server does other things between
    two of them.
    """
    if request.error is not None:
        yield _error(request.error, _NULL)
    for call in request.calls if request.error is None else ():
        told = _answered(call, answer)
        yield told if call.id is not None else None


def written(request: Request, found: list[dict[str, Any]]) -> bytes:
    """The body of the answer; empty where there were only notifications."""
    if not found:
        return b""
    return msgspec.json.encode(found if request.is_batch and request.error is None else found[0])


def _answered(call: Call, answer: Answer) -> dict[str, Any]:
    name = call.id or _NULL
    if call.error is not None:
        return _error(call.error, name)
    try:
        return {"jsonrpc": "2.0", "result": answer(call.method, call.params), "id": name}
    except RpcError as error:
        return _error(error, name)
    except Exception as error:  # one call must not take the others of its batch with it; a node says no more than this either
        return _error(
            RpcError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}: {error}"), name
        )


def _error(error: RpcError, name: msgspec.Raw) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.body(), "id": name}
