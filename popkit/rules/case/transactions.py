"""The node's list of signatures against the transactions that it gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from popkit.facts import Facts
from popkit.rules.case.evidence import UNAVAILABLE, problems_of
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import TRANSACTIONS, CaseSide
from popkit.texts import Sentence, Text
from popkit.wording import LISTED_TRANSACTIONS
from popkit.wording import TRANSACTIONS as SEVERAL

_NULLS = Text(
    "the node answered null for {transactions}", "ノードが{transactions}について null を返しました"
)
_NOT_GIVEN = Text(
    "the node lists {transactions} that the case does not hold",
    "{transactions}がケースにありません",
)
_WHAT_THEY_DID = Text("what {transactions} did", "{transactions}の内容")
_ACCEPTED = Text("slot {slot}, accepted", "スロット {slot}、受理")
_REFUSED = Text("slot {slot}, refused with {err}", "スロット {slot}、拒否「{err}」")


def missing_signatures(facts: Facts) -> list[str]:
    """The signatures that the node lists and that the case says nothing else of, ascending."""
    transactions, signatures = facts.evidence.transactions, facts.evidence.signatures
    if transactions is None or signatures is None:
        return []
    known = {*transactions.signature, *transactions.unavailable}
    return sorted(signature for signature in signatures if signature not in known)


def _can_be_compared(side: CaseSide) -> bool:
    """Whether the case holds both the node's list and transactions."""
    evidence = side.facts.evidence
    return evidence.transactions is not None and evidence.signatures is not None


def _is_asked(side: CaseSide) -> bool:
    """Whether there is a list to compare with, or a transaction that the node did not give."""
    codes = {code for _, code, _ in problems_of(side.facts)}
    return UNAVAILABLE in codes or _can_be_compared(side)


TRANSACTION_MISSING = Rule(
    "transaction_missing",
    "warning",
    "case",
    source="design §4",
    holds=Text(
        "the case holds every transaction that the node lists",
        "ノードの一覧にあるすべてのトランザクションがケースにあること",
    ),
    meaning=Text(
        "The node listed a transaction and did not give it.",
        "ノードの一覧にあるトランザクションが、ノードから得られませんでした。",
    ),
    advice=Text(
        "Collect the transaction from another node.",
        "別のノードからトランザクションを収集してください。",
    ),
    context=("observed", "not_checked"),
    applies=_is_asked,
)


@TRANSACTION_MISSING.asks
def answered_null(side: CaseSide) -> Iterator[Answer]:
    """Transactions for which the node had no answer."""
    for file, code, count in problems_of(side.facts):
        if code == UNAVAILABLE:
            yield TRANSACTION_MISSING.violated(
                (file, ""),
                observed=_NULLS(transactions=SEVERAL(count)),
                not_checked=_WHAT_THEY_DID(transactions=SEVERAL(count)),
            )


@TRANSACTION_MISSING.asks
def listed_alone(side: CaseSide) -> Iterator[Answer]:
    """Transactions that are on the node's list and not in the case."""
    missing = missing_signatures(side.facts)
    if missing:
        count = LISTED_TRANSACTIONS(len(missing))
        yield TRANSACTION_MISSING.violated(
            (TRANSACTIONS, missing[0]),
            observed=_NOT_GIVEN(transactions=count),
            not_checked=_WHAT_THEY_DID(transactions=count),
        )


OUTCOME_CONTRADICTORY = Rule(
    "outcome_contradictory",
    "critical",
    "case",
    source="design §4",
    holds=Text(
        "the node's list and its transactions agree on slots and outcomes",
        "ノードの一覧とトランザクションのスロットと結果が一致すること",
    ),
    meaning=Text(
        "The node's list and its transaction disagree on slot or outcome.",
        "ノードの一覧とトランザクションで、スロットまたは結果が食い違っています。",
    ),
    advice=Text("Collect again from a second node.", "別のノードから再収集してください。"),
    applies=_can_be_compared,
)


@OUTCOME_CONTRADICTORY.asks
def listed_otherwise(side: CaseSide) -> Iterator[Answer]:
    """Transactions whose slot or outcome is another in the node's list."""
    evidence = side.facts.evidence
    transactions, signatures = evidence.transactions, evidence.signatures or {}
    if transactions is None:
        return
    row_of = {signature: row for row, signature in enumerate(transactions.signature)}
    for signature, listed in signatures.items():
        row = row_of.get(signature)
        if row is None:
            continue
        given = (transactions.slot[row], transactions.meta[row].err)
        if given != (listed.slot, listed.err):
            yield OUTCOME_CONTRADICTORY.violated(
                (TRANSACTIONS, signature),
                _outcome(listed.slot, listed.err),
                _outcome(*given),
                slot=listed.slot,
            )


def _outcome(slot: int, err: Any) -> Sentence:
    """A slot and what became of a transaction there."""
    if err is None:
        return _ACCEPTED(slot=slot)
    return _REFUSED(slot=slot, err=json.dumps(err, sort_keys=True))
