"""What a verification is made of: numbered checks, the sections that hold them, and the whole with
its exit code.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer
from popkit.text import for_json
from popkit.texts import Sentence, Text

SCHEMA = "popkit.verification/2"
TRANSACTIONS, ACCOUNTS, RECEIPTS = (
    "rpc/transactions.jsonl",
    "rpc/accounts.jsonl",
    "worker/ticket-receipts.jsonl",
)

NOT_IN_EVIDENCE = Text("the evidence does not hold it", "証拠にありません")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `status` is 'holds', 'violated' or 'cannot tell'; `where` is (file, key).

    `title`, `expected`, `observed` and `rule` are sentences in both languages, or names, hashes and
    numbers, which are in none: `str()` is their English. `expected` and `observed` are None where
    there is nothing to compare.
    """

    title: Text | Sentence
    status: str
    expected: object
    observed: object
    where: tuple[str, str]
    rule: object
    code: str = ""
    severity: str = "critical"
    is_optional: bool = False

    @classmethod
    def of(cls, answer: Answer) -> Check:
        """A rule's answer as a numbered line. What was compared is None where nothing was."""
        expected, observed = (
            answer.expected,
            answer.not_checked if answer.observed is None else answer.observed,
        )
        if answer.status == CANNOT_TELL:
            expected, observed = known(expected), known(observed)
        rule, title = answer.rule, answer.title or answer.rule.holds
        return cls(
            title,
            answer.status,
            expected,
            observed,
            answer.where,
            answer.source,
            rule.code,
            answer.severity,
            answer.is_optional,
        )

    @property
    def is_wrong(self) -> bool:
        """Whether it shows that something is wrong: violated, and not a mere warning or remark."""
        return self.status == VIOLATED and self.severity == "critical"

    def as_json(self) -> dict[str, Any]:
        return {
            "title": str(self.title),
            "status": self.status,
            "expected": None if self.expected is None else str(self.expected),
            "observed": None if self.observed is None else str(self.observed),
            "where": {"file": self.where[0], "key": self.where[1]},
            "rule": str(self.rule),
            "code": self.code or None,
            "severity": self.severity,
        }


def known(value: object) -> object:
    """A value, or that the evidence does not hold it."""
    return NOT_IN_EVIDENCE if value is None else value


@dataclass(slots=True)
class Section:
    """The numbered checks of one thing: `subject` is 'case', 'chain', 'claim', 'record', 'records',
    'audit', 'coverage' or 'verdict'.

    `name` is that of a case, grant, transaction or record; of a subject of which a case has one, it
    is a Text.
    """

    subject: str
    name: str | Text
    checks: list[Check] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The worst of the checks: a mere warning or remark leaves it as it is, and so does what
        proves nothing and cannot tell.
        """
        if any(check.is_wrong for check in self.checks):
            return VIOLATED
        unknown = any(
            check.status == CANNOT_TELL and not check.is_optional for check in self.checks
        )
        return CANNOT_TELL if unknown else HOLDS


@dataclass(slots=True)
class Verification:
    """What a verification came to: its sections, and `exit_code` 1 (violated), 3 (cannot tell) or
    0.

    `names` are those that were asked for; none: everything in the case. Of everything `verdict` is
    that of the diagnosis and `code` its exit code; of names the sections decide.
    """

    case: str
    sections: list[Section]
    names: tuple[str, ...] = ()
    verdict: str | None = None
    code: int | None = None

    @property
    def status(self) -> str:
        """'violated', 'cannot tell' or 'holds', as the exit code says it."""
        return {EXIT_WRONG: VIOLATED, EXIT_CANNOT_TELL: CANNOT_TELL, EXIT_FINE: HOLDS}[
            self.exit_code
        ]

    @property
    def exit_code(self) -> int:
        """The diagnosis's of a whole case; of what was named, by the worst of the sections."""
        if self.code is not None:
            return self.code
        found = {section.status for section in self.sections}
        return (
            EXIT_WRONG
            if VIOLATED in found
            else EXIT_CANNOT_TELL
            if CANNOT_TELL in found
            else EXIT_FINE
        )

    def counts(self, subject: str | None = None) -> Counter[str]:
        """How many sections of a subject hold, are violated and cannot tell; without one, how many
        checks of all sections do.
        """
        if subject is None:
            return Counter(check.status for section in self.sections for check in section.checks)
        return Counter(section.status for section in self.sections if section.subject == subject)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "case": self.case,
            "exit_code": self.exit_code,
            "verdict": self.verdict,
            "sections": [
                {
                    "subject": section.subject,
                    "name": str(section.name),
                    "status": section.status,
                    "checks": [
                        {"number": number, **check.as_json()}
                        for number, check in enumerate(section.checks, 1)
                    ],
                }
                for section in self.sections
            ],
        }

    def dumps(self) -> str:
        """The verification as JSON text, keys ascending, a line end last."""
        return for_json(self.as_json())
