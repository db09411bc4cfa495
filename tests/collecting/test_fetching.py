"""What counts as the transaction that was asked for."""

from __future__ import annotations

import json

import pytest

from popkit.collecting.fetching import _checked
from popkit.collecting.node import Reply
from popkit.collecting.outcomes import Outcome
from tests.conftest import CASES

ROWS = [
    json.loads(line) for line in (CASES / "intact/rpc/transactions.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_answer_is_recognised_however_it_is_written(indent: int | None) -> None:
    for row in ROWS:
        text = json.dumps(row["result"], indent=indent).encode()
        assert _checked(row["signature"], Reply(Outcome.OK, text)).ok
        other = next(each["signature"] for each in ROWS if each is not row)
        assert _checked(other, Reply(Outcome.OK, text)).outcome is Outcome.WRONG_ANSWER


STRANGE = [
    b"[]",
    b"{}",
    b'{"transaction":["","base64"]}',
    b'{"transaction":["AAAA","base64"]}',
    b'"x"',
    b"{" * 9000,
]


@pytest.mark.parametrize("text", STRANGE)
def test_anything_else_is_a_wrong_answer(text: bytes) -> None:
    assert _checked(ROWS[0]["signature"], Reply(Outcome.OK, text)).outcome is Outcome.WRONG_ANSWER
