"""What the worker keeps: its audit chain with the immutable bucket, and its storage, as it is
backed up and exported.
"""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from solders.keypair import Keypair

from popkit.drill.proofs import Proof, canonical, digest, iso
from popkit.drill.rotation import Rotation, signer_page
from popkit.evidence import layout

if TYPE_CHECKING:
    from popkit.drill.world import World

LATER = ("D", "E")


class SinkFailed(Exception):
    """The immutable sink did not take an entry, so that the append throws and the request ends with
    503.
    """


class Store:
    """The state of one worker instance."""

    def __init__(self, world: World, model: str = "A", name: str = "worker") -> None:
        self.world, self.model, self.name = world, model, name
        self.rotation: Rotation | None = None
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
    def key(self) -> Keypair:
        """The key that signs now: the one that was set, or by the calendar where a rotation is
        configured.
        """
        return self._key if self.rotation is None else self.rotation.key(self.clock // 1000)

    @key.setter
    def key(self, key: Keypair) -> None:
        self._key, self.rotation = key, None

    @property
    def signer(self) -> str:
        return str(self.key.pubkey())

    @property
    def clock(self) -> int:
        """Unix milliseconds as this worker's own clock has them: `offset_ms` ahead of the world's."""
        return self.world.ms + self.offset_ms

    # audit chain

    def append(
        self, event: str, stream: str, actor: dict[str, str], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Append one audit entry at the worker's time; it takes `step_ms`. Raises SinkFailed for
        what the sink does not take.
        """
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
        refs = (
            {**keys, "kv_index": f"audit:immutable:{entry['entry_hash']}"}
            if self.has_index
            else keys
        )
        sinks = [{"sink": sink, "ref": ref, "at": ts} for sink, ref in refs.items()]
        immutable = {
            "mode": "required",
            "payload_hash": sha256(text.encode()).hexdigest(),
            "sinks": sinks,
        }
        self.entries.append({**entry, "immutable": immutable})
        self.last["global"] = self.last[stream] = entry["entry_hash"]
        self.world.ms += self.step_ms
        return self.entries[-1]

    def api(
        self,
        method: str,
        route: str,
        stream: str = "system",
        status: int = 200,
        body: dict[str, Any] | None = None,
    ) -> None:
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

    # backups and exports

    def backup(self) -> dict[str, Any]:
        """Everything in storage, as a backup would hold it."""
        names = ("heads", "entries", "last", "history", "events", "claims", "receipts")
        return {name: copy.deepcopy(getattr(self, name)) for name in names}

    def restore(self, backup: dict[str, Any], only_heads: bool = False) -> None:
        """Put a backup back: the whole storage, or the proof heads alone. The bucket is outside and
        stays.
        """
        for name in ("heads",) if only_heads else backup:
            setattr(self, name, copy.deepcopy(backup[name]))

    def load(self, storage: dict[str, Any], bucket: dict[str, str]) -> None:
        """Put an export of a storage and its bucket in the place of everything; the signing key is
        outside and stays.
        """
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
        self.last = {
            name.removeprefix("lastHash:"): value for name, value in parts.get("audit", {}).items()
        }
        self.events = dict(parts.get("event", {}))
        chain = parts.get("pop_chain", {})
        grants = {
            name.removeprefix("lastHash:global:")
            for name in chain
            if name.startswith("lastHash:global:")
        }
        self.heads = {
            grant: [chain[f"lastHash:global:{grant}"], chain[f"lastHash:stream:{grant}"]]
            for grant in grants
        }
        self.history = {
            key: value for key, value in storage.items() if key.startswith("pop_chain:history:")
        }
        codes = {tuple(name.split(":", 1)): value for name, value in parts.get("claim", {}).items()}
        self.claims = {(event, subject): value["code"] for (event, subject), value in codes.items()}
        self.claimed_at = {
            (event, subject): iso(value["at"]) for (event, subject), value in codes.items()
        }
        receipts = {
            tuple(name.split(":", 1)): row for name, row in parts.get("ticket_receipt", {}).items()
        }
        self.receipts = {(event, code): row for (event, code), row in receipts.items()}
        self.bucket, self.cached = dict(bucket), {}

    def storage_rows(self) -> list[dict[str, Any]]:
        """Every key of its storage."""
        rows: dict[str, Any] = {f"audit:lastHash:{k}": v for k, v in self.last.items()}
        for entry in self.entries:
            rows[f"audit_entry:{entry['entry_hash']}"] = rows[
                f"audit_history:{entry['ts']}:{entry['entry_hash']}"
            ] = entry
        rows |= {f"event:{k}": v for k, v in self.events.items()} | self.history
        for grant, (head, stream) in self.heads.items():
            (
                rows[f"pop_chain:lastHash:global:{grant}"],
                rows[f"pop_chain:lastHash:stream:{grant}"],
            ) = head, stream
        rows |= {f"ticket_receipt:{event}:{code}": r for (event, code), r in self.receipts.items()}
        return [{"key": key, "value": value} for key, value in sorted(rows.items())]

    def bucket_rows(self) -> list[dict[str, Any]]:
        """Every object of its bucket."""
        return [{"key": key, "text": text} for key, text in sorted(self.bucket.items())]

    def status_pages(self, with_logs: bool = True) -> dict[str, Any]:
        """The seven answers of its API, asked one after the other; each asking appends an entry."""
        pages: dict[str, Any] = {}
        status = {
            "enforceOnchainPop": True,
            "signerConfigured": True,
            "signerPubkey": self.signer,
            "error": None,
        }
        if self.model in LATER:
            how = signer_page(self.rotation, self.clock // 1000)
            status |= {
                "signerMode": how["mode"],
                "signerDerivationPath": how["path"],
                "legacySignerEnabled": how["legacy"],
            }
        pages[layout.POP_STATUS.name] = status
        self.api("GET", layout.POP_STATUS.path)
        pages[layout.RUNTIME_STATUS.name] = {
            "ready": True,
            "checkedAt": iso(self.clock),
            "checks": {"popSignerPubkey": self.signer},
        }
        self.api("GET", layout.RUNTIME_STATUS.path)
        pages[layout.AUDIT_STATUS.name] = {
            "mode": "required",
            "operationalReady": True,
            "primaryImmutableSinkConfigured": True,
        }
        self.api("GET", layout.AUDIT_STATUS.path)
        pages[layout.EVENTS.name] = {
            "items": [{**row, "claimedCount": 0} for row in self.events.values()]
        }
        self.api("GET", layout.EVENTS.path)
        if with_logs:
            newest = sorted(self.entries, key=lambda e: (e["ts"], e["entry_hash"]), reverse=True)[
                :50
            ]
            pages[layout.AUDIT_LOGS.name] = {"logs": newest}
        self.api("GET", layout.AUDIT_LOGS.path)
        rows = [e for e in self.entries if e["event"] == "WALLET_CLAIM"]
        pages[layout.TRANSFERS.name] = transfers_page(rows, iso(self.clock))
        self.api("GET", layout.TRANSFERS.path)
        return {name: {"status": 200, "body": body} for name, body in pages.items()}


def transfer_row(entry: dict[str, Any]) -> dict[str, Any]:
    """A claim's entry as the transfer that every role sees; the master sees its `pii` as well."""
    return {
        "ts": entry["ts"],
        "event": entry["event"],
        "eventId": entry["eventId"],
        "entryHash": entry["entry_hash"],
        "prevHash": entry["prev_hash"],
        "streamPrevHash": entry["stream_prev_hash"],
        "transfer": entry["data"]["transfer"],
    }


def transfers_page(rows: list[dict[str, Any]], checked_at: str) -> dict[str, Any]:
    """The body of /api/master/transfers: `rows` are claims' entries, the oldest first; it lists the
    newest first.
    """
    return {
        "roleView": "master",
        "strictLevel": "master_full",
        "checkedAt": checked_at,
        "limit": 200,
        "eventId": None,
        "items": [{**transfer_row(entry), "pii": entry["data"]["pii"]} for entry in reversed(rows)],
    }
