"""The verdict of one grant: links and heads, nothing else.

1. Under relaxed rules, and where the worker takes its parents from the chain, nothing can be wedged.
2. The worker's head is the chain's head: sound.
3. A line of its own proofs leads from the chain's head to the worker's: in flight while every one can land, broken once one is lost.
4. The line stands on something else (GENESIS, an older claim, a proof nobody knows): broken once nothing on it can land.
5. What is sound is called intact or recovered only with the worker's records unbroken back to the chain's head, and up to the moment at
   which the chain was read; else cannot tell.

Three doubts weaken an answer and never turn it: evidence that contradicts itself, an anchor that nothing attests, and rules that only a
date decides. Under each the grant is judged both ways; where the two differ, the answer is that it cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from popkit.attempts import Attempt
from popkit.audit.anchors import as_anchor
from popkit.audit.entries import LIST
from popkit.diagnosis.facts import Facts, ReportedFailure
from popkit.diagnosis.fate import CAN_LAND, LOST, Fates
from popkit.diagnosis.proofs import WorkerLine
from popkit.eras import STRICT_ERAS, EraAt
from popkit.moments import SLACK
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.message import GENESIS_HASH, SKEW_SECONDS
from popkit.wording import counted, utc

VERDICTS = ("broken", "inconclusive", "in_flight", "recovered", "intact", "unused")
"""Worst first: a case's verdict is the worst of its grants."""


@dataclass(slots=True)
class Judgement:
    """A grant's verdict with what it rests on.

    `because` is the reasoning in words; `missing_evidence` what would decide an inconclusive grant; `fates` answers for each proof what
    became of it; `chain_is_doubted` is whether the chain's own evidence contradicts itself, so that what it lacks is not known;
    `could_land_until` is the last second of the proofs on the way, where there are some; `records_end_early` whether the worker's records
    end before the chain was read; `reports` are wallets' reports of a break that nothing else shows.
    """

    grant: str
    verdict: str
    because: str
    line: WorkerLine
    era: EraAt
    fates: Fates
    missing_evidence: list[str] = field(default_factory=list)
    heals_until: int | None = None
    chain_is_doubted: bool = False
    could_land_until: int | None = None
    records_end_early: bool = False
    reports: list[ReportedFailure] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return self.verdict in ("intact", "recovered", "unused")

    @property
    def era_now(self) -> str:
        """The era in force when the case was collected."""
        return self.era.era

    @property
    def is_strict(self) -> bool:
        """Whether the rules now in force wait for one parent."""
        return self.era_now in STRICT_ERAS

    def cannot_tell(self, because: str, *missing: str) -> str:
        """Make the grant inconclusive, with what would decide it; 'inconclusive'."""
        self.verdict, self.because, self.heals_until = "inconclusive", because, None
        self.missing_evidence += missing
        return self.verdict


class Judge:
    """Judges the grants of one case; every question is a method."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.now = facts.now

    def judge(self, grant: str) -> Judgement:
        """The verdict of one grant."""
        line = self.facts.line(grant)
        outcome = self._judge_as(line)
        if line.unattested:
            outcome = self._without_the_unattested(outcome)
        if self._state_problem(line):
            outcome = self._without_the_state(outcome)
        if self.facts.clock_is_impossible:
            problem = f"the case states to have been collected at {self.now} (unix seconds), which cannot be"
            outcome.cannot_tell(problem, "the time of collection: the cluster's clock at the slot of the accounts")
        return outcome

    def _judge_as(self, line: WorkerLine) -> Judgement:
        """The verdict of a line as it stands, whatever may be doubted of it."""
        outcome = Judgement(line.chain.grant, "inconclusive", "", line, self.facts.era_now, Fates(self.facts, line))
        problem = self._chain_problem(line)
        wedge = self._judge_line(outcome) if outcome.era.may_be_strict and not line.follows_chain else None
        if wedge is not None and outcome.era.may_be_relaxed:
            seen = f"under strict rules {outcome.because}; under relaxed rules nothing is wedged, and only a date says which were in force"
            outcome.cannot_tell(seen, "a claim, a refusal or a program dump that shows which program is deployed")
        elif wedge == "broken" and line.parents_from_clients:
            seen = f"{outcome.because}; but the worker takes parents from clients, and a claim that follows the chain's head is accepted"
            outcome.cannot_tell(seen, "whether clients send the chain's head with their requests")
        elif wedge == "broken" and line.chain.misordered and not line.chain.state_counts:
            # Where the claims lead is then a matter of their order alone, and their links contradict that order.
            outcome.cannot_tell("accepted claims contradict their order, and no PopState tells the head", problem or "the order of claims")
        elif wedge == "broken":
            outcome.verdict = "broken"
        elif problem:
            outcome.cannot_tell(problem, problem)
        elif wedge is not None:
            outcome.verdict = wedge
        else:
            self._judge_sound(outcome)
        return outcome

    def _without_the_unattested(self, outcome: Judgement) -> Judgement:
        """The grant judged by attested proofs alone, where that comes to the same; else it cannot be told.

        Whoever holds the audit-log token can write an anchor; an honest one can lack the row of its request, as the worker moves its head
        before it answers.
        """
        line = self.facts.doubted_line(outcome.grant, attested_alone=True)
        trusted = self._judge_as(line)
        if trusted.verdict == outcome.verdict:
            trusted.heals_until = min(filter(None, (trusted.heals_until, outcome.heals_until)), default=None)
            return trusted
        entry = outcome.line.unattested[-1].entry_hash[:8]
        trusted.cannot_tell(
            f"the worker's head rests on an anchor that nothing else attests ({entry}): {trusted.verdict.replace('_', ' ')} without it, "
            f"{outcome.verdict.replace('_', ' ')} with it",
            "the worker's storage, which shows whether it issued that proof",
        )
        return trusted

    def _without_the_state(self, outcome: Judgement) -> Judgement:
        """The grant judged without its PopState, whose readings contradict the rest: broken where that is proved all the same."""
        attested_alone = bool(self.facts.line(outcome.grant).unattested)
        line = self.facts.doubted_line(outcome.grant, without_state=True, attested_alone=attested_alone)
        without = self._judge_as(line)
        if without.verdict == "broken" and self._wrong_program(outcome.line) is None:
            return without
        problem = self._state_problem(outcome.line) or ""
        outcome.chain_is_doubted = True
        outcome.cannot_tell(problem, "PopState, collected again from a second node")
        return outcome

    def _state_problem(self, line: WorkerLine) -> str | None:
        """Why the readings of the chain's accounts decide nothing: they contradict each other or the claims; None where they do not."""
        chain, owner = line.chain, self._wrong_program(line)
        if owner is not None:
            return f"the grant's accounts belong to another program, {owner}: the case names a wrong program"
        if any(seen.is_contradicted for seen in [chain.state, *chain.state.others]):
            return "the evidence holds two contents of PopState for one slot"
        if chain.contradicting_states:
            return "PopState and the accepted claims name different heads"
        return None

    def _wrong_program(self, line: WorkerLine) -> str | None:
        """The program that owns the grant's accounts where it is not the case's: then no claim of the grant was read; else None."""
        return line.chain.state.foreign_owner or self.facts.foreign_owner(line.chain.grant)

    def _chain_problem(self, line: WorkerLine) -> str | None:
        """Why the chain's own evidence does not add up; None when it does."""
        chain = line.chain
        if chain.state.unreadable:
            return "the PopState account cannot be read as one"
        if chain.unseen:
            named = ", ".join(entry[:8] for entry in chain.unseen)
            return f"the chain names accepted claims that are not in the evidence: {named}"
        if chain.misordered or chain.doubled:
            return "accepted claims contradict each other: their order, or two of one claimer and period"
        if chain.forged:
            return "transactions of the grant are not signed by those they name"
        if not chain.state.known and not chain.accepted and not chain.refused and self.facts.history.created_slot(chain.grant) is None:
            return "nothing of the grant is in the evidence: neither accounts nor transactions"
        return None

    def _judge_line(self, outcome: Judgement) -> str | None:
        """'broken', 'in_flight' or 'inconclusive' for a worker's head that is not the chain's; None when the two are one, or unknown."""
        line, chain = outcome.line, outcome.line.chain
        if line.head is None:
            return self._judge_reports(outcome)
        if line.head == chain.head:
            return "broken" if self._breaks_a_link(outcome) else None
        if line.is_ambiguous:
            return outcome.cannot_tell(
                "a refused claim and a younger accepted one stand on different lines; whose they are only the worker's records tell",
                "the worker's audit records or storage",
            )
        if not line.is_stale and self._breaks_a_link(outcome):
            return "broken"
        if not line.path:
            return self._judge_behind(outcome)
        if line.root == chain.head and line.path[0].stream_prev_hash == chain.stream_head:
            return self._judge_ahead(outcome)
        return self._judge_elsewhere(outcome)

    def _breaks_a_link(self, outcome: Judgement) -> bool:
        """Whether a proof of the line, or the next one, cannot hold both links whatever lands before it."""
        line = outcome.line
        if line.stored_heads_differ:
            outcome.because = "the worker's two stored heads differ: its next proof cannot hold both links"
            return True
        for parent, child in pairwise(line.path):
            if child.stream_prev_hash != parent.entry_hash:
                outcome.because = f"the proof {child.entry_hash[:8]} follows {parent.entry_hash[:8]} by one link and not by the other"
                return True
        return False

    def _judge_ahead(self, outcome: Judgement) -> str:
        """The worker's line stands on the chain's head."""
        line, fates = outcome.line, outcome.fates
        lost = next((p for p in line.path if fates.of(p) == LOST), None)
        if lost is not None:
            outcome.because = (
                f"the worker's head is {counted(len(line.path), 'proof')} ahead of the chain's; "
                f"{lost.entry_hash[:8]} was never accepted and can land no more"
            )
            return "broken"
        asked: set[tuple[str, int]] = set()
        for proof in line.path:
            if (proof.claimer, proof.period_index) in asked:
                outcome.because = (
                    f"the worker's head is {counted(len(line.path), 'proof')} ahead of the chain's; {proof.entry_hash[:8]} and an "
                    "earlier one are for one claimer and period, so that not both can land"
                )
                return "broken"
            asked.add((proof.claimer, proof.period_index))
        if not fates.are(line.path, CAN_LAND):
            return self._not_known_whether_landed(outcome)
        return self._judge_in_flight(outcome)

    def _not_known_whether_landed(self, outcome: Judgement) -> str:
        """Proofs on the way can land no more, and the chain was not read since, or not whole: whether they landed is not known."""
        line, fates = outcome.line, outcome.fates
        if not fates.head_is_certain:
            return outcome.cannot_tell(
                "proofs stand on the last claim seen, but whether they landed is not known: no PopState, and transactions are missing",
                "the PopState account of the grant",
            )
        if any(fates.may_have_landed(proof) for proof in line.path):
            return outcome.cannot_tell(
                "a receipt or a record tells of a claim whose transaction is not in the evidence: it may be that of a proof on the way",
                "PopState and the receipts of one moment",
            )
        when = f"at {utc(fates.read_at)}" if fates.read_at is not None else "at a moment that is not known"
        return outcome.cannot_tell(
            f"the worker's head is {counted(len(line.path), 'proof')} ahead of the chain's, but the chain was read {when}, "
            "before they could land no more: whether they landed since is not known",
            "the PopState account of the grant, read after the worker's newest proof is 600 s old",
        )

    def _judge_in_flight(self, outcome: Judgement) -> str:
        """Every proof on the way can still land by the clock of the case."""
        line, fates = outcome.line, outcome.fates
        until = min(fates.last_second(proof) for proof in line.path)
        outcome.could_land_until = until
        newest = self.facts.records_until
        if newest is not None and newest > until + SLACK:
            return outcome.cannot_tell(
                f"proofs on the way could land until {utc(until)}, and the worker's records go on to {utc(newest)}: "
                "whether they landed since is not known",
                "the chain, read again after the worker's newest record",
            )
        doubt = _NO_HEADS if line.storage_lacks_heads else self._records_behind(outcome)
        if doubt is not None:
            return outcome.cannot_tell(f"{counted(len(line.path), 'issued proof')} can still land, but {doubt}", doubt)
        outcome.heals_until = until
        outcome.because = f"{counted(len(line.path), 'issued proof')} on the chain's head can still land"
        return "in_flight"

    def _judge_behind(self, outcome: Judgement) -> str:
        """The worker's head is GENESIS, an accepted claim that is not the chain's head, or an entry nobody knows."""
        line, chain = outcome.line, outcome.line.chain
        if line.is_stale:
            return self._records_end_early(outcome)
        newest = line.proofs.get(chain.head)
        if line.head_source == "anchors" and newest is not None and newest.issuer != "foreign" and newest.anchor is None:
            return outcome.cannot_tell(
                "the worker's records do not hold the anchor of the chain's head, so that they do not tell where its own went",
                "the worker's storage, or its audit records without a gap",
            )
        known = line.head in chain.accepted_entries or line.head == GENESIS_HASH or line.head in chain.unseen
        if not known and not (line.head_source == "storage" and outcome.fates.head_is_certain):
            return outcome.cannot_tell(
                "the worker's head is an entry that nothing else in the evidence names", "the worker's audit records"
            )
        read_at = outcome.fates.read_at
        if not known and (read_at is None or not line.records.covers(read_at - SKEW_SECONDS)):
            return outcome.cannot_tell(
                "the worker's stored head is a proof of unknown age that may still land", "the worker's audit records or history"
            )
        behind = self._records_behind(outcome) if line.head_source == "anchors" else None
        if behind is not None:
            return outcome.cannot_tell(f"the worker's own head is not the chain's, but {behind}", behind)
        where = "GENESIS" if line.head == GENESIS_HASH else f"{str(line.head)[:8]}"
        outcome.because = f"the worker's head is {where}, the chain's head is {chain.head[:8]}: the next proof will be refused"
        return "broken"

    @staticmethod
    def _records_end_early(outcome: Judgement) -> str:
        return outcome.cannot_tell(
            "the worker's records end before the chain does", "the worker's records up to the time of the chain's evidence"
        )

    def _judge_elsewhere(self, outcome: Judgement) -> str:
        """The worker's line stands on something that is not the chain's head."""
        line, chain = outcome.line, outcome.line.chain
        root = line.root
        if line.is_stale:
            return self._records_end_early(outcome)
        on_known_ground = root in chain.accepted_entries or root == GENESIS_HASH or root == chain.head or root in chain.unseen
        if on_known_ground or root in line.proofs:  # a proof on which the line stops is one that landed
            what = "GENESIS" if root == GENESIS_HASH else f"the claim {str(root)[:8]}"
            if root == chain.head:
                outcome.because = "the worker's next proof follows the chain's head by one link and not by the other"
            else:
                outcome.because = (
                    f"the worker's line stands on {what}, which is not the chain's head {chain.head[:8]}, and never will be again"
                )
            return "broken"
        return self._judge_on_an_unknown_parent(outcome)

    def _judge_on_an_unknown_parent(self, outcome: Judgement) -> str:
        """The line stands on a proof that is not in the evidence: lost when its oldest known child can land no more."""
        parent, issued_at = min(outcome.line.unknown_parents.items(), key=lambda item: (item[1], item[0]))
        if not outcome.fates.head_is_certain:
            return outcome.cannot_tell(
                "proofs follow one that is not in the evidence, and whether that landed is not known: nor is the chain's head",
                "the PopState account of the grant",
            )
        read_at = outcome.fates.read_at
        if read_at is not None and read_at - issued_at > SKEW_SECONDS:
            outcome.because = (
                f"the proof {parent[:8]} never landed; its oldest known child was issued {read_at - issued_at} s before the chain "
                "was read, so it can land no more"
            )
            return "broken"
        return outcome.cannot_tell(
            f"the proof {str(outcome.line.root)[:8]} is not in the evidence and may still land",
            "the worker's records of that proof, or evidence taken after it is 600 s old",
        )

    def _judge_reports(self, outcome: Judgement) -> str | None:
        """Without the worker's records: wallets' reports of a chain-rule refusal since the last claim; nobody signs them."""
        chain = outcome.line.chain
        last = max((a.block_time or a.issued_at or 0 for a in chain.accepted), default=0)
        outcome.reports = [
            r
            for r in self.facts.reported
            if r.grant == outcome.grant and r.failure.layer == "program" and r.error in CHAIN_RULE_ERRORS and r.report.at > last
        ]
        if not outcome.reports:
            return None
        first = outcome.reports[0]
        return outcome.cannot_tell(
            f"wallets report {first.error} from {utc(first.report.at)} on and nothing was accepted since; nobody signs a wallet's report, "
            "so that the worker's records must show whether a proof was lost",
            "the worker's audit records or storage",
        )

    def _judge_sound(self, outcome: Judgement) -> None:
        """Nothing is wedged: intact, recovered or unused where the worker's records show it, else inconclusive."""
        line, chain = outcome.line, outcome.line.chain
        used = bool(chain.accepted or chain.attributed or line.anchors or line.history)
        refused = [a for a in chain.attributed if a.broke_chain_rule]
        went_on = bool(refused) and any(a.slot > max(r.slot for r in refused) for a in chain.accepted)
        is_head = line.head == chain.head
        if refused and not went_on and not is_head:
            outcome.cannot_tell(
                "claims were refused by a chain rule and nothing was accepted since; the next proof may follow the chain's head",
                "a claim that was accepted after the refusals",
            )
            return
        recovered = bool(refused) and any(a.slot >= refused[0].slot for a in chain.accepted)
        outcome.verdict = "unused" if not used else "recovered" if recovered else "intact"
        outcome.because = _SOUND[outcome.verdict, is_head]
        need = self._records_missing(outcome)
        if need is not None:
            sound = f"sound on chain up to {chain.head[:8]}" if used else "nothing was claimed"
            outcome.cannot_tell(f"{sound}, but {need}", need)

    def _records_missing(self, outcome: Judgement) -> str | None:
        """What of the worker's records is missing to call a sound chain sound; None when nothing is.

        Relaxed rules that behaviour shows need none: whatever the worker issued and nobody sent wedges nothing.
        """
        line = outcome.line
        if outcome.era_now == "relaxed" and outcome.era.decided_by == "behaviour":
            return None
        if any((anchor := as_anchor(entry)) is not None and anchor.grant == line.chain.grant for entry in line.records.doubtful):
            return "the bucket holds two objects after its newest entry; one append failed, and whether it was that of a proof is not known"
        if line.records.damaged and (LIST not in line.records.sources or LIST in line.records.damaged):
            return "lines of the worker's records could not be read, and the newest may be among them"
        if line.storage_is_behind and line.head_source != "anchors":
            return "the storage export ends before the worker's list begins: what was issued between the two is not in the evidence"
        if line.storage_is_older and LIST not in line.records.sources:
            return "the storage export ends before the bucket's: whether the storage was put back since, only a younger export tells"
        if line.storage_lacks_heads:
            return _NO_HEADS
        newest = line.proofs.get(line.chain.head)
        if line.head is None and newest is not None and newest.issuer == "foreign" and outcome.era.may_be_strict and not line.follows_chain:
            return "the chain's head is another issuer's claim, and where the worker's own head stands is not in the evidence"
        if not line.reaches(line.chain.head):
            if not line.records.is_known:
                return "the worker's records are not in the case: a proof that was issued and never sent would not show on chain"
            if line.chain.head == GENESIS_HASH:
                return "the worker's records do not reach back to the grant's creation without a gap"
            return "the worker's records do not reach back to the anchor of the chain's head without a gap"
        return self._records_behind(outcome)

    def _records_behind(self, outcome: Judgement) -> str | None:
        """How far the worker's records end before the moment at which the chain was read; None where they reach it."""
        chain, until = outcome.line.chain, self.facts.records_until
        if chain.state.known and chain.state.slot is None:
            return "the accounts carry no slot, so that their age is not known: what was issued before they were read may be missing"
        read = self.facts.clock.latest(chain.state.slot) if chain.state_counts else self.now
        read = self.now if read is None else read
        if until is None or until < read - SLACK:
            outcome.records_end_early = True
            upto = "nothing" if until is None else f"the worker's record of {utc(until)}"
            return f"the worker's records end at {upto}, and the chain was read at {utc(read)}: what was issued since is not known"
        return None


_NO_HEADS = "the storage export holds no head of the grant, though the worker's records show that it had one"
_SOUND = {
    ("unused", True): "nobody has claimed from the grant and nobody holds a proof for it",
    ("recovered", True): "claims were refused by a chain rule and the chain went on past them; the worker's head is the chain's",
    ("intact", True): "every accepted claim follows an accepted one, and the worker's head is the chain's",
    ("unused", False): "nobody has claimed from the grant",
    ("recovered", False): "claims were refused by a chain rule and the chain went on past them; the worker takes its parent from the chain",
    ("intact", False): "the accepted claims lead to PopState, and the worker takes its parent from the chain",
}
"""Why a grant is sound, by its verdict and by whether the worker's head is the chain's."""


def burnt(judgement: Judgement, attempt: Attempt) -> bool:
    """Whether an attributed refused claim is burnt: refused by a rule other than the chain's, never accepted, and it can land no more.

    Under strict rules one that stood on the chain's head; under relaxed rules any whose claimer got nothing else for that period.
    """
    line, chain = judgement.line, judgement.line.chain
    if attempt.broke_chain_rule:
        return False
    proof = line.proofs[str(attempt.entry_hash)]
    if judgement.fates.of(proof) != LOST:
        return False
    if chain.era_at(attempt) in STRICT_ERAS:
        return attempt.prev_hash in chain.heads_during(attempt.slot)
    return not judgement.fates.is_claimed(proof.claimer, proof.period_index)
