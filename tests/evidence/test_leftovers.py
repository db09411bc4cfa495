"""What systems, browsers and editors leave behind is nobody's tampering: in cases, exports and
report folders. A changed file still is.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from popkit.errors import ManifestMismatch
from popkit.evidence.bundle import Evidence
from popkit.evidence.leftovers import backed_up_from, copied_from, is_leftover, is_of_system
from popkit.reporting.investigate import _is_more_than_a_report as reason_to_keep
from popkit.reporting.investigate import _write_manifest as write_manifest
from popkit.verification.check import is_leftover as standalone
from tests.conftest import CASES, Copy, popkit
from tests.exported import read_exports

SYSTEM = (
    ".DS_Store",
    "worker/._audit-logs.json",
    "__MACOSX/worker/._x",
    "rpc/Thumbs.db",
    "Desktop.ini",
    "Icon\r",
    "a:Zone.Identifier",
)
OF_LISTED = (
    "case (1).json",
    "case(12).json",
    "case - Copy (2).json",
    "case copy.json",
    "case のコピー.json",
    "case.json~",
)
NOBODYS = (*SYSTEM, *OF_LISTED, ".case.json.swp")
SOMEBODYS = (
    "notes.txt",
    "mine (1).json",
    "mine.json~",
    ".mine.json.swp",
    "case.json.bak",
    "thumbs.db.json",
    "case 1.json",
)
Make = Callable[[str], Copy]


@pytest.mark.parametrize("name", NOBODYS)
def test_what_nobody_put_there(name: str) -> None:
    assert is_leftover(name, {"case.json"})
    assert standalone(name, {"case.json"}), "the stand-alone checker has its own pattern"
    assert is_of_system(name) is (name in SYSTEM)


@pytest.mark.parametrize("name", [*SOMEBODYS, "case.json", "worker/case (1).json"])
def test_what_somebody_may_have_put_there(name: str) -> None:
    assert not is_leftover(name, {"case.json"})
    assert not standalone(name, {"case.json"})


@pytest.mark.parametrize("stream", ["__MACOSX", "._x", ".hidden", "Thumbs.db", "a~", "x (1)"])
def test_a_folder_of_the_bucket_s_streams_is_named_by_anybody(stream: str) -> None:
    name = f"worker/r2/audit/immutable/stream/{stream}/2026-02-23T07-00-04-007Z_{'ab' * 32}.json"
    assert not is_leftover(name, {"case.json"})
    assert not standalone(name, {"case.json"})
    assert (copied_from(name), backed_up_from(name)) == (None, None)


def test_the_name_that_a_copy_stands_for() -> None:
    assert copied_from("worker/r2.jsonl (3).zst") == "worker/r2.jsonl.zst"
    assert copied_from("worker/r2 (3).jsonl.zst") == "worker/r2.jsonl.zst"
    assert copied_from("Copy of storage.jsonl") == "storage.jsonl"
    assert backed_up_from("a/.#b.json") == "a/b.json"


@pytest.mark.parametrize("name", NOBODYS)
def test_a_sealed_case_is_whole_beside_it_and_no_less_strict(name: str, copy_of: Make) -> None:
    case = copy_of("intact").seal()
    before = Evidence(case.path)
    extra = case.path / name
    extra.parent.mkdir(parents=True, exist_ok=True)
    extra.write_bytes(b"\0\5\x16\7 Mac OS X")
    after = Evidence(case.path)
    assert (after.files, after.digests) == (before.files, before.digests)
    (case.path / "worker" / "events.json").write_text("{}")
    with pytest.raises(ManifestMismatch, match=r"worker/events\.json"):
        Evidence(case.path)


@pytest.mark.parametrize("name", ["notes.txt", "mine (1).json"])
def test_an_unknown_file_in_a_sealed_case_still_stops_the_work(name: str, copy_of: Make) -> None:
    case = copy_of("intact").seal()
    (case.path / name).write_text("{}")
    assert popkit("diagnose", case.path).returncode == 3


def test_what_a_manifest_lists_was_sealed_whatever_its_name(copy_of: Make) -> None:
    case = copy_of("intact")
    listed = case.path / "worker" / "._events.json"
    listed.write_text("as it was sealed")
    case.seal()
    Evidence(case.path)
    listed.write_text("another text")
    with pytest.raises(ManifestMismatch, match="does not match"):
        Evidence(case.path)
    listed.unlink()
    with pytest.raises(ManifestMismatch, match="not in the case"):
        Evidence(case.path)


def loose_bucket(case: Copy) -> dict[str, str]:
    """Unpack the bucket of a case into files; the text by key."""
    texts = {row["key"]: row["text"] for row in case.rows("worker/r2.jsonl")}
    for key, text in texts.items():
        path = case.path / "worker" / "r2" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for packed in case.path.glob("worker/r2.jsonl*"):
        packed.unlink()
    return texts


@pytest.mark.parametrize("sealed", [True, False])
def test_a_bucket_in_files_that_finder_and_a_browser_visited(sealed: bool, copy_of: Make) -> None:
    case = copy_of("strict-v2-intact")
    texts = loose_bucket(case)
    (case.path / "manifest-sha256.txt").unlink()
    if sealed:
        case.seal()
    key = next(key for key in texts if "/entry/" in key)
    for name in (
        ".DS_Store",
        f"._{Path(key).name}",
        "Thumbs.db",
        Path(key).name.replace(".json", " (1).json"),
        f"{Path(key).name}~",
    ):
        (case.path / "worker" / "r2" / key).with_name(name).write_text("leftover")
    found = Evidence(case.path).bucket
    assert found is not None
    assert {key: item.text for key, item in found.items()} == texts


def test_a_second_download_alone_is_the_object(copy_of: Make) -> None:
    case = copy_of("strict-v2-intact")
    texts = loose_bucket(case)
    path = case.path / "worker" / "r2" / next(iter(texts))
    path.rename(path.with_name(path.name.replace(".json", " (1).json")))
    case.seal()
    found = Evidence(case.path).bucket
    assert found is not None
    assert {key: item.text for key, item in found.items()} == texts


def test_the_objects_of_an_event_that_is_called_like_a_hidden_folder(copy_of: Make) -> None:
    case = copy_of("strict-v2-intact")
    name = f"audit/immutable/stream/.evt/2026-02-23T07-00-04-007Z_{'ab' * 32}.json"
    loose_bucket(case)
    (case.path / "worker" / "r2" / name).parent.mkdir()
    (case.path / "worker" / "r2" / name).write_text("{}")
    case.seal()
    bucket = Evidence(case.path).bucket
    assert bucket is not None
    assert name in bucket
    rows = [json.loads(line) for line in read_exports([case.path]).rows["worker/r2.jsonl"]]
    assert name in {row["key"] for row in rows}


# -- exports --


def visited(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A case's export, with a bucket in files, that a Mac, Windows, a browser and an editor have
    been in.
    """
    case = Copy("strict-v2-intact", tmp_path / "export")
    texts = loose_bucket(case)
    (case.path / "manifest-sha256.txt").unlink()
    key = next(key for key in texts if "/stream/" in key)
    path = case.path / "worker" / "r2" / key
    for name in (
        ".DS_Store",
        f"._{path.name}",
        "desktop.ini",
        f"{path.name}~",
        f".{path.name}.swp",
    ):
        path.with_name(name).write_text("leftover")
    path.with_name(path.name.replace(".json", " (1).json")).write_text(texts[key])
    path.with_name(path.name.replace(".json", " (2).json")).write_text(texts[key][:100])
    path.rename(path.with_name(path.name.replace(".json", " (3).json")))
    path.write_text(texts[key])
    return case.path, texts


@pytest.mark.parametrize("packed", ["folder", "tar", "zip"])
def test_exports_that_systems_and_people_visited(packed: str, tmp_path: Path) -> None:
    folder, texts = visited(tmp_path)
    given = folder
    if packed == "tar":
        given = tmp_path / "export.tar.gz"
        with tarfile.open(given, "w:gz") as tar:
            tar.add(folder, arcname=".")
    elif packed == "zip":
        given = tmp_path / "export.zip"
        shutil.make_archive(str(tmp_path / "export"), "zip", folder)
        with zipfile.ZipFile(given, "a") as archive:
            archive.writestr("__MACOSX/worker/r2/audit/immutable/entry/._x.json", b"\0\5\x16\7")
    exports = read_exports([given])
    rows = [json.loads(line) for line in exports.rows["worker/r2.jsonl"]]
    assert {row["key"]: row["text"] for row in rows} == texts
    assert len(rows) == len(texts)
    left = [
        item.why
        for item in exports.not_used
        if "operating system" in item.why or "editor" in item.why or "second copy" in item.why
    ]
    assert len(left) == 6 + (packed == "zip")


def test_a_copy_beside_a_sealed_case_adds_nothing_to_what_was_sealed(copy_of: Make) -> None:
    case = copy_of("intact").seal()
    wanted = read_exports([case.path])
    (case.path / "worker" / "audit-logs (1).json").write_text('{"status":200,"body":{"logs":[]}}')
    found = read_exports([case.path])
    assert (found.rows, found.answers, found.earlier_answers) == (
        wanted.rows,
        wanted.answers,
        wanted.earlier_answers,
    )
    assert [item.path for item in found.not_used if "second copy" in item.why] == [
        "worker/audit-logs (1).json"
    ]
    (case.path / "worker" / "else.json").write_text("{}")
    with pytest.raises(ManifestMismatch):
        read_exports([case.path])


def test_a_second_download_of_answers_is_read(tmp_path: Path) -> None:
    source = CASES / "intact" / "worker" / "audit-logs.json"
    (tmp_path / "audit-logs (1).json").write_bytes(source.read_bytes())
    assert list(read_exports([tmp_path]).answers) == ["audit-logs"]


# -- report folders --


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (".DS_Store", False),
        ("notebooks/Thumbs.db", False),
        ("report (1).md", False),
        (".report.md.swp", False),
        ("__MACOSX/a/._b", False),
    ]
    + [(name, True) for name in ("notes.txt", "mine (1).md", ".report.txt", "report.md.orig")],
)
def test_a_report_that_somebody_looked_at(name: str, kept: bool, tmp_path: Path) -> None:
    from popkit.diagnosis.result import SCHEMA

    out = tmp_path / "report"
    (out / "notebooks").mkdir(parents=True)
    (out / "findings.json").write_text(json.dumps({"schema": SCHEMA}))
    (out / "report.md").write_text("x")
    write_manifest(out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(b"x")
    assert bool(reason_to_keep(out)) is kept
    (out / "report.md").write_text("changed")
    assert reason_to_keep(out)
