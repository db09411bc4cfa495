"""Claims that links, PopState or receipts name and that no transaction of the evidence is."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, TRANSACTIONS, GrantSide
from popkit.texts import Noun, Text

_MISSING = Noun("named entry", "named entries", "{n}件のエントリ")
_ITS_TRANSACTION = Text(
    "the claim's transaction in the evidence", "claim のトランザクションが証拠にあること"
)
_NOT_RETURNED = Text(
    "the node did not return the transaction", "ノードがこのトランザクションを返していません"
)
_NONE_MISSING = Text(
    "no accepted claim is missing between the ends", "両端の間に受理された claim の欠落がないこと"
)
_ALL = Text(
    "the evidence holds every named entry and every listed transaction",
    "参照されているすべてのエントリと、一覧にあるすべてのトランザクションが証拠にあります",
)
_ALL_THERE = Text("the evidence holds them all", "すべて証拠にあります")
_NOT_SHOWN = Text(
    "the evidence does not show that it holds every transaction",
    "すべてのトランザクションが揃っているかどうか、証拠からは分かりません",
)
_LACKS = Text("the evidence lacks {count}", "{count}が証拠にありません")
_ITS_CLAIM = Text("the claim that made the receipt", "このレシートを作成した claim")
_CLAIM_NOT_RETURNED = Text(
    "the node did not return that claim's transaction",
    "ノードがその claim のトランザクションを返していません",
)

ENTRY_UNSEEN = Rule(
    "entry_unseen",
    "warning",
    "grant",
    source="program §1.8",
    holds=Text(
        "the evidence holds every claim that a link or PopState names",
        "リンクまたは PopState が示す claim がすべて証拠にあること",
    ),
    meaning=Text(
        "The chain names an accepted claim whose transaction is not in the evidence.",
        "チェーンが示す受理済みの claim のトランザクションが、証拠にありません。",
    ),
    advice=Text(
        "Collect again from another RPC node; until then the chain past that claim cannot be "
        "judged.",
        "別の RPC ノードから再収集してください。それまで、"
        "この claim より先のチェーンは判定できません。",
    ),
)


@ENTRY_UNSEEN.asks
def every_gap(side: GrantSide) -> Iterator[Answer]:
    """Each entry that the chain names and no transaction carries."""
    for entry in side.chain.unseen:
        yield ENTRY_UNSEEN.violated((TRANSACTIONS, entry), _ITS_TRANSACTION(), _NOT_RETURNED())


@ENTRY_UNSEEN.asks
def none_missing(side: GrantSide) -> Iterator[Answer]:
    """Whether both ends and the links between them show that every accepted claim is there; a gap
    is no proof of a fault.
    """
    gaps, where = len(side.chain.unseen), (ACCOUNTS, side.grant)
    if side.is_complete and not gaps:
        yield ENTRY_UNSEEN.held(
            where, _ALL(), _ALL_THERE(), title=_NONE_MISSING, source="invariant L9"
        )
    else:
        observed = _LACKS(count=_MISSING(gaps)) if gaps else _NOT_SHOWN()
        yield ENTRY_UNSEEN.unknown(
            where, _ALL(), observed, title=_NONE_MISSING, source="invariant L9"
        )


def _has_receipts(side: GrantSide) -> bool:
    return bool(side.facts.receipts_of(side.grant))


CLAIM_UNSEEN = Rule(
    "claim_unseen",
    "warning",
    "grant",
    source="program §1.2",
    holds=Text(
        "the evidence holds the claim of every receipt",
        "すべてのレシートに対応する claim が証拠にあること",
    ),
    meaning=Text(
        "A receipt account exists whose claim is in no transaction of the evidence.",
        "レシートアカウントはありますが、対応する claim のトランザクションが証拠にありません。",
    ),
    advice=Text(
        "Collect again from another RPC node: a claim is missing, and under relaxed rules no "
        "link shows it.",
        "別の RPC ノードから再収集してください。claim が欠けており、"
        "relaxed の規則ではリンクからは分かりません。",
    ),
    applies=_has_receipts,
)


@CLAIM_UNSEEN.asks
def claim_unseen(side: GrantSide) -> Iterator[Answer]:
    """Each receipt whose claim no transaction is: under relaxed rules no link shows such a gap."""
    for receipt in side.facts.receipts_without_claims(side.grant):
        yield CLAIM_UNSEEN.violated((ACCOUNTS, receipt), _ITS_CLAIM(), _CLAIM_NOT_RETURNED())
