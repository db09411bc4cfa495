"""What wallets ask of the living worker: proofs, claims, and the verification of ticket receipts."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from popkit.drill.proofs import digest, iso
from popkit.drill.store import LATER, transfer_row
from popkit.drill.worker import Refused
from popkit.protocol.keys import is_pubkey

if TYPE_CHECKING:
    from popkit.drill.desk import Answer, Asked, Desk

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_KEY = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
_SIGNATURE = re.compile(r"[1-9A-HJ-NP-Za-km-z]{64,128}")
_CHECKS = (
    "receiptHashValid", "entryExists", "entryHashValid", "confirmationCodeMatches", "eventIdMatches",
    "globalChainLinkValid", "streamChainLinkValid", "immutablePayloadHashMatches", "immutableSinksMatch",
)  # fmt: skip


def pop_proof(desk: Desk, asked: Asked) -> Answer:
    """POST pop-proof: a proof for whoever asks; the grant is not held against the event, nor the
    claimer against anything.
    """
    if not isinstance(asked.body, dict):
        return 400, {"error": "invalid body"}
    try:
        return 200, _proof(desk, asked.body)
    except Refused as refusal:
        return _status_of(str(refusal)), {"error": str(refusal)}


def _status_of(message: str) -> int:
    if "not configured" in message:
        return 500
    if "not found" in message:
        return 404
    if "verification failed" in message:
        return 409
    return (
        400
        if any(word in message for word in ("not available", "invalid", "out of range"))
        else 500
    )


def _proof(desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    worker = desk.worker
    if desk.signer_error is not None:
        raise Refused(desk.signer_error or "PoP signer is not configured")
    event, grant, claimer = (body.get(name) for name in ("eventId", "grant", "claimer"))
    period = str(body.get("periodIndex", ""))
    wants_code = worker.model != "A"
    code = body.get("confirmationCode")
    given = [event, grant, claimer, *([code] if wants_code else [])]
    if (
        not all(isinstance(value, str) and value for value in given)
        or not period.isascii()
        or not period.isdigit()
    ):
        raise Refused("invalid PoP proof request")
    if int(period) >= 1 << 64:
        raise Refused("periodIndex out of range")
    row = desk._event(str(event))
    if row is None:
        raise Refused("event not found")
    if row["state"] != "published":
        raise Refused("event not available")
    if not all(_KEY.fullmatch(str(key)) for key in (grant, claimer)):
        raise Refused("invalid grant/claimer format")
    if not is_pubkey(grant) or not is_pubkey(claimer):
        raise Refused("invalid grant/claimer bytes")
    if wants_code and (event, code) not in worker.receipts:
        raise Refused("off-chain ticket receipt not found")
    proof = worker.answer_proof(
        str(grant),
        str(claimer),
        int(period),
        _expected(desk, body),
        str(event),
        code if wants_code else None,
    )
    return {
        "signerPubkey": proof.signer,
        "messageBase64": base64.b64encode(proof.message).decode(),
        "signatureBase64": base64.b64encode(proof.signature).decode(),
        "auditHash": proof.audit,
        "prevHash": proof.prev,
        "streamPrevHash": proof.stream,
        "entryHash": proof.entry,
        "issuedAt": proof.issued_at,
    }


def proof_for(desk: Desk, event: str, grant: str, claimer: str) -> None:
    """A proof asked for out of turn, as anybody may: for a grant that need not exist, and with
    somebody's code where one is wanted.

    Raises Refused as the worker refuses.
    """
    code = next((code for of, code in desk.worker.receipts if of == event), None)
    body = {
        "eventId": event,
        "grant": grant,
        "claimer": claimer,
        "periodIndex": "0",
        "confirmationCode": code,
    }
    _proof(desk, body)


def _expected(desk: Desk, body: dict[str, Any]) -> tuple[str, str] | None:
    """The heads that a client read from the chain; the later workers alone look at them."""
    pair = (body.get("expectedPrevHash"), body.get("expectedStreamPrevHash"))
    if not desk.is_later or pair == (None, None):
        return None
    if None in pair:
        raise Refused("expected prev hashes must be provided together")
    if not all(isinstance(value, str) and _HASH.fullmatch(value) for value in pair):
        raise Refused("invalid expected prev hash")
    return str(pair[0]).lower(), str(pair[1]).lower()


def claim(desk: Desk, asked: Asked) -> Answer:
    """POST claims: participation, and later the transaction that carried it. The chain is never
    asked.
    """
    body = asked.body
    if not isinstance(body, dict):
        return 400, {"error": "invalid body"}
    worker, event = desk.worker, body.get("eventId")
    row = desk._event(event) if isinstance(event, str) else None
    if row is None:
        return _failed("not_found", "イベントが見つかりません")
    if row["state"] != "published":
        return _failed("eligibility", "このイベントは参加できません")
    wallet, token = (str(body.get(name) or "").strip() for name in ("walletAddress", "joinToken"))
    if not (wallet or token):
        return _failed("wallet_required", "Phantomに接続してください")
    signature, receipt = body.get("txSignature"), body.get("receiptPubkey")
    linked = all(row.get(name) for name in ("solanaMint", "solanaAuthority", "solanaGrantId"))
    if linked and (signature or receipt):
        for name, value, shape in (
            ("txSignature", signature, _SIGNATURE),
            ("receiptPubkey", receipt, _KEY),
        ):
            if not isinstance(value, str) or not shape.fullmatch(value):
                return _failed(
                    "wallet_required",
                    f"オンチェーンPoP証跡が必要です: {name} is required for on-chain claim",
                )
        if worker.model == "E" and worker.claims.get((row["id"], wallet or token)) != (
            body.get("confirmationCode") or "-"
        ):
            text = "on-chain claim requires off-chain receipt verification first"
            return 409, {"success": False, "error": {"code": "retryable", "message": text}}
    else:
        signature = receipt = None
    already, code, held = worker.take_part(row, wallet, token, signature, receipt)
    found: dict[str, Any] = {
        "success": True,
        "eventName": row["title"],
        "alreadyJoined": already,
        "confirmationCode": code,
    }
    if worker.model in LATER and signature:
        url = f"https://explorer.solana.com/tx/{signature}?cluster=devnet"
        found |= {"txSignature": signature, "receiptPubkey": receipt, "explorerTxUrl": url}
    if worker.model == "E":
        found["claimQuota"] = _quota(row, worker.clock, used=bool(signature))
    return 200, found if held is None else found | {"ticketReceipt": held}


def _quota(row: dict[str, Any], clock: int, used: bool) -> dict[str, Any]:
    """What the newest worker says of claims to come: only one with a transaction uses the interval
    up.
    """
    days, most = row.get("claimIntervalDays") or 30, row.get("maxClaimsPerInterval", 1)
    left = most - used if isinstance(most, int) else most
    head = {
        "claimIntervalDays": days,
        "maxClaimsPerInterval": most,
        "claimsUsedInCurrentInterval": int(used),
    }
    found = head | {"remainingClaimsInCurrentInterval": left, "canClaimNow": left != 0}
    return found | {"nextAvailableAt": clock + days * 86_400_000} if left == 0 else found


def _failed(code: str, message: str) -> Answer:
    """A refusal of a claim: HTTP 200 all the same, as the worker answers."""
    return 200, {"success": False, "error": {"code": code, "message": message}}


def claimants(desk: Desk, asked: Asked, event: str) -> Answer:
    """Who took part in an event; the operator's page."""
    if not asked.authorized:
        return 401, {"error": "Unauthorized"}
    row = desk._event(event)
    if row is None:
        return 404, {
            "success": False,
            "error": {"code": "not_found", "message": "イベントが見つかりません"},
        }
    items = [
        {
            "subject": subject,
            "displayName": "-",
            "confirmationCode": code,
            "claimedAt": desk.worker.claimed_at.get((of, subject), ""),
        }
        for (of, subject), code in desk.worker.claims.items()
        if of == event
    ]
    return 200, {"eventId": event, "eventTitle": row["title"], "items": items}


def transfers(desk: Desk, asked: Asked) -> Answer:
    """The newest claims as transfers, for the master with the people's data and for an admin
    without.
    """
    if not asked.authorized:
        return 401, {"error": "Unauthorized"}
    master = asked.path.startswith("/api/master/")
    limit = min(max(int(asked.query.get("limit", "50")), 1), 200)
    event = asked.query.get("eventId") or None
    scanned = min(
        1000, limit * (8 if desk.is_later and event else 6)
    )  # 8 is an estimate: the recordings show more than 6 there
    newest = sorted(
        desk.worker.entries, key=lambda entry: (entry["ts"], entry["entry_hash"]), reverse=True
    )[:scanned]
    rows = [
        entry
        for entry in newest
        if entry["event"] in ("WALLET_CLAIM", "USER_CLAIM") and event in (None, entry["eventId"])
    ]
    items = [_transfer(entry, master, desk.worker.model == "E") for entry in rows[:limit]]
    view = ("master", "master_full") if master else ("admin", "admin_transfer_visible_no_pii")
    head = {
        "roleView": view[0],
        "strictLevel": view[1],
        "checkedAt": iso(desk.worker.clock),
        "limit": limit,
        "eventId": event,
    }
    return 200, head | {"items": items}


def _transfer(entry: dict[str, Any], master: bool, is_newest: bool) -> dict[str, Any]:
    moved = entry["data"]["transfer"]
    if is_newest and moved["mode"] == "offchain":
        moved = {**moved, "asset": "participation_receipt", "amount": None, "mint": None}
    shown = {**transfer_row(entry), "transfer": moved}
    return {**shown, "pii": entry["data"]["pii"]} if master else shown


def verify(desk: Desk, asked: Asked) -> Answer:
    """POST receipts/verify: a receipt, bare or wrapped."""
    if not isinstance(asked.body, dict):
        return 400, {"error": "invalid body"}
    receipt = asked.body.get("receipt", asked.body)
    if (
        not isinstance(receipt, dict)
        or not isinstance(receipt.get("audit"), dict)
        or receipt.get("version") != 1
    ):
        return 400, {"error": "invalid receipt payload"}
    found = _verified(desk, receipt)
    return (200 if found["ok"] else 409), found


def verify_code(desk: Desk, asked: Asked) -> Answer:
    """POST receipts/verify-code: the receipt of a confirmation code, and whether it holds."""
    if not isinstance(asked.body, dict):
        return 400, {"error": "invalid body"}
    event, code = asked.body.get("eventId"), asked.body.get("confirmationCode")
    receipt = desk.worker.receipts.get((str(event), str(code)))
    if receipt is None:
        return 404, {"error": "ticket receipt not found"}
    found = _verified(desk, receipt)
    body = {
        "ok": found["ok"],
        "checkedAt": found["checkedAt"],
        "eventId": event,
        "confirmationCode": code,
        "receipt": receipt,
    }
    return (200 if found["ok"] else 409), body | {
        "verification": found,
        "verifyByCodeEndpoint": "/api/audit/receipts/verify-code",
    }


def _verified(desk: Desk, receipt: dict[str, Any]) -> dict[str, Any]:
    """The worker's own check of a receipt: unkeyed, and blind to what the reference lists in
    section 3.6.
    """
    said, audit = receipt.get("receiptHash"), receipt["audit"]
    entry = next(
        (row for row in desk.worker.entries if row["entry_hash"] == audit.get("entryHash")), None
    )
    checks = dict.fromkeys(_CHECKS, entry is not None)
    issues = []

    def hold(name: str, holds: bool, code: str, message: str, of: str) -> None:
        checks[name] = holds
        if not holds:
            issues.append({"code": code, "message": message, "field": of})

    own = digest({name: value for name, value in receipt.items() if name != "receiptHash"})
    hold(
        "receiptHashValid",
        own == said,
        "receipt_hash_mismatch",
        "receiptHash does not match canonical receipt payload",
        "receiptHash",
    )
    if entry is None:
        issues.append(
            {
                "code": "entry_not_found",
                "message": "audit entry was not found",
                "field": "audit.entryHash",
            }
        )
    else:
        data, links = (
            entry["data"],
            {row["entry_hash"] for row in desk.worker.entries} | {"GENESIS"},
        )
        preimage = {
            name: value for name, value in entry.items() if name not in ("entry_hash", "immutable")
        }
        hold(
            "entryHashValid",
            digest(preimage) == entry["entry_hash"],
            "entry_hash_mismatch",
            "entry hash mismatch",
            "audit.entryHash",
        )
        matches = data.get("confirmationCode") == receipt.get("confirmationCode")
        text = "confirmationCode does not match the audit entry payload"
        hold(
            "confirmationCodeMatches",
            matches,
            "confirmation_code_mismatch",
            text,
            "confirmationCode",
        )
        hold(
            "eventIdMatches",
            entry["eventId"] == audit.get("eventId"),
            "event_id_mismatch",
            "eventId mismatch",
            "audit.eventId",
        )
        hold(
            "globalChainLinkValid",
            entry["prev_hash"] in links,
            "global_chain_link_missing",
            "previous entry missing",
            "audit.prevHash",
        )
        stream = entry["stream_prev_hash"] in links
        hold(
            "streamChainLinkValid",
            stream,
            "stream_chain_link_missing",
            "previous stream entry missing",
            "audit.streamPrevHash",
        )
    return {
        "ok": not issues,
        "checkedAt": iso(desk.worker.clock),
        "receiptId": receipt.get("receiptId"),
        "eventId": audit.get("eventId"),
        "confirmationCode": receipt.get("confirmationCode"),
        "checks": checks,
        "issues": issues,
        "proof": {
            name: audit.get(name)
            for name in (
                "entryHash",
                "prevHash",
                "streamPrevHash",
                "immutablePayloadHash",
                "immutableSinks",
            )
        },
    }
