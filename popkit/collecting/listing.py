"""getSignaturesForAddress to its end: pages newest first that overlap, so that a row lost between
two pages is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from popkit.collecting.node import Node, Reply
from popkit.collecting.outcomes import Outcome
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import SIGNATURES
from popkit.protocol.keys import is_signature

OVERLAP = 2
"""Rows that each page shares with the one before it."""
PAGE = 1000
MOST_ROWS = 5_000_000


class Row(msgspec.Struct, rename="camel", gc=False):
    """One row of the list: enough to page by and to fetch."""

    signature: str
    slot: int
    block_time: int | None = None


class _Given(Row, gc=False):
    """A row as a node gives it. Which address it was listed for is ours to say: a row that says so
    itself could say another.
    """

    address: msgspec.UnsetType | msgspec.Raw = msgspec.UNSET


@dataclass(slots=True)
class Listing:
    """What a node listed for an address, newest first: `ended` says whether it was asked to its
    end, `why` not, if not.

    `overlaps` is False when a page did not begin with the last rows of the page before it;
    `ordered` is False when slots went up.
    """

    address: str
    rows: list[Row] = field(default_factory=list)
    pages: int = 0
    ended: bool = False
    why: str = ""
    overlaps: bool = True
    ordered: bool = True
    _seen: set[str] = field(default_factory=set, repr=False, compare=False)
    _counted: int = field(default=0, repr=False, compare=False)

    @property
    def signatures(self) -> set[str]:
        """The signatures of the rows; only rows that are new since the last look are counted anew,
        as lists are long.
        """
        self._seen.update(row.signature for row in self.rows[self._counted :])
        self._counted = len(self.rows)
        return self._seen


_PAGE_OF_ROWS = msgspec.json.Decoder(list[_Given])
_PAGE_OF_RAW = msgspec.json.Decoder(list[msgspec.Raw])


class Lister:
    """Lists addresses at one node into one file of the case."""

    def __init__(
        self,
        node: Node,
        work: Workspace,
        progress: Progress,
        page: int = PAGE,
        file: str = SIGNATURES,
    ) -> None:
        self.node, self.work, self.progress, self.page, self.file = (
            node,
            work,
            progress,
            max(page, OVERLAP + 2),
            file,
        )

    async def of(
        self,
        address: str,
        known: Listing | None = None,
        tag: str = "all",
        max_age: float | None = None,
    ) -> Listing:
        """The list of an address. With `known`, only what is newer than it: the result holds new
        rows alone.

        What an interrupted run had already been told is not asked again.
        """
        found = Listing(address)
        seen = known.signatures if known is not None else set()
        until = (
            known.rows[OVERLAP].signature
            if known is not None and len(known.rows) > OVERLAP
            else None
        )
        met: list[str] = []
        asked = False  # a page asked anew shifts those after it: what is remembered of them is of another list
        while not found.ended and not found.why:
            step = f"{self.file}/{tag}/{address}/{found.pages}"
            record = None if asked else self.work.remembered(step, max_age)
            if record is None:
                asked, record = True, await self._ask(found, seen, until, step)
            if record is not None:
                self._take(found, record)
                met += record["page"]["known"]
        if known is not None and found.ended:
            expected = known.rows[:OVERLAP] if until is not None else known.rows
            found.overlaps = found.overlaps and [row.signature for row in expected] == list(
                dict.fromkeys(met)
            )
        return found

    async def _ask(
        self, found: Listing, seen: set[str], until: str | None, step: str
    ) -> dict[str, Any] | None:
        """One page, written down; None (and `why`) when it was not given.

        A page that does not reach back to the oldest row known is asked once more from further up:
        rows may have been left out between.
        """
        for overlap in (OVERLAP, 10 * OVERLAP):
            options: dict[str, Any] = {"limit": self.page, "commitment": "finalized"}
            cursor = max(0, len(found.rows) - 1 - min(overlap, self.page // 2))
            if found.rows:
                options["before"] = found.rows[cursor].signature
            if until is not None:
                options["until"] = until
            reply, note = await self.node.ask(
                "getSignaturesForAddress", [found.address, options], _is_page
            )
            if not reply.ok:
                self.work.keeps({}, **note)
                found.why = reply.says
                return None
            rows = _PAGE_OF_ROWS.decode(reply.result)
            met = _meets(found, cursor, rows)
            if met or overlap != OVERLAP:
                break
            self.work.keeps({}, **note)
        lines, page = self._new(found, seen, rows, _PAGE_OF_RAW.decode(reply.result))
        return self.work.keeps({self.file: lines}, **note, step=step, page={**page, "meets": met})

    def _new(
        self, found: Listing, seen: set[str], rows: Sequence[Row], raw: list[msgspec.Raw]
    ) -> tuple[list[bytes], dict[str, Any]]:
        """The rows of a page that were not known, as lines of the case, and what the custody record
        says of the page.
        """
        slots = [row.slot for row in found.rows[-1:]]
        lines, new = [], set[str]()
        for row, text in zip(rows, raw, strict=True):
            if not (
                row.signature in seen or row.signature in found.signatures or row.signature in new
            ):
                new.add(row.signature)
                slots.append(row.slot)
                lines.append(_with_address(found.address, bytes(text)))
        known = [row.signature for row in rows if row.signature in seen]
        return lines, {
            "rows": len(rows),
            "new": len(lines),
            "known": known
            if len(known) <= OVERLAP or len(seen) <= OVERLAP + 1
            else known[: OVERLAP + 1],
            "ends": not lines
            or (
                bool(known) and len(known) >= min(OVERLAP, len(seen))
            ),  # one known row may be the last of its page
            "ordered": slots == sorted(slots, reverse=True),
        }

    def _take(self, found: Listing, record: dict[str, Any]) -> None:
        page = record["page"]
        found.rows += [msgspec.json.decode(line, type=Row) for line in self.work.lines(record)]
        found.pages += 1
        found.ended = bool(page["ends"])
        found.overlaps = found.overlaps and bool(page["meets"])
        found.ordered = found.ordered and bool(page["ordered"])
        if len(found.rows) > MOST_ROWS:
            found.why = f"stopped after {MOST_ROWS} rows"
        self.progress.step(int(page["new"]), pages=1)


def _meets(found: Listing, cursor: int, page: Sequence[Row]) -> bool:
    """Whether a page asked for from below row `cursor` reaches back to the oldest row known, and
    holds none of what it was to leave out.
    """
    shared = {row.signature for row in found.rows[cursor + 1 :]}
    known = {row.signature for row in page} & found.signatures
    reaches = not shared or found.rows[-1].signature in known
    return reaches and known <= shared


def _is_page(reply: Reply) -> Reply:
    """A page is a list of rows with real signatures; anything else answers another question."""
    try:
        rows = _PAGE_OF_ROWS.decode(reply.result)
    except (msgspec.DecodeError, RecursionError) as error:
        return Reply(Outcome.WRONG_ANSWER, message=f"not a list of signatures: {error}")
    for row in rows:
        if row.address is not msgspec.UNSET:
            return Reply(Outcome.WRONG_ANSWER, message="a row that names an address itself")
        if not is_signature(row.signature) or row.slot < 0:
            return Reply(Outcome.WRONG_ANSWER, message="a row without a signature")
    return reply


def _with_address(address: str, row: bytes) -> bytes:
    """A row as received, with the address that it was listed for put in front."""
    return b'{"address":"' + address.encode() + b'",' + row.lstrip()[1:].replace(b"\n", b" ")
