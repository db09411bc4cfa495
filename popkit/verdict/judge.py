"""The verdict of one grant: links and heads, nothing else.

1. Under relaxed rules, and where the worker takes its parents from the chain, nothing can be
   wedged.
2. The worker's head is the chain's head: sound.
3. A line of its own proofs leads from the chain's head to the worker's: in flight while every one
   can land, broken once one is lost.
4. The line stands on something else (GENESIS, an older claim, a proof nobody knows): broken once
   nothing on it can land.
5. What is sound is called intact or recovered only with the worker's records unbroken back to the
   chain's head, and up to the moment at which the chain was read; else cannot tell.

Three doubts weaken an answer and never turn it: evidence that contradicts itself, an anchor that
nothing attests, and rules that only a date decides. Under each the grant is judged both ways; where
the two differ, the answer is that it cannot be told.
"""

from __future__ import annotations

from popkit.facts import Facts
from popkit.texts import Listed, Sentence, Text, sentence
from popkit.verdict.judgement import Judgement
from popkit.verdict.soundness import judge_sound
from popkit.verdict.wedge import Wedge
from popkit.worker.fate import Fates
from popkit.worker.line import WorkerLine

_NOT_JUDGED = Text("the grant was not judged yet", "この grant はまだ判定されていません")


class Judge:
    """Judges the grants of one case; every question is a method."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._wedge = Wedge(facts)

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
                "case.json says that the case was collected at {at} (unix seconds), a time that "
                "cannot be true",
                "case.json はケースの収集時刻を {at}（UNIX 秒）としていますが、この時刻はあり得ません",
                at=self.facts.now,
            )
            need = sentence(
                "the time of collection: the cluster's clock at the slot of the accounts",
                "収集時刻（アカウントのスロットにおけるクラスターの時計）",
            )
            outcome.cannot_tell(problem, need)
        return outcome

    def _judge_as(self, line: WorkerLine) -> Judgement:
        """The verdict of a line as it stands, whatever may be doubted of it."""
        outcome = Judgement(
            line.chain.grant,
            "inconclusive",
            _NOT_JUDGED(),
            line,
            self.facts.era_now,
            Fates(self.facts, line),
        )
        problem = self._chain_problem(line)
        wedge = (
            self._wedge.judge(outcome)
            if outcome.era.may_be_strict and not line.follows_chain
            else None
        )
        if wedge is not None and outcome.era.may_be_relaxed:
            why = sentence(
                "under strict rules {because}; under relaxed rules no proof waits for another, and "
                "only a date suggests which rules "
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
                "{because}; but the worker takes parents from clients, and a claim that follows "
                "the chain's head is accepted",
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
                "the links of accepted claims contradict their order, and no PopState shows the "
                "chain's head",
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
            judge_sound(self.facts, outcome)
        return outcome

    def _without_the_unattested(self, outcome: Judgement) -> Judgement:
        """The grant judged by attested proofs alone, where that comes to the same; else it cannot
        be told.

        Whoever holds the audit-log token can write an anchor; an honest one can lack the row of its
        request, as the worker moves its head before it answers.
        """
        line = self.facts.doubted_line(outcome.grant, attested_alone=True)
        trusted = self._judge_as(line)
        if trusted.verdict == outcome.verdict:
            trusted.heals_until = min(
                filter(None, (trusted.heals_until, outcome.heals_until)), default=None
            )
            return trusted
        entry = outcome.line.unattested[-1].entry_hash[:8]
        trusted.cannot_tell(
            sentence(
                "the worker's head rests on an anchor that nothing else attests ({entry}): the "
                "verdict is {without} without that "
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
        """The grant judged without its PopState, whose readings contradict the rest: broken where
        that is proved all the same.
        """
        attested_alone = bool(self.facts.line(outcome.grant).unattested)
        line = self.facts.doubted_line(
            outcome.grant, without_state=True, attested_alone=attested_alone
        )
        without = self._judge_as(line)
        if without.verdict == "broken" and self._wrong_program(outcome.line) is None:
            return without
        problem = self._state_problem(outcome.line)
        outcome.chain_is_doubted = True
        need = sentence(
            "PopState, collected again from a second node", "別のノードから再収集した PopState"
        )
        outcome.cannot_tell(problem or need, need)
        return outcome

    def _state_problem(self, line: WorkerLine) -> Sentence | None:
        """Why the readings of the chain's accounts decide nothing: they contradict each other or
        the claims; None where they do not.
        """
        chain, owner = line.chain, self._wrong_program(line)
        if owner is not None:
            return sentence(
                "the grant's accounts belong to another program, {owner}: the case names a wrong "
                "program",
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
                "PopState and the accepted claims name different heads",
                "PopState と受理された claim が異なる head を示しています",
            )
        return None

    def _wrong_program(self, line: WorkerLine) -> str | None:
        """The program that owns the grant's accounts where it is not the case's: then no claim of
        the grant was read; else None.
        """
        return line.chain.state.foreign_owner or self.facts.foreign_owner(line.chain.grant)

    def _chain_problem(self, line: WorkerLine) -> Sentence | None:
        """Why the chain's own evidence does not add up; None when it does."""
        chain = line.chain
        if chain.state.unreadable:
            return sentence(
                "the data of the PopState account is no PopState",
                "PopState アカウントのデータを PopState として読み取れません",
            )
        if chain.unseen:
            return sentence(
                "the chain names accepted claims that are not in the evidence: {entries}",
                "チェーンが示す受理済みの claim が証拠にありません: {entries}",
                entries=Listed(tuple(entry[:8] for entry in chain.unseen), between=", "),
            )
        if chain.misordered or chain.doubled:
            return sentence(
                "accepted claims contradict each other: their order does not fit their links, or "
                "two are for one claimer and period",
                "受理された claim が互いに矛盾しています。順序がリンクと合わないか、同じ claimer と期間の claim が 2 件あります",
            )
        if chain.forged:
            return sentence(
                "transactions of the grant do not carry valid signatures of the keys that they name",
                "grant のトランザクションに、記載された鍵の有効な署名がありません",
            )
        if (
            not chain.state.known
            and not chain.accepted
            and not chain.refused
            and self.facts.history.created_slot(chain.grant) is None
        ):
            return sentence(
                "the evidence holds neither an account nor a transaction of the grant",
                "証拠に、この grant のアカウントもトランザクションもありません",
            )
        return None
