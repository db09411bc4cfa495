"""The receipt account of a claim: its address, what it says, and when it was written."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.claims.table import key_strings
from popkit.protocol.message import SKEW_SECONDS
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule
from popkit.rules.sides import ACCOUNTS, ClaimSide
from popkit.texts import Counted, Noun, Text

_SECONDS = Noun("second", "seconds", "{n} 秒")
_EXISTS = Text("the receipt exists and says the same", "レシートが存在し、同じ内容であること")
_NAMES = Text(
    "grant {grant}, claimer {claimer}, period {period}",
    "grant {grant}、claimer {claimer}、期間 {period}",
)
_NOT_READ_SINCE = Text(
    "the receipt account was not collected since the claim",
    "claim の後にレシートアカウントが収集されていません",
)
_NO_ACCOUNT = Text(
    "no account exists at the receipt's address", "レシートのアドレスにアカウントがありません"
)
_NO_RECEIPT = Text(
    "the account at the receipt's address is no receipt",
    "レシートのアドレスにあるアカウントはレシートではありません",
)
_IN_TIME = Text("claimed at most 600 s from the issue", "発行から 600 秒以内に claim されたこと")
_AROUND = Text(
    "{issued_at}, or at most {seconds} from it", "{issued_at}、またはその前後{seconds}以内"
)
_WITHIN = Text(
    "claimed_at within {seconds} s of issued_at {issued}",
    "claimed_at が issued_at {issued} から {seconds} 秒以内であること",
)
_CLAIMED_AT = Text("claimed_at is {at}", "claimed_at は {at} です")

RECEIPT_ADDRESS_WRONG = Rule(
    "receipt_address_wrong",
    "critical",
    "claim",
    source="program §1.4",
    holds=Text(
        "the receipt's address derives from grant, claimer and period",
        "レシートのアドレスが grant、claimer、期間から導かれること",
    ),
    meaning=Text(
        "An accepted claim names a receipt that its grant, claimer and period do not derive.",
        "受理された claim のレシートが、その grant、claimer、期間から導出されるアドレスと異なります。",
    ),
    advice=Text(
        "Collect the transaction again from a second node: the program refuses such a claim.",
        "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションを再収集してください。",
    ),
)


@RECEIPT_ADDRESS_WRONG.asks
def address(claim: ClaimSide) -> Iterator[Answer]:
    """Step 4: the address of the receipt, derived anew."""
    observed, row, claims = claim.attempt.receipt, claim.row, claim.claims
    matches = claims.receipt_matches[row]
    expected = observed if matches else key_strings(claims.receipt_expected[row : row + 1])[0]
    source = "How to Verify 4; program §1.4"
    yield claim.equal(RECEIPT_ADDRESS_WRONG, expected, observed, source=source)


RECEIPT_CONTRADICTS_CLAIM = Rule(
    "receipt_contradicts_claim",
    "critical",
    "claim",
    source="invariant L6",
    holds=Text(
        "the receipt account says what the claim says",
        "レシートアカウントの内容が claim と同じであること",
    ),
    meaning=Text(
        "A receipt account does not say what the accepted claim says.",
        "レシートアカウントの内容が、受理された claim と異なります。",
    ),
    advice=Text(
        "Collect both again from a second node.", "別のノードから両方を再収集してください。"
    ),
)


@RECEIPT_CONTRADICTS_CLAIM.asks
def content(claim: ClaimSide) -> Iterator[Answer]:
    """The receipt exists for ever, and holds grant, claimer and period."""
    attempt, facts, receipt = claim.attempt, claim.facts, claim.receipt
    if not attempt.accepted:
        return
    where, rule = (ACCOUNTS, attempt.receipt), RECEIPT_CONTRADICTS_CLAIM
    wanted = _NAMES(grant=claim.grant, claimer=attempt.claimer, period=attempt.period_index)
    also = {"where": where, "title": _EXISTS, "source": "How to Verify 4; invariant L6"}
    if not facts.is_collected_since(attempt.receipt, attempt.slot):
        yield claim.says(rule, CANNOT_TELL, wanted, _NOT_READ_SINCE, **also)
    elif receipt is None:
        other = _NO_RECEIPT if facts.accounts[attempt.receipt].exists else _NO_ACCOUNT
        yield claim.says(rule, VIOLATED, wanted, other, **also)
    else:
        told = (receipt.grant, receipt.claimer, receipt.period_index)
        same = told == (claim.grant, attempt.claimer, attempt.period_index)
        observed = wanted
        if not same:
            grant, claimer, period = told
            observed = _NAMES(grant=grant, claimer=claimer, period=period)
        yield claim.says(rule, HOLDS if same else VIOLATED, wanted, observed, **also)


@RECEIPT_CONTRADICTS_CLAIM.asks
def time(claim: ClaimSide) -> Iterator[Answer]:
    """The receipt was written within 600 s of the proof's issue, by the cluster's clock."""
    attempt, receipt, rule = claim.attempt, claim.receipt, RECEIPT_CONTRADICTS_CLAIM
    if not attempt.accepted or receipt is None or attempt.issued_at is None:
        return
    if not claim.facts.is_collected_since(attempt.receipt, attempt.slot):
        return
    issued, at = attempt.issued_at, receipt.claimed_at
    where, source = (ACCOUNTS, attempt.receipt), "program §1.8; invariant L6"
    also = {"where": where, "title": _IN_TIME, "source": source}
    if abs(at - issued) <= SKEW_SECONDS:
        around = _AROUND(issued_at=issued, seconds=Counted(SKEW_SECONDS, _SECONDS))
        yield claim.says(rule, HOLDS, around, at, **also)
    else:
        within = _WITHIN(seconds=SKEW_SECONDS, issued=issued)
        yield claim.says(rule, VIOLATED, within, _CLAIMED_AT(at=at), **also)
