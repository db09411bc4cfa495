"""What another client saw of a claim, and what popkit's table says of the same: rows that must be
equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import popkit
from popkit.protocol.keys import PROGRAM_ID
from tests.conftest import CASES

CLAIMS = {bytes.fromhex("7d86e9875212b108"), bytes.fromhex("021c4156b6aea735")}
ED25519 = "Ed25519SigVerify111111111111111111111111111"


class Claim(NamedTuple):
    """A claim attempt as any client can see it."""

    signature: str
    slot: int
    block_time: int | None
    accepted: bool
    grant: str
    claimer: str
    period_index: int
    entry_hash: str | None


def recorded(name: str) -> list[Claim]:
    """The claims that popkit reads in a case, ascending."""
    frame = popkit.open_case(CASES / name).claims
    frame = frame[frame["inner_index"].isna()]
    columns = [
        "signature",
        "slot",
        "block_time",
        "accepted",
        "grant",
        "claimer",
        "period_index",
        "entry_hash",
    ]
    rows = frame[columns].astype(object).where(frame[columns].notna(), None)
    return sorted(
        (Claim(*row) for row in rows.itertuples(index=False)),
        key=lambda claim: (claim.slot, claim.signature),
    )


def entry_hash(instructions: Sequence[tuple[str, bytes]], at: int) -> str | None:
    """The entry hash that the proof before a claim carries; read from the bytes, with nothing of
    popkit.
    """
    if at == 0 or instructions[at - 1][0] != ED25519:
        return None
    data = instructions[at - 1][1]
    start, size = int.from_bytes(data[10:12], "little"), int.from_bytes(data[12:14], "little")
    message = data[start : start + size]
    return message[-40:-8].hex() if size in (177, 209) else None


def claims_in(
    signature: str,
    slot: int,
    time: int | None,
    err: Any,
    instructions: Sequence[tuple[str, Sequence[str], bytes]],
) -> list[Claim]:
    """The claims among a transaction's top-level instructions (program, accounts, data)."""
    found = []
    plain = [(program, data) for program, _, data in instructions]
    for at, (program, accounts, data) in enumerate(instructions):
        if program == PROGRAM_ID and data[:8] in CLAIMS:
            period = int.from_bytes(data[8:16], "little")
            found.append(
                Claim(
                    signature,
                    slot,
                    time,
                    err is None,
                    accounts[0],
                    accounts[3],
                    period,
                    entry_hash(plain, at),
                )
            )
    return found
