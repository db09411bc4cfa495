"""What was checked and what was not, row by row: each list, account, export and status that is
missing or partial is one row.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.result import Coverage, Row, ascending
from popkit.drill.case import write_case
from popkit.drill.world import GrantHandle, World, sound
from tests.diagnosis.judged import (
    ACCOUNTS,
    BUCKET,
    LOGS,
    SIGNATURES,
    STORAGE,
    TRANSACTIONS,
    account,
    forget,
    hide,
    read_earlier,
    receipt,
)
from tests.simulation.expect import diagnose

RECEIPTS, REPORTS = "worker/ticket-receipts.jsonl", "client/errors.jsonl"
Place = tuple[str, str | None, str]


def whole() -> tuple[World, GrantHandle, dict[str, Any]]:
    """A case of which everything was collected."""
    world, handle, _ = sound()
    files = world.collect(storage=True, reports=True, receipts=True)
    assert account(files, handle.config)
    return world, handle, files


def coverage_of(path: Path, files: dict[str, Any]) -> Coverage:
    return diagnose(path, files).coverage


def unchecked(path: Path, files: dict[str, Any]) -> set[Place]:
    """(part, grant, why) of what was not checked."""
    return {(row.part, row.grant, row.why) for row in coverage_of(path, files).not_checked}


def test_everything_was_checked_only_where_it_was(tmp_path: Path) -> None:
    _, _, files = whole()
    coverage = coverage_of(tmp_path, files)
    assert [row.text for row in coverage.not_checked] == []
    assert coverage.complete
    parts = {
        "manifest",
        "transactions",
        "lists",
        "accounts",
        "audit_entries",
        "bucket",
        "storage",
        "ticket_receipts",
        "reports",
        "signer",
    }
    assert {row.part for row in coverage.checked} == parts
    assert {(row.grant, row.why) for row in coverage.checked} == {(None, "checked")}


@pytest.mark.parametrize(
    ("part", "files"),
    [
        ("transactions", (TRANSACTIONS,)),
        ("lists", (SIGNATURES,)),
        ("accounts", (ACCOUNTS,)),
        ("bucket", (BUCKET,)),
        ("audit_list", (LOGS,)),
        ("reports", (REPORTS,)),
        ("ticket_receipts", (RECEIPTS, STORAGE)),
        ("pop-status", ("worker/pop-status.json",)),
        ("runtime-status", ("worker/runtime-status.json",)),
        ("audit-status", ("worker/audit-status.json",)),
        ("events", ("worker/events.json",)),
        ("audit_entries", (LOGS, STORAGE, BUCKET)),
        ("signer", ("worker/pop-status.json", "worker/runtime-status.json")),
    ],
)
def test_each_part_that_was_not_collected_is_a_row(
    part: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    _, _, case = whole()
    left = {name: content for name, content in case.items() if name not in files}
    coverage = coverage_of(tmp_path, left)
    assert (part, None, "not_collected") in {
        (row.part, row.grant, row.why) for row in coverage.not_checked
    }
    assert part not in {row.part for row in coverage.checked}
    assert not coverage.complete


def test_nothing_was_collected(tmp_path: Path) -> None:
    _, _, files = whole()
    coverage = coverage_of(tmp_path, {"case.json": files["case.json"]})
    assert [row.part for row in coverage.checked] == ["manifest"]
    missing = {row.part for row in coverage.not_checked if row.why == "not_collected"}
    wanted = {
        "transactions",
        "lists",
        "accounts",
        "audit_entries",
        "bucket",
        "storage",
        "ticket_receipts",
        "reports",
        "signer",
    }
    assert wanted <= missing


def test_a_case_without_a_manifest(tmp_path: Path) -> None:
    _, _, files = whole()
    path = write_case(tmp_path, files)
    (path / "manifest-sha256.txt").unlink()
    from tests.held import held_to_its_words

    rows = held_to_its_words(path).coverage.not_checked
    assert [(row.part, row.why) for row in rows] == [("manifest", "not_collected")]


# -- the accounts of a grant --


@pytest.mark.parametrize(
    ("part", "gone"),
    [
        ("pop_state", lambda w, h: h.state),
        ("grant_account", lambda w, h: h.address),
        ("vault", lambda w, h: h.vault),
        ("pop_config", lambda w, h: h.config),
        ("receipts", lambda w, h: receipt(w, h, "bob")),
    ],
)
def test_each_account_of_a_grant_that_was_not_collected_is_a_row(
    part: str, gone: Callable[[World, GrantHandle], str], tmp_path: Path
) -> None:
    world, handle, files = whole()
    rows = unchecked(tmp_path, forget(files, gone(world, handle)))
    assert {row for row in rows if row[2] == "not_collected"} == {
        (part, handle.address, "not_collected")
    }


def test_of_two_grants_the_row_names_the_one_it_is_about(tmp_path: Path) -> None:
    world, _, _ = sound()
    other = world.grant(2)
    files = forget(world.collect(storage=True, reports=True, receipts=True), other.vault)
    assert unchecked(tmp_path, files) == {("vault", other.address, "not_collected")}


def test_a_pop_state_without_a_slot_and_one_that_is_older_than_the_claims(tmp_path: Path) -> None:
    world, handle, _ = sound()
    then = world.collect()
    world.tick(5)
    world.tickets(handle, "cat")
    files = world.collect(storage=True, reports=True, receipts=True)
    older = read_earlier(copy.deepcopy(files), then, handle.state)
    assert ("pop_state", handle.address, "older") in unchecked(tmp_path / "older", older)
    account(files, handle.state)["slot"] = None
    assert ("pop_state", handle.address, "no_slot") in unchecked(tmp_path / "no slot", files)


def test_a_receipt_that_was_read_before_its_claim_was_not_collected(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.attempted.add((handle.address, world.address("cat"), 0))
    then = world.collect()
    world.tick(5)
    world.tickets(handle, "cat")
    files = world.collect(storage=True, reports=True, receipts=True)
    early = read_earlier(files, then, receipt(world, handle, "cat"))
    assert ("receipts", handle.address, "not_collected") in unchecked(tmp_path, early)


# -- the lists and what the node gave --


def test_a_grant_s_own_list_that_was_not_collected(tmp_path: Path) -> None:
    _, handle, files = whole()
    files[SIGNATURES] = [row for row in files[SIGNATURES] if row["address"] != handle.address]
    assert ("lists", handle.address, "not_collected") in unchecked(tmp_path, files)


def test_transactions_that_were_listed_and_not_given(tmp_path: Path) -> None:
    world, handle, files = whole()
    last = next(t for t in reversed(world.landed) if handle.address in t.keys)
    rows = unchecked(tmp_path, hide(files, last.signature, listed=True))
    assert ("transactions", None, "not_given") in rows
    assert ("claims", handle.address, "not_given") in rows, (
        "its receipt tells of a claim that is not there"
    )


def test_a_time_of_collection_that_does_not_fit_the_accounts(tmp_path: Path) -> None:
    world, _, files = whole()
    files["case.json"]["collected_at"] += 7200
    assert ("accounts", None, "another_moment") in unchecked(tmp_path, files)
    assert world.now < files["case.json"]["collected_at"]


def test_what_the_collector_states(tmp_path: Path) -> None:
    _, handle, files = whole()
    files["case.json"]["sources"] |= {
        "completeness": [
            {
                "address": handle.address,
                "role": "grant",
                "complete": False,
                "because": ["one", "two"],
            }
        ],
        "missing": ["the parish register"],
    }
    rows = coverage_of(tmp_path, files).not_checked
    assert {(row.part, row.why) for row in rows} >= {
        ("lists", "incomplete"),
        ("collection", "not_collected"),
    }
    texts = " ".join(row.detail for row in rows)
    assert all(text in texts for text in (handle.address, "one; two", "the parish register"))


@pytest.mark.parametrize("reaches", [True, False])
def test_what_the_worker_left_out_matters_where_nothing_reaches_further_back(
    reaches: bool, tmp_path: Path
) -> None:
    world, handle, _ = sound()
    for _ in range(60):
        world.worker.api("GET", "/v1/school/events")
    files = world.collect(bucket=reaches, storage=reaches, reports=True, receipts=True)
    files["case.json"]["sources"]["left_out"] = ["older entries"]
    rows = unchecked(tmp_path, files)
    assert (("audit_list", None, "left_out") in rows) is not reaches
    assert (("audit_entries", None, "partial") in rows) is not reaches
    assert handle.address


# -- what could not be read, or does not count --


def test_lines_that_could_not_be_read(tmp_path: Path) -> None:
    _, _, files = whole()
    path = write_case(tmp_path, files)
    (path / "manifest-sha256.txt").unlink()
    with (path / REPORTS).open("a") as file:
        file.write("{not json\n")
    from tests.held import held_to_its_words

    rows = held_to_its_words(path).coverage.not_checked
    assert [row.part for row in rows if row.part == REPORTS] == [REPORTS]


@pytest.mark.parametrize(
    ("configured", "why"), [(False, "not_configured"), (True, "hidden"), (None, "hidden")]
)
def test_why_the_signer_was_not_checked(configured: bool | None, why: str, tmp_path: Path) -> None:
    _, _, files = whole()
    body = {"enforceOnchainPop": True} | (
        {} if configured is None else {"signerConfigured": configured}
    )
    files["worker/pop-status.json"]["body"] = body
    files["worker/runtime-status.json"]["body"]["checks"] = {"other": True}
    assert {row for row in unchecked(tmp_path, files) if row[0] == "signer"} == {
        ("signer", None, why)
    }


def test_an_export_of_the_bucket_that_is_not_whole(tmp_path: Path) -> None:
    _, _, files = whole()
    files[BUCKET] = files[BUCKET][: len(files[BUCKET]) // 3]
    assert ("bucket", None, "partial") in unchecked(tmp_path, files)


def test_what_would_decide_a_grant_is_a_row_of_its_own(tmp_path: Path) -> None:
    _, handle, files = whole()
    found = diagnose(
        tmp_path, {name: part for name, part in files.items() if not name.startswith("worker/")}
    )
    assert found.verdict == "inconclusive"
    rows = [row for row in found.coverage.not_checked if row.part == "verdict"]
    assert [(row.grant, row.why, row.detail) for row in rows] == [
        (handle.address, "undecided", text) for text in found.grants[0].judgement.missing_evidence
    ]


# -- rows --


def test_rows_stand_once_and_those_of_the_case_first() -> None:
    told = [
        Row("a", None, "x", "1"),
        Row("b", None, "x", "1"),
        Row("a", "G", "x", "1"),
        Row("a", "G", "y", "0"),
        Row("a", "G", "y", "1"),
    ]
    assert ascending([*reversed(told), *told]) == told
    assert Coverage([], told).as_json() == {
        "complete": False,
        "checked": [],
        "not_checked": [row.as_json() for row in told],
    }
    assert Coverage([told[0]]).complete
    assert told[0].as_json() == {"part": "a", "grant": None, "why": "x", "detail": "1"}
    assert (told[0].text, told[2].text) == ("1", "G: 1")
