"""A grant's chain over time: what landed and what did not, and how far the worker's head is from
the chain's.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from popkit.diagnosis.series import Lane, Points
from popkit.pages.naming import grant_title
from popkit.pages.pictures.picture import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    Picture,
    day,
    days,
    drawn,
    empty,
    new_figure,
    put_title,
    room,
    time_axis,
)
from popkit.pages.pictures.spells import spells
from popkit.pages.text import NOT_KNOWN, count, short, utc
from popkit.protocol.message import GENESIS_HASH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from popkit.case import Case
    from popkit.diagnosis.extent import TwoHeads
    from popkit.diagnosis.result import GrantDiagnosis

# Lane → marker, size, colour, line width; from the top of the picture down.
_LANES: dict[str, tuple[str, float, str, float]] = {
    "accepted": ("|", 11.0, BLUE, 1.6),
    "refused by a chain rule": ("x", 7.0, VERMILION, 1.8),
    "refused by another rule": ("s", 5.0, ORANGE, 1.0),
    "not the issuer's": (".", 6.0, GREY, 1.0),
    "issued, never accepted": ("D", 5.0, INK, 1.2),
    "refused, says a wallet": ("v", 6.0, VERMILION, 1.0),
}
_UNDECIDED = "issued, not known to be accepted"
_LANES[_UNDECIDED] = _LANES["issued, never accepted"]
_HOLLOW = ("issued, never accepted", _UNDECIDED, "refused, says a wallet")
_ALWAYS = ("accepted", "refused by a chain rule", "issued, never accepted", _UNDECIDED)


def _lanes(g: GrantDiagnosis) -> dict[str, Lane | None]:
    """The lanes by their names; None where it is not known what is in one. A lane that has nothing
    to say is left out.
    """
    found = g.lanes
    lanes = {
        "accepted": found.accepted,
        "refused by a chain rule": found.refused_by_chain_rule,
        "refused by another rule": found.refused_by_another_rule,
        "not the issuer's": found.not_the_issuers,
        _UNDECIDED if found.undecided else "issued, never accepted": found.never_accepted,
        "refused, says a wallet": found.reported,
    }
    return {
        name: lane
        for name, lane in lanes.items()
        if name in _ALWAYS or (lane is not None and lane.count)
    }


def _size(lane: Lane | None) -> str:
    """How many there are in a lane, and of how many of them the time is not known, so that they are
    not drawn.
    """
    if lane is None:
        return NOT_KNOWN
    return (
        f"{lane.count}, {lane.untimed} of them at a time not known"
        if lane.untimed
        else str(lane.count)
    )


@drawn
def chain_over_time(case: Case, grant: str) -> Picture:
    """Which claims landed, which were refused, and where did it stop? One lane a fate, time to the
    right.
    """
    g = case.diagnose().grant(grant)
    title = f"Claims over time: {grant_title(g)}"
    lanes = _lanes(g)
    times = [when for lane in lanes.values() if lane is not None for when in lane.times]
    if not times:
        is_known = g.counts.accepted == 0 and not g.is_undecided
        return empty(
            title,
            "Nothing was claimed, and no proof was issued."
            if is_known
            else "Not known: the case holds no time of a claim.",
        )
    focus = g.broke_at
    parts = spells(times, focus)
    figure = new_figure(0.5 + len(parts) * (0.8 + 0.36 * len(lanes)))
    for number, (name, start, end) in enumerate(parts):
        axes = figure.add_subplot(len(parts), 1, number + 1)
        _draw_lanes(axes, lanes, start, end)
        if focus is not None and g.verdict == "broken":
            _mark_break(axes, focus, start, end)
        time_axis(axes, start, end)
        axes.set_title(name)
    put_title(figure, title)
    fates = "; ".join(
        f"{_size(lane)} {name}" if lane is not None else f"{name}: {NOT_KNOWN}"
        for name, lane in lanes.items()
    )
    broke = f" The break: a proof issued at {utc(focus)}." if focus is not None else ""
    return Picture(figure, f"{title}. {fates}. {_stopped(g)}{broke}")


def _stopped(g: GrantDiagnosis) -> str:
    """When the last accepted claim landed."""
    if g.last_good is None:
        return (
            "No claim was accepted."
            if g.counts.accepted == 0 and not g.unseen_entries
            else "The last accepted claim is not known."
        )
    if g.last_good["block_time"] is None:
        return "When the last accepted claim landed is not known."
    return f"The last accepted claim landed at {utc(g.last_good['block_time'])}."


def _mark_break(axes: Axes, focus: int, start: int, end: int) -> None:
    """A line where the chain stopped, and hatching after it."""
    axes.axvspan(
        day(focus),
        day(end + 1e8),
        facecolor="#F4F4F4",
        edgecolor="#D4D4D4",
        hatch="///",
        linewidth=0,
        zorder=0,
    )
    axes.axvline(day(focus), color=INK, linewidth=1.2, linestyle="--", zorder=1)
    late = focus - start > 0.7 * (end - start)
    axes.annotate(
        "the break",
        (day(focus), 0.99),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if late else 5, 0),
        textcoords="offset points",
        fontsize=9,
        ha="right" if late else "left",
        va="top",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _draw_lanes(axes: Axes, lanes: dict[str, Lane | None], start: int, end: int) -> None:
    names = list(lanes)
    for row, name in enumerate(names):
        marker, size, colour, weight = _LANES[name]
        lane = lanes[name]
        inside = [when for when in lane.times if start <= when <= end] if lane is not None else []
        face = "white" if name in _HOLLOW else colour
        axes.plot(
            days(inside),
            [row] * len(inside),
            linestyle="none",
            marker=marker,
            markersize=size,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=weight,
        )
    axes.set_yticks(range(len(names)), [f"{name} ({_size(lanes[name])})" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.95)
    axes.grid(visible=False, axis="x")


@drawn
def heads(case: Case, grant: str) -> Picture:
    """How far is the worker's head from the chain's? Two steps over time: accepted links, and links
    that the worker issued.
    """
    g = case.diagnose().grant(grant)
    title = f"Two heads over time: {grant_title(g)}"
    landed, issued = g.depths.accepted, g.depths.issued
    if not landed and not issued:
        are_genesis = (
            g.two_heads.on_chain == GENESIS_HASH
            and g.two_heads.worker in (None, GENESIS_HASH)
            and not g.is_undecided
        )
        return empty(
            title,
            "No proof was issued: both heads are GENESIS."
            if are_genesis
            else f"Not known: {_NO_PROOF}.",
        )
    times = [when for when, _ in [*landed, *issued]]
    parts = spells(times, g.broke_at)
    figure = new_figure(0.7 + 2.7 * len(parts))
    for number, (name, start, end) in enumerate(parts):
        axes = figure.add_subplot(len(parts), 1, number + 1)
        _draw_heads(axes, _steps(landed, start, end), _steps(issued, start, end))
        time_axis(axes, start, end)
        axes.set_ylabel(
            "links from GENESIS" if g.depths.is_from_genesis else "links from the oldest known"
        )
        axes.set_title(name)
    put_title(figure, title)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    linked = g.counts.linked
    links = (
        f"{count(linked, 'accepted link')}"
        if linked is not None
        else "a number of accepted links that is not known"
    )
    links += (
        " and others that are not in the evidence"
        if g.counts.has_unseen and linked is not None
        else ""
    )
    on_chain = f"The chain's head is {short(g.two_heads.on_chain)} after {links}"
    return Picture(figure, f"{title}. {on_chain}{_worker(g.two_heads)}")


_NO_PROOF = "the evidence holds no proof of this grant"


def _worker(found: TwoHeads) -> str:
    """Where the worker's head is, and how the two heads stand to each other."""
    if found.worker is None:
        follows = ". The worker takes its parents from the chain."
        return (
            follows
            if found.follows_chain
            else f"; the worker's is {NOT_KNOWN}. Nothing in the evidence tells the worker's head."
        )
    return f"; the worker's is {short(found.worker)}. {_apart(found)}"


def _apart(found: TwoHeads) -> str:
    """How the two heads stand to each other."""
    if found.are_one is None:
        return "Nothing in the evidence tells the chain's head."
    if found.are_one:
        return "They are one."
    if found.ahead is not None:
        return f"The worker's head stands {count(found.ahead, 'proof')} off the chain's head, none of them accepted."
    if found.behind is not None:
        return f"The worker's head stands {count(found.behind, 'accepted link')} behind the chain's head."
    return "They are two, and how far they are apart is not known."


def _steps(points: Points, start: int, end: int) -> list[tuple[float, int]]:
    """The points of a spell, with the level before it at its start and the last level carried to
    its end.
    """
    before = [level for when, level in points if when < start]
    inside = [point for point in points if start <= point[0] <= end]
    first = [(start, before[-1])] if before else []
    steps = [*first, *inside]
    return [*steps, (end + room(start, end), steps[-1][1])] if steps else []


def _draw_heads(
    axes: Axes, landed: list[tuple[float, int]], issued: list[tuple[float, int]]
) -> None:
    for points, label, colour, dashes, width in (
        (issued, "worker's head: links issued", VERMILION, "--", 1.6),
        (landed, "chain's head: links accepted", BLUE, "-", 2.2),
    ):
        moments, levels = days([when for when, _ in points]), [level for _, level in points]
        axes.step(
            moments,
            levels,
            where="post",
            color=colour,
            linestyle=dashes,
            linewidth=width,
            label=label,
        )
    if landed and issued:
        moments = sorted({when for when, _ in [*landed, *issued]})
        low, high = ([_level(points, when) for when in moments] for points in (landed, issued))
        wider = [b > a for a, b in zip(low, high, strict=True)]
        axes.fill_between(
            days(moments),
            low,
            high,
            where=wider,
            step="post",
            facecolor="#F6D9C4",
            edgecolor="#C9A58B",
            hatch="\\\\\\",
            linewidth=0,
            label="issued and not accepted",
        )
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _level(points: list[tuple[float, int]], when: float) -> int:
    """The level of steps at a time; before the first of them, the first level."""
    reached = bisect_right(points, (when, 1 << 62))
    return points[max(reached - 1, 0)][1]
