"""A living drill for the tests of sending: its time passes where a test waits, and whoever signs
holds a drill's key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.keypair import Keypair

from popkit.collecting.address import Address
from popkit.cutover.sending import transactions
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.sending.preparing import Prepared, prepare
from popkit.cutover.sending.sending import Outcome, send
from popkit.cutover.sending.transactions import Call, GrantPlace
from popkit.drill.live import Drill
from popkit.drill.rehearsal import background
from popkit.drill.world import GrantHandle, World, sound
from popkit.protocol.keys import PROGRAM_ID

CAP = 20_000
BEAT, PATIENCE = 9.0, 25
"""A blockhash of the drill lives for sixty seconds: a test needs few looks to see one expire."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A signer with a key of the drill's."""

    key: Keypair

    @property
    def public_key(self) -> str:
        return str(self.key.pubkey())

    def sign(self, message: bytes) -> bytes:
        return bytes(self.key.sign_message(message))


@dataclass
class Notes:
    """A journal in memory."""

    entries: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)

    def write(self, kind: str, step: str | None = None, **facts: Any) -> None:
        self.entries.append((kind, step, facts))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.entries]

    def answers(self) -> list[str]:
        return [facts["answer"] for kind, _, facts in self.entries if kind == "sent"]


@dataclass(slots=True)
class Rehearsed:
    """A drill, asked through both of its nodes."""

    drill: Drill
    handle: GrantHandle
    first: Endpoint
    second: Endpoint
    attempts: Path
    journal: Notes = field(default_factory=Notes)

    @property
    def world(self) -> World:
        return self.drill.world

    @property
    def old(self) -> GrantPlace:
        return GrantPlace(PROGRAM_ID, self.handle.authority, self.handle.mint, self.handle.number)

    @property
    def new(self) -> GrantPlace:
        return GrantPlace(PROGRAM_ID, self.handle.authority, self.handle.mint, 99)

    @property
    def school(self) -> Holder:
        return Holder(self.world.key("school"))

    def create(self) -> Call:
        return transactions.create_grant(
            self.new,
            amount_per_period=1,
            period_seconds=86_400,
            start_ts=self.world.now - 5,
            expires_at=0,
        )

    def switch(self) -> list[Call]:
        """The one transaction of a switch."""
        upsert = transactions.upsert_pop_config(
            PROGRAM_ID, self.handle.authority, self.world.worker.signer
        )
        return [
            transactions.set_paused(self.old),
            self.create(),
            transactions.fund_grant(self.new, 50),
            upsert,
        ]

    def prepared(self, calls: list[Call] | None = None, **options: Any) -> Prepared:
        return prepare(
            self.first,
            calls or self.switch(),
            self.handle.authority,
            [self.school],
            **{"fee_cap_lamports": CAP, **options},
        )

    def sent(self, prepared: Prepared, step: str = "2", **options: Any) -> Outcome:
        options = {"sleep": self.drill.clock.skip, "beat": BEAT, "patience": PATIENCE, **options}
        return send(prepared, self.first, self.second, self.attempts, self.journal, step, **options)

    def landed(self, signature: str) -> list[Any]:
        """Every landing of a signature in the drill's world: at most one, whatever was asked."""
        return [block for block in self.world.landed if block.signature == signature]


@contextmanager
def rehearsed(
    folder: Path,
    *,
    build: str = "head",
    faults: tuple[str, ...] = (),
    second: tuple[str, ...] = (),
    behind: int = 0,
    slot_ms: int = 400,
) -> Iterator[Rehearsed]:
    """A drill on loopback, a while after its beginning."""
    model = {"strict": "A", "strict_v2": "B", "relaxed": "C", "head": "D"}[build]
    world, handle, _ = sound(build, model, "ann", "bob")
    world.live(slot_ms)
    world.tick(600)
    drill = Drill(world, "the drill's own", faults=faults, second_faults=second, behind=behind)
    with background(drill) as listening:
        skip = drill.clock.skip
        with (
            Endpoint("first", Address(listening.rpc), sleep=skip) as first,
            Endpoint("second", Address(listening.second_rpc), sleep=skip) as other,
        ):
            yield Rehearsed(drill, handle, first, other, folder / "attempts")
