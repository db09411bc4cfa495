"""The token program and the associated-token-account program, as far as claims and administration
use them.
"""

from __future__ import annotations

from dataclasses import replace

from popkit.drill.ledger import Account
from popkit.drill.runtime import Context, Failure, Instruction, Meta
from popkit.drill.system import create_derived
from popkit.protocol.keys import ATA_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM, key_bytes
from popkit.protocol.pda import associated_token_address

MINT_SIZE, ACCOUNT_SIZE = 82, 165
INSUFFICIENT, WRONG_MINT, WRONG_OWNER, FIXED_SUPPLY, IN_USE, UNINITIALIZED = 1, 3, 4, 5, 6, 9
NOT_EMPTY, WRONG_AUTHORITY_TYPE, OVERFLOW, FROZEN, WRONG_DECIMALS = 11, 15, 14, 17, 18
_WORDS = {
    INSUFFICIENT: "insufficient funds",
    WRONG_MINT: "Account not associated with this Mint",
    WRONG_OWNER: "owner does not match",
    FIXED_SUPPLY: "the total supply of this token is fixed",
    IN_USE: "account or token already in use",
    UNINITIALIZED: "State is uninitialized",
    NOT_EMPTY: "non-native account can only be closed if its balance is zero",
    WRONG_AUTHORITY_TYPE: "Account does not support specified authority type",
    OVERFLOW: "Operation overflowed",
    FROZEN: "Account is frozen",
    WRONG_DECIMALS: "decimals different from the Mint decimals",
}


def _refused(code: int) -> Failure:
    return Failure(code, f"Program log: Error: {_WORDS[code]}")


def run(context: Context, call: Instruction) -> None:
    """One instruction of the token program."""
    found = _HANDLERS.get(call.data[0]) if call.data else None
    if found is None:
        raise Failure(12, "Program log: Error: Invalid instruction")
    name, handler = found
    context.log(f"Instruction: {name}")
    handler(context, call.metas, call.data[1:])


def _meta(metas: tuple[Meta, ...], at: int) -> Meta:
    if at >= len(metas):
        raise Failure("NotEnoughAccountKeys")
    return metas[at]


def _u64(data: bytes, at: int = 0) -> int:
    if len(data) < at + 8:
        raise Failure(12, "Program log: Error: Invalid instruction")
    return int.from_bytes(data[at : at + 8], "little")


def _mint(context: Context, key: str) -> Account:
    held = context.get(key)
    if held.owner != TOKEN_PROGRAM:
        raise Failure("IncorrectProgramId")
    if len(held.data) != MINT_SIZE:
        raise Failure("InvalidAccountData")
    if held.data[45] != 1:
        raise _refused(UNINITIALIZED)
    return held


def _account(context: Context, key: str) -> Account:
    held = context.get(key)
    if held.owner != TOKEN_PROGRAM and held.lamports:
        raise Failure("IncorrectProgramId")
    if len(held.data) != ACCOUNT_SIZE:
        raise Failure("InvalidAccountData")
    if held.data[108] == 0:
        raise Failure("UninitializedAccount")
    return held


def _amount(held: Account) -> int:
    return int.from_bytes(held.data[64:72], "little")


def _with_amount(held: Account, amount: int) -> Account:
    return replace(held, data=held.data[:64] + amount.to_bytes(8, "little") + held.data[72:])


def _signed_by(expected: bytes, meta: Meta) -> None:
    if key_bytes(meta.key) != expected:
        raise _refused(WRONG_OWNER)
    if not meta.is_signer:
        raise Failure("MissingRequiredSignature")


def _initialize_mint(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    key = _meta(metas, 0).key
    held = context.get(key)
    if len(held.data) != MINT_SIZE or len(data) < 34:
        raise Failure("InvalidAccountData")
    if held.data[45] == 1:
        raise _refused(IN_USE)
    freeze = b"\1\0\0\0" + data[34:66] if data[33] == 1 else bytes(36)
    body = b"\1\0\0\0" + data[1:33] + bytes(8) + data[:1] + b"\1" + freeze
    context.put(key, replace(held, data=body))


def _initialize_account(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    key, mint = _meta(metas, 0).key, _meta(metas, 1).key
    held = context.get(key)
    if held.owner != TOKEN_PROGRAM or len(held.data) != ACCOUNT_SIZE:
        raise Failure("InvalidAccountData")
    if held.data[108]:
        raise _refused(IN_USE)
    record = context.get(mint)
    if record.owner != TOKEN_PROGRAM or len(record.data) != MINT_SIZE or record.data[45] != 1:
        raise Failure(2, "Program log: Error: Invalid Mint")
    body = key_bytes(mint) + data[:32] + bytes(44) + b"\1"
    context.put(key, replace(held, data=body.ljust(ACCOUNT_SIZE, b"\0")))


def _move(
    context: Context,
    source: str,
    target: str,
    authority: Meta,
    amount: int,
    checked: tuple[str, int] | None,
) -> None:
    sending, getting = _account(context, source), _account(context, target)
    if 2 in (sending.data[108], getting.data[108]):
        raise _refused(FROZEN)
    if _amount(sending) < amount:
        raise _refused(INSUFFICIENT)
    if sending.data[:32] != getting.data[:32]:
        raise _refused(WRONG_MINT)
    if checked is not None:
        mint, decimals = checked
        if key_bytes(mint) != sending.data[:32]:
            raise _refused(WRONG_MINT)
        if _mint(context, mint).data[44] != decimals:
            raise _refused(WRONG_DECIMALS)
    _signed_by(sending.data[32:64], authority)
    if source == target:
        return
    context.put(source, _with_amount(sending, _amount(sending) - amount))
    if _amount(getting) + amount >= 1 << 64:
        raise _refused(OVERFLOW)
    context.put(target, _with_amount(getting, _amount(getting) + amount))


def _transfer(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    _move(context, _meta(metas, 0).key, _meta(metas, 1).key, _meta(metas, 2), _u64(data), None)


def _transfer_checked(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    amount = _u64(data)
    checked = (_meta(metas, 1).key, data[8] if len(data) > 8 else 0)
    _move(context, _meta(metas, 0).key, _meta(metas, 2).key, _meta(metas, 3), amount, checked)


def _mint_to(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    mint, target, amount = _meta(metas, 0).key, _meta(metas, 1).key, _u64(data)
    getting, record = _account(context, target), _mint(context, mint)
    if getting.data[:32] != key_bytes(mint):
        raise _refused(WRONG_MINT)
    if record.data[:4] != b"\1\0\0\0":
        raise _refused(FIXED_SUPPLY)
    _signed_by(record.data[4:36], _meta(metas, 2))
    supply = int.from_bytes(record.data[36:44], "little") + amount
    if supply >= 1 << 64:
        raise _refused(OVERFLOW)
    context.put(target, _with_amount(getting, _amount(getting) + amount))
    context.put(
        mint,
        replace(record, data=record.data[:36] + supply.to_bytes(8, "little") + record.data[44:]),
    )


def _close(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    key, target = _meta(metas, 0).key, _meta(metas, 1).key
    held = _account(context, key)
    if _amount(held):
        raise _refused(NOT_EMPTY)
    _signed_by(held.data[32:64], _meta(metas, 2))
    getting = context.get(target)
    context.put(target, replace(getting, lamports=getting.lamports + held.lamports))
    context.put(key, Account(0, SYSTEM_PROGRAM))


def _set_authority(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    key, kind = _meta(metas, 0).key, data[0] if data else 255
    held = context.get(key)
    place = {0: 0, 1: 46}.get(kind)
    if len(held.data) != MINT_SIZE or place is None:
        raise _refused(WRONG_AUTHORITY_TYPE)
    if held.data[place : place + 4] != b"\1\0\0\0":
        raise _refused(FIXED_SUPPLY)
    _signed_by(held.data[place + 4 : place + 36], _meta(metas, 1))
    new = (
        b"\1\0\0\0" + data[2:34]
        if data[1:2] == b"\1"
        else bytes(4) + held.data[place + 4 : place + 36]
    )
    context.put(key, replace(held, data=held.data[:place] + new + held.data[place + 36 :]))


def _account_size(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    _mint(context, _meta(metas, 0).key)
    context.logs.append(f"Program return: {TOKEN_PROGRAM} pQAAAAAAAAA=")


def _immutable_owner(context: Context, metas: tuple[Meta, ...], data: bytes) -> None:
    if context.get(_meta(metas, 0).key).data[108:109] != b"\0":
        raise _refused(IN_USE)
    context.log("Please upgrade to SPL Token 2022 for immutable owner support")


_HANDLERS = {
    3: ("Transfer", _transfer),
    6: ("SetAuthority", _set_authority),
    7: ("MintTo", _mint_to),
    9: ("CloseAccount", _close),
    12: ("TransferChecked", _transfer_checked),
    18: ("InitializeAccount3", _initialize_account),
    20: ("InitializeMint2", _initialize_mint),
    21: ("GetAccountDataSize", _account_size),
    22: ("InitializeImmutableOwner", _immutable_owner),
}


def run_associated(context: Context, call: Instruction) -> None:
    """Create or CreateIdempotent of the associated-token-account program."""
    if call.data not in (b"", b"\0", b"\1"):
        raise Failure("InvalidInstructionData")
    idempotent = call.data == b"\1"
    context.log("CreateIdempotent" if idempotent else "Create")
    payer, target, wallet, mint = (_meta(call.metas, at).key for at in range(4))
    if associated_token_address(wallet, mint) != target:
        raise Failure(
            "InvalidSeeds", "Program log: Error: Associated address does not match seed derivation"
        )
    held = context.get(target)
    if idempotent and held.owner == TOKEN_PROGRAM:
        if held.data[:32] != key_bytes(mint) or held.data[32:64] != key_bytes(wallet):
            raise Failure(
                0,
                "Program log: Error: Associated token account owner does not match address "
                "derivation",
            )
        return
    if held.owner != SYSTEM_PROGRAM:
        raise Failure("IllegalOwner")
    context.invoke(TOKEN_PROGRAM, b"\x15\7\0", (Meta(mint, False, False),))
    create_derived(context, payer, target, ACCOUNT_SIZE, TOKEN_PROGRAM)
    context.log("Initialize the associated token account")
    context.invoke(TOKEN_PROGRAM, b"\x16", (Meta(target, False, True),))
    metas = (Meta(target, False, True), Meta(mint, False, False))
    context.invoke(TOKEN_PROGRAM, b"\x12" + key_bytes(wallet), metas)


def create_associated(payer: str, owner: str, mint: str, idempotent: bool = False) -> Instruction:
    """The instruction that makes the associated token account of an owner."""
    metas = (
        Meta(payer, True, True),
        Meta(associated_token_address(owner, mint), False, True),
        Meta(owner, False, False),
        Meta(mint, False, False),
        Meta(SYSTEM_PROGRAM, False, False),
        Meta(TOKEN_PROGRAM, False, False),
    )
    return Instruction(ATA_PROGRAM, b"\1" if idempotent else b"", metas)


def mint_data(decimals: int, authority: str, supply: int = 0) -> bytes:
    """The bytes of a mint that one key may mint for."""
    return (
        b"\1\0\0\0"
        + key_bytes(authority)
        + supply.to_bytes(8, "little")
        + bytes([decimals])
        + b"\1"
        + bytes(36)
    )
