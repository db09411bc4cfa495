"""What a case allows: whether a cutover is needed, which remedy, under which key. A pure reading of
the diagnosis and of what was asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from popkit.chain.history import Terms
from popkit.cutover.plan import Remedy, Signer
from popkit.cutover.reasons import REASONS, stop
from popkit.diagnosis.result import GrantDiagnosis
from popkit.facts import Facts
from popkit.protocol.accounts import Grant
from popkit.protocol.keys import key_bytes
from popkit.protocol.pda import pop_config_address
from popkit.texts import Moment, sentence

COPIED = ("foreign_issuer", "equivocation")
"""Findings and causes that say that somebody else holds the worker's key."""
ID_BITS = 53
"""A grant id passes through JavaScript at the worker: it stays a number that JavaScript holds
exactly.
"""


@dataclass(slots=True)
class Gate:
    """What a person overrides with a reason, and what was overridden."""

    reason: str | None
    overridden: list[str] = field(default_factory=list)

    def refuse(self, code: str, **values: object) -> None:
        """Raise Stopped, or note that the person's reason overrides it where it may."""
        if self.reason and REASONS[code].overridable:
            self.overridden.append(code)
            return
        raise stop(code, **values)


def remedy_of(facts: Facts, grant: GrantDiagnosis, gate: Gate, signer: str | None) -> Remedy:
    """Which kind of plan heals the grant. Raises Stopped where none is needed, or none is safe.

    A wedged grant needs a *switch*. Where pop-config names another key than the worker and nothing
    is wedged, naming the right key is enough (*signer*); so it is where a copied key is replaced
    under rules that wedge nothing.
    """
    names = {cause.name for cause in grant.causes}
    if grant.closed:
        raise stop("grant_closed")
    if grant.superseded_by is not None:
        gate.refuse("superseded", grant=grant.superseded_by)
    if grant.verdict == "in_flight":
        raise stop("in_flight", until=Moment(grant.judgement.heals_until))
    if grant.verdict == "broken":
        return "switch"
    if grant.verdict == "inconclusive":
        gate.refuse("undecided", because=grant.judgement.because)
        return "switch"
    if "signer_mismatch" in names or (signer is not None and names & set(COPIED)):
        return "signer"
    if names & set(COPIED) or copied_by(facts, grant):
        raise stop("copied_key", cause=", ".join(sorted(names & set(COPIED))) or "foreign_issuer")
    gate.refuse("nothing_broken", verdict=grant.verdict)
    return "switch"


def copied_by(facts: Facts, grant: GrantDiagnosis) -> set[str]:
    """Keys with which somebody else than the worker signs, by the causes of the diagnosis; empty
    where there is nobody.
    """
    names = {cause.name for cause in grant.causes}
    if not names & set(COPIED) and not grant.foreign_entries and not grant.equivocations:
        return set()
    entries = set(grant.foreign_entries) | {entry for pair in grant.equivocations for entry in pair}
    chain = facts.chain(grant.grant)
    keys = {a.signer for a in chain.attributed if a.entry_hash in entries and a.signer}
    last = last_signer(facts, grant.grant)
    return keys | ({last} if last is not None else set())


def last_signer(facts: Facts, grant: str) -> str | None:
    """The key that signed the proof of the newest accepted claim; None where no claim with a proof
    was accepted.
    """
    accepted = [a for a in facts.chain(grant).accepted if a.signer is not None]
    return accepted[-1].signer if accepted else None


NO_CLAIM = sentence(
    "no claim with a proof was accepted on this grant",
    "この grant で proof 付きの claim が受理されたことがありません",
)


def signer_of(
    facts: Facts,
    grant: GrantDiagnosis,
    *,
    now: str | None,
    worker: str | None,
    typed: str | None,
    authority: str,
) -> Signer:
    """The key that pop-config must name: that of the last accepted claims, or one that a person
    typed from a second source.

    `now` is what pop-config names, `worker` whom the worker says that it signs as: neither decides
    alone. Raises Stopped where the key is not known, was copied, is zero, or is not the one that
    the worker will sign with.
    """
    copied, accepted = copied_by(facts, grant), last_signer(facts, grant.grant)
    planned = typed or accepted
    if typed is not None and not any(key_bytes(typed)):
        raise stop("zero_signer")
    if planned is None:
        raise stop("signer_not_known", why=NO_CLAIM)
    if planned in copied:
        names = sorted({c.name for c in grant.causes} & set(COPIED)) or ["foreign_issuer"]
        raise stop("copied_key", cause=", ".join(names))
    if worker is not None and worker != planned:
        if typed is None:
            raise stop("signer_not_given", worker=worker, accepted=planned)
        raise stop("worker_signs_otherwise", planned=planned, worker=worker)
    return Signer(
        pop_config=pop_config_address(authority, facts.header.program_id),
        now=now,
        planned=planned,
        source="typed by a person" if typed is not None else "last accepted claims",
        upsert=now != planned,
    )


def new_grant_id(old: str, last_good: str | None, given_up: Iterable[str]) -> int:
    """The id of the new grant, which follows from the old one: two operators who plan apart meet at
    one address.

    `last_good` is the entry (else the signature) of the last good claim, `given_up` the new grants
    that were abandoned before, in any order.
    """
    text = "\n".join(["popkit.cutover/1", old, last_good or "GENESIS", *sorted(set(given_up))])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - ID_BITS)


def given_up_for(
    old: str, last_good: str | None, given_up: Iterable[str], address_of: Callable[[int], str]
) -> set[str]:
    """Those of `given_up` that were new grants of this very old one: each is where the ones before
    it led.

    `address_of` gives the address of an id. Any other grant is somebody else's, whatever it is
    called.
    """
    left, found = set(given_up), set[str]()
    while (address := address_of(new_grant_id(old, last_good, found))) in left - found:
        found.add(address)
    return found


def start_of(terms: Terms, now: int, given: int | None, gate: Gate) -> int:
    """The new grant's start: the old grant's latest period boundary that is not after `now`. Raises
    Stopped for a start after now.

    A grant that has not begun has no such boundary: its own start is still to come.
    """
    start = (
        terms.start_ts + max(terms.period_at(now), 0) * terms.period_seconds
        if given is None
        else given
    )
    if start > now:
        raise stop("future_start", start=Moment(start), now=Moment(now))
    if given is None:
        return start
    if (given - terms.start_ts) % terms.period_seconds:
        gate.refuse("start_off_calendar", start=Moment(given))
    return given


def terms_of(grant: Grant) -> Terms:
    """An account's terms in the words of the history."""
    return Terms(
        authority=grant.authority,
        mint=grant.mint,
        grant_id=grant.grant_id,
        amount_per_period=grant.amount_per_period,
        period_seconds=grant.period_seconds,
        start_ts=grant.start_ts,
        expires_at=grant.expires_at,
        merkle_root=grant.merkle_root,
        paused=grant.paused,
    )
