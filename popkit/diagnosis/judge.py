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
from popkit.texts import Listed, Moment, Sentence, Text, sentence
from popkit.wording import ISSUED_PROOFS, PROOFS

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
    because: Sentence
    line: WorkerLine
    era: EraAt
    fates: Fates
    missing_evidence: list[Sentence] = field(default_factory=list)
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

    def cannot_tell(self, because: Sentence, *missing: Sentence) -> str:
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
            problem = sentence(
                "case.json says that the case was collected at {at} (unix seconds), a time that cannot be true",
                "case.json はケースの収集時刻を {at}（UNIX 秒）としていますが、この時刻はあり得ません",
                at=self.now,
            )
            need = sentence(
                "the time of collection: the cluster's clock at the slot of the accounts",
                "収集時刻（アカウントのスロットにおけるクラスターの時計）",
            )
            outcome.cannot_tell(problem, need)
        return outcome

    def _judge_as(self, line: WorkerLine) -> Judgement:
        """The verdict of a line as it stands, whatever may be doubted of it."""
        outcome = Judgement(line.chain.grant, "inconclusive", _NOT_JUDGED(), line, self.facts.era_now, Fates(self.facts, line))
        problem = self._chain_problem(line)
        wedge = self._judge_line(outcome) if outcome.era.may_be_strict and not line.follows_chain else None
        if wedge is not None and outcome.era.may_be_relaxed:
            why = sentence(
                "under strict rules {because}; under relaxed rules no proof waits for another, and only a date suggests which rules "
                "were in force",
                "strict の規則では、{because}。relaxed の規則ではどの proof も他を待ちませんが、"
                "どちらの規則が有効だったかは日付から推定するしかありません",
                because=outcome.because,
            )
            need = sentence(
                "a claim, a refusal or a program dump that shows which program is deployed",
                "どのプログラムがデプロイされているかを示す claim、拒否、またはプログラムのダンプ",
            )
            outcome.cannot_tell(why, need)
        elif wedge == "broken" and line.parents_from_clients:
            why = sentence(
                "{because}; but the worker takes parents from clients, and a claim that follows the chain's head is accepted",
                "{because}。ただし worker は親をクライアントから受け取るため、チェーンの head に続く claim は受理されます",
                because=outcome.because,
            )
            need = sentence(
                "whether clients send the chain's head with their requests",
                "クライアントがリクエストでチェーンの head を送っているかどうか",
            )
            outcome.cannot_tell(why, need)
        elif wedge == "broken" and line.chain.misordered and not line.chain.state_counts:
            # Where the claims lead is then a matter of their order alone, and their links contradict that order.
            why = sentence(
                "the links of accepted claims contradict their order, and no PopState shows the chain's head",
                "受理された claim のリンクが順序と矛盾しており、チェーンの head を示す PopState もありません",
            )
            outcome.cannot_tell(why, problem or sentence("the order of claims", "claim の順序"))
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
            sentence(
                "the worker's head rests on an anchor that nothing else attests ({entry}): the verdict is {without} without that "
                "anchor and "
                "{with_it} with it",
                "worker の head は、他に裏付けのないアンカー（{entry}）だけに基づいています。このアンカーを除けば {without}、"
                "含めれば {with_it} です",
                entry=entry,
                without=trusted.verdict,
                with_it=outcome.verdict,
            ),
            sentence(
                "the worker's storage, which shows whether the worker issued that proof",
                "worker のストレージ（その proof を worker が発行したかどうかが分かります）",
            ),
        )
        return trusted

    def _without_the_state(self, outcome: Judgement) -> Judgement:
        """The grant judged without its PopState, whose readings contradict the rest: broken where that is proved all the same."""
        attested_alone = bool(self.facts.line(outcome.grant).unattested)
        line = self.facts.doubted_line(outcome.grant, without_state=True, attested_alone=attested_alone)
        without = self._judge_as(line)
        if without.verdict == "broken" and self._wrong_program(outcome.line) is None:
            return without
        problem = self._state_problem(outcome.line)
        outcome.chain_is_doubted = True
        need = sentence("PopState, collected again from a second node", "別のノードから再収集した PopState")
        outcome.cannot_tell(problem or need, need)
        return outcome

    def _state_problem(self, line: WorkerLine) -> Sentence | None:
        """Why the readings of the chain's accounts decide nothing: they contradict each other or the claims; None where they do not."""
        chain, owner = line.chain, self._wrong_program(line)
        if owner is not None:
            return sentence(
                "the grant's accounts belong to another program, {owner}: the case names a wrong program",
                "grant のアカウントは別のプログラム {owner} に属しています。ケースのプログラム指定が誤っています",
                owner=owner,
            )
        if any(seen.is_contradicted for seen in [chain.state, *chain.state.others]):
            return sentence(
                "the evidence holds two different contents of PopState for one slot",
                "証拠に、同じスロットの PopState の内容が 2 通りあります",
            )
        if chain.contradicting_states:
            return sentence(
                "PopState and the accepted claims name different heads", "PopState と受理された claim が異なる head を示しています"
            )
        return None

    def _wrong_program(self, line: WorkerLine) -> str | None:
        """The program that owns the grant's accounts where it is not the case's: then no claim of the grant was read; else None."""
        return line.chain.state.foreign_owner or self.facts.foreign_owner(line.chain.grant)

    def _chain_problem(self, line: WorkerLine) -> Sentence | None:
        """Why the chain's own evidence does not add up; None when it does."""
        chain = line.chain
        if chain.state.unreadable:
            return sentence(
                "the data of the PopState account is no PopState", "PopState アカウントのデータを PopState として読み取れません"
            )
        if chain.unseen:
            return sentence(
                "the chain names accepted claims that are not in the evidence: {entries}",
                "チェーンが示す受理済みの claim が証拠にありません: {entries}",
                entries=Listed(tuple(entry[:8] for entry in chain.unseen), between=", "),
            )
        if chain.misordered or chain.doubled:
            return sentence(
                "accepted claims contradict each other: their order does not fit their links, or two are for one claimer and period",
                "受理された claim が互いに矛盾しています。順序がリンクと合わないか、同じ claimer と期間の claim が 2 件あります",
            )
        if chain.forged:
            return sentence(
                "transactions of the grant do not carry valid signatures of the keys that they name",
                "grant のトランザクションに、記載された鍵の有効な署名がありません",
            )
        if not chain.state.known and not chain.accepted and not chain.refused and self.facts.history.created_slot(chain.grant) is None:
            return sentence(
                "the evidence holds neither an account nor a transaction of the grant",
                "証拠に、この grant のアカウントもトランザクションもありません",
            )
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
                sentence(
                    "a refused claim and a younger accepted one stand on different branches; only the worker's records show which branch "
                    "is the worker's",
                    "拒否された claim と、それより新しい受理された claim が別々の枝にあります。どちらが worker の枝かは worker "
                    "の記録でしか分かりません",
                ),
                _RECORDS_OR_STORAGE(),
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
            outcome.because = sentence(
                "the worker's two stored heads differ: no proof that it issues next can hold both links",
                "worker に保存された 2 つの head が一致しません。次に発行する proof は両方のリンクを満たせません",
            )
            return True
        for parent, child in pairwise(line.path):
            if child.stream_prev_hash != parent.entry_hash:
                outcome.because = sentence(
                    "the proof {child} follows {parent} by its global link and another entry by its stream link",
                    "proof {child} は global リンクでは {parent} に続きますが、stream リンクでは別のエントリに続いています",
                    child=child.entry_hash[:8],
                    parent=parent.entry_hash[:8],
                )
                return True
        return False

    def _judge_ahead(self, outcome: Judgement) -> str:
        """The worker's line stands on the chain's head."""
        line, fates = outcome.line, outcome.fates
        lost = next((p for p in line.path if fates.of(p) == LOST), None)
        if lost is not None:
            outcome.because = sentence(
                "the worker's head is {proofs} ahead of the chain's head; {entry} was never accepted and can land no more",
                "worker の head はチェーンの head より {proofs}分先にあります。{entry} は受理されておらず、もう取り込まれません",
                proofs=PROOFS(len(line.path)),
                entry=lost.entry_hash[:8],
            )
            return "broken"
        asked: set[tuple[str, int]] = set()
        for proof in line.path:
            if (proof.claimer, proof.period_index) in asked:
                outcome.because = sentence(
                    "the worker's head is {proofs} ahead of the chain's head; {entry} and an earlier proof are for one claimer and "
                    "period, and the program accepts only one of them",
                    "worker の head はチェーンの head より {proofs}分先にあります。{entry} とそれ以前の proof は同じ claimer "
                    "と期間のもので、"
                    "プログラムはどちらか一方しか受理しません",
                    proofs=PROOFS(len(line.path)),
                    entry=proof.entry_hash[:8],
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
                sentence(
                    "proofs stand on the last claim in the evidence, and whether they landed is not known: PopState was not collected "
                    "and transactions are missing",
                    "証拠にある最後の claim の上に proof がありますが、取り込まれたかどうか分かりません。PopState が収集されておらず、"
                    "トランザクションも欠けています",
                ),
                _POP_STATE(),
            )
        if any(fates.may_have_landed(proof) for proof in line.path):
            return outcome.cannot_tell(
                sentence(
                    "a receipt or a record shows a claim whose transaction is not in the evidence; that claim may carry a proof on the way",
                    "トランザクションが証拠にない claim を、レシートまたは記録が示しています。この claim は未確定の proof "
                    "のものかもしれません",
                ),
                sentence("PopState and the receipts, read at one moment", "同じ時点で読み取った PopState とレシート"),
            )
        return outcome.cannot_tell(
            sentence(
                "the worker's head is {proofs} ahead of the chain's head, but the chain was read at {when}, while they could still land: "
                "whether they landed since is not known",
                "worker の head はチェーンの head より {proofs}分先にありますが、チェーンを読み取った時点（{when}）"
                "ではまだ取り込まれる可能性がありました。"
                "その後取り込まれたかどうかは分かりません",
                proofs=PROOFS(len(line.path)),
                when=Moment(fates.read_at),
            ),
            sentence(
                "the PopState account of the grant, read after the worker's newest proof is 600 s old",
                "worker の最新の proof が発行から 600 秒を過ぎた後に読み取った、この grant の PopState アカウント",
            ),
        )

    def _judge_in_flight(self, outcome: Judgement) -> str:
        """Every proof on the way can still land by the clock of the case."""
        line, fates = outcome.line, outcome.fates
        until = min(fates.last_second(proof) for proof in line.path)
        outcome.could_land_until = until
        newest = self.facts.records_until
        if newest is not None and newest > until + SLACK:
            return outcome.cannot_tell(
                sentence(
                    "proofs on the way could land until {until}, and the worker's records go on to {newest}: whether those proofs landed "
                    "is not known",
                    "未確定の proof は {until} まで取り込まれる可能性がありましたが、worker の記録は {newest} まで続いています。"
                    "取り込まれたかどうかは分かりません",
                    until=Moment(until),
                    newest=Moment(newest),
                ),
                sentence("the chain, read again after the worker's newest record", "worker の最新の記録より後に読み直したチェーン"),
            )
        doubt = _NO_HEADS() if line.storage_lacks_heads else self._records_behind(outcome)
        proofs = ISSUED_PROOFS(len(line.path))
        if doubt is not None:
            why = sentence(
                "{proofs} can still land, but {doubt}",
                "{proofs}はまだ取り込まれる可能性があります。ただし、{doubt}",
                proofs=proofs,
                doubt=doubt,
            )
            return outcome.cannot_tell(why, doubt)
        outcome.heals_until = until
        outcome.because = sentence(
            "{proofs} on the chain's head can still land",
            "チェーンの head の上にある {proofs}は、まだ取り込まれる可能性があります",
            proofs=proofs,
        )
        return "in_flight"

    def _judge_behind(self, outcome: Judgement) -> str:
        """The worker's head is GENESIS, an accepted claim that is not the chain's head, or an entry nobody knows."""
        line, chain = outcome.line, outcome.line.chain
        if line.is_stale:
            return self._records_end_early(outcome)
        newest = line.proofs.get(chain.head)
        if line.head_source == "anchors" and newest is not None and newest.issuer != "foreign" and newest.anchor is None:
            return outcome.cannot_tell(
                sentence(
                    "the worker's records lack the anchor of the chain's head and therefore do not show where the worker's head went",
                    "worker の記録にチェーンの head のアンカーがないため、worker の head がどこに移ったか分かりません",
                ),
                sentence("the worker's storage, or its audit records without a gap", "worker のストレージ、または欠落のない監査記録"),
            )
        known = line.head in chain.accepted_entries or line.head == GENESIS_HASH or line.head in chain.unseen
        if not known and not (line.head_source == "storage" and outcome.fates.head_is_certain):
            return outcome.cannot_tell(
                sentence(
                    "the worker's head is an entry that nothing else in the evidence names",
                    "worker の head は、証拠の中で他に何も示していないエントリです",
                ),
                sentence("the worker's audit records", "worker の監査記録"),
            )
        read_at = outcome.fates.read_at
        if not known and (read_at is None or not line.records.covers(read_at - SKEW_SECONDS)):
            return outcome.cannot_tell(
                sentence(
                    "the worker's stored head is a proof of unknown age that may still land",
                    "worker に保存された head は発行時刻の分からない proof で、まだ取り込まれる可能性があります",
                ),
                sentence("the worker's audit records or history", "worker の監査記録または履歴"),
            )
        behind = self._records_behind(outcome) if line.head_source == "anchors" else None
        if behind is not None:
            why = sentence(
                "the worker's head is not the chain's head, but {behind}",
                "worker の head はチェーンの head と一致しません。ただし、{behind}",
                behind=behind,
            )
            return outcome.cannot_tell(why, behind)
        outcome.because = sentence(
            "the worker's head is {where}, the chain's head is {head}: the program will refuse the worker's next proof",
            "worker の head は {where}、チェーンの head は {head} です。worker が次に発行する proof は拒否されます",
            where="GENESIS" if line.head == GENESIS_HASH else str(line.head)[:8],
            head=chain.head[:8],
        )
        return "broken"

    @staticmethod
    def _records_end_early(outcome: Judgement) -> str:
        return outcome.cannot_tell(
            sentence("the worker's records end before the chain does", "worker の記録がチェーンより前で終わっています"),
            sentence("the worker's records up to the time at which the chain was read", "チェーンを読み取った時点までの worker の記録"),
        )

    def _judge_elsewhere(self, outcome: Judgement) -> str:
        """The worker's line stands on something that is not the chain's head."""
        line, chain = outcome.line, outcome.line.chain
        root = line.root
        if line.is_stale:
            return self._records_end_early(outcome)
        on_known_ground = root in chain.accepted_entries or root == GENESIS_HASH or root == chain.head or root in chain.unseen
        if on_known_ground or root in line.proofs:  # a proof on which the line stops is one that landed
            if root == chain.head:
                outcome.because = sentence(
                    "the worker's first proof past the chain's head follows that head by its global link and another entry by its stream "
                    "link",
                    "チェーンの head の次にある worker の proof は、global リンクでは head に続きますが、stream "
                    "リンクでは別のエントリに続いています",
                )
            else:
                outcome.because = sentence(
                    "the worker's line stands on {root}, while the chain's head is {head}; {root} cannot become the head again",
                    "worker の系列は {root} の上にありますが、チェーンの head は {head} です。{root} が再び head になることはありません",
                    root="GENESIS" if root == GENESIS_HASH else str(root)[:8],
                    head=chain.head[:8],
                )
            return "broken"
        return self._judge_on_an_unknown_parent(outcome)

    def _judge_on_an_unknown_parent(self, outcome: Judgement) -> str:
        """The line stands on a proof that is not in the evidence: lost when its oldest known child can land no more."""
        parent, issued_at = min(outcome.line.unknown_parents.items(), key=lambda item: (item[1], item[0]))
        if not outcome.fates.head_is_certain:
            return outcome.cannot_tell(
                sentence(
                    "proofs follow one that is not in the evidence; neither whether that one landed nor the chain's head is known",
                    "証拠にない proof に続く proof があります。その proof が取り込まれたかどうかも、チェーンの head も分かりません",
                ),
                _POP_STATE(),
            )
        read_at = outcome.fates.read_at
        if read_at is not None and read_at - issued_at > SKEW_SECONDS:
            outcome.because = sentence(
                "the proof {parent} never landed; its oldest known child was issued {seconds} s before the chain was read, so "
                "that it can "
                "land no more",
                "proof {parent} は取り込まれていません。それに続く最も古い proof は、チェーンの読み取りより {seconds} "
                "秒前に発行されているため、"
                "もう取り込まれません",
                parent=parent[:8],
                seconds=read_at - issued_at,
            )
            return "broken"
        return outcome.cannot_tell(
            sentence(
                "the proof {entry} is not in the evidence and may still land",
                "proof {entry} は証拠になく、まだ取り込まれる可能性があります",
                entry=str(outcome.line.root)[:8],
            ),
            sentence(
                "the worker's records of that proof, or evidence taken after that proof is 600 s old",
                "その proof についての worker の記録、または発行から 600 秒を過ぎた後に収集した証拠",
            ),
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
            sentence(
                "wallets report {error} from {at} on, and no claim was accepted since; wallets do not sign their reports, so that "
                "only the "
                "worker's records can show whether a proof was lost",
                "ウォレットが {at} 以降 {error} を報告しており、それ以降 claim は受理されていません。ウォレットの報告には署名がないため、"
                "proof が失われたかどうかは worker の記録でしか確認できません",
                error=first.error,
                at=Moment(first.report.at),
            ),
            _RECORDS_OR_STORAGE(),
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
                sentence(
                    "a chain rule refused claims, and no claim was accepted since; the next proof may still follow the chain's head",
                    "チェーンの規則により claim が拒否され、それ以降受理された claim はありません。次の proof がチェーンの head "
                    "に続く可能性は残っています",
                ),
                sentence("a claim that was accepted after the refusals", "拒否の後に受理された claim"),
            )
            return
        recovered = bool(refused) and any(a.slot >= refused[0].slot for a in chain.accepted)
        outcome.verdict = "unused" if not used else "recovered" if recovered else "intact"
        outcome.because = self._why_sound(outcome, is_head)
        need = self._records_missing(outcome)
        if need is not None:
            outcome.cannot_tell(_BUT(sound=_SOUND_UP_TO(head=chain.head[:8]) if used else _NO_CLAIM(), need=need), need)

    @staticmethod
    def _why_sound(outcome: Judgement, is_head: bool) -> Sentence:
        """Why a grant is sound; PopState is named only where it was collected."""
        if outcome.verdict == "intact" and not is_head and not outcome.line.chain.state_counts:
            return _SOUND_BY_LINKS()
        return _SOUND[outcome.verdict, is_head]()

    def _records_missing(self, outcome: Judgement) -> Sentence | None:
        """What of the worker's records is missing to call a sound chain sound; None when nothing is.

        Relaxed rules that behaviour shows need none: whatever the worker issued and nobody sent wedges nothing.
        """
        line = outcome.line
        if outcome.era_now == "relaxed" and outcome.era.decided_by == "behaviour":
            return None
        if any((anchor := as_anchor(entry)) is not None and anchor.grant == line.chain.grant for entry in line.records.doubtful):
            return sentence(
                "the bucket holds two objects after its newest entry: one append failed, and whether that append was of a proof "
                "is not known",
                "監査バケットの最新エントリの後にオブジェクトが 2 つあります。追記の 1 つが失敗しており、それが proof "
                "のものかどうか分かりません",
            )
        if line.records.damaged and (LIST not in line.records.sources or LIST in line.records.damaged):
            return sentence(
                "lines of the worker's records could not be read, and the newest record may be among them",
                "worker の記録に読み取れない行があり、最新の記録がその中にあるかもしれません",
            )
        if line.storage_is_behind and line.head_source != "anchors":
            return sentence(
                "the storage export ends before the worker's list begins: proofs that were issued between the two are not in the evidence",
                "ストレージのエクスポートは worker の一覧が始まる前に終わっています。その間に発行された proof は証拠にありません",
            )
        if line.storage_is_older and LIST not in line.records.sources:
            return sentence(
                "the storage export ends before the bucket's export: only a younger storage export shows whether an older state of the "
                "storage was restored since",
                "ストレージのエクスポートはバケットのエクスポートより前で終わっています。その後ストレージが古い状態に戻されたかどうかは、"
                "より新しいエクスポートでしか分かりません",
            )
        if line.storage_lacks_heads:
            return _NO_HEADS()
        newest = line.proofs.get(line.chain.head)
        if line.head is None and newest is not None and newest.issuer == "foreign" and outcome.era.may_be_strict and not line.follows_chain:
            return sentence(
                "the chain's head is another issuer's claim, and the evidence does not show where the worker's head stands",
                "チェーンの head は別の発行者の claim であり、worker の head の位置は証拠から分かりません",
            )
        if not line.reaches(line.chain.head):
            if not line.records.is_known:
                return sentence(
                    "the worker's records are not in the case: a proof that was issued and never sent would not show on chain",
                    "worker の記録がケースにありません。発行されたが送信されなかった proof は、オンチェーンには現れません",
                )
            if line.chain.head == GENESIS_HASH:
                return sentence(
                    "the worker's records do not reach back to the grant's creation without a gap",
                    "worker の記録が、欠落なく grant の作成時点まで遡れません",
                )
            return sentence(
                "the worker's records do not reach back to the anchor of the chain's head without a gap",
                "worker の記録が、欠落なくチェーンの head のアンカーまで遡れません",
            )
        return self._records_behind(outcome)

    def _records_behind(self, outcome: Judgement) -> Sentence | None:
        """How far the worker's records end before the moment at which the chain was read; None where they reach it."""
        chain, until = outcome.line.chain, self.facts.records_until
        if chain.state.known and chain.state.slot is None:
            return sentence(
                "the accounts carry no slot, so that their age is not known: proofs that were issued before they were read may be missing",
                "アカウントにスロットがないため、いつのものか分かりません。読み取り前に発行された proof が欠けている可能性があります",
            )
        read = self.facts.clock.latest(chain.state.slot) if chain.state_counts else self.now
        read = self.now if read is None else read
        if until is None or until < read - SLACK:
            outcome.records_end_early = True
            if until is None:
                return sentence(
                    "the worker's records hold no entry, and the chain was read at {read}: which proofs were issued is not known",
                    "worker の記録にエントリがなく、チェーンは {read} に読み取られています。どの proof が発行されたか分かりません",
                    read=Moment(read),
                )
            return sentence(
                "the worker's newest record is of {until}, and the chain was read at {read}: which proofs were issued in between "
                "is not known",
                "worker の最新の記録は {until} のもので、チェーンは {read} に読み取られています。その間にどの proof "
                "が発行されたか分かりません",
                until=Moment(until),
                read=Moment(read),
            )
        return None


_NOT_JUDGED = Text("the grant was not judged yet", "この grant はまだ判定されていません")
_RECORDS_OR_STORAGE = Text("the worker's audit records or storage", "worker の監査記録またはストレージ")
_POP_STATE = Text("the PopState account of the grant", "この grant の PopState アカウント")
_NO_HEADS = Text(
    "the storage export holds no head of the grant, though the worker's records show that the grant had one",
    "ストレージのエクスポートにこの grant の head がありません。worker の記録では head があったはずです",
)
_BUT = Text("{sound}, but {need}", "{sound}。ただし、{need}")
_SOUND_UP_TO = Text("the chain is sound up to {head}", "チェーンは {head} まで健全です")
_NO_CLAIM = Text("nobody has claimed from the grant", "この grant から claim した人はいません")
_SOUND_BY_LINKS = Text(
    "the accepted claims fit their era's rules, and the worker takes its parent from the chain",
    "受理された claim は era の規則に合っており、worker は親をチェーンから取得しています",
)
_SOUND = {
    ("unused", True): Text(
        "nobody has claimed from the grant, and nobody holds a proof for it",
        "この grant から claim した人も、この grant の proof を持っている人もいません",
    ),
    ("recovered", True): Text(
        "a chain rule refused claims, and the chain went on past them; the worker's head is the chain's head",
        "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いています。worker の head はチェーンの head と一致しています",
    ),
    ("intact", True): Text(
        "every accepted claim follows an accepted one, and the worker's head is the chain's head",
        "受理された claim はすべて受理された claim に続いており、worker の head はチェーンの head と一致しています",
    ),
    ("unused", False): _NO_CLAIM,
    ("recovered", False): Text(
        "a chain rule refused claims, and the chain went on past them; the worker takes its parent from the chain",
        "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いています。worker は親をチェーンから取得しています",
    ),
    ("intact", False): Text(
        "the accepted claims lead to PopState, and the worker takes its parent from the chain",
        "受理された claim をたどると PopState に一致し、worker は親をチェーンから取得しています",
    ),
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
