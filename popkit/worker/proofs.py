"""Every known proof of a grant, merged from the chain, the worker's anchors and its storage, each
with its issuer.

Proofs are of the worker by its own records alone. That one is foreign is concluded only where those
records are complete over the time of its issue: a gap could hide the worker's own.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, field

from popkit.audit.anchors import Anchor
from popkit.audit.entries import AuditRecords
from popkit.chain.attempts import Attempt
from popkit.chain.links import GrantChain
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.storage_history import HistoryRow

USUAL_LATENCY = 30
"""Seconds from the issue of a proof to its landing that the quickest wallets keep within."""


@dataclass(slots=True)
class Proof:
    """One issued proof. `confirmed` is False when its entry hash rests on an assumed issued_at.

    `follows_chain` is whether the worker took its parents from the chain. `issuer` is
    'this_worker', 'foreign' or 'unknown' (the worker's records do not cover its time). `landed` is
    whether the chain accepted it: by a transaction in the case (`accepted`), or because PopState or
    an accepted claim names it. `attested` is whether something beside an anchor shows it: anyone
    with the audit-log token can write an anchor.
    """

    entry_hash: str
    prev_hash: str
    stream_prev_hash: str
    claimer: str
    period_index: int
    issued_at: int
    audit_hash: str | None
    confirmed: bool = True
    anchor: Anchor | None = None
    in_history: bool = False
    accepted: Attempt | None = None
    refused: list[Attempt] = field(default_factory=list)
    issuer: str = "unknown"
    landed: bool = False
    follows_chain: bool = False
    attested: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether its anchor says that a ticket receipt was shown for it (models B to E)."""
        return self.anchor is not None and self.anchor.model != "A"

    @property
    def from_worker(self) -> bool:
        """Whether the worker's own records name the proof."""
        return self.anchor is not None or self.in_history

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that carried the proof."""
        return [*([self.accepted] if self.accepted is not None else []), *self.refused]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The proofs of a grant by entry hash, and the proof of each of its anchors, in the anchors'
    order.
    """

    proofs: dict[str, Proof]
    anchored: list[Proof]


def gather_proofs(
    chain: GrantChain,
    anchors: Iterable[Anchor],
    history: Iterable[HistoryRow],
    records: AuditRecords,
    stored: Collection[str],
    acknowledged: Container[str],
) -> Gathered:
    """The proofs that the chain, the anchors and the storage's history name.

    `stored` are the heads in the worker's storage, `acknowledged` the anchors whose request its
    trail of API calls shows. Of a history record whose hash does not hold nothing is taken.
    """
    anchors, history = list(anchors), [row for row in history if row.holds]
    proofs = _of_chain(chain)
    for row in history:
        proof = proofs.setdefault(row.entry_hash, _proof_of(row.entry_hash, row))
        proof.in_history, proof.follows_chain = True, row.follows_chain
    anchored = _take_anchors(proofs, anchors, _known_hashes(chain, anchors, history, stored))
    ahead = _clock_ahead(chain, proofs)
    for proof in proofs.values():
        proof.issuer = issuer_of(proof, records, ahead)
    _mark_landed(proofs, chain)
    _mark_attested(proofs, stored, acknowledged)
    for entry in chain.strict_ground:
        for proof in _line_down(proofs, entry):
            proof.landed = True
    return Gathered(proofs, anchored)


def _of_chain(chain: GrantChain) -> dict[str, Proof]:
    """The proofs that accepted claims and the issuer's own refused ones carried."""
    proofs: dict[str, Proof] = {}
    for attempt in [*chain.linked, *chain.attributed]:
        entry = str(attempt.entry_hash)
        proof = proofs.setdefault(entry, _proof_of(entry, attempt))
        if attempt.accepted:
            proof.accepted = proof.accepted or attempt
        else:
            proof.refused.append(attempt)
    return proofs


def _proof_of(entry: str, source: Attempt | HistoryRow) -> Proof:
    """A proof with the fields of what names it; an attempt's own period is that of its message."""
    assert source.prev_hash is not None
    assert source.stream_prev_hash is not None
    assert source.issued_at is not None
    period = source.period_index
    if isinstance(source, Attempt) and source.message_period_index is not None:
        period = source.message_period_index
    return Proof(
        entry,
        source.prev_hash,
        source.stream_prev_hash,
        source.claimer,
        period,
        source.issued_at,
        source.audit_hash,
    )


def _known_hashes(
    chain: GrantChain,
    anchors: list[Anchor],
    history: list[HistoryRow],
    stored: Collection[str],
) -> set[str]:
    """Every hash that may confirm the entry an anchor is rebuilt to."""
    known = (
        {anchor.prev_hash for anchor in anchors} | {row.entry_hash for row in history} | set(stored)
    )
    for attempt in [*chain.linked, *chain.attributed]:
        known |= {str(attempt.entry_hash), str(attempt.prev_hash)}
    if chain.state.head:
        known.add(chain.state.head)
    return known - {GENESIS_HASH}


def _take_anchors(
    proofs: dict[str, Proof],
    anchors: list[Anchor],
    known: set[str],
) -> list[Proof]:
    """Add the proof of each anchor where it is not known yet; the proofs of the anchors, in their
    order.
    """
    anchored = []
    taken: dict[str, int] = {}
    for anchor in anchors:
        entry, issued_at, confirmed = anchor.rebuild(known, taken)
        taken.setdefault(entry, anchor.ts_ms // 1000)
        if entry not in proofs:
            proofs[entry] = Proof(
                entry,
                anchor.prev_hash,
                anchor.stream_prev_hash,
                anchor.claimer,
                anchor.period_index,
                issued_at,
                anchor.audit_hash,
                confirmed,
            )
        proof = proofs[entry]
        proof.anchor = proof.anchor or anchor
        proof.follows_chain = proof.anchor.follows_chain
        anchored.append(proof)
    return anchored


def _clock_ahead(chain: GrantChain, proofs: dict[str, Proof]) -> int | None:
    """How many seconds the worker's clock may be ahead of the cluster's, by its own proofs on
    chain; None without any.

    A proof lands after it is issued, mostly within half a minute: what is dated later than that is
    the clock's.
    """
    ahead = [
        attempt.issued_at - attempt.block_time
        for attempt in [*chain.linked, *chain.attributed]
        if attempt.block_time is not None
        and attempt.issued_at is not None
        and proofs[str(attempt.entry_hash)].from_worker
    ]
    return max(0, max(ahead) + USUAL_LATENCY) if ahead else None


def issuer_of(proof: Proof, records: AuditRecords, clock_ahead: int | None) -> str:
    """Who issued a proof: this worker if its records name it, foreign if they are complete over
    that time and do not.

    `clock_ahead` is how many seconds the worker's clock may be ahead of the cluster's; None where
    nothing tells.
    """
    if proof.from_worker:
        return "this_worker"
    if not records.is_known:
        return "unknown"
    audit = proof.audit_hash or ""
    if audit not in records.entries and proof.audit_hash in records.named:
        return "this_worker"  # the entry is missing from the records, but later ones name it
    landed = min((a.block_time for a in proof.attempts if a.block_time is not None), default=None)
    return "foreign" if records.covers_issue(proof.issued_at, landed, clock_ahead) else "unknown"


def _mark_landed(proofs: dict[str, Proof], chain: GrantChain) -> None:
    """Mark the proofs that the chain accepted: by a transaction, as its head, or as a parent that
    it names.
    """
    unseen = set(chain.unseen)
    for proof in proofs.values():
        proof.landed = (
            proof.accepted is not None
            or proof.entry_hash == chain.head
            or proof.entry_hash in unseen
        )


def _mark_attested(
    proofs: dict[str, Proof],
    stored: Collection[str],
    acknowledged: Container[str],
) -> None:
    """Mark the proofs that something beside an anchor shows, and all that those stand on.

    That is a signed message, the storage, or the worker's trail of API calls.
    """
    for proof in proofs.values():
        in_trail = proof.anchor is not None and proof.anchor.anchor_hash in acknowledged
        is_signed = bool(proof.attempts) or proof.landed
        if not (in_trail or is_signed or proof.in_history or proof.entry_hash in stored):
            continue
        cursor: Proof | None = proof
        while cursor is not None and not cursor.attested:
            cursor.attested = True
            cursor = proofs.get(cursor.prev_hash)


def _line_down(proofs: dict[str, Proof], entry: str) -> list[Proof]:
    """The known proofs from an entry down, each the parent of the one before it."""
    found: dict[str, Proof] = {}
    while entry in proofs and entry not in found:
        found[entry] = proofs[entry]
        entry = proofs[entry].prev_hash
    return list(found.values())
