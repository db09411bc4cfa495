"""The README holds: its lines work, typed one after another by somebody who has just installed
popkit, and show what it shows.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from popkit.cli import main
from tests.conftest import CASES, ROOT
from tests.installed import clone, environment_of
from tests.serving.harness import served

README = (ROOT / "README.md").read_text("utf-8")
CASE = "intact"
GRANT = "6uWTWRYX6qn1jTWfpusqAL1MKnn7J3oTMYo9djXmwE59"

NOT_RUN = {
    r"make demo\b": "test_investigate.py runs it, and holds its report to the byte",
    r"make (test|lab|install|notebooks|mutants|bench)\b": "this is such a test; the others "
    "install, or take minutes",
    r"\bpip install\b|-m venv\b": "they download; the environment is what they make "
    "(tests/installed.py), without a network",
    r"popkit investigate CASE\b": "test_investigate.py runs it",
}
"""Lines that are not run, and why; test_the_lines_that_are_not_run_are_there holds that each rule
is still needed.
"""

STAND_INS = {
    "CASE": f"data/cases/{CASE}",
    "DIR...": f"data/cases/{CASE}",
    "DIR": "out/report",
    "FILE": "out/file",
    "URL": "{url}",
    "NAME": "TOKEN",
    "PUBKEY": GRANT,
    "GRANT": GRANT,
    "WORD": "broken",
    "VERB": "diagnose",
}
"""What a reader puts in the place of a word in capitals."""

PEERS = {
    "https://…?api-key=…": "{url}/?api-key=x",
    "https://tickets.example": "{url}",
    "https://api.devnet.solana.com": "{url}",
    "http://127.0.0.1:8899": "http://127.0.0.1:{port}",
    "WORKER_TOKEN=…": "WORKER_TOKEN=x",
    "--from bucket-export/": f"--from data/cases/{CASE}/worker/r2",
}
"""Peers that are far away, and what a reader has and this machine has not. A node on this machine
needs no limits either.
"""


@dataclass
class Line:
    """A line that a reader types: what, what the README shows of its output, and the exit code that
    it names.
    """

    typed: str
    shown: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        named = re.search(r"\bexit code (\d+)", "\n".join([self.typed, *self.shown]))
        return int(named[1]) if named else 0

    @property
    def reason_not_to_run(self) -> str:
        return next((reason for rule, reason in NOT_RUN.items() if re.search(rule, self.typed)), "")

    @property
    def serves(self) -> bool:
        return self.typed.startswith("popkit serve")

    def run_as(self, number: int, url: str, port: int) -> str:
        """The line as this machine can run it: `url` is a served case, `port` where the README's
        own server listens.
        """
        typed = re.sub(r"(?<=\s)# .*|\[\w+\]\.\.\.", "", self.typed).strip()
        for far, near in PEERS.items():
            typed = typed.replace(far, near)
        if confirmed := re.search(r"cutover step (\S+) (\S+) --confirm TOKEN:VALUE", typed):
            typed = typed.replace(
                "TOKEN:VALUE",
                f'"$({sys.executable} {ROOT}/tests/confirming.py {confirmed[1]} {confirmed[2]})"',
            )
        typed = re.sub(
            r"(?<= )[A-Z]+(\.\.\.)?(?=\s|$)",
            lambda word: STAND_INS[word[0]],
            typed.replace("--out CASE", "--out {out}"),
        )
        if self.serves:
            typed += " --port {port}"
        if typed.startswith("popkit collect"):
            typed += " --rate 9999 --limit every=9999"
        return typed.format(url=url, port=port, out=f"out/{number}")


def lines() -> list[Line]:
    """Every line of the console blocks that follows a prompt, from "Start" on, then those above it,
    which show what is to come.
    """
    found: list[Line] = []
    above, start, rest = README.partition("\n## Start\n")
    for block in re.findall(
        r"^```console\n(.*?)^```", start + rest + above, re.DOTALL | re.MULTILINE
    ):
        for text in block.splitlines():
            if text.startswith("$ "):
                found.append(Line(text[2:]))
            elif found[-1].typed.endswith("\\") or text.lstrip().startswith("#"):
                found[-1].typed += f"\n{text}"
            else:
                found[-1].shown.append(text)
    return found


def script(results: Path, url: str) -> str:
    """A shell's input that runs every line in one shell, as a reader does; what each gives goes to
    out.N, err.N and code.N.
    """
    text, port = f"cd {shlex.quote(str(results.parent))}\n", 0
    for number, line in enumerate(lines()):
        if line.reason_not_to_run:
            continue
        port = free_port() if line.serves else port
        out, err, code = (
            shlex.quote(str(results / f"{kind}.{number}")) for kind in ("out", "err", "code")
        )
        text += f"{{ {line.run_as(number, url, port)}\n}} </dev/null >{out} 2>{err}"
        if line.serves:
            text += f" &\nwhile kill -0 $! && ! [ -s {out} ]; do sleep 0.05; done\nkill -0 $!"
        text += f"\necho $? {port} >{code}\n"
    return text + "kill $(jobs -p)\nwait\n"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


def test_every_line_works_in_a_clone_where_popkit_was_just_installed(
    installed: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", clone(tmp_path / "clone", installed)
    results = folder / "results"
    for made in (home, results):
        made.mkdir()
    (folder / "data").symlink_to(ROOT / "data", target_is_directory=True)
    (home / "popkit").symlink_to(installed.parent, target_is_directory=True)
    with served(CASES / CASE) as url:
        shell = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            env=environment_of(home, TOKEN="x"),
            start_new_session=True,
        )
        try:
            shell.communicate(script(results, url).encode(), timeout=300)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    for number, line in enumerate(lines()):
        if line.reason_not_to_run:
            continue
        code, port = (results / f"code.{number}").read_text().split()
        assert int(code) == line.exit_code, (
            f"$ {line.typed}\n{(results / f'err.{number}').read_text()}"
        )
        if line.shown:
            shown = "".join(f"{text}\n" for text in line.shown).replace(":8899", f":{port}")
            assert (results / f"out.{number}").read_text("utf-8") == shown, line.typed


def test_every_rule_for_a_line_that_is_not_run_is_needed() -> None:
    for rule in NOT_RUN:
        assert any(re.search(rule, line.typed) for line in lines()), rule


def test_every_place_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]


def wrong_pip_lines(text: str) -> list[str]:
    """The pip lines of a text that do not install the clone they are run in, or that want an extra
    that popkit does not have.
    """
    right = {".", *(f".[{extra}]" for extra in EXTRAS)}
    found = re.finditer(r"\bpipx?3? install(?: +-[\w-]+)* +(['\"]?)([^\s'\"`);]+)\1", text)
    return [line[0] for line in found if line[2].rstrip(",") not in right]


@pytest.mark.parametrize(
    "target",
    [
        "popkit",
        "'popkit[lab]'",
        "pop-chain-kit",
        "-q 'pop-chain-kit[lab]'",
        "-e '.[notebooks]'",
        "popkit.whl",
    ],
)
def test_a_pip_line_that_would_fetch_a_strangers_package_is_noticed(target: str) -> None:
    assert wrong_pip_lines(f"run: pip install {target}, and go on")


@pytest.mark.parametrize(
    ("library", "module", "arguments"),
    [
        ("aiohttp", "popkit.serving.server", ["serve", CASES / CASE]),
        (
            "aiohttp",
            "popkit.collecting.collect",
            ["collect", "--rpc", "http://127.0.0.1:1", "--grant", GRANT, "--out", "{}/case"],
        ),
        ("papermill", "popkit.reporting.run", ["investigate", CASES / CASE, "--out", "{}/report"]),
    ],
)
def test_a_missing_library_is_said_with_the_line_that_brings_it(
    library: str,
    module: str,
    arguments: list[str | Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert main([str(word).format(tmp_path) for word in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"popkit {arguments[0]} needs {library}, which this Python does not have" in said.err
    assert f"{sys.executable} -m pip install -e ." in said.err
    assert wrong_pip_lines(said.err) == []
    assert list(tmp_path.iterdir()) == []


def test_every_pip_line_installs_the_clone() -> None:
    kinds = (
        "popkit/**/*.py",
        "popkit/**/*.j2",
        "notebooks/*.ipynb",
        "**/README.md",
        "tests/*.py",
        "Makefile",
        "pyproject.toml",
    )
    places = [path for kind in kinds for path in ROOT.glob(kind) if ".venv" not in path.parts]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in places}
    assert {place: wrong for place, text in texts.items() if (wrong := wrong_pip_lines(text))} == {}
    assert sum("pip install" in text for text in texts.values()) >= 4
