"""What a person types before a step acts: `TOKEN:VALUE`, the token of this plan and step, and a
value looked up on the plan page.

A token is derived from the plan's digest, the step and a nonce that the journal holds; it counts
once, for as long as the plan says, and only while no newer one was asked for its step. The value
(the last six letters of the address that the step changes, or the amount) is compared as it is,
after trimming white space at both ends alone. There is no default. What is wrong burns nothing: the
same token can be typed again. All of it stands in the journal, so that it holds across processes;
what was typed does not, as it may be anything.

Entries: `confirmation_asked` {nonce, value: digest of the nonce and the value},
`confirmation_refused` {why}, `confirmed` {asked: number of the entry that asked}.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

from popkit.cutover.errors import NotConfirmed
from popkit.cutover.journals.journal import Entry, Journal
from popkit.texts import Text

ASKED, REFUSED, CONFIRMED = "confirmation_asked", "confirmation_refused", "confirmed"
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Thirty letters and digits, none of which is easily taken for another."""
_LENGTH = 6

ASK_AGAIN = Text(
    "show step {step} again (`popkit cutover show RUN {step}`): it gives a new token; look the "
    "value up there and type TOKEN:VALUE",
    "手順 {step} をもう一度表示し（`popkit cutover show RUN {step}`）、新しいトークンと、そこで調べた値を "
    "TOKEN:VALUE の形で入力してください",
)
TYPE_AGAIN = Text(
    "look the value for step {step} up on the plan page again and type TOKEN:VALUE; the same token "
    "still counts",
    "手順 {step} の値をプランのページで確かめ、TOKEN:VALUE をもう一度入力してください。同じトークンはまだ有効です",
)
WHY_NOT = {
    "confirmation_form": Text(
        "step {step} was not confirmed: what was typed is not TOKEN:VALUE",
        "手順 {step} は確認されていません。入力が TOKEN:VALUE の形ではありません",
    ),
    "confirmation_not_asked": Text(
        "step {step} was not confirmed: no confirmation was asked for it yet",
        "手順 {step} は確認されていません。この手順の確認はまだ求められていません",
    ),
    "confirmation_token": Text(
        "step {step} was not confirmed: the token is not the one of this plan and step",
        "手順 {step} は確認されていません。トークンがこのプランと手順のものではありません",
    ),
    "confirmation_of_another_step": Text(
        "step {step} was not confirmed: the token belongs to another step of this plan",
        "手順 {step} は確認されていません。トークンはこのプランの別の手順のものです",
    ),
    "confirmation_replaced": Text(
        "step {step} was not confirmed: a newer token was asked for, and the older one counts no "
        "more",
        "手順 {step} は確認されていません。新しいトークンが発行されたため、古いものは無効です",
    ),
    "confirmation_used": Text(
        "step {step} was not confirmed: the token was used already, and each counts once",
        "手順 {step} は確認されていません。トークンは使用済みで、1 回しか使えません",
    ),
    "confirmation_too_old": Text(
        "step {step} was not confirmed: the token is older than the plan allows, or this machine's "
        "clock was set back since",
        "手順 {step} は確認されていません。トークンは計画の有効時間を過ぎたか、この機械の時計が戻されています",
    ),
    "confirmation_value_changed": Text(
        "step {step} was not confirmed: the value to confirm is not the one for which the token "
        "was asked",
        "手順 {step} は確認されていません。確認する値が、トークンの発行時から変わっています",
    ),
    "confirmation_value": Text(
        "step {step} was not confirmed: the value is not the one on the plan page",
        "手順 {step} は確認されていません。値がプランのページのものと違います",
    ),
}
"""Why something typed confirms nothing, by code; each names its step."""
_STILL_GOOD = ("confirmation_form", "confirmation_token", "confirmation_value")
"""Refusals after which the token that was asked for still counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A token that counts for a step until `until` (unix seconds); to be shown away from the
    prompt, and never beside the value.
    """

    token: str
    step: str
    until: int


def token(plan_digest: str, step: str, nonce: str) -> str:
    """The token of a plan, a step and a nonce: six letters and digits, none easily taken for
    another.
    """
    number = int.from_bytes(
        sha256("\0".join(("popkit.confirmation/1", plan_digest, step, nonce)).encode()).digest(),
        "big",
    )
    letters = []
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    return "".join(letters)


class Confirmations:
    """The confirmations of a run, kept in its journal. `seconds` is how long a token counts (the
    plan's `confirmation_seconds`).
    """

    def __init__(self, journal: Journal, seconds: int) -> None:
        self.journal, self.seconds = journal, seconds

    def ask(self, step: str, value: str, *, by: str = "operator") -> Asked:
        """A new token for a step; every earlier one of that step counts no more. Raises ValueError
        for an empty value; as `write` does.
        """
        if not value.strip():
            raise ValueError("a confirmation needs a value: an empty one would be a default")
        nonce = secrets.token_hex(16)
        return self._asked(
            self.journal.write(ASKED, step, by=by, nonce=nonce, value=_digest(nonce, value))
        )

    def outstanding(self, step: str) -> Asked | None:
        """The token that counts for a step now, or None: none was asked, it was used, or it is too
        old.
        """
        newest = self.journal.last(ASKED, step)
        if newest is None or self._is_used(newest) or self._is_too_old(newest):
            return None
        return self._asked(newest)

    def check(self, typed: str, step: str, value: str, *, by: str = "operator") -> Entry:
        """Accept what was typed for a step, whose value is `value` now; returns the entry
        `confirmed`, after which the token is used.

        Raises NotConfirmed with a code of WHY_NOT, after an entry that names the code. The journal
        is held meanwhile, so that of two processes one alone is confirmed.
        """
        with self.journal.held():
            found = self._judged(typed, step, value)
            if isinstance(found, Entry):
                return self.journal.write(CONFIRMED, step, by=by, asked=found.n)
            why = found
            self.journal.write(REFUSED, step, by=by, why=why)
        advice = TYPE_AGAIN if why in _STILL_GOOD and self.outstanding(step) else ASK_AGAIN
        raise NotConfirmed(why, WHY_NOT[why](step=step), advice(step=step))

    def _judged(self, typed: str, step: str, value: str) -> Entry | str:
        """The entry that asked for what was typed, or the code for which that confirms nothing."""
        given, colon, looked_up = (part.strip() for part in typed.strip().partition(":"))
        if not (given and colon and looked_up):
            return "confirmation_form"
        newest = self.journal.last(ASKED, step)
        asked = next(
            (
                entry
                for entry in reversed(self.journal.entries)
                if entry.kind == ASKED and self._token(entry) == given
            ),
            None,
        )
        if asked is None:
            return "confirmation_token" if newest is not None else "confirmation_not_asked"
        if asked.step != step:
            return "confirmation_of_another_step"
        if self._is_used(asked):
            return "confirmation_used"
        if asked != newest:
            return "confirmation_replaced"
        if self._is_too_old(asked):
            return "confirmation_too_old"
        if asked.facts["value"] != _digest(asked.facts["nonce"], value):
            return "confirmation_value_changed"
        return asked if looked_up == value.strip() else "confirmation_value"

    def _token(self, asked: Entry) -> str:
        return token(self.journal.plan, str(asked.step), asked.facts["nonce"])

    def _asked(self, entry: Entry) -> Asked:
        return Asked(self._token(entry), str(entry.step), entry.at.wall + self.seconds)

    def _is_used(self, asked: Entry) -> bool:
        return any(
            entry.kind == CONFIRMED and entry.facts.get("asked") == asked.n
            for entry in self.journal.entries
        )

    def _is_too_old(self, asked: Entry) -> bool:
        return not 0 <= self.journal.now() - asked.at.wall <= self.seconds


def _digest(nonce: str, value: str) -> str:
    """What the journal holds of a value: enough to compare with, and nothing that can be read off a
    screen and typed.
    """
    return sha256(f"{nonce}\0{value.strip()}".encode()).hexdigest()
