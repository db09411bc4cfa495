"""A living drill for the tests of planning: many plans against one world, each with what is changed
for it and put back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import popkit
from popkit.case import Case
from popkit.cutover.clock import VARIABLE as CLOCK
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.errors import Stopped
from popkit.cutover.plan import Plan
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.planning.survey import Pair
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.signing.keys import Signer, read_key
from popkit.drill.cutover import AUTHORITY, FUNDER, Rehearsal, rehearsing
from popkit.drill.faults import split
from popkit.drill.incidents import INCIDENTS
from popkit.drill.incidents.act import POP, Act, Incident
from popkit.drill.ledger import Account
from popkit.drill.people import Hands
from popkit.drill.stage import Stage
from popkit.texts import Text


@cache
def _opened(case: Path) -> Case:
    return popkit.open_case(case)


@dataclass
class Night:
    """A living incident that is planned for, again and again. `asked` is what every plan of it is
    asked for.
    """

    held: Rehearsal
    asked: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def here(self) -> None:
        """Make the environment this night's: several may be alive, and each has the same names for
        its own keys and addresses.
        """
        os.environ.update(self.variables)

    @property
    def stage(self) -> Stage:
        return self.held.stage

    def key(self, role: str) -> Signer:
        self.here()
        return read_key(f"env:{self.held.names[role]}", "authority", None)

    def plan(self, case: Path | None = None, **asked: Any) -> Plan:
        """A plan as the command line makes it. Raises Stopped."""
        self.here()
        local = self.held.local()
        first, second = (
            Endpoint(each, local.node(each), sleep=self.held.sleep)
            for each in ("rpc", "second_rpc")
        )
        asked = {
            "desk": WorkerDesk(local.desk_address(), sleep=self.held.sleep),
            "pair": Pair(first, second, self.held.sleep),
        } | asked
        options = {"authority_key": self.key(AUTHORITY)} | self.asked | asked
        if options.pop("by_roles", False):
            options["funder_key"] = self.key(FUNDER)
        try:
            return make_plan(
                Request(
                    case=_opened(case or self.held.case), grant=self.stage.grant.address, **options
                )
            )
        finally:
            for peer in (asked["pair"], asked["desk"]):
                if peer is not None:
                    peer.close()

    def refused(self, **asked: Any) -> Stopped:
        """Why a plan is refused; AssertionError where it is not."""
        try:
            self.plan(**asked)
        except Stopped as stopped:
            return stopped
        raise AssertionError("the plan was not refused")

    def code(self, **asked: Any) -> str:
        return self.refused(**asked).code

    @contextmanager
    def accounts(self, changed: dict[str, Account | None]) -> Iterator[None]:
        """Some accounts are otherwise while the block runs, on every node; None: not there."""
        accounts = self.stage.world.ledger.accounts
        before = {key: accounts.get(key) for key in changed}
        _put(accounts, changed)
        try:
            yield
        finally:
            _put(accounts, before)

    def lamports(self, key: str, lamports: int) -> Any:
        """An account with other lamports while the block runs."""
        return self.accounts(
            {key: replace(self.stage.world.ledger.accounts.get(key, Account(0)), lamports=lamports)}
        )

    @contextmanager
    def faults(
        self, first: Sequence[str] = (), second: Sequence[str] = (), behind: int = 0
    ) -> Iterator[None]:
        """The nodes have faults while the block runs."""
        nodes = self.held.drill.nodes
        for node, specs in zip(nodes, (first, second), strict=False):
            node.suffer(*split(specs, 0))
        nodes[1].live.behind = behind
        try:
            yield
        finally:
            for node in nodes[:2]:
                node.suffer(*split((), 0))
            nodes[1].live.behind = 0

    def upset(self, what: str, value: str = "") -> None:
        """Something of `popkit drill upset`."""
        Hands(self.held.drill, "", "", "").answer("upset", {"upset": what, "value": value})

    def settle(self) -> None:
        """Let what landed become final."""
        self.held.sleep(30)


def _put(accounts: dict[str, Account], changed: dict[str, Account | None]) -> None:
    for key, account in changed.items():
        if account is None:
            accounts.pop(key, None)
        else:
            accounts[key] = account


@contextmanager
def night(incident: str, era: str, seed: int = 0, **asked: Any) -> Iterator[Night]:
    """A living incident whose newest block is final."""
    with rehearsing(incident, era, seed) as held:
        found = Night(
            held, asked, {name: os.environ[name] for name in (*held.names.values(), CLOCK)}
        )
        found.settle()
        yield found


def scene(monkeypatch: Any, play: Any, **how: Any) -> str:
    """The name of an incident of a test's own, which the drill then knows."""
    act = Act("a test's own", Text("-", "-"), play, **{"eras": POP, **how})
    monkeypatch.setitem(INCIDENTS, act.name, Incident.of(act))
    return act.name
