"""How fast claims are decoded: `make bench` prints claims a second for each stage, on one core.

The input is made from a recorded case: its accepted claims, each repeated under signatures of its
own until there are enough.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from solders.signature import Signature

from popkit.claims import ClaimTable, read_claims
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Lines
from popkit.evidence.rpc import Transactions
from popkit.evidence.transactions import read_transactions

CASE = Path(__file__).resolve().parent.parent / "data" / "cases" / "term"
T = TypeVar("T")


def timed(name: str, count: int, work: Callable[[], T]) -> T:
    """Run once, print claims a second."""
    start = time.perf_counter()
    result = work()
    took = time.perf_counter() - start
    print(f"{name:<44} {count / took:>12,.0f} claims/s   {took / count * 1e6:>8.2f} µs a claim")
    return result


def write_input(path: Path, count: int) -> None:
    """Write `count` transactions with a claim each."""
    source = Lines(
        Evidence(CASE).files["rpc/transactions.jsonl.zst"], "rpc/transactions.jsonl.zst", None
    )
    lines = [
        line for _, line in source if b'"err":null' in line and b"Instruction: ClaimGrant" in line
    ]
    with path.open("wb") as file:
        for i in range(count):
            line = lines[i % len(lines)]
            signature = str(Signature(os.urandom(64))).encode()
            file.write(b'{"signature":"' + signature + line[line.index(b'","result"') :] + b"\n")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "transactions.jsonl")
        write_input(path, count)
        print(f"{count} claims, {path.stat().st_size / count:,.0f} bytes a transaction")
        timed(
            "parse JSON only (msgspec, untyped)",
            count,
            lambda: (
                [msgspec.json.decode(line) for _, line in Lines(path, path.name, None)] and None
            ),
        )
        start = time.perf_counter()
        table: Transactions = timed(
            "read transactions (typed, base64, checked)",
            count,
            lambda: read_transactions(Lines(path, path.name, None)),
        )
        program = Evidence(CASE).header.program_id
        claims: ClaimTable = timed(
            "decode claims in columns", count, lambda: read_claims(table, program)
        )
        timed("recompute entry hashes", count, lambda: claims.entry_hash_holds)
        timed("amounts moved", count, lambda: claims.amount_moved)
        took = time.perf_counter() - start
        print(
            f"{'file → claims table':<44} {count / took:>12,.0f} claims/s   "
            f"{took / count * 1e6:>8.2f} µs a claim"
        )
        assert len(claims) == count
        assert bool(claims.entry_hash_holds.all())
        few = min(count, 2000)
        part = read_claims(read_transactions(_first(path, few)), program)
        timed("proof signatures, strict", few, lambda: part.proof_signature_holds)
        timed("receipt addresses", few, lambda: part.receipt_expected)


def _first(path: Path, count: int) -> Lines:
    short = path.with_name("short.jsonl")
    with path.open("rb") as source, short.open("wb") as target:
        target.writelines(next(source) for _ in range(count))
    return Lines(short, short.name, None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
