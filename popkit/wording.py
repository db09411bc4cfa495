"""Small pieces of wording that several rooms share."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: '1 proof', '6 proofs'."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
