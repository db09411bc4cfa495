"""The worker's claim records against the chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from popkit.chain.attempts import Attempt
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import TRANSACTIONS, CaseSide
from popkit.texts import Listed, Sentence, Text
from popkit.worker.claim_records import ClaimRecord

_RECORDS = ("worker", "claim records")
_A_RECORD = Text("records", "記録")
_NONE_THERE = Text("the evidence holds none", "証拠にありません")
_GAPS = Text("the evidence lacks transactions", "証拠にトランザクションの欠落があります")
_OF_GRANT = Text("{grant}: {what}", "{grant}: {what}")
_RECORDED = Text("the transaction {signature}", "トランザクション {signature}")
_NEITHER = Text(
    "the chain holds neither the transaction nor a receipt",
    "チェーンにトランザクションもレシートもありません",
)
_ACCEPTED_OF = Text("an accepted claim of {claimers}", "{claimers} の受理された claim")
_ACCEPTED_OF_GRANT = Text("an accepted claim of the grant", "この grant の受理された claim")
_ACCEPTED = Text("an accepted claim of {claimer}", "{claimer} の受理された claim")
_REFUSED = Text(
    "a claim of {claimer}, refused with {error}", "{claimer} の claim（{error} で拒否）"
)
_NO_CLAIM = Text(
    "the transaction holds no claim of the event's grant",
    "トランザクションに、イベントの grant への claim がありません",
)
_ITS_RECORD = Text("a claim record of the claimer", "claimer の claim 記録")
_NO_RECORD = Text(
    "the worker holds no record of the claim", "worker にこの claim の記録がありません"
)


def _is_collected(side: CaseSide) -> bool:
    """Whether the case holds anything in which the worker keeps claim records."""
    return side.reconciler.is_collected


def _all_complete(side: CaseSide) -> bool:
    """Whether the case holds every accepted claim of all its grants."""
    grants = side.facts.header.grants
    return all(side.reconciler.chain_is_complete(grant) for grant in grants)


RECORD_UNBACKED = Rule(
    "record_unbacked",
    "critical",
    "records",
    source="invariant X3",
    holds=Text(
        "the claim of every claim record is on chain",
        "すべての claim 記録の claim がチェーンにあること",
    ),
    meaning=Text(
        "The worker holds a record of an on-chain claim that the chain does not hold.",
        "worker に on-chain claim の記録がありますが、チェーンにその claim がありません。",
    ),
    advice=Text(
        "Do not count the ticket: the worker never checks what a client reports.",
        "この参加券を数えないでください。worker はクライアントの申告を検証しません。",
    ),
)


@RECORD_UNBACKED.asks
def unbacked(side: CaseSide) -> Iterator[Answer]:
    """Records whose claim complete evidence does not hold; else why that may not be all."""
    reconciler = side.reconciler
    for record in reconciler.unbacked:
        yield RECORD_UNBACKED.violated(
            (record.file, record.key),
            _RECORDED(signature=record.tx_signature),
            _NEITHER(),
            grant=reconciler.grants_of(record)[0],
        )
    if not reconciler.is_collected:
        yield RECORD_UNBACKED.unknown(_RECORDS, _A_RECORD, _NONE_THERE)
    elif not reconciler.unbacked:
        doubts = [doubt.detail for doubt in reconciler.doubts_of_records]
        missing = [_GAPS()] if not _all_complete(side) else doubts
        if missing:
            yield RECORD_UNBACKED.unknown(_RECORDS, None, Listed(tuple(missing)))


RECORD_UNCHECKED = Rule(
    "record_unchecked",
    "warning",
    "records",
    source="invariant X3",
    holds=Text(
        "every record of an on-chain claim could be held against the chain",
        "on-chain claim の記録をすべてチェーンと照合できたこと",
    ),
    meaning=Text(
        "A record of an on-chain claim could not be held against the chain as it was read.",
        "on-chain claim の記録を、読み取ったチェーンと照合できませんでした。",
    ),
    advice=Text(
        "Collect the chain again, the receipt account that the record names included.",
        "記録が示すレシートアカウントを含めて、チェーンを再収集してください。",
    ),
    applies=_is_collected,
)


@RECORD_UNCHECKED.asks
def undecided(side: CaseSide) -> Iterator[Answer]:
    """Records that the chain, as it was read, can neither back nor deny."""
    for record, why in side.reconciler.undecided:
        yield RECORD_UNCHECKED.violated(
            (record.file, record.key),
            _RECORDED(signature=record.tx_signature),
            why,
            grant=side.reconciler.grants_of(record)[0],
        )


RECORD_CONTRADICTED = Rule(
    "record_contradicted",
    "critical",
    "records",
    source="invariant X3",
    holds=Text("the chain contradicts no claim record", "チェーンと矛盾する claim 記録がないこと"),
    meaning=Text(
        "A record names a transaction that is another's, or was refused.",
        "記録が示すトランザクションが、別の人のものか、拒否されたものです。",
    ),
    advice=Text("Do not count the ticket.", "この参加券を数えないでください。"),
    applies=_is_collected,
)


@RECORD_CONTRADICTED.asks
def contradicted(side: CaseSide) -> Iterator[Answer]:
    """Records whose transaction is somebody else's, of another grant, of no claim, or refused."""
    found = side.reconciler.contradicted
    for one in found:
        record, claim = one.record, one.claim
        holders = Listed(record.wallets, or_=True)
        wanted = _ACCEPTED_OF(claimers=holders) if record.wallets else _ACCEPTED_OF_GRANT()
        yield RECORD_CONTRADICTED.violated(
            (record.file, record.key),
            wanted,
            _NO_CLAIM() if claim is None else _named_by(claim),
            slot=None if claim is None else claim.slot,
            grant=one.grant,
        )
    if not found and not _all_complete(side):
        yield RECORD_CONTRADICTED.unknown(_RECORDS, None, _GAPS())


def _named_by(claim: Attempt) -> Sentence:
    """The claim of the transaction that a record names."""
    if claim.accepted:
        return _ACCEPTED(claimer=claim.claimer)
    return _REFUSED(claimer=claim.claimer, error=claim.error)


CLAIM_UNSYNCED = Rule(
    "claim_unsynced",
    "info",
    "records",
    source="invariant X4",
    holds=Text(
        "the worker holds a record of every accepted claim",
        "受理されたすべての claim の記録が worker にあること",
    ),
    meaning=Text(
        "The worker holds no record of a claim that landed.",
        "取り込まれた claim の記録が worker にありません。",
    ),
    advice=Text(
        "Count the ticket, and report the claim to the worker.",
        "参加券として数え、claim を worker に登録してください。",
    ),
    is_optional=True,
    applies=_is_collected,
)


@CLAIM_UNSYNCED.asks
def unsynced(side: CaseSide) -> Iterator[Answer]:
    """Accepted claims of which the worker holds no record, and why others cannot be told."""
    for one in side.reconciler.unsynced:
        where = (TRANSACTIONS, one.signature)
        about = {"grant": one.grant, "slot": one.slot}
        yield CLAIM_UNSYNCED.violated(where, _ITS_RECORD(), _NO_RECORD(), **about)
    for doubt in side.reconciler.doubts_of_claims:
        what = _OF_GRANT(grant=doubt.grant, what=doubt.detail)
        yield CLAIM_UNSYNCED.unknown(_RECORDS, _ITS_RECORD(), what, grant=doubt.grant)


_HOLDS = Text("the chain holds what the record says", "記録の内容がチェーンにあること")
_A_TRANSACTION = Text("a transaction", "トランザクション")
_THE_TRANSACTION = Text("transaction {signature}", "トランザクション {signature}")
_OFF_CHAIN = Text(
    "the record names no transaction: of a claim off chain the worker's word stands alone",
    "記録にトランザクションがありません（オフチェーンの claim を示すのは worker の記録だけです）",
)
_NOT_ON_CHAIN = Text(
    "the evidence, which is complete, does not hold it", "揃っている証拠にありません"
)
_NOT_THERE = Text("the evidence does not hold it", "証拠にありません")


def answers_of_records(
    side: CaseSide, records: Collection[ClaimRecord], reached: Collection[str]
) -> Iterator[Answer]:
    """Whether the chain backs each of some records, but for those of claims that were reached."""
    unbacked_keys = {record.key for record in side.reconciler.unbacked}
    for record in records:
        where, signature = (record.file, record.key), record.tx_signature
        if signature is None:
            yield RECORD_UNBACKED.unknown(where, _A_TRANSACTION, _OFF_CHAIN, title=_HOLDS)
        elif signature not in reached:
            wanted, is_unbacked = _THE_TRANSACTION(signature=signature), record.key in unbacked_keys
            answer = RECORD_UNBACKED.violated if is_unbacked else RECORD_UNBACKED.unknown
            observed = _NOT_ON_CHAIN if is_unbacked else _NOT_THERE
            yield answer(where, wanted, observed, title=_HOLDS)
