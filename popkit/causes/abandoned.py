"""A proof that was never accepted and can land no more; and that it was the grant's first."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.protocol.message import GENESIS_HASH
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident
from popkit.wording import PROOFS
from popkit.worker.fate import LOST
from popkit.worker.proofs import Proof

ABANDONED_PROOF = CauseKind(
    "abandoned_proof",
    rank=10,
    meaning=Text(
        "A proof of this worker past the chain's head was never accepted and can land no more: it "
        "was never sent, or it was burnt.",
        "チェーンの head より先にある worker の proof が受理されず、もう取り込まれません。送信されなかったか、失効しています。",
    ),
    advice=Text(
        "Cut over to a new grant; ask why the wallet did not send the proof.",
        "新しい grant に切り替え、ウォレットが proof を送信しなかった理由を確認してください。",
    ),
    ruled_out_by=Text(
        "an accepted claim carries the proof, or the proof is younger than 600 s",
        "その proof を含む claim が受理されていること、または proof が発行から 600 秒以内であること",
    ),
)
GENESIS_MISMATCH = CauseKind(
    "genesis_mismatch",
    rank=20,
    meaning=Text(
        "The lost proof was the grant's first, so that no claim of the grant can ever be accepted.",
        "失われた proof がこの grant の最初のものだったため、この grant では claim が一切受理されません。",
    ),
    advice=Text("Cut over to a new grant.", "新しい grant に切り替えてください。"),
    ruled_out_by=Text(
        "an accepted claim of the grant carries a proof",
        "proof を含むこの grant の claim が受理されていること",
    ),
)
_REFUSED_AND_LOST = Text(
    "{proofs} past the chain's head can land no more after a refusal by the program",
    "チェーンの head より先にある {proofs}は、プログラムに拒否され、もう取り込まれません",
)
_NEVER_SENT = Text(
    "{proofs} past the chain's head can land no more; the evidence shows no attempt to send what "
    "was lost",
    "チェーンの head より先にある {proofs}は、もう取り込まれません。失われた proof を送信した形跡は証拠にありません",
)


@ABANDONED_PROOF.asks
def abandoned_proof(incident: Incident) -> Cause | None:
    """A proof of this worker past the chain's head that was never accepted and can land no more.

    For a grant that recovered: the proof that the refused claims waited for.
    """
    if incident.judgement.verdict == "recovered":
        return _abandoned_before(incident)
    if not incident.broken:
        return None
    standing = incident.on_head
    dead = [p for p in standing if incident.is_doomed(p)]
    lost = dead or [p for p in incident.judgement.line.path if standing and incident.is_doomed(p)]
    if lost:
        how = _REFUSED_AND_LOST if any(p.refused for p in lost) else _NEVER_SENT
        return ABANDONED_PROOF.shown(
            how(proofs=PROOFS(len(lost))), entries=[p.entry_hash for p in lost]
        )
    if incident.first_unknown_parent:
        because = sentence(
            "refused claims wait for a proof that never landed",
            "拒否された claim は、取り込まれなかった proof を待っています",
        )
        return ABANDONED_PROOF.shown(because, entries=incident.first_unknown_parent)
    return None


def _abandoned_before(incident: Incident) -> Cause | None:
    """The lost proofs of a break that is over."""
    lost = abandoned_once(incident)
    if not lost:
        return None
    because = sentence(
        "claims were refused while they waited for {proofs} that never landed",
        "取り込まれなかった {proofs}を待っている間に、claim が拒否されました",
        proofs=PROOFS(len(lost)),
    )
    return ABANDONED_PROOF.shown(because, entries=lost)


def abandoned_once(incident: Incident) -> list[str]:
    """The lost proofs of a break that is over, as entry hashes, ascending.

    They never landed, and claims that a strict chain rule refused waited for them.
    """
    line, found = incident.judgement.line, set()
    bottoms: dict[str, Proof] = {}
    for attempt in incident.chain_refused:
        top = line.proofs[str(attempt.entry_hash)]
        if top.landed or top.issuer == "foreign":
            continue
        bottom = _bottom_under(top, line.proofs, bottoms)
        parent = bottom.prev_hash
        has_ground = (
            parent == GENESIS_HASH or parent in line.proofs or parent in line.chain.accepted_entries
        )
        if not has_ground and not bottom.follows_chain:
            found.add(parent)
        elif has_ground and bottom is not top and incident.fates.of(bottom) == LOST:
            found.add(bottom.entry_hash)
    return sorted(found)


def _bottom_under(top: Proof, proofs: dict[str, Proof], bottoms: dict[str, Proof]) -> Proof:
    """The lowest proof under one, or itself, down to where a claim landed or nothing is known.

    `bottoms` remembers it for every proof on the way: refused claims that stand on one another
    share most of their way.
    """
    way, cursor = [top.entry_hash], top
    while cursor.entry_hash not in bottoms:
        parent = proofs.get(cursor.prev_hash)
        if parent is None or parent.landed:
            break
        cursor = parent
        way.append(cursor.entry_hash)
    bottom = bottoms.get(cursor.entry_hash, cursor)
    bottoms.update(dict.fromkeys(way, bottom))
    return bottom


@GENESIS_MISMATCH.asks
def genesis_mismatch(incident: Incident) -> Cause | None:
    """The abandoned proof was the grant's first."""
    line, lost = incident.judgement.line, abandoned_proof(incident)
    if lost is None:
        return None
    if incident.judgement.verdict == "recovered":
        known = [line.proofs[entry] for entry in lost.entries if entry in line.proofs]
        first = [proof.entry_hash for proof in known if proof.prev_hash == GENESIS_HASH]
        because = sentence(
            "the proof that the refused claims waited for was the grant's first",
            "拒否された claim が待っていた proof は、この grant の最初のものでした",
        )
        return GENESIS_MISMATCH.shown(because, entries=first) if first else None
    if line.chain.head != GENESIS_HASH or line.chain.linked or not incident.fates.head_is_certain:
        return None
    because = sentence(
        "no proof of the grant was ever accepted: the lost proof was its first",
        "この grant の proof は一度も受理されていません。失われた proof が最初のものでした",
    )
    return GENESIS_MISMATCH.shown(because, entries=lost.entries)
