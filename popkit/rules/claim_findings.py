"""Findings about single claims: what each accepted claim says, held against accounts, terms and signers."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.chain.history import Terms
from popkit.chain.links import GrantChain
from popkit.facts import Facts
from popkit.protocol.message import SKEW_SECONDS
from popkit.rules.model import Finding
from popkit.texts import Listed, Text, sentence

TRANSACTIONS, ACCOUNTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl"
_RECEIPT = Text("grant {grant}, claimer {claimer}, period {period}", "grant {grant}、claimer {claimer}、期間 {period}")
_NO_ACCOUNT = Text("no account exists at the receipt's address", "レシートのアドレスにアカウントがありません")
_NO_RECEIPT = Text("the account at the receipt's address is no receipt", "レシートのアドレスにあるアカウントはレシートではありません")
_PERIOD = Text("period {period}", "期間 {period}")


def claim_findings(facts: Facts, chain: GrantChain) -> Iterator[Finding]:
    """Every accepted claim of a grant against its receipt, its signer as of the slot, and the terms as of the slot."""
    authority = facts.history.authority_of(chain.grant)
    for attempt in chain.accepted:
        where, slot = (TRANSACTIONS, attempt.signature), attempt.slot
        if not facts.claims.receipt_matches[attempt.row]:
            wanted = _expected_receipt(facts, attempt)
            yield Finding("receipt_address_wrong", chain.grant, where, wanted, attempt.receipt, slot=slot)
        yield from _receipt(facts, chain, attempt)
        yield from _signer(facts, chain, attempt, authority)
        terms = facts.history.terms_during(chain.grant, slot)
        if terms:
            yield from _terms(facts, chain, attempt, terms)


def _expected_receipt(facts: Facts, attempt: Attempt) -> str:
    from popkit.claims.table import key_strings

    return key_strings(facts.claims.receipt_expected[attempt.row : attempt.row + 1])[0]


def _receipt(facts: Facts, chain: GrantChain, attempt: Attempt) -> Iterator[Finding]:
    """The receipt account: it exists for ever, holds grant, claimer and period, and was written within 600 s of the issue."""
    if not facts.is_collected_since(attempt.receipt, attempt.slot):
        return
    row = facts.accounts[attempt.receipt]
    where = (ACCOUNTS, attempt.receipt)
    receipt = facts.receipt(attempt.receipt)
    wanted = _RECEIPT(grant=chain.grant, claimer=attempt.claimer, period=attempt.period_index)
    if receipt is None:
        other = _NO_RECEIPT if row.exists else _NO_ACCOUNT
        yield Finding("receipt_contradicts_claim", chain.grant, where, wanted, other(), slot=attempt.slot)
        return
    if (receipt.grant, receipt.claimer, receipt.period_index) != (chain.grant, attempt.claimer, attempt.period_index):
        seen = _RECEIPT(grant=receipt.grant, claimer=receipt.claimer, period=receipt.period_index)
        yield Finding("receipt_contradicts_claim", chain.grant, where, wanted, seen, slot=attempt.slot)
    if attempt.issued_at is not None and abs(receipt.claimed_at - attempt.issued_at) > SKEW_SECONDS:
        expected = sentence(
            "claimed_at within {seconds} s of issued_at {issued}",
            "claimed_at が issued_at {issued} から {seconds} 秒以内であること",
            seconds=SKEW_SECONDS,
            issued=attempt.issued_at,
        )
        at = sentence("claimed_at is {at}", "claimed_at は {at} です", at=receipt.claimed_at)
        yield Finding("receipt_contradicts_claim", chain.grant, where, expected, at, slot=attempt.slot)


def _signer(facts: Facts, chain: GrantChain, attempt: Attempt, authority: str | None) -> Iterator[Finding]:
    if attempt.signer is None or authority is None:
        return
    if facts.history.signer_holds(authority, attempt.slot, attempt.signer) is False:
        where, named = (TRANSACTIONS, attempt.signature), facts.history.signers_at(authority, attempt.slot) or set()
        yield Finding(
            "signer_mismatch", chain.grant, where, Listed(tuple(sorted(named)), or_=True).sentence, attempt.signer, slot=attempt.slot
        )


def _terms(facts: Facts, chain: GrantChain, attempt: Attempt, terms: list[Terms]) -> Iterator[Finding]:
    """Amount and period by the terms as of the slot; the period by the receipt's claimed_at, the clock that the program compared."""
    where = (TRANSACTIONS, attempt.signature)
    moved = facts.claims.amount_moved[attempt.row]
    amounts = dict.fromkeys(t.amount_per_period for t in terms)
    if moved is not None and moved not in amounts and not shares_account(facts, attempt):
        yield Finding("amount_differs", chain.grant, where, Listed(tuple(amounts), or_=True).sentence, str(moved), slot=attempt.slot)
    receipt = facts.receipt(attempt.receipt)
    periods = dict.fromkeys(t.period_at(receipt.claimed_at) for t in terms) if receipt is not None else {}
    if periods and attempt.period_index not in periods:
        wanted, other = _PERIOD(period=Listed(tuple(periods), or_=True)), _PERIOD(period=attempt.period_index)
        yield Finding("period_differs", chain.grant, where, wanted, other, slot=attempt.slot)
    refused = [t.refuses(receipt.claimed_at if receipt is not None else None) for t in terms]
    if None not in refused and facts.history.terms_are_confirmed(chain.grant) and not _lacks_an_unpausing(facts, chain.grant, attempt.slot):
        wanted = sentence("the program refuses the claim with {error}", "claim が {error} で拒否されること", error=refused[0])
        accepted = sentence("the claim is accepted", "claim が受理されています")
        yield Finding("claim_not_allowed", chain.grant, where, wanted, accepted, slot=attempt.slot)


def _lacks_an_unpausing(facts: Facts, grant: str, slot: int) -> bool:
    """Whether a paused grant is paused again after a slot: then the lifting of the first pause is what the evidence lacks."""
    later = [step for step in facts.history.of_grant(grant) if step.name == "set_paused" and step.slot > slot]
    return bool(later) and bool(later[0].args["paused"])


def shares_account(facts: Facts, attempt: Attempt) -> bool:
    """Whether the transaction does more than this claim, so that its token account's gain is not the claim's alone."""
    rows = facts.claims.transaction
    row = rows[attempt.row]
    beside = rows[max(attempt.row - 1, 0) : attempt.row + 2]  # claims of one transaction stand beside each other
    return int((beside == row).sum()) > 1 or _has_token_calls(facts, attempt)


def _has_token_calls(facts: Facts, attempt: Attempt) -> bool:
    from popkit.protocol.keys import TOKEN_PROGRAM

    tx = facts.claims.decode(int(facts.claims.transaction[attempt.row]))
    return any(instruction.program == TOKEN_PROGRAM for instruction in tx.instructions)
