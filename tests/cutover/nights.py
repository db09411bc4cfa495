"""Nights that go wrong: a living drill in this process, an operator in another one that can be
killed, and what is on the chain after.

The child opens the run as the command line does; letting time pass is asked of the test over
loopback, as the drill lives there.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from popkit.cutover.errors import Stopped
from popkit.cutover.journals.journal import Journal
from popkit.cutover.plan import Plan
from popkit.cutover.resolving import resolve
from popkit.cutover.run import Run, open_run
from popkit.drill.cutover import QUICK, Rehearsal, confirmed
from popkit.drill.people import Hands
from popkit.protocol.instructions import decode_instruction
from popkit.protocol.transaction import decode_result
from popkit.texts import Text
from tests.cutover.killing import Kill, run_child

EVERY = os.environ.get("POPKIT_EVERY") == "1"
"""Whether every point is tried, which takes long; else a few of them."""
TIME = "POPKIT_TEST_TIME"
"""The variable that names the port at which time can be let pass."""


@contextmanager
def time_for_children(held: Rehearsal) -> Iterator[None]:
    """Let children of this block's test make the drill's time pass: each connection asks for so
    many seconds.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked = connection.makefile().readline()
                    if asked:
                        held.sleep(float(asked))
                        connection.sendall(b"ok\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        os.environ[TIME] = str(server.getsockname()[1])
        try:
            yield
        finally:
            del os.environ[TIME]
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def let_pass(seconds: float) -> None:
    """Ask the test to let time pass."""
    with socket.create_connection(("127.0.0.1", int(os.environ[TIME]))) as connection:
        connection.sendall(f"{seconds}\n".encode())
        connection.makefile().readline()


def reopened(root: Path, sleep: Any = let_pass) -> Run:
    """A run as another process finds it."""
    run = open_run(root)
    run.sleep, run.conduct = sleep, QUICK
    return run


def operator(root: Path, step: str) -> None:
    """A child's whole work: one step."""
    with reopened(root) as run:
        confirmed(run, step)


def is_killed(held: Rehearsal, root: Path, step: str, kill: Kill) -> bool:
    """Have an operator's process do a step and be killed; whether it was, or ended before that."""
    with time_for_children(held):
        return run_child(operator, (root, step), kill, timeout=120)


def taken_up(held: Rehearsal, root: Path, step: str) -> list[str]:
    """Go on with a step after a kill, as the advice says: status, resolve where it says so, the
    step again. What was needed.
    """
    needed = []
    with reopened(root, held.sleep) as run:
        if run.status().exit_code:
            needed.append("resolve")
            assert resolve(run, step).exit_code == 0
        if run.state(step) != "done":
            needed.append("again")
            confirmed(run, step)
        else:
            run.step(step).act()
    return needed


def landed(held: Rehearsal, plan: Plan) -> Counter[str]:
    """What succeeded on the chain for a plan's accounts, counted by the program's instructions."""
    mine = {plan.old_grant.address}
    if plan.new_grant is not None:
        mine |= {plan.new_grant.address, plan.new_grant.vault}
    if plan.signer is not None:
        mine.add(plan.signer.pop_config)
    begun = plan.cluster.block.slot if plan.cluster is not None else 0
    found = Counter[str]()
    for block in held.stage.world.landed:
        if block.err is None and block.slot > begun:
            calls = [
                one
                for one in decode_result(block.result).instructions
                if one.program == plan.program.program_id
            ]
            found.update(
                decode_instruction(one.data or b"", one.accounts).name
                for one in calls
                if mine & set(one.accounts)
            )
    return found


def events_of(held: Rehearsal, plan: Plan) -> list[str]:
    """The worker's events that are linked to the new grant."""
    assert plan.new_grant is not None
    return [
        name
        for name, row in held.drill.worker.events.items()
        if row.get("solanaGrantId") == plan.new_grant.grant_id
    ]


def assert_whole(root: Path) -> None:
    """The journal's chain holds, from its file alone, and no line is torn."""
    journal = Journal.open(root / "journal.jsonl")
    assert journal.entries[-1].hash == journal.head


def code_of(ask: Any) -> str:
    """The code with which something stops. Fails where it does not."""
    with pytest.raises(Stopped) as caught:
        ask()
    assert str(caught.value.reason), "a stop has a reason"
    assert str(caught.value.advice), "a stop says what to do"
    return caught.value.code


def hands(held: Rehearsal) -> Hands:
    """The hands on a rehearsal's drill."""
    return Hands(held.drill, Text("-", "-"), "", "")
