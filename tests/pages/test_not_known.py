"""What is not known is "not known" on every page, never 0, none, nobody or an empty list; beside
what is known to be none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import popkit
from popkit import notebook
from popkit.pages import pictures as plots
from popkit.pages.blocks import Facts, Table
from popkit.pages.naming import fate_of
from popkit.pages.terminal import diagnosis_text
from tests.conftest import CASES, Copy

GAP = CASES / "rpc-gap"
"""Inconclusive: the node left out transactions, and no record of the worker is in the case."""
WORKERLESS = CASES / "abandoned-no-worker"
"""Broken, by the chain alone: no record of the worker is in the case."""


@pytest.fixture(scope="module")
def gap() -> Any:
    return popkit.open_case(GAP)


@pytest.fixture(scope="module")
def workerless() -> Any:
    return popkit.open_case(WORKERLESS)


@pytest.fixture
def without_transactions(copy_of: Callable[[str], Copy]) -> Any:
    """A broken grant whose transactions were not collected: its PopState, receipts and worker's
    records are there.
    """
    made = copy_of("abandoned-proof")
    made.drop("rpc/transactions.jsonl")
    return popkit.open_case(made.seal().path)


@pytest.fixture
def without_times(copy_of: Callable[[str], Copy]) -> Any:
    """A broken grant of which the node gave no block time."""
    made = copy_of("abandoned-proof")
    made.change(
        "rpc/transactions.jsonl",
        lambda rows: [{**row, "result": {**row["result"], "blockTime": None}} for row in rows],
    )
    made.change("rpc/signatures.jsonl", lambda rows: [{**row, "blockTime": None} for row in rows])
    return popkit.open_case(made.seal().path)


@pytest.fixture
def with_nothing(copy_of: Callable[[str], Copy]) -> Any:
    """A case of which only its header was kept."""
    made = copy_of("abandoned-proof")
    for folder in ("rpc", "worker", "client"):
        made.drop(folder)
    return popkit.open_case(made.seal().path)


def rows(block: Any, name: str) -> list[Any]:
    """The values of one name in the blocks of a group that hold names and values."""
    return [
        str(inner.rows[name])
        for inner in block.blocks
        if isinstance(inner, Facts) and name in inner.rows
    ]


def first_row(block: Any) -> list[str]:
    """The first row of a table, or of the first table of a group."""
    table = (
        block
        if isinstance(block, Table)
        else next(inner for inner in block.blocks if isinstance(inner, Table))
    )
    return list(map(str, table.rows[0]))


def test_claims_that_were_not_collected_are_not_counted_as_none(without_transactions: Any) -> None:
    case = without_transactions
    assert rows(notebook.overview(case), "claim attempts") == ["not known"]
    assert first_row(notebook.overview(case))[3:6] == ["not known", "not known", "6"]
    assert rows(notebook.statement(case), "claims") == ["not known"]
    assert rows(notebook.statement(case), "rules") == ["not known"]
    alt = plots.chain_over_time(case, case.grants[0]).alt
    assert (
        "accepted: not known; refused by a chain rule: not known; 6 issued, never accepted." in alt
    )
    assert "The last accepted claim is not known." in alt
    assert (
        "after a number of accepted links that is not known"
        in plots.heads(case, case.grants[0]).alt
    )


def test_who_was_hit_counts_no_refusals_where_no_transactions_were_collected(
    without_transactions: Any,
) -> None:
    case = without_transactions
    block = notebook.who_was_hit(case)
    assert first_row(block)[2:] == ["not known", "proof lost", "1", "no"]
    assert "whether a claim of theirs was accepted since is not known" in block.markdown()
    assert (
        "who had a claim refused is not known, 6 held a proof that was lost"
        in plots.impact(case, case.grants[0]).alt
    )


def test_forks_and_equivocations_need_transactions(without_transactions: Any) -> None:
    case = without_transactions
    for block in (notebook.forks(case), notebook.equivocations(case)):
        assert isinstance(block, Table)
        assert block.empty == "not known: no transactions are in the case"
    assert "Not known" in plots.fork_lanes(case, case.grants[0]).alt
    whole = popkit.open_case(CASES / "abandoned-proof")
    assert notebook.forks(whole).empty == "none: every parent has one child"  # type: ignore[attr-defined]


def test_a_claim_without_a_transaction_is_off_the_chain_only_where_all_were_given(
    without_transactions: Any,
) -> None:
    assert rows(notebook.first_bad(without_transactions), "txSignature") == [
        "not known: not every transaction of the grant is in the case"
    ]
    assert "first bad   not in the case; known from the worker's records" in diagnosis_text(
        without_transactions.diagnose()
    )
    quiet = popkit.open_case(CASES / "abandoned-quiet")
    assert rows(notebook.first_bad(quiet), "txSignature") == ["none: it never landed"]
    assert "first bad   not on chain; known from" in diagnosis_text(quiet.diagnose())


def test_a_first_bad_claim_that_is_not_known_is_not_none(gap: Any) -> None:
    assert "or whether there was any, is not known" in notebook.first_bad(gap).markdown()
    assert rows(notebook.statement(gap), "first bad") == ["not known"]
    assert "  first bad   not known\n" in diagnosis_text(gap.diagnose())
    assert "  最初の異常   不明\n" in diagnosis_text(gap.diagnose(), language="ja")
    sound = popkit.open_case(CASES / "intact")
    assert "no claim was refused by a chain rule or burnt" in notebook.first_bad(sound).markdown()
    assert "first bad" not in diagnosis_text(sound.diagnose())


def test_a_cause_that_is_not_known_is_not_none(gap: Any) -> None:
    assert first_row(notebook.overview(gap))[-1] == "not known"
    assert rows(notebook.statement(gap), "cause") == ["not known"]
    assert "whether something broke is not known" in notebook.causes(gap).markdown()
    assert "<td>not known</td>" in gap.diagnose().grants[0]._repr_html_()
    sound = popkit.open_case(CASES / "intact")
    assert first_row(notebook.overview(sound))[-1] == "none"
    assert "nothing shown here broke" in notebook.causes(sound).markdown()


def test_people_of_an_undecided_grant_are_not_nobody(gap: Any) -> None:
    assert "not known: the evidence shows nobody" in notebook.who_was_hit(gap).markdown()
    assert "Not known: the evidence shows nobody" in plots.impact(gap, gap.grants[0]).alt
    sound = popkit.open_case(CASES / "intact")
    assert "nobody: no claim of the issuer was refused" in notebook.who_was_hit(sound).markdown()


def test_losses_of_an_undecided_grant_are_not_zero(copy_of: Callable[[str], Copy]) -> None:
    made = copy_of("abandoned-proof")
    made.drop("rpc/accounts.jsonl")
    made.drop("worker")
    case = popkit.open_case(made.seal().path)
    (grant,) = case.diagnose().grants
    assert grant.verdict == "inconclusive"
    assert grant.healing.rows
    assert [first_row(notebook.who_was_hit(case))[i] for i in (2, 4, 5)] == [
        "1",
        "not known",
        "not known",
    ]
    assert "who held a proof that was lost is not known" in plots.impact(case, grant.grant).alt


def test_a_proof_that_an_undecided_grant_may_wait_for_is_not_none(gap: Any) -> None:
    block = notebook.waiting_for(gap)
    assert isinstance(block, Table)
    assert block.empty == f"not known of {gap.grants[0][:8]}"
    assert notebook.waiting_for(popkit.open_case(CASES / "intact")).empty.startswith("none")  # type: ignore[attr-defined]


def test_a_proof_that_nothing_tells_of_has_no_time(workerless: Any) -> None:
    assert first_row(notebook.waiting_for(workerless))[2:5] == [
        "not in the evidence",
        "not known",
        "not known",
    ]
    table = notebook.timeline(workerless)
    assert isinstance(table, Table)
    assert [
        str(row[0]) for row in table.rows if row[2] == "proof issued that was never accepted"
    ] == ["not known"]


def test_a_landing_without_a_block_time_is_not_dated(without_times: Any) -> None:
    case = without_times
    assert rows(notebook.last_good(case), "landed") == ["not known"]
    assert rows(notebook.first_bad(case), "landed") == ["not known"]
    assert (
        "When the last accepted claim landed is not known."
        in plots.chain_over_time(case, case.grants[0]).alt
    )
    table = notebook.timeline(case)
    assert isinstance(table, Table)
    when = {str(row[2]): str(row[0]) for row in table.rows}
    assert when["grant created"] == "not known"
    assert "last claim accepted (of 6) (then or later)" in when


def test_lists_that_nothing_could_fill_are_not_empty(workerless: Any) -> None:
    table = notebook.reconciliation(workerless)
    assert isinstance(table, Table)
    assert [str(row[0]) for row in table.rows if row[1] == "not known"] == [
        "recorded, not on chain",
        "on chain, not recorded",
    ]
    storage = popkit.open_case(CASES / "storage-only")
    tampered = notebook.audit_summary(storage).blocks[1]  # type: ignore[attr-defined]
    assert [(str(row[0]), row[1]) for row in tampered.rows] == [
        ("bucket object edited", "not known"),
        ("bucket object missing", "not known"),
    ]
    assert "  not known      bucket edited and bucket missing\n" in diagnosis_text(
        storage.diagnose()
    )
    assert "  不明           バケット改変、バケット欠落\n" in diagnosis_text(
        storage.diagnose(), language="ja"
    )
    whole = popkit.open_case(CASES / "cutover")
    assert "not known" not in notebook.audit_summary(whole).markdown()


def test_records_that_were_not_collected_are_not_counted_as_none(workerless: Any) -> None:
    block = notebook.audit_summary(workerless)
    assert rows(block, "entries whose hash holds") == ["not known"]
    assert rows(block, "reaches the first entry") == ["not known"]
    assert rows(block, "the worker's own answer") == ["not collected"]
    assert block.blocks[1].empty == "not checked: no records"  # type: ignore[attr-defined]


def test_an_answer_of_the_worker_that_does_not_say_is_not_known(
    copy_of: Callable[[str], Copy],
) -> None:
    made = copy_of("abandoned-proof")
    (made.path / "worker" / "audit-integrity.json").write_text(
        '{"status": 403, "body": {"error": "forbidden"}}'
    )
    assert rows(
        notebook.audit_summary(popkit.open_case(made.seal().path)), "the worker's own answer"
    ) == ["not known"]


def test_heads_that_nothing_tells_are_not_genesis(with_nothing: Any, gap: Any) -> None:
    for name in (
        "on chain (PopState)",
        "last accepted claim",
        "the worker's next parent",
        "known from",
        "one head",
    ):
        assert rows(notebook.heads_table(with_nothing), name) == ["not known"]
    assert "Not known" in plots.heads(with_nothing, with_nothing.grants[0]).alt
    assert "Not known" in plots.chain_over_time(with_nothing, with_nothing.grants[0]).alt
    assert "not known: the evidence names no event" in notebook.timeline(with_nothing).markdown()
    assert rows(notebook.statement(with_nothing), "last good") == [
        "not known: no accepted claim of this grant is in the case"
    ]
    assert "the worker's is not known." in plots.heads(gap, gap.grants[0]).alt
    unused = popkit.open_case(CASES / "unused")
    assert rows(notebook.heads_table(unused), "on chain (PopState)") == ["GENESIS"]
    assert "both heads are GENESIS" in plots.heads(unused, unused.grants[0]).alt


def test_a_worker_behind_the_chain_is_not_zero_proofs_ahead() -> None:
    """Its head is an accepted claim that others followed: no proof of its own stands between the
    two.
    """
    case = popkit.open_case(CASES / "era-upgrade")
    heads = case.diagnose().grants[0].two_heads
    assert (heads.are_one, heads.ahead, heads.behind) == (False, None, 4)
    assert rows(notebook.heads_table(case), "one head") == [
        "no: 4 accepted links behind the chain's head"
    ]
    unknown = replace(heads, behind=None)
    vars(case.diagnose().grants[0])["two_heads"] = unknown
    assert rows(notebook.heads_table(case), "one head") == [
        "no: how far they are apart is not known"
    ]


def test_links_are_counted_from_genesis_only_where_all_parents_are_known(gap: Any) -> None:
    (axes,) = plots.heads(gap, gap.grants[0]).figure.axes
    assert axes.get_ylabel() == "links from the oldest known"
    whole = popkit.open_case(CASES / "abandoned-proof")
    assert plots.heads(whole, whole.grants[0]).figure.axes[0].get_ylabel() == "links from GENESIS"


def test_a_refusal_without_an_error_is_still_a_refusal() -> None:
    proofs = popkit.open_case(CASES / "foreign-issuer").diagnose().grants[0].proofs.values()
    refused = next(proof for proof in proofs if proof.fate == "refused")
    assert fate_of(replace(refused, error=None)) == "refused, error not known"
    assert fate_of(replace(refused, fate="not known")) == "acceptance not known"
    assert fate_of(replace(refused, fate="lost")) == "never accepted"


def test_a_collector_that_states_no_number_is_not_shown_as_zero(
    copy_of: Callable[[str], Copy],
) -> None:
    made = copy_of("abandoned-proof")
    row = {"role": "grant", "address": "A" * 32, "complete": False, "because": [], "checks": []}
    header = json.loads((made.path / "case.json").read_text())
    (made.path / "case.json").write_text(json.dumps({**header, "sources": {"completeness": [row]}}))
    assert "| not known  |" in notebook.coverage(popkit.open_case(made.seal().path)).markdown()


def test_wallets_of_an_undecided_grant_are_named_beside_those_of_others() -> None:
    case = popkit.open_case(CASES / "term")
    first = case.diagnose().grants
    broken = [grant for grant in first if grant.verdict == "broken"]
    assert len(broken) > 1
    before = notebook.who_needs_a_claim(case).note  # type: ignore[attr-defined]
    vars(broken[0])["healing"] = replace(broken[0].healing, owed=None, still_open=None)
    after = notebook.who_needs_a_claim(case).note  # type: ignore[attr-defined]
    assert "is not known" not in before
    assert f"Who of grant {broken[0].grant[:8]} is still without a claim is not known." in after
