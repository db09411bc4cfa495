"""Checks of a whole chain, of the worker's audit chain, and of the case itself."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.ends import beginnings, older_than_parent, wrong_ends, wrong_stream_links
from popkit.audit.entries import GENESIS
from popkit.audit.server import server_verdict
from popkit.diagnosis.evidence_findings import evidence_findings
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.reconcile import Reconciler
from popkit.diagnosis.records import ClaimRecord
from popkit.diagnosis.tickets import Tickets
from popkit.errors import CaseUnreadable
from popkit.evidence.custody import CUSTODY, check_custody
from popkit.protocol import accounts as layouts
from popkit.protocol.keys import TOKEN_PROGRAM
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import pop_state_address, vault_address
from popkit.verification.checks import ACCOUNTS, CANNOT_TELL, HOLDS, RECEIPTS, TRANSACTIONS, VIOLATED, Check, equal, ticket_receipt_checks
from popkit.wording import counted

CUSTODY_RULE = "popkit collect writes it; it shows no more than that the record was not altered since"


def case_checks(facts: Facts) -> Iterator[Check]:
    """The case's own seal; a case whose seal is broken is not opened at all."""
    sealed = facts.evidence.digests is not None
    seen = "each file's SHA-256 is the manifest's" if sealed else "the case has no manifest"
    where = ("manifest-sha256.txt", "")
    yield Check(
        "every file is the one that was sealed", HOLDS if sealed else CANNOT_TELL, "the manifest's digests", seen, where, "design §4"
    )
    contradictions = [f for f in evidence_findings(facts) if f.severity == "critical"]
    seen = "; ".join(f"{f.where[0]} {f.where[1]}".strip() for f in contradictions) or "none"
    title = "no two answers contradict each other"
    yield Check(title, VIOLATED if contradictions else HOLDS, "none", seen, ("rpc", ""), "design §4: one content a key")

    yield from _custody(facts)


def _custody(facts: Facts) -> Iterator[Check]:
    """The custody record of a collected case; a case without one says nothing of how it came to be."""
    if CUSTODY not in facts.evidence.files:
        return
    title, wanted, where = "the custody record holds", "each line names the one before it, and what was kept is there", (CUSTODY, "")
    try:
        breaks = check_custody(facts.evidence.root)
    except CaseUnreadable as unreadable:
        yield Check(title, CANNOT_TELL, wanted, str(unreadable), where, CUSTODY_RULE)
        return
    yield Check(title, VIOLATED if breaks else HOLDS, wanted, "; ".join(map(str, breaks[:3])) or "so it is", where, CUSTODY_RULE)


def chain_checks(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """Both ends anchored, every link between them, receipts counted, the vault's arithmetic."""
    chain, whole = line.chain, Reconciler(facts).chain_is_complete(line.chain.grant)
    if chain.linked:
        first = chain.linked[0]
        title, where, rule = "the first proof starts from GENESIS", (TRANSACTIONS, first.signature), "program §1.8; invariant L9"
        if chain.era_at(first) == "relaxed":
            seen = str(first.prev_hash)
            yield Check(title, HOLDS if whole else CANNOT_TELL, "any parent, by the relaxed rules", seen, where, rule)
        else:
            yield equal(title, None if first.prev_hash in chain.unseen else GENESIS_HASH, first.prev_hash, where, rule)
    gaps = chain.unseen
    seen = f"{counted(len(gaps), 'named entry', 'named entries')} not there" if gaps else "all there" if whole else "not all of it"
    title = "no accepted claim is missing between the ends"
    wanted = "every named entry, every listed transaction"
    yield Check(title, HOLDS if whole and not gaps else CANNOT_TELL, wanted, seen, (ACCOUNTS, chain.grant), "invariant L9")
    yield from _state(facts, line)
    yield from _receipts(facts, line, whole)
    yield from _vault(facts, line, whole)


def _state(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """PopState whole: both heads, and the period and time of the head's claim; only the program writes it, and all of it at once."""
    chain, title, rule = line.chain, "PopState is where the claims lead", "How to Verify 5; invariants L9, L10"
    state, where = chain.state, (ACCOUNTS, pop_state_address(chain.grant, facts.header.program_id))
    if state.unreadable:
        yield Check(title, VIOLATED, f"the PopState of grant {chain.grant}", "an account that is none", where, rule)
        return
    if not state.known:
        yield Check(title, CANNOT_TELL, chain.links_head, "not collected", where, rule)
        return
    head, stream = state.head or GENESIS_HASH, state.stream_head or GENESIS_HASH
    unknown = head in chain.unseen or chain.state_is_stale
    status = VIOLATED if chain.state_disagrees else CANNOT_TELL if unknown else HOLDS
    yield Check(title, status, chain.links_head, head, where, rule)
    yield equal("PopState's two heads are one", head, stream, where, "program §1.8")
    if state.head is not None:
        last = chain.accepted_entries.get(head)
        wanted = None if last is None else f"period {last.period_index}, issued at {last.issued_at}"
        seen = f"period {state.last_period_index}, issued at {state.last_issued_at}"
        yield equal("PopState's period and time are those of its head", wanted, seen, where, "program §1.8; invariant L10")


def _receipts(facts: Facts, line: WorkerLine, whole: bool) -> Iterator[Check]:
    """One receipt a claim: receipts are never closed, so a claim without one is false; a receipt without a claim is a gap."""
    chain = line.chain
    claimed = {attempt.receipt for attempt in chain.accepted}
    collected = {attempt.receipt for attempt in chain.accepted if facts.is_collected_since(attempt.receipt, attempt.slot)}
    there = facts.receipts_of(chain.grant)
    extra = there - claimed
    status = VIOLATED if collected - there or chain.doubled else HOLDS if whole and collected == claimed and not extra else CANNOT_TELL
    seen = f"{counted(len(collected & there | extra), 'receipt')}, {counted(len(chain.accepted), 'accepted claim')}"
    title = "there are as many receipts as accepted claims"
    yield Check(title, status, "one receipt a claim", seen, (ACCOUNTS, chain.grant), "program §1.2: no instruction closes a receipt")


def _vault(facts: Facts, line: WorkerLine, whole: bool) -> Iterator[Check]:
    """Funding less what claims took is what the vault holds; close_grant empties it, and a grant made again starts anew."""
    grant, history = line.chain.grant, facts.history
    key = vault_address(grant, facts.header.program_id)
    title, rule, where = "funding less claims is the vault's balance", "program: fund_grant, claim_grant", (ACCOUNTS, key)
    row = facts.accounts.get(key)
    if row is None or row.slot is None:
        yield Check(title, CANNOT_TELL, "the vault, after every step and claim", "not collected", where, rule)
        return
    if row.data is None or not row.exists:
        status = HOLDS if history.is_closed(grant) else CANNOT_TELL if history.created_slot(grant) is None else VIOLATED
        wanted = "no vault: the grant is closed" if status == HOLDS else "the vault of a grant that was created"
        yield Check(title, status, wanted, "no account", where, rule)
        return
    try:
        account = layouts.decode_token_account(row.data)
    except layouts.AccountError:
        yield Check(title, VIOLATED, "a token account", "data that is none", where, rule)
        return
    mint = history.mint_of(grant)
    own = None if mint is None else f"mint {mint}, owner {grant}, of {TOKEN_PROGRAM}"
    seen = f"mint {account.mint}, owner {account.owner}, of {row.owner}"
    yield equal("the vault is the grant's", own, seen, where, "program §1.4")
    steps = [step for step in history.of_grant(grant) if step.slot <= row.slot]
    begun = max((step.slot for step in steps if step.name == "close_grant"), default=-1)
    claims = [attempt for attempt in line.chain.accepted if begun < attempt.slot <= row.slot]
    taken = {attempt.signature: facts.claims.amount_taken[attempt.row] for attempt in claims}  # of each transaction, once
    mixed = not taken.keys().isdisjoint(step.signature for step in steps)
    missing = bool(line.chain.unseen or facts.receipts_without_claims(grant))
    if not whole or missing or mixed or None in taken.values() or history.created_slot(grant) is None:
        yield Check(title, CANNOT_TELL, "funding, every claim and the vault", "not all in the evidence", where, rule)
        return
    funded = sum(int(step.args["amount"]) for step in steps if step.name == "fund_grant" and step.slot > begun)
    left = funded - sum(amount or 0 for amount in taken.values())
    if account.amount > left:
        seen = f"{account.amount}: tokens came in by a plain transfer, or a funding is not in the evidence"
        yield Check(title, CANNOT_TELL, str(left), seen, where, rule)
    else:
        yield equal(title, left, account.amount, where, rule)


def audit_checks(facts: Facts) -> Iterator[Check]:
    """The worker's audit chain, bucket and ticket receipts, recomputed."""
    records, tampering = facts.audit, facts.tampering
    where = ("worker", "audit")
    if not records.is_known:
        yield Check("the worker's audit chain", CANNOT_TELL, "audit entries", "none in the evidence", where, "reference §3.8")
        return

    def none_of(title: str, found: list[str], rule: str) -> Check:
        return Check(title, VIOLATED if found else HOLDS, "none", ", ".join(found) or "none", where, rule)

    yield none_of("rows that do not hash to what they say", tampering.edited, "reference §3.8; invariant W1")
    yield none_of("entries gone from where they must stand", tampering.removed, "reference §3.10; invariant W1")
    whole = records.reaches_genesis
    seen = GENESIS if whole else f"{counted(len(records.line), 'entry', 'entries')}, then a gap or the window's edge"
    title = "the chain is unbroken from its newest entry to GENESIS"
    yield Check(title, HOLDS if whole else CANNOT_TELL, GENESIS, seen, where, "invariant W1")
    yield none_of("entries that begin the chain once more", [e.hash for e in beginnings(records)[1:]], "reference §3.8, §3.10")
    late = older_than_parent(records)
    seen = f"a clock that was set back before {', '.join(e.hash for e in late)}; order is by links" if late else "none"
    title = "no entry is older than the one it follows"
    yield Check(title, CANNOT_TELL if late else HOLDS, "times that never fall", seen, where, "reference §3.10")
    links = [link.entry.hash for link in wrong_stream_links(records)]
    yield none_of("entries whose stream link is not their stream's newest", links, "reference §3.8; invariant W1")
    wrong = [f"{end.key}: {end.observed or 'no entry'}" for end in wrong_ends(facts.evidence.storage, records)]
    yield none_of("ends that are not the newest entry", wrong, "reference §3.10; invariant W2")
    if records.bucket_keys is not None:
        yield none_of("bucket objects that are not their entry's payload", tampering.edited_objects, "invariant W3")
        yield none_of("bucket objects that sinks name and the export lacks", tampering.missing_objects, "invariant W3")
    if facts.receipt_rows:
        bad = sorted({c.receipt_id for c in facts.receipt_checks if c.is_bad})
        yield none_of("ticket receipts that do not say what their entry says", bad, "reference §3.6; invariant W4")
    yield from _server(facts)


def record_checks(facts: Facts, tickets: Tickets) -> Iterator[Check]:
    """The worker's records of on-chain claims: those that the chain does not hold, or holds otherwise; and tickets used by several."""
    if not facts.audit.is_known and facts.evidence.storage is None and "transfers" not in facts.evidence.answers:
        where, rule = ("worker", "claim records"), "invariants X3, X4"
        yield Check("the worker's claim records", CANNOT_TELL, "records", "none in the evidence", where, rule)
        return
    reconciler = Reconciler(facts)
    unbacked = sorted(str(record.tx_signature) for record in reconciler.unbacked())
    doubts = [row.text for row in reconciler.not_checked]
    false = sorted(finding.where[1] for finding in reconciler.contradicted())
    where, rule = ("worker", "claim records"), "invariant X3"
    whole = all(reconciler.chain_is_complete(grant) for grant in facts.header.grants)
    unknown = "" if whole else "transactions are missing from the evidence"
    rows = (
        ("records of claims that are not on chain", unbacked, unknown or "; ".join(doubts)),
        ("records that the chain contradicts", false, unknown),
    )
    for title, found, doubt in rows:
        status = VIOLATED if found else CANNOT_TELL if doubt else HOLDS
        seen = ", ".join(found) or doubt or "none"
        yield Check(title, status, "none", seen, where, rule)
    shared = sorted(told for told, claims in tickets.reused.items() if len({attempt.claimer for _, attempt in claims}) > 1)
    title, seen = "ticket receipts behind claims of several wallets", ", ".join(shared) or "none"
    yield Check(title, VIOLATED if shared else HOLDS, "none", seen, (RECEIPTS, ""), "reference §1.11; invariant X1")


def named_record_checks(facts: Facts, records: list[ClaimRecord], reached: set[str]) -> Iterator[Check]:
    """Claim records whose transactions are not among those reached by name: whether the chain backs them, and their tickets."""
    reconciler, title, rule = Reconciler(facts), "the chain holds what the record says", "invariant X3"
    unbacked = {record.key for record in reconciler.unbacked()}
    for record in records:
        where = (record.file, record.key)
        if record.tx_signature is None:
            seen = "no transaction: a claim off chain, for which the worker's word stands alone"
            yield Check(title, CANNOT_TELL, "a transaction", seen, where, rule)
        elif record.tx_signature not in reached:
            status = VIOLATED if record.key in unbacked else CANNOT_TELL
            seen = "not in the evidence, which is complete" if status == VIOLATED else "not in the evidence"
            yield Check(title, status, f"transaction {record.tx_signature}", seen, where, rule)
    yield from ticket_receipt_checks(facts, {record.key for record in records})


def _server(facts: Facts) -> Iterator[Check]:
    """The worker's own audit-integrity, and which of the two is right where they differ."""
    records = facts.audit
    ends_hold = not (wrong_ends(facts.evidence.storage, records) or beginnings(records)[1:] or wrong_stream_links(records))
    found = server_verdict(facts.evidence, records, facts.tampering, not any(c.is_bad for c in facts.receipt_checks), ends_hold)
    if found is not None:
        status, wanted = HOLDS if found.agrees else CANNOT_TELL, f"ok {str(found.recomputed).lower()}"
        where = ("worker/audit-integrity.json", "ok")
        yield Check("the server's own check says the same", status, wanted, found.text, where, "reference §3.10")
