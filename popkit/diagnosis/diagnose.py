"""Put together: facts, judgements, causes, impact, reconciliation, coverage and findings of one
case.
"""

from __future__ import annotations

from popkit.diagnosis.advice import steps_of
from popkit.diagnosis.audit import diagnose_audit
from popkit.diagnosis.began import began
from popkit.diagnosis.coverage import coverage_of
from popkit.diagnosis.impact import (
    affected_claimers,
    first_bad,
    last_good,
    missing_entries,
)
from popkit.diagnosis.people import people_hit
from popkit.diagnosis.result import Diagnosis, GrantDiagnosis, Reconciliation
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import sorted_findings
from popkit.rules.sides import GrantSide


def diagnose(evidence: Evidence, era: str | None = None) -> Diagnosis:
    """Diagnose a case.

    `era` is the program version to assume where neither behaviour, nor the worker's model, nor the
    date decides.
    """
    return diagnose_facts(Facts(evidence, era))


def diagnose_facts(facts: Facts) -> Diagnosis:
    """Diagnose a case whose facts are already there."""
    return diagnose_inquiry(Inquiry(facts))


def diagnose_inquiry(inquiry: Inquiry) -> Diagnosis:
    """Diagnose a case of which the rules were asked."""
    facts = inquiry.facts
    grants = [_diagnose_grant(inquiry.side.grant(grant)) for grant in facts.header.grants]
    findings = [answer.finding for answer in inquiry.everything() if answer.is_finding]
    return Diagnosis(
        facts.header.case,
        facts.now,
        grants,
        diagnose_audit(inquiry),
        _reconcile(inquiry),
        coverage_of(inquiry.side, [g.judgement for g in grants], findings),
        sorted_findings(findings),
        frozenset(facts.evidence.files),
        facts,
    )


def _diagnose_grant(side: GrantSide) -> GrantDiagnosis:
    facts, grant, incident, judgement, causes = (
        side.facts,
        side.grant,
        side.incident,
        side.judgement,
        side.causes,
    )
    line, chain = side.line, side.chain
    return GrantDiagnosis(
        grant=grant,
        judgement=judgement,
        causes=causes,
        last_good=last_good(chain),
        first_bad=first_bad(incident),
        began=began(incident),
        missing_entries=missing_entries(incident),
        unseen_entries=chain.unseen,
        foreign_entries=sorted(
            p.entry_hash
            for p in line.proofs.values()
            if p.issuer == "foreign" and p.accepted is not None
        ),
        forged_transactions=sorted({a.signature for a in chain.forged}),
        forks=incident.forks,
        equivocations=incident.equivocations,
        affected_claimers=affected_claimers(incident),
        superseded_by=side.case.taken_over.get(grant),
        cutover_of=side.case.taken_over_from.get(grant),
        paused=facts.history.is_paused(grant),
        closed=facts.history.is_closed(grant),
        events=facts.events_of(grant),
        titles=_titles(facts, grant),
        people=people_hit(incident),
        steps=steps_of(incident, [cause.name for cause in causes]),
        declared=[one for one in side.case.declared if one.record.old.grant == grant],
        facts=facts,
    )


def _titles(facts: Facts, grant: str) -> list[str]:
    """The titles of the grant's events, as the worker shows them."""
    events = facts.evidence.answers.get("events")
    items = events.body.get("items") if events is not None and events.is_ok else None
    wanted = set(facts.events_of(grant))
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    rows += [
        row.value
        for key, row in (facts.evidence.storage or {}).items()
        if key.startswith("event:") and isinstance(row.value, dict)
    ]
    titles = {
        item["id"]: str(item.get("title", ""))
        for item in rows
        if isinstance(item.get("id"), str) and item["id"] in wanted
    }
    return [titles[event] for event in sorted(titles)]


def _reconcile(inquiry: Inquiry) -> Reconciliation:
    """The worker's records against the chain, as findings.json lists them."""
    side, reconciler = inquiry.side, inquiry.side.reconciler
    grants = inquiry.facts.header.grants
    lost = {entry for grant in grants for entry in side.grant(grant).incident.lost_proofs}
    return Reconciliation(
        sorted({str(record.tx_signature) for record in reconciler.unbacked}),
        sorted({one.signature for one in reconciler.unsynced}),
        sorted(lost),
        _unknown_lists(inquiry),
    )


def _unknown_lists(inquiry: Inquiry) -> frozenset[str]:
    """The lists of the reconciliation that nothing in the case could fill.

    Without the worker's records, or without claims, nothing tells.
    """
    unknown = set()
    if not inquiry.side.reconciler.is_collected:
        unknown |= {"unbacked_records", "unsynced_claims"}
    if inquiry.facts.evidence.transactions is None:
        unknown |= {"unbacked_records", "unsynced_claims", "abandoned_proofs"}
    return frozenset(unknown)


__all__ = ["diagnose", "diagnose_facts", "diagnose_inquiry"]
