"""The findings that follow from one grant's judgement."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.attempts import Attempt
from popkit.diagnosis.causes import Cause, Incident
from popkit.diagnosis.checks import ACCOUNTS, TRANSACTIONS
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.impact import equivocations, lost_proofs
from popkit.diagnosis.proofs import STREAM_KEY
from popkit.diagnosis.result import Finding, GrantDiagnosis
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.message import SKEW_SECONDS
from popkit.protocol.pda import pop_state_address
from popkit.wording import counted, utc

AUDIT_LOGS, STORAGE = "worker/audit-logs.json", "worker/storage.jsonl"


def judgement_findings(facts: Facts, incident: Incident, diagnosis: GrantDiagnosis) -> Iterator[Finding]:
    """The findings that follow from a grant's judgement."""
    grant, judgement = diagnosis.grant, incident.judgement
    _line, chain = judgement.line, judgement.line.chain
    last = diagnosis.last_good
    here = (TRANSACTIONS, last["signature"] if last else grant)
    slot = last["slot"] if last else None
    if incident.broken:
        yield Finding("chain_broken", grant, here, "a worker's head that can become the chain's head", judgement.because, slot=slot)
    for entry in lost_proofs(incident):
        place = (_told_in(incident, entry), entry)
        yield Finding(
            "proof_lost",
            grant,
            place,
            "an accepted claim, or an age of at most 600 s",
            "neither",
            severity="warning" if judgement.is_strict else "info",
        )
    yield from _proofs_of_one_period(incident)
    yield from _proofs_out_of_period(incident)
    yield from _unattested(incident)
    if incident.chain_refused:
        first = incident.chain_refused[0]
        seen = f"{len(incident.chain_refused)} refused, the first with {first.error} on {str(first.prev_hash)[:16]}"
        yield Finding("claims_refused", grant, (TRANSACTIONS, first.signature), "claims on the chain's head", seen, slot=first.slot)
    for attempt in incident.burnt:
        yield Finding("proof_burnt", grant, (TRANSACTIONS, attempt.signature), "accepted", attempt.error or "refused", slot=attempt.slot)
    for entry in chain.unseen:
        yield Finding("entry_unseen", grant, (TRANSACTIONS, entry), "its transaction in the evidence", "not returned by this RPC node")
    yield from _contradicting_states(incident)
    for attempt in chain.misordered:
        where = (TRANSACTIONS, attempt.signature)
        wanted = f"its parent {attempt.prev_hash} as the head at that slot"
        yield Finding("order_contradicts_links", grant, where, wanted, "another head", slot=attempt.slot)
    for attempt in chain.doubled:
        where = (TRANSACTIONS, attempt.signature)
        seen = f"another one of {attempt.claimer}, period {attempt.period_index}"
        yield Finding("period_claimed_twice", grant, where, "one accepted claim", seen, slot=attempt.slot)
    for fork in diagnosis.forks:
        yield Finding(fork["kind"], grant, (TRANSACTIONS, fork["parent"]), "one child", f"{len(fork['children'])} children")
    wrong, repeats = equivocations(incident)
    for pair in wrong:
        yield Finding("equivocation", grant, (TRANSACTIONS, pair[0]), "one proof", f"also {pair[1]}")
    for pair in repeats:
        yield Finding("repeat_proof", grant, (TRANSACTIONS, pair[0]), "one proof", f"also {pair[1]}")
    yield from _issuer_findings(incident)
    for attempt in chain.forged:
        seen = "its own signatures do not hold" if attempt.authentic is False else "its proof is not one that the program accepts"
        yield Finding(
            "forged_transaction",
            grant,
            (TRANSACTIONS, attempt.signature),
            "what was signed and executed",
            seen,
            slot=attempt.slot,
        )
    for cause in diagnosis.causes:
        if cause.name == "signer_mismatch":
            refused = next((a for a in chain.attributed if a.signature in cause.signatures), None)
            where = (ACCOUNTS, grant) if refused is None else (TRANSACTIONS, refused.signature)
            slot = refused.slot if refused is not None else None
            by_report = bool(cause.entries) and not cause.signatures
            severity = "warning" if by_report else ""
            yield Finding("signer_mismatch", grant, where, "the signer in pop-config", cause.seen, slot=slot, severity=severity)
        if cause.name == "stream_divergence":
            yield Finding("stream_divergence", grant, _divergence(facts, incident, cause), "equal links", cause.seen)
        if cause.name == "grant_reuse":
            yield Finding("grant_reuse", grant, ("worker/events.json", grant), "one event", cause.seen)
    noise = [a for a in chain.refused if a.noise is not None]
    if noise:
        reasons = ", ".join(sorted({str(a.noise) for a in noise}))
        yield Finding(
            "noise",
            grant,
            (TRANSACTIONS, noise[0].signature),
            observed=f"{counted(len(noise), 'refused attempt')}: {reasons}",
            slot=noise[0].slot,
        )
    yield from _chain_read_early(facts, incident)
    yield from _worker_findings(facts, incident)
    yield from _era_findings(incident)


def _divergence(facts: Facts, incident: Incident, cause: Cause) -> tuple[str, str]:
    """Where a stream that diverged shows: in a proof, in the stored head, or in wallets' reports alone."""
    grant, line = incident.judgement.grant, incident.judgement.line
    if line.stored_heads_differ and cause.entries == (line.stored_stream_head,):
        key = STREAM_KEY + grant
        return STORAGE, key if key in (facts.evidence.storage or {}) else grant
    return (_told_in(incident, cause.entries[0]), cause.entries[0]) if cause.entries else ("client/errors.jsonl", grant)


def _proofs_of_one_period(incident: Incident) -> Iterator[Finding]:
    """Proofs on the way that ask for what an earlier one there asks for: only one of the two can land."""
    first: dict[tuple[str, int], str] = {}
    for proof in incident.judgement.line.path if incident.judgement.is_strict else ():
        earlier = first.setdefault((proof.claimer, proof.period_index), proof.entry_hash)
        if earlier != proof.entry_hash:
            where = (_told_in(incident, proof.entry_hash), proof.entry_hash)
            wanted = f"one proof on the way for {proof.claimer}, period {proof.period_index}"
            yield Finding("proof_repeated", incident.judgement.grant, where, wanted, f"also {earlier}")


def _proofs_out_of_period(incident: Incident) -> Iterator[Finding]:
    """Proofs on the way for a period that was over when they were issued, or that begins too late for them."""
    grant = incident.judgement.grant
    terms = incident.fates.terms
    for proof in incident.judgement.line.path if incident.judgement.is_strict and terms is not None else ():
        assert terms is not None
        first, last = terms.period_at(proof.issued_at), terms.period_at(proof.issued_at + SKEW_SECONDS)
        if not first <= proof.period_index <= last:
            where = (_told_in(incident, proof.entry_hash), proof.entry_hash)
            periods = str(first) if first == last else f"{first} to {last}"
            wanted = f"a proof for period {periods}, in which it can land"
            yield Finding("proof_out_of_period", grant, where, wanted, f"period {proof.period_index}")


def _chain_read_early(facts: Facts, incident: Incident) -> Iterator[Finding]:
    """A grant in flight whose evidence holds something younger than the last second at which its proofs could land: collect again."""
    until = incident.judgement.could_land_until
    times = [t for t in facts.claims.transactions.block_time if t is not None]
    times += [facts.records_until] if facts.records_until is not None else []
    if until is not None and times and max(times) > until:
        where, wanted = ("case.json", "collected_at"), f"no record after {utc(until)}"
        yield Finding("chain_read_early", incident.judgement.grant, where, wanted, f"one of {utc(max(times))}")


def _unattested(incident: Incident) -> Iterator[Finding]:
    """Anchors of the grant that nothing else tells of."""
    for proof in incident.facts.line(incident.judgement.grant).unattested:
        anchor = proof.anchor
        if anchor is not None:
            where = (incident.judgement.line.records.entries[anchor.anchor_hash].place.part, anchor.anchor_hash)
            wanted = "the row of its request (API_POST_V1_SCHOOL_POP_PROOF, 200), a history record, or a signed message"
            yield Finding("anchor_unattested", incident.judgement.grant, where, wanted, "the anchor alone")


def _contradicting_states(incident: Incident) -> Iterator[Finding]:
    """Readings of PopState that cannot be true beside the claims, or that belong to another program."""
    grant = incident.judgement.grant
    chain = incident.facts.chain(grant)
    where = (ACCOUNTS, pop_state_address(grant, incident.facts.header.program_id))
    for address, owner in ((grant, incident.facts.foreign_owner(grant)), (where[1], chain.state.foreign_owner)):
        if owner is not None:
            wanted = f"an account of {incident.facts.header.program_id}, the case's program"
            yield Finding("evidence_contradictory", grant, (ACCOUNTS, address), wanted, f"one of {owner}")
    for seen in chain.contradicting_states:
        if not seen.is_contradicted:
            at = None if seen.slot is None else f"the head that the claims had led to by slot {seen.slot}"
            yield Finding("state_contradicts_claims", grant, where, at, seen.head or "no PopState", slot=seen.slot)


def _told_in(incident: Incident, entry: str) -> str:
    """The file that tells of a proof: the chain where it landed, else the worker's records of it, else what names it on chain."""
    proof = incident.judgement.line.proofs.get(entry)
    if proof is None or proof.refused or not proof.from_worker:
        return TRANSACTIONS
    return STORAGE if proof.anchor is None else incident.judgement.line.records.entries[proof.anchor.anchor_hash].place.part


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
            yield Finding(
                "foreign_issuer",
                grant,
                (TRANSACTIONS, attempt.signature),
                wanted,
                f"audit_hash {proof.audit_hash}",
                slot=attempt.slot,
            )
        elif proof.issuer == "unknown":
            unknown.append(attempt)
    for proof in line.unrecorded_beyond:
        wanted = f"a record of {proof.entry_hash} under pop_chain:history:"
        where = (STORAGE, proof.anchor.anchor_hash if proof.anchor is not None else proof.entry_hash)
        yield Finding("storage_export_partial", None, where, wanted, "none, and the export's records end before it")
    for proof in line.unrecorded:
        attempt = proof.accepted
        assert attempt is not None
        wanted, where = f"a record of {proof.entry_hash} under pop_chain:history:", (TRANSACTIONS, attempt.signature)
        yield Finding("history_record_missing", grant, where, wanted, "an anchor alone", slot=attempt.slot)
    if unknown:
        text = f"who issued {counted(len(unknown), 'proof')}: the worker's records do not cover their time"
        yield Finding("issuer_unknown", grant, (TRANSACTIONS, unknown[0].signature), not_checked=text, slot=unknown[0].slot)


def _worker_findings(facts: Facts, incident: Incident) -> Iterator[Finding]:
    judgement, line = incident.judgement, incident.judgement.line
    grant = judgement.grant
    if not line.reaches(line.chain.head):
        seen = "no records" if not line.records.is_known else "records that do not reach the chain's head"
        unchecked = "proofs that were issued and never sent"
        yield Finding("worker_records_missing", grant, (AUDIT_LOGS, grant), "records back to the chain's head", seen, unchecked)
    if line.is_stale or (judgement.records_end_early and line.records.is_known):
        newest = line.records.newest
        yield Finding(
            "worker_records_stale",
            grant,
            (newest.place.part, newest.hash) if newest else (STORAGE, grant),
            "records up to the chain's moment",
            "older ones",
        )
    quiet = [r for r in facts.reported if r.grant == grant and not r.report.landed and r.error in CHAIN_RULE_ERRORS]
    if quiet and not judgement.is_sound:
        seen = f"{counted(len(quiet), 'report')} of {quiet[0].error}, the first at {utc(quiet[0].report.at)}"
        yield Finding("wallets_report_break", grant, ("client/errors.jsonl", quiet[0].report.wallet), "no refusal", seen)
    for proof in line.path:
        if not proof.confirmed:
            seen = f"issued at {utc(proof.issued_at)}, the anchor's whole second"
            where = (_told_in(incident, proof.entry_hash), proof.entry_hash)
            yield Finding("head_assumed", grant, where, "a record that confirms the second of issue", seen)
    unknown = _signer_unknown(facts, grant)
    if unknown is not None:
        yield Finding("signer_unknown", grant, ("worker/pop-status.json", grant), not_checked=unknown)


def _signer_unknown(facts: Facts, grant: str) -> str | None:
    """Why the worker's present signer cannot be held against pop-config; None where it can, or where the two agree."""
    if facts.signer_now is None:
        return "the worker's present signer against pop-config"
    authority = facts.history.authority_of(grant)
    if authority is None or facts.history.signer_now(authority) in (None, facts.signer_now) or facts.status_counts(authority):
        return None
    return "the worker's present signer: its status may have been taken before pop-config was last changed"


def _era_findings(incident: Incident) -> Iterator[Finding]:
    grant, chain = incident.judgement.grant, incident.judgement.line.chain
    if chain.eras.is_contradictory:
        yield Finding(
            "era_contradictory",
            grant,
            (TRANSACTIONS, grant),
            "one program replaced by the next",
            "an older one after a newer one",
        )
    seen: dict[tuple[str, str], Attempt] = {}
    for attempt in [*chain.accepted, *chain.refused]:
        at = chain.eras.at(attempt.slot, attempt.block_time)
        if at.decided_by != "behaviour":
            seen.setdefault((at.era, at.decided_by), attempt)
    for (era, by), attempt in sorted(seen.items()):
        possible = " or ".join(chain.eras.at(attempt.slot, attempt.block_time).possible)
        yield Finding("era_assumed", grant, (TRANSACTIONS, attempt.signature), possible, f"{era}, by {by}", slot=attempt.slot)
