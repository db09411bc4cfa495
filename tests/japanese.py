"""Whether a text is whole in Japanese: what is left of it in Latin letters must be code words,
terms, identifiers or quotations.

What may be left is derived from popkit's own vocabulary, and from what the diagnosis quotes of the
case (its name, titles, event ids).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from popkit.diagnosis.result import AUDIT_VERDICTS, Diagnosis
from popkit.explain import vocabulary
from popkit.glossary import GLOSSARY
from popkit.pages.terminal import diagnosis_text
from popkit.rules.model import SEVERITIES
from popkit.sources import SOURCES
from popkit.text import for_terminal

_JSON = ("null", "ok", "true", "false")
OF_OTHERS = frozenset(
    [
        "Anchor",
        "JavaScript",
        "Merkle",
        "PowerShell",
        "Solana",
        "Squads",
        "surfnet",
        "Unicode",
        "Web",
        "popkit",
        "Step",
        "CASE",
        "CODE",
        *_JSON,
    ]
)
"""Names of others' things, JSON's words, and what the runbook's steps are called."""
_QUOTED = re.compile(r"「[^」]*」|`[^`]*`")
_WORD = re.compile(r"-{0,2}[A-Za-z0-9_][A-Za-z0-9_.:/()\[\]=-]*[A-Za-z0-9_)]|[A-Za-z]")
_IDENTIFIER = re.compile(
    r".*[0-9_./:()\[\]=-].*|[a-z]+[A-Z].*|[A-Z][a-z]+[A-Z].*|[A-Z]+|[0-9a-f]{8,}"
)
"""What no English word looks like: digits, underscores, paths, hyphens, camel case, capitals alone,
hashes.
"""


@cache
def code_words() -> frozenset[str]:
    """The words that stay what they are in Japanese: codes, and terms that operators write in Latin
    letters.
    """
    words = (
        {word for word, known in vocabulary().items() if known.kind != "term"}
        | set(SEVERITIES)
        | set(AUDIT_VERDICTS)
    )
    for term in GLOSSARY.values():
        words |= set(term.japanese.split()) | (
            set(term.also) if term.japanese == term.word else set()
        )
    return frozenset(words)


def left_in_english(text: str, quoted: Iterable[str] = ()) -> list[str]:
    """The words of a Japanese text that are English; `quoted` is other people's text in it."""
    for name in sorted({*quoted, *SOURCES} - {""}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", " ", text)
    words = _WORD.findall(_QUOTED.sub(" ", text))
    return [
        word
        for word in words
        if not _IDENTIFIER.fullmatch(word) and word not in code_words() | OF_OTHERS
    ]


def whole_in_japanese(diagnosis: Diagnosis) -> None:
    """Assert that a diagnosis, with everything that it can show, is whole in Japanese."""
    names = {diagnosis.case}
    for grant in diagnosis.grants:
        names |= {*grant.titles, *grant.events}
    names |= {finding.where[1] for finding in diagnosis.findings}
    names |= {
        *diagnosis.reconciliation.unbacked_records,
        *diagnosis.audit.bad_receipts,
        *diagnosis.audit.edited_objects,
    }
    names |= {for_terminal(name) for name in names}
    for every in (False, True):
        for line in diagnosis_text(diagnosis, language="ja", every=every).splitlines():
            assert left_in_english(line, names) == [], line
