"""What a judgement means: the last good and the first bad claim, what is waited for, forks, equivocations, who is affected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from popkit.chain import Fork, GrantChain
from popkit.diagnosis.causes import Incident
from popkit.diagnosis.facts import Facts, ReportedFailure
from popkit.diagnosis.fate import LOST, NOT_KNOWN
from popkit.diagnosis.judgement import Judgement
from popkit.diagnosis.proofs import PARENTS_FROM_CLIENTS, Proof
from popkit.diagnosis.result import GrantDiagnosis

REPORT_DELAY = 900
"""Seconds a wallet's report may come after the proof it is about was issued."""


def reports_by_proof(facts: Facts, judgement: Judgement) -> dict[str, ReportedFailure]:
    """The first refusal that a wallet reported of each never-accepted proof: the newest one it held at that time."""
    by_claimer: dict[str, list[Proof]] = defaultdict(list)
    for proof in judgement.line.proofs.values():
        if not proof.landed:
            by_claimer[proof.claimer].append(proof)
    found: dict[str, ReportedFailure] = {}
    for told in facts.reported:
        if told.grant != judgement.grant:
            continue
        held = [p for p in by_claimer[told.report.wallet] if 0 <= told.report.at - p.issued_at <= REPORT_DELAY]
        if held:
            found.setdefault(max(held, key=lambda p: (p.issued_at, p.entry_hash)).entry_hash, told)
    return found


def last_good(chain: GrantChain) -> dict[str, Any] | None:
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


def first_bad(incident: Incident) -> dict[str, Any] | None:
    """By landing order, the first attributed attempt that a chain rule refused or that was burnt; else what the worker or wallets tell."""
    bad = {attempt.row for attempt in [*incident.burnt, *incident.chain_refused]}
    landed = [attempt for attempt in incident.judgement.line.chain.attributed if attempt.row in bad]
    if landed:
        first = landed[0]
        return _bad(first.signature, str(first.entry_hash), str(first.prev_hash), first.error, "chain")
    if not incident.broken:
        return None
    behind = _first_behind(incident)
    if behind is not None:
        told = incident.reported.get(behind.entry_hash)
        error = behind.refused[0].error if behind.refused else told.error if told else None
        return _bad(None, behind.entry_hash, behind.prev_hash, error, "worker")
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


def _head_may_be_another(incident: Incident) -> bool:
    """Whether proofs that nothing shows as accepted may have been, as where the chain's head is cannot be told."""
    judgement = incident.judgement
    proved = judgement.verdict == "broken" and any(incident.fates.of(p) == LOST for p in incident.on_head)
    return judgement.chain_is_doubted or not (incident.fates.head_is_certain or proved)


def missing_entries(incident: Incident) -> list[str]:
    """Entries on top of the chain's head by both links that no accepted claim carries; nothing is waited for where the chain is sound."""
    judgement = incident.judgement
    if not judgement.is_strict or judgement.is_sound or judgement.line.follows_chain:
        return []
    if not incident.chain_is_known or _head_may_be_another(incident):
        return []
    if judgement.verdict == "inconclusive" and not judgement.line.chain.state_counts:
        return []  # without PopState what stands on the chain's head is not known either
    chain = judgement.line.chain
    both = chain.head, chain.stream_head
    on_head = [p for p in judgement.line.proofs.values() if not p.landed and (p.prev_hash, p.stream_prev_hash) == both]
    if judgement.verdict == "inconclusive" or not incident.fates.head_is_certain:
        on_head = [p for p in on_head if incident.fates.of(p) != NOT_KNOWN]  # such a one may have landed since
    return sorted({p.entry_hash for p in on_head} | set(incident.first_unknown_parent))


def describe_fork(incident: Incident, fork: Fork) -> dict[str, Any]:
    """A fork's kind: a race where the rules were relaxed and one worker issued, else a fork."""
    line = incident.judgement.line
    issuers = {line.proofs[child].issuer for child in fork.children}
    attempts = [a for child in fork.children for a in [line.proofs[child].accepted, *line.proofs[child].refused] if a is not None]
    relaxed = all(line.chain.era_at(a) == "relaxed" for a in attempts)
    kind = "race" if relaxed and "foreign" not in issuers else "fork"
    return {"parent": fork.parent, "children": list(fork.children), "kind": kind}


def equivocations(incident: Incident) -> tuple[list[list[str]], list[list[str]]]:
    """(equivocations, repeats): pairs of different signed entries for one claimer and period on one parent.

    Two issuers, or one worker that keeps its own head, equivocate; one that took a parent from the chain and is asked twice repeats
    itself.
    """
    line = incident.judgement.line
    groups: dict[tuple[str, str, int], list[Proof]] = defaultdict(list)
    for proof in line.proofs.values():
        if proof.accepted is not None or proof.refused:
            groups[proof.prev_hash, proof.claimer, proof.period_index].append(proof)
    wrong: list[list[str]] = []
    repeats: list[list[str]] = []
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
    if first.from_worker and second.from_worker:
        return first.follows_chain or second.follows_chain  # a worker that changed its model was asked twice as well
    if min(first.issued_at, second.issued_at) >= PARENTS_FROM_CLIENTS and "unknown" in (first.issuer, second.issuer):
        return True  # a worker of that time may have been given the parent by the client, twice
    attempts = [a for p in (first, second) for a in [p.accepted, *p.refused] if a is not None]
    return all(incident.judgement.line.chain.era_at(a) == "relaxed" for a in attempts)


def affected_claimers(incident: Incident) -> list[str] | None:
    """Claimers who tried and got nothing for that period, ascending: of attributed refused claims, and of the worker's lost proofs.

    Empty while everything on the way can still land. None where it is not known: the verdict cannot tell, or nothing of the chain was
    collected.
    """
    judgement = incident.judgement
    if judgement.verdict == "in_flight":
        return []
    if judgement.verdict == "inconclusive" or not incident.chain_is_known:
        return None
    chain = judgement.line.chain
    asked = {(a.claimer, a.period_index if a.message_period_index is None else a.message_period_index) for a in chain.attributed}
    if not judgement.is_sound:
        asked |= {(p.claimer, p.period_index) for p in judgement.line.path}
    asked -= _found_receipts(chain)
    return sorted({claimer for claimer, period in asked if not incident.fates.is_claimed(claimer, period)})


def _found_receipts(chain: GrantChain) -> set[tuple[str, int]]:
    """(claimer, period) of which a refused claim found the receipt there already: somebody got it, whatever the evidence lacks.

    A claim that stands behind another one of its claimer and period in one transaction found what that one had made; both were undone.
    """
    first: dict[tuple[str, str, int], int] = {}
    for attempt in chain.refused:
        key = attempt.signature, attempt.claimer, attempt.period_index
        first[key] = min(attempt.instruction_index, first.get(key, attempt.instruction_index))
    return {
        (a.claimer, a.period_index)
        for a in chain.refused
        if a.found_a_receipt and first[a.signature, a.claimer, a.period_index] == a.instruction_index
    }


def lost_proofs(incident: Incident) -> list[str]:
    """The worker's never-accepted proofs that can land no more, ascending; unknown parents of refused claims among them."""
    judgement = incident.judgement
    if not incident.chain_is_known or _head_may_be_another(incident):
        return []
    lost = {
        p.entry_hash
        for p in judgement.line.proofs.values()
        if p.issuer != "foreign" and p.attested and incident.fates.of(p) == LOST and not incident.fates.may_have_landed(p)
    }
    if incident.broken:
        lost |= set(incident.unknown_parents)
    return sorted(lost)


def link_cutovers(facts: Facts, grants: list[GrantDiagnosis], given_up: Collection[str] = ()) -> None:
    """For each grant that is lost or undecided: the first grant of the same authority and mint created after its last good claim.

    `given_up` are new grants that somebody declares to have abandoned: none of them took over.
    """
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
            if (
                new is old
                or new.grant in given_up
                or created is None
                or created <= after
                or key != (history.authority_of(new.grant), history.mint_of(new.grant))
            ):
                continue
            if not set(new.events) & set(old.events):
                later.append((created, new.grant, new))
        if later:
            first = min(later, key=lambda row: row[:2])[2]
            old.superseded_by = first.grant
            first.cutover_of = first.cutover_of or old.grant
