"""`popkit cutover export`: a step's inner instructions, for a multisig's own tool."""

from __future__ import annotations

import json
from pathlib import Path

from popkit.command_line.grammar import OneOf, Option, Place, Verb
from popkit.commands.cutover import EXISTS, WROTE, run_argument, step_argument
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say
from popkit.texts import Language, Text

SUMMARY = Text(
    "the inner instructions of a step, for a multisig's own tool",
    "手順の内部命令をマルチシグのツール用に書き出す",
)
FOR = Text("for whose tool", "どのツール用か")
OUT = Text("the file to write", "書き出すファイル")


def run(run: str, step: str, target: str, out: str, language: Language) -> int:
    """Write a step's inner instructions for a multisig's own tool."""
    from popkit.cutover.planning.stepping import call_of
    from popkit.cutover.run import open_run
    from popkit.cutover.sending.multisig import export

    with open_run(run, language=language) as opened:
        chosen = opened.plan.step(step)
        place = Path(out)
        if place.exists():
            raise UsageError(EXISTS(place=place))
        calls = [call_of(one) for one in chosen.instructions]
        body = export(calls, opened.plan.roles.authority)
        place.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
        opened.journal.write("exported", step, target=target)
        say([WROTE(place=place).in_language(language)])
        return EXIT_FINE


VERB = Verb(
    "export",
    run,
    [
        run_argument(),
        step_argument(),
        Option(
            "--for",
            "target",
            words=FOR,
            type=OneOf(("multisig",)),
            required=True,
            metavar="multisig",
        ),
        Option("--out", words=OUT, required=True, type=Place(), metavar="FILE"),
    ],
    order=60,
    summary=SUMMARY,
)
