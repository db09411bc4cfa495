"""Findings about the evidence itself: lines that contradict each other or cannot be read, what was
listed and not given, a false clock.
"""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from popkit.diagnosis.result import Diagnosis
from popkit.drill.case import write_case
from popkit.drill.world import sound
from popkit.evidence.lines import logical_name
from popkit.rules.model import Finding
from tests.diagnosis.judged import ACCOUNTS, SIGNATURES, TRANSACTIONS, hide
from tests.held import held_to_its_words
from tests.simulation.expect import diagnose


def of(found: Diagnosis, *codes: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.code in codes]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zst", "a.jsonl.gz"])
def test_a_file_s_name_is_that_of_what_it_holds(name: str) -> None:
    assert logical_name(name) == "a.jsonl"


def damaged(path: Path, files: dict[str, Any], **lines: list[str]) -> Path:
    """A case with lines added as they stand to files named by their last part; without a manifest."""
    write_case(path, files)
    (path / "manifest-sha256.txt").unlink()
    for name, more in lines.items():
        file = next(f for f in path.rglob("*.jsonl") if f.stem == name)
        file.write_text(file.read_text() + "".join(line + "\n" for line in more))
    return path


def test_lines_that_cannot_be_read_are_one_finding_a_file_and_kind(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = world.collect()
    path = damaged(tmp_path / "plain", files, signatures=["{no", "json"], accounts=["[}"])
    found = of(held_to_its_words(path), "evidence_unreadable")
    assert {(f.where, f.observed) for f in found} == {
        ((SIGNATURES, "unreadable_line"), "2 parts: a line cannot be read"),
        ((ACCOUNTS, "unreadable_line"), "1 part: a line cannot be read"),
    }
    packed = path / "rpc" / "signatures.jsonl"
    (path / "rpc" / "signatures.jsonl.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    assert of(held_to_its_words(path), "evidence_unreadable") == found, "however it is packed"


def test_two_values_of_one_key_contradict_each_other(tmp_path: Path) -> None:
    world, _, done = sound()
    files = json.loads(json.dumps(world.collect()))
    rows = [row for row in files[SIGNATURES] if row["signature"] == done[0].signature]
    files[SIGNATURES] += [{**row, "slot": row["slot"] + 1} for row in rows]
    [finding] = of(diagnose(tmp_path, files), "evidence_contradictory")
    assert (finding.where, finding.severity) == ((SIGNATURES, ""), "critical")


def test_transactions_that_were_listed_and_not_given(tmp_path: Path) -> None:
    world, _, done = sound()
    files = world.collect()
    assert of(diagnose(tmp_path / "whole", files), "transaction_missing") == []
    gone = hide(copy.deepcopy(files), *(t.signature for t in done), listed=True)
    [finding] = of(diagnose(tmp_path / "gone", gone), "transaction_missing")
    assert (finding.where, finding.observed) == (
        (TRANSACTIONS, min(t.signature for t in done)),
        "the node lists 2 listed transactions that the case does not hold",
    )
    unlisted = {name: rows for name, rows in gone.items() if name != SIGNATURES}
    assert of(diagnose(tmp_path / "unlisted", unlisted), "transaction_missing") == []
    null = copy.deepcopy(files)
    for row in null[TRANSACTIONS]:
        if row["signature"] == done[0].signature:
            row["result"] = None
    [finding] = of(diagnose(tmp_path / "null", null), "transaction_missing")
    assert (finding.where, finding.observed) == (
        (TRANSACTIONS, ""),
        "the node answered null for 1 transaction",
    ), "the node says that it has none"


@pytest.mark.parametrize("what", ["slot", "err"])
def test_a_list_that_says_otherwise_than_the_transaction(what: str, tmp_path: Path) -> None:
    world, _, done = sound()
    files = json.loads(json.dumps(world.collect()))
    for row in files[SIGNATURES]:
        if row["signature"] == done[0].signature:
            row[what] = (
                row["slot"] + 1 if what == "slot" else {"InstructionError": [1, {"Custom": 6026}]}
            )
    [finding] = of(diagnose(tmp_path, files), "outcome_contradictory")
    assert finding.where == (TRANSACTIONS, done[0].signature)
    assert finding.expected is not None
    assert ("6026" in finding.expected) == (what == "err")


@pytest.mark.parametrize(
    ("moment", "false"), [(0, True), (1771000000, True), (4000000000, True), (None, False)]
)
def test_a_time_of_collection_that_cannot_be(
    moment: int | None, false: bool, tmp_path: Path
) -> None:
    world, _, _ = sound()
    files = world.collect()
    if moment is not None:
        files["case.json"]["collected_at"] = moment
    found = diagnose(tmp_path, files)
    assert [f.where for f in of(found, "evidence_contradictory")] == (
        [("case.json", "collected_at")] if false else []
    )
    assert (found.verdict, found.exit_code) == (("inconclusive", 1) if false else ("intact", 0))
