"""Put together: facts, judgements, causes, impact, reconciliation, coverage and findings of one case."""

from __future__ import annotations

from popkit.diagnosis.advice import steps_of
from popkit.diagnosis.audit_findings import diagnose_audit
from popkit.diagnosis.began import began
from popkit.diagnosis.causes import Incident, causes_of
from popkit.diagnosis.checks import ACCOUNTS, TRANSACTIONS, claim_findings, grant_findings
from popkit.diagnosis.coverage import coverage_of
from popkit.diagnosis.declared import declared_cutovers, declared_findings, declared_rows, given_up, link_declared
from popkit.diagnosis.evidence_findings import evidence_findings
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.impact import (
    affected_claimers,
    describe_fork,
    equivocations,
    first_bad,
    last_good,
    link_cutovers,
    lost_proofs,
    missing_entries,
    reports_by_proof,
)
from popkit.diagnosis.judge import Judge
from popkit.diagnosis.judgement import burnt
from popkit.diagnosis.judgement_findings import judgement_findings
from popkit.diagnosis.people import people_hit
from popkit.diagnosis.reconcile import Reconciler
from popkit.diagnosis.result import Diagnosis, Finding, GrantDiagnosis, Reconciliation, sorted_findings
from popkit.diagnosis.tickets import ticket_findings
from popkit.evidence.bundle import Evidence
from popkit.texts import Text, sentence

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
    judge = Judge(facts)
    grants, findings = [], list(evidence_findings(facts))
    for grant in facts.header.grants:
        diagnosis, found = _diagnose_grant(facts, judge, grant)
        grants.append(diagnosis)
        findings += found
    declared = declared_cutovers(facts)
    link_cutovers(facts, grants, given_up(declared))
    link_declared(declared, grants)
    stated = {(one.record.old.grant, one.successor) for one in declared}
    findings += [
        Finding("superseded", g.grant, (ACCOUNTS, g.superseded_by), observed=g.superseded_by)
        for g in grants
        if g.superseded_by is not None and (g.grant, g.superseded_by) not in stated
    ]
    findings += declared_findings(declared)
    audit = diagnose_audit(facts)
    reconciliation, reconciler, record_findings = _reconcile(facts, grants)
    findings += [*audit.findings, *record_findings, *ticket_findings(facts)]
    checked, not_checked = declared_rows(declared)
    coverage = coverage_of(facts, [g.judgement for g in grants], [*reconciler.not_checked, *not_checked], findings)
    coverage.checked += checked
    return Diagnosis(
        facts.header.case, facts.now, grants, audit, reconciliation, coverage, sorted_findings(findings), frozenset(facts.evidence.files)
    )


def _diagnose_grant(facts: Facts, judge: Judge, grant: str) -> tuple[GrantDiagnosis, list[Finding]]:
    judgement = judge.judge(grant)
    line, chain = judgement.line, judgement.line.chain
    refused = [a for a in chain.attributed if a.broke_chain_rule]
    burnt_ = [a for a in chain.attributed if burnt(judgement, a)]
    incident = Incident(facts, judgement, burnt_, refused, reports_by_proof(facts, judgement))
    causes = causes_of(incident)
    diagnosis = GrantDiagnosis(
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
        forks=[describe_fork(incident, fork) for fork in chain.forks],
        equivocations=equivocations(incident)[0],
        affected_claimers=affected_claimers(incident),
        superseded_by=None,
        cutover_of=None,
        paused=facts.history.is_paused(grant),
        closed=facts.history.is_closed(grant),
        events=facts.events_of(grant),
        titles=_titles(facts, grant),
        people=people_hit(incident),
        steps=steps_of(incident, [cause.name for cause in causes]),
    )
    return diagnosis, [*judgement_findings(facts, incident, diagnosis), *claim_findings(facts, chain), *grant_findings(facts, chain)]


def _titles(facts: Facts, grant: str) -> list[str]:
    """The titles of the grant's events, as the worker shows them."""
    events = facts.evidence.answers.get("events")
    items = events.body.get("items") if events is not None and events.is_ok else None
    wanted = set(facts.events_of(grant))
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    rows += [row.value for key, row in (facts.evidence.storage or {}).items() if key.startswith("event:") and isinstance(row.value, dict)]
    titles = {item["id"]: str(item.get("title", "")) for item in rows if isinstance(item.get("id"), str) and item["id"] in wanted}
    return [titles[event] for event in sorted(titles)]


def _reconcile(facts: Facts, grants: list[GrantDiagnosis]) -> tuple[Reconciliation, Reconciler, list[Finding]]:
    reconciler = Reconciler(facts)
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
    abandoned = set()
    for diagnosis in grants:
        abandoned |= set(lost_proofs(Incident(facts, diagnosis.judgement, [], [], {})))
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


__all__ = ["diagnose", "diagnose_facts"]
