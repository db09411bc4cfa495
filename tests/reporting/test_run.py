"""Notebooks run whole or not at all, with inputs that stay the strings they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.errors import UsageError
from popkit.reporting.parameters import checked
from popkit.reporting.run import NotebookFailed, run_all
from tests.conftest import CASES

nbformat = pytest.importorskip("nbformat")


def notebook(*sources: str) -> Any:
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
    )
    made.cells.append(
        nbformat.v4.new_code_cell('CASE = ""\nGRANT = ""', metadata={"tags": ["parameters"]})
    )
    made.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    return made


def silent(line: str) -> None:
    pass


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "notebook bad, cell 3: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit()", "notebook bad, cell 3: SystemExit"),
        ("import os; os._exit(0)", "notebook bad: DeadKernelError"),
    ],
    ids=["error", "exit", "dead"],
)
def test_a_cell_that_fails_or_stops_early_is_a_failure(
    tmp_path: Path, source: str, told: str
) -> None:
    with pytest.raises(NotebookFailed) as caught:
        run_all({"bad": notebook(source, "print('never')")}, tmp_path, {"CASE": "case"}, silent)
    assert str(caught.value).startswith(told)
    assert caught.value.exit_code == 70
    assert list(tmp_path.iterdir()) == []


def test_inputs_stay_strings_and_only_the_known_environment_is_there(tmp_path: Path) -> None:
    values = {"CASE": "地域 'x' \\ \"", "GRANT": "0" * 64}
    source = "import os, pathlib\nprint(repr(CASE), repr(GRANT), len(pathlib.Path.cwd().parts) > 1)"
    done = run_all({"good": notebook(source)}, tmp_path, values, silent)["good"]
    assert done.cells[2].outputs[0]["text"] == f"{values['CASE']!r} {values['GRANT']!r} True\n"
    assert [cell.execution_count for cell in done.cells] == [1, 2, 3]
    assert done.cells[1].id == "injected-parameters"
    assert set(done.metadata) == {"kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags"} for cell in done.cells)


@pytest.fixture(scope="module")
def case() -> Any:
    return popkit.open_case(CASES / "cutover")


def test_a_grant_may_be_named_by_its_beginning(case: Any) -> None:
    assert (
        checked({"CASE": "x", "GRANT": "GyNE"}, case).GRANT
        == "GyNErNFYyguDK24JREUeQvazex3M2WoUvELAnZPpqkvH"
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"CASE": "x", "GRNT": "y"},
            "'GRNT' is no parameter of the notebooks; known are CASE, GRANT, ERA",
        ),
        ({"CASE": "x", "GRANT": 0}, "GRANT must be a string"),
        ({"CASE": ""}, "CASE must be a string that is not empty"),
        ({}, "CASE is missing"),
        ({"CASE": "x", "GRANT": "nobody"}, "no grant of the case is 'nobody'"),
        ({"CASE": "x", "ERA": "later"}, "'later' is no era"),
    ],
)
def test_what_is_not_known_is_refused(case: Any, values: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        checked(values, case)
