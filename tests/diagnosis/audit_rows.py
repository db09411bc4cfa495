"""Audit rows made by hand, and the records of a list, a storage and a bucket that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from popkit.audit.entries import GENESIS, AuditEntry, AuditRecords, as_entry
from popkit.audit.reading import read_audit
from popkit.drill.world import World
from popkit.evidence.lines import Place
from popkit.evidence.worker import BucketObject, StoredRow
from popkit.protocol import canonical

PLACE = Place("worker/somewhere.jsonl", 7, None, "digest")
WALLET, GRANT = World().address("ann"), World().grant().address
SECOND = 1771830000
CODE = "ABC234"


def ts(ms: int) -> str:
    """A time of the worker, so many milliseconds after a fixed second."""
    from popkit.drill.proofs import iso

    return iso(SECOND * 1000 + ms)


def row(
    ms: int, prev: str = GENESIS, stream: str | None = GENESIS, sinks: bool = True, **fields: Any
) -> dict[str, Any]:
    """One audit row with its hash, and with the immutable part that a worker adds."""
    told = {
        "ts": ts(ms),
        "event": "API",
        "eventId": "system",
        "actor": {"type": "school", "id": "api"},
        "data": {},
        "prev_hash": prev,
    }
    told |= ({} if stream is None else {"stream_prev_hash": stream}) | fields
    told["entry_hash"] = canonical.entry_hash(told)
    if sinks:
        named = zip(("r2_entry", "r2_stream"), canonical.object_keys(told), strict=True)
        at = [{"sink": sink, "ref": ref, "at": told["ts"]} for sink, ref in named]
        told["immutable"] = {
            "mode": "required",
            "payload_hash": canonical.payload_hash(told),
            "sinks": at,
        }
    return told


def line(count: int, step: int = 1000) -> list[dict[str, Any]]:
    """Rows that follow one another, one stream."""
    rows: list[dict[str, Any]] = []
    for n in range(count):
        prev = rows[-1]["entry_hash"] if rows else GENESIS
        rows.append(row(n * step, prev, prev, data={"n": n}))
    return rows


def objects(rows: Iterable[dict[str, Any]], *folders: str) -> dict[str, BucketObject]:
    """The bucket of some rows."""
    found = {}
    for told in rows:
        text = canonical.payload(told).decode("utf-8", "surrogatepass")
        for key in canonical.object_keys(told):
            if not folders or key.split("/")[2] in folders:
                found[key] = BucketObject(
                    key, text, Place("worker/r2.jsonl", len(found) + 1, None, "bucket")
                )
    return found


def stored(rows: Iterable[dict[str, Any]], **more: Any) -> dict[str, StoredRow]:
    """The storage of some rows: two copies of each, and whatever else."""
    values: dict[str, Any] = {}
    for told in rows:
        values[f"audit_history:{told['ts']}:{told['entry_hash']}"] = values[
            f"audit_entry:{told['entry_hash']}"
        ] = told
    place = Place("worker/storage.jsonl", 1, None, "storage")
    return {key: StoredRow(key, value, place) for key, value in (values | more).items()}


def records_of(
    shown: list[Any] | None = None,
    storage: dict[str, StoredRow] | None = None,
    bucket: Any = None,
    named: Iterable[str] = (),
    earlier: Iterable[Any] = (),
    damaged: str | None = None,
) -> AuditRecords:
    """The records of a list, a storage and a bucket; `earlier` answers of the list, `damaged` a
    file that could not be read whole.
    """
    answers = {}
    if shown is not None:
        answers["audit-logs"] = answer({"logs": shown}, "worker/audit-logs.json")
    evidence: Any = SimpleNamespace(
        earlier_lists=list(earlier),
        answers=answers,
        storage=storage,
        bucket=bucket,
        is_damaged=lambda prefix: damaged is not None and damaged.startswith(prefix),
    )
    return read_audit(evidence, named)


def answer(body: Any, file: str = "worker/answers.jsonl", is_ok: bool = True) -> SimpleNamespace:
    """One answer of the worker."""
    return SimpleNamespace(is_ok=is_ok, body=body, place=Place(file, None, None, "answer"))


def hashes(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [told["entry_hash"] for told in rows]


def entry_of(told: dict[str, Any]) -> AuditEntry:
    entry = as_entry(told, PLACE)
    assert entry is not None
    return entry
