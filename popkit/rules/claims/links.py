"""Both links of a claim's proof, under the rules of its slot."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.protocol.message import GENESIS_HASH
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Shown
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Text

_GLOBAL = Text(
    "the proof's global link names the chain's head", "prev_hash がチェーンの head を指していること"
)
_STREAM = Text(
    "the proof's stream link names the chain's head",
    "stream_prev_hash がチェーンの head を指していること",
)
_ANY_PARENT = Text("any parent is accepted", "どの親でも受理されます")
_RELAXED = "program commit 5ceddca: any parent is accepted"
_NOT_SURELY_STRICT = Text(
    "{parent}, and whether strict rules were in force is not certain",
    "{parent}（strict の規則が有効だったかどうかは確定していません）",
)
_FROM_GENESIS = Text(
    "{parent}, though a claim had landed before: which of the two is out of its place, their "
    "links do not show",
    "{parent}（それより前に claim が取り込まれていますが、どちらの位置が誤りかはリンクからは分かりません）",
)
ORDER_CONTRADICTS_LINKS = Shown(
    "order_contradicts_links", source="program §1.8; invariant L9", makes_findings=True
)
"""The grant is asked for the order of its claims by their global links, which makes the finding of
a claim; a claim is asked for what that order does not show."""


@ORDER_CONTRADICTS_LINKS.asks
def links(claim: ClaimSide) -> Iterator[Answer]:
    """The global and the stream link, each against the heads that there were before the claim."""
    attempt, rule = claim.attempt, ORDER_CONTRADICTS_LINKS
    if not claim.has_proof or attempt.entry_hash is None:
        return
    titles = ((_GLOBAL, str(attempt.prev_hash)), (_STREAM, str(attempt.stream_prev_hash)))
    if claim.era == "relaxed":
        for title, parent in titles:
            yield claim.says(rule, HOLDS, _ANY_PARENT, parent, title=title, source=_RELAXED)
        return
    heads = claim.chain.heads_during(attempt.slot)
    if attempt.accepted:
        heads -= {attempt.entry_hash}  # it became the head, and follows another
    expected, is_found = Listed(tuple(sorted(heads)), or_=True), attempt in claim.chain.misordered
    is_strict, begins = claim.chain.is_surely_strict(attempt), attempt.prev_hash == GENESIS_HASH
    for title, parent in titles:
        if parent in claim.chain.unseen:
            yield claim.says(rule, CANNOT_TELL, expected, parent, title=title)
        elif parent in heads:
            yield claim.says(rule, HOLDS, expected, parent, title=title)
        elif not claim.counts:
            yield claim.says(rule, VIOLATED, expected, parent, title=title)
        elif begins or not is_strict:
            doubt = (_FROM_GENESIS if is_strict else _NOT_SURELY_STRICT)(parent=parent)
            yield claim.says(rule, CANNOT_TELL, expected, doubt, title=title)
        else:
            yield claim.says(rule, VIOLATED, expected, parent, title=title, is_part=is_found)
            is_found = True  # of both links one finding is enough
