"""The program's four account types and a token account: bytes to values and back.

Layouts are those of the program since 2026-02-21 (Grant and ClaimReceipt since its beginning). Keys
are base58, hashes hex, times unix seconds, amounts base units of the mint.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from popkit.protocol.keys import b58encode, key_bytes
from popkit.protocol.message import hash_bytes

GRANT_SIZE = 178
RECEIPT_SIZE = 88
POP_CONFIG_SIZE = 73
POP_STATE_SIZE = 122
TOKEN_ACCOUNT_SIZE = 165

AccountCode = Literal[
    "AccountDiscriminatorNotFound", "AccountDiscriminatorMismatch", "AccountDidNotDeserialize"
]

_GRANT = struct.Struct("<8s32s32s32sQQqqq32sBB")
_RECEIPT = struct.Struct("<8s32s32sQq")
_POP_CONFIG = struct.Struct("<8s32s32sB")
_POP_STATE = struct.Struct("<8s32s32s32sQqBB")


class AccountError(ValueError):
    """The bytes are not the account they are read as; `code` is Anchor's name for it."""

    def __init__(self, code: AccountCode, problem: str) -> None:
        self.code: AccountCode = code
        super().__init__(f"{code}: {problem}")


@dataclass(frozen=True, slots=True)
class Grant:
    """The terms of a grant as they are now; `expires_at` 0 means never, a zero `merkle_root` no
    allowlist.
    """

    authority: str
    mint: str
    vault: str
    grant_id: int
    amount_per_period: int
    period_seconds: int
    start_ts: int
    expires_at: int
    merkle_root: str
    paused: bool
    bump: int


@dataclass(frozen=True, slots=True)
class ClaimReceipt:
    """That `claimer` claimed in a period; `claimed_at` is the cluster's clock as the program read
    it.
    """

    grant: str
    claimer: str
    period_index: int
    claimed_at: int


@dataclass(frozen=True, slots=True)
class PopConfig:
    """The proof signer of an authority, as it is now."""

    authority: str
    signer_pubkey: str
    bump: int


@dataclass(frozen=True, slots=True)
class PopState:
    """The heads of a grant's chain, as they are now."""

    grant: str
    last_global_hash: str
    last_stream_hash: str
    last_period_index: int
    last_issued_at: int
    initialized: bool
    bump: int


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """The three fields of a classic SPL token account that matter here."""

    mint: str
    owner: str
    amount: int


ProgramAccount = Grant | ClaimReceipt | PopConfig | PopState

DISCRIMINATORS: dict[type, bytes] = {
    Grant: bytes.fromhex("a1a60bcdcc87cd36"),
    ClaimReceipt: bytes.fromhex("dfe90be57ca5cf1c"),
    PopConfig: bytes.fromhex("c88e8c99dd20a8be"),
    PopState: bytes.fromhex("764ea13886c4d53a"),
}


def decode_account(data: bytes) -> ProgramAccount:
    """Read whichever of the four types the discriminator names; AccountError when it names none."""
    discriminator = bytes(data[:8])
    if discriminator == DISCRIMINATORS[ClaimReceipt]:
        return decode_receipt(data)
    if discriminator == DISCRIMINATORS[Grant]:
        return decode_grant(data)
    if discriminator == DISCRIMINATORS[PopState]:
        return decode_pop_state(data)
    if discriminator == DISCRIMINATORS[PopConfig]:
        return decode_pop_config(data)
    if len(data) < 8:
        raise AccountError(
            "AccountDiscriminatorNotFound", f"8 bytes of discriminator expected, got {len(data)}"
        )
    raise AccountError(
        "AccountDiscriminatorMismatch",
        f"no account type of the program begins with {discriminator.hex()}",
    )


def decode_grant(data: bytes) -> Grant:
    """Read a Grant (178 bytes; more are ignored, as Anchor does)."""
    _check(data, Grant, GRANT_SIZE)
    _, authority, mint, vault, *numbers, root, paused, bump = _GRANT.unpack_from(data)
    grant_id, amount, period, start, expires = numbers
    return Grant(
        authority=b58encode(authority),
        mint=b58encode(mint),
        vault=b58encode(vault),
        grant_id=grant_id,
        amount_per_period=amount,
        period_seconds=period,
        start_ts=start,
        expires_at=expires,
        merkle_root=root.hex(),
        paused=_flag(paused, "Grant.paused"),
        bump=bump,
    )


def decode_receipt(data: bytes) -> ClaimReceipt:
    """Read a ClaimReceipt (88 bytes)."""
    _check(data, ClaimReceipt, RECEIPT_SIZE)
    _, grant, claimer, period_index, claimed_at = _RECEIPT.unpack_from(data)
    return ClaimReceipt(b58encode(grant), b58encode(claimer), period_index, claimed_at)


def decode_pop_config(data: bytes) -> PopConfig:
    """Read a PopConfig (73 bytes)."""
    _check(data, PopConfig, POP_CONFIG_SIZE)
    _, authority, signer, bump = _POP_CONFIG.unpack_from(data)
    return PopConfig(b58encode(authority), b58encode(signer), bump)


def decode_pop_state(data: bytes) -> PopState:
    """Read a PopState (122 bytes)."""
    _check(data, PopState, POP_STATE_SIZE)
    _, grant, head, stream_head, period_index, issued_at, initialized, bump = (
        _POP_STATE.unpack_from(data)
    )
    return PopState(
        grant=b58encode(grant),
        last_global_hash=head.hex(),
        last_stream_hash=stream_head.hex(),
        last_period_index=period_index,
        last_issued_at=issued_at,
        initialized=_flag(initialized, "PopState.initialized"),
        bump=bump,
    )


def decode_token_account(data: bytes) -> TokenAccount:
    """Read a classic SPL token account (165 bytes, initialised); AccountError otherwise."""
    if len(data) != TOKEN_ACCOUNT_SIZE:
        raise AccountError(
            "AccountDidNotDeserialize",
            f"a token account has {TOKEN_ACCOUNT_SIZE} bytes, got {len(data)}",
        )
    if data[108] not in (1, 2):
        raise AccountError(
            "AccountDidNotDeserialize", f"token account state 1 or 2 expected, got {data[108]}"
        )
    return TokenAccount(
        b58encode(data[:32]), b58encode(data[32:64]), int.from_bytes(data[64:72], "little")
    )


def encode_account(obj: ProgramAccount | TokenAccount) -> bytes:
    """The bytes of an account: the inverse of the decoders. ValueError when a field does not fit."""
    try:
        return _encode(obj)
    except struct.error as problem:
        raise ValueError(
            f"a number of this account is out of range ({problem}): {obj}"
        ) from problem


def _encode(obj: ProgramAccount | TokenAccount) -> bytes:
    match obj:
        case Grant():
            keys = (key_bytes(obj.authority), key_bytes(obj.mint), key_bytes(obj.vault))
            terms = (
                obj.grant_id,
                obj.amount_per_period,
                obj.period_seconds,
                obj.start_ts,
                obj.expires_at,
            )
            root = hash_bytes(obj.merkle_root, "merkle_root")
            return _GRANT.pack(DISCRIMINATORS[Grant], *keys, *terms, root, obj.paused, obj.bump)
        case ClaimReceipt():
            keys_of = (key_bytes(obj.grant), key_bytes(obj.claimer))
            return _RECEIPT.pack(
                DISCRIMINATORS[ClaimReceipt], *keys_of, obj.period_index, obj.claimed_at
            )
        case PopConfig():
            signer = key_bytes(obj.signer_pubkey)
            return _POP_CONFIG.pack(
                DISCRIMINATORS[PopConfig], key_bytes(obj.authority), signer, obj.bump
            )
        case PopState():
            heads = (
                hash_bytes(obj.last_global_hash, "last_global_hash"),
                hash_bytes(obj.last_stream_hash, "last_stream_hash"),
            )
            last = (obj.last_period_index, obj.last_issued_at, obj.initialized, obj.bump)
            return _POP_STATE.pack(DISCRIMINATORS[PopState], key_bytes(obj.grant), *heads, *last)
        case TokenAccount():
            amount = struct.pack("<Q", obj.amount)
            state = b"\1".rjust(109 - 72, b"\0")
            return (key_bytes(obj.mint) + key_bytes(obj.owner) + amount + state).ljust(
                TOKEN_ACCOUNT_SIZE, b"\0"
            )


def _check(data: bytes, kind: type, size: int) -> None:
    if len(data) < 8:
        raise AccountError(
            "AccountDiscriminatorNotFound", f"8 bytes of discriminator expected, got {len(data)}"
        )
    if data[:8] != DISCRIMINATORS[kind]:
        expected = DISCRIMINATORS[kind].hex()
        raise AccountError(
            "AccountDiscriminatorMismatch",
            f"{kind.__name__} begins with {expected}, got {data[:8].hex()}",
        )
    if len(data) < size:
        raise AccountError(
            "AccountDidNotDeserialize", f"{kind.__name__} has {size} bytes, got {len(data)}"
        )


def _flag(value: int, what: str) -> bool:
    if value > 1:
        raise AccountError("AccountDidNotDeserialize", f"{what} must be 0 or 1, got {value}")
    return value == 1
