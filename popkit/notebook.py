"""What the notebooks call: one function a cell, each taking a case (and a grant) and returning
something to look at.

from popkit import notebook case = notebook.open_case("data/cases/cutover") notebook.overview(case)
# a block: a table in Jupyter, text in a terminal, `.frame` for a DataFrame
notebook.chain_pictures(case)        # a gallery: one picture a grant that needs looking at

An empty grant means every grant that is not plainly sound, worst first; all of them where all are
sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from popkit.pages import pictures as plots
from popkit.pages.blocks import Block, Group, Note
from popkit.pages.views.audit import (
    audit_summary,
    how_to_check_without_popkit,
    receipts,
    reconciliation,
)
from popkit.pages.views.chain import (
    causes,
    equivocations,
    first_bad,
    forks,
    frozen_as,
    heads_table,
    last_good,
    successors,
    waiting_for,
)
from popkit.pages.views.choice import examined
from popkit.pages.views.impact import who_needs_a_claim, who_was_hit
from popkit.pages.views.overview import coverage, findings, overview, verdict_cards, what_to_do_now
from popkit.pages.views.worth import what_intact_is_worth
from popkit.pages.views.writeup import statement, timeline

if TYPE_CHECKING:
    from popkit.case import Case

__all__ = [
    "Gallery",
    "audit_summary",
    "causes",
    "chain_pictures",
    "coverage",
    "equivocations",
    "find_case",
    "findings",
    "first_bad",
    "fork_pictures",
    "forks",
    "frozen_as",
    "head_pictures",
    "heads_table",
    "how_to_check_without_popkit",
    "impact_pictures",
    "last_good",
    "open_case",
    "overview",
    "receipts",
    "reconciliation",
    "statement",
    "successors",
    "timeline",
    "verdict_cards",
    "waiting_for",
    "what_intact_is_worth",
    "what_to_do_now",
    "who_needs_a_claim",
    "who_was_hit",
]


def find_case(path: str) -> Path:
    """A case's directory: the path as given, else below a directory further up, so that a notebook
    finds `data/…` from its own folder.
    """
    wanted = Path(path)
    places = (
        [wanted]
        if wanted.is_absolute()
        else [wanted, *(parent / wanted for parent in Path.cwd().parents)]
    )
    return next((place for place in places if (place / "case.json").is_file()), wanted)


def open_case(path: str, era: str = "") -> Case:
    """Open a case for a notebook. `era` is assumed where nothing in the evidence decides; empty for
    none.
    """
    from popkit.case import open_case as open_

    return open_(find_case(path), era or None)


class Gallery:
    """Pictures one below the other; Jupyter shows each with its alternative text."""

    def __init__(self, pictures: list[plots.Picture]) -> None:
        self.pictures = pictures

    def __iter__(self) -> Iterator[plots.Picture]:
        return iter(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return "\n".join(picture.alt for picture in self.pictures)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for picture in self.pictures:
            data, metadata = picture._repr_mimebundle_()
            display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


def _gallery(draw: Callable[[Any, str], plots.Picture], case: Case, grant: str) -> Gallery | Block:
    """The pictures that have something to show; where none has, a line a grant that says so."""
    pictures = [draw(case, g.grant) for g in examined(case, grant)]
    drawn = [picture for picture in pictures if not picture.is_empty]
    return Gallery(drawn) if drawn else Group([Note(picture.alt) for picture in pictures])


def chain_pictures(case: Case, grant: str = "") -> Gallery | Block:
    """Claims over time, one picture a grant."""
    return _gallery(plots.chain_over_time, case, grant)


def head_pictures(case: Case, grant: str = "") -> Gallery | Block:
    """The two heads over time, one picture a grant."""
    return _gallery(plots.heads, case, grant)


def fork_pictures(case: Case, grant: str = "") -> Gallery | Block:
    """Proofs that share a parent, one picture a grant."""
    return _gallery(plots.fork_lanes, case, grant)


def impact_pictures(case: Case, grant: str = "") -> Gallery | Block:
    """Who was hit and when, one picture a grant."""
    return _gallery(plots.impact, case, grant)
