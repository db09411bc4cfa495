"""What rules are asked about: a case, a grant, a claim; each with what the rules need to answer."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from popkit.audit.ends import (
    WrongEnd,
    WrongStreamLink,
    beginnings,
    wrong_ends,
    wrong_stream_links,
)
from popkit.audit.entries import AuditEntry
from popkit.audit.server import ServerVerdict, server_verdict
from popkit.causes.model import Cause
from popkit.causes.registry import causes_of
from popkit.chain.attempts import Attempt
from popkit.facts import Facts
from popkit.rules.cutover.declared import Declared, declared_cutovers
from popkit.rules.model import Where
from popkit.verdict.incident import Incident
from popkit.verdict.judge import Judge
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.reconcile import Reconciler
from popkit.worker.tickets import Tickets

TRANSACTIONS, ACCOUNTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl"
AUDIT_LOGS, STORAGE, BUCKET = "worker/audit-logs.json", "worker/storage.jsonl", "worker/r2"
RECEIPTS, REPORTS = "worker/ticket-receipts.jsonl", "client/errors.jsonl"


class CaseSide:
    """A case as its rules ask about it: its facts, and what is held against each other in it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._judge = Judge(facts)
        self._grants: dict[str, GrantSide] = {}

    def grant(self, grant: str) -> GrantSide:
        """One grant of the case, judged once."""
        if grant not in self._grants:
            self._grants[grant] = GrantSide(self, Incident(self.facts, self._judge.judge(grant)))
        return self._grants[grant]

    @cached_property
    def reconciler(self) -> Reconciler:
        """The worker's claim records against the chain."""
        return Reconciler(self.facts)

    @cached_property
    def tickets(self) -> Tickets:
        """The ticket receipts behind accepted claims."""
        return Tickets(self.facts)

    @cached_property
    def declared(self) -> list[Declared]:
        """The records of cutovers, each held against the chain."""
        return declared_cutovers(self.facts)

    @cached_property
    def restarts(self) -> list[AuditEntry]:
        """Entries that begin the audit chain once more, oldest first."""
        return beginnings(self.facts.audit)[1:]

    @cached_property
    def wrong_ends(self) -> list[WrongEnd]:
        """Stored heads, and an empty list, that do not fit the newest audit entry."""
        return wrong_ends(self.facts.evidence.storage, self.facts.audit)

    @cached_property
    def wrong_stream_links(self) -> list[WrongStreamLink]:
        """Audit entries that do not follow the entry before them in their stream."""
        return wrong_stream_links(self.facts.audit)

    @cached_property
    def server_verdict(self) -> ServerVerdict | None:
        """The worker's own audit-integrity against what was recomputed; None where it is not in the case."""
        facts = self.facts
        receipts_hold = not any(check.is_bad for check in facts.receipt_checks)
        ends_hold = not (self.wrong_ends or self.restarts or self.wrong_stream_links)
        return server_verdict(facts.evidence, facts.audit, facts.tampering, receipts_hold, ends_hold)

    @cached_property
    def records_by_signature(self) -> dict[str, list[ClaimRecord]]:
        """The worker's claim records by the transaction that they name; '' for those that name none."""
        found: dict[str, list[ClaimRecord]] = defaultdict(list)
        for record in self.facts.claim_records:
            found[record.tx_signature or ""].append(record)
        return found


class GrantSide:
    """A judged grant as its rules ask about it."""

    def __init__(self, case: CaseSide, incident: Incident) -> None:
        self.case, self.incident, self.facts = case, incident, case.facts
        self.judgement, self.line, self.chain = incident.judgement, incident.judgement.line, incident.judgement.line.chain
        self.grant = self.chain.grant

    @cached_property
    def causes(self) -> list[Cause]:
        """Why the grant is as it is."""
        return causes_of(self.incident)

    @cached_property
    def is_complete(self) -> bool:
        """Whether the evidence holds every transaction of the grant."""
        return self.case.reconciler.chain_is_complete(self.grant)

    @property
    def last_good(self) -> Attempt | None:
        """The last accepted claim that the evidence holds."""
        return self.chain.accepted[-1] if self.chain.accepted else None


class ClaimSide:
    """A claim attempt as its rules ask about it."""

    def __init__(self, side: GrantSide, attempt: Attempt) -> None:
        self.side, self.attempt, self.facts = side, attempt, side.facts
        self.line, self.chain, self.grant, self.tickets = side.line, side.chain, side.grant, side.case.tickets
        self.claims, self.row = self.facts.claims, attempt.row
        self.era = self.chain.era_at(attempt)
        self.records = side.case.records_by_signature.get(attempt.signature, [])
        self.proof = self.line.proofs.get(attempt.entry_hash or "")

    @property
    def where(self) -> Where:
        """Where the claim stands in the case."""
        return TRANSACTIONS, self.attempt.signature

    @property
    def has_proof(self) -> bool:
        """Whether it is a claim of a program that asks for a proof."""
        return int(self.claims.account_count[self.row]) >= 12

    @property
    def is_forged(self) -> bool:
        """Whether the transaction is not one that was signed and executed as it stands here."""
        return self.attempt.noise == "forged"
