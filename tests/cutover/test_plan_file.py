"""plan.json: canonical, named by its digest, read back as it was written and not otherwise; drafts
are read and never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import rfc8785

from popkit.cutover import plan as plans
from popkit.cutover.plan import Plan, canonical, digest, json_schema, read_plan, write_plan
from popkit.errors import UsageError
from tests.calling import called
from tests.conftest import ROOT
from tests.cutover.planned import Night, night

CASE = ROOT / "data" / "cases" / "abandoned-proof"


@pytest.fixture(scope="module")
def found() -> Iterator[Night]:
    with night("abandoned-proof", "strict", seed=6) as living:
        yield living


@pytest.fixture(scope="module")
def plan(found: Night) -> Plan:
    return found.plan()


def test_it_is_canonical_written_once_and_read_back(plan: Plan, tmp_path: Path) -> None:
    name = write_plan(tmp_path, plan)
    data = (tmp_path / plans.FILE).read_bytes()
    assert data == rfc8785.dumps(json.loads(data)) == canonical(plan)
    assert (read_plan(tmp_path), digest(read_plan(tmp_path))) == (plan, name)
    with pytest.raises(FileExistsError):
        write_plan(tmp_path, plan)
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(data))
    assert (
        json.loads((ROOT / "popkit" / "cutover" / "records" / "plan.schema.json").read_text())
        == json_schema()
    )


def test_a_term_past_what_json_holds_is_a_string_of_digits(plan: Plan, tmp_path: Path) -> None:
    terms = msgspec.structs.replace(
        plan.old_grant.terms, period_seconds=(1 << 63) - 1, expires_at=1 << 53, start_ts=-(1 << 60)
    )
    big = msgspec.structs.replace(
        plan, old_grant=msgspec.structs.replace(plan.old_grant, terms=terms)
    )
    write_plan(tmp_path, big)
    assert read_plan(tmp_path) == big
    held = json.loads((tmp_path / plans.FILE).read_bytes())
    assert held["old_grant"]["terms"]["period_seconds"] == str((1 << 63) - 1)
    jsonschema.Draft202012Validator(json_schema()).validate(held)


def _edits(data: bytes) -> Iterator[tuple[str, bytes]]:
    held = json.loads(data)
    yield "a space", data.replace(b",", b", ", 1)
    yield "a newline at the end", data + b"\n"
    yield (
        "another order",
        json.dumps(held, sort_keys=False, separators=(",", ":"))
        .encode()
        .replace(b'{"amount"', b'{ "amount"', 1),
    )
    yield "a field twice", data[:-1] + b',"draft":false}'
    yield "a field more", rfc8785.dumps(held | {"note": "x"})
    yield (
        "a field less",
        rfc8785.dumps({name: value for name, value in held.items() if name != "signer"}),
    )
    yield "a number as text", rfc8785.dumps(held | {"made_at": str(held["made_at"])})
    yield "a flag as a number", rfc8785.dumps(held | {"draft": 0})
    yield "another schema", rfc8785.dumps(held | {"schema": "popkit.plan/2"})
    yield "another remedy", rfc8785.dumps(held | {"remedy": "hope"})
    yield "half of it", data[: len(data) // 2]
    yield "no text", b"\xff\xfe" + data
    yield "broken text", data.replace(b'"name":"', b'"name":"\xff', 1)
    yield "nothing", b""


def test_edited_bytes_are_refused_with_what_to_do(plan: Plan, tmp_path: Path) -> None:
    for number, (what, data) in enumerate(_edits(canonical(plan))):
        run = tmp_path / str(number)
        run.mkdir()
        (run / plans.FILE).write_bytes(data)
        with pytest.raises(UsageError) as error:
            read_plan(run)
        assert error.value.exit_code == 2, what
        assert called("cutover", "status", run).returncode == 2, what
    assert called("cutover", "status", tmp_path / "nowhere").returncode == 2


def test_an_edit_that_is_canonical_has_another_digest_which_the_journal_refuses(
    found: Night, plan: Plan
) -> None:
    found.here()
    with found.held.plan(name="edited") as run:
        held = json.loads((run.root / plans.FILE).read_bytes())
        place = run.root / plans.FILE
    held["amount"]["base_units"] = "999"
    place.chmod(0o644)
    place.write_bytes(rfc8785.dumps(held))
    assert called("cutover", "status", place.parent).returncode in (1, 2)


def test_equal_inputs_at_one_slot_give_one_digest(
    found: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time stands still. Looking at the worker appends to its audit list, so that its newest entry
    is another one; nothing else is.
    """
    clock = found.held.drill.clock
    then = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: then)
    wall, began = found.stage.world.now, found.stage.world.ms
    one = found.plan(wall=wall)
    found.stage.world.ms = began
    other = found.plan(wall=wall)
    assert one.worker is not None
    assert other.worker is not None
    assert one.worker.newest_entry != other.worker.newest_entry
    same = msgspec.structs.replace(other, worker=one.worker)
    assert (canonical(same), digest(same)) == (canonical(one), digest(one))
    assert digest(found.plan(wall=wall, amount=5)) != digest(one)


def draft(out: Path, *more: str) -> Any:
    return called(
        "cutover", "plan", CASE, "--grant", grant_of_case(), "--offline", "--out", out, *more
    )


def grant_of_case() -> str:
    return str(json.loads((CASE / "case.json").read_text())["grants"][0])


def test_a_draft_is_of_the_case_alone_says_so_and_is_never_run(
    tmp_path: Path, found: Night
) -> None:
    result = draft(tmp_path / "draft")
    assert result.returncode == 0, result.stderr.decode()
    made = read_plan(tmp_path / "draft")
    assert made.draft
    assert (made.cluster, made.worker, made.new_grant, made.signer, made.money, made.event) == (
        None,
    ) * 6
    assert (made.steps, made.other_grants, made.marker) == ([], [], None)
    assert len(made.not_checked) == 4
    assert made.people.owed_now is not None
    jsonschema.Draft202012Validator(json_schema()).validate(
        json.loads((tmp_path / "draft" / plans.FILE).read_bytes())
    )
    for verb in (("show",), ("status",)):
        shown = called("cutover", *verb, tmp_path / "draft")
        assert shown.returncode == 0, shown.stderr.decode()
    step = called("cutover", "step", tmp_path / "draft", "0")
    assert (step.returncode, b"Traceback" in step.stderr) == (1, False)
    assert digest(made) == digest(_again(tmp_path))


def _again(tmp_path: Path) -> Plan:
    draft(tmp_path / "again")
    return read_plan(tmp_path / "again")


def test_a_draft_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    case = ROOT / "data" / "cases" / "intact"
    grant = json.loads((case / "case.json").read_text())["grants"][0]
    result = called(
        "cutover", "plan", case, "--grant", grant, "--offline", "--out", tmp_path / "run"
    )
    assert (result.returncode, (tmp_path / "run").exists()) == (1, False)
    assert b"--reason" in result.stderr
