"""Small pieces of wording that several rooms share."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: '1 proof', '6 proofs'."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def utc(moment: int | None) -> str:
    """Unix seconds as a UTC time; 'time unknown' for None."""
    if moment is None:
        return "time unknown"
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"unix second {moment}"
