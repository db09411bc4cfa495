"""The few shapes a page is made of, each with one HTML form (a template, autoescaped) and one
Markdown form.

A notebook cell ends in a block: Jupyter shows its HTML, a terminal its Markdown, and the report
takes both from the executed cell.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from popkit.pages.text import is_japanese, is_moment
from popkit.text import for_markdown, for_markdown_code, for_notebook, shown

if TYPE_CHECKING:
    import pandas as pd

TONES = {
    "broken": ("✖", "bad"),
    "inconclusive": ("?", "unsure"),
    "in_flight": ("…", "unsure"),
    "recovered": ("↻", "good"),
    "intact": ("✔", "good"),
    "unused": ("○", "plain"),
    "critical": ("✖", "bad"),
    "warning": ("▲", "unsure"),
    "info": ("○", "plain"),
    "violated": ("✖", "bad"),
    "cannot tell": ("?", "unsure"),
    "holds": ("✔", "good"),
    "complete": ("✔", "good"),
    "incomplete": ("?", "unsure"),
    "found": ("✔", "good"),
    "cannot be found": ("✖", "bad"),
}
"""Symbol and tone of each verdict, severity, audit answer and attack's outcome: never colour alone.
"""


@dataclass(frozen=True, slots=True)
class Code:
    """A key, hash, signature or command, in monospace."""

    text: str
    kind: ClassVar[str] = "code"

    def __str__(self) -> str:
        return shown(self.text, 2000)

    def markdown(self) -> str:
        return for_markdown_code(self.text)


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict or severity: word, symbol and tone. `but` is what is wrong all the same: success
    wears no sign of success then.
    """

    name: str
    but: str = ""
    kind: ClassVar[str] = "mark"

    @property
    def word(self) -> str:
        return f"{self.name}, but {self.but}" if self.but else self.name

    @property
    def symbol(self) -> str:
        return "!" if self.but else TONES.get(self.name, ("", "plain"))[0]

    @property
    def tone(self) -> str:
        return "bad" if self.but else TONES.get(self.name, ("", "plain"))[1]

    def __str__(self) -> str:
        return f"{self.symbol} {self.word}".strip()

    def markdown(self) -> str:
        return f"{self.symbol} **{for_markdown(self.word)}**".strip()


@dataclass(frozen=True, slots=True)
class Lines:
    """Several cells in one, a line each."""

    cells: tuple[Any, ...]
    kind: ClassVar[str] = "lines"

    def __str__(self) -> str:
        return ", ".join(_text(cell) for cell in self.cells)

    def markdown(self) -> str:
        return "<br>".join(cell_markdown(cell) for cell in self.cells)


Cell = str | int | Code | Mark | Lines | None


def _text(cell: Cell) -> str:
    return "–" if cell is None or cell == "" else shown(cell)


def cell_markdown(cell: Cell) -> str:
    """A cell in Markdown; plain strings are somebody's text and stay text."""
    if isinstance(cell, Code | Mark | Lines):
        return cell.markdown() or "–"
    return for_markdown(_text(cell))


class Block:
    """A piece of a page. `html()` and `markdown()` are its two forms; both escape whatever came
    from outside.
    """

    kind: ClassVar[str] = "block"

    def html(self) -> str:
        """The block as HTML without style or script."""
        return str(_template().module.block(self)).strip()

    def markdown(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.markdown()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.markdown()}


@dataclass(repr=False)
class Note(Block):
    """A paragraph. `tone` is good, bad, unsure or plain."""

    text: str
    tone: str = "plain"
    kind: ClassVar[str] = "note"

    def markdown(self) -> str:
        return for_markdown(self.text)


@dataclass(repr=False)
class Table(Block):
    """Rows under named columns; `caption` says which question it answers, `empty` what it means
    that there are no rows.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "none"
    note: str = ""
    kind: ClassVar[str] = "table"

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a DataFrame of strings."""
        import pandas as pd

        return pd.DataFrame(
            [[_text(cell) for cell in row] for row in self.rows],
            columns=list(self.columns),
            dtype="string[pyarrow]",
        )

    def markdown(self) -> str:
        title = f"**{for_markdown(self.caption)}**"
        if not self.rows:
            return f"{title}: {for_markdown(self.empty)}"
        after = ["", for_markdown(self.note)] if self.note else []
        return "\n".join(
            [
                title,
                "",
                *_pipe_table(
                    [
                        list(map(for_markdown, self.columns)),
                        *[[cell_markdown(c) for c in row] for row in self.rows],
                    ]
                ),
                *after,
            ]
        )


@dataclass(repr=False)
class Facts(Block):
    """Names with one value each."""

    caption: str
    rows: dict[str, Cell]
    kind: ClassVar[str] = "facts"

    def markdown(self) -> str:
        rows = [[for_markdown(name), cell_markdown(value)] for name, value in self.rows.items()]
        return "\n".join(
            [f"**{for_markdown(self.caption)}**", "", *_pipe_table([["what", "value"], *rows])]
        )


@dataclass(repr=False)
class Steps(Block):
    """Things to do, in order. Each is a sentence, or (sentence, command)."""

    caption: str
    steps: Sequence[str | tuple[str, str]]
    kind: ClassVar[str] = "steps"

    def pairs(self) -> Iterator[tuple[str, str]]:
        for step in self.steps:
            yield (step, "") if isinstance(step, str) else step

    def markdown(self) -> str:
        rows = [f"**{for_markdown(self.caption)}**", ""]
        for number, (text, command) in enumerate(self.pairs(), 1):
            rows.append(f"{number}. {for_markdown(text)}")
            if command:
                fence = "~~~~"
                rows += [
                    "",
                    f"   {fence}",
                    *[f"   {line}" for line in command.splitlines()],
                    f"   {fence}",
                    "",
                ]
        return "\n".join(rows).rstrip()


@dataclass(repr=False)
class Group(Block):
    """Blocks one below the other."""

    blocks: Sequence[Block] = field(default_factory=tuple)
    kind: ClassVar[str] = "group"

    def markdown(self) -> str:
        return "\n\n".join(block.markdown() for block in self.blocks)


def _pipe_table(rows: list[list[str]]) -> list[str]:
    """A Markdown table, padded so that it also reads as text in a terminal."""
    widths = [max(3, *(_width(row[i]) for row in rows)) for i in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _width(text: str) -> int:
    """Columns that a terminal gives a text: ideographs and kana take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _visible(value: object) -> object:
    """What a template's braces give, before it is escaped: markup is popkit's own, everything else
    is text.
    """
    return value if hasattr(value, "__html__") else for_notebook(value)


@cache
def environment() -> Any:
    """The package's templates, autoescaped."""
    import jinja2

    loader = jinja2.PackageLoader("popkit.reporting", "templates")
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
    )
    made.filters["shown"] = shown
    made.tests |= {
        "japanese": lambda text: is_japanese(str(text)),
        "moment": lambda text: is_moment(str(text)),
    }
    return made


@cache
def _template() -> Any:
    return environment().get_template("blocks.html.j2")
