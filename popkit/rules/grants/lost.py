"""Proofs that can land no more, and proofs on the way of which one at least cannot land."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.protocol.message import SKEW_SECONDS
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, TRANSACTIONS, GrantSide
from popkit.texts import Text

_ACCEPTED_OR_YOUNG = Text(
    "an accepted claim, or an age of at most 600 s",
    "受理された claim があるか、発行から 600 秒以内であること",
)
_LOST = Text(
    "no accepted claim carries the proof, and it can land no more",
    "この proof を含む受理された claim はなく、もう取り込まれません",
)
_RECORDS_END = Text(
    "a proof that was never sent shows in the worker's records alone, which do not reach the "
    "chain's head",
    "送信されなかった proof は worker の記録でしか分かりませんが、"
    "記録がチェーンの head まで届いていません",
)
_ONE_ON_THE_WAY = Text(
    "one proof on the way for {claimer}, period {period}",
    "{claimer} の期間 {period} について、未確定の proof が 1 件だけであること",
)
_ALSO = Text("the proof {entry} as well", "proof {entry} もあります")
_IN_PERIOD = Text(
    "a proof for period {periods}, in which the proof can land",
    "取り込まれ得る期間 {periods} の proof であること",
)
_OF_PERIOD = Text("the proof is for period {period}", "この proof は期間 {period} のものです")
_NO_TERMS = Text("the evidence holds no terms of the grant", "証拠に grant の条件がありません")


def _has_proofs(side: GrantSide) -> bool:
    return bool(side.line.proofs)


def _waits_for_proofs(side: GrantSide) -> bool:
    """Whether proofs are on the way under rules that wait for one parent."""
    return side.judgement.is_strict and bool(side.line.path)


PROOF_LOST = Rule(
    "proof_lost",
    "warning",
    "grant",
    source="program §1.7",
    holds=Text("no issued proof is lost", "失われた proof がないこと"),
    meaning=Text(
        "A proof was issued and never accepted, and it can land no more.",
        "発行された proof が受理されないまま、もう取り込まれなくなりました。",
    ),
    advice=Text(
        "Give the holder a claim on the new grant: nothing brings the proof back.",
        "この proof は元に戻せません。持ち主には新しい grant で claim してもらってください。",
    ),
    applies=_has_proofs,
)


@PROOF_LOST.asks
def proof_lost(side: GrantSide) -> Iterator[Answer]:
    """Every lost proof; under relaxed rules none waits for another, so that a loss is a remark
    alone.
    """
    incident, severity = side.incident, "warning" if side.judgement.is_strict else "info"
    for entry in incident.lost_proofs:
        where = side.file_of(entry), entry
        yield PROOF_LOST.violated(where, _ACCEPTED_OR_YOUNG(), _LOST(), severity=severity)
    if incident.lost_proofs:
        return
    if side.judgement.verdict == "inconclusive":
        yield PROOF_LOST.unknown(
            (ACCOUNTS, side.grant), _ACCEPTED_OR_YOUNG(), side.judgement.because
        )
    elif not side.line.reaches(side.line.chain.head):
        yield PROOF_LOST.unknown((ACCOUNTS, side.grant), _ACCEPTED_OR_YOUNG(), _RECORDS_END())


PROOF_REPEATED = Rule(
    "proof_repeated",
    "warning",
    "grant",
    source="program §1.2",
    holds=Text(
        "no two proofs on the way are for one claimer and period",
        "同じ claimer と期間の未確定の proof が複数ないこと",
    ),
    meaning=Text(
        "Two proofs on the way are for one claimer and period: at most one of them can land, "
        "and what follows the other cannot.",
        "未確定の proof のうち 2 件が同じ claimer と期間のものです。"
        "取り込まれるのは一方だけで、もう一方に続く proof は取り込まれません。",
    ),
    advice=Text(
        "The chain cannot heal: freeze the event and cut over.",
        "チェーンは回復しません。イベントを凍結し、切り替えてください。",
    ),
    applies=_waits_for_proofs,
)


@PROOF_REPEATED.asks
def proof_repeated(side: GrantSide) -> Iterator[Answer]:
    """Proofs on the way that ask for what an earlier one there asks for: only one of the two can
    land.
    """
    for entry, earlier in side.line.repeated.items():
        proof = side.line.proofs[entry]
        wanted = _ONE_ON_THE_WAY(claimer=proof.claimer, period=proof.period_index)
        yield PROOF_REPEATED.violated((side.file_of(entry), entry), wanted, _ALSO(entry=earlier))


PROOF_OUT_OF_PERIOD = Rule(
    "proof_out_of_period",
    "warning",
    "grant",
    source="program §1.7",
    holds=Text(
        "every proof on the way is for a period in which it can land",
        "未確定の proof の期間が、取り込まれ得るものであること",
    ),
    meaning=Text(
        "A proof on the way is for a period that was over when it was issued, or that begins "
        "too late for it.",
        "未確定の proof の期間が、発行時にすでに終わっていたか、有効期限内に始まりません。",
    ),
    advice=Text(
        "The program refuses the proof whenever it is sent: freeze the event and cut over.",
        "この proof はいつ送信しても拒否されます。イベントを凍結し、切り替えてください。",
    ),
    applies=_waits_for_proofs,
)


@PROOF_OUT_OF_PERIOD.asks
def proof_out_of_period(side: GrantSide) -> Iterator[Answer]:
    """Proofs on the way for a period that was over when they were issued, or that begins too late
    for them.
    """
    terms = side.incident.fates.terms
    if terms is None:
        yield PROOF_OUT_OF_PERIOD.unknown((TRANSACTIONS, side.grant), observed=_NO_TERMS())
        return
    for proof in side.line.path:
        first, last = (
            terms.period_at(proof.issued_at),
            terms.period_at(proof.issued_at + SKEW_SECONDS),
        )
        if not first <= proof.period_index <= last:
            where = side.file_of(proof.entry_hash), proof.entry_hash
            wanted = _IN_PERIOD(periods=str(first) if first == last else f"{first}-{last}")
            yield PROOF_OUT_OF_PERIOD.violated(where, wanted, _OF_PERIOD(period=proof.period_index))
