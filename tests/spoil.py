"""JSON with one value of another kind, as a careless or hostile writer might leave it."""

from __future__ import annotations

import random
from typing import Any

OTHERS: tuple[Any, ...] = (None, -1, 2**70, 1.5, True, "", "x", "\ud800", "1" * 50, [], {}, [[]])


def spoilt(value: Any, chance: random.Random) -> Any:
    """The same JSON with one value, somewhere in it, replaced by another kind of value."""
    if value and isinstance(value, (dict, list)) and chance.random() < 0.85:
        copy = value.copy()
        key = chance.choice(list(copy)) if isinstance(copy, dict) else chance.randrange(len(copy))
        copy[key] = spoilt(copy[key], chance)
        return copy
    return chance.choice(OTHERS)
