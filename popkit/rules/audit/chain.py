"""The links and the ends of the worker's audit chain, and its clock."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.ends import older_than_parent
from popkit.audit.entries import GENESIS
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import CaseSide
from popkit.texts import Listed, Noun, Text

_AUDIT = ("worker", "audit")
_ENTRIES = Noun("entry", "entries", "{n}件のエントリ")
_AUDIT_ENTRIES = Text("audit entries", "監査エントリ")
_NONE_THERE = Text("the evidence holds none", "証拠にありません")
_BROKEN_OFF = Text(
    "{count}, then a gap or the window's edge", "{count}の先に、欠落または一覧の端があります"
)
_NO_ENTRY = Text("no entry", "エントリなし")
_ONE_BEGINNING = Text(
    "one entry that begins the audit chain", "監査チェーンの先頭となるエントリが 1 つだけであること"
)
_ANOTHER_BEGINNING = Text(
    "this entry begins the audit chain once more",
    "このエントリから監査チェーンが再び始まっています",
)
_RISING_TIMES = Text("times that never fall", "戻ることのない時刻")
_CLOCK_SET_BACK = Text(
    "the clock was set back before {entries}; the order is by links",
    "{entries} の前に時計が戻されています（順序はリンクによります）",
)


def _is_known(side: CaseSide) -> bool:
    """Whether the case holds any audit entry."""
    return side.facts.audit.is_known


def _names_ends(side: CaseSide) -> bool:
    """Whether the case holds something in which the worker names the end of its chain."""
    return side.facts.evidence.storage is not None or bool(side.facts.audit.sources)


AUDIT_CHAIN_PARTIAL = Rule(
    "audit_chain_partial",
    "info",
    "audit",
    source="invariant W1",
    holds=Text(
        "the chain is unbroken from its newest entry to GENESIS",
        "最新のエントリから GENESIS まで途切れていないこと",
    ),
    meaning=Text(
        "The evidence does not hold the worker's audit chain back to its beginning, or nothing of "
        "it.",
        "証拠にある worker の監査チェーンが先頭まで遡れないか、まったくありません。",
    ),
    advice=Text(
        "Export the immutable bucket or the worker's storage.",
        "監査バケットまたは worker のストレージをエクスポートしてください。",
    ),
)


@AUDIT_CHAIN_PARTIAL.asks
def unbroken(side: CaseSide) -> Iterator[Answer]:
    """How far the chain goes back from its newest entry without a gap."""
    records = side.facts.audit
    if not records.is_known:
        yield AUDIT_CHAIN_PARTIAL.unknown(_AUDIT, _AUDIT_ENTRIES, _NONE_THERE)
    elif records.reaches_genesis:
        yield AUDIT_CHAIN_PARTIAL.held(_AUDIT, GENESIS, GENESIS)
    else:
        count = _ENTRIES(len(records.line))
        yield AUDIT_CHAIN_PARTIAL.unknown(_AUDIT, GENESIS, _BROKEN_OFF(count=count))


AUDIT_CHAIN_RESTARTED = Rule(
    "audit_chain_restarted",
    "warning",
    "audit",
    source="reference §3.8, §3.10",
    holds=Text("no second entry begins the chain", "チェーンの始まりが 2 つ以上ないこと"),
    meaning=Text(
        "The audit chain begins more than once: entries before the later beginning are not linked "
        "to it.",
        "監査チェーンの先頭が複数あります。後の先頭より前のエントリは、そこにつながっていません。",
    ),
    advice=Text(
        "Find out when and why the worker's storage was emptied.",
        "worker のストレージがいつ、なぜ空になったか調べてください。",
    ),
    applies=_is_known,
)


@AUDIT_CHAIN_RESTARTED.asks
def beginnings(side: CaseSide) -> Iterator[Answer]:
    """Every entry but the oldest that begins a chain."""
    for entry in side.restarts:
        where = (entry.place.part, entry.hash)
        yield AUDIT_CHAIN_RESTARTED.violated(where, _ONE_BEGINNING(), _ANOTHER_BEGINNING())


AUDIT_STREAM_LINK_WRONG = Rule(
    "audit_stream_link_wrong",
    "critical",
    "audit",
    source="reference §3.8; invariant W1",
    holds=Text(
        "every stream link names its stream's newest entry",
        "すべてのストリームのリンクがその時点の最新エントリを指していること",
    ),
    meaning=Text(
        "An entry's stream link does not name the entry before it in its stream.",
        "エントリの stream リンクが、同じ stream の直前のエントリを指していません。",
    ),
    advice=Text(
        "Find out who wrote the entry: a worker that stopped between two writes can name an older "
        "entry (a warning), no worker names another stream's or none.",
        "エントリを誰が書いたか調べてください。書き込みの途中で停止した worker "
        "が古いエントリを指すことはありますが（warning）、"
        "別の stream を指すことや何も指さないことはありません。",
    ),
    applies=_is_known,
)


@AUDIT_STREAM_LINK_WRONG.asks
def stream_links(side: CaseSide) -> Iterator[Answer]:
    """Entries that do not follow the entry before them in their stream."""
    for link in side.wrong_stream_links:
        yield AUDIT_STREAM_LINK_WRONG.violated(
            (link.entry.place.part, link.entry.hash),
            link.expected,
            str(link.entry.stream_prev_hash),
            severity="warning" if link.can_be_a_crash else "",
        )


AUDIT_END_DIFFERS = Rule(
    "audit_end_differs",
    "warning",
    "audit",
    source="reference §3.10; invariant W2",
    holds=Text(
        "every end that the storage names is the newest entry",
        "ストレージが示すすべての末端が最新のエントリであること",
    ),
    meaning=Text(
        "What the worker states of its newest entry (a stored head, an empty list) is not what its "
        "entries say.",
        "最新のエントリについての worker の記載（保存された head、空の一覧）が、"
        "エントリの内容と一致しません。",
    ),
    advice=Text(
        "Compare with the bucket and with ticket receipts: the worker crashed between two writes, "
        "or rows were deleted from the end.",
        "バケットや参加券レシートと比較してください。"
        "2 回の書き込みの間で worker が停止したか、末尾の行が削除されています。",
    ),
    applies=_names_ends,
)


@AUDIT_END_DIFFERS.asks
def ends(side: CaseSide) -> Iterator[Answer]:
    """Stored heads, and an empty list, against the newest entry."""
    for end in side.wrong_ends:
        newest, stated = end.expected or _NO_ENTRY(), end.observed or _NO_ENTRY()
        yield AUDIT_END_DIFFERS.violated((end.file, end.key), newest, stated)


AUDIT_CLOCK_SET_BACK = Rule(
    "audit_clock_set_back",
    "info",
    "audit",
    source="reference §3.10",
    holds=Text(
        "no entry is older than the one it follows",
        "直前のエントリより古いエントリがないこと",
    ),
    meaning=Text(
        "An audit entry states an earlier time than the entry it follows: the worker's clock was "
        "set back, or the time was made up.",
        "監査エントリの時刻が、直前のエントリより前になっています。"
        "worker の時計が戻されたか、時刻が書き換えられています。",
    ),
    advice=Text(
        "Go by the links: they give the order of the entries, whatever their times say.",
        "時刻ではなくリンクに従ってください。エントリの順序はリンクで決まります。",
    ),
    is_optional=True,
    applies=_is_known,
)


@AUDIT_CLOCK_SET_BACK.asks
def clock(side: CaseSide) -> Iterator[Answer]:
    """Entries that are older than their parents; which of the two times is wrong, nothing tells."""
    late = tuple(entry.hash for entry in older_than_parent(side.facts.audit))
    if late:
        observed = _CLOCK_SET_BACK(entries=Listed(late))
        yield AUDIT_CLOCK_SET_BACK.unknown(_AUDIT, _RISING_TIMES, observed)
