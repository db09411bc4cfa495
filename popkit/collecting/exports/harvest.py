"""Putting what the files gave together, so that neither their order nor their repetition matters."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from typing import Any

from popkit.collecting.exports import records
from popkit.collecting.exports.bucket import Object, rows_of
from popkit.collecting.exports.found import Found, InBlock, Key, Row, WorkerAnswer
from popkit.collecting.exports.raw import meaning
from popkit.collecting.exports.result import EarlierAnswer, Exports, NotUsed, Used
from popkit.collecting.exports.shapes import settled
from popkit.collecting.exports.walk import Member
from popkit.evidence.layout import SIGNATURES

_SAME_SESSION = 3600
"""Seconds within which an answer given in full stands for a newer, redacted one: what was true a
day ago may be so no more.
"""


class Harvest:
    """What was found so far; `finish` gives it as Exports.

    `program` is the one whose transactions are wanted; a case among the exports names its own as
    well.
    """

    def __init__(self, program: str) -> None:
        self.program, self.exports = program, Exports()
        self.objects: list[Object] = []
        self.records: list[Member] = []
        self.cases: dict[str, bytes] = {}
        self.manifests: dict[str, Member] = {}
        self.digests: dict[str, str] = {}
        self.collected_at: dict[str, int] = {}
        self._lines: dict[str, dict[Key, list[bytes]]] = {}
        self._answers: list[tuple[WorkerAnswer, str]] = []
        self._withheld = defaultdict[str, set[str]](set)
        self._events: dict[str, Any] = {}
        self._blocks: list[tuple[str, list[InBlock]]] = []

    def used(self, path: str, sha256: str, what: str, rows: int = 0, note: str = "") -> None:
        self.exports.used.append(Used(path, sha256, what, rows, note))

    def not_used(self, path: str, sha256: str, why: str) -> None:
        self.exports.not_used.append(NotUsed(path, sha256, why))

    def take(self, path: str, found: Found) -> None:
        """Add what a file gave."""
        for file in found.files:
            self._lines.setdefault(file, {})
        for row in found.rows:
            self._add(row, path)
        self._answers += [(answer, path) for answer in found.answers]
        for prefix, keys in found.withheld.items():
            self._withheld[prefix] |= keys
        self._events.update((repr(row), row) for row in found.event_rows)
        if found.in_blocks:
            self._blocks.append((path, found.in_blocks))
        for time in found.times:
            self._saw(time, path)

    def _add(self, row: Row, path: str) -> None:
        lines = self._lines.setdefault(row.file, {}).setdefault(row.key, [])
        if row.time is not None:
            self._saw(row.time, path)
        if row.line in lines:
            return
        said = meaning(row.line) if lines else ""
        for position, line in enumerate(lines):
            if meaning(line) == said:
                lines[position] = min(line, row.line)
                return
        lines.append(row.line)

    def _saw(self, time: float, path: str) -> None:
        exports = self.exports
        if exports.newest is None or (-int(time), path) < (
            -exports.newest,
            exports.newest_in or "",
        ):
            exports.newest, exports.newest_in = int(time), path

    def finish(self) -> Exports:
        """Everything in its order. The cases' manifests were held before."""
        self._settle_blocks()
        for row in rows_of(self.objects, self.exports.used, self.exports.not_used):
            self._add(row, "")
        for item in self.objects:
            if item.time is not None:
                self._saw(item.time, item.path)
        for file, by_key in sorted(self._lines.items()):
            self.exports.rows[file] = [
                line for _, lines in sorted(by_key.items()) for line in sorted(lines)
            ]
        self._settle_answers()
        self._settle_records()
        self.exports.withheld = {
            prefix: len(keys) for prefix, keys in sorted(self._withheld.items())
        }
        self.exports.event_rows = [row for _, row in sorted(self._events.items())]
        self.exports.used = sorted(set(self.exports.used))
        self.exports.not_used = sorted(set(self.exports.not_used))
        self.exports.custody.sort()
        return self.exports

    def _settle_records(self) -> None:
        """The newest record of a cutover, byte for byte; the others are named as not used."""
        kept = self.exports.record = records.newest(member.content for member in self.records)
        for member in self.records:
            if member.content == kept:
                self.used(member.path, member.sha256, records.WHAT)
            else:
                self.not_used(member.path, member.sha256, records.OLDER)

    def _settle_blocks(self) -> None:
        """Transactions of blocks become rows where their slot is known; what the file gave is
        counted anew.
        """
        listed = self._lines.get(SIGNATURES, {}) if self._blocks else {}
        slots = {str(key[3]): -int(key[2]) for key in listed if len(key) == 4}
        programs = {self.program, *(header.program_id for header in self.exports.headers)}
        for path, waiting in self._blocks:
            left = Counter[str]()
            rows = list(settled(waiting, slots, programs, partial(_count, left)))
            for row in rows:
                self._add(row, path)
            said = [f"{count} × {why}" if count > 1 else why for why, count in sorted(left.items())]
            for at, used in enumerate(self.exports.used):
                if used.path == path:
                    note = "; ".join([*([used.note] if used.note else []), *said])
                    self.exports.used[at] = replace(used, rows=used.rows + len(rows), note=note)

    def _settle_answers(self) -> None:
        """The best answer of each name, and the others. Of equal answers one is kept, under the
        first of their paths.
        """
        newest: dict[tuple[str, tuple[bool, ...]], float] = defaultdict(float)
        for answer, path in self._answers:
            rank = (answer.name, answer.wholeness)
            newest[rank] = max(newest[rank], self._at(answer, path) or 0.0)

        def rank_of(item: tuple[WorkerAnswer, str]) -> tuple[Any, ...]:
            answer, path = item
            return self._rank(answer, path, newest[answer.name, answer.wholeness])

        said: set[tuple[str, str]] = set()
        for answer, path in sorted(self._answers, key=rank_of):
            identity = (answer.name, meaning(answer.document))
            if identity in said:
                continue
            said.add(identity)
            if answer.name in self.exports.answers:
                self.exports.earlier_answers.append(
                    EarlierAnswer(answer.name, self._at(answer, path), path, answer.document)
                )
            else:
                self.exports.answers[answer.name] = answer.document
        self.exports.answers = dict(sorted(self.exports.answers.items()))

    def _at(self, answer: WorkerAnswer, path: str) -> float | None:
        if answer.at is not None:
            return answer.at
        return next(
            (float(at) for folder, at in self.collected_at.items() if is_below(path, folder)), None
        )

    def _rank(self, answer: WorkerAnswer, path: str, newest: float) -> tuple[Any, ...]:
        """Whole before partial; then those of the newest hour, open before redacted; then the
        newer. The rest only makes it an order.
        """
        at = self._at(answer, path) or 0.0
        closed = [
            tuple(not good for good in goods) for goods in (answer.wholeness, answer.openness)
        ]
        return (
            answer.name,
            closed[0],
            at < newest - _SAME_SESSION,
            closed[1],
            -at,
            answer.document,
            path,
        )


def _count(reasons: Counter[str], why: str) -> None:
    reasons[why] += 1


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder ("" is all that was given)."""
    return not folder or path.startswith(f"{folder}/")
