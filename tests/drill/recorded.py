"""Recorded transactions put to the drill's runtime: what is compared, and what was known of the
accounts before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import zstandard
from solders.transaction import VersionedTransaction

from popkit.drill.ledger import EMPTY, Account, Ledger, minimum_balance
from popkit.drill.machine import read_signed
from popkit.drill.runtime import PROGRAMS, Moment, Outcome, execute, token_balances
from popkit.drill.token import MINT_SIZE, mint_data
from popkit.protocol.accounts import TokenAccount, encode_account
from popkit.protocol.keys import SYSTEM_PROGRAM, TOKEN_PROGRAM
from tests.conftest import ROOT

DATA = ROOT / "data"
NATIVE_LOADER = "NativeLoader1111111111111111111111111111111"
BUILDS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")


def rows_of(path: Path) -> list[Any]:
    """The lines of a JSON-lines file, packed or not."""
    packed = path.with_name(f"{path.name}.zst")
    if packed.is_file():
        with packed.open("rb") as raw:
            text = zstandard.ZstdDecompressor().stream_reader(raw).read().decode()
    else:
        text = path.read_text()
    return [json.loads(line) for line in text.splitlines()]


def account_of(value: dict[str, Any] | None) -> Account | None:
    """An account as a recording has it: of accounts_before, or of getAccountInfo."""
    if value is None:
        return None
    data = value["data"] if isinstance(value["data"], str) else value["data"][0]
    return Account(value["lamports"], value["owner"], base64.b64decode(data))


def in_order(case: Path) -> list[dict[str, Any]]:
    """A case's transactions by slot, those of one slot as the node's lists have them."""
    listed = [row["signature"] for row in rows_of(case / "rpc" / "signatures.jsonl")]
    place = {signature: -at for at, signature in enumerate(listed)}
    rows = [
        row for row in rows_of(case / "rpc" / "transactions.jsonl") if row["result"] is not None
    ]
    return sorted(rows, key=lambda row: (*_moment(row), place.get(row["signature"], 0)))


def _moment(row: dict[str, Any]) -> tuple[int, int]:
    return row["result"]["slot"], row["result"]["blockTime"]


def wallets(ledger: Ledger, result: dict[str, Any]) -> None:
    """What no transaction shows: lamports from a faucet, built-in programs, a mint and token
    accounts older than the evidence.
    """
    signed, _ = read_signed(transaction_of(result), ledger)
    for key, lamports in zip(signed.keys, result["meta"]["preBalances"], strict=True):
        held = ledger.accounts.get(key, EMPTY)
        if held is EMPTY and lamports == minimum_balance(
            MINT_SIZE
        ):  # its making lies before the evidence
            rows = [
                row["uiTokenAmount"]["decimals"]
                for row in result["meta"]["postTokenBalances"]
                if row["mint"] == key
            ]
            ledger.accounts[key] = Account(
                lamports, TOKEN_PROGRAM, mint_data((rows or [0])[0], signed.keys[0])
            )
            continue
        is_program = key in PROGRAMS or key.startswith("Sysvar")
        if held is EMPTY and lamports:
            ledger.accounts[key] = Account(
                lamports, NATIVE_LOADER if is_program else SYSTEM_PROGRAM
            )
        elif held.owner == SYSTEM_PROGRAM and not held.data and held.lamports != lamports:
            ledger.accounts[key] = replace(held, lamports=lamports)
    for row in result["meta"]["preTokenBalances"]:
        key = signed.keys[row["accountIndex"]]
        if ledger.accounts.get(key, EMPTY).owner != TOKEN_PROGRAM:
            held_tokens = TokenAccount(
                row["mint"], row["owner"], int(row["uiTokenAmount"]["amount"])
            )
            ledger.accounts[key] = Account(
                minimum_balance(165), TOKEN_PROGRAM, encode_account(held_tokens)
            )


def transaction_of(result: dict[str, Any]) -> VersionedTransaction:
    return VersionedTransaction.from_bytes(base64.b64decode(result["transaction"][0]))


def put(
    ledger: Ledger, result: dict[str, Any], build: str
) -> tuple[Outcome, dict[str, tuple[Any, Any]]]:
    """A recorded transaction executed, and what came out otherwise than recorded: (drill's,
    recorded) by field.
    """
    signed, loaded = read_signed(transaction_of(result), ledger)
    outcome = execute(ledger, signed, Moment(result["blockTime"], build))
    meta = result["meta"]
    ours = {
        "err": outcome.err,
        "fee": outcome.fee,
        "logMessages": _without_units(outcome.logs),
        "innerInstructions": list(outcome.inner),
        "preBalances": [ledger.accounts.get(key, EMPTY).lamports for key in signed.keys],
        "postBalances": [outcome.ledger.accounts.get(key, EMPTY).lamports for key in signed.keys],
        "preTokenBalances": token_balances(ledger, signed.keys, {}),
        "postTokenBalances": token_balances(outcome.ledger, signed.keys, {}),
        "loadedAddresses": loaded,
    }
    theirs = {**meta, "logMessages": _without_units(meta["logMessages"])}
    return outcome, {
        name: (value, theirs[name]) for name, value in ours.items() if value != theirs[name]
    }


def _without_units(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if " consumed " not in line]


def replay(rows: list[dict[str, Any]], ledger: Ledger) -> tuple[Ledger, list[str]]:
    """Transactions in order on a ledger; builds only advance. Each must come out as recorded in the
    build of then or a later one.

    Nobody recorded the order within one slot across lists: whichever comes out as recorded goes
    first. Gives the ledger after the last, and the build that each was executed in.
    """
    builds, at, left = [], 0, list(rows)
    while left:
        for row in [row for row in left if _moment(row) == _moment(left[0])]:
            found = _next(row, ledger, at)
            if found is not None:
                ledger, at = found
                builds.append(BUILDS[at])
                left.remove(row)
                break
        else:
            wallets(ledger, left[0]["result"])
            raise AssertionError(
                f"{left[0]['signature']}: {put(ledger, left[0]['result'], BUILDS[at])[1]}"
            )
    return ledger, builds


def _next(row: dict[str, Any], ledger: Ledger, at: int) -> tuple[Ledger, int] | None:
    before = Ledger(dict(ledger.accounts))
    wallets(before, row["result"])
    for later in range(at, len(BUILDS)):
        outcome, differs = put(before, row["result"], BUILDS[later])
        if not differs:
            return outcome.ledger, later
    return None
