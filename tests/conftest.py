"""What every test shares: where the data is, and how to make a changed copy of a case."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.calling import called

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "data" / "cases"
ANSWERS = ROOT / "data" / "answers"
popkit = called
"""Run the command line, in this process, as starting Python costs a second a time."""
os.environ["POPKIT_LANG"] = (
    "en"  # whatever the locale of the machine: tests that are about languages choose their own
)
NAMES = sorted(path.name for path in CASES.iterdir() if (path / "case.json").is_file())


def answer_of(name: str) -> dict[str, Any]:
    """The recorded answer of a case."""
    return json.loads((ANSWERS / f"{name}.answer.json").read_text())


def seal(case: Path) -> None:
    """Write a case's manifest anew."""
    rows = []
    for path in sorted(
        p for p in case.rglob("*") if p.is_file() and p.name != "manifest-sha256.txt"
    ):
        rows.append(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
            f"{path.relative_to(case).as_posix()}\n"
        )
    (case / "manifest-sha256.txt").write_text("".join(rows))


class Copy:
    """A changed copy of a recorded case; `seal()` after changing it."""

    def __init__(self, source: str, target: Path) -> None:
        self.path = target
        shutil.copytree(CASES / source, target)

    def lines(self, name: str) -> list[str]:
        """The lines of a jsonl file, decompressed."""
        plain, packed = self.path / name, self.path / f"{name}.zst"
        if packed.is_file():
            with packed.open("rb") as raw:
                return zstandard.ZstdDecompressor().stream_reader(raw).read().decode().splitlines()
        return plain.read_text().splitlines()

    def rows(self, name: str) -> list[Any]:
        """The parsed lines of a jsonl file."""
        return [json.loads(line) for line in self.lines(name)]

    def write(self, name: str, rows: list[Any]) -> None:
        """Replace a jsonl file by rows (values or lines), uncompressed."""
        (self.path / f"{name}.zst").unlink(missing_ok=True)
        text = "".join(
            (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n"
            for row in rows
        )
        (self.path / name).write_text(text)

    def change(self, name: str, edit: Callable[[list[Any]], list[Any]]) -> None:
        """Replace a jsonl file by what `edit` makes of its rows."""
        self.write(name, edit(self.rows(name)))

    def drop(self, name: str) -> None:
        """Remove a file or folder."""
        path = self.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def seal(self) -> Copy:
        seal(self.path)
        return self

    def diagnose(self) -> Any:
        """Seal and diagnose."""
        import popkit as package

        self.seal()
        return package.open_case(self.path).diagnose()


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[str], Copy]:
    """Make a copy of a recorded case to change."""
    made: list[int] = []

    def make(name: str) -> Copy:
        made.append(1)
        return Copy(name, tmp_path / f"{name}-{len(made)}")

    return make


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an installed popkit: its wheel with the default dependencies alone, away from
    the clone.
    """
    from tests.installed import install

    return install(tmp_path_factory.mktemp("installed") / "environment")
