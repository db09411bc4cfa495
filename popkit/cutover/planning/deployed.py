"""Whether the program that is deployed is the one whose rules the case shows."""

from __future__ import annotations

from popkit.cutover.plan import Program, Words
from popkit.cutover.planning.announcing import words
from popkit.cutover.reasons import stop
from popkit.evidence.rpc import AccountRow
from popkit.facts import Facts
from popkit.texts import Text

STRICT = ("strict", "strict_v2")
"""Eras in which a lost proof wedges a grant, and whose create_grant rewrites a grant that is there;
only a later program refuses.
"""
UNSHOWN = Text(
    "the program was deployed at slot {slot}, after the last claim that shows its rules (slot "
    "{shown}): they are taken to be the same",
    "プログラムはスロット {slot} で配備されました。規則を示す最後の claim（スロット {shown}）より後のため、規則は同じとみなしています",
)


def refuse_other(program: Program, old: AccountRow | None) -> None:
    """Refuse a program that is not there, was deployed since the case was collected, or is of
    another era than the case shows.

    `old` is the old grant's account as the case has it, by whose slot the case is as old as it is.
    Raises Stopped.
    """
    if program.kind == "missing":
        raise stop("other_program", field="program", was=program.program_id, now="null")
    if (
        program.slot is not None
        and old is not None
        and old.slot is not None
        and program.slot > old.slot
    ):
        raise stop(
            "other_program", field="ProgramData slot", was=f"<= {old.slot}", now=program.slot
        )
    if program.init is True and program.era in STRICT:
        # Only a program of relaxed rules refuses a grant that is there, and under those nothing that the case shows is wedged.
        raise stop("other_program", field="era", was=program.era, now="relaxed (init)")


def not_shown(program: Program, facts: Facts) -> list[Words]:
    """That no claim shows the rules of the program since it was deployed; nothing where one does."""
    shown = max((row.slot for row in facts.eras.shown), default=None)
    if program.slot is None or shown is None or shown >= program.slot:
        return []
    return [words(UNSHOWN(slot=program.slot, shown=shown))]
