"""What the command line asks of a running drill: time passes, wallets claim, the answer is opened."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from popkit.drill import addresses
from popkit.drill.live import Drill
from popkit.drill.store import LATER
from popkit.drill.world import GrantHandle
from popkit.protocol.error_table import names_of
from popkit.texts import LANGUAGES, speak

UPSETS = {
    "worker-down": "the worker answers nothing but 503",
    "worker-up": "the worker answers again",
    "sink-fails": "the immutable sink takes nothing: proofs and claims end with 503",
    "sink-works": "the immutable sink works again",
    "backup": "a backup of the worker's storage was taken",
    "restore": "the backup was put back; the bucket stays",
    "key-rotated": "the worker signs with a new key; pop-config names the old one",
    "clock": "the worker's clock was moved",
    "doubled": "a second worker with a copy of the key issued a proof, which was sent",
}
MOST_SECONDS = 400 * 86400
MOST_CLAIMS = 200


@dataclass(slots=True)
class Hands:
    """The hands on a running drill. `told` is what the incident is, `answer_text` the sealed bytes, `digest` their SHA-256."""

    drill: Drill
    told: object
    answer_text: str
    digest: str
    revealed: bool = False
    _count: int = field(default=0)
    _backup: dict[str, Any] | None = None

    def answer(self, what: str, given: Any) -> dict[str, Any]:
        """The answer to one request. Raises ValueError for what cannot be done, KeyError for what is not known."""
        self.drill.clock.turn()
        self.drill.chain.advance()
        return {"clock": self.clock, "claim": self.claim, "upset": self.upset, "status": self.status, "reveal": self.reveal}[what](given)

    def clock(self, given: Any) -> dict[str, Any]:
        """Let time pass."""
        seconds = float(given["seconds"])
        if not 0 <= seconds <= MOST_SECONDS:
            raise ValueError(f"expected from 0 to {MOST_SECONDS} seconds; time does not go back")
        self.drill.clock.skip(seconds)
        self.drill.chain.advance()
        return {"now": self.drill.world.now, "slot": self.drill.world.slot}

    def claim(self, given: Any) -> dict[str, Any]:
        """New wallets claim on the newest published event, as the app does: simulated first, and sent only when that is well."""
        count = int(given["count"])
        if not 1 <= count <= MOST_CLAIMS:
            raise ValueError(f"expected from 1 to {MOST_CLAIMS} wallets")
        grant, event = self.newest()
        outcomes = Counter(self._one(grant, event) for _ in range(count))
        return {"grant": grant.address, "event": event, "outcomes": dict(sorted(outcomes.items()))}

    def _one(self, grant: GrantHandle, event: str) -> str:
        self._count += 1
        world, wallet = self.drill.world, f"visitor {self._count}"
        terms = world.ledger.grants.get(grant.address)
        if terms is None:
            return "the grant is not there"
        period = max(0, (world.now - terms.start_ts) // terms.period_seconds)
        expected = world.head(grant) if world.worker.model in LATER else None
        try:
            proof = world.worker.issue(grant.address, world.address(wallet), period, expected=expected, event=event)
        except Exception as error:  # whatever the worker is made to fail with, the wallet shows and goes away
            return f"no proof: {error}"
        tried = world.simulate(grant, proof, wallet, period)
        if tried.err is not None:
            found = names_of(tried.error, None) if tried.error is not None else ()
            return f"simulation refused: {found[0] if found else tried.err}"
        landed = world.claim(grant, proof, wallet, period)
        receipt = addresses.receipt_address(grant.address, world.address(wallet), period)
        world.worker.claim_record(grant.address, world.address(wallet), landed.signature, receipt, event)
        return "accepted"

    def newest(self) -> tuple[GrantHandle, str]:
        """The grant and event that a wallet meets: the newest published event that names a grant."""
        for event, row in reversed(self.drill.worker.events.items()):
            if row["state"] == "published" and all(row.get(name) for name in ("solanaMint", "solanaAuthority", "solanaGrantId")):
                return self.drill.world.handle(row["solanaAuthority"], row["solanaMint"], int(row["solanaGrantId"])), event
        raise ValueError("no published event names a grant")

    def upset(self, given: Any) -> dict[str, Any]:
        """Something of the worker goes wrong, or right again."""
        worker, what = self.drill.worker, str(given["upset"])
        value = given.get("value")
        if what in ("worker-down", "worker-up"):
            self.drill.desk.down = what == "worker-down"
        elif what in ("sink-fails", "sink-works"):
            worker.failing = ("API_POST", "POP_CLAIM", "WALLET") if what == "sink-fails" else ()
        elif what == "backup":
            self._backup = worker.backup()
        elif what == "restore" and self._backup is not None:
            worker.restore(self._backup)
        elif what == "key-rotated":
            self._count += 1
            worker.key = self.drill.world.key(f"rotated {self._count}")
        elif what == "clock":
            worker.offset_ms += int(1000 * float(value or 0))
        elif what == "doubled":
            self._count += 1
            grant, _ = self.newest()
            clone = worker.clone(f"double {self._count}")
            clone.receipts, clone.claims = dict(worker.receipts), dict(worker.claims)
            wallet = f"guest {self._count}"
            expected = self.drill.world.head(grant) if worker.model in LATER else None
            proof = clone.issue(grant.address, self.drill.world.address(wallet), expected=expected)
            self.drill.world.claim(grant, proof, wallet)
        else:
            raise ValueError(f"expected one of {', '.join(UPSETS)} (restore needs a backup first), observed {what}")
        return {"done": UPSETS[what]}

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
        return {"told": told, "sealed": self.answer_text, "answer_sha256": self.digest, **json.loads(self.answer_text)}
