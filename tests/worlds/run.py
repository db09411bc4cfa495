"""Many worlds, in process: each failure's kind once, with the smallest steps and operations that
still show it.
"""

from __future__ import annotations

import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

import popkit
from tests.worlds.allowed import Problem, check
from tests.worlds.changes import PROPERTIES, Op, changes, make
from tests.worlds.plays import KINDS, Play, Script, script
from tests.worlds.renditions import rendered

MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Trial:
    """One question: a world, and what became of its evidence."""

    script: Script
    property: str
    ops: tuple[Op, ...]

    @property
    def size(self) -> tuple[int, int]:
        """What is simpler comes first: fewer operations, then fewer steps."""
        return len(self.ops), len(self.script.steps)

    def told(self) -> str:
        return f"{self.script.told()}\n    {self.property}: {' '.join(op.told() for op in self.ops) or 'everything'}"


@dataclass
class Tally:
    """What came of many trials: how often each kind of problem was met and where, and the simplest
    trial that met it.
    """

    worlds: int = 0
    trials: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    met: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    weak: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    simplest: dict[str, tuple[Trial, Problem]] = field(default_factory=dict)

    def note(self, trial: Trial, problem: Problem) -> None:
        """Count a problem; of two trials that met it the simpler one is kept."""
        counts = self.weak if problem.weak else self.met
        counts.setdefault(problem.kind, Counter())[trial.property, trial.script.kind] += 1
        self._keep(problem.kind, (trial, problem))

    def _keep(self, kind: str, met: tuple[Trial, Problem]) -> None:
        if kind not in self.simplest or met[0].size < self.simplest[kind][0].size:
            self.simplest[kind] = met

    def add(self, other: Tally) -> None:
        self.worlds += other.worlds
        self.trials += other.trials
        self.verdicts += other.verdicts
        for mine, theirs in ((self.met, other.met), (self.weak, other.weak)):
            for kind, counts in theirs.items():
                mine.setdefault(kind, Counter()).update(counts)
        for kind, met in other.simplest.items():
            self._keep(kind, met)


def write(path: Path, files: dict[str, Any]) -> None:
    """Write a case and its manifest, compactly."""
    lines = []
    for name, content in sorted(files.items()):
        if name.startswith("worker/r2/"):
            text = str(content).encode()
        else:
            rows = content if name.endswith(".jsonl") else [content]
            text = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        lines.append(f"{sha256(text).hexdigest()}  {name}\n")
    (path / "manifest-sha256.txt").write_text("".join(lines))


def answer(files: dict[str, Any]) -> dict[str, Any]:
    """findings.json of a case that lives in memory for one question."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        write(Path(folder), files)
        found: dict[str, Any] = popkit.open_case(Path(folder)).diagnose().as_json()
        return found


def ask(trial: Trial, play: Play | None = None) -> tuple[list[Problem], str]:
    """The problems of one trial, and the verdict of its case."""
    play = play or Play(trial.script)
    taken = make(play, trial.ops)
    try:
        found = answer(taken.files)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return [
            Problem(
                f"fault {type(error).__name__}",
                f"{error} at {Path(where.filename).name}:{where.lineno}",
            )
        ], "fault"
    problems = check(play, taken, found, strict=trial.property == "whole")
    if trial.property == "same":
        chance = random.Random(trial.ops[-1].number if trial.ops else 0)
        problems += differences(found, answer(rendered(taken.files, chance)))
    return problems, str(found["verdict"])


def differences(one: dict[str, Any], two: dict[str, Any]) -> list[Problem]:
    """Where the findings of the same evidence, written twice, are not one; the coverage may count
    lines.
    """
    named = [name for name in one if name != "coverage" and one[name] != two[name]]
    return [
        Problem(f"another {name} of the same evidence in other lines", _apart(one[name], two[name]))
        for name in named
    ]


def _apart(one: Any, two: Any) -> str:
    if isinstance(one, list) and isinstance(two, list):
        only = [row for row in one if row not in two], [row for row in two if row not in one]
        return f"{str(only[0])[:300]} / {str(only[1])[:300]}"
    return f"{str(one)[:300]} / {str(two)[:300]}"


def trials(
    seed: int,
    number: int,
    each: int,
    kinds: tuple[str, ...] = KINDS,
    properties: tuple[str, ...] = PROPERTIES,
) -> Iterator[list[Trial]]:
    """Worlds by chance, `each` questions of every one: the whole evidence first."""
    for index in range(number):
        chance = random.Random(f"{seed}/{index}")
        world = script(kinds[index % len(kinds)], chance)
        found = []
        for count in range(each):
            name = properties[0] if count == 0 else chance.choice(properties[1:] or properties)
            found.append(Trial(world, name, changes(name, chance)))
        yield found


def run(
    seed: int,
    number: int,
    each: int = 4,
    kinds: tuple[str, ...] = KINDS,
    properties: tuple[str, ...] = PROPERTIES,
) -> Tally:
    """Ask about many worlds."""
    tally = Tally()
    for group in trials(seed, number, each, kinds, properties):
        play = Play(group[0].script)
        tally.worlds += 1
        for trial in group:
            tally.trials += 1
            problems, verdict = ask(trial, play)
            tally.verdicts[verdict] += 1
            for problem in problems:
                tally.note(trial, problem)
    return tally


def smaller(trial: Trial, kind: str) -> tuple[Trial, Problem]:
    """The smallest trial that one can come to by leaving out steps and operations, and that still
    shows the problem.
    """

    def shows(other: Trial) -> Problem | None:
        try:
            return next((p for p in ask(other)[0] if p.kind == kind), None)
        except Exception:
            return None

    problem = shows(trial)
    assert problem is not None, kind
    moved = True
    while moved:
        moved = False
        fewer = [
            Trial(trial.script, trial.property, trial.ops[:i] + trial.ops[i + 1 :])
            for i in range(len(trial.ops))
        ]
        fewer += [
            Trial(trial.script.without(i), trial.property, trial.ops)
            for i in range(len(trial.script.steps))
        ]
        for other in fewer:
            found = shows(other)
            if found is not None:
                trial, problem, moved = other, found, True
                break
    return trial, problem
