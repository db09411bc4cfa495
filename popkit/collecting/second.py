"""A second opinion: the same lists from another provider's node."""

from __future__ import annotations

import msgspec

from popkit.collecting.completeness import Seen
from popkit.collecting.listing import Lister
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import SECOND, SIGNATURES


async def list_again(lister: Lister, seen: Seen) -> dict[str, int]:
    """List every address at the second node; slots by signature of what it alone lists, and of what
    the first node did not give.
    """
    lister.progress.enter("asking the second endpoint")
    wanted: dict[str, int] = {}
    for address in sorted(seen.lists):
        second = seen.second[address] = await lister.of(address)
        known = seen.rows(address)
        alone = seen.second_alone[address] = [
            row for row in second.rows if row.signature not in known
        ]
        _copy_rows(lister.work, address, {row.signature for row in alone})
        wanted |= {row.signature: row.slot for row in alone}
        wanted |= {
            signature: slot for signature, slot in known.items() if signature in seen.not_given
        }
    return wanted


def _copy_rows(work: Workspace, address: str, signatures: set[str]) -> None:
    """Rows that the second node alone listed, into the case's list, once."""
    step = f"second/{address}"
    if not signatures or work.remembered(step):
        return
    lines = []
    with (work.root / SECOND).open("rb") as file:
        for line in file:
            row = msgspec.json.decode(line)
            if row["address"] == address and row["signature"] in signatures:
                lines.append(line.rstrip(b"\n"))
    work.keeps({SIGNATURES: lines}, kind="keep", step=step)
