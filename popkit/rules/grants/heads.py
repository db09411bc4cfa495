"""PopState, which only the program writes, and all of it at once: where it stands, its two heads,
the period and time of its head.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.links import GrantChain
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import pop_state_address
from popkit.rules.model import Answer, Rule, Where
from popkit.rules.sides import ACCOUNTS, GrantSide
from popkit.texts import Listed, Sentence, Text

_HEAD_BY = Text(
    "the head that the claims had led to by slot {slot}", "スロット {slot} までの claim が示す head"
)
_NO_POP_STATE = Text("the grant has no PopState", "この grant に PopState がありません")
_NOT_COLLECTED = Text("the account was not collected", "アカウントが収集されていません")
_ANOTHER_S = Text(
    "the account belongs to another program, {owner}",
    "アカウントは別のプログラム {owner} に属しています",
)
_NO_STATE = Text(
    "the account is no PopState of the grant", "アカウントがこの grant の PopState ではありません"
)
_TWO_CONTENTS = Text(
    "the evidence holds two contents of the account for one slot",
    "証拠に、同じスロットのアカウントの内容が 2 通りあります",
)
_READ_BEFORE = Text(
    "PopState was read before the last claim landed",
    "PopState は最後の claim が取り込まれる前に読み取られています",
)
_NAMES_UNSEEN = Text(
    "PopState names {head}, and the evidence does not hold that claim",
    "PopState の head は {head} ですが、その claim が証拠にありません",
)
_NAMES_ANOTHER = Text(
    "PopState names {head}; the order of those claims is not known",
    "PopState の head は {head} です。これらの claim の順序は分かりません",
)
_PERIOD_AND_TIME = Text(
    "period {period}, issued at {issued_at}", "期間 {period}、発行時刻 {issued_at}"
)

_SOURCE = "How to Verify 5; invariants L9, L10"


def _place(side: GrantSide) -> Where:
    return ACCOUNTS, pop_state_address(side.grant, side.facts.header.program_id)


def _can_be_read(side: GrantSide) -> bool:
    state = side.chain_as_read.state
    return state.known and not state.unreadable


def _names_a_head(side: GrantSide) -> bool:
    return _can_be_read(side) and side.chain_as_read.state.head is not None


STATE_CONTRADICTS_CLAIMS = Rule(
    "state_contradicts_claims",
    "critical",
    "grant",
    source="invariants L9, L10",
    holds=Text(
        "PopState is where the claims lead",
        "PopState が claim のつながりの先にあること",
    ),
    meaning=Text(
        "PopState names a head that the accepted claims do not lead to.",
        "PopState の head が、受理された claim をたどった結果と一致しません。",
    ),
    advice=Text(
        "Collect both again from a second node: one of the two is not what the chain holds.",
        "どちらかがチェーンの実際の内容と異なります。別のノードから両方を再収集してください。",
    ),
)


@STATE_CONTRADICTS_CLAIMS.asks
def state_contradicts_claims(side: GrantSide) -> Iterator[Answer]:
    """Each reading of PopState that cannot be true beside the claims.

    That two readings of one slot deny each other is a rule of the case.
    """
    rule, chain, where = STATE_CONTRADICTS_CLAIMS, side.chain_as_read, _place(side)
    wrong = [reading for reading in chain.contradicting_states if not reading.is_contradicted]
    for reading in wrong:
        wanted = None if reading.slot is None else _HEAD_BY(slot=reading.slot)
        observed = reading.head or _NO_POP_STATE()
        yield rule.violated(where, wanted, observed, slot=reading.slot, source=_SOURCE)
    if wrong:
        return
    doubt = _doubt_of(chain)
    if doubt is not None:
        yield rule.unknown(where, chain.links_head, doubt, source=_SOURCE)
    else:
        head = chain.state.head or GENESIS_HASH
        heads = {head} if head == chain.links_head else _heads_at_its_slot(chain)
        yield rule.held(where, Listed(tuple(sorted(heads)), or_=True), head, source=_SOURCE)


def _doubt_of(chain: GrantChain) -> Sentence | None:
    """Why PopState cannot be held against the claims; None where it can, and fits."""
    state, head = chain.state, chain.state.head or GENESIS_HASH
    if not state.known:
        return _NOT_COLLECTED()
    if state.unreadable:
        return _NO_STATE() if state.foreign_owner is None else _ANOTHER_S(owner=state.foreign_owner)
    if chain.state_disagrees:
        return _TWO_CONTENTS()
    if head in chain.unseen:
        return _NAMES_UNSEEN(head=head)
    if chain.state_is_stale:
        return _READ_BEFORE()
    fits = head == chain.links_head or head in _heads_at_its_slot(chain)
    return None if fits else _NAMES_ANOTHER(head=head)


def _heads_at_its_slot(chain: GrantChain) -> set[str]:
    """Every entry that may have been the head while PopState was read: the claims of one slot have
    no order.
    """
    return set() if chain.state.slot is None else chain.heads_during(chain.state.slot)


STATE_HEADS_DIFFER = Rule(
    "state_heads_differ",
    "critical",
    "grant",
    source="program §1.8",
    holds=Text(
        "PopState's two heads are one",
        "PopState の 2 つの head が同じであること",
    ),
    meaning=Text(
        "PopState holds two different heads, which the program writes as one.",
        "PopState の 2 つの head が異なります。プログラムは常に同じ値を書き込みます。",
    ),
    advice=Text(
        "Collect PopState again from a second node: the node's answer is not what the program "
        "wrote.",
        "ノードの応答が、プログラムの書き込んだ内容と異なります。"
        "別のノードから PopState を再収集してください。",
    ),
    applies=_can_be_read,
)


@STATE_HEADS_DIFFER.asks
def state_heads_differ(side: GrantSide) -> Iterator[Answer]:
    """The program sets both heads to the entry that it accepts."""
    state = side.chain_as_read.state
    head, stream = state.head or GENESIS_HASH, state.stream_head or GENESIS_HASH
    yield STATE_HEADS_DIFFER.equal(_place(side), head, stream)


STATE_CONTRADICTS_ITS_HEAD = Rule(
    "state_contradicts_its_head",
    "critical",
    "grant",
    source="program §1.8; invariant L10",
    holds=Text(
        "PopState's period and time are those of its head",
        "PopState の期間と時刻が head の claim のものであること",
    ),
    meaning=Text(
        "PopState holds another period or time of issue than the claim that it names as the head.",
        "PopState の期間または発行時刻が、head として示す claim のものと異なります。",
    ),
    advice=Text(
        "Collect PopState and that claim again from a second node: one of the two is false.",
        "どちらかが誤っています。別のノードから PopState とその claim を再収集してください。",
    ),
    applies=_names_a_head,
)


@STATE_CONTRADICTS_ITS_HEAD.asks
def state_contradicts_its_head(side: GrantSide) -> Iterator[Answer]:
    """Period and time of issue are those of the claim that PopState names; of a claim that is not
    there they cannot be told.
    """
    chain = side.chain_as_read
    state, last = chain.state, chain.accepted_entries.get(str(chain.state.head))
    wanted = (
        None
        if last is None
        else _PERIOD_AND_TIME(period=last.period_index, issued_at=last.issued_at)
    )
    observed = _PERIOD_AND_TIME(period=state.last_period_index, issued_at=state.last_issued_at)
    yield STATE_CONTRADICTS_ITS_HEAD.equal(_place(side), wanted, observed)
