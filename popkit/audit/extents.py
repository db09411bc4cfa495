"""How far an export reaches: what it lacks may have been removed, or lie beyond where its listing
ended.

Buckets and Durable Objects list by key, in pages, for everything or for a prefix. A listing that
stopped lacks what sorts after its last key; a lost first page, what sorts before its first. What an
export does not reach is not gone from it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from popkit.texts import Sentence, Text

ENTRY_FOLDER, STREAM_FOLDER = "audit/immutable/entry/", "audit/immutable/stream/"
HEADS = "pop_chain:lastHash:"
TWINS = ("pop_chain:lastHash:global:", "pop_chain:lastHash:stream:")
"""The worker writes the two heads of a grant one right after the other, and removes neither."""


class Exported(Enum):
    """What an export says of a key."""

    PRESENT = "present"
    ABSENT = "absent, though the export reaches past it"
    NOT_COVERED = "not covered by this export"


class StorageExtent:
    """How far an export of the worker's storage reaches, by the keys in it.

    A key is covered when its family (`audit_entry:`, `pop_chain:`, …) has a key after it and the
    export one before it: a listing of everything, and one for each prefix, both went past it then.
    Of a grant's two heads, one alone is a row that was lost on the way.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(keys)
        self._present = frozenset(self._keys)

    def of(self, key: str) -> Exported:
        """Whether the export holds a key, lacks it though it reaches past it, or does not reach it."""
        if key in self._present:
            return Exported.PRESENT
        if self._twin(key) in self._present or not self._keys or key < self._keys[0]:
            return Exported.NOT_COVERED
        after = self._keys[bisect_right(self._keys, key) :][:1]
        return (
            Exported.ABSENT
            if after and after[0].startswith(family_of(key))
            else Exported.NOT_COVERED
        )

    def covers(self, key: str) -> bool:
        """Whether what the export says of a key can be believed: it holds the key, or reaches past
        it.
        """
        return self.of(key) != Exported.NOT_COVERED

    def has_family(self, family: str) -> bool:
        """Whether any key begins so."""
        spot = bisect_left(self._keys, family)
        return spot < len(self._keys) and self._keys[spot].startswith(family)

    def goes_past(self, family: str) -> bool:
        """Whether the last key sorts after every key that begins so."""
        return (
            bool(self._keys) and self._keys[-1] > family and not self._keys[-1].startswith(family)
        )

    def ends_before(self, key: str) -> str | None:
        """The last key before one that the export does not cover: where its listing ended; None
        where it begins after it.
        """
        spot = bisect_left(self._keys, key)
        return self._keys[spot - 1] if spot else None

    def ends_early(self, keys: Iterable[str]) -> str | None:
        """The key at which a listing ended before one of `keys`, which the worker has written; None
        where it came to all of them.
        """
        beyond = sorted(
            key
            for key in keys
            if self.of(key) == Exported.NOT_COVERED and self._twin(key) not in self._present
        )
        return next((end for key in beyond if (end := self.ends_before(key)) is not None), None)

    def lone_heads(self) -> list[tuple[str, str]]:
        """Head rows that are there without the grant's other one, and that other one; ascending."""
        heads = [key for key in self._keys if key.startswith(HEADS)]
        return [
            (key, twin)
            for key in heads
            if (twin := self._twin(key)) is not None and twin not in self._present
        ]

    @staticmethod
    def _twin(key: str) -> str | None:
        """The other of a grant's two heads; None for any other key."""
        for one, other in (TWINS, TWINS[::-1]):
            if key.startswith(one):
                return other + key[len(one) :]
        return None


def family_of(key: str) -> str:
    """The beginning that a storage key shares with its kind: up to its first colon, and that."""
    return key[: key.find(":") + 1]


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """Where a listing of the bucket stops, begins late or has a gap: its `scope` (a folder, or
    all), the `key` there, and how many absent.

    `kind` is 'ends at', 'begins at' or 'lacks a page after'.
    """

    scope: str
    kind: str
    key: str
    absent: int

    @property
    def sentence(self) -> Sentence:
        """What is wrong with the listing, in either language."""
        return _CUTS[self.kind](scope=self.scope, key=self.key, absent=self.absent)

    def __str__(self) -> str:
        return str(self.sentence)


WHOLE_BUCKET = Text("the bucket", "バケット")
_CUTS = {
    "ends at": Text(
        "the listing of {scope} ends at {key}: {absent} of the objects that other evidence names "
        "lie beyond it",
        "{scope} の一覧が {key} で終わっています。他の証拠が参照しているオブジェクトのうち {absent} 件がその先にあります",
    ),
    "begins at": Text(
        "the listing of {scope} begins at {key}: {absent} of the objects that other evidence names "
        "lie before it",
        "{scope} の一覧が {key} から始まっています。他の証拠が参照しているオブジェクトのうち {absent} 件がその前にあります",
    ),
    "lacks a page after": Text(
        "the listing of {scope} lacks a page after {key}: {absent} of the objects that other "
        "evidence names lie there",
        "{scope} の一覧に {key} の後のページが欠けています。他の証拠が参照しているオブジェクトのうち {absent} 件がそこにあります",
    ),
}


class BucketExtent:
    """How far an export of the bucket reaches, by the keys `present` in it and those `expected`.

    Its two folders sort differently, by hash and by event and time, so that each is judged, and the
    whole. A folder of which nothing is there was not exported. One event's folder counts as cut
    when its absent keys all come last and no whole one holds more: a page of that length would have
    ended there.
    """

    def __init__(self, present: Iterable[str], expected: Iterable[str]) -> None:
        self._keys = sorted(present)
        self._present = frozenset(self._keys)
        self._expected = frozenset(expected) - self._present
        self._scopes: dict[str, list[str]] = defaultdict(list)
        for key in self._keys:
            for scope in _scopes_of(key):
                self._scopes[scope].append(key)
        self._cut_events = frozenset(self._events_that_end_early())

    def _events_that_end_early(self) -> Iterator[str]:
        absent: dict[str, list[str]] = defaultdict(list)
        for key in sorted(self._expected):
            if len(_scopes_of(key)) == 3:
                absent[_scopes_of(key)[2]].append(key)
        events = {scope: keys for scope, keys in self._scopes.items() if scope.count("/") == 4}
        longest = max(
            (len(keys) for scope, keys in events.items() if scope not in absent), default=0
        )
        for scope, gone in absent.items():
            there = events.get(scope)
            if there and gone[0] > there[-1] and len(there) >= max(longest, 2):
                yield scope

    def covers(self, key: str) -> bool:
        """Whether the export holds a key or reaches past it: nothing shows that the listing of
        everything, or of its folder, did not.

        A key that nobody expects tells nothing by sorting last; a folder that is not there was not
        exported.
        """
        scope = self._uncovered_by(key)
        if key in self._present or scope is None:
            return True
        if key in self._expected or folder_of(key) not in self._scopes:
            return False
        return scope not in self._cut_scopes

    @cached_property
    def _cut_scopes(self) -> set[str | None]:
        """The listings that do not reach all that is expected."""
        return {self._uncovered_by(absent) for absent in self._expected}

    @cached_property
    def is_whole(self) -> bool:
        """Whether no listing is known to have stopped or begun late."""
        return not self.cuts()

    def _uncovered_by(self, key: str) -> str | None:
        """The first listing that does not reach a key; None when all do, or the key is there."""
        if key in self._present:
            return None
        for scope in _scopes_of(key):
            keys = self._scopes.get(scope)
            if scope in self._cut_events or (
                scope.count("/") < 4 and not (keys and keys[0] < key < keys[-1])
            ):
                return scope
        return None

    def cuts(self, explained: Collection[str] = ()) -> list[Cut]:
        """Where the listing stops or begins late: of everything where that says it, else by folder;
        ascending.

        `explained` are absent keys that something else accounts for.
        """
        places = set()
        for key in self._expected.difference(explained):
            scope = self._uncovered_by(key)
            if scope is not None and folder_of(key) in self._scopes:
                there = self._scopes[scope]
                places.add(
                    (
                        scope,
                        "ends at" if key > there[-1] else "begins at",
                        there[-1] if key > there[-1] else there[0],
                    )
                )
        return sorted(
            Cut(scope or WHOLE_BUCKET(), kind, key, self._beyond(scope, kind, key))
            for scope, kind, key in places
        )

    def _beyond(self, scope: str, kind: str, key: str) -> int:
        """How many expected keys of a listing come after the key that it ends at, or before the one
        that it begins at.
        """
        return sum(
            absent.startswith(scope) and (absent > key) == (kind == "ends at")
            for absent in self._expected
        )

    def unexported(self) -> list[str]:
        """Folders of which objects are expected and nothing is there, while the listing shows no
        cut: they were not asked for.
        """
        folders = {folder_of(key) for key in self._expected}
        return (
            sorted(folder for folder in folders if folder not in self._scopes)
            if self._scopes
            else []
        )

    def lost_page(self, missing: Iterable[str]) -> Cut | None:
        """One run of absent keys between two that are there, which explains all that is `missing`:
        a page that got lost; else None.

        The run holds at least three keys that are ordered by hash. Whoever takes out entries takes
        them by what they say, and three hashes stand side by side by chance once in a hundred times
        or less.
        """
        gone = sorted(missing)
        if sum(key.startswith(ENTRY_FOLDER) for key in gone) < 3:
            return None
        first, last = bisect_left(self._keys, gone[0]), bisect_left(self._keys, gone[-1])
        if first != last or not first:
            return None
        return Cut(WHOLE_BUCKET(), "lacks a page after", self._keys[first - 1], len(gone))


def folder_of(key: str) -> str:
    """The folder of the bucket that a key lies in: by hash, or by event."""
    return STREAM_FOLDER if key.startswith(STREAM_FOLDER) else ENTRY_FOLDER


def _scopes_of(key: str) -> tuple[str, ...]:
    """The listings that a key can stand in: of everything, of its folder, and of its event's
    folder.
    """
    if key.startswith(STREAM_FOLDER):
        event = key[len(STREAM_FOLDER) :].partition("/")[0]
        return "", STREAM_FOLDER, f"{STREAM_FOLDER}{event}/"
    return ("", ENTRY_FOLDER) if key.startswith(ENTRY_FOLDER) else ("",)
