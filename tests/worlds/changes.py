"""What becomes of true evidence on its way: ages, missing parts, contradicting nodes, reports. One
operation each: a name and a number.

Operations that need a moment are read before the case is made, the others edit its files. Each does
what its number says and nothing else, so that a list of them can be told, run again and made
smaller.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from popkit.drill.proofs import GENESIS
from popkit.protocol.accounts import decode_account, encode_account
from tests.worlds.parts import PARTS, Taken, take
from tests.worlds.plays import Play
from tests.worlds.timed import Moment

SIGNATURES, TRANSACTIONS, ACCOUNTS = (
    "rpc/signatures.jsonl",
    "rpc/transactions.jsonl",
    "rpc/accounts.jsonl",
)
BUCKET, STORAGE, LIST, REPORTS = (
    "worker/r2.jsonl",
    "worker/storage.jsonl",
    "worker/audit-logs.json",
    "client/errors.jsonl",
)
FILES = (
    *(
        SIGNATURES,
        TRANSACTIONS,
        ACCOUNTS,
        BUCKET,
        STORAGE,
        LIST,
        REPORTS,
        "worker/ticket-receipts.jsonl",
        "worker/events.json",
    ),
    *("worker/pop-status.json", "worker/runtime-status.json", "worker/transfers.json"),
)


@dataclass(frozen=True)
class Op:
    """One operation and the number that it chooses by."""

    name: str
    number: int = 0

    def told(self) -> str:
        return f"{self.name}({self.number})"


Edit = Callable[[Play, Taken, random.Random], None]
EDITS: dict[str, Edit] = {}


def edit(name: str) -> Callable[[Edit], Edit]:
    def keep(function: Edit) -> Edit:
        EDITS[name] = function
        return function

    return keep


def make(play: Play, ops: tuple[Op, ...]) -> Taken:
    """The case after all operations."""
    moments, names = _moments(play, ops), {op.name for op in ops}
    rows = next((random.Random(op.number) for op in ops if op.name == "rows"), None)
    taken = take(
        play, moments, "no storage" not in names, "no bucket" not in names, rows, "newest" in names
    )
    taken.ops = tuple(op.name for op in ops)
    for op in ops:
        if op.name in EDITS:
            EDITS[op.name](play, taken, random.Random(op.number))
    return taken


def _moments(play: Play, ops: tuple[Op, ...]) -> dict[str, Moment]:
    # A collector's own looks append rows: no list that anybody collects is empty.
    moments, found = [m for m in play.world.moments if m.entries], {}
    for op in ops:
        if op.name.startswith("age "):
            # Half of the numbers choose among the last moments, where what matters is decided.
            span = moments if op.number % 2 else moments[-12:]
            moment = span[op.number // 2 % len(span)]
            parts = (
                PARTS
                if op.name == "age all"
                else ("statuses", "list", "bucket", "storage")
                if op.name == "age worker"
                else (op.name[4:],)
            )
            found |= dict.fromkeys(parts, moment)
    return found


# -- missing --


@edit("drop")
def _drop(play: Play, taken: Taken, chance: random.Random) -> None:
    taken.files.pop(chance.choice(FILES), None)


@edit("drop some")
def _drop_some(play: Play, taken: Taken, chance: random.Random) -> None:
    for name in FILES:
        if chance.random() < 0.4:
            taken.files.pop(name, None)


@edit("subset")
def _subset(play: Play, taken: Taken, chance: random.Random) -> None:
    """One of the subsets of all parts."""
    parts = (
        (SIGNATURES,),
        (TRANSACTIONS,),
        (ACCOUNTS,),
        (BUCKET,),
        (STORAGE,),
        (LIST,),
        FILES[-3:],
        (REPORTS,),
        FILES[7:9],
    )
    mask = chance.randrange(1 << len(parts))
    for number, names in enumerate(parts):
        for name in names if mask >> number & 1 else ():
            taken.files.pop(name, None)


@edit("drop worker")
def _drop_worker(play: Play, taken: Taken, chance: random.Random) -> None:
    for name in [name for name in taken.files if name.startswith("worker/")]:
        del taken.files[name]


@edit("list only")
def _list_only(play: Play, taken: Taken, chance: random.Random) -> None:
    for name in (BUCKET, STORAGE, "worker/ticket-receipts.jsonl"):
        taken.files.pop(name, None)


@edit("tx silent")
def _tx_silent(play: Play, taken: Taken, chance: random.Random) -> None:
    """A node that leaves transactions out without a word."""
    rows = taken.files.get(TRANSACTIONS) or []
    gone = {row["signature"] for row in _some(rows, chance)}
    for name in (TRANSACTIONS, SIGNATURES):
        if name in taken.files:
            taken.files[name] = [row for row in taken.files[name] if row["signature"] not in gone]


@edit("tx tail silent")
def _tx_tail(play: Play, taken: Taken, chance: random.Random) -> None:
    """A node that lags: the newest transactions are not there."""
    rows = sorted(
        taken.files.get(TRANSACTIONS) or [], key=lambda row: (row["result"] or {}).get("slot", 0)
    )
    gone = {row["signature"] for row in rows[max(0, len(rows) - 1 - chance.randrange(4)) :]}
    for name in (TRANSACTIONS, SIGNATURES):
        if name in taken.files:
            taken.files[name] = [row for row in taken.files[name] if row["signature"] not in gone]


@edit("tx null")
def _tx_null(play: Play, taken: Taken, chance: random.Random) -> None:
    rows = taken.files.get(TRANSACTIONS) or []
    gone = {row["signature"] for row in _some(rows, chance)}
    taken.files[TRANSACTIONS] = [
        {**row, "result": None} if row["signature"] in gone else row for row in rows
    ]


@edit("tx absent")
def _tx_absent(play: Play, taken: Taken, chance: random.Random) -> None:
    rows = taken.files.get(TRANSACTIONS) or []
    gone = {row["signature"] for row in _some(rows, chance)}
    taken.files[TRANSACTIONS] = [row for row in rows if row["signature"] not in gone]


@edit("times null")
def _times_null(play: Play, taken: Taken, chance: random.Random) -> None:
    """A node without block times, for all or for some."""
    share = chance.choice((1.0, 0.5))
    gone = {
        row["signature"] for row in taken.files.get(TRANSACTIONS) or [] if chance.random() < share
    }
    for row in (rows := [dict(r) for r in taken.files.get(TRANSACTIONS) or []]):
        if row["signature"] in gone and row["result"] is not None:
            row["result"] = {**row["result"], "blockTime": None}
    if rows:
        taken.files[TRANSACTIONS] = rows
    listed = taken.files.get(SIGNATURES) or []
    if listed:
        taken.files[SIGNATURES] = [
            {**row, "blockTime": None} if row["signature"] in gone else row for row in listed
        ]


@edit("slots null")
def _slots_null(play: Play, taken: Taken, chance: random.Random) -> None:
    taken.files[ACCOUNTS] = [{**row, "slot": None} for row in taken.files.get(ACCOUNTS) or []]


@edit("list cut")
def _list_cut(play: Play, taken: Taken, chance: random.Random) -> None:
    """The node's list ends early: the newest so many rows of each address."""
    left, keep = [], chance.randrange(1, 8)
    seen: dict[str, int] = {}
    for row in taken.files.get(SIGNATURES) or []:
        seen[row["address"]] = seen.get(row["address"], 0) + 1
        if seen[row["address"]] <= keep:
            left.append(row)
    kept = {row["signature"] for row in left}
    taken.files[SIGNATURES] = left
    taken.files[TRANSACTIONS] = [
        row for row in taken.files.get(TRANSACTIONS) or [] if row["signature"] in kept
    ]


@edit("accounts some")
def _accounts_some(play: Play, taken: Taken, chance: random.Random) -> None:
    taken.files[ACCOUNTS] = [
        row for row in taken.files.get(ACCOUNTS) or [] if chance.random() < 0.7
    ]


@edit("no state")
def _no_state(play: Play, taken: Taken, chance: random.Random) -> None:
    states = {h.state for h in play.handles}
    taken.files[ACCOUNTS] = [
        row for row in taken.files.get(ACCOUNTS) or [] if row["pubkey"] not in states
    ]


@edit("storage prefix")
def _storage_prefix(play: Play, taken: Taken, chance: random.Random) -> None:
    """A storage listed by one prefix."""
    prefix = chance.choice(
        (
            "pop_chain:",
            "pop_chain:lastHash:",
            "pop_chain:history:",
            "audit_entry:",
            "audit_history:",
            "audit:",
            "event:",
            "a",
        )
    )
    _keep(taken, STORAGE, lambda row: row["key"].startswith(prefix))


@edit("storage page")
def _storage_page(play: Play, taken: Taken, chance: random.Random) -> None:
    """A storage listed by pages, and not all of them."""
    rows = taken.files.get(STORAGE) or []
    cut = chance.randrange(len(rows) + 1)
    if STORAGE in taken.files:
        taken.files[STORAGE] = rows[:cut] if chance.random() < 0.7 else rows[cut:]


@edit("storage rows")
def _storage_rows(play: Play, taken: Taken, chance: random.Random) -> None:
    """A storage that lacks one row, or some."""
    rows = taken.files.get(STORAGE) or []
    share = chance.choice((0.0, 0.1, 0.5))
    lost = chance.randrange(len(rows)) if rows else 0
    if STORAGE in taken.files:
        taken.files[STORAGE] = [
            row for n, row in enumerate(rows) if n != lost and chance.random() >= share
        ]


@edit("storage heads")
def _storage_heads(play: Play, taken: Taken, chance: random.Random) -> None:
    """A storage that lacks one of its head rows, or all."""
    heads = [
        row["key"]
        for row in taken.files.get(STORAGE) or []
        if row["key"].startswith("pop_chain:lastHash:")
    ]
    gone = set(heads if chance.random() < 0.3 else [chance.choice(heads)] if heads else [])
    _keep(taken, STORAGE, lambda row: row["key"] not in gone)


@edit("bucket page")
def _bucket_page(play: Play, taken: Taken, chance: random.Random) -> None:
    rows = taken.files.get(BUCKET) or []
    if BUCKET in taken.files:
        taken.files[BUCKET] = rows[: chance.randrange(len(rows) + 1)]


@edit("bucket prefix")
def _bucket_prefix(play: Play, taken: Taken, chance: random.Random) -> None:
    prefix = chance.choice(
        (
            "audit/immutable/entry/",
            "audit/immutable/stream/",
            "audit/immutable/stream/pop",
            "audit/immutable/entry/0",
        )
    )
    _keep(taken, BUCKET, lambda row: row["key"].startswith(prefix))


@edit("bucket some")
def _bucket_some(play: Play, taken: Taken, chance: random.Random) -> None:
    share = chance.choice((0.1, 0.5, 0.9))
    _keep(taken, BUCKET, lambda row: chance.random() < share)


# -- contradictions --


@edit("two states")
def _two_states(play: Play, taken: Taken, chance: random.Random) -> None:
    """A second node: another head in the same slot, or an older head in a later one."""
    row = _state_row(play, taken)
    if row is None or row["account"] is None:
        return
    state = decode_account(base64.b64decode(row["account"]["data"][0]))
    earlier = [m for m in play.world.moments if m.ms < taken.rows[row["pubkey"]].ms]
    older = [m.ledger.states[row["pubkey"]] for m in earlier if row["pubkey"] in m.ledger.states]
    older = [s for s in older if s.last_global_hash != state.last_global_hash]
    if not older:
        return
    other = chance.choice(older)
    account = {
        **row["account"],
        "data": [base64.b64encode(encode_account(other)).decode(), "base64"],
    }
    second = {**row, "slot": row["slot"] + chance.choice((0, 5, 300)), "account": account}
    taken.files[ACCOUNTS] = [*taken.files[ACCOUNTS], second]
    taken.notes.add(f"contradicts {row['pubkey']}")


@edit("null state")
def _null_state(play: Play, taken: Taken, chance: random.Random) -> None:
    """A node that says that PopState does not exist, though claims were accepted that the case
    holds.
    """
    row = _state_row(play, taken)
    if row is None or row["account"] is None:
        return
    state = decode_account(base64.b64decode(row["account"]["data"][0]))
    first = [
        t
        for t in play.world.tried
        if t.accepted and t.proof.grant == state.grant and t.landed.slot < row["slot"]
    ]
    held = {r["signature"] for r in taken.files.get(TRANSACTIONS) or [] if r["result"] is not None}
    if not any(t.landed.signature in held for t in first):
        return
    null = {**row, "account": None}
    rows = [r for r in taken.files[ACCOUNTS] if r["pubkey"] != row["pubkey"]]
    taken.files[ACCOUNTS] = [*rows, null] if chance.random() < 0.5 else [*rows, row, null]
    taken.notes.add(f"contradicts {row['pubkey']}")


@edit("program")
def _program(play: Play, taken: Taken, chance: random.Random) -> None:
    """The case states another program than the one that its accounts belong to."""
    taken.files["case.json"] = {
        **taken.files["case.json"],
        "program_id": play.world.address("another program"),
    }
    taken.notes.add("program")


# -- reports --


@edit("reports")
def _reports(play: Play, taken: Taken, chance: random.Random) -> None:
    """Lines that nobody signed: any error, of any wallet, at any time."""
    world, lines = play.world, list(taken.files.get(REPORTS) or [])
    wallets = [world.address(f"wallet {n}") for n in range(1, play.count + 2)]
    for _ in range(chance.randrange(1, 6)):
        code = chance.choice((6026, 6026, 6028, 6027, 6018, 6024, 6007, 6005, 0, 6001))
        landed = chance.choice(world.landed).signature if chance.random() < 0.2 else None
        text = f"Error processing Instruction 2: custom program error: {code:#x}"
        at = chance.choice((world.start, world.now, world.now - 700, world.now + 100_000))
        lines.append(
            {
                "at": at,
                "eventId": world.worker.event_of(play.handle.address),
                "wallet": chance.choice(wallets),
                "landed": landed is not None,
                "signature": landed,
                "message": f"Transaction simulation failed: {text}",
                "logs": [
                    f"Program {taken.files['case.json']['program_id']} failed: custom program "
                    f"error: {code:#x}"
                ]
                if code
                else [],
            }
        )
    taken.files[REPORTS] = lines
    taken.notes.add("reports")


def _keep(taken: Taken, name: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
    if name in taken.files:
        taken.files[name] = [row for row in taken.files[name] if wanted(row)]


def _some(rows: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """One of the rows, or some."""
    if not rows:
        return []
    return (
        [chance.choice(rows)]
        if chance.random() < 0.6
        else [row for row in rows if chance.random() < 0.4]
    )


def _state_row(play: Play, taken: Taken) -> dict[str, Any] | None:
    return next(
        (row for row in taken.files.get(ACCOUNTS) or [] if row["pubkey"] == play.handle.state), None
    )


AGES = tuple(f"age {part}" for part in (*PARTS, "worker", "all"))
MISSING = tuple(
    name for name in EDITS if name not in ("two states", "null state", "program", "reports")
)
CONTRADICTIONS = ("two states", "null state", "program")
SOURCES: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("no storage",),
    ("no storage",),
    ("no bucket",),
    ("no storage", "no bucket"),
)


def changes(property_: str, chance: random.Random) -> tuple[Op, ...]:
    """Operations of one property, by chance: 'whole', 'ages', 'missing', 'contradictions',
    'reports', 'same' or 'all'.
    """

    def ops(*names: str) -> list[Op]:
        return [Op(name, chance.randrange(1000)) for name in names]

    found = [Op(name) for name in chance.choice(SOURCES)]
    if property_ in ("same", "all") and chance.random() < 0.5:
        found += ops(chance.choice(AGES), chance.choice(MISSING))
    if property_ == "ages" or (property_ == "all" and chance.random() < 0.6):
        found += ops(*(chance.sample(AGES, chance.randint(1, 4))))
        found += [Op("newest")] if chance.random() < 0.5 else []
        found += ops("rows") if chance.random() < 0.25 else []
    if property_ == "missing" or (property_ == "all" and chance.random() < 0.8):
        found += ops(*(chance.sample(MISSING, chance.choice((1, 1, 2, 3)))))
    if property_ == "contradictions":
        found += ops(chance.choice(CONTRADICTIONS))
    if property_ == "reports" and chance.random() < 0.4:
        found += ops("drop worker")
    if property_ == "reports" or (property_ == "all" and chance.random() < 0.2):
        found += ops("reports")
    if property_ == "same":
        found += ops("rendered")
    return tuple(found)


PROPERTIES = ("whole", "ages", "missing", "contradictions", "reports", "same", "all")
__all__ = ["GENESIS", "PROPERTIES", "Op", "changes", "make"]
