"""Bytes of a message, signature, receipt account, audit entry and ticket receipt of a recorded
case, flipped in turn.

The manifest is written anew each time, as somebody who holds the case could. The outcome is found
at exactly that claim, or it is one of the changes that this evidence cannot show, which the test
computes from the rule and not from popkit.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import popkit
from popkit.audit.anchors import anchors_of
from popkit.claims import read_claims
from popkit.diagnosis.result import Diagnosis
from popkit.evidence.bundle import Evidence
from popkit.protocol.canonical import object_keys
from popkit.protocol.keys import PROGRAM_ID
from tests.conftest import Copy, seal

CASE, TARGET, PERIOD = "strict-v2-intact", 3, 2592000
SOME = int(os.environ.get("POPKIT_EVERY", "9"))
"""One byte in so many is flipped (of the receipt account every one); POPKIT_EVERY=1 flips them all,
which takes minutes.
"""


class Bench:
    """One copy of a case, and the file that the test spoils; everything else stays sealed as it is."""

    def __init__(self, path: Path) -> None:
        self.case = Copy(CASE, path)
        evidence = Evidence(self.case.path)
        assert evidence.transactions is not None
        self.claims = read_claims(evidence.transactions, PROGRAM_ID)
        self.facts = popkit.open_case(self.case.path).facts
        self.grant = evidence.header.grants[0]
        self.attempt = self.facts.chain(self.grant).accepted[TARGET]

    def diagnose(self, name: str, lines: list[str]) -> Diagnosis:
        """The diagnosis with one file replaced and the case sealed anew."""
        (self.case.path / name).write_text("".join(line + "\n" for line in lines))
        seal(self.case.path)
        return popkit.open_case(self.case.path).diagnose()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("flips") / "case")


def spoilt_wires(bench: Bench, wanted: Callable[[bytes], range]) -> Iterator[list[str]]:
    """The transactions file with each byte of a part of the target's wire flipped in turn; the file
    is put back at the end.
    """
    name = "rpc/transactions.jsonl"
    lines = bench.case.lines(name)
    spot = next(i for i, line in enumerate(lines) if bench.attempt.signature in line)
    row = json.loads(lines[spot])
    wire = base64.b64decode(row["result"]["transaction"][0])
    for at in wanted(wire):
        changed = bytearray(wire)
        changed[at] ^= 1 << (at % 8)
        row["result"]["transaction"][0] = base64.b64encode(bytes(changed)).decode()
        yield [*lines[:spot], json.dumps(row), *lines[spot + 1 :]]
    bench.diagnose(name, lines)


@pytest.mark.parametrize("part", ["message", "signature"])
def test_a_byte_of_the_signed_proof_is_found_at_that_claim(
    part: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    row = bench.attempt.row
    needle = (
        bench.claims.message_bytes(row)
        if part == "message"
        else bench.claims.proof_signature[row].tobytes()
    )
    count = 0
    spots = range(0, len(needle), SOME)
    for lines in spoilt_wires(
        bench, lambda wire: range(wire.index(needle), wire.index(needle) + len(needle), SOME)
    ):
        diagnosis = bench.diagnose("rpc/transactions.jsonl", lines)
        grant = diagnosis.grants[0]
        assert grant.forged_transactions == [bench.attempt.signature]
        assert grant.unseen_entries == [bench.attempt.entry_hash]
        assert (diagnosis.verdict, diagnosis.exit_code) == ("inconclusive", 1)
        count += 1
    with capsys.disabled():
        print(f"\n{part}: {count} of {len(spots)} bytes flipped, all found at that claim")
    assert count == len(spots)
    assert len(needle) == {"message": 209, "signature": 64}[part]


def test_a_byte_of_the_receipt_account_is_found_at_that_claim(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "rpc/accounts.jsonl"
    lines = bench.case.lines(name)
    spot = next(
        i for i, line in enumerate(lines) if json.loads(line)["pubkey"] == bench.attempt.receipt
    )
    row = json.loads(lines[spot])
    data = base64.b64decode(row["account"]["data"][0])
    terms = bench.facts.history.terms_at(bench.grant, bench.attempt.slot)
    assert terms is not None
    found = silent = 0
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        row["account"]["data"][0] = base64.b64encode(bytes(changed)).decode()
        diagnosis = bench.diagnose(name, [*lines[:spot], json.dumps(row), *lines[spot + 1 :]])
        claimed_at = int.from_bytes(changed[80:88], "little", signed=True)
        in_time = abs(claimed_at - int(bench.attempt.issued_at or 0)) <= 600
        in_period = (claimed_at - terms.start_ts) // PERIOD == bench.attempt.period_index
        seen = {f.where[1] for f in diagnosis.findings if f.severity == "critical"}
        if at >= 80 and in_time and in_period:
            assert (seen, diagnosis.exit_code) == (set(), 0), (
                "a time that the rules allow cannot be told from the true one"
            )
            silent += 1
        else:
            assert seen <= {bench.attempt.receipt, bench.attempt.signature}
            assert bench.attempt.receipt in seen
            assert diagnosis.exit_code == 1
            found += 1
    bench.diagnose(name, lines)
    with capsys.disabled():
        print(
            f"\nreceipt account: {found} of {len(data)} bytes found, {silent} within the 600 s "
            f"that the rules allow"
        )
    assert (len(data), found + silent) == (88, 88)
    assert silent <= 2


def test_a_character_of_the_audit_entry_is_found_at_that_object(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "worker/r2.jsonl"
    rows = bench.case.rows(name)
    anchor = next(a for a in anchors_of(bench.facts.audit) if a.claimer == bench.attempt.claimer)
    key = object_keys(bench.facts.audit.entries[anchor.anchor_hash].raw)[0]
    spot = next(i for i, row in enumerate(rows) if row["key"] == key)
    text = rows[spot]["text"]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    spots = range(0, len(text), SOME)
    for at in spots:
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        diagnosis = bench.diagnose(
            name, [*lines[:spot], json.dumps({"key": key, "text": changed}), *lines[spot + 1 :]]
        )
        assert diagnosis.audit.edited_objects == [key]
        assert (diagnosis.verdict, diagnosis.exit_code) == ("intact", 1)
    bench.diagnose(name, lines)
    with capsys.disabled():
        print(f"\naudit entry: {len(spots)} of {len(spots)} characters found at that object")


def test_a_character_of_the_ticket_receipt_is_found_at_that_receipt(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "worker/ticket-receipts.jsonl"
    lines = bench.case.lines(name)
    text = lines[-1]
    named = json.loads(text)["receiptId"]
    bad = unreadable = 0
    spots = range(0, len(text), SOME)
    for at in spots:
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        diagnosis = bench.diagnose(name, [*lines[:-1], changed])
        if diagnosis.audit.bad_receipts:
            try:
                told = json.loads(changed)["receiptId"]
            except (ValueError, KeyError):
                told = named
            assert diagnosis.audit.bad_receipts == [told]
            assert diagnosis.audit.server_accepts == []
            assert diagnosis.exit_code == 1
            bad += 1
        else:
            assert any(row.detail.startswith(name) for row in diagnosis.coverage.not_checked), (
                changed
            )
            unreadable += 1
    bench.diagnose(name, lines)
    with capsys.disabled():
        print(
            f"\nticket receipt: {bad} of {len(spots)} characters make it bad, {unreadable} make "
            f"its line unreadable, none passes"
        )
    assert bad + unreadable == len(spots)
