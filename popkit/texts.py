"""Sentences in two languages: each stands once, in English and Japanese, beside what it speaks of.

    LOST = Text("{count} on the chain's head can land no more", "チェーンの先頭にある{count}は、もう取り込まれません")
    LOST(count=Counted(2, PROOFS))            # a Sentence: the text with its values, in no language yet
    str(sentence)                             # English, which is what findings.json holds
    sentence.in_language("ja")                # Japanese

A result holds sentences and no page asks it anything else: the same answer is read in either language. A value inside a sentence that
has a language of its own (a sentence, a time, a count, a list) is put in the language that is asked for; names, hashes and other
people's text stay as they are, and leave through `popkit.text` like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Any, Literal, Protocol, runtime_checkable

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
VARIABLE = "POPKIT_LANG"
"""The environment variable that chooses a language where no option does."""


@runtime_checkable
class Spoken(Protocol):
    """Anything that is said differently in another language."""

    def in_language(self, language: Language) -> str:
        """The words, in one language."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages; `{name}` stands for a value, and both languages name the same values.

    Raises ValueError where a language is missing or the two do not name the same values.
    """

    en: str
    ja: str

    def __post_init__(self) -> None:
        if not self.en or not self.ja:
            raise ValueError(f"a text lacks a language: {self.en!r}, {self.ja!r}")
        if names_in(self.en) != names_in(self.ja):
            raise ValueError(f"the languages name other values: {self.en!r}, {self.ja!r}")

    def __call__(self, **values: object) -> Sentence:
        """The sentence with its values. Raises ValueError where they are not those that the text names."""
        if set(values) != names_in(self.en):
            raise ValueError(f"expected values for {sorted(names_in(self.en))}, observed {sorted(values)}")
        return Sentence(self, tuple(sorted(values.items())))

    def in_language(self, language: Language) -> str:
        """The words, in one language; the names of values stand as they are."""
        return self.ja if language == "ja" else self.en

    def __str__(self) -> str:
        return self.en


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with its values: `str()` is its English, and `in_language` either."""

    text: Text
    values: tuple[tuple[str, object], ...] = ()

    def in_language(self, language: Language) -> str:
        """The words with their values, in one language."""
        return self.text.in_language(language).format_map({name: speak(value, language) for name, value in self.values})

    def __str__(self) -> str:
        return self.in_language("en")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun as it is counted: English in both numbers, Japanese with its counter ("件の証明")."""

    one: str
    many: str
    ja: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A number with its noun: '1 proof', '6 proofs', '6件の証明'."""

    number: int
    noun: Noun

    def in_language(self, language: Language) -> str:
        """The number and the noun, in one language."""
        if language == "ja":
            return f"{self.number}{self.noun.ja}"
        return f"{self.number} {self.noun.one if self.number == 1 else self.noun.many}"

    def __str__(self) -> str:
        return self.in_language("en")


@dataclass(frozen=True, slots=True)
class Moment:
    """Unix seconds as a UTC time; None is said as not known."""

    seconds: int | None

    def in_language(self, language: Language) -> str:
        """The time, in one language; both write it alike, so that it can be compared and searched."""
        if self.seconds is None:
            return "時刻不明" if language == "ja" else "time unknown"
        try:
            return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (ValueError, OverflowError, OSError):
            return f"UNIX 秒 {self.seconds}" if language == "ja" else f"unix second {self.seconds}"

    def __str__(self) -> str:
        return self.in_language("en")


@dataclass(frozen=True, slots=True)
class Listed:
    """Several things in a row: 'a, b and c', 'a、b、c'."""

    items: tuple[object, ...]

    def in_language(self, language: Language) -> str:
        """The things, in one language."""
        words = [speak(item, language) for item in self.items]
        if language == "ja":
            return "、".join(words)
        return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])

    def __str__(self) -> str:
        return self.in_language("en")


def names_in(template: str) -> frozenset[str]:
    """The names of the values in a template."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


def speak(value: object, language: Language) -> str:
    """A value in a language: its own words where it has them, itself where it is a name, a number or other people's text."""
    return value.in_language(language) if isinstance(value, Spoken) else str(value)


def all_in(values: Iterable[object], language: Language) -> list[str]:
    """Several values, each in a language."""
    return [speak(value, language) for value in values]


def chosen_language(option: str | None, environment: Mapping[str, str]) -> Language:
    """The language to speak: the option, else POPKIT_LANG, else that of the locale (LC_ALL, LC_MESSAGES, LANG); else English."""
    names: list[Any] = [option, environment.get(VARIABLE)]
    names.append(next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), None))
    wanted = next((str(name) for name in names if name), "en").lower()
    return "ja" if wanted.startswith("ja") else "en"
