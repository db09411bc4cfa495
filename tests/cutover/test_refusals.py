"""Every refusal of a plan is met by a world that calls for it, and each has a look-alike that must
not be refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.cutover.errors import Silent, Stopped
from popkit.cutover.plan import Plan
from popkit.cutover.planning.linking import Wanted
from popkit.cutover.planning.making import Request, make_plan
from popkit.drill.cutover import AUTHORITY, FUNDER, TOKEN, WALLET
from popkit.drill.ledger import Account, minimum_balance
from popkit.drill.stage import Stage
from popkit.errors import UsageError
from popkit.protocol.accounts import decode_grant, decode_token_account, encode_account
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.pda import associated_token_address
from tests.calling import called
from tests.conftest import ROOT
from tests.cutover.planned import Night, night, scene

CASES = ROOT / "data" / "cases"
ZERO = "1" * 32
REASON = "a person knows more"


@pytest.fixture(scope="module")
def wedged() -> Iterator[Night]:
    """A wedged grant of the strict era."""
    with night("abandoned-proof", "strict") as found:
        yield found


@pytest.fixture(scope="module")
def sound() -> Iterator[Night]:
    """A grant of the head era that nothing is wrong with; a person plans all the same, as they may
    with a reason.
    """
    with night("intact", "head", reason=REASON) as found:
        yield found


@pytest.fixture(scope="module")
def plan(wedged: Night) -> Plan:
    return wedged.plan()


# What the case says


def draft(case: str, number: int = 0, **asked: Any) -> Plan:
    """A draft from a case of this repository."""
    opened = popkit.open_case(CASES / case)
    return make_plan(Request(case=opened, grant=asked.pop("grant", opened.grants[number]), **asked))


@pytest.mark.parametrize(
    ("case", "code", "may"),
    [
        ("intact", "nothing_broken", True),
        ("unused", "nothing_broken", True),
        ("pause-retry", "nothing_broken", True),
        ("relaxed-race", "nothing_broken", True),
        ("out-of-order", "nothing_broken", True),
        ("in-flight", "in_flight", False),
        ("rpc-tail-gap", "undecided", True),
    ],
)
def test_a_grant_that_needs_no_new_one_is_left_alone_unless_a_person_knows_more(
    case: str, code: str, may: bool
) -> None:
    with pytest.raises(Stopped) as stopped:
        draft(case)
    assert stopped.value.code == code
    if may:
        assert draft(case, reason=REASON).overridden == [code]
    else:
        with pytest.raises(Stopped, match="in_flight"):
            draft(case, reason=REASON)


@pytest.mark.parametrize(
    "case",
    ["abandoned-proof", "abandoned-quiet", "genesis-abandoned", "quiet-tail", "worker-head-reset"],
)
def test_a_wedged_grant_is_planned_for_without_a_reason(case: str) -> None:
    made = draft(case)
    assert (made.remedy, made.overridden, made.draft) == ("switch", [], True)
    assert made.broken.verdict == "broken"


def test_a_grant_that_was_replaced_is_refused_and_its_successor_is_looked_at_for_itself() -> None:
    opened = popkit.open_case(CASES / "cutover")
    rows = {grant: opened.diagnose().grant(grant) for grant in opened.grants}
    (old,) = [grant for grant, row in rows.items() if row.superseded_by]
    with pytest.raises(Stopped) as stopped:
        draft("cutover", grant=old)
    assert stopped.value.code == "superseded"
    assert rows[old].superseded_by in str(stopped.value)
    assert "superseded" in draft("cutover", grant=old, reason=REASON).overridden
    with pytest.raises(Stopped) as other:
        draft("cutover", grant=rows[old].superseded_by)
    assert other.value.code == "nothing_broken"


def test_a_grant_that_the_case_does_not_hold_is_refused() -> None:
    with pytest.raises(Stopped) as stopped:
        draft("intact", grant=ZERO)
    assert stopped.value.code == "not_in_case"


def test_a_closed_grant_has_no_terms_to_copy() -> None:
    with night("abandoned-proof", "relaxed", reason=REASON) as found:
        found.stage.switch("close_grant", {})
        found.settle()
        assert found.code() == "grant_closed"  # closed after the case
        found.held.collect_again()
        assert found.code() == "grant_closed"  # and in it


def test_a_case_is_to_be_an_hour_old_at_most_and_of_this_clock(wedged: Night) -> None:
    collected = popkit.open_case(wedged.held.case).collected_at
    assert wedged.code(wall=collected + 3601) == "stale_case"
    assert (
        wedged.code(wall=collected + 3600) == "clock_off"
    )  # fresh enough: it goes on to the clock, which is wrong here
    assert wedged.code(wall=collected - 61) == "clock_off"
    now = wedged.stage.world.now
    assert wedged.code(wall=now + 70) == "clock_off"
    assert wedged.plan(wall=now + 50).remedy == "switch"


def test_a_chain_that_moved_since_the_case_was_collected_stops_the_plan(wedged: Night) -> None:
    grant = wedged.stage.grant
    for key, name in ((grant.address, "paused"), (grant.state, None)):
        held = wedged.stage.world.ledger.accounts[key]
        data = (
            encode_account(replace(decode_grant(held.data), paused=True))
            if name
            else held.data[:-1] + b"\1"
        )
        with wedged.accounts({key: replace(held, data=data)}):
            stopped = wedged.refused()
        assert (stopped.code, key in str(stopped)) == ("case_behind", True)
    held = wedged.stage.world.ledger.accounts[grant.vault]
    with wedged.lamports(
        grant.vault, held.lamports + 1
    ):  # lamports that somebody sends to the old vault change no evidence
        assert wedged.plan().remedy == "switch"


def test_an_expired_grant_is_renewed_only_until_when_a_person_says() -> None:
    with night("grant-expired", "strict") as found:
        assert found.code() == "grant_expired"
        assert found.code(expires=found.stage.world.now - 60) == "grant_expired"
        for expires in (0, found.stage.world.now + 86_400):
            made = found.plan(expires=expires)
            assert made.new_grant is not None
            assert made.new_grant.terms.expires_at == expires


# Keys


def test_keys_that_are_not_the_right_ones_are_refused(wedged: Night) -> None:
    other = wedged.stage.world.address("somebody")
    assert wedged.code(authority_key=wedged.key(WALLET)) == "wrong_authority"
    assert wedged.code(signer=ZERO) == "zero_signer"
    assert wedged.code(signer=other) == "worker_signs_otherwise"
    made = wedged.plan(authority_key=None)  # others hold the key: a plan can be made without it
    assert made.roles.authority == wedged.stage.grant.authority
    assert wedged.plan(signer=wedged.stage.worker.signer).signer.source == "typed by a person"  # type: ignore[union-attr]


def test_what_no_plan_can_be_made_with_is_wrong_usage(wedged: Night) -> None:
    for asked in (
        {"signer": "abc"},
        {"given_up": ("abc",)},
        {"amount": 0},
        {"amount": 1 << 63},
        {"expires": -1},
        {"fee_cap": 0},
    ):
        with pytest.raises(UsageError):
            wedged.plan(**asked)


def test_a_rotated_key_is_typed_by_a_person_and_never_taken_from_a_status_page(
    wedged: Night,
) -> None:
    key = wedged.stage.worker.key
    wedged.upset("key-rotated")
    try:
        stopped = wedged.refused()
        made = wedged.plan(signer=wedged.stage.worker.signer)
    finally:
        wedged.stage.worker.key = key
    assert stopped.code == "signer_not_given"
    assert made.signer is not None
    assert (made.signer.upsert, made.signer.source, made.signer.now) == (
        True,
        "typed by a person",
        wedged.stage.worker.signer,
    )
    assert [one.name for one in made.step("2").instructions][-1] == "upsert_pop_config"


def test_without_an_accepted_claim_the_key_is_not_known_and_is_typed() -> None:
    with night("genesis-abandoned", "strict") as found:
        assert found.code() == "signer_not_known"
        made = found.plan(signer=found.stage.worker.signer)
        assert made.broken.last_good is None
        assert made.signer is not None
        assert not made.signer.upsert


def test_a_copied_key_is_carried_over_by_no_plan() -> None:
    with night("foreign-issuer", "strict") as found:
        assert found.code() == "copied_key"
        assert found.code(signer=found.stage.worker.signer, reason=REASON) == "copied_key"
        found.stage.worker.key = found.stage.world.key("a new key")
        assert found.code() == "copied_key"  # a new key that nobody typed
        made = found.plan(signer=found.stage.worker.signer)
        assert (made.remedy, made.signer and made.signer.upsert) == ("switch", True)
    with night("foreign-issuer-relaxed", "relaxed") as found:
        assert found.code() == "copied_key"
        found.stage.worker.key = found.stage.world.key("a new key")
        assert found.plan(signer=found.stage.worker.signer).remedy == "signer"


def test_a_vaults_steps_are_planned_without_a_key_and_exported(wedged: Night) -> None:
    """An authority off the curve: its own program signs for it, no key does."""
    from popkit.cutover.planning.survey import is_on_curve

    assert is_on_curve(wedged.stage.grant.authority)
    assert not is_on_curve(wedged.stage.grant.vault)


# The cluster


def test_endpoints_that_are_not_of_one_cluster_are_refused(wedged: Night) -> None:
    for first, second, code in (
        (("surfnet",), (), "forked_node"),
        ((), ("surfnet",), "forked_node"),
        ((), ("other-genesis",), "endpoints_disagree"),
        ((), ("forked",), "endpoints_disagree"),
        (("forgets",), ("forgets",), "history_missing"),
        ((), ("forgets",), "history_missing"),
        (("clock",), (), "clock_off"),
    ):
        with wedged.faults(first, second):
            wedged.held.sleep(20)
            assert (first, second, wedged.code()) == (first, second, code)


def test_a_second_node_that_lags_vouches_for_nothing_until_it_is_there(wedged: Night) -> None:
    with wedged.faults(behind=3):
        assert wedged.plan().remedy == "switch"
    with wedged.faults(behind=9000):  # it has not even reached the case's newest transaction
        stopped = wedged.refused()
        assert (stopped.code, "getSlot" in str(stopped)) == ("endpoints_disagree", True)
    with wedged.faults(second=("stands-still",)):
        wedged.held.sleep(20)
        stopped = wedged.refused()
        assert (stopped.code, "getSlot" in str(stopped)) == ("endpoints_disagree", True)


def test_passing_faults_of_a_node_are_waited_out(wedged: Night) -> None:
    with wedged.faults(("429:0.2",), ("server-error:0.2",)):
        assert wedged.plan().remedy == "switch"
    with wedged.faults(("html:1",)), pytest.raises(Silent):
        wedged.plan()


def test_nodes_that_list_no_grants_are_not_enough_but_one_that_does_is(wedged: Night) -> None:
    with wedged.faults(("no-gpa",)):
        assert wedged.plan().remedy == "switch"
    with wedged.faults(("no-gpa",), ("no-gpa",)):
        assert wedged.code() == "no_account_list"


def test_one_account_that_the_second_node_holds_otherwise_stops_the_plan(
    wedged: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    from popkit.cutover.sending.endpoint import Accounts, Endpoint

    given, vault = Endpoint.accounts, wedged.stage.grant.vault

    def other(self: Endpoint, keys: Any) -> Accounts:
        found = given(self, keys)
        wrong = (
            {vault: replace(found[vault], lamports=1)}
            if self.name == "second_rpc" and found.get(vault)
            else {}
        )
        return Accounts({**found, **wrong}, found.slot)

    monkeypatch.setattr(Endpoint, "accounts", other)
    stopped = wedged.refused()
    assert (stopped.code, vault in str(stopped)) == ("endpoints_disagree", True)


def test_one_node_cannot_vouch_for_itself_and_a_case_is_of_one_cluster(
    wedged: Night, tmp_path: Path
) -> None:
    from popkit.cutover.planning.survey import Pair
    from popkit.cutover.sending.endpoint import Endpoint

    node = wedged.held.local().node("rpc")
    assert (
        wedged.code(pair=Pair(Endpoint("rpc", node), Endpoint("second_rpc", node)))
        == "one_endpoint"
    )
    case = shutil.copytree(wedged.held.case, tmp_path / "case")
    (case / "manifest-sha256.txt").unlink(missing_ok=True)
    header = json.loads((case / "case.json").read_text())
    (case / "case.json").write_text(json.dumps(header | {"cluster": "mainnet-beta"}))
    assert wedged.code(case=case) == "wrong_cluster"


def test_another_program_than_the_case_shows_is_refused() -> None:
    with night("abandoned-proof", "strict") as found:
        with found.accounts({PROGRAM_ID: None}):
            assert found.code() == "other_program"
        found.stage.world.upgrade("strict")
        found.settle()
        assert found.code() == "other_program"  # deployed since the case was collected
        found.held.collect_again()
        made = found.plan()  # deployed before it: no claim shows its rules, which is said
        assert any(str(made.program.slot) in words.en for words in made.not_checked)
        found.stage.world.upgrade("head")
        found.settle()
        found.held.collect_again()
        stopped = found.refused(
            reason=REASON
        )  # strict by what the case shows, yet create_grant refuses a grant that is there
        assert (stopped.code, "strict" in str(stopped)) == ("other_program", True)


# The new grant


def test_an_address_that_anybody_used_is_given_up_for_another(wedged: Night, plan: Plan) -> None:
    """Lamports do no harm to a grant, yet they say that somebody knows the address: free is no
    account and no signature.
    """
    new = plan.new_grant
    assert new is not None
    for address in (new.address, new.vault, new.pop_state):
        with wedged.accounts({address: Account(1_000_000)}):
            stopped = wedged.refused()
            assert (stopped.code, address in str(stopped), new.address in str(stopped)) == (
                "address_taken",
                True,
                True,
            )
    with wedged.accounts({new.address: Account(1_000_000)}):
        both = [
            wedged.plan(given_up=given).new_grant
            for given in ((new.address, ZERO), (ZERO, new.address, ZERO))
        ]
    (other,) = {
        one.address for one in both if one is not None
    }  # two operators who gave up the same meet at one address
    assert other != new.address


def test_a_grant_made_since_by_this_authority_for_this_mint_is_somebody_ahead() -> None:
    with night("abandoned-proof", "strict") as found:
        world = found.stage.world
        world.grant(21, mint="another mint", link=False)
        world.grant(22, authority="another school", link=False)
        found.settle()
        assert found.plan().overridden == []
        later = world.grant(23, link=False)
        found.settle()
        stopped = found.refused()
        assert (stopped.code, later.address in str(stopped)) == ("later_grant", True)
        assert found.plan(reason=REASON).overridden == ["later_grant"]
        assert (
            found.code(given_up=(later.address,)) == "later_grant"
        )  # giving up somebody else's grant says nothing


def test_a_grant_made_before_the_last_good_claim_is_nobody_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from popkit.drill.incidents.lost import abandoned

    def play(stage: Stage) -> None:
        stage.world.grant(24)
        stage.claims(1, 2)
        abandoned(stage)

    with night(scene(monkeypatch, play, eras=("strict",)), "strict") as found:
        made = found.plan()
        assert [row.effect for row in made.other_grants] == ["none"]  # pop-config stays as it is


def test_two_events_of_the_old_grant_are_both_named() -> None:
    with night("abandoned-proof", "strict") as found:
        first = found.stage.worker.event_of(found.stage.grant.address)
        second = found.stage.worker.open_event(found.stage.grant, "Second event")
        event = found.plan().event
        assert event is not None
        assert {event.old_id, *event.others_on_old_grant} == {first, second}


def test_an_event_a_proof_or_a_signature_of_the_new_grant_is_found() -> None:
    with night("abandoned-proof", "strict", seed=1) as found:
        new = found.plan().new_grant
        assert new is not None
        found.upset("asked-early", new.address)
        assert found.code() == "address_poisoned"
        other = found.plan(given_up=(new.address,)).new_grant
        assert other is not None
        assert other.address != new.address
        found.upset("linked", new.grant_id)
        assert found.code() == "already_linked"
        found.stage.world.airdrop(other.vault, 1_000_000)
        found.settle()
        with found.accounts(
            {other.vault: None}
        ):  # what was sent is gone again; its signature stays
            assert found.code(given_up=(new.address,)) == "address_taken"


def test_a_start_is_on_the_old_calendar_and_not_to_come(wedged: Night, plan: Plan) -> None:
    assert plan.new_grant is not None
    terms, now = plan.new_grant.terms, wedged.stage.world.now
    old = plan.old_grant.terms
    assert terms.start_ts <= now < terms.start_ts + terms.period_seconds
    assert (terms.start_ts - old.start_ts) % old.period_seconds == 0
    assert wedged.code(start=now + 100, reason=REASON) == "future_start"
    assert wedged.code(start=terms.start_ts + 1) == "start_off_calendar"
    assert wedged.plan(start=terms.start_ts + 1, reason=REASON).overridden == ["start_off_calendar"]
    assert wedged.plan(start=terms.start_ts - terms.period_seconds).overridden == []


# Money


def source(held: Night) -> str:
    return associated_token_address(held.stage.grant.authority, held.stage.grant.mint)


def holding(held: Night, amount: int) -> dict[str, Account | None]:
    """The authority's token account with so many tokens."""
    found = held.stage.world.ledger.accounts[source(held)]
    return {
        source(held): replace(
            found, data=encode_account(replace(decode_token_account(found.data), amount=amount))
        )
    }


def test_a_source_is_to_hold_the_amount(wedged: Night, plan: Plan) -> None:
    assert plan.amount is not None
    needed, vault = int(plan.amount.base_units), int(plan.old_grant.vault_amount)
    with wedged.accounts(holding(wedged, needed)):
        assert wedged.plan().remedy == "switch"
    with wedged.accounts(holding(wedged, needed - 1)):
        assert wedged.code() == "poor_source"
        assert wedged.plan(amount=needed - 1).amount is not None
    with wedged.accounts({source(wedged): None}):
        assert wedged.code() == "no_source"
        assert wedged.plan(by_roles=True).roles.funder == wedged.key(FUNDER).public_key
    mint = wedged.stage.world.ledger.accounts[wedged.stage.grant.mint]
    revoked = {wedged.stage.grant.mint: replace(mint, data=bytes(36) + mint.data[36:])}
    with wedged.accounts(holding(wedged, 0) | revoked):
        stopped = wedged.refused(amount=vault)
        assert (stopped.code, str(vault) in str(stopped), "--close-old" in str(stopped.advice)) == (
            "poor_source",
            True,
            True,
        )
        closing = wedged.plan(amount=vault, close_old=True)
        assert wedged.code(amount=vault + 1, close_old=True) == "poor_source"
    assert closing.money is not None
    assert (closing.money.mint_authority, closing.money.only_in_old_vault) == (None, True)
    step = closing.step("2.0")
    assert (step.optional, [one.name for one in step.instructions]) == (True, ["close_grant"])
    assert plan.money is not None
    assert (plan.money.mint_authority, plan.money.only_in_old_vault) == (
        wedged.stage.grant.authority,
        False,
    )
    assert "2.0" not in [one.id for one in plan.steps]


def test_a_payer_ends_at_the_rent_minimum_or_at_zero(wedged: Night, plan: Plan) -> None:
    assert plan.money is not None
    payer, rent, cap, fee = plan.money.payer, minimum_balance(0), 100_000, 5_000
    costs = plan.money.payer_lamports - plan.money.payer_after - plan.money.fees
    assert costs == minimum_balance(178) + minimum_balance(165) + (rent if plan.marker else 0)
    for lamports, asked, is_enough in (
        (costs + 2 * cap + rent, {}, True),
        (costs + 2 * cap + rent - 1, {}, False),
        (costs + 2 * fee, {}, False),  # what a fee falls short of the cap would be dust
        (costs + 2 * fee, {"fee_cap": fee}, True),  # exactly zero is left, whatever the fee
        (costs + 2 * fee + 1, {"fee_cap": fee}, False),
        (costs + 2 * fee + rent - 1, {"fee_cap": fee}, False),
        (costs + 2 * fee + rent, {"fee_cap": fee}, True),
        (costs + 2 * fee - 1, {"fee_cap": fee}, False),
        (0, {}, False),
    ):
        with wedged.lamports(payer, lamports):
            if is_enough:
                money = wedged.plan(**asked).money
                assert money is not None
                assert money.payer_after in (lamports - costs - 2 * fee, 0)
            else:
                assert (lamports - costs, asked, wedged.code(**asked)) == (
                    lamports - costs,
                    asked,
                    "poor_payer",
                )
    assert wedged.code(fee_cap=fee - 1) == "fee_above_cap"


def test_a_funder_pays_its_own_step_and_the_authority_its_own(wedged: Night) -> None:
    funder = wedged.key(FUNDER).public_key
    rent = minimum_balance(0)
    with wedged.lamports(funder, 100_000 + 2 * rent):  # fee, marker, and what is left
        made = wedged.plan(by_roles=True)
    assert [step.id for step in made.steps if step.instructions] == ["0", "2.1", "2.2"]
    with wedged.lamports(funder, 100_000 + 2 * rent - 1):
        stopped = wedged.refused(by_roles=True)
    assert (stopped.code, funder in str(stopped)) == ("poor_payer", True)


# The worker


def test_a_worker_that_cannot_serve_the_new_event_stops_the_plan(
    wedged: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, right, code in (
        ("worker-down", "worker-up", "worker_unreachable"),
        ("sink-missing", "sink-works", "worker_not_ready"),
    ):
        wedged.upset(wrong)
        try:
            assert wedged.code() == code
        finally:
            wedged.upset(right)
    assert wedged.code(desk=None) == "worker_unreachable"
    monkeypatch.setitem(wedged.variables, wedged.held.names["token"], "another token")
    assert wedged.code() == "worker_unreachable"


def test_another_worker_or_one_of_a_backup_is_not_the_cases() -> None:
    with night("abandoned-proof", "strict", seed=2) as found:
        worker, backup = found.held.drill.desk.worker, found.held.drill.desk.worker.backup()
        clone = worker.clone("another")
        clone.append("AUDIT", "system", {"type": "system", "id": "x"}, {})
        found.held.drill.desk.worker = clone
        assert found.code() == "another_worker"
        found.held.drill.desk.worker = worker
        assert found.plan().worker.continues_case is True  # type: ignore[union-attr]
        for _ in range(60):  # more than the list shows: case and list do not meet, which is said
            found.stage.worker.api("GET", "/v1/school/events")
        apart = found.plan()
        assert apart.worker is not None
        assert (
            apart.worker.continues_case,
            ["audit list" in words.en for words in apart.not_checked],
        ) == (None, [True])
        found.held.collect_again()
        worker.restore(backup)
        assert found.code() == "another_worker"


def test_a_later_workers_guards_are_seen_before_anything_is_done(
    sound: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    security, limits = sound.held.drill.desk.security, sound.held.drill.desk.limits
    sound.upset("frozen")
    assert sound.code() == "worker_frozen"
    security.frozen = None
    given = security.status()
    monkeypatch.setattr(
        type(security), "status", lambda self: given | {"pendingWarnings": [{"id": "warn-1"}]}
    )
    assert sound.code() == "worker_limited"
    monkeypatch.undo()
    sound.upset("limited", "30")
    stopped = sound.refused()
    assert stopped.code == "worker_limited"
    limits.counts.clear()
    for title, code in (("Auto draw", "worker_warns"), ("自動bot会", "worker_warns")):
        assert sound.code(wanted=Wanted(title=title)) == code
    for title in ("Automatic draw", "Robots and massage"):
        event = sound.plan(wanted=Wanted(title=title)).event
        assert event is not None
        assert (event.title, event.warning_words) == (title, [])


def test_an_early_worker_warns_of_no_words(wedged: Night) -> None:
    event = wedged.plan(wanted=Wanted(title="Auto draw", date="2026/03/01 10:00", host="PTA")).event
    assert event is not None
    assert (event.warning_words, event.title, event.datetime, event.host) == (
        ["auto"],
        "Auto draw",
        "2026/03/01 10:00",
        "PTA",
    )


def test_an_event_that_cannot_be_copied_is_asked_for_before_the_switch() -> None:
    with night("abandoned-proof", "strict", seed=3) as found:
        for event in list(found.stage.worker.events.values()):
            event["host"] = ""
        stopped = found.refused()
        assert (stopped.code, "host" in str(stopped)) == ("event_incomplete", True)
        assert found.plan(wanted=Wanted(host="Council")).event is not None


def test_a_key_that_changes_by_the_calendar_is_said(sound: Night) -> None:
    assert sound.plan().worker.rotates_at is None  # type: ignore[union-attr]
    with night("key-by-calendar-named", "head", reason=REASON) as found:
        rotation = found.stage.worker.rotation
        assert rotation is not None
        made = found.plan()
        assert made.worker is not None
        assert made.worker.rotates_at == rotation.next(found.stage.world.now)
        assert len(made.not_checked) > len(sound.plan().not_checked)


# Other grants of the authority


def test_whom_a_new_signer_hits_is_named_and_whom_it_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    from popkit.drill.incidents.burnt import signer

    def play(stage: Stage) -> None:
        """Grants of the same authority: one that is used, one paused, one without claims; then the
        key is rotated.
        """
        world = stage.world
        used, paused = world.grant(31), world.grant(32)
        world.grant(33)
        world.tickets(used, "ann", from_chain=True)
        world.tickets(paused, "bob", from_chain=True)
        world.switch(paused, "set_paused", {"paused": True})
        signer(stage)

    with night(scene(monkeypatch, play, eras=("relaxed",), ends=True), "relaxed") as found:
        world, worker = found.stage.world, found.stage.worker
        grants = {handle.number: handle for handle in world.grants.values()}
        asked: dict[str, Any] = {"signer": worker.signer}
        made = found.plan(**asked)
        assert made.remedy == "signer"
        effects = {row.address: row.effect for row in made.other_grants}
        assert effects == {
            grants[31].address: "helped",
            grants[32].address: "none",
            grants[33].address: "helped",
        }
        assert [step.id for step in made.steps if step.instructions] == ["2.3"]
        payer, rent, fee = made.roles.payer, minimum_balance(0), 5_000
        for lamports, cap, is_enough in (
            (100_000 + rent, 100_000, True),
            (100_000 + rent - 1, 100_000, False),
            (fee, fee, True),
        ):
            with found.lamports(payer, lamports):
                if is_enough:
                    assert found.plan(**asked, fee_cap=cap).remedy == "signer"
                else:
                    assert found.code(**asked, fee_cap=cap) == "poor_payer"

        strange = world.grant(34, link=False)
        found.settle()
        stopped = found.refused(**asked)  # nobody can tell whose proofs it takes
        assert (stopped.code, strange.address in str(stopped)) == ("other_grants_hit", True)
        assert found.plan(**asked, reason=REASON).overridden == ["other_grants_hit"]

        old = worker.clone("old worker")
        old.key = world.key("old key")
        world.name_signer(found.stage.grant, old.signer)
        world.ticket(
            grants[31], "carol", worker=old, from_chain=True
        )  # accepted since: another worker serves it with the old key
        found.settle()
        made = found.plan(**asked, reason=REASON)
        assert {row.address: row.effect for row in made.other_grants}[grants[31].address] == "hit"


# Through the command line: each family's exit code


def by_command(held: Night, out: Path, *more: str, key: str = AUTHORITY) -> Any:
    held.here()
    names = held.held.names
    peers = [
        "--rpc",
        f"env:{names['rpc']}",
        "--second-rpc",
        f"env:{names['second_rpc']}",
        "--worker",
        f"env:{names['worker']}",
    ]
    keys = ["--worker-token-env", names["token"], "--authority-key", f"env:{names[key]}"]
    return called(
        "cutover",
        "plan",
        held.held.case,
        "--grant",
        held.stage.grant.address,
        *peers,
        *keys,
        "--out",
        out,
        *more,
    )


def test_the_command_says_why_it_refuses_and_leaves_nothing_behind(
    wedged: Night, tmp_path: Path
) -> None:
    refusals: list[tuple[dict[str, Any], int, str]] = [
        ({"more": ("--start", "4000000000")}, 1, "--start"),
        ({"more": ("--amount", "999999999")}, 1, "--close-old"),
        ({"more": ("--signer", ZERO)}, 1, "public key"),
        ({"key": WALLET}, 1, wedged.stage.grant.authority),
        ({"more": ("--signer", "abc")}, 2, "--signer"),
        ({"more": ("--amount", "0")}, 2, "--amount"),
    ]
    for number, (asked, code, advice) in enumerate(refusals):
        out = tmp_path / str(number)
        result = by_command(wedged, out, *asked.get("more", ()), key=asked.get("key", AUTHORITY))
        assert (result.returncode, advice in result.stderr.decode(), out.exists()) == (
            code,
            True,
            False,
        ), result.stderr.decode()
        assert TOKEN not in result.stderr.decode() + result.stdout.decode()


def test_the_command_ends_with_one_for_a_node_that_is_not_to_be_trusted(
    wedged: Night, tmp_path: Path
) -> None:
    with wedged.faults(("surfnet",)):
        result = by_command(wedged, tmp_path / "run")
    assert (result.returncode, (tmp_path / "run").exists()) == (1, False)


def test_the_command_ends_with_one_for_a_case_or_a_worker_that_stops_it(
    sound: Night, wedged: Night, tmp_path: Path
) -> None:
    asked, sound.asked = sound.asked, {}
    try:
        result = by_command(sound, tmp_path / "run")
    finally:
        sound.asked = asked
    assert (result.returncode, "--reason" in result.stderr.decode()) == (1, True)
    wedged.upset("worker-down")
    try:
        assert by_command(wedged, tmp_path / "run").returncode == 1
    finally:
        wedged.upset("worker-up")
    assert by_command(wedged, tmp_path / "run").returncode == 0
    assert by_command(wedged, tmp_path / "run").returncode == 2  # a run is made once
