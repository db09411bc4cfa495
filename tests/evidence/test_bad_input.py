"""Damaged, absurd and hostile input: a clear error or a coverage note, the right exit code, never a
traceback, never silence.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from popkit.cli import main
from popkit.errors import CaseUnreadable
from popkit.evidence import lines as lines_module
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Lines
from tests.conftest import CASES, Copy, popkit

Make = Callable[[str], Copy]


def assert_clear(ran, code: int, *words: str) -> None:  # type: ignore[no-untyped-def]
    """An error that names what is wrong, on standard error alone, without a traceback."""
    text = ran.stderr.decode()
    assert ran.returncode == code, text
    assert ran.stdout == b""
    assert "Traceback" not in text
    assert all(word in text for word in words), text


def test_no_such_case_is_wrong_usage(tmp_path: Path) -> None:
    assert_clear(popkit("diagnose", tmp_path / "nowhere"), 2, "no such case directory")


def test_a_directory_that_is_no_case(tmp_path: Path) -> None:
    assert_clear(popkit("diagnose", tmp_path), 3, "case.json", "is missing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ("case.json", "not JSON")),
        ("[]", ("case.json", "not an object")),
        (
            '{"case": "x", "grants": ["abc"], "collected_at": 1}',
            ("case.json", "'abc'", "not a public key"),
        ),
        (
            '{"case": "x", "grants": "abc", "collected_at": 1}',
            ("case.json", "'grants'", "expected list, found str"),
        ),
        (
            '{"case": "x", "grants": [], "collected_at": 1}',
            ("case.json", "'program_id'", "expected str, found NoneType"),
        ),
        (
            '{"case": "x", "grants": [], "collected_at": "1"}',
            ("case.json", "'collected_at'", "expected int, found str"),
        ),
        (
            '{"case": "x", "grants": [], "collected_at": true}',
            ("case.json", "'collected_at'", "found bool"),
        ),
        (
            '{"case": "x", "grants": [], "collected_at": 1, "events": [{"event": 3}]}',
            ("case.json", "'events'"),
        ),
        ("[" * 100_000, ("case.json", "nested deeper than 200 levels")),
    ],
)
def test_a_wrong_case_json_is_named(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(text)
    assert_clear(popkit("diagnose", tmp_path), 3, *words)


def test_manifest_names_a_file_that_is_gone(copy_of: Make) -> None:
    case = copy_of("intact")
    case.drop("rpc/signatures.jsonl")
    assert_clear(
        popkit("diagnose", case.path),
        3,
        "rpc/signatures.jsonl",
        "in the manifest but not in the case",
    )


def test_a_file_beside_the_manifest(copy_of: Make) -> None:
    case = copy_of("intact")
    (case.path / "worker" / "storage.jsonl.gz").write_bytes(b"")
    assert_clear(popkit("diagnose", case.path), 3, "worker/storage.jsonl.gz", "not in the manifest")


@pytest.mark.parametrize(
    "line", ["zz  case.json", "0" * 64 + "  ../outside", "0" * 64 + "  /etc/hostname"]
)
def test_a_manifest_line_that_is_none_or_leaves_the_case(line: str, copy_of: Make) -> None:
    case = copy_of("intact")
    with (case.path / "manifest-sha256.txt").open("a") as manifest:
        manifest.write(line + "\n")
    assert_clear(popkit("diagnose", case.path), 3, "manifest-sha256.txt:")


def test_a_link_out_of_the_case(copy_of: Make, tmp_path: Path) -> None:
    case = copy_of("intact")
    outside = tmp_path / "outside.jsonl"
    outside.write_text("")
    target = case.path / "client" / "errors.jsonl"
    target.unlink()
    target.symlink_to(outside)
    assert_clear(popkit("diagnose", case.path), 3, "client/errors.jsonl", "leads out of the case")


def test_two_forms_of_one_file(copy_of: Make) -> None:
    case = copy_of("intact")
    (case.path / "rpc" / "accounts.jsonl.gz").write_bytes(gzip.compress(b""))
    case.seal()
    assert_clear(popkit("diagnose", case.path), 3, "rpc/accounts.jsonl", "rpc/accounts.jsonl.gz")


def test_a_case_without_manifest_is_judged_and_says_so(copy_of: Make) -> None:
    case = copy_of("intact")
    case.drop("manifest-sha256.txt")
    ran = popkit("diagnose", case.path, "--json", "-")
    assert ran.returncode == 0
    assert any(
        "no manifest" in row["detail"] for row in json.loads(ran.stdout)["coverage"]["not_checked"]
    )


BAD_LINES = {
    "not JSON": b"{",
    "not UTF-8": b'{"signature": "\xff\xfe"}',
    "not an object": b"[1, 2]",
    "wrong type": b'{"signature": 5, "key": 5, "pubkey": 5, "at": [], "receiptId": 5}',
    "deep": b"[" * 5000,
    "huge number": b'{"signature": ' + b"9" * 5000 + b"}",
    "NaN": b'{"key": NaN}',
    "null byte": b'{"key": "\x00"}',
    "empty object": b"{}",
}
FILES = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
    "worker/r2.jsonl",
    "worker/storage.jsonl",
    "worker/ticket-receipts.jsonl",
    "client/errors.jsonl",
)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_is_noted_with_its_place_and_the_rest_judged(
    file: str, kind: str, copy_of: Make
) -> None:
    case = copy_of("worker-head-reset")
    path = case.path / file
    before = path.read_bytes().count(b"\n")
    path.write_bytes(path.read_bytes() + BAD_LINES[kind] + b"\n")
    diagnosis = case.diagnose()
    assert diagnosis.verdict == "broken"
    assert diagnosis.exit_code == 1
    problems = [p for p in Evidence(case.path).read_all().problems if p.place.file == file]
    assert [p.place.line for p in problems] == [before + 1]
    assert not diagnosis.coverage.complete
    assert any(row.detail.startswith(f"{file}: ") for row in diagnosis.coverage.not_checked)


@pytest.mark.parametrize(
    "name", ["pop-status", "events", "audit-logs", "audit-integrity", "transfers", "runtime-status"]
)
@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"status": "200", "body": {}}',
        b'{"status": 200}',
        b'{"status": 401, "body": {"error": "x"}}',
        b'{"status": 200, "body": 5}',
    ],
)
def test_a_worker_answer_that_is_none_is_noted_or_ignored_without_harm(
    name: str, text: bytes, copy_of: Make
) -> None:
    case = copy_of("abandoned-proof")
    (case.path / "worker" / f"{name}.json").write_bytes(text)
    diagnosis = case.diagnose()
    assert diagnosis.verdict == "broken"
    assert diagnosis.exit_code == 1
    if b'"status": 200, "body"' not in text and not (name == "audit-integrity" and b"401" in text):
        assert any(f"worker/{name}.json" in row.detail for row in diagnosis.coverage.not_checked)


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: gzip.compress(data)[:-20],
        lambda data: zstandard.ZstdCompressor().compress(data)[:-20],
    ],
    ids=["gz", "zst"],
)
def test_a_cut_compressed_file_is_noted(pack: Callable[[bytes], bytes], copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    path = case.path / "rpc/signatures.jsonl"
    suffix = ".gz" if pack(b"x" * 100)[:2] == b"\x1f\x8b" else ".zst"
    path.with_name(path.name + suffix).write_bytes(pack(path.read_bytes()))
    path.unlink()
    diagnosis = case.diagnose()
    assert (diagnosis.verdict, diagnosis.exit_code) == ("broken", 1)
    assert "rpc/signatures.jsonl: the file cannot be decompressed to its end" in {
        row.detail for row in diagnosis.coverage.not_checked
    }


def test_an_endless_line_is_not_read_and_memory_does_not_follow_it(
    copy_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a":1}\n')
        for _ in range(40):
            file.write(b" " * (1 << 18))
        file.write(b'\n{"a":2}\n')
    read = Lines(path, "x.jsonl", None)
    assert [line for _, line in read] == [b'{"a":1}', b'{"a":2}']
    assert [(p.code, p.place.line) for p in read.problems] == [("line_too_long", 2)]


def test_lines_of_a_large_file_are_streamed(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "x.jsonl.gz"
    with gzip.open(path, "wb", 1) as file:
        for _ in range(300):
            file.write(b'{"a":"' + b"x" * 100_000 + b'"}\n')
    tracemalloc.start()
    count = sum(1 for _ in Lines(path, "x.jsonl.gz", None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert peak < 10_000_000, "30 MB of text must not be held"


def test_contradictory_lines_are_critical(copy_of: Make) -> None:
    case = copy_of("intact")
    rows = case.rows("rpc/transactions.jsonl")
    changed = json.loads(json.dumps(rows[-1]))
    changed["result"]["slot"] += 1
    case.write("rpc/transactions.jsonl", [*rows, changed])
    diagnosis = case.diagnose()
    assert diagnosis.exit_code == 1
    assert "evidence_contradictory" in {f.code for f in diagnosis.findings}


def test_an_unavailable_transaction_is_not_nothing_there(copy_of: Make) -> None:
    case = copy_of("intact")
    rows = sorted(case.rows("rpc/transactions.jsonl"), key=lambda row: row["result"]["slot"])
    rows[-1]["result"] = None
    case.write("rpc/transactions.jsonl", rows)
    diagnosis = case.diagnose()
    assert (diagnosis.verdict, diagnosis.exit_code) == ("inconclusive", 3)
    assert "transaction_missing" in {f.code for f in diagnosis.findings}


def test_the_case_is_never_written(copy_of: Make) -> None:
    case = copy_of("term")
    before = {
        p: (p.stat().st_mtime_ns, p.read_bytes()) for p in case.path.rglob("*") if p.is_file()
    }
    assert popkit("diagnose", case.path).returncode == 1
    assert {
        p: (p.stat().st_mtime_ns, p.read_bytes()) for p in case.path.rglob("*") if p.is_file()
    } == before
    inside = case.path / "findings.json"
    assert_clear(popkit("diagnose", case.path, "--json", inside), 2, "inside the case")
    assert not inside.exists()


def test_opening_twice_forms_raises_for_library_users(copy_of: Make) -> None:
    case = copy_of("intact")
    (case.path / "worker" / "ticket-receipts.jsonl.zst").write_bytes(b"")
    case.seal()
    with pytest.raises(CaseUnreadable, match=r"worker/ticket-receipts\.jsonl"):
        Evidence(case.path).read_all()


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, era: str | None = None, cutover: str | None = None) -> None:
        raise PermissionError(13, "Permission denied", f"{path}/rpc/accounts.jsonl")

    monkeypatch.setattr("popkit.case.open_case", refuse)
    (tmp_path / "case.json").write_text("{}")
    assert main(["diagnose", str(tmp_path)]) == 3
    assert (
        f"{tmp_path}/rpc/accounts.jsonl: cannot be read: Permission denied"
        in capsys.readouterr().err
    )


def test_every_recording_reads_without_a_problem() -> None:
    for path in CASES.iterdir():
        if path.is_dir():
            assert Evidence(path).read_all().problems == [], path.name


def test_rows_do_not_keep_the_text_they_were_read_from(copy_of: Make) -> None:
    """Ten megabytes of log text in accepted transactions leave no trace in memory."""
    import tracemalloc

    case = copy_of("intact")
    rows = case.rows("rpc/transactions.jsonl")
    for row in rows:
        row["result"]["meta"]["logMessages"] = ["x" * 700_000]
    case.write("rpc/transactions.jsonl", rows)
    case.seal()
    evidence = Evidence(case.path)
    tracemalloc.start()
    table = evidence.transactions
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table is not None
    assert len(table) == len(rows) == 16
    assert kept < 2_000_000, "700 kB a row must not be kept"
