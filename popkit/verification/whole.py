"""Checks of a whole chain and of the case itself."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.facts import Facts
from popkit.protocol import accounts as layouts
from popkit.protocol.keys import TOKEN_PROGRAM
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import pop_state_address, vault_address
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.texts import Counted, Noun, Text
from popkit.verification.model import ACCOUNTS, TRANSACTIONS, Check, equal
from popkit.worker.line import WorkerLine
from popkit.worker.reconcile import Reconciler

MISSING_ENTRIES = Noun("named entry", "named entries", "{n}件のエントリ")
RECEIPT_ACCOUNTS = Noun("receipt", "receipts", "{n}件のレシート")
ACCEPTED_CLAIMS = Noun("accepted claim", "accepted claims", "{n}件の受理された claim")

FROM_GENESIS = Text("the first proof starts from GENESIS", "最初の proof が GENESIS から始まること")
ANY_PARENT = Text("any parent, by the relaxed rules", "緩和された規則により、どの親でも構いません")
ALL_CLAIMS = Text("no accepted claim is missing between the ends", "両端の間に受理された claim の欠落がないこと")
ALL_ENTRIES = Text(
    "the evidence holds every named entry and every listed transaction",
    "参照されているすべてのエントリと、一覧にあるすべてのトランザクションが証拠にあります",
)
ALL_THERE = Text("the evidence holds them all", "すべて証拠にあります")
NOT_ALL_LISTED = Text(
    "the evidence does not show that it holds every transaction", "すべてのトランザクションが揃っているかどうか、証拠からは分かりません"
)
ENTRIES_MISSING = Text("the evidence lacks {count}", "{count}が証拠にありません")

STATE_LEADS = Text("PopState is where the claims lead", "PopState が claim のつながりの先にあること")
STATE_OF = Text("the PopState of grant {grant}", "grant {grant} の PopState")
NO_STATE = Text("the account is no PopState", "アカウントが PopState ではありません")
NOT_COLLECTED = Text("the account was not collected", "アカウントが収集されていません")
ONE_HEAD = Text("PopState's two heads are one", "PopState の 2 つの head が同じであること")
STATE_TIMES = Text("PopState's period and time are those of its head", "PopState の期間と時刻が head の claim のものであること")
PERIOD_AND_TIME = Text("period {period}, issued at {issued_at}", "期間 {period}、発行時刻 {issued_at}")
ONE_RECEIPT_EACH = Text("there are as many receipts as accepted claims", "レシートが受理された claim と同数であること")
ONE_A_CLAIM = Text("one receipt for each claim", "claim ごとに 1 件のレシート")
BOTH_COUNTS = Text("the evidence holds {receipts} and {claims}", "証拠にあるのは、{receipts}と{claims}です")

BALANCE = Text("funding less claims is the vault's balance", "vault の残高が入金から claim を引いた額であること")
VAULT_AFTER_ALL = Text("the vault, read after every step and claim", "すべての操作と claim の後に読み取られた vault")
NO_VAULT_WANTED = Text("no vault, as the grant is closed", "vault なし（grant は閉鎖済み）")
VAULT_WANTED = Text("the vault of a grant that was created", "作成された grant の vault")
NO_ACCOUNT = Text("the account does not exist", "アカウントが存在しません")
TOKEN_ACCOUNT = Text("a token account", "トークンアカウント")
NO_TOKEN_ACCOUNT = Text("the account's data are no token account's", "データがトークンアカウントのものではありません")
VAULT_IS_GRANT_S = Text("the vault is the grant's", "vault が grant のものであること")
VAULT_NAMES = Text("mint {mint}, owner {owner}, of {program}", "mint {mint}、所有者 {owner}、プログラム {program}")
ALL_FOR_BALANCE = Text("funding, every claim and the vault", "入金、すべての claim、vault")
NOT_ALL_FOR_BALANCE = Text("the evidence does not hold them all", "証拠に揃っていません")
MORE_THAN_FUNDED = Text(
    "{amount}: tokens came in by a plain transfer, or the evidence lacks a funding",
    "{amount}: 通常の送金で入金されたか、入金の証拠が欠けています",
)


def chain_checks(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """Both ends anchored, every link between them, receipts counted, the vault's arithmetic."""
    chain, whole = line.chain, Reconciler(facts).chain_is_complete(line.chain.grant)
    if chain.linked:
        first = chain.linked[0]
        where, rule = (TRANSACTIONS, first.signature), "program §1.8; invariant L9"
        if chain.era_at(first) == "relaxed":
            yield Check(FROM_GENESIS, HOLDS if whole else CANNOT_TELL, ANY_PARENT, str(first.prev_hash), where, rule)
        else:
            yield equal(FROM_GENESIS, None if first.prev_hash in chain.unseen else GENESIS_HASH, first.prev_hash, where, rule)
    gaps = chain.unseen
    observed = ENTRIES_MISSING(count=Counted(len(gaps), MISSING_ENTRIES)) if gaps else ALL_THERE if whole else NOT_ALL_LISTED
    status = HOLDS if whole and not gaps else CANNOT_TELL
    yield Check(ALL_CLAIMS, status, ALL_ENTRIES, observed, (ACCOUNTS, chain.grant), "invariant L9")
    yield from _state(facts, line)
    yield from _receipts(facts, line, whole)
    yield from _vault(facts, line, whole)


def _state(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """PopState whole: both heads, and the period and time of the head's claim; only the program writes it, and all of it at once."""
    chain, rule = line.chain, "How to Verify 5; invariants L9, L10"
    state, where = chain.state, (ACCOUNTS, pop_state_address(chain.grant, facts.header.program_id))
    if state.unreadable:
        yield Check(STATE_LEADS, VIOLATED, STATE_OF(grant=chain.grant), NO_STATE, where, rule)
        return
    if not state.known:
        yield Check(STATE_LEADS, CANNOT_TELL, chain.links_head, NOT_COLLECTED, where, rule)
        return
    head, stream = state.head or GENESIS_HASH, state.stream_head or GENESIS_HASH
    unknown = head in chain.unseen or chain.state_is_stale
    status = VIOLATED if chain.state_disagrees else CANNOT_TELL if unknown else HOLDS
    yield Check(STATE_LEADS, status, chain.links_head, head, where, rule)
    yield equal(ONE_HEAD, head, stream, where, "program §1.8")
    if state.head is not None:
        last = chain.accepted_entries.get(head)
        wanted = None if last is None else PERIOD_AND_TIME(period=last.period_index, issued_at=last.issued_at)
        observed = PERIOD_AND_TIME(period=state.last_period_index, issued_at=state.last_issued_at)
        yield equal(STATE_TIMES, wanted, observed, where, "program §1.8; invariant L10")


def _receipts(facts: Facts, line: WorkerLine, whole: bool) -> Iterator[Check]:
    """One receipt a claim: receipts are never closed, so a claim without one is false; a receipt without a claim is a gap."""
    chain = line.chain
    claimed = {attempt.receipt for attempt in chain.accepted}
    collected = {attempt.receipt for attempt in chain.accepted if facts.is_collected_since(attempt.receipt, attempt.slot)}
    there = facts.receipts_of(chain.grant)
    extra = there - claimed
    status = VIOLATED if collected - there or chain.doubled else HOLDS if whole and collected == claimed and not extra else CANNOT_TELL
    receipts = Counted(len(collected & there | extra), RECEIPT_ACCOUNTS)
    observed = BOTH_COUNTS(receipts=receipts, claims=Counted(len(chain.accepted), ACCEPTED_CLAIMS))
    rule = "program §1.2: no instruction closes a receipt"
    yield Check(ONE_RECEIPT_EACH, status, ONE_A_CLAIM, observed, (ACCOUNTS, chain.grant), rule)


def _vault(facts: Facts, line: WorkerLine, whole: bool) -> Iterator[Check]:
    """Whose the vault is, and whether its balance is what it should be; close_grant empties it."""
    grant, history = line.chain.grant, facts.history
    key = vault_address(grant, facts.header.program_id)
    rule, where = "program: fund_grant, claim_grant", (ACCOUNTS, key)
    row = facts.accounts.get(key)
    if row is None or row.slot is None:
        yield Check(BALANCE, CANNOT_TELL, VAULT_AFTER_ALL, NOT_COLLECTED, where, rule)
        return
    if row.data is None or not row.exists:
        status = HOLDS if history.is_closed(grant) else CANNOT_TELL if history.created_slot(grant) is None else VIOLATED
        yield Check(BALANCE, status, NO_VAULT_WANTED if status == HOLDS else VAULT_WANTED, NO_ACCOUNT, where, rule)
        return
    try:
        account = layouts.decode_token_account(row.data)
    except layouts.AccountError:
        yield Check(BALANCE, VIOLATED, TOKEN_ACCOUNT, NO_TOKEN_ACCOUNT, where, rule)
        return
    mint = history.mint_of(grant)
    own = None if mint is None else VAULT_NAMES(mint=mint, owner=grant, program=TOKEN_PROGRAM)
    observed = VAULT_NAMES(mint=account.mint, owner=account.owner, program=row.owner)
    yield equal(VAULT_IS_GRANT_S, own, observed, where, "program §1.4")
    left = _left_in_vault(facts, line, row.slot) if whole else None
    if left is None:
        yield Check(BALANCE, CANNOT_TELL, ALL_FOR_BALANCE, NOT_ALL_FOR_BALANCE, where, rule)
    elif account.amount > left:
        yield Check(BALANCE, CANNOT_TELL, left, MORE_THAN_FUNDED(amount=account.amount), where, rule)
    else:
        yield equal(BALANCE, left, account.amount, where, rule)


def _left_in_vault(facts: Facts, line: WorkerLine, slot: int) -> int | None:
    """Funding less what claims took up to a slot, since the grant was made (again); None where the evidence does not tell all of it."""
    grant, history = line.chain.grant, facts.history
    steps = [step for step in history.of_grant(grant) if step.slot <= slot]
    begun = max((step.slot for step in steps if step.name == "close_grant"), default=-1)
    claims = [attempt for attempt in line.chain.accepted if begun < attempt.slot <= slot]
    taken = {attempt.signature: facts.claims.amount_taken[attempt.row] for attempt in claims}  # of each transaction, once
    mixed = not taken.keys().isdisjoint(step.signature for step in steps)
    missing = bool(line.chain.unseen or facts.receipts_without_claims(grant))
    if missing or mixed or None in taken.values() or history.created_slot(grant) is None:
        return None
    funded = sum(int(step.args["amount"]) for step in steps if step.name == "fund_grant" and step.slot > begun)
    return funded - sum(amount or 0 for amount in taken.values())
