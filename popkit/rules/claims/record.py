"""What the worker's own records say of a claim."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule, Shown
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Text
from popkit.worker.claim_records import ClaimRecord

_SOURCE = "invariants X3, X4"
_NO_RECORD_OF_REFUSED = Text(
    "no record, as the claim was refused", "記録なし（claim は拒否されています）"
)
_HAS_RECORD = Text("the worker holds a record of it", "worker に記録があります")
_NAMES = Text("claimer {claimer}, receipt {receipt}", "claimer {claimer}、レシート {receipt}")
_NOT_NAMED = Text("not named", "記載なし")
_RECORD_OF_SIGNATURE = Text("a record of this signature", "この署名の記録")
_NO_RECORD = Text("the worker's records hold none", "worker の記録にありません")

CLAIM_RECORD_DIFFERS = Rule(
    "claim_record_differs",
    "warning",
    "claim",
    source=_SOURCE,
    holds=Text("the worker's record says the same", "worker の記録が同じ内容であること"),
    meaning=Text(
        "The worker's record of an accepted claim names another wallet or receipt than the claim.",
        "受理された claim についての worker の記録のウォレットまたはレシートが、claim と異なります。",
    ),
    advice=Text(
        "Count the claim as the chain has it: the worker never checks what a client reports.",
        "チェーン上の claim を正としてください。worker はクライアントの申告を検証しません。",
    ),
    is_optional=True,
)
RECORD_CONTRADICTED = Shown("record_contradicted", source=_SOURCE, is_optional=True)


@CLAIM_RECORD_DIFFERS.asks
def record(claim: ClaimSide) -> Iterator[Answer]:
    """The worker's records of the transaction; they prove nothing, and that there is none proves
    nothing against the claim.
    """
    rule, accepted = CLAIM_RECORD_DIFFERS, claim.attempt.accepted
    yield from (_held_against(claim, record) for record in claim.records)
    if accepted and not claim.records:
        yield claim.says(rule, CANNOT_TELL, _RECORD_OF_SIGNATURE, _NO_RECORD)


def _held_against(claim: ClaimSide, record: ClaimRecord) -> Answer:
    """One record; where the chain contradicts it, that is a finding of the record's own."""
    attempt, where = claim.attempt, (record.file, record.key)
    is_contradicted = where in claim.side.case.contradicted_records
    rule = RECORD_CONTRADICTED if is_contradicted else CLAIM_RECORD_DIFFERS
    also = {"where": where, "title": CLAIM_RECORD_DIFFERS.holds}
    if not attempt.accepted:
        return claim.says(rule, VIOLATED, _NO_RECORD_OF_REFUSED, _HAS_RECORD, **also)
    same = attempt.claimer in record.wallets or not record.wallets
    holds = same and record.receipt in (None, attempt.receipt) and not is_contradicted
    wanted = observed = _NAMES(claimer=attempt.claimer, receipt=attempt.receipt)
    if (record.wallets, record.receipt) != ((attempt.claimer,), attempt.receipt):
        wallets = Listed(record.wallets, or_=True) if record.wallets else _NOT_NAMED
        observed = _NAMES(claimer=wallets, receipt=record.receipt or _NOT_NAMED)
    return claim.says(rule, HOLDS if holds else VIOLATED, wanted, observed, **also)
