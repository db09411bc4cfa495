"""What an export of the worker's storage shows of one grant: its stored heads, and where the export
ends.

A row that was not exported is not a head that was reset. So an absent row says something only
inside what the export covers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from popkit.audit.anchors import Anchor, read_head
from popkit.audit.entries import GENESIS, LIST, STORAGE, AuditRecords
from popkit.audit.extents import Exported
from popkit.evidence.worker import StoredRow
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.proofs import Proof
from popkit.worker.storage_history import HISTORY_KEY, HistoryRow

HEAD_KEY = "pop_chain:lastHash:global:"
STREAM_KEY = "pop_chain:lastHash:stream:"


class GrantStorage:
    """Asks of the worker's storage, `rows`, about one grant; every answer is "no" or None without
    an export.

    `anchors` and `history` are the grant's, in the worker's order.
    """

    def __init__(
        self,
        grant: str,
        rows: dict[str, StoredRow] | None,
        records: AuditRecords,
        anchors: list[Anchor],
        history: list[HistoryRow],
    ) -> None:
        self.grant, self.rows, self.records = grant, rows, records
        self.anchors, self.history = anchors, history

    @cached_property
    def head(self) -> str | None:
        """The worker's head of the grant; GENESIS where the storage never held one; None where
        nothing tells.
        """
        return self._stored(HEAD_KEY)

    @cached_property
    def stream_head(self) -> str | None:
        """The same for the stream's link."""
        return self._stored(STREAM_KEY)

    def _stored(self, prefix: str) -> str | None:
        """A stored head; GENESIS where its absence is certain and means that no proof moved it.

        That is where the storage was emptied and begun anew; or where its twin is absent too,
        though the export reaches past both, and no record of the worker shows a proof that moved
        them.
        """
        if self.rows is None:
            return None
        row = self.rows.get(prefix + self.grant)
        if row is not None:
            return read_head(row.value)
        if self._is_damaged:
            return None  # the line of the head may be one that could not be read
        if self.begins_anew:
            return GENESIS_HASH
        return GENESIS_HASH if self._lacks_both_heads and not self._moved_heads else None

    @property
    def _is_damaged(self) -> bool:
        return STORAGE in self.records.damaged

    @property
    def _lacks_both_heads(self) -> bool:
        """Whether the export reaches over both heads of the grant and holds neither."""
        extent = self.records.storage_extent
        heads = HEAD_KEY + self.grant, STREAM_KEY + self.grant
        return extent is not None and all(extent.of(key) == Exported.ABSENT for key in heads)

    @property
    def lacks_heads(self) -> bool:
        """Whether the export lacks both heads though the worker's records show that heads were
        moved.
        """
        if self.rows is None or self._is_damaged or not self._lacks_both_heads or self.begins_anew:
            return False
        return self._moved_heads

    @property
    def _moved_heads(self) -> bool:
        """Whether the worker's records show a proof of this grant that moved its stored heads."""
        return any(row.moved_heads for row in self.history) or any(
            anchor.moved_heads for anchor in self.anchors
        )

    @cached_property
    def begins_anew(self) -> bool:
        """Whether the storage was emptied: its own rows reach GENESIS without a gap and hold no
        anchor of the grant.
        """
        source = self.records.sources.get(STORAGE)
        if source is None or self.rows is None or "audit:lastHash:global" not in self.rows:
            return False
        if any(anchor.anchor_hash in source.stated for anchor in self.anchors):
            return False
        line = self.records.walk_back(self._newest_row or "")
        return (
            bool(line)
            and line[-1].prev_hash == GENESIS
            and all(entry.hash in source.stated for entry in line)
        )

    @cached_property
    def _newest_row(self) -> str | None:
        """The storage's newest audit row: the last in the chain's order of those that it holds."""
        return self.records.newest_row(STORAGE)

    @cached_property
    def is_older(self) -> bool:
        """Whether the export ends before an anchor of the grant that moved the head and rests on
        its newest row.
        """
        source = self.records.sources.get(STORAGE)
        last = next((anchor for anchor in reversed(self.anchors) if anchor.moved_heads), None)
        if self.rows is None or source is None or last is None or last.anchor_hash in source.stated:
            return False
        return self._newest_row in {
            entry.hash for entry in self.records.walk_back(last.anchor_hash)
        }

    @cached_property
    def is_behind(self) -> bool:
        """Whether the worker's list holds rows younger than the storage's newest that do not link
        back to it.
        """
        source, shown = self.records.sources.get(STORAGE), self.records.sources.get(LIST)
        if (
            self.rows is None
            or source is None
            or shown is None
            or not shown.keys
            or not source.keys
        ):
            return False
        if shown.keys[-1][0] <= source.keys[-1][0]:
            return False
        return self._newest_row not in {entry.hash for entry in self.records.line}

    def without_record(self, proofs: Iterable[Proof]) -> list[Proof]:
        """Accepted proofs that the storage anchors and whose history record it lacks, though it
        holds others'.

        The worker writes the record before it answers: an anchor without one was not written by
        issuing a proof, or the record is missing.
        """
        source = self.records.sources.get(STORAGE)
        if (
            source is None
            or not self.history
            or not all(row.holds for row in self.history)
            or self._is_damaged
        ):
            return []
        candidates = [
            proof for proof in proofs if proof.accepted is not None and not proof.in_history
        ]
        return [
            p for p in candidates if p.anchor is not None and p.anchor.anchor_hash in source.stated
        ]

    def covers_record(self, proof: Proof) -> bool:
        """Whether the export reaches past where a proof's history record would stand: its key
        begins with its time.
        """
        extent = self.records.storage_extent
        if extent is None or proof.anchor is None:
            return False
        entry = self.records.entries[proof.anchor.anchor_hash]
        return extent.of(f"{HISTORY_KEY}{entry.ts}:{proof.entry_hash}") == Exported.ABSENT
