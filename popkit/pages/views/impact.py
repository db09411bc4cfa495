"""Who was hit, and who still needs a claim (runbook Steps 0 and 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.pages.blocks import Block, Cell, Code, Group, Lines, Note, Table
from popkit.pages.pictures.impact import healed_at
from popkit.pages.text import count, short, utc
from popkit.pages.views.choice import examined, named

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

MAX_PEOPLE = 300


def who_was_hit(case: Case, grant: str = "") -> Block:
    """Every claimer whose claim was refused or whose proof was lost: what they met first, and whether they have a claim since."""
    return Group([_hit_table(case, g) for g in examined(case, grant)])


def _hit_table(case: Case, g: GrantDiagnosis) -> Block:
    rows: list[list[Cell]] = []
    people = g.people
    healed = {hit.claimer: healed_at(case, g.grant, hit) for hit in people}
    for hit in people[:MAX_PEOPLE]:
        errors = sorted({a.error or "refused" for a in hit.refused})
        since = utc(healed[hit.claimer][0]) if healed[hit.claimer] else "had one before" if hit.is_served else "no"
        how: Cell = Lines(tuple(errors)) if errors else "proof lost: never sent, or refused before it landed"
        rows.append([Code(hit.claimer), utc(hit.first), len(hit.refused), how, len(hit.lost), since])
    columns = ("wallet", "first hit", "claims refused", "how", "proofs lost", "accepted since")
    served = sum(bool(times) for times in healed.values())
    note = f"{count(len(people), 'claimer')} hit, {served} with a claim accepted since on this grant or its successor."
    if g.affected_claimers is None:
        note += " Who still lacks a claim is not known."
    else:
        note += f" {count(len(g.affected_claimers), 'claimer')} without a claim of this grant for the period they asked for."
    if len(people) > MAX_PEOPLE:
        note += f" The first {MAX_PEOPLE} are shown; findings.json has all that still lack a claim."
    return Table(named(case, g), columns, rows, empty="nobody: no claim of the issuer was refused and no proof was lost", note=note)


def who_needs_a_claim(case: Case, grant: str = "") -> Block:
    """The wallets without an accepted claim of their grant and period, and whether the new grant has served them."""
    rows: list[list[Cell]] = []
    open_ = 0
    for g in examined(case, grant):
        served = {a.claimer for a in case.facts.chain(g.superseded_by).accepted} if g.superseded_by else set()
        open_ += sum(claimer not in served for claimer in g.affected_claimers or ())
        for claimer in g.affected_claimers or ():
            new = Code(short(g.superseded_by)) if g.superseded_by else "no new grant yet"
            rows.append([Code(short(g.grant)), Code(claimer), new, "yes" if claimer in served else "no"])
    if not rows and case.diagnose().verdict in ("in_flight", "inconclusive"):
        return Note("Nobody is known to be without a claim yet; the evidence is too early or incomplete to say that nobody is.", "unsure")
    note = f"{count(open_, 'wallet')} still without a claim." if rows else ""
    return Table(
        "Wallets to serve on the new grant",
        ("old grant", "wallet", "new grant", "served there"),
        rows[:MAX_PEOPLE],
        empty="none",
        note=note,
    )
