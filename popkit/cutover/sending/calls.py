"""The calls that a cutover makes, built from what the plan holds: each is one instruction with its
accounts and flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from popkit.protocol import pda
from popkit.protocol.ed25519 import build_proof_instruction
from popkit.protocol.instructions import AccountMeta, build_instruction
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    key_bytes,
)

SEED_LENGTH = 32
CREATE_WITH_SEED = 3
LIMIT, PRICE = 2, 3


@dataclass(frozen=True, slots=True)
class Call:
    """One instruction to be sent: its name for people, its program, its accounts with their flags,
    and its data.
    """

    name: str
    program: str
    metas: tuple[AccountMeta, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class GrantPlace:
    """A grant by what its address is derived from; the other addresses of its calls follow."""

    program: str
    authority: str
    mint: str
    grant_id: int

    @property
    def grant(self) -> str:
        return pda.grant_address(self.authority, self.mint, self.grant_id, self.program)

    @property
    def vault(self) -> str:
        return pda.vault_address(self.grant, self.program)

    @property
    def pop_config(self) -> str:
        return pda.pop_config_address(self.authority, self.program)

    @property
    def pop_state(self) -> str:
        return pda.pop_state_address(self.grant, self.program)

    @property
    def tokens(self) -> str:
        """The authority's own token account of the mint."""
        return pda.associated_token_address(self.authority, self.mint)


def _grant_call(
    program: str, name: str, args: Mapping[str, Any], accounts: Mapping[str, str]
) -> Call:
    data, metas = build_instruction(name, args, accounts)
    return Call(name, program, tuple(metas), data)


def set_paused(at: GrantPlace, paused: bool = True) -> Call:
    """Pause a grant, or lift its pause."""
    return _grant_call(
        at.program,
        "set_paused",
        {"paused": paused},
        {"grant": at.grant, "mint": at.mint, "authority": at.authority},
    )


def create_grant(
    at: GrantPlace, *, amount_per_period: int, period_seconds: int, start_ts: int, expires_at: int
) -> Call:
    """Make a grant and its vault. In the programs before `init` the same call rewrites a grant that
    is there.
    """
    terms = {
        "grant_id": at.grant_id,
        "amount_per_period": amount_per_period,
        "period_seconds": period_seconds,
        "start_ts": start_ts,
        "expires_at": expires_at,
    }
    return _grant_call(
        at.program,
        "create_grant",
        terms,
        {"grant": at.grant, "mint": at.mint, "vault": at.vault, "authority": at.authority},
    )


def set_allowlist_root(at: GrantPlace, root: str) -> Call:
    """Say who may claim from a grant, by the root of a Merkle tree (64 hex digits; zeros:
    everybody).
    """
    where = {"grant": at.grant, "mint": at.mint, "authority": at.authority}
    return _grant_call(at.program, "set_allowlist_root", {"merkle_root": root}, where)


def fund_grant(
    at: GrantPlace, amount: int, *, funder: str | None = None, source: str | None = None
) -> Call:
    """Move base units of the mint into a grant's vault, from the funder's (else the authority's)
    own token account where none is named.
    """
    funder = funder or at.authority
    where = {
        "grant": at.grant,
        "mint": at.mint,
        "vault": at.vault,
        "from_ata": source or pda.associated_token_address(funder, at.mint),
        "funder": funder,
        "authority": at.authority,
    }
    return _grant_call(at.program, "fund_grant", {"amount": amount}, where)


def upsert_pop_config(program: str, authority: str, signer: str) -> Call:
    """Name the key whose proofs all grants of an authority accept. 32 zero bytes are refused here:
    the program would take them.
    """
    if not any(key_bytes(signer)):
        raise ValueError("the proof signer is 32 zero bytes, which no worker signs with")
    where = {"pop_config": pda.pop_config_address(authority, program), "authority": authority}
    return _grant_call(program, "upsert_pop_config", {"signer_pubkey": signer}, where)


def close_grant(at: GrantPlace, *, into: str | None = None) -> Call:
    """Delete a grant and its vault; the vault's tokens go to the authority's own token account, or
    to the one named.
    """
    where = {
        "grant": at.grant,
        "mint": at.mint,
        "vault": at.vault,
        "authority_ata": into or at.tokens,
        "authority": at.authority,
    }
    return _grant_call(at.program, "close_grant", {}, where)


def claim_grant(at: GrantPlace, claimer: str, period_index: int) -> Call:
    """A claim of a period's amount; the proof's call stands directly before it."""
    where = {
        "grant": at.grant,
        "mint": at.mint,
        "vault": at.vault,
        "claimer": claimer,
        "claimer_ata": pda.associated_token_address(claimer, at.mint),
        "receipt": pda.receipt_address(at.grant, claimer, period_index, at.program),
        "pop_state": at.pop_state,
        "pop_config": at.pop_config,
    }
    return _grant_call(at.program, "claim_grant", {"period_index": period_index}, where)


def proof(public_key: str, signature: bytes, message: bytes) -> Call:
    """The ed25519 instruction that carries a worker's proof."""
    return Call(
        "proof",
        ED25519_PROGRAM,
        (),
        build_proof_instruction(key_bytes(public_key), signature, message),
    )


def create_token_account(payer: str, owner: str, mint: str) -> Call:
    """Make an owner's associated token account where it is missing (CreateIdempotent)."""
    metas = (
        AccountMeta(payer, True, True),
        AccountMeta(pda.associated_token_address(owner, mint), False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(SYSTEM_PROGRAM, False, False),
        AccountMeta(TOKEN_PROGRAM, False, False),
    )
    return Call("create_token_account", ATA_PROGRAM, metas, b"\1")


def marker_seed(plan_digest: str, step: str) -> str:
    """The seed of a step's marker: 32 hex digits of the SHA-256 of plan digest and step."""
    return sha256(f"{plan_digest}\n{step}".encode()).hexdigest()[:SEED_LENGTH]


def marker_address(base: str, seed: str) -> str:
    """The address that a marker is made at."""
    return str(
        Pubkey.create_with_seed(Pubkey.from_string(base), seed, Pubkey.from_string(SYSTEM_PROGRAM))
    )


def marker(base: str, seed: str, lamports: int) -> Call:
    """An empty account at an address of the plan's and step's own: a second transaction with it
    fails whole, on any blockhash.

    `lamports` are the rent minimum of an account without data, as the node says it.
    """
    text = seed.encode()
    if len(text) != SEED_LENGTH:
        raise ValueError(f"a marker's seed has {SEED_LENGTH} characters, got {len(text)}")
    numbers = lamports.to_bytes(8, "little") + bytes(8)
    data = (
        CREATE_WITH_SEED.to_bytes(4, "little")
        + key_bytes(base)
        + len(text).to_bytes(8, "little")
        + text
        + numbers
    )
    metas = (AccountMeta(base, True, True), AccountMeta(marker_address(base, seed), False, True))
    return Call("marker", SYSTEM_PROGRAM, metas, data + key_bytes(SYSTEM_PROGRAM))


def budget(limit: int | None, price: int | None) -> list[Call]:
    """The compute-budget calls: a limit in units, a price in micro-lamports a unit; none of what is
    None.
    """
    calls = []
    if limit is not None:
        calls.append(
            Call(
                "compute_limit",
                COMPUTE_BUDGET_PROGRAM,
                (),
                bytes([LIMIT]) + limit.to_bytes(4, "little"),
            )
        )
    if price is not None:
        calls.append(
            Call(
                "compute_price",
                COMPUTE_BUDGET_PROGRAM,
                (),
                bytes([PRICE]) + price.to_bytes(8, "little"),
            )
        )
    return calls
