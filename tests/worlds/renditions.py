"""The same evidence written another way: lines in another order and some twice, transactions in
other encodings, files packed.
"""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.cases.test_derived import as_json
from tests.worlds.changes import BUCKET, TRANSACTIONS


def rendered(files: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A case that says the same in other lines."""
    made = dict(files)
    if TRANSACTIONS in made and chance.random() < 0.5:
        made[TRANSACTIONS] = [row for old in made[TRANSACTIONS] for row in _encodings(old, chance)]
    for name in [name for name in made if name.endswith(".jsonl")]:
        rows = list(made[name])
        rows += chance.sample(rows, k=len(rows) // 2)
        chance.shuffle(rows)
        made[name] = rows
    if (
        made.get(BUCKET) and chance.random() < 0.3
    ):  # no files would be no export, and an empty one is evidence
        _unpack(made)
    return made


def _encodings(row: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    """A transaction as base64, json or jsonParsed gives it, or in two of them."""
    if row["result"] is None:
        return [row]
    forms = [
        row,
        as_json(copy.deepcopy(row), parsed=False),
        as_json(copy.deepcopy(row), parsed=True),
    ]
    return chance.choice(([forms[0]], [forms[1]], [forms[0], forms[2]], [forms[0], forms[1]]))


def _unpack(files: dict[str, Any]) -> None:
    """The bucket as files, each under its key."""
    for row in files.pop(BUCKET):
        files[f"worker/r2/{row['key']}"] = row["text"]
