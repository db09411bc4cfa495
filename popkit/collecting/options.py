"""What a collection is asked for: by the command line, or by a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from popkit.collecting.address import Address
from popkit.collecting.listing import PAGE
from popkit.collecting.peer import Conduct

WORKER_CONDUCT = Conduct(attempts=3, timeout=30.0, max_body=64 * 1024 * 1024)


@dataclass(slots=True)
class Options:
    """A collection's parameters; addresses hold the secrets, everything else may be written down.

    `grants` are public keys, `events` event ids at the worker; `list_program` also lists the whole
    program; `batch` calls a request, `page` rows a list page, `parallel` requests at once. `fresh`
    is the age in seconds up to which an interrupted run's snapshot still counts as one moment with
    what follows.
    """

    out: Path
    name: str
    program_id: str
    rpc: Address | None = None
    second: Address | None = None
    worker: Address | None = None
    has_token: bool = False
    grants: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    list_program: bool = False
    exports: tuple[Path, ...] = ()
    extend: Path | None = None
    collected_at: int | None = None
    conduct: Conduct = field(default_factory=Conduct)
    worker_conduct: Conduct = WORKER_CONDUCT
    batch: int = 40
    page: int = PAGE
    parallel: int = 4
    fresh: float = 120.0
    rounds: int = 3
    seal_now: bool = False
    tickets: bool = False

    def plan(self) -> dict[str, Any]:
        """What makes two runs the same collection; holds no secret, and no rate."""
        return {
            "name": self.name,
            "rpc": self.rpc.shown if self.rpc else None,
            "second_rpc": self.second.shown if self.second else None,
            "worker": self.worker.shown if self.worker else None,
            "token": self.has_token,
            "grants": sorted(self.grants),
            "events": sorted(self.events),
            "program": self.program_id,
            "list_program": self.list_program,
            "ticket_receipts": self.tickets,
            "from": [path.name for path in self.exports],
            "extend": self.extend.name if self.extend else None,
        }
