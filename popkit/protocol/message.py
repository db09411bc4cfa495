"""The PoP message: what the worker signs, and what the program reads out of the signed bytes.

All integers are little-endian. Version 1 has no audit hash; version 2 binds the worker's audit
entry (or ticket receipt).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from popkit.protocol.keys import b58encode, key_bytes

GENESIS_HASH = "0" * 64
V1_LENGTH = 177
V2_LENGTH = 209
SKEW_SECONDS = 600

MessageCode = Literal["InvalidPopMessageVersion", "InvalidPopMessageLength"]

_V1 = struct.Struct("<B32s32sQ32s32s32sq")
_V2 = struct.Struct("<B32s32sQ32s32s32s32sq")


class MessageError(ValueError):
    """The bytes are not a PoP message; `code` is the error the program raises for them."""

    def __init__(self, code: MessageCode, problem: str) -> None:
        self.code: MessageCode = code
        super().__init__(f"{code}: {problem}")


@dataclass(frozen=True, slots=True)
class PopMessage:
    """One proof. Keys in base58, hashes as 64 lowercase hex digits, `issued_at` in unix seconds of
    the worker.

    `audit_hash` is None for version 1. `entry_hash` is what the message states: see
    `recomputed_entry_hash`.
    """

    version: int
    grant: str
    claimer: str
    period_index: int
    prev_hash: str
    stream_prev_hash: str
    audit_hash: str | None
    entry_hash: str
    issued_at: int

    def recomputed_entry_hash(self) -> str:
        """The entry hash that the other fields lead to (the program refuses with 6025 when it
        differs).
        """
        return entry_hash(
            self.version,
            self.prev_hash,
            self.stream_prev_hash,
            self.audit_hash,
            self.grant,
            self.claimer,
            self.period_index,
            self.issued_at,
        )


def decode_message(data: bytes) -> PopMessage:
    """Read a message as the program does: emptiness, then the version, then the length.

    Raises MessageError with the program's error name.
    """
    if not data:
        raise MessageError("InvalidPopMessageLength", "the message is empty")
    version = data[0]
    if version not in (1, 2):
        raise MessageError("InvalidPopMessageVersion", f"version 1 or 2 expected, got {version}")
    expected = V1_LENGTH if version == 1 else V2_LENGTH
    if len(data) != expected:
        raise MessageError(
            "InvalidPopMessageLength", f"version {version} has {expected} bytes, got {len(data)}"
        )
    audit: bytes | None
    if version == 1:
        _, grant, claimer, period_index, prev, stream_prev, entry, issued_at = _V1.unpack(data)
        audit = None
    else:
        _, grant, claimer, period_index, prev, stream_prev, audit, entry, issued_at = _V2.unpack(
            data
        )
    return PopMessage(
        version=version,
        grant=b58encode(grant),
        claimer=b58encode(claimer),
        period_index=period_index,
        prev_hash=prev.hex(),
        stream_prev_hash=stream_prev.hex(),
        audit_hash=None if audit is None else audit.hex(),
        entry_hash=entry.hex(),
        issued_at=issued_at,
    )


def encode_message(m: PopMessage) -> bytes:
    """The bytes to sign; the inverse of `decode_message`. ValueError when a field does not fit its
    place.
    """
    if m.version not in (1, 2):
        raise MessageError("InvalidPopMessageVersion", f"version 1 or 2 expected, got {m.version}")
    head = (m.version, key_bytes(m.grant), key_bytes(m.claimer), m.period_index)
    links = (
        hash_bytes(m.prev_hash, "prev_hash"),
        hash_bytes(m.stream_prev_hash, "stream_prev_hash"),
    )
    entry = hash_bytes(m.entry_hash, "entry_hash")
    try:
        if m.version == 1:
            if m.audit_hash is not None:
                raise ValueError(f"version 1 has no audit_hash, got {m.audit_hash}")
            return _V1.pack(*head, *links, entry, m.issued_at)
        return _V2.pack(*head, *links, hash_bytes(m.audit_hash, "audit_hash"), entry, m.issued_at)
    except struct.error as problem:
        raise ValueError(
            f"period_index {m.period_index} or issued_at {m.issued_at} is out of range"
        ) from problem


def entry_hash(
    version: int,
    prev_hash: str,
    stream_prev_hash: str,
    audit_hash: str | None,
    grant: str,
    claimer: str,
    period_index: int,
    issued_at: int,
) -> str:
    """SHA-256 over the plain concatenation of the fields after `we-ne:pop:v1` or `we-ne:pop:v2`, as
    hex.

    Raises ValueError when a field does not fit, or when version and audit hash do not go together.
    """
    if version not in (1, 2) or (version == 1) != (audit_hash is None):
        raise ValueError(
            f"version 1 without, or version 2 with an audit_hash expected, got {version} and "
            f"{audit_hash}"
        )
    audit = b"" if audit_hash is None else hash_bytes(audit_hash, "audit_hash")
    try:
        numbers = struct.pack("<Qq", period_index, issued_at)
    except struct.error as problem:
        raise ValueError(
            f"period_index {period_index} or issued_at {issued_at} is out of range"
        ) from problem
    digest = sha256(b"we-ne:pop:v%d" % version)
    digest.update(hash_bytes(prev_hash, "prev_hash"))
    digest.update(hash_bytes(stream_prev_hash, "stream_prev_hash"))
    digest.update(audit)
    digest.update(key_bytes(grant))
    digest.update(key_bytes(claimer))
    digest.update(numbers)
    return digest.hexdigest()


def hash_bytes(text: str | None, what: str) -> bytes:
    """The 32 bytes of 64 hex digits; ValueError names the field otherwise."""
    try:
        value = bytes.fromhex(text or "")
    except ValueError:
        value = b""
    if len(value) != 32 or text is None or len(text) != 64:
        raise ValueError(f"{what} must be 64 hex digits, got {text!r}")
    return value
