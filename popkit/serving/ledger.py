"""What a case's rpc files hold, indexed for asking: transactions by signature, lists by address,
accounts by key.

Values stay the bytes that the case has; they are parsed only as far as an index needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from popkit.evidence.bundle import Evidence
from popkit.evidence.layout import ACCOUNTS, SIGNATURES, TRANSACTIONS
from popkit.evidence.lines import Problem
from popkit.protocol.keys import is_pubkey, is_signature
from popkit.protocol.transaction import TransactionError, decode_result

T = TypeVar("T")


class _TransactionLine(msgspec.Struct):
    signature: str
    result: msgspec.Raw


class _Meta(msgspec.Struct):
    err: msgspec.Raw = msgspec.Raw(b"null")


class _Result(msgspec.Struct, rename="camel"):
    slot: int
    transaction: Any
    meta: _Meta | None = None
    block_time: int | None = None
    version: str | int | None = None
    transaction_index: int | None = None


class _ListedLine(msgspec.Struct):
    address: str
    signature: str
    slot: int


class _AccountLine(msgspec.Struct):
    pubkey: str
    account: msgspec.Raw
    slot: int | None = None


class _AccountValue(msgspec.Struct):
    data: Any
    owner: str


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that the case holds.

    `result` is getTransaction's as recorded, `err` its outcome as JSON, `index` its place in its
    block where that is known.
    """

    signature: str
    slot: int
    block_time: int | None
    err: bytes
    index: int | None
    result: bytes

    def account_keys(self) -> tuple[str, ...]:
        """Every account it names, loaded ones included; () when its bytes are not a transaction."""
        try:
            return decode_result(msgspec.json.decode(self.result)).account_keys
        except TransactionError:
            return ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list of signatures: `body` is the row as a node gives it."""

    signature: str
    slot: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """An account as recorded: `body` is `value` of getAccountInfo, b"null" where the node said that
    it does not exist.
    """

    pubkey: str
    slot: int | None
    owner: str | None
    body: bytes


@dataclass(slots=True)
class Ledger:
    """The rpc part of a case. `unavailable` are signatures that a node answered with null;
    `problems` lines that could not be used.
    """

    transactions: dict[str, Landed] = field(default_factory=dict)
    unavailable: set[str] = field(default_factory=set)
    lists: dict[str, list[Listed]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _by_account: dict[str, list[Landed]] | None = None

    @property
    def slot(self) -> int:
        """Where the node stands: the newest slot that accounts were read at, else the newest slot
        known, else 0.
        """
        read_at = [account.slot for account in self.accounts.values() if account.slot is not None]
        landed = [row.slot for row in self.transactions.values()] + [
            row.slot for rows in self.lists.values() for row in rows
        ]
        return max(read_at or landed, default=0)

    def listed_rows(self) -> Iterator[Listed]:
        for rows in self.lists.values():
            yield from rows

    def touching(self, address: str) -> list[Landed]:
        """The transactions that name an account, whether or not the case has a list of it, in no
        order.
        """
        if self._by_account is None:
            self._by_account = {}
            for landed in self.transactions.values():
                for key in dict.fromkeys(landed.account_keys()):
                    self._by_account.setdefault(key, []).append(landed)
        return self._by_account.get(address, [])


def read_ledger(evidence: Evidence) -> Ledger:
    """Read the rpc files of a case whose manifest holds. Lines that cannot be used are noted in
    `problems`.
    """
    ledger = Ledger()
    _read_transactions(evidence, ledger)
    _read_lists(evidence, ledger)
    _read_accounts(evidence, ledger)
    return ledger


def _rows(
    evidence: Evidence, stem: str, kind: type[T], ledger: Ledger
) -> Iterator[tuple[T, bytes, Any]]:
    """The lines of a file as typed rows, with their bytes and a function that notes what is wrong
    with them.
    """
    lines = evidence.lines_of(stem)
    if lines is None:
        return
    decode = msgspec.json.Decoder(kind).decode
    for number, text in lines:

        def wrong(detail: str, number: int = number) -> None:
            lines.problem("unreadable_line", detail, number)

        try:
            row = decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong(str(error))
            continue
        yield row, text, wrong
    ledger.problems.extend(lines.problems)


def _read_transactions(evidence: Evidence, ledger: Ledger) -> None:
    decode = msgspec.json.Decoder(_Result | None).decode
    for row, _, wrong in _rows(evidence, TRANSACTIONS, _TransactionLine, ledger):
        try:
            result = decode(row.result)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong(str(error))
            continue
        if not is_signature(row.signature):
            wrong("not a transaction signature")
        elif result is None:
            ledger.unavailable.add(row.signature)
        elif row.signature not in ledger.transactions:  # of repeated lines the first is served
            err = bytes(result.meta.err) if result.meta else b"null"
            landed = Landed(
                row.signature,
                result.slot,
                result.block_time,
                err,
                result.transaction_index,
                bytes(row.result),
            )
            ledger.transactions[row.signature] = landed
    ledger.unavailable -= ledger.transactions.keys()


def _read_lists(evidence: Evidence, ledger: Ledger) -> None:
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    found: dict[str, dict[str, Listed]] = {}
    for row, text, wrong in _rows(evidence, SIGNATURES, _ListedLine, ledger):
        if not is_signature(row.signature) or not is_pubkey(row.address):
            wrong("signature or address is not base58 of the right length")
            continue
        body = decode(text)
        del body["address"]  # the case's own column; everything else is the node's row
        found.setdefault(row.address, {}).setdefault(
            row.signature, Listed(row.signature, row.slot, msgspec.json.encode(body))
        )
    # A stable sort: rows of one slot keep the order of the file, which is the node's where the file is newest first.
    ledger.lists = {
        address: sorted(rows.values(), key=lambda row: -row.slot) for address, rows in found.items()
    }


def _read_accounts(evidence: Evidence, ledger: Ledger) -> None:
    decode = msgspec.json.Decoder(_AccountValue | None).decode
    for row, _, wrong in _rows(evidence, ACCOUNTS, _AccountLine, ledger):
        try:
            value = decode(row.account)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong(str(error))
            continue
        if not is_pubkey(row.pubkey):
            wrong("not a public key")
            continue
        seen = ledger.accounts.get(row.pubkey)
        if seen is None or (-1 if seen.slot is None else seen.slot) < (
            -1 if row.slot is None else row.slot
        ):
            ledger.accounts[row.pubkey] = Account(
                row.pubkey, row.slot, value.owner if value else None, bytes(row.account)
            )
