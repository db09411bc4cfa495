"""What `05_rehearse.ipynb` calls: a drill from start to write-up, with the time that each step
took.

from popkit.protocol.keys import PROGRAM_ID from popkit.drill import notebook drill =
notebook.start("", "strict", "", "drill") notebook.collect(drill)
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from popkit.case import open_case
from popkit.cutover.errors import Stopped
from popkit.cutover.local import Local, planning_peers
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.run import Run, create_run
from popkit.cutover.signing.keys import read_key
from popkit.drill import running
from popkit.drill.choosing import incident_of, surprise
from popkit.drill.cutover import QUICK, confirmed
from popkit.pages.blocks import Cell, Facts, Note, Table
from popkit.texts import Language, Text, speak

T = TypeVar("T")
STEPS = {
    "collected": Text("evidence collected", "証拠を収集"),
    "diagnosed": Text("diagnosed", "診断"),
    "decided": Text("decided", "判断"),
    "planned": Text("planned", "計画"),
    "switched": Text("switched", "切り替え"),
    "verified": Text("verified", "検証"),
}
SWITCHES = ("2", "2.2", "2.3")
"""Steps after which the next claim can succeed: the newest of them that a plan has."""
NO_PLAN = Text(
    "No cutover was planned, so there is nothing to carry out.",
    "計画がないため、実行するものはありません。",
)
REFUSED = Text(
    "popkit refuses to plan: {reason} What to do: {advice}",
    "popkit は計画を拒否しました: {reason} 対応: {advice}",
)
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
    run: Run | None = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.shown()._repr_mimebundle_(include, exclude)

    def shown(self) -> Facts:
        """Where the drill is."""
        rows: dict[str, Cell] = {
            name: self.state[name]
            for name in ("rpc", "second_rpc", "worker", "grant", "event", "answer_sha256")
        }
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
    found, chosen = (
        incident_of(incident, era or None) if incident else surprise(era or None, number)
    )
    place = Path(folder)
    state = running.start(place, running.Wanted(found.name, chosen, number))
    return Rehearsal(place, state, "ja" if language == "ja" else "en", time.monotonic())


def collect(drill: Rehearsal) -> Facts:
    """Collect from the drill as on the night: both nodes, the worker, the grant."""
    from popkit.collecting.address import Address
    from popkit.collecting.collect import collect as collecting
    from popkit.collecting.options import Options
    from popkit.protocol.keys import PROGRAM_ID

    token = (drill.folder / "worker-token").read_text().strip()
    options = Options(
        out=drill.case,
        name="rehearsal",
        program_id=PROGRAM_ID,
        rpc=Address(drill.state["rpc"]),
        second=Address(drill.state["second_rpc"]),
        worker=Address(drill.state["worker"], (("Authorization", f"Bearer {token}"),)),
        has_token=True,
        grants=(drill.state["grant"],),
    )
    with drill.step("collected"):
        found = _apart(lambda: collecting(options))
    return Facts(
        "Collected", {"case": str(drill.case), "complete": "yes" if found.complete else "no"}
    )


def diagnose(drill: Rehearsal) -> Facts:
    """Diagnose the collected case."""
    with drill.step("diagnosed"):
        drill.answer = open_case(drill.case).diagnose()
    row = drill.answer.grant(drill.state["grant"]).as_json()
    rows: dict[str, Cell] = {
        "verdict": row["verdict"],
        "causes": ", ".join(row["causes"]) or "none",
    }
    rows["exit code"] = str(drill.answer.exit_code)
    return Facts("popkit's answer", rows)


def decide(drill: Rehearsal, decision: str) -> Note:
    """Write down what you would do: none, wait, switch (a new grant), signer (pop-config alone) or
    key (a new key first).
    """
    with drill.step("decided"):
        drill.decision = decision.strip().lower()
    return Note(speak(SAID(decision=drill.decision or "–"), drill.language))


def plan(drill: Rehearsal) -> Screen | Note:
    """Plan the cutover that was decided on, as `popkit cutover plan` does; what refuses it is
    shown. A decision for none plans nothing.
    """
    if drill.decision not in ("switch", "signer", "key"):
        return Note(speak(NO_PLAN(), drill.language))
    try:
        with drill.step("planned"):
            drill.run = _apart(lambda: _planned(drill))
    except Stopped as stopped:
        del drill.took["planned"]
        return Note(speak(REFUSED(reason=stopped.reason, advice=stopped.advice), drill.language))
    return drill.run.show()


def _planned(drill: Rehearsal) -> Run:
    os.environ.update(_exported(drill.folder / "env"))
    local = Local(
        rpc="env:DRILL_RPC", second_rpc="env:DRILL_SECOND_RPC", worker="env:DRILL_WORKER", worker_token_env="DRILL_TOKEN",
        authority_key="env:DRILL_AUTHORITY_KEY", wallet_key="env:DRILL_WALLET_KEY",
    )  # fmt: skip
    with planning_peers(local) as (pair, desk):
        asked = Request(
            case=open_case(drill.case),
            grant=drill.state["grant"],
            pair=pair,
            desk=desk,
            authority_key=read_key("env:DRILL_AUTHORITY_KEY", "authority", None),
            signer=os.environ["DRILL_SIGNER"] if drill.decision in ("signer", "key") else None,
        )
        made = make_plan(asked)
    run = create_run(drill.folder / "run", made, local)
    run.language, run.conduct = drill.language, QUICK
    return run


def _exported(place: Path) -> dict[str, str]:
    """What a drill's `env` exports."""
    lines = (line.removeprefix("export ").partition("=") for line in place.read_text().splitlines())
    return {name: value for name, _, value in lines}


def cut_over(drill: Rehearsal) -> Screen | Note:
    """Carry every step out at once, each dry first and then confirmed, and note when claims could
    succeed and when that was verified.

    By hand one does the same in `50_cutover.ipynb`, with the folder `run` of this drill.
    """
    run = drill.run
    if run is None:
        return Note(speak(NO_PLAN(), drill.language))
    last = [step.id for step in run.plan.steps if step.id in SWITCHES][-1]
    for step in run.plan.steps:
        if step.id == "4" and run.plan.remedy == "signer":
            running.ask(drill.folder, "claim", count=2)
        _apart(lambda named=step.id: confirmed(run, named))  # type: ignore[misc]
        if step.id in (last, "4"):
            with drill.step("switched" if step.id == last else "verified"):
                pass
    return run.status()


def reveal(drill: Rehearsal) -> Facts:
    """Open the sealed answer."""
    found = running.ask(drill.folder, "reveal")
    drill.truth = found["answer"]
    rows: dict[str, Cell] = {
        name: ", ".join(value) if isinstance(value, list) else str(value)
        for name, value in drill.truth.items()
    }
    return Facts(found["told"][drill.language], rows)


def page(drill: Rehearsal) -> Table:
    """What a team keeps: how long each step took, what was decided, and what was right."""
    rows = [
        [speak(STEPS[name], drill.language), f"{seconds:.0f} s"]
        for name, seconds in drill.took.items()
    ]
    remedy = str(drill.truth.get("remedy", "–"))
    note = RIGHT() if drill.decision == remedy else WRONG(remedy=remedy)
    return Table("Times since the start", ["step", "time"], rows, note=speak(note, drill.language))


def stop(drill: Rehearsal) -> Note:
    """End the drill; its folder stays."""
    running.stop(drill.folder)
    if drill.run is not None:
        drill.run.close()
    return Note(f"The drill has ended; its folder stays: {drill.folder}")


def _apart(what: Callable[[], T]) -> T:
    """Run something in a thread of its own: Jupyter's own loop is running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(what).result()
