"""Worlds and their judgements: a case written, opened and asked, and the small edits that take
evidence away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import popkit
from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.world import GrantHandle, World
from popkit.facts import Facts
from popkit.verdict.judge import Judge
from popkit.verdict.judgement import Judgement
from popkit.worker.fate import Fates

TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
STORAGE, BUCKET, LOGS = "worker/storage.jsonl", "worker/r2.jsonl", "worker/audit-logs.json"


def facts_of(path: Path, files: dict[str, Any]) -> Facts:
    return popkit.open_case(write_case(path, files)).facts


def judged(path: Path, files: dict[str, Any], handle: GrantHandle) -> Judgement:
    """The judgement of a grant."""
    return Judge(facts_of(path, files)).judge(handle.address)


def fates_of(path: Path, files: dict[str, Any], handle: GrantHandle) -> Fates:
    """The fates of a grant's proofs."""
    facts = facts_of(path, files)
    return Fates(facts, facts.line(handle.address))


def hide(files: dict[str, Any], *signatures: str, listed: bool = False) -> dict[str, Any]:
    """The case of a node that leaves transactions out; with `listed` its list still names them."""
    for name in (TRANSACTIONS,) if listed else (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] not in signatures]
    return files


def forget(files: dict[str, Any], *addresses: str) -> dict[str, Any]:
    """The case without some accounts."""
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] not in addresses]
    return files


def account(files: dict[str, Any], address: str) -> dict[str, Any]:
    """The row of an account, to be edited."""
    [row] = [row for row in files[ACCOUNTS] if row["pubkey"] == address]
    assert isinstance(row, dict)
    return row


def without_times(files: dict[str, Any]) -> dict[str, Any]:
    """The case of a node that gives no block times."""
    for row in (*files[TRANSACTIONS], *files[SIGNATURES]):
        row.get("result", row)["blockTime"] = None
    return files


def read_earlier(files: dict[str, Any], earlier: dict[str, Any], *addresses: str) -> dict[str, Any]:
    """The case with some accounts as they were read at an earlier moment."""
    kept = [row for row in files[ACCOUNTS] if row["pubkey"] not in addresses]
    files[ACCOUNTS] = kept + [row for row in earlier[ACCOUNTS] if row["pubkey"] in addresses]
    return files


def stated_whole(files: dict[str, Any], handle: GrantHandle, **row: Any) -> dict[str, Any]:
    """The case whose collector states that the grant's list is whole; `row` changes what it states."""
    stated = {"address": handle.address, "role": "grant", "complete": True, "because": [], **row}
    files["case.json"] = {
        **files["case.json"],
        "sources": {**files["case.json"]["sources"], "completeness": [stated]},
    }
    return files


def receipt(world: World, handle: GrantHandle, wallet: str, period: int = 0) -> str:
    return pda.receipt_address(handle.address, world.address(wallet), period)
