"""A verification on a terminal: totals first, what does not hold, what could not be checked; in two
languages.
"""

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


def section(
    number: int, status: str, observed: object = WHY, subject: str = "claim", title: Text = TITLE
) -> Section:
    return Section(
        subject,
        f"{number:04d}{'x' * 40}",
        [Check(title, status, "so", observed, ("file", "key"), "a rule")],
    )


def made(*sections: Section, names: tuple[str, ...] = ()) -> Verification:
    return Verification("a-case", list(sections), names)


def test_hundreds_of_claims_are_a_page() -> None:
    many = made(
        *(section(n, "holds") for n in range(300)),
        *(section(n, "cannot tell") for n in range(300, 500)),
    )
    text = verification_text(many)
    assert len(text.splitlines()) < 15
    assert "? claims: of 500, 300 hold and 200 cannot tell" in text
    assert "single checks: of 500, 300 hold and 200 cannot tell" in text
    assert (
        "the evidence lacks it: 200 claims, such as 0300xxxxxxxx…, 0301xxxxxxxx… and 0302xxxxxxxx…"
        in text
    )
    assert verification_text(many, every=True).count("observed: ") == 500


def test_what_is_violated_is_shown_with_its_number_and_what_holds_is_not() -> None:
    one = section(1, "holds")
    one.checks.append(Check(TITLE, "violated", 7, 8, ("file", "key"), "a rule"))
    text = verification_text(made(one, section(2, "holds")))
    assert text.startswith("✗ VIOLATED   case a-case, exit code 1\n")
    assert (
        "   2. ✗ a thing is so\n        expected: 7\n        observed: 8\n        at: file key; "
        "rule: a rule\n" in text
    )
    assert "0002" not in text
    many = verification_text(made(*(section(n, "violated") for n in range(SECTIONS_SHOWN + 3))))
    assert many.count("violated, 1 check\n") == SECTIONS_SHOWN
    assert "  3 more; --all shows them\n" in many


def noted(*severities: str, number: int = 1) -> Section:
    """A section whose checks are violated, each with a severity, and not critical."""
    checks = [
        Check(
            Text(f"title of a {name}", f"{name} の項目"),
            "violated",
            None,
            WHY,
            ("file", "key"),
            "a rule",
            severity=name,
        )
        for name in severities
    ]
    return Section("chain", f"{number:04d}{'x' * 40}", checks)


def test_warnings_and_remarks_stand_apart_from_what_is_violated() -> None:
    text = verification_text(made(noted("warning", "info", "info"), section(2, "violated")))
    assert "single checks: of 4, 1 is violated, 1 is a warning and 2 are remarks" in text
    violated, _, rest = text.partition("Warnings: ")
    warnings, _, remarks = rest.partition("Remarks: ")
    assert ("a thing is so" in violated, "title of a" in violated) == (True, False)
    assert (
        "  ! title of a warning\n      the evidence lacks it: the chain of grant 0001" in warnings
    )
    assert "  i title of a info\n      the evidence lacks it: the chain of grant 0001" in remarks
    assert "2 times in all" in remarks
    assert "警告: " in verification_text(made(noted("warning")), language="ja")


def test_warnings_alone_violate_nothing_and_are_no_every_check_holds() -> None:
    for severity in ("warning", "info"):
        text = verification_text(made(noted(severity)))
        assert text.startswith("✓ NOTHING CRITICAL IS VIOLATED   case a-case, exit code 0\n")
        assert "What is violated" not in text
        assert (
            f"single checks: of 1, 1 is a {'warning' if severity == 'warning' else 'remark'}\n"
            in text
        )
    assert verification_text(made(section(1, "holds"))).startswith("✓ EVERY CHECK HOLDS")


def test_a_check_that_compares_nothing_says_neither_expected_nor_observed() -> None:
    text = verification_text(made(noted("warning")), every=True)
    assert "   1. ! title of a warning\n        observed: the evidence lacks it\n" in text
    assert "expected" not in text


def test_what_the_evidence_does_not_cover_is_a_list_of_its_own() -> None:
    check = Check(
        TITLE, "cannot tell", "vault", WHY, ("vault", "somegrant"), "a rule", is_optional=True
    )
    text = verification_text(
        made(section(1, "holds"), Section("coverage", "what the evidence covers", [check]))
    )
    assert (
        "What the evidence does not cover:\n  ? the evidence lacks it (grant somegrant)\n" in text
    )
    assert "proves nothing either way" not in text


def test_what_was_named_is_shown_whole_unless_it_is_much() -> None:
    few = made(
        section(0, "holds", subject="case"),
        *(section(n, "holds") for n in range(IN_FULL)),
        names=("a",),
    )
    assert verification_text(few).count("observed: ") == IN_FULL
    more = made(
        section(0, "holds", subject="case"),
        *(section(n, "holds") for n in range(IN_FULL + 1)),
        names=("a",),
    )
    assert "observed: " not in verification_text(more)
    assert verification_text(more, every=True).count("observed: ") == IN_FULL + 2


def test_reasons_past_the_first_few_are_counted() -> None:
    text = verification_text(made(*(section(n, "cannot tell", f"reason {n}") for n in range(9))))
    assert len(re.findall("reason", text)) == 6
    assert "and 4 other reasons" in text


@pytest.mark.parametrize(
    "name",
    ["foreign-issuer", "abandoned-no-worker", "receipts-tampered", "allowlist", "relaxed-race"],
)
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
            for text in (
                value
                if isinstance(value, tuple)
                else value.values()
                if isinstance(value, dict)
                else (value,)
            ):
                if isinstance(text, Text) and text == text.ja:
                    same.add(str(text))
    assert same <= {
        "grant",
        "entry hash",
        "{key}: {entry}",
        "{grant}: {what}",
        "ok {value}",
        "{verdict}: {because}",
    }
