"""Small pieces of wording that several rooms share."""

from __future__ import annotations

import json
import re
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


def json_text(value: object) -> str:
    """A value as JSON: keys ascending, two spaces, a line end last; half a surrogate pair, which UTF-8 cannot hold, as its escape."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
