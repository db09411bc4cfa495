"""Put together: facts, judgements, causes, impact, reconciliation, coverage and findings of one case."""

from __future__ import annotations

from popkit.diagnosis.advice import steps_of
from popkit.diagnosis.audit import diagnose_audit
from popkit.diagnosis.began import began
from popkit.diagnosis.coverage import coverage_of
from popkit.diagnosis.impact import (
    affected_claimers,
    first_bad,
    last_good,
    link_cutovers,
    missing_entries,
)
from popkit.diagnosis.people import people_hit
from popkit.diagnosis.result import Diagnosis, GrantDiagnosis, Reconciliation
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.rules.claim_findings import ACCOUNTS, claim_findings, grant_findings
from popkit.rules.cutover.declared import given_up, successors_declared
from popkit.rules.inquiry import Inquiry
from popkit.rules.judgement_findings import judgement_findings
from popkit.rules.model import Finding, sorted_findings
from popkit.rules.sides import GrantSide
from popkit.verdict.incident import describe_fork, equivocations, lost_proofs


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
    facts, side = inquiry.facts, inquiry.side
    grants, findings = [], [answer.finding for answer in inquiry.everything() if answer.is_finding]
    for grant in facts.header.grants:
        diagnosis, found = _diagnose_grant(side.grant(grant))
        grants.append(diagnosis)
        findings += found
    link_cutovers(facts, grants, given_up(side.declared))
    stated = successors_declared(side.declared, facts.header.grants)
    _link(grants, stated)
    findings += [
        Finding("superseded", g.grant, (ACCOUNTS, g.superseded_by), observed=g.superseded_by)
        for g in grants
        if g.superseded_by is not None and stated.get(g.grant) != g.superseded_by
    ]
    coverage = coverage_of(side, [g.judgement for g in grants], findings)
    return Diagnosis(
        facts.header.case,
        facts.now,
        grants,
        diagnose_audit(inquiry),
        _reconcile(inquiry),
        coverage,
        sorted_findings(findings),
        frozenset(facts.evidence.files),
    )


def _link(grants: list[GrantDiagnosis], stated: dict[str, str]) -> None:
    """Say which grant took over from which, where a record says so and the chain agrees."""
    by_name = {grant.grant: grant for grant in grants}
    for old, new in stated.items():
        guessed = by_name.get(by_name[old].superseded_by or "")
        if guessed is not None and guessed.cutover_of == old:
            guessed.cutover_of = None
        by_name[old].superseded_by, by_name[new].cutover_of = new, old


def _diagnose_grant(side: GrantSide) -> tuple[GrantDiagnosis, list[Finding]]:
    facts, grant, incident, judgement, causes = side.facts, side.grant, side.incident, side.judgement, side.causes
    line, chain = side.line, side.chain
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
        declared=[one for one in side.case.declared if one.record.old.grant == grant],
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


def _reconcile(inquiry: Inquiry) -> Reconciliation:
    """The worker's records against the chain, as findings.json lists them."""
    facts, reconciler = inquiry.facts, inquiry.side.reconciler
    abandoned = {
        proof
        for grant in facts.header.grants
        for proof in lost_proofs(inquiry.side.grant(grant).incident)
    }
    return Reconciliation(
        sorted({str(record.tx_signature) for record in reconciler.unbacked}),
        sorted({one.signature for one in reconciler.unsynced}),
        sorted(abandoned),
        _unknown_lists(inquiry),
    )


def _unknown_lists(inquiry: Inquiry) -> frozenset[str]:
    """The lists of the reconciliation that nothing in the case could fill: without the worker's records, or without claims."""
    unknown = set()
    if not inquiry.side.reconciler.is_collected:
        unknown |= {"unbacked_records", "unsynced_claims"}
    if inquiry.facts.evidence.transactions is None:
        unknown |= {"unbacked_records", "unsynced_claims", "abandoned_proofs"}
    return frozenset(unknown)


__all__ = ["diagnose", "diagnose_facts", "diagnose_inquiry"]
