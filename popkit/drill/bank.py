"""A chain with its clock and its keys: transactions are signed, executed and put into blocks.

Keys come from names, and time moves only when it is moved, so that the same scenario writes the
same bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta
from solders.instruction import Instruction as SoldersInstruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.drill.ledger import EMPTY, Account, Ledger, minimum_balance
from popkit.drill.machine import (
    PROGRAM_DATA,
    TABLE_PROGRAM,
    built_in,
    program_data,
    read_signed,
    table_data,
)
from popkit.drill.runtime import Instruction, Meta, Moment, Outcome, execute, token_balances
from popkit.protocol.keys import SYSTEM_PROGRAM

FIRST_SLOT = 443489000
SLOT_MS = 400
RECENT_SLOTS = 100
ENOUGH = 1_000_000_000


@dataclass(frozen=True)
class Landed:
    """A transaction that a block holds."""

    signature: str
    slot: int
    time: int
    result: dict[str, Any]
    keys: tuple[str, ...]

    @property
    def err(self) -> Any:
        return self.result["meta"]["err"]

    @property
    def error(self) -> int | None:
        return None if self.err is None else self.err["InstructionError"][1]["Custom"]


class Bank:
    """The chain of a world: its clock (`ms`, unix milliseconds), its ledger at each slot, and what
    has landed.
    """

    def __init__(self, build: str, name: str, start: int) -> None:
        self.name, self.build, self.start = name, build, start
        self.ms = start * 1000
        self.first_slot, self.slot_ms = FIRST_SLOT, SLOT_MS
        self.pace = [
            (self.ms, FIRST_SLOT, SLOT_MS)
        ]  # since when, from which slot on, milliseconds a slot
        self.ledger = Ledger(built_in(build, FIRST_SLOT - 1000, self.address("program authority")))
        self.ledgers: list[tuple[int, Ledger]] = [(FIRST_SLOT, self.ledger)]
        self.landed: list[Landed] = []

    @property
    def now(self) -> int:
        """Unix seconds."""
        return self.ms // 1000

    @property
    def slot(self) -> int:
        begun, first, length = self.pace[-1]
        return first + (self.ms - begun) // length

    def time_of(self, slot: int) -> int:
        """The unix second in which a slot began."""
        begun, first, length = next(
            (row for row in reversed(self.pace) if row[1] <= slot), self.pace[0]
        )
        return (begun + (slot - first) * length) // 1000

    def ledger_at(self, slot: int) -> Ledger:
        """The ledger as it stood at the end of a slot."""
        for begun, ledger in reversed(self.ledgers):
            if begun <= slot:
                return ledger
        return self.ledgers[0][1]

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += int(seconds * 1000)

    def key(self, role: str) -> Keypair:
        """The key of somebody, by role."""
        return Keypair.from_seed(sha256(f"{self.name}/{role}".encode()).digest())

    def address(self, role: str) -> str:
        return str(self.key(role).pubkey())

    def send(
        self,
        calls: list[Instruction],
        payer: str,
        others: tuple[str, ...] = (),
        v0: bool = False,
        lookup: tuple[str, ...] = (),
    ) -> Landed:
        """Sign a transaction, execute it and put it in a block, whatever comes of it."""
        return self.land(self.sign(calls, payer, others, v0, lookup))

    def sign(
        self,
        calls: list[Instruction],
        payer: str,
        others: tuple[str, ...] = (),
        v0: bool = False,
        lookup: tuple[str, ...] = (),
    ) -> VersionedTransaction:
        """A transaction as a wallet signs it. Whoever pays has lamports from the faucet; two of one
        moment have two blockhashes.
        """
        items = [
            SoldersInstruction(
                Pubkey.from_string(c.program),
                c.data,
                [AccountMeta(Pubkey.from_string(m.key), m[1], m[2]) for m in c.metas],
            )
            for c in calls
        ]
        recent = Hash.from_string(self.blockhash(self.slot - len(self.landed) % RECENT_SLOTS))
        owner = self.key(payer).pubkey()
        if self.ledger.accounts.get(str(owner), EMPTY).lamports < ENOUGH:
            self.ledger.fund(str(owner), 10 * ENOUGH)
        if not v0:
            return VersionedTransaction(
                Message.new_with_blockhash(items, owner, recent),
                [self.key(role) for role in (payer, *others)],
            )
        tables = (
            [
                AddressLookupTableAccount(
                    self.key("table").pubkey(), [Pubkey.from_string(k) for k in lookup]
                )
            ]
            if lookup
            else []
        )
        if lookup:
            data = table_data(list(lookup))
            self.ledger.accounts[self.address("table")] = Account(
                minimum_balance(len(data)), TABLE_PROGRAM, data
            )
        message = MessageV0.try_compile(owner, items, tables, recent)
        return VersionedTransaction(message, [self.key(role) for role in (payer, *others)])

    def blockhash(self, slot: int) -> str:
        """The hash of a slot's block."""
        return str(Hash(sha256(f"{self.name}/block/{slot}".encode()).digest()))

    def land(self, transaction: VersionedTransaction) -> Landed:
        """Execute a signed transaction now and put it in a block, whatever comes of it."""
        signed, loaded = read_signed(transaction, self.ledger)
        before = self.ledger
        outcome = execute(before, signed, Moment(self.now, self.build, self.blockhash(self.slot)))
        assert outcome.charged, outcome.err
        self.ledger = outcome.ledger
        self.ledgers.append((self.slot, self.ledger))
        meta = {
            "err": outcome.err,
            "status": {"Ok": None} if outcome.err is None else {"Err": outcome.err},
            "fee": outcome.fee,
            "preBalances": [before.accounts.get(key, EMPTY).lamports for key in signed.keys],
            "postBalances": [self.ledger.accounts.get(key, EMPTY).lamports for key in signed.keys],
            "innerInstructions": list(outcome.inner),
            "logMessages": list(outcome.logs),
            "preTokenBalances": token_balances(before, signed.keys, {}),
            "postTokenBalances": token_balances(self.ledger, signed.keys, {}),
            "rewards": [],
            "loadedAddresses": loaded,
            "computeUnitsConsumed": outcome.units,
        }
        result = {
            "slot": self.slot,
            "transaction": [base64.b64encode(bytes(transaction)).decode(), "base64"],
            "meta": meta,
            "version": 0 if isinstance(transaction.message, MessageV0) else "legacy",
            "blockTime": self.now,
        }
        self.landed.append(
            Landed(str(transaction.signatures[0]), self.slot, self.now, result, signed.keys)
        )
        return self.landed[-1]

    def airdrop(self, address: str, lamports: int) -> Landed:
        """Lamports from the drill's faucet, by a transaction of its own."""
        faucet = self.address("faucet")
        if self.ledger.accounts.get(faucet, EMPTY).lamports < lamports + ENOUGH:
            self.ledger.fund(faucet, 1000 * lamports + 1000 * ENOUGH)
        data = b"\2\0\0\0" + lamports.to_bytes(8, "little")
        return self.send(
            [
                Instruction(
                    SYSTEM_PROGRAM, data, (Meta(faucet, True, True), Meta(address, False, True))
                )
            ],
            "faucet",
        )

    def upgrade(self, build: str) -> None:
        """Another build of the program is deployed in this slot; ProgramData says so. The loader's
        own transaction is left out.
        """
        self.build = build
        deployed = program_data(build, self.slot, self.address("program authority"))
        self.ledger = self.ledger.with_accounts({PROGRAM_DATA: deployed})
        self.ledgers.append((self.slot, self.ledger))

    def would_be(self, calls: list[Instruction], payer: str) -> Outcome:
        """What would become of a transaction now."""
        signed, _ = read_signed(self.sign(calls, payer), self.ledger)
        return execute(self.ledger, signed, Moment(self.now, self.build, self.blockhash(self.slot)))

    def live(self, slot_ms: int) -> None:
        """From now on slots are that long; what was stays where it is."""
        begun, first, length = self.pace[-1]
        elapsed = self.slot - first
        self.pace.append((begun + elapsed * length, first + elapsed, slot_ms))
        self.slot_ms = slot_ms
