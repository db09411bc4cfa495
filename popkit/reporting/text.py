"""Other people's text made safe to show, and times and keys as people read them.

Titles, memos, log lines, confirmation codes and names of files come from outside. Control and direction characters are made visible,
because a right-to-left override can make a sentence say its opposite; escaping for HTML is the template's work, for Markdown `md`'s.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

MAX_TEXT = 400
"""Characters of somebody else's text that are shown; the case holds the rest."""

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
_MARKDOWN = re.compile(r"([\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_LINKS = re.compile(r"(?i)(?<=http)(s?):(?=/)|(?<=ftp):(?=/)|(?<=www)\.|(?<=mailto):")
_AT_LINE_START = re.compile(r"^([-+=:#]|\d+(?=[.)]))")


def clean(text: object, limit: int = MAX_TEXT) -> str:
    """One line of text: white space folded, control, format and unpaired surrogate characters as `\\uXXXX`, cut at `limit`."""
    folded = re.sub(r"[ \t\r\n\f\v\u00a0\u2028\u2029]+", " ", str(text)).strip()
    shown = "".join(_visible(character) for character in folded[: limit + 1])
    return shown if len(folded) <= limit else f"{shown[:limit]}… ({len(folded) - limit} more characters)"


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return f"\\u{ord(character):04x}"
    return character


def is_japanese(text: str) -> bool:
    """Whether a text holds kana or ideographs: it is then marked `lang="ja"`, so that glyphs and voices are Japanese ones."""
    return bool(_JAPANESE.search(text))


def md(text: object) -> str:
    """Text that stays text in Markdown: no emphasis, link, heading, table cell end or HTML can begin in it."""
    escaped = _MARKDOWN.sub(r"\\\1", clean(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _LINKS.sub(lambda match: f"{match.group(1) or ''}\\:" if ":" in match.group() else "\\.", escaped)
    start = _AT_LINE_START.match(escaped)
    if start is None:
        return escaped
    return f"{start.group()}\\{escaped[start.end() :]}" if start.group().isdigit() else f"\\{escaped}"


def md_code(text: object) -> str:
    """Text as a code span, with a fence that is longer than any run of backticks in it; `|` is escaped for tables."""
    body = clean(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", body)), default=0) + 1)
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{fence}{pad}{body}{pad}{fence}" if body else ""


def utc(seconds: int | None) -> str:
    """A unix second as `2026-02-22 01:03:11 UTC`; a dash where it is not known."""
    if seconds is None:
        return "–"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} (unix seconds)"


def is_moment(text: str) -> bool:
    """Whether a text is a time as `utc` writes it: it is then kept on one line."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text))


def short(key: str | None) -> str:
    """The first eight characters of a key or hash; `GENESIS` for 64 zeros, a dash where there is none."""
    if key is None:
        return "–"
    return "GENESIS" if key == "0" * 64 else key[:8]


def count(number: int, one: str, many: str = "") -> str:
    """`1 claim`, `2 claims`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
