"""Every recorded case, served and collected again, is the same case."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.case import open_case
from popkit.evidence.custody import check_custody
from tests.collecting.collected import collected, exports_of, header_of, options_for
from tests.conftest import CASES, NAMES, popkit
from tests.serving.harness import requests_of, served

LOST = ("rpc-gap", "rpc-tail-gap")  # recorded from a node that left a claim out
NO_LIST = (
    "storage-only",
)  # recorded from a worker that was gone: a part of it is not there to be asked


def findings(case: Path) -> dict[str, Any]:
    return json.loads(open_case(case).diagnose().dumps())


@pytest.mark.parametrize("name", NAMES)
def test_a_served_case_collected_again_is_diagnosed_to_the_same_findings(
    name: str, tmp_path: Path
) -> None:
    with served(CASES / name) as url:
        result = collected(
            name, url, tmp_path / "again", exports=exports_of(name, tmp_path / "exports")
        )
    was, now = findings(CASES / name), findings(result.case)
    before = [row["detail"] for row in was["coverage"]["not_checked"]]
    stated = {row["detail"] for row in now["coverage"]["not_checked"]} - set(before)
    assert all(row in now["coverage"]["not_checked"] for row in was["coverage"]["not_checked"])
    assert now.pop("coverage")["checked"] == was.pop("coverage")["checked"]
    assert now == was
    assert result.complete is (name not in (*LOST, *NO_LIST))
    if result.complete:
        assert all("left out by the worker" in text for text in stated)
    if name in LOST:
        grant = next(statement for statement in result.statements if statement.role == "grant")
        assert {why.split(":")[0] for why in grant.because} >= {"receipts_match", "links_close"}
        assert any("incomplete" in text for text in stated)
    assert check_custody(result.case) == []
    assert open_case(result.case).evidence.digests is not None


@pytest.mark.parametrize("name", ["intact", "term", "abandoned-no-worker"])
def test_rows_are_kept_as_they_were_received(name: str, tmp_path: Path) -> None:
    with served(CASES / name) as url:
        result = collected(name, url, tmp_path / "again")
    was, now = open_case(CASES / name).evidence, open_case(result.case).evidence
    assert was.transactions is not None
    assert now.transactions is not None
    for row, signature in enumerate(now.transactions.signature):
        other = was.transactions.signature.index(signature)
        assert (now.transactions.wire[row], now.transactions.meta[row]) == (
            was.transactions.wire[other],
            was.transactions.meta[other],
        )
    assert {
        key: (row.slot, row.owner, row.data) for key, row in (now.accounts or {}).items()
    }.items() <= {
        key: (row.slot, row.owner, row.data) for key, row in (was.accounts or {}).items()
    }.items() | {
        (key, (row.slot, None, None)) for key, row in (now.accounts or {}).items() if not row.exists
    }


def test_pages_and_batches_of_any_size_make_the_same_rows(tmp_path: Path) -> None:
    made = {}
    with served(CASES / "many-periods") as url:
        for page, batch, parallel in ((1000, 40, 4), (7, 1, 1), (23, 9, 3)):
            out = tmp_path / f"{page}-{batch}"
            assert collected(
                "many-periods", url, out, page=page, batch=batch, parallel=parallel
            ).complete
            made[page] = [
                (out / "rpc" / name).read_bytes()
                for name in ("signatures.jsonl", "transactions.jsonl", "accounts.jsonl")
            ]
    assert made[7] == made[1000]
    assert made[23] == made[1000]


def test_nothing_is_asked_for_twice(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with served(CASES / "intact", "--trace", trace) as url:
        result = collected("intact", url, tmp_path / "again")
    calls = [row["calls"] for row in requests_of(trace)]
    listed = {row.signature for row in (open_case(result.case).evidence.signatures or {}).values()}
    assert sum(row.get("getTransaction", 0) for row in calls) == len(listed)
    assert len((result.case / "rpc/transactions.jsonl").read_bytes().splitlines()) == len(listed)


def test_grants_by_seed_and_by_event_are_the_same_grants(tmp_path: Path) -> None:
    header = header_of("cutover")
    event = header["events"][0]
    with served(CASES / "cutover") as url:
        by_event = collected(
            "cutover", url, tmp_path / "event", grants=(), events=(event["event"],)
        )
        account = open_case(CASES / "cutover").facts.history.account(event["grant"])
        assert account is not None
        seed = f"{account.authority},{account.mint},{account.grant_id}"
        done = popkit(
            "collect",
            "--rpc",
            url,
            "--grant",
            seed,
            "--out",
            tmp_path / "seed",
            "--rate",
            "9999",
            "--limit",
            "every=9999",
        )
    assert open_case(by_event.case).grants == (event["grant"],)
    assert open_case(tmp_path / "seed").grants == (event["grant"],)
    assert done.returncode == 0, done.stderr


def test_an_unknown_event_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with served(CASES / "cutover") as url:
        done = popkit(
            "collect",
            "--rpc",
            url,
            "--worker",
            url,
            "--event",
            "evt-none",
            "--out",
            tmp_path / "case",
        )
    assert done.returncode == 2
    assert header_of("cutover")["events"][0]["event"] in done.stderr.decode()
    assert not (tmp_path / "case").exists()


def test_extending_takes_the_old_case_over_and_asks_for_what_is_newer_alone(tmp_path: Path) -> None:
    first, trace = tmp_path / "first", tmp_path / "trace.jsonl"
    with served(CASES / "intact") as url:
        assert collected("intact", url, first).complete
    before = {
        path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()
    }
    with served(CASES / "intact", "--trace", trace) as url:
        result = collected("intact", url, tmp_path / "second", extend=first, grants=())
    assert result.complete
    assert not any("getTransaction" in row["calls"] for row in requests_of(trace))
    extends = json.loads((result.case / "case.json").read_text())["sources"]["extends"]
    assert (
        extends["manifest_sha256"]
        == hashlib.sha256((first / "manifest-sha256.txt").read_bytes()).hexdigest()
    )
    assert {
        path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()
    } == before
    assert findings(result.case) == findings(first)


def test_extending_a_case_with_a_gap_fills_it(tmp_path: Path) -> None:
    with served(CASES / "no-bucket", "--fault", "null:0.4", "--seed", "3") as url:
        first = collected("no-bucket", url, tmp_path / "first")
    assert not first.complete
    with served(CASES / "no-bucket") as url:
        second = collected("no-bucket", url, tmp_path / "second", extend=first.case, grants=())
    assert second.complete
    assert findings(second.case)["grants"] == findings(CASES / "no-bucket")["grants"]


def test_a_second_endpoint_fills_what_the_first_left_out(tmp_path: Path) -> None:
    with (
        served(CASES / "no-bucket", "--fault", "gap:0.3") as first,
        served(CASES / "no-bucket") as second,
    ):
        result = collected(
            "no-bucket",
            first,
            tmp_path / "case",
            second=options_for("no-bucket", second, tmp_path / "x").rpc,
        )
    assert result.complete
    told = {check.name: check.detail for check in result.statements[0].checks}
    assert "the second alone" in told["second_endpoint_agrees"]
    assert findings(result.case)["grants"] == findings(CASES / "no-bucket")["grants"]


def test_two_endpoints_that_agree_are_said_to(tmp_path: Path) -> None:
    with served(CASES / "intact") as first, served(CASES / "intact") as second:
        result = collected(
            "intact",
            first,
            tmp_path / "case",
            second=options_for("intact", second, tmp_path / "x").rpc,
        )
    assert {
        check.outcome
        for s in result.statements
        for check in s.checks
        if check.name == "second_endpoint_agrees"
    } == {"holds"}


def test_without_a_token_what_needs_one_is_not_asked_for_and_that_is_said(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with served(CASES / "intact", "--trace", trace) as url:
        result = collected("intact", url, tmp_path / "case", has_token=False)
    assert not any(row["path"].startswith("/api/master") for row in requests_of(trace))
    assert any(text.startswith("audit-logs: not asked for") for text in result.not_asked)
    assert not result.complete, "the worker's records are not there"
    header = json.loads((result.case / "case.json").read_text())
    assert header["sources"]["appended_audit_entries"] == 4


def test_a_case_that_exists_is_never_written_into(tmp_path: Path) -> None:
    out = tmp_path / "case"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    done = popkit(
        "collect",
        "--rpc",
        "http://127.0.0.1:1",
        "--grant",
        header_of("intact")["grants"][0],
        "--out",
        out,
    )
    assert done.returncode == 2
    assert b"exists already" in done.stderr
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_a_dry_run_says_what_it_would_ask_and_asks_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    grant = header_of("intact")["grants"][0]
    with served(CASES / "intact", "--trace", trace) as url:
        done = popkit(
            "collect",
            "--rpc",
            url,
            "--worker",
            url,
            "--grant",
            grant,
            "--out",
            tmp_path / "case",
            "--dry-run",
        )
    text = done.stdout.decode()
    assert done.returncode == 0
    assert grant in text
    assert "GET /v1/school/pop-status" in text
    assert "4 appends an entry" in text
    assert requests_of(trace) == []
    assert list(tmp_path.iterdir()) == [trace]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], b"nothing to collect from"),
        (["--rpc", "http://127.0.0.1:1"], b"say which grants"),
        (
            ["--rpc", "http://127.0.0.1:1", "--grant", "nonsense"],
            b"expected a public key, or AUTHORITY,MINT,GRANT_ID",
        ),
        (["--rpc", "ftp://somewhere", "--grant", "GRANT"], b"is not an http or https URL"),
        (["--rpc", "http://127.0.0.1:1", "--event", "evt-1"], b"--event needs --worker"),
        (["--rpc", "http://127.0.0.1:1", "--grant", "GRANT", "--rate", "none"], b"is not a rate"),
        (
            ["--rpc", "http://127.0.0.1:1", "--grant", "GRANT", "--limit", "getTransaction"],
            b"--limit: expected METHOD=N/SECONDS",
        ),
        (["--rpc", "http://127.0.0.1:1", "--grant", "GRANT", "--page", "5000"], b"at most 1000"),
        (
            ["--rpc", "http://127.0.0.1:1", "--grant", "GRANT", "--collected-at", "5"],
            b"for exports alone",
        ),
        (
            ["--worker", "http://127.0.0.1:1", "--worker-token-env", "POPKIT_NO_SUCH"],
            b"POPKIT_NO_SUCH, which is not set",
        ),
        (["--from", "no-such-folder"], b"no such file or directory"),
        (["--rpc", "env:POPKIT_NO_SUCH", "--grant", "GRANT"], b"POPKIT_NO_SUCH, which is not set"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_asked(
    arguments: list[str], says: bytes, tmp_path: Path
) -> None:
    grant = header_of("intact")["grants"][0]
    done = popkit(
        "collect",
        *[grant if text == "GRANT" else text for text in arguments],
        "--out",
        tmp_path / "case",
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_says_how_complete_the_case_is(tmp_path: Path) -> None:
    header = header_of("rpc-gap")
    with served(CASES / "rpc-gap") as url:
        flags = ["--rate", "9999", "--limit", "every=9999", "--program"]
        done = popkit(
            "collect",
            "--rpc",
            url,
            "--grant",
            header["grants"][0],
            "--out",
            tmp_path / "case",
            *flags,
        )
    text = done.stdout.decode()
    assert done.returncode == 3
    assert "? incomplete" in text
    assert "because receipts_match: 1 receipt on chain without a claim" in text
    assert "complete   " not in text.replace("incomplete   ", "")
