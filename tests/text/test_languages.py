"""Every sentence of popkit in both languages: the catalogue as it stands in the source, and
explanations as they are read.

That answers are whole in Japanese is held of every diagnosis that `held_to_its_words` sees, every
recorded case among them, and of every attack that a case can be read after.
"""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import popkit
from popkit.errors import UsageError
from popkit.evidence.bundle import Evidence
from popkit.explain import explain, vocabulary, vocabulary_lines
from popkit.glossary import GLOSSARY
from popkit.pages.terminal import LABEL_WIDTH, diagnosis_text, padded
from popkit.rules.registry import RULES
from popkit.sources import SOURCES, sources_in
from popkit.texts import names_in
from popkit.verification.verify import verify
from tests.conftest import CASES, ROOT, Copy
from tests.japanese import left_in_english

SOURCE_FILES = sorted((ROOT / "popkit").rglob("*.py"))
BEGINS_WITH_A_PRONOUN = re.compile(
    r"(it|its|they|their|them|this|these|he|she)\b(?! (is the|grant|worker|entry|head))",
    re.IGNORECASE,
)
CITATION = re.compile(
    r"(program|design|reference|runbook|invariants?|How to Verify|the ed25519 precompile)\b.*(§|\b[LWX]\d|Step \d|commit|rule| \d)"
)
WORDS = (
    "grant",
    "proof",
    "head",
    "anchor",
    "era",
    "period",
    "worker",
    "receipt",
    "GENESIS",
    "in flight",
    "stream",
    "race",
    "fork",
)
MORE_WORDS = (
    "equivocation",
    "burnt",
    "attributed",
    "PopState",
    "entry",
    "claimer",
    "ticket receipt",
    "audit chain",
    "cutover",
)


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def catalogue() -> Iterator[tuple[str, str | None, str | None, ast.Call]]:
    """(place, English, Japanese, call) of every text that the source holds."""
    for path in SOURCE_FILES:
        if path.name == "texts.py":
            continue
        for node in nodes_of(path):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in ("Text", "sentence", "Noun"):
                english, japanese = node.args[0], node.args[-1]
                yield (
                    f"{path.relative_to(ROOT)}:{node.lineno}",
                    literal(english),
                    literal(japanese),
                    node,
                )


def test_no_text_lacks_a_language() -> None:
    texts = list(catalogue())
    assert len(texts) > 400
    for place, english, japanese, call in texts:
        assert len(call.args) == (3 if call.func.id == "Noun" else 2), place  # type: ignore[attr-defined]
        assert english, (
            f"{place}: a text is a literal, so that it can be read beside its translation"
        )
        assert japanese, place
        assert left_in_english(re.sub(r"\{\w+\}", "", japanese)) == [], f"{place}: {japanese}"
        if call.func.id == "Noun":  # type: ignore[attr-defined]
            assert names_in(japanese) == {"n"}, place
        else:
            assert names_in(english) == names_in(japanese), place
        if call.func.id == "sentence":  # type: ignore[attr-defined]
            assert {word.arg for word in call.keywords} == names_in(english), place


def test_no_sentence_leaves_open_what_it_speaks_of() -> None:
    """'It is gone' is no finding: a text begins with its subject, as nothing stands before it that
    a pronoun could mean.
    """
    assert BEGINS_WITH_A_PRONOUN.match("it is gone")
    assert BEGINS_WITH_A_PRONOUN.match("It does not")
    found = [
        (place, english)
        for place, english, _, _ in catalogue()
        if english and BEGINS_WITH_A_PRONOUN.match(english)
    ]
    assert found == []


def test_the_check_finds_english_that_is_left() -> None:
    assert (
        left_in_english(
            "worker の head は proof 3 件分先にあります。abandoned_proof、rpc/accounts.jsonl、audit_hash"
        )
        == []
    )
    assert left_in_english("worker の head is ahead") == ["is", "ahead"]
    assert left_in_english("「quoted words」 と `a command`") == []
    assert left_in_english("title of others", ["title of others"]) == []


def test_both_languages_say_the_same_facts() -> None:
    """Whatever is neither English nor Japanese (hashes, keys, times, counts) stands in both."""
    diagnosis = popkit.open_case(CASES / "cutover").diagnose()
    english, japanese = (
        set(re.findall(r"[0-9A-Za-z]{8,}|\d{2,}", diagnosis_text(diagnosis, language=lang)))
        for lang in ("en", "ja")
    )  # type: ignore[arg-type]
    keys = {word for word in english if re.search(r"\d", word)}
    assert keys
    assert keys <= japanese


def test_a_verdict_in_japanese_says_what_it_means_beside_the_word() -> None:
    text = diagnosis_text(popkit.open_case(CASES / "abandoned-proof").diagnose(), language="ja")
    assert text.startswith("✗ BROKEN（断絶")
    assert "直近正常点" in text


@pytest.mark.parametrize("word", [*WORDS, *MORE_WORDS])
def test_the_glossary_explains_a_word_in_both_languages(word: str) -> None:
    meaning = GLOSSARY[word].meaning
    for language in ("en", "ja"):
        assert meaning.in_language(language) in str(explain(word, language))


def test_explanations_are_whole_in_japanese() -> None:
    also = {name for term in GLOSSARY.values() for name in (term.word, *term.also)}
    rules = {row.source for row in RULES.values()}
    for word, known in vocabulary("ja").items():
        assert left_in_english(str(known), {word, *also, *rules}) == [], str(known)
    for line in vocabulary_lines("ja"):
        assert left_in_english(line, also) == [], line
    assert set(vocabulary("ja")) == set(vocabulary())
    assert str(explain("断絶", "ja")) == str(explain("break", "ja"))
    with pytest.raises(UsageError, match="近いもの: PopHashChainBroken"):
        explain("PopHashChainBrokn", "ja")


@cache
def cited() -> dict[str, str]:
    """Every citation in the source of popkit, and where it stands; code words behind a colon narrow
    it.
    """
    found = {row.source: f"code {row.code}" for row in RULES.values()}
    for path in SOURCE_FILES:
        for node in nodes_of(path):
            text = literal(node) if isinstance(node, ast.Constant) else None
            if (
                text
                and len(text) < 80
                and "\n" not in text
                and text not in SOURCES
                and CITATION.match(text)
            ):
                found[text] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def test_explain_knows_every_source_that_findings_and_checks_cite() -> None:
    assert len(cited()) > 40
    for citation, place in cited().items():
        parts = [
            part for part in citation.split(";") if CITATION.match(part.strip()) or ":" in part
        ]
        assert sources_in(citation), f"{place}: {citation}"
        assert len(sources_in(citation)) >= len(parts), f"{place}: {citation}"
        assert set(sources_in(citation)) <= set(SOURCES), f"{place}: {citation}"
        for source in sources_in(citation):
            assert SOURCES[source] in str(explain(citation)), citation


def test_explain_knows_the_rule_of_every_check() -> None:
    checks = [
        check
        for section in verify(Evidence(CASES / "cutover")).sections
        for check in section.checks
    ]
    for rule in {check.rule for check in checks}:
        assert sources_in(rule), rule
        assert explain(rule).kind == "rule source"


def test_a_rule_that_names_several_places_is_explained_place_by_place() -> None:
    assert sources_in("invariants L1-L4") == [f"invariant L{n}" for n in (1, 2, 3, 4)]
    assert sources_in("reference §3.2, trap 26") == ["reference §3.2", "trap 26"]
    assert sources_in("program §1.7: 6007, 6008, 6009") == ["program §1.7"]
    assert sources_in("a sentence that cites nothing") == []
    with pytest.raises(UsageError):
        explain("invariant L99")


def test_every_finding_is_shown_on_request() -> None:
    diagnosis = popkit.open_case(CASES / "cutover").diagnose()
    short, whole = (diagnosis_text(diagnosis, every=every) for every in (False, True))
    assert "--all lists every finding" in short
    shown = re.findall(r"(?m)^  (critical|warning|info) +(\w+)", whole)
    assert sorted(shown) == sorted((f.severity, f.code) for f in diagnosis.findings)
    assert {severity for severity, _ in shown} >= {"critical", "warning", "info"}
    assert not re.search(r"(?m)^  info ", short)
    assert not re.search(r" and \d+ more\b", whole)


def test_evidence_is_cited_by_the_file_that_is_there(copy_of: object) -> None:
    case: Copy = copy_of("abandoned-proof")  # type: ignore[operator]
    plain = case.path / "rpc" / "transactions.jsonl"
    Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    case.seal()
    diagnosis = popkit.open_case(case.path).diagnose()
    assert "at rpc/transactions.jsonl.gz " in diagnosis_text(diagnosis)
    assert diagnosis.dumps() == popkit.open_case(CASES / "abandoned-proof").diagnose().dumps(), (
        "findings.json names the part of the case"
    )


def test_labels_line_up_whatever_the_width_of_their_letters() -> None:
    assert padded("理由", LABEL_WIDTH["ja"]) == "理由" + " " * 8
    assert padded("cause", LABEL_WIDTH["en"]) == "cause      "
