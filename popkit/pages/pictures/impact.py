"""Who was hit, when, and who is healed: one row a claimer of a refused or lost proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.pages.pictures.picture import GREEN, INK, VERMILION, Picture, days, drawn, empty, new_figure, put_title, time_axis
from popkit.pages.pictures.series import break_time, grant_title, spells, timed
from popkit.pages.text import count

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.people import Hit

NAMED_ROWS = 40
"""Up to this many claimers have their name beside their row; more are counted."""


def healed_at(case: Case, grant: str, hit: Hit) -> list[int]:
    """When claims of somebody who was hit were accepted afterwards, on the same grant or its successor; unix seconds, ascending."""
    successor = case.diagnose().grant(grant).superseded_by
    chains = [case.facts.chain(name) for name in (grant, successor) if name]
    return sorted(when for chain in chains for when, a in timed(chain.accepted) if a.claimer == hit.claimer and when >= hit.first)


@drawn
def impact(case: Case, grant: str) -> Picture:
    """Who was hit, when, and who is healed? Claimers down, time to the right."""
    title = f"Who was hit: {grant_title(case, grant)}"
    rows = case.diagnose().grant(grant).people
    healed = [healed_at(case, grant, hit) for hit in rows]
    if not rows:
        return empty(title, "No claim of the issuer was refused and no proof was lost.")
    series = (
        ("proof issued, and lost", "D", 5.0, INK, "white", [(p.issued_at, i) for i, h in enumerate(rows) for p in h.lost]),
        ("claim refused", "x", 6.5, VERMILION, VERMILION, [(t, i) for i, h in enumerate(rows) for t, _ in timed(h.refused)]),
        ("accepted later", "^", 6.5, GREEN, GREEN, [(t, i) for i, times in enumerate(healed) for t in times]),
    )
    times = [when for *_, points in series for when, _ in points]
    named = len(rows) <= NAMED_ROWS
    scale = 1.0 if named else max(0.45, NAMED_ROWS / len(rows))
    parts = spells(times, break_time(case, grant) or rows[0].first)
    figure = new_figure(1.5 + min(0.24 * len(rows), 9.0))
    for number, (name, start, end) in enumerate(parts):
        axes = figure.add_subplot(1, len(parts), number + 1)
        for label, marker, size, colour, face, points in series:
            inside = [(when, row) for when, row in points if start <= when <= end]
            axes.plot(
                days([when for when, _ in inside]),
                [row for _, row in inside],
                linestyle="none",
                marker=marker,
                markersize=size * scale,
                color=colour,
                markerfacecolor=face,
                markeredgewidth=1.3 * scale,
                label=label,
            )
        time_axis(axes, start, end)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        if number:
            axes.tick_params(labelleft=False)
        elif named:
            axes.set_yticks(range(len(rows)), [hit.claimer[:8] for hit in rows], family="monospace", fontsize=8.5)
        else:
            axes.set_ylabel(f"{len(rows)} claimers, in the order they were hit")
        if name:
            axes.set_title(name)
    put_title(figure, title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    later = sum(map(bool, healed))
    refused, lost = sum(bool(hit.refused) for hit in rows), sum(bool(hit.lost) for hit in rows)
    told = f"{count(len(rows), 'claimer')} hit; {refused} had a claim refused, {lost} held a proof that was lost; "
    return Picture(figure, f"{title}. {told}{later} had a claim accepted later.")
