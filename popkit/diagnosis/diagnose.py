"""Put together: facts, judgements, causes, impact, reconciliation, coverage and findings of one case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from popkit.chain import Attempt, Fork, GrantChain
from popkit.diagnosis.causes import Incident, causes_of
from popkit.diagnosis.checks import ACCOUNTS, TRANSACTIONS, claim_findings, grant_findings
from popkit.diagnosis.coverage import coverage_of, evidence_findings
from popkit.diagnosis.facts import Facts, ReportedFailure
from popkit.diagnosis.judge import Judge, Judgement, burnt
from popkit.diagnosis.proofs import Proof
from popkit.diagnosis.reconcile import Reconciler
from popkit.diagnosis.result import AuditDiagnosis, Diagnosis, Finding, GrantDiagnosis, Reconciliation, sorted_findings
from popkit.evidence.bundle import Evidence

AUDIT_LOGS, STORAGE, BUCKET, RECEIPTS = "worker/audit-logs.json", "worker/storage.jsonl", "worker/r2", "worker/ticket-receipts.jsonl"
REPORT_DELAY = 900
"""Seconds a wallet's report may come after the proof it is about was issued."""


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
    _link_cutovers(facts, grants)
    findings += [
        Finding("superseded", g.grant, (TRANSACTIONS, g.superseded_by), observed=g.superseded_by) for g in grants if g.superseded_by is not None
    ]
    audit = _audit(facts)
    reconciliation, reconciler, record_findings = _reconcile(facts, judge, grants)
    findings += [*audit.findings, *record_findings]
    coverage = coverage_of(facts, [g.judgement for g in grants], reconciler.not_checked)
    return Diagnosis(facts.header.case, facts.now, grants, audit, reconciliation, coverage, sorted_findings(findings))


def _diagnose_grant(facts: Facts, judge: Judge, grant: str) -> tuple[GrantDiagnosis, list[Finding]]:
    judgement = judge.judge(grant)
    line, chain = judgement.line, judgement.line.chain
    refused = [a for a in chain.attributed if a.broke_chain_rule]
    burnt_ = [a for a in chain.attributed if burnt(judge, line, a)]
    incident = Incident(judge, judgement, burnt_, refused, _reports_by_proof(facts, judgement))
    causes = causes_of(incident)
    diagnosis = GrantDiagnosis(
        grant=grant,
        judgement=judgement,
        causes=causes,
        last_good=_last_good(chain),
        first_bad=_first_bad(incident),
        missing_entries=_missing(incident),
        unseen_entries=chain.unseen,
        foreign_entries=sorted(p.entry_hash for p in line.proofs.values() if p.issuer == "foreign" and p.accepted is not None),
        forged_transactions=sorted({a.signature for a in chain.forged}),
        forks=[_fork(incident, fork) for fork in chain.forks],
        equivocations=_equivocations(incident)[0],
        affected_claimers=_affected(incident),
        superseded_by=None,
        cutover_of=None,
        paused=facts.history.is_paused(grant),
        closed=facts.history.is_closed(grant),
        events=facts.events_of(grant),
        titles=_titles(facts, grant),
    )
    return diagnosis, [*_grant_findings(facts, incident, diagnosis), *claim_findings(facts, chain), *grant_findings(facts, chain)]


def _reports_by_proof(facts: Facts, judgement: Judgement) -> dict[str, ReportedFailure]:
    """The first refusal that a wallet reported of each never-accepted proof: the newest one it held at that time."""
    by_claimer: dict[str, list[Proof]] = defaultdict(list)
    for proof in judgement.line.proofs.values():
        if proof.accepted is None:
            by_claimer[proof.claimer].append(proof)
    found: dict[str, ReportedFailure] = {}
    for told in facts.reported:
        if told.grant != judgement.grant:
            continue
        held = [p for p in by_claimer[told.report.wallet] if 0 <= told.report.at - p.issued_at <= REPORT_DELAY]
        if held:
            found.setdefault(max(held, key=lambda p: (p.issued_at, p.entry_hash)).entry_hash, told)
    return found


def _last_good(chain: GrantChain) -> dict[str, Any] | None:
    if not chain.accepted:
        return None
    last = chain.accepted[-1]
    return {
        "signature": last.signature,
        "receipt": last.receipt,
        "entry_hash": last.entry_hash,
        "slot": last.slot,
        "block_time": last.block_time,
    }


def _first_bad(incident: Incident) -> dict[str, Any] | None:
    """By landing order, the first attributed attempt that a chain rule refused or that was burnt; else what the worker or wallets tell."""
    landed = sorted([*incident.burnt, *incident.chain_refused], key=incident.judgement.line.chain.attributed.index)
    if landed:
        first = landed[0]
        return _bad(first.signature, str(first.entry_hash), str(first.prev_hash), first.error, "chain")
    if not incident.broken:
        return None
    behind = _first_behind(incident)
    if behind is not None:
        told = incident.reported.get(behind.entry_hash)
        return _bad(None, behind.entry_hash, behind.prev_hash, told.error if told else None, "worker")
    if incident.judgement.reports:
        told = incident.judgement.reports[0]
        return _bad(None, None, None, told.error, "client")
    return None


def _bad(signature: str | None, entry: str | None, prev: str | None, error: str | None, source: str) -> dict[str, Any]:
    return {"signature": signature, "entry_hash": entry, "prev_hash": prev, "error": error, "source": source}


def _first_behind(incident: Incident) -> Proof | None:
    """The first proof behind the missing one; on a line that stands elsewhere nothing is missing, and its first proof is the bad one."""
    path = incident.judgement.line.path
    lost = {p.entry_hash for p in incident.on_head}
    if not path:
        return None
    if path[0].entry_hash in lost:
        return path[1] if len(path) > 1 else None
    return path[0]


def _missing(incident: Incident) -> list[str]:
    """Entries on top of the chain's head by both links that no accepted claim carries; nothing is waited for where the chain is sound."""
    judgement = incident.judgement
    if not judgement.is_strict or judgement.is_sound or judgement.line.follows_chain:
        return []
    chain = judgement.line.chain
    stream = chain.state.stream_head if chain.state.stream_head is not None else chain.head
    on_head = {
        p.entry_hash for p in judgement.line.proofs.values() if p.accepted is None and (p.prev_hash, p.stream_prev_hash) == (chain.head, stream)
    }
    return sorted(on_head | set(incident.unknown_parents))


def _fork(incident: Incident, fork: Fork) -> dict[str, Any]:
    """A fork's kind: a race where the rules were relaxed and one worker issued, else a fork."""
    line = incident.judgement.line
    issuers = {line.proofs[child].issuer for child in fork.children}
    relaxed = all(line.chain.eras.at(slot, None).era == "relaxed" for slot in fork.slots) or _all_relaxed(incident, fork)
    kind = "race" if relaxed and "foreign" not in issuers else "fork"
    return {"parent": fork.parent, "children": list(fork.children), "kind": kind}


def _all_relaxed(incident: Incident, fork: Fork) -> bool:
    line = incident.judgement.line
    attempts = [a for child in fork.children for a in [line.proofs[child].accepted, *line.proofs[child].refused] if a is not None]
    return bool(attempts) and all(line.chain.era_at(a) == "relaxed" for a in attempts)


def _equivocations(incident: Incident) -> tuple[list[list[str]], list[list[str]]]:
    """(equivocations, repeats): pairs of different signed entries for one claimer and period on one parent.

    Two issuers, or one worker that keeps its own head, equivocate; one that takes its parent from the chain and is asked twice repeats itself.
    """
    line = incident.judgement.line
    groups: dict[tuple[str, str, int], list[Proof]] = defaultdict(list)
    for proof in line.proofs.values():
        if proof.accepted is not None or proof.refused:
            groups[proof.prev_hash, proof.claimer, proof.period_index].append(proof)
    wrong, repeats = [], []
    for group in groups.values():
        entries = sorted(group, key=lambda p: p.entry_hash)
        for i, first in enumerate(entries):
            for second in entries[i + 1 :]:
                pair = [first.entry_hash, second.entry_hash]
                (repeats if _is_repeat(incident, first, second) else wrong).append(pair)
    return sorted(wrong), sorted(repeats)


def _is_repeat(incident: Incident, first: Proof, second: Proof) -> bool:
    if "foreign" in (first.issuer, second.issuer):
        return False
    anchors = [p.anchor for p in (first, second)]
    if all(anchor is not None for anchor in anchors):
        return all(anchor is not None and anchor.follows_chain for anchor in anchors)
    attempts = [a for p in (first, second) for a in [p.accepted, *p.refused] if a is not None]
    return all(incident.judgement.line.chain.era_at(a) == "relaxed" for a in attempts)


def _affected(incident: Incident) -> list[str]:
    """Claimers of attributed refused claims and of the worker's lost proofs who have no accepted claim of that period; ascending."""
    judgement, judge = incident.judgement, incident.judge
    if judgement.verdict == "in_flight":
        return []
    asked = {(a.claimer, a.period_index) for a in judgement.line.chain.attributed}
    if not judgement.is_sound:
        asked |= {(p.claimer, p.period_index) for p in judgement.line.path}
    return sorted({claimer for claimer, period in asked if not judge.is_claimed(judgement.grant, claimer, period)})


def _titles(facts: Facts, grant: str) -> list[str]:
    """The titles of the grant's events, as the worker shows them."""
    events = facts.evidence.answers.get("events")
    items = events.body.get("items") if events is not None and events.is_ok else None
    wanted = set(facts.events_of(grant))
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    rows += [row.value for key, row in (facts.evidence.storage or {}).items() if key.startswith("event:") and isinstance(row.value, dict)]
    titles = {str(item["id"]): str(item.get("title", "")) for item in rows if item.get("id") in wanted}
    return [titles[event] for event in sorted(titles)]


def _link_cutovers(facts: Facts, grants: list[GrantDiagnosis]) -> None:
    """For each grant that is lost or undecided: the first grant of the same authority and mint created after its last good claim."""
    history = facts.history
    for old in grants:
        if old.verdict not in ("broken", "inconclusive"):
            continue
        after = old.last_good["slot"] if old.last_good else history.created_slot(old.grant)
        key = (history.authority_of(old.grant), history.mint_of(old.grant))
        if after is None or None in key:
            continue
        later = []
        for new in grants:
            created = history.created_slot(new.grant)
            if new is old or created is None or created <= after or key != (history.authority_of(new.grant), history.mint_of(new.grant)):
                continue
            if not set(new.events) & set(old.events):
                later.append((created, new.grant, new))
        if later:
            first = min(later, key=lambda row: row[:2])[2]
            old.superseded_by = first.grant
            first.cutover_of = first.cutover_of or old.grant


def _grant_findings(facts: Facts, incident: Incident, diagnosis: GrantDiagnosis) -> Iterator[Finding]:
    """The findings that follow from a grant's judgement."""
    grant, judgement = diagnosis.grant, incident.judgement
    line, chain = judgement.line, judgement.line.chain
    last = diagnosis.last_good
    here = (TRANSACTIONS, last["signature"] if last else grant)
    slot = last["slot"] if last else None
    if incident.broken:
        yield Finding("chain_broken", grant, here, "a worker's head that can become the chain's head", judgement.because, slot=slot)
    for entry in _lost_proofs(incident):
        place = (TRANSACTIONS, entry)
        yield Finding("proof_lost", grant, place, "an accepted claim, or an age of at most 600 s", "neither", severity="warning" if judgement.is_strict else "info")
    if incident.chain_refused:
        first = incident.chain_refused[0]
        seen = f"{len(incident.chain_refused)} refused, the first with {first.error} on {str(first.prev_hash)[:16]}"
        yield Finding("claims_refused", grant, (TRANSACTIONS, first.signature), "claims on the chain's head", seen, slot=first.slot)
    for attempt in incident.burnt:
        yield Finding("proof_burnt", grant, (TRANSACTIONS, attempt.signature), "accepted", attempt.error or "refused", slot=attempt.slot)
    for entry in chain.unseen:
        yield Finding("entry_unseen", grant, (TRANSACTIONS, entry), "its transaction in the evidence", "not returned by this RPC node")
    if chain.state_disagrees:
        yield Finding("state_contradicts_claims", grant, (ACCOUNTS, grant), chain.links_head, chain.state.head or "no PopState")
    for fork in diagnosis.forks:
        yield Finding(fork["kind"], grant, (TRANSACTIONS, fork["parent"]), "one child", f"{len(fork['children'])} children")
    wrong, repeats = _equivocations(incident)
    for pair in wrong:
        yield Finding("equivocation", grant, (TRANSACTIONS, pair[0]), "one proof", f"also {pair[1]}")
    for pair in repeats:
        yield Finding("repeat_proof", grant, (TRANSACTIONS, pair[0]), "one proof", f"also {pair[1]}")
    yield from _issuer_findings(incident)
    for attempt in chain.forged:
        seen = "its own signatures do not hold" if attempt.authentic is False else "its proof is not one that the program accepts"
        yield Finding("forged_transaction", grant, (TRANSACTIONS, attempt.signature), "what was signed and executed", seen, slot=attempt.slot)
    for cause in diagnosis.causes:
        if cause.name == "signer_mismatch":
            key = cause.signatures[0] if cause.signatures else grant
            yield Finding("signer_mismatch", grant, (TRANSACTIONS if cause.signatures else ACCOUNTS, key), "the signer in pop-config", cause.seen)
        if cause.name == "stream_divergence":
            yield Finding("stream_divergence", grant, (TRANSACTIONS, cause.entries[0] if cause.entries else grant), "equal links", cause.seen)
        if cause.name == "grant_reuse":
            yield Finding("grant_reuse", grant, ("worker/events.json", grant), "one event", cause.seen)
    noise = [a for a in chain.refused if a.noise is not None]
    if noise:
        reasons = ", ".join(sorted({str(a.noise) for a in noise}))
        yield Finding("noise", grant, (TRANSACTIONS, noise[0].signature), observed=f"{len(noise)} refused attempt(s): {reasons}", slot=noise[0].slot)
    yield from _worker_findings(facts, incident)
    yield from _era_findings(incident)


def _lost_proofs(incident: Incident) -> list[str]:
    """The worker's never-accepted proofs that can land no more, ascending; unknown parents of refused claims among them."""
    judge, judgement = incident.judge, incident.judgement
    lost = {
        p.entry_hash
        for p in judgement.line.proofs.values()
        if p.accepted is None and p.issuer != "foreign" and not judge.can_land(p, judgement.grant) and p.entry_hash not in judgement.line.chain.unseen
    }
    if incident.broken:
        lost |= set(incident.unknown_parents)
    return sorted(lost)


def _issuer_findings(incident: Incident) -> Iterator[Finding]:
    """Foreign proofs, and how many could not be told because the worker's records do not cover their time."""
    grant, line = incident.judgement.grant, incident.judgement.line
    unknown = []
    for proof in sorted(line.proofs.values(), key=lambda p: p.entry_hash):
        attempt = proof.accepted or (proof.refused[0] if proof.refused else None)
        if attempt is None:
            continue
        if proof.issuer == "foreign":
            wanted = "an anchor in the worker's audit chain, which is complete over that time"
            yield Finding("foreign_issuer", grant, (TRANSACTIONS, attempt.signature), wanted, f"audit_hash {proof.audit_hash}", slot=attempt.slot)
        elif proof.issuer == "unknown":
            unknown.append(attempt)
    if unknown:
        text = f"who issued {len(unknown)} proof(s): the worker's records do not cover their time"
        yield Finding("issuer_unknown", grant, (TRANSACTIONS, unknown[0].signature), not_checked=text, slot=unknown[0].slot)


def _worker_findings(facts: Facts, incident: Incident) -> Iterator[Finding]:
    judgement, line = incident.judgement, incident.judgement.line
    grant = judgement.grant
    if not line.reaches(line.chain.head):
        seen = "no records" if not line.records.is_known else "records that do not reach the chain's head"
        unchecked = "proofs that were issued and never sent"
        yield Finding("worker_records_missing", grant, (AUDIT_LOGS, grant), "records back to the chain's head", seen, unchecked)
    if line.is_stale:
        newest = line.records.newest
        yield Finding("worker_records_stale", grant, (AUDIT_LOGS, newest.hash if newest else grant), "records past the last claim", "older ones")
    quiet = [r for r in facts.reported if r.grant == grant and not r.report.landed and r.error in ("PopHashChainBroken", "PopStreamChainBroken", "PopGenesisMismatch")]
    if quiet and not judgement.is_sound:
        seen = f"{len(quiet)} report(s) of {quiet[0].error}, the first at {quiet[0].report.at}"
        yield Finding("wallets_report_break", grant, ("client/errors.jsonl", quiet[0].report.wallet), "no refusal", seen)
    for proof in line.path:
        if not proof.confirmed:
            seen = f"issued_at {proof.issued_at}, the anchor's whole second"
            yield Finding("head_assumed", grant, (AUDIT_LOGS, proof.entry_hash), "a record that confirms the second of issue", seen)
    if facts.signer_now is None:
        yield Finding("signer_unknown", grant, ("worker/pop-status.json", grant), not_checked="the worker's present signer against pop-config")


def _era_findings(incident: Incident) -> Iterator[Finding]:
    grant, chain = incident.judgement.grant, incident.judgement.line.chain
    if chain.eras.is_contradictory:
        yield Finding("era_contradictory", grant, (TRANSACTIONS, grant), "one program replaced by the next", "an older one after a newer one")
    seen: dict[tuple[str, str], Attempt] = {}
    for attempt in [*chain.accepted, *chain.refused]:
        at = chain.eras.at(attempt.slot, attempt.block_time)
        if at.decided_by != "behaviour":
            seen.setdefault((at.era, at.decided_by), attempt)
    for (era, by), attempt in sorted(seen.items()):
        possible = " or ".join(chain.eras.at(attempt.slot, attempt.block_time).possible)
        yield Finding("era_assumed", grant, (TRANSACTIONS, attempt.signature), possible, f"{era}, by {by}", slot=attempt.slot)


def _audit(facts: Facts) -> AuditDiagnosis:
    """The audit chain and the ticket receipts."""
    records, tampering, checks = facts.audit, facts.tampering, facts.receipt_checks
    bad = sorted({c.receipt_id for c in checks if c.is_bad})
    accepted = sorted({c.receipt_id for c in checks if c.is_bad and c.server_accepts})
    findings = []
    for entry in tampering.edited:
        findings.append(Finding("audit_entry_edited", None, (_row_file(facts, entry), entry), "a row that hashes to its entry_hash", "it does not"))
    for entry in tampering.removed:
        findings.append(Finding("audit_entry_removed", None, (_row_file(facts, entry), entry), "the entry that later evidence names", "it is gone"))
    for key in tampering.edited_objects:
        findings.append(Finding("bucket_object_edited", None, (BUCKET, key), "the canonical payload of the entry under its key", "another text"))
    for key in tampering.missing_objects:
        findings.append(Finding("bucket_object_missing", None, (BUCKET, key), "the object that the entry's sinks name", "not in the export"))
    for entry in tampering.orphans:
        findings.append(Finding("bucket_orphan", None, (BUCKET, entry), observed="no later entry names it"))
    for entry in tampering.half_copies:
        findings.append(Finding("storage_copy_missing", None, (STORAGE, entry), "audit_history and audit_entry", "one of the two"))
    if tampering.export_is_partial:
        findings.append(Finding("bucket_export_partial", None, (BUCKET, ""), "every object that sinks name", "most are not there"))
    for row in facts.storage_history:
        if not row.holds:
            findings.append(Finding("history_record_false", row.grant if row.grant in facts.header.grants else None, (STORAGE, row.key), "a hash of its fields", row.entry_hash))
    unchecked = 0
    for check in checks:
        if check.is_bad:
            findings.append(Finding("ticket_receipt_bad", None, (RECEIPTS, check.receipt_id), "what its audit entry says", f"differs in {', '.join(check.wrong)}"))
        if check.is_bad and check.server_accepts:
            findings.append(Finding("ticket_receipt_server_accepts", None, (RECEIPTS, check.receipt_id), "refused by the worker's check", "the worker's check passes it"))
        unchecked += "entry" in check.unknown
    if unchecked:
        findings.append(Finding("ticket_receipt_unchecked", None, (RECEIPTS, ""), not_checked=f"{unchecked} receipt(s) whose audit entry is not in the evidence"))
    tampered = bool(tampering.edited or tampering.removed or tampering.edited_objects or tampering.missing_objects or bad)
    findings += _server_verdict(facts, tampered)
    verdict = "violated" if tampered or any(f.severity == "critical" for f in findings) else "holds" if records.is_known else "cannot tell"
    return AuditDiagnosis(
        verdict, records.rows_checked + len(checks), tampering.edited, tampering.removed, tampering.edited_objects, tampering.missing_objects,
        bad, accepted, sorted_findings(findings),
    )  # fmt: skip


def _row_file(facts: Facts, entry: str) -> str:
    for source in facts.audit.sources.values():
        if entry in source.edited:
            return STORAGE if source.name == "storage" else AUDIT_LOGS
    return AUDIT_LOGS if "list" in facts.audit.sources else STORAGE


def _server_verdict(facts: Facts, tampered: bool) -> list[Finding]:
    """Where the worker's own audit-integrity says otherwise."""
    answer = facts.evidence.answers.get("audit-integrity")
    if answer is None or not isinstance(answer.body, dict) or not isinstance(answer.body.get("ok"), bool):
        return []
    says = answer.body["ok"]
    if says == (not tampered):
        return []
    return [Finding("server_verdict_differs", None, ("worker/audit-integrity.json", "ok"), str(not tampered).lower(), str(says).lower())]


def _reconcile(facts: Facts, judge: Judge, grants: list[GrantDiagnosis]) -> tuple[Reconciliation, Reconciler, list[Finding]]:
    reconciler = Reconciler(facts)
    findings = list(reconciler.contradicted())
    unbacked = reconciler.unbacked()
    for record in unbacked:
        grant = sorted(reconciler.grants_of[record.event_id])[0]
        findings.append(Finding("record_unbacked", grant, (record.file, record.key), f"transaction {record.tx_signature}", "neither transaction nor receipt"))
    unsynced = reconciler.unsynced()
    for signature, grant, slot in unsynced:
        findings.append(Finding("claim_unsynced", grant, (TRANSACTIONS, signature), "a claim record of its claimer", "none", slot=slot))
    abandoned = set()
    for diagnosis in grants:
        abandoned |= set(_lost_proofs(Incident(judge, diagnosis.judgement, [], [], {})))
    told = sorted({str(r.tx_signature) for r in unbacked})
    return Reconciliation(told, sorted({row[0] for row in unsynced}), sorted(abandoned)), reconciler, findings


__all__ = ["diagnose", "diagnose_facts"]
