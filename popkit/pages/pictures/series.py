"""What the pictures of a grant have in common: its name, the times of its claims, the depth of each entry, the spell around the break."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from popkit.chain.attempts import Attempt
from popkit.text import shown
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof

if TYPE_CHECKING:
    from popkit.case import Case

ZOOM_SPAN = 6 * 3600
"""A grant whose evidence spans more seconds than this is shown a second time, around the break."""


def grant_title(case: Case, grant: str) -> str:
    """A grant as headings name it: the first eight characters of its key, and its events' titles."""
    titles = ", ".join(shown(title, 40) for title in case.diagnose().grant(grant).titles)
    return f"{grant[:8]}" + (f" · {titles}" if titles else "")


def landed_at(attempt: Attempt) -> int | None:
    """When an attempt landed, unix seconds: its block's time, else the time its proof was issued."""
    return attempt.block_time if attempt.block_time is not None else attempt.issued_at


def timed(attempts: Iterable[Attempt]) -> list[tuple[int, Attempt]]:
    """(time, attempt) of those whose time is known, in the order given."""
    return [(when, attempt) for attempt in attempts if (when := landed_at(attempt)) is not None]


def never_accepted(line: WorkerLine) -> list[Proof]:
    """This line's proofs that did not land, as far as the evidence tells, oldest first."""
    return sorted((p for p in line.proofs.values() if not p.landed), key=lambda proof: (proof.issued_at, proof.entry_hash))


def depths(line: WorkerLine) -> dict[str, int]:
    """How many links each entry stands above GENESIS; an entry whose parent nobody knows begins at the first depth."""
    known: dict[str, int] = {}
    for entry in line.proofs:
        trail: list[str] = []
        cursor = entry
        while cursor not in known and cursor in line.proofs and cursor not in trail[-1:]:
            trail.append(cursor)
            cursor = line.proofs[cursor].prev_hash
            if len(trail) > len(line.proofs):
                break
        depth = known.get(cursor, 0)
        for step in reversed(trail):
            depth += 1
            known[step] = depth
    return known


def break_time(case: Case, grant: str) -> int | None:
    """When the proof that the chain waits for was issued; else when the first bad one was; None where nothing broke."""
    diagnosis, line = case.diagnose().grant(grant), case.facts.line(grant)
    names = [*diagnosis.missing_entries, str((diagnosis.first_bad or {}).get("entry_hash"))]
    times = [line.proofs[name].issued_at for name in names if name in line.proofs]
    return min(times) if times else None


def spells(times: list[int], focus: int | None) -> list[tuple[str, int, int]]:
    """(title, from, to) of what to draw: everything, and the hour around the focus when everything is much longer."""
    first, last = min(times), max(times)
    whole = [("", first, last)]
    if focus is None or last - first <= ZOOM_SPAN:
        return whole
    near = [when for when in times if -2400 <= when - focus <= 3600]
    return [("all of it", first, last), ("around the break", min([focus, *near]), max([focus, *near]))]
