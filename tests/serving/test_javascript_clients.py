"""@solana/web3.js and Kit's @solana/rpc read every served case and see what popkit sees."""

from __future__ import annotations

import base64
import json

import pytest

from popkit.evidence.bundle import Evidence
from popkit.protocol.genesis import genesis_hash
from tests.conftest import CASES, NAMES
from tests.serving.claims_seen import Claim, recorded
from tests.serving.javascript import installed_modules, run_node


def test_official_clients_see_the_claims_that_popkit_sees(
    urls: dict[str, str], pytestconfig: pytest.Config
) -> None:
    # One process for all cases: starting node and loading the clients costs more than reading a case.
    evidence = {name: Evidence(CASES / name) for name in NAMES}
    given = {
        name: {
            "url": urls[name],
            "grants": case.header.grants,
            "accounts": list(case.accounts or {}),
            "program": case.header.program_id,
        }
        for name, case in evidence.items()
    }
    done = run_node("read_cases.cjs", installed_modules(pytestconfig), json.dumps(given).encode())
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert sorted(found) == NAMES
    for name in NAMES:
        _compare(name, evidence[name], found[name]["web3"], found[name]["kit"])


def _compare(name: str, evidence: Evidence, web3: dict, kit: dict) -> None:
    claims = sorted(
        (Claim(*row) for row in web3["claims"]), key=lambda claim: (claim.slot, claim.signature)
    )
    assert claims == recorded(name), name
    assert {row[0]: row[1:] for row in kit["transactions"]}.items() >= {
        claim.signature: list(claim[1:4]) for claim in claims
    }.items(), name
    accounts = [
        None if row.data is None else base64.b64encode(row.data).decode()
        for row in (evidence.accounts or {}).values()
    ]
    assert (web3["accounts"], kit["accounts"]) == (accounts, accounts[:100]), name
    configs = sorted(
        key
        for key, row in (evidence.accounts or {}).items()
        if row.data is not None and len(row.data) == 73
    )
    assert (sorted(web3["program_accounts"]), sorted(kit["program_accounts"])) == (
        configs,
        configs,
    ), name
    assert web3["genesis"] == kit["genesis"] == genesis_hash(evidence.header.cluster), name
    assert web3["slot"] == kit["slot"] == kit["context"], name
    assert web3["time"] == evidence.header.collected_at, name
    assert web3["parsed"] == sum(
        signature in set(evidence.transactions.signature) for signature in _listed(evidence)
    ), name
    assert kit["health"] == "ok", name


def _listed(evidence: Evidence) -> list[str]:
    """The signatures that lists of the case's grants hold."""
    return [
        row.signature
        for row in (evidence.signatures or {}).values()
        if row.addresses & set(evidence.header.grants)
    ]
