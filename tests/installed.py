"""popkit as somebody installs it: its wheel, in an environment of its own that holds the default
dependencies and nothing more.

What the tests need is not in it, so that a verb that wants more than the default installation fails
here. The libraries are links to those of the tests: nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.conftest import ROOT


def install(environment: Path) -> Path:
    """Make the environment and install the wheel into it; gives its folder of commands."""
    venv.create(environment, symlinks=True, with_pip=False)
    site = (
        environment
        / "lib"
        / f"python{sys.version_info.major}.{sys.version_info.minor}"
        / "site-packages"
    )
    for name in sorted(_default_libraries()):
        for there, here in _places(distribution(name)):
            link = Path(os.path.normpath(site / here))
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(there)
    wheels = environment / "wheels"
    _python("-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    (wheel,) = wheels.iterdir()
    _python(
        "-m",
        "pip",
        "--python",
        str(environment / "bin/python"),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    )
    return environment / "bin"


def _python(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _default_libraries() -> set[str]:
    """The names of what `pip install -e .` brings: pyproject.toml's dependencies, and theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names: set[str] = set()
    waiting = [Requirement(text) for text in project["dependencies"]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        names.add(wanted.name)
        for extra in ("", *wanted.extras):
            if (wanted.name, extra) not in seen:
                seen.add((wanted.name, extra))
                needs = map(Requirement, distribution(wanted.name).requires or [])
                waiting += [
                    need
                    for need in needs
                    if need.marker is None or need.marker.evaluate({"extra": extra})
                ]
    return names


def _places(library: Distribution) -> Iterator[tuple[Path, str]]:
    """Where a library's files are, and where they go, seen from site-packages: whole folders, and
    files outside of it one by one.
    """
    for file in library.files or []:
        top = file.parts[0]
        if top == "..":
            if "bin" not in file.parts:
                yield Path(str(library.locate_file(file))).resolve(), str(file)
        elif top != "__pycache__":
            yield Path(str(library.locate_file(top))), top


def clone(folder: Path, commands: Path) -> Path:
    """What somebody who has run `make install` in a clone has there, with an installed popkit as
    its environment.

    `data` is for the caller to bring. Nothing can be installed in it: its pip fails, whoever calls
    it.
    """
    folder.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    (folder / ".venv").symlink_to(commands.parent, target_is_directory=True)
    (commands / "pip").write_text("#!/bin/sh\necho 'no test installs anything' >&2\nexit 1\n")
    (commands / "pip").chmod(0o755)
    (commands.parent / ".installed").touch()
    return folder


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who just opened a terminal: nothing of the tests' own, nothing of
    a make around them.
    """
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV", "PYTEST"))
    }
    path = [
        str(home / ".local/bin"),
        *(place for place in os.get_exec_path() if not Path(place, "popkit").exists()),
    ]
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join(path), **more}
