"""`popkit investigate`: the notebooks on a case, and the report that comes of them."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import case_argument, case_directory, era_option, grant_option
from popkit.output import has_colour, say, show, tell
from popkit.texts import Language, Text

SUMMARY = Text(
    "run the notebooks and write report, findings and manifest",
    "ノートブックを実行し、報告・所見・マニフェストを書き出す",
)
OUT = Text(
    "where the report goes; must not exist, be empty or hold an earlier report",
    "報告の書き出し先。まだ存在しないか、空か、以前の報告だけを含むディレクトリ",
)
GRANT = Text(
    "one grant alone, by its key or an unambiguous beginning: the notebooks look at it, the "
    "terminal's answer and the exit code are "
    "its own as in diagnose; the report's findings.json stays that of the whole case",
    "この grant だけを調べます（公開鍵、または一意に決まる先頭部分）。ノートブックはこの grant を対象とし、端末の表示と終了コードは "
    "`popkit diagnose` と同じくこの grant のものです。報告の findings.json はケース全体のままです",
)
REPORT = Text("Report: {path}", "報告: {path}")
EXAMPLES = (
    Example(
        "popkit investigate data/cases/cutover --out out/demo",
        Text("report.html and more in out/demo", "out/demo に report.html などを書きます"),
    ),
)


def run(case: str, out: str, grant: str | None, era: str | None, language: Language) -> int:
    """Investigate a case into `out`; returns the exit code of the answer."""
    place, target = case_directory(case, "investigate"), Path(out)
    from popkit.pages.terminal import diagnosis_text
    from popkit.reporting.investigate import investigate

    parameters = {"GRANT": grant} if grant is not None else None
    whole = investigate(place, target, progress=tell, era=era, parameters=parameters)
    diagnosis = whole if grant is None else whole.of_grant(grant)
    show(diagnosis_text(diagnosis, colour=has_colour(), language=language))
    say(["", REPORT(path=target / "report.html").in_language(language)])
    return diagnosis.exit_code


VERB = Verb(
    "investigate",
    run,
    [
        case_argument(),
        Option("--out", words=OUT, metavar="DIR", required=True, type=Place("dir")),
        grant_option(GRANT),
        era_option(),
    ],
    order=40,
    summary=SUMMARY,
    examples=EXAMPLES,
)
