"""Incidents planned, shown and dry-run before anything is done, and what a step's look finds that
has changed since the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from popkit.chain.history import ZERO_ROOT
from popkit.cutover.errors import Stopped
from popkit.cutover.looking import same_period, same_terms
from popkit.cutover.plan import Amount, Limits, NewGrant, OldGrant, Roles, Signer, Terms
from popkit.cutover.planning.stepping import ORDER, Parts, call_of, calls_of, instruction_of
from popkit.cutover.run import Run
from popkit.cutover.sending.calls import GrantPlace
from popkit.cutover.sending.transactions import message_of, read_back
from popkit.drill.cutover import EXPECTED, VERIFIED, asked_for, confirmed, rehearsing
from popkit.drill.incidents import ACTS
from popkit.drill.ledger import Account
from popkit.drill.machine import PROGRAM_DATA
from popkit.drill.stage import STRICT
from popkit.protocol.accounts import decode_grant, decode_pop_config, encode_account
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.pda import pop_config_address
from tests.calling import called
from tests.cutover.planned import Night, night
from tests.cutover.sessions import ERAS, Sent, sent


def _incidents() -> Iterator[tuple[str, str]]:
    """Every act of the strict eras, in one or the other; those that concern a signer in the later
    ones.
    """
    for number, act in enumerate(ACTS.values()):
        eras = [era for era in STRICT if era in act.eras]
        if eras:
            yield act.name, eras[number % len(eras)]
    of_signers = ("signer-mismatch", "key-by-calendar", "foreign-issuer-relaxed")
    for era in ("relaxed", "head"):
        yield from ((name, era) for name in of_signers)


@pytest.mark.parametrize(("incident", "era"), [*_incidents()])
def test_an_incident_is_planned_shown_and_dry_run_before_anything_is_done(
    incident: str, era: str
) -> None:
    with rehearsing(incident, era) as held:
        truth = held.stage.truth()
        landed, asked = len(held.stage.world.landed), asked_for(held)
        if EXPECTED[truth.remedy] != VERIFIED:
            with pytest.raises(Stopped) as stopped:
                held.plan(**asked)
            assert f"refused: {stopped.value.code}" == EXPECTED[truth.remedy]
            return
        with held.plan(**asked) as run:
            plan = run.plan
            assert plan.remedy == ("switch" if truth.verdict == "broken" else "signer")
            assert plan.broken.verdict == truth.verdict
            assert set(plan.broken.causes) >= set(truth.causes)
            assert plan.signer is not None
            assert plan.signer.planned == held.stage.worker.signer
            assert [step.id for step in plan.steps] == [
                step for step in ORDER if step in {one.id for one in plan.steps}
            ]
            for step in plan.steps:
                assert not run.step(step.id).show().exit_code
            first = plan.steps[0]
            assert run.step(first.id).dry().exit_code == 0
            for step in plan.steps[1:]:
                dry = run.step(step.id)
                assert (dry.dry().exit_code, dry.why_not().code) == (1, "too_early")
            assert not {entry.kind for entry in run.journal.entries} & {"acting", "sent", "done"}
        assert len(held.stage.world.landed) == landed


# What has changed since the plan


@pytest.fixture(scope="module")
def planned() -> Iterator[tuple[Night, Run]]:
    """A wedged grant with a plan; nothing was done yet."""
    with night("abandoned-proof", "strict", seed=5) as found, found.held.plan() as run:
        yield found, run


def stopped_by(found: Night, run: Run, step: str) -> Stopped:
    """Why a dry run of a step stops; its screen says so too."""
    found.here()
    chosen = run.step(step)
    screen = chosen.dry()
    assert screen.exit_code == 1
    why = chosen.why_not()
    assert str(why.reason) in screen.text("en").replace("\n", " ") or why.code in (
        "drift",
        "other_program",
    )
    return why


def test_another_program_is_named_by_field_by_what_it_was_and_is(
    planned: tuple[Night, Run],
) -> None:
    found, run = planned
    held = found.stage.world.ledger.accounts[PROGRAM_DATA]
    later = (run.plan.program.slot or 0) + 1
    for field, data in (
        ("slot", held.data[:4] + later.to_bytes(8, "little") + held.data[12:]),
        ("sha256", held.data + b"\0"),
        ("sha256", held.data[:13] + bytes(32) + held.data[45:]),
    ):
        with found.accounts({PROGRAM_DATA: replace(held, data=data)}):
            why = stopped_by(found, run, "0")
            assert called("cutover", "step", run.root, "0").returncode == 1
        assert (why.code, f"{field} was" in str(why)) == ("other_program", True)


def test_another_cluster_or_a_clock_that_is_off_stops_every_step(
    planned: tuple[Night, Run],
) -> None:
    found, run = planned
    for first, second, code in (
        (("other-genesis",), ("other-genesis",), "drift"),
        ((), ("other-genesis",), "endpoints_disagree"),
        (("surfnet",), (), "forked_node"),
        (("clock",), (), "clock_off"),
    ):
        with found.faults(first, second):
            assert stopped_by(found, run, "0").code == code
    with found.faults(("other-genesis",), ("other-genesis",)):
        assert str(stopped_by(found, run, "0")).startswith("getGenesisHash was")


def test_a_plan_is_a_day_old_at_most_and_a_draft_is_never_run(planned: tuple[Night, Run]) -> None:
    found, run = planned
    plan = run.plan
    try:
        run.plan = msgspec.structs.replace(plan, made_at=plan.made_at - 86_400 - 300)
        assert stopped_by(found, run, "0").code == "stale_plan"
        run.plan = msgspec.structs.replace(plan, made_at=plan.made_at - 86_400 + 300)
        assert run.step("0").dry().exit_code == 0
        run.plan = msgspec.structs.replace(plan, draft=True)
        with pytest.raises(Stopped) as drafted:
            run.step("0")
        assert (drafted.value.code, drafted.value.exit_code) == ("draft", 1)
        run.plan = msgspec.structs.replace(
            plan, broken=msgspec.structs.replace(plan.broken, verdict="recovered")
        )
        why = stopped_by(found, run, "0")
        assert (why.code, "recovered" in str(why), "broken" in str(why)) == (
            "other_answer",
            True,
            True,
        )
    finally:
        run.plan = plan


def test_a_new_period_is_drift_while_the_plan_is_of_the_old_one(planned: tuple[Night, Run]) -> None:
    _, run = planned
    end = run.plan.people.period_ends_at
    assert "2026" in str(same_period(run.plan, end - 1))
    with pytest.raises(Stopped, match="period was 0, is 1"):
        same_period(run.plan, end)


def test_the_old_grants_terms_and_the_named_signer_are_drift_where_somebody_changed_them(
    planned: tuple[Night, Run],
) -> None:
    found, run = planned
    found.here()
    grant, accounts = found.stage.grant, found.stage.world.ledger.accounts
    terms = decode_grant(accounts[grant.address].data)
    assert "as planned" in str(same_terms(run.plan, run.pair()))
    for field, now in (
        ("amount_per_period", 9),
        ("period_seconds", 60),
        ("expires_at", 7),
        ("merkle_root", "77" * 32),
    ):
        data = encode_account(replace(terms, **{field: now}))
        with (
            found.accounts({grant.address: replace(accounts[grant.address], data=data)}),
            pytest.raises(Stopped) as stopped,
        ):
            same_terms(run.plan, run.pair())
        assert str(stopped.value) == f"old grant {field} was {getattr(terms, field)}, is {now}"
    with found.accounts(
        {
            grant.address: replace(
                accounts[grant.address], data=encode_account(replace(terms, paused=True))
            )
        }
    ):
        same_terms(run.plan, run.pair())  # the pause is what the cutover itself does
    other = encode_account(
        replace(decode_pop_config(accounts[grant.config].data), signer_pubkey=grant.mint)
    )
    with (
        found.accounts({grant.config: replace(accounts[grant.config], data=other)}),
        pytest.raises(Stopped, match="pop-config signer was"),
    ):
        same_terms(run.plan, run.pair())
    with found.accounts({grant.address: None}), pytest.raises(Stopped, match="closed"):
        same_terms(run.plan, run.pair())


def test_before_the_switch_everything_it_needs_is_looked_at_again(
    planned: tuple[Night, Run],
) -> None:
    found, run = planned
    found.here()
    with found.accounts({found.stage.grant.address: _paused(found)}):
        assert run.step("0").dry().exit_code == 0  # somebody else paused it: an outcome of its own
    for step in ("0", "1"):
        confirmed(run, step)
    new = run.plan.new_grant
    assert new is not None
    assert run.step("2").dry().exit_code == 0
    with found.accounts({new.pop_state: Account(1_000_000)}):
        assert stopped_by(found, run, "2").code == "address_taken"
    world = found.stage.world
    source = next(
        change.account for change in run.plan.step("2").changes if change.what == "token account"
    )
    held = world.ledger.accounts[source]
    with found.accounts({source: replace(held, data=held.data[:64] + bytes(8) + held.data[72:])}):
        assert stopped_by(found, run, "2").code == "would_fail"
    world.grant(int(new.grant_id), amount=2, fund=0, link=False)
    found.settle()
    why = stopped_by(found, run, "2")
    assert (why.code, str(why)) == ("drift", "new grant amount_per_period was 1, is 2")


def _paused(found: Night) -> Account:
    held = found.stage.world.ledger.accounts[found.stage.grant.address]
    return replace(held, data=encode_account(replace(decode_grant(held.data), paused=True)))


# What is signed


def parts_of(row: Sent, old: GrantPlace | None, known: dict[str, dict[str, Any]]) -> Parts:
    """A plan's parts from what a recorded transaction did; what it did not do is as `known` from
    the others.
    """
    create, fund, upsert = (
        known[name] for name in ("create_grant", "fund_grant", "upsert_pop_config")
    )
    place = GrantPlace(PROGRAM_ID, create["authority"], create["mint"], create["grant_id"])
    old = old or place
    terms = Terms(
        amount_per_period=str(create["amount_per_period"]), period_seconds=create["period_seconds"], start_ts=create["start_ts"],
        expires_at=create["expires_at"], merkle_root=ZERO_ROOT, paused=False,
    )  # fmt: skip
    new = NewGrant(
        address=place.grant,
        vault=place.vault,
        pop_state=place.pop_state,
        grant_id=str(place.grant_id),
        terms=terms,
        unused_at=None,
    )
    left = OldGrant(
        address=old.grant, vault=old.vault, pop_state=old.pop_state, authority=old.authority, mint=old.mint, grant_id=str(old.grant_id),
        terms=terms, slot=0, grant_bytes="", pop_state_bytes=None, head=None, vault_amount="0",
    )  # fmt: skip
    key = upsert["signer_pubkey"]
    config = pop_config_address(old.authority, PROGRAM_ID)
    signer = Signer(
        pop_config=config, now=None, planned=key, source="last accepted claims", upsert=True
    )
    amount = Amount(
        base_units=str(fund["amount"]), source="given", owed_claims=0, reckoned_period=0, reckoned_period_is_full=True, reckoned_claims=0,
        canary_claims=1, amount_per_claim="1",
    )  # fmt: skip
    roles = Roles(
        authority=old.authority, funder=fund["funder"], payer=old.authority, is_multisig=False
    )
    return Parts(
        pair=None, place=old, old=left, new=new, marker=None, signer=signer, roles=roles, amount=amount, event=None, remedy="switch",
        close_old=False, can_close=None, init=None, now=0, limits=Limits(),
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("era", ERAS)
def test_a_plan_signs_what_the_recorded_cutover_of_its_era_signed(era: str) -> None:
    """Byte for byte: the pause, create, fund and signer one by one, and all four as the one
    transaction that was recorded too.
    """
    known: dict[str, dict[str, Any]] = {}
    old: GrantPlace | None = None
    compared = set()
    rows = [row for row in sent(era) if row.step[0] in "025"]
    for row in rows[:4]:
        _learn(row, known)
    old = rows[0].place(_grant_of(rows[0], "set_paused"))
    for row in rows:
        read = row.read
        mine = _learn(row, known)
        if "set_paused" in mine and len(mine) > 1:
            old = row.place(mine["set_paused"]["grant"])
        if not mine.keys() <= {"set_paused", "create_grant", "fund_grant", "upsert_pop_config"}:
            continue
        found = calls_of(parts_of(row, old, known), 0)
        kept = [
            call_of(instruction_of(call, PROGRAM_ID)) for step in ("0", "2") for call in found[step]
        ]
        calls = [call for call in kept if call.name in mine]
        assert message_of(calls, read.account_keys[0], str(read.blockhash)) == read.message_bytes, (
            row.step
        )
        compared.add(tuple(call.name for call in calls))
    assert compared == {
        ("set_paused",), ("create_grant",), ("fund_grant",), ("upsert_pop_config",),
        ("set_paused", "create_grant", "fund_grant", "upsert_pop_config"),
    }  # fmt: skip


def _learn(row: Sent, known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Accounts and arguments of a transaction's instructions by name; `known` keeps the newest of
    each.
    """
    mine = {each.name: {**each.accounts, **each.args} for each in read_back(row.wire, PROGRAM_ID)}
    known.update(mine)
    return mine


def _grant_of(row: Sent, name: str) -> str:
    return str(_learn(row, {})[name]["grant"])
