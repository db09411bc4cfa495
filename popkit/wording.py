"""Small pieces of wording that several rooms share."""

from __future__ import annotations

from popkit.texts import Moment, Noun

ATTEMPTS = Noun("refused attempt", "refused attempts", "拒否された試行 {n} 件")
CLAIMERS = Noun("claimer", "claimers", "claimer {n} 人")
CLAIMS = Noun("claim", "claims", "claim {n} 件")
ACCEPTED_CLAIMS = Noun("accepted claim", "accepted claims", "受理された claim {n} 件")
CLAIM_RECORDS = Noun("claim record", "claim records", "claim 記録 {n} 件")
CRITICAL_FINDINGS = Noun("critical finding", "critical findings", "critical の所見 {n} 件")
ISSUED_PROOFS = Noun("issued proof", "issued proofs", "発行済みの proof {n} 件")
PARTS = Noun("part", "parts", "{n} か所")
PROOFS = Noun("proof", "proofs", "proof {n} 件")
RECEIPTS = Noun("receipt", "receipts", "レシート {n} 件")
REPORTS = Noun("report", "reports", "報告 {n} 件")
ROWS = Noun("row", "rows", "{n} 行")
SIGNED_PROOFS = Noun(
    "validly signed proof", "validly signed proofs", "正しく署名された proof {n} 件"
)
TICKET_RECEIPTS = Noun("ticket receipt", "ticket receipts", "参加券レシート {n} 件")
TIMES = Noun("time", "times", "時刻 {n} 件")
TRANSACTIONS = Noun("transaction", "transactions", "トランザクション {n} 件")
LISTED_TRANSACTIONS = Noun(
    "listed transaction", "listed transactions", "一覧にあるトランザクション {n} 件"
)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: '1 proof', '6 proofs'."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def utc(moment: int | None) -> str:
    """Unix seconds as a UTC time; 'time unknown' for None."""
    return str(Moment(moment))
