"""A second issuer that has the key."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident
from popkit.wording import SIGNED_PROOFS

_ROTATE = Text(
    "Stop the other issuer and rotate the key before the new grant opens.",
    "新しい grant を始める前に、もう一方の発行者を止め、鍵を交換してください。",
)
_ROTATE_AT_ONCE = Text(
    "At once: stop the second issuer and rotate the signing key.",
    "直ちに: もう一方の発行者を止め、署名鍵を交換してください。",
)
FOREIGN_ISSUER = CauseKind(
    "foreign_issuer",
    rank=40,
    meaning=Text(
        "A proof is validly signed by the configured key, but this worker's complete audit chain "
        "does not "
        "hold it: a second issuer has the key.",
        "設定された鍵で正しく署名された proof が、完全な worker の監査チェーンにありません。別の発行者が鍵を持っています。",
    ),
    advice=_ROTATE,
    ruled_out_by=Text(
        "the worker's audit chain holds an anchor (or the ticket receipt hash) of the proof, or "
        "has a gap over its time",
        "worker の監査チェーンにその proof のアンカー（または参加券レシートのハッシュ）があること、またはその時期に欠落があること",
    ),
    # right after the freeze: whoever has the key goes on signing while the rest is done
    before_step=(1, _ROTATE_AT_ONCE),
    if_it_goes_on=_ROTATE,
)


@FOREIGN_ISSUER.asks
def foreign_issuer(incident: Incident) -> Cause | None:
    """Validly signed by the configured signer, but no entry of this worker's audit chain, which is
    complete over that time.
    """
    proofs = incident.judgement.line.proofs.values()
    foreign = [p for p in proofs if p.issuer == "foreign"]
    if not foreign:
        return None
    landed = [a for p in foreign for a in [p.accepted, *p.refused] if a is not None]
    because = sentence(
        "the worker's audit chain, complete over that time, holds no entry of {proofs}",
        "その期間について完全な worker の監査チェーンに、{proofs}のエントリがありません",
        proofs=SIGNED_PROOFS(len(foreign)),
    )
    return FOREIGN_ISSUER.shown(because, landed)
