"""Wallets' reports of refusals: unsigned, so that they name errors and people, and decide nothing
alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from popkit.evidence.worker import WalletReport
from popkit.protocol.errors import TransactionFailure, read_logged_failure
from popkit.worker.event_links import EventLink


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    """A wallet's report of a refusal by a program, with the grant of its event."""

    report: WalletReport
    grant: str
    failure: TransactionFailure

    @property
    def error(self) -> str | None:
        """The program's name of the error, else Custom(n); None where the report names neither."""
        if self.failure.error is not None or self.failure.code is None:
            return self.failure.error
        return f"Custom({self.failure.code})"


def reported_failures(
    reports: Iterable[WalletReport],
    links: Iterable[EventLink],
    program: str,
) -> list[ReportedFailure]:
    """The reports that name a refusal, in their order, once for each grant of their event;
    `program` is the case's.
    """
    grants = defaultdict(set)
    for link in links:
        grants[link.event].add(link.grant)
    found = []
    for report in reports:
        failure = read_logged_failure(report.logs, report.message, program=program)
        if failure is not None:
            found += [
                ReportedFailure(report, grant, failure) for grant in sorted(grants[report.event_id])
            ]
    return found
