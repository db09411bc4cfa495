"""What the journal says of a canary: what was asked, what came of it, and how long its proof can
still be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from popkit.cutover.errors import Stopped
from popkit.cutover.first_claim.checks import Proof
from popkit.cutover.first_claim.words import COUNTDOWN, OTHER_CANARY
from popkit.cutover.journals.journal import Journal
from popkit.protocol.message import SKEW_SECONDS
from popkit.texts import Sentence

ASKS, DONE, REFUSED, LET_GO = "canary_asks", "canary_done", "canary_refused", "canary_let_go"
"""Kinds of entries: before a request goes out, after it was answered as wished, after it was not,
and when what was done counts no more.
"""

BEGINS, VERIFIED, DOUBTFUL = "canary_begins", "canary_verified", "canary_doubtful"
"""Kinds of entries at both ends: whose canary it is; every check holds, and the result stands; one
does not: the next run looks again.
"""


@dataclass(frozen=True, slots=True)
class Countdown:
    """For how many seconds of the cluster's clock a proof can still land; zero or less: no more."""

    seconds: int
    entry_hash: str

    @classmethod
    def of(cls, proof: Proof, now: int) -> Self:
        # The finalized clock is behind: a proof never has longer than the skew that the program allows.
        return cls(
            min(proof.said.issued_at + SKEW_SECONDS - now, SKEW_SECONDS), proof.said.entry_hash
        )

    @property
    def sentence(self) -> Sentence:
        """What waiting costs, in words."""
        return COUNTDOWN(seconds=max(0, self.seconds))


class Notes:
    """The entries of one canary's step in a journal, found by what they are about."""

    def __init__(self, journal: Journal, step: str) -> None:
        self.journal, self.step = journal, step

    def write(self, kind: str, **facts: Any) -> Mapping[str, Any]:
        """Add an entry; its facts come back once they are on the disk."""
        return self.journal.write(kind, self.step, **facts).facts

    def done(self, what: str) -> Mapping[str, Any] | None:
        """The facts of the newest entry that says that something was done, unless it was let go
        since.
        """
        for entry in reversed(self.journal.of(self.step)):
            if entry.facts.get("what") == what and entry.kind in (DONE, LET_GO):
                return entry.facts if entry.kind == DONE else None
        return None

    def last(self, kind: str) -> Mapping[str, Any] | None:
        """The facts of the newest entry of a kind."""
        return next(
            (entry.facts for entry in reversed(self.journal.of(self.step)) if entry.kind == kind),
            None,
        )

    def asked(self, what: str) -> bool:
        """Whether something was begun, whatever came of it."""
        return any(
            entry.kind == ASKS and entry.facts.get("what") == what
            for entry in self.journal.of(self.step)
        )

    def same(self, **facts: str) -> None:
        """Write down whose canary this is, or hold it to what an earlier run wrote.

        Another wallet or event may take over as long as no proof can be out; after that it would
        leave the first one's proof behind. Raises Stopped where it is too late.
        """
        begun = self.last(BEGINS)
        if begun is not None and dict(begun) == facts:
            return
        if begun is not None and not self._is_before_any_proof():
            differing = ", ".join(name for name, value in facts.items() if begun.get(name) != value)
            raise Stopped(
                "another_canary", OTHER_CANARY.sentence(fields=differing), OTHER_CANARY.advice()
            )
        self.write(BEGINS, **facts)
        if self.done("participation") is not None:
            self.write(LET_GO, what="participation")

    def _is_before_any_proof(self) -> bool:
        """Whether every request for a proof was clearly refused, so that none was issued."""
        of_proof = [
            entry for entry in self.journal.of(self.step) if entry.facts.get("what") == "proof"
        ]
        asks = [entry for entry in of_proof if entry.kind == ASKS]
        refusals = [
            entry
            for entry in of_proof
            if entry.kind == REFUSED and entry.facts.get("answer", {}).get("kind") != "not_known"
        ]
        return len(asks) == len(refusals) and all(
            entry.kind in (ASKS, REFUSED) for entry in of_proof
        )

    def countdown(self, now: int) -> Countdown | None:
        """The countdown of a proof that was issued and whose claim is not known to have landed."""
        known = self.done("proof")
        proof = (
            None if known is None or self.done("claim") is not None else Proof.read(known["proof"])
        )
        return None if proof is None else Countdown.of(proof, now)
