"""Exports of the worker's records: whether they are whole, as the worker wrote them, and true."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.copies import Alteration
from popkit.audit.entries import STORAGE as STORED
from popkit.audit.receipts import altered_receipts
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import BUCKET, STORAGE, CaseSide
from popkit.texts import Text

_AS_WRITTEN = Text("the texts as the worker wrote them", "worker が書いたままのテキスト")
_BOTH_HEADS = Text("both heads of the grant", "grant の head の両方")
_LONE_HEAD = Text(
    "the export holds this head without {lost}",
    "エクスポートにこの head はありますが、{lost} がありません",
)
_EVERY_ROW = Text("every row that the worker writes", "worker が書き込むすべての行")
_ENDS_HERE = Text(
    "the listing ends here, before other rows of the worker",
    "取得した一覧がここで終わっており、worker の他の行がありません",
)
_HISTORY_OF = Text(
    "a record of {entry} under pop_chain:history:", "pop_chain:history: 以下にある {entry} の記録"
)
_ENDS_BEFORE = Text(
    "the export holds no such record, and its records end before that key",
    "その記録はなく、エクスポートの記録はそのキーより前で終わっています",
)
_HASH_OF_FIELDS = Text(
    "an entry hash that is the hash of the record's fields",
    "記録の各フィールドから計算したハッシュと一致する entry hash",
)


def _is_exported(side: CaseSide) -> bool:
    """Whether the case holds an export of the worker's storage."""
    return side.facts.audit.storage_extent is not None


def _has_texts(side: CaseSide) -> bool:
    """Whether the case holds texts of the worker: audit entries, or ticket receipts."""
    return side.facts.audit.is_known or bool(side.facts.audit.altered or side.facts.receipt_rows)


EXPORT_ALTERED_BY_TOOL = Rule(
    "export_altered_by_tool",
    "warning",
    "audit",
    source="design §7",
    holds=Text(
        "no tool changed the worker's texts on their way",
        "worker のテキストがツールによって変更されていないこと",
    ),
    meaning=Text(
        "Every text of a source differs in one way that can be undone, and every hash holds "
        "without it: a tool did it.",
        "ある記録のすべてのテキストに、元に戻せる同じ変更があり、"
        "それを除けばすべてのハッシュが一致します。ツールによる変更です。",
    ),
    advice=Text(
        "Export again as the finding says, so that the bytes are the worker's; the entries count "
        "as read.",
        "所見に従って再エクスポートし、worker のバイト列のままにしてください。"
        "エントリは読み取ったとおりに扱います。",
    ),
    applies=_has_texts,
)


@EXPORT_ALTERED_BY_TOOL.asks
def altered(side: CaseSide) -> Iterator[Answer]:
    """What tools did to all texts of a part of the case."""
    facts = side.facts
    for file, done in _by_part(altered_receipts(facts.receipt_rows) | facts.audit.altered):
        yield EXPORT_ALTERED_BY_TOOL.violated((file, ""), _AS_WRITTEN(), done.sentence)


def _by_part(by_file: dict[str, Alteration]) -> list[tuple[str, Alteration]]:
    """What tools did to texts, by part of the case; one row for a bucket with folders alike."""
    bucket = [done for file, done in by_file.items() if file.startswith(BUCKET)]
    if len(bucket) == 2 and bucket[0].ways == bucket[1].ways:
        rest = {file: done for file, done in by_file.items() if not file.startswith(BUCKET)}
        both = Alteration(bucket[0].ways, sum(done.texts for done in bucket))
        return sorted([*rest.items(), (BUCKET, both)])
    return sorted(
        (BUCKET if file.startswith(BUCKET) else file, done) for file, done in by_file.items()
    )


STORAGE_EXPORT_PARTIAL = Rule(
    "storage_export_partial",
    "warning",
    "audit",
    source="reference §3.8",
    holds=Text(
        "the export of the worker's storage came to its end",
        "worker のストレージのエクスポートが最後まで行われていること",
    ),
    meaning=Text(
        "The export of the worker's storage is only a part: a row that it lacks may never have "
        "been exported.",
        "worker のストレージのエクスポートが一部だけです。ない行は、"
        "そもそもエクスポートされていない可能性があります。",
    ),
    advice=Text(
        "List the whole storage again, every page of it and without a prefix, and collect again.",
        "プレフィックスを指定せず、全ページにわたってストレージ全体を再取得し、"
        "再収集してください。",
    ),
    applies=_is_exported,
)


@STORAGE_EXPORT_PARTIAL.asks
def partial_storage(side: CaseSide) -> Iterator[Answer]:
    """Heads of which one of two rows is not in the export, and where the export ended.

    A proof whose parent the client gave moves no stored head: its history may stand without one.
    """
    records, extent = side.facts.audit, side.facts.audit.storage_extent
    if extent is None:
        return
    for key, lost in extent.lone_heads():
        observed = _LONE_HEAD(lost=lost)
        yield STORAGE_EXPORT_PARTIAL.violated((STORAGE, key), _BOTH_HEADS(), observed)
    rows = records.sources[STORED].stated if STORED in records.sources else {}
    known = [records.entries[row] for row in rows if row in records.entries]
    written = [f"audit_history:{entry.ts}:{entry.hash}" for entry in known]
    written += [
        f"pop_chain:lastHash:global:{row.grant}"
        for row in side.facts.storage_history
        if row.holds and not row.follows_chain
    ]
    end = extent.ends_early(written)
    if end is not None:
        yield STORAGE_EXPORT_PARTIAL.violated((STORAGE, end), _EVERY_ROW(), _ENDS_HERE())


@STORAGE_EXPORT_PARTIAL.asks
def unrecorded_beyond(side: CaseSide) -> Iterator[Answer]:
    """Accepted proofs whose history record lies past the end of the export."""
    for grant in side.facts.header.grants:
        for proof in side.grant(grant).line.unrecorded_beyond:
            anchor = proof.anchor
            key = anchor.anchor_hash if anchor is not None else proof.entry_hash
            wanted = _HISTORY_OF(entry=proof.entry_hash)
            yield STORAGE_EXPORT_PARTIAL.violated((STORAGE, key), wanted, _ENDS_BEFORE())


HISTORY_RECORD_FALSE = Rule(
    "history_record_false",
    "critical",
    "audit",
    source="reference §3.2",
    holds=Text(
        "every history record of the worker's storage hashes to what it says",
        "worker のストレージのすべての履歴の記録のハッシュが内容と一致すること",
    ),
    meaning=Text(
        "A history record of the worker's storage does not hash to what it says.",
        "worker のストレージの履歴の記録のハッシュが、記載された値と一致しません。",
    ),
    advice=Text(
        "Keep the export; find out who wrote the storage.",
        "エクスポートを保存し、ストレージを誰が書き換えたか調べてください。",
    ),
    applies=lambda side: bool(side.facts.storage_history),
)


@HISTORY_RECORD_FALSE.asks
def history(side: CaseSide) -> Iterator[Answer]:
    """History records whose entry hash is not that of their fields."""
    for row in side.facts.storage_history:
        if not row.holds:
            yield HISTORY_RECORD_FALSE.violated(
                (STORAGE, row.key),
                _HASH_OF_FIELDS(),
                row.entry_hash,
                grant=row.grant if row.grant in side.facts.header.grants else None,
            )
