"""Which claim attempts count, and what they show of the program: from rows of the claims table made
by hand.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.chain.attempts import Attempt, read_attempts, shown_by_claims
from popkit.chain.attribution import Attribution
from popkit.chain.eras import EARLIEST, Shown, only, since
from popkit.protocol.errors import ERAS, TransactionFailure
from tests.diagnosis.claim_rows import table

KEYS = Attribution({"grant 1": {"signer 3"}})


def read(*changes: dict[str, Any], keys: Attribution = KEYS) -> list[Attempt]:
    return read_attempts(table(*changes), keys, ["grant 1"])["grant 1"]


def noise(keys: Attribution = KEYS, **change: Any) -> str | None:
    [found] = read(change, keys=keys)
    return found.noise


# -- an attempt --


def test_an_attempt_whole() -> None:
    [found] = read({})
    assert found == Attempt(
        0, "sig", 10, 5, 1000, 1, False, "claimer 2", 7, "receipt 4", True, "signer 3", "prev 20", "stream 21", "audit 22", "entry 23",
        990, 7, True, None, None, False,
    )  # fmt: skip


def test_an_attempt_without_a_message_or_of_the_first_version() -> None:
    [bare] = read({"has_message": False, "place": None})
    assert (
        bare.has_proof,
        bare.signer,
        bare.prev_hash,
        bare.stream_prev_hash,
        bare.audit_hash,
        bare.entry_hash,
    ) == (False, *[None] * 5)
    assert (bare.issued_at, bare.message_period_index, bare.period_index, bare.noise) == (
        None,
        None,
        7,
        "the claim carries no proof",
    )
    [first] = read({"message_version": 1})
    assert (first.audit_hash, first.entry_hash, first.prev_hash) == (None, "entry 23", "prev 20")


def test_attempts_are_those_of_the_grants_asked_for() -> None:
    found = read_attempts(table({}, {"grant": 9, "message_grant": 9}), KEYS, ["grant 1", "grant 8"])
    assert {grant: [a.row for a in attempts] for grant, attempts in found.items()} == {
        "grant 1": [0],
        "grant 8": [],
    }
    assert read_attempts(table(), KEYS, []) == {}


def test_an_entry_that_came_again_after_it_was_accepted() -> None:
    accepted = {"accepted": True, "slot": 8}
    assert [a.noise for a in read(accepted, {})] == [None, "the proof was already accepted"]
    assert [a.noise for a in read({}, accepted)] == ["the proof was already accepted", None], (
        "in whatever order the rows stand"
    )
    assert [a.noise for a in read(accepted, {"slot": 7})] == [None, None]
    assert [a.noise for a in read(accepted, {"entry": 24})] == [None, None], "another entry"
    forged = {**accepted, "holds": False}
    assert [a.noise for a in read(forged, {})] == ["forged", None], (
        "a forged acceptance accepts nothing"
    )
    twice = {**accepted, "slot": 12}
    assert [a.noise for a in read(twice, accepted, {"slot": 9})] == [
        None,
        None,
        "the proof was already accepted",
    ], "the first landing counts"
    assert [a.noise for a in read(accepted, twice, {"slot": 9})] == [
        None,
        None,
        "the proof was already accepted",
    ]
    stranger = {"signer": 9, "slot": 11}
    [_, told] = read(accepted, stranger)
    assert told.noise == "the proof is signed by a key that was never the grant's", (
        "what it is is said before what it came after"
    )


# -- noise --


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"has_message": False}, "the claim carries no proof"),
        ({"place": "elsewhere"}, None),
        ({"proof_signature_holds": False}, "the proof's signature does not verify"),
        ({"entry_hash_holds": False}, "the proof's entry hash is not that of its fields"),
        ({"message_grant": 9}, "the proof names another grant"),
        ({"message_claimer": 9}, "the proof names another claimer"),
        ({"claimer_signed": False}, "the proof names another claimer"),
        ({"message_period_index": 9}, None),
        ({"signer": 9}, "the proof is signed by a key that was never the grant's"),
        ({"holds": None}, None),
        ({"holds": False}, "forged"),
        ({"account_count": 9}, None),
        ({"account_count": 9, "has_message": False}, "the claim carries no proof"),
    ],
)
def test_a_refused_attempt_that_is_not_the_issuer_s(
    change: dict[str, Any], why: str | None
) -> None:
    assert noise(**change) == why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"has_message": False}, "forged"),
        ({"place": "elsewhere"}, "forged"),
        ({"place": None}, "forged"),
        ({"proof_signature_holds": False}, "forged"),
        ({"entry_hash_holds": False}, "forged"),
        ({"message_grant": 9}, "forged"),
        ({"message_claimer": 9}, "forged"),
        ({"claimer_signed": False}, "forged"),
        ({"message_period_index": 9}, "forged"),
        ({"signer": 9}, None),
        ({"holds": None}, None),
        ({"holds": False}, "forged"),
        ({"account_count": 9, "has_message": False, "place": None}, None),
        ({"account_count": 9, "holds": False}, "forged"),
        ({"account_count": 11, "proof_signature_holds": False}, None),
    ],
)
def test_an_accepted_attempt_that_no_program_accepts(
    change: dict[str, Any], why: str | None
) -> None:
    assert noise(accepted=True, **change) == why


def test_a_grant_of_which_no_key_is_known_has_no_issuer() -> None:
    assert noise(Attribution()) == "the proof is signed by a key that was never the grant's"
    assert Attribution({"grant": {"key"}}).for_grant("another") == set()


# -- what attempts show of the program --


def shown(*changes: dict[str, Any], steps: tuple[tuple[str, int], ...] = ()) -> list[Shown]:
    """What is shown, ascending."""
    history: Any = SimpleNamespace(
        steps=[SimpleNamespace(name=name, slot=slot) for name, slot in steps]
    )
    return sorted(set(shown_by_claims(table(*changes), history)), key=lambda s: (s.slot, s.basis))


TWELVE = "a claim with twelve accounts was accepted"


def failed(error: str, eras: frozenset[str]) -> TransactionFailure:
    return TransactionFailure(error, "program", 6026, 1, None, eras, "log")


def test_a_refusal_shows_the_programs_that_know_its_error() -> None:
    for eras in (frozenset(), frozenset(ERAS)):
        assert shown({"failure": failed("Paused", eras)}) == []
    told = {"failure": failed("PopHashChainBroken", only("strict")), "slot": 12}
    assert shown(told, {}) == [Shown(12, only("strict"), "refused with PopHashChainBroken")]
    assert shown({**told, "holds": False}) == []
    assert shown({**told, "holds": None}) == shown(told)


def test_an_accepted_claim_shows_the_programs_of_its_form() -> None:
    accepted = {"accepted": True}
    assert shown(accepted) == [Shown(10, since("strict"), TWELVE)]
    assert shown({**accepted, "account_count": 11}) == [
        Shown(10, only("pre_pop"), "a claim with nine accounts was accepted")
    ]
    version = Shown(10, only("strict"), "a message of version 1 was accepted")
    assert shown({**accepted, "message_version": 1}) == [
        Shown(10, since("strict"), TWELVE),
        version,
    ]
    assert shown({**accepted, "holds": False}) == []


def test_what_shows_nothing_hides_nothing_after_it() -> None:
    accepted = {"accepted": True, "slot": 12}
    twelve = Shown(12, since("strict"), TWELVE)
    assert shown({"holds": False}, {}, accepted) == [twelve]
    nine = Shown(11, only("pre_pop"), "a claim with nine accounts was accepted")
    assert shown({**accepted, "account_count": 9, "slot": 11}, accepted) == [nine, twelve]


def test_an_administrator_s_step_shows_the_programs_that_have_it() -> None:
    steps = (("upsert_pop_config", 5), ("update_grant", 6), ("create_grant", 7))
    assert shown(steps=steps) == [
        Shown(5, since("strict"), "upsert_pop_config was accepted"),
        Shown(6, only("relaxed"), "update_grant was accepted"),
    ]


def relaxed(*changes: dict[str, Any]) -> list[tuple[int, str]]:
    """What accepted claims show of the relaxed program."""
    return [
        (s.slot, s.basis)
        for s in shown(*({"accepted": True, "stream": 20, **c} for c in changes))
        if s.allowed == only("relaxed")
    ]


SIBLINGS = "two accepted claims share a parent"


def test_two_children_of_one_parent_show_the_relaxed_program() -> None:
    first, second = {"entry": 30}, {"entry": 31, "slot": 12}
    assert relaxed(first, second) == [(12, SIBLINGS)]
    assert relaxed(first, first) == [], "one entry"
    assert relaxed(first, {**second, "grant": 9}) == [], "of another grant"
    assert relaxed(first, {**second, "prev": 29, "stream": 29}) == []
    for doubt in ("holds", "entry_hash_holds", "proof_signature_holds"):
        assert relaxed(first, {**second, doubt: False}) == [], doubt
    assert relaxed(first, {**second, "accepted": False}) == []
    assert relaxed(first, {**second, "holds": None}) == [(12, SIBLINGS)]


def test_a_child_before_its_parent_shows_the_relaxed_program_from_its_first_day() -> None:
    child, parent, text = (
        {"entry": 30, "prev": 40, "stream": 40, "slot": 10},
        {"entry": 40, "slot": 11},
        "a claim was accepted before the one it follows",
    )
    for moment, told in (
        (EARLIEST["relaxed"] - 1, []),
        (EARLIEST["relaxed"], [(10, text)]),
        (None, []),
    ):
        assert relaxed({**child, "block_time": moment}, {**parent, "block_time": moment}) == told, (
            moment
        )
    now = {"block_time": EARLIEST["relaxed"]}
    assert relaxed({**child, **now}, {**parent, **now, "slot": 10}) == []
    assert relaxed({**child, **now}, {**parent, **now, "grant": 9}) == []
    assert relaxed({**child, **now}, {**parent, **now}, {**parent, **now, "slot": 9}) == [
        (10, text)
    ], "the first row of an entry counts"


def test_links_that_differ_show_the_relaxed_program_from_its_first_day() -> None:
    text = "a claim was accepted whose two links differ"
    for moment, told in (
        (EARLIEST["relaxed"] - 1, []),
        (EARLIEST["relaxed"], [(10, text)]),
        (None, []),
    ):
        assert relaxed({"stream": 21, "block_time": moment}) == told


def test_of_many_slots_that_show_one_thing_the_first_and_the_last_are_kept() -> None:
    rows = [
        {"accepted": True, "slot": slot, "entry": slot, "prev": slot + 100, "stream": slot + 100}
        for slot in (12, 10, 14, 11)
    ]
    assert shown(*rows) == [Shown(10, since("strict"), TWELVE), Shown(14, since("strict"), TWELVE)]
