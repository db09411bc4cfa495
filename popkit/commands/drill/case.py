"""`popkit drill case`: write just the evidence of an incident, and its answer beside it."""

from __future__ import annotations

import json
from pathlib import Path

from popkit.command_line.grammar import Argument, Number, Option, Place, Verb
from popkit.commands.drill import SEED, era_option
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say
from popkit.texts import Language, Text, speak

SUMMARY = Text(
    "write just the evidence of an incident as a case",
    "演習の証拠だけをケースとして書き出す",
)
NAME = Text(
    "an incident, as 'popkit drill list' shows it",
    "演習の名前（`popkit drill list` で表示）",
)
OUT = Text("the case to make; must not exist", "作るケース（まだないこと）")
CASE_WRITTEN = Text(
    "Case written: {case}. Its answer: {answer}",
    "ケースを書き出しました: {case}。答え: {answer}",
)
EXISTS = Text(
    "{place}: exists already; a case is written once",
    "{place}: すでにあります。ケースは一度だけ書きます",
)


def run(name: str, era: str | None, seed: int, out: str, language: Language) -> int:
    """Write a case and its answer."""
    from popkit.drill.case import write_case
    from popkit.drill.choosing import incident_of

    place = Path(out)
    if place.exists():
        raise UsageError(EXISTS(place=place))
    incident, chosen = incident_of(name, era)
    stage = incident.play(chosen, seed)
    write_case(place, stage.world.collect(reports=True))
    answer = place.with_name(f"{place.name}.answer.json")
    text = json.dumps(stage.truth().as_json(), indent=1, ensure_ascii=False)
    answer.write_text(f"{text}\n")
    say([speak(CASE_WRITTEN(case=place, answer=answer), language)])
    return EXIT_FINE


VERB = Verb(
    "case",
    run,
    [
        Argument("name", words=NAME),
        era_option(),
        Option("--seed", words=SEED, type=Number(), default=0, metavar="N"),
        Option("--out", words=OUT, required=True, type=Place("dir"), metavar="CASE"),
    ],
    order=95,
    summary=SUMMARY,
)
