"""The transaction of a claim: whether the program accepted it, and whether it can be the one that
was signed and executed.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule
from popkit.rules.sides import ClaimSide
from popkit.texts import Text

_WAS_ACCEPTED = Text("the program accepted it", "プログラムが受理しています")
_WAS_REFUSED = Text("the program refused it with {error}", "プログラムが {error} で拒否しています")

CLAIM_NOT_ACCEPTED = Rule(
    "claim_not_accepted",
    "critical",
    "claim",
    source="How to Verify 1; meta.err is null",
    holds=Text("the transaction was accepted", "トランザクションが受理されたこと"),
    meaning=Text(
        "The program refused the claim, so that nothing was claimed by it. Only a "
        "verification that names the claim says so.",
        "プログラムがこの claim を拒否したため、この claim では何も受け取られていません。この claim を指定した検証でだけ表示されます。",
    ),
    advice=Text(
        "Do not count the claim; see the error for the reason.",
        "この claim を数えないでください。理由はエラーを確認してください。",
    ),
)


@CLAIM_NOT_ACCEPTED.asks
def accepted(claim: ClaimSide) -> Iterator[Answer]:
    """Whether the program accepted the claim."""
    attempt, rule = claim.attempt, CLAIM_NOT_ACCEPTED
    if attempt.accepted:
        yield claim.says(rule, HOLDS, _WAS_ACCEPTED, _WAS_ACCEPTED)
    else:
        yield claim.says(rule, VIOLATED, _WAS_ACCEPTED, _WAS_REFUSED(error=attempt.error))


_SIGNATURES = Text(
    "the transaction's signatures hold, and one of them is its name",
    "トランザクションの署名がすべて正しいこと（その名前である署名を含む）",
)
_OVER_ITS_BYTES = Text(
    "every signature is one over its bytes", "すべての署名がそのバイト列に対するものです"
)
_SIGNATURES_HOLD = {
    None: Text(
        "the node's answer does not carry the signed bytes",
        "ノードの応答に署名対象のバイト列がありません",
    ),
    True: Text("every signature verifies", "すべての署名を検証できます"),
    False: Text("a signature does not verify", "検証できない署名があります"),
}
_CLAIMER_SIGNED = Text("the claimer signed the transaction", "claimer が署名したこと")
_HAS_THE_CLAIMER_S = Text(
    "the transaction carries a signature of the claimer", "claimer の署名があります"
)
_LACKS_THE_CLAIMER_S = Text(
    "the transaction carries no signature of the claimer", "claimer の署名がありません"
)
_PLACE = Text(
    "an ed25519 instruction stands right before the claim", "claim の直前に ed25519 命令があること"
)
_PLACES = (
    Text("the transaction holds no such instruction", "トランザクションにその命令がありません"),
    Text(
        "the instruction stands right before the claim, with the indices 0xFFFF",
        "claim の直前にあり、インデックスは 0xFFFF です",
    ),
    Text(
        "the instruction stands elsewhere in the transaction",
        "トランザクションの別の位置にあります",
    ),
)
_PROOF_SIGNATURE = Text(
    "the proof's signature verifies, strictly", "proof の署名を厳密に検証できること"
)
_VERIFIES = Text("the signature verifies", "署名を検証できます")
_FAILS = Text("the signature does not verify", "署名を検証できません")
_READABLE = Text("the message can be read", "メッセージを読み取れること")
_MESSAGE_SIZES = Text(
    "the message is 177 bytes of version 1, or 209 of version 2",
    "バージョン 1 の 177 バイト、またはバージョン 2 の 209 バイトです",
)
_NEITHER_SIZE = Text("the message is neither", "どちらでもありません")
_NAMES_GRANT = Text("the proof names the grant", "proof がその grant を指していること")
_NAMES_CLAIMER = Text("the proof names the claimer", "proof がその claimer を指していること")
_NAMES_PERIOD = Text("the proof names the period", "proof がその期間を指していること")
_ENTRY_HASH = Text(
    "the proof's entry hash is that of its fields",
    "entry hash が各フィールドから計算した値と一致すること",
)
_AS_EXECUTED = Text(
    "the transaction that was signed and executed", "署名され実行されたとおりのトランザクション"
)
_CAN_BE = Text(
    "the signatures and the proof are ones that the program accepts",
    "署名と proof はプログラムが受理するものです",
)
_BAD_SIGNATURES = Text(
    "the transaction's own signatures do not verify", "トランザクション自体の署名を検証できません"
)
_BAD_PROOF = Text(
    "the transaction's proof is not one that the program accepts",
    "プログラムが受理するはずのない proof が含まれています",
)

FORGED_TRANSACTION = Rule(
    "forged_transaction",
    "critical",
    "claim",
    source="invariants L1-L4",
    holds=Text(
        "the transaction can be the one that was signed and executed",
        "トランザクションが、署名され実行されたとおりのものであり得ること",
    ),
    meaning=Text(
        "A transaction in the evidence cannot be what was executed: a signature or its proof "
        "does not verify.",
        "証拠のトランザクションは、実際に実行されたものではあり得ません。署名または proof を検証できません。",
    ),
    advice=Text(
        "Collect the transaction again from a second node and keep both answers.",
        "別のノードから再収集し、両方の応答を保存してください。",
    ),
)


@FORGED_TRANSACTION.asks
def signatures(claim: ClaimSide) -> Iterator[Answer]:
    """Step 1: signed by those whom the transaction names."""
    rule, holds = FORGED_TRANSACTION, _authentic(claim)
    status = CANNOT_TELL if holds is None else HOLDS if holds else VIOLATED
    also = {"title": _SIGNATURES, "source": "invariant L1", "is_part": True}
    yield claim.says(rule, status, _OVER_ITS_BYTES, _SIGNATURES_HOLD[holds], **also)
    signed = _HAS_THE_CLAIMER_S if claim.claims.claimer_signed[claim.row] else _LACKS_THE_CLAIMER_S
    also = {"title": _CLAIMER_SIGNED, "source": "program §1.2: claimer W S", "is_part": True}
    yield claim.equal(rule, _HAS_THE_CLAIMER_S, signed, **also)


def _authentic(claim: ClaimSide) -> bool | None:
    hold = claim.claims.transaction_signatures_hold[claim.row]
    return None if hold is None else bool(hold)


@FORGED_TRANSACTION.asks
def proof(claim: ClaimSide) -> Iterator[Answer]:
    """Step 2: the proof right before the claim, and its signature by the precompile's rule."""
    if not claim.has_proof:
        return
    claims, row, rule = claim.claims, claim.row, FORGED_TRANSACTION
    also = {"title": _PLACE, "source": "How to Verify 2; program §1.6", "is_part": True}
    yield claim.equal(rule, _PLACES[1], _PLACES[int(claims.proof_place[row])], **also)
    observed = _VERIFIES if claims.proof_signature_holds[row] else _FAILS
    source = "the ed25519 precompile's strict rule"
    also = {"title": _PROOF_SIGNATURE, "source": source, "is_part": True}
    yield claim.equal(rule, _VERIFIES, observed, **also)


@FORGED_TRANSACTION.asks
def message(claim: ClaimSide) -> Iterator[Answer]:
    """Step 3: the message can be read, names its own claim, and has the hash of its fields."""
    attempt, claims, row, rule = claim.attempt, claim.claims, claim.row, FORGED_TRANSACTION
    if not claim.has_proof:
        return
    if attempt.entry_hash is None:
        also = {"title": _READABLE, "source": "program §1.6", "is_part": True}
        yield claim.says(rule, VIOLATED, _MESSAGE_SIZES, _NEITHER_SIZE, **also)
        return
    period = int(claims.message_period_index[row])
    for title, expected, observed in (
        (_NAMES_GRANT, claim.grant, claims.hash_text["message_grant"][row]),
        (_NAMES_CLAIMER, attempt.claimer, claims.hash_text["message_claimer"][row]),
        (_NAMES_PERIOD, attempt.period_index, period),
    ):
        yield claim.equal(
            rule, expected, observed, title=title, source="invariant L3", is_part=True
        )
    recomputed = claims.entry_hash_recomputed[row].tobytes().hex()
    also = {"title": _ENTRY_HASH, "source": "invariant L4", "is_part": True}
    yield claim.equal(rule, recomputed, attempt.entry_hash, **also)


@FORGED_TRANSACTION.asks
def as_executed(claim: ClaimSide) -> Iterator[Answer]:
    """What the lines above come to: a forged transaction, which is the finding.

    A refused claim may carry anything: its proof is the program's to refuse, so that the
    signatures over the transaction alone show it forged.
    """
    attempt, rule = claim.attempt, FORGED_TRANSACTION
    if claim.is_forged:
        observed = _BAD_SIGNATURES if attempt.authentic is False else _BAD_PROOF
        yield claim.says(rule, VIOLATED, _AS_EXECUTED, observed, is_part=False)
    elif not attempt.accepted:
        return
    elif not claim.claims.claimer_signed[claim.row]:
        yield claim.says(rule, VIOLATED, _AS_EXECUTED, _LACKS_THE_CLAIMER_S)
    elif _authentic(claim) is None:
        yield claim.says(rule, CANNOT_TELL, _AS_EXECUTED, _SIGNATURES_HOLD[None])
    else:
        yield claim.says(rule, HOLDS, _AS_EXECUTED, _CAN_BE)
