"""Verbs as they are typed: help in two languages, what was meant, one grant of several, and places
that are no case.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import pytest

import popkit as package
from popkit.cli import cli, main
from popkit.command_line.grammar import Argument, Family, Option, Verb
from popkit.commands.completion import VARIABLE
from popkit.commands.drill import VERB as DRILL
from popkit.errors import UsageError
from popkit.evidence.grants import UnknownGrant, grant_named
from popkit.texts import LANGUAGES
from tests.calling import called
from tests.conftest import CASES


def verb(name: str) -> Verb | Family:
    found = cli.get_command(click.Context(cli), name)
    assert isinstance(found, Verb | Family)
    return found


@pytest.mark.parametrize("name", cli.names)
def test_every_verb_has_help_with_an_example_in_both_languages(name: str) -> None:
    pages = {}
    for language in LANGUAGES:
        ran = called(name, "--lang", language, "-h")
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert called("--lang", language, name, "--help").stdout == ran.stdout
        pages[language] = ran.stdout.decode()
        assert f"  $ {verb(name).examples[0].command}\n" in pages[language]
        held = verb(name)
        assert (held.about if isinstance(held, Family) else held.summary).in_language(
            language
        ) in pages[language]
        for param in verb(name).params:
            if isinstance(param, Option | Argument) and not getattr(param, "hidden", False):
                assert param.words.in_language(language) in pages[language]
    assert "usage: popkit" in pages["en"]
    assert "使い方: popkit" in pages["ja"]


@pytest.mark.parametrize("name", DRILL.names)
def test_every_verb_of_the_drill_has_help_in_both_languages(name: str) -> None:
    for language in LANGUAGES:
        page = called("drill", name, "--lang", language, "-h").stdout.decode()
        assert DRILL.verb(name).summary.in_language(language) in page
        for param in DRILL.verb(name).params:
            if isinstance(param, Option | Argument):
                assert param.words.in_language(language) in page


def test_the_whole_help_lists_every_verb_in_the_language_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    english = called("--help").stdout.decode()
    japanese = called("--help", "--lang", "ja").stdout.decode()
    monkeypatch.setenv("POPKIT_LANG", "ja")
    assert called("-h").stdout.decode() == japanese != english
    for name in cli.names:
        assert f"\n  {name} " in english
        assert verb(name).summary.in_language("ja") in japanese


def test_the_version_and_both_names_of_it() -> None:
    assert (
        called("-V").stdout
        == called("--version").stdout
        == f"popkit {package.__version__}\n".encode()
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["diagnos", "x"], "did you mean diagnose?"),
        (["Verify", "x"], "did you mean verify?"),
        (["nonsense"], "'nonsense' is no command; they are collect, serve"),
        ([str(CASES / "intact")], f"did you mean: popkit diagnose {CASES / 'intact'}"),
        (["diagnose", "x", "--jsn", "-"], "--jsn: no such option; did you mean --json?"),
        (["diagnose", "x", "--qqq"], "--qqq: no such option"),
        (["diagnose", "x", "y"], "y: not expected here; popkit diagnose takes CASE"),
        (["diagnose"], "CASE is missing"),
        (["investigate", "x"], "--out is missing"),
        (["diagnose", "x", "--json"], "--json needs a value"),
        (["collect", "--dry-run=yes"], "--dry-run takes no value"),
        (
            ["diagnose", "x", "--era", "later"],
            "--era later: expected one of pre_pop, strict, strict_v2 and relaxed",
        ),
        (["diagnose", "x", "--lang", "fr"], "--lang fr: expected one of en and ja"),
        (["serve", "x", "--port", "many"], "--port many: expected a whole number"),
        (["collect", "--out", "x", "--timeout", "inf"], "--timeout inf: expected a number"),
        (["completion", "tcsh"], "SHELL tcsh: expected one of bash, zsh and fish"),
    ],
)
def test_what_was_mistyped_is_said_with_what_was_meant(args: list[str], says: str) -> None:
    ran = called(*args)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert says in ran.stderr.decode()
    assert b"usage: popkit" in ran.stderr
    assert b"--help says more" in ran.stderr


def test_wrong_usage_is_said_in_japanese() -> None:
    ran = called("diagnose", "--lang", "ja")
    assert ran.returncode == 2
    assert "CASE が指定されていません" in ran.stderr.decode()
    assert "使い方: popkit diagnose CASE" in ran.stderr.decode()
    assert "ディレクトリはありません" in called("diagnose", "nowhere", "--lang=ja").stderr.decode()


def test_a_word_where_only_options_go_may_be_a_secret_and_is_not_quoted() -> None:
    ran = called("collect", "--out", "x", "--rpc-header", "X-Key:", "hush-hush")
    assert ran.returncode == 2
    assert b"hush" not in ran.stderr
    assert b"may be a secret" in ran.stderr


@pytest.mark.parametrize(
    ("words", "exports"),
    [
        (["--from", "a", "b", "--out", "x"], ["a", "b"]),
        (["--out", "x", "--from", "a", "--from", "b", "c"], ["a", "b", "c"]),
        (["--from=a", "b", "-", "--out", "x"], ["a", "b", "-"]),
    ],
)
def test_from_takes_every_path_that_follows(words: list[str], exports: list[str]) -> None:
    with verb("collect").make_context("popkit collect", words) as ctx:
        assert list(ctx.params["exports"]) == exports


def test_one_grant_is_answered_alone() -> None:
    whole = package.open_case(CASES / "cutover").diagnose()
    broken, sound = (
        next(g.grant for g in whole.grants if g.verdict == verdict)
        for verdict in ("broken", "intact")
    )
    for grant, code, verdict in ((broken, 1, "broken"), (sound, 0, "intact")):
        ran = called("diagnose", CASES / "cutover", "--grant", grant[:4])
        assert ran.returncode == code
        text = ran.stdout.decode()
        assert text.splitlines()[0].endswith(f"exit code {code}")
        assert f"grant {grant}" in text
        assert f"Only grant {grant} was asked for; 1 more of the case are left out" in text
        found = json.loads(
            called("diagnose", CASES / "cutover", "--grant", grant, "--json", "-").stdout
        )
        assert (found["verdict"], found["exit_code"]) == (verdict, code)
        assert [row["grant"] for row in found["grants"]] == [grant]
        assert found["findings"] == [
            f.as_json() for f in whole.findings if f.grant in (None, grant)
        ]
        assert {row["grant"] for row in found["coverage"]["checked"]} <= {None, grant}
        assert found["audit"] == whole.audit.as_json()


def test_what_is_critical_for_the_whole_case_counts_for_each_grant() -> None:
    case = package.open_case(CASES / "audit-tampered")
    alone = case.diagnose().of_grant(case.grants[0])
    assert alone.count("critical") == case.diagnose().count("critical") > 0
    assert alone.exit_code == 1


def test_one_grant_is_verified_alone() -> None:
    grants = package.open_case(CASES / "cutover").grants
    sections = {}
    for grant in grants:
        ran = called("verify", CASES / "cutover", "--grant", grant[:3], "--json", "-")
        rows = json.loads(ran.stdout)["sections"]
        assert [row["name"] for row in rows if row["subject"] == "chain"] == [grant]
        sections[grant] = {row["name"] for row in rows if row["subject"] == "claim"}
        assert {row["subject"] for row in rows} >= {"case", "chain", "audit", "records"}
    every = json.loads(called("verify", CASES / "cutover", "--json", "-").stdout)["sections"]
    assert set.union(*sections.values()) == {
        row["name"] for row in every if row["subject"] == "claim"
    }
    assert not set.intersection(*sections.values())


def test_a_grant_is_meant_by_its_beginning_where_that_is_one() -> None:
    grants = ("Aa1", "Aa2", "B", "Bc")
    assert grant_named("Aa2", grants) == "Aa2"
    assert grant_named("B", grants) == "B", "a whole key is not the beginning of another"
    assert grant_named("Bc", grants) == "Bc"
    with pytest.raises(UnknownGrant) as several:
        grant_named("Aa", grants)
    assert (
        str(several.value)
        == "Aa begins 2 of the case's grants; give more of the key of the one that is meant: Aa1 "
        "and Aa2"
    )
    with pytest.raises(UsageError, match="it has Aa1, Aa2, B and Bc"):
        grant_named("x\x1b", grants)
    for name in ("", "a"):
        with pytest.raises(UnknownGrant):
            grant_named(name, grants)
    with pytest.raises(UnknownGrant, match="it has no grants"):
        grant_named("A", ())


@pytest.mark.parametrize("command", ["diagnose", "verify", "investigate --out out"])
def test_a_grant_that_the_case_does_not_have(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *options = command.split()
    ran = called(name, CASES / "cutover", *options, "--grant", "nobody")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"no grant of the case is 'nobody'" in ran.stderr
    assert all(
        grant.encode() in ran.stderr for grant in package.open_case(CASES / "cutover").grants
    )
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_cases_lists_what_to_type(tmp_path: Path) -> None:
    for name in ("one", "two words"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.json").write_text("{}")
    (tmp_path / "other").mkdir()
    for command in ("diagnose", "verify"):
        ran = called(command, tmp_path)
        assert (ran.returncode, ran.stdout) == (2, b"")
        lines = ran.stderr.decode().splitlines()
        assert "2 of its directories are cases" in lines[0]
        assert lines[1:] == [
            f"  popkit {command} {tmp_path / 'one'}",
            f"  popkit {command} '{tmp_path / 'two words'}'",
        ]


def test_what_is_no_case_is_named_with_what_to_type(tmp_path: Path) -> None:
    case = tmp_path / "incident"
    shutil.copytree(CASES / "unused", case)
    (tmp_path / "later.collecting").mkdir()
    (tmp_path / "export.tar.gz").write_bytes(b"")
    (tmp_path / "rows.json").write_text("[]")
    report = tmp_path / "report"
    report.mkdir()
    for name in ("findings.json", "report.html"):
        (report / name).write_text("")
    for place, says in (
        (case / "case.json", f"name the case: popkit diagnose {case}"),
        (case / "rpc", f"name the case: popkit diagnose {case}"),
        (tmp_path / "inciden", f"did you mean {case}?"),
        (tmp_path / "elsewhere", "no such case directory\n"),
        (tmp_path / "later", "a collection that was interrupted"),
        (
            tmp_path / "export.tar.gz",
            f"is an archive; make a case of it: popkit collect --from {tmp_path / 'export.tar.gz'} "
            f"--out CASE",
        ),
        (tmp_path / "rows.json", "is a file, and a case is a directory that holds case.json"),
        (report, "is a report of popkit and no case"),
    ):
        ran = called("diagnose", place)
        assert (ran.returncode, ran.stdout) == (2, b""), place
        assert says in ran.stderr.decode(), place
    assert called("diagnose", case).returncode == 0


def test_a_shell_is_offered_verbs_options_eras_words_and_grants(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    grants = package.open_case(CASES / "cutover").grants
    for typed, offered in (
        ("popkit in", {"investigate"}),
        ("popkit diagnose x --j", {"--json"}),
        ("popkit diagnose x --era re", {"relaxed"}),
        ("popkit explain PopHash", {"PopHashChainBroken"}),
        (f"popkit verify {CASES / 'cutover'} --grant {grants[0][:2]}", {grants[0]}),
        ("popkit verify nowhere --grant X", {""}),
    ):
        monkeypatch.setenv(VARIABLE, "bash_complete")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
        assert main([]) == 0
        assert {
            line.partition(",")[2] for line in capfd.readouterr().out.splitlines()
        } == offered, typed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_popkit(shell: str) -> None:
    ran = called("completion", shell)
    assert ran.returncode == 0
    assert f"{VARIABLE}={shell}_complete".encode() in ran.stdout
