"""Numbered checks of what a claim did and of what others keep of it: the worker's records, the receipt, the tokens, the ticket receipts."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.receipts import SINK_TIMES, check_receipt
from popkit.claims.scalar import scalar_claims
from popkit.claims.table import key_strings
from popkit.facts import Facts
from popkit.protocol import allowlist
from popkit.protocol.message import SKEW_SECONDS
from popkit.rules.claim_findings import shares_account
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.texts import Counted, Listed, Noun, Sentence, Text
from popkit.verification.claim import Claim
from popkit.verification.model import ACCOUNTS, RECEIPTS, RECORD_SAYS_THE_SAME, SINK_TIMES_ARE_THE_ENTRY_S, Check, either, equal, known

SECONDS = Noun("second", "seconds", "{n} 秒")

RECORDED = Text("the worker's records hold the proof", "worker の記録に proof があること")
RECORD_OF = Text("a record of audit_hash {audit_hash}", "audit_hash {audit_hash} の記録")
RECORD_OF_VERSION_1 = Text(
    "a record of its proof, whose message of version 1 carries no audit_hash",
    "proof の記録（バージョン 1 のメッセージには audit_hash がありません）",
)
GRANT_S_PROOF = Text("a proof of the grant", "grant の proof")
NO_PROOF_OF_GRANT = Text("the claim carries no proof of the grant", "claim に grant の proof がありません")
ANCHORED = Text("an anchor of the audit chain is of this proof", "監査チェーンにこの proof のアンカーがあります")
NAMED_BY_RECORDS = Text("the worker's records name it", "worker の記録が参照しています")
NOT_OF_THIS_WORKER = Text(
    "the worker's audit chain, which is complete over that time, does not hold it", "その時期が揃っている worker の監査チェーンにありません"
)
NOT_COVERED = Text("the worker's records do not cover that time", "worker の記録がその時期に及んでいません")
HISTORY = Text("the worker's storage holds the proof's history record", "worker のストレージに proof の履歴レコードがあること")
HISTORY_RECORD = Text("a record under pop_chain:history:", "pop_chain:history: のレコード")
THERE = Text("the storage holds it", "ストレージにあります")
NOT_THERE = Text("the storage does not hold it", "ストレージにありません")

TICKET_VERIFIES = Text(
    "the proof's audit hash is a ticket receipt that verifies", "audit hash が、検証できる参加券レシートのものであること"
)
EVERY_FIELD = Text("every field says what its audit entry says", "すべての項目が監査エントリと同じです")
TICKET_IS_CLAIMER_S = Text("the ticket is the claimer's", "参加券が claimer のものであること")
TICKET_OF = Text("a ticket of {claimer}", "{claimer} の参加券")

RECEIPT_ADDRESS = Text(
    "the receipt's address derives from grant, claimer and period", "レシートのアドレスが grant、claimer、期間から導かれること"
)
RECEIPT_EXISTS = Text("the receipt exists and says the same", "レシートが存在し、同じ内容であること")
RECEIPT_NAMES = Text("grant {grant}, claimer {claimer}, period {period}", "grant {grant}、claimer {claimer}、期間 {period}")
NOT_READ_SINCE = Text("the receipt account was not collected since the claim", "claim の後にレシートアカウントが収集されていません")
NO_RECEIPT = Text("the account is no receipt, or does not exist", "アカウントがレシートではないか、存在しません")
IN_TIME = Text("claimed at most 600 s from the issue", "発行から 600 秒以内に claim されたこと")
AROUND = Text("{issued_at}, or at most {seconds} from it", "{issued_at}、またはその前後{seconds}以内")

PERIOD = Text("the period is that of the claim's time", "期間が claim の時刻のものであること")
REACHED = Text("one period's amount reached the claimer", "1 期間分の数量が claimer に届いたこと")
LEFT_VAULT = Text("one period's amount left the vault", "1 期間分の数量が vault から出たこと")
OPEN = Text("the grant took claims at that time", "その時刻に grant が claim を受け付けていたこと")
TAKES_CLAIMS = Text(
    "the grant takes claims: not paused, begun and not over", "grant が受付中です（停止中でも開始前でも終了後でもありません）"
)
TOOK_CLAIMS = Text("the grant took claims", "grant は受付中でした")
NO_TERMS = Text("the evidence holds no terms of the grant", "証拠に grant の条件がありません")
REFUSES = Text("the program refuses such a claim with {error}", "プログラムはその claim を {error} で拒否します")
UNDER_ROOT = Text("the claimer is under the grant's allowlist root", "claimer が grant の許可リストに含まれること")
PROOF_UNDER = Text("a Merkle proof that leads to {root}", "{root} に至る Merkle proof")
NO_MERKLE_PROOF = Text("claim_grant carries no Merkle proof", "claim_grant に Merkle proof がありません")
LEADS_THERE = Text("the Merkle proof leads there", "Merkle proof はそこに至ります")
LEADS_ELSEWHERE = Text("the Merkle proof leads to another root", "Merkle proof は別のハッシュに至ります")

NO_RECORD_OF_REFUSED = Text("no record, as the claim was refused", "記録なし（claim は拒否されています）")
HAS_RECORD = Text("the worker holds a record of it", "worker に記録があります")
RECORD_NAMES = Text("claimer {claimer}, receipt {receipt}", "claimer {claimer}、レシート {receipt}")
NOT_NAMED = Text("not named", "記載なし")
RECORD_OF_SIGNATURE = Text("a record of this signature", "この署名の記録")
NO_RECORD = Text("the worker's records hold none", "worker の記録にありません")
TICKET_SAYS_THE_SAME = Text("the ticket receipt says what its audit entry says", "参加券レシートが監査エントリと同じ内容であること")
FIELDS_UNKNOWN = Text("the evidence does not hold {fields}", "{fields} が証拠にありません")
OWN_SINK_TIMES = Text("the times of the entry's own sinks", "エントリ自身の書き込み先の時刻")
NO_ROW_OF_ENTRY = Text("neither list nor storage holds the entry's row", "エントリの行が一覧にもストレージにもありません")


def effect_checks(claim: Claim) -> Iterator[Check]:
    """Of what the claim did, in the order in which an auditor asks for them."""
    if claim.has_proof:
        yield from _audit_hash(claim)
        yield from _ticket_behind(claim)
    yield from _receipt(claim)
    if claim.attempt.accepted:
        yield from _terms(claim)
    yield from _allowlist(claim)
    yield from _worker_record(claim)
    yield from _ticket_receipts(claim)


def _audit_hash(claim: Claim) -> Iterator[Check]:
    """What the proof commits to: its anchor's hash (model A) or its ticket receipt's (B and later)."""
    proof, attempt, rule = claim.proof, claim.attempt, "reference §3.2; invariants X1, X2"
    if proof is None:
        yield Check(RECORDED, CANNOT_TELL, GRANT_S_PROOF, NO_PROOF_OF_GRANT, claim.here, rule)
        return
    status = {"this_worker": HOLDS, "foreign": VIOLATED, "unknown": CANNOT_TELL}[proof.issuer]
    of_worker = ANCHORED if proof.anchor else NAMED_BY_RECORDS
    observed = {"this_worker": of_worker, "foreign": NOT_OF_THIS_WORKER, "unknown": NOT_COVERED}[proof.issuer]
    wanted = RECORD_OF(audit_hash=attempt.audit_hash) if attempt.audit_hash else RECORD_OF_VERSION_1
    key = proof.anchor.anchor_hash if proof.anchor else str(attempt.audit_hash or attempt.entry_hash)
    yield Check(RECORDED, status, wanted, observed, ("worker", key), rule)
    if proof.anchor is not None and claim.facts.storage_history and attempt.accepted:
        status = HOLDS if proof.in_history else VIOLATED if proof in claim.line.unrecorded else CANNOT_TELL
        where = ("worker/storage.jsonl", proof.entry_hash)
        yield Check(HISTORY, status, HISTORY_RECORD, THERE if proof.in_history else NOT_THERE, where, "reference §3.2")


def _ticket_behind(claim: Claim) -> Iterator[Check]:
    """Of a receipt-gated worker's proof: the ticket receipt that it commits to, and whose that is."""
    proof, tickets = claim.proof, claim.tickets
    if proof is None or not tickets.is_gated(proof):
        return
    where, rule = (RECEIPTS, str(claim.attempt.audit_hash)), "reference §1.11; invariants X1, W4"
    for title, wanted, answer in (
        (TICKET_VERIFIES, EVERY_FIELD, tickets.backing(proof)),
        (TICKET_IS_CLAIMER_S, TICKET_OF(claimer=claim.attempt.claimer), tickets.holder(proof, claim.chain.grant)),
    ):
        status = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[answer.holds]
        yield Check(title, status, wanted, answer.seen, where, rule)


def _receipt(claim: Claim) -> Iterator[Check]:
    """Step 4: the receipt's address, content and time."""
    attempt, facts = claim.attempt, claim.facts
    expected = key_strings(claim.claims.receipt_expected[claim.row : claim.row + 1])[0]
    yield equal(RECEIPT_ADDRESS, expected, attempt.receipt, claim.here, "How to Verify 4; program §1.4")
    if not attempt.accepted:
        return
    where, rule = (ACCOUNTS, attempt.receipt), "How to Verify 4; invariant L6"
    wanted = RECEIPT_NAMES(grant=claim.chain.grant, claimer=attempt.claimer, period=attempt.period_index)
    if not facts.is_collected_since(attempt.receipt, attempt.slot):
        yield Check(RECEIPT_EXISTS, CANNOT_TELL, wanted, NOT_READ_SINCE, where, rule)
        return
    value = facts.receipt(attempt.receipt)
    observed = NO_RECEIPT if value is None else RECEIPT_NAMES(grant=value.grant, claimer=value.claimer, period=value.period_index)
    yield equal(RECEIPT_EXISTS, wanted, observed, where, rule)
    if value is not None and attempt.issued_at is not None:
        status = HOLDS if abs(value.claimed_at - attempt.issued_at) <= SKEW_SECONDS else VIOLATED
        around = AROUND(issued_at=attempt.issued_at, seconds=Counted(SKEW_SECONDS, SECONDS))
        yield Check(IN_TIME, status, around, value.claimed_at, where, "program §1.8; invariant L6")


def _terms(claim: Claim) -> Iterator[Check]:
    """Step 5: the period by the receipt's clock, and what reached the claimer, by the terms as of the slot."""
    attempt, facts = claim.attempt, claim.facts
    terms, receipt = facts.history.terms_during(claim.chain.grant, attempt.slot), facts.receipt(attempt.receipt)
    periods = [t.period_at(receipt.claimed_at) for t in terms] if receipt is not None else []
    yield _one_of(claim, PERIOD, periods, attempt.period_index, "invariant L7")
    mixed = shares_account(facts, attempt)  # then what the accounts gained and lost is not this claim's alone
    amounts = [t.amount_per_period for t in terms]
    for title, moved in ((REACHED, claim.claims.amount_moved[claim.row]), (LEFT_VAULT, claim.claims.amount_taken[claim.row])):
        yield _one_of(claim, title, amounts, moved, "How to Verify 5; invariant L8", mixed)
    refused = [t.refuses(receipt.claimed_at if receipt is not None else None) for t in terms]
    status = CANNOT_TELL if not terms else HOLDS if None in refused else VIOLATED
    observed = NO_TERMS if not terms else TOOK_CLAIMS if None in refused else REFUSES(error=refused[0])
    yield Check(OPEN, status, TAKES_CLAIMS, observed, claim.here, "program §1.7: 6007, 6008, 6009")


def _one_of(claim: Claim, title: Text, expected: list[int], observed: int | None, rule: str, mixed: bool = False) -> Check:
    """A check against every value that the slot's terms allow; `mixed` observations show nothing when they differ."""
    unknown = not expected or observed is None
    status = CANNOT_TELL if unknown else HOLDS if observed in expected else CANNOT_TELL if mixed else VIOLATED
    return Check(title, status, either(expected), known(observed), claim.here, rule)


def _allowlist(claim: Claim) -> Iterator[Check]:
    """The Merkle proof, where a root was set at that slot."""
    terms = claim.facts.history.terms_during(claim.chain.grant, claim.attempt.slot)
    roots = [t.merkle_root for t in terms if int(t.merkle_root, 16) != 0]
    if not roots or len(roots) != len(terms):
        return
    row = int(claim.claims.transaction[claim.row])
    calls = scalar_claims(claim.claims.transactions, row, claim.claims.decode(row), claim.claims.program_id)
    call = next((c.instruction for c in calls if c.index == claim.attempt.instruction_index), None)
    proof = call.args.get("proof") if call is not None else None
    wanted = PROOF_UNDER(root=either(roots))
    if proof is None:
        yield Check(UNDER_ROOT, VIOLATED, wanted, NO_MERKLE_PROOF, claim.here, "program §1.9")
        return
    holds = any(allowlist.holds(claim.attempt.claimer, list(proof), root) for root in roots)
    observed = LEADS_THERE if holds else LEADS_ELSEWHERE
    yield Check(UNDER_ROOT, HOLDS if holds else VIOLATED, wanted, observed, claim.here, "program §1.9")


def _worker_record(claim: Claim) -> Iterator[Check]:
    """The worker's record of the claim; it proves nothing, and its absence proves nothing against the claim."""
    attempt, rule = claim.attempt, "invariants X3, X4"
    for record in claim.named:
        where = (record.file, record.key)
        if not attempt.accepted:
            yield Check(RECORD_SAYS_THE_SAME, VIOLATED, NO_RECORD_OF_REFUSED, HAS_RECORD, where, rule)
            continue
        same = attempt.claimer in record.wallets or not record.wallets
        status = HOLDS if same and record.receipt in (None, attempt.receipt) else VIOLATED
        claimer = either(record.wallets) if record.wallets else NOT_NAMED
        observed = RECORD_NAMES(claimer=claimer, receipt=record.receipt or NOT_NAMED)
        yield Check(RECORD_SAYS_THE_SAME, status, RECORD_NAMES(claimer=attempt.claimer, receipt=attempt.receipt), observed, where, rule)
    if attempt.accepted and not claim.named:
        yield Check(RECORD_SAYS_THE_SAME, CANNOT_TELL, RECORD_OF_SIGNATURE, NO_RECORD, claim.here, rule)


def _ticket_receipts(claim: Claim) -> Iterator[Check]:
    """Every ticket receipt of the record's entry, and of the entry that the proof's anchor names."""
    keys = {record.key for record in claim.named}
    if claim.proof is not None and claim.proof.anchor is not None and claim.proof.anchor.receipt_id is not None:
        keys.add(claim.proof.anchor.receipt_id)
    yield from ticket_receipt_checks(claim.facts, keys)


def ticket_receipt_checks(facts: Facts, entries: set[str]) -> Iterator[Check]:
    """Every ticket receipt that speaks of one of these audit entries, every field."""
    given = {id(receipt): (receipt, place) for entry in sorted(entries) for receipt, place in facts.receipts_by_entry.get(entry, ())}
    for receipt, place in given.values():
        result = check_receipt(receipt, facts.audit, place)
        unknown = tuple(name for name in result.unknown if name != SINK_TIMES)
        status = VIOLATED if result.wrong else CANNOT_TELL if unknown else HOLDS
        observed: Sentence | object = FIELDS_UNKNOWN(fields=Listed(unknown)) if unknown and not result.wrong else result.observed
        where, rule = (RECEIPTS, result.receipt_id), "reference §3.6; invariant W4"
        yield Check(TICKET_SAYS_THE_SAME, status, EVERY_FIELD, observed, where, rule)
        if SINK_TIMES in result.unknown:
            yield Check(SINK_TIMES_ARE_THE_ENTRY_S, CANNOT_TELL, OWN_SINK_TIMES, NO_ROW_OF_ENTRY, where, rule)
