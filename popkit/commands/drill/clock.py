"""`popkit drill clock`: let time pass in the running drill."""

from __future__ import annotations

from pathlib import Path

from popkit.command_line.grammar import Argument, Verb
from popkit.commands.drill import folder_option
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say
from popkit.texts import Language, Moment, Text, speak

SECONDS = Text("how long, as +900", "進める秒数（例: +900）")
PASSED = Text("The time is {now}, slot {slot}.", "現在 {now}、スロット {slot} です。")
NO_SECONDS = Text(
    "{seconds}: expected a number of seconds, as +900",
    "{seconds}: 秒数を +900 のように指定してください",
)


def run(seconds: str, folder: str, language: Language) -> int:
    """Move the drill's clock, and say what time it is then."""
    from popkit.drill import running

    try:
        number = float(seconds)
    except ValueError:
        raise UsageError(NO_SECONDS(seconds=seconds)) from None
    found = running.ask(Path(folder), "clock", seconds=number)
    say([speak(PASSED(now=Moment(found["now"]), slot=found["slot"]), language)])
    return EXIT_FINE


VERB = Verb(
    "clock",
    run,
    [Argument("seconds", words=SECONDS), folder_option()],
    order=30,
    summary=Text("let time pass in the running drill", "実行中の演習の時間を進める"),
)
