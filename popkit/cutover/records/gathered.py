"""What a record of a cutover names, as one node holds it: a small case, which the rules of
`diagnose` judge like any other.

Of the old grant everything since its last good claim is asked for, of the new one everything up to
its first claim, of pop-config every change. A list is taken into the case only where the node's own
history reaches back to its beginning, so that what is absent there is absent from the chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pybase64 import b64encode

from popkit.cutover.sending.endpoint import Endpoint, Held, NodeRefused
from popkit.evidence.bundle import Evidence
from popkit.evidence.cutover import Record
from popkit.protocol.genesis import cluster_of
from popkit.protocol.pda import pop_config_address, pop_state_address, vault_address

PAGE, MOST_PAGES = 1000, 20
"""Signatures in a page, and how many pages of one address are asked for."""
OLDEST, MOST = 25, 200
"""Accepted transactions of a list that are fetched: of the new grant from its beginning, of the
others from their end.
"""

Rows = list[dict[str, Any]]


def asked(endpoint: Endpoint, record: Record, genesis: str, place: Path) -> Evidence:
    """The evidence that a node gives of a record, as a case in a folder. Raises Stopped where it
    gives no usable answer.
    """
    old, new = record.old, record.new
    grants = [old.grant, *([new.grant] if new is not None else [])]
    clock = endpoint.clock()
    transactions = {
        signature: endpoint.transaction(signature) for signature in dict.fromkeys(_named(record))
    }
    config = pop_config_address(old.authority, record.program_id)
    lists = dict[str, Rows | None]()
    if old.last_good is None or _reaches(
        endpoint, old.last_good.slot, transactions[old.last_good.signature]
    ):
        lists[old.grant] = _since(
            endpoint, old.grant, old.last_good.signature if old.last_good is not None else None
        )
    if any(
        found is not None for found in transactions.values()
    ):  # what is stated to be older than the switch, or is the switch
        lists[config] = _since(endpoint, config, None)
        if new is not None:
            lists[new.grant] = _oldest(_since(endpoint, new.grant, None))
    kept = {
        address: rows
        for address, rows in lists.items()
        if rows is not None and _accepted(rows) <= MOST
    }
    wanted = [row["signature"] for rows in kept.values() for row in rows if row.get("err") is None]
    transactions |= {
        signature: endpoint.transaction(signature)
        for signature in dict.fromkeys(wanted)
        if signature not in transactions
    }
    # Accounts last: what they show is then no older than the lists.
    accounts = endpoint.accounts(
        [*(key for grant in grants for key in _accounts_of(grant, record.program_id)), config]
    )
    rows_of: dict[str, Rows] = {
        "rpc/accounts.jsonl": [
            {"pubkey": key, "slot": accounts.slot, "account": _value(held)}
            for key, held in accounts.items()
        ],
        "rpc/transactions.jsonl": [
            {"signature": key, "result": found}
            for key, found in transactions.items()
            if found is not None
        ],
        "rpc/signatures.jsonl": [
            {"address": address, **row} for address, rows in kept.items() for row in rows
        ],
    }
    (place / "rpc").mkdir(parents=True)
    for name, lines in rows_of.items():
        (place / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    header = {
        "case": "asked",
        "cluster": cluster_of(genesis),
        "program_id": record.program_id,
        "grants": grants,
        "events": [],
    }
    (place / "case.json").write_text(
        json.dumps(header | {"collected_at": clock.block_time, "sources": {}})
    )
    return Evidence(place)


def _named(record: Record) -> Iterator[str]:
    """The transactions that a record names."""
    yield from (sent.signature for sent in record.transactions if sent.signature is not None)
    if record.old.last_good is not None:
        yield record.old.last_good.signature
    if record.canary is not None and record.canary.signature is not None:
        yield record.canary.signature


def _accounts_of(grant: str, program: str) -> tuple[str, str, str]:
    return grant, vault_address(grant, program), pop_state_address(grant, program)


def _value(held: Held | None) -> dict[str, Any] | None:
    """An account as getAccountInfo gives it."""
    if held is None:
        return None
    data = [b64encode(held.data).decode(), "base64"]
    return {
        "lamports": held.lamports,
        "owner": held.owner,
        "executable": held.executable,
        "data": data,
        "rentEpoch": 0,
    }


def _reaches(endpoint: Endpoint, slot: int, found: dict[str, Any] | None) -> bool:
    """Whether a node's history reaches back to a slot: it holds what is stated to have landed
    there, or says that it keeps that slot.
    """
    if found is not None:
        return True
    try:
        first = endpoint.ask("getFirstAvailableBlock", [])
    except NodeRefused:
        return False
    return type(first) is int and first <= slot


def _since(endpoint: Endpoint, address: str, until: str | None) -> Rows | None:
    """An address's transactions, newest first, down to one (left out); None where there are more
    than are worth asking for.
    """
    config: dict[str, Any] = {
        "commitment": "finalized",
        "limit": PAGE,
        "minContextSlot": endpoint.newest_slot,
    }
    config |= {} if until is None else {"until": until}
    found: Rows = []
    for _ in range(MOST_PAGES):
        page = endpoint.ask("getSignaturesForAddress", [address, config])
        if not isinstance(page, list) or not all(
            isinstance(row, dict) and isinstance(row.get("signature"), str) for row in page
        ):
            raise endpoint.malformed("getSignaturesForAddress")
        found += page
        if len(page) < PAGE:
            return found
        config["before"] = page[-1]["signature"]
    return None


def _oldest(rows: Rows | None) -> Rows | None:
    """The beginning of a list, newest first, with so many accepted transactions that the first
    claim is among them.
    """
    if rows is None:
        return None
    count, kept = 0, list[dict[str, Any]]()
    for row in reversed(rows):
        count += row.get("err") is None
        kept.append(row)
        if count == OLDEST:
            break
    return kept[::-1]


def _accepted(rows: Rows) -> int:
    return sum(row.get("err") is None for row in rows)
