"""A cutover of a drill's incident, unattended: the same plan, steps and journal as on the real
night, with a person who types at once.

What a person looks up on the plan page is read from the plan. Time is the drill's: waiting lets it
pass.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from popkit.case import open_case
from popkit.collecting.limits import Rate
from popkit.collecting.peer import Conduct
from popkit.cutover.clock import VARIABLE as CLOCK
from popkit.cutover.errors import Stopped
from popkit.cutover.gathering import gather
from popkit.cutover.local import Local, planning_peers
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.planning.stepping import VERIFY
from popkit.cutover.run import Run, create_run
from popkit.cutover.signing.keys import read_key
from popkit.drill.case import write_case
from popkit.drill.incidents import INCIDENTS
from popkit.drill.ledger import Account, minimum_balance
from popkit.drill.live import Drill
from popkit.drill.people import Hands
from popkit.drill.rehearsal import Compared, background
from popkit.drill.running import POCKET_MONEY
from popkit.evidence.layout import CUTOVER as RECORD
from popkit.protocol.accounts import TokenAccount, encode_account
from popkit.protocol.keys import TOKEN_PROGRAM
from popkit.protocol.pda import associated_token_address
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.cutover.pages.screen import Screen
    from popkit.drill.stage import Stage

TOKEN = "the drill's own"
TOKENS = 10_000
"""Base units that a funder holds."""
FINAL_SECONDS = 30.0
"""After so long everything that landed is final."""
QUICK = Conduct(requests=Rate(500), every_method=Rate(500), timeout=20.0)
"""A drill's nodes set no limits."""
VERIFIED, RECORD_FAILS = "verified", "the record does not hold"
FUNDER, WALLET, AUTHORITY = "funder", "operator's wallet", "school"


@dataclass(slots=True)
class Rehearsal:
    """A living incident with a case of it, and what a cutover of it needs; `names` are the
    variables that hold keys and addresses.
    """

    stage: Stage
    drill: Drill
    case: Path
    folder: Path
    names: dict[str, str] = field(default_factory=dict)

    def local(self, *, by_roles: bool = False) -> Local:
        """References to the drill's nodes, worker and keys; `by_roles`: the tokens are somebody
        else's.
        """
        names = self.names
        return Local(
            rpc=f"env:{names['rpc']}",
            second_rpc=f"env:{names['second_rpc']}",
            worker=f"env:{names['worker']}",
            worker_token_env=names["token"],
            authority_key=f"env:{names[AUTHORITY]}",
            funder_key=f"env:{names[FUNDER]}" if by_roles else None,
            wallet_key=f"env:{names[WALLET]}",
        )

    def plan(self, *, by_roles: bool = False, name: str = "run", **asked: Any) -> Run:
        """Plan a cutover of the incident's grant and open its run. Raises Stopped where the plan is
        refused.
        """
        local = self.local(by_roles=by_roles)
        with planning_peers(local, sleep=self.sleep) as (pair, desk):
            request = Request(
                case=open_case(self.case),
                grant=self.stage.grant.address,
                pair=pair,
                desk=desk,
                authority_key=read_key(f"env:{self.names[AUTHORITY]}", "authority", None),
                funder_key=read_key(f"env:{self.names[FUNDER]}", "funder", None)
                if by_roles
                else None,
                **asked,
            )
            plan = make_plan(request)
        run = create_run(self.folder / name, plan, local)
        run.sleep, run.conduct = self.sleep, QUICK
        return run

    def collect_again(self) -> None:
        """The evidence as it is now, in place of the earlier case."""
        self.case = write_case(
            self.folder / f"{self.case.name}-again", self.stage.world.collect(reports=True)
        )

    def record_holds(self, run: Run) -> bool:
        """Whether a diagnosis of evidence taken afterwards shows the cutover as declared by the
        run's record, with nothing against it.
        """
        new = run.plan.new_grant
        grants = [self.stage.grant.address, *([new.address] if new is not None else [])]
        after = gather(run, "after", *grants)
        found = open_case(after.evidence.root, cutover=run.root / RECORD).diagnose()
        codes = {finding.code for finding in found.findings}
        return "cutover_declared" in codes and "cutover_contradicted" not in codes

    def claims(self, count: int) -> dict[str, int]:
        """New wallets claim on the newest event, as the app does; how each ended, counted."""
        hands = Hands(self.drill, Text("-", "-"), "", "")
        outcomes: dict[str, int] = hands.answer("claim", {"count": count})["outcomes"]
        self.sleep(FINAL_SECONDS)
        return outcomes

    def sleep(self, seconds: float) -> None:
        """Let the drill's time pass."""
        self.drill.clock.skip(seconds)
        self.drill.chain.advance()
        self.set_clock()

    def set_clock(self) -> None:
        """Say by how much the drill's time is apart from this machine's."""
        (self.folder / "clock").write_text(f"{self.stage.world.now - time.time():.3f}\n")


def give_tokens(stage: Stage, owner: str, amount: int) -> None:
    """Put tokens of the grant's mint into somebody's own token account, as an earlier transfer
    would have.
    """
    held = encode_account(TokenAccount(stage.grant.mint, owner, amount))
    place = associated_token_address(owner, stage.grant.mint)
    stage.world.ledger.accounts[place] = Account(minimum_balance(len(held)), TOKEN_PROGRAM, held)


def confirmed(run: Run, step: str) -> Screen:
    """One step as a person does it: a dry run, the value looked up on the plan page, and the step
    itself. Raises Stopped.
    """
    chosen = run.step(step)
    dry = chosen.dry()
    if dry.exit_code:
        raise chosen.why_not()
    return chosen.act(f"{chosen.token()}:{chosen.plan.value}" if chosen.plan.value else None)


def carried_out(run: Run) -> list[str]:
    """Every step of a plan, in order; the ids of those that were done. Raises Stopped."""
    for step in run.plan.steps:
        confirmed(run, step.id)
    return [step.id for step in run.plan.steps if run.state(step.id) == "done"]


EXPECTED = {
    "switch": VERIFIED,
    "signer": VERIFIED,
    "key": VERIFIED,
    "wait": "refused: in_flight",
    "none": "refused: nothing_broken",
}
"""How a cutover ends, by the remedy of the incident's answer."""


def asked_for(held: Rehearsal) -> dict[str, Any]:
    """What a plan of the incident is asked for by somebody who knows its answer; a key that was
    copied is replaced at the worker first.
    """
    stage, asked = held.stage, dict[str, Any]()
    remedy = stage.truth().remedy
    if remedy == "key":
        stage.worker.key = stage.world.key("a new key of the worker")
        held.collect_again()
    if (
        remedy in ("key", "signer")
        or not stage.accepted
        or "signer_mismatch" in stage.truth().causes
    ):
        asked["signer"] = stage.worker.signer
    if 0 < stage.world.ledger.grants[stage.grant.address].expires_at <= stage.world.now:
        asked["expires"] = 0
    return asked


def to_the_end(held: Rehearsal, *, by_roles: bool = False) -> str:
    """Cut the incident over as an operator does who knows what the answer says; how it ended:
    `verified`, `refused: …` or `stopped: …`.

    A copied key is replaced first; a signer is typed where the evidence has none or another; claims
    go on where the old grant does.
    """
    try:
        run = held.plan(by_roles=by_roles, **asked_for(held))
    except Stopped as stopped:
        return f"refused: {stopped.code}"
    with run:
        for step in run.plan.steps:
            if step.id == VERIFY and run.plan.remedy == "signer":
                held.claims(2)
            try:
                confirmed(run, step.id)
            except Stopped as stopped:
                return f"stopped: {step.id} {stopped.code}"
        return VERIFIED if held.record_holds(run) else RECORD_FAILS


def gone_on(row: Compared, *, by_roles: bool = False) -> Compared:
    """An answer with the cutover that follows it: planned, carried out and verified, or refused
    where nothing needs one.
    """
    if row.era == "pre_pop":
        return row
    with rehearsing(row.incident, row.era, row.seed) as held:
        wanted = EXPECTED[held.stage.truth().remedy]
        ended = to_the_end(held, by_roles=by_roles)
    differs = row.differs if ended == wanted else row.differs | {"cutover": (wanted, ended)}
    return replace(row, differs=differs, ended=ended)


@contextmanager
def rehearsing(incident: str, era: str, seed: int = 0, *, faults: tuple[str, ...] = (), second_faults: tuple[str, ...] = (),
    worker_faults: tuple[str, ...] = (), behind: int = 0) -> Iterator[Rehearsal]:  # fmt: skip
    """An incident played and brought up on loopback, with a case of it; keys and addresses are in
    environment variables meanwhile.
    """
    stage = INCIDENTS[incident].play(era, seed)
    world = stage.world
    with tempfile.TemporaryDirectory(prefix="popkit-rehearsal-") as named:
        folder = Path(named)
        case = write_case(folder / "case", world.collect(reports=True))
        world.live(200)
        drill = Drill(
            world,
            TOKEN,
            faults=faults,
            second_faults=second_faults,
            worker_faults=worker_faults,
            seed=seed,
            behind=behind,
        )
        with background(drill) as at:
            known = {
                "rpc": at.rpc,
                "second_rpc": at.second_rpc,
                "worker": at.worker,
                "token": TOKEN,
            }
            for role in (AUTHORITY, FUNDER, WALLET):
                known[role] = str(_write_key(folder, world.key(role)))
                if role != AUTHORITY:
                    world.ledger.fund(world.address(role), POCKET_MONEY)
            give_tokens(stage, world.address(FUNDER), TOKENS)
            names = {name: "POPKIT_REHEARSAL_" + re.sub(r"\W", "_", name).upper() for name in known}
            held = Rehearsal(stage, drill, case, folder, names)
            with _environment(
                {names[name]: value for name, value in known.items()}
                | {CLOCK: str(folder / "clock")}
            ):
                held.set_clock()
                yield held


def _write_key(folder: Path, key: object) -> Path:
    place = (
        folder / "keys" / f"{len(list((folder / 'keys').glob('*')))}.json"
        if (folder / "keys").is_dir()
        else folder / "keys" / "0.json"
    )
    place.parent.mkdir(exist_ok=True)
    place.touch(mode=0o600)
    place.write_text(json.dumps(list(bytes(key))))  # type: ignore[call-overload]
    return place


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
