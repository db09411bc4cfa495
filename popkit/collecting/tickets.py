"""Ticket receipts from the worker, one by one: asked for by confirmation code, as a participant
would.

Every ask appends an entry to the worker's audit chain, so this is done only when it is asked for,
and after everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from popkit.collecting.outcomes import Outcome
from popkit.collecting.worker import Request, Said, Worker
from popkit.evidence.layout import RECEIPTS, VERIFY_CODE, claimants_path
from popkit.worker.claim_records import CLAIM_EVENTS


class _Verified(msgspec.Struct):
    receipt: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(slots=True)
class TicketsSeen:
    """How many receipts were kept, the (event, code) pairs for which the worker has none, and what
    could not be asked.
    """

    kept: int = 0
    without: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def collect_tickets(worker: Worker, events: Iterable[str], logs: Said | None) -> TicketsSeen:
    """Every ticket receipt of the events whose confirmation code is known: from their claimants
    (with the token) and from audit-logs.
    """
    seen = TicketsSeen()
    codes = _codes_of_logs(logs)
    for event in sorted(set(events)):
        if worker.has_token:
            path = claimants_path(quote(event, safe=""))
            said = await worker.one(Request(f"claimants {event}", path), "tickets", None)
            if isinstance(said, Said):
                codes |= {
                    (event, str(item["confirmationCode"]))
                    for item in _items(said)
                    if isinstance(item.get("confirmationCode"), str)
                }
            else:
                seen.missing.append(f"claimants of {event}: {said}")
    wanted = sorted(pair for pair in codes if pair[0] in set(events))
    worker.progress.enter("asking for ticket receipts", len(wanted))
    worker.work.touch(RECEIPTS)
    for event, code in wanted:
        body = msgspec.json.encode({"eventId": event, "confirmationCode": code})
        asked = Request(f"verify-code {event} {code}", VERIFY_CODE, good=(200, 409), body=body)
        said = await worker.one(asked, "tickets", None, _receipt)
        if isinstance(said, Said):
            seen.kept += 1
        elif said.startswith(str(Outcome.REFUSED)) and "HTTP 404" in said:
            seen.without.append((event, code))
        else:
            seen.missing.append(f"ticket receipt {event} {code}: {said}")
        worker.progress.step()
    return seen


def _receipt(said: Said) -> Mapping[str, list[bytes]]:
    """The receipt inside an answer, as a line of its own; the server's opinion of it stays in the
    answers alone.
    """
    receipt = bytes(msgspec.json.decode(said.body, type=_Verified).receipt)
    return {RECEIPTS: [receipt]} if receipt.startswith(b"{") else {}


def _items(said: Said) -> list[dict[str, Any]]:
    body = msgspec.json.decode(said.body)
    items = body.get("items") if isinstance(body, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _codes_of_logs(logs: Said | None) -> set[tuple[str, str]]:
    """Event and confirmation code of every claim among the newest entries."""
    body = msgspec.json.decode(logs.body) if logs is not None else None
    rows = body.get("logs") if isinstance(body, dict) else None
    found = set()
    for row in rows if isinstance(rows, list) else ():
        data = (
            row.get("data") if isinstance(row, dict) and row.get("event") in CLAIM_EVENTS else None
        )
        if (
            isinstance(data, dict)
            and isinstance(data.get("confirmationCode"), str)
            and isinstance(row.get("eventId"), str)
        ):
            found.add((row["eventId"], data["confirmationCode"]))
    return found
