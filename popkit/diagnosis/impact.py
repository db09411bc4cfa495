"""What a judgement means: the last good and the first bad claim, what is waited for, forks,
equivocations, who is affected.
"""

from __future__ import annotations

from typing import Any

from popkit.chain.links import GrantChain
from popkit.verdict.incident import Incident
from popkit.worker.fate import NOT_KNOWN
from popkit.worker.proofs import Proof


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
    """By landing order, the first attributed attempt that a chain rule refused or that was burnt;
    else what the worker or wallets tell.
    """
    bad = {attempt.row for attempt in [*incident.burnt, *incident.chain_refused]}
    landed = [attempt for attempt in incident.judgement.line.chain.attributed if attempt.row in bad]
    if landed:
        first = landed[0]
        return _bad(
            first.signature, str(first.entry_hash), str(first.prev_hash), first.error, "chain"
        )
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


def _bad(
    signature: str | None, entry: str | None, prev: str | None, error: str | None, source: str
) -> dict[str, Any]:
    return {
        "signature": signature,
        "entry_hash": entry,
        "prev_hash": prev,
        "error": error,
        "source": source,
    }


def _first_behind(incident: Incident) -> Proof | None:
    """The first proof behind the missing one; on a line that stands elsewhere nothing is missing,
    and its first proof is the bad one.
    """
    path = incident.judgement.line.path
    lost = {p.entry_hash for p in incident.on_head}
    if not path:
        return None
    if path[0].entry_hash in lost:
        return path[1] if len(path) > 1 else None
    return path[0]


def missing_entries(incident: Incident) -> list[str]:
    """Entries on top of the chain's head by both links that no accepted claim carries; nothing is
    waited for where the chain is sound.
    """
    judgement = incident.judgement
    if not judgement.is_strict or judgement.is_sound or judgement.line.follows_chain:
        return []
    if not incident.chain_is_known or incident.head_may_be_another:
        return []
    if judgement.verdict == "inconclusive" and not judgement.line.chain.state_counts:
        return []  # without PopState what stands on the chain's head is not known either
    chain = judgement.line.chain
    both = chain.head, chain.stream_head
    on_head = [
        p
        for p in judgement.line.proofs.values()
        if not p.landed and (p.prev_hash, p.stream_prev_hash) == both
    ]
    if judgement.verdict == "inconclusive" or not incident.fates.head_is_certain:
        on_head = [
            p for p in on_head if incident.fates.of(p) != NOT_KNOWN
        ]  # such a one may have landed since
    return sorted({p.entry_hash for p in on_head} | set(incident.first_unknown_parent))


def affected_claimers(incident: Incident) -> list[str] | None:
    """Claimers who tried and got nothing for that period, ascending: of attributed refused claims,
    and of the worker's lost proofs.

    Empty while everything on the way can still land. None where it is not known: the verdict cannot
    tell, or nothing of the chain was collected.
    """
    judgement = incident.judgement
    if judgement.verdict == "in_flight":
        return []
    if judgement.verdict == "inconclusive" or not incident.chain_is_known:
        return None
    chain = judgement.line.chain
    asked = {
        (a.claimer, a.period_index if a.message_period_index is None else a.message_period_index)
        for a in chain.attributed
    }
    if not judgement.is_sound:
        asked |= {(p.claimer, p.period_index) for p in judgement.line.path}
    asked -= _found_receipts(chain)
    return sorted(
        {claimer for claimer, period in asked if not incident.fates.is_claimed(claimer, period)}
    )


def _found_receipts(chain: GrantChain) -> set[tuple[str, int]]:
    """(claimer, period) of which a refused claim found the receipt there already: somebody got it,
    whatever the evidence lacks.

    A claim that stands behind another one of its claimer and period in one transaction found what
    that one had made; both were undone.
    """
    first: dict[tuple[str, str, int], int] = {}
    for attempt in chain.refused:
        key = attempt.signature, attempt.claimer, attempt.period_index
        first[key] = min(attempt.instruction_index, first.get(key, attempt.instruction_index))
    return {
        (a.claimer, a.period_index)
        for a in chain.refused
        if a.found_a_receipt
        and first[a.signature, a.claimer, a.period_index] == a.instruction_index
    }
