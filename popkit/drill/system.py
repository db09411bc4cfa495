"""The system program: what claims, administration and durable nonces ask of it, with its log lines."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from popkit.drill.ledger import Account, minimum_balance
from popkit.drill.runtime import Context, Failure, Instruction, Meta
from popkit.protocol.keys import SYSTEM_PROGRAM, b58encode, key_bytes

ALREADY_IN_USE, TOO_POOR, TOO_LONG, ADDRESS_WITH_SEED, NONCE_NOT_EXPIRED = 0, 1, 3, 5, 7
MAX_DATA = 10 * 1024 * 1024
NONCE_SIZE = 80


class _Arguments:
    """The arguments of an instruction, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 4

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise Failure("InvalidInstructionData")
        self.at += size
        return piece

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def key(self) -> str:
        return b58encode(self.take(32))

    def text(self) -> bytes:
        size = self.u64()
        if size > 32:
            raise Failure("InvalidInstructionData")
        return self.take(size)


def run(context: Context, call: Instruction) -> None:
    """One instruction of the system program."""
    kind = int.from_bytes(call.data[:4], "little") if len(call.data) >= 4 else None
    handler = None if kind is None else _HANDLERS.get(kind)
    if handler is None:
        raise Failure("InvalidInstructionData")
    handler(context, call.metas, _Arguments(call.data))


def _meta(metas: tuple[Meta, ...], at: int) -> Meta:
    if at >= len(metas):
        raise Failure("NotEnoughAccountKeys")
    return metas[at]


def _create(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    payer, target = _meta(metas, 0), _meta(metas, 1)
    lamports, space, owner = args.u64(), args.u64(), args.key()
    _create_at(
        context, payer, target, (lamports, space, owner), target.is_signer, _named(target.key, None)
    )


def _create_with_seed(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    payer, target = _meta(metas, 0), _meta(metas, 1)
    base, seed = args.key(), args.text()
    lamports, space, owner = args.u64(), args.u64(), args.key()
    if b58encode(sha256(key_bytes(base) + seed + key_bytes(owner)).digest()) != target.key:
        raise Failure(ADDRESS_WITH_SEED, "Create: address does not match derived address")
    signed = any(m.is_signer and m.key == base for m in metas)
    _create_at(context, payer, target, (lamports, space, owner), signed, _named(target.key, base))


def _named(key: str, base: str | None) -> str:
    return f"Address {{ address: {key}, base: {'None' if base is None else f'Some({base})'} }}"


def _create_at(
    context: Context,
    payer: Meta,
    target: Meta,
    terms: tuple[int, int, str],
    signed: bool,
    named: str,
) -> None:
    lamports, space, owner = terms
    if context.get(target.key).lamports > 0:
        raise Failure(ALREADY_IN_USE, f"Create Account: account {named} already in use")
    _allocate_at(context, target.key, space, signed, named)
    _assign_at(context, target.key, owner, signed)
    transfer(context, payer, target.key, lamports)


def _allocate_at(context: Context, key: str, space: int, signed: bool, named: str) -> None:
    held = context.get(key)
    if not signed:
        raise Failure("MissingRequiredSignature", f"Allocate: 'to' account {named} must sign")
    if held.data or held.owner != SYSTEM_PROGRAM:
        raise Failure(ALREADY_IN_USE, f"Allocate: account {named} already in use")
    if space > MAX_DATA:
        raise Failure(TOO_LONG, f"Allocate: requested {space}, max allowed {MAX_DATA}")
    context.put(key, replace(held, data=bytes(space)))


def _assign_at(context: Context, key: str, owner: str, signed: bool) -> None:
    held = context.get(key)
    if held.owner == owner:
        return
    if not signed:
        raise Failure("MissingRequiredSignature", f"Assign: account {_named(key, None)} must sign")
    context.put(key, replace(held, owner=owner))


def transfer(context: Context, payer: Meta, target: str, lamports: int) -> None:
    """Move lamports, as the system program does. Raises Failure with its line."""
    source = context.get(payer.key)
    if not payer.is_signer:
        raise Failure("MissingRequiredSignature", f"Transfer: `from` account {payer.key} must sign")
    if source.data:
        raise Failure("InvalidArgument", "Transfer: `from` must not carry data")
    if source.lamports < lamports:
        raise Failure(
            TOO_POOR, f"Transfer: insufficient lamports {source.lamports}, need {lamports}"
        )
    context.put(payer.key, replace(source, lamports=source.lamports - lamports))
    held = context.get(target)
    context.put(target, replace(held, lamports=held.lamports + lamports))


def _transfer(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    transfer(context, _meta(metas, 0), _meta(metas, 1).key, args.u64())


def _assign(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    target = _meta(metas, 0)
    _assign_at(context, target.key, args.key(), target.is_signer)


def _allocate(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    target = _meta(metas, 0)
    _allocate_at(context, target.key, args.u64(), target.is_signer, _named(target.key, None))


def is_advance(call: Instruction) -> bool:
    """Whether an instruction is AdvanceNonceAccount, which makes a transaction durable when it
    stands first.
    """
    return call.program == SYSTEM_PROGRAM and call.data[:4] == b"\4\0\0\0" and len(call.metas) >= 3


def nonce_value(account: Account) -> str | None:
    """The value of an initialized nonce account, which stands in the place of a blockhash; None
    where it is none.
    """
    if (
        account.owner != SYSTEM_PROGRAM
        or len(account.data) != NONCE_SIZE
        or account.data[4:8] != b"\1\0\0\0"
    ):
        return None
    return b58encode(account.data[40:72])


def _durable(blockhash: str) -> bytes:
    return sha256(b"DURABLE_NONCE" + key_bytes(blockhash)).digest()


def nonce_moved(account: Account, blockhash: str) -> Account | None:
    """A nonce account with the next value; None where it is none."""
    if nonce_value(account) is None:
        return None
    return replace(account, data=account.data[:40] + _durable(blockhash) + account.data[72:])


def _advance(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    target = _meta(metas, 0)
    held = context.get(target.key)
    if nonce_value(held) is None:
        raise Failure(
            "InvalidAccountData", f"Advance nonce account: Account {target.key} state is invalid"
        )
    authority = b58encode(held.data[8:40])
    if not any(m.key == authority and m.is_signer for m in metas):
        raise Failure(
            "MissingRequiredSignature",
            f"Advance nonce account: Account {authority} must be a signer",
        )
    moved = nonce_moved(held, context.moment.blockhash)
    if moved is None or moved == held:
        raise Failure(
            NONCE_NOT_EXPIRED, "Advance nonce account: nonce can only advance once per slot"
        )
    context.put(target.key, moved)


def _initialize_nonce(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    target, authority = _meta(metas, 0), args.take(32)
    held = context.get(target.key)
    if len(held.data) != NONCE_SIZE or held.data[4:8] != bytes(4):
        raise Failure(
            "InvalidAccountData", f"Initialize nonce account: Account {target.key} state is invalid"
        )
    if held.lamports < minimum_balance(NONCE_SIZE):
        need = minimum_balance(NONCE_SIZE)
        raise Failure(
            "InsufficientFunds",
            f"Initialize nonce account: insufficient lamports {held.lamports}, need {need}",
        )
    head = b"\1\0\0\0\1\0\0\0" + authority + _durable(context.moment.blockhash)
    context.put(target.key, replace(held, data=head + (5000).to_bytes(8, "little")))


def _withdraw_nonce(context: Context, metas: tuple[Meta, ...], args: _Arguments) -> None:
    source, target, lamports = _meta(metas, 0), _meta(metas, 1), args.u64()
    held = context.get(source.key)
    authority = b58encode(held.data[8:40]) if nonce_value(held) else source.key
    if not any(m.key == authority and m.is_signer for m in metas):
        raise Failure(
            "MissingRequiredSignature", f"Withdraw nonce account: Account {authority} must sign"
        )
    left = held.lamports - lamports
    if left < 0 or (left and left < minimum_balance(NONCE_SIZE)):
        raise Failure(
            "InsufficientFunds",
            f"Withdraw nonce account: insufficient lamports {held.lamports}, need {lamports}",
        )
    context.put(
        source.key, replace(held, lamports=left, data=held.data if left else bytes(NONCE_SIZE))
    )
    to = context.get(target.key)
    context.put(target.key, replace(to, lamports=to.lamports + lamports))


_HANDLERS = {
    0: _create,
    1: _assign,
    2: _transfer,
    3: _create_with_seed,
    4: _advance,
    5: _withdraw_nonce,
    6: _initialize_nonce,
    8: _allocate,
}


def create_account(lamports: int, space: int, owner: str) -> bytes:
    """The data of CreateAccount."""
    return (
        bytes(4) + lamports.to_bytes(8, "little") + space.to_bytes(8, "little") + key_bytes(owner)
    )


def create_derived(context: Context, payer: str, target: str, space: int, owner: str) -> None:
    """Make an account at a derived address as Anchor and the ATA program do: lamports that lie
    there already count.
    """
    held, need = context.get(target).lamports, minimum_balance(space)
    paying, new = Meta(payer, True, True), Meta(target, True, True)
    if held == 0:
        context.invoke(SYSTEM_PROGRAM, create_account(need, space, owner), (paying, new), (target,))
        return
    if held < need:
        data = b"\2\0\0\0" + (need - held).to_bytes(8, "little")
        context.invoke(SYSTEM_PROGRAM, data, (paying, Meta(target, False, True)))
    context.invoke(SYSTEM_PROGRAM, b"\x08\0\0\0" + space.to_bytes(8, "little"), (new,), (target,))
    context.invoke(SYSTEM_PROGRAM, b"\1\0\0\0" + key_bytes(owner), (new,), (target,))
