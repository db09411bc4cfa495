"""A transaction made ready to be sent: looked at, simulated, priced, signed and simulated again,
each held to what must come of it.

The order is the point (`reference/sending.md` §3): everything that takes time or a person comes
before the blockhash, which lives for seconds; everything is built, priced and simulated on the one
endpoint that it will be sent to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.decoding import program_called
from popkit.cutover.sending.effects import Difference, after, at_clock, differences, payer_after
from popkit.cutover.sending.endpoint import Clock, Endpoint, Held
from popkit.cutover.sending.transactions import (
    Call,
    Decoded,
    compared,
    message_of,
    read_back,
    signature_of,
    signers_of,
    unsigned,
    wire_of,
    writable_of,
)
from popkit.cutover.sending.trying import (
    ANY_BLOCKHASH,
    affordable,
    capped,
    failure_name,
    fee_of,
    limit_of,
    price_of,
    refuse_failing,
    simulate,
)
from popkit.protocol.message import SKEW_SECONDS
from popkit.texts import Sentence, Text, sentence

_FEW = 5


class Signer(Protocol):
    """Whoever signs: a key's holder, of whom no more is known than the public key."""

    @property
    def public_key(self) -> str: ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes over the message."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the program of this moment does with claims and with grants that are there: see
    `effects.after`.
    """

    strict: bool = False
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class Simulated:
    """A dry run: nothing was signed. `error` names why it would fail (None: it would not);
    `differences` is where the node's simulation ends otherwise than was worked out; `stopped` is
    why nothing could be worked out. Unknown numbers are None, and `not_checked` says what a dry run
    cannot know.
    """

    calls: tuple[Decoded, ...]
    slot: int
    before: Mapping[str, Held | None]
    expected: Mapping[str, Held | None] | None
    found: Mapping[str, Held | None]
    differences: tuple[Difference, ...]
    error: str | None
    logs: tuple[str, ...]
    units: int | None
    fee: int | None
    payer_left: int | None
    stopped: Stopped | None
    not_checked: tuple[Sentence | Text, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing speaks against it."""
        return self.error is None and self.stopped is None and not self.differences


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction, and the accounts that must come of it.

    `before` and `expected` hold the accounts that it may write; `receipts` are those of claims,
    which hold the clock of their block.
    """

    payer: str
    wire: bytes
    signature: str
    blockhash: str
    last_valid_height: int
    slot: int
    fee: int
    before: Mapping[str, Held | None]
    expected: Mapping[str, Held | None]
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared(Signed):
    """A signed transaction that is ready to be sent.

    `window` is how many seconds the blockhash had left when it was measured, None where the node
    could not say.
    """

    calls: tuple[Decoded, ...]
    limit: int | None
    price: int | None
    units: int | None
    logs: tuple[str, ...]
    payer_left: int
    clock: Clock
    window: float | None


def prepare(
    first: Endpoint,
    calls: Sequence[Call],
    payer: str,
    signers: Sequence[Signer],
    *,
    fee_cap_lamports: int,
    expected: Mapping[str, Held | None] | None = None,
    rules: Rules = Rules(),
) -> Prepared:
    """Make a transaction of these calls ready: looked at, simulated, priced, signed on the newest
    blockhash, simulated again.

    `expected` are accounts as the plan says they must be after it (the payer's lamports are by rule
    and not compared); None leaves it at what is worked out from the accounts that are there now.
    `fee_cap_lamports` caps the whole fee.

    Raises Stopped: would_fail (with the program's error), not_understood, poor_payer,
    fee_above_cap, not_as_planned, simulation_differs, not_as_intended (a signer's bytes), or
    Silent.
    """
    writable = writable_of(calls, payer)
    before, clock = _look(first, calls, payer), first.clock()
    trial = simulate(
        first, unsigned(message_of(calls, payer, ANY_BLOCKHASH)), writable, verify=False
    )
    refuse_failing(trial, calls)
    limit = limit_of(trial.units)
    wanted = price_of(first, writable) if limit is not None else None
    window_seconds = first.slot_seconds()

    newest = first.blockhash()
    base = fee_of(first, message_of(calls, payer, newest.blockhash, limit))
    capped(base, fee_cap_lamports)
    price = affordable(wanted, base, fee_cap_lamports, limit)
    message = message_of(calls, payer, newest.blockhash, limit, price)
    fee = fee_of(first, message)
    capped(fee, fee_cap_lamports)

    whole = after(
        calls,
        before,
        payer,
        fee,
        first.rent,
        clock.block_time,
        strict=rules.strict,
        rewrites=rules.rewrites,
    )
    left = payer_after(whole, payer, first.rent)
    if expected is not None:
        _as_planned(expected, whole, payer)
    needed = {signer.public_key: signer for signer in signers}
    wire = wire_of(
        message, {key: needed[key].sign(message) for key in signers_of(message) if key in needed}
    )
    decoded = compared(wire, calls, payer, blockhash=newest.blockhash, limit=limit, price=price)

    receipts = tuple(call.accounts["receipt"] for call in decoded if call.name == "claim_grant")
    ends = {key: whole[key] for key in writable}
    final = simulate(first, wire, writable, verify=True)
    refuse_failing(final, calls)
    rows = differences(_at_clock_of(final.found, ends, receipts, clock), final.found)
    if rows:
        _differs(rows)
    remaining = newest.last_valid_height - first.height()
    return Prepared(
        calls=tuple(decoded),
        payer=payer,
        wire=wire,
        signature=signature_of(wire),
        blockhash=newest.blockhash,
        last_valid_height=newest.last_valid_height,
        slot=final.slot,
        fee=fee,
        limit=limit,
        price=price,
        units=final.units,
        logs=final.logs,
        before={key: before[key] for key in writable},
        expected=ends,
        receipts=receipts,
        payer_left=left,
        clock=clock,
        window=None if window_seconds is None else max(0.0, remaining * window_seconds),
    )


def dry(first: Endpoint, calls: Sequence[Call], payer: str, *, rules: Rules = Rules()) -> Simulated:
    """Everything that can be known of a transaction without a signature: looked at, simulated, its
    fee asked, its effects worked out.

    Never raises for what would go wrong with the transaction itself: the answer says it. Raises
    Silent where the node does.
    """
    writable = writable_of(calls, payer)
    before, clock = _look(first, calls, payer), first.clock()
    message = message_of(calls, payer, first.blockhash().blockhash)
    fee = first.fee(message)
    trial = simulate(first, unsigned(message), writable, verify=False)
    whole: Mapping[str, Held | None] | None = None
    left: int | None = None
    stopped: Stopped | None = None
    rows: tuple[Difference, ...] = ()
    try:
        whole = after(
            calls,
            before,
            payer,
            fee or 0,
            first.rent,
            clock.block_time,
            strict=rules.strict,
            rewrites=rules.rewrites,
        )
        left = payer_after(whole, payer, first.rent)
    except Stopped as problem:
        stopped = problem
    decoded = tuple(read_back(unsigned(message), program_called(call.program for call in calls)))
    receipts = tuple(call.accounts["receipt"] for call in decoded if call.name == "claim_grant")
    if whole is not None and trial.err is None and fee is not None:
        ends = {key: whole[key] for key in writable}
        rows = tuple(differences(_at_clock_of(trial.found, ends, receipts, clock), trial.found))
    return Simulated(
        calls=decoded,
        slot=trial.slot,
        before={key: before[key] for key in writable},
        expected=None if whole is None else {key: whole[key] for key in writable},
        found=trial.found,
        differences=rows,
        error=failure_name(trial.err, trial.logs, [call.program for call in calls]),
        logs=trial.logs,
        units=trial.units,
        fee=fee,
        payer_left=left,
        stopped=stopped,
        not_checked=tuple(_NOT_CHECKED),
    )


_NOT_CHECKED = (
    Text(
        "No key was asked for, so no signature was verified.",
        "鍵を求めていないため、署名は検証していません。",
    ),
    Text(
        "The simulation took the node's newest blockhash, so the time that signing leaves was not "
        "tried.",
        "シミュレーションはノードの最新のブロックハッシュで行ったため、署名後に残る時間は試していません。",
    ),
    Text(
        "What others send in the meantime is not known: everything is looked at again before it is "
        "sent.",
        "その間に他者が何を送るかは分かりません。送信の前に、すべてをもう一度確認します。",
    ),
)


def _look(first: Endpoint, calls: Sequence[Call], payer: str) -> Mapping[str, Held | None]:
    """Every account that the calls name, as it is now."""
    return first.accounts([payer, *(meta.pubkey for call in calls for meta in call.metas)])


def _as_planned(
    planned: Mapping[str, Held | None], ends: Mapping[str, Held | None], payer: str
) -> None:
    """What is worked out from the accounts of now is what the plan says, but for the payer's
    lamports.
    """
    rows = [
        row
        for row in differences(planned, {key: ends[key] for key in planned if key in ends})
        if row.account != payer
    ]
    if rows:
        raise Stopped(
            "not_as_planned",
            sentence(
                "After it, {first} would not be as the plan says.",
                "実行後、{first} が計画のとおりになりません。",
                first=_named(rows),
            ),
            sentence(
                "nothing was sent; look at what changed since the plan, and plan anew",
                "何も送信していません。計画の後に何が変わったかを確認し、計画し直してください",
            ),
        )


def _differs(rows: Sequence[Difference]) -> None:
    raise Stopped(
        "simulation_differs",
        sentence(
            "Simulated, {first} ends otherwise than it must.",
            "シミュレーションの結果、{first} があるべき状態と異なります。",
            first=_named(rows),
        ),
        sentence(
            "nothing was sent; do not go on before you know why",
            "何も送信していません。理由が分かるまで先に進まないでください",
        ),
    )


def _named(rows: Sequence[Difference]) -> str:
    return ", ".join(
        f"{row.field} of {row.account} ({row.expected} / {row.found})"[:200] for row in rows[:_FEW]
    )


def _at_clock_of(
    found: Mapping[str, Held | None],
    ends: Mapping[str, Held | None],
    receipts: Sequence[str],
    clock: Clock,
) -> Mapping[str, Held | None]:
    """The expected accounts with the receipts' second as the simulation's bank had it, where it is
    near the clock that was read.
    """
    for key in receipts:
        held = found.get(key)
        if held is not None and len(held.data) >= 8:
            second = int.from_bytes(held.data[-8:], "little", signed=True)
            if abs(second - clock.block_time) <= SKEW_SECONDS:
                ends = at_clock(ends, [key], second)
    return ends
