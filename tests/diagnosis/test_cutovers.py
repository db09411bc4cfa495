"""Which grant took over from which: the first of the same authority and mint created after the last
good claim, for another event.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from popkit.verdict.succession import predecessors, successors


def grant(name: str, verdict: str = "intact", last: int | None = None) -> Any:
    """A judged grant whose last accepted claim landed in a slot, or that has none."""
    accepted = [] if last is None else [SimpleNamespace(slot=last)]
    return SimpleNamespace(
        grant=name, verdict=verdict, line=SimpleNamespace(chain=SimpleNamespace(accepted=accepted))
    )


Owners = dict[str, tuple[str | None, str | None]]
Row = tuple[str, str | None, str | None]


def linked(
    grants: list[Any],
    created: dict[str, int | None],
    owners: Owners | None = None,
    events: dict[str, str] | None = None,
) -> list[Row]:
    """(grant, its successor, what it took over from), by the creation slots.

    `owners` are (authority, mint), one pair for all unless given; `events` one for each unless
    given.
    """
    named = owners or {}
    history = SimpleNamespace(
        created_slot=created.get,
        authority_of=lambda name: named.get(name, ("school", "mint"))[0],
        mint_of=lambda name: named.get(name, ("school", "mint"))[1],
    )
    facts: Any = SimpleNamespace(
        history=history, events_of=lambda name: [(events or {}).get(name, f"event of {name}")]
    )
    found = successors(facts, grants)
    return [(g.grant, found.get(g.grant), predecessors(found).get(g.grant)) for g in grants]


def test_the_first_created_after_the_last_good_claim_takes_over() -> None:
    grants = [grant("a"), grant("b", "broken", 50), grant("c"), grant("d")]
    created = {"a": 60, "b": 1, "c": 51, "d": 70}
    assert linked(grants, created) == [
        ("a", None, None),
        ("b", "c", None),
        ("c", None, "b"),
        ("d", None, None),
    ]


def test_one_prepared_before_or_in_the_slot_of_the_last_good_claim_does_not() -> None:
    assert linked([grant("a", "broken", 50), grant("b")], {"a": 1, "b": 50}) == [
        ("a", None, None),
        ("b", None, None),
    ]
    assert linked([grant("a", "inconclusive", 50), grant("b")], {"a": 1, "b": 51})[0] == (
        "a",
        "b",
        None,
    )


def test_of_two_made_in_one_slot_the_lesser_key_takes_over() -> None:
    for names in (("b", "c"), ("c", "b")):
        grants = [grant("a", "broken", 50), *(grant(name) for name in names)]
        assert linked(grants, {"a": 1, "b": 60, "c": 60})[0] == ("a", "b", None)


def test_a_grant_that_nobody_claimed_from_counts_from_its_creation() -> None:
    assert linked([grant("a", "broken"), grant("b")], {"a": 40, "b": 41})[0] == ("a", "b", None)
    assert linked([grant("a", "broken"), grant("b")], {"a": 40, "b": 39})[0] == ("a", None, None)
    assert linked([grant("a", "broken"), grant("b")], {"a": None, "b": 41})[0] == (
        "a",
        None,
        None,
    ), "nothing tells when"
    assert linked([grant("a", "broken"), grant("b")], {"a": 40, "b": None})[0] == ("a", None, None)


def test_another_authority_or_mint_or_the_same_event_takes_nothing_over() -> None:
    owners: Any
    for owners in (
        {"b": ("other", "mint")},
        {"b": ("school", "other")},
        {"a": (None, "mint"), "b": (None, "mint")},
    ):
        assert linked([grant("a", "broken", 50), grant("b")], {"a": 1, "b": 60}, owners)[0] == (
            "a",
            None,
            None,
        )
    both = [grant("a", "broken", 50), grant("b")]
    assert linked(both, {"a": 1, "b": 60}, events={"a": "evt", "b": "evt"})[0] == ("a", None, None)


def test_a_sound_grant_is_replaced_by_none_and_a_second_broken_one_shares_the_new() -> None:
    grants = [
        grant("a", "broken", 50),
        grant("b", "broken", 55),
        grant("c"),
        grant("d", "recovered", 1),
    ]
    assert linked(grants, {"a": 1, "b": 2, "c": 60, "d": 3}) == [
        ("a", "c", None),
        ("b", "c", None),
        ("c", None, "a"),
        ("d", None, None),
    ]
