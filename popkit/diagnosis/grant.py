"""What a diagnosis says of one grant: what findings.json holds, and what pages show beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from popkit.causes.model import Cause
from popkit.diagnosis.began import Began
from popkit.diagnosis.extent import ClaimCounts, TwoHeads, claim_counts, two_heads
from popkit.diagnosis.healing import Healing, healing_of
from popkit.diagnosis.people import Hit
from popkit.diagnosis.proof_rows import (
    Awaited,
    BadClaim,
    KnownProof,
    awaited,
    bad_claim,
    known_proofs,
)
from popkit.diagnosis.series import Depths, Lanes, broke_at, depths_of, lanes_of
from popkit.diagnosis.timeline import Event, events_of
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import pop_state_address
from popkit.text import for_html
from popkit.texts import Sentence
from popkit.verdict.judgement import Judgement

if TYPE_CHECKING:
    from popkit.facts import Facts
    from popkit.rules.cutover.declared import Declared


@dataclass
class GrantDiagnosis:
    """The diagnosis of one grant. Attributes are those of findings.json (design §6), and besides:
    `judgement`, the reasoning behind them; `people`, who was hit and by what; `steps`, what to do
    now; `declared`, the records of cutovers from this grant.

    What pages show beside findings.json is computed when it is first asked for: `counts`,
    `two_heads`, `proofs`, `waits_for`, `bad`, `healing`, `timeline`, `lanes`, `depths`, `broke_at`.
    Hashes are 64 hex digits, keys base58, times unix seconds, slots slots.
    """

    grant: str
    judgement: Judgement
    causes: list[Cause]
    last_good: dict[str, Any] | None
    first_bad: dict[str, Any] | None
    began: Began | None
    missing_entries: list[str]
    unseen_entries: list[str]
    foreign_entries: list[str]
    forged_transactions: list[str]
    forks: list[dict[str, Any]]
    equivocations: list[list[str]]
    affected_claimers: list[str] | None
    superseded_by: str | None
    cutover_of: str | None
    paused: bool | None
    closed: bool
    events: list[str]
    titles: list[str]
    people: list[Hit] = field(default_factory=list)
    steps: list[Sentence] = field(default_factory=list)
    declared: list[Declared] = field(default_factory=list)
    facts: Facts | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """broken, inconclusive, in_flight, recovered, intact or unused."""
        return self.judgement.verdict

    @property
    def heads(self) -> dict[str, str | None]:
        """`on_chain` (PopState), `worker` (where its next proof will point) and `last_accepted`
        (the end of the links).
        """
        chain, line = self.judgement.line.chain, self.judgement.line
        on_chain = (
            (chain.state.head or "0" * 64)
            if chain.state.known and not chain.state.unreadable
            else None
        )
        return {
            "on_chain": on_chain,
            "worker": line.head,
            "last_accepted": chain.linked[-1].entry_hash if chain.linked else None,
        }

    @property
    def _facts(self) -> Facts:
        assert self.facts is not None, "a diagnosis that was put together by hand holds no case"
        return self.facts

    @property
    def eras(self) -> list[str]:
        """The eras of the grant's attempts, ascending."""
        return self.judgement.line.chain.eras_found

    @property
    def is_undecided(self) -> bool:
        """Whether the evidence does not decide the grant: what is not named then is not known to be
        absent.
        """
        return self.verdict == "inconclusive"

    @cached_property
    def counts(self) -> ClaimCounts:
        """How many claims of the grant the case holds."""
        return claim_counts(self._facts, self.judgement.line)

    @cached_property
    def two_heads(self) -> TwoHeads:
        """The chain's head and the worker's, and how far they are apart."""
        return two_heads(self._facts, self.judgement.line)

    @cached_property
    def pop_state(self) -> str:
        """The address of the grant's PopState account."""
        return pop_state_address(self.grant, self._facts.header.program_id)

    @cached_property
    def proofs(self) -> dict[str, KnownProof]:
        """Every known proof of the grant, by entry hash."""
        return known_proofs(self.judgement.line, self.judgement.fates)

    @cached_property
    def waits_for(self) -> list[Awaited]:
        """What is known of each of `missing_entries`."""
        return awaited(self.missing_entries, self.proofs, self._facts.now)

    @cached_property
    def bad(self) -> BadClaim | None:
        """What is known of `first_bad` beside findings.json."""
        return (
            bad_claim(self.first_bad, self.judgement.line, self.proofs)
            if self.first_bad is not None
            else None
        )

    @cached_property
    def healing(self) -> Healing:
        """Who was hit, who has a claim since, and who still needs one."""
        return healing_of(self._facts, self)

    @cached_property
    def timeline(self) -> list[Event]:
        """What happened to the grant, by time; what has no known time last."""
        return events_of(self._facts, self)

    @cached_property
    def lanes(self) -> Lanes:
        """The times of the grant's claims and proofs, by what became of them."""
        return lanes_of(self._facts, self.judgement.line, self.judgement.fates)

    @cached_property
    def depths(self) -> Depths:
        """How the chain's head and the worker's moved."""
        return depths_of(self.judgement.line, self._facts.now)

    @cached_property
    def broke_at(self) -> int | None:
        """When the proof that the chain waits for was issued, else the first bad one; None where
        nothing broke, or it is not known.
        """
        bad = self.first_bad["entry_hash"] if self.first_bad is not None else None
        return broke_at([*self.missing_entries, bad], self.judgement.line)

    @cached_property
    def begins_at_genesis(self) -> bool | None:
        """Whether the first accepted claim follows GENESIS; None where no accepted claim with a
        proof is known.
        """
        first = self.judgement.line.chain.linked[:1]
        return first[0].prev_hash == GENESIS_HASH if first else None

    def as_json(self) -> dict[str, Any]:
        return {
            "grant": self.grant,
            "verdict": self.verdict,
            "eras": self.judgement.line.chain.eras_found,
            "causes": [cause.name for cause in self.causes],
            "last_good": self.last_good,
            "first_bad": self.first_bad,
            "began": self.began.as_json() if self.began is not None else None,
            "missing_entries": self.missing_entries,
            "unseen_entries": self.unseen_entries,
            "foreign_entries": self.foreign_entries,
            "forged_transactions": self.forged_transactions,
            "forks": self.forks,
            "equivocations": self.equivocations,
            "heads": self.heads,
            "heals_until": self.judgement.heals_until,
            "affected_claimers": self.affected_claimers,
            "superseded_by": self.superseded_by,
            "cutover_of": self.cutover_of,
            "paused": self.paused,
            "closed": self.closed,
        }

    @property
    def no_cause(self) -> str:
        """What it means that no cause is named: 'none', or 'not known' where the evidence does not
        decide.
        """
        return "not known" if self.is_undecided else "none"

    def __repr__(self) -> str:
        causes = ", ".join(c.name for c in self.causes)
        return f"<{self.verdict} {self.grant}" + (f": {causes}" if causes else "") + ">"

    def _repr_html_(self) -> str:
        rows = {
            "verdict": self.verdict,
            "why": self.judgement.because,
            "causes": "; ".join(f"{c.name}: {c.because}" for c in self.causes) or self.no_cause,
        }
        return html_table(f"Grant {self.grant}", rows)


def html_table(title: str, rows: dict[str, str]) -> str:
    """Names with one text each, as an HTML table."""
    body = "".join(
        f"<tr><th>{for_html(name)}</th><td>{for_html(text)}</td></tr>"
        for name, text in rows.items()
    )
    return f"<table><caption>{for_html(title)}</caption>{body}</table>"
