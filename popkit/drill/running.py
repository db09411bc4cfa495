"""A drill as a process of its own: what it keeps in a folder, and how the command line speaks to
it.

DRILL/drill.json        addresses, grant, event, the digest of the sealed answer, and how to reach
the process DRILL/worker-token      the operator's token for the worker DRILL/clock             by
how many seconds the drill's time is apart from this machine's DRILL/env               addresses,
token, grant and where the keys lie, for a shell: `source DRILL/env`

The operator's keys, made for this drill, lie in a folder of their own outside of any repository, in
the format of solana-keygen; they go when the drill stops.

The answer itself is in the process's memory alone until `reveal`. Everything listens on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popkit.errors import UsageError

STATE = "drill.json"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_STARTED: dict[Path, subprocess.Popen[bytes]] = {}
"""Drills that this process started: whoever starts and stops one in one process waits for its end.
"""
KEYS = {"authority": "school", "wallet": "operator's wallet"}
"""The operator's keys by file, and whose they are in the world."""
POCKET_MONEY = 1_000_000_000
"""Lamports in the operator's wallet, which takes the first claim on a new grant."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a drill is started with. `faults` are those of the first node, `second_faults` of the
    second.
    """

    incident: str
    era: str
    seed: int
    slot_ms: int = 200
    faults: tuple[str, ...] = ()
    second_faults: tuple[str, ...] = ()
    behind: int = 0

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def start(folder: Path, wanted: Wanted) -> dict[str, Any]:
    """Start a drill in the background and give its state. Raises UsageError where the folder is
    taken or the drill does not come up.
    """
    if (folder / STATE).exists():
        raise UsageError(
            f"{folder}: holds a drill already; stop it with 'popkit drill stop --drill {folder}', "
            f"or give another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "drill.log").open("ab")
    with log:
        child = subprocess.Popen(
            [sys.executable, "-m", "popkit.drill.running", str(folder)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    assert child.stdin is not None
    # By the pipe, so that neither the list of processes nor the folder tells what the incident is.
    child.stdin.write(json.dumps(wanted.as_json()).encode())
    child.stdin.close()
    _STARTED[folder] = child
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return dict(json.loads((folder / STATE).read_text()))
        time.sleep(0.05)
    raise UsageError(f"the drill did not come up; {folder / 'drill.log'} says why")


def state_of(folder: Path) -> dict[str, Any]:
    """The state of a running drill. Raises UsageError where there is none."""
    try:
        return dict(json.loads((folder / STATE).read_text()))
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: no drill runs there; start one with 'popkit drill start', or say where "
            f"with --drill DIR"
        ) from None
    except ValueError as error:
        raise UsageError(f"{folder / STATE}: cannot be read: {error}") from None


def ask(folder: Path, what: str, **given: Any) -> dict[str, Any]:
    """Ask a running drill. Raises UsageError where it does not answer, or refuses."""
    state = state_of(folder)
    body = json.dumps(given).encode()
    request = urllib.request.Request(
        f"{state['control']}/{what}", body, {"Authorization": f"Bearer {state['control_token']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        raise UsageError(error.read().decode("utf-8", "replace")[:500]) from None
    except OSError as error:
        text = f"the drill in {folder} does not answer ({error}); if its process has ended, remove {folder / STATE}"
        raise UsageError(text) from None


def stop(folder: Path) -> None:
    """End a running drill, and wait until it has. Raises UsageError as `ask` does."""
    ask(folder, "stop")
    child = _STARTED.pop(folder, None)
    if child is not None:
        child.wait(STOP_SECONDS)
    until = time.monotonic() + STOP_SECONDS
    while (folder / STATE).exists() and time.monotonic() < until:
        time.sleep(0.05)


def main(folder: Path) -> None:
    """The process: play the incident, listen, and answer the command line until it is stopped."""
    given: dict[str, Any] = json.load(sys.stdin)
    wanted = Wanted(
        **{
            **given,
            "faults": tuple(given["faults"]),
            "second_faults": tuple(given["second_faults"]),
        }
    )
    asyncio.run(_run(folder, wanted))


async def _run(folder: Path, wanted: Wanted) -> None:
    from aiohttp import web

    from popkit.drill.incidents import INCIDENTS
    from popkit.drill.live import HOST, Drill
    from popkit.drill.people import Hands
    from popkit.drill.rehearsal import sealed

    incident = INCIDENTS[wanted.incident]
    stage = incident.play(wanted.era, wanted.seed)
    stage.world.live(wanted.slot_ms)
    token, nonce, key = (secrets.token_hex(16) for _ in range(3))
    truth = stage.truth()
    digest, body = sealed(truth, nonce)
    drill = Drill(
        stage.world,
        token,
        faults=wanted.faults,
        second_faults=wanted.second_faults,
        seed=wanted.seed,
        behind=wanted.behind,
    )
    hands = Hands(drill, incident.told, body.decode(), digest)
    stop = asyncio.Event()

    async def control(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {key}":
            return web.Response(status=401, text="the drill's own token is needed")
        what = request.path.strip("/")
        if what == "stop":
            stop.set()
            return web.json_response({"stopped": True})
        given: Mapping[str, Any] = await request.json()
        try:
            answer = hands.answer(what, given)
            _write_clock(folder, stage.world.now)
            return web.json_response(answer)
        except (KeyError, ValueError, TypeError) as error:
            return web.Response(status=400, text=f"{what}: {error}")

    app = web.Application()
    app.router.add_post("/{what}", control)
    runner = web.AppRunner(app, access_log=None)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with drill.listening() as listening:
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        keys = _write_keys(stage.world)
        _write_privately(folder / "worker-token", token + "\n")
        _write_clock(folder, stage.world.now)
        state = {
            "rpc": listening.rpc,
            "second_rpc": listening.second_rpc,
            "worker": listening.worker,
            "worker_token_file": str(folder / "worker-token"),
            "keys": str(keys),
            "era": wanted.era,
            "grant": stage.grant.address,
            "event": stage.worker.event_of(stage.grant.address),
            "genesis_hash": drill.genesis,
            "answer_sha256": digest,
            "pid": os.getpid(),
            "control": f"http://{HOST}:{port}",
            "control_token": key,
        }
        known = {
            "RPC": listening.rpc,
            "SECOND_RPC": listening.second_rpc,
            "WORKER": listening.worker,
            "TOKEN": token,
        }
        known |= {"GRANT": stage.grant.address, "SIGNER": stage.worker.signer}
        known |= {f"{name.upper()}_KEY": str(keys / f"{name}.json") for name in KEYS}
        lines = [f"export DRILL_{name}={value}" for name, value in known.items()]
        lines.append(f"export POPKIT_CLOCK_FILE={(folder / 'clock').resolve()}")
        _write_privately(folder / "env", "\n".join(lines) + "\n")
        _write_privately(folder / STATE, json.dumps(state, indent=1) + "\n")
        try:
            await stop.wait()
        finally:
            (folder / STATE).unlink(missing_ok=True)
            shutil.rmtree(keys, ignore_errors=True)
            await runner.cleanup()


def _write_keys(world: Any) -> Path:
    """Write the operator's keys into a new folder that is this user's alone, and put some money
    into the wallet.
    """
    folder = Path(tempfile.mkdtemp(prefix="popkit-drill-keys-"))
    for name, role in KEYS.items():
        _write_privately(folder / f"{name}.json", json.dumps(list(bytes(world.key(role)))) + "\n")
    world.ledger.fund(world.address(KEYS["wallet"]), POCKET_MONEY)
    return folder


def _write_clock(folder: Path, now: int) -> None:
    """Say by how much the drill's time is apart from this machine's, for what looks at this
    machine's clock.
    """
    _write_privately(folder / "clock", f"{now - time.time():.3f}\n")


def _write_privately(path: Path, text: str) -> None:
    """Written beside and moved into place, so that nobody reads half of it; for this user alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.write_text(text)
    beside.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
