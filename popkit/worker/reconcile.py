"""The worker's claim records against the chain: records the chain does not hold, claims the worker does not know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.diagnosis.result import Row
from popkit.evidence.collection import incomplete_addresses
from popkit.protocol.message import SKEW_SECONDS
from popkit.protocol.pda import receipt_address
from popkit.rules.model import Finding
from popkit.texts import Listed, Sentence, Text, sentence
from popkit.wording import CLAIM_RECORDS
from popkit.worker.case_index import CaseIndex
from popkit.worker.claim_records import ClaimRecord

_MADE_LATER = Text("the record was made after the chain was read", "記録がチェーンの読み取りより後に作られています")
_NO_RECEIPT_ACCOUNT = Text(
    "the receipt account that the record names was not collected", "記録が示すレシートアカウントが収集されていません"
)
_TRANSACTIONS_MISSING = Text(
    "claim records against the chain: transactions are missing from the evidence",
    "claim 記録とチェーンの照合（証拠にトランザクションの欠落があります）",
)
_WITHOUT_TRANSACTION = Text("{records} without a transaction: {why}", "トランザクションのない {records}（{why}）")
_NO_CLAIM = Text("the transaction holds no claim of the event's grant", "トランザクションに、イベントの grant への claim がありません")
_ACCEPTED_OF = Text("an accepted claim of {claimers}", "{claimers} の受理された claim")
_ACCEPTED_OF_GRANT = Text("an accepted claim of the grant", "この grant の受理された claim")
_NO_EVENT = Text("claims that the worker does not know: no event is linked", "worker が把握していない claim（紐付くイベントがありません）")
_SHORT_RECORDS = Text(
    "claims that the worker does not know: its records do not reach back to the grant's creation",
    "worker が把握していない claim（worker の記録が grant の作成時点まで遡れません）",
)
_AFTER_NEWEST = Text("whether the worker learnt of claims after its newest record", "worker が最新の記録より後の claim を把握したかどうか")


def _named_by(attempt: Attempt) -> Sentence:
    """The claim of the transaction that a record names."""
    if attempt.accepted:
        return sentence("an accepted claim of {claimer}", "{claimer} の受理された claim", claimer=attempt.claimer)
    return sentence(
        "a claim of {claimer}, refused with {error}", "{claimer} の claim（{error} で拒否）", claimer=attempt.claimer, error=attempt.error
    )


class Reconciler:
    """Holds the worker's claim records against accepted claims.

    `not_checked` says what could not be; `undecided` are the records that the chain, as it was read, can neither back nor deny, each with
    the reason. Both are filled by the questions asked.
    """

    def __init__(self, facts: CaseIndex) -> None:
        self.facts = facts
        self.records = facts.claim_records
        self.not_checked: list[Row] = []
        self.undecided: list[tuple[ClaimRecord, Sentence]] = []
        self._periods = {grant: {a.period_index for a in facts.chain(grant).accepted} | {0} for grant in facts.header.grants}
        self.grants_of: dict[str, set[str]] = defaultdict(set)
        for link in facts.event_links:
            self.grants_of[link.event].add(link.grant)

    def chain_is_complete(self, grant: str) -> bool:
        """Whether every accepted claim of a grant is in the evidence, as far as the evidence can tell.

        Its creation is there, its head is known, what was listed was given and could be read, links have no gap, no receipt is without its
        claim, and whoever collected the case states no list of it to be incomplete. Without a list of it, strict links from GENESIS to
        PopState show as much.
        """
        facts, chain = self.facts, self.facts.chain(grant)
        transactions, signatures = facts.evidence.transactions, facts.evidence.signatures
        if transactions is None or transactions.unavailable or grant in incomplete_addresses(facts.header):
            return False
        if facts.evidence.is_damaged("rpc/transactions") or facts.evidence.is_damaged("rpc/signatures"):
            return False
        if chain.unseen or not chain.state.known or facts.history.created_slot(grant) is None or facts.receipts_without_claims(grant):
            return False
        if signatures is None or grant not in (facts.history.listed or ()):
            return chain.is_closed_by_state
        have = set(transactions.signature)
        return all(signature in have for signature in signatures)

    def unbacked(self) -> list[ClaimRecord]:
        """Records of an on-chain claim whose transaction is not in complete evidence and whose receipt does not exist for that claimer."""
        have = set(self.facts.claims.transactions.signature) | set(self.facts.evidence.signatures or {})
        told = [r for r in self.records if r.tx_signature is not None and r.tx_signature not in have and self.grants_of[r.event_id]]
        whole = {grant: self.chain_is_complete(grant) for grant in self.facts.header.grants}
        missing, found = False, []
        for record in told:
            if self._is_late(record):
                self.undecided.append((record, _MADE_LATER()))
            elif not all(whole[grant] for grant in self.grants_of[record.event_id]):
                missing = True
            elif (held := self._has_receipt(record)) is None:
                self.undecided.append((record, _NO_RECEIPT_ACCOUNT()))
            elif not held:
                found.append(record)
        if missing:
            self.not_checked.append(Row("claim_records", None, "not_given", _TRANSACTIONS_MISSING()))
        for why, count in Counter(why for _, why in self.undecided).items():
            text = _WITHOUT_TRANSACTION(records=CLAIM_RECORDS(count), why=why)
            self.not_checked.append(Row("claim_records", None, "undecided", text))
        return found

    def _is_late(self, record: ClaimRecord) -> bool:
        """Whether a record is younger than the chain's evidence, or not ten minutes older: its transaction may have landed since."""
        if record.ts_ms is None:
            return False
        read = [self.facts.chain_read_at(grant) for grant in self.grants_of[record.event_id]]
        return any(at is None or record.ts_ms // 1000 > min(at, self.facts.now) - SKEW_SECONDS for at in read)

    def _has_receipt(self, record: ClaimRecord) -> bool | None:
        """Whether a receipt of the record's claimer exists; None when the receipt that it names was not collected."""
        grants = self.grants_of[record.event_id]
        for grant in grants:
            for period in self._periods[grant]:
                if any(self.facts.receipt_exists(grant, wallet, period) for wallet in record.wallets):
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
        return receipt is not None and receipt.grant in grants and (not record.wallets or receipt.claimer in record.wallets)

    def contradicted(self) -> Iterator[Finding]:
        """Records that name a transaction of somebody else, of another grant, of no claim at all, or one that was refused."""
        attempts: dict[str, list[tuple[str, Attempt]]] = defaultdict(list)
        for grant in self.facts.header.grants:
            chain = self.facts.chain(grant)
            for attempt in [*chain.accepted, *chain.refused, *chain.forged]:
                attempts[attempt.signature].append((grant, attempt))
        given = set(self.facts.claims.transactions.signature)
        for record in self.records:
            grants = self.grants_of[record.event_id]
            if record.tx_signature not in given or not grants or self._has_receipt(record):
                continue
            known = [(grant, attempt) for grant, attempt in attempts[record.tx_signature] if grant in grants]
            if any(a.accepted and (not record.wallets or a.claimer in record.wallets) for _, a in known):
                continue
            found = _named_by(known[0][1]) if known else _NO_CLAIM()
            holders = Listed(record.wallets, or_=True)
            wanted = _ACCEPTED_OF(claimers=holders) if record.wallets else _ACCEPTED_OF_GRANT()
            slot = known[0][1].slot if known else None
            yield Finding("record_contradicted", sorted(grants)[0], (record.file, record.key), wanted, found, slot=slot)

    def unsynced(self) -> list[tuple[str, str, int]]:
        """(signature, grant, slot) of accepted claims of which the worker holds no record.

        A record of the claimer in any event of the grant is one. A claim that rests on a ticket receipt has such a record before it is
        made: there the record must name the transaction or its receipt account.
        """
        found = []
        for grant in self.facts.header.grants:
            chain, line = self.facts.chain(grant), self.facts.line(grant)
            events = set(self.facts.events_of(grant))
            if chain.accepted and not events:
                self.not_checked.append(Row("claim_records", grant, "no_event", _NO_EVENT()))
            if not chain.accepted or not events:
                continue
            if not (line.records_since_creation or self.facts.evidence.storage is not None):
                self.not_checked.append(Row("claim_records", grant, "partial", _SHORT_RECORDS()))
                continue
            newest = line.records.newest
            known = {w for r in self.records if r.event_id in events for w in r.wallets}
            named = {r.tx_signature for r in self.records} | {r.receipt for r in self.records if r.event_id in events}
            for attempt in chain.accepted:
                is_gated = attempt.entry_hash is not None and line.proofs[attempt.entry_hash].is_gated
                if attempt.signature in named or attempt.receipt in named or (attempt.claimer in known and not is_gated):
                    continue
                if newest is not None and attempt.block_time is not None and attempt.block_time * 1000 > newest.ts_ms:
                    self.not_checked.append(Row("claim_records", grant, "older", _AFTER_NEWEST()))
                    continue
                found.append((attempt.signature, grant, attempt.slot))
        return sorted(found)
