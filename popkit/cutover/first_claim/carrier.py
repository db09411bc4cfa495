"""How a canary's claim is sent: by the cutover's own sending, with the signed bytes on the disk
before the first send.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from popkit.cutover.journals.journal import Journal
from popkit.cutover.sending.attempts import Outcome, of_step
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.sending.sending import Rules, prepare, resume, send
from popkit.cutover.signing.keys import Signer


@dataclass(frozen=True, slots=True)
class ByAttempts:
    """Sends with one wallet, under one step of a run. `beat` is the seconds between two sends of
    the same bytes.
    """

    first: Endpoint
    second: Endpoint
    wallet: Signer
    journal: Journal
    attempts: Path
    step: str
    is_strict: bool
    fee_cap_lamports: int
    beat: float
    sleep: Callable[[float], None] = time.sleep

    def send(self, calls: Sequence[Call]) -> Outcome:
        """Prepare, sign and send once. Raises Stopped where the simulation fails or differs: then
        nothing was sent.
        """
        prepared = prepare(
            self.first,
            calls,
            self.wallet.public_key,
            [self.wallet],
            fee_cap_lamports=self.fee_cap_lamports,
            rules=Rules(strict=self.is_strict),
        )
        return send(
            prepared,
            self.first,
            self.second,
            self.attempts,
            self.journal,
            self.step,
            beat=self.beat,
            sleep=self.sleep,
        )

    def resume(self) -> Outcome | None:
        """How the newest attempt of this step ended; None where none was ever signed."""
        earlier = of_step(self.attempts, self.step) if self.attempts.is_dir() else []
        if not earlier:
            return None
        return resume(
            earlier[-1].file,
            self.first,
            self.second,
            self.journal,
            self.step,
            beat=self.beat,
            sleep=self.sleep,
        )
