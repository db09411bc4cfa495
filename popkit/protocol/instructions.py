"""The program's nine instructions: decoding what was sent, and building what is to be sent.

A claim has twelve accounts since PoP was introduced and nine before; its discriminator is the same,
so that the number of accounts is the only sign. Trailing data and extra accounts are tolerated, as
the program does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from popkit.protocol.keys import (
    INSTRUCTIONS_SYSVAR,
    RENT_SYSVAR,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
)
from popkit.protocol.message import hash_bytes

ArgKind = Literal["u64", "i64", "bool", "hash", "hashes", "pubkey"]
InstructionCode = Literal[
    "InstructionFallbackNotFound", "InstructionDidNotDeserialize", "AccountNotEnoughKeys"
]


class InstructionError(ValueError):
    """The program would refuse this instruction before running it; `code` is Anchor's name for it."""

    def __init__(self, code: InstructionCode, problem: str) -> None:
        self.code: InstructionCode = code
        super().__init__(f"{code}: {problem}")


class AccountMeta(NamedTuple):
    """One account of an instruction to be sent."""

    pubkey: str
    is_signer: bool
    is_writable: bool


@dataclass(frozen=True, slots=True)
class InstructionSpec:
    """One row of the table: 8-byte discriminator, arguments in order, accounts as (name, flags)
    with flags of `W` and `S`.
    """

    name: str
    discriminator: bytes
    args: tuple[tuple[str, ArgKind], ...]
    metas: tuple[tuple[str, str], ...]

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts, in order."""
        return tuple(name for name, _ in self.metas)


@dataclass(frozen=True, slots=True)
class ProgramInstruction:
    """A decoded instruction.

    `args` holds numbers as int, hashes as hex, keys as base58, and `proof` as a tuple of 32-byte
    values. `accounts` maps names to public keys; what follows them is in `extra_accounts`, what
    follows the arguments in `trailing`.
    """

    name: str
    args: dict[str, Any]
    accounts: dict[str, str]
    extra_accounts: tuple[str, ...]
    trailing: bytes

    @property
    def is_claim(self) -> bool:
        """Whether this is claim_grant or claim_grant_with_proof."""
        return self.name in CLAIM_NAMES

    @property
    def is_legacy_claim(self) -> bool:
        """Whether this is a claim in the nine-account layout, which carries no PoP."""
        return self.is_claim and "pop_state" not in self.accounts


def _metas(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition(":") for part in text.split())
    return tuple((name, flags) for name, _, flags in pairs)


_CLAIM = _metas(
    "grant:W mint vault:W claimer:WS claimer_ata:W receipt:W pop_state:W pop_config "
    "instructions_sysvar token_program system_program rent"
)
_LEGACY_CLAIM = _metas(
    "grant:W mint vault:W claimer:WS claimer_ata:W receipt:W token_program system_program rent"
)
_SWITCH = _metas("grant:W mint authority:S")

_TABLE = (
    InstructionSpec(
        "create_grant",
        bytes.fromhex("1377b0df2d8ee19c"),
        (
            ("grant_id", "u64"),
            ("amount_per_period", "u64"),
            ("period_seconds", "i64"),
            ("start_ts", "i64"),
            ("expires_at", "i64"),
        ),
        _metas("grant:W mint vault:W authority:WS token_program system_program rent"),
    ),
    InstructionSpec(
        "update_grant",
        bytes.fromhex("b6dd30af1b9ca65d"),
        (("amount_per_period", "u64"), ("period_seconds", "i64"), ("expires_at", "i64")),
        _metas("grant:W authority:S"),
    ),
    InstructionSpec(
        "fund_grant",
        bytes.fromhex("9e67215839be30e9"),
        (("amount", "u64"),),
        _metas("grant:W mint vault:W from_ata:W funder:WS authority token_program"),
    ),
    InstructionSpec(
        "claim_grant", bytes.fromhex("7d86e9875212b108"), (("period_index", "u64"),), _CLAIM
    ),
    InstructionSpec(
        "claim_grant_with_proof",
        bytes.fromhex("021c4156b6aea735"),
        (("period_index", "u64"), ("proof", "hashes")),
        _CLAIM,
    ),
    InstructionSpec(
        "close_grant",
        bytes.fromhex("4616dd6fabfd27d9"),
        (),
        _metas("grant:W mint vault:W authority_ata:W authority:WS token_program"),
    ),
    InstructionSpec(
        "set_paused", bytes.fromhex("5b3c7dc0b0e1a6da"), (("paused", "bool"),), _SWITCH
    ),
    InstructionSpec(
        "set_allowlist_root", bytes.fromhex("91eefcad0f035e17"), (("merkle_root", "hash"),), _SWITCH
    ),
    InstructionSpec(
        "upsert_pop_config",
        bytes.fromhex("674f2509a6ffd184"),
        (("signer_pubkey", "pubkey"),),
        _metas("pop_config:W authority:WS system_program rent"),
    ),
)

INSTRUCTIONS: dict[str, InstructionSpec] = {spec.name: spec for spec in _TABLE}
CLAIM_NAMES = frozenset({"claim_grant", "claim_grant_with_proof"})
CLAIM_DISCRIMINATORS: dict[bytes, str] = {
    spec.discriminator: spec.name for spec in _TABLE if spec.name in CLAIM_NAMES
}
CLAIM_ACCOUNTS: tuple[str, ...] = tuple(name for name, _ in _CLAIM)
LEGACY_CLAIM_ACCOUNTS: tuple[str, ...] = tuple(name for name, _ in _LEGACY_CLAIM)

_BY_DISCRIMINATOR = {spec.discriminator: spec for spec in _TABLE}
_ACCOUNTS = {spec.name: spec.accounts for spec in _TABLE}
FIXED_ACCOUNTS = {
    "token_program": TOKEN_PROGRAM,
    "system_program": SYSTEM_PROGRAM,
    "rent": RENT_SYSVAR,
    "instructions_sysvar": INSTRUCTIONS_SYSVAR,
}
"""Accounts of an instruction that are always the same."""


def decode_instruction(data: bytes, accounts: Sequence[str]) -> ProgramInstruction:
    """Read an instruction in the program's order: discriminator, arguments, accounts.

    A claim with nine to eleven accounts is read in the legacy layout. Raises InstructionError.
    """
    spec = _BY_DISCRIMINATOR.get(bytes(data[:8]))
    if spec is None:
        raise InstructionError(
            "InstructionFallbackNotFound",
            f"no instruction begins with {bytes(data[:8]).hex() or 'nothing'}",
        )
    args: dict[str, Any] = {}
    position = 8
    for name, kind in spec.args:
        args[name], position = _read(data, position, name, kind)
    names = _ACCOUNTS[spec.name]
    if spec.name in CLAIM_NAMES and len(LEGACY_CLAIM_ACCOUNTS) <= len(accounts) < len(names):
        names = LEGACY_CLAIM_ACCOUNTS
    if len(accounts) < len(names):
        raise InstructionError(
            "AccountNotEnoughKeys", f"{spec.name} has {len(names)} accounts, got {len(accounts)}"
        )
    return ProgramInstruction(
        name=spec.name,
        args=args,
        accounts=dict(zip(names, accounts, strict=False)),
        extra_accounts=tuple(accounts[len(names) :]),
        trailing=bytes(data[position:]),
    )


def build_instruction(
    name: str, args: Mapping[str, Any], accounts: Mapping[str, str], *, legacy: bool = False
) -> tuple[bytes, list[AccountMeta]]:
    """The data and accounts of an instruction: the inverse of `decode_instruction`.

    Programs and sysvars may be left out of `accounts`. `legacy` asks for a claim's nine-account
    layout. Raises ValueError when something is missing, unknown or does not fit.
    """
    spec = INSTRUCTIONS.get(name)
    if spec is None:
        raise ValueError(f"no instruction is called {name!r}; there are {', '.join(INSTRUCTIONS)}")
    if legacy and name not in CLAIM_NAMES:
        raise ValueError(f"only claims have a legacy layout, got {name}")
    metas = _LEGACY_CLAIM if legacy else spec.metas
    _refuse_unknown(name, "arguments", args, [arg for arg, _ in spec.args])
    _refuse_unknown(name, "accounts", accounts, [account for account, _ in metas])
    data = spec.discriminator + b"".join(_write(args, name, arg, kind) for arg, kind in spec.args)
    listed = []
    for account, flags in metas:
        key = accounts.get(account, FIXED_ACCOUNTS.get(account))
        if key is None:
            raise ValueError(f"{name} needs the account {account}")
        key_bytes(key)
        listed.append(AccountMeta(key, "S" in flags, "W" in flags))
    return data, listed


def _read(data: bytes, start: int, name: str, kind: ArgKind) -> tuple[Any, int]:
    if kind == "u64" or kind == "i64":
        raw, end = _take(data, start, 8, name)
        return int.from_bytes(raw, "little", signed=kind == "i64"), end
    if kind == "bool":
        raw, end = _take(data, start, 1, name)
        if raw[0] > 1:
            raise InstructionError(
                "InstructionDidNotDeserialize", f"{name} must be 0 or 1, got {raw[0]}"
            )
        return raw[0] == 1, end
    if kind == "hashes":
        raw, end = _take(data, start, 4, name)
        count = int.from_bytes(raw, "little")
        raw, end = _take(data, end, 32 * count, name)
        return tuple(raw[at : at + 32] for at in range(0, len(raw), 32)), end
    raw, end = _take(data, start, 32, name)
    return (b58encode(raw) if kind == "pubkey" else raw.hex()), end


def _take(data: bytes, start: int, length: int, name: str) -> tuple[bytes, int]:
    end = start + length
    if end > len(data):
        raise InstructionError(
            "InstructionDidNotDeserialize", f"{name} ends at byte {end}, the data at {len(data)}"
        )
    return bytes(data[start:end]), end


def _write(args: Mapping[str, Any], instruction: str, name: str, kind: ArgKind) -> bytes:
    if name not in args:
        raise ValueError(f"{instruction} needs the argument {name}")
    value = args[name]
    if kind == "bool":
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")
        return bytes([value])
    if kind == "pubkey":
        return key_bytes(value)
    if kind == "hash":
        return _hash(value, name)
    if kind == "hashes":
        return struct.pack("<I", len(value)) + b"".join(
            _hash(item, f"{name}[{at}]") for at, item in enumerate(value)
        )
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    try:
        return value.to_bytes(8, "little", signed=kind == "i64")
    except OverflowError as problem:
        raise ValueError(f"{name} must fit {kind}, got {value}") from problem


def _hash(value: bytes | str, name: str) -> bytes:
    return hash_bytes(value if isinstance(value, str) else value.hex(), name)


def _refuse_unknown(
    instruction: str, what: str, given: Mapping[str, Any], known: Sequence[str]
) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"{instruction} has the {what} {', '.join(known) or 'none'}; got also "
            f"{', '.join(unknown)}"
        )
