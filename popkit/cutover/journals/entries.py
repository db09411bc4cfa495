"""The entries of a cutover's journal: how one is written as a line, and whether lines hold. Pure:
no file, no clock.

A line is one canonical (RFC 8785) JSON object of eight members. `hash` is the SHA-256 of the
canonical object without itself, `prev` the hash of the entry before it (64 zeros before the first),
`n` the line's 1-based number. So an edited line no longer has its own hash, and a removed or moved
one leaves a neighbour that names another. What a chain cannot show by itself is that its end was
cut off, or that somebody wrote the whole of it anew: for that its head is pinned, beside the
journal while a cutover runs and in the record afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

from popkit.protocol.canonical import absurdity
from popkit.texts import Sentence, Text

FIRST = "0" * 64
"""What the first entry names as the one before it."""
MEMBERS = frozenset({"n", "prev", "kind", "step", "by", "at", "facts", "hash"})
_WHEN = frozenset({"wall", "block_time", "slot"})
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

NO_ENTRY = Text("the line is not an entry of a journal", "この行はジャーナルの記録ではありません")
EDITED = Text(
    "the entry was changed: it states the hash {stated}, and its content has {found}",
    "記録が書き換えられています: 記載のハッシュは {stated}、内容のハッシュは {found} です",
)
UNLINKED = Text(
    "the entry follows {named}, and the line before it is {found}: a line was removed, added or "
    "moved",
    "記録は {named} に続くはずですが、直前の行は {found} です。行の削除、追加または入れ替えがあります",
)
MISNUMBERED = Text(
    "the entry has the number {stated}, and stands on line {line}: a line was removed, added or "
    "moved",
    "記録の番号は {stated} ですが、{line} 行目にあります。行の削除、追加または入れ替えがあります",
)


@dataclass(frozen=True, slots=True)
class When:
    """When an entry was written: unix seconds by this machine; the cluster's slot and block time
    where a step had just asked for them.
    """

    wall: int
    block_time: int | None = None
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a journal. `by` is a role, `step` the plan's id of a step or None, `facts` JSON
    values as they stand in the line.
    """

    n: int
    prev: str
    kind: str
    step: str | None
    by: str
    at: When
    facts: Mapping[str, Any]
    hash: str

    @property
    def line(self) -> bytes:
        """The entry as its line of the journal, without the line end."""
        return rfc8785.dumps({**_members(self), "hash": self.hash})


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a journal does not hold: its 1-based line, and why."""

    line: int
    why: Sentence


@dataclass(frozen=True, slots=True)
class Chain:
    """What lines hold: the entries that could be read, and every place where they do not hold
    together; none in a whole journal.
    """

    entries: tuple[Entry, ...]
    breaks: tuple[Break, ...]


def next_entry(
    before: Entry | None, kind: str, step: str | None, by: str, at: When, facts: Mapping[str, Any]
) -> Entry:
    """The entry that follows another one (None: the first).

    Raises ValueError where a name is not a plain word, or a fact is not JSON: bytes, a whole number
    beyond 2^53, one that is not finite.
    """
    for name, word, pattern in (("kind", kind, _WORD), ("by", by, _WORD), ("step", step, _STEP)):
        if word is not None and not pattern.fullmatch(word):
            raise ValueError(f"a journal's {name} is a plain word")
    prev = before.hash if before else FIRST
    draft = Entry((before.n if before else 0) + 1, prev, kind, step, by, at, _as_json(facts), "")
    return Entry(draft.n, draft.prev, kind, step, by, at, draft.facts, hash_of(draft))


def hash_of(entry: Entry) -> str:
    """The hash that an entry should state: SHA-256 of its canonical members but for `hash`, as hex."""
    return sha256(rfc8785.dumps(_members(entry))).hexdigest()


def verify(lines: Iterable[bytes]) -> Chain:
    """Whether the lines of a journal (without their line ends) are whole and follow one another.

    Each line is judged against what the line before it *states*, so that one changed line is one
    break and not one a line from there on.
    """
    entries: list[Entry] = []
    breaks: list[Break] = []
    prev: str | None = FIRST
    for number, line in enumerate(lines, 1):
        entry = read_line(line)
        if entry is None:
            breaks.append(Break(number, NO_ENTRY()))
            prev = None  # it states nothing that the next line could be held to
            continue
        if entry.hash != (found := hash_of(entry)):
            breaks.append(Break(number, EDITED(stated=entry.hash[:16], found=found[:16])))
        elif prev is not None and entry.prev != prev:
            breaks.append(Break(number, UNLINKED(named=entry.prev[:16], found=prev[:16])))
        elif entry.n != number:
            breaks.append(Break(number, MISNUMBERED(stated=entry.n, line=number)))
        entries.append(entry)
        prev = entry.hash
    return Chain(tuple(entries), tuple(breaks))


def read_line(line: bytes) -> Entry | None:
    """The entry of a line, or None where it is not one: other members or types than an entry has,
    or not its canonical bytes.
    """
    if absurdity(line):
        return None
    try:
        value = json.loads(line)
        if not isinstance(value, dict) or set(value) != MEMBERS or rfc8785.dumps(value) != line:
            return None
    except (ValueError, RecursionError):
        return None
    at = value["at"]
    texts = (value["prev"], value["kind"], value["by"], value["hash"])
    if not (
        isinstance(at, dict)
        and set(at) == _WHEN
        and _is_count(at["wall"])
        and isinstance(value["facts"], dict)
    ):
        return None
    if not all(isinstance(text, str) for text in texts) or not (
        value["step"] is None or isinstance(value["step"], str)
    ):
        return None
    if not _is_count(value["n"]) or not all(
        at[name] is None or _is_count(at[name]) for name in ("block_time", "slot")
    ):
        return None
    return Entry(
        value["n"],
        value["prev"],
        value["kind"],
        value["step"],
        value["by"],
        When(**at),
        value["facts"],
        value["hash"],
    )


def _members(entry: Entry) -> dict[str, Any]:
    at = {"wall": entry.at.wall, "block_time": entry.at.block_time, "slot": entry.at.slot}
    named = {
        "n": entry.n,
        "prev": entry.prev,
        "kind": entry.kind,
        "step": entry.step,
        "by": entry.by,
    }
    return {**named, "at": at, "facts": dict(entry.facts)}


def _as_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as they will be read back, so that what is held in memory is what the line holds."""
    try:
        read: dict[str, Any] = json.loads(rfc8785.dumps(dict(facts)))
        rfc8785.dumps(
            read
        )  # a whole double beyond 2^53 is written as an integer, which has no canonical form
    except (ValueError, RecursionError) as problem:
        raise ValueError(
            f"a journal's facts are JSON; amounts beyond 2^53 are decimal texts: {problem}"
        ) from None
    return read


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
