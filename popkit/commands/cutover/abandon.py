"""`popkit cutover abandon`: give the new grant up."""

from __future__ import annotations

from popkit.command_line.grammar import Option, Verb
from popkit.commands.cutover import CONFIRM, peer_options, run_argument, shown
from popkit.texts import Language, Text

SUMMARY = Text(
    "give the new grant up (poisoned or wrong): close it, keep the record",
    "新しい grant を放棄（汚染・誤り）。閉じて記録を残す",
)
GIVE_UP = Text("the token, a colon, the value looked up", "トークン、コロン、確認した値")


def run(run: str, confirm: str | None, language: Language, **peers: str | None) -> int:
    """Give the new grant up; without a confirmation, show what that would do."""
    from popkit.cutover.abandoning import abandon
    from popkit.cutover.run import open_run

    with open_run(run, language=language, **peers) as opened:
        return shown(abandon(opened, confirm), language)


VERB = Verb(
    "abandon",
    run,
    [run_argument(), Option("--confirm", words=GIVE_UP, metavar=CONFIRM), *peer_options()],
    order=80,
    summary=SUMMARY,
)
