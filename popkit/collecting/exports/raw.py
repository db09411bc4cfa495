"""JSON whose text is kept: what is taken out of a document is the very text that stood there, so no number is ever rewritten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_ENDS = re.compile(r"[\r\n]+[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_GIVE_UP_AFTER = 50


class NotJson(ValueError):
    """A text is not what it should be; the message says so for people."""


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a text: the 1-based line it begins in, its text, its value; `value` is None and `problem` set where it is not JSON."""

    line: int
    raw: str
    value: Any
    problem: str | None = None


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def decode(data: bytes) -> str:
    """The text of a file. Raises NotJson, with what to do, for an encoding other than UTF-8."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            raise NotJson(f"is {name}, as PowerShell's `>` writes it; expected UTF-8: save it again as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from None


def load(raw: str) -> Any:
    """The value of a JSON text, integers exact. Raises NotJson."""
    try:
        value, end = _DECODER.raw_decode(raw, _space(raw, 0))
    except (ValueError, RecursionError) as error:
        raise NotJson(f"is not JSON: {error}") from None
    if _space(raw, end) != len(raw):
        raise NotJson(f"is not JSON: there is more after its end at character {end}")
    return value


def parts(text: str, patient: bool = False) -> Iterator[Part]:
    """The values of a text one after the other: one document, JSON Lines, or documents written behind each other.

    A line that is no JSON comes as a Part with its problem. Reading stops where only such lines come, unless `patient`.
    """
    position, line, good, bad = _space(text, 0), 1, 0, 0
    line += text.count("\n", 0, position)
    while position < len(text):
        try:
            value, end = _DECODER.raw_decode(text, position)
            yield Part(line, text[position:end], value)
            good += 1
        except (ValueError, RecursionError) as error:
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            yield Part(line, text[position:end], None, f"is not JSON: {str(error)[:100]}")
            bad += 1
            if not good and bad >= _GIVE_UP_AFTER and not patient:
                return
        following = _space(text, end)
        line += text.count("\n", position, following)
        position = following


def members(raw: str) -> Iterator[tuple[str, str]]:
    """The members of an object's text as (name, text of the value), repeated names and all. `raw` is known to be JSON."""
    position = _space(raw, _space(raw, 0) + 1)
    while raw[position] != "}":
        name, position = _DECODER.raw_decode(raw, position)
        position = _space(raw, _space(raw, position) + 1)
        _, end = _DECODER.raw_decode(raw, position)
        yield name, raw[position:end]
        position = _space(raw, end)
        if raw[position] == ",":
            position = _space(raw, position + 1)


def elements(raw: str) -> Iterator[str]:
    """The texts of an array's elements. `raw` is known to be JSON."""
    position = _space(raw, _space(raw, 0) + 1)
    while raw[position] != "]":
        _, end = _DECODER.raw_decode(raw, position)
        yield raw[position:end]
        position = _space(raw, end)
        if raw[position] == ",":
            position = _space(raw, position + 1)


def member(raw: str, name: str) -> str:
    """The text of one member: of a repeated name the last, as JSON readers take it."""
    return dict(members(raw))[name]


def one_line(raw: str) -> bytes:
    """A value's text as one line: only the line ends between its parts are taken out (a string cannot hold one)."""
    return (_LINE_ENDS.sub("", raw) if "\n" in raw or "\r" in raw else raw).encode()


def quoted(text: str) -> str:
    """A string as JSON; what stands for bytes that are no UTF-8 becomes escapes, so that reading gives the same string again."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def meaning(line: bytes) -> str:
    """A text that two lines share when they say the same: equal but for spaces, escapes, the order of members. Numbers count as written."""
    try:
        return repr(json.loads(line, parse_int=_tagged, parse_float=_tagged, object_pairs_hook=_sorted_pairs))
    except (ValueError, RecursionError):
        return repr(line)


def _tagged(digits: str) -> tuple[str, str]:
    return ("number", digits)


def _sorted_pairs(pairs: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    return ("object", sorted(pairs, key=lambda pair: (pair[0], repr(pair[1]))))


def _space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()
