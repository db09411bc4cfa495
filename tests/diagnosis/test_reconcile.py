"""The worker's claim records held against the chain: which the chain does not hold, which it
contradicts, which claims nobody told of.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.chain.attempts import Attempt
from popkit.drill.addresses import receipt_address
from popkit.protocol.accounts import ClaimReceipt
from popkit.protocol.keys import PROGRAM_ID
from popkit.rules.model import Finding
from popkit.rules.records.claims import RECORD_CONTRADICTED
from popkit.rules.sides import CaseSide
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.reconcile import Doubt, Reconciler
from tests.diagnosis.admin_steps import GRANT, OTHER, WORLD, account
from tests.diagnosis.small_chains import REFUSED, claim

ANN, BOB, ELSEWHERE = (WORLD.address(role) for role in ("ann", "bob", "some other account"))
NOW = 1771830000
"""When the chain was read."""


def record(
    signature: str | None = "told", *wallets: str, event: str = "evt", receipt: str | None = None
) -> ClaimRecord:
    return ClaimRecord(
        event,
        wallets or (ANN,),
        signature,
        receipt,
        f"record of {signature}",
        "worker/audit-logs.json",
    )


def of(name: str, claimer: str = ANN, slot: int = 20, **fields: Any) -> Attempt:
    """A claim whose transaction has that signature."""
    return claim(name, slot=slot, signature=name, claimer=claimer, **fields)


def reconciler(*records: ClaimRecord, **world: Any) -> Reconciler:
    """One of a grant with ann's claim, whole; `world` changes what the case holds."""
    given = world.get("given", ["landed"])
    listed = world.get("listed", {name: SimpleNamespace() for name in given or ()})
    attempts = {GRANT: [of("landed")], OTHER: []} | world.get("attempts", {})
    accounts = world.get("accounts", {receipt_address(GRANT, ANN, 0): written()})

    def line(grant: str) -> SimpleNamespace:
        made = SimpleNamespace(
            grant=grant,
            accepted=[a for a in attempts[grant] if a.accepted and a.noise is None],
            refused=[a for a in attempts[grant] if not a.accepted],
            forged=[a for a in attempts[grant] if a.noise == "forged"],
            unseen=world.get("unseen", []),
            state=SimpleNamespace(known=world.get("state", True)),
            is_closed_by_state=world.get("closed_by_state", False),
        )
        since = world.get("since_creation", True)
        newest = None if world.get("newest") is None else SimpleNamespace(ts_ms=world["newest"])
        return SimpleNamespace(
            chain=made,
            proofs=defaultdict(lambda: SimpleNamespace(is_gated=world.get("gated", False))),
            records_since_creation=since[grant] if isinstance(since, dict) else since,
            records=SimpleNamespace(newest=newest),
        )

    def receipt(address: str) -> Any:
        held = accounts.get(address)
        return held.decoded(ClaimReceipt) if held is not None else None

    def exists(grant: str, wallet: str, period: int) -> bool | None:
        held = accounts.get(receipt_address(grant, wallet, period))
        return None if held is None else held.exists

    links = world.get("links", [("evt", GRANT)])
    grants = world.get("grants", [GRANT])
    transactions = (
        SimpleNamespace(signature=given, unavailable=world.get("unavailable", ()))
        if given is not None
        else None
    )
    facts: Any = SimpleNamespace(
        header=SimpleNamespace(
            grants=grants, program_id=PROGRAM_ID, sources=world.get("sources", {})
        ),
        event_links=[SimpleNamespace(event=event, grant=grant) for event, grant in links],
        events_of=lambda grant: sorted({event for event, linked in links if linked == grant}),
        evidence=SimpleNamespace(
            transactions=transactions,
            signatures=listed,
            storage=world.get("storage"),
            answers={},
            is_damaged=lambda prefix: prefix in world.get("damaged", ()),
        ),
        claims=SimpleNamespace(transactions=SimpleNamespace(signature=given or [])),
        history=SimpleNamespace(
            created_slot=lambda grant: world.get("created", 10),
            listed=world.get("listed_addresses", {GRANT}),
        ),
        audit=SimpleNamespace(ordered=[], is_known=True),
        accounts=accounts,
        now=NOW,
        chain=lambda grant: line(grant).chain,
        line=line,
        receipt=receipt,
        receipt_exists=exists,
        chain_read_at=lambda grant: NOW,
        receipts_without_claims=lambda grant: world.get("without_claims", []),
    )
    facts.claim_records = list(records)
    made = Reconciler(facts)
    return made


def details(doubts: list[Doubt]) -> list[str]:
    """What could not be held against the other side, in words; each says by a code why."""
    assert all(doubt.why for doubt in doubts)
    return [f"{doubt.grant}: {doubt.detail}" if doubt.grant else doubt.detail for doubt in doubts]


def written(**fields: Any) -> SimpleNamespace:
    """A receipt as collected: ann's of the grant, or another."""
    return account(
        ClaimReceipt(
            **({"grant": GRANT, "claimer": ANN, "period_index": 0, "claimed_at": 1000} | fields)
        )
    )


# -- whether the chain's transactions are all there --


def stated(address: str) -> dict[str, Any]:
    return {"completeness": [{"address": address, "complete": False}]}


@pytest.mark.parametrize(
    ("world", "whole"),
    [
        ({}, True),
        ({"given": None}, False),
        ({"unavailable": {"gone": 1}}, False),
        ({"sources": stated(GRANT)}, False),
        ({"sources": stated(OTHER)}, True),
        ({"damaged": ("rpc/transactions",)}, False),
        ({"damaged": ("rpc/signatures",)}, False),
        ({"damaged": ("rpc/accounts",)}, True),
        ({"unseen": ["entry"]}, False),
        ({"state": False}, False),
        ({"created": None}, False),
        ({"created": 0}, True),
        ({"without_claims": ["receipt"]}, False),
        ({"listed": {"landed": 1, "another": 1}}, False),
        ({"listed": {}}, True),
        # without a list of the grant: by its links alone
        ({"listed": None}, False),
        ({"listed": None, "closed_by_state": True}, True),
        ({"listed_addresses": {OTHER}}, False),
        ({"listed_addresses": None}, False),
        ({"listed_addresses": {OTHER}, "closed_by_state": True}, True),
        ({"listed": {"another": 1}, "listed_addresses": {OTHER}, "closed_by_state": True}, True),
        ({"listed": {"another": 1}, "closed_by_state": True}, False),
    ],
)
def test_whether_every_accepted_claim_is_there(world: dict[str, Any], whole: bool) -> None:
    if world.get("listed", {}) is None and "listed_addresses" not in world:
        world = {**world, "listed_addresses": None}
    assert reconciler(**world).chain_is_complete(GRANT) is whole


# -- records that the chain does not hold --


def test_a_record_whose_transaction_is_nowhere() -> None:
    made = reconciler(record("made up", BOB))
    assert [r.tx_signature for r in made.unbacked] == ["made up"]
    assert made.doubts_of_records == []


MISSING = "claim records against the chain: transactions are missing from the evidence"


def test_records_of_which_the_transaction_is_there_or_none_is_named() -> None:
    told = (
        record("landed", BOB),
        record(None, BOB),
        record("listed", BOB),
        record("made up", BOB, event="no grant's"),
    )
    made = reconciler(*told, listed={"landed": 1, "listed": 1})
    assert (made.unbacked, details(made.doubts_of_records)) == ([], [])
    assert reconciler(*told, listed=None, listed_addresses=None, closed_by_state=True).unbacked == [
        told[2]
    ]


def test_a_record_of_incomplete_evidence_is_not_judged() -> None:
    made = reconciler(record("made up", BOB), state=False)
    assert (made.unbacked, details(made.doubts_of_records)) == ([], [MISSING])
    both = {"grants": [GRANT, OTHER], "links": [("evt", GRANT), ("evt", OTHER), ("other", OTHER)]}
    told = (record("one", BOB), record("two", BOB, event="other"))
    made = reconciler(*told, sources=stated(GRANT), listed_addresses={GRANT, OTHER}, **both)
    assert (made.unbacked, details(made.doubts_of_records)) == ([told[1]], [MISSING]), (
        "every grant of its event must be whole"
    )
    assert reconciler(*told, listed_addresses={GRANT, OTHER}, **both).unbacked == list(told)


def test_a_record_whose_claimer_holds_a_receipt() -> None:
    assert reconciler(record("made up", ANN)).unbacked == []
    assert reconciler(record("made up", BOB, ANN)).unbacked == [], "any of its wallets"
    third = {receipt_address(GRANT, BOB, 3): written(claimer=BOB, period_index=3)}
    told = record("made up", BOB)
    assert reconciler(told, accounts=third).unbacked == [told], (
        "nobody is known to have claimed in that period"
    )
    assert (
        reconciler(told, accounts=third, attempts={GRANT: [of("landed", period_index=3)]}).unbacked
        == []
    )
    gone = {receipt_address(GRANT, BOB, 0): account(None)}
    assert reconciler(told, accounts=gone).unbacked == [told]
    both = {
        "grants": [GRANT, OTHER],
        "links": [("evt", GRANT), ("evt", OTHER)],
        "listed_addresses": {GRANT, OTHER},
    }
    there = {receipt_address(OTHER, BOB, 0): written(grant=OTHER, claimer=BOB)}
    assert reconciler(told, accounts=there, **both).unbacked == []


@pytest.mark.parametrize(
    ("held", "wallets", "backed"),
    [
        (written(claimer=BOB), (BOB,), True),
        (written(claimer=BOB), (ANN, BOB), True),
        (written(claimer=BOB), (), True),
        (written(claimer=BOB, grant=OTHER), (), False),
        (written(claimer=BOB, grant=OTHER), (BOB,), False),
        (written(claimer=ANN), (BOB,), False),
        (account(None), (BOB,), False),
    ],
)
def test_a_record_that_names_a_receipt(held: Any, wallets: tuple[str, ...], backed: bool) -> None:
    told = ClaimRecord("evt", wallets, "made up", ELSEWHERE, "key", "file")
    made = reconciler(told, accounts={ELSEWHERE: held})
    assert (made.unbacked, details(made.doubts_of_records)) == ([] if backed else [told], [])


def test_a_record_whose_receipt_was_not_collected_cannot_be_told() -> None:
    attempts = {GRANT: [of("landed"), of("later", slot=30, period_index=2)]}
    for period, known in ((0, False), (1, True), (2, False)):
        told = record("made up", BOB, receipt=receipt_address(GRANT, BOB, period))
        made = reconciler(told, attempts=attempts)
        unknown = "1 claim record without a transaction: the receipt account that the record names was not collected"
        assert (made.unbacked, details(made.doubts_of_records)) == (
            ([told], []) if known else ([], [unknown])
        ), period
    other = record("made up", BOB, receipt=ELSEWHERE)
    made = reconciler(other)
    assert (made.unbacked, details(made.doubts_of_records)) == ([other], []), (
        "no receipt of that wallet has that address"
    )
    twice = [record(name, BOB, receipt=receipt_address(GRANT, BOB, 0)) for name in ("one", "two")]
    first = details(reconciler(*twice, other).doubts)
    made = reconciler(*twice, other)
    assert [one.signature for one in made.unsynced] == ["landed"]
    assert made.unbacked == [other]
    assert first == details(made.doubts), "whatever was asked before"
    unknown = "2 claim records without a transaction: the receipt account that the record names was not collected"
    assert details(made.doubts_of_records) == [unknown]
    assert made.undecided == [
        (record, "the receipt account that the record names was not collected") for record in twice
    ]


def test_a_record_of_after_the_chain_was_read_cannot_be_told() -> None:
    moments = (NOW - 600) * 1000 + 999, (NOW - 599) * 1000
    told = [
        ClaimRecord("evt", (BOB,), f"at {ms}", None, f"key {ms}", "file", None, ms)
        for ms in moments
    ]
    made = reconciler(*told)
    assert (made.unbacked, details(made.doubts_of_records)) == (
        [told[0]],
        ["1 claim record without a transaction: the record was made after the chain was read"],
    )
    assert made.undecided == [(told[1], "the record was made after the chain was read")]
    made = reconciler(
        told[1],
        ClaimRecord("evt", (BOB,), "later", None, "key", "file", None, NOW * 2000),
        state=False,
    )
    unknown = "2 claim records without a transaction: the record was made after the chain was read"
    assert (made.unbacked, details(made.doubts_of_records)) == ([], [unknown])


# -- records that the chain contradicts --

WHERE = ("worker/audit-logs.json", "record of landed")


def contradicted(*records: ClaimRecord, **world: Any) -> list[Finding]:
    side = CaseSide(reconciler(*records, **world).facts)
    return [
        answer.finding for answer in RECORD_CONTRADICTED.answers(side, WHERE) if answer.is_finding
    ]


def test_records_that_the_chain_bears_out() -> None:
    assert contradicted(record("landed", ANN)) == []
    assert contradicted(record("landed", BOB, ANN)) == []
    assert contradicted(ClaimRecord("evt", (), "landed", None, "key", "file")) == [], (
        "it names no wallet"
    )
    assert (
        contradicted(
            record("not given", BOB), record("landed", BOB, event="no grant's"), record(None, BOB)
        )
        == []
    )


def test_a_record_of_somebody_else_s_claim() -> None:
    seen = f"an accepted claim of {ANN}"
    told = Finding(
        "record_contradicted", GRANT, WHERE, f"an accepted claim of {BOB}", seen, slot=20
    )
    assert contradicted(record("landed", BOB)) == [told]
    two = contradicted(record("landed", BOB, ELSEWHERE))
    assert [f.expected for f in two] == [f"an accepted claim of {BOB} or {ELSEWHERE}"]
    assert contradicted(record("not given", BOB), record("landed", ANN), record("landed", BOB)) == [
        told
    ], "each is asked about"
    assert contradicted(record("landed", ANN), record("landed", BOB), accounts={}) == [told], (
        "with a receipt or without"
    )
    there = {receipt_address(GRANT, BOB, 0): written(claimer=BOB)}
    assert contradicted(record("landed", BOB), accounts=there) == [], (
        "they claimed by another transaction"
    )


def test_a_record_of_a_refused_claim() -> None:
    refused = {GRANT: [of("landed", accepted=False, failure=REFUSED, own_failure=True)]}
    [told] = contradicted(record("landed", ANN), attempts=refused, accounts={})
    seen = f"a claim of {ANN}, refused with PopHashChainBroken"
    assert told == Finding(
        "record_contradicted", GRANT, WHERE, f"an accepted claim of {ANN}", seen, slot=20
    )
    [nobody] = contradicted(
        ClaimRecord("evt", (), "landed", None, "key", "file"), attempts=refused, accounts={}
    )
    assert nobody.expected == "an accepted claim of the grant"


def test_a_record_of_a_transaction_that_claims_nothing_of_the_grant() -> None:
    [told] = contradicted(record("landed", ANN), attempts={GRANT: []}, accounts={})
    wanted, seen = (
        f"an accepted claim of {ANN}",
        "the transaction holds no claim of the event's grant",
    )
    assert told == Finding("record_contradicted", GRANT, WHERE, wanted, seen)
    both = {"grants": [GRANT, OTHER], "links": [("evt", GRANT), ("other", OTHER)]}
    elsewhere = {GRANT: [], OTHER: [of("landed")]}
    assert contradicted(record("landed", ANN), attempts=elsewhere, accounts={}, **both) == [told]
    assert (
        contradicted(record("landed", ANN, event="other"), attempts=elsewhere, accounts={}, **both)
        == []
    )
    lower, higher = sorted([GRANT, OTHER])
    links = [("evt", higher), ("evt", lower)]
    [told] = contradicted(
        record("landed", ANN), attempts={GRANT: []}, accounts={}, grants=[GRANT, OTHER], links=links
    )
    assert told.grant == lower


def test_a_record_of_a_forged_claim_is_of_a_claim_all_the_same() -> None:
    forged = {GRANT: [of("landed", BOB, noise="forged")]}
    assert [
        f.observed for f in contradicted(record("landed", ANN), attempts=forged, accounts={})
    ] == [f"an accepted claim of {BOB}"]
    assert contradicted(record("landed", BOB), attempts=forged, accounts={}) == []


# -- claims of which the worker does not know --


def unsynced(*records: ClaimRecord, **world: Any) -> tuple[list[tuple[str, str, int]], list[str]]:
    made = reconciler(*records, **world)
    return [(one.signature, one.grant, one.slot) for one in made.unsynced], details(
        made.doubts_of_claims
    )


def test_claims_that_no_record_tells_of() -> None:
    attempts = {GRANT: [of("z", ANN, 20), of("a", BOB, 30)], OTHER: [of("m", ANN, 25)]}
    assert unsynced(attempts=attempts) == ([("a", GRANT, 30), ("z", GRANT, 20)], [])
    assert unsynced(record("other", ANN), attempts=attempts)[0] == [("a", GRANT, 30)], (
        "a record of its claimer, of whatever claim"
    )
    assert unsynced(record("a", ELSEWHERE), attempts=attempts)[0] == [("z", GRANT, 20)], (
        "or of its transaction"
    )
    assert unsynced(record("other", ANN, event="another"), attempts=attempts)[0] == [
        ("a", GRANT, 30),
        ("z", GRANT, 20),
    ]
    both = {"grants": [GRANT, OTHER], "links": [("evt", GRANT), ("other", OTHER)]}
    assert unsynced(record("x", ANN), record("y", BOB), attempts=attempts, **both) == (
        [("m", OTHER, 25)],
        [],
    )


def test_claims_of_a_grant_without_an_event() -> None:
    text = f"{GRANT}: claims that the worker does not know: no event is linked"
    assert unsynced(links=[]) == ([], [text])
    assert unsynced(links=[], attempts={GRANT: []}) == ([], []), "there are no claims either"
    assert unsynced(attempts={GRANT: []}, since_creation=False) == ([], [])
    both = {
        "grants": [GRANT, OTHER],
        "links": [("other", OTHER)],
        "attempts": {GRANT: [of("landed")], OTHER: [of("there")]},
    }
    assert unsynced(**both) == ([("there", OTHER, 20)], [text]), (
        "the other grants are asked all the same"
    )


def test_claims_before_the_worker_s_records_begin() -> None:
    text = f"{GRANT}: claims that the worker does not know: its records do not reach back to the grant's creation"
    assert unsynced(since_creation=False) == ([], [text])
    assert unsynced(since_creation=False, storage={}) == ([("landed", GRANT, 20)], [])
    rest = {"grants": [GRANT, OTHER], "links": [("evt", GRANT), ("other", OTHER)]}
    rest |= {
        "attempts": {GRANT: [of("landed")], OTHER: [of("there")]},
        "since_creation": {GRANT: False, OTHER: True},
    }
    assert unsynced(**rest) == ([("there", OTHER, 20)], [text]), (
        "the other grants are asked all the same"
    )


def test_claims_after_the_worker_s_newest_record() -> None:
    text = f"{GRANT}: whether the worker learnt of claims after its newest record"
    attempts = {
        GRANT: [of("late", BOB, 20, block_time=1001), of("early", ANN, 30, block_time=1000)]
    }
    assert unsynced(attempts=attempts, newest=1_000_000) == ([("early", GRANT, 30)], [text])
    assert unsynced(attempts=attempts, newest=1_000_999) == ([("early", GRANT, 30)], [text])
    assert unsynced(attempts=attempts, newest=1_001_000) == (
        [("early", GRANT, 30), ("late", GRANT, 20)],
        [],
    )
    assert unsynced(attempts=attempts)[0] == [("early", GRANT, 30), ("late", GRANT, 20)]
    untimed = {GRANT: [of("untimed", BOB, 20)]}
    assert unsynced(attempts=untimed, newest=1) == ([("untimed", GRANT, 20)], [])
