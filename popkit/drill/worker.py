"""The worker of the reference in three models (A, B, E-like D), with the ways it is known to fail, and what it can export."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from solders.keypair import Keypair
from solders.pubkey import Pubkey

if TYPE_CHECKING:
    from popkit.drill.world import GrantHandle, World

GENESIS = "0" * 64
LATER = ("D", "E")
REUSED_SECONDS = 480
_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class Refused(Exception):
    """The worker refuses a request; the text is its message."""


class SinkFailed(Exception):
    """The immutable sink did not take an entry, so that the append throws and the request ends with 503."""


def canonical(value: object) -> str:
    """Canonical JSON of the plain ASCII-keyed values that this simulation makes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    return sha256(canonical(value).encode()).hexdigest()


def iso(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def mask(text: str) -> str:
    return f"{text[:4]}...{text[-4:]}" if len(text) > 8 else text


@dataclass(frozen=True)
class Proof:
    """One issued proof: what it says, the signed bytes, and the anchor that the worker wrote for it."""

    grant: str
    claimer: str
    period: int
    prev: str
    stream: str
    audit: str
    entry: str
    issued_at: int
    message: bytes
    signature: bytes
    signer: str
    anchor: str


def sign_proof(
    key: Keypair, grant: str, claimer: str, period: int, prev: str, stream: str, audit: str, issued_at: int, anchor: str = ""
) -> Proof:
    """Sign a version 2 message with whatever it is told to say."""
    body = bytes(Pubkey.from_string(grant)) + bytes(Pubkey.from_string(claimer)) + period.to_bytes(8, "little")
    links, at = bytes.fromhex(prev) + bytes.fromhex(stream), issued_at.to_bytes(8, "little", signed=True)
    entry = sha256(b"we-ne:pop:v2" + links + bytes.fromhex(audit) + body + at).digest()
    message = b"\2" + body + links + bytes.fromhex(audit) + entry + at
    signature = bytes(key.sign_message(message))
    return Proof(grant, claimer, period, prev, stream, audit, entry.hex(), issued_at, message, signature, str(key.pubkey()), anchor)


class Worker:
    """One worker instance. `model` A: audit_hash is the anchor's hash; B: receipt-gated; D: as B, parents may be the client's."""

    def __init__(self, world: World, model: str = "A", name: str = "worker") -> None:
        self.world, self.model, self.name = world, model, name
        self.key = world.key(f"{name} signer")
        self.heads: dict[str, list[str]] = {}
        self.entries: list[dict[str, Any]] = []
        self.last: dict[str, str] = {}
        self.bucket: dict[str, str] = {}
        self.history: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.claims: dict[tuple[str, str], str] = {}
        self.receipts: dict[tuple[str, str], dict[str, Any]] = {}
        self.step_ms, self.lag_ms = 7, 0
        self.offset_ms = 0
        self.claimed_at: dict[tuple[str, str], str] = {}
        self.cached: dict[tuple[Any, ...], Proof] = {}
        self.failing: tuple[str, ...] = ()  # events whose entries the sink does not take
        self.has_index = False  # whether a key-value store is told of each entry as well
        self.numeric = False  # whether clients write a period as a number, as some do

    @property
    def signer(self) -> str:
        return str(self.key.pubkey())

    @property
    def clock(self) -> int:
        """Unix milliseconds as this worker's own clock has them: `offset_ms` ahead of the world's."""
        return self.world.ms + self.offset_ms

    # audit chain

    def append(self, event: str, stream: str, actor: dict[str, str], data: dict[str, Any]) -> dict[str, Any]:
        """Append one audit entry at the worker's time; it takes `step_ms`. Raises SinkFailed for what the sink does not take."""
        if event.startswith(self.failing) and self.failing:
            raise SinkFailed(f"immutable sink failed for {event}")
        ts = iso(self.clock)
        entry: dict[str, Any] = {
            "ts": ts,
            "event": event,
            "eventId": stream,
            "actor": actor,
            "data": data,
            "prev_hash": self.last.get("global", "GENESIS"),
            "stream_prev_hash": self.last.get(stream, "GENESIS"),
        }
        entry["entry_hash"] = digest(entry)
        text = canonical({"version": 1, "source": "school-store", "entry": entry})
        folder, moment = quote(stream, safe="-_.!~*'()"), ts.replace(":", "-").replace(".", "-")
        keys = {
            "r2_entry": f"audit/immutable/entry/{entry['entry_hash']}.json",
            "r2_stream": f"audit/immutable/stream/{folder}/{moment}_{entry['entry_hash']}.json",
        }
        self.bucket.update(dict.fromkeys(keys.values(), text))
        refs = {**keys, "kv_index": f"audit:immutable:{entry['entry_hash']}"} if self.has_index else keys
        sinks = [{"sink": sink, "ref": ref, "at": ts} for sink, ref in refs.items()]
        immutable = {"mode": "required", "payload_hash": sha256(text.encode()).hexdigest(), "sinks": sinks}
        self.entries.append({**entry, "immutable": immutable})
        self.last["global"] = self.last[stream] = entry["entry_hash"]
        self.world.ms += self.step_ms
        return self.entries[-1]

    def api(self, method: str, route: str, stream: str = "system", status: int = 200, body: dict[str, Any] | None = None) -> None:
        name = "API_" + method + route.upper().replace("/", "_").replace("-", "_")
        data: dict[str, Any] = {
            "route": route,
            "method": method,
            "status": status,
            "statusClass": f"{status // 100}xx",
            "durationMs": 3,
            "hasAuthorization": False,
            "origin": "",
        }
        if body is not None:
            data["requestBody"] = body
        self.append(name, stream, {"type": "school", "id": "public-api"}, data)

    # events, claims, proofs

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
        self.append("EVENT_CREATE", event, {"type": "master", "id": "master"}, {**data, "eventId": event, "createdByAdminId": "master"})
        self.api("POST", "/v1/school/events", status=201)
        return event

    def create_event(self, row: dict[str, Any]) -> dict[str, Any]:
        """Keep an event that an operator made; its id tells when, as the real one's does."""
        number, digits = self.clock, ""
        while number:
            number, digit = divmod(number, 36)
            digits = _BASE36[digit] + digits
        event = f"evt-{digits}"
        self.events[event] = {"id": event, **row}
        created = {"createdByAdminId": "master", "createdByAdminName": "Master Operator", "createdBySource": "master"}
        data = {name: value for name, value in row.items() if name != "state"} | {"eventId": event} | created
        self.append("EVENT_CREATE", event, {"type": "master", "id": "master"}, data)
        return self.events[event]

    def take_part(
        self, row: dict[str, Any], wallet: str, token: str, signature: str | None, receipt: str | None
    ) -> tuple[bool, str, dict[str, Any] | None]:
        """A participation, or the transaction of one: (already there, confirmation code, ticket receipt)."""
        event, subject = row["id"], wallet or token
        seen = self.claims.get((event, subject))
        code = seen or "".join(_CODE[byte % 32] for byte in sha256(f"{self.name}{event}{subject}".encode()).digest()[:6])
        off_chain = self.model == "E" and signature is None  # the newest worker calls it a receipt, and no tokens
        if seen is None or (signature is not None and self.model in LATER):
            transfer = {
                "mode": "onchain" if signature else "offchain",
                "asset": "participation_receipt" if off_chain else "ticket_token",
                "amount": None if off_chain else row.get("ticketTokenAmount") or 1,
                "mint": None if off_chain else row.get("solanaMint"),
                "txSignature": signature,
                "receiptPubkey": receipt,
                "sender": {"type": "grant_authority", "id": row.get("solanaAuthority") or f"grant:{event}"},
                "recipient": {"type": "wallet" if wallet else "join_token", "id": subject},
            }
            data = {
                "eventId": event,
                "status": "already" if seen else "created",
                "confirmationCode": code,
                "transfer": transfer,
                "pii": {"walletAddress": wallet} if wallet else {"joinToken": token},
            }
            self.claims[event, subject] = code  # stored before the entry, so that a sink's failure leaves it without one
            self.claimed_at.setdefault((event, subject), iso(self.clock))
            entry = self.append("WALLET_CLAIM", event, {"type": "wallet", "id": subject}, data)
            if seen is None:
                self._ticket_receipt(entry, event, code, subject)
        return seen is not None, code, self.receipts.get((event, code))

    def event_of(self, grant: str) -> str:
        """The event of a grant: the first linked; the id alone where this worker never linked one."""
        handle = self.world.grants[grant]
        links = [e for e, row in self.events.items() if row["solanaGrantId"] == str(handle.number) and row["solanaMint"] == handle.mint]
        return links[0] if links else "evt-none"

    def claim_record(
        self, grant: str, wallet: str, signature: str | None, receipt: str | None, event: str | None = None, user: str | None = None
    ) -> None:
        """The wallet tells the worker of its claim (off-chain first from model B on); with `user` somebody with a name and a PIN does.

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
                "recipient": {"type": "wallet", "id": wallet} if wallet else {"type": "user", "id": subject},
            }
            data = {
                "eventId": event,
                "status": "already" if seen else "created",
                "confirmationCode": code,
                "transfer": transfer,
                "pii": ({"userId": user} if user else {}) | ({"walletAddress": wallet} if wallet else {}),
            }
            entry = self.append(name, event, {"type": kind, "id": subject}, data)
            if seen is None:
                self._ticket_receipt(entry, event, code, subject)
        self.claims[event, subject] = code
        self.api("POST", "/v1/school/claims", event, body={"eventId": event, "walletAddress": wallet})

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
        """POST pop-proof. `expected` is the chain's head as the client saw it (model D alone), `code` the confirmation code it shows.

        `answered` is the status of the answer: 503 where a sink failed after the head had moved, so that no client got the proof.
        """
        event = event or self.event_of(grant)
        if self.model != "A" and code is None and (event, wallet) not in self.claims:
            self.claim_record(grant, wallet, None, None, event)
        pair = None if expected is None else (expected, expected)
        proof = self.answer_proof(grant, wallet, period, pair, event, None if self.model == "A" else code or self.claims[event, wallet])
        body = {"eventId": event, "grant": grant, "claimer": wallet, "periodIndex": period if self.numeric else str(period)}
        self.api("POST", "/v1/school/pop-proof", event, answered, body)
        return proof

    def answer_proof(
        self, grant: str, wallet: str, period: int, expected: tuple[str, str] | None, event: str, code: str | None
    ) -> Proof:
        """A proof as the worker issues it: the anchor first, then the heads, then the signature. Model E hands out a young one again."""
        asked = (event, code, grant, wallet, period, expected)
        young = self.cached.get(asked)
        if self.model == "E" and young is not None and 0 <= self.clock // 1000 - young.issued_at <= REUSED_SECONDS:
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
            data |= {"confirmationCode": receipt["confirmationCode"], "receiptId": receipt["receiptId"], "receiptHash": audit}
            data["receiptVerifiedAt"] = iso(self.clock)
            issued_at = self.clock // 1000
        if self.model in LATER:
            data |= {"hashSource": "storage" if expected is None else "client_onchain", "popChainAdvanced": expected is None}
            data |= {"storedPrevHash": stored[0], "storedStreamPrevHash": stored[1]}
        self.world.ms += self.lag_ms
        anchor = self.append("POP_CLAIM_PROOF_ANCHOR", f"pop:{event}", {"type": "wallet", "id": mask(wallet)}, data)
        proof = sign_proof(self.key, grant, wallet, period, prev, stream, audit or anchor["entry_hash"], issued_at, anchor["entry_hash"])
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
            record |= {k: data[k] for k in ("confirmationCode", "receiptId", "receiptHash")} | {"anchorEntryHash": proof.anchor}
        if self.model in LATER:
            record |= {k: data[k] for k in ("hashSource", "storedPrevHash", "storedStreamPrevHash", "popChainAdvanced")}
        self.history[f"pop_chain:history:{iso(self.clock)}:{proof.entry}"] = record
        if expected is None:
            self.heads[grant] = [proof.entry, proof.entry]
        self.cached[asked] = proof
        return proof

    # the ways it fails

    def clone(self, name: str = "clone") -> Worker:
        """A second worker with the same key and a copy of the heads, but an audit chain of its own."""
        other = Worker(self.world, self.model, name)
        other.key, other.heads, other.events = self.key, copy.deepcopy(self.heads), copy.deepcopy(self.events)
        return other

    def backup(self) -> dict[str, Any]:
        """Everything in storage, as a backup would hold it."""
        names = ("heads", "entries", "last", "history", "events", "claims", "receipts")
        return {name: copy.deepcopy(getattr(self, name)) for name in names}

    def restore(self, backup: dict[str, Any], only_heads: bool = False) -> None:
        """Put a backup back: the whole storage, or the proof heads alone. The bucket is outside and stays."""
        for name in ("heads",) if only_heads else backup:
            setattr(self, name, copy.deepcopy(backup[name]))

    def load(self, storage: dict[str, Any], bucket: dict[str, str]) -> None:
        """Put an export of a storage and its bucket in the place of everything; the signing key is outside and stays."""
        rows = {key: value for key, value in storage.items() if key.startswith("audit_history:")}
        by_parent = {entry["prev_hash"]: entry for entry in rows.values()}
        self.entries, at = [], "GENESIS"
        while at in by_parent:
            self.entries.append(by_parent[at])
            at = by_parent[at]["entry_hash"]
        parts: dict[str, dict[str, Any]] = {}
        for key, value in storage.items():
            family, _, name = key.partition(":")
            parts.setdefault(family, {})[name] = value
        self.last = {name.removeprefix("lastHash:"): value for name, value in parts.get("audit", {}).items()}
        self.events = dict(parts.get("event", {}))
        chain = parts.get("pop_chain", {})
        grants = {name.removeprefix("lastHash:global:") for name in chain if name.startswith("lastHash:global:")}
        self.heads = {grant: [chain[f"lastHash:global:{grant}"], chain[f"lastHash:stream:{grant}"]] for grant in grants}
        self.history = {key: value for key, value in storage.items() if key.startswith("pop_chain:history:")}
        codes = {tuple(name.split(":", 1)): value for name, value in parts.get("claim", {}).items()}
        self.claims = {(event, subject): value["code"] for (event, subject), value in codes.items()}
        self.claimed_at = {(event, subject): iso(value["at"]) for (event, subject), value in codes.items()}
        receipts = {tuple(name.split(":", 1)): row for name, row in parts.get("ticket_receipt", {}).items()}
        self.receipts = {(event, code): row for (event, code), row in receipts.items()}
        self.bucket, self.cached = dict(bucket), {}

    # what it exports

    def storage_rows(self) -> list[dict[str, Any]]:
        """Every key of its storage."""
        rows: dict[str, Any] = {f"audit:lastHash:{k}": v for k, v in self.last.items()}
        for entry in self.entries:
            rows[f"audit_entry:{entry['entry_hash']}"] = rows[f"audit_history:{entry['ts']}:{entry['entry_hash']}"] = entry
        rows |= {f"event:{k}": v for k, v in self.events.items()} | self.history
        for grant, (head, stream) in self.heads.items():
            rows[f"pop_chain:lastHash:global:{grant}"], rows[f"pop_chain:lastHash:stream:{grant}"] = head, stream
        rows |= {f"ticket_receipt:{event}:{code}": r for (event, code), r in self.receipts.items()}
        return [{"key": key, "value": value} for key, value in sorted(rows.items())]

    def bucket_rows(self) -> list[dict[str, Any]]:
        """Every object of its bucket."""
        return [{"key": key, "text": text} for key, text in sorted(self.bucket.items())]

    def status_pages(self, with_logs: bool = True) -> dict[str, Any]:
        """The seven answers of its API, asked one after the other; each asking appends an entry."""
        pages: dict[str, Any] = {}
        status = {"enforceOnchainPop": True, "signerConfigured": True, "signerPubkey": self.signer, "error": None}
        if self.model in LATER:
            status |= {"signerMode": "legacy", "signerDerivationPath": None, "legacySignerEnabled": True}
        pages["pop-status"] = status
        self.api("GET", "/v1/school/pop-status")
        pages["runtime-status"] = {"ready": True, "checkedAt": iso(self.clock), "checks": {"popSignerPubkey": self.signer}}
        self.api("GET", "/v1/school/runtime-status")
        pages["audit-status"] = {"mode": "required", "operationalReady": True, "primaryImmutableSinkConfigured": True}
        self.api("GET", "/v1/school/audit-status")
        pages["events"] = {"items": [{**row, "claimedCount": 0} for row in self.events.values()]}
        self.api("GET", "/v1/school/events")
        if with_logs:
            newest = sorted(self.entries, key=lambda e: (e["ts"], e["entry_hash"]), reverse=True)[:50]
            pages["audit-logs"] = {"logs": newest}
        self.api("GET", "/api/master/audit-logs")
        rows = [e for e in self.entries if e["event"] == "WALLET_CLAIM"]
        pages["transfers"] = {
            "roleView": "master",
            "strictLevel": "master_full",
            "checkedAt": iso(self.clock),
            "limit": 200,
            "eventId": None,
            "items": [
                {
                    "ts": e["ts"],
                    "event": e["event"],
                    "eventId": e["eventId"],
                    "entryHash": e["entry_hash"],
                    "prevHash": e["prev_hash"],
                    "streamPrevHash": e["stream_prev_hash"],
                    "transfer": e["data"]["transfer"],
                    "pii": e["data"]["pii"],
                }
                for e in reversed(rows)
            ],
        }
        self.api("GET", "/api/master/transfers")
        return {name: {"status": 200, "body": body} for name, body in pages.items()}
