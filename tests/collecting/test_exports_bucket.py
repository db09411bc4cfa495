"""Copies of the bucket: keys found again under changed names, tampering left where it lay, bytes
kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from popkit.evidence.bundle import Evidence
from tests.collecting.taking_apart import (
    bucket_of,
    copy_bucket,
    diagnosed_again,
    diagnosis,
    put_together,
    reasons,
    rows_of,
    write,
)
from tests.conftest import CASES
from tests.exported import read_exports

CASE = "cutover"
HEADER = CASES / CASE / "case.json"


def _bucket(folder: Path) -> dict[str, str]:
    exports = read_exports([folder])
    return {row["key"]: row["text"] for row in map(json.loads, exports.rows["worker/r2.jsonl"])}


def _stream_folder(key: str) -> str:
    return key.split("/")[3] if "/stream/" in key else ""


def _flat(key: str) -> str:
    return key.rpartition("/")[2]


RENAMES = {
    "rclone": lambda key: f"bucket/{key}",
    "deep": lambda key: f"a/b/c/{key}",
    "decoded colon": lambda key: key.replace("%3A", ":"),
    "lower-case escape": lambda key: key.replace("%3A", "%3a"),
    "full-width colon": lambda key: key.replace("%3A", "：").replace(":", "："),
    "from the prefix on": lambda key: key.removeprefix("audit/immutable/"),
    "by kind, flat": lambda key: f"{key.split('/')[2]}/{_flat(key)}",
    "all in one folder": _flat,
}


@pytest.mark.parametrize("rename", RENAMES)
def test_keys_are_found_again(rename: str, tmp_path: Path) -> None:
    copy_bucket(CASE, tmp_path, RENAMES[rename])
    assert _bucket(tmp_path) == bucket_of(CASE)


def test_a_recovered_key_is_noted(tmp_path: Path) -> None:
    copy_bucket(CASE, tmp_path, RENAMES["decoded colon"])
    notes = {item.path: item.note for item in read_exports([tmp_path]).used}
    changed = [path for path in notes if "pop:" in path]
    assert changed
    assert all("recovered from the entry" in notes[path] for path in changed)
    assert not any(note for path, note in notes.items() if path not in changed)


def _entry_key() -> str:
    return min(key for key in bucket_of(CASE) if "/entry/" in key)


@pytest.mark.parametrize(
    "rename", ["rclone", "decoded colon", "all in one folder", "from the prefix on"]
)
@pytest.mark.parametrize("fault", ["another entry", "no entry", "no JSON", "empty"])
@pytest.mark.parametrize("kind", ["/entry/", "/stream/pop%3A"])
def test_an_exchanged_object_stays_under_its_name(
    kind: str, fault: str, rename: str, tmp_path: Path
) -> None:
    copy_bucket(CASE, tmp_path, RENAMES[rename])
    objects = bucket_of(CASE)
    victim, other = sorted(key for key in objects if kind in key)[:2]
    text = {
        "another entry": objects[other],
        "no entry": '{"hello":1}',
        "no JSON": objects[victim][:50],
        "empty": " ",
    }[fault]
    write(tmp_path / RENAMES[rename](victim), text)
    assert _bucket(tmp_path) == {**objects, victim: text}


def test_an_edited_object_is_found_by_the_diagnosis(tmp_path: Path) -> None:
    copy_bucket(CASE, tmp_path / "r2", RENAMES["decoded colon"])
    victim = _entry_key()
    write(tmp_path / "r2" / victim, bucket_of(CASE)[victim].replace('"status":200', '"status":201'))
    exports = read_exports([tmp_path, CASES / CASE / "rpc"])
    case = put_together(exports, HEADER, tmp_path / "case")
    assert json.loads(diagnosis(case))["audit"]["edited_objects"] == [victim]


CONTENTS = [
    b"\xff\xfe\x00broken\x80",
    b'{"a":"\\ud800"}',
    "\ufeff{}".encode(),
    b"\r\n a \r\n",
    "é😀".encode(),
    b"\xed\xa0\x80\xed\xb0\x80",
    "😀".encode()[:2] + "😀".encode(),
]


@pytest.mark.parametrize("content", CONTENTS)
def test_bytes_of_an_object_are_kept(content: bytes, tmp_path: Path) -> None:
    key = "audit/immutable/entry/" + "0" * 64 + ".json"
    write(tmp_path / key, content)
    assert _bucket(tmp_path)[key].encode("utf-8", "surrogateescape") == content
    case = put_together(read_exports([tmp_path]), HEADER, tmp_path / "case")
    packed = Evidence(case).bucket
    write(tmp_path / "files" / "worker" / "r2" / key, content)
    write(tmp_path / "files" / "case.json", HEADER.read_bytes())
    loose = Evidence(tmp_path / "files").bucket
    assert packed is not None
    assert loose is not None
    assert packed[key].text == loose[key].text


def test_objects_packed_and_loose_are_one_and_contradictions_are_two_lines(tmp_path: Path) -> None:
    copy_bucket(CASE, tmp_path / "loose")
    write(
        tmp_path / "worker" / "r2.jsonl",
        "".join(json.dumps(row) + "\n" for row in rows_of(CASE, "worker/r2.jsonl")),
    )
    assert len(read_exports([tmp_path]).rows["worker/r2.jsonl"]) == len(bucket_of(CASE))
    write(tmp_path / "loose" / _entry_key(), "{}")
    exports = read_exports([tmp_path])
    assert len(exports.rows["worker/r2.jsonl"]) == len(bucket_of(CASE)) + 1
    evidence = Evidence(put_together(exports, HEADER, tmp_path / "case")).read_all()
    assert [problem.code for problem in evidence.problems] == ["contradictory_lines"]


def test_objects_of_the_old_era_are_named_and_left(tmp_path: Path) -> None:
    copy_bucket(CASE, tmp_path)
    write(tmp_path / "audit" / "evt-1" / "2026-02-20.jsonl", '{"ts":"2026-02-20T00:00:00.000Z"}\n')
    exports = read_exports([tmp_path])
    assert reasons(exports) == {
        "audit/evt-1/2026-02-20.jsonl": "is an audit file of before 2026-02-21; popkit reads "
        "audit/immutable/ alone"
    }
    assert len(exports.rows["worker/r2.jsonl"]) == len(bucket_of(CASE))


def test_a_file_named_as_an_object_among_other_things_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "r2" / _flat(_entry_key()), bucket_of(CASE)[_entry_key()])
    write(tmp_path / "cache" / ("a" * 64 + ".json"), '{"hello":1}')
    assert list(reasons(read_exports([tmp_path]))) == ["cache/" + "a" * 64 + ".json"]


def test_a_saved_object_under_any_name_is_known_by_its_entry(tmp_path: Path) -> None:
    key = _entry_key()
    write(tmp_path / "download (1).json", bucket_of(CASE)[key])
    assert list(_bucket(tmp_path)) == [key]
    assert "taken from the entry" in read_exports([tmp_path]).used[0].note


def test_gzipped_objects_are_objects(tmp_path: Path) -> None:
    import gzip

    copy_bucket(CASE, tmp_path)
    for path in [path for path in tmp_path.rglob("*.json") if path.is_file()]:
        write(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))
        path.unlink()
    assert _bucket(tmp_path) == bucket_of(CASE)


def test_a_recovered_copy_gives_the_same_findings(tmp_path: Path) -> None:
    copy_bucket("audit-tampered", tmp_path / "r2", RENAMES["full-width colon"])
    write(
        tmp_path / "worker" / "audit-logs.json",
        (CASES / "audit-tampered" / "worker" / "audit-logs.json").read_bytes(),
    )
    exports = read_exports([tmp_path])
    whole = read_exports([CASES / "audit-tampered"])
    assert exports.rows["worker/r2.jsonl"] == whole.rows["worker/r2.jsonl"]
    whole.rows["worker/r2.jsonl"] = exports.rows["worker/r2.jsonl"]
    assert diagnosed_again(whole, "audit-tampered", tmp_path / "case") == diagnosis(
        CASES / "audit-tampered"
    )
