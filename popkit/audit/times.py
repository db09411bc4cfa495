"""What the times along a line of entries can tell. Order is by links; a clock may step back, or
stand wrong for a while.

What lies between two linked entries is known whole. What lies beyond the line's ends is told by
time alone, and only where no step of the clock makes that doubtful: a step turns "complete" into
"cannot tell", and never the other way round.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

EDGE_MS = 60_000
"""An end entry that stands further than this from its neighbour may be one whose clock was wrong
once: the neighbour counts as the end.
"""


class Times:
    """The times (unix milliseconds) of entries that follow one another. `from_beginning`: nothing
    can stand before the first.
    """

    def __init__(self, times: Sequence[int], from_beginning: bool = False) -> None:
        self.is_from_genesis = from_beginning
        self._highest = list(accumulate(times, max))
        self._lowest = list(accumulate(reversed(times), min))[::-1]
        is_alone = len(times) == 1
        self.begins = (
            times[0] if is_alone or from_beginning or times[1] - times[0] <= EDGE_MS else times[1]
        )
        self.ends = times[-1] if is_alone or times[-1] - times[-2] <= EDGE_MS else times[-2]

    def is_clear(self, first: int, last: int) -> bool:
        """Whether no entry from after `last` is followed by one from before `first`: the clock did
        not step back across that time.
        """
        beyond = bisect_right(self._highest, last)
        return beyond == len(self._highest) or self._lowest[beyond] >= first

    def span(self, first: int, last: int) -> bool:
        """Whether the line begins by `first` and ends no earlier than `last`, and the clock did not
        step back across that time.
        """
        return (
            self.begins <= first
            and last <= self.ends
            and self.is_clear(min(first, last), max(first, last))
        )
