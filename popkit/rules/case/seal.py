"""Whether a case is as it was collected: its manifest, and the custody record of its collection."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.errors import CaseUnreadable
from popkit.evidence.custody import check_custody, files_named
from popkit.evidence.layout import CUSTODY, MANIFEST
from popkit.evidence.lines import SUFFIXES
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import CaseSide
from popkit.texts import Listed, Text

_DIGESTS = Text(
    "each file's SHA-256 is the one in the manifest",
    "各ファイルの SHA-256 がマニフェストの値です",
)
_NO_MANIFEST = Text("the case has no manifest", "ケースにマニフェストがありません")

CASE_UNSEALED = Rule(
    "case_unsealed",
    "info",
    "case",
    source="design §4",
    holds=Text("every file is the one that was sealed", "すべてのファイルが封印時のものであること"),
    meaning=Text(
        "The case has no manifest: nothing shows that its files are those that were collected.",
        "ケースにマニフェストがなく、ファイルが収集時のままであることを示すものがありません。",
    ),
    advice=Text(
        "Ask whoever collected the case for its manifest, or collect again.",
        "収集した人にマニフェストを求めるか、再収集してください。",
    ),
)


@CASE_UNSEALED.asks
def seal(side: CaseSide) -> Iterator[Answer]:
    """Whether there is a manifest; a case that differs from its manifest is not opened at all."""
    where = (MANIFEST, "")
    if side.facts.evidence.digests is None:
        yield CASE_UNSEALED.unknown(where, _DIGESTS, _NO_MANIFEST)
    else:
        yield CASE_UNSEALED.held(where, _DIGESTS, _DIGESTS)


_EACH_LINE = Text(
    "each line names the one before it, and the case holds what each says was kept",
    "各行が直前の行を指し、保存したとされるものがケースにあります",
)
_EACH_DOES = Text(
    "each line does, and the case holds all of it", "そのとおりで、すべてケースにあります"
)
_GONE = Text(
    "case.json names a custody record, which the case does not hold as it was written; "
    "unpack {file}, or collect again",
    "case.json が示す証拠保全の記録が、書かれたままの形ではケースにありません。"
    "{file} を展開するか、収集し直してください",
)
_PACKED = Text(
    "files that the custody record names were packed since; unpack {files}",
    "証拠保全の記録が示すファイルが、その後圧縮されています。{files} を展開してください",
)


def _names_custody(side: CaseSide) -> bool:
    """Whether the case says how it came to be; one that names no custody record says nothing."""
    facts = side.facts
    packed = any(f"{CUSTODY}{suffix}" in facts.evidence.files for suffix in ("", *SUFFIXES))
    return packed or "custody" in facts.header.sources


CUSTODY_BROKEN = Rule(
    "custody_broken",
    "critical",
    "case",
    source="design §4, §5: tampered evidence",
    holds=Text("the custody record holds", "証拠保全の記録が正しいこと"),
    meaning=Text(
        "The custody record of the collection does not fit itself, or does not fit the files of "
        "the case: one of the two was altered after the collection, and the case sealed anew.",
        "収集時の証拠保全の記録が、記録自体またはケースのファイルと合いません。"
        "収集後にどちらかが変更され、ケースが封印し直されています。",
    ),
    advice=Text(
        "Do not rely on this copy: ask for the manifest that was given to a second person on the "
        "day, or collect again.",
        "このコピーに頼らないでください。当日に別の人へ渡したマニフェストと照合するか、"
        "再収集してください。",
    ),
    applies=_names_custody,
)


@CUSTODY_BROKEN.asks
def custody(side: CaseSide) -> Iterator[Answer]:
    """The custody record against itself and against the files that it names.

    It names bytes of files as they were written. Of a record, or of files, that somebody packed or
    left out it shows nothing, and that is said.
    """
    files, where = side.facts.evidence.files, (CUSTODY, "")
    if CUSTODY not in files:
        packed = (f"{CUSTODY}{suffix}" for suffix in SUFFIXES)
        gone = _GONE(file=next((name for name in packed if name in files), CUSTODY))
        yield CUSTODY_BROKEN.unknown(where, _EACH_LINE, gone)
        return
    root = side.facts.evidence.root
    try:
        named, breaks = files_named(root), check_custody(root)
    except CaseUnreadable as unreadable:
        yield CUSTODY_BROKEN.unknown(where, _EACH_LINE, str(unreadable))
        return
    packed_since = sorted(
        name + suffix
        for name in named - set(files)
        for suffix in SUFFIXES
        if name + suffix in files
    )
    if not breaks:
        yield CUSTODY_BROKEN.held(where, _EACH_LINE, _EACH_DOES)
    elif packed_since:
        yield CUSTODY_BROKEN.unknown(where, _EACH_LINE, _PACKED(files=Listed(tuple(packed_since))))
    else:
        yield CUSTODY_BROKEN.violated(where, _EACH_LINE, Listed(tuple(map(str, breaks[:3]))))
