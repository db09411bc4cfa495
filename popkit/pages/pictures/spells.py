"""The spells of time that a picture shows: everything, and the hour around the break."""

from __future__ import annotations

from collections.abc import Sequence

ZOOM_SPAN = 6 * 3600
"""A grant whose evidence spans more seconds than this is shown a second time, around the break."""


def spells(times: Sequence[int], focus: int | None) -> list[tuple[str, int, int]]:
    """(title, from, to) of what to draw: everything, and the hour around the focus when everything
    is much longer.
    """
    first, last = min(times), max(times)
    whole = [("", first, last)]
    if focus is None or last - first <= ZOOM_SPAN:
        return whole
    near = [when for when in times if -2400 <= when - focus <= 3600]
    return [
        ("all of it", first, last),
        ("around the break", min([focus, *near]), max([focus, *near])),
    ]
