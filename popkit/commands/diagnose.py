"""`popkit diagnose`: the answer to a case, in seconds."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import (
    case_argument,
    case_directory,
    era_option,
    grant_option,
    write_file,
)
from popkit.evidence.outside import refuse_inside
from popkit.output import has_colour, say, show, write
from popkit.texts import Language, Text

SUMMARY = Text(
    "verdict, last good, first bad, cause, impact and what to do now, in seconds",
    "判定、直近正常点、最初の異常、原因、影響、いま行うことを数秒で表示",
)
ABOUT = Text(
    "The exit code says the same as the words: 0 nothing is wrong now, 1 a grant is broken or a "
    "finding is critical, "
    "2 wrong usage, 3 cannot tell.",
    "終了コードは表示と同じ意味です: 0 いま異常なし、1 grant が壊れているかcritical の所見がある、2 使い方の誤り、3 判断できない。",
)
JSON = Text(
    "write findings.json there; - writes it to standard output, and nothing else",
    "findings.json の書き出し先。- なら標準出力に findings.json だけを書きます",
)
GRANT = Text(
    "one grant alone, by its key or an unambiguous beginning: verdict, exit code, text and --json "
    "hold this grant, the findings and "
    "coverage that name it or no grant at all, and the audit chain and records, which all grants "
    "share",
    "この grant だけを答えます（公開鍵、または一意に決まる先頭部分）。判定・終了コード・表示・--json に入るのは、この grant、"
    "この grant またはケース全体についての所見と確認範囲、そして全 grant 共通の監査チェーンと記録です",
)
ALL = Text("list every finding, and lists in full", "すべての所見と、省略なしの一覧を表示します")
LEFT_OUT = Text(
    "Only grant {grant} was asked for; {count} more of the case are left out. popkit diagnose "
    "without --grant shows all.",
    "--grant で指定した grant {grant} だけの答えです。このケースのほかの {count} 件は含みません。"
    "--grant なしの `popkit diagnose` で全件を表示します。",
)
CUTOVER = Text(
    "the record of a cutover (cutover.json) from outside of the case, to be held against it",
    "ケースの外にある切り替えの記録（cutover.json）。ケースと照合します",
)
EXAMPLES = (
    Example(
        "popkit diagnose data/cases/cutover", Text("the answer in words", "答えを文章で表示します")
    ),
    Example(
        "popkit diagnose CASE --json findings.json",
        Text(
            "the words, and the whole answer as a file",
            "表示に加え、答えの全体をファイルに書きます",
        ),
    ),
    Example(
        "popkit diagnose CASE --grant CAueH",
        Text("one grant, by the beginning of its key", "公開鍵の先頭で 1 つの grant を指定します"),
    ),
)


def run(
    case: str,
    json: str | None,
    grant: str | None,
    era: str | None,
    cutover: str | None,
    every: bool,
    language: Language,
) -> int:
    """Diagnose a case, or one grant of it; returns the exit code of the answer."""
    from popkit.case import open_case
    from popkit.pages.terminal import diagnosis_text

    place = case_directory(case, "diagnose")
    if json not in (None, "-"):
        refuse_inside(Path(json), place)
    whole = open_case(place, era, cutover).diagnose()
    diagnosis = whole if grant is None else whole.of_grant(grant)
    text = diagnosis.dumps()
    if json == "-":
        write(text)
        return diagnosis.exit_code
    if json is not None:
        write_file(Path(json), text)
    show(diagnosis_text(diagnosis, colour=has_colour(), language=language, every=every))
    more = len(whole.grants) - len(diagnosis.grants)
    if more:
        say(["", LEFT_OUT(grant=diagnosis.grants[0].grant, count=more).in_language(language)])
    return diagnosis.exit_code


VERB = Verb(
    "diagnose",
    run,
    [
        case_argument(),
        Option("--json", words=JSON, metavar="FILE", type=Place()),
        grant_option(GRANT),
        era_option(),
        Option("--cutover", words=CUTOVER, metavar="FILE", type=Place()),
        Option("--all", "every", words=ALL, is_flag=True),
    ],
    order=30,
    summary=SUMMARY,
    about=ABOUT,
    examples=EXAMPLES,
)
