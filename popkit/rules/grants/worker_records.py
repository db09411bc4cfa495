"""The worker's own records of a grant: how far they reach, what had to be assumed of them, and
whether its two heads are one.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.causes.model import Cause
from popkit.rules.model import Answer, Rule, Where
from popkit.rules.sides import AUDIT_LOGS, REPORTS, STORAGE, GrantSide
from popkit.texts import Moment, Text
from popkit.worker.grant_storage import STREAM_KEY

_TO_HEAD = Text(
    "records of the worker back to the chain's head", "チェーンの head まで遡る worker の記録"
)
_NO_RECORDS = Text("the case holds no records of the worker", "ケースに worker の記録がありません")
_SHORT_RECORDS = Text(
    "the worker's records do not reach the chain's head",
    "worker の記録がチェーンの head まで届いていません",
)
_NEVER_SENT = Text("proofs that were issued and never sent", "発行されたが送信されなかった proof")
_TO_MOMENT = Text(
    "records of the worker up to the chain's moment", "チェーンを読み取った時点までの worker の記録"
)
_OLDER_RECORDS = Text(
    "the worker's records end before that moment", "worker の記録がその時点より前で終わっています"
)
_CONFIRMED_SECOND = Text("a record that confirms the second of issue", "発行時刻を確認できる記録")
_WHOLE_SECOND = Text(
    "the proof's second of issue is assumed: {at}, the anchor's whole second",
    "proof の発行時刻は、アンカーの秒である {at} と仮定しました",
)
_EQUAL_LINKS = Text("both links name one entry", "2 つのリンクが同じエントリを指すこと")


def _has_records(side: GrantSide) -> bool:
    line = side.line
    return line.records.is_known or bool(line.history) or line.head_source is not None


def _has_path(side: GrantSide) -> bool:
    return bool(side.line.path)


def _has_proofs(side: GrantSide) -> bool:
    return bool(side.line.proofs)


WORKER_RECORDS_MISSING = Rule(
    "worker_records_missing",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "the worker's records reach back to the chain's head",
        "worker の記録がチェーンの head まで遡れること",
    ),
    meaning=Text(
        "Without the worker's records a proof that was issued and never sent does not show.",
        "worker の記録がないため、発行されたが送信されなかった proof は分かりません。",
    ),
    advice=Text(
        "Export the immutable bucket or the worker's storage, or collect audit-logs.",
        "監査バケットまたは worker のストレージをエクスポートするか、"
        "audit-logs を収集してください。",
    ),
    context=(
        "expected",
        "observed",
        "not_checked",
    ),
)


@WORKER_RECORDS_MISSING.asks
def worker_records_missing(side: GrantSide) -> Iterator[Answer]:
    """Whether the records are unbroken back to the head: without them a proof that was never sent
    does not show.
    """
    if not side.line.reaches(side.line.chain.head):
        short = _SHORT_RECORDS if side.line.records.is_known else _NO_RECORDS
        where = AUDIT_LOGS, side.grant
        yield WORKER_RECORDS_MISSING.violated(where, _TO_HEAD(), short(), not_checked=_NEVER_SENT())


WORKER_RECORDS_STALE = Rule(
    "worker_records_stale",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "the worker's records go on up to the moment at which the chain was read",
        "worker の記録が、チェーンを読み取った時点まで続いていること",
    ),
    meaning=Text(
        "The worker's records end before the chain's last claim, or more than a minute before "
        "the chain was read.",
        "worker の記録が、チェーンの最後の claim より前、"
        "またはチェーンの読み取りより 1 分以上前で終わっています。",
    ),
    advice=Text(
        "Collect the worker's records again.",
        "worker の記録を再収集してください。",
    ),
    applies=_has_records,
)


@WORKER_RECORDS_STALE.asks
def worker_records_stale(side: GrantSide) -> Iterator[Answer]:
    """Whether the chain went on past the records, or was read long after they end."""
    line, newest = side.line, side.line.records.newest
    if line.is_stale or (side.judgement.records_end_early and line.records.is_known):
        where = (newest.place.part, newest.hash) if newest else (STORAGE, side.grant)
        yield WORKER_RECORDS_STALE.violated(where, _TO_MOMENT(), _OLDER_RECORDS())


HEAD_ASSUMED = Rule(
    "head_assumed",
    "info",
    "grant",
    source="design §6, missing_entries",
    holds=Text(
        "the second of issue of every proof on the way is confirmed",
        "未確定の proof の発行時刻がすべて確認できること",
    ),
    meaning=Text(
        "The entry hash of an issued proof rests on an assumed second of issue.",
        "発行済み proof の entry hash は、仮定した発行時刻に基づいています。",
    ),
    advice=Text(
        "Collect a storage export or the next anchor to confirm the second.",
        "確認するには、ストレージのエクスポートまたは次のアンカーを収集してください。",
    ),
    applies=_has_path,
)


@HEAD_ASSUMED.asks
def head_assumed(side: GrantSide) -> Iterator[Answer]:
    """Each proof on the way whose entry hash rests on the anchor's whole second."""
    for proof in side.line.path:
        if not proof.confirmed:
            where = side.file_of(proof.entry_hash), proof.entry_hash
            assumed = _WHOLE_SECOND(at=Moment(proof.issued_at))
            yield HEAD_ASSUMED.violated(where, _CONFIRMED_SECOND(), assumed)


STREAM_DIVERGENCE = Rule(
    "stream_divergence",
    "warning",
    "grant",
    source="program §1.8: 6027",
    holds=Text(
        "the worker's global and stream heads are one",
        "worker の global と stream の head が同じであること",
    ),
    meaning=Text(
        "The worker's global and stream heads differ, which no sound worker writes.",
        "worker の global と stream の head が異なります。正常な worker では起こりません。",
    ),
    advice=Text(
        "Find out who wrote the worker's storage.",
        "worker のストレージを誰が書き換えたか調べてください。",
    ),
    applies=_has_proofs,
)


@STREAM_DIVERGENCE.asks
def stream_divergence(side: GrantSide) -> Iterator[Answer]:
    """The cause of that name, where it shows."""
    for cause in side.causes:
        if cause.name == "stream_divergence":
            yield STREAM_DIVERGENCE.violated(
                _where_it_shows(side, cause), _EQUAL_LINKS(), cause.because
            )


def _where_it_shows(side: GrantSide, cause: Cause) -> Where:
    """Where a stream that diverged shows: in a proof, in the stored head, or in wallets' reports
    alone.
    """
    line = side.line
    if line.stored_heads_differ and cause.entries == (line.stored_stream_head,):
        key = STREAM_KEY + side.grant
        return STORAGE, key if key in (side.facts.evidence.storage or {}) else side.grant
    if cause.entries:
        return side.file_of(cause.entries[0]), cause.entries[0]
    return REPORTS, side.grant
