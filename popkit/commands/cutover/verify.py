"""`popkit cutover verify`: hold somebody's record against the chain."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Argument, Option, Place, Verb
from popkit.commands.cutover import shown
from popkit.texts import Language, Text

SUMMARY = Text("hold somebody's record against the chain", "記録をチェーンと照合")
RECORD = Text("a cutover.json", "切り替えの記録（cutover.json）")
RPC = Text("a node of your own choice", "自分で選んだノード")


def run(record: str, rpc: str, language: Language) -> int:
    """Hold a record against the chain, and print every check."""
    from popkit.cutover.records.verifying import verify_record

    return shown(verify_record(Path(record), rpc), language)


VERB = Verb(
    "verify",
    run,
    [
        Argument("record", words=RECORD, type=Place()),
        Option("--rpc", words=RPC, required=True, metavar="URL"),
    ],
    order=95,
    summary=SUMMARY,
)
