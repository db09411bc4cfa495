"""Who is owed and what it costs, by worlds in which each claimer's fate was made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import popkit
from popkit.cutover.plan import Group, Plan
from popkit.cutover.planning.making import Request, make_plan
from popkit.drill.case import write_case
from popkit.drill.stage import Stage

HOUR = 3600


def stage(era: str, name: str, **terms: Any) -> Stage:
    """A grant of hourly periods, two base units a period, that has just begun."""
    at = Stage(era, 0, {"period_seconds": HOUR, "amount": 2, "start_ago": 0, **terms}, name)
    assert at.grant.address
    return at


def next_period(at: Stage) -> None:
    """Go to ten minutes into the next period."""
    terms = at.world.ledger.grants[at.grant.address]
    at.wait(terms.start_ts + (period_of(at) + 1) * HOUR + 600 - at.world.now)


def period_of(at: Stage) -> int:
    return (at.world.now - at.world.ledger.grants[at.grant.address].start_ts) // HOUR


def claim(at: Stage, *wallets: str, well: bool = True) -> None:
    """Wallets claim in the running period; each is accepted, or none is."""
    for wallet in wallets:
        period = period_of(at)
        landed = at.send(wallet, at.proof(wallet, period=period), period)
        assert (landed.err is None) is well, landed.err


def drafted(at: Stage, folder: Path, files: dict[str, Any] | None = None, **asked: Any) -> Plan:
    case = write_case(folder / "case", at.world.collect(reports=True) if files is None else files)
    return make_plan(
        Request(
            case=popkit.open_case(case),
            grant=at.grant.address,
            reason="a person knows more",
            **asked,
        )
    )


def group(at: Stage, wallets: Iterable[str], amount: int) -> Group:
    named = sorted(at.address(wallet) for wallet in wallets)
    return Group(count=len(named), amount=str(amount), claimers=named)


def test_a_wedged_grant_owes_now_and_before_and_some_could_claim_twice(tmp_path: Path) -> None:
    at = stage("strict", "owed")
    claim(at, "ann", "bob", "carol")
    next_period(at)
    claim(at, "ann", "dora")
    at.proof("eve", period=1)  # never sent: from here on everybody is refused
    at.wait(700)
    claim(at, "bob", "fay", well=False)
    plan = drafted(at, tmp_path)
    people = plan.people
    assert plan.broken.verdict == "broken"
    assert people.period == 1
    assert people.owed_now == group(at, ("eve", "bob", "fay"), 6)
    assert people.owed_before == group(at, (), 0)
    assert people.may_claim_twice == group(at, ("ann", "dora"), 4)
    amount = plan.amount
    assert amount is not None
    assert (amount.reckoned_period, amount.reckoned_period_is_full, amount.reckoned_claims) == (
        0,
        True,
        3,
    )
    assert amount.base_units == str(
        (3 + 3 + 1) * 2
    )  # the owed, the last full period, and the operator's own, at two each

    next_period(at)  # the same incident an hour later: a new grant serves nobody of them
    claim(at, "bob", well=False)
    later = drafted(at, tmp_path / "later").people
    assert later.period == 2
    assert later.owed_now == group(at, ("bob",), 2)
    assert later.owed_before == group(at, ("eve", "bob", "fay"), 6)  # bob is owed in both
    assert later.may_claim_twice == group(at, (), 0)


def test_in_the_first_period_its_own_claims_stand_in_for_a_full_one(tmp_path: Path) -> None:
    at = stage("strict", "first period")
    claim(at, "ann", "bob")
    at.proof("eve")
    at.wait(700)
    plan = drafted(at, tmp_path)
    assert plan.amount is not None
    assert (
        plan.amount.reckoned_period,
        plan.amount.reckoned_period_is_full,
        plan.amount.reckoned_claims,
    ) == (0, False, 2)
    assert plan.amount.base_units == str((1 + 2 + 1) * 2)
    given = drafted(at, tmp_path / "given", amount=5).amount
    assert given is not None
    assert (given.base_units, given.source, given.owed_claims) == ("5", "given", 1)


def refused_and_served(name: str) -> Stage:
    """Ann claims; Bob and Carol are refused by a pause, and Bob claims after it."""
    at = stage("relaxed", name)
    claim(at, "ann")
    at.switch("set_paused", {"paused": True})
    claim(at, "bob", "carol", well=False)
    at.switch("set_paused", {"paused": False})
    at.wait(700)
    claim(at, "bob")
    return at


def test_who_was_refused_and_served_afterwards_is_owed_nothing(tmp_path: Path) -> None:
    at = refused_and_served("served")
    people = drafted(at, tmp_path).people
    assert people.owed_now == group(at, ("carol",), 2)
    assert people.may_claim_twice == group(at, ("ann", "bob"), 4)


def test_a_receipt_alone_shows_that_somebody_was_served(tmp_path: Path) -> None:
    """The claim that served bob is not in the evidence, his receipt is: he could claim again on a
    new grant.
    """
    at = refused_and_served("receipts")
    claim(at, "dora")
    files = at.world.collect(reports=True)
    lost = at.accepted[1][0].signature
    for name in ("rpc/signatures.jsonl", "rpc/transactions.jsonl"):
        files[name] = [row for row in files[name] if row["signature"] != lost]
    people = drafted(at, tmp_path, files).people
    assert people.may_claim_twice == group(at, ("ann", "bob", "dora"), 6)
    assert people.owed_now is None  # what else is not in the evidence, nobody knows


def test_where_nobody_knows_who_was_hit_the_plan_does_not_either(tmp_path: Path) -> None:
    from tests.conftest import ROOT

    case = popkit.open_case(ROOT / "data" / "cases" / "rpc-tail-gap")
    plan = make_plan(Request(case=case, grant=case.grants[0], reason="a person knows more"))
    assert (plan.people.owed_now, plan.people.owed_before) == (None, None)
    assert plan.amount is not None
    assert plan.amount.owed_claims is None
