"""What a first claim must be, held to the recorded first claims of the real program and worker; and
each thing that must not pass.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from popkit.cutover.first_claim.checks import (
    Check,
    Proof,
    Terms,
    anchor_check,
    claim_checks,
    proof_checks,
    receipt_of,
    ticket_checks,
)
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.transactions import (
    GrantPlace,
    claim_grant,
    create_token_account,
    message_in,
    message_of,
)
from popkit.cutover.sending.transactions import (
    proof as proof_call,
)
from popkit.protocol import canonical
from popkit.protocol.accounts import decode_grant
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.message import encode_message
from popkit.protocol.transaction import decode_wire
from tests.conftest import ROOT
from tests.drill.recorded import rows_of

STEP = "4 claim 1 on the new grant"


@dataclass(frozen=True)
class Recorded:
    """One recorded first claim: its proof, the plan's terms, the signed bytes, what the node and
    the worker answered.
    """

    proof: Proof
    terms: Terms
    wire: bytes
    signature: str
    result: dict[str, Any] | None
    accounts: dict[str, Held | None]
    ticket: dict[str, Any]
    event: str
    logs: list[dict[str, Any]]

    @property
    def wallet(self) -> str:
        return self.proof.said.claimer

    @property
    def at_landing(self) -> tuple[Check, ...]:
        return claim_checks(self.result, self.signature, self.accounts, self.proof, self.terms)


def held(value: dict[str, Any] | None) -> Held | None:
    return (
        None
        if value is None
        else Held(
            value["lamports"],
            value["owner"],
            base64.b64decode(value["data"][0]),
            value["executable"],
        )
    )


def recorded(era: str) -> Recorded:
    rows = rows_of(ROOT / "data" / "sessions" / f"{era}-cutover.jsonl")
    named: dict[str, dict[str, Any]] = {}
    for row in rows:
        named.setdefault(row["step"], row)
    after = named[f"{STEP}: accounts after"]
    accounts = dict(
        zip(
            after["request"]["params"][0],
            map(held, after["response"]["result"]["value"]),
            strict=True,
        )
    )
    asked = named[f"{STEP}: pop-proof"]["request"]["body"]
    grant_held = accounts[asked["grant"]]
    assert grant_held is not None
    grant = decode_grant(grant_held.data)
    place = GrantPlace(PROGRAM_ID, grant.authority, grant.mint, grant.grant_id)
    body = named[f"{STEP}: pop-proof"]["response"]["body"]
    model = "A" if era == "strict" else "E"
    terms = Terms(
        place,
        grant.amount_per_period,
        grant.period_seconds,
        grant.start_ts,
        body["signerPubkey"],
        model,
        era == "strict",
    )
    proof = Proof.read(body)
    assert proof is not None
    wire = base64.b64decode(named[f"{STEP}: send"]["request"]["params"][0])
    result = dict(named[f"{STEP}: transaction"]["response"]["result"])
    signature = named[f"{STEP}: send"]["response"]["result"]
    ticket = named[f"{STEP}: register"]["response"]["body"]["ticketReceipt"]
    logs = [
        row
        for each in rows
        if each["request"].get("path") == "/api/master/audit-logs"
        for row in each["response"]["body"]["logs"]
    ]
    return Recorded(proof, terms, wire, signature, result, accounts, ticket, asked["eventId"], logs)


@pytest.fixture(scope="module", params=["strict", "head"])
def claim(request: pytest.FixtureRequest) -> Recorded:
    return recorded(request.param)


def failing(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if check.holds is not True}


def of_proof(
    claim: Recorded, proof: Proof | None = None, receipt_hash: str | None = None, late: int = 1
) -> set[str]:
    said = claim.proof.said
    now, ticket = said.issued_at + late, receipt_hash or claim.ticket["receiptHash"]
    checks = proof_checks(
        proof or claim.proof, claim.terms, claim.wallet, said.period_index, now, ticket
    )
    return failing(checks)


def test_the_recorded_first_claim_holds_in_everything(claim: Recorded) -> None:
    assert of_proof(claim) == set()
    assert failing(claim.at_landing) == set()
    assert (
        failing(
            ticket_checks(claim.ticket, claim.event, claim.wallet, claim.ticket["confirmationCode"])
        )
        == set()
    )
    anchor = anchor_check(
        claim.logs, claim.proof, claim.ticket if claim.terms.gives_codes else None
    )
    assert anchor.holds is True


def test_our_calls_make_the_bytes_that_the_recorded_wallet_signed(claim: Recorded) -> None:
    place, said = claim.terms.place, claim.proof.said
    calls = [
        create_token_account(claim.wallet, claim.wallet, place.mint),
        proof_call(claim.proof.signer, claim.proof.signature, claim.proof.message),
        claim_grant(place, claim.wallet, said.period_index),
    ]
    blockhash = decode_wire(claim.wire).blockhash
    assert message_of(calls, claim.wallet, str(blockhash)) == message_in(claim.wire)


def spoiled(proof: Proof, **fields: Any) -> Proof:
    """A proof whose message says otherwise, with its entry hash worked out anew; its signature is
    of the old one.
    """
    said = replace(proof.said, **fields)
    return replace(
        proof, message=encode_message(replace(said, entry_hash=said.recomputed_entry_hash()))
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"prev_hash": "1" * 64}, "proof_prev_hash"),
        ({"stream_prev_hash": "1" * 64}, "proof_stream_prev_hash"),
        ({"period_index": 7}, "proof_period"),
        ({"claimer": "CbXWveQJQwRdE5wFffiD8GjnXQUgDN7bj6uN1yQT3Bsh"}, "proof_claimer"),
        ({"grant": "FJc18KGtE4ZvxbkyDbMWrPbHEs3qdsgChxbipfAXsjoC"}, "proof_grant"),
    ],
)
def test_a_proof_that_says_otherwise(claim: Recorded, change: dict[str, Any], name: str) -> None:
    assert of_proof(claim, spoiled(claim.proof, **change)) == {name, "proof_signature"}


def test_a_proof_of_another_key_or_ticket_or_time(claim: Recorded) -> None:
    other = replace(claim.proof, signer=claim.terms.place.authority)
    assert of_proof(claim, other) == {"proof_signer", "proof_signature"}
    assert of_proof(claim, late=601) == {"proof_in_time"}
    assert of_proof(claim, late=-601) == {"proof_in_time"}
    assert of_proof(claim, late=600) == set()
    assert of_proof(claim, receipt_hash="1" * 64) == (
        {"proof_ticket_receipt"} if claim.terms.gives_codes else set()
    )


@pytest.mark.parametrize("body", [None, [], {}, {"signerPubkey": "x"}])
def test_what_is_no_proof(body: Any, claim: Recorded) -> None:
    assert Proof.read(body) is None
    assert Proof.read(claim.proof.as_json()) == claim.proof
    for name, wrong in (
        ("messageBase64", "!"),
        ("messageBase64", "AAAA"),
        ("signatureBase64", "AAAA"),
        ("signerPubkey", "0"),
    ):
        assert Proof.read(claim.proof.as_json() | {name: wrong}) is None


def refused(result: Any) -> dict[str, Any]:
    return {**result, "meta": {**result["meta"], "err": {"x": 1}}}


def without(claim: Recorded, key: str) -> Recorded:
    return replace(claim, accounts={**claim.accounts, key: None})


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda c: replace(c, result=None), {"transaction"}),
        (lambda c: without(c, receipt_of(c.proof, c.terms)), {"receipt"}),
        (lambda c: without(c, c.terms.place.pop_state), {"pop_state"}),
        (lambda c: replace(c, terms=replace(c.terms, amount=c.terms.amount + 1)), {"amount"}),
        (
            lambda c: replace(
                c, terms=replace(c.terms, start_ts=c.terms.start_ts - 10 * c.terms.period_seconds)
            ),
            {"receipt_period"},
        ),
        (lambda c: replace(c, result=refused(c.result)), {"transaction_accepted"}),
        (
            lambda c: replace(c, proof=replace(c.proof, signer=c.terms.place.authority)),
            {"transaction_proof"},
        ),
    ],
)
def test_a_claim_that_is_not_as_it_must_be(
    claim: Recorded, spoil: Callable[[Recorded], Recorded], names: set[str]
) -> None:
    wrong = spoil(claim)
    found = failing(
        claim_checks(wrong.result, claim.signature, wrong.accounts, wrong.proof, wrong.terms)
    )
    assert found == names


@pytest.mark.parametrize(("seconds", "holds"), [(9, None), (0, False), (-9, False)])
def test_another_head_is_open_after_a_younger_claim_and_wrong_after_none(
    claim: Recorded, seconds: int, holds: bool | None
) -> None:
    state = claim.accounts[claim.terms.place.pop_state]
    assert state is not None
    issued = (claim.proof.said.issued_at + seconds).to_bytes(8, "little")
    data = state.data[:40] + b"\1" * 64 + state.data[104:112] + issued + state.data[120:]
    moved = replace(
        claim, accounts={**claim.accounts, claim.terms.place.pop_state: replace(state, data=data)}
    )
    assert [(check.name, check.holds) for check in moved.at_landing if check.holds is not True] == [
        ("pop_state", holds)
    ]


def test_a_ticket_receipt_of_somebody_else_hashed_anew(claim: Recorded) -> None:
    """The worker's own check accepts it: it never compares whose receipt it is."""
    forged = claim.ticket | {"subjectCommitment": canonical.subject_commitment(claim.event, "eve")}
    forged["receiptHash"] = canonical.receipt_hash(forged)
    assert failing(
        ticket_checks(forged, claim.event, claim.wallet, claim.ticket["confirmationCode"])
    ) == {"ticket_subject"}
    assert failing(ticket_checks(claim.ticket, "evt-other", claim.wallet, "AAAAAA")) == {
        "ticket_event",
        "ticket_code",
        "ticket_subject",
    }
    assert [check.holds for check in ticket_checks(None, claim.event, claim.wallet, "")] == [None]


def test_an_anchor_that_is_not_shown_is_not_known(claim: Recorded) -> None:
    ticket = claim.ticket if claim.terms.gives_codes else None
    others = [row for row in claim.logs if row["data"].get("claimer") != claim.wallet]
    assert anchor_check(others, claim.proof, ticket).holds is None
    edited = [row | {"actor": {"type": "wallet", "id": "x"}} for row in claim.logs]
    assert anchor_check(edited, claim.proof, ticket).holds is False
