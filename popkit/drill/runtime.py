"""The runtime that executes transactions on account bytes: fees, privileges, invocations, logs,
rent, all or nothing.

What is executed is what was signed. Compute units are stated estimates (`UNITS`), as no bytecode
runs here; everything else is held to recorded transactions byte for byte by
`tests/drill/test_recorded_transactions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from popkit.drill.ledger import EMPTY, Account, Ledger, minimum_balance
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    PROGRAM_ID,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
)

LAMPORTS_PER_SIGNATURE = 5000
DEFAULT_UNITS = 200_000
MAX_UNITS = 1_400_000
UNITS = {
    SYSTEM_PROGRAM: 150,
    COMPUTE_BUDGET_PROGRAM: 150,
    TOKEN_PROGRAM: 4_600,
    ATA_PROGRAM: 21_000,
    PROGRAM_ID: 38_000,
}
"""What a frame of a program is said to cost, apart from what it invokes: an estimate, and never
more than that.
"""
NATIVE = (SYSTEM_PROGRAM, COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM)
"""Programs that log no line of compute units."""
WORDS = {
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidInstructionData": "invalid instruction data",
    "MissingRequiredSignature": "missing required signature for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "IncorrectProgramId": "incorrect program id for instruction",
    "IllegalOwner": "Provided owner is not allowed",
    "InvalidSeeds": "Provided seeds do not result in a valid address",
    "InvalidArgument": "invalid program argument",
    "UninitializedAccount": "instruction requires an initialized account",
    "UnsupportedProgramId": "Unsupported program id",
    "PrivilegeEscalation": "Cross-program invocation with unauthorized signer or writable account",
    "ReadonlyDataModified": "instruction modified data of a read-only account",
    "ReadonlyLamportChange": "instruction changed the balance of a read-only account",
    "ExternalAccountLamportSpend": "instruction spent from the balance of an account it does not "
    "own",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "ArithmeticOverflow": "Program arithmetic overflowed",
}


class Failure(Exception):
    """An instruction failed: `error` is a custom number or the name of an InstructionError, `lines`
    what was logged before.
    """

    def __init__(self, error: int | str, *lines: str) -> None:
        super().__init__(error)
        self.error, self.lines = error, lines

    @property
    def words(self) -> str:
        """The end of the `failed:` line."""
        return (
            f"custom program error: {self.error:#x}"
            if isinstance(self.error, int)
            else WORDS.get(self.error, self.error)
        )

    def as_json(self) -> Any:
        return {"Custom": self.error} if isinstance(self.error, int) else self.error


class Meta(NamedTuple):
    """An account of an instruction, with what the instruction may do to it."""

    key: str
    is_signer: bool
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction with its accounts resolved."""

    program: str
    data: bytes
    metas: tuple[Meta, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a transaction says, with looked-up addresses in place: `keys` in the order of its
    accounts, payer first.
    """

    keys: tuple[str, ...]
    signers: int
    writable: frozenset[str]
    instructions: tuple[Instruction, ...]
    blockhash: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction. `charged` says whether the payer paid: only then can it stand
    in a block.
    """

    err: Any
    logs: tuple[str, ...]
    ledger: Ledger
    inner: tuple[dict[str, Any], ...]
    fee: int
    units: int
    charged: bool

    @property
    def error(self) -> int | None:
        """The custom number of a refused instruction."""
        if not isinstance(self.err, dict) or "InstructionError" not in self.err:
            return None
        reason = self.err["InstructionError"][1]
        return reason["Custom"] if isinstance(reason, dict) else None


@dataclass(frozen=True, slots=True)
class Moment:
    """Where and when a transaction is executed, and by which build of the program."""

    now: int
    build: str
    blockhash: str = SYSTEM_PROGRAM


@dataclass(slots=True)
class Context:
    """One transaction while it runs: accounts over the ledger, logs, and the frame that is running."""

    ledger: Ledger
    signed: Signed
    moment: Moment
    limit: int
    changed: dict[str, Account] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    inner: list[tuple[int, Instruction, int]] = field(default_factory=list)
    index: int = 0
    depth: int = 0
    units: int = 0

    def get(self, key: str) -> Account:
        """An account as it is at this point; an empty one of the system where there is none."""
        found = self.changed.get(key)
        return self.ledger.accounts.get(key, EMPTY) if found is None else found

    def put(self, key: str, account: Account) -> None:
        """Change an account. Raises Failure for one that the transaction names as read-only."""
        if key not in self.signed.writable:
            same_data = account.data == self.get(key).data
            raise Failure("ReadonlyLamportChange" if same_data else "ReadonlyDataModified")
        self.changed[key] = account

    def log(self, text: str) -> None:
        self.logs.append(f"Program log: {text}")

    def invoke(
        self, program: str, data: bytes, metas: Sequence[Meta], seeds: tuple[str, ...] = ()
    ) -> None:
        """Invoke another program; `seeds` are derived addresses that the invoking program signs
        for.
        """
        outer = {m.key for m in self._frame.metas if m.is_signer} | set(seeds)
        if any(m.is_signer and m.key not in outer for m in metas):
            raise Failure("PrivilegeEscalation")
        call = Instruction(program, data, tuple(metas))
        self.inner.append((self.index, call, self.depth + 1))
        self.run(call)

    _frame: Instruction = Instruction(SYSTEM_PROGRAM, b"", ())

    def run(self, call: Instruction) -> None:
        """Run one frame with its lines. Raises Failure after having logged it."""
        if call.program == ED25519_PROGRAM:
            PROGRAMS[call.program](self, call)  # a precompile is no frame: it logs nothing
            return
        outer, self._frame = self._frame, call
        self.depth += 1
        self.logs.append(f"Program {call.program} invoke [{self.depth}]")
        before = self.units
        try:
            PROGRAMS[call.program](self, call)
            self._spend(call.program, before)
            self.logs.append(f"Program {call.program} success")
        except Failure as failure:
            self.logs += failure.lines
            failure.lines = ()
            self._spend(call.program, before)
            self.logs.append(f"Program {call.program} failed: {failure.words}")
            raise
        finally:
            self.depth -= 1
            self._frame = outer

    def _spend(self, program: str, before: int) -> None:
        self.units += UNITS.get(program, 1_000)
        if program not in NATIVE:
            self.logs.append(
                f"Program {program} consumed {self.units - before} of {self.limit - before} "
                f"compute units"
            )


Program = Callable[[Context, Instruction], None]
PROGRAMS: dict[str, Program] = {}
"""Every program that can run, by address; filled by `machine`."""


def execute(ledger: Ledger, signed: Signed, moment: Moment) -> Outcome:
    """Run a transaction on a ledger, which stays as it is; the outcome holds the one after.

    Signatures, the blockhash and whether it has run before are the node's to check. A refusal
    before the fee has `charged` False and the ledger unchanged; a failed instruction costs the fee,
    moves a durable nonce, and changes nothing else.
    """
    limit, fee = _budget(signed)[0], fee_of(signed)
    refused = _refused_before(ledger, signed, fee)
    if refused is not None:
        return Outcome(refused, (), ledger, (), fee, 0, charged=False)
    payer = signed.keys[0]
    paid = ledger.accounts[payer]
    start = ledger.with_accounts({payer: replace(paid, lamports=paid.lamports - fee)})
    context = Context(start, signed, moment, limit)
    for index, call in enumerate(signed.instructions):
        context.index = index
        try:
            context.run(call)
            if context.units > limit:
                raise Failure("ComputationalBudgetExceeded")
        except Failure as failure:
            err = {"InstructionError": [index, failure.as_json()]}
            return _outcome(context, err, _with_nonce_moved(start, context), fee)
    err = _rent_broken(context)
    return _outcome(context, err, start if err else start.with_accounts(context.changed), fee)


def fee_of(signed: Signed) -> int:
    """The lamports that a transaction costs: every signature, those of precompiles too, and the
    price of its compute limit.
    """
    limit, price = _budget(signed)
    return LAMPORTS_PER_SIGNATURE * (signed.signers + _precompile_signatures(signed)) + -(
        -price * limit // 1_000_000
    )


def price_of(signed: Signed) -> int:
    """What a transaction pays for a compute unit, in micro-lamports."""
    return _budget(signed)[1]


def _outcome(context: Context, err: Any, ledger: Ledger, fee: int) -> Outcome:
    return Outcome(
        err, tuple(context.logs), ledger, _inner_rows(context), fee, context.units, charged=True
    )


def _refused_before(ledger: Ledger, signed: Signed, fee: int) -> Any:
    payer = ledger.accounts.get(signed.keys[0], EMPTY)
    if payer.lamports == 0:
        return "AccountNotFound"
    if payer.owner != SYSTEM_PROGRAM or (payer.data and len(payer.data) != 80):
        return "InvalidAccountForFee"
    if payer.lamports < fee:
        return "InsufficientFundsForFee"
    left = payer.lamports - fee
    if 0 < left < minimum_balance(len(payer.data)):
        return {"InsufficientFundsForRent": {"account_index": 0}}
    for call in signed.instructions:
        if call.program not in PROGRAMS:
            known = ledger.accounts.get(call.program)
            return "ProgramAccountNotFound" if known is None else "InvalidProgramForExecution"
    return None


def _budget(signed: Signed) -> tuple[int, int]:
    """The compute limit and the price of a unit in micro-lamports, as the compute-budget
    instructions say.
    """
    limit, price, others = None, 0, 0
    for call in signed.instructions:
        if call.program != COMPUTE_BUDGET_PROGRAM:
            others += call.program != ED25519_PROGRAM
        elif call.data[:1] == b"\x02":
            limit = int.from_bytes(call.data[1:5], "little")
        elif call.data[:1] == b"\x03":
            price = int.from_bytes(call.data[1:9], "little")
    return min(DEFAULT_UNITS * others if limit is None else limit, MAX_UNITS), price


def _precompile_signatures(signed: Signed) -> int:
    return sum(
        call.data[0]
        for call in signed.instructions
        if call.program == ED25519_PROGRAM and call.data
    )


def _rent_broken(context: Context) -> Any:
    """What a cluster refuses after the instructions: an account left, or newly put, between nothing
    and the rent minimum.
    """
    for at, key in enumerate(context.signed.keys):
        after = context.changed.get(key)
        if after is None or not 0 < after.lamports < minimum_balance(len(after.data)):
            continue
        before = context.ledger.accounts.get(key, EMPTY)
        was_paying = 0 < before.lamports < minimum_balance(len(before.data))
        if not (
            was_paying and len(before.data) == len(after.data) and after.lamports <= before.lamports
        ):
            return {"InsufficientFundsForRent": {"account_index": at}}
    return None


def _with_nonce_moved(start: Ledger, context: Context) -> Ledger:
    """The ledger of a failed transaction: a durable nonce that it used has moved all the same."""
    from popkit.drill.system import is_advance, nonce_moved

    first = context.signed.instructions[0]
    if not is_advance(first):
        return start
    key = first.metas[0].key
    moved = nonce_moved(start.accounts.get(key, EMPTY), context.moment.blockhash)
    return start if moved is None else start.with_accounts({key: moved})


def _inner_rows(context: Context) -> tuple[dict[str, Any], ...]:
    """Inner instructions as getTransaction's meta has them, by the top-level instruction that they
    belong to.
    """
    place = {key: at for at, key in enumerate(context.signed.keys)}
    rows: dict[int, list[dict[str, Any]]] = {}
    for index, call, height in context.inner:
        row = {
            "accounts": [place[meta.key] for meta in call.metas],
            "data": b58encode(call.data),
            "programIdIndex": place[call.program],
            "stackHeight": height,
        }
        rows.setdefault(index, []).append(row)
    return tuple({"index": index, "instructions": found} for index, found in sorted(rows.items()))


def token_balances(
    ledger: Ledger, keys: Sequence[str], decimals: Mapping[str, int]
) -> list[dict[str, Any]]:
    """preTokenBalances or postTokenBalances of a ledger; `decimals` by mint, for mints that the
    ledger does not hold.
    """
    rows = []
    for at, key in enumerate(keys):
        held = ledger.accounts.get(key)
        if held is None or held.owner != TOKEN_PROGRAM or len(held.data) != 165:
            continue
        mint, owner = b58encode(held.data[:32]), b58encode(held.data[32:64])
        amount = int.from_bytes(held.data[64:72], "little")
        record = ledger.accounts.get(mint)
        places = (
            record.data[44]
            if record is not None and len(record.data) == 82
            else decimals.get(mint, 0)
        )
        shown = {
            "amount": str(amount),
            "decimals": places,
            "uiAmount": amount / 10**places if amount else None,
            "uiAmountString": ui_amount(amount, places),
        }
        rows.append(
            {
                "accountIndex": at,
                "mint": mint,
                "owner": owner,
                "programId": TOKEN_PROGRAM,
                "uiTokenAmount": shown,
            }
        )
    return rows


def ui_amount(amount: int, places: int) -> str:
    """An amount in whole tokens, without trailing zeros."""
    if not places:
        return str(amount)
    text = str(amount).rjust(places + 1, "0")
    return f"{text[:-places]}.{text[-places:]}".rstrip("0").rstrip(".")
