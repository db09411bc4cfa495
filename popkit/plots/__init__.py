"""Pictures of a case. Each function answers one question and returns a `Picture`: a matplotlib figure and the words that say the same.

    from popkit import plots
    plots.chain_over_time(case, grant)   # which claims landed, which were refused, where did it stop?
    plots.heads(case, grant)             # how far is the worker's head from the chain's?
    plots.fork_lanes(case, grant)        # which proofs share a parent, and who issued them?
    plots.impact(case, grant)            # who was hit, when, and who is healed?

Times are UTC. Marks differ in shape, not in colour alone. Nothing global of matplotlib is touched.
"""

from popkit.plots.chain import chain_over_time, heads
from popkit.plots.forks import fork_lanes
from popkit.plots.impact import impact
from popkit.plots.picture import Picture

__all__ = ["Picture", "chain_over_time", "fork_lanes", "heads", "impact"]
