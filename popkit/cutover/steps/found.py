"""Who did what a step finds done already: the transactions on the chain that did it, read from the
history of its accounts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from popkit.cutover.reasons import stop
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.endpoint import Endpoint
from popkit.protocol.transaction import (
    Transaction,
    TransactionError,
    decode_result,
    readable_inner_instructions,
)

ROWS = 1000
"""How many of an account's newest transactions are looked at: a new grant has few."""


def evidence(endpoint: Endpoint, done: Mapping[str, Call]) -> list[dict[str, Any]]:
    """For each call that was found done, by the account it changes: [{call, account, signature,
    slot, same}].

    `same` says whether that transaction holds the very instruction of the plan, at its top or
    called by a program; where none does, it is the newest successful one of the account.
    `signature` is null where the node lists none. Raises Silent.
    """
    return [_of(endpoint, account, call) for account, call in done.items()]


def _of(endpoint: Endpoint, account: str, call: Call) -> dict[str, Any]:
    rows = [row for row in endpoint.signatures(account, limit=ROWS) if row.get("err") is None]
    found, same = rows[0] if rows else None, False
    for row in rows:
        read = _read(endpoint, str(row["signature"]))
        if read is not None and _holds(*read, call):
            found, same = row, True
            break
    signature, slot = (found["signature"], found["slot"]) if found is not None else (None, None)
    return {
        "call": call.name,
        "account": account,
        "signature": signature,
        "slot": slot,
        "same": same,
    }


def _holds(read: Transaction, meta: Mapping[str, Any], call: Call) -> bool:
    wanted = (call.program, tuple(one.pubkey for one in call.metas), call.data)
    inner, _ = readable_inner_instructions(meta, read)
    return any(
        (one.program, one.accounts, one.data) == wanted
        for one in (*read.instructions, *(found for _, _, found in inner))
    )


@dataclass(frozen=True, slots=True)
class Deposits:
    """Base units that were ever paid into a vault, whatever was taken out since; `ours` of them in
    transactions that one of us signed.
    """

    total: int
    ours: int


def deposited(endpoint: Endpoint, vault: str, us: Collection[str]) -> Deposits:
    """What was paid into a vault. Raises Stopped where its history cannot be read whole, as a guess
    could pay twice.
    """
    rows = endpoint.signatures(vault, limit=ROWS)
    if len(rows) >= ROWS:
        raise stop("drift", field=vault, was="new", now=f"{ROWS} transactions")
    total = ours = 0
    for row in rows:
        if row.get("err") is not None:
            continue
        read = _read(endpoint, str(row["signature"]))
        if read is None:
            raise stop("drift", field=vault, was="readable", now=f"{row['signature']} unreadable")
        transaction, meta = read
        before, after = (
            _amount(meta, name, transaction, vault)
            for name in ("preTokenBalances", "postTokenBalances")
        )
        paid = max(after - before, 0)
        total += paid
        ours += (
            paid
            if set(us) & set(transaction.account_keys[: transaction.num_required_signatures])
            else 0
        )
    return Deposits(total, ours)


def _read(endpoint: Endpoint, signature: str) -> tuple[Transaction, Mapping[str, Any]] | None:
    result = endpoint.transaction(signature)
    try:
        return None if result is None else (decode_result(result), result.get("meta") or {})
    except TransactionError:
        return None


def _amount(meta: Mapping[str, Any], name: str, read: Transaction, account: str) -> int:
    for row in meta.get(name) or ():
        if read.account_keys[int(row["accountIndex"])] == account:
            return int(row["uiTokenAmount"]["amount"])
    return 0
