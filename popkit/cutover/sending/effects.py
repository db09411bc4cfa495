"""The accounts as they must be after a transaction, byte for byte, from the accounts before: what
simulation and result are held to.

Worked out from the instructions alone (`reference/administration.md` §1, `reference/sending.md`
§4.6): nothing here asks a node. What a call would be refused for is said before it is sent; what is
not understood is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.ledger import Rent, refused
from popkit.cutover.sending.program import GrantLedger
from popkit.protocol.accounts import (
    AccountError,
    decode_account,
    decode_token_account,
)
from popkit.protocol.keys import (
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
)
from popkit.texts import sentence


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which an account is otherwise than expected; `field` is `there`, `undeclared`,
    `not_looked_at`, one of Held's, or one of the account's own (`paused`, `amount`, …). Values are
    JSON values, bytes as hex.
    """

    account: str
    field: str
    expected: Any
    found: Any


def after(
    calls: Sequence[Call],
    before: Mapping[str, Held | None],
    payer: str,
    fee: int,
    rent: Rent,
    now: int,
    *,
    strict: bool = False,
    rewrites: bool = False,
) -> dict[str, Held | None]:
    """Every account of `before` as it must be after the calls, None where there is none any more.

    `before` must hold every account that the calls may write. `fee` is taken from the payer first;
    `now` is the cluster's clock (unix s: a receipt holds it). `strict`: claims follow the chain's
    head or fail; else the head moves with issued_at. `rewrites`: the program is one from before
    `init`, whose create_grant rewrites a grant that is there. Raises Stopped("would_fail") for
    calls that the program, the token program or the runtime would refuse, Stopped("not_understood")
    for a call whose effect is not known.
    """
    ledger = GrantLedger(dict(before), rent, now, strict=strict, rewrites=rewrites)
    held = ledger.get(payer)
    if held.owner != SYSTEM_PROGRAM or held.data or held.lamports < fee:
        refused(
            sentence(
                "The payer {payer} cannot pay the fee of {fee} lamports.",
                "支払者 {payer} は手数料 {fee} lamports を支払えません。",
                payer=payer,
                fee=fee,
            )
        )
    ledger.put(payer, replace(held, lamports=held.lamports - fee))
    for at, call in enumerate(calls):
        ledger.run(at, call, calls)
    for key, left in ledger.accounts.items():
        _keeps_rent(key, before.get(key), left, rent)
    return ledger.accounts


def payer_after(accounts: Mapping[str, Held | None], payer: str, rent: Rent) -> int:
    """The lamports that a payer is left with: at least the rent minimum of an account without data,
    or exactly zero.

    Raises Stopped("poor_payer") with what is missing: a cluster refuses what leaves a wallet in
    between.
    """
    held, least = accounts.get(payer), rent(0)
    left = 0 if held is None else held.lamports
    if left and left < least:
        raise Stopped(
            "poor_payer",
            sentence(
                "The payer {payer} would be left with {left} lamports; it must keep {least}, or "
                "nothing at all.",
                "支払者 {payer} の残高は {left} lamports になります。{least} lamports 以上を残すか、ちょうど 0 にする必要があります。",
                payer=payer,
                left=left,
                least=least,
            ),
            sentence(
                "send at least {missing} lamports to the payer first",
                "先に支払者へ {missing} lamports 以上を送金してください",
                missing=least - left,
            ),
        )
    return left


def at_clock(
    expected: Mapping[str, Held | None], receipts: Iterable[str], now: int
) -> dict[str, Held | None]:
    """The expected accounts with `claimed_at` of these receipts set to the cluster's clock of the
    block that a claim landed in.
    """
    timed = dict(expected)
    for key in receipts:
        held = timed.get(key)
        if held is not None:
            timed[key] = replace(held, data=held.data[:-8] + now.to_bytes(8, "little", signed=True))
    return timed


def differences(
    expected: Mapping[str, Held | None], found: Mapping[str, Held | None]
) -> list[Difference]:
    """Where the accounts that were found are otherwise than expected, by account; empty when they
    are equal byte for byte.

    An account that nobody declared counts, and so does one that was expected and not looked at.
    """
    rows: list[Difference] = []
    for key in sorted({*expected, *found}):
        if key not in expected:
            held = found[key]
            rows.append(
                Difference(key, "undeclared", None, None if held is None else held.data.hex())
            )
        elif key not in found:
            rows.append(Difference(key, "not_looked_at", True, False))
        else:
            rows += _account_differences(key, expected[key], found[key])
    return rows


def _account_differences(key: str, wanted: Held | None, found: Held | None) -> list[Difference]:
    if wanted is None or found is None:
        return (
            []
            if wanted is found
            else [Difference(key, "there", wanted is not None, found is not None)]
        )
    names = [
        name
        for name in ("lamports", "owner", "executable")
        if getattr(wanted, name) != getattr(found, name)
    ]
    rows = [Difference(key, name, getattr(wanted, name), getattr(found, name)) for name in names]
    if wanted.data == found.data:
        return rows
    one, other = _fields_of(wanted), _fields_of(found)
    named = [name for name in one if name in other and one[name] != other[name]]
    if type(one) is type(other) and named:
        rows += [Difference(key, name, one[name], other[name]) for name in named]
    return [*rows, Difference(key, "data", wanted.data.hex(), found.data.hex())]


def _fields_of(held: Held) -> dict[str, Any]:
    """An account's own fields by name; none where its bytes are no account that is known."""
    try:
        read = (
            decode_token_account(held.data)
            if held.owner == TOKEN_PROGRAM
            else decode_account(held.data)
        )
    except AccountError:
        return {}
    return {each.name: getattr(read, each.name) for each in fields(read)}


def _keeps_rent(key: str, before: Held | None, left: Held | None, rent: Rent) -> None:
    """Refuse what a cluster refuses: an account that a transaction leaves with some lamports, but
    fewer than its rent minimum.
    """
    if left is None or left == before or left.lamports >= (least := rent(len(left.data))):
        return
    if (
        before is not None
        and len(before.data) == len(left.data)
        and left.lamports <= before.lamports < least
    ):
        return  # it was below its minimum before (the rate moves), and neither it nor its lamports have grown
    refused(
        sentence(
            "The account {key} would be left with {left} lamports, below the minimum of {least}.",
            "アカウント {key} の残高が {left} lamports になり、最低額 {least} lamports を下回ります。",
            key=key,
            left=left.lamports,
            least=least,
        )
    )
