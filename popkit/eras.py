"""Which program was deployed when: behaviour first, then the worker's model, then the date, then an option.

There is one program a cluster, so what any transaction shows counts for every grant at that slot, and a program once replaced does
not come back: what a slot shows bounds the eras of the slots before and after it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from popkit.protocol.errors import ERAS

STRICT_ERAS = frozenset({"strict", "strict_v2"})
EARLIEST = {"pre_pop": -(1 << 62), "strict": 1771632000, "strict_v2": 1771891200, "relaxed": 1773187200}
"""The first second (UTC) of the day on which each program's source exists (456358a, f79cf5d, 5ceddca): no era begins earlier."""
MODEL_ERAS = {"A": ("strict",), "B": ("strict_v2",), "C": ("strict_v2",), "D": ("strict_v2", "relaxed")}
"""The programs that each model of the worker was published with."""


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """What a slot shows: the eras that its behaviour allows, and in words what showed it."""

    slot: int
    allowed: frozenset[str]
    basis: str


@dataclass(frozen=True, slots=True)
class EraAt:
    """The era of a slot and what decided it: 'behaviour', 'worker model', 'date' or 'option'; `possible` is what behaviour leaves."""

    era: str
    decided_by: str
    basis: str
    possible: tuple[str, ...]


class EraTimeline:
    """The eras of a cluster over slots.

    `shown` is behaviour; `models` is (unix seconds, model) of the worker's anchors; `option` the era an operator insists on.
    """

    def __init__(self, shown: Iterable[Shown], models: Iterable[tuple[int, str]] = (), option: str | None = None) -> None:
        self.shown = sorted(set(shown), key=lambda s: (s.slot, sorted(s.allowed), s.basis))
        self._slots = [s.slot for s in self.shown]
        self._models = sorted(models)
        self._option = option
        lowest = [min(ERAS.index(era) for era in s.allowed) for s in self.shown]
        highest = [max(ERAS.index(era) for era in s.allowed) for s in self.shown]
        self._from = list(accumulate(lowest, max))  # lowest era index possible from here on
        self._until = list(accumulate(reversed(highest), min))[::-1]  # highest era index possible up to here

    @property
    def is_contradictory(self) -> bool:
        """Whether behaviour shows an older program after a newer one."""
        return any(low > high for low, high in zip(self._from, self._until, strict=True))

    def at(self, slot: int, moment: int | None) -> EraAt:
        """The era in force at a slot; `moment` is the slot's unix second where it is known."""
        after = bisect_right(self._slots, slot)
        low = self._from[after - 1] if after else 0
        before = bisect_left(self._slots, slot)
        high = self._until[before] if before < len(self._slots) else len(ERAS) - 1
        possible = ERAS[low : high + 1] or (ERAS[low],)
        if len(possible) == 1:
            return EraAt(possible[0], "behaviour", self._reason(slot, possible[0]), possible)
        hinted = [era for era in self._model_eras(moment) if era in possible]
        if len(hinted) == 1:
            return EraAt(hinted[0], "worker model", "the worker's anchors have the form published with this program", possible)
        left = hinted or list(possible)
        candidates = [era for era in self._last_shown(slot) if era in left] or left
        if len(candidates) == 1:
            return EraAt(candidates[0], "behaviour", "shown earlier, and nothing since shows another program", possible)
        begun = [era for era in candidates if moment is None or EARLIEST[era] <= moment] or [candidates[0]]
        if len(begun) > 1 and self._option in begun:
            return EraAt(str(self._option), "option", "chosen by the operator; nothing in the evidence decides", possible)
        return EraAt(begun[-1], "date", "the newest program that can have been deployed by then", possible)

    def _last_shown(self, slot: int) -> tuple[str, ...]:
        """The eras still possible at the last slot, up to this one, that showed anything: a program stays until another is shown."""
        after = bisect_right(self._slots, slot)
        return ERAS[self._from[after - 1] : self._until[after - 1] + 1] if after else ERAS

    def _model_eras(self, moment: int | None) -> tuple[str, ...]:
        if moment is None or not self._models:
            return ()
        spot = bisect_right(self._models, (moment, "~"))
        return MODEL_ERAS[self._models[max(spot - 1, 0)][1]]

    def _reason(self, slot: int, era: str) -> str:
        index = ERAS.index(era)
        raised = next((s for s in self.shown if s.slot <= slot and min(ERAS.index(e) for e in s.allowed) == index), None)
        capped = next((s for s in self.shown if s.slot >= slot and max(ERAS.index(e) for e in s.allowed) == index), None)
        return "; ".join(dict.fromkeys(s.basis for s in (raised, capped) if s is not None))


def only(*eras: str) -> frozenset[str]:
    return frozenset(eras)


def since(era: str) -> frozenset[str]:
    """An era and those after it."""
    return frozenset(ERAS[ERAS.index(era) :])
