"""What a cutover costs and whether there is enough of it: tokens of the mint, rent and fees."""

from __future__ import annotations

from collections.abc import Mapping

from popkit.cutover import survey
from popkit.cutover.endpoint import Held
from popkit.cutover.plan import Money
from popkit.cutover.reasons import stop
from popkit.cutover.stepping import Parts, World
from popkit.protocol.keys import TOKEN_PROGRAM, b58encode
from popkit.protocol.pda import associated_token_address

MINT_SIZE = 82
TRANSACTIONS = 3
"""Transactions that a payer may have to pay for at most, each at the plan's fee cap: the pause, the switch, the signer."""


def refuse_poor(parts: Parts) -> None:
    """Refuse a source or a payer that holds too little, before any step is reckoned: said in plain words. Raises Stopped."""
    assert parts.amount is not None
    source = associated_token_address(parts.roles.funder, parts.place.mint)
    held = survey.agreed(parts.pair, [source, parts.roles.payer])
    tokens = survey.token_account(held[source])
    vault = int(parts.old.vault_amount)
    if tokens is None:
        raise stop("no_source", funder=parts.roles.funder, source=source)
    returns = vault if parts.close_old and source == parts.place.tokens else 0
    if tokens.amount + returns < int(parts.amount.base_units):
        raise stop("poor_source", source=source, held=tokens.amount, needed=parts.amount.base_units, vault=vault)
    rent = {name: parts.pair.first.rent(size) for name, size in survey.SIZES.items()}
    needed = rent["grant"] + rent["vault"] + TRANSACTIONS * parts.limits.fee_cap_lamports
    needed += rent["empty"] if parts.marker is not None else 0
    left = _lamports(held[parts.roles.payer]) - needed
    if left < 0 or 0 < left < rent["empty"]:
        raise stop("poor_payer", payer=parts.roles.payer, held=_lamports(held[parts.roles.payer]), needed=needed, rent=rent["empty"])


def money_of(parts: Parts, world: World, fees: Mapping[str, int]) -> Money:
    """What there is and what it costs, by the accounts after every step. Raises Stopped where the payer would be left poor."""
    assert parts.amount is not None
    place, roles, pair = parts.place, parts.roles, parts.pair
    source = associated_token_address(roles.funder, place.mint)
    held = survey.agreed(pair, list(dict.fromkeys([source, place.mint, roles.payer, roles.funder])))
    tokens = survey.token_account(held[source])
    rent = {name: pair.first.rent(size) for name, size in survey.SIZES.items()}
    payer, left = _lamports(held[roles.payer]), _lamports(world.get(roles.payer))
    if 0 < left < rent["empty"]:
        raise stop("poor_payer", payer=roles.payer, held=payer, needed=payer - left, rent=rent["empty"])
    amount = tokens.amount if tokens is not None else None
    mint = _mint(held[place.mint])
    return Money(
        mint_authority=mint[0],
        decimals=mint[1],
        source=source,
        source_amount=str(amount) if amount is not None else None,
        only_in_old_vault=mint[0] is None and (amount or 0) < int(parts.amount.base_units) <= int(parts.old.vault_amount) + (amount or 0),
        payer=roles.payer,
        payer_lamports=payer,
        rent=rent,
        fees=sum(fees.values()),
        payer_after=left,
        funder_lamports=_lamports(held[roles.funder]) if roles.funder != roles.payer else None,
    )


def _lamports(held: Held | None) -> int:
    return held.lamports if held is not None else 0


def _mint(held: Held | None) -> tuple[str | None, int]:
    """A mint's authority (None: nobody can make more) and its decimals."""
    if held is None or held.owner != TOKEN_PROGRAM or len(held.data) < MINT_SIZE:
        return None, 0
    has_authority = int.from_bytes(held.data[:4], "little") == 1
    return (b58encode(held.data[4:36]) if has_authority else None), held.data[44]
