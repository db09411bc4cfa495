"""Cases taken apart as operators export them, read again: the same findings."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from popkit.collecting.exports import Exports
from popkit.errors import CaseUnreadable, ManifestMismatch, UsageError
from popkit.evidence.documents import read_header
from tests.collecting.taking_apart import (
    copy_bucket,
    diagnosed_again,
    diagnosis,
    other_files,
    reasons,
    response,
    rpc_calls,
    shuffled,
    text_of,
    write,
)
from tests.conftest import CASES, NAMES
from tests.exported import grants_in, links_in, read_exports

SMALLER = [name for name in NAMES if name != "term"]
"""Every case but one of hundreds of claims, which is put to one of the questions alone: it takes as
long as all the others.
"""
SOME = ("cutover", "intact", "storage-only", "strict-v2-abandoned")


@pytest.mark.parametrize("case", SMALLER)
def test_a_case_taken_over_whole_gives_the_same_findings(case: str, tmp_path: Path) -> None:
    exports = read_exports([CASES / case])
    assert exports.not_used == []
    assert diagnosed_again(exports, case, tmp_path / "again") == diagnosis(CASES / case)


@pytest.mark.parametrize("case", SMALLER)
def test_links_and_grants_of_a_case_are_found_without_its_header(case: str) -> None:
    header = read_header(CASES / case / "case.json", None)
    exports = read_exports([CASES / case])
    exports.headers = []
    assert tuple(grants_in(exports)) == header.grants
    assert links_in(exports) == (list(header.events) if exports.answers else [])


def _operators_folder(case: str, folder: Path) -> Path:
    """A folder as operators hand it over: a bucket copy, a storage export, saved calls, bare
    answers.
    """
    copy_bucket(case, folder / "r2" / "audit-logs-bucket")
    calls = [
        json.dumps({"request": call, "response": response(call, result)})
        for call, result in rpc_calls(case)
    ]
    write(folder / "rpc.jsonl", "\n".join(calls))
    storage = text_of(case, "worker/storage.jsonl")
    if storage is not None:
        write(folder / "do-export.jsonl", storage)
    other_files(case, folder / "saved")
    return folder


@pytest.mark.parametrize("case", NAMES)
def test_an_operators_folder_gives_the_findings_of_the_case(case: str, tmp_path: Path) -> None:
    exports = read_exports([_operators_folder(case, tmp_path / "from")])
    assert exports.not_used == []
    assert diagnosed_again(exports, case, tmp_path / "again") == diagnosis(CASES / case)


@pytest.mark.parametrize("case", SOME)
def test_order_and_repetition_change_nothing(case: str, tmp_path: Path) -> None:
    first, second = (
        _operators_folder(case, tmp_path / "one"),
        _operators_folder(case, tmp_path / "two"),
    )
    shuffled(second)
    third = _operators_folder(case, tmp_path / "three" / "z")
    once = read_exports([first])
    for paths in ([second], [first, second], [second, third, first, first]):
        again = read_exports(paths)
        for part in ("rows", "answers", "withheld", "newest", "event_rows"):
            assert getattr(again, part) == getattr(once, part), part
        assert [item.document for item in again.earlier_answers] == [
            item.document for item in once.earlier_answers
        ]
    assert read_exports([first, second]).used == read_exports([second, first]).used


def _tar(folder: Path, mode: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        archive.add(folder, arcname="backup")
    return data.getvalue()


def _zip(folder: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    return data.getvalue()


def _nested(folder: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        inner = _zip(folder)
        info = tarfile.TarInfo("inner.zip")
        info.size = len(inner)
        archive.addfile(info, io.BytesIO(inner))
    return data.getvalue()


ARCHIVES = {
    "export.tar": lambda folder: _tar(folder, "w"),
    "export.tar.gz": lambda folder: _tar(folder, "w:gz"),
    "export.tgz": lambda folder: _tar(folder, "w:gz"),
    "export.tar.zst": lambda folder: zstandard.compress(_tar(folder, "w")),
    "export.zip": _zip,
    "misnamed.bin": lambda folder: _tar(folder, "w:gz"),
    "zip-in-tar.tar": _nested,
}


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("case", ["cutover", "storage-only"])
def test_an_archive_gives_what_its_folder_gives(case: str, archive: str, tmp_path: Path) -> None:
    folder = _operators_folder(case, tmp_path / "from")
    packed = write(tmp_path / archive, ARCHIVES[archive](folder))
    once, again = read_exports([folder]), read_exports([packed])
    assert (again.rows, again.answers, again.newest) == (once.rows, once.answers, once.newest)
    assert again.not_used == []
    assert sorted(item.sha256 for item in once.used) == sorted(
        item.sha256 for item in again.used if "archive" not in item.what
    )


@pytest.mark.parametrize("pack", [_zip, lambda folder: _tar(folder, "w:gz")])
def test_a_case_in_an_archive_is_held_against_its_manifest(pack: object, tmp_path: Path) -> None:
    shutil.copytree(CASES / "cutover", tmp_path / "case")
    exports = read_exports([write(tmp_path / "whole.bin", pack(tmp_path / "case"))])  # type: ignore[operator]
    assert [header.case for header in exports.headers] == ["case-d300050e"]
    assert diagnosed_again(exports, "cutover", tmp_path / "again") == diagnosis(CASES / "cutover")
    with (tmp_path / "case" / "rpc" / "accounts.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(
        ManifestMismatch,
        match=r"rpc/accounts\.jsonl: does not match the manifest: expected sha256 [0-9a-f]{64}, found",
    ):
        read_exports([write(tmp_path / "altered.bin", pack(tmp_path / "case"))])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda case: (case / "worker" / "events.json").unlink(),
            "worker/events.json: is in the manifest but not in the case",
        ),
        (
            lambda case: write(case / "notes.txt", "x"),
            "notes.txt: is in the case but not in the manifest",
        ),
        (
            lambda case: write(case / "client" / "errors.jsonl", ""),
            "client/errors.jsonl: does not match the manifest",
        ),
        (
            lambda case: write(case / "manifest-sha256.txt", "hello"),
            "manifest-sha256.txt:1: is not '<sha256>  <path>'",
        ),
        (
            lambda case: write(case / "case.json", '{"case": 1, "grants": [], "collected_at": 3}'),
            "case.json: field 'case': expected str",
        ),
    ],
)
def test_a_case_that_is_not_as_it_was_sealed_is_refused(
    change: object, said: str, tmp_path: Path
) -> None:
    case = tmp_path / "given" / "case"
    shutil.copytree(CASES / "cutover", case)
    change(case)  # type: ignore[operator]
    with pytest.raises(CaseUnreadable) as raised:
        read_exports([tmp_path / "given"])
    assert said in str(raised.value)
    assert str(raised.value).startswith("case/")


def test_a_case_without_a_manifest_is_taken_over(tmp_path: Path) -> None:
    shutil.copytree(CASES / "cutover", tmp_path / "case")
    (tmp_path / "case" / "manifest-sha256.txt").unlink()
    assert read_exports([tmp_path]).rows == read_exports([CASES / "cutover"]).rows


def test_two_cases_keep_both_headers_and_every_answer() -> None:
    exports = read_exports([CASES / "cutover", CASES / "intact"])
    assert len(exports.headers) == 2
    assert len(exports.answers) == 7
    assert {item.name for item in exports.earlier_answers} <= set(exports.answers)
    # the newest by the answer's own time, or by its case's: intact was recorded after cutover or before it
    newer = max(exports.headers, key=lambda header: header.collected_at)
    name = next(
        case
        for case in ("cutover", "intact")
        if read_header(CASES / case / "case.json", None) == newer
    )
    assert exports.answers["events"] == read_exports([CASES / name]).answers["events"]


def test_a_custody_record_is_handed_on(tmp_path: Path) -> None:
    shutil.copytree(CASES / "cutover", tmp_path / "case")
    (tmp_path / "case" / "manifest-sha256.txt").unlink()
    write(tmp_path / "case" / "custody.jsonl", '{"n":1}\n')
    write(tmp_path / "elsewhere" / "custody.jsonl", '{"n":1}\n')
    exports = read_exports([tmp_path])
    assert exports.custody == [("case/custody.jsonl", b'{"n":1}\n')]
    assert list(reasons(exports)) == ["elsewhere/custody.jsonl"]


def test_lines_of_a_case_that_are_none_are_kept_for_its_reader(tmp_path: Path) -> None:
    line = (text_of("cutover", "rpc/transactions.jsonl") or "").splitlines()[0]
    write(tmp_path / "rpc" / "transactions.jsonl", f"{line}\n{line[:200]}\n")
    assert read_exports([tmp_path]).rows == {
        "rpc/transactions.jsonl": [line.encode(), line[:200].encode()]
    }


def test_nothing_recognised_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected exports .* found 0 files"):
        read_exports([tmp_path])
    write(tmp_path / "notes.txt", "hello")
    with pytest.raises(UsageError, match=r"found 1 files that are none: notes\.txt is not JSON"):
        read_exports([tmp_path])
    with pytest.raises(UsageError, match="no such file or folder"):
        read_exports([tmp_path / "absent"])


def test_an_empty_report_file_says_that_nothing_was_reported(tmp_path: Path) -> None:
    write(tmp_path / "phones" / "errors.jsonl", "")
    exports: Exports = read_exports([tmp_path])
    assert exports.rows == {"client/errors.jsonl": []}
    write(tmp_path / "phones" / "other.jsonl", "\n")
    assert reasons(read_exports([tmp_path])) == {"phones/other.jsonl": "is empty"}
