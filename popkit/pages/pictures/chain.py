"""A grant's chain over time: what landed and what did not, and how far the worker's head is from the chain's."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

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
from popkit.pages.pictures.series import break_time, depths, grant_title, never_accepted, spells, timed
from popkit.pages.text import count, short, utc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from popkit.case import Case

# Lane → marker, size, colour, line width; from the top of the picture down.
_LANES: dict[str, tuple[str, float, str, float]] = {
    "accepted": ("|", 11.0, BLUE, 1.6),
    "refused by a chain rule": ("x", 7.0, VERMILION, 1.8),
    "refused by another rule": ("s", 5.0, ORANGE, 1.0),
    "not the issuer's": (".", 6.0, GREY, 1.0),
    "issued, never accepted": ("D", 5.0, INK, 1.2),
    "refused, says a wallet": ("v", 6.0, VERMILION, 1.0),
}
_HOLLOW = ("issued, never accepted", "refused, says a wallet")
_ALWAYS = ("accepted", "refused by a chain rule", "issued, never accepted")


Points = list[tuple[float, int]]
"""(unix seconds, links from GENESIS), ascending."""


def _lanes(case: Case, grant: str) -> dict[str, list[int]]:
    """The times of each lane; a lane that has nothing to say is left out."""
    chain, line = case.facts.chain(grant), case.facts.line(grant)
    own = timed(chain.attributed)
    lanes = {
        "accepted": [when for when, _ in timed(chain.accepted)],
        "refused by a chain rule": [when for when, a in own if a.broke_chain_rule],
        "refused by another rule": [when for when, a in own if not a.broke_chain_rule],
        "not the issuer's": [when for when, a in timed(chain.refused) if a.noise is not None],
        "issued, never accepted": [proof.issued_at for proof in never_accepted(line)],
        "refused, says a wallet": [r.report.at for r in case.facts.reported if r.grant == grant and not r.report.landed],
    }
    return {name: times for name, times in lanes.items() if times or name in _ALWAYS}


@drawn
def chain_over_time(case: Case, grant: str) -> Picture:
    """Which claims landed, which were refused, and where did it stop? One lane a fate, time to the right."""
    title = f"Claims over time: {grant_title(case, grant)}"
    lanes = _lanes(case, grant)
    times = [when for lane in lanes.values() for when in lane]
    if not times:
        return empty(title, "Nothing was claimed, and no proof was issued.")
    focus = break_time(case, grant)
    parts = spells(times, focus)
    figure = new_figure(0.5 + len(parts) * (0.8 + 0.36 * len(lanes)))
    stopped = max(lanes["accepted"], default=None)
    for number, (name, start, end) in enumerate(parts):
        axes = figure.add_subplot(len(parts), 1, number + 1)
        _draw_lanes(axes, lanes, start, end)
        if focus is not None and case.diagnose().grant(grant).verdict == "broken":
            _mark_break(axes, focus, start, end)
        time_axis(axes, start, end)
        axes.set_title(name)
    put_title(figure, title)
    fates = "; ".join(f"{len(lane)} {name}" for name, lane in lanes.items())
    told = f" The last accepted claim landed at {utc(stopped)}." if stopped is not None else " No claim was accepted."
    broke = f" The break: a proof issued at {utc(focus)}." if focus is not None else ""
    return Picture(figure, f"{title}. {fates}.{told}{broke}")


def _mark_break(axes: Axes, focus: int, start: int, end: int) -> None:
    """A line where the chain stopped, and hatching after it."""
    axes.axvspan(day(focus), day(end + 1e8), facecolor="#F4F4F4", edgecolor="#D4D4D4", hatch="///", linewidth=0, zorder=0)
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


def _draw_lanes(axes: Axes, lanes: dict[str, list[int]], start: int, end: int) -> None:
    names = list(lanes)
    for row, name in enumerate(names):
        marker, size, colour, weight = _LANES[name]
        inside = [when for when in lanes[name] if start <= when <= end]
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
    axes.set_yticks(range(len(names)), [f"{name} ({len(lanes[name])})" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.95)
    axes.grid(visible=False, axis="x")


@drawn
def heads(case: Case, grant: str) -> Picture:
    """How far is the worker's head from the chain's? Two steps over time: accepted links, and links that the worker issued."""
    title = f"Two heads over time: {grant_title(case, grant)}"
    chain, line = case.facts.chain(grant), case.facts.line(grant)
    depth = depths(line)
    landed: Points = sorted((when, depth[str(a.entry_hash)]) for when, a in timed(chain.linked))
    own = [p for p in line.proofs.values() if p.issuer != "foreign" and p.issued_at <= case.collected_at]
    issued: Points = sorted((p.issued_at, depth[p.entry_hash]) for p in own)
    if not landed and not issued:
        return empty(title, "No proof was issued: both heads are GENESIS.")
    times = [int(when) for when, _ in [*landed, *issued]]
    focus = break_time(case, grant)
    parts = spells(times, focus)
    figure = new_figure(0.7 + 2.7 * len(parts))
    ahead = len(line.path) if line.head != chain.head else 0
    for number, (name, start, end) in enumerate(parts):
        axes = figure.add_subplot(len(parts), 1, number + 1)
        _draw_heads(axes, _steps(landed, start, end), _steps(issued, start, end))
        time_axis(axes, start, end)
        axes.set_ylabel("links from GENESIS")
        axes.set_title(name)
    put_title(figure, title)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    on_chain, worker = short(chain.head), short(line.head)
    told = (
        "They are one."
        if line.head == chain.head
        else f"The worker's head stands {count(ahead, 'proof')} off the chain's head, none of them accepted."
    )
    if line.head is None:
        told = "The worker takes its parents from the chain." if line.follows_chain else "Nothing in the evidence tells the worker's head."
    return Picture(
        figure,
        f"{title}. The chain's head is {on_chain} after {count(len(landed), 'accepted link')}; the worker's is {worker}. {told}",
    )


def _steps(points: Points, start: int, end: int) -> Points:
    """The points of a spell, with the level before it at its start and the last level carried to its end."""
    before = [level for when, level in points if when < start]
    inside = [point for point in points if start <= point[0] <= end]
    first = [(start, before[-1])] if before else []
    steps = [*first, *inside]
    return [*steps, (end + room(start, end), steps[-1][1])] if steps else []


def _draw_heads(axes: Axes, landed: Points, issued: Points) -> None:
    for points, label, colour, dashes, width in (
        (issued, "worker's head: links issued", VERMILION, "--", 1.6),
        (landed, "chain's head: links accepted", BLUE, "-", 2.2),
    ):
        moments, levels = days([when for when, _ in points]), [level for _, level in points]
        axes.step(moments, levels, where="post", color=colour, linestyle=dashes, linewidth=width, label=label)
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


def _level(points: Points, when: float) -> int:
    """The level of steps at a time; before the first of them, the first level."""
    reached = bisect_right(points, (when, 1 << 62))
    return points[max(reached - 1, 0)][1]
