"""The grant program in its five builds: every instruction, its checks in their order, its state and
its log lines.

The order of a claim's checks is that of the reference, section 1.7. 6029 (PopStateGrantMismatch) is
left out: PopState lies at an address derived from its grant, so that no transaction can meet it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from popkit.drill.anchor import Accounts, occurred, thrown
from popkit.drill.ledger import Account
from popkit.drill.runtime import Context, Instruction, Meta
from popkit.drill.system import create_derived
from popkit.protocol.accounts import (
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    decode_grant,
    decode_pop_config,
    decode_pop_state,
    encode_account,
)
from popkit.protocol.allowlist import holds
from popkit.protocol.ed25519 import ProofDataError, read_proof
from popkit.protocol.instructions import (
    CLAIM_ACCOUNTS,
    INSTRUCTIONS,
    LEGACY_CLAIM_ACCOUNTS,
    InstructionError,
    decode_instruction,
)
from popkit.protocol.keys import (
    ED25519_PROGRAM,
    INSTRUCTIONS_SYSVAR,
    PROGRAM_ID,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
)
from popkit.protocol.message import (
    GENESIS_HASH,
    SKEW_SECONDS,
    MessageError,
    PopMessage,
    decode_message,
)

YEAR = 365 * 86400
STRICT = ("strict", "strict_v2")


def run(context: Context, call: Instruction) -> None:
    """One instruction of the grant program, in the build that is deployed at this moment."""
    build = context.moment.build
    name = next(
        (name for name, spec in INSTRUCTIONS.items() if spec.discriminator == call.data[:8]), None
    )
    if name is None or not _is_known(name, build):
        raise occurred(build, "InstructionFallbackNotFound")
    context.log(f"Instruction: {''.join(part.capitalize() for part in name.split('_'))}")
    names = INSTRUCTIONS[name].accounts
    try:
        args = decode_instruction(call.data, names).args
    except InstructionError as error:
        raise occurred(build, error.code) from None
    if name.startswith("claim"):
        # A claim in the older layout fails at the first account that is another than expected, before the accounts run out.
        short = len(LEGACY_CLAIM_ACCOUNTS) <= len(call.metas) < len(CLAIM_ACCOUNTS)
        names = (
            LEGACY_CLAIM_ACCOUNTS
            if build == "pre_pop"
            else CLAIM_ACCOUNTS[: len(call.metas)]
            if short
            else CLAIM_ACCOUNTS
        )
    _HANDLERS[name](context, Accounts(context, build, names, call.metas), args, build)


def _is_known(name: str, build: str) -> bool:
    return not (
        (name == "update_grant" and build != "head")
        or (name == "upsert_pop_config" and build == "pre_pop")
    )


@lru_cache(maxsize=4096)
def _derived_with(bump: int, *seeds: bytes) -> str | None:
    """The address that seeds and a stored bump lead to; None where that is a point of the curve."""
    digest = sha256(
        b"".join(seeds) + bytes([bump]) + key_bytes(PROGRAM_ID) + b"ProgramDerivedAddress"
    ).digest()
    return None if Pubkey(digest).is_on_curve() else b58encode(digest)


@lru_cache(maxsize=4096)
def _derived(*seeds: bytes) -> tuple[str, int]:
    """A derived address of the program, and its bump."""
    address, bump = Pubkey.find_program_address(list(seeds), Pubkey.from_string(PROGRAM_ID))
    return str(address), bump


def _grant_address(a: Accounts, grant_id: int) -> tuple[str, int]:
    return _derived(
        b"grant", key_bytes(a["authority"]), key_bytes(a["mint"]), grant_id.to_bytes(8, "little")
    )


def _vault_address(grant: str) -> tuple[str, int]:
    return _derived(b"vault", key_bytes(grant))


def _read_grant(a: Accounts) -> Grant:
    return decode_grant(a.program_account("grant", Grant))


def _check_grant(
    a: Accounts, grant: Grant, authority: str | None = None, mint: str | None = None
) -> None:
    """The grant's seeds: of its own terms in a claim, of the accounts that were given where
    somebody administers it.
    """
    seeds = [
        b"grant",
        key_bytes(authority or grant.authority),
        key_bytes(mint or grant.mint),
        grant.grant_id.to_bytes(8, "little"),
    ]
    a.seeds("grant", _derived_with(grant.bump, *seeds))
    a.mutable("grant")


def _create_grant(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    a.mint()
    a.signer("authority")
    a.programs("token_program", "system_program", "rent")
    address, bump = _grant_address(a, args["grant_id"])
    a.seeds("grant", address)
    if build == "head" or a.held("grant").owner == SYSTEM_PROGRAM:
        create_derived(context, a["authority"], a["grant"], 178, PROGRAM_ID)
    else:
        a.program_account("grant", Grant)
    vault, _ = _vault_address(address)
    a.seeds("vault", vault)
    if a.held("vault").owner == SYSTEM_PROGRAM:
        create_derived(context, a["authority"], vault, 165, TOKEN_PROGRAM)
        metas = (Meta(vault, False, True), Meta(a["mint"], False, False))
        context.invoke(TOKEN_PROGRAM, b"\x12" + key_bytes(address), metas)
    if args["amount_per_period"] == 0:
        raise thrown(build, "create: InvalidAmount")
    if args["period_seconds"] <= 0:
        raise thrown(build, "create: InvalidPeriod")
    if args["start_ts"] > context.moment.now + YEAR:
        raise thrown(build, "InvalidStartTs")
    terms = {**args, "merkle_root": GENESIS_HASH, "paused": False, "bump": bump}
    a.write("grant", Grant(authority=a["authority"], mint=a["mint"], vault=vault, **terms))


def _update_grant(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    grant = _read_grant(a)
    a.signer("authority")
    _check_grant(a, grant, a["authority"])
    if args["amount_per_period"] == 0:
        raise thrown(build, "update: InvalidAmount")
    if args["period_seconds"] <= 0:
        raise thrown(build, "update: InvalidPeriod")
    a.write("grant", replace(grant, **args))


def _fund_grant(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    grant = _read_grant(a)
    mint = a.mint()
    a.token_account("vault")
    source = a.token_account("from_ata")
    a.signer("funder")
    a.system_account("authority")
    a.programs("token_program")
    _check_grant(a, grant, a["authority"], a["mint"])
    a.seeds("vault", _vault_address(a["grant"])[0])
    _check_token_account(a, "from_ata", source, "funder")
    if args["amount"] == 0:
        raise thrown(build, "fund: InvalidAmount")
    _transfer(context, a, ("from_ata", "vault", "funder"), args["amount"], mint[44])


def _check_token_account(a: Accounts, name: str, data: bytes, owner: str) -> None:
    if b58encode(data[:32]) != a["mint"]:
        raise a.fail(name, "MintMismatch")
    if b58encode(data[32:64]) != a[owner]:
        raise a.fail(name, "Unauthorized")


def _transfer(
    context: Context, a: Accounts, names: tuple[str, str, str], amount: int, decimals: int
) -> None:
    source, target, authority = (a[name] for name in names)
    metas = (
        Meta(source, False, True),
        Meta(a["mint"], False, False),
        Meta(target, False, True),
        Meta(authority, True, False),
    )
    seeds = () if names[2] == "funder" else (a["grant"],)
    context.invoke(
        TOKEN_PROGRAM, b"\x0c" + amount.to_bytes(8, "little") + bytes([decimals]), metas, seeds
    )


def _close_grant(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    grant = _read_grant(a)
    mint = a.mint()
    vault = a.token_account("vault")
    target = a.token_account("authority_ata")
    a.signer("authority")
    a.programs("token_program")
    _check_grant(a, grant, a["authority"], a["mint"])
    a.seeds("vault", _vault_address(a["grant"])[0])
    _check_token_account(a, "authority_ata", target, "authority")
    amount = int.from_bytes(vault[64:72], "little")
    if amount:
        _transfer(context, a, ("vault", "authority_ata", "grant"), amount, mint[44])
    metas = (
        Meta(a["vault"], False, True),
        Meta(a["authority"], False, True),
        Meta(a["grant"], True, False),
    )
    context.invoke(TOKEN_PROGRAM, b"\x09", metas, (a["grant"],))
    held, getting = a.held("grant"), a.held("authority")
    context.put(a["authority"], replace(getting, lamports=getting.lamports + held.lamports))
    context.put(a["grant"], Account(0, SYSTEM_PROGRAM))


def _switch(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    """set_paused and set_allowlist_root: each sets the one field that it names."""
    grant = _read_grant(a)
    a.mint()
    a.signer("authority")
    _check_grant(a, grant, a["authority"], a["mint"])
    a.write("grant", replace(grant, **args))


def _upsert_pop_config(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    a.signer("authority")
    a.programs("system_program", "rent")
    address, bump = _derived(b"pop-config", key_bytes(a["authority"]))
    a.seeds("pop_config", address)
    if a.held("pop_config").owner == SYSTEM_PROGRAM:
        create_derived(context, a["authority"], address, 73, PROGRAM_ID)
    else:
        a.program_account("pop_config", PopConfig)
    a.write("pop_config", PopConfig(a["authority"], args["signer_pubkey"], bump))


def _claim(context: Context, a: Accounts, args: dict[str, Any], build: str) -> None:
    """claim_grant and claim_grant_with_proof."""
    period = args["period_index"]
    grant, config, account, decimals = _claim_accounts(a, build)
    state_bump = _claim_new_accounts(context, a, period, build)
    _claim_constraints(a, grant, config, account, build)
    prefix = "with proof: " if "proof" in args else ""
    if grant.paused:
        raise thrown(build, f"{prefix}Paused")
    _check_allowlist(a, grant, args, build)
    if config is not None:
        proof = _check_proof(context, a, config, period, build)
        old = a.held("pop_state").data
        a.write(
            "pop_state",
            _next_state(
                context, proof, decode_pop_state(old) if any(old) else None, state_bump, build
            ),
        )
    now = context.moment.now
    if grant.expires_at and now > grant.expires_at:
        raise thrown(build, "GrantExpired")
    if now < grant.start_ts:
        raise thrown(build, "GrantNotStarted")
    if period != (now - grant.start_ts) // grant.period_seconds:
        raise thrown(build, "InvalidPeriodIndex")
    if int.from_bytes(a.held("vault").data[64:72], "little") < grant.amount_per_period:
        raise thrown(build, "InsufficientFunds")
    _transfer(context, a, ("vault", "claimer_ata", "grant"), grant.amount_per_period, decimals)
    receipt = ClaimReceipt(a["grant"], a["claimer"], period, now)
    context.put(a["receipt"], replace(a.held("receipt"), data=encode_account(receipt)))


def _claim_accounts(a: Accounts, build: str) -> tuple[Grant, PopConfig | None, bytes, int]:
    """Accounts that must be there already, in their order: the grant, pop-config, the claimer's
    token account, the mint's decimals.
    """
    grant = _read_grant(a)
    mint = a.mint()
    a.token_account("vault")
    a.signer("claimer")
    account = a.token_account("claimer_ata")
    config = None
    if build != "pre_pop":
        config = decode_pop_config(a.program_account("pop_config", PopConfig))
        if "rent" not in a:
            raise occurred(build, "AccountNotEnoughKeys")
    a.programs("token_program", "system_program", "rent")
    return grant, config, account, mint[44]


def _claim_new_accounts(context: Context, a: Accounts, period: int, build: str) -> int:
    """Make the receipt, and PopState at a grant's first claim; the bump of PopState."""
    seeds = [
        b"receipt",
        key_bytes(a["grant"]),
        key_bytes(a["claimer"]),
        period.to_bytes(8, "little"),
    ]
    a.seeds("receipt", _derived(*seeds)[0])
    create_derived(context, a["claimer"], a["receipt"], 88, PROGRAM_ID)
    if build == "pre_pop":
        return 0
    state, bump = _derived(b"pop-state", key_bytes(a["grant"]))
    a.seeds("pop_state", state)
    if a.held("pop_state").owner == SYSTEM_PROGRAM:
        create_derived(context, a["claimer"], state, 122, PROGRAM_ID)
    else:
        a.program_account("pop_state", PopState)
    return bump


def _claim_constraints(
    a: Accounts, grant: Grant, config: PopConfig | None, account: bytes, build: str
) -> None:
    _check_grant(a, grant)
    a.seeds("vault", _vault_address(a["grant"])[0])
    _check_token_account(a, "claimer_ata", account, "claimer")
    if config is None:
        return
    a.seeds("pop_config", _derived_with(config.bump, b"pop-config", key_bytes(grant.authority)))
    if config.authority != grant.authority:
        raise a.fail("pop_config", "InvalidPopConfigAuthority")
    if a["instructions_sysvar"] != INSTRUCTIONS_SYSVAR:
        raise a.fail(
            "instructions_sysvar",
            "ConstraintAddress",
            a["instructions_sysvar"],
            INSTRUCTIONS_SYSVAR,
        )


def _check_allowlist(a: Accounts, grant: Grant, args: dict[str, Any], build: str) -> None:
    enabled = grant.merkle_root != GENESIS_HASH
    if "proof" not in args:
        if enabled:
            raise thrown(build, "AllowlistRequired")
        return
    if not enabled:
        raise thrown(build, "AllowlistNotEnabled")
    if not holds(a["claimer"], args["proof"], grant.merkle_root):
        raise thrown(build, "NotInAllowlist")


def _check_proof(
    context: Context, a: Accounts, config: PopConfig, period: int, build: str
) -> PopMessage:
    """The proof in the instruction before this one, held to everything but the chain rule."""
    if context.index == 0:
        raise thrown(build, "MissingPopSignatureInstruction")
    before = context.signed.instructions[context.index - 1]
    if before.program != ED25519_PROGRAM:
        raise thrown(build, "InvalidPopSignatureProgram")
    try:
        given = read_proof(before.data)
        if b58encode(given.public_key) != config.signer_pubkey:
            raise thrown(build, "InvalidPopSigner")
        proof = decode_message(given.message)
    except (ProofDataError, MessageError) as error:
        raise thrown(build, error.code) from None
    if proof.version != 2 and build != "strict":
        raise thrown(build, "PopReceiptCommitmentRequired")
    expected = (
        ("Grant", proof.grant, a["grant"]),
        ("Claimer", proof.claimer, a["claimer"]),
        ("Period", proof.period_index, period),
    )
    for what, said, is_ in expected:
        if said != is_:
            raise thrown(build, f"PopProof{what}Mismatch")
    if proof.audit_hash == GENESIS_HASH:
        raise thrown(build, "PopAuditHashMissing")
    if proof.entry_hash != proof.recomputed_entry_hash():
        raise thrown(build, "PopEntryHashMismatch")
    if abs(context.moment.now - proof.issued_at) > SKEW_SECONDS:
        raise thrown(build, "PopProofExpired")
    return proof


def _next_state(
    context: Context, proof: PopMessage, old: PopState | None, bump: int, build: str
) -> PopState:
    """The PopState that an accepted proof leaves, after the build's chain rule."""
    if build in STRICT:
        if old is not None and old.last_global_hash != proof.prev_hash:
            raise thrown(build, "PopHashChainBroken")
        if old is not None and old.last_stream_hash != proof.stream_prev_hash:
            raise thrown(build, "PopStreamChainBroken")
        if old is None and proof.prev_hash != GENESIS_HASH:
            raise thrown(build, "PopGenesisMismatch")
        if old is None and proof.stream_prev_hash != GENESIS_HASH:
            raise thrown(build, "stream: PopGenesisMismatch")
    elif old is not None and proof.issued_at < old.last_issued_at:
        return old
    return PopState(
        proof.grant,
        proof.entry_hash,
        proof.entry_hash,
        proof.period_index,
        proof.issued_at,
        True,
        bump,
    )


_HANDLERS: dict[str, Callable[[Context, Accounts, dict[str, Any], str], None]] = {
    "create_grant": _create_grant,
    "update_grant": _update_grant,
    "fund_grant": _fund_grant,
    "claim_grant": _claim,
    "claim_grant_with_proof": _claim,
    "close_grant": _close_grant,
    "set_paused": _switch,
    "set_allowlist_root": _switch,
    "upsert_pop_config": _upsert_pop_config,
}
