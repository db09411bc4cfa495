"""True evidence, whatever becomes of it, gives the true verdict or a weaker one; a small share of
`python -m tests.worlds`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.worlds.allowed import allowed, check
from tests.worlds.changes import PROPERTIES, Op, make
from tests.worlds.plays import CLIENT_PARENTS_DAY, KINDS, Play, Script, Step
from tests.worlds.run import Tally, answer, run
from tests.worlds.truth import Truth

SEED = 11
"""A world of every kind for each property; the by-hand command asks thousands."""


def told(tally: Tally) -> str:
    """Every kind of failure once, with its world."""
    return "\n".join(f"{kind} ({counts.total()} times)\n  {trial.told()}\n  {problem.text}" for kind, counts in tally.met.items()
                     for trial, problem in [tally.simplest[kind]])  # fmt: skip


@pytest.mark.parametrize("property_", PROPERTIES[1:])
def test_an_answer_is_true_or_weaker(property_: str) -> None:
    tally = run(SEED + PROPERTIES.index(property_), len(KINDS), each=1, properties=(property_,))
    assert tally.trials == len(KINDS)
    assert not tally.met, told(tally)


def test_whole_evidence_is_answered_with_the_truth() -> None:
    tally = run(SEED, 2 * len(KINDS), each=1, properties=("whole",))
    assert not tally.met, told(tally)
    assert tally.verdicts.keys() >= {"broken", "intact", "in_flight", "unused", "recovered"}


# -- the harness itself: its truths are those that one reads off a script, and it bites --


def one(
    name: str, *steps: str | tuple[str, int], build: str = "strict", model: str = "A", **terms: Any
) -> Play:
    """A play of named steps, five seconds apart."""
    rows = [Step(step) if isinstance(step, str) else Step(*step) for step in steps]
    return Play(Script(name, build, model, tuple(rows), **terms))


TRUTHS: tuple[tuple[Play, set[str]], ...] = (
    (one("unused"), {"unused"}),
    (one("noise", "stranger"), {"unused"}),
    (one("sound", "ticket", "ticket"), {"intact"}),
    (one("on its way", "ticket", "lose"), {"in_flight"}),
    (one("lost", "ticket", "lose", ("wait", 13)), {"broken"}),
    (one("landed late", "ticket", "lose", ("wait", 6), "late"), {"intact"}),
    (one("the first lost", "lose", ("wait", 13)), {"broken"}),
    (one("one claimer twice", "ticket", ("again", 0)), {"broken"}),
    (one("a pause", "ticket", "pause_retry"), {"intact"}),
    (one("late by the clock", "ticket", ("expired", 0)), {"broken"}),
    (one("swapped and sent again", "ticket", ("race", 4)), {"recovered"}),
    (one("reset", "ticket", ("reset", 0), "ticket"), {"broken"}),
    (one("another issuer", "ticket", "foreign"), {"broken"}),
    (
        one("parents from clients", "ticket", "lose", ("wait", 13), build="strict_v2", model="D"),
        {"intact"},
    ),
    (one("over", "ticket", ("boundary", 0), period=900), {"broken"}),
    (one("a forged anchor", "ticket", ("forged_anchor", 0)), {"intact"}),
    (
        one(
            "healed",
            "lose",
            ("wait", 13),
            "ticket",
            "upgrade",
            "ticket",
            "race_shown",
            start=1773600000,
        ),
        {"recovered"},
    ),
)


@pytest.mark.parametrize(
    ("play", "words"),
    TRUTHS,
    ids=lambda value: value.script.kind if isinstance(value, Play) else "",
)
def test_the_truth_is_what_one_reads_off_the_script(play: Play, words: set[str]) -> None:
    last = play.world.moments[-1]
    assert Truth(play, play.handle).verdicts(last, last.now) == words


def answered(play: Play, *ops: Op) -> tuple[Any, dict[str, Any]]:
    taken = make(play, ops)
    return taken, answer(taken.files)


# -- kinds of evidence that thousands of worlds found answered wrongly, each in its smallest world --

NO_RECORDS = (Op("no storage"), Op("drop worker"))
OLD_CHAIN = (
    Op("no storage"),
    Op("age chain", 1),
    Op("age accounts", 1),
    Op("newest"),
    Op("times null", 1),
)
RACE = one("race", "interleaved", build="strict_v2", model="D", start=CLIENT_PARENTS_DAY)
FOUND: tuple[tuple[str, Play, tuple[Op, ...], str], ...] = (
    ("a copy of the key and an empty storage", one("foreign", ("foreign", 0), "ticket"), NO_RECORDS, "broken"),
    ("a copy of the key, and a clock that is wrong", one("foreign", ("foreign", 4), ("foreign", 7), "ticket", "clock_wrong"), (), "broken"),
    ("the lifting of a pause left out", one("paused", ("pause_retry", 0), "ticket", ("pause_retry", 0)), (Op("tx silent", 17),), "intact"),
    ("two clients gave GENESIS", RACE, (*NO_RECORDS, Op("times null", 1)), "inconclusive"),
    ("a proof that nobody sent", one("quiet tail", "stranger", "lose", ("wait", 14), build="head", model="D"), NO_RECORDS, "inconclusive"),
    ("a claim left out of the list", one("sound", "ticket", ("ticket", 4)), (Op("drop", 1), Op("tx tail silent", 0)), "inconclusive"),
    ("the newest day stated, without block times", one("sound", "ticket", ("wait", 13)), OLD_CHAIN, "inconclusive"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("play", "ops", "verdict"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND]
)
def test_evidence_that_was_answered_wrongly(play: Play, ops: tuple[Op, ...], verdict: str) -> None:
    taken, found = answered(play, *ops)
    assert check(play, taken, found, strict=False) == []
    assert found["verdict"] == verdict


def test_a_wrong_word_is_noticed() -> None:
    play = one("sound", "ticket", "ticket")
    taken, found = answered(play)
    assert check(play, taken, found, strict=True) == []
    row = found["grants"][0]
    for key, value, kind in (
        ("verdict", "broken", "says broken, is intact"),
        ("causes", ["abandoned_proof"], "names the cause abandoned_proof"),
        ("affected_claimers", ["somebody"], "names people who are not affected"),
        ("missing_entries", ["ab" * 32], "names missing entries that are none"),
        ("unseen_entries", ["ab" * 32], "names unseen entries that were not accepted"),
        ("heals_until", 5, "heals_until without in_flight"),
        ("last_good", None, "last_good is another"),
        (
            "first_bad",
            {"signature": "x", "entry_hash": None, "error": None},
            "first_bad is no refusal of ours",
        ),
    ):
        spoilt = {**found, "grants": [{**row, key: value}]}
        assert kind in {p.kind for p in check(play, taken, spoilt, strict=True)}
    critical = {"code": "audit_entry_removed", "severity": "critical", "grant": None}
    kinds = {p.kind for p in check(play, taken, {**found, "findings": [critical]}, strict=True)}
    assert kinds == {"critical audit_entry_removed on true evidence", "exit code does not follow"}


def test_cannot_tell_is_weak_of_whole_evidence_alone() -> None:
    play = one("sound", "ticket", "ticket")
    taken, found = answered(play)
    silent = {
        **found,
        "verdict": "inconclusive",
        "exit_code": 3,
        "grants": [{**found["grants"][0], "verdict": "inconclusive"}],
    }
    assert [p.weak for p in check(play, taken, silent, strict=True)] == [True]
    assert check(play, taken, silent, strict=False) == []


def test_older_accounts_allow_what_was_so_since() -> None:
    play = one("lost", "ticket", "lose", ("wait", 13))
    truth = Truth(play, play.handle)
    words = {
        count: set(allowed(play, truth, make(play, (Op("age accounts", 2 * (12 - count) + 1),))))
        for count in (1, 12)
    }
    final = set(allowed(play, truth, make(play, ())))
    assert final == {"broken", "inconclusive"}
    assert all(found >= final for found in words.values())
