"""Since when: three moments of a break, kept apart, each with how sure it is.

1. `lost_proof_issued`: the lost or burnt proof was issued. Nobody notices.
2. `first_wallet_refused`: the first wallet reported a refusal. Nobody signs a report.
3. `first_refusal_landed`: the first refusal landed on chain. Wallets simulate first, so that it may
   come late, or never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.causes.abandoned import abandoned_once
from popkit.chain.attempts import Attempt
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.texts import Moment as Time
from popkit.texts import Sentence, Text
from popkit.verdict.incident import Incident
from popkit.worker.proofs import Proof

EXACT, AT_LATEST, AT_EARLIEST = "exact", "at_latest", "at_earliest"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened: unix seconds, the slot where it is on chain, what says so, and how
    sure that is.

    `source` is 'chain', 'worker' or 'client'; `certainty` is 'exact', 'at_latest' (then, or
    earlier) or 'at_earliest'.
    """

    time: int
    slot: int | None
    source: str
    certainty: str

    def as_json(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "slot": self.slot,
            "source": self.source,
            "certainty": self.certainty,
        }


@dataclass(frozen=True, slots=True)
class Began:
    """The three moments of a break; each None where nothing tells."""

    lost_proof_issued: Moment | None
    first_wallet_refused: Moment | None
    first_refusal_landed: Moment | None

    def as_json(self) -> dict[str, Any]:
        moments = {
            name: getattr(self, name)
            for name in ("lost_proof_issued", "first_wallet_refused", "first_refusal_landed")
        }
        return {
            name: moment.as_json() if moment is not None else None
            for name, moment in moments.items()
        }


_SURE = {
    EXACT: Text("{at}: {what}", "{at}: {what}"),
    AT_LATEST: Text("{at} at the latest: {what}", "遅くとも {at}: {what}"),
    AT_EARLIEST: Text("{at} at the earliest: {what}", "早くとも {at}: {what}"),
}
_WHAT = {
    "lost_proof_issued": Text("the lost proof was issued", "失われた proof が発行されました"),
    "first_wallet_refused": Text(
        "the first wallet reported a refusal", "最初のウォレットが拒否を報告しました"
    ),
    "first_refusal_landed": Text(
        "the first refusal landed on chain", "最初の拒否がオンチェーンに記録されました"
    ),
}


def since(began: Began) -> list[Sentence]:
    """The moments of a break that are known, each as a sentence for people."""
    known = [
        (what, moment)
        for name, what in _WHAT.items()
        if (moment := getattr(began, name)) is not None
    ]
    return [_SURE[moment.certainty](at=Time(moment.time), what=what) for what, moment in known]


def began(incident: Incident) -> Began | None:
    """When a grant's break began, or for a grant that recovered the break that was; under relaxed
    rules the first burnt claim.

    None where nothing broke, and where nothing tells.
    """
    if incident.judgement.verdict in ("in_flight", "unused"):
        return None
    issued, landed = _issued(incident), _landed(incident)
    reported = (
        _reported(incident, issued)
        if incident.broken or landed is not None or incident.judgement.reports
        else None
    )
    if issued is None and landed is None and reported is None:
        return None
    return Began(issued, reported, landed)


def _issued(incident: Incident) -> Moment | None:
    """When the first of the lost or burnt proofs was issued: by its own signed time, or no later
    than its oldest known child.
    """
    line = incident.judgement.line
    if incident.broken:
        lost: list[str] = [p.entry_hash for p in line.path[:1]] or [
            p.entry_hash for p in incident.on_head
        ]
        lost += incident.first_unknown_parent
    else:
        lost = abandoned_once(incident)
    lost += [str(a.entry_hash) for a in incident.burnt]
    known = [_issue_of(line.proofs[entry]) for entry in lost if entry in line.proofs]
    children = [
        p for p in line.proofs.values() if p.prev_hash in lost and p.prev_hash not in line.proofs
    ]
    known += [Moment(p.issued_at, None, _source(p), AT_LATEST) for p in children]
    return min(known, key=lambda m: (m.time, m.certainty), default=None)


def _issue_of(proof: Proof) -> Moment:
    return Moment(proof.issued_at, None, _source(proof), EXACT if proof.confirmed else AT_LATEST)


def _source(proof: Proof) -> str:
    return "worker" if proof.from_worker else "chain"


def _landed(incident: Incident) -> Moment | None:
    """When the first refusal landed: exact where the node listed everything, else some refusal
    before it may be missing.
    """
    rows = {attempt.row for attempt in [*incident.burnt, *incident.chain_refused]}
    first: Attempt | None = next(
        (a for a in incident.judgement.line.chain.attributed if a.row in rows), None
    )
    if first is None:
        return None
    time = (
        first.block_time
        if first.block_time is not None
        else incident.facts.clock.latest(first.slot)
    )
    if time is None:
        return None
    whole = first.block_time is not None and incident.facts.is_listed_whole(
        incident.judgement.grant
    )
    return Moment(time, first.slot, "chain", EXACT if whole else AT_LATEST)


def _reported(incident: Incident, issued: Moment | None) -> Moment | None:
    """When the first wallet reported a refusal that belongs to the break: by a chain rule, or of a
    proof that is lost.
    """
    since = issued.time if issued is not None else 0
    of_lost = {id(told.report) for told in incident.reported.values()}
    told = [
        r.report
        for r in incident.facts.reported
        if r.grant == incident.judgement.grant and not r.report.landed
        and (r.error in CHAIN_RULE_ERRORS or id(r.report) in of_lost)
        and r.report.at >= since
    ]  # fmt: skip
    return Moment(told[0].at, None, "client", AT_LATEST) if told else None
