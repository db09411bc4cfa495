"""The bucket keys of an audit entry: those that follow from it, and those that its sinks name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from popkit.protocol import canonical

if TYPE_CHECKING:
    from popkit.audit.entries import AuditEntry


def keys_of(entry: AuditEntry) -> tuple[str, ...]:
    """The bucket keys of an entry's two objects; () for an event id that no key can name."""
    try:
        return canonical.object_keys(entry.raw)
    except ValueError:
        return ()


def sink_keys(entry: AuditEntry) -> list[str]:
    """The keys of the bucket objects that an entry's own sinks name."""
    sinks = (entry.immutable or {}).get("sinks")
    return [
        key
        for sink in (sinks if isinstance(sinks, list) else ())
        if (key := bucket_key(sink)) is not None
    ]


def bucket_key(sink: Any) -> str | None:
    """The bucket key that a sink names, or None for another kind of sink."""
    if (
        isinstance(sink, dict)
        and sink.get("sink") in ("r2_entry", "r2_stream")
        and isinstance(sink.get("ref"), str)
    ):
        return str(sink["ref"])
    return None
