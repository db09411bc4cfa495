"""Every file of a case spoilt by chance: a few dozen examples, the same in each run; `python -m
tests.absurd.fuzz` makes more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.absurd import fuzz
from tests.absurd.bounded import Bounded
from tests.absurd.mutations import LOSS

Whole = tuple[list[fuzz.Base], Bounded]


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    with fuzz.bases() as made:
        yield made


def test_a_whole_case_has_every_part_and_breaks_no_rule(whole: Whole, tmp_path: Path) -> None:
    bases, runner = whole
    assert [(base.exit_code, set(base.verdicts.values())) for base in bases] == [
        (1, {"broken"}),
        (0, {"intact"}),
        (1, {"broken"}),
    ]
    assert {"custody.jsonl", "rpc/node.jsonl", "rpc/second-signatures.jsonl", "worker/answers.jsonl", "worker/storage.jsonl",
            "worker/r2.jsonl", "worker/ticket-receipts.jsonl", "client/errors.jsonl"} <= set(bases[0].files)  # fmt: skip
    for base in bases:
        untouched = fuzz.Spoilt("case.json", "untouched", LOSS, True, True)
        assert fuzz.faults(base, base.path, untouched, runner, tmp_path, thorough=True) == []


@settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(number=st.integers(0, 1 << 40))
def test_a_spoilt_file_breaks_no_rule(
    whole: Whole, tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    bases, runner = whole
    folder = tmp_path_factory.mktemp("spoilt", numbered=True)
    base, done, broken = fuzz.example(0, number, bases, runner, folder)
    assert broken == [], (
        f"python -m tests.absurd.fuzz --seed 0 --only {number} --keep DIR",
        base.path.name,
        done,
    )


def test_the_rules_find_what_they_are_for(whole: Whole, tmp_path: Path) -> None:
    base, runner = whole[0][2], whole[1]
    broken = fuzz.Base(base.path, 3, dict.fromkeys(base.verdicts, "intact"))
    done = fuzz.Spoilt("worker/r2.jsonl", "said to be unreadable", LOSS, True, False)
    assert fuzz.faults(base, base.path, done, runner, tmp_path) == [
        "worker/r2.jsonl cannot be read, and is not named"
    ]
    done = fuzz.Spoilt("worker/r2.jsonl", "untouched", LOSS, True, True)
    assert fuzz.faults(broken, base.path, done, runner, tmp_path) == ["intact became broken"]
    ended = fuzz.Ran(("diagnose",), -9, "a\x1b[2J", "Traceback (most recent call last):", 1.0, 1)
    assert len(fuzz.of_process(ended)) == 3


@pytest.mark.parametrize("text", ["plain ✓ 日本語", "line\nline"])
def test_what_is_drawn_is_not_hidden(text: str) -> None:
    assert fuzz.hidden_in(text) == ""
    assert fuzz.hidden_in(f"{text}\u202e") == "\u202e"


def test_json_is_judged_by_a_reader_that_is_not_popkit_s() -> None:
    assert fuzz.is_json_text(b'{"a":1}\n\n[]\n', True)
    assert fuzz.is_json_text(b"9" * 5000, False)
    assert not any(
        fuzz.is_json_text(text, False)
        for text in (b"", b"NaN", b"{", b"\xff", b"[" * 100_000, b'{"a":1}\n{}')
    )
