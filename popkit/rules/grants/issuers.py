"""Who issued each proof: this worker, another holder of its key, or nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import STORAGE, TRANSACTIONS, GrantSide
from popkit.texts import Text
from popkit.wording import PROOFS
from popkit.worker.proofs import Proof

_AN_ANCHOR = Text(
    "an anchor in the worker's audit chain, which is complete over that time",
    "その期間について完全な worker の監査チェーンにあるアンカー",
)
_NO_ANCHOR = Text(
    "the audit chain holds no entry for the proof's audit_hash {audit_hash}",
    "proof の audit_hash {audit_hash} に対応する監査エントリがありません",
)
_NOT_COVERED = Text(
    "who issued {proofs}: the worker's records do not cover their time",
    "{proofs}の発行者（worker の記録がその時期を含んでいません）",
)
_ATTESTED = Text(
    "the row of the anchor's request (API_POST_V1_SCHOOL_POP_PROOF, 200), a history record, "
    "or a signed message",
    "アンカーに対応するリクエストの行（API_POST_V1_SCHOOL_POP_PROOF、200）、履歴の記録、"
    "または署名されたメッセージ",
)
_ANCHOR_ALONE = Text(
    "nothing but the anchor shows this proof", "この proof を示すのはアンカーだけです"
)
_HISTORY_OF = Text(
    "a record of {entry} under pop_chain:history:", "pop_chain:history: 以下にある {entry} の記録"
)
_ANCHOR_STORED = Text(
    "the storage holds the proof's anchor and no record of it",
    "ストレージにはアンカーだけがあり、記録がありません",
)
_MAY_END_BEFORE = Text(
    "the export holds no such record, and may end before it",
    "その記録はありませんが、エクスポートがその手前で終わっている可能性があります",
)


def _sent(side: GrantSide) -> list[tuple[Proof, Attempt]]:
    """Every proof that a claim carries, by its hash, each with the claim that landed, else with
    its first refusal.
    """
    proofs = sorted(side.line.proofs.values(), key=lambda proof: proof.entry_hash)
    return [(p, p.accepted or p.refused[0]) for p in proofs if p.accepted or p.refused]


def _has_sent_proofs(side: GrantSide) -> bool:
    return bool(_sent(side))


def _has_anchors(side: GrantSide) -> bool:
    return bool(side.facts.line(side.grant).anchors)


def _has_history(side: GrantSide) -> bool:
    return bool(side.line.history)


FOREIGN_ISSUER = Rule(
    "foreign_issuer",
    "critical",
    "grant",
    source="invariant X1",
    holds=Text(
        "every proof on chain is in the worker's audit chain",
        "オンチェーンのすべての proof が worker の監査チェーンにあること",
    ),
    meaning=Text(
        "A proof is validly signed but is not in the worker's complete audit chain: another "
        "issuer holds the key.",
        "正しく署名された proof が、完全な worker の監査チェーンにありません。"
        "別の発行者が鍵を持っています。",
    ),
    advice=Text(
        "Stop every other worker, rotate the signing key, then cut over.",
        "他の worker をすべて止め、署名鍵を交換してから切り替えてください。",
    ),
    applies=_has_sent_proofs,
)


@FOREIGN_ISSUER.asks
def foreign_issuer(side: GrantSide) -> Iterator[Answer]:
    """Each proof that a complete audit chain does not hold; of those over whose time it is not
    complete nothing can be told.
    """
    sent = _sent(side)
    for proof, attempt in sent:
        if proof.issuer == "foreign":
            observed = _NO_ANCHOR(audit_hash=proof.audit_hash)
            where = TRANSACTIONS, attempt.signature
            yield FOREIGN_ISSUER.violated(where, _AN_ANCHOR(), observed, slot=attempt.slot)
    unknown = [attempt for proof, attempt in sent if proof.issuer == "unknown"]
    if unknown:
        observed = _NOT_COVERED(proofs=PROOFS(len(unknown)))
        yield FOREIGN_ISSUER.unknown((TRANSACTIONS, unknown[0].signature), _AN_ANCHOR(), observed)


ISSUER_UNKNOWN = Rule(
    "issuer_unknown",
    "info",
    "grant",
    source="invariant X1",
    holds=Text(
        "the worker's records cover the time of every proof on chain",
        "worker の記録が、オンチェーンのすべての proof の時期を含むこと",
    ),
    meaning=Text(
        "The worker's records do not cover the time of this proof and therefore do not show "
        "who issued it.",
        "worker の記録がこの proof の時期を含まないため、発行者が分かりません。",
    ),
    advice=Text(
        "Export the immutable bucket or the worker's storage.",
        "監査バケットまたは worker のストレージをエクスポートしてください。",
    ),
    context=("not_checked",),
    applies=_has_sent_proofs,
)


@ISSUER_UNKNOWN.asks
def issuer_unknown(side: GrantSide) -> Iterator[Answer]:
    """All such proofs in one finding, at the first by its hash."""
    unknown = [attempt for proof, attempt in _sent(side) if proof.issuer == "unknown"]
    if unknown:
        first, text = unknown[0], _NOT_COVERED(proofs=PROOFS(len(unknown)))
        yield ISSUER_UNKNOWN.violated(
            (TRANSACTIONS, first.signature), not_checked=text, slot=first.slot
        )


ANCHOR_UNATTESTED = Rule(
    "anchor_unattested",
    "warning",
    "grant",
    source="design §5; reference §3.7, trap 26",
    holds=Text(
        "more than an anchor shows every proof",
        "すべての proof に、アンカー以外の裏付けがあること",
    ),
    meaning=Text(
        "Only an anchor shows this proof: somebody may have written the anchor by hand, or "
        "its request failed after the head had moved.",
        "この proof を示すのはアンカーだけです。アンカーが手で書かれたか、"
        "head が動いた後にリクエストが失敗した可能性があります。",
    ),
    advice=Text(
        "Export the worker's storage: its head and history show whether the worker issued "
        "that proof.",
        "worker のストレージをエクスポートしてください。head と履歴から、"
        "worker が発行した proof かどうか分かります。",
    ),
    applies=_has_anchors,
)


@ANCHOR_UNATTESTED.asks
def anchor_unattested(side: GrantSide) -> Iterator[Answer]:
    """Each proof that an anchor alone shows: whoever holds the audit-log token can write one by
    hand.
    """
    for proof in side.facts.line(side.grant).unattested:
        if proof.anchor is not None:
            anchor = proof.anchor.anchor_hash
            where = side.line.records.entries[anchor].place.part, anchor
            yield ANCHOR_UNATTESTED.violated(where, _ATTESTED(), _ANCHOR_ALONE())


HISTORY_RECORD_MISSING = Rule(
    "history_record_missing",
    "critical",
    "grant",
    source="reference §3.2, trap 26",
    holds=Text(
        "the worker's storage holds a history record of every accepted proof that it anchors",
        "worker のストレージに、アンカーのある受理済みの proof の履歴の記録がすべてあること",
    ),
    meaning=Text(
        "The worker's storage anchors an accepted proof and holds no history record of it, as "
        "of others.",
        "worker のストレージに、受理された proof のアンカーはありますが、"
        "他の proof にはある履歴の記録がありません。",
    ),
    advice=Text(
        "Ask who could write to the storage or to /v1/audit/log: the anchor was written by "
        "hand, or the record was taken out.",
        "アンカーが手で書かれたか、記録が取り除かれています。"
        "ストレージや /v1/audit/log に書き込めた人を確認してください。",
    ),
    applies=_has_history,
)


@HISTORY_RECORD_MISSING.asks
def history_record_missing(side: GrantSide) -> Iterator[Answer]:
    """Each accepted proof with an anchor and no record; beyond the export's end the record may
    only be unexported.
    """
    rule = HISTORY_RECORD_MISSING
    for proof in side.line.unrecorded:
        attempt, wanted = proof.accepted, _HISTORY_OF(entry=proof.entry_hash)
        assert attempt is not None
        where = TRANSACTIONS, attempt.signature
        yield rule.violated(where, wanted, _ANCHOR_STORED(), slot=attempt.slot)
    for proof in side.line.unrecorded_beyond:
        wanted = _HISTORY_OF(entry=proof.entry_hash)
        yield rule.unknown((STORAGE, proof.entry_hash), wanted, _MAY_END_BEFORE())
