"""Everything a diagnosis reads, computed once from the evidence: claims, history, eras, chains, the worker's lines, wallets' reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from popkit.audit.anchors import Anchor, acknowledged, anchors_of
from popkit.audit.entries import AuditRecords, milliseconds
from popkit.audit.reading import read_audit
from popkit.audit.receipts import ReceiptCheck, check_receipts
from popkit.audit.tampering import Tampering, bucket_key, find_tampering
from popkit.chain.attempts import Attempt, Attribution, read_attempts, shown_by_claims
from popkit.chain.clock import SLACK, SlotClock, is_impossible
from popkit.chain.eras import EARLIEST, EraAt, EraTimeline, Shown, only
from popkit.chain.history import LATEST, History
from popkit.chain.links import UNREAD, GrantChain, PopStateSeen, read_state
from popkit.claims import ClaimTable, read_claims
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Place
from popkit.evidence.rpc import AccountRow
from popkit.evidence.worker import WalletReport
from popkit.protocol import accounts as layouts
from popkit.protocol.errors import TransactionFailure, read_logged_failure
from popkit.protocol.instructions import InstructionError, decode_instruction
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import pop_config_address, receipt_address, vault_address
from popkit.worker.claim_records import ClaimRecord, read_claim_records
from popkit.worker.event_links import event_link
from popkit.worker.line import WorkerLine
from popkit.worker.status import WorkerStatus, read_status
from popkit.worker.storage_history import HistoryRow, read_history


@dataclass(frozen=True, slots=True)
class EventLink:
    """An event and the grant it is linked to, and who says so."""

    event: str
    grant: str
    source: str


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    """A wallet's report that tells of a refusal by a program."""

    report: WalletReport
    grant: str
    failure: TransactionFailure

    @property
    def error(self) -> str | None:
        return self.failure.error or (f"Custom({self.failure.code})" if self.failure.code is not None else None)


_FIRST_CALLS = 64
"""How many transactions are looked at for another program, where none calls the case's."""


class Facts:
    """The facts of one case. `era_option` is the era an operator insists on where nothing else decides."""

    def __init__(self, evidence: Evidence, era_option: str | None = None) -> None:
        self.evidence = evidence.read_all()
        self.header = evidence.header
        self.now = evidence.header.collected_at
        self.accounts = evidence.accounts or {}
        self.claims: ClaimTable = read_claims(evidence.transactions, self.header.program_id, evidence.problems)
        self.history = self._read_history()
        self._era_option = era_option
        self._extra_shown: list[Shown] = []
        self._lines: dict[str, WorkerLine] = {}
        self._doubted: dict[tuple[str, bool, bool], WorkerLine] = {}

    def _read_history(self) -> History:
        """What administrators did, with the addresses that the node listed and those of which it did not give all."""
        rows, claims = self.evidence.signatures, self.claims
        hidden = {
            key for row in claims.unread_calls if claims.transactions.meta[row].err is None for key in claims.decode(row).account_keys
        }
        if rows is None:
            return History(self.claims, self.accounts, None, hidden)
        given = set(self.claims.transactions.signature)
        listed = {address for row in rows.values() for address in row.addresses}
        unread = {address for row in rows.values() if row.err is None and row.signature not in given for address in row.addresses}
        return History(self.claims, self.accounts, listed, unread | hidden)

    @cached_property
    def clock(self) -> SlotClock:
        """Unix seconds of slots: by the block times of transactions and lists, the times in receipts, and `collected_at`."""
        transactions = self.claims.transactions
        times = [(slot, t) for slot, t in zip(transactions.slot, transactions.block_time, strict=True) if t is not None]
        times += [(row.slot, row.block_time) for row in (self.evidence.signatures or {}).values() if row.block_time is not None]
        if not times:
            accepted = [row for row in range(len(self.claims)) if self.claims.accepted[row]]
            receipts = [(int(self.claims.slot[row]), self.receipt(self.claims.key_text["receipt"][row])) for row in accepted]
            times = [(slot, receipt.claimed_at) for slot, receipt in receipts if receipt is not None]
        slots = [row.slot for row in self.accounts.values() if row.slot is not None]
        return SlotClock(times, (max(slots), self.now) if slots and not self.clock_is_impossible else None)

    @cached_property
    def clock_is_impossible(self) -> bool:
        """Whether `collected_at` cannot be: before everything in the case, or years after it. Then no verdict rests on it."""
        landed = [t for t in self.claims.transactions.block_time if t is not None]
        return is_impossible(self.now, landed, [entry.ts_ms // 1000 for entry in self.audit.entries.values()])

    @cached_property
    def records_until(self) -> int | None:
        """The unix second, by the worker's clock, up to which its records tell of what it did; None without records.

        The newest entry of its audit chain or of its history; or, later, a moment at which the worker itself was asked and its chain
        still ended there (audit-integrity names the head and the time; a list that a collector asked for holds the newest row).
        """
        newest = [row.issued_at for row in self.storage_history]
        tip = self.audit.newest
        if tip is not None:
            newest.append(tip.ts_ms // 1000)
            integrity = self.evidence.answers.get("audit-integrity")
            body = integrity.body if integrity is not None and isinstance(integrity.body, dict) else {}
            if body.get("globalHead") == tip.hash and isinstance(body.get("inspectedAt"), str):
                newest.append((milliseconds(body["inspectedAt"]) or 0) // 1000)
            newest += [int(at) for at, rows in self._lists_asked_for if tip.hash in rows]
        return max(newest, default=None)

    @cached_property
    def _worker_clock_ahead(self) -> float:
        """Seconds that the worker's clock is ahead of the collector's, by what runtime-status said when it was asked; 0.0 where it did not.

        The machine that collects may have a clock that is wrong by hours; what it noted must not make the records look younger.
        """
        for answer in reversed(self.evidence.asked.get("runtime-status", [])):
            stated = answer.body.get("checkedAt") if answer.is_ok and isinstance(answer.body, dict) else None
            at_ms = milliseconds(stated) if isinstance(stated, str) else None
            if at_ms is not None and answer.asked_at is not None:
                return at_ms / 1000 - answer.asked_at
        return 0.0

    @cached_property
    def _lists_asked_for(self) -> list[tuple[float, set[str]]]:
        """(when a collector asked, by the worker's clock; the hashes shown) of each audit list that was asked for over HTTP."""
        found = []
        ahead = self._worker_clock_ahead
        for answer in self.evidence.earlier_lists:
            rows = answer.body.get("logs") if answer.is_ok else None
            if answer.asked_at is not None and isinstance(rows, list):
                found.append((answer.asked_at + ahead, {str(row.get("entry_hash")) for row in rows if isinstance(row, dict)}))
        return found

    @cached_property
    def status(self) -> WorkerStatus:
        """The signer that the worker's status pages name, and when they were taken, as far as anything tells."""
        return read_status(self.evidence)

    @property
    def signer_now(self) -> str | None:
        """The signer that the worker's status names; None when not collected, redacted or not configured."""
        return self.status.signer

    def status_counts(self, authority: str) -> bool:
        """Whether the worker's status is known to be no older than pop-config's last change, so that it may be held against it.

        Whom an older status names may then have been right, and says nothing of now. A status without a time is as old as it may be.
        """
        taken = self.status.taken_at
        if taken is None:
            return False
        changed = self.history.signer_named_at(authority)
        if changed is None:
            config = self.accounts.get(pop_config_address(authority, self.header.program_id))
            changed = self.clock.earliest(config.slot) if config is not None else None
            return changed is not None and taken >= changed - SLACK
        return taken >= changed

    @cached_property
    def claim_records(self) -> list[ClaimRecord]:
        """The worker's records of claims: audit entries, transfers and storage rows."""
        return read_claim_records(self.evidence, self.audit)

    def recorded_unseen(self, grant: str) -> frozenset[str]:
        """Wallets for whom the worker recorded an on-chain claim of a grant whose transaction is not in the evidence."""
        return self._recorded_unseen.get(grant, frozenset())

    @cached_property
    def _recorded_unseen(self) -> dict[str, frozenset[str]]:
        have = set(self.claims.transactions.signature)
        found: dict[str, set[str]] = defaultdict(set)
        for record in self.claim_records:
            if record.tx_signature is not None and record.tx_signature not in have:
                for link in self.event_links:
                    if link.event == record.event_id:
                        found[link.grant] |= set(record.wallets)
        return {grant: frozenset(wallets) for grant, wallets in found.items()}

    @cached_property
    def attribution(self) -> Attribution:
        """The keys that may sign for each grant: those pop-config named at some slot, and the worker's.

        An accepted claim shows its signer to have been pop-config's at its slot, whatever else of pop-config is in the case.
        """
        extra = {self.signer_now} if self.signer_now else set()
        keys = {grant: self.history.signers_ever(self.history.authority_of(grant)) | extra for grant in self.header.grants}
        claims = self.claims
        for row in range(len(claims)):
            grant = claims.key_text["grant"][row]
            if claims.accepted[row] and claims.proof_place[row] == 1 and grant in keys and claims.transaction_signatures_hold[row]:
                keys[grant].add(claims.key_text["signer"][row])
        return Attribution(keys)

    @cached_property
    def audit(self) -> AuditRecords:
        """The worker's audit chain."""
        hashes = self.claims.hash_text["audit_hash"]
        named = {hashes[row] for row in range(len(self.claims)) if self.claims.message_version[row] == 2 and self._is_signed_for(row)}
        return read_audit(self.evidence, named)

    def _is_signed_for(self, row: int) -> bool:
        keys = self.attribution.for_grant(self.claims.key_text["grant"][row])
        return bool(self.claims.proof_signature_holds[row]) and self.claims.key_text["signer"][row] in keys

    @cached_property
    def anchors(self) -> list[Anchor]:
        return anchors_of(self.audit)

    @cached_property
    def storage_history(self) -> list[HistoryRow]:
        return read_history(self.evidence.storage)

    @cached_property
    def eras(self) -> EraTimeline:
        """Which program was deployed when."""
        models = [(anchor.ts_ms // 1000, anchor.model) for anchor in self.anchors if anchor.anchor_hash in self.acknowledged]
        shown = [*shown_by_claims(self.claims, self.history), *self._extra_shown]
        return EraTimeline(shown, models, self._era_option, self.clock)

    @cached_property
    def acknowledged(self) -> set[str]:
        """The anchors whose request the worker's own trail of API calls shows."""
        return acknowledged(self.audit)

    @cached_property
    def _attempts(self) -> dict[str, list[Attempt]]:
        return read_attempts(self.claims, self.attribution, self.header.grants)

    def chain(self, grant: str) -> GrantChain:
        """The chain of one grant of the case."""
        return self.line(grant).chain

    def line(self, grant: str) -> WorkerLine:
        """The worker's line of one grant; its chain is `line.chain`."""
        if grant not in self._lines:
            for name in self.header.grants:
                self._lines[name] = self._make_line(name)
            if self._show_relaxed_parents():
                vars(self).pop("eras", None)
                self._lines = {name: self._make_line(name) for name in self.header.grants}
        return self._lines[grant]

    def doubted_line(self, grant: str, without_state: bool = False, attested_alone: bool = False) -> WorkerLine:
        """The line of a grant as if its PopState had not been collected, or as if only proofs that are attested had been issued."""
        key = grant, without_state, attested_alone
        if key not in self._doubted:
            unattested = {p.anchor.anchor_hash for p in self.line(grant).unattested if p.anchor is not None} if attested_alone else set()
            self._doubted[key] = self._make_line(grant, UNREAD if without_state else None, unattested)
        return self._doubted[key]

    def _make_line(self, grant: str, state: PopStateSeen | None = None, without: Collection[str] = ()) -> WorkerLine:
        state = state or read_state(grant, self.accounts, self.header.program_id)
        read_at = self.clock.earliest(state.slot) if state.slot is not None else None
        chain = GrantChain(grant, self._attempts[grant], state, self.eras, read_at)
        created = next((s.block_time for s in self.history.of_grant(grant) if s.name == "create_grant"), None)
        anchors = [anchor for anchor in self.anchors if anchor.anchor_hash not in without]
        return WorkerLine(chain, self.audit, anchors, self.storage_history, self.evidence.storage, created, self.acknowledged)

    def _show_relaxed_parents(self) -> bool:
        """Accepted claims on a parent that certainly never landed show the relaxed program, as two siblings do.

        Certain is: the parent is one of the worker's own proofs, its receipt is said not to exist since or is another claim's, and that
        program exists by then.
        """
        shown = []
        for line in self._lines.values():
            claimed = {(a.claimer, a.period_index) for a in line.chain.accepted}
            for attempt in line.chain.linked:
                parent = line.proofs.get(str(attempt.prev_hash))
                if parent is None or parent.accepted is not None or not parent.from_worker or not parent.confirmed:
                    continue
                if (attempt.block_time or attempt.issued_at or 0) < EARLIEST["relaxed"]:
                    continue
                receipt = receipt_address(line.chain.grant, parent.claimer, parent.period_index, self.header.program_id)
                gone = self.is_collected_since(receipt, attempt.slot) and not self.accounts[receipt].exists
                if gone or (parent.claimer, parent.period_index) in claimed:
                    shown.append(Shown(attempt.slot, only("relaxed"), "a claim was accepted on a proof that never landed"))
        self._extra_shown = shown
        return bool(shown)

    def receipt_exists(self, grant: str, claimer: str, period_index: int) -> bool | None:
        """Whether the receipt of (grant, claimer, period) exists on chain; None when it was not collected."""
        row = self.receipt_row(grant, claimer, period_index)
        return None if row is None or (row.slot is None and not row.exists) else row.exists

    def receipt_row(self, grant: str, claimer: str, period_index: int) -> AccountRow | None:
        """The receipt account of (grant, claimer, period) as collected; None when it was not."""
        return self.accounts.get(receipt_address(grant, claimer, period_index, self.header.program_id))

    def receipt(self, address: str) -> layouts.ClaimReceipt | None:
        """A receipt account as collected; None when it does not exist, was not collected or is no receipt."""
        row = self.accounts.get(address)
        return row.decoded(layouts.ClaimReceipt) if row is not None else None

    def receipts_of(self, grant: str) -> set[str]:
        """The addresses of every receipt of a grant that was collected."""
        return self._receipts_by_grant.get(grant, set())

    @cached_property
    def _receipts_by_grant(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for address in self.accounts:
            receipt = self.receipt(address)
            if receipt is not None:
                found[receipt.grant].add(address)
        return found

    def receipts_without_claims(self, grant: str) -> list[str]:
        """Receipts whose claims are in no transaction of the evidence, ascending: no node gave them."""
        chain = self.chain(grant)
        return sorted(self.receipts_of(grant) - {attempt.receipt for attempt in [*chain.accepted, *chain.forged]})

    def chain_read_at(self, grant: str) -> int | None:
        """The unix second up to which a grant's chain is known; None where nothing tells."""
        from popkit.worker.fate import Fates

        return Fates(self, self.line(grant)).read_at

    def is_listed_whole(self, grant: str, *, accepted_alone: bool = False) -> bool:
        """Whether the node listed the grant's transactions and gave every one of them; `accepted_alone`: every one that did not fail."""
        signatures, transactions = self.evidence.signatures, self.evidence.transactions
        if signatures is None or transactions is None or grant not in (self.history.listed or ()):
            return False
        rows = (row for row in signatures.values() if grant in row.addresses and not (accepted_alone and row.err is not None))
        return all(row.signature in self._given for row in rows)

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(self.claims.transactions.signature)

    def is_collected_since(self, address: str, slot: int) -> bool:
        """Whether an account was asked for at a slot or later, so that what was written by then shows in it.

        An account without a slot is of an unknown age: that it exists shows, that it does not says nothing.
        """
        row = self.accounts.get(address)
        return row is not None and (row.exists if row.slot is None else row.slot >= slot)

    def vault_is_short(self, grant: str) -> bool | None:
        """Whether the grant's vault held less than one period's amount when it was read; None where either is not known."""
        account, vault = self.history.account(grant), self.vault_amount(grant)
        return None if account is None or vault is None else vault < account.amount_per_period

    def vault_amount(self, grant: str) -> int | None:
        """The base units that the grant's vault held when it was read; None where it was not collected or is no token account."""
        row = self.accounts.get(vault_address(grant, self.header.program_id))
        if row is None or row.data is None:
            return None
        try:
            return layouts.decode_token_account(row.data).amount
        except layouts.AccountError:
            return None

    def foreign_owner(self, grant: str) -> str | None:
        """The program that owns the grant's account where it is not the case's: then the case names a wrong program; else None."""
        row = self.accounts.get(grant)
        if row is not None and row.exists:
            return row.owner if row.owner != self.header.program_id else None
        return self._called_instead if not len(self.claims) and not self.history.steps else None

    @cached_property
    def _called_instead(self) -> str | None:
        """Another program than the case's that transactions call with the grant program's instructions; None where none is."""
        for row in range(min(len(self.claims.transactions), _FIRST_CALLS)):
            for call in self.claims.decode(row).instructions:
                if call.data is None or call.program == self.header.program_id:
                    continue
                try:
                    decode_instruction(call.data, call.accounts)
                except InstructionError:
                    continue
                return call.program
        return None

    @cached_property
    def event_links(self) -> list[EventLink]:
        """Every link of an event to a grant: by the case, the worker's event list, its EVENT_CREATE entries and its storage."""
        links = {EventLink(event, grant, "case.json") for event, grant in self.header.events if grant in self.header.grants}
        rows: list[tuple[object, str]] = []
        events = self.evidence.answers.get("events")
        if events is not None and events.is_ok and isinstance(events.body.get("items"), list):
            rows += [(item, "events") for item in events.body["items"]]
        created = [entry for entry in self.audit.ordered if entry.event == "EVENT_CREATE" and not self.audit.is_orphan(entry.hash)]
        rows += [(entry.data, "EVENT_CREATE") for entry in created]
        rows += [(row.value, "storage") for key, row in (self.evidence.storage or {}).items() if key.startswith("event:")]
        for row, source in rows:
            link = event_link(row, self.header.program_id)
            if link is not None and link[1] in self.header.grants:
                links.add(EventLink(*link, source))
        return sorted(links, key=lambda link: (link.grant, link.event, link.source))

    def events_of(self, grant: str) -> list[str]:
        """The events linked to a grant, ascending."""
        return sorted({link.event for link in self.event_links if link.grant == grant})

    @cached_property
    def reported(self) -> list[ReportedFailure]:
        """Wallets' reports of refusals, in time order, each with the grant of its event."""
        grants = defaultdict(set)
        for link in self.event_links:
            grants[link.event].add(link.grant)
        found = []
        for report in self.evidence.reports or []:
            failure = read_logged_failure(report.logs, report.message)
            if failure is not None:
                found += [ReportedFailure(report, grant, failure) for grant in sorted(grants[report.event_id])]
        return found

    @cached_property
    def tampering(self) -> Tampering:
        """What was edited or removed in the audit chain."""
        named = set(self.audit.named_elsewhere)
        sinks = set()
        held = {c.receipt_id for c in self.receipt_checks if not c.is_bad and "entry" not in c.unknown}
        for receipt, _ in self.receipt_rows:
            audit = receipt.get("audit")
            if not isinstance(audit, dict) or receipt.get("receiptId") not in held:
                continue
            stated = audit.get("immutableSinks")
            for sink in stated if isinstance(stated, list) else ():
                key = bucket_key(sink)
                if key is not None and isinstance(receipt.get("issuedAt"), str):
                    sinks.add((key, receipt["issuedAt"]))
        recorded = {h.anchor_hash: h.issued_at * 1000 for h in self.storage_history if h.holds and h.anchor_hash is not None}
        return find_tampering(self.audit, named, sinks, recorded)

    @cached_property
    def receipt_rows(self) -> list[tuple[dict[str, Any], Place]]:
        """Every ticket receipt in the case: given ones and those in the worker's storage."""
        rows = [(row.receipt, row.place) for row in self.evidence.receipts or []]
        for key, row in (self.evidence.storage or {}).items():
            if key.startswith(("ticket_receipt:", "ticket_receipt_subject:")) and isinstance(row.value, dict):
                rows.append((row.value, Place(row.place.file, row.place.line, key, row.place.sha256)))
        return rows

    @cached_property
    def receipts_by_entry(self) -> dict[str, list[tuple[dict[str, Any], Place]]]:
        """The ticket receipts by each audit entry that they name."""
        found: dict[str, list[tuple[dict[str, Any], Place]]] = defaultdict(list)
        for receipt, place in self.receipt_rows:
            audit = receipt.get("audit")
            names = {str(receipt.get("receiptId")), str(audit.get("entryHash") if isinstance(audit, dict) else None)}
            for name in names:
                found[name].append((receipt, place))
        return found

    @cached_property
    def receipt_checks(self) -> list[ReceiptCheck]:
        return check_receipts(self.receipt_rows, self.audit)

    @property
    def era_now(self) -> EraAt:
        """The era in force when the case was collected."""
        return self.eras.at(LATEST, None if self.clock_is_impossible else self.now)


__all__ = ["GENESIS_HASH", "EventLink", "Facts", "ReportedFailure"]
