"""What was checked and what was not, and findings about the evidence itself: every sentence by the evidence that it is about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.diagnosis.coverage import coverage_of, evidence_findings, logical_name
from popkit.diagnosis.result import Coverage, Finding
from popkit.evidence.lines import Place, Problem

TRANSACTIONS = "rpc/transactions.jsonl"


def problem(code: str, file: str = TRANSACTIONS, line: int = 7) -> Problem:
    return Problem(code, "in words for people", Place(file, line, None, None))


def transactions(signature: list[str], unavailable: tuple[str, ...] = (), **fields: Any) -> SimpleNamespace:
    """Transactions as given: slot 5, accepted, unless told otherwise."""
    errors = fields.get("errors", [None] * len(signature))
    slots = fields.get("slots", [5] * len(signature))
    return SimpleNamespace(
        signature=signature, unavailable=set(unavailable), slot=slots, meta=[SimpleNamespace(err=error) for error in errors]
    )


def listed(**rows: Any) -> dict[str, SimpleNamespace]:
    """The node's list: slot 5, accepted, unless told otherwise."""
    return {name: SimpleNamespace(slot=row[0], err=row[1]) for name, row in rows.items()}


def facts(**change: Any) -> Any:
    """The facts of a case of which nothing was collected but what is named."""
    evidence = {"problems": [], "digests": None, "transactions": None, "signatures": None, "accounts": None}
    evidence |= {"bucket": None, "receipts": None, "storage": None, "reports": None}
    evidence |= {name: change.pop(name) for name in list(change) if name in evidence}
    told = {
        "evidence": SimpleNamespace(**evidence),
        "header": SimpleNamespace(sources=change.pop("sources", {})),
        "accounts": evidence["accounts"] or {},
        "signer_now": None,
        "audit": SimpleNamespace(is_known=False, reaches_genesis=False, sources={}),
        "tampering": SimpleNamespace(export_is_partial=False),
        "receipts_without_claims": lambda grant: [],
    }
    return SimpleNamespace(**(told | change))


# -- the evidence itself --


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zst", "a.jsonl.gz"])
def test_a_file_s_name_is_that_of_what_it_holds(name: str) -> None:
    assert logical_name(name) == "a.jsonl"


def test_findings_about_lines_are_one_a_file_and_kind() -> None:
    told = [
        problem("transaction_unavailable", line=1),
        problem("not_json", "rpc/signatures.jsonl.zst"),
        problem("not_json", "rpc/signatures.jsonl", 9),
        problem("contradictory_lines", "rpc/accounts.jsonl.gz"),
        problem("contradictory_lines", "rpc/accounts.jsonl"),
        problem("no_manifest", "manifest-sha256.txt"),
        problem("unreadable_document", "worker/events.json"),
        problem("transaction_unavailable", line=2),
    ]
    found = list(evidence_findings(facts(problems=told)))
    assert found == [
        Finding("evidence_contradictory", None, ("rpc/accounts.jsonl", ""), "one content a key", "keys with several"),
        Finding(
            "evidence_unreadable",
            None,
            ("rpc/signatures.jsonl", "not_json"),
            observed="2 parts: not json",
            not_checked="what they held",
        ),
        Finding("transaction_missing", None, (TRANSACTIONS, ""), observed="null for 2 transactions", not_checked="what they did"),
        Finding(
            "evidence_unreadable",
            None,
            ("worker/events.json", "unreadable_document"),
            observed="1 part: unreadable document",
            not_checked="what they held",
        ),
    ]
    one = list(evidence_findings(facts(problems=[told[0]])))
    assert [f.observed for f in one] == ["null for 1 transaction"]
    assert list(evidence_findings(facts(problems=list(reversed(told))))) == found, "the order of lines does not matter"
    assert list(evidence_findings(facts())) == []


def of_lists(given: Any, rows: Any) -> list[Finding]:
    return list(evidence_findings(facts(transactions=given, signatures=rows)))


def test_transactions_that_were_listed_and_not_given() -> None:
    rows = listed(a=(5, None), c=(5, None), b=(5, None))
    assert of_lists(transactions(["a", "b", "c"]), rows) == []
    assert of_lists(transactions(["a"], ("b", "c")), rows) == [], "the node says that it has none"
    seen, text = "2 listed and not in the case", "what 2 listed transactions did"
    assert of_lists(transactions(["a"]), rows) == [
        Finding("transaction_missing", None, (TRANSACTIONS, "b"), observed=seen, not_checked=text)
    ]
    [one] = of_lists(transactions(["a", "b"]), rows)
    assert (one.where[1], one.observed, one.not_checked) == ("c", "1 listed and not in the case", "what 1 listed transaction did")
    assert of_lists(transactions(["a"]), None) == []
    assert of_lists(None, rows) == []


def test_transactions_of_which_the_list_says_otherwise() -> None:
    error = {"InstructionError": [1, {"Custom": 6026}]}
    given = transactions(["gone", "a", "b", "c", "d", "e"], errors=[None, None, error, error, None, error], slots=[5, 5, 5, 5, 6, 5])
    rows = listed(missing=(9, None), a=(5, None), b=(5, error), c=(5, None), d=(7, None), e=(5, {"InstructionError": [2, "other"]}))
    missing, *others = of_lists(given, rows)
    assert missing.where == (TRANSACTIONS, "missing")
    where = {name: (TRANSACTIONS, name) for name in rows}
    refused = 'refused with {"InstructionError": [1, {"Custom": 6026}]}'
    other = 'refused with {"InstructionError": [2, "other"]}'
    assert others == [
        Finding("outcome_contradictory", None, where["c"], "slot 5, accepted", f"slot 5, {refused}", slot=5),
        Finding("outcome_contradictory", None, where["d"], "slot 7, accepted", "slot 6, accepted", slot=7),
        Finding("outcome_contradictory", None, where["e"], f"slot 5, {other}", f"slot 5, {refused}", slot=5),
    ]


# -- coverage --


NOTHING = [
    "that the files are those collected: the case has no manifest",
    "claims: no transactions were collected",
    "whether transactions are missing: no list of signatures was collected",
    "heads and receipts against accounts: none were collected",
    "the worker's records: none were collected, so proofs that were never sent do not show",
    "the immutable bucket: no export was collected",
    "ticket receipts: none were collected",
    "wallets' reports: none were collected",
    "the worker's present signer: no status was collected",
]
PARTS = {
    "every file against the manifest": {"digests": {}},
    "transactions: signatures, proofs, links, errors": {"transactions": transactions([])},
    "the node's list of signatures against its transactions": {"signatures": {}},
    "PopState, receipts, terms and signers against accounts": {"accounts": {}},
    "the worker's audit entries, recomputed and linked": {
        "audit": SimpleNamespace(is_known=True, reaches_genesis=True, sources={}),
    },
    "bucket objects against their entries": {"bucket": {}},
    "ticket receipts against their entries": {"receipts": []},
    "wallets' reports": {"reports": []},
    "the worker's signer against pop-config": {"signer_now": "key"},
}
WHOLE: dict[str, Any] = {name: value for part in PARTS.values() for name, value in part.items()}


def coverage(*judgements: Any, more: tuple[str, ...] = (), findings: tuple[Finding, ...] = (), **change: Any) -> Coverage:
    return coverage_of(facts(**change), list(judgements), list(more), list(findings))


def judgement(grant: str = "Grant", *missing: str, state: bool = True) -> Any:
    line = SimpleNamespace(chain=SimpleNamespace(state=SimpleNamespace(known=state)))
    return SimpleNamespace(grant=grant, missing_evidence=list(missing), line=line)


def test_nothing_was_collected() -> None:
    assert coverage() == Coverage([], NOTHING)


@pytest.mark.parametrize(("place", "checked"), list(enumerate(PARTS)))
def test_each_part_is_checked_where_it_was_collected(place: int, checked: str) -> None:
    assert coverage(**PARTS[checked]) == Coverage([checked], NOTHING[:place] + NOTHING[place + 1 :])


def test_everything_was_collected() -> None:
    assert coverage(judgement(), **WHOLE) == Coverage(list(PARTS), [])
    storage = {**WHOLE, "receipts": None, "storage": {}}
    assert coverage(judgement(), **storage) == Coverage(list(PARTS), []), "the storage holds ticket receipts too"


def unchecked(*judgements: Any, **change: Any) -> list[str]:
    """What is not checked of a case of which else everything was collected."""
    return coverage(*judgements, **{**WHOLE, **change}).not_checked


def test_parts_that_could_not_be_read() -> None:
    told = [problem("not_json", "rpc/signatures.jsonl.zst"), problem("no_manifest"), problem("not_json", "rpc/accounts.jsonl")]
    assert unchecked(problems=told) == ["rpc/signatures.jsonl: not json", "rpc/accounts.jsonl: not json"]


def test_transactions_that_are_missing() -> None:
    text = "transactions that the node listed and that are not in the case"
    assert unchecked(signatures=listed(a=(5, None))) == [text]
    assert unchecked(signatures=listed(a=(5, None)), transactions=transactions(["a"], slots=[6])) == []


def test_what_the_collector_states() -> None:
    sources = {
        "completeness": [{"address": "Grant", "role": "grant", "complete": False, "because": ["one", "two"]}],
        "missing": ["the bucket"],
        "left_out": ["older entries"],
    }
    stated = ["grant Grant: incomplete: one; two", "not collected: the bucket"]
    assert unchecked(sources=sources) == stated
    behind = SimpleNamespace(is_known=True, reaches_genesis=False, sources={})
    before = "the worker's audit chain before its oldest unbroken entry"
    assert unchecked(sources=sources, audit=behind) == [*stated, "left out by the worker: older entries", before]


def test_what_findings_could_not_check() -> None:
    found = (
        Finding("terms_unknown", "Grant", ("file", "key"), not_checked="b"),
        Finding("issuer_unknown", "Grant", ("file", "other"), not_checked="a"),
        Finding("issuer_unknown", "Grant", ("file", "key"), not_checked="a"),
        Finding("ticket_receipt_unchecked", None, ("file", "key"), not_checked="c"),
        Finding("chain_broken", "Grant", ("file", "key"), "a", "b"),
        *(
            Finding(code, None, ("file", "key"), not_checked="said otherwise")
            for code in ("evidence_unreadable", "transaction_missing", "worker_records_missing")
        ),
    )
    assert unchecked(findings=found) == ["Grant: a", "Grant: b", "c"]
    assert unchecked(findings=found, more=("first",)) == ["first", "Grant: a", "Grant: b", "c"]


def test_a_signer_that_could_not_be_compared_is_said_once() -> None:
    found = (Finding("signer_unknown", "Grant", ("file", "key"), not_checked="older"),)
    assert unchecked(findings=found) == ["Grant: older"]
    assert unchecked(findings=found, signer_now=None) == [NOTHING[-1]]


def test_what_is_missing_of_a_grant() -> None:
    assert unchecked(judgement("One", "a", "b"), judgement("Two", "c")) == ["One: a", "One: b", "Two: c"]
    unseen = {"One": ["receipt"], "Two": ["receipt", "receipt"], "Three": []}
    told = [judgement(grant) for grant in unseen]
    assert unchecked(*told, receipts_without_claims=lambda grant: unseen[grant]) == [
        "One: the claims of 1 receipt that no transaction in the case is",
        "Two: the claims of 2 receipts that no transaction in the case is",
    ]
    assert unchecked(judgement(state=False), accounts={"key": 1}) == ["Grant: the PopState account was not collected"]
    assert unchecked(judgement(state=False), accounts={}) == []
    assert unchecked(judgement(state=True), accounts={"key": 1}) == []


def test_what_is_missing_of_the_worker() -> None:
    assert unchecked(tampering=SimpleNamespace(export_is_partial=True)) == [
        "the immutable bucket: most objects that sinks name are not in the export"
    ]
    for numbers, text in (([0, 0], None), ([1, 0], "1 row"), ([1, 2], "3 rows")):
        sources = {str(n): SimpleNamespace(nameless=count) for n, count in enumerate(numbers)}
        audit = SimpleNamespace(is_known=True, reaches_genesis=True, sources=sources)
        assert unchecked(audit=audit) == ([] if text is None else [f"{text} of the worker's records that state no hash"])
    unknown = coverage(**{**WHOLE, "audit": SimpleNamespace(is_known=False, reaches_genesis=False, sources={})})
    assert unknown.not_checked == [NOTHING[4]]
