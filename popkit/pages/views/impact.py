"""Who was hit, and who still needs a claim (runbook Steps 0 and 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.diagnosis.healing import still_open
from popkit.pages.blocks import Block, Cell, Code, Group, Lines, Note, Table
from popkit.pages.naming import YES_NO, known, named
from popkit.pages.text import NOT_KNOWN, count, short, utc
from popkit.pages.views.choice import examined

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.healing import HitRow
    from popkit.diagnosis.result import GrantDiagnosis

MAX_PEOPLE = 300


def who_was_hit(case: Case, grant: str = "") -> Block:
    """Every claimer whose claim was refused or whose proof was lost: what they met first, and
    whether they have a claim since.
    """
    return Group([_hit_table(g) for g in examined(case, grant)])


def _hit_table(g: GrantDiagnosis) -> Block:
    healing = g.healing
    columns = ("wallet", "first hit", "claims refused", "how", "proofs lost", "accepted since")
    note = f"{count(len(healing.rows), 'claimer')} hit, "
    if healing.with_claim_since is None:
        note += "and whether a claim of theirs was accepted since is not known."
    else:
        note += f"{healing.with_claim_since} with a claim accepted since on this grant or its successor."
    if g.affected_claimers is None:
        note += " Who still lacks a claim is not known."
    else:
        note += f" {count(len(g.affected_claimers), 'claimer')} without a claim of this grant for the period they asked for."
    if len(healing.rows) > MAX_PEOPLE:
        note += f" The first {MAX_PEOPLE} are shown; findings.json has all that still lack a claim."
    nobody = "nobody: no claim of the issuer was refused and no proof was lost"
    undecided = "not known: the evidence shows nobody, and does not decide whether a claim was refused or a proof was lost"
    rows = [_hit_row(row) for row in healing.rows[:MAX_PEOPLE]]
    return Table(named(g), columns, rows, empty=undecided if g.is_undecided else nobody, note=note)


def _hit_row(row: HitRow) -> list[Cell]:
    errors = tuple("refused, error not known" if error is None else error for error in row.errors)
    unsent = (
        "proof lost: never sent, or refused before it landed"
        if row.refused is not None
        else "proof lost"
    )
    how: Cell = Lines(errors) if errors else unsent
    since = (
        utc(row.accepted_since[0])
        if row.accepted_since
        else {True: "had one before", False: "no", None: NOT_KNOWN}[row.is_served]
    )
    return [Code(row.claimer), utc(row.first), known(row.refused), how, known(row.lost), since]


def who_needs_a_claim(case: Case, grant: str = "") -> Block:
    """The wallets without an accepted claim of their grant and period, and whether the new grant
    has served them.
    """
    shown = examined(case, grant)
    rows: list[list[Cell]] = []
    for g in shown:
        new = Code(short(g.superseded_by)) if g.superseded_by else "no new grant yet"
        served = NOT_KNOWN if g.superseded_by else "no"
        for one in g.healing.owed or ():
            rows.append(
                [
                    Code(short(g.grant)),
                    Code(one.claimer),
                    new,
                    YES_NO[one.is_served] if one.is_served is not None else served,
                ]
            )
    if not rows and case.diagnose().verdict in ("in_flight", "inconclusive"):
        return Note(
            "Nobody is known to be without a claim yet; the evidence is too early or incomplete to "
            "say that nobody is.",
            "unsure",
        )
    return Table(
        "Wallets to serve on the new grant",
        ("old grant", "wallet", "new grant", "served there"),
        rows[:MAX_PEOPLE],
        empty="none" if all(g.healing.owed is not None for g in shown) else _still_open(shown),
        note=_still_open(shown),
    )


def _still_open(shown: list[GrantDiagnosis]) -> str:
    """How many wallets wait for a claim, and of which grants that is not known."""
    waiting = still_open(shown)
    counts = [] if waiting is None else [f"{count(waiting, 'wallet')} still without a claim."]
    undecided = [short(g.grant) for g in shown if g.healing.still_open is None]
    return " ".join(
        [
            *counts,
            *(
                f"Who of grant {grant} is still without a claim is not known."
                for grant in undecided
            ),
        ]
    )
