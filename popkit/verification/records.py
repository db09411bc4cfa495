"""Checks of what the worker keeps: its audit chain, bucket and ticket receipts, its claim records, and its own verdict on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from popkit.audit.ends import beginnings, older_than_parent, wrong_ends, wrong_stream_links
from popkit.audit.entries import GENESIS
from popkit.audit.server import server_verdict
from popkit.facts import Facts
from popkit.rules.claims.tickets import ticket_receipt_answers
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.rules.sides import CaseSide
from popkit.texts import Counted, Listed, Noun, Text
from popkit.verification.model import NONE, NONE_OLDER_THAN_ITS_PARENT, RECEIPTS, SERVER_SAYS_THE_SAME, Check
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.reconcile import Reconciler
from popkit.worker.tickets import Tickets

ENTRIES = Noun("entry", "entries", "{n}件のエントリ")
ALL = Text("all of them", "すべて")
ALL_BUT = Text("all but {items}", "{items} を除くすべて")

AUDIT_CHAIN = Text("the worker's audit chain", "worker の監査チェーン")
AUDIT_ENTRIES = Text("audit entries", "監査エントリ")
NO_ENTRIES = Text("the evidence holds none", "証拠にありません")
HASHED = Text("every row of the audit chain hashes to what it says", "監査チェーンのすべての行のハッシュが内容と一致すること")
NONE_GONE = Text("no entry is gone from where it must stand", "あるべき位置からなくなったエントリがないこと")
UNBROKEN = Text("the chain is unbroken from its newest entry to GENESIS", "最新のエントリから GENESIS まで途切れていないこと")
BROKEN_OFF = Text("{count}, then a gap or the window's edge", "{count}の先に、欠落または一覧の端があります")
ONE_BEGINNING = Text("no second entry begins the chain", "チェーンの始まりが 2 つ以上ないこと")
RISING_TIMES = Text("times that never fall", "戻ることのない時刻")
CLOCK_SET_BACK = Text(
    "the clock was set back before {entries}; the order is by links", "{entries} の前に時計が戻されています（順序はリンクによります）"
)
STREAM_LINKS = Text(
    "every stream link names its stream's newest entry", "すべてのストリームのリンクがその時点の最新エントリを指していること"
)
ENDS = Text("every end that the storage names is the newest entry", "ストレージが示すすべての末端が最新のエントリであること")
END = Text("{key}: {entry}", "{key}: {entry}")
NO_ENTRY = Text("no entry", "エントリなし")
OBJECTS = Text("every bucket object is its entry's payload", "バケットのすべてのオブジェクトがエントリの内容と一致すること")
OBJECTS_THERE = Text(
    "the export holds every bucket object that a sink names", "書き込み先が示すすべてのオブジェクトがエクスポートにあること"
)
TICKETS = Text("every ticket receipt says what its entry says", "すべての参加券レシートがエントリと同じ内容であること")
OK = Text("ok {value}", "ok {value}")

CLAIM_RECORDS = Text("the worker's claim records", "worker の claim 記録")
RECORDS = Text("records", "記録")
BACKED = Text("the claim of every claim record is on chain", "すべての claim 記録の claim がチェーンにあること")
UNCONTRADICTED = Text("the chain contradicts no claim record", "チェーンと矛盾する claim 記録がないこと")
OF_GRANT = Text("{grant}: {what}", "{grant}: {what}")
GAPS = Text("the evidence lacks transactions", "証拠にトランザクションの欠落があります")
ONE_WALLET = Text(
    "no ticket receipt stands behind claims of several wallets", "複数のウォレットの claim に使われた参加券レシートがないこと"
)
RECORD_HOLDS = Text("the chain holds what the record says", "記録の内容がチェーンにあること")
A_TRANSACTION = Text("a transaction", "トランザクション")
THE_TRANSACTION = Text("transaction {signature}", "トランザクション {signature}")
OFF_CHAIN = Text(
    "the record names no transaction: of a claim off chain the worker's word stands alone",
    "記録にトランザクションがありません（オフチェーンの claim を示すのは worker の記録だけです）",
)
NOT_ON_CHAIN = Text("the evidence, which is complete, does not hold it", "揃っている証拠にありません")
NOT_IN_THE_EVIDENCE = Text("the evidence does not hold it", "証拠にありません")


def audit_checks(facts: Facts) -> Iterator[Check]:
    """The worker's audit chain, bucket and ticket receipts, recomputed."""
    records, tampering = facts.audit, facts.tampering
    where = ("worker", "audit")
    if not records.is_known:
        yield Check(AUDIT_CHAIN, CANNOT_TELL, AUDIT_ENTRIES, NO_ENTRIES, where, "reference §3.8")
        return
    yield _every(HASHED, tampering.edited, where, "reference §3.8; invariant W1")
    yield _no(NONE_GONE, tampering.removed, where, "reference §3.10; invariant W1")
    whole = records.reaches_genesis
    observed = GENESIS if whole else BROKEN_OFF(count=Counted(len(records.line), ENTRIES))
    yield Check(UNBROKEN, HOLDS if whole else CANNOT_TELL, GENESIS, observed, where, "invariant W1")
    yield _no(ONE_BEGINNING, [entry.hash for entry in beginnings(records)[1:]], where, "reference §3.8, §3.10")
    late = tuple(entry.hash for entry in older_than_parent(records))
    clock = CLOCK_SET_BACK(entries=Listed(late)) if late else NONE
    yield Check(NONE_OLDER_THAN_ITS_PARENT, CANNOT_TELL if late else HOLDS, RISING_TIMES, clock, where, "reference §3.10")
    links = [link.entry.hash for link in wrong_stream_links(records)]
    yield _every(STREAM_LINKS, links, where, "reference §3.8; invariant W1")
    wrong = [END(key=end.key, entry=end.observed or NO_ENTRY) for end in wrong_ends(facts.evidence.storage, records)]
    yield _every(ENDS, wrong, where, "reference §3.10; invariant W2")
    if records.bucket_keys is not None:
        yield _every(OBJECTS, tampering.edited_objects, where, "invariant W3")
        yield _every(OBJECTS_THERE, tampering.missing_objects, where, "invariant W3")
    if facts.receipt_rows:
        bad = sorted({check.receipt_id for check in facts.receipt_checks if check.is_bad})
        yield _every(TICKETS, bad, where, "reference §3.6; invariant W4")
    yield from _server(facts)


def _every(title: Text, exceptions: Iterable[object], where: tuple[str, str], rule: str) -> Check:
    """A check that something is so of all things."""
    found = tuple(exceptions)
    return Check(title, VIOLATED if found else HOLDS, ALL, ALL_BUT(items=Listed(found)) if found else ALL, where, rule)


def _no(title: Text, exceptions: Iterable[object], where: tuple[str, str], rule: str) -> Check:
    """A check that something is so of no thing."""
    found = tuple(exceptions)
    return Check(title, VIOLATED if found else HOLDS, NONE, Listed(found) if found else NONE, where, rule)


def _unless(check: Check, doubts: tuple[object, ...]) -> Check:
    """A check that nothing speaks against: it cannot tell where there are doubts."""
    return replace(check, status=CANNOT_TELL, observed=Listed(doubts)) if doubts else check


def record_checks(facts: Facts, tickets: Tickets) -> Iterator[Check]:
    """The worker's records of on-chain claims: those that the chain does not hold, or holds otherwise; and tickets used by several."""
    where = ("worker", "claim records")
    if not facts.audit.is_known and facts.evidence.storage is None and "transfers" not in facts.evidence.answers:
        yield Check(CLAIM_RECORDS, CANNOT_TELL, RECORDS, NO_ENTRIES, where, "invariants X3, X4")
        return
    reconciler = Reconciler(facts)
    unbacked = tuple(sorted(str(record.tx_signature) for record in reconciler.unbacked()))
    doubts = tuple(OF_GRANT(grant=row.grant, what=row.detail) if row.grant else row.detail for row in reconciler.not_checked)
    false = tuple(sorted(finding.where[1] for finding in reconciler.contradicted()))
    whole = all(reconciler.chain_is_complete(grant) for grant in facts.header.grants)
    gaps: tuple[object, ...] = () if whole else (GAPS,)
    backed = _every(BACKED, unbacked, where, "invariant X3")
    yield backed if unbacked else _unless(backed, gaps or doubts)
    uncontradicted = _no(UNCONTRADICTED, false, where, "invariant X3")
    yield uncontradicted if false else _unless(uncontradicted, gaps)
    shared = sorted(receipt for receipt, claims in tickets.reused.items() if len({attempt.claimer for _, attempt in claims}) > 1)
    yield _no(ONE_WALLET, shared, (RECEIPTS, ""), "reference §1.11; invariant X1")


def named_record_checks(side: CaseSide, records: list[ClaimRecord], reached: set[str]) -> Iterator[Check]:
    """Claim records whose transactions are not among those reached by name: whether the chain backs them, and their tickets."""
    unbacked = {record.key for record in Reconciler(side.facts).unbacked()}
    for record in records:
        where = (record.file, record.key)
        if record.tx_signature is None:
            yield Check(RECORD_HOLDS, CANNOT_TELL, A_TRANSACTION, OFF_CHAIN, where, "invariant X3")
        elif record.tx_signature not in reached:
            status = VIOLATED if record.key in unbacked else CANNOT_TELL
            observed = NOT_ON_CHAIN if status == VIOLATED else NOT_IN_THE_EVIDENCE
            yield Check(RECORD_HOLDS, status, THE_TRANSACTION(signature=record.tx_signature), observed, where, "invariant X3")
    yield from map(Check.of, ticket_receipt_answers(side, {record.key for record in records}))


def _server(facts: Facts) -> Iterator[Check]:
    """The worker's own audit-integrity, and which of the two is right where they differ."""
    records = facts.audit
    ends_hold = not (wrong_ends(facts.evidence.storage, records) or beginnings(records)[1:] or wrong_stream_links(records))
    found = server_verdict(facts.evidence, records, facts.tampering, not any(c.is_bad for c in facts.receipt_checks), ends_hold)
    if found is not None:
        status, wanted = HOLDS if found.agrees else CANNOT_TELL, OK(value=str(found.recomputed).lower())
        yield Check(SERVER_SAYS_THE_SAME, status, wanted, found.text, ("worker/audit-integrity.json", "ok"), "reference §3.10")
