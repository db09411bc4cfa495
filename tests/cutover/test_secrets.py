"""No secret anywhere: planted in addresses, token and keys, and searched for after a whole
rehearsal and after each kind of failure.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import zstandard

from popkit.cutover.errors import Stopped
from popkit.cutover.resolving import resolve
from popkit.drill.cutover import AUTHORITY, FUNDER, TOKEN, WALLET, Rehearsal, confirmed, rehearsing
from popkit.protocol.keys import b58encode
from tests.calling import called
from tests.cutover.nights import hands, reopened

PATH_KEY, QUERY_KEY = "pAtHsEcReT0123456789abcdef", "qUeRySeCrEt-9876543210"


class Everything(logging.Handler):
    """Every record of every logger, whole, with its arguments and its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r}")


@pytest.fixture
def log() -> Iterator[Everything]:
    root, handler = logging.getLogger(), Everything()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def secrets_of(held: Rehearsal) -> dict[str, str]:
    """What may stand nowhere, by what it is: keys in every usual writing, whole and the seed alone."""
    found = {
        "key in the path": PATH_KEY,
        "key in the query": QUERY_KEY,
        "token": TOKEN,
        "token, quoted": quote(TOKEN),
    }
    for role in (AUTHORITY, FUNDER, WALLET):
        whole = bytes(json.loads(Path(os.environ[held.names[role]]).read_text()))
        for name, part in (("key", whole), ("seed", whole[:32])):
            found |= {
                f"{role} {name} as a list": json.dumps(list(part))[1:-1],
                f"{role} {name} as a compact list": json.dumps(list(part), separators=(",", ":"))[
                    1:-1
                ],
                f"{role} {name} as hex": part.hex(),
                f"{role} {name} as base58": b58encode(part),
                f"{role} {name} as base64": base64.b64encode(part).decode().rstrip("="),
                f"{role} {name} as bytes": repr(part)[2:-1],
            }
    return found


def assert_nowhere(held: Rehearsal, texts: dict[str, str]) -> None:
    """No secret in the rehearsal's files (packed ones unpacked; but the keys' own), nor in these
    texts, nor in a process list.
    """
    for place in held.folder.rglob("*"):
        if place.is_file() and place.parent.name != "keys":
            data = place.read_bytes()
            data = (
                zstandard.ZstdDecompressor().stream_reader(data).read()
                if place.suffix == ".zst"
                else data
            )
            texts[str(place.relative_to(held.folder))] = data.decode("utf-8", "replace")
    texts["process list"] = "\n".join(
        " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )
    hidden = secrets_of(held)
    assert len(texts) > 10
    for where, text in texts.items():
        for what, secret in hidden.items():
            assert secret not in text, f"{what} stands in {where}"


def shown_by(error: BaseException | None) -> str:
    """An exception with all that it holds and all that it came from."""
    parts = []
    while error is not None:
        parts.append(f"{error!r} {error.args!r} {vars(error)!r}")
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """A rehearsal whose nodes are asked with a key in the path and in the query."""
    with rehearsing("abandoned-proof", "strict") as held:
        for name in ("rpc", "second_rpc"):
            url = os.environ[held.names[name]].rstrip("/")
            monkeypatch.setenv(held.names[name], f"{url}/{PATH_KEY}?api-key={QUERY_KEY}")
        yield held
        monkeypatch.undo()


def test_no_secret_is_left_by_a_whole_rehearsal(planted: Rehearsal, log: Everything) -> None:
    texts = {}
    with planted.plan(by_roles=True) as run:
        for step in run.plan.steps:
            texts[f"screen {step.id}"] = confirmed(run, step.id).text("en")
        texts["status"] = run.status().text("ja")
    with reopened(run.root) as again:
        texts["reprs"] = repr((again, again.local, again.pair(), again.desk(), again.key("wallet")))
    texts["log"] = "\n".join(log.lines)
    assert_nowhere(planted, texts)


def test_no_secret_is_left_by_failures(
    planted: Rehearsal, log: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent and refusing nodes, a lost answer, a worker that fails: errors, their arguments,
    tracebacks and the run's files.
    """
    monkeypatch.setenv("POPKIT_TRACEBACK", "1")
    monkeypatch.setattr(
        "popkit.cutover.run.open_run", lambda root, **_: reopened(root, planted.sleep)
    )  # whose waits take no time
    texts, do = dict[str, str](), hands(planted).upset
    with planted.plan() as run:
        for step in ("0", "1"):
            confirmed(run, step)
        for upset, fault in (
            ("node", fault)
            for fault in (
                "server-error:1",
                "redirect:1",
                "html:1",
                "drop:1",
                "cut:1",
                "other-genesis",
            )
        ):
            do({"upset": upset, "value": fault})
            with pytest.raises(Stopped) as caught:
                confirmed(run, "2")
            texts[fault] = shown_by(caught.value)
            done = called("cutover", "step", run.root, "2")
            assert done.returncode == 1
            texts[f"{fault} by command"] = (done.stdout + done.stderr).decode()
            do({"upset": upset, "value": "well"})
        do({"upset": "node", "value": "lost-answer:1"})
        confirmed(run, "2")
        do({"upset": "node", "value": "well"})
        do({"upset": "answer-502"})
        with pytest.raises(Stopped) as caught:
            confirmed(run, "2.4")
        texts["event"] = shown_by(caught.value)
        resolve(run, "2.4")
        do({"upset": "worker-down"})
        with pytest.raises(Stopped) as caught:
            confirmed(run, "2.5")
        texts["worker down"] = shown_by(caught.value)
        for words in (
            ("status",),
            ("show",),
            ("step", "2.5"),
            ("resolve", "2.5"),
            ("record",),
            ("abandon",),
        ):
            done = called("cutover", words[0], run.root, *words[1:])
            texts[" ".join(words)] = (done.stdout + done.stderr).decode()
    texts["log"] = "\n".join(log.lines)
    assert_nowhere(planted, texts)
