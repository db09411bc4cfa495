"""Every rule asked of one case, once: `diagnose` keeps what is violated, `verify` shows all of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from popkit.chain.attempts import Attempt
from popkit.facts import Facts
from popkit.rules.model import Answer, Subject, Where
from popkit.rules.registry import rules_of
from popkit.rules.sides import ACCOUNTS, CaseSide, ClaimSide, GrantSide


class Inquiry:
    """The answers to every rule of one case, by what was asked about. Each thing is asked once,
    when it is first wanted.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts, self.side = facts, CaseSide(facts)
        self._grants: dict[str, list[Answer]] = {}
        self._claims: dict[int, list[Answer]] = {}

    @cached_property
    def case(self) -> list[Answer]:
        """Of the case itself: its seal, its custody, lines that contradict each other or cannot be
        read, records of cutovers.
        """
        return [*_ask("case", self.side, ("case.json", ""))]

    @cached_property
    def audit(self) -> list[Answer]:
        """Of the worker's audit chain, its bucket, its storage and the ticket receipts."""
        return [*_ask("audit", self.side, ("worker", "audit"))]

    @cached_property
    def records(self) -> list[Answer]:
        """Of the worker's claim records, held against the chain."""
        return [*_ask("records", self.side, ("worker", "claim records"))]

    def grant(self, grant: str) -> list[Answer]:
        """Of one grant: its verdict, its chain and its own state; not of its claims."""
        if grant not in self._grants:
            answers = _ask("grant", self.side.grant(grant), (ACCOUNTS, grant))
            self._grants[grant] = [answer.of(grant) for answer in answers]
        return self._grants[grant]

    def claim(self, grant: str, attempt: Attempt) -> list[Answer]:
        """Of one claim attempt of a grant."""
        if attempt.row not in self._claims:
            side = ClaimSide(self.side.grant(grant), attempt)
            self._claims[attempt.row] = [
                answer.of(grant) for answer in _ask("claim", side, side.where)
            ]
        return self._claims[attempt.row]

    def claims_of(self, grant: str) -> Iterator[tuple[Attempt, list[Answer]]]:
        """Each accepted or forged claim of a grant with its answers."""
        chain = self.side.grant(grant).chain
        return (
            (attempt, self.claim(grant, attempt)) for attempt in [*chain.accepted, *chain.forged]
        )

    def everything(self) -> Iterator[Answer]:
        """Every answer of the case."""
        yield from self.case
        for grant in self.facts.header.grants:
            yield from self.grant(grant)
            for _, answers in self.claims_of(grant):
                yield from answers
        yield from self.audit
        yield from self.records


def _ask(
    subject: Subject, about: CaseSide | GrantSide | ClaimSide, where: Where
) -> Iterator[Answer]:
    asked: Any = about
    for rule in rules_of(subject):
        yield from rule.answers(asked, where)
