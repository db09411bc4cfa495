"""An incident played, its evidence collected, and popkit's answer held against what was done."""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popkit.drill.case import write_case
from popkit.drill.incidents import INCIDENTS
from popkit.drill.live import Addresses, Drill
from popkit.drill.stage import Stage, Truth
from popkit.protocol.keys import PROGRAM_ID


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer of popkit's beside the truth: what differs, field by field, as (was done,
    answered).

    `ended` says how the cutover ended: `verified`, `refused: …`, `stopped: …`; empty where none was
    tried.
    """

    incident: str
    era: str
    seed: int
    differs: dict[str, tuple[Any, Any]]
    ended: str = ""

    @property
    def is_right(self) -> bool:
        return not self.differs


def sealed(truth: Truth, nonce: str) -> tuple[str, bytes]:
    """The digest of an answer and the bytes that it is of: a drill prints the one at its start and
    shows the other at `reveal`.
    """
    body = json.dumps(
        {"answer": truth.as_json(), "nonce": nonce}, sort_keys=True, ensure_ascii=False
    ).encode()
    return hashlib.sha256(body).hexdigest(), body


def compared(stage: Stage, case: Path, incident: str) -> Compared:
    """Diagnose a case of a stage's grant, and hold the answer against the truth."""
    from popkit.case import open_case

    found = open_case(case).diagnose()
    row = found.grant(stage.grant.address).as_json()
    return Compared(
        incident, stage.era, stage.seed, differences(stage.truth(), row, found.exit_code)
    )


def differences(truth: Truth, row: dict[str, Any], exit_code: int) -> dict[str, tuple[Any, Any]]:
    """Where a grant's answer differs from what was done; what the truth leaves unsaid is not held
    against anything.
    """
    bad = row["first_bad"]
    answered = {
        "verdict": row["verdict"],
        "causes": sorted(row["causes"]),
        "exit_code": exit_code,
        "last_good": row["last_good"] and row["last_good"]["signature"],
        "first_bad": bad and (bad["signature"] or bad["entry_hash"]),
        "affected": row["affected_claimers"],
    }
    wanted: dict[str, Any] = {name: truth.as_json()[name] for name in answered}
    if truth.affected is None:
        del wanted["affected"]
    found = {
        name: (value, answered[name]) for name, value in wanted.items() if value != answered[name]
    }
    began = (row["began"] or {}).get("lost_proof_issued")
    if truth.began is not None and not _fits(truth.began, began):
        found["began"] = (truth.began, began)
    return found


def _fits(truth: int, moment: dict[str, Any] | None) -> bool:
    """Whether a moment says the second that was, as sure as it says it is."""
    if moment is None:
        return False
    said, certainty = int(moment["time"]), moment["certainty"]
    if certainty == "exact":
        return said == truth
    return truth <= said if certainty == "at_latest" else said <= truth


def in_process(incident: str, era: str, seed: int, folder: Path) -> Compared:
    """Play an incident and compare, without a network: the case is written as a collector would
    write it.
    """
    stage = INCIDENTS[incident].play(era, seed)
    return compared(stage, write_case(folder, stage.world.collect(reports=True)), incident)


def over_http(incident: str, era: str, seed: int, folder: Path) -> Compared:
    """Play an incident, bring it up on loopback, collect from it as an operator would, and compare.

    Also collected are the bucket's export and the wallets' reports, as operators have them at hand.
    """
    from popkit.collecting.address import Address
    from popkit.collecting.collect import collect
    from popkit.collecting.limits import Rate
    from popkit.collecting.options import Options
    from popkit.collecting.peer import Conduct

    stage = INCIDENTS[incident].play(era, seed)
    stage.world.live(200)
    exports = folder.with_name(f"{folder.name}-exports")
    export(stage, exports)
    with background(Drill(stage.world, "the drill's own")) as listening:
        header = (("Authorization", "Bearer the drill's own"),)
        quick = Conduct(requests=Rate(500), every_method=Rate(500), timeout=20.0)
        options = Options(
            out=folder,
            name=folder.name,
            program_id=PROGRAM_ID,
            rpc=Address(listening.rpc),
            second=Address(listening.second_rpc),
            worker=Address(listening.worker, header),
            has_token=True,
            grants=(stage.grant.address,),
            exports=(exports,),
            conduct=quick,
            worker_conduct=quick,
        )
        collect(options)
    return compared(stage, folder, incident)


def export(stage: Stage, folder: Path) -> None:
    """What an operator exports: the bucket's objects as files, and what wallets reported."""
    for row in stage.worker.bucket_rows():
        place = folder / row["key"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(row["text"])
    (folder / "client").mkdir(parents=True, exist_ok=True)
    (folder / "client" / "errors.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in stage.world.reports)
    )


@contextmanager
def background(drill: Drill) -> Iterator[Addresses]:
    """A drill that listens in a thread of its own while the block runs."""
    ready: queue.Queue[tuple[Addresses, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def listen() -> None:
        stop = asyncio.Event()
        async with drill.listening() as listening:
            ready.put((listening, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(listen(),), daemon=True)
    thread.start()
    listening, loop, stop = ready.get(timeout=30)
    try:
        yield listening
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=30)
