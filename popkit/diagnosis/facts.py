"""Everything a diagnosis reads, computed once from the evidence: claims, history, eras, chains, the worker's lines, wallets' reports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from popkit.attempts import Attempt, Attribution, read_attempts, shown_by_claims
from popkit.audit.anchors import Anchor, anchors_of
from popkit.audit.entries import AuditRecords, milliseconds
from popkit.audit.reading import read_audit
from popkit.audit.receipts import ReceiptCheck, check_receipts
from popkit.audit.tampering import Tampering, bucket_key, find_tampering
from popkit.chain import GrantChain, read_state
from popkit.claims import ClaimTable, read_claims
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.storage_history import HistoryRow, read_history
from popkit.eras import EARLIEST, EraTimeline, Shown, only
from popkit.evidence.bundle import Evidence
from popkit.evidence.lines import Place
from popkit.evidence.worker import WalletReport
from popkit.history import History
from popkit.protocol import accounts as layouts
from popkit.protocol.errors import TransactionFailure, read_logged_failure
from popkit.protocol.keys import is_pubkey
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import grant_address, receipt_address


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
    def signer_now(self) -> str | None:
        """The signer that the worker's status names; None when not collected, redacted or not configured."""
        for name, path in (("pop-status", ("signerPubkey",)), ("runtime-status", ("checks", "popSignerPubkey"))):
            answer = self.evidence.answers.get(name)
            value: object = answer.body if answer is not None and answer.is_ok else None
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if is_pubkey(value):
                return str(value)
        return None

    def status_is_older(self, authority: str) -> bool:
        """Whether the worker's status says by its own clock that it was taken before pop-config was last changed.

        Whom it names may then have been right, and says nothing of now.
        """
        answer, named_at = self.evidence.answers.get("runtime-status"), self.history.signer_named_at(authority)
        taken = answer.body.get("checkedAt") if answer is not None and answer.is_ok else None
        taken_ms = milliseconds(taken) if isinstance(taken, str) else None
        return taken_ms is not None and named_at is not None and taken_ms < named_at * 1000

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
        models = [(anchor.ts_ms // 1000, anchor.model) for anchor in self.anchors]
        return EraTimeline([*shown_by_claims(self.claims, self.history), *self._extra_shown], models, self._era_option)

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

    def _make_line(self, grant: str) -> WorkerLine:
        chain = GrantChain(grant, self._attempts[grant], read_state(grant, self.accounts), self.eras, self.now)
        created = next((s.block_time for s in self.history.of_grant(grant) if s.name == "create_grant"), None)
        return WorkerLine(chain, self.audit, self.anchors, self.storage_history, self.evidence.storage, created)

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
                receipt = receipt_address(line.chain.grant, parent.claimer, parent.period_index)
                gone = self.is_collected_since(receipt, attempt.slot) and not self.accounts[receipt].exists
                if gone or (parent.claimer, parent.period_index) in claimed:
                    shown.append(Shown(attempt.slot, only("relaxed"), "a claim was accepted on a proof that never landed"))
        self._extra_shown = shown
        return bool(shown)

    def receipt_exists(self, grant: str, claimer: str, period_index: int) -> bool | None:
        """Whether the receipt of (grant, claimer, period) exists on chain; None when it was not collected."""
        row = self.accounts.get(receipt_address(grant, claimer, period_index))
        return None if row is None else row.exists

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

    def is_collected_since(self, address: str, slot: int) -> bool:
        """Whether an account was asked for at a slot or later, so that what was written by then shows in it."""
        row = self.accounts.get(address)
        return row is not None and (row.slot is None or row.slot >= slot)

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
            link = _link(row, source)
            if link is not None and link.grant in self.header.grants:
                links.add(link)
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
    def era_now(self) -> str:
        """The era in force when the case was collected."""
        return self.eras.at(1 << 62, self.now).era


def _link(row: object, source: str) -> EventLink | None:
    """An event row's link, when it carries the three on-chain fields."""
    if not isinstance(row, dict):
        return None
    event = row.get("id") or row.get("eventId")
    authority, mint, grant_id = row.get("solanaAuthority"), row.get("solanaMint"), row.get("solanaGrantId")
    if not isinstance(event, str) or not (is_pubkey(authority) and is_pubkey(mint)):
        return None
    try:
        number = int(str(grant_id))
    except ValueError:
        return None
    if not 0 <= number < 1 << 64:
        return None
    return EventLink(event, grant_address(str(authority), str(mint), number), source)


__all__ = ["GENESIS_HASH", "EventLink", "Facts", "ReportedFailure"]
