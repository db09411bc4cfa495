"""The order of claims: by slot, and within a slot by their links, for a slot has no order that a
node may be asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from popkit.chain.attempts import Attempt


def by_position(a: Attempt) -> tuple[Any, ...]:
    """What refused attempts are ordered by: slot and position, then what does not depend on a
    file's order.
    """
    return (
        a.slot,
        -1 if a.position is None else a.position,
        a.issued_at or 0,
        a.signature,
        a.instruction_index,
    )


def in_landing_order(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Attempts by slot; within a slot by their links (a child after its parent), then by position,
    issue and signature.
    """
    by_slot: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_slot[attempt.slot].append(attempt)
    ordered: list[Attempt] = []
    for slot in sorted(by_slot):
        ordered += parents_first(sorted(by_slot[slot], key=by_position))
    return ordered


class Linked(Protocol):
    """What names a parent: an attempt, a proof."""

    @property
    def entry_hash(self) -> str | None: ...
    @property
    def prev_hash(self) -> str | None: ...


L = TypeVar("L", bound=Linked)


def parents_first(group: list[L]) -> list[L]:
    """Claims or proofs of one moment, every child right after what it names; linear in the group.
    Hashes cannot make a ring.
    """
    here = {a.entry_hash for a in group if a.entry_hash is not None}
    children: dict[str | None, list[L]] = defaultdict(list)
    roots: list[L] = []
    for attempt in group:
        (children[attempt.prev_hash] if attempt.prev_hash in here else roots).append(attempt)
    ordered: list[L] = []
    stack = list(reversed(roots))
    while stack:
        attempt = stack.pop()
        ordered.append(attempt)
        stack.extend(reversed(children.pop(attempt.entry_hash, [])))
    return ordered
