"""A living node: the calls that every node of popkit's answers, and those by which a client waits;
sending is in `sending`.

Errors have the shape and the words of Agave's RPC service, as recorded.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

import msgspec
import pybase64
from solders.message import Message, MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from popkit import __version__
from popkit.drill import holdings, sending
from popkit.drill.chain import BLOCKHASH_SLOTS, Chain, ChainView
from popkit.drill.ledger import EMPTY, minimum_balance
from popkit.drill.machine import read_signed
from popkit.drill.runtime import fee_of, price_of
from popkit.protocol.keys import b58encode
from popkit.serving import params, transactions
from popkit.serving.faults import Faults
from popkit.serving.node import SHARED, Node
from popkit.serving.params import RpcError

MAX_AIRDROP = 10_000_000_000
SLOTS_PER_EPOCH = 432_000
FEE_SLOTS = 150
UNHEALTHY_SLOTS = 128
"""How many slots a node may lag before it calls itself unhealthy."""
FAILED = {"InstructionError": [0, {"Custom": 1}]}


class LiveNode(Node):
    """One node over a chain. `behind` are slots that it lags; `living` are its faults that only a
    living node can show.
    """

    def __init__(
        self, chain: Chain, name: str = "node", behind: int = 0, living: Faults | None = None
    ) -> None:
        super().__init__()
        self.chain, self.name, self.behind, self.living = chain, name, behind, living or Faults()
        self.began = chain.slot
        self._asked: set[str] = set()
        self._sent: Counter[str] = Counter()

    @property
    def genesis(self) -> str:
        """The genesis hash of the drill, which no cluster has; another where the node is of another
        cluster.
        """
        cluster = "another" if "other-genesis" in self.living.faults else "this"
        return b58encode(
            sha256(f"popkit drill {self.chain.world.name} {cluster}".encode()).digest()
        )

    @property
    def clock(self) -> int:
        wrong = self.living.faults.get("clock")
        return self.chain.world.now + (int(float(wrong.value)) if wrong else 0)

    def view(self, commitment: str) -> ChainView:
        slot = self.chain.slot_at(commitment) - self.behind
        if "stands-still" in self.living.faults:
            slot = min(slot, self.began)
        oldest = self.began if "forgets" in self.living.faults else 0
        slot = max(self.chain.world.first_slot, slot)
        wrong, unseen = self.clock - self.chain.world.now, self.living.faults.get("never-seen")
        is_hidden = (
            (lambda signature: self.living.strikes("never-seen", signature) is not None)
            if unseen
            else None
        )
        return ChainView(
            self.chain, slot, self.chain.world.ledger_at(slot), oldest, wrong, is_hidden
        )

    def must_be_healthy(self) -> None:
        """Raise RpcError where the node lags so far that it says so itself."""
        lag = self.chain.slot - self.view("processed").slot
        if lag > UNHEALTHY_SLOTS:
            raise RpcError(
                params.NODE_UNHEALTHY, f"Node is behind by {lag} slots", {"numSlotsBehind": lag}
            )

    def drops(self, signature: str) -> bool:
        """Whether a transaction that was sent now goes no further."""
        self._sent[signature] += 1
        first = self.living.strikes("dropped-first", signature)
        return self.living.strikes("dropped", signature) is not None or (
            first is not None and self._sent[signature] <= float(first.value)
        )

    def standing(self, config: dict[str, Any], said: int | None) -> tuple[ChainView, int]:
        _, slot = super().standing(config, said)
        return self.view(params.commitment(config)), slot

    def answer(self, method: str, given: Any = None, *, slot: int | None = None) -> msgspec.Raw:
        self.chain.advance()
        return super().answer(method, given, slot=slot)

    def in_context(self, slot: int, value: Any) -> dict[str, Any]:
        return {"context": {"slot": slot, "apiVersion": __version__}, "value": value}

    # where the chain stands

    def _genesis_hash(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        return self.genesis

    def _version(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        found = {"solana-core": f"popkit-drill-{__version__}", "feature-set": 0}
        return {**found, "surfnet-version": "0"} if "surfnet" in self.living.faults else found

    def _healthy(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        self.must_be_healthy()
        return "ok"

    def _height(self, given: Any, slot: int | None) -> Any:
        _, at = self.standing(params.settings(params.arguments(given, 0, 1)[0]), slot)
        return at - self.chain.world.first_slot

    def _epoch_info(self, given: Any, slot: int | None) -> Any:
        view, at = self.standing(params.settings(params.arguments(given, 0, 1)[0]), slot)
        return {
            "absoluteSlot": at,
            "blockHeight": at - self.chain.world.first_slot,
            "epoch": at // SLOTS_PER_EPOCH,
            "slotIndex": at % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
            "transactionCount": sum(
                1 for block in self.chain.world.landed if block.slot <= view.slot
            ),
        }

    def _latest_blockhash(self, given: Any, slot: int | None) -> Any:
        view, at = self.standing(params.settings(params.arguments(given, 0, 1)[0]), slot)
        stale = self.living.faults.get("stale-blockhash")
        of = max(
            self.chain.world.first_slot,
            view.slot - (BLOCKHASH_SLOTS - int(float(stale.value)) if stale else 0),
        )
        height = of - self.chain.world.first_slot + BLOCKHASH_SLOTS
        return self.in_context(
            at, {"blockhash": self.chain.world.blockhash(of), "lastValidBlockHeight": height}
        )

    def _is_blockhash_valid(self, given: Any, slot: int | None) -> Any:
        wanted, config = params.arguments(given, 1, 2)
        wanted = params.pubkey(wanted)
        view, at = self.standing(params.settings(config), slot)
        return self.in_context(at, self.chain.last_valid_slot(wanted, view.slot) is not None)

    def _rent(self, given: Any, slot: int | None) -> Any:
        size, config = params.arguments(given, 1, 2)
        params.settings(config)
        return minimum_balance(params.natural({"size": size}, "size") or 0)

    def _fees(self, given: Any, slot: int | None) -> Any:
        """For each slot the least price of a unit in its block, or where keys are given the least
        that a transaction paid to write them.
        """
        keys = [params.pubkey(key) for key in params.arguments(given, 0, 1)[0] or []]
        newest = self.view("processed").slot
        prices: dict[int, list[tuple[int, frozenset[str]]]] = {}
        for block in reversed(self.chain.world.landed):
            if block.slot <= newest - FEE_SLOTS:
                break
            wire = pybase64.b64decode(block.result["transaction"][0])
            signed, _ = read_signed(VersionedTransaction.from_bytes(wire), self.chain.world.ledger)
            prices.setdefault(block.slot, []).append((price_of(signed), signed.writable))
        slots = range(newest - FEE_SLOTS + 1, newest + 1)
        return [
            {"slot": at, "prioritizationFee": _least_price(prices.get(at, []), keys)}
            for at in slots
        ]

    def _fee(self, given: Any, slot: int | None) -> Any:
        text, config = params.arguments(given, 1, 2)
        view, at = self.standing(params.settings(config), slot)
        try:
            data = pybase64.b64decode(text, validate=True)
            message = (
                MessageV0.from_bytes(data[1:]) if data[:1] == b"\x80" else Message.from_bytes(data)
            )
            transaction = VersionedTransaction.populate(
                message, [Signature.default()] * message.header.num_required_signatures
            )
            signed, _ = read_signed(transaction, view.ledger)
        except (ValueError, TypeError, IndexError) as error:
            raise params.invalid(f"failed to deserialize message: {error}") from None
        return self.in_context(
            at, fee_of(signed) if self.chain.lives(transaction, view.ledger, view.slot) else None
        )

    def _block(self, given: Any, slot: int | None) -> Any:
        wanted, config = params.arguments(given, 1, 2)
        number = params.natural({"slot": wanted}, "slot") or 0
        config = params.settings({"encoding": config} if isinstance(config, str) else config)
        encoding = params.one_of(config, "encoding", transactions.ENCODINGS) or "json"
        newest = params.natural(config, "maxSupportedTransactionVersion")
        details = (
            params.one_of(config, "transactionDetails", ("full", "signatures", "none", "accounts"))
            or "full"
        )
        params.at_least_confirmed(config)
        view = self.view(params.commitment(config))
        if number > view.slot:
            raise RpcError(params.BLOCK_NOT_AVAILABLE, f"Block not available for slot {number}")
        world, first = self.chain.world, self.chain.world.first_slot
        time = view.block_time(number)
        body: dict[str, Any] = {
            "blockHeight": number - first,
            "blockTime": time,
            "blockhash": self._hash(number),
            "parentSlot": number - 1,
            "previousBlockhash": self._hash(number - 1),
        }
        if params.typed(config, "rewards", bool, "a boolean") is not False:
            body["rewards"] = []
        held = [
            landed
            for block in world.landed
            if block.slot == number and (landed := view.transaction(block.signature))
        ]
        if details == "signatures":
            body["signatures"] = [landed.signature for landed in held]
        elif details != "none":
            rows = [
                msgspec.json.decode(transactions.rendered(landed.result, encoding, newest))
                for landed in held
            ]
            body["transactions"] = [
                {k: v for k, v in row.items() if k not in ("slot", "blockTime")} for row in rows
            ]
        return body

    def _hash(self, slot: int) -> str:
        """The hash of a block as this node shows it: another where it stands on a fork."""
        forked = "forked" in self.living.faults and slot >= self.began
        return (
            b58encode(sha256(f"{self.chain.world.name} fork {slot}".encode()).digest())
            if forked
            else self.chain.world.blockhash(slot)
        )

    def _balance(self, given: Any, slot: int | None) -> Any:
        key, config = params.arguments(given, 1, 2)
        key = params.pubkey(key)
        view, at = self.standing(params.settings(config), slot)
        return self.in_context(at, view.ledger.accounts.get(key, EMPTY).lamports)

    # sending

    def _airdrop(self, given: Any, slot: int | None) -> Any:
        key, lamports, config = params.arguments(given, 2, 3)
        key, amount = params.pubkey(key), params.natural({"lamports": lamports}, "lamports") or 0
        params.settings(config)
        if not 0 < amount <= MAX_AIRDROP:
            raise params.invalid(f"Invalid param: at most {MAX_AIRDROP} lamports at a time")
        return self.chain.world.airdrop(key, amount).signature

    def _statuses(self, given: Any, slot: int | None) -> Any:
        found = super()._statuses(given, slot)
        for at, signature in enumerate(given[0]):
            held = found["value"][at]
            if signature not in self._asked and self.living.strikes("null-status", signature):
                found["value"][at] = None
            elif held is not None and self.living.strikes("contradicts", signature):
                err = FAILED if held["err"] is None else None
                found["value"][at] = {
                    **held,
                    "err": err,
                    "status": {"Ok": None} if err is None else {"Err": err},
                }
            self._asked.add(signature)
        return found


def _least_price(rows: list[tuple[int, frozenset[str]]], keys: list[str]) -> int:
    """What one had to pay in a block, in micro-lamports a unit; 0 where nothing was paid."""
    least = [min((price for price, writable in rows if key in writable), default=0) for key in keys]
    return max([min((price for price, _ in rows), default=0), *least])


LiveNode.methods = {
    **SHARED,
    "getBalance": LiveNode._balance,
    "getBlock": LiveNode._block,
    "getBlockHeight": LiveNode._height,
    "getEpochInfo": LiveNode._epoch_info,
    "getFeeForMessage": LiveNode._fee,
    "getGenesisHash": LiveNode._genesis_hash,
    "getHealth": LiveNode._healthy,
    "getLatestBlockhash": LiveNode._latest_blockhash,
    "getMinimumBalanceForRentExemption": LiveNode._rent,
    "getRecentPrioritizationFees": LiveNode._fees,
    "getSignatureStatuses": LiveNode._statuses,
    "getTokenAccountBalance": holdings.account_balance,
    "getTokenAccountsByDelegate": holdings.by_delegate,
    "getTokenAccountsByOwner": holdings.by_owner,
    "getTokenLargestAccounts": holdings.largest,
    "getTokenSupply": holdings.supply,
    "getVersion": LiveNode._version,
    "isBlockhashValid": LiveNode._is_blockhash_valid,
    "requestAirdrop": LiveNode._airdrop,
    "sendTransaction": sending.send,
    "simulateTransaction": sending.simulate,
}
