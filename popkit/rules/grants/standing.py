"""How the grant itself stands: paused, closed, over, its terms, its events, and which grant took
over.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from popkit.chain.history import AdminStep, Terms
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, TRANSACTIONS, GrantSide
from popkit.texts import Sentence, Text
from popkit.wording import ACCEPTED_CLAIMS

_IS_PAUSED = Text("the grant is paused", "grant は一時停止中です")
_IS_CLOSED = Text("the grant is closed", "grant は閉じられています")
_EXPIRED = Text(
    "the grant expired at unix second {at}", "grant は UNIX 秒 {at} に期限切れになりました"
)
_AMOUNT_AND_PERIOD = Text("amount and period of {claims}", "{claims}の金額と期間")
_TERMS = Text(
    "amount {amount}, period {period} s, start {start}, expires {expires}",
    "金額 {amount}、期間 {period} 秒、開始 {start}、期限 {expires}",
)
_ONE_EVENT = Text("one event", "イベントが 1 つだけであること")


def _shows_a_pause(side: GrantSide) -> bool:
    return side.facts.history.is_paused(side.grant) is not None


def _is_in_the_case(side: GrantSide) -> bool:
    return side.grant in side.facts.accounts or bool(side.facts.history.of_grant(side.grant))


def _has_an_account(side: GrantSide) -> bool:
    return side.facts.history.account(side.grant) is not None


def _creations(side: GrantSide) -> list[AdminStep]:
    return [step for step in side.facts.history.of_grant(side.grant) if step.name == "create_grant"]


def _was_created(side: GrantSide) -> bool:
    return bool(_creations(side))


def _has_claims(side: GrantSide) -> bool:
    return bool(side.chain.accepted)


def _has_events(side: GrantSide) -> bool:
    """Whether more than case.json, which names the events that were asked for, links events."""
    links = [link for link in side.facts.event_links if link.grant == side.grant]
    return (
        any(link.source != "case.json" for link in links) or len({link.event for link in links}) > 1
    )


def _may_be_replaced(side: GrantSide) -> bool:
    """Whether the grant is lost or undecided and the case holds another one."""
    is_left = side.judgement.verdict in ("broken", "inconclusive")
    return is_left and len(side.facts.header.grants) > 1


GRANT_PAUSED = Rule(
    "grant_paused",
    "info",
    "grant",
    source="program §1.7: 6007",
    holds=Text("the grant is not paused", "grant が一時停止中でないこと"),
    meaning=Text("The grant is paused.", "grant は一時停止中です。"),
    advice=Text(
        "Unpause the grant only when its chain is sound.",
        "チェーンが健全な場合にだけ再開してください。",
    ),
    context=("observed",),
    applies=_shows_a_pause,
)


@GRANT_PAUSED.asks
def grant_paused(side: GrantSide) -> Iterator[Answer]:
    """Whether the grant is paused now."""
    if side.facts.history.is_paused(side.grant):
        yield GRANT_PAUSED.violated((ACCOUNTS, side.grant), observed=_IS_PAUSED())


GRANT_CLOSED = Rule(
    "grant_closed",
    "info",
    "grant",
    source="program §1.2",
    holds=Text("the grant is not closed", "grant が閉じられていないこと"),
    meaning=Text("The grant is closed.", "grant は閉じられています。"),
    advice=Text(
        "Use another grant: nobody can claim from a closed one.",
        "閉じられた grant からは claim できません。別の grant を使ってください。",
    ),
    context=("observed",),
    applies=_is_in_the_case,
)


@GRANT_CLOSED.asks
def grant_closed(side: GrantSide) -> Iterator[Answer]:
    """Whether the grant is closed."""
    if side.facts.history.is_closed(side.grant):
        yield GRANT_CLOSED.violated((ACCOUNTS, side.grant), observed=_IS_CLOSED())


GRANT_OVER = Rule(
    "grant_over",
    "info",
    "grant",
    source="program §1.7: 6008",
    holds=Text("the grant's expiry has not passed", "grant の期限が過ぎていないこと"),
    meaning=Text("The grant's expiry has passed.", "grant の期限が過ぎています。"),
    advice=Text(
        "Use another grant: nobody can claim from an expired one.",
        "期限切れの grant からは claim できません。別の grant を使ってください。",
    ),
    context=("observed",),
    applies=_has_an_account,
)


@GRANT_OVER.asks
def grant_over(side: GrantSide) -> Iterator[Answer]:
    """Whether the grant's expiry had passed when the case was collected; 0 is no expiry."""
    account = side.facts.history.account(side.grant)
    if account is not None and 0 < account.expires_at < side.facts.now:
        yield GRANT_OVER.violated((ACCOUNTS, side.grant), observed=_EXPIRED(at=account.expires_at))


TERMS_UNKNOWN = Rule(
    "terms_unknown",
    "info",
    "grant",
    source="invariants L7, L8",
    holds=Text(
        "the grant's terms are known at every accepted claim",
        "受理されたすべての claim の時点の grant の条件が分かること",
    ),
    meaning=Text(
        "The grant's terms at some claims are not known: its creation, or a change of terms, "
        "is not in the evidence.",
        "一部の claim の時点の grant の条件が分かりません。"
        "grant の作成または条件変更が証拠にありません。",
    ),
    advice=Text(
        "Collect the grant's whole history.",
        "grant の全履歴を収集してください。",
    ),
    context=("not_checked",),
    applies=_has_claims,
)


@TERMS_UNKNOWN.asks
def terms_unknown(side: GrantSide) -> Iterator[Answer]:
    """How many accepted claims could not be held against the terms of their slot."""
    history, accepted = side.facts.history, side.chain.accepted
    blind = sum(not history.terms_during(side.grant, attempt.slot) for attempt in accepted)
    if blind:
        text = _AMOUNT_AND_PERIOD(claims=ACCEPTED_CLAIMS(blind))
        yield TERMS_UNKNOWN.violated((TRANSACTIONS, side.grant), not_checked=text)


TERMS_REWRITTEN = Rule(
    "terms_rewritten",
    "info",
    "grant",
    source="reference §5, incident 16",
    holds=Text(
        "create_grant was not called again on the running grant",
        "使用中の grant に対して create_grant が再実行されていないこと",
    ),
    meaning=Text(
        "create_grant was called again on a running grant: terms are judged as of the slot.",
        "使用中の grant に対して create_grant が再実行されています。"
        "条件は各スロットの時点で判定しました。",
    ),
    advice=Text(
        "Check that the change was meant.",
        "意図した変更かどうか確認してください。",
    ),
    applies=_was_created,
)


@TERMS_REWRITTEN.asks
def terms_rewritten(side: GrantSide) -> Iterator[Answer]:
    """Each later creation of a grant that was not closed in between, with both terms."""
    history = side.facts.history
    for before, again in pairwise(_creations(side)):
        old, new = (
            history.terms_at(side.grant, before.slot),
            history.terms_at(side.grant, again.slot),
        )
        steps = history.of_grant(side.grant)
        was_closed = any(
            s.name == "close_grant" and before.slot <= s.slot <= again.slot for s in steps
        )
        if old is not None and new is not None and not was_closed:
            where = TRANSACTIONS, again.signature
            yield TERMS_REWRITTEN.violated(where, _in_words(old), _in_words(new), slot=again.slot)


def _in_words(terms: Terms) -> Sentence:
    return _TERMS(
        amount=terms.amount_per_period,
        period=terms.period_seconds,
        start=terms.start_ts,
        expires=terms.expires_at,
    )


GRANT_REUSE = Rule(
    "grant_reuse",
    "warning",
    "grant",
    source="runbook §2",
    holds=Text(
        "one event alone is linked to the grant",
        "grant に紐付くイベントが 1 つだけであること",
    ),
    meaning=Text(
        "Two events are linked to one grant.",
        "1 つの grant に 2 つのイベントが紐付けられています。",
    ),
    advice=Text(
        "Give the later event a grant of its own: one event, one grant.",
        "後のイベントには専用の grant を用意してください（1イベント = 1grant）。",
    ),
    applies=_has_events,
)


@GRANT_REUSE.asks
def grant_reuse(side: GrantSide) -> Iterator[Answer]:
    """The cause of that name."""
    for cause in side.causes:
        if cause.name == "grant_reuse":
            yield GRANT_REUSE.violated(
                ("worker/events.json", side.grant), _ONE_EVENT(), cause.because
            )


SUPERSEDED = Rule(
    "superseded",
    "info",
    "grant",
    source="runbook Step 3",
    holds=Text("no later grant took over", "後続の grant に切り替わっていないこと"),
    meaning=Text(
        "A later grant of the same authority and mint took over.",
        "同じ authority と mint の後続の grant に切り替わっています。",
    ),
    advice=Text(
        "Keep the old chain read-only.",
        "旧チェーンは読み取り専用で保全してください。",
    ),
    context=("observed",),
    applies=_may_be_replaced,
)


@SUPERSEDED.asks
def superseded(side: GrantSide) -> Iterator[Answer]:
    """The grant that took over, as the chain shows it; where a record that the chain bears out
    says it, that is enough.
    """
    new = side.case.successors.get(side.grant)
    records = [one for one in side.case.declared if one.record.old.grant == side.grant]
    is_stated = any(one.successor in side.facts.header.grants for one in records)
    if new is not None and not is_stated:
        yield SUPERSEDED.violated((ACCOUNTS, new), observed=new)
