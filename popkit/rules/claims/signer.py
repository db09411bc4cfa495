"""Who signed a claim's proof, and by which pop-config, as of the claim's slot."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule, Shown
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Text

_SIGNER = Text(
    "the proof's signer is the one that pop-config named at that slot",
    "signer がそのスロットの pop-config に設定された鍵であること",
)

SIGNER_MISMATCH = Shown(
    "signer_mismatch", source="How to Verify 3; invariant L5", makes_findings=True
)


@SIGNER_MISMATCH.asks
def signer(claim: ClaimSide) -> Iterator[Answer]:
    """The signer of an accepted proof: the program asked pop-config, as it was at that slot."""
    if not claim.has_proof:
        return
    history, authority, attempt = claim.facts.history, claim.side.authority, claim.attempt
    named = history.signers_at(authority, attempt.slot) if authority else None
    holds = history.signer_holds(authority, attempt.slot, attempt.signer) if authority else None
    status = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[holds]
    if attempt.signer is None and status == VIOLATED:
        status = CANNOT_TELL  # no signature stands there of which to ask
    expected = Listed(tuple(sorted(named)), or_=True) if named else None
    yield claim.says(SIGNER_MISMATCH, status, expected, attempt.signer, title=_SIGNER)


CONFIG_ADDRESS_WRONG = Rule(
    "config_address_wrong",
    "critical",
    "claim",
    source="program §1.4; How to Verify 3",
    holds=Text(
        "the claim's pop-config is that of the grant's authority",
        "pop-config が grant の authority のものであること",
    ),
    meaning=Text(
        "An accepted claim names a pop-config that is not that of the grant's authority.",
        "受理された claim の pop-config が、grant の authority のものではありません。",
    ),
    advice=Text(
        "Collect the transaction and the grant's account again from a second node: the "
        "program refuses such a claim.",
        "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションと grant のアカウントを再収集してください。",
    ),
)


@CONFIG_ADDRESS_WRONG.asks
def config(claim: ClaimSide) -> Iterator[Answer]:
    """Which pop-config the claim handed to the program."""
    if claim.has_proof:
        observed = claim.claims.key_text["pop_config"][claim.row]
        yield claim.equal(CONFIG_ADDRESS_WRONG, claim.side.config, observed)
