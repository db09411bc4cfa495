"""`popkit collect --from`: exports alone become a case."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from popkit.case import open_case
from popkit.evidence.custody import check_custody
from tests.collecting.collected import exports_of
from tests.conftest import CASES, popkit, seal
from tests.cutover.records import CUTOVER, NEW, OLD, cutover_case, stated, written

GIVEN = (
    "abandoned-quiet",
    "audit-tampered",
    "cutover",
    "era-upgrade",
    "foreign-issuer",
    "receipts-tampered",
    "rpc-gap",
    "storage-only",
)


@pytest.mark.parametrize("name", GIVEN)
def test_a_case_given_as_an_export_keeps_its_findings(name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "export.tar.gz", "w:gz") as archive:
        archive.add(CASES / name, "evidence")
    header = json.loads((CASES / name / "case.json").read_text())
    done = popkit(
        "collect",
        "--from",
        tmp_path / "export.tar.gz",
        "--name",
        header["case"],
        "--out",
        tmp_path / "case",
    )
    assert done.returncode == 0, done.stderr
    assert b"whether the exports are whole, they do not say" in done.stdout
    was, now = (
        json.loads(open_case(case).diagnose().dumps()) for case in (CASES / name, tmp_path / "case")
    )
    was.pop("coverage")
    now.pop("coverage")
    assert now == was
    assert check_custody(tmp_path / "case") == []


def test_what_is_not_used_is_named_and_in_the_case(tmp_path: Path) -> None:
    shutil.copytree(CASES / "intact", tmp_path / "export/evidence")
    (tmp_path / "export/holiday.txt").write_text("sunshine")
    done = popkit("collect", "--from", tmp_path / "export", "--out", tmp_path / "case")
    assert done.returncode == 0, done.stderr
    assert b"not used: holiday.txt" in done.stdout
    stated = json.loads((tmp_path / "case/case.json").read_text())["sources"]["exports"]["not_used"]
    assert [row["path"] for row in stated] == ["holiday.txt"]


def test_exports_without_a_case_need_a_grant_or_name_one(tmp_path: Path) -> None:
    exports = exports_of("intact", tmp_path / "export")
    header = json.loads((CASES / "intact/case.json").read_text())
    named = popkit(
        "collect", "--from", *exports, "--out", tmp_path / "named", "--collected-at", "1771819957"
    )
    assert named.returncode == 0, named.stderr
    made = json.loads((tmp_path / "named/case.json").read_text())
    assert (made["grants"], made["events"], made["collected_at"]) == (
        header["grants"],
        header["events"],
        1771819957,
    )
    (tmp_path / "reports").mkdir()
    shutil.copy(CASES / "quiet-tail/client/errors.jsonl", tmp_path / "reports/errors.jsonl")
    nameless = popkit("collect", "--from", tmp_path / "reports", "--out", tmp_path / "nameless")
    assert nameless.returncode == 2
    assert b"nothing names a grant" in nameless.stderr
    assert not list(tmp_path.glob("nameless*"))


def test_nothing_of_use_and_an_altered_case_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = popkit("collect", "--from", tmp_path / "empty", "--out", tmp_path / "a")
    assert empty.returncode == 2
    shutil.copytree(CASES / "intact", tmp_path / "altered")
    (tmp_path / "altered/rpc/accounts.jsonl").write_bytes(b"{}\n")
    altered = popkit("collect", "--from", tmp_path / "altered", "--out", tmp_path / "b")
    assert altered.returncode == 3
    assert b"rpc/accounts.jsonl" in altered.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["altered", "empty"]


def with_record(place: Path, **changes: Any) -> bytes:
    """A copy of the recorded cutover that holds a record; its bytes."""
    shutil.copytree(CUTOVER, place)
    data = written(place / "cutover.json", stated(cutover_case(), OLD, NEW, **changes)).read_bytes()
    seal(place)
    return data


def test_a_record_of_a_cutover_is_carried_on_byte_for_byte(tmp_path: Path) -> None:
    old = with_record(tmp_path / "old")
    assert popkit("collect", "--from", tmp_path / "old", "--out", tmp_path / "new").returncode == 0
    assert (tmp_path / "new" / "cutover.json").read_bytes() == old
    assert not check_custody(tmp_path / "new")
    sources = json.loads((tmp_path / "new" / "case.json").read_bytes())["sources"]
    assert [row["as"] for row in sources["exports"]["used"] if row["path"] == "cutover.json"] == [
        "record of a cutover"
    ]
    extended = (
        "collect",
        "--extend",
        tmp_path / "new",
        "--from",
        CUTOVER,
        "--out",
        tmp_path / "newer",
    )
    assert popkit(*extended).returncode == 0
    assert (tmp_path / "newer" / "cutover.json").read_bytes() == old
    assert not check_custody(tmp_path / "newer")


def test_of_two_records_the_one_written_last_is_kept_and_the_other_named(tmp_path: Path) -> None:
    with_record(tmp_path / "old")
    later = written(
        tmp_path / "later.json", stated(cutover_case(), OLD, NEW, made_at=1_900_000_000)
    )
    assert (
        popkit("collect", "--from", tmp_path / "old", later, "--out", tmp_path / "both").returncode
        == 0
    )
    assert (tmp_path / "both" / "cutover.json").read_bytes() == later.read_bytes()
    unused = json.loads((tmp_path / "both" / "case.json").read_bytes())["sources"]["exports"][
        "not_used"
    ]
    assert [
        "older record" in row["why"] for row in unused if row["path"].endswith("cutover.json")
    ] == [True]
    assert (
        popkit(
            "collect", "--extend", tmp_path / "old", "--from", later, "--out", tmp_path / "more"
        ).returncode
        == 0
    )
    assert (tmp_path / "more" / "cutover.json").read_bytes() == later.read_bytes()
    assert (
        popkit(
            "collect",
            "--extend",
            tmp_path / "both",
            "--from",
            tmp_path / "old",
            "--out",
            tmp_path / "most",
        ).returncode
        == 0
    )
    assert (tmp_path / "most" / "cutover.json").read_bytes() == later.read_bytes()


def test_an_edited_record_is_carried_on_as_it_is_and_a_file_of_that_name_alone_is_none(
    tmp_path: Path,
) -> None:
    with_record(tmp_path / "old")
    edited = json.dumps(
        json.loads((tmp_path / "old" / "cutover.json").read_bytes()), indent=2
    ).encode()
    (tmp_path / "old" / "cutover.json").write_bytes(edited)
    seal(tmp_path / "old")
    assert popkit("collect", "--from", tmp_path / "old", "--out", tmp_path / "new").returncode == 0
    assert (tmp_path / "new" / "cutover.json").read_bytes() == edited
    (tmp_path / "old" / "cutover.json").write_text('{"note": "popkit.cutover/ was here"}')
    seal(tmp_path / "old")
    assert popkit("collect", "--from", tmp_path / "old", "--out", tmp_path / "none").returncode == 0
    assert not (tmp_path / "none" / "cutover.json").exists()
