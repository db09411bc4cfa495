"""The program's derived addresses (seeds of `grant_program`, the same in every era).

An address is derived for a program that is named: there is no default one.
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from popkit.protocol.keys import ATA_PROGRAM, TOKEN_PROGRAM, key_bytes

_TOKEN_PROGRAM_BYTES = key_bytes(TOKEN_PROGRAM)


def u64(value: int, what: str) -> bytes:
    """Eight little-endian bytes; ValueError when `value` is not an unsigned 64-bit number."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{what} must be from 0 to 2^64-1, got {value}")
    return value.to_bytes(8, "little")


def _derive(seeds: list[bytes], program: str) -> str:
    return str(Pubkey.find_program_address(seeds, Pubkey(key_bytes(program)))[0])


def grant_address(authority: str, mint: str, grant_id: int, program: str) -> str:
    """Where the grant with this id, of this authority and mint, lives."""
    return _derive(
        [b"grant", key_bytes(authority), key_bytes(mint), u64(grant_id, "grant_id")], program
    )


def vault_address(grant: str, program: str) -> str:
    """The token account that holds a grant's funds."""
    return _derive([b"vault", key_bytes(grant)], program)


def receipt_address(grant: str, claimer: str, period_index: int, program: str) -> str:
    """The account whose existence says that `claimer` has claimed in that period."""
    receipt = receipt_address_bytes(
        key_bytes(grant), key_bytes(claimer), period_index, key_bytes(program)
    )
    return str(Pubkey(receipt))


def receipt_address_bytes(grant: bytes, claimer: bytes, period_index: int, program: bytes) -> bytes:
    """As `receipt_address`, over 32-byte keys: for thousands of claims at a time."""
    seeds = [b"receipt", grant, claimer, u64(period_index, "period_index")]
    return bytes(Pubkey.find_program_address(seeds, Pubkey(program))[0])


def pop_config_address(authority: str, program: str) -> str:
    """The account that names the proof signer of an authority: one for all its grants."""
    return _derive([b"pop-config", key_bytes(authority)], program)


def pop_state_address(grant: str, program: str) -> str:
    """The account that holds the heads of a grant's chain."""
    return _derive([b"pop-state", key_bytes(grant)], program)


def associated_token_address(owner: str, mint: str) -> str:
    """The associated token account of the classic SPL Token program."""
    return _derive([key_bytes(owner), _TOKEN_PROGRAM_BYTES, key_bytes(mint)], ATA_PROGRAM)
