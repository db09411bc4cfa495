"""`popkit drill run`: play incidents unattended, and compare popkit's answers with what was done."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.command_line.grammar import Argument, Number, OneOf, Option, Verb
from popkit.commands.drill import TOO_FEW, era_option
from popkit.errors import EXIT_FINE, EXIT_WRONG, UsageError
from popkit.output import say, tell
from popkit.texts import Language, Text, speak

if TYPE_CHECKING:
    from popkit.drill.rehearsal import Compared

SUMMARY = Text(
    "unattended: play, diagnose, cut over, verify and compare",
    "無人で実行し、診断・切り替え・検証を正しい答えと比べる",
)
ABOUT = Text(
    "Exit code 0 only where every answer is right.",
    "すべての答えが正しいときだけ終了コード 0 です。",
)
NAMES = Text("incidents; without any, all single ones", "演習の名前。省略すると単独の演習すべて")
SEEDS = Text("worlds of each incident and era (1)", "演習と版ごとの世界の数（1）")
FIRST_SEED = Text("the first seed (0)", "最初のシード（0）")
HTTP = Text("collect over HTTP from a living drill", "動いている演習から HTTP で収集します")
BY_ROLES = Text(
    "the tokens are another person's: create, fund and sign apart",
    "トークンの持ち主が別の場合（作成・入金・署名者を別々に）",
)
UNTIL = Text(
    "stop at the diagnosis, or go on to the verified cutover (cutover)",
    "`diagnosis` なら診断まで、`cutover` なら検証済みの切り替えまで",
)
MIXTURES = Text(
    "without names: the mixtures of two as well", "名前を省略したとき、二つの組み合わせも"
)
RIGHT = Text("{right} of {count} answers are right", "{count}件中{right}件の答えが正しい")
DIFFERS = Text(
    "    {name}: was {done}, popkit says {answered}",
    "    {name}: 正しくは {done}、popkit の答えは {answered}",
)


def run(
    names: tuple[str, ...],
    era: str | None,
    seeds: int,
    first_seed: int,
    over_http: bool,
    mixtures: bool,
    by_roles: bool,
    until: str,
    language: Language,
) -> int:
    """Run incidents and print a line for each answer, and for how its cutover ended."""
    from popkit.drill import cutover, rehearsal
    from popkit.drill.choosing import incident_of
    from popkit.drill.incidents import INCIDENTS

    if seeds < 1:
        raise UsageError(TOO_FEW(option="seeds", value=seeds, least=1))
    held = [one for one in INCIDENTS.values() if mixtures or len(one.acts) == 1]
    chosen = [incident_of(name, None)[0] for name in names] or held
    play = rehearsal.over_http if over_http else rehearsal.in_process
    found: list[Compared] = []
    with tempfile.TemporaryDirectory(prefix="popkit-drill-") as folder:
        for incident in chosen:
            for of_era in incident.eras if era is None else [era] if era in incident.eras else []:
                for seed in range(first_seed, first_seed + seeds):
                    row = play(incident.name, of_era, seed, Path(folder) / f"case-{len(found)}")
                    if until != "diagnosis":
                        row = cutover.gone_on(row, by_roles=by_roles)
                    found.append(row)
                    _show(row, language)
    right = sum(row.is_right for row in found)
    say([speak(RIGHT(right=right, count=len(found)), language)])
    return EXIT_FINE if found and right == len(found) else EXIT_WRONG


def _show(row: Compared, language: Language) -> None:
    mark = "✓" if row.is_right else "✗"
    say([f"{mark} {row.incident:<44} {row.era:<10} {row.seed:<4} {row.ended}".rstrip()])
    for name, (done, answered) in row.differs.items():
        tell(speak(DIFFERS(name=name, done=done, answered=answered), language))


VERB = Verb(
    "run",
    run,
    [
        Argument("names", words=NAMES, nargs=-1),
        era_option(),
        Option("--seeds", words=SEEDS, type=Number(), default=1, metavar="N"),
        Option("--first-seed", words=FIRST_SEED, type=Number(), default=0, metavar="N"),
        Option("--http", "over_http", words=HTTP, is_flag=True),
        Option("--by-roles", words=BY_ROLES, is_flag=True),
        Option(
            "--until",
            words=UNTIL,
            type=OneOf(("diagnosis", "cutover")),
            default="cutover",
            metavar="WHAT",
        ),
        Option("--mixtures", words=MIXTURES, is_flag=True),
    ],
    order=90,
    summary=SUMMARY,
    about=ABOUT,
)
