"""What a result holds, and what stands on a page that it does not hold: each number, key, shortened
key and time.

A page's words are its constants (the strings in popkit's own source) and the result's sentences.
Both are taken off a page first; what is left there must be held by the result: an int as it is or
as the length of one of its lists, a time as unix seconds, a key whole or by its first 8 or 16
characters, a place by a line that the case's file has.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import zstandard

import popkit
from popkit.diagnosis.healing import still_open
from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Mark, Note, Steps, Table
from popkit.pages.views.choice import examined
from popkit.text import shown
from popkit.texts import Sentence, Text, speak

PACKAGE = Path(popkit.__file__).parent
WALKED = (
    "popkit.diagnosis.",
    "popkit.causes.model",
    "popkit.rules.model",
    "popkit.verdict.judgement",
    "popkit.audit.receipts",
    "popkit.evidence.collection",
)
"""Rooms whose dataclasses are the result; what they point at beyond (lines, attempts, facts,
evidence) is not.
"""
SKIPPED = {"line", "fates", "facts", "reports", "era"}
WORDED = (
    "pages",
    "rules",
    "causes",
    "diagnosis",
    "verdict",
    "wording.py",
    "verification/attacks.py",
    "evidence/custody.py",
)

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_TOKEN = re.compile(r"[A-Za-z0-9_]*\d[A-Za-z0-9_]*|[A-Za-z0-9]{32,}")
_MORE = re.compile(r"\b(\d+) more\b|ほか (?:critical が )?(\d+) ")
_WORDS = re.compile(r"[\s、。（）「」]+")
_SHORTENED = (8, 16)


class Held:
    """Everything that a result holds."""

    def __init__(self, case: Any) -> None:
        self.root, self.diagnosis = case.evidence.root, case.diagnose()
        self.numbers: set[int] = set()
        self.words: set[str] = {case.name}
        self.sentences: set[str] = set()
        self._gather(self.diagnosis)
        for choice in [examined(case), *([grant] for grant in self.diagnosis.grants)]:
            self._gather(still_open(choice))

    def _gather(self, value: Any) -> None:
        if value is None or isinstance(value, bool | Enum):
            return
        if isinstance(value, int):
            self.numbers.add(value)
        elif isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, dict):
            self.numbers.add(len(value))
            for item in [*value, *value.values()]:
                self._gather(item)
        elif isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
            self.numbers.add(len(value))
            for item in value:
                self._gather(item)
        elif type(value).__name__ in ("Declared", "Place"):
            self._gather(
                str(value) if type(value).__name__ == "Place" else [value.lines, value.successor]
            )
        elif dataclasses.is_dataclass(value) and type(value).__module__.startswith(WALKED):
            for name in _attributes(type(value)):
                self._gather(getattr(value, name))

    def _add_text(self, text: str) -> None:
        for language in ("en", "ja"):
            spoken = speak(text, language) if isinstance(text, Text | Sentence) else text
            spaced = " " in spoken or not spoken.isascii()
            (self.sentences if spaced else self.words).add(shown(spoken))

    @cached_property
    def _shortened(self) -> set[str]:
        keys = [word for word in self.words if len(word) >= 32]
        return {key[:length] for key in keys for length in _SHORTENED}

    @cached_property
    def _by_length(self) -> list[str]:
        return sorted(
            (text for text in self.sentences if re.search(r"\d", text)), key=len, reverse=True
        )

    def strangers(self, text: str) -> list[str]:
        """What stands in a text that neither the result nor popkit's own words hold."""
        return [stranger for line in text.splitlines() for stranger in self._strangers(line)]

    def _strangers(self, line: str) -> list[str]:
        times = [time for time in _TIME.findall(line) if _seconds(time) not in self.numbers]
        if self._tokens(line):  # they may belong to a sentence, or to popkit's own words
            line = without_constants(without(line, self._by_length))
        return times + self._tokens(line)

    def _tokens(self, line: str) -> list[str]:
        line = _MORE.sub(
            lambda more: " " if self._is_left_out(int(more[1] or more[2])) else more[0],
            _TIME.sub(" ", line),
        )
        rest = " ".join(word for word in _WORDS.split(line) if not self._is_name(word))
        return [token for token in _TOKEN.findall(rest) if not self._holds(token)]

    def _holds(self, token: str) -> bool:
        if token.isdigit() and len(token) < 20 and int(token) in self.numbers:
            return True
        return token in self.words or token in self._shortened or token in _names()

    def _is_left_out(self, more: int) -> bool:
        """Whether a page that shows the first so many of a list leaves out this number of it."""
        return any(more + shown in self.numbers for shown in caps())

    def _is_name(self, word: str) -> bool:
        """Whether a word is held whole, or a file of the case with a line that it has."""
        word = word.strip("`'(),.;")
        if word in self.words and not word.isdigit():
            return True
        file, _, line = word.partition(":")
        if "." not in file:
            return False
        file = self.diagnosis.file(file)
        return file in self.diagnosis.files and (
            not line or (line.isdigit() and 1 <= int(line) <= _lines(self.root / file))
        )


def _attributes(kind: type) -> list[str]:
    """The public fields, properties and cached properties of a dataclass, but for those that lead
    to what was computed from.
    """
    found = {field.name for field in dataclasses.fields(kind)}
    found |= {
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, property | cached_property)
    }
    return sorted(name for name in found if not name.startswith("_") and name not in SKIPPED)


def _seconds(time: str) -> int:
    return int(datetime.strptime(time, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp())


@cache
def _lines(path: Path) -> int:
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    return max(1, data.count(b"\n"))


@cache
def _sources() -> list[Path]:
    roots = [PACKAGE / name for name in WORDED]
    return [
        path
        for root in roots
        for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))
    ]


@cache
def constants() -> list[str]:
    """The phrases with a number in popkit's own texts, the longest first: pieces of them between
    the values that they name.
    """
    found: set[str] = set()
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {piece.strip() for piece in re.split(r"\{[a-z_]+\}", node.value)}
    notebooks = PACKAGE.parent / "notebooks"
    for path in sorted(notebooks.glob("*.ipynb")):
        found |= set(re.findall(r'"(#* ?[^"]*?)(?:\\n)?",?\n', path.read_text("utf-8")))
    phrases = {
        piece
        for piece in found
        if len(piece) >= 4 and re.search(r"\d", piece) and re.search(r"[^\W\d]", piece)
    }
    return sorted(phrases, key=len, reverse=True)


@cache
def caps() -> frozenset[int]:
    """How many of a list pages show at most: the constants of the pages."""
    assigned = [
        node.value
        for path in sorted((PACKAGE / "pages").rglob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign)
    ]
    return frozenset(
        value.value
        for value in assigned
        if isinstance(value, ast.Constant) and type(value.value) is int
    )


@cache
def without_constants(line: str) -> str:
    """A line without popkit's own phrases."""
    return without(line, constants())


def without(line: str, phrases: Iterable[str]) -> str:
    """A line without some phrases."""
    for phrase in phrases:
        if phrase in line:
            line = line.replace(phrase, " ")
    return line


@cache
def _names() -> frozenset[str]:
    """The names with a digit in them that are the field's own: program versions, encodings, hash
    functions.
    """
    return frozenset(
        word
        for phrase in constants()
        for word in re.findall(r"[A-Za-z_]+\w*", phrase)
        if re.search(r"\d", word)
    )


def texts_of(block: Block) -> Iterator[str]:
    """Every text of a block, as it was before it was escaped."""
    match block:
        case Group():
            for inner in block.blocks:
                yield from texts_of(inner)
        case Note():
            yield block.text
        case Steps():
            yield block.caption
            yield from (text for pair in block.pairs() for text in pair)
        case Table():
            cells = [cell for row in block.rows for cell in row]
            yield from _cells([block.caption, *cells, block.note if block.rows else block.empty])
        case Facts():
            yield from _cells([block.caption, *block.rows.values()])
        case _:
            raise AssertionError(f"no text is known of {type(block)}")


def _cells(cells: Iterable[Cell]) -> Iterator[str]:
    for cell in cells:
        match cell:
            case Lines():
                yield from _cells(cell.cells)
            case Mark():
                yield cell.word
            case Code():
                yield cell.text
            case None:
                continue
            case _:
                yield shown(cell)
