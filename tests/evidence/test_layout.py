"""Where things lie in a case, named once: nobody else writes a file's name or a worker's path out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from popkit.evidence import layout
from popkit.evidence.layout import ENDPOINTS, Endpoint
from tests.conftest import ROOT

READERS = (
    "evidence",
    "collecting",
    "serving",
    "audit",
    "drill",
    "diagnosis",
    "commands",
    "reporting",
)
FILES = {
    value
    for value in vars(layout).values()
    if isinstance(value, str) and value.endswith((".json", ".jsonl", ".txt"))
}
PLACES = {
    *FILES,
    *(endpoint.file for endpoint in ENDPOINTS),
    *(path for endpoint in ENDPOINTS for path in endpoint.paths),
}


@pytest.mark.parametrize("room", READERS)
def test_no_reader_writes_out_a_file_or_an_endpoint(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for path in sorted((ROOT / "popkit" / room).rglob("*.py"))
        if path != Path(layout.__file__)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in PLACES
    ]
    assert found == []


def test_the_readme_shows_every_file_of_a_case() -> None:
    text = (
        (ROOT / "README.md").read_text("utf-8").partition("\n## A case\n")[2].partition("\n## ")[0]
    )
    assert {name for name in FILES if name not in text} == set()
    assert {endpoint.name for endpoint in ENDPOINTS if endpoint.name not in text} == set()


def test_each_endpoint_has_a_name_a_file_and_paths_of_its_own() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    paths = [path for endpoint in ENDPOINTS for path in endpoint.paths]
    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)
    assert ENDPOINTS[0] == layout.AUDIT_LOGS, (
        "whatever is asked before it pushes an entry out of it"
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_needs_the_token_at_each_of_its_paths_or_at_none(endpoint: Endpoint) -> None:
    assert {layout.needs_token(path) for path in endpoint.paths} == {endpoint.needs_token}
    assert layout.appends_entry(endpoint.path)
