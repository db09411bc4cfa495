"""The command line as its users meet it: exit codes, what goes where, words and speed of start."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import pytest

import popkit as package
from popkit.causes.registry import CAUSES
from popkit.cli import cli, main
from popkit.errors import UsageError
from popkit.explain import explain, vocabulary
from popkit.pages.terminal import SYMBOLS
from popkit.protocol.errors import PROGRAM_ERRORS
from popkit.rules.registry import RULES
from popkit.verdict.judgement import VERDICTS
from tests.calling import called as popkit
from tests.conftest import CASES, Copy

Make = Callable[[str], Copy]


def test_json_dash_writes_findings_and_nothing_else() -> None:
    ran = popkit("diagnose", CASES / "cutover", "--json", "-")
    assert ran.returncode == 1
    assert ran.stderr == b""
    assert ran.stdout.decode() == package.open_case(CASES / "cutover").diagnose().dumps()


def test_json_file_is_written_whole_beside_the_text(tmp_path: Path) -> None:
    target = tmp_path / "findings.json"
    ran = popkit("diagnose", CASES / "cutover", "--json", target)
    assert ran.returncode == 1
    assert ran.stdout.decode().startswith("✗ BROKEN")
    assert json.loads(target.read_text())["verdict"] == "broken"
    assert [p.name for p in tmp_path.iterdir()] == ["findings.json"]


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    ran = popkit("diagnose", CASES / "cutover", "--json", tmp_path / "no" / "findings.json")
    assert ran.returncode == 2
    assert b"cannot be written" in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [[], ["diagnose"], ["nonsense"], ["diagnose", "x", "--era", "later"], ["investigate", "x"]],
)
def test_wrong_usage_is_two(args: list[str]) -> None:
    ran = popkit(*args)
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert b"usage" in ran.stderr


def test_an_error_inside_popkit_is_seventy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(path: str, era: str | None = None) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("popkit.case.open_case", fault)
    monkeypatch.delenv("POPKIT_TRACEBACK", raising=False)
    assert main(["diagnose", str(CASES / "intact")]) == 70
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    command = f"{sys.executable} -m popkit.cli diagnose {CASES / 'term'} --json - | head -c 10 > /dev/null; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert ran.returncode in (1, 70)  # written whole before the reader went, or not
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize("command", ["diagnose", "verify"])
def test_what_is_no_file_is_written_to_and_not_replaced(command: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with TemporaryFile() as read, subprocess.Popen(["cat", str(pipe)], stdout=read) as reader:
        ran = popkit(command, CASES / "intact", "--json", pipe)
        reader.wait(timeout=30)
        read.seek(0)
        received = read.read()
    assert ran.returncode == 0
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert received == popkit(command, CASES / "intact", "--json", "-").stdout
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("target", ["/", ".", "", "{}/none/there", "{}/file/below"])
@pytest.mark.parametrize("option", ["--json", "--standalone"])
def test_a_place_that_cannot_be_written_is_wrong_usage(
    option: str, target: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    ran = popkit("verify", CASES / "intact", option, target.format(tmp_path))
    assert ran.returncode == 2
    assert b"cannot be written" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_stand_alone_checker_is_written_alone(tmp_path: Path) -> None:
    checker = (Path(package.__file__).parent / "verification" / "check.py").read_bytes()
    ran = popkit("verify", CASES / "intact", "--standalone", "-")
    assert (ran.returncode, ran.stdout) == (0, checker)
    target = tmp_path / "check.py"
    assert popkit("verify", CASES / "intact", "--standalone", target).returncode == 0
    assert target.read_bytes() == checker
    assert (
        subprocess.run(
            [sys.executable, "-I", str(target), str(CASES / "intact")], check=False
        ).returncode
        == 0
    )
    assert popkit("verify", CASES / "intact", "somebody", "--standalone", target).returncode == 2
    assert (
        popkit("verify", CASES / "intact", "--standalone", CASES / "intact" / "check.py").returncode
        == 2
    )
    assert not (CASES / "intact" / "check.py").exists()


ORDER = ("because", "last good", "cause", "can heal", "affected", "do now")


@pytest.mark.parametrize(
    "name",
    ["abandoned-proof", "in-flight", "intact", "rpc-gap", "out-of-order", "unused", "quiet-tail"],
)
def test_text_gives_the_verdict_first_then_what_is_asked_next(name: str) -> None:
    ran = popkit("diagnose", CASES / name)
    text = ran.stdout.decode()
    diagnosis = package.open_case(CASES / name).diagnose()
    assert ran.returncode == diagnosis.exit_code
    assert text.startswith(f"{SYMBOLS[diagnosis.verdict]} {diagnosis.verdict.upper()}")
    spots = [
        text.index(f"\n  {word} ")
        for word in ORDER
        if word != "cause" or diagnosis.grants[0].causes
    ]
    assert spots == sorted(spots)
    assert "\x1b" not in text, "no colour where nobody looks"


@pytest.mark.parametrize("name", ["receipts-tampered", "audit-tampered", "unbacked-records"])
def test_no_success_word_heads_an_answer_with_critical_findings(name: str) -> None:
    ran = popkit("diagnose", CASES / name)
    assert ran.returncode == 1
    first = ran.stdout.decode().splitlines()[0]
    assert first.startswith("! INTACT, BUT")
    assert "✓" not in first


def test_other_peoples_text_cannot_drive_the_terminal(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    events = case.path / "worker" / "events.json"
    events.write_text(events.read_text().replace("地域清掃ボランティア A", "\\u001b[2Jgone"))
    case.seal()
    ran = popkit("diagnose", case.path)
    assert ran.returncode == 1
    assert b"\x1b" not in ran.stdout


def test_explain_knows_every_word_that_popkit_says() -> None:
    words = vocabulary()
    assert set(VERDICTS) == set(SYMBOLS)
    for word in [*VERDICTS, *CAUSES, *RULES, *PROGRAM_ERRORS]:
        assert words[word].meaning
        assert words[word].advice
        assert popkit_explains(word), word


def popkit_explains(word: str) -> bool:
    return word in str(explain(word))


@pytest.mark.parametrize(
    "word",
    [
        "PopHashChainBroken",
        "broken",
        "6026",
        "0x178a",
        "pophashchainbroken",
        "abandoned_proof",
        "ConstraintSeeds",
    ],
)
def test_explain_a_word(word: str) -> None:
    ran = popkit("explain", word)
    assert ran.returncode == 0
    assert "What to do:" in ran.stdout.decode()


def test_6030_is_two_errors() -> None:
    text = popkit("explain", "6030").stdout.decode()
    assert "PopAuditHashMissing" in text
    assert "PopReceiptCommitmentRequired" in text


def test_explain_a_word_nobody_uses() -> None:
    ran = popkit("explain", "PopHashChainBrokn")
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert b"near it: PopHashChainBroken" in ran.stderr


def test_explain_lists_them_all() -> None:
    ran = popkit("explain")
    assert ran.returncode == 0
    assert all(word in ran.stdout.decode() for word in vocabulary())


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return set(ran.stdout.decode().split())


def test_importing_popkit_is_cheap() -> None:
    assert not modules_after("import popkit") & {
        "pandas",
        "matplotlib",
        "pyarrow",
        "numpy",
        "papermill",
    }


def test_the_help_loads_every_verb_and_nothing_heavy() -> None:
    loaded = modules_after("from popkit.cli import main; main(['--help'])")
    assert {f"popkit.commands.{name}" for name in cli.names} <= loaded
    assert not loaded & {
        "pandas",
        "numpy",
        "matplotlib",
        "pyarrow",
        "papermill",
        "aiohttp",
        "msgspec",
        "solders",
        "rich",
        "argparse",
    }
    assert not modules_after("from popkit.cli import main; main(['-V'])") & {
        f"popkit.commands.{name}" for name in ("diagnose", "serve")
    }


def test_diagnosing_needs_neither_pandas_nor_matplotlib() -> None:
    statement = f"import popkit; popkit.open_case({str(CASES / 'intact')!r}).diagnose()"
    assert not modules_after(statement) & {"pandas", "matplotlib", "pyarrow", "papermill"}


def test_objects_show_themselves() -> None:
    case = package.open_case(CASES / "cutover")
    chain = case.chain(case.grants[0][:6])
    diagnosis = case.diagnose()
    for thing in (case, chain, diagnosis, diagnosis.grants[0], explain("broken")):
        assert thing.__class__.__name__ not in repr(thing) or repr(thing).startswith("<")
        assert "<table>" in thing._repr_html_() or "<p>" in thing._repr_html_()
    with pytest.raises(UsageError):
        case.chain("nobody")
