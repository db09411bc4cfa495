"""The committed notebooks: whole, in their normal form, with the outputs that the bundled case
gives, and written for people.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from popkit.reporting.normal import HIDDEN
from popkit.reporting.parameters import Parameters
from popkit.reporting.sources import NAMES, notebooks_folder
from tests.conftest import ROOT

PATHS = [ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES]
BY_NAME = pytest.mark.parametrize("path", PATHS, ids=NAMES)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def without_outputs(code_cells: list[dict[str, Any]]) -> list[str]:
    """The cells that should show something and do not."""
    return [cell["id"] for cell in code_cells if cell["id"] != "parameters" and not cell["outputs"]]


def test_there_are_no_other_notebooks() -> None:
    # These run over something living, so that no two of their outputs are the same: tests/drill and test_cutover_notebooks hold them.
    living = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("05_rehearse", "50_cutover", "60_verify_new_grant")]
    assert sorted((ROOT / "notebooks").iterdir()) == sorted([*PATHS, *living])


@BY_NAME
def test_every_cell_has_its_output(path: Path) -> None:
    assert without_outputs(cells(path, "code")) == []


def test_a_notebook_without_outputs_is_noticed() -> None:
    stripped = [{**cell, "outputs": []} for cell in cells(PATHS[0], "code")]
    assert len(without_outputs(stripped)) == len(stripped) - 1


@BY_NAME
def test_inputs_are_alone_in_their_cell_and_are_the_known_parameters(path: Path) -> None:
    tagged = [cell for cell in cells(path, "code") if cell["metadata"].get("tags") == ["parameters"]]
    assert len(tagged) == 1
    lines = ast.parse("".join(tagged[0]["source"])).body
    names = [line.targets[0].id for line in lines if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)]
    values = [ast.literal_eval(line.value) for line in lines if isinstance(line, ast.Assign)]
    assert names == list(Parameters.model_fields)
    assert all(isinstance(value, str) for value in values)
    assert values[0] == "data/cases/cutover"


@BY_NAME
def test_a_cell_is_one_call(path: Path) -> None:
    for cell in cells(path, "code"):
        tags = cell["metadata"].get("tags", [])
        if "parameters" in tags or HIDDEN in tags:
            continue
        (statement,) = ast.parse("".join(cell["source"])).body
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)


@BY_NAME
def test_every_heading_names_its_step_and_every_step_its_terms(path: Path) -> None:
    for cell in cells(path, "markdown"):
        text = "".join(cell["source"])
        headings = re.findall(r"^#+ .*$", text, re.MULTILINE)
        if headings and headings[0].startswith("## "):
            assert re.fullmatch(r"## Step [0-4]\.\d+ — .+", headings[0])
            assert re.search(r"\*Input:\* .+ \*Risk:\* .+ \*Effect:\* .+ \*Output:\* .+", text)


def test_step_numbers_are_used_once() -> None:
    headings = [
        step
        for path in PATHS
        for cell in cells(path, "markdown")
        for step in re.findall(r"^## Step (\S+)", "".join(cell["source"]))
    ]
    assert len(headings) == len(set(headings)) >= 20
    assert {step.split(".")[0] for step in headings} == set("01234")


@BY_NAME
def test_nothing_of_the_machine_is_in_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert str(ROOT) not in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}
    assert not re.search(r"papermill|start_time|/site-packages/|Traceback", text)


@BY_NAME
def test_every_picture_has_words(path: Path) -> None:
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            if "image/png" in output["data"]:
                assert len(output["metadata"]["image/png"]["alt"]) > 40


def test_regenerating_changes_nothing() -> None:
    """Byte for byte; pictures may differ by a hair, as another matplotlib draws them."""
    from popkit.reporting.regenerate import regenerated

    made = regenerated(ROOT)
    for path in PATHS:
        committed, again = path.read_text("utf-8"), made[f"notebooks/{path.name}"]
        if committed == again:
            continue
        old, new = pictures(committed), pictures(again)
        assert blank(committed) == blank(again), f"{path.name}: run make notebooks"
        assert all(is_alike(a, b) for a, b in zip(old, new, strict=True)), f"{path.name}: run make notebooks"


def pictures(text: str) -> list[bytes]:
    return [base64.b64decode(image) for image in re.findall(r'"image/png": "([^"]*)"', text)]


def blank(text: str) -> str:
    return re.sub(r'("image/png": )"[^"]*"', r'\1""', text)


def is_alike(one: bytes, other: bytes) -> bool:
    from matplotlib.image import imread

    a, b = (imread(io.BytesIO(png)) for png in (one, other))
    return a.shape == b.shape and float(abs(a - b).mean()) < 0.03


def test_nbval_sees_the_same_outputs() -> None:
    options = ["--nbval", "-p", "no:cacheprovider", "-o", "filterwarnings=", "-o", "addopts=", "-q", *map(str, PATHS)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_an_installed_popkit_has_them_as_well() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["force-include"] == {"notebooks": "popkit/_notebooks"}
    assert "notebooks" in build["sdist"]["only-include"]
    assert notebooks_folder() == ROOT / "notebooks"
