"""A living node: the calls that every node of popkit's answers, and those by which a client sends, simulates and waits.

Errors have the shape and the words of Agave's RPC service, as recorded.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pybase64
from solders.message import Message, MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from popkit import __version__
from popkit.drill import holdings
from popkit.drill.case import account_json
from popkit.drill.chain import BLOCKHASH_SLOTS, Chain, ChainView, Waiting, with_blockhash
from popkit.drill.ledger import EMPTY, minimum_balance
from popkit.drill.machine import Unreadable, read_signed
from popkit.drill.runtime import WORDS, Outcome, fee_of
from popkit.protocol.keys import b58decode, b58encode
from popkit.serving import accounts, params, transactions
from popkit.serving.faults import Faults
from popkit.serving.ledger import Account
from popkit.serving.node import MAX_ACCOUNTS, SHARED, Node
from popkit.serving.params import RpcError

PREFLIGHT, SIGNATURE_FAILURE = -32002, -32003
MAX_WIRE = 1232
MAX_AIRDROP = 10_000_000_000
SLOTS_PER_EPOCH = 432_000
TYPE = "solana_transaction::versioned::VersionedTransaction"
REFUSALS = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
}


class LiveNode(Node):
    """One node over a chain. `behind` are slots that it lags; `living` are its faults that only a living node can show."""

    def __init__(self, chain: Chain, name: str = "node", behind: int = 0, living: Faults | None = None) -> None:
        super().__init__()
        self.chain, self.name, self.behind, self.living = chain, name, behind, living or Faults()
        self.began = chain.slot
        self._asked: set[str] = set()

    @property
    def genesis(self) -> str:
        """The genesis hash of the drill, which no cluster has; another where the node is of another cluster."""
        cluster = "another" if "other-genesis" in self.living.faults else "this"
        return b58encode(sha256(f"popkit drill {self.chain.world.name} {cluster}".encode()).digest())

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
        return ChainView(self.chain, slot, self.chain.world.ledger_at(slot), oldest, self.clock - self.chain.world.now)

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
        return {"solana-core": f"popkit-drill-{__version__}", "feature-set": 0}

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
            "transactionCount": sum(1 for block in self.chain.world.landed if block.slot <= view.slot),
        }

    def _latest_blockhash(self, given: Any, slot: int | None) -> Any:
        view, at = self.standing(params.settings(params.arguments(given, 0, 1)[0]), slot)
        height = view.slot - self.chain.world.first_slot + BLOCKHASH_SLOTS
        return self.in_context(at, {"blockhash": self.chain.world.blockhash(view.slot), "lastValidBlockHeight": height})

    def _is_blockhash_valid(self, given: Any, slot: int | None) -> Any:
        wanted, config = params.arguments(given, 1, 2)
        wanted = params.pubkey(wanted)
        _, at = self.standing(params.settings(config), slot)
        return self.in_context(at, self.chain.last_valid_slot(wanted) is not None)

    def _rent(self, given: Any, slot: int | None) -> Any:
        size, config = params.arguments(given, 1, 2)
        params.settings(config)
        return minimum_balance(params.natural({"size": size}, "size") or 0)

    def _fees(self, given: Any, slot: int | None) -> Any:
        keys = params.arguments(given, 0, 1)[0] or []
        for key in keys:
            params.pubkey(key)
        return [{"slot": self.view("processed").slot - back, "prioritizationFee": 0} for back in range(149, -1, -1)]

    def _fee(self, given: Any, slot: int | None) -> Any:
        text, config = params.arguments(given, 1, 2)
        view, at = self.standing(params.settings(config), slot)
        try:
            data = pybase64.b64decode(text, validate=True)
            message = MessageV0.from_bytes(data[1:]) if data[:1] == b"\x80" else Message.from_bytes(data)
            transaction = VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)
            signed, _ = read_signed(transaction, view.ledger)
        except (ValueError, TypeError, IndexError) as error:
            raise params.invalid(f"failed to deserialize message: {error}") from None
        return self.in_context(at, fee_of(signed) if self.chain.lives(transaction, view.ledger) else None)

    def _block(self, given: Any, slot: int | None) -> Any:
        wanted, config = params.arguments(given, 1, 2)
        number = params.natural({"slot": wanted}, "slot") or 0
        config = params.settings({"encoding": config} if isinstance(config, str) else config)
        encoding = params.one_of(config, "encoding", transactions.ENCODINGS) or "json"
        newest = params.natural(config, "maxSupportedTransactionVersion")
        details = params.one_of(config, "transactionDetails", ("full", "signatures", "none", "accounts")) or "full"
        params.at_least_confirmed(config)
        view = self.view(params.commitment(config))
        if number > view.slot:
            raise RpcError(params.BLOCK_NOT_AVAILABLE, f"Block not available for slot {number}")
        world, first = self.chain.world, self.chain.world.first_slot
        time = view.block_time(number)
        body: dict[str, Any] = {
            "blockHeight": number - first,
            "blockTime": time,
            "blockhash": world.blockhash(number),
            "parentSlot": number - 1,
            "previousBlockhash": world.blockhash(number - 1),
        }
        held = [landed for block in world.landed if block.slot == number and (landed := view.transaction(block.signature))]
        if details == "signatures":
            body["signatures"] = [landed.signature for landed in held]
        elif details != "none":
            rows = [msgspec.json.decode(transactions.rendered(landed.result, encoding, newest)) for landed in held]
            body["transactions"] = [{k: v for k, v in row.items() if k not in ("slot", "blockTime")} for row in rows]
        return body

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

    def _send(self, given: Any, slot: int | None) -> Any:
        text, config = params.arguments(given, 1, 2)
        config = params.settings(config)
        params.one_of(config, "preflightCommitment", params.COMMITMENTS)
        transaction = _read_wire(text, params.one_of(config, "encoding", ("base58", "base64")) or "base58")
        signature = str(transaction.signatures[0])
        holds = all(transaction.verify_with_results())
        if not params.typed(config, "skipPreflight", bool, "a boolean"):
            if not holds:
                raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
            view, _ = self.standing({**config, "commitment": config.get("preflightCommitment")}, slot)
            err, outcome = self._tried(transaction, view)
            if err is not None:
                raise RpcError(PREFLIGHT, f"Transaction simulation failed: {words(err)}", _preflight_data(err, outcome))
        if holds and not self.living.strikes("dropped", signature):
            late = self.living.strikes("late", signature)
            slots = int(float(late.value)) if late else 0
            self.chain.waiting.append(Waiting(transaction, self.chain.world.ms + slots * self.chain.world.slot_ms))
            self.chain.advance()
        return signature

    def _statuses(self, given: Any, slot: int | None) -> Any:
        found = super()._statuses(given, slot)
        for at, signature in enumerate(given[0]):
            if signature not in self._asked and self.living.strikes("null-status", signature):
                found["value"][at] = None
            self._asked.add(signature)
        return found

    def _simulate(self, given: Any, slot: int | None) -> Any:
        text, config = params.arguments(given, 1, 2)
        config = params.settings(config)
        transaction = _read_wire(text, params.one_of(config, "encoding", ("base58", "base64")) or "base58")
        verify = params.typed(config, "sigVerify", bool, "a boolean")
        replace = params.typed(config, "replaceRecentBlockhash", bool, "a boolean")
        wanted = params.typed(config, "accounts", dict, "struct RpcSimulateTransactionAccountsConfig")
        view, at = self.standing(config, slot)
        if verify and replace:
            raise params.invalid("sigVerify may not be used with replaceRecentBlockhash")
        if verify and not all(transaction.verify_with_results()):
            raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
        value: dict[str, Any] = {}
        if replace:
            blockhash = self.chain.world.blockhash(view.slot)
            transaction = with_blockhash(transaction, blockhash)
            height = view.slot - self.chain.world.first_slot + BLOCKHASH_SLOTS
            value["replacementBlockhash"] = {"blockhash": blockhash, "lastValidBlockHeight": height}
        err, outcome = self._tried(transaction, view)
        value |= {
            "err": err,
            "logs": list(outcome.logs) if outcome else [],
            "unitsConsumed": outcome.units if outcome else 0,
            "accounts": None if wanted is None else self._accounts_after(wanted, view, outcome),
            "returnData": None,
        }
        if params.typed(config, "innerInstructions", bool, "a boolean"):
            value["innerInstructions"] = list(outcome.inner) if outcome else None
        return self.in_context(at, value)

    def _tried(self, transaction: VersionedTransaction, view: ChainView) -> tuple[Any, Outcome | None]:
        """The error that a transaction would meet, and its outcome where it can be executed at all."""
        refused = self.chain.refusal(transaction, view.ledger)
        if refused is not None:
            return refused, None
        try:
            signed, _ = read_signed(transaction, view.ledger)
        except Unreadable:
            return "AddressLookupTableNotFound", None
        outcome = self.chain.simulate(signed, view.ledger)
        return outcome.err, outcome

    def _accounts_after(self, wanted: dict[str, Any], view: ChainView, outcome: Outcome | None) -> list[Any]:
        keys = params.typed(wanted, "addresses", list, "a sequence") or []
        if len(keys) > MAX_ACCOUNTS:
            raise params.invalid(f"Too many accounts provided; max {MAX_ACCOUNTS}")
        encoding = params.one_of(wanted, "encoding", accounts.ENCODINGS) or "base64"
        ledger = view.ledger if outcome is None or outcome.err else outcome.ledger
        rows = []
        for key in keys:
            held = ledger.accounts.get(params.pubkey(key))
            row = None if held is None else Account(key, view.slot, held.owner, msgspec.json.encode(account_json(held)))
            rows.append(accounts.rendered(row, encoding, None))
        return rows


def _read_wire(text: Any, encoding: str) -> VersionedTransaction:
    """A transaction as it was sent. Raises RpcError in a node's words."""
    if not isinstance(text, str):
        raise params.invalid(f"Invalid params: invalid type: {params.kind_of(text)}, expected a string.")
    try:
        wire = pybase64.b64decode(text, validate=True) if encoding == "base64" else b58decode(text)
    except ValueError as error:
        raise params.invalid(f"invalid {encoding} encoding: {error}") from None
    if len(wire) > MAX_WIRE:
        limits = f"(max: encoded/raw {1644 if encoding == 'base64' else 1683}/{MAX_WIRE})"
        raise params.invalid(f"{encoding} encoded {TYPE} too large: {len(wire)} bytes {limits}")
    try:
        transaction = VersionedTransaction.from_bytes(wire)
        transaction.sanitize()
    except Exception as error:  # solders raises types of its own, which it does not export
        is_short = not wire or "end of file" in str(error) or "Attempting to read" in str(error)
        reason = "io error: unexpected end of file" if is_short else str(error)
        raise params.invalid(f"failed to deserialize {TYPE}: {reason}") from None
    return transaction


def words(err: Any) -> str:
    """An error of a transaction in a node's words."""
    if isinstance(err, str):
        return REFUSALS.get(err, err)
    if "InsufficientFundsForRent" in err:
        at = err["InsufficientFundsForRent"]["account_index"]
        return f"Transaction results in an account ({at}) with insufficient funds for rent"
    index, reason = err["InstructionError"]
    text = f"custom program error: {reason['Custom']:#x}" if isinstance(reason, dict) else WORDS.get(reason, reason)
    return f"Error processing Instruction {index}: {text}"


def _preflight_data(err: Any, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "err": err,
        "logs": list(outcome.logs) if outcome else [],
        "accounts": None,
        "unitsConsumed": outcome.units if outcome else 0,
        "returnData": None,
        "innerInstructions": None,
    }


LiveNode.methods = {
    **SHARED,
    "getBalance": LiveNode._balance,
    "getBlock": LiveNode._block,
    "getBlockHeight": LiveNode._height,
    "getEpochInfo": LiveNode._epoch_info,
    "getFeeForMessage": LiveNode._fee,
    "getGenesisHash": LiveNode._genesis_hash,
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
    "sendTransaction": LiveNode._send,
    "simulateTransaction": LiveNode._simulate,
}
