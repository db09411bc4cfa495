"""What happened to a grant, as events with a time and a key: administrators' steps, first and last
claims, the break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from popkit.chain.attempts import Attempt
from popkit.diagnosis.series import landed_at

if TYPE_CHECKING:
    from popkit.diagnosis.result import GrantDiagnosis
    from popkit.facts import Facts

FIRST_ACCEPTED, LAST_ACCEPTED = "first_accepted", "last_accepted"
NEVER_ACCEPTED, FIRST_BAD, FIRST_REPORT = "never_accepted", "first_bad", "first_report"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `time` in unix seconds, None where it is not known.

    `what` is the name of an administrator's instruction or one of the constants of this module;
    `key` a signature, an entry hash or a wallet; `detail` an error's name, None where it is not
    known or there is none; `number` the accepted claims up to the last. `is_exact` is False for a
    landing whose block has no time: then `time` is that of its proof's issue, before which it
    cannot be.
    """

    time: int | None
    grant: str
    what: str
    key: str
    detail: str | None = None
    number: int | None = None
    is_exact: bool = True


def events_of(facts: Facts, diagnosis: GrantDiagnosis) -> list[Event]:
    """The events of one grant, by time; those whose time is not known last."""
    return sorted(
        _events(facts, diagnosis),
        key=lambda event: (event.time is None, event.time or 0, event.what, event.key),
    )


def _events(facts: Facts, diagnosis: GrantDiagnosis) -> Iterator[Event]:
    grant, chain = diagnosis.grant, diagnosis.judgement.line.chain
    for step in facts.history.of_grant(grant):
        yield Event(step.block_time, grant, step.name, step.signature)
    if chain.accepted:
        first, last = chain.accepted[0], chain.accepted[-1]
        yield _landing(first, grant, FIRST_ACCEPTED)
        yield _landing(last, grant, LAST_ACCEPTED, number=len(chain.accepted))
    for entry in diagnosis.waits_for:
        yield Event(
            entry.proof.issued_at if entry.proof is not None else None,
            grant,
            NEVER_ACCEPTED,
            entry.entry,
        )
    bad = diagnosis.first_bad
    if bad is not None and bad["signature"]:
        attempt = next((a for a in chain.attributed if a.signature == bad["signature"]), None)
        if attempt is not None:
            yield _landing(attempt, grant, FIRST_BAD, bad["error"])
    report = next((r for r in facts.reported if r.grant == grant and not r.report.landed), None)
    if report is not None:
        yield Event(report.report.at, grant, FIRST_REPORT, report.report.wallet, report.error)


def _landing(
    attempt: Attempt, grant: str, what: str, detail: str | None = None, number: int | None = None
) -> Event:
    is_exact = attempt.block_time is not None
    return Event(landed_at(attempt), grant, what, attempt.signature, detail, number, is_exact)
