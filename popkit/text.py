"""Other people's text, and the one way out of popkit that each medium has for it.

Event ids, titles, a node's errors, names of cases and files, what a wallet or a worker said: all of
it comes from outside, and a control or direction character in it can move the cursor, colour a
line, or make a sentence read as its opposite. Nothing of it is changed inside popkit. Where text
leaves, it goes through the function of its medium, which shows such a character as its escape:

for_terminal     a line on a terminal; `page` and `popkit.output` let no line out without it, and
errors are shown by it for_html         text between HTML tags; the templates pass every value
through the same rule (`for_notebook`) for_markdown     text that stays text in Markdown
(`for_markdown_code`: as a code span) for_csv          one field of a CSV file, which no spreadsheet
takes for a formula for_json         a JSON document, whose escapes read back as the same strings
for_notebook     an output of several lines, as notebooks and pages hold it

popkit's own words hold no such character, so whole lines are passed through: what was quoted in a
sentence cannot be forgotten.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

MAX_TEXT = 400
"""Characters of somebody else's text that are shown; the case holds the rest."""
MAX_LINE = 4000
"""Characters of a line on a terminal, and of an error."""

_SPACES = re.compile(r"[ \u00a0]+")
_NOT_PLAIN = re.compile(r"[^ -~]")
_NOT_PLAIN_LINES = re.compile(r"[^ -~\n]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidi, zero width, tags), half of a surrogate pair, private use, unassigned, line
and paragraph separators.
"""
_HIDDEN_LETTERS = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]")
"""Letters and marks that are drawn as nothing."""
_VARIATIONS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Variation selectors: one after a sign or an ideograph chooses its form; elsewhere, and in rows,
they hide something.
"""
_MARKDOWN = re.compile(r"([\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_LINKS = re.compile(r"(?i)(?<=http)(s?):(?=/)|(?<=ftp):(?=/)|(?<=www)\.|(?<=mailto):")
_AT_LINE_START = re.compile(r"^([-+=:#]|\d+(?=[.)]))")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that begins with popkit's own mark: the mark may be coloured (`colour`: an SGR
    number), the text is let out visibly.
    """

    mark: str
    text: str = ""
    colour: str = ""


def shown(value: object, limit: int = MAX_TEXT) -> str:
    """A value as one line of visible text: runs of spaces folded, everything that is not drawn as
    its escape, cut at `limit`.
    """
    folded = _SPACES.sub(" ", str(value)).strip()
    return _cut(folded, limit)


def for_terminal(line: object) -> str:
    """A line for a terminal: one line whatever it holds, without a character that moves, colours or
    turns anything.
    """
    return _cut(str(line), MAX_LINE)


def page(lines: Iterable[str | Line]) -> str:
    """Lines as text for a terminal, each let out by `for_terminal`, ending with a line end."""
    return "".join(
        f"{_drawn(line) if isinstance(line, Line) else for_terminal(line)}\n" for line in lines
    )


def for_html(value: object) -> str:
    """A value between HTML tags, or in a quoted attribute."""
    return escape(shown(value, MAX_LINE))


def for_markdown(value: object) -> str:
    """Text that stays text in Markdown: no emphasis, link, heading, table cell end or HTML can
    begin in it.
    """
    escaped = (
        _MARKDOWN.sub(r"\\\1", shown(value))
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )
    escaped = _LINKS.sub(
        lambda match: f"{match.group(1) or ''}\\:" if ":" in match.group() else "\\.", escaped
    )
    start = _AT_LINE_START.match(escaped)
    if start is None:
        return escaped
    return (
        f"{start.group()}\\{escaped[start.end() :]}" if start.group().isdigit() else f"\\{escaped}"
    )


def for_markdown_code(value: object) -> str:
    """Text as a code span, with a fence that is longer than any run of backticks in it; `|` is
    escaped for tables.
    """
    body = shown(value).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", body)), default=0) + 1)
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{fence}{pad}{body}{pad}{fence}" if body else ""


def for_csv(value: object) -> str:
    """One field of a CSV file, quoted where it must be; a text that a spreadsheet would compute
    begins with an apostrophe.
    """
    text = shown(value)
    if isinstance(value, str) and text.startswith(("=", "+", "-", "@")):
        text = f"'{text}"
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([text])
    return written.getvalue()


def for_json(value: object, indent: int | None = 2, sort_keys: bool = True) -> str:
    """A value as JSON with a line end last: what is not drawn stands as `\\uXXXX`, so that it reads back as the same string."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=sort_keys, indent=indent)
    return _NOT_PLAIN_LINES.sub(_json_escape, text) + "\n"


def for_notebook(text: object) -> str:
    """Text of several lines, as an output of a notebook or a part of a page holds it: its line
    feeds stay, nothing else hidden does.
    """
    return _NOT_PLAIN_LINES.sub(_escape, str(text))


def _cut(text: str, limit: int) -> str:
    visible = _NOT_PLAIN.sub(_escape, text[:limit])
    if len(text) <= limit and len(visible) <= 2 * limit:
        return visible
    return f"{visible[:limit]}… ({max(len(text), len(visible)) - limit} more characters)"


def _drawn(line: Line) -> str:
    mark = f"\x1b[{line.colour}m{line.mark}\x1b[0m" if line.colour else line.mark
    return mark + for_terminal(line.text)


def _is_hidden(found: re.Match[str]) -> bool:
    """Whether a character is drawn as nothing, or does something instead of being drawn."""
    character = found[0]
    if _VARIATIONS.match(character):
        before = found.string[found.start() - 1 : found.start()]
        return before.isascii() or bool(_VARIATIONS.match(before))
    return unicodedata.category(character) in _HIDDEN_CATEGORIES or bool(
        _HIDDEN_LETTERS.match(character)
    )


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if not _is_hidden(found):
        return character
    number = ord(character)
    return _NAMED.get(character) or (f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if _is_hidden(found) else found[0]
