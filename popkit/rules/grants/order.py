"""The order of accepted claims against their links, and that each claimer and period has one claim
and one receipt.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.protocol.message import GENESIS_HASH
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, TRANSACTIONS, GrantSide
from popkit.texts import Noun, Text

_RECEIPTS = Noun("receipt", "receipts", "{n}件のレシート")
_CLAIMS = Noun("accepted claim", "accepted claims", "{n}件の受理された claim")

_FROM_GENESIS = Text(
    "the first proof starts from GENESIS", "最初の proof が GENESIS から始まること"
)
_ANY_PARENT = Text("any parent, by the relaxed rules", "緩和された規則により、どの親でも構いません")
_PARENT_IS_HEAD = Text(
    "the claim's parent {parent} is the head at that slot",
    "そのスロットで claim の親 {parent} が head であること",
)
_ANOTHER_IS_HEAD = Text(
    "another entry is the head at that slot", "そのスロットでは別のエントリが head です"
)
_EACH_AFTER_ITS_PARENT = Text(
    "each strict claim follows its parent, as far as the evidence holds both",
    "strict の規則による claim がそれぞれ親に続いています（両方が証拠にあるもの）",
)
_ONE_CLAIM = Text(
    "one accepted claim for a claimer and period",
    "claimer と期間ごとに受理された claim が 1 件だけであること",
)
_ANOTHER_CLAIM = Text(
    "another accepted claim of {claimer} for period {period}",
    "{claimer} の期間 {period} に、受理された claim がもう 1 件あります",
)
_ONE_RECEIPT = Text("one receipt for each claim", "claim ごとに 1 件のレシート")
_BOTH_COUNTS = Text(
    "the evidence holds {receipts} and {claims}", "証拠にあるのは、{receipts}と{claims}です"
)


def _has_links(side: GrantSide) -> bool:
    return bool(side.chain.linked)


def _has_claims(side: GrantSide) -> bool:
    return bool(side.chain.accepted)


ORDER_CONTRADICTS_LINKS = Rule(
    "order_contradicts_links",
    "critical",
    "grant",
    source="program §1.8",
    holds=Text(
        "accepted claims stand in the order of their links",
        "受理された claim の順序がリンクのとおりであること",
    ),
    meaning=Text(
        "An accepted strict claim does not stand where its links say it must.",
        "strict の規則で受理された claim の位置が、リンクの示す位置と異なります。",
    ),
    advice=Text(
        "Collect the claim again from a second node: a slot or an outcome in the evidence is "
        "false.",
        "証拠のスロットまたは結果に誤りがあります。別のノードから再収集してください。",
    ),
    applies=_has_links,
)


@ORDER_CONTRADICTS_LINKS.asks
def first_from_genesis(side: GrantSide) -> Iterator[Answer]:
    """Whether the chain begins at GENESIS, as a strict one must: a part of the rule."""
    chain, first, rule = side.chain, side.chain.linked[0], ORDER_CONTRADICTS_LINKS
    parent = str(first.prev_hash)
    wanted: str | None = None if parent in chain.unseen else GENESIS_HASH
    if chain.era_at(first) == "relaxed":
        wanted, answer = _ANY_PARENT(), rule.held if side.is_complete else rule.unknown
    elif parent == GENESIS_HASH:
        answer = rule.held
    else:
        answer = rule.violated if first in chain.misordered else rule.unknown
    also = {"title": _FROM_GENESIS, "source": "program §1.8; invariant L9", "is_part": True}
    yield answer((TRANSACTIONS, first.signature), wanted, parent, **also)


@ORDER_CONTRADICTS_LINKS.asks
def order_contradicts_links(side: GrantSide) -> Iterator[Answer]:
    """Each strict claim that landed elsewhere than right after its parent: a slot or an outcome in
    the evidence is false.
    """
    for attempt in side.chain.misordered:
        where, wanted = (TRANSACTIONS, attempt.signature), _PARENT_IS_HEAD(parent=attempt.prev_hash)
        yield ORDER_CONTRADICTS_LINKS.violated(where, wanted, _ANOTHER_IS_HEAD(), slot=attempt.slot)
    if not side.chain.misordered:
        yield ORDER_CONTRADICTS_LINKS.held(
            (TRANSACTIONS, side.grant), observed=_EACH_AFTER_ITS_PARENT()
        )


PERIOD_CLAIMED_TWICE = Rule(
    "period_claimed_twice",
    "critical",
    "grant",
    source="program §1.7",
    holds=Text(
        "no two accepted claims are for one claimer and period",
        "同じ claimer と期間の claim が 2 件受理されていないこと",
    ),
    meaning=Text(
        "Two accepted claims hold one claimer and period, which one receipt cannot.",
        "同じ claimer と期間の claim が 2 件受理されています。1 つのレシートではあり得ません。",
    ),
    advice=Text(
        "Collect both again from a second node: an outcome in the evidence is false.",
        "証拠の結果に誤りがあります。別のノードから両方を再収集してください。",
    ),
    applies=_has_claims,
)


@PERIOD_CLAIMED_TWICE.asks
def period_claimed_twice(side: GrantSide) -> Iterator[Answer]:
    """Each accepted claim of a period that an earlier one holds: no receipt is made twice."""
    for attempt in side.chain.doubled:
        observed = _ANOTHER_CLAIM(claimer=attempt.claimer, period=attempt.period_index)
        where = TRANSACTIONS, attempt.signature
        yield PERIOD_CLAIMED_TWICE.violated(where, _ONE_CLAIM(), observed, slot=attempt.slot)


CLAIM_WITHOUT_RECEIPT = Rule(
    "claim_without_receipt",
    "critical",
    "grant",
    source="program §1.2: no instruction closes a receipt",
    holds=Text(
        "there are as many receipts as accepted claims",
        "レシートが受理された claim と同数であること",
    ),
    meaning=Text(
        "The evidence holds fewer receipts than accepted claims, though the program makes one "
        "for each claim and never removes it.",
        "レシートが受理された claim より少なくなっています。"
        "プログラムは claim ごとにレシートを 1 件作成し、削除することはありません。",
    ),
    advice=Text(
        "Collect the claims and their receipt accounts again from a second node: one of them "
        "is false.",
        "いずれかが誤っています。別のノードから claim とレシートアカウントを再収集してください。",
    ),
)


@CLAIM_WITHOUT_RECEIPT.asks
def claim_without_receipt(side: GrantSide) -> Iterator[Answer]:
    """One receipt a claim: a claim without one is false, as receipts are never closed; a receipt
    without a claim is a gap. A part: the false claim has a finding of its own.
    """
    facts, accepted = side.facts, side.chain.accepted
    claimed = {attempt.receipt for attempt in accepted}
    collected = {a.receipt for a in accepted if facts.is_collected_since(a.receipt, a.slot)}
    there = facts.receipts_of(side.grant)
    extra = there - claimed
    receipts = _RECEIPTS(len(collected & there | extra))
    observed = _BOTH_COUNTS(receipts=receipts, claims=_CLAIMS(len(accepted)))
    rule = CLAIM_WITHOUT_RECEIPT
    is_wrong = bool(collected - there or side.chain.doubled)
    is_whole = side.is_complete and collected == claimed and not extra
    answer = rule.violated if is_wrong else rule.held if is_whole else rule.unknown
    yield answer((ACCOUNTS, side.grant), _ONE_RECEIPT(), observed, is_part=True)
