"""What happens in a world: steps, one method each, and the kinds of worlds that lists of steps
make.

A play is plain data (build, model, terms, steps with a number and a pause each), so that a failure
can be told, run again and made smaller. What a step does depends on its own number alone, never on
a shared source of chance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from popkit.drill import addresses as pda
from popkit.drill.proofs import GENESIS, Proof, sign_proof
from popkit.drill.worker import Worker
from popkit.drill.world import MONTH, START, GrantHandle, Ticket
from tests.worlds.timed import STRICT, TimedWorld

CLIENT_PARENTS_DAY = 1772600000
"""2026-03-04: the first day of workers that take parents from clients and keep their own heads
where they were.
"""
RELAXED_DAY = START["relaxed"]
"""From this day on the date alone does not say whether the relaxed program is there."""


@dataclass(frozen=True)
class Step:
    """One step: its name, a number that chooses within it, and the seconds that pass after it."""

    name: str
    number: int = 0
    pause: int = 5


@dataclass(frozen=True)
class Script:
    """A world as plain data. `kind` says what it was meant to be; `hidden` steps happen at the
    worker's clock alone.
    """

    kind: str
    build: str
    model: str
    steps: tuple[Step, ...]
    start: int | None = None
    period: int = MONTH
    fund: int = 500
    grants: int = 1
    clock: int = 0
    expires: int = 0

    def without(self, index: int) -> Script:
        return replace(self, steps=self.steps[:index] + self.steps[index + 1 :])

    def told(self) -> str:
        """The world in one line."""
        steps = " · ".join(f"{s.name}({s.number})+{s.pause}s" for s in self.steps)
        terms = f"period {self.period}, fund {self.fund}, grants {self.grants}, clock {self.clock} ms, expires {self.expires}"
        return f"{self.kind}: {self.build}/{self.model}, {terms}: {steps}"


class Play:
    """A world that does what its script says."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.world = TimedWorld(script.build, script.model, start=script.start)
        self.world.worker.offset_ms = script.clock
        self.world.worker.numeric = script.clock % 1000 == 500
        self.handles = [
            self.world.grant(
                number + 1,
                period_seconds=script.period,
                fund=script.fund,
                expires_in=script.expires,
                mint=f"mint {number}",
            )
            for number in range(script.grants)
        ]
        self.handle = self.handles[0]
        self.clone: Worker | None = None
        self.backups: list[dict[str, Any]] = [self.heads()]
        self.accepted: list[tuple[str, int, Ticket]] = []
        self.kept: dict[int, tuple[str, Proof]] = {}
        self.count = 0
        self.look()
        for step in script.steps:
            getattr(self, "do_" + step.name)(step.number)
            self.backups.append(self.heads())
            self.world.tick(step.pause)
            self.look(step.number)
        self.look()
        self.world.remember()

    # what steps are made of

    def heads(self) -> dict[str, Any]:
        """A backup of the worker's proof heads."""
        return {"heads": {grant: list(head) for grant, head in self.world.worker.heads.items()}}

    def look(self, number: int = 0) -> None:
        """Somebody looks at the worker's pages: each look appends a row, and a collector's does so
        too.
        """
        if number % 3 != 2:
            for page in ("pop-status", "audit-status", "events")[: 1 + number % 3]:
                self.world.worker.api("GET", f"/v1/school/{page}")
        self.world.tick(1)

    def wallet(self) -> str:
        self.count += 1
        return f"wallet {self.count}"

    def period(self) -> int:
        """The period of now, as a client with a right clock computes it."""
        grant = self.world.grants_terms[self.handle.address]
        return max(0, (self.world.now - grant.start_ts) // grant.period_seconds)

    @property
    def follows(self) -> bool:
        """Whether this worker takes parents from clients."""
        return self.script.model == "D"

    def issue(
        self,
        wallet: str,
        handle: GrantHandle | None = None,
        worker: Worker | None = None,
        stale: str | None = None,
    ) -> Proof:
        handle = handle or self.handle
        expected = (stale or self.world.head(handle)) if self.follows else None
        proof = self.world.issue(handle, wallet, self.period(), worker, expected)
        self.world.tick(2)
        return proof

    def send(
        self,
        wallet: str,
        proof: Proof,
        tell: bool = True,
        handle: GrantHandle | None = None,
        **shape: Any,
    ) -> bool:
        """Send a claim; whether it was accepted. With `tell` the wallet tells the worker of its
        success.
        """
        handle = handle or self.handle
        landed = self.world.claim(handle, proof, wallet, proof.period, **shape)
        self.world.tick(2)
        if landed.err is None:
            self.accepted.append((wallet, proof.period, Ticket(proof, landed)))
            if tell:
                receipt = pda.receipt_address(
                    handle.address, self.world.address(wallet), proof.period
                )
                self.world.worker.claim_record(
                    handle.address, self.world.address(wallet), landed.signature, receipt
                )
                self.world.tick(1)
        return landed.err is None

    def refused_quietly(self, wallet: str, proof: Proof, tell: bool) -> bool:
        """A wallet that simulates first, is refused and sends nothing; it may report what it saw."""
        outcome = self.world.simulate(self.handle, proof, wallet, proof.period, tell=False)
        if outcome.err is None:
            return False
        if tell:
            self.world.report(self.handle, wallet, outcome.err, outcome.logs)
        self.world.happens(f"reported {outcome.error}")
        self.world.tick(2)
        return True

    # steps: sound

    def do_ticket(self, number: int) -> None:
        wallet = self.wallet()
        self.send(
            wallet,
            self.issue(wallet),
            tell=number % 4 != 0,
            budget=number % 2 == 0,
            v0=number % 5 == 0,
        )

    def do_quiet(self, number: int) -> None:
        """A wallet that simulates first: it sends only what would be accepted."""
        wallet = self.wallet()
        proof = self.issue(wallet)
        if not self.refused_quietly(wallet, proof, tell=number % 2 == 0):
            self.send(wallet, proof, tell=number % 4 != 0)

    def do_elsewhere(self, number: int) -> None:
        """A ticket of another grant, where there is one."""
        if len(self.handles) > 1:
            wallet = self.wallet()
            self.send(wallet, self.issue(wallet, self.handles[1]), handle=self.handles[1])

    def do_stranger(self, number: int) -> None:
        """A stranger's failing claim: with a key of his own, or with somebody else's proof."""
        world, handle = self.world, self.handle
        if number % 2 and self.accepted:
            proof = self.accepted[number % len(self.accepted)][2].proof
        else:
            head = world.head(handle)
            proof = sign_proof(
                world.key("stranger"),
                handle.address,
                world.address("mallory"),
                self.period(),
                head,
                head,
                "ab" * 32,
                world.now,
            )
        assert world.claim(handle, proof, "mallory", proof.period, ours=False).err is not None
        world.tick(2)

    def do_wait(self, number: int) -> None:
        """Nothing, for `number` times fifty seconds."""
        self.world.tick(50 * number)

    def do_resent(self, number: int) -> None:
        """A phone sends an accepted claim again: it burns nothing."""
        if self.accepted:
            wallet, period, ticket = self.accepted[number % len(self.accepted)]
            self.world.claim(self.handle, ticket.proof, wallet, period)
            self.world.tick(2)

    def do_race(self, number: int) -> None:
        """Two wallets hold a proof at once; they send in one order or the other, and a refused one
        sends again.
        """
        one, two = self.wallet(), self.wallet()
        first, second = self.issue(one), self.issue(two)
        order = [(one, first), (two, second)] if number % 2 else [(two, second), (one, first)]
        late = [pair for pair in order if not self.send(*pair)]
        for wallet, proof in late:
            if number % 3:
                self.send(wallet, proof)

    def do_pause_retry(self, number: int) -> None:
        """Refused while paused, sent again after the pause, in time."""
        wallet = self.wallet()
        proof = self.issue(wallet)
        self.world.switch(self.handle, "set_paused", {"paused": True})
        self.send(wallet, proof)
        self.world.happens("paused")
        self.world.switch(self.handle, "set_paused", {"paused": False})
        self.send(wallet, proof)

    def do_interleaved(self, number: int) -> None:
        """Two proofs are asked for at once: the rows of their requests come later, in one order or
        the other; both are sent.
        """
        worker, rows = self.world.worker, []
        kept = worker.api
        worker.api = lambda *a, **k: rows.append((a, k))  # type: ignore[method-assign]
        one, two = self.wallet(), self.wallet()
        first, second = self.issue(one), self.issue(two)
        worker.api = kept  # type: ignore[method-assign]
        for args, named in rows if number % 2 else reversed(rows):
            worker.api(*args, **named)
            self.world.tick(1)
        for wallet, proof in ((one, first), (two, second)):
            self.send(wallet, proof)

    def do_storage_sourced(self, number: int) -> None:
        """An old client names no heads to a worker that takes them from clients: the worker takes
        its own, which never moved.
        """
        if self.follows:
            wallet = self.wallet()
            self.world.happens("storage sourced")
            proof = self.world.issue(self.handle, wallet, self.period())
            self.world.tick(2)
            if number % 2:
                self.send(wallet, proof)

    def do_asked_again(self, number: int) -> None:
        """A client asks a late worker again and is given the same proof: a request's row, and no
        anchor.
        """
        if self.accepted and self.follows:
            wallet, period, _ = self.accepted[number % len(self.accepted)]
            event = self.world.worker.event_of(self.handle.address)
            body = {
                "eventId": event,
                "grant": self.handle.address,
                "claimer": self.world.address(wallet),
                "periodIndex": str(period),
            }
            self.world.worker.api("POST", "/v1/school/pop-proof", event, body=body)
            self.world.tick(2)

    # steps: a proof is lost

    def do_lose(self, number: int) -> None:
        """A proof that its wallet never sends; `do_keep` may still send it."""
        wallet = self.wallet()
        self.kept[len(self.kept)] = (wallet, self.issue(wallet))

    def do_late(self, number: int) -> None:
        """A wallet sends a proof that it kept."""
        if self.kept:
            key = sorted(self.kept)[number % len(self.kept)]
            wallet, proof = self.kept.pop(key)
            self.send(wallet, proof)

    def do_sink_failed(self, number: int) -> None:
        """An append failed after the head had moved: the anchor has no row of its request, and the
        client got 503 and no proof.
        """
        wallet, worker = self.wallet(), self.world.worker
        kept = worker.api
        worker.api = lambda *a, **k: None  # type: ignore[method-assign]
        self.world.happens("sink failed")
        self.issue(wallet)
        worker.api = kept  # type: ignore[method-assign]

    def do_paused(self, number: int) -> None:
        """Burnt while paused."""
        wallet = self.wallet()
        proof = self.issue(wallet)
        self.world.switch(self.handle, "set_paused", {"paused": True})
        self.send(wallet, proof)
        self.world.happens("paused")
        self.world.switch(self.handle, "set_paused", {"paused": False})

    def do_expired(self, number: int) -> None:
        """Sent more than ten minutes late."""
        wallet = self.wallet()
        proof = self.issue(wallet)
        self.world.tick(605 + number)
        self.send(wallet, proof)

    def do_again(self, number: int) -> None:
        """Somebody who has claimed asks for a second proof of the period, and sends it or not."""
        if self.accepted:
            wallet = self.accepted[number % len(self.accepted)][0]
            proof = self.issue(wallet)
            if number % 3:
                self.send(wallet, proof)

    def do_twice(self, number: int) -> None:
        """Two proofs of one wallet are on the way at once."""
        wallet = self.wallet()
        first, second = self.issue(wallet), self.issue(wallet)
        for proof in (first, second)[: number % 3]:
            self.send(wallet, proof)

    def do_boundary(self, number: int) -> None:
        """A proof of one period is sent in the next (short periods alone)."""
        if self.script.period > 7200:
            return
        grant = self.world.grants_terms[self.handle.address]
        left = grant.period_seconds - (self.world.now - grant.start_ts) % grant.period_seconds
        self.world.tick(max(0, left - 20))
        wallet = self.wallet()
        proof = self.issue(wallet)
        self.world.tick(30)
        if number % 2:
            self.send(wallet, proof)

    # steps: the worker's heads, keys and clock

    def do_reset(self, number: int) -> None:
        """The worker's heads are emptied."""
        self.world.happens("reset")
        self.world.worker.heads.clear()

    def do_rollback(self, number: int) -> None:
        """The worker's heads are put back to those of an earlier step."""
        self.world.happens("rollback")
        self.world.worker.restore(self.backups[number % len(self.backups)], only_heads=True)

    def do_restore(self, number: int) -> None:
        """A backup of the whole storage is put back; the bucket is outside and stays."""
        self.world.happens("rollback")
        self.world.happens("restore")
        moment = self.world.moments[number * len(self.world.moments) // 12]
        self.world.worker.restore(
            {
                "heads": {grant: list(head) for grant, head in moment.heads.items()},
                "entries": list(moment.entries),
                "last": moment.last,
                "history": moment.history,
                "events": moment.events or self.world.worker.events,
                "receipts": moment.receipts,
            }
        )

    def do_stream(self, number: int) -> None:
        """The worker's stream head is spoilt."""
        head = self.world.worker.heads.get(self.handle.address)
        if head is not None and not self.follows:
            self.world.happens("stream")
            head[1] = (
                self.backups[0]["heads"].get(self.handle.address, [GENESIS, GENESIS])[1]
                if number % 2
                else "cd" * 32
            )

    def do_foreign(self, number: int) -> None:
        """A second worker with the same key and a copy of the heads issues; the claim is sent."""
        self.world.happens("foreign")
        if self.clone is None or number % 2:
            self.clone = self.world.worker.clone(f"clone {self.count}")
        wallet = self.wallet()
        self.send(wallet, self.issue(wallet, worker=self.clone), tell=number % 3 == 0)

    def do_rotate(self, number: int) -> None:
        """The worker's key changes, and pop-config with it or not."""
        self.world.worker.key = self.world.key(f"signer {number}")
        self.world.happens("signer")
        if number % 2:
            self.world.name_signer(self.handle, self.world.worker.signer)

    def do_align(self, number: int) -> None:
        """pop-config is set to the worker's key."""
        self.world.name_signer(self.handle, self.world.worker.signer)

    def do_clock(self, number: int) -> None:
        """The worker's clock steps."""
        by = (-300, -2_000, -300_000, 300, 2_000, 300_000)[number % 6]
        self.world.worker.offset_ms += by
        self.world.happens("clock")

    def do_clock_wrong(self, number: int) -> None:
        """The worker's clock is fifteen minutes wrong from now on."""
        self.world.worker.offset_ms += 900_000 if number % 2 else -900_000
        self.world.happens("clock")

    def do_clock_right(self, number: int) -> None:
        """The worker's clock is set right."""
        self.world.worker.offset_ms = 0
        self.world.happens("clock")

    # steps: what a holder of the audit log's token can write

    def do_forged_anchor(self, number: int) -> None:
        """POST /v1/audit/log of a POP_CLAIM_PROOF_ANCHOR: appended to the chain like any entry, no
        proof behind it, no head moved.

        With some numbers a request's row is posted too, which lacks what attests: the right stream,
        claimer, grant, period or status.
        """
        world, worker, grant = self.world, self.world.worker, self.handle.address
        event, claimer, period = (
            worker.event_of(grant),
            world.address(f"victim {number}"),
            self.period(),
        )
        head = world.head(self.handle)
        prev = (head, head, GENESIS, "ef" * 32, worker.heads.get(grant, [head])[0])[number % 5]
        data: dict[str, Any] = {
            "eventId": event,
            "grant": grant,
            "claimer": claimer,
            "periodIndex": str(period),
        }
        data |= {"prevHash": prev, "streamPrevHash": prev}
        if worker.model != "A":
            data |= {"confirmationCode": "ABCDEF", "receiptId": "12" * 32, "receiptHash": "34" * 32}
        if number % 4 == 3:
            data |= {"hashSource": "client_onchain", "popChainAdvanced": number % 2 == 0}
            data |= {"storedPrevHash": prev, "storedStreamPrevHash": prev}
        worker.append(
            "POP_CLAIM_PROOF_ANCHOR", f"pop:{event}", {"type": "wallet", "id": "abcd...wxyz"}, data
        )
        world.happens("forged anchor")
        body = {"eventId": event, "grant": grant, "claimer": claimer, "periodIndex": str(period)}
        route, other = "/v1/school/pop-proof", world.address("other")
        if number % 7 == 1:
            worker.api("POST", route, "system", body=body)
        elif number % 7 == 2:
            worker.api("POST", route, event, body=body | {"claimer": other})
        elif number % 7 == 3:
            worker.api("POST", route, event, status=503, body=body)
        elif number % 7 == 4:
            worker.api("POST", route, event, body=body | {"periodIndex": str(period + 1)})
        elif number % 7 == 5:
            worker.api("POST", route, event, body=body | {"grant": other})
        world.tick(2)

    def do_replayed_anchor(self, number: int) -> None:
        """POST /v1/audit/log of an anchor that repeats an honest one word for word: an older proof
        would look like the newest.
        """
        anchors = [e for e in self.world.worker.entries if e["event"] == "POP_CLAIM_PROOF_ANCHOR"]
        if anchors:
            old = anchors[number % len(anchors)]
            self.world.worker.append(old["event"], old["eventId"], old["actor"], dict(old["data"]))
            self.world.happens("forged anchor")
            self.world.tick(2)

    # steps: program, events

    def do_upgrade(self, number: int) -> None:
        self.world.build = "head" if number % 2 else "relaxed"
        self.world.happens("upgrade")

    def do_downgrade(self, number: int) -> None:
        self.world.build = "strict_v2"
        self.world.happens("downgrade")

    def do_race_shown(self, number: int) -> None:
        """Two wallets send proofs of one parent or of old ones: under relaxed rules both are
        accepted, which strict rules never do.
        """
        one, two = self.wallet(), self.wallet()
        first, second = self.issue(one), self.issue(two)
        self.send(two, second)
        self.send(one, first)

    def do_second_event(self, number: int) -> None:
        """An older worker lets a second event be linked to the grant."""
        self.world.worker.open_event(self.handle, "Second")
        self.world.happens("grant reuse")

    def do_stale_parent(self, number: int) -> None:
        """A client shows an old head (a worker that takes parents from clients); under strict rules
        it is refused.
        """
        if self.follows and self.accepted:
            wallet = self.wallet()
            old = self.accepted[number % len(self.accepted)][2].proof.prev
            self.send(wallet, self.issue(wallet, stale=old))

    def do_close(self, number: int) -> None:
        """The grant is closed."""
        if self.handle.address in self.world.ledger.grants:
            self.world.switch(self.handle, "close_grant", {})
            self.world.happens("closed")

    def do_vault_empty(self, number: int) -> None:
        """Claims until the vault holds nothing, and one more (small funds alone)."""
        if self.script.fund <= 6:
            for _ in range(self.script.fund + 1):
                self.do_ticket(1)


INCIDENTS: dict[str, tuple[str, ...]] = {
    "sound": (),
    "in_flight": ("lose",),
    "lost": ("lose", "wait", "quiet"),
    "lost_refused": ("lose", "ticket", "wait"),
    "lost_late": ("lose", "wait", "late"),
    "quiet_tail": ("lose", "wait"),
    "sink_failed": ("sink_failed", "wait"),
    "paused": ("paused", "wait"),
    "pause_retry": ("pause_retry",),
    "expired": ("expired",),
    "duplicate": ("again", "wait"),
    "twice": ("twice", "wait"),
    "race": ("race",),
    "reset": ("reset", "ticket"),
    "rollback": ("rollback", "ticket"),
    "restore": ("restore", "ticket"),
    "closed": ("close", "wait"),
    "expiry": ("ticket", "lose", "wait"),
    "stream": ("stream", "ticket"),
    "foreign": ("foreign",),
    "rotate": ("rotate", "ticket"),
    "rotate_late": ("rotate", "ticket", "align", "wait"),
    "stranger": ("stranger", "resent"),
    "storage_sourced": ("storage_sourced", "quiet"),
    "clock": ("clock", "ticket", "clock"),
    "clock_wrong": ("clock_wrong", "wait", "clock_right"),
    "clock_wrong_claims": ("clock_wrong", "ticket", "clock_right", "wait"),
    "grant_reuse": ("second_event", "ticket"),
    "forged_anchor": ("forged_anchor",),
    "forged_early": ("forged_anchor", "ticket"),
    "forged_wait": ("forged_anchor", "wait", "quiet"),
    "replayed": ("replayed_anchor", "wait"),
    "broken_then_replayed": ("lose", "wait", "replayed_anchor"),
}
BUILDS = (("strict", "A"), ("strict_v2", "B"), ("strict_v2", "D"), ("relaxed", "D"), ("head", "D"))
SPECIAL = ("genesis", "period", "upgrade", "downgrade", "two_grants", "vault", "mixed", "unused")
KINDS = (*INCIDENTS, *SPECIAL)
SOUND = (
    "ticket",
    "ticket",
    "ticket",
    "quiet",
    "interleaved",
    "stranger",
    "resent",
    "elsewhere",
    "asked_again",
)
ANYTHING = (
    *(
        "ticket",
        "quiet",
        "lose",
        "late",
        "race",
        "pause_retry",
        "paused",
        "expired",
        "again",
        "twice",
        "sink_failed",
    ),
    *(
        "reset",
        "rollback",
        "stream",
        "foreign",
        "rotate",
        "align",
        "stranger",
        "resent",
        "wait",
        "clock",
        "clock_wrong",
        "clock_right",
    ),
    *(
        "second_event",
        "stale_parent",
        "elsewhere",
        "forged_anchor",
        "replayed_anchor",
        "restore",
        "storage_sourced",
    ),
)


@dataclass
class Writer:
    """Writes scripts by chance."""

    chance: random.Random
    steps: list[Step] = field(default_factory=list)

    def add(self, *names: str) -> None:
        chance = self.chance
        for name in names:
            number = chance.choice((6, 13, 13, 14)) if name == "wait" else chance.randrange(12)
            pause = (
                chance.choice((1, 3, 8, 20, 45))
                if chance.random() < 0.9
                else chance.choice((120, 400, 650))
            )
            self.steps.append(Step(name, number, pause))

    def sound(self, least: int, most: int) -> None:
        for _ in range(self.chance.randint(least, most)):
            self.add(self.chance.choice(SOUND))


def script(kind: str, chance: random.Random) -> Script:
    """A world of a kind, by chance."""
    writer = Writer(chance)
    build, model = chance.choice(BUILDS)
    terms: dict[str, Any] = {"grants": 1 + (chance.random() < 0.2)}
    if kind in INCIDENTS:
        writer.sound(0, 4)
        writer.add(*INCIDENTS[kind])
        writer.sound(0, 3 if kind != "closed" else 0)
        terms["expires"] = chance.choice((90, 300, 700)) if kind == "expiry" else 0
    elif kind == "unused":
        writer.add(*["stranger", "wait", "second_event"][: chance.randrange(3)])
    elif kind == "genesis":
        build, model = chance.choice(BUILDS[:2])
        writer.add(
            chance.choice(("lose", "paused", "expired", "sink_failed")),
            *["ticket", "wait", "quiet"][: chance.randrange(4)],
        )
    elif kind == "period":
        terms["period"] = chance.choice((900, 1800, 3600))
        writer.sound(0, 2)
        writer.add("boundary")
        writer.sound(0, 2)
    elif kind in ("upgrade", "downgrade"):
        build, model = chance.choice((("strict", "A"), ("strict_v2", "B"), ("strict_v2", "D")))
        terms["start"] = RELAXED_DAY
        writer.sound(1, 3)
        writer.add(
            *INCIDENTS[
                chance.choice(("sound", "lost", "lost_refused", "paused", "race", "duplicate"))
            ]
        )
        writer.add("upgrade", "ticket", "race_shown")
        writer.sound(0, 2)
        if kind == "downgrade":
            writer.add("downgrade")
            writer.sound(0, 2)
            writer.add(*INCIDENTS[chance.choice(("sound", "lost_refused", "lost", "race"))])
    elif kind == "two_grants":
        terms["grants"] = 2
        writer.sound(1, 3)
        writer.add("elsewhere", *INCIDENTS[chance.choice(sorted(INCIDENTS))], "elsewhere")
    elif kind == "vault":
        terms["fund"] = chance.choice((1, 2, 3))
        writer.sound(0, 1)
        writer.add("vault_empty")
    else:
        for _ in range(chance.randint(0, 8)):
            writer.add(chance.choice(ANYTHING))
    if chance.random() < 0.25:
        # The clock may step anywhere in any world: it changes no order.
        for _ in range(chance.choice((1, 1, 2))):
            writer.steps.insert(
                chance.randint(0, len(writer.steps)), Step("clock", chance.randrange(12), 2)
            )
    if (build, model) == ("strict_v2", "D"):
        terms.setdefault("start", CLIENT_PARENTS_DAY)
    terms["clock"] = chance.choice((0,) * 5 + (500,) * 4 + (-2_000, 1_500, -300_000, 300_000))
    if chance.random() < 0.3:
        writer.add("wait")
    return Script(kind, build, model, tuple(writer.steps), **terms)


__all__ = ["BUILDS", "INCIDENTS", "KINDS", "STRICT", "Play", "Script", "Step", "script"]
