"""A whole investigation: what it writes, where it refuses to, and that nothing of time, place or
machine gets into it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.errors import CaseUnreadable, UsageError
from popkit.reporting import investigate as module
from popkit.reporting.investigate import check_place, investigate
from popkit.reporting.run import NotebookFailed
from popkit.reporting.sources import NAMES
from tests.conftest import CASES, ROOT, Copy
from tests.installed import clone, environment_of

CASE = CASES / "cutover"
FILES = [
    "findings.json",
    "manifest-sha256.txt",
    *(f"notebooks/{name}.ipynb" for name in NAMES),
    "report.html",
    "report.md",
]
EVIL = "<script>alert(1)</script> | `x` ](http://evil.example) \u202e<img src=x onerror=alert(2)>"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Page(HTMLParser):
    """A page's elements, its attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the bundled case, made in this process."""
    out = tmp_path_factory.mktemp("reports") / "one"
    lines: list[str] = []
    diagnosis = investigate(CASE, out, lines.append)
    assert diagnosis.exit_code == 1
    assert len(lines) == len(NAMES) + 2
    return out


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page((report / "report.html").read_text("utf-8"))


def test_it_writes_what_it_says_and_leaves_nothing_beside_it(report: Path) -> None:
    assert sorted(tree(report)) == sorted(FILES)
    assert [path.name for path in report.parent.iterdir()] == ["one"]
    assert (report / "findings.json").read_text("utf-8") == popkit.open_case(
        CASE
    ).diagnose().dumps()
    rows = [line.split("  ") for line in (report / "manifest-sha256.txt").read_text().splitlines()]
    assert {name: digest for digest, name in rows} == {
        name: hashlib.sha256(text).hexdigest()
        for name, text in tree(report).items()
        if name != "manifest-sha256.txt"
    }


def test_make_demo_in_another_time_place_and_environment_gives_the_same_bytes(
    report: Path, installed: Path, tmp_path: Path
) -> None:
    """An installed popkit, away from its sources and from a Python that holds more than the default
    dependencies.
    """
    folder = clone(tmp_path / "elsewhere" / "事件 2", installed)
    shutil.copytree(CASE, folder / "data" / "cases" / CASE.name)
    mpl = tmp_path / "mpl"
    mpl.mkdir()
    (mpl / "matplotlibrc").write_text("figure.dpi: 33\nlines.linewidth: 9\nfont.family: serif\n")
    env = environment_of(
        tmp_path, TZ="Asia/Tokyo", LC_ALL="C", SECRET_TOKEN="hunter2", MPLCONFIGDIR=str(mpl)
    )
    done = subprocess.run(
        ["make", "demo"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "The recorded incident was found to be: broken",
        "  out/demo/report.html",
        "The command is .venv/bin/popkit",
    ):
        assert line in done.stdout
    one, two = tree(report), tree(folder / "out" / "demo")
    assert [name for name in one if one[name] != two[name]] == []
    for text in two.values():
        assert str(tmp_path).encode() not in text
        assert str(installed.parent).encode() not in text
        assert b"hunter2" not in text


def test_the_report_needs_nothing_but_itself(report: Path, page: Page) -> None:
    html = (report / "report.html").read_text("utf-8")
    assert not re.search(
        r"https?://|<script|url\(|@import|javascript:| on\w+=", html, re.IGNORECASE
    )
    assert str(ROOT) not in html
    for tag, name, value in page.attributes:
        if name == "href":
            assert value.startswith("#"), (tag, value)
        if name == "src":
            assert tag == "img"
            assert value.startswith("data:image/png;base64,")
    policy = next(
        value for tag, _, value in page.attributes if tag == "meta" and "default-src" in value
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_policy_admits_the_style_that_is_there(report: Path) -> None:
    import base64

    html = (report / "report.html").read_text("utf-8")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    assert (
        f"'sha256-{base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()}'"
        in html
    )


def test_the_report_is_for_people(page: Page) -> None:
    assert ("html", "lang", "en") in page.attributes
    assert ("span", "lang", "ja") in page.attributes
    assert "地域清掃ボランティア A" in page.text
    assert any(name == "name" and value == "viewport" for _, name, value in page.attributes)
    images = page.tags.count("img")
    alts = [value for tag, name, value in page.attributes if tag == "img" and name == "alt"]
    assert images == len(alts) >= 3
    assert all(alts)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    main = page.text[page.text.index("Case case-") :]
    assert main.index("broken") < main.index("Step 0.1")


def test_the_markdown_says_the_same(report: Path) -> None:
    text = (report / "report.md").read_text("utf-8")
    assert text.startswith("# Case case-d300050e: broken\n")
    for fact in (
        "abandoned_proof",
        "PopHashChainBroken",
        "b7872ab65c1b6e7039c597be8ea1b75108e5a6601a35ad2d6e748c15a3fab1f9",
        "地域清掃ボランティア A",
    ):
        assert fact in text
    assert not re.search(r"https?://|<script|!\[", text)


def test_the_executed_notebooks_open_as_notebooks(report: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    for name in NAMES:
        done = nbformat.read(report / "notebooks" / f"{name}.ipynb", as_version=4)
        nbformat.validate(done)
        injected = next(cell for cell in done.cells if cell.id == "injected-parameters")
        assert 'CASE = "case"' in injected.source


def test_other_peoples_text_stays_text(copy_of: Callable[[str], Copy], tmp_path: Path) -> None:
    case = copy_of("cutover")
    events = json.loads((case.path / "worker/events.json").read_text())
    for item in events["body"]["items"]:
        item["title"] = EVIL
    (case.path / "worker/events.json").write_text(json.dumps(events))
    case.change(
        "client/errors.jsonl",
        lambda rows: [
            {**row, "message": EVIL + row["message"], "logs": [EVIL, *row["logs"]]} for row in rows
        ],
    )
    header = json.loads((case.path / "case.json").read_text())
    (case.path / "case.json").write_text(json.dumps({**header, "case": EVIL, "cluster": EVIL}))
    case.seal()
    investigate(case.path, tmp_path / "out")
    page = Page((tmp_path / "out/report.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert "<script>alert(1)</script> | `x` ](http://evil.example) \\u202e<img src=x" in page.text
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert {value[:5] for _, name, value in page.attributes if name in ("src", "href")} <= {
        "data:",
        *(f"#{name[:4]}" for name in NAMES),
    }
    import mistune

    rendered = Page(
        str(
            mistune.create_markdown(escape=False, plugins=["table", "url"])(
                (tmp_path / "out/report.md").read_text("utf-8")
            )
        )
    )
    assert not {"script", "img", "a"} & set(rendered.tags)
    assert not any(name.startswith("on") for _, name, _ in rendered.attributes)


def test_a_failed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from popkit.reporting import run

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise NotebookFailed("20_forks", 4, "ZeroDivisionError: division by zero")

    monkeypatch.setattr(run, "run_all", fail)
    with pytest.raises(NotebookFailed, match="notebook 20_forks, cell 4"):
        investigate(CASE, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_report_is_replaced_and_comes_back_when_that_fails(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(report, tmp_path / "out")
    check_place(tmp_path / "out", CASE)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "report.html").write_text("new")
    rename = os.rename

    def refuse_the_new(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError("no such luck")
        rename(source, target)

    monkeypatch.setattr(module.os, "rename", refuse_the_new)
    with pytest.raises(OSError, match="no such luck"):
        module._put_in_place(tmp_path / "new", tmp_path / "out", tmp_path / "before")
    assert tree(tmp_path / "out") == tree(report)
    monkeypatch.undo()
    module._put_in_place(tmp_path / "new", tmp_path / "out", tmp_path / "before")
    assert tree(tmp_path / "out") == {"report.html": b"new"}
    assert not (tmp_path / "before").exists()


@pytest.mark.parametrize(
    "work",
    [
        "notes.txt",
        "report.html",
        "notebooks/00_overview.ipynb",
        "findings.json",
        "manifest-sha256.txt",
    ],
)
def test_somebodys_work_is_left_alone(report: Path, tmp_path: Path, work: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(report, out)
    with (out / work).open("a") as file:
        file.write("mine\n")
    before = tree(out)
    with pytest.raises(UsageError, match="is not empty and"):
        investigate(CASE, out)
    assert tree(out) == before


def test_it_writes_only_where_it_may(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASE, case)
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(case / "worker", target_is_directory=True)
    before = tree(case)
    for out in (
        case,
        case / "out",
        case / "worker",
        tmp_path / "link" / "out",
        tmp_path / "file",
        tmp_path,
    ):
        with pytest.raises(UsageError):
            investigate(case, out)
    assert tree(case) == before


def test_a_case_that_cannot_be_read_is_said_so_before_anything_runs(
    copy_of: Callable[[str], Copy], tmp_path: Path
) -> None:
    case = copy_of("cutover")
    (case.path / "worker/events.json").write_text("{}")
    with pytest.raises(CaseUnreadable):
        investigate(case.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_killed_investigation_left_is_cleared_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its work folder goes; one that a living process holds, and folders that are not ours, stay."""
    out = tmp_path / "out"
    script = (
        "import os, signal\n"
        "from popkit.reporting import run\n"
        "run.run_notebooks = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from popkit.reporting.investigate import investigate\n"
        f"investigate({str(CASE)!r}, {str(out)!r})\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=120, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1, left
    assert left[0].startswith(".out.")
    foreign = tmp_path / ".out.notes"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine")
    held = tmp_path / ".out.other"
    held.mkdir()

    def fails(*args: object) -> None:
        raise NotebookFailed("none", 0, "stopped before anything is run")

    monkeypatch.setattr("popkit.reporting.run.run_notebooks", fails)
    with (held / module.WORKS_HERE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotebookFailed):
            investigate(CASE, out)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".out.notes", ".out.other"]
    with pytest.raises(NotebookFailed):
        investigate(CASE, out)
    assert [path.name for path in tmp_path.iterdir()] == [".out.notes"]
