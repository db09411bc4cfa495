"""What a cutover costs and whether there is enough of it: tokens of the mint, rent and fees."""

from __future__ import annotations

from collections.abc import Mapping

from popkit.cutover.plan import Money
from popkit.cutover.planning import survey
from popkit.cutover.planning.stepping import Parts, World, calls_of, fee_of, payer_of
from popkit.cutover.reasons import stop
from popkit.cutover.sending.endpoint import Held
from popkit.protocol.keys import TOKEN_PROGRAM, b58encode
from popkit.protocol.pda import associated_token_address

MINT_SIZE = 82


def refuse_poor(parts: Parts) -> None:
    """Refuse a source of tokens that holds too little, before any step is reckoned: said in plain
    words. Raises Stopped.
    """
    assert parts.amount is not None
    source = associated_token_address(parts.roles.funder, parts.place.mint)
    held = survey.agreed(parts.pair, [source])
    tokens = survey.token_account(held[source])
    vault = int(parts.old.vault_amount)
    if tokens is None:
        raise stop("no_source", funder=parts.roles.funder, source=source)
    returns = vault if parts.close_old and source == parts.place.tokens else 0
    if tokens.amount + returns < int(parts.amount.base_units):
        raise stop(
            "poor_source",
            source=source,
            held=tokens.amount,
            needed=parts.amount.base_units,
            vault=vault,
        )


def refuse_poor_payers(parts: Parts) -> None:
    """Refuse a payer who, after its transactions at the plan's fee cap, is left with less than the
    rent minimum.

    Exactly zero is allowed where nothing can be left: what a fee falls short of the cap would stay
    as dust, and the runtime refuses that.
    """
    rent, pair = parts.pair.first.rent, parts.pair
    calls = calls_of(parts, rent(0))
    payers = {step: payer_of(parts, step) for step in calls}
    authority = parts.place.authority
    held = survey.agreed(
        pair,
        list(
            dict.fromkeys(
                [*payers.values(), parts.place.grant, parts.place.vault, parts.place.pop_config]
            )
        ),
    )
    for payer in dict.fromkeys(payers.values()):
        costs = returned = least = most = 0
        for step, made in calls.items():
            names = {call.name for call in made}
            if payers[step] == payer and not parts.roles.is_multisig:
                base = fee_of(pair, made, payer)
                if base > parts.limits.fee_cap_lamports:
                    raise stop("fee_above_cap", fee=base, cap=parts.limits.fee_cap_lamports)
                least, most = least + base, most + parts.limits.fee_cap_lamports
            if "close_grant" in names and payer == authority:
                returned += sum(
                    _lamports(held[key]) for key in (parts.place.grant, parts.place.vault)
                )
            if "create_grant" in names and payer == authority:
                costs += rent(survey.SIZES["grant"]) + rent(survey.SIZES["vault"])
            if (
                "upsert_pop_config" in names
                and payer == authority
                and held[parts.place.pop_config] is None
            ):
                costs += rent(survey.SIZES["pop_config"])
            if "marker" in names and payers[step] == payer:
                costs += rent(0)
        has = _lamports(held[payer])
        left = has + returned - costs - most
        is_spent = left == 0 and least == most
        if left < rent(0) and not is_spent:
            raise stop(
                "poor_payer", payer=payer, held=has, needed=costs + most - returned, rent=rent(0)
            )


def money_of(parts: Parts, world: World, fees: Mapping[str, int]) -> Money:
    """What there is and what it costs, by the accounts after every step. Raises Stopped where the
    payer would be left poor.
    """
    assert parts.amount is not None
    place, roles, pair = parts.place, parts.roles, parts.pair
    source = associated_token_address(roles.funder, place.mint)
    held = survey.agreed(pair, list(dict.fromkeys([source, place.mint, roles.payer, roles.funder])))
    tokens = survey.token_account(held[source])
    rent = {name: pair.first.rent(size) for name, size in survey.SIZES.items()}
    payer, left = _lamports(held[roles.payer]), _lamports(world.get(roles.payer))
    if 0 < left < rent["empty"]:
        raise stop(
            "poor_payer", payer=roles.payer, held=payer, needed=payer - left, rent=rent["empty"]
        )
    amount = tokens.amount if tokens is not None else None
    mint = _mint(held[place.mint])
    return Money(
        mint_authority=mint[0],
        decimals=mint[1],
        source=source,
        source_amount=str(amount) if amount is not None else None,
        only_in_old_vault=mint[0] is None
        and (amount or 0)
        < int(parts.amount.base_units)
        <= int(parts.old.vault_amount) + (amount or 0),
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
