"""The worker of the reference in models A, B, D and E: events, claims and proofs, on what it keeps
(`store`).
"""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from popkit.drill.proofs import GENESIS, Proof, digest, iso, mask, sign_proof
from popkit.drill.store import LATER, Store
from popkit.evidence.layout import EVENTS

if TYPE_CHECKING:
    from popkit.drill.world import GrantHandle

REUSED_SECONDS = 480
_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class Refused(Exception):
    """The worker refuses a request; the text is its message."""


class Worker(Store):
    """One worker instance. `model` A: audit_hash is the anchor's hash; B: receipt-gated; D: as B,
    parents may be the client's; E: as D, and a young proof is handed out again.
    """

    def open_event(self, grant: GrantHandle, title: str = "Clean-up") -> str:
        """Link a new event to a grant."""
        event = f"evt-{self.name[:1]}{len(self.events)}{grant.number}"
        self.events[event] = {
            "id": event,
            "title": title,
            "datetime": "2026/02/22 10:00-12:00",
            "host": "Council",
            "state": "published",
            "solanaMint": grant.mint,
            "solanaAuthority": grant.authority,
            "solanaGrantId": str(grant.number),
            "ticketTokenAmount": 1,
            "claimIntervalDays": 30,
            "maxClaimsPerInterval": 1,
        }
        data = {k: v for k, v in self.events[event].items() if k not in ("id", "state")}
        self.append(
            "EVENT_CREATE",
            event,
            {"type": "master", "id": "master"},
            {**data, "eventId": event, "createdByAdminId": "master"},
        )
        self.api("POST", EVENTS.path, status=201)
        return event

    def create_event(self, row: dict[str, Any]) -> dict[str, Any]:
        """Keep an event that an operator made; its id tells when, as the real one's does."""
        number, digits = self.clock, ""
        while number:
            number, digit = divmod(number, 36)
            digits = _BASE36[digit] + digits
        event = f"evt-{digits}"
        self.events[event] = {"id": event, **row}
        created = {
            "createdByAdminId": "master",
            "createdByAdminName": "Master Operator",
            "createdBySource": "master",
        }
        data = (
            {name: value for name, value in row.items() if name != "state"}
            | {"eventId": event}
            | created
        )
        self.append("EVENT_CREATE", event, {"type": "master", "id": "master"}, data)
        return self.events[event]

    def take_part(
        self,
        row: dict[str, Any],
        wallet: str,
        token: str,
        signature: str | None,
        receipt: str | None,
    ) -> tuple[bool, str, dict[str, Any] | None]:
        """A participation, or the transaction of one: (already there, confirmation code, ticket
        receipt).
        """
        event, subject = row["id"], wallet or token
        seen = self.claims.get((event, subject))
        code = seen or "".join(
            _CODE[byte % 32]
            for byte in sha256(f"{self.name}{event}{subject}".encode()).digest()[:6]
        )
        off_chain = (
            self.model == "E" and signature is None
        )  # the newest worker calls it a receipt, and no tokens
        if seen is None or (signature is not None and self.model in LATER):
            transfer = {
                "mode": "onchain" if signature else "offchain",
                "asset": "participation_receipt" if off_chain else "ticket_token",
                "amount": None if off_chain else row.get("ticketTokenAmount") or 1,
                "mint": None if off_chain else row.get("solanaMint"),
                "txSignature": signature,
                "receiptPubkey": receipt,
                "sender": {
                    "type": "grant_authority",
                    "id": row.get("solanaAuthority") or f"grant:{event}",
                },
                "recipient": {"type": "wallet" if wallet else "join_token", "id": subject},
            }
            data = {
                "eventId": event,
                "status": "already" if seen else "created",
                "confirmationCode": code,
                "transfer": transfer,
                "pii": {"walletAddress": wallet} if wallet else {"joinToken": token},
            }
            self.claims[event, subject] = (
                code  # stored before the entry, so that a sink's failure leaves it without one
            )
            self.claimed_at.setdefault((event, subject), iso(self.clock))
            entry = self.append("WALLET_CLAIM", event, {"type": "wallet", "id": subject}, data)
            if seen is None:
                self._ticket_receipt(entry, event, code, subject)
        return seen is not None, code, self.receipts.get((event, code))

    def event_of(self, grant: str) -> str:
        """The event of a grant: the first linked; the id alone where this worker never linked one."""
        handle = self.world.grants[grant]
        links = [
            e
            for e, row in self.events.items()
            if row["solanaGrantId"] == str(handle.number) and row["solanaMint"] == handle.mint
        ]
        return links[0] if links else "evt-none"

    def claim_record(
        self,
        grant: str,
        wallet: str,
        signature: str | None,
        receipt: str | None,
        event: str | None = None,
        user: str | None = None,
    ) -> None:
        """The wallet tells the worker of its claim (off-chain first from model B on); with `user`
        somebody with a name and a PIN does.

        A user's claim may name no wallet: then `wallet` is empty.
        """
        event = event or self.event_of(grant)
        handle, subject = self.world.grants[grant], user or wallet
        seen = self.claims.get((event, subject))
        code = seen or sha256(f"{event}{subject}".encode()).hexdigest()[:6].upper()
        kind, name = ("wallet", "WALLET_CLAIM") if user is None else ("user", "USER_CLAIM")
        if seen is None or signature is not None:
            transfer = {
                "mode": "onchain" if signature else "offchain",
                "asset": "ticket_token",
                "amount": 1,
                "mint": handle.mint,
                "txSignature": signature,
                "receiptPubkey": receipt,
                "sender": {"type": "grant_authority", "id": handle.authority},
                "recipient": {"type": "wallet", "id": wallet}
                if wallet
                else {"type": "user", "id": subject},
            }
            data = {
                "eventId": event,
                "status": "already" if seen else "created",
                "confirmationCode": code,
                "transfer": transfer,
                "pii": ({"userId": user} if user else {})
                | ({"walletAddress": wallet} if wallet else {}),
            }
            entry = self.append(name, event, {"type": kind, "id": subject}, data)
            if seen is None:
                self._ticket_receipt(entry, event, code, subject)
        self.claims[event, subject] = code
        self.api(
            "POST", "/v1/school/claims", event, body={"eventId": event, "walletAddress": wallet}
        )

    def _ticket_receipt(self, entry: dict[str, Any], event: str, code: str, wallet: str) -> None:
        receipt = {
            "version": 1,
            "type": "participation_audit_receipt",
            "receiptId": entry["entry_hash"],
            "issuedAt": entry["ts"],
            "confirmationCode": code,
            "subjectCommitment": digest({"version": 1, "eventId": event, "subject": wallet}),
            "verifyEndpoint": "/api/audit/receipts/verify",
            "audit": {
                "event": entry["event"],
                "eventId": event,
                "entryHash": entry["entry_hash"],
                "prevHash": entry["prev_hash"],
                "streamPrevHash": entry["stream_prev_hash"],
                "immutableMode": "required",
                "immutablePayloadHash": entry["immutable"]["payload_hash"],
                "immutableSinks": entry["immutable"]["sinks"],
            },
        }
        receipt["receiptHash"] = digest(receipt)
        self.receipts[event, code] = receipt

    def issue(
        self,
        grant: str,
        wallet: str,
        period: int = 0,
        expected: str | None = None,
        event: str | None = None,
        code: str | None = None,
        answered: int = 200,
    ) -> Proof:
        """POST pop-proof. `expected` is the chain's head as the client saw it (model D alone),
        `code` the confirmation code it shows.

        `answered` is the status of the answer: 503 where a sink failed after the head had moved, so
        that no client got the proof.
        """
        event = event or self.event_of(grant)
        if self.model != "A" and code is None and (event, wallet) not in self.claims:
            self.claim_record(grant, wallet, None, None, event)
        pair = None if expected is None else (expected, expected)
        proof = self.answer_proof(
            grant,
            wallet,
            period,
            pair,
            event,
            None if self.model == "A" else code or self.claims[event, wallet],
        )
        body = {
            "eventId": event,
            "grant": grant,
            "claimer": wallet,
            "periodIndex": period if self.numeric else str(period),
        }
        self.api("POST", "/v1/school/pop-proof", event, answered, body)
        return proof

    def answer_proof(
        self,
        grant: str,
        wallet: str,
        period: int,
        expected: tuple[str, str] | None,
        event: str,
        code: str | None,
    ) -> Proof:
        """A proof as the worker issues it: the anchor first, then the heads, then the signature.
        Model E hands out a young one again.
        """
        asked = (event, code, grant, wallet, period, expected)
        young = self.cached.get(asked)
        if (
            self.model == "E"
            and young is not None
            and 0 <= self.clock // 1000 - young.issued_at <= REUSED_SECONDS
        ):
            return young
        stored = self.heads.get(grant, [GENESIS, GENESIS])
        prev, stream = expected if expected is not None else stored
        issued_at = self.clock // 1000
        data: dict[str, Any] = {
            "eventId": event,
            "grant": grant,
            "claimer": wallet,
            "periodIndex": str(period),
            "prevHash": prev,
            "streamPrevHash": stream,
        }
        audit = None
        if self.model != "A":
            receipt = self.receipts[event, code or ""]
            audit = receipt["receiptHash"]
            data |= {
                "confirmationCode": receipt["confirmationCode"],
                "receiptId": receipt["receiptId"],
                "receiptHash": audit,
            }
            data["receiptVerifiedAt"] = iso(self.clock)
            issued_at = self.clock // 1000
        if self.model in LATER:
            data |= {
                "hashSource": "storage" if expected is None else "client_onchain",
                "popChainAdvanced": expected is None,
            }
            data |= {"storedPrevHash": stored[0], "storedStreamPrevHash": stored[1]}
        self.world.ms += self.lag_ms
        anchor = self.append(
            "POP_CLAIM_PROOF_ANCHOR", f"pop:{event}", {"type": "wallet", "id": mask(wallet)}, data
        )
        proof = sign_proof(
            self.key,
            grant,
            wallet,
            period,
            prev,
            stream,
            audit or anchor["entry_hash"],
            issued_at,
            anchor["entry_hash"],
        )
        record = {
            "eventId": event,
            "grant": grant,
            "claimer": wallet,
            "periodIndex": str(period),
            "prevHash": prev,
            "streamPrevHash": stream,
            "auditHash": proof.audit,
            "entryHash": proof.entry,
            "issuedAt": issued_at,
        }
        if self.model != "A":
            record |= {k: data[k] for k in ("confirmationCode", "receiptId", "receiptHash")} | {
                "anchorEntryHash": proof.anchor
            }
        if self.model in LATER:
            record |= {
                k: data[k]
                for k in (
                    "hashSource",
                    "storedPrevHash",
                    "storedStreamPrevHash",
                    "popChainAdvanced",
                )
            }
        self.history[f"pop_chain:history:{iso(self.clock)}:{proof.entry}"] = record
        if expected is None:
            self.heads[grant] = [proof.entry, proof.entry]
        self.cached[asked] = proof
        return proof

    def clone(self, name: str = "clone") -> Worker:
        """A second worker with the same key and a copy of the heads, but an audit chain of its own."""
        other = Worker(self.world, self.model, name)
        other.key, other.heads, other.events = (
            self.key,
            copy.deepcopy(self.heads),
            copy.deepcopy(self.events),
        )
        return other
