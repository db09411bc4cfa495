"""What is sound is called intact, recovered or unused only with the worker's records.

They are to be unbroken back to the chain's head, and up to the moment at which the chain was read;
else it cannot be told.
"""

from __future__ import annotations

from popkit.audit.anchors import as_anchor
from popkit.audit.entries import LIST
from popkit.chain.clock import SLACK
from popkit.facts import Facts
from popkit.protocol.message import GENESIS_HASH
from popkit.texts import Moment, Sentence, Text, sentence
from popkit.verdict.judgement import Judgement

NO_HEADS = Text(
    "the storage export holds no head of the grant, though the worker's records show that the "
    "grant had one",
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
        "a chain rule refused claims, and the chain went on past them; the worker's head is the "
        "chain's head",
        "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いています。worker の head はチェーンの head と一致しています",
    ),
    ("intact", True): Text(
        "every accepted claim follows an accepted one, and the worker's head is the chain's head",
        "受理された claim はすべて受理された claim に続いており、worker の head はチェーンの head と一致しています",
    ),
    ("unused", False): _NO_CLAIM,
    ("recovered", False): Text(
        "a chain rule refused claims, and the chain went on past them; the worker takes its parent "
        "from the chain",
        "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いています。worker は親をチェーンから取得しています",
    ),
    ("intact", False): Text(
        "the accepted claims lead to PopState, and the worker takes its parent from the chain",
        "受理された claim をたどると PopState に一致し、worker は親をチェーンから取得しています",
    ),
}
"""Why a grant is sound, by its verdict and by whether the worker's head is the chain's."""


def judge_sound(facts: Facts, outcome: Judgement) -> None:
    """Nothing is wedged: intact, recovered or unused where the worker's records show it, else
    inconclusive.
    """
    line, chain = outcome.line, outcome.line.chain
    used = bool(chain.accepted or chain.attributed or line.anchors or line.history)
    refused = [a for a in chain.attributed if a.broke_chain_rule]
    went_on = bool(refused) and any(a.slot > max(r.slot for r in refused) for a in chain.accepted)
    is_head = line.head == chain.head
    if refused and not went_on and not is_head:
        outcome.cannot_tell(
            sentence(
                "a chain rule refused claims, and no claim was accepted since; the next proof may "
                "still follow the chain's head",
                "チェーンの規則により claim が拒否され、それ以降受理された claim はありません。次の proof がチェーンの head "
                "に続く可能性は残っています",
            ),
            sentence("a claim that was accepted after the refusals", "拒否の後に受理された claim"),
        )
        return
    recovered = bool(refused) and any(a.slot >= refused[0].slot for a in chain.accepted)
    outcome.verdict = "unused" if not used else "recovered" if recovered else "intact"
    outcome.because = _why_sound(outcome, is_head)
    need = records_missing(facts, outcome)
    if need is not None:
        outcome.cannot_tell(
            _BUT(sound=_SOUND_UP_TO(head=chain.head[:8]) if used else _NO_CLAIM(), need=need), need
        )


def _why_sound(outcome: Judgement, is_head: bool) -> Sentence:
    """Why a grant is sound; PopState is named only where it was collected."""
    if outcome.verdict == "intact" and not is_head and not outcome.line.chain.state_counts:
        return _SOUND_BY_LINKS()
    return _SOUND[outcome.verdict, is_head]()


def records_missing(facts: Facts, outcome: Judgement) -> Sentence | None:
    """What of the worker's records is missing to call a sound chain sound; None when nothing is.

    Relaxed rules that behaviour shows need none: whatever the worker issued and nobody sent wedges
    nothing. `unused` needs them all the same: whether somebody holds a proof is what the word says.
    """
    line = outcome.line
    if (
        outcome.verdict != "unused"
        and outcome.era_now == "relaxed"
        and outcome.era.decided_by == "behaviour"
    ):
        return None
    if any(
        (anchor := as_anchor(entry)) is not None and anchor.grant == line.chain.grant
        for entry in line.records.doubtful
    ):
        return sentence(
            "the bucket holds two objects after its newest entry: one append failed, and whether "
            "that append was of a proof is not known",
            "監査バケットの最新エントリの後にオブジェクトが 2 つあります。追記の 1 つが失敗しており、それが proof "
            "のものかどうか分かりません",
        )
    if line.records.damaged and (LIST not in line.records.sources or LIST in line.records.damaged):
        return sentence(
            "lines of the worker's records could not be read, and the newest record may be among "
            "them",
            "worker の記録に読み取れない行があり、最新の記録がその中にあるかもしれません",
        )
    if line.storage.is_behind and line.head_source != "anchors":
        return sentence(
            "the storage export ends before the worker's list begins: proofs that were issued "
            "between the two are not in the evidence",
            "ストレージのエクスポートは worker の一覧が始まる前に終わっています。その間に発行された proof は証拠にありません",
        )
    if line.storage.is_older and LIST not in line.records.sources:
        return sentence(
            "the storage export ends before the bucket's export: only a younger storage export "
            "shows whether an older state of the "
            "storage was restored since",
            "ストレージのエクスポートはバケットのエクスポートより前で終わっています。その後ストレージが古い状態に戻されたかどうかは、"
            "より新しいエクスポートでしか分かりません",
        )
    if line.storage.lacks_heads:
        return NO_HEADS()
    newest = line.proofs.get(line.chain.head)
    if (
        line.head is None
        and newest is not None
        and newest.issuer == "foreign"
        and outcome.era.may_be_strict
        and not line.follows_chain
    ):
        return sentence(
            "the chain's head is another issuer's claim, and the evidence does not show where the "
            "worker's head stands",
            "チェーンの head は別の発行者の claim であり、worker の head の位置は証拠から分かりません",
        )
    if not line.reaches(line.chain.head):
        if not line.records.is_known:
            return sentence(
                "the worker's records are not in the case: a proof that was issued and never sent "
                "would not show on chain",
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
    return records_behind(facts, outcome)


def records_behind(facts: Facts, outcome: Judgement) -> Sentence | None:
    """How far the worker's records end before the moment at which the chain was read; None where
    they reach it.
    """
    chain, until = outcome.line.chain, facts.records_until
    if chain.state.known and chain.state.slot is None:
        return sentence(
            "the accounts carry no slot, so that their age is not known: proofs that were issued "
            "before they were read may be missing",
            "アカウントにスロットがないため、いつのものか分かりません。読み取り前に発行された proof が欠けている可能性があります",
        )
    read = facts.clock.latest(chain.state.slot) if chain.state_counts else facts.now
    read = facts.now if read is None else read
    if until is None or until < read - SLACK:
        outcome.records_end_early = True
        if until is None:
            return sentence(
                "the worker's records hold no entry, and the chain was read at {read}: which "
                "proofs were issued is not known",
                "worker の記録にエントリがなく、チェーンは {read} に読み取られています。どの proof が発行されたか分かりません",
                read=Moment(read),
            )
        return sentence(
            "the worker's newest record is of {until}, and the chain was read at {read}: which "
            "proofs were issued in between is not known",
            "worker の最新の記録は {until} のもので、チェーンは {read} に読み取られています。その間にどの proof が発行されたか分かりません",
            until=Moment(until),
            read=Moment(read),
        )
    return None
