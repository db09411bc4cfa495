"""Put together: facts, judgements, causes, impact, reconciliation, coverage and findings of one case."""

from __future__ import annotations

from popkit.diagnosis.advice import steps_of
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
from popkit.rules.audit_findings import diagnose_audit
from popkit.rules.declared import declared_findings, declared_rows, link_declared
from popkit.rules.evidence_findings import evidence_findings
from popkit.rules.inquiry import Inquiry
from popkit.rules.judgement_findings import judgement_findings
from popkit.rules.model import Finding, sorted_findings
from popkit.rules.sides import TRANSACTIONS, GrantSide
from popkit.texts import Text, sentence
from popkit.verdict.succession import predecessors
from popkit.worker.reconcile import Reconciler
from popkit.worker.tickets import ticket_findings

_RECORDED = Text("the transaction {signature}", "トランザクション {signature}")
_ITS_RECORD = Text("a claim record of the claimer", "claimer の claim 記録")
_NO_RECORD = Text("the worker holds no record of the claim", "worker にこの claim の記録がありません")


def diagnose(evidence: Evidence, era: str | None = None) -> Diagnosis:
    """Diagnose a case.

    `era` is the program version to assume where neither behaviour, nor the worker's model, nor the date decides.
    """
    return diagnose_facts(Facts(evidence, era))


def diagnose_facts(facts: Facts) -> Diagnosis:
    """Diagnose a case whose facts are already there."""
    return diagnose_inquiry(Inquiry(facts))


def diagnose_inquiry(inquiry: Inquiry) -> Diagnosis:
    """Diagnose a case of which the rules were asked."""
    facts = inquiry.facts
    sides = [inquiry.side.grant(grant) for grant in facts.header.grants]
    grants = [_diagnose_grant(side) for side in sides]
    findings = list(evidence_findings(facts))
    findings += [answer.finding for answer in inquiry.everything() if answer.is_finding]
    for side in sides:
        findings += judgement_findings(side)
    declared = inquiry.side.declared
    link_declared(declared, grants)
    findings += declared_findings(declared)
    audit = diagnose_audit(facts)
    reconciliation, reconciler, record_findings = _reconcile(inquiry)
    findings += [*audit.findings, *record_findings, *ticket_findings(facts)]
    checked, not_checked = declared_rows(declared)
    coverage = coverage_of(facts, [g.judgement for g in grants], [*reconciler.not_checked, *not_checked], findings)
    coverage.checked += checked
    return Diagnosis(
        facts.header.case, facts.now, grants, audit, reconciliation, coverage, sorted_findings(findings), frozenset(facts.evidence.files)
    )


def _diagnose_grant(side: GrantSide) -> GrantDiagnosis:
    facts, grant, incident, judgement, causes = side.facts, side.grant, side.incident, side.judgement, side.causes
    line, chain, taken_over = side.line, side.chain, side.case.successors
    return GrantDiagnosis(
        grant=grant,
        judgement=judgement,
        causes=causes,
        last_good=last_good(chain),
        first_bad=first_bad(incident),
        began=began(incident),
        missing_entries=missing_entries(incident),
        unseen_entries=chain.unseen,
        foreign_entries=sorted(p.entry_hash for p in line.proofs.values() if p.issuer == "foreign" and p.accepted is not None),
        forged_transactions=sorted({a.signature for a in chain.forged}),
        forks=incident.forks,
        equivocations=incident.equivocations,
        affected_claimers=affected_claimers(incident),
        superseded_by=taken_over.get(grant),
        cutover_of=predecessors(taken_over).get(grant),
        paused=facts.history.is_paused(grant),
        closed=facts.history.is_closed(grant),
        events=facts.events_of(grant),
        titles=_titles(facts, grant),
        people=people_hit(incident),
        steps=steps_of(incident, [cause.name for cause in causes]),
    )


def _titles(facts: Facts, grant: str) -> list[str]:
    """The titles of the grant's events, as the worker shows them."""
    events = facts.evidence.answers.get("events")
    items = events.body.get("items") if events is not None and events.is_ok else None
    wanted = set(facts.events_of(grant))
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    rows += [row.value for key, row in (facts.evidence.storage or {}).items() if key.startswith("event:") and isinstance(row.value, dict)]
    titles = {item["id"]: str(item.get("title", "")) for item in rows if isinstance(item.get("id"), str) and item["id"] in wanted}
    return [titles[event] for event in sorted(titles)]


def _reconcile(inquiry: Inquiry) -> tuple[Reconciliation, Reconciler, list[Finding]]:
    facts, reconciler = inquiry.facts, inquiry.side.reconciler
    findings = list(reconciler.contradicted())
    unbacked = reconciler.unbacked()
    for record in unbacked:
        grant = sorted(reconciler.grants_of[record.event_id])[0]
        findings.append(
            Finding(
                "record_unbacked",
                grant,
                (record.file, record.key),
                _RECORDED(signature=record.tx_signature),
                sentence("the chain holds neither the transaction nor a receipt", "チェーンにトランザクションもレシートもありません"),
            )
        )
    for record, why in reconciler.undecided:
        grant, where = sorted(reconciler.grants_of[record.event_id])[0], (record.file, record.key)
        findings.append(Finding("record_unchecked", grant, where, _RECORDED(signature=record.tx_signature), why))
    unsynced = reconciler.unsynced()
    for signature, grant, slot in unsynced:
        findings.append(Finding("claim_unsynced", grant, (TRANSACTIONS, signature), _ITS_RECORD(), _NO_RECORD(), slot=slot))
    abandoned = {entry for grant in facts.header.grants for entry in inquiry.side.grant(grant).incident.lost_proofs}
    signatures = sorted({str(r.tx_signature) for r in unbacked})
    unsynced_ = sorted({row[0] for row in unsynced})
    return Reconciliation(signatures, unsynced_, sorted(abandoned), _unknown_records(facts)), reconciler, findings


def _unknown_records(facts: Facts) -> frozenset[str]:
    """The lists of the reconciliation that nothing in the case could fill: without the worker's records, or without claims."""
    evidence = facts.evidence
    unknown = set()
    if not facts.audit.is_known and evidence.storage is None and "transfers" not in evidence.answers:
        unknown |= {"unbacked_records", "unsynced_claims"}
    if evidence.transactions is None:
        unknown |= {"unbacked_records", "unsynced_claims", "abandoned_proofs"}
    return frozenset(unknown)


__all__ = ["diagnose", "diagnose_facts", "diagnose_inquiry"]
