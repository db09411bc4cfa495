"""What the worker's own records hold of a claim's proof."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Shown
from popkit.rules.sides import STORAGE, ClaimSide
from popkit.texts import Text

_RECORDED = Text("the worker's records hold the proof", "worker の記録に proof があること")
_RECORD_OF = Text("a record of audit_hash {audit_hash}", "audit_hash {audit_hash} の記録")
_RECORD_OF_VERSION_1 = Text(
    "a record of its proof, whose message of version 1 carries no audit_hash",
    "proof の記録（バージョン 1 のメッセージには audit_hash がありません）",
)
_GRANT_S_PROOF = Text("a proof of the grant", "grant の proof")
_NO_PROOF_OF_GRANT = Text(
    "the claim carries no proof of the grant", "claim に grant の proof がありません"
)
_ANCHORED = Text(
    "an anchor of the audit chain is of this proof", "監査チェーンにこの proof のアンカーがあります"
)
_NAMED_BY_RECORDS = Text("the worker's records name it", "worker の記録が参照しています")
_NOT_OF_THIS_WORKER = Text(
    "the worker's audit chain, which is complete over that time, does not hold it",
    "その時期が揃っている worker の監査チェーンにありません",
)
_NOT_COVERED = Text(
    "the worker's records do not cover that time", "worker の記録がその時期に及んでいません"
)
_OBSERVED = {"foreign": _NOT_OF_THIS_WORKER, "unknown": _NOT_COVERED}
_STATUS = {"this_worker": HOLDS, "foreign": VIOLATED, "unknown": CANNOT_TELL}
_HISTORY = Text(
    "the worker's storage holds the proof's history record",
    "worker のストレージに proof の履歴レコードがあること",
)
_HISTORY_RECORD = Text("a record under pop_chain:history:", "pop_chain:history: のレコード")
_THERE = Text("the storage holds it", "ストレージにあります")
_NOT_THERE = Text("the storage does not hold it", "ストレージにありません")

FOREIGN_ISSUER = Shown("foreign_issuer", source="reference §3.2; invariants X1, X2")


@FOREIGN_ISSUER.asks
def recorded(claim: ClaimSide) -> Iterator[Answer]:
    """What the proof commits to: its anchor's hash (model A) or its ticket receipt's (B and on)."""
    proof, attempt, rule = claim.proof, claim.attempt, FOREIGN_ISSUER
    if not claim.has_proof:
        return
    if proof is None:
        yield claim.says(rule, CANNOT_TELL, _GRANT_S_PROOF, _NO_PROOF_OF_GRANT, title=_RECORDED)
        return
    observed = _OBSERVED.get(proof.issuer, _ANCHORED if proof.anchor else _NAMED_BY_RECORDS)
    named = attempt.audit_hash
    wanted = _RECORD_OF(audit_hash=named) if named else _RECORD_OF_VERSION_1
    key = proof.anchor.anchor_hash if proof.anchor else str(named or attempt.entry_hash)
    also = {"title": _RECORDED, "where": ("worker", key)}
    yield claim.says(rule, _STATUS[proof.issuer], wanted, observed, **also)


HISTORY_RECORD_MISSING = Shown("history_record_missing", source="reference §3.2")


@HISTORY_RECORD_MISSING.asks
def history(claim: ClaimSide) -> Iterator[Answer]:
    """The record that the worker writes beside a proof's anchor, where the storage has others."""
    proof = claim.proof
    if proof is None or proof.anchor is None or not claim.attempt.accepted:
        return
    if claim.has_proof and claim.facts.storage_history:
        there, missing = proof.in_history, proof in claim.line.unrecorded
        status = HOLDS if there else VIOLATED if missing else CANNOT_TELL
        observed = _THERE if there else _NOT_THERE
        also = {"title": _HISTORY, "where": (STORAGE, proof.entry_hash)}
        yield claim.says(HISTORY_RECORD_MISSING, status, _HISTORY_RECORD, observed, **also)
