"""Trying a transaction on a node before it is sent: its simulation, the units and the fee that it
takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybase64 import b64encode

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.decoding import program_called
from popkit.cutover.sending.endpoint import Endpoint, Held
from popkit.protocol.errors import read_failure
from popkit.texts import sentence

MOST_UNITS = 1_400_000
"""Compute units that a transaction can ask for."""
_MARGIN, _SPARE_UNITS = 1.25, 1_000
_SHARE = 0.75
"""Of the fees paid in the newest blocks, the share that was at most as high as what is offered."""


ANY_BLOCKHASH = "11111111111111111111111111111111"
"""In a message that is simulated with the node's own blockhash."""


class WouldFail(Stopped):
    """The node's simulation fails: `error` is the chain's name for it, `logs` what the programs
    wrote.
    """

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
class Trial:
    """What a node's simulation came to."""

    err: Any
    logs: tuple[str, ...]
    units: int | None
    found: Mapping[str, Held | None]
    slot: int


def failure_name(err: Any, logs: Sequence[str], programs: Sequence[str]) -> str | None:
    """The name of an error as the chain gives it (the program's, Anchor's, the runtime's); None for
    no error.
    """
    failure = read_failure(err, logs, programs, program=program_called(programs))
    return None if failure is None else failure.error or json.dumps(err, sort_keys=True)


def simulate(first: Endpoint, wire: bytes, watched: Sequence[str], *, verify: bool) -> Trial:
    """Simulate on the endpoint that it will be sent to; `verify`: with its signatures and its own
    blockhash, as it stands.
    """
    config = {
        "sigVerify": verify,
        "replaceRecentBlockhash": not verify,
        "accounts": {"encoding": "base64", "addresses": list(watched)},
    }
    result = first.at_newest(
        "simulateTransaction", b64encode(wire).decode(), encoding="base64", **config
    )
    value = result.get("value")
    if not isinstance(value, dict) or "err" not in value:
        raise first.malformed("simulateTransaction")
    units, accounts = value.get("unitsConsumed"), value.get("accounts")
    if value["err"] is not None:
        accounts, watched = [], []
    if not isinstance(accounts, list) or len(accounts) != len(watched):
        raise first.malformed("simulateTransaction")
    found = {key: first.held(row) for key, row in zip(watched, accounts, strict=True)}
    # Where a node gives an emptied account as one without lamports, that is none.
    found = {
        key: None if held is not None and held.lamports == 0 else held
        for key, held in found.items()
    }
    return Trial(
        value["err"],
        first.lines(value.get("logs")),
        units if type(units) is int and units > 0 else None,
        found,
        result["context"]["slot"],
    )


def refuse_failing(trial: Trial, calls: Sequence[Call]) -> None:
    """Stop where a simulation failed; a blockhash that died while people signed is said as such."""
    if trial.err == "BlockhashNotFound":
        raise Stopped(
            "too_late",
            sentence(
                "Signing took longer than the blockhash lives.",
                "署名に時間がかかり、ブロックハッシュの有効期限が切れました。",
            ),
            sentence(
                "nothing was sent; start the step again, with the signer at hand",
                "何も送信していません。署名の準備をしてから、この手順をやり直してください",
            ),
        )
    name = failure_name(trial.err, trial.logs, [call.program for call in calls])
    if name is not None:
        raise WouldFail(name, trial.logs)


def limit_of(units: int | None) -> int | None:
    """The compute limit: what a simulation used, with a margin; None where the node did not say,
    which leaves the default.
    """
    return None if units is None else min(MOST_UNITS, int(units * _MARGIN) + _SPARE_UNITS)


def price_of(first: Endpoint, writable: Sequence[str]) -> int | None:
    """The price a unit (micro-lamports) that three in four of the newest blocks would have taken;
    None for nothing.
    """
    rows = first.ask("getRecentPrioritizationFees", [list(writable)])
    fees = sorted(
        row["prioritizationFee"]
        for row in rows
        if isinstance(row, dict) and type(row.get("prioritizationFee")) is int
    )
    return (fees[int(_SHARE * (len(fees) - 1))] or None) if fees else None


def affordable(price: int | None, base: int, cap: int, limit: int | None) -> int | None:
    """The price, lowered until the whole fee keeps to the cap."""
    if price is None or limit is None:
        return None
    return min(price, (cap - base) * 10**6 // limit) or None


def fee_of(first: Endpoint, message: bytes) -> int:
    fee = first.fee(message)
    if fee is None:
        raise first.unanswered(
            sentence(
                "the node does not know the blockhash that it gave a moment ago",
                "直前に自分が返したブロックハッシュを知りません",
            )
        )
    return fee


def capped(fee: int, cap: int) -> None:
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
                "nothing was sent; plan anew with a higher cap, or wait",
                "何も送信していません。上限を上げて計画し直すか、待ってください",
            ),
        )
