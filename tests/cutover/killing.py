"""A process that is killed (SIGKILL) at its n-th call of a function, for every n until it ends by
itself.

def act(run: Path) -> None: ...                       # module-level, so that another process can
import it; its arguments pickle

for killed in killed_everywhere(act, lambda: (new_run(),), at=("os:fsync",
"popkit.cutover.sending.sending:send")): (run,) = killed.args                              # what
`fresh` gave: a run that nothing else has touched ...
# look at what is left, go on from it, look again

A *point* is `module:name` (or `module:Class.name`), as the code under test looks it up when it
calls: `os:fsync` for `os.fsync(fd)`, and for `from x import send` in module `m`, `m:send`. Calls of
all points are counted together, in every thread; coroutines are awaited first. *Where* at a call
the process dies: `before` it, `after` it (its effect is there, its caller never learns), and for
`os:write` `halfway`: half of the bytes are written. `killed_everywhere` asks n = 1, 2, 3… until the
child ends by itself, so that no call is left out; each child gets arguments of its own from
`fresh`. To kill twice in one run, or to go on in a new process, call `run_child` yourself.

The child is forked from a server that holds nothing of the test's own threads (multiprocessing's
forkserver), in about 20 ms; it has the test's environment and working directory as they are at that
moment, but nothing else of its memory. A world that lives in a thread of the test is reached over
loopback, as it would be from the command line. An exception in the child fails the test with the
child's traceback.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

Where = Literal["before", "after", "halfway"]
FSYNC = ("os:fsync",)
MOST = 400
"""Calls after which a child that does not end by itself is taken for one that never will."""
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "popkit.cutover.journals.journal",
        "solana.rpc.async_api",
        "pytest",
        "hypothesis",
        "tests.cutover.killing",
    ]
)
"""What the server imports once, as every child would take that time again."""


@dataclass(frozen=True)
class Kill:
    """Where a child dies: at its n-th call of any of the points."""

    n: int
    where: Where = "before"
    at: tuple[str, ...] = FSYNC

    def __str__(self) -> str:
        return f"killed {self.where} call {self.n} of {', '.join(self.at)}"


@dataclass(frozen=True)
class Killed:
    """A child that was killed, and the arguments it had."""

    kill: Kill
    args: tuple[Any, ...]


class ChildFailed(AssertionError):
    """The child raised, or ended otherwise than it should; the text is its traceback."""


def killed_everywhere(
    child: Callable[..., object],
    fresh: Callable[[], tuple[Any, ...]],
    at: Sequence[str] = FSYNC,
    where: Sequence[Where] = ("before", "after"),
    timeout: float = 60,
) -> Iterator[Killed]:
    """Each way in which the child was killed, after the fact; ends once it ended by itself in every
    `where`.
    """
    for place in where:
        for n in itertools.count(1):
            assert n <= MOST, f"the child was killed {MOST} times and never ended by itself"
            kill, args = Kill(n, place, tuple(at)), fresh()
            if not run_child(child, args, kill, timeout):
                break
            yield Killed(kill, args)


def run_child(
    child: Callable[..., object],
    args: tuple[Any, ...] = (),
    kill: Kill | None = None,
    timeout: float = 60,
) -> bool:
    """Run a function in a process of its own; whether it was killed where `kill` says (False: it
    ended by itself before).

    Raises ChildFailed with its traceback where it raised, and where it did not end within `timeout`
    seconds (it is then ended).
    """
    ours, theirs = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(
        target=_run, args=(child, args, kill, dict(os.environ), os.getcwd(), list(sys.path), theirs)
    )
    process.start()
    theirs.close()
    try:
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise ChildFailed(f"the child did not end within {timeout} s")
        failure = ours.recv() if ours.poll() and process.exitcode == 1 else ""
    finally:
        ours.close()
    code = process.exitcode
    process.close()
    if code == -signal.SIGKILL and kill is not None:
        return True
    if code != 0:
        raise ChildFailed(f"the child ended with {code}\n{failure}")
    return False


def _run(
    child: Callable[..., object],
    args: tuple[Any, ...],
    kill: Kill | None,
    environment: dict[str, str],
    folder: str,
    path: list[str],
    failures: Connection,
) -> None:
    """The child's side."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = path
    try:
        if kill is not None:
            _plant(kill)
        child(*args)
    except BaseException:
        failures.send(traceback.format_exc())
        os._exit(1)
    os._exit(0)


def _plant(kill: Kill) -> None:
    """Put a counter around every point."""
    calls = itertools.count(1)
    for point in kill.at:
        module, _, names = point.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, name = names.split(".")
        for step in outer:
            owner = getattr(owner, step)
        setattr(owner, name, _counted(getattr(owner, name), calls, kill))


def _counted(function: Callable[..., Any], calls: Iterator[int], kill: Kill) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        async def awaited(*args: Any, **named: Any) -> Any:
            is_it = next(calls) == kill.n
            _die(is_it and kill.where == "before")
            result = await function(*args, **named)
            _die(is_it)
            return result

        return awaited

    def called(*args: Any, **named: Any) -> Any:
        is_it = next(calls) == kill.n
        _die(is_it and kill.where == "before")
        if is_it and kill.where == "halfway":
            file, data = args
            function(file, data[: len(data) // 2])
            _die(True)
        result = function(*args, **named)
        _die(is_it)
        return result

    return called


def _die(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()  # the signal is on its way to this very process: nothing more may happen in this thread
