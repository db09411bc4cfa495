"""The case that a collector makes of a world when each part of it is of a moment of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from popkit.drill import addresses as pda
from popkit.drill.case import account_json
from popkit.drill.proofs import iso
from popkit.drill.store import transfers_page
from popkit.protocol.keys import PROGRAM_ID
from tests.worlds.plays import Play
from tests.worlds.timed import Moment

PARTS = ("accounts", "chain", "statuses", "list", "bucket", "storage", "reports")


@dataclass
class Taken:
    """A case under way: its files, the moment of each part, and the moment of each account's row."""

    files: dict[str, Any]
    moments: dict[str, Moment]
    rows: dict[str, Moment] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    ops: tuple[str, ...] = ()


def take(
    play: Play,
    moments: dict[str, Moment],
    storage: bool,
    bucket: bool,
    rows: random.Random | None = None,
    newest: bool = False,
) -> Taken:
    """The files of a case. `rows` gives each account a moment of its own, not before the accounts'
    moment.

    `collected_at` is the cluster's time at PopState's moment, or with `newest` that of the newest
    part.
    """
    world, final = play.world, play.world.moments[-1]
    at = {part: moments.get(part, final) for part in PARTS}
    taken = Taken({}, at)
    files = taken.files
    _worker_pages(play, at, files)
    if bucket:
        files["worker/r2.jsonl"] = [
            {"key": key, "text": text} for key, text in sorted(at["bucket"].bucket.items())
        ]
    if storage:
        files["worker/storage.jsonl"] = _storage(play, at["storage"])
        files["worker/ticket-receipts.jsonl"] = list(at["storage"].receipts.values())
    files["client/errors.jsonl"] = world.reports[: at["reports"].reports]
    landed = world.landed[: at["chain"].landed]
    addresses = [
        PROGRAM_ID,
        *sorted(world.grants),
        *sorted({h.config for h in world.grants.values()}),
    ]
    files["rpc/signatures.jsonl"] = [
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
        for t in reversed(landed)
        if address in t.keys
    ]
    files["rpc/transactions.jsonl"] = [
        {"signature": t.signature, "result": t.result} for t in landed
    ]
    files["rpc/accounts.jsonl"] = _accounts(play, taken, rows)
    times = [m.now for m in taken.rows.values()] or [at["accounts"].now]
    own = [taken.rows[h.state].now for h in play.handles]
    files["case.json"] = {
        "case": "case-world",
        "cluster": "localnet",
        "program_id": PROGRAM_ID,
        "grants": sorted(world.grants),
        "events": [
            {"event": event, "grant": h.address}
            for event, row in final.events.items()
            for h in play.handles
            if (h.mint, str(h.number)) == (row["solanaMint"], row["solanaGrantId"])
        ],
        "collected_at": max([*times, *(m.now for m in at.values())]) if newest else max(own),
        "sources": {"rpc": "simulation"},
    }
    return taken


def _worker_pages(play: Play, at: dict[str, Moment], files: dict[str, Any]) -> None:
    moment, model = at["statuses"], play.script.model
    status = {
        "enforceOnchainPop": True,
        "signerConfigured": True,
        "signerPubkey": moment.signer,
        "error": None,
    }
    if model == "D":
        status |= {
            "signerMode": "legacy",
            "signerDerivationPath": None,
            "legacySignerEnabled": True,
        }
    rows = [e for e in moment.entries if e["event"] == "WALLET_CLAIM"]
    bodies = {
        "pop-status": status,
        "runtime-status": {
            "ready": True,
            "checkedAt": iso(moment.clock),
            "checks": {"popSignerPubkey": moment.signer},
        },
        "audit-status": {
            "mode": "required",
            "operationalReady": True,
            "primaryImmutableSinkConfigured": True,
        },
        "events": {"items": [{**row, "claimedCount": 0} for row in moment.events.values()]},
        "transfers": transfers_page(rows, iso(moment.clock)),
    }
    listed = sorted(at["list"].entries, key=lambda e: (e["ts"], e["entry_hash"]), reverse=True)[:50]
    bodies["audit-logs"] = {"logs": listed}
    files |= {f"worker/{name}.json": {"status": 200, "body": body} for name, body in bodies.items()}


def _storage(play: Play, moment: Moment) -> list[dict[str, Any]]:
    rows: dict[str, Any] = {f"audit:lastHash:{k}": v for k, v in moment.last.items()}
    for entry in moment.entries:
        rows[f"audit_entry:{entry['entry_hash']}"] = rows[
            f"audit_history:{entry['ts']}:{entry['entry_hash']}"
        ] = entry
    rows |= {f"event:{k}": v for k, v in moment.events.items()} | moment.history
    for grant, (head, stream) in moment.heads.items():
        rows[f"pop_chain:lastHash:global:{grant}"], rows[f"pop_chain:lastHash:stream:{grant}"] = (
            head,
            stream,
        )
    rows |= {f"ticket_receipt:{event}:{code}": r for (event, code), r in moment.receipts.items()}
    return [{"key": key, "value": value} for key, value in sorted(rows.items())]


def _accounts(play: Play, taken: Taken, chance: random.Random | None) -> list[dict[str, Any]]:
    """The accounts that a collector asks for by what it lists, absent ones as null; each as of its
    own moment.
    """
    world, at = play.world, taken.moments
    asked = {a for h in world.grants.values() for a in (h.address, h.config, h.state, h.vault)}
    known = world.tried[: max(at["chain"].tried, at["accounts"].tried)]
    asked |= {pda.receipt_address(t.proof.grant, t.wallet, t.period) for t in known}
    transfers = (
        e["data"].get("transfer", {}) for e in at["list"].entries if e["event"] == "WALLET_CLAIM"
    )
    asked |= {t["receiptPubkey"] for t in transfers if t.get("receiptPubkey") is not None}
    later = [m for m in world.moments if m.ms >= at["accounts"].ms]
    rows = []
    for address in sorted(asked):
        moment = at["accounts"] if chance is None else chance.choice(later)
        taken.rows[address] = moment
        held = moment.ledger.accounts.get(address)
        account = None if held is None else account_json(held)
        rows.append({"pubkey": address, "slot": moment.slot, "account": account})
    return rows
