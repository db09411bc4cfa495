"""The steps of a cutover, one file a kind. Each looks, acts on a confirmation, and looks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.cutover.steps.base import Step

if TYPE_CHECKING:
    from popkit.cutover.plan import StepPlan
    from popkit.cutover.run import Run

__all__ = ["Step", "step_of"]


def step_of(run: Run, plan: StepPlan) -> Step:
    """The step of a run that a plan's step describes."""
    from popkit.cutover.steps.canary import Canary
    from popkit.cutover.steps.event import CloseEvent, LinkEvent
    from popkit.cutover.steps.freeze import Freeze
    from popkit.cutover.steps.history import ForkHandling, LastGood
    from popkit.cutover.steps.switch import Switch
    from popkit.cutover.steps.verification import Verification

    kinds: dict[str, type[Step]] = {
        "0": Freeze, "1": LastGood, "2.4": LinkEvent, "2.5": Canary, "3": ForkHandling, "4": Verification, "4.1": CloseEvent,
    }  # fmt: skip
    return kinds.get(plan.id, Switch)(run, plan)
