"""The claims table: every recorded refusal, exact dtypes, the places of rows, and both decoders
saying the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zstandard

import popkit as package
from popkit.claims import ClaimTable, read_claims
from popkit.claims.frame import COLUMNS
from popkit.claims.scalar import decode_row, scalar_claims
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Lines
from popkit.evidence.transactions import read_transactions
from popkit.protocol.keys import PROGRAM_ID, b58encode
from tests.conftest import CASES, NAMES, ROOT, Copy

ERAS = ("strict", "strict_v2", "relaxed", "head")
Make = Callable[[str], Copy]


def refusals(era: str) -> list[dict]:  # type: ignore[type-arg]
    with (ROOT / "data" / "refusals" / f"{era}.jsonl.zst").open("rb") as raw:
        return [
            json.loads(line)
            for line in zstandard.ZstdDecompressor().stream_reader(raw).read().decode().splitlines()
        ]


@pytest.mark.parametrize("era", ERAS)
def test_every_recorded_refusal_has_its_name_in_the_table(era: str, tmp_path: Path) -> None:
    rows = {row["signature"]: row for row in refusals(era)}
    path = tmp_path / "transactions.jsonl"
    path.write_text(
        "".join(
            json.dumps({"signature": s, "result": row["result"]}) + "\n" for s, row in rows.items()
        )
    )
    claims = read_claims(read_transactions(Lines(path, path.name, None)), PROGRAM_ID)
    assert claims.problems == []
    assert len(claims) >= 30
    for i, signature in enumerate(claims.signature):
        row, failure = rows[signature], claims.failure[i]
        assert bool(claims.accepted[i]) == (row["err"] is None), row["what"]
        if row["err"] is None:
            assert failure is None
        else:
            assert failure is not None
            name = None if failure.layer == "precompile" else failure.error
            assert name == row["error_name"], row["what"]
            assert failure.instruction_index == row["err"]["InstructionError"][0]
    accepted = {
        rows[s]["what"]
        for s, ok in zip(claims.signature, claims.accepted.tolist(), strict=True)
        if ok
    }
    assert {
        "proof laid out in another order",
        "trailing bytes after the arguments",
        "issued 600 s ago",
    } <= accepted
    assert ("message v1" in accepted) == (era == "strict")


def test_a_double_claim_is_the_system_programs_and_not_the_programs(tmp_path: Path) -> None:
    again = next(
        row for row in refusals("strict") if row["what"] == "the same student and period again"
    )
    path = tmp_path / "transactions.jsonl"
    path.write_text(json.dumps({"signature": again["signature"], "result": again["result"]}) + "\n")
    claims = read_claims(read_transactions(Lines(path, path.name, None)), PROGRAM_ID)
    failure = claims.failure[0]
    assert failure is not None
    assert (failure.layer, failure.code, failure.error) == ("system", 0, "Custom(0)")


@pytest.mark.parametrize("name", NAMES)
def test_columns_and_scalars_decode_the_same(name: str) -> None:
    evidence = Evidence(CASES / name)
    table = evidence.transactions
    assert table is not None
    claims = read_claims(table, PROGRAM_ID)
    scalar = [
        claim
        for row in range(len(table))
        for claim in scalar_claims(table, row, decode_row(table, row), PROGRAM_ID)
    ]
    scalar.sort(key=lambda c: (table.slot[c.transaction], c.transaction, c.index))
    assert len(scalar) == len(claims)
    for i, one in enumerate(scalar):
        accounts = one.instruction.accounts
        assert claims.key_text["grant"][i] == accounts["grant"]
        assert claims.key_text["claimer"][i] == accounts["claimer"]
        assert claims.key_text["receipt"][i] == accounts["receipt"]
        assert claims.period_index[i] == one.instruction.args["period_index"]
        assert bool(claims.claimer_signed[i]) == one.claimer_signed
        assert int(claims.token_account_index[i]) == one.token_account_index
        assert (one.proof is None) == (claims.proof_place[i] == 0)
        if one.proof is not None:
            assert claims.message_bytes(i) == one.proof.message
            assert claims.signer[i].tobytes() == one.proof.public_key
            assert claims.proof_signature[i].tobytes() == one.proof.signature


def test_the_frame_has_the_documented_columns_and_exact_dtypes() -> None:
    frame = package.open_case(CASES / "era-upgrade").claims
    assert list(frame.columns) == [column.name for column in COLUMNS]
    arrow = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "int64": pa.int64(),
        "uint64": pa.uint64(),
        "decimal": pa.decimal128(20, 0),
    }
    for column in COLUMNS:
        assert frame[column.name].dtype == pd.ArrowDtype(arrow[column.dtype]), column.name
    legacy = frame[frame["accounts"] == 9]
    assert len(legacy) == 4
    assert legacy["entry_hash"].isna().all()
    assert frame.loc[frame["accounts"] == 12, "entry_hash_holds"].all()
    genesis = frame.loc[frame["accounts"] == 12, "prev_hash"].iloc[0]
    assert genesis == "0" * 64, "a column of GENESIS hashes stays text"


def test_an_empty_table_keeps_its_dtypes() -> None:
    frame = package.open_case(CASES / "unused").claims
    assert len(frame) == 0
    assert frame["period_index"].dtype == pd.ArrowDtype(pa.uint64())


def test_rows_remember_file_line_and_digest() -> None:
    case = package.open_case(CASES / "cutover")
    frame = case.claims
    lines = (CASES / "cutover" / "rpc" / "transactions.jsonl").read_text().splitlines()
    for row in frame.itertuples():
        assert json.loads(lines[row.line - 1])["signature"] == row.signature
        assert row.sha256 == case.evidence.digests["rpc/transactions.jsonl"]


def test_a_u64_period_is_not_rounded(copy_of: Make) -> None:
    claims = read_claims(Evidence(CASES / "intact").transactions, PROGRAM_ID)
    claims.period_index[0] = np.uint64(2**64 - 1)
    assert claims.period_index.dtype == np.uint64
    assert int(claims.period_index[0]) == 2**64 - 1


def one_byte_changed(claims: ClaimTable, case: Copy) -> Copy:
    """A byte of the first claim's message changed inside the wire."""
    import base64

    rows = case.rows("rpc/transactions.jsonl")
    target = claims.signature[0]
    row = next(r for r in rows if r["signature"] == target)
    wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
    spot = bytes(wire).index(claims.message_bytes(0))
    wire[spot + 70] ^= 1
    row["result"]["transaction"][0] = base64.b64encode(bytes(wire)).decode()
    case.write("rpc/transactions.jsonl", rows)
    return case


def test_one_changed_byte_in_a_message_is_found_at_that_claim(copy_of: Make) -> None:
    claims = read_claims(Evidence(CASES / "intact").transactions, PROGRAM_ID)
    diagnosis = one_byte_changed(claims, copy_of("intact")).diagnose()
    grant = diagnosis.grants[0]
    assert grant.forged_transactions == [claims.signature[0]]
    assert grant.unseen_entries == [claims.hash_text["entry_hash"][0]]
    assert (diagnosis.verdict, diagnosis.exit_code) == ("inconclusive", 1)


def test_signatures_are_base58_of_the_bytes_in_the_transaction() -> None:
    table = Evidence(CASES / "intact").transactions
    assert table is not None
    for row in range(len(table)):
        wire = table.wire[row]
        assert wire is not None
        assert b58encode(wire[1:65]) == table.signature[row]
