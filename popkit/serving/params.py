"""What a node says when it is asked wrongly, and how the params of a call are read.

Codes and texts are those of Agave's RPC service, as clients match on them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from popkit.protocol.keys import b58decode

T = TypeVar("T")

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
BLOCK_NOT_AVAILABLE = -32004
NODE_UNHEALTHY = -32005
SLOT_SKIPPED = -32007
LONG_TERM_SLOT_SKIPPED = -32009
EXCLUDED_FROM_INDEX = -32010
HISTORY_NOT_AVAILABLE = -32011
UNSUPPORTED_VERSION = -32015
MIN_CONTEXT_SLOT = -32016

COMMITMENTS = (
    "processed",
    "confirmed",
    "finalized",
    "recent",
    "single",
    "singleGossip",
    "root",
    "max",
)
_BELOW_CONFIRMED = ("processed", "recent")


class RpcError(Exception):
    """An answer of JSON-RPC that is an error: code, message and, where a node gives it, data."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def body(self) -> dict[str, Any]:
        """The `error` member of the answer."""
        found = {"code": self.code, "message": self.message}
        return found if self.data is None else {**found, "data": self.data}


def invalid(message: str) -> RpcError:
    return RpcError(INVALID_PARAMS, message)


def arguments(params: Any, least: int, most: int) -> list[Any]:
    """The positional params of a call, filled with None up to `most`. Raises RpcError when there
    are too few or too many.
    """
    given = [] if params is None else params
    if not isinstance(given, list):
        raise invalid(
            f"Invalid params: invalid type: {kind_of(given)}, expected a tuple of size {most}."
        )
    if len(given) < least:
        raise invalid(f"`params` should have at least {least} argument(s)")
    if len(given) > most:
        expected = (
            f"Expected from {least} to {most} parameters."
            if most
            else "No parameters were expected"
        )
        raise invalid(f"Invalid parameters: {expected}")
    return given + [None] * (most - len(given))


def settings(value: Any) -> dict[str, Any]:
    """A call's configuration object; null is an empty one. Its commitment is checked, as every
    call's may be given.
    """
    found = {} if value is None else value
    if not isinstance(found, dict):
        raise invalid(f"Invalid params: invalid type: {kind_of(found)}, expected struct.")
    commitment(found)
    return found


def commitment(config: dict[str, Any]) -> str:
    """The commitment asked for, `finalized` when none is. Raises RpcError for a word that is none."""
    return one_of(config, "commitment", COMMITMENTS) or "finalized"


def at_least_confirmed(config: dict[str, Any]) -> None:
    """History is kept of confirmed blocks alone."""
    if commitment(config) in _BELOW_CONFIRMED:
        raise invalid("Method does not support commitment below `confirmed`")


def typed(config: dict[str, Any], name: str, kind: type[T], expected: str) -> T | None:
    """A field of a configuration; None when it is absent or null. Raises RpcError when it is of
    another type (a bool is no number).
    """
    value = config.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise invalid(f"Invalid params: invalid type: {kind_of(value)}, expected {expected}.")
    return value


def natural(config: dict[str, Any], name: str) -> int | None:
    """A field that is a whole number of 64 bits, or None."""
    value = typed(config, name, int, "u64")
    if value is not None and not 0 <= value < 1 << 64:
        raise invalid(f"Invalid params: invalid value: integer `{value}`, expected u64.")
    return value


def one_of(config: dict[str, Any], name: str, words: tuple[str, ...]) -> str | None:
    """A field that is one of some words, or None."""
    value = typed(config, name, str, f"variant of {name}")
    if value is not None and value not in words:
        raise invalid(
            f"Invalid params: unknown variant `{value[:100]}`, expected one of "
            f"{', '.join(f'`{word}`' for word in words)}."
        )
    return value


def reached(config: dict[str, Any], slot: int) -> None:
    """Hold a call's minContextSlot against the slot the node stands at."""
    least = natural(config, "minContextSlot")
    if least is not None and least > slot:
        raise RpcError(
            MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": slot}
        )


def pubkey(value: Any) -> str:
    """A public key. Raises RpcError as a node does: Invalid for what is not base58, WrongSize for
    another length.
    """
    return _base58(value, 32)


def signature(value: Any) -> str:
    """A transaction's signature. Raises RpcError as for a public key."""
    return _base58(value, 64)


def _base58(value: Any, size: int) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid params: invalid type: {kind_of(value)}, expected a string.")
    if len(value) > 2 * size:  # before decoding, whose time grows with the square of the length
        raise invalid("Invalid param: WrongSize")
    try:
        size_found = len(b58decode(value))
    except ValueError:
        raise invalid("Invalid param: Invalid") from None
    if size_found != size:
        raise invalid("Invalid param: WrongSize")
    return value


def kind_of(value: Any) -> str:
    """A JSON value in the words of a deserializer's message; long texts are cut."""
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {msgspec.json.encode(value[:100]).decode()}"
    return "null" if value is None else "sequence" if isinstance(value, list) else "map"
