"""Cutovers that somebody declares: the records of a case, each held against the chain, and what follows for the grants and the findings.

A record that the chain bears out says which grant took over, whatever the order of creation suggests; one that the chain contradicts
says nothing of that and is a critical finding. Neither changes a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from popkit.diagnosis.result import GrantDiagnosis, Row
from popkit.evidence.cutover import GivenRecord, Record
from popkit.facts import Facts
from popkit.rules.declared_checks import DeclaredChecks
from popkit.rules.declared_points import CANNOT_TELL, HOLDS, VIOLATED, Point
from popkit.rules.model import Finding
from popkit.texts import Listed, Moment, Noun, Sentence, Text, sentence

CUT_OVER = Text("to {new}, by a record of {at}", "{new} へ（{at} の記録による）")
NEW_SIGNER = Text("to the signer {new} on the same grant, by a record of {at}", "同じ grant で signer {new} へ（{at} の記録による）")
UNNAMED = Text("to nothing that is named, by a record of {at}", "切り替え先の記載なし（{at} の記録）")
GIVEN_UP = Text("to {new}, which was given up, by a record of {at}", "{new} へ。ただし放棄済み（{at} の記録による）")
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
BORNE_OUT = Text("the chain agrees on {holds}; the case cannot tell {open}", "チェーンと一致 {holds}、ケースから判断できないもの {open}")
CONTRADICTED = Text(
    "the chain contradicts the record on {violated}: do not go by it",
    "チェーンと {violated}で矛盾しています。この記録に従わないでください",
)
CHECKED = Text("the record of a cutover against the chain", "切り替えの記録とチェーンの照合")
NOT_TOLD = Text("the record of a cutover: {what} ({why})", "切り替えの記録: {what}（{why}）")
OF_OTHERS = Text(
    "the record of a cutover: it is about {grant}, which is no grant of this case",
    "切り替えの記録（対象の {grant} はこのケースの grant ではありません）",
)
PART = "cutover"


@dataclass(frozen=True, slots=True)
class Declared:
    """A record of a cutover with its points, each held against the chain. `grant` is the one that findings name: the old one of a case
    that was collected for it, else the new one; None for a record about neither.
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
        """The grant that took over, where the record names one that was not given up, the chain shows it, and contradicts nothing."""
        new = self.record.new
        is_there = any(point.key == "new.grant" and point.result == HOLDS for point in self.points)
        return new.grant if new is not None and is_there and not self.record.given_up and not self.contradicted else None

    @property
    def summary(self) -> Sentence:
        """What the record says took over, and when it was written."""
        record, at = self.record, Moment(self.record.made_at)
        if record.new is None:
            return NEW_SIGNER(new=record.signer, at=at) if record.remedy == "signer" and record.signer else UNNAMED(at=at)
        return (GIVEN_UP if record.given_up else CUT_OVER)(new=record.new.grant, at=at)

    @property
    def lines(self) -> list[Sentence]:
        """The record on a few lines: what took over, whether that was verified, what is open, and how far the chain agrees."""
        counts = {result: sum(point.result == result for point in self.points) for result in (HOLDS, VIOLATED, CANNOT_TELL)}
        agrees = BORNE_OUT(holds=POINTS(counts[HOLDS]), open=POINTS(counts[CANNOT_TELL]))
        said = CONTRADICTED(violated=POINTS(counts[VIOLATED])) if counts[VIOLATED] else agrees
        return [self.summary, (DONE if self.record.verified is not None else NOT_DONE)(), self.open_points, said]

    @property
    def open_points(self) -> Sentence:
        """The steps that the record leaves open, with how each stands."""
        steps = tuple(OPEN_POINT(step=point.step, state=STATES[point.state]()) for point in self.record.open_points)
        return OPEN(steps=Listed(steps, between=", ")) if steps else NONE_OPEN()


def declared_cutovers(facts: Facts) -> list[Declared]:
    """Every record of the case, held against its chain; the case's own first."""
    found = []
    for given in facts.evidence.cutovers:
        record = given.record
        named = [record.old.grant, *([record.new.grant] if record.new is not None else [])]
        grant = next((grant for grant in named if grant in facts.header.grants), None)
        found.append(Declared(given, grant, tuple(DeclaredChecks(facts, record).points()) if grant is not None else ()))
    return found


def given_up(declared: Iterable[Declared]) -> frozenset[str]:
    """New grants that a record says were given up: they took over from nothing, though they were created when one that did would be."""
    found: set[str] = set()
    for one in declared:
        if not one.contradicted:
            found |= set(one.record.given_up_before)
            found |= {one.record.new.grant} if one.record.given_up and one.record.new is not None else set()
    return frozenset(found)


def link_declared(declared: Iterable[Declared], grants: Sequence[GrantDiagnosis]) -> None:
    """Say of the grants of the case which took over from which, where a record says so and the chain agrees."""
    by_name = {grant.grant: grant for grant in grants}
    for one in declared:
        old = by_name.get(one.record.old.grant)
        if old is not None:
            old.declared.append(one)
        new = by_name.get(one.successor or "")
        if old is None or new is None:
            continue
        guessed = by_name.get(old.superseded_by or "")
        if guessed is not None and guessed.cutover_of == old.grant:
            guessed.cutover_of = None
        old.superseded_by, new.cutover_of = new.grant, old.grant


def declared_findings(declared: Iterable[Declared]) -> Iterator[Finding]:
    """That a cutover is declared, and every point on which the chain contradicts its record."""
    for one in declared:
        if one.grant is None:
            continue
        file, observed = (
            one.given.file,
            sentence("cut over {what}; {open}", "切り替え: {what}。{open}", what=one.summary, open=one.open_points),
        )
        yield Finding("cutover_declared", one.grant, (file, one.record.old.grant), observed=observed)
        for point in one.contradicted:
            stated = sentence("{what}: {stated}", "{what}: {stated}", what=point.what, stated=point.stated)
            yield Finding("cutover_contradicted", one.grant, (file, point.key), stated, str_of(point), slot=point.slot)


def str_of(point: Point) -> Sentence:
    """What the chain shows, as a sentence."""
    return sentence("{shown}", "{shown}", shown=point.shown)


def declared_rows(declared: Iterable[Declared]) -> tuple[list[Row], list[Row]]:
    """Rows of the coverage: records that were held against the chain, and what of them the case cannot tell."""
    checked, missing = list[Row](), list[Row]()
    for one in declared:
        if one.grant is None:
            missing.append(Row(PART, None, "another_grant", OF_OTHERS(grant=one.record.old.grant)))
            continue
        checked.append(Row(PART, one.grant, "checked", CHECKED()))
        missing += [
            Row(PART, one.grant, "cannot_tell", NOT_TOLD(what=point.what, why=point.shown))
            for point in one.points
            if point.result == CANNOT_TELL
        ]
    return checked, missing
