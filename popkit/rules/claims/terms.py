"""What a claim did, by the terms of its grant as of the slot: period, amount, and whether the grant
took claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from popkit.protocol.keys import TOKEN_PROGRAM
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Text

_AGAIN_WITH_HISTORY = Text(
    "Collect the transaction and the grant's history again from a second node.",
    "別のノードからトランザクションと grant の履歴を再収集してください。",
)
_PERIOD = Text("period {period}", "期間 {period}")

PERIOD_DIFFERS = Rule(
    "period_differs",
    "critical",
    "claim",
    source="invariant L7",
    holds=Text("the period is that of the claim's time", "期間が claim の時刻のものであること"),
    meaning=Text(
        "A claim landed in another period than the grant's terms at that slot allow.",
        "claim の期間が、そのスロットの grant の条件と異なります。",
    ),
    advice=_AGAIN_WITH_HISTORY,
)


@PERIOD_DIFFERS.asks
def period(claim: ClaimSide) -> Iterator[Answer]:
    """Step 5: the period, by the receipt's claimed_at, the clock that the program compared."""
    if not claim.attempt.accepted:
        return
    receipt, observed, rule = claim.receipt, claim.attempt.period_index, PERIOD_DIFFERS
    found = [terms.period_at(receipt.claimed_at) for terms in claim.terms] if receipt else []
    if not found:
        yield claim.says(rule, CANNOT_TELL, None, observed)
    elif observed in found:
        yield claim.says(rule, HOLDS, _one_of(found), observed)
    else:
        wanted, other = _PERIOD(period=_one_of(found)), _PERIOD(period=observed)
        yield claim.says(rule, VIOLATED, wanted, other)


def _one_of(values: Sequence[object]) -> object:
    distinct = tuple(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else Listed(distinct, or_=True)


AMOUNT_DIFFERS = Rule(
    "amount_differs",
    "critical",
    "claim",
    source="invariant L8",
    holds=Text("one period's amount reached the claimer", "1 期間分の数量が claimer に届いたこと"),
    meaning=Text(
        "A claim moved another amount than the grant's terms at that slot.",
        "claim で動いた金額が、そのスロットの grant の条件と異なります。",
    ),
    advice=_AGAIN_WITH_HISTORY,
)
VAULT_AMOUNT_DIFFERS = Rule(
    "vault_amount_differs",
    "critical",
    "claim",
    source="invariant L8",
    holds=Text("one period's amount left the vault", "1 期間分の数量が vault から出たこと"),
    meaning=Text(
        "An accepted claim took another amount from the vault than the grant's terms at that slot.",
        "受理された claim で vault から出た金額が、そのスロットの grant の条件と異なります。",
    ),
    advice=_AGAIN_WITH_HISTORY,
)


@AMOUNT_DIFFERS.asks
def reached(claim: ClaimSide) -> Iterator[Answer]:
    """What the claimer's token account gained."""
    yield from _amount(claim, AMOUNT_DIFFERS, claim.claims.amount_moved[claim.row])


@VAULT_AMOUNT_DIFFERS.asks
def left_the_vault(claim: ClaimSide) -> Iterator[Answer]:
    """What the vault lost: a claim that is shown as accepted and was not left it as it was."""
    yield from _amount(claim, VAULT_AMOUNT_DIFFERS, claim.claims.amount_taken[claim.row])


def _amount(claim: ClaimSide, rule: Rule, observed: int | None) -> Iterator[Answer]:
    """One side of the movement against every amount that the slot's terms allow."""
    if not claim.attempt.accepted:
        return
    amounts = [terms.amount_per_period for terms in claim.terms]
    expected = _one_of(amounts) if amounts else None
    if not amounts or observed is None:
        status = CANNOT_TELL
    elif observed in amounts:
        status = HOLDS
    else:  # what the accounts gained and lost may not be this claim's alone
        status = CANNOT_TELL if _shares_accounts(claim) else VIOLATED
    source = "How to Verify 5; invariant L8"
    yield claim.says(rule, status, expected, observed, source=source)


def _shares_accounts(claim: ClaimSide) -> bool:
    """Whether the transaction does more than this claim, so that what its token accounts gained
    and lost is not the claim's alone.
    """
    rows, at = claim.claims.transaction, claim.row
    beside = rows[max(at - 1, 0) : at + 2]  # claims of one transaction stand beside each other
    if int((beside == rows[at]).sum()) > 1:
        return True
    transaction = claim.claims.decode(int(rows[at]))
    return any(call.program == TOKEN_PROGRAM for call in transaction.instructions)


_TAKES_CLAIMS = Text(
    "the grant takes claims: not paused, begun and not over",
    "grant が受付中です（停止中でも開始前でも終了後でもありません）",
)
_TOOK_CLAIMS = Text("the grant took claims", "grant は受付中でした")
_NO_TERMS = Text("the evidence holds no terms of the grant", "証拠に grant の条件がありません")
_REFUSES = Text("the program refuses the claim with {error}", "claim が {error} で拒否されること")
_IS_ACCEPTED = Text("the claim is accepted", "claim が受理されています")
_UNCONFIRMED = Text(
    "the known terms refuse the claim with {error}, but nothing confirms that no change of "
    "terms is missing",
    "分かっている条件では claim が {error} で拒否されますが、条件変更の欠落がないことを確認できません",
)
_LACKS_UNPAUSING = Text(
    "the known terms refuse the claim with {error}, but the evidence lacks the end of a pause",
    "分かっている条件では claim が {error} で拒否されますが、一時停止の解除が証拠に欠けています",
)

CLAIM_NOT_ALLOWED = Rule(
    "claim_not_allowed",
    "critical",
    "claim",
    source="program §1.7: 6007, 6008, 6009",
    holds=Text(
        "the grant took claims at that time", "その時刻に grant が claim を受け付けていたこと"
    ),
    meaning=Text(
        "A claim was accepted while the grant was paused, over or not begun, by its terms at "
        "that slot.",
        "そのスロットの条件では一時停止中、期限切れ、または開始前の grant で、claim が受理されています。",
    ),
    advice=Text(
        "Collect the transaction and the grant's history again from a second node: the "
        "program refuses such a claim.",
        "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションと grant の履歴を再収集してください。",
    ),
)


@CLAIM_NOT_ALLOWED.asks
def allowed(claim: ClaimSide) -> Iterator[Answer]:
    """Whether the terms allowed the claim. That one was accepted against them shows false evidence
    only where the known terms lack no step.
    """
    if not claim.attempt.accepted:
        return
    rule, moment = CLAIM_NOT_ALLOWED, claim.receipt.claimed_at if claim.receipt else None
    errors = [terms.refuses(moment) for terms in claim.terms]
    if not errors:
        yield claim.says(rule, CANNOT_TELL, _TAKES_CLAIMS, _NO_TERMS)
    elif None in errors:
        yield claim.says(rule, HOLDS, _TAKES_CLAIMS, _TOOK_CLAIMS)
    elif not claim.facts.history.terms_are_confirmed(claim.grant):
        yield claim.says(rule, CANNOT_TELL, _TAKES_CLAIMS, _UNCONFIRMED(error=errors[0]))
    elif _lacks_an_unpausing(claim):
        yield claim.says(rule, CANNOT_TELL, _TAKES_CLAIMS, _LACKS_UNPAUSING(error=errors[0]))
    else:
        yield claim.says(rule, VIOLATED, _REFUSES(error=errors[0]), _IS_ACCEPTED())


def _lacks_an_unpausing(claim: ClaimSide) -> bool:
    """Whether a paused grant is paused again after the claim: then the lifting of the first pause
    is what the evidence lacks.
    """
    steps = claim.facts.history.of_grant(claim.grant)
    later = [s for s in steps if s.name == "set_paused" and s.slot > claim.attempt.slot]
    return bool(later) and bool(later[0].args["paused"])
