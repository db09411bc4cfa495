"""Reading transaction bytes one field at a time, never past their end."""

from __future__ import annotations

from popkit.protocol.keys import b58encode


class TransactionError(ValueError):
    """The bytes or the JSON are not a transaction; the message says where and what was expected."""


class Reader:
    """A cursor over bytes; every read says what it was for when the bytes run out."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def left(self) -> int:
        """How many bytes are still unread."""
        return len(self.data) - self.position

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes."""
        end = self.position + length
        if end > len(self.data):
            raise TransactionError(
                f"{what} ends at byte {end}, the transaction at {len(self.data)}"
            )
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, width: int, what: str) -> int:
        """An unsigned little-endian number of `width` bytes."""
        return int.from_bytes(self.take(width, what), "little")

    def compact(self, what: str) -> int:
        """A compact-u16: seven bits a byte, at most three bytes, no longer than need be."""
        value = 0
        for place in range(3):
            byte = self.number(1, what)
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if place and byte == 0:
                    raise TransactionError(f"{what} is written longer than need be")
                break
        else:
            raise TransactionError(f"{what} is longer than three bytes")
        if value > 0xFFFF:
            raise TransactionError(f"{what} must be at most 65535, got {value}")
        return value

    def keys(self, count: int, what: str) -> tuple[str, ...]:
        """`count` public keys, as base58."""
        raw = self.take(32 * count, what)
        return tuple(b58encode(raw[at : at + 32]) for at in range(0, len(raw), 32))


def compact_bytes(value: int) -> bytes:
    """A compact-u16 as bytes."""
    if not 0 <= value <= 0xFFFF:
        raise TransactionError(f"a count must be from 0 to 65535, got {value}")
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
