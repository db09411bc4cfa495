"""Where the worker's head stands against the chain's head: whether the two can still become one.

1. A line of the worker's own proofs leads from the chain's head to the worker's: in flight while
   every one can land, broken once one is lost, not known where the chain was read too early.
2. The worker's head is an older claim, or GENESIS: broken, where the worker's records show that it
   is still there.
3. The line stands on something else: broken once nothing on it can land.
"""

from __future__ import annotations

from itertools import pairwise

from popkit.chain.clock import SLACK
from popkit.facts import Facts
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.message import GENESIS_HASH, SKEW_SECONDS
from popkit.texts import Moment, Text, sentence
from popkit.verdict.judgement import Judgement
from popkit.verdict.soundness import NO_HEADS, records_behind
from popkit.wording import ISSUED_PROOFS, PROOFS
from popkit.worker.fate import CAN_LAND, LOST

_RECORDS_OR_STORAGE = Text(
    "the worker's audit records or storage", "worker の監査記録またはストレージ"
)
_POP_STATE = Text("the PopState account of the grant", "この grant の PopState アカウント")


class Wedge:
    """Judges the worker's head against the chain's, a question a method; each answers with a
    verdict and says why in the outcome.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def judge(self, outcome: Judgement) -> str | None:
        """'broken', 'in_flight' or 'inconclusive' for a worker's head that is not the chain's; None
        when the two are one, or unknown.
        """
        line, chain = outcome.line, outcome.line.chain
        if line.head is None:
            return self._judge_reports(outcome)
        if line.head == chain.head:
            return "broken" if self._breaks_a_link(outcome) else None
        if line.is_ambiguous:
            return outcome.cannot_tell(
                sentence(
                    "a refused claim and a younger accepted one stand on different branches; only "
                    "the worker's records show which branch "
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
        """Whether a proof of the line, or the next one, cannot hold both links whatever lands
        before it.
        """
        line = outcome.line
        if line.stored_heads_differ:
            outcome.because = sentence(
                "the worker's two stored heads differ: no proof that it issues next can hold both "
                "links",
                "worker に保存された 2 つの head が一致しません。次に発行する proof は両方のリンクを満たせません",
            )
            return True
        for parent, child in pairwise(line.path):
            if child.stream_prev_hash != parent.entry_hash:
                outcome.because = sentence(
                    "the proof {child} follows {parent} by its global link and another entry by "
                    "its stream link",
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
                "the worker's head is {proofs} ahead of the chain's head; {entry} was never "
                "accepted and can land no more",
                "worker の head はチェーンの head より {proofs}分先にあります。{entry} は受理されておらず、もう取り込まれません",
                proofs=PROOFS(len(line.path)),
                entry=lost.entry_hash[:8],
            )
            return "broken"
        if line.repeated:
            outcome.because = sentence(
                "the worker's head is {proofs} ahead of the chain's head; {entry} and an earlier "
                "proof are for one claimer and "
                "period, and the program accepts only one of them",
                "worker の head はチェーンの head より {proofs}分先にあります。{entry} とそれ以前の proof は同じ claimer "
                "と期間のもので、プログラムはどちらか一方しか受理しません",
                proofs=PROOFS(len(line.path)),
                entry=next(iter(line.repeated))[:8],
            )
            return "broken"
        if not fates.are(line.path, CAN_LAND):
            return self._not_known_whether_landed(outcome)
        return self._judge_in_flight(outcome)

    def _not_known_whether_landed(self, outcome: Judgement) -> str:
        """Proofs on the way can land no more, and the chain was not read since, or not whole:
        whether they landed is not known.
        """
        line, fates = outcome.line, outcome.fates
        if not fates.head_is_certain:
            return outcome.cannot_tell(
                sentence(
                    "proofs stand on the last claim in the evidence, and whether they landed is "
                    "not known: PopState was not collected "
                    "after that claim, and no collector states that the list of transactions is "
                    "whole",
                    "証拠にある最後の claim の上に proof がありますが、取り込まれたかどうか分かりません。その claim より後の PopState "
                    "がなく、トランザクションの一覧が完全だという収集者の記録もありません",
                ),
                _POP_STATE(),
            )
        if any(fates.may_have_landed(proof) for proof in line.path):
            return outcome.cannot_tell(
                sentence(
                    "a receipt or a record shows a claim whose transaction is not in the evidence; "
                    "that claim may carry a proof on the way",
                    "トランザクションが証拠にない claim を、レシートまたは記録が示しています。この claim は未確定の proof "
                    "のものかもしれません",
                ),
                sentence(
                    "PopState and the receipts, read at one moment",
                    "同じ時点で読み取った PopState とレシート",
                ),
            )
        if fates.state_has_no_age:
            return outcome.cannot_tell(
                sentence(
                    "the worker's head is {proofs} ahead of the head that PopState names, but "
                    "PopState carries no slot: whether they "
                    "landed after it was read is not known",
                    "worker の head は PopState の head より {proofs}分先にありますが、PopState "
                    "にスロットがないため、読み取り後に取り込まれたかどうか分かりません",
                    proofs=PROOFS(len(line.path)),
                ),
                sentence(
                    "PopState with the slot at which it was read",
                    "読み取り時のスロットを伴う PopState",
                ),
            )
        return outcome.cannot_tell(
            sentence(
                "the worker's head is {proofs} ahead of the chain's head, but the chain was read "
                "at {when}, while they could still land: "
                "whether they landed since is not known",
                "worker の head はチェーンの head より {proofs}分先にありますが、チェーンを読み取った時点（{when}）"
                "ではまだ取り込まれる可能性がありました。"
                "その後取り込まれたかどうかは分かりません",
                proofs=PROOFS(len(line.path)),
                when=Moment(fates.read_at),
            ),
            sentence(
                "the PopState account of the grant, read after the worker's newest proof is 600 s "
                "old",
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
                    "proofs on the way could land until {until}, and the worker's records go on to "
                    "{newest}: whether those proofs landed "
                    "is not known",
                    "未確定の proof は {until} まで取り込まれる可能性がありましたが、worker の記録は {newest} まで続いています。"
                    "取り込まれたかどうかは分かりません",
                    until=Moment(until),
                    newest=Moment(newest),
                ),
                sentence(
                    "the chain, read again after the worker's newest record",
                    "worker の最新の記録より後に読み直したチェーン",
                ),
            )
        doubt = NO_HEADS() if line.storage.lacks_heads else records_behind(self.facts, outcome)
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
        """The worker's head is GENESIS, an accepted claim that is not the chain's head, or an entry
        nobody knows.
        """
        line, chain = outcome.line, outcome.line.chain
        if line.is_stale:
            return self._records_end_early(outcome)
        newest = line.proofs.get(chain.head)
        if (
            line.head_source == "anchors"
            and newest is not None
            and newest.issuer != "foreign"
            and newest.anchor is None
        ):
            return outcome.cannot_tell(
                sentence(
                    "the worker's records lack the anchor of the chain's head and therefore do not "
                    "show where the worker's head went",
                    "worker の記録にチェーンの head のアンカーがないため、worker の head がどこに移ったか分かりません",
                ),
                sentence(
                    "the worker's storage, or its audit records without a gap",
                    "worker のストレージ、または欠落のない監査記録",
                ),
            )
        known = (
            line.head in chain.accepted_entries
            or line.head == GENESIS_HASH
            or line.head in chain.unseen
        )
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
        behind = records_behind(self.facts, outcome) if line.head_source == "anchors" else None
        if behind is not None:
            why = sentence(
                "the worker's head is not the chain's head, but {behind}",
                "worker の head はチェーンの head と一致しません。ただし、{behind}",
                behind=behind,
            )
            return outcome.cannot_tell(why, behind)
        outcome.because = sentence(
            "the worker's head is {where}, the chain's head is {head}: the program will refuse the "
            "worker's next proof",
            "worker の head は {where}、チェーンの head は {head} です。worker が次に発行する proof は拒否されます",
            where="GENESIS" if line.head == GENESIS_HASH else str(line.head)[:8],
            head=chain.head[:8],
        )
        return "broken"

    @staticmethod
    def _records_end_early(outcome: Judgement) -> str:
        return outcome.cannot_tell(
            sentence(
                "the worker's records end before the chain does",
                "worker の記録がチェーンより前で終わっています",
            ),
            sentence(
                "the worker's records up to the time at which the chain was read",
                "チェーンを読み取った時点までの worker の記録",
            ),
        )

    def _judge_elsewhere(self, outcome: Judgement) -> str:
        """The worker's line stands on something that is not the chain's head."""
        line, chain = outcome.line, outcome.line.chain
        root = line.root
        if line.is_stale:
            return self._records_end_early(outcome)
        on_known_ground = (
            root in chain.accepted_entries
            or root == GENESIS_HASH
            or root == chain.head
            or root in chain.unseen
        )
        if (
            on_known_ground or root in line.proofs
        ):  # a proof on which the line stops is one that landed
            if root == chain.head:
                outcome.because = sentence(
                    "the worker's first proof past the chain's head follows that head by its "
                    "global link and another entry by its stream "
                    "link",
                    "チェーンの head の次にある worker の proof は、global リンクでは head に続きますが、stream "
                    "リンクでは別のエントリに続いています",
                )
            else:
                outcome.because = sentence(
                    "the worker's line stands on {root}, while the chain's head is {head}; {root} "
                    "cannot become the head again",
                    "worker の系列は {root} の上にありますが、チェーンの head は {head} です。{root} が再び head になることはありません",
                    root="GENESIS" if root == GENESIS_HASH else str(root)[:8],
                    head=chain.head[:8],
                )
            return "broken"
        return self._judge_on_an_unknown_parent(outcome)

    def _judge_on_an_unknown_parent(self, outcome: Judgement) -> str:
        """The line stands on a proof that is not in the evidence: lost when its oldest known child
        can land no more.
        """
        parent, issued_at = min(
            outcome.line.unknown_parents.items(), key=lambda item: (item[1], item[0])
        )
        if not outcome.fates.head_is_certain:
            return outcome.cannot_tell(
                sentence(
                    "proofs follow one that is not in the evidence; neither whether that one "
                    "landed nor the chain's head is known",
                    "証拠にない proof に続く proof があります。その proof が取り込まれたかどうかも、チェーンの head も分かりません",
                ),
                _POP_STATE(),
            )
        read_at = outcome.fates.read_at
        if read_at is not None and read_at - issued_at > SKEW_SECONDS:
            outcome.because = sentence(
                "the proof {parent} never landed; its oldest known child was issued {seconds} s "
                "before the chain was read, so "
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
                "the worker's records of that proof, or evidence taken after that proof is 600 s "
                "old",
                "その proof についての worker の記録、または発行から 600 秒を過ぎた後に収集した証拠",
            ),
        )

    def _judge_reports(self, outcome: Judgement) -> str | None:
        """Without the worker's records: wallets' reports of a chain-rule refusal since the last
        claim; nobody signs them.
        """
        chain = outcome.line.chain
        last = max((a.block_time or a.issued_at or 0 for a in chain.accepted), default=0)
        outcome.reports = [
            r
            for r in self.facts.reported
            if r.grant == outcome.grant
            and r.failure.layer == "program"
            and r.error in CHAIN_RULE_ERRORS
            and r.report.at > last
        ]
        if not outcome.reports:
            return None
        first = outcome.reports[0]
        return outcome.cannot_tell(
            sentence(
                "wallets report {error} from {at} on, and no claim was accepted since; wallets do "
                "not sign their reports, so that "
                "only the "
                "worker's records can show whether a proof was lost",
                "ウォレットが {at} 以降 {error} を報告しており、それ以降 claim は受理されていません。ウォレットの報告には署名がないため、"
                "proof が失われたかどうかは worker の記録でしか確認できません",
                error=first.error,
                at=Moment(first.report.at),
            ),
            _RECORDS_OR_STORAGE(),
        )
