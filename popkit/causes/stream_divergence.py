"""Two heads that no sound worker lets drift apart."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident

STREAM_DIVERGENCE = CauseKind(
    "stream_divergence",
    rank=70,
    meaning=Text(
        "The global link names the chain's head and the stream link names another entry; no sound "
        "worker writes that.",
        "global リンクはチェーンの head を指し、stream リンクは別のエントリを指しています。正常な worker では起こりません。",
    ),
    advice=Text(
        "Cut over to a new grant; find out who wrote the worker's storage.",
        "新しい grant に切り替え、worker のストレージを誰が書き換えたか調べてください。",
    ),
    ruled_out_by=Text(
        "both links name the same entry", "両方のリンクが同じエントリを指していること"
    ),
)


@STREAM_DIVERGENCE.asks
def stream_divergence(incident: Incident) -> Cause | None:
    """The global link holds, the stream link does not."""
    line = incident.judgement.line
    refused = [a for a in incident.chain_refused if a.error == "PopStreamChainBroken"]
    waiting = [p for p in line.proofs.values() if p.from_worker and not p.landed]
    issued = [p for p in waiting if p.prev_hash != p.stream_prev_hash]
    if refused or (issued and incident.broken):
        because = sentence(
            "proofs follow the chain by their global link and another entry by their stream link",
            "proof が、global リンクではチェーンに続き、stream リンクでは別のエントリに続いています",
        )
        return STREAM_DIVERGENCE.shown(because, refused, [p.entry_hash for p in issued])
    if incident.broken and line.stored_heads_differ:
        because = sentence(
            "the worker's two stored heads differ",
            "worker に保存された 2 つの head が一致しません",
        )
        return STREAM_DIVERGENCE.shown(because, entries=[str(line.stored_stream_head)])
    return None
