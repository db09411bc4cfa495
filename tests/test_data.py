"""The recorded cases are what they were when recorded: checked with hashlib alone, not with popkit."""

import hashlib
import json
import re
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent / "data"
MANIFEST = "manifest-sha256.txt"
CASES = sorted(path.parent for path in (DATA / "cases").glob("*/case.json"))
ANSWERS = {path.name.removesuffix(".answer.json"): path for path in (DATA / "answers").iterdir()}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def manifest_rows(case: Path) -> list[tuple[str, str]]:
    """The (sha256, path) rows of a case's manifest, in the file's order."""
    text = (case / MANIFEST).read_text("utf-8")
    rows = [re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line) for line in text.splitlines()]
    assert all(rows), f"{case.name}: a line of {MANIFEST} is not '<sha256>  <path>'"
    return [(row[1], row[2]) for row in rows if row]


def files_of(case: Path) -> set[str]:
    return {path.relative_to(case).as_posix() for path in case.rglob("*") if path.is_file()}


def table_of_readme() -> dict[str, tuple[str, int]]:
    """What data/README.md says of each case: name → (verdicts of its grants, exit code)."""
    text = (DATA / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([a-z_, ]+) \| (\d) \| .+ \|$", text, re.MULTILINE)
    assert len({name for name, *_ in rows}) == len(rows), "a case stands twice in the table"
    return {name: (verdicts, int(code)) for name, verdicts, code in rows}


@every_case
def test_manifest_names_every_file_once(case: Path) -> None:
    paths = [path for _, path in manifest_rows(case)]
    assert len(paths) == len(set(paths))
    assert set(paths) == files_of(case) - {MANIFEST}


@every_case
def test_manifest_holds(case: Path) -> None:
    changed = [
        path
        for digest, path in manifest_rows(case)
        if hashlib.sha256((case / path).read_bytes()).hexdigest() != digest
    ]
    assert changed == []


def test_every_directory_of_cases_is_a_case() -> None:
    assert CASES, "no case at all: every other test here would pass on nothing"
    assert sorted((DATA / "cases").iterdir()) == CASES


def test_every_case_has_an_answer_and_every_answer_a_case() -> None:
    assert set(ANSWERS) == {case.name for case in CASES}


@every_case
def test_answer_is_about_this_case(case: Path) -> None:
    answer = json.loads(ANSWERS[case.name].read_bytes())
    told = json.loads((case / "case.json").read_bytes())
    assert answer["case"] == case.name
    assert {grant["grant"] for grant in answer["grants"]} == set(told["grants"])


def test_readme_tells_each_case_as_its_answer_does() -> None:
    answers = {name: json.loads(path.read_bytes()) for name, path in ANSWERS.items()}
    assert table_of_readme() == {
        name: (", ".join(grant["verdict"] for grant in answer["grants"]), answer["exit_code"])
        for name, answer in answers.items()
    }
