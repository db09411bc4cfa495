"""What rules are asked about: a case, a grant, a claim; each with what the rules need to answer."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

from popkit.audit.ends import (
    WrongEnd,
    WrongStreamLink,
    beginnings,
    wrong_ends,
    wrong_stream_links,
)
from popkit.audit.entries import AuditEntry
from popkit.audit.receipts import ReceiptCheck
from popkit.audit.server import ServerVerdict, server_verdict
from popkit.causes.model import Cause
from popkit.causes.registry import causes_of
from popkit.chain.attempts import Attempt
from popkit.chain.history import Terms
from popkit.chain.links import GrantChain
from popkit.evidence import layout
from popkit.evidence.lines import Place
from popkit.facts import Facts
from popkit.protocol.accounts import ClaimReceipt
from popkit.protocol.pda import pop_config_address
from popkit.rules.cutover.declared import (
    Declared,
    declared_cutovers,
    given_up,
    successors_declared,
)
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule, Shown, Where
from popkit.verdict.incident import Incident
from popkit.verdict.judge import Judge
from popkit.verdict.succession import predecessors, successors
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.reconcile import Reconciler
from popkit.worker.tickets import Tickets

TRANSACTIONS, ACCOUNTS = layout.TRANSACTIONS, layout.ACCOUNTS
AUDIT_LOGS, STORAGE, BUCKET = layout.AUDIT_LOGS.file, layout.STORAGE, layout.BUCKET
RECEIPTS, REPORTS = layout.RECEIPTS, layout.REPORTS


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
    def successors(self) -> dict[str, str]:
        """The grant that took over from each that is lost or undecided, as the chain shows it:
        {old: new}.
        """
        judgements = [self.grant(grant).judgement for grant in self.facts.header.grants]
        return successors(self.facts, judgements, given_up(self.declared))

    @cached_property
    def _stated_successors(self) -> dict[str, str]:
        return successors_declared(self.declared, self.facts.header.grants)

    @property
    def taken_over(self) -> dict[str, str]:
        """{old: new} of grants that were cut over: by a record that the chain bears out, else by
        the chain.
        """
        return {**self.successors, **self._stated_successors}

    @cached_property
    def taken_over_from(self) -> dict[str, str]:
        """{new: old} of the same; of several old grants the one that a record names, else the
        first.
        """
        stated = self._stated_successors
        shown = {old: new for old, new in self.successors.items() if old not in stated}
        return {**predecessors(shown), **{new: old for old, new in stated.items()}}

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
        """The worker's own audit-integrity against what was recomputed; None where it is not there."""
        facts = self.facts
        receipts_hold = not any(check.is_bad for check in facts.receipt_checks)
        ends_hold = not (self.wrong_ends or self.restarts or self.wrong_stream_links)
        return server_verdict(
            facts.evidence, facts.audit, facts.tampering, receipts_hold, ends_hold
        )

    @cached_property
    def receipt_check_at(self) -> dict[Place, ReceiptCheck]:
        """What every ticket receipt in the evidence says against its audit entry, by its place."""
        return {check.place: check for check in self.facts.receipt_checks}

    @cached_property
    def contradicted_records(self) -> frozenset[Where]:
        """Where the claim records stand that the chain contradicts."""
        found = self.reconciler.contradicted
        return frozenset((one.record.file, one.record.key) for one in found)

    @cached_property
    def first_proof_slot(self) -> int | None:
        """The slot of the first accepted claim with a proof, on whichever grant; None without any."""
        linked = (self.facts.chain(grant).linked for grant in self.facts.header.grants)
        return min((claims[0].slot for claims in linked if claims), default=None)

    @cached_property
    def records_by_signature(self) -> dict[str, list[ClaimRecord]]:
        """The worker's claim records by the transaction that they name; '' for those that name
        none.
        """
        found: dict[str, list[ClaimRecord]] = defaultdict(list)
        for record in self.facts.claim_records:
            found[record.tx_signature or ""].append(record)
        return found


class GrantSide:
    """A judged grant as its rules ask about it."""

    def __init__(self, case: CaseSide, incident: Incident) -> None:
        self.case, self.incident, self.facts = case, incident, case.facts
        self.judgement, self.line, self.chain = (
            incident.judgement,
            incident.judgement.line,
            incident.judgement.line.chain,
        )
        self.grant = self.chain.grant

    @cached_property
    def causes(self) -> list[Cause]:
        """Why the grant is as it is."""
        return causes_of(self.incident)

    @cached_property
    def authority(self) -> str | None:
        """Whose grant it is; None where the evidence does not tell."""
        return self.facts.history.authority_of(self.grant)

    @cached_property
    def config(self) -> str | None:
        """The address of the authority's pop-config; None where the authority is not known."""
        authority, program = self.authority, self.facts.header.program_id
        return None if authority is None else pop_config_address(authority, program)

    @cached_property
    def is_complete(self) -> bool:
        """Whether the evidence holds every transaction of the grant."""
        return self.case.reconciler.chain_is_complete(self.grant)

    @property
    def last_good(self) -> Attempt | None:
        """The last accepted claim that the evidence holds."""
        return self.chain.accepted[-1] if self.chain.accepted else None

    @property
    def chain_as_read(self) -> GrantChain:
        """The chain with every reading of PopState; `chain`, on which the verdict rests, may leave
        a doubted one out.
        """
        return self.facts.chain(self.grant)

    def file_of(self, entry: str) -> str:
        """The file that shows a proof: the chain where it landed, else the worker's records, else
        what names it on chain.
        """
        proof = self.line.proofs.get(entry)
        if proof is None or proof.refused or not proof.from_worker:
            return TRANSACTIONS
        return (
            STORAGE
            if proof.anchor is None
            else self.line.records.entries[proof.anchor.anchor_hash].place.part
        )


class ClaimSide:
    """A claim attempt as its rules ask about it."""

    def __init__(self, side: GrantSide, attempt: Attempt) -> None:
        self.side, self.attempt, self.facts = side, attempt, side.facts
        self.line, self.chain, self.grant, self.tickets = (
            side.line,
            side.chain,
            side.grant,
            side.case.tickets,
        )
        self.claims, self.row = self.facts.claims, attempt.row
        self.where: Where = (TRANSACTIONS, attempt.signature)
        """Where the claim stands in the case."""
        self.era = self.chain.era_at(attempt)
        self.records = side.case.records_by_signature.get(attempt.signature, [])
        self.proof = self.line.proofs.get(attempt.entry_hash or "")
        self.counts = attempt.accepted and not self.is_forged
        """Whether it was accepted, and is what was executed. What does not hold of any other claim
        follows from its refusal or from its being forged, and is no finding of its own."""

    @property
    def has_proof(self) -> bool:
        """Whether it is a claim of a program that asks for a proof."""
        return int(self.claims.account_count[self.row]) >= 12

    @property
    def is_forged(self) -> bool:
        """Whether the transaction is not one that was signed and executed as it stands here."""
        return self.attempt.noise == "forged"

    @cached_property
    def terms(self) -> list[Terms]:
        """The terms that may have held while the claim's slot ran; [] where they are not known."""
        return self.facts.history.terms_during(self.grant, self.attempt.slot)

    @cached_property
    def receipt(self) -> ClaimReceipt | None:
        """The claim's receipt account as collected; None where it is not there, or is none."""
        return self.facts.receipt(self.attempt.receipt)

    def says(
        self,
        rule: Rule | Shown,
        status: str,
        expected: object = None,
        observed: object = None,
        **also: Any,
    ) -> Answer:
        """An answer about the claim, at the claim's own place unless `also` says `where`.

        `also` are the other attributes of an answer.
        """
        is_part = not self.counts
        if isinstance(rule, Shown):
            also.setdefault("source", rule.source)
            also.setdefault("is_optional", rule.is_optional)
            is_part = is_part or not rule.makes_findings
            rule = rule.rule
        also.setdefault("is_part", is_part)
        where = also.pop("where", self.where)
        slot, grant = self.attempt.slot, self.grant
        return Answer(rule, status, where, expected, observed, slot=slot, grant=grant, **also)

    def equal(self, rule: Rule | Shown, expected: object, observed: object, **also: Any) -> Answer:
        """Whether two things are one; None on either side cannot tell."""
        unknown = expected is None or observed is None
        status = CANNOT_TELL if unknown else HOLDS if expected == observed else VIOLATED
        return self.says(rule, status, expected, observed, **also)
