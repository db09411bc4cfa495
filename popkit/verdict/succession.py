"""Which grant took over from which, by what the chain shows alone; records of cutovers have their
own word beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from popkit.facts import Facts
from popkit.verdict.judgement import Judgement


def successors(
    facts: Facts, judgements: Sequence[Judgement], given_up: Collection[str] = ()
) -> dict[str, str]:
    """The grant that took over from each that is lost or undecided: {old: new}, old ones in order.

    It is the first grant of the same authority and mint that was created after the old one's last
    good claim, for another event. `given_up` are new grants that somebody declares to have
    abandoned: none of them took over.
    """
    history, found = facts.history, {}
    candidates = [judgement.grant for judgement in judgements if judgement.grant not in given_up]
    for old in judgements:
        if old.verdict not in ("broken", "inconclusive"):
            continue
        accepted = old.line.chain.accepted
        after = accepted[-1].slot if accepted else history.created_slot(old.grant)
        owner = (history.authority_of(old.grant), history.mint_of(old.grant))
        if after is None or None in owner:
            continue
        later = []
        for new in candidates:
            created = history.created_slot(new)
            is_later = new != old.grant and created is not None and created > after
            if not is_later or (history.authority_of(new), history.mint_of(new)) != owner:
                continue
            if not set(facts.events_of(new)) & set(facts.events_of(old.grant)):
                later.append((created, new))
        if later:
            found[old.grant] = min(later)[1]
    return found


def predecessors(taken_over: dict[str, str]) -> dict[str, str]:
    """The grant that each successor took over from first: {new: old}, given {old: new}."""
    return {new: old for old, new in reversed(taken_over.items())}
