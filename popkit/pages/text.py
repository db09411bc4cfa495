"""Times, keys and numbers as people read them on a page, and which texts are Japanese."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NOT_KNOWN = "not known"
"""What pages say of a value that is null in the result."""

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")


def is_japanese(text: str) -> bool:
    """Whether a text holds kana or ideographs: it is then marked `lang="ja"`, so that glyphs and
    voices are Japanese ones.
    """
    return bool(_JAPANESE.search(text))


def utc(seconds: int | None) -> str:
    """A unix second as `2026-02-22 01:03:11 UTC`; 'not known' for None."""
    if seconds is None:
        return NOT_KNOWN
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} (unix seconds)"


def is_moment(text: str) -> bool:
    """Whether a text is a time as `utc` writes it: it is then kept on one line."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text))


def short(key: str | None) -> str:
    """The first eight characters of a key or hash; `GENESIS` for 64 zeros, 'not known' for None."""
    if key is None:
        return NOT_KNOWN
    return "GENESIS" if key == "0" * 64 else key[:8]


def count(number: int, one: str, many: str = "") -> str:
    """`1 claim`, `2 claims`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
