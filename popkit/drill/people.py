"""What the command line asks of a running drill: time passes, wallets claim, the answer is opened."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from popkit.drill import addresses
from popkit.drill.live import Drill
from popkit.drill.store import LATER, SinkFailed
from popkit.drill.upsets import UPSETS
from popkit.drill.worker import Refused
from popkit.drill.world import GrantHandle
from popkit.errors import UsageError
from popkit.protocol.error_table import names_of
from popkit.texts import LANGUAGES, speak

MOST_SECONDS = 400 * 86400
MOST_CLAIMS = 200


@dataclass(slots=True)
class Hands:
    """The hands on a running drill. `told` is what the incident is, `answer_text` the sealed bytes,
    `digest` their SHA-256.
    """

    drill: Drill
    told: object
    answer_text: str
    digest: str
    revealed: bool = False
    backup: dict[str, Any] | None = None
    _count: int = field(default=0)

    def answer(self, what: str, given: Any) -> dict[str, Any]:
        """The answer to one request. Raises ValueError for what cannot be done, KeyError for what
        is not known.
        """
        self.drill.clock.turn()
        self.drill.chain.advance()
        return {
            "clock": self.clock,
            "claim": self.claim,
            "upset": self.upset,
            "status": self.status,
            "reveal": self.reveal,
        }[what](given)

    def clock(self, given: Any) -> dict[str, Any]:
        """Let time pass."""
        seconds = float(given["seconds"])
        if not 0 <= seconds <= MOST_SECONDS:
            raise ValueError(f"expected from 0 to {MOST_SECONDS} seconds; time does not go back")
        self.drill.clock.skip(seconds)
        self.drill.chain.advance()
        return {"now": self.drill.world.now, "slot": self.drill.world.slot}

    def claim(self, given: Any) -> dict[str, Any]:
        """New wallets claim on the newest published event, as the app does: simulated first, and
        sent only when that is well.
        """
        count = int(given["count"])
        if not 1 <= count <= MOST_CLAIMS:
            raise ValueError(f"expected from 1 to {MOST_CLAIMS} wallets")
        grant, event = self.newest()
        outcomes = Counter(self._one(grant, event) for _ in range(count))
        return {"grant": grant.address, "event": event, "outcomes": dict(sorted(outcomes.items()))}

    def _one(self, grant: GrantHandle, event: str) -> str:
        world, wallet = self.drill.world, self.somebody("visitor")
        terms = world.ledger.grants.get(grant.address)
        if terms is None:
            return "the grant is not there"
        period = max(0, (world.now - terms.start_ts) // terms.period_seconds)
        expected = world.head(grant) if world.worker.model in LATER else None
        try:
            proof = world.worker.issue(
                grant.address, world.address(wallet), period, expected=expected, event=event
            )
        except (
            Exception
        ) as error:  # whatever the worker is made to fail with, the wallet shows and goes away
            return f"no proof: {error}"
        tried = world.simulate(grant, proof, wallet, period)
        if tried.err is not None:
            found = names_of(tried.error, None) if tried.error is not None else ()
            return f"simulation refused: {found[0] if found else tried.err}"
        landed = world.claim(grant, proof, wallet, period)
        receipt = addresses.receipt_address(grant.address, world.address(wallet), period)
        world.worker.claim_record(
            grant.address, world.address(wallet), landed.signature, receipt, event
        )
        return "accepted"

    def newest(self) -> tuple[GrantHandle, str]:
        """The grant and event that a wallet meets: the newest published event that names a grant."""
        for event, row in reversed(self.drill.worker.events.items()):
            if row["state"] == "published" and all(
                row.get(name) for name in ("solanaMint", "solanaAuthority", "solanaGrantId")
            ):
                return self.drill.world.handle(
                    row["solanaAuthority"], row["solanaMint"], int(row["solanaGrantId"])
                ), event
        raise ValueError("no published event names a grant")

    def upset(self, given: Any) -> dict[str, Any]:
        """Something goes wrong, or right again."""
        what, value = str(given["upset"]), given.get("value")
        found = UPSETS.get(what)
        if found is None:
            raise ValueError(f"expected one of {', '.join(UPSETS)}, observed {what}")
        try:
            found.do(self, "" if value is None else str(value))
        except (UsageError, Refused, SinkFailed) as error:
            raise ValueError(str(error)) from None
        self.drill.chain.advance()
        return {"done": {language: speak(found.effect(), language) for language in LANGUAGES}}

    def somebody(self, role: str) -> str:
        """The role of somebody new."""
        self._count += 1
        return f"{role} {self._count}"

    def status(self, given: Any) -> dict[str, Any]:
        """Where the drill stands, without what is sealed."""
        world = self.drill.world
        landed = Counter("accepted" if block.err is None else "refused" for block in world.landed)
        grant, event = self.newest()
        return {
            "now": world.now,
            "slot": world.slot,
            "finalized": self.drill.chain.slot_at("finalized"),
            "transactions": dict(sorted(landed.items())),
            "newest_grant": grant.address,
            "newest_event": event,
            "answer_sha256": self.digest,
            "revealed": self.revealed,
        }

    def reveal(self, given: Any) -> dict[str, Any]:
        """Open the answer."""
        self.revealed = True
        told = {language: speak(self.told, language) for language in LANGUAGES}
        return {
            "told": told,
            "sealed": self.answer_text,
            "answer_sha256": self.digest,
            **json.loads(self.answer_text),
        }
