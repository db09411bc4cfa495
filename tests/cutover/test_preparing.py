"""A transaction made ready on a living drill, and everything for which it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from popkit.cutover.errors import Silent, Stopped
from popkit.cutover.sending import transactions
from popkit.cutover.sending.effects import after
from popkit.cutover.sending.preparing import Rules, dry, prepare
from popkit.cutover.sending.trying import WouldFail
from popkit.protocol.accounts import decode_grant, encode_account
from popkit.texts import LANGUAGES, speak
from tests.cutover.rehearsed import CAP, Holder, Rehearsed, rehearsed


@pytest.mark.parametrize("build", ["strict", "head"])
def test_one_transaction_is_made_ready(build: str, tmp_path: Path) -> None:
    with rehearsed(tmp_path, build=build) as r:
        prepared = r.prepared()
        assert [call.name for call in prepared.calls] == [
            "compute_limit",
            "set_paused",
            "create_grant",
            "fund_grant",
            "upsert_pop_config",
        ]
        assert prepared.units is not None
        assert prepared.limit is not None
        assert prepared.units < prepared.limit
        assert (prepared.fee, prepared.price) == (5000, None)
        assert prepared.window is not None
        assert 0 < prepared.window <= 150 * 0.4
        assert prepared.slot >= prepared.clock.slot
        assert prepared.last_valid_height > r.first.height()
        assert (
            set(prepared.before)
            == set(prepared.expected)
            == set(transactions.writable_of(r.switch(), r.handle.authority))
        )
        assert r.landed(prepared.signature) == []


def test_a_dry_run_signs_nothing_and_says_what_it_could_not_check(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        landed = len(r.world.landed)
        found = dry(r.first, r.switch(), r.handle.authority)
        assert found.is_clean
        assert found.expected == found.found
        assert (found.fee, found.error, found.stopped) == (5000, None, None)
        assert found.payer_left is not None
        for language in LANGUAGES:
            assert len({speak(text, language) for text in found.not_checked}) == 3
        assert len(r.world.landed) == landed


def test_a_dry_run_of_what_would_fail_says_why(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        found = dry(r.first, [transactions.fund_grant(r.new, 5)], r.handle.authority)
        assert not found.is_clean
        assert found.error == "AccountNotInitialized"
        assert any("3012" in line for line in found.logs)
        assert found.stopped is not None
        assert "no grant" in str(found.stopped)


def test_a_rule_that_is_not_the_program_s_is_seen_in_the_simulation(tmp_path: Path) -> None:
    """Before `init` a create over a grant rewrites it: asked with the wrong rules, what is worked
    out and simulated do not meet.
    """
    with rehearsed(tmp_path, build="strict") as r:
        over = transactions.create_grant(
            r.old, amount_per_period=3, period_seconds=60, start_ts=r.world.now, expires_at=0
        )
        assert dry(r.first, [over], r.handle.authority, rules=Rules(rewrites=True)).is_clean
        assert not dry(r.first, [over], r.handle.authority).is_clean


def with_a_low_cap(r: Rehearsed) -> Any:
    return r.prepared(fee_cap_lamports=4999)


def with_a_poor_payer(r: Rehearsed) -> Any:
    grant, vault, config = r.first.rent(178), r.first.rent(165), 0
    held = r.world.ledger.accounts[r.handle.authority]
    r.world.ledger.accounts[r.handle.authority] = replace(
        held, lamports=5000 + grant + vault + config + 7
    )
    r.drill.clock.skip(60)
    return r.prepared()


def with_a_taken_grant(r: Rehearsed) -> Any:
    from popkit.drill.calls import grant_call

    where = {
        "grant": r.new.grant,
        "mint": r.new.mint,
        "vault": r.new.vault,
        "authority": r.new.authority,
    }
    terms = {
        "grant_id": 99,
        "amount_per_period": 1,
        "period_seconds": 60,
        "start_ts": r.world.now,
        "expires_at": 0,
    }
    r.world.send([grant_call("create_grant", terms, where)], "school")
    r.drill.clock.skip(60)
    return r.prepared()


def with_another_plan(r: Rehearsed) -> Any:
    ends = r.prepared().expected
    grant = ends[r.new.grant]
    assert grant is not None
    other = replace(
        grant, data=encode_account(replace(decode_grant(grant.data), amount_per_period=2))
    )
    return r.prepared(expected={**ends, r.new.grant: other})


@dataclass
class Liar:
    """A signer that signs other bytes than it was given."""

    public_key: str
    key: Keypair
    change: Callable[[bytes], bytes]

    def sign(self, message: bytes) -> bytes:
        return bytes(self.key.sign_message(self.change(message)))


def with_a_signer_that_signs_something_else(r: Rehearsed) -> Any:
    liar = Liar(r.school.public_key, r.school.key, lambda message: message[:-1] + b"\0")
    return prepare(r.first, r.switch(), r.handle.authority, [liar], fee_cap_lamports=CAP)


def with_another_key(r: Rehearsed) -> Any:
    liar = Liar(r.school.public_key, r.world.key("mallory"), lambda message: message)
    return prepare(r.first, r.switch(), r.handle.authority, [liar], fee_cap_lamports=CAP)


def without_a_signer(r: Rehearsed) -> Any:
    return prepare(
        r.first,
        r.switch(),
        r.handle.authority,
        [Holder(r.world.key("mallory"))],
        fee_cap_lamports=CAP,
    )


def with_a_node_that_lies(r: Rehearsed) -> Any:
    """A node whose simulation ends with another amount in the vault than the instructions make."""
    post = r.first.post

    def lying(method: str, params: Any) -> Any:
        answer = post(method, params)
        if method == "simulateTransaction" and params[1]["sigVerify"]:
            answer["value"]["accounts"][0]["lamports"] += 1
        return answer

    r.first.post = lying  # type: ignore[method-assign]
    return r.prepared()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (with_a_low_cap, "fee_above_cap"),
        (with_a_poor_payer, "would_fail"),
        (with_a_taken_grant, "would_fail"),
        (with_another_plan, "not_as_planned"),
        (with_a_signer_that_signs_something_else, "not_as_intended"),
        (with_another_key, "not_as_intended"),
        (without_a_signer, "not_as_intended"),
        (with_a_node_that_lies, "simulation_differs"),
    ],
)
def test_what_is_not_made_ready(
    make: Callable[[Rehearsed], Any], code: str, tmp_path: Path
) -> None:
    with rehearsed(tmp_path) as r:
        with pytest.raises(Stopped) as caught:
            make(r)
        assert caught.value.code == code
        assert caught.value.exit_code == 1
        assert len({caught.value.in_language(language) for language in LANGUAGES}) == len(LANGUAGES)
        assert len({caught.value.lines_in(language)[0] for language in LANGUAGES}) == len(LANGUAGES)


def test_a_failing_simulation_is_named_with_its_logs(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r, pytest.raises(WouldFail) as caught:
        r.prepared([transactions.fund_grant(r.new, 5)])
    assert caught.value.error == "AccountNotInitialized"
    assert any("AccountNotInitialized" in line for line in caught.value.logs)


def test_the_plan_s_own_accounts_are_confirmed(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        calls = r.switch()
        planned = r.prepared(calls).expected
        r.world.airdrop(r.handle.authority, 5)  # the payer's lamports are by rule
        r.drill.clock.skip(60)
        assert r.prepared(calls, expected=planned).expected[r.new.grant] == planned[r.new.grant]


@pytest.mark.parametrize(
    ("fees", "cap", "price"),
    [
        ([0] * 150, CAP, None),
        ([10] * 100 + [50] * 50, CAP, 50),
        ([10**9] * 150, 8000, "capped"),
        ([], CAP, None),
    ],
)
def test_the_price_is_what_the_newest_blocks_took_and_keeps_to_the_cap(
    fees: list[int], cap: int, price: Any, tmp_path: Path
) -> None:
    with rehearsed(tmp_path) as r:
        post = r.first.post

        def answered(method: str, params: Any) -> Any:
            if method == "getRecentPrioritizationFees":
                return [{"slot": at, "prioritizationFee": fee} for at, fee in enumerate(fees)]
            return post(method, params)

        r.first.post = answered  # type: ignore[method-assign]
        prepared = r.prepared(fee_cap_lamports=cap)
        assert prepared.limit is not None
        expected = (cap - 5000) * 10**6 // prepared.limit if price == "capped" else price
        assert prepared.price == expected
        assert prepared.fee == 5000 + -(-prepared.limit * (expected or 0) // 10**6) <= cap
        assert r.sent(prepared).differences == ()


def test_a_node_that_does_not_know_its_own_blockhash_is_silent(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        r.first.fee = lambda message: None  # type: ignore[method-assign,assignment]
        with pytest.raises(Silent, match="blockhash"):
            r.prepared()


def test_a_claim_of_the_canary_is_made_ready(tmp_path: Path) -> None:
    with rehearsed(tmp_path, build="strict") as r:
        wallet = Holder(r.world.key("canary"))
        r.world.airdrop(wallet.public_key, 10**9)
        r.drill.clock.skip(60)
        proof = r.world.worker.issue(r.handle.address, wallet.public_key)
        calls = [
            transactions.create_token_account(wallet.public_key, wallet.public_key, r.old.mint),
            transactions.proof(proof.signer, proof.signature, proof.message),
            transactions.claim_grant(r.old, wallet.public_key, 0),
        ]
        prepared = prepare(
            r.first,
            calls,
            wallet.public_key,
            [wallet],
            fee_cap_lamports=CAP,
            rules=Rules(strict=True),
        )
        assert len(prepared.receipts) == 1
        outcome = r.sent(prepared, "canary")
        assert (outcome.kind, outcome.differences, outcome.not_checked) == ("landed", (), ())
        assert r.world.head(r.handle) == proof.entry


def test_the_rent_is_the_node_s_whatever_older_accounts_hold(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        calls = r.switch()
        before = dict(r.first.accounts([meta.pubkey for call in calls for meta in call.metas]))
        twice = after(
            calls,
            before,
            r.handle.authority,
            5000,
            lambda size: 2 * r.first.rent(size),
            r.world.now,
        )
        once = after(calls, before, r.handle.authority, 5000, r.first.rent, r.world.now)
        one, two = once[r.handle.authority], twice[r.handle.authority]
        assert one is not None
        assert two is not None
        assert one.lamports - two.lamports == r.first.rent(178) + r.first.rent(165)


def test_a_signer_that_takes_longer_than_the_blockhash_lives_is_too_late(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:

        @dataclass
        class Slow:
            public_key: str

            def sign(self, message: bytes) -> bytes:
                r.drill.clock.skip(150)
                return r.school.sign(message)

        with pytest.raises(Stopped) as caught:
            prepare(
                r.first,
                r.switch(),
                r.handle.authority,
                [Slow(r.school.public_key)],
                fee_cap_lamports=CAP,
            )
        assert caught.value.code == "too_late"
