"""The chain of one grant from small claims made by hand: order, heads, gaps, and what contradicts
itself.
"""

from __future__ import annotations

from typing import Any

import pytest

from popkit.chain.eras import EARLIEST, EraTimeline, Shown, only
from popkit.chain.links import Fork
from popkit.chain.order import in_landing_order
from popkit.chain.state import PopStateReading, read_state
from popkit.drill.addresses import pop_state_address
from popkit.drill.world import World
from popkit.evidence.lines import Place
from popkit.evidence.rpc import AccountRow
from popkit.protocol.accounts import ClaimReceipt, PopState, encode_account
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.message import GENESIS_HASH
from tests.diagnosis.small_chains import RELAXED, UNKNOWN, chain, claim, refusal, seen

ANN, BOB, CAT = claim("ann"), claim("bob", "ann", 20), claim("cat", "bob", 30)


# -- order --


def test_claims_of_one_slot_stand_after_what_they_name() -> None:
    # Child before parent in every other respect: position, time of issue, signature.
    first = claim("first", "ann", 20, position=9, issued_at=50, signature="z")
    second = claim("second", "first", 20, position=8, issued_at=40, signature="y")
    third = claim("third", "second", 20, position=7, issued_at=30, signature="x")
    fork = claim("fork", "first", 20, position=1, issued_at=10, signature="a")
    for told in ([third, fork, second, first, BOB, ANN], [fork, ANN, first, BOB, second, third]):
        ordered = in_landing_order(told)
        assert [a.entry_hash for a in ordered] == ["ann", "bob", "first", "fork", "second", "third"]


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        ({"position": None}, {"position": 0}),
        ({"position": 0}, {"position": 1}),
        ({"position": 0, "issued_at": 2}, {"position": 1, "issued_at": 1}),
        ({"issued_at": 1}, {"issued_at": 2}),
        ({"issued_at": None}, {"issued_at": 1}),
        ({"issued_at": None, "signature": "b"}, {"issued_at": 1, "signature": "a"}),
        ({"issued_at": -1, "signature": "b"}, {"issued_at": None, "signature": "a"}),
        ({"issued_at": 1, "signature": "b"}, {"issued_at": 2, "signature": "a"}),
        ({"signature": "a"}, {"signature": "b"}),
        ({"signature": "a", "instruction_index": 2}, {"signature": "b", "instruction_index": 1}),
        ({"signature": "a", "instruction_index": 1}, {"signature": "a", "instruction_index": 2}),
    ],
)
def test_claims_of_one_slot_that_no_link_orders(
    sooner: dict[str, Any], later: dict[str, Any]
) -> None:
    """By position in the block where it is known, then by issue, signature and place in the
    transaction.
    """
    one, two = claim("one", "ann", 20, **sooner), claim("two", "ann", 20, **later)
    assert in_landing_order([two, one]) == in_landing_order([one, two]) == [one, two]
    refused = [a._replace(accepted=False) for a in (two, one)]
    assert [a.entry_hash for a in chain(*refused).refused] == ["one", "two"]


def test_slots_order_before_anything_else() -> None:
    one, two = claim("one", "two", 20, position=5), claim("two", "ann", 21, position=0)
    assert in_landing_order([two, one]) == [one, two]
    assert chain(two._replace(accepted=False), one._replace(accepted=False)).refused[0].slot == 20


def test_nine_account_claims_of_one_slot_are_nobodys_children() -> None:
    old = [claim(None, None, 20, signature=name, has_proof=False) for name in "ab"]
    new = claim("bob", "ann", 20, signature="c")
    ordered = in_landing_order([new, old[1], old[0]])
    assert sorted(ordered) == sorted([new, *old])
    assert chain(ANN, *old).linked == [ANN]
    assert len(chain(ANN, *old, refusal("x", "ann", 30))) == 4


# -- heads --


def test_strict_heads_move_always_and_relaxed_ones_when_the_proof_is_not_older() -> None:
    told = [
        claim("a", issued_at=100),
        claim("b", "a", 20, issued_at=90),
        claim("c", "b", 30, issued_at=100),
        claim("d", "c", 40, issued_at=101),
    ]
    assert chain(*told).heads == ["a", "b", "c", "d"]
    assert chain(*told, eras=RELAXED).heads == ["a", "a", "c", "d"]
    assert chain(*told[:2], eras=RELAXED).links_head == "a"
    assert chain().links_head == GENESIS_HASH


def test_the_head_is_pop_states_where_it_is_readable_and_not_older_than_the_claims() -> None:
    told = [ANN, BOB]
    assert chain(*told, state=seen("elsewhere")).head == "elsewhere"
    assert chain(*told, state=seen("elsewhere", slot=20)).head == "elsewhere"
    assert chain(*told, state=seen("elsewhere", slot=19)).head == "bob"
    assert chain(*told, state=seen("elsewhere", unreadable=True)).head == "bob"
    assert chain(*told, state=seen(None)).head == GENESIS_HASH
    assert chain(*told).head == "bob"
    assert not chain(*told, state=PopStateReading(known=True, head="x")).state_is_stale, (
        "no slot tells its age"
    )
    assert not chain(state=seen("x", slot=1)).state_is_stale, "no claim to be older than"


def test_heads_while_a_slot_ran() -> None:
    told = chain(
        ANN,
        claim("bob", "ann", 20),
        claim("cat", "bob", 20),
        claim("dan", "cat", 30),
        state=seen("dan"),
    )
    wanted = {
        9: {GENESIS_HASH},
        10: {GENESIS_HASH, "ann"},
        11: {"ann"},
        20: {"ann", "bob", "cat"},
        29: {"cat"},
        30: {"cat", "dan"},
    }
    assert {slot: told.heads_during(slot) for slot in wanted} == wanted
    assert told.heads_during(31) == {"dan"}
    assert chain().heads_during(5) == {GENESIS_HASH}


def test_an_unseen_claim_may_have_been_the_head_until_the_next_one_landed() -> None:
    gap = chain(ANN, claim("cat", "unseen", 30), claim("dan", "cat", 40))
    assert gap.heads_during(9) == {GENESIS_HASH}, "one claim further on, and that one is there"
    assert gap.heads_during(20) == {"ann", "unseen"}
    assert gap.heads_during(30) == {"ann", "unseen", "cat"}
    assert gap.heads_during(35) == {"cat"}
    assert chain(claim("cat", "unseen", 30)).heads_during(5) == {GENESIS_HASH, "unseen"}


def test_a_relaxed_parent_need_not_have_landed_and_is_no_head() -> None:
    assert chain(ANN, claim("cat", "never landed", 30), eras=RELAXED).heads_during(20) == {"ann"}


def test_an_unseen_head_of_pop_state_may_have_been_the_head_since_the_last_claim() -> None:
    assert chain(ANN, BOB, state=seen("unseen")).heads_during(20) == {"ann", "bob", "unseen"}
    assert chain(ANN, BOB, state=seen("unseen")).heads_during(15) == {"ann"}
    assert chain(ANN, BOB, state=seen("unseen", slot=19)).heads_during(25) == {"bob"}, (
        "PopState older than the last claim"
    )
    assert chain(ANN, BOB, state=seen("ann")).heads_during(25) == {"bob"}, (
        "an older claim does not come back"
    )
    assert chain(ANN, BOB, state=seen(None)).heads_during(25) == {"bob"}
    assert chain(state=seen("unseen")).heads_during(25) == {GENESIS_HASH, "unseen"}


def test_a_parent_that_is_there_is_a_head_only_where_it_stands() -> None:
    # cat names ann, which bob had replaced: that contradiction makes ann no head of slot 25.
    assert chain(ANN, BOB, claim("cat", "ann", 30)).heads_during(25) == {"bob"}


# -- what is missing --


def test_unseen_entries_are_named_by_strict_claims_and_by_pop_state() -> None:
    assert chain(ANN, BOB, CAT, state=seen("cat")).unseen == []
    assert chain(ANN, CAT, claim("eve", "dan", 40), state=seen("fay")).unseen == [
        "bob",
        "dan",
        "fay",
    ]
    assert chain(CAT, state=seen(GENESIS_HASH)).unseen == ["bob"]
    assert chain(ANN, CAT, state=seen("cat"), eras=RELAXED).unseen == []
    assert chain(state=seen("ann")).unseen == ["ann"]
    assert chain(refusal("bob", "ann", 20)).unseen == [], "a refused claim may name anything"


# -- what contradicts itself --


def test_pop_state_that_names_a_claim_the_others_lead_past() -> None:
    assert chain(ANN, BOB, state=seen("ann")).state_disagrees
    assert not chain(ANN, BOB, state=seen("bob")).state_disagrees
    assert chain(ANN, BOB, state=seen(None)).state_disagrees, (
        "no PopState, and claims that wrote it"
    )
    assert not chain(state=seen(None)).state_disagrees
    assert not chain(ANN, BOB, state=seen("unseen")).state_disagrees, "a gap is no contradiction"
    assert not chain(ANN, BOB, state=seen("ann", slot=19)).state_disagrees, "read before bob landed"
    assert not chain(ANN, BOB, state=seen("ann", unreadable=True)).state_disagrees
    assert not chain(ANN, BOB).state_disagrees


def test_pop_state_may_name_either_of_two_relaxed_claims_of_one_second() -> None:
    one, two = claim("one", slot=20, issued_at=100), claim("two", GENESIS_HASH, 20, issued_at=100)
    assert not chain(one, two, state=seen("one"), eras=RELAXED).state_disagrees, (
        "one slot: which landed later is not known"
    )
    assert not chain(one, two, state=seen("two"), eras=RELAXED).state_disagrees
    earlier = one._replace(slot=10)
    assert chain(earlier, two, state=seen("one"), eras=RELAXED).state_disagrees, (
        "of equal times the later claim moves the head"
    )
    assert not chain(earlier, two, state=seen("two"), eras=RELAXED).state_disagrees
    assert chain(one, two, state=seen("one")).state_disagrees, "strict heads move with every claim"
    change = EraTimeline([Shown(15, only("strict"), "seen"), Shown(20, only("relaxed"), "seen")])
    oldest = claim("oldest", slot=5, issued_at=90)
    assert not chain(oldest, one, two, state=seen("one"), eras=change).state_disagrees, (
        "the last claim's program counts"
    )
    newer = two._replace(issued_at=101)
    assert chain(one, newer, state=seen("one"), eras=RELAXED).state_disagrees


def test_pop_state_is_not_held_against_claims_that_hang_on_an_unseen_one() -> None:
    # dan hangs on something unseen: whether ann came after it is not known, and an order within the slot neither.
    hanging = claim("dan", "unseen", 20)
    assert not chain(ANN, hanging, state=seen("ann")).state_disagrees
    assert not chain(claim("ann", slot=20), hanging, state=seen("ann")).state_disagrees
    before = chain(claim("dan", "unseen", 5), ANN, BOB, state=seen("ann"))
    assert before.state_disagrees, "what hung on it had landed before"


def test_a_strict_claim_stands_right_after_its_parent_or_is_misordered() -> None:
    late, second_child = claim("cat", "ann", 30), claim("bob", "cat", 20)
    assert chain(ANN, BOB, CAT).misordered == []
    assert chain(ANN, BOB, late).misordered == [late]
    assert chain(ANN, second_child, late).misordered == [second_child, late]
    assert chain(ANN, BOB, late, eras=RELAXED).misordered == []
    assert chain(ANN, claim("cat", "unseen", 30)).misordered == [], "a gap is no disorder"


def test_one_period_is_claimed_once() -> None:
    again = claim("bob", "ann", 20, claimer=ANN.claimer)
    assert chain(ANN, again).doubled == [again]
    assert chain(again, ANN).doubled == [again], "by landing, not by the order of lines"
    assert chain(ANN, again._replace(period_index=1)).doubled == []
    assert chain(ANN, BOB).doubled == []


def test_forged_claims_stand_apart() -> None:
    forged = claim("bob", "ann", 20, noise="forged")
    told = chain(
        ANN,
        forged,
        refusal("cat", "ann", 30, noise="forged"),
        refusal("dan", "ann", 40, noise="a stranger's"),
    )
    assert [a.entry_hash for a in told.forged] == ["bob", "cat"]
    assert [a.entry_hash for a in told.accepted] == ["ann"]
    assert [a.entry_hash for a in told.refused] == ["dan"]
    assert told.attributed == []
    assert told.forks == []


def test_forks_count_attributed_refusals_and_different_entries_alone() -> None:
    refused, twice = refusal("cat", "ann", 15), refusal("bob", "ann", 25)
    noise = refusal("eve", "ann", 16, noise="a stranger's")
    told = chain(ANN, BOB, refused, twice, noise, claim("old", None, 30, has_proof=False))
    assert told.forks == [Fork("ann", ("bob", "cat"))]
    assert chain(ANN, BOB, CAT, twice).forks == []
    both = chain(claim("y", slot=11), ANN, claim("q", "m", 20), claim("p", "m", 21), eras=RELAXED)
    assert [fork.parent for fork in both.forks] == sorted([GENESIS_HASH, "m"])


def test_an_entry_that_landed_twice_is_known_by_its_first_landing() -> None:
    again = BOB._replace(slot=40, signature="again")
    assert chain(again, ANN, BOB).accepted_entries["bob"] == BOB


# -- what is shown of it --


def test_links_say_what_followed_what() -> None:
    eras = EraTimeline([Shown(10, only("strict"), "seen"), Shown(30, only("relaxed"), "seen")])
    told = chain(
        ANN,
        claim("bob", "ann", 20, stream_prev_hash="elsewhere"),
        claim("cat", "ann", 30, issued_at=1),
        eras=eras,
    )
    rows = told.links()
    assert [tuple(row.values()) for row in rows] == [
        ("signature of ann", 10, "ann", GENESIS_HASH, GENESIS_HASH, True, "ann", "strict"),
        ("signature of bob", 20, "bob", "ann", "elsewhere", True, "bob", "strict"),
        ("signature of cat", 30, "cat", "ann", "ann", False, "bob", "relaxed"),
    ]
    columns = [
        "signature",
        "slot",
        "entry_hash",
        "prev_hash",
        "stream_prev_hash",
        "follows_head",
        "head_after",
        "era",
    ]
    assert list(rows[0]) == columns
    assert told.eras_found == ["relaxed", "strict"]
    assert chain(refusal("x", "ann", 5)).eras_found == ["strict"]


def test_the_era_of_a_claim_is_that_of_its_time_where_no_behaviour_decides() -> None:
    dated = claim("ann", block_time=1771718400)
    assert chain(eras=EraTimeline([])).era_at(dated) == "strict"
    assert chain(eras=EraTimeline([])).era_at(dated._replace(block_time=1775001600)) == "relaxed"


def test_a_claim_that_only_a_date_calls_relaxed_may_name_an_unseen_parent() -> None:
    """Between strict and relaxed nothing decides: what a strict claim names must have landed, so
    that it may be missing.
    """
    undecided = EraTimeline([])
    orphan = claim("cat", "never landed", 30, block_time=1775001600)
    assert chain(ANN, orphan, eras=undecided).unseen == ["never landed"]
    assert chain(ANN, orphan, eras=undecided).strict_ground == [], "and may as well not be"
    assert chain(ANN, orphan, eras=RELAXED).unseen == []


# -- PopState --


def test_every_reading_of_pop_state_is_held_against_the_claims_of_its_own_slot() -> None:
    """An older reading names what the claims had led to by then; one that names what came before,
    or later, cannot be true.
    """
    early = seen("ann", slot=15)
    assert chain(ANN, BOB, state=seen("bob", others=(early,))).contradicting_states == []
    assert (
        chain(
            ANN, BOB, CAT, state=seen("cat", others=(early, seen("bob", slot=25)))
        ).contradicting_states
        == []
    )
    ahead = seen("bob", slot=15)
    assert chain(ANN, BOB, state=seen("bob", others=(ahead,))).contradicting_states == [ahead]
    behind = seen("ann", slot=40)
    assert chain(ANN, BOB, CAT, state=seen("cat", others=(behind,))).contradicting_states == [
        behind
    ]
    nothing = seen(None, slot=15)
    assert chain(ANN, BOB, state=seen("bob", others=(nothing,))).contradicting_states == [nothing]
    assert (
        chain(ANN, BOB, state=seen("bob", others=(seen(None, slot=5),))).contradicting_states == []
    ), "nothing had landed"


def test_a_reading_of_the_slot_of_a_claim_may_stand_on_either_side_of_it() -> None:
    for head in ("ann", "bob"):
        assert (
            chain(
                ANN, BOB, CAT, state=seen("cat", others=(seen(head, slot=20),))
            ).contradicting_states
            == []
        )


def test_what_no_reading_can_be_wrong_for() -> None:
    told = [ANN, BOB, CAT]
    gap = claim("dan", "unseen", 40)
    for state in (
        PopStateReading(known=True, head="ann", stream_head="ann"),  # no slot tells its age
        seen("ann", unreadable=True),
        seen("unseen"),
        UNKNOWN,
    ):
        assert chain(*told, state=state).contradicting_states == []
    assert (
        chain(*told, gap, state=seen("dan", others=(seen("cat", slot=35),))).contradicting_states
        == []
    )


@pytest.mark.parametrize("newest", [15, 1 << 40])
def test_a_head_that_stayed_contradicts_only_rules_that_were_surely_strict(newest: int) -> None:
    """A claim that was issued before the head moves none under relaxed rules; somebody may have
    upgraded before anything shows it.
    """
    eras = EraTimeline([Shown(slot, only("strict"), "seen") for slot in (0, newest)])
    behind = claim("bob", "ann", 20, issued_at=5)
    assert chain(ANN, behind, state=seen("ann"), eras=eras).state_disagrees is (newest > 20)
    upgraded = EraTimeline(
        [
            Shown(0, only("strict"), "seen"),
            Shown(30, only("relaxed"), "two accepted claims share a parent"),
        ]
    )
    assert not chain(
        ANN, behind, claim("cat", "ann", 30, issued_at=6), state=seen("ann"), eras=upgraded
    ).state_disagrees
    dated = behind._replace(block_time=EARLIEST["relaxed"] - 1)
    assert chain(ANN, dated, state=seen("ann"), eras=eras).state_disagrees, (
        "that program did not exist yet"
    )
    on_time = claim("bob", "ann", 20)
    assert chain(ANN, on_time, state=seen("ann"), eras=eras).state_disagrees, (
        "both rules move the head to it"
    )


def test_two_contents_of_one_slot_contradict_each_other_whatever_they_name() -> None:
    both = seen("bob", is_contradicted=True)
    assert chain(ANN, BOB, state=both).contradicting_states == [both]
    assert chain(ANN, BOB, state=both).state_disagrees


def state_row(data: bytes | None) -> tuple[str, dict[str, AccountRow]]:
    """A grant of the simulation and its PopState account, as collected."""
    grant = World().grant().address
    address = pop_state_address(grant)
    return grant, {
        address: AccountRow(address, 77, PROGRAM_ID if data else None, data, PLACE, PROGRAM_ID)
    }


PLACE = Place("rpc/accounts.jsonl", 3)


def encoded(grant: str, initialized: bool = True) -> bytes:
    return encode_account(PopState(grant, "11" * 32, "22" * 32, 5, 1771718400, initialized, 254))


def test_pop_state_as_collected() -> None:
    grant, accounts = state_row(None)
    address = pop_state_address(grant)
    assert read_state(grant, {}, PROGRAM_ID) == PopStateReading(known=False)
    assert read_state(grant, accounts, PROGRAM_ID) == PopStateReading(
        known=True, slot=77, place=PLACE
    ), "it does not exist"
    known = {address: AccountRow(address, 77, PROGRAM_ID, encoded(grant), PLACE, PROGRAM_ID)}
    assert read_state(grant, known, PROGRAM_ID) == PopStateReading(
        True, 77, "11" * 32, "22" * 32, 5, 1771718400, PLACE, unreadable=False
    )
    blank = {
        address: AccountRow(
            address, 77, PROGRAM_ID, encoded(grant, initialized=False), PLACE, PROGRAM_ID
        )
    }
    assert read_state(grant, blank, PROGRAM_ID) == PopStateReading(
        known=True, slot=77, place=PLACE
    ), "written by nobody yet"


@pytest.mark.parametrize("what", ["nonsense", "another account", "another grant's"])
def test_pop_state_that_is_none_is_unreadable_and_not_absent(what: str) -> None:
    grant, _ = state_row(None)
    stranger = World().address("stranger")
    data = {
        "nonsense": b"\x07" * 122,
        "another account": encode_account(ClaimReceipt(grant, stranger, 0, 1)),
        "another grant's": encoded(stranger),
    }[what]
    _, accounts = state_row(data)
    assert read_state(grant, accounts, PROGRAM_ID) == PopStateReading(
        known=True, slot=77, place=PLACE, unreadable=True
    )


# -- what strict links and PopState show to be there --


def test_pop_state_closes_a_chain_of_strict_links() -> None:
    assert chain(ANN, BOB, state=seen("bob")).is_closed_by_state
    assert chain(state=seen(None)).is_closed_by_state, "nobody claimed"
    assert not chain(ANN, BOB).is_closed_by_state, "not collected"
    assert not chain(ANN, BOB, state=seen("bob", unreadable=True)).is_closed_by_state
    assert not chain(ANN, BOB, state=seen("ann", slot=19)).is_closed_by_state, (
        "read before bob landed"
    )
    assert not chain(ANN, BOB, state=seen("ann")).is_closed_by_state, "it contradicts the links"
    assert not chain(ANN, BOB, state=seen("unseen")).is_closed_by_state
    assert not chain(BOB, state=seen("bob")).is_closed_by_state, "ann is missing"
    assert not chain(ANN, BOB, state=seen("bob"), eras=RELAXED).is_closed_by_state, (
        "no link tells of another relaxed claim"
    )


def test_what_an_unseen_entry_of_strict_rules_rests_on_was_accepted() -> None:
    assert chain(ANN, BOB, state=seen("bob")).strict_ground == []
    assert chain(BOB, state=seen("bob")).strict_ground == ["ann"], "bob names her"
    assert chain(ANN, state=seen("unseen")).strict_ground == ["unseen"], "PopState names it"
    assert chain(BOB, state=seen("unseen")).strict_ground == ["ann", "unseen"]
    assert chain(BOB, state=seen("unseen"), eras=RELAXED).strict_ground == [], (
        "any parent is accepted"
    )
    change = EraTimeline([Shown(15, only("strict"), "seen"), Shown(90, only("relaxed"), "seen")])
    assert chain(ANN, state=seen("unseen", slot=99), eras=change).strict_ground == []


def test_the_stream_head_is_pop_state_s_own_where_the_head_is() -> None:
    own = seen("bob", stream_head="stream")
    assert (chain(ANN, BOB, state=own).head, chain(ANN, BOB, state=own).stream_head) == (
        "bob",
        "stream",
    )
    stale = seen("ann", slot=19, stream_head="stream")
    assert (chain(ANN, BOB, state=stale).head, chain(ANN, BOB, state=stale).stream_head) == (
        "bob",
        "bob",
    )
    unreadable = seen("ann", stream_head="stream", unreadable=True)
    assert chain(ANN, BOB, state=unreadable).stream_head == "bob"
    assert chain(ANN, BOB).stream_head == "bob"
    assert chain(state=seen(None)).stream_head == GENESIS_HASH
