"""An event's fields: as they are sent, as they come back, and how an event is found by the grant
that it is linked to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from popkit.cutover.desk.answers import Answered
from popkit.protocol.keys import is_pubkey
from popkit.texts import Listed, Sentence, Text, sentence
from popkit.worker.event_links import named_grant

LINK = ("solanaAuthority", "solanaMint", "solanaGrantId")
"""The three fields that link an event to a grant; the worker drops one that is no string in
silence.
"""
TEXTS = ("title", "datetime", "host")
NUMBERS = ("ticketTokenAmount", "claimIntervalDays", "maxClaimsPerInterval")
_MOST = (1 << 53) - 1
"""The greatest whole number that survives the worker's JSON."""


@dataclass(frozen=True, slots=True)
class Fields:
    """An event's fields, fit to be sent: `body` is the JSON object."""

    body: dict[str, Any]

    @property
    def authority(self) -> str:
        return str(self.body["solanaAuthority"])

    @property
    def mint(self) -> str:
        return str(self.body["solanaMint"])

    @property
    def grant_id(self) -> str:
        return str(self.body["solanaGrantId"])

    @property
    def link(self) -> tuple[str, str, str]:
        return self.authority, self.mint, self.grant_id


def read_fields(given: Mapping[str, Any]) -> Fields:
    """The fields of an event to be made. Raises ValueError for a missing, unknown or malformed one,
    with its name.

    The worker takes nearly anything: it trims texts, drops a grant id that is a number, and keeps
    one with a leading zero, which no grant has. What is sent is therefore exactly what must come
    back.
    """
    unknown = set(given) - {*LINK, *TEXTS, *NUMBERS}
    if unknown:
        raise ValueError(f"expected an event's fields, observed {sorted(unknown)} too")
    for name in (*TEXTS, *LINK):
        value = given.get(name)
        if not isinstance(value, str) or not value or value != value.strip():
            raise ValueError(
                f"{name}: expected text without spaces around it, observed {type(value).__name__}"
            )
    for name in LINK[:2]:
        if not is_pubkey(given[name]):
            raise ValueError(f"{name}: expected an address, observed {given[name]!r}")
    number = given["solanaGrantId"]
    if (
        not (number.isascii() and number.isdigit())
        or str(int(number)) != number
        or int(number) >= 1 << 64
    ):
        raise ValueError(
            f"solanaGrantId: expected the decimal digits of a u64, observed {number!r}"
        )
    for name in NUMBERS:
        value = given.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST
        if (
            name in given
            and not is_number
            and not (name == "maxClaimsPerInterval" and value is None)
        ):
            raise ValueError(f"{name}: expected a whole number above zero, observed {value!r}")
    return Fields({name: given[name] for name in (*TEXTS, *NUMBERS, *LINK) if name in given})


@dataclass(frozen=True, slots=True)
class Differs:
    """One field of an event that is not as planned; `found` is None where the event lacks it."""

    field: str
    expected: Any
    found: Any


def compared(
    answer: Answered | Mapping[str, Any], plan_fields: Mapping[str, Any]
) -> tuple[Differs, ...]:
    """Where an event, as POST answered it or GET shows it, differs from the plan: () where every
    field is as planned.

    The three Solana fields are held to the plan as the strings they are, every other planned field
    by value, and the state to be `published`, as no proof is issued on another. An answer without a
    readable event differs in all of them.
    """
    body = answer.body if isinstance(answer, Answered) else answer
    event: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    expected = (
        dict.fromkeys(LINK) | dict(plan_fields) | {"state": plan_fields.get("state", "published")}
    )
    return tuple(
        Differs(name, value, event.get(name))
        for name, value in expected.items()
        if not _same(value, event.get(name))
    )


def _same(expected: Any, found: Any) -> bool:
    return type(expected) is type(found) and bool(expected == found)


def linked_to(
    events: Iterable[Mapping[str, Any]], authority: str, mint: str, grant_id: str
) -> list[Mapping[str, Any]]:
    """The events that name a grant, however its id is written; `grant_id` is in decimal digits."""
    wanted = (authority, mint, int(grant_id))
    return [event for event in events if named_grant(event) == wanted]


@dataclass(frozen=True, slots=True)
class Link:
    """Whether an event is linked to a grant: True with the events' ids, False, or None where the
    worker could not be read.
    """

    is_linked: bool | None
    events: tuple[str, ...]
    reason: Sentence | Text

    @classmethod
    def of(cls, events: Sequence[str]) -> Self:
        """What a readable list shows."""
        if not events:
            return cls(
                False,
                (),
                sentence(
                    "No event is linked to the grant.", "この grant に紐づくイベントはありません。"
                ),
            )
        reason = sentence(
            "The grant is linked to {events}.",
            "この grant は {events} に紐づいています。",
            events=Listed(tuple(events)),
        )
        return cls(True, tuple(events), reason)
