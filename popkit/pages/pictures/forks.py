"""Proofs that share a parent: who issued each child, when, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from popkit.pages.naming import ISSUERS, fate_of, grant_title
from popkit.pages.pictures.picture import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    Picture,
    drawn,
    empty,
    new_figure,
    put_title,
)
from popkit.pages.text import count, short, utc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from popkit.case import Case
    from popkit.diagnosis.proof_rows import KnownProof
    from popkit.diagnosis.result import GrantDiagnosis

MAX_CHILDREN = 24
"""Children drawn at most; the table beside the picture has all of them."""


@drawn
def fork_lanes(case: Case, grant: str) -> Picture:
    """Which proofs share a parent, and who issued them? One lane a child, the parent at the left."""
    g = case.diagnose().grant(grant)
    title = f"Proofs with one parent: {grant_title(g)}"
    forks = g.forks
    if not forks:
        return empty(
            title,
            "No two proofs share a parent."
            if g.counts.accepted is not None
            else "Not known: the case holds no transactions.",
        )
    shown = _that_fit(forks)
    rows = sum(len(fork["children"]) for fork in shown) + len(shown)
    figure = new_figure(0.5 + 0.28 * rows)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0.0, 10.0)
    axes.set_ylim(rows - 1.4, -0.6)
    top = 0
    for fork in shown:
        _draw_fork(axes, g, fork, top)
        top += len(fork["children"]) + 1
    left_out = len(forks) - len(shown)
    put_title(
        figure, title + (f" (the first {len(shown)} of {len(forks)} parents)" if left_out else "")
    )
    return Picture(
        figure,
        f"{title}. "
        + " ".join(_in_words(g, fork) for fork in shown)
        + (f" {left_out} more not drawn." if left_out else ""),
    )


def _that_fit(forks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first forks whose children fit together; one fork that is too wide is cut to its first
    children.
    """
    shown: list[dict[str, Any]] = []
    room = MAX_CHILDREN
    for fork in sorted(forks, key=lambda fork: (fork["kind"] != "fork", fork["parent"])):
        if shown and len(fork["children"]) > room:
            break
        shown.append({**fork, "children": fork["children"][:room]})
        room -= len(fork["children"])
    return shown


def _ordered(g: GrantDiagnosis, fork: dict[str, Any]) -> list[KnownProof]:
    return sorted(
        (g.proofs[child] for child in fork["children"]), key=lambda p: (p.issued_at, p.entry)
    )


def _draw_fork(axes: Axes, g: GrantDiagnosis, fork: dict[str, Any], top: int) -> None:
    children = _ordered(g, fork)
    middle = top + (len(children) - 1) / 2
    axes.text(0.0, middle, f"{fork['kind']} on\n{short(fork['parent'])}", va="center", fontsize=9)
    for row, proof in enumerate(children, top):
        accepted, foreign = proof.fate == "accepted", proof.issuer == "foreign"
        colour = VERMILION if foreign else BLUE if accepted else GREY
        axes.plot(
            [1.25, 1.75, 2.15],
            [middle, row, row],
            color=colour,
            linewidth=1.6,
            linestyle="-" if accepted else ":",
            solid_joinstyle="round",
        )
        axes.plot(
            [2.2],
            [row],
            marker="o" if accepted else "X",
            markersize=8,
            color=colour,
            markeredgecolor=INK,
            markeredgewidth=0.8,
        )
        axes.text(2.4, row, short(proof.entry), va="center", family="monospace", fontsize=9)
        axes.text(3.55, row, fate_of(proof), va="center", fontsize=9)
        axes.text(6.6, row, ISSUERS[proof.issuer], va="center", fontsize=9)
        axes.text(8.05, row, utc(proof.issued_at), va="center", fontsize=9)


def _in_words(g: GrantDiagnosis, fork: dict[str, Any]) -> str:
    children = "; ".join(
        f"{short(p.entry)} {fate_of(p)}, {ISSUERS[p.issuer]}" for p in _ordered(g, fork)
    )
    return f"A {fork['kind']} on {short(fork['parent'])} with {count(len(fork['children']), 'child', 'children')}: {children}."
