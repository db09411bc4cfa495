"""Served with each fault, a collection ends complete, or says why not; it never calls a part the
whole.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from popkit.case import open_case
from popkit.collecting.collect import CollectionStopped
from popkit.collecting.outcomes import Outcome
from popkit.evidence.custody import check_custody, read_custody
from tests.collecting.collected import QUICK, collected, header_of
from tests.conftest import CASES, popkit
from tests.serving.harness import served

CASE = "no-bucket"
HEALED = {
    "429:0.3:0": Outcome.RATE_LIMITED,
    "server-error": Outcome.SERVER_ERROR,
    "html": Outcome.HTML_PAGE,
    "html-502": Outcome.SERVER_ERROR,
    "drop": Outcome.NO_CONNECTION,
    "cut": Outcome.BODY_CUT,
    "endless:0.2": Outcome.BODY_ENDLESS,
    "wrong-type": Outcome.WRONG_CONTENT_TYPE,
    "too-large:5": Outcome.TOO_LARGE,
    "wrong-ids": Outcome.WRONG_IDS,
    "duplicate:0.8": Outcome.DUPLICATE_IDS,
    "slot-back:0.5": None,
    "reorder": None,
    "slow:0.02:0.5": None,
    "page-gap": None,
    "null-once": None,
    "no-gpa": Outcome.METHOD_MISSING,
    "unavailable:-32019": Outcome.UNAVAILABLE,
}
"""Faults that pass, or that another way round avoids, and the outcome under which the custody
record names them.
"""
STATED = {
    "gap": "receipts_match",
    "null": "transactions_given",
    "unavailable:-32004": "transactions_given",
    "unavailable:-32007": "transactions_given",
    "unavailable:-32009": "transactions_given",
    "unavailable:-32011": "transactions_given",
    "unavailable:-32020:1": "listed_to_the_end",
}
"""Faults that stay, and the check by which the case says that it is not whole."""


def sound() -> dict[str, object]:
    return json.loads(open_case(CASES / CASE).diagnose().dumps())


def outcomes(case: Path) -> set[str]:
    return {
        str(record["outcome"])
        for _, _, record in read_custody(case / "custody.jsonl")
        if "outcome" in record
    }


@pytest.mark.parametrize("fault", HEALED)
def test_a_fault_that_passes_leaves_the_case_whole(fault: str, tmp_path: Path) -> None:
    with served(CASES / CASE, "--fault", fault, "--fault-on", "rpc", "--seed", "1") as url:
        conduct = replace(QUICK, attempts=12, timeout=10.0, max_body=3_000_000)
        result = collected(CASE, url, tmp_path / "case", batch=20, page=20, conduct=conduct)
    assert result.complete, [statement.because for statement in result.statements]
    assert json.loads(open_case(result.case).diagnose().dumps())["grants"] == sound()["grants"]
    assert check_custody(result.case) == []
    named = HEALED[fault]
    assert named is None or named in outcomes(result.case)


@pytest.mark.parametrize("fault", STATED)
def test_a_fault_that_stays_is_stated(fault: str, tmp_path: Path) -> None:
    with served(CASES / CASE, "--fault", fault, "--fault-on", "rpc", "--seed", "1") as url:
        result = collected(CASE, url, tmp_path / "case", batch=20, page=20)
    grant = next(statement for statement in result.statements if statement.role == "grant")
    assert not result.complete
    assert not grant.complete
    assert STATED[fault] in {why.split(":")[0] for why in grant.because}
    diagnosis = open_case(result.case).diagnose()
    assert diagnosis.verdict == "inconclusive"
    assert diagnosis.exit_code == 3
    assert any(
        f"grant {grant.address}: incomplete" in row["detail"]
        for row in json.loads(diagnosis.dumps())["coverage"]["not_checked"]
    )
    assert check_custody(result.case) == []


@pytest.mark.parametrize(
    "fault",
    ["drop:1", "server-error:1", "429:1:0", "cut:1", "html:1", "redirect:1", "wrong-type:1"],
)
def test_a_node_that_answers_nothing_leaves_an_unfinished_collection(
    fault: str, tmp_path: Path
) -> None:
    with (
        served(CASES / CASE, "--fault", fault, "--fault-on", "rpc") as url,
        pytest.raises(CollectionStopped, match="the same command goes on"),
    ):
        collected(CASE, url, tmp_path / "case", conduct=replace(QUICK, attempts=3))
    assert not (tmp_path / "case").exists()
    assert (tmp_path / "case.collecting/custody.jsonl").is_file()


def test_a_node_that_dies_on_the_way_is_gone_on_with_or_sealed_as_it_is(tmp_path: Path) -> None:
    out, header = tmp_path / "case", header_of(CASE)
    flags = [
        "--grant",
        header["grants"][0],
        "--name",
        header["case"],
        "--rate",
        "9999",
        "--limit",
        "every=9999",
        "--batch",
        "4",
    ]
    with served(CASES / CASE, "--fault", "unavailable:-32004:1") as url:
        assert popkit("collect", "--rpc", url, *flags, "--out", tmp_path / "whole").returncode == 3
    with served(CASES / CASE, "--fault", "drop:0.7", "--seed", "4") as url:
        stopped = popkit("collect", "--rpc", url, *flags, "--out", out, "--attempts", "2")
        assert stopped.returncode == 3
        assert b"the same command goes on" in stopped.stderr
        sealed = popkit("collect", "--rpc", url, *flags, "--out", out, "--seal-now")
    assert sealed.returncode == 3
    assert b"sealed before everything was asked" in sealed.stdout
    assert check_custody(out) == []
    assert popkit("diagnose", out).returncode == 3


def test_faults_of_the_worker_leave_the_chain_whole_and_are_stated(tmp_path: Path) -> None:
    with served(CASES / CASE, "--fault", "server-error:1", "--fault-on", "worker") as url:
        result = collected(CASE, url, tmp_path / "case")
    assert all(statement.complete for statement in result.statements)
    assert not result.complete
    assert {text.split(":")[0] for text in result.missing} >= {"audit-logs", "events", "pop-status"}
    assert not list((result.case / "worker").glob("*.json"))
    assert open_case(result.case).diagnose().exit_code == 3
