"""What is said of completeness, check by check: each fires for its fault, and not for what only
looks like it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from popkit.case import open_case
from popkit.collecting.completeness import CANNOT_TELL, HOLDS, VIOLATED, Seen, Statement, state
from popkit.collecting.listing import Listing, Row
from popkit.collecting.state import AccountsSeen
from popkit.drill.addresses import pop_config_address
from popkit.facts import Facts
from popkit.protocol.keys import PROGRAM_ID
from tests.conftest import CASES

CASE = "intact"


@pytest.fixture
def facts() -> Facts:
    return open_case(CASES / CASE).facts


@pytest.fixture
def seen(facts: Facts) -> Seen:
    """What a faultless collection of the case saw."""
    grant = facts.header.grants[0]
    authority = facts.history.authority_of(grant)
    assert authority is not None
    found = Seen()
    for address in (grant, pop_config_address(authority), PROGRAM_ID):
        rows = [
            row for row in (facts.evidence.signatures or {}).values() if address in row.addresses
        ]
        rows.sort(key=lambda row: -row.slot)
        found.lists[address] = [
            Listing(address, [Row(row.signature, row.slot) for row in rows], 2, True)
        ]
    receipts = {a.receipt: {"data": []} for a in facts.chain(grant).accepted}
    found.receipts[grant] = AccountsSeen(
        dict(receipts), {max(row.slot or 0 for row in facts.accounts.values())}
    )
    return found


def of_grant(facts: Facts, seen: Seen) -> Statement:
    return next(statement for statement in state(facts, seen) if statement.role == "grant")


def outcomes(statement: Statement) -> dict[str, str]:
    return {check.name: check.outcome for check in statement.checks}


def details(statement: Statement) -> str:
    return " ".join(check.detail for check in statement.checks)


def test_a_faultless_collection_is_complete(facts: Facts, seen: Seen) -> None:
    statements = state(facts, seen)
    assert [statement.role for statement in statements] == ["grant", "pop-config", "program"]
    assert all(statement.complete and not statement.because for statement in statements)
    assert set(outcomes(statements[0]).values()) == {HOLDS, "cannot tell"}


def end_early(seen: Seen, listing: Listing) -> None:
    listing.ended, listing.why = False, "timeout: no whole answer"


def lose_overlap(seen: Seen, listing: Listing) -> None:
    listing.overlaps = False


def rise(seen: Seen, listing: Listing) -> None:
    listing.ordered = False


def not_given(seen: Seen, listing: Listing) -> None:
    seen.not_given.add(listing.rows[3].signature)


def drop_from_list(seen: Seen, listing: Listing) -> None:
    del listing.rows[3]


def foreign_receipt(seen: Seen, listing: Listing) -> None:
    seen.receipts[listing.address].accounts[PROGRAM_ID] = {"data": []}


def lost_receipt(seen: Seen, listing: Listing) -> None:
    seen.receipts[listing.address].accounts.popitem()


def behind(seen: Seen, listing: Listing) -> None:
    seen.behind = "its newest block is old"


def second_without(seen: Seen, listing: Listing) -> None:
    seen.second[listing.address] = Listing(
        listing.address, [*listing.rows, Row("lost", 1)], 1, True
    )
    seen.second_alone[listing.address] = [Row("lost", 1)]
    seen.not_given.add("lost")


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (end_early, "listed_to_the_end"),
        (lose_overlap, "pages_overlap"),
        (rise, "newest_first"),
        (not_given, "transactions_given"),
        (drop_from_list, "lists_agree"),
        (foreign_receipt, "receipts_match"),
        (lost_receipt, "receipts_match"),
        (behind, "node_is_current"),
        (second_without, "second_endpoint_agrees"),
    ],
)
def test_each_fault_is_named_and_ends_completeness(
    facts: Facts, seen: Seen, fault: Any, check: str
) -> None:
    listing = seen.lists[facts.header.grants[0]][0]
    fault(seen, listing)
    statement = of_grant(facts, seen)
    assert outcomes(statement)[check] == VIOLATED
    assert not statement.complete
    assert check in {why.split(":")[0] for why in statement.because}


def test_a_row_left_out_of_one_list_puts_every_list_of_that_node_in_doubt(
    facts: Facts, seen: Seen
) -> None:
    drop_from_list(seen, seen.lists[facts.header.grants[0]][0])
    others = [statement for statement in state(facts, seen) if statement.role != "grant"]
    assert [outcomes(statement).get("node_lists_whole") for statement in others] == [
        VIOLATED,
        VIOLATED,
    ]


def test_a_transaction_not_given_puts_no_other_list_in_doubt(facts: Facts, seen: Seen) -> None:
    not_given(seen, seen.lists[facts.header.grants[0]][0])
    assert not any("node_lists_whole" in outcomes(statement) for statement in state(facts, seen))


def test_a_receipt_newer_than_the_node_s_answer_is_no_fault(facts: Facts, seen: Seen) -> None:
    grant = facts.header.grants[0]
    newest = facts.chain(grant).accepted[-1]
    del seen.receipts[grant].accounts[newest.receipt]
    seen.receipts[grant].slots = {newest.slot - 1}
    assert outcomes(of_grant(facts, seen))["receipts_match"] == HOLDS


def test_a_node_without_program_accounts_cannot_tell_of_receipts(facts: Facts, seen: Seen) -> None:
    grant = facts.header.grants[0]
    seen.receipts[grant] = AccountsSeen(why="method_missing: the node does not offer this method")
    statement = of_grant(facts, seen)
    assert outcomes(statement)["receipts_match"] == "cannot tell"
    assert statement.complete


def test_what_lies_before_the_node_s_history_is_called_pruned(facts: Facts, seen: Seen) -> None:
    listing = seen.lists[facts.header.grants[0]][0]
    seen.not_given.add(listing.rows[-1].signature)
    assert "pruned" not in details(of_grant(facts, seen))
    seen.first_block = listing.rows[-1].slot
    assert "pruned" not in details(of_grant(facts, seen))
    seen.first_block = listing.rows[-2].slot
    assert f"1 pruned: the node's history begins with slot {seen.first_block}" in details(
        of_grant(facts, seen)
    )


def test_a_second_endpoint_is_held_to_what_both_can_know(facts: Facts, seen: Seen) -> None:
    grant = facts.header.grants[0]
    rows = seen.lists[grant][0].rows
    seen.second[grant] = Listing(grant, list(rows), 1, True)
    assert outcomes(of_grant(facts, seen))["second_endpoint_agrees"] == HOLDS
    later = Row("later", rows[0].slot + 9)
    seen.second[grant] = Listing(grant, [later, *rows], 1, True)
    seen.second_alone[grant] = [later]
    assert outcomes(of_grant(facts, seen))["second_endpoint_agrees"] == HOLDS
    seen.second[grant] = Listing(grant, rows[1:], 1, True)
    told = next(
        check for check in of_grant(facts, seen).checks if check.name == "second_endpoint_agrees"
    )
    assert (
        told.outcome == CANNOT_TELL
    )  # it is asked after the first one: what it lacks, it does not know
    assert "lacks the newest 1" in told.detail
    seen.second[grant] = Listing(grant, [rows[0], *rows[2:]], 1, True)
    assert outcomes(of_grant(facts, seen))["second_endpoint_agrees"] == "cannot tell"


def test_a_list_that_begins_after_the_creation_is_not_whole(
    tmp_path: Path, facts: Facts, seen: Seen
) -> None:
    from tests.conftest import Copy

    copy = Copy(CASE, tmp_path / "case")
    created = next(
        step.signature
        for step in facts.history.of_grant(facts.header.grants[0])
        if step.name == "create_grant"
    )
    copy.change(
        "rpc/transactions.jsonl", lambda rows: [row for row in rows if row["signature"] != created]
    )
    later = open_case(copy.seal().path).facts
    for lists in seen.lists.values():
        lists[0].rows = [row for row in lists[0].rows if row.signature != created]
    statement = of_grant(later, seen)
    assert outcomes(statement)["oldest_is_creation"] == VIOLATED
    assert not statement.complete
