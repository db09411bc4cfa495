"""The worker's canonical JSON, byte for byte, and the hashes that are made of it.

The worker deep-copies a value with its keys sorted and calls `JSON.stringify`. That is ECMAScript's
order of keys, its strings and its numbers: `json.dumps` agrees on ordinary values and silently
differs on the others, so ordinary values alone take that way.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NoReturn, cast
from urllib.parse import quote

MAX_DEPTH: Final = 200
"""Levels of nesting that are read and written; deeper documents are a CanonicalError, not a crash.
"""

MAX_VALUES: Final = 1 << 22
"""Values in one document; what nodes and workers answer holds fewer, and a list of empty lists
would fill the memory.
"""

_PLAIN_DEPTH: Final = 32
_EXACT: Final = 1 << 53
_INDEX_KEY = re.compile(r"0|[1-9][0-9]{0,9}")
_LAST_INDEX: Final = 4294967294
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNUSUAL_KEY = re.compile(r"[0-9]|__proto__\Z")
_ESCAPED = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
_SHORT: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
_TEXTS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


class CanonicalError(ValueError):
    """The text is not JSON as the worker reads it, or the value has no canonical form."""


class _Undefined:
    """JavaScript's `undefined`: a member that is not written, an array element that becomes null."""

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = _Undefined()


def parse(text: str | bytes) -> object:
    """JSON as JavaScript's `JSON.parse` reads it.

    Numbers are doubles: an integer that a double holds exactly up to 2^53 comes as int, others as
    float. Of a repeated key the last wins; lone surrogate escapes are kept. Raises CanonicalError
    on anything else, NaN, bad UTF-8 and text after the end included.
    """
    absurd = absurdity(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    if absurd:
        raise CanonicalError(f"the document {absurd}")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise CanonicalError(
                f"not UTF-8: byte {problem.start} is {text[problem.start]:#04x}"
            ) from problem
    try:
        return json.loads(text, parse_int=_js_integer, parse_constant=_no_constant)
    except RecursionError as problem:
        raise CanonicalError("the document is nested too deeply to be read here") from problem
    except CanonicalError:
        raise
    except ValueError as problem:
        raise CanonicalError(f"not JSON: {problem}") from problem


def dumps(value: object) -> str:
    """The canonical text of a value made of dict, list, str, int, float, bool, None and UNDEFINED.

    Raises CanonicalError for other types, for a value that is itself UNDEFINED, and past MAX_DEPTH.
    """
    if _is_plain(value, _PLAIN_DEPTH):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return dumps_by_rule(value)


def dumps_by_rule(value: object) -> str:
    """As `dumps`, by the rules alone: what the quick way must agree with."""
    if value is UNDEFINED:
        raise CanonicalError("undefined has no canonical form")
    written: list[str] = []
    _write(value, written, 0)
    return "".join(written)


def dump_bytes(value: object) -> bytes:
    """The canonical text as UTF-8 (lone surrogates are escapes by then)."""
    return dumps(value).encode("utf-8")


def entry_hash(entry: Mapping[str, Any]) -> str:
    """The hash an audit entry should state: SHA-256 over all but `entry_hash` and `immutable`, as
    hex.

    Entries of before 2026-02-21 have no stream_prev_hash, and a preimage of six keys.
    """
    preimage = {
        key: entry.get(key, UNDEFINED) for key in ("ts", "event", "eventId", "actor", "prev_hash")
    }
    data = entry.get("data")
    preimage["data"] = {} if data is None or data is UNDEFINED else data
    if isinstance(entry.get("stream_prev_hash"), str):
        preimage["stream_prev_hash"] = entry["stream_prev_hash"]
    return _digest(preimage)


def payload(entry: Mapping[str, Any]) -> bytes:
    """What the worker stores of an entry in its immutable sinks: the whole entry but for
    `immutable`, wrapped.
    """
    stored = {key: value for key, value in entry.items() if key != "immutable"}
    return dump_bytes({"version": 1, "source": "school-store", "entry": stored})


def payload_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 of `payload`, as hex."""
    return sha256(payload(entry)).hexdigest()


def receipt_hash(receipt: Mapping[str, Any]) -> str:
    """The hash a ticket receipt should state: SHA-256 over all but `receiptHash`, as hex."""
    return _digest({key: value for key, value in receipt.items() if key != "receiptHash"})


def subject_commitment(event_id: str, subject: str) -> str:
    """The commitment to a ticket's subject (wallet, join token, user id): unsalted, as the worker
    does.
    """
    return _digest({"version": 1, "eventId": event_id, "subject": subject})


def object_keys(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The bucket keys of an entry: by hash, and in its stream's folder.

    Raises CanonicalError for an event id with a lone surrogate (there the worker's own
    encodeURIComponent throws) and for an entry without the three texts it is made of.
    """
    digest, event_id, ts = (entry.get(key) for key in ("entry_hash", "eventId", "ts"))
    if not (isinstance(digest, str) and isinstance(event_id, str) and isinstance(ts, str)):
        raise CanonicalError(
            f"entry_hash, eventId and ts must be text, got {digest!r}, {event_id!r}, {ts!r}"
        )
    try:
        folder = quote(_joined(event_id), safe="-_.!~*'()")
    except UnicodeEncodeError as problem:
        raise CanonicalError(
            f"event id {event_id!r} holds a lone surrogate and has no bucket key"
        ) from problem
    moment = ts.replace(":", "-").replace(".", "-")
    return (
        f"audit/immutable/entry/{digest}.json",
        f"audit/immutable/stream/{folder}/{moment}_{digest}.json",
    )


def number_text(value: float) -> str:
    """A double as JavaScript's Number→String writes it, with JSON's null for what is not finite."""
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{float(abs(value))!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if point > 21 or point < -5:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return sign + digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _digest(value: object) -> str:
    return sha256(dump_bytes(value)).hexdigest()


def _is_plain(value: object, depth: int) -> bool:
    """Whether `json.dumps` writes this value canonically."""
    kind = type(value)
    if kind is str:
        return not _SURROGATE.search(cast(str, value))
    if kind is dict:
        members = cast("dict[object, object]", value)
        return depth > 0 and all(
            type(key) is str
            and key.isascii()
            and not _UNUSUAL_KEY.match(key)
            and _is_plain(member, depth - 1)
            for key, member in members.items()
        )
    if kind is int:
        return -_EXACT <= cast(int, value) <= _EXACT
    if kind is list:
        return depth > 0 and all(_is_plain(item, depth - 1) for item in cast("list[object]", value))
    return value is None or kind is bool


def _write(value: object, out: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"the value is nested deeper than {MAX_DEPTH} levels")
    if value is None or value is True or value is False:
        out.append("null" if value is None else "true" if value else "false")
    elif isinstance(value, str):
        out.append(_string(value))
    elif isinstance(value, (int, float)):
        out.append(_number(value))
    elif isinstance(value, Mapping):
        _write_object(value, out, depth)
    elif isinstance(value, (list, tuple)):
        out.append("[")
        for position, item in enumerate(value):
            if position:
                out.append(",")
            _write(None if item is UNDEFINED else item, out, depth + 1)
        out.append("]")
    else:
        raise CanonicalError(f"a value of type {type(value).__name__} has no canonical form")


def _write_object(value: Mapping[Any, object], out: list[str], depth: int) -> None:
    members = {}
    for key, member in value.items():
        if not isinstance(key, str):
            raise CanonicalError(f"keys must be text, got {key!r}")
        # Assigning __proto__ in JavaScript sets the prototype, so that the member is lost.
        if member is not UNDEFINED and key != "__proto__":
            members[_joined(key)] = member
    out.append("{")
    for position, key in enumerate(sorted(members, key=_property_order)):
        if position:
            out.append(",")
        out.append(_string(key))
        out.append(":")
        _write(members[key], out, depth + 1)
    out.append("}")


def _property_order(key: str) -> tuple[int, int, bytes]:
    """JavaScript's order of an object's keys: array indices by number, then the rest by UTF-16 code
    units.
    """
    if _INDEX_KEY.fullmatch(key) and int(key) <= _LAST_INDEX:
        return 0, int(key), b""
    return 1, 0, key.encode("utf-16-be", "surrogatepass")


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, _joined(text)) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def _joined(text: str) -> str:
    """`text` with surrogate pairs joined to one character each, as UTF-16 reads them; lone ones
    stay.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _number(value: int | float) -> str:
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return str(int(value))
    try:
        return number_text(float(value))
    except OverflowError:
        return "null"


def _js_integer(digits: str) -> int | float:
    if len(digits) < 16:
        return int(digits)
    value = float(digits)
    return int(value) if abs(value) <= _EXACT else value


def _no_constant(name: str) -> NoReturn:
    raise CanonicalError(f"not JSON: {name} is no number")


def absurdity(text: bytes) -> str | None:
    """Why a JSON text is not read: nested deeper than MAX_DEPTH levels, or more than MAX_VALUES
    values; else None.

    It is asked before a reader is: readers recurse, and make an object of every value. The time is
    linear in the text.
    """
    opened = text.count(b"[") + text.count(b"{")
    if len(text) > MAX_VALUES and opened + text.count(b",") > MAX_VALUES:
        return f"holds more than {MAX_VALUES} values"
    if opened <= MAX_DEPTH:
        return None
    import numpy as np

    brackets = np.frombuffer(_TEXTS.sub(b"", text).translate(_BRACKETS, _NO_BRACKETS), np.uint8)
    depth = int(np.cumsum(np.where(brackets == ord("["), 1, -1)).max(initial=0))
    return f"is nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else None
