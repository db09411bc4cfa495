"""One collection from the first request to the sealed case.

1. who the node is, and which grants are meant
2. every list to its end, every listed transaction
3. one moment of everything that changes
4. the second endpoint's lists
5. exports
6. how complete it all is, then the seal
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from popkit.collecting import worker as workers
from popkit.collecting.address import Address
from popkit.collecting.completeness import Seen, Statement, state
from popkit.collecting.exports import grants_in, links_in
from popkit.collecting.exports.records import newest
from popkit.collecting.fetching import Fetcher, NodeGone
from popkit.collecting.importing import Imported, import_exports, take_over
from popkit.collecting.listing import Lister
from popkit.collecting.moment import MomentTaker
from popkit.collecting.names import names_of
from popkit.collecting.node import Node, Reply
from popkit.collecting.options import Options
from popkit.collecting.peer import Conduct, Peer
from popkit.collecting.progress import Progress
from popkit.collecting.second import list_again
from popkit.collecting.state import State
from popkit.collecting.tickets import collect_tickets
from popkit.collecting.worker import Worker, left_out
from popkit.collecting.workspace import TOOL, Workspace
from popkit.errors import EXIT_CANNOT_TELL, CaseUnreadable, PopkitError, UsageError
from popkit.evidence import layout
from popkit.evidence.bundle import Evidence
from popkit.evidence.custody import PROVES
from popkit.evidence.documents import CaseHeader
from popkit.evidence.layout import CUTOVER, HEADER, SECOND
from popkit.facts import Facts
from popkit.protocol.genesis import UNKNOWN, cluster_of
from popkit.worker.event_links import event_links


class CollectionStopped(PopkitError):
    """A peer stopped answering before everything was asked. What was received is on disk; the same
    command goes on.
    """

    code = "collection_stopped"
    exit_code = EXIT_CANNOT_TELL


@dataclass(slots=True)
class Collected:
    """A sealed case and what is said of it: a statement an address, and what else is `missing`."""

    case: Path
    statements: list[Statement]
    missing: list[str]
    left_out: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    went_by: str = ""
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that the peers have was asked for and given; a peer that was not named
        is not part of that.
        """
        return (
            all(statement.complete for statement in self.statements)
            and not self.missing
            and not self.without_token
        )

    @property
    def without_token(self) -> bool:
        """Whether the worker was asked without the operator's token, so that its records are not
        there.
        """
        return any(workers.NO_TOKEN in row for row in self.not_asked)


class Collection:
    """One run of a collection. `clock` is this machine's, in unix seconds; `chance` decides jitter
    alone.
    """

    def __init__(
        self,
        options: Options,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.time,
        chance: random.Random | None = None,
    ) -> None:
        self.options, self.progress, self.clock = options, progress or Progress(None), clock
        self.chance = chance or random.Random()
        self.work = Workspace(options.out, options.plan(), clock)
        self.seen = Seen()
        self.grants: set[str] = set(options.grants)
        self.cluster = UNKNOWN
        self.imported, self.extended = Imported(), Imported()
        self.taker = MomentTaker(self.seen, self.progress, options.fresh, clock, self._facts)
        self.asked: Worker | None = None
        self._replies: dict[str, Reply] = {}
        self._peers: list[Peer] = []
        self.without_receipt: list[tuple[str, str]] = []

    async def run(self) -> Collected:
        """Collect and seal. Raises CollectionStopped when a peer stops answering, UsageError when
        there is nothing to ask for.
        """
        try:
            connector = aiohttp.TCPConnector(limit=self.options.parallel + 2)
            async with aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                await self._collect(session)
            return self._seal()
        except NodeGone as gone:
            raise CollectionStopped(
                f"{gone.says}. What was received is kept in {self.work.root}; the same command "
                f"goes on"
            ) from None
        except (UsageError, CaseUnreadable):
            self.work.discard()
            raise
        finally:
            self.progress.end()
            self.work.close()

    def _peer(
        self, name: str, address: Address, session: aiohttp.ClientSession, conduct: Conduct
    ) -> Peer:
        conduct = replace(conduct, attempts=1) if self.options.seal_now else conduct
        peer = Peer(name, address, session, self.work, conduct, self.chance)
        peer.silent = self.options.seal_now
        self._peers.append(peer)
        self.progress.requests = lambda: (
            sum(p.tally.requests for p in self._peers),
            sum(p.tally.waiting for p in self._peers),
        )
        return peer

    async def _collect(self, session: aiohttp.ClientSession) -> None:
        options = self.options
        if options.extend is not None:
            self.extended = take_over(
                options.extend, self.work, bool(options.exports), options.program_id
            )
            self.grants |= {
                grant for header in self.extended.exports.headers for grant in header.grants
            }
        if options.worker is not None:
            peer = self._peer("worker", options.worker, session, options.worker_conduct)
            self.asked = Worker(peer, self.work, self.progress, options.has_token)
            if options.events or options.rpc is not None:
                self.taker.moment.worker = await self.asked.first_list()
            if options.events:
                await self._grants_of_events(self.asked)
        if options.rpc is not None:
            try:
                await self._chain(self._peer("rpc", options.rpc, session, options.conduct), session)
            except NodeGone:
                if not options.seal_now:
                    raise
                self.taker.moment.missing.append(
                    "the collection was sealed before everything was asked"
                )
        else:
            await self.taker.worker(self.asked, "moment/0")
        if options.tickets and self.asked is not None:
            await self._tickets(self.asked)
        if options.exports:
            self.imported = import_exports(options.exports, self.work, options.program_id)
        self._grants_of_exports()

    async def _chain(self, peer: Peer, session: aiohttp.ClientSession) -> None:
        options = self.options
        node = Node(peer, options.batch)
        chain = State(node, self.work, self.progress, options.program_id)
        lister = Lister(node, self.work, self.progress, options.page)
        fetcher = Fetcher(node, self.work, self.progress, options.parallel)
        await self._who_is_there(chain)
        await self._history(chain, lister, fetcher)
        for number in range(options.rounds):
            tag = f"moment/{number}"
            await self.taker.worker(self.asked, tag)
            await self.taker.accounts(chain, node, sorted(self.grants), tag)
            newer = await self.taker.newer(lister, tag)
            if not newer:
                break
            await self._fetch(fetcher, newer)
        else:
            self.taker.moment.missing.append(
                f"claims kept landing while the accounts were read, {options.rounds} times over"
            )
        if options.second is not None:
            await self._second(self._peer("second-rpc", options.second, session, options.conduct))
        if self.work.remembered("missing") is None:
            fetcher.note_missing(
                {s: reply for s, reply in self._replies.items() if s in self.seen.not_given}
            )
            self.work.keeps({}, kind="keep", step="missing")

    async def _who_is_there(self, chain: State) -> None:
        self.progress.enter("asking the node who it is")
        genesis = await chain.one("genesis", "getGenesisHash", [])
        if not genesis.ok and genesis.code is None:
            raise NodeGone(genesis.says)
        self.cluster = cluster_of(msgspec.json.decode(genesis.result)) if genesis.ok else UNKNOWN
        await chain.one("getVersion", "getVersion", [])
        first = await chain.one("getFirstAvailableBlock", "getFirstAvailableBlock", [])
        block = msgspec.json.decode(first.result) if first.ok else None
        self.seen.first_block = block if isinstance(block, int) else None

    async def _grants_of_events(self, worker: Worker) -> None:
        """The grants of the events that were named, from the worker's own list."""
        said = await worker.one(workers.request_of(layout.EVENTS), "first", None)
        if isinstance(said, str):
            raise CollectionStopped(
                f"the worker's event list is needed to find the grants of --event: {said}"
            )
        known = dict(
            event_links(events=json.loads(bytes(said.body)), program=self.options.program_id)
        )
        for event in self.options.events:
            if event not in known:
                names = ", ".join(sorted(known)) or "none"
                raise UsageError(
                    f"--event {event}: the worker knows no such event that is linked to a grant; "
                    f"it knows {names}"
                )
            self.grants.add(known[event])

    async def _tickets(self, worker: Worker) -> None:
        """Ticket receipts of the grants' events: after everything else, as each ask leaves an entry
        in the audit chain.
        """
        events = {link.event for link in self._facts().event_links} | set(self.options.events)
        seen = await collect_tickets(
            worker, events, self.taker.moment.worker.said.get("audit-logs")
        )
        self.taker.moment.missing += seen.missing
        self.without_receipt = seen.without

    def _grants_of_exports(self) -> None:
        """Grants that the exports speak of: those that their cases list, or else every one named by
        more than a head of the worker.
        """
        listed = {grant for header in self.imported.exports.headers for grant in header.grants}
        named = {
            grant
            for grant, sources in grants_in(self.imported.exports, self._program).items()
            if sources != ("head",)
        }
        self.grants |= listed or (set() if self.grants else named)
        if not self.grants:
            raise UsageError(
                "nothing names a grant: give --grant PUBKEY, or exports that hold a case, grant "
                "accounts or events"
            )

    async def _history(self, chain: State, lister: Lister, fetcher: Fetcher) -> None:
        """Lists and transactions of grants, of the program if asked for, then of the pop-configs of
        the grants' authorities.
        """
        await chain.accounts(sorted(self.grants), "accounts/first")
        addresses = sorted(self.grants) + (
            [self.options.program_id] if self.options.list_program else []
        )
        await self._list_and_fetch(addresses, lister, fetcher)
        await self._list_and_fetch(
            sorted(set(names_of(self._facts()).configs.values())), lister, fetcher
        )

    async def _list_and_fetch(self, addresses: list[str], lister: Lister, fetcher: Fetcher) -> None:
        self.progress.enter("listing signatures")
        wanted: dict[str, int] = {}
        for address in addresses:
            old = self.extended.lists.get(address)
            listing = await lister.of(address, old)
            self.seen.lists[address] = [*([old] if old is not None else []), listing]
            if not listing.pages and not listing.ended:
                raise NodeGone(listing.why)
            wanted |= self.seen.rows(address)
        await self._fetch(fetcher, wanted)

    async def _fetch(self, fetcher: Fetcher, wanted: dict[str, int]) -> None:
        todo = [
            signature
            for signature, _ in sorted(wanted.items(), key=lambda item: (-item[1], item[0]))
        ]
        self.progress.enter(
            "fetching transactions", len(todo), sum(signature in fetcher.kept for signature in todo)
        )
        fetched = await fetcher.fetch(todo)
        self._replies |= fetched.missing
        self.seen.reasons |= {
            signature: "null: it does not have it" if reply.ok else reply.says
            for signature, reply in fetched.missing.items()
        }
        self.seen.not_given = (self.seen.not_given | fetched.missing.keys()) - fetcher.kept

    async def _second(self, peer: Peer) -> None:
        """The same lists from another node; what it alone knows, and what the first did not give,
        is fetched from it.
        """
        node = Node(peer, self.options.batch)
        wanted = await list_again(
            Lister(node, self.work, self.progress, self.options.page, SECOND), self.seen
        )
        fetcher = Fetcher(node, self.work, self.progress, self.options.parallel)
        try:
            await self._fetch(fetcher, wanted)
        except NodeGone as gone:
            self.seen.not_given |= wanted.keys() - fetcher.kept
            self.taker.moment.missing.append(f"the second endpoint stopped answering: {gone.says}")

    def _facts(self) -> Facts:
        """The facts of what has been collected by now."""
        for name, said in self._answers().items():
            self.work.write(layout.NAMED[name].file, workers.document(said))
        self.work.write(HEADER, json.dumps(self._header([], {})).encode())
        return Facts(Evidence(self.work.root))

    def _answers(self) -> dict[str, workers.Said]:
        """The worker's answers by name: asked now, else exported, else of the case that is
        extended.
        """
        return {**self.extended.said, **self.imported.said, **self.taker.moment.worker.said}

    @property
    def _given_headers(self) -> list[CaseHeader]:
        """The case.json of every case that was given."""
        return [*self.imported.exports.headers, *self.extended.exports.headers]

    @property
    def _program(self) -> str:
        """The program of the case: where no node is asked, that of a case that was given; else the
        one asked for.
        """
        headers = self._given_headers
        return (
            headers[0].program_id
            if self.options.rpc is None and headers
            else self.options.program_id
        )

    def _header(self, events: list[dict[str, str]], sources: dict[str, Any]) -> dict[str, Any]:
        """case.json. Without a node, what exports say of cluster and time is all there is."""
        headers, at, cluster = self._given_headers, self.options.collected_at, self.cluster
        if self.options.rpc is None and headers:
            cluster = headers[0].cluster
        if at is None:
            at = int(self.taker.moment.now)
            if self.options.rpc is None:
                at = max(
                    [header.collected_at for header in headers],
                    default=self.imported.newest or self.extended.newest or at,
                )
        return {
            "case": self.options.name,
            "cluster": cluster,
            "program_id": self._program,
            "grants": sorted(self.grants),
            "events": events,
            "collected_at": at,
            "sources": sources,
        }

    def _seal(self) -> Collected:
        self.progress.enter("sealing")
        self._carry_record()
        facts = self._facts()
        self.seen.not_given -= set(
            facts.claims.transactions.signature
        )  # exports may hold what no node gave
        statements = state(facts, self.seen) if self.options.rpc is not None else []
        moment = self.taker.moment
        answers = self._answers()
        unasked = {name: why for name, why in moment.worker.missing.items() if name not in answers}
        not_asked = [
            f"{name}: {why}" for name, why in sorted(unasked.items()) if why.startswith("not asked")
        ]
        not_asked += self._not_named(answers)
        passage = self._went_by()
        left = left_out(answers) + (
            [passage.says] if passage is not None and not passage.meets else []
        )
        missing = moment.missing + [
            f"{name}: {why}"
            for name, why in sorted(unasked.items())
            if not why.startswith("not asked")
        ]
        requests = {
            p.name: {
                "requests": p.tally.requests,
                "calls": p.tally.calls,
                "outcomes": dict(p.tally.outcomes),
            }
            for p in self._peers
        }
        links = sorted(
            {(link.event, link.grant) for link in facts.event_links} | self._links_of_exports()
        )
        sources = {
            "rpc": self.options.rpc.shown if self.options.rpc is not None else None,
            "worker": self.options.worker.shown if self.options.worker is not None else None,
            "tool": TOOL,
            "clock": self._clock(),
            "completeness": [statement.as_json() for statement in statements],
            "missing": missing,
            "left_out": [*left, *not_asked],
            **({"rows_that_went_by": passage.says} if passage is not None else {}),
            "appended_audit_entries": self._appended(),
            **(
                {"without_ticket_receipt": [list(pair) for pair in self.without_receipt]}
                if self.options.tickets
                else {}
            ),
            **({"exports": self.imported.statement} if self.imported.statement else {}),
            **({"extends": self.extended.statement} if self.extended.statement else {}),
            "custody_proves": PROVES,
        }
        header = self._header([{"event": event, "grant": grant} for event, grant in links], sources)
        case = self.work.seal(header)
        went_by = passage.says if passage is not None else ""
        return Collected(
            case, statements, missing, left, not_asked, went_by, requests, self.imported.statement
        )

    def _carry_record(self) -> None:
        """The record of a cutover that exports or the earlier case hold, byte for byte: of two the
        one that was written last.
        """
        record = newest(
            record
            for record in (self.imported.exports.record, self.extended.exports.record)
            if record is not None
        )
        if record is not None:
            self.work.write(CUTOVER, record)

    def _not_named(self, answers: dict[str, workers.Said]) -> list[str]:
        """Peers that were not named and of which no export holds the answers, and how to name them."""
        given = answers or any(
            name.startswith("worker/")
            for part in (self.imported, self.extended)
            for name in part.exports.rows
        )
        if self.options.rpc is None or self.options.worker is not None or given:
            return []
        return [
            "the worker: it was not named; give --worker URL --worker-token-env NAME, or its "
            "exports with --from PATH"
        ]

    def _went_by(self) -> workers.Passage | None:
        """What went by in the worker's list while this collection asked, as far as its lists show
        it; None where it has none.
        """
        path = self.work.root / layout.ASKED
        if not path.is_file() or not self._appended():
            return None
        said = [
            msgspec.json.decode(line, type=workers.Said) for line in path.read_bytes().splitlines()
        ]
        lists = [answer for answer in said if answer.name == layout.AUDIT_LOGS.name]
        return workers.passage(lists, self._appended()) if lists else None

    def _links_of_exports(self) -> set[tuple[str, str]]:
        links = {
            *links_in(self.imported.exports, self._program),
            *links_in(self.extended.exports, self._program),
        }
        return {(event, grant) for event, grant in links if grant in self.grants}

    def _clock(self) -> dict[str, Any]:
        if self.options.collected_at is not None:
            return {"collected_at": "was given by hand", "this_machine": int(self.clock())}
        of = self.taker.moment.clock
        if self.options.rpc is None and (
            self.imported.exports.headers or self.extended.exports.headers
        ):
            of = "the case that was given"
        elif self.options.rpc is None and self.imported.newest is not None:
            of = f"the newest time that the exports state, in {self.imported.exports.newest_in}"
        return {"collected_at": of, "this_machine": int(self.clock())}

    def _appended(self) -> int:
        """How many entries our own requests may have appended to the worker's audit chain, in every
        run of this collection.
        """
        return sum(
            1
            for record in self.work.custody.written()
            if record.get("kind") == "ask" and record.get("appends_audit_entry")
        )


def collect(options: Options, progress: Progress | None = None) -> Collected:
    """Run a collection to its end; see Collection."""
    return asyncio.run(Collection(options, progress).run())
