"""Whether the worker that answers now is the one that a case speaks of: its audit list must go on
where the case's entries end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from popkit.audit.entries import GENESIS, LIST_WINDOW, has_shape
from popkit.protocol import canonical
from popkit.texts import Noun, Sentence, Text

ENTRIES = Noun("entry", "entries", "{n} 件")
_NOTHING = Text(
    "Whether the worker is the case's is not known: the case or the worker's list holds no audit "
    "entry that can be compared.",
    "この worker がケースの worker かどうかは分かりません。比べられる監査エントリが、ケースまたは worker のリストにありません。",
)
_MISSING = Text(
    "The worker is not as it was for the case: its list lacks {entries} of the case that it would "
    "show, first {first}…. It is another "
    "worker, or its storage was put back.",
    "これはケース当時の worker ではありません。リストにあるはずのケースのエントリが{entries}ありません（最初は {first}…）。別の "
    "worker か、ストレージが以前の状態に戻されています。",
)
_ANOTHER = Text(
    "The worker is not the case's: its audit chain begins after the case, and holds none of the "
    "case's entries.",
    "これはケースの worker ではありません。その監査チェーンはケースより後に始まり、ケースのエントリを含みません。",
)
_EDITED = Text(
    "Whether the worker is the case's is not known: {entries} of its list do not hash to what they "
    "say.",
    "この worker がケースの worker かどうかは分かりません。リストのエントリ{entries}のハッシュが内容と合いません。",
)
_APART = Text(
    "Whether the worker is the case's is not known: more than fifty entries were appended since, "
    "so that case and list do not meet. "
    "Collect again.",
    "この worker がケースの worker かどうかは分かりません。その後 50 件より多いエントリが追加され、ケースとリストがつながりません。"
    "収集し直してください。",
)
_SAME = Text(
    "The worker's audit list goes on where the case ends ({entries} in both).",
    "worker の監査リストはケースの続きです（両方にあるエントリ{entries}）。",
)


@dataclass(frozen=True, slots=True)
class Continuation:
    """Whether a worker's list continues a case's audit chain. `is_same` is None where list and case
    do not meet.

    `shared` counts entries that are in both; `missing` are entries of the case that the list should
    show and does not, `edited` rows of the list that do not hash to what they say.
    """

    is_same: bool | None
    shared: int
    missing: tuple[str, ...]
    edited: int
    sentence: Sentence


def is_continuation(
    case_audit_entries: Iterable[Mapping[str, Any]], live_logs: Iterable[Mapping[str, Any]]
) -> Continuation:
    """Hold the worker's newest fifty entries against those of a case (raw rows of its list or
    storage, not of its bucket, which holds failed appends too).

    It is the same worker where a row is in both, or follows one of the case, and none is missing
    that the list would show: it has the newest fifty by time, so that every entry of the case
    younger than its oldest row must be in it. Where one is missing, the list is another worker's,
    or of a storage that was put back. Only rows whose own hash holds count.
    """
    case = {str(row["entry_hash"]): str(row["ts"]) for row in case_audit_entries if _holds(row)}
    rows = list(live_logs)
    live = {str(row["entry_hash"]): str(row["prev_hash"]) for row in rows if _holds(row)}
    edited, shared = len(rows) - len(live), len(case.keys() & live.keys())
    oldest = "" if len(rows) < LIST_WINDOW else min(str(row.get("ts")) for row in rows)
    missing = tuple(
        sorted(
            (h for h, ts in case.items() if h not in live and ts > oldest),
            key=lambda h: (case[h], h),
        )
    )

    def answer(is_same: bool | None, words: Sentence) -> Continuation:
        return Continuation(is_same, shared, missing, edited, words)

    if not case or not rows:
        return answer(None, _NOTHING())
    if missing:
        return answer(False, _MISSING(entries=ENTRIES(len(missing)), first=missing[0][:16]))
    if edited:
        return answer(None, _EDITED(entries=ENTRIES(edited)))
    if shared or not case.keys().isdisjoint(live.values()):
        return answer(True, _SAME(entries=ENTRIES(shared)))
    return answer(False, _ANOTHER()) if GENESIS in live.values() else answer(None, _APART())


def _holds(row: Mapping[str, Any]) -> bool:
    return has_shape(row) and canonical.entry_hash(dict(row)) == row["entry_hash"]
