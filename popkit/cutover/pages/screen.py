"""One screen of a cutover: rows of a label and what stands there, and last, alone, what to type.

A screen holds sentences; a terminal, a notebook and a Markdown page are readings of it in a
language. It is the only thing that a step gives to look at, so that all three say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len as width

from popkit.text import for_markdown, page
from popkit.texts import Language, Sentence, Spoken, Text, speak

Tone = Literal["plain", "good", "note", "stop"]
MARKS: dict[Tone, str] = {"plain": " ", "good": "✓", "note": "▲", "stop": "✗"}
"""What stands before a row: never colour alone."""
Words = Text | Sentence | Spoken | str
"""What a line may be: spoken in both languages, or a name, key or number that is the same in each.
"""
TYPE_NOW = Text("type", "次に入力")


@dataclass(frozen=True, slots=True)
class Row:
    """A label, and the lines beside it. Every line has the row's tone."""

    label: Words
    lines: tuple[Words, ...]
    tone: Tone = "plain"


@dataclass(slots=True)
class Screen:
    """A heading (may be empty), rows, and what to type next (commands, which are the same in every
    language).
    """

    heading: Words
    rows: list[Row] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    language: Language = "en"
    exit_code: int = 0

    def add(self, label: Words, *lines: Words, tone: Tone = "plain") -> None:
        """Add a row; one without a line is left out."""
        if lines:
            self.rows.append(Row(label, lines, tone))

    def in_language(self, language: Language) -> Screen:
        """The same screen, which speaks a language in a notebook too."""
        return Screen(self.heading, self.rows, self.commands, language, self.exit_code)

    def text_lines(self, language: Language | None = None) -> list[str]:
        """The lines for a terminal: labels in one column, wide letters counted as two."""
        language = language or self.language
        labels = [speak(row.label, language) for row in self.rows]
        indent = max((width(label) for label in labels), default=0)
        lines = [speak(self.heading, language), ""] if self.heading else []
        for row, label in zip(self.rows, labels, strict=True):
            for at, line in enumerate(row.lines):
                shown = label if at == 0 else ""
                lines.append(
                    f"{MARKS[row.tone]} {shown}{' ' * (indent - width(shown))}  "
                    f"{speak(line, language)}"
                )
        if self.commands:
            lines += ["", f"{speak(TYPE_NOW(), language)}:"]
            lines += [f"  {command}" for command in self.commands]
        return lines

    def text(self, language: Language | None = None) -> str:
        """The screen as a page of text."""
        return page(self.text_lines(language))

    def markdown(self, language: Language | None = None, level: int = 2) -> str:
        """The screen as Markdown: a heading, a list, and what to type as code."""
        language = language or self.language
        lines = [f"{'#' * level} {for_markdown(speak(self.heading, language))}", ""]
        for row in self.rows:
            mark = MARKS[row.tone].strip()
            lines.append(
                f"- {mark + ' ' if mark else ''}**{for_markdown(speak(row.label, language))}**: "
                + _joined(row.lines, language)
            )
        if self.commands:
            lines += ["", "```sh", *self.commands, "```"]
        return "\n".join([*lines, ""])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from popkit.cutover.pages.html import screen_html

        return screen_html(self)


def _joined(lines: Iterable[Words], language: Language) -> str:
    spoken: Sequence[str] = [for_markdown(speak(line, language)) for line in lines]
    return spoken[0] if len(spoken) == 1 else "".join(f"\n  - {line}" for line in spoken)
