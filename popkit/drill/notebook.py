"""What `05_rehearse.ipynb` calls: a drill from start to write-up, with the time that each step took.

from popkit.drill import notebook
drill = notebook.start("", "strict", "", "drill")
notebook.collect(drill)
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from popkit.drill import running
from popkit.drill.command import incident_of, surprise
from popkit.reporting.blocks import Cell, Facts, Note, Table
from popkit.texts import Language, Text, speak

T = TypeVar("T")
STEPS = {
    "collected": Text("evidence collected", "証拠を収集"),
    "diagnosed": Text("diagnosed", "診断"),
    "decided": Text("decided", "判断"),
}
SAID = Text("You decided: {decision}.", "あなたの判断: {decision}")
RIGHT = Text("That is right.", "正解です。")
WRONG = Text("The drill's own answer is: {remedy}.", "正しい対応: {remedy}")


@dataclass(slots=True)
class Rehearsal:
    """A running drill and what the person at the keyboard did, with seconds since its start."""

    folder: Path
    state: dict[str, Any]
    language: Language
    began: float
    took: dict[str, float] = field(default_factory=dict)
    answer: Any = None
    decision: str = ""
    truth: dict[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.shown()._repr_mimebundle_(include, exclude)

    def shown(self) -> Facts:
        """Where the drill is."""
        rows: dict[str, Cell] = {name: self.state[name] for name in ("rpc", "second_rpc", "worker", "grant", "event", "answer_sha256")}
        return Facts("A drill runs on this machine", {"folder": str(self.folder), **rows})

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note when a step was done, in seconds since the start."""
        yield
        self.took[name] = time.monotonic() - self.began

    @property
    def case(self) -> Path:
        return self.folder / "case"


def start(incident: str, era: str, seed: str, folder: str, language: str = "en") -> Rehearsal:
    """Bring a drill up; empty names are a surprise. Raises UsageError for what cannot be."""
    number = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
    found, chosen = incident_of(incident, era or None) if incident else surprise(era or None, number)
    place = Path(folder)
    state = running.start(place, running.Wanted(found.name, chosen, number))
    return Rehearsal(place, state, "ja" if language == "ja" else "en", time.monotonic())


def collect(drill: Rehearsal) -> Facts:
    """Collect from the drill as on the night: both nodes, the worker, the grant."""
    from popkit.collecting.address import Address
    from popkit.collecting.collect import collect as collecting
    from popkit.collecting.options import Options

    token = (drill.folder / "worker-token").read_text().strip()
    options = Options(
        out=drill.case,
        name="rehearsal",
        rpc=Address(drill.state["rpc"]),
        second=Address(drill.state["second_rpc"]),
        worker=Address(drill.state["worker"], (("Authorization", f"Bearer {token}"),)),
        has_token=True,
        grants=(drill.state["grant"],),
    )
    with drill.step("collected"):
        found = _apart(lambda: collecting(options))
    return Facts("Collected", {"case": str(drill.case), "complete": "yes" if found.complete else "no"})


def diagnose(drill: Rehearsal) -> Facts:
    """Diagnose the collected case."""
    import popkit

    with drill.step("diagnosed"):
        drill.answer = popkit.open_case(drill.case).diagnose()
    row = drill.answer.grant(drill.state["grant"]).as_json()
    rows: dict[str, Cell] = {"verdict": row["verdict"], "causes": ", ".join(row["causes"]) or "none"}
    rows["exit code"] = str(drill.answer.exit_code)
    return Facts("popkit's answer", rows)


def decide(drill: Rehearsal, decision: str) -> Note:
    """Write down what you would do: none, wait, switch (a new grant), signer (pop-config alone) or key (a new key first)."""
    with drill.step("decided"):
        drill.decision = decision.strip().lower()
    return Note(speak(SAID(decision=drill.decision or "–"), drill.language))


def reveal(drill: Rehearsal) -> Facts:
    """Open the sealed answer."""
    found = running.ask(drill.folder, "reveal")
    drill.truth = found["answer"]
    rows: dict[str, Cell] = {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in drill.truth.items()}
    return Facts(found["told"][drill.language], rows)


def page(drill: Rehearsal) -> Table:
    """What a team keeps: how long each step took, what was decided, and what was right."""
    rows = [[speak(STEPS[name], drill.language), f"{seconds:.0f} s"] for name, seconds in drill.took.items()]
    remedy = str(drill.truth.get("remedy", "–"))
    note = RIGHT() if drill.decision == remedy else WRONG(remedy=remedy)
    return Table("Times since the start", ["step", "time"], rows, note=speak(note, drill.language))


def stop(drill: Rehearsal) -> Note:
    """End the drill; its folder stays."""
    running.stop(drill.folder)
    return Note(f"The drill has ended; its folder stays: {drill.folder}")


def _apart(what: Callable[[], T]) -> T:
    """Run something in a thread of its own: Jupyter's own loop is running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(what).result()
