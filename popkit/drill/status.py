"""The living worker's status pages: what it says of its signer and its audit trail, redacted where
nobody signed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from popkit.drill.proofs import iso
from popkit.drill.rotation import OFF, signer_page

if TYPE_CHECKING:
    from popkit.drill.desk import Answer, Asked, Desk

FALLBACK = "PoP legacy signer fallback is enabled; set POP_SIGNER_LEGACY_ENABLED=false for HD-only production mode"
REDACTED = "Some runtime details are redacted; use Authorization to view full diagnostics"
NO_SINK = "Audit immutable sink is not operational while AUDIT_IMMUTABLE_MODE=required"


def pop_status(desk: Desk, asked: Asked) -> Answer:
    """GET pop-status: which key signs, and for an operator how it comes about."""
    configured = desk.signer_error is None
    body: dict[str, Any] = {
        "enforceOnchainPop": True,
        "signerConfigured": configured,
        "signerPubkey": desk.worker.signer if configured else None,
    }
    if not desk.is_later:
        return 200, body | {"error": desk.signer_error or None}
    if not asked.authorized:
        return 200, body | {"detailsRedacted": True}
    how = signer_page(desk.worker.rotation, int(desk.now))
    mode = {
        "signerMode": how["mode"],
        "signerDerivationPath": how["path"],
        "signerRotation": how["rotation"],
    }
    return 200, body | mode | {
        "legacySignerEnabled": how["legacy"],
        "error": desk.signer_error or None,
    }


def runtime_status(desk: Desk, asked: Asked) -> Answer:
    """GET runtime-status: whether the worker is ready, by what is configured; nothing of it looks
    at the chain.
    """
    configured, shown = desk.signer_error is None, asked.authorized or not desk.is_later
    error = desk.signer_error or None
    how = signer_page(desk.worker.rotation, int(desk.now))
    checks: dict[str, Any] = {
        "adminPasswordConfigured": True,
        "popEnforced": True,
        "popSignerConfigured": configured,
        "popSignerPubkey": desk.worker.signer if configured else None,
    }
    if desk.is_later:
        checks |= {
            "popSignerMode": how["mode"] if shown else None,
            "popSignerDerivationPath": how["path"] if shown else None,
            "popSignerRotation": how["rotation"] if shown else OFF,
            "popSignerLegacyEnabled": shown and how["legacy"],
        }
    checks |= {
        "popSignerError": error if shown or error is None else "redacted",
        "auditMode": "required",
        "auditOperationalReady": not desk.sinkless,
        "auditPrimarySinkConfigured": not desk.sinkless,
    }
    if desk.is_later:
        names = ("costOfForgeryEnabled", "costOfForgeryOperationalReady", "costOfForgeryFailClosed")
        checks |= dict(zip(names, (False, True, True), strict=True))
    checks["corsOrigin"] = "https://tickets.example" if shown else None
    issues = _issues(desk, shown)
    body = {"ready": not issues, "checkedAt": iso(desk.worker.clock), "checks": checks}
    return 200, body | {"blockingIssues": issues, "warnings": _warnings(desk, shown, how["legacy"])}


def _issues(desk: Desk, shown: bool) -> list[str]:
    issues = []
    if desk.signer_error:
        detail = f": {desk.signer_error}" if shown else " (details redacted)"
        issues.append(f"PoP signer configuration error{detail}")
    elif desk.signer_error is not None:
        issues.append("PoP signer is not configured")
    return [*issues, NO_SINK] if desk.sinkless else issues


def _warnings(desk: Desk, shown: bool, legacy: bool) -> list[str]:
    if not desk.is_later:
        return []
    return [REDACTED] if not shown else [FALLBACK] if legacy else []


def audit_status(desk: Desk, asked: Asked) -> Answer:
    """GET audit-status: what is configured, which is not what works."""
    ready = not desk.sinkless
    sinks = {"r2Configured": ready, "kvConfigured": True, "ingestConfigured": False}
    head = {"mode": "required", "failClosedForMutatingRequests": True, "operationalReady": ready}
    return 200, head | {"primaryImmutableSinkConfigured": ready, "sinks": sinks}
