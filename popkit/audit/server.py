"""The worker's own audit-integrity against what was recomputed: where the two differ, which is
right, and why.

It reads at most 200 of the newest rows, by time and then by hash; it compares with no stored head,
no list, no ticket receipt, no second copy and nothing on chain; and of the bucket it reads one of
two objects, when it reads it at all (reference §3.10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.audit.ends import older_than_parent
from popkit.audit.entries import AuditEntry, AuditRecords
from popkit.audit.tampering import Tampering
from popkit.evidence.bundle import Evidence
from popkit.evidence.layout import AUDIT_INTEGRITY
from popkit.texts import Listed, Sentence, sentence

CHAIN_BREAKS = frozenset({"global_chain_break", "stream_chain_break"})


@dataclass(frozen=True, slots=True)
class ServerVerdict:
    """What the worker says of its audit chain, and what was recomputed; `why` is empty where the
    two agree.
    """

    says: bool
    recomputed: bool
    why: tuple[Sentence, ...]

    @property
    def agrees(self) -> bool:
        return self.says == self.recomputed

    @property
    def text(self) -> Sentence:
        """In words: `ok true; the recomputed result counts: …`."""
        ok = str(self.says).lower()
        if self.agrees:
            return sentence(
                "ok {ok}; both say the same", "ok {ok}。再計算の結果と一致しています", ok=ok
            )
        return sentence(
            "ok {ok}; the recomputed result counts: {why}",
            "ok {ok}。再計算の結果を正とします: {why}",
            ok=ok,
            why=Listed(self.why, between="; "),
        )


def server_verdict(
    evidence: Evidence,
    records: AuditRecords,
    tampering: Tampering,
    receipts_hold: bool,
    ends_hold: bool = True,
) -> ServerVerdict | None:
    """The worker's audit-integrity in a case, or None where it was not collected or is none.

    `ends_hold` is whether stored heads, beginnings and stream links are as they must be.
    """
    answer = evidence.answers.get(AUDIT_INTEGRITY.name)
    body = answer.body if answer is not None else None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return None
    chain_holds = not (
        tampering.edited
        or tampering.removed
        or tampering.edited_objects
        or tampering.missing_objects
    )
    holds = chain_holds and receipts_hold and ends_hold
    if body["ok"] == holds:
        return ServerVerdict(body["ok"], holds, ())
    why = (
        _misses(body, records, tampering, receipts_hold, ends_hold)
        if body["ok"]
        else _false_alarms(body, records)
    )
    return ServerVerdict(body["ok"], holds, tuple(why))


def _misses(
    body: dict[str, Any],
    records: AuditRecords,
    tampering: Tampering,
    receipts_hold: bool,
    ends_hold: bool,
) -> list[Sentence]:
    """Why the worker sees nothing wrong where something is."""
    why: list[Sentence] = []
    if body.get("checked") == 0:
        why.append(sentence("the worker checked no row at all", "worker は 1 行も検査していません"))
    window = _window(body, records)
    first = min((entry.ts for entry in window), default="")
    if any(_time(records, entry) < first for entry in [*tampering.edited, *tampering.removed]):
        why.append(
            sentence(
                "the worker reads the newest {limit} rows alone and never checks older ones",
                "worker は最新の {limit} 行しか読まず、それより古い行を検査しません",
                limit=body.get("limit"),
            )
        )
    if tampering.removed:
        why.append(
            sentence(
                "the worker compares with no stored head and no other source: rows missing from "
                "the ends, or a tail written anew, "
                "do not show",
                "worker は保存された head や他の記録と照合しないため、両端の行の欠落や末尾の書き換えが見えません",
            )
        )
    if (tampering.edited_objects or tampering.missing_objects) and body.get(
        "verifyImmutable"
    ) is not True:
        why.append(
            sentence("the worker did not read the bucket", "worker はバケットを読んでいません")
        )
    if any("/stream/" in key for key in [*tampering.edited_objects, *tampering.missing_objects]):
        why.append(
            sentence(
                "of the bucket's two objects of an entry the worker reads one: r2_entry, not "
                "r2_stream",
                "worker は、バケットにある 1 エントリ 2 つのオブジェクトのうち r2_entry だけを読み、r2_stream を読みません",
            )
        )
    if tampering.edited and not why:
        why.append(
            sentence(
                "of the storage's two copies of a row the worker reads one (audit_history, not "
                "audit_entry), and it reads no sink's time",
                "worker は、ストレージにある 2 つの写しのうち audit_history だけを読み、audit_entry と書き込み先の時刻を読みません",
            )
        )
    if not receipts_hold:
        why.append(
            sentence(
                "the worker looks at no ticket receipt", "worker は参加券レシートを検査しません"
            )
        )
    if not ends_hold:
        why.append(
            sentence(
                "the worker looks at no stored head and at no beginning, and at links inside its "
                "window alone",
                "worker は保存された head とチェーンの先頭を検査せず、検査範囲内のリンクしか見ません",
            )
        )
    return why or [
        sentence(
            "the fault may be younger than the worker's answer",
            "worker の応答より後に起きた異常かもしれません",
        )
    ]


def _false_alarms(body: dict[str, Any], records: AuditRecords) -> list[Sentence]:
    """Why the worker raises an alarm where nothing is wrong."""
    told = body.get("issues")
    issues = [issue for issue in told if isinstance(issue, dict)] if isinstance(told, list) else []
    codes = {str(issue.get("code")) for issue in issues}
    window = _window(body, records)
    why: list[Sentence] = []
    cut = _cut_millisecond(window, records)
    if cut is not None and codes & CHAIN_BREAKS:
        why.append(
            sentence(
                "the worker's window cuts through the rows of one millisecond, {cut}, which it "
                "orders by hash and not by link",
                "worker の検査範囲の境目が同一ミリ秒（{cut}）の行の途中にあり、worker はそれらをリンク順ではなくハッシュ順に並べます",
                cut=cut,
            )
        )
    if (
        any(older.hash in {entry.hash for entry in window} for older in older_than_parent(records))
        and codes & CHAIN_BREAKS
    ):
        why.append(
            sentence(
                "the worker's window is by time, and its clock was set back: rows that belong into "
                "the window by link lie outside",
                "worker の検査範囲は時刻で決まりますが、時計が戻されたため、リンク上は範囲内の行が範囲外になっています",
            )
        )
    if any(
        issue.get("code") == "stream_chain_break" and issue.get("eventId") == "global"
        for issue in issues
    ):
        why.append(
            sentence(
                "a stream named 'global' shares the key of the global head: anybody's request with "
                "that eventId does it",
                "「global」という名前の stream が global の head とキーを共有しています。その eventId のリクエストは誰でも送れます",
            )
        )
    if any(entry.stream_prev_hash is None for entry in window) and codes & CHAIN_BREAKS:
        why.append(
            sentence(
                "rows of the first form, without stream_prev_hash, follow their event's last row "
                "and not the global one",
                "stream_prev_hash のない初期形式の行は、global ではなくイベントごとの直前の行に続いています",
            )
        )
    if "immutable_receipt_missing" in codes and any(entry.immutable is None for entry in window):
        why.append(
            sentence(
                "rows that were written while no immutable sink was on have no receipt of one",
                "不変ストレージへの書き込みが無効だった間の行には、その受領記録がありません",
            )
        )
    return why or [
        sentence(
            "recomputing finds none of the issues that the worker names: {issues}",
            "worker が挙げた問題は再計算では一つも見つかりません: {issues}",
            issues=Listed(tuple(sorted(codes)), between=", ")
            if codes
            else sentence("none named", "指摘なし"),
        )
    ]


def _window(body: dict[str, Any], records: AuditRecords) -> list[AuditEntry]:
    """The rows that the worker read, oldest first: as many as it checked, back from the head it
    names where that is known.
    """
    checked, head = body.get("checked"), body.get("globalHead")
    rows = sorted(records.entries.values(), key=lambda entry: entry.key)
    last = records.entries.get(str(head))
    if last is not None:
        rows = [entry for entry in rows if entry.ts <= last.ts]
    return rows[-checked:] if isinstance(checked, int) and checked > 0 else []


def _cut_millisecond(window: list[AuditEntry], records: AuditRecords) -> str | None:
    """The time of the window's oldest row, when a row outside has the same."""
    if not window:
        return None
    first, inside = window[0].ts, {entry.hash for entry in window}
    return (
        first
        if any(entry.ts == first and entry.hash not in inside for entry in records.entries.values())
        else None
    )


def _time(records: AuditRecords, entry: str) -> str:
    """The time of a row, by its entry or as the row itself states it; '~' (after every time) where
    nothing tells.
    """
    known = records.entries.get(entry)
    if known is not None:
        return known.ts
    return next(
        (source.stated[entry] for source in records.sources.values() if entry in source.stated), "~"
    )
