"""Why: each cause is one function that says what it saw, or None; `RULED_OUT_BY` says what would have ruled it out.

Causes are judged from attributed attempts and from this worker's own records; strangers' failures never raise one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from popkit.chain.attempts import Attempt
from popkit.protocol.message import GENESIS_HASH
from popkit.texts import Listed, Sentence, Text, sentence
from popkit.verdict.incident import Incident
from popkit.wording import CLAIMS, PROOFS, SIGNED_PROOFS
from popkit.worker.fate import LOST
from popkit.worker.proofs import Proof
from popkit.worker.reports import ReportedFailure


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause with its evidence: `entries` and `signatures` it rests on, `seen` in words."""

    name: str
    seen: Sentence
    entries: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()


def _cause(name: str, seen: Sentence, attempts: list[Attempt] | None = None, entries: list[str] | None = None) -> Cause:
    signatures = tuple(sorted({a.signature for a in attempts or []}))
    hashes = {str(a.entry_hash) for a in attempts or [] if a.entry_hash} | set(entries or [])
    return Cause(name, seen, tuple(sorted(hashes)), signatures)


def abandoned_proof(incident: Incident) -> Cause | None:
    """A proof of this worker on top of the chain's head, or further up its line, that was never accepted and can land no more.

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
        return _cause("abandoned_proof", how(proofs=PROOFS(len(lost))), entries=[p.entry_hash for p in lost])
    if incident.first_unknown_parent:
        why = sentence("refused claims wait for a proof that never landed", "拒否された claim は、取り込まれなかった proof を待っています")
        return _cause("abandoned_proof", why, entries=incident.first_unknown_parent)
    return None


_REFUSED_AND_LOST = Text(
    "{proofs} past the chain's head can land no more after a refusal by the program",
    "チェーンの head より先にある {proofs}は、プログラムに拒否され、もう取り込まれません",
)
_NEVER_SENT = Text(
    "{proofs} past the chain's head can land no more; the evidence shows no attempt to send what was lost",
    "チェーンの head より先にある {proofs}は、もう取り込まれません。失われた proof を送信した形跡は証拠にありません",
)


def _abandoned_before(incident: Incident) -> Cause | None:
    lost = abandoned_once(incident)
    if not lost:
        return None
    why = sentence(
        "claims were refused while they waited for {proofs} that never landed",
        "取り込まれなかった {proofs}を待っている間に、claim が拒否されました",
        proofs=PROOFS(len(lost)),
    )
    return _cause("abandoned_proof", why, entries=lost)


def abandoned_once(incident: Incident) -> list[str]:
    """The proofs that claims refused by a strict chain rule waited for and that never landed, ascending: of a break that is over."""
    line, found = incident.judgement.line, set()
    bottoms: dict[str, Proof] = {}
    for attempt in incident.chain_refused:
        top = line.proofs[str(attempt.entry_hash)]
        if top.landed or top.issuer == "foreign":
            continue
        bottom = _bottom_under(top, line.proofs, bottoms)
        ground = bottom.prev_hash == GENESIS_HASH or bottom.prev_hash in line.proofs or bottom.prev_hash in line.chain.accepted_entries
        if not ground and not bottom.follows_chain:
            found.add(bottom.prev_hash)
        elif ground and bottom is not top and incident.fates.of(bottom) == LOST:
            found.add(bottom.entry_hash)
    return sorted(found)


def _bottom_under(top: Proof, proofs: dict[str, Proof], bottoms: dict[str, Proof]) -> Proof:
    """The lowest proof under one, itself among them, down to where a claim landed or nothing is known.

    `bottoms` remembers it for every proof on the way: refused claims that stand on one another share most of their way.
    """
    way, cursor = [top.entry_hash], top
    while cursor.entry_hash not in bottoms and (parent := proofs.get(cursor.prev_hash)) is not None and not parent.landed:
        cursor = parent
        way.append(cursor.entry_hash)
    bottom = bottoms.get(cursor.entry_hash, cursor)
    bottoms.update(dict.fromkeys(way, bottom))
    return bottom


def genesis_mismatch(incident: Incident) -> Cause | None:
    """The abandoned proof was the grant's first."""
    line, lost = incident.judgement.line, abandoned_proof(incident)
    if lost is None:
        return None
    if incident.judgement.verdict == "recovered":
        first = [e for e in lost.entries if e in line.proofs and line.proofs[e].prev_hash == GENESIS_HASH]
        why = sentence(
            "the proof that the refused claims waited for was the grant's first",
            "拒否された claim が待っていた proof は、この grant の最初のものでした",
        )
        return _cause("genesis_mismatch", why, entries=first) if first else None
    if line.chain.head != GENESIS_HASH or line.chain.linked or not incident.fates.head_is_certain:
        return None
    why = sentence(
        "no proof of the grant was ever accepted: the lost proof was its first",
        "この grant の proof は一度も受理されていません。失われた proof が最初のものでした",
    )
    return Cause("genesis_mismatch", why, lost.entries)


def out_of_order(incident: Incident) -> Cause | None:
    """Refused by a chain rule because an earlier proof was still on its way; both landed later."""
    entries = incident.judgement.line.chain.accepted_entries
    late = []
    for attempt in incident.chain_refused:
        own, parent = entries.get(str(attempt.entry_hash)), entries.get(str(attempt.prev_hash))
        if own is not None and parent is not None and own.slot >= attempt.slot and parent.slot >= attempt.slot:
            late.append(attempt)
    if not late:
        return None
    why = sentence(
        "the program refused {claims} that landed before the claim to follow; the proofs of both landed later",
        "{claims}が、先に取り込まれるはずの claim より前に届いて拒否されました。両方の proof は後で取り込まれています",
        claims=CLAIMS(len(late)),
    )
    return _cause("out_of_order", why, late)


def foreign_issuer(incident: Incident) -> Cause | None:
    """Validly signed by the configured signer, but no entry of this worker's audit chain, which is complete over that time."""
    foreign = [p for p in incident.judgement.line.proofs.values() if p.issuer == "foreign"]
    if not foreign:
        return None
    landed = [a for p in foreign for a in ([p.accepted] if p.accepted else []) + p.refused]
    why = sentence(
        "the worker's audit chain, complete over that time, holds no entry of {proofs}",
        "その期間について完全な worker の監査チェーンに、{proofs}のエントリがありません",
        proofs=SIGNED_PROOFS(len(foreign)),
    )
    return _cause("foreign_issuer", why, landed)


def worker_head_reset(incident: Incident) -> Cause | None:
    """This worker issued from GENESIS on a grant that already had state; needs the worker's own records of that proof.

    From the chain alone a copy of the key, a second worker with an empty storage, or a client that gave an old parent looks the same.
    """
    line, chain = incident.judgement.line, incident.judgement.line.chain
    if chain.head == GENESIS_HASH:
        return None
    own = [p for p in line.proofs.values() if p.issuer == "this_worker" and p.prev_hash == GENESIS_HASH]
    reset = [p for p in own if not _took_parent_from_chain(p) and _had_state(incident, p) and _had_a_head(incident, p)]
    if reset:
        why = sentence(
            "the worker issued {proofs} from GENESIS on a grant that already had state",
            "すでに状態のある grant に対して、worker が GENESIS から {proofs}を発行しました",
            proofs=PROOFS(len(reset)),
        )
        return _cause("worker_head_reset", why, entries=[p.entry_hash for p in reset])
    issued_here = any(p.issuer == "this_worker" for p in line.proofs.values())
    if incident.broken and issued_here and line.head == GENESIS_HASH and line.head_source == "storage":
        why = sentence(
            "the worker's storage holds no head for a grant that has state", "状態のある grant の head が、worker のストレージにありません"
        )
        return Cause("worker_head_reset", why)
    return None


def _took_parent_from_chain(proof: Proof) -> bool:
    return proof.follows_chain


def _had_a_head(incident: Incident, proof: Proof) -> bool:
    """Whether the worker's own head had moved before a proof: a head that never moved stands at GENESIS rightly.

    An accepted claim whose issuer the records do not tell shows neither: a copy of the key issued it, or records that are gone.
    """
    own = incident.judgement.line.in_issue_order()
    before = takewhile(lambda p: p is not proof, own) if proof in own else iter(())
    return any(p.anchor is None or p.anchor.moved_heads for p in before)


def _had_state(incident: Incident, proof: Proof) -> bool:
    """Whether the grant had state when a proof was issued: its first proof had landed, or PopState was written by an older one."""
    line = incident.judgement.line
    chain = line.chain
    first = chain.linked[0] if chain.linked else None
    if first is not None and (known := line.proofs[str(first.entry_hash)]).from_worker and known.prev_hash == GENESIS_HASH:
        order = [p.entry_hash for p in line.in_issue_order()]  # one worker issued twice from GENESIS: the later one had a head to follow
        return proof.entry_hash in order and order.index(proof.entry_hash) > order.index(known.entry_hash)
    if first is not None:
        # that it landed later does not say that it was issued later: two wallets may have held a proof at once
        landed = first.block_time if first.block_time is not None else incident.facts.clock.latest(first.slot)
        return landed is not None and proof.issued_at >= landed
    return chain.state.last_issued_at is not None and proof.issued_at > chain.state.last_issued_at


def worker_head_rollback(incident: Incident) -> Cause | None:
    """This worker issued from an entry older than its own newest one (a restored backup); needs the worker's own records."""
    line = incident.judgement.line
    own = line.in_issue_order()
    rolled: list[Proof] = []
    newest: Proof | None = None
    known: set[str] = set()
    for proof in own:
        if newest is not None and not _took_parent_from_chain(proof):
            stands_on_old = proof.prev_hash in known and proof.prev_hash != newest.entry_hash
            if stands_on_old and proof.stream_prev_hash == proof.prev_hash:
                rolled.append(proof)
        if proof.anchor is None or proof.anchor.moved_heads:
            newest = proof
        known |= {proof.entry_hash, proof.prev_hash} - {GENESIS_HASH}
    if rolled:
        why = sentence(
            "the worker issued {proofs} from an entry older than its newest one",
            "worker が、自身の最新のエントリより古いエントリから {proofs}を発行しました",
            proofs=PROOFS(len(rolled)),
        )
        return _cause("worker_head_rollback", why, entries=[p.entry_hash for p in rolled])
    behind = line.head in line.chain.accepted_entries and line.head != line.chain.head
    own_newer = newest is not None and newest.entry_hash != line.head and line.head in known
    if incident.broken and line.head_source == "storage" and behind and own_newer:
        why = sentence(
            "the worker's stored head is older than its newest proof", "worker に保存された head が、worker の最新の proof より古いものです"
        )
        return Cause("worker_head_rollback", why, (str(line.head),))
    return None


def stream_divergence(incident: Incident) -> Cause | None:
    """The global link holds, the stream link does not."""
    line = incident.judgement.line
    refused = [a for a in incident.chain_refused if a.error == "PopStreamChainBroken"]
    issued = [p for p in line.proofs.values() if p.from_worker and not p.landed and p.prev_hash != p.stream_prev_hash]
    if refused or (issued and incident.broken):
        why = sentence(
            "proofs follow the chain by their global link and another entry by their stream link",
            "proof が、global リンクではチェーンに続き、stream リンクでは別のエントリに続いています",
        )
        return _cause("stream_divergence", why, refused, [p.entry_hash for p in issued])
    if incident.broken and line.stored_heads_differ:
        why = sentence("the worker's two stored heads differ", "worker に保存された 2 つの head が一致しません")
        return Cause("stream_divergence", why, (str(line.stored_stream_head),))
    return None


def signer_mismatch(incident: Incident) -> Cause | None:
    """The worker's signer was not the one in pop-config at that slot; also when none was issued since, by a young enough status."""
    facts, grant = incident.facts, incident.judgement.grant
    history = facts.history
    authority = history.authority_of(grant)
    if authority is None:
        return None
    attributed = incident.own(incident.judgement.line.chain.attributed)
    wrong = [a for a in attributed if a.error == "InvalidPopSigner" and a.own_failure]
    now = history.signer_now(authority)
    told = [e for e, r in _reported_on_head(incident).items() if r.error == "InvalidPopSigner" and r.failure.layer == "program"]
    issued = {entry: incident.judgement.line.proofs[entry].issued_at for entry in told}
    # nobody signs a report: it names nothing where the signer that pop-config named then is the worker's
    others = {None, *history.signers_ever(authority)} - {facts.signer_now}
    reported = [entry for entry in told if history.signer_named_by(authority, issued[entry]) in others]
    if wrong:
        why = sentence(
            "proofs were signed by a key that pop-config did not name at that slot",
            "proof が、そのスロットの pop-config にない鍵で署名されていました",
        )
        return _cause("signer_mismatch", why, wrong, reported)
    if reported:
        why = sentence(
            "a wallet reports that the program refused its proof, which is lost, for a wrong signer",
            "失われた proof について、signer が誤っているためプログラムに拒否された、とウォレットが報告しています",
        )
        return _cause("signer_mismatch", why, entries=reported)
    differs = now is not None and facts.signer_now is not None and facts.signer_now != now and not history.is_closed(grant)
    if differs and facts.status_counts(authority):
        why = sentence(
            "the worker signs with {worker}, while pop-config names {named}",
            "worker は {worker} で署名していますが、pop-config の signer は {named} です",
            worker=facts.signer_now,
            named=now,
        )
        return Cause("signer_mismatch", why)
    return None


_BURNT_BY: dict[str, tuple[str, ...]] = {
    "proof_expired": ("PopProofExpired",),
    "not_in_allowlist": ("NotInAllowlist",),
    "paused": ("Paused",),
    "grant_expired": ("GrantExpired",),
    "vault_empty": ("InsufficientFunds",),
    "wrong_period": ("InvalidPeriodIndex", "PopProofPeriodMismatch"),
}


def burnt_by(name: str, incident: Incident) -> Cause | None:
    """A proof that a rule other than the chain's refused, on the chain's head where rules are strict: landed, or as its wallet reported."""
    errors = _BURNT_BY[name]
    attempts = [a for a in incident.burnt if a.error in errors and a.failure is not None and a.failure.layer == "program" and a.own_failure]
    told = [entry for entry, r in _reported_on_head(incident).items() if r.error in errors and r.failure.layer == "program"]
    if not attempts and not told:
        return None
    why = sentence(
        "the program refused a proof with {errors} and never accepted it",
        "プログラムが proof を {errors} で拒否し、その後も受理していません",
        errors=Listed(errors, or_=True),
    )
    return _cause(name, why, attempts, told)


def _reported_on_head(incident: Incident) -> dict[str, ReportedFailure]:
    """Wallets' reports of the lost proofs that stand on the chain's head now."""
    if not incident.broken:
        return {}
    return {p.entry_hash: incident.reported[p.entry_hash] for p in incident.on_head if p.entry_hash in incident.reported}


def duplicate_claim(incident: Incident) -> Cause | None:
    """Burnt because the period's receipt already existed, of another proof: the system program's 'already in use' inside the claim."""

    def is_duplicate(layer: str | None, code: int | None) -> bool:
        return layer == "system" and code == 0

    fates = incident.fates
    attempts = [a for a in incident.burnt if a.own_failure and a.failure is not None and is_duplicate(a.failure.layer, a.failure.code)]
    attempts = [a for a in attempts if fates.is_claimed(a.claimer, a.period_index)]
    told = []
    for entry, report in _reported_on_head(incident).items():
        proof = incident.judgement.line.proofs[entry]
        if is_duplicate(report.failure.layer, report.failure.code) and fates.is_claimed(proof.claimer, proof.period_index):
            told.append(entry)
    if not attempts and not told:
        return None
    why = sentence(
        "a proof was issued for a period whose receipt already existed", "レシートがすでに存在する期間に対して proof が発行されました"
    )
    return _cause("duplicate_claim", why, attempts, told)


def grant_reuse(incident: Incident) -> Cause | None:
    """Two events linked to one grant: a broken guard, named even when the chain holds."""
    events = incident.facts.events_of(incident.judgement.grant)
    why = sentence(
        "the grant is linked to the events {events}",
        "この grant は複数のイベントに紐付けられています: {events}",
        events=Listed(tuple(events)),
    )
    return Cause("grant_reuse", why) if len(events) > 1 else None


CAUSES: dict[str, Callable[[Incident], Cause | None]] = {
    "abandoned_proof": abandoned_proof,
    "genesis_mismatch": genesis_mismatch,
    "out_of_order": out_of_order,
    "foreign_issuer": foreign_issuer,
    "worker_head_reset": worker_head_reset,
    "worker_head_rollback": worker_head_rollback,
    "stream_divergence": stream_divergence,
    "signer_mismatch": signer_mismatch,
    "duplicate_claim": duplicate_claim,
    **{name: partial(burnt_by, name) for name in _BURNT_BY},
    "grant_reuse": grant_reuse,
}

_ACCEPTED_OR_OFF_HEAD = Text(
    "the proof was accepted later, or did not stand on the chain's head when it was refused",
    "その proof が後で受理されたこと、または拒否された時点でチェーンの head の上になかったこと",
)
RULED_OUT_BY: dict[str, Text] = {
    "abandoned_proof": Text(
        "an accepted claim carries the proof, or the proof is younger than 600 s",
        "その proof を含む claim が受理されていること、または proof が発行から 600 秒以内であること",
    ),
    "genesis_mismatch": Text("an accepted claim of the grant carries a proof", "proof を含むこの grant の claim が受理されていること"),
    "out_of_order": Text(
        "the refused proof, or the proof that it follows, never landed",
        "拒否された proof、またはその親の proof が一度も取り込まれていないこと",
    ),
    "foreign_issuer": Text(
        "the worker's audit chain holds an anchor (or the ticket receipt hash) of the proof, or has a gap over its time",
        "worker の監査チェーンにその proof のアンカー（または参加券レシートのハッシュ）があること、またはその時期に欠落があること",
    ),
    "worker_head_reset": Text(
        "the proof was the grant's first, or another issuer's", "その proof が grant の最初のもの、または別の発行者のものであること"
    ),
    "worker_head_rollback": Text(
        "every proof of the worker stands on its newest one, or the worker takes heads from the chain",
        "worker のすべての proof が直前の proof に続いていること、または worker が head をチェーンから取得していること",
    ),
    "stream_divergence": Text("both links name the same entry", "両方のリンクが同じエントリを指していること"),
    "signer_mismatch": Text(
        "pop-config named the proof's signer at that slot, by its upserts",
        "更新履歴によれば、そのスロットの pop-config に proof の signer があったこと",
    ),
    "duplicate_claim": Text(
        "no receipt of another proof exists for that claimer and period, or the Custom(0) is another program's",
        "その claimer と期間について別の proof のレシートがないこと、または Custom(0) が別のプログラムのものであること",
    ),
    "proof_expired": _ACCEPTED_OR_OFF_HEAD,
    "not_in_allowlist": _ACCEPTED_OR_OFF_HEAD,
    "paused": Text("the proof was accepted after the pause", "一時停止の後にその proof が受理されたこと"),
    "grant_expired": _ACCEPTED_OR_OFF_HEAD,
    "vault_empty": Text("the proof was accepted after funding", "入金の後にその proof が受理されたこと"),
    "wrong_period": _ACCEPTED_OR_OFF_HEAD,
    "grant_reuse": Text("one event alone is linked to the grant", "この grant に紐付くイベントが 1 つだけであること"),
    "unexplained": Text("the evidence shows any of the other causes", "他のいずれかの原因が証拠から確認できること"),
}
"""What would have ruled each cause out."""


def causes_of(incident: Incident) -> list[Cause]:
    """Every cause that the evidence shows, ascending by name; a broken grant without one is 'unexplained', said plainly."""
    if incident.judgement.verdict == "in_flight":
        return [c for c in (signer_mismatch(incident), grant_reuse(incident)) if c is not None]
    found = [cause for find in CAUSES.values() if (cause := find(incident)) is not None]
    if incident.broken and not [c for c in found if c.name != "grant_reuse"]:
        why = sentence(
            "the evidence shows none of the known causes: {causes}",
            "既知の原因のいずれも証拠から確認できません: {causes}",
            causes=Listed(tuple(CAUSES), between=", "),
        )
        found.append(Cause("unexplained", why))
    return sorted(found, key=lambda c: c.name)
