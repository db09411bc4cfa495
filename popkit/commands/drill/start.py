"""`popkit drill start`: bring a drill up in the background, and say what to type next."""

from __future__ import annotations

import random
from pathlib import Path

from popkit.command_line.grammar import Argument, Number, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.commands.drill import SEED, TOO_FEW, era_option
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say
from popkit.texts import Language, Text, speak

SUMMARY = Text("bring a drill up in the background", "演習をバックグラウンドで開始")
NAME = Text(
    "an incident; without one it is a surprise",
    "演習の名前。省略すると何が起きるかは秘密です",
)
OUT = Text("the drill's folder", "演習のフォルダー")
SLOT_MS = Text("milliseconds a slot (200)", "1 スロットのミリ秒（200）")
FAULT = Text(
    "a fault of the first node: those of popkit serve, and lost-answer, held-answer, late, "
    "dropped, dropped-first, null-status, never-seen, contradicts, stale-blockhash, other-genesis, "
    "forked, surfnet, stands-still, forgets, clock",
    "1 台目のノードの障害。`popkit serve` のものと、`lost-answer`、`held-answer`、`late`、"
    "`dropped`、`dropped-first`、`null-status`、`never-seen`、`contradicts`、`stale-blockhash`、"
    "`other-genesis`、`forked`、`surfnet`、`stands-still`、`forgets`、`clock`",
)
SECOND_FAULT = Text("a fault of the second node", "2 台目のノードの障害")
BEHIND = Text("slots that the second node lags (0)", "2 台目の遅れ（スロット数、0）")
STARTED = Text(
    "A drill runs. Everything in it is made up, and nothing leaves this machine.",
    "演習を開始しました。すべて架空のもので、このマシンの外には出ません。",
)
SEALED = Text("The answer is sealed: SHA-256 {digest}", "答えは封印されています: SHA-256 {digest}")
NEXT = Text("Next, type:", "次に入力するもの:")
EXAMPLES = (
    Example("popkit drill start", Text("a surprise", "何が起きるかわからない演習")),
    Example(
        "popkit drill start abandoned-quiet --era strict_v2",
        Text("an incident of your choice", "選んだ演習"),
    ),
)


def run(
    name: str | None,
    era: str | None,
    seed: int | None,
    out: str,
    slot_ms: int,
    faults: tuple[str, ...],
    second_faults: tuple[str, ...],
    behind: int,
    language: Language,
) -> int:
    """Start a drill and say where it is, and what to type next."""
    from popkit.drill import running
    from popkit.drill.choosing import incident_of, surprise
    from popkit.drill.faults import split

    for specs in (faults, second_faults):
        split(specs, 0)  # refuses what is no fault, before anything is started
    for option, value, least in (("slot-ms", slot_ms, 50), ("behind", behind, 0)):
        if value < least:
            raise UsageError(TOO_FEW(option=option, value=value, least=least))
    number = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    incident, chosen = incident_of(name, era) if name else surprise(era, number)
    folder = Path(out)
    wanted = running.Wanted(incident.name, chosen, number, slot_ms, faults, second_faults, behind)
    state = running.start(folder, wanted)
    rows = {
        "RPC": state["rpc"],
        "second RPC": state["second_rpc"],
        "worker": state["worker"],
        "grant": state["grant"],
        "event": state["event"],
        "keys": state["keys"],
        "worker token": state["worker_token_file"],
    }
    say(
        [
            speak(STARTED(), language),
            *(f"  {label:<13} {value}" for label, value in rows.items()),
            speak(SEALED(digest=state["answer_sha256"]), language),
            "",
            speak(NEXT(), language),
            *(f"  {line}" for line in _commands(folder)),
        ]
    )
    return EXIT_FINE


def _commands(folder: Path) -> list[str]:
    """What a person types next, in the order of the night."""
    case = f"{folder.name}-case"
    peers = "--second-rpc {second} --worker {worker} --worker-token-env DRILL_TOKEN"
    collect = (
        "popkit collect --rpc $DRILL_RPC "
        + peers.format(second="$DRILL_SECOND_RPC", worker="$DRILL_WORKER")
        + f" --grant $DRILL_GRANT --out {case}"
    )
    plan = (
        f"popkit cutover plan {case} --grant $DRILL_GRANT --rpc env:DRILL_RPC "
        + peers.format(second="env:DRILL_SECOND_RPC", worker="env:DRILL_WORKER")
        + " --authority-key env:DRILL_AUTHORITY_KEY --wallet-key env:DRILL_WALLET_KEY"
        + f" --out {folder.name}-run"
    )
    return [
        f"source {folder}/env",
        collect,
        f"popkit diagnose {case}",
        plan,
        f"popkit cutover status {folder.name}-run",
        f"popkit drill reveal --drill {folder}",
        f"popkit drill stop --drill {folder}",
    ]


VERB = Verb(
    "start",
    run,
    [
        Argument("name", words=NAME, required=False),
        era_option(),
        Option("--seed", words=SEED, type=Number(), default=None, metavar="N"),
        Option("--out", words=OUT, default="drill", type=Place("dir"), metavar="DIR"),
        Option("--slot-ms", words=SLOT_MS, type=Number(), default=200, metavar="MS"),
        Option("--fault", "faults", multiple=True, metavar="KIND[:VALUE]", words=FAULT),
        Option(
            "--second-fault",
            "second_faults",
            multiple=True,
            metavar="KIND[:VALUE]",
            words=SECOND_FAULT,
        ),
        Option("--behind", words=BEHIND, type=Number(), default=0, metavar="N"),
    ],
    order=20,
    summary=SUMMARY,
    examples=EXAMPLES,
)
