"""Where the authority is a multisig's vault: the instructions for its own tool, and what stands in
its proposal compared with them.

No transaction of popkit's can be signed by a vault, which is an address without a key: its program
signs for it once enough members have approved. So the inner instructions are exported, members
propose them with their own tool, and the proposal is read back from its account. Nothing here calls
itself m-of-n: who may approve, and how many must, stands in the multisig's own account.

What is read here is Squads v4 alone. Its facts, from the public sources of the program
(github.com/Squads-Protocol/v4):

- `programs/squads_multisig_program/src/state/vault_transaction.rs`: the account's fields in order,
   the message's three counts, and that an account's flags are those of its place in `account_keys`
   (writable signers, readonly signers, writable others, readonly others);
- `…/src/instructions/vault_transaction_create.rs`: the addresses of the transaction and of the
   vault, and their seeds;
- `…/src/state/seeds.rs`: the seeds' words; `…/src/lib.rs`: the program's address;
- `…/src/utils/executable_transaction_message.rs`: that instructions are executed in order, with
   those flags, by invocation.

The account's first eight bytes are Anchor's: SHA-256 of "account:VaultTransaction". Vectors count
in four bytes (Borsh).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn

import rfc8785
from pybase64 import b64encode
from solders.pubkey import Pubkey

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.decoding import decoded, program_called
from popkit.cutover.sending.transactions import digest_of, read_aloud
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.keys import COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM, key_bytes
from popkit.protocol.transaction_model import Instruction
from popkit.protocol.wire import Reader, TransactionError
from popkit.texts import Sentence, sentence

SCHEMA = "popkit.multisig/1"
SQUADS_PROGRAM = "SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf"
_DISCRIMINATOR = sha256(b"account:VaultTransaction").digest()[:8]
_PREFIX = b"multisig"
_NOT_INVOKED = (COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM)
"""Programs that only the transaction itself can call."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A Squads v4 VaultTransaction: what its vault will do when its members have approved. `calls`
    have the flags of the message.
    """

    multisig: str
    creator: str
    index: int
    bump: int
    vault_index: int
    vault_bump: int
    calls: tuple[Call, ...]
    unused: tuple[str, ...]
    """Accounts that the message names and no instruction uses."""

    @property
    def vault(self) -> str:
        """The vault's address, derived from the multisig and the vault's index."""
        return _derived(key_bytes(self.multisig), b"vault", bytes([self.vault_index]))[0]

    @property
    def address(self) -> str:
        """The address that this account must have."""
        return _derived(key_bytes(self.multisig), b"transaction", self.index.to_bytes(8, "little"))[
            0
        ]


def export(calls: Sequence[Call], vault: str) -> dict[str, Any]:
    """The inner instructions of a vault's proposal, as canonical JSON values.

    `instructions` have program, accounts (pubkey, signer, writable, and the name that the program
    gives it), data in base64, and what it says (`name`, `args`); `sha256` is over the canonical
    instructions, `read_aloud` the same in eight groups. Raises Stopped("not_for_a_vault") where a
    call needs another signature than the vault's, or cannot be invoked by another program.
    """
    program = program_called(call.program for call in calls)
    rows = [_exported(at, call, vault, program) for at, call in enumerate(calls)]
    digest = digest_of(rfc8785.dumps(rows))
    return {
        "schema": SCHEMA,
        "vault": vault,
        "instructions": rows,
        "sha256": digest,
        "read_aloud": list(read_aloud(digest)),
    }


def readback(
    account_bytes: bytes,
    calls: Sequence[Call],
    *,
    owner: str | None = None,
    address: str | None = None,
) -> list[Sentence]:
    """Where a Squads v4 proposal is otherwise than the intended calls; empty when it is exactly
    these, in this order, by their vault.

    `owner` and `address` are the account's program and address as a node gives them: bytes alone
    prove neither, so that whoever leaves one out must have compared it. Approvals are not read
    here. Raises Stopped("not_as_intended") for bytes that are no VaultTransaction, or one with
    ephemeral signers or address tables.
    """
    proposal = read_proposal(account_bytes)
    rows: list[Sentence] = []
    if owner is not None and owner != SQUADS_PROGRAM:
        rows.append(
            sentence(
                "The account belongs to {owner}, not to Squads v4.",
                "アカウントの所有者は Squads v4 ではなく {owner} です。",
                owner=owner,
            )
        )
    if (address is not None and address != proposal.address) or proposal.bump != _bump_of(proposal):
        rows.append(
            sentence(
                "The account's address is not that of this proposal.",
                "アカウントのアドレスが、この提案のものではありません。",
            )
        )
    signers = {meta.pubkey for call in calls for meta in call.metas if meta.is_signer}
    if signers != {proposal.vault}:
        rows.append(
            sentence(
                "The proposal is of the vault {found}; the plan's calls are signed by {wanted}.",
                "提案の vault は {found} です。計画の呼び出しに署名するのは {wanted} です。",
                found=proposal.vault,
                wanted=", ".join(sorted(signers)) or "-",
            )
        )
    wanted, found = _flagged(calls, proposal.vault), list(proposal.calls)
    for at, (one, other) in enumerate(zip(wanted, found, strict=False)):
        rows += _call_differences(at, one, other)
    if len(wanted) != len(found):
        rows.append(
            sentence(
                "The proposal holds {found} instructions; {wanted} were intended.",
                "提案の命令は {found} 個です。意図したのは {wanted} 個です。",
                found=len(found),
                wanted=len(wanted),
            )
        )
    rows += [_unused(key) for key in proposal.unused]
    return rows


def read_proposal(data: bytes) -> Proposal:
    """A VaultTransaction account from its bytes, every one of which is read. Raises
    Stopped("not_as_intended").
    """
    if data[:8] != _DISCRIMINATOR:
        _refuse(
            sentence(
                "The account is not a vault transaction of Squads v4.",
                "アカウントは Squads v4 の vault トランザクションではありません。",
            )
        )
    reader = Reader(data, 8)
    try:
        multisig, creator = reader.keys(2, "the multisig and the creator")
        index = reader.number(8, "the index")
        bump, vault_index, vault_bump = (
            reader.number(1, what) for what in ("the bump", "the vault's index", "the vault's bump")
        )
        if _bytes(reader, "the ephemeral signers"):
            _refuse(
                sentence(
                    "The proposal has ephemeral signers, which no step of a cutover needs.",
                    "提案に一時的な署名者があります。切り替えのどの手順にも不要です。",
                )
            )
        counts = tuple(reader.take(3, "the counts"))
        keys = reader.keys(_length(reader, 32, "the accounts"), "the accounts")
        compiled = [_compiled(reader) for _ in range(_length(reader, 9, "the instructions"))]
        if _length(reader, 40, "the address tables"):
            _refuse(
                sentence(
                    "The proposal loads accounts from address tables, which cannot be read here.",
                    "提案はアドレステーブルからアカウントを読み込みます。ここでは読めません。",
                )
            )
        if reader.left:
            raise TransactionError(f"{reader.left} bytes follow the message")
        calls = tuple(_call(keys, counts, *parts) for parts in compiled)
    except (TransactionError, IndexError) as problem:
        _refuse(
            sentence(
                "The vault transaction cannot be read whole: {problem}.",
                "vault トランザクションを完全には読めません。{problem}",
                problem=problem,
            )
        )
    used = {key for call in calls for key in (call.program, *(meta.pubkey for meta in call.metas))}
    proposal = Proposal(multisig, creator, index, bump, vault_index, vault_bump, calls, ())
    unused = tuple(key for key in keys if key not in used and key != proposal.vault)
    if _derived(key_bytes(multisig), b"vault", bytes([vault_index]))[1] != vault_bump or len(
        set(keys)
    ) != len(keys):
        _refuse(
            sentence(
                "The vault transaction is not one that Squads v4 makes.",
                "この vault トランザクションは Squads v4 が作るものではありません。",
            )
        )
    return Proposal(multisig, creator, index, bump, vault_index, vault_bump, calls, unused)


def _exported(at: int, call: Call, vault: str, program: str) -> dict[str, Any]:
    others = sorted({meta.pubkey for meta in call.metas if meta.is_signer} - {vault})
    if others or call.program in _NOT_INVOKED:
        raise Stopped(
            "not_for_a_vault",
            sentence(
                "Call {at} ({name}) cannot be made by the vault alone: {why}.",
                "呼び出し {at}（{name}）は vault だけでは実行できません。{why}",
                at=at,
                name=call.name,
                why=", ".join(others) or call.program,
            ),
            sentence(
                "carry it out as a step of its own, by whoever signs it",
                "署名する人が、独立した手順として実行してください",
            ),
        )
    read = decoded(
        at, Instruction(call.program, tuple(meta.pubkey for meta in call.metas), call.data), program
    )
    names = {key: name for name, key in read.accounts.items()}
    accounts = [
        {
            "pubkey": meta.pubkey,
            "signer": meta.is_signer,
            "writable": meta.is_writable,
            "name": names.get(meta.pubkey),
        }
        for meta in call.metas
    ]
    # Numbers of the chain may be beyond what JSON holds: they stand as text.
    args = {name: str(value) if type(value) is int else value for name, value in read.args.items()}
    return {
        "program": call.program,
        "name": read.name,
        "args": args,
        "accounts": accounts,
        "data": b64encode(call.data).decode(),
    }


def _flagged(calls: Sequence[Call], vault: str) -> list[Call]:
    """The calls with the flags that one message gives their accounts: as writable, and as signing,
    as any of them asks.

    The vault pays for the message that its tools compile, so that it always signs and is writable.
    """
    metas = [meta for call in calls for meta in call.metas]
    signing = {meta.pubkey for meta in metas if meta.is_signer} | {vault}
    writable = {meta.pubkey for meta in metas if meta.is_writable} | {vault}
    return [
        Call(
            call.name,
            call.program,
            tuple(
                AccountMeta(meta.pubkey, meta.pubkey in signing, meta.pubkey in writable)
                for meta in call.metas
            ),
            call.data,
        )
        for call in calls
    ]


def _call_differences(at: int, wanted: Call, found: Call) -> list[Sentence]:
    """Where one instruction of a proposal is otherwise than intended."""
    rows = []
    if found.program != wanted.program:
        rows.append(_of(at, wanted, "program", wanted.program, found.program))
    if found.data != wanted.data:
        rows.append(_of(at, wanted, "data", wanted.data.hex(), found.data.hex()))
    for place, (one, other) in enumerate(zip(wanted.metas, found.metas, strict=False)):
        if one != other:
            rows.append(_of(at, wanted, f"account {place}", _shown(one), _shown(other)))
    if len(wanted.metas) != len(found.metas):
        rows.append(_of(at, wanted, "accounts", str(len(wanted.metas)), str(len(found.metas))))
    return rows


def _of(at: int, call: Call, what: str, wanted: str, found: str) -> Sentence:
    return sentence(
        "Instruction {at} ({name}), {what}: the proposal has {found}; {wanted} was intended.",
        "命令 {at}（{name}）の {what}: 提案では {found}、意図したのは {wanted} です。",
        at=at,
        name=call.name,
        what=what,
        found=found,
        wanted=wanted,
    )


def _unused(key: str) -> Sentence:
    return sentence(
        "The proposal names {key}, which no instruction uses.",
        "提案は {key} を挙げていますが、どの命令も使いません。",
        key=key,
    )


def _shown(meta: AccountMeta) -> str:
    flags = [
        word
        for word, is_set in (("signer", meta.is_signer), ("writable", meta.is_writable))
        if is_set
    ]
    return " ".join([meta.pubkey, *flags])


def _refuse(reason: Sentence) -> NoReturn:
    raise Stopped(
        "not_as_intended",
        reason,
        sentence(
            "do not approve it; find out what it is",
            "承認しないでください。それが何かを確かめてください",
        ),
    )


def _length(reader: Reader, least: int, what: str) -> int:
    """How many elements a Borsh vector has; refused where the bytes that are left cannot hold them."""
    number = reader.number(4, f"the number of {what}")
    if number * least > reader.left:
        raise TransactionError(f"{number} of {what} do not fit into {reader.left} bytes")
    return number


def _bytes(reader: Reader, what: str) -> bytes:
    return reader.take(_length(reader, 1, what), what)


def _compiled(reader: Reader) -> tuple[int, bytes, bytes]:
    return (
        reader.number(1, "a program"),
        _bytes(reader, "an instruction's accounts"),
        _bytes(reader, "an instruction's data"),
    )


def _call(
    keys: tuple[str, ...], counts: tuple[int, ...], program: int, accounts: bytes, data: bytes
) -> Call:
    signers, writable_signers, writable_others = counts
    if signers > len(keys) or writable_signers > signers or writable_others > len(keys) - signers:
        raise TransactionError(f"the counts {counts} do not fit {len(keys)} accounts")
    metas = []
    for place in accounts:
        is_writable = (
            place < writable_signers if place < signers else place - signers < writable_others
        )
        metas.append(AccountMeta(keys[place], place < signers, is_writable))
    return Call("proposed", keys[program], tuple(metas), data)


def _bump_of(proposal: Proposal) -> int:
    return _derived(
        key_bytes(proposal.multisig), b"transaction", proposal.index.to_bytes(8, "little")
    )[1]


def _derived(*seeds: bytes) -> tuple[str, int]:
    address, bump = Pubkey.find_program_address(
        [_PREFIX, *seeds], Pubkey.from_string(SQUADS_PROGRAM)
    )
    return str(address), bump
