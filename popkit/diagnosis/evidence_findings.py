"""Findings about the evidence itself: lines that contradict each other or cannot be read, what was listed and not given, a false clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from popkit.diagnosis.checks import TRANSACTIONS
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.result import Finding
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
            yield Finding("evidence_contradictory", None, (file, ""), "one value per key", "keys with conflicting values")
        elif code == "time_in_milliseconds":
            seen = f"{counted(count, 'time')} in milliseconds, read as such"
            yield Finding("time_in_milliseconds", None, (file, ""), "unix seconds", seen)
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
    yield from listed_and_given(facts)
    if facts.clock_is_impossible:
        wanted = "the cluster's clock at the slot of the accounts, in unix seconds"
        yield Finding("evidence_contradictory", None, ("case.json", "collected_at"), wanted, str(facts.now))


def listed_and_given(facts: Facts) -> Iterator[Finding]:
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
