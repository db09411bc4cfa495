"""The canary against the living worker and chain of each era: first claim, kills at every point,
and each way in which it must stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.address import Address
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.errors import OutcomeUnknown, Stopped
from popkit.cutover.first_claim.canary import STEP, CanaryResult, countdown, take
from popkit.cutover.first_claim.checks import Terms
from popkit.cutover.journals.journal import Journal
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.sending.transactions import GrantPlace
from popkit.drill.ledger import Account
from popkit.drill.live import Drill
from popkit.drill.rehearsal import background
from popkit.drill.stage import MODELS
from popkit.drill.world import GrantHandle, sound
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import receipt_address
from tests.cutover.rehearsed import Holder
from tests.cutover.scripted import TOKEN
from tests.cutover.stand_in import Landing, StandIn

ERAS = ("strict", "strict_v2", "relaxed", "head")
STRICT = ("strict", "strict_v2")


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Scene:
    """A new grant with its event, a wallet for the canary, and everything that listens."""

    drill: Drill
    desk: WorkerDesk
    first: Endpoint
    second: Endpoint
    grant: GrantHandle
    event: str
    terms: Terms
    wallet: Holder
    carrier: StandIn
    folder: Path

    @property
    def journal(self) -> Journal:
        path = self.folder / "journal.jsonl"
        return Journal.open(path) if path.exists() else Journal.create(path, "0" * 64)

    def take(self, **other: Any) -> CanaryResult:
        given = {
            "wallet": self.wallet,
            "event": self.event,
            "terms": self.terms,
            "journal": self.journal,
            "attempts": self.folder,
        }
        return take(
            self.desk, self.first, self.second, **{**given, "carrier": self.carrier, **other}
        )

    @property
    def anchors(self) -> list[dict[str, Any]]:
        """The anchors that name the new grant."""
        return [
            row
            for row in self.drill.worker.entries
            if row["data"].get("grant") == self.grant.address
        ]

    @property
    def claims(self) -> list[Any]:
        """What landed of the new grant's claims: None for an accepted one, else its error."""
        return [row.err for row in self.drill.world.landed if self.grant.state in row.keys]


@contextmanager
def scene(era: str, folder: Path, slot_ms: int = 10) -> Iterator[Scene]:
    world, _, _ = sound(era, MODELS[era], "ann", "bob")
    new = world.grant(number=77, link=False)
    key = world.key("canary")
    world.ledger.accounts[str(key.pubkey())] = Account(1_000_000_000, SYSTEM_PROGRAM)
    event = world.worker.open_event(new, "Clean-up, again")
    world.tick(60)
    world.live(slot_ms)
    held = world.ledger.grants[new.address]
    place = GrantPlace(PROGRAM_ID, new.authority, new.mint, 77)
    model = "A" if era == "strict" else MODELS[era]
    terms = Terms(
        place,
        held.amount_per_period,
        held.period_seconds,
        held.start_ts,
        world.worker.signer,
        model,
        era in STRICT,
    )
    drill = Drill(world, TOKEN)
    with background(drill) as listening:
        header = (("Authorization", f"Bearer {TOKEN}"),)
        with (
            WorkerDesk(Address(listening.worker, header)) as desk,
            Endpoint("first", Address(listening.rpc)) as first,
            Endpoint("second", Address(listening.second_rpc)) as second,
        ):
            wallet = Holder(key)
            yield Scene(
                drill,
                desk,
                first,
                second,
                new,
                event,
                terms,
                wallet,
                StandIn(first, wallet),
                folder,
            )


@pytest.mark.parametrize("era", ERAS)
def test_the_first_claim_is_taken_once_and_verified(era: str, tmp_path: Path) -> None:
    with scene(era, tmp_path) as s:
        result = s.take()
        assert result.failed == ()
        assert result.is_verified
        assert result.by_worker == {"verify_receipt": True, "verify_code": True}
        before = len(s.journal.entries)
        assert s.take() == result
        assert len(s.journal.entries) == before, "what was verified stands"
        assert s.claims == [None]
        assert [row["data"]["prevHash"] for row in s.anchors] == [GENESIS_HASH]
        recorded = [
            row
            for row in s.drill.worker.entries
            if row["event"] == "WALLET_CLAIM" and row["eventId"] == s.event
        ]
        assert (
            result.signature in [row["data"]["transfer"]["txSignature"] for row in recorded]
            or era == "strict_v2"
        )
        assert countdown(s.journal, s.first.clock().block_time) is None
        kinds = [entry.kind for entry in s.journal.of(STEP)]
        assert kinds[0] == "canary_begins"
        assert kinds[-1] == "canary_verified"


def killing(before: bool, met: set[str], spared: str) -> Callable[..., Any]:
    """A journal's write that ends the process before or after it writes an entry of a kind that it
    has not written yet.
    """
    real = Journal.write

    def write(self: Journal, kind: str, step: str | None = None, **facts: Any) -> Any:
        name = f"{kind} {facts.get('what', '')}"
        is_new = name not in met and name != spared
        met.add(name)
        if is_new and before:
            raise Killed
        entry = real(self, kind, step, **facts)
        if is_new:
            raise Killed
        return entry

    return write


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("era", ["strict", "head"])
def test_killed_at_every_entry_and_gone_on_with(
    era: str, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, issued or lost twice. The one instant that costs a strict grant has a test
    of its own.
    """
    met: set[str] = set()
    kills = 0
    with scene(era, tmp_path) as s, monkeypatch.context() as patched:
        s.journal.write("looked")
        patched.setattr(
            Journal,
            "write",
            killing(before, met, "canary_done proof" if (era, before) == ("strict", True) else ""),
        )
        while True:
            try:
                result = s.take()
                break
            except Killed:
                kills += 1
        assert kills >= 11
        assert result.is_verified
        assert s.claims == [None]
        assert len(s.carrier.sent) == 1
        assert len(s.anchors) == 1


def test_killed_in_the_instant_before_a_proof_was_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be had again, and the strict grant is lost: the next run says so, and sends
    nothing.
    """
    met = {"canary_begins ", "canary_asks proof"}
    with scene("strict", tmp_path) as s:
        s.journal.write("looked")
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "write", killing(True, met, ""))
            with pytest.raises(Killed):
                s.take()
        with pytest.raises(Stopped) as stopped:
            s.take()
        assert stopped.value.code == "proof_refused"
        assert "abandon" in stopped.value.advice
        assert s.carrier.signed == []


@pytest.mark.parametrize("point", ["signed", "sent"])
def test_killed_while_sending_the_claim_is_looked_for_first(point: str, tmp_path: Path) -> None:
    def die(where: str) -> None:
        if where == point:
            raise Killed

    with scene("strict", tmp_path) as s:
        s.carrier.dies = die
        with pytest.raises(Killed):
            s.take()
        left = countdown(s.journal, s.first.clock().block_time)
        assert left is not None
        assert 500 < left.seconds <= 600
        assert str(left.seconds) in left.sentence
        s.carrier.dies = lambda _: None
        assert s.take().is_verified
        assert s.claims == [None]
        assert len(s.carrier.signed) == (2 if point == "signed" else 1)


def test_an_unknown_outcome_sends_nothing_new(tmp_path: Path) -> None:
    with scene("strict", tmp_path) as s:
        held = s.carrier.send
        s.carrier.send = lambda calls: Landing("unknown", "5" * 64)  # type: ignore[method-assign]
        s.carrier.resume = lambda: Landing("unknown", "5" * 64)  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as unknown:
                s.take()
            assert unknown.value.exit_code == 3
        s.carrier.send = held  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown):
            s.take()
        assert s.carrier.signed == []
        s.carrier.resume = lambda: Landing("expired", "5" * 64)  # type: ignore[method-assign]
        assert s.take().is_verified, "proven never landed: the same proof is sent"
        assert len(s.anchors) == 1


@pytest.mark.parametrize("era", ["strict", "relaxed"])
def test_a_proof_that_was_kept_too_long(era: str, tmp_path: Path) -> None:
    """In the strict eras the grant is lost, and no other proof is asked for; the later programs
    take another one.
    """
    with scene(era, tmp_path) as s:
        s.carrier.dies = lambda where: (
            (_ for _ in ()).throw(Killed()) if where == "signed" else None
        )
        with pytest.raises(Killed):
            s.take()
        s.carrier.signed.clear()
        s.carrier.dies = lambda _: None
        s.drill.clock.skip(700)
        if era == "strict":
            with pytest.raises(Stopped) as stopped:
                s.take()
            assert stopped.value.code == "proof_expired"
            assert "abandon" in stopped.value.advice
            assert len(s.anchors) == 1
        else:
            assert s.take().is_verified
            assert len(s.anchors) == 2


@pytest.mark.parametrize("era", ["strict_v2", "relaxed"])
def test_a_stranger_asked_for_a_proof_before(era: str, tmp_path: Path) -> None:
    """The strict eras' grant is dead, and that is said before anything is sent; the later ones take
    heads from the chain.
    """
    with scene(era, tmp_path) as s:
        stranger = s.drill.world.address("eve")
        code = (
            None
            if s.terms.model == "A"
            else s.desk.participate(s.event, stranger).body["confirmationCode"]
        )
        heads = (GENESIS_HASH, GENESIS_HASH) if s.terms.takes_heads else None
        assert s.desk.pop_proof(s.event, s.grant.address, stranger, 0, code, heads).is_done
        if era in STRICT:
            for _ in range(2):
                with pytest.raises(Stopped) as stopped:
                    s.take()
                assert stopped.value.code == "proof_refused"
                assert "proof_prev_hash" in stopped.value.reason
            assert s.carrier.signed == []
        else:
            assert s.take().is_verified


def paused(s: Scene) -> None:
    s.drill.world.switch(s.grant, "set_paused", {"paused": True})


def another_signer(s: Scene) -> None:
    s.drill.worker.key = s.drill.world.key("rotated")


def clock_ahead(s: Scene) -> None:
    s.drill.worker.offset_ms += 400_000


def poor_wallet(s: Scene) -> None:
    s.drill.world.ledger.accounts[s.wallet.public_key] = Account(2_000_000, SYSTEM_PROGRAM)


def other_terms(s: Scene) -> None:
    s.terms = replace(s.terms, amount=999_999)


def test_what_would_fail_is_seen_before_a_proof_is_asked_for(tmp_path: Path) -> None:
    """One harm after another, each seen beside those before it."""
    harms = {
        paused: {"grant_takes_claims"},
        another_signer: {"worker_signer"},
        clock_ahead: {"worker_clock"},
        poor_wallet: {"wallet_lamports"},
        other_terms: {"grant_terms", "vault"},
    }
    expected: set[str] = set()
    with scene("strict", tmp_path) as s:
        for harm, names in harms.items():
            harm(s)
            expected |= names
            s.drill.clock.skip(5)
            with pytest.raises(Stopped) as stopped:
                s.take()
            assert stopped.value.code == "canary_not_ready"
            refused = s.journal.last("canary_refused")
            assert refused is not None
            assert {check["name"] for check in refused.facts["checks"]} == expected
        assert s.anchors == []


def test_somebody_claimed_first(tmp_path: Path) -> None:
    with scene("head", tmp_path) as s:
        s.drill.world.ticket(s.grant, "fay")
        s.drill.clock.skip(5)
        with pytest.raises(Stopped) as stopped:
            s.take()
        assert stopped.value.code == "not_first"


def test_lamports_at_the_new_addresses_are_no_claim(tmp_path: Path) -> None:
    """Anybody can send some to the receipt's and PopState's address before."""
    with scene("strict", tmp_path) as s:
        receipt = receipt_address(s.grant.address, s.wallet.public_key, 0, PROGRAM_ID)
        for address in (receipt, s.grant.state):
            s.drill.world.ledger.accounts[address] = Account(1_000_000, SYSTEM_PROGRAM)
        assert s.take().is_verified


def test_a_claim_that_came_after_the_canary_does_not_make_it_doubtful(tmp_path: Path) -> None:
    """The worker was away when the canary was to be registered; meanwhile somebody claimed."""
    with scene("head", tmp_path) as s:
        s.carrier.dies = lambda where: setattr(s.drill.desk, "down", where == "sent")
        with pytest.raises(OutcomeUnknown):
            s.take()
        s.drill.desk.down = False
        s.drill.world.tick(60)
        s.drill.world.ticket(s.grant, "fay")
        s.drill.clock.skip(5)
        result = s.take()
        assert result.is_verified
        assert [check.name for check in result.failed] == ["pop_state"]


def test_another_wallet_does_not_go_on_with_a_canary(tmp_path: Path) -> None:
    with scene("strict", tmp_path) as s:
        s.take()
        other = Holder(s.drill.world.key("another"))
        with pytest.raises(Stopped) as stopped:
            s.take(wallet=other)
        assert stopped.value.code == "another_canary"


def test_a_worker_that_is_down_before_and_after_the_claim(tmp_path: Path) -> None:
    with scene("strict", tmp_path) as s:
        s.drill.desk.down = True
        with pytest.raises(Stopped):
            s.take()
        assert s.anchors == []
        s.drill.desk.down = False
        s.carrier.dies = lambda where: setattr(s.drill.desk, "down", where == "sent")
        with pytest.raises(OutcomeUnknown) as unknown:
            s.take()
        assert unknown.value.code == "registration_unknown"
        s.drill.desk.down = False
        assert s.take().is_verified
        assert s.claims == [None]


def test_a_sink_that_fails_under_the_participation(tmp_path: Path) -> None:
    """The worker keeps the participation and no receipt: it says so before a proof is asked for,
    and no proof is lost.
    """
    with scene("strict_v2", tmp_path) as s:
        s.drill.worker.failing = ("WALLET",)
        with pytest.raises(OutcomeUnknown) as unknown:
            s.take()
        assert unknown.value.code == "participation_unknown"
        s.drill.worker.failing = ()
        with pytest.raises(Stopped) as stopped:
            s.take()
        assert stopped.value.code == "no_ticket"
        assert s.anchors == []
        other = Holder(s.drill.world.key("another"))
        s.drill.world.ledger.accounts[other.public_key] = Account(1_000_000_000, SYSTEM_PROGRAM)
        s.drill.clock.skip(5)
        s.carrier.wallet = other
        assert s.take(wallet=other).is_verified, (
            "another wallet may take over while no proof was asked for"
        )


def test_a_sink_that_fails_under_the_proof(tmp_path: Path) -> None:
    """503, and the head has moved: the strict grant is lost, and the next run says so instead of
    sending.
    """
    with scene("strict", tmp_path) as s:
        s.drill.worker.failing = ("API_POST",)
        with pytest.raises(OutcomeUnknown) as unknown:
            s.take()
        assert unknown.value.code == "proof_unknown"
        assert "head may have moved" in unknown.value.advice
        s.drill.worker.failing = ()
        with pytest.raises(Stopped) as stopped:
            s.take()
        assert stopped.value.code == "proof_refused"
        assert s.carrier.signed == []


@pytest.mark.parametrize("era", ["strict", "head"])
def test_the_claim_goes_through_the_cutovers_own_sending(era: str, tmp_path: Path) -> None:
    """Signed bytes on disk first; killed in between, the attempt is found again, and nothing is
    sent twice.
    """
    attempts = tmp_path / "attempts"
    with scene(era, tmp_path, 20) as s:  # a blockhash must outlive a busy machine's pauses
        given = {"carrier": None, "attempts": attempts, "beat": 0.02}
        slept: list[float] = []

        def dies(seconds: float) -> None:
            slept.append(seconds)
            raise Killed

        with pytest.raises(Killed):
            s.take(**given, sleep=dies)
        assert [file.name for file in attempts.iterdir()] == [f"{STEP}-1.json"]
        result = s.take(**given)
        assert result.failed == ()
        assert s.claims == [None]
        assert sorted(file.name for file in attempts.iterdir()) == [
            f"{STEP}-1.json",
            f"{STEP}-1.outcome.json",
        ]


def test_a_claim_that_would_fail_is_not_sent_and_the_proof_is_used_later(tmp_path: Path) -> None:
    with scene("strict", tmp_path, 20) as s:
        given = {"carrier": None, "attempts": tmp_path / "attempts", "beat": 0.02}
        with pytest.raises(Stopped) as stopped:
            s.take(**given, fee_cap_lamports=1)
        assert stopped.value.code == "fee_above_cap"
        assert "sends the same proof" in stopped.value.advice
        assert s.claims == []
        assert s.take(**given).is_verified
        assert len(s.anchors) == 1
