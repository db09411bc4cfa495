"""A broken grant of which the evidence shows no cause: said plainly, with what was looked for."""

from __future__ import annotations

from collections.abc import Iterable

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Listed, Text, sentence

UNEXPLAINED = CauseKind(
    "unexplained",
    rank=1000,
    meaning=Text(
        "The grant is broken and the evidence shows no cause; the answer names what was ruled out.",
        "grant は断絶していますが、証拠から原因が分かりません。除外した原因を回答に示しています。",
    ),
    advice=Text("Collect what the coverage names.", "カバレッジに示したものを収集してください。"),
    ruled_out_by=Text(
        "the evidence shows any of the other causes", "他のいずれかの原因が証拠から確認できること"
    ),
)


def unexplained(names: Iterable[str]) -> Cause:
    """That the evidence shows none of the causes of these names."""
    because = sentence(
        "the evidence shows none of the known causes: {causes}",
        "既知の原因のいずれも証拠から確認できません: {causes}",
        causes=Listed(tuple(names), between=", "),
    )
    return UNEXPLAINED.shown(because)
