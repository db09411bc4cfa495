"""`popkit cutover readback`: what lies in a multisig's proposal, compared with the plan."""

from __future__ import annotations

from popkit.command_line.grammar import Argument, Verb
from popkit.commands.cutover import peer_options, run_argument, shown, step_argument
from popkit.texts import Language, Text

SUMMARY = Text("compare a multisig's proposal with the plan", "マルチシグの提案を計画と比較")
ADDRESS = Text("the proposal's transaction account", "提案のトランザクションアカウント")


def run(run: str, step: str, address: str, language: Language, **peers: str | None) -> int:
    """Compare what lies in a multisig's proposal with the plan."""
    from popkit.cutover.resolving import read_proposal
    from popkit.cutover.run import open_run

    with open_run(run, language=language, **peers) as opened:
        return shown(read_proposal(opened, step, address), language)


VERB = Verb(
    "readback",
    run,
    [run_argument(), step_argument(), Argument("address", words=ADDRESS), *peer_options()],
    order=70,
    summary=SUMMARY,
)
