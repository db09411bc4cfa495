"""The custody record and the unfinished case: what was altered is found, what was not committed is
cut off, nothing else is touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from popkit.collecting.custody import Custody
from popkit.collecting.workspace import Workspace
from popkit.errors import CaseUnreadable, ManifestMismatch, UsageError
from popkit.evidence.bundle import Evidence
from popkit.evidence.custody import FIRST, check_custody, read_custody
from popkit.evidence.layout import CUSTODY, MANIFEST
from tests.collecting.collected import collected
from tests.conftest import CASES
from tests.serving.harness import served

PLAN = {"grants": ["a"]}
SIGNATURES, NODE = "rpc/signatures.jsonl", "rpc/node.jsonl"


def workspace(folder: Path, plan: dict[str, Any] = PLAN) -> Workspace:
    return Workspace(folder / "case", plan, clock=lambda: 1000.0)


def fill(work: Workspace) -> None:
    """Three answers in two files, and one that left nothing."""
    for number, (name, lines) in enumerate(
        [(SIGNATURES, [b"one", b"two"]), (NODE, [b"three"]), (SIGNATURES, [b"four"])]
    ):
        ask = work.asks(peer="rpc", calls={"getSlot": 1})
        work.keeps({name: lines}, kind="answer", to=ask, outcome="ok", step=f"step/{number}")
    work.keeps(
        {SIGNATURES: []}, kind="answer", to=work.asks(peer="rpc", calls={}), outcome="timeout"
    )


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    work = workspace(tmp_path)
    fill(work)
    work.close()
    return work.root


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded case, served and collected: what a person holds in hand."""
    folder = tmp_path_factory.mktemp("sealed")
    with served(CASES / "unused") as url:
        return collected("unused", url, folder / "case").case


def lines_of(root: Path) -> list[bytes]:
    return (root / CUSTODY).read_bytes().splitlines(keepends=True)


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


# The chain


def test_each_line_names_its_number_and_the_digest_of_the_line_before(unfinished: Path) -> None:
    head = FIRST
    for number, line in enumerate(lines_of(unfinished), 1):
        row = json.loads(line)
        assert (row["n"], row["prev"]) == (number, head)
        head = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    assert check_custody(unfinished) == []


def moved(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]


EDITS: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "altered": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"at":1', b'"at":2', 1),
        *lines[at + 1 :],
    ],
    "spaced": lambda lines, at: [*lines[:at], b" " + lines[at], *lines[at + 1 :]],
    "dropped": lambda lines, at: lines[:at] + lines[at + 1 :],
    "moved": moved,
    "doubled": lambda lines, at: lines[: at + 1] + lines[at:],
    "inserted": lambda lines, at: [
        *lines[:at],
        b'{"n":%d,"kind":"keep","at":1000.0,"prev":"%s"}\n' % (at + 1, FIRST.encode()),
        *lines[at:],
    ],
    "cut off": lambda lines, at: lines[:at],
    "emptied": lambda lines, at: [*lines[:at], b"{}\n", *lines[at + 1 :]],
}


@pytest.mark.parametrize("edit", EDITS)
def test_any_change_to_a_sealed_record_is_found_at_every_line(
    edit: str, sealed: Path, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    shutil.copytree(sealed, case)
    lines = lines_of(sealed)
    assert len(lines) > 20
    for at in range(1, len(lines)):
        changed = EDITS[edit](lines, at)
        if changed == lines:
            continue
        (case / CUSTODY).write_bytes(b"".join(changed))
        breaks = check_custody(case)
        assert breaks, f"{edit} at line {at + 1}"
        assert min(row.line for row in breaks) in (at, at + 1, at + 2), "it is found where it is"
        assert all(row.expected != row.observed for row in breaks)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_one_byte_of_a_sealed_record_is_found(
    data: st.DataObject, sealed: Path, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    if not case.exists():
        shutil.copytree(sealed, case)
    text = bytearray((sealed / CUSTODY).read_bytes())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    (case / CUSTODY).write_bytes(text)
    try:
        found = bool(check_custody(case))
    except CaseUnreadable:
        found = True
    assert found


def test_text_after_the_last_line_of_a_sealed_record_is_found(sealed: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(sealed, case)
    with (case / CUSTODY).open("ab") as file:
        file.write(b'{"n":')
    assert [str(row).partition(": ")[2] for row in check_custody(case)] == [
        "expected nothing after the last line, observed a line without an end"
    ]


@pytest.mark.parametrize(
    "name",
    ["rpc/signatures.jsonl", "rpc/transactions.jsonl", "rpc/node.jsonl", "rpc/accounts.jsonl"],
)
def test_what_was_kept_can_be_found_again_and_a_changed_byte_shows(
    name: str, sealed: Path, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    shutil.copytree(sealed, case)
    whole = (case / name).read_bytes()
    covered = sorted(
        (k["offset"], k["size"])
        for _, _, row in read_custody(case / CUSTODY)
        for k in row.get("kept", ())
        if k["file"] == name
    )
    assert [offset for offset, _ in covered] == [
        sum(size for _, size in covered[:n]) for n in range(len(covered))
    ]
    assert sum(size for _, size in covered) == len(whole), (
        "every byte of the file came from an answer that is on record"
    )
    for data in (whole[:-2] + b"!\n", whole[:-1], b" " + whole, whole + b"{}\n", b""):
        (case / name).write_bytes(data)
        breaks = check_custody(case)
        assert breaks
        assert all(name in row.expected for row in breaks)
    (case / name).unlink()
    assert any(row.observed == "nothing there" for row in check_custody(case))


def test_a_record_that_points_out_of_the_case_reads_nothing_there(
    unfinished: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "outside"
    secret.write_bytes(b"outside")
    for name in ("../outside", str(secret)):
        row = {
            "file": name,
            "offset": 0,
            "size": 7,
            "sha256": hashlib.sha256(b"outside").hexdigest(),
        }
        line = json.dumps({"n": 1, "prev": FIRST, "at": 0, "kept": [row]}) + "\n"
        (unfinished / CUSTODY).write_text(line)
        assert [found.observed for found in check_custody(unfinished)] == ["nothing there"]


@pytest.mark.parametrize(
    "kept", ["7", "[7]", '[{"file":"x"}]', '[{"file":"x","offset":"0","size":1,"sha256":""}]']
)
def test_a_record_of_another_shape_is_unreadable_and_not_a_fault(
    kept: str, unfinished: Path
) -> None:
    (unfinished / CUSTODY).write_text(
        f'{{"n":1,"prev":"{FIRST}","at":0,"plan":{{"grants":["a"]}},"kept":{kept}}}\n'
    )
    with pytest.raises(CaseUnreadable, match="is not a custody record"):
        check_custody(unfinished)
    with pytest.raises(CaseUnreadable, match="is not a custody record"):
        workspace(unfinished.parent)


# Going on


def test_going_on_changes_nothing_but_the_record(unfinished: Path) -> None:
    before = files_of(unfinished)
    work = workspace(unfinished.parent)
    assert work.resumed
    steps = [work.lines(work.remembered(f"step/{n}") or {}) for n in range(3)]
    work.close()
    assert steps == [[b"one", b"two"], [b"three"], [b"four"]]
    after = files_of(unfinished)
    assert after.pop(CUSTODY).startswith(before.pop(CUSTODY))
    assert after == before
    assert json.loads(lines_of(unfinished)[-1])["kind"] == "resume"
    assert check_custody(unfinished) == []


def test_a_torn_last_line_is_cut_off_and_nothing_else(unfinished: Path) -> None:
    whole = lines_of(unfinished)
    for size in range(1, len(whole[-1])):
        (unfinished / CUSTODY).write_bytes(
            b"".join(whole[:-1]) + whole[-1][:size][: len(whole[-1]) - 1]
        )
        record = Custody(unfinished / CUSTODY)
        record.close()
        assert lines_of(unfinished) == whole[:-1]
        assert (record.count, record.head) == (
            len(whole) - 1,
            hashlib.sha256(whole[-2].rstrip()).hexdigest(),
        )


def test_lines_that_no_record_names_are_cut_off(unfinished: Path) -> None:
    before = files_of(unfinished)
    for name, text in (
        (SIGNATURES, b"uncommitted\nhalf"),
        (NODE, b"x"),
        ("rpc/accounts.jsonl", b"uncommitted\n"),
        ("worker/events.json", b"{}"),
    ):
        (unfinished / name).parent.mkdir(exist_ok=True)
        with (unfinished / name).open("ab") as file:
            file.write(text)
    work = workspace(unfinished.parent)
    kept = work.keeps({SIGNATURES: [b"five"]}, kind="keep")["kept"]
    work.close()
    after = files_of(unfinished)
    assert set(after) == set(before)
    assert after[NODE] == before[NODE]
    assert after[SIGNATURES] == before[SIGNATURES] + b"five\n"
    assert kept[0]["offset"] == len(before[SIGNATURES])
    assert check_custody(unfinished) == []


def test_a_process_killed_before_its_first_line_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "case.collecting"
    (root / "rpc").mkdir(parents=True)
    (root / SIGNATURES).write_bytes(b"left over\n")
    (root / CUSTODY).write_bytes(b'{"n":1,"kind":"begin"')
    work = workspace(tmp_path)
    work.close()
    assert not work.resumed
    assert list(files_of(root)) == [CUSTODY]
    assert [json.loads(line)["kind"] for line in lines_of(root)] == ["begin"]


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit != "cut off"])
def test_an_altered_whole_line_is_refused(edit: str, unfinished: Path) -> None:
    lines = lines_of(unfinished)
    for at in range(1, len(lines) - 1):
        (unfinished / CUSTODY).write_bytes(b"".join(EDITS[edit](lines, at)))
        before = files_of(unfinished)
        with pytest.raises(CaseUnreadable) as caught:
            workspace(unfinished.parent)
        assert caught.value.file == CUSTODY
        assert "start again with another --out" in caught.value.advice
        assert files_of(unfinished) == before, "nothing is repaired, nothing is lost"
        assert not (unfinished / ".lock").exists()


@pytest.mark.parametrize("data", [b"One\ntwo\nfour\n", b"one\ntwo\n", b""])
def test_an_altered_kept_range_is_refused(data: bytes, unfinished: Path) -> None:
    (unfinished / SIGNATURES).write_bytes(data)
    before = files_of(unfinished)
    with pytest.raises(CaseUnreadable, match="are not those that were received") as caught:
        workspace(unfinished.parent)
    assert caught.value.file == SIGNATURES
    assert files_of(unfinished) == before


def test_another_plan_is_refused(unfinished: Path) -> None:
    before = files_of(unfinished)
    with pytest.raises(UsageError, match="was begun to collect something else") as caught:
        workspace(unfinished.parent, {"grants": ["b"]})
    assert '"a"' in str(caught.value)
    assert '"b"' in str(caught.value)
    assert caught.value.exit_code == 2
    assert files_of(unfinished) == before
    workspace(unfinished.parent).close()


def test_a_case_that_exists_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        workspace(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case"]


OTHER = """
import sys
from pathlib import Path
from popkit.collecting.workspace import Workspace
from popkit.errors import UsageError
try:
    work = Workspace(Path(sys.argv[1]), {"grants": ["a"]})
except UsageError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_two_processes_do_not_collect_into_one_folder(tmp_path: Path) -> None:
    work = workspace(tmp_path)
    fill(work)
    before = files_of(work.root)
    command = [sys.executable, "-c", OTHER, str(work.out)]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (other.returncode, other.stderr) == (2, "")
    assert "another process is collecting into it" in other.stdout
    with pytest.raises(UsageError, match="another process is collecting into it"):
        workspace(tmp_path)
    assert files_of(work.root) == before
    work.keeps({SIGNATURES: [b"goes on"]}, kind="keep")
    work.close()
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_a_step_is_remembered_as_long_as_it_is_fresh(tmp_path: Path) -> None:
    now = [1000.0]
    work = Workspace(tmp_path / "case", PLAN, clock=lambda: now[0])
    fill(work)
    now[0] = 1010.0
    assert work.remembered("step/0") is not None
    assert work.remembered("step/0", 10) is not None
    assert work.remembered("step/0", 9.9) is None
    assert work.remembered("step/9") is None
    work.close()


# Sealing


def header() -> dict[str, Any]:
    return {"case": "x", "sources": {"tool": "t"}}


def test_a_sealed_case_is_what_sha256sum_says_and_names_every_file(sealed: Path) -> None:
    rows = dict(
        reversed(line.split("  ", 1)) for line in (sealed / MANIFEST).read_text().splitlines()
    )
    there = files_of(sealed)
    assert set(rows) == set(there) - {MANIFEST}
    assert {name: hashlib.sha256(there[name]).hexdigest() for name in rows} == rows
    assert not sealed.with_name(f"{sealed.name}.collecting").exists()
    assert not (sealed / ".lock").exists()
    if shutil.which("sha256sum"):
        assert (
            subprocess.run(
                ["sha256sum", "-c", "--strict", "--quiet", MANIFEST], cwd=sealed, check=False
            ).returncode
            == 0
        )


def test_the_end_of_the_record_is_anchored_in_the_case(sealed: Path, tmp_path: Path) -> None:
    lines = lines_of(sealed)
    anchor = json.loads((sealed / "case.json").read_text())["sources"]["custody"]
    assert anchor == {
        "lines": len(lines),
        "head": hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest(),
    }
    last = json.loads(lines[-1])
    assert last["kind"] == "sealed"
    assert set(last["files"]) == set(files_of(sealed)) - {CUSTODY, MANIFEST, "case.json"}
    assert check_custody(sealed) == []
    case = tmp_path / "case"
    shutil.copytree(sealed, case)
    (case / CUSTODY).write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ManifestMismatch):
        Evidence(case)


def test_a_file_put_beside_the_sealed_ones_is_found(sealed: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(sealed, case)
    (case / "worker").mkdir(exist_ok=True)
    (case / "worker" / "more.json").write_text("{}")
    assert [row.expected for row in check_custody(case)] == [
        "worker/more.json to be no file of the case"
    ]


def test_a_kill_while_sealing_is_gone_on_from(
    unfinished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = workspace(unfinished.parent)
    monkeypatch.setattr(
        Path, "rename", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        work.seal(header())
    monkeypatch.undo()
    work.close()
    assert (unfinished / MANIFEST).is_file()
    again = workspace(unfinished.parent)
    assert not (unfinished / MANIFEST).exists()
    assert again.remembered("step/2") is not None
    case = again.seal(header())
    again.close()
    assert check_custody(case) == []
    assert [json.loads(line)["kind"] for line in lines_of(case)][-3:] == [
        "sealed",
        "resume",
        "sealed",
    ]
    assert os.listdir(unfinished.parent) == ["case"]


@pytest.mark.parametrize("back", [1.0, 3600.0])
def test_after_the_clock_was_set_back_no_answer_counts_as_of_this_moment(
    back: float, tmp_path: Path
) -> None:
    """How old an answer is cannot be told then; what does not change with time is still not asked
    twice.
    """
    now = [1_000_000.0]
    work = Workspace(tmp_path / "case", PLAN, clock=lambda: now[0])
    work.keeps({"rpc/node.jsonl": [b"{}"]}, kind="answer", step="moment")
    assert work.remembered("moment", 60.0) is not None
    work.close()
    now[0] += 30
    resumed = Workspace(tmp_path / "case", PLAN, clock=lambda: now[0])
    assert resumed.remembered("moment", 60.0) is not None
    resumed.close()
    now[0] -= back
    again = Workspace(tmp_path / "case", PLAN, clock=lambda: now[0])
    assert again.remembered("moment", 60.0) is None
    assert again.remembered("moment") is not None
    again.close()
