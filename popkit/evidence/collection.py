"""What a case says of its own collection: how complete each address is, and what could not be had.

`popkit collect` writes it into `sources` of case.json; cases made otherwise say nothing, and
nothing is concluded from that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.evidence.documents import CaseHeader


def incomplete_addresses(header: CaseHeader) -> dict[str, str]:
    """Addresses whose list or transactions the collector states to be incomplete, each with its
    role and the reasons.
    """
    found = {}
    for row in _rows(header.sources.get("completeness")):
        if row.get("complete") is False and isinstance(row.get("address"), str):
            because = [str(why) for why in row.get("because", []) if isinstance(why, str)]
            found[str(row["address"])] = (
                f"{row.get('role', 'address')} {row['address']}: incomplete: "
                f"{'; '.join(because) or 'no reason given'}"
            )
    return found


@dataclass(frozen=True, slots=True)
class Stated:
    """What the collector states of one address: how many signatures (None: it does not say) and
    checks hold, why it is not complete, what could not be told.
    """

    address: str
    role: str
    complete: bool
    signatures: int | None
    held: int
    because: tuple[str, ...]
    unsure: tuple[str, ...]


def stated_addresses(header: CaseHeader) -> list[Stated]:
    """Every address that the collector states something of, in its order; [] for a case that states
    nothing.
    """
    found = []
    for row in _rows(header.sources.get("completeness")):
        checks = _rows(row.get("checks"))
        unsure = tuple(
            f"{c.get('check')}: {c.get('detail')}"
            for c in checks
            if c.get("outcome") == "cannot tell"
        )
        held = sum(check.get("outcome") == "holds" for check in checks)
        signatures = row.get("signatures")
        found.append(
            Stated(
                str(row.get("address")),
                str(row.get("role")),
                row.get("complete") is True,
                signatures if isinstance(signatures, int) else None,
                held,
                tuple(_texts(row.get("because"))),
                unsure,
            )
        )
    return found


def missing_parts(header: CaseHeader) -> list[str]:
    """What was asked for and not had, in the collector's words."""
    return _texts(header.sources.get("missing"))


def left_out_by_worker(header: CaseHeader) -> list[str]:
    """What the worker's answers leave out by their own rules: older entries, redacted details."""
    return _texts(header.sources.get("left_out"))


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
