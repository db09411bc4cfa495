"""A record of a cutover against the chain as the case holds it: every statement holds, is violated, or cannot be told.

1. It is of this cluster and program; else nothing more is looked at.
2. The old grant: whose it is, its last good claim, and that its chain has not moved since.
3. The transactions: landed, accepted, in the stated slots.
4. The new grant: made after the last good claim, by a stated transaction, with the stated authority, mint and terms.
5. Who signs: pop-config as of the switch, and the first claim, which follows GENESIS.
6. The event's link, and the operator's own claim.

Absence contradicts a record only where the evidence is complete and no older than what is stated; else it cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

from popkit.chain.attempts import Attempt
from popkit.chain.links import GrantChain
from popkit.evidence.cutover import Claim, New, Record, Sent
from popkit.facts import Facts
from popkit.protocol import accounts as layouts
from popkit.protocol.genesis import UNKNOWN, cluster_of
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import grant_address, pop_config_address
from popkit.rules.declared_points import CANNOT_TELL, HOLDS, VIOLATED, Point, Words, compared
from popkit.texts import Listed, Text, sentence

LOCAL = "localnet"
"""What a case calls a cluster that has no name of its own."""
FREEZE, CLOSE_OLD, SIGNER = "0", "2.0", "2.3"
"""Steps whose transactions touch no new grant: the pause and the closing of the old one, and the change of the signer alone."""

CLUSTER, PROGRAM = Text("the cluster", "クラスター"), Text("the program", "プログラム")
OLD_AUTHORITY, OLD_MINT = Text("the old grant's authority", "元の grant の authority"), Text("the old grant's mint", "元の grant の mint")
OLD_CLOSED = Text("the old grant, closed", "元の grant を閉じたこと")
LAST_GOOD = Text("the last good claim", "直近正常点")
OLD_HEAD = Text("the old chain's head since", "その後の元のチェーンの head")
NEW_GRANT, NEW_AFTER = (
    Text("the new grant", "新しい grant"),
    Text("when the new grant was created", "新しい grant の作成時期"),
)
NEW_ADDRESS = Text("the new grant's address", "新しい grant のアドレス")
NEW_AUTHORITY, NEW_MINT = (
    Text("the new grant's authority", "新しい grant の authority"),
    Text("the new grant's mint", "新しい grant の mint"),
)
NEW_START, NEW_TERMS = Text("the new grant's start", "新しい grant の開始時刻"), Text("the new grant's terms", "新しい grant の条件")
NEW_MADE_BY = Text("what created the new grant", "新しい grant を作成したもの")
SIGNED_BY = Text("pop-config's signer at the switch", "切り替え時点の pop-config の signer")
FIRST_SIGNER = Text("the first new claim's signer", "新しい grant の最初の claim の signer")
FIRST_PARENT = Text("the first new claim's parent", "新しい grant の最初の claim の親")
EVENT = Text("the new event's grant", "新しいイベントの grant")
CANARY = Text("the operator's own claim", "運営者自身の claim")
TRANSACTION = Text("the transaction of step {step}", "手順 {step} のトランザクション")

NOT_COLLECTED = Text("the evidence does not hold it", "証拠にありません")
NOT_OF_CASE = Text("the case was not collected for this grant", "この grant についてケースを収集していません")
NOT_COMPLETE = Text(
    "the evidence's transactions are not complete, or were listed before that slot",
    "証拠のトランザクションが完全でないか、そのスロットより前の一覧です",
)
NO_SLOT = Text("the record names no slot for it", "記録にスロットがありません")
NO_CLAIM = Text("the evidence holds no accepted claim of the new grant", "新しい grant の受理された claim が証拠にありません")
NO_STATE = Text("PopState as it was after the switch is not in the evidence", "切り替え後の PopState が証拠にありません")
ABSENT = Text("no account stands at the address", "そのアドレスにアカウントがありません")
NO_GRANT = Text("the account at the address is no grant of the program", "そのアドレスのアカウントはこのプログラムの grant ではありません")
EXISTS = Text("an account of the program", "プログラムのアカウント")
REFUSED, NOT_ON_CHAIN = Text("landed and was refused", "取り込まれ、拒否されました"), Text("not on the chain", "チェーンにありません")
NOT_A_CLAIM = Text("no accepted claim on that grant", "その grant で受理された claim ではありません")
LANDED = Text("accepted in slot {slot}", "スロット {slot} で受理")
IN_ORDER = Text("after slot {slot}", "スロット {slot} より後")
CREATED = Text("created in slot {slot}", "スロット {slot} で作成")
OTHERS = Text("linked to {others}", "{others} に紐付いています")
EXISTS_STILL = Text("the account is there", "アカウントが存在します")
NO_LATER = Text("no accepted claim after it until the switch", "切り替えまで、その後に受理された claim がないこと")
LATER = Text("{signature} was accepted in slot {slot}", "{signature} がスロット {slot} で受理されています")


class DeclaredChecks:
    """The points of one record, held against the facts of one case; every question is a method."""

    def __init__(self, facts: Facts, record: Record) -> None:
        self.facts, self.record, self.old, self.new = facts, record, record.old, record.new
        self.pop_config = pop_config_address(record.old.authority, record.program_id)

    def points(self) -> list[Point]:
        """Every point, in the order of the rules above."""
        here = list(self._where())
        if any(point.result == VIOLATED for point in here):
            return here
        found = [*here, *self._old_grant(), *self._transactions()]
        if self.new is not None and not self.record.given_up:
            found += [*self._new_grant(self.new), *self._first_claim(self.new), *self._event(self.new), *self._canary(self.new)]
        return [*found, *self._signer()]

    # where and when

    def _where(self) -> Iterator[Point]:
        header, record = self.facts.header, self.record
        if record.program_id != header.program_id:
            yield Point("program_id", PROGRAM, VIOLATED, record.program_id, header.program_id)
        named = cluster_of(record.genesis_hash) if record.genesis_hash is not None else record.cluster
        if header.cluster not in (UNKNOWN, LOCAL, named) and named != UNKNOWN:
            yield Point("cluster", CLUSTER, VIOLATED, named, header.cluster)

    @cached_property
    def cut(self) -> int | None:
        """The slot of the switch: of the first transaction past the freeze, or of the new grant's creation; None where neither is known."""
        slots = [sent.slot for sent in self.record.transactions if sent.slot is not None and sent.step not in (FREEZE, CLOSE_OLD)]
        created = self.facts.history.created_slot(self.new.grant) if self.new is not None else None
        return min(slots, default=created)

    def _chain(self, grant: str) -> GrantChain | None:
        return self.facts.chain(grant) if grant in self.facts.header.grants else None

    def _is_complete(self, address: str, slot: int | None) -> bool:
        """Whether the case holds every accepted transaction of an address, read after a slot: within it, some may have landed later."""
        facts = self.facts
        return slot is not None and facts.is_listed_whole(address, accepted_alone=True) and facts.is_collected_since(address, slot + 1)

    def _begins_here(self, grant: str) -> bool:
        """Whether the case reaches back to a grant's creation: only then is it known that nobody claimed before what it holds."""
        return self.facts.history.created_slot(grant) is not None

    # the old grant

    def _old_grant(self) -> Iterator[Point]:
        history, old = self.facts.history, self.old
        yield compared("old.authority", OLD_AUTHORITY, old.authority, history.authority_of(old.grant), NOT_COLLECTED())
        yield compared("old.mint", OLD_MINT, old.mint, history.mint_of(old.grant), NOT_COLLECTED())
        if old.closed:
            yield self._old_closed()
        chain = self._chain(old.grant)
        if chain is None:
            yield Point("old.last_good", LAST_GOOD, CANNOT_TELL, self._stated(old.last_good), NOT_OF_CASE())
            return
        yield self._last_good(chain)
        if self.record.remedy == "switch":
            yield self._old_head(chain)

    def _old_closed(self) -> Point:
        closing = next((sent.slot for sent in self.record.transactions if sent.step == CLOSE_OLD), self.cut)
        row = self.facts.accounts.get(self.old.grant)
        if self.facts.history.is_closed(self.old.grant):
            return Point("old.closed", OLD_CLOSED, HOLDS, ABSENT(), ABSENT())
        if row is not None and row.exists and None not in (row.slot, closing) and row.slot > closing:  # type: ignore[operator]
            return Point("old.closed", OLD_CLOSED, VIOLATED, ABSENT(), EXISTS_STILL(), row.slot)
        return Point("old.closed", OLD_CLOSED, CANNOT_TELL, ABSENT(), NOT_COLLECTED())

    @staticmethod
    def _stated(claim: Claim | None) -> Words:
        return claim.signature if claim is not None else sentence("no accepted claim", "受理された claim なし")

    def _last_good(self, chain: GrantChain) -> Point:
        """The last accepted claim before the switch is the stated one, as it is stated."""
        key, stated = "old.last_good", self.old.last_good
        said = self._stated(stated)
        before = [claim for claim in chain.accepted if self.cut is None or claim.slot < self.cut]
        at = -1
        if stated is not None:
            at = next((n for n, c in enumerate(chain.accepted) if (c.signature, c.receipt) == (stated.signature, stated.receipt)), -1)
            if at < 0:
                return self._not_accepted(key, LAST_GOOD, stated.signature, stated.slot, self.old.grant)
            claim = chain.accepted[at]
            time = stated.block_time if None in (claim.block_time, stated.block_time) else claim.block_time
            there = msgspec.structs.replace(stated, entry_hash=claim.entry_hash, slot=claim.slot, block_time=time)
            if there != stated:
                return Point(key, LAST_GOOD, VIOLATED, _as_claim(stated), _as_claim(there), claim.slot)
        later = [claim for claim in chain.accepted[at + 1 :] if claim in before]
        if later:
            return Point(key, LAST_GOOD, VIOLATED, NO_LATER(), LATER(signature=later[-1].signature, slot=later[-1].slot), later[-1].slot)
        named = stated.entry_hash if stated is not None else GENESIS_HASH
        is_head = chain.state.known and (chain.state.head or GENESIS_HASH) == named
        if self._is_complete(self.old.grant, self.cut) or (
            is_head and chain.state.slot is not None and chain.state.slot >= (self.cut or 0)
        ):
            return Point(key, LAST_GOOD, HOLDS, said, said)
        return Point(key, LAST_GOOD, CANNOT_TELL, said, NOT_COMPLETE())

    def _old_head(self, chain: GrantChain) -> Point:
        """No claim was accepted on the old grant after the switch, and PopState is where it was."""
        key, stated = "old.heads.on_chain", self.old.heads.on_chain
        since = [claim for claim in chain.accepted if self.cut is not None and claim.slot > self.cut]
        if since:
            moved = LATER(signature=since[0].signature, slot=since[0].slot)
            return Point(key, OLD_HEAD, VIOLATED, stated or NO_LATER(), moved, since[0].slot)
        state = chain.state
        is_later = state.known and not state.unreadable and state.slot is not None and self.cut is not None and state.slot > self.cut
        if not is_later or stated is None:
            return Point(key, OLD_HEAD, CANNOT_TELL, stated or NO_LATER(), NO_STATE())
        return compared(key, OLD_HEAD, stated, state.head or GENESIS_HASH, NO_STATE(), state.slot)

    # transactions

    def _transactions(self) -> Iterator[Point]:
        for sent in self.record.transactions:
            if sent.signature is not None:
                yield self._transaction(sent, sent.signature)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {signature: row for row, signature in enumerate(self.facts.claims.transactions.signature)}

    def _transaction(self, sent: Sent, signature: str) -> Point:
        """It landed, was accepted, and stands in the stated slot, at the stated time."""
        key, what, table = f"transactions.{signature}", TRANSACTION(step=sent.step), self.facts.claims.transactions
        row, listed = self._rows.get(signature), (self.facts.evidence.signatures or {}).get(signature)
        stated = LANDED(slot=sent.slot if sent.slot is not None else "?")
        if row is None and listed is None:
            return self._absent(key, what, stated, sent.slot, self._address_of(sent))
        if row is not None:
            slot, block_time, err = table.slot[row], table.block_time[row], table.meta[row].err
        else:
            assert listed is not None
            slot, block_time, err = listed.slot, listed.block_time, listed.err
        if err is not None:
            return Point(key, what, VIOLATED, stated, REFUSED(), slot)
        if sent.slot not in (None, slot):
            return Point(key, what, VIOLATED, stated, LANDED(slot=slot), slot)
        if None not in (sent.block_time, block_time) and sent.block_time != block_time:
            return Point(key, what, VIOLATED, str(sent.block_time), str(block_time), slot)
        return Point(key, what, HOLDS, stated, LANDED(slot=slot), slot)

    def _address_of(self, sent: Sent) -> str:
        """An address that lists the transaction of a step."""
        if sent.step in (FREEZE, CLOSE_OLD):
            return self.old.grant
        return self.pop_config if sent.step == SIGNER or self.new is None else self.new.grant

    def _absent(self, key: str, what: Words, stated: Words, slot: int | None, address: str) -> Point:
        """A transaction that the case does not hold: not on the chain where its address is completely there, else not known."""
        if self._is_complete(address, slot):
            return Point(key, what, VIOLATED, stated, NOT_ON_CHAIN(), slot)
        return Point(key, what, CANNOT_TELL, stated, NOT_COMPLETE() if slot is not None else NO_SLOT(), slot)

    def _not_accepted(self, key: str, what: Words, signature: str, slot: int | None, grant: str) -> Point:
        """A stated claim that is not among the accepted ones of its grant."""
        row = self._rows.get(signature)
        if row is None:
            return self._absent(key, what, signature, slot, grant)
        err = self.facts.claims.transactions.meta[row].err
        return Point(key, what, VIOLATED, signature, NOT_A_CLAIM() if err is None else REFUSED(), slot)

    # the new grant

    def _new_grant(self, new: New) -> Iterator[Point]:
        yield self._is_there(new)
        derived = grant_address(new.authority, new.mint, int(new.grant_id), self.record.program_id)
        yield compared("new.grant_id", NEW_ADDRESS, new.grant, derived, NOT_COLLECTED())
        history = self.facts.history
        yield compared("new.authority", NEW_AUTHORITY, new.authority, history.authority_of(new.grant), NOT_COLLECTED())
        yield compared("new.mint", NEW_MINT, new.mint, history.mint_of(new.grant), NOT_COLLECTED())
        creation = next((step for step in history.of_grant(new.grant) if step.name == "create_grant"), None)
        account = history.account(new.grant)
        start = creation.args["start_ts"] if creation is not None else account.start_ts if account is not None else None
        yield compared("new.start_ts", NEW_START, new.start_ts, start, NOT_COLLECTED())
        terms = (new.grant_id, new.amount_per_period, str(new.period_seconds), str(new.expires_at))
        if creation is None:  # the account's other terms may have been changed since
            yield Point("new.amount_per_period", NEW_TERMS, CANNOT_TELL, _joined(terms), NOT_COLLECTED())
            yield Point("new.grant", NEW_AFTER, CANNOT_TELL, new.grant, NOT_COLLECTED())
            return
        there = tuple(str(creation.args[name]) for name in ("grant_id", "amount_per_period", "period_seconds", "expires_at"))
        yield compared("new.amount_per_period", NEW_TERMS, _joined(terms), _joined(there), NOT_COLLECTED(), creation.slot)
        yield from self._made_by(creation.signature, creation.slot)
        yield self._after_last_good(creation.slot)

    def _is_there(self, new: New) -> Point:
        """An account of the program stands at the new grant's address, or did."""
        key, facts = "new.grant", self.facts
        row, created = facts.accounts.get(new.grant), facts.history.created_slot(new.grant)
        if row is not None and row.exists and (row.owner != self.record.program_id or row.decoded(layouts.Grant) is None):
            return Point(key, NEW_GRANT, VIOLATED, EXISTS(), NO_GRANT(), row.slot)
        if created is not None or (row is not None and row.exists):
            return Point(key, NEW_GRANT, HOLDS, EXISTS(), EXISTS(), created)
        if row is not None and None not in (row.slot, self.cut) and row.slot > self.cut:  # type: ignore[operator]
            return Point(key, NEW_GRANT, VIOLATED, EXISTS(), ABSENT(), row.slot)
        return Point(key, NEW_GRANT, CANNOT_TELL, EXISTS(), NOT_COLLECTED())

    def _made_by(self, signature: str, slot: int) -> Iterator[Point]:
        """The creation is one of the stated transactions, unless a step was found done by somebody whose transaction is not named."""
        sent = [each.signature for each in self.record.transactions if each.step not in (FREEZE, CLOSE_OLD, SIGNER)]
        if sent and None not in sent:
            result = HOLDS if signature in sent else VIOLATED
            yield Point("new.grant", NEW_MADE_BY, result, Listed(tuple(map(str, sent))).sentence, signature, slot)

    def _after_last_good(self, created: int) -> Point:
        key, good = "new.grant", self.old.last_good
        if good is None or created == good.slot:
            return Point(key, NEW_AFTER, HOLDS if good is None else CANNOT_TELL, CREATED(slot=created), CREATED(slot=created), created)
        return Point(key, NEW_AFTER, HOLDS if created > good.slot else VIOLATED, IN_ORDER(slot=good.slot), CREATED(slot=created), created)

    def _first(self, new: New) -> tuple[Attempt | None, bool]:
        """The first claim that was accepted on the new grant, and whether the case shows that it is the first."""
        chain = self._chain(new.grant)
        first = next(iter(chain.linked), None) if chain is not None else None
        return first, first is not None and self._is_complete(new.grant, first.slot)

    def _first_claim(self, new: New) -> Iterator[Point]:
        """It follows what the record calls the new chain's genesis, and is signed by the stated key."""
        first, is_first = self._first(new)
        if first is None:
            why = NO_CLAIM() if new.grant in self.facts.header.grants else NOT_OF_CASE()
            yield Point("new.genesis", FIRST_PARENT, CANNOT_TELL, new.genesis, why)
            return
        found = str(first.prev_hash)
        shown = found if found == new.genesis or is_first else None
        yield compared("new.genesis", FIRST_PARENT, new.genesis, shown, NOT_COMPLETE(), first.slot)
        if new.signer is not None:
            shown = first.signer if first.signer == new.signer or is_first else None
            yield compared("new.signer", FIRST_SIGNER, new.signer, shown, NOT_COMPLETE(), first.slot)

    def _signer(self) -> Iterator[Point]:
        """pop-config named the stated key at the end of the switch."""
        signer, record = self.record.signer, self.record
        steps = [sent for sent in record.transactions if sent.step.startswith("2") and sent.step != CLOSE_OLD and sent.slot is not None]
        slot = max((sent.slot for sent in steps if sent.slot is not None), default=self.cut)
        if signer is None or record.given_up:
            return
        holds = self.facts.history.signer_holds(self.old.authority, slot, signer) if slot is not None else None
        now = self.facts.history.signers_at(self.old.authority, slot) if slot is not None else None
        shown = Listed(tuple(sorted(now or ()))).sentence if now else NOT_COLLECTED()
        result = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[holds]
        yield Point("signer", SIGNED_BY, result, signer, shown, slot)

    # event and canary

    def _event(self, new: New) -> Iterator[Point]:
        if new.event is None:
            return
        links = self.facts.event_links
        grants = sorted({link.grant for link in links if link.event == new.event})
        others = sorted({link.event for link in links if link.grant == new.grant})
        if grants:
            yield compared("new.event", EVENT, new.grant, ", ".join(grants), NOT_COLLECTED())
        elif others:
            yield Point("new.event", EVENT, VIOLATED, new.event, ", ".join(others))
        else:
            yield Point("new.event", EVENT, CANNOT_TELL, new.event, NOT_COLLECTED())

    def _canary(self, new: New) -> Iterator[Point]:
        """The operator's claim was accepted on the new grant, for the stated wallet, with the stated entry."""
        canary, chain = self.record.canary, self._chain(new.grant)
        if canary is None or canary.signature is None:
            return
        if chain is None:
            yield Point("canary", CANARY, CANNOT_TELL, canary.signature, NOT_OF_CASE())
            return
        claim = next((claim for claim in chain.accepted if claim.signature == canary.signature), None)
        if claim is None:
            yield self._not_accepted("canary", CANARY, canary.signature, canary.slot, new.grant)
            return
        stated = (canary.wallet, canary.slot, canary.entry_hash)
        there = tuple(
            value if told is not None else None for told, value in zip(stated, (claim.claimer, claim.slot, claim.entry_hash), strict=True)
        )
        yield compared("canary", CANARY, _joined(stated), _joined(there), NOT_COLLECTED(), claim.slot)


def _joined(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values if value is not None)


def _as_claim(claim: Claim) -> str:
    return _joined((claim.signature, claim.slot, claim.block_time, claim.receipt, claim.entry_hash))
