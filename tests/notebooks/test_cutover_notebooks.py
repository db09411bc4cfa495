"""The notebooks of a cutover: in the form of the others, run over living drills, and without a
secret in anything that they leave.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from solders.keypair import Keypair

from popkit.cutover.records import independent
from popkit.cutover.pages import notebook
from popkit.cutover.errors import NotConfirmed
from popkit.cutover.run import Run, open_run
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning.stepping import ORDER
from popkit.drill import cutover
from popkit.drill.cutover import Rehearsal, rehearsing
from popkit.errors import EXIT_CANNOT_TELL, EXIT_WRONG, UsageError
from popkit.wrapping import laid_out
from popkit.reporting.normal import HIDDEN, dumps, normal
from popkit.reporting.run import NotebookFailed, read_source, run_all
from popkit.reporting.sources import NAMES
from tests.conftest import ROOT
from tests.japanese import left_in_english

CUTOVER, VERIFY = "50_cutover", "60_verify_new_grant"
PARAMETERS = {CUTOVER: ["RUN", "LANGUAGE", "CONFIRM"], VERIFY: ["CASE", "RUN", "GRANT", "ENDPOINT", "LANGUAGE"]}
BY_NAME = pytest.mark.parametrize("name", PARAMETERS)
API_KEY, TOKEN = "planted-key-4d8b02c7", "planted-token-91f6e3a5"
STEPS = ("0", "1", "2", "2.4", "2.5", "3", "4")
"""Of a plan whose one key signs everything, where the worker cannot close events."""


def document(name: str) -> Any:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def code(name: str) -> list[Any]:
    return [cell for cell in document(name)["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def planned() -> Iterator[tuple[Rehearsal, Run]]:
    """A living incident of a strict era and the plan of its cutover, of which nothing is done;
    address and token hold planted secrets.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutover, "TOKEN", TOKEN)
        with rehearsing("abandoned-quiet", "strict", 5) as rehearsal:
            for name in ("rpc", "second_rpc"):
                variable = rehearsal.names[name]
                patch.setenv(variable, f"{os.environ[variable]}/?api-key={API_KEY}")
            run = rehearsal.plan()
            yield rehearsal, run
            run.close()


def secrets(rehearsal: Rehearsal) -> list[str]:
    """What may stand nowhere: the planted ones, and each key as its file, base58 and hex hold it.
    """
    keys = [json.loads(place.read_text()) for place in (rehearsal.folder / "keys").iterdir()]
    forms = [form for key in keys for form in (json.dumps(key)[1:80], str(Keypair.from_bytes(bytes(key))), bytes(key)[:32].hex())]
    return [API_KEY, TOKEN, *forms]


def cells_run(checklist: notebook.Checklist, confirm: notebook.Confirm = "") -> dict[str, Screen | None]:
    """Every cell of the checklist below the one that opens the run, in order, in this process: its
    screen by the cell's id.
    """
    names = {"run": checklist, "CONFIRM": confirm}
    return {cell["id"]: eval(cell["source"], names) for cell in code(CUTOVER)[2:]}


# What they are


@BY_NAME
def test_it_is_in_the_form_of_the_others_without_outputs(name: str) -> None:
    made = normal(document(name), name)
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
    assert (ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8") == dumps(made)
    assert not any(cell["outputs"] for cell in code(name))
    assert name not in NAMES, "'popkit investigate' runs what looks at a case, and nothing that acts"


@BY_NAME
def test_inputs_are_alone_and_every_other_cell_is_one_call(name: str) -> None:
    parameters, opening, *rest = code(name)
    assert parameters["metadata"]["tags"] == ["parameters"]
    assigned = ast.parse(parameters["source"]).body
    assert [line.targets[0].id for line in assigned] == PARAMETERS[name]  # type: ignore[attr-defined]
    assert all(isinstance(ast.literal_eval(line.value), str) for line in assigned)  # type: ignore[attr-defined]
    assert "CONFIRM" not in PARAMETERS[name] or 'CONFIRM = ""' in parameters["source"]
    assert opening["metadata"]["tags"] == [HIDDEN]
    for cell in rest:
        (statement,) = ast.parse(cell["source"]).body
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)


def test_the_checklist_has_every_step_of_the_runbook_once_in_its_own_numbers() -> None:
    text = "\n".join(cell["source"] for cell in document(CUTOVER)["cells"] if cell["cell_type"] == "markdown")
    steps = re.findall(r"^#{2,3} Step (\S+) — .+ / .*[ぁ-んァ-ヶ一-龠]", text, re.MULTILINE)
    assert sorted(steps, key=ORDER.index) == sorted(ORDER, key=ORDER.index)
    called = re.findall(r'run\.step\("([\d.]+)"\)\.(\w+)\(', "\n".join(cell["source"] for cell in code(CUTOVER)))
    assert called == [(step, verb) for step in steps for verb in ("show", "dry", "act")]
    assert len(re.findall(r"\*Input:\* .+ \*Risk:\* .+ \*Effect:\* .+ \*Output:\* .+", text)) == len(ORDER)
    assert len(re.findall(r"\*入力:\* .+ \*リスク:\* .+ \*作用:\* .+ \*出力:\* .+", text)) == len(ORDER)


# What CONFIRM may be


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", {}),
        ("1", {"1": ""}),
        ("2 ABCDEF:x1/150", {"2": "ABCDEF:x1/150"}),
        ({"2.4": "ABCDEF:x"}, {"2.4": "ABCDEF:x"}),
    ],
)
def test_confirm_names_a_step(given: notebook.Confirm, found: dict[str, str]) -> None:
    assert notebook.named(given) == found


@pytest.mark.parametrize("given", ["ABCDEF:x", "7 ABCDEF:x", {"": "ABCDEF:x"}])
def test_confirm_that_names_no_step_is_refused(given: notebook.Confirm) -> None:
    with pytest.raises(UsageError, match="must name a step"):
        notebook.named(given)


# What they do


def test_nothing_confirmed_is_a_dry_run_that_ends_and_leaves_no_secret(planned: tuple[Rehearsal, Run], tmp_path: Path) -> None:
    """In a kernel, by papermill, with everything that any library logs written down."""
    rehearsal, run = planned
    source = read_source(ROOT / "notebooks" / f"{CUTOVER}.ipynb")
    logged = f"import logging\nlogging.basicConfig(level=logging.DEBUG, filename={str(tmp_path / 'log')!r})\nlogging.debug('begun')"
    source["cells"].insert(0, nbformat.v4.new_code_cell(logged, id="logged"))
    before = len(run.journal.entries)
    made = run_all({CUTOVER: source}, tmp_path, {"RUN": str(run.root), "LANGUAGE": "ja"}, str)[CUTOVER]
    shown = dumps(made)
    last = "".join(made["cells"][-1]["outputs"][0]["data"]["text/plain"])
    assert "予行は支障なし" in last
    assert last.count("前の手順を待っています") == len(STEPS) - 1
    kinds = {entry.kind for entry in open_run(run.root).journal.entries[before:]}
    assert kinds <= {"looked", "confirmation_asked"}
    journal = (run.root / "journal.jsonl").read_text()
    log = (tmp_path / "log").read_text()
    assert "begun" in log
    for secret in secrets(rehearsal):
        assert secret not in shown
        assert secret not in log
        assert secret not in journal
    assert "Traceback" not in shown


def test_an_action_that_is_stopped_fails_its_cell_under_its_name(planned: tuple[Rehearsal, Run], tmp_path: Path) -> None:
    """In a kernel, by papermill: what runs it unattended can tell, and nothing after it runs."""
    _, run = planned
    source = read_source(ROOT / "notebooks" / f"{CUTOVER}.ipynb")
    source["cells"] = [c for c in source["cells"] if c["id"] in ("parameters", "open", "step-1-dry", "step-1-act", "what-stops")]
    with pytest.raises(NotebookFailed, match="Stopped: step 1 waits for step 0") as caught:
        run_all({CUTOVER: source}, tmp_path, {"RUN": str(run.root), "LANGUAGE": "ja", "CONFIRM": "1"}, str)
    assert caught.value.cell == 5, "papermill puts the parameters into a cell of their own"
    assert open_run(run.root).state("1") == "open"


def test_what_stops_an_action_is_a_screen_in_the_chosen_language(
    planned: tuple[Rehearsal, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = planned
    checklist = notebook.open_run(str(run.root), language="ja", confirm="0 WRONGX:abcdef")
    assert checklist.step("0").dry() is not None
    with pytest.raises(NotConfirmed) as caught:
        checklist.step("0").act(confirm="0 WRONGX:abcdef")
    checklist.run.close()
    shown = capsys.readouterr().out
    assert "理由" in shown
    assert "対応" in shown
    rendered = caught.value._render_traceback_()
    assert rendered[0].startswith("NotConfirmed: 手順 0 は確認されていません")
    assert not any(".py" in line for line in rendered)


@pytest.mark.parametrize(("raised", "shown"), [(KeyError(API_KEY), "KeyError"), (KeyboardInterrupt(), "interrupted")])
def test_a_fault_or_an_interrupt_quotes_nothing(
    planned: tuple[Rehearsal, Run], monkeypatch: pytest.MonkeyPatch, raised: BaseException, shown: str
) -> None:
    _, run = planned

    def fails(run: Run) -> None:
        raise raised

    monkeypatch.setattr(Run, "status", fails)
    with pytest.raises(notebook.Fault, match=shown) as caught:
        notebook.Checklist(run).status()
    rendered = "\n".join(caught.value._render_traceback_())
    assert "journal.jsonl" in rendered
    assert API_KEY not in rendered
    assert ".py" not in rendered


def test_a_run_that_is_not_there_is_a_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        notebook.open_run(str(tmp_path / "none"), language="en")
    assert "no plan is there" in capsys.readouterr().out


def test_confirm_carries_out_the_step_that_it_names_alone_and_once(planned: tuple[Rehearsal, Run]) -> None:
    """A dry run gives the token; the next run acts on its step, the one after shows what was done;
    then all others, and the end.
    """
    _, run = planned
    dry = notebook.Checklist(run)
    dry.step("0").dry()
    confirm = f"0 {run.step('0').token()}:{run.plan.step('0').value}"
    acting = notebook.Checklist(run, confirm)
    screens = cells_run(acting, confirm)
    assert [step for step in STEPS if run.state(step) == "done"] == ["0"]
    assert run.journal.last("confirmed", "0") is not None
    last = screens["what-stops"]
    assert last is not None
    assert last.exit_code == 0
    assert "done now" in last.text()
    entries = len([entry for entry in run.journal.entries if entry.kind == "acting"])
    again = cells_run(notebook.Checklist(run, confirm), confirm)["step-0-act"]
    assert again is not None
    assert "❄" in again.text()
    assert len([entry for entry in run.journal.entries if entry.kind == "acting"]) == entries


def test_a_step_that_the_plan_leaves_out_says_so(planned: tuple[Rehearsal, Run]) -> None:
    _, run = planned
    checklist = notebook.Checklist(run)
    shown = checklist.step("2.1").show()
    assert "not in this plan" in shown.text()
    assert (checklist.step("2.1").dry(), checklist.step("2.1").act()) == (None, None)
    with pytest.raises(UsageError, match="no such step"):
        checklist.step("7")
    with pytest.raises(UsageError, match="not in this plan"):
        notebook.Checklist(run, "2.1 ABCDEF:x")


def test_every_screen_fits_and_is_whole_in_japanese(planned: tuple[Rehearsal, Run]) -> None:
    """The checklist's own words; those of the steps are held elsewhere."""
    _, run = planned
    run.language = "ja"
    try:
        checklist = notebook.Checklist(run, "1")
        own = [checklist.step("1").dry(), checklist.step("2").act(), checklist.step("2.1").show(), checklist.what_stops()]
        for screen in own:
            assert screen is not None
            text = laid_out(screen.text(), 100)
            assert len(text.splitlines()) <= 30
            assert left_in_english(text, ["CONFIRM"]) == []
    finally:
        run.language = "en"


def test_a_new_grant_is_verified_by_its_notebook(planned: tuple[Rehearsal, Run], tmp_path: Path) -> None:
    """Before the first claim nothing is green; after the cutover everything is, in a kernel,
    without a secret in it.
    """
    rehearsal, run = planned
    with pytest.raises(UsageError, match="no evidence to open"):
        independent.open_grant(run=str(run.root), language="en")
    for step in run.plan.steps:
        if step.id == "2.5":  # linked and funded, and nobody claimed yet
            own = independent.open_grant(run=str(run.root), endpoint=f"env:{rehearsal.names['second_rpc']}", language="en")
            assert own.answer().exit_code == EXIT_CANNOT_TELL
            assert "nobody claimed yet" in own.claims().text()
        if run.state(step.id) != "done":
            cutover.confirmed(run, step.id)
    assert run.next_step() is None
    source = read_source(ROOT / "notebooks" / f"{VERIFY}.ipynb")
    made = run_all({VERIFY: source}, tmp_path, {"RUN": str(run.root), "LANGUAGE": "ja"}, str)[VERIFY]
    last = "".join(made["cells"][-1]["outputs"][0]["data"]["text/plain"])
    assert "検証済み" in last
    assert 'data-exit-code="0"' in made["cells"][-1]["outputs"][0]["data"]["text/html"]
    assert not any(secret in dumps(made) for secret in secrets(rehearsal))
    own = independent.open_grant(run=str(run.root), endpoint=f"env:{rehearsal.names['second_rpc']}", language="en")
    assert own.place.name == "own-2"
    assert own.answer().exit_code == 0


def test_a_broken_grant_is_not_verified(planned: tuple[Rehearsal, Run]) -> None:
    rehearsal, _ = planned
    found = independent.open_grant(str(rehearsal.case), grant=rehearsal.stage.grant.address[:12], language="en").answer()
    assert found.exit_code == EXIT_WRONG
    assert "not verified: something does not hold" in found.text()


def test_a_grant_that_goes_on_is_verified_by_what_came_after_its_signer_was_named() -> None:
    with rehearsing("signer-mismatch", "relaxed", 3) as rehearsal:
        run = rehearsal.plan(signer=rehearsal.stage.world.worker.signer)
        endpoint = f"env:{rehearsal.names['rpc']}"
        assert "not in this plan" in notebook.Checklist(run).step("2").show().text()
        for step in ("1", "2.3"):
            cutover.confirmed(run, step)
        nobody = independent.open_grant(run=str(run.root), endpoint=endpoint, language="en").answer()
        assert (nobody.exit_code, "nobody claimed yet" in nobody.text()) == (EXIT_CANNOT_TELL, True)
        rehearsal.claims(1)
        assert independent.open_grant(run=str(run.root), endpoint=endpoint, language="en").answer().exit_code == 0
        run.close()
