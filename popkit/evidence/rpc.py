"""What a Solana node answered: signatures, transactions and accounts of a case, de-duplicated and placed.

The order and the repetition of lines do not matter: rows are kept by their key, in ascending order of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
import pybase64

from popkit.evidence.lines import Lines, Place, Problem
from popkit.protocol import accounts as layouts
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, is_pubkey, is_signature
from popkit.protocol.transaction import TransactionError, decode_wire, signatures_hold

T = TypeVar("T")
A = TypeVar("A", layouts.Grant, layouts.ClaimReceipt, layouts.PopConfig, layouts.PopState)


Unsigned = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""A slot, or an index in a block: what a column of the claims table can hold."""
Seconds = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]


class _TokenAmount(msgspec.Struct, gc=False):
    amount: str


class TokenBalance(msgspec.Struct, rename="camel", gc=False):
    """One of a transaction's pre- or post-token balances; the amount is a decimal string of base units."""

    account_index: int
    mint: str
    ui_token_amount: _TokenAmount
    owner: str | None = None


class LoadedAddresses(msgspec.Struct, gc=False):
    writable: list[str] = []
    readonly: list[str] = []


class Meta(msgspec.Struct, rename="camel", gc=False):
    """The `meta` of getTransaction; logs and inner instructions stay raw until somebody needs them."""

    err: Any
    log_messages: msgspec.Raw = msgspec.Raw(b"null")
    inner_instructions: msgspec.Raw = msgspec.Raw(b"null")
    pre_token_balances: list[TokenBalance] | None = None
    post_token_balances: list[TokenBalance] | None = None
    loaded_addresses: LoadedAddresses | None = None

    def logs(self) -> list[str] | None:
        """The log lines, or None when the node gave none (or not as strings)."""
        try:
            return msgspec.json.decode(self.log_messages, type=list[str] | None)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def inner(self) -> list[dict[str, Any]]:
        """The inner instructions as getTransaction gives them; [] when there are none."""
        try:
            return msgspec.json.decode(self.inner_instructions, type=list[dict[str, Any]] | None) or []
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []


class _Result(msgspec.Struct, rename="camel", gc=False):
    slot: int
    transaction: list[str] | dict[str, Any] | str
    meta: Meta | None = None
    block_time: Seconds | None = None
    version: str | int | None = None
    transaction_index: Unsigned | None = None


class _TransactionLine(msgspec.Struct, gc=False):
    signature: str
    result: _Result | None = None


class _SignatureLine(msgspec.Struct, rename="camel", gc=False):
    address: str
    signature: str
    slot: Unsigned
    err: Any = None
    memo: str | None = None
    block_time: Seconds | None = None
    confirmation_status: str | None = None


class _AccountValue(msgspec.Struct):
    data: list[str] | dict[str, Any] | str
    owner: str
    lamports: int = 0
    executable: bool = False


class _AccountLine(msgspec.Struct):
    pubkey: str
    account: _AccountValue | None
    slot: Unsigned | None = None


@dataclass(slots=True)
class Transactions:
    """The transactions of a case as columns, ascending by signature, one row a signature.

    `wire` holds the bytes of base64 (or base58) answers, `parsed` the object of json and jsonParsed ones; one of the two is None.
    `position` is the transaction's index in its block where the node told it. Rows a node answered with null are in `unavailable`.
    """

    signature: list[str] = field(default_factory=list)
    slot: list[int] = field(default_factory=list)
    block_time: list[int | None] = field(default_factory=list)
    position: list[int | None] = field(default_factory=list)
    version: list[str | int | None] = field(default_factory=list)
    wire: list[bytes | None] = field(default_factory=list)
    parsed: list[dict[str, Any] | None] = field(default_factory=list)
    meta: list[Meta] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    file: str = ""
    sha256: str | None = None
    unavailable: set[str] = field(default_factory=set)
    contradicted: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.signature)

    def place(self, row: int) -> Place:
        return Place(self.file, self.line[row], None, self.sha256)


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """One row of getSignaturesForAddress: that a transaction touching `address` landed in `slot`, and how it ended."""

    signature: str
    slot: int
    err: Any
    block_time: int | None
    addresses: frozenset[str]
    place: Place


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as of `slot`; `data` and `owner` are None when the node said that it does not exist.

    `program` is whose accounts the case is about.
    """

    pubkey: str
    slot: int | None
    owner: str | None
    data: bytes | None
    place: Place
    program: str = PROGRAM_ID

    @property
    def exists(self) -> bool:
        """Whether somebody made the account: an address to which lamports were merely sent is the system program's, and empty."""
        return self.data is not None and (self.data != b"" or self.owner != SYSTEM_PROGRAM)

    def decoded(self, kind: type[A]) -> A | None:
        """The account of one kind that the program holds there; None when it does not exist, is another's or holds something else."""
        if self.data is None or self.owner != self.program:
            return None
        try:
            value = layouts.decode_account(self.data)
        except layouts.AccountError:
            return None
        return value if isinstance(value, kind) else None


def read_transactions(lines: Lines, known: Transactions | None = None) -> Transactions:
    """Read `rpc/transactions.jsonl`; lines that cannot be used become problems of `lines`.

    The hot path of a large case: one typed decode a line, no object a row beyond it.
    """
    table = known or Transactions(file=lines.name, sha256=lines.sha256)
    rows: dict[str, tuple[_Result, bytes | None, int]] = {}
    for number, row in _rows(lines, _TransactionLine, "{signature, result} of getTransaction"):
        result = row.result
        if not is_signature(row.signature):
            lines.problem("unreadable_line", f"{row.signature[:100]!r} is not a transaction signature", number)
            continue
        if result is None:
            table.unavailable.add(row.signature)
            continue
        if result.meta is None:
            lines.problem("unreadable_line", "the transaction has no meta: whether it was accepted is not known", number)
            continue
        if result.slot < 0 or result.slot >= 1 << 63:
            lines.problem("unreadable_line", f"slot {result.slot} is not a slot", number)
            continue
        try:
            wire = _wire(result.transaction)
        except ValueError as error:
            lines.problem("unreadable_line", str(error), number)
            continue
        seen = rows.get(row.signature)
        if seen is None:
            _detach(result.meta)
            rows[row.signature] = (result, wire, number)
        elif not _same(seen[0], result):
            lines.problem("contradictory_lines", f"{row.signature} stands in line {seen[2]} too, with another content", number)
            table.contradicted.add(row.signature)
            if _preference(row.signature, result, wire) < _preference(row.signature, *seen[:2]):
                rows[row.signature] = (result, wire, number)
    for signature in sorted(rows):
        result, wire, number = rows[signature]
        assert result.meta is not None
        table.signature.append(signature)
        table.slot.append(result.slot)
        table.block_time.append(result.block_time)
        table.position.append(result.transaction_index)
        table.version.append(result.version)
        table.wire.append(wire)
        table.parsed.append(result.transaction if isinstance(result.transaction, dict) else None)
        table.meta.append(result.meta)
        table.line.append(number)
    table.unavailable -= rows.keys()
    return table


_NULL = msgspec.Raw(b"null")


def _detach(meta: Meta) -> None:
    """Let go of the line that a row was read from: keep the logs of refused transactions alone, and copies of what is kept.

    Raw values are windows into their line, and would keep the text of the whole file in memory.
    """
    meta.log_messages = _NULL if meta.err is None else meta.log_messages.copy()
    meta.inner_instructions = _NULL if bytes(meta.inner_instructions) in (b"null", b"[]") else meta.inner_instructions.copy()


def _wire(transaction: list[str] | dict[str, Any] | str) -> bytes | None:
    """The wire bytes of an encoded transaction; None for json and jsonParsed. Raises ValueError for anything else."""
    if isinstance(transaction, dict):
        return None
    if isinstance(transaction, list) and len(transaction) == 2 and transaction[1] == "base64":
        try:
            return pybase64.b64decode(transaction[0], validate=True)
        except ValueError as error:
            raise ValueError(f"the transaction is not base64: {error}") from None
    text = transaction if isinstance(transaction, str) else transaction[0] if transaction and transaction[-1] == "base58" else None
    if text is None:
        raise ValueError(f"the transaction's encoding is not known: {transaction[1:]!r}")
    from popkit.protocol.keys import b58decode

    return b58decode(text)


def _preference(signature: str, result: _Result, wire: bytes | None) -> tuple[bool, bytes]:
    """Which of two contradictory answers is kept: one that is signed as it says, else the lesser; the order of lines does not matter."""
    loaded = result.meta.loaded_addresses if result.meta is not None else None
    try:
        tx = decode_wire(wire, tuple(loaded.writable), tuple(loaded.readonly)) if wire and loaded else decode_wire(wire or b"")
    except TransactionError:
        return True, _rank(result)
    return not (tx.signatures[:1] == (signature,) and signatures_hold(tx)), _rank(result)


def _rank(result: _Result) -> bytes:
    """An order of contradictory answers that does not depend on the order of lines."""
    return msgspec.json.encode(result, order="deterministic")


def _same(first: _Result, second: _Result) -> bool:
    """Whether two answers say the same; `first` was kept and let go of the logs of an accepted transaction."""
    assert second.meta is not None
    _detach(second.meta)
    if _rank(first) == _rank(second):
        return True
    decoded = [msgspec.json.decode(_rank(result)) for result in (first, second)]
    return bool(decoded[0] == decoded[1])


def _rows(lines: Lines, kind: type[T], what: str) -> Iterator[tuple[int, T]]:
    """The lines of a file as typed rows with their numbers; a line that is none is noted."""
    decode = msgspec.json.Decoder(kind).decode
    for number, text in lines:
        try:
            row = decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            lines.problem("unreadable_line", f"is not {what}: {error}", number)
            continue
        yield number, row


def read_signatures(lines: Lines) -> dict[str, SignatureRow]:
    """Read `rpc/signatures.jsonl` into one row a signature, with every address it was listed for."""
    rows: dict[str, SignatureRow] = {}
    for number, row in _rows(lines, _SignatureLine, "a row of getSignaturesForAddress"):
        if not is_signature(row.signature) or not is_pubkey(row.address):
            lines.problem("unreadable_line", "signature or address is not base58 of the right length", number)
            continue
        seen = rows.get(row.signature)
        addresses = (seen.addresses if seen else frozenset()) | {row.address}
        if seen is not None and (seen.slot, seen.err) != (row.slot, row.err):
            lines.problem("contradictory_lines", f"{row.signature} was listed before with another slot or outcome", number)
        keep_new = seen is None or (row.slot, str(row.err)) < (seen.slot, str(seen.err))
        if keep_new:
            rows[row.signature] = SignatureRow(row.signature, row.slot, row.err, row.block_time, addresses, lines.place(number))
        elif seen is not None:
            rows[row.signature] = SignatureRow(seen.signature, seen.slot, seen.err, seen.block_time, addresses, seen.place)
    return dict(sorted(rows.items()))


def read_accounts(lines: Lines, program: str = PROGRAM_ID) -> dict[str, AccountRow]:
    """Read `rpc/accounts.jsonl` into the newest state of each account (the highest slot)."""
    rows: dict[str, AccountRow] = {}
    for number, row in _rows(lines, _AccountLine, "{pubkey, slot, account}"):
        if not is_pubkey(row.pubkey):
            lines.problem("unreadable_line", f"{row.pubkey[:100]!r} is not a public key", number)
            continue
        data: bytes | None = None
        if row.account is not None:
            try:
                data = _wire(row.account.data)
            except ValueError as error:
                lines.problem("unreadable_line", str(error), number)
                continue
            if data is None:
                lines.problem("unreadable_line", "the account's data is jsonParsed; popkit reads base64", number)
                continue
        new = AccountRow(row.pubkey, row.slot, row.account.owner if row.account else None, data, lines.place(number), program)
        seen = rows.get(row.pubkey)
        if seen is not None and seen.slot == new.slot and (seen.owner, seen.data) != (new.owner, new.data):
            lines.problem("contradictory_lines", f"{row.pubkey} stands in line {seen.place.line} too, with another content", number)
        if seen is None or _age(seen) < _age(new):
            rows[row.pubkey] = new
    return dict(sorted(rows.items()))


def _age(row: AccountRow) -> tuple[int, bool, bytes, str]:
    return (-1 if row.slot is None else row.slot, row.exists, row.data or b"", row.owner or "")


def unavailable_problem(table: Transactions) -> list[Problem]:
    """One problem a transaction that the node listed or was asked for and answered with null."""
    place = Place(table.file, None, None, table.sha256)
    return [Problem("transaction_unavailable", f"{signature}: the node answered null", place) for signature in sorted(table.unavailable)]
