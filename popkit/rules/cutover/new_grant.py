"""What a record of a cutover states of the new grant, held against the chain."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.evidence.cutover import New
from popkit.protocol import accounts as layouts
from popkit.protocol.pda import grant_address
from popkit.rules.cutover.points import (
    ABSENT,
    CANNOT_TELL,
    HOLDS,
    NOT_COLLECTED,
    VIOLATED,
    Point,
    compared,
    joined,
)
from popkit.rules.cutover.side import CLOSE_OLD, FREEZE, SIGNER, RecordSide, is_after
from popkit.texts import Listed, Text

NEW_GRANT = Text("the new grant", "新しい grant")
NEW_AFTER = Text("when the new grant was created", "新しい grant の作成時期")
NEW_ADDRESS = Text("the new grant's address", "新しい grant のアドレス")
NEW_AUTHORITY = Text("the new grant's authority", "新しい grant の authority")
NEW_MINT = Text("the new grant's mint", "新しい grant の mint")
NEW_START = Text("the new grant's start", "新しい grant の開始時刻")
NEW_TERMS = Text("the new grant's terms", "新しい grant の条件")
NEW_MADE_BY = Text("what created the new grant", "新しい grant を作成したもの")
EXISTS = Text("an account of the program", "プログラムのアカウント")
NO_GRANT = Text(
    "the account at the address is no grant of the program",
    "そのアドレスのアカウントはこのプログラムの grant ではありません",
)
IN_ORDER = Text("after slot {slot}", "スロット {slot} より後")
CREATED = Text("created in slot {slot}", "スロット {slot} で作成")


def new_grant_points(side: RecordSide, new: New) -> Iterator[Point]:
    """It was made after the last good claim, by a stated transaction, on the stated terms."""
    yield _is_there(side, new)
    derived = grant_address(new.authority, new.mint, int(new.grant_id), side.record.program_id)
    yield compared("new.grant_id", NEW_ADDRESS, new.grant, derived, NOT_COLLECTED())
    history = side.facts.history
    yield compared(
        "new.authority",
        NEW_AUTHORITY,
        new.authority,
        history.authority_of(new.grant),
        NOT_COLLECTED(),
    )
    yield compared("new.mint", NEW_MINT, new.mint, history.mint_of(new.grant), NOT_COLLECTED())
    creation = next(
        (step for step in history.of_grant(new.grant) if step.name == "create_grant"), None
    )
    account = history.account(new.grant)
    start = (
        creation.args["start_ts"]
        if creation is not None
        else account.start_ts
        if account is not None
        else None
    )
    yield compared("new.start_ts", NEW_START, new.start_ts, start, NOT_COLLECTED())
    terms = (new.grant_id, new.amount_per_period, str(new.period_seconds), str(new.expires_at))
    if creation is None:  # the account's other terms may have been changed since
        yield Point("new.amount_per_period", NEW_TERMS, CANNOT_TELL, joined(terms), NOT_COLLECTED())
        yield Point("new.grant", NEW_AFTER, CANNOT_TELL, new.grant, NOT_COLLECTED())
        return
    there = tuple(
        str(creation.args[name])
        for name in ("grant_id", "amount_per_period", "period_seconds", "expires_at")
    )
    yield compared(
        "new.amount_per_period",
        NEW_TERMS,
        joined(terms),
        joined(there),
        NOT_COLLECTED(),
        creation.slot,
    )
    yield from _made_by(side, creation.signature, creation.slot)
    yield _after_last_good(side, creation.slot)


def _is_there(side: RecordSide, new: New) -> Point:
    """An account of the program stands at the new grant's address, or did."""
    key, facts = "new.grant", side.facts
    row, created = facts.accounts.get(new.grant), facts.history.created_slot(new.grant)
    if (
        row is not None
        and row.exists
        and (row.owner != side.record.program_id or row.decoded(layouts.Grant) is None)
    ):
        return Point(key, NEW_GRANT, VIOLATED, EXISTS(), NO_GRANT(), row.slot)
    if created is not None or (row is not None and row.exists):
        return Point(key, NEW_GRANT, HOLDS, EXISTS(), EXISTS(), created)
    if row is not None and is_after(row.slot, side.cut):
        return Point(key, NEW_GRANT, VIOLATED, EXISTS(), ABSENT(), row.slot)
    return Point(key, NEW_GRANT, CANNOT_TELL, EXISTS(), NOT_COLLECTED())


def _made_by(side: RecordSide, signature: str, slot: int) -> Iterator[Point]:
    """The creation is one of the stated transactions; not asked where one is not named."""
    sent = [
        each.signature
        for each in side.record.transactions
        if each.step not in (FREEZE, CLOSE_OLD, SIGNER)
    ]
    if sent and None not in sent:
        result = HOLDS if signature in sent else VIOLATED
        yield Point(
            "new.grant",
            NEW_MADE_BY,
            result,
            Listed(tuple(map(str, sent))).sentence,
            signature,
            slot,
        )


def _after_last_good(side: RecordSide, created: int) -> Point:
    key, good = "new.grant", side.old.last_good
    if good is None or created == good.slot:
        return Point(
            key,
            NEW_AFTER,
            HOLDS if good is None else CANNOT_TELL,
            CREATED(slot=created),
            CREATED(slot=created),
            created,
        )
    return Point(
        key,
        NEW_AFTER,
        HOLDS if created > good.slot else VIOLATED,
        IN_ORDER(slot=good.slot),
        CREATED(slot=created),
        created,
    )
