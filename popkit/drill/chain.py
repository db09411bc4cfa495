"""A chain that moves: slots, blockhashes that expire, three commitments, and transactions on their
way.

It moves with a clock that its owner turns (`World.ms`); nothing here reads the machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from popkit.drill.bank import Landed as Block
from popkit.drill.case import account_json
from popkit.drill.ledger import EMPTY, Ledger
from popkit.drill.machine import Unreadable, read_signed
from popkit.drill.runtime import Moment, Outcome, Signed, execute
from popkit.drill.system import is_advance, nonce_value
from popkit.drill.world import World
from popkit.protocol.keys import key_bytes
from popkit.serving import params
from popkit.serving.ledger import Account, Landed, Listed
from popkit.serving.node import STATUS_SLOTS
from popkit.serving.params import RpcError

BLOCKHASH_SLOTS = 150
BEHIND = {"processed": 0, "confirmed": 2, "finalized": 32}
"""How many slots a commitment is behind the newest."""
_ALIASES = {
    "recent": "processed",
    "single": "confirmed",
    "singleGossip": "confirmed",
    "root": "finalized",
    "max": "finalized",
}


@dataclass(slots=True)
class Waiting:
    """A transaction that was sent and is not in a block yet."""

    transaction: VersionedTransaction
    due: int


@dataclass(slots=True)
class Chain:
    """The chain of a world. `advance` puts what is due into blocks; `views` are made anew after
    each change.
    """

    world: World
    waiting: list[Waiting] = field(default_factory=list)
    _seen: int = 0
    _landed: dict[str, Landed] = field(default_factory=dict)
    _by_address: dict[str, list[Listed]] = field(default_factory=dict)

    @property
    def slot(self) -> int:
        return self.world.slot

    def slot_at(self, commitment: str) -> int:
        """Where the chain stands at a commitment."""
        return max(self.world.first_slot, self.slot - BEHIND[_ALIASES.get(commitment, commitment)])

    def ledger_at(self, commitment: str) -> Ledger:
        return self.world.ledger_at(self.slot_at(commitment))

    def advance(self) -> None:
        """Execute what is due, as long as its blockhash lives, and index what has landed since."""
        due = [item for item in self.waiting if item.due <= self.world.ms]
        self.waiting = [item for item in self.waiting if item.due > self.world.ms]
        for item in due:
            if self.refusal(item.transaction, self.world.ledger) is None:
                self._land(item.transaction)
        self._index()

    def _land(self, transaction: VersionedTransaction) -> None:
        signed, _ = read_signed(transaction, self.world.ledger)
        if execute(self.world.ledger, signed, self.moment).charged:
            self.world.land(transaction)

    @property
    def moment(self) -> Moment:
        return Moment(self.world.now, self.world.build, self.world.blockhash(self.slot))

    def knows(self, signature: str) -> bool:
        self._index()
        return signature in self._landed

    def refusal(
        self, transaction: VersionedTransaction, ledger: Ledger, slot: int | None = None
    ) -> str | None:
        """Why a transaction cannot be executed at all, by its blockhash or because it has run
        before; None when it can.

        `slot` is where whoever judges stands: nobody knows the blockhashes of later slots.
        """
        if self.knows(str(transaction.signatures[0])):
            return "AlreadyProcessed"
        try:
            return None if self.lives(transaction, ledger, slot) else "BlockhashNotFound"
        except Unreadable:
            return "AddressLookupTableNotFound"

    def lives(
        self, transaction: VersionedTransaction, ledger: Ledger, slot: int | None = None
    ) -> bool:
        """Whether a transaction's blockhash is accepted now, or is the value of the nonce that it
        advances first. Raises Unreadable.
        """
        recent = str(transaction.message.recent_blockhash)
        if self.last_valid_slot(recent, slot) is not None:
            return True
        signed, _ = read_signed(transaction, ledger)
        first = signed.instructions[0] if signed.instructions else None
        return (
            first is not None
            and is_advance(first)
            and nonce_value(ledger.accounts.get(first.metas[0].key, EMPTY)) == recent
        )

    def last_valid_slot(self, blockhash: str, at: int | None = None) -> int | None:
        """The newest slot in which a blockhash is still accepted; None when it is too old, or none
        of this chain's up to slot `at`.
        """
        newest = self.slot if at is None else at
        for slot in range(newest, max(self.world.first_slot, newest - BLOCKHASH_SLOTS) - 1, -1):
            if self.world.blockhash(slot) == blockhash:
                return slot + BLOCKHASH_SLOTS
        return None

    def view(self, commitment: str) -> ChainView:
        self._index()
        return ChainView(self, self.slot_at(commitment), self.ledger_at(commitment))

    def _index(self) -> None:
        for block in self.world.landed[self._seen :]:
            row = {
                "signature": block.signature,
                "slot": block.slot,
                "err": block.err,
                "memo": None,
                "blockTime": block.time,
            }
            listed = Listed(block.signature, block.slot, msgspec.json.encode(row))
            for key in dict.fromkeys(block.keys):
                self._by_address.setdefault(key, []).append(listed)
            self._landed[block.signature] = _as_landed(block)
        self._seen = len(self.world.landed)

    def landed(self, signature: str) -> Landed | None:
        return self._landed.get(signature)

    def rows(self, address: str) -> list[Listed]:
        return self._by_address.get(address, [])

    def simulate(self, signed: Signed, ledger: Ledger) -> Outcome:
        """What would become of a transaction on a ledger, now."""
        return execute(ledger, signed, self.moment)


def _as_landed(block: Block) -> Landed:
    err, result = msgspec.json.encode(block.err), msgspec.json.encode(block.result)
    return Landed(block.signature, block.slot, block.time, err, None, result)


@dataclass(frozen=True, slots=True)
class ChainView:
    """What the chain shows at one commitment; nothing from before slot `oldest`, times `seconds`
    off, and nothing that `unseen` names.
    """

    chain: Chain
    slot: int
    ledger: Ledger
    oldest: int = 0
    seconds: int = 0
    unseen: Callable[[str], bool] | None = None

    def account(self, key: str) -> Account | None:
        held = self.ledger.accounts.get(key)
        return (
            None
            if held is None
            else Account(key, self.slot, held.owner, msgspec.json.encode(account_json(held)))
        )

    def owned(self, program: str) -> list[tuple[Account, bytes]]:
        keys = sorted(
            (key for key, row in self.ledger.accounts.items() if row.owner == program),
            key=key_bytes,
        )
        return [
            (account, self.ledger.accounts[key].data)
            for key in keys
            if (account := self.account(key)) is not None
        ]

    def listed(self, address: str) -> list[Listed]:
        finalized = self.chain.slot_at("finalized")
        rows = [
            row
            for row in self.chain.rows(address)
            if self.oldest <= row.slot <= self.slot and not self._hides(row.signature)
        ]
        return [
            _with_status(row, "finalized" if row.slot <= finalized else "confirmed")
            for row in reversed(rows)
        ]

    def transaction(self, signature: str) -> Landed | None:
        landed = self.chain.landed(signature)
        is_there = landed is not None and self.oldest <= landed.slot <= self.slot
        return landed if is_there and not self._hides(signature) else None

    def _hides(self, signature: str) -> bool:
        return self.unseen is not None and self.unseen(signature)

    def slot_of(self, signature: str) -> int | None:
        landed = self.transaction(signature)
        return None if landed is None else landed.slot

    def status(self, signature: str, search: bool) -> Any:
        landed = self.transaction(signature)
        if landed is None or (not search and landed.slot + STATUS_SLOTS < self.slot):
            return None
        err = msgspec.json.decode(landed.err)
        depth = self.chain.slot - landed.slot
        word = next(
            word for word in ("finalized", "confirmed", "processed") if depth >= BEHIND[word]
        )
        return {
            "slot": landed.slot,
            "confirmations": None if word == "finalized" else min(depth, 31),
            "err": err,
            "status": {"Ok": None} if err is None else {"Err": err},
            "confirmationStatus": word,
        }

    def block_time(self, slot: int) -> int:
        if slot > self.chain.slot:
            raise RpcError(params.BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
        if slot < self.chain.world.first_slot:
            raise RpcError(
                params.LONG_TERM_SLOT_SKIPPED,
                f"Slot {slot} was skipped, or missing in long-term storage",
            )
        return self.chain.world.time_of(slot) + self.seconds


def _with_status(row: Listed, word: str) -> Listed:
    body = msgspec.json.encode({**msgspec.json.decode(row.body), "confirmationStatus": word})
    return Listed(row.signature, row.slot, body)


def with_blockhash(transaction: VersionedTransaction, blockhash: str) -> VersionedTransaction:
    """The same message with another blockhash, unsigned: what replaceRecentBlockhash simulates."""
    message = transaction.message
    parts = (
        message.header,
        list(message.account_keys),
        Hash.from_string(blockhash),
        list(message.instructions),
    )
    if isinstance(message, MessageV0):
        return VersionedTransaction.populate(
            MessageV0(*parts, list(message.address_table_lookups)), list(transaction.signatures)
        )
    header = message.header
    counts = (
        header.num_required_signatures,
        header.num_readonly_signed_accounts,
        header.num_readonly_unsigned_accounts,
    )
    legacy = Message.new_with_compiled_instructions(*counts, parts[1], parts[2], parts[3])
    return VersionedTransaction.populate(legacy, list(transaction.signatures))
