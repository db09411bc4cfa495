"""What administrators did, replayed from steps made by hand: the terms of a grant and the signers
of an authority, as of any slot.
"""

from __future__ import annotations

from typing import Any

import pytest

from popkit.chain.history import ZERO_ROOT, AdminStep, Terms
from popkit.protocol.accounts import Grant, PopConfig
from tests.diagnosis.admin_steps import (
    CONFIG,
    FIRST,
    GRANT,
    MINT,
    NOW,
    OTHER,
    ROOT,
    SCHOOL,
    SECOND,
    TERMS,
    THIRD,
    account,
    created,
    history,
    named,
    step,
)  # fmt: skip

# -- terms --


def test_terms_are_replayed_to_the_end_of_a_slot() -> None:
    told = history(
        created(10),
        step("set_paused", 12, paused=True),
        step("update_grant", 14, amount_per_period=3, period_seconds=90, expires_at=0),
        step("set_allowlist_root", 16, merkle_root=ROOT),
        step("fund_grant", 17, amount=5),
        step("close_grant", 18),
        created(11, OTHER, grant_id=8),
    )
    assert [told.terms_at(GRANT, slot) for slot in (9, 10, 11)] == [None, TERMS, TERMS]
    seen = [told.terms_at(GRANT, slot) for slot in (12, 14, 16, 17, 18, 99)]
    paused = [
        None
        if terms is None
        else (terms.paused, terms.amount_per_period, terms.merkle_root, terms.closed)
        for terms in seen
    ]
    after = (True, 3, ROOT.hex(), False)
    assert paused == [
        (True, 2, ZERO_ROOT, False),
        (True, 3, ZERO_ROOT, False),
        after,
        after,
        (*after[:3], True),
        (*after[:3], True),
    ]
    updated = told.terms_at(GRANT, 14)
    assert updated is not None
    assert (updated.period_seconds, updated.expires_at, updated.start_ts, updated.grant_id) == (
        90,
        0,
        1000,
        7,
    )
    other = told.terms_at(OTHER, 11)
    assert other is not None
    assert (other.authority, other.mint, other.grant_id) == (SCHOOL, MINT, 8)
    assert [found.name for found in told.of_grant(GRANT)][:2] == ["create_grant", "set_paused"]
    assert [told.created_slot(grant) for grant in (GRANT, OTHER, MINT)] == [10, 11, None]


def test_a_root_is_told_in_bytes_or_in_hex() -> None:
    for root in (ROOT, ROOT.hex()):
        terms = history(created(), step("set_allowlist_root", 11, merkle_root=root)).terms_at(
            GRANT, 11
        )
        assert terms is not None
        assert terms.merkle_root == ROOT.hex()


def test_a_grant_created_again_has_the_new_terms_no_pause_and_no_list() -> None:
    told = history(
        created(10),
        step("set_paused", 11, paused=True),
        step("set_allowlist_root", 12, merkle_root=ROOT),
        step("close_grant", 13),
        created(14, amount_per_period=9),
    )
    assert told.terms_at(GRANT, 14) == Terms(SCHOOL, MINT, 7, 9, 60, 1000, 5000, ZERO_ROOT, False)
    assert told.created_slot(GRANT) == 10


def test_steps_before_the_creation_that_is_not_there_tell_no_terms() -> None:
    told = history(
        step("set_paused", 5, paused=True),
        step("update_grant", 6, amount_per_period=3, period_seconds=9, expires_at=0),
    )
    assert told.terms_at(GRANT, 9) is None
    assert told.terms_during(GRANT, 9) == []
    assert told.is_paused(GRANT) is None


def test_terms_within_a_slot_are_all_that_it_saw() -> None:
    told = history(
        created(10), step("set_paused", 12, paused=True), step("set_paused", 12, paused=False)
    )
    assert [terms.paused for terms in told.terms_during(GRANT, 12)] == [False, True]
    assert [terms.paused for terms in told.terms_during(GRANT, 11)] == [False]
    assert told.terms_during(GRANT, 10) == [TERMS]
    assert told.terms_during(GRANT, 9) == []


def test_a_slot_of_a_closing_saw_the_terms_before_it_and_none_after() -> None:
    told = history(created(10), step("close_grant", 12), created(14, amount_per_period=9))
    assert told.terms_during(GRANT, 12) == [TERMS]
    assert told.terms_during(GRANT, 13) == []
    assert [terms.amount_per_period for terms in told.terms_during(GRANT, 14)] == [9]


@pytest.mark.parametrize(
    ("now", "whole"),
    [
        (NOW, True),
        (None, None),
        (PopConfig(SCHOOL, FIRST, 255), None),
        *(
            (
                Grant(**{**{name: getattr(NOW, name) for name in Grant.__slots__}, name: value}),
                False,
            )
            for name, value in {
                "amount_per_period": 3,
                "period_seconds": 61,
                "start_ts": 1001,
                "expires_at": 0,
                "merkle_root": ROOT.hex(),
                "paused": True,
            }.items()
        ),
    ],
)
def test_a_replay_is_whole_where_it_ends_as_the_account_stands(
    now: Any, whole: bool | None
) -> None:
    told = history(created(), accounts={GRANT: account(now)})
    assert told.terms_are_whole(GRANT) is whole
    assert told.terms_during(GRANT, 11) == ([] if whole is False else [TERMS])
    missing = history(created(), accounts={GRANT: account(now)}, unread={GRANT})
    assert missing.terms_during(GRANT, 11) == ([TERMS] if whole else []), (
        "nothing else confirms that no step is missing"
    )
    assert history(created(), accounts={GRANT: account(now)}, unread={OTHER}).terms_during(
        GRANT, 11
    ) == ([] if whole is False else [TERMS])


def test_a_closed_grant_whose_account_stands_is_not_whole() -> None:
    told = history(created(), step("close_grant", 12), accounts={GRANT: account(NOW)})
    assert told.terms_are_whole(GRANT) is False
    assert history(accounts={GRANT: account(NOW)}).terms_are_whole(GRANT) is None


def test_whose_a_grant_is_and_of_what() -> None:
    by_steps = history(step("set_paused", 9, paused=True), created())
    by_account = history(
        accounts={GRANT: account(Grant(OTHER, FIRST, SECOND, 1, 1, 1, 1, 1, ZERO_ROOT, False, 1))}
    )
    both = history(created(), accounts=by_account.accounts)
    assert [told.authority_of(GRANT) for told in (by_steps, by_account, both)] == [
        SCHOOL,
        OTHER,
        OTHER,
    ]
    assert [told.mint_of(GRANT) for told in (by_steps, by_account, both)] == [MINT, FIRST, FIRST]
    assert (by_steps.authority_of(OTHER), by_steps.mint_of(OTHER), by_account.mint_of(OTHER)) == (
        None,
        None,
        None,
    )
    bare = AdminStep("set_paused", {"paused": True}, {"grant": GRANT}, "s", 1, None, 0)
    assert (history(bare).authority_of(GRANT), history(bare).mint_of(GRANT)) == (None, None)


@pytest.mark.parametrize(
    ("moment", "period"), [(999, -1), (1000, 0), (1059, 0), (1060, 1), (1119, 1), (1120, 2)]
)
def test_the_period_of_a_second(moment: int, period: int) -> None:
    assert TERMS.period_at(moment) == period


def test_a_grant_without_a_period_asks_for_none() -> None:
    assert Terms(SCHOOL, MINT, 7, 2, 0, 1000, 0, ZERO_ROOT, False).period_at(2000) == -1
    assert Terms(SCHOOL, MINT, 7, 2, 1, 1000, 0, ZERO_ROOT, False).period_at(2000) == 1000


@pytest.mark.parametrize(
    ("paused", "expires_at", "moment", "rule"),
    [
        (True, 0, None, "Paused"),
        (True, 5000, 9000, "Paused"),
        (False, 5000, 999, "GrantNotStarted"),
        (False, 5000, 1000, None),
        (False, 5000, 5000, None),
        (False, 5000, 5001, "GrantExpired"),
        (False, 0, 9000, None),
        (False, 1, 9000, "GrantExpired"),
        (False, 5000, None, None),
    ],
)
def test_the_rule_by_which_every_claim_is_refused(
    paused: bool, expires_at: int, moment: int | None, rule: str | None
) -> None:
    assert (
        Terms(SCHOOL, MINT, 7, 2, 60, 1000, expires_at, ZERO_ROOT, paused).refuses(moment) == rule
    )


# -- the present --


def test_a_grant_is_closed_by_its_account_or_by_its_last_step() -> None:
    steps = (created(10), step("close_grant", 12))
    assert history(*steps).is_closed(GRANT)
    assert not history(steps[0]).is_closed(GRANT)
    assert not history().is_closed(GRANT)
    gone, stands = {GRANT: account(None)}, {GRANT: account(NOW)}
    assert history(steps[0], accounts=gone).is_closed(GRANT)
    assert not history(accounts=gone).is_closed(GRANT), "nothing shows that it was ever there"
    assert not history(steps[0], accounts=stands).is_closed(GRANT)
    early = {GRANT: account(NOW, slot=11)}
    assert history(*steps, accounts=early).is_closed(GRANT), (
        "the account was read before the last step"
    )
    assert not history(*steps, accounts={GRANT: account(NOW, slot=12)}).is_closed(GRANT)
    assert not history(*steps, accounts={GRANT: account(NOW, slot=None)}).is_closed(GRANT)


def test_a_grant_is_paused_by_its_account_or_by_its_last_step() -> None:
    steps = (created(10), step("set_paused", 12, paused=True))
    assert history(*steps).is_paused(GRANT) is True
    assert history(steps[0]).is_paused(GRANT) is False
    assert history().is_paused(GRANT) is None
    assert history(steps[0], step("close_grant", 12)).is_paused(GRANT) is None
    assert history(*steps, accounts={GRANT: account(NOW)}).is_paused(GRANT) is False
    assert history(*steps, accounts={GRANT: account(NOW, slot=11)}).is_paused(GRANT) is True
    assert history(*steps, accounts={GRANT: account(None)}).is_paused(GRANT) is None
    assert history(steps[1], accounts={GRANT: account(NOW, slot=11)}).is_paused(GRANT) is False, (
        "the steps tell no terms"
    )


# -- signers --


def test_the_signers_of_a_slot() -> None:
    told = history(named(10, FIRST), named(12, SECOND), named(12, THIRD), created(11))
    assert told.upserts(SCHOOL) == [(10, FIRST), (12, SECOND), (12, THIRD)]
    assert told.upserts(OTHER) == []
    seen = [told.signers_at(SCHOOL, slot) for slot in (9, 10, 11, 12, 13)]
    assert seen == [None, {FIRST}, {FIRST}, {FIRST, SECOND, THIRD}, {THIRD}]
    assert told.signers_ever(SCHOOL) == {FIRST, SECOND, THIRD}


def test_when_pop_config_was_last_named() -> None:
    told = history(
        named(10, FIRST),
        named(12, SECOND),
        created(14),
        AdminStep(
            "upsert_pop_config", {"signer_pubkey": FIRST}, {"authority": OTHER}, "s", 20, None, 0
        ),
    )
    assert [told.signer_named_at(authority) for authority in (SCHOOL, OTHER, MINT)] == [
        1012,
        None,
        None,
    ]


def test_an_account_without_any_upsert_is_taken_to_have_stood_all_along() -> None:
    told = history(accounts={CONFIG: account(PopConfig(SCHOOL, FIRST, 255))})
    assert (told.signers_at(SCHOOL, 1), told.signer_now(SCHOOL), told.signers_ever(SCHOOL)) == (
        {FIRST},
        FIRST,
        {FIRST},
    )
    assert told.signer_holds(SCHOOL, 1, FIRST) is True
    assert told.signer_holds(SCHOOL, 1, SECOND) is None
    assert (
        told.signers_at(OTHER, 1),
        told.signers_ever(OTHER),
        told.signers_ever(None),
        told.signer_now(None),
    ) == (
        None,
        set(),
        set(),
        None,
    )


def test_the_signer_of_now() -> None:
    steps = (named(10, FIRST), named(12, SECOND))
    assert history(*steps).signer_now(SCHOOL) == SECOND
    assert history(*steps, unread={CONFIG}).signer_now(SCHOOL) is None, "an upsert may be missing"
    assert history(*steps, unread={GRANT}).signer_now(SCHOOL) == SECOND
    assert history(*steps, named(14, THIRD)).signer_now(SCHOOL) == THIRD
    assert (
        history(
            *steps, named(14, THIRD), accounts={CONFIG: account(PopConfig(SCHOOL, SECOND, 255), 13)}
        ).signer_now(SCHOOL)
        == THIRD
    )
    third = account(PopConfig(SCHOOL, THIRD, 255))
    assert history(*steps, accounts={CONFIG: third}).signer_now(SCHOOL) == THIRD
    assert history(*steps, accounts={CONFIG: third}, unread={CONFIG}).signer_now(SCHOOL) == THIRD
    for slot, signer in ((11, SECOND), (12, THIRD), (None, THIRD)):
        told = history(*steps, accounts={CONFIG: account(PopConfig(SCHOOL, THIRD, 255), slot)})
        assert told.signer_now(SCHOOL) == signer, slot
    assert history(*steps, accounts={CONFIG: account(None)}).signer_now(SCHOOL) is None
    assert history(*steps, accounts={CONFIG: account(NOW)}).signer_now(SCHOOL) is None


def test_whether_pop_config_named_a_signer_during_a_slot() -> None:
    steps = (named(10, FIRST), named(14, SECOND))
    assert [history(*steps).signer_holds(SCHOOL, slot, FIRST) for slot in (9, 10, 13, 14, 15)] == [
        None,
        True,
        True,
        True,
        False,
    ]
    assert history(*steps).signer_holds(SCHOOL, 13, SECOND) is False
    assert history(*steps).signer_holds(SCHOOL, 9, THIRD) is None, (
        "no upsert is known that precedes it"
    )
    assert history(*steps).signer_holds(SCHOOL, 10, THIRD) is False
    thrice = (*steps, named(18, FIRST))
    assert (
        history(*thrice, accounts={CONFIG: account(PopConfig(SCHOOL, FIRST, 255))}).signer_holds(
            SCHOOL, 15, THIRD
        )
        is False
    )
    assert (
        history(*thrice, accounts={CONFIG: account(PopConfig(SCHOOL, SECOND, 255))}).signer_holds(
            SCHOOL, 15, THIRD
        )
        is None
    )
    for now, holds in ((SECOND, False), (THIRD, None)):
        told = history(*steps, accounts={CONFIG: account(PopConfig(SCHOOL, now, 255))})
        assert told.signer_holds(SCHOOL, 13, SECOND) is holds, (
            "the account names whom the last upsert named, or one is missing"
        )
    assert history(*steps, listed={GRANT}).signer_holds(SCHOOL, 13, SECOND) is None, (
        "pop-config was not listed"
    )
    assert history(*steps, listed={GRANT, CONFIG}).signer_holds(SCHOOL, 13, SECOND) is False
    assert (
        history(*steps, listed={CONFIG}, unread={CONFIG}).signer_holds(SCHOOL, 13, SECOND) is None
    )
    assert history(*steps, listed={CONFIG}, unread={CONFIG}).signer_holds(SCHOOL, 13, FIRST) is True
    assert history(*steps, listed={CONFIG}, unread={GRANT}).signer_holds(SCHOOL, 13, None) is False
