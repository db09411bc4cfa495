"""`popkit verify`: numbered checks that trust no server."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Argument, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import (
    case_argument,
    case_directory,
    era_option,
    grant_option,
    write_file,
)
from popkit.errors import EXIT_FINE, UsageError
from popkit.evidence.outside import refuse_inside
from popkit.output import has_colour, say, show, write
from popkit.texts import Language, Text

SUMMARY = Text(
    "numbered checks of a claim, or of everything, that trust no server",
    "claim 1 件または全体を、サーバーを信頼せずに番号付きで検証",
)
NAME = Text(
    "a claim's signature, receipt, entry hash or code, a wallet, a grant, or the beginning of one; "
    "none: everything",
    "claim の署名、レシート、entry hash、確認コード、ウォレット、grant、またはその先頭部分。なければ全体",
)
JSON = Text(
    "write the checks there as JSON; - writes them to standard output, and nothing else",
    "検証結果の JSON の書き出し先。- なら標準出力に JSON だけを書きます",
)
STANDALONE = Text(
    "write check.py, which checks a case without popkit, there and stop; - is standard output",
    "popkit なしでケースを検証する check.py をそこに書いて終了します。- なら標準出力",
)
ALL = Text(
    "show every check of everything, not only the totals and what does not hold",
    "合計と満たさない項目だけでなく、すべての検証項目を表示します",
)
GRANT = Text(
    "one grant alone, by its key or an unambiguous beginning: its chain and its claims, beside the "
    "case, the audit chain and the "
    "records, which all grants share",
    "この grant だけを検証します（公開鍵、または一意に決まる先頭部分）。対象はそのチェーンと claim、そして全 grant 共通のケース・"
    "監査チェーン・記録です",
)
ALONE = Text(
    "--standalone writes check.py and stops: leave out names, --grant and --json",
    "--standalone は check.py を書いて終了します。名前、--grant、--json と一緒には指定できません",
)
WROTE = Text(
    "wrote {path}; run it without popkit:", "{path} を書きました。popkit なしで実行できます:"
)
EXAMPLES = (
    Example(
        "popkit verify data/cases/intact",
        Text("everything in the case", "ケースの全体を検証します"),
    ),
    Example(
        "popkit verify CASE SIGNATURE",
        Text("one claim, every check of it", "claim 1 件のすべての検証項目を表示します"),
    ),
)


def run(
    case: str,
    name: tuple[str, ...],
    json: str | None,
    standalone: str | None,
    grant: str | None,
    era: str | None,
    every: bool,
    language: Language,
) -> int:
    """Verify a case, one grant of it, or what was named; returns the exit code of the verification."""
    from popkit.evidence.bundle import Evidence
    from popkit.pages.terminal_verification import verification_text
    from popkit.verification.verify import verify

    if standalone is not None:
        if name or json is not None or grant is not None:
            raise UsageError(ALONE())
        return _standalone(Path(standalone), case, language)
    place = case_directory(case, "verify")
    if json not in (None, "-"):
        refuse_inside(Path(json), place)
    verification = verify(Evidence(place), name, era, grant)
    text = verification.dumps()
    if json == "-":
        write(text)
        return verification.exit_code
    if json is not None:
        write_file(Path(json), text)
    show(verification_text(verification, every, language, has_colour()))
    return verification.exit_code


def _standalone(target: Path, case: str, language: Language) -> int:
    """Write check.py and stop; what else was asked for would go unanswered."""
    from importlib.resources import files

    text = files("popkit.verification").joinpath("check.py").read_text("utf-8")
    if str(target) == "-":
        write(text)
        return EXIT_FINE
    refuse_inside(target, Path(case))
    write_file(target, text)
    say([WROTE(path=target).in_language(language), f"  python3 {target} {case} findings.json"])
    return EXIT_FINE


VERB = Verb(
    "verify",
    run,
    [
        case_argument(),
        Argument("name", NAME, nargs=-1),
        Option("--json", words=JSON, metavar="FILE", type=Place()),
        Option("--standalone", words=STANDALONE, metavar="FILE", type=Place()),
        grant_option(GRANT),
        Option("--all", "every", words=ALL, is_flag=True),
        era_option(),
    ],
    order=50,
    summary=SUMMARY,
    examples=EXAMPLES,
)
