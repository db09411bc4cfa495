"""Sentences in two languages: each stands once, in English and Japanese, beside what it speaks of.

LOST = Text("{count} on the chain's head can land no more", "チェーンの head の上にある{count}は、もう取り込まれません")
LOST(count=PROOFS(2))                     # a Sentence: the text with its values sentence("{n}
rows", "{n} 行", n=3)       # the same where a text is used in one place alone str(a_sentence)
# English, which is what findings.json holds a_sentence.in_language("ja")              # Japanese

A text and a sentence *are* their English, as strings: what compares, sorts or writes strings needs
to know nothing of languages. A result holds sentences and no page asks it anything else: the same
answer is read in either language. A value inside a sentence that has a language of its own (a
sentence, a time, a count, a list) is put in the language that is asked for; names, hashes and other
people's text stay as they are, and leave through `popkit.text` like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from string import Formatter
from typing import Any, Literal, Protocol, runtime_checkable
from unicodedata import east_asian_width

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
VARIABLE = "POPKIT_LANG"
"""The environment variable that chooses a language where no option does."""


@runtime_checkable
class Spoken(Protocol):
    """Anything that is said differently in another language."""

    def in_language(self, language: Language) -> str:
        """The words, in one language."""


class Text(str):
    """A sentence in both languages; `{name}` stands for a value, and both languages name the same
    values. The string is the English.

    Raises ValueError where a language is missing or the two do not name the same values.
    """

    __slots__ = ("ja",)
    ja: str

    def __new__(cls, en: str, ja: str) -> Text:
        if not en or not ja:
            raise ValueError(f"a text lacks a language: {en!r}, {ja!r}")
        if names_in(en) != names_in(ja):
            raise ValueError(f"the languages name other values: {en!r}, {ja!r}")
        text = super().__new__(cls, en)
        text.ja = ja
        return text

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.ja

    def __call__(self, **values: object) -> Sentence:
        """The sentence with its values. Raises ValueError where they are not those that the text
        names.
        """
        if set(values) != names_in(self):
            raise ValueError(
                f"expected values for {sorted(names_in(self))}, observed {sorted(values)}"
            )
        return Sentence(self, values)

    def in_language(self, language: Language) -> str:
        """The words, in one language; the names of values stand as they are."""
        return self.ja if language == "ja" else str(self)


class Sentence(str):
    """A text with its values: the string is its English, and `in_language` gives either."""

    __slots__ = ("text", "values")
    text: Text
    values: Mapping[str, object]

    def __new__(cls, text: Text, values: Mapping[str, object] | None = None) -> Sentence:
        sentence = super().__new__(cls, _filled(text, values or {}, "en"))
        sentence.text, sentence.values = text, dict(values or {})
        return sentence

    def __getnewargs__(self) -> tuple[Text, Mapping[str, object]]:  # type: ignore[override]
        return self.text, self.values

    def in_language(self, language: Language) -> str:
        """The words with their values, in one language."""
        return str(self) if language == "en" else _filled(self.text, self.values, language)


def _filled(text: Text, values: Mapping[str, object], language: Language) -> str:
    """A text with its values in a language. The space that Japanese puts before Latin letters goes
    where a value begins with others.
    """
    parts: list[str] = []
    for before, name, _, _ in _pieces(text.in_language(language)):
        spoken = speak(values[name], language) if name else ""
        is_tight = (
            language == "ja" and before.endswith(" ") and east_asian_width(spoken[:1] or "a") == "W"
        )
        parts += [before[:-1] if is_tight and not before.endswith(": ") else before, spoken]
    return "".join(parts)


@lru_cache(maxsize=4096)
def _pieces(template: str) -> tuple[tuple[str, str | None, str | None, str | None], ...]:
    return tuple(Formatter().parse(template))


def sentence(en: str, ja: str, /, **values: object) -> Sentence:
    """A sentence whose text is used in this one place. Raises ValueError as `Text` does."""
    return _text(en, ja)(**values)


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun as it is counted: English in both numbers, Japanese with its counter ("証明 {n} 件")."""

    one: str
    many: str
    ja: str

    def __call__(self, number: int) -> Counted:
        """So many of them."""
        return Counted(number, self)


@dataclass(frozen=True, slots=True)
class Counted:
    """A number with its noun: '1 proof', '6 proofs', '証明 6 件'."""

    number: int
    noun: Noun

    def in_language(self, language: Language) -> str:
        """The number and the noun, in one language."""
        if language == "ja":
            return self.noun.ja.format(n=self.number)
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
    """Several things in a row: 'a, b and c', 'a、b、c'; with `or_`, of which one: 'a or b', 'a または
    b'; `between` joins as it says.
    """

    items: tuple[object, ...]
    or_: bool = False
    between: str = ""

    def in_language(self, language: Language) -> str:
        """The things, in one language."""
        words = [speak(item, language) for item in self.items]
        if self.between:
            return self.between.join(words)
        if language == "ja":
            return (" または " if self.or_ else "、").join(words)
        return (" or " if self.or_ else " and ").join(
            [*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]]
        )

    @property
    def sentence(self) -> Sentence:
        """The things as a sentence of their own."""
        return sentence("{items}", "{items}", items=self)

    def __str__(self) -> str:
        return self.in_language("en")


@lru_cache(maxsize=4096)
def names_in(template: str) -> frozenset[str]:
    """The names of the values in a template."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


@lru_cache(maxsize=4096)
def _text(en: str, ja: str) -> Text:
    return Text(en, ja)


def speak(value: object, language: Language) -> str:
    """A value in a language: its own words where it has them, itself where it is a name, a number
    or other people's text.
    """
    if type(value) in _PLAIN:
        return str(value)  # most values are plain, and asking for a protocol is slow
    return value.in_language(language) if isinstance(value, Spoken) else str(value)


_PLAIN = (str, int)


def all_in(values: Iterable[object], language: Language) -> list[str]:
    """Several values, each in a language."""
    return [speak(value, language) for value in values]


def chosen_language(option: str | None, environment: Mapping[str, str]) -> Language:
    """The language to speak: the option, else POPKIT_LANG, else that of the locale (LC_ALL,
    LC_MESSAGES, LANG); else English.
    """
    names: list[Any] = [option, environment.get(VARIABLE)]
    names.append(
        next(
            (
                environment[name]
                for name in ("LC_ALL", "LC_MESSAGES", "LANG")
                if environment.get(name)
            ),
            None,
        )
    )
    wanted = next((str(name) for name in names if name), "en").lower()
    return "ja" if wanted.startswith("ja") else "en"
