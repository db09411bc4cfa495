"""Administrators' steps and accounts made by hand, and the history that they tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from popkit.chain.history import ZERO_ROOT, AdminStep, History, Terms
from popkit.drill.addresses import pop_config_address, vault_address
from popkit.drill.world import World
from popkit.protocol.accounts import Grant
from popkit.protocol.keys import PROGRAM_ID

WORLD = World()
SCHOOL, MINT, GRANT, OTHER = (
    WORLD.address(role) for role in ("school", "mint", "grant", "other grant")
)
CONFIG = pop_config_address(SCHOOL)
FIRST, SECOND, THIRD = (WORLD.address(f"signer {number}") for number in range(3))
ROOT = bytes(range(32))
CREATED = {
    "grant_id": 7,
    "amount_per_period": 2,
    "period_seconds": 60,
    "start_ts": 1000,
    "expires_at": 5000,
}
TERMS = Terms(SCHOOL, MINT, 7, 2, 60, 1000, 5000, ZERO_ROOT, False)
NOW = Grant(SCHOOL, MINT, vault_address(GRANT), 7, 2, 60, 1000, 5000, ZERO_ROOT, False, 255)


def step(name: str, slot: int, grant: str | None = GRANT, **args: Any) -> AdminStep:
    """One accepted step on a grant, or on the authority's pop-config."""
    accounts = (
        {"pop_config": CONFIG, "authority": SCHOOL}
        if grant is None
        else {"grant": grant, "mint": MINT, "authority": SCHOOL}
    )
    return AdminStep(name, args, accounts, f"signature of {name} at {slot}", slot, 1000 + slot, 0)


def created(slot: int = 10, grant: str = GRANT, **args: int) -> AdminStep:
    return step("create_grant", slot, grant, **(CREATED | args))


def named(slot: int, signer: str) -> AdminStep:
    return step("upsert_pop_config", slot, None, signer_pubkey=signer)


def account(value: Any, slot: int | None = 100) -> SimpleNamespace:
    """An account as collected: of what it decodes to, or None where it does not exist."""
    exists = value is not None
    return SimpleNamespace(
        slot=slot,
        exists=exists,
        decoded=lambda kind: value if exists and isinstance(value, kind) else None,
    )


def history(*steps: AdminStep, **more: Any) -> History:
    """A history of these steps, with `accounts`, `listed` and `unread`."""
    made: Any = History(SimpleNamespace(program_id=PROGRAM_ID), **{"accounts": {}, **more})  # type: ignore[arg-type]
    made.steps = sorted(steps, key=lambda told: told.slot)
    assert isinstance(made, History)
    return made
