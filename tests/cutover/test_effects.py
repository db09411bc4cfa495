"""The accounts after a transaction, worked out beforehand: what the real program left, byte for
byte, and what it would refuse.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from popkit.cutover.errors import Stopped
from popkit.cutover.sending import transactions
from popkit.cutover.sending.effects import Difference, after, at_clock, differences, payer_after
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.transactions import Call, GrantPlace
from popkit.protocol.accounts import (
    TokenAccount,
    decode_grant,
    decode_token_account,
    encode_account,
)
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM
from popkit.protocol.transaction import decode_wire
from popkit.texts import LANGUAGES
from tests.cutover.sessions import ERAS, calls_of, held, sent
from tests.cutover.test_transactions import MINT, PAYER, PLACE, SWITCH, TERMS
from tests.cutover.test_transactions import PROGRAM_ID as PROGRAM
from tests.drill.recorded import DATA, rows_of

NOW = TERMS["start_ts"] + 60
FEE = 5000


def rent(size: int) -> int:
    """The rate under which the sessions were recorded."""
    return (size + 128) * 6960


@pytest.mark.parametrize("era", ERAS)
def test_a_recorded_cutover_ends_as_it_was_worked_out(era: str) -> None:
    claims = 0
    for row in sent(era):
        read = row.read
        found = after(
            calls_of(read),
            row.before,
            read.account_keys[0],
            row.fee,
            rent,
            row.clock,
            strict=era.startswith("strict"),
        )
        assert differences({key: found[key] for key in row.after}, row.after) == [], row.step
        receipts = [
            each.accounts["receipt"]
            for each in transactions.read_back(row.wire, PROGRAM_ID)
            if each.name == "claim_grant"
        ]
        simulated = {key: found[key] for key in row.simulated}
        for key in receipts:  # a second may pass between a simulation and the landing
            there = row.simulated[key]
            assert there is not None
            simulated = at_clock(simulated, [key], int.from_bytes(there.data[-8:], "little"))
        assert differences(simulated, row.simulated) == [], row.step
        claims += len(receipts)
    assert claims >= 4


@pytest.mark.parametrize("era", ERAS)
def test_every_accepted_transaction_of_an_administrator_ends_as_it_was_worked_out(era: str) -> None:
    ran, closed = 0, 0
    for row in rows_of(DATA / "administration" / f"{era}.jsonl"):
        if row["err"] is not None:
            continue
        before = {key: held(value) for key, value in row["accounts_before"].items()}
        found = _after(row, before, era)
        wanted = {key: held(value) for key, value in row["accounts_after"].items()}
        assert differences({key: found[key] for key in wanted}, wanted) == [], row["what"]
        assert {key: found[key] for key in before if key not in wanted} == {
            key: before[key] for key in before if key not in wanted
        }
        ran += 1
        closed += sum(1 for key in wanted if wanted[key] is None)
    assert ran >= 55
    assert closed >= 4


@pytest.mark.parametrize("era", ERAS)
def test_what_the_program_refused_is_refused_before_it_is_sent(era: str) -> None:
    met = set()
    for row in rows_of(DATA / "administration" / f"{era}.jsonl"):
        if (
            row["err"] is None or row["error_name"] == "InstructionFallbackNotFound"
        ):  # no program is older than the call
            continue
        before = {key: held(value) for key, value in row["accounts_before"].items()}
        with pytest.raises(Stopped) as caught:
            _after(row, before, era)
        assert caught.value.code == "would_fail", row["what"]
        assert len({caught.value.in_language(language) for language in LANGUAGES}) == len(LANGUAGES)
        met.add(row["error_name"])
    assert len(met) >= 14


def _after(row: dict[str, Any], before: dict[str, Held | None], era: str) -> dict[str, Held | None]:
    read = decode_wire(base64.b64decode(row["result"]["transaction"][0]))
    before = dict.fromkeys(read.account_keys) | before
    result = row["result"]
    rules = {"strict": era.startswith("strict"), "rewrites": era != "head"}
    return after(
        calls_of(read),
        before,
        read.account_keys[0],
        result["meta"]["fee"],
        rent,
        result["blockTime"],
        **rules,
    )


# one plan of our own, wrong in one way at a time


def tokens(amount: int, owner: str = PAYER, mint: str = MINT) -> Held:
    return Held(rent(165), TOKEN_PROGRAM, encode_account(TokenAccount(mint, owner, amount)))


def world(**changes: Held | None) -> dict[str, Held | None]:
    """The accounts before the one transaction of a switch; changes by the names used here."""
    old = GrantPlace(PROGRAM_ID, PAYER, MINT, 76)
    names = {
        "payer": PAYER, "old": old.grant, "new": PLACE.grant, "vault": PLACE.vault, "config": PLACE.pop_config, "source": PLACE.tokens,
    }  # fmt: skip
    create = transactions.create_grant(old, **TERMS)
    made = after(
        [create],
        {PAYER: Held(10**9, SYSTEM_PROGRAM, b""), old.grant: None, old.vault: None},
        PAYER,
        0,
        rent,
        NOW,
    )
    found: dict[str, Held | None] = {
        PAYER: Held(10**9, SYSTEM_PROGRAM, b""), old.grant: made[old.grant], PLACE.grant: None, PLACE.vault: None, PLACE.pop_config: None,
        PLACE.tokens: tokens(100),
    }  # fmt: skip
    return found | {names[name]: value for name, value in changes.items()}


def test_one_transaction_pauses_makes_funds_and_names_a_signer() -> None:
    found = after(SWITCH, world(), PAYER, FEE, rent, NOW)
    new, vault, source, payer = (
        found[key] for key in (PLACE.grant, PLACE.vault, PLACE.tokens, PAYER)
    )
    assert new is not None and vault is not None and source is not None and payer is not None  # noqa: PT018
    assert decode_grant(new.data).vault == PLACE.vault
    assert (decode_token_account(vault.data).amount, decode_token_account(source.data).amount) == (
        40,
        60,
    )
    assert payer.lamports == 10**9 - FEE - rent(178) - rent(165) - rent(73)
    assert found.keys() == world().keys()


def test_lamports_sent_beforehand_count_and_their_excess_stays() -> None:
    much, little = Held(10**8, SYSTEM_PROGRAM, b""), Held(5, SYSTEM_PROGRAM, b"")
    found = after(SWITCH, world(new=much, vault=little), PAYER, FEE, rent, NOW)
    new, vault, payer = (found[key] for key in (PLACE.grant, PLACE.vault, PAYER))
    assert new is not None and vault is not None and payer is not None  # noqa: PT018
    assert (new.lamports, vault.lamports) == (10**8, rent(165))
    assert payer.lamports == 10**9 - FEE - (rent(165) - 5) - rent(73)


def test_a_marker_makes_a_second_try_fail_whole() -> None:
    seed = transactions.marker_seed("cd" * 32, "2")
    calls, place = (
        [transactions.marker(PAYER, seed, rent(0)), *SWITCH],
        transactions.marker_address(PAYER, seed),
    )
    found = after(calls, world() | {place: None}, PAYER, FEE, rent, NOW)
    assert found[place] == Held(rent(0), SYSTEM_PROGRAM, b"")
    with pytest.raises(Stopped, match="an account at"):
        after(calls, found, PAYER, FEE, rent, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"payer": Held(FEE - 1, SYSTEM_PROGRAM, b"")}, "cannot pay the fee"),
        ({"payer": None}, "cannot pay the fee"),
        ({"payer": Held(10**6, SYSTEM_PROGRAM, b"")}, "cannot pay"),
        (
            {"payer": Held(FEE + rent(178) + rent(165) + rent(73) + 7, SYSTEM_PROGRAM, b"")},
            "left with 7 lamports",
        ),
        ({"payer": Held(10**9, TOKEN_PROGRAM, b"")}, "cannot pay the fee"),
        ({"old": None}, "There is no grant"),
        ({"old": tokens(1)}, "There is no grant"),
        ({"new": Held(rent(178), PROGRAM, bytes(178))}, "an account at"),
        ({"source": tokens(39)}, "holds 39 tokens; 40 are to be moved"),
        ({"source": None}, "not an open token account"),
        ({"source": tokens(100, owner=MINT)}, "is not a token account of"),
        ({"source": tokens(100, mint=PAYER)}, "is not a token account of"),
        (
            {
                "source": replace(
                    tokens(100), data=tokens(100).data[:108] + b"\2" + tokens(100).data[109:]
                )
            },
            "not an open token account",
        ),
        ({"config": Held(rent(73), TOKEN_PROGRAM, bytes(73))}, "an account at"),
    ],
)
def test_what_would_fail_is_refused(changes: dict[str, Held | None], words: str) -> None:
    with pytest.raises(Stopped, match=words) as caught:
        after(SWITCH, world(**changes), PAYER, FEE, rent, NOW)
    assert caught.value.code == "would_fail"


def test_another_authority_or_mint_than_the_grant_s_is_refused() -> None:
    metas = tuple(
        AccountMeta(MINT, True, False) if meta.pubkey == PAYER else meta for meta in SWITCH[0].metas
    )
    with pytest.raises(Stopped, match="The grant's authority is"):
        after([replace(SWITCH[0], metas=metas)], world(), PAYER, FEE, rent, NOW)


def test_a_call_of_unknown_effect_is_refused() -> None:
    call = Call(
        "assign", SYSTEM_PROGRAM, (AccountMeta(PAYER, True, True),), b"\1\0\0\0" + bytes(32)
    )
    with pytest.raises(Stopped) as caught:
        after([call], world(), PAYER, FEE, rent, NOW)
    assert caught.value.code == "not_understood"


def test_an_account_that_was_not_looked_at_is_never_guessed() -> None:
    before = world()
    del before[PLACE.vault]
    with pytest.raises(ValueError, match="was not looked at"):
        after(SWITCH, before, PAYER, FEE, rent, NOW)


@pytest.mark.parametrize(
    ("lamports", "left"), [(None, 0), (0, 0), (rent(0), rent(0)), (10**9, 10**9)]
)
def test_a_payer_keeps_the_rent_minimum_or_nothing(lamports: int | None, left: int) -> None:
    accounts = {PAYER: None if lamports is None else Held(lamports, SYSTEM_PROGRAM, b"")}
    assert payer_after(accounts, PAYER, rent) == left


@pytest.mark.parametrize("lamports", [1, rent(0) - 1])
def test_a_payer_in_between_is_poor(lamports: int) -> None:
    with pytest.raises(Stopped) as caught:
        payer_after({PAYER: Held(lamports, SYSTEM_PROGRAM, b"")}, PAYER, rent)
    assert caught.value.code == "poor_payer"
    assert f"{rent(0) - lamports} lamports" in caught.value.lines_in("en")[0]


def test_differences_are_named_by_field() -> None:
    expected = after(SWITCH, world(), PAYER, FEE, rent, NOW)
    assert differences(expected, dict(expected)) == []
    new = expected[PLACE.grant]
    assert new is not None
    paused = replace(new, data=encode_account(replace(decode_grant(new.data), paused=True)))
    rows = differences(expected, {**expected, PLACE.grant: paused})
    assert rows[0] == Difference(PLACE.grant, "paused", False, True)
    assert rows[1].field == "data"
    assert differences(expected, {**expected, PAYER: None}) == [
        Difference(PAYER, "there", True, False)
    ]
    richer = replace(new, lamports=new.lamports + 1)
    assert differences(expected, {**expected, PLACE.grant: richer}) == [
        Difference(PLACE.grant, "lamports", new.lamports, new.lamports + 1)
    ]
    padded = replace(new, data=new.data + b"\0")  # a byte that no decoder looks at counts
    assert [row.field for row in differences(expected, {**expected, PLACE.grant: padded})] == [
        "data"
    ]


def test_an_undeclared_account_and_one_that_was_not_looked_at_count() -> None:
    expected = after(SWITCH, world(), PAYER, FEE, rent, NOW)
    assert [row.field for row in differences(expected, {**expected, MINT: tokens(1)})] == [
        "undeclared"
    ]
    assert [
        row.field
        for row in differences(expected, {key: expected[key] for key in expected if key != PAYER})
    ] == ["not_looked_at"]
