"""Who was hit, when, and who is healed: one row a claimer of a refused or lost proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from popkit.plots.picture import GREEN, INK, VERMILION, Picture, days, drawn, empty, new_figure, put_title, time_axis
from popkit.plots.series import break_time, grant_title, spells, timed
from popkit.reporting.text import count

if TYPE_CHECKING:
    from popkit.case import Case

NAMED_ROWS = 40
"""Up to this many claimers have their name beside their row; more are counted."""


@dataclass(slots=True)
class Hit:
    """What one claimer met: times (unix seconds) of refused claims, of proofs never accepted, and of claims accepted afterwards."""

    claimer: str
    refused: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    healed: list[int] = field(default_factory=list)

    @property
    def first(self) -> int:
        return min([*self.refused, *self.lost])


def hits(case: Case, grant: str) -> list[Hit]:
    """Every claimer with a refused claim or a proof that was never accepted, by the time of the first.

    Healed is a claim accepted afterwards, on the same grant or on its successor.
    """
    diagnosis, line = case.diagnose().grant(grant), case.facts.line(grant)
    found: dict[str, Hit] = {}
    for when, attempt in timed(line.chain.attributed):
        found.setdefault(attempt.claimer, Hit(attempt.claimer)).refused.append(when)
    for proof in line.proofs.values():
        if proof.accepted is None and proof.issuer != "foreign" and diagnosis.verdict != "in_flight":
            found.setdefault(proof.claimer, Hit(proof.claimer)).lost.append(proof.issued_at)
    for chain in [line.chain, *([case.facts.chain(diagnosis.superseded_by)] if diagnosis.superseded_by else [])]:
        for when, attempt in timed(chain.accepted):
            hit = found.get(attempt.claimer)
            if hit is not None and when >= hit.first:
                hit.healed.append(when)
    return sorted(found.values(), key=lambda hit: (hit.first, hit.claimer))


@drawn
def impact(case: Case, grant: str) -> Picture:
    """Who was hit, when, and who is healed? Claimers down, time to the right."""
    title = f"Who was hit: {grant_title(case, grant)}"
    rows = hits(case, grant)
    if not rows:
        return empty(title, "No claim of the issuer was refused and no proof was lost.")
    series = (
        ("proof issued, never accepted", "D", 5.0, INK, "white", [(t, i) for i, h in enumerate(rows) for t in h.lost]),
        ("claim refused", "x", 6.5, VERMILION, VERMILION, [(t, i) for i, h in enumerate(rows) for t in h.refused]),
        ("accepted later", "^", 6.5, GREEN, GREEN, [(t, i) for i, h in enumerate(rows) for t in h.healed]),
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
    healed = sum(bool(hit.healed) for hit in rows)
    refused, lost = sum(bool(hit.refused) for hit in rows), sum(bool(hit.lost) for hit in rows)
    told = f"{count(len(rows), 'claimer')} hit; {refused} had a claim refused, {lost} held a proof that was lost; "
    return Picture(figure, f"{title}. {told}{healed} had a claim accepted later.")
