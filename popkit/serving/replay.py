"""A case as a Solana RPC node that stands still: the calls, without a network.

What the case does not hold is not made up. Where JSON-RPC has no way to say "not collected", null is answered and the gap is
noted; under `strict` it is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from popkit import __version__
from popkit.evidence.bundle import Evidence
from popkit.evidence.documents import CaseHeader
from popkit.protocol.genesis import genesis_hash
from popkit.protocol.keys import key_bytes
from popkit.serving import accounts, params, transactions
from popkit.serving.ledger import Account, Landed, Ledger, Listed, read_ledger
from popkit.serving.params import INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError

MAX_LISTED = 1000
MAX_ACCOUNTS = 100
MAX_STATUSES = 256
STATUS_SLOTS = 300
"""How many slots back a node knows a transaction's status without searching its history."""


class Replay:
    """A node over one case, opened read-only with its manifest checked.

    `answer(method, params)` gives the `result` as JSON bytes or raises RpcError; `note` is called once with each gap that an
    answer had to pass over. `hidden` says of a signature whether lists leave it out; unless it is set they leave out none.
    Raises what Evidence raises: UsageError, ManifestMismatch, CaseUnreadable.
    """

    def __init__(
        self,
        case: str | Path | Evidence,
        *,
        strict: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        evidence = case if isinstance(case, Evidence) else Evidence(case)
        self.header: CaseHeader = evidence.header
        self.ledger: Ledger = read_ledger(evidence)
        self.slot = self.ledger.slot
        self.strict = strict
        self.not_collected: dict[str, None] = {}
        self._note = note
        self.hidden: Callable[[str], bool] = lambda signature: False
        self._of_program: dict[str, list[tuple[Account, bytes]]] = {}
        self._listed = {row.signature: row for row in self.ledger.listed_rows()}
        self._asked_for = {*self.ledger.lists, *self.ledger.accounts, *self.header.grants, self.header.program_id}

    def answer(self, method: str, given: Any = None, *, slot: int | None = None) -> msgspec.Raw:
        """The result of a call. `slot` is where the node says that it stands, for a peer that contradicts itself."""
        call = _METHODS.get(method)
        if call is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        result = call(self, given, self.slot if slot is None else slot)
        return result if isinstance(result, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(result))

    def _gap(self, what: str) -> None:
        """Note once that the case cannot tell; under `strict` refuse."""
        if self.strict:
            raise RpcError(INTERNAL_ERROR, f"popkit serve: not in the case: {what}")
        if what not in self.not_collected:
            self.not_collected[what] = None
            self._note(what)

    def _signatures_for_address(self, given: Any, slot: int) -> Any:
        address, config = params.arguments(given, 1, 2)
        address, config = params.pubkey(address), params.settings(config)
        before, until = (params.typed(config, name, str, "a string") for name in ("before", "until"))
        before, until = (None if mark is None else params.signature(mark) for mark in (before, until))
        limit = params.natural(config, "limit")
        if limit is not None and not 1 <= limit <= MAX_LISTED:
            raise params.invalid(f"Invalid limit; max {MAX_LISTED}")
        params.at_least_confirmed(config)
        params.reached(config, slot)
        rows = self._newest_first(address)
        if before is not None:
            rows = self._older(rows, before)
        if until is not None:
            rows = self._newer(rows, until)
        shown = [row for row in rows if not self.hidden(row.signature)]
        return [msgspec.Raw(row.body) for row in shown[: limit or MAX_LISTED]]

    def _newest_first(self, address: str) -> list[Listed]:
        """The list of an address: as recorded, else from the transactions that name it."""
        recorded = self.ledger.lists.get(address)
        if recorded is not None:
            return recorded
        if address not in self._asked_for:
            self._gap(f"signatures of {address} (its list is made from the transactions in the case)")
        rank = {signature: at for at, signature in enumerate(self._listed)}

        def place(landed: Landed) -> tuple[int, int, int, str]:
            return -landed.slot, -(landed.index or 0), rank.get(landed.signature, len(rank)), landed.signature

        return [self._row(landed) for landed in sorted(self.ledger.touching(address), key=place)]

    def _row(self, landed: Landed) -> Listed:
        """A row for a transaction: as another address's list has it, else with what the transaction itself says."""
        known = self._listed.get(landed.signature)
        if known is not None:
            return known
        row = {"signature": landed.signature, "slot": landed.slot, "err": msgspec.Raw(landed.err), "memo": None}
        body = msgspec.json.encode({**row, "blockTime": landed.block_time, "confirmationStatus": "finalized"})
        return Listed(landed.signature, landed.slot, body)

    def _slot_of(self, signature: str) -> int | None:
        known = self.ledger.transactions.get(signature) or self._listed.get(signature)
        return None if known is None else known.slot

    def _older(self, rows: list[Listed], before: str) -> list[Listed]:
        """What is older than `before`, which need not name the address; nothing when nobody knows it, as a node answers."""
        at = next((at for at, row in enumerate(rows) if row.signature == before), None)
        if at is not None:
            return rows[at + 1 :]
        slot = self._slot_of(before)
        return [] if slot is None else [row for row in rows if row.slot <= slot]

    def _newer(self, rows: list[Listed], until: str) -> list[Listed]:
        """What is newer than `until`; everything when nobody knows it, as a node answers."""
        at = next((at for at, row in enumerate(rows) if row.signature == until), None)
        if at is not None:
            return rows[:at]
        slot = self._slot_of(until)
        return rows if slot is None else [row for row in rows if row.slot >= slot]

    def _transaction(self, given: Any, slot: int) -> Any:
        signature, config = params.arguments(given, 1, 2)
        signature = params.signature(signature)
        config = params.settings({"encoding": config} if isinstance(config, str) else config)
        encoding = params.one_of(config, "encoding", transactions.ENCODINGS) or "json"
        params.at_least_confirmed(config)
        newest = params.natural(config, "maxSupportedTransactionVersion")
        landed = self.ledger.transactions.get(signature)
        if landed is not None:
            return transactions.rendered(landed.result, encoding, newest)
        if signature in self._listed and signature not in self.ledger.unavailable:
            self._gap(f"transaction {signature} (listed, but its content was not collected)")
        return None

    def _value(self, key: str, encoding: str, data_slice: tuple[int, int] | None) -> msgspec.Raw:
        account = self.ledger.accounts.get(key)
        if account is None:
            self._gap(f"account {key} (answered as null, though nobody asked whether it exists)")
        return accounts.rendered(account, encoding, data_slice)

    def _account(self, given: Any, slot: int) -> Any:
        key, config = params.arguments(given, 1, 2)
        key, config = params.pubkey(key), params.settings(config)
        encoding, data_slice = accounts.how(config, "binary")
        params.reached(config, slot)
        return _in_context(slot, self._value(key, encoding, data_slice))

    def _accounts(self, given: Any, slot: int) -> Any:
        keys, config = params.arguments(given, 1, 2)
        if not isinstance(keys, list):
            raise params.invalid(f"Invalid params: invalid type: {params.kind_of(keys)}, expected a sequence.")
        config = params.settings(config)
        if len(keys) > MAX_ACCOUNTS:
            raise params.invalid(f"Too many inputs provided; max {MAX_ACCOUNTS}")
        keys = [params.pubkey(key) for key in keys]
        encoding, data_slice = accounts.how(config, "base64")
        params.reached(config, slot)
        return _in_context(slot, [self._value(key, encoding, data_slice) for key in keys])

    def _program_accounts(self, given: Any, slot: int) -> Any:
        program, config = params.arguments(given, 1, 2)
        program, config = params.pubkey(program), params.settings(config)
        encoding, data_slice = accounts.how(config, "binary")
        questions = accounts.filters(config)
        with_context = params.typed(config, "withContext", bool, "a boolean")
        params.reached(config, slot)
        if program != self.header.program_id:
            self._gap(f"accounts of program {program} (only those that the case happens to hold are given)")
        found = []
        for account, data in self._owned(program):
            if all(holds(data) for holds in questions):
                found.append({"pubkey": account.pubkey, "account": accounts.rendered(account, encoding, data_slice)})
        return _in_context(slot, found) if with_context else found

    def _owned(self, program: str) -> list[tuple[Account, bytes]]:
        """The accounts of a program with their data, ascending by key: read once, as a batch may ask hundreds of times."""
        if program not in self._of_program:
            rows = sorted((row for row in self.ledger.accounts.values() if row.owner == program), key=lambda row: key_bytes(row.pubkey))
            self._of_program[program] = [(row, accounts.data_of(msgspec.json.decode(row.body))) for row in rows]
        return self._of_program[program]

    def _slot(self, given: Any, slot: int) -> Any:
        params.reached(params.settings(params.arguments(given, 0, 1)[0]), slot)
        return slot

    def _block_time(self, given: Any, slot: int) -> Any:
        wanted = params.natural({"slot": params.arguments(given, 1, 1)[0]}, "slot")
        if wanted is None:
            raise params.invalid("Invalid params: invalid type: null, expected u64.")
        times = [row.block_time for row in self.ledger.transactions.values() if row.slot == wanted and row.block_time is not None]
        if times:
            return times[0]
        if wanted == self.slot:
            return self.header.collected_at
        if wanted > self.slot:
            raise RpcError(params.BLOCK_NOT_AVAILABLE, f"Block not available for slot {wanted}")
        raise RpcError(params.LONG_TERM_SLOT_SKIPPED, f"Slot {wanted} was skipped, or missing in long-term storage")

    def _statuses(self, given: Any, slot: int) -> Any:
        signatures, config = params.arguments(given, 1, 2)
        if not isinstance(signatures, list):
            raise params.invalid(f"Invalid params: invalid type: {params.kind_of(signatures)}, expected a sequence.")
        if len(signatures) > MAX_STATUSES:
            raise params.invalid(f"Too many inputs provided; max {MAX_STATUSES}")
        search = params.typed(params.settings(config), "searchTransactionHistory", bool, "a boolean")
        wanted = [params.signature(signature) for signature in signatures]
        return _in_context(slot, [self._status(signature, bool(search)) for signature in wanted])

    def _status(self, signature: str, search: bool) -> Any:
        landed, listed = self.ledger.transactions.get(signature), self._listed.get(signature)
        at = self._slot_of(signature)
        if at is None or (not search and at + STATUS_SLOTS < self.slot):
            return None
        err = msgspec.json.decode(landed.err) if landed else msgspec.json.decode(listed.body)["err"] if listed else None
        status = {"Ok": None} if err is None else {"Err": err}
        return {"slot": at, "confirmations": None, "err": err, "status": status, "confirmationStatus": "finalized"}

    def _genesis_hash(self, given: Any, slot: int) -> Any:
        params.arguments(given, 0, 0)
        return genesis_hash(self.header.cluster)

    def _version(self, given: Any, slot: int) -> Any:
        params.arguments(given, 0, 0)
        return {"solana-core": f"popkit-serve-{__version__}", "feature-set": 0}

    def _health(self, given: Any, slot: int) -> Any:
        params.arguments(given, 0, 0)
        return "ok"


def _in_context(slot: int, value: Any) -> dict[str, Any]:
    return {"context": {"slot": slot}, "value": value}


_METHODS: dict[str, Callable[[Replay, Any, int], Any]] = {
    "getAccountInfo": Replay._account,
    "getBlockTime": Replay._block_time,
    "getGenesisHash": Replay._genesis_hash,
    "getHealth": Replay._health,
    "getMultipleAccounts": Replay._accounts,
    "getProgramAccounts": Replay._program_accounts,
    "getSignatureStatuses": Replay._statuses,
    "getSignaturesForAddress": Replay._signatures_for_address,
    "getSlot": Replay._slot,
    "getTransaction": Replay._transaction,
    "getVersion": Replay._version,
}
METHODS = tuple(_METHODS)
"""The calls that a replay answers."""
