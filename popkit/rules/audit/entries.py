"""The rows of the worker's audit chain: each hashes to what it says, and none is missing."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.entries import LIST
from popkit.audit.entries import STORAGE as STORED
from popkit.facts import Facts
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import AUDIT_LOGS, STORAGE, CaseSide
from popkit.texts import Text

_HASHES = Text("a row that hashes to its entry_hash", "行のハッシュが entry_hash と一致すること")
_DOES_NOT_HASH = Text("the row hashes to another value", "行のハッシュが別の値になります")
_NAMED_ENTRY = Text(
    "the audit entry that later evidence names", "後の証拠が参照している監査エントリ"
)
_MISSING_ENTRY = Text(
    "the audit entry that later evidence names is missing from the worker's records here",
    "後の証拠が参照している監査エントリが、worker のこの記録にありません",
)
_FOLLOWED_ENTRY = Text("the entry that a row of the list follows", "一覧の行が続いているエントリ")
_NOWHERE = Text(
    "neither the list nor any other part of the evidence holds the entry",
    "一覧にも他の証拠にも、このエントリがありません",
)
_BOTH_COPIES = Text(
    "both copies of the entry, audit_history and audit_entry",
    "エントリの 2 つの写し（audit_history と audit_entry）",
)
_ONE_COPY = Text(
    "the storage holds one of the two copies", "ストレージには一方の写ししかありません"
)


def _has_rows(side: CaseSide) -> bool:
    """Whether the case holds the worker's list or its storage, or an entry from elsewhere."""
    return side.facts.audit.is_known or bool(side.facts.audit.sources)


AUDIT_ENTRY_EDITED = Rule(
    "audit_entry_edited",
    "critical",
    "audit",
    source="reference §3.8",
    holds=Text(
        "every row of the audit chain hashes to what it says",
        "監査チェーンのすべての行のハッシュが内容と一致すること",
    ),
    meaning=Text(
        "A row of the worker's audit chain does not hash to what it says.",
        "worker の監査チェーンの行のハッシュが、記載された値と一致しません。",
    ),
    advice=Text(
        "Keep the export; compare with the bucket; find out who wrote the storage.",
        "エクスポートを保存し、バケットと比較し、ストレージを誰が書き換えたか調べてください。",
    ),
    applies=_has_rows,
)


@AUDIT_ENTRY_EDITED.asks
def edited(side: CaseSide) -> Iterator[Answer]:
    """Rows of the list or the storage whose own hash does not hold."""
    for entry in side.facts.tampering.edited:
        where = (_edited_in(side.facts, entry), entry)
        yield AUDIT_ENTRY_EDITED.violated(where, _HASHES(), _DOES_NOT_HASH())


def _edited_in(facts: Facts, entry: str) -> str:
    """The first of list and storage whose row of an entry does not hash to it."""
    sources = facts.audit.sources.values()
    first = next(source for source in sources if entry in source.edited)
    return STORAGE if first.name == STORED else AUDIT_LOGS


AUDIT_ENTRY_REMOVED = Rule(
    "audit_entry_removed",
    "critical",
    "audit",
    source="reference §3.8, §3.10",
    holds=Text(
        "no entry is gone from where it must stand",
        "あるべき位置からなくなったエントリがないこと",
    ),
    meaning=Text(
        "The audit entry that later evidence names is missing from the worker's records.",
        "後の証拠が参照している監査エントリが、worker の記録にありません。",
    ),
    advice=Text(
        "Keep the export; look for the entry in the bucket, which may still hold it.",
        "エクスポートを保存し、バケットにエントリが残っていないか確認してください。",
    ),
    applies=_has_rows,
)


@AUDIT_ENTRY_REMOVED.asks
def removed(side: CaseSide) -> Iterator[Answer]:
    """Entries that are absent inside what the list or the storage covers."""
    for entry in side.facts.tampering.removed:
        where = (_lacking_file(side.facts, entry), entry)
        yield AUDIT_ENTRY_REMOVED.violated(where, _NAMED_ENTRY(), _MISSING_ENTRY())


def _lacking_file(facts: Facts, entry: str) -> str:
    """The source that lacks an entry: the list where it does, else the storage."""
    shown = facts.audit.sources.get(LIST)
    return STORAGE if shown is None or entry in shown.stated else AUDIT_LOGS


AUDIT_LIST_GAP = Rule(
    "audit_list_gap",
    "warning",
    "audit",
    source="reference §3.7, §3.8",
    holds=Text(
        "every row of the worker's list follows an entry that the evidence holds",
        "worker の一覧のすべての行が、証拠にあるエントリに続いていること",
    ),
    meaning=Text(
        "A row of the worker's list follows an entry that nothing in the evidence holds, though "
        "older rows are listed.",
        "worker の一覧の行が、証拠のどこにもないエントリに続いています。"
        "それより古い行は一覧にあります。",
    ),
    advice=Text(
        "Export the bucket or the storage: a clock that was wrong once puts a row outside the "
        "newest fifty, and so does a removal.",
        "バケットまたはストレージをエクスポートしてください。"
        "時計の狂いで行が最新 50 件から外れたか、行が削除されています。",
    ),
    applies=lambda side: LIST in side.facts.audit.sources,
)


@AUDIT_LIST_GAP.asks
def followed_entries(side: CaseSide) -> Iterator[Answer]:
    """Entries that rows of the list follow and that nothing holds."""
    for entry in side.facts.tampering.unshown:
        yield AUDIT_LIST_GAP.violated((AUDIT_LOGS, entry), _FOLLOWED_ENTRY(), _NOWHERE())


STORAGE_COPY_MISSING = Rule(
    "storage_copy_missing",
    "warning",
    "audit",
    source="reference §3.8",
    holds=Text(
        "the storage holds both copies of every audit entry",
        "ストレージにすべての監査エントリの 2 つの写しがあること",
    ),
    meaning=Text(
        "The storage holds one of an audit entry's two copies.",
        "監査エントリの 2 つの写しのうち、ストレージに一方しかありません。",
    ),
    advice=Text(
        "Compare with the bucket: the worker crashed between two writes, or somebody edited the "
        "storage.",
        "バケットと比較してください。"
        "2 回の書き込みの間で worker が停止したか、ストレージが編集されています。",
    ),
    applies=lambda side: STORED in side.facts.audit.sources,
)


@STORAGE_COPY_MISSING.asks
def copies(side: CaseSide) -> Iterator[Answer]:
    """Audit entries of which the storage holds one copy alone."""
    for entry in side.facts.tampering.half_copies:
        yield STORAGE_COPY_MISSING.violated((STORAGE, entry), _BOTH_COPIES(), _ONE_COPY())
