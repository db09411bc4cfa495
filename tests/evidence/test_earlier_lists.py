"""Older audit-logs answers of a collected case reach further back than the newest one."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.custody import Custody
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.rules.inquiry import Inquiry
from tests.conftest import CASES, Copy, popkit, seal

CASE = "era-upgrade"


def with_older_list(target: Path) -> Copy:
    """The case without its bucket, and with an audit-logs answer of an earlier moment: fifty rows
    that overlap the newest fifty.
    """
    copy = Copy(CASE, target)
    newest = [
        row["entry_hash"]
        for row in json.loads((copy.path / "worker/audit-logs.json").read_text())["body"]["logs"]
    ]
    objects = [
        json.loads(row["text"])["entry"]
        for row in copy.rows("worker/r2.jsonl")
        if "/entry/" in row["key"]
    ]
    rows = sorted(objects, key=lambda entry: (entry["ts"], entry["entry_hash"]), reverse=True)
    first = next(number for number, row in enumerate(rows) if row["entry_hash"] == newest[40])
    older = {
        "name": "audit-logs",
        "path": "/api/master/audit-logs",
        "at": 1.0,
        "status": 200,
        "body": {"logs": rows[first : first + 50]},
    }
    copy.write("worker/answers.jsonl", [older, {**older, "name": "pop-status", "body": {}}])
    copy.drop("worker/r2.jsonl")
    return copy


def findings(case: Path) -> dict[str, Any]:
    return json.loads(popkit("diagnose", case, "--json", "-").stdout)


def test_an_older_list_fills_what_the_newest_no_longer_holds(tmp_path: Path) -> None:
    copy = with_older_list(tmp_path / "case")
    older = {row["entry_hash"] for row in copy.rows("worker/answers.jsonl")[0]["body"]["logs"]}
    with_it = findings(copy.seal().path)
    copy.drop("worker/answers.jsonl")
    without = findings(copy.seal().path)
    newest = {
        row["entry_hash"]
        for row in json.loads((copy.path / "worker/audit-logs.json").read_text())["body"]["logs"]
    }
    assert with_it["audit"]["checked"] - without["audit"]["checked"] == len(older - newest) > 20
    assert with_it["audit"]["removed"] == with_it["audit"]["edited"] == []
    assert with_it["grants"] == findings(CASES / CASE)["grants"]


def test_an_edited_row_of_an_older_list_is_found(tmp_path: Path) -> None:
    copy = with_older_list(tmp_path / "case")

    def edit(rows: list[Any]) -> list[Any]:
        rows[0]["body"]["logs"][30]["ts"] = "2026-01-01T00:00:00.000Z"
        return rows

    edited = copy.rows("worker/answers.jsonl")[0]["body"]["logs"][30]["entry_hash"]
    copy.change("worker/answers.jsonl", edit)
    done = popkit("diagnose", copy.seal().path, "--json", "-")
    assert json.loads(done.stdout)["audit"]["edited"] == [edited]
    assert done.returncode == 1


def test_verify_holds_the_custody_record_against_the_case(tmp_path: Path) -> None:
    copy = Copy("unused", tmp_path / "case")
    custody = Custody(copy.path / "custody.jsonl")
    custody.append({"kind": "begin"})
    custody.append({"kind": "keep"})
    custody.close()
    sound = popkit("verify", copy.seal().path, "--json", "-")
    assert status(sound.stdout) == "holds"
    text = (copy.path / "custody.jsonl").read_text()
    (copy.path / "custody.jsonl").write_text(text.replace("begin", "began"))
    seal(copy.path)
    altered = popkit("verify", copy.path, "--json", "-")
    assert status(altered.stdout) == "violated"
    assert altered.returncode == 1
    diagnosis = popkit("diagnose", copy.path, "--json", "-")
    found = {f["code"]: f["severity"] for f in json.loads(diagnosis.stdout)["findings"]}
    assert (found["custody_broken"], diagnosis.returncode) == ("critical", 1)


def test_a_file_that_was_packed_since_breaks_no_custody_record(tmp_path: Path) -> None:
    copy = Copy("unused", tmp_path / "case")
    accounts = copy.path / "rpc" / "accounts.jsonl"
    data = accounts.read_bytes()
    kept = {
        "file": "rpc/accounts.jsonl",
        "offset": 0,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    custody = Custody(copy.path / "custody.jsonl")
    custody.append({"kind": "keep", "kept": [kept]})
    custody.close()
    assert broken(copy) == "holds"
    accounts.with_name("accounts.jsonl.gz").write_bytes(gzip.compress(data))
    accounts.unlink()
    assert broken(copy) == "cannot tell", "the record names bytes of the file as it was written"
    accounts.with_name("accounts.jsonl.gz").unlink()
    assert broken(copy) == "violated", "a file that is gone was kept, says the record"


def broken(copy: Copy) -> str:
    """What the rule of the custody record answers of a case, sealed as it is."""
    [answer] = [
        a
        for a in Inquiry(Facts(Evidence(copy.seal().path))).case
        if a.rule.code == "custody_broken"
    ]
    return answer.status


@pytest.mark.parametrize("name", ["unused", "intact"])
def test_a_case_without_a_custody_record_is_not_held_to_one(name: str) -> None:
    assert status(popkit("verify", CASES / name, "--json", "-").stdout) is None


def status(text: bytes) -> str | None:
    checks = [check for section in json.loads(text)["sections"] for check in section["checks"]]
    return next(
        (check["status"] for check in checks if check["title"] == "the custody record holds"), None
    )
