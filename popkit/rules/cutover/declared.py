"""Cutovers that somebody declares: the records of a case, each held against the chain.

A record that the chain bears out says which grant took over, whatever the order of creation
suggests; one that the chain contradicts says nothing of that and is a critical finding. Neither
changes a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from popkit.evidence.cutover import GivenRecord, Record
from popkit.facts import Facts
from popkit.rules.cutover.checks import points_of
from popkit.rules.cutover.points import CANNOT_TELL, HOLDS, VIOLATED, Point
from popkit.texts import Listed, Moment, Noun, Sentence, Text

CUT_OVER = Text("to {new}, by a record of {at}", "{new} へ（{at} の記録による）")
NEW_SIGNER = Text(
    "to the signer {new} on the same grant, by a record of {at}",
    "同じ grant で signer {new} へ（{at} の記録による）",
)
UNNAMED = Text(
    "to nothing that is named, by a record of {at}", "切り替え先の記載なし（{at} の記録）"
)
GIVEN_UP = Text(
    "to {new}, which was given up, by a record of {at}",
    "{new} へ。ただし放棄済み（{at} の記録による）",
)
DONE = Text("the record says: verified (Step 4)", "記録では検証済み（Step 4）")
NOT_DONE = Text("the record says: not verified yet (Step 4)", "記録では未検証（Step 4）")
OPEN = Text("open points: {steps}", "未完了の手順: {steps}")
NONE_OPEN = Text("no open points", "未完了の手順なし")
OPEN_POINT = Text("{step} ({state})", "{step}（{state}）")
STATES = {
    "open": Text("not done", "未実施"),
    "failed": Text("failed", "失敗"),
    "waiting": Text("waiting", "待機中"),
    "unknown": Text("outcome not known", "結果不明"),
}
POINTS = Noun("point", "points", "{n} 点")
BORNE_OUT = Text(
    "the chain agrees on {holds}; the case cannot tell {open}",
    "チェーンと一致 {holds}、ケースから判断できないもの {open}",
)
CONTRADICTED = Text(
    "the chain contradicts the record on {violated}: do not go by it",
    "チェーンと {violated}で矛盾しています。この記録に従わないでください",
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A record of a cutover with its points, each held against the chain.

    `grant` is the one that findings name: the old one of a case that was collected for it, else the
    new one; None for a record about neither.
    """

    given: GivenRecord
    grant: str | None
    points: tuple[Point, ...]

    @property
    def record(self) -> Record:
        """What the record states."""
        return self.given.record

    @property
    def contradicted(self) -> list[Point]:
        """The points that the chain contradicts."""
        return [point for point in self.points if point.result == VIOLATED]

    @property
    def successor(self) -> str | None:
        """The grant that took over; None where none did, or the chain does not bear it out.

        The record must name one that was not given up, and the chain must show it and contradict
        nothing.
        """
        new = self.record.new
        is_there = any(point.key == "new.grant" and point.result == HOLDS for point in self.points)
        return (
            new.grant
            if new is not None and is_there and not self.record.given_up and not self.contradicted
            else None
        )

    @property
    def summary(self) -> Sentence:
        """What the record says took over, and when it was written."""
        record, at = self.record, Moment(self.record.made_at)
        if record.new is None:
            return (
                NEW_SIGNER(new=record.signer, at=at)
                if record.remedy == "signer" and record.signer
                else UNNAMED(at=at)
            )
        return (GIVEN_UP if record.given_up else CUT_OVER)(new=record.new.grant, at=at)

    @property
    def lines(self) -> list[Sentence]:
        """The record on a few lines: what took over, whether verified, what is open or agrees."""
        counts = {
            result: sum(point.result == result for point in self.points)
            for result in (HOLDS, VIOLATED, CANNOT_TELL)
        }
        agrees = BORNE_OUT(holds=POINTS(counts[HOLDS]), open=POINTS(counts[CANNOT_TELL]))
        agreement = CONTRADICTED(violated=POINTS(counts[VIOLATED])) if counts[VIOLATED] else agrees
        return [
            self.summary,
            (DONE if self.record.verified is not None else NOT_DONE)(),
            self.open_points,
            agreement,
        ]

    @property
    def open_points(self) -> Sentence:
        """The steps that the record leaves open, with how each stands."""
        steps = tuple(
            OPEN_POINT(step=point.step, state=STATES[point.state]())
            for point in self.record.open_points
        )
        return OPEN(steps=Listed(steps, between=", ")) if steps else NONE_OPEN()


def declared_cutovers(facts: Facts) -> list[Declared]:
    """Every record of the case, held against its chain; the case's own first."""
    found = []
    for given in facts.evidence.cutovers:
        record = given.record
        named = [record.old.grant, *([record.new.grant] if record.new is not None else [])]
        grant = next((grant for grant in named if grant in facts.header.grants), None)
        found.append(
            Declared(given, grant, tuple(points_of(facts, record)) if grant is not None else ())
        )
    return found


def given_up(declared: Iterable[Declared]) -> frozenset[str]:
    """New grants that a record says were given up: they took over from nothing.

    They were created when one that took over would be.
    """
    found: set[str] = set()
    for one in declared:
        if not one.contradicted:
            found |= set(one.record.given_up_before)
            found |= (
                {one.record.new.grant}
                if one.record.given_up and one.record.new is not None
                else set()
            )
    return frozenset(found)


def successors_declared(declared: Iterable[Declared], grants: Collection[str]) -> dict[str, str]:
    """{old: new} of the grants of a case, where a record says so and the chain agrees."""
    found = {}
    for one in declared:
        old, new = one.record.old.grant, one.successor
        if new is not None and {old, new} <= set(grants):
            found[old] = new
    return found
