"""What other people wrote, in every field of a case that a person may come to see: no output holds
it raw.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import popkit as package
from popkit.pages.terminal import diagnosis_text
from popkit.pages.terminal_verification import verification_text
from popkit.texts import LANGUAGES
from popkit.verification.verify import verify
from tests.conftest import CASES, popkit, seal

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
TELLTALE = "SPOOFED"
PAYLOAD = f"\x1b[2J\x1b]8;;http://evil.example\x07\r\n{TELLTALE}\x7f\x85{TELLTALE}\x9b1m\u202e\u2066\u200f\u061c\u200b\U000e0041\u2028{TELLTALE}\ufeff"
SOURCES = (
    "receipts-tampered",
    "worker-head-reset",
    "signer-mismatch",
    "audit-tampered",
    "abandoned-proof",
)


def is_clean(text: str) -> bool:
    """Whether a text holds nothing hidden, and no line that the payload began."""
    raw = [c for c in text if unicodedata.category(c) in HIDDEN and c != "\n"]
    return not raw and not any(line.strip().startswith(TELLTALE) for line in text.split("\n"))


def strings(value: Any) -> list[str]:
    """Every string of a JSON value, keys too."""
    if isinstance(value, str):
        return [value]
    inner = (
        [*value, *value.values()]
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else []
    )
    return [text for item in inner for text in strings(item)]


def planted(value: Any, rng: random.Random, share: float) -> Any:
    """A JSON value with the payload behind some of its strings."""
    if isinstance(value, str):
        return value + PAYLOAD if rng.random() < share else value
    if isinstance(value, dict):
        return {
            (key + PAYLOAD if rng.random() < share / 20 else key): planted(item, rng, share)
            for key, item in value.items()
        }
    return [planted(item, rng, share) for item in value] if isinstance(value, list) else value


def plant_titles(case: Path) -> None:
    """The payload in names alone, so that the rest of the case is judged as ever."""
    header = json.loads((case / "case.json").read_text())
    header["case"] += PAYLOAD
    header["cluster"] += PAYLOAD
    header["events"] += [
        {"event": f"evt{PAYLOAD}{i}", "grant": grant} for i, grant in enumerate(header["grants"])
    ]
    header["sources"]["missing"] = [f"a part{PAYLOAD}"]
    (case / "case.json").write_text(json.dumps(header))
    events = json.loads((case / "worker/events.json").read_text())
    for item in events["body"]["items"]:
        item["title"] += PAYLOAD
    (case / "worker/events.json").write_text(json.dumps(events))
    rows = [json.loads(line) for line in (case / "rpc/signatures.jsonl").read_text().splitlines()]
    changed = [
        {**row, "err": {f"Bad{PAYLOAD}": PAYLOAD}, "memo": PAYLOAD} if row["err"] else row
        for row in rows
    ]
    (case / "rpc/signatures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    lines = [
        json.loads(line) for line in (case / "rpc/transactions.jsonl").read_text().splitlines()
    ]
    for line in lines:
        if line["result"] and line["result"]["meta"]["err"]:
            line["result"]["meta"]["err"] = {"InstructionError": [2, f"Odd{PAYLOAD}"]}
            line["result"]["meta"]["logMessages"] = [f"Program log: {PAYLOAD}"]
    (case / "rpc/transactions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (case / f"odd{TELLTALE}\x1b[2J\n{TELLTALE}").write_text("x")


def sealed_as_sha256sum_does(case: Path) -> None:
    """A manifest whose odd names are escaped, as sha256sum writes them."""
    (case / "manifest-sha256.txt").unlink()
    names = sorted(p.relative_to(case).as_posix() for p in case.rglob("*") if p.is_file())
    done = subprocess.run(["sha256sum", *names], cwd=case, capture_output=True, check=True)
    (case / "manifest-sha256.txt").write_bytes(done.stdout)


def test_names_with_escapes_reach_no_terminal_json_or_repr(tmp_path: Path) -> None:
    for name in SOURCES:
        case = tmp_path / name
        shutil.copytree(CASES / name, case)
        plant_titles(case)
        sealed_as_sha256sum_does(case)
        for args in (
            ("diagnose", case),
            ("diagnose", case, "--json", "-"),
            ("verify", case),
            ("verify", case, "--json", "-"),
        ):
            ran = popkit(*args)
            assert ran.returncode in (1, 3), ran.stderr
            assert is_clean((ran.stdout + ran.stderr).decode()), (name, args)
            if "--json" in args:
                assert (
                    any(PAYLOAD in text for text in strings(json.loads(ran.stdout)))
                    or args[0] == "verify"
                )
        opened = package.open_case(case)
        assert is_clean(repr(opened) + opened._repr_html_())
        for thing in (opened.diagnose(), *opened.diagnose().grants):
            assert is_clean(repr(thing) + thing._repr_html_())
        assert is_clean(opened.claims.to_csv(index=False))


@pytest.mark.parametrize("seed", range(6))
def test_escapes_anywhere_reach_no_output(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    for round_ in range(6):
        case = tmp_path / str(round_)
        shutil.copytree(CASES / rng.choice(SOURCES), case)
        files = sorted(p for p in case.rglob("*.json*") if p.name != "case.json")
        for path in rng.sample(files, 4):
            share = rng.choice((0.02, 0.3))
            if path.suffix == ".json":
                path.write_text(json.dumps(planted(json.loads(path.read_text()), rng, share)))
            else:
                rows = [
                    planted(json.loads(line), rng, share) for line in path.read_text().splitlines()
                ]
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        seal(case)
        opened = package.open_case(case)
        diagnosis = opened.diagnose()
        verified = verify(opened.evidence)
        checks = [
            verification_text(verified, every, language)
            for every in (True, False)
            for language in LANGUAGES
        ]
        for text in (
            diagnosis_text(diagnosis),
            diagnosis.dumps(),
            diagnosis._repr_html_(),
            *checks,
        ):
            assert is_clean(text)


def test_reports_and_notebooks_hold_nothing_raw(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "worker-head-reset", case)
    plant_titles(case)
    sealed_as_sha256sum_does(case)
    ran = popkit("investigate", case, "--out", tmp_path / "out")
    assert ran.returncode in (1, 3), ran.stderr
    assert is_clean((ran.stdout + ran.stderr).decode())
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".html", ".md", ".json", ".ipynb", ".txt"}
    for path in written:
        text = path.read_text("utf-8")
        assert is_clean(text), path.name
        if path.suffix == ".ipynb":
            assert all(is_clean(part) for part in strings(json.loads(text))), path.name


def test_names_of_files_reach_no_error_raw(tmp_path: Path) -> None:
    case = tmp_path / f"case{TELLTALE}\x1b[2J"
    shutil.copytree(CASES / "intact", case)
    (case / f"x\x1b[2J\n{TELLTALE}").write_text("x")
    ran = popkit("diagnose", case)
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert is_clean(ran.stderr.decode())
    assert b"\\u001b[2J\\n" in ran.stderr
    manifest = case / "manifest-sha256.txt"
    manifest.write_text(manifest.read_text() + f"{'0' * 64}  y\x1b[2J\u2028{TELLTALE}\n")
    ran = popkit("diagnose", case)
    assert ran.returncode == 3
    assert is_clean(ran.stderr.decode())


@pytest.mark.parametrize(
    "command",
    ["diagnose", "verify", "explain", "investigate --out x", "serve", "", "diagnose --era"],
)
def test_what_was_typed_reaches_no_error_raw(command: str) -> None:
    ran = popkit(*command.split(), f"nothing\x1b[2J\n{TELLTALE}\u202e")
    assert ran.returncode == 2
    assert is_clean(ran.stderr.decode())


def test_collecting_shows_no_name_and_no_message_raw(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    shutil.copytree(CASES / "signer-mismatch", exports / "in")
    plant_titles(exports / "in")
    for name in ("case.json", "manifest-sha256.txt", f"odd{TELLTALE}\x1b[2J\n{TELLTALE}"):
        (exports / "in" / name).unlink()
    (exports / f"x\x1b[2J\n{TELLTALE}\u202e.txt").write_text("nothing known")
    grant = json.loads((CASES / "signer-mismatch/case.json").read_text())["grants"][0]
    ran = popkit(
        "collect",
        "--from",
        exports,
        "--grant",
        grant,
        "--collected-at",
        "1771830000",
        "--out",
        tmp_path / "made",
    )
    assert (tmp_path / "made/case.json").is_file(), ran.stderr
    assert b"\\u001b[2J\\n" in ran.stdout
    assert is_clean((ran.stdout + ran.stderr).decode())
    assert is_clean((tmp_path / "made/case.json").read_text())


def test_check_without_popkit_shows_nothing_raw(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "signer-mismatch", case)
    plant_titles(case)
    seal(case)
    check = Path(package.__file__).parent / "verification/check.py"
    for args in ([str(case)], [f"nothing\x1b[2J\n{TELLTALE}"]):
        ran = subprocess.run(
            [sys.executable, str(check), *args],
            capture_output=True,
            env={**os.environ},
            timeout=60,
            check=False,
        )
        assert ran.returncode in (1, 2, 3)
        assert is_clean((ran.stdout + ran.stderr).decode())
