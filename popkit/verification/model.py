"""What a verification is made of: numbered checks, the sections that hold them, and the whole with its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG
from popkit.text import for_json
from popkit.texts import Language, Sentence, Text, all_in

SCHEMA = "popkit.verification/1"
HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"
TRANSACTIONS, ACCOUNTS, RECEIPTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl", "worker/ticket-receipts.jsonl"

NOT_IN_EVIDENCE = Text("the evidence does not hold it", "証拠にありません")
NONE = Text("none", "なし")
RECORD_SAYS_THE_SAME = Text("the worker's record says the same", "worker の記録が同じ内容であること")
SERVER_SAYS_THE_SAME = Text("the server's own check says the same", "サーバー自身の検査結果が同じであること")
SINK_TIMES_ARE_THE_ENTRY_S = Text("the times of the entry's sinks are the entry's own", "書き込み先の時刻がエントリと同じであること")
NONE_OLDER_THAN_ITS_PARENT = Text("no entry is older than the one it follows", "直前のエントリより古いエントリがないこと")
OPTIONAL = frozenset({RECORD_SAYS_THE_SAME, SERVER_SAYS_THE_SAME, SINK_TIMES_ARE_THE_ENTRY_S, NONE_OLDER_THAN_ITS_PARENT})
"""Checks of what proves nothing either way: that they cannot tell leaves a claim verified."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `status` is 'holds', 'violated' or 'cannot tell'; `where` is (file, key).

    `title`, `expected`, `observed` and `rule` are sentences in both languages, or names, hashes and numbers, which are in none: `str()` is
    their English.
    """

    title: Text | Sentence
    status: str
    expected: object
    observed: object
    where: tuple[str, str]
    rule: object

    def as_json(self) -> dict[str, Any]:
        return {
            "title": str(self.title),
            "status": self.status,
            "expected": str(self.expected),
            "observed": str(self.observed),
            "where": {"file": self.where[0], "key": self.where[1]},
            "rule": str(self.rule),
        }

    @property
    def is_optional(self) -> bool:
        """Whether the check proves nothing either way."""
        return self.title in OPTIONAL


@dataclass(frozen=True, slots=True)
class Either:
    """Several things of which one is expected: 'a or b'."""

    items: tuple[object, ...]

    def in_language(self, language: Language) -> str:
        """The things, in one language."""
        return (" または " if language == "ja" else " or ").join(all_in(self.items, language))

    def __str__(self) -> str:
        return self.in_language("en")


def either(items: Iterable[object]) -> object:
    """One of several things; that the evidence holds none where there is none."""
    found = tuple(dict.fromkeys(items))
    return Either(found) if found else NOT_IN_EVIDENCE


def known(value: object) -> object:
    """A value, or that the evidence does not hold it."""
    return NOT_IN_EVIDENCE if value is None else value


def equal(title: Text | Sentence, expected: object, observed: object, where: tuple[str, str], rule: object) -> Check:
    """A check that two things are one; None on either side cannot tell."""
    unknown = expected is None or observed is None
    status = CANNOT_TELL if unknown else HOLDS if expected == observed else VIOLATED
    return Check(title, status, known(expected), known(observed), where, rule)


@dataclass(slots=True)
class Section:
    """The numbered checks of one thing: `subject` is 'case', 'chain', 'claim', 'record', 'records' or 'audit'; `name` is its own.

    `name` is that of a case, grant, transaction or record; of 'records' and 'audit', of which a case has one each, it is a Text.
    """

    subject: str
    name: str | Text
    checks: list[Check] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The worst of the checks; what proves nothing either way does not count when it cannot tell."""
        found = {check.status for check in self.checks if check.status != CANNOT_TELL or not check.is_optional}
        return VIOLATED if VIOLATED in found else CANNOT_TELL if CANNOT_TELL in found else HOLDS


@dataclass(slots=True)
class Verification:
    """What a verification came to: its sections, and `exit_code` 1 (violated), 3 (cannot tell) or 0 (all hold).

    `names` are those that were asked for; none: everything in the case.
    """

    case: str
    sections: list[Section]
    names: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The worst of the sections."""
        found = {section.status for section in self.sections}
        return VIOLATED if VIOLATED in found else CANNOT_TELL if CANNOT_TELL in found else HOLDS

    @property
    def exit_code(self) -> int:
        return {VIOLATED: EXIT_WRONG, CANNOT_TELL: EXIT_CANNOT_TELL, HOLDS: EXIT_FINE}[self.status]

    def counts(self, subject: str | None = None) -> Counter[str]:
        """How many sections of a subject hold, are violated and cannot tell; without one, how many checks of all sections do."""
        if subject is None:
            return Counter(check.status for section in self.sections for check in section.checks)
        return Counter(section.status for section in self.sections if section.subject == subject)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "case": self.case,
            "exit_code": self.exit_code,
            "sections": [
                {
                    "subject": section.subject,
                    "name": str(section.name),
                    "status": section.status,
                    "checks": [{"number": number, **check.as_json()} for number, check in enumerate(section.checks, 1)],
                }
                for section in self.sections
            ],
        }

    def dumps(self) -> str:
        """The verification as JSON text, keys ascending, a line end last."""
        return for_json(self.as_json())
