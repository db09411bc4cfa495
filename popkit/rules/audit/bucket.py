"""The objects of the worker's immutable bucket against the audit entries that they hold."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import BUCKET, CaseSide
from popkit.texts import Text

_CANONICAL = Text(
    "the canonical payload of the entry under its key",
    "キーに対応するエントリの正規化された内容",
)
_OTHER_TEXT = Text(
    "the object holds another text than its entry", "オブジェクトの内容がエントリと異なります"
)
_NAMED_OBJECT = Text(
    "the object that the entry's sinks name", "エントリの書き込み先の記録が示すオブジェクト"
)
_MISSING_OBJECT = Text(
    "the export lacks the object that the entry names",
    "エントリが示すオブジェクトがエクスポートにありません",
)
_UNNAMED = Text(
    "no later entry names the object", "このオブジェクトを参照する後のエントリがありません"
)
_EVERY_OBJECT = Text(
    "every object that other evidence names", "他の証拠が参照しているすべてのオブジェクト"
)
_MOST_MISSING = Text(
    "the export lacks most of those objects",
    "それらのオブジェクトの大半がエクスポートにありません",
)
_FOLDER = Text("the bucket's objects below {folder}", "バケットの {folder} 以下のオブジェクト")


def _is_exported(side: CaseSide) -> bool:
    """Whether the case holds an export of the bucket."""
    return side.facts.audit.bucket_keys is not None


BUCKET_OBJECT_EDITED = Rule(
    "bucket_object_edited",
    "critical",
    "audit",
    source="reference §3.9",
    holds=Text(
        "every bucket object is its entry's payload",
        "バケットのすべてのオブジェクトがエントリの内容と一致すること",
    ),
    meaning=Text(
        "A bucket object is not the canonical payload of an entry under its key.",
        "バケットのオブジェクトが、キーに対応するエントリの正規化された内容と異なります。",
    ),
    advice=Text(
        "Keep the export; look for the entry in the storage, which may still hold it.",
        "エクスポートを保存し、ストレージにエントリが残っていないか確認してください。",
    ),
    applies=_is_exported,
)


@BUCKET_OBJECT_EDITED.asks
def edited(side: CaseSide) -> Iterator[Answer]:
    """Objects that are not the payload of an entry under their key."""
    for key in side.facts.tampering.edited_objects:
        yield BUCKET_OBJECT_EDITED.violated((BUCKET, key), _CANONICAL(), _OTHER_TEXT())


BUCKET_OBJECT_MISSING = Rule(
    "bucket_object_missing",
    "critical",
    "audit",
    source="reference §3.9",
    holds=Text(
        "the export holds every bucket object that a sink names",
        "書き込み先が示すすべてのオブジェクトがエクスポートにあること",
    ),
    meaning=Text(
        "The bucket object that an entry's sinks name is missing from an otherwise whole export.",
        "エントリの書き込み先の記録が示すバケットのオブジェクトが、"
        "他は完全なエクスポートの中にありません。",
    ),
    advice=Text(
        "Export the bucket again; if the object is still missing, it was removed.",
        "バケットを再エクスポートしてください。それでもなければ、オブジェクトは削除されています。",
    ),
    applies=_is_exported,
)


@BUCKET_OBJECT_MISSING.asks
def missing(side: CaseSide) -> Iterator[Answer]:
    """Objects that an entry names and that an otherwise whole export lacks."""
    for key in side.facts.tampering.missing_objects:
        yield BUCKET_OBJECT_MISSING.violated((BUCKET, key), _NAMED_OBJECT(), _MISSING_OBJECT())


BUCKET_ORPHAN = Rule(
    "bucket_orphan",
    "info",
    "audit",
    source="reference §3.9",
    holds=Text(
        "a later entry names every bucket object, but for the newest",
        "最新のものを除くバケットのすべてのオブジェクトを、後のエントリが参照していること",
    ),
    meaning=Text(
        "No later entry names a bucket object: it is the trace of an append that failed.",
        "後のエントリから参照されないオブジェクトがバケットにあります。失敗した追記の跡です。",
    ),
    advice=Text("Nothing to do.", "対応は不要です。"),
    context=("observed",),
    applies=_is_exported,
)


@BUCKET_ORPHAN.asks
def orphans(side: CaseSide) -> Iterator[Answer]:
    """Objects of entries that are no part of the chain."""
    for entry in side.facts.tampering.orphans:
        yield BUCKET_ORPHAN.violated((BUCKET, entry), observed=_UNNAMED())


BUCKET_EXPORT_PARTIAL = Rule(
    "bucket_export_partial",
    "warning",
    "audit",
    source="reference §3.9",
    holds=Text(
        "the export of the bucket came to its end",
        "バケットのエクスポートが最後まで行われていること",
    ),
    meaning=Text(
        "The bucket export is only a part: its listing stopped, began late or lost a page, or most "
        "objects are missing.",
        "バケットのエクスポートが一部だけです。一覧の取得が途中で止まったか、途中から始まったか、"
        "ページが抜けたか、大半のオブジェクトがありません。",
    ),
    advice=Text(
        "Export the whole bucket, to the end of its listing (a page holds at most 1,000 keys), and "
        "collect again.",
        "一覧の最後まで（1 ページは最大 1,000 キー）バケット全体をエクスポートし、"
        "再収集してください。",
    ),
    applies=_is_exported,
)


@BUCKET_EXPORT_PARTIAL.asks
def cuts(side: CaseSide) -> Iterator[Answer]:
    """Where the listing stopped, began late or lost a page; or that most objects are missing."""
    tampering = side.facts.tampering
    for cut in tampering.cuts:
        yield BUCKET_EXPORT_PARTIAL.violated((BUCKET, cut.key), _EVERY_OBJECT(), cut.sentence)
    if tampering.export_is_partial and not tampering.cuts:
        yield BUCKET_EXPORT_PARTIAL.violated((BUCKET, ""), _EVERY_OBJECT(), _MOST_MISSING())


BUCKET_FOLDER_NOT_EXPORTED = Rule(
    "bucket_folder_not_exported",
    "info",
    "audit",
    source="reference §3.9",
    holds=Text(
        "the export holds both of the bucket's folders",
        "エクスポートにバケットの 2 つのフォルダーがあること",
    ),
    meaning=Text(
        "One of the bucket's two folders is not in the export: the second copy of every entry was "
        "not compared.",
        "バケットの 2 つのフォルダーの一方がエクスポートにありません。"
        "各エントリの 2 つ目の写しは比較していません。",
    ),
    advice=Text(
        "Export audit/immutable/ whole, entry/ and stream/.",
        "audit/immutable/ 全体（entry/ と stream/）をエクスポートしてください。",
    ),
    context=("not_checked",),
    applies=_is_exported,
)


@BUCKET_FOLDER_NOT_EXPORTED.asks
def folders(side: CaseSide) -> Iterator[Answer]:
    """Folders of the bucket that the export does not hold at all."""
    for folder in side.facts.tampering.unexported:
        what = _FOLDER(folder=folder)
        yield BUCKET_FOLDER_NOT_EXPORTED.violated((BUCKET, ""), not_checked=what)
