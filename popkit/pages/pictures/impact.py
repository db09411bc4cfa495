"""Who was hit, when, and who is healed: one row a claimer of a refused or lost proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.pages.naming import grant_title
from popkit.pages.pictures.picture import (
    GREEN,
    INK,
    VERMILION,
    Picture,
    days,
    drawn,
    empty,
    new_figure,
    put_title,
    time_axis,
)
from popkit.pages.pictures.spells import spells
from popkit.pages.text import count

if TYPE_CHECKING:
    from popkit.case import Case

NAMED_ROWS = 40
"""Up to this many claimers have their name beside their row; more are counted."""


@drawn
def impact(case: Case, grant: str) -> Picture:
    """Who was hit, when, and who is healed? Claimers down, time to the right."""
    g = case.diagnose().grant(grant)
    title = f"Who was hit: {grant_title(g)}"
    rows = g.healing.rows
    if not rows:
        nobody = "No claim of the issuer was refused and no proof was lost."
        return empty(
            title,
            "Not known: the evidence shows nobody, and does not decide."
            if g.is_undecided
            else nobody,
        )
    series = (
        (
            "proof issued, and lost",
            "D",
            5.0,
            INK,
            "white",
            [(t, i) for i, row in enumerate(rows) for t in row.lost_at],
        ),
        (
            "claim refused",
            "x",
            6.5,
            VERMILION,
            VERMILION,
            [(t, i) for i, row in enumerate(rows) for t in row.refused_at],
        ),
        (
            "accepted later",
            "^",
            6.5,
            GREEN,
            GREEN,
            [(t, i) for i, row in enumerate(rows) for t in row.accepted_since or ()],
        ),
    )
    times = [when for *_, points in series for when, _ in points]
    named = len(rows) <= NAMED_ROWS
    scale = 1.0 if named else max(0.45, NAMED_ROWS / len(rows))
    parts = spells(times, g.broke_at or rows[0].first)
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
            axes.set_yticks(
                range(len(rows)),
                [hit.claimer[:8] for hit in rows],
                family="monospace",
                fontsize=8.5,
            )
        else:
            axes.set_ylabel(f"{len(rows)} claimers, in the order they were hit")
        if name:
            axes.set_title(name)
    put_title(figure, title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    found = g.healing
    refused = (
        "who had a claim refused is not known"
        if found.with_refusal is None
        else f"{found.with_refusal} had a claim refused"
    )
    since = found.with_claim_since
    later = (
        "who had a claim accepted later is not known"
        if since is None
        else f"{since} had a claim accepted later"
    )
    losses = (
        "who held a proof that was lost is not known"
        if found.with_loss is None
        else f"{found.with_loss} held a proof that was lost"
    )
    hit = f"{count(len(rows), 'claimer')} hit; {refused}, {losses}; "
    return Picture(figure, f"{title}. {hit}{later}.")
