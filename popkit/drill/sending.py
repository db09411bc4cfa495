"""sendTransaction and simulateTransaction of a living node: preflight, refusals in a node's own
words, and what becomes of what is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pybase64
from solders.transaction import VersionedTransaction

from popkit.drill.case import account_json
from popkit.drill.chain import BLOCKHASH_SLOTS, ChainView, Waiting, with_blockhash
from popkit.drill.machine import Unreadable, read_signed
from popkit.drill.runtime import WORDS, Outcome
from popkit.protocol.keys import b58decode
from popkit.serving import accounts, params
from popkit.serving.ledger import Account
from popkit.serving.node import MAX_ACCOUNTS
from popkit.serving.params import RpcError

if TYPE_CHECKING:
    from popkit.drill.node import LiveNode

PREFLIGHT, SIGNATURE_FAILURE = -32002, -32003
MAX_WIRE = 1232
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


def send(node: LiveNode, given: Any, slot: int | None) -> Any:
    """sendTransaction: the signature, once preflight is well or was not wanted. What becomes of it
    the chain decides, and the faults.

    `maxRetries` changes nothing: the drill's node sends once, and whoever wants more sends the same
    bytes again.
    """
    text, config = params.arguments(given, 1, 2)
    config = params.settings(config)
    params.one_of(config, "preflightCommitment", params.COMMITMENTS)
    params.natural(config, "maxRetries")
    transaction = _read_wire(
        text, params.one_of(config, "encoding", ("base58", "base64")) or "base58"
    )
    holds = all(transaction.verify_with_results())
    if not params.typed(config, "skipPreflight", bool, "a boolean"):
        if not holds:
            raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
        node.must_be_healthy()
        view, _ = node.standing({**config, "commitment": config.get("preflightCommitment")}, slot)
        err, outcome = _tried(node, transaction, view)
        if err is not None:
            raise RpcError(
                PREFLIGHT,
                f"Transaction simulation failed: {words(err)}",
                _preflight_data(err, outcome),
            )
    signature = str(transaction.signatures[0])
    if holds and not node.drops(signature):
        late = node.living.strikes("late", signature)
        slots = int(float(late.value)) if late else 0
        node.chain.waiting.append(
            Waiting(transaction, node.chain.world.ms + slots * node.chain.world.slot_ms)
        )
        node.chain.advance()
    return signature


def simulate(node: LiveNode, given: Any, slot: int | None) -> Any:
    """simulateTransaction, with what a client may ask of it: signatures checked, a new blockhash,
    accounts and inner instructions.
    """
    text, config = params.arguments(given, 1, 2)
    config = params.settings(config)
    transaction = _read_wire(
        text, params.one_of(config, "encoding", ("base58", "base64")) or "base58"
    )
    verify = params.typed(config, "sigVerify", bool, "a boolean")
    replace = params.typed(config, "replaceRecentBlockhash", bool, "a boolean")
    wanted = params.typed(config, "accounts", dict, "struct RpcSimulateTransactionAccountsConfig")
    view, at = node.standing(config, slot)
    if verify and replace:
        raise params.invalid("sigVerify may not be used with replaceRecentBlockhash")
    if verify and not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
    value: dict[str, Any] = {}
    if replace:
        blockhash = node.chain.world.blockhash(view.slot)
        transaction = with_blockhash(transaction, blockhash)
        height = view.slot - node.chain.world.first_slot + BLOCKHASH_SLOTS
        value["replacementBlockhash"] = {"blockhash": blockhash, "lastValidBlockHeight": height}
    err, outcome = _tried(node, transaction, view)
    value |= {
        "err": err,
        "logs": list(outcome.logs) if outcome else [],
        "unitsConsumed": outcome.units if outcome else 0,
        "accounts": None if wanted is None else _accounts_after(wanted, view, outcome),
        "returnData": None,
    }
    if params.typed(config, "innerInstructions", bool, "a boolean"):
        value["innerInstructions"] = list(outcome.inner) if outcome else None
    return node.in_context(at, value)


def _tried(
    node: LiveNode, transaction: VersionedTransaction, view: ChainView
) -> tuple[Any, Outcome | None]:
    """The error that a transaction would meet, and its outcome where it can be executed at all."""
    refused = node.chain.refusal(transaction, view.ledger, view.slot)
    if refused is not None:
        return refused, None
    try:
        signed, _ = read_signed(transaction, view.ledger)
    except Unreadable:
        return "AddressLookupTableNotFound", None
    outcome = node.chain.simulate(signed, view.ledger)
    return outcome.err, outcome


def _accounts_after(wanted: dict[str, Any], view: ChainView, outcome: Outcome | None) -> list[Any]:
    keys = params.typed(wanted, "addresses", list, "a sequence") or []
    if len(keys) > MAX_ACCOUNTS:
        raise params.invalid(f"Too many accounts provided; max {MAX_ACCOUNTS}")
    encoding = params.one_of(wanted, "encoding", accounts.ENCODINGS) or "base64"
    if encoding in ("binary", "base58"):
        raise params.invalid("base58 encoding not supported")
    ledger = view.ledger if outcome is None or outcome.err else outcome.ledger
    rows = []
    for key in keys:
        held = ledger.accounts.get(params.pubkey(key))
        row = (
            None
            if held is None
            else Account(key, view.slot, held.owner, msgspec.json.encode(account_json(held)))
        )
        rows.append(accounts.rendered(row, encoding, None))
    return rows


def _read_wire(text: Any, encoding: str) -> VersionedTransaction:
    """A transaction as it was sent. Raises RpcError in a node's words."""
    if not isinstance(text, str):
        raise params.invalid(
            f"Invalid params: invalid type: {params.kind_of(text)}, expected a string."
        )
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
    text = (
        f"custom program error: {reason['Custom']:#x}"
        if isinstance(reason, dict)
        else WORDS.get(reason, reason)
    )
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
