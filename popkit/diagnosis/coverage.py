"""What was checked, what could not be, and findings about the evidence itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from popkit.diagnosis.checks import TRANSACTIONS
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.judge import Judgement
from popkit.diagnosis.result import Coverage, Finding
from popkit.evidence.collection import incomplete_addresses, left_out_by_worker, missing_parts
from popkit.wording import counted

_SUFFIXES = (".zst", ".gz")
CONTRADICTIONS = frozenset({"contradictory_lines"})


def logical_name(file: str) -> str:
    """A file's name without its compression: findings do not depend on how a case was packed."""
    for suffix in _SUFFIXES:
        file = file.removesuffix(suffix)
    return file


def evidence_findings(facts: Facts) -> Iterator[Finding]:
    """Findings about lines that contradict each other or could not be read, and transactions listed and not given.

    A finding names the file alone, not the line: line numbers depend on how a file was ordered.
    """
    counts: dict[tuple[str, str], int] = {}
    for problem in facts.evidence.problems:
        if problem.code == "no_manifest":
            continue
        key = (logical_name(problem.place.file), problem.code)
        counts[key] = counts.get(key, 0) + 1
    for (file, code), count in sorted(counts.items()):
        if code in CONTRADICTIONS:
            yield Finding("evidence_contradictory", None, (file, ""), "one content a key", "keys with several")
        elif code == "time_in_milliseconds":
            wanted, seen = "unix seconds", f"{counted(count, 'time')} in milliseconds, read as such"
            yield Finding("time_in_milliseconds", None, (file, ""), wanted, seen)
        elif code == "transaction_unavailable":
            yield Finding(
                "transaction_missing", None, (file, ""), observed=f"null for {counted(count, 'transaction')}", not_checked="what they did"
            )
        else:
            yield Finding(
                "evidence_unreadable",
                None,
                (file, code),
                observed=f"{counted(count, 'part')}: {code.replace('_', ' ')}",
                not_checked="what they held",
            )
    yield from _listed_and_given(facts)


def _listed_and_given(facts: Facts) -> Iterator[Finding]:
    """The node's list against the transactions it gave: missing ones, and other slots or outcomes."""
    transactions, signatures = facts.evidence.transactions, facts.evidence.signatures
    if transactions is None or signatures is None:
        return
    row_of = {signature: row for row, signature in enumerate(transactions.signature)}
    missing = sorted(s for s in signatures if s not in row_of and s not in transactions.unavailable)
    if missing:
        text = f"what {counted(len(missing), 'listed transaction')} did"
        yield Finding(
            "transaction_missing",
            None,
            (TRANSACTIONS, missing[0]),
            observed=f"{len(missing)} listed and not in the case",
            not_checked=text,
        )
    for signature, listed in signatures.items():
        row = row_of.get(signature)
        if row is None:
            continue
        given = (transactions.slot[row], transactions.meta[row].err)
        if given != (listed.slot, listed.err):
            seen, wanted = _outcome(*given), _outcome(listed.slot, listed.err)
            yield Finding("outcome_contradictory", None, (TRANSACTIONS, signature), wanted, seen, slot=listed.slot)


def _outcome(slot: int, err: Any) -> str:
    return f"slot {slot}, {'accepted' if err is None else f'refused with {json.dumps(err, sort_keys=True)}'}"


SAID_OTHERWISE = frozenset({"evidence_unreadable", "transaction_missing", "worker_records_missing", "signer_unknown"})
"""Findings of which the coverage has a sentence of its own."""


def coverage_of(facts: Facts, judgements: list[Judgement], more: list[str], findings: list[Finding]) -> Coverage:
    """What was checked and what was not, in words that do not depend on the order of lines."""
    coverage = Coverage(not_checked=list(more))
    evidence = facts.evidence
    parts = (
        (
            evidence.digests is not None,
            "every file against the manifest",
            "that the files are those collected: the case has no manifest",
        ),
        (
            evidence.transactions is not None,
            "transactions: signatures, proofs, links, errors",
            "claims: no transactions were collected",
        ),
        (
            evidence.signatures is not None,
            "the node's list of signatures against its transactions",
            "whether transactions are missing: no list of signatures was collected",
        ),
        (
            evidence.accounts is not None,
            "PopState, receipts, terms and signers against accounts",
            "heads and receipts against accounts: none were collected",
        ),
        (
            facts.audit.is_known,
            "the worker's audit entries, recomputed and linked",
            "the worker's records: none were collected, so proofs that were never sent do not show",
        ),
        (evidence.bucket is not None, "bucket objects against their entries", "the immutable bucket: no export was collected"),
        (
            evidence.receipts is not None or evidence.storage is not None,
            "ticket receipts against their entries",
            "ticket receipts: none were collected",
        ),
        (evidence.reports is not None, "wallets' reports", "wallets' reports: none were collected"),
        (
            facts.signer_now is not None,
            "the worker's signer against pop-config",
            "the worker's present signer: no status was collected",
        ),
    )
    for have, checked, missing in parts:
        (coverage.checked if have else coverage.not_checked).append(checked if have else missing)
    for problem in evidence.problems:
        if problem.code not in ("no_manifest", "time_in_milliseconds"):
            coverage.not_checked.append(f"{logical_name(problem.place.file)}: {problem.code.replace('_', ' ')}")
    if any(f.code == "transaction_missing" for f in _listed_and_given(facts)):
        coverage.not_checked.append("transactions that the node listed and that are not in the case")
    coverage.not_checked += _stated(facts)
    said = SAID_OTHERWISE if facts.signer_now is None else SAID_OTHERWISE - {"signer_unknown"}
    unchecked = (f for f in findings if f.not_checked and f.code not in said)
    coverage.not_checked += sorted({f"{f.grant}: {f.not_checked}" if f.grant else str(f.not_checked) for f in unchecked})
    for judgement in judgements:
        coverage.not_checked += [f"{judgement.grant}: {text}" for text in judgement.missing_evidence]
        unseen = len(facts.receipts_without_claims(judgement.grant))
        if unseen:
            coverage.not_checked.append(f"{judgement.grant}: the claims of {counted(unseen, 'receipt')} that no transaction in the case is")
        if facts.accounts and not judgement.line.chain.state.known:
            coverage.not_checked.append(f"{judgement.grant}: the PopState account was not collected")
    if facts.tampering.export_is_partial:
        coverage.not_checked.append("the immutable bucket: most objects that sinks name are not in the export")
    nameless = sum(source.nameless for source in facts.audit.sources.values())
    if nameless:
        coverage.not_checked.append(f"{counted(nameless, 'row')} of the worker's records that state no hash")
    if facts.audit.is_known and not facts.audit.reaches_genesis:
        coverage.not_checked.append("the worker's audit chain before its oldest unbroken entry")
    return coverage


def _stated(facts: Facts) -> list[str]:
    """What the collector itself states to be missing; what the worker leaves out matters only where nothing else reaches further back."""
    stated = [*incomplete_addresses(facts.header).values(), *(f"not collected: {text}" for text in missing_parts(facts.header))]
    if not facts.audit.reaches_genesis:
        stated += [f"left out by the worker: {text}" for text in left_out_by_worker(facts.header)]
    return stated
