"""A worker that forgot its head: it began anew at GENESIS, or went back to an older entry."""

from __future__ import annotations

from itertools import takewhile

from popkit.causes.model import Cause, CauseKind
from popkit.protocol.message import GENESIS_HASH
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident
from popkit.wording import PROOFS
from popkit.worker.line import WorkerLine
from popkit.worker.proofs import Proof

WORKER_HEAD_RESET = CauseKind(
    "worker_head_reset",
    rank=50,
    meaning=Text(
        "This worker issued from GENESIS on a grant that already had state: its storage was "
        "emptied.",
        "すでに状態のある grant に対して、worker が GENESIS から発行しました。ストレージが空になっています。",
    ),
    advice=Text(
        "Cut over to a new grant; find out what emptied the storage.",
        "新しい grant に切り替え、ストレージが空になった原因を調べてください。",
    ),
    ruled_out_by=Text(
        "the proof was the grant's first, or another issuer's",
        "その proof が grant の最初のもの、または別の発行者のものであること",
    ),
)
WORKER_HEAD_ROLLBACK = CauseKind(
    "worker_head_rollback",
    rank=60,
    meaning=Text(
        "This worker issued from an entry older than its own newest one: a backup was restored.",
        "worker が、自身の最新のエントリより古いエントリから発行しました。バックアップが復元されています。",
    ),
    advice=Text(
        "Cut over to a new grant; never restore the worker's heads alone.",
        "新しい grant に切り替えてください。worker の head だけを復元しないでください。",
    ),
    ruled_out_by=Text(
        "every proof of the worker stands on its newest one, or the worker takes heads from the "
        "chain",
        "worker のすべての proof が直前の proof に続いていること、または worker が head をチェーンから取得していること",
    ),
)


@WORKER_HEAD_RESET.asks
def worker_head_reset(incident: Incident) -> Cause | None:
    """This worker issued from GENESIS on a grant that already had state.

    Only the worker's own records of that proof show it: on chain a copy of the key, a second worker
    with an empty storage, or a client that gave an old parent looks the same.
    """
    line = incident.judgement.line
    if line.chain.head == GENESIS_HASH:
        return None
    own = [p for p in line.proofs.values() if p.issuer == "this_worker"]
    reset = [p for p in own if p.prev_hash == GENESIS_HASH and _forgot(incident, p)]
    if reset:
        because = sentence(
            "the worker issued {proofs} from GENESIS on a grant that already had state",
            "すでに状態のある grant に対して、worker が GENESIS から {proofs}を発行しました",
            proofs=PROOFS(len(reset)),
        )
        return WORKER_HEAD_RESET.shown(because, entries=[p.entry_hash for p in reset])
    is_gone = line.head == GENESIS_HASH and line.head_source == "storage"
    if incident.broken and own and is_gone:
        because = sentence(
            "the worker's storage holds no head for a grant that has state",
            "状態のある grant の head が、worker のストレージにありません",
        )
        return WORKER_HEAD_RESET.shown(because)
    return None


def _forgot(incident: Incident, proof: Proof) -> bool:
    """Whether a proof from GENESIS should have followed a head that the worker had."""
    return not proof.follows_chain and _had_state(incident, proof) and _had_a_head(incident, proof)


def _had_a_head(incident: Incident, proof: Proof) -> bool:
    """Whether the worker's own head had moved before a proof.

    A head that never moved stands at GENESIS rightly. An accepted claim whose issuer the records do
    not tell shows neither: a copy of the key issued it, or the records of it are gone.
    """
    own = incident.judgement.line.in_issue_order()
    before = takewhile(lambda p: p is not proof, own) if proof in own else iter(())
    return any(p.anchor is None or p.anchor.moved_heads for p in before)


def _had_state(incident: Incident, proof: Proof) -> bool:
    """Whether the grant had state when a proof was issued.

    It had where its first proof had landed, or where an older proof had written PopState.
    """
    line = incident.judgement.line
    chain = line.chain
    if not chain.linked:
        return (
            chain.state.last_issued_at is not None and proof.issued_at > chain.state.last_issued_at
        )
    first = chain.linked[0]
    known = line.proofs[str(first.entry_hash)]
    if known.from_worker and known.prev_hash == GENESIS_HASH:
        # one worker issued twice from GENESIS: the later one had a head to follow
        order = [p.entry_hash for p in line.in_issue_order()]
        return proof.entry_hash in order and order.index(proof.entry_hash) > order.index(
            known.entry_hash
        )
    # that it landed later does not say that it was issued later: two wallets may have held a proof
    # at once
    landed = (
        first.block_time
        if first.block_time is not None
        else incident.facts.clock.latest(first.slot)
    )
    return landed is not None and proof.issued_at >= landed


@WORKER_HEAD_ROLLBACK.asks
def worker_head_rollback(incident: Incident) -> Cause | None:
    """This worker issued from an entry older than its own newest one (a restored backup).

    Only the worker's own records show it.
    """
    line = incident.judgement.line
    rolled, newest, known = _rolled_back(line)
    if rolled:
        because = sentence(
            "the worker issued {proofs} from an entry older than its newest one",
            "worker が、自身の最新のエントリより古いエントリから {proofs}を発行しました",
            proofs=PROOFS(len(rolled)),
        )
        return WORKER_HEAD_ROLLBACK.shown(because, entries=rolled)
    is_behind = line.head in line.chain.accepted_entries and line.head != line.chain.head
    has_newer = newest is not None and newest.entry_hash != line.head and line.head in known
    if incident.broken and line.head_source == "storage" and is_behind and has_newer:
        because = sentence(
            "the worker's stored head is older than its newest proof",
            "worker に保存された head が、worker の最新の proof より古いものです",
        )
        return WORKER_HEAD_ROLLBACK.shown(because, entries=[str(line.head)])
    return None


def _rolled_back(line: WorkerLine) -> tuple[list[str], Proof | None, set[str]]:
    """(entries issued from an older head, the newest proof, every entry issued or followed)."""
    rolled: list[str] = []
    newest: Proof | None = None
    known: set[str] = set()
    for proof in line.in_issue_order():
        if newest is not None and not proof.follows_chain:
            stands_on_old = proof.prev_hash in known and proof.prev_hash != newest.entry_hash
            if stands_on_old and proof.stream_prev_hash == proof.prev_hash:
                rolled.append(proof.entry_hash)
        if proof.anchor is None or proof.anchor.moved_heads:
            newest = proof
        known |= {proof.entry_hash, proof.prev_hash} - {GENESIS_HASH}
    return rolled, newest, known
