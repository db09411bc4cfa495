"""A whole investigation: diagnosis, notebooks, report, manifest; written all at once or not at all,
and never into the case.

The place may be new, empty, or an earlier report that nobody added to or changed: that one is
replaced. Anything else is somebody's work and is left alone.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.case import open_case
from popkit.diagnosis.result import SCHEMA
from popkit.errors import CaseUnreadable, UsageError
from popkit.evidence.layout import MANIFEST
from popkit.evidence.leftovers import is_leftover
from popkit.evidence.manifest import read_manifest, sha256_of
from popkit.evidence.outside import refuse_inside

WORKS_HERE = ".popkit-works-here"

if TYPE_CHECKING:
    from popkit.diagnosis.result import Diagnosis
    from popkit.reporting.run import Progress


def investigate(
    case_path: str | Path,
    out_dir: str | Path,
    progress: Progress = lambda line: None,
    *,
    era: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Investigate a case and write findings.json, report.html, report.md, notebooks/ and
    manifest-sha256.txt into `out_dir`.

    `progress` gets a line a step. `parameters` are further inputs of the notebooks (GRANT). Two
    runs on the same case give the same bytes wherever they are made. Raises UsageError for a place
    that must not be written, an unknown parameter or grant; what opening a case raises;
    NotebookFailed when a notebook did not run to its end. Nothing is left in `out_dir` after an
    error.
    """
    from popkit.reporting.parameters import checked
    from popkit.reporting.render import render
    from popkit.reporting.run import run_notebooks

    root, out = Path(case_path), Path(os.path.realpath(out_dir))
    case = open_case(root, era)
    given = checked({"CASE": case.name, "ERA": era or "", **(parameters or {})}, case)
    check_place(out, root.resolve())
    diagnosis = case.diagnose()
    progress(f"case {case.name}: {diagnosis.verdict}")
    out.parent.mkdir(parents=True, exist_ok=True)
    _clear_left_over(out)
    with (
        tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside,
        _claimed(Path(beside)),
    ):
        made = Path(beside, "report")
        made.mkdir()
        notebooks = run_notebooks(
            root, made / "notebooks", given.model_dump(exclude={"CASE"}), progress
        )
        html, markdown = render(diagnosis, notebooks)
        for name, text in (
            ("findings.json", diagnosis.dumps()),
            ("report.html", html),
            ("report.md", markdown),
        ):
            (made / name).write_bytes(text.encode())
        _write_manifest(made)
        check_place(out, root.resolve())
        _put_in_place(made, out, Path(beside, "before"))
    progress("report written")
    return diagnosis


@contextmanager
def _claimed(beside: Path) -> Iterator[None]:
    """Hold a lock in a work folder while this process lives: a folder whose lock is free was left
    by one that was killed.
    """
    with (beside / WORKS_HERE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear_left_over(out: Path) -> None:
    """Remove work folders that investigations into the same place left behind when they were
    killed.

    A folder that holds the earlier report, whose renaming was interrupted, is put back where it
    was. Of a folder without our lock nothing is known, and it stays.
    """
    for beside in sorted(out.parent.glob(f".{glob.escape(out.name)}.*")):
        try:
            with (beside / WORKS_HERE).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if (beside / "before").is_dir() and not out.exists():
                    os.rename(beside / "before", out)
                shutil.rmtree(beside)
        except OSError:
            continue  # another process works there, or it is not ours


def check_place(out: Path, case: Path) -> None:
    """Raise UsageError unless a report may be put there: nothing is written into a case, over a
    file, or over somebody's work.
    """
    refuse_inside(out, case)
    if out.is_symlink():
        raise UsageError(f"{out.name}: is a link that leads nowhere; name a directory")
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out.name}: is a file; name a directory")
    if any(out.iterdir()):
        problem = _is_more_than_a_report(out)
        if problem:
            raise UsageError(
                f"{out.name}: is not empty and {problem}; choose another place, or move it away"
            )


def _is_more_than_a_report(out: Path) -> str:
    """Why a directory is not an untouched report of popkit; empty when it is one.

    What an operating system or an editor left there is nobody's work.
    """
    try:
        schema = json.loads((out / "findings.json").read_bytes()).get("schema")
        digests = read_manifest(out / MANIFEST)
    except (OSError, ValueError, AttributeError, CaseUnreadable):
        return "is no report of popkit"
    if schema != SCHEMA:
        return "is no report of popkit"
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if (path.is_dir() and not path.is_symlink()) or name == MANIFEST:
            continue
        if name not in digests and not path.is_symlink() and is_leftover(name, digests):
            continue
        if path.is_symlink() or digests.get(name) != sha256_of(path):
            return f"{name} in it was added or changed"
    return ""


def _write_manifest(made: Path) -> None:
    """The digests of every file, as sha256sum writes them."""
    rows = []
    for path in sorted(made.rglob("*"), key=lambda path: path.relative_to(made).as_posix()):
        if path.is_file():
            rows.append(
                f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
                f"{path.relative_to(made).as_posix()}\n"
            )
    (made / MANIFEST).write_bytes("".join(rows).encode())


def _put_in_place(made: Path, out: Path, before: Path) -> None:
    """Rename the finished report to its place; an earlier one comes back when that fails."""
    had = out.exists()
    if had:
        os.rename(out, before)
    try:
        os.rename(made, out)
    except OSError:
        if had:
            os.rename(before, out)
        raise
    if had:
        shutil.rmtree(before)
