"""Whether a canary's claim would land: looked at before its proof is asked for, as a proof that
never lands costs the new grant.
"""

from __future__ import annotations

from popkit.audit.entries import milliseconds
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.first_claim.checks import Check, Terms, equal
from popkit.cutover.sending.endpoint import Endpoint, Held
from popkit.protocol.accounts import (
    AccountError,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    decode_account,
    decode_token_account,
)
from popkit.protocol.keys import SYSTEM_PROGRAM, TOKEN_PROGRAM
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import associated_token_address, receipt_address

CLOCKS_APART = 120
"""Seconds by which worker and cluster may differ: a proof lands within 600, and sending it takes
some.
"""
PERIOD_LEFT = 180
"""Seconds that must be left of the period: a proof names its period, and is burnt with it."""
FEES = 50_000
"""Lamports kept back for fees: two signatures and a modest priority fee."""
SIZES = {"receipt": 88, "pop_state": 122, "token account": 165}
Read = Grant | ClaimReceipt | PopConfig | PopState | None


def unready(desk: WorkerDesk, first: Endpoint, terms: Terms, wallet: str) -> tuple[Check, ...]:
    """What would make the claim fail or would not make it the first one; () where nothing is known
    to.

    Looked at: the grant's terms, pause and allowlist, pop-config's signer and the worker's, the
    vault, whether anybody claimed, whether this wallet holds a receipt, its lamports, both clocks,
    the period's end. Raises Silent where node or worker cannot be read.
    """
    place, clock = terms.place, first.clock()
    period = terms.period_at(clock.block_time)
    receipt = receipt_address(place.grant, wallet, max(period, 0), place.program)
    tokens = associated_token_address(wallet, place.mint)
    held = first.accounts(
        [place.grant, place.vault, place.pop_config, place.pop_state, receipt, tokens, wallet]
    )
    checks = [
        *_of_grant(_read(held[place.grant], place.program), terms, clock.block_time),
        _of_vault(held[place.vault], terms),
        equal(
            "pop_config_signer",
            terms.signer,
            getattr(_read(held[place.pop_config], place.program), "signer_pubkey", None),
        ),
        equal("worker_signer", terms.signer, desk.status().get("signerPubkey")),
        Check(
            "nobody_claimed",
            held[place.pop_state] is None or held[place.pop_state].owner == SYSTEM_PROGRAM,  # type: ignore[union-attr]
        ),
        Check("no_receipt", held[receipt] is None or held[receipt].owner == SYSTEM_PROGRAM),  # type: ignore[union-attr]
        _of_wallet(first, held[wallet], needs_tokens=held[tokens] is None),
        Check(
            "period_left",
            terms.left_at(clock.block_time) >= min(PERIOD_LEFT, terms.period_seconds // 2),
            PERIOD_LEFT,
        ),
        _of_clock(desk.runtime().get("checkedAt"), clock.block_time),
    ]
    return tuple(check for check in checks if check.holds is not True)


def _read(held: Held | None, program: str) -> Read:
    try:
        return None if held is None or held.owner != program else decode_account(held.data)
    except AccountError:
        return None


def _of_grant(grant: Read, terms: Terms, now: int) -> list[Check]:
    if not isinstance(grant, Grant):
        return [Check("grant", False, terms.place.grant, None)]
    expected = [str(terms.amount), terms.period_seconds, terms.start_ts]
    is_open = grant.start_ts <= now and not (grant.expires_at and now > grant.expires_at)
    return [
        equal(
            "grant_terms",
            expected,
            [str(grant.amount_per_period), grant.period_seconds, grant.start_ts],
        ),
        Check(
            "grant_takes_claims", not grant.paused and grant.merkle_root == GENESIS_HASH and is_open
        ),
    ]


def _of_vault(held: Held | None, terms: Terms) -> Check:
    try:
        amount = (
            decode_token_account(held.data).amount
            if held is not None and held.owner == TOKEN_PROGRAM
            else None
        )
    except AccountError:
        amount = None
    return Check(
        "vault",
        amount is not None and amount >= terms.amount,
        str(terms.amount),
        None if amount is None else str(amount),
    )


def _of_wallet(first: Endpoint, held: Held | None, needs_tokens: bool) -> Check:
    """The first claimer pays the rent of receipt and PopState, and of a token account that is
    missing, and must keep its own.
    """
    sizes = [
        SIZES["receipt"],
        SIZES["pop_state"],
        0,
        *([SIZES["token account"]] if needs_tokens else []),
    ]
    needed = sum(first.rent(size) for size in sizes) + FEES
    found = 0 if held is None else held.lamports
    is_wallet = held is not None and held.owner == SYSTEM_PROGRAM and not held.data
    return Check("wallet_lamports", is_wallet and found >= needed, str(needed), str(found))


def _of_clock(told: object, now: int) -> Check:
    moment = milliseconds(told) if isinstance(told, str) else None
    if moment is None:
        return Check("worker_clock", None, now, None)
    return Check("worker_clock", abs(moment / 1000 - now) <= CLOCKS_APART, now, moment // 1000)
