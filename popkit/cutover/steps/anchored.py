"""A look for proofs of the new grant that somebody else asked for: each step looks, and the looks
of a run must overlap.
"""

from __future__ import annotations

from popkit.cutover.desk.anchors import Look, watch
from popkit.cutover.reasons import stop
from popkit.cutover.steps.base import Step
from popkit.texts import Sentence

LOOKS = "anchors_looked"


def watch_anchors(step: Step, wallet: str | None = None) -> Sentence:
    """Look once more for proofs of the new grant, together with every earlier look of this run.
    Raises Stopped where somebody has one.
    """
    run, new = step.run, step.run.plan.new_grant
    assert new is not None
    earlier = [
        Look.from_json(entry.facts["look"]) for entry in run.journal.entries if entry.kind == LOOKS
    ]
    seen = watch(run.desk(), [new.address], earlier)
    run.journal.write(LOOKS, step.id, look=seen.looks[-1].as_json())
    others = seen.by_others(wallet)
    if others:
        raise stop("address_poisoned", grant=new.address, count=len(others))
    return seen.sentence(wallet)
