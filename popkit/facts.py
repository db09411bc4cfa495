"""The index of a case's facts: each is computed once, by the room that it belongs to, when it is
first asked for.

Nothing is computed here. A question about a case is asked of `Facts`; how it is answered stands in
the room named.
"""

from __future__ import annotations

from functools import cached_property

from popkit.audit.anchors import Anchor, acknowledged, anchors_of
from popkit.audit.entries import AuditRecords
from popkit.audit.reading import read_audit
from popkit.audit.receipt_rows import ReceiptRow, receipt_rows, receipts_by_entry, sinks_of_receipts
from popkit.audit.receipts import ReceiptCheck, check_receipts
from popkit.audit.tampering import Tampering, find_tampering
from popkit.chain.accounts import CollectedAccounts
from popkit.chain.attempts import read_attempts
from popkit.chain.attribution import Attribution, attribution_of, signed_audit_hashes
from popkit.chain.clock import SlotClock, clock_of, is_impossible
from popkit.chain.eras import EraAt, EraTimeline
from popkit.chain.foreign import foreign_owner
from popkit.chain.history import LATEST, History
from popkit.chain.links import GrantChain
from popkit.chain.listing import Listing
from popkit.claims import ClaimTable, read_claims
from popkit.evidence.bundle import Evidence
from popkit.evidence.rpc import AccountRow
from popkit.protocol import accounts as layouts
from popkit.worker.claim_records import ClaimRecord, read_claim_records, recorded_unseen
from popkit.worker.event_links import EventLink, links_of_case
from popkit.worker.fate import Fates
from popkit.worker.line import WorkerLine
from popkit.worker.lines import LineSources, decide_eras
from popkit.worker.moments import records_until
from popkit.worker.reports import ReportedFailure, reported_failures
from popkit.worker.status import WorkerStatus, read_status, status_counts
from popkit.worker.storage_history import HistoryRow, anchors_named, read_history


class Facts:
    """The facts of one case. `era_option` is the era an operator insists on where nothing else
    decides.
    """

    def __init__(self, evidence: Evidence, era_option: str | None = None) -> None:
        self.evidence = evidence.read_all()
        self.header = evidence.header
        self.now = evidence.header.collected_at
        self.accounts: dict[str, AccountRow] = evidence.accounts or {}
        self.claims: ClaimTable = read_claims(evidence.transactions, self.header.program_id)
        self.problems = [*evidence.problems, *self.claims.problems]
        self._era_option = era_option
        self._doubted: dict[tuple[str, bool, bool], WorkerLine] = {}

    # the chain: accounts, lists, administrators, times

    @cached_property
    def collected(self) -> CollectedAccounts:
        """The accounts of the case, to be asked about receipts and vaults."""
        return CollectedAccounts(self.accounts, self.header.program_id)

    @cached_property
    def listing(self) -> Listing:
        """What the node listed, against what it gave."""
        return Listing(
            self.evidence.signatures, self.claims, self.evidence.transactions is not None
        )

    @cached_property
    def history(self) -> History:
        """What administrators did."""
        return History(self.claims, self.accounts, self.listing.addresses, self.listing.unread)

    @cached_property
    def clock(self) -> SlotClock:
        """Unix seconds of slots; `collected_at` counts for it where it can be true."""
        stated = None if self.clock_is_impossible else self.now
        return clock_of(self.claims, self.evidence.signatures, self.collected, stated)

    @cached_property
    def clock_is_impossible(self) -> bool:
        """Whether `collected_at` cannot be: before everything in the case, or years after it."""
        landed = (second for second in self.claims.transactions.block_time if second is not None)
        return is_impossible(
            self.now, landed, (entry.ts_ms // 1000 for entry in self.audit.entries.values())
        )

    @cached_property
    def attribution(self) -> Attribution:
        """The keys that may sign for each grant."""
        return attribution_of(self.claims, self.history, self.header.grants, self.signer_now)

    def foreign_owner(self, grant: str) -> str | None:
        """Another program than the case's that owns the grant, or that its transactions call; else
        None.
        """
        return foreign_owner(grant, self.accounts, self.history)

    def is_listed_whole(self, grant: str, *, accepted_alone: bool = False) -> bool:
        """Whether the node listed the grant and gave every transaction; `accepted_alone`: each that
        did not fail.
        """
        return self.listing.is_whole(grant, accepted_alone=accepted_alone)

    def is_collected_since(self, address: str, slot: int) -> bool:
        """Whether an account was asked for at a slot or later."""
        return self.collected.is_collected_since(address, slot)

    def receipt(self, address: str) -> layouts.ClaimReceipt | None:
        """A receipt account; None when it does not exist, was not collected or is no receipt."""
        return self.collected.receipt(address)

    def receipt_row(self, grant: str, claimer: str, period_index: int) -> AccountRow | None:
        """The receipt account of (grant, claimer, period) as collected; None when it was not."""
        return self.collected.receipt_row(grant, claimer, period_index)

    def receipt_exists(self, grant: str, claimer: str, period_index: int) -> bool | None:
        """Whether the receipt of (grant, claimer, period) exists on chain; None when that is not
        known.
        """
        return self.collected.receipt_exists(grant, claimer, period_index)

    def receipts_of(self, grant: str) -> set[str]:
        """The addresses of every receipt of a grant that was collected."""
        return self.collected.receipts_of(grant)

    def receipts_without_claims(self, grant: str) -> list[str]:
        """Receipts whose claims are in no transaction of the evidence, ascending: no node gave
        them.
        """
        return self.collected.receipts_without(grant, self.chain(grant).receipts)

    def vault_amount(self, grant: str) -> int | None:
        """The base units that the grant's vault held when it was read; None where that is not
        known.
        """
        return self.collected.vault_amount(grant)

    def vault_is_short(self, grant: str) -> bool | None:
        """Whether the grant's vault held less than one period's amount; None where that is not
        known.
        """
        return self.collected.vault_is_short(grant)

    # the worker's records

    @cached_property
    def status(self) -> WorkerStatus:
        """The signer that the worker's status pages name, and when they were taken."""
        return read_status(self.evidence)

    @property
    def signer_now(self) -> str | None:
        """The signer that the worker's status names; None when not collected, redacted or not
        configured.
        """
        return self.status.signer

    def status_counts(self, authority: str) -> bool:
        """Whether the worker's status is known to be no older than pop-config's last change."""
        return status_counts(self.status, authority, self.history, self.clock)

    @cached_property
    def audit(self) -> AuditRecords:
        """The worker's audit chain."""
        return read_audit(self.evidence, signed_audit_hashes(self.claims, self.attribution))

    @cached_property
    def anchors(self) -> list[Anchor]:
        """The anchors of the worker's proofs, in the order of its audit chain."""
        return anchors_of(self.audit)

    @cached_property
    def acknowledged(self) -> set[str]:
        """The anchors whose request the worker's own trail of API calls shows."""
        return acknowledged(self.audit)

    @cached_property
    def storage_history(self) -> list[HistoryRow]:
        """The worker's own records of the proofs it issued."""
        return read_history(self.evidence.storage)

    @cached_property
    def records_until(self) -> int | None:
        """The unix second, by the worker's clock, up to which its records show what it did; None
        without records.
        """
        return records_until(self.evidence, self.audit, self.storage_history)

    @cached_property
    def claim_records(self) -> list[ClaimRecord]:
        """The worker's records of claims: audit entries, transfers and storage rows."""
        return read_claim_records(self.evidence, self.audit)

    def recorded_unseen(self, grant: str) -> frozenset[str]:
        """Wallets for whom the worker recorded an on-chain claim of a grant that is not in the
        evidence.
        """
        return self._recorded_unseen.get(grant, frozenset())

    @cached_property
    def _recorded_unseen(self) -> dict[str, frozenset[str]]:
        return recorded_unseen(
            self.claim_records, self.event_links, frozenset(self.claims.transactions.signature)
        )

    @cached_property
    def event_links(self) -> list[EventLink]:
        """Every link of an event to a grant of the case, and who says so."""
        return links_of_case(self.evidence, self.audit)

    def events_of(self, grant: str) -> list[str]:
        """The events linked to a grant, ascending."""
        return sorted({link.event for link in self.event_links if link.grant == grant})

    @cached_property
    def reported(self) -> list[ReportedFailure]:
        """Wallets' reports of refusals, in time order, each with the grant of its event."""
        return reported_failures(
            self.evidence.reports or [], self.event_links, self.header.program_id
        )

    # ticket receipts, and what the audit chain lacks

    @cached_property
    def receipt_rows(self) -> list[ReceiptRow]:
        """Every ticket receipt in the case: given ones and those in the worker's storage."""
        return receipt_rows(self.evidence)

    @cached_property
    def receipts_by_entry(self) -> dict[str, list[ReceiptRow]]:
        """The ticket receipts by each audit entry that they name."""
        return receipts_by_entry(self.receipt_rows)

    @cached_property
    def receipt_checks(self) -> list[ReceiptCheck]:
        """Every ticket receipt held against the audit chain."""
        return check_receipts(self.receipt_rows, self.audit)

    @cached_property
    def tampering(self) -> Tampering:
        """What was edited or removed in the audit chain."""
        sinks = sinks_of_receipts(self.receipt_rows, self.receipt_checks)
        return find_tampering(
            self.audit, self.audit.named_elsewhere, sinks, anchors_named(self.storage_history)
        )

    # the program, and the line of each grant under its rules

    @cached_property
    def _sources(self) -> LineSources:
        attempts = read_attempts(self.claims, self.attribution, self.header.grants)
        return LineSources(
            attempts,
            self.collected,
            self.history,
            self.clock,
            self.audit,
            self.anchors,
            self.acknowledged,
            self.storage_history,
            self.evidence.storage,
        )

    @cached_property
    def _decided(self) -> tuple[EraTimeline, dict[str, WorkerLine]]:
        return decide_eras(self._sources, self._era_option)

    @property
    def eras(self) -> EraTimeline:
        """Which program was deployed when."""
        return self._decided[0]

    @property
    def era_now(self) -> EraAt:
        """The era in force when the case was collected."""
        return self.eras.at(LATEST, None if self.clock_is_impossible else self.now)

    def line(self, grant: str) -> WorkerLine:
        """The worker's line of one grant of the case; its chain is `line.chain`."""
        return self._decided[1][grant]

    def chain(self, grant: str) -> GrantChain:
        """The chain of one grant of the case."""
        return self.line(grant).chain

    def doubted_line(
        self,
        grant: str,
        without_state: bool = False,
        attested_alone: bool = False,
    ) -> WorkerLine:
        """The line of a grant without its PopState, or by the proofs alone that something beside an
        anchor shows.
        """
        key = grant, without_state, attested_alone
        if key not in self._doubted:
            doubted = self.line(grant).unattested_anchors if attested_alone else frozenset[str]()
            self._doubted[key] = self._sources.line(
                grant, self.eras, without_state=without_state, without=doubted
            )
        return self._doubted[key]

    def chain_read_at(self, grant: str) -> int | None:
        """The unix second up to which a grant's chain is known; None where nothing tells."""
        return Fates(self, self.line(grant)).read_at


__all__ = ["Facts"]
