"""The drill's program and runtime against what the real ones did: recorded transactions, in order,
byte for byte.
"""

from __future__ import annotations

import pytest

from popkit.drill.ledger import Ledger
from popkit.protocol.keys import SYSTEM_PROGRAM
from tests.conftest import CASES, NAMES
from tests.drill.laboratory import Laboratory
from tests.drill.recorded import DATA, account_of, in_order, put, replay, rows_of, wallets

GAPS = ("rpc-gap", "rpc-tail-gap")
"""Cases whose node left a transaction out: what comes after cannot be executed from what is there.
"""


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GAPS])
def test_a_recorded_case_comes_out_as_recorded(name: str) -> None:
    ledger, builds = replay(in_order(CASES / name), Ledger())
    assert builds
    for row in rows_of(CASES / name / "rpc" / "accounts.jsonl"):
        assert ledger.accounts.get(row["pubkey"]) == account_of(row["account"]), row["pubkey"]


def test_one_grant_lives_through_every_deployed_program() -> None:
    _, builds = replay(in_order(CASES / "era-upgrade"), Ledger())
    assert set(builds) >= {"pre_pop", "strict"}


@pytest.mark.parametrize("era", ["strict", "strict_v2", "relaxed", "head"])
def test_every_instruction_of_an_administrator(era: str) -> None:
    ledger, ran = Ledger(), 0
    for row in rows_of(DATA / "administration" / f"{era}.jsonl"):
        for key, value in row["accounts_before"].items():
            wanted, held = account_of(value), ledger.accounts.get(key)
            if wanted != held:  # the laboratory's faucet, and nothing else, may have come between
                assert wanted is not None, (row["what"], key)
                assert wanted.owner == SYSTEM_PROGRAM
                assert not wanted.data
                ledger.accounts[key] = wanted
        wallets(ledger, row["result"])
        outcome, differs = put(ledger, row["result"], era)
        assert differs == {}, row["what"]
        ledger = outcome.ledger
        after = {key: account_of(value) for key, value in row["accounts_after"].items()}
        assert {key: ledger.accounts.get(key) for key in after} == after, row["what"]
        ran += 1
    assert ran >= 100


@pytest.mark.parametrize("era", ["strict", "strict_v2", "relaxed", "head"])
def test_every_recorded_refusal(era: str) -> None:
    rows = rows_of(DATA / "refusals" / f"{era}.jsonl")
    laboratory, codes = Laboratory(rows), set()
    for row in rows:
        laboratory.prepare(row)
        outcome, differs = put(laboratory.ledger, row["result"], era)
        assert differs == {}, row["what"]
        laboratory.ledger = outcome.ledger
        codes.add(outcome.error)
    assert len(codes) >= 30
