"""Putting what the files gave together, so that neither their order nor their repetition matters."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from popkit.collecting.exports.bucket import Object, rows_of
from popkit.collecting.exports.found import Found, Key, Row, WorkerAnswer
from popkit.collecting.exports.raw import same
from popkit.collecting.exports.result import EarlierAnswer, Exports, NotUsed, Used
from popkit.collecting.exports.walk import Member


class Harvest:
    """What was found so far; `finish` gives it as Exports."""

    def __init__(self) -> None:
        self.exports = Exports()
        self.objects: list[Object] = []
        self.cases: dict[str, bytes] = {}
        self.manifests: dict[str, Member] = {}
        self.digests: dict[str, str] = {}
        self.collected_at: dict[str, int] = {}
        self._lines: dict[str, dict[Key, list[bytes]]] = {}
        self._answers: list[tuple[WorkerAnswer, str]] = []
        self._withheld = defaultdict[str, set[str]](set)
        self._events: dict[str, Any] = {}

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
        for time in found.times:
            self._saw(time, path)

    def _add(self, row: Row, path: str) -> None:
        lines = self._lines.setdefault(row.file, {}).setdefault(row.key, [])
        if row.time is not None:
            self._saw(row.time, path)
        if row.line in lines:
            return
        for position, line in enumerate(lines):
            if same(line, row.line):
                lines[position] = min(line, row.line)
                return
        lines.append(row.line)

    def _saw(self, time: float, path: str) -> None:
        exports = self.exports
        if exports.newest is None or (-int(time), path) < (-exports.newest, exports.newest_in or ""):
            exports.newest, exports.newest_in = int(time), path

    def finish(self) -> Exports:
        """Everything in its order. The cases' manifests were held before."""
        for row in rows_of(self.objects, self.exports.used, self.exports.not_used):
            self._add(row, "")
        for item in self.objects:
            if item.time is not None:
                self._saw(item.time, item.path)
        for file, by_key in sorted(self._lines.items()):
            self.exports.rows[file] = [line for _, lines in sorted(by_key.items()) for line in sorted(lines)]
        self._settle_answers()
        self.exports.withheld = {prefix: len(keys) for prefix, keys in sorted(self._withheld.items())}
        self.exports.event_rows = [row for _, row in sorted(self._events.items())]
        self.exports.used = sorted(set(self.exports.used))
        self.exports.not_used = sorted(set(self.exports.not_used))
        self.exports.custody.sort()
        return self.exports

    def _settle_answers(self) -> None:
        """The best answer of each name, and the others. Of equal answers one is kept, under the first of their paths."""
        ranked = sorted(self._answers, key=self._rank)
        kept: list[tuple[WorkerAnswer, str]] = []
        for answer, path in ranked:
            if not any(answer.name == other.name and same(answer.document, other.document) for other, _ in kept):
                kept.append((answer, path))
        for answer, path in kept:
            if answer.name in self.exports.answers:
                self.exports.earlier_answers.append(EarlierAnswer(answer.name, self._at(answer, path), path, answer.document))
            else:
                self.exports.answers[answer.name] = answer.document
        self.exports.answers = dict(sorted(self.exports.answers.items()))

    def _at(self, answer: WorkerAnswer, path: str) -> float | None:
        if answer.at is not None:
            return answer.at
        return next((float(at) for folder, at in self.collected_at.items() if is_below(path, folder)), None)

    def _rank(self, item: tuple[WorkerAnswer, str]) -> tuple[Any, ...]:
        answer, path = item
        return answer.name, tuple(not good for good in answer.fullness), -(self._at(answer, path) or 0.0), answer.document, path


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder ("" is all that was given)."""
    return not folder or path.startswith(f"{folder}/")
