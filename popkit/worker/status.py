"""What the worker's status pages say of its signer, and how old they are: a status page is as old
as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.audit.entries import milliseconds
from popkit.chain.clock import SLACK, SlotClock
from popkit.chain.history import History
from popkit.evidence.bundle import Evidence
from popkit.protocol.keys import is_pubkey
from popkit.protocol.pda import pop_config_address


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The signer that the worker's status names (None: none, or hidden), and when it was taken
    (unix seconds; None: not known).

    `collected` is whether any status page is in the case; `configured` what it says of a signer
    (None: nothing).
    """

    signer: str | None = None
    taken_at: int | None = None
    collected: bool = False
    configured: bool | None = None


def read_status(evidence: Evidence) -> WorkerStatus:
    """runtime-status where it names a signer, as it says when it was taken; else pop-status, which
    says no time of its own.

    A pop-status that agrees with a runtime-status is no other; where the two differ, the one with a
    time counts.
    """
    runtime, pop = evidence.answers.get("runtime-status"), evidence.answers.get("pop-status")
    checks = runtime.body.get("checks") if runtime is not None and runtime.is_ok else None
    checks = checks if isinstance(checks, dict) else {}
    stated = pop.body if pop is not None and pop.is_ok else {}
    collected = bool(checks) or bool(stated)
    configured = next(
        (
            bool(value)
            for value in (checks.get("popSignerConfigured"), stated.get("signerConfigured"))
            if value is not None
        ),
        None,
    )
    at = runtime.body.get("checkedAt") if runtime is not None and runtime.is_ok else None
    at_ms = milliseconds(at) if isinstance(at, str) else None
    if is_pubkey(checks.get("popSignerPubkey")):
        return WorkerStatus(
            str(checks["popSignerPubkey"]),
            None if at_ms is None else at_ms // 1000,
            collected,
            configured,
        )
    if is_pubkey(stated.get("signerPubkey")):
        asked = pop.asked_at if pop is not None else None
        return WorkerStatus(
            str(stated["signerPubkey"]),
            None if asked is None else int(asked),
            collected,
            configured,
        )
    return WorkerStatus(None, None if at_ms is None else at_ms // 1000, collected, configured)


def status_counts(status: WorkerStatus, authority: str, history: History, clock: SlotClock) -> bool:
    """Whether the worker's status is known to be no older than pop-config's last change, so that
    the two may be compared.

    Whom an older status names may then have been right, and says nothing of now. A status without a
    time is as old as it may be.
    """
    if status.taken_at is None:
        return False
    changed = history.signer_named_at(authority)
    if changed is not None:
        return status.taken_at >= changed
    config = history.accounts.get(pop_config_address(authority, history.claims.program_id))
    read = clock.earliest(config.slot) if config is not None else None
    return read is not None and status.taken_at >= read - SLACK
