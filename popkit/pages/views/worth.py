"""What an 'intact' is worth: the attack table (runbook Step 4)."""

from __future__ import annotations

from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Mark, Note, Table
from popkit.verification.attacks import ATTACKERS, ATTACKS, CANNOT_BE_FOUND, Attack, outcome_counts

WORTH = (
    "An “intact” says that no signed claim was changed, that no proof of the worker's stands "
    "between the two heads, and that "
    "its records "
    "hang together. It does not say that the node left out nothing that nothing else names, nor "
    "what the operator wrote after the last "
    "proof on chain. The last column says which evidence would."
)


def what_intact_is_worth() -> Block:
    """Who could have tampered with what, and whether this evidence would show it: one table an
    attacker, the same for every case.
    """
    counts = outcome_counts()
    head = Facts(
        "Attackers × tampering × outcome",
        {name: f"{number} of {len(ATTACKS)}" for name, number in counts.items()},
    )
    tables = [_table(attacker, means) for attacker, means in ATTACKERS.items()]
    return Group([Note(WORTH), head, *tables])


def _table(attacker: str, means: str) -> Block:
    rows = [_row(attack) for attack in ATTACKS if attack.attacker == attacker]
    columns = ("tampering", "outcome", "verdict", "findings", "found by, or what would find it")
    return Table(attacker[0].upper() + attacker[1:], columns, rows, note=means)


def _row(attack: Attack) -> list[Cell]:
    findings = (
        Lines(tuple(Code(code) for code in attack.finding_codes)) if attack.finding_codes else None
    )
    why = attack.by if attack.by else f"it would need {attack.would_need}"
    verdict = (
        f"{attack.verdict}, as if untouched"
        if attack.outcome == CANNOT_BE_FOUND
        else attack.verdict
    )
    return [
        attack.tampering,
        Mark(attack.outcome, "not by this version" if attack.pending else ""),
        verdict,
        findings,
        why,
    ]
