"""One point of a record of a cutover: what it states, and what the case shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from popkit.texts import Sentence, Text

Result = Literal["holds", "violated", "cannot tell"]
HOLDS: Result = "holds"
VIOLATED: Result = "violated"
CANNOT_TELL: Result = "cannot tell"
Words = Text | Sentence | str

NOT_COLLECTED = Text("the evidence does not hold it", "証拠にありません")
NOT_OF_CASE = Text(
    "the case was not collected for this grant", "この grant についてケースを収集していません"
)
NOT_COMPLETE = Text(
    "the evidence's transactions are not complete, or were listed before that slot",
    "証拠のトランザクションが完全でないか、そのスロットより前の一覧です",
)
ABSENT = Text("no account stands at the address", "そのアドレスにアカウントがありません")
REFUSED = Text("landed and was refused", "取り込まれ、拒否されました")
LANDED = Text("accepted in slot {slot}", "スロット {slot} で受理")


@dataclass(frozen=True, slots=True)
class Point:
    """One statement of a record.

    `key` is where it stands there (`new.start_ts`); `what` says what it is about. `stated` is what
    the record states. `shown` is what the chain shows, or, where the case cannot tell, what it
    lacks. `slot` orders.
    """

    key: str
    what: Words
    result: Result
    stated: Words
    shown: Words
    slot: int | None = None


def compared(
    key: str,
    what: Words,
    stated: object,
    shown: object | None,
    lacking: Words,
    slot: int | None = None,
) -> Point:
    """A point of two values; without one on the chain, the case cannot tell: it is `lacking`."""
    if shown is None:
        return Point(key, what, CANNOT_TELL, str(stated), lacking, slot)
    return Point(key, what, HOLDS if stated == shown else VIOLATED, str(stated), str(shown), slot)


def joined(values: tuple[object, ...]) -> str:
    """The known ones of several values, in one line."""
    return ", ".join(str(value) for value in values if value is not None)
