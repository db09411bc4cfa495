"""Who signs after a switch; the new grant's first claim, its event and the operator's claim."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.evidence.cutover import New
from popkit.rules.cutover.points import (
    CANNOT_TELL,
    HOLDS,
    NOT_COLLECTED,
    NOT_COMPLETE,
    NOT_OF_CASE,
    VIOLATED,
    Point,
    compared,
    joined,
)
from popkit.rules.cutover.side import CLOSE_OLD, RecordSide
from popkit.texts import Listed, Text

SIGNED_BY = Text("pop-config's signer at the switch", "切り替え時点の pop-config の signer")
FIRST_SIGNER = Text("the first new claim's signer", "新しい grant の最初の claim の signer")
FIRST_PARENT = Text("the first new claim's parent", "新しい grant の最初の claim の親")
EVENT = Text("the new event's grant", "新しいイベントの grant")
CANARY = Text("the operator's own claim", "運営者自身の claim")
NO_CLAIM = Text(
    "the evidence holds no accepted claim of the new grant",
    "新しい grant の受理された claim が証拠にありません",
)


def _first(side: RecordSide, new: New) -> tuple[Attempt | None, bool]:
    """The first accepted claim of the new grant in the case, and whether no other precedes it."""
    chain = side.chain(new.grant)
    first = next(iter(chain.linked), None) if chain is not None else None
    return first, first is not None and side.is_complete(new.grant, first.slot)


def first_claim_points(side: RecordSide, new: New) -> Iterator[Point]:
    """It follows what the record calls the new chain's genesis, and is signed by the stated key."""
    first, is_first = _first(side, new)
    if first is None:
        why = NO_CLAIM() if new.grant in side.facts.header.grants else NOT_OF_CASE()
        yield Point("new.genesis", FIRST_PARENT, CANNOT_TELL, new.genesis, why)
        return
    found = str(first.prev_hash)
    shown = found if found == new.genesis or is_first else None
    yield compared("new.genesis", FIRST_PARENT, new.genesis, shown, NOT_COMPLETE(), first.slot)
    if new.signer is not None:
        shown = first.signer if first.signer == new.signer or is_first else None
        yield compared("new.signer", FIRST_SIGNER, new.signer, shown, NOT_COMPLETE(), first.slot)


def signer_points(side: RecordSide) -> Iterator[Point]:
    """pop-config named the stated key at the end of the switch."""
    signer, record = side.record.signer, side.record
    steps = [
        sent
        for sent in record.transactions
        if sent.step.startswith("2") and sent.step != CLOSE_OLD and sent.slot is not None
    ]
    slot = max((sent.slot for sent in steps if sent.slot is not None), default=side.cut)
    if signer is None or record.given_up:
        return
    holds = (
        side.facts.history.signer_holds(side.old.authority, slot, signer)
        if slot is not None
        else None
    )
    now = side.facts.history.signers_at(side.old.authority, slot) if slot is not None else None
    shown = Listed(tuple(sorted(now or ()))).sentence if now else NOT_COLLECTED()
    result = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[holds]
    yield Point("signer", SIGNED_BY, result, signer, shown, slot)


def event_points(side: RecordSide, new: New) -> Iterator[Point]:
    """The new event is linked to the new grant."""
    if new.event is None:
        return
    links = side.facts.event_links
    grants = sorted({link.grant for link in links if link.event == new.event})
    others = sorted({link.event for link in links if link.grant == new.grant})
    if grants:
        yield compared("new.event", EVENT, new.grant, ", ".join(grants), NOT_COLLECTED())
    elif others:
        yield Point("new.event", EVENT, VIOLATED, new.event, ", ".join(others))
    else:
        yield Point("new.event", EVENT, CANNOT_TELL, new.event, NOT_COLLECTED())


def canary_points(side: RecordSide, new: New) -> Iterator[Point]:
    """The operator's claim was accepted on the new grant, as it is stated."""
    canary, chain = side.record.canary, side.chain(new.grant)
    if canary is None or canary.signature is None:
        return
    if chain is None:
        yield Point("canary", CANARY, CANNOT_TELL, canary.signature, NOT_OF_CASE())
        return
    claim = next((claim for claim in chain.accepted if claim.signature == canary.signature), None)
    if claim is None:
        yield side.not_accepted("canary", CANARY, canary.signature, canary.slot, new.grant)
        return
    stated = (canary.wallet, canary.slot, canary.entry_hash)
    there = tuple(
        value if told is not None else None
        for told, value in zip(stated, (claim.claimer, claim.slot, claim.entry_hash), strict=True)
    )
    yield compared("canary", CANARY, joined(stated), joined(there), NOT_COLLECTED(), claim.slot)
