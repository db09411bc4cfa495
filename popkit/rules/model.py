"""What a rule is, and what it answers.

A rule says what must hold, and has one function or more that look at the evidence. A function
yields an answer for each thing that is not so, or of which it cannot tell; where none yields
anything the rule holds. A finding is a rule that is violated; `verify` shows every answer.

GRANT_PAUSED = Rule( "grant_paused", "info", "grant", source="program §1.7: 6007", holds=Text("the
grant is not paused", "grant が一時停止中でないこと"), meaning=Text("The grant is paused: …", "…"),
advice=Text("Unpause the grant when claims may go on.", "…"), context=("observed",), )

@GRANT_PAUSED.asks def paused(side: GrantSide) -> Iterator[Answer]: if
side.facts.history.is_paused(side.grant): yield GRANT_PAUSED.violated((ACCOUNTS, side.grant),
observed=IS_PAUSED())

Each subject has a folder below `popkit/rules/`, and `registry` finds every rule there: a new one
touches its module and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from popkit.texts import Sentence, Spoken, Text, sentence

HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"
SEVERITIES = ("info", "warning", "critical")
Subject = Literal["case", "grant", "claim", "audit", "records"]
"""What a rule is asked about: the case itself, a grant, a claim, the audit chain with its receipts,
the worker's claim records.
"""
Where = tuple[str, str]
"""A place in a case: (file, key)."""
Question = TypeVar("Question", bound=Callable[..., Iterator["Answer"]])


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule.

    `code` is API: it stands in findings.json and in `popkit explain`. `severity` is that of its
    findings unless an answer says another. `holds` is what is so while it holds, `meaning` what it
    means when it is violated, `advice` what to do then, `source` where the rule comes from.
    `context` names what its findings fill: expected, observed, not_checked. `is_optional`: that it
    cannot tell leaves a claim verified, as the rule proves nothing either way. `applies` is whether
    there is anything to ask of the thing at hand.
    """

    code: str
    severity: str
    subject: Subject
    holds: Text
    meaning: Text
    advice: Text
    source: str
    context: tuple[str, ...] = ("expected", "observed")
    is_optional: bool = False
    applies: Callable[[Any], bool] = _always
    questions: list[Callable[[Any], Iterator[Answer]]] = field(default_factory=list, repr=False)

    def asks(self, question: Question) -> Question:
        """Make a function one of the rule's own (a decorator); it is asked with what its subject
        gives (see `inquiry`).
        """
        self.questions.append(question)
        return question

    def answers(self, about: Any, where: Where) -> Iterator[Answer]:
        """Every answer about one thing; that the rule holds, at `where`, where its functions have
        nothing to say.

        Of a claim every line is shown with what was compared, so that a rule of claims gives its
        own.
        """
        if self.questions and self.applies(about):
            found = [answer for question in self.questions for answer in question(about)]
            yield from found or ([] if self.subject == "claim" else [self.held(where)])

    def held(
        self, where: Where, expected: object = None, observed: object = None, **also: Any
    ) -> Answer:
        """That it is so. `also` are the other attributes of an answer."""
        return Answer(self, HOLDS, where, expected, observed, **also)

    def violated(
        self, where: Where, expected: object = None, observed: object = None, **also: Any
    ) -> Answer:
        """That it is not so: a finding. `also` are the other attributes of an answer."""
        return Answer(self, VIOLATED, where, expected, observed, **also)

    def unknown(
        self, where: Where, expected: object = None, observed: object = None, **also: Any
    ) -> Answer:
        """That the evidence does not tell; `observed` says why."""
        return Answer(self, CANNOT_TELL, where, expected, observed, **also)

    def equal(self, where: Where, expected: object, observed: object, **also: Any) -> Answer:
        """Whether two things are one; None on either side cannot tell."""
        unknown = expected is None or observed is None
        return Answer(
            self,
            CANNOT_TELL if unknown else HOLDS if expected == observed else VIOLATED,
            where,
            expected,
            observed,
            **also,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A rule of another subject as the lines of a claim show it.

    The rule, which `code` names, is stated where its subject is asked, and makes its findings
    there: here every answer is a part, so that the claim's lines name what was found of it. With
    `makes_findings` the claim is asked for something that its subject is not, under one code.
    `source` is where the lines come from, `is_optional` as of a rule.
    """

    code: str
    source: str = ""
    is_optional: bool = False
    makes_findings: bool = False
    questions: list[Callable[[Any], Iterator[Answer]]] = field(default_factory=list, repr=False)
    subject: Subject = field(default="claim", init=False)

    @property
    def rule(self) -> Rule:
        """The rule as it is stated. Raises KeyError where none has the code."""
        from popkit.rules.registry import RULES

        rule: Any = RULES[self.code]  # a row of the old table has what an answer reads of a rule
        return rule  # type: ignore[no-any-return]

    def asks(self, question: Question) -> Question:
        """Make a function show the rule of a claim (a decorator)."""
        self.questions.append(question)
        return question

    def answers(self, about: Any, where: Where) -> Iterator[Answer]:
        """Every line of one claim; none is made up where the functions have nothing to say."""
        for question in self.questions:
            yield from question(about)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule answers of one thing: `status` is 'holds', 'violated' or 'cannot tell', `where`
    is (file, key).

    `title` is what was asked, where it is narrower than what the rule says, and `source` where that
    comes from. `is_part`: one of several lines that together show a rule; it makes no finding of
    its own. `grant` is the grant that it is about (None: of its subject's, or of no grant), `slot`
    only orders findings, `not_checked` says what could not be looked at because of it.
    `is_optional`: as of a rule, where it is so of this answer alone.

    `title`, `expected` and `observed` are sentences in both languages, or names, hashes and
    numbers, which are in none.
    """

    rule: Rule
    status: str
    where: Where
    expected: object = None
    observed: object = None
    title: Text | Sentence | None = None
    severity: str = ""
    slot: int | None = None
    not_checked: object = None
    grant: str | None = None
    is_part: bool = False
    source: str = ""
    is_optional: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "severity", self.severity or self.rule.severity)
        object.__setattr__(self, "title", self.title or self.rule.holds)
        object.__setattr__(self, "source", self.source or self.rule.source)
        object.__setattr__(self, "is_optional", self.is_optional or self.rule.is_optional)

    @property
    def is_finding(self) -> bool:
        """Whether it stands in findings.json: a violation that is not a mere part of another."""
        return self.status == VIOLATED and not self.is_part

    def of(self, grant: str | None) -> Answer:
        """The answer as one about a grant, unless it names another itself."""
        return self if self.grant is not None or grant is None else replace(self, grant=grant)

    @property
    def finding(self) -> Finding:
        """The answer as findings.json has it."""
        expected, observed, not_checked = (
            _words(value) for value in (self.expected, self.observed, self.not_checked)
        )
        return Finding(
            self.rule.code,
            self.grant,
            self.where,
            expected,
            observed,
            not_checked,
            self.slot,
            self.severity,
        )


def _words(value: object) -> str | None:
    """A value as a finding holds it: a string, in both languages where the value has them; None
    stays None.
    """
    if value is None or isinstance(value, str):
        return value
    return sentence("{value}", "{value}", value=value) if isinstance(value, Spoken) else str(value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `where` is {file, key}; `slot` only orders findings; texts are for people,
    `code` is for programs.
    """

    code: str
    grant: str | None
    where: Where
    expected: str | None = None
    observed: str | None = None
    not_checked: str | None = None
    slot: int | None = None
    severity: str = ""

    def __post_init__(self) -> None:
        from popkit.rules.registry import RULES

        object.__setattr__(self, "severity", self.severity or RULES[self.code].severity)

    @property
    def rule(self) -> str:
        """Where the rule behind the finding comes from."""
        from popkit.rules.registry import RULES

        return RULES[self.code].source

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "grant": self.grant,
            "where": {"file": self.where[0], "key": self.where[1]},
            "expected": self.expected,
            "observed": self.observed,
            "rule": self.rule,
            "not_checked": self.not_checked,
        }


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by grant, slot, code, place; equal ones once."""
    unique = dict.fromkeys(findings)
    return sorted(
        unique,
        key=lambda f: (
            f.grant or "",
            -1 if f.slot is None else f.slot,
            f.code,
            f.where,
            f.expected or "",
            f.observed or "",
            f.not_checked or "",
        ),
    )
