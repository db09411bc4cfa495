"""Pages laid out for a terminal: nothing is lost, nothing is wider than it, names stay whole, and
lines go on under their text.
"""

from __future__ import annotations

import os
import pty
import re
import select
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from popkit.text import Line, page
from popkit.wrapping import laid_out
from tests.conftest import CASES

SIGNATURE = (
    "56ta7VnKpJ7XAwpDaqW3ruQqmJRqJMXkQvwnVMhEFKwgf5FDLdMv11KrdCaJjGpJjEfjUj1N4CZ6uKDn4Cc148RC"
)
ADDRESS = "GvgnYGy9e4Wzc7EJAMNh5yukqPUySQNxmZHMPqh411Np"
JAPANESE = "チェーンの先頭にある証明が取り込まれないまま失効したため、ワーカーがこれから発行する証明は受け付けられません。"


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], codec="utf-8"), max_size=120)


@given(
    st.lists(
        WORDS | st.sampled_from([SIGNATURE, f"  cause       {JAPANESE}", f"  at {SIGNATURE}"]),
        max_size=4,
    ),
    st.integers(20, 130),
)
def test_nothing_is_wider_than_the_terminal_and_nothing_but_spaces_is_lost(
    lines: list[str], width: int
) -> None:
    text = page(lines)
    made = laid_out(text, width)
    assert all(cell_len(line.rstrip()) <= width for line in made.splitlines())
    assert "".join(made.split()) == "".join(text.split())


def test_a_page_that_fits_is_left_as_it_is() -> None:
    text = page([Line("✗ BROKEN", "   case x", "1;31"), "", f"  affected    {ADDRESS}", "a  b   c"])
    assert laid_out(text, 80) == text


@pytest.mark.parametrize("width", [100, 90, 88])
def test_a_name_that_fits_a_line_of_its_own_is_never_broken(width: int) -> None:
    made = laid_out(
        page(
            [
                f"  last good   {SIGNATURE}",
                f"  first bad   refused, entry {ADDRESS}, behind {SIGNATURE}",
            ]
        ),
        width,
    )
    assert [line.strip() for line in made.splitlines()].count(SIGNATURE) == 2
    assert any(ADDRESS in line for line in made.splitlines())


def test_a_name_longer_than_the_terminal_is_broken_at_its_edge() -> None:
    made = laid_out(page([f"  last good   {SIGNATURE}"]), 60).splitlines()
    assert made == [f"  last good   {SIGNATURE[:46]}", f"{'':14}{SIGNATURE[46:]}"]


def test_a_line_goes_on_under_its_text() -> None:
    rows = [
        "  because     one two three four five six",
        "  replaced by one two three four five six",
        "              one two three four five six",
    ]
    for line in laid_out(page(rows), 30).splitlines():
        assert line.startswith(("  because     ", "  replaced by ", " " * 14))
    assert laid_out(page(["  - one two three four"]), 20) == "  - one two three\n    four\n"
    assert (
        laid_out(page(["   3. ✓ one two three four"]), 20)
        == "   3. ✓ one two\n        three four\n"
    )
    assert laid_out(page(["one two three four five"]), 20) == "one two three four\nfive\n"


def test_japanese_is_broken_between_characters_and_by_its_rules() -> None:
    made = laid_out(page([f"  原因        {JAPANESE}"]), 40).splitlines()
    assert len(made) == 5
    for line in made[1:]:
        assert line.startswith(" " * 14)
        assert line.strip()[0] not in "、。ーっ"
    assert min(cell_len(line) for line in made[:-1]) >= 36, "lines are filled"
    assert ADDRESS in laid_out(page([f"  原因        先頭にある{ADDRESS}が失効"]), 60)


def test_colour_stays_on_its_mark() -> None:
    text = page(
        [Line("✗ BROKEN", "  grant " + ADDRESS + "  (" + "地域清掃ボランティア" * 3 + ")", "1;31")]
    )
    made = laid_out(text, 60)
    assert made.startswith("\x1b[1;31m✗ BROKEN\x1b[0m  grant")
    assert made.count("\x1b") == 2
    assert plain(made) == laid_out(plain(text), 60)


def on_a_terminal(columns: int, term: str, *args: str, **environment: str) -> str:
    """What a command writes to a terminal of so many columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"COLUMNS": str(columns), "TERM": term, **environment})
        os.execv(sys.executable, [sys.executable, "-m", "popkit", *args])
    written = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.waitpid(pid, 0)
    os.close(terminal)
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_gets_lines_of_its_width_in_colour_and_a_dumb_one_whole_lines(
    tmp_path: Path,
) -> None:
    args = ("diagnose", str(CASES / "abandoned-quiet"))
    coloured = on_a_terminal(60, "xterm-256color", *args)
    without = on_a_terminal(60, "xterm-256color", *args, NO_COLOR="1")
    whole = on_a_terminal(60, "dumb", *args)
    assert "\x1b[1;31m✗ BROKEN\x1b[0m" in coloured
    assert without == plain(coloured)
    assert max(cell_len(line) for line in without.splitlines()) <= 60
    assert laid_out(whole, 60) == without
    assert max(cell_len(line) for line in whole.splitlines()) > 60
