"""An act is one thing that happens on a stage; an incident is an act between ordinary claims, or
two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from popkit.drill.stage import ERAS, STRICT, Stage
from popkit.evidence.layout import EVENTS
from popkit.texts import Listed, Text

POP = ("strict", "strict_v2", "relaxed", "head")
RELAXED = ("relaxed", "head")
THEN = Text("{first} Then: {second}", "{first} そのあと: {second}")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens. `eras` it can happen in; `begins` says that nothing may be claimed
    before it.

    `mixes` says that another act may stand beside it in one incident, `ends` that it can only stand
    last. `model` is the worker's where it is another than the one published with the era's program.
    """

    name: str
    told: Text
    play: Callable[[Stage], None]
    eras: tuple[str, ...] = POP
    terms: dict[str, Any] = field(default_factory=dict)
    begins: bool = False
    mixes: bool = True
    ends: bool = False
    wait: tuple[float, float] = (700, 2000)
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One or two acts by name, with the eras that all of them can happen in."""

    name: str
    acts: tuple[Act, ...]

    @classmethod
    def of(cls, act: Act) -> Incident:
        return cls(act.name, (act,))

    @property
    def eras(self) -> tuple[str, ...]:
        return tuple(era for era in ERAS if all(era in act.eras for act in self.acts))

    @property
    def told(self) -> object:
        """What is done, as a sentence in either language."""
        return (
            self.acts[0].told()
            if len(self.acts) == 1
            else THEN(first=self.acts[0].told(), second=self.acts[1].told())
        )

    def play(self, era: str, seed: int = 0) -> Stage:
        """Play it: ordinary claims, the acts, and the time until somebody looks. Raises ValueError
        for an era it cannot happen in.
        """
        if era not in self.eras:
            raise ValueError(f"{self.name} cannot happen in {era}; it can in {Listed(self.eras)}")
        terms = {name: value for act in self.acts for name, value in act.terms.items()}
        stage = Stage(era, seed, terms, f"drill {self.name}", self.acts[0].model)
        if not any(act.begins for act in self.acts):
            stage.claims()
        for act in self.acts:
            act.play(stage)
            stage.wait(5, 40)
        stage.wait(*self.acts[-1].wait)
        for _ in range(
            2
        ):  # somebody opens the event's page, as phones do all day: the worker's records go on to now
            stage.worker.api("GET", EVENTS.path)
            stage.wait(1, 5)
        return stage


def mixtures(acts: Iterable[Act]) -> Iterator[Incident]:
    """Every pair of acts that can stand beside each other in some era, in both orders where both
    are possible.
    """
    for first, second in permutations(acts, 2):
        if (
            not (first.mixes and second.mixes)
            or first.ends
            or second.begins
            or first.terms
            or second.terms
        ):
            continue
        incident = Incident(f"{first.name}+{second.name}", (first, second))
        if incident.eras:
            yield incident


__all__ = ["POP", "RELAXED", "STRICT", "Act", "Incident", "mixtures"]
