"""One judged grant, and the questions that rules and causes ask of it: what was refused, burnt,
lost, reported, and signed twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from itertools import combinations
from typing import Any

from popkit.chain.attempts import Attempt
from popkit.chain.links import Fork
from popkit.facts import Facts
from popkit.verdict.judgement import Judgement, burnt
from popkit.worker.fate import LOST, Fates
from popkit.worker.line import PARENTS_FROM_CLIENTS
from popkit.worker.proofs import Proof
from popkit.worker.reports import ReportedFailure

REPORT_DELAY = 900
"""Seconds a wallet's report may come after the proof it is about was issued."""


class Incident:
    """One judged grant as rules and causes ask about it: what was refused, burnt, lost and
    reported.
    """

    def __init__(self, facts: Facts, judgement: Judgement) -> None:
        self.facts, self.judgement = facts, judgement

    @cached_property
    def burnt(self) -> list[Attempt]:
        """Attributed attempts whose proof a rule other than the chain's refused for good, in
        landing order.
        """
        return [a for a in self.judgement.line.chain.attributed if burnt(self.judgement, a)]

    @cached_property
    def chain_refused(self) -> list[Attempt]:
        """Attributed attempts that a chain rule refused, in landing order."""
        return [a for a in self.judgement.line.chain.attributed if a.broke_chain_rule]

    @cached_property
    def reported(self) -> dict[str, ReportedFailure]:
        """By entry hash: what the wallet that held a never-accepted proof reported of it first."""
        return _reports_by_proof(self.facts, self.judgement)

    @property
    def reported_on_head(self) -> dict[str, ReportedFailure]:
        """By entry hash: what wallets reported of the lost proofs that stand on a broken grant's
        head now.
        """
        if not self.broken:
            return {}
        lost = [proof.entry_hash for proof in self.on_head]
        return {entry: self.reported[entry] for entry in lost if entry in self.reported}

    @property
    def fates(self) -> Fates:
        return self.judgement.fates

    def is_doomed(self, proof: Proof) -> bool:
        """Whether a proof can land no more: it is lost, or the second on the way for one claimer
        and period.
        """
        return self.fates.of(proof) == LOST or proof.entry_hash in self.judgement.line.repeated

    @property
    def broken(self) -> bool:
        return self.judgement.verdict == "broken"

    @property
    def on_head(self) -> list[Proof]:
        """This worker's never-accepted proofs that stand on the chain's head by both links."""
        line, chain = self.judgement.line, self.judgement.line.chain
        return [
            p
            for p in line.proofs.values()
            if not p.landed
            and p.issuer != "foreign"
            and (p.prev_hash, p.stream_prev_hash) == (chain.head, chain.stream_head)
        ]

    @property
    def chain_is_known(self) -> bool:
        """Whether anything of the chain was collected: without it a proof that was never accepted
        cannot be told from one that was.
        """
        chain = self.judgement.line.chain
        return (
            chain.state.known
            or bool(chain.accepted or chain.refused)
            or self.facts.history.created_slot(chain.grant) is not None
        )

    @property
    def unknown_parents(self) -> list[str]:
        """Parents that attributed refused claims, or the worker's line, name and that nothing in
        the evidence carries.
        """
        return sorted(self.judgement.line.unknown_parents)

    @property
    def first_unknown_parent(self) -> list[str]:
        """The unknown parent that stands on the chain's head: the one with the oldest child; none
        where that place is known.
        """
        parents = self.judgement.line.unknown_parents
        return (
            []
            if self.on_head or not parents
            else [min(parents, key=lambda parent: (parents[parent], parent))]
        )

    def own(self, attempts: list[Attempt]) -> list[Attempt]:
        """Those of the attempts whose proof is not shown to be another issuer's."""
        return [
            a for a in attempts if self.judgement.line.proofs[str(a.entry_hash)].issuer != "foreign"
        ]

    @cached_property
    def head_may_be_another(self) -> bool:
        """Whether proofs that nothing shows as accepted may have been, as where the chain's head
        is cannot be told.
        """
        judgement = self.judgement
        proved = judgement.verdict == "broken" and any(
            self.fates.of(p) == LOST for p in self.on_head
        )
        return judgement.chain_is_doubted or not (self.fates.head_is_certain or proved)

    @cached_property
    def lost_proofs(self) -> list[str]:
        """The worker's never-accepted proofs that can land no more, ascending; unknown parents of
        refused claims among them.
        """
        if not self.chain_is_known or self.head_may_be_another:
            return []
        lost = {
            p.entry_hash
            for p in self.judgement.line.proofs.values()
            if p.issuer != "foreign"
            and p.attested
            and self.fates.of(p) == LOST
            and not self.fates.may_have_landed(p)
        }
        return sorted(lost | set(self.unknown_parents if self.broken else ()))

    @cached_property
    def forks(self) -> list[dict[str, Any]]:
        """Each fork as findings.json has it: `parent`, `children`, and `kind`.

        A race where the rules were relaxed and one worker issued, else a fork.
        """
        return [
            {"parent": fork.parent, "children": list(fork.children), "kind": self._kind_of(fork)}
            for fork in self.judgement.line.chain.forks
        ]

    def _kind_of(self, fork: Fork) -> str:
        line = self.judgement.line
        proofs = [line.proofs[child] for child in fork.children]
        is_race = self._all_relaxed(proofs) and all(proof.issuer != "foreign" for proof in proofs)
        return "race" if is_race else "fork"

    @property
    def equivocations(self) -> list[list[str]]:
        """Pairs of different signed entries for one claimer and period on one parent, ascending.

        Two issuers, or one worker that keeps its own head, equivocate; one that took a parent from
        the chain and is asked twice repeats itself: see `repeats`.
        """
        return self._pairs[0]

    @property
    def repeats(self) -> list[list[str]]:
        """Such pairs of one worker that took its parent from the chain, ascending."""
        return self._pairs[1]

    @cached_property
    def _pairs(self) -> tuple[list[list[str]], list[list[str]]]:
        """(equivocations, repeats)."""
        groups: dict[tuple[str, str, int], list[Proof]] = defaultdict(list)
        for proof in self.judgement.line.proofs.values():
            if proof.accepted is not None or proof.refused:
                groups[proof.prev_hash, proof.claimer, proof.period_index].append(proof)
        wrong: list[list[str]] = []
        repeats: list[list[str]] = []
        for group in groups.values():
            for first, second in combinations(sorted(group, key=lambda p: p.entry_hash), 2):
                pair = [first.entry_hash, second.entry_hash]
                (repeats if self._is_repeat(first, second) else wrong).append(pair)
        return sorted(wrong), sorted(repeats)

    def _is_repeat(self, first: Proof, second: Proof) -> bool:
        if "foreign" in (first.issuer, second.issuer):
            return False
        if first.from_worker and second.from_worker:
            return (
                first.follows_chain or second.follows_chain
            )  # a worker that changed its model was asked twice as well
        if min(first.issued_at, second.issued_at) >= PARENTS_FROM_CLIENTS and "unknown" in (
            first.issuer,
            second.issuer,
        ):
            return True  # a worker of that time may have been given the parent by the client, twice
        return self._all_relaxed((first, second))

    def _all_relaxed(self, proofs: Iterable[Proof]) -> bool:
        """Whether every attempt with one of some proofs was judged by relaxed rules."""
        attempts = [
            a for proof in proofs for a in [proof.accepted, *proof.refused] if a is not None
        ]
        return all(self.judgement.line.chain.era_at(attempt) == "relaxed" for attempt in attempts)


def _reports_by_proof(facts: Facts, judgement: Judgement) -> dict[str, ReportedFailure]:
    """The first refusal that a wallet reported of each never-accepted proof: the newest one it
    held at that time.
    """
    by_claimer: dict[str, list[Proof]] = defaultdict(list)
    for proof in judgement.line.proofs.values():
        if not proof.landed:
            by_claimer[proof.claimer].append(proof)
    found: dict[str, ReportedFailure] = {}
    for told in facts.reported:
        if told.grant != judgement.grant:
            continue
        held = [
            p
            for p in by_claimer[told.report.wallet]
            if 0 <= told.report.at - p.issued_at <= REPORT_DELAY
        ]
        if held:
            found.setdefault(max(held, key=lambda p: (p.issued_at, p.entry_hash)).entry_hash, told)
    return found
