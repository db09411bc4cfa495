"""Claims that landed before the ones that they follow."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident
from popkit.wording import CLAIMS

OUT_OF_ORDER = CauseKind(
    "out_of_order",
    rank=30,
    meaning=Text(
        "The program refused a claim because an earlier proof was still on its way; both landed "
        "later.",
        "先に取り込まれるはずの proof がまだ届いていなかったため、claim が拒否されました。どちらも後で取り込まれています。",
    ),
    advice=Text(
        "Nothing to repair. Let fewer wallets claim at once, or use the relaxed program, to avoid "
        "it.",
        "修復は不要です。避けるには、同時に claim するウォレットを減らすか、relaxed のプログラムを使ってください。",
    ),
    ruled_out_by=Text(
        "the refused proof, or the proof that it follows, never landed",
        "拒否された proof、またはその親の proof が一度も取り込まれていないこと",
    ),
)


@OUT_OF_ORDER.asks
def out_of_order(incident: Incident) -> Cause | None:
    """Refused by a chain rule because an earlier proof was still on its way; both landed later."""
    entries = incident.judgement.line.chain.accepted_entries
    late = []
    for attempt in incident.chain_refused:
        own, parent = entries.get(str(attempt.entry_hash)), entries.get(str(attempt.prev_hash))
        if own is None or parent is None:
            continue
        if own.slot >= attempt.slot and parent.slot >= attempt.slot:
            late.append(attempt)
    if not late:
        return None
    because = sentence(
        "the program refused {claims} that landed before the claim to follow; the proofs of both "
        "landed later",
        "{claims}が、先に取り込まれるはずの claim より前に届いて拒否されました。両方の proof は後で取り込まれています",
        claims=CLAIMS(len(late)),
    )
    return OUT_OF_ORDER.shown(because, late)
