"""`popkit cutover record`: write the record of a run as of now."""

from __future__ import annotations

from popkit.command_line.grammar import Verb
from popkit.commands.cutover import WROTE, run_argument
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text

SUMMARY = Text("write cutover.json as of now", "現時点の cutover.json を書き出す")


def run(run: str, language: Language) -> int:
    """Write the record as of now, and say where."""
    from popkit.cutover.records.record import write_record
    from popkit.cutover.run import open_run

    with open_run(run, language=language) as opened:
        say([WROTE(place=write_record(opened)).in_language(language)])
        return EXIT_FINE


VERB = Verb("record", run, [run_argument()], order=90, summary=SUMMARY)
