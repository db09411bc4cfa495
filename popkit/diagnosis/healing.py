"""Who was hit, who has a claim since, and who still needs one, on the grant and on the one that
took over from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from popkit.diagnosis.series import times_of

if TYPE_CHECKING:
    from popkit.diagnosis.people import Hit
    from popkit.diagnosis.result import GrantDiagnosis
    from popkit.facts import Facts


@dataclass(frozen=True, slots=True)
class HitRow:
    """One claimer who was hit. Times are unix seconds.

    `refused` counts their refused claims and `accepted_since` are claims of theirs that landed
    afterwards, on this grant or on the one that took over; both None where no transactions were
    collected. `errors` names each error they met once; None among them is one that is not on
    record. `lost` counts their lost proofs, None where it is not known which proofs are lost.
    `is_served` is whether they have a claim for every period they asked for; None where that is not
    known.
    """

    claimer: str
    first: int
    refused: int | None
    refused_at: tuple[int, ...]
    errors: tuple[str | None, ...]
    lost: int | None
    lost_at: tuple[int, ...]
    accepted_since: tuple[int, ...] | None
    is_served: bool | None


@dataclass(frozen=True, slots=True)
class Owed:
    """A claimer without a claim of this grant; `is_served` by the new grant, None where there is
    none or that is not known.
    """

    claimer: str
    is_served: bool | None


@dataclass(frozen=True, slots=True)
class Healing:
    """Who was hit, in the order they were hit; how many of them had a claim refused, lost a proof,
    had a claim accepted since (None: not known).

    `owed` are the claimers without a claim, None where it is not known who they are; `still_open`
    are those of them whom no new grant has served, None where that is not known.
    """

    rows: tuple[HitRow, ...]
    with_refusal: int | None
    with_loss: int | None
    with_claim_since: int | None
    owed: tuple[Owed, ...] | None
    still_open: tuple[str, ...] | None


def healing_of(facts: Facts, diagnosis: GrantDiagnosis) -> Healing:
    """Who was hit by a grant's break, and what they have got since."""
    rows = tuple(_row(facts, diagnosis, hit) for hit in diagnosis.people)
    owed = _owed(facts, diagnosis)
    has_claims = facts.evidence.transactions is not None
    is_open = owed is not None and (
        diagnosis.superseded_by is None or all(one.is_served is not None for one in owed)
    )
    return Healing(
        rows=rows,
        with_refusal=sum(bool(row.refused) for row in rows) if has_claims else None,
        with_loss=sum(bool(row.lost) for row in rows) if losses_are_known(diagnosis) else None,
        with_claim_since=sum(bool(row.accepted_since) for row in rows) if has_claims else None,
        owed=owed,
        still_open=tuple(one.claimer for one in owed or () if not one.is_served)
        if is_open
        else None,
    )


def still_open(grants: Iterable[GrantDiagnosis]) -> int | None:
    """How many wallets of some grants still need a claim, by those of which it is known; None where
    it is known of none.
    """
    counts = [
        len(grant.healing.still_open) for grant in grants if grant.healing.still_open is not None
    ]
    return sum(counts) if counts else None


def losses_are_known(diagnosis: GrantDiagnosis) -> bool:
    """Whether it is known which proofs of a grant are lost."""
    return diagnosis.verdict != "inconclusive"


def _row(facts: Facts, diagnosis: GrantDiagnosis, hit: Hit) -> HitRow:
    chains = [facts.chain(grant) for grant in (diagnosis.grant, diagnosis.superseded_by) if grant]
    since = sorted(
        when
        for chain in chains
        for when in times_of(a for a in chain.accepted if a.claimer == hit.claimer)
        if when >= hit.first
    )
    errors = {attempt.error for attempt in hit.refused}
    has_claims = facts.evidence.transactions is not None
    return HitRow(
        claimer=hit.claimer,
        first=hit.first,
        refused=len(hit.refused) if has_claims else None,
        refused_at=times_of(hit.refused),
        errors=tuple(sorted(errors, key=lambda error: error or "refused")),
        lost=len(hit.lost) if losses_are_known(diagnosis) else None,
        lost_at=tuple(proof.issued_at for proof in hit.lost),
        accepted_since=tuple(since) if has_claims else None,
        is_served=True if hit.is_served else None if diagnosis.affected_claimers is None else False,
    )


def _owed(facts: Facts, diagnosis: GrantDiagnosis) -> tuple[Owed, ...] | None:
    if diagnosis.affected_claimers is None:
        return None
    new = diagnosis.superseded_by
    if new is None or facts.evidence.transactions is None:
        return tuple(Owed(claimer, None) for claimer in diagnosis.affected_claimers)
    served = {attempt.claimer for attempt in facts.chain(new).accepted}
    return tuple(Owed(claimer, claimer in served) for claimer in diagnosis.affected_claimers)
