"""Pictures of a case. Each function answers one question and returns a `Picture`: a matplotlib
figure and the words that say the same.

from popkit.pages import pictures as plots plots.chain_over_time(case, grant)   # which claims
landed, which were refused, where did it stop? plots.heads(case, grant)             # how far is the
worker's head from the chain's? plots.fork_lanes(case, grant)        # which proofs share a parent,
and who issued them? plots.impact(case, grant)            # who was hit, when, and who is healed?

Times are UTC. Marks differ in shape, not in colour alone. Nothing global of matplotlib is touched.
"""

from popkit.pages.pictures.chain import chain_over_time, heads
from popkit.pages.pictures.forks import fork_lanes
from popkit.pages.pictures.impact import impact
from popkit.pages.pictures.picture import Picture

__all__ = ["Picture", "chain_over_time", "fork_lanes", "heads", "impact"]
