"""Every page of every recorded case holds only numbers, keys and times that the result holds; and
the pages are harmless HTML.
"""

from __future__ import annotations

import importlib
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
VIEWS = [
    name for name in notebook.__all__ if name not in NO_VIEWS and not name.endswith("_pictures")
]
CASE_ONLY = {"audit_summary", "coverage", "frozen_as", "overview", "receipts", "reconciliation"}
DRAW: tuple[Callable[[Any, str], plots.Picture], ...] = (
    plots.chain_over_time,
    plots.heads,
    plots.fork_lanes,
    plots.impact,
)


def blocks_of(case: Any) -> Iterator[tuple[str, Any]]:
    """(view, block) of every view: of the case, and of its first grant by the beginning of its
    name.
    """
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
            lanes = [
                label.get_text()
                for axes in axes_shown
                for label in axes.get_yticklabels()
                if draw is plots.chain_over_time
            ]
            yield from ((draw.__name__, text) for text in [picture.alt, *labels, *lanes])
    for language in ("en", "ja"):
        for every in (False, True):
            yield (
                f"terminal in {language}",
                diagnosis_text(case.diagnose(), language=language, every=every),
            )


@pytest.mark.parametrize("name", NAMES)
def test_every_page_of_every_case_is_held_by_the_result(name: str) -> None:
    case = notebook.open_case(str(CASES / name))
    held = Held(case)
    found = {
        (page, stranger) for page, text in {*words_of(case)} for stranger in held.strangers(text)
    }
    assert not found


def test_a_report_is_held_by_the_result() -> None:
    """The committed notebooks are those of this case, run; a test of the notebooks holds them
    against running them anew.
    """
    case = popkit.open_case(CASES / "cutover")
    run = {
        name: nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        for name in NOTEBOOKS
    }
    held = Held(case)
    _, markdown = render(case.diagnose(), run)
    plain = re.sub(r"\\(?=[^\w\s])", "", markdown.replace("<br>", " ").replace("`", " "))
    assert held.strangers(plain.replace(f"popkit {popkit.__version__}", "")) == []


def test_the_table_of_attacks_is_the_same_for_every_case() -> None:
    block = notebook.what_intact_is_worth()
    check_harmless(block.html(), "what_intact_is_worth")
    assert block.markdown()


# -- it can fail --

PLANTED: tuple[tuple[str, str, Callable[[Any], Callable[..., Any]], str], ...] = (
    ("views.overview", "known", lambda real: lambda value: real(value) + 1000, "overview"),
    ("views.chain", "utc", lambda real: lambda seconds: real(seconds - 1), "last_good"),
    ("views.chain", "short", lambda real: lambda key: real(key[1:]), "forks"),
    ("views.chain", "Code", lambda real: lambda text: real(text[1:] + text[:1]), "waiting_for"),
    (
        "views.impact",
        "count",
        lambda real: lambda number, *words: real(number + 1000, *words),
        "who_was_hit",
    ),
    (
        "pictures.chain",
        "_size",
        lambda real: lambda lane: str(lane.count + 1000),
        "chain_over_time",
    ),
    ("pictures.forks", "utc", lambda real: lambda seconds: real(seconds + 1), "fork_lanes"),
    ("terminal", "CLAIMERS", lambda real: lambda number: real(number + 1000), "terminal in en"),
)
"""(module, name in it, what to put in its place, a page that shows it)."""


@pytest.mark.parametrize(
    ("module", "name", "wrong", "page"),
    PLANTED,
    ids=[f"{module}.{name}" for module, name, *_ in PLANTED],
)
def test_a_wrong_number_key_or_time_is_noticed(
    module: str,
    name: str,
    wrong: Callable[[Any], Callable[..., Any]],
    page: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = notebook.open_case(
        str(CASES / "foreign-issuer" if "fork" in page else CASES / "cutover")
    )
    held = Held(case)
    place = importlib.import_module(f"popkit.pages.{module}")
    monkeypatch.setattr(place, name, wrong(getattr(place, name)))
    assert any(held.strangers(text) for text in pages_of(case, page))


def pages_of(case: Any, page: str) -> list[str]:
    """The texts of one page."""
    if page.startswith("terminal"):
        return [diagnosis_text(case.diagnose())]
    if page in ("chain_over_time", "fork_lanes"):
        pictures = [getattr(plots, page)(case, grant) for grant in case.grants]
        return [
            text
            for picture in pictures
            for text in (
                picture.alt,
                *(t.get_text() for axes in picture.figure.axes for t in axes.texts),
            )
        ]
    return list(texts_of(getattr(notebook, page)(case)))


def test_a_line_that_a_file_does_not_have_is_noticed() -> None:
    held = Held(notebook.open_case(str(CASES / "cutover")))
    assert held.strangers("see rpc/transactions.jsonl:1") == []
    assert held.strangers("see rpc/transactions.jsonl:100000")
