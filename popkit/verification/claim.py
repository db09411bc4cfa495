"""Numbered checks of one claim: what was expected, what was observed, where it stands, and the source of the rule.

They follow "How to Verify (Independent / Server-Untrusted)" and add what it leaves out: nothing in them believes the server, and rules
are those of the claim's slot (terms by the grant's history, the signer by its upserts), not of today's accounts. Here stand the checks
of the transaction and of its proof; `effects` has those of what the claim did and of what others keep of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from popkit.chain.attempts import Attempt
from popkit.facts import Facts
from popkit.protocol.pda import pop_config_address
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.texts import Text
from popkit.verification.model import NOT_IN_EVIDENCE, TRANSACTIONS, Check, either, equal, known
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.line import WorkerLine
from popkit.worker.tickets import Tickets

Records = Mapping[str, list[ClaimRecord]]
"""The worker's claim records by the transaction that they name."""

ACCEPTED = Text("the transaction was accepted", "トランザクションが受理されたこと")
WAS_ACCEPTED = Text("the program accepted it", "プログラムが受理しています")
WAS_REFUSED = Text("the program refused it with {error}", "プログラムが {error} で拒否しています")
SIGNATURES = Text(
    "the transaction's signatures hold, and one of them is its name",
    "トランザクションの署名がすべて正しいこと（その名前である署名を含む）",
)
OVER_ITS_BYTES = Text("every signature is one over its bytes", "すべての署名がそのバイト列に対するものです")
SIGNATURES_HOLD = {
    None: Text("the node's answer does not carry the signed bytes", "ノードの応答に署名対象のバイト列がありません"),
    True: Text("every signature verifies", "すべての署名を検証できます"),
    False: Text("a signature does not verify", "検証できない署名があります"),
}
CLAIMER_SIGNED = Text("the claimer signed the transaction", "claimer が署名したこと")
HAS_THE_CLAIMER_S = Text("the transaction carries a signature of the claimer", "claimer の署名があります")
LACKS_THE_CLAIMER_S = Text("the transaction carries no signature of the claimer", "claimer の署名がありません")

BEFORE_PROOFS = Text("no proof had been accepted before it", "それより前に proof が受理されていないこと")
PROGRAM_BEFORE = Text(
    "the program before PoP took it, so that no proof had been accepted",
    "PoP 導入前のプログラムが受け付けたものであり、proof はまだ受理されていません",
)
NO_PROOF_BEFORE = Text("no proof had been accepted", "受理された proof はありません")
PROOFS_BEFORE = Text("proofs were accepted from slot {slot} on", "スロット {slot} 以降に proof が受理されています")

PROOF_PLACE = Text("an ed25519 instruction stands right before the claim", "claim の直前に ed25519 命令があること")
PLACES = (
    Text("the transaction holds no such instruction", "トランザクションにその命令がありません"),
    Text("the instruction stands right before the claim, with the indices 0xFFFF", "claim の直前にあり、インデックスは 0xFFFF です"),
    Text("the instruction stands elsewhere in the transaction", "トランザクションの別の位置にあります"),
)
PROOF_SIGNATURE = Text("the proof's signature verifies, strictly", "proof の署名を厳密に検証できること")
VERIFIES = Text("the signature verifies", "署名を検証できます")
FAILS = Text("the signature does not verify", "署名を検証できません")
STRICTLY = Text("the ed25519 precompile's strict rule", "ed25519 precompile の厳密な規則")
SIGNER = Text(
    "the proof's signer is the one that pop-config named at that slot",
    "signer がそのスロットの pop-config に設定された鍵であること",
)
CONFIG = Text("the claim's pop-config is that of the grant's authority", "pop-config が grant の authority のものであること")

READABLE = Text("the message can be read", "メッセージを読み取れること")
MESSAGE_SIZES = Text(
    "the message is 177 bytes of version 1, or 209 of version 2", "バージョン 1 の 177 バイト、またはバージョン 2 の 209 バイトです"
)
NEITHER_SIZE = Text("the message is neither", "どちらでもありません")
VERSION = Text("the {era} program takes the message's version", "{era} のプログラムがそのバージョンを受け付けること")
NAMES_GRANT = Text("the proof names the grant", "proof がその grant を指していること")
NAMES_CLAIMER = Text("the proof names the claimer", "proof がその claimer を指していること")
NAMES_PERIOD = Text("the proof names the period", "proof がその期間を指していること")
ENTRY_HASH = Text("the proof's entry hash is that of its fields", "entry hash が各フィールドから計算した値と一致すること")
LINKS = {
    "global": Text("the proof's global link names the chain's head", "prev_hash がチェーンの head を指していること"),
    "stream": Text("the proof's stream link names the chain's head", "stream_prev_hash がチェーンの head を指していること"),
}
ANY_PARENT = Text("any parent is accepted", "どの親でも受理されます")
RELAXED_RULE = Text("program commit 5ceddca: any parent is accepted", "プログラムのコミット 5ceddca: どの親でも受理される")


class Claim:
    """One claim attempt as its checks ask about it."""

    def __init__(self, facts: Facts, line: WorkerLine, attempt: Attempt, records: Records, tickets: Tickets) -> None:
        self.facts, self.line, self.chain, self.attempt, self.tickets = facts, line, line.chain, attempt, tickets
        self.claims, self.row = facts.claims, attempt.row
        self.here = (TRANSACTIONS, attempt.signature)
        self.era = self.chain.era_at(attempt)
        self.named = records.get(attempt.signature, [])
        self.proof = line.proofs.get(attempt.entry_hash or "")

    @property
    def has_proof(self) -> bool:
        """Whether it is a claim of a program that asks for a proof."""
        return int(self.claims.account_count[self.row]) >= 12


def proof_checks(claim: Claim) -> Iterator[Check]:
    """Of the transaction and of the proof that it carries, in the order in which an auditor asks for them."""
    yield from _transaction(claim)
    if not claim.has_proof:
        yield from _without_proof(claim)
        return
    yield from _proof(claim)
    yield from _message(claim)
    yield from _links(claim)


def _transaction(claim: Claim) -> Iterator[Check]:
    """Step 1: accepted, and signed by those it names."""
    attempt, here = claim.attempt, claim.here
    was = WAS_ACCEPTED if attempt.accepted else WAS_REFUSED(error=attempt.error)
    yield equal(ACCEPTED, WAS_ACCEPTED, was, here, "How to Verify 1; meta.err is null")
    hold = claim.claims.transaction_signatures_hold[claim.row]
    authentic = None if hold is None else bool(hold)
    status = CANNOT_TELL if authentic is None else HOLDS if authentic else VIOLATED
    yield Check(SIGNATURES, status, OVER_ITS_BYTES, SIGNATURES_HOLD[authentic], here, "invariant L1")
    signed = HAS_THE_CLAIMER_S if claim.claims.claimer_signed[claim.row] else LACKS_THE_CLAIMER_S
    yield equal(CLAIMER_SIGNED, HAS_THE_CLAIMER_S, signed, here, "program §1.2: claimer W S")


def _without_proof(claim: Claim) -> Iterator[Check]:
    """A claim of the program before PoP: that program was not deployed any more once a proof was accepted."""
    facts, attempt = claim.facts, claim.attempt
    later = [a.slot for grant in facts.header.grants for a in facts.chain(grant).linked if a.slot < attempt.slot]
    observed = PROOFS_BEFORE(slot=min(later)) if later else NO_PROOF_BEFORE
    status = HOLDS if not later else VIOLATED if attempt.accepted else CANNOT_TELL
    yield Check(BEFORE_PROOFS, status, PROGRAM_BEFORE, observed, claim.here, "program §1.7: 3007 on pop_config; invariant L1")


def _proof(claim: Claim) -> Iterator[Check]:
    """Steps 2 and 3: the instruction right before the claim, its signature, its signer and pop-config as of the slot."""
    claims, row, here, attempt = claim.claims, claim.row, claim.here, claim.attempt
    yield equal(PROOF_PLACE, PLACES[1], PLACES[int(claims.proof_place[row])], here, "How to Verify 2; program §1.6")
    yield equal(PROOF_SIGNATURE, VERIFIES, VERIFIES if claims.proof_signature_holds[row] else FAILS, here, STRICTLY)
    history = claim.facts.history
    authority = history.authority_of(claim.chain.grant)
    named = history.signers_at(authority, attempt.slot) if authority else None
    is_named = history.signer_holds(authority, attempt.slot, attempt.signer) if authority else None
    status = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[is_named]
    wanted = NOT_IN_EVIDENCE if named is None else either(sorted(named))
    yield Check(SIGNER, status, wanted, known(attempt.signer), here, "How to Verify 3; invariant L5")
    config = None if authority is None else pop_config_address(authority, claim.facts.header.program_id)
    yield equal(CONFIG, config, claims.key_text["pop_config"][row], here, "program §1.4; How to Verify 3")


def _message(claim: Claim) -> Iterator[Check]:
    """Version, grant, claimer, period, entry hash."""
    attempt, claims, row, here = claim.attempt, claim.claims, claim.row, claim.here
    if attempt.entry_hash is None:
        yield Check(READABLE, VIOLATED, MESSAGE_SIZES, NEITHER_SIZE, here, "program §1.6")
        return
    version = int(claims.message_version[row])
    allowed = (1, 2) if claim.era == "strict" else (2,)
    status = HOLDS if version in allowed else VIOLATED
    yield Check(VERSION(era=claim.era), status, either(allowed), version, here, "invariant L2")
    yield equal(NAMES_GRANT, claim.chain.grant, claims.hash_text["message_grant"][row], here, "invariant L3")
    yield equal(NAMES_CLAIMER, attempt.claimer, claims.hash_text["message_claimer"][row], here, "invariant L3")
    yield equal(NAMES_PERIOD, attempt.period_index, int(claims.message_period_index[row]), here, "invariant L3")
    recomputed = claims.entry_hash_recomputed[row].tobytes().hex()
    yield equal(ENTRY_HASH, recomputed, attempt.entry_hash, here, "invariant L4")


def _links(claim: Claim) -> Iterator[Check]:
    """Both links, under the rules of the slot."""
    attempt, chain = claim.attempt, claim.chain
    heads = chain.heads_during(attempt.slot)
    if attempt.accepted:
        heads -= {attempt.entry_hash}  # it became the head, and follows another
    for name, parent in (("global", attempt.prev_hash), ("stream", attempt.stream_prev_hash)):
        if claim.era == "relaxed":
            yield Check(LINKS[name], HOLDS, ANY_PARENT, known(parent), claim.here, RELAXED_RULE)
            continue
        status = CANNOT_TELL if parent in chain.unseen else HOLDS if parent in heads else VIOLATED
        yield Check(LINKS[name], status, either(sorted(heads)), known(parent), claim.here, "program §1.8; invariant L9")
