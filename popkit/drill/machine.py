"""Every program of the drill in its place, and a signed transaction read for execution."""

from __future__ import annotations

import struct
from hashlib import sha256

from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.drill import program, runtime, system, token
from popkit.drill.ledger import LAMPORTS_PER_BYTE, Account, Ledger, minimum_balance
from popkit.drill.runtime import Context, Failure, Instruction, Meta, Signed
from popkit.protocol.ed25519 import THIS_INSTRUCTION
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    PROGRAM_ID,
    RENT_SYSVAR,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
    verify_strict,
)

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
TABLE_PROGRAM = "AddressLookupTab1e1111111111111111111111111"
WRAPPER_PROGRAM = str(Pubkey(sha256(b"a program that claims for others").digest()))
NATIVE_LOADER = "NativeLoader1111111111111111111111111111111"
LOADER = "BPFLoader2111111111111111111111111111111111"
UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
PROGRAM_DATA = str(
    Pubkey.find_program_address([key_bytes(PROGRAM_ID)], Pubkey.from_string(UPGRADEABLE_LOADER))[0]
)
_TABLE_HEAD = 56


class Unreadable(ValueError):
    """The transaction names what the ledger does not hold: a lookup table, or a place in one."""


def _memo(context: Context, call: Instruction) -> None:
    for meta in call.metas:
        if not meta.is_signer:
            raise Failure("MissingRequiredSignature")
        context.log(f"Signed by {meta.key}")
    try:
        text = call.data.decode()
    except UnicodeDecodeError as error:
        raise Failure(
            "InvalidInstructionData", f"Program log: Invalid UTF-8, from byte {error.start}"
        ) from None
    context.log(f'Memo (len {len(call.data)}): "{text}"')


def _budget(context: Context, call: Instruction) -> None:
    if call.data[:1] not in (b"\1", b"\2", b"\3", b"\4"):
        raise Failure("InvalidInstructionData")


def _wrapped(context: Context, call: Instruction) -> None:
    """A made-up program that claims for others: it invokes the program that its last account names."""
    context.invoke(call.metas[-1].key, call.data[1:], call.metas[:-1])


def _ed25519(context: Context, call: Instruction) -> None:
    """The precompile: every signature that its data names must hold."""
    data = call.data
    count = data[0] if data else 0
    for at in range(count):
        places = [
            int.from_bytes(data[2 + 14 * at + 2 * part : 4 + 14 * at + 2 * part], "little")
            for part in range(7)
        ]
        signature_at, signature_in, key_at, key_in, message_at, size, message_in = places
        signature = _piece(context, signature_in, signature_at, 64)
        key = _piece(context, key_in, key_at, 32)
        if not verify_strict(key, _piece(context, message_in, message_at, size), signature):
            raise Failure(0 if len(signature) != 64 else 2)


def _piece(context: Context, index: int, start: int, size: int) -> bytes:
    calls = context.signed.instructions
    at = context.index if index == THIS_INSTRUCTION else index
    if at >= len(calls) or start + size > len(calls[at].data):
        raise Failure(3)  # InvalidDataOffsets
    return calls[at].data[start : start + size]


runtime.PROGRAMS.update(
    {
        SYSTEM_PROGRAM: system.run,
        TOKEN_PROGRAM: token.run,
        ATA_PROGRAM: token.run_associated,
        PROGRAM_ID: program.run,
        COMPUTE_BUDGET_PROGRAM: _budget,
        ED25519_PROGRAM: _ed25519,
        MEMO_PROGRAM: _memo,
        WRAPPER_PROGRAM: _wrapped,
    }
)


def built_in(build: str, slot: int, authority: str) -> dict[str, Account]:
    """The accounts that every cluster has: programs and sysvars, with the lamports that recordings
    show; and the deployed build.
    """
    native = (SYSTEM_PROGRAM, COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM)
    found = {key: Account(1, NATIVE_LOADER, b"", executable=True) for key in native}
    loaded = (
        (TOKEN_PROGRAM, 929_020_800),
        (ATA_PROGRAM, 731_913_600),
        (MEMO_PROGRAM, 521_498_880),
        (WRAPPER_PROGRAM, 1_141_440),
    )
    found |= {key: Account(lamports, LOADER, b"", executable=True) for key, lamports in loaded}
    rent = LAMPORTS_PER_BYTE // 2
    found[RENT_SYSVAR] = Account(
        1_009_200, "Sysvar1111111111111111111111111111111111111", struct.pack("<QdB", rent, 2.0, 50)
    )
    found[PROGRAM_ID] = Account(
        1_141_440, UPGRADEABLE_LOADER, b"\2\0\0\0" + key_bytes(PROGRAM_DATA), executable=True
    )
    found[PROGRAM_DATA] = program_data(build, slot, authority)
    return found


def program_data(build: str, slot: int, authority: str) -> Account:
    """The ProgramData account of a deployed build: slot, upgrade authority, and bytes that are no
    program, but one build's alone.
    """
    head = b"\3\0\0\0" + slot.to_bytes(8, "little") + b"\1" + key_bytes(authority)
    data = head + f"popkit drill: grant_program, build {build}".encode().ljust(256, b"\0")
    return Account(minimum_balance(len(data)), UPGRADEABLE_LOADER, data)


def read_signed(
    transaction: VersionedTransaction, ledger: Ledger
) -> tuple[Signed, dict[str, list[str]]]:
    """A transaction with its looked-up addresses in place, and those as `loadedAddresses` has them.
    Raises Unreadable.
    """
    message = transaction.message
    static = [str(key) for key in message.account_keys]
    header = message.header
    signers = header.num_required_signatures
    loaded: dict[str, list[str]] = {"writable": [], "readonly": []}
    if isinstance(message, MessageV0):
        for row in message.address_table_lookups:
            held = ledger.accounts.get(str(row.account_key))
            if held is None or held.owner != TABLE_PROGRAM:
                raise Unreadable("Transaction loads an address table account that doesn't exist")
            places = held.data[_TABLE_HEAD:]
            for kind, wanted in (
                ("writable", row.writable_indexes),
                ("readonly", row.readonly_indexes),
            ):
                for at in wanted:
                    if 32 * at + 32 > len(places):
                        raise Unreadable("Transaction address table lookup uses an invalid index")
                    loaded[kind].append(b58encode(places[32 * at : 32 * at + 32]))
    keys = (*static, *loaded["writable"], *loaded["readonly"])
    signed_writable = static[: signers - header.num_readonly_signed_accounts]
    unsigned_writable = static[signers : len(static) - header.num_readonly_unsigned_accounts]
    writable = (
        frozenset(signed_writable) | frozenset(unsigned_writable) | frozenset(loaded["writable"])
    )
    calls = tuple(
        Instruction(
            keys[item.program_id_index],
            bytes(item.data),
            tuple(Meta(keys[at], at < signers, keys[at] in writable) for at in item.accounts),
        )
        for item in message.instructions
    )
    return Signed(keys, signers, writable, calls, str(message.recent_blockhash)), loaded


def table_data(addresses: list[str]) -> bytes:
    """The bytes of a lookup table that holds these addresses."""
    return bytes([1, 0, 0, 0]).ljust(_TABLE_HEAD, b"\xff") + b"".join(map(key_bytes, addresses))
