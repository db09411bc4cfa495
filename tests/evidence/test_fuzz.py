"""Damaged cases, by the hundred: every one ends with a verdict or a clear error, none with a fault
inside popkit.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.errors import EXIT_CANNOT_TELL, PopkitError
from popkit.pages.terminal import diagnosis_text
from popkit.verification.verify import verify
from tests.conftest import CASES, NAMES, seal

SMALL = [name for name in NAMES if name not in ("term", "many-periods")]
ODD_VALUES: list[Any] = [
    None,
    1,
    -1,
    1.5,
    "",
    [],
    {},
    True,
    "x" * 50,
    2**70,
    "0" * 64,
    "\ud800",
    [[]],
    -(2**63),
]


RAW_VALUES = ("1e999", "-1e400", "9" * 5000, str(10**19), str(2**64), "-0.5", "1771830113000", "[" * 100_000 + "]" * 100_000,
              '{"a":' * 150 + "1" + "}" * 150, '"' + "2" * 1_000_000 + '"', "[" + "[]," * 10_000 + "1]")  # fmt: skip
"""JSON that Python would not write: numbers past doubles, nesting past every reader, texts and
lists past every answer.
"""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a JSON value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))
    if path:
        yield path


def odd_value(rng: random.Random, text: bytes, is_lines: bool) -> bytes:
    """One value somewhere in a JSON document or line replaced by an odd one."""
    lines = text.splitlines() if is_lines else [text]
    spot = rng.randrange(len(lines))
    value = json.loads(lines[spot])
    *steps, last = rng.choice(list(places(value)))
    target = value
    for step in steps:
        target = target[step]
    raw = rng.random() < 0.5
    target[last] = "@raw@" if raw else rng.choice(ODD_VALUES)
    lines[spot] = json.dumps(value).replace('"@raw@"', rng.choice(RAW_VALUES)).encode()
    return b"\n".join(lines) + b"\n"


def damaged(rng: random.Random, path: Path) -> None:
    """Bytes overwritten, the end cut off, or a value of another type."""
    text = path.read_bytes()
    if not text.strip():
        return
    kind = rng.randrange(3)
    if kind == 0:
        spoilt = bytearray(text)
        for _ in range(rng.randint(1, 8)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        path.write_bytes(bytes(spoilt))
    elif kind == 1:
        path.write_bytes(text[: rng.randrange(len(text))])
    else:
        path.write_bytes(odd_value(rng, text, path.suffix == ".jsonl"))


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_case_ends_with_a_verdict_or_a_clear_error(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    ended = set()
    for round_ in range(12):
        case = tmp_path / str(round_)
        shutil.copytree(CASES / rng.choice(SMALL), case)
        files = sorted(
            p for p in case.rglob("*.json*") if p.is_file() and "r2/" not in p.as_posix()
        )
        damaged(rng, rng.choice(files))
        seal(case)
        ended.add(verdict_or_error(case))
    assert len(ended) > 1


def verdict_or_error(case: Path) -> str:
    """The verdict of a case, or 'unreadable' where case.json itself was spoilt; anything else fails
    the test.
    """
    try:
        opened = popkit.open_case(case)
        diagnosis = opened.diagnose()
    except PopkitError as error:
        refused = (error.exit_code, "case.json" in str(error))
    else:
        assert diagnosis.exit_code in (0, 1, 3)
        assert len(opened.claims) == len(opened.facts.claims)
        assert verify(opened.evidence).exit_code in (0, 1, 3)
        assert repr(opened) + opened._repr_html_()
        assert diagnosis_text(diagnosis)
        assert json.loads(diagnosis.dumps())["exit_code"] == diagnosis.exit_code
        return diagnosis.verdict
    assert refused == (EXIT_CANNOT_TELL, True)
    return "unreadable"
