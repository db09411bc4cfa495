"""The ed25519 precompile's instruction data: where a proof's key, signature and message stand.

Data is one count, one padding byte, then fourteen bytes of offsets a signature; the rest may be
laid out in any order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

THIS_INSTRUCTION = 0xFFFF

_HEADER = struct.Struct("<BBHHHHHHH")


class ProofDataError(ValueError):
    """The program would refuse this data as `InvalidPopSignatureData` (6017)."""

    code = "InvalidPopSignatureData"

    def __init__(self, problem: str) -> None:
        super().__init__(f"{self.code}: {problem}")


@dataclass(frozen=True, slots=True)
class ProofInstruction:
    """What one ed25519 instruction says was signed: 32-byte key, 64-byte signature, message."""

    public_key: bytes
    signature: bytes
    message: bytes


def read_proof(data: bytes) -> ProofInstruction:
    """Read the data as the program does: one signature, offsets followed, every index 0xFFFF.

    Raises ProofDataError. That the signature holds is the precompile's business, not this
    function's.
    """
    return _read(data, (THIS_INSTRUCTION,))


def read_proof_leniently(data: bytes, own_index: int) -> ProofInstruction | None:
    """As `read_proof`, but an index may also name the instruction itself by its number; None when
    unreadable.

    The precompile accepts such data and the program does not (6017): the proof is real, the claim
    is refused.
    """
    try:
        return _read(data, (THIS_INSTRUCTION, own_index))
    except ProofDataError:
        return None


def build_proof_instruction(public_key: bytes, signature: bytes, message: bytes) -> bytes:
    """The data as web3.js lays it out: key at 16, signature at 48, message at 112."""
    if len(public_key) != 32 or len(signature) != 64:
        raise ValueError(
            f"a key of 32 and a signature of 64 bytes expected, got {len(public_key)} and "
            f"{len(signature)}"
        )
    if len(message) > 0xFFFF:
        raise ValueError(f"a message has at most 65535 bytes, got {len(message)}")
    this = THIS_INSTRUCTION
    return (
        _HEADER.pack(1, 0, 48, this, 16, this, 112, len(message), this)
        + public_key
        + signature
        + message
    )


def _read(data: bytes, own_indices: tuple[int, ...]) -> ProofInstruction:
    if len(data) < _HEADER.size:
        raise ProofDataError(f"at least {_HEADER.size} bytes expected, got {len(data)}")
    count, _, signature_at, signature_in, key_at, key_in, message_at, message_size, message_in = (
        _HEADER.unpack_from(data)
    )
    if count != 1:
        raise ProofDataError(f"exactly 1 signature expected, got {count}")
    for what, index in (
        ("signature", signature_in),
        ("public key", key_in),
        ("message", message_in),
    ):
        if index not in own_indices:
            raise ProofDataError(
                f"the {what} must be in this instruction (65535), its index says {index}"
            )
    return ProofInstruction(
        public_key=_slice(data, "public key", key_at, 32),
        signature=_slice(data, "signature", signature_at, 64),
        message=_slice(data, "message", message_at, message_size),
    )


def _slice(data: bytes, what: str, start: int, length: int) -> bytes:
    if start + length > len(data):
        raise ProofDataError(f"the {what} ends at {start + length}, the data at {len(data)}")
    return bytes(data[start : start + length])
