"""Who is owed tickets when a grant is left: in the period that runs, in earlier ones, and who could
claim twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from popkit.chain.history import Terms
from popkit.cutover.plan import Amount, Group, People
from popkit.diagnosis.result import GrantDiagnosis
from popkit.facts import Facts


def people_of(facts: Facts, grant: GrantDiagnosis, terms: Terms, now: int) -> People:
    """Claimers by the period of the old grant that they are owed for, at the unix second `now`.

    A new grant starts with the running period: it serves who is owed in that one, and nobody of an
    earlier one. Where the diagnosis does not know who was hit, neither does this. A receipt shows
    that its claimer was served, also where the claim is not in the evidence.
    """
    period = terms.period_at(now)
    accepted = _accepted(facts, grant.grant)
    asked = _asked(facts, grant)
    owed: dict[int, set[str]] = defaultdict(set)
    if grant.affected_claimers is not None:
        known = set(grant.affected_claimers)
        for claimer, of_period in asked:
            if claimer in known and not _is_served(
                facts, grant.grant, claimer, of_period, accepted
            ):
                owed[of_period].add(claimer)
    receipts = {
        claimer
        for claimer, _ in asked
        if facts.receipt_exists(grant.grant, claimer, period) is True
    }
    is_known = grant.affected_claimers is not None
    earlier = [
        claimer for number, claimers in owed.items() if number < period for claimer in claimers
    ]
    return People(
        period=period,
        period_ends_at=terms.start_ts + (period + 1) * terms.period_seconds,
        owed_now=_group(owed[period], terms) if is_known else None,
        owed_before=_group(earlier, terms) if is_known else None,
        may_claim_twice=_group(accepted.get(period, set()) | receipts, terms),
    )


def amount_of(facts: Facts, grant: str, people: People, terms: Terms, given: int | None) -> Amount:
    """What the new vault gets: what is owed now, the claims of the last full period, and the
    operator's own first claim.

    Where no period of the grant is full yet, the claims of the running one so far stand in for it.
    """
    accepted = _accepted(facts, grant)
    has_full = people.period > 0
    reckoned = people.period - 1 if has_full else people.period
    claims = len(accepted.get(reckoned, ()))
    owed = 0 if people.owed_now is None else people.owed_now.count
    proposed = (owed + claims + 1) * terms.amount_per_period
    return Amount(
        base_units=str(proposed if given is None else given),
        source="proposed" if given is None else "given",
        owed_claims=None if people.owed_now is None else people.owed_now.count,
        reckoned_period=reckoned,
        reckoned_period_is_full=has_full,
        reckoned_claims=claims,
        canary_claims=1,
        amount_per_claim=str(terms.amount_per_period),
    )


def _accepted(facts: Facts, grant: str) -> dict[int, set[str]]:
    """Claimers with an accepted claim, by period."""
    found: dict[int, set[str]] = defaultdict(set)
    for attempt in facts.chain(grant).accepted:
        found[attempt.period_index].add(attempt.claimer)
    return found


def _asked(facts: Facts, grant: GrantDiagnosis) -> set[tuple[str, int]]:
    """(claimer, period) of every claim that was refused and every proof that was lost."""
    asked = {(proof.claimer, proof.period_index) for proof in facts.line(grant.grant).path}
    for hit in grant.people:
        asked |= {
            (
                hit.claimer,
                a.period_index if a.message_period_index is None else a.message_period_index,
            )
            for a in hit.refused
        }
        asked |= {(hit.claimer, proof.period_index) for proof in hit.lost}
    return asked


def _is_served(
    facts: Facts, grant: str, claimer: str, period: int, accepted: dict[int, set[str]]
) -> bool:
    return (
        claimer in accepted.get(period, ()) or facts.receipt_exists(grant, claimer, period) is True
    )


def _group(claimers: Iterable[str], terms: Terms) -> Group:
    """Claimers ascending; one who is owed twice stands there twice."""
    named = sorted(claimers)
    return Group(count=len(named), amount=str(len(named) * terms.amount_per_period), claimers=named)
