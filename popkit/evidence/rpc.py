"""What a Solana node answered: signatures and accounts of a case, de-duplicated and placed, and the
shape of its transactions.

The order and the repetition of lines do not matter: rows are kept by their key, in ascending order
of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import msgspec
import pybase64

from popkit.evidence.lines import Lines, Place, Problem
from popkit.protocol import accounts as layouts
from popkit.protocol.keys import SYSTEM_PROGRAM, b58decode, is_pubkey, is_signature

T = TypeVar("T")
_U64_DIGITS = 20
A = TypeVar("A", layouts.Grant, layouts.ClaimReceipt, layouts.PopConfig, layouts.PopState)


Unsigned = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""A slot, or an index in a block: what a column of the claims table can hold."""
Seconds = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]


class _TokenAmount(msgspec.Struct, gc=False):
    amount: str


class TokenBalance(msgspec.Struct, rename="camel", gc=False):
    """One of a transaction's pre- or post-token balances; the amount is a decimal string of base
    units.
    """

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

    def inner(self) -> Any:
        """The inner instructions as getTransaction gives them, or as an archive garbles them; None
        when there are none.
        """
        try:
            return msgspec.json.decode(self.inner_instructions)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "no JSON"


class Result(msgspec.Struct, rename="camel", gc=False):
    slot: int
    transaction: list[str] | dict[str, Any] | str
    meta: Meta | None = None
    block_time: Seconds | None = None
    version: str | int | None = None
    transaction_index: Unsigned | None = None


class TransactionLine(msgspec.Struct, gc=False):
    signature: str
    result: Result | None = None


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

    `wire` holds the bytes of base64 (or base58) answers, `parsed` the object of json and jsonParsed
    ones; one of the two is None. `position` is the transaction's index in its block where the node
    told it. Rows a node answered with null are in `unavailable`.
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
    """One row of getSignaturesForAddress: that a transaction touching `address` landed in `slot`,
    and how it ended.
    """

    signature: str
    slot: int
    err: Any
    block_time: int | None
    addresses: frozenset[str]
    place: Place


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as of `slot`; `data` and `owner` are None when the node said that it does not
    exist.

    `program` is whose accounts the case is about. `others` are further readings of the same
    account, ascending by slot, and `is_contradicted` says that the evidence holds two contents of
    it for this very slot.
    """

    pubkey: str
    slot: int | None
    owner: str | None
    data: bytes | None
    place: Place
    program: str
    others: tuple[AccountRow, ...] = ()
    is_contradicted: bool = False

    @property
    def exists(self) -> bool:
        """Whether somebody made the account: an address to which lamports were merely sent is the
        system program's, and empty.
        """
        return self.data is not None and (self.data != b"" or self.owner != SYSTEM_PROGRAM)

    def decoded(self, kind: type[A]) -> A | None:
        """The account of one kind that the program holds there; None when it does not exist, is
        another's or holds something else.
        """
        if self.data is None or self.owner != self.program:
            return None
        try:
            value = layouts.decode_account(self.data)
        except layouts.AccountError:
            return None
        return value if isinstance(value, kind) else None


def wire_bytes(transaction: list[str] | dict[str, Any] | str) -> bytes | None:
    """The wire bytes of an encoded transaction; None for json and jsonParsed. Raises ValueError for
    anything else.
    """
    if isinstance(transaction, dict):
        return None
    if isinstance(transaction, list) and len(transaction) == 2 and transaction[1] == "base64":
        try:
            return pybase64.b64decode(transaction[0], validate=True)
        except ValueError as error:
            raise ValueError(f"the transaction is not base64: {error}") from None
    text = (
        transaction
        if isinstance(transaction, str)
        else transaction[0]
        if transaction and transaction[-1] == "base58"
        else None
    )
    if text is None:
        raise ValueError(f"the transaction's encoding is not known: {transaction[1:]!r}")
    return b58decode(text)


def typed_rows(lines: Lines, kind: type[T], what: str) -> Iterator[tuple[int, T]]:
    """The lines of a file as typed rows with their numbers; a line that is none is noted.

    Numbers that a client wrote as text (@solana/kit's bigints) are read as numbers.
    """
    decode, decode_text = (
        msgspec.json.Decoder(kind).decode,
        msgspec.json.Decoder(kind, strict=False).decode,
    )
    for number, text in lines:
        try:
            row = decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            try:
                row = decode_text(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                lines.problem("unreadable_line", f"is not {what}: {error}", number)
                continue
        yield number, row


def numbers_of(err: Any) -> Any:
    """An `err` whose numbers are numbers, where a client wrote them as text; errors' own names are
    never digits.
    """
    if isinstance(err, str) and err.isascii() and err.isdecimal() and len(err) <= _U64_DIGITS:
        return int(err)
    if isinstance(err, dict):
        return {name: numbers_of(part) for name, part in err.items()}
    return [numbers_of(part) for part in err] if isinstance(err, list) else err


def read_signatures(lines: Lines) -> dict[str, SignatureRow]:
    """Read `rpc/signatures.jsonl` into one row a signature, with every address it was listed for.

    A block time of null is not known, and no contradiction beside one that is; an `err` of null
    means accepted.
    """
    rows: dict[str, SignatureRow] = {}
    for number, row in typed_rows(lines, _SignatureLine, "a row of getSignaturesForAddress"):
        if not is_signature(row.signature) or not is_pubkey(row.address):
            lines.problem(
                "unreadable_line", "signature or address is not base58 of the right length", number
            )
            continue
        err, place = numbers_of(row.err), lines.place(number)
        new = SignatureRow(
            row.signature, row.slot, err, row.block_time, frozenset({row.address}), place
        )
        seen = rows.get(row.signature)
        if seen is None:
            rows[row.signature] = new
            continue
        if (seen.slot, seen.err) != (new.slot, new.err):
            lines.problem(
                "contradictory_lines",
                f"{row.signature} was listed before with another slot or outcome",
                number,
            )
        kept = new if (new.slot, str(new.err)) < (seen.slot, str(seen.err)) else seen
        time = min((at for at in (seen.block_time, new.block_time) if at is not None), default=None)
        rows[row.signature] = replace(
            kept, block_time=time, addresses=seen.addresses | new.addresses
        )
    return dict(sorted(rows.items()))


def read_accounts(lines: Lines, program: str) -> dict[str, AccountRow]:
    """Read `rpc/accounts.jsonl`: the newest state of each account (the highest slot), with its
    other readings behind it.
    """
    readings: dict[str, list[AccountRow]] = defaultdict(list)
    for number, row in typed_rows(lines, _AccountLine, "{pubkey, slot, account}"):
        if not is_pubkey(row.pubkey):
            lines.problem("unreadable_line", f"{row.pubkey[:100]!r} is not a public key", number)
            continue
        data: bytes | None = None
        if row.account is not None:
            try:
                data = wire_bytes(row.account.data)
            except ValueError as error:
                lines.problem("unreadable_line", str(error), number)
                continue
            if data is None:
                lines.problem(
                    "unreadable_line",
                    "the account's data is jsonParsed; popkit reads base64",
                    number,
                )
                continue
        owner = row.account.owner if row.account else None
        readings[row.pubkey].append(
            AccountRow(row.pubkey, row.slot, owner, data, lines.place(number), program)
        )
    return {pubkey: _newest(readings[pubkey], lines) for pubkey in sorted(readings)}


def _newest(readings: list[AccountRow], lines: Lines) -> AccountRow:
    """The newest of an account's readings with the others behind it; equal readings are one, two of
    one slot contradict each other.
    """
    distinct: dict[tuple[int | None, str | None, bytes | None], AccountRow] = {}
    for row in readings:
        distinct.setdefault((row.slot, row.owner, row.data), row)
    ascending = sorted(distinct.values(), key=_age)
    by_slot = Counter(row.slot for row in ascending)
    newest = ascending[-1]
    for earlier, row in pairwise(ascending):
        if earlier.slot == row.slot is not None:
            other = sorted((earlier, row), key=lambda r: r.place)
            detail = f"{row.pubkey} stands in line {other[0].place.line} too, with another content"
            lines.problems.append(Problem("contradictory_lines", detail, other[1].place))
    return replace(
        newest,
        others=tuple(ascending[:-1]),
        is_contradicted=newest.slot is not None and by_slot[newest.slot] > 1,
    )


def _age(row: AccountRow) -> tuple[int, bool, bytes, str]:
    return (-1 if row.slot is None else row.slot, row.exists, row.data or b"", row.owner or "")


def unavailable_problem(table: Transactions) -> list[Problem]:
    """One problem a transaction that the node listed or was asked for and answered with null."""
    place = Place(table.file, None, None, table.sha256)
    return [
        Problem("transaction_unavailable", f"{signature}: the node answered null", place)
        for signature in sorted(table.unavailable)
    ]
