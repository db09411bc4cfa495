"""A verification on a terminal: totals first, what does not hold, what could not be checked; in two languages."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import popkit.verification as room
from popkit.evidence.bundle import Evidence
from popkit.pages.terminal_verification import IN_FULL, SECTIONS_SHOWN, verification_text
from popkit.texts import LANGUAGES, Language, Text
from popkit.verification.model import Check, Section, Verification
from popkit.verification.verify import verify
from tests.conftest import CASES

TITLE = Text("a thing is so", "そうであること")
WHY = Text("the evidence lacks it", "証拠にありません")


def section(number: int, status: str, observed: object = WHY, subject: str = "claim", title: Text = TITLE) -> Section:
    return Section(subject, f"{number:04d}{'x' * 40}", [Check(title, status, "so", observed, ("file", "key"), "a rule")])


def made(*sections: Section, names: tuple[str, ...] = ()) -> Verification:
    return Verification("a-case", list(sections), names)


def test_hundreds_of_claims_are_a_page() -> None:
    many = made(*(section(n, "holds") for n in range(300)), *(section(n, "cannot tell") for n in range(300, 500)))
    text = verification_text(many)
    assert len(text.splitlines()) < 15
    assert "? claims: of 500, 300 hold and 200 cannot tell" in text
    assert "single checks: of 500, 300 hold and 200 cannot tell" in text
    assert "the evidence lacks it: 200 claims, such as 0300xxxxxxxx…, 0301xxxxxxxx… and 0302xxxxxxxx…" in text
    assert verification_text(many, every=True).count("observed: ") == 500


def test_what_is_violated_is_shown_with_its_number_and_what_holds_is_not() -> None:
    one = section(1, "holds")
    one.checks.append(Check(TITLE, "violated", 7, 8, ("file", "key"), "a rule"))
    text = verification_text(made(one, section(2, "holds")))
    assert text.startswith("✗ VIOLATED   case a-case, exit code 1\n")
    assert "   2. ✗ a thing is so\n        expected: 7\n        observed: 8\n        at: file key; rule: a rule\n" in text
    assert "0002" not in text
    many = verification_text(made(*(section(n, "violated") for n in range(SECTIONS_SHOWN + 3))))
    assert many.count("violated, 1 check\n") == SECTIONS_SHOWN
    assert "  3 more; --all shows them\n" in many


def test_what_was_named_is_shown_whole_unless_it_is_much() -> None:
    few = made(section(0, "holds", subject="case"), *(section(n, "holds") for n in range(IN_FULL)), names=("a",))
    assert verification_text(few).count("observed: ") == IN_FULL
    more = made(section(0, "holds", subject="case"), *(section(n, "holds") for n in range(IN_FULL + 1)), names=("a",))
    assert "observed: " not in verification_text(more)
    assert verification_text(more, every=True).count("observed: ") == IN_FULL + 2


def test_reasons_past_the_first_few_are_counted() -> None:
    text = verification_text(made(*(section(n, "cannot tell", f"reason {n}") for n in range(9))))
    assert len(re.findall("reason", text)) == 6
    assert "and 4 other reasons" in text


@pytest.mark.parametrize("name", ["foreign-issuer", "abandoned-no-worker", "receipts-tampered", "allowlist", "relaxed-race"])
def test_both_languages_say_the_same_of_a_recorded_case(name: str) -> None:
    verification = verify(Evidence(CASES / name))
    texts = {language: verification_text(verification, True, language) for language in LANGUAGES}
    assert len({text.count("\n") for text in texts.values()}) == 1
    keys = [re.findall(r"[0-9A-Za-z]{40,}", texts[language]) for language in LANGUAGES]
    assert sorted(keys[0]) == sorted(keys[1])
    titles = [line for line in texts["ja"].splitlines() if re.match(r" +\d+\. ", line)]
    assert titles
    assert all(re.search("[ぁ-ん]", line) for line in titles)


@pytest.mark.parametrize("language", LANGUAGES)
def test_colour_is_on_the_mark_alone(language: Language) -> None:
    text = verification_text(made(section(1, "holds")), language=language, colour=True)
    assert text.startswith("\x1b[1;32m✓ ")
    assert text.count("\x1b") == 2


def test_every_text_of_the_room_is_japanese_in_japanese() -> None:
    same = set()
    for module in pkgutil.iter_modules(room.__path__):
        for value in vars(importlib.import_module(f"popkit.verification.{module.name}")).values():
            for text in value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,):
                if isinstance(text, Text) and text == text.ja:
                    same.add(str(text))
    assert same <= {"grant", "entry hash", "{key}: {entry}", "{grant}: {what}", "ok {value}", "{verdict}: {because}"}
