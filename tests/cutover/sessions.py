"""The recorded cutovers as tests read them: who has which key, which calls a transaction holds, the
accounts before and after.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.transactions import Call, GrantPlace
from popkit.protocol.accounts import decode_grant
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.transaction import Transaction, decode_wire
from tests.drill.recorded import DATA, rows_of

ERAS = ("strict", "strict_v2", "relaxed", "head")


@dataclass(frozen=True, slots=True)
class Sent:
    """One transaction of a recorded session, with what was asked around it."""

    step: str
    wire: bytes
    before: dict[str, Held | None]
    simulated: dict[str, Held | None]
    after: dict[str, Held | None]
    fee: int
    clock: int

    @property
    def read(self) -> Transaction:
        return decode_wire(self.wire)

    def place(self, grant: str) -> GrantPlace:
        """A grant that was there before, by what its address is derived from."""
        account = self.before[grant]
        assert account is not None
        terms = decode_grant(account.data)
        return GrantPlace(PROGRAM_ID, terms.authority, terms.mint, terms.grant_id)


def held(value: dict[str, Any] | None) -> Held | None:
    """An account as a node gives it, or as the rows of administrators' transactions have it."""
    if value is None:
        return None
    data = value["data"] if isinstance(value["data"], str) else value["data"][0]
    return Held(
        value["lamports"], value["owner"], base64.b64decode(data), value.get("executable", False)
    )


def calls_of(read: Transaction) -> list[Call]:
    """A transaction's instructions as calls, with the flags that its message gives their accounts."""
    place = {key: at for at, key in enumerate(read.account_keys)}
    calls = []
    for instruction in read.instructions:
        metas = [
            AccountMeta(key, read.is_signer(place[key]), read.is_writable(place[key]))
            for key in instruction.accounts
        ]
        calls.append(Call("recorded", instruction.program, tuple(metas), instruction.data or b""))
    return calls


def sent(era: str) -> Iterator[Sent]:
    """Every transaction that a recorded cutover sent, in order."""
    rows = [
        row for row in rows_of(DATA / "sessions" / f"{era}-cutover.jsonl") if row["to"] == "rpc"
    ]
    for at, row in enumerate(rows):
        if row["request"]["method"] != "sendTransaction" or "result" not in row["response"]:
            continue
        step = row["step"].removesuffix(": send")
        around = {
            other["step"]: other
            for other in [*rows[max(0, at - 8) : at], *_until_after(rows, at, step)]
        }
        simulation = around[f"{step}: simulate"]
        wanted = simulation["request"]["params"][1]["accounts"]["addresses"]
        landed = next(
            other for other in rows[at:] if other["request"]["method"] == "getTransaction"
        )["response"]["result"]
        yield Sent(
            step,
            base64.b64decode(row["request"]["params"][0]),
            _accounts(around[f"{step}: accounts before"]),
            dict(
                zip(
                    wanted,
                    map(held, simulation["response"]["result"]["value"]["accounts"]),
                    strict=True,
                )
            ),
            _accounts(around[f"{step}: accounts after"]),
            landed["meta"]["fee"],
            landed["blockTime"],
        )


def _until_after(rows: list[dict[str, Any]], at: int, step: str) -> list[dict[str, Any]]:
    """The rows from a send on, to the look at the accounts that ends its step."""
    end = next(
        place for place in range(at, len(rows)) if rows[place]["step"] == f"{step}: accounts after"
    )
    return rows[at : end + 1]


def _accounts(row: dict[str, Any]) -> dict[str, Held | None]:
    return dict(
        zip(row["request"]["params"][0], map(held, row["response"]["result"]["value"]), strict=True)
    )
