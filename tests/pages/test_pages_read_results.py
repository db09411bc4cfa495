"""Pages read a result and compute none: what they may import and ask for, by their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import popkit

PAGES = Path(popkit.__file__).parent / "pages"
MAY_LOOK = {
    "places.py": "where a key stands in the case's files is no fact of the result, and "
    "findings.json names keys alone",
}
"""Who may look at the evidence, and why."""
BEHIND = frozenset({"facts", "evidence", "line", "chain", "attributed", "fates"})
"""Attributes that lead past the result to what it was computed from."""
FILES = sorted(PAGES.rglob("*.py"))


def asked(source: str) -> Iterator[tuple[int, str]]:
    """(line, name) of each attribute that leads past the result."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in BEHIND
            and isinstance(node.ctx, ast.Load)
            and not is_import(node)
        ):
            yield node.lineno, node.attr


def is_import(node: ast.Attribute) -> bool:
    """Whether an attribute is a module's, as `itertools.chain`."""
    return isinstance(node.value, ast.Name) and node.value.id in ("itertools", "popkit")


def imported(source: str) -> set[str]:
    """The modules that a source imports, wherever it does."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return names | {
        name.name for node in nodes if isinstance(node, ast.Import) for name in node.names
    }


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.name not in MAY_LOOK],
    ids=lambda path: path.relative_to(PAGES).as_posix(),
)
def test_a_page_does_not_look_past_the_result(path: Path) -> None:
    assert list(asked(path.read_text("utf-8"))) == []


def test_looking_past_the_result_is_noticed() -> None:
    assert list(asked("def f(case):\n    return case.facts.chain(g)\n")) == [
        (2, "chain"),
        (2, "facts"),
    ]
    assert [name for _, name in asked((PAGES / "places.py").read_text("utf-8"))]
    assert {name for name in MAY_LOOK if (PAGES / name).is_file()} == set(MAY_LOOK)


def test_pictures_and_views_do_not_know_each_other() -> None:
    for folder, other in (("views", "popkit.pages.pictures"), ("pictures", "popkit.pages.views")):
        files = sorted((PAGES / folder).glob("*.py"))
        assert files
        assert {
            path.name: name
            for path in files
            for name in imported(path.read_text("utf-8"))
            if name.startswith(other)
        } == {}
