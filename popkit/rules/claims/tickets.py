"""The ticket receipts behind a claim: the one that its proof commits to, those of its records."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.receipts import SINK_TIMES
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer, Rule, Shown
from popkit.rules.sides import RECEIPTS, CaseSide, ClaimSide
from popkit.texts import Listed, Text

_EVERY_FIELD = Text(
    "every field says what its audit entry says", "すべての項目が監査エントリと同じです"
)
_RECEIPT_OF_HASH = Text(
    "a ticket receipt of hash {hash} that says what its entry says",
    "エントリの内容と一致する、ハッシュ {hash} の参加券レシート",
)
_TICKET_OF = Text("a ticket of {claimer}", "{claimer} の参加券")
_SAYS_THE_SAME = Text(
    "the ticket receipt says what its audit entry says",
    "参加券レシートが監査エントリと同じ内容であること",
)
_FIELDS_UNKNOWN = Text("the evidence does not hold {fields}", "{fields} が証拠にありません")
_SINK_TIMES = Text(
    "the times of the entry's sinks are the entry's own",
    "書き込み先の時刻がエントリと同じであること",
)
_OWN_SINK_TIMES = Text("the times of the entry's own sinks", "エントリ自身の書き込み先の時刻")
_NO_ROW_OF_ENTRY = Text(
    "neither list nor storage holds the entry's row",
    "エントリの行が一覧にもストレージにもありません",
)
_STATUS = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}
_SOURCE = "reference §1.11; invariants X1, W4"

TICKET_RECEIPT_CONTRADICTS_PROOF = Rule(
    "ticket_receipt_contradicts_proof",
    "critical",
    "claim",
    source="invariant X1; reference §3.10",
    holds=Text(
        "the proof's audit hash is a ticket receipt that verifies",
        "audit hash が、検証できる参加券レシートのものであること",
    ),
    meaning=Text(
        "A proof on chain commits to a ticket receipt that the worker's audit chain contradicts.",
        "オンチェーンの proof が指す参加券レシートが、worker の監査チェーンと矛盾しています。",
    ),
    advice=Text(
        "Keep the export; the proof counts: what it commits to was written anew after it.",
        "エクスポートを保存してください。proof を正とします。レシートの内容は proof の後に書き直されています。",
    ),
)


def _is_gated(claim: ClaimSide) -> bool:
    return claim.has_proof and claim.proof is not None and claim.tickets.is_gated(claim.proof)


@TICKET_RECEIPT_CONTRADICTS_PROOF.asks
def backing(claim: ClaimSide) -> Iterator[Answer]:
    """Whether the receipt that the proof commits to says what its audit entry says."""
    proof, rule = claim.proof, TICKET_RECEIPT_CONTRADICTS_PROOF
    if proof is None or not _is_gated(claim):
        return
    answer, named = claim.tickets.backing(proof), claim.attempt.audit_hash
    if answer.holds is False:
        wanted = _RECEIPT_OF_HASH(hash=named)
        yield claim.says(rule, VIOLATED, wanted, answer.seen, source=_SOURCE)
    else:
        also = {"where": (RECEIPTS, str(named)), "source": _SOURCE}
        yield claim.says(rule, _STATUS[answer.holds], _EVERY_FIELD, answer.seen, **also)


TICKET_RECEIPT_OF_ANOTHER = Rule(
    "ticket_receipt_of_another",
    "warning",
    "claim",
    source="invariant X1; reference §1.11",
    holds=Text("the ticket is the claimer's", "参加券が claimer のものであること"),
    meaning=Text(
        "An accepted claim rests on a ticket receipt of somebody else, or of another grant's "
        "event.",
        "受理された claim が、別の人または別の grant のイベントの参加券レシートに基づいています。",
    ),
    advice=Text(
        "Ask both: the worker binds a ticket to no wallet, and a person may have two. "
        "Nothing shows a forgery.",
        "双方に確認してください。worker は参加券をウォレットに紐付けないため、1 人が 2 "
        "つのウォレットを持つこともあります。偽造を示すものではありません。",
    ),
)


@TICKET_RECEIPT_OF_ANOTHER.asks
def holder(claim: ClaimSide) -> Iterator[Answer]:
    """Whose the ticket is: the worker asks neither for the owner nor for a single use."""
    proof, attempt, rule = claim.proof, claim.attempt, TICKET_RECEIPT_OF_ANOTHER
    if proof is None or not _is_gated(claim):
        return
    answer, wanted = claim.tickets.holder(proof, claim.grant), _TICKET_OF(claimer=attempt.claimer)
    status = _STATUS[answer.holds]
    where = claim.where if status == VIOLATED else (RECEIPTS, str(attempt.audit_hash))
    yield claim.says(rule, status, wanted, answer.seen, where=where, source=_SOURCE)


_RECEIPT_SOURCE = "reference §3.6; invariant W4"
TICKET_RECEIPT_BAD = Shown("ticket_receipt_bad", source=_RECEIPT_SOURCE)


@TICKET_RECEIPT_BAD.asks
def receipts(claim: ClaimSide) -> Iterator[Answer]:
    """Every ticket receipt of the records' entries, and of the entry that the anchor names."""
    keys = {record.key for record in claim.records}
    anchor = claim.proof.anchor if claim.proof is not None else None
    if anchor is not None and anchor.receipt_id is not None:
        keys.add(anchor.receipt_id)
    yield from ticket_receipt_answers(claim.side.case, keys, claim.grant)


def ticket_receipt_answers(
    side: CaseSide, entries: set[str], grant: str | None = None
) -> Iterator[Answer]:
    """What every ticket receipt that speaks of one of these audit entries says, every field.

    Each answer is a part: the finding is made of the receipt itself.
    """
    by_entry, rule, source = side.facts.receipts_by_entry, TICKET_RECEIPT_BAD.rule, _RECEIPT_SOURCE
    places = {place: None for entry in sorted(entries) for _, place in by_entry.get(entry, ())}
    for found in (side.receipt_check_at[place] for place in places):
        unknown = tuple(name for name in found.unknown if name != SINK_TIMES)
        status = VIOLATED if found.wrong else CANNOT_TELL if unknown else HOLDS
        lacks = _FIELDS_UNKNOWN(fields=Listed(unknown)) if unknown and not found.wrong else None
        where = RECEIPTS, found.receipt_id
        yield Answer(
            rule, status, where, _EVERY_FIELD, lacks or found.observed,
            title=_SAYS_THE_SAME, grant=grant, is_part=True, source=source,
        )  # fmt: skip
        if SINK_TIMES in found.unknown:
            yield Answer(
                rule, CANNOT_TELL, where, _OWN_SINK_TIMES, _NO_ROW_OF_ENTRY,
                title=_SINK_TIMES, grant=grant, is_part=True, source=source, is_optional=True,
            )  # fmt: skip
