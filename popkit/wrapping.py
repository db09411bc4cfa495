"""A finished page laid out for a terminal of some width: long lines go on below, under the text
that they continue.

A line goes on where its own text began: behind its label and the gap after it ("  because     …"),
behind its bullet or number, else two columns further in. Words are kept whole. A hash, a signature
or an address that does not fit into the column gets a line of its own; only one that is longer than
the whole terminal is broken, at its edge. Japanese may be broken between any two characters but
those that must not begin or end a line (JIS X 4051), and each of them fills two columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NARROWEST = 20
"""Columns below which nothing is laid out: such a terminal wraps as it likes."""

_LABELLED = re.compile(r" *\S+(?: \S+)*? {2,}(?=\S)")
_BULLET = re.compile(r" *(?:[-•✓✗?!…]|\d+\.(?: [✓✗?])?) +(?=\S)")
_INDENT = re.compile(r" *")
_NEVER_FIRST = frozenset(
    "、。，．・：；？！）」』】〕〉》’”ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ％)],.:;!?%…"
)
_NEVER_LAST = frozenset("（「『【〔〈《‘“([")


def laid_out(text: str, width: int) -> str:
    """A page that `popkit.text.page` made, in lines of at most `width` columns; colours stay as
    they are.
    """
    if width < NARROWEST:
        return text
    lines: list[str] = []
    column = 0
    for line in text.splitlines():
        plain = _plain(line)
        column = _hanging(plain, column, width)
        pieces = list(_pieces(plain, column, width))
        lines += [line] if len(pieces) == 1 else _cut(line, plain, pieces)
    return "".join(f"{line}\n" for line in lines)


def _plain(line: str) -> str:
    """A line without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _hanging(plain: str, before: int, width: int) -> int:
    """The column at which a line goes on; `before` is that of the line above, whose column this
    line may share.
    """
    from rich.cells import cell_len

    indent = cell_len(_INDENT.match(plain)[0])  # type: ignore[index]  # the pattern matches everything
    for pattern in (_BULLET, _LABELLED):
        found = pattern.match(plain)
        if found is not None and indent < cell_len(found[0]) <= width // 2:
            return cell_len(found[0])
    if before > indent and _has_text_at(plain, before):
        return before  # a label that fills its column, as in the row above
    return min(indent + 2 if 0 < indent < 10 else indent, width // 2)


def _has_text_at(plain: str, column: int) -> bool:
    """Whether text begins at a column, behind a space."""
    index = _fitting(plain, 0, column)
    return 0 < index < len(plain) and plain[index - 1] == " " != plain[index]


def _cut(line: str, plain: str, pieces: list[tuple[int, int, int]]) -> list[str]:
    """The pieces of a line, each behind its indent; colours are kept by rich, which knows where
    they begin and end.
    """
    if line == plain:
        return [" " * indent + plain[start:end] for start, end, indent in pieces]
    import io

    from rich.console import Console
    from rich.text import Text as Styled

    drawn = Styled.from_ansi(line)
    made = io.StringIO()
    console = Console(
        file=made,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        highlight=False,
        markup=False,
    )
    for start, end, indent in pieces:
        console.print(Styled(" " * indent) + drawn[start:end], soft_wrap=True)
    return made.getvalue().splitlines()


def _pieces(plain: str, column: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Where a line is cut: the first and the last character of each piece (the last excluded), and
    the indent before it.
    """
    from rich.cells import cell_len

    start, indent, used = 0, 0, 0
    for word, end in _words(plain):
        begin, size = word, cell_len(plain[word:end].rstrip())
        has_text = bool(plain[start:begin].strip())
        is_broken = (
            size > width and used <= column
        )  # it stands behind its label, and no line would hold it whole
        if used + size > width and not is_broken:
            if has_text:
                yield start, start + len(plain[start:begin].rstrip()), indent
            start = begin
            indent = used = min(column, width - size) if size <= width else column
        while used + size > width:
            at = _fitting(plain, begin, width - used)
            yield start, at, indent
            start, begin, indent, used = at, at, column, column
            size = cell_len(plain[begin:end].rstrip())
        used += cell_len(plain[begin:end])
    yield start, len(plain), indent


def _fitting(plain: str, begin: int, room: int) -> int:
    """The end of the longest part from `begin` that fills at most `room` columns; one character at
    least.
    """
    from rich.cells import get_character_cell_size

    end = begin
    while end < len(plain):
        room -= get_character_cell_size(plain[end])
        if room < 0:
            break
        end += 1
    return max(end, begin + 1)


def _words(plain: str) -> Iterator[tuple[int, int]]:
    """The parts of a line between which it may be cut, each with the spaces after it."""
    start = 0
    for index in range(1, len(plain)):
        if _may_cut(plain[index - 1], plain[index]):
            yield start, index
            start = index
    if plain:
        yield start, len(plain)


def _may_cut(left: str, right: str) -> bool:
    if right == " ":
        return False
    if left == " ":
        return True
    from rich.cells import get_character_cell_size

    if left.isascii() and right.isascii():
        return False
    is_wide = get_character_cell_size(left) == 2 or get_character_cell_size(right) == 2
    return is_wide and right not in _NEVER_FIRST and left not in _NEVER_LAST
