"""What a record of a cutover states of the old grant, held against the chain."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from popkit.chain.links import GrantChain
from popkit.evidence.cutover import Claim
from popkit.protocol.message import GENESIS_HASH
from popkit.rules.cutover.points import (
    ABSENT,
    CANNOT_TELL,
    HOLDS,
    NOT_COLLECTED,
    NOT_COMPLETE,
    NOT_OF_CASE,
    VIOLATED,
    Point,
    Words,
    compared,
    joined,
)
from popkit.rules.cutover.side import CLOSE_OLD, RecordSide, is_after
from popkit.texts import Text, sentence

OLD_AUTHORITY = Text("the old grant's authority", "元の grant の authority")
OLD_MINT = Text("the old grant's mint", "元の grant の mint")
OLD_CLOSED = Text("the old grant, closed", "元の grant を閉じたこと")
LAST_GOOD = Text("the last good claim", "直近正常点")
OLD_HEAD = Text("the old chain's head since", "その後の元のチェーンの head")
EXISTS_STILL = Text("the account is there", "アカウントが存在します")
NO_STATE = Text(
    "PopState as it was after the switch is not in the evidence",
    "切り替え後の PopState が証拠にありません",
)
NO_LATER = Text(
    "no accepted claim after it until the switch",
    "切り替えまで、その後に受理された claim がないこと",
)
LATER = Text(
    "{signature} was accepted in slot {slot}", "{signature} がスロット {slot} で受理されています"
)


def old_grant_points(side: RecordSide) -> Iterator[Point]:
    """Whose the old grant is, its last good claim, and that its chain has not moved since."""
    history, old = side.facts.history, side.old
    yield compared(
        "old.authority",
        OLD_AUTHORITY,
        old.authority,
        history.authority_of(old.grant),
        NOT_COLLECTED(),
    )
    yield compared("old.mint", OLD_MINT, old.mint, history.mint_of(old.grant), NOT_COLLECTED())
    if old.closed:
        yield _old_closed(side)
    chain = side.chain(old.grant)
    if chain is None:
        yield Point("old.last_good", LAST_GOOD, CANNOT_TELL, _stated(old.last_good), NOT_OF_CASE())
        return
    yield _last_good(side, chain)
    if side.record.remedy == "switch":
        yield _old_head(side, chain)


def _old_closed(side: RecordSide) -> Point:
    """Whether the old grant's account is gone, where the record says that it was closed."""
    closing = next(
        (sent.slot for sent in side.record.transactions if sent.step == CLOSE_OLD), side.cut
    )
    row = side.facts.accounts.get(side.old.grant)
    if side.facts.history.is_closed(side.old.grant):
        return Point("old.closed", OLD_CLOSED, HOLDS, ABSENT(), ABSENT())
    if row is not None and row.exists and is_after(row.slot, closing):
        return Point("old.closed", OLD_CLOSED, VIOLATED, ABSENT(), EXISTS_STILL(), row.slot)
    return Point("old.closed", OLD_CLOSED, CANNOT_TELL, ABSENT(), NOT_COLLECTED())


def _stated(claim: Claim | None) -> Words:
    return (
        claim.signature
        if claim is not None
        else sentence("no accepted claim", "受理された claim なし")
    )


def _last_good(side: RecordSide, chain: GrantChain) -> Point:
    """The last accepted claim before the switch is the stated one, as it is stated."""
    key, stated = "old.last_good", side.old.last_good
    as_stated = _stated(stated)
    before = [claim for claim in chain.accepted if side.cut is None or claim.slot < side.cut]
    at = -1
    if stated is not None:
        at = next(
            (
                n
                for n, c in enumerate(chain.accepted)
                if (c.signature, c.receipt) == (stated.signature, stated.receipt)
            ),
            -1,
        )
        if at < 0:
            return side.not_accepted(key, LAST_GOOD, stated.signature, stated.slot, side.old.grant)
        claim = chain.accepted[at]
        time = (
            stated.block_time if None in (claim.block_time, stated.block_time) else claim.block_time
        )
        there = msgspec.structs.replace(
            stated, entry_hash=claim.entry_hash, slot=claim.slot, block_time=time
        )
        if there != stated:
            return Point(key, LAST_GOOD, VIOLATED, _as_claim(stated), _as_claim(there), claim.slot)
    later = [claim for claim in chain.accepted[at + 1 :] if claim in before]
    if later:
        return Point(
            key,
            LAST_GOOD,
            VIOLATED,
            NO_LATER(),
            LATER(signature=later[-1].signature, slot=later[-1].slot),
            later[-1].slot,
        )
    named = stated.entry_hash if stated is not None else GENESIS_HASH
    is_head = chain.state.known and (chain.state.head or GENESIS_HASH) == named
    if side.is_complete(side.old.grant, side.cut) or (
        is_head and chain.state.slot is not None and chain.state.slot >= (side.cut or 0)
    ):
        return Point(key, LAST_GOOD, HOLDS, as_stated, as_stated)
    return Point(key, LAST_GOOD, CANNOT_TELL, as_stated, NOT_COMPLETE())


def _old_head(side: RecordSide, chain: GrantChain) -> Point:
    """No claim was accepted on the old grant after the switch, and PopState is where it was."""
    key, stated = "old.heads.on_chain", side.old.heads.on_chain
    since = [claim for claim in chain.accepted if side.cut is not None and claim.slot > side.cut]
    if since:
        moved = LATER(signature=since[0].signature, slot=since[0].slot)
        return Point(key, OLD_HEAD, VIOLATED, stated or NO_LATER(), moved, since[0].slot)
    state = chain.state
    is_later = (
        state.known
        and not state.unreadable
        and state.slot is not None
        and side.cut is not None
        and state.slot > side.cut
    )
    if not is_later or stated is None:
        return Point(key, OLD_HEAD, CANNOT_TELL, stated or NO_LATER(), NO_STATE())
    return compared(key, OLD_HEAD, stated, state.head or GENESIS_HASH, NO_STATE(), state.slot)


def _as_claim(claim: Claim) -> str:
    return joined((claim.signature, claim.slot, claim.block_time, claim.receipt, claim.entry_hash))
