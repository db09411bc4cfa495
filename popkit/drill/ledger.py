"""Accounts as bytes, and the ledger that holds all of them at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from popkit.protocol.accounts import (
    DISCRIMINATORS,
    TOKEN_ACCOUNT_SIZE,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    TokenAccount,
    decode_grant,
    decode_pop_config,
    decode_pop_state,
    decode_receipt,
    decode_token_account,
    encode_account,
)
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM

LAMPORTS_PER_BYTE = 6960
"""The classic rate, as recorded; clusters have changed it, so that a client asks the node."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """One account: lamports, the program that owns it, its bytes."""

    lamports: int
    owner: str = SYSTEM_PROGRAM
    data: bytes = b""
    executable: bool = False


EMPTY = Account(0)


def minimum_balance(size: int) -> int:
    """The lamports that keep an account of that many bytes alive."""
    return (size + 128) * LAMPORTS_PER_BYTE


class View(dict[str, T]):
    """Decoded accounts of one type, by address. Setting one writes its bytes into the ledger, as a
    scenario's own hand.
    """

    def __init__(self, ledger: Ledger, owner: str, found: Mapping[str, T]) -> None:
        super().__init__(found)
        self._ledger, self._owner = ledger, owner

    def __setitem__(self, key: str, value: T) -> None:
        super().__setitem__(key, value)
        data = encode_account(value)  # type: ignore[arg-type]
        held = self._ledger.accounts.get(key)
        self._ledger.accounts[key] = Account(
            minimum_balance(len(data)) if held is None else held.lamports, self._owner, data
        )

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._ledger.accounts[key]

    def setdefault(self, key: str, default: T = None) -> T:  # type: ignore[assignment]
        if key not in self:
            self[key] = default
        return self[key]


@dataclass(slots=True)
class Ledger:
    """Every account by address. Executing a transaction gives another ledger and leaves this one as
    it is.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    _views: dict[str, Any] = field(default_factory=dict)

    def with_accounts(self, changed: Mapping[str, Account]) -> Ledger:
        """The ledger after some accounts changed; one without lamports is gone."""
        accounts = dict(self.accounts)
        for key, account in changed.items():
            if account.lamports == 0:
                accounts.pop(key, None)
            else:
                accounts[key] = account
        return Ledger(accounts)

    def fund(self, key: str, lamports: int) -> None:
        """What the drill's faucet does: more lamports in a wallet, without a transaction."""
        held = self.accounts.get(key, EMPTY)
        self.accounts[key] = replace(held, lamports=held.lamports + lamports)

    @property
    def grants(self) -> View[Grant]:
        return self._view(
            "grants", lambda data: decode_grant(data) if _is(data, Grant) else None, PROGRAM_ID
        )

    @property
    def configs(self) -> View[PopConfig]:
        return self._view(
            "configs",
            lambda data: decode_pop_config(data) if _is(data, PopConfig) else None,
            PROGRAM_ID,
        )

    @property
    def states(self) -> View[PopState]:
        return self._view(
            "states",
            lambda data: decode_pop_state(data) if _is(data, PopState) else None,
            PROGRAM_ID,
        )

    @property
    def receipts(self) -> View[ClaimReceipt]:
        return self._view(
            "receipts",
            lambda data: decode_receipt(data) if _is(data, ClaimReceipt) else None,
            PROGRAM_ID,
        )

    @property
    def tokens(self) -> View[TokenAccount]:
        def decode(data: bytes) -> TokenAccount | None:
            return decode_token_account(data) if len(data) == TOKEN_ACCOUNT_SIZE else None

        return self._view("tokens", decode, TOKEN_PROGRAM)

    def _view(self, name: str, decode: Callable[[bytes], T | None], owner: str) -> View[T]:
        if name not in self._views:
            found = (
                (key, decode(row.data)) for key, row in self.accounts.items() if row.owner == owner
            )
            self._views[name] = View(
                self, owner, {key: value for key, value in found if value is not None}
            )
        held: View[T] = self._views[name]
        return held


def _is(data: bytes, kind: type) -> bool:
    return data[:8] == DISCRIMINATORS[kind]
