"""The worker's claim records against the chain, and the chain's claims against the records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from popkit.chain.attempts import Attempt
from popkit.evidence.collection import incomplete_addresses
from popkit.protocol.message import SKEW_SECONDS
from popkit.protocol.pda import receipt_address
from popkit.texts import Sentence, Text
from popkit.wording import CLAIM_RECORDS
from popkit.worker.case_index import CaseIndex
from popkit.worker.claim_records import ClaimRecord

_MADE_LATER = Text(
    "the record was made after the chain was read",
    "記録がチェーンの読み取りより後に作られています",
)
_NO_RECEIPT_ACCOUNT = Text(
    "the receipt account that the record names was not collected",
    "記録が示すレシートアカウントが収集されていません",
)
_TRANSACTIONS_MISSING = Text(
    "claim records against the chain: transactions are missing from the evidence",
    "claim 記録とチェーンの照合（証拠にトランザクションの欠落があります）",
)
_WITHOUT_TRANSACTION = Text(
    "{records} without a transaction: {why}", "トランザクションのない {records}（{why}）"
)
_NO_EVENT = Text(
    "claims that the worker does not know: no event is linked",
    "worker が把握していない claim（紐付くイベントがありません）",
)
_SHORT_RECORDS = Text(
    "claims that the worker does not know: its records do not reach back to the grant's creation",
    "worker が把握していない claim（worker の記録が grant の作成時点まで遡れません）",
)
_AFTER_NEWEST = Text(
    "whether the worker learnt of claims after its newest record",
    "worker が最新の記録より後の claim を把握したかどうか",
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What could not be compared: of one grant or of all (None), why (a code), and in words."""

    grant: str | None
    why: str
    detail: Sentence


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A record whose transaction the chain holds otherwise.

    `grant` is the first one of the record's event; `claim` is what the transaction did on a grant
    of it, None where it claims nothing there.
    """

    record: ClaimRecord
    grant: str
    claim: Attempt | None


@dataclass(frozen=True, slots=True)
class Unsynced:
    """An accepted claim of which the worker holds no record."""

    signature: str
    grant: str
    slot: int


@dataclass(frozen=True, slots=True)
class _Backing:
    """Records that no transaction in the evidence backs, and what could not be told of others."""

    unbacked: list[ClaimRecord]
    undecided: list[tuple[ClaimRecord, Sentence]]
    doubts: list[Doubt]


class Reconciler:
    """Holds the worker's claim records against accepted claims; questions come in any order."""

    def __init__(self, facts: CaseIndex) -> None:
        self.facts = facts
        self.records = facts.claim_records
        self._periods = {
            grant: {a.period_index for a in facts.chain(grant).accepted} | {0}
            for grant in facts.header.grants
        }
        linked: dict[str, set[str]] = defaultdict(set)
        for link in facts.event_links:
            linked[link.event].add(link.grant)
        self._grants_of_event = {event: sorted(grants) for event, grants in linked.items()}

    @property
    def is_collected(self) -> bool:
        """Whether the case holds anything in which the worker keeps claim records."""
        facts = self.facts
        kept = facts.audit.is_known or facts.evidence.storage is not None
        return kept or "transfers" in facts.evidence.answers

    def grants_of(self, record: ClaimRecord) -> list[str]:
        """The grants that the event of a record is linked to, ascending."""
        return self._grants_of_event.get(record.event_id, [])

    def chain_is_complete(self, grant: str) -> bool:
        """Whether every accepted claim of a grant is in the evidence, as far as that can tell.

        Its creation is there, its head is known, what was listed was given and could be read, links
        have no gap, no receipt is without its claim, and whoever collected the case states no list
        of it to be incomplete. Without a list, strict links from GENESIS to PopState show as much.
        """
        facts, chain = self.facts, self.facts.chain(grant)
        transactions, signatures = facts.evidence.transactions, facts.evidence.signatures
        if (
            transactions is None
            or transactions.unavailable
            or grant in incomplete_addresses(facts.header)
        ):
            return False
        if facts.evidence.is_damaged("rpc/transactions") or facts.evidence.is_damaged(
            "rpc/signatures"
        ):
            return False
        if (
            chain.unseen
            or not chain.state.known
            or facts.history.created_slot(grant) is None
            or facts.receipts_without_claims(grant)
        ):
            return False
        if signatures is None or grant not in (facts.history.listed or ()):
            return chain.is_closed_by_state
        have = set(transactions.signature)
        return all(signature in have for signature in signatures)

    @property
    def unbacked(self) -> list[ClaimRecord]:
        """Records of an on-chain claim that complete evidence does not hold.

        Their transaction is not there, and no receipt of that claimer exists.
        """
        return self._backing.unbacked

    @property
    def undecided(self) -> list[tuple[ClaimRecord, Sentence]]:
        """Records that the chain, as read, neither backs nor denies, each with the reason."""
        return self._backing.undecided

    @property
    def doubts_of_records(self) -> list[Doubt]:
        """Why records could not be held against the chain."""
        return self._backing.doubts

    @cached_property
    def _backing(self) -> _Backing:
        given = self.facts.claims.transactions.signature
        have = {None, *given, *(self.facts.evidence.signatures or {})}
        named = [r for r in self.records if r.tx_signature not in have and self.grants_of(r)]
        whole = {grant: self.chain_is_complete(grant) for grant in self.facts.header.grants}
        is_missing, found = False, _Backing([], [], [])
        for record in named:
            if self._is_late(record):
                found.undecided.append((record, _MADE_LATER()))
            elif not all(whole[grant] for grant in self.grants_of(record)):
                is_missing = True
            elif (held := self._has_receipt(record)) is None:
                found.undecided.append((record, _NO_RECEIPT_ACCOUNT()))
            elif not held:
                found.unbacked.append(record)
        if is_missing:
            found.doubts.append(Doubt(None, "not_given", _TRANSACTIONS_MISSING()))
        for why, count in Counter(why for _, why in found.undecided).items():
            text = _WITHOUT_TRANSACTION(records=CLAIM_RECORDS(count), why=why)
            found.doubts.append(Doubt(None, "undecided", text))
        return found

    def _is_late(self, record: ClaimRecord) -> bool:
        """Whether a record's transaction may have landed since the chain was read.

        The record is younger than the chain's evidence, or not ten minutes older.
        """
        if record.ts_ms is None:
            return False
        read = [self.facts.chain_read_at(grant) for grant in self.grants_of(record)]
        return any(
            at is None or record.ts_ms // 1000 > min(at, self.facts.now) - SKEW_SECONDS
            for at in read
        )

    def _has_receipt(self, record: ClaimRecord) -> bool | None:
        """Whether a receipt of the record's claimer exists; None where it was not collected."""
        grants = self.grants_of(record)
        for grant in grants:
            for period in self._periods[grant]:
                if any(
                    self.facts.receipt_exists(grant, wallet, period) for wallet in record.wallets
                ):
                    return True
        if record.receipt is None:
            return False
        row = self.facts.accounts.get(record.receipt)
        if row is None:
            program = self.facts.header.program_id
            derived = {
                receipt_address(grant, wallet, period, program)
                for grant in grants
                for wallet in record.wallets
                for period in self._periods[grant]
            }
            return None if record.receipt in derived else False
        receipt = self.facts.receipt(record.receipt)
        return (
            receipt is not None
            and receipt.grant in grants
            and (not record.wallets or receipt.claimer in record.wallets)
        )

    @cached_property
    def contradicted(self) -> list[Contradicted]:
        """Records whose transaction is another's, of another grant, of no claim, or refused."""
        attempts: dict[str, list[tuple[str, Attempt]]] = defaultdict(list)
        for grant in self.facts.header.grants:
            chain = self.facts.chain(grant)
            for attempt in [*chain.accepted, *chain.refused, *chain.forged]:
                attempts[attempt.signature].append((grant, attempt))
        given = set(self.facts.claims.transactions.signature)
        found = []
        for record in self.records:
            grants = self.grants_of(record)
            if record.tx_signature not in given or not grants or self._has_receipt(record):
                continue
            claims = [claim for grant, claim in attempts[record.tx_signature] if grant in grants]
            if not any(_bears_out(claim, record) for claim in claims):
                found.append(Contradicted(record, grants[0], claims[0] if claims else None))
        return found

    @property
    def unsynced(self) -> list[Unsynced]:
        """Accepted claims of which the worker holds no record; by signature, grant and slot.

        A record of the claimer in any event of the grant is one. A claim that rests on a ticket
        receipt has such a record before it is made: there the record must name the transaction or
        its receipt account.
        """
        return self._synced[0]

    @property
    def doubts_of_claims(self) -> list[Doubt]:
        """Why accepted claims could not be held against the records."""
        return self._synced[1]

    @property
    def doubts(self) -> list[Doubt]:
        """Everything that could not be held against the other side."""
        return [*self.doubts_of_records, *self.doubts_of_claims]

    @cached_property
    def _synced(self) -> tuple[list[Unsynced], list[Doubt]]:
        found: list[Unsynced] = []
        doubts: dict[Doubt, None] = {}
        for grant in self.facts.header.grants:
            chain, line = self.facts.chain(grant), self.facts.line(grant)
            events = set(self.facts.events_of(grant))
            if chain.accepted and not events:
                doubts[Doubt(grant, "no_event", _NO_EVENT())] = None
            if not chain.accepted or not events:
                continue
            if not (line.records_since_creation or self.facts.evidence.storage is not None):
                doubts[Doubt(grant, "partial", _SHORT_RECORDS())] = None
                continue
            newest = line.records.newest
            for attempt in self._unknown_to_worker(grant, events):
                is_later = (
                    newest is not None
                    and attempt.block_time is not None
                    and attempt.block_time * 1000 > newest.ts_ms
                )
                if is_later:
                    doubts[Doubt(grant, "older", _AFTER_NEWEST())] = None
                else:
                    found.append(Unsynced(attempt.signature, grant, attempt.slot))
        return sorted(found, key=lambda one: (one.signature, one.grant, one.slot)), list(doubts)

    def _unknown_to_worker(self, grant: str, events: set[str]) -> list[Attempt]:
        """Accepted claims of a grant that no record names, in the chain's order."""
        proofs = self.facts.line(grant).proofs
        of_events = [record for record in self.records if record.event_id in events]
        wallets = {wallet for record in of_events for wallet in record.wallets}
        named = {record.tx_signature for record in self.records}
        named |= {record.receipt for record in of_events}
        found = []
        for attempt in self.facts.chain(grant).accepted:
            is_gated = attempt.entry_hash is not None and proofs[attempt.entry_hash].is_gated
            is_named = attempt.signature in named or attempt.receipt in named
            if not is_named and (is_gated or attempt.claimer not in wallets):
                found.append(attempt)
        return found


def _bears_out(claim: Attempt, record: ClaimRecord) -> bool:
    """Whether a claim is what a record says: accepted, and of a wallet that it names, if any."""
    return claim.accepted and (not record.wallets or claim.claimer in record.wallets)
