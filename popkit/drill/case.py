"""The case that a collector would make of a world: every file of the format, to be edited by a
scenario and then written.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from popkit.drill import addresses as pda
from popkit.drill.ledger import Account
from popkit.drill.world import World
from popkit.evidence.layout import (
    ACCOUNTS,
    BUCKET_LINES,
    HEADER,
    MANIFEST,
    NAMED,
    RECEIPTS,
    REPORTS,
    SIGNATURES,
    STORAGE,
    TRANSACTIONS,
)
from popkit.protocol.keys import PROGRAM_ID


def collect(
    world: World,
    worker: bool = True,
    bucket: bool = True,
    storage: bool = False,
    logs: bool = True,
    reports: bool = False,
    receipts: bool = False,
) -> dict[str, Any]:
    """Every file of a case of this moment: a list is a .jsonl, anything else a .json document."""
    files: dict[str, Any] = {}
    if worker:
        files |= {NAMED[name].file: body for name, body in world.worker.status_pages(logs).items()}
        if bucket:
            files[BUCKET_LINES] = world.worker.bucket_rows()
        if storage:
            files[STORAGE] = world.worker.storage_rows()
        if receipts:
            files[RECEIPTS] = list(world.worker.receipts.values())
    if reports:
        files[REPORTS] = world.reports
    world.tick(1)
    files[SIGNATURES] = _signatures(world)
    files[TRANSACTIONS] = [{"signature": t.signature, "result": t.result} for t in world.landed]
    files[ACCOUNTS] = _accounts(world)
    grants = {(h.mint, str(h.number)): h.address for h in world.grants.values()}
    events = world.worker.events.items()
    files[HEADER] = {
        "case": f"case-{world.name}",
        "cluster": "localnet",
        "program_id": PROGRAM_ID,
        "grants": sorted(world.grants),
        "events": [
            {"event": event, "grant": grants[row["solanaMint"], row["solanaGrantId"]]}
            for event, row in events
        ],
        "collected_at": world.now,
        "sources": {"rpc": "simulation"},
    }
    return files


def collect_at(world: World, second: int, **parts: bool) -> dict[str, Any]:
    """The case of a moment: its accounts are read, and `collected_at` is, at that unix second."""
    world.ms = (second - 1) * 1000 + 100
    files = world.collect(**parts)
    assert files[HEADER]["collected_at"] == second
    return files


def write_case(path: Path, files: dict[str, Any]) -> Path:
    """Write a case and its manifest."""
    lines = []
    for name, content in sorted(files.items()):
        if name.endswith(".jsonl"):
            text = "".join(
                json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in content
            )
        else:
            text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
        lines.append(f"{sha256(text.encode()).hexdigest()}  {name}\n")
    (path / MANIFEST).write_text("".join(lines))
    return path


def _signatures(world: World) -> list[dict[str, Any]]:
    addresses = [PROGRAM_ID, *world.grants, *sorted({h.config for h in world.grants.values()})]
    return [
        {
            "address": address,
            "signature": t.signature,
            "slot": t.slot,
            "err": t.err,
            "memo": None,
            "blockTime": t.time,
            "confirmationStatus": "finalized",
        }
        for address in addresses
        for t in reversed(world.landed)
        if address in t.keys
    ]


def _accounts(world: World) -> list[dict[str, Any]]:
    """The accounts a collector would ask for, absent ones as null."""
    asked = {a for h in world.grants.values() for a in (h.address, h.config, h.state, h.vault)}
    asked |= {pda.receipt_address(*attempt) for attempt in world.attempted}
    transfers = (
        e["data"].get("transfer", {}) for e in world.worker.entries if e["event"] == "WALLET_CLAIM"
    )
    asked |= {t["receiptPubkey"] for t in transfers if t.get("receiptPubkey") is not None}
    rows = []
    for address in sorted(asked):
        held = world.ledger.accounts.get(address)
        account = None if held is None else account_json(held)
        rows.append({"pubkey": address, "slot": world.slot, "account": account})
    return rows


def account_json(held: Account) -> dict[str, Any]:
    """An account as getAccountInfo gives it, in base64."""
    return {
        "data": [base64.b64encode(held.data).decode(), "base64"],
        "executable": held.executable,
        "lamports": held.lamports,
        "owner": held.owner,
        "rentEpoch": 18446744073709551615,
        "space": len(held.data),
    }
