"""One point of a record of a cutover, held against the chain: what the record states, what the case shows, and which of the two it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from popkit.texts import Sentence, Text

Result = Literal["holds", "violated", "cannot tell"]
HOLDS: Result = "holds"
VIOLATED: Result = "violated"
CANNOT_TELL: Result = "cannot tell"
Words = Text | Sentence | str


@dataclass(frozen=True, slots=True)
class Point:
    """One statement of a record. `key` is where it stands there (`new.start_ts`); `what` says what it is about.

    `stated` is what the record states. `shown` is what the chain shows, or, where the case cannot tell, what it lacks. `slot` orders.
    """

    key: str
    what: Words
    result: Result
    stated: Words
    shown: Words
    slot: int | None = None


def compared(key: str, what: Words, stated: object, shown: object | None, lacking: Words, slot: int | None = None) -> Point:
    """A point of two values: what the record states, and what the chain shows (None: it cannot be told, for want of `lacking`)."""
    if shown is None:
        return Point(key, what, CANNOT_TELL, str(stated), lacking, slot)
    return Point(key, what, HOLDS if stated == shown else VIOLATED, str(stated), str(shown), slot)
