"""What one document gave, before it is put together with the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Key = tuple[Any, ...]
_PLAUSIBLE = range(1_500_000_000, 4_100_000_000)
"""Unix seconds from 2017 to 2099; anything else is not taken for a time."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line for a file of a case. Rows are ordered by `key`; `time` is what the row itself
    states, in unix seconds.
    """

    file: str
    key: Key
    line: bytes
    time: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """One answer of the worker. Of answers of one name, what is refused or partial comes behind by
    `wholeness`, at any age; what is redacted comes behind by `openness` among answers of the same
    hour.
    """

    name: str
    document: bytes
    wholeness: tuple[bool, ...]
    openness: tuple[bool, ...]
    at: float | None = None


@dataclass(frozen=True, slots=True)
class InBlock:
    """A transaction of a block: `members` is the text of its members; `slot` is None where the
    block was saved without its request.
    """

    signature: str
    members: bytes
    block_time: int | None
    slot: int | None
    account_keys: frozenset[str]


@dataclass(slots=True)
class Found:
    """What a document is and what it gave; `left` says what of it was not taken; `withheld` keys by
    prefix, which leave it as numbers.

    `in_blocks` are transactions whose slot is settled when every file was read.
    """

    what: str
    rows: list[Row] = field(default_factory=list)
    answers: list[WorkerAnswer] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    files: tuple[str, ...] = ()
    withheld: dict[str, set[str]] = field(default_factory=dict)
    event_rows: list[object] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    in_blocks: list[InBlock] = field(default_factory=list)

    def add(self, part: Found) -> None:
        """Take what another find of the same file gave."""
        self.rows += part.rows
        self.answers += part.answers
        self.left += part.left
        self.files = tuple(dict.fromkeys((*self.files, *part.files)))
        self.event_rows += part.event_rows
        self.times += part.times
        self.in_blocks += part.in_blocks
        for prefix, keys in part.withheld.items():
            self.withheld.setdefault(prefix, set()).update(keys)

    @property
    def is_empty(self) -> bool:
        return not (
            self.rows
            or self.answers
            or self.files
            or self.withheld
            or self.event_rows
            or self.in_blocks
        )


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value of a file: its text as it stands there, its parsed value, and the file's path
    without compression suffix.
    """

    path: str
    raw: str
    value: Any

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def at(self, raw: str, value: Any) -> Document:
        """A part of this document."""
        return Document(self.path, raw, value)


def joined(what: str, found: Iterable[Found]) -> Found:
    """Several finds of one file as one."""
    whole = Found(what)
    for part in found:
        whole.add(part)
    return whole


def seconds(value: object) -> float | None:
    """A time as the worker and wallets write it (ISO text, or a number of unix seconds) in unix
    seconds; None for anything else.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        value = moment.timestamp() if moment.tzinfo is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if int(value) in _PLAUSIBLE else None
    except (OverflowError, ValueError):
        return None
