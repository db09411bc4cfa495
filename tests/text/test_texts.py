"""Sentences in two languages."""

from __future__ import annotations

import copy
import pickle

import pytest

from popkit.texts import Counted, Listed, Moment, Noun, Text, chosen_language, sentence

PROOFS = Noun("proof", "proofs", "証明 {n} 件")


def test_a_sentence_puts_its_values_into_the_language_that_is_asked_for() -> None:
    inner = Text("the chain was read at {when}", "チェーンは {when} に読み取られました")(
        when=Moment(1771830023)
    )
    outer = Text("{count}: {why}", "{count}: {why}")(count=Counted(2, PROOFS), why=inner)
    assert str(outer) == "2 proofs: the chain was read at 2026-02-23 07:00:23 UTC"
    assert (
        outer.in_language("ja")
        == "証明 2 件: チェーンは 2026-02-23 07:00:23 UTC に読み取られました"
    )
    assert str(Counted(1, PROOFS)) == "1 proof"


def test_a_list_is_joined_as_each_language_joins() -> None:
    assert [str(Listed(("a", "b", "c")[:n])) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert Listed(("a", "b", "c")).in_language("ja") == "a、b、c"


def test_japanese_puts_a_space_before_latin_letters_alone() -> None:
    text = Text("on {what}", "上にある {what}")
    assert text(what="proof").in_language("ja") == "上にある proof"
    assert text(what=Text("a proof", "証明")()).in_language("ja") == "上にある証明"
    assert sentence("a: {what}", "甲: {what}", what=Text("b", "乙")()).in_language("ja") == "甲: 乙"
    assert str(text(what="証明")) == "on 証明"


def test_a_sentence_is_its_english_and_is_copied_whole() -> None:
    said = sentence("{n} rows", "{n} 行", n=3)
    assert said == "3 rows"
    assert (
        copy.deepcopy([said])[0].in_language("ja")
        == pickle.loads(pickle.dumps(said)).in_language("ja")
        == "3 行"
    )
    assert sorted([said, sentence("a", "乙")]) == ["3 rows", "a"]


def test_an_unknown_time_and_one_past_all_calendars_are_said() -> None:
    assert (str(Moment(None)), Moment(None).in_language("ja")) == ("time unknown", "時刻不明")
    assert str(Moment(10**18)) == "unix second 1000000000000000000"


def test_braces_in_other_peoples_text_stay_what_they_are() -> None:
    assert str(Text("case {name}", "ケース {name}")(name="{name}{0}")) == "case {name}{0}"


@pytest.mark.parametrize(("en", "ja"), [("a", ""), ("", "あ"), ("{a}", "あ"), ("a", "{b}")])
def test_a_text_without_a_language_or_a_value_is_refused(en: str, ja: str) -> None:
    with pytest.raises(ValueError, match="language"):
        Text(en, ja)


def test_values_that_a_text_does_not_name_are_refused() -> None:
    with pytest.raises(ValueError, match="expected values"):
        Text("{a}", "{a}")(b=1)


@pytest.mark.parametrize(
    ("option", "environment", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LC_MESSAGES": "ja_JP", "LANG": "en_US"}, "ja"),
        (None, {"POPKIT_LANG": "ja", "LC_ALL": "C"}, "ja"),
        ("en", {"POPKIT_LANG": "ja"}, "en"),
    ],
)
def test_the_language_is_that_of_the_option_the_variable_or_the_locale(
    option: str | None, environment: dict[str, str], language: str
) -> None:
    assert chosen_language(option, environment) == language
