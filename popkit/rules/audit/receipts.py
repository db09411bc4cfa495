"""Ticket receipts against the audit entries that they speak of."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import RECEIPTS, CaseSide
from popkit.texts import Text
from popkit.wording import TICKET_RECEIPTS

_AS_ITS_ENTRY = Text("what the receipt's audit entry says", "レシートの監査エントリと同じ内容")
_REFUSES = Text(
    "the worker's check refuses the receipt", "worker の検査がこのレシートを拒否すること"
)
_PASSES = Text("the worker's check passes the receipt", "worker の検査はこのレシートを通します")
_WITHOUT_ENTRY = Text(
    "{receipts} whose audit entry is not in the evidence", "監査エントリが証拠にない{receipts}"
)


def _has_receipts(side: CaseSide) -> bool:
    """Whether the case holds a ticket receipt."""
    return bool(side.facts.receipt_checks)


TICKET_RECEIPT_BAD = Rule(
    "ticket_receipt_bad",
    "critical",
    "audit",
    source="reference §3.6",
    holds=Text(
        "every ticket receipt says what its entry says",
        "すべての参加券レシートがエントリと同じ内容であること",
    ),
    meaning=Text(
        "A ticket receipt does not say what its audit entry says.",
        "参加券レシートの内容が、監査エントリと異なります。",
    ),
    advice=Text(
        "Ask where the receipt came from; the audit entry counts.",
        "レシートの入手元を確認してください。監査エントリを正とします。",
    ),
    applies=_has_receipts,
)


@TICKET_RECEIPT_BAD.asks
def bad(side: CaseSide) -> Iterator[Answer]:
    """Receipts that differ from their entries in a field."""
    for check in side.facts.receipt_checks:
        if check.is_bad:
            where = (check.place.part, check.receipt_id)
            yield TICKET_RECEIPT_BAD.violated(where, _AS_ITS_ENTRY(), check.observed)


TICKET_RECEIPT_SERVER_ACCEPTS = Rule(
    "ticket_receipt_server_accepts",
    "critical",
    "audit",
    source="reference §3.6",
    holds=Text(
        "the worker's own check refuses every false ticket receipt",
        "偽の参加券レシートを worker 自身の検査がすべて拒否すること",
    ),
    meaning=Text(
        "The worker's own check would pass a false ticket receipt.",
        "偽の参加券レシートを、worker 自身の検査は通してしまいます。",
    ),
    advice=Text(
        "Do not rely on the worker's verify endpoint for this receipt.",
        "このレシートについて worker の検証 API の結果に頼らないでください。",
    ),
    applies=lambda side: any(check.is_bad for check in side.facts.receipt_checks),
)


@TICKET_RECEIPT_SERVER_ACCEPTS.asks
def passed_by_the_worker(side: CaseSide) -> Iterator[Answer]:
    """False receipts that the worker's own check would pass."""
    for check in side.facts.receipt_checks:
        if check.is_bad and check.server_accepts:
            where = (check.place.part, check.receipt_id)
            yield TICKET_RECEIPT_SERVER_ACCEPTS.violated(where, _REFUSES(), _PASSES())


TICKET_RECEIPT_UNCHECKED = Rule(
    "ticket_receipt_unchecked",
    "info",
    "audit",
    source="reference §3.6",
    holds=Text(
        "the evidence holds the audit entry of every ticket receipt",
        "すべての参加券レシートの監査エントリが証拠にあること",
    ),
    meaning=Text(
        "A ticket receipt's entry is not in the evidence, so that only the receipt's own hash was "
        "checked.",
        "参加券レシートのエントリが証拠にないため、レシート自体のハッシュだけを検査しました。",
    ),
    advice=Text("Export the immutable bucket.", "監査バケットをエクスポートしてください。"),
    context=("not_checked",),
    applies=_has_receipts,
)


@TICKET_RECEIPT_UNCHECKED.asks
def without_entry(side: CaseSide) -> Iterator[Answer]:
    """How many receipts there are whose entries are not."""
    count = sum("entry" in check.unknown for check in side.facts.receipt_checks)
    if count:
        receipts = _WITHOUT_ENTRY(receipts=TICKET_RECEIPTS(count))
        yield TICKET_RECEIPT_UNCHECKED.violated((RECEIPTS, ""), not_checked=receipts)
