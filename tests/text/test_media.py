"""The one function a medium: nothing that moves, colours, turns or hides gets through, and
everything that is drawn does.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import popkit
from popkit.errors import CaseUnreadable
from popkit.text import (
    Line,
    for_csv,
    for_html,
    for_json,
    for_markdown,
    for_markdown_code,
    for_notebook,
    for_terminal,
    page,
    shown,
)

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ONE_LINE: tuple[Callable[[object], str], ...] = (
    shown,
    for_terminal,
    for_html,
    for_markdown,
    for_markdown_code,
    for_csv,
)
DRIVING = [
    *(
        "\x1b[2J",
        "\x1b]8;;http://e.example\x07x",
        "\n",
        "\r",
        "\t",
        "\x7f",
        "\x85",
        "\x9b31m",
        "\u00ad",
        "\u061c",
        "\u180e",
        "\u200b",
    ),
    *(
        "\u200f",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\u3164",
        "\ud800",
        "\ufeff",
        "\U000e0041",
        "a\ufe0f",
        "\ufe0f\ufe0f",
    ),
]


def hidden(text: str, but: str = "") -> list[str]:
    """The characters of a text that are not drawn."""
    return [
        character
        for character in text
        if unicodedata.category(character) in HIDDEN and character not in but
    ]


@pytest.mark.parametrize("out", ONE_LINE)
@given(st.text(max_size=60))
def test_a_value_is_one_visible_line(out: Callable[[object], str], text: str) -> None:
    assert hidden(out(text)) == []


@pytest.mark.parametrize("out", ONE_LINE)
@pytest.mark.parametrize("driving", DRIVING)
def test_what_drives_shows_as_its_escape(out: Callable[[object], str], driving: str) -> None:
    let_out = out(f"x{driving}y")
    assert hidden(let_out) == []
    assert "\\" in let_out


@given(st.text(max_size=60))
def test_a_notebook_keeps_its_line_feeds_alone(text: str) -> None:
    assert hidden(for_notebook(text), but="\n") == []
    assert for_notebook(text).count("\n") == text.count("\n")


PLAIN = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_reads_back_as_the_same_value(value: object) -> None:
    written = for_json(value)
    assert hidden(written, but="\n") == []
    assert json.loads(written.encode()) == json.loads(json.dumps(value))


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_csv_gives_back_what_is_drawn(text: str) -> None:
    assert next(csv.reader(io.StringIO(for_csv(text) + "\n")), [""]) in (
        [shown(text)],
        ["'" + shown(text)],
    )


def test_csv_is_no_formula() -> None:
    assert for_csv("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert for_csv(-5) == "-5"
    assert for_csv('a "b", c') == '"a ""b"", c"'


@pytest.mark.parametrize(
    "text", ["地域清掃ボランティア", "été", "👍🏽", "❤\ufe0f", "葛\U000e0100", "1 × 2", "a\u3000b"]
)
def test_what_is_drawn_is_left_as_it_is(text: str) -> None:
    for out in (shown, for_terminal, for_html, for_notebook):
        assert out(text) == text
    assert json.loads(for_json(text)) == text
    assert text in for_json(text)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 1000).endswith("… (600 more characters)")
    assert len(shown("\u202e" * 400)) < 900
    assert len(for_terminal("x" * 10_000_000)) < 5000


def test_a_page_has_no_line_more_than_it_was_given() -> None:
    lines: list[str | Line] = [Line("✗ BROKEN", "  evt\n✓ INTACT\x1b[2J", "1;31"), "a\nb", ""]
    assert page(lines) == "\x1b[1;31m✗ BROKEN\x1b[0m  evt\\n✓ INTACT\\u001b[2J\na\\nb\n\n"
    assert hidden(page([Line("✗", "x\x1b")]), but="\n") == []


def test_an_error_is_one_visible_line() -> None:
    error = CaseUnreadable("x\x1b[2J\n" + "y" * 10_000, file="a\u202eb")
    assert hidden(str(error)) == []
    assert len(str(error)) < 5000
    assert hidden(repr(error)) == []


WRITERS = {"output.py", "verification/check.py", "collecting/progress.py"}
"""check.py stands alone; progress writes to the stream that it is given. Their own tests hold them
to the same.
"""


def test_no_other_module_writes_to_the_terminal() -> None:
    package = Path(popkit.__file__).parent
    for path in package.rglob("*.py"):
        if path.relative_to(package).as_posix() in WRITERS:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), (path, node)
            written = isinstance(called, ast.Attribute) and called.attr in ("write", "writelines")
            assert not (written and ast.unparse(called.value).startswith("sys.std")), (
                path,
                ast.unparse(called),
            )
