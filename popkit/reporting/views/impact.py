"""Who was hit, and who still needs a claim (runbook Steps 0 and 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.plots.impact import hits
from popkit.reporting.blocks import Block, Cell, Code, Group, Lines, Note, Table
from popkit.reporting.text import count, short, utc
from popkit.reporting.views.choice import examined, named

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

MAX_PEOPLE = 300


def who_was_hit(case: Case, grant: str = "") -> Block:
    """Every claimer whose claim was refused or whose proof was lost: what they met first, and whether they have a claim since."""
    return Group([_hit_table(case, g) for g in examined(case, grant)])


def _hit_table(case: Case, g: GrantDiagnosis) -> Block:
    rows: list[list[Cell]] = []
    people = hits(case, g.grant)
    for hit in people[:MAX_PEOPLE]:
        errors = sorted({a.error or "refused" for a in case.facts.chain(g.grant).attributed if a.claimer == hit.claimer})
        rows.append(
            [
                Code(hit.claimer),
                utc(hit.first),
                len(hit.refused),
                Lines(tuple(errors)) if errors else "proof never sent",
                len(hit.lost),
                utc(min(hit.healed)) if hit.healed else "no",
            ]
        )
    columns = ("wallet", "first hit", "claims refused", "how", "proofs lost", "accepted since")
    healed = sum(bool(hit.healed) for hit in people)
    note = f"{count(len(people), 'claimer')} hit, {healed} with a claim accepted since on this grant or its successor."
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
