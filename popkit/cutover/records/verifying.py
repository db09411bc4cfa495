"""`popkit cutover verify RECORD --rpc URL`: a stranger holds somebody's record of a cutover against
a node of their own choice.

Nothing of the record is believed: what it names is asked of the node, and every statement holds, is
violated, or cannot be told. What only the worker knows (the link of the event) is named as not
checked. The rules are those by which `popkit diagnose` judges a record.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from popkit.collecting.address import read_address
from popkit.cutover.errors import Stopped
from popkit.cutover.pages.screen import Screen, Tone
from popkit.cutover.records.gathered import asked
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.signing.quiet import silence
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG, UsageError
from popkit.evidence.bundle import NO_RECORD
from popkit.evidence.cutover import MOST_BYTES, GivenRecord, Record, found_record
from popkit.facts import Facts
from popkit.rules.cutover.checks import points_of
from popkit.rules.cutover.declared import Declared
from popkit.rules.cutover.points import CANNOT_TELL, HOLDS, VIOLATED, Point, compared
from popkit.texts import Sentence, Text

HEADING = Text(
    "A record of a cutover against the node {node}", "切り替えの記録とノード {node} の照合"
)
RECORD, PLAN = Text("record", "記録"), Text("plan", "計画")
GENESIS = Text("the cluster's genesis hash", "クラスターのジェネシスハッシュ")
NO_GENESIS = Text("the record names none", "記録にありません")
HOLDS_SO = Text("holds: {shown}", "成立: {shown}")
VIOLATED_SO = Text(
    "violated: the record states {stated}; the chain shows {shown}",
    "違反: 記録では {stated}、チェーンでは {shown}",
)
CANNOT_TELL_SO = Text("cannot tell: {why}", "判定不能: {why}")
NODE, RESULT, NOT_CHECKED = (
    Text("the node", "ノード"),
    Text("result", "結果"),
    Text("not checked", "未確認"),
)
COUNTED = Text(
    "{holds} hold, {violated} violated, {open} cannot be told",
    "成立 {holds} 件、違反 {violated} 件、判定不能 {open} 件",
)
ELSEWHERE = Text(
    "the event's link, which the worker alone shows; and whether this one node tells the truth: "
    "ask another one too",
    "イベントの紐付け（worker だけが示せます）、およびこのノードの応答の正しさ（別のノードでも確認してください）",
)
ONLY_WORKER = frozenset({"new.event"})
"""Points that no node can show."""
_TONES: dict[str, Tone] = {HOLDS: "good", VIOLATED: "stop", CANNOT_TELL: "note"}


def verify_record(place: Path, rpc: str) -> Screen:
    """Hold a record against the chain as a node gives it; `rpc` is a URL, or env:NAME.

    The screen's exit code: 0 everything holds, 1 something is violated, 3 something cannot be told.
    Raises UsageError where there is no such file, CaseUnreadable where it is no record.
    """
    given = _read(place)
    silence()
    with Endpoint("rpc", read_address(rpc)) as endpoint:
        screen = Screen(HEADING(node=endpoint.shown))
        declared = Declared(given, given.record.old.grant, ())
        screen.add(RECORD(), declared.summary, f"sha256 {given.sha256}", declared.open_points)
        screen.add(PLAN(), given.record.digests.plan)
        try:
            points = _points(endpoint, given.record)
        except Stopped as stopped:
            screen.add(NODE(), CANNOT_TELL_SO(why=stopped.reason), stopped.advice, tone="note")
            screen.exit_code = EXIT_CANNOT_TELL
            return screen
    for point in points:
        screen.add(point.what, _said(point), tone=_TONES[point.result])
    _count(screen, points)
    return screen


def _read(place: Path) -> GivenRecord:
    try:
        with place.open("rb") as file:
            return found_record(file.read(MOST_BYTES + 1), str(place))
    except OSError as error:
        raise UsageError(NO_RECORD(place=place, why=error.strerror or error)) from None


def _points(endpoint: Endpoint, record: Record) -> list[Point]:
    """Every point of a record; that of the cluster alone where the node is on another one."""
    genesis = str(endpoint.ask("getGenesisHash", []))
    stated = record.genesis_hash
    known = compared(
        "genesis_hash",
        GENESIS,
        stated or genesis,
        genesis if stated is not None else None,
        NO_GENESIS(),
    )
    if known.result == VIOLATED:
        return [known]
    with tempfile.TemporaryDirectory(prefix="popkit-verify-") as folder:
        facts = Facts(asked(endpoint, record, genesis, Path(folder) / "case"))
        return [
            known,
            *(point for point in points_of(facts, record) if point.key not in ONLY_WORKER),
        ]


def _said(point: Point) -> Sentence:
    if point.result == HOLDS:
        return HOLDS_SO(shown=point.shown)
    if point.result == VIOLATED:
        return VIOLATED_SO(stated=point.stated, shown=point.shown)
    return CANNOT_TELL_SO(why=point.shown)


def _count(screen: Screen, points: list[Point]) -> None:
    """The result row, what nobody checked, and the exit code."""
    holds, violated, unknown = (
        sum(point.result == result for point in points) for result in (HOLDS, VIOLATED, CANNOT_TELL)
    )
    screen.exit_code = EXIT_WRONG if violated else EXIT_CANNOT_TELL if unknown else EXIT_FINE
    tone: Tone = "stop" if violated else "note" if unknown else "good"
    screen.add(RESULT(), COUNTED(holds=holds, violated=violated, open=unknown), tone=tone)
    screen.add(NOT_CHECKED(), ELSEWHERE, tone="note")
