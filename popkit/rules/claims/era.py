"""Whether a claim is one that the program of its slot takes: without a proof, or with a message of
a version.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Shown
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Sentence, Text

_BEFORE_PROOFS = Text(
    "no proof had been accepted before it", "それより前に proof が受理されていないこと"
)
_PROGRAM_BEFORE = Text(
    "the program before PoP took it, so that no proof had been accepted",
    "PoP 導入前のプログラムが受け付けたものであり、proof はまだ受理されていません",
)
_NO_PROOF_BEFORE = Text("no proof had been accepted", "受理された proof はありません")
_PROOFS_BEFORE = Text(
    "proofs were accepted from slot {slot} on", "スロット {slot} 以降に proof が受理されています"
)
_VERSION = Text(
    "the {era} program takes the message's version",
    "{era} のプログラムがそのバージョンを受け付けること",
)
_VERSIONS = {"strict": Listed((1, 2), or_=True)}
_VERSION_2 = Listed((2,))

ERA_CONTRADICTORY = Shown("era_contradictory")
"""A program may have been put back: that it was shows as a contradiction of the eras, and makes
neither claim false."""


@ERA_CONTRADICTORY.asks
def without_a_proof(claim: ClaimSide) -> Iterator[Answer]:
    """A claim of the program before PoP: it was not deployed any more once a proof was accepted."""
    if claim.has_proof:
        return
    first, rule = claim.side.case.first_proof_slot, ERA_CONTRADICTORY
    also = {"title": _BEFORE_PROOFS, "source": "program §1.7: 3007 on pop_config; invariant L1"}
    if first is None or first >= claim.attempt.slot:
        yield claim.says(rule, HOLDS, _PROGRAM_BEFORE, _NO_PROOF_BEFORE, **also)
    else:
        status = VIOLATED if claim.attempt.accepted else CANNOT_TELL
        yield claim.says(rule, status, _PROGRAM_BEFORE, _PROOFS_BEFORE(slot=first), **also)


@ERA_CONTRADICTORY.asks
def version(claim: ClaimSide) -> Iterator[Answer]:
    """The version of a claim's message: the first program with proofs alone takes both."""
    if not claim.has_proof or claim.attempt.entry_hash is None:
        return
    observed = int(claim.claims.message_version[claim.row])
    allowed = _VERSIONS.get(claim.era, _VERSION_2)
    status = HOLDS if observed in allowed.items else VIOLATED
    title = _version_of(claim.era)
    yield claim.says(
        ERA_CONTRADICTORY, status, allowed, observed, title=title, source="invariant L2"
    )


@lru_cache
def _version_of(era: str) -> Sentence:
    return _VERSION(era=era)
