"""A transaction made ready to be sent: looked at, simulated, priced, signed and simulated again, each held to what must come of it.

The order is the point (`reference/sending.md` §3): everything that takes time or a person comes before the blockhash, which lives for
seconds; everything is built, priced and simulated on the one endpoint that it will be sent to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pybase64 import b64encode

from popkit.cutover.effects import Difference, after, at_clock, differences, payer_after
from popkit.cutover.endpoint import Clock, Endpoint, Held
from popkit.cutover.errors import Stopped
from popkit.cutover.transactions import (
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
from popkit.protocol.errors import read_failure
from popkit.protocol.message import SKEW_SECONDS
from popkit.texts import Sentence, Text, sentence

MOST_UNITS = 1_400_000
"""Compute units that a transaction can ask for."""
_MARGIN, _SPARE_UNITS = 1.25, 1_000
_SHARE = 0.75
"""Of the fees paid in the newest blocks, the share that was at most as high as what is offered."""
_FEW = 5


class Signer(Protocol):
    """Whoever signs: a key's holder, of whom no more is known than the public key."""

    @property
    def public_key(self) -> str: ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes over the message."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the program of this moment does with claims and with grants that are there: see `effects.after`."""

    strict: bool = False
    rewrites: bool = False


class WouldFail(Stopped):
    """The node's simulation fails: `error` is the chain's name for it, `logs` what the programs wrote."""

    def __init__(self, error: str, logs: Sequence[str]) -> None:
        self.error, self.logs = error, tuple(logs)
        super().__init__(
            "would_fail",
            sentence(
                "Simulated, the transaction fails with {name}.",
                "シミュレーションでは、トランザクションが {name} で失敗します。",
                name=error,
            ),
            sentence(
                "nothing was sent; look at what changed, and plan anew",
                "何も送信していません。何が変わったかを確認し、計画し直してください",
            ),
        )


@dataclass(frozen=True, slots=True)
class Simulated:
    """A dry run: nothing was signed. `error` names why it would fail (None: it would not); `differences` is where the node's simulation
    ends otherwise than was worked out; `stopped` is why nothing could be worked out. Unknown numbers are None, and `not_checked` says
    what a dry run cannot know.
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
class Prepared:
    """A signed transaction that is ready to be sent, and the accounts that must come of it.

    `before` and `expected` hold the accounts that it may write; `receipts` are those of claims, which hold the clock of their block.
    `window` is how many seconds the blockhash had left when it was measured, None where the node could not say.
    """

    calls: tuple[Decoded, ...]
    payer: str
    wire: bytes
    signature: str
    blockhash: str
    last_valid_height: int
    slot: int
    fee: int
    limit: int | None
    price: int | None
    units: int | None
    logs: tuple[str, ...]
    before: Mapping[str, Held | None]
    expected: Mapping[str, Held | None]
    receipts: tuple[str, ...]
    payer_left: int
    clock: Clock
    window: float | None


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a node's simulation came to."""

    err: Any
    logs: tuple[str, ...]
    units: int | None
    found: Mapping[str, Held | None]
    slot: int


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
    """Make a transaction of these calls ready: looked at, simulated, priced, signed on the newest blockhash, simulated again.

    `expected` are accounts as the plan says they must be after it (the payer's lamports are by rule and not compared); None leaves it at
    what is worked out from the accounts that are there now. `fee_cap_lamports` caps the whole fee.

    Raises Stopped: would_fail (with the program's error), not_understood, poor_payer, fee_above_cap, not_as_planned, simulation_differs,
    not_as_intended (a signer's bytes), or Silent.
    """
    writable = writable_of(calls, payer)
    before, clock = _look(first, calls, payer), first.clock()
    trial = _try(first, unsigned(message_of(calls, payer, _ANY_BLOCKHASH)), writable, verify=False)
    _would_fail(trial, calls)
    limit = _limit(trial.units)
    wanted = _price(first, writable) if limit is not None else None
    window_seconds = first.slot_seconds()

    newest = first.blockhash()
    base = _fee(first, message_of(calls, payer, newest.blockhash, limit))
    _capped(base, fee_cap_lamports)
    price = _affordable(wanted, base, fee_cap_lamports, limit)
    message = message_of(calls, payer, newest.blockhash, limit, price)
    fee = _fee(first, message)
    _capped(fee, fee_cap_lamports)

    whole = after(calls, before, payer, fee, first.rent, clock.block_time, strict=rules.strict, rewrites=rules.rewrites)
    left = payer_after(whole, payer, first.rent)
    if expected is not None:
        _as_planned(expected, whole, payer)
    needed = {signer.public_key: signer for signer in signers}
    wire = wire_of(message, {key: needed[key].sign(message) for key in signers_of(message) if key in needed})
    decoded = compared(wire, calls, payer, blockhash=newest.blockhash, limit=limit, price=price)

    receipts = tuple(call.accounts["receipt"] for call in decoded if call.name == "claim_grant")
    ends = {key: whole[key] for key in writable}
    final = _try(first, wire, writable, verify=True)
    _would_fail(final, calls)
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
    """Everything that can be known of a transaction without a signature: looked at, simulated, its fee asked, its effects worked out.

    Never raises for what would go wrong with the transaction itself: the answer says it. Raises Silent where the node does.
    """
    writable = writable_of(calls, payer)
    before, clock = _look(first, calls, payer), first.clock()
    message = message_of(calls, payer, first.blockhash().blockhash)
    fee = first.fee(message)
    trial = _try(first, unsigned(message), writable, verify=False)
    whole: Mapping[str, Held | None] | None = None
    left: int | None = None
    stopped: Stopped | None = None
    rows: tuple[Difference, ...] = ()
    try:
        whole = after(calls, before, payer, fee or 0, first.rent, clock.block_time, strict=rules.strict, rewrites=rules.rewrites)
        left = payer_after(whole, payer, first.rent)
    except Stopped as problem:
        stopped = problem
    decoded = tuple(read_back(unsigned(message)))
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
    Text("No key was asked for, so no signature was verified.", "鍵を求めていないため、署名は検証していません。"),
    Text(
        "The simulation took the node's newest blockhash, so the time that signing leaves was not tried.",
        "シミュレーションはノードの最新のブロックハッシュで行ったため、署名後に残る時間は試していません。",
    ),
    Text(
        "What others send in the meantime is not known: everything is looked at again before it is sent.",
        "その間に他者が何を送るかは分かりません。送信の前に、すべてをもう一度確認します。",
    ),
)
_ANY_BLOCKHASH = "11111111111111111111111111111111"
"""In a message that is simulated with the node's own blockhash."""


def failure_name(err: Any, logs: Sequence[str], programs: Sequence[str]) -> str | None:
    """The name of an error as the chain gives it (the program's, Anchor's, the runtime's); None for no error."""
    failure = read_failure(err, logs, programs)
    return None if failure is None else failure.error or json.dumps(err, sort_keys=True)


def _look(first: Endpoint, calls: Sequence[Call], payer: str) -> Mapping[str, Held | None]:
    """Every account that the calls name, as it is now."""
    return first.accounts([payer, *(meta.pubkey for call in calls for meta in call.metas)])


def _try(first: Endpoint, wire: bytes, watched: Sequence[str], *, verify: bool) -> _Trial:
    """Simulate on the endpoint that it will be sent to; `verify`: with its signatures and its own blockhash, as it stands."""
    config = {"sigVerify": verify, "replaceRecentBlockhash": not verify, "accounts": {"encoding": "base64", "addresses": list(watched)}}
    result = first.at_newest("simulateTransaction", b64encode(wire).decode(), encoding="base64", **config)
    value = result.get("value")
    if not isinstance(value, dict) or "err" not in value:
        raise first.malformed("simulateTransaction")
    logs, units, accounts = value.get("logs") or [], value.get("unitsConsumed"), value.get("accounts")
    if value["err"] is not None:
        accounts, watched = [], []
    if not isinstance(accounts, list) or len(accounts) != len(watched):
        raise first.malformed("simulateTransaction")
    found = {key: first.held(row) for key, row in zip(watched, accounts, strict=True)}
    # Where a node gives an emptied account as one without lamports, that is none.
    found = {key: None if held is not None and held.lamports == 0 else held for key, held in found.items()}
    return _Trial(
        value["err"], tuple(map(str, logs)), units if type(units) is int and units > 0 else None, found, result["context"]["slot"]
    )


def _would_fail(trial: _Trial, calls: Sequence[Call]) -> None:
    name = failure_name(trial.err, trial.logs, [call.program for call in calls])
    if name is not None:
        raise WouldFail(name, trial.logs)


def _limit(units: int | None) -> int | None:
    """The compute limit: what a simulation used, with a margin; None where the node did not say, which leaves the default."""
    return None if units is None else min(MOST_UNITS, int(units * _MARGIN) + _SPARE_UNITS)


def _price(first: Endpoint, writable: Sequence[str]) -> int | None:
    """The price a unit (micro-lamports) that three in four of the newest blocks would have taken; None for nothing."""
    rows = first.ask("getRecentPrioritizationFees", [list(writable)])
    fees = sorted(row["prioritizationFee"] for row in rows if isinstance(row, dict) and type(row.get("prioritizationFee")) is int)
    return (fees[int(_SHARE * (len(fees) - 1))] or None) if fees else None


def _affordable(price: int | None, base: int, cap: int, limit: int | None) -> int | None:
    """The price, lowered until the whole fee keeps to the cap."""
    if price is None or limit is None:
        return None
    return min(price, (cap - base) * 10**6 // limit) or None


def _fee(first: Endpoint, message: bytes) -> int:
    fee = first.fee(message)
    if fee is None:
        raise first.unanswered("it does not know the blockhash that it gave a moment ago")
    return fee


def _capped(fee: int, cap: int) -> None:
    if fee > cap:
        raise Stopped(
            "fee_above_cap",
            sentence(
                "The transaction costs {fee} lamports; the plan allows {cap}.",
                "手数料は {fee} lamports です。計画の上限は {cap} lamports です。",
                fee=fee,
                cap=cap,
            ),
            sentence(
                "nothing was sent; plan anew with a higher cap, or wait", "何も送信していません。上限を上げて計画し直すか、待ってください"
            ),
        )


def _as_planned(planned: Mapping[str, Held | None], ends: Mapping[str, Held | None], payer: str) -> None:
    """What is worked out from the accounts of now is what the plan says, but for the payer's lamports."""
    rows = [row for row in differences(planned, {key: ends[key] for key in planned if key in ends}) if row.account != payer]
    if rows:
        raise Stopped(
            "not_as_planned",
            sentence(
                "After it, {first} would not be as the plan says.", "実行後、{first} が計画のとおりになりません。", first=_named(rows)
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
        sentence("nothing was sent; do not go on before you know why", "何も送信していません。理由が分かるまで先に進まないでください"),
    )


def _named(rows: Sequence[Difference]) -> str:
    return ", ".join(f"{row.field} of {row.account} ({row.expected} / {row.found})"[:200] for row in rows[:_FEW])


def _at_clock_of(
    found: Mapping[str, Held | None], ends: Mapping[str, Held | None], receipts: Sequence[str], clock: Clock
) -> Mapping[str, Held | None]:
    """The expected accounts with the receipts' second as the simulation's bank had it, where it is near the clock that was read."""
    for key in receipts:
        held = found.get(key)
        if held is not None and len(held.data) >= 8:
            second = int.from_bytes(held.data[-8:], "little", signed=True)
            if abs(second - clock.block_time) <= SKEW_SECONDS:
                ends = at_clock(ends, [key], second)
    return ends
