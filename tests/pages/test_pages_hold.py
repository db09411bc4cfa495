"""Every page of every recorded case holds only numbers, keys and times that the result holds; and the pages are harmless HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest

import popkit
from popkit import notebook
from popkit.pages import pictures as plots
from popkit.pages.terminal import diagnosis_text
from popkit.reporting.render import check_harmless, render
from popkit.reporting.sources import NAMES as NOTEBOOKS
from tests.conftest import CASES, NAMES, ROOT
from tests.pages.holding import Held, texts_of

NO_VIEWS = {"Gallery", "find_case", "open_case", "what_intact_is_worth"}
VIEWS = [name for name in notebook.__all__ if name not in NO_VIEWS and not name.endswith("_pictures")]
CASE_ONLY = {"audit_summary", "coverage", "frozen_as", "overview", "receipts", "reconciliation"}
DRAW: tuple[Callable[[Any, str], plots.Picture], ...] = (plots.chain_over_time, plots.heads, plots.fork_lanes, plots.impact)


def blocks_of(case: Any) -> Iterator[tuple[str, Any]]:
    """(view, block) of every view: of the case, and of its first grant by the beginning of its name."""
    for name in VIEWS:
        function = getattr(notebook, name)
        wanted = [(case,)] if name in CASE_ONLY else [(case,), (case, case.grants[0][:6])]
        for arguments in wanted:
            yield name, function(*arguments)


def words_of(case: Any) -> Iterator[tuple[str, str]]:
    """(page, text) of every view, picture and page of the terminal."""
    for name, block in blocks_of(case):
        check_harmless(block.html(), name)
        assert block.markdown()
        yield from ((name, text) for text in texts_of(block))
    for grant in case.grants:
        for draw in DRAW:
            picture = draw(case, grant)
            axes_shown = [] if picture.is_empty else picture.figure.axes
            labels = [text.get_text() for axes in axes_shown for text in axes.texts]
            lanes = [label.get_text() for axes in axes_shown for label in axes.get_yticklabels() if draw is plots.chain_over_time]
            yield from ((draw.__name__, text) for text in [picture.alt, *labels, *lanes])
    for language in ("en", "ja"):
        for every in (False, True):
            yield f"terminal in {language}", diagnosis_text(case.diagnose(), language=language, every=every)


@pytest.mark.parametrize("name", NAMES)
def test_every_page_of_every_case_is_held_by_the_result(name: str) -> None:
    case = notebook.open_case(str(CASES / name))
    held = Held(case)
    found = {(page, stranger) for page, text in {*words_of(case)} for stranger in held.strangers(text)}
    assert not found


def test_a_report_is_held_by_the_result() -> None:
    """The committed notebooks are those of this case, run; a test of the notebooks holds them against running them anew."""
    case = popkit.open_case(CASES / "cutover")
    run = {name: nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4) for name in NOTEBOOKS}
    held = Held(case)
    _, markdown = render(case.diagnose(), run)
    plain = re.sub(r"\\(?=[^\w\s])", "", markdown.replace("<br>", " ").replace("`", " "))
    assert held.strangers(plain.replace(f"popkit {popkit.__version__}", "")) == []
