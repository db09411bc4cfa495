"""The accounts while a transaction's calls are carried out one after another, as the programs on
chain would change them.

Only what a cutover calls, and what stands beside it in an administrator's transactions, is
understood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.endpoint import Held
from popkit.protocol.accounts import (
    TOKEN_ACCOUNT_SIZE,
    AccountError,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    TokenAccount,
    encode_account,
)
from popkit.protocol.ed25519 import ProofDataError
from popkit.protocol.instructions import InstructionError
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
)
from popkit.protocol.message import MessageError
from popkit.protocol.wire import Reader, TransactionError
from popkit.texts import Sentence, sentence

MINT_SIZE = 82
_STATE, _NATIVE, _AMOUNT = 108, slice(109, 113), slice(64, 72)

Rent = Callable[[int], int]
"""Bytes of data to the lamports that a node says an account of that size must hold."""


def refused(reason: Sentence) -> NoReturn:
    raise Stopped(
        "would_fail",
        reason,
        sentence(
            "nothing was sent; plan anew from what is there now",
            "何も送信していません。現在の状態から計画し直してください",
        ),
    )


def _not_understood(at: int, call: Call) -> NoReturn:
    raise Stopped(
        "not_understood",
        sentence(
            "What instruction {at} ({name}) does to its accounts is not known.",
            "命令 {at}（{name}）がアカウントをどう変えるのかが分かりません。",
            at=at,
            name=call.name,
        ),
        sentence(
            "nothing was sent; carry out only what a cutover's plan holds",
            "何も送信していません。切り替えの計画にあるものだけを実行してください",
        ),
    )


@dataclass(slots=True)
class Ledger:
    """The accounts while a transaction's calls are carried out one after another."""

    accounts: dict[str, Held | None]
    rent: Rent
    now: int
    _empty: Held = field(default=Held(0, SYSTEM_PROGRAM, b""))

    def get(self, key: str) -> Held:
        if key not in self.accounts:
            raise ValueError(f"the account {key} is written, and it was not looked at before")
        return self.accounts[key] or self._empty

    def put(self, key: str, held: Held) -> None:
        self.get(key)
        self.accounts[key] = held if held.lamports else None

    def pay(self, payer: str, target: str, lamports: int) -> None:
        source = self.get(payer)
        if source.owner != SYSTEM_PROGRAM or source.data or source.lamports < lamports:
            refused(
                sentence(
                    "{payer} cannot pay {lamports} lamports to {target}.",
                    "{payer} から {target} へ {lamports} lamports を支払えません。",
                    payer=payer,
                    lamports=lamports,
                    target=target,
                )
            )
        self.put(payer, replace(source, lamports=source.lamports - lamports))
        held = self.get(target)
        self.put(target, replace(held, lamports=held.lamports + lamports))

    def make(self, payer: str, key: str, size: int, owner: str) -> None:
        """An account of a program at a derived address: lamports that were sent there beforehand
        count, and the excess stays.
        """
        held = self.get(key)
        if held.owner != SYSTEM_PROGRAM or held.data:
            refused(
                sentence(
                    "There is an account at {key} already.",
                    "{key} にはすでにアカウントがあります。",
                    key=key,
                )
            )
        self.pay(payer, key, max(0, self.rent(size) - held.lamports))
        self.put(key, replace(self.get(key), owner=owner, data=bytes(size)))

    def write(
        self, key: str, value: Grant | ClaimReceipt | PopConfig | PopState | TokenAccount
    ) -> None:
        self.put(key, replace(self.get(key), data=encode_account(value)))

    def move(self, source: str, target: str, amount: int, owner: str) -> None:
        """Tokens from one account to another, as the token program moves them."""
        sending, getting = self._tokens(source), self._tokens(target)
        if sending.data[:32] != getting.data[:32] or sending.data[32:64] != key_bytes(owner):
            refused(
                sentence(
                    "{source} is not a token account of {owner} for the mint of {target}.",
                    "{source} は、{target} と同じミントを持つ {owner} のトークンアカウントではありません。",
                    source=source,
                    owner=owner,
                    target=target,
                )
            )
        have, has = (int.from_bytes(held.data[_AMOUNT], "little") for held in (sending, getting))
        if have < amount or (source != target and has + amount >= 1 << 64):
            refused(
                sentence(
                    "{source} holds {have} tokens; {amount} are to be moved.",
                    "{source} の保有トークンは {have} です。移そうとしている量は {amount} です。",
                    source=source,
                    have=have,
                    amount=amount,
                )
            )
        if source == target:
            return
        for key, held, left in ((source, sending, have - amount), (target, getting, has + amount)):
            self.put(
                key,
                replace(held, data=held.data[:64] + left.to_bytes(8, "little") + held.data[72:]),
            )

    def _tokens(self, key: str) -> Held:
        held = self.get(key)
        if (
            held.owner != TOKEN_PROGRAM
            or len(held.data) != TOKEN_ACCOUNT_SIZE
            or held.data[_STATE] != 1
            or any(held.data[_NATIVE])
        ):
            refused(
                sentence(
                    "{key} is not an open token account of an ordinary mint.",
                    "{key} は、通常のミントの、凍結されていないトークンアカウントではありません。",
                    key=key,
                )
            )
        return held

    def run(self, at: int, call: Call, calls: Sequence[Call]) -> None:
        keys = [meta.pubkey for meta in call.metas]
        if call.program in (COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM):
            return
        try:
            if call.program == SYSTEM_PROGRAM:
                known = self._system(keys, call.data)
            elif call.program == TOKEN_PROGRAM:
                known = self._token(keys, call.data)
            elif call.program == ATA_PROGRAM:
                known = self._associated(keys, call.data)
            else:
                known = self._program(call, keys, calls[at - 1] if at else None)
        except (
            InstructionError,
            AccountError,
            ProofDataError,
            MessageError,
            TransactionError,
            IndexError,
        ) as problem:
            refused(
                sentence(
                    "Instruction {at} ({name}) would be refused: {problem}.",
                    "命令 {at}（{name}）は拒否されます。{problem}",
                    at=at,
                    name=call.name,
                    problem=problem,
                )
            )
        if not known:
            _not_understood(at, call)

    def _system(self, keys: list[str], data: bytes) -> bool:
        reader = Reader(data)
        kind = reader.number(4, "the system instruction")
        if kind == 2:
            self.pay(keys[0], keys[1], reader.number(8, "lamports"))
            return True
        if kind not in (0, 3):
            return False
        if kind == 3:
            reader.take(32, "the base")
            reader.take(reader.number(8, "the seed's length"), "the seed")
        lamports, size, owner = (
            reader.number(8, "lamports"),
            reader.number(8, "the space"),
            b58encode(reader.take(32, "the owner")),
        )
        held = self.get(keys[1])
        if held.lamports or held.data or held.owner != SYSTEM_PROGRAM:
            refused(
                sentence(
                    "There is an account at {key} already.",
                    "{key} にはすでにアカウントがあります。",
                    key=keys[1],
                )
            )
        self.pay(keys[0], keys[1], lamports)
        self.put(keys[1], replace(self.get(keys[1]), owner=owner, data=bytes(size)))
        return True

    def _token(self, keys: list[str], data: bytes) -> bool:
        kind = data[0] if data else -1
        if kind == 3:
            self.move(keys[0], keys[1], int.from_bytes(data[1:9], "little"), keys[2])
        elif kind == 7:
            self._mint_to(keys, int.from_bytes(data[1:9], "little"))
        elif kind == 20 and self.get(keys[0]).data == bytes(MINT_SIZE):
            freeze = b"\1\0\0\0" + data[35:67] if data[34] == 1 else bytes(36)
            body = b"\1\0\0\0" + data[2:34] + bytes(8) + data[1:2] + b"\1" + freeze
            self.put(keys[0], replace(self.get(keys[0]), data=body))
        else:
            return False
        return True

    def _mint_to(self, keys: list[str], amount: int) -> None:
        mint, target = self.get(keys[0]), self._tokens(keys[1])
        if mint.data[:36] != b"\1\0\0\0" + key_bytes(keys[2]) or target.data[:32] != key_bytes(
            keys[0]
        ):
            refused(
                sentence(
                    "{key} may not mint for {target}.",
                    "{key} は {target} に対して発行できません。",
                    key=keys[2],
                    target=keys[1],
                )
            )
        for key, held, start in ((keys[0], mint, 36), (keys[1], target, 64)):
            left = int.from_bytes(held.data[start : start + 8], "little") + amount
            self.put(
                key,
                replace(
                    held,
                    data=held.data[:start] + left.to_bytes(8, "little") + held.data[start + 8 :],
                ),
            )

    def _associated(self, keys: list[str], data: bytes) -> bool:
        if data not in (b"", b"\0", b"\1"):
            return False
        payer, account, owner, mint = keys[:4]
        if data == b"\1" and self.get(account).owner == TOKEN_PROGRAM:
            return True
        self.make(payer, account, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM)
        self.write(account, TokenAccount(mint, owner, 0))
        return True

    def _program(self, call: Call, keys: list[str], before: Call | None) -> bool:
        """What another program's call does: nothing that is known here. `before` is the call before
        it.
        """
        return False
