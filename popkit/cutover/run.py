"""A run: one plan, its journal, and how this machine reaches the peers. What was done is what the
journal says, nothing else.

run = popkit.open_run("RUN") run.status()                    # where we are, what is next, what is
outstanding, what waiting costs run.step("2").show()            # one screen run.step("2").dry()
# looks and simulates; changes nothing run.step("2").act(confirm="TOKEN:VALUE")
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from popkit.cutover import local as places
from popkit.cutover import plan as plans
from popkit.cutover.clock import wall
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.journals.durable import synced
from popkit.cutover.journals.journal import NAME as JOURNAL
from popkit.cutover.journals.journal import Entry, Journal
from popkit.cutover.plan import Plan, StepPlan
from popkit.cutover.planning.survey import Pair
from popkit.cutover.reasons import stop
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.signing.keys import Signer, read_key
from popkit.cutover.signing.quiet import silence
from popkit.texts import Language, chosen_language

if TYPE_CHECKING:
    from popkit.collecting.peer import Conduct
    from popkit.cutover.desk.client import Exchange
    from popkit.cutover.pages.screen import Screen
    from popkit.cutover.steps import Step

State = Literal["open", "done", "unknown", "failed", "waiting"]
DONE, ACTING, FAILED, UNKNOWN, EXPIRED, GIVEN_UP = (
    "done",
    "acting",
    "failed",
    "unknown",
    "expired",
    "given_up",
)
"""Kinds of journal entries that say how a step stands. `expired` opens a step again: what was begun
is proven to have had no end.
"""
LOOKED = "looked"


@dataclass(slots=True)
class Run:
    """One cutover on this machine. `wall` is this machine's clock; `sleep` waits; `beat` is the
    seconds between two sends.
    """

    root: Path
    plan: Plan
    digest: str
    journal: Journal
    local: places.Local
    language: Language = "en"
    wall: Callable[[], float] = wall
    sleep: Callable[[float], None] = time.sleep
    beat: float = 2.0
    conduct: Conduct | None = None
    """How quickly cases are collected; None for what public nodes allow."""
    _pair: Pair | None = None
    _desk: WorkerDesk | None = None
    _keys: dict[str, Signer] = field(default_factory=dict)

    # where things are

    @property
    def attempts(self) -> Path:
        """Signed bytes, before the first send."""
        place = self.root / "attempts"
        place.mkdir(exist_ok=True)
        return place

    @property
    def evidence(self) -> Path:
        """Small cases taken before and after steps."""
        place = self.root / "evidence"
        place.mkdir(exist_ok=True)
        return place

    def pair(self) -> Pair:
        """Both endpoints, opened once."""
        if self._pair is None:
            first, second = (
                Endpoint(name, self.local.node(name), sleep=self.sleep)
                for name in ("rpc", "second_rpc")
            )
            self.journal.guard([*first.address.secrets(), *second.address.secrets()])
            self._pair = Pair(first, second, self.sleep)
            self.journal.cluster_time = lambda: first.newest_clock
        return self._pair

    def desk(self) -> WorkerDesk:
        """The worker, opened once; earlier attempts to make an event count for its pace."""
        if self._desk is None:
            address = self.local.desk_address()
            self.journal.guard(address.secrets())
            attempted = [
                float(entry.at.wall) for entry in self.journal.of("2.4") if entry.kind == ACTING
            ]
            self._desk = WorkerDesk(address, keep=self._keep, attempted=attempted, sleep=self.sleep)
        return self._desk

    def _keep(self, exchange: Exchange) -> None:
        """Keep what the worker was asked and answered, as evidence; the token is nowhere in it."""
        with (self.evidence / "worker.jsonl").open("a") as file:
            file.write(json.dumps(exchange.as_json()) + "\n")

    def key(self, role: str) -> Signer:
        """The key of a role, held against the plan before anything else. Raises Stopped, or
        UsageError where none is named.
        """
        if role not in self._keys:
            reference = getattr(self.local, f"{role}_key") or (
                self.local.authority_key if role == "funder" else None
            )
            if reference is None:
                raise places.needed(f"{role}-key")
            key = read_key(reference, role, self.root)
            wanted = getattr(self.plan.roles, role, None)
            if wanted is not None and key.public_key != wanted:
                raise stop("wrong_authority", authority=wanted, given=key.public_key)
            self._keys[role] = key
        return self._keys[role]

    def close(self) -> None:
        """End every connection."""
        if self._pair is not None:
            self._pair.close()
        if self._desk is not None:
            self._desk.close()
        self._pair = self._desk = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # how it stands

    @property
    def is_given_up(self) -> bool:
        """Whether this run was abandoned."""
        return self.journal.last(GIVEN_UP) is not None

    def state(self, step: str) -> State:
        """How a step stands, by the journal: an attempt without an end is unknown, whoever stopped
        it.
        """
        state: State = "open"
        for entry in self.journal.of(step):
            if entry.kind == ACTING:
                state = "unknown"
            elif entry.kind in (DONE, FAILED, UNKNOWN):
                state = entry.kind  # type: ignore[assignment]
            elif entry.kind == EXPIRED:
                state = "open"
        return state

    def result(self, step: str) -> Entry | None:
        """The journal's entry that says that a step was done."""
        entry = self.journal.last(DONE, step)
        return entry if entry is not None and self.state(step) == "done" else None

    def next_step(self) -> StepPlan | None:
        """The first step that is not done; optional ones are passed over."""
        return next(
            (
                step
                for step in self.plan.steps
                if not step.optional and self.state(step.id) != "done"
            ),
            None,
        )

    def before(self, step: str) -> str | None:
        """The step that must be done before this one and is not; None where nothing stands in the
        way.
        """
        for other in self.plan.steps:
            if other.id == step:
                return None
            if not other.optional and self.state(other.id) != "done":
                return other.id
        return None

    # what a person asks for

    def step(self, name: str) -> Step:
        """A step by its id. Raises UsageError where the plan has no such step, Stopped for a draft,
        which has none.
        """
        from popkit.cutover.steps import step_of

        if self.plan.draft:
            raise stop("draft")
        return step_of(self, self.plan.step(name))

    def status(self) -> Screen:
        """Where we are, what is next, what is outstanding, and what happens if nothing is done."""
        from popkit.cutover.pages.pages import status_screen

        return status_screen(self).in_language(self.language)

    def show(self) -> Screen:
        """The plan on one screen."""
        from popkit.cutover.pages.pages import plan_screen

        return plan_screen(self.plan, self.digest, str(self.root)).in_language(self.language)


def create_run(root: Path, plan: Plan, local: places.Local) -> Run:
    """Write a new run: plan, its page, the references of this machine, and the journal's first
    entry. Raises FileExistsError.
    """
    from popkit.cutover.pages.pages import write_pages

    root.mkdir(parents=True)
    digest = plans.write_plan(root, plan)
    local.write(root)
    write_pages(root, plan, digest)
    synced(root / plans.FILE, root)
    # Last: a folder without a journal is no run, so that a kill before this leaves nothing that could act.
    Journal.create(root / JOURNAL, digest)
    return open_run(root)


def open_run(root: str | Path, *, language: str | None = None, **local: str | None) -> Run:
    """Open a run. `language` is 'en' or 'ja'; other keywords replace this machine's references
    (rpc, worker, authority_key, …).
    """
    import os

    silence()
    place = Path(root)
    plan = plans.read_plan(place)
    digest = plans.digest(plan)
    journal = Journal.open(place / JOURNAL, digest)
    return Run(
        place,
        plan,
        digest,
        journal,
        places.read_local(place).with_options(**local),
        chosen_language(language, os.environ),
    )
