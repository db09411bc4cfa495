"""What collecting costs the evidence while claims go on: a live worker whose list of fifty entries
moves with every claim and every ask.

python -m tests.trace_collect [--case NAME] [--claim-every SECONDS] [--request-takes SECONDS]

Node and worker are those of a recorded case, in this process. Its newest claims land while
`collect` runs, one every so many seconds, and append rows to the worker's audit chain; so does
every request below /api/ and /v1/school/, before it is answered, as the worst worker does. One
clock serves all: it goes forward by what a request takes, so that the same arguments give the same
trace.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

from popkit.collecting.address import read_address
from popkit.collecting.collect import Collected, Collection
from popkit.collecting.options import Options
from popkit.drill.proofs import iso
from popkit.evidence.bundle import Evidence
from popkit.evidence.custody import read_custody
from popkit.evidence.layout import AUDIT_LOGS, ENDPOINTS, NEWEST
from popkit.protocol.keys import PROGRAM_ID
from popkit.serving import envelope
from popkit.serving.replay import Replay
from popkit.serving.worker import WorkerReplay
from tests.collecting.collected import QUICK
from tests.conftest import CASES
from tests.diagnosis.audit_rows import row

ROWS_OF_A_CLAIM = ("POP_CLAIM_PROOF_ANCHOR", "API_POST_V1_SCHOOL_POP_PROOF", "WALLET_CLAIM")
LANDING = 40
"""How many of the case's newest transactions land only while it is collected."""


@dataclass
class Busy:
    """A case as node and worker while claims go on; `rows` is the worker's audit chain, oldest
    first, as far as it is known.
    """

    case: Path
    claim_every: float
    request_takes: float
    now: float = 0.0
    asked: list[str] = field(default_factory=list)
    lists: list[list[str]] = field(default_factory=list)
    of_claims: int = 0
    of_requests: int = 0

    def __post_init__(self) -> None:
        evidence = Evidence(self.case)
        self.node, self.worker = Replay(evidence), WorkerReplay(evidence)
        self.now = self.began = float(evidence.header.collected_at)
        self.rows: list[dict[str, Any]] = list(
            reversed(evidence.answers["audit-logs"].body["logs"])
        )
        newest = sorted(self.node.ledger.transactions.values(), key=lambda landed: landed.slot)[
            -LANDING:
        ]
        self.waiting = [landed.signature for landed in newest]
        self.node.hidden = lambda signature: signature in self.waiting
        self.stood = [entry["entry_hash"] for entry in self.rows[-NEWEST:]]

    def clock(self) -> float:
        return self.now

    def append(self, event: str) -> None:
        """A row on top of the audit chain."""
        last = self.rows[-1]["entry_hash"]
        self.rows.append(row(0, last, last, ts=iso(int(self.now * 1000)), event=event))

    def passes(self) -> None:
        """The time that one request takes, with the claims that land in it."""
        before = int((self.now - self.began) / self.claim_every)
        self.now += self.request_takes
        for _ in range(int((self.now - self.began) / self.claim_every) - before):
            for event in ROWS_OF_A_CLAIM:
                self.append(event)
                self.of_claims += 1
            if self.waiting:
                del self.waiting[0]

    async def answer(self, request: web.Request) -> web.Response:
        """A request of the collection, to either of the two."""
        self.passes()
        if request.method == "POST":
            calls = envelope.read(await request.read())
            body = envelope.written(calls, envelope.answers(calls, self.node.answer))
            return web.Response(body=body, content_type="application/json")
        self.asked.append(request.path)
        if request.path.startswith(("/api/", "/v1/school/")):
            self.append("API")
            self.of_requests += 1
        if request.path == AUDIT_LOGS.path:
            shown = self.rows[-NEWEST:]
            self.lists.append([entry["entry_hash"] for entry in shown])
            return web.json_response({"logs": shown[::-1]})
        reply = self.worker.get(request.path, request.query)
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")


@dataclass(frozen=True, slots=True)
class Trace:
    """What one collection did: requests to the worker by path in the order of their first, rows,
    and what the case says of them.

    `kept` and `lost` are of the rows that stood in the list when the collection began, or came
    until its last list was read.
    """

    requests: dict[str, int]
    seconds: float
    of_claims: int
    of_requests: int
    kept: int
    lost: int
    rounds: int
    says: str
    collected: Collected


def trace(case: Path, out: Path, claim_every: float, request_takes: float) -> Trace:
    """Collect a case while claims land, and give what that cost."""
    busy = Busy(case, claim_every, request_takes)
    header = json.loads((case / "case.json").read_text())
    with _listening(busy) as run:
        collected = run(out, tuple(header["grants"]))
    seen = {entry for shown in busy.lists for entry in shown}
    until = next(
        number
        for number, entry in enumerate(busy.rows)
        if entry["entry_hash"] == busy.lists[-1][-1]
    )
    concerned = {
        *busy.stood,
        *(
            entry["entry_hash"]
            for entry in busy.rows[: until + 1][-(busy.of_claims + busy.of_requests) :]
        ),
    }
    steps = {
        str(record.get("step")) for _, _, record in read_custody(collected.case / "custody.jsonl")
    }
    rounds = len({step.split("/slot")[0] for step in steps if step.endswith("/slot")})
    counts = Counter(busy.asked)
    return Trace(
        {path: counts[path] for path in dict.fromkeys(busy.asked)}, busy.now - busy.began, busy.of_claims, busy.of_requests,
        len(concerned & seen), len(concerned - seen), rounds, collected.went_by, collected,
    )  # fmt: skip


@contextmanager
def _listening(busy: Busy) -> Iterator[Any]:
    """A function that collects from the busy worker and node, on a port of this machine."""

    async def run(out: Path, grants: tuple[str, ...]) -> Collected:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", busy.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            assert site._server is not None
            address = read_address(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}")
            options = Options(
                out=out, name="busy", program_id=PROGRAM_ID, rpc=address, worker=address, has_token=True, grants=grants, conduct=QUICK,
                worker_conduct=replace(QUICK, attempts=3), parallel=1,
            )  # fmt: skip
            return await Collection(options, clock=busy.clock).run()
        finally:
            await runner.cleanup()

    yield lambda out, grants: asyncio.run(run(out, grants))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.trace_collect")
    parser.add_argument("--case", default="term")
    parser.add_argument("--claim-every", type=float, default=10.0)
    parser.add_argument("--request-takes", type=float, default=4.0)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = trace(CASES / args.case, Path(folder, "case"), args.claim_every, args.request_takes)
    print(
        f"{found.seconds:.0f} s, a claim every {args.claim_every:g} s, {args.request_takes:g} s a "
        f"request; {found.rounds} rounds"
    )
    print("requests to the worker, in the order of the first of each:")
    for path, count in found.requests.items():
        print(f"  {count:>3}  {path}")
    anew = found.rounds * len(ENDPOINTS)
    print(
        f"  {sum(found.requests.values()):>3}  in all, each appending a row; asking everything "
        f"anew each round: {anew}"
    )
    print(
        f"rows that went by: {found.of_claims} of claims, {found.of_requests} of popkit's own "
        f"requests"
    )
    print(
        f"evidence: {found.kept} rows kept, {found.lost} lost, of those that stood in the list at "
        f"the start or came until its last reading"
    )
    print(f"the case says: {found.says}")


if __name__ == "__main__":
    main()
