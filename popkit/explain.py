"""What the words mean: verdicts, causes, finding codes, errors, terms and rule sources; and what to
do about each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from popkit.causes.registry import CAUSES
from popkit.errors import UsageError
from popkit.glossary import GLOSSARY, Term
from popkit.protocol.error_words import ERROR_WORDS
from popkit.protocol.errors import CHAIN_RULE_ERRORS, ERAS, FRAMEWORK_ERRORS, PROGRAM_ERRORS
from popkit.rules.model import Rule
from popkit.rules.registry import RULES
from popkit.sources import SOURCES, sources_in
from popkit.texts import Language, Listed, Sentence, Text, sentence, speak
from popkit.verdict.words import VERDICT_WORDS

if TYPE_CHECKING:
    from popkit.collecting.outcomes import Rule as End

_VERDICT, _CAUSE = Text("verdict", "判定"), Text("cause", "原因")
_FINDING = Text("finding, {severity}", "所見, {severity}")
_PROGRAM, _FRAMEWORK = (
    Text("program error", "プログラムのエラー"),
    Text("framework error", "フレームワークのエラー"),
)
_NUMBER = Text("program error number", "プログラムのエラー番号")
_END = Text("end of a request", "リクエストの結果")
_TERM, _SOURCE = Text("term", "用語"), Text("rule source", "規則の出典")
_ADVICE, _RULE = Text("What to do", "対応"), Text("rule", "規則")
_IN_JAPANESE, _ALSO = Text("in Japanese", "日本語での表記"), Text("also", "別名")
_RULED_OUT, _NUMBERS = Text("ruled out if", "除外できる場合"), Text("numbers", "番号")
_SAYS = Text("the program's own message", "プログラムのメッセージ")
_QUOTED = Text("{text}", "「{text}」")
_LOOK_AT_LOG = Text("See which account the log names.", "ログが示すアカウントを確認してください。")
_ANCHOR_REFUSED = Text(
    "Anchor refused the instruction with error {number}.",
    "Anchor が命令をエラー {number} で拒否しました。",
)
_CHAIN_RULE = Text(
    "a chain rule; the relaxed program never raises it",
    "チェーンの規則です。relaxed のプログラムでは発生しません",
)
_NO_CHAIN_RULE = Text("not a chain rule", "チェーンの規則ではありません")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One word explained, in `language`: its kind, its meaning, what to do ('' for a term), and
    details as (name, text) pairs.
    """

    word: str
    kind: str
    meaning: str
    advice: str = ""
    details: tuple[tuple[str, str], ...] = ()
    language: Language = "en"

    def __str__(self) -> str:
        rows = [f"{self.word}  ({self.kind})", "", f"  {self.meaning}", ""]
        rows += [f"  {_ADVICE.in_language(self.language)}: {self.advice}"] if self.advice else []
        rows += [f"  {name}: {text}" for name, text in self.details]
        return "\n".join(rows).rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        details = "".join(
            f"<p><b>{escape(name)}</b>: {escape(text)}</p>" for name, text in self.details
        )
        return f"<p><b>{escape(self.word)}</b> ({escape(self.kind)})</p><p>{escape(self.meaning)}</p><p>{escape(self.advice)}</p>{details}"


class _Speaker:
    """Makes explanations in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def explained(
        self,
        word: str,
        kind: str,
        meaning: str,
        advice: str = "",
        details: Iterable[tuple[str, str]] = (),
    ) -> Explanation:
        """A word with texts that are put into the language."""
        spoken = tuple(
            (speak(name, self.language), speak(text, self.language)) for name, text in details
        )
        kind, meaning, advice = (speak(text, self.language) for text in (kind, meaning, advice))
        return Explanation(word, kind, meaning, advice, spoken, self.language)

    def words(self) -> Iterator[Explanation]:
        """Every word but terms and sources, by kind; a word of two kinds comes twice."""
        for word, known in VERDICT_WORDS.items():
            yield self.explained(word, _VERDICT, known.meaning, known.advice)
        for kind in CAUSES.values():
            details = [(_RULED_OUT, kind.ruled_out_by)]
            yield self.explained(kind.name, _CAUSE, kind.meaning, kind.advice, details)
        for row in RULES.values():
            yield self.finding(row)
        for name in PROGRAM_ERRORS:
            yield self.program_error(name)
        for number, name in FRAMEWORK_ERRORS.items():
            yield self.explained(
                name,
                _FRAMEWORK,
                _ANCHOR_REFUSED(number=number),
                _LOOK_AT_LOG,
                [(_NUMBERS, str(number))],
            )
        yield from self.ends()

    def ends(self) -> Iterator[Explanation]:
        """How a request of the collector can end, but for those that went well."""
        from popkit.collecting.outcomes import RULES as ENDS
        from popkit.collecting.outcomes import Outcome

        for outcome, rule in ENDS.items():
            if outcome is not Outcome.OK:
                yield self.explained(str(outcome), _END, rule.meaning, _next(rule))

    def finding(self, row: Rule) -> Explanation:
        """A finding code, with the rule behind it and what each cited source says."""
        details = [
            (_RULE, row.source),
            *((source, SOURCES[source]) for source in sources_in(row.source)),
        ]
        return self.explained(
            row.code, _FINDING(severity=row.severity), row.meaning, row.advice, details
        )

    def program_error(self, name: str) -> Explanation:
        """An error of the program, with its numbers in each era."""
        message, numbers = PROGRAM_ERRORS[name]
        by_number: dict[int, list[str]] = {}
        for era in ERAS:
            number = numbers.get(era)
            if number is not None:
                by_number.setdefault(number, []).append(era)
        rows = tuple(
            sentence(
                "{number} under {eras}",
                "{number}（{eras}）",
                number=f"{number} (0x{number:x})",
                eras=Listed(tuple(eras), between=", "),
            )
            for number, eras in by_number.items()
        )
        details = [
            (_NUMBERS, Listed(rows, between="; ").sentence),
            (_RULE, _CHAIN_RULE if name in CHAIN_RULE_ERRORS else _NO_CHAIN_RULE),
            (_SAYS, _QUOTED(text=message)),
        ]
        return self.explained(name, _PROGRAM, *ERROR_WORDS[name], details)

    def term(self, term: Term) -> Explanation:
        """A word of the glossary."""
        return self.explained(term.word, _TERM, term.meaning, details=self.names(term))

    @staticmethod
    def names(term: Term) -> list[tuple[str, str]]:
        """What a term is called in Japanese, and what else is called so."""
        also: list[tuple[str, str]] = [(_ALSO, ", ".join(term.also))] if term.also else []
        return [(_IN_JAPANESE, term.japanese), *also] if term.japanese != term.word else also

    def with_term(self, known: Explanation) -> Explanation:
        """A word that is a term as well, with the term's meaning among its details."""
        term = GLOSSARY.get(known.word)
        if term is None:
            return known
        own = self.explained(known.word, "", "", details=[(_TERM, term.meaning), *self.names(term)])
        return replace(known, details=(*known.details, *own.details))


def vocabulary(language: Language = "en") -> dict[str, Explanation]:
    """Every word that `explain` lists: verdicts, causes, finding codes, errors, ends of a
    collector's request, terms and rule sources.
    """
    return dict(_words(language))


@cache
def _words(language: Language) -> dict[str, Explanation]:
    speaker = _Speaker(language)
    words: dict[str, Explanation] = {}
    for known in speaker.words():
        words.setdefault(known.word, speaker.with_term(known))
    for term in GLOSSARY.values():
        words.setdefault(term.word, speaker.term(term))
    for source, text in SOURCES.items():
        words.setdefault(source, speaker.explained(source, _SOURCE, text))
    return words


def vocabulary_lines(language: Language = "en") -> list[str]:
    """The list of all words as lines for a terminal: a heading a kind, then each word with the
    first sentence of its meaning.
    """
    kind, lines = "", []
    for word in vocabulary(language).values():
        if word.kind.split(",")[0] != kind:
            kind = word.kind.split(",")[0]
            lines += ["", kind]
        first = word.meaning.split("。")[0] if language == "ja" else word.meaning.split(". ")[0]
        lines.append(f"  {word.word:<32} {first}")
    return lines


def _next(rule: End) -> Text:
    """What the collector does when a request ends so."""
    if rule.shrink:
        return Text(
            "popkit collect asks again, in smaller requests.",
            "`popkit collect` が、リクエストを小さくして再試行します。",
        )
    if rule.again:
        return Text(
            "popkit collect asks again, with patience.",
            "`popkit collect` が、間隔をあけて再試行します。",
        )
    return Text(
        "See in the case what is missing for it, and ask anew with popkit collect --extend.",
        "足りないものをケースで確認し、`popkit collect --extend` で取得し直してください。",
    )


def explain(word: str, language: Language = "en") -> Explanation:
    """Explain a verdict, cause, finding code, error name or number, a term, or a cited rule, in a
    language.

    Raises UsageError for a word nobody uses, with near ones.
    """
    words = _words(language)
    if word in words:
        return words[word]
    names = {name.lower(): name for name in words}
    names |= {
        other.lower(): term.word
        for term in GLOSSARY.values()
        for other in (*term.also, term.japanese)
        if other.lower() not in names
    }
    known = names.get(word.lower())
    if known is not None:
        return words[known]
    found = _by_number(word, words, language) or _cited(word, language)
    if found is not None:
        return found
    from difflib import get_close_matches

    raise UsageError(_unknown(word, get_close_matches(word, words, 3, 0.5)).in_language(language))


def _unknown(word: str, near: list[str]) -> Sentence:
    quoted = repr(word)
    if not near:
        return sentence(
            "{word} is no verdict, cause, finding code, error, term or rule; popkit explain lists "
            "them",
            "{word} は判定、原因、所見コード、エラー、用語、規則のいずれでもありません。`popkit explain` で一覧を表示します",
            word=quoted,
        )
    return sentence(
        "{word} is no verdict, cause, finding code, error, term or rule; near it: {near}",
        "{word} は判定、原因、所見コード、エラー、用語、規則のいずれでもありません。近いもの: {near}",
        word=quoted,
        near=Listed(tuple(near), between=", "),
    )


def _cited(citation: str, language: Language) -> Explanation | None:
    """A citation as findings and checks print it, which may name several sources; None where it
    names none that is known.
    """
    known = [source for source in sources_in(citation) if source in SOURCES]
    if not known:
        return None
    speaker = _Speaker(language)
    if len(known) == 1:
        return speaker.explained(citation, _SOURCE, SOURCES[known[0]])
    meaning = sentence(
        "The rule stands in {sources}.",
        "この規則の出典は {sources} です。",
        sources=Listed(tuple(known)),
    )
    return speaker.explained(
        citation, _SOURCE, meaning, details=[(source, SOURCES[source]) for source in known]
    )


def _by_number(word: str, words: dict[str, Explanation], language: Language) -> Explanation | None:
    """An error by its number, decimal or hex; 6030 is two errors, told apart by the era."""
    from popkit.protocol.errors import names_of

    try:
        number = int(word, 0)
    except ValueError:
        return None
    names = names_of(number, None)
    if len(names) < 2:
        return words[names[0]] if names else None
    several = Listed(
        tuple(f"{name} ({words[name].meaning.rstrip('.。')})" for name in names), or_=True
    )
    meaning = sentence(
        "{errors}: which of them depends on the program's era.",
        "{errors} のいずれかです。どちらかはプログラムの era によります。",
        errors=several,
    )
    advice = Text(
        "Read the name in the log line, not the number.",
        "番号ではなく、ログ行にある名前を確認してください。",
    )
    return _Speaker(language).explained(word, _NUMBER, meaning, advice)
