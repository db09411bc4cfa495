"""Why a cutover stops: something is not as it must be, a peer does not answer, or nobody knows how
an attempt ended.

Exit codes of the cutover's verbs: 0 done, or a clean dry run; 1 stopped, or landed and failed; 2
wrong usage or confirmation; 3 an outcome that is not known.
"""

from __future__ import annotations

from popkit.errors import EXIT_CANNOT_TELL, EXIT_USAGE, EXIT_WRONG, PopkitError
from popkit.texts import Language, Sentence, Text, speak


class Stopped(PopkitError):
    """The world is not as this step needs it, so that nothing was done. `code` names the reason,
    `advice` says what to do.
    """

    exit_code = EXIT_WRONG

    def __init__(self, code: str, reason: Sentence | Text, advice: Sentence | Text) -> None:
        super().__init__(reason)
        self.code = code
        self.reason, self.advice = reason, advice

    def lines_in(self, language: Language) -> list[str]:
        """What to do, below the reason."""
        return [speak(self.advice, language)]


class Silent(Stopped):
    """A node or the worker did not answer, or not with what it was asked for: what it holds is not
    known, and is not guessed.

    `kind` is how the worker's answer is called (`meanings`), where it gave a readable one.
    """

    kind: str | None = None

    def __init__(self, reason: Sentence | Text, advice: Sentence | Text) -> None:
        super().__init__("no_answer", reason, advice)


class NotConfirmed(Stopped):
    """What was typed to confirm a step is not what the plan page says, is too old, or was used
    before: nothing was done.
    """

    exit_code = EXIT_USAGE


class OutcomeUnknown(Stopped):
    """Something was sent, and nobody can tell yet whether it was carried out: a person decides, by
    `popkit cutover resolve`.
    """

    exit_code = EXIT_CANNOT_TELL
