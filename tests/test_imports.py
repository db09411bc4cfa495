"""Imports run one way: the README lists the rooms, and each imports only those above it.

Every import statement counts: at the top, inside of a function, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

IMPORTED_BY = {
    "drill": {"commands"},
    "serving": {"commands", "drill"},
    "collecting": {"commands", "cutover", "drill", "explain", "pages"},
    "explain": {"commands", ""},
    "notebook": set(),
}
"""Rooms that only a few others may import, although they stand above more; "" is `popkit` itself.
"""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Rooms that import one below them, and why; to be emptied. One that is not needed any more fails.
"""


@cache
def modules() -> dict[str, Path]:
    """Every module of popkit by its name."""
    found = {}
    for path in sorted((ROOT / "popkit").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def order() -> dict[str, int]:
    """The rooms by how far down they stand in the README's table; '' is the package itself."""
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(
        r"^\| (`popkit/[^|]*) \|", text.partition("| room | holds |")[2], re.MULTILINE
    )
    found = {}
    for height, row in enumerate(rows):
        for name in re.findall(r"`([^`]+)`", row):
            room = name.removeprefix("popkit/").removesuffix("/").removesuffix(".py")
            found["" if room == "__init__" else room] = height
    return found


def room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def module_of(name: str) -> str:
    """The module that an imported name is, or stands in."""
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def imported(module: str) -> Iterator[tuple[str, int]]:
    """Every module of popkit that a module imports, and the line where it does."""
    tree = ast.parse(modules()[module].read_text("utf-8"))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            # `import popkit` gives what is then taken from it
            names = [one.name for one in node.names if one.name != "popkit"]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = [f"{node.module}.{one.name}" for one in node.names]
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "popkit"
        ):
            names = [f"popkit.{node.attr}"]
        for name in names:
            if re.match(r"popkit(\.(?!__)|$)", name):  # `popkit.__version__` is no room's
                yield module_of(name), getattr(node, "lineno", 0)


@cache
def between_rooms() -> tuple[tuple[str, str, str], ...]:
    """Every import of one room by another: the importing room, the imported one, and where."""
    return tuple(
        (room(module), room(other), f"{module}:{line} imports {other}")
        for module in modules()
        for other, line in imported(module)
        if room(module) != room(other)
    )


def test_every_room_stands_in_the_readme() -> None:
    assert {room(module) for module in modules()} == set(order())


def test_imports_go_up_the_list_alone() -> None:
    places = order()
    against = {
        (importer, other): where
        for importer, other, where in between_rooms()
        if places[other] > places[importer]
    }
    assert {pair: where for pair, where in against.items() if pair not in EXCEPTIONS} == {}
    assert set(EXCEPTIONS) - set(against) == set(), "these exceptions are not needed any more"


def test_some_rooms_are_imported_by_few() -> None:
    wrong = [
        where
        for importer, other, where in between_rooms()
        if other in IMPORTED_BY and importer not in IMPORTED_BY[other]
    ]
    assert wrong == []
