"""JSON whose text is kept: what is taken out of a document is the very text that stood there, so no
number is ever rewritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from popkit.protocol.canonical import MAX_VALUES, absurdity

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_ENDS = re.compile(r"[\r\n]+[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_GIVE_UP_AFTER = 50
_TRIES = 50
"""Lines that are no JSON by themselves and are tried as the beginning of a value of several lines,
each time through the whole text.
"""


class NotJson(ValueError):
    """A text is not what it should be; the message says so for people."""


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a text: the 1-based line it begins in, its text, its value; `value` is None and
    `problem` set where it is not JSON.
    """

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
            raise NotJson(
                f"is {name}, as PowerShell's `>` writes it; expected UTF-8: save it again as UTF-8"
            )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotJson(
            f"is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}"
        ) from None


def load(raw: str) -> Any:
    """The value of a JSON text, integers exact. Raises NotJson."""
    absurd = _absurd(raw)
    if absurd:
        raise NotJson(absurd)
    try:
        value, end = _DECODER.raw_decode(raw, _space(raw, 0))
    except (ValueError, RecursionError) as error:
        raise NotJson(f"is not JSON: {error}") from None
    if _space(raw, end) != len(raw):
        raise NotJson(f"is not JSON: there is more after its end at character {end}")
    return value


def parts(text: str, patient: bool = False) -> Iterator[Part]:
    """The values of a text one after the other: one document, JSON Lines, or documents written
    behind each other.

    A line that is no JSON comes as a Part with its problem. Reading stops where only such lines
    come, unless `patient`. The time is linear in the text: a line is tried by itself first, and
    values of several lines are tried so many times and no more.
    """
    position, good, bad, tries = _space(text, 0), 0, 0, _TRIES
    line = 1 + text.count("\n", 0, position)
    is_small = text.count(",") <= MAX_VALUES
    while position < len(text):
        part, end = _line_part(text, position, line)
        if part.problem is not None and text[position] in "[{" and not _absurd(part.raw):
            if not is_small:
                part = Part(
                    line,
                    part.raw,
                    None,
                    f"{part.problem}; a document of several lines holds at most {MAX_VALUES} "
                    f"values here",
                )
            elif tries:
                whole = _value_at(text, position)
                tries -= whole is None
                part, end = (
                    (part, end)
                    if whole is None
                    else (_whole_part(text[position : whole[1]], whole[0], line), whole[1])
                )
        yield part
        good, bad = good + (part.problem is None), bad + (part.problem is not None)
        if not good and bad >= (_GIVE_UP_AFTER if is_small else 1) and not patient:
            return
        following = _space(text, end)
        line += text.count("\n", position, following)
        position = following


def _line_part(text: str, position: int, line: int) -> tuple[Part, int]:
    """The value that begins there and ends in its line, and where it ends; else the rest of the
    line, with what is wrong.
    """
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    rest = text[position:end]
    problem = _absurd(rest)
    if problem is None:
        try:
            value, stop = _DECODER.raw_decode(rest)
            raw = rest[:stop]
            if (
                raw[0] in "[{" or not rest[stop:].strip()
            ):  # a number before other words (a date, a count) is no document
                return Part(line, raw, value), position + stop
            problem = "is not JSON: other text follows its first word"
        except (ValueError, RecursionError) as error:
            problem = f"is not JSON: {str(error)[:100]}"
    return Part(line, rest, None, problem), end


def _whole_part(raw: str, value: Any, line: int) -> Part:
    problem = _absurd(raw)
    return Part(line, raw, None if problem else value, problem)


def _value_at(text: str, position: int) -> tuple[Any, int] | None:
    try:
        return _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        return None


def _absurd(raw: str) -> str | None:
    return absurdity(raw.encode("utf-8", "surrogatepass"))


def members(raw: str) -> Iterator[tuple[str, str]]:
    """The members of an object's text as (name, text of the value), repeated names and all. `raw`
    is known to be JSON.
    """
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
    """A value's text as one line: only the line ends between its parts are taken out (a string
    cannot hold one).
    """
    return (_LINE_ENDS.sub("", raw) if "\n" in raw or "\r" in raw else raw).encode()


def quoted(text: str) -> str:
    """A string as JSON; what stands for bytes that are no UTF-8 becomes escapes, so that reading
    gives the same string again.
    """
    return _SURROGATE.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def meaning(line: bytes) -> str:
    """A text that two lines share when they say the same: equal but for spaces, escapes, the order
    of members. Numbers count as written.
    """
    try:
        return repr(
            json.loads(
                line, parse_int=_tagged, parse_float=_tagged, object_pairs_hook=_sorted_pairs
            )
        )
    except (ValueError, RecursionError):
        return repr(line)


def _tagged(digits: str) -> tuple[str, str]:
    return ("number", digits)


def _sorted_pairs(pairs: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    return ("object", sorted(pairs, key=lambda pair: (pair[0], repr(pair[1]))))


def _space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()
