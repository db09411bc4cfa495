"""Ways to spoil one file of a case: its bytes, its lines, its values, its packing, its place.

Each way is LOSS or WORDS. After LOSS the file says a part of what it said, and noise. After WORDS
it may say something else in a form that is in order, as a liar would: an answer may then follow the
lie, and only what no lie of one file can bring about is held against it.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard

LOSS, WORDS = "loss", "words"
DEEP = 100_000
TEXTS = ("\x1b[2J\x1b]8;;http://evil.example\x07", "\u202e\u2066\u200f", "\x9b1m\x85", "\r\n\tfalse line", "\u2028", "\ufeff\u200b", "",
         "case.json", "../../../etc/passwd", "٣", "1e999", "x" * 5000, "GENESIS", "0" * 64, "1" * 44, "=1+1", "<b>", "`|*")  # fmt: skip
"""Texts behind, or instead of, those of a case: what moves a cursor, turns or hides text, and what
other readers take for more.
"""
VALUES = (
    "null", "true", "false", "0", "-0", "-1", "1.5", "1e999", "-1e400", "1e400", "1e14", "1e-400", "9" * 5000, str(10**19), str(2**64),
    str(2**53 + 1), "1771830113000", "-0.5", '"\\ud800"', '"\\udfff\\ud800"', '""', '"1771830113"', "[]", "{}", "[[]]", '{"":null}',
    '"' + "2" * 2_000_000 + '"', '"' + "A" * 2_000_000 + '"', "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP,
    '{"a":' * 150 + "1" + "}" * 150, "[" + "[]," * 10_000 + "1]", "[" + "1," * 200_000 + "1]", "NaN", "-Infinity", "'x'", "",
    '{"a":1,"a":2}', '{"__proto__":{},"constructor":null}',
)  # fmt: skip
"""JSON in place of a value, and what only looks like it."""
LINES = (
    "null", "[]", "{}", "0", '""', "x", "{", '{"a":', "[" * DEEP + "]" * DEEP, "[" * DEEP, '{"err":' + "[" * DEEP, "\x00" * 1000, " ",
    '{"signature":"%s","slot":1}' % ("2" * 2_000_000), '{"key":"k","value":%s,"text":"t"}' % ("9" * 5000), "9" * 5000, "1e999",
    '{"signature":"x","pubkey":"x","key":"x","at":1e999,"slot":1e999,"result":1e400,"value":1e999,"err":null,"memo":null}',
    '2026-02-22T10:00:00.000Z [info] GET /v1/school/events 200 {"a": 1}', "\ufeff{}", "x" * 2_000_000, "[" + "[]," * 300_000 + "1]",
)  # fmt: skip
"""Lines that belong in no file."""

Spoil = Callable[[random.Random, bytes, bool], bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to spoil the content of a file: `spoil(rng, content, is_lines)`."""

    name: str
    kind: str
    spoil: Spoil


def values_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a JSON value, the value itself left out."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from values_in(inner, (*path, key))
    if path:
        yield path


def _cut(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _beheaded(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    return content[rng.randrange(len(content) + 1) :]


def _emptied(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    return b""


def _lines_lost(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    """The end, the beginning, or some lines gone, at the ends of lines."""
    lines = content.splitlines(keepends=True)
    first, second = sorted(rng.randrange(len(lines) + 1) for _ in range(2))
    return b"".join(rng.choice((lines[:first], lines[first:], lines[:first] + lines[second:])))


def _lines_repeated(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    lines = content.splitlines(keepends=True)
    times = max(2, min(2000, (4 << 20) // max(1, len(content))))
    spot = rng.randrange(len(lines) + 1)
    return rng.choice(
        (
            content * 2,
            b"".join(lines[:spot])
            + b"".join(lines[max(0, spot - 1) : spot]) * times
            + b"".join(lines[spot:]),
        )
    )


def _lines_shuffled(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    lines = content.splitlines()
    if is_lines:
        rng.shuffle(lines)
    return b"".join(line + rng.choice((b"\n", b"\r\n", b"\n\n", b" \n")) for line in lines)


def _line_added(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(LINES).encode() + b"\n")
    return b"".join(lines)


def _line_spoilt(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    lines = content.splitlines(keepends=True)
    lines[rng.randrange(len(lines))] = rng.choice(LINES).encode() + b"\n"
    return b"".join(lines)


def _bytes_changed(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    spoilt = bytearray(content)
    for _ in range(rng.choice((1, 1, 8, 200))):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def _value_replaced(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    return _edited(
        rng,
        content,
        is_lines,
        lambda holder, key: holder.__setitem__(key, "@raw@"),
        rng.choice(VALUES),
    )


def _key_doubled(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    """An object's key once more, with another value: which of the two counts, readers do not agree
    on.
    """
    lines = content.splitlines() if is_lines else [content]
    spot = rng.randrange(len(lines))
    value = json.loads(lines[spot])
    if not isinstance(value, dict) or not value:
        return content
    key, raw = json.dumps(rng.choice(list(value))), rng.choice(VALUES)
    text = json.dumps(value)
    doubled = rng.choice((f"{{{key}:{raw},{text[1:]}", f"{text[:-1]},{key}:{raw}}}"))
    lines[spot] = doubled.encode()
    return b"\n".join(lines) + b"\n"


def _value_gone(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    return _edited(rng, content, is_lines, lambda holder, key: holder.__delitem__(key), "")


def _text_planted(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    """A text behind a string, or a key that holds it."""
    planted = rng.choice(TEXTS)

    def plant(holder: Any, key: Any) -> None:
        if isinstance(holder[key], str):
            holder[key] += planted
        elif isinstance(holder, dict):
            holder[f"{key}{planted}"] = holder.pop(key)

    return _edited(rng, content, is_lines, plant, "")


def _numbers_scaled(rng: random.Random, content: bytes, is_lines: bool) -> bytes:
    """A number in milliseconds, as a text, or negative."""

    def scale(holder: Any, key: Any) -> None:
        if isinstance(holder[key], int) and not isinstance(holder[key], bool):
            holder[key] = rng.choice(
                (
                    holder[key] * 1000,
                    str(holder[key]),
                    -holder[key],
                    holder[key] + 0.5,
                    holder[key] * 10**15,
                )
            )

    numbers = [
        path
        for value in _read(content, is_lines)
        for path in values_in(value)
        if isinstance(_at(value, path), int)
    ]
    return _edited(rng, content, is_lines, scale, "") if numbers else content


def _edited(
    rng: random.Random, content: bytes, is_lines: bool, edit: Callable[[Any, Any], None], raw: str
) -> bytes:
    """One value somewhere in a document or line edited; `"@raw@"` stands for JSON that Python does
    not write.
    """
    lines = content.splitlines() if is_lines else [content]
    spot = rng.randrange(len(lines))
    value = json.loads(lines[spot])
    paths = list(values_in(value))
    if not paths:
        return content
    *steps, last = rng.choice(paths)
    edit(_at(value, steps), last)
    lines[spot] = json.dumps(value).replace('"@raw@"', raw).encode()
    return b"\n".join(lines) + b"\n"


def _at(value: Any, path: Any) -> Any:
    for step in path:
        value = value[step]
    return value


def _read(content: bytes, is_lines: bool) -> list[Any]:
    return [json.loads(line) for line in (content.splitlines() if is_lines else [content])]


WAYS = (
    Way("cut", LOSS, _cut),
    Way("beheaded", LOSS, _beheaded),
    Way("emptied", LOSS, _emptied),
    Way("lines lost", LOSS, _lines_lost),
    Way("lines repeated", LOSS, _lines_repeated),
    Way("lines shuffled", LOSS, _lines_shuffled),
    Way("a line added", LOSS, _line_added),
    Way("a line spoilt", LOSS, _line_spoilt),
    Way("bytes changed", WORDS, _bytes_changed),
    Way("a value replaced", WORDS, _value_replaced),
    Way("a key doubled", WORDS, _key_doubled),
    Way("a value gone", WORDS, _value_gone),
    Way("a text planted", WORDS, _text_planted),
    Way("a number scaled", WORDS, _numbers_scaled),
)
JSON_ALONE = frozenset(
    {"a value replaced", "a key doubled", "a value gone", "a text planted", "a number scaled"}
)
"""Ways that need a file of JSON."""


def packed(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """The suffix and the bytes of a content as it may be packed: in one frame or in several."""
    half = rng.randrange(len(content) + 1)
    parts = rng.choice(([content], [content[:half], content[half:]]))
    if rng.random() < 0.5:
        return ".gz", b"".join(gzip.compress(part, 1) for part in parts)
    return ".zst", b"".join(zstandard.compress(part, 1) for part in parts)


def spoilt_packing(rng: random.Random, data: bytes) -> bytes:
    """Packed bytes cut, changed, repeated, or with something behind them."""
    spot = rng.randrange(len(data) + 1)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 20))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return rng.choice(
        (data[:spot], bytes(changed), data + b"\x00" * 100, data + b"{}\n", data[spot:], data * 50)
    )
