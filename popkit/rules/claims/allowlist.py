"""Whether a claim's Merkle proof leads to the root of the grant's allowlist, as of the slot."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.history import ZERO_ROOT
from popkit.claims.scalar import scalar_claims
from popkit.protocol import allowlist
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule
from popkit.rules.sides import ClaimSide
from popkit.texts import Listed, Text

_PROOF_UNDER = Text("a Merkle proof that leads to {root}", "{root} に至る Merkle proof")
_NO_MERKLE_PROOF = Text(
    "claim_grant carries no Merkle proof", "claim_grant に Merkle proof がありません"
)
_LEADS_THERE = Text("the Merkle proof leads there", "Merkle proof はそこに至ります")
_LEADS_ELSEWHERE = Text(
    "the Merkle proof leads to another root", "Merkle proof は別のハッシュに至ります"
)
_UNCONFIRMED = Text(
    "{what}, but nothing confirms that no change of the allowlist is missing",
    "{what}。ただし、許可リストの変更の欠落がないことを確認できません",
)

CLAIM_OUTSIDE_ALLOWLIST = Rule(
    "claim_outside_allowlist",
    "critical",
    "claim",
    source="program §1.9",
    holds=Text(
        "the claimer is under the grant's allowlist root",
        "claimer が grant の許可リストに含まれること",
    ),
    meaning=Text(
        "A claim was accepted of a wallet that is not under the grant's allowlist root at "
        "that slot.",
        "そのスロットの grant の許可リストに含まれないウォレットの claim が受理されています。",
    ),
    advice=Text(
        "Collect the transaction and the grant's history again from a second node: the "
        "program refuses such a claim.",
        "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションと grant の履歴を再収集してください。",
    ),
)


@CLAIM_OUTSIDE_ALLOWLIST.asks
def under_the_root(claim: ClaimSide) -> Iterator[Answer]:
    """The Merkle proof, where a root was set at that slot whichever of its terms held."""
    roots = [terms.merkle_root for terms in claim.terms if terms.merkle_root != ZERO_ROOT]
    if not roots or len(roots) != len(claim.terms):
        return
    rule, wanted = CLAIM_OUTSIDE_ALLOWLIST, _PROOF_UNDER(root=Listed(tuple(roots), or_=True))
    proof = _merkle_proof(claim)
    if proof is not None and any(
        allowlist.holds(claim.attempt.claimer, proof, root) for root in roots
    ):
        yield claim.says(rule, HOLDS, wanted, _LEADS_THERE)
        return
    observed = _NO_MERKLE_PROOF if proof is None else _LEADS_ELSEWHERE
    if claim.counts and not claim.facts.history.terms_are_confirmed(claim.grant):
        yield claim.says(rule, CANNOT_TELL, wanted, _UNCONFIRMED(what=observed))
    else:
        yield claim.says(rule, VIOLATED, wanted, observed)


def _merkle_proof(claim: ClaimSide) -> list[bytes] | None:
    """The path that the claim carries; None for an instruction without one."""
    claims, row = claim.claims, int(claim.claims.transaction[claim.row])
    calls = scalar_claims(claims.transactions, row, claims.decode(row), claims.program_id)
    here = (call for call in calls if call.index == claim.attempt.instruction_index)
    call = next(here, None)
    proof = call.instruction.args.get("proof") if call is not None else None
    return None if proof is None else list(proof)
