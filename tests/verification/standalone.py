"""The stand-alone checker as the tests meet it: imported alone, or run as an auditor would."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "popkit" / "verification" / "check.py"


def load() -> ModuleType:
    """The file, imported alone."""
    spec = importlib.util.spec_from_file_location("standalone_check", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = load()


def run(*args: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the file as an auditor would: isolated from every installed package."""
    command = [sys.executable, "-I", "-S", str(FILE), *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=env, cwd="/"
    )


def outcome(case: Path, findings: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit code and the lines that do not hold."""
    code = CHECK.check(case, *([] if findings is None else [findings]))
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d+\. (holds|violated|cannot tell): ", line) for line in lines)
    statuses = {re.split(r"\. |: ", line)[1] for line in lines}
    assert code == (1 if "violated" in statuses else 3 if "cannot tell" in statuses else 0)
    return code, [line for line in lines if not re.match(r"\d+\. holds", line)]


def numbers(lines: list[str], status: str = "violated") -> set[int]:
    """The checks with a line of that status."""
    return {int(line.split(".")[0]) for line in lines if re.match(rf"\d+\. {status}: ", line)}
