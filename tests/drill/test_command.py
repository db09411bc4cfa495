"""`popkit drill` as a person types it: started, claimed at, collected from, opened and stopped."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from popkit.cli import main
from popkit.drill import notebook, running
from popkit.errors import EXIT_USAGE, EXIT_WRONG
from tests.conftest import ROOT


@dataclass
class Asked:
    """What a command ended with and said."""

    exit_code: int
    output: str
    errors: str


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., Asked]:
    """`popkit drill …` in this process."""

    def run(*words: object) -> Asked:
        code = main(["drill", *map(str, words)])
        said = capfd.readouterr()
        return Asked(code, said.out, said.err)

    return run


def test_a_drill_from_start_to_stop(ask: Callable[..., Asked], tmp_path: Path) -> None:
    folder = tmp_path / "night"
    started = ask("start", "abandoned-quiet", "--era", "strict", "--seed", 3, "--out", folder)
    try:
        assert started.exit_code == 0, started.output
        state = json.loads((folder / "drill.json").read_text())
        assert {"rpc", "second_rpc", "worker", "grant"} <= state.keys()
        assert state["answer_sha256"] in started.output
        assert "abandoned" not in (folder / "drill.json").read_text() + started.output, (
            "the answer is sealed"
        )
        assert (
            (folder / "drill.json").stat().st_mode & 0o077
            == (Path(state["keys"]) / "authority.json").stat().st_mode & 0o077
            == 0
        )
        claimed = ask("claim", 2, "--drill", folder)
        assert "2  simulation refused: PopHashChainBroken" in claimed.output
        before = running.ask(folder, "status")["now"]
        assert ask("clock", "+900", "--drill", folder).exit_code == 0
        assert running.ask(folder, "status")["now"] >= before + 900
        upset = ask("upset", "node", "429:1", "--drill", folder, "--lang", "ja")
        assert (upset.exit_code, "障害はこれだけ" in upset.output) == (0, True)
        refused = ask("upset", "frozen", "--drill", folder)
        assert (refused.exit_code, "model A has no such guard" in refused.errors) == (
            EXIT_USAGE,
            True,
        )
        again = ask("start", "intact", "--out", folder)
        assert (again.exit_code, "holds a drill already" in again.errors) == (EXIT_USAGE, True)
        opened = ask("reveal", "--drill", folder, "--lang", "ja")
        assert opened.exit_code == 0
        assert "封印は有効です" in opened.output
        assert "broken" in opened.output
        sealed = running.ask(folder, "reveal")
        assert hashlib.sha256(sealed["sealed"].encode()).hexdigest() == state["answer_sha256"]
    finally:
        assert ask("stop", "--drill", folder).exit_code == 0
    gone = ask("status", "--drill", folder)
    assert (gone.exit_code, "no drill runs there" in gone.errors) == (EXIT_USAGE, True)


def test_what_is_asked_wrongly(ask: Callable[..., Asked], tmp_path: Path) -> None:
    for words in (
        ["start", "nothing"],
        ["start", "genesis-abandoned", "--era", "relaxed"],
        ["start", "intact", "--fault", "nothing"],
    ):
        found = ask(*words, "--out", tmp_path / "none")
        assert found.exit_code == EXIT_USAGE, found
    assert not (tmp_path / "none").exists()
    assert ask("clock", "soon", "--drill", tmp_path).exit_code == EXIT_USAGE


def test_a_case_and_its_answer(ask: Callable[..., Asked], tmp_path: Path) -> None:
    case = tmp_path / "evidence"
    assert (
        ask("case", "paused-midway", "--era", "relaxed", "--seed", 4, "--out", case).exit_code == 0
    )
    answer = json.loads((tmp_path / "evidence.answer.json").read_text())
    assert (answer["verdict"], answer["causes"]) == ("intact", ["paused"])
    assert ask("case", "paused-midway", "--out", case).exit_code == EXIT_USAGE


def test_a_table_of_runs_ends_with_what_it_found(
    ask: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ask("run", "intact", "--era", "head")
    assert (good.exit_code, "1 of 1 answers are right" in good.output) == (0, True)
    monkeypatch.setattr("popkit.drill.stage.Stage.first_bad", lambda stage: "something else")
    bad = ask("run", "intact", "--era", "head")
    assert bad.exit_code == EXIT_WRONG
    assert "0 of 1" in bad.output


def test_the_list_shows_every_incident_in_either_language(ask: Callable[..., Asked]) -> None:
    english, japanese = ask("list").output, ask("list", "--all", "--lang", "ja").output
    assert "A wallet takes a proof and never sends it" in english
    assert len(japanese.splitlines()) > len(english.splitlines()) > 20


def test_the_notebook_runs_from_start_to_stop(tmp_path: Path) -> None:
    """Its cells in order, in this process: what a kernel adds is not the drill's."""
    text = (ROOT / "notebooks" / "05_rehearse.ipynb").read_text("utf-8")
    cells = [
        "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"
    ]
    names: dict[str, Any] = {}
    exec(cells[0], names)  # the parameters
    names |= {
        "INCIDENT": "quiet-tail",
        "ERA": "strict",
        "SEED": "8",
        "FOLDER": str(tmp_path / "drill"),
    }
    shown = []
    try:
        for cell in cells[1:-1]:
            *statements, last = ast.parse(cell.replace('"none"', '"switch"')).body
            is_shown = isinstance(last, ast.Expr)
            exec(
                compile(
                    ast.Module([*statements, *([] if is_shown else [last])], []), "cell", "exec"
                ),
                names,
            )
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    finally:
        notebook.stop(names["drill"])
    said = "\n".join(str(block.markdown()) for block in shown[1:])
    assert "broken" in said
    assert "That is right." in said
    assert names["drill"].took.keys() == set(notebook.STEPS), said
    assert names["drill"].run.state("4") == "done"
    assert not any(cell.get("outputs") for cell in json.loads(text)["cells"]), (
        "outputs of a living drill are not committed"
    )
