"""Checks of a whole chain, of the worker's audit chain, and of the case itself."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.audit.ends import beginnings, older_than_parent, wrong_ends
from popkit.audit.entries import GENESIS
from popkit.audit.server import server_verdict
from popkit.diagnosis.coverage import evidence_findings
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.reconcile import Reconciler
from popkit.diagnosis.tickets import Tickets
from popkit.errors import CaseUnreadable
from popkit.evidence.custody import CUSTODY, check_custody
from popkit.protocol import accounts as layouts
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import vault_address
from popkit.verification.checks import ACCOUNTS, CANNOT_TELL, HOLDS, RECEIPTS, TRANSACTIONS, VIOLATED, Check, equal
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
    chain = line.chain
    if chain.linked:
        first = chain.linked[0]
        where = (TRANSACTIONS, first.signature)
        gap = first.prev_hash in chain.unseen
        wanted = None if gap else GENESIS_HASH
        yield equal("the first proof starts from GENESIS", wanted, first.prev_hash, where, "program §1.8; invariant L9")
    gaps = chain.unseen
    status = CANNOT_TELL if gaps else HOLDS
    seen = f"{counted(len(gaps), 'named entry', 'named entries')} not there" if gaps else "all there"
    yield Check("no accepted claim is missing between the ends", status, "every named entry", seen, (ACCOUNTS, chain.grant), "invariant L9")
    yield from _state(line)
    yield from _receipts(facts, line)
    yield from _vault(facts, line)


def _state(line: WorkerLine) -> Iterator[Check]:
    chain, title, rule = line.chain, "PopState is where the claims lead", "How to Verify 5; invariants L9, L10"
    where = (ACCOUNTS, chain.grant)
    if not chain.state.known or chain.state.unreadable:
        yield Check(title, CANNOT_TELL, chain.links_head, "not collected, or no PopState", where, rule)
        return
    head, stream = chain.state.head or GENESIS_HASH, chain.state.stream_head or GENESIS_HASH
    unknown = head in chain.unseen or chain.state_is_stale
    status = VIOLATED if chain.state_disagrees else CANNOT_TELL if unknown else HOLDS
    yield Check(title, status, chain.links_head, head, where, rule)
    yield equal("PopState's two heads are one", head, stream, where, "program §1.8")


def _receipts(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """One receipt a claim: receipts are never closed, so a claim without one is false; a receipt without a claim is a gap."""
    chain = line.chain
    claimed = {attempt.receipt for attempt in chain.accepted}
    collected = {key for key in claimed if key in facts.accounts}
    found = (collected & _receipts_of(facts, chain.grant)) | _extra_receipts(facts, line)
    status = VIOLATED if collected - found else HOLDS if found == claimed else CANNOT_TELL
    seen = f"{counted(len(found), 'receipt')}, {counted(len(claimed), 'accepted claim')}"
    title = "there are as many receipts as accepted claims"
    yield Check(title, status, "one receipt a claim", seen, (ACCOUNTS, chain.grant), "program §1.2: no instruction closes a receipt")


def _receipts_of(facts: Facts, grant: str) -> set[str]:
    return {key for key in facts.accounts if (value := facts.receipt(key)) is not None and value.grant == grant}


def _extra_receipts(facts: Facts, line: WorkerLine) -> set[str]:
    """Receipts on chain whose claims are not in the evidence."""
    return _receipts_of(facts, line.chain.grant) - {attempt.receipt for attempt in line.chain.accepted}


def _vault(facts: Facts, line: WorkerLine) -> Iterator[Check]:
    """Funding less what claims moved is what the vault holds."""
    grant, history = line.chain.grant, facts.history
    title, rule, where = "funding less claims is the vault's balance", "program: fund_grant, claim_grant", (ACCOUNTS, vault_address(grant))
    row = facts.accounts.get(vault_address(grant))
    moved = [facts.claims.amount_moved[attempt.row] for attempt in line.chain.accepted]
    whole = history.created_slot(grant) is not None and not line.chain.unseen and None not in moved and not _extra_receipts(facts, line)
    if row is None or row.data is None or not whole:
        yield Check(title, CANNOT_TELL, "funding, every claim and the vault", "not all in the evidence", where, rule)
        return
    funded = sum(int(step.args["amount"]) for step in history.of_grant(grant) if step.name == "fund_grant")
    wanted = funded - sum(amount or 0 for amount in moved)
    try:
        balance = layouts.decode_token_account(row.data).amount
    except layouts.AccountError:
        yield Check(title, VIOLATED, "a token account", "data that is none", where, rule)
        return
    if balance > wanted:
        seen = f"{balance}: tokens came in by a plain transfer, or a funding is not in the evidence"
        yield Check(title, CANNOT_TELL, str(wanted), seen, where, rule)
    else:
        yield equal(title, wanted, balance, where, rule)


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
    title, seen = "no entry is older than the one it follows", ", ".join(e.hash for e in late) or "none"
    yield Check(title, CANNOT_TELL if late else HOLDS, "times that never fall", seen, where, "reference §3.10")
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
    reconciler = Reconciler(facts)
    unbacked = sorted(str(record.tx_signature) for record in reconciler.unbacked())
    false = sorted(finding.where[1] for finding in reconciler.contradicted())
    where, rule = ("worker", "claim records"), "invariant X3"
    unknown = not reconciler.chain_is_complete()
    for title, found in (("records of claims that are not on chain", unbacked), ("records that the chain contradicts", false)):
        status = VIOLATED if found else CANNOT_TELL if unknown else HOLDS
        seen = ", ".join(found) or ("transactions are missing from the evidence" if unknown else "none")
        yield Check(title, status, "none", seen, where, rule)
    shared = sorted(told for told, claims in tickets.reused.items() if len({attempt.claimer for _, attempt in claims}) > 1)
    title, seen = "ticket receipts behind claims of several wallets", ", ".join(shared) or "none"
    yield Check(title, VIOLATED if shared else HOLDS, "none", seen, (RECEIPTS, ""), "reference §1.11; invariant X1")


def _server(facts: Facts) -> Iterator[Check]:
    """The worker's own audit-integrity, and which of the two is right where they differ."""
    found = server_verdict(facts.evidence, facts.audit, facts.tampering, not any(c.is_bad for c in facts.receipt_checks))
    if found is not None:
        status, wanted = HOLDS if found.agrees else CANNOT_TELL, f"ok {str(found.recomputed).lower()}"
        where = ("worker/audit-integrity.json", "ok")
        yield Check("the server's own check says the same", status, wanted, found.text, where, "reference §3.10")
