"""Confirmations: one use, ten minutes, no default, the value as it is; also across processes and
after restarts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from popkit.cutover.errors import NotConfirmed
from popkit.cutover.journals.confirmation import Confirmations, token
from popkit.cutover.journals.journal import Journal
from tests.cutover.killing import killed_everywhere

PLAN = hashlib.sha256(b"a plan").hexdigest()
VALUE = "q7WxYZ"
SECONDS = 600


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1_772_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def confirmations(tmp_path: Path, watch: Watch) -> Confirmations:
    return Confirmations(Journal.create(tmp_path / "journal.jsonl", PLAN, now=watch), SECONDS)


def refused(confirmations: Confirmations, typed: str, step: str = "2", value: str = VALUE) -> str:
    """The code for which something typed is refused; every refusal has its exit code, says what to
    do and stands in the journal.
    """
    before = len(confirmations.journal.entries)
    with pytest.raises(NotConfirmed) as stopped:
        confirmations.check(typed, step, value)
    error = stopped.value
    assert error.exit_code == 2
    for language in ("en", "ja"):
        words = error.in_language(language) + "".join(error.lines_in(language))
        assert "TOKEN:VALUE" in words
        assert step in words
        assert value not in words
        assert len(typed) < 3 or typed not in words
    entries = confirmations.journal.entries[before:]
    assert [(entry.kind, entry.step, entry.facts) for entry in entries] == [
        ("confirmation_refused", step, {"why": error.code})
    ]
    return error.code


@pytest.mark.parametrize("typed", ["{}:{}", "  {}:{}\n", "{} : {}", "\u3000{}:{}\u3000"])
def test_token_and_value_confirm_once(confirmations: Confirmations, typed: str) -> None:
    asked = confirmations.ask("2", VALUE)
    assert confirmations.outstanding("2") == asked
    text = typed.format(asked.token, VALUE)
    entry = confirmations.check(text, "2", VALUE)
    assert (entry.kind, entry.step) == ("confirmed", "2")
    assert confirmations.outstanding("2") is None
    assert refused(confirmations, text) == "confirmation_used"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "confirmation_form"),
        ("y", "confirmation_form"),
        ("TOKEN", "confirmation_form"),
        ("TOKEN:", "confirmation_form"),
        (":q7WxYZ", "confirmation_form"),
        ("TOKEN:Q7WXYZ", "confirmation_value"),
        ("TOKEN:q7WxY", "confirmation_value"),
        ("TOKEN:q7 WxYZ", "confirmation_value"),
        ("TOKEN:ｑ7WxYZ", "confirmation_value"),
        ("AAAAAA:q7WxYZ", "confirmation_token"),
    ],
)
def test_what_is_wrong_is_refused_and_burns_nothing(
    confirmations: Confirmations, typed: str, code: str
) -> None:
    asked = confirmations.ask("2", VALUE)
    assert refused(confirmations, typed.replace("TOKEN", asked.token)) == code
    assert "q7" not in confirmations.journal.path.read_text(), (
        "neither the value nor what was typed is written down"
    )
    assert confirmations.check(f"{asked.token}:{VALUE}", "2", VALUE)


def test_letters_of_a_token_count_as_they_are(confirmations: Confirmations) -> None:
    asked = confirmations.ask("2", VALUE)
    typed = asked.token.lower()
    assert typed != asked.token
    assert refused(confirmations, f"{typed}:{VALUE}") == "confirmation_token"


@pytest.mark.parametrize(("seconds", "holds"), [(0, True), (600, True), (601, False), (-1, False)])
def test_a_token_counts_for_ten_minutes(
    confirmations: Confirmations, watch: Watch, seconds: int, holds: bool
) -> None:
    asked = confirmations.ask("2", VALUE)
    watch.time += seconds
    assert bool(confirmations.outstanding("2")) is holds
    if holds:
        assert confirmations.check(f"{asked.token}:{VALUE}", "2", VALUE)
    else:
        assert refused(confirmations, f"{asked.token}:{VALUE}") == "confirmation_too_old"


def test_another_plan_allows_another_time(confirmations: Confirmations, watch: Watch) -> None:
    asked = confirmations.ask("2", VALUE)
    watch.time += 61
    assert Confirmations(confirmations.journal, 60).outstanding("2") is None
    assert confirmations.outstanding("2") == asked


def test_the_newest_token_of_a_step_counts_alone(confirmations: Confirmations) -> None:
    first, second = confirmations.ask("2", VALUE), confirmations.ask("2", VALUE)
    assert first.token != second.token
    assert refused(confirmations, f"{first.token}:{VALUE}") == "confirmation_replaced"
    assert confirmations.check(f"{second.token}:{VALUE}", "2", VALUE)


def test_a_token_counts_for_its_own_step(confirmations: Confirmations) -> None:
    other = confirmations.ask("2", VALUE)
    assert refused(confirmations, f"AAAAAA:{VALUE}", step="0") == "confirmation_not_asked"
    assert (
        refused(confirmations, f"{other.token}:{VALUE}", step="0") == "confirmation_of_another_step"
    )
    assert confirmations.check(f"{other.token}:{VALUE}", "2", VALUE)


def test_a_value_that_changed_since_is_not_confirmed(confirmations: Confirmations) -> None:
    asked = confirmations.ask("2", "1000")
    assert (
        refused(confirmations, f"{asked.token}:2000", value="2000") == "confirmation_value_changed"
    )


@pytest.mark.parametrize("value", ["", " \n"])
def test_there_is_no_default(confirmations: Confirmations, value: str) -> None:
    with pytest.raises(ValueError, match="value"):
        confirmations.ask("2", value)


def test_a_restart_forgets_nothing(confirmations: Confirmations, watch: Watch) -> None:
    asked = confirmations.ask("2", VALUE)
    path = confirmations.journal.path
    again = Confirmations(Journal.open(path, PLAN, now=watch), SECONDS)
    assert again.outstanding("2") == asked
    again.check(f"{asked.token}:{VALUE}", "2", VALUE)
    assert (
        refused(
            Confirmations(Journal.open(path, PLAN, now=watch), SECONDS), f"{asked.token}:{VALUE}"
        )
        == "confirmation_used"
    )
    with pytest.raises(NotConfirmed):  # opened before the token was used elsewhere
        confirmations.check(f"{asked.token}:{VALUE}", "2", VALUE)


def test_a_token_is_of_its_plan_step_and_nonce() -> None:
    made = {
        token(plan, step, nonce)
        for plan in ("a", "b")
        for step in ("0", "2")
        for nonce in ("x", "y")
    }
    assert len(made) == 8
    assert token("a", "2", "x") in made


def confirm(path: Path, typed: str) -> None:
    try:
        Confirmations(Journal.open(path, PLAN), SECONDS).check(typed, "2", VALUE)
    except NotConfirmed as error:
        if error.code != "confirmation_used":
            raise


def test_killed_anywhere_a_token_is_used_or_it_still_counts(tmp_path: Path) -> None:
    numbers = iter(range(10**6))

    def fresh() -> tuple[Path, str]:
        path = tmp_path / f"run-{next(numbers)}" / "journal.jsonl"
        path.parent.mkdir()
        asked = Confirmations(Journal.create(path, PLAN), SECONDS).ask("2", VALUE)
        return path, f"{asked.token}:{VALUE}"

    for killed in killed_everywhere(confirm, fresh):
        path, typed = killed.args
        confirm(path, typed)
        kinds = [entry.kind for entry in Journal.open(path).entries]
        assert kinds.count("confirmed") == 1, killed.kill
