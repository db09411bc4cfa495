"""The verdict of one grant: links and heads, nothing else.

1. Under relaxed rules, and where the worker takes its parents from the chain, nothing can be wedged.
2. The worker's head is the chain's head: sound.
3. A line of its own proofs leads from the chain's head to the worker's: in flight while every one can land, else broken.
4. The line stands on something else (GENESIS, an older claim, a proof nobody knows): broken once nothing on it can land.
5. What is sound is called intact or recovered only with the worker's records unbroken back to the chain's head; else cannot tell.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from popkit.attempts import Attempt
from popkit.audit.anchors import as_anchor
from popkit.audit.entries import LIST
from popkit.diagnosis.facts import Facts, ReportedFailure
from popkit.diagnosis.proofs import Proof, WorkerLine, is_too_old
from popkit.diagnosis.records import claim_records
from popkit.eras import STRICT_ERAS
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.message import GENESIS_HASH, SKEW_SECONDS
from popkit.protocol.pda import receipt_address
from popkit.wording import counted, utc

VERDICTS = ("broken", "inconclusive", "in_flight", "recovered", "intact", "unused")
"""Worst first: a case's verdict is the worst of its grants."""


@dataclass(slots=True)
class Judgement:
    """A grant's verdict with what it rests on.

    `because` is the reasoning in words; `missing_evidence` what would decide an inconclusive grant; `dead_path` the worker's proofs that
    can land no more, oldest first.
    """

    grant: str
    verdict: str
    because: str
    line: WorkerLine
    era_now: str
    missing_evidence: list[str] = field(default_factory=list)
    heals_until: int | None = None
    reports: list[ReportedFailure] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return self.verdict in ("intact", "recovered", "unused")

    @property
    def is_strict(self) -> bool:
        """Whether the rules now in force wait for one parent."""
        return self.era_now in STRICT_ERAS


class Judge:
    """Judges the grants of one case; every question is a method."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.now = facts.now
        self._periods: dict[str, set[tuple[str, int]]] = {}
        self._unseen_records: dict[str, set[str]] | None = None

    def judge(self, grant: str) -> Judgement:
        """The verdict of one grant."""
        line = self.facts.line(grant)
        outcome = Judgement(grant, "inconclusive", "", line, self.facts.era_now)
        problem = self._chain_problem(line)
        dead = self._judge_line(outcome) if outcome.is_strict and not line.follows_chain else None
        if dead == "broken":
            outcome.verdict = "broken"
        elif problem:
            outcome.verdict, outcome.because, outcome.heals_until = "inconclusive", problem, None
            outcome.missing_evidence.append(problem)
        elif dead is not None:
            outcome.verdict = dead
        else:
            self._judge_sound(outcome)
        return outcome

    def _chain_problem(self, line: WorkerLine) -> str | None:
        """Why the chain's own evidence does not add up; None when it does."""
        chain = line.chain
        if chain.state.unreadable:
            return "the PopState account cannot be read as one"
        if chain.unseen:
            named = ", ".join(entry[:8] for entry in chain.unseen)
            return f"the chain names accepted claims that are not in the evidence: {named}"
        if chain.state_disagrees:
            return "PopState and the accepted claims name different heads"
        if chain.misordered or chain.doubled:
            return "accepted claims contradict each other: their order, or two of one claimer and period"
        if chain.forged:
            return "transactions of the grant are not signed by those they name"
        if not chain.state.known and not chain.accepted and not chain.refused and self.facts.history.created_slot(chain.grant) is None:
            return "nothing of the grant is in the evidence: neither accounts nor transactions"
        return None

    def can_land(self, proof: Proof, grant: str) -> bool:
        """Whether a proof may still be accepted: at most 600 s old, and no other proof's receipt for its claimer and period."""
        if proof.landed or is_too_old(proof.issued_at, self.now):
            return False
        return not self.is_claimed(grant, proof.claimer, proof.period_index)

    def may_have_landed(self, proof: Proof, grant: str) -> bool:
        """Whether a receipt tells of a claim that no transaction in the evidence is: it may be this proof's."""
        key = (proof.claimer, proof.period_index)
        return key not in self._accepted_periods(grant) and self.facts.receipt_exists(grant, *key) is True

    def is_claimed(self, grant: str, claimer: str, period_index: int) -> bool:
        """Whether (claimer, period) has an accepted claim, by a transaction or by its receipt."""
        if (claimer, period_index) in self._accepted_periods(grant):
            return True
        return self.facts.receipt_exists(grant, claimer, period_index) is True

    def _accepted_periods(self, grant: str) -> set[tuple[str, int]]:
        known = self._periods.get(grant)
        if known is None:
            line = self.facts.line(grant)
            known = {(a.claimer, a.period_index) for a in line.chain.accepted}
            known |= {(p.claimer, p.period_index) for p in line.proofs.values() if p.landed}
            self._periods[grant] = known
        return known

    def head_is_certain(self, line: WorkerLine) -> bool:
        """Whether the chain's head is known: PopState was collected, or the node listed nothing that is not in the case."""
        chain = line.chain
        if chain.state.known and not chain.state_is_stale:
            return True
        signatures, transactions = self.facts.evidence.signatures, self.facts.evidence.transactions
        if signatures is None or transactions is None:
            return False
        have = set(transactions.signature)
        return all(row.err is not None or row.signature in have or chain.grant not in row.addresses for row in signatures.values())

    def _judge_line(self, outcome: Judgement) -> str | None:
        """'broken', 'in_flight' or 'inconclusive' for a worker's head that is not the chain's; None when the two are one, or unknown."""
        line, chain = outcome.line, outcome.line.chain
        if line.head is None:
            return self._judge_reports(outcome)
        if line.head == chain.head:
            return "broken" if self._breaks_a_link(outcome) else None
        if line.is_ambiguous:
            outcome.because = (
                "a refused claim and a younger accepted one stand on different lines; whose they are only the worker's records tell"
            )
            outcome.missing_evidence.append("the worker's audit records or storage")
            return "inconclusive"
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
        line = outcome.line
        if all(self.can_land(proof, outcome.grant) for proof in line.path):
            outcome.heals_until = min(proof.issued_at for proof in line.path) + SKEW_SECONDS
            outcome.because = f"{counted(len(line.path), 'issued proof')} on the chain's head can still land"
            return "in_flight"
        if not self.head_is_certain(line) and not any(self._proves_loss(p, line.path[0]) for p in line.path):
            outcome.because = (
                "proofs stand on the last claim seen, but whether they landed is not known: no PopState, and transactions are missing"
            )
            outcome.missing_evidence.append("the PopState account of the grant")
            return "inconclusive"
        if any(self._receipt_is_younger(line, proof) for proof in line.path):
            outcome.because = "a receipt that was read after PopState may be that of a proof on the way"
            outcome.missing_evidence.append("PopState and the receipts of one moment")
            return "inconclusive"
        if not line.chain.state.known and any(self._landed_unseen(outcome.grant, proof) for proof in line.path):
            outcome.because = "a receipt or a record tells of a landed proof whose transaction is not in the evidence"
            outcome.missing_evidence.append("the PopState account of the grant")
            return "inconclusive"
        lost = next(p for p in line.path if not self.can_land(p, outcome.grant))
        outcome.because = (
            f"the worker's head is {counted(len(line.path), 'proof')} ahead of the chain's; "
            f"{lost.entry_hash[:8]} was never accepted and can land no more"
        )
        return "broken"

    def _landed_unseen(self, grant: str, proof: Proof) -> bool:
        """Whether something says that a proof landed though its transaction is not in the evidence: a receipt, or the worker's record."""
        if (proof.claimer, proof.period_index) in self._accepted_periods(grant):
            return False
        return self.facts.receipt_exists(grant, proof.claimer, proof.period_index) is True or proof.claimer in self._recorded_unseen(grant)

    def _recorded_unseen(self, grant: str) -> set[str]:
        """Wallets for whom the worker recorded an on-chain claim of the grant whose transaction is not in the evidence."""
        if self._unseen_records is None:
            have = set(self.facts.claims.transactions.signature)
            self._unseen_records = defaultdict(set)
            for record in claim_records(self.facts):
                if record.tx_signature is None or record.tx_signature in have:
                    continue
                for link in self.facts.event_links:
                    if link.event == record.event_id:
                        self._unseen_records[link.grant] |= set(record.wallets)
        return self._unseen_records[grant]

    @staticmethod
    def _proves_loss(proof: Proof, first: Proof) -> bool:
        """Whether a refusal by a chain rule shows that the first proof on the way had not landed when it could land no more."""
        times = [attempt.block_time for attempt in proof.refused if attempt.broke_chain_rule and attempt.block_time is not None]
        return any(is_too_old(first.issued_at, moment) for moment in times)

    def _receipt_is_younger(self, line: WorkerLine, proof: Proof) -> bool:
        """Whether a receipt of a proof's claimer and period that no accepted claim accounts for was read after PopState."""
        state, address = line.chain.state, receipt_address(line.chain.grant, proof.claimer, proof.period_index)
        row = self.facts.accounts.get(address)
        if row is None or row.slot is None or state.slot is None or row.slot <= state.slot:
            return False
        return self.may_have_landed(proof, line.chain.grant)

    def _judge_behind(self, outcome: Judgement) -> str:
        """The worker's head is GENESIS, an accepted claim that is not the chain's head, or an entry nobody knows."""
        line, chain = outcome.line, outcome.line.chain
        if line.is_stale:
            outcome.because = "the worker's records end before the chain does"
            outcome.missing_evidence.append("the worker's records up to the time of the chain's evidence")
            return "inconclusive"
        newest = line.proofs.get(chain.head)
        if line.head_source == "anchors" and newest is not None and newest.issuer != "foreign" and newest.anchor is None:
            outcome.because = "the worker's records do not hold the anchor of the chain's head, so that they do not tell where its own went"
            outcome.missing_evidence.append("the worker's storage, or its audit records without a gap")
            return "inconclusive"
        known = line.head in chain.accepted_entries or line.head == GENESIS_HASH or line.head in chain.unseen
        if not known and not (line.head_source == "storage" and self.head_is_certain(line)):
            outcome.because = "the worker's head is an entry that nothing else in the evidence names"
            outcome.missing_evidence.append("the worker's audit records")
            return "inconclusive"
        if not known and not line.records.covers(self.now - SKEW_SECONDS):
            outcome.because = "the worker's stored head is a proof of unknown age that may still land"
            outcome.missing_evidence.append("the worker's audit records or history")
            return "inconclusive"
        where = "GENESIS" if line.head == GENESIS_HASH else f"{str(line.head)[:8]}"
        outcome.because = f"the worker's head is {where}, the chain's head is {chain.head[:8]}: the next proof will be refused"
        return "broken"

    def _judge_elsewhere(self, outcome: Judgement) -> str:
        """The worker's line stands on something that is not the chain's head."""
        line, chain = outcome.line, outcome.line.chain
        root = line.root
        if line.is_stale:
            outcome.because = "the worker's records end before the chain does"
            outcome.missing_evidence.append("the worker's records up to the time of the chain's evidence")
            return "inconclusive"
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
        parent, issued_at = min(line.unknown_parents.items(), key=lambda item: (item[1], item[0]))
        if not self.head_is_certain(line):
            outcome.because = "proofs follow one that is not in the evidence, and whether that landed is not known: nor is the chain's head"
            outcome.missing_evidence.append("the PopState account of the grant")
            return "inconclusive"
        if is_too_old(issued_at, self.now):
            outcome.because = (
                f"the proof {parent[:8]} never landed; its oldest known child was issued {self.now - issued_at} s before the evidence "
                "was taken, so it can land no more"
            )
            return "broken"
        outcome.because = f"the proof {str(root)[:8]} is not in the evidence and may still land"
        outcome.missing_evidence.append("the worker's records of that proof, or evidence taken after it is 600 s old")
        return "inconclusive"

    def _judge_reports(self, outcome: Judgement) -> str | None:
        """Without the worker's records, wallets' reports of a chain-rule refusal can prove a break: nothing landed since."""
        chain = outcome.line.chain
        last = max((a.block_time or 0 for a in chain.accepted), default=0)
        told = [
            r for r in self.facts.reported if r.grant == outcome.grant and r.failure.layer == "program" and r.error in CHAIN_RULE_ERRORS
        ]
        told = [r for r in told if r.report.at > last]
        if not told or not self.head_is_certain(outcome.line):
            return None
        outcome.reports = told
        first = told[0].report.at
        if is_too_old(first, self.now):
            outcome.because = (
                f"wallets were refused with {told[0].error} from {utc(first)} on, nothing was accepted since, "
                "and what they waited for can land no more"
            )
            return "broken"
        return None

    def _judge_sound(self, outcome: Judgement) -> None:
        """Nothing is wedged: intact, recovered or unused where the worker's records show it, else inconclusive."""
        line, chain = outcome.line, outcome.line.chain
        used = bool(chain.accepted or chain.attributed or line.anchors or line.history)
        outcome.verdict = "unused" if not used else "recovered" if any(a.broke_chain_rule for a in chain.attributed) else "intact"
        outcome.because = {
            "unused": "nobody has claimed from the grant and nobody holds a proof for it",
            "recovered": "claims were refused by a chain rule and the chain went on past them",
            "intact": "every accepted claim follows an accepted one, and the worker's head is the chain's",
        }[outcome.verdict]
        if outcome.era_now == "relaxed" and used:
            outcome.because += "; under the relaxed rules the worker takes its parent from the chain"
        need = self._records_missing(line)
        if need is not None:
            seen = f"sound on chain up to {chain.head[:8]}" if used else "nothing was claimed"
            outcome.verdict, outcome.because = "inconclusive", f"{seen}, but {need}"
            outcome.missing_evidence.append(need)

    def _records_missing(self, line: WorkerLine) -> str | None:
        """What of the worker's records is missing to call a sound chain sound; None when nothing is."""
        if any((anchor := as_anchor(entry)) is not None and anchor.grant == line.chain.grant for entry in line.records.doubtful):
            return "the bucket holds two objects after its newest entry; one append failed, and whether it was that of a proof is not known"
        if line.records.damaged and (LIST not in line.records.sources or LIST in line.records.damaged):
            return "lines of the worker's records could not be read, and the newest may be among them"
        if line.storage_is_behind and line.head_source != "anchors":
            return "the storage export ends before the worker's list begins: what was issued between the two is not in the evidence"
        if line.storage_is_older and LIST not in line.records.sources:
            return "the storage export ends before the bucket's: whether the storage was put back since, only a younger export tells"
        newest = line.proofs.get(line.chain.head)
        if line.head is None and newest is not None and newest.issuer == "foreign" and self.facts.era_now in STRICT_ERAS:
            return "the chain's head is another issuer's claim, and where the worker's own head stands is not in the evidence"
        if line.reaches(line.chain.head):
            return None
        if not line.records.is_known:
            return "the worker's records are not in the case: a proof that was issued and never sent would not show on chain"
        if line.chain.head == GENESIS_HASH:
            return "the worker's records do not reach back to the grant's creation without a gap"
        return "the worker's records do not reach back to the anchor of the chain's head without a gap"


def burnt(judge: Judge, line: WorkerLine, attempt: Attempt) -> bool:
    """Whether an attributed refused claim is burnt: it stood on the chain's head, was never accepted and can land no more."""
    chain = line.chain
    if attempt.broke_chain_rule or chain.era_at(attempt) not in STRICT_ERAS or attempt.prev_hash not in chain.heads_during(attempt.slot):
        return False
    proof = line.proofs[str(attempt.entry_hash)]
    return not proof.landed and not judge.can_land(proof, chain.grant)
