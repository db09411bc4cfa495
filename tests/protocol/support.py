"""What the protocol tests share: the recorded refusals and transactions, and the reference's fixed
vectors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import zstandard

from popkit.protocol import errors
from popkit.protocol.keys import PROGRAM_ID

read_failure = partial(errors.read_failure, program=PROGRAM_ID)
read_logged_failure = partial(errors.read_logged_failure, program=PROGRAM_ID)

DATA = Path(__file__).resolve().parents[2] / "data"
REFUSAL_FILES = ("strict", "strict_v2", "relaxed", "head")

AUTHORITY = "6MVimhATeGJrvNWYJcozsxMCWQK78oEM1sd6KqpMq3Kz"
MINT = "9g6BSqJBefXHLPhhdBTyGXNBuRPNqmJ9BedNc8ENnHL"
GRANT = "46raRaXcQ44v17zu3HciddwBAzbKKjakQdHkGY3utBuX"
VAULT = "AhTyqvTEUowmprmdV854PEWJQ2x1WXPjPypQxwHGHjgf"
POP_CONFIG = "Fbmvr4hF6jc8GLbKVgrzmVtztJQpGUkzEfbDpumv1Fy5"
POP_STATE = "6VJw53pBbP6VKrHvoZWKH9cv7TNrLZpZtDB52hHLULsM"
CLAIMER = "2RJD1KnDRGEkvuFfAGrJ7PD28LRE9LRDjZznDywagzmr"
RECEIPT = "5RL6t885U8sExx7mJ2yFJi44xPez29QL6hhVoK9PfovT"
CLAIMER_ATA = "471pBgrA5qzznSXUNvKwNcK1U1JHxWi4BQAXuiM5f9B6"


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The documents of a .jsonl or .jsonl.zst file."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    return [json.loads(line) for line in raw.decode("utf-8").split("\n") if line]


@cache
def refusals() -> tuple[dict[str, Any], ...]:
    """Every row of the recorded refusals; `era` `head` is the relaxed program with update_grant."""
    return tuple(
        row for name in REFUSAL_FILES for row in json_lines(DATA / "refusals" / f"{name}.jsonl.zst")
    )


def refusal(era: str, what: str) -> dict[str, Any]:
    """The recorded refusal of this name."""
    [row] = [row for row in refusals() if row["era"] == era and row["what"] == what]
    return row


def rules_of(row: dict[str, Any]) -> str:
    """The era whose rules a refusal was recorded under."""
    return "relaxed" if row["era"] == "head" else str(row["era"])


def case_lines(pattern: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every JSON line of the recorded cases' files that match, such as `rpc/accounts.jsonl*`."""
    for path in sorted((DATA / "cases").glob(f"*/{pattern}")):
        for document in json_lines(path):
            yield path, document


@cache
def recorded_results() -> tuple[dict[str, Any], ...]:
    """Every getTransaction answer of the recorded cases and refusals."""
    cases = [row["result"] for _, row in case_lines("rpc/transactions.jsonl*") if row["result"]]
    return (*cases, *(row["result"] for row in refusals()))
