"""The calls of a Solana RPC node over a ledger, without a network: one code for a ledger that is
replayed and for one that is alive.

What a node knows at a commitment is a `View`; a replay stands still and has one, a living chain has
three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from popkit.serving import accounts, params, transactions
from popkit.serving.ledger import Account, Landed, Listed
from popkit.serving.params import METHOD_NOT_FOUND, RpcError

MAX_LISTED = 1000
MAX_ACCOUNTS = 100
MAX_STATUSES = 256
STATUS_SLOTS = 300
"""How many slots back a node knows a transaction's status without searching its history."""


class View(Protocol):
    """What a node knows at one commitment. None is what a node answers with null."""

    @property
    def slot(self) -> int:
        """Where the node stands."""
        ...

    def account(self, key: str) -> Account | None: ...

    def owned(self, program: str) -> list[tuple[Account, bytes]]:
        """The accounts of a program with their data, ascending by key."""
        ...

    def listed(self, address: str) -> list[Listed]:
        """The rows of the transactions that name an address, newest first."""
        ...

    def transaction(self, signature: str) -> Landed | None: ...

    def slot_of(self, signature: str) -> int | None: ...

    def status(self, signature: str, search: bool) -> Any:
        """The status of a transaction as JSON; without `search` only of the newest ones."""
        ...

    def block_time(self, slot: int) -> int:
        """Unix seconds. Raises RpcError for a slot that is not there."""
        ...


class Node:
    """The calls that every node of popkit's answers; a subclass gives the view, and more calls.

    `answer(method, params)` gives the `result` as JSON bytes or raises RpcError. `hidden` says of a
    signature whether lists leave it out; unless it is set they leave out none.
    """

    methods: Mapping[str, Callable[[Any, Any, int | None], Any]]

    def __init__(self) -> None:
        self.hidden: Callable[[str], bool] = lambda signature: False

    @property
    def clock(self) -> int:
        """Unix seconds of the chain."""
        raise NotImplementedError

    def view(self, commitment: str) -> View:
        """What the node knows at a commitment."""
        raise NotImplementedError

    def answer(self, method: str, given: Any = None, *, slot: int | None = None) -> msgspec.Raw:
        """The result of a call. `slot` is where the node says that it stands, for a peer that
        contradicts itself.
        """
        call = self.methods.get(method)
        if call is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        result = call(self, given, slot)
        return (
            result if isinstance(result, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(result))
        )

    def in_context(self, slot: int, value: Any) -> dict[str, Any]:
        """A value with the slot that it was read at."""
        return {"context": {"slot": slot}, "value": value}

    def standing(self, config: dict[str, Any], said: int | None) -> tuple[View, int]:
        """The view that a call asks for, and the slot that is said; held against its
        minContextSlot.
        """
        view = self.view(params.commitment(config))
        slot = view.slot if said is None else said
        params.reached(config, slot)
        return view, slot

    def _signatures_for_address(self, given: Any, slot: int | None) -> Any:
        address, config = params.arguments(given, 1, 2)
        address, config = params.pubkey(address), params.settings(config)
        before, until = (
            params.typed(config, name, str, "a string") for name in ("before", "until")
        )
        before, until = (
            None if mark is None else params.signature(mark) for mark in (before, until)
        )
        limit = params.natural(config, "limit")
        if limit is not None and not 1 <= limit <= MAX_LISTED:
            raise params.invalid(f"Invalid limit; max {MAX_LISTED}")
        params.at_least_confirmed(config)
        view, _ = self.standing(config, slot)
        rows = view.listed(address)
        if before is not None:
            rows = _older(view, rows, before)
        if until is not None:
            rows = _newer(view, rows, until)
        shown = [row for row in rows if not self.hidden(row.signature)]
        return [msgspec.Raw(row.body) for row in shown[: limit or MAX_LISTED]]

    def _transaction(self, given: Any, slot: int | None) -> Any:
        signature, config = params.arguments(given, 1, 2)
        signature = params.signature(signature)
        config = params.settings({"encoding": config} if isinstance(config, str) else config)
        encoding = params.one_of(config, "encoding", transactions.ENCODINGS) or "json"
        params.at_least_confirmed(config)
        newest = params.natural(config, "maxSupportedTransactionVersion")
        landed = self.view(params.commitment(config)).transaction(signature)
        return None if landed is None else transactions.rendered(landed.result, encoding, newest)

    def _account(self, given: Any, slot: int | None) -> Any:
        key, config = params.arguments(given, 1, 2)
        key, config = params.pubkey(key), params.settings(config)
        encoding, data_slice = accounts.how(config, "binary")
        view, at = self.standing(config, slot)
        return self.in_context(at, accounts.rendered(view.account(key), encoding, data_slice))

    def _accounts(self, given: Any, slot: int | None) -> Any:
        keys, config = params.arguments(given, 1, 2)
        if not isinstance(keys, list):
            raise params.invalid(
                f"Invalid params: invalid type: {params.kind_of(keys)}, expected a sequence."
            )
        config = params.settings(config)
        if len(keys) > MAX_ACCOUNTS:
            raise params.invalid(f"Too many inputs provided; max {MAX_ACCOUNTS}")
        keys = [params.pubkey(key) for key in keys]
        encoding, data_slice = accounts.how(config, "base64")
        view, at = self.standing(config, slot)
        return self.in_context(
            at, [accounts.rendered(view.account(key), encoding, data_slice) for key in keys]
        )

    def _program_accounts(self, given: Any, slot: int | None) -> Any:
        program, config = params.arguments(given, 1, 2)
        program, config = params.pubkey(program), params.settings(config)
        encoding, data_slice = accounts.how(config, "binary")
        questions = accounts.filters(config)
        with_context = params.typed(config, "withContext", bool, "a boolean")
        view, at = self.standing(config, slot)
        found = []
        for account, data in view.owned(program):
            if all(holds(data) for holds in questions):
                found.append(
                    {
                        "pubkey": account.pubkey,
                        "account": accounts.rendered(account, encoding, data_slice),
                    }
                )
        return self.in_context(at, found) if with_context else found

    def _slot(self, given: Any, slot: int | None) -> Any:
        return self.standing(params.settings(params.arguments(given, 0, 1)[0]), slot)[1]

    def _block_time(self, given: Any, slot: int | None) -> Any:
        wanted = params.natural({"slot": params.arguments(given, 1, 1)[0]}, "slot")
        if wanted is None:
            raise params.invalid("Invalid params: invalid type: null, expected u64.")
        return self.view("finalized").block_time(wanted)

    def _statuses(self, given: Any, slot: int | None) -> Any:
        signatures, config = params.arguments(given, 1, 2)
        if not isinstance(signatures, list):
            raise params.invalid(
                f"Invalid params: invalid type: {params.kind_of(signatures)}, expected a sequence."
            )
        if len(signatures) > MAX_STATUSES:
            raise params.invalid(f"Too many inputs provided; max {MAX_STATUSES}")
        search = params.typed(
            params.settings(config), "searchTransactionHistory", bool, "a boolean"
        )
        wanted = [params.signature(signature) for signature in signatures]
        view = self.view("processed")
        return self.in_context(
            view.slot if slot is None else slot,
            [view.status(signature, bool(search)) for signature in wanted],
        )

    def _health(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        return "ok"


def _older(view: View, rows: list[Listed], before: str) -> list[Listed]:
    """What is older than `before`, which need not name the address; nothing when nobody knows it,
    as a node answers.
    """
    at = next((at for at, row in enumerate(rows) if row.signature == before), None)
    if at is not None:
        return rows[at + 1 :]
    slot = view.slot_of(before)
    return [] if slot is None else [row for row in rows if row.slot <= slot]


def _newer(view: View, rows: list[Listed], until: str) -> list[Listed]:
    """What is newer than `until`; everything when nobody knows it, as a node answers."""
    at = next((at for at, row in enumerate(rows) if row.signature == until), None)
    if at is not None:
        return rows[:at]
    slot = view.slot_of(until)
    return rows if slot is None else [row for row in rows if row.slot >= slot]


SHARED: dict[str, Callable[[Any, Any, int | None], Any]] = {
    "getAccountInfo": Node._account,
    "getBlockTime": Node._block_time,
    "getHealth": Node._health,
    "getMultipleAccounts": Node._accounts,
    "getProgramAccounts": Node._program_accounts,
    "getSignatureStatuses": Node._statuses,
    "getSignaturesForAddress": Node._signatures_for_address,
    "getSlot": Node._slot,
    "getTransaction": Node._transaction,
}
"""The calls that are the same over every ledger."""
