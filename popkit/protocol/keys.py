"""Keys, signatures and base58, and the fixed addresses that the program's transactions name."""

from __future__ import annotations

from solders.pubkey import Pubkey
from solders.signature import Signature

PROGRAM_ID = "GZcUoGHk8SfAArTKicL1jiRHZEQa3EuzgYcC2u4yWfSR"
ED25519_PROGRAM = "Ed25519SigVerify111111111111111111111111111"
SYSTEM_PROGRAM = "11111111111111111111111111111111"
TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ATA_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
INSTRUCTIONS_SYSVAR = "Sysvar1nstructions1111111111111111111111111"
RENT_SYSVAR = "SysvarRent111111111111111111111111111111111"

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE_OF = {character: value for value, character in enumerate(_ALPHABET)}
MAX_BASE58 = 14_000
"""Characters of base58 that are decoded: instruction data between programs (10 KiB) is the longest
that a node writes so.
"""
_GROUP = 10


def b58encode(b: bytes) -> str:
    """Bytes of any length as base58; leading zero bytes become leading `1`s."""
    if len(b) == 32:
        return str(Pubkey(b))
    if len(b) == 64:
        return str(Signature(b))
    zeros = len(b) - len(b.lstrip(b"\0"))
    number, characters = int.from_bytes(b, "big"), []
    while number:
        number, digit = divmod(number, 58)
        characters.append(_ALPHABET[digit])
    return "1" * zeros + "".join(reversed(characters))


def b58decode(s: str) -> bytes:
    """The bytes that base58 text stands for.

    ValueError names the first character that is not base58; or says that the text is longer than
    MAX_BASE58 (the work grows with the square of the length, and no node gives more).
    """
    if len(s) > MAX_BASE58:
        raise ValueError(
            f"base58 of {len(s)} characters: no node gives more than {MAX_BASE58} so; it was not "
            f"decoded"
        )
    number = 0
    for start in range(0, len(s), _GROUP):
        group = 0
        for position, character in enumerate(s[start : start + _GROUP], start):
            value = _VALUE_OF.get(character)
            if value is None:
                raise ValueError(
                    f"not base58: character {character!r} at position {position} of a text of "
                    f"{len(s)}"
                )
            group = group * 58 + value
        number = number * 58 ** min(_GROUP, len(s) - start) + group
    zeros = len(s) - len(s.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def key_bytes(s: str) -> bytes:
    """The 32 bytes of a base58 public key; ValueError when it is not one."""
    try:
        return bytes(Pubkey.from_string(s))
    except (ValueError, TypeError) as problem:
        raise ValueError(f"not a public key (32 bytes in base58): {s!r}") from problem


def is_pubkey(s: object) -> bool:
    """Whether `s` is a text that stands for 32 bytes in base58 (on the curve or not)."""
    if not isinstance(s, str) or not 32 <= len(s) <= 44:
        return False
    try:
        Pubkey.from_string(s)
    except ValueError:
        return False
    return True


def is_signature(s: object) -> bool:
    """Whether `s` is a text that stands for 64 bytes in base58."""
    if not isinstance(s, str) or not 64 <= len(s) <= 88:
        return False
    try:
        Signature.from_string(s)
    except ValueError:
        return False
    return True


def verify_strict(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an ed25519 signature holds, judged as strictly as the runtime and its precompile do.

    Small-order keys and malleable signatures do not hold; neither does anything of a wrong length.
    """
    if len(public_key) != 32 or len(signature) != 64:
        return False
    return Signature(signature).verify(Pubkey(public_key), message)
