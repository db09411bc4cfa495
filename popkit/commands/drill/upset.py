"""`popkit drill upset`: make something go wrong in the running drill, or right again."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Argument, Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE
from popkit.output import say
from popkit.texts import Language, Text

SUMMARY = Text(
    "make something go wrong in the running drill, or right again",
    "実行中の演習に障害を起こす、または直す",
)
WHAT = Text(
    "of the worker: worker-down, worker-up, sink-fails, sink-missing, sink-works, backup, restore, "
    "key-rotated, key-by-calendar, clock, doubled, answer-502, answer-lost, answer-late, limited, "
    "warned, frozen, thawed; of the nodes: node, second-node, second-behind; by others: linked, "
    "made, asked-early, program",
    "worker: `worker-down`、`worker-up`、`sink-fails`、`sink-missing`、`sink-works`、`backup`、"
    "`restore`、`key-rotated`、`key-by-calendar`、`clock`、`doubled`、`answer-502`、`answer-lost`、"
    "`answer-late`、`limited`、`warned`、`frozen`、`thawed`。ノード: `node`、`second-node`、"
    "`second-behind`。ほかの人: `linked`、`made`、`asked-early`、`program`",
)
VALUE = Text(
    "how many (answer-502, answer-lost, second-behind), seconds (clock, answer-late, limited), "
    "days (key-by-calendar), faults as --fault takes them or 'well' (node, second-node), a grant's "
    "id (linked, made) or address (asked-early), a version (program)",
    "回数やスロット数（`answer-502`、`answer-lost`、`second-behind`）、秒数（`clock`、"
    "`answer-late`、`limited`）、日数（`key-by-calendar`）、`--fault` と同じ障害または `well`"
    "（`node`、`second-node`）、グラントの ID（`linked`、`made`）かアドレス（`asked-early`）、"
    "版（`program`）",
)


def run(what: str, value: str | None, folder: str, language: Language) -> int:
    """Upset the running drill: its worker, its nodes, or what other people do."""
    from popkit.drill import running

    say([running.ask(Path(folder), "upset", upset=what, value=value)["done"][language]])
    return EXIT_FINE


VERB = Verb(
    "upset",
    run,
    [
        Argument("what", words=WHAT),
        Argument("value", words=VALUE, required=False),
        folder_option(),
    ],
    order=50,
    summary=SUMMARY,
)
