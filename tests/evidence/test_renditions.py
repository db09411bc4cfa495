"""Copying is not forging: any mixture of renditions of true transactions gives the findings of the
plain case, and no other.

What must hold for the whole kind: two renditions that differ in what they know, not in what they
say, are one transaction, and the order of lines decides nothing; they contradict each other in
slot, outcome, signed message, loaded addresses and amounts alone; and a part that cannot be read
costs what hangs on it and no more.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import popkit as package
from popkit.drill.case import write_case
from popkit.evidence.bundle import Evidence
from popkit.protocol.keys import b58decode, b58encode
from tests.conftest import CASES, Copy
from tests.evidence.renditions import CHECKABLE, ENCODINGS, encoded, mixed
from tests.simulation.history import BUILDS, play, steps
from tests.verification.standalone import CHECK, numbers, outcome

Make = Callable[[str], Copy]
RECORDED = [
    "abandoned-proof",
    "era-upgrade",
    "foreign-issuer",
    "grant-reuse",
    "relaxed-race",
    "signer-mismatch",
]
FILE = "rpc/transactions.jsonl"


def findings_of(case: Path | str) -> str:
    return package.open_case(case).diagnose().dumps()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", RECORDED)
def test_every_encoding_gives_the_same_findings(name: str, encoding: str, copy_of: Make) -> None:
    case = copy_of(name)
    case.change(FILE, lambda rows: [encoded(row, encoding) for row in rows])
    assert case.diagnose().dumps() == findings_of(CASES / name)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", RECORDED)
def test_mixtures_of_recorded_transactions_change_nothing(
    name: str, seed: int, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    case, chance = copy_of(name), random.Random(f"{name} {seed}")
    _, plain = outcome(CASES / name, None, capsys)
    case.change(FILE, lambda rows: mixed(rows, chance, CHECKABLE))
    found = case.diagnose()
    assert found.dumps() == findings_of(CASES / name)
    _, lines = outcome(case.path, json.loads(found.dumps()), capsys)
    assert lines == plain, "the stand-alone checker reads the same renditions the same way"
    again = case.rows(FILE)
    chance.shuffle(again)
    case.write(FILE, [*again, *again])
    assert case.diagnose().dumps() == found.dumps()


@given(st.sampled_from(BUILDS), steps, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
def test_mixtures_in_histories_at_random_change_nothing(
    build: tuple[str, str], told: list[tuple[str, int]], chance: random.Random
) -> None:
    _, files = play(build, told, 60)
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as path:
        wanted = findings_of(write_case(Path(plain), files))
        case = write_case(Path(path), files | {FILE: mixed(files[FILE], chance)})
        assert findings_of(case) == wanted
        known = {line for line in CHECK.check_answers(CHECK.Case(case)) if line[1] == "violated"}
        assert known == {
            line for line in CHECK.check_answers(CHECK.Case(Path(plain))) if line[1] == "violated"
        }


def claim_row(rows: list[Any]) -> Any:
    """The last accepted transaction of a list that moved tokens."""
    return max(
        (r for r in rows if r["result"] and r["result"]["meta"]["postTokenBalances"]),
        key=lambda row: row["result"]["slot"],
    )


def with_copy(
    rows: list[Any], edit: Callable[[dict[str, Any]], None], encoding: str = "base64"
) -> list[Any]:
    """The rows, and beside the last claim a second rendition of it, edited."""
    second = encoded(json.loads(json.dumps(claim_row(rows))), encoding)
    edit(second["result"])
    return [*rows, second]


def set_slot(result: dict[str, Any]) -> None:
    result["slot"] += 1


def set_err(result: dict[str, Any]) -> None:
    result["meta"]["err"] = {"InstructionError": [2, {"Custom": 6026}]}


def set_amount(result: dict[str, Any]) -> None:
    result["meta"]["postTokenBalances"][0]["uiTokenAmount"]["amount"] = "7"


def set_data(result: dict[str, Any]) -> None:
    item = result["transaction"]["message"]["instructions"][-1]
    item["data"] = b58encode(b58decode(item["data"])[:-1] + b"\x07")


def set_blockhash(result: dict[str, Any]) -> None:
    result["transaction"]["message"]["recentBlockhash"] = "11111111111111111111111111111111"


CONTRADICTIONS = [
    *[
        (edit, encoding)
        for edit in (set_slot, set_err, set_amount)
        for encoding in ("base64", "json", "jsonParsed")
    ],
    *[
        (edit, encoding)
        for edit in (set_data, set_blockhash)
        for encoding in ("json", "jsonParsed")
    ],
]


@pytest.mark.parametrize("first", [False, True], ids=["after", "before"])
@pytest.mark.parametrize(("edit", "encoding"), CONTRADICTIONS)
def test_what_renditions_say_differently_is_a_contradiction(
    edit: Callable[[dict[str, Any]], None], encoding: str, first: bool, copy_of: Make
) -> None:
    case = copy_of("intact")
    case.change(FILE, lambda rows: with_copy(rows, edit, encoding))
    if first:
        case.change(FILE, lambda rows: rows[::-1])
    found = case.diagnose()
    assert found.exit_code == 1
    codes = {finding.code for finding in found.findings}
    assert "evidence_contradictory" in codes
    assert "forged_transaction" not in codes, (
        "the rendition that is signed as it says is the transaction"
    )


def leave_out_times(result: dict[str, Any]) -> None:
    result["blockTime"] = None
    result.pop("transactionIndex", None)


def empty_lists(result: dict[str, Any]) -> None:
    for name in ("innerInstructions", "preTokenBalances", "postTokenBalances", "logMessages"):
        result["meta"][name] = []


def garbled(result: dict[str, Any]) -> None:
    result["meta"]["preTokenBalances"] = {"field0": 3}
    result["meta"]["logMessages"] = 7
    result["meta"]["innerInstructions"] = [
        {"index": 0, "instructions": [{"programIdIndex": 4, "accounts": {"field0": 1}}]},
        None,
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("edit", [leave_out_times, empty_lists, garbled])
def test_what_a_rendition_does_not_know_is_none(
    edit: Callable[[dict[str, Any]], None], encoding: str, copy_of: Make
) -> None:
    case = copy_of("intact")
    case.change(FILE, lambda rows: with_copy(rows, edit, encoding))
    assert case.diagnose().dumps() == findings_of(CASES / "intact")


GARBLED = [
    {
        "index": 0,
        "instructions": [
            {"programIdIndex": 4, "accounts": {"field0": {"field0": 3}}, "data": {"field0": 9}}
        ],
    }
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "inner", [GARBLED, {"a": 1}, [None], [{"index": "x"}], "?", [{"index": 0, "instructions": 5}]]
)
def test_claims_at_top_level_are_read_whatever_the_inner_instructions_are(
    inner: Any, encoding: str, copy_of: Make
) -> None:
    case = copy_of("intact")

    def garble(rows: list[Any]) -> list[Any]:
        made = [encoded(row, encoding) for row in rows]
        for row in made:
            row["result"]["meta"]["innerInstructions"] = inner
        return made

    case.change(FILE, garble)
    assert case.diagnose().dumps() == findings_of(CASES / "intact"), (
        "no other program in them could have made a claim"
    )


def test_garbled_calls_of_a_program_that_could_make_a_claim_are_not_checked(copy_of: Make) -> None:
    case = copy_of("intact")
    rows = case.rows(FILE)
    row = encoded(claim_row(rows), "jsonParsed")
    row["result"]["transaction"]["message"]["instructions"].append(
        {"programId": row["signature"][:43], "accounts": [], "data": ""}
    )
    others = [other for other in rows if other["signature"] != row["signature"]]
    case.write(FILE, [*others, row])
    assert (case.diagnose().verdict, case.diagnose().exit_code) == ("intact", 0)
    row["result"]["meta"]["innerInstructions"] = GARBLED
    case.write(FILE, [*others, row])
    found = case.diagnose()
    assert (found.verdict, found.exit_code) == ("intact", 0)
    assert f"{FILE}: inner instructions cannot be read" in {
        row.detail for row in found.coverage.not_checked
    }


@pytest.mark.parametrize("part", ["preTokenBalances", "postTokenBalances", "loadedAddresses"])
def test_a_garbled_part_costs_that_part(part: str, copy_of: Make) -> None:
    case = copy_of("intact")

    def garble(rows: list[Any]) -> list[Any]:
        claim_row(rows)["result"]["meta"][part] = (
            {"field0": 1} if part != "loadedAddresses" else [1]
        )
        return rows

    case.change(FILE, garble)
    found = case.diagnose()
    assert (found.verdict, found.exit_code) == ("intact", 0)
    assert f"{FILE}: a part of a line cannot be used" in {
        row.detail for row in found.coverage.not_checked
    }


def test_an_outcome_that_only_status_tells_is_read(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")

    def old(rows: list[Any]) -> list[Any]:
        for row in rows:
            meta = row["result"]["meta"]
            err = meta.pop("err")
            meta["status"] = {"Ok": None} if err is None else {"Err": err}
        return rows

    case.change(FILE, old)
    assert case.diagnose().dumps() == findings_of(CASES / "abandoned-proof")


def test_a_listed_time_of_null_is_no_contradiction(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    unknown = {"blockTime": None, "memo": None, "confirmationStatus": None}
    case.change("rpc/signatures.jsonl", lambda rows: [{**row, **unknown} for row in rows] + rows)
    assert case.diagnose().dumps() == findings_of(CASES / "abandoned-proof")
    case.change("rpc/signatures.jsonl", lambda rows: rows[::-1])
    assert case.diagnose().dumps() == findings_of(CASES / "abandoned-proof")
    refused = next(row for row in case.rows("rpc/signatures.jsonl") if row["err"])
    case.change("rpc/signatures.jsonl", lambda rows: [*rows, {**refused, "err": None}])
    found = case.diagnose()
    assert found.exit_code == 1
    assert "evidence_contradictory" in {finding.code for finding in found.findings}, (
        "an err of null means accepted"
    )


@pytest.mark.parametrize("missing", ["recentBlockhash", "version 1"])
def test_signatures_that_cannot_be_checked_are_neither_forged_nor_sound(
    missing: str, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    case = copy_of("intact")

    def incomplete(rows: list[Any]) -> list[Any]:
        made = [encoded(row, "json") for row in rows]
        for row in made:
            if missing == "version 1":
                row["result"]["version"] = 1
                row["result"]["transaction"]["message"].pop("addressTableLookups", None)
            else:
                del row["result"]["transaction"]["message"][missing]
        return made

    case.change(FILE, incomplete)
    found = case.diagnose()
    assert (found.verdict, found.exit_code) == ("intact", 0)
    assert set(package.open_case(case.path).facts.claims.transaction_signatures_hold) == {None}
    code, lines = outcome(case.path, None, capsys)
    assert (code, numbers(lines)) == (3, set())


@pytest.mark.parametrize(
    "encoding", [name for name in CHECKABLE if name not in ("base64", "base58", "binary")]
)
def test_a_complete_reading_that_does_not_verify_is_forged(
    encoding: str, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    case = copy_of("intact")
    rows = case.rows(FILE)
    row = encoded(claim_row(rows), encoding)
    row["result"]["transaction"]["message"]["recentBlockhash"] = "11111111111111111111111111111111"
    case.write(FILE, [other for other in rows if other["signature"] != row["signature"]] + [row])
    found = case.diagnose()
    assert found.exit_code == 1
    assert "forged_transaction" in {finding.code for finding in found.findings}
    code, lines = outcome(case.path, None, capsys)
    assert (code, 2 in numbers(lines)) == (1, True)


def test_repeated_and_unreadable_lines_do_not_hide_a_rendition(copy_of: Make) -> None:
    case = copy_of("intact")

    def beside(rows: list[Any]) -> list[Any]:
        row = claim_row(rows)
        without_meta = {"signature": row["signature"], "result": {**row["result"], "meta": None}}
        cut = {
            "signature": row["signature"],
            "result": {**row["result"], "transaction": ["AQID", "base64"]},
        }
        return [without_meta, cut, {"signature": row["signature"], "result": None}, *rows]

    case.change(FILE, beside)
    found = case.diagnose()
    assert found.dumps() == findings_of(CASES / "intact")
    assert Evidence(case.path).read_all().problems == []
