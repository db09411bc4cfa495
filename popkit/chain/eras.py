"""Which program was deployed when: behaviour first, then the worker's model, then the date, then an
option.

There is one program a cluster, so what any transaction shows counts for every grant at that slot.
What a slot shows bounds the eras of the slots before and after it, until an older program's
behaviour follows a newer one's: then somebody put the older program back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from popkit.chain.clock import SlotClock
from popkit.protocol.errors import ERAS

STRICT_ERAS = frozenset({"strict", "strict_v2"})
EARLIEST = {
    "pre_pop": -(1 << 62),
    "strict": 1771632000,
    "strict_v2": 1771891200,
    "relaxed": 1773187200,
}
"""The first second (UTC) of the day on which each program's source exists (456358a, f79cf5d,
5ceddca): no era begins earlier.
"""
MODEL_ERAS = {
    "A": ("strict",),
    "B": ("strict_v2",),
    "C": ("strict_v2",),
    "D": ("strict_v2", "relaxed"),
}
"""The programs that each model of the worker was published with."""


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """What a slot shows: the eras that its behaviour allows, and in words what showed it."""

    slot: int
    allowed: frozenset[str]
    basis: str


@dataclass(frozen=True, slots=True)
class EraAt:
    """The era of a slot and what decided it: 'behaviour', 'worker model', 'date' or 'option';
    `possible` is what behaviour leaves.

    `open` are the eras that may have been in force by all that decides anything: one era, or those
    among which a date alone chose.
    """

    era: str
    decided_by: str
    basis: str
    possible: tuple[str, ...]
    open: tuple[str, ...] = ()

    @property
    def may_be_strict(self) -> bool:
        """Whether strict rules may have been in force: they were, or nothing but a date says
        otherwise.
        """
        return bool(STRICT_ERAS & {self.era, *self.open})

    @property
    def may_be_relaxed(self) -> bool:
        """Whether relaxed rules may have been in force: they were, or nothing but a date says
        otherwise.
        """
        return "relaxed" in (self.era, *self.open)


class _Spell:
    """What slots show while a program is only ever replaced by a newer one."""

    def __init__(self, first: Shown) -> None:
        self.shown = [first]
        self.lowest = _lowest(first)

    def add(self, shown: Shown) -> bool:
        """Take what a later slot shows; False when it shows a program older than one already shown
        here.
        """
        if _highest(shown) < self.lowest:
            return False
        self.shown.append(shown)
        self.lowest = max(self.lowest, _lowest(shown))
        return True

    @cached_property
    def slots(self) -> list[int]:
        return [shown.slot for shown in self.shown]

    @cached_property
    def _lows(self) -> list[int]:
        """The lowest era index that is possible from each row on."""
        return list(accumulate(map(_lowest, self.shown), max))

    @cached_property
    def _highs(self) -> list[int]:
        """The highest era index that is possible up to each row."""
        return list(accumulate(reversed([_highest(s) for s in self.shown]), min))[::-1]

    def bounds(self, slot: int) -> tuple[int, int]:
        """(lowest, highest) era index that is possible at a slot."""
        after, before = bisect_right(self.slots, slot), bisect_left(self.slots, slot)
        low = self._lows[after - 1] if after else 0
        return low, max(low, self._highs[before]) if before < len(self.slots) else len(ERAS) - 1

    def last_bounds(self, slot: int) -> tuple[int, int]:
        """The same at the last slot, up to this one, that showed anything: a program stays until
        another is shown.
        """
        after = bisect_right(self.slots, slot)
        return (
            (self._lows[after - 1], max(self._lows[after - 1], self._highs[after - 1]))
            if after
            else (0, len(ERAS) - 1)
        )

    def reason(self, slot: int, era: str) -> str:
        """In words, what shows an era at a slot."""
        index = ERAS.index(era)
        raised = next((s for s in self.shown if s.slot <= slot and _lowest(s) == index), None)
        capped = next((s for s in self.shown if s.slot >= slot and _highest(s) == index), None)
        return "; ".join(dict.fromkeys(s.basis for s in (raised, capped) if s is not None))


class EraTimeline:
    """The eras of a cluster over slots.

    `shown` is behaviour; `models` is (unix seconds, model) of the worker's anchors; `option` the
    era an operator insists on; `clock` bounds the time of a slot whose block time is not known.

    The newest behaviour decides what is in force: a model, a date and an option only choose among
    what behaviour leaves open.
    """

    def __init__(
        self,
        shown: Iterable[Shown],
        models: Iterable[tuple[int, str]] = (),
        option: str | None = None,
        clock: SlotClock | None = None,
    ) -> None:
        self._clock = clock or SlotClock([])
        self.shown = sorted(set(shown), key=lambda s: (s.slot, sorted(s.allowed), s.basis))
        self._models = sorted(models)
        self._option = option
        self._spells: list[_Spell] = []
        for row in self.shown:
            if not self._spells or not self._spells[-1].add(row):
                self._spells.append(_Spell(row))

    @property
    def is_contradictory(self) -> bool:
        """Whether behaviour shows an older program after a newer one."""
        return len(self._spells) > 1

    def at(self, slot: int, moment: int | None) -> EraAt:
        """The era in force at a slot; `moment` is the slot's unix second, or None where the node
        gave none.

        An unknown time says no more than that the slot was before every later one whose time is
        known.
        """
        moment = self._clock.latest(slot) if moment is None else moment
        possible, lately, spell = self._possible(slot)
        between = self._is_between_spells(slot)
        if len(possible) == 1:
            return EraAt(
                possible[0], "behaviour", spell.reason(slot, possible[0]) if spell else "", possible
            )
        hinted = [era for era in self._model_eras(moment) if era in possible]
        if len(hinted) == 1:
            return EraAt(
                hinted[0],
                "worker model",
                "the worker's anchors have the form published with this program",
                possible,
            )
        left = hinted or list(possible)
        candidates = [era for era in lately if era in left] or left
        if len(candidates) == 1:
            basis = "shown earlier, and nothing since shows another program"
            return EraAt(candidates[0], "behaviour", basis, possible, possible if between else ())
        begun = [era for era in candidates if moment is None or EARLIEST[era] <= moment] or [
            candidates[0]
        ]
        if len(begun) > 1 and self._option in begun:
            return EraAt(
                str(self._option),
                "option",
                "chosen by the operator; nothing in the evidence decides",
                possible,
            )
        return EraAt(
            begun[-1],
            "date",
            "the newest program that can have been deployed by then",
            possible,
            tuple(begun),
        )

    def precedes(self, slot: int, moment: int | None, era: str) -> bool:
        """Whether a slot was before the first day on which an era's program can have been deployed."""
        moment = self._clock.latest(slot) if moment is None else moment
        return moment is not None and moment < EARLIEST[era]

    def _possible(self, slot: int) -> tuple[tuple[str, ...], tuple[str, ...], _Spell | None]:
        """(the eras that behaviour leaves open at a slot, those at the last slot before it that
        showed anything, the spell).

        Between two spells the last program of the one may have been in force, or already the first
        of the other.
        """
        for number, spell in enumerate(self._spells):
            following = self._spells[number + 1] if number + 1 < len(self._spells) else None
            if following is not None and slot >= following.slots[0]:
                continue
            low, high = spell.bounds(slot)
            if following is not None and slot > spell.slots[-1]:
                low, high = (
                    min(low, _lowest(following.shown[0])),
                    max(low, _highest(following.shown[0])),
                )
            first, last = spell.last_bounds(slot)
            return ERAS[low : high + 1], ERAS[first : last + 1], spell
        return ERAS, ERAS, None

    def _is_between_spells(self, slot: int) -> bool:
        """Whether a program was put back somewhere around a slot: after the last that showed the
        newer one, before the older one shows.
        """
        return any(
            spell.slots[-1] < slot < following.slots[0]
            for spell, following in pairwise(self._spells)
        )

    def _model_eras(self, moment: int | None) -> tuple[str, ...]:
        if moment is None or not self._models:
            return ()
        spot = bisect_right(self._models, (moment, "~"))
        return MODEL_ERAS[self._models[max(spot - 1, 0)][1]]


def _lowest(shown: Shown) -> int:
    return min(map(ERAS.index, shown.allowed))


def _highest(shown: Shown) -> int:
    return max(map(ERAS.index, shown.allowed))


def only(*eras: str) -> frozenset[str]:
    return frozenset(eras)


def since(era: str) -> frozenset[str]:
    """An era and those after it."""
    return frozenset(ERAS[ERAS.index(era) :])
