"""Input that is absurd: each is a line or file that is named, in bounded work, while the rest of
the case is judged.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import zstandard

import popkit as package
from popkit.collecting.exports.raw import parts
from popkit.errors import ManifestMismatch
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import MAX_PROBLEMS, Lines
from popkit.pages.terminal import diagnosis_text
from popkit.protocol.canonical import MAX_DEPTH, MAX_VALUES, CanonicalError, absurdity, parse
from popkit.protocol.keys import MAX_BASE58, b58decode, b58encode
from popkit.verification.verify import verify
from tests.conftest import CASES, Copy, popkit
from tests.exported import read_exports

Make = Callable[[str], Copy]
FILES = ("rpc/transactions.jsonl", "rpc/signatures.jsonl", "rpc/accounts.jsonl", "worker/r2.jsonl", "worker/storage.jsonl",
         "worker/ticket-receipts.jsonl", "client/errors.jsonl")  # fmt: skip
DEEP = "[" * 100_000 + "]" * 100_000
REPORT = '{{"at":{at},"eventId":"evt","wallet":"w","landed":false,"signature":null,"message":"","logs":[]}}'
ABSURD_LINES = {
    "a number past every double": '{"at":1e999,"slot":1e999,"value":1e400}',
    "a number of 5,000 digits": f'{{"at":{"9" * 5000},"slot":{"9" * 5000},"pubkey":"x"}}',
    "nested 100,000 deep": DEEP,
    "nested 100,000 deep inside": f'{{"signature":"x","err":{DEEP},"result":{DEEP},"key":{DEEP}}}',
    "nested deep and never closed": '{"err":' + "[" * 100_000,
    "as deep as a reader goes": '{"err":' * 900 + "1" + "}" * 900,
    "base58 of 2 MB": '{"signature":"x","pubkey":"%s","result":{"slot":1,"transaction":["%s","base58"]}}'
    % (2 * ("2" * 2_000_000,)),
    "an array of more values than any answer holds": "[" + "1," * (MAX_VALUES + 1) + "1]",
}


@pytest.mark.parametrize("what", ABSURD_LINES)
def test_an_absurd_line_in_any_file_is_named_and_the_rest_judged(what: str, copy_of: Make) -> None:
    case = copy_of("worker-head-reset")
    before = case.diagnose()
    heavy = len(ABSURD_LINES[what]) > 1 << 20
    for name in FILES[:1] if heavy else FILES:
        with (case.path / name).open("a") as file:
            file.write(ABSURD_LINES[what] + "\n")
    after = case.diagnose()
    problems = {p.place.part for p in package.open_case(case.path).evidence.read_all().problems}
    assert problems == set(
        FILES[:1] if heavy else [name.replace("r2.jsonl", "r2") for name in FILES]
    )
    assert {g.grant: g.verdict for g in after.grants} == {g.grant: g.verdict for g in before.grants}
    assert {f.where[0] for f in after.findings if f.code == "evidence_unreadable"} >= set(FILES[:1])
    assert diagnosis_text(after)
    assert json.loads(after.dumps())["verdict"] == before.verdict
    assert verify(package.open_case(case.path).evidence).exit_code in (1, 3)


@pytest.mark.parametrize(
    "at",
    ["1e999", "-1e999", "1e400", "9" * 5000, "-1", "-0.5", "1e14", "null", "true", '"1771830113"'],
)
def test_a_report_at_no_time_is_a_line_that_cannot_be_read(at: str, copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    reports = len(package.open_case(case.path).evidence.reports or [])
    case.change("client/errors.jsonl", lambda rows: [*rows, REPORT.format(at=at)])
    diagnosis = case.diagnose()
    evidence = package.open_case(case.path).evidence
    assert len(evidence.reports or []) == reports
    assert [p.place.line for p in evidence.problems] == [reports + 1]
    assert diagnosis.verdict == "broken"


def test_a_report_in_milliseconds_is_read_as_such_and_said_to_be(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    before = case.diagnose()
    case.change(
        "client/errors.jsonl", lambda rows: [{**row, "at": row["at"] * 1000 + 999} for row in rows]
    )
    after = case.diagnose()
    assert [f for f in after.findings if f.code != "time_in_milliseconds"] == before.findings
    assert [(f.severity, f.where) for f in after.findings if f.code == "time_in_milliseconds"] == [
        ("info", ("client/errors.jsonl", ""))
    ]
    assert after.coverage == before.coverage
    times = [report.at for report in package.open_case(case.path).evidence.reports or []]
    assert times == [
        report.at for report in package.open_case(CASES / "abandoned-proof").evidence.reports or []
    ]


@pytest.mark.parametrize("at", ["1771830113", "1771830113.7", "0", "99999999999"])
def test_seconds_are_left_as_they_are(at: str, copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    case.write("client/errors.jsonl", [REPORT.format(at=at)])
    case.seal()
    evidence = package.open_case(case.path).evidence
    assert [report.at for report in evidence.reports or []] == [int(float(at))]
    assert evidence.problems == []


@pytest.mark.parametrize(
    "value",
    ["1e999", "9" * 5000, "-1", "1" + "0" * 300, DEEP, "[" + "1," * (MAX_VALUES + 1) + "1]"],
)
@pytest.mark.parametrize("field", ["collected_at", "sources"])
def test_an_absurd_header_stops_with_its_name(field: str, value: str, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "intact", case)
    (case / "manifest-sha256.txt").unlink()
    text = json.dumps({**json.loads((case / "case.json").read_text()), field: "@"}).replace(
        '"@"', value
    )
    (case / "case.json").write_text(text)
    ran = popkit("diagnose", case)
    assert ran.returncode == 3
    assert ran.stderr.startswith(b"popkit: case.json: ")
    assert len(ran.stderr) < 1000


@pytest.mark.parametrize("value", ["1e999", "9" * 5000, DEEP, "[" + "[]," * MAX_VALUES + "1]"])
def test_an_absurd_answer_of_the_worker_is_named(value: str, copy_of: Make) -> None:
    case = copy_of("intact")
    answer = case.path / "worker/transfers.json"
    answer.write_text(
        json.dumps({"status": 200, "body": {"items": [{"amount": "@"}]}}).replace('"@"', value)
    )
    diagnosis = case.diagnose()
    assert diagnosis.exit_code in (0, 3)
    problems = [p.place.file for p in package.open_case(case.path).evidence.read_all().problems]
    assert problems == ([] if value[0] in "19" else ["worker/transfers.json"])


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_a_small_file_that_unfolds_without_end_is_named(suffix: str, copy_of: Make) -> None:
    import gzip

    case = copy_of("intact")
    rows = b"\n" * (1 << 20)
    if suffix == ".zst":
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        data = b"".join([*(packer.compress(rows) for _ in range(400)), packer.flush()])
    else:
        data = gzip.compress(b"{}\n" * 20_000 + rows * 100, 9)
    (case.path / "client/errors.jsonl").unlink()
    (case.path / f"client/errors.jsonl{suffix}").write_bytes(data)
    assert case.diagnose().verdict == "intact"
    problems = package.open_case(case.path).evidence.read_all().problems
    assert "document_too_large" in {p.code for p in problems}
    assert len(problems) <= MAX_PROBLEMS + 1
    exports = read_exports([case.path / "client", case.path / "worker"])
    assert any("unfolds into more than" in item.why for item in exports.not_used)
    assert exports.answers


def test_a_file_that_is_packed_as_rows_are_is_read_whole(copy_of: Make) -> None:
    case = copy_of("intact")
    rows = "".join(REPORT.format(at=1771830113 + i) + "\n" for i in range(50_000))
    (case.path / "client/errors.jsonl").unlink()
    (case.path / "client/errors.jsonl.zst").write_bytes(zstandard.compress(rows.encode(), 3))
    case.seal()
    evidence = package.open_case(case.path).evidence
    assert len(evidence.reports or []) == 50_000
    assert evidence.problems == []


def test_amounts_are_exact_up_to_u64_and_nonsense_is_not_known(copy_of: Make) -> None:
    case = copy_of("intact")
    amounts = ["10000000000000000000", str(2**64 - 1), str(2**64), "9" * 5000, "-1", "٣"]
    rows = case.rows("rpc/transactions.jsonl")
    made = {
        claim.signature
        for claim in package.open_case(case.path)
        .facts.chain(package.open_case(case.path).grants[0])
        .accepted
    }
    claims = [row for row in rows if row["signature"] in made][: len(amounts)]
    for row, amount in zip(claims, amounts, strict=False):
        for side, text in (("preTokenBalances", "0"), ("postTokenBalances", amount)):
            for balance in row["result"]["meta"][side]:
                balance["uiTokenAmount"]["amount"] = text
    case.write("rpc/transactions.jsonl", rows)
    case.seal()
    opened = package.open_case(case.path)
    table = opened.claims
    moved = dict(zip(table["signature"], table["amount_moved"], strict=True))
    seen = [moved[row["signature"]] for row in claims if row["signature"] in moved]
    known = [int(amount) for amount in seen if not pd.isna(amount)]
    assert known
    assert set(known) <= {10**19, 2**64 - 1}
    assert len(known) < len(seen)
    assert opened.diagnose().exit_code in (0, 1, 3)


def test_a_link_to_itself_is_named_and_the_rest_judged(copy_of: Make) -> None:
    case = copy_of("intact")
    case.seal()
    (case.path / "loop").symlink_to("loop")
    (case.path / "worker/folder").symlink_to(case.path / "rpc")
    opened = package.open_case(case.path)
    assert [p.place.file for p in opened.evidence.problems] == ["loop", "worker/folder"]
    assert opened.diagnose().verdict == "intact"
    for args in (
        ("diagnose", case.path / "loop"),
        ("diagnose", case.path, "--json", case.path / "loop"),
    ):
        assert popkit(*args).returncode == 2
    outside = case.path.parent / "loop"
    outside.symlink_to("loop")
    assert popkit("investigate", case.path, "--out", outside).returncode in (2, 3)
    exports = read_exports([case.path])
    assert [
        (item.path, item.why.startswith("is a link"))
        for item in exports.not_used
        if "loop" in item.path
    ] == [("loop", True)]


@pytest.mark.parametrize(
    "name", ["rpc/transactions.jsonl", "worker/events.json", "client/errors.jsonl"]
)
def test_a_file_that_changes_after_the_manifest_was_checked_is_noticed(
    name: str, copy_of: Make
) -> None:
    case = copy_of("intact")
    case.seal()
    evidence = Evidence(case.path)
    (case.path / name).write_bytes((case.path / name).read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ManifestMismatch, match="changed while it was read") as raised:
        evidence.read_all()
    assert raised.value.file == name
    assert raised.value.exit_code == 3


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "args", [("diagnose",), ("diagnose", "--json", "-"), ("verify",), ("explain",)]
)
def test_a_full_standard_output_is_said_to_be_that(args: tuple[str, ...]) -> None:
    command = [args[0], *([] if args == ("explain",) else [str(CASES / "intact")]), *args[1:]]
    with FULL.open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "popkit.cli", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr == b"popkit: standard output: cannot be written: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_to_be_that(tmp_path: Path) -> None:
    ran = popkit("diagnose", CASES / "intact", "--json", "/dev/full")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr == b"popkit: /dev/full: cannot be written: No space left on device\n"
    with FULL.open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "popkit.cli", "diagnose", "nothing"],
            stderr=full,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2


def test_base58_is_bounded_and_the_same_as_before() -> None:
    for size in (0, 1, 9, 10, 11, 31, 100, 1232):
        data = bytes(range(1, 256)) * 5
        assert b58decode(b58encode(b"\0\0" + data[:size])) == b"\0\0" + data[:size]
    assert len(b58decode("z" * MAX_BASE58)) > 10_240
    with pytest.raises(ValueError, match="no node gives more"):
        b58decode("z" * (MAX_BASE58 + 1))
    with pytest.raises(ValueError, match="'0' at position 12 of a text of 13"):
        b58decode("1" * 12 + "0")


def test_depth_is_that_of_brackets_outside_of_texts() -> None:
    for depth, absurd in ((MAX_DEPTH, False), (MAX_DEPTH + 1, True)):
        for opened, closed in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")):
            count = depth // (2 if len(closed) == 2 else 1)
            text = opened * count + "1" + closed * count
            assert (absurdity(text.encode()) is not None) == (
                absurd and count * len(closed) > MAX_DEPTH
            )
    assert absurdity(b"[" + b"[]," * 1000 + b"1]") is None
    assert absurdity(json.dumps(["[" * 1000, '\\"' + "{" * 1000]).encode()) is None
    assert absurdity(b'"' + b'\\"[' * 100_000) is None
    with pytest.raises(CanonicalError, match="200 levels"):
        parse(DEEP)


def test_a_log_whose_lines_begin_with_dates_is_no_json_and_soon_given_up(tmp_path: Path) -> None:
    line = '2026-02-22T10:00:00.000Z [info] GET /v1/school/events 200 {"a": 1}\n'
    assert len(list(parts(line * 10_000))) == 50
    assert len(list(parts(line * 10_000, patient=True))) == 10_000
    (tmp_path / "access.log").write_text(line * 100_000)
    (tmp_path / "bracketed.log").write_text(f"[{line[:19]}] {line}" * 100_000)
    shutil.copy(CASES / "intact/worker/events.json", tmp_path)
    exports = read_exports([tmp_path])
    assert {item.path for item in exports.not_used} == {"access.log", "bracketed.log"}
    assert list(exports.answers) == ["events"]


def test_documents_in_several_lines_are_read_as_before() -> None:
    pretty = json.dumps({"a": [1, {"b": 2}]}, indent=2)
    assert [(p.line, p.value) for p in parts(f"{pretty}\n\n{pretty} {{}}\n[]")] == [
        (1, {"a": [1, {"b": 2}]}), (10, {"a": [1, {"b": 2}]}), (17, {}), (18, []),
    ]  # fmt: skip
    assert [p.value for p in parts('{"a":1}{"a":2}\nnull\n"x"\n12\n')] == [
        {"a": 1},
        {"a": 2},
        None,
        "x",
        12,
    ]


def test_absurd_files_that_were_exported_are_named_and_the_rest_collected(tmp_path: Path) -> None:
    shutil.copytree(CASES / "intact", tmp_path / "in")
    (tmp_path / "in/manifest-sha256.txt").unlink()
    (tmp_path / "in/case.json").unlink()
    texts = {"deep.json": DEEP, "array.json": "[" + "1," * 6_000_000 + "1]", "digits.json": "9" * 5000, "infinite.json": '{"at":1e999}',
             "pretty.json": "[\n" + '{"a":1},\n' * 5_000_000 + "1]"}  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with (tmp_path / "in/client/errors.jsonl").open("a") as file:
        file.write("".join(line + "\n" for line in ABSURD_LINES.values() if len(line) < 1 << 20))
    exports = read_exports([tmp_path])
    assert set(texts) <= {item.path for item in exports.not_used}
    assert exports.rows["rpc/transactions.jsonl"]
    assert exports.answers.keys() >= {"events", "audit-logs"}


def test_reading_of_lines_does_not_grow_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"x\n" * 50_000)
    lines = Lines(path, "x.jsonl", None)
    for number, _ in lines:
        lines.problem("unreadable_line", "is not JSON", number)
        if number % 1000 == 0:
            lines.problem("contradictory_lines", "another", number)
    assert len(lines.problems) == MAX_PROBLEMS + 50
    assert sum(p.code == "contradictory_lines" for p in lines.problems) == 50


@pytest.mark.parametrize("when", [-(2**53), 1_771_830_113_000])
def test_an_impossible_time_of_a_block_does_not_stop_a_picture(when: int, copy_of: Make) -> None:
    from popkit.pages import pictures as plots

    case = copy_of("abandoned-proof")
    rows = case.rows("rpc/transactions.jsonl")
    rows[0]["result"]["blockTime"] = rows[-1]["result"]["blockTime"] = when
    case.write("rpc/transactions.jsonl", rows)
    case.seal()
    opened = package.open_case(case.path)
    for draw in (plots.chain_over_time, plots.heads, plots.fork_lanes, plots.impact):
        assert draw(opened, opened.grants[0]).png
    assert len(opened.claims)
