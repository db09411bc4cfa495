"""What receipt-gated claims that were accepted rest on: the ticket receipts behind them.

The worker enforces neither owner nor single use, so that a receipt of another is a fact to look
into and no proof of forgery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import RECEIPTS, TRANSACTIONS, CaseSide
from popkit.texts import Listed, Text
from popkit.wording import ACCEPTED_CLAIMS, CLAIMS

_SEVERAL = Text("{claims} of {claimers}", "{claimers} の {claims}")
_ONCE = Text(
    "one claim by the receipt of hash {hash}",
    "ハッシュ {hash} のレシートによる claim が 1 件だけであること",
)
_BEHIND = Text("the ticket receipts behind {claims}", "{claims}の元になった参加券レシート")


def _is_gated(side: CaseSide) -> bool:
    """Whether an accepted claim rests on a ticket receipt."""
    return any(True for _ in side.tickets.gated_claims())


_ONE_WALLET = Text(
    "no ticket receipt stands behind claims of several wallets",
    "複数のウォレットの claim に使われた参加券レシートがないこと",
)

TICKET_RECEIPT_REUSED = Rule(
    "ticket_receipt_reused",
    "warning",
    "records",
    source="reference §1.11",
    holds=_ONE_WALLET,
    meaning=Text(
        "One ticket receipt stands behind several accepted claims.",
        "1 つの参加券レシートが、受理された複数の claim に使われています。",
    ),
    advice=Text(
        "Count the tickets, not the claims: the worker takes a receipt again and again, in another "
        "period or for another wallet.",
        "claim ではなく参加券を数えてください。worker は同じレシートを、"
        "別の期間や別のウォレットでも何度でも受け付けます。",
    ),
    applies=_is_gated,
)
_ONE_CLAIM = Text(
    "a ticket receipt stands behind one claim alone",
    "1 つの参加券レシートが 1 件の claim だけに使われていること",
)


@TICKET_RECEIPT_REUSED.asks
def reused(side: CaseSide) -> Iterator[Answer]:
    """Receipts behind several claims: of one wallet that is a remark, of several a warning."""
    is_shared = False
    for receipt_hash, claims in side.tickets.reused.items():
        claimers = tuple(sorted({attempt.claimer for _, attempt in claims}))
        grant, first = claims[0]
        several, is_shared = len(claimers) > 1, is_shared or len(claimers) > 1
        yield TICKET_RECEIPT_REUSED.violated(
            (TRANSACTIONS, first.signature),
            _ONCE(hash=receipt_hash),
            _SEVERAL(claims=CLAIMS(len(claims)), claimers=Listed(claimers)),
            title=_ONE_WALLET if several else _ONE_CLAIM,
            severity="warning" if several else "info",
            grant=grant,
            slot=first.slot,
        )
    if not is_shared:
        yield TICKET_RECEIPT_REUSED.held((RECEIPTS, ""))


TICKET_RECEIPT_UNSEEN = Rule(
    "ticket_receipt_unseen",
    "info",
    "records",
    source="invariant X1",
    holds=Text(
        "the evidence holds the ticket receipt behind every gated claim",
        "参加券レシートに基づくすべての claim について、そのレシートが証拠にあること",
    ),
    meaning=Text(
        "The ticket receipt that a proof commits to is not in the evidence, and its entry does not "
        "suffice to make it again.",
        "proof が指す参加券レシートが証拠になく、エントリから作り直すこともできません。",
    ),
    advice=Text(
        "Export the worker's storage, or collect the participants' receipts.",
        "worker のストレージをエクスポートするか、参加者のレシートを収集してください。",
    ),
    context=("not_checked",),
    applies=_is_gated,
)


@TICKET_RECEIPT_UNSEEN.asks
def unseen(side: CaseSide) -> Iterator[Answer]:
    """Accepted claims of each grant whose ticket receipt is not in the evidence, counted."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    for grant, attempt, proof in side.tickets.gated_claims():
        if side.tickets.backing(proof).holds is None:
            found[grant].append(attempt)
    for grant, attempts in found.items():
        first = attempts[0]
        yield TICKET_RECEIPT_UNSEEN.violated(
            (TRANSACTIONS, first.signature),
            not_checked=_BEHIND(claims=ACCEPTED_CLAIMS(len(attempts))),
            grant=grant,
            slot=first.slot,
        )
