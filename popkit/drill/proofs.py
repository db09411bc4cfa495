"""Proofs as the worker signs them, and the forms in which it writes: canonical JSON, digests,
times, masked wallets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from solders.keypair import Keypair
from solders.pubkey import Pubkey

GENESIS = "0" * 64


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
    """One issued proof: what it says, the signed bytes, and the anchor that the worker wrote for
    it.
    """

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
    key: Keypair,
    grant: str,
    claimer: str,
    period: int,
    prev: str,
    stream: str,
    audit: str,
    issued_at: int,
    anchor: str = "",
) -> Proof:
    """Sign a version 2 message with whatever it is told to say."""
    body = (
        bytes(Pubkey.from_string(grant))
        + bytes(Pubkey.from_string(claimer))
        + period.to_bytes(8, "little")
    )
    links, at = (
        bytes.fromhex(prev) + bytes.fromhex(stream),
        issued_at.to_bytes(8, "little", signed=True),
    )
    entry = sha256(b"we-ne:pop:v2" + links + bytes.fromhex(audit) + body + at).digest()
    message = b"\2" + body + links + bytes.fromhex(audit) + entry + at
    signature = bytes(key.sign_message(message))
    return Proof(
        grant,
        claimer,
        period,
        prev,
        stream,
        audit,
        entry.hex(),
        issued_at,
        message,
        signature,
        str(key.pubkey()),
        anchor,
    )
