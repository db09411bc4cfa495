"""Small pieces of wording that several rooms share."""

from __future__ import annotations

from popkit.texts import Moment, Noun

ATTEMPTS = Noun("refused attempt", "refused attempts", "件の拒否された試行")
CHILDREN = Noun("proof", "proofs", "件の proof")
CLAIMERS = Noun("claimer", "claimers", "人の claimer")
CLAIMS = Noun("claim", "claims", "件の claim")
ACCEPTED_CLAIMS = Noun("accepted claim", "accepted claims", "件の受理された claim")
CLAIM_RECORDS = Noun("claim record", "claim records", "件の claim 記録")
FINDINGS = Noun("finding", "findings", "件の所見")
CRITICAL_FINDINGS = Noun("critical finding", "critical findings", "件の critical 所見")
ISSUED_PROOFS = Noun("issued proof", "issued proofs", "件の発行済み proof")
PARTS = Noun("part", "parts", "箇所")
PROOFS = Noun("proof", "proofs", "件の proof")
RECEIPTS = Noun("receipt", "receipts", "件のレシート")
REPORTS = Noun("report", "reports", "件の報告")
ROWS = Noun("row", "rows", "行")
SIGNED_PROOFS = Noun("validly signed proof", "validly signed proofs", "件の正しく署名された proof")
TICKET_RECEIPTS = Noun("ticket receipt", "ticket receipts", "件の参加券レシート")
TIMES = Noun("time", "times", "件の時刻")
TRANSACTIONS = Noun("transaction", "transactions", "件のトランザクション")
LISTED_TRANSACTIONS = Noun("listed transaction", "listed transactions", "件の一覧にあるトランザクション")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: '1 proof', '6 proofs'."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def utc(moment: int | None) -> str:
    """Unix seconds as a UTC time; 'time unknown' for None."""
    return str(Moment(moment))
