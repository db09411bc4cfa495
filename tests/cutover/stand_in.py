"""Sends a canary's claim without the cutover's own sending: signed, sent once, awaited; attempts
are kept in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pybase64 import b64encode

from popkit.cutover.sending.endpoint import Endpoint, NodeRefused
from popkit.cutover.sending.transactions import Call, message_of, signature_of, wire_of
from popkit.cutover.signing.keys import Signer


@dataclass(frozen=True)
class Landing:
    kind: str
    signature: str
    error: Any = None
    differences: tuple[Any, ...] = ()


@dataclass
class StandIn:
    """`dies` is called with "signed" and "sent" and may raise, as a kill would end the process
    there.
    """

    first: Endpoint
    wallet: Signer
    dies: Callable[[str], None] = lambda _: None
    signed: list[bytes] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    ends: dict[str, str] = field(default_factory=dict)
    """Ends that a test decides, by signature."""

    def send(self, calls: Sequence[Call]) -> Landing:
        message = message_of(calls, self.wallet.public_key, self.first.blockhash().blockhash)
        wire = wire_of(message, {self.wallet.public_key: self.wallet.sign(message)})
        self.signed.append(wire)
        self.dies("signed")
        try:
            self.first.post(
                "sendTransaction",
                [b64encode(wire).decode(), {"encoding": "base64", "maxRetries": 0}],
            )
        except NodeRefused as refused:
            return Landing("expired", signature_of(wire), refused.message)
        self.sent.add(signature_of(wire))
        self.dies("sent")
        return self._end(signature_of(wire))

    def resume(self) -> Landing | None:
        return self._end(signature_of(self.signed[-1])) if self.signed else None

    def _end(self, signature: str) -> Landing:
        if signature in self.ends:
            return Landing(self.ends[signature], signature)
        for _ in range(
            200 if signature in self.sent else 1
        ):  # what was never sent needs no waiting
            status = self.first.status(signature)
            if status is not None and status.get("confirmationStatus") == "finalized":
                return Landing(
                    "landed" if status["err"] is None else "failed", signature, status["err"]
                )
            time.sleep(0.02)
        return Landing("expired", signature)
